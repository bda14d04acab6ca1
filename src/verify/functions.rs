//! Where functions begin and end, by lexemes alone: so that it can be said how much of a function was copied.
//!
//! A stretch of fifty lexemes that is the whole of a function says more than fifty in the middle of three hundred, which are an idiom. A
//! function is found without a parse, so that cut and broken code has functions too:
//!
//! - in Python it begins with `def` and ends before the next line that is indented no deeper;
//! - elsewhere it is a block in braces behind a bracket that a name called, or a keyword for functions opened, and what stands before the
//!   bracket up to the line's first lexeme. A block that does not end, ends with the text.
//!
//! Functions inside of functions are part of the outer one. Cost: O(lexemes).

use std::ops::Range;

use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes};

use super::marks::mark;

/// Returns the outermost functions of a piece of code, as lexemes, ascending and apart from each other.
///
/// `marks` are those of the lexemes, see [`MarkTable::find`](super::marks::MarkTable::find).
pub fn find_functions(text: &str, language: Language, lexemes: &Lexemes, marks: &[u32]) -> Vec<Range<u32>> {
    let view = View { text, lexemes, marks };
    if language == Language::Python { view.find_indented() } else { view.find_braced() }
}

/// Returns how many of `within` are matched by ascending runs.
pub fn count_matched(runs: &[Range<u32>], within: &Range<u32>) -> u32 {
    let first = runs.partition_point(|run| run.end <= within.start);
    let overlaps = runs[first..].iter().take_while(|run| run.start < within.end);
    overlaps.map(|run| run.end.min(within.end) - run.start.max(within.start)).sum()
}

struct View<'a> {
    text: &'a str,
    lexemes: &'a Lexemes,
    marks: &'a [u32],
}

