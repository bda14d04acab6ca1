//! Prose to words: normal form, word hashes, and the way back to the bytes of the original.
//!
//! # The normal form
//!
//! Two texts that a reader takes for the same should have the same words, however they were typed, typeset, scanned or
//! disguised. The normal form of a text is, in this order:
//!
//! 1. *Dropped*: every code point with the Unicode property Default_Ignorable_Code_Point (zero-width characters, soft
//!    hyphen, variation selectors, tags, bidi controls) and every enclosing mark (a circle, a key cap). It does not
//!    split a word.
//! 2. *NFKD*: compatibility forms become plain ones (ligatures, full-width letters, mathematical alphabets), letters
//!    and accents separate.
//! 3. *Folded*, character by character: full case folding; letters that look like a Latin letter become that letter
//!    (`confusables.rs`, after UTS #39); a decimal digit of any script becomes the ASCII digit of its value.
//! 4. *NFC*: accents go back onto their letters.
//!
//! Steps 2 and 4 around step 3 are NFKC for all that step 3 leaves alone; folding between them also catches a Cyrillic
//! letter under an accent. The data is Unicode 18.0, that of the `icu` crates; a test freezes it, because a change of
//! it is a new recipe.
//!
//! # Words
//!
//! A word is a maximal run of letters, marks and digits (general categories L, M, N) of the normal form that begins
//! with a letter or digit. Everything else separates, `_` and every kind of apostrophe included: `don't`, `don’t` and
//! `donʼt` are the words `don`, `t`. In scripts without spaces (Han, kana, Thai, Lao, Myanmar, Khmer) every letter and
//! vowel sign is a word by itself: deterministic, and as near to a word as one gets without a dictionary. Vowel signs
//! and viramas of Indic scripts stay in their word; syllables of Hangul are letters.
//!
//! A word's span is the range of original bytes from its first contributing character to its last. Dropped characters
//! inside a word are inside its span; those at its edges are not. Where one character, or one group that normalises
//! together, becomes several words (`½` is `1`, `2`), each has the whole span.
//!
//! # Cost
//!
//! ASCII words are found by their bit masks, 64 bytes at a time, lower-cased and hashed in registers, 8 bytes at a
//! time. Other words walk code point by code point through a table; only what combines asks the Unicode library.
//! Figures in `docs/algorithms.md`.

mod characters;
mod confusables;
mod runs;
mod spelling;
#[cfg(test)]
mod tests;
mod walk;
mod word_hash;

use self::runs::for_each_run;
use self::walk::{WordSink, begins_anew, walk_run};
use self::word_hash::{PartialHash, WordHasher};
use crate::simd::Level;
use crate::span::Span;

pub(crate) use self::spelling::{fold_spelling, is_name_character};
pub(crate) use self::word_hash::{derive_key, fold, mix};

/// Words of a text: parallel columns, one row a word, in the order of the text. A buffer to be used again for the next
/// text.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Hash of the word's normal form.
    pub hashes: Vec<u64>,
    /// First byte of the word in the original text.
    pub starts: Vec<u32>,
    /// One past the last byte of the word in the original text.
    pub ends: Vec<u32>,
}

impl Words {
    /// Returns the number of words.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Tells whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Forgets the words and keeps the memory.
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.starts.clear();
        self.ends.clear();
    }

    /// Forgets all words but the last `n_kept`, and returns how many are gone.
    pub(crate) fn keep_last(&mut self, n_kept: usize) -> usize {
        let n_gone = self.len().saturating_sub(n_kept);
        self.hashes.drain(..n_gone);
        self.starts.drain(..n_gone);
        self.ends.drain(..n_gone);
        n_gone
    }

    /// Returns the original bytes from the start of word `first_word` to the end of the last of `n_words` words; the
    /// empty span at the word's start for none.
    ///
    /// # Panics
    /// Where there are no such words.
    pub fn span(&self, first_word: usize, n_words: usize) -> Span {
        let start = self.starts[first_word];
        if n_words == 0 { Span::new(start, start) } else { Span::new(start, self.ends[first_word + n_words - 1]) }
    }

    #[inline]
    fn push(&mut self, hash: u64, start: usize, end: usize) {
        self.hashes.push(hash);
        self.starts.push(offset(start));
        self.ends.push(offset(end));
    }
}

/// Cuts texts into hashed words. Made once from a seed; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Normaliser {
    hasher: WordHasher,
    level: Level,
}

impl Normaliser {
    /// Makes a normaliser whose word hashes depend on the seed.
    pub fn new(seed: u64) -> Self {
        Self { hasher: WordHasher::new(seed), level: Level::best() }
    }

