//! The answer to a check as a person likes to read it.

use std::fmt::Write as _;

use super::excerpt::{self, Excerpt, Layout};
use super::output::{BAD, DIM, GOOD, LOUD, Paint, SWAPPED, WARN};
use super::units::{bytes, count, counted, percent};
use super::visible::{visible_name, visible_text};
use super::words::{Comparison, compare};
use crate::check::answer::{Action, Answer, DocumentRef, EXCERPT_BYTES_MAX, LineSpan, Match, Verdict};
use crate::verify::kind::CopyKind;

/// Most matches that are described; the JSON has them all.
const MATCHES_MAX: usize = 10;
/// Most matches whose texts are shown: more would push the verdict off the screen.
const EXCERPTS_MAX: usize = 5;
/// Most rows of a pair of texts.
const ROWS_MAX: usize = 12;
/// Most rows of a text that is common property.
const COMMON_ROWS_MAX: usize = 2;
/// Most renamed names listed.
const RENAMES_MAX: usize = 8;

const PLAIN: anstyle::Style = anstyle::Style::new();

/// Writes an answer about `text` for a terminal of `columns` columns.
///
/// Everything in it that came from outside is made visible first; nothing can steer the terminal.
pub(super) fn answer(answer: &Answer, text: &str, columns: usize, paint: Paint) -> String {
    let mut out = String::with_capacity(4096);
    write_verdict(&mut out, &answer.verdict, answer.matches.is_empty(), columns, paint);
    for note in &answer.degraded {
        let label = paint.styled(WARN, "not looked at");
        write_wrapped(&mut out, &format!("{label}  "), "not looked at  ".len(), note, columns);
    }
    let several = answer.indexes.len() > 1;
    for (idx, found) in answer.matches.iter().take(MATCHES_MAX).enumerate() {
        out.push('\n');
        // The same words stand in many documents; they are shown once.
        let is_same = |earlier: &Match| {
            earlier.kind == CopyKind::Verbatim
                && earlier.query_span == found.query_span
                && earlier.common == found.common
        };
        let shown = answer.matches[..idx].iter().position(is_same).filter(|_| found.kind == CopyKind::Verbatim);
        let excerpt = match shown {
            Some(earlier) => Shown::Above(earlier + 1),
            None if idx < EXCERPTS_MAX => Shown::Here,
            None => Shown::Nowhere,
        };
        write_match(&mut out, idx + 1, found, text, Style { columns, paint, several, excerpt });
    }
    if let Some(n_more) = answer.matches.len().checked_sub(MATCHES_MAX).filter(|&n| n > 0) {
        let _ = writeln!(out, "\n... and {} more; `--format json` lists all", count(n_more as u64));
    }
    write_footer(&mut out, answer, paint);
    out
}

#[derive(Clone, Copy)]
struct Style {
    columns: usize,
    paint: Paint,
    /// Whether several indexes were asked, so that each match names its own.
    several: bool,
    excerpt: Shown,
}

/// Where the texts of a match are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Here,
    /// With the earlier match of this number.
    Above(usize),
    Nowhere,
}

fn write_verdict(out: &mut String, verdict: &Verdict, is_clean: bool, columns: usize, paint: Paint) {
    let (word, style) = match verdict.action {
        Action::Allow => ("ALLOW", GOOD),
        Action::Flag => ("FLAG", WARN),
        Action::Replace => ("REPLACE", SWAPPED),
        Action::Block => ("BLOCK", BAD),
        Action::Unspecified => ("UNDECIDED", BAD),
    };
    let reason = match (verdict.reason.as_str(), is_clean) {
        ("", true) => "No copy was found.",
        ("", false) => "Copies were found; no rule says more.",
        (reason, _) => reason,
    };
    let rule = if verdict.rule_id.is_empty() { String::new() } else { format!(" (rule {})", verdict.rule_id) };
    let lead = format!("{}  ", paint.styled(style, word));
    write_wrapped(out, &lead, word.len() + 2, &format!("{reason}{rule}"), columns);
    if verdict.action == Action::Replace {
        out.push_str(&paint.styled(DIM, "shown instead"));
        out.push('\n');
        let n_lines = u32::try_from(verdict.replacement.lines().count()).unwrap_or(u32::MAX);
        let (text, is_cut) = beginning(&verdict.replacement);
        let replacement = Excerpt { text, first_line: 1, last_line: n_lines.max(1), is_cut };
        excerpt::write_one(out, replacement, Layout { columns, paint, is_dim: false, rows_max: ROWS_MAX });
    }
}

