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
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the size of a set")]
    let about = (threshold / (1.0 + threshold) * (a.len() + b.len()) as f64).floor() as usize;
    // One less than needed at most, so that rounding never decides.
    let n_needed = about.saturating_sub(1).min(smaller);
    let (mut a_misses, mut b_misses) = (a.len() - n_needed, b.len() - n_needed);
    let (mut i, mut j, mut n_shared) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.get().cmp(&y.get()) {
            std::cmp::Ordering::Equal => {
                n_shared += 1;
                i += 1;
                j += 1;
            }
            std::cmp::Ordering::Less => {
                a_misses = a_misses.checked_sub(1)?;
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                b_misses = b_misses.checked_sub(1)?;
                j += 1;
            }
        }
    }
    let overlap = Overlap { jaccard: jaccard(n_shared), containment: n_shared as f64 / a.len() as f64, is_code: false };
    (overlap.jaccard >= threshold).then_some(overlap)
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
