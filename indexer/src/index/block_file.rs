//! The container of every index file: bytes in checked blocks.
//!
//! ```text
//! header 64 B | payload ... | zeros to a full block | table: one xxh3 per block | trailer 32 B
//! ```
//!
//! Header and payload are cut into blocks of 4 KiB, each with an xxh3-64 checksum in the table; the table's own checksum, seeded with the
//! payload's length (the *root*), stands in the trailer and in the manifest that names the file. So the manifest vouches for the table, the table for every block, and
//! a file of another generation, however sound in itself, is refused.
//!
//! Reading: [`BlockFile::slice`] verifies the blocks it covers on their first use and remembers that in one bit a block. A warm
//! read costs one atomic load per block; a cold one 0.2 us (xxh3 runs at 17 GB/s on 4 KiB blocks). The table costs 0.2 % of the file.
//! A file can still shrink under its readers: whoever makes an answer of its bytes asks [`BlockFile::ensure_whole`] last.
//!
//! Offsets given to and by this module count from the start of the *payload*, which begins at byte 64 of the file.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mmap::{FileBytes, ReadOrder, SharedBytes};
use super::storage::{Storage, WriteFile};
use crate::error::{Error, Result};

/// Bytes per checked block: a page, so that checking never reads more pages than the reader asked for.
pub const BLOCK_BYTES: usize = STORED_BLOCK_BYTES as usize;

/// The same as it stands in the header.
const STORED_BLOCK_BYTES: u32 = 4096;

/// Version of the container and of everything in it.
pub const FORMAT_VERSION: u32 = 2;

/// Blocks entered into the page table at once where a whole file is read: 2 MiB, what the second level cache of a core holds.
const POPULATED_BLOCKS: usize = 512;

const MAGIC: [u8; 8] = *b"CPYTRACE";
const HEADER_BYTES: usize = size_of::<Header>();
const TRAILER_BYTES: usize = size_of::<Trailer>();

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// One fixed-width record per document.
    Documents,
    /// The texts, compressed.
    Text,
    /// Anchors: k-gram -> positions in the text.
    Anchors,
    /// LSH bands -> documents.
    Bands,
    /// Normal-form hash -> documents.
    Exact,
    /// Hash of a document's id -> document.
    Ids,
    /// The tantivy catalogue, packed.
    Catalog,
    /// Which documents of a segment are removed.
    Tombstones,
    /// Anchors of code: parameterised k-gram -> positions in the text.
    Lexemes,
    /// Units of code: hash of a syntax tree -> positions in the text.
    Units,
}

impl Component {
    /// All components, in the order of their codes.
    pub const ALL: [Self; 10] = [
        Self::Documents,
        Self::Text,
        Self::Anchors,
        Self::Bands,
        Self::Exact,
        Self::Ids,
        Self::Catalog,
        Self::Tombstones,
        Self::Lexemes,
        Self::Units,
    ];

    /// Returns the file's name within its segment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Text => "text",
            Self::Anchors => "anchors",
            Self::Bands => "bands",
            Self::Exact => "exact",
            Self::Ids => "ids",
            Self::Catalog => "catalog",
            Self::Tombstones => "tombstones",
            Self::Lexemes => "lexemes",
            Self::Units => "units",
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Documents => 1,
            Self::Text => 2,
            Self::Anchors => 3,
            Self::Bands => 4,
            Self::Exact => 5,
            Self::Ids => 6,
            Self::Catalog => 7,
            Self::Tombstones => 8,
            Self::Lexemes => 9,
            Self::Units => 10,
        }
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: U32,
    component: U32,
    block_bytes: U32,
    reserved: [u8; 44],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Trailer {
    payload_bytes: U64,
    table_checksum: U64,
    reserved: U64,
    magic: [u8; 8],
}

/// What a manifest keeps of a file: enough to refuse any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Length of the whole file, in bytes.
    pub file_bytes: u64,
    /// Checksum of the file's checksum table, seeded with the payload's length.
    pub root: u64,
}

/// Writes one file, front to back.
///
/// Guarantee: after [`finish`](BlockFileWriter::finish) the bytes are on disk (synced); the name becomes durable with its folder.
pub struct BlockFileWriter {
    file: Box<dyn WriteFile>,
    path: PathBuf,
    block: Vec<u8>,
    table: Vec<U64>,
    payload_bytes: u64,
}

