//! Posting tables: 64-bit key -> values, sorted, one page read a lookup.
//!
//! Anchors, bands, normal forms and ids are all the same structure. Keys are uniform hashes, so no tree is needed: the top bits of a
//! key name a *bucket* through a directory that stays in memory, and a bucket of 32 to 64 postings is searched in place.
//!
//! ```text
//! posting (8 B)  remainder of the key (64 - V bits) | value (V bits)     V = 40: text positions, V = 32: documents
//! bucket         postings ascending, then fillers (all ones); inside one 4 KiB block unless it alone is larger
//! directory      u32 index of each bucket's first posting, and one past the last
//! hot list       keys with more postings than the cap: their true counts
//! ```
//!
//! A key is known by its directory bits and its remainder: with V = 40 and n postings a foreign key is met with probability
//! 64 / 2^24 a lookup, whatever n. That costs one verification and is never an answer.
//!
//! Cost: a lookup reads two directory entries and one page (0.2 us warm at 50 M postings, docs/algorithms.md); 8.5 bytes a posting with
//! fillers, directory and checksums. Building sorts in a bounded memory, see [`super::spill`], and adds 0.1 byte a posting for the
//! directory.

use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::block_file::{BLOCK_BYTES, BlockFile, BlockFileWriter, Component, Seal};
use super::radix::Record;
use super::spill::Spill;
use super::storage::Storage;
use crate::error::{Error, Result};
use crate::ids::{Key, OriginKey};
use crate::limits::{ORIGINS_COUNTED_MAX, POSTINGS_PER_KEY_MAX};

/// Postings per bucket are between this and its double on average: small enough for a handful of cache lines, large enough that
/// the directory costs 1 %.
const BUCKET_POSTINGS_MIN: u64 = 32;
const POSTINGS_PER_BLOCK: u64 = (BLOCK_BYTES / size_of::<U64>()) as u64;
const FILLER: u64 = u64::MAX;

/// Last bytes of the payload: where everything is.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Footer {
    n_postings: U64,
    n_slots: U64,
    postings_offset: U64,
    directory_offset: U64,
    hot_offset: U64,
    n_hot: U32,
    directory_bits: U32,
    value_bits: U32,
    reserved: U32,
}

/// True counts of a key with more postings than are stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Hot {
    key: U64,
    n_postings: U32,
    n_docs: U32,
    n_origins: U32,
}

/// What a lookup found beside the postings themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Postings delivered.
    pub n_stored: u32,
    /// True counts, where more postings exist than are stored.
    pub capped: Option<Counts>,
}

/// How often a key occurs in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Postings.
    pub n_postings: u32,
    /// Distinct documents.
    pub n_docs: u32,
    /// Distinct known origins; [`ORIGINS_COUNTED_MAX`] at most.
    pub n_origins: u32,
}

/// Tells which document a value belongs to, and that document's origin. Needed where a key has more postings than are stored.
/// `None` for a document that does not count: its postings are the first to be left out.
/// The values of one key come in ascending order.
pub type DocumentOf<'a> = dyn FnMut(u64) -> Result<Option<(u32, OriginKey)>> + 'a;

/// Collects postings and writes the table.
pub struct KeyTableBuilder {
    spill: Spill,
    value_bits: u32,
    postings_max: usize,
}

impl KeyTableBuilder {
    /// Starts a table whose values have `value_bits` bits; `spill` bounds its memory.
    pub fn new(spill: Spill, value_bits: u32) -> Self {
        debug_assert!((24..=40).contains(&value_bits), "a remainder has 24 to 40 bits");
        Self { spill, value_bits, postings_max: POSTINGS_PER_KEY_MAX }
    }

    /// Starts a table that stores every posting of every key.
    pub fn uncapped(spill: Spill, value_bits: u32) -> Self {
        Self { postings_max: usize::MAX, ..Self::new(spill, value_bits) }
    }

