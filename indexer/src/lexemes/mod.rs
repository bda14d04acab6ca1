//! Code to lexemes: a small tolerant lexer for every programming language, and the way back to the bytes of the original.
//!
//! # Lexemes
//!
//! Two pieces of code that differ in layout alone have the same lexemes. Blanks, line breaks and comments are none, nor
//! is what formatters add and take away: `;`, a comma before a closing bracket, a backslash that continues a line.
//! Strings side by side are one lexeme where the language joins them. In Python a statement that is a string and nothing
//! else is documentation, and dropped. Indentation is dropped too.
//!
//! A lexeme is compared by its *canonical spelling*, one for all spellings that mean the same: `'a'` and `"a"`, `0xFF`
//! and `255`, `r"\d"` and `"\\d"`. Before all else the text is made plain: what `normalise` drops and folds in prose is
//! dropped and folded in code, except the case of letters. So full-width letters, look-alikes of Latin letters and
//! zero-width characters change nothing. Gutters ([`Gutter`]) go the same way.
//!
//! # Any text is read
//!
//! Fragments, cut tails and what no compiler would take have lexemes. A quote that its line does not close ends with the
//! line; one that the text does not close is a mark, an opener of a comment that the text does not close is nothing. A
//! text that begins inside a string of several lines is read inside out up to where one line ends strings.
//!
//! # Cost
//!
//! Linear in the text, whatever it is (`scan` tells why), without an allocation per lexeme: names, operators and
//! most numbers are hashed where they stand. `cargo bench -p copytrace-indexer --bench lexemes`.

mod canonical;
mod gutter;
mod plain;
mod scan;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use self::gutter::{Gutter, detect_gutter};
use self::plain::{Plain, WayBack};
use self::table::Table;
use self::walk::{LexemeSink, Walk};
use crate::language::Language;
use crate::normalise::derive_key;
use crate::span::Span;

/// First purpose of the keys that are drawn from the seed here; words have those before.
const KEY_PURPOSE: u64 = 0x1E0;

/// What kind of token a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LexemeKind {
    /// A reserved word.
    Keyword = 0,
    /// A word that is not reserved; a lifetime of Rust.
    Name = 1,
    /// A number.
    Number = 2,
    /// A literal of characters: string, character, template, regular expression.
    Text = 3,
    /// An operator, a bracket, any other character.
    Mark = 4,
}

impl LexemeKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Keyword, Self::Name, Self::Number, Self::Text, Self::Mark];
}

/// Lexemes of a text: parallel columns, one row a lexeme, in the order of the text. A buffer to be used again for the next
/// text.
///
/// Neither starts nor ends fall. Two lexemes share a span only where one character stands for both (`½` is `1`, `⁄`, `2`).
#[derive(Debug, Clone, Default)]
pub struct Lexemes {
    /// What each lexeme is.
    pub kinds: Vec<LexemeKind>,
    /// Hash of the lexeme's kind and canonical spelling.
    pub hashes: Vec<u64>,
    /// First byte of the lexeme in the original text.
    pub starts: Vec<u32>,
    /// One past the last byte of the lexeme in the original text.
    pub ends: Vec<u32>,
}

impl Lexemes {
    /// Returns the number of lexemes.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Tells whether there is no lexeme.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Forgets the lexemes and keeps the memory.
    pub fn clear(&mut self) {
        self.kinds.clear();
        self.hashes.clear();
        self.starts.clear();
        self.ends.clear();
    }

    /// Returns the original bytes from the start of lexeme `first` to the end of the last of `n` lexemes; the empty span
    /// at its start for none.
    ///
    /// # Panics
    /// Where there are no such lexemes.
    pub fn span(&self, first: usize, n: usize) -> Span {
        let start = self.starts[first];
        if n == 0 { Span::new(start, start) } else { Span::new(start, self.ends[first + n - 1]) }
    }
}

/// Cuts code into hashed lexemes. Made once from a seed; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Lexer {
    /// One for each kind.
    keys: [u64; LexemeKind::ALL.len()],
}

