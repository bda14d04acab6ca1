//! What the caller's own prompt contained does not count as copied from the corpus: a model that repeats its prompt gives nothing away.

use std::ops::Range;

use copytrace_indexer::fingerprint::Fingerprinter;

use crate::query::prints::Prints;

/// Which words of a text stand in the prompt too, in a run of at least k words.
#[derive(Debug, Default)]
pub(super) struct Echo {
    is_echo: Vec<bool>,
}

impl Echo {
    /// Compares a text with the prompt. Cost: O(words of both).
    pub(super) fn find(fingerprinter: &Fingerprinter, prints: &Prints, prompt: &str) -> Self {
        let mut is_echo = vec![false; prints.words.len()];
        if prompt.is_empty() {
            return Self { is_echo };
        }
        let (mut words, mut grams) = (copytrace_indexer::normalise::Words::default(), Vec::new());
        fingerprinter.words(prompt, &mut words);
        fingerprinter.grams(&words, &mut grams);
        grams.sort_unstable();
        let k = fingerprinter.recipe().anchor_words as usize;
        for (word, gram) in prints.grams.iter().enumerate() {
            if grams.binary_search(gram).is_ok() {
                is_echo[word..word + k].fill(true);
            }
        }
        Self { is_echo }
    }

    /// Counts the words of some runs that the prompt does not have.
    pub(super) fn words_beyond(&self, runs: &[Range<u32>]) -> u32 {
        let beyond = |run: &Range<u32>| {
            let words = &self.is_echo[run.start as usize..run.end as usize];
            words.iter().filter(|&&is_echo| !is_echo).count()
        };
        u32::try_from(runs.iter().map(beyond).sum::<usize>()).unwrap_or(u32::MAX)
    }
}
