//! The answer as people see it: every kind of match, at several widths, with and without colour, and with hostile text.

use std::fmt::Write as _;

use std::ops::Range;

use copytrace::check::answer::{
    Action, Answer, CodeFacts, DocumentRef, IndexVersion, LineSpan, Match, Rename, Verdict,
};
use copytrace::verify::kind::CopyKind;
use copytrace_indexer::span::Span;

use super::fake::Fake;
use super::{Run, assert_snapshot};

const RAVEN: &str = "\
Once upon a midnight dreary, while I pondered, weak and weary,
Over many a quaint and curious volume of forgotten lore—
    While I nodded, nearly napping, suddenly there came a tapping,
As of some one gently rapping, rapping at my chamber door.
“’Tis some visitor,” I muttered, “tapping at my chamber door—
            Only this and nothing more.”
";

/// The poem with words exchanged, put in and left out.
const RAVEN_EDITED: &str = "\
Once upon a midnight gloomy, while I pondered, weak and weary,
Over many a quaint and curious book of forgotten lore—
While I nodded, nearly napping, suddenly there came a loud tapping,
As of some one rapping, rapping at my chamber door.
“’Tis some visitor,” I muttered, “tapping at my chamber door—
Only this and nothing more.”
";

const CODE: &str = "\
def total(items):
    result = 0
    for item in items:
        if item.price > 0:
            result += item.price * item.count
    return result
";

const CODE_RENAMED: &str = "\
def sum_up(entries):
    acc = 0
    for entry in entries:
        if entry.price > 0:
            acc += entry.price * entry.count
    return acc
";

fn span(text: &str, range: Range<usize>, lines_before: u32) -> LineSpan {
    let bound = |byte: usize| u32::try_from(byte).expect("a short text");
    let (start_line, end_line) = Span::new(bound(range.start), bound(range.end)).lines(text);
    LineSpan {
        start_byte: bound(range.start),
        end_byte: bound(range.end),
        start_line: start_line + lines_before,
        end_line: end_line + lines_before,
    }
}

fn found(kind: CopyKind, text: &str, range: Range<usize>, source: &str) -> Match {
    Match {
        kind,
        score: 0.931,
        matched_tokens: 54,
        evidence_bits: 120.0,
        query_span: span(text, range, 0),
        source_span: span(source, 0..source.len(), 300),
        document: DocumentRef {
            id: "poems.jsonl.gz:17".into(),
            uri: "https://example.org/poe/the-raven".into(),
            license: "CC-BY-SA-4.0".into(),
            origin: "example.org".into(),
            shard: "0017".into(),
            index: "books".into(),
        },
        renames: Vec::new(),
        code: None,
        document_count: 7,
        document_count_capped: false,
        common: false,
        longest_run: 54,
        distinct_words: 40,
        tokens_beyond_prompt: 54,
        source_excerpt: source.into(),
    }
}

fn answer(action: Action, reason: &str, matches: Vec<Match>) -> Answer {
    Answer {
        id: "q".into(),
        verdict: Verdict { action, rule_id: "long-run".into(), reason: reason.into(), ..Verdict::default() },
        matches,
        indexes: vec![IndexVersion { name: "books".into(), generation: 7 }],
        checked_bytes: 1_512,
        ..Answer::default()
    }
}

