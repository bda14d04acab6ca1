//! Which words of a query are explained already: one bit a word.

use std::ops::Range;

const BITS: u32 = u64::BITS;

/// A set of words that is emptied and filled again without allocation.
#[derive(Debug, Default)]
pub(super) struct Cover {
    bits: Vec<u64>,
}

impl Cover {
    /// Empties the set and makes room for `n_words`.
    pub(super) fn reset(&mut self, n_words: usize) {
        self.bits.clear();
        self.bits.resize(n_words.div_ceil(BITS as usize), 0);
    }

    /// Adds words and returns how many of them are new.
    pub(super) fn insert(&mut self, words: Range<u32>) -> u32 {
        let mut added = 0;
        for (idx, mask) in masks(words) {
            added += (mask & !self.bits[idx]).count_ones();
            self.bits[idx] |= mask;
        }
        added
    }

    /// Returns how many of the words are not in the set.
    pub(super) fn count_missing(&self, words: Range<u32>) -> u32 {
        masks(words).map(|(idx, mask)| (mask & !self.bits[idx]).count_ones()).sum()
    }

    /// Tells whether all of the words are in the set.
    pub(super) fn holds(&self, words: Range<u32>) -> bool {
        masks(words).all(|(idx, mask)| self.bits[idx] & mask == mask)
    }
}

/// Yields, for each block of 64 words that the range touches, the block's index and the bits of the range in it.
fn masks(words: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    let Range { start, end } = words;
    let blocks = if start < end { start / BITS..end.div_ceil(BITS) } else { 0..0 };
    blocks.map(move |block| {
        let first = start.saturating_sub(block * BITS);
        let last = (end - 1 - block * BITS).min(BITS - 1);
        (block as usize, (u64::MAX << first) & (u64::MAX >> (BITS - 1 - last)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_cover_agrees_with_one_flag_a_word(ranges in prop::collection::vec((0u32..200, 0u32..200), 0..6), probe in (0u32..200, 0u32..200)) {
            let ordered = |(a, b): (u32, u32)| a.min(b)..a.max(b);
            let mut cover = Cover::default();
            cover.reset(200);
            let mut flags = [false; 200];
            for range in ranges {
                let words = ordered(range);
                let new = words.clone().filter(|&word| !flags[word as usize]).count();
                words.clone().for_each(|word| flags[word as usize] = true);
                prop_assert_eq!(cover.insert(words) as usize, new);
            }
            let probe = ordered(probe);
            let missing = probe.clone().filter(|&word| !flags[word as usize]).count();
            prop_assert_eq!(cover.count_missing(probe.clone()) as usize, missing);
            prop_assert_eq!(cover.holds(probe), missing == 0);
        }
    }
}