impl Lexer {
    /// Makes a lexer whose hashes depend on the seed.
    pub fn new(seed: u64) -> Self {
        Self { keys: LexemeKind::ALL.map(|kind| derive_key(seed, KEY_PURPOSE + kind as u64)) }
    }

    /// Replaces `out` by the lexemes of a text, of which at most the first 4 GiB are read; prose has none.
    ///
    /// Cost: see the module; no allocation per lexeme once `out` has grown to the size of its texts.
    pub fn lexemes(&self, text: &str, language: Language, out: &mut Lexemes) {
        out.clear();
        let Some(table) = Table::of(language) else { return };
        let text = &text[..text.floor_char_boundary(u32::MAX as usize)];
        let plain = Plain::of(text, detect_gutter(text));
        Walk::new(&plain.text, table, HashSink { lexer: self, way_back: plain.way_back(), out }).run();
    }

    /// Returns the hash of a lexeme of a kind and canonical spelling.
    #[inline]
    pub fn hash_of(&self, kind: LexemeKind, canonical: &str) -> u64 {
        xxh3_64_with_seed(canonical.as_bytes(), self.keys[kind as usize])
    }
}

/// Returns the canonical spelling of a lexeme, given its kind and the original text of its span.
///
/// Where the span is not that of one lexeme of the kind, as with `½`, the spelling is returned as it is.
pub fn canonical(kind: LexemeKind, spelling: &str, language: Language) -> Cow<'_, str> {
    let is_plain = match kind {
        LexemeKind::Keyword | LexemeKind::Mark => spelling.is_ascii(),
        LexemeKind::Name => spelling.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
        LexemeKind::Number => canonical::is_canonical_number(spelling.as_bytes()),
        LexemeKind::Text => false,
    };
    let Some(table) = Table::of(language).filter(|_| !is_plain) else { return Cow::Borrowed(spelling) };
    let plain = Plain::of(spelling, Gutter::None);
    let mut spellings = Vec::new();
    Walk::new(&plain.text, table, SpellingSink { spellings: &mut spellings }).in_bracket().run();
    match spellings.pop() {
        Some((found, canonical)) if found == kind && spellings.is_empty() => Cow::Owned(canonical),
        _ => Cow::Borrowed(spelling),
    }
}

/// Tells whether two stretches of original text, the spans of a lexeme of one kind each, are the same lexeme.
///
/// This is the comparison of content: equal hashes only nominate.
///
/// Cost: no allocation where both are equal byte for byte, or plain names, keywords or operators.
pub fn is_same_lexeme(kind: LexemeKind, a: &str, b: &str, language: Language) -> bool {
    a == b || canonical(kind, a, language) == canonical(kind, b, language)
}

struct HashSink<'a> {
    lexer: &'a Lexer,
    way_back: WayBack<'a>,
    out: &'a mut Lexemes,
}

impl LexemeSink for HashSink<'_> {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "texts are cut to what a u32 can address")]
    fn push(&mut self, kind: LexemeKind, canonical: &str, start: usize, end: usize) {
        let (start, end) = self.way_back.span(start, end);
        self.out.kinds.push(kind);
        self.out.hashes.push(self.lexer.hash_of(kind, canonical));
        self.out.starts.push(start as u32);
        self.out.ends.push(end as u32);
    }

    fn pop(&mut self) {
        self.out.kinds.pop();
        self.out.hashes.pop();
        self.out.starts.pop();
        self.out.ends.pop();
    }
}

struct SpellingSink<'a> {
    spellings: &'a mut Vec<(LexemeKind, String)>,
}

impl LexemeSink for SpellingSink<'_> {
    fn push(&mut self, kind: LexemeKind, canonical: &str, _start: usize, _end: usize) {
        self.spellings.push((kind, canonical.to_owned()));
    }

    fn pop(&mut self) {
        self.spellings.pop();
    }
}
