//! Rows of one input file in blocks, of whatever format, with the numbers of their first lines.

use std::ops::Range;
use std::sync::Arc;

use copytrace_indexer::Result;
use copytrace_indexer::corpus::SkipReason;
use copytrace_indexer::corpus::input::{Compression, Format, InputFile};
use copytrace_indexer::corpus::lines::{LineBlock, LineBlocks, LineParser, ParsedRow};
use copytrace_indexer::corpus::rewrite::without;
use copytrace_indexer::corpus::rows::{ParsedRows, hash_file};
use copytrace_indexer::limits::LINE_BYTES_MAX;

use super::block_cache::{CachedFile, Recording};
use super::context::Context;

/// Some rows of a file.
pub(super) enum Block {
    /// Lines that are to be parsed.
    Lines(LineBlock),
    /// Rows that were parsed as they were read.
    Rows(Vec<Result<ParsedRow, SkipReason>>),
}

impl Block {
    /// Returns how many rows and lines it completes.
    fn count(&self) -> (u64, u64) {
        match self {
            Self::Rows(rows) => (rows.len() as u64, rows.len() as u64),
            Self::Lines(block) if block.is_overlong => (u64::from(!block.goes_on), u64::from(!block.goes_on)),
            Self::Lines(block) => {
                block.lines().fold((0, 0), |(n_rows, n_lines), (_, is_row)| (n_rows + u64::from(is_row), n_lines + 1))
            }
        }
    }
}

/// A block, and where it stands.
pub(super) struct Placed {
    pub(super) block: Block,
    /// One-based number of its first line.
    pub(super) first_line: u64,
    /// Rows that it completes.
    pub(super) n_rows: u64,
}

/// Parses what was not parsed yet.
pub(super) struct BlockParser(Option<LineParser>);

impl BlockParser {
    /// Calls `each` with every row that `is_wanted`: its number within the block, its one-based line, and the document or why it holds none.
    pub(super) fn for_each(
        &self,
        block: Block,
        first_line: u64,
        mut is_wanted: impl FnMut(u64) -> bool,
        mut each: impl FnMut(u64, u64, Result<ParsedRow, SkipReason>),
    ) {
        match (block, &self.0) {
            (Block::Rows(rows), _) => {
                let rows = (0..).zip(rows).filter(|(idx, _)| is_wanted(*idx));
                rows.for_each(|(idx, row)| each(idx, first_line + idx, row));
            }
            (Block::Lines(block), _) if block.is_overlong => {
                // A row when its last piece is there.
                if !block.goes_on && is_wanted(0) {
                    let bytes_max = LINE_BYTES_MAX as u64;
                    each(0, first_line, Err(SkipReason::TooLong { bytes: bytes_max + 1, bytes_max }));
                }
            }
            (Block::Lines(block), Some(parser)) => {
                let rows = block.lines().enumerate().filter(|(_, (_, is_row))| *is_row);
                for (row, (idx, (line, _))) in (0..).zip(rows).filter(|(row, _)| is_wanted(*row)) {
                    let number = first_line + idx as u64;
                    each(row, number, parser.parse(line, number, block.is_first && idx == 0));
                }
            }
            // Lines come from files of lines, which have a parser.
            (Block::Lines(_), None) => {}
        }
    }

    /// Parses a line of a block.
    pub(super) fn parse(&self, line: &[u8], is_first: bool) -> Option<ParsedRow> {
        self.0.as_ref()?.parse(line, 1, is_first).ok()
    }

    /// Returns a line of a block whose text is without some bytes; all else stands as it stood. `None` where it holds no document.
    pub(super) fn without(&self, line: &[u8], is_first: bool, cuts: &[Range<usize>]) -> Option<Vec<u8>> {
        let row = self.parse(line, is_first)?;
        let value = self.0.as_ref()?.locate_text(line, &row)?;
        let text = String::from_utf8(without(row.document.text.as_bytes(), cuts)).ok()?;
        let text = serde_json::to_string(&text).ok()?;
        Some([&line[..value.start], text.as_bytes(), &line[value.end..]].concat())
    }
}

/// Reads a file.
pub(super) struct Blocks<'a> {
    source: Source,
    file: InputFile,
    n_lines: u64,
    n_bytes: u64,
    context: &'a Context<'a>,
}

enum Source {
    Lines(Box<LineBlocks>, Recording),
    /// A file that is in memory, and which block is next.
    Cached(Arc<CachedFile>, usize),
    Rows(Box<ParsedRows>),
}

impl<'a> Blocks<'a> {
    /// Opens a file, and returns what parses its blocks; `columns` are further ones to read.
    pub(super) fn open(file: InputFile, context: &'a Context<'a>, columns: &[String]) -> Result<(Self, BlockParser)> {
        let options = context.read_options()?;
        let (source, parser) = if file.format == Format::Parquet {
            (Source::Rows(Box::new(ParsedRows::open(&file, &options, columns)?)), None)
        } else {
            let parser = LineParser::open(&file, &options, columns)?;
            let source = match context.blocks.file(&file.path) {
                Some(cached) => Source::Cached(cached, 0),
                None => Source::Lines(Box::new(LineBlocks::open(&file, context.memory())?), Recording::default()),
            };
            (source, Some(parser))
        };
        Ok((Self { source, file, n_lines: 0, n_bytes: 0, context }, BlockParser(parser)))
    }

    /// Returns the next block.
    pub(super) fn next(&mut self) -> Result<Option<Placed>> {
        let (block, n_bytes) = match &mut self.source {
            Source::Lines(blocks, recording) => {
                let (block, n_bytes) = (blocks.next_block()?, blocks.stored_bytes());
                // What is not compressed is in the page cache.
                if self.file.format != Format::JsonLines(Compression::None) {
                    match &block {
                        Some(block) => self.context.blocks.record(recording, block, n_bytes),
                        None => self.context.blocks.keep(&self.file.path, recording, blocks.checksum()),
                    }
                }
                (block.map(Block::Lines), n_bytes)
            }
            Source::Cached(file, next) => {
                let block = file.blocks.get(*next);
                *next += 1;
                (
                    block.map(|(block, _)| Block::Lines(block.clone())),
                    block.map_or(self.n_bytes, |&(_, n_bytes)| n_bytes),
                )
            }
            Source::Rows(rows) => {
                let block = rows.next_block()?;
                ((!block.is_empty()).then_some(Block::Rows(block)), rows.stored_bytes())
            }
        };
        let Some(block) = block else { return Ok(None) };
        let first_line = self.n_lines + 1;
        let (n_rows, n_lines) = block.count();
        self.n_lines += n_lines;
        self.context.progress.advance(n_bytes.saturating_sub(std::mem::replace(&mut self.n_bytes, n_bytes)));
        Ok(Some(Placed { block, first_line, n_rows }))
    }

    /// Returns how many stored bytes were read.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Returns the hash of the stored bytes.
    pub(super) fn checksum(&self) -> Result<u64> {
        match &self.source {
            Source::Lines(blocks, _) => Ok(blocks.checksum()),
            Source::Cached(file, _) => Ok(file.checksum),
            Source::Rows(_) => hash_file(&self.file),
        }
    }
}
