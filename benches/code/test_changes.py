"""Tests of changes.py and of the functions that corpora.py finds: python3 -m unittest discover -s benches/code

The material is what every checkout has: the standard library of Python and the Rust files of this repository.
"""

import ast
import random
import sysconfig
import unittest
from pathlib import Path

import changes
import corpora

ROOT = Path(__file__).resolve().parents[2]
PYTHON_MODULES = ("argparse", "textwrap", "tarfile", "inspect", "csv", "difflib", "zipfile", "configparser", "shutil", "pathlib")
NAME_CHANGES = ("rename_some", "rename_all", "rename_all_literals", "cut_renamed")
# What no longer has to parse: halves, and disguises whose point is that it does not.
UNPARSED = ("cut", "cut_renamed", "zero_width", "full_width_digits", "prompts", "diff", "fenced")


def python_documents():
    folder = Path(sysconfig.get_paths()["stdlib"])
    for name in PYTHON_MODULES:
        file = folder / f"{name}.py"
        if file.exists():
            yield corpora.Document(name, file.read_text(encoding="utf-8"), "python", name, f"{name}.py")


def rust_documents():
    for file in sorted([*ROOT.glob("src/**/*.rs"), *ROOT.glob("indexer/src/**/*.rs")])[:60]:
        yield corpora.Document(str(file), file.read_text(encoding="utf-8"), "rust", "copytrace", str(file))


MATERIAL = [(function, corpora.context_of(document)) for documents in (python_documents(), rust_documents())
            for document in documents for function in corpora.functions_of(document)]


def code_words(text, lang):
    return [token.text for token in changes.code_tokens(text, lang)]


class Tokens(unittest.TestCase):
    def check(self, lang, text, expected):
        self.assertEqual([(token.kind, token.text) for token in changes.tokenize(text, lang)], expected)

    def test_python_strings(self):
        self.check("python", "rb'\\'' '''a\n'b'''", [("string", "rb'\\''"), ("string", "'''a\n'b'''")])
        self.check("python", 'f"a{x!r:>{w}}}}" # c', [
            ("fopen", 'f"'), ("ftext", "a"), ("fmark", "{"), ("name", "x"), ("fmark", "!r"), ("fmark", ":"), ("fmark", ">"), ("fmark", "{"),
            ("name", "w"), ("fmark", "}"), ("fmark", "}"), ("ftext", "}}"), ("fclose", '"'), ("comment", "# c")])
        self.check("python", "f'{d[\"a\":1] != b}'", [
            ("fopen", "f'"), ("fmark", "{"), ("name", "d"), ("op", "["), ("string", '"a"'), ("op", ":"), ("number", "1"), ("op", "]"), ("op", "!="),
            ("name", "b"), ("fmark", "}"), ("fclose", "'")])

    def test_python_open_string_is_an_operator(self):
        self.check("python", "x = 'a", [("name", "x"), ("op", "="), ("op", "'"), ("name", "a")])
        self.check("python", "f'{a", [("op", "f'"), ("op", "{"), ("name", "a")])

    def test_open_string_of_several_lines_is_one_token(self):
        self.check("python", 'x = """a b\nc d', [("name", "x"), ("op", "="), ("string", '"""a b\nc d')])
        self.check("rust", 'f("a b\nc', [("name", "f"), ("op", "("), ("string", '"a b\nc')])

    def test_words_of_a_cut_docstring_are_no_tokens(self):
        text = 'def f():\n    """' + "\n    ".join(["many words in each line of it"] * 30) + '"""\n' + "    x = 1\n" * 10
        self.assertIsNone(changes.change("cut", text, "python", random.Random(1)))

    def test_rust_quotes(self):
        self.check("rust", "'a' 'a b'\\'' '\\u{1F600}' 'static", [
            ("char", "'a'"), ("lifetime", "'a"), ("char", "b'\\''"), ("char", "'\\u{1F600}'"), ("lifetime", "'static")])
        self.check("rust", 'r#"a"b"# br"c" "d\\"e"', [("string", 'r#"a"b"#'), ("string", 'br"c"'), ("string", '"d\\"e"')])

    def test_rust_comments_and_numbers(self):
        self.check("rust", "/* a /* b */ c */ 1..2 // d", [
            ("comment", "/* a /* b */ c */"), ("number", "1"), ("op", ".."), ("number", "2"), ("comment", "// d")])
        self.check("rust", "1.5f32 0xffu8 r#type x.0.max(1)", [
            ("number", "1.5f32"), ("number", "0xffu8"), ("name", "r#type"), ("name", "x"), ("op", "."), ("number", "0"), ("op", "."), ("name", "max"),
            ("op", "("), ("number", "1"), ("op", ")")])

    def test_between_tokens_is_only_layout(self):
        for function, _ in MATERIAL:
            at = 0
            for token in changes.tokenize(function.text, function.lang):
                self.assertEqual(function.text[token.start:token.end], token.text)
                self.assertFalse(function.text[at:token.start].replace("\\\n", "").strip())
                at = token.end
            self.assertFalse(function.text[at:].strip())

    def test_byte_spans(self):
        self.assertEqual(changes.byte_span("äb€c", 1, 3), (2, 6))


