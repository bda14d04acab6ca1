//! Records under a memory budget: kept in memory while they fit, else parked as sorted runs in temporary files, and merged.
//!
//! A flush sorts the buffer and writes it to a file; the end merges all runs and what is in memory. So the peak is one buffer, whatever
//! the total and however uneven the keys. The temporary files hold fingerprints and positions, never text. They need no sync: a build
//! that dies leaves nothing that counts. Their checksums stay in memory: what a disk gave back wrong would be sealed as right otherwise.
//!
//! Cost: a sort by [`radix`], O(log runs) a record in the merge, and one more pass over the files to compare checksums.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mmap::FileBytes;
use super::radix::{self, Record};
use super::storage::Storage;
use crate::error::{Error, Result};

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StoredRecord {
    key: U64,
    value: U64,
}

/// Bytes of memory that one record in the buffer costs.
pub const RECORD_BYTES: usize = size_of::<Record>();

/// Records gathered before they are written to a temporary file: 256 KiB.
const WRITE_RECORDS: usize = (256 << 10) / RECORD_BYTES;

/// A sorted run in a temporary file.
struct ParkedRun {
    path: PathBuf,
    n_bytes: usize,
    /// xxh3-64 of all of it.
    checksum: u64,
}

/// Collects records.
pub struct Spill {
    dir: PathBuf,
    name: &'static str,
    records_max: usize,
    buffer: Vec<Record>,
    runs: Vec<ParkedRun>,
    n_records: u64,
}

impl Spill {
    /// Starts a collection that holds at most `records_max` records in memory and parks the others in `dir`, in files that begin
    /// with `name`.
    pub fn new(dir: PathBuf, name: &'static str, records_max: usize) -> Self {
        Self { dir, name, records_max: records_max.max(1), buffer: Vec::new(), runs: Vec::new(), n_records: 0 }
    }

    /// Returns the number of records.
    pub fn n_records(&self) -> u64 {
        self.n_records
    }

    /// Adds a record.
    pub fn push(&mut self, storage: &dyn Storage, record: Record) -> Result<()> {
        if self.buffer.len() == self.records_max {
            self.flush(storage)?;
        }
        self.buffer.push(record);
        self.n_records += 1;
        Ok(())
    }

    /// Ends the collection: all records by the bits of the key that `key_mask` keeps, then by value. The mask keeps upper bits.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where a temporary file is not what was written.
    pub fn merge(mut self, storage: &dyn Storage, key_mask: u64) -> Result<Merged> {
        radix::sort(&mut self.buffer);
        let mut merged = Merged { runs: Vec::new(), heap: BinaryHeap::new(), files: Vec::new() };
        for ParkedRun { path, n_bytes, checksum } in self.runs {
            let bytes = storage.open(&path)?;
            let shown = || storage.display_path(&path);
            if bytes.len() != n_bytes {
                return Err(Error::corrupt(&shown(), "length in bytes", 0, n_bytes, bytes.len()));
            }
            let found = xxh3_64(&bytes);
            if found != checksum {
                let (expected, found) = (format!("{checksum:016x}"), format!("{found:016x}"));
                return Err(Error::corrupt(&shown(), "checksum", 0, expected, found));
            }
            merged.runs.push(Run::new(Source::File(bytes), key_mask));
            merged.files.push(path);
        }
        merged.runs.push(Run::new(Source::Memory(self.buffer), key_mask));
        if merged.runs.len() == 1 {
            return Ok(merged);
        }
        for (run_idx, run) in merged.runs.iter_mut().enumerate() {
            merged.heap.extend(run.next().map(|record| Reverse((record, run_idx))));
        }
        Ok(merged)
    }

    fn flush(&mut self, storage: &dyn Storage) -> Result<()> {
        radix::sort(&mut self.buffer);
        let path = self.dir.join(format!("{}-{:06}.spill", self.name, self.runs.len()));
        let shown = storage.display_path(&path);
        let mut file = storage.create(&path)?;
        let mut hasher = Xxh3::new();
        let mut piece = Vec::with_capacity(WRITE_RECORDS.min(self.buffer.len()));
        for records in self.buffer.chunks(WRITE_RECORDS) {
            let stored = |record: &Record| StoredRecord { key: U64::new(record.key), value: U64::new(record.value) };
            piece.clear();
            piece.extend(records.iter().map(stored));
            hasher.update(piece.as_bytes());
            file.write_all(piece.as_bytes()).map_err(Error::io("write", &shown))?;
        }
        file.flush().map_err(Error::io("write", &shown))?;
        self.runs.push(ParkedRun { path, n_bytes: self.buffer.len() * RECORD_BYTES, checksum: hasher.digest() });
        self.buffer.clear();
        Ok(())
    }
}

/// All records in order.
pub struct Merged {
    runs: Vec<Run>,
    /// The next record of each run that has one; empty where there is but one run.
    heap: BinaryHeap<Reverse<(Record, usize)>>,
    files: Vec<PathBuf>,
}

impl Merged {
    /// Removes the temporary files.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where one of them was cut short while it was read: what was handed out counts for nothing.
    pub fn remove(self, storage: &dyn Storage) -> Result<()> {
        let Self { runs, files, .. } = self;
        for (run, path) in runs.iter().zip(&files) {
            if let Source::File(bytes) = &run.source
                && let Some(offset) = bytes.torn_at()
            {
                let expected = format!("a file of {} bytes", bytes.len());
                return Err(Error::corrupt(path, "mapped file", offset as u64, expected, "a shorter one"));
            }
        }
        drop(runs);
        files.iter().try_for_each(|path: &PathBuf| storage.remove_file(Path::new(path)))
    }
}

