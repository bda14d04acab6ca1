//! Repeated runs of words of a length that the caller chooses: a sample of k-grams that nominates them, and a key for each.
//!
//! # Idea
//!
//! Every run of L words holds a k-gram that is chosen by the words of the run alone ([`anchors`](super::anchors): winnowing), so that all
//! occurrences of a run choose the same. A run that occurs more than N times has a chosen k-gram that does. Counting the chosen k-grams, one in
//! 13 words for L = 50, tells which stretches of a corpus need a closer look; all others hold no repeated run for certain.
//!
//! With k = L / 2 the k-grams are long enough to be rare unless what they stand in is repeated.
//!
//! # Keys of runs
//!
//! A run of words h(0) ... h(L-1) has the key mix(h(0) M^(L-1) + ... + h(L-1)), a polynomial modulo 2^64 with an odd M (Karp and Rabin, "Efficient
//! randomized pattern-matching algorithms", 1987): it rolls on by one word for any L, where the rotations of `grams` repeat from 64 on. Equal
//! keys are candidates; who needs more compares the words.
//!
//! A text that is shorter than a run is one run by itself, with a key that no other run has: what is left of a text can be told from whole ones.
//!
//! # Cost
//!
//! 8 ns a word for sampling, 1.5 ns for a key of a run that is next to the one before.

use super::anchors::{REACH_MAX, Sampler};
use super::grams::compute_keys;
use crate::normalise::mix;

/// Longest run of which the sample is made: longer runs hold such ones.
const SAMPLED_WORDS_MAX: usize = 80;
const _: () = assert!(SAMPLED_WORDS_MAX / 2 + 1 < REACH_MAX);

/// Least length of a run, in words.
pub const RUN_WORDS_MIN: u32 = 8;

/// The multiplier of keys: odd, its bits without a pattern (that of Knuth's MMIX generator).
const FACTOR: u64 = 6_364_136_223_846_793_005;

/// Tells keys of whole texts from those of runs.
const WHOLE: u64 = 0x5748_4F4C_4500_0001;

/// Finds candidates for repeated runs of words.
#[derive(Debug, Clone, Copy)]
pub struct RunSampler {
    run_words: usize,
    k: usize,
    sampler: Sampler,
    /// What the first word of a run is multiplied by.
    leading_factor: u64,
}

/// Buffers that are used again.
#[derive(Debug, Clone, Default)]
pub struct RunScratch {
    grams: Vec<u64>,
    anchors: Vec<u32>,
}

impl RunSampler {
    /// Makes the sampler for runs of so many words; at least [`RUN_WORDS_MIN`].
    pub fn new(run_words: u32) -> Self {
        let run_words = run_words.max(RUN_WORDS_MIN) as usize;
        let sampled_words = run_words.min(SAMPLED_WORDS_MAX);
        let k = sampled_words / 2;
        let leading_factor = (1..run_words).fold(1_u64, |factor, _| factor.wrapping_mul(FACTOR));
        Self { run_words, k, sampler: Sampler::new(k, sampled_words), leading_factor }
    }

    /// Returns the length of runs, in words.
    pub fn run_words(&self) -> usize {
        self.run_words
    }

    /// Calls `each` with the key of every sampled k-gram of a text, in the order of the text. Where one stands for several equal ones around it, as in
    /// a text that repeats a few words, it is given once for each of them. A text that is shorter than a run has one key, that of all of it.
    pub fn sample(&self, hashes: &[u64], scratch: &mut RunScratch, mut each: impl FnMut(u64)) {
        if hashes.len() < self.run_words {
            return whole_key(hashes).into_iter().for_each(each);
        }
        let RunScratch { grams, anchors } = scratch;
        compute_keys(hashes, self.k, grams);
        self.sampler.select(hashes, grams, anchors);
        let reach = self.run_words.min(SAMPLED_WORDS_MAX) - self.k;
        for anchor in anchors.iter().map(|&anchor| anchor as usize) {
            let around = &grams[anchor.saturating_sub(reach)..grams.len().min(anchor + reach + 1)];
            around.iter().filter(|&&gram| gram == grams[anchor]).for_each(|&gram| each(gram));
        }
    }

