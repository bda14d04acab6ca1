//! A document with all its fingerprints: what a thread of the pipeline makes, and the segment writer files.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::documents::RowHash;
use crate::corpus::Document;
use crate::fingerprint::{Fingerprinter, Signature};
use crate::ids::{Key, OriginKey};
use crate::normalise::{self, Words};

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
    words: Words,
    grams: Vec<u64>,
    anchors: Vec<u32>,
    shingles: Vec<u64>,
    signature: Signature,
    bands: Vec<u64>,
}

impl Prepared {
    /// Makes all fingerprints of a document.
    ///
    /// Cost: 5 ns a byte of prose (docs/algorithms.md).
    pub fn new(document: Document, fingerprinter: &Fingerprinter, scratch: &mut Scratch) -> Self {
        let Scratch { words, grams, anchors, shingles, signature, bands } = scratch;
        fingerprinter.words(&document.text, words);
        fingerprinter.grams(words, grams);
        fingerprinter.anchors(words, grams, anchors);
        fingerprinter.shingles(words, shingles);
        bands.clear();
        if !shingles.is_empty() {
            fingerprinter.signature(shingles, signature);
            fingerprinter.band_keys(signature, bands);
        }
        let at = |&word: &u32| (Key(grams[word as usize]), words.starts[word as usize]);
        Self {
            n_words: u32::try_from(words.len()).unwrap_or(u32::MAX),
            anchors: anchors.iter().map(at).collect(),
            bands: bands.iter().map(|&key| Key(key)).collect(),
            exact: (!words.is_empty()).then(|| Key(fingerprinter.normal_form_key(words))),
            id: Key(fingerprinter.id_key(&document.id)),
            origin: origin_key(&document.attributes.origin),
            row_hash: row_hash(&document),
            document,
        }
    }

    /// Calls `each` with every word in normal form, for the catalogue.
    pub fn for_each_word(&self, each: &mut dyn FnMut(&str)) {
        normalise::for_each_word(&self.document.text, |word, _| each(word));
    }
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
