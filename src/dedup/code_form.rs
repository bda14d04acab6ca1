//! What a file of code is when the names it chose are taken away: equal for files that a consistent renaming makes equal.
//!
//! The lexemes of the file, layout and comments gone; each name that the file itself binds (a variable, a parameter, a function, a class) is the number of
//! its first occurrence. What carries meaning stays as it is spelt: keywords, literals, members, imports, and every name that is bound elsewhere, such as
//! built-in functions and types. So two tables of other numbers, or two wrappers of other functions, are two contents.
//!
//! ```text
//! def area(w, h): return min(w, h)     def f(a, b):  # size
//!                                          return min(a, b)       one content; with `max` another
//! ```
//!
//! The syntax tree says what is bound, and to what: two variables of one name in two functions are two. A file that is not parsed keeps all names.
//!
//! Cost: that of the lexer and of the parser, and one look-up a name.

use std::collections::HashMap;

use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes};
use copytrace_indexer::limits::LEXED_BYTES_MAX;
use copytrace_indexer::syntax::Reading;
use xxhash_rust::xxh3::xxh3_128_with_seed;
use zerocopy::IntoBytes as _;

/// Least lexemes: smaller files are alike by chance.
const LEXEMES_MIN: usize = 50;

/// What begins and ends names that a language gives a meaning, as `__all__`.
const SPECIAL: &str = "__";

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Buffers {
    lexemes: Lexemes,
    codes: Vec<u64>,
    /// By binding and spelling: one binding may have two names.
    numbers: HashMap<(u32, u64), u64>,
    /// Start, end and binding of the names that the file binds.
    bound: Vec<(u32, u32, u32)>,
}

