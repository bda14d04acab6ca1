//! A document with all its fingerprints: what a thread of the pipeline makes, and the segment writer files.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::catalog::{TermCounter, Terms};
use super::documents::RowHash;
use crate::corpus::Document;
use crate::fingerprint::{DocumentScratch, Fingerprinter, PIECE_BYTES};
use crate::ids::{Key, OriginKey};
use crate::normalise::{for_each_word, pieces};

/// A document with all its fingerprints.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The document.
    pub document: Document,
    /// Words it has.
    pub n_words: u32,
    /// Sampled k-grams and the byte of the document at which each starts, ascending.
    pub anchors: Vec<(Key, u32)>,
    /// Keys of its LSH bands; none where it has no shingle.
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
}

impl Prepared {
    /// Makes all fingerprints of a document, and counts its words.
    ///
    /// Cost: 8 ns a byte of prose (docs/algorithms.md). Memory: beside the document at most 2.5 times its text (up to 256 KiB; longer
    /// ones 0.3 times).
    pub fn new(document: Document, fingerprinter: &Fingerprinter, scratch: &mut Scratch) -> Self {
        let prints = fingerprinter.document(&document.text, &mut scratch.prints);
        let is_short = document.text.len() <= PIECE_BYTES;
        Self {
            n_words: prints.n_words,
            anchors: prints.anchors.into_iter().map(|(key, start)| (Key(key), start)).collect(),
            bands: prints.bands.into_iter().map(Key).collect(),
            terms: is_short.then(|| count_terms(&document.text, &mut scratch.counter)),
            exact: prints.normal_form.map(Key),
            id: Key(fingerprinter.id_key(&document.id)),
            origin: origin_key(&document.attributes.origin),
            row_hash: row_hash(&document),
            document,
        }
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
