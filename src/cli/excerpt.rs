//! Two stretches of text beside each other, as much of them as a person wants to see.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::Style;

use super::output::{DIM, OURS, Paint, THEIRS};
use super::units::counted;
use super::visible::cells;
use super::words::Comparison;

/// Below this many columns both stretches stand one above the other.
const SIDE_BY_SIDE_COLUMNS_MIN: usize = 80;

/// Columns left free before every row: the match's number stands there.
const INDENT: usize = 3;

/// A stretch of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excerpt<'a> {
    /// The stretch, or its beginning.
    pub(super) text: &'a str,
    /// One-based line in which it begins.
    pub(super) first_line: u32,
    /// One-based line in which the whole stretch ends.
    pub(super) last_line: u32,
    /// Whether `text` is only its beginning.
    pub(super) is_cut: bool,
}

/// How excerpts are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Width of the terminal.
    pub(super) columns: usize,
    /// Whether colours are wanted.
    pub(super) paint: Paint,
    /// Whether the excerpt is of little interest.
    pub(super) is_dim: bool,
    /// Most rows shown.
    pub(super) rows_max: usize,
}

/// A cell that is ready to be written.
#[derive(Debug, Clone)]
struct Piece {
    text: String,
    columns: usize,
    is_marked: bool,
}

/// A line of text, or what of it fits into one row of the terminal.
#[derive(Debug, Clone)]
struct Row {
    /// The line's number on its first row.
    number: Option<u32>,
    pieces: Vec<Piece>,
}

/// Writes one excerpt in one column.
pub(super) fn write_one(out: &mut String, excerpt: Excerpt<'_>, layout: Layout) {
    write_column(out, excerpt, &[], OURS, layout);
}

/// Writes both excerpts: side by side, lines that belong together in the same row, or one above the other where the terminal is narrow.
/// Stretches that differ stand in colour, or in brackets where there is none.
pub(super) fn write_pair(
    out: &mut String,
    ours: Excerpt<'_>,
    theirs: Excerpt<'_>,
    comparison: &Comparison,
    layout: Layout,
) {
    if layout.columns < SIDE_BY_SIDE_COLUMNS_MIN {
        let half = Layout { rows_max: layout.rows_max.div_ceil(2), ..layout };
        for (title, excerpt, marks, style) in
            [("text", ours, &comparison.left_only, OURS), ("source", theirs, &comparison.right_only, THEIRS)]
        {
            let _ = writeln!(out, "{:INDENT$}{}", "", layout.paint.styled(DIM, title));
            write_column(out, excerpt, marks, style, half);
        }
        return;
    }
    let (left_digits, right_digits) = (digits(ours), digits(theirs));
    // Row: indent, number, bar, left text, two blanks, number, bar, right text.
    let width = (layout.columns - INDENT - left_digits - right_digits - 2 * BAR.chars().count() - 2) / 2;
    let left = wrapped_lines(ours, &comparison.left_only, width, layout);
    let right = wrapped_lines(theirs, &comparison.right_only, width, layout);
    let meetings = meetings(ours.text, theirs.text, comparison);
    let rows = paired_rows(&left, &right, &meetings);

    let title = |text: &str| layout.paint.styled(DIM, text);
    let bar_columns = BAR.chars().count();
    let gap = width - "text".len() + 2 + right_digits + bar_columns;
    let lead = INDENT + left_digits + bar_columns;
    let _ = writeln!(out, "{:lead$}{}{:gap$}{}", "", title("text"), "", title("source"));
    let (mut last_left, mut last_right) = (ours.first_line, theirs.first_line);
    for (left, right) in rows.iter().take(layout.rows_max) {
        let _ = write!(out, "{:INDENT$}", "");
        write_row(out, *left, left_digits, OURS, Some(width), layout);
        out.push_str("  ");
        write_row(out, *right, right_digits, THEIRS, None, layout);
        out.push('\n');
        last_left = left.and_then(|row| row.number).unwrap_or(last_left);
        last_right = right.and_then(|row| row.number).unwrap_or(last_right);
    }
    if rows.len() > layout.rows_max || ours.is_cut || theirs.is_cut {
        let n_left = ours.last_line.saturating_sub(last_left);
        let n_right = theirs.last_line.saturating_sub(last_right);
        write_more(out, n_left.max(n_right), layout);
    }
}

const BAR: &str = " │ ";

fn write_column(out: &mut String, excerpt: Excerpt<'_>, marks: &[Range<usize>], style: Style, layout: Layout) {
    let digits = digits(excerpt);
    let width = layout.columns - INDENT - digits - BAR.chars().count();
    let lines = wrapped_lines(excerpt, marks, width, layout);
    let n_rows = lines.iter().flatten().count();
    let mut last = excerpt.first_line;
    for row in lines.iter().flatten().take(layout.rows_max) {
        let _ = write!(out, "{:INDENT$}", "");
        write_row(out, Some(row), digits, style, None, layout);
        out.push('\n');
        last = row.number.unwrap_or(last);
    }
    if n_rows > layout.rows_max || excerpt.is_cut {
        write_more(out, excerpt.last_line.saturating_sub(last), layout);
    }
}

