//! Which copies are common property: found in so many origins that they are nobody's in particular.
//!
//! A match of common property does not count, so that each of its words must be. A copy's k-grams are a sample, and one sentence that
//! everybody has is enough to find a copy whose other words only one document has: what a k-gram says holds for the words around it, up to
//! the next edit. For the others it is asked how many origins have them in verified copies.

use std::ops::Range;

use copytrace_indexer::ids::OriginKey;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::recipe::Recipe;

use super::passages::Copy;
use crate::error::Result;
use crate::query::passages::{Candidates, GramCount};
use crate::verify::kind::CopyKind;

/// Share of a copy's k-grams, and of its matched words, that must be common for the copy to be.
const COMMON_SHARE: f64 = 0.75;
/// Matched words in succession that are not common, from which on a copy is not, however long it is: the guarantee length, from which on they
/// would be a finding of their own.
const RARE_WORDS_MAX: u32 = 25;
/// Origins in verified copies that prove of edited words what their k-grams say by number: so many documents are compared wherever there are
/// so many.
const VERIFIED_ORIGINS: u32 = 8;

/// What is known about a text's words in one index, to tell common copies from others.
pub(super) struct Commonness<'a> {
    candidates: &'a Candidates,
    origins_min: u32,
    gram_words: u32,
    /// Words on either side of a sampled k-gram in which no other one needs to be.
    reach: u32,
    /// Distinct known origins whose verified copies match each word of the text.
    n_origins: Vec<u32>,
    /// Of code, what is known about its words.
    words: Option<WordGrams<'a>>,
}

/// Words, or lexemes, of the k-grams, and of the runs that are sure to have a sampled one.
#[derive(Debug, Clone, Copy)]
pub(super) struct GramSize {
    pub(super) gram_words: u32,
    pub(super) guarantee_words: u32,
}

impl GramSize {
    pub(super) fn of_words(recipe: &Recipe) -> Self {
        Self { gram_words: recipe.anchor_words, guarantee_words: recipe.guarantee_words }
    }

    pub(super) fn of_lexemes(recipe: &Recipe) -> Self {
        Self { gram_words: recipe.code_gram_lexemes, guarantee_words: recipe.code_guarantee_lexemes }
    }
}

/// The k-grams of words of a text that documents have.
#[derive(Debug, Clone, Copy)]
pub(super) struct WordGrams<'a> {
    pub(super) candidates: &'a Candidates,
    /// First byte of each word.
    pub(super) starts: &'a [u32],
}

impl WordGrams<'_> {
    /// Tells whether the words that a copy shares with its document stand in many origins. One that shares none may be common if it was renamed; one
    /// that was not is too short to be known by its words, and nothing says that others have it.
    fn are_common(self, copy: &Copy, origins_min: u32) -> bool {
        let candidate = self.candidates.documents.iter().find(|candidate| candidate.place == copy.place);
        let (mut n_grams, mut n_common) = (0_u32, 0_u32);
        for &word in candidate.iter().flat_map(|candidate| &candidate.words) {
            if (copy.query_span.start..copy.query_span.end).contains(&self.starts[word as usize]) {
                let GramCount { n_origins, is_stale, .. } = self.candidates.grams[word as usize];
                n_grams += 1;
                n_common += u32::from(n_origins >= origins_min && !is_stale);
            }
        }
        if n_grams == 0 {
            return matches!(copy.kind, CopyKind::Renamed | CopyKind::Edited);
        }
        f64::from(n_common) >= COMMON_SHARE * f64::from(n_grams)
    }
}

