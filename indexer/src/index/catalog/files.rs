//! tantivy's files as parts of our checked files: the only bytes tantivy ever sees are those of verified blocks.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{Directory, HasLen};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::error::internal;
use crate::error::Result;
use crate::index::block_file::{BlockFile, BlockFileWriter, Component, Seal};
use crate::index::storage::{Storage, hold};

/// The files of a tantivy segment, by their ending, in the order in which they are packed: columns (none, but tantivy wants the
/// file), lengths of bodies, postings, positions (none), documents, terms.
const NAMES: [&str; N_FILES as usize] = ["fast", "fieldnorm", "idx", "pos", "store", "term"];

const N_FILES: u32 = 6;

/// Bytes copied at once when packing.
const COPY_BYTES: usize = 1 << 20;

/// Scratch bytes that are read before the pages behind them are given back: small against the memory of the writer, and large
/// against what giving back costs.
const RELEASE_BYTES: usize = 8 << 20;

const MAGIC: [u8; 8] = *b"CATALOG\0";

/// Where one of tantivy's files stands in the payload.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Entry {
    name: [u8; 16],
    offset: U64,
    length: U64,
}

/// The last bytes of the payload.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Footer {
    entries_offset: U64,
    n_entries: U32,
    n_docs: U32,
    reserved: U64,
    magic: [u8; 8],
}

impl Entry {
    fn new(name: &str, offset: u64, length: u64) -> Self {
        let mut padded = [0; 16];
        padded.iter_mut().zip(name.bytes()).for_each(|(slot, byte)| *slot = byte);
        Self { name: padded, offset: U64::new(offset), length: U64::new(length) }
    }
}

/// A file of tantivy: a part of one of our files.
#[derive(Debug, Clone)]
pub(super) struct Section {
    file: BlockFile,
    range: Range<usize>,
    /// Whose memory it counts towards, for a scratch file.
    scratch: Option<Arc<Scratch>>,
    /// Where the compressed blocks of a document store end in it; 0 for other files.
    blocks_end: usize,
}

impl HasLen for Section {
    fn len(&self) -> usize {
        self.range.len()
    }
}

impl FileHandle for Section {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.range.len() {
            let found = format!("{}..{}", range.start, range.end);
            return Err(io::Error::other(self.file.corrupt(
                "range within a section",
                self.range.start,
                self.range.len(),
                found,
            )));
        }
        if let Some(scratch) = &self.scratch {
            scratch.note_read(range.len());
        }
        let is_block = range.start < self.blocks_end;
        let range = self.range.start + range.start..self.range.start + range.end;
        if is_block {
            self.check_block(range.clone()).map_err(io::Error::other)?;
        }
        self.file.shared_slice(range).map(OwnedBytes::new).map_err(io::Error::other)
    }
}

/// Length of the footer of tantivy's document store: version (4 bytes), end of the blocks (8), kind of compression (1), zeros. After it
/// comes what ends every file of tantivy: a text about its version, that text's length (4 bytes), a fixed number (4).
const STORE_FOOTER_BYTES: usize = 28;

/// Longest block of a document store when it is decompressed: one that is just not full, one more document of the longest attributes, and
/// where each document starts.
const STORE_BLOCK_BYTES_MAX: u32 = 64 << 10;

/// Most layers of a document store's index: each has an eighth of the blocks of the one below.
const STORE_LAYERS_MAX: u8 = 24;

/// tantivy takes memory for any length that a document store names. Here those lengths are looked at before.
impl Section {
    /// Finds where the blocks of a document store end, and checks the length of its index.
    fn with_blocks(mut self) -> Result<Self> {
        let bad = |what, at, expected: String, found: String| Err(self.file.corrupt(what, at, expected, found));
        let n_bytes = self.range.len();
        let Some(version_at) = n_bytes.checked_sub(2 * size_of::<U32>()).map(|at| self.range.start + at) else {
            return bad("document store", self.range.start, "a footer".to_owned(), format!("{n_bytes} bytes"));
        };
        let version_bytes = self.file.record::<U32>(version_at)?.get() as usize;
        let footer = version_at.checked_sub(version_bytes.saturating_add(STORE_FOOTER_BYTES));
        let Some(footer) = footer.filter(|footer| *footer >= self.range.start) else {
            return bad("document store", version_at, format!("at most {n_bytes} bytes"), version_bytes.to_string());
        };
        let end: &U64 = self.file.record(footer + size_of::<u32>())?;
        let blocks_end = usize::try_from(end.get()).unwrap_or(usize::MAX);
        let index = self.range.start.saturating_add(blocks_end);
        if index >= footer {
            return bad("end of the document store's blocks", footer, format!("below {footer}"), index.to_string());
        }
        // A number below 128 is one byte, its highest bit set.
        let n_layers = self.file.slice(index..index + 1)?[0];
        if !(0x80..=0x80 + STORE_LAYERS_MAX).contains(&n_layers) {
            let expected = format!("at most {STORE_LAYERS_MAX} layers");
            return bad("document store's index", index, expected, n_layers.to_string());
        }
        self.blocks_end = blocks_end;
        Ok(self)
    }

