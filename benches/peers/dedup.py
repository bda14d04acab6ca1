#!/usr/bin/env python3
"""copytrace dedup beside gaoya, datatrove, text-dedup, Daft and rensa: the same rows, the same cores, cost beside recall and precision.

    python3 benches/peers/dedup.py --data FILE.jsonl[.zst] [--bin target/release/copytrace] [--env DIR] [--limit-mb 0] [--threads 2]
        [--systems copytrace,gaoya-9x13,...] [--runs 3]

The rows of the data (`text` alone, numbered) are written as one .jsonl.zst file for each thread; every system is given these files, and is bound to so
many cores. Each runs in processes of its own; wall and CPU seconds and memory are of all of them, their start included. A system that takes less than 15
seconds runs --runs times: the median CPU time counts, and the shortest wall time, which other work on the machine lengthens most.

  copytrace    `copytrace dedup`: whole pass, .jsonl.zst -> .jsonl.zst, every removal verified
  gaoya        the crate (gaoya/), 9 bands x 13 rows and 20x6, threshold 0.8: reads, signs, looks up; writes nothing. Words and shingles are those of its
               own text module, or, as `-fast`, hashes by a tokeniser made for this measurement
  datatrove    its four MinHash stages, all defaults (14x8, English tokeniser), .jsonl.zst -> .jsonl.zst
  text-dedup   its MinHash, threshold 0.8, all else default. The version on PyPI does not verify; the one that does is on GitHub alone
  daft         its `minhash` (112 hashes, 5 words, after its own `normalize`), banded 14x8 as its recipe does, clusters by union-find; writes nothing
  rensa        R-MinHash of the full set of shingles (not `rho`, which samples), 128 hashes, LSH of 16x8, `RMinHashDeduplicator`; writes nothing

Truth: all pairs with a Jaccard index of 0.8 or more of their sets of word 5-grams, by an exact join with a prefix filter, and all pairs of equal
texts. Words are runs of letters, marks and digits, folded, or single characters of scripts without spaces; beside it, as peers split words that
way, the same for `\\w+` in lower case. Recall: pairs of which not both rows are kept. Precision: removed rows that have such a pair with a row that
is kept. The truth is kept in the folder --env, which holds one virtual environment for each peer too. A peer that cannot be had is
shown with the reason.

Needs Linux, Python 3.11 or newer, PyPI and, for gaoya, cargo and crates.io.
"""

import argparse
import collections
import contextlib
import ctypes
import hashlib
import io
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
THRESHOLD = 0.8
SHINGLE_WORDS = 5
# What each peer's environment holds, with the versions of dedup-requirements.txt; `base` reads the data and finds the truth.
ENVIRONMENTS = {
    "base": ["numpy", "zstandard"],
    "datatrove": ["datatrove", "spacy", "regex", "tokenizers", "xxhash", "orjson", "zstandard", "numpy"],
    "text-dedup": ["text-dedup", "datasets", "zstandard", "numpy"],
    "daft": ["daft", "numpy", "pyarrow"],
    "rensa": ["rensa", "zstandard"],
    "dolma": ["dolma"],
}
SYSTEMS = ("copytrace", "gaoya-9x13", "gaoya-20x6", "gaoya-9x13-fast", "gaoya-20x6-fast", "daft", "rensa", "text-dedup", "datatrove")
REPEATED_BELOW_S = 15
# Scripts without spaces: one character is one word.
ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002ffff"
WORD = re.compile(f"[{ALONE}]|(?:(?![{ALONE}])(?:[^\\W_]|[\u0300-\u036f\u0900-\u0dff]))+")
PLAIN_WORD = re.compile(r"\w+")


class Unavailable(Exception):
    """Why a peer cannot be measured."""


# ------------------------------------------------------------------------------------------------------------------------- environments

def versions() -> dict[str, str]:
    lines = (HERE / "dedup-requirements.txt").read_text().split()
    return dict(line.split("==") for line in lines)


