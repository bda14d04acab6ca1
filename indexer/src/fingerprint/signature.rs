//! Signatures of whole documents: MinHash, and the bands that bring similar documents together.
//!
//! # Idea
//!
//! The similarity of two documents is the Jaccard index of their sets of shingles (word 5-grams): |A and B| / |A or B|.
//! Under a random permutation of all shingles, the first of A is the first of B with exactly that probability (Broder,
//! "On the resemblance and containment of documents", 1997). A signature keeps the first shingle under each of K = 256
//! permutations; the share of slots in which two signatures agree estimates the index.
//!
//! Permutation i is affine in 32 bits: `a[i] * h + b[i] mod 2^32` with odd `a[i]`, where h is the high half of the
//! shingle's 64-bit key, which is mixed already. Both parameters of slot i come from one SplitMix64 output: the high
//! half, made odd, and the low half. This is the "affine32" scheme of datasketch 2.0 (2026) with parameters of our own;
//! 32-bit lanes make it 4 to 8 times as fast as the classic scheme modulo 2^61 - 1.
//!
//! # Guarantee
//!
//! The estimate is unbiased with variance J (1 - J) / K: standard error 0.025 at J = 0.8. Two different shingles share
//! h with probability 2^-32, which adds about n / 2^32 to an index of documents of n shingles: 0.00002 for 100,000.
//! Tests hold both.
//!
//! A signature is cut into bands of rows; documents that agree in all rows of one band are candidates: with 32 bands of
//! 8 rows 1 - (1 - J^8)^32 of the pairs, 0.997 at J = 0.8, 0.85 at 0.7, 0.12 at 0.5. A document of fewer than 5 words
//! has no shingle and a signature of no meaning: it takes the exact path.

use crate::normalise::{derive_key, fold, mix};
use crate::simd::{Level, min_affine};

/// Slots of a signature.
pub(super) const SLOTS: usize = 256;

/// Hashes per call of the kernel: 2 KiB, which stay in the first-level cache over its passes.
const BATCH: usize = 512;

/// Multiplier of the band hash; the word hash's first one serves here too.
const BAND_FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// The MinHash signature of a document: for each of 256 permutations the smallest value of its shingles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(Box<[u32; SLOTS]>);

impl Default for Signature {
    /// Makes the signature of no shingle.
    fn default() -> Self {
        Self(Box::new([u32::MAX; SLOTS]))
    }
}

impl Signature {
    /// Returns the slots.
    pub fn slots(&self) -> &[u32; SLOTS] {
        &self.0
    }

    /// Makes it the signature of no shingle.
    pub(super) fn clear(&mut self) {
        self.0.fill(u32::MAX);
    }

    /// Estimates the Jaccard index of the shingle sets of two documents: the share of slots in which they agree.
    pub fn estimate_jaccard(&self, other: &Self) -> f64 {
        let n_equal = self.0.iter().zip(other.0.iter()).filter(|(a, b)| a == b).count();
        n_equal as f64 / SLOTS as f64
    }
}

/// Makes signatures and band keys; prepared once from the seed.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    factors: Box<[u32; SLOTS]>,
    terms: Box<[u32; SLOTS]>,
    band_seeds: Vec<u64>,
    rows: usize,
    level: Level,
}

impl Signer {
    /// `permutation_purpose` and `band_purpose` are the first of [`SLOTS`] and of `bands` purposes of [`derive_key`].
    pub(super) fn new(seed: u64, permutation_purpose: u64, band_purpose: u64, bands: u32, rows: usize) -> Self {
        let parameters: Vec<u64> = (0..SLOTS as u64).map(|i| derive_key(seed, permutation_purpose + i)).collect();
        #[expect(clippy::cast_possible_truncation, reason = "the term is the low half")]
        let term = |i: usize| parameters[i] as u32;
        Self {
            factors: Box::new(std::array::from_fn(|i| high_half(parameters[i]) | 1)),
            terms: Box::new(std::array::from_fn(term)),
            band_seeds: (0..u64::from(bands)).map(|band| derive_key(seed, band_purpose + band)).collect(),
            rows,
            level: Level::best(),
        }
    }

