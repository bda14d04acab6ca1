//! Which bytes go with a definition, and whether it can go at all without breaking what is around it.
//!
//! ```text
//! x = 1
//!                                    a blank line ends what belongs to the definition
//! # says what f is for               goes: comments and attributes right above
//! def f(a):                          goes
//!     return a                       goes
//!                                    goes: one blank line
//! y = 2
//! ```
//!
//! The tree says where a definition is; what is above it and beside it is told by lines. A definition that is part of an expression stays.

use std::ops::Range;

use copytrace_indexer::language::Language;

/// Most lines of one comment or attribute above a definition.
const COMMENT_LINES_MAX: usize = 256;
/// Columns of a tab stop.
const TAB_COLUMNS: usize = 8;

/// What is around a definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Surroundings {
    /// The bytes that go with it; none where it must stay.
    pub(super) cut: Option<Range<usize>>,
    /// Attributes above it: they are part of what it means.
    pub(super) attributes: Range<usize>,
    /// Of Python: one past the last byte of the statement before.
    pub(super) end_before: usize,
    /// Of Python: whether it begins the block that it is in.
    pub(super) is_first: bool,
    /// Of Python: whether it ends that block.
    pub(super) is_last: bool,
}

/// Looks around the definition that stands at `unit` in a text.
pub(super) fn surroundings_of(text: &str, language: Language, unit: Range<usize>) -> Surroundings {
    let first_line = line_start(text, unit.start);
    let line = &text[first_line..unit.start];
    let (before, indent_bytes) = (line.trim(), line.len() - line.trim_start_matches([' ', '\t']).len());
    let is_prefix = before.is_empty() || prefixes(language).contains(&before);
    let (mut end, unit_text) = (unit.end, &text[unit.clone()]);
    if language != Language::Python {
        let rest = &text[end..line_end(text, end)];
        end += if rest.trim_start().starts_with(';') { rest.len() - rest.trim_start().len() + 1 } else { 0 };
    }
    let last_line_end = line_end(text, end);
    let behind = text[end..last_line_end].trim();
    let is_alone = is_prefix && (behind.is_empty() || behind.starts_with(line_comment(language)));
    let above = Above::of(text, language, first_line, indent_bytes);
    let mut found = Surroundings { attributes: above.attributes, ..Surroundings::default() };
    let cut = if is_alone {
        above.start..with_blank_line(text, last_line_end)
    } else {
        let start = if is_prefix { first_line + indent_bytes } else { unit.start };
        start..end
    };
    if language == Language::Python {
        if is_alone {
            found.look_at_block(text, columns(&text[first_line..first_line + indent_bytes]), &cut);
            found.cut = Some(cut);
        }
    } else {
        let is_beside = is_alone
            || ((is_prefix || before.ends_with([';', '{', '}'])) && may_stand_behind(language, unit_text, behind));
        let is_statement =
            is_beside && !is_private(language, unit_text) && is_statement(text, language, &cut, is_prefix);
        found.cut = is_statement.then_some(cut);
    }
    found
}

impl Surroundings {
    /// Finds out whether other statements of its block of Python are before and behind.
    fn look_at_block(&mut self, text: &str, own_columns: usize, cut: &Range<usize>) {
        let is_code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let mut at = cut.start;
        while at > 0 {
            let start = line_start(text, at - 1);
            let line = &text[start..at - 1];
            if is_code(line) {
                self.end_before = at - 1;
                let bare = line.rsplit_once('#').map_or(line, |(bare, _)| bare);
                // A header that goes on below its first line may end deeper than its block.
                let is_header = line.trim_end().ends_with(':') || bare.trim_end().ends_with(':');
                self.is_first = own_columns > 0 && (columns(line) < own_columns || is_header);
                break;
            }
            at = start;
        }
        let next = text[cut.end..].split('\n').find(|line| is_code(line));
        self.is_last = own_columns > 0 && next.is_none_or(|line| columns(line) < own_columns);
    }
}

