"""Corpora, their functions, word sequences and the binary: what the scripts beside this file share. Standard library only.

A corpus is JSON lines (`.jsonl`, with `.gz` or `.zst`) with `id`, `text` and `metadata`, or a folder of Python and Rust files. `.zst` is read with
the package `zstandard` where it is there, else with the command line tool `zstd`.

A function is what stands from its first line (visibility included; decorators, attributes and comments before it are not) to its last, with the
indentation of the first line taken off: in Python by the module `ast`, in Rust from `fn` to the brace that closes its body. Functions inside
functions are part of these.
"""

import ast
import dataclasses
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

from changes import Context, code_tokens, imported_names, tokenize

LANGUAGES = {"python": ".py", "rust": ".rs"}
SHINGLE_WORDS = 5
# A document with this share of a function's word sequences holds the function.
SHARE_MIN = 0.5
COLUMNS = ["--text-column", "text", "--id-column", "id", "--license-column", "metadata.license",
           "--origin-column", "metadata.package,metadata.source"]
PAGE_BYTES = 16_777_216


def fail(message):
    """Ends the script for wrong input."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


@dataclasses.dataclass(frozen=True)
class Document:
    id: str
    text: str
    lang: str
    package: str
    path: str
    license: str = ""


@dataclasses.dataclass(frozen=True)
class Function:
    """A function of a document; `text` has no indentation, the span is that of its lines in the document, in characters."""
    text: str
    lang: str
    document_id: str
    package: str
    path: str
    start: int
    end: int

    @property
    def key(self):
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------------------------------------ reading

def _open_text(path):
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8")
    if not path.endswith(".zst"):
        return open(path, encoding="utf-8")
    try:
        import zstandard
        return io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), read_across_frames=True), encoding="utf-8")
    except ImportError:
        pass
    if not shutil.which("zstd"):
        fail(f"cannot read `{path}`: install the command line tool `zstd` or the Python package `zstandard`")
    return io.TextIOWrapper(subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE).stdout, encoding="utf-8")


def read_documents(path):
    """Yields the documents of a corpus: JSON lines, or a folder of source files."""
    path = str(path)
    if os.path.isdir(path):
        yield from _read_tree(Path(path))
        return
    if not os.path.isfile(path):
        fail(f"no such file or folder: `{path}`")
    with _open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                yield _document(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                fail(f"`{path}` line {number}: expected a JSON object with `id` and `text`, got {type(error).__name__}: {error}")


def _document(row):
    facts = row.get("metadata") or {}
    path = str(facts.get("path") or row["id"])
    ending = Path(path).suffix
    lang = str(facts.get("lang") or next((lang for lang, known in LANGUAGES.items() if known == ending), ""))
    package = str(facts.get("package") or facts.get("source") or path.split("/")[0])
    return Document(str(row["id"]), row["text"], {"py": "python", "rs": "rust"}.get(lang, lang), package, path, str(facts.get("license") or ""))


def _read_tree(root):
    is_package = any((root / name).is_file() for name in ("__init__.py", "Cargo.toml"))
    for file in sorted(root.rglob("*")):
        lang = next((lang for lang, ending in LANGUAGES.items() if file.suffix == ending), None)
        if lang and file.is_file():
            try:
                text = file.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            path = str(file.relative_to(root))
            package = root.resolve().name if is_package else path.split("/")[0].removesuffix(".py")
            yield Document(path, text, lang, package, path)


# ---------------------------------------------------------------------------------------------------------------------------- functions

def functions_of(document):
    """The functions of a document, outermost ones and methods, in order; none where it does not parse."""
    find = {"python": _python_functions, "rust": _rust_functions}.get(document.lang)
    for text, start, end in find(document.text) if find else ():
        yield Function(text, document.lang, document.id, document.package, document.path, start, end)


def parse_python(text):
    """The tree of a Python text, None where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _python_functions(text):
    tree = parse_python(text)
    if tree is None or "\f" in text or "\r" in text:
        return
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first, last = node.lineno - 1, node.end_lineno
            indent = lines[first][:node.col_offset]
            if indent.strip() or len(lines[last - 1].encode()) != node.end_col_offset and lines[last - 1].encode()[node.end_col_offset:].strip():
                continue
            found = "\n".join(line.removeprefix(indent) for line in lines[first:last])
            if not indent or parse_python(found) is not None:
                yield found, starts[first], starts[last] - 1
        else:
            stack.extend(child for child in reversed(getattr(node, "body", []) + getattr(node, "orelse", []) + getattr(node, "finalbody", []))
                         if isinstance(child, ast.stmt))


RUST_MODIFIERS = frozenset("pub async unsafe const extern default crate super self in ( ) safe".split())


def _rust_functions(text):
    tokens = [token for token in tokenize(text, "rust") if token.kind != "comment"]
    at = 0
    while at + 1 < len(tokens):
        if tokens[at].text != "fn" or tokens[at + 1].kind != "name":
            at += 1
            continue
        first = at
        while first and (tokens[first - 1].text in RUST_MODIFIERS or tokens[first - 1].kind == "string"):
            first -= 1
        last = _body_end(tokens, at)
        if last is None:
            at += 1
            continue
        start, end = text.rfind("\n", 0, tokens[first].start) + 1, tokens[last].end
        indent = text[start:tokens[first].start]
        line_end = text.find("\n", end)
        rest = text[end:line_end if line_end >= 0 else len(text)]
        if not indent.strip() and not rest.strip():
            yield "\n".join(line.removeprefix(indent) for line in text[start:end].split("\n")), start, end
        at = last + 1