impl BlockFileWriter {
    /// Creates the file.
    pub fn create(storage: &dyn Storage, path: &Path, component: Component) -> Result<Self> {
        let header = Header {
            magic: MAGIC,
            version: U32::new(FORMAT_VERSION),
            component: U32::new(component.code()),
            block_bytes: U32::new(STORED_BLOCK_BYTES),
            reserved: [0; 44],
        };
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        block.extend_from_slice(header.as_bytes());
        let file = storage.create(path)?;
        Ok(Self { file, path: storage.display_path(path), block, table: Vec::new(), payload_bytes: 0 })
    }

    /// Returns the number of payload bytes written so far: the offset at which the next byte will stand.
    pub fn position(&self) -> u64 {
        self.payload_bytes
    }

    /// Appends payload.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.payload_bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Appends zeros until the next payload byte starts a block.
    pub fn align_to_block(&mut self) -> Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let zeros = [0; BLOCK_BYTES];
        self.write(&zeros[self.block.len()..])
    }

    /// Writes what is left, the table and the trailer, and syncs the file.
    pub fn finish(mut self) -> Result<Seal> {
        let seal = self.seal()?;
        self.file.sync().map_err(Error::io("sync", &self.path))?;
        Ok(seal)
    }

    /// Writes what is left, the table and the trailer of a scratch file: one that is read back and removed by the process that
    /// wrote it, so that it is not synced.
    pub fn finish_scratch(mut self) -> Result<Seal> {
        self.seal()
    }

    fn seal(&mut self) -> Result<Seal> {
        if !self.block.is_empty() {
            self.block.resize(BLOCK_BYTES, 0);
            self.write_block()?;
        }
        let table = std::mem::take(&mut self.table);
        let table = table.as_bytes();
        let root = xxh3_64_with_seed(table, self.payload_bytes);
        let trailer = Trailer {
            payload_bytes: U64::new(self.payload_bytes),
            table_checksum: U64::new(root),
            reserved: U64::ZERO,
            magic: MAGIC,
        };
        let blocks_bytes = table.len() / size_of::<U64>() * BLOCK_BYTES;
        self.file.write_all(table).map_err(Error::io("write", &self.path))?;
        self.file.write_all(trailer.as_bytes()).map_err(Error::io("write", &self.path))?;
        self.file.flush().map_err(Error::io("write", &self.path))?;
        Ok(Seal { file_bytes: (blocks_bytes + table.len() + TRAILER_BYTES) as u64, root })
    }

    fn write_block(&mut self) -> Result<()> {
        self.table.push(U64::new(xxh3_64(&self.block)));
        self.file.write_all(&self.block).map_err(Error::io("write", &self.path))?;
        self.block.clear();
        Ok(())
    }
}

/// A file that is read; cheap to clone.
#[derive(Debug, Clone)]
pub struct BlockFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    bytes: FileBytes,
    table: Range<usize>,
    payload_bytes: usize,
    /// Bit i of word i / 64: block i was verified.
    verified: Vec<AtomicU64>,
}

impl BlockFile {
    /// Opens a file that a manifest names.
    ///
    /// Cost: checks the length, the trailer, the table against the seal, and the first block; O(table) = 0.2 % of the file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where anything differs from the seal, [`Error::Incompatible`] for a newer format.
    pub fn open(storage: &dyn Storage, path: &Path, component: Component, seal: Seal) -> Result<Self> {
        let file = Self::open_sealed(storage, path, seal)?;
        file.check_header(component)?;
        file.ensure_whole()?;
        Ok(file)
    }

