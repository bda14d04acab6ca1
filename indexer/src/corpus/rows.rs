//! Rows of a Parquet file for who writes the file again: read in blocks, and copied without those that go.
//!
//! The stored bytes of the file are hashed beside, so that a second reading can tell whether it saw the same file. Cost: they are read twice, the
//! second time from the page cache.

use std::io::Read as _;

use xxhash_rust::xxh3::Xxh3;

use super::columns::Plan;
use super::input::InputFile;
use super::lines::ParsedRow;
use super::options::ReadOptions;
use super::progress::ProgressHandle;
use super::rewrite::GroupEdit;
use super::{SkipReason, parquet};
use crate::error::{Error, Result};
use crate::memory::MemoryPlan;

/// Text from which on no further row joins a block, in bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// Most rows of a block.
const BLOCK_ROWS: usize = 4096;
/// Bytes hashed at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The rows of a Parquet file.
pub struct ParsedRows {
    rows: parquet::ParquetRows,
    options: ReadOptions,
    progress: ProgressHandle,
}

impl ParsedRows {
    /// Opens a file of which further columns are read too.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] where it lacks one, [`Error::Input`] where it is damaged.
    pub fn open(file: &InputFile, options: &ReadOptions, columns: &[String]) -> Result<Self> {
        let plan = parquet::resolve(file, &Plan::new(&options.columns))?;
        let progress = ProgressHandle::new(1, file.file_bytes);
        let watched = progress.start_file(0, file.file_bytes);
        let rows = parquet::ParquetRows::open_with(file, plan, columns, options.memory, watched)?;
        Ok(Self { rows, options: options.clone(), progress })
    }

    /// Returns the next rows, each a document or why it is none; none at the end.
    ///
    /// # Errors
    /// As reading the file: it is damaged, or a page too long for the memory.
    pub fn next_block(&mut self) -> Result<Vec<Result<ParsedRow, SkipReason>>> {
        let (mut block, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < BLOCK_BYTES && block.len() < BLOCK_ROWS {
            let Some(row) = self.rows.next_parsed(&self.options)? else { break };
            n_bytes += row.as_ref().map_or(0, |row| row.document.text.len());
            block.push(row);
        }
        Ok(block)
    }

    /// Returns how many stored bytes the rows so far stand for.
    pub fn stored_bytes(&self) -> u64 {
        self.progress.now().input_bytes_done
    }
}

/// Returns the hash of the stored bytes of a file.
///
/// # Errors
/// [`Error::Io`] where it cannot be read.
pub fn hash_file(file: &InputFile) -> Result<u64> {
    let mut opened = fs_err::File::open(&file.path).map_err(Error::io("open", &file.path))?;
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; BUFFER_BYTES]);
    loop {
        match opened.read(&mut buffer).map_err(Error::io("read", &file.path))? {
            0 => return Ok(hash.digest()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Writes the rows of a Parquet file that stay, and returns what was written to, flushed: same schema, columns, metadata and compression. `edit` is
/// given the number of rows of each row group in order, and returns what becomes of them.
///
/// # Errors
/// [`Error::Input`] where the file is damaged, [`Error::Argument`] for a page that is too long for the memory, [`Error::Io`] where it cannot be
/// written; what `edit` says.
pub fn copy_rows<W: std::io::Write + Send>(
    file: &InputFile,
    memory: MemoryPlan,
    written: W,
    edit: impl FnMut(u64) -> Result<GroupEdit>,
) -> Result<W> {
    parquet::copy_rows(file, memory, written, edit)
}
