//! Planted passages that an index does not find, with all that it says of the text: whether a miss is a loss, a cap or the bench's own fault.

use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;

use copytrace::check::answer::{Answer, Match};
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::ids::Key;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::DiskStorage;
use copytrace_indexer::recipe::PUBLIC_SEED;
use serde_json::{Value, json};

use super::corpus::Corpus;
use super::growth::{self, TEXT_BYTES};
use super::queries::{self, Kind, Planted, Query, Score, Shape};

/// What an index is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Texts of each kind that has a passage.
    pub(crate) n: u64,
    /// Words of a passage.
    pub(crate) words: RangeInclusive<usize>,
    /// Whether rare words are looked up.
    pub(crate) is_lexical: bool,
}

/// Writes a line of JSON for each passage that is not found, and one for each kind with their number.
pub(crate) fn print(corpus: &Corpus, dir: &Path, asked: &Asked, out: &mut dyn Write) -> anyhow::Result<()> {
    let index = Index::open(&DiskStorage::new(dir), PUBLIC_SEED)?;
    let shape = Shape { n_docs: index.n_docs(), bytes: TEXT_BYTES, words: asked.words.clone() };
    let anchors = Index::open(&DiskStorage::new(dir), PUBLIC_SEED)?;
    let engine = Engine::new([("misses".to_owned(), index)], Policy::default_policy());
    for kind in Kind::ALL {
        let (mut n, mut n_missed) = (0, 0);
        for query in queries::make(corpus, kind, asked.n, &shape) {
            let Some(planted) = &query.planted else { continue };
            let answer = engine.check(&Request { is_lexical: asked.is_lexical, ..query.request.clone() })?;
            let score = queries::score(corpus, &query, &answer);
            n += 1;
            if !score.is_found {
                n_missed += 1;
                let mut row = describe(corpus, &query, planted, &answer, score);
                row["anchors"] = describe_anchors(&anchors, &planted.passage)?;
                writeln!(out, "{row}")?;
            }
        }
        if n > 0 {
            writeln!(out, "{}", json!({ "kind": kind, "texts": n, "missed": n_missed }))?;
        }
    }
    Ok(())
}

fn describe(corpus: &Corpus, query: &Query, planted: &Planted, answer: &Answer, score: Score) -> Value {
    let found = |found: &Match| {
        let holds = Corpus::number_of(&found.document.id).is_some_and(|number| planted.is_in(corpus, number));
        json!({
            "document": found.document.id, "holdsPassage": holds,
            "startByte": found.query_span.start_byte, "endByte": found.query_span.end_byte,
            "matchedTokens": found.matched_tokens, "longestRun": found.longest_run, "common": found.common,
            "documentCount": found.document_count, "documentCountCapped": found.document_count_capped,
        })
    };
    json!({
        "id": query.request.id, "document": planted.document, "cluster": corpus.cluster_of(planted.document), "passage": planted.passage,
        "startByte": planted.span.start, "endByte": planted.span.end, "overlap": score.overlap, "isFlagged": score.is_flagged,
        "degraded": answer.degraded, "matches": answer.matches.iter().map(found).collect::<Vec<_>>(),
    })
}

/// The k-grams of a passage that are anchors of some document: their first words, and how many documents of a segment have them, where
/// those are more than are kept.
fn describe_anchors(index: &Index, passage: &str) -> anyhow::Result<Value> {
    let mut known = Vec::new();
    for (word, key) in growth::keys(index, passage).into_iter().enumerate() {
        let (mut n_stored, mut n_docs_capped) = (0, 0);
        for segment in index.segments() {
            let mut values = Vec::new();
            let Some(anchors) = segment.anchors() else { continue };
            n_docs_capped += anchors.lookup(Key(key), &mut values)?.capped.map_or(0, |counts| u64::from(counts.n_docs));
            n_stored += values.len();
        }
        if n_stored > 0 {
            known.push(json!({ "word": word, "stored": n_stored, "documentsIfCapped": n_docs_capped }));
        }
    }
    Ok(Value::Array(known))
}
