//! What the caller's own prompt contained does not count as copied from the corpus: a model that repeats its prompt gives nothing away.

use std::ops::Range;
use std::time::Instant;

use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::Lexemes;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::recipe::Recipe;

use super::parts::cut_at_fences;
use crate::query::prints::{CodePrints, Prints};
use crate::verify::marks::MarkTable;
use crate::verify::renaming::Roles;
use crate::verify::shape::compute_content_grams;

/// The prompt of a request; its k-grams are made when they are first asked for, and once for all parts and all indexes of one recipe.
#[derive(Debug)]
pub(super) struct Prompt<'a> {
    text: &'a str,
    /// By which recipe the k-grams were made.
    recipe: Option<Recipe>,
    /// Of words, sorted; none yet.
    words: Option<Vec<u64>>,
    /// Of code, sorted, where what has no language of its own is in this one.
    code: Vec<(Language, Vec<u64>)>,
    /// Whether the deadline passed before it was read in a language of the text.
    pub(super) is_late: bool,
}

impl<'a> Prompt<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, recipe: None, words: None, code: Vec::new(), is_late: false }
    }

    /// Tells which words of a text stand in the prompt, too. Cost: O(words of both), of the prompt once.
    pub(super) fn echo(&mut self, fingerprinter: &Fingerprinter, prints: &Prints) -> Echo {
        let text = self.prepare(fingerprinter);
        let theirs = self.words.get_or_insert_with(|| {
            let (mut words, mut grams) = (Words::default(), Vec::new());
            fingerprinter.words(text, &mut words);
            fingerprinter.grams(&words, &mut grams);
            grams.sort_unstable();
            grams
        });
        Echo::of_grams(prints.words.len(), &prints.grams, theirs, fingerprinter.recipe().anchor_words as usize)
    }

    /// Tells which lexemes of a piece of code stand in the prompt, too, whatever its variables are called there. `table` is that of the
    /// fingerprinter's lexer. Cost: O(lexemes of both), of the prompt once a language.
    pub(super) fn code_echo(
        &mut self,
        fingerprinter: &Fingerprinter,
        prints: &CodePrints,
        language: Language,
        table: &MarkTable,
        deadline: Option<Instant>,
    ) -> Echo {
        let text = self.prepare(fingerprinter);
        let known = self.code.iter().position(|(known, _)| *known == language);
        // The first language is always read: a prompt is exempt whatever else there was to do.
        if known.is_none() && !self.code.is_empty() && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.is_late = true;
            return Echo { is_echo: vec![false; prints.lexemes.len()] };
        }
        let idx = known.unwrap_or_else(|| {
            self.code.push((language, code_grams(fingerprinter, text, language, table)));
            self.code.len() - 1
        });
        let theirs = &self.code[idx].1;
        let (k, mut ours) = (fingerprinter.recipe().code_gram_lexemes as usize, Vec::new());
        if !theirs.is_empty() {
            GramMaker::new(table, k).compute(&prints.lexemes, &mut ours);
        }
        Echo::of_grams(prints.lexemes.len(), &ours, theirs, k)
    }

    /// Forgets the k-grams of another recipe. Returns the text.
    fn prepare(&mut self, fingerprinter: &Fingerprinter) -> &'a str {
        let recipe = *fingerprinter.recipe();
        if self.recipe != Some(recipe) {
            *self = Self { recipe: Some(recipe), is_late: self.is_late, ..Self::new(self.text) };
        }
        self.text
    }
}

/// Returns the k-grams of the code of a prompt, sorted. What stands between its fences is read apart from what stands around them: a fence opens
/// a string in some languages, and prose an apostrophe.
fn code_grams(fingerprinter: &Fingerprinter, text: &str, language: Language, table: &MarkTable) -> Vec<u64> {
    let mut maker = GramMaker::new(table, fingerprinter.recipe().code_gram_lexemes as usize);
    let (mut lexemes, mut grams, mut all) = (Lexemes::default(), Vec::new(), Vec::new());
    for part in cut_at_fences(text, language) {
        fingerprinter.lexemes(&text[part.bytes], part.language, &mut lexemes);
        maker.compute(&lexemes, &mut grams);
        all.append(&mut grams);
    }
    all.sort_unstable();
    all
}

/// Makes the k-grams by which code is known in a prompt: of content, but for the names of variables. Those of the index know a shape only, which
/// strangers' code has, too.
struct GramMaker<'a> {
    table: &'a MarkTable,
    k: usize,
    marks: Vec<u32>,
    roles: Roles,
}

impl<'a> GramMaker<'a> {
    fn new(table: &'a MarkTable, k: usize) -> Self {
        Self { table, k, marks: Vec::new(), roles: Roles::default() }
    }

    /// Replaces `grams` by those of the lexemes.
    fn compute(&mut self, lexemes: &Lexemes, grams: &mut Vec<u64>) {
        self.table.find(lexemes, &mut self.marks);
        self.roles.find(lexemes, &self.marks);
        compute_content_grams(lexemes, &self.roles, self.k, grams);
    }
}

/// Which words (in code: lexemes) of a text stand in the prompt too, in a run of at least k of them.
#[derive(Debug, Default)]
pub(super) struct Echo {
    is_echo: Vec<bool>,
}

impl Echo {
    /// `theirs` are sorted.
    fn of_grams(n_words: usize, ours: &[u64], theirs: &[u64], k: usize) -> Self {
        let mut is_echo = vec![false; n_words];
        if theirs.is_empty() {
            return Self { is_echo };
        }
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
