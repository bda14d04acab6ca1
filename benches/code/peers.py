#!/usr/bin/env python3
"""copytrace beside jscpd, sim_c, copydetect and Dolos: the same changed functions, the same reference, one machine.

    python3 benches/code/peers.py --bin target/release/copytrace --data DIR --work DIR [--tools copytrace,copytrace-,jscpd,sim_c,copydetect,dolos,dolos33]
        [--languages python,rust] [--levels NAME,NAME] [--sample 0] [--reference-bytes 10000000] [--evade 100] [--seed 1] [--again]

DATA holds corpus_python.jsonl.zst, corpus_rust.jsonl.zst and queries.jsonl.gz, as for evaluate.py. Levels are those of its code queries (`embedded`: the
renamed copy between two foreign functions; `negative`: functions of packages that are not in the corpora) and, as `evade:NAME`, the changes of
changes.py, made of --evade functions each that are drawn from the reference. --sample takes so many queries of each level (0: all).

The reference of a language is written as files: the documents that the queries were taken from, and others at random up to --reference-bytes. Each tool
gets one run for each level: the queries as files in one folder, the reference in another. Found: the tool reports the query together with a document
of the reference that holds it (the one it was taken from, or one with at least half of its sequences of five words). For `negative` the figure is
the share for which any document is reported. How a report is read:

  copytrace   index once, then `check --batch --lexical on`; found: the verdict is not ALLOW and a match that is not common names the document;
              flagged: the verdict is not ALLOW. `copytrace-` is the same with --lexical off
  jscpd       identifiers and literals ignored, gap 5, at least 30 tokens, both folders, one worker; the pairs of `duplicates` in its JSON report of which one
              file is a query and the other is of the reference (--skip-local leaves out pairs within a folder)
  sim_c       `-n -S -r 24`, queries as new files, reference as old ones: the pairs of files in its list of runs. A lexer for C reads both languages
  copydetect  all defaults; the pairs its report shows: more than a third of the query's fingerprints stand in the document
  dolos       all defaults; it ranks pairs and has no threshold of its own: pairs that share at least half of the query's fingerprints, and as
              `dolos33` at least a third, where the embedded copies come in and more strangers with them; both from one run

CPU seconds and peak memory are of the whole run, the reading of the reference included, which no peer keeps; for copytrace those of the check, and in a
line of their own those of the index. Results are kept in WORK/results.json, so that a run that was ended goes on; --again forgets them.

The prompts, the diff and the fence are given to every tool as they are; no peer promises to read them.

Needs Python 3.11, PyPI, npm with node >= 20, and `sim_c` of the Debian package similarity-tester (installed with apt-get if it is missing and this
runs as root). Makes a virtual environment (requirements.txt) and a node_modules (package.json) in WORK. jscpd is pinned to the newest version whose
program for Linux was published. Exit code: 0, or 2 for wrong input or a tool that does not run.
"""

import argparse
import collections
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import changes
import corpora
import evade

HERE = Path(__file__).resolve().parent
TOOLS = ("copytrace", "copytrace-", "jscpd", "sim_c", "copydetect", "dolos", "dolos33")
DOLOS_SHARES = {"dolos": 0.5, "dolos33": 0.33}
CORPORA = {"python": "corpus_python.jsonl.zst", "rust": "corpus_rust.jsonl.zst"}
# A negative of the data has at most 15 % of its sequences in the corpora.
TRUE_SHARE_MIN = 0.5
# Runs a command from a small process, so that the peak memory is the command's and not that of this script before it.
LAUNCHER = """
import json, os, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump({"wall": time.perf_counter() - start, "cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}, open(sys.argv[1], "w"))
sys.exit(code)
"""


# ----------------------------------------------------------------------------------------------------------------------------- running

def measured(command, work, codes=(0,), **options):
    """Runs a command; gives its seconds and memory. Its output goes where the options say."""
    costs = work / "costs.json"
    done = subprocess.run([sys.executable, "-c", LAUNCHER, str(costs), *map(str, command)], **options)
    if done.returncode not in codes:
        said = (done.stderr or b"") if isinstance(done.stderr, bytes) else b""
        corpora.fail(f"exit code {done.returncode} of: {' '.join(map(str, command))}\n{said.decode(errors='replace')[-2_000:]}")
    return json.loads(costs.read_text())


