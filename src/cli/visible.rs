//! Foreign text made fit for a terminal: what would steer it or hide in it becomes readable, and every piece has a known width.
//!
//! Texts and document names come from anywhere. An escape sequence in them could recolour, retitle or overwrite the screen, a
//! bidirectional override could show words in another order than they are compared in. Such characters are written as `<U+001B>`.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns between tab stops.
const TAB_COLUMNS: usize = 4;

/// Longest name or address shown, in columns; a longer one is cut in its middle.
const NAME_COLUMNS_MAX: usize = 160;

/// The smallest piece of a line that cannot be divided: a character with the marks that stand on it, or an escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    /// What is sent to the terminal.
    pub(super) text: Cow<'a, str>,
    /// How many columns it takes.
    pub(super) columns: usize,
    /// Where it begins in the line, in bytes.
    pub(super) offset: usize,
}

/// Tells whether a character would steer the terminal, change the order of what is shown, or be there unseen.
///
/// The joiners U+200C and U+200D are let through: scripts of India and Iran and composed emoji need them, and the word comparison shows
/// where they make a difference.
pub(super) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes a hidden character so that it is seen.
fn spelled_out(character: char) -> String {
    format!("<U+{:04X}>", u32::from(character))
}

/// Makes text of several lines visible, line ends kept; for messages.
pub(super) fn visible_text(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| character != '\n' && is_hidden(character)) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .fold(String::with_capacity(text.len() + 16), |mut out, character| {
            if character != '\n' && is_hidden(character) {
                out.push_str(&spelled_out(character));
            } else {
                out.push(character);
            }
            out
        })
        .into()
}

/// Makes a name or an address visible on one line, cut in its middle if it is longer than any honest one.
pub(super) fn visible_name(name: &str) -> String {
    let cells = cells(name);
    let total: usize = cells.iter().map(|cell| cell.columns).sum();
    if total <= NAME_COLUMNS_MAX {
        return cells.iter().map(|cell| &*cell.text).collect();
    }
    let half = (NAME_COLUMNS_MAX - 3) / 2;
    let mut columns = 0;
    let head: String =
        cells.iter().take_while(|cell| add(&mut columns, cell) <= half).map(|cell| &*cell.text).collect();
    columns = 0;
    let n_tail = cells.iter().rev().take_while(|cell| add(&mut columns, cell) <= half).count();
    let tail: String = cells[cells.len() - n_tail..].iter().map(|cell| &*cell.text).collect();
    format!("{head}...{tail}")
}

fn add(columns: &mut usize, cell: &Cell<'_>) -> usize {
    *columns += cell.columns;
    *columns
}

/// Cuts a line, given without its end, into cells. Tabs become spaces up to the next tab stop, everything hidden is spelled out.
///
/// Cost: one pass; memory of about 50 bytes per character.
pub(super) fn cells(line: &str) -> Vec<Cell<'_>> {
    let mut out = Vec::new();
    let mut column = 0;
    let mut rest = line.char_indices().peekable();
    while let Some((offset, character)) = rest.next() {
        let cell = if character == '\t' {
            let columns = TAB_COLUMNS - column % TAB_COLUMNS;
            Cell { text: " ".repeat(columns).into(), columns, offset }
        } else if is_hidden(character) {
            let text = spelled_out(character);
            Cell { columns: text.len(), text: text.into(), offset }
        } else {
            let mut end = offset + character.len_utf8();
            let mut before = character;
            while let Some(&(_, next)) = rest.peek() {
                if !belongs_to(before, next, line[offset..end].chars().count()) {
                    break;
                }
                end += next.len_utf8();
                before = next;
                rest.next();
            }
            let text = &line[offset..end];
            Cell { text: text.into(), columns: text.width(), offset }
        };
        column += cell.columns;
        out.push(cell);
    }
    out
}

/// Tells whether `next` is shown in the same cell as the `before` it follows; `n_before` characters are in the cell already.
///
/// A part of the rules for grapheme clusters (Unicode Standard Annex 29), enough to keep marks on their letters and emoji whole.
fn belongs_to(before: char, next: char, n_before: usize) -> bool {
    /// More marks than this on one letter are decoration of an attack.
    const CELL_CHARS_MAX: usize = 16;
    let is_flag = |character| matches!(character, '\u{1f1e6}'..='\u{1f1ff}');
    n_before < CELL_CHARS_MAX
        && !is_hidden(next)
        && (next.width() == Some(0)
            || before == '\u{200d}'
            || matches!(next, '\u{1f3fb}'..='\u{1f3ff}')
            || (is_flag(before) && is_flag(next) && n_before == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<(String, usize)> {
        cells(line).into_iter().map(|cell| (cell.text.into_owned(), cell.columns)).collect()
    }

    #[test]
    fn cells_have_the_width_terminals_give_them() {
        for (line, expected) in [
            ("ab", vec![("a", 1), ("b", 1)]),
            ("e\u{301}a", vec![("e\u{301}", 1), ("a", 1)]),
            ("漢字", vec![("漢", 2), ("字", 2)]),
            ("👩\u{200d}👧x", vec![("👩\u{200d}👧", 2), ("x", 1)]),
            ("🇩🇪🇫🇷", vec![("🇩🇪", 2), ("🇫🇷", 2)]),
            ("a\tb", vec![("a", 1), ("   ", 3), ("b", 1)]),
            ("\tb", vec![("    ", 4), ("b", 1)]),
            ("\u{1b}[2J", vec![("<U+001B>", 8), ("[", 1), ("2", 1), ("J", 1)]),
            ("a\u{202e}b", vec![("a", 1), ("<U+202E>", 8), ("b", 1)]),
            ("\u{9b}", vec![("<U+009B>", 8)]),
            ("", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(text, columns)| (text.to_owned(), columns)).collect();
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn nothing_hidden_is_left() {
        for code in (0..=0x2100).chain(0xfe00..=0xffff).chain(0xe0000..=0xe0100) {
            let Some(character) = char::from_u32(code) else { continue };
            let line = format!("a{character}b");
            for text in [visible_name(&line), visible_text(&line).into_owned()] {
                let is_line_end = character == '\n' && text.contains('\n');
                assert!(is_line_end || !text.chars().any(is_hidden), "U+{code:04X}");
            }
        }
        assert_eq!(visible_text("two\nlines\u{7}"), "two\nlines<U+0007>");
    }

    #[test]
    fn long_names_are_cut_in_the_middle() {
        let name = visible_name(&format!("head{}tail", "x".repeat(5000)));
        assert!(name.starts_with("headx") && name.ends_with("xtail") && name.contains("x...x"), "{name}");
        assert!(name.width() <= NAME_COLUMNS_MAX);
    }

    #[test]
    fn stacked_marks_are_bounded() {
        let line = format!("a{}", "\u{301}".repeat(100));
        assert!(cells(&line).iter().all(|cell| cell.text.chars().count() <= 16));
    }

    proptest::proptest! {
        #[test]
        fn cells_cover_the_line(line in "\\PC{0,40}") {
            let offsets: Vec<usize> = cells(&line).iter().map(|cell| cell.offset).collect();
            proptest::prop_assert!(offsets.is_sorted());
            proptest::prop_assert_eq!(offsets.first().copied(), (!line.is_empty()).then_some(0));
        }
    }
}
