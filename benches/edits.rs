//! What is found of an edited copy, with lexical candidates off and on: an ablation.
//!
//! `cargo bench --bench edits`. The corpus is 16 MB of made-up prose in documents of 4 KB; `COPYTRACE_BENCH_TEXT=FILE` takes a text file of one's own
//! instead. Of each edit 200 passages of 60 to 300 words are edited and put between 80 words of strangers on either side; every new word is
//! drawn from the corpus. Found is a passage where the text is not allowed, and a document that holds the passage (its own, or one with half of its
//! sequences of five words) is named for a span that overlaps its place by half or more (intersection over union). Negatives are texts of the same length that are in no document: other prose, and passages of the corpus with their words
//! shuffled. With a text of one's own the last tenth of it is kept out of the index and serves as other prose.

#![allow(clippy::print_stdout, reason = "a table is what this bench makes")]

use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

use copytrace::check::answer::Action;
use copytrace::check::engine::Engine;
use copytrace::check::{Checker, Request};
use corpus::{engine, split};
use prose::{Random, prose};

mod corpus;
mod prose;

const CORPUS_BYTES: usize = 16 << 20;
const DOCUMENT_BYTES: usize = 4 << 10;
const TEXTS: usize = 200;
const STRANGER_WORDS: usize = 80;
/// Words of a passage: of most edits, and of the short ones.
const PASSAGE_WORDS: RangeInclusive<usize> = 60..=300;
const SHORT_PASSAGE_WORDS: RangeInclusive<usize> = 40..=50;
/// A document holds a passage where it has this share of its sequences of so many words; a span is of its place where they overlap as much.
const SHINGLE_WORDS: usize = 5;
const SHARE_MIN: f64 = 0.5;

/// How a passage is changed.
#[derive(Clone, Copy)]
enum Edit {
    Substitute(usize),
    Delete(usize),
    Insert(usize),
    /// Every two sentences change places, and every so-many-th word is substituted.
    Swap(usize),
    /// Of a hundred words so many are changed, half of them substituted, a quarter deleted, a quarter followed by a new one.
    Mixed(usize),
    Shuffle,
}

/// The words of a corpus, from which passages, strangers and new words are drawn.
struct Source<'a> {
    documents: Vec<Vec<&'a str>>,
    others: Vec<&'a str>,
    random: Random,
}

impl Source<'_> {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.random.next() >> 33).expect("31 bits") % n
    }

    fn new_word(&mut self) -> String {
        let doc = self.below(self.documents.len());
        let word = self.below(self.documents[doc].len());
        self.documents[doc][word].to_owned()
    }

    /// A stretch of prose that is not in the index.
    fn strangers(&mut self, n_words: usize) -> Vec<String> {
        let start = self.below(self.others.len() - n_words);
        self.others[start..start + n_words].iter().map(|&word| word.to_owned()).collect()
    }

    /// A passage and the number of its document.
    fn passage(&mut self, lengths: &RangeInclusive<usize>) -> (usize, Vec<String>) {
        loop {
            let n_lengths = lengths.end() - lengths.start() + 1;
            let (doc, n_words) = (self.below(self.documents.len()), lengths.start() + self.below(n_lengths));
            let words = &self.documents[doc];
            if words.len() > n_words {
                let n_starts = words.len() - n_words;
                let start = self.below(n_starts);
                let words = &self.documents[doc][start..start + n_words];
                return (doc, words.iter().map(|&word| word.to_owned()).collect());
            }
        }
    }

    fn edit(&mut self, mut words: Vec<String>, edit: Edit) -> Vec<String> {
        if matches!(edit, Edit::Shuffle) {
            for last in (1..words.len()).rev() {
                let other = self.below(last + 1);
                words.swap(last, other);
            }
            return words;
        }
        if matches!(edit, Edit::Swap(_)) {
            let mut sentences: Vec<&[String]> = words.split_inclusive(|word| word.ends_with(['.', '!', '?'])).collect();
            sentences.chunks_exact_mut(2).for_each(|two| two.swap(0, 1));
            words = sentences.concat();
        }
        let mut edited = Vec::new();
        for (n, word) in words.into_iter().enumerate() {
            let every = |step: usize| n % step == step - 1;
            let (is_kept, is_followed) = match edit {
                Edit::Substitute(step) | Edit::Swap(step) => (!every(step), every(step)),
                Edit::Delete(step) => (!every(step), false),
                Edit::Insert(step) => (true, every(step)),
                Edit::Mixed(percent) => match self.below(400) {
                    die if die < 2 * percent => (false, true),
                    die if die < 3 * percent => (false, false),
                    die => (true, die < 4 * percent),
                },
                Edit::Shuffle => (true, false),
            };
            edited.extend(is_kept.then_some(word));
            if is_followed {
                edited.push(self.new_word());
            }
        }
        edited
    }
}

/// A passage in a text.
struct Planted {
    words: Vec<String>,
    span: Range<usize>,
}

/// What was found of the texts of one kind.
#[derive(Default)]
struct Row {
    flagged: usize,
    blocked: usize,
    /// Of each passage found, how well the best span fits.
    overlaps: Vec<f64>,
}

