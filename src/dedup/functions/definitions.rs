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

/// Returns the numbers of the units that are compared, by their starts, the longest of one start first.
///
/// A definition below a decorator is none by itself: the decorator says what it does.
pub(in crate::dedup) fn definitions_of(text: &str, units: &[Unit]) -> Vec<usize> {
    let is_compared = |unit: &Unit| {
        unit.level == Level::Strict && unit.kind == UnitKind::Definition && unit.n_tokens >= DEFINITION_TOKENS_MIN
    };
    let mut found: Vec<usize> = (0..units.len()).filter(|&idx| is_compared(&units[idx])).collect();
    found.sort_unstable_by_key(|&idx| (units[idx].end, units[idx].start));
    found.dedup_by_key(|idx| (units[*idx].end, units[*idx].start));
    let mut around: Option<&Unit> = None;
    found.retain(|&idx| {
        let unit = &units[idx];
        let begins_with_decorator =
            |around: &Unit| around.end == unit.end && text.as_bytes().get(around.start as usize) == Some(&b'@');
        let is_decorated = around.is_some_and(begins_with_decorator);
        around = Some(unit);
        !is_decorated
    });
    found.sort_unstable_by_key(|&idx| (units[idx].start, std::cmp::Reverse(units[idx].end)));
    found
}
