//! What takes the place of a copied stretch, and the sentences that name one: templates with placeholders.

use crate::verify::kind::CopyKind;
use std::fmt::Write as _;
use std::ops::Range;

use serde::Deserialize;

use super::answer::Match;

/// A text with placeholders for the facts of a match: `[removed: {tokens} words from {document}]`.
///
/// Parsed once, when the policy is read. Values come from the corpus, so control characters in them are shown as U+FFFD: one template
/// gives one line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder(Placeholder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Tokens,
    Run,
    Score,
    Kind,
    Document,
    License,
    Origin,
    Uri,
    Documents,
}

impl Placeholder {
    const ALL: [Self; 9] = [
        Self::Tokens,
        Self::Run,
        Self::Score,
        Self::Kind,
        Self::Document,
        Self::License,
        Self::Origin,
        Self::Uri,
        Self::Documents,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Run => "run",
            Self::Score => "score",
            Self::Kind => "kind",
            Self::Document => "document",
            Self::License => "license",
            Self::Origin => "origin",
            Self::Uri => "uri",
            Self::Documents => "documents",
        }
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let accepted = || Placeholder::ALL.map(|placeholder| format!("`{{{}}}`", placeholder.name())).join(", ");
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("`{{` without `}}` in a template: expected one of {}", accepted()))?;
            let placeholder = Placeholder::ALL.into_iter().find(|placeholder| placeholder.name() == name);
            let placeholder = placeholder
                .ok_or_else(|| format!("unknown placeholder `{{{name}}}`: expected one of {}", accepted()))?;
            pieces.push(Piece::Literal(literal.to_owned()));
            pieces.push(Piece::Placeholder(placeholder));
            rest = after;
        }
        pieces.push(Piece::Literal(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Literal(String::new()));
        Ok(Self { pieces })
    }
}

impl Template {
    /// Writes the template with the facts of `found`.
    pub(super) fn render(&self, found: &Match) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Placeholder(placeholder) => render_placeholder(*placeholder, found, &mut out),
            }
        }
        out
    }
}

fn render_placeholder(placeholder: Placeholder, found: &Match, out: &mut String) {
    let written = match placeholder {
        Placeholder::Tokens => write!(out, "{}", found.matched_tokens),
        Placeholder::Run => write!(out, "{}", found.longest_run),
        Placeholder::Score => write!(out, "{:.2}", found.score),
        Placeholder::Documents if found.document_count_capped => write!(out, "at least {}", found.document_count),
        Placeholder::Documents => write!(out, "{}", found.document_count),
        Placeholder::Kind => out.write_str(kind_in_words(found.kind)),
        Placeholder::Document => write_one_line(&found.document.id, out),
        Placeholder::License if found.document.license.is_empty() => out.write_str("licence unknown"),
        Placeholder::License => write_one_line(&found.document.license, out),
        Placeholder::Origin => write_one_line(&found.document.origin, out),
        Placeholder::Uri => write_one_line(&found.document.uri, out),
    };
    written.expect("writing to a string cannot fail");
}

fn write_one_line(value: &str, out: &mut String) -> std::fmt::Result {
    value
        .chars()
        .try_for_each(|char| out.write_char(if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }))
}

fn kind_in_words(kind: CopyKind) -> &'static str {
    match kind {
        CopyKind::Verbatim => "verbatim",
        CopyKind::Reformatted => "reformatted",
        CopyKind::Renamed => "renamed",
        CopyKind::Edited => "edited",
        CopyKind::NearDuplicate => "nearly the same",
    }
}

/// Returns `text` with each matched stretch replaced by `template`, filled in for that match.
///
/// Stretches that overlap become one, named after the first of `matches` in it (the best, as they are sorted); stretches that only touch
/// stay apart. A span that starts or ends inside a character is widened to whole characters, one beyond the text is cut.
pub(super) fn replace(text: &str, matches: &[&Match], template: &Template) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied_to = 0;
    for (stretch, idx) in merge_stretches(text, matches) {
        out.push_str(&text[copied_to..stretch.start]);
        out.push_str(&template.render(matches[idx]));
        copied_to = stretch.end;
    }
    out.push_str(&text[copied_to..]);
    out
}

