//! What the caller's own prompt contained does not count as copied from the corpus: a model that repeats its prompt gives nothing away.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

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
        grams.sort_unstable();
        Self::of_grams(prints.words.len(), &prints.grams, &grams, fingerprinter.recipe().anchor_words as usize)
    }

    /// `theirs` are sorted.
    fn of_grams(n_words: usize, ours: &[u64], theirs: &[u64], k: usize) -> Self {
        let mut is_echo = vec![false; n_words];
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

/// The prompt read as code, once in each language that a part of the text has: a text has up to 64 parts, and a prompt up to 1 MiB.
#[derive(Debug)]
pub(super) struct CodePrompt<'a> {
    prompt: &'a str,
    grams: BTreeMap<Language, Vec<u64>>,
    /// Whether it was not read in some language, because the deadline had passed.
    pub(super) is_late: bool,
}

impl<'a> CodePrompt<'a> {
    pub(super) fn new(prompt: &'a str) -> Self {
        Self { prompt, grams: BTreeMap::new(), is_late: false }
    }

    /// Compares a piece of code with the prompt, whatever its names are called there. Cost: O(lexemes of both).
    pub(super) fn echo(
        &mut self,
        fingerprinter: &Fingerprinter,
        prints: &CodePrints,
        language: Language,
        deadline: Option<Instant>,
    ) -> Echo {
        let n_lexemes = prints.lexemes.len();
        if self.prompt.is_empty() {
            return Echo { is_echo: vec![false; n_lexemes] };
        }
        // The first language is always read: a prompt is exempt whatever else there was to do.
        let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if !self.grams.is_empty() && !self.grams.contains_key(&language) && is_late() {
            self.is_late = true;
            return Echo { is_echo: vec![false; n_lexemes] };
        }
        let grams = self.grams.entry(language).or_insert_with(|| {
            let (mut lexemes, mut scratch, mut grams) = (Lexemes::default(), CodeScratch::default(), Vec::new());
            fingerprinter.lexemes(self.prompt, language, &mut lexemes);
            fingerprinter.code_grams(&lexemes, &mut scratch, &mut grams);
            grams.sort_unstable();
            grams
        });
        Echo::of_grams(n_lexemes, &prints.grams, grams, fingerprinter.recipe().code_gram_lexemes as usize)
    }
}
