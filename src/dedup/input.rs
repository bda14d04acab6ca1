//! Blocks of lines of one input file with the numbers of their first lines.

use copytrace_indexer::Result;
use copytrace_indexer::corpus::input::InputFile;
use copytrace_indexer::corpus::lines::{LineBlock, LineBlocks};

use super::context::Context;

/// Reads a file.
pub(super) struct Blocks<'a> {
    blocks: LineBlocks,
    n_lines: u64,
    n_bytes: u64,
    context: &'a Context<'a>,
}

impl<'a> Blocks<'a> {
    pub(super) fn open(file: &InputFile, context: &'a Context<'a>) -> Result<Self> {
        let blocks = LineBlocks::open(file, context.memory())?;
        Ok(Self { blocks, n_lines: 0, n_bytes: 0, context })
    }

    /// Returns the next block and the one-based number of its first line.
    pub(super) fn next(&mut self) -> Result<Option<(LineBlock, u64)>> {
        let Some(block) = self.blocks.next_block()? else { return Ok(None) };
        let first_line = self.n_lines + 1;
        self.n_lines += if block.is_overlong { u64::from(!block.goes_on) } else { block.lines().count() as u64 };
        let n_bytes = self.blocks.stored_bytes();
        self.context.progress.advance(n_bytes - std::mem::replace(&mut self.n_bytes, n_bytes));
        Ok(Some((block, first_line)))
    }

    /// Returns the hash of the stored bytes.
    pub(super) fn checksum(&self) -> u64 {
        self.blocks.checksum()
    }
}

/// Returns how many rows a block completes.
pub(super) fn n_rows(block: &LineBlock) -> u32 {
    let n = if block.is_overlong {
        usize::from(!block.goes_on)
    } else {
        block.lines().filter(|(_, is_row)| *is_row).count()
    };
    u32::try_from(n).unwrap_or(u32::MAX)
}
