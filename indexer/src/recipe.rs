//! The recipe: every parameter that changes a fingerprint.
//!
//! A fingerprint is stored knowledge. An index keeps the [`Recipe`] it was made with, and a reader makes its fingerprints from
//! that recipe only, so that both sides always call the same function with the same numbers. A recipe this release does not
//! know is refused, never guessed.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

/// The public seed of all fingerprints; any constant would do, this one is the first 64 bits of the fractional part of pi.
pub const PUBLIC_SEED: u64 = 0x243F_6A88_85A3_08D3;

/// Every parameter that changes a fingerprint.
///
/// Only [`Recipe::default`] and [`Recipe::with_seed`] make one, and [`Recipe::validate`] refuses any other combination than this
/// release can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Version of the normaliser: Unicode version, tables, definition of a word.
    pub normaliser: u32,
    /// Words per anchor k-gram.
    pub anchor_words: u32,
    /// Guarantee length L: every run of this many words that a text shares with a document shares an anchor with it.
    pub guarantee_words: u32,
    /// Words per shingle of a document's signature.
    pub shingle_words: u32,
    /// MinHash slots per signature.
    pub signature_slots: u32,
    /// Bands a signature is cut into.
    pub bands: u32,
    /// Slots per band.
    pub rows: u32,
    /// Version of the lexers: their tables, and the canonical spelling of a lexeme.
    pub lexer: u32,
    /// Lexemes per parameterised k-gram of code.
    pub code_gram_lexemes: u32,
    /// Guarantee length of code: every run of this many lexemes that a text shares with a document up to a renaming shares a sampled k-gram
    /// with it.
    pub code_guarantee_lexemes: u32,
    /// Version of the syntax tier: grammars, scopes, canonical form of a unit, which units are kept.
    pub syntax: u32,
    /// xxh3 hash of the hash seed; the seed itself is never stored.
    pub seed_check: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self::with_seed(PUBLIC_SEED)
    }
}

impl Recipe {
    /// Makes this release's recipe with a seed of one's own. Keys of two seeds have nothing in common, so that who does not know the seed
    /// cannot craft texts that collide.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            normaliser: 1,
            // 8 and 25 measured on 117 MB of prose: 0.092 anchors per word, 86 % of the keys unique (docs/algorithms.md).
            anchor_words: 8,
            guarantee_words: 25,
            shingle_words: 5,
            // 32 bands of 8 find 99.7 % of the pairs at Jaccard 0.8 and 85 % at 0.7 (docs/algorithms.md).
            signature_slots: 256,
            bands: 32,
            rows: 8,
            lexer: 1,
            // 12 and 24 measured on 65 MB of Python and Rust (docs/algorithms.md).
            code_gram_lexemes: 12,
            code_guarantee_lexemes: 24,
            syntax: 1,
            seed_check: xxh3_64(&seed.to_le_bytes()),
        }
    }

    /// Checks that this release computes fingerprints by this recipe, with this seed.
    ///
    /// # Errors
    /// [`Error::Incompatible`] with both recipes, or with `hash seed` where only the seed differs; `path` is the file the
    /// recipe was read from.
    pub fn validate(&self, seed: u64, path: &std::path::Path) -> Result<()> {
        let ours = Self::with_seed(seed);
        if *self == ours {
            return Ok(());
        }
        let (what, expected, found) = if (Self { seed_check: ours.seed_check, ..*self }) == ours {
            ("hash seed with check value", format!("{:016x}", ours.seed_check), format!("{:016x}", self.seed_check))
        } else {
            ("recipe", ours.to_string(), self.to_string())
        };
        Err(Error::Incompatible { path: path.to_path_buf(), what, expected, found })
    }
}

impl std::fmt::Display for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "normaliser {}, k {}, L {}, shingle {}, K {}, bands {}x{}, lexer {}, code k {}, code L {}, syntax {}",
            self.normaliser,
            self.anchor_words,
            self.guarantee_words,
            self.shingle_words,
            self.signature_slots,
            self.bands,
            self.rows,
            self.lexer,
            self.code_gram_lexemes,
            self.code_guarantee_lexemes,
            self.syntax
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_recipe_is_accepted() {
        let path = std::path::Path::new("MANIFEST-1");
        assert!(Recipe::default().validate(PUBLIC_SEED, path).is_ok());
        let other_seed = Recipe::default().validate(7, path).expect_err("another seed");
        assert!(other_seed.to_string().contains("hash seed"), "{other_seed}");
        let other_k =
            Recipe { anchor_words: 9, ..Recipe::default() }.validate(PUBLIC_SEED, path).expect_err("another k");
        assert!(other_k.to_string().contains("k 9"), "{other_k}");
    }
}
