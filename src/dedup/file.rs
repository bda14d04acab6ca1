//! The container of every file between two stages: checked in chunks, sealed by the receipt that names it.
//!
//! ```text
//! magic "CPYDEDUP" 8 | version u32 | kind u32 | recipe 16 | zeros 32 | payload ... | one xxh3-64 per chunk of 64 KiB of all before
//! ```
//!
//! All numbers are little-endian. The *seal* of a file is its length and the xxh3-64 of its table of checksums; it stands in the receipt of
//! the unit that made the file. Reading verifies a chunk on its first use: a file of any size is opened in 0.01 % of its reading time,
//! and a stage that reads a range of it pays for that range.
//!
//! Offsets given to and by this module count from the start of the payload.

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::storage::{Storage, WriteFile};
use copytrace_indexer::{Error, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::recipe::{RecipeHash, VERSION};

const MAGIC: [u8; 8] = *b"CPYDEDUP";
const CHUNK_BYTES: usize = 64 << 10;
const HEADER_BYTES: usize = size_of::<Header>();
const CHECKSUM_BYTES: usize = 8;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// One [`super::record::Record`] a row.
    Records = 1,
    /// Ids of rows, one behind the other.
    Ids = 2,
    /// Content keys and rows, by key.
    Contents = 3,
    /// Band keys, tags of contents and rows, by key.
    Bands = 4,
    /// Buckets of more than one content: bucket and row, by bucket.
    Buckets = 5,
    /// Rows of equal content: the first row and another.
    Equals = 6,
    /// Rows of groups and what joins them, by group.
    Members = 7,
    /// Sets of shingles of rows that have a candidate.
    Sets = 8,
    /// Where the set of a row is, by row.
    SetIndex = 9,
    /// Which rows have a candidate: one bit a row.
    Wanted = 10,
    /// What is to be removed and why, by row.
    Decisions = 11,
    /// Lines of the list of removed rows.
    Removed = 12,
    /// Rows that go for documents of an index, by row.
    Against = 13,
    /// Lines of the list of rows that would go but belong to a repository.
    Reported = 14,
    /// Sampled k-grams and rows, by k-gram.
    Samples = 15,
    /// Words of rows that hold a watched k-gram.
    Tokens = 16,
    /// Where the words of a row are, by row.
    TokenIndex = 17,
    /// Stretches of text that are cut, by row.
    Cuts = 18,
    /// Lines of the list of cuts.
    CutLines = 19,
    /// Hashes of definitions and rows, by hash.
    Definitions = 20,
    /// Places of repeated definitions, by row.
    Places = 21,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: U32,
    kind: U32,
    recipe: [u8; 16],
    reserved: [u8; 32],
}

/// What a receipt keeps of a file: enough to refuse any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    /// Length of the whole file, in bytes.
    pub(super) file_bytes: u64,
    /// xxh3-64 of the table of checksums.
    pub(super) root: u64,
}

/// Writes one file, front to back, under a temporary name.
pub(super) struct StageWriter {
    file: Box<dyn WriteFile>,
    shown: PathBuf,
    chunk: Vec<u8>,
    table: Vec<u8>,
    file_bytes: u64,
}

impl StageWriter {
    pub(super) fn create(storage: &dyn Storage, path: &Path, kind: Kind, recipe: RecipeHash) -> Result<Self> {
        let (magic, version, kind) = (MAGIC, U32::new(VERSION), U32::new(kind as u32));
        let header = Header { magic, version, kind, recipe: recipe.0, reserved: [0; 32] };
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        chunk.extend_from_slice(header.as_bytes());
        let shown = storage.display_path(path);
        Ok(Self { file: storage.create(path)?, shown, chunk, table: Vec::new(), file_bytes: 0 })
    }

