//! Words and lexemes to fingerprints, all made from one recipe.
//!
//! [`Fingerprinter`] is the one place where fingerprints are made, for the index and for queries alike:
//!
//! ```text
//! text -> words -+-> grams (key of every 8 words) -> anchors (a sample of them)      find shared passages
//!                +-> shingles (key of every 5 words) -> signature -> band keys       find similar documents
//!                '-> normal-form key                                                 find equal documents
//! code -> lexemes -> parameterised grams (key of every 12) -+-> anchors of code          find copies under any renaming
//!                                                           '-> signature -> band keys   find similar files under any renaming
//! code -> syntax tree -> units                                                           find equal functions, classes, blocks
//! ```
//!
//! A query looks up all of its grams; an index stores its documents' anchors alone. A document of code has both kinds of everything.

mod anchors;
mod code;
mod document;
mod grams;
mod runs;
mod signature;
#[cfg(test)]
mod tests;

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::anchors::Sampler;
use self::code::CodeGrams;
pub use self::code::CodeScratch;
pub(crate) use self::document::PIECE_BYTES;
pub use self::document::{DocumentPrints, DocumentScratch};
use self::grams::compute_keys;
pub use self::runs::{RUN_WORDS_MIN, RunSampler, RunScratch};
use self::signature::Signer;
pub use self::signature::{BandPlan, BandScratch, Signature};
use crate::error::Result;
use crate::language::Language;
use crate::lexemes::{Lexemes, Lexer};
use crate::normalise::{Normaliser, Words, derive_key, fold, mix};
use crate::recipe::{PUBLIC_SEED, Recipe};

/// Purposes for which keys are drawn from the seed; 0 and 1 are the word hash's.
mod purpose {
    pub(super) const NORMAL_FORM: u64 = 2;
    pub(super) const ID: u64 = 3;
    pub(super) const LEXEMES: u64 = 4;
    pub(super) const UNITS: u64 = 5;
    /// The first of 64.
    pub(super) const CODE_GRAMS: u64 = 0x40;
    /// The first of one per band.
    pub(super) const BANDS: u64 = 0x100;
    /// The first of one per band of code.
    pub(super) const CODE_BANDS: u64 = 0x200;
    /// The first of one per slot.
    pub(super) const PERMUTATIONS: u64 = 0x1_0000;
}

/// Multiplier of the normal-form hash: 2^64 / golden ratio.
const SEQUENCE_FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Makes every fingerprint of prose and code, by one recipe and one seed.
///
/// Prepared state of 8 KiB; make it once, share it between threads. All methods write into buffers of the caller, which
/// allocate only while they grow to the size of the texts.
#[derive(Debug, Clone)]
pub struct Fingerprinter {
    recipe: Recipe,
    normaliser: Normaliser,
    sampler: Sampler,
    signer: Signer,
    lexer: Lexer,
    code_grams: CodeGrams,
    code_signer: Signer,
    unit_seed: u64,
    normal_form_seed: u64,
    id_seed: u64,
}

impl Fingerprinter {
    /// Makes the fingerprinter of a recipe that was read from `path`.
    ///
    /// # Errors
    /// [`Error::Incompatible`](crate::Error::Incompatible) where this release does not compute fingerprints by this
    /// recipe, or the seed is another than the recipe's.
    pub fn from_recipe(recipe: &Recipe, seed: u64, path_for_errors: &Path) -> Result<Self> {
        recipe.validate(seed, path_for_errors)?;
        Ok(Self::new(Recipe::with_seed(seed), seed))
    }

    /// Makes the fingerprinter of this release's recipe with the public seed.
    pub fn public() -> Self {
        Self::new(Recipe::default(), PUBLIC_SEED)
    }

    fn new(recipe: Recipe, seed: u64) -> Self {
        let sampler = Sampler::new(recipe.anchor_words as usize, recipe.guarantee_words as usize);
        let (k, guarantee) = (recipe.code_gram_lexemes as usize, recipe.code_guarantee_lexemes as usize);
        let signer =
            |band_purpose| Signer::new(seed, purpose::PERMUTATIONS, band_purpose, recipe.bands, recipe.rows as usize);
        Self {
            recipe,
            normaliser: Normaliser::new(seed),
            sampler,
            signer: signer(purpose::BANDS),
            lexer: Lexer::new(derive_key(seed, purpose::LEXEMES)),
            code_grams: CodeGrams::new(seed, purpose::CODE_GRAMS, k, guarantee),
            code_signer: signer(purpose::CODE_BANDS),
            unit_seed: derive_key(seed, purpose::UNITS),
            normal_form_seed: derive_key(seed, purpose::NORMAL_FORM),
            id_seed: derive_key(seed, purpose::ID),
        }
    }

