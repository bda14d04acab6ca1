//! How files are read.

use super::columns::ColumnOptions;
use crate::limits::DOCUMENT_BYTES_MAX;

/// What applies to every file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// The columns that the caller names.
    pub columns: ColumnOptions,
    /// Shard of documents for which no column gives one.
    pub shard: Option<String>,
    /// Longest text, in bytes; a longer one is skipped. Never beyond [`DOCUMENT_BYTES_MAX`] for JSON lines, whose lines
    /// are capped.
    pub document_bytes_max: u32,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { columns: ColumnOptions::default(), shard: None, document_bytes_max: DOCUMENT_BYTES_MAX }
    }
}