fn shown(answer: &Answer, text: &str, change: impl Fn(Run) -> Run) -> String {
    let answer = answer.clone();
    let fake = Fake::responding(move |_| Ok(answer.clone()));
    let outcome = change(Run::new("check --index i").stdin(text)).over(&fake);
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

/// Compares an answer with its snapshots: wide, 80 columns, narrow, and in colour.
fn check(name: &str, text: &str, answer: &Answer) {
    let mut report = String::new();
    for columns in [120, 80, 56] {
        let shown = shown(answer, text, |run| run.columns(columns));
        let _ = write!(report, "======== {columns} columns\n{shown}");
    }
    let coloured = shown(answer, text, |run| run.columns(100).colour());
    let _ = write!(report, "======== 100 columns, in colour\n{}", coloured.replace('\u{1b}', "\\e"));
    assert_snapshot(&format!("answer-{name}.txt"), &report);
}

#[test]
fn word_for_word() {
    let text = format!("Here is what I found for you:\n{RAVEN}I hope that you like it.\n");
    let start = text.find("Once").expect("the poem is in it");
    let found = found(CopyKind::Verbatim, &text, start..start + RAVEN.len() - 1, RAVEN);
    check("verbatim", &text, &answer(Action::Flag, "54 words in a row stand in one document.", vec![found]));
}

#[test]
fn reformatted() {
    let flowing = RAVEN.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let found = Match {
        document: DocumentRef {
            license: String::new(),
            shard: String::new(),
            ..found(CopyKind::Verbatim, "", 0..0, "").document
        },
        document_count: 64,
        document_count_capped: true,
        ..found(CopyKind::Reformatted, &flowing, 0..flowing.len(), RAVEN)
    };
    check("reformatted", &flowing, &answer(Action::Block, "The text is a copy of a whole poem.", vec![found]));
}

#[test]
fn edited() {
    let found = found(CopyKind::Edited, RAVEN_EDITED, 0..RAVEN_EDITED.len() - 1, &RAVEN[..RAVEN.len() - 1]);
    check("edited", RAVEN_EDITED, &answer(Action::Flag, "54 words are copied with small changes.", vec![found]));
}

#[test]
fn renamed() {
    let rename = |query: &str, source: &str| Rename { query: query.into(), source: source.into() };
    let found = Match {
        renames: vec![
            rename("total", "sum_up"),
            rename("items", "entries"),
            rename("item", "entry"),
            rename("result", "acc"),
        ],
        document_count: 1,
        code: Some(CodeFacts::default()),
        ..found(CopyKind::Renamed, CODE, 0..CODE.len(), CODE_RENAMED)
    };
    let edited = Match { kind: CopyKind::Edited, renames: Vec::new(), ..found.clone() };
    check("renamed", CODE, &answer(Action::Flag, "A function is copied with other names.", vec![found, edited]));
}

#[test]
fn nearly_the_same_document() {
    let text = format!("{RAVEN_EDITED}\n").repeat(8);
    let source = format!("{RAVEN}\n").repeat(8);
    let mut found = found(CopyKind::NearDuplicate, &text, 0..text.len(), &source);
    // As the engine does, the excerpt is cut.
    found.source_excerpt.truncate(found.source_excerpt.floor_char_boundary(1000));
    check("near-duplicate", &text, &answer(Action::Flag, "The text is nearly the same as a document.", vec![found]));
}

#[test]
fn common_text_and_long_lists() {
    let line = "Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use this file except in compliance.\n";
    let text = line.repeat(4);
    let one = Match {
        common: true,
        document_count: 64,
        document_count_capped: true,
        ..found(CopyKind::Verbatim, &text, 0..text.len(), &text)
    };
    let mut matches = vec![one; 13];
    for found in &mut matches[1..] {
        found.common = false;
        found.document.uri = String::new();
    }
    check("many", &text, &answer(Action::Allow, "Only common text was found.", matches));
}

#[test]
fn without_matches() {
    let mut clean = answer(Action::Allow, "", Vec::new());
    clean.verdict.rule_id = String::new();
    clean.indexes.push(IndexVersion { name: "code".into(), generation: 2 });
    check("clean", "text", &clean);
    let mut incomplete =
        answer(Action::Unspecified, "The deadline passed before the whole text was looked at.", Vec::new());
    incomplete.degraded = vec!["lexical: deadline of 250 ms passed".into(), "units: the code does not parse".into()];
    check("incomplete", "text", &incomplete);
}

#[test]
fn replaced() {
    let mut swapped = answer(Action::Replace, "The text is a copy of a whole poem.", Vec::new());
    swapped.verdict.replacement =
        "I cannot quote this poem in full.\nIt stands at https://example.org/poe/the-raven.".into();
    check("replaced", RAVEN, &swapped);
}

#[test]
fn two_indexes_are_told_apart() {
    let mut two = answer(
        Action::Flag,
        "54 words in a row stand in one document.",
        vec![
            found(CopyKind::Verbatim, RAVEN, 0..62, &RAVEN[..62]),
            found(CopyKind::Verbatim, RAVEN, 63..121, &RAVEN[63..121]),
        ],
    );
    two.matches[1].document.index = "web".into();
    // A source that may not be shown.
    two.matches[1].kind = CopyKind::Edited;
    two.matches[1].source_excerpt = String::new();
    two.indexes.push(IndexVersion { name: "web".into(), generation: 12 });
    check("two-indexes", RAVEN, &two);
}

/// Texts and names that try to steer the terminal.
fn hostile() -> (String, Answer) {
    let text = "normal \u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{202e}txt.exe\u{202c} a\u{200b}b\r\nback\u{8}space \u{9b}2J\tand 漢字 e\u{301}\n";
    let source = "normal [31mred plain title \u{2066}other\u{2069}\nbackspace and 漢語 é\n";
    let evil = "evil\u{1b}[2J\u{202e}\nALLOW  No copy was found.";
    let mut found = found(CopyKind::Edited, text, 0..text.len(), source);
    found.document = DocumentRef {
        id: evil.into(),
        uri: format!("https://{evil}"),
        license: evil.into(),
        origin: evil.into(),
        shard: format!("{}end", "x".repeat(4000)),
        index: evil.into(),
    };
    found.renames = vec![Rename { query: evil.into(), source: evil.into() }];
    let mut answer = answer(Action::Flag, evil, vec![found]);
    answer.verdict.rule_id = evil.into();
    answer.degraded = vec![evil.into()];
    answer.indexes[0].name = evil.into();
    (text.to_owned(), answer)
}

#[test]
fn hostile_text_cannot_steer_the_terminal() {
    let (text, answer) = hostile();
    check("hostile", &text, &answer);
    for columns in [20, 80, 120] {
        let shown = shown(&answer, &text, |run| run.columns(columns));
        let steering = |character: char| {
            (character.is_control() && character != '\n')
                || matches!(character, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!shown.contains(steering), "{columns}: {shown}");
        assert!(!shown.lines().any(|line| line.starts_with("ALLOW")), "{shown}");
    }
    let json = shown(&answer, &text, |run| run.arg("--format").arg("json"));
    assert!(!json.trim_end().contains(|character: char| character.is_control() || character == '\u{202e}'), "{json}");
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let found = found(CopyKind::Edited, RAVEN_EDITED, 0..RAVEN_EDITED.len(), RAVEN);
    let answer = answer(Action::Flag, "Copied.", vec![found]);
    for (flag, has_colour, expected) in
        [("auto", true, true), ("auto", false, false), ("always", false, true), ("never", true, false)]
    {
        let shown = shown(&answer, RAVEN_EDITED, |run| Run { has_colour, ..run }.arg("--color").arg(flag));
        assert_eq!(shown.contains('\u{1b}'), expected, "{flag}");
        // What differs is told in brackets where it cannot be told in colour.
        assert_eq!(shown.contains("[gloomy]"), !expected, "{flag}");
    }
}

#[test]
fn spans_that_do_not_fit_the_text_do_no_harm() {
    for range in [0..5000, 40..41, 5000..6000] {
        let mut found = found(CopyKind::Edited, RAVEN, 0..10, RAVEN);
        found.query_span.start_byte = u32::try_from(range.start).expect("small");
        found.query_span.end_byte = u32::try_from(range.end).expect("small");
        let shown = shown(&answer(Action::Flag, "Copied.", vec![found]), "è短い", |run| run);
        assert!(shown.starts_with("FLAG"), "{shown}");
    }
}