fn write_more(out: &mut String, n_lines: u32, layout: Layout) {
    let more = match n_lines {
        0 => "... the rest of the line".to_owned(),
        n => format!("... {}", counted(u64::from(n), "more line")),
    };
    let _ = writeln!(out, "{:INDENT$}{}", "", layout.paint.styled(DIM, more));
}

fn digits(excerpt: Excerpt<'_>) -> usize {
    excerpt.last_line.max(1).ilog10() as usize + 1
}

/// Writes a row; pads it to `width` where one is given. No row stands for an empty one.
fn write_row(out: &mut String, row: Option<&Row>, digits: usize, style: Style, width: Option<usize>, layout: Layout) {
    let paint = layout.paint;
    let number = row.and_then(|row| row.number).map(|number| number.to_string()).unwrap_or_default();
    let is_last = width.is_none();
    if is_last && row.is_none() {
        out.truncate(out.trim_end_matches(' ').len());
        return;
    }
    let empty = Vec::new();
    let pieces = row.map_or(&empty, |row| &row.pieces);
    let bar = if is_last && pieces.is_empty() { BAR.trim_end() } else { BAR };
    out.push_str(&paint.styled(DIM, format_args!("{number:>digits$}{bar}")));
    for run in pieces.chunk_by(|a, b| a.is_marked == b.is_marked) {
        let text: String = run.iter().map(|piece| piece.text.as_str()).collect();
        match run.first() {
            Some(piece) if piece.is_marked => out.push_str(&paint.styled(style, text)),
            _ if layout.is_dim => out.push_str(&paint.styled(DIM, text)),
            _ => out.push_str(&text),
        }
    }
    if let Some(width) = width {
        let columns: usize = pieces.iter().map(|piece| piece.columns).sum();
        out.extend(std::iter::repeat_n(' ', width.saturating_sub(columns)));
    }
}

/// Cuts an excerpt into lines and each line into rows of at most `width` columns.
fn wrapped_lines(excerpt: Excerpt<'_>, marks: &[Range<usize>], width: usize, layout: Layout) -> Vec<Vec<Row>> {
    let mut number = excerpt.first_line;
    let mut offset = 0;
    let mut lines = Vec::new();
    // What lies below the last row that can be shown is not worth cutting up.
    for line in excerpt.text.split_inclusive('\n').take(layout.rows_max + 1) {
        let shown = line.trim_end();
        let mut pieces: Vec<Piece> = cells(shown)
            .into_iter()
            .map(|cell| {
                let at = offset + cell.offset;
                // Ranges are ascending and disjoint: the last one that begins at or before this cell decides.
                let before = marks.partition_point(|mark| mark.start <= at);
                let is_marked = before.checked_sub(1).is_some_and(|idx| marks[idx].contains(&at));
                Piece { text: cell.text.into_owned(), columns: cell.columns, is_marked }
            })
            .collect();
        if !layout.paint.has_colour {
            bracket(&mut pieces);
        }
        let mut rows: Vec<Row> = wrap(pieces, width).into_iter().map(|pieces| Row { number: None, pieces }).collect();
        if let Some(first) = rows.first_mut() {
            first.number = Some(number);
        }
        lines.push(rows);
        offset += line.len();
        number = number.saturating_add(1);
    }
    lines
}

/// Puts brackets around marked stretches.
fn bracket(pieces: &mut [Piece]) {
    for idx in 0..pieces.len() {
        if !pieces[idx].is_marked {
            continue;
        }
        if idx == 0 || !pieces[idx - 1].is_marked {
            pieces[idx].text.insert(0, '[');
            pieces[idx].columns += 1;
        }
        if pieces.get(idx + 1).is_none_or(|next| !next.is_marked) {
            pieces[idx].text.push(']');
            pieces[idx].columns += 1;
        }
    }
}

/// Breaks a line into rows, after a blank where there is one. An empty line is one empty row.
fn wrap(pieces: Vec<Piece>, width: usize) -> Vec<Vec<Piece>> {
    let is_blank = |piece: &Piece| !piece.text.is_empty() && piece.text.bytes().all(|byte| byte == b' ');
    let mut rows = Vec::new();
    let mut row: Vec<Piece> = Vec::new();
    let mut columns = 0;
    // Length of the row up to and with the last blank after its first word.
    let mut break_at = None;
    for piece in pieces {
        while columns + piece.columns > width && !row.is_empty() && !is_blank(&piece) {
            let rest = row.split_off(break_at.take().unwrap_or(row.len()));
            while row.last().is_some_and(is_blank) {
                row.pop();
            }
            rows.push(std::mem::replace(&mut row, rest));
            columns = row.iter().map(|piece| piece.columns).sum();
        }
        let is_blank_piece = is_blank(&piece);
        // A blank that does not fit any more ends the row without being shown.
        if !is_blank_piece || columns + piece.columns <= width {
            columns += piece.columns;
            row.push(piece);
        }
        if is_blank_piece && !row.iter().all(is_blank) {
            break_at = Some(row.len());
        }
    }
    rows.push(row);
    rows
}