    /// Replaces `words` by the words of a text, of which at most the first 4 GiB are read (documents are capped far
    /// below).
    ///
    /// Cost: see the module; no allocation once `words` has grown to the size of its texts.
    pub fn words(&self, text: &str, words: &mut Words) {
        words.clear();
        self.append_words(addressable(text), 0, words);
    }

    /// Adds the words of a piece of a text that begins at byte `base` of it; see [`pieces`].
    pub(crate) fn append_words(&self, piece: &str, base: usize, words: &mut Words) {
        let bytes = piece.as_bytes();
        for_each_run(self.level, bytes, |start, end| {
            if let Some(hash) = self.hasher.hash_ascii(bytes, start, end) {
                words.push(hash, base + start, base + end);
            } else {
                let mut sink = HashSink { hasher: &self.hasher, partial: self.hasher.start(), words };
                walk_run(&piece[start..end], base + start, &mut sink);
            }
        });
    }
}

/// Cuts a text into pieces of at most `piece_bytes`, each with its first byte in the text. Their words, one piece after the other, are
/// those of the text.
///
/// A piece is longer where there is nothing between two words to cut at: within a word of that length.
pub fn pieces(text: &str, piece_bytes: usize) -> impl Iterator<Item = (usize, &str)> {
    let text = addressable(text);
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        if rest.is_empty() {
            return None;
        }
        let end = if rest.len() <= piece_bytes { rest.len() } else { find_cut(rest, piece_bytes) };
        let piece = (start, &rest[..end]);
        start += end;
        Some(piece)
    })
}

/// Finds a place between words that is not the beginning: the last one up to byte `at`, or else the first one behind it.
fn find_cut(text: &str, at: usize) -> usize {
    let at = text.floor_char_boundary(at);
    let is_cut = |(at, c): &(usize, char)| *at > 0 && begins_anew(*c);
    let before = text[..at].char_indices().rev().find(is_cut);
    let behind = || text[at..].char_indices().map(|(offset, c)| (at + offset, c)).find(is_cut);
    before.or_else(behind).map_or(text.len(), |(at, _)| at)
}

/// Calls `visit(word, span)` for every word of a text in normal form, in order; the words and spans are those of
/// [`Normaliser::words`].
///
/// Cost: one buffer for all words.
pub fn for_each_word(text: &str, visit: impl FnMut(&str, Span)) {
    let text = addressable(text);
    let mut sink = TextSink { word: String::new(), visit };
    for_each_run(Level::best(), text.as_bytes(), |start, end| {
        let run = &text[start..end];
        if run.is_ascii() {
            sink.word.push_str(run);
            sink.word.make_ascii_lowercase();
            sink.end(start, end);
        } else {
            walk_run(run, start, &mut sink);
        }
    });
}

/// Returns the normal form of a text: its words, one space between them.
///
/// `normal_form("Ｄon’t  PANIC!")` is `don t panic`. Normalising a normal form changes nothing.
pub fn normal_form(text: &str) -> String {
    let mut normal_form = String::with_capacity(text.len());
    for_each_word(text, |word, _| {
        if !normal_form.is_empty() {
            normal_form.push(' ');
        }
        normal_form.push_str(word);
    });
    normal_form
}

/// Tells whether two stretches of original text, the spans of a word each, hold the same word in normal form.
///
/// This is the comparison of content: equal hashes only nominate.
///
/// Cost: no allocation where both are ASCII letters and digits or equal byte for byte.
pub fn is_same_word(a: &str, b: &str) -> bool {
    let is_ascii_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_ascii_word(a) && is_ascii_word(b) {
        return a.eq_ignore_ascii_case(b);
    }
    a == b || normal_form(a) == normal_form(b)
}

/// Cuts a text to what `u32` offsets can name. No document is that long.
fn addressable(text: &str) -> &str {
    &text[..text.floor_char_boundary(u32::MAX as usize)]
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "texts are cut to what a u32 can address (`addressable`)")]
fn offset(byte: usize) -> u32 {
    byte as u32
}

struct HashSink<'a> {
    hasher: &'a WordHasher,
    partial: PartialHash,
    words: &'a mut Words,
}

impl WordSink for HashSink<'_> {
    #[inline]
    fn push(&mut self, c: char) {
        self.partial.push(c);
    }

    #[inline]
    fn end(&mut self, start: usize, end: usize) {
        self.words.push(self.partial.finish(self.hasher), start, end);
        self.partial = self.hasher.start();
    }
}

struct TextSink<F> {
    word: String,
    visit: F,
}

impl<F: FnMut(&str, Span)> WordSink for TextSink<F> {
    fn push(&mut self, c: char) {
        self.word.push(c);
    }

    fn end(&mut self, start: usize, end: usize) {
        (self.visit)(&self.word, Span::new(offset(start), offset(end)));
        self.word.clear();
    }
}
