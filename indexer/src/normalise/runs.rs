//! Runs of word bytes: where anything that can be a word begins and ends.

use crate::simd::{self, Level, MASK_BYTES};

/// Masks per batch: 4 KiB of text, so that text, masks and edges stay in the first-level cache.
const BATCH_MASKS: usize = 64;
const BATCH_BYTES: usize = BATCH_MASKS * MASK_BYTES;

/// Calls `visit(start, end)` for every maximal run of ASCII letters, ASCII digits and non-ASCII characters, in order.
///
/// Whole words never cross the border of a run, and neither does normalisation: an ASCII byte that is neither letter
/// nor digit stands on both sides of it. Offsets fit the caller's `u32` because the text's length does.
#[inline]
pub(super) fn for_each_run(level: Level, bytes: &[u8], mut visit: impl FnMut(usize, usize)) {
    let mut masks = [0; BATCH_MASKS];
    // 1 where the byte before this mask belongs to a run, which then began at `open`.
    let (mut before, mut open) = (0, 0);
    for (batch_idx, batch) in bytes.chunks(BATCH_BYTES).enumerate() {
        let masks = &mut masks[..batch.len().div_ceil(MASK_BYTES)];
        simd::classify(level, batch, masks);
        for (mask_idx, &mask) in masks.iter().enumerate() {
            let base = batch_idx * BATCH_BYTES + mask_idx * MASK_BYTES;
            let shifted = mask << 1 | before;
            let (mut starts, mut ends) = (mask & !shifted, shifted & !mask);
            if before == 0 {
                open = base + starts.trailing_zeros() as usize;
                starts &= starts.wrapping_sub(1);
            }
            while ends != 0 {
                visit(open, base + ends.trailing_zeros() as usize);
                ends &= ends - 1;
                open = base + starts.trailing_zeros() as usize;
                starts &= starts.wrapping_sub(1);
            }
            before = mask >> 63;
        }
    }
    if before == 1 {
        visit(open, bytes.len());
    }
}
