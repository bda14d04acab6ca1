//! JSON lines: plain, gzip or zstd, one document per line, read as a stream.
//!
//! Memory: the line that is being read and the decompressor's window, each within its share of the build's memory. A line
//! longer than [`LINE_BYTES_MAX`] is skipped without being kept. Blank lines are no rows; they do count in the numbers of the rows after them, which are
//! line numbers as an editor shows them.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::cells::{Cell, RowContext, assemble};
use super::columns::{Fit, LISTED_NAMES_MAX, Plan, Role};
use super::input::{Compression, InputFile};
use super::json::{Extractor, collect_names};
use super::options::ReadOptions;
use super::progress::{CountedFile, FileProgress};
use super::{Row, SkipReason, Skipped};
use crate::error::{Error, Result};
use crate::limits::LINE_BYTES_MAX;
use crate::memory::MemoryPlan;

/// Rows at the start of a file that tell which columns it has.
const SAMPLE_ROWS: usize = 100;

/// Most bytes of lines that the sample reads; it ends after the row that goes beyond.
const SAMPLE_BYTES_MAX: usize = 64 << 20;

/// Bytes read from a file, or taken from its decompressor, at once. Above 256 KiB plain files gain nothing.
const BUFFER_BYTES: usize = 256 << 10;

/// Longest line whose buffer is used again, in bytes.
const LINE_BYTES_KEPT: usize = 1 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the sample says about a column.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    is_present: bool,
    /// Some row has a value that is not null.
    is_given: bool,
    /// For each role, by its index: some row has a value that can fill it.
    fits: [bool; Role::ALL.len()],
}

/// Finds out which columns a file has, by its first 100 rows (fewer if they have more than 64 MiB). A column that was
/// only guessed must have a value of the right type there, unless all are null.
///
/// A file none of whose first rows is a JSON object tells nothing about its columns: its rows then say what is wrong
/// with them.
///
/// # Errors
/// [`Error::MissingColumn`] where a column that is needed is in none of the rows.
pub(super) fn resolve(file: &InputFile, compression: Compression, plan: &Plan, memory: MemoryPlan) -> Result<Plan> {
    let extractor = Extractor::new(plan.names());
    let mut columns = vec![Seen::default(); plan.names().len()];
    let mut n_objects = 0;
    sample(file, compression, memory, |line| {
        if let Ok(cells) = extractor.extract(line) {
            n_objects += 1;
            for (seen, cell) in columns.iter_mut().zip(cells) {
                seen.is_present |= cell != Cell::Absent;
                seen.is_given |= cell.is_given();
                for (fits, role) in seen.fits.iter_mut().zip(Role::ALL) {
                    *fits |= cell.fits(role);
                }
            }
        }
    })?;
    if n_objects == 0 {
        return Ok(plan.clone());
    }
    let fit = |role: Role, slot: usize| {
        let seen = columns[slot];
        let fits = plan.role(role).is_asked || !seen.is_given || seen.fits[role.idx()];
        if seen.is_present && fits { Fit::Fits } else { Fit::Absent }
    };
    let list_available = || {
        let mut names = Vec::new();
        // The file could be read a moment ago; if it cannot now, the message does without the names.
        let _: Result<()> = sample(file, compression, memory, |line| {
            if names.len() < LISTED_NAMES_MAX {
                collect_names(line, &mut names);
            }
        });
        names
    };
    plan.resolve(&file.path, fit, list_available)
}

/// Shows the first rows of a file to `look`. Damage is no error here: the reading that follows meets it again and
/// reports it.
fn sample(file: &InputFile, compression: Compression, memory: MemoryPlan, mut look: impl FnMut(&str)) -> Result<()> {
    let mut lines = Lines::open(file, compression, memory, None)?;
    let (mut n_rows, mut n_bytes) = (0, 0);
    while n_rows < SAMPLE_ROWS && n_bytes < SAMPLE_BYTES_MAX {
        match lines.next_line() {
            Ok(Line::Text) => {
                n_bytes += lines.line.len();
                if let Ok(line) = simdutf8::basic::from_utf8(&lines.line) {
                    look(line);
                }
            }
            Ok(Line::TooLong(_)) => n_bytes += LINE_BYTES_MAX,
            Ok(Line::End) | Err(_) => break,
        }
        n_rows += 1;
    }
    Ok(())
}

/// The rows of one file.
pub(super) struct JsonLines {
    path: PathBuf,
    name: String,
    lines: Lines,
    plan: Plan,
    extractor: Extractor,
}

