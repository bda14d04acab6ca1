//! Lexical candidates: heavily edited copies are found, in every shape of index, and what shares words but not their order is not.

use std::sync::Arc;

use copytrace::check::answer::{Action, Answer};
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::Document;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::BuildOptions;
use copytrace_indexer::recipe::PUBLIC_SEED;

use crate::corpora::{add, document, document_of, engine_by_default, request};

/// Word number n of a made-up language; low numbers are frequent, as in prose.
fn word(n: u64) -> String {
    let syllables = ["ba", "do", "fi", "gu", "ke", "la", "mi", "no", "pe", "ru", "sa", "to", "vi", "wo", "zu", "ny"];
    let mut spelled = String::new();
    let mut rest = n;
    loop {
        spelled.push_str(syllables[usize::try_from(rest % 16).unwrap()]);
        rest /= 16;
        if rest == 0 {
            return spelled;
        }
    }
}

/// Words drawn as in prose, the same for the same seed: number r with a probability of about 1 / r.
fn prose(seed: u64, n_words: usize) -> Vec<String> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11
    };
    // As many words of each octave of ranks.
    let mut draw = || {
        let first = 1 << (next() % 14);
        first + next() % first
    };
    (0..n_words).map(|_| word(draw())).collect()
}

fn with_every(step: usize, words: &[String], change: impl Fn(usize, &str) -> String) -> Vec<String> {
    let changed = words.iter().enumerate();
    changed.map(|(n, word)| if n % step == step - 1 { change(n, word) } else { word.clone() }).collect()
}

/// Every fifth word replaced by another of the language.
fn every_fifth_substituted(words: &[String]) -> Vec<String> {
    let others = prose(99, words.len());
    with_every(5, words, |n, _| others[n].clone())
}

/// Documents of 400 words, `seed` is the id.
fn documents(seeds: std::ops::Range<u64>) -> Vec<Document> {
    seeds.map(|seed| document(format!("d{seed}"), prose(seed, 400).join(" "))).collect()
}

/// A copy of words 100 to 220 of a document, edited, between strangers; and the bytes where it stands.
fn text_with(copy: &[String]) -> (String, std::ops::Range<u32>) {
    let (before, after) = (prose(7_001, 70).join(" "), prose(7_002, 70).join(" "));
    let copy = copy.join(" ");
    let start = before.len() + 1;
    let span = u32::try_from(start).unwrap()..u32::try_from(start + copy.len()).unwrap();
    (format!("{before}\n{copy}\n{after}"), span)
}

fn passage(seed: u64) -> Vec<String> {
    prose(seed, 400)[100..220].to_vec()
}

fn check_found(engine: &Engine, copy: &[String], id: &str) {
    let (text, span) = text_with(copy);
    let answer = engine.check(&request(text)).unwrap();
    let found = answer.matches.iter().find(|found| found.document.id == id);
    let found = found.unwrap_or_else(|| panic!("`{id}` is not among {:?}", summary(&answer)));
    let own = found.query_span;
    let shared = own.end_byte.min(span.end).saturating_sub(own.start_byte.max(span.start));
    let both = own.end_byte.max(span.end) - own.start_byte.min(span.start);
    assert!(f64::from(shared) >= 0.9 * f64::from(both), "{own:?} for {span:?}");
    assert_eq!(answer.verdict.action, Action::Flag, "{:?}", summary(&answer));
    assert_eq!(answer.degraded, Vec::<String>::new());
    assert!(found.evidence_bits > 10.0, "{}", found.evidence_bits);
}

fn check_allowed(engine: &Engine, text: impl Into<String>) {
    let answer = engine.check(&request(text)).unwrap();
    assert_eq!(answer.verdict.action, Action::Allow, "{:?}", summary(&answer));
}

fn summary(answer: &Answer) -> Vec<(String, u32)> {
    answer.matches.iter().map(|found| (found.document.id.clone(), found.matched_tokens)).collect()
}

fn engine_of(storage: &dyn Storage) -> Engine {
    Engine::new([("test".to_owned(), Index::open(storage, PUBLIC_SEED).unwrap())], Policy::default_policy())
}

#[test]
fn heavy_edits_are_found_in_indexes_of_every_size() {
    for n_docs in [1, 3, 50, 600] {
        let engine = engine_by_default(documents(0..n_docs));
        for seed in [0, n_docs / 2, n_docs - 1] {
            let (words, id) = (passage(seed), format!("d{seed}"));
            check_found(&engine, &every_fifth_substituted(&words), &id);
            check_found(&engine, &with_every(4, &words, |_, _| "xylophone".to_owned()), &id);
            check_found(&engine, &with_every(7, &words, |_, word| format!("{word} inserted")), &id);
            check_found(&engine, &with_every(6, &words, |_, _| String::new()), &id);
        }
    }
}

