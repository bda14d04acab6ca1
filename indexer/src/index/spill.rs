//! Records under a memory budget: kept in memory while they fit, else parked in temporary files by key prefix.
//!
//! A flush sorts the buffer into 256 partitions by the top byte of the key and appends it to one file; reading a partition gathers its
//! slice from every flush. So the peak is one buffer while writing and one partition while reading, whatever the total. The temporary
//! files hold fingerprints and positions, never text. They need no sync: a build that dies leaves nothing that counts.

use std::path::PathBuf;

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mmap::FileBytes;
use super::storage::Storage;
use crate::error::{Error, Result};

/// Number of partitions: the top byte of the key.
pub const PARTITIONS: usize = 256;

/// A key and what is filed under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The key, a uniform hash.
    pub key: u64,
    /// A position or a document.
    pub value: u64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StoredRecord {
    key: U64,
    value: U64,
}

/// Bytes of memory that one record in the buffer costs.
pub const RECORD_BYTES: usize = size_of::<Record>();

/// Collects records.
pub struct Spill {
    dir: PathBuf,
    name: &'static str,
    records_max: usize,
    buffer: Vec<Record>,
    flushes: Vec<Flush>,
    n_records: u64,
}

struct Flush {
    path: PathBuf,
    /// Record index at which each partition starts, and one past the last.
    starts: Vec<usize>,
}

impl Spill {
    /// Starts a collection that holds at most `records_max` records in memory and parks the others in `dir`, in files that begin
    /// with `name`.
    pub fn new(dir: PathBuf, name: &'static str, records_max: usize) -> Self {
        Self { dir, name, records_max: records_max.max(1), buffer: Vec::new(), flushes: Vec::new(), n_records: 0 }
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

    /// Ends the collection; what is in memory stays there.
    pub fn finish(self, storage: &dyn Storage) -> Result<SpillReader> {
        let mut parts = Vec::with_capacity(self.flushes.len());
        for flush in self.flushes {
            parts.push((storage.open(&flush.path)?, flush));
        }
        let mut buffer = self.buffer;
        sort_by_partition(&mut buffer);
        Ok(SpillReader { parts, starts: partition_starts(&buffer), buffer })
    }

    fn flush(&mut self, storage: &dyn Storage) -> Result<()> {
        sort_by_partition(&mut self.buffer);
        let path = self.dir.join(format!("{}-{:06}.spill", self.name, self.flushes.len()));
        let shown = storage.display_path(&path);
        let mut file = std::io::BufWriter::with_capacity(1 << 18, storage.create(&path)?);
        for record in &self.buffer {
            let stored = StoredRecord { key: U64::new(record.key), value: U64::new(record.value) };
            std::io::Write::write_all(&mut file, stored.as_bytes()).map_err(Error::io("write", &shown))?;
        }
        std::io::Write::flush(&mut file).map_err(Error::io("write", &shown))?;
        self.flushes.push(Flush { path, starts: partition_starts(&self.buffer) });
        self.buffer.clear();
        Ok(())
    }
}

/// Gives the records back, partition by partition.
pub struct SpillReader {
    parts: Vec<(FileBytes, Flush)>,
    buffer: Vec<Record>,
    starts: Vec<usize>,
}

impl SpillReader {
    /// Replaces `records` by those of one partition, in no particular order.
    pub fn read(&mut self, partition: usize, records: &mut Vec<Record>) -> Result<()> {
        records.clear();
        records.extend_from_slice(&self.buffer[self.starts[partition]..self.starts[partition + 1]]);
        for (bytes, flush) in &self.parts {
            let range = flush.starts[partition] * RECORD_BYTES..flush.starts[partition + 1] * RECORD_BYTES;
            let stored = bytes.get(range.clone()).and_then(|bytes| <[StoredRecord]>::ref_from_bytes(bytes).ok());
            let Some(stored) = stored else {
                return Err(Error::corrupt(
                    &flush.path,
                    "spill file length",
                    range.start as u64,
                    range.end,
                    bytes.len(),
                ));
            };
            records.extend(stored.iter().map(|record| Record { key: record.key.get(), value: record.value.get() }));
        }
        Ok(())
    }

    /// Removes the temporary files.
    pub fn remove(self, storage: &dyn Storage) -> Result<()> {
        for (bytes, flush) in self.parts {
            drop(bytes);
            storage.remove_file(&flush.path)?;
        }
        Ok(())
    }
}

fn partition_of(record: &Record) -> usize {
    usize::from(record.key.to_le_bytes()[7])
}

fn sort_by_partition(records: &mut [Record]) {
    // Inside a partition the full order makes the sort of the reader cheap: it meets sorted runs.
    records.sort_unstable_by_key(|record| (record.key, record.value));
}

fn partition_starts(records: &[Record]) -> Vec<usize> {
    (0..=PARTITIONS).map(|partition| records.partition_point(|record| partition_of(record) < partition)).collect()
}