impl JsonLines {
    /// Opens a file; `plan` is what [`resolve`] returned for it.
    pub(super) fn open(
        file: &InputFile,
        compression: Compression,
        plan: Plan,
        memory: MemoryPlan,
        progress: FileProgress,
    ) -> Result<Self> {
        let lines = Lines::open(file, compression, memory, Some(progress))?;
        let extractor = Extractor::new(plan.names());
        Ok(Self { path: file.path.clone(), name: file.name.clone(), lines, plan, extractor })
    }

    /// Returns the next row; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Input`] where the compressed stream is damaged or ends early, [`Error::Io`] where the file cannot be
    /// read, [`Error::Argument`] for a line, or a window of zstd, that is too long for the memory. There are no more rows then.
    pub(super) fn next_row(&mut self, options: &ReadOptions) -> Result<Option<Row>> {
        let found = match self.lines.next_line()? {
            Line::End => return Ok(None),
            Line::Text => self.read_row(options),
            Line::TooLong(bytes) if bytes <= LINE_BYTES_MAX as u64 => {
                let what = format!("line {} of `{}`", self.lines.row, self.path.display());
                let n_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                return Err(options.memory.refuse(&what, n_bytes, self.lines.line_bytes_max));
            }
            Line::TooLong(bytes) => Err(SkipReason::TooLong { bytes, bytes_max: LINE_BYTES_MAX as u64 }),
        };
        Ok(Some(match found {
            Ok(row) => row,
            Err(reason) => Row::Skipped(Skipped { path: self.path.clone(), row: self.lines.row, reason }),
        }))
    }

    fn read_row(&self, options: &ReadOptions) -> Result<Row, SkipReason> {
        let bytes = &self.lines.line;
        let Ok(line) = simdutf8::basic::from_utf8(bytes) else {
            let offset = simdutf8::compat::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |_| 0);
            return Err(SkipReason::InvalidUtf8(offset as u64));
        };
        let mut cells = self.extractor.extract(line).map_err(SkipReason::Malformed)?;
        let context = RowContext {
            file_name: &self.name,
            row: self.lines.row,
            shard: options.shard.as_deref().unwrap_or_default(),
            document_bytes_max: options.document_bytes_max,
        };
        assemble(&self.plan, &mut cells, context).map(Row::Document)
    }
}

/// The lines of a file that are not blank, one at a time.
struct Lines {
    path: PathBuf,
    compression: Compression,
    input: Box<dyn BufRead + Send>,
    /// Longest line that is kept, in bytes.
    line_bytes_max: usize,
    memory: MemoryPlan,
    /// The line, without its end.
    line: Vec<u8>,
    /// One-based number of the line.
    row: u64,
}

/// What was read.
enum Line {
    /// A line, now in [`Lines::line`].
    Text,
    /// A line of this many bytes that was passed over.
    TooLong(u64),
    /// The end of the file.
    End,
}

impl Lines {
    fn open(
        file: &InputFile,
        compression: Compression,
        memory: MemoryPlan,
        progress: Option<FileProgress>,
    ) -> Result<Self> {
        let opened = fs_err::File::open(&file.path).map_err(Error::io("open", &file.path))?;
        let stored = BufReader::with_capacity(BUFFER_BYTES, CountedFile::new(opened, progress));
        let input: Box<dyn BufRead + Send> = match compression {
            Compression::None => Box::new(stored),
            Compression::Gzip => {
                Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(stored)))
            }
            Compression::Zstd => {
                // Goes on with the next frame at the end of each.
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(stored).map_err(Error::io("decompress", &file.path))?;
                // A frame that asks for more is refused before the memory is taken.
                decoder.window_log_max(memory.zstd_window_log_max()).map_err(Error::io("decompress", &file.path))?;
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
        };
        Ok(Self {
            path: file.path.clone(),
            compression,
            input,
            line_bytes_max: memory.line_bytes_max(),
            memory,
            line: Vec::new(),
            row: 0,
        })
    }

    fn next_line(&mut self) -> Result<Line> {
        // What one long line took is not kept for the short ones after it.
        if self.line.capacity() > LINE_BYTES_KEPT {
            self.line = Vec::new();
        }
        loop {
            self.line.clear();
            let n = (&mut self.input).take(self.line_bytes_max as u64 + 1).read_until(b'\n', &mut self.line);
            let n = n.map_err(|error| self.explain(error))?;
            if n == 0 {
                return Ok(Line::End);
            }
            self.row += 1;
            if n > self.line_bytes_max && !self.line.ends_with(b"\n") {
                let rest = self.input.skip_until(b'\n').map_err(|error| self.explain(error))?;
                self.line = Vec::new();
                return Ok(Line::TooLong((n + rest) as u64));
            }
            if self.row == 1 && self.line.starts_with(BOM) {
                self.line.drain(..BOM.len());
            }
            // Without its end the line is one line to the parser too, which tells where it is broken.
            self.line.truncate(self.line.trim_ascii_end().len());
            if !self.line.is_empty() {
                return Ok(Line::Text);
            }
        }
    }

    /// Makes an error of reading on, which says how far it came.
    fn explain(&self, error: io::Error) -> Error {
        match explain(&self.path, self.compression, self.memory, error) {
            Error::Input { path, problem } if problem.contains(" stream ") => {
                let problem = problem.replacen(':', &format!(" after line {}:", self.row), 1);
                Error::Input { path, problem }
            }
            other => other,
        }
    }
}

