#!/usr/bin/env python3
"""Measure false alarms on independent code: functions of packages that have nothing in common with what is indexed.

    python3 benches/code/strangers.py --bin target/release/copytrace --corpus FILE.jsonl.zst [FILE ...] [--other FILE_OR_FOLDER ...] [--out DIR]
        [--seed 1] [--both-ways] [--family NAME,NAME ...] [--exclude-path REGEX] [--judged FILE] [--dump FILE] [--lexical on|off] [--limit N]

Splits the packages of the corpora (`metadata.package`, else the first part of the path) at random into two halves of about equal size, for each
language by itself; indexes one half, with the package as the origin, and checks every function of 25 tokens and more of the other half in one
`check --batch`, its language named; a text is checked once, however many versions hold it. --both-ways then does the same with the halves exchanged.
Functions of --other (JSON lines, or a folder of source files such as a site-packages) are checked against the first half too.

Kept out, all by rules fixed beforehand:
  family   packages of one family stand in the same half: those with the same first part of the name (up to `-` or `_`; --no-prefix-families ends
           this), and those that a --family names. From --other, packages of a family that is indexed are left out
  path     documents whose path fits --exclude-path: copies of other packages inside a package
  copies   functions of which one document of the indexed half holds at least half of the sequences of five words: true copies
  judged   flagged functions of which every match was judged a true copy by a person, from --judged: JSON lines with `query` (as in flagged.jsonl),
           `source` (document id, or `*` for any) and `reason`; both figures are printed

Prints for each group: functions, those left out, n, flagged (verdict not ALLOW) and blocked (BLOCK or REPLACE), the rate in % and its upper bound at
95 % confidence (Clopper-Pearson, one-sided; with none flagged that is 3/n). --out receives flagged.jsonl (query, sources, kind, score, matched tokens,
bits and both texts, for a person to judge), the same as flagged.txt to read, and report.json. --dump writes every match of every function, also
common and allowed ones, as JSON lines, for calibration.

Exit code: 0, or 1 if more than 0.3 % of a group are flagged or any function is blocked, 2 for wrong input. Standard library only.
"""

import argparse
import collections
import contextlib
import json
import math
import random
import re
import sys
import tempfile
from pathlib import Path

import corpora

TOKENS_MIN = 25
FLAGGED_MAX = 0.003
CONFIDENCE = 0.95
VENDORED = r"(^|/)(_?vendor(ed|ing)?|_internal/vendor|third_?party|extern(als?)?|site-packages|dist-packages)(/|$)"
TEXT_BYTES_MAX = 1_048_576


# ------------------------------------------------------------------------------------------------------------------------------- halves

class Families:
    """Which packages belong together."""

    def __init__(self, groups, by_prefix):
        self.by_prefix = by_prefix
        self.named = {}
        for group in groups:
            names = [self.prefix(name.strip()) for name in group.split(",")]
            target = next((self.named[name] for name in names if name in self.named), names[0])
            joined = {self.named[name] for name in names if name in self.named}
            self.named |= {name: target for name, family in self.named.items() if family in joined} | dict.fromkeys(names, target)

    def prefix(self, package):
        package = package.lower()
        return re.split(r"[-_]", package)[0] or package if self.by_prefix else package

    def of(self, package):
        prefix = self.prefix(package)
        return self.named.get(prefix, prefix)


def split(documents, families, seed):
    """The families of each half, of about the same number of characters for each language."""
    draw = random.Random(seed)
    halves = (set(), set())
    for lang in corpora.LANGUAGES:
        sizes = collections.Counter()
        for document in documents:
            if document.lang == lang:
                sizes[families.of(document.package)] += len(document.text)
        order = sorted(sizes)
        draw.shuffle(order)
        filled = [0, 0]
        # The largest first, each into the emptier half; which half the first one takes is by chance.
        first = draw.randrange(2)
        for family in sorted(order, key=lambda family: -sizes[family]):
            to = first if filled[0] == filled[1] else filled.index(min(filled))
            halves[to].add((lang, family))
            filled[to] += sizes[family]
    return halves


def write_corpus(documents, path):
    with open(path, "w", encoding="utf-8") as out:
        for document in documents:
            facts = {"package": document.package, "path": document.path, "lang": document.lang, "license": document.license}
            out.write(json.dumps({"id": document.id, "text": document.text, "metadata": facts}) + "\n")


# --------------------------------------------------------------------------------------------------------------------------- true copies

class HeldShares:
    """How much of a function one document of the indexed half holds. Costs about 200 bytes for each sequence of words."""

    def __init__(self, documents):
        self.documents_of = {}
        for number, document in enumerate(documents):
            for shingle in map(hash, corpora.shingles(document.text)):
                known = self.documents_of.get(shingle)
                self.documents_of[shingle] = (number,) if known is None else (*known, number)

    def of(self, text):
        wanted = corpora.shingles(text)
        counts = collections.Counter()
        for shingle in map(hash, wanted):
            counts.update(self.documents_of.get(shingle, ()))
        return max(counts.values(), default=0) / len(wanted) if wanted else 0.0