/// Words that may stand before a definition on its line and belong to it.
fn prefixes(language: Language) -> &'static [&'static str] {
    match language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            &["export", "export default", "declare", "export declare"]
        }
        Language::Go => &["type"],
        _ => &[],
    }
}

fn line_comment(language: Language) -> &'static str {
    if language == Language::Python { "#" } else { "//" }
}

/// What begins an attribute on a line of its own, and what ends it; of Python they are in the tree.
fn attribute_marks(language: Language) -> Option<(&'static str, char)> {
    match language {
        Language::Rust => Some(("#[", ']')),
        Language::JavaScript | Language::TypeScript | Language::Tsx => Some(("@", ')')),
        Language::Cpp => Some(("template", '>')),
        _ => None,
    }
}

/// Tells whether a definition is a member of a class without which the rest does not parse: of JavaScript one whose name begins with `#`.
fn is_private(language: Language, unit: &str) -> bool {
    let is_language = matches!(language, Language::JavaScript | Language::TypeScript | Language::Tsx);
    is_language && unit.split(['(', '{']).next().is_some_and(|head| head.contains('#'))
}

/// Tells whether what stands behind a definition on its line can stand there without it.
fn may_stand_behind(language: Language, unit: &str, behind: &str) -> bool {
    let Some(first) = behind.chars().next() else { return true };
    let is_word = first.is_alphanumeric() || matches!(first, '_' | '$');
    let is_type = language == Language::C || language == Language::Cpp;
    let is_type = is_type && ["struct", "union", "enum", "class"].iter().any(|word| unit.starts_with(word));
    matches!(first, '}' | ';') || behind.starts_with(line_comment(language)) || (is_word && !is_type)
}

/// Tells whether a definition is a statement by itself, by what stands before and behind it.
fn is_statement(text: &str, language: Language, cut: &Range<usize>, begins_line: bool) -> bool {
    let after = text[cut.end..].trim_start().chars().next();
    if matches!(after, Some(',' | ')' | ']' | '.')) {
        return false;
    }
    if !begins_line {
        return true;
    }
    let has_preprocessor = matches!(language, Language::C | Language::Cpp);
    let is_code = |line: &&str| {
        let line = line.trim();
        let is_directive = has_preprocessor && line.starts_with('#') && !line.ends_with('\\');
        !line.is_empty() && !line.starts_with(line_comment(language)) && !is_directive
    };
    let Some(line) = text[..cut.start].rsplit('\n').find(is_code) else { return true };
    let line = line.trim();
    let line = line.split("//").next().unwrap_or("").trim_end();
    match line.chars().next_back() {
        None => true,
        // The end of a comment.
        Some('/') => line.ends_with("*/"),
        Some(':') => language == Language::Cpp,
        Some(last) => {
            matches!(last, ';' | '{' | '}' | ')' | ']' | '"' | '\'' | '`' | '_' | '$') || last.is_alphanumeric()
        }
    }
}

/// What belongs to a definition and stands above its first line.
struct Above {
    start: usize,
    attributes: Range<usize>,
}

impl Above {
    fn of(text: &str, language: Language, first_line: usize, indent_bytes: usize) -> Self {
        let indent = &text[first_line..first_line + indent_bytes];
        let mut above = Self { start: first_line, attributes: first_line..first_line };
        while above.start > 0 {
            let start = line_start(text, above.start - 1);
            let line = text[start..above.start - 1].trim_end();
            let Some(bare) = line.strip_prefix(indent).filter(|bare| !bare.is_empty()) else { break };
            let is_attribute = |bare: &str| attribute_marks(language).is_some_and(|(open, _)| bare.starts_with(open));
            if is_comment_line(bare, language, start) {
                above.start = start;
            } else if is_attribute(bare) {
                (above.start, above.attributes.start) = (start, start);
            } else if bare.ends_with("*/") && language != Language::Python {
                let is_inside = |line: &str| !line.contains("/*") && !line.contains("*/");
                let Some(start) = start_of(text, start, indent, &|bare| bare.starts_with("/*"), &is_inside) else {
                    break;
                };
                above.start = start;
            } else if let Some((_, close)) = attribute_marks(language)
                && bare.ends_with(close)
            {
                let is_inside = |line: &str| !line.trim().is_empty() && !line.trim_end().ends_with([';', '}']);
                let Some(start) = start_of(text, start, indent, &is_attribute, &is_inside) else { break };
                (above.start, above.attributes.start) = (start, start);
            } else {
                break;
            }
        }
        above
    }
}