/// Tells a damaged stream, which is the input's fault, from a file that the system cannot read.
pub(super) fn explain(path: &Path, compression: Compression, memory: MemoryPlan, error: io::Error) -> Error {
    let stream = match compression {
        Compression::Gzip if error.raw_os_error().is_none() => "gzip",
        Compression::Zstd if error.raw_os_error().is_none() => "zstd",
        _ => return Error::io("read", path)(error),
    };
    if compression == Compression::Zstd && error.to_string().contains("requires too much memory") {
        return memory.refuse_zstd_window(path);
    }
    let what = if error.kind() == io::ErrorKind::UnexpectedEof { "ends early" } else { "is damaged" };
    Error::Input { path: path.to_path_buf(), problem: format!("the {stream} stream {what}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::super::input::discover;
    use super::*;

    fn lines(bytes: &[u8], line_bytes_max: usize) -> Vec<(u64, Result<String, u64>)> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.jsonl");
        fs_err::write(&path, bytes).expect("a file");
        let file = &discover(&[path]).expect("a file").files[0];
        let mut lines = Lines::open(file, Compression::None, MemoryPlan::default(), None).expect("opens");
        lines.line_bytes_max = line_bytes_max;
        let mut found = Vec::new();
        loop {
            match lines.next_line().expect("readable") {
                Line::End => return found,
                Line::TooLong(bytes) => found.push((lines.row, Err(bytes))),
                Line::Text => found.push((lines.row, Ok(String::from_utf8_lossy(&lines.line).into_owned()))),
            }
        }
    }

    #[test]
    fn lines_are_cut_counted_and_capped() {
        let text = |text: &str| Ok(text.to_owned());
        for (bytes, expected) in [
            (&b""[..], vec![]),
            (b"a", vec![(1, text("a"))]),
            (b"a\nb\n", vec![(1, text("a")), (2, text("b"))]),
            (b"\n \t\r\n a\t\r\n\n", vec![(3, text(" a"))]),
            (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", vec![(1, text("a")), (2, text("\u{feff}b"))]),
            (b"\xef\xbb\xbf\na", vec![(2, text("a"))]),
            (b"12345678\n123456789\n1", vec![(1, text("12345678")), (2, Err(10)), (3, text("1"))]),
            (b"1234567890123", vec![(1, Err(13))]),
            (b"12345678", vec![(1, text("12345678"))]),
        ] {
            assert_eq!(lines(bytes, 8), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_zstd_window_beyond_the_memory_is_no_error_of_the_file_and_the_memory_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.jsonl.zst");
        for (window_log, memory_mib, expected) in [
            (23, 64, ""),
            (24, 64, "memory is `64 MiB`: expected more, up to 1024 MiB: a zstd frame of "),
            (24, 128, ""),
            (27, 1023, "memory is `1023 MiB`: expected more, up to 1024 MiB: a zstd frame of "),
            (27, 1024, ""),
            (28, 512, "memory is `512 MiB`: expected more, up to 1024 MiB: a zstd frame of "),
            (28, 1024, "a zstd frame has a window of more than 134217728 bytes"),
            (28, 1 << 20, "a zstd frame has a window of more than 134217728 bytes"),
        ] {
            // A sound frame, and one whose header states the window: magic, no flags, exponent of the window above 2^10; an empty last block.
            let mut bytes = zstd::encode_all(&b"{\"text\":\"a\"}\n"[..], 1).expect("memory");
            bytes.extend([0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3, 1, 0, 0]);
            fs_err::write(&path, bytes).expect("a file");
            let file = &discover(std::slice::from_ref(&path)).expect("a file").files[0];
            let memory = MemoryPlan::new(memory_mib << 20);
            let mut lines = Lines::open(file, Compression::Zstd, memory, None).expect("opens");
            assert!(matches!(lines.next_line(), Ok(Line::Text)));
            let found = lines.next_line();
            let is_memory = matches!(found, Err(Error::Argument { name: "memory", .. }));
            assert_eq!(is_memory, expected.starts_with("memory"), "2^{window_log}, {memory_mib} MiB");
            let found = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{found}");
        }
    }
}