/// Share of a passage's sequences of words that a document has.
fn shared(passage: &[String], document: &[&str]) -> f64 {
    let of_document: HashSet<&[&str]> = document.windows(SHINGLE_WORDS).collect();
    let passage: Vec<&str> = passage.iter().map(String::as_str).collect();
    let n_shared = passage.windows(SHINGLE_WORDS).filter(|shingle| of_document.contains(shingle)).count();
    n_shared as f64 / passage.windows(SHINGLE_WORDS).len() as f64
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> f64 {
    let both = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    both as f64 / (a.len() + b.len() - both) as f64
}

fn check(
    engine: &Engine,
    is_lexical: bool,
    text: &str,
    truth: Option<&Planted>,
    documents: &[Vec<&str>],
    row: &mut Row,
) {
    let answer = engine.check(&Request { is_lexical, ..Request::new("q", text) }).expect("a sound index");
    row.flagged += usize::from(answer.verdict.action != Action::Allow);
    row.blocked += usize::from(answer.verdict.action == Action::Block);
    let Some(planted) = truth.filter(|_| answer.verdict.action != Action::Allow) else { return };
    let mut best = 0.0;
    for found in &answer.matches {
        let span = found.query_span.start_byte as usize..found.query_span.end_byte as usize;
        let overlap = overlap(&span, &planted.span);
        let doc: usize = found.document.id[1..].parse().expect("`d` and a number");
        if overlap >= SHARE_MIN && overlap > best && shared(&planted.words, &documents[doc]) >= SHARE_MIN {
            best = overlap;
        }
    }
    row.overlaps.extend((best > 0.0).then_some(best));
}

fn main() {
    let (text, other) = match std::env::var("COPYTRACE_BENCH_TEXT") {
        Ok(path) => {
            let text = std::fs::read_to_string(path).expect("COPYTRACE_BENCH_TEXT names a UTF-8 file");
            let (text, other) = text.split_at(text.floor_char_boundary(text.len() / 10 * 9));
            (text.to_owned(), other.to_owned())
        }
        Err(_) => (prose(&mut Random::new(1), CORPUS_BYTES), prose(&mut Random::new(2), 1 << 20)),
    };
    let texts = split(&text, DOCUMENT_BYTES);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = engine(&texts, dir.path());
    let documents = texts.iter().map(|text| text.split_whitespace().collect::<Vec<_>>());
    let documents = documents.filter(|words| !words.is_empty()).collect();
    let mut source = Source { documents, others: other.split_whitespace().collect(), random: Random::new(3) };
    println!("{:<34} {:>24} {:>24}", "", "lexical off", "lexical on");
    let heads = "found %  overlap      p10";
    println!("{:<34} {heads:>24} {heads:>24}", "edit");
    let percent = |n: usize| format!("{:.1}", 100.0 * n as f64 / TEXTS as f64);
    for (name, edit) in [
        ("every 20th substituted", Edit::Substitute(20)),
        ("every 10th substituted", Edit::Substitute(10)),
        ("every 10th deleted", Edit::Delete(10)),
        ("every 10th inserted", Edit::Insert(10)),
        ("every 5th substituted", Edit::Substitute(5)),
        ("every 5th deleted", Edit::Delete(5)),
        ("every 5th inserted", Edit::Insert(5)),
        ("every 4th substituted", Edit::Substitute(4)),
        ("every 3rd substituted", Edit::Substitute(3)),
        ("20 of 100 changed", Edit::Mixed(20)),
        ("30 of 100 changed", Edit::Mixed(30)),
        ("sentences swapped, 8th substituted", Edit::Swap(8)),
        ("40 to 50 words, 5th substituted", Edit::Substitute(5)),
    ] {
        let lengths = if name.starts_with("40 to 50") { &SHORT_PASSAGE_WORDS } else { &PASSAGE_WORDS };
        let mut rows = [Row::default(), Row::default()];
        for _ in 0..TEXTS {
            let (_, words) = source.passage(lengths);
            let copy = source.edit(words.clone(), edit).join(" ");
            let before = source.strangers(STRANGER_WORDS).join(" ");
            let after = source.strangers(STRANGER_WORDS).join(" ");
            let planted = Planted { words, span: before.len() + 1..before.len() + 1 + copy.len() };
            let text = format!("{before}\n{copy}\n{after}");
            for (row, is_lexical) in rows.iter_mut().zip([false, true]) {
                check(&engine, is_lexical, &text, Some(&planted), &source.documents, row);
            }
        }
        let cells = rows.iter_mut().map(|row| {
            row.overlaps.sort_by(f64::total_cmp);
            let n_found = row.overlaps.len();
            let fits = row.overlaps.get(n_found.saturating_sub(1) / 10).map_or_else(
                || format!("{:>8} {:>8}", "-", "-"),
                |p10| format!("{:>8.3} {p10:>8.2}", row.overlaps.iter().sum::<f64>() / n_found as f64),
            );
            format!("{:>7} {fits}", percent(n_found))
        });
        println!("{name:<34} {}", cells.collect::<Vec<_>>().join(" "));
    }
    println!("{:<34} {:>24} {:>24}", "no copy", "flag %  block %", "flag %  block %");
    for name in ["other prose", "words of a passage shuffled"] {
        let mut rows = [Row::default(), Row::default()];
        for _ in 0..TEXTS {
            let words = if name == "other prose" {
                source.strangers(300)
            } else {
                let (_, words) = source.passage(&PASSAGE_WORDS);
                source.edit(words, Edit::Shuffle)
            };
            for (row, is_lexical) in rows.iter_mut().zip([false, true]) {
                check(&engine, is_lexical, &words.join(" "), None, &[], row);
            }
        }
        let cells = rows.iter().map(|row| format!("{:>15} {:>8}", percent(row.flagged), percent(row.blocked)));
        println!("{name:<34} {}", cells.collect::<Vec<_>>().join(" "));
    }
}
