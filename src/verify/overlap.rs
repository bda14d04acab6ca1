//! Exact likeness of whole documents: Jaccard similarity and containment of their sets of shingles.
//!
//! Signatures estimate these numbers to nominate pairs; here they are computed, on sets of 64-bit shingle hashes. Two different shingles share a hash with
//! probability 2^-64, so that for two documents of a million shingles the result is off by one shingle with probability below 1e-7.
//!
//! Source: A. Broder, On the resemblance and containment of documents, SEQUENCES 1997.

/// Makes a set of shingle hashes: sorted, each once. What [`jaccard`] and [`containment`] ask for.
///
/// Cost: O(n log n), in place.
pub fn sort_distinct(shingles: &mut Vec<u64>) {
    shingles.sort_unstable();
    shingles.dedup();
}

/// Returns how many shingles are in both sets.
///
/// Cost: one merge without branches that depend on the data, O(a + b).
pub fn count_shared(a: &[u64], b: &[u64]) -> usize {
    debug_assert!(is_set(a) && is_set(b), "shingles are sorted and distinct");
    let (mut i, mut j, mut n_shared) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        n_shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    n_shared
}

/// Returns |a and b| / |a or b|, 0 to 1; 0 if both are empty, because nothing in common is no evidence.
///
/// Both must be sorted and distinct ([`sort_distinct`]).
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let n_shared = count_shared(a, b);
    ratio(n_shared, a.len() + b.len() - n_shared)
}

/// Returns |a and b| / |a|: the share of `a` that `b` holds, 0 to 1; 0 if `a` is empty.
///
/// Both must be sorted and distinct ([`sort_distinct`]).
pub fn containment(a: &[u64], b: &[u64]) -> f64 {
    ratio(count_shared(a, b), a.len())
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn is_set(shingles: &[u64]) -> bool {
    shingles.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(a: &[u64], b: &[u64], expected_jaccard: f64, expected_containment: f64) {
        assert!((jaccard(a, b) - expected_jaccard).abs() < 1e-12, "{a:?} {b:?}: {}", jaccard(a, b));
        assert!((containment(a, b) - expected_containment).abs() < 1e-12, "{a:?} {b:?}: {}", containment(a, b));
    }

    #[test]
    fn likeness_is_the_shared_part() {
        check(&[], &[], 0.0, 0.0);
        check(&[1], &[], 0.0, 0.0);
        check(&[], &[1], 0.0, 0.0);
        check(&[1, 2, 3], &[1, 2, 3], 1.0, 1.0);
        check(&[1, 2, 3], &[4, 5], 0.0, 0.0);
        check(&[1, 2], &[1, 2, 3, 4], 0.5, 1.0);
        check(&[1, 2, 3, 4], &[1, 2], 0.5, 0.5);
        check(&[0, u64::MAX], &[u64::MAX], 0.5, 0.5);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn likeness_agrees_with_sets(mut a in prop::collection::vec(0u64..40, 0..40), mut b in prop::collection::vec(0u64..40, 0..40)) {
            let (set_a, set_b): (BTreeSet<u64>, BTreeSet<u64>) = (a.iter().copied().collect(), b.iter().copied().collect());
            sort_distinct(&mut a);
            sort_distinct(&mut b);
            let n_shared = set_a.intersection(&set_b).count();
            prop_assert_eq!(count_shared(&a, &b), n_shared);
            prop_assert_eq!(jaccard(&a, &b).to_bits(), ratio(n_shared, set_a.union(&set_b).count()).to_bits());
            prop_assert_eq!(containment(&a, &b).to_bits(), ratio(n_shared, set_a.len()).to_bits());
        }
    }
}
