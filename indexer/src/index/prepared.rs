//! A document with all its fingerprints: what a thread of the pipeline makes, and the segment writer files.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::catalog::{TermCounter, Terms};
use super::documents::RowHash;
use crate::corpus::Document;
use crate::fingerprint::{CodeScratch, DocumentScratch, Fingerprinter, PIECE_BYTES, Signature};
use crate::ids::{Key, OriginKey};
use crate::language::Language;
use crate::lexemes::Lexemes;
use crate::limits::{LEXED_BYTES_MAX, PARSED_BYTES_MAX};
use crate::normalise::{for_each_word, pieces};
use crate::syntax::{Syntax, Trouble};

/// Why a document of code has not all fingerprints of code. It is indexed with those that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTrouble {
    /// It is longer than [`LEXED_BYTES_MAX`], and compared word by word.
    TooLong,
    /// It was not parsed, or not wholly, and is compared by its lexemes.
    Unparsed(Trouble),
}

impl fmt::Display for CodeTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {LEXED_BYTES_MAX} bytes: compared word by word"),
            Self::Unparsed(trouble) => write!(f, "{trouble}: compared by their tokens alone"),
        }
    }
}

/// A document with all its fingerprints.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The document.
    pub document: Document,
    /// Words it has.
    pub n_words: u32,
    /// Sampled k-grams and the byte of the document at which each starts, ascending.
    pub anchors: Vec<(Key, u32)>,
    /// What it is written in.
    pub language: Language,
    /// Whether it is code that was cut into lexemes.
    pub is_lexed: bool,
    /// Of code, sampled parameterised k-grams and the byte at which each starts, ascending.
    pub lexemes: Vec<(Key, u32)>,
    /// Of code, hashes of its units and the byte at which each starts.
    pub units: Vec<(Key, u32)>,
    /// Why code has no units, or not all.
    pub trouble: Option<CodeTrouble>,
    /// Keys of its LSH bands, those of words and those of lexemes; none where it has no shingle.
    pub bands: Vec<Key>,
    /// Its words, counted for the catalogue; none where the text is long: they are counted when they are needed.
    pub terms: Option<Terms>,
    /// Key of its normal form; none where it has no word.
    pub exact: Option<Key>,
    /// Key of its id.
    pub id: Key,
    /// Its origin.
    pub origin: OriginKey,
    /// Hash of its text and attributes.
    pub row_hash: RowHash,
}

/// Buffers that are used again for every document.
#[derive(Debug, Default)]
pub struct Scratch {
    prints: DocumentScratch,
    counter: TermCounter,
    code: CodeBuffers,
}

/// Buffers for documents of code.
#[derive(Debug, Default)]
struct CodeBuffers {
    lexemes: Lexemes,
    scratch: CodeScratch,
    grams: Vec<u64>,
    anchors: Vec<u32>,
    signature: Signature,
    bands: Vec<u64>,
    /// Made with the first document: its hashes depend on the seed.
    syntax: Option<Syntax>,
}

impl Prepared {
    /// Makes all fingerprints of a document, and counts its words.
    ///
    /// Cost: 8 ns a byte of prose (docs/algorithms.md). Memory: beside the document at most 2.5 times its text (up to 256 KiB; longer
    /// ones 0.3 times).
    pub fn new(document: Document, fingerprinter: &Fingerprinter, scratch: &mut Scratch) -> Self {
        let prints = fingerprinter.document(&document.text, &mut scratch.prints);
        let is_short = document.text.len() <= PIECE_BYTES;
        let language = document.attributes.language.parse().unwrap_or_default();
        let mut prepared = Self {
            language,
            is_lexed: false,
            lexemes: Vec::new(),
            units: Vec::new(),
            trouble: None,
            n_words: prints.n_words,
            anchors: prints.anchors.into_iter().map(|(key, start)| (Key(key), start)).collect(),
            bands: prints.bands.into_iter().map(Key).collect(),
            terms: is_short.then(|| count_terms(&document.text, &mut scratch.counter)),
            exact: prints.normal_form.map(Key),
            id: Key(fingerprinter.id_key(&document.id)),
            origin: origin_key(&document.attributes.origin),
            row_hash: row_hash(&document),
            document,
        };
        if language.is_code() {
            prepared.add_code(fingerprinter, &mut scratch.code);
        }
        prepared
    }

    /// Adds the fingerprints of code. What is too long for them has those of prose alone.
    fn add_code(&mut self, fingerprinter: &Fingerprinter, buffers: &mut CodeBuffers) {
        let (text, language) = (self.document.text.as_str(), self.language);
        if text.len() > LEXED_BYTES_MAX {
            self.trouble = Some(CodeTrouble::TooLong);
            return;
        }
        let CodeBuffers { lexemes, scratch, grams, anchors, signature, bands, syntax } = buffers;
        fingerprinter.lexemes(text, language, lexemes);
        fingerprinter.code_grams(lexemes, scratch, grams);
        fingerprinter.code_anchors(grams, scratch, anchors);
        let place = |&at: &u32| (Key(grams[at as usize]), lexemes.starts[at as usize]);
        self.lexemes = anchors.iter().map(place).collect();
        fingerprinter.code_band_keys(grams, signature, bands);
        self.bands.extend(bands.iter().copied().map(Key));
        self.is_lexed = true;
        let syntax = syntax.get_or_insert_with(|| Syntax::new(fingerprinter.unit_seed()));
        // No deadline: what is indexed must not depend on the speed of the machine.
        let reading = syntax.read(text, language, PARSED_BYTES_MAX, None);
        self.units = reading.units().iter().map(|unit| (Key(unit.hash), unit.start)).collect();
        self.trouble = reading.trouble().map(CodeTrouble::Unparsed);
    }

    /// Hands the terms of the document's text to `each`, those of one piece of the text after the other.
    pub fn for_each_terms(&self, each: &mut dyn FnMut(&Terms)) {
        if let Some(terms) = &self.terms {
            return each(terms);
        }
        let mut counter = TermCounter::default();
        for (_, piece) in pieces(&self.document.text, PIECE_BYTES) {
            each(&count_terms(piece, &mut counter));
        }
    }
}

fn count_terms(text: &str, counter: &mut TermCounter) -> Terms {
    for_each_word(text, |word, _| counter.add(word));
    counter.take()
}

/// Hashes the name of an origin; "none given" has a value of its own.
pub fn origin_key(origin: &str) -> OriginKey {
    if origin.is_empty() {
        return OriginKey::UNKNOWN;
    }
    let [a, b, c, d, ..] = xxh3_64(origin.as_bytes()).to_le_bytes();
    OriginKey(u32::from_le_bytes([a, b, c, d]).max(1))
}

/// Hashes a document's text and attributes.
pub fn row_hash(document: &Document) -> RowHash {
    let attributes = &document.attributes;
    let fields = [
        &document.text,
        &attributes.uri,
        &attributes.license,
        &attributes.origin,
        &attributes.shard,
        &attributes.language,
    ];
    let mut hasher = Xxh3::new();
    for field in fields {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    RowHash(hasher.digest128())
}