def install(tools, work):
    """Brings the peers that are asked for and missing."""
    def run(command, **more):
        print("+", " ".join(map(str, command)), file=sys.stderr)
        if subprocess.run(list(map(str, command)), stdout=sys.stderr, **more).returncode:
            corpora.fail(f"could not run: {' '.join(map(str, command))}")

    if "copydetect" in tools and not (work / "venv" / "bin" / "copydetect").exists():
        venv.create(work / "venv", with_pip=True)
        run([work / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"])
    if {"jscpd", *DOLOS_SHARES} & set(tools):
        shutil.copy(HERE / "peer_dolos.mjs", work)
        if not (work / "node_modules" / ".bin" / "jscpd").exists():
            if not shutil.which("npm"):
                corpora.fail("jscpd and dolos need `npm` with node >= 20")
            shutil.copy(HERE / "package.json", work)
            run(["npm", "install", "--no-audit", "--no-fund"], cwd=work)
    if "sim_c" in tools and not shutil.which("sim_c"):
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            corpora.fail("`sim_c` is missing: install the Debian package similarity-tester, or leave it out with --tools")
        run(["apt-get", "install", "--yes", "similarity-tester"])


def read_pairs(path, share_min=0.0):
    reported = collections.defaultdict(set)
    with open(path, encoding="utf-8") as lines:
        for query, source, share in map(json.loads, lines):
            if share >= share_min:
                reported[query].add(source)
    return reported


class Arena:
    """One language: where the reference and the queries of a level stand as files."""

    def __init__(self, lang, work, binary):
        self.lang, self.ending = lang, corpora.LANGUAGES[lang]
        self.folder = work / lang
        self.reference, self.queries, self.out = (self.folder / name for name in ("reference", "queries", "out"))
        self.work, self.binary = work, binary

    def write_reference(self, documents):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.reference.mkdir(parents=True)
        with open(self.folder / "reference.jsonl", "w", encoding="utf-8") as rows:
            for number, document in enumerate(documents):
                (self.reference / f"d{number}{self.ending}").write_text(document.text, encoding="utf-8", newline="")
                facts = {"package": document.package, "license": document.license, "path": document.path}
                rows.write(json.dumps({"id": f"d{number}", "text": document.text, "metadata": facts}) + "\n")

    def write_queries(self, queries):
        for folder in (self.queries, self.out):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for number, query in enumerate(queries):
            (self.queries / f"q{number}{self.ending}").write_text(query["text"], encoding="utf-8", newline="")

    def index(self):
        command = [self.binary, "--quiet", "index", self.folder / "reference.jsonl", "--index", self.folder / "index", *corpora.COLUMNS]
        return measured(command, self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    # Each gives (query -> reported documents, queries whose verdict is not ALLOW or None, costs).

    def copytrace(self, queries, lexical="on"):
        batch = self.out / "batch.jsonl"
        with open(batch, "w", encoding="utf-8") as out:
            for number, query in enumerate(queries):
                row = {"id": f"q{number}", "text": query["text"]} | ({} if query["level"] == "evade:fenced" else {"language": self.lang})
                out.write(json.dumps(row) + "\n")
        command = [self.binary, "--quiet", "check", "--index", self.folder / "index", "--batch", "--format", "json", "--lexical", lexical, batch]
        with open(self.out / "answers.jsonl", "wb") as out:
            costs = measured(command, self.folder, (0, 1), stdout=out, stderr=subprocess.PIPE)
        reported, flagged = collections.defaultdict(set), set()
        for line in open(self.out / "answers.jsonl", encoding="utf-8"):
            answer = json.loads(line)
            if corpora.action_of(answer) != "ALLOW":
                flagged.add(answer["id"])
                reported[answer["id"]] = {match["document"]["id"] for match in corpora.own_matches(answer)}
        return reported, flagged, costs

    def jscpd(self, queries):
        command = [self.work / "node_modules" / ".bin" / "jscpd", "--ignore-identifiers", "--ignore-literals", "--max-gap-lines", 5, "--min-tokens", 30,
                   "--max-lines", 1_000_000, "--max-size", "50mb", "--skip-local", "--no-gitignore", "--workers", 1, "--absolute", "--silent",
                   "--format", self.lang, "--reporters", "json", "--output", self.out, self.queries, self.reference]
        costs = measured(command, self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        reported = collections.defaultdict(set)
        for clone in json.loads((self.out / "jscpd-report.json").read_text(encoding="utf-8"))["duplicates"]:
            pair = {Path(clone[side]["name"]).parent.name: Path(clone[side]["name"]).stem for side in ("firstFile", "secondFile")}
            if len(pair) == 2:
                reported[pair["queries"]].add(pair["reference"])
        return reported, None, costs

    def sim_c(self, queries):
        names = "\n".join([*map(str, sorted(self.queries.iterdir())), "/", *map(str, sorted(self.reference.iterdir()))]) + "\n"
        (self.out / "names").write_text(names)
        with open(self.out / "names") as source, open(self.out / "runs", "wb") as out:
            costs = measured(["sim_c", "-n", "-S", "-T", "-r", 24, "-w", 1_000, "-i"], self.folder, stdin=source, stdout=out, stderr=subprocess.PIPE)
        reported = collections.defaultdict(set)
        for line in open(self.out / "runs", encoding="utf-8", errors="replace"):
            # `FILE: line 1-20 |FILE: line 301-330 [143]`
            sides = [side.split(": line")[0].strip() for side in line.split("|")]
            if len(sides) == 2 and ": line" in line:
                query, source = (Path(side) for side in sides)
                reported[query.stem].add(source.stem)
        return reported, None, costs

    def copydetect(self, queries):
        command = [self.work / "venv" / "bin" / "python", HERE / "peer_copydetect.py", self.queries, self.reference, self.ending.removeprefix(".")]
        with open(self.out / "pairs", "wb") as out:
            costs = measured(command, self.folder, stdout=out, stderr=subprocess.PIPE)
        return read_pairs(self.out / "pairs"), None, costs

    def dolos(self, queries, tool):
        pairs, kept = self.out / "dolos", self.out / "dolos-costs.json"
        if not kept.exists():
            share_min = min(DOLOS_SHARES.values())
            command = ["node", "--max-old-space-size=8192", self.work / "peer_dolos.mjs", self.queries, self.reference, self.lang, share_min]
            with open(pairs, "wb") as out:
                costs = measured(command, self.folder, stdout=out, stderr=subprocess.PIPE, cwd=self.work)
            kept.write_text(json.dumps(costs))
        return read_pairs(pairs, DOLOS_SHARES[tool]), None, json.loads(kept.read_text())

    def run(self, tool, queries):
        if tool == "copytrace-":
            return self.copytrace(queries, "off")
        return self.dolos(queries, tool) if tool in DOLOS_SHARES else getattr(self, tool)(queries)


# ----------------------------------------------------------------------------------------------------------------------------- queries

def data_queries(path, lang, n_sample, seed):
    """The code queries of the data by level: text, level, the document and the others that hold it."""
    levels = collections.defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if not row["kind"].startswith("code") or row["lang"] != lang:
                continue
            level = {"code_copy": row["level"], "code_copy_embedded": "embedded", "code_negative": "negative"}[row["kind"]]
            truth = {row["source_id"]} | {id for id, share in row.get("also_in", {}).items() if share >= TRUE_SHARE_MIN} if row["source_id"] else set()
            levels[level].append({"text": row["text"], "level": level, "source": row["source_id"], "truth": truth})
    draw = random.Random(seed)
    return {level: draw.sample(rows, min(n_sample, len(rows))) if n_sample else rows for level, rows in levels.items()}


def make_reference(documents, levels, bytes_max, seed):
    """The documents that queries were taken from, then others in random order."""
    needed = {query["source"] for rows in levels.values() for query in rows} - {None}
    chosen = [document for document in documents if document.id in needed]
    others = [document for document in documents if document.id not in needed]
    random.Random(seed).shuffle(others)
    n_bytes = sum(len(document.text.encode()) for document in chosen)
    for document in others:
        if n_bytes >= bytes_max:
            break
        chosen.append(document)
        n_bytes += len(document.text.encode())
    return chosen


def evade_queries(reference, names, n_wanted, seed):
    levels = collections.defaultdict(list)
    made = evade.make_queries(reference, names, n_wanted, seed)
    holding = corpora.holders([function for _, function, _ in made], reference)
    for name, function, changed in made:
        truth = {function.document_id, *holding[function.key]}
        levels[f"evade:{name}"].append({"text": changed.text, "level": f"evade:{name}", "source": function.document_id, "truth": truth})
    return {f"evade:{name}": levels[f"evade:{name}"] for name in names if f"evade:{name}" in levels}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="the copytrace program")
    parser.add_argument("--data", type=Path, required=True, help="folder with the corpora and queries.jsonl.gz")
    parser.add_argument("--work", type=Path, required=True, help="folder for the peers, the files and the results")
    parser.add_argument("--tools", default=",".join(TOOLS), help=f"some of {','.join(TOOLS)}")
    parser.add_argument("--languages", default="python,rust")
    parser.add_argument("--levels", help="only these, separated by commas")
    parser.add_argument("--sample", type=int, default=0, help="queries of each level of the data; 0: all")
    parser.add_argument("--reference-bytes", type=int, default=10_000_000, help="size of the reference of a language")
    parser.add_argument("--evade", type=int, default=100, help="functions for each change of changes.py; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    options = parser.parse_args()
    tools, languages = options.tools.split(","), options.languages.split(",")
    if unknown := [tool for tool in tools if tool not in TOOLS]:
        corpora.fail(f"unknown tool `{unknown[0]}`, expected some of: {', '.join(TOOLS)}")
    if unknown := [lang for lang in languages if lang not in CORPORA]:
        corpora.fail(f"unknown language `{unknown[0]}`, expected: {', '.join(CORPORA)}")
    for name in ("queries.jsonl.gz", *(CORPORA[lang] for lang in languages)):
        if not (options.data / name).is_file():
            corpora.fail(f"no such file: `{options.data / name}`")
    program = corpora.Binary(options.bin)
    binary = program.path
    program.print_line()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    install(tools, work)

    kept = work / "results.json"
    settings = {name: getattr(options, name) for name in ("sample", "reference_bytes", "evade", "seed")}
    settings["copytrace"] = program.hash
    earlier = json.loads(kept.read_text()) if kept.exists() and not options.again else {}
    # Another binary or other settings make earlier results worthless: of copytrace alone, or of all.
    results = earlier.get("results", {}) if {**earlier.get("settings", {}), "copytrace": 0} == {**settings, "copytrace": 0} else {}
    if earlier.get("settings", {}).get("copytrace") != settings["copytrace"]:
        results = {key: result for key, result in results.items() if "/copytrace" not in key}
    # What the launcher itself takes is the least that can be seen of a command's memory.
    floor_mb = measured(["true"], work)["peak_mb"]

    for lang in languages:
        documents = [document for document in corpora.read_documents(options.data / CORPORA[lang]) if document.lang == lang]
        levels = data_queries(options.data / "queries.jsonl.gz", lang, options.sample, options.seed)
        reference = make_reference(documents, levels, options.reference_bytes, options.seed)
        del documents
        if options.evade:
            levels |= evade_queries(reference, [name for name in changes.CHANGES if name != "verbatim"], options.evade, options.seed)
        if options.levels:
            wanted = options.levels.split(",")
            if unknown := [level for level in wanted if level not in levels and (lang, level) != ("rust", "evade:prompts")]:
                corpora.fail(f"unknown level `{unknown[0]}`, expected some of: {', '.join(levels)}")
            levels = {level: rows for level, rows in levels.items() if level in wanted}
        arena = Arena(lang, work, binary)
        arena.write_reference(reference)
        number_of = {document.id: f"d{number}" for number, document in enumerate(reference)}
        if any(tool.startswith("copytrace") for tool in tools):
            results[f"{lang}/copytrace/index"] = {"costs": arena.index()}
        for level, queries in levels.items():
            arena.write_queries(queries)
            for tool in tools:
                key = f"{lang}/{tool}/{level}"
                if key in results:
                    continue
                reported, flagged, costs = arena.run(tool, queries)
                program.must_be_unchanged()
                if level == "negative":
                    hits = [f"q{number}" in (flagged if flagged is not None else reported) for number in range(len(queries))]
                else:
                    hits = [bool(reported.get(f"q{number}", set()) & {number_of[id] for id in query["truth"] if id in number_of})
                            for number, query in enumerate(queries)]
                results[key] = {"n": len(hits), "hits": sum(hits), "missed": [number for number, hit in enumerate(hits) if not hit], "costs": costs}
                kept.write_text(json.dumps({"settings": settings, "results": results}))
        n_bytes = sum(len(document.text.encode()) for document in reference)
        show(lang, levels, tools, results, len(reference), n_bytes, floor_mb)


def memory(peak_mb, floor_mb):
    """Memory that does not stand out from the launcher's is only known to be less."""
    return f"<{1.05 * floor_mb:.0f}" if peak_mb < 1.05 * floor_mb else f"{peak_mb:.0f}"


def show(lang, levels, tools, results, n_documents, n_bytes, floor_mb):
    print(f"\n{lang}: reference of {n_documents} documents, {n_bytes / 1e6:.1f} MB; found in % of the queries, for `negative` flagged in %")
    print(f"{'level':<28}{'n':>5}" + "".join(f"{tool:>12}" for tool in tools))
    for level, queries in levels.items():
        shares = (results[f"{lang}/{tool}/{level}"] for tool in tools)
        print(f"{level:<28}{len(queries):>5}" + "".join(f"{100 * result['hits'] / result['n']:>12.1f}" for result in shares))
    for head, name in (("CPU s a level, median", "cpu"), ("wall s a level, median", "wall"), ("peak MB, largest", "peak_mb")):
        cells = []
        for tool in tools:
            values = sorted(results[f"{lang}/{tool}/{level}"]["costs"][name] for level in levels)
            cells.append(f"{memory(values[-1], floor_mb) if name == 'peak_mb' else format(values[len(values) // 2], '.2f'):>12}")
        print(f"{head:<33}" + "".join(cells))
    if built := results.get(f"{lang}/copytrace/index"):
        print(f"copytrace index: {built['costs']['cpu']:.2f} CPU s, {built['costs']['wall']:.2f} s, {memory(built['costs']['peak_mb'], floor_mb)} MB", flush=True)


if __name__ == "__main__":
    main()
