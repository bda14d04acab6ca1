//! The definitions of a text that are compared: functions, classes and the like, by syntax tree.

use std::sync::{Mutex, PoisonError};

use copytrace_indexer::corpus::{Attributes, Document, language_of};
use copytrace_indexer::language::Language;
use copytrace_indexer::limits::PARSED_BYTES_MAX;
use copytrace_indexer::syntax::{Level, Reading, Syntax, Unit, UnitKind};

/// Fewest canonical tokens of a definition that is compared: smaller ones are written alike by whoever writes them.
pub(in crate::dedup) const DEFINITION_TOKENS_MIN: u32 = 50;

/// Parsers that are not at work. Making one costs more than most texts.
pub(in crate::dedup) struct Parsers {
    free: Mutex<Vec<Syntax>>,
    seed: u64,
}

impl Parsers {
    /// Starts with none; hashes depend on the seed.
    pub(in crate::dedup) fn new(seed: u64) -> Self {
        Self { free: Mutex::new(Vec::new()), seed }
    }

    /// Reads a text; what is found depends neither on time nor on what was read before.
    pub(in crate::dedup) fn read<T>(&self, text: &str, language: Language, take: impl FnOnce(Reading<'_>) -> T) -> T {
        let known = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut syntax = known.unwrap_or_else(|| Syntax::new(self.seed));
        let taken = take(syntax.read(text, language, PARSED_BYTES_MAX, None));
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(syntax);
        taken
    }
}

/// Returns what a document is written in.
pub(in crate::dedup) fn language_of_document(document: &Document) -> Language {
    let Attributes { language, uri, .. } = &document.attributes;
    let path = Some(uri.as_str()).filter(|uri| !uri.is_empty() && !uri.contains("://"));
    language_of(Some(language.as_str()), path, &document.text)
}

/// A definition that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dedup) struct Definition {
    /// Number of its unit in the reading.
    pub(in crate::dedup) unit_idx: usize,
    /// Whether it stands in a function, which does not work without it.
    pub(in crate::dedup) is_in_function: bool,
}

/// Returns the definitions of a text that are compared, by their starts, the longest of one start first.
///
/// A definition below a decorator is none by itself: the decorator says what it does.
pub(in crate::dedup) fn definitions_of(reading: &Reading<'_>) -> Vec<Definition> {
    let units = reading.units();
    let is_compared = |unit: &Unit| {
        unit.level == Level::Strict && unit.kind == UnitKind::Definition && unit.n_tokens >= DEFINITION_TOKENS_MIN
    };
    let mut numbers: Vec<usize> = (0..units.len()).filter(|&idx| is_compared(&units[idx])).collect();
    numbers.sort_unstable_by_key(|&idx| (units[idx].start, std::cmp::Reverse(units[idx].end), idx));
    numbers.dedup_by_key(|idx| (units[*idx].start, units[*idx].end));
    let mut found = Vec::with_capacity(numbers.len());
    // Units around the one that is looked at: number, whether it is decorated, whether it or one around it is a function.
    let mut around: Vec<(usize, bool, bool)> = Vec::new();
    for unit_idx in numbers {
        let unit = units[unit_idx];
        while around.pop_if(|(idx, ..)| units[*idx].end <= unit.start).is_some() {}
        let last = around.last().copied();
        let is_in_function = last.is_some_and(|(.., is_function)| is_function);
        let below_decorator = last.is_some_and(|(idx, is_decorated, _)| is_decorated && units[idx].end == unit.end);
        if !below_decorator {
            found.push(Definition { unit_idx, is_in_function });
        }
        // Of what is decorated, the unit in it tells what it is.
        let is_decorated = reading.is_decorated(unit_idx);
        let is_function = !is_decorated && !reading.is_class(unit_idx);
        around.push((unit_idx, is_decorated, is_in_function || is_function));
    }
    found
}
