//! What kind of copy an alignment is, and where it stands in the bytes of both texts.

use copytrace_indexer::span::Span;
use serde::Serialize;

use super::TextView;
use super::alignment::{Alignment, Run};

/// Kinds of copy, from the clone literature (docs/glossary.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum CopyKind {
    /// Equal, comments included, up to line ends, trailing blanks and one uniform change of indentation.
    #[serde(rename = "COPY_KIND_VERBATIM")]
    Verbatim,
    /// The same words in another layout, case, punctuation or Unicode form (type 1).
    #[serde(rename = "COPY_KIND_REFORMATTED")]
    Reformatted,
    /// A consistent renaming (type 2).
    #[serde(rename = "COPY_KIND_RENAMED")]
    Renamed,
    /// Words substituted, inserted or deleted (type 3).
    #[serde(rename = "COPY_KIND_EDITED")]
    Edited,
    /// Two whole documents that are nearly the same.
    #[serde(rename = "COPY_KIND_NEAR_DUPLICATE")]
    NearDuplicate,
}

/// Most words at either border of a copy that may be there by chance: beside a verbatim copy of 250 passages stood one such word in 1.6 %,
/// never more.
const CHANCE_WORDS_MAX: u32 = 2;

/// Words that must be left for each that is taken for chance.
const WORDS_PER_CHANCE_WORD: u32 = 10;

/// Tells what kind of copy an alignment is, and its bytes in the query and in the source.
///
/// - [`Verbatim`](CopyKind::Verbatim): from the first matched word to the last the bytes are equal, up to line ends (`\r\n`, `\r`,
///   `\n`), blanks (space, tab) at the end of lines, and blanks that one side has more at the start of *every* line that is not
///   blank. The line in which the copy starts is compared from its first matched word on: what stands before it is not part of the
///   copy. One or two matched words that only one side parts from the rest by a line end (a copy that ends there, and both texts go
///   on with `the`) do not count, if what is left is verbatim and ten times as long; the spans are then those of the rest.
/// - [`Reformatted`](CopyKind::Reformatted): one run of words, but other bytes between or within them.
/// - [`Edited`](CopyKind::Edited): everything with a gap.
///
/// [`Renamed`](CopyKind::Renamed) and [`NearDuplicate`](CopyKind::NearDuplicate) are never the answer: words alone show neither.
///
/// Each span goes from the first matched word to the last, widened over the bytes beside it that belong to no word and are equal on both
/// sides, such as quotes, brackets and a full stop, up to the first white space. Spans start and end on char boundaries.
///
/// Cost: O(bytes of both spans).
pub fn classify(query: &TextView, source: &TextView, alignment: &Alignment) -> (CopyKind, Span, Span) {
    let spans = |first: Run, last: Run| spans_of(query, source, first, last);
    match *alignment.runs {
        [] => (CopyKind::Edited, Span::default(), Span::default()),
        [run] => {
            let is_verbatim =
                |run: Run| is_verbatim(query.stretch(run.query_words()), source.stretch(run.source_words()));
            if is_verbatim(run) {
                return verdict(CopyKind::Verbatim, spans(run, run));
            }
            match without_chance_words(query, source, run) {
                Some(rest) if is_verbatim(rest) => verdict(CopyKind::Verbatim, spans(rest, rest)),
                _ => verdict(CopyKind::Reformatted, spans(run, run)),
            }
        }
        [first, .., last] => verdict(CopyKind::Edited, spans(first, last)),
    }
}

fn verdict(kind: CopyKind, (query, source): (Span, Span)) -> (CopyKind, Span, Span) {
    (kind, query, source)
}

/// Returns the bytes in the query and in the source from the first run to the last, widened.
fn spans_of(query: &TextView, source: &TextView, first: Run, last: Run) -> (Span, Span) {
    let before = [text_before(query, first.query), text_before(source, first.source)];
    let n_before = count_shared_bytes(before[0].chars().rev(), before[1].chars().rev());
    let (query_end, source_end) = (last.query_words().end, last.source_words().end);
    let after = [text_before(query, query_end), text_before(source, source_end)];
    let n_after = count_shared_bytes(after[0].chars(), after[1].chars());
    let span = |view: &TextView, start: u32, end: u32| {
        Span::new(view.starts[start as usize] - n_before, view.ends[end as usize - 1] + n_after)
    };
    (span(query, first.query, query_end), span(source, first.source, source_end))
}

