//! How a build divides the memory it was given: the one place that knows all shares.
//!
//! | share | what for |
//! |---|---|
//! | 3/16 | the line that is being read |
//! | 1/16 | its text without escapes, while it is parsed |
//! | 1/16 | its text, waiting to be taken |
//! | 1/16 | window of the decompressor; pages of Parquet take the place of lines |
//! | 3/16 | documents between reader and writer, with what is made of them, and what the allocator does not give back |
//! | instead, if that is more: 1/16, and 1/8 or 20 MiB | one long document, and what it takes to cut documents of code into lexemes and to parse them |
//! | 8 MiB | the program itself: code tables, stacks, file buffers |
//! | the rest | tables: 12/32 of it words for the catalogue, 6/32 anchors, 4/32 anchors of code, 1/32 units, 5/32 bands, 2/32 each ids and normal forms |
//!
//! Longest documents have fixed limits too, so that of much memory nearly all goes to the tables. A share is a bound, not a reservation.
//!
//! What grows with a segment besides is small and held until its end: 8 bytes for every 4 KiB of file and 16 for every 16 KiB of text, which
//! is 0.15 % of the text; a directory of 0.1 byte a posting while a table is written; one bit a document where ids come twice.

use std::path::Path;

use crate::error::Error;
use crate::limits::{BUILD_MEMORY_BYTES, BUILD_MEMORY_BYTES_MIN, DOCUMENT_BYTES_MAX, LINE_BYTES_MAX};

/// What the program takes before it reads anything, in bytes.
const PROGRAM_BYTES: usize = 8 << 20;

/// Most that the rows of a batch count for, in bytes: enough to keep many cores busy.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Most memory for the catalogue's words, in bytes: the table of terms should stay in the last-level cache.
const CATALOG_BYTES_MAX: usize = 128 << 20;

/// Working memory of one document of code that is as long as what is parsed, in bytes: 11 MiB for lexemes and k-grams where each is one byte, or less of it and
/// a tree with its two canonical forms. Measured as the peak of a build of one document of 192 KiB, every third byte a token.
const CODE_DOCUMENT_BYTES: usize = 20 << 20;

/// Largest window of a zstd frame, in bytes: 128 MiB, what the zstd tool itself accepts without `--long`.
const ZSTD_WINDOW_BYTES_MAX: usize = 128 << 20;

/// The shares of one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    memory_bytes: usize,
}

impl Default for MemoryPlan {
    /// Divides 2 GiB.
    fn default() -> Self {
        Self { memory_bytes: BUILD_MEMORY_BYTES }
    }
}

impl MemoryPlan {
    /// Divides so much memory. Less than [`BUILD_MEMORY_BYTES_MIN`] bounds the tables alone: for tests, which want temporary files from
    /// little text.
    pub fn new(memory_bytes: usize) -> Self {
        Self { memory_bytes }
    }

    /// Returns the longest text that can be indexed, in bytes.
    pub fn document_bytes_max(self) -> usize {
        (self.reading_bytes() / 16).min(DOCUMENT_BYTES_MAX as usize)
    }

    /// Returns the longest line of JSON that can be read, in bytes.
    pub(crate) fn line_bytes_max(self) -> usize {
        (self.reading_bytes() / 16 * 3).min(LINE_BYTES_MAX)
    }

    /// Returns the largest window of a zstd frame, as a power of two. Twice its share, because few files have one that large.
    pub(crate) fn zstd_window_log_max(self) -> u32 {
        (self.reading_bytes() / 8).min(ZSTD_WINDOW_BYTES_MAX).ilog2()
    }

    /// Returns the longest page of a column of Parquet when decompressed, in bytes.
    #[cfg(feature = "parquet")]
    pub(crate) fn page_bytes_max(self) -> u64 {
        self.reading_bytes() as u64 / 8
    }

    /// Says how much memory a text needs that is longer than [`document_bytes_max`](Self::document_bytes_max), or a line or page that is longer
    /// than those that can be read: they are never left out, nor is their file, because the index must not depend on the memory.
    pub(crate) fn refuse(self, what: &str, n_bytes: usize, bytes_max: usize) -> Error {
        let needed = self.reading_bytes() as u128 * n_bytes as u128 / bytes_max.max(1) as u128;
        let needed = usize::try_from(needed).unwrap_or(usize::MAX).div_ceil(1 << 20);
        let expected = format!("at least {needed} MiB for {what} of {n_bytes} bytes");
        Error::Argument { name: "memory", expected, found: format!("{} MiB", self.reading_bytes() >> 20) }
    }

