//! Which words of a text are code, and which copies of code explain copies of words.
//!
//! A text is looked up by its words as a whole, and by its lexemes where it is code. What both find is told once, by what says more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes};
use copytrace_indexer::limits::LEXED_BYTES_MAX;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::span::Span;

use super::super::parts::Part;
use super::super::passages::Copy;
use super::align::OPTIONS;
use super::{CodeSubject, Found, WHOLE_SHARE};
use crate::error::Result;
use crate::query::passages::{Candidates, Hit, Place};
use crate::verify::kind::CopyKind;

/// Share of a copy of words that a copy of code of the same document covers so that it is the same copy.
const EXPLAINED_SHARE: f64 = 0.5;
/// Words beside lexemes, in comments and documentation, from which on an edited copy of them is something of its own: the guarantee length.
const BESIDE_WORDS_MAX: u32 = 25;
/// Documents that have a k-gram of words, at most, for it to tell one source from others of its shape: the eight origins that make a copy common by
/// default.
const RARE_DOCS_MAX: u32 = 8;

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
    words: Vec<Range<u32>>,
    /// Words that are lexemes: neither comments nor strings.
    is_lexeme: Vec<bool>,
    /// Words that are lexemes or in one: no comments.
    is_inside: Vec<bool>,
    covered: Vec<Covered>,
    /// Bytes of documents that were compared with a part, lexeme by lexeme.
    compared: BTreeMap<Place, Vec<Range<u32>>>,
    /// Documents of code that share lexemes with a part, and were only counted.
    counted: BTreeSet<Place>,
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

    /// Notes the copies of a part, and with what of documents it was compared.
    pub(in super::super) fn cover(&mut self, part: CodeSubject<'_>, found: &Found) {
        for (place, bytes) in &found.aligned {
            self.compared.entry(*place).or_default().push(bytes.clone());
        }
        self.counted.extend(&found.counted);
        let copies = &found.verified.copies;
        for copy in copies.iter().filter(|copy| copy.code.as_ref().is_some_and(|code| code.support > 0.0)) {
            // A shorter one may be too short to be judged, and the words of its strings are not.
            let is_judged = copy.matched_words >= OPTIONS.guaranteed_words;
            let n_words = if is_judged { self.count_words(part, &copy.query_runs) } else { 0 };
            let tokens = copy.matched_words.max(n_words);
            self.covered.push(Covered { place: copy.place, kind: copy.kind, span: copy.query_span, tokens });
        }
    }

    /// Returns the stretches of words that are code, without comments and documentation of some length.
    pub(in super::super) fn stretches(&self) -> Vec<Range<u32>> {
        let mut stretches = Vec::new();
        for part in &self.words {
            let mut start = part.start;
            let words = &self.is_inside[part.start as usize..part.end as usize];
            let mut at = part.start;
            for run in words.chunk_by(|a, b| a == b) {
                let end = at + u32::try_from(run.len()).unwrap_or(0);
                if !run[0] && end - at >= BESIDE_WORDS_MAX {
                    stretches.push(start..at);
                    start = end;
                }
                at = end;
            }
            stretches.push(start..part.end);
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
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
        for mut candidate in std::mem::take(&mut candidates.documents) {
            let segment = &index.segments()[candidate.place.segment_idx];
            let record = segment.record(candidate.place.doc)?;
            // What is too long to be lexed is known by its words alone.
            let doc_bytes = usize::try_from(record.text.end - record.text.start).unwrap_or(usize::MAX);
            let is_lexed = record.language.is_code() && doc_bytes <= LEXED_BYTES_MAX;
            if is_lexed {
                // A stretch with a word that few documents have was aligned, if it shares lexemes.
                let is_common = |hit: &Hit| candidates.grams[hit.query_word as usize].n_docs > RARE_DOCS_MAX;
                let is_counted = self.counted.contains(&candidate.place);
                let compared = self.compared.get(&candidate.place).map_or(&[][..], Vec::as_slice);
                let is_compared = |hit: &Hit| compared.iter().any(|bytes| bytes.contains(&hit.source_byte));
                candidate.hits.retain(|hit| {
                    let is_judged = is_compared(hit) || (is_counted && is_common(hit));
                    !self.is_lexeme[hit.query_word as usize] || !is_judged
                });
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
        let n_words = copy.query_runs.iter().map(|run| run.end - run.start).sum::<u32>();
        let is_inside = |word: u32| self.is_inside.get(word as usize).is_some_and(|is| *is);
        let n_inside = copy.query_runs.iter().cloned().flatten().filter(|&word| is_inside(word)).count();
        let n_beside = n_words - u32::try_from(n_inside).unwrap_or(0).min(n_words);
        self.covered.iter().any(|&Covered { place, kind, span, tokens }| {
            let (start, end) = (span.start.max(copy.query_span.start), span.end.min(copy.query_span.end));
            let is_enough = f64::from(end.saturating_sub(start)) >= share * length(copy.query_span);
            let is_better = copy.kind != CopyKind::NearDuplicate || kind != CopyKind::Edited;
            // Of a function that is mostly documentation, words say more; but not which of them are names.
            let is_edited = copy.kind == CopyKind::Edited && n_beside < BESIDE_WORDS_MAX;
            let is_more = tokens >= copy.matched_words || is_edited;
            // Of a document that was only counted as code, an edited copy by its words is what others are a whole copy of.
            let is_counted = is_edited && kind != CopyKind::Edited && self.counted.contains(&copy.place);
            (place == copy.place || is_counted) && is_enough && is_better && is_more
        })
    }
}

/// A k-gram of words that few documents have, in one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct RareWord {
    pub(super) place: Place,
    pub(super) source_byte: u32,
    /// First word of the k-gram in the text.
    pub(super) word: u32,
}

/// Finds the lexemes of a part at which words stand that few documents have, with those documents: where one of several sources of one shape is told.
///
/// Returns for each lexeme whether a k-gram of such words begins in it, and all of them, ascending.
pub(in super::super) fn find_rare_words(
    words: &Candidates,
    starts: &[u32],
    part: &Part,
    lexemes: &Lexemes,
) -> (Vec<bool>, Vec<RareWord>) {
    let (mut is_rare, mut rare) = (vec![false; lexemes.len()], Vec::new());
    for candidate in &words.documents {
        for hit in &candidate.hits {
            let byte = starts[hit.query_word as usize] as usize;
            if !part.bytes.contains(&byte) || words.grams[hit.query_word as usize].n_docs > RARE_DOCS_MAX {
                continue;
            }
            let byte = u32::try_from(byte - part.bytes.start).unwrap_or(u32::MAX);
            let at = lexemes.ends.partition_point(|&end| end <= byte);
            if lexemes.starts.get(at).is_some_and(|&start| start <= byte) {
                is_rare[at] = true;
                rare.push(RareWord { place: candidate.place, source_byte: hit.source_byte, word: hit.query_word });
            }
        }
    }
    rare.sort_unstable();
    (is_rare, rare)
}
