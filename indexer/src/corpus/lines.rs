//! Lines of a file of JSON lines in blocks, byte for byte as they stand there: for who copies rows without writing them anew.
//!
//! A block ends at the end of a line, so that blocks can be looked at side by side. A line that is longer than can be parsed comes in pieces: it
//! is no document, but it is not lost either. While a file is read its stored bytes are hashed, so that a second reading can tell whether it
//! saw the same file.
//!
//! Cost: one copy of the bytes behind the decompressor; lines are found by the C library's `memchr`. Memory: a block, or the longest line.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use super::cells::{Cell, RowContext, assemble_without_language};
use super::columns::{Plan, Role};
use super::input::{Compression, Format, InputFile};
use super::json::Extractor;
use super::options::ReadOptions;
use super::{Document, SkipReason, jsonl};
use crate::error::{Error, Result};
use crate::limits::LINE_BYTES_MAX;
use crate::memory::MemoryPlan;

/// Bytes of a block: large enough that handing it to another thread costs nothing, small enough that several are in flight.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes read from a file at once.
const BUFFER_BYTES: usize = 256 << 10;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A stretch of a file of JSON lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineBlock {
    /// The bytes, with the ends of the lines.
    pub bytes: Vec<u8>,
    /// Whether these bytes are (a further piece of) one line that is too long to be parsed.
    pub is_overlong: bool,
    /// Whether the line goes on in the next block; only where it is too long.
    pub goes_on: bool,
    /// Whether the file starts here.
    pub is_first: bool,
}

impl LineBlock {
    /// Returns the lines of a block that is not overlong: each with its end, and whether it is a row. Blank lines are no rows.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let before = rest;
            // Never fails on a slice.
            let n = rest.skip_until(b'\n').ok().filter(|&n| n > 0)?;
            let line = &before[..n];
            Some((line, !line.trim_ascii().is_empty()))
        })
    }
}

/// Reads a file of JSON lines in blocks.
pub struct LineBlocks {
    path: PathBuf,
    compression: Compression,
    input: Box<dyn Read + Send>,
    seen: Arc<Mutex<Seen>>,
    memory: MemoryPlan,
    block_bytes: usize,
    line_bytes_max: usize,
    /// What was read behind the last block's end.
    carry: Vec<u8>,
    is_first: bool,
    is_overlong: bool,
    is_at_end: bool,
}

/// What passed.
#[derive(Default)]
struct Seen {
    hash: Xxh3,
    n_bytes: u64,
}

/// Hashes what passes. The lock is never waited for: one thread reads and asks.
struct Hashed {
    file: fs_err::File,
    seen: Arc<Mutex<Seen>>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.hash.update(&buffer[..n]);
        seen.n_bytes += n as u64;
        Ok(n)
    }
}