    /// Returns the recipe of all fingerprints made here.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Replaces `words` by the words of a text; see [`Normaliser::words`].
    pub fn words(&self, text: &str, words: &mut Words) {
        self.normaliser.words(text, words);
    }

    /// Replaces `grams` by the key of every k-gram, k = [`Recipe::anchor_words`]: `grams[i]` covers words i to i + k -
    /// 1. Empty for fewer than k words.
    pub fn grams(&self, words: &Words, grams: &mut Vec<u64>) {
        compute_keys(&words.hashes, self.recipe.anchor_words as usize, grams);
    }

    /// Replaces `anchors` by the first words of the sampled k-grams, ascending; `grams` are those of the same words.
    ///
    /// Every run of [`Recipe::guarantee_words`] words holds a whole sampled k-gram, and so does every text of at least
    /// [`Recipe::anchor_words`] words.
    ///
    /// # Panics
    /// Where `grams` are not those of `words`.
    pub fn anchors(&self, words: &Words, grams: &[u64], anchors: &mut Vec<u32>) {
        assert_eq!(
            grams.len(),
            (words.len() + 1).saturating_sub(self.recipe.anchor_words as usize),
            "grams of these words"
        );
        self.sampler.select(&words.hashes, grams, anchors);
    }

    /// Replaces `shingles` by the key of every run of [`Recipe::shingle_words`] words, in the order of the text, equal
    /// ones kept.
    pub fn shingles(&self, words: &Words, shingles: &mut Vec<u64>) {
        compute_keys(&words.hashes, self.recipe.shingle_words as usize, shingles);
    }

    /// Replaces a signature by that of a document with these shingles. That of no shingle equals every other such one
    /// and means nothing.
    pub fn signature(&self, shingles: &[u64], signature: &mut Signature) {
        self.signer.sign(shingles, signature);
    }

    /// Replaces `keys` by one key for each band, [`Recipe::bands`] of them. A band's number is mixed in, so that equal
    /// rows in different bands have different keys and all bands may live in one table.
    pub fn band_keys(&self, signature: &Signature, keys: &mut Vec<u64>) {
        self.signer.compute_band_keys(signature, keys);
    }

    /// Returns the hash of the whole word sequence: equal for documents with equal normal forms.
    pub fn normal_form_key(&self, words: &Words) -> u64 {
        let start = self.normal_form_seed ^ words.len() as u64;
        mix(words.hashes.iter().fold(start, |state, hash| fold(state ^ hash, SEQUENCE_FACTOR)))
    }

    /// Returns what cuts code into lexemes.
    pub fn lexer(&self) -> &Lexer {
        &self.lexer
    }

    /// Returns the seed of the hashes of units.
    pub fn unit_seed(&self) -> u64 {
        self.unit_seed
    }

    /// Replaces `lexemes` by the lexemes of code; see [`Lexer::lexemes`].
    pub fn lexemes(&self, text: &str, language: Language, lexemes: &mut Lexemes) {
        self.lexer.lexemes(text, language, lexemes);
    }

    /// Replaces `grams` by the key of every parameterised k-gram, k = [`Recipe::code_gram_lexemes`]: `grams[i]` covers lexemes i to i + k - 1.
    /// Empty for fewer than k lexemes.
    ///
    /// Two k-grams have the same key exactly (but for one pair in 2^64) if one becomes the other by a one-to-one renaming and
    /// a change of literals.
    pub fn code_grams(&self, lexemes: &Lexemes, scratch: &mut CodeScratch, grams: &mut Vec<u64>) {
        self.code_grams.compute_keys(lexemes, scratch, grams);
    }

    /// Replaces `anchors` by the first lexemes of the sampled k-grams, ascending; `grams` and `scratch` are what
    /// [`code_grams`](Self::code_grams) just made.
    ///
    /// Every run of [`Recipe::code_guarantee_lexemes`] lexemes holds a whole sampled k-gram, and so does every text of at least
    /// [`Recipe::code_gram_lexemes`] lexemes.
    pub fn code_anchors(&self, grams: &[u64], scratch: &mut CodeScratch, anchors: &mut Vec<u32>) {
        self.code_grams.select(grams, scratch, anchors);
    }

    /// Replaces `keys` by the band keys of code; `grams` are its shingles. No key of a band of words equals one of these.
    pub fn code_band_keys(&self, grams: &[u64], signature: &mut Signature, keys: &mut Vec<u64>) {
        keys.clear();
        if !grams.is_empty() {
            self.code_signer.sign(grams, signature);
            self.code_signer.compute_band_keys(signature, keys);
        }
    }

    /// Returns the hash of a document's id.
    pub fn id_key(&self, id: &str) -> u64 {
        xxh3_64_with_seed(id.as_bytes(), self.id_seed)
    }
}
