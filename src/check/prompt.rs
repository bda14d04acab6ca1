//! What the caller's own prompt contained does not count as copied from the corpus: a model that repeats its prompt gives nothing away.

use std::ops::Range;

use copytrace_indexer::fingerprint::{CodeScratch, Fingerprinter};
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::Lexemes;
use copytrace_indexer::normalise::Words;

use crate::query::prints::{CodePrints, Prints};

/// Which words (in code: lexemes) of a text stand in the prompt too, in a run of at least k of them.
#[derive(Debug, Default)]
pub(super) struct Echo {
    is_echo: Vec<bool>,
}

impl Echo {
    /// Compares a text with the prompt. Cost: O(words of both).
    pub(super) fn find(fingerprinter: &Fingerprinter, prints: &Prints, prompt: &str) -> Self {
        if prompt.is_empty() {
            return Self { is_echo: vec![false; prints.words.len()] };
        }
        let (mut words, mut grams) = (Words::default(), Vec::new());
        fingerprinter.words(prompt, &mut words);
        fingerprinter.grams(&words, &mut grams);
        Self::of_grams(prints.words.len(), &prints.grams, grams, fingerprinter.recipe().anchor_words as usize)
    }

    /// Compares a piece of code with the prompt, whatever its names are called there. Cost: O(lexemes of both).
    pub(super) fn find_code(
        fingerprinter: &Fingerprinter,
        prints: &CodePrints,
        prompt: &str,
        language: Language,
    ) -> Self {
        let n_lexemes = prints.lexemes.len();
        if prompt.is_empty() {
            return Self { is_echo: vec![false; n_lexemes] };
        }
        let (mut lexemes, mut scratch, mut grams) = (Lexemes::default(), CodeScratch::default(), Vec::new());
        fingerprinter.lexemes(prompt, language, &mut lexemes);
        fingerprinter.code_grams(&lexemes, &mut scratch, &mut grams);
        Self::of_grams(n_lexemes, &prints.grams, grams, fingerprinter.recipe().code_gram_lexemes as usize)
    }

    fn of_grams(n_words: usize, ours: &[u64], mut theirs: Vec<u64>, k: usize) -> Self {
        let mut is_echo = vec![false; n_words];
        theirs.sort_unstable();
        for (word, gram) in ours.iter().enumerate() {
            if theirs.binary_search(gram).is_ok() {
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