impl LineBlocks {
    /// Opens a file of JSON lines.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::Argument`] where it holds something else.
    pub fn open(file: &InputFile, memory: MemoryPlan) -> Result<Self> {
        let Format::JsonLines(compression) = file.format else {
            let (expected, found) = ("a file of JSON lines".to_owned(), file.name.clone());
            return Err(Error::Argument { name: "input", expected, found });
        };
        let opened = fs_err::File::open(&file.path).map_err(Error::io("open", &file.path))?;
        let seen = Arc::default();
        let hashed = Hashed { file: opened, seen: Arc::clone(&seen) };
        let stored = BufReader::with_capacity(BUFFER_BYTES, hashed);
        let input: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(stored),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stored)),
            Compression::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(stored).map_err(Error::io("decompress", &file.path))?;
                decoder.window_log_max(memory.zstd_window_log_max()).map_err(Error::io("decompress", &file.path))?;
                Box::new(decoder)
            }
        };
        Ok(Self {
            path: file.path.clone(),
            compression,
            input,
            seen,
            memory,
            block_bytes: BLOCK_BYTES,
            line_bytes_max: memory.line_bytes_max(),
            carry: Vec::new(),
            is_first: true,
            is_overlong: false,
            is_at_end: false,
        })
    }

    /// Returns the next block; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Input`] where the compressed stream is damaged or ends early, [`Error::Io`] where the file cannot be read,
    /// [`Error::Argument`] for a line, or a window of zstd, that is too long for the memory but not beyond every cap.
    pub fn next_block(&mut self) -> Result<Option<LineBlock>> {
        let mut bytes = std::mem::take(&mut self.carry);
        let mut searched = 0;
        loop {
            let wanted = self.block_bytes.max(2 * searched);
            self.fill(&mut bytes, wanted)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let newline = if self.is_overlong {
                // The rest of the long line is wanted, and nothing of the next.
                bytes.iter().position(|&byte| byte == b'\n')
            } else {
                bytes[searched..].iter().rposition(|&byte| byte == b'\n').map(|at| searched + at)
            };
            let is_first = std::mem::take(&mut self.is_first);
            let is_overlong = self.is_overlong;
            if let Some(newline) = newline {
                self.carry = bytes.split_off(newline + 1);
                self.is_overlong = false;
                return Ok(Some(LineBlock { bytes, is_overlong, goes_on: false, is_first }));
            }
            if self.is_at_end {
                self.is_overlong = false;
                return Ok(Some(LineBlock { bytes, is_overlong, goes_on: false, is_first }));
            }
            if is_overlong || bytes.len() > LINE_BYTES_MAX {
                self.is_overlong = true;
                return Ok(Some(LineBlock { bytes, is_overlong: true, goes_on: true, is_first }));
            }
            if bytes.len() > self.line_bytes_max {
                let what = format!("a line of `{}`", self.path.display());
                return Err(self.memory.refuse(&what, bytes.len(), self.line_bytes_max));
            }
            self.is_first = is_first;
            searched = bytes.len();
        }
    }

    /// Returns the hash of the stored bytes; what comes behind the last frame or member is read and hashed too.
    pub fn checksum(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).hash.digest()
    }

    /// Returns how many stored bytes were read.
    pub fn stored_bytes(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).n_bytes
    }

    /// Reads until there are `wanted` bytes, or no more.
    fn fill(&mut self, bytes: &mut Vec<u8>, wanted: usize) -> Result<()> {
        if bytes.len() < wanted && !self.is_at_end {
            let n_missing = (wanted - bytes.len()) as u64;
            bytes.reserve(wanted - bytes.len());
            let n = (&mut self.input).take(n_missing).read_to_end(bytes);
            let n = n.map_err(|error| jsonl::explain(&self.path, self.compression, self.memory, error))?;
            self.is_at_end = (n as u64) < n_missing;
        }
        Ok(())
    }
}

/// The value of a column that is no role of a document.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// The row has no such column, or null, or something that is neither text nor number.
    #[default]
    Missing,
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// A row that was parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedRow {
    /// The document; its language is as given, nothing is detected.
    pub document: Box<Document>,
    /// Values of the further columns that were asked for, in their order.
    pub values: Vec<Value>,
    /// Column that the text stands in, as the file's reader counts them: for who writes it anew.
    pub text_column: usize,
}

/// Parses lines of one file. Can be shared by threads.
#[derive(Debug, Clone)]
pub struct LineParser {
    name: String,
    plan: Plan,
    extractor: Extractor,
    /// Slots of the further columns.
    columns: Vec<usize>,
    shard: String,
    document_bytes_max: u32,
}

impl LineParser {
    /// Finds out which columns a file has, by its first rows. `columns` are further ones to read.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] where a column that is needed is in none of those rows.
    pub fn open(file: &InputFile, options: &ReadOptions, columns: &[String]) -> Result<Self> {
        let Format::JsonLines(compression) = file.format else {
            let (expected, found) = ("a file of JSON lines".to_owned(), file.name.clone());
            return Err(Error::Argument { name: "input", expected, found });
        };
        let plan = jsonl::resolve(file, compression, &Plan::new(&options.columns), options.memory)?;
        // A column may be of a role too; it has one slot all the same.
        let mut names = plan.names().to_vec();
        let slot_of = |name: &String| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            })
        };
        let columns = columns.iter().map(slot_of).collect();
        Ok(Self {
            name: file.name.clone(),
            extractor: Extractor::new(&names),
            columns,
            shard: options.shard.clone().unwrap_or_default(),
            document_bytes_max: options.document_bytes_max,
            plan,
        })
    }

    /// Returns whether some column holds ids; without one a row is called `FILE:ROW`.
    pub fn has_ids(&self) -> bool {
        !self.plan.role(Role::Id).slots.is_empty()
    }

    /// Parses a line, with or without its end; `row` is its one-based number, `is_first` tells whether a byte order mark may stand before it.
    ///
    /// # Errors
    /// Why the row holds no document; never its text.
    pub fn parse(&self, line: &[u8], row: u64, is_first: bool) -> Result<ParsedRow, SkipReason> {
        let line = line.strip_prefix(BOM).filter(|_| is_first).unwrap_or(line).trim_ascii_end();
        let Ok(line) = simdutf8::basic::from_utf8(line) else {
            let offset = simdutf8::compat::from_utf8(line).map_or_else(|error| error.valid_up_to(), |_| 0);
            return Err(SkipReason::InvalidUtf8(offset as u64));
        };
        let mut cells = self.extractor.extract(line).map_err(SkipReason::Malformed)?;
        let values = self.columns.iter().map(|&slot| value_of(&cells[slot])).collect();
        let context =
            RowContext { file_name: &self.name, row, shard: &self.shard, document_bytes_max: self.document_bytes_max };
        let (document, text_column) = assemble_without_language(&self.plan, &mut cells, context)?;
        Ok(ParsedRow { document, values, text_column })
    }

    /// Returns where the text of a row that was parsed stands in its line: a value of JSON, its quotes included.
    pub fn locate_text(&self, line: &[u8], row: &ParsedRow) -> Option<Range<usize>> {
        let n_mark = if line.starts_with(BOM) { BOM.len() } else { 0 };
        let text = simdutf8::basic::from_utf8(line[n_mark..].trim_ascii_end()).ok()?;
        let range = self.extractor.locate(text, row.text_column)?;
        Some(range.start + n_mark..range.end + n_mark)
    }
}