    /// Adds a posting.
    pub fn push(&mut self, storage: &dyn Storage, key: Key, value: u64) -> Result<()> {
        if value >= 1 << self.value_bits {
            return Err(too_many("value of a posting", value));
        }
        self.spill.push(storage, Record { key: key.0, value })
    }

    /// Sorts the postings and writes the file.
    ///
    /// Guarantee: the bytes depend on the set of postings alone.
    pub fn finish(
        self,
        storage: &dyn Storage,
        path: &Path,
        component: Component,
        document_of: &mut DocumentOf<'_>,
    ) -> Result<Seal> {
        let n_records = self.spill.n_records();
        let layout = Layout { directory_bits: directory_bits(n_records), value_bits: self.value_bits };
        let mut writer = TableWriter::create(storage, path, component, layout, self.postings_max)?;
        let mut postings = self.spill.merge(storage, layout.known(u64::MAX))?;
        for Record { key, value } in &mut postings {
            writer.add(key, value, document_of)?;
        }
        postings.remove(storage)?;
        writer.finish()
    }
}

/// How a 64-bit key is cut: directory bits, remainder, and low bits that are not kept.
#[derive(Debug, Clone, Copy)]
struct Layout {
    directory_bits: u32,
    value_bits: u32,
}

impl Layout {
    fn bucket(self, key: u64) -> u64 {
        if self.directory_bits == 0 { 0 } else { key >> (64 - self.directory_bits) }
    }

    fn remainder(self, key: u64) -> u64 {
        key << self.directory_bits >> self.value_bits
    }

    /// The part of a key that the table keeps, in place.
    fn known(self, key: u64) -> u64 {
        let kept_bits = self.directory_bits + 64 - self.value_bits;
        if kept_bits >= 64 { key } else { key >> (64 - kept_bits) << (64 - kept_bits) }
    }

    fn posting(self, key: u64, value: u64) -> u64 {
        self.remainder(key) << self.value_bits | value
    }

    fn value(self, posting: u64) -> u64 {
        posting & ((1 << self.value_bits) - 1)
    }
}

/// Directory bits for a number of postings: as many as keep buckets at [`BUCKET_POSTINGS_MIN`] or more.
fn directory_bits(n_postings: u64) -> u32 {
    (n_postings / BUCKET_POSTINGS_MIN).max(1).ilog2().min(32)
}

struct TableWriter {
    file: BlockFileWriter,
    layout: Layout,
    postings_max: usize,
    postings_offset: u64,
    directory: Vec<U32>,
    /// Postings of the open bucket that were not written.
    bucket: Vec<u64>,
    /// Whether the open bucket is longer than a block, so that its postings are written as they come.
    is_long: bool,
    n_slots: u64,
    n_postings: u64,
    hot: Vec<Hot>,
    key: u64,
    /// Values of the key, up to one more than are stored.
    values: Vec<u64>,
    /// Takes the values of the key once they are too many.
    choice: Option<Choice>,
}

impl TableWriter {
    fn create(
        storage: &dyn Storage,
        path: &Path,
        component: Component,
        layout: Layout,
        postings_max: usize,
    ) -> Result<Self> {
        let mut file = BlockFileWriter::create(storage, path, component)?;
        file.align_to_block()?;
        let postings_offset = file.position();
        Ok(Self {
            file,
            layout,
            postings_max,
            postings_offset,
            directory: Vec::new(),
            bucket: Vec::new(),
            is_long: false,
            n_slots: 0,
            n_postings: 0,
            hot: Vec::new(),
            key: 0,
            values: Vec::new(),
            choice: None,
        })
    }

    /// Adds a posting; keys ascend, and so do the values of a key.
    fn add(&mut self, key: u64, value: u64, document_of: &mut DocumentOf<'_>) -> Result<()> {
        if key != self.key {
            self.end_key()?;
            self.key = key;
        }
        if let Some(choice) = &mut self.choice {
            return choice.add(value, document_of);
        }
        if self.postings_max == usize::MAX {
            return self.write_posting(value);
        }
        self.values.push(value);
        if self.values.len() > self.postings_max {
            let mut choice = Choice::default();
            self.values.drain(..).try_for_each(|value| choice.add(value, document_of))?;
            self.choice = Some(choice);
        }
        Ok(())
    }

