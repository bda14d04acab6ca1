//! Verified copies become matches: names and attributes of the document, counts, evidence.

use std::collections::BTreeSet;

use copytrace_indexer::span::Span;

use super::answer::{DocumentRef, LineSpan, Match};
use super::common::Commonness;
use super::indexes::NamedIndex;
use super::passages::Copy;
use super::prompt::Echo;
use crate::error::Result;
use crate::query::passages::{Candidates, GramCount, information_bits};
use crate::verify::kind::CopyKind;

/// Documents over which the occurrences of a passage are counted; more, and the count is said to be capped.
const COUNTED_DOCS_MAX: usize = 4096;

/// What is needed to describe the copies found in one index.
pub(super) struct Context<'a> {
    pub(super) named: &'a NamedIndex,
    /// The text as a whole.
    pub(super) text: &'a str,
    /// Hashes of its words, or of the lexemes of a part of it: what copies count in.
    pub(super) hashes: &'a [u64],
    pub(super) candidates: &'a Candidates,
    pub(super) echo: &'a Echo,
    pub(super) commonness: &'a Commonness<'a>,
    /// Words or lexemes of a k-gram.
    pub(super) gram_words: u32,
}

/// In how many documents a passage stands.
struct Occurrences {
    n_docs: u32,
    is_capped: bool,
}

impl Context<'_> {
    pub(super) fn describe(&self, copy: &Copy) -> Result<Match> {
        let segment = &self.named.index.segments()[copy.place.segment_idx];
        let (id, attributes) = segment.attributes(copy.place.doc)?;
        let occurrences = self.count(copy);
        let is_boilerplate = copy.code.as_ref().is_some_and(|code| code.is_boilerplate);
        Ok(Match {
            kind: copy.kind,
            score: copy.score,
            matched_tokens: copy.matched_words,
            evidence_bits: self.bits(copy),
            query_span: line_span(copy.query_span, copy.query_span.lines(self.text)),
            source_span: line_span(copy.source_span, copy.source_text.lines),
            document: DocumentRef::new(id, attributes, self.named.name.to_string()),
            renames: copy.code.as_ref().map(|code| code.renames.clone()).unwrap_or_default(),
            code: copy.code.clone(),
            document_count: occurrences.n_docs,
            document_count_capped: occurrences.is_capped,
            common: copy.kind != CopyKind::NearDuplicate && (is_boilerplate || self.commonness.is_common(copy)),
            longest_run: copy.longest_run,
            distinct_words: self.distinct_words(copy),
            tokens_beyond_prompt: self.echo.words_beyond(&copy.query_runs),
            source_excerpt: copy.source_text.excerpt.clone(),
        })
    }

    fn gram(&self, word: u32) -> GramCount {
        self.candidates.grams[word as usize]
    }

    fn bits(&self, copy: &Copy) -> f64 {
        let n_docs = self.named.index.n_docs();
        let of = |word: u32| information_bits(n_docs, self.gram(word).n_docs);
        if copy.code.is_some() {
            // Of k-grams that overlap, the first one counts.
            let mut free_from = 0;
            let apart = copy.evidence.iter().filter(|&&word| {
                let is_apart = word >= free_from;
                free_from = if is_apart { word + self.gram_words } else { free_from };
                is_apart
            });
            return apart.map(|&word| of(word)).sum();
        }
        let bits: f64 = copy.evidence.iter().map(|&word| of(word)).sum();
        // Words and k-grams of the same stretch are not independent: the stronger of the two counts, not the sum.
        bits.max(copy.lexical.map_or(0.0, |lexical| lexical.bits))
    }

    fn distinct_words(&self, copy: &Copy) -> u32 {
        let runs = copy.query_runs.iter().map(|run| &self.hashes[run.start as usize..run.end as usize]);
        let distinct: BTreeSet<u64> = runs.flatten().copied().collect();
        u32::try_from(distinct.len()).unwrap_or(u32::MAX)
    }

    /// Counts the documents that share at least half of the k-grams that are this copy's evidence.
    fn count(&self, copy: &Copy) -> Occurrences {
        let evidence = &copy.evidence;
        let shares_half = |words: &[u32]| {
            // Most candidates of a long text share a few k-grams and are told by their number alone.
            if words.len() * 2 < evidence.len() {
                return false;
            }
            let n_shared = evidence.iter().filter(|word| words.binary_search(word).is_ok()).count();
            n_shared * 2 >= evidence.len()
        };
        let n_lexical = copy.lexical.map_or(0, |lexical| lexical.n_docs);
        if evidence.is_empty() {
            return Occurrences { n_docs: n_lexical.max(1), is_capped: false };
        }
        let documents = &self.candidates.documents;
        let counted = documents.iter().take(COUNTED_DOCS_MAX);
        let n_docs = counted.filter(|candidate| candidate.place == copy.place || shares_half(&candidate.words)).count();
        let n_docs = u32::try_from(n_docs.max(1)).unwrap_or(u32::MAX).max(n_lexical);
        // No more documents can hold the passage than hold its rarest k-gram.
        let capped = evidence.iter().map(|&word| self.gram(word)).filter(|gram| gram.is_capped);
        match capped.map(|gram| gram.n_docs).min() {
            Some(n_capped) => Occurrences { n_docs: n_docs.max(n_capped), is_capped: true },
            None => Occurrences { n_docs, is_capped: documents.len() > COUNTED_DOCS_MAX },
        }
    }
}

fn line_span(span: Span, (start_line, end_line): (u32, u32)) -> LineSpan {
    LineSpan { start_byte: span.start, end_byte: span.end, start_line, end_line }
}
