//! The words of a row as `passages` counts them, and the k-grams that are sampled of it.
//!
//! Where one character is several words (a fraction, a ligature of digits) they are one token, so that every token begins at a byte of its own and
//! can be cut alone.

use copytrace_indexer::fingerprint::{RunSampler, RunScratch};
use copytrace_indexer::normalise::Words;
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A word of a row, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Token {
    pub(super) hash: U64,
    /// Its first byte in the text.
    pub(super) start: U32,
}

/// Replaces `tokens` by the tokens of a text that has these words.
pub(super) fn tokens_of(words: &Words, tokens: &mut Vec<Token>) {
    tokens.clear();
    for (&hash, &start) in words.hashes.iter().zip(&words.starts) {
        match tokens.last_mut() {
            Some(last) if last.start.get() == start => {
                last.hash = U64::new(xxh3_64([last.hash.get(), hash].as_bytes()));
            }
            _ => tokens.push(Token { hash: U64::new(hash), start: U32::new(start) }),
        }
    }
}

/// Samples rows.
pub(super) struct Sampling {
    sampler: RunSampler,
    tokens: Vec<Token>,
    hashes: Vec<u64>,
    scratch: RunScratch,
}

impl Sampling {
    /// Makes the buffers for runs of so many words.
    pub(super) fn new(run_words: u32) -> Self {
        let sampler = RunSampler::new(run_words);
        Self { sampler, tokens: Vec::new(), hashes: Vec::new(), scratch: RunScratch::default() }
    }

    /// Calls `each` with the sampled k-grams of a text with these words; rows of other groups have other ones.
    pub(super) fn sample(&mut self, words: &Words, group: u64, mut each: impl FnMut(u64)) {
        tokens_of(words, &mut self.tokens);
        self.hashes.clear();
        self.hashes.extend(self.tokens.iter().map(|token| token.hash.get()));
        self.sampler.sample(&self.hashes, &mut self.scratch, |gram| each(gram ^ group));
    }
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::fingerprint::Fingerprinter;

    use super::*;

    #[test]
    fn tokens_begin_at_bytes_of_their_own() {
        let (mut words, mut tokens) = (Words::default(), Vec::new());
        Fingerprinter::public().words("take ½ of it, or ½", &mut words);
        tokens_of(&words, &mut tokens);
        let starts: Vec<u32> = tokens.iter().map(|token| token.start.get()).collect();
        assert_eq!(starts, [0, 5, 8, 11, 15, 18]);
        assert_eq!(tokens[1].hash, tokens[5].hash);
        assert!(words.len() > tokens.len());
    }
}
