//! Which words of a text are code, and which copies of code explain copies of words.
//!
//! A text is looked up by its words as a whole, and by its lexemes where it is code. What both find is told once, by what says more.

use std::collections::BTreeSet;
use std::ops::Range;

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes};
use copytrace_indexer::limits::LEXED_BYTES_MAX;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::span::Span;

use super::super::parts::Part;
use super::super::passages::Copy;
use super::align::OPTIONS;
use super::{CodeSubject, WHOLE_SHARE};
use crate::error::Result;
use crate::query::passages::{Candidates, Place};
use crate::verify::kind::CopyKind;

/// Share of a copy of words that a copy of code of the same document covers so that it is the same copy.
const EXPLAINED_SHARE: f64 = 0.5;

/// A copy of code, as far as it explains copies of words.
#[derive(Debug)]
struct Covered {
    place: Place,
    kind: CopyKind,
    span: Span,
    /// Lexemes that are matched, or words in them if those are more.
    tokens: u32,
}

/// Which words of the text are code, and which copies of code explain them.
#[derive(Debug, Default)]
pub(in super::super) struct CodeWords {
    /// Words of each part.
    pub(in super::super) words: Vec<Range<u32>>,
    /// Words that are lexemes: neither comments nor strings.
    is_lexeme: Vec<bool>,
    /// Words that are lexemes or in one: no comments.
    is_inside: Vec<bool>,
    covered: Vec<Covered>,
    /// Documents that share lexemes with a part.
    compared: BTreeSet<Place>,
}

impl CodeWords {
    /// Adds a part with its lexemes.
    pub(in super::super) fn add(&mut self, part: &Part, lexemes: &Lexemes, words: &Words) {
        let base = u32::try_from(part.bytes.start).unwrap_or(u32::MAX);
        let end = u32::try_from(part.bytes.end).unwrap_or(u32::MAX);
        let first = words.starts.partition_point(|&start| start < base);
        let last = words.starts.partition_point(|&start| start < end);
        let number = |word: usize| u32::try_from(word).unwrap_or(u32::MAX);
        self.words.push(number(first)..number(last));
        self.is_lexeme.resize(words.len(), false);
        self.is_inside.resize(words.len(), false);
        let mut at = 0;
        for word in first..last {
            let start = words.starts[word] - base;
            while at < lexemes.len() && lexemes.ends[at] <= start {
                at += 1;
            }
            let is_inside = at < lexemes.len() && lexemes.starts[at] <= start;
            self.is_lexeme[word] = is_inside && lexemes.kinds[at] != LexemeKind::Text;
            self.is_inside[word] = is_inside;
        }
    }

    /// Notes the copies of a part, and with which documents it was compared.
    pub(in super::super) fn cover(&mut self, part: CodeSubject<'_>, candidates: &Candidates, copies: &[Copy]) {
        self.compared.extend(candidates.documents.iter().map(|candidate| candidate.place));
        for copy in copies.iter().filter(|copy| copy.code.as_ref().is_some_and(|code| code.support > 0.0)) {
            // A shorter one may be too short to be judged, and the words of its strings are not.
            let is_judged = copy.matched_words >= OPTIONS.guaranteed_words;
            let n_words = if is_judged { self.count_words(part, &copy.query_runs) } else { 0 };
            let tokens = copy.matched_words.max(n_words);
            self.covered.push(Covered { place: copy.place, kind: copy.kind, span: copy.query_span, tokens });
        }
    }

    /// Counts the words in some runs of lexemes of a part: a string is one lexeme and many words.
    fn count_words(&self, part: CodeSubject<'_>, runs: &[Range<u32>]) -> u32 {
        let (words, lexemes) = (&part.subject.prints.words, &part.prints.lexemes);
        let word_at = |byte: u32| words.starts.partition_point(|&start| (start as usize) < part.start + byte as usize);
        let of_run = |run: &Range<u32>| {
            let (first, last) = (run.start as usize, run.end as usize - 1);
            let within = word_at(lexemes.starts[first])..word_at(lexemes.ends[last]);
            self.is_inside[within].iter().filter(|is_inside| **is_inside).count()
        };
        u32::try_from(runs.iter().map(of_run).sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// Takes from the candidates of words what is code on both sides: that was compared as code.
    pub(in super::super) fn leave_out(&self, index: &Index, candidates: &mut Candidates) -> Result<()> {
        if self.words.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(candidates.documents.len());
        for mut candidate in candidates.documents.drain(..) {
            let segment = &index.segments()[candidate.place.segment_idx];
            let record = segment.record(candidate.place.doc)?;
            // What is too long to be lexed is known by its words alone.
            let doc_bytes = usize::try_from(record.text.end - record.text.start).unwrap_or(usize::MAX);
            let is_lexed = record.language.is_code() && doc_bytes <= LEXED_BYTES_MAX;
            // Code in the comments of a document shares no lexemes with it.
            if is_lexed && self.compared.contains(&candidate.place) {
                candidate.hits.retain(|hit| !self.is_lexeme[hit.query_word as usize]);
            }
            if !candidate.hits.is_empty() {
                kept.push(candidate);
            }
        }
        candidates.documents = kept;
        Ok(())
    }

    /// Tells whether a copy of words says nothing that a copy of code does not say better.
    pub(in super::super) fn explains(&self, copy: &Copy) -> bool {
        let length = |span: Span| f64::from(span.end.saturating_sub(span.start));
        let share = if copy.kind == CopyKind::NearDuplicate { WHOLE_SHARE } else { EXPLAINED_SHARE };
        self.covered.iter().any(|&Covered { place, kind, span, tokens }| {
            let (start, end) = (span.start.max(copy.query_span.start), span.end.min(copy.query_span.end));
            let is_enough = f64::from(end.saturating_sub(start)) >= share * length(copy.query_span);
            let is_better = copy.kind != CopyKind::NearDuplicate || kind != CopyKind::Edited;
            // Of a function that is mostly documentation, words say more; but not which of them are names.
            let is_more = tokens >= copy.matched_words || copy.kind == CopyKind::Edited;
            // A document that was only counted as code is no edited copy by its words of what others are a whole copy of.
            let is_counted =
                copy.kind == CopyKind::Edited && kind != CopyKind::Edited && self.compared.contains(&copy.place);
            (place == copy.place || is_counted) && is_enough && is_better && is_more
        })
    }
}