    /// Opens a file and checks length, trailer and table, but no block.
    pub(super) fn open_sealed(storage: &dyn Storage, path: &Path, seal: Seal) -> Result<Self> {
        let bytes = storage.open(path)?;
        let path = storage.display_path(path);
        let found_bytes = bytes.len() as u64;
        if found_bytes != seal.file_bytes {
            return Err(Error::corrupt(&path, "file length in bytes", found_bytes, seal.file_bytes, found_bytes));
        }
        let n_blocks = bytes.len().saturating_sub(TRAILER_BYTES) / (BLOCK_BYTES + size_of::<U64>());
        let table = n_blocks * BLOCK_BYTES..n_blocks * (BLOCK_BYTES + size_of::<U64>());
        if n_blocks == 0 || table.end + TRAILER_BYTES != bytes.len() {
            return Err(Error::corrupt(&path, "file length in bytes", found_bytes, "whole blocks", found_bytes));
        }
        let Ok(trailer) = Trailer::ref_from_bytes(&bytes[table.end..]) else {
            return Err(Error::corrupt(&path, "trailer", table.end as u64, TRAILER_BYTES, bytes.len() - table.end));
        };
        let payload_bytes = trailer.payload_bytes.get();
        let root = xxh3_64_with_seed(&bytes[table.clone()], payload_bytes);
        if root != seal.root {
            return Err(Error::corrupt(&path, "checksum table", table.start as u64, hex(seal.root), hex(root)));
        }
        let capacity = (n_blocks * BLOCK_BYTES - HEADER_BYTES) as u64;
        let is_tight = payload_bytes <= capacity && capacity - payload_bytes < BLOCK_BYTES as u64;
        if trailer.magic != MAGIC || trailer.table_checksum.get() != root || !is_tight || trailer.reserved != U64::ZERO
        {
            let found = format!("{payload_bytes} payload bytes, root {}", hex(trailer.table_checksum.get()));
            let expected = format!("at most {capacity} payload bytes, root {}", hex(root));
            return Err(Error::corrupt(&path, "trailer", table.end as u64, expected, found));
        }
        let verified = (0..n_blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let payload_bytes = usize::try_from(payload_bytes).unwrap_or(usize::MAX);
        Ok(Self(Arc::new(Inner { path, bytes, table, payload_bytes, verified })))
    }

    /// Returns the path for messages.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns the number of payload bytes.
    pub fn payload_bytes(&self) -> usize {
        self.0.payload_bytes
    }

    /// Returns payload bytes whose blocks are verified. They are evidence once [`ensure_whole`](Self::ensure_whole) said so *after* they
    /// were read.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where a block's checksum differs, or the range ends after the payload.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Result<&[u8]> {
        let inner = &*self.0;
        if range.start > range.end || range.end > inner.payload_bytes {
            return Err(inner.beyond(range));
        }
        let (start, end) = (range.start + HEADER_BYTES, range.end + HEADER_BYTES);
        if start < end {
            let (first, last) = (start / BLOCK_BYTES, (end - 1) / BLOCK_BYTES);
            // Almost every read is of one block that was used before.
            if first != last || !inner.is_verified(first) {
                inner.verify_blocks(first, last)?;
            }
        }
        Ok(&inner.bytes[start..end])
    }

    /// Returns payload bytes whose blocks are verified, as a handle that keeps the file open and borrows nothing.
    ///
    /// # Errors
    /// As [`slice`](Self::slice).
    pub fn shared_slice(&self, range: Range<usize>) -> Result<SharedBytes> {
        let n_bytes = self.slice(range.clone())?.len();
        let shared = self.0.bytes.share(range.start + HEADER_BYTES..range.end + HEADER_BYTES);
        shared.ok_or_else(|| self.corrupt("offset into the payload", range.start, self.0.payload_bytes, n_bytes))
    }

    /// Tells the operating system that what was read so far is not needed soon; a hint, see [`FileBytes::release`].
    pub fn release(&self) {
        self.0.bytes.release();
    }

    /// Tells the operating system in which order the file will be read; a hint, see [`FileBytes::expect`].
    pub fn expect(&self, order: ReadOrder) {
        self.0.bytes.expect(order);
    }

    /// Reads a fixed-width record.
    pub fn record<T: FromBytes + KnownLayout + Immutable + Unaligned>(&self, offset: usize) -> Result<&T> {
        let bytes = self.slice(offset..offset.saturating_add(size_of::<T>()))?;
        T::ref_from_bytes(bytes).map_err(|_| self.corrupt("record", offset, size_of::<T>(), bytes.len()))
    }

