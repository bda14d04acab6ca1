//! Texts to check, with known answers: passages of the corpus between strangers' prose, verbatim and edited, boilerplate, and strangers alone.

use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

use copytrace::check::Request;
use copytrace::check::answer::{Action, Answer, LineSpan};

use super::corpus::Corpus;
use super::random::Random;

/// Words of a planted passage, unless told otherwise.
pub(crate) const PASSAGE_WORDS: RangeInclusive<usize> = 60..=300;
/// Documents looked at for one that is long enough for a passage.
const TRIES_MAX: usize = 100;
/// A passage is told again in a document by its sequences of so many words: most survive in a copy of which one word in twenty is another.
const SHINGLE_WORDS: usize = 5;
/// Least share of a passage's sequences that a document has which holds it, and least overlap of a span that tells where it stands.
const SHARE_MIN: f64 = 0.5;

/// What a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A passage as it stands in a document.
    Verbatim,
    /// A passage with every 20th word replaced.
    Every20th,
    /// A passage with every 10th word replaced.
    Every10th,
    /// A passage with every 5th word replaced.
    Every5th,
    /// Passages that stand in many documents.
    Boilerplate,
    /// Nothing of the corpus.
    Stranger,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 6] =
        [Self::Verbatim, Self::Every20th, Self::Every10th, Self::Every5th, Self::Boilerplate, Self::Stranger];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Verbatim => "verbatim",
            Self::Every20th => "every 20th word replaced",
            Self::Every10th => "every 10th word replaced",
            Self::Every5th => "every 5th word replaced",
            Self::Boilerplate => "boilerplate",
            Self::Stranger => "stranger",
        }
    }

    fn step(self) -> Option<usize> {
        match self {
            Self::Verbatim => Some(usize::MAX),
            Self::Every20th => Some(20),
            Self::Every10th => Some(10),
            Self::Every5th => Some(5),
            Self::Boilerplate | Self::Stranger => None,
        }
    }
}

/// A text to check.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// What it holds.
    pub(crate) kind: Kind,
    /// What is asked.
    pub(crate) request: Request,
    /// The planted passage.
    pub(crate) planted: Option<Planted>,
}

/// A passage and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Planted {
    /// Number of the document.
    pub(crate) document: u64,
    /// The passage as it stands in the document.
    pub(crate) passage: String,
    /// Where it stands in the text, in bytes.
    pub(crate) span: Range<usize>,
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    /// Whether a document that holds the planted passage is named, for at least about its place.
    pub(crate) is_found: bool,
    /// Intersection over union of the span of the best match with such a document and the planted one's; 0 where there is none.
    pub(crate) overlap: f64,
    /// Whether the text may not pass.
    pub(crate) is_flagged: bool,
}

/// What texts to make.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Documents from the first one on of which passages are taken.
    pub(crate) n_docs: u64,
    /// Bytes of a text.
    pub(crate) bytes: Range<usize>,
    /// Words of a passage; at most two thirds of the text.
    pub(crate) words: RangeInclusive<usize>,
}

/// Makes `n` texts of one kind.
pub(crate) fn make(corpus: &Corpus, kind: Kind, n: u64, shape: &Shape) -> Vec<Query> {
    (0..n).map(|number| query(corpus, kind, number, shape)).collect()
}

fn query(corpus: &Corpus, kind: Kind, number: u64, shape: &Shape) -> Query {
    let mut random = corpus.random((kind as u64) << 32 | number);
    let bytes = shape.bytes.start + random.below(shape.bytes.len());
    let mut text = String::new();
    let mut planted = None;
    if let Some(step) = kind.step() {
        let (document, passage) = choose_passage(corpus, shape, bytes * 2 / 3, &mut random);
        let around = bytes.saturating_sub(passage.len()) / 2;
        push_strangers(corpus, &mut random, around, &mut text);
        let start = text.len();
        text.push_str(&corpus.substitute(&passage, step, step - 1, &mut random));
        planted = Some(Planted { document, passage, span: start..text.len() });
        text.push_str("\n\n");
    } else if kind == Kind::Boilerplate {
        while text.len() < bytes / 2 {
            corpus.push_boilerplate(&mut random, &mut text);
        }
    }
    let left = bytes.saturating_sub(text.len());
    push_strangers(corpus, &mut random, left, &mut text);
    let id = format!("{kind:?}-{number}").to_ascii_lowercase();
    Query { kind, request: Request::new(id, text), planted }
}

fn push_strangers(corpus: &Corpus, random: &mut Random, bytes: usize, text: &mut String) {
    let subject = corpus.lexicon().subject(random);
    corpus.lexicon().push_prose(random, &subject, bytes, text);
}

/// Takes words in a row from a document.
fn choose_passage(corpus: &Corpus, shape: &Shape, bytes_max: usize, random: &mut Random) -> (u64, String) {
    let n_docs = usize::try_from(shape.n_docs).expect("documents in memory");
    let (fewest, most) = (*shape.words.start(), *shape.words.end());
    for _ in 0..TRIES_MAX {
        let number = random.below(n_docs) as u64;
        let text = corpus.document(number).text;
        let starts: Vec<usize> = text.match_indices(' ').map(|(at, _)| at + 1).collect();
        let n_words = fewest + random.below(most - fewest + 1);
        if starts.len() <= n_words {
            continue;
        }
        let first = random.below(starts.len() - n_words);
        let passage = &text[starts[first]..starts[first + n_words] - 1];
        let cut = passage.floor_char_boundary(bytes_max);
        let end = if cut < passage.len() { passage[..cut].rfind(' ').unwrap_or(cut) } else { cut };
        return (number, passage[..end].to_owned());
    }
    unreachable!("half of all documents are long enough")
}

impl Planted {
    /// Tells whether a document holds the passage: the one it was taken from does, and so do copies of that one, and those with the same
    /// boilerplate. Which of them are named is the index's choice, where there are many.
    pub(crate) fn is_in(&self, corpus: &Corpus, number: u64) -> bool {
        number == self.document || shared(&self.passage, &corpus.document(number).text) >= SHARE_MIN
    }

    /// Intersection over union of the passage's place and a span.
    pub(crate) fn overlap(&self, span: &LineSpan) -> f64 {
        let (start, end) = (span.start_byte as usize, span.end_byte as usize);
        let both = end.min(self.span.end).saturating_sub(start.max(self.span.start));
        both as f64 / (end - start + self.span.len() - both) as f64
    }
}

/// Share of a passage's sequences of words that a text has.
fn shared(passage: &str, text: &str) -> f64 {
    let (passage, text): (Vec<&str>, Vec<&str>) =
        (passage.split_whitespace().collect(), text.split_whitespace().collect());
    let of_text: HashSet<&[&str]> = text.windows(SHINGLE_WORDS).collect();
    let shingles = passage.windows(SHINGLE_WORDS);
    let n = shingles.len().max(1);
    shingles.filter(|shingle| of_text.contains(shingle)).count() as f64 / n as f64
}

/// Compares an answer with what was planted.
pub(crate) fn score(corpus: &Corpus, query: &Query, answer: &Answer) -> Score {
    let mut score = Score { is_flagged: answer.verdict.action != Action::Allow, ..Score::default() };
    let Some(planted) = &query.planted else { return score };
    for found in &answer.matches {
        let overlap = planted.overlap(&found.query_span);
        let Some(number) = Corpus::number_of(&found.document.id) else { continue };
        if overlap > score.overlap && planted.is_in(corpus, number) {
            score.overlap = overlap;
        }
    }
    score.is_found = score.overlap >= SHARE_MIN;
    score
}
