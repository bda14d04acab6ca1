//! Which runs stand in more than one place, as far as can be told in two bytes a run.

/// Tells runs that stand in one place from all others, but for some that it takes for others: two Bloom filters (Bloom, "Space/time trade-offs in hash
/// coding with allowable errors", CACM 13(7), 1970) of one word a key, of what was seen and of what was seen again.
pub(super) struct Filter {
    seen: Vec<u64>,
    again: Vec<u64>,
}

impl Filter {
    /// Makes the filter for about so many runs; it takes two bytes for each, and at most `memory_bytes`.
    pub(super) fn new(n_runs: usize, memory_bytes: usize) -> Self {
        let n_words = (n_runs.min(memory_bytes / 2) / size_of::<u64>()).max(1);
        Self { seen: vec![0; n_words], again: vec![0; n_words] }
    }

    fn place(&self, key: u64) -> (usize, u64) {
        let word = (u128::from(key) * self.seen.len() as u128) >> 64;
        // The low bits: the high ones chose the word.
        (usize::try_from(word).unwrap_or(0), 1 << (key & 63) | 1 << (key >> 6 & 63) | 1 << (key >> 12 & 63))
    }

    pub(super) fn add(&mut self, key: u64) {
        let (word, bits) = self.place(key);
        if self.seen[word] & bits == bits {
            self.again[word] |= bits;
        }
        self.seen[word] |= bits;
    }

    pub(super) fn has(&self, key: u64) -> bool {
        let (word, bits) = self.place(key);
        self.seen[word] & bits == bits
    }

    pub(super) fn has_twice(&self, key: u64) -> bool {
        let (word, bits) = self.place(key);
        self.again[word] & bits == bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_twice_is_known_and_little_else() {
        let key = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut filter = Filter::new(10_000, usize::MAX);
        for n in 0..10_000 {
            filter.add(key(n));
            assert!(filter.has(key(n)));
            if n.is_multiple_of(10) {
                filter.add(key(n));
                assert!(filter.has_twice(key(n)));
            }
        }
        let n_wrong = (0..10_000).filter(|n| n % 10 > 0 && filter.has_twice(key(*n))).count();
        assert!(n_wrong < 1_500, "{n_wrong} of 9,000");
    }
}