    /// Reads an array of fixed-width records.
    pub fn records<T: FromBytes + KnownLayout + Immutable + Unaligned>(&self, offset: usize, n: usize) -> Result<&[T]> {
        let end = n.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(offset)).unwrap_or(usize::MAX);
        let bytes = self.slice(offset..end)?;
        <[T]>::ref_from_bytes(bytes).map_err(|_| self.corrupt("records", offset, n, bytes.len()))
    }

    /// Asks the operating system to read ahead those blocks of a payload range that were never used; a hint.
    pub fn prefetch(&self, range: Range<usize>) {
        let inner = &*self.0;
        if range.start >= range.end || range.end > inner.payload_bytes {
            return;
        }
        let (start, end) = (range.start + HEADER_BYTES, range.end + HEADER_BYTES);
        let (first, last) = (start / BLOCK_BYTES, (end - 1) / BLOCK_BYTES);
        if (first..=last).any(|block_idx| !inner.is_verified(block_idx)) {
            inner.bytes.prefetch(first * BLOCK_BYTES..(last + 1) * BLOCK_BYTES);
        }
    }

    /// Makes sure that all bytes got from here so far were the file's own: it has not shrunk, and every page could be read. Every
    /// function that makes an answer of a file's bytes ends with this.
    ///
    /// Cost: 1 ns.
    #[inline]
    pub fn ensure_whole(&self) -> Result<()> {
        match self.0.bytes.torn_at() {
            None => Ok(()),
            Some(offset) => Err(self.0.torn(offset)),
        }
    }

    /// Verifies every block, whether it was used before or not.
    ///
    /// Cost: one pass over the file, at 4.5 GB/s of CPU time from the page cache (docs/operations.md).
    pub fn verify(&self) -> Result<()> {
        self.for_each_verified_block(|_, verified| verified)?;
        self.ensure_whole()
    }

    /// Returns the number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.0.table.len() / size_of::<U64>()
    }

    /// Verifies every block, whether it was used before or not, and calls `each` with its number and what was found, until that fails.
    pub(super) fn for_each_verified_block(&self, mut each: impl FnMut(usize, Result<()>) -> Result<()>) -> Result<()> {
        for block_idx in 0..self.n_blocks() {
            if block_idx % POPULATED_BLOCKS == 0 {
                let end = self.n_blocks().min(block_idx + POPULATED_BLOCKS);
                self.0.bytes.populate(block_idx * BLOCK_BYTES..end * BLOCK_BYTES);
            }
            each(block_idx, self.0.compute_block(block_idx))?;
        }
        Ok(())
    }

    /// Writes a file with the same payload, every block of which is verified before.
    pub fn copy(&self, storage: &dyn Storage, path: &Path, component: Component) -> Result<Seal> {
        /// Bytes copied at a time; between two pieces the pages of the piece before are given back.
        const PIECE_BYTES: usize = 8 << 20;
        let mut writer = BlockFileWriter::create(storage, path, component)?;
        let mut start = 0;
        while start < self.payload_bytes() {
            let end = self.payload_bytes().min(start.saturating_add(PIECE_BYTES));
            writer.write(self.slice(start..end)?)?;
            self.release();
            start = end;
        }
        writer.finish()
    }

    /// Makes an error that names this file; `offset` counts from the start of the payload.
    pub fn corrupt(
        &self,
        what: &'static str,
        offset: usize,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Error {
        Error::corrupt(&self.0.path, what, (offset + HEADER_BYTES) as u64, expected, found)
    }

    pub(super) fn check_header(&self, component: Component) -> Result<()> {
        let inner = &*self.0;
        inner.verify_blocks(0, 0)?;
        let Ok(header) = Header::ref_from_bytes(&inner.bytes[..HEADER_BYTES]) else {
            return Err(Error::corrupt(&inner.path, "header", 0, HEADER_BYTES, inner.bytes.len()));
        };
        if header.magic != MAGIC {
            return Err(Error::corrupt(&inner.path, "magic", 0, MAGIC.escape_ascii(), header.magic.escape_ascii()));
        }
        let (version, block_bytes, code) = (header.version.get(), header.block_bytes.get(), header.component.get());
        if version != FORMAT_VERSION || block_bytes as usize != BLOCK_BYTES {
            return Err(Error::Incompatible {
                path: inner.path.clone(),
                what: "format version",
                expected: FORMAT_VERSION.to_string(),
                found: version.to_string(),
            });
        }
        if code != component.code() {
            return Err(Error::corrupt(&inner.path, "component", 12, component.code(), code));
        }
        Ok(())
    }
}

