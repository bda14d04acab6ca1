//! `band-merge`: rows that share a key, found by merging the sorted files of all units of `sign`.
//!
//! A unit is a range of keys; how many there are follows from the number of rows. The range is read from every file of `sign` and merged by
//! a heap, so that nothing but the rows of one bucket is in memory.
//!
//! ```text
//! equals    (first row of a content, another row of it), by content
//! buckets   (bucket, row): the first row of each content of a bucket that has more than one
//! ```
//!
//! Cost: O(log units of `sign`) a key.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use copytrace_indexer::Result;
use rayon::prelude::*;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::context::Context;
use super::facts::{MergeFacts, SignFacts};
use super::file::{Kind, StageFile};
use super::record::{RowNumber, Rows};
use super::sign::KeyEntry;
use super::work::{Part, Receipt, Step};

/// Rows for which there is one unit: their 8 million band keys are merged in half a second.
const ROWS_PER_UNIT: u64 = 1 << 18;
/// Most units.
const UNITS_MAX: u64 = 1 << 12;
/// Entries looked at at once.
const PIECE_ENTRIES: usize = 4096;

/// Two numbers, as stored: a bucket and a row of it, or a row and one that is equal.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Pair {
    pub(super) first: U32,
    pub(super) second: U32,
}

/// Returns how many units there are.
pub(super) fn n_units(n_rows: u64) -> usize {
    let n = n_rows.div_ceil(ROWS_PER_UNIT).next_power_of_two().clamp(1, UNITS_MAX);
    usize::try_from(n).unwrap_or(1)
}

/// Does the units of a part.
pub(super) fn band_merge(context: &Context<'_>, part: Part) -> Result<()> {
    let work = context.work;
    let receipts: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    super::sign::ensure_columns(&work.pass.rules, &receipts)?;
    let n_units = n_units(receipts.iter().map(|receipt| receipt.facts.n_rows()).sum());
    let mut missing = Vec::new();
    for unit in (0..n_units).filter(|&unit| part.has(unit)) {
        if work.receipt::<MergeFacts>(Step::BandMerge, unit)?.is_none() {
            missing.push(unit);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let sources = Sources::open(context, &receipts)?;
    let unit_bytes = sources.n_bytes() / n_units as u64;
    context.progress.start(missing.len() as u64 * unit_bytes);
    missing.into_par_iter().try_for_each(|unit| {
        merge_range(context, &sources, unit, n_units)?;
        context.progress.advance(unit_bytes);
        Ok(())
    })
}

/// The sorted files of `sign`, each with the number of its first row.
struct Sources {
    contents: Vec<(StageFile, u32)>,
    bands: Vec<(StageFile, u32)>,
    rows: Rows,
}

impl Sources {
    fn open(context: &Context<'_>, receipts: &[Receipt<SignFacts>]) -> Result<Self> {
        // Refuses more rows than numbers go round.
        let rows = Rows::open(context.work, receipts)?;
        let (mut contents, mut bands) = (Vec::new(), Vec::new());
        let mut start = 0_u32;
        for receipt in receipts {
            let open = |name, kind| context.work.open_file(receipt, Step::Sign, name, kind);
            contents.push((open("contents", Kind::Contents)?, start));
            bands.push((open("bands", Kind::Bands)?, start));
            start += u32::try_from(receipt.facts.n_rows()).unwrap_or(u32::MAX);
        }
        Ok(Self { contents, bands, rows })
    }

    fn n_bytes(&self) -> u64 {
        self.contents.iter().chain(&self.bands).map(|(file, _)| file.payload_bytes() as u64).sum()
    }
}

fn merge_range(context: &Context<'_>, sources: &Sources, unit_idx: usize, n_units: usize) -> Result<()> {
    let mut unit = context.work.begin(Step::BandMerge, unit_idx);
    let mut facts = MergeFacts::default();
    let (mut equals, mut buckets) = (unit.create("equals", Kind::Equals)?, unit.create("buckets", Kind::Buckets)?);
    let pair = |first, second| Pair { first: U32::new(first), second: U32::new(second) };

    // Rows under one half of a content hash, and for each whole hash the first row that has it.
    let mut firsts: Vec<([u8; 16], u32)> = Vec::new();
    let mut key_before = None;
    for entry in Merge::new(&sources.contents, unit_idx, n_units)? {
        let (key, _, row) = entry?;
        if key_before.replace(key) != Some(key) {
            firsts.clear();
        }
        let content = sources.rows.record(RowNumber(row))?.content;
        match firsts.iter().find(|(known, _)| *known == content) {
            Some(&(_, first)) => {
                equals.0.write(pair(first, row).as_bytes())?;
                facts.n_equal += 1;
            }
            None => firsts.push((content, row)),
        }
    }

    let mut bucket: Vec<(u32, u32)> = Vec::new();
    let mut key_before = None;
    let mut n_buckets = 0_u32;
    let mut close = |bucket: &mut Vec<(u32, u32)>| -> Result<()> {
        if bucket.len() > 1 {
            for &(_, row) in &*bucket {
                buckets.0.write(pair(n_buckets, row).as_bytes())?;
            }
            n_buckets += 1;
            facts.largest_bucket = facts.largest_bucket.max(bucket.len() as u64);
        }
        bucket.clear();
        Ok(())
    };
    for entry in Merge::new(&sources.bands, unit_idx, n_units)? {
        let (key, tag, row) = entry?;
        if key_before.replace(key) != Some(key) {
            close(&mut bucket)?;
        }
        // By tag, then by row: the first row of a content stands for all.
        if bucket.last().is_none_or(|&(known, _)| known != tag) {
            bucket.push((tag, row));
        }
    }
    close(&mut bucket)?;
    facts.n_buckets = u64::from(n_buckets);
    for (file, _) in sources.contents.iter().chain(&sources.bands) {
        file.ensure_whole()?;
    }
    sources.rows.ensure_whole()?;
    unit.add("equals", equals)?;
    unit.add("buckets", buckets)?;
    unit.commit(facts)
}

/// Entries of a range of keys of several files, by (key, tag, row).
pub(super) struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    heap: BinaryHeap<Reverse<(u64, u32, u32, usize)>>,
}

/// What is left of the range in one file.
struct Cursor<'a> {
    file: &'a StageFile,
    first_row: u32,
    piece: &'a [KeyEntry],
    at: usize,
    end: usize,
}