class Functions(unittest.TestCase):
    def test_material_is_there(self):
        for lang, n_min in (("python", 300), ("rust", 100)):
            self.assertGreater(sum(function.lang == lang for function, _ in MATERIAL), n_min)

    def test_each_stands_for_itself(self):
        for function, _ in MATERIAL:
            if function.lang == "python":
                self.assertEqual(len(ast.parse(function.text).body), 1)
            else:
                self.assertTrue(changes.is_balanced(function.text, "rust"), function.text)

    def test_rust_signatures(self):
        text = "trait A {\n    fn a();\n    pub(crate) async fn b<const N: usize>(x: [u8; 3]) -> u8 where u8: B {\n        '{'\n    }\n}\n"
        found = list(corpora.functions_of(corpora.Document("d", text, "rust", "p", "d.rs")))
        self.assertEqual([f.text for f in found], ["pub(crate) async fn b<const N: usize>(x: [u8; 3]) -> u8 where u8: B {\n    '{'\n}"])


class Changes(unittest.TestCase):
    def made(self):
        """Every change of every function that it fits."""
        for number, (function, context) in enumerate(MATERIAL):
            for name in changes.CHANGES:
                changed = changes.change(name, function.text, function.lang, random.Random(number), context)
                if changed is not None:
                    yield name, function, changed

    def test_all(self):
        n_made = {}
        for name, function, changed in self.made():
            n_made[name, function.lang] = n_made.get((name, function.lang), 0) + 1
            with self.subTest(change=name, function=function.path, text=function.text, changed=changed.text):
                if name not in UNPARSED:
                    self.still_parses(function, changed)
                if changed.renames is not None:
                    self.map_fits(name, function, changed)
        for name in changes.CHANGES:
            for lang in corpora.LANGUAGES:
                if (name, lang) != ("prompts", "rust"):
                    self.assertGreaterEqual(n_made.get((name, lang), 0), 10, f"{name} in {lang}")

    def still_parses(self, function, changed):
        if function.lang == "python":
            ast.parse(changed.text)
        else:
            self.assertTrue(changes.is_balanced(changed.text, "rust"))

    def map_fits(self, name, function, changed):
        renames = changed.renames
        self.assertEqual(len(set(renames.values())), len(renames))
        before, after = (set(code_words(text, function.lang)) for text in (function.text, changed.text))
        self.assertFalse(set(renames.values()) & before)
        self.assertLessEqual(set(renames), before)
        self.assertLessEqual(set(renames.values()), after)
        if name in ("rename_some", "rename_all"):
            old = [renames.get(token.text, token.text) for token in changes.tokenize(function.text, function.lang) if token.kind == "name"]
            new = [token.text for token in changes.tokenize(changed.text, function.lang) if token.kind == "name"]
            if function.lang == "python":
                self.assertEqual(old, new)
            else:
                # Names in attributes and of macros stay although the same spelling elsewhere may have changed.
                self.assertEqual(len(old), len(new))

    def one(self, name, text, lang, imported=()):
        return changes.change(name, text, lang, random.Random(7), changes.Context(frozenset(imported)))

    def test_rename_some_keeps_the_library(self):
        made = self.one("rename_some", "def f(a):\n    self.b.append(len(a))\n    return np.sum(a, axis=g(a).h)\n", "python", ["np"])
        self.assertEqual(set(made.renames), {"f", "a", "b", "axis", "g", "h"})
        made = self.one("rename_some", "fn f(a: Vec<u8>) -> T { self.b.push(a.len()); Vec::with_capacity(g(a).h); io::stdin() }", "rust", ["io"])
        self.assertEqual(set(made.renames), {"f", "a", "T", "b", "g", "h"})

    def test_rename_all_keeps_keywords_macros_and_captures(self):
        made = self.one("rename_all", 'fn f<\'a>(x: &\'a str) { #[cfg(test)] println!("{x} {{x}} {}", x.len()); }', "rust")
        self.assertEqual(set(made.renames), {"f", "x", "len"})
        new = made.renames["x"]
        self.assertIn(f'#[cfg(test)] println!("{{{new}}} {{{{x}}}} {{}}", {new}.', made.text)

    def test_literals_are_all_other(self):
        made = self.one("rename_all_literals", 'def f():\n    """Doc."""\n    return "a\\n{b}", "", 0x1F, 12, b"c"  # d\n', "python")
        words = code_words(made.text, "python")
        self.assertFalse({'""', "0x1F", "12", 'b"c"'} & set(words))
        self.assertNotIn("Doc", made.text)
        self.assertNotIn("#", made.text)
        self.assertIn("\\n{b}", made.text)

    def test_literals_of_rust_functions_are_all_other(self):
        made = self.one("rename_all_literals", "fn f() { g(1u8, 'a', \"b {}\", x.0) } // c", "rust")
        self.assertFalse({"1u8", "'a'", '"b {}"'} & set(code_words(made.text, "rust")))
        self.assertIn(".0)", made.text)

    def test_dependent_statements_stay(self):
        self.assertIsNone(self.one("reorder", "def f(a):\n    b = a\n    c = b\n    d = c\n    e = g()\n    return e\n", "python"))
        self.assertIsNone(self.one("reorder", "fn f() {\n    let a = it.next();\n    let b = it.next();\n    let c = it;\n    drop(c);\n}", "rust"))
        self.assertIsNone(self.one("reorder", "def f(a):\n    a.g()\n    b = a\n    c(b)\n    d(b)\n", "python"))

    def test_independent_statements_move(self):
        made = self.one("reorder", "def f(a):\n    b = a\n    c = 1\n    self.d = b\n    self.e = c\n", "python")
        self.assertEqual((made.text.split("\n")[1:5], made.swaps), (["    c = 1", "    b = a", "    self.e = c", "    self.d = b"], 2))
        made = self.one("reorder", "fn f() {\n    let a = 1;\n    let b: u8 = 2;\n    x.c = g(a);\n    x.d = b;\n}", "rust")
        self.assertEqual(made.text.split("\n")[1:5], ["    let b: u8 = 2;", "    let a = 1;", "    x.d = b;", "    x.c = g(a);"])

    def test_other_clothes(self):
        text = "def f(value):\n    return value + 10\n"
        self.assertEqual(self.one("tabs", text, "python").text, "def f(value):\n\treturn value + 10\n")
        self.assertEqual(self.one("crlf", text, "python").text.count("\r\n"), 2)
        self.assertEqual(self.one("prompts", text, "python").text, ">>> def f(value):\n...     return value + 10")
        self.assertEqual(self.one("diff", text, "python").text, "+def f(value):\n+    return value + 10")
        self.assertIn("```python\ndef f(value):", self.one("fenced", text, "python").text)
        self.assertIn("\uff11\uff10", self.one("full_width_digits", text, "python").text)


if __name__ == "__main__":
    unittest.main()