impl Inner {
    fn is_verified(&self, block_idx: usize) -> bool {
        self.verified[block_idx / 64].load(Ordering::Relaxed) >> (block_idx % 64) & 1 == 1
    }

    #[inline(never)]
    fn verify_blocks(&self, first: usize, last: usize) -> Result<()> {
        for block_idx in first..=last {
            if !self.is_verified(block_idx) {
                self.compute_block(block_idx)?;
                self.verified[block_idx / 64].fetch_or(1 << (block_idx % 64), Ordering::Relaxed);
            }
        }
        Ok(())
    }

    #[cold]
    fn beyond(&self, range: Range<usize>) -> Error {
        let found = format!("{}..{}", range.start, range.end);
        Error::corrupt(&self.path, "offset into the payload", range.start as u64, self.payload_bytes, found)
    }

    #[cold]
    fn torn(&self, offset: usize) -> Error {
        let expected = format!("a file of {} bytes", self.bytes.len());
        Error::corrupt(
            &self.path,
            "mapped file",
            offset as u64,
            expected,
            "a shorter one, or a page that cannot be read",
        )
    }

    fn compute_block(&self, block_idx: usize) -> Result<()> {
        let start = block_idx * BLOCK_BYTES;
        let found = xxh3_64(&self.bytes[start..start + BLOCK_BYTES]);
        let slot = self.table.start + block_idx * size_of::<U64>();
        let expected =
            U64::ref_from_bytes(&self.bytes[slot..slot + size_of::<U64>()]).map_or(!found, |checksum| checksum.get());
        if found == expected {
            return Ok(());
        }
        Err(Error::corrupt(&self.path, "block checksum", start as u64, hex(expected), hex(found)))
    }
}

fn hex(value: u64) -> String {
    format!("{value:016x}")
}

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;

    fn write(storage: &MemoryStorage, path: &str, payload: &[u8]) -> Seal {
        let mut writer = BlockFileWriter::create(storage, Path::new(path), Component::Text).unwrap();
        payload.chunks(777).for_each(|chunk| writer.write(chunk).unwrap());
        assert_eq!(writer.position(), payload.len() as u64);
        writer.finish().unwrap()
    }

    #[test]
    fn payload_of_any_length_reads_back() {
        for length in [0, 1, 4031, 4032, 4033, 8127, 8128, 8129, 100_000] {
            let storage = MemoryStorage::default();
            let payload: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let seal = write(&storage, "f", &payload);
            let file = BlockFile::open(&storage, Path::new("f"), Component::Text, seal).unwrap();
            assert_eq!(file.slice(0..length).unwrap(), payload);
            assert_eq!(&*file.shared_slice(length / 2..length).unwrap(), &payload[length / 2..]);
            assert!(file.slice(0..length + 1).is_err());
            assert!(file.shared_slice(0..length + 1).is_err());
            file.verify().unwrap();
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_an_error_or_harmless() {
        let storage = MemoryStorage::default();
        let payload: Vec<u8> = (0..5000).map(|i| u8::try_from(i % 241).unwrap()).collect();
        let seal = write(&storage, "f", &payload);
        let sound = storage.open(Path::new("f")).unwrap().to_vec();
        let read = |bytes: Vec<u8>| {
            let damaged = MemoryStorage::default();
            damaged.create(Path::new("f")).unwrap().write_all(&bytes).unwrap();
            let file = BlockFile::open(&damaged, Path::new("f"), Component::Text, seal)?;
            file.slice(0..payload.len()).map(<[u8]>::to_vec)
        };
        assert_eq!(read(sound.clone()).unwrap(), payload);
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(bytes).is_err(), "bit {bit} flipped unnoticed");
        }
        for length in 0..sound.len() {
            assert!(read(sound[..length].to_vec()).is_err(), "cut to {length} unnoticed");
        }
    }

    #[test]
    fn another_component_and_another_seal_are_refused() {
        let storage = MemoryStorage::default();
        let seal = write(&storage, "f", b"payload");
        let error = BlockFile::open(&storage, Path::new("f"), Component::Anchors, seal).unwrap_err();
        assert!(error.to_string().contains("component"), "{error}");
        let other = Seal { root: seal.root ^ 1, ..seal };
        let error = BlockFile::open(&storage, Path::new("f"), Component::Text, other).unwrap_err();
        assert!(error.to_string().contains("checksum table"), "{error}");
    }
}
