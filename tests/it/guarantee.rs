//! The guarantee: every run of 25 words that a text shares with a document is found, with exact boundaries.
//!
//! Random corpora and texts are compared with brute force over all pairs of word positions: plain vocabularies, tiny ones, repeated
//! words, scripts without spaces, short documents, and passages in more documents than an index keeps of one k-gram.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use copytrace::check::answer::{Action, Match};
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::Document;
use copytrace_indexer::index::segment_writer::Profile;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::pipeline::BuildOptions;
use copytrace_indexer::recipe::PUBLIC_SEED;

use crate::corpora::{Random, add, document, document_of, engine, listing_policy, request};

const GUARANTEE_WORDS: usize = 25;
const GRAM_WORDS: usize = 8;
/// Documents that are aligned for one passage; more are counted.
const DOCS_PER_PASSAGE: usize = 4;
const CASES_PER_CORPUS: usize = 100;

/// How words look and are joined.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    n_distinct: usize,
    is_cjk: bool,
}

impl Kind {
    fn word(self, number: usize) -> String {
        if self.is_cjk {
            return char::from_u32(0x4E00 + u32::try_from(number).unwrap()).unwrap().to_string();
        }
        format!("w{number}")
    }

    fn join(self, words: &[usize]) -> String {
        let words: Vec<String> = words.iter().map(|&word| self.word(word)).collect();
        words.join(if self.is_cjk { "" } else { " " })
    }

    fn words(self, random: &mut Random, n: usize) -> Vec<usize> {
        (0..n).map(|_| random.below(self.n_distinct)).collect()
    }
}

/// A maximal run of equal words: place in the text and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CommonRun {
    query: usize,
    source: usize,
    len: usize,
}

/// All maximal common runs of at least 25 words, by dynamic programming over all pairs of positions.
fn common_runs(query: &[usize], source: &[usize]) -> Vec<CommonRun> {
    let mut runs = Vec::new();
    let mut lengths = vec![0_usize; source.len() + 1];
    for q in 0..query.len() {
        for s in (0..source.len()).rev() {
            lengths[s + 1] = if query[q] == source[s] { lengths[s] + 1 } else { 0 };
            let is_maximal = q + 1 == query.len() || s + 1 == source.len() || query[q + 1] != source[s + 1];
            if lengths[s + 1] >= GUARANTEE_WORDS && is_maximal {
                let len = lengths[s + 1];
                runs.push(CommonRun { query: q + 1 - len, source: s + 1 - len, len });
            }
        }
        lengths[0] = 0;
    }
    runs
}

/// Byte range of each word of a text made by [`Kind::join`].
fn word_spans(kind: Kind, words: &[usize]) -> Vec<(u32, u32)> {
    let mut at = 0;
    let mut spans = Vec::new();
    for &word in words {
        let end = at + kind.word(word).len();
        spans.push((u32::try_from(at).unwrap(), u32::try_from(end).unwrap()));
        at = end + usize::from(!kind.is_cjk);
    }
    spans
}

/// Words of the text that each document's matches cover.
fn covered_words<'a>(matches: &'a [Match], spans: &[(u32, u32)]) -> BTreeMap<&'a str, BTreeSet<usize>> {
    let mut covered: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for found in matches {
        let span = found.query_span;
        let words = (0..spans.len()).filter(|&word| span.start_byte <= spans[word].0 && spans[word].1 <= span.end_byte);
        covered.entry(&found.document.id).or_default().extend(words);
    }
    covered
}

