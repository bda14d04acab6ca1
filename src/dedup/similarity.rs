//! Exact similarity of two sets with a threshold: as little work as the answer needs.

use zerocopy::little_endian::U64;

use super::group::Overlap;

/// Returns how alike two sets are if their Jaccard index is at least `threshold`. The sets are sorted, each key once.
///
/// Idea: J >= t asks for at least t / (1 + t) (|a| + |b|) shared keys, so that each set may miss only so many; the merge ends with the first
/// miss too many. Where sizes alone say no nothing is read.
///
/// The index itself is computed as shared / (|a| + |b| - shared) and compared as it will be shown.
///
/// Cost: O(|a| + |b|), less where they differ.
pub(super) fn overlap_at_least(a: &[U64], b: &[U64], threshold: f64) -> Option<Overlap> {
    let jaccard = |n_shared: usize| n_shared as f64 / (a.len() + b.len() - n_shared) as f64;
    let smaller = a.len().min(b.len());
    if smaller == 0 || jaccard(smaller) < threshold {
        return None;
    }
    let n_needed = n_shared_min(a.len() + b.len(), threshold).min(smaller);
    let (a_misses_max, b_misses_max) = (a.len() - n_needed, b.len() - n_needed);
    let (mut a_idx, mut b_idx, mut n_shared) = (0, 0, 0);
    // The only branch that depends on the data is that of the first miss too many.
    while let (Some(of_a), Some(of_b)) = (a.get(a_idx), b.get(b_idx)) {
        let (of_a, of_b) = (of_a.get(), of_b.get());
        n_shared += usize::from(of_a == of_b);
        a_idx += usize::from(of_a <= of_b);
        b_idx += usize::from(of_b <= of_a);
        if a_idx - n_shared > a_misses_max || b_idx - n_shared > b_misses_max {
            return None;
        }
    }
    let overlap = Overlap { jaccard: jaccard(n_shared), containment: n_shared as f64 / a.len() as f64, is_code: false };
    (overlap.jaccard >= threshold).then_some(overlap)
}

/// Returns how many keys two sets of so many keys together share at least, if their Jaccard index is `threshold` or more: t / (1 + t) of them. Never one
/// too many, however it is rounded.
fn n_shared_min(n_keys: usize, threshold: f64) -> usize {
    // Far above the error of rounding for 2^32 keys, far below one.
    let below = (threshold / (1.0 + threshold) * n_keys as f64 - 1e-3).max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 0, and at most the number of keys"
    )]
    let n_below = below as usize;
    n_below + 1
}

/// Words of 64 bits of a [`SetBits`].
const SET_WORDS: usize = 8;

/// A set in 512 bits: each key sets one. A key without its bit in another set's is not in that set, so that two of these *prove* most pairs of
/// short texts unlike in a tenth of the time of a merge; of more than some 500 keys they say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetBits {
    n_keys: u32,
    words: [u64; SET_WORDS],
}

impl SetBits {
    pub(super) fn of(set: &[U64]) -> Self {
        let mut words = [0; SET_WORDS];
        for key in set {
            let bit = key.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 55;
            words[bit as usize / 64] |= 1 << (bit % 64);
        }
        Self { n_keys: u32::try_from(set.len()).unwrap_or(u32::MAX), words }
    }

    /// Tells whether the Jaccard index may be `threshold` or more; where it is, always.
    pub(super) fn may_overlap(&self, other: &Self, threshold: f64) -> bool {
        let (a, b) = (self.n_keys as usize, other.n_keys as usize);
        let n_needed = n_shared_min(a + b, threshold);
        let n_missing = |of: &Self, from: &Self| {
            of.words.iter().zip(&from.words).map(|(of, from)| (of & !from).count_ones() as usize).sum::<usize>()
        };
        n_needed <= a.min(b) && n_missing(self, other) <= a - n_needed && n_missing(other, self) <= b - n_needed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_is_the_jaccard_index_or_below_the_threshold(
            a in prop::collection::btree_set(0..60_u64, 0..50),
            b in prop::collection::btree_set(0..60_u64, 0..50),
            percent in 1..=100_u32,
        ) {
            let threshold = f64::from(percent) / 100.0;
            let n_shared = a.intersection(&b).count();
            let n_all = a.union(&b).count();
            let expected = if n_all == 0 { 0.0 } else { n_shared as f64 / n_all as f64 };
            let [a, b] = [&a, &b].map(|set| set.iter().map(|&key| U64::new(key)).collect::<Vec<_>>());
            prop_assert!(SetBits::of(&a).may_overlap(&SetBits::of(&b), threshold) || expected < threshold || n_all == 0);
            match overlap_at_least(&a, &b, threshold) {
                Some(found) => {
                    prop_assert_eq!(found.jaccard.to_bits(), expected.to_bits());
                    prop_assert!(expected >= threshold);
                    prop_assert_eq!(found.containment.to_bits(), (n_shared as f64 / a.len() as f64).to_bits());
                }
                None => prop_assert!(expected < threshold),
            }
        }
    }
}
