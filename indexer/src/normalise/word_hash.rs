//! The hash of a word: frozen, because it is part of every index file.
//!
//! A word in normal form is read as UTF-8 in little-endian chunks of 8 bytes, the last one padded with zeros. No word
//! holds a NUL, so the chunks tell the word. With two secret keys drawn from the seed:
//!
//! ```text
//! fold(x, m) = low 64 bits of x * m  XOR  high 64 bits of x * m        (128-bit product)
//! state      = key0;  for each chunk: state = fold(state XOR chunk, M1)
//! hash       = fold(state XOR key1, M2)
//! ```
//!
//! Cost: two dependent multiplications for a word of up to 8 bytes, one more for each further 8 bytes. The fold is that
//! of wyhash (Wang Yi, 2019) and of its successors; constants, key schedule and test vectors are our own and stand in
//! `docs/algorithms.md`.

/// Multiplier per chunk: 2^64 divided by the golden ratio, made odd.
const M1: u64 = 0x9E37_79B9_7F4A_7C15;

/// Last multiplier: first 64 bits of the fractional part of the square root of 3, made odd.
const M2: u64 = 0xBB67_AE85_84CA_A73B;

/// The high bit of every byte: set in bytes of non-ASCII characters alone.
const NON_ASCII: u64 = 0x8080_8080_8080_8080;

/// Bit 5 of every byte: the difference between capital and small letters.
const LOWER_CASE: u64 = 0x2020_2020_2020_2020;

/// Multiplies to 128 bits and folds both halves into one.
#[inline]
pub(crate) fn fold(x: u64, multiplier: u64) -> u64 {
    let product = u128::from(x) * u128::from(multiplier);
    #[expect(clippy::cast_possible_truncation, reason = "the fold takes the low half and the high half")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

/// Draws the key of one purpose from the seed: output number `purpose` of SplitMix64 (Steele, Lea, Flood, "Fast
/// splittable pseudorandom number generators", 2014) started at the seed.
pub(crate) fn derive_key(seed: u64, purpose: u64) -> u64 {
    mix(seed.wrapping_add(M1.wrapping_mul(purpose.wrapping_add(1))))
}

/// Finalises: a bijection of 64 bits in which every input bit flips every output bit with probability one half (variant
/// 13 of David Stafford's search over MurmurHash3's finaliser, as in SplitMix64).
#[inline]
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// The two keys of the hash; made once from the seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct WordHasher {
    keys: [u64; 2],
}

impl WordHasher {
    pub(super) fn new(seed: u64) -> Self {
        Self { keys: [derive_key(seed, 0), derive_key(seed, 1)] }
    }

    /// Hashes the word `text[start..end]` where it is ASCII; `None` where it is not.
    ///
    /// Lower-cases in registers: letters and digits are all that stands in an ASCII word, and setting bit 5 lower-cases
    /// the former and leaves the latter.
    #[inline]
    pub(super) fn hash_ascii(&self, text: &[u8], start: usize, end: usize) -> Option<u64> {
        let mut state = self.keys[0];
        let mut start = start;
        while end - start > 8 {
            let chunk = u64::from_le_bytes(text[start..].first_chunk().copied().unwrap_or_default());
            if chunk & NON_ASCII != 0 {
                return None;
            }
            state = fold(state ^ (chunk | LOWER_CASE), M1);
            start += 8;
        }
        let wanted = u64::MAX >> (64 - 8 * (end - start));
        let chunk = load_padded(text, start) & wanted;
        if chunk & NON_ASCII != 0 {
            return None;
        }
        state = fold(state ^ (chunk | (LOWER_CASE & wanted)), M1);
        Some(self.finish(state))
    }

    /// Starts a word that comes character by character.
    pub(super) fn start(&self) -> PartialHash {
        PartialHash { state: self.keys[0], chunk: 0, n_bits: 0 }
    }

    #[inline]
    fn finish(&self, state: u64) -> u64 {
        fold(state ^ self.keys[1], M2)
    }
}

/// Loads eight bytes, or as many as there are followed by zeros.
#[inline]
fn load_padded(text: &[u8], start: usize) -> u64 {
    match text[start..].first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => text[start..].iter().rev().fold(0, |chunk, &byte| chunk << 8 | u64::from(byte)),
    }
}

/// The hash of the beginning of a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartialHash {
    state: u64,
    /// Bytes that no whole chunk has yet, from the low end.
    chunk: u64,
    n_bits: u32,
}

impl PartialHash {
    /// Adds a character of the normal form.
    #[inline]
    pub(super) fn push(&mut self, c: char) {
        let mut bytes = [0; 8];
        let n_bits = 8 * u32::try_from(c.encode_utf8(&mut bytes).len()).unwrap_or(0);
        let bytes = u64::from_le_bytes(bytes);
        self.chunk |= bytes << self.n_bits;
        self.n_bits += n_bits;
        if self.n_bits >= 64 {
            self.state = fold(self.state ^ self.chunk, M1);
            self.n_bits -= 64;
            // What of `bytes` did not fit.
            self.chunk = bytes >> (n_bits - self.n_bits);
        }
    }

    /// Returns the hash of all characters added.
    #[inline]
    pub(super) fn finish(&self, hasher: &WordHasher) -> u64 {
        let state = if self.n_bits == 0 { self.state } else { fold(self.state ^ self.chunk, M1) };
        hasher.finish(state)
    }
}
