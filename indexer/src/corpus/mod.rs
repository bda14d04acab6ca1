//! Documents and where they come from: JSON lines, Parquet, trees of files.
//!
//! `input::discover` turns paths into a sorted list of input files, `reader::Reader` yields their rows in (input name,
//! row) order. A row that cannot be used is yielded as [`Row::Skipped`] with its reason, so that the pipeline can count
//! it, list it, or stop.

mod cells;
pub mod columns;
pub mod input;
mod json;
mod jsonl;
mod license;
pub mod lines;
pub mod options;
mod origin;
#[cfg_attr(not(feature = "parquet"), path = "no_parquet.rs")]
mod parquet;
pub mod progress;
pub mod reader;
pub mod rewrite;
pub mod rows;
#[cfg(test)]
mod tests;
mod tree;

use std::path::PathBuf;

use crate::language::Language;
use crate::language::detect::detect;

/// One document of a corpus with everything the catalogue keeps about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The document's name, unique within an index. `FILE:ROW` where the input has no id column; the relative path in a
    /// tree.
    pub id: String,
    /// The text exactly as it stands in the input: valid UTF-8, not normalised.
    pub text: String,
    /// Everything else that is known about it.
    pub attributes: Attributes,
}

impl Document {
    /// Returns what it takes in memory: text, id and attributes, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let Attributes { uri, license, origin, shard, language } = &self.attributes;
        [&self.text, &self.id, uri, license, origin, shard, language].into_iter().map(String::len).sum()
    }
}

/// What is known about a document beside its id and text. An empty string means "not given".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Where a person finds it: URL or path.
    pub uri: String,
    /// SPDX expression or the licence's name as given.
    pub license: String,
    /// Repository, package or site it came from. Documents of one origin count once where commonness is judged.
    pub origin: String,
    /// Training shard it belongs to.
    pub shard: String,
    /// Name of its language; see [`Language::name`].
    pub language: String,
}

/// A row of an input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A usable document. Boxed documents keep this enum small in channels.
    Document(Box<Document>),
    /// A row that was left out.
    Skipped(Skipped),
}

/// A row that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The input file.
    pub path: PathBuf,
    /// One-based line (JSON lines) or row (Parquet); 1 for a file of a tree.
    pub row: u64,
    /// Why it was left out.
    pub reason: SkipReason,
}

/// Why a row was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The line is not a JSON object, or a column has another type than text. The message never quotes the row's text.
    Malformed(String),
    /// The bytes are not UTF-8; the offset of the first wrong byte within the row.
    InvalidUtf8(u64),
    /// The row has no text column, or it is null.
    NoText,
    /// The text is empty or white space only.
    EmptyText,
    /// The text is longer than the cap, in bytes.
    TooLong {
        /// Length of this document, in bytes; a lower bound where reading stopped early.
        bytes: u64,
        /// The cap in force, in bytes.
        bytes_max: u64,
    },
    /// The file looks binary: a NUL byte in its first 8 KiB (trees of files only).
    Binary,
}

impl SkipReason {
    /// Short name under which the report counts it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::InvalidUtf8(_) => "invalid UTF-8",
            Self::NoText => "no text",
            Self::EmptyText => "empty text",
            Self::TooLong { .. } => "too long",
            Self::Binary => "binary",
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(problem) => f.write_str(problem),
            Self::InvalidUtf8(offset) => write!(f, "invalid UTF-8 at byte {offset} of the row: expected UTF-8 text"),
            Self::NoText => f.write_str("no text: the text column is missing or null"),
            Self::EmptyText => f.write_str("empty text"),
            Self::TooLong { bytes, bytes_max } => write!(f, "text of {bytes} bytes: expected at most {bytes_max}"),
            Self::Binary => f.write_str("binary file: expected text"),
        }
    }
}

/// Returns the language of a document: that which is given, by any of its usual names; else that of its path; else, where there is neither
/// a language nor a path, the one that its text is written in.
pub fn language_of(given: Option<&str>, path: Option<&str>, text: &str) -> Language {
    let (given, path) = (given.filter(|given| !given.trim().is_empty()), path.filter(|path| !path.is_empty()));
    match (given.and_then(Language::of_label), given, path) {
        (Some(language), _, _) => language,
        (None, _, Some(path)) => Language::of_path(path),
        (None, Some(_), None) => Language::Text,
        (None, None, None) => detect(text).language,
    }
}
