#!/usr/bin/env python3
"""Lets datatrove and dolma, as PyPI has them, drop the rows that `copytrace dedup --emit datatrove,dolma` names, and compares with what it kept.

    python3 benches/peers/emit.py [--bin target/release/copytrace] [--env DIR]

A made corpus of several files (.jsonl, .jsonl.gz, .jsonl.zst, in folders whose names sort otherwise as paths than as texts) with copies across files, texts in several
scripts, empty and blank texts, ids that are numbers, and a text longer than --document-bytes-max. datatrove's JsonlReader and MinhashDedupFilter read
it with our .remove, .clusters and .sizes; what comes out must be what its JsonlReader finds in kept/, in that order. `dolma mix` reads it with our attributes; what comes
out must be the rows of kept/. The corpus of datatrove has broken and blank lines, a byte order mark, NaN and half a surrogate pair too; at these and at
rows without a text dolma's mixer stops, with attributes and without, and that is checked.

Needs Python 3.11 or newer and PyPI. Exit code: 0, or 1 where something differs.
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
import tempfile
from pathlib import Path

from dedup import ROOT, python_of

FILES = ("a.jsonl.gz", "a-b.jsonl.zst", "a/c.jsonl.gz", "a/d.jsonl", "empty.jsonl", "z.jsonl.zst")
DOCUMENT_BYTES_MAX = 4_000
EXCLUDED = "$.attributes[?(@.copytrace__duplicate && @.copytrace__duplicate[0] && @.copytrace__duplicate[0][2] >= 1.0)]"


def texts(draw: random.Random) -> list[str]:
    """Originals, near and exact copies, in no order."""
    alphabets = ["abcdefgh", "àéîõüßøå", "бвгджзик", "αβγδεζηθ", "कखगघचछजझ", "天地玄黄宇宙洪荒", "𝒶𝒷𝒸😀😁😂🤣🙂"]
    made = []
    for number in range(140):
        letters = alphabets[number % len(alphabets)]
        words = ["".join(draw.choices(letters, k=draw.randint(3, 6))) for _ in range(draw.randint(30, 90))]
        for copy in range(draw.choice((1, 1, 2, 4))):
            made.append(" ".join(words + ["".join(draw.choices(letters, k=5))] * (copy % 2)))
    draw.shuffle(made)
    return made


def write_corpus(folder: Path, has_broken_lines: bool) -> None:
    draw = random.Random(5)
    rows = [json.dumps({"id": f"r{number}" if number % 10 else number, "text": text, "source": "made"}, ensure_ascii=number % 3 == 0)
            for number, text in enumerate(texts(draw))]
    long = " ".join(f"w{number}" for number in range(DOCUMENT_BYTES_MAX))
    odd = [{"id": "empty", "text": ""}, {"id": "blank", "text": " \n\t"}, {"id": "no-break", "text": "\u00a0"}, {"id": "long", "text": long}, {"id": "long too", "text": long},
           {"id": "short", "text": "é"}, {"id": "short too", "text": "é"}, {"text": "a row without an id is a row, too, and so is its copy"},
           {"id": "none"}, {"id": "null", "text": None}]
    broken = ["", "{\"id\": \"cut\", \"text\": \"", "not JSON", "  ", "{\"id\": \"nan\", \"text\": \"not a number\", \"n\": NaN}",
              "{\"id\": \"half\", \"text\": \"half of a pair\", \"title\": \"\\ud83d\"}"]
    for name in FILES:
        lines = []
        if name != "empty.jsonl":
            lines = draw.sample(rows, 60) + [json.dumps(row) for row in odd if has_broken_lines or isinstance(row.get("text"), str)]
            lines += broken if has_broken_lines else []
            draw.shuffle(lines)
        data = "".join(line + "\n" for line in lines).encode()
        if has_broken_lines and lines and "a" in name:
            data = b"\xef\xbb\xbf" + data
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".gz"):
            data = gzip.compress(data)
        path.write_bytes(compress_zstd(data) if name.endswith(".zst") else data)


def compress_zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def read_lines(path: Path) -> list[str]:
    import zstandard

    data = path.read_bytes()
    if path.name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    elif path.name.endswith(".gz"):
        data = gzip.decompress(data)
    return data.decode().splitlines()


def run(command: list, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), **{"check": True, "stdout": subprocess.DEVNULL} | options)


def fail(problem: str) -> None:
    print(f"error: {problem}", file=sys.stderr)
    sys.exit(1)


def datatrove_in_its_environment(documents: Path, clean: Path) -> None:
    """Prints, as JSON, what the filter lets through and what the reader finds in kept/, and the clusters."""
    from datatrove.pipeline.dedup import MinhashDedupFilter
    from datatrove.pipeline.readers import JsonlReader

    def read(folder: Path, rank: int):
        return JsonlReader(str(folder), glob_pattern="**/*.jsonl*").run(None, rank, len(FILES))

    def fields(document) -> list:
        return [document.id if "/" not in str(document.id) else None, document.text]

    through, kept, clusters, n_read = [], [], [], 0
    for rank in range(len(FILES)):
        remove = MinhashDedupFilter(str(clean / "datatrove"), load_cluster_ids=True, load_cluster_sizes=True)
        documents_of = list(read(documents, rank))
        n_read += len(documents_of)
        for document in remove.run(iter(documents_of), rank, len(FILES)):
            through.append([rank, *fields(document)])
            clusters.append([document.metadata["minhash_cluster_id"], document.metadata["minhash_cluster_size"]])
        kept += [[rank, *fields(document)] for document in read(clean / "kept", rank)]
    json.dump({"read": n_read, "through": through, "kept": kept, "clusters": clusters}, sys.stdout)


def check_datatrove(python: Path, work: Path) -> str:
    answer = run([python, __file__, "--inside", work / "documents", work / "clean"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = json.loads(answer.stdout)
    n_removed = found["read"] - len(found["through"])
    if found["through"] != found["kept"]:
        differing = next(([row[:2] for row in pair] for pair in zip(found["through"], found["kept"]) if pair[0] != pair[1]), "their number")
        fail(f"datatrove keeps other rows than kept/ has, first (file, id) {differing}")
    of_clusters = [(cluster, size) for cluster, size in found["clusters"] if cluster != -1]
    if len({cluster for cluster, _ in of_clusters}) != len(of_clusters) or any(size < 2 for _, size in of_clusters):
        fail("a cluster has two kept rows or one row in all")
    if sum(size - 1 for _, size in of_clusters) < n_removed or not n_removed:
        fail("sizes of clusters do not account for the removed rows")
    return f"{found['read']} documents, {n_removed} removed, {len(of_clusters)} clusters"


def mix(python: Path, work: Path, attributes: list[str], shown: bool = True) -> list[str] | None:
    """Runs `dolma mix`; returns the lines that come out, or None where it stops."""
    shutil.rmtree(work / "mixed", ignore_errors=True)
    stream = {"name": "mixed", "documents": [str(work / "documents" / name) for name in FILES if name != "empty.jsonl"], "attributes": attributes,
              "output": {"path": str(work / "mixed"), "max_size_in_bytes": 1 << 30}, "filter": {"exclude": [EXCLUDED], "include": []}}
    config = work / "mix.json"
    config.write_text(json.dumps({"streams": [stream], "processes": 1, "shuffle": True}))
    # Shuffled, all rows come in one file.
    done = run([python.with_name("dolma"), "-c", config, "mix"], stderr=subprocess.PIPE, check=False)
    outputs = sorted((work / "mixed").glob("*.json.gz")) if (work / "mixed").exists() else []
    if done.returncode or not outputs:
        if shown:
            print(done.stderr.decode(errors="replace")[-2_000:], file=sys.stderr)
        return None
    return [line for path in outputs for line in read_lines(path)]


def check_dolma(python: Path, work: Path) -> str:
    (work / "attributes").symlink_to(work / "clean" / "attributes")
    mixed = mix(python, work, ["copytrace"])
    if mixed is None:
        fail("`dolma mix` stops")

    def key(line: str) -> tuple:
        row = json.loads(line)
        return str(row.get("id")), row["text"]

    rows, n_rows = [key(line) for line in mixed], sum(len(read_lines(work / "documents" / name)) for name in FILES)
    kept = collections.Counter(key(line) for name in FILES for line in read_lines(work / "clean" / "kept" / name))
    if collections.Counter(rows) != kept:
        missing, more = kept - collections.Counter(rows), collections.Counter(rows) - kept
        fail(f"dolma keeps other rows than kept/ has: {len(missing)} less, {len(more)} more, of them {[id for id, _ in [*missing, *more][:3]]}")
    if len(rows) == n_rows:
        fail("nothing was removed")
    return f"{n_rows} rows, {n_rows - len(rows)} removed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "target" / "release" / "copytrace", help="the program")
    parser.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "copytrace-peers", help="folder of virtual environments")
    parser.add_argument("--inside", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        datatrove_in_its_environment(*options.inside)
        return
    env = options.env.resolve()
    env.mkdir(parents=True, exist_ok=True)
    python = python_of("base", env)
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        os.execv(python, [str(python), __file__, *sys.argv[1:]])

    with tempfile.TemporaryDirectory(prefix="copytrace-emit-") as folder:
        for peer, check, has_broken_lines in (("datatrove", check_datatrove, True), ("dolma", check_dolma, False)):
            work, peer_python = Path(folder) / peer, python_of(peer, env)
            write_corpus(work / "documents", has_broken_lines)
            run([options.bin.resolve(), "--quiet", "dedup", work / "documents", "--out", work / "clean", "--emit", "datatrove,dolma",
                 "--document-bytes-max", DOCUMENT_BYTES_MAX])
            print(f"{peer}: as kept/: {check(peer_python, work)}", flush=True)
        work = Path(folder) / "broken"
        write_corpus(work / "documents", has_broken_lines=True)
        if mix(peer_python, work, [], shown=False) is not None:
            fail("`dolma mix` does not stop at a broken line any more: let its corpus have them")
        print("dolma: stops at broken lines, without attributes too")


if __name__ == "__main__":
    main()