fn check_corpus(kind: Kind, seed: u64, make: impl Fn(Kind, &mut Random) -> Vec<Vec<usize>>) -> usize {
    let mut random = Random(seed);
    let documents = make(kind, &mut random);
    let rows: Vec<Document> =
        documents.iter().enumerate().map(|(n, words)| document(format!("d{n}"), kind.join(words))).collect();
    let engine = engine(rows);
    for case in 0..CASES_PER_CORPUS {
        let query = make_query(kind, &documents, &mut random);
        let text = kind.join(&query);
        // The guarantee is of anchors alone; what lexical candidates add must leave it whole.
        let answer = engine.check(&Request { is_lexical: case % 8 == 0, ..request(text.clone()) }).unwrap();
        // Texts of a dozen words are all similar to each other; passages are found all the same.
        let is_plain =
            |degraded: &String| degraded.ends_with("more similar documents than are compared") && kind.n_distinct <= 12;
        assert!(answer.degraded.iter().all(is_plain), "{:?}", answer.degraded);
        let spans = word_spans(kind, &query);
        let covered = covered_words(&answer.matches, &spans);
        let context = || format!("{}, seed {seed}, case {case}: {text:?}", kind.name);
        for (n, words) in documents.iter().enumerate() {
            let id = format!("d{n}");
            for run in common_runs(&query, words) {
                let needed = run.query..run.query + run.len;
                let holds = |words: &BTreeSet<usize>| needed.clone().all(|word| words.contains(&word));
                let is_found = covered.get(id.as_str()).is_some_and(holds);
                let n_others = covered.values().filter(|words| holds(words)).count();
                let is_capped = answer.matches.iter().any(|found| found.document_count_capped);
                assert!(
                    is_found || n_others >= DOCS_PER_PASSAGE || is_capped,
                    "{}: {id} {run:?} is missing",
                    context()
                );
                // Of a passage in more documents than are kept, some are named, and the answer says that there are more. They need not go
                // on as this one does.
                let holds_part = |words: &BTreeSet<usize>| words.range(needed.clone()).count() >= GRAM_WORDS;
                assert!(covered.values().any(holds_part), "{}: no source at all for {run:?}", context());
            }
        }
        check_boundaries(&answer.matches, kind, &documents, &query, &spans, &context);
    }
    CASES_PER_CORPUS
}

/// A match of one run only is a maximal common run: equal inside, different or at an end on both sides.
fn check_boundaries(
    matches: &[Match],
    kind: Kind,
    documents: &[Vec<usize>],
    query: &[usize],
    spans: &[(u32, u32)],
    context: &dyn Fn() -> String,
) {
    for found in matches.iter().filter(|found| found.longest_run == found.matched_tokens && found.score >= 1.0) {
        let n: usize = found.document.id[1..].parse().unwrap();
        let source = &documents[n];
        let source_spans = word_spans(kind, source);
        let at = |spans: &[(u32, u32)], byte: u32| spans.iter().position(|span| span.0 == byte);
        let query_start = at(spans, found.query_span.start_byte).unwrap_or_else(|| panic!("{}: start", context()));
        let source_start =
            at(&source_spans, found.source_span.start_byte).unwrap_or_else(|| panic!("{}: start", context()));
        let len = found.matched_tokens as usize;
        assert_eq!(query[query_start..query_start + len], source[source_start..source_start + len], "{}", context());
        let is_start = query_start == 0 || source_start == 0 || query[query_start - 1] != source[source_start - 1];
        let (query_end, source_end) = (query_start + len, source_start + len);
        let is_end = query_end == query.len() || source_end == source.len() || query[query_end] != source[source_end];
        assert!(is_start && is_end, "{}: {found:?} could be longer", context());
    }
}

/// A text of random words and passages of random documents, whole or cut.
fn make_query(kind: Kind, documents: &[Vec<usize>], random: &mut Random) -> Vec<usize> {
    let mut query = Vec::new();
    for _ in 0..random.between(1, 3) {
        let n_words = random.between(0, 30);
        query.extend(kind.words(random, n_words));
        let source = &documents[random.below(documents.len())];
        if source.is_empty() {
            continue;
        }
        let len = random.between(1, 60).min(source.len());
        let start = random.below(source.len() - len + 1);
        query.extend_from_slice(&source[start..start + len]);
    }
    query
}

fn independent(kind: Kind, random: &mut Random) -> Vec<Vec<usize>> {
    (0..12)
        .map(|_| {
            let n_words = random.between(0, 150);
            kind.words(random, n_words)
        })
        .collect()
}

/// Documents that share passages with each other, some of them short, some periodic.
fn related(kind: Kind, random: &mut Random) -> Vec<Vec<usize>> {
    let passages: Vec<Vec<usize>> = (0..4).map(|_| kind.words(random, 40)).collect();
    (0..16)
        .map(|n| match n % 4 {
            0 => kind.words(random, 10),
            1 => kind.words(random, 3).repeat(20),
            _ => {
                let mut words = kind.words(random, 20);
                words.extend_from_slice(&passages[random.below(passages.len())]);
                words.extend(kind.words(random, 15));
                words
            }
        })
        .collect()
}

/// One passage in more documents than are kept of one k-gram.
fn over_cap(kind: Kind, random: &mut Random) -> Vec<Vec<usize>> {
    let passage = kind.words(random, 40);
    (0..90)
        .map(|_| {
            let mut words = kind.words(random, 5);
            words.extend_from_slice(&passage);
            words.extend(kind.words(random, 5));
            words
        })
        .collect()
}

