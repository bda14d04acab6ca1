//! All fingerprints of a document at once, in memory that does not grow with it.
//!
//! The words of a document take five times its bytes in memory where they are short. So a long text is cut between words, and each piece
//! carries on where the one before ended: a few words are kept, of k-grams that begin in one piece and end in the next.

use super::anchors::{REACH_MAX, Selection};
use super::grams::compute_keys;
use super::signature::Signature;
use super::{Fingerprinter, SEQUENCE_FACTOR};
use crate::normalise::{Words, fold, mix, pieces};

/// Text that is looked at at once, in bytes: 3 MiB of memory where its words are of one letter.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Words that stay for the next piece: the longest k-gram, and how far back an anchor can lie.
const WORDS_KEPT: usize = 2 * REACH_MAX;

/// All fingerprints of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentPrints {
    /// Words it has.
    pub n_words: u32,
    /// Key of each anchor, and the byte of the text at which it starts; ascending by byte.
    pub anchors: Vec<(u64, u32)>,
    /// Keys of its bands; none where it has no shingle.
    pub bands: Vec<u64>,
    /// Key of its normal form; none where it has no word.
    pub normal_form: Option<u64>,
}

/// Buffers that are used again for every document.
#[derive(Debug, Default)]
pub struct DocumentScratch {
    words: Words,
    keys: Vec<u64>,
    anchors: Vec<u32>,
    signature: Signature,
}

impl Fingerprinter {
    /// Makes all fingerprints of a document: those of the other methods for its whole text.
    pub fn document(&self, text: &str, scratch: &mut DocumentScratch) -> DocumentPrints {
        self.document_in_pieces(text, PIECE_BYTES, scratch)
    }

    pub(super) fn document_in_pieces(
        &self,
        text: &str,
        piece_bytes: usize,
        scratch: &mut DocumentScratch,
    ) -> DocumentPrints {
        let DocumentScratch { words, keys, anchors, signature } = scratch;
        words.clear();
        signature.clear();
        let mut prints = DocumentPrints::default();
        let mut selection = Selection::default();
        let (mut n_grams, mut n_shingles) = (0, 0);
        // Words that are not in `words` any more, and words whose hashes are in the normal form's key.
        let (mut n_gone, mut n_hashed) = (0, 0);
        let mut state = 0;
        for (start, piece) in pieces(text, piece_bytes) {
            self.normaliser.append_words(piece, start, words);
            let is_last = start + piece.len() == text.len();
            if !is_last && words.len() <= WORDS_KEPT {
                continue;
            }
            if n_hashed == 0 {
                // The key begins with the number of words, which a long text has to be read for.
                let n_words = if is_last { words.len() } else { self.count_words(text, piece_bytes) };
                prints.n_words = u32::try_from(n_words).unwrap_or(u32::MAX);
                state = self.normal_form_seed ^ n_words as u64;
            }
            state =
                words.hashes[n_hashed - n_gone..].iter().fold(state, |state, hash| fold(state ^ hash, SEQUENCE_FACTOR));
            n_hashed = n_gone + words.len();

            let hashes = &words.hashes[n_grams - n_gone..];
            compute_keys(hashes, self.recipe.anchor_words as usize, keys);
            anchors.clear();
            self.sampler.select_more(&mut selection, hashes, keys, anchors);
            for &anchor in &*anchors {
                let (word, gram) = (anchor as usize - n_gone, anchor as usize);
                let key = match gram.checked_sub(n_grams) {
                    Some(new) => keys[new],
                    None => self.key_at(&words.hashes[word..]),
                };
                prints.anchors.push((key, words.starts[word]));
            }
            n_grams += keys.len();

            compute_keys(&words.hashes[n_shingles - n_gone..], self.recipe.shingle_words as usize, keys);
            self.signer.sign_more(keys, signature);
            n_shingles += keys.len();
            if !is_last {
                n_gone += words.keep_last(WORDS_KEPT);
            }
        }
        if n_shingles > 0 {
            self.signer.compute_band_keys(signature, &mut prints.bands);
        }
        prints.normal_form = (n_hashed > 0).then(|| mix(state));
        prints
    }

    /// Returns the key of the k-gram at the front of some words.
    fn key_at(&self, hashes: &[u64]) -> u64 {
        let k = self.recipe.anchor_words as usize;
        mix(hashes[..k].iter().fold(0_u64, |roll, hash| roll.rotate_left(1) ^ hash))
    }

    fn count_words(&self, text: &str, piece_bytes: usize) -> usize {
        let mut words = Words::default();
        let count = |(start, piece)| {
            words.clear();
            self.normaliser.append_words(piece, start, &mut words);
            words.len()
        };
        pieces(text, piece_bytes).map(count).sum()
    }
}
