//! BM25 over the bodies, exact and reproducible to the bit.
//!
//! tantivy's own collector adds up the words of a document in whatever order its cursors stand, so that two equal documents can differ in
//! the last bit, and ten hits need not be the first of twenty. Here the words of a query are added in one order for all documents.
//!
//! Pruning is MaxScore: the words of which even all together cannot lift a document above the worst hit kept are no longer
//! enumerated, only asked about documents that a rarer word brings up. It changes no answer.
//!
//! Sources: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; Turtle and Flood, "Query
//! Evaluation: Strategies and Optimizations", 1995, section 3.2.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::Bm25Weight;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, SegmentReader, TERMINATED, Term};

use super::schema::{BODY, field};
use crate::ids::DocIdx;

/// Part by which the score to beat is lowered where documents are skipped: above the rounding of a score to `f32` (2^-24) and of sums in
/// another order (2^-50), so that no document is skipped that would have been a hit.
const SLACK: f64 = 1e-6;

/// One word of the query on its way through the documents that have it.
struct Cursor {
    postings: SegmentPostings,
    weight: Bm25Weight,
    /// Above every score this word can give.
    score_max: f64,
}

/// A document and its score; the greater hit is the better one.
#[derive(Debug, Clone, Copy)]
struct Hit {
    score: f32,
    doc: u32,
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.doc.cmp(&self.doc))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Hit {}

/// Returns the best `limit` documents with any of the words, best first, equal scores in the order of the documents.
pub(super) fn search(reader: &SegmentReader, words: &[String], limit: usize) -> tantivy::Result<Vec<(DocIdx, f32)>> {
    let mut cursors = open_cursors(reader, words)?;
    if limit == 0 || cursors.is_empty() {
        return Ok(Vec::new());
    }
    let lengths = reader.get_fieldnorms_reader(field(BODY))?;
    cursors.sort_by(|a, b| a.score_max.total_cmp(&b.score_max));
    let bounds: Vec<f64> = sums(cursors.iter().map(|cursor| cursor.score_max));
    let mut best: BinaryHeap<Reverse<Hit>> = BinaryHeap::new();
    // The score to beat; a later document with the same score comes after.
    let mut threshold = f64::NEG_INFINITY;
    let mut n_optional = 0;
    while let Some(doc) = cursors[n_optional..].iter().map(|cursor| cursor.postings.doc()).min() {
        if doc == TERMINATED {
            break;
        }
        let length = lengths.fieldnorm_id(doc);
        let mut score = 0.0_f64;
        for (idx, cursor) in cursors.iter_mut().enumerate().rev() {
            if idx < n_optional {
                if score + bounds[idx] <= threshold {
                    break;
                }
                if cursor.postings.doc() < doc {
                    cursor.postings.seek(doc);
                }
            }
            if cursor.postings.doc() == doc {
                score += f64::from(cursor.weight.score(length, cursor.postings.term_freq()));
                cursor.postings.advance();
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "scores are shown and compared as f32; the sum is f64 to round once"
        )]
        let hit = Hit { score: score as f32, doc };
        if best.len() < limit {
            best.push(Reverse(hit));
        } else if best.peek().is_some_and(|Reverse(worst)| hit > *worst) {
            best.pop();
            best.push(Reverse(hit));
        }
        if best.len() == limit
            && let Some(Reverse(worst)) = best.peek()
        {
            threshold = f64::from(worst.score) * (1.0 - SLACK);
            n_optional = bounds.partition_point(|bound| *bound <= threshold);
        }
    }
    Ok(best.into_sorted_vec().into_iter().map(|Reverse(hit)| (DocIdx(hit.doc), hit.score)).collect())
}

fn open_cursors(reader: &SegmentReader, words: &[String]) -> tantivy::Result<Vec<Cursor>> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words.dedup();
    let index = reader.inverted_index(field(BODY))?;
    let n_docs = reader.max_doc();
    let length_average = index.total_num_tokens() as f32 / n_docs as f32;
    let mut cursors = Vec::with_capacity(words.len());
    for word in words {
        let Some(info) = index.get_term_info(&Term::from_field_text(field(BODY), word))? else { continue };
        let postings = index.read_postings_from_terminfo(&info, IndexRecordOption::WithFreqs)?;
        let weight =
            Bm25Weight::for_one_term_without_explain(u64::from(info.doc_freq), u64::from(n_docs), length_average);
        // A word that fills an empty body: the part of a score that depends on the document is then 1, its limit.
        let score_max = f64::from(weight.score(0, u32::MAX));
        cursors.push(Cursor { postings, weight, score_max });
    }
    Ok(cursors)
}

/// Returns the sums of the first, the first two, ... values.
fn sums(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values
        .scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        })
        .collect()
}