/// Returns what a cell says to who asks for a number or a text.
pub(super) fn value_of(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Text(text) => Value::Text(text.as_ref().to_owned()),
        Cell::Integer(decimal) => decimal.parse().map_or(Value::Missing, Value::Number),
        Cell::Fraction(number) => Value::Number(number.value()),
        Cell::Absent | Cell::Null | Cell::List(_) | Cell::Unusable(_) | Cell::InvalidUtf8(_) => Value::Missing,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file_at(path: &Path) -> InputFile {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str).expect("a name").to_owned();
        let format = Format::of_name(&name);
        InputFile { path: path.to_path_buf(), id: name.clone(), name, format, file_bytes: 0, root: None }
    }

    fn read(bytes: &[u8], block_bytes: usize) -> (Vec<LineBlock>, u64) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.jsonl");
        fs_err::write(&path, bytes).expect("written");
        let mut blocks = LineBlocks::open(&file_at(&path), MemoryPlan::default()).expect("opens");
        blocks.block_bytes = block_bytes;
        let found = std::iter::from_fn(|| blocks.next_block().expect("sound")).collect();
        (found, blocks.checksum())
    }

    #[test]
    fn blocks_are_the_file_and_end_with_lines() {
        for bytes in [&b""[..], b"a", b"a\n", b"a\nbb\n\n\r\nccc", b"\n\n", b"one long line that is longer\nb\n"] {
            for block_bytes in [1, 2, 3, 5, 100] {
                let (blocks, checksum) = read(bytes, block_bytes);
                let joined: Vec<u8> = blocks.iter().flat_map(|block| block.bytes.clone()).collect();
                assert_eq!(joined, bytes);
                assert_eq!(checksum, xxhash_rust::xxh3::xxh3_64(bytes));
                let Some((_, before)) = blocks.split_last() else { continue };
                assert!(before.iter().all(|block| block.bytes.ends_with(b"\n") && !block.is_overlong));
                assert!(blocks[0].is_first && blocks[1..].iter().all(|block| !block.is_first));
                let rows: Vec<&[u8]> = blocks
                    .iter()
                    .flat_map(LineBlock::lines)
                    .filter(|(_, is_row)| *is_row)
                    .map(|(line, _)| line)
                    .collect();
                let expected =
                    bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
                assert_eq!(rows, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn further_columns_are_values() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.jsonl");
        let line = r#"{"text":"x","q":1.5,"n":-3,"meta":{"date":"2024"},"b":true}"#;
        fs_err::write(&path, line).expect("written");
        let columns = ["q", "n", "meta.date", "b", "none", "text"].map(str::to_owned);
        let parser = LineParser::open(&file_at(&path), &ReadOptions::default(), &columns).expect("has a text");
        assert!(!parser.has_ids());
        let row = parser.parse(line.as_bytes(), 7, true).expect("a row");
        assert_eq!(row.document.id, "a.jsonl:7");
        let expected = [
            Value::Number(1.5),
            Value::Number(-3.0),
            Value::Text("2024".into()),
            Value::Missing,
            Value::Missing,
            Value::Text("x".into()),
        ];
        assert_eq!(row.values, expected);
        assert_eq!(parser.locate_text(line.as_bytes(), &row), Some(8..11));
        assert_eq!(parser.parse(b"\xef\xbb\xbf{\"text\":\"y\"}\r\n", 1, true).expect("a row").document.text, "y");
        assert!(parser.parse(b"{\"text\":\"y\xff\"}", 1, true).is_err());
    }
}
