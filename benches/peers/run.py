#!/usr/bin/env python3
"""copytrace beside tokengrams and infini-gram: the same corpus, the same queries, one machine.

    python3 benches/peers/run.py --work DIR [--corpus FILE.jsonl.zst] [--queries 1000] [--infini-gram-queries 100]

Needs Python 3.11, cargo and PyPI; makes its own virtual environment in DIR from requirements.txt. Without --corpus it makes one of 100 MB
with `cargo bench --bench scale -- write`. A corpus is JSON lines with `id` and `text`, plain or .zst.

What is compared. The peers answer whether token sequences stand in the corpus: every window of 13 tokens of a query is looked up, one
call a window from Python (their interface). copytrace answers a whole check of the same text: candidates, alignment, spans, sources, kinds, verdict,
in one process that has the index open (`cargo bench --bench scale -- time`, one thread). Its figures are printed with and without
the look-up of rare words (`lexical`). Every engine sees all queries once before it is timed, so all is warm.

Queries have about 200 to 1,000 tokens; every second one has 60 to 300 tokens in a row of a document, between words of other documents in random
order, which no window finds; the others have only such words. A copied passage counts as found where a span is reported that overlaps its place
by at least half (intersection over union). copytrace must also name a document that holds the passage: the one it was taken from, or one with at
least half of its sequences of five words. The peers are not asked for a document; their span is the longest row of windows that stand in the
corpus. "overlap" is over the passages found, mean and tenth percentile.

Tokens are those of a byte-level BPE trained on the first 20 MB of the corpus (vocabulary 32,768, so that they fit 16 bits).
"""

import argparse
import io
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = 32_768
TRAINING_BYTES = 20_000_000
WINDOW = 13
# A document holds a passage where it has at least this share of its sequences of so many words; a span tells its place that overlaps it as much.
SHINGLE_WORDS = 5
SHARE_MIN = 0.5
# infini-gram's mark between documents, of 16-bit tokens; tokengrams has none, and a token no document has serves.
SEPARATOR = 0xFFFF


def run(command, **options):
    print("+", " ".join(map(str, command)), file=sys.stderr)
    return subprocess.run(list(map(str, command)), check=True, **options)


def timed(action):
    """Returns the result with wall and CPU seconds, those of children included."""
    def cpu():
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    wall, used = time.perf_counter(), cpu()
    result = action()
    return result, time.perf_counter() - wall, cpu() - used