#[test]
fn every_common_run_of_25_words_is_found_with_exact_boundaries() {
    let plain = Kind { name: "plain", n_distinct: 5000, is_cjk: false };
    let small = Kind { name: "small vocabulary", n_distinct: 12, is_cjk: false };
    let tiny = Kind { name: "two words", n_distinct: 2, is_cjk: false };
    let one = Kind { name: "one word", n_distinct: 1, is_cjk: false };
    let cjk = Kind { name: "Han", n_distinct: 3000, is_cjk: true };
    let mut n_cases = 0;
    for round in 0..34 {
        n_cases += check_corpus(plain, round, independent);
        n_cases += check_corpus(plain, 100 + round, related);
        n_cases += check_corpus(small, 200 + round, related);
        n_cases += check_corpus(cjk, 300 + round, related);
        n_cases += check_corpus(tiny, 400 + round, independent);
    }
    for round in 0..10 {
        n_cases += check_corpus(one, 500 + round, independent);
        n_cases += check_corpus(plain, 600 + round, over_cap);
        n_cases += check_corpus(cjk, 700 + round, over_cap);
    }
    assert!(n_cases >= 20_000, "{n_cases} cases");
}

const PASSAGE: &str = "a passage of some thirty words that many documents hold word for word so that its fingerprints stand in more \
                       documents than are kept and the answer must not be a silent allow";

#[test]
fn a_hundred_versions_of_a_document_do_not_hide_the_last_one() {
    let versions = (0..100).map(|_| document("same", PASSAGE)).collect();
    let answer = engine(versions).check(&request(PASSAGE)).unwrap();
    assert_eq!(answer.matches.first().map(|found| found.document.id.as_str()), Some("same"));
    assert!(answer.degraded.is_empty(), "{:?}", answer.degraded);
}

#[test]
fn replaced_documents_do_not_hide_the_others_silently() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let of_origin = |n: usize, text: &str| document_of(&format!("origin {n}"), format!("d{n}"), text);
    add(&storage, (0..100).map(|n| of_origin(n, PASSAGE)).collect(), BuildOptions::default());
    add(&storage, (0..99).map(|n| of_origin(n, "something else")).collect(), BuildOptions::default());
    let index = Index::open(&*storage, PUBLIC_SEED).unwrap();
    let answer = Engine::new([("test".to_owned(), index)], listing_policy()).check(&request(PASSAGE)).unwrap();
    assert_ne!(answer.verdict.action, Action::Allow, "{answer:?}");
    assert!(answer.matches.iter().all(|found| !found.common), "{:?}", answer.matches);
}

#[test]
fn an_index_for_deduplication_does_not_allow_what_it_cannot_see() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    add(&storage, vec![document("d", PASSAGE)], BuildOptions { profile: Profile::Dedup, ..BuildOptions::default() });
    let index = Index::open(&*storage, PUBLIC_SEED).unwrap();
    let answer = Engine::new([("test".to_owned(), index)], listing_policy()).check(&request("x y z")).unwrap();
    assert_eq!(answer.verdict.action, Action::Flag, "{answer:?}");
}

#[test]
fn near_duplicates_are_found_with_their_words_in_an_index_for_deduplication() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let words: Vec<String> = (0..200).map(|n| format!("word{n}")).collect();
    let options = BuildOptions { profile: Profile::Dedup, ..BuildOptions::default() };
    add(&storage, vec![document("d", words.join(" "))], options);
    let index = Index::open(&*storage, PUBLIC_SEED).unwrap();
    let engine = Engine::new([("test".to_owned(), index)], Policy::default_policy());
    let check = |changed: &[usize], expected: &[(u32, u32, u32)]| {
        let mut text = words.clone();
        for &n in changed {
            text[n] = format!("new{n}");
        }
        let answer = engine.check(&request(text.join(" "))).unwrap();
        let found: Vec<_> = answer
            .matches
            .iter()
            .map(|found| (found.matched_tokens, found.longest_run, found.distinct_words))
            .collect();
        assert_eq!(found, expected, "{changed:?}");
        let rule = if expected.is_empty() { "on_degraded" } else { "near_duplicate" };
        assert_eq!(answer.verdict.rule_id, rule, "{:?}", answer.verdict);
    };
    check(&[100], &[(199, 100, 199)]);
    check(&[20, 90, 160], &[(197, 69, 197)]);
    check(&[20, 21, 22, 160], &[(196, 137, 196)]);
    // Jaccard 0.66: not a near-duplicate.
    check(&[20, 50, 80, 110, 130, 150, 170, 190], &[]);
}
