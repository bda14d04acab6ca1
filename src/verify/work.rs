//! A budget of work: how many words may still be compared.

/// What is left of a budget, in comparisons of one word with another: 1 to 3 ns each, depending on how much of the texts is in the caches.
///
/// One budget serves a whole check: every alignment takes from it, so that texts made to cost much cost no more than the budget, however many
/// documents they resemble. A count and not a clock: the same check of the same index stops at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    left: u64,
}

impl Work {
    /// Starts a budget.
    pub fn new(comparisons: u64) -> Self {
        Self { left: comparisons }
    }

    /// Takes from the budget; the last step may overdraw it.
    pub fn spend(&mut self, comparisons: usize) {
        self.left = self.left.saturating_sub(comparisons as u64);
    }

    /// Tells whether nothing is left.
    pub fn is_spent(self) -> bool {
        self.left == 0
    }

    /// Returns how much is left.
    pub fn left(self) -> u64 {
        self.left
    }

    /// Returns a budget of its own for a part of the work: what is left, but at most `comparisons_max`.
    pub(super) fn part(self, comparisons_max: u64) -> Self {
        Self { left: self.left.min(comparisons_max) }
    }

    /// Takes from the budget what a part of it has used up since it was `before`.
    pub(super) fn settle(&mut self, before: Self, after: Self) {
        self.left = self.left.saturating_sub(before.left.saturating_sub(after.left));
    }
}

impl Default for Work {
    /// The budget of one check: 2^29 comparisons, 0.5 to 1.6 s. Of honest texts the longest, 1 MiB that stands in 16 documents, takes less than a quarter of it.
    fn default() -> Self {
        Self::new(1 << 29)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::align::{Scratch, align};
    use super::super::alignment::AlignOptions;
    use super::super::oracle::Text;
    use super::*;

    /// Texts made to cost much, of `n` words.
    fn hostile_texts(n: u32) -> Vec<Vec<u32>> {
        let noise = |idx: u32, kinds: u32| (idx.wrapping_mul(2_654_435_761) >> 16) % kinds;
        let typos = |idx: u32| if idx % 31 == 30 { idx } else { idx % 7 };
        let sentence = |idx: u32| noise(idx / 12, 8) * 100 + idx % 12;
        let kinds: [&dyn Fn(u32) -> u32; 6] =
            [&|_| 0, &|idx| idx % 7, &|idx| noise(idx, 2), &|idx| noise(idx, 10), &typos, &sentence];
        kinds.iter().map(|kind| (0..n).map(kind).collect()).collect()
    }

    #[test]
    fn one_budget_bounds_the_work_of_many_alignments() {
        const WORDS: u32 = 20_000;
        let texts: Vec<Text> = hostile_texts(WORDS).iter().map(|words| Text::of_numbers(words)).collect();
        let seeds: Vec<(u32, u32)> = (0..2_000_u32).map(|n| (n * 10, n.wrapping_mul(7_919) % WORDS)).collect();
        let mut scratch = Scratch::default();
        for budget in [0, 1, 1_000, 100_000, 10_000_000] {
            let mut work = Work::new(budget);
            let n_compared = Cell::new(0_u64);
            let same_word = |a: &str, b: &str| {
                n_compared.set(n_compared.get() + 1);
                a == b
            };
            let mut n_complete = 0;
            for (query, source) in texts.iter().flat_map(|query| texts.iter().map(move |source| (query, source))) {
                let before = work;
                let options = AlignOptions::default();
                let found = align(&query.view(), &source.view(), &seeds, &options, same_word, &mut work, &mut scratch);
                assert!(work.left() <= before.left());
                assert!(found.capped || !work.is_spent(), "what was cut short says so");
                n_complete += u32::from(!found.capped);
            }
            // The last step of each alignment may overdraw the budget by one run.
            let overdraft = u64::from(WORDS) * (texts.len() as u64).pow(2);
            assert!(n_compared.get() <= budget + overdraft, "{} of {budget}", n_compared.get());
            assert!(budget > 0 || n_complete == 0, "without a budget nothing is complete");
        }
    }

    #[test]
    fn a_part_is_paid_from_the_whole() {
        let mut whole = Work::new(100);
        let before = whole.part(60);
        let mut part = before;
        part.spend(25);
        whole.settle(before, part);
        assert_eq!((part.left(), whole.left()), (35, 75));
        part.spend(1_000);
        whole.settle(before, part);
        assert_eq!((part.is_spent(), whole.left()), (true, 15));
        assert_eq!(whole.part(60), Work::new(15));
    }
}