def read_judged(path):
    judged = collections.defaultdict(set)
    if path is None:
        return judged
    if not Path(path).is_file():
        corpora.fail(f"no such file: `{path}`")
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            judged[row["query"]].add(row["source"])
            if not row["reason"]:
                raise ValueError("an empty reason")
        except (ValueError, KeyError, TypeError) as error:
            corpora.fail(f"`{path}` line {number}: expected a JSON object with `query`, `source` and `reason`, got {type(error).__name__}: {error}")
    return judged


# ------------------------------------------------------------------------------------------------------------------------------ figures

def upper_bound(n_hits, n):
    """The largest rate at which so few hits have a chance of more than 5 %: Clopper and Pearson, Biometrika 26 (1934), one-sided."""
    if n == 0 or n_hits >= n:
        return 1.0
    if n_hits == 0:
        return min(1.0, 3 / n)

    def chance(rate):
        logs = (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(rate) + (n - k) * math.log1p(-rate)
                for k in range(n_hits + 1))
        return math.fsum(map(math.exp, logs))

    low, high = n_hits / n, 1.0 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) > 1 - CONFIDENCE else (low, middle)
    return high


class Group:
    """The counts of one group of functions."""

    def __init__(self):
        self.counts = collections.Counter()

    def figures(self):
        n = self.counts["checked"]
        n_clean, n_flagged = n - self.counts["judged"], self.counts["flagged"] - self.counts["judged"]
        rate = n_flagged / n_clean if n_clean else 0.0
        return {**{name: self.counts[name] for name in ("functions", "short", "copies", "checked", "flagged", "judged", "blocked")},
                "n": n_clean, "flagged_left": n_flagged, "rate": rate, "bound": upper_bound(n_flagged, n_clean)}


HEADS = f"{'group':<34}{'functions':>10}{'short':>7}{'copies':>7}{'flagged':>8}{'judged':>7}{'n':>8}{'left':>6}{'rate %':>8}{'bound %':>8}{'blocked':>8}"


def write_row(name, figures):
    return (f"{name:<34}{figures['functions']:>10}{figures['short']:>7}{figures['copies']:>7}{figures['flagged']:>8}{figures['judged']:>7}"
            f"{figures['n']:>8}{figures['flagged_left']:>6}{100 * figures['rate']:>8.3f}{100 * figures['bound']:>8.3f}{figures['blocked']:>8}")


# -------------------------------------------------------------------------------------------------------------------------------- checks

def slice_bytes(text, span):
    return text.encode()[span.get("startByte", 0):span.get("endByte", 0)].decode("utf-8", "replace")


def describe(match, function, texts):
    source = texts.get(match["document"]["id"], "")
    return {"source": match["document"]["id"], "origin": match["document"].get("origin", ""), "kind": corpora.kind_of(match), "score": match.get("score"),
            "matchedTokens": match.get("matchedTokens"), "evidenceBits": match.get("evidenceBits"), "documentCount": match.get("documentCount"),
            "renames": match.get("renames", []), "queryText": slice_bytes(function.text, match.get("querySpan", {})),
            "sourceText": slice_bytes(source, match.get("sourceSpan", {}))}


def check_functions(options, binary, index, functions, shares, groups, judged, texts, work, flagged_out, dump_out):
    """Checks (group name, function) pairs and adds them to the groups; `texts` are the indexed documents."""
    candidates = []
    for name, function in functions:
        group = groups.setdefault(name, Group())
        group.counts["functions"] += 1
        n_tokens = corpora.n_tokens(function)
        if n_tokens < TOKENS_MIN or len(function.text.encode()) > TEXT_BYTES_MAX:
            group.counts["short"] += 1
        elif (share := shares.of(function.text)) >= corpora.SHARE_MIN:
            group.counts["copies"] += 1
        else:
            candidates.append((name, function, n_tokens, share))
    if options.limit and len(candidates) > options.limit:
        candidates = random.Random(options.seed).sample(candidates, options.limit)

    rows = ({"id": str(number), "text": function.text, "language": function.lang} for number, (_, function, _, _) in enumerate(candidates))
    for (name, function, n_tokens, share), answer in zip(candidates, corpora.check_batch(binary, index, rows, work, options.lexical)):
        group, action, own = groups[name], corpora.action_of(answer), corpora.own_matches(answer)
        group.counts["checked"] += 1
        facts = {"query": function.key, "group": name, "language": function.lang, "package": function.package, "document": function.document_id,
                 "path": function.path, "tokens": n_tokens, "share": round(share, 3), "action": action, "rule": answer.get("verdict", {}).get("ruleId", "")}
        if dump_out:
            for rank, match in enumerate(answer.get("matches", [])):
                dump_out.write(json.dumps({**facts, "rank": rank, "match": match}) + "\n")
        if action == "ALLOW":
            continue
        group.counts["flagged"] += 1
        known = judged.get(function.key, ())
        if own and all("*" in known or match["document"]["id"] in known for match in own):
            group.counts["judged"] += 1
            continue
        group.counts["blocked"] += action in ("BLOCK", "REPLACE")
        described = [describe(match, function, texts) for match in answer.get("matches", [])]
        flagged_out.append({**facts, "error": answer.get("error", ""), "degraded": answer.get("degraded", []), "text": function.text, "matches": described})