    /// Checks the length that a block, a range of the payload, will have when it is decompressed.
    fn check_block(&self, range: Range<usize>) -> Result<()> {
        let length: &U32 = self.file.record(range.start)?;
        if length.get() > STORE_BLOCK_BYTES_MAX {
            let (expected, found) = (format!("at most {STORE_BLOCK_BYTES_MAX} bytes"), length.get());
            return Err(self.file.corrupt("block of the document store", range.start, expected, found));
        }
        Ok(())
    }
}

/// The files of one tantivy segment. Cheap to clone; clones are the same files.
#[derive(Debug, Clone)]
pub(super) enum SegmentFiles {
    /// Packed into one of our files, in the order of [`NAMES`]; read only.
    Packed(Arc<[Section; NAMES.len()]>),
    /// Each in a scratch file of its own.
    Scratch(Arc<Scratch>),
}

impl SegmentFiles {
    /// Opens what [`pack`](Self::pack) wrote and returns it with its number of documents.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) where the file is not laid out exactly as `pack` does.
    pub(super) fn open(file: &BlockFile) -> Result<(Self, u32)> {
        let payload_bytes = file.payload_bytes();
        let Some(footer_offset) = payload_bytes.checked_sub(size_of::<Footer>()) else {
            return Err(file.corrupt("payload length", 0, size_of::<Footer>(), payload_bytes));
        };
        let footer: &Footer = file.record(footer_offset)?;
        let is_ours = footer.magic == MAGIC && footer.reserved == U64::ZERO && footer.n_entries == N_FILES;
        let entries_offset = footer_offset.checked_sub(NAMES.len() * size_of::<Entry>());
        let named = |offset: &usize| is_ours && footer.entries_offset == *offset as u64;
        let Some(entries_offset) = entries_offset.filter(named) else {
            let found = format!("{} entries at {}", footer.n_entries, footer.entries_offset);
            return Err(file.corrupt("catalogue footer", footer_offset, format!("{N_FILES} entries"), found));
        };
        let entries: &[Entry] = file.records(entries_offset, NAMES.len())?;
        let mut end = 0;
        let mut sections = Vec::with_capacity(NAMES.len());
        for (entry, name) in entries.iter().zip(NAMES) {
            let length = usize::try_from(entry.length.get()).unwrap_or(usize::MAX);
            let range = end..usize::saturating_add(end, length);
            let expected = Entry::new(name, range.start as u64, entry.length.get());
            if entry.as_bytes() != expected.as_bytes() || range.end > entries_offset {
                let found = format!("`{}` at {}+{}", entry.name.escape_ascii(), entry.offset, entry.length);
                return Err(file.corrupt("catalogue entry", entries_offset, format!("`{name}` at {end}"), found));
            }
            end = range.end;
            let section = Section { file: file.clone(), range, scratch: None, blocks_end: 0 };
            sections.push(if name == "store" { section.with_blocks()? } else { section });
        }
        match <[Section; NAMES.len()]>::try_from(sections) {
            Ok(sections) if end == entries_offset => Ok((Self::Packed(Arc::new(sections)), footer.n_docs.get())),
            _ => Err(file.corrupt("end of the catalogue's sections", end, entries_offset, end)),
        }
    }

    /// Packs the files into one.
    pub(super) fn pack(&self, storage: &dyn Storage, path: &Path, n_docs: u32) -> Result<Seal> {
        let mut writer = BlockFileWriter::create(storage, path, Component::Catalog)?;
        let mut entries = Vec::with_capacity(NAMES.len());
        for name in NAMES {
            let offset = writer.position();
            let Some(section) = self.section(name) else {
                return Err(internal(format!("tantivy wrote no `{name}` file")));
            };
            let mut start = section.range.start;
            while start < section.range.end {
                let end = section.range.end.min(start + COPY_BYTES);
                writer.write(section.file.slice(start..end)?)?;
                section.file.ensure_whole()?;
                section.file.release();
                start = end;
            }
            entries.push(Entry::new(name, offset, writer.position() - offset));
        }
        let footer = Footer {
            entries_offset: U64::new(writer.position()),
            n_entries: U32::new(N_FILES),
            n_docs: U32::new(n_docs),
            reserved: U64::ZERO,
            magic: MAGIC,
        };
        writer.write(entries.as_bytes())?;
        writer.write(footer.as_bytes())?;
        writer.finish()
    }

