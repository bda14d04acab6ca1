//! A language's lexicon, arranged for the walk.

use std::sync::OnceLock;

use crate::language::Language;
use crate::language::lexicon::Lexicon;

/// What a byte may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// Blanks, and controls that nobody sees.
    Blank,
    LineEnd,
    Letter,
    Digit,
    Quote,
    Mark,
    /// A character beside ASCII.
    Other,
}

/// A lexicon and what is looked up in it for every byte and lexeme.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) lexicon: &'static Lexicon,
    pub(super) classes: [Class; 256],
    /// By first byte.
    keywords: Vec<Vec<&'static str>>,
    /// Bit n of a first byte: a keyword of n bytes begins with it.
    keyword_lengths: [u64; 256],
    /// By first byte, longer ones first.
    marks: Vec<Vec<&'static str>>,
}

impl Table {
    /// Returns the table of a language; none for prose.
    pub(super) fn of(language: Language) -> Option<&'static Self> {
        static TABLES: [OnceLock<Table>; Language::ALL.len()] = [const { OnceLock::new() }; Language::ALL.len()];
        let lexicon = language.lexicon()?;
        Some(TABLES[language as usize].get_or_init(|| Self::new(lexicon)))
    }

    fn new(lexicon: &'static Lexicon) -> Self {
        let mut keyword_lengths = [0; 256];
        for word in lexicon.keywords {
            keyword_lengths[first_byte(word)] |= 1 << (word.len() % 64);
        }
        let mut marks = by_first_byte(lexicon.marks);
        for marks in &mut marks {
            marks.sort_by_key(|mark| std::cmp::Reverse(mark.len()));
        }
        Self {
            lexicon,
            classes: std::array::from_fn(|byte| class_of(u8::try_from(byte).unwrap_or(u8::MAX), lexicon)),
            keywords: by_first_byte(lexicon.keywords),
            keyword_lengths,
            marks,
        }
    }

    #[inline]
    pub(super) fn class(&self, byte: u8) -> Class {
        self.classes[usize::from(byte)]
    }

    /// Tells whether a word is reserved.
    #[inline]
    pub(super) fn is_keyword(&self, word: &str) -> bool {
        let first = first_byte(word);
        self.keyword_lengths[first] >> (word.len() % 64) & 1 == 1 && self.keywords[first].contains(&word)
    }

    /// Returns the length of the operator that a text begins with.
    #[inline]
    pub(super) fn mark_length(&self, text: &[u8]) -> usize {
        let marks = &self.marks[usize::from(text[0])];
        marks.iter().find(|mark| text.starts_with(mark.as_bytes())).map_or(1, |mark| mark.len())
    }
}

fn first_byte(word: &str) -> usize {
    word.bytes().next().map_or(0, usize::from)
}

fn by_first_byte(words: &[&'static str]) -> Vec<Vec<&'static str>> {
    let mut table = vec![Vec::new(); 256];
    for word in words {
        table[first_byte(word)].push(*word);
    }
    table
}

fn class_of(byte: u8, lexicon: &Lexicon) -> Class {
    match byte {
        b'\n' | b'\r' => Class::LineEnd,
        0..=b' ' | 0x7F => Class::Blank,
        b'0'..=b'9' => Class::Digit,
        b'_' => Class::Letter,
        _ if byte.is_ascii_alphabetic() => Class::Letter,
        _ if lexicon.name_marks.as_bytes().contains(&byte) => Class::Letter,
        _ if lexicon.quotes.iter().any(|quote| quote.mark.as_bytes()[0] == byte) => Class::Quote,
        0x80.. => Class::Other,
        _ => Class::Mark,
    }
}