def write_flagged(flagged, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "flagged.jsonl", "w", encoding="utf-8") as out:
        for row in flagged:
            out.write(json.dumps(row) + "\n")
    with open(folder / "flagged.txt", "w", encoding="utf-8") as out:
        for row in flagged:
            out.write(f"{'=' * 100}\n{row['query']}  {row['action']}  {row['package']}: {row['path']}  {row['tokens']} tokens, {row['group']}\n{row['text']}\n")
            for match in row["matches"]:
                out.write(f"{'-' * 100}\n{match['source']}  {match['origin']}  {match['kind']}  score {match['score']}  tokens {match['matchedTokens']}  "
                          f"bits {match['evidenceBits']}  documents {match['documentCount']}\n{match['sourceText']}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="the copytrace program")
    parser.add_argument("--corpus", nargs="+", required=True, help="JSON lines whose packages are split into halves")
    parser.add_argument("--other", nargs="*", default=[], help="JSON lines or folders, checked against the first half")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--both-ways", action="store_true", help="then index the other half and check the first")
    parser.add_argument("--family", nargs="*", default=[], help="packages that belong together, separated by commas")
    parser.add_argument("--no-prefix-families", action="store_true", help="the same first part of a name makes no family")
    parser.add_argument("--exclude-path", default=VENDORED, help="leave out documents whose path has this; default: folders of copied packages")
    parser.add_argument("--judged", help="JSON lines of matches that a person judged to be true copies")
    parser.add_argument("--lexical", choices=("on", "off"), default="on", help="as for `copytrace check`")
    parser.add_argument("--limit", type=int, default=0, help="check at most so many functions a way, drawn at random; 0: all")
    parser.add_argument("--out", help="folder for flagged.jsonl, flagged.txt and report.json")
    parser.add_argument("--dump", help="write all matches of all functions to this file")
    options = parser.parse_args()
    try:
        excluded = re.compile(options.exclude_path)
    except re.error as error:
        corpora.fail(f"--exclude-path is no regular expression: {error}")
    program, judged = corpora.Binary(options.bin), read_judged(options.judged)
    binary = program.path
    program.print_line()
    families = Families(options.family, not options.no_prefix_families)

    documents = [d for path in options.corpus for d in corpora.read_documents(path) if d.lang in corpora.LANGUAGES and not excluded.search(d.path)]
    halves = split(documents, families, options.seed)
    if not all(halves):
        corpora.fail("the corpora must hold Python or Rust documents of at least two families of packages")
    for number, half in enumerate(halves, 1):
        print(f"half {number}: " + ", ".join(sorted({d.package for d in documents if (d.lang, families.of(d.package)) in half})), flush=True)
    print()

    groups, flagged = {}, []
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="copytrace-strangers-")))
        dump_out = stack.enter_context(open(options.dump, "w", encoding="utf-8")) if options.dump else None
        for way in range(1 + options.both_ways):
            indexed = [d for d in documents if (d.lang, families.of(d.package)) in halves[way]]
            corpus, index = work / f"half{way}.jsonl", work / f"index{way}"
            write_corpus(indexed, corpus)
            corpora.build_index(binary, [corpus], index)
            corpus.unlink()

            def strangers():
                seen = set()
                sources = [(f"half {2 - way} against half {1 + way}", (d for d in documents if (d.lang, families.of(d.package)) in halves[1 - way]))]
                if way == 0:
                    known = {family for _, family in halves[0]}
                    sources += [(Path(path).name, (d for d in corpora.read_documents(path) if not excluded.search(d.path)
                                                   and families.of(d.package) not in known)) for path in options.other]
                for name, several in sources:
                    for document in several:
                        for function in corpora.functions_of(document):
                            if function.key not in seen:
                                seen.add(function.key)
                                yield f"{document.lang}, {name}", function

            check_functions(options, binary, index, strangers(), HeldShares(indexed), groups, judged, {d.id: d.text for d in indexed}, work, flagged, dump_out)

    program.must_be_unchanged()
    print(HEADS)
    total, report = Group(), {}
    for name, group in sorted(groups.items()):
        report[name] = group.figures()
        total.counts.update(group.counts)
        print(write_row(name, report[name]))
    report["all"] = total.figures()
    print(write_row("all", report["all"]))
    if options.out:
        write_flagged(flagged, Path(options.out))
        written = {"binary": program.hash, "seed": options.seed, "lexical": options.lexical, "limit": options.limit, "groups": report}
        (Path(options.out) / "report.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        print(f"\nflagged functions: {Path(options.out) / 'flagged.txt'}")
    sys.exit(1 if any(figures["rate"] > FLAGGED_MAX or figures["blocked"] for figures in report.values()) else 0)


if __name__ == "__main__":
    main()