    /// Writes what is kept of the key's postings.
    fn end_key(&mut self) -> Result<()> {
        let mut values = std::mem::take(&mut self.values);
        if let Some(choice) = self.choice.take() {
            let counts = choice.counts();
            values = choice.into_kept();
            if counts.n_postings as usize > values.len() {
                self.hot.push(Hot {
                    key: U64::new(self.key),
                    n_postings: U32::new(counts.n_postings),
                    n_docs: U32::new(counts.n_docs),
                    n_origins: U32::new(counts.n_origins),
                });
            }
        }
        values.iter().try_for_each(|&value| self.write_posting(value))?;
        values.clear();
        self.values = values;
        Ok(())
    }

    fn write_posting(&mut self, value: u64) -> Result<()> {
        while (self.directory.len() as u64) <= self.layout.bucket(self.key) {
            self.close_bucket()?;
        }
        self.n_postings += 1;
        self.bucket.push(self.layout.posting(self.key, value));
        self.is_long |= self.bucket.len() as u64 > POSTINGS_PER_BLOCK;
        if self.is_long { self.write_bucket() } else { Ok(()) }
    }

    /// Writes out the bucket that is open, if any, and opens the next one.
    fn close_bucket(&mut self) -> Result<()> {
        let left = POSTINGS_PER_BLOCK - self.n_slots % POSTINGS_PER_BLOCK;
        // The directory's last entry belongs to the bucket that is open: its start is known only now.
        if !self.is_long && self.bucket.len() as u64 > left {
            self.write_fillers(left)?;
            if let Some(start) = self.directory.last_mut() {
                *start = slot_index(self.n_slots)?;
            }
        }
        self.write_bucket()?;
        self.is_long = false;
        self.directory.push(slot_index(self.n_slots)?);
        Ok(())
    }

    fn write_bucket(&mut self) -> Result<()> {
        for posting in &self.bucket {
            self.file.write(&posting.to_le_bytes())?;
        }
        self.n_slots += self.bucket.len() as u64;
        self.bucket.clear();
        Ok(())
    }

    fn write_fillers(&mut self, n: u64) -> Result<()> {
        for _ in 0..n {
            self.file.write(&FILLER.to_le_bytes())?;
        }
        self.n_slots += n;
        Ok(())
    }

    fn finish(mut self) -> Result<Seal> {
        self.end_key()?;
        let n_buckets = 1_u64 << self.layout.directory_bits;
        while (self.directory.len() as u64) <= n_buckets {
            self.close_bucket()?;
        }
        let directory_offset = self.file.position();
        self.file.write(self.directory.as_bytes())?;
        let hot_offset = self.file.position();
        self.file.write(self.hot.as_bytes())?;
        let n_hot = u32::try_from(self.hot.len()).map_err(|_| too_many("hot keys", self.hot.len() as u64))?;
        let footer = Footer {
            n_postings: U64::new(self.n_postings),
            n_slots: U64::new(self.n_slots),
            postings_offset: U64::new(self.postings_offset),
            directory_offset: U64::new(directory_offset),
            hot_offset: U64::new(hot_offset),
            n_hot: U32::new(n_hot),
            directory_bits: U32::new(self.layout.directory_bits),
            value_bits: U32::new(self.layout.value_bits),
            reserved: U32::ZERO,
        };
        self.file.write(footer.as_bytes())?;
        self.file.finish()
    }
}

fn slot_index(n_slots: u64) -> Result<U32> {
    u32::try_from(n_slots).map(U32::new).map_err(|_| too_many("postings", n_slots))
}

fn too_many(what: &'static str, n: u64) -> Error {
    Error::Argument { name: what, expected: format!("at most {} in one segment", u32::MAX), found: n.to_string() }
}