#[test]
fn without_lexical_candidates_they_are_not() {
    let engine = engine_by_default(documents(0..50));
    let copy = with_every(5, &passage(3), |n, _| format!("new{n}"));
    let (text, _) = text_with(&copy);
    let off = Request { is_lexical: false, ..request(text.clone()) };
    assert_eq!(summary(&engine.check(&off).unwrap()), []);
    assert_eq!(engine.check(&request(text)).unwrap().matches.len(), 1);
}

#[test]
fn documents_of_all_segments_are_nominated_and_removed_ones_never() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    for first in [0, 40, 80] {
        add(&storage, documents(first..first + 40), BuildOptions::default());
    }
    let engine = engine_of(&*storage);
    for seed in [5, 45, 119] {
        check_found(&engine, &every_fifth_substituted(&passage(seed)), &format!("d{seed}"));
    }
    // A document that comes again with another text takes the place of the one that was there.
    add(&storage, vec![document("d5", prose(5_000, 400).join(" "))], BuildOptions::default());
    let engine = engine_of(&*storage);
    check_allowed(&engine, text_with(&every_fifth_substituted(&passage(5))).0);
    check_found(&engine, &every_fifth_substituted(&passage(45)), "d45");
    check_found(&engine, &every_fifth_substituted(&passage(5_000)), "d5");
}

#[test]
fn a_passage_deep_in_a_long_document_is_found() {
    let mut corpus = documents(0..20);
    let long: Vec<String> = (500..800).flat_map(|seed| prose(seed, 400)).collect();
    let long = long.join(" ");
    assert!(long.len() > 600 << 10, "{} bytes: more than two chunks", long.len());
    corpus.push(document("long", long));
    let engine = engine_by_default(corpus);
    for seed in [500, 640, 799] {
        check_found(&engine, &every_fifth_substituted(&passage(seed)), "long");
    }
}

#[test]
fn scripts_without_spaces_are_found_too() {
    let spell = |words: &[String]| -> Vec<String> {
        let char = |word: &String| {
            let number = word.bytes().fold(0_u32, |number, byte| (number * 31 + u32::from(byte)) % 3_000);
            char::from_u32(0x4E00 + number).unwrap().to_string()
        };
        words.iter().map(char).collect()
    };
    let corpus = (0..100).map(|seed| document(format!("d{seed}"), spell(&prose(seed, 400)).concat()));
    let engine = engine_by_default(corpus.collect());
    for seed in [0, 50, 99] {
        let copy = spell(&every_fifth_substituted(&passage(seed)));
        let answer = engine.check(&request(copy.concat())).unwrap();
        assert_eq!(answer.matches[0].document.id, format!("d{seed}"), "{:?}", summary(&answer));
        assert!(answer.matches[0].matched_tokens >= 90, "{:?}", summary(&answer));
    }
}

#[test]
fn the_same_words_in_another_order_are_no_copy() {
    let engine = engine_by_default(documents(0..200));
    for seed in 0..40 {
        let mut words = passage(seed);
        words.reverse();
        check_allowed(&engine, words.join(" "));
        let half = words.len() / 2;
        let dealt: Vec<String> = (0..half).flat_map(|n| [words[n].clone(), words[n + half].clone()]).collect();
        check_allowed(&engine, dealt.join(" "));
        check_allowed(&engine, prose(seed + 10_000, 300).join(" "));
    }
}

#[test]
fn two_sorted_lists_share_their_order_without_a_copy() {
    let mut names: Vec<String> = (0..600).map(word).collect();
    names.sort();
    let list = |step: usize| names.iter().step_by(step).cloned().collect::<Vec<_>>().join(" ");
    let mut corpus = documents(0..50);
    corpus.push(document("names", list(1)));
    let engine = engine_by_default(corpus);
    // Of four names in a row one is missing.
    let some: Vec<String> =
        names.iter().enumerate().filter(|(n, _)| n % 4 != 3).map(|(_, name)| name.clone()).collect();
    check_allowed(&engine, some[..120].join(" "));
    let numbers = |step: usize| (1..400).filter(|n| n % step != 0).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let engine = engine_by_default(vec![document("numbers", numbers(1_000)), document("other", list(1))]);
    check_allowed(&engine, numbers(4));
}

#[test]
fn an_edited_passage_of_many_origins_is_common() {
    let words = passage(1_000);
    let hold = |origin: u64| {
        let text = [prose(origin, 100), words.clone(), prose(origin + 500, 100)].concat().join(" ");
        document_of(&format!("origin-{origin}"), format!("d{origin}"), text)
    };
    let strangers = || documents(2_000..2_100);
    let copy = with_every(5, &words, |n, _| format!("new{n}"));
    let check = |n_origins: u64, is_common: bool| {
        let engine = engine_by_default((0..n_origins).map(hold).chain(strangers()).collect());
        let answer = engine.check(&request(copy.join(" "))).unwrap();
        let found: Vec<_> = answer.matches.iter().map(|found| (found.common, found.document_count)).collect();
        let n_docs = u32::try_from(n_origins).unwrap();
        assert!(!found.is_empty() && found.iter().all(|&found| found == (is_common, n_docs)), "{n_origins}: {found:?}");
        assert_eq!(answer.verdict.action == Action::Allow, is_common);
    };
    check(3, false);
    check(7, false);
    check(8, true);
    check(30, true);
}