    pub(super) fn sign(&self, shingles: &[u64], signature: &mut Signature) {
        signature.clear();
        self.sign_more(shingles, signature);
    }

    /// Adds further shingles to a signature.
    pub(super) fn sign_more(&self, shingles: &[u64], signature: &mut Signature) {
        let slots = &mut *signature.0;
        let mut hashes = [0; BATCH];
        for batch in shingles.chunks(BATCH) {
            let hashes = &mut hashes[..batch.len()];
            for (hash, shingle) in hashes.iter_mut().zip(batch) {
                *hash = high_half(*shingle);
            }
            min_affine(self.level, hashes, &*self.factors, &*self.terms, slots);
        }
    }

    pub(super) fn compute_band_keys(&self, signature: &Signature, keys: &mut Vec<u64>) {
        keys.clear();
        let bands = self.band_seeds.iter().zip(signature.0.chunks(self.rows));
        keys.extend(bands.map(|(&band_seed, rows)| band_key(band_seed, rows)));
    }
}

/// Bands of any number and width, for who looks for other similarities than an index does.
///
/// Slots, bands and keys are those of the recipe, as far as it has so many: 14 bands of 8 are the first 14 of its 32.
#[derive(Debug, Clone)]
pub struct BandPlan {
    /// Each makes [`SLOTS`] slots.
    signers: Vec<Signer>,
    band_seeds: Vec<u64>,
    rows: usize,
}

/// Buffers that are used again for every document.
#[derive(Debug, Default)]
pub struct BandScratch {
    signatures: Vec<Signature>,
    slots: Vec<u32>,
}

impl BandPlan {
    /// Most bands: those of code have the purposes behind.
    pub const BANDS_MAX: u32 = 256;
    /// Most slots.
    pub const SLOTS_MAX: u32 = 4096;

    /// Makes the plan of `bands` bands of `rows` slots each; at most [`Self::BANDS_MAX`] and [`Self::SLOTS_MAX`] are made.
    pub fn new(seed: u64, bands: u32, rows: u32) -> Self {
        let rows = rows.clamp(1, Self::SLOTS_MAX);
        let bands = bands.clamp(1, Self::BANDS_MAX).min(Self::SLOTS_MAX / rows);
        let n_signers = (bands as usize * rows as usize).div_ceil(SLOTS);
        let signer = |n: usize| {
            let first = super::purpose::PERMUTATIONS + (n * SLOTS) as u64;
            Signer::new(seed, first, super::purpose::BANDS, 0, 1)
        };
        Self {
            signers: (0..n_signers).map(signer).collect(),
            band_seeds: (0..u64::from(bands)).map(|band| derive_key(seed, super::purpose::BANDS + band)).collect(),
            rows: rows as usize,
        }
    }

    /// Replaces `keys` by one key a band of a document with these shingles, and returns its first 256 slots.
    ///
    /// Cost: that of a signature for every 256 slots.
    pub fn keys<'s>(&self, shingles: &[u64], scratch: &'s mut BandScratch, keys: &mut Vec<u64>) -> &'s Signature {
        scratch.signatures.resize_with(self.signers.len(), Signature::default);
        scratch.slots.clear();
        for (signer, signature) in self.signers.iter().zip(&mut scratch.signatures) {
            signer.sign(shingles, signature);
            scratch.slots.extend_from_slice(signature.slots());
        }
        keys.clear();
        keys.extend(
            self.band_seeds.iter().zip(scratch.slots.chunks(self.rows)).map(|(&seed, rows)| band_key(seed, rows)),
        );
        &scratch.signatures[0]
    }
}

fn band_key(band_seed: u64, rows: &[u32]) -> u64 {
    mix(rows.iter().fold(band_seed, |state, &slot| fold(state ^ u64::from(slot), BAND_FACTOR)))
}

fn high_half(value: u64) -> u32 {
    (value >> 32) as u32
}