/// Cuts off the words at the borders of a run that only one side parts from the rest by a line end; `None` if there are none, or too
/// few words are left.
fn without_chance_words(query: &TextView, source: &TextView, run: Run) -> Option<Run> {
    let is_parted = |offset: u32| {
        let between = [text_before(query, run.query + offset), text_before(source, run.source + offset)];
        between[0].contains(LINE_ENDS) != between[1].contains(LINE_ENDS)
    };
    let reach = CHANCE_WORDS_MAX.min(run.len - 1);
    let n_before = (1..=reach).rev().find(|&n| is_parted(n)).unwrap_or(0);
    let n_after = (1..=reach).rev().find(|&n| is_parted(run.len - n)).unwrap_or(0);
    let n_chance = n_before + n_after;
    let is_clear = n_chance > 0 && run.len >= n_chance * (WORDS_PER_CHANCE_WORD + 1);
    is_clear.then(|| Run { query: run.query + n_before, source: run.source + n_before, len: run.len - n_chance })
}

/// Returns what stands before `word` and belongs to no word; for the number after the last word, what stands at the end of the text.
fn text_before<'a>(view: &TextView<'a>, word: u32) -> &'a str {
    let word = word as usize;
    let start = word.checked_sub(1).map_or(0, |before| view.ends[before] as usize);
    let end = view.starts.get(word).map_or(view.text.len(), |&start| start as usize);
    view.text.get(start..end).unwrap_or("")
}

