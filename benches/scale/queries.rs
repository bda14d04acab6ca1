//! Texts to check, with known answers: passages of the corpus between strangers' prose, verbatim and edited, boilerplate, and strangers alone.

use copytrace::check::Request;
use copytrace::check::answer::{Action, Answer};

use super::corpus::Corpus;
use super::random::Random;

/// Words of a planted passage.
const PASSAGE_WORDS: std::ops::RangeInclusive<usize> = 60..=300;
/// Documents looked at for one that is long enough for a passage.
const TRIES_MAX: usize = 100;

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
    /// Where it stands in the text, in bytes.
    pub(crate) span: std::ops::Range<usize>,
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    /// Whether the document of the planted passage, a duplicate of it, or one that holds half of the passage is named.
    pub(crate) is_found: bool,
    /// Intersection over union of the best right match's span and the planted one's.
    pub(crate) overlap: f64,
    /// Whether the text may not pass.
    pub(crate) is_flagged: bool,
}

/// Makes `n` texts of one kind, of `bytes` bytes each, with passages of the first `n_docs` documents.
pub(crate) fn make(corpus: &Corpus, kind: Kind, n: u64, n_docs: u64, bytes: std::ops::Range<usize>) -> Vec<Query> {
    (0..n).map(|number| query(corpus, kind, number, n_docs, &bytes)).collect()
}

fn query(corpus: &Corpus, kind: Kind, number: u64, n_docs: u64, bytes: &std::ops::Range<usize>) -> Query {
    let mut random = corpus.random((kind as u64) << 32 | number);
    let bytes = bytes.start + random.below(bytes.len());
    let mut text = String::new();
    let mut planted = None;
    if let Some(step) = kind.step() {
        let (document, passage) = choose_passage(corpus, n_docs, bytes * 2 / 3, &mut random);
        let around = bytes.saturating_sub(passage.len()) / 2;
        push_strangers(corpus, &mut random, around, &mut text);
        let start = text.len();
        text.push_str(&corpus.substitute(&passage, step, step - 1, &mut random));
        planted = Some(Planted { document, span: start..text.len() });
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
fn choose_passage(corpus: &Corpus, n_docs: u64, bytes_max: usize, random: &mut Random) -> (u64, String) {
    let n_docs = usize::try_from(n_docs).expect("documents in memory");
    for _ in 0..TRIES_MAX {
        let number = random.below(n_docs) as u64;
        let text = corpus.document(number).text;
        let starts: Vec<usize> = text.match_indices(' ').map(|(at, _)| at + 1).collect();
        let n_words = PASSAGE_WORDS.start() + random.below(PASSAGE_WORDS.end() - PASSAGE_WORDS.start() + 1);
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

/// Compares an answer with what was planted.
pub(crate) fn score(corpus: &Corpus, query: &Query, answer: &Answer) -> Score {
    let mut score = Score { is_flagged: answer.verdict.action != Action::Allow, ..Score::default() };
    let Some(planted) = &query.planted else { return score };
    for found in &answer.matches {
        let span = found.query_span.start_byte as usize..found.query_span.end_byte as usize;
        let both = span.end.min(planted.span.end).saturating_sub(span.start.max(planted.span.start));
        let Some(number) = Corpus::number_of(&found.document.id) else { continue };
        // Boilerplate inside the passage stands in other documents too: one that holds half of the passage is as good.
        let is_right = corpus.are_duplicates(number, planted.document) || 2 * both >= planted.span.len();
        if both > 0 && is_right {
            let either = span.len() + planted.span.len() - both;
            score.is_found = true;
            score.overlap = score.overlap.max(both as f64 / either as f64);
        }
    }
    score
}
