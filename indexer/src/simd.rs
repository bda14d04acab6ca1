//! Vector kernels with run-time dispatch, each beside its scalar twin.
//!
//! Two loops of this crate touch every byte or every shingle of a corpus and gain several times from wide registers:
//! telling word bytes from separators ([`classify`]) and the minimum of affine permutations ([`min_affine`]). Both
//! exist as a portable loop, which is also what runs on machines without the wider instructions, and as kernels
//! compiled for x86-64 levels and chosen at run time, so that one binary runs everywhere and is fast everywhere.
//! Results are equal bit for bit on every level; a test holds that.
//!
//! On 64-bit ARM the portable loops are compiled to NEON, which every such machine has, by the compiler itself.

#![expect(unsafe_code, reason = "instructions beyond the baseline may run only where the processor has them")]

use std::sync::OnceLock;

/// Bytes that one mask of [`classify`] covers.
pub const MASK_BYTES: usize = 64;

/// Slots that one pass of [`min_affine`] keeps in registers; the number of slots is a multiple of it.
pub const SLOTS_PER_PASS: usize = 64;

/// A set of instructions this processor is known to have.
///
/// Values are made by [`Level::best`] and [`Level::available`] alone, after asking the processor: who holds one may run
/// its kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(Instructions);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Sse41,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL, which come together on every processor since 2017.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Returns the widest level of this processor. Asks it once.
    pub fn best() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().last().copied().unwrap_or(Self(Instructions::Portable)))
    }

    /// Returns every level of this processor, narrowest first.
    pub fn available() -> Vec<Self> {
        let levels = [
            (Instructions::Portable, true),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Sse41, is_x86_feature_detected!("sse4.1")),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, is_x86_feature_detected!("avx2")),
            #[cfg(target_arch = "x86_64")]
            (
                Instructions::Avx512,
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl"),
            ),
        ];
        levels
            .into_iter()
            .filter(|(_, is_available)| *is_available)
            .map(|(instructions, _)| Self(instructions))
            .collect()
    }

    /// Returns the name that benches and logs print.
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Instructions::Sse41 => "sse4.1",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
        }
    }
}

/// Marks the bytes that can stand in a word: ASCII letters, ASCII digits, and every byte of a non-ASCII character.
///
/// Bit i of `masks[j]` is byte 64 * j + i; bits beyond the text are zero.
///
/// Cost: 23 GB/s with AVX2, 5 GB/s portable (x86-64 at 4 GHz).
///
/// # Panics
/// Where `masks` has another length than `bytes.len()` / 64, rounded up.
pub fn classify(level: Level, bytes: &[u8], masks: &mut [u64]) {
    assert_eq!(masks.len(), bytes.len().div_ceil(MASK_BYTES), "one mask per 64 bytes");
    let (blocks, tail) = bytes.as_chunks::<MASK_BYTES>();
    let (whole, last) = masks.split_at_mut(blocks.len());
    match level.0 {
        Instructions::Portable => portable::classify(blocks, whole),
        #[cfg(target_arch = "x86_64")]
        Instructions::Sse41 => portable::classify(blocks, whole),
        // SAFETY: a `Level` of AVX2 is made by `Level::available` alone, after the processor said that it has AVX2.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe { avx2::classify(blocks, whole) },
        // SAFETY: a `Level` of AVX-512 is made by `Level::available` alone, after the processor said that it has F, BW,
        // DQ, VL.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => unsafe { avx512::classify(blocks, whole) },
    }
    if let [mask] = last {
        // A NUL byte is a separator: padding adds no bit.
        let mut block = [0; MASK_BYTES];
        block[..tail.len()].copy_from_slice(tail);
        portable::classify(&[block], std::slice::from_mut(mask));
    }
}

/// Lowers every slot i to the minimum over all hashes h of `factors[i] * h + terms[i]` mod 2^32.
///
/// Cost per hash and 256 slots: 5 ns with AVX-512, 10 ns with AVX2, 33 ns with SSE4.1, 95 ns portable (x86-64 at 4
/// GHz).
///
/// # Panics
/// Where the three slices differ in length or their length is not a multiple of [`SLOTS_PER_PASS`].
pub fn min_affine(level: Level, hashes: &[u32], factors: &[u32], terms: &[u32], slots: &mut [u32]) {
    assert!(factors.len() == slots.len() && terms.len() == slots.len(), "one factor and one term per slot");
    let (factors, rest) = factors.as_chunks::<SLOTS_PER_PASS>();
    assert!(rest.is_empty(), "slots come in multiples of {SLOTS_PER_PASS}");
    let (terms, _) = terms.as_chunks::<SLOTS_PER_PASS>();
    let (slots, _) = slots.as_chunks_mut::<SLOTS_PER_PASS>();
    for ((factors, terms), slots) in factors.iter().zip(terms).zip(slots) {
        match level.0 {
            Instructions::Portable => portable::min_affine(hashes, factors, terms, slots),
            // SAFETY: a `Level` of SSE4.1 is made by `Level::available` alone, after the processor said that it has it.
            #[cfg(target_arch = "x86_64")]
            Instructions::Sse41 => unsafe { sse41::min_affine(hashes, factors, terms, slots) },
            // SAFETY: a `Level` of AVX2 is made by `Level::available` alone, after the processor said that it has AVX2.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { avx2::min_affine(hashes, factors, terms, slots) },
            // SAFETY: a `Level` of AVX-512 is made by `Level::available` alone, after the processor said that it has F,
            // BW, DQ, VL.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { avx512::min_affine(hashes, factors, terms, slots) },
        }
    }
}