impl<'a> Commonness<'a> {
    /// Counts the origins of all copies of a text of `n_words` words. Cost: one document record a copy, O(runs log runs).
    pub(super) fn find(
        index: &Index,
        n_words: usize,
        candidates: &'a Candidates,
        copies: &[Copy],
        origins_min: u32,
        grams: GramSize,
    ) -> Result<Self> {
        let mut runs: Vec<(OriginKey, u32, u32)> = Vec::new();
        for copy in copies {
            let origin = index.segments()[copy.place.segment_idx].record(copy.place.doc)?.origin;
            if origin != OriginKey::UNKNOWN {
                runs.extend(copy.query_runs.iter().map(|run| (origin, run.start, run.end)));
            }
        }
        runs.sort_unstable();
        let mut n_origins = vec![0; n_words];
        for of_origin in runs.chunk_by(|a, b| a.0 == b.0) {
            let mut counted = 0;
            for &(_, start, end) in of_origin {
                for word in start.max(counted)..end {
                    n_origins[word as usize] += 1;
                }
                counted = counted.max(end);
            }
        }
        let GramSize { gram_words, guarantee_words } = grams;
        let reach = guarantee_words.saturating_sub(gram_words);
        Ok(Self { candidates, origins_min, gram_words, reach, n_origins, words: None })
    }

    /// Makes the same for a part of the text that is code; `words` are what is known about the words of the whole text.
    pub(super) fn of_code(candidates: &'a Candidates, origins_min: u32, words: WordGrams<'a>) -> Self {
        Self { candidates, origins_min, gram_words: 0, reach: 0, n_origins: Vec::new(), words: Some(words) }
    }

    /// Tells whether a copy is common.
    ///
    /// Of one that was found by its rare words these must stand in many origins, and its k-grams, if it has any: neither a stock phrase in an
    /// edited copy of something rare makes it common, nor an edited stock phrase beside a copy of something rare.
    ///
    /// The k-grams of code know no names: many origins have the shape of a function that only one has with these names. So a copy of
    /// code whose words stand in few origins is not common, either.
    pub(super) fn is_common(&self, copy: &Copy) -> bool {
        let n_common = copy.evidence.iter().filter(|&&word| self.is_common_gram(word)).count();
        let has_common_grams = n_common as f64 >= COMMON_SHARE * copy.evidence.len() as f64;
        if let (Some(_), Some(words)) = (&copy.code, &self.words) {
            return has_common_grams && n_common > 0 && words.are_common(copy, self.origins_min);
        }
        match copy.lexical {
            Some(lexical) => lexical.n_origins >= self.origins_min && has_common_grams,
            None => self.has_common_words(copy, has_common_grams && n_common > 0),
        }
    }

    fn is_common_gram(&self, word: u32) -> bool {
        let GramCount { n_origins, is_stale, .. } = self.candidates.grams[word as usize];
        n_origins >= self.origins_min && !is_stale
    }

    fn has_common_words(&self, copy: &Copy, has_common_grams: bool) -> bool {
        let verified_min = if has_common_grams { self.origins_min.min(VERIFIED_ORIGINS) } else { self.origins_min };
        let (mut n_words, mut n_rare, mut n_in_succession) = (0_u32, 0_u32, 0);
        for run in &copy.query_runs {
            let mut explained = run.start;
            for word in run.clone() {
                if word >= explained {
                    explained = self.common_until(run, word).unwrap_or(explained);
                }
                n_words += 1;
                if word < explained || self.n_origins[word as usize] >= verified_min {
                    n_in_succession = 0;
                    continue;
                }
                n_rare += 1;
                n_in_succession += 1;
                if n_in_succession >= RARE_WORDS_MAX {
                    return false;
                }
            }
        }
        n_words > 0 && f64::from(n_words - n_rare) >= COMMON_SHARE * f64::from(n_words)
    }

    /// Returns up to where the words from `word` on are around a common k-gram of the same run; none if `word` is not.
    fn common_until(&self, run: &Range<u32>, word: u32) -> Option<u32> {
        let first = word.saturating_sub(self.reach + self.gram_words - 1).max(run.start);
        let last = word.saturating_add(self.reach).min(run.end.checked_sub(self.gram_words)?);
        let gram = (first..=last).rev().find(|&gram| self.is_common_gram(gram))?;
        Some((gram + self.gram_words + self.reach).min(run.end))
    }
}