/// Chooses which postings of an over-cap key are kept: first occurrences before later ones of a document, then as many origins as can be.
/// A fixed order, so that the choice depends on the postings alone.
///
/// Memory: 8 bytes for each origin, up to [`ORIGINS_COUNTED_MAX`] of them.
#[derive(Default)]
struct Choice {
    n_postings: u64,
    n_docs: u64,
    doc: Option<u32>,
    nth_in_doc: u32,
    in_origin: HashMap<u32, u32>,
    /// The best, the worst of them on top: place in its document, place of the document in its origin, value.
    kept: BinaryHeap<(u32, u32, u64)>,
}

impl Choice {
    /// Takes the next value; they ascend, so that those of a document come one after the other.
    fn add(&mut self, value: u64, document_of: &mut DocumentOf<'_>) -> Result<()> {
        let Some((doc, origin)) = document_of(value)? else { return Ok(()) };
        self.n_postings += 1;
        let mut nth_of_origin = 0;
        if self.doc == Some(doc) {
            self.nth_in_doc += 1;
        } else {
            (self.doc, self.nth_in_doc) = (Some(doc), 0);
            self.n_docs += 1;
            // One that is not counted is worse than what is kept, whatever its place: first occurrences of as many other origins came before.
            if self.in_origin.len() < ORIGINS_COUNTED_MAX || self.in_origin.contains_key(&origin.0) {
                let n_of_origin = self.in_origin.entry(origin.0).or_default();
                nth_of_origin = *n_of_origin;
                *n_of_origin += 1;
            }
        }
        self.kept.push((self.nth_in_doc, nth_of_origin, value));
        if self.kept.len() > POSTINGS_PER_KEY_MAX {
            self.kept.pop();
        }
        Ok(())
    }

    fn counts(&self) -> Counts {
        let n_unknown = usize::from(self.in_origin.contains_key(&OriginKey::UNKNOWN.0));
        let (n_postings, n_docs) = (saturate(self.n_postings), saturate(self.n_docs));
        Counts { n_postings, n_docs, n_origins: saturate(self.in_origin.len() - n_unknown) }
    }

    /// Returns the values that are kept, ascending.
    fn into_kept(self) -> Vec<u64> {
        let mut kept: Vec<u64> = self.kept.into_iter().map(|(_, _, value)| value).collect();
        kept.sort_unstable();
        kept
    }
}

fn saturate(n: impl TryInto<u32>) -> u32 {
    n.try_into().unwrap_or(u32::MAX)
}

/// A table that is read; cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyTable {
    file: BlockFile,
    layout: Layout,
    n_postings: u64,
    n_slots: usize,
    postings_offset: usize,
    directory_offset: usize,
    n_buckets: usize,
    hot_offset: usize,
    n_hot: usize,
}

impl KeyTable {
    /// Opens a table: reads and checks its footer, directory and hot list (1 % of the file).
    ///
    /// # Errors
    /// [`Error::Corrupt`] where they contradict each other.
    pub fn open(file: BlockFile) -> Result<Self> {
        let Some(footer_offset) = file.payload_bytes().checked_sub(size_of::<Footer>()) else {
            return Err(file.corrupt("footer", 0, size_of::<Footer>(), file.payload_bytes()));
        };
        let footer: &Footer = file.record(footer_offset)?;
        let as_usize = |value: U64| usize::try_from(value.get()).unwrap_or(usize::MAX);
        let layout = Layout { directory_bits: footer.directory_bits.get(), value_bits: footer.value_bits.get() };
        if layout.directory_bits > 32 || !(24..=40).contains(&layout.value_bits) {
            let found = format!("{} and {}", layout.directory_bits, layout.value_bits);
            return Err(file.corrupt("directory and value bits", footer_offset, "at most 32, and 24 to 40", found));
        }
        let table = Self {
            layout,
            n_postings: footer.n_postings.get(),
            n_slots: as_usize(footer.n_slots),
            postings_offset: as_usize(footer.postings_offset),
            directory_offset: as_usize(footer.directory_offset),
            n_buckets: 1 << layout.directory_bits,
            hot_offset: as_usize(footer.hot_offset),
            n_hot: footer.n_hot.get() as usize,
            file,
        };
        let slots_end = table.n_slots.checked_mul(size_of::<U64>()).and_then(|n| n.checked_add(table.postings_offset));
        let hot_end = table.n_hot.checked_mul(size_of::<Hot>()).and_then(|n| n.checked_add(table.hot_offset));
        if slots_end != Some(table.directory_offset) || hot_end != Some(footer_offset) {
            return Err(table.file.corrupt(
                "section borders",
                footer_offset,
                footer_offset,
                format!("{slots_end:?}, {hot_end:?}"),
            ));
        }
        let directory = table.directory()?;
        let is_ascending = directory.windows(2).all(|pair| pair[0].get() <= pair[1].get());
        let last = directory.last().map_or(0, |last| last.get() as usize);
        if !is_ascending || last != table.n_slots {
            return Err(table.file.corrupt("directory", table.directory_offset, table.n_slots, last));
        }
        table.hot()?;
        table.file.ensure_whole()?;
        Ok(table)
    }