/// Plain loops: the definition that the other levels are tested against.
mod portable {
    use super::{MASK_BYTES, SLOTS_PER_PASS};

    const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x80 * EVERY_BYTE;

    pub(super) fn classify(blocks: &[[u8; MASK_BYTES]], masks: &mut [u64]) {
        for (block, mask) in blocks.iter().zip(masks) {
            let (words, _) = block.as_chunks::<8>();
            *mask = words.iter().rev().fold(0, |mask, word| mask << 8 | classify_eight(u64::from_le_bytes(*word)));
        }
    }

    /// Classifies eight bytes at once; bit i of the result is byte i.
    ///
    /// With the high bit of every byte cleared, adding 0x80 - x carries into the high bit exactly where the byte is at
    /// least x.
    fn classify_eight(bytes: u64) -> u64 {
        let low = bytes & !HIGH_BITS;
        let at_least = |bytes: u64, bound: u8| bytes + EVERY_BYTE * u64::from(0x80 - bound);
        let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
        let lower = low | (EVERY_BYTE * 0x20);
        let letter = at_least(lower, b'a') & !at_least(lower, b'z' + 1);
        let marked = (digit | letter | bytes) & HIGH_BITS;
        // Gathers the eight high bits into one byte: every product of the sum lands on a bit of its own.
        (marked >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled once for every level, with that level's instructions")]
    pub(super) fn min_affine(
        hashes: &[u32],
        factors: &[u32; SLOTS_PER_PASS],
        terms: &[u32; SLOTS_PER_PASS],
        slots: &mut [u32; SLOTS_PER_PASS],
    ) {
        let mut lowest = *slots;
        for &hash in hashes {
            for slot in 0..SLOTS_PER_PASS {
                lowest[slot] = lowest[slot].min(factors[slot].wrapping_mul(hash).wrapping_add(terms[slot]));
            }
        }
        *slots = lowest;
    }
}

#[cfg(target_arch = "x86_64")]
mod sse41 {
    use super::SLOTS_PER_PASS;

    #[target_feature(enable = "sse4.1")]
    pub(super) fn min_affine(
        hashes: &[u32],
        factors: &[u32; SLOTS_PER_PASS],
        terms: &[u32; SLOTS_PER_PASS],
        slots: &mut [u32; SLOTS_PER_PASS],
    ) {
        super::portable::min_affine(hashes, factors, terms, slots);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_sub_epi8,
    };

    use super::{MASK_BYTES, SLOTS_PER_PASS};

    #[target_feature(enable = "avx2")]
    pub(super) fn classify(blocks: &[[u8; MASK_BYTES]], masks: &mut [u64]) {
        for (block, mask) in blocks.iter().zip(masks) {
            let (halves, _) = block.as_chunks::<32>();
            *mask = halves.iter().rev().fold(0, |mask, half| mask << 32 | u64::from(classify_half(half)));
        }
    }

    #[target_feature(enable = "avx2")]
    fn classify_half(half: &[u8; 32]) -> u32 {
        // SAFETY: `half` is 32 readable bytes, and the load needs no alignment.
        let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
        let in_range = |bytes, first: u8, n: u8| {
            let offset = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first.cast_signed()));
            _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8((n - 1).cast_signed())), offset)
        };
        let letter = in_range(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), b'a', 26);
        let digit = in_range(bytes, b'0', 10);
        // The mask takes each byte's high bit, which non-ASCII bytes have set already.
        let marked = _mm256_or_si256(_mm256_or_si256(letter, digit), bytes);
        _mm256_movemask_epi8(marked).cast_unsigned()
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn min_affine(
        hashes: &[u32],
        factors: &[u32; SLOTS_PER_PASS],
        terms: &[u32; SLOTS_PER_PASS],
        slots: &mut [u32; SLOTS_PER_PASS],
    ) {
        super::portable::min_affine(hashes, factors, terms, slots);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_movepi8_mask, _mm512_or_si512, _mm512_set1_epi8,
        _mm512_sub_epi8,
    };

    use super::{MASK_BYTES, SLOTS_PER_PASS};

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn classify(blocks: &[[u8; MASK_BYTES]], masks: &mut [u64]) {
        for (block, mask) in blocks.iter().zip(masks) {
            // SAFETY: `block` is 64 readable bytes, and the load needs no alignment.
            let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
            let in_range = |bytes, first: u8, n: u8| {
                let offset = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first.cast_signed()));
                _mm512_cmplt_epu8_mask(offset, _mm512_set1_epi8(n.cast_signed()))
            };
            let letter = in_range(_mm512_or_si512(bytes, _mm512_set1_epi8(0x20)), b'a', 26);
            let digit = in_range(bytes, b'0', 10);
            *mask = letter | digit | _mm512_movepi8_mask(bytes);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn min_affine(
        hashes: &[u32],
        factors: &[u32; SLOTS_PER_PASS],
        terms: &[u32; SLOTS_PER_PASS],
        slots: &mut [u32; SLOTS_PER_PASS],
    ) {
        super::portable::min_affine(hashes, factors, terms, slots);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn classify_naively(bytes: &[u8]) -> Vec<u64> {
        let mut masks = vec![0; bytes.len().div_ceil(MASK_BYTES)];
        for (i, byte) in bytes.iter().enumerate() {
            masks[i / MASK_BYTES] |= u64::from(byte.is_ascii_alphanumeric() || !byte.is_ascii()) << (i % MASK_BYTES);
        }
        masks
    }

    fn check_classify(bytes: &[u8]) {
        let expected = classify_naively(bytes);
        for level in Level::available() {
            let mut masks = vec![u64::MAX; expected.len()];
            classify(level, bytes, &mut masks);
            assert_eq!(masks, expected, "level {}, {} bytes", level.name(), bytes.len());
        }
    }

    fn min_affine_naively(hashes: &[u32], factors: &[u32], terms: &[u32], slots: &[u32]) -> Vec<u32> {
        let permuted = |i: usize, hash: u32| u64::from(factors[i]) * u64::from(hash) + u64::from(terms[i]);
        let lowest = |i: usize| hashes.iter().map(|&hash| permuted(i, hash) & 0xFFFF_FFFF).min();
        (0..slots.len())
            .map(|i| slots[i].min(lowest(i).map_or(u32::MAX, |value| u32::try_from(value).unwrap())))
            .collect()
    }

    fn check_min_affine(hashes: &[u32], factors: &[u32], terms: &[u32], slots: &[u32]) {
        let expected = min_affine_naively(hashes, factors, terms, slots);
        for level in Level::available() {
            let mut found = slots.to_vec();
            min_affine(level, hashes, factors, terms, &mut found);
            assert_eq!(found, expected, "level {}, {} hashes, {} slots", level.name(), hashes.len(), slots.len());
        }
    }

    #[test]
    fn every_byte_value_at_every_place_is_classified_alike() {
        for place in 0..MASK_BYTES {
            for value in 0..=u8::MAX {
                let mut bytes = [b' '; MASK_BYTES];
                bytes[place] = value;
                check_classify(&bytes);
            }
        }
    }

    #[test]
    fn every_length_around_a_block_is_classified_alike() {
        for n in [0, 1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097] {
            let bytes: Vec<u8> = (0..n).map(|i: u32| (i * 37 + i / 64).to_le_bytes()[0]).collect();
            check_classify(&bytes);
        }
    }

    #[test]
    fn slots_of_no_hash_stay_as_they_are() {
        let slots: Vec<u32> = (0..64).collect();
        check_min_affine(&[], &[1; 64], &[0; 64], &slots);
    }

    #[test]
    fn extreme_hashes_and_parameters_wrap_alike() {
        for hash in [0, 1, 2, u32::MAX, u32::MAX - 1, 1 << 31] {
            for factor in [1, 3, u32::MAX, 1 << 31 | 1] {
                for term in [0, 1, u32::MAX] {
                    check_min_affine(&[hash], &[factor; 128], &[term; 128], &[u32::MAX; 128]);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_classified_alike(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            check_classify(&bytes);
        }

        #[test]
        fn random_minima_are_alike(
            hashes in prop::collection::vec(any::<u32>(), 0..70),
            parameters in prop::collection::vec(any::<(u32, u32, u32)>(), 256),
            n_passes in 0..=4_usize,
        ) {
            let n = n_passes * SLOTS_PER_PASS;
            let column = |f: fn(&(u32, u32, u32)) -> u32| parameters[..n].iter().map(f).collect::<Vec<_>>();
            check_min_affine(&hashes, &column(|p| p.0), &column(|p| p.1), &column(|p| p.2));
        }
    }
}