    /// Calls `each` with the first word and the key of every run that holds a sampled k-gram which `is_watched`, in the order of the text; of a text
    /// that is shorter than a run with all of it.
    ///
    /// All repeated runs are among them where every k-gram that is sampled more often than allowed is watched.
    pub fn for_each_run(
        &self,
        hashes: &[u64],
        scratch: &mut RunScratch,
        mut is_watched: impl FnMut(u64) -> bool,
        mut each: impl FnMut(usize, u64),
    ) {
        let Some(last_run) = hashes.len().checked_sub(self.run_words) else {
            return whole_key(hashes).into_iter().filter(|&key| is_watched(key)).for_each(|key| each(0, key));
        };
        let RunScratch { grams, anchors } = scratch;
        compute_keys(hashes, self.k, grams);
        self.sampler.select(hashes, grams, anchors);
        let (mut next, mut state) = (0, 0_u64);
        for &anchor in anchors.iter() {
            let anchor = anchor as usize;
            if !is_watched(grams[anchor]) {
                continue;
            }
            let first = (anchor + self.k).saturating_sub(self.run_words);
            for run in first.max(next)..=anchor.min(last_run) {
                state = if run == next && run > 0 {
                    let leaving = hashes[run - 1].wrapping_mul(self.leading_factor);
                    roll(state.wrapping_sub(leaving), hashes[run + self.run_words - 1])
                } else {
                    hashes[run..run + self.run_words].iter().fold(0, |state, &hash| roll(state, hash))
                };
                each(run, mix(state));
                next = run + 1;
            }
        }
    }
}

/// Returns the key of a text that is shorter than a run; none of no text.
fn whole_key(hashes: &[u64]) -> Option<u64> {
    let state = hashes.iter().fold(hashes.len() as u64, |state, &hash| roll(state, hash));
    (!hashes.is_empty()).then(|| mix(state ^ WHOLE))
}

fn roll(state: u64, entering: u64) -> u64 {
    state.wrapping_mul(FACTOR).wrapping_add(entering)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn hashes(words: &[u8]) -> Vec<u64> {
        words.iter().map(|&word| mix(u64::from(word) + 1)).collect()
    }

    fn runs(sampler: &RunSampler, hashes: &[u64], is_watched: impl FnMut(u64) -> bool) -> Vec<(usize, u64)> {
        let mut found = Vec::new();
        sampler.for_each_run(hashes, &mut RunScratch::default(), is_watched, |run, key| found.push((run, key)));
        found
    }

    #[test]
    fn all_runs_have_keys_that_only_equal_runs_share() {
        for run_words in [8, 9, 50, 64, 65, 200] {
            let sampler = RunSampler::new(run_words);
            let random: Vec<u64> = (0..600).map(|n| mix(n % 250)).collect();
            let found = runs(&sampler, &random, |_| true);
            assert_eq!(found.len(), 601 - run_words as usize);
            for (at, &(run, key)) in found.iter().enumerate() {
                assert_eq!(run, at);
                assert_eq!(key, found[at % 250].1, "run {at} of {run_words}");
            }
            let keys: BTreeSet<u64> = found.iter().map(|&(_, key)| key).collect();
            assert_eq!(keys.len(), 250.min(found.len()));
        }
    }

    #[test]
    fn shorter_texts_are_one_run() {
        let sampler = RunSampler::new(50);
        let text: Vec<u64> = (0..49).map(mix).collect();
        let mut sampled = Vec::new();
        for end in 0..=49 {
            sampled.clear();
            sampler.sample(&text[..end], &mut RunScratch::default(), |key| sampled.push((0, key)));
            assert_eq!(runs(&sampler, &text[..end], |_| true), sampled);
            assert_eq!(sampled.len(), usize::from(end > 0));
            assert!(!runs(&sampler, &text, |_| true).contains(sampled.first().unwrap_or(&(1, 0))) || end == 49);
        }
    }

    proptest! {
        /// The guarantee: what repeats is found by watching the k-grams that are sampled more than once.
        #[test]
        fn repeated_runs_hold_a_repeated_sample(
            texts in prop::collection::vec(prop::collection::vec(0..3_u8, 0..60), 1..6),
            run_words in 8..14_u32,
        ) {
            let sampler = RunSampler::new(run_words);
            let texts: Vec<Vec<u64>> = texts.iter().map(|text| hashes(text)).collect();
            let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
            for text in &texts {
                sampler.sample(text, &mut RunScratch::default(), |gram| *counts.entry(gram).or_default() += 1);
            }
            let mut expected: BTreeMap<&[u64], u32> = BTreeMap::new();
            for run in texts.iter().flat_map(|text| text.windows(run_words as usize)) {
                *expected.entry(run).or_default() += 1;
            }
            for text in &texts {
                let found: BTreeSet<usize> =
                    runs(&sampler, text, |gram| counts[&gram] > 1).into_iter().map(|(run, _)| run).collect();
                for (at, run) in text.windows(run_words as usize).enumerate() {
                    prop_assert!(expected[run] < 2 || found.contains(&at));
                }
            }
        }
    }
}