    /// Returns the number of postings stored.
    pub fn n_postings(&self) -> u64 {
        self.n_postings
    }

    /// Returns the file, to verify it or to show its size.
    pub fn file(&self) -> &BlockFile {
        &self.file
    }

    /// Appends the values stored under a key, ascending; says what was left out.
    ///
    /// A value of a foreign key whose kept bits are the same can be among them.
    pub fn lookup(&self, key: Key, values: &mut Vec<u64>) -> Result<Found> {
        let range = self.bucket_range(key)?;
        let postings: &[U64] = self.file.records(range.start, range.len() / size_of::<U64>())?;
        let low = self.layout.posting(key.0, 0);
        let high = low | ((1 << self.layout.value_bits) - 1);
        let first = postings.partition_point(|posting| posting.get() < low);
        let before = values.len();
        let found = postings[first..].iter().map(|posting| posting.get()).take_while(|&posting| posting <= high);
        values.extend(found.filter(|&posting| posting != FILLER).map(|posting| self.layout.value(posting)));
        let n_stored = values.len() - before;
        let capped = if n_stored >= POSTINGS_PER_KEY_MAX { self.counts(key)? } else { None };
        self.file.ensure_whole()?;
        Ok(Found { n_stored: saturate(n_stored), capped })
    }

    /// Calls `visit` with every two neighbouring values of one key, as far as keys are known, in the order of the table.
    ///
    /// Cost: one pass over the table.
    pub fn for_each_pair(&self, mut visit: impl FnMut(u64, u64) -> Result<()>) -> Result<()> {
        for pair in self.directory()?.windows(2) {
            let (start, end) = (pair[0].get() as usize, pair[1].get() as usize);
            let offset = self.postings_offset + start * size_of::<U64>();
            // The directory was in order when it was opened; zeros of a file that shrank since are not.
            let postings: &[U64] = self.file.records(offset, end.saturating_sub(start))?;
            for (a, b) in postings.iter().zip(&postings[1.min(postings.len())..]).map(|(a, b)| (a.get(), b.get())) {
                if a >> self.layout.value_bits == b >> self.layout.value_bits && b != FILLER {
                    visit(self.layout.value(a), self.layout.value(b))?;
                }
            }
        }
        self.file.ensure_whole()
    }

    /// Tells whether [`for_each_pair`](Self::for_each_pair) has anything to visit.
    pub fn has_pairs(&self) -> Result<bool> {
        let mut has_pairs = false;
        self.for_each_pair(|_, _| {
            has_pairs = true;
            Ok(())
        })?;
        Ok(has_pairs)
    }

    /// Asks for the page of a key to be read ahead; a hint.
    pub fn prefetch(&self, key: Key) -> Result<()> {
        self.file.prefetch(self.bucket_range(key)?);
        Ok(())
    }