    fn section(&self, name: &str) -> Option<Section> {
        match self {
            Self::Packed(sections) => sections.iter().zip(NAMES).find(|(_, own)| *own == name).map(|(s, _)| s.clone()),
            Self::Scratch(scratch) => {
                let file = hold(&scratch.files).get(name)?.clone()?;
                let range = 0..file.payload_bytes();
                Some(Section { file, range, scratch: Some(Arc::clone(scratch)), blocks_end: 0 })
            }
        }
    }
}

/// Returns the ending by which we know a file of tantivy. The name before it is the segment's random number, which we do not keep.
fn name_of(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

impl Directory for SegmentFiles {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        match self.section(name_of(path)) {
            Some(section) => Ok(Arc::new(section)),
            None => Err(OpenReadError::FileDoesNotExist(path.to_path_buf())),
        }
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let fail = |error| OpenWriteError::wrap_io_error(error, path.to_path_buf());
        match self {
            Self::Packed(_) => Err(fail(io::ErrorKind::ReadOnlyFilesystem.into())),
            Self::Scratch(scratch) => {
                let file =
                    scratch.create_file(name_of(path).to_owned()).map_err(|error| fail(io::Error::other(error)))?;
                Ok(io::BufWriter::new(Box::new(TantivyFile(Mutex::new(Some(file))))))
            }
        }
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.section(name_of(path)).is_some())
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::FileDoesNotExist(path.to_path_buf()))
    }

    // tantivy's own bookkeeping (`meta.json`, `.managed.json`) names segments and when they changed. We have one segment that never changes.
    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        Err(OpenReadError::FileDoesNotExist(path.to_path_buf()))
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

/// Files between the first document and the packed file. They hold terms, postings and attributes, never a text; they
/// are removed when this is dropped.
pub(super) struct Scratch {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    /// By name; `None` while a file is being written.
    files: Mutex<BTreeMap<String, Option<BlockFile>>>,
    bytes_read: AtomicUsize,
}

impl Scratch {
    /// Makes the folder.
    pub(super) fn create(storage: &Arc<dyn Storage>, dir: &Path) -> Result<Self> {
        storage.create_dir(dir)?;
        let (files, bytes_read) = (Mutex::default(), AtomicUsize::new(0));
        Ok(Self { storage: Arc::clone(storage), dir: dir.to_path_buf(), files, bytes_read })
    }

    /// Returns where the files live.
    pub(super) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// Returns the folder for messages.
    pub(super) fn display_path(&self) -> PathBuf {
        self.storage.display_path(&self.dir)
    }

    /// Creates a file.
    pub(super) fn create_file(self: &Arc<Self>, name: String) -> Result<ScratchWriter> {
        let writer = BlockFileWriter::create(&*self.storage, &self.path(&name), Component::Catalog)?;
        hold(&self.files).insert(name.clone(), None);
        Ok(ScratchWriter { scratch: Arc::clone(self), name, writer })
    }

    /// Counts bytes that are read, and now and then gives back the pages of all files, so that a merge does not end with
    /// all of them in memory.
    pub(super) fn note_read(&self, n_bytes: usize) {
        if self.bytes_read.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes >= RELEASE_BYTES {
            self.bytes_read.store(0, Ordering::Relaxed);
            hold(&self.files).values().flatten().for_each(BlockFile::release);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("catalog-{name}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for name in std::mem::take(&mut *hold(&self.files)).into_keys() {
            // What cannot be removed is removed by the next writer.
            let _ = self.storage.remove_file(&self.path(&name));
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scratch({})", self.dir.display())
    }
}

/// A scratch file that is being written.
pub(super) struct ScratchWriter {
    scratch: Arc<Scratch>,
    name: String,
    writer: BlockFileWriter,
}

impl ScratchWriter {
    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write(bytes)
    }

    /// Ends the file and opens it for reading.
    pub(super) fn finish(self) -> Result<BlockFile> {
        let Self { scratch, name, writer } = self;
        let seal = writer.finish_scratch()?;
        let file = BlockFile::open(&*scratch.storage, &scratch.path(&name), Component::Catalog, seal)?;
        hold(&scratch.files).insert(name, Some(file.clone()));
        Ok(file)
    }
}

/// A scratch file that tantivy writes; `None` once it is finished. The mutex is never contended: tantivy asks for a type that could be
/// shared.
struct TantivyFile(Mutex<Option<ScratchWriter>>);

impl TantivyFile {
    fn writer(&mut self) -> &mut Option<ScratchWriter> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for TantivyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(writer) = self.writer() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        writer.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for TantivyFile {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let Some(writer) = self.writer().take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        writer.finish().map(drop).map_err(io::Error::other)
    }
}