def python_of(name: str, env: Path) -> Path:
    """Makes the environment of a peer unless it is there; returns its Python."""
    folder, pins = env / name, versions()
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(f"{package}=={pins[package]}" for package in ENVIRONMENTS[name])
    if done.exists() and done.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    print(f"installing {name} ...", file=sys.stderr)
    made = subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted.split()], capture_output=True, text=True)
    if made.returncode:
        raise Unavailable(f"pip: {last_line(made.stderr)}")
    done.write_text(wanted)
    return python


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no message"


def build_gaoya(env: Path) -> Path:
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / "gaoya" / "Cargo.toml", "--target-dir", env / "gaoya"]
    try:
        made = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unavailable("no cargo") from None
    if made.returncode:
        raise Unavailable(f"cargo: {last_line(made.stderr)}")
    return env / "gaoya" / "release" / "gaoya-pass"


# ----------------------------------------------------------------------------------------------------------------------------- measuring

def tree(pid: int) -> list[int]:
    """A process and those below it."""
    found = [pid]
    for known in found:
        try:
            for task in Path(f"/proc/{known}/task").iterdir():
                found.extend(map(int, (task / "children").read_text().split()))
        except OSError:
            pass
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory, of shared pages each process's share."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def adopt_orphans() -> None:
    """Lets processes whose parent ended become children of this one, so that their time is counted: a fork server leaves its workers' so."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def measure(command: list, cores: set[int], folder: Path) -> dict[str, float]:
    """Runs a command bound to some cores; gives its seconds and its peak memory."""
    peak = 0
    with open(folder / "log.txt", "wb") as log, open(folder / "stdout.txt", "wb") as out:
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        child = subprocess.Popen(list(map(str, command)), stdout=out, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
                                 preexec_fn=lambda: os.sched_setaffinity(0, cores))
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.05):
                peak = max(peak, sum(map(resident_bytes, tree(child.pid))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = child.wait()
        wall = time.perf_counter() - start
        ended.set()
        watcher.join()
        wait_for_orphans()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        raise Unavailable(f"exit code {code}: {last_line((folder / 'log.txt').read_text(errors='replace'))}")
    return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "peak": peak}


class Arena:
    """The input files, and how each system is run over them."""

    def __init__(self, options: argparse.Namespace, files: list[Path], n_rows: int, work: Path):
        self.options, self.files, self.n_rows, self.work = options, files, n_rows, work
        self.cores = set(sorted(os.sched_getaffinity(0))[:options.threads])

    def run(self, system: str) -> tuple[str, dict[str, float], set[int]]:
        """Returns the version, what it cost, and the rows that were removed."""
        prepare = {"copytrace": self.copytrace, "gaoya": self.gaoya}.get(system.split("-")[0], self.peer)
        version, command, removed = prepare(system)
        runs = []
        while not runs or (len(runs) < self.options.runs and runs[0]["wall"] < REPEATED_BELOW_S):
            shutil.rmtree(self.out, ignore_errors=True)
            self.out.mkdir(parents=True)
            runs.append(measure(command, self.cores, self.out))
        median = sorted(runs, key=lambda run: run["cpu"])[len(runs) // 2]
        return version, median | {"wall": min(run["wall"] for run in runs)}, removed()

    @property
    def out(self) -> Path:
        return self.work / "out"

    def copytrace(self, _: str):
        binary = self.options.bin.resolve()
        try:
            version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(str(error)) from None
        command = [binary, "--quiet", "dedup", self.files[0].parent, "--out", self.out / "clean", "--threads", self.options.threads]

        def removed() -> set[int]:
            return {int(json.loads(line)["id"]) for line in open(self.out / "clean" / "removed.jsonl", encoding="utf-8")}

        return version, command, removed

    def gaoya(self, system: str):
        program, (_, size, *words) = build_gaoya(self.options.env), system.split("-")
        version = re.search(r'gaoya = "=([^"]+)"', (HERE / "gaoya" / "Cargo.toml").read_text())[1]
        command = [program, *size.split("x"), words[0] if words else "own", *self.files]
        return version, command, lambda: set(map(int, (self.out / "stdout.txt").read_text().split()))

    def peer(self, system: str):
        python, kept = python_of(system, self.options.env), self.out / "kept.txt"
        command = [python, Path(__file__).resolve(), "--peer", system, "--threads", self.options.threads, "--out", self.out, *self.files]
        if system == "text-dedup":
            command = [python, "-m", "text_dedup.minhash", "--path", "json", "--data_files", self.files[0].parent / "*.jsonl.zst", "--split", "train",
                       "--output", self.out / "saved", "--cache_dir", self.out / "cache", "--column", "text", "--threshold", THRESHOLD,
                       "--num_proc", self.options.threads]

        def removed() -> set[int]:
            if not kept.exists():
                subprocess.run([python, Path(__file__).resolve(), "--peer", f"{system}-kept", "--out", self.out], check=True, capture_output=True)
            return set(range(self.n_rows)) - set(map(int, kept.read_text().split()))

        return versions()[system], command, removed


# ---------------------------------------------------------------------------------------------------- peers, each in its own environment

def peer_datatrove(files: list[Path], out: Path, threads: int) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config, source = MinhashConfig(), str(files[0].parent)
    signatures, buckets, remove = (str(out / name) for name in ("signatures", "buckets", "remove"))
    stages = [
        (len(files), [JsonlReader(source), MinhashDedupSignature(signatures, config)]),
        (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        (1, [MinhashDedupCluster(buckets, remove, config=config)]),
        (len(files), [JsonlReader(source), MinhashDedupFilter(remove), JsonlWriter(str(out / "kept"), compression="zstd")]),
    ]
    for number, (tasks, steps) in enumerate(stages):
        LocalPipelineExecutor(steps, tasks=tasks, workers=threads, logging_dir=str(out / f"logs-{number}")).run()


def kept_datatrove(out: Path) -> list[str]:
    import zstandard

    kept = []
    for path in sorted((out / "kept").iterdir()):
        with open(path, "rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            kept += [json.loads(line)["id"] for line in io.TextIOWrapper(stream, encoding="utf-8")]
    return kept


def kept_text_dedup(out: Path) -> list[str]:
    import datasets

    return list(datasets.load_from_disk(str(out / "saved"))["id"])


def peer_daft(files: list[Path], out: Path, _: int) -> None:
    import daft
    import numpy

    bands, rows = 14, 8
    text = daft.col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    signature = text.minhash(num_hashes=bands * rows, ngram_size=SHINGLE_WORDS, seed=1, hash_function="xxhash")
    table = daft.read_json([str(path) for path in files]).select(daft.col("id"), signature.alias("signature")).to_arrow()
    ids = table["id"].to_pylist()
    flat = table["signature"].combine_chunks().flatten().to_numpy().reshape(len(ids), bands, rows)
    parent = list(range(len(ids)))

    def find(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for band in range(bands):
        _, first, group = numpy.unique(numpy.ascontiguousarray(flat[:, band]).view(f"V{4 * rows}").ravel(), return_index=True, return_inverse=True)
        for row, representative in enumerate(first[group].tolist()):
            a, b = find(row), find(representative)
            parent[max(a, b)] = min(a, b)
    write_kept(out, (ids[row] for row in range(len(ids)) if parent[row] == row))


def rensa_sign(path: Path) -> list:
    import rensa
    import zstandard

    def sets(batch: list[str]) -> list[list[str]]:
        split = (PLAIN_WORD.findall(text.lower()) for text in batch)
        return [list({" ".join(words[at:at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)}) for words in split]

    signed = []
    with open(path, "rb") as file:
        rows = [json.loads(line) for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8")]
    for start in range(0, len(rows), 256):
        batch = rows[start:start + 256]
        shingles = sets([row["text"] for row in batch])
        signatures = rensa.RMinHash.from_token_sets(shingles, 128, 42)
        signed += [(row["id"], signature if shingle else None) for row, shingle, signature in zip(batch, shingles, signatures)]
    return signed


def peer_rensa(files: list[Path], out: Path, threads: int) -> None:
    import multiprocessing

    import rensa

    with multiprocessing.Pool(threads) as pool:
        signed = [pair for part in pool.map(rensa_sign, files) for pair in part]
    index = rensa.RMinHashDeduplicator(threshold=THRESHOLD, num_perm=128, use_lsh=True, num_bands=16)
    with_words = [pair for pair in signed if pair[1] is not None]
    added = index.add_pairs(with_words)
    write_kept(out, [*(id for (id, _), is_new in zip(with_words, added) if is_new), *(id for id, signature in signed if signature is None)])


def write_kept(out: Path, ids) -> None:
    (out / "kept.txt").write_text("\n".join(ids))


def run_peer(name: str, files: list[Path], out: Path, threads: int) -> None:
    readers = {"datatrove-kept": kept_datatrove, "text-dedup-kept": kept_text_dedup}
    if name in readers:
        write_kept(out, readers[name](out))
    else:
        {"datatrove": peer_datatrove, "daft": peer_daft, "rensa": peer_rensa}[name](files, out, threads)


# -------------------------------------------------------------------------------------------------------------------------------- truth

def folded_words(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def plain_words(text: str) -> list[str]:
    return PLAIN_WORD.findall(text.lower())


def shingle_sets(texts: list[str], split) -> list:
    """The sorted set of hashes of word 5-grams of each text."""
    import numpy

    known: dict[str, int] = {}
    factors = numpy.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD], dtype=numpy.uint64)
    sets = []
    for text in texts:
        words = split(text)
        for word in words:
            if word not in known:
                known[word] = int.from_bytes(hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little")
        hashes = numpy.array([known[word] for word in words], dtype=numpy.uint64)
        n = len(hashes) - SHINGLE_WORDS + 1
        if n <= 0:
            sets.append(hashes[:0])
            continue
        mixed = sum(hashes[at:at + n] * factors[at] for at in range(SHINGLE_WORDS))
        sets.append(numpy.unique(mixed ^ (mixed >> numpy.uint64(29))))
    return sets


def pairs_at_least(sets: list) -> set[tuple[int, int]]:
    """All pairs with a Jaccard index of the threshold or more: prefix filter by rarity, then verification."""
    import numpy

    found = set()
    every, counts = numpy.unique(numpy.concatenate(sets), return_counts=True)
    index: dict[int, list[int]] = collections.defaultdict(list)
    for row in sorted(range(len(sets)), key=lambda row: len(sets[row])):
        mine = sets[row]
        if not len(mine):
            continue
        # Two sets that are so similar share one of their rarest shingles.
        n_prefix = len(mine) - math.ceil(THRESHOLD * len(mine)) + 1
        rarity = counts[numpy.searchsorted(every, mine)]
        prefix = mine[numpy.lexsort((mine, rarity))[:n_prefix]]
        candidates = set()
        for shingle in prefix.tolist():
            candidates.update(index[shingle])
            index[shingle].append(row)
        for other in candidates:
            theirs = sets[other]
            if len(theirs) >= THRESHOLD * len(mine):
                n_shared = len(numpy.intersect1d(mine, theirs, assume_unique=True))
                if n_shared >= THRESHOLD * (len(mine) + len(theirs) - n_shared):
                    found.add((min(row, other), max(row, other)))
    return found


def truth_of(texts: list[str], env: Path) -> dict[str, set[tuple[int, int]]]:
    """The pairs by either kind of word."""
    key = hashlib.blake2b(digest_size=12)
    for text in texts:
        key.update(len(text).to_bytes(8, "little") + text.encode(errors="surrogatepass"))
    cached = env / f"truth-{key.hexdigest()}.json"
    if not cached.exists():
        print("finding all similar pairs ...", file=sys.stderr)
        equal = collections.defaultdict(list)
        for row, text in enumerate(texts):
            if text.strip():
                equal[text].append(row)
        same = {(a, b) for rows in equal.values() for at, a in enumerate(rows) for b in rows[at + 1:]}
        found = {name: sorted(pairs_at_least(shingle_sets(texts, split)) | same) for name, split in (("words", folded_words), ("plain", plain_words))}
        cached.write_text(json.dumps(found))
    return {name: set(map(tuple, pairs)) for name, pairs in json.loads(cached.read_text()).items()}


def judge(removed: set[int], pairs: set[tuple[int, int]]) -> tuple[float, float]:
    """Recall of the pairs and precision of the removals."""
    n_found = sum(a in removed or b in removed for a, b in pairs)
    right = {row for a, b in pairs if (a in removed) != (b in removed) for row in (a, b)} & removed
    return n_found / max(1, len(pairs)), len(right) / max(1, len(removed))


# --------------------------------------------------------------------------------------------------------------------------------- main

def read_texts(path: Path, limit_bytes: float) -> list[str]:
    import zstandard

    texts, n_bytes = [], 0
    with open(path, "rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) if path.suffix == ".zst" else file
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            text = json.loads(line)["text"]
            n_bytes += len(text.encode())
            if n_bytes > limit_bytes > 0:
                break
            texts.append(text)
    return texts


def write_input(texts: list[str], folder: Path, n_files: int) -> list[Path]:
    """Writes the rows in order into files of about equal size."""
    import zstandard

    total, written, parts = sum(map(len, texts)), 0, [[] for _ in range(n_files)]
    for row, text in enumerate(texts):
        parts[min(n_files - 1, written * n_files // max(1, total))].append(json.dumps({"id": str(row), "text": text}, ensure_ascii=False))
        written += len(text)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = [folder / f"{number:05}.jsonl.zst" for number in range(n_files)]
    for path, lines in zip(files, parts):
        path.write_bytes(zstandard.ZstdCompressor(level=3).compress("".join(line + "\n" for line in lines).encode()))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="JSON lines with `text`, plain or .zst")
    parser.add_argument("--bin", type=Path, default=ROOT / "target" / "release" / "copytrace", help="the program")
    parser.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "copytrace-peers", help="folder of environments, truths and outputs")
    parser.add_argument("--limit-mb", type=float, default=0, help="take the first so many MB of text (0: all)")
    parser.add_argument("--threads", type=int, default=2, help="cores, threads and workers")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="which to run, in this order")
    parser.add_argument("--runs", type=int, default=3, help="runs of a system that takes less than 15 seconds")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("files", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        run_peer(options.peer, options.files, options.out, options.threads)
        return
    unknown = set(options.systems.split(",")) - set(SYSTEMS)
    if options.data is None or unknown:
        parser.error(f"unknown systems: {', '.join(unknown)}" if unknown else "--data is wanted")
    if options.threads > len(os.sched_getaffinity(0)):
        parser.error(f"--threads {options.threads}: there are {len(os.sched_getaffinity(0))} cores")
    options.env = options.env.resolve()
    options.env.mkdir(parents=True, exist_ok=True)
    python = python_of("base", options.env)
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        os.execv(python, [str(python), __file__, *sys.argv[1:]])

    adopt_orphans()
    texts = read_texts(options.data, options.limit_mb * 1e6)
    n_bytes = sum(len(text.encode()) for text in texts)
    truth = truth_of(texts, options.env)
    work = options.env / f"run-{os.getpid()}"
    files = write_input(texts, work / "input", options.threads)
    arena = Arena(options, files, len(texts), work)
    del texts
    n_pairs = " and ".join(f"{len(pairs):,}" for pairs in truth.values())
    print(f"{options.data.name}: {arena.n_rows:,} rows, {n_bytes / 1e6:.1f} MB of text, {n_pairs} pairs with J >= {THRESHOLD} by words and by \\w+, "
          f"{options.threads} cores\n")
    print("| system | version | MB/s | MB per CPU s | CPU s | CPU, times ours | peak MB | removed | recall, % | precision, % | by `\\w+`, % |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    ours = None
    try:
        for system in options.systems.split(","):
            try:
                version, cost, removed = arena.run(system)
            except Unavailable as reason:
                print(f"| {system} | not measured: {reason} | | | | | | | | | |", flush=True)
                continue
            ours = cost["cpu"] if system == "copytrace" else ours
            times = f"{cost['cpu'] / ours:.1f}" if ours else "-"
            (recall, precision), plain = (judge(removed, truth[name]) for name in ("words", "plain"))
            print(f"| {system} | {version} | {n_bytes / 1e6 / cost['wall']:.1f} | {n_bytes / 1e6 / cost['cpu']:.2f} | {cost['cpu']:.2f} | {times} "
                  f"| {cost['peak'] / 1e6:.0f} | {len(removed):,} | {100 * recall:.2f} | {100 * precision:.2f} "
                  f"| {100 * plain[0]:.2f}, {100 * plain[1]:.2f} |", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