impl View<'_> {
    fn len(&self) -> usize {
        self.lexemes.len()
    }

    fn is(&self, at: usize, bits: u32) -> bool {
        self.marks[at] & bits != 0
    }

    /// Returns the blanks before a lexeme that is the first of its line, in bytes; none for others.
    fn indent(&self, at: usize) -> Option<usize> {
        let start = self.lexemes.starts[at] as usize;
        let floor = at.checked_sub(1).map_or(0, |before| self.lexemes.ends[before] as usize);
        let between = &self.text[floor..start];
        match between.rfind('\n') {
            Some(end) => Some(between.len() - end - 1),
            None if at == 0 => Some(between.len()),
            None => None,
        }
    }

    fn find_indented(&self) -> Vec<Range<u32>> {
        let mut functions = Vec::new();
        let mut at = 0;
        while at < self.len() {
            if !self.is(at, mark::DEF) {
                at += 1;
                continue;
            }
            // `async` may stand before it; a line before it that is one bracket is none of it.
            let mut firsts = std::iter::once(at).chain(at.checked_sub(1));
            let Some((first, indent)) = firsts.find_map(|first| Some((first, self.indent(first)?))) else {
                at += 1;
                continue;
            };
            // The header may go on over lines that are indented less: brackets.
            let mut end = at + 1;
            let mut depth = 0_i32;
            while end < self.len() {
                if depth <= 0 && end > at + 1 && self.indent(end).is_some_and(|other| other <= indent) {
                    break;
                }
                depth += i32::from(self.is(end, mark::OPENS)) - i32::from(self.is(end, mark::CLOSES));
                end += 1;
            }
            functions.push(number(first)..number(end));
            at = end;
        }
        functions
    }

    fn find_braced(&self) -> Vec<Range<u32>> {
        let mut functions = Vec::new();
        let mut at = 0;
        // The last opening bracket at the depth of the line, and whether a function's header may stand before a brace.
        let mut header: Option<usize> = None;
        let mut depth = 0_u32;
        let mut line_start = 0;
        while at < self.len() {
            if depth == 0 && header.is_none() && self.indent(at).is_some() {
                line_start = at;
            }
            if self.is(at, mark::ROUND_OPENS) {
                if depth == 0 && header.is_none() && self.opens_parameters(at) {
                    header = Some(line_start);
                }
                depth += 1;
            } else if self.is(at, mark::ROUND_CLOSES) {
                depth = depth.saturating_sub(1);
            } else if self.is(at, mark::BRACE_OPENS) && depth == 0 && header.is_some() {
                let first = header.take().unwrap_or(at);
                let end = self.closing(at);
                functions.push(number(first)..number(end));
                at = end;
                line_start = at;
                continue;
            } else if self.is(at, mark::BRACE_OPENS | mark::BRACE_CLOSES) {
                (header, depth) = (None, 0);
                line_start = at + 1;
            } else if depth == 0 && self.is(at, mark::NO_HEADER) {
                // A call, a declaration or a statement: its line goes on without a block.
                header = None;
            }
            if depth == 0 && header.is_some() && self.ends_statement(at) {
                header = None;
            }
            at += 1;
        }
        functions
    }

    /// Tells whether a round bracket may open the parameters of a function.
    fn opens_parameters(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        match self.lexemes.kinds[before] {
            LexemeKind::Name => true,
            LexemeKind::Keyword => !self.is(before, mark::CONTROL),
            LexemeKind::Mark => self.is(before, mark::ANGLE_CLOSES),
            LexemeKind::Number | LexemeKind::Text => false,
        }
    }

    /// Tells whether a statement ends behind a lexeme: `;` is no lexeme, but it is in the text.
    fn ends_statement(&self, at: usize) -> bool {
        let end = self.lexemes.ends[at] as usize;
        let next = self.lexemes.starts.get(at + 1).map_or(self.text.len(), |&start| start as usize);
        self.text[end..next].trim_start().starts_with(';')
    }

    /// Returns one past the brace that closes the one at `at`, or the end.
    fn closing(&self, at: usize) -> usize {
        let mut depth = 0_u32;
        for end in at..self.len() {
            depth += u32::from(self.is(end, mark::BRACE_OPENS));
            depth -= u32::from(self.is(end, mark::BRACE_CLOSES));
            if depth == 0 {
                return end + 1;
            }
        }
        self.len()
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::lexemes::Lexer;

    use super::super::marks::MarkTable;
    use super::*;

    fn check(language: Language, text: &str, expected: &[&str]) {
        let (mut lexemes, mut marks) = (Lexemes::default(), Vec::new());
        let lexer = Lexer::new(1);
        lexer.lexemes(text, language, &mut lexemes);
        MarkTable::new(|kind, spelling| lexer.hash_of(kind, spelling)).find(&lexemes, &mut marks);
        let found: Vec<&str> = find_functions(text, language, &lexemes, &marks)
            .into_iter()
            .map(|function| {
                let (first, last) = (function.start as usize, function.end as usize - 1);
                &text[lexemes.starts[first] as usize..lexemes.ends[last] as usize]
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn python_functions_end_where_the_indentation_does() {
        let one = "def f(a,\nb):\n    if a:\n        return b\n    return a";
        let two = "async def g():\n        def h():\n            pass\n        return h";
        check(Language::Python, &format!("x = 1\n{one}\ny = 2\nclass A:\n    {two}\n\n    z = 3\n"), &[one, two]);
        check(Language::Python, "x = f(1)\nif x:\n    g()\n", &[]);
        check(Language::Python, "def f():\n  return (1,\n2", &["def f():\n  return (1,\n2"]);
        let (three, four) = ("def f():\n    return g(\n        1\n    )", "def h():\n    return 2");
        check(Language::Python, &format!("{three}\n\n{four}\n"), &[three, four]);
    }

    #[test]
    fn braced_functions_begin_with_their_line() {
        let one = "pub fn f(a: u8) -> u8 {\n    if a > 1 { g(a) } else { 2 }\n}";
        let two = "fn g<T: Copy>(t: T) where T: Eq {\n    loop {}\n}";
        check(Language::Rust, &format!("use a::b;\nimpl A {{\n    {one}\n\n    {two}\n}}\n"), &[one, two]);
        let java = "public int size() throws E {\n  return f(1);\n}";
        check(Language::Java, &format!("class A {{\n  int x = f(2);\n  {java}\n}}"), &[java]);
        let c = "static int add(int a, int b)\n{\n  for (;;) { a++; }\n  return a;\n}";
        check(Language::C, &format!("int add(int, int);\n{c}\n"), &[c]);
        let go = "func (s *S) Len() int {\n\treturn s.n\n}";
        check(Language::Go, &format!("package a\n\n{go}\n"), &[go]);
        check(
            Language::JavaScript,
            "function f(a) {\n  return a;\n}\nif (x) { y(); }\n",
            &["function f(a) {\n  return a;\n}"],
        );
    }
}