/// Returns how many bytes the chars take that both yield before they differ or white space comes.
fn count_shared_bytes(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> u32 {
    let shared = a.zip(b).take_while(|(a, b)| a == b && !a.is_whitespace());
    let n_bytes: usize = shared.map(|(char, _)| char.len_utf8()).sum();
    u32::try_from(n_bytes).expect("a text has at most 4 GiB")
}

/// Tells whether two stretches, each from the start of a word to the end of one, are equal up to what [`CopyKind::Verbatim`] allows.
pub(super) fn is_verbatim(query: &str, source: &str) -> bool {
    if query == source {
        return true;
    }
    let ((query_line, mut query_rest), (source_line, mut source_rest)) = (split_line(query), split_line(source));
    if trim_end(query_line) != trim_end(source_line) {
        return false;
    }
    let mut uniform = None;
    while let (Some(query), Some(source)) = (query_rest, source_rest) {
        let (query_line, source_line);
        (query_line, query_rest) = split_line(query);
        (source_line, source_rest) = split_line(source);
        let (query_indent, query_code) = split_indent(trim_end(query_line));
        let (source_indent, source_code) = split_indent(trim_end(source_line));
        if query_code != source_code {
            return false;
        }
        if query_code.is_empty() {
            continue;
        }
        let change = match (query_indent.strip_suffix(source_indent), source_indent.strip_suffix(query_indent)) {
            (Some(in_query), _) => (in_query, ""),
            (None, Some(in_source)) => ("", in_source),
            (None, None) => return false,
        };
        if *uniform.get_or_insert(change) != change {
            return false;
        }
    }
    query_rest.is_none() && source_rest.is_none()
}

/// Cuts off the first line; the rest is `None` where no line follows.
fn split_line(text: &str) -> (&str, Option<&str>) {
    let Some(end) = text.find(LINE_ENDS) else { return (text, None) };
    let (line, rest) = text.split_at(end);
    let rest = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
    (line, Some(rest))
}

/// Splits a line into the blanks at its start and what follows.
fn split_indent(line: &str) -> (&str, &str) {
    line.split_at(line.len() - line.trim_start_matches(BLANKS).len())
}

/// Cuts off the blanks at the end of a line.
fn trim_end(line: &str) -> &str {
    line.trim_end_matches(BLANKS)
}

const BLANKS: [char; 2] = [' ', '\t'];
const LINE_ENDS: [char; 2] = ['\r', '\n'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::alignment::AlignOptions;
    use super::super::oracle::{Text, align_texts, shared_grams};
    use super::*;

    /// Aligns two texts around all shared pairs of words, and classifies the best alignment. Expects the spans' texts.
    fn check(query: &str, source: &str, kind: CopyKind, in_query: &str, in_source: &str) {
        let (query_words, source_words) = (Text::of(query), Text::of(source));
        let seeds = shared_grams(&query_words, &source_words, 2, 1);
        let options = AlignOptions { guaranteed_words: 2, ..AlignOptions::default() };
        let found = align_texts(&query_words, &source_words, &seeds, &options);
        let best = found.alignments.first().expect("the texts share words");
        let (found_kind, query_span, source_span) = classify(&query_words.view(), &source_words.view(), best);
        let found = (found_kind, &query[query_span.range()], &source[source_span.range()]);
        assert_eq!(found, (kind, in_query, in_source), "{query:?} / {source:?}");
    }

    /// A copy that is the whole of both texts.
    fn check_whole(query: &str, source: &str, kind: CopyKind) {
        check(query, source, kind, query, source);
    }

    #[test]
    fn line_ends_trailing_blanks_and_one_indentation_are_verbatim() {
        let source = "for x in y:\n    if x:\n\n        stop(x)\n    go(on)";
        for query in [
            source.to_owned(),
            source.replace('\n', "\r\n"),
            source.replace('\n', "\r"),
            source.replace('\n', " \t\n"),
            source.replace('\n', "\n    "),
            source.replace('\n', "\n\t"),
            source.replace("\n    ", "\n"),
            source.replace("\n\n", "\n   \n"),
            source.replace('\n', "\r\n  "),
        ] {
            check_whole(&query, source, CopyKind::Verbatim);
            check_whole(source, &query, CopyKind::Verbatim);
        }
    }

    #[test]
    fn the_same_words_in_other_bytes_are_reformatted() {
        let source = "for x in y:\n    if x:\n\n        stop(x)\n    go(on)";
        for query in [
            source.replace("stop", "Stop"),
            source.replace(":\n", "\n"),
            source.replace("\n\n", "\n"),
            source.replace('\n', " "),
            source.replace("        stop", "      stop"),
            source.replace("    ", "\t"),
            source.replace("go(on)", "go (on)"),
            source.replace("in y", "in  y"),
            source.replace("\n    go", "\n        go"),
        ] {
            check_whole(&query, source, CopyKind::Reformatted);
            check_whole(source, &query, CopyKind::Reformatted);
        }
    }

    #[test]
    fn gaps_are_edited() {
        check_whole("a b c d e f g h", "a b c d x e f g h", CopyKind::Edited);
        check_whole("a b c d y e f g h", "a b c d x e f g h", CopyKind::Edited);
        check_whole("a b c d y e f g h", "a b c d e f g h", CopyKind::Edited);
    }

    #[test]
    fn spans_take_in_equal_marks_but_no_white_space() {
        let verbatim = CopyKind::Verbatim;
        check("so \"a b c.\" x", "no \"a b c.\" y", verbatim, "\"a b c.\"", "\"a b c.\"");
        check("q (a b c) x", "p [a b c] y", verbatim, "a b c", "a b c");
        check("q f(a b c); x", "p g(a b c), y", verbatim, "(a b c)", "(a b c)");
        check("a b c.\n", "a b c.\n", verbatim, "a b c.", "a b c.");
        check("  - a b c -", "  - a b c -", verbatim, "a b c", "a b c");
        check("\u{ab}a b c\u{bb}\u{e9}", "\u{ab}a b c\u{bb}\u{e8}", verbatim, "\u{ab}a b c\u{bb}", "\u{ab}a b c\u{bb}");
        check("\u{2014}a b c\u{2014}", "\u{2013}a b c\u{2013}", verbatim, "a b c", "a b c");
        check("-a b c", "a b c", verbatim, "a b c", "a b c");
        check("x--a b c", "y-a b c", verbatim, "-a b c", "-a b c");
    }

    #[test]
    fn a_chance_word_across_a_line_end_does_not_spoil_a_verbatim_copy() {
        let copy = "one two three four five six seven eight nine ten eleven";
        let query = format!("of the\n\n{copy}.\n\nthe first");
        let source = format!("in the {copy}. the last");
        check(&query, &source, CopyKind::Reformatted, &query[3..query.len() - 6], &source[3..source.len() - 5]);
        let copy = format!("{copy} {copy}");
        let query = format!("of the\n\n{copy}.\n\nthe first");
        let source = format!("in the {copy}. the last");
        check(&query, &source, CopyKind::Verbatim, &format!("{copy}."), &format!("{copy}."));
        let query = query.replace("\n\n", "  ");
        check(&query, &source, CopyKind::Reformatted, &query[3..query.len() - 6], &source[3..source.len() - 5]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn spans_are_on_char_boundaries_and_hold_the_matched_words(query in "[ab \u{e9}\u{2014}.\"\n]{0,40}", source in "[ab \u{e9}\u{2014}.\"\n]{0,40}") {
            let (query_words, source_words) = (Text::of(&query), Text::of(&source));
            let seeds = shared_grams(&query_words, &source_words, 1, 1);
            let options = AlignOptions { guaranteed_words: 1, ..AlignOptions::default() };
            let (query_view, source_view) = (query_words.view(), source_words.view());
            for alignment in align_texts(&query_words, &source_words, &seeds, &options).alignments {
                let (kind, query_span, source_span) = classify(&query_view, &source_view, &alignment);
                for (view, span, words) in [
                    (query_view, query_span, alignment.query_words()),
                    (source_view, source_span, alignment.source_words()),
                ] {
                    let text = view.text.get(span.range());
                    prop_assert!(text.is_some_and(|text| text.trim() == text));
                    prop_assert!(text.is_some_and(|text| text.contains(view.stretch(words))));
                }
                prop_assert_eq!(kind == CopyKind::Edited, alignment.runs.len() > 1);
            }
        }
    }
}