def size_of(path):
    path = Path(path)
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def spread(milliseconds):
    ordered = sorted(milliseconds)
    return tuple(ordered[(len(ordered) - 1) * share // 100] for share in (50, 95, 99))


def read_rows(path):
    import zstandard

    with open(path, "rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file) if str(path).endswith(".zst") else file
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            row = json.loads(line)
            yield str(row["id"]), row["text"]


def train(rows):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)

    def texts():
        left = TRAINING_BYTES
        for _, text in rows:
            if left <= 0:
                return
            left -= len(text.encode())
            yield text

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def tokenize(rows, tokenizer, folder):
    """Writes the tokens of all documents, as each peer wants them; returns their number."""
    import numpy

    n_tokens, offsets = 0, []
    with open(folder / "tokenized.0", "wb") as marked, open(folder / "tokengrams.bin", "wb") as flat:
        for first in range(0, len(rows), 1_000):
            for encoded in tokenizer.encode_batch([text for _, text in rows[first:first + 1_000]]):
                tokens = numpy.array(encoded.ids, dtype="<u2").tobytes()
                offsets.append(2 * n_tokens)
                marked.write(SEPARATOR.to_bytes(2, "little") + tokens)
                flat.write(VOCABULARY.to_bytes(2, "little") + tokens)
                n_tokens += 1 + len(encoded.ids)
    numpy.array(offsets, dtype="<u8").tofile(folder / "offset.0")
    return n_tokens


def make_queries(rows, tokenizer, tokens_per_word, n):
    """Texts of about 200 to 1,000 tokens, every second one with 60 to 300 tokens in a row of a document; their tokens; the document."""
    draw = random.Random(1)

    def count(low, high):
        return max(1, round(draw.randint(low, high) / tokens_per_word))

    def noise(n_words):
        words = draw.choice(rows)[1].split()[:n_words]
        while len(words) < n_words:
            words += draw.choice(rows)[1].split()[:n_words - len(words)]
        draw.shuffle(words)
        return words

    queries = []
    for number in range(n):
        n_words = count(200, 1_000)
        words, source = noise(n_words), None
        if number % 2 == 0:
            n_copied = min(count(60, 300), n_words)
            copied = []
            while len(copied) < n_copied:
                source, text = draw.choice(rows)
                spans = [match.span() for match in re.finditer(r"\S+", text)]
                if len(spans) > n_copied:
                    first = draw.randrange(len(spans) - n_copied)
                    copied = [text[spans[first][0]:spans[first + n_copied - 1][1]]] * n_copied
            at = draw.randint(0, n_words - n_copied)
            words = words[:at] + copied[:1] + words[at + n_copied:]
        text = " ".join(words)
        query = {"id": f"q{number}", "text": text, "encoded": tokenizer.encode(text), "source": source}
        if source is not None:
            start = len(" ".join(words[:at])) + (at > 0)
            query |= {"passage": copied[0], "span": (start, start + len(copied[0]))}
        queries.append(query)
    return queries


def overlap(a, b):
    """Intersection over union of two spans."""
    both = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    return both / (a[1] - a[0] + b[1] - b[0] - both)


def shingles(text):
    words = text.split()
    return {tuple(words[at:at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)}


def holders(rows, queries):
    """For each query with a passage, the documents that hold it."""
    wanted = {}
    for query in queries:
        if query["source"] is not None:
            query["holders"] = {query["source"]}
            query["shingles"] = len(shingles(query["passage"]))
            for shingle in shingles(query["passage"]):
                wanted.setdefault(shingle, []).append(query)
    for name, text in rows:
        shared = {}
        for shingle in shingles(text) & wanted.keys():
            for query in wanted[shingle]:
                shared[query["id"]] = shared.get(query["id"], 0) + 1
                if shared[query["id"]] >= SHARE_MIN * query["shingles"]:
                    query["holders"].add(name)


def windows(encoded):
    return [encoded.ids[at:at + WINDOW] for at in range(len(encoded.ids) - WINDOW + 1)]


def longest_row(answers, offsets):
    """The characters of the longest row of windows that were found; an empty span where none was."""
    best, first = (0, 0), None
    for at, answer in enumerate([*answers, False]):
        if answer and first is None:
            first = at
        if not answer and first is not None:
            best, first = max(best, (first, at + WINDOW - 1), key=lambda row: row[1] - row[0]), None
    return (offsets[best[0]][0], offsets[best[1] - 1][1]) if best[1] > 0 else (0, 0)


def time_lookups(queries, contains):
    """Asks for all windows of all queries, twice; returns wall and CPU milliseconds of each, and how well each planted passage was met."""
    for query in queries:
        for window in windows(query["encoded"]):
            contains(window)
    taken, used, overlaps = [], [], []
    for query in queries:
        every = windows(query["encoded"])
        start, cpu = time.perf_counter(), time.process_time()
        answers = [contains(window) for window in every]
        used.append((time.process_time() - cpu) * 1e3)
        taken.append((time.perf_counter() - start) * 1e3)
        if query["source"] is not None:
            overlaps.append(overlap(longest_row(answers, query["encoded"].offsets), query["span"]))
    return taken, used, overlaps


def tokengrams(folder, queries):
    from tokengrams import MemmapIndex

    table = folder / "tokengrams.idx"
    build = lambda: MemmapIndex.build(str(folder / "tokengrams.bin"), str(table), vocab=VOCABULARY + 1)
    index, wall, cpu = timed(build)
    return wall, cpu, size_of(table) + size_of(folder / "tokengrams.bin"), time_lookups(queries, index.contains)


def infini_gram(folder, queries):
    from infini_gram.engine import InfiniGramEngine

    save = folder / "infini-gram"
    save.mkdir()
    for name in ("tokenized.0", "offset.0"):
        shutil.copy(folder / name, save / name)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    command = [sys.executable, "-m", "infini_gram.indexing", "--data_dir", save, "--save_dir", save, "--token_dtype", "u16",
               "--cpus", os.cpu_count(), "--mem", "4", "--ulimit", limit]
    _, wall, cpu = timed(lambda: run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    engine = InfiniGramEngine(index_dir=str(save), eos_token_id=VOCABULARY, vocab_size=SEPARATOR, token_dtype="u16")
    return wall, cpu, size_of(save), time_lookups(queries, lambda window: engine.count(input_ids=window)["count"] > 0)


def copytrace(folder, corpus, queries):
    """Builds with the command line, checks with the bench; yields a row with and one without the look-up of rare words."""
    cargo = ["cargo", "run", "--release", "--quiet", "--"]
    run(["cargo", "build", "--release", "--quiet"], cwd=ROOT)
    index, texts = folder / "copytrace", folder / "texts.jsonl"
    with open(texts, "w", encoding="utf-8") as out:
        for query in queries:
            out.write(json.dumps({"id": query["id"], "text": query["text"]}) + "\n")
    build = [*cargo, "index", corpus.resolve(), "--index", index.resolve()]
    _, wall, cpu = timed(lambda: run(build, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for lexical in (False, True):
        command = ["cargo", "bench", "--quiet", "--bench", "scale", "--", "time", "--index", index.resolve(),
                   "--queries", texts.resolve(), *(["--lexical"] if lexical else [])]
        lines = run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        answers = {answer["id"]: answer for answer in map(json.loads, lines)}
        taken = [answers[query["id"]]["wall_us"] / 1e3 for query in queries]
        used = [answers[query["id"]]["cpu_us"] / 1e3 for query in queries]
        overlaps = [best_overlap(query, answers[query["id"]]["matches"]) for query in queries if query["source"] is not None]
        yield lexical, (wall, cpu, size_of(index), (taken, used, overlaps))


def best_overlap(query, matches):
    """How well the best match with a document that holds the passage tells its place."""
    start, end = (len(query["text"][:at].encode()) for at in query["span"])
    right = (match for match in matches if match["document"] in query["holders"])
    return max((overlap((match["start"], match["end"]), (start, end)) for match in right), default=0.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for everything that is made")
    parser.add_argument("--corpus", type=Path, help="JSON lines with `id` and `text`, plain or .zst")
    parser.add_argument("--queries", type=int, default=1_000, help="texts to check, every second one with a copied passage")
    parser.add_argument("--infini-gram-queries", type=int, default=100,
                        help="how many of these infini-gram is asked, which takes a quarter of a second for each")
    options = parser.parse_args()
    work = options.work.resolve()
    corpus = options.corpus.resolve() if options.corpus else work / "corpus.jsonl.zst"

    python = work / "venv" / "bin" / "python"
    if Path(sys.prefix).resolve() != python.parent.parent.resolve():
        if not python.exists():
            venv.create(work / "venv", with_pip=True)
            run([python, "-m", "pip", "install", "--quiet", "-r", Path(__file__).with_name("requirements.txt")])
        os.execv(python, [str(python), __file__, *sys.argv[1:]])

    if not corpus.exists():
        command = ["cargo", "bench", "--quiet", "--bench", "scale", "--", "write", "--size", "100MB", "--dir", work]
        run(command, cwd=ROOT)
    folder = work / "made"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = list(read_rows(corpus))
    n_bytes = sum(len(text.encode()) for _, text in rows)
    n_words = sum(len(text.split()) for _, text in rows)
    tokenizer = train(rows)
    n_tokens = tokenize(rows, tokenizer, folder)
    queries = make_queries(rows, tokenizer, n_tokens / n_words, options.queries)
    holders(rows, queries)
    del rows
    n_planted = sum(query["source"] is not None for query in queries)

    print(f"{n_bytes / 1e6:.1f} MB of text, {n_tokens / 1e6:.1f} M tokens, {len(queries)} queries, {n_planted} with a copied passage\n")
    heads = ["build s", "CPU s", "index MB", "B/token", "p50 ms", "p95 ms", "p99 ms", "CPU p50", "CPU p99"]
    print(f"{'engine':<26} {' '.join(f'{head:>8}' for head in heads)} {'found':>10} {'overlap':>8} {'p10':>6}")

    def show(name, measured):
        wall, cpu, index_bytes, (taken, used, overlaps) = measured
        (p50, p95, p99), (cpu_p50, _, cpu_p99) = spread(taken), spread(used)
        built = f"{wall:>8.1f} {cpu:>8.1f} {index_bytes / 1e6:>8.1f} {index_bytes / n_tokens:>8.2f}"
        figures = built + "".join(f" {figure:>8.3f}" for figure in (p50, p95, p99, cpu_p50, cpu_p99))
        met = sorted(share for share in overlaps if share >= SHARE_MIN)
        fit = f"{sum(met) / len(met):>8.3f} {met[(len(met) - 1) // 10]:>6.2f}" if met else f"{'-':>8} {'-':>6}"
        print(f"{name:<26} {figures} {len(met):>5}/{len(overlaps):<4} {fit}", flush=True)

    for lexical, measured in copytrace(folder, corpus, queries):
        show(f"copytrace, lexical {'on' if lexical else 'off'}", measured)
    show("tokengrams, 13-grams", tokengrams(folder, queries))
    show("infini-gram, 13-grams", infini_gram(folder, queries[:options.infini_gram_queries]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