#[test]
fn a_passage_found_in_part_is_extended_by_its_edited_rest() {
    let engine = engine_by_default(documents(0..200));
    let words = prose(17, 400)[100..300].to_vec();
    // Verbatim at first, then a gap that alignment does not cross by itself, then every fourth word changed.
    let gap: Vec<String> = (0..14).map(|n| format!("gap{n}")).collect();
    let rest = with_every(4, &words[74..], |n, _| format!("new{n}"));
    let copy = [words[..60].to_vec(), gap, rest].concat();
    let answer = engine.check(&request(copy.join(" "))).unwrap();
    assert_eq!(summary(&answer).len(), 1, "{:?}", summary(&answer));
    assert!(answer.matches[0].matched_tokens >= 60 + 126 * 3 / 4 - 4, "{:?}", summary(&answer));
}

#[test]
fn words_that_removed_documents_had_are_as_rare_as_before() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    // Twenty documents with the words of one: in the dictionary still after they are removed.
    let words = passage(3);
    let again =
        (0..20).map(|n| document(format!("removed {n}"), [prose(n + 900, 300), words.clone()].concat().join(" ")));
    add(&storage, documents(0..3).into_iter().chain(again).chain(documents(3..4)).collect(), BuildOptions::default());
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let removed = (0..20).map(|n| format!("removed {n}")).collect();
    copytrace_indexer::removal::remove(&mut writer, &copytrace_indexer::removal::Selection::Ids(removed)).unwrap();
    check_found(&engine_of(&*storage), &every_fifth_substituted(&words), "d3");
}

#[test]
fn a_copy_is_found_where_its_words_have_more_postings_than_are_read() {
    // 25,000 notes of 12 words out of 300, so that a word stands in a thousand of them: 16 words have more than 16,384 postings.
    let note = |n: u64, n_words: u64| -> Vec<String> {
        let mut state = n;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % 300
        };
        (0..n_words).map(|_| word(4_096 + next())).collect()
    };
    let mut corpus: Vec<Document> = (0..25_000).map(|n| document(format!("note {n}"), note(n, 12).join(" "))).collect();
    let words = note(77_777, 120);
    corpus.push(document("minutes", words.join(" ")));
    let engine = engine_by_default(corpus);
    let text = with_every(5, &words, |n, _| format!("new{n}")).join(" ");
    let answer = engine.check(&request(text)).unwrap();
    let found: Vec<_> = answer.matches.iter().map(|found| (found.document.id.as_str(), found.matched_tokens)).collect();
    assert!(found.len() == 1 && found[0].0 == "minutes" && found[0].1 >= 92, "{found:?}");
    check_allowed(&engine, note(88_888, 120).join(" "));
}

#[test]
fn tables_bibliographies_and_forms_share_their_order_without_a_copy() {
    type Row = fn(usize, &str, u64) -> String;
    let names = |from: u64, n: u64| -> Vec<String> {
        let mut names: Vec<String> = (0..n).map(|n| word(4_096 + n * 7 + from)).collect();
        names.sort();
        names
    };
    // Rows of a sorted name and columns that repeat or differ; of ten rows one is missing, and the columns are others.
    let shapes: [(&str, Row); 5] = [
        ("table", |n, name, other| format!("{name} open {} yes\n", n as u64 * 37 % 11 * other)),
        ("bibliography", |n, name, other| {
            let n = n as u64 + 1;
            format!("{name} and others, journal of {}, volume {}\n", word(9_000 + n * other), n * other)
        }),
        ("form", |n, name, other| format!("name {name} date {} signature\n", n as u64 * 8 + other)),
        ("ledger", |n, name, other| format!("{name} paid in {}\n", word(9_000 + (n as u64 + 1) * other))),
        ("register", |n, name, other| format!("{name} {}\n", word(12_000 + n as u64 * 13 * other % 977))),
    ];
    for (shape, row) in shapes {
        let all = names(0, 120);
        let source: String = all.iter().enumerate().map(|(n, name)| row(n, name, 1)).collect();
        let some = all.iter().enumerate().filter(|(n, _)| n % 10 != 9);
        let query: String = some.map(|(n, name)| row(n, name, 5)).collect();
        let mut corpus = documents(0..50);
        corpus.push(document(shape, source));
        let answer = engine_by_default(corpus).check(&request(query)).unwrap();
        assert_eq!(answer.verdict.action, Action::Allow, "{shape}: {:?}", summary(&answer));
    }
}

#[test]
fn a_deadline_that_passed_is_said() {
    let engine = engine_by_default(documents(0..50));
    let (text, _) = text_with(&every_fifth_substituted(&passage(3)));
    let late = Request { deadline: Some(std::time::Instant::now()), ..request(text) };
    let answer = engine.check(&late).unwrap();
    assert!(answer.degraded.iter().any(|reason| reason.contains("rare words")), "{:?}", answer.degraded);
    assert_ne!(answer.verdict.action, Action::Allow);
}