fn write_match(out: &mut String, number: usize, found: &Match, text: &str, style: Style) {
    let Style { columns, paint, .. } = style;
    let (ours, ours_cut) = beginning(stretch(text, found.query_span));
    let theirs = found.source_excerpt.as_str();
    let theirs_cut = (theirs.len() as u64) < span_bytes(found.source_span);
    let comparison = if found.kind == CopyKind::Verbatim || theirs.is_empty() {
        Comparison::default()
    } else {
        let mut comparison = compare(ours, theirs);
        comparison.is_complete &= !ours_cut && !theirs_cut;
        comparison
    };

    let mut parts = vec![(kind_words(found, &comparison), LOUD)];
    parts.extend(facts(found).into_iter().map(|fact| (fact, PLAIN)));
    write_parts(out, &format!("{number:>2} "), parts, found.common, style);
    if found.common {
        let note = "common text: it stands in many places and does not count";
        let _ = writeln!(out, "   {}", paint.styled(DIM, note));
    }
    write_document(out, found, style);
    write_renames(out, found, columns);
    if let Shown::Above(earlier) = style.excerpt {
        let what = if found.code.is_some() { "code" } else { "words" };
        let title = format!("the {what} of match {earlier}, {} of the source", lines(found.source_span));
        let _ = writeln!(out, "   {}", paint.styled(DIM, title));
    }
    if style.excerpt == Shown::Here {
        let rows_max = if found.common { COMMON_ROWS_MAX } else { ROWS_MAX };
        let layout = Layout { columns, paint, is_dim: found.common, rows_max };
        let side = |text, span: LineSpan, is_cut| Excerpt {
            text,
            first_line: span.start_line.max(1),
            last_line: span.end_line.max(span.start_line).max(1),
            is_cut,
        };
        let ours = side(ours, found.query_span, ours_cut);
        let theirs = side(theirs, found.source_span, theirs_cut);
        if found.kind == CopyKind::Verbatim {
            let title = format!("the same in both, {} of the source", lines(found.source_span));
            let _ = writeln!(out, "   {}", paint.styled(DIM, title));
            excerpt::write_one(out, ours, layout);
        } else if theirs.text.is_empty() {
            let _ = writeln!(out, "   {}", paint.styled(DIM, "only the text; the source is not shown"));
            excerpt::write_one(out, ours, layout);
        } else {
            excerpt::write_pair(out, ours, theirs, &comparison, layout);
        }
    }
}

/// Says in plain words what kind of copy it is, and what was changed where that is known.
fn kind_words(found: &Match, comparison: &Comparison) -> String {
    match found.kind {
        CopyKind::Verbatim => "word for word".to_owned(),
        CopyKind::Reformatted => "reformatted".to_owned(),
        CopyKind::Renamed => "names changed".to_owned(),
        CopyKind::NearDuplicate => "nearly the same document".to_owned(),
        // What was changed is counted in words, of which a renaming changes many.
        CopyKind::Edited if found.code.is_some() => "edited".to_owned(),
        CopyKind::Edited => {
            let counts = comparison.counts;
            let changes: Vec<(usize, &str)> =
                [(counts.substituted, "substituted"), (counts.inserted, "inserted"), (counts.deleted, "left out")]
                    .into_iter()
                    .filter(|&(n, _)| n > 0 && comparison.is_complete)
                    .collect();
            let mut out = "edited".to_owned();
            for (idx, (n, change)) in changes.into_iter().enumerate() {
                let number = if idx == 0 { counted(n as u64, "word") } else { count(n as u64) };
                let _ = write!(out, "{} {number} {change}", if idx == 0 { ":" } else { "," });
            }
            out
        }
    }
}

/// Lists how much was copied and where it stands.
fn facts(found: &Match) -> Vec<String> {
    let unit = if found.code.is_some() { "token" } else { "word" };
    let tokens = counted(u64::from(found.matched_tokens), unit);
    let share = percent(found.score);
    let amount = match found.kind {
        CopyKind::Verbatim => tokens,
        CopyKind::NearDuplicate => format!("{share} alike"),
        _ => format!("{tokens}, {share} the same"),
    };
    vec![amount, lines(found.query_span)]
}

fn lines(span: LineSpan) -> String {
    if span.end_line <= span.start_line {
        format!("line {}", count(u64::from(span.start_line)))
    } else {
        format!("lines {}-{}", count(u64::from(span.start_line)), count(u64::from(span.end_line)))
    }
}

