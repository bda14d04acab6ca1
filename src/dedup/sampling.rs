//! The words of a row as `passages` counts them, and the k-grams that are sampled of it.
//!
//! Where one character is several words (a fraction, a ligature of digits) they are one token, so that every token begins at a byte of its own and
//! can be cut alone.

use std::collections::HashMap;

use copytrace_indexer::fingerprint::{Fingerprinter, RunSampler, RunScratch};
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
    /// One past its last byte.
    pub(super) end: U32,
    /// Bits that say how it meets a word which a cut moves next to it; see [`Borders`].
    pub(super) border: u8,
}

/// A letter right before the word would be of the same word.
const OPEN_START: u8 = 1;
/// A letter right behind the word would be of the same word.
const OPEN_END: u8 = 2;
/// What stands before the word parts it from the word before.
const IS_APART: u8 = 4;

impl Token {
    /// Tells whether something parts the word from the one before it.
    pub(super) fn is_apart(&self) -> bool {
        self.border & IS_APART != 0
    }

    /// Tells whether this word and another would be one if nothing stood between them.
    pub(super) fn joins(&self, next: &Self) -> bool {
        self.border & OPEN_END != 0 && next.border & OPEN_START != 0
    }
}

/// Finds out how words meet: where scripts without spaces stand beside others, nothing parts words, and a cut can make one of two.
///
/// ```text
/// abc漢字def     three words and more; without the middle one, `abcdef`
/// ```
pub(super) struct Borders<'a> {
    fingerprinter: &'a Fingerprinter,
    words: Words,
    text: String,
    /// Of characters beyond ASCII: whether letters beside them are of the same word.
    known: HashMap<char, bool>,
}

impl<'a> Borders<'a> {
    pub(super) fn new(fingerprinter: &'a Fingerprinter) -> Self {
        Self { fingerprinter, words: Words::default(), text: String::new(), known: HashMap::new() }
    }

    /// Sets the borders of all words of a text.
    pub(super) fn mark(&mut self, text: &str, tokens: &mut [Token]) {
        let mut end_before = 0;
        for token in tokens {
            let (start, end) = (token.start.get() as usize, token.end.get() as usize);
            let word = text.get(start..end).unwrap_or_default();
            token.border = 0;
            token.border |= if word.chars().next().is_some_and(|c| self.is_open(c)) { OPEN_START } else { 0 };
            token.border |= if word.chars().next_back().is_some_and(|c| self.is_open(c)) { OPEN_END } else { 0 };
            token.border |= if self.parts(text.get(end_before..start).unwrap_or_default()) { IS_APART } else { 0 };
            end_before = end;
        }
    }

    fn is_open(&mut self, c: char) -> bool {
        if c.is_ascii() {
            return true;
        }
        if let Some(&known) = self.known.get(&c) {
            return known;
        }
        let is_open = self.n_words_around(c.encode_utf8(&mut [0; 4])) == 1;
        *self.known.entry(c).or_insert(is_open)
    }

    fn parts(&mut self, gap: &str) -> bool {
        // No word holds these, but all others may: marks, joiners.
        !gap.is_empty() && (gap.bytes().any(|byte| byte.is_ascii()) || self.n_words_around(gap) > 1)
    }

    /// Counts the words of a text between two letters.
    fn n_words_around(&mut self, between: &str) -> usize {
        self.text.clear();
        self.text.extend(["a", between, "a"]);
        self.fingerprinter.words(&self.text, &mut self.words);
        self.words.len()
    }
}

/// Replaces `tokens` by the tokens of a text that has these words; their borders are not known yet.
pub(super) fn tokens_of(words: &Words, tokens: &mut Vec<Token>) {
    tokens.clear();
    for ((&hash, &start), &end) in words.hashes.iter().zip(&words.starts).zip(&words.ends) {
        match tokens.last_mut() {
            Some(last) if last.start.get() == start => {
                last.hash = U64::new(xxh3_64([last.hash.get(), hash].as_bytes()));
            }
            _ => {
                let (hash, start, end) = (U64::new(hash), U32::new(start), U32::new(end));
                tokens.push(Token { hash, start, end, border: 0 });
            }
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
    use super::*;

    #[test]
    fn words_join_where_nothing_parts_them() {
        let fingerprinter = Fingerprinter::public();
        for (left, right, expected) in [
            ("abc", "def", true),
            ("abc", "3", true),
            ("漢", "def", false),
            ("abc", "字", false),
            ("के", "लिए", true),
            ("é", "ü", true),
        ] {
            let text = format!("{left} {right}");
            let (mut words, mut tokens) = (Words::default(), Vec::new());
            fingerprinter.words(&text, &mut words);
            tokens_of(&words, &mut tokens);
            Borders::new(&fingerprinter).mark(&text, &mut tokens);
            let [first, .., last] = &tokens[..] else { panic!("two words") };
            assert_eq!((first.joins(last), last.is_apart()), (expected, true), "{text}");
        }
        // A mark that no word ends at does not part.
        let text = "漢\u{200b}abc漢";
        let (mut words, mut tokens) = (Words::default(), Vec::new());
        fingerprinter.words(text, &mut words);
        tokens_of(&words, &mut tokens);
        Borders::new(&fingerprinter).mark(text, &mut tokens);
        assert_eq!(tokens.iter().map(Token::is_apart).collect::<Vec<_>>(), [false; 3]);
    }

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