    /// Returns where the next byte of payload will stand.
    pub(super) fn position(&self) -> u64 {
        self.file_bytes + self.chunk.len() as u64 - HEADER_BYTES as u64
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == CHUNK_BYTES {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    /// Ends the file and makes it durable; its name becomes so with its folder.
    pub(super) fn finish(mut self) -> Result<Seal> {
        if !self.chunk.is_empty() {
            self.write_chunk()?;
        }
        let written = self.file.write_all(&self.table).and_then(|()| self.file.flush()).and_then(|()| self.file.sync());
        written.map_err(|source| io_error("write", &self.shown, source))?;
        let file_bytes = self.file_bytes + self.table.len() as u64;
        Ok(Seal { file_bytes, root: xxh3_64(&self.table) })
    }

    fn write_chunk(&mut self) -> Result<()> {
        self.table.extend_from_slice(&xxh3_64(&self.chunk).to_le_bytes());
        self.file.write_all(&self.chunk).map_err(|source| io_error("write", &self.shown, source))?;
        self.file_bytes += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}

/// A file of another stage that is read.
#[derive(Debug)]
pub(super) struct StageFile {
    bytes: FileBytes,
    shown: PathBuf,
    /// Where the table of checksums begins.
    table: usize,
    /// Bit i of word i / 64: chunk i was verified.
    verified: Vec<AtomicU64>,
}

impl StageFile {
    /// Opens a file that a receipt names.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where anything differs from the seal, [`Error::Incompatible`] for another version, kind or recipe.
    pub(super) fn open(storage: &dyn Storage, path: &Path, kind: Kind, recipe: RecipeHash, seal: Seal) -> Result<Self> {
        let bytes = storage.open(path)?;
        let shown = storage.display_path(path);
        let found_bytes = bytes.len() as u64;
        if found_bytes != seal.file_bytes {
            return Err(corrupt(&shown, "file length in bytes", 0, seal.file_bytes, found_bytes));
        }
        let n_chunks = bytes.len().div_ceil(CHUNK_BYTES + CHECKSUM_BYTES);
        let table = bytes.len().saturating_sub(n_chunks * CHECKSUM_BYTES);
        let root = xxh3_64(&bytes[table..]);
        if table < HEADER_BYTES || root != seal.root {
            return Err(corrupt(&shown, "checksum table", table, hex(seal.root), hex(root)));
        }
        let verified = (0..n_chunks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let file = Self { bytes, shown, table, verified };
        file.verify(0, HEADER_BYTES)?;
        let Ok((header, _)) = Header::ref_from_prefix(&file.bytes) else {
            return Err(corrupt(&file.shown, "header", 0, HEADER_BYTES, found_bytes));
        };
        let (version, found_kind) = (header.version.get(), header.kind.get());
        let refuse = |what, expected: String, found: String| {
            Err(Error::Incompatible { path: file.shown.clone(), what, expected, found })
        };
        if header.magic != MAGIC || version != VERSION {
            return refuse("format version", VERSION.to_string(), version.to_string());
        }
        if found_kind != kind as u32 {
            return refuse("kind", (kind as u32).to_string(), found_kind.to_string());
        }
        if header.recipe != recipe.0 {
            return refuse("recipe", recipe.to_string(), RecipeHash(header.recipe).to_string());
        }
        Ok(file)
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.table - HEADER_BYTES
    }

    /// Returns payload whose chunks are verified.
    pub(super) fn slice(&self, range: Range<usize>) -> Result<&[u8]> {
        if range.start > range.end || range.end > self.payload_bytes() {
            let found = format!("bytes {} to {}", range.start, range.end);
            return Err(corrupt(&self.shown, "payload", range.start, format!("{} bytes", self.payload_bytes()), found));
        }
        let range = range.start + HEADER_BYTES..range.end + HEADER_BYTES;
        self.verify(range.start, range.end)?;
        Ok(&self.bytes[range])
    }

    /// Returns the number of records of a type.
    pub(super) fn n_records<T>(&self) -> usize {
        self.payload_bytes() / size_of::<T>()
    }

    /// Returns records of a type, by their numbers.
    pub(super) fn records<T: FromBytes + KnownLayout + Immutable + Unaligned>(
        &self,
        range: Range<usize>,
    ) -> Result<&[T]> {
        let bytes = self.slice(range.start * size_of::<T>()..range.end * size_of::<T>())?;
        <[T]>::ref_from_bytes(bytes)
            .map_err(|_| corrupt(&self.shown, "records", range.start * size_of::<T>(), size_of::<T>(), bytes.len()))
    }

    /// Returns the number of the first record that is not before what is looked for. All for which `is_before` holds come first.
    ///
    /// Cost: the logarithm of the number of records, a chunk verified for each of the last.
    pub(super) fn partition_point<T: FromBytes + KnownLayout + Immutable + Unaligned>(
        &self,
        is_before: impl Fn(&T) -> bool,
    ) -> Result<usize> {
        let (mut low, mut high) = (0, self.n_records::<T>());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.records::<T>(middle..middle + 1)?.iter().all(&is_before) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Fails where the file was cut short while it was read: what was handed out counts for nothing.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        match self.bytes.torn_at() {
            None => Ok(()),
            Some(at) => Err(corrupt(&self.shown, "mapped file", at, format!("{} bytes", self.bytes.len()), "fewer")),
        }
    }

    /// Makes the error of a payload that contradicts itself.
    pub(super) fn corrupt(&self, what: &'static str, at: usize, expected: impl Display, found: impl Display) -> Error {
        corrupt(&self.shown, what, at + HEADER_BYTES, expected, found)
    }

    fn verify(&self, start: usize, end: usize) -> Result<()> {
        if start == end {
            return Ok(());
        }
        for chunk in start / CHUNK_BYTES..=(end - 1) / CHUNK_BYTES {
            let (word, bit) = (&self.verified[chunk / 64], 1 << (chunk % 64));
            if word.load(Ordering::Relaxed) & bit != 0 {
                continue;
            }
            let at = chunk * CHUNK_BYTES;
            let found = xxh3_64(&self.bytes[at..self.table.min(at + CHUNK_BYTES)]).to_le_bytes();
            let expected = &self.bytes[self.table + chunk * CHECKSUM_BYTES..][..CHECKSUM_BYTES];
            if found != expected {
                let [expected, found] = [expected, &found[..]].map(|bytes| format!("{bytes:02x?}"));
                return Err(corrupt(&self.shown, "chunk checksum", at, expected, found));
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn hex(value: u64) -> String {
    format!("{value:016x}")
}

pub(super) fn corrupt(
    path: &Path,
    what: &'static str,
    at: usize,
    expected: impl Display,
    found: impl Display,
) -> Error {
    let (expected, found) = (expected.to_string(), found.to_string());
    Error::Corrupt { path: path.to_path_buf(), what, offset: at as u64, expected, found }
}

pub(super) fn io_error(operation: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { operation, path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::index::storage::MemoryStorage;

    use super::*;

    const RECIPE: RecipeHash = RecipeHash([7; 16]);

    fn written(payload: &[u8]) -> (Vec<u8>, Seal) {
        let storage = MemoryStorage::default();
        let mut writer = StageWriter::create(&storage, Path::new("a"), Kind::Ids, RECIPE).expect("new");
        for piece in payload.chunks(1000) {
            writer.write(piece).expect("written");
        }
        assert_eq!(writer.position(), payload.len() as u64);
        let seal = writer.finish().expect("ends");
        (storage.open(Path::new("a")).expect("there").to_vec(), seal)
    }

    fn read(bytes: &[u8], seal: Seal, kind: Kind, recipe: RecipeHash) -> Result<Vec<u8>> {
        let storage = MemoryStorage::default();
        storage.create(Path::new("a"))?.write_all(bytes).expect("in memory");
        let file = StageFile::open(&storage, Path::new("a"), kind, recipe, seal)?;
        file.slice(0..file.payload_bytes()).map(<[u8]>::to_vec)
    }

    #[test]
    fn payloads_of_all_sizes_come_back() {
        for n in [0, 1, CHUNK_BYTES - HEADER_BYTES - 1, CHUNK_BYTES - HEADER_BYTES, CHUNK_BYTES, 3 * CHUNK_BYTES + 5] {
            let payload: Vec<u8> = (0..n).map(|i| i.to_string().as_bytes()[0]).collect();
            let (bytes, seal) = written(&payload);
            assert_eq!(read(&bytes, seal, Kind::Ids, RECIPE).expect("sound"), payload);
        }
    }

    #[test]
    fn the_first_record_that_is_not_before_is_found() {
        let storage = MemoryStorage::default();
        let mut writer = StageWriter::create(&storage, Path::new("a"), Kind::Ids, RECIPE).expect("new");
        let numbers = [1_u32, 3, 3, 7];
        for n in numbers {
            writer.write(U32::new(n).as_bytes()).expect("written");
        }
        let seal = writer.finish().expect("ends");
        let file = StageFile::open(&storage, Path::new("a"), Kind::Ids, RECIPE, seal).expect("sound");
        for wanted in 0..9 {
            let found = file.partition_point::<U32>(|n| n.get() < wanted).expect("sound");
            assert_eq!(found, numbers.partition_point(|&n| n < wanted), "{wanted}");
        }
    }

    #[test]
    fn what_is_damaged_or_foreign_is_refused() {
        let (bytes, seal) = written(&[3; 100]);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&damaged, seal, Kind::Ids, RECIPE).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len], seal, Kind::Ids, RECIPE).is_err(), "{len} bytes");
        }
        assert!(matches!(read(&bytes, seal, Kind::Bands, RECIPE), Err(Error::Incompatible { what: "kind", .. })));
        let other = read(&bytes, seal, Kind::Ids, RecipeHash([8; 16]));
        assert!(matches!(other, Err(Error::Incompatible { what: "recipe", .. })));
    }
}
