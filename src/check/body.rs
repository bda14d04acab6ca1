//! How much of a copy of code its author had to write: neither a header, which an interface dictates, nor one more of the same.
//!
//! Getters, builders, delegations, constructors that move parameters into fields, tables and the arms of a `match` have any length as a whole, and
//! are short by this measure, in every language: the line that opens a function or a block, and rows that repeat the marks and the
//! kinds of names of earlier ones, do not count.

use std::collections::BTreeSet;
use std::ops::Range;

use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::LexemeKind;

use crate::verify::code_view::CodeView;
use crate::verify::marks::mark;

/// Lexemes from which on a body is no boilerplate: some five statements. What is more is not counted.
pub(super) const BODY_MAX: u32 = 40;
/// Lexemes of the body of boilerplate, at most, where nothing else speaks for a copy: two statements.
pub(super) const BOILERPLATE_MAX: u32 = 16;
/// Lexemes in a row that make a repetition: `self.x = x` and the next `self`.
const REPEATED_LEXEMES: usize = 6;

/// Replaces `headers` by whether each lexeme belongs to a header: of a function up to what opens its body, outside of functions a
/// line that opens a block, and the braces that close one. `marks` are those of the lexemes.
///
/// Cost: 2 ns a lexeme.
pub(super) fn find_headers(code: &CodeView<'_>, marks: &[u32], headers: &mut Vec<bool>) {
    headers.clear();
    headers.resize(marks.len(), false);
    let opens = |at: usize| {
        let opening = if code.language == Language::Python { mark::COLON } else { mark::BRACE_OPENS };
        marks[at] & opening != 0
    };
    let mut outside = 0;
    for function in code.functions {
        let (start, end) = (function.start as usize, function.end as usize);
        find_block_lines(code, marks, outside..start, opens, headers);
        outside = end;
        let mut depth = 0_u32;
        for at in start..end {
            headers[at] = true;
            if depth == 0 && opens(at) {
                break;
            }
            depth += u32::from(marks[at] & mark::OPENS != 0);
            depth = depth.saturating_sub(u32::from(marks[at] & mark::CLOSES != 0));
        }
    }
    // A piece without functions is all body: the inside of one.
    if outside > 0 {
        find_block_lines(code, marks, outside..marks.len(), opens, headers);
    }
}

fn find_block_lines(
    code: &CodeView<'_>,
    marks: &[u32],
    range: Range<usize>,
    opens: impl Fn(usize) -> bool,
    headers: &mut [bool],
) {
    let mut line_start = range.start;
    for at in range.clone() {
        let begins = |at: usize| u32::try_from(at).is_ok_and(|at| code.begins_line(at));
        if begins(at) {
            line_start = at;
        }
        if opens(at) && (at + 1 == range.end || begins(at + 1)) {
            headers[line_start..=at].fill(true);
        }
        headers[at] |= marks[at] & mark::BRACE_CLOSES != 0;
    }
}

/// Counts the lexemes in some runs that are neither headers nor repeat earlier ones of the runs, names and literals being one for
/// another; at most [`BODY_MAX`].
///
/// Cost: 50 ns a lexeme, up to where there are enough.
pub(super) fn count_body(code: &CodeView<'_>, headers: &[bool], runs: &[Range<u32>]) -> u32 {
    let body: Vec<u32> = runs.iter().flat_map(Range::clone).filter(|&at| !headers[at as usize]).collect();
    let mut seen = BTreeSet::new();
    let (mut n_new, mut repeated_until) = (0, 0);
    for at in 0..body.len() {
        if let Some(gram) = body.get(at..at + REPEATED_LEXEMES) {
            let letters = std::array::from_fn::<u64, REPEATED_LEXEMES, _>(|n| letter(code, gram[n]));
            if !seen.insert(letters) {
                repeated_until = at + REPEATED_LEXEMES;
            }
        }
        n_new += u32::from(at >= repeated_until);
        if n_new == BODY_MAX {
            break;
        }
    }
    n_new
}

/// What a lexeme is where names and literals are one for another.
fn letter(code: &CodeView<'_>, at: u32) -> u64 {
    let at = at as usize;
    match code.named.lexemes.kinds[at] {
        LexemeKind::Keyword | LexemeKind::Mark => code.named.lexemes.hashes[at],
        LexemeKind::Number => 0,
        LexemeKind::Text => 1,
        LexemeKind::Name => 2 + code.named.roles.roles[at] as u64,
    }
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::lexemes::{Lexemes, Lexer};

    use super::*;
    use crate::verify::functions::find_functions;
    use crate::verify::marks::MarkTable;
    use crate::verify::renaming::{Named, Roles};

    fn check(language: Language, text: &str, expected: u32) {
        let (mut lexemes, mut marks, mut roles) = (Lexemes::default(), Vec::new(), Roles::default());
        let lexer = Lexer::new(1);
        lexer.lexemes(text, language, &mut lexemes);
        MarkTable::new(|kind, spelling| lexer.hash_of(kind, spelling)).find(&lexemes, &mut marks);
        roles.find(&lexemes, &marks);
        let functions = find_functions(text, language, &lexemes, &marks);
        let named = Named { lexemes: &lexemes, roles: &roles };
        let code = CodeView { text, language, named, functions: &functions };
        let mut headers = Vec::new();
        find_headers(&code, &marks, &mut headers);
        let n = u32::try_from(lexemes.len()).unwrap();
        assert_eq!(count_body(&code, &headers, &[0..n / 2, n / 2..n]), expected, "{text}");
    }

    #[test]
    fn headers_do_not_count() {
        check(Language::Python, "class A(B):\n    def f(self, x: int = 3) -> Dict[int]:\n        return g(x)\n", 5);
        check(Language::Rust, "impl<T> A for B<T> {\n    fn f(&self) -> u8 {\n        self.g(1)\n    }\n}\n", 7);
        check(Language::Rust, "self.g(1)", 6);
    }

    #[test]
    fn what_repeats_counts_once() {
        let moves = "def f(self, a, b, c, d):\n    self.a = a\n    self.b = b\n    self.c = c\n    self.d = d\n";
        check(Language::Python, moves, 5);
        check(
            Language::Rust,
            "fn f(a: A) -> B {\n    match a {\n        A::X(x) => x.g(),\n        A::Y(y) => y.g(),\n        A::Z(z) => z.g(),\n    }\n}\n",
            18,
        );
    }

    #[test]
    fn what_is_written_once_counts() {
        check(
            Language::Python,
            "def f(xs):\n    n = 0\n    for x in xs:\n        if x > n:\n            n = x\n    while n % 2:\n        n = n // 2\n    return n\n",
            28,
        );
    }
}
