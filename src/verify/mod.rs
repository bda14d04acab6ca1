//! Decides what a candidate really shares with the query: candidates are never answers.
//!
//! A fingerprint, a posting or a full-text hit names two places that *may* be a copy. This module takes both texts with their
//! words and answers from their content alone: [`align`](align::align) finds which words are the same and in the same order,
//! [`classify`](kind::classify) says what kind of copy that is and where it stands in the bytes of both texts, and [`overlap`]
//! compares whole documents by their sets of shingles. Whatever a fingerprint claimed, a difference in content wins; nothing here
//! can invent a match.
//!
//! # Alignment: seed, extend, chain, resolve
//!
//! 1. *Seed*: a pair (query word, source word) that a fingerprint nominated. On its diagonal (source - query) it is widened to the maximal
//!    exact run; seeds inside that run are spent.
//! 2. *Extend*: from both ends of a run, longest run first, through substituted, inserted and deleted words, by the greedy X-drop
//!    algorithm over furthest-reaching diagonals. What is found is kept only where it gains clearly, so that a chance word beyond the border of a
//!    verbatim copy does not make an edited one of it.
//! 3. *Compare content*: equal hashes nominate, the spelling decides. A word whose content differs splits its run.
//! 4. *Chain*: colinear alignments with a small gap become one: a paragraph inserted in the middle of a copy.
//! 5. *Resolve*: best first; an alignment stays if it explains words of the query that better ones do not.
//!
//! What is guaranteed stands at [`align`](align::align); every cap is a named constant of [`alignment`], and a result that hit one says so.
//!
//! # Sources
//!
//! - G. M. Landau, U. Vishkin: Introducing efficient parallelism into approximate string matching and a new serial algorithm.
//!   STOC 1986; Fast string matching with k differences. J. Computer and System Sciences 37, 1988 (furthest-reaching diagonals).
//! - Z. Zhang, S. Schwartz, L. Wagner, W. Miller: A greedy algorithm for aligning DNA sequences. J. Computational Biology 7(1-2), 2000,
//!   section 3 (the score as a function of antidiagonal and edits; the X-drop rule).
//! - S. Schwartz et al.: Human-mouse alignments with BLASTZ. Genome Research 13, 2003; H. Li: Minimap2. Bioinformatics 34, 2018,
//!   section 2.1 (seed, chain, align; chains by dynamic programming with a concave gap cost).
//! - A. Broder: On the resemblance and containment of documents. SEQUENCES 1997 ([`overlap`]).

use std::ops::Range;

pub mod align;
pub mod alignment;
mod chain;
pub mod code;
pub mod code_view;
mod cover;
mod extend;
pub mod functions;
pub mod kind;
pub mod marks;
pub mod notation;
#[cfg(test)]
mod oracle;
pub mod overlap;
mod pairing;
pub mod renaming;
pub mod shape;
pub mod work;

/// A text with its words: what alignment works on.
///
/// The caller vouches for three things: the slices are equally long (both texts of a comparison together below 2^32 words); word i is the bytes `starts[i]..ends[i]`, on char boundaries,
/// in ascending order; and words of the same content have the same hash (the converse is never relied on).
#[derive(Debug, Clone, Copy)]
pub struct TextView<'a> {
    /// The original text, below 4 GiB.
    pub text: &'a str,
    /// One hash a word, of its normal form, or of what of it has to be the same for words to be aligned.
    pub hashes: &'a [u64],
    /// One hash a word, of all of it: of runs that are equally long, those with most words that are the same go first. The same slice where `hashes` say all.
    pub contents: &'a [u64],
    /// First byte of each word.
    pub starts: &'a [u32],
    /// One past the last byte of each word.
    pub ends: &'a [u32],
}

impl<'a> TextView<'a> {
    /// Returns the spelling of a word in the original text.
    ///
    /// # Panics
    /// If there is no such word.
    pub fn word(&self, idx: u32) -> &'a str {
        &self.text[self.starts[idx as usize] as usize..self.ends[idx as usize] as usize]
    }

    /// Returns the original text from the first to the last of `words`, with all that stands between them; empty for no words.
    ///
    /// # Panics
    /// If there are no such words.
    pub fn stretch(&self, words: Range<u32>) -> &'a str {
        if words.is_empty() {
            return "";
        }
        &self.text[self.starts[words.start as usize] as usize..self.ends[words.end as usize - 1] as usize]
    }

    fn assert_sound(&self) {
        debug_assert!(
            self.hashes.len() == self.starts.len() && self.hashes.len() == self.ends.len(),
            "every word has a hash, a start and an end"
        );
    }
}