/// Returns the hash of a file's form; none where it is prose, too short, or too long for the lexer.
pub(super) fn form_of(
    fingerprinter: &Fingerprinter,
    text: &str,
    language: Language,
    reading: &Reading<'_>,
    seed: u64,
    buffers: &mut Buffers,
) -> Option<[u8; 16]> {
    if !language.is_code() || text.len() > LEXED_BYTES_MAX {
        return None;
    }
    let Buffers { lexemes, codes, numbers, bound } = buffers;
    fingerprinter.lexemes(text, language, lexemes);
    if lexemes.len() < LEXEMES_MIN {
        return None;
    }
    bound.clear();
    reading.for_each_bound_name(|start, end, binding| bound.push((start, end, binding)));
    bound.sort_unstable();
    codes.clear();
    numbers.clear();
    // The language: what is spelt alike in two languages is not the same.
    codes.push(language as u64);
    let spelling = |at: usize| text.get(lexemes.starts[at] as usize..lexemes.ends[at] as usize).unwrap_or("");
    let mut bound = bound.iter().peekable();
    for at in 0..lexemes.len() {
        let (start, end, hash) = (lexemes.starts[at], lexemes.ends[at], lexemes.hashes[at]);
        while bound.next_if(|name| (name.0, name.1) < (start, end)).is_some() {}
        let binding = bound.peek().filter(|name| (name.0, name.1) == (start, end)).map(|name| name.2);
        let is_special = || spelling(at).starts_with(SPECIAL) && spelling(at).ends_with(SPECIAL);
        codes.push(match binding {
            Some(binding) if lexemes.kinds[at] == LexemeKind::Name && !is_special() => {
                let next = numbers.len() as u64;
                *numbers.entry((binding, hash)).or_insert(next)
            }
            _ => hash,
        });
    }
    Some(xxh3_128_with_seed(codes.as_bytes(), seed).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::limits::PARSED_BYTES_MAX;
    use copytrace_indexer::syntax::Syntax;

    use super::*;

    fn form_in(language: Language, text: &str) -> Option<[u8; 16]> {
        let mut syntax = Syntax::new(1);
        let reading = syntax.read(text, language, PARSED_BYTES_MAX, None);
        form_of(&Fingerprinter::public(), text, language, &reading, 1, &mut Buffers::default())
    }

    fn form(text: &str) -> Option<[u8; 16]> {
        form_in(Language::Python, text)
    }

    /// A file with other names, another number and another member.
    fn file(name: &str, number: u32, member: &str) -> String {
        let line = |n: u32| format!("    {name}{n} = {name} * {number} + list_of.{member}({name}, {n})\n");
        format!(
            "import os\n\ndef {name}_of({name}, list_of):\n{}    return {name}1\n",
            (0..8).map(line).collect::<Vec<_>>().concat()
        )
    }

    #[test]
    fn names_that_a_file_chose_make_no_difference_and_all_else_does() {
        let original = form(&file("alpha", 3, "index"));
        assert!(original.is_some());
        assert_eq!(form(&file("beta", 3, "index")), original);
        assert_eq!(form(&file("beta", 3, "index").replace('\n', "   # a remark\n").replace(" * ", "*")), original);
        assert_ne!(form(&file("alpha", 4, "index")), original);
        assert_ne!(form(&file("alpha", 3, "count")), original);
        assert_ne!(form(&file("alpha", 3, "index").replace("import os", "import re")), original);
        // Two names that become one are no renaming.
        assert_ne!(form(&file("alpha", 3, "index").replace("alpha1", "alpha2")), original);
    }

    const PYTHON: &str = "import numpy as np\nfrom os.path import join, split\n\n__version__ = '1'\nLIMIT = 10\n\n\nclass Shelf:\n    size = 3\n\n    \
        def put(self, book, at=None):\n        for shelf in range(len(self.books)):\n            with open(join(book, 'x')) as page:\n                \
        self.books[shelf] = max(int(page.read()), at, LIMIT)\n        return np.zeros(LIMIT)\n\n\ndef fill(items):\n    shelf = Shelf()\n    \
        return [shelf.put(item, at=min(items)) for item in items if item is not None]\n";

    const RUST: &str = "use std::collections::BTreeMap;\n\nconst LIMIT: u32 = 3;\n\n/// Is a.\nstruct Shelf<T> { books: Vec<T> }\n\nfn fill(items: &[u32], \
        by: impl Fn(u32) -> u64) -> Shelf<u64> {\n    let mut shelf = Shelf { books: Vec::new() };\n    for &item in items.iter().filter(|&n| *n > LIMIT) {\n        \
        let found = item.min(LIMIT);\n        if let Some(book) = find(found) { shelf.books.push(by(book)); }\n    }\n    println!(\"{}\", shelf.books.len());\n    shelf\n}\n";

    const C: &str = "#include <stdlib.h>\n\nstatic int limit = 4;\n\nint fill(unsigned *items, size_t n) {\n    int sum = 0;\n    for (size_t i = 0; i < n; i++) {\n        \
        sum += abs(items[i]) % limit;\n        free(other);\n    }\n    return sum > limit ? sum : labs(sum);\n}\n";

    #[test]
    fn names_that_are_bound_elsewhere_tell_files_apart() {
        for (language, text, from, to, is_copy) in [
            (Language::Python, PYTHON, "fill", "stack", true),
            (Language::Python, PYTHON, "Shelf", "Box", true),
            (Language::Python, PYTHON, "book,", "book, ", true),
            (Language::Python, PYTHON, "page", "f", true),
            (Language::Python, PYTHON, "item ", "it ", false),
            (Language::Python, PYTHON, "LIMIT", "MOST", true),
            (Language::Python, PYTHON, "range", "reversed", false),
            (Language::Python, PYTHON, "max", "min", false),
            (Language::Python, PYTHON, "int", "float", false),
            (Language::Python, PYTHON, "open", "connect", false),
            (Language::Python, PYTHON, "join", "split", false),
            (Language::Python, PYTHON, "numpy", "cupy", false),
            (Language::Python, PYTHON, "None", "True", false),
            (Language::Python, PYTHON, "__version__", "__author__", false),
            (Language::Python, PYTHON, "at=min", "to=min", false),
            (Language::Python, PYTHON, "put", "get", false),
            (Language::Rust, RUST, "fill", "stack", true),
            (Language::Rust, RUST, "Shelf", "Box1", true),
            (Language::Rust, RUST, "LIMIT", "MOST", true),
            (Language::Rust, RUST, "found", "it", true),
            (Language::Rust, RUST, "items", "all", true),
            (Language::Rust, RUST, "u32", "u64", false),
            (Language::Rust, RUST, "Vec", "VecDeque", false),
            (Language::Rust, RUST, "Some", "Ok", false),
            (Language::Rust, RUST, "find", "get", false),
            (Language::Rust, RUST, "BTreeMap", "HashMap", false),
            (Language::Rust, RUST, "println", "eprintln", false),
            (Language::C, C, "fill", "stack", true),
            (Language::C, C, "sum", "total", true),
            (Language::C, C, "items", "all", true),
            (Language::C, C, "abs(items", "rand(items", false),
            (Language::C, C, "size_t", "uint32_t", false),
            (Language::C, C, "free", "close", false),
            (Language::C, C, "other", "another", false),
            (Language::C, C, "unsigned", "long", false),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert_eq!(form_in(language, text) == form_in(language, &changed), is_copy, "{from} -> {to}");
        }
    }

    #[test]
    fn a_name_of_two_functions_is_two_names() {
        let body = |name: &str| {
            let line = format!("print({name}, {name}0)\n    ");
            format!("{name} = read({name}0)\n    {}return {name} + 1", line.repeat(3))
        };
        let text = |one: &str, other: &str| {
            let [one_body, other_body] = [one, other].map(body);
            format!("def f({one}0):\n    {one_body}\n\ndef g({other}0):\n    {other_body}\n")
        };
        assert_eq!(form(&text("a", "a")), form(&text("a", "b")));
        assert!(form(&text("a", "a")).is_some());
    }

    #[test]
    fn prose_and_small_files_have_none() {
        assert_eq!(form("x = 1\n"), None);
        assert_eq!(form_in(Language::Text, &"word ".repeat(100)), None);
    }
}
