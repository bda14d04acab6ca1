//! Copies of code in a part of a text: candidates by their lexemes and their units, alignment, support.
//!
//! `candidates` says which documents are aligned; `align` does it, on what `source` reads; `weigh` says how sure a copy is; `similar` finds whole
//! documents; `words` keeps what was found by words from being told twice.

mod align;
mod candidates;
mod similar;
mod source;
mod weigh;
mod words;

use copytrace_indexer::language::Language;

pub(super) use self::candidates::{Found, verify};
pub(super) use self::similar::{SIMILAR_DOCS_MAX, verify_similar};
use self::source::{Prepared, Source};
pub(super) use self::words::{CodeWords, RareWord, find_rare_words};
use super::passages::Subject;
use super::units::Parsers;
use crate::query::prints::CodePrints;
use crate::verify::align::Scratch;

/// Share of a text that a copy of code covers so that "near-duplicate" would say less than is known.
const WHOLE_SHARE: f64 = 0.9;

/// A part of the text that is code.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeSubject<'a> {
    /// The text as a whole.
    pub(super) subject: Subject<'a>,
    /// First byte of the part.
    pub(super) start: usize,
    pub(super) code: &'a str,
    pub(super) language: Language,
    pub(super) prints: &'a CodePrints,
    /// Words in the part that few documents have, ascending.
    pub(super) rare: &'a [RareWord],
}

/// Buffers that are used again for every candidate.
#[derive(Debug, Default)]
pub(super) struct CodeBuffers {
    query: Prepared,
    /// Whether each lexeme of the query belongs to a header.
    headers: Vec<bool>,
    source: Source,
    seeds: Vec<(u32, u32)>,
    align: Scratch,
    parsers: Parsers,
}

#[cfg(test)]
mod tests;