    /// Says that a zstd frame has a longer window than [`zstd_window_log_max`](Self::zstd_window_log_max). How long it is zstd does not tell.
    /// Where more memory could help this is no error of the file, for the reason of [`refuse`](Self::refuse).
    pub(crate) fn refuse_zstd_window(self, path: &Path) -> Error {
        let window_bytes = 1_u64 << self.zstd_window_log_max();
        if window_bytes >= ZSTD_WINDOW_BYTES_MAX as u64 {
            let problem =
                format!("a zstd frame has a window of more than {window_bytes} bytes: compress it without `--long`");
            return Error::Input { path: path.to_path_buf(), problem };
        }
        let (found, enough) = (self.reading_bytes() >> 20, (8 * ZSTD_WINDOW_BYTES_MAX) >> 20);
        let path = path.display();
        let expected = format!(
            "more, up to {enough} MiB: a zstd frame of `{path}` has a window of more than {window_bytes} bytes"
        );
        Error::Argument { name: "memory", expected, found: format!("{found} MiB") }
    }

    /// Returns how much memory the rows of a batch count for, in bytes.
    pub(crate) fn batch_bytes(self) -> usize {
        (self.reading_bytes() / 128).min(BATCH_BYTES_MAX)
    }

    /// Returns how much memory the rows between the reader and the writer may count for, in bytes, unless one document has more.
    pub(crate) fn in_flight_bytes(self) -> usize {
        self.batch_bytes() * 4
    }

    /// Returns what the catalogue may take, in bytes.
    pub(crate) fn catalog_bytes(self) -> usize {
        (self.tables_bytes() / 8 * 3).min(CATALOG_BYTES_MAX)
    }

    /// Returns what anchors may take, in bytes. Anchors and bands have 32 postings per 3 KB of text each, code has three times as many
    /// anchors and a unit every 300 bytes besides, the others one a document.
    pub(crate) fn anchors_bytes(self) -> usize {
        self.tables_bytes() / 32 * 6
    }

    /// Returns what anchors of code may take, in bytes.
    pub(crate) fn lexemes_bytes(self) -> usize {
        self.tables_bytes() / 32 * 4
    }

    /// Returns what units of code may take, in bytes.
    pub(crate) fn units_bytes(self) -> usize {
        self.tables_bytes() / 32
    }

    /// Returns what band keys may take, in bytes.
    pub(crate) fn bands_bytes(self) -> usize {
        self.tables_bytes() / 32 * 5
    }

    /// Returns what ids may take, and what normal forms may take, in bytes.
    pub(crate) fn one_each_bytes(self) -> usize {
        self.tables_bytes() / 32 * 2
    }

    /// Returns how many long documents of code may be prepared at the same time.
    pub(crate) fn n_code_documents(self) -> usize {
        (self.reading_bytes() / 8 / CODE_DOCUMENT_BYTES).max(1)
    }

    fn tables_bytes(self) -> usize {
        let others = self.reader_bytes() + self.passing_bytes() + PROGRAM_BYTES;
        if self.memory_bytes < BUILD_MEMORY_BYTES_MIN { self.memory_bytes / 4 } else { self.memory_bytes - others }
    }

    fn reading_bytes(self) -> usize {
        self.memory_bytes.max(BUILD_MEMORY_BYTES_MIN)
    }

    fn reader_bytes(self) -> usize {
        let window_bytes = (self.reading_bytes() / 16).min(ZSTD_WINDOW_BYTES_MAX);
        self.line_bytes_max() + 2 * self.document_bytes_max() + window_bytes
    }

    /// One long document, and twice as much for what the allocator keeps of those before it; or batches of short ones with three times
    /// their text of what is made of them; or one long document, and what documents of code before it took.
    fn passing_bytes(self) -> usize {
        let document_bytes = self.document_bytes_max();
        (3 * document_bytes)
            .max(self.in_flight_bytes() * 4)
            .max(document_bytes + self.n_code_documents() * CODE_DOCUMENT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_memory_and_no_more() {
        for memory_mib in [64, 65, 100, 256, 1000, 2 << 10, 1 << 20] {
            let memory_bytes = memory_mib << 20;
            let plan = MemoryPlan::new(memory_bytes);
            let code_tables = plan.lexemes_bytes() + plan.units_bytes();
            let word_tables = plan.anchors_bytes() + plan.bands_bytes() + 2 * plan.one_each_bytes();
            let tables = plan.catalog_bytes() + word_tables + code_tables;
            let all = PROGRAM_BYTES + plan.reader_bytes() + plan.passing_bytes() + tables;
            assert!(all <= memory_bytes, "{memory_mib} MiB");
            // Of little memory a long document of code takes a good part.
            assert!(tables >= memory_bytes / 8, "{memory_mib} MiB leave {tables} for tables");
        }
    }

    #[test]
    fn a_refusal_says_how_much_would_do() {
        let plan = MemoryPlan::new(64 << 20);
        let error = plan.refuse("a document", 20_000_000, plan.document_bytes_max());
        assert_eq!(error.to_string(), "memory is `64 MiB`: expected at least 306 MiB for a document of 20000000 bytes");
        let enough = MemoryPlan::new(306 << 20);
        assert!(enough.document_bytes_max() >= 20_000_000);
    }
}