def _body_end(tokens, at):
    """The place of the brace that closes the body of the `fn` at a place; None where it has no body."""
    depth = 0
    for index in range(at, len(tokens)):
        word = tokens[index].text
        if tokens[index].kind != "op":
            continue
        if word == ";" and depth == 0:
            return None
        if word in "([{":
            if word == "{" and depth == 0:
                body = index
                break
            depth += 1
        elif word in ")]}":
            depth -= 1
            if depth < 0:
                return None
    else:
        return None
    for index in range(body, len(tokens)):
        if tokens[index].kind == "op" and tokens[index].text in ("{", "}"):
            depth += 1 if tokens[index].text == "{" else -1
            if depth == 0:
                return index
    return None


def context_of(document):
    return Context(imported_names(document.text, document.lang, document.package))


def n_tokens(function):
    return len(code_tokens(function.text, function.lang))


def draw_functions(documents, seed, lines_min, lines_max):
    """Yields (function, its document) in random order, one of each document in turn, no text twice."""
    draw = random.Random(seed)
    order = list(documents)
    draw.shuffle(order)
    seen, left = set(), []
    for document in order:
        fitting = [f for f in functions_of(document) if lines_min <= f.text.count("\n") + 1 <= lines_max]
        draw.shuffle(fitting)
        for rank, function in enumerate(fitting):
            if rank:
                left.append((function, document))
            elif function.text not in seen:
                seen.add(function.text)
                yield function, document
    draw.shuffle(left)
    for function, document in left:
        if function.text not in seen:
            seen.add(function.text)
            yield function, document


# ------------------------------------------------------------------------------------------------------------------------ word sequences

WORD = re.compile(r"\w+")


def shingles(text):
    """The sequences of five words of a text, words being runs of letters, digits and `_` in lower case."""
    words = WORD.findall(text.lower())
    return set(zip(*(words[at:] for at in range(SHINGLE_WORDS))))


def holders(functions, documents):
    """For each function (by key) the documents that hold it, with the share of its sequences they have, from SHARE_MIN on."""
    wanted, sizes = {}, {}
    for function in functions:
        if function.key not in sizes:
            of_function = shingles(function.text)
            sizes[function.key] = len(of_function)
            for shingle in of_function:
                wanted.setdefault(shingle, []).append(function.key)
    found = {key: {} for key in sizes}
    for document in documents:
        counts = {}
        for shingle in shingles(document.text) & wanted.keys():
            for key in wanted[shingle]:
                counts[key] = counts.get(key, 0) + 1
        for key, count in counts.items():
            if count >= SHARE_MIN * sizes[key]:
                found[key][document.id] = count / sizes[key]
    return found


# --------------------------------------------------------------------------------------------------------------------------- the binary

def find_binary(path):
    found = shutil.which(path) or (os.path.abspath(path) if os.path.isfile(path) else None)
    if not found:
        fail(f"no such program: `{path}`; build it with `cargo build --release`")
    return os.path.abspath(found)


class Binary:
    """The program that is measured, told apart from others by its content: a build by somebody else in the middle of a run would mix two programs."""

    def __init__(self, path):
        self.path = find_binary(path)
        self.hash = self._hash()

    def _hash(self):
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]

    def print_line(self):
        said = subprocess.run([self.path, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
        print(f"{said or 'copytrace'}, sha256 {self.hash}\n", flush=True)

    def must_be_unchanged(self):
        if self._hash() != self.hash:
            fail(f"`{self.path}` was built anew during the run, so the figures mix two programs; measure a copy of it")


def build_index(binary, inputs, index):
    done = subprocess.run([binary, "--quiet", "index", *map(str, inputs), "--index", str(index), *COLUMNS], stdout=subprocess.DEVNULL)
    if done.returncode:
        fail(f"`copytrace index` ended with exit code {done.returncode}")


def check_batch(binary, index, rows, work, lexical="on"):
    """Checks rows of `id`, `text` and perhaps `language`; yields the answers in the same order."""
    batch = Path(work) / "batch.jsonl"
    ids = []
    with open(batch, "w", encoding="utf-8") as out:
        for row in rows:
            ids.append(row["id"])
            out.write(json.dumps(row) + "\n")
    command = [binary, "--quiet", "check", "--index", str(index), "--batch", "--format", "json", "--lexical", lexical, str(batch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=PAGE_BYTES) as process:
        n_answers = 0
        for line in process.stdout:
            answer = json.loads(line)
            if n_answers >= len(ids) or answer.get("id") != ids[n_answers]:
                fail("`copytrace check --batch` must answer every line, in order, with its id")
            n_answers += 1
            yield answer
    if process.returncode not in (0, 1) or n_answers != len(ids):
        fail(f"`copytrace check` ended with exit code {process.returncode} after {n_answers} of {len(ids)} answers")


def action_of(answer):
    """The verdict's action without the prefix of its enum."""
    return answer.get("verdict", {}).get("action", "ACTION_UNSPECIFIED").removeprefix("ACTION_")


def kind_of(match):
    return match.get("kind", "COPY_KIND_UNSPECIFIED").removeprefix("COPY_KIND_")


def own_matches(answer):
    """The matches that are not common."""
    return [match for match in answer.get("matches", []) if not match.get("common")]