impl Iterator for Merged {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if let [only] = &mut self.runs[..] {
            return only.next();
        }
        let mut top = self.heap.peek_mut()?;
        let Reverse((record, run_idx)) = *top;
        match self.runs[run_idx].next() {
            Some(next) => *top = Reverse((next, run_idx)),
            None => drop(PeekMut::pop(top)),
        }
        Some(record)
    }
}

/// Records that are sorted by whole key and value, handed out by masked key and value.
struct Run {
    source: Source,
    key_mask: u64,
    /// First record behind the group.
    at: usize,
    /// The records whose masked key is handed out: a range for each key that they have, nearly always one.
    group: Vec<Range<usize>>,
}

enum Source {
    Memory(Vec<Record>),
    File(FileBytes),
}

impl Source {
    #[inline]
    fn get(&self, idx: usize) -> Option<Record> {
        match self {
            Self::Memory(records) => records.get(idx).copied(),
            Self::File(bytes) => {
                let stored = bytes.get(idx * RECORD_BYTES..(idx + 1) * RECORD_BYTES)?;
                let stored = StoredRecord::ref_from_bytes(stored).ok()?;
                Some(Record { key: stored.key.get(), value: stored.value.get() })
            }
        }
    }
}

impl Run {
    fn new(source: Source, key_mask: u64) -> Self {
        Self { source, key_mask, at: 0, group: Vec::new() }
    }

    fn next(&mut self) -> Option<Record> {
        if self.group.is_empty() {
            self.open_group();
        }
        let value_at = |range: &Range<usize>| self.source.get(range.start);
        let (range_idx, record) = match &self.group[..] {
            [] => return None,
            [only] => (0, value_at(only)?),
            several => {
                let heads = several.iter().enumerate().filter_map(|(idx, range)| Some((idx, value_at(range)?)));
                heads.min_by_key(|(_, record)| record.value)?
            }
        };
        let range = &mut self.group[range_idx];
        range.start += 1;
        if range.start == range.end {
            self.group.swap_remove(range_idx);
        }
        Some(Record { key: record.key & self.key_mask, value: record.value })
    }

    /// Finds the next records with one masked key.
    fn open_group(&mut self) {
        let Some(mut record) = self.source.get(self.at) else { return };
        let masked = record.key & self.key_mask;
        while record.key & self.key_mask == masked {
            let start = self.at;
            let key = record.key;
            let next = loop {
                self.at += 1;
                match self.source.get(self.at) {
                    Some(next) if next.key == key => {}
                    next => break next,
                }
            };
            self.group.push(start..self.at);
            let Some(next) = next else { return };
            record = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::storage::MemoryStorage;
    use super::*;

    #[test]
    fn a_temporary_file_that_is_not_as_it_was_written_is_an_error_that_names_it() {
        let storage = MemoryStorage::default();
        // Two files of two records, and one record in memory.
        let merge = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut spill = Spill::new("tmp".into(), "test", 2);
            for n in 0..5 {
                spill.push(&storage, Record { key: n, value: n }).unwrap();
            }
            let path = Path::new("tmp/test-000001.spill");
            let mut bytes = storage.open(path).unwrap().to_vec();
            change(&mut bytes);
            storage.remove_file(path).unwrap();
            storage.create(path).unwrap().write_all(&bytes).unwrap();
            let merged = spill.merge(&storage, u64::MAX);
            storage.remove_dir_all(Path::new("tmp")).unwrap();
            merged.map(Iterator::count)
        };
        assert_eq!(merge(&|_| {}).unwrap(), 5);
        let is_named = |error: Error| error.to_string().starts_with("`tmp/test-000001.spill` is damaged: ");
        for bit in 0..2 * RECORD_BYTES * 8 {
            assert!(merge(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8)).is_err_and(is_named), "bit {bit}");
        }
        for length in (0..=3 * RECORD_BYTES).filter(|&length| length != 2 * RECORD_BYTES) {
            assert!(merge(&|bytes| bytes.resize(length, 0)).is_err_and(is_named), "length {length}");
        }
    }

    proptest! {
        #[test]
        fn merged_records_are_sorted_whatever_the_buffer_and_the_mask(
            records in prop::collection::vec((0..20_u64, any::<u8>(), 0..50_u64), 0..300),
            records_max in 1..100_usize,
            masked_bits in 0..8_u32,
        ) {
            let records: Vec<Record> =
                records.into_iter().map(|(high, low, value)| Record { key: high << 59 | u64::from(low), value }).collect();
            let key_mask = u64::MAX << masked_bits;
            let storage = MemoryStorage::default();
            let mut spill = Spill::new("tmp".into(), "test", records_max);
            for record in &records {
                spill.push(&storage, *record).unwrap();
            }
            prop_assert_eq!(spill.n_records(), records.len() as u64);
            let mut merged = spill.merge(&storage, key_mask).unwrap();
            let found: Vec<Record> = merged.by_ref().collect();
            merged.remove(&storage).unwrap();
            let mut expected: Vec<Record> =
                records.iter().map(|record| Record { key: record.key & key_mask, value: record.value }).collect();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(storage.list(Path::new("tmp")).unwrap(), Vec::<String>::new());
        }
    }
}