/// Returns disjoint ranges of whole characters in text order, each with the index of the first match in it.
fn merge_stretches(text: &str, matches: &[&Match]) -> Vec<(Range<usize>, usize)> {
    let mut stretches: Vec<(Range<usize>, usize)> = matches
        .iter()
        .enumerate()
        .map(|(idx, found)| (found.query_span.start_byte as usize..found.query_span.end_byte as usize, idx))
        .filter(|(span, _)| !span.is_empty() && span.start < text.len())
        .map(|(span, idx)| (text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end), idx))
        .collect();
    stretches.sort_by_key(|(stretch, idx)| (stretch.start, *idx));
    let mut merged: Vec<(Range<usize>, usize)> = Vec::with_capacity(stretches.len());
    for (stretch, idx) in stretches {
        match merged.last_mut() {
            Some((last, first_idx)) if stretch.start < last.end => {
                last.end = last.end.max(stretch.end);
                *first_idx = idx.min(*first_idx);
            }
            _ => merged.push((stretch, idx)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::answer::{DocumentRef, LineSpan};

    fn found(start_byte: u32, end_byte: u32, id: &str) -> Match {
        Match {
            kind: CopyKind::Verbatim,
            score: 0.987,
            matched_tokens: 118,
            evidence_bits: 300.0,
            query_span: LineSpan { start_byte, end_byte, start_line: 1, end_line: 1 },
            source_span: LineSpan::default(),
            document: DocumentRef {
                id: id.to_owned(),
                uri: "https://example.org/x".to_owned(),
                license: "CC-BY-4.0".to_owned(),
                origin: "example.org".to_owned(),
                ..DocumentRef::default()
            },
            renames: Vec::new(),
            code: None,
            document_count: 3,
            document_count_capped: false,
            common: false,
            longest_run: 60,
            distinct_words: 50,
            tokens_beyond_prompt: 118,
            source_excerpt: String::new(),
        }
    }

    fn template(text: &str) -> Template {
        Template::try_from(text.to_owned()).expect("a good template")
    }

    #[test]
    fn placeholders_become_facts() {
        let found = found(0, 1, "x");
        for (text, expected) in [
            ("", ""),
            ("removed", "removed"),
            ("{tokens} words from {document}, {license}", "118 words from x, CC-BY-4.0"),
            ("{run}/{score}/{kind}", "60/0.99/verbatim"),
            ("{origin} {uri} {documents}", "example.org https://example.org/x 3"),
            ("{tokens}{tokens}}", "118118}"),
        ] {
            assert_eq!(template(text).render(&found), expected, "{text}");
        }
    }

    #[test]
    fn unknown_licences_and_lower_bounds_are_said() {
        let mut found = found(0, 1, "x");
        found.document.license.clear();
        found.document_count_capped = true;
        assert_eq!(template("{license}, {documents}").render(&found), "licence unknown, at least 3");
    }

    #[test]
    fn a_document_id_cannot_break_the_line() {
        assert_eq!(template("`{document}`").render(&found(0, 1, "a\nb\u{1b}[31m")), "`a\u{fffd}b\u{fffd}[31m`");
    }

    #[test]
    fn bad_templates_are_refused_with_what_is_accepted() {
        for (text, problem) in [
            ("{token}", "unknown placeholder `{token}`: expected one of `{tokens}`, "),
            ("{}", "unknown placeholder `{}`: expected one of "),
            ("{tokens", "`{` without `}` in a template: expected one of `{tokens}`, "),
            ("{{tokens}}", "unknown placeholder `{{tokens}`: expected one of "),
        ] {
            let message = Template::try_from(text.to_owned()).expect_err(text);
            assert!(message.starts_with(problem), "{text}: {message}");
        }
    }

    #[test]
    fn stretches_are_replaced() {
        type Row = (&'static str, &'static [(u32, u32, &'static str)], &'static str);
        let rows: [Row; 12] = [
            ("abcdef", &[], "abcdef"),
            ("abcdef", &[(1, 3, "x")], "a[x]def"),
            ("abcdef", &[(0, 6, "x")], "[x]"),
            ("abcdef", &[(4, 6, "y"), (0, 2, "x")], "[x]cd[y]"),
            // Overlapping: one stretch, named after the better match.
            ("abcdef", &[(2, 5, "best"), (1, 3, "x")], "a[best]f"),
            ("abcdef", &[(1, 5, "outer"), (2, 3, "inner")], "a[outer]f"),
            ("abcdef", &[(2, 3, "inner"), (1, 5, "outer")], "a[inner]f"),
            // Touching: two stretches.
            ("abcdef", &[(0, 2, "x"), (2, 4, "y")], "[x][y]ef"),
            // Inside a character: the whole character goes.
            ("aé世b", &[(2, 4, "x")], "a[x]b"),
            // Beyond the text: cut; empty: nothing.
            ("abc", &[(2, 99, "x")], "ab[x]"),
            ("abc", &[(7, 9, "x")], "abc"),
            ("abc", &[(1, 1, "x")], "abc"),
        ];
        for (text, spans, expected) in rows {
            let matches: Vec<Match> = spans.iter().map(|&(start, end, id)| found(start, end, id)).collect();
            let matches: Vec<&Match> = matches.iter().collect();
            assert_eq!(replace(text, &matches, &template("[{document}]")), expected, "{text} {spans:?}");
        }
    }

    /// Marks every byte that some widened span covers, then copies the rest; runs of marked bytes vanish, as the template is empty.
    fn replace_naively(text: &str, spans: &[(u32, u32)]) -> String {
        text.char_indices()
            .filter(|(at, char)| {
                let char_span = *at..*at + char.len_utf8();
                !spans.iter().any(|&(start, end)| {
                    start < end && (start as usize) < char_span.end && (end as usize) > char_span.start
                })
            })
            .map(|(_, char)| char)
            .collect()
    }

    proptest! {
        #[test]
        fn what_no_match_covers_is_kept(text in "[aé世\n]{0,30}", spans in prop::collection::vec((0u32..80, 0u32..80), 0..6)) {
            let spans: Vec<(u32, u32)> = spans.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let matches: Vec<Match> = spans.iter().map(|&(start, end)| found(start, end, "x")).collect();
            let matches: Vec<&Match> = matches.iter().collect();
            prop_assert_eq!(replace(&text, &matches, &template("")), replace_naively(&text, &spans));
        }
    }
}