fn write_document(out: &mut String, found: &Match, style: Style) {
    let DocumentRef { id, uri, license, origin, shard, index } = &found.document;
    let mut parts = vec![(visible_name(id), LOUD)];
    if license.is_empty() {
        parts.push(("licence unknown".to_owned(), WARN));
    } else {
        parts.push((visible_name(license), LOUD));
    }
    if !origin.is_empty() {
        parts.push((format!("from {}", visible_name(origin)), PLAIN));
    }
    if !shard.is_empty() {
        parts.push((format!("shard {}", visible_name(shard)), PLAIN));
    }
    if style.several && !index.is_empty() {
        parts.push((format!("index {}", visible_name(index)), PLAIN));
    }
    parts.push((
        match (found.document_count, found.document_count_capped) {
            (0 | 1, false) => "in no other document".to_owned(),
            (n, false) => format!("in {} documents", count(u64::from(n))),
            (n, true) => format!("in at least {}", counted(u64::from(n), "document")),
        },
        PLAIN,
    ));
    write_parts(out, "   ", parts, found.common, style);
    if !uri.is_empty() && uri != id {
        let _ = writeln!(out, "   {}", style.paint.styled(DIM, visible_name(uri)));
    }
}

/// Writes parts with dots between them, on as many lines as they need. Parts are kept whole: names are there to be copied.
fn write_parts(out: &mut String, lead: &str, parts: Vec<(String, anstyle::Style)>, is_dim: bool, style: Style) {
    let Style { columns, paint, .. } = style;
    out.push_str(lead);
    let mut column = lead.len();
    for (idx, (part, part_style)) in parts.into_iter().enumerate() {
        let width = unicode_width::UnicodeWidthStr::width(part.as_str());
        if idx > 0 && column + 3 + width > columns {
            out.push_str("\n   ");
            column = 3;
        } else if idx > 0 {
            out.push_str(&paint.styled(DIM, " · "));
            column += 3;
        }
        let part_style = if is_dim { DIM } else { part_style };
        out.push_str(&if part_style == PLAIN { part } else { paint.styled(part_style, part) });
        column += width;
    }
    out.push('\n');
}

fn write_renames(out: &mut String, found: &Match, columns: usize) {
    if found.renames.is_empty() {
        return;
    }
    let mut names: Vec<String> = found
        .renames
        .iter()
        .take(RENAMES_MAX)
        .map(|rename| format!("{} → {}", visible_name(&rename.source), visible_name(&rename.query)))
        .collect();
    if let Some(n) = found.renames.len().checked_sub(RENAMES_MAX).filter(|&n| n > 0) {
        names.push(format!("and {} more", count(n as u64)));
    }
    write_wrapped(out, "   ", 3, &format!("renamed {}", names.join(", ")), columns);
}

fn write_footer(out: &mut String, answer: &Answer, paint: Paint) {
    let indexes: Vec<String> = answer
        .indexes
        .iter()
        .map(|index| format!("{} (generation {})", visible_name(&index.name), index.generation))
        .collect();
    let against = if indexes.is_empty() { "no index".to_owned() } else { indexes.join(", ") };
    let line = format!("{} checked against {against}", bytes(u64::from(answer.checked_bytes)));
    let _ = writeln!(out, "\n{}", paint.styled(DIM, line));
}

/// Writes foreign prose after a lead of `lead_columns`, broken between words, later lines hanging below the first.
fn write_wrapped(out: &mut String, lead: &str, lead_columns: usize, text: &str, columns: usize) {
    let text = visible_text(text);
    out.push_str(lead);
    let mut column = lead_columns;
    for (idx, word) in text.split_whitespace().enumerate() {
        let width = unicode_width::UnicodeWidthStr::width(word);
        if idx > 0 && column + 1 + width > columns {
            let _ = write!(out, "\n{:lead_columns$}", "");
            column = lead_columns;
        } else if idx > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
}

/// Returns the stretch of a text in a span; what does not fit the text is left away.
fn stretch(text: &str, span: LineSpan) -> &str {
    let at = |byte: u32| text.floor_char_boundary(usize::try_from(byte).unwrap_or(usize::MAX));
    let (start, end) = (at(span.start_byte), at(span.end_byte));
    text.get(start..end).unwrap_or_default()
}

fn span_bytes(span: LineSpan) -> u64 {
    u64::from(span.end_byte.saturating_sub(span.start_byte))
}

/// Cuts a text off after what an excerpt may hold, and tells whether anything was cut.
fn beginning(text: &str) -> (&str, bool) {
    let end = text.floor_char_boundary(EXCERPT_BYTES_MAX);
    (&text[..end], end < text.len())
}