/// Tells whether a line that is not indented is a comment and nothing else, of what is below it.
fn is_comment_line(bare: &str, language: Language, start: usize) -> bool {
    if language == Language::Python {
        return bare.starts_with('#') && !(start == 0 && bare.starts_with("#!"));
    }
    let is_one_line =
        || bare.strip_prefix("/*").is_some_and(|rest| rest.find("*/").is_some_and(|at| at + 2 == rest.len()));
    // `//!` speaks of what is around it.
    (bare.starts_with("//") && !(language == Language::Rust && bare.starts_with("//!"))) || is_one_line()
}

/// Returns the start of the line above `from` that begins what ends there.
fn start_of(
    text: &str,
    from: usize,
    indent: &str,
    begins: &dyn Fn(&str) -> bool,
    is_inside: &dyn Fn(&str) -> bool,
) -> Option<usize> {
    let mut at = from;
    for _ in 0..COMMENT_LINES_MAX {
        let start = line_start(text, at.checked_sub(1)?);
        let line = &text[start..at - 1];
        if line.strip_prefix(indent).is_some_and(begins) {
            return Some(start);
        }
        if !is_inside(line) {
            return None;
        }
        at = start;
    }
    None
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Returns where the line ends that a byte is in, its newline not counted.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

/// Returns one past a line's newline, and past the line behind it if that is blank.
fn with_blank_line(text: &str, line_end_at: usize) -> usize {
    let next = (line_end_at + 1).min(text.len());
    let next_end = line_end(text, next);
    if next < text.len() && text[next..next_end].trim().is_empty() { (next_end + 1).min(text.len()) } else { next }
}

/// Returns how far a line is indented.
fn columns(line: &str) -> usize {
    let blanks = line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
    blanks.fold(0, |columns, byte| if byte == b'\t' { (columns / TAB_COLUMNS + 1) * TAB_COLUMNS } else { columns + 1 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is left of a text without the definition that is marked; none where it must stay.
    fn left(language: Language, marked: &str) -> Option<String> {
        let (start, end) = (marked.find('«')?, marked.find('»')? - '«'.len_utf8());
        let text = marked.replace(['«', '»'], "");
        let cut = surroundings_of(&text, language, start..end).cut?;
        Some([&text[..cut.start], &text[cut.end..]].concat())
    }

    #[test]
    fn comments_and_attributes_right_above_go_too_and_one_blank_line() {
        for (language, marked, expected) in [
            (
                Language::Python,
                "a = 1\n\n# one\n# two\n«def f():\n    pass»  # end\n\n\nb = 2\n",
                Some("a = 1\n\n\nb = 2\n"),
            ),
            (Language::Python, "#!/bin/sh\n# of f\n«def f():\n  é»", Some("#!/bin/sh\n")),
            (
                Language::Python,
                "class A:\n    # of a\n\n    «def f(): é»\n    # of b\n    b = 1\n",
                Some("class A:\n    # of a\n\n    # of b\n    b = 1\n"),
            ),
            (Language::Python, "  # other\n«def f(): 1»\n", Some("  # other\n")),
            (Language::Rust, "mod a;\n/// Is f.\n#[cfg(\n    test\n)]\n#[inline]\n«fn f() {\n}»\n", Some("mod a;\n")),
            (Language::Rust, "//! Is a.\n«fn f() {\n}»\nfn g() {}\n", Some("//! Is a.\nfn g() {}\n")),
            (
                Language::Java,
                "class A {\n  int a; /* a */\n  /**\n   * Is f.\n   */\n  «int f() { }»\n\n}\n",
                Some("class A {\n  int a; /* a */\n}\n"),
            ),
            (
                Language::Java,
                "class A {\n  int a; /* a\n  is */\n  «int f() { }»\n}\n",
                Some("class A {\n  int a; /* a\n  is */\n}\n"),
            ),
            (Language::Cpp, "#include <a>\ntemplate <class T>\n«T f() { }»\n", Some("#include <a>\n")),
            (Language::C, "«struct a { int b; }»;\nint c;\n", Some("int c;\n")),
            (Language::JavaScript, "export default «function f() {}»\n", Some("")),
            (Language::Go, "type «A struct {\n}»\n\nvar b int\n", Some("var b int\n")),
        ] {
            assert_eq!(left(language, marked).as_deref(), expected, "{marked}");
        }
    }

    #[test]
    fn beside_other_code_the_definition_alone_goes_and_parts_of_expressions_stay() {
        let js = Language::JavaScript;
        for (language, marked, expected) in [
            (js, "«function a(){}»function b(){}", Some("function b(){}")),
            (js, "x();«function a(){}»var c", Some("x();var c")),
            (js, "var f = «function(){}»;\n", None),
            (js, "g(«function(){}»)\n", None),
            (js, "g(\n  «function(){}»\n);\n", None),
            (js, "var f =\n  «() => {}»;\n", None),
            (js, "var o = {\n  a: 1,\n  «f() {}»\n};\n", None),
            (js, "var o = {\n  «f() {}»,\n  a: 1\n};\n", None),
            (js, "return «function(){}»\n", None),
            (js, "class A {\n  «static #f(){}»\n  g(){}\n}\n", None),
            (Language::Cpp, "#if A\ntemplate<class T>\n#else\ntemplate<class U>\n#endif\n«T f() { }»\n", None),
            (Language::Cpp, "#endif\n«T f() { }»\n", Some("#endif\n")),
            (Language::C, "typedef «struct { int a; }» b;\n", None),
            (Language::C, "«struct a { int b; }» c;\n", None),
            (Language::C, "#define A \\\n«int f() { }»\n", None),
            (Language::Python, "if a: «def f(): 1»\n", None),
        ] {
            assert_eq!(left(language, marked).as_deref(), expected, "{marked}");
        }
    }

    #[test]
    fn the_ends_of_a_block_of_python_are_seen() {
        for (marked, expected) in [
            ("class A(\n    B):\n    «def f(): 1»\n", (true, true)),
            ("class A(B,\n            C):  # is A\n    «def f(): 1»\n\nx = 1\n", (true, true)),
            ("class A:\n    # a\n\n    «def f(): 1»\n\n    # b\n    def g(): 1\n", (true, false)),
            ("class A:\n    \"\"\"Is A.\"\"\"\n    «def f(): 1»\nx = 1\n", (false, true)),
            ("\n«def f(): 1»\n", (false, false)),
        ] {
            let (start, end) = (marked.find('«').unwrap(), marked.find('»').unwrap() - '«'.len_utf8());
            let text = marked.replace(['«', '»'], "");
            let found = surroundings_of(&text, Language::Python, start..end);
            assert_eq!((found.is_first, found.is_last), expected, "{marked}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn of_any_text_what_goes_holds_the_definition_and_whole_characters(
            pieces in prop::collection::vec(prop::sample::select(&[
                "\n", "\n", "    ", "\t", "é", "#", "//", "/*", "*/", "#[", "]", "template", "@", ")", ">", ";", "{", "}", "a", "\r", "export ", "\u{a0}",
            ][..]), 0..60),
            start in any::<prop::sample::Index>(),
            end in any::<prop::sample::Index>(),
        ) {
            let text = pieces.concat() + "a";
            let (start, end) = (start.index(text.len()), end.index(text.len()));
            let (start, end) = (text.floor_char_boundary(start.min(end)), text.ceil_char_boundary(start.max(end) + 1));
            for language in Language::ALL {
                let Some(cut) = surroundings_of(&text, language, start..end).cut else { continue };
                prop_assert!(cut.start <= start && end <= cut.end && text.get(cut).is_some());
            }
        }
    }
}