impl<'a> Merge<'a> {
    pub(super) fn new(files: &'a [(StageFile, u32)], unit: usize, n_units: usize) -> Result<Self> {
        let mut cursors = Vec::new();
        for (file, first_row) in files {
            let (at, end) = (lower_bound(file, unit, n_units)?, lower_bound(file, unit + 1, n_units)?);
            cursors.push(Cursor { file, first_row: *first_row, piece: &[], at, end });
        }
        let mut heap = BinaryHeap::new();
        for (idx, cursor) in cursors.iter_mut().enumerate() {
            heap.extend(cursor.next()?.map(|(key, tag, row)| Reverse((key, tag, row, idx))));
        }
        Ok(Self { cursors, heap })
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<(u64, u32, u32)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut top = self.heap.peek_mut()?;
        let Reverse((key, tag, row, idx)) = *top;
        match self.cursors[idx].next() {
            Ok(Some((key, tag, row))) => *top = Reverse((key, tag, row, idx)),
            Ok(None) => drop(std::collections::binary_heap::PeekMut::pop(top)),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok((key, tag, row)))
    }
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<Option<(u64, u32, u32)>> {
        if self.piece.is_empty() {
            if self.at == self.end {
                return Ok(None);
            }
            let end = self.end.min(self.at + PIECE_ENTRIES);
            self.piece = self.file.records::<KeyEntry>(self.at..end)?;
            self.at = end;
        }
        let Some((entry, rest)) = self.piece.split_first() else { return Ok(None) };
        self.piece = rest;
        Ok(Some((entry.key.get(), entry.tag.get(), entry.row.get() + self.first_row)))
    }
}

/// Returns the first entry of a file that belongs to a unit or to one after it.
fn lower_bound(file: &StageFile, unit: usize, n_units: usize) -> Result<usize> {
    if unit >= n_units {
        return Ok(file.n_records::<KeyEntry>());
    }
    // The number of units is a power of two.
    let first_key = ((unit as u128) << 64) / n_units as u128;
    file.partition_point::<KeyEntry>(|entry| u128::from(entry.key.get()) < first_key)
}
