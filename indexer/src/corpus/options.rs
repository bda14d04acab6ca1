//! How files are read.

use super::columns::ColumnOptions;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::memory::MemoryPlan;

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
    /// Memory of the build that reads: bounds what a line, a page and a decompressor may take.
    pub memory: MemoryPlan,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            columns: ColumnOptions::default(),
            shard: None,
            document_bytes_max: DOCUMENT_BYTES_MAX,
            memory: MemoryPlan::default(),
        }
    }
}
