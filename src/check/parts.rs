//! Which parts of a text are code, and in which language: fenced blocks, or the text as a whole.
//!
//! A generated answer is often prose with code between fences (CommonMark, section 4.5). Each fenced block is a part of its own; its language
//! is that of its label, or else found out from its content. A text without fences is one part, or none where it is prose.

use std::ops::Range;

use copytrace_indexer::language::Language;
use copytrace_indexer::language::detect::detect;

/// Parts that are looked at: far more than an answer has blocks. What lies behind is compared as prose.
const PARTS_MAX: usize = 64;
/// Marks in a row that open a fence, at least.
const FENCE_MARKS_MIN: usize = 3;
/// Blanks before a fence, at most; more make an indented block.
const INDENT_MAX: usize = 3;

/// A stretch of a text that is code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) language: Language,
    /// Bytes of the text.
    pub(super) bytes: Range<usize>,
}

/// Code parts of a text, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    /// Whether there were more than are looked at.
    pub(super) is_capped: bool,
}

/// Finds the parts of a text that are code. `language` is what the caller says; none to find out.
///
/// Cost: O(bytes of the text).
pub(super) fn find_code(text: &str, language: Option<Language>) -> Parts {
    if language == Some(Language::Text) {
        return Parts::default();
    }
    let mut parts = Vec::new();
    let mut outside = String::new();
    let mut gaps = Vec::new();
    let mut at = 0;
    for block in fenced_blocks(text) {
        gaps.push(at..block.fence_start);
        at = block.content.end;
        let found = match block.label {
            "" => language.unwrap_or_else(|| detect(&text[block.content.clone()]).language),
            label => {
                let found = Language::of_label(label).or(language);
                found.unwrap_or_else(|| detect(&text[block.content.clone()]).language)
            }
        };
        if found.is_code() && !block.content.is_empty() {
            parts.push(Part { language: found, bytes: block.content });
        }
    }
    gaps.push(at..text.len());
    for gap in gaps {
        outside.push_str(&text[gap]);
    }
    // Fences in the comments of a file of code are part of it, and so is code that only ends with one.
    let around = language.filter(|_| parts.is_empty()).unwrap_or_else(|| detect(&outside).language);
    if around.is_code() && !text.is_empty() {
        parts = vec![Part { language: language.unwrap_or(around), bytes: 0..text.len() }];
    }
    let is_capped = parts.len() > PARTS_MAX;
    parts.truncate(PARTS_MAX);
    Parts { parts, is_capped }
}

/// Cuts a text at its fences, and leaves nothing out: each fenced block in the language of its label, the rest in `language`. A text that is code
/// as a whole is one part.
///
/// Cost: O(bytes of the text).
pub(super) fn cut_at_fences(text: &str, language: Language) -> Vec<Part> {
    let is_code = |part: &Part| part.bytes == (0..text.len());
    if find_code(text, None).parts.iter().any(is_code) {
        return vec![Part { language, bytes: 0..text.len() }];
    }
    let mut parts = Vec::new();
    let mut at = 0;
    for block in fenced_blocks(text) {
        parts.push(Part { language, bytes: at..block.fence_start });
        at = block.content.end;
        let labelled = Language::of_label(block.label).filter(|found| found.is_code());
        parts.push(Part { language: labelled.unwrap_or(language), bytes: block.content });
    }
    parts.push(Part { language, bytes: at..text.len() });
    parts.retain(|part| !part.bytes.is_empty());
    parts
}

/// A fenced block: the first word behind the opening fence, and the bytes between the fences.
struct Block<'a> {
    /// First byte of the line of the opening fence.
    fence_start: usize,
    label: &'a str,
    content: Range<usize>,
}

/// An opening fence: its mark and how many of them.
struct Fence {
    mark: u8,
    n_marks: usize,
}

fn fenced_blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let line = line_at(text, at);
            let fence_start = at;
            at += line.len();
            let Some((fence, label)) = opening(line) else { continue };
            let start = at;
            let mut end = text.len();
            while at < text.len() {
                let line = line_at(text, at);
                let before = at;
                at += line.len();
                if closes(line, &fence) {
                    end = before;
                    break;
                }
            }
            return Some(Block { fence_start, label, content: start..end });
        }
        None
    })
}

fn line_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find('\n').map_or(rest.len(), |end| end + 1)]
}

fn fence_of(line: &str) -> Option<(Fence, &str)> {
    let rest = line.trim_start_matches(' ');
    let mark = *rest.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let n_marks = rest.bytes().take_while(|&byte| byte == mark).count();
    let is_fence = n_marks >= FENCE_MARKS_MIN && line.len() - rest.len() <= INDENT_MAX;
    is_fence.then(|| (Fence { mark, n_marks }, rest[n_marks..].trim()))
}