/// Returns pairs of lines (zero-based) whose first common words are each other's: they belong into the same row.
fn meetings(left: &str, right: &str, comparison: &Comparison) -> Vec<(usize, usize)> {
    let starts = |text: &str| -> Vec<usize> { text.match_indices('\n').map(|(offset, _)| offset + 1).collect() };
    let (left_starts, right_starts) = (starts(left), starts(right));
    let mut last = None;
    let mut out = Vec::new();
    for &(left_offset, right_offset) in &comparison.same {
        let line = |starts: &[usize], offset: usize| starts.partition_point(|&start| start <= offset);
        let here = (line(&left_starts, left_offset), line(&right_starts, right_offset));
        if last.is_none_or(|(left, right)| here.0 > left && here.1 > right) {
            out.push(here);
        }
        last = Some(here);
    }
    out
}

type Pair<'a> = (Option<&'a Row>, Option<&'a Row>);

/// Puts rows side by side; at each meeting the shorter side is filled up with nothing.
fn paired_rows<'a>(left: &'a [Vec<Row>], right: &'a [Vec<Row>], meetings: &[(usize, usize)]) -> Vec<Pair<'a>> {
    let mut out = Vec::new();
    let (mut left_done, mut right_done) = (0, 0);
    for &(left_end, right_end) in meetings.iter().chain([&(left.len(), right.len())]) {
        let (left_end, right_end) = (left_end.min(left.len()), right_end.min(right.len()));
        let mut left_rows = left[left_done..left_end].iter().flatten();
        let mut right_rows = right[right_done..right_end].iter().flatten();
        loop {
            let pair = (left_rows.next(), right_rows.next());
            if pair.0.is_none() && pair.1.is_none() {
                break;
            }
            out.push(pair);
        }
        (left_done, right_done) = (left_end, right_end);
    }
    out
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::cli::words::compare;

    fn excerpt(text: &str) -> Excerpt<'_> {
        let n_lines = u32::try_from(text.lines().count()).expect("a short text");
        Excerpt { text, first_line: 9, last_line: 8 + n_lines.max(1), is_cut: false }
    }

    fn layout(columns: usize) -> Layout {
        Layout { columns, paint: Paint { has_colour: false }, is_dim: false, rows_max: 12 }
    }

    fn check_wrap(line: &str, width: usize, expected: &[&str]) {
        let rows = wrapped_lines(excerpt(line), &[], width, layout(100));
        let rows: Vec<String> =
            rows.iter().flatten().map(|row| row.pieces.iter().map(|piece| piece.text.as_str()).collect()).collect();
        assert_eq!(rows, expected, "{line:?} at {width}");
    }

    #[test]
    fn lines_break_at_blanks_or_where_they_must() {
        check_wrap("one two three", 20, &["one two three"]);
        check_wrap("one two three", 13, &["one two three"]);
        check_wrap("one two three", 12, &["one two", "three"]);
        check_wrap("one two three", 7, &["one two", "three"]);
        check_wrap("one two three", 4, &["one", "two", "thre", "e"]);
        check_wrap("onetwothree", 4, &["onet", "woth", "ree"]);
        check_wrap("    if x:", 6, &["    if", "x:"]);
        check_wrap("漢字漢字", 5, &["漢字", "漢字"]);
        check_wrap("ab\u{1b}cd", 9, &["ab", "<U+001B>c", "d"]);
        check_wrap("a\n\nb", 9, &["a", "", "b"]);
        check_wrap("a  \t \r\nb\r\n", 9, &["a", "b"]);
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        let text =
            "Once upon a midnight dreary, while I pondered,\tweak and weary\u{1b}[0m 漢字漢字漢字 👩\u{200d}👧\n"
                .repeat(9);
        let changed = text.replace("midnight", "rainy noon").replace("weak", "strong");
        for columns in 32..=160 {
            let mut out = String::new();
            write_pair(&mut out, excerpt(&text), excerpt(&changed), &compare(&text, &changed), layout(columns));
            for row in out.lines() {
                assert!(row.width() <= columns, "{columns}: {row}");
            }
        }
    }

    #[test]
    fn lines_that_belong_together_share_a_row() {
        let (left, right) = ("a b\nc d\ne f\ng h", "a b c d\ne f\nnew\ng h");
        let comparison = compare(left, right);
        assert_eq!(meetings(left, right, &comparison), [(0, 0), (2, 1), (3, 3)]);
        let mut out = String::new();
        write_pair(&mut out, excerpt(left), excerpt(right), &comparison, layout(80));
        let rows: Vec<String> = out.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            rows,
            [
                "text source",
                "9 │ a b 9 │ a b c d",
                "10 │ c d",
                "11 │ e f 10 │ e f",
                "│ 11 │ [new]",
                "12 │ g h 12 │ g h"
            ]
        );
    }
}