    /// Checks every block, the order of every bucket, and that all values are below `values_end`.
    pub fn verify(&self, values_end: u64) -> Result<()> {
        self.file.verify()?;
        let mut n_postings = 0;
        for pair in self.directory()?.windows(2) {
            let (start, end) = (pair[0].get() as usize, pair[1].get() as usize);
            let offset = self.postings_offset + start * size_of::<U64>();
            let postings: &[U64] = self.file.records(offset, end.saturating_sub(start))?;
            if postings.windows(2).any(|pair| pair[0].get() >= pair[1].get() && pair[1].get() != FILLER) {
                return Err(self.file.corrupt("order of postings", offset, "ascending", "not ascending"));
            }
            let values = || postings.iter().filter(|posting| posting.get() != FILLER);
            if let Some(value) =
                values().map(|posting| self.layout.value(posting.get())).find(|&value| value >= values_end)
            {
                return Err(self.file.corrupt("value of a posting", offset, format!("below {values_end}"), value));
            }
            n_postings += values().count() as u64;
        }
        if n_postings != self.n_postings {
            return Err(self.file.corrupt("number of postings", 0, self.n_postings, n_postings));
        }
        self.file.ensure_whole()
    }

    fn bucket_range(&self, key: Key) -> Result<std::ops::Range<usize>> {
        let bucket = usize::try_from(self.layout.bucket(key.0)).unwrap_or(usize::MAX);
        let ends: &[U32] = self.file.records(self.directory_offset + bucket * size_of::<U32>(), 2)?;
        let byte = |slot: U32| self.postings_offset + slot.get() as usize * size_of::<U64>();
        Ok(byte(ends[0])..byte(ends[1]))
    }

    fn directory(&self) -> Result<&[U32]> {
        self.file.records(self.directory_offset, self.n_buckets + 1)
    }

    fn hot(&self) -> Result<&[Hot]> {
        self.file.records(self.hot_offset, self.n_hot)
    }