fn opening(line: &str) -> Option<(Fence, &str)> {
    let (fence, info) = fence_of(line)?;
    // Marks in the info string make it inline code: ```x```.
    if fence.mark == b'`' && info.contains('`') {
        return None;
    }
    let label = info.split(|c: char| c.is_whitespace() || matches!(c, ',' | '{' | '}')).find(|word| !word.is_empty());
    Some((fence, label.unwrap_or("").trim_start_matches('.')))
}

fn closes(line: &str, opened: &Fence) -> bool {
    fence_of(line)
        .is_some_and(|(fence, info)| fence.mark == opened.mark && fence.n_marks >= opened.n_marks && info.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &str = "def area(shape):\n    if shape.kind == 'circle':\n        return 3.14 * shape.radius ** 2\n    return shape.width * shape.height\n";

    fn check(text: &str, language: Option<Language>, expected: &[(Language, &str)]) {
        let found = find_code(text, language);
        let found: Vec<(Language, &str)> =
            found.parts.iter().map(|part| (part.language, &text[part.bytes.clone()])).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn fenced_blocks_are_parts() {
        let python = Language::Python;
        check(&format!("Here it is:\n\n```python\n{PYTHON}```\nDone."), None, &[(python, PYTHON)]);
        check(
            &format!("Here it is:\n\n~~~~ py\n{PYTHON}~~~\n~~~~\nDone."),
            None,
            &[(python, &format!("{PYTHON}~~~\n"))],
        );
        check(&format!("```\n{PYTHON}```\n"), None, &[(python, PYTHON)]);
        check(&format!("```python\n{PYTHON}"), None, &[(python, PYTHON)]);
        check(&format!("  ```{{.python .numbered}}\n{PYTHON}  ```"), None, &[(python, PYTHON)]);
        check(
            "a\n```rust\nfn f() {}\n```\nb\n```go\nfunc f() {}\n```",
            None,
            &[(Language::Rust, "fn f() {}\n"), (Language::Go, "func f() {}\n")],
        );
    }

    #[test]
    fn a_text_without_fences_is_one_part_or_none() {
        check(PYTHON, None, &[(Language::Python, PYTHON)]);
        check(PYTHON, Some(Language::Rust), &[(Language::Rust, PYTHON)]);
        check(PYTHON, Some(Language::Text), &[]);
        check("The quick brown fox jumps over the lazy dog, as it does every day.", None, &[]);
        check("", Some(Language::Python), &[]);
    }

    #[test]
    fn a_text_cut_at_its_fences_is_all_there() {
        let text = format!("Why?\n```js\nf();\n```\nAnd this one?\n~~~\n{PYTHON}~~~\n```who knows\nx\n");
        let parts = cut_at_fences(&text, Language::Python);
        let found: Vec<(Language, &str)> =
            parts.iter().map(|part| (part.language, &text[part.bytes.clone()])).collect();
        let python = Language::Python;
        let expected = [
            (python, "Why?\n"),
            (Language::JavaScript, "f();\n"),
            (python, "```\nAnd this one?\n"),
            (python, PYTHON),
            (python, "~~~\n"),
            (python, "x\n"),
        ];
        assert_eq!(found, expected);
        let code = format!("\"\"\"Shapes.\n\n```\nx = 1\n```\n\"\"\"\n{PYTHON}");
        assert_eq!(cut_at_fences(&code, Language::Rust), [Part { language: Language::Rust, bytes: 0..code.len() }]);
    }

    #[test]
    fn a_fence_beside_code_hides_none_of_it() {
        for text in [
            format!("{PYTHON}```\nThis computes the area of a shape, as you asked me to do.\n"),
            format!("{PYTHON}\n```text\nhello\n```\n"),
            format!("\"\"\"Shapes.\n\n```python\nx = 1\n```\n\"\"\"\n{PYTHON}"),
        ] {
            check(&text, Some(Language::Python), &[(Language::Python, &text)]);
        }
        let unknown = format!("Here it is:\n\n```area.py\n{PYTHON}```\n");
        check(&unknown, None, &[(Language::Python, PYTHON)]);
    }

    #[test]
    fn what_looks_like_a_fence_is_none() {
        for text in ["```python```", "    ```python\nx\n    ```", "``\nx\n``", "```bash\nls\n```", "```python\n```"] {
            check(text, None, &[]);
        }
    }
}
