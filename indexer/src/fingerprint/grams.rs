//! Keys of word k-grams: one rolling hash for anchors and shingles alike.
//!
//! A k-gram of word hashes h(0) ... h(k-1) is hashed by a cyclic polynomial (Cohen, "Recursive hashing functions for
//! n-grams", ACM TOIS 15(3), 1997; Lemire and Kaser, "Recursive n-gram hashing is pairwise independent, at best",
//! 2010):
//!
//! ```text
//! roll = rotl(h(0), k-1) XOR rotl(h(1), k-2) XOR ... XOR h(k-1)
//! key  = mix(roll)
//! ```
//!
//! The roll moves on by one word with two rotations, whatever k; as each word is hashed once, a text of n words costs n
//! steps. The finaliser `mix` is a bijection, so the key is as good as the roll, but evenly spread: a directory over
//! its top bits, or the minimum of a permutation, sees no pattern. Two k-grams with different words share a key with
//! probability 2^-64 for words that nobody chose knowing the seed; the order of the words matters because 0 < k < 64
//! makes all rotations differ.

use crate::normalise::mix;

/// Replaces `keys` by the keys of all k-grams: `keys[i]` covers words i to i + k - 1; empty for fewer than k words.
///
/// Cost: 5 cycles a word.
pub(super) fn compute_keys(hashes: &[u64], k: usize, keys: &mut Vec<u64>) {
    debug_assert!((1..64).contains(&k), "rotations by less than a word differ");
    keys.clear();
    if hashes.len() < k {
        return;
    }
    let (first, rest) = hashes.split_at(k - 1);
    let mut roll = first.iter().fold(0_u64, |roll, hash| roll.rotate_left(1) ^ hash);
    #[expect(clippy::cast_possible_truncation, reason = "k is below 64")]
    let leaving_turn = k as u32 - 1;
    keys.extend(rest.iter().zip(hashes).map(|(entering, leaving)| {
        roll = roll.rotate_left(1) ^ entering;
        let key = mix(roll);
        roll ^= leaving.rotate_left(leaving_turn);
        key
    }));
}