    fn counts(&self, key: Key) -> Result<Option<Counts>> {
        let known = self.layout.known(key.0);
        let hot = self.hot()?;
        let counts = |hot: &Hot| Counts {
            n_postings: hot.n_postings.get(),
            n_docs: hot.n_docs.get(),
            n_origins: hot.n_origins.get(),
        };
        Ok(hot.binary_search_by_key(&known, |hot| hot.key.get()).ok().map(|idx| counts(&hot[idx])))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::storage::MemoryStorage;
    use super::*;

    const VALUE_BITS: u32 = 40;

    fn build(postings: &[(u64, u64)], spill_records: usize) -> KeyTable {
        let storage = MemoryStorage::default();
        let spill = Spill::new(Path::new("tmp").into(), "test", spill_records);
        let mut builder = KeyTableBuilder::new(spill, VALUE_BITS);
        for &(key, value) in postings {
            builder.push(&storage, Key(key), value).unwrap();
        }
        // A document per ten positions, an origin per hundred.
        let mut document_of =
            |value: u64| Ok(Some((u32::try_from(value / 10).unwrap(), OriginKey(u32::try_from(value / 100).unwrap()))));
        let path = Path::new("table");
        let seal = builder.finish(&storage, path, Component::Anchors, &mut document_of).unwrap();
        assert!(storage.list(Path::new("tmp")).unwrap().is_empty(), "spill files are removed");
        let table = KeyTable::open(BlockFile::open(&storage, path, Component::Anchors, seal).unwrap()).unwrap();
        table.verify(1 << VALUE_BITS).unwrap();
        table
    }

    fn check_against_model(postings: &[(u64, u64)], spill_records: usize) {
        let mut model: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for &(key, value) in postings {
            model.entry(key).or_default().push(value);
        }
        let table = build(postings, spill_records);
        for (&key, expected) in &model {
            let mut found = Vec::new();
            let answer = table.lookup(Key(key), &mut found).unwrap();
            let mut expected = expected.clone();
            expected.sort_unstable();
            if expected.len() <= POSTINGS_PER_KEY_MAX {
                assert_eq!(found, expected);
                assert_eq!(answer, Found { n_stored: saturate(expected.len()), capped: None });
            } else {
                assert_eq!(found.len(), POSTINGS_PER_KEY_MAX);
                assert!(found.iter().all(|value| expected.contains(value)));
                let mut docs: Vec<u64> = expected.iter().map(|value| value / 10).collect();
                docs.dedup();
                let counts = answer.capped.unwrap();
                assert_eq!((counts.n_postings, counts.n_docs), (saturate(expected.len()), saturate(docs.len())));
                let mut kept_docs: Vec<u64> = found.iter().map(|value| value / 10).collect();
                kept_docs.dedup();
                assert_eq!(
                    kept_docs.len(),
                    docs.len().min(POSTINGS_PER_KEY_MAX),
                    "documents are preferred to repetitions"
                );
            }
        }
        let mut found = Vec::new();
        table.lookup(Key(0x1234_5678_9abc_def0), &mut found).unwrap();
        assert!(found.is_empty() || model.contains_key(&0x1234_5678_9abc_def0));
    }

    fn spread(key: u64) -> u64 {
        key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    #[test]
    fn many_keys_read_back() {
        let postings: Vec<(u64, u64)> = (0..50_000).map(|i| (spread(i % 20_000), i)).collect();
        check_against_model(&postings, usize::MAX);
        check_against_model(&postings, 1000);
    }

    #[test]
    fn an_over_cap_key_keeps_its_count_and_prefers_documents_to_repetitions() {
        let mut postings: Vec<(u64, u64)> = (0..5000).map(|i| (spread(7), i)).collect();
        postings.extend((0..100).map(|i| (spread(8), 10_000 + i)));
        check_against_model(&postings, 64);
    }

    #[test]
    fn more_origins_than_are_told_apart_count_as_so_many() {
        let n_origins = ORIGINS_COUNTED_MAX as u64 + 5000;
        // From 100 on: the first document has an origin, too.
        let postings: Vec<(u64, u64)> = (1..=n_origins).map(|i| (spread(7), i * 100)).collect();
        let table = build(&postings, usize::MAX);
        let mut found = Vec::new();
        let counts = table.lookup(Key(spread(7)), &mut found).unwrap().capped.unwrap();
        assert_eq!(found, (1..=64).map(|i| i * 100).collect::<Vec<u64>>());
        let n_docs = u32::try_from(n_origins).unwrap();
        assert_eq!(counts, Counts { n_postings: n_docs, n_docs, n_origins: 1 << 16 });
    }

    #[test]
    fn spilling_does_not_change_a_byte() {
        let postings: Vec<(u64, u64)> = (0..30_000).map(|i| (spread(i % 9000), i)).collect();
        let whole = build(&postings, usize::MAX);
        for spill_records in [1, 999, 30_000] {
            let mut shuffled = postings.clone();
            shuffled.reverse();
            let spilled = build(&shuffled, spill_records.max(100));
            let length = whole.file().payload_bytes();
            assert_eq!(whole.file().slice(0..length).unwrap(), spilled.file().slice(0..length).unwrap());
        }
    }

    #[test]
    fn a_bucket_lies_in_one_block() {
        let postings: Vec<(u64, u64)> = (0..100_000).map(|i| (spread(i), i)).collect();
        let table = build(&postings, usize::MAX);
        for pair in table.directory().unwrap().windows(2) {
            let (start, end) = (u64::from(pair[0].get()), u64::from(pair[1].get()));
            // Fillers at the end of a bucket may fill up the block.
            assert!(start == end || start / POSTINGS_PER_BLOCK == (end - 1) / POSTINGS_PER_BLOCK, "{start}..{end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_postings_read_back(keys in prop::collection::vec(prop_oneof![any::<u64>(), (0..3_u64).prop_map(|key| key << 61), Just(u64::MAX)], 0..400)) {
            let postings: Vec<(u64, u64)> = keys.into_iter().zip(0..).collect();
            check_against_model(&postings, 50);
        }
    }
}
