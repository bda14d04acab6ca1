//! Sets of shingles of the rows that have a candidate: the first half of `verify`.
//!
//! The input is read again, and of the rows that share a bucket with another content the sorted set of 64-bit shingle keys is written. Sets of
//! all rows would be as large as the text; those of the candidates are what the proof needs. A file whose bytes are not those that `sign`
//! read is an error.
//!
//! ```text
//! sets        keys, one set behind the other
//! set-index   (row, number of keys, where they begin), by row
//! ```
//!
//! Cost: decompressing the input once more; parsing and 10 ns a shingle for the rows that are wanted.

use copytrace_indexer::corpus::Document;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::{Error, Result};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::context::Context;
use super::facts::{ClusterFacts, SetFacts, SignFacts};
use super::file::{Kind, StageFile};
use super::input::{Blocks, Placed};
use super::parallel::for_each_in_order;
use super::record::RowNumber;
use super::work::{Receipt, Step, Work};
use crate::verify::overlap::sort_distinct;

/// Where the set of a row is, as stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct SetEntry {
    row: U32,
    n_keys: U32,
    /// Its first key, counted in keys.
    start: U64,
}

/// Which rows are wanted.
pub(super) struct Wanted(StageFile);

impl Wanted {
    pub(super) fn open(work: &Work, receipt: &Receipt<ClusterFacts>) -> Result<Self> {
        work.open_file(receipt, Step::Cluster, "wanted", Kind::Wanted).map(Self)
    }

    fn has(&self, row: u64) -> Result<bool> {
        let byte = usize::try_from(row / 8).unwrap_or(usize::MAX);
        Ok(self.0.slice(byte..byte.saturating_add(1))?[0] >> (row % 8) & 1 == 1)
    }
}

/// Does the unit of an input unit.
pub(super) fn extract(
    context: &Context<'_>,
    unit_idx: usize,
    first_row: u64,
    signed: &SignFacts,
    wanted: &Wanted,
) -> Result<()> {
    let mut unit = context.work.begin(Step::Sets, unit_idx);
    let (mut sets, mut index) = (unit.create("sets", Kind::Sets)?, unit.create("set-index", Kind::SetIndex)?);
    let (mut facts, mut n_keys) = (SetFacts::default(), 0);
    let shingler = context.shingler();
    let make = |_: u64, document: &Document, words: &mut Words| {
        let mut set = Vec::new();
        shingler.fingerprinter.words(&document.text, words);
        shingler.shingles(&document.text, words, &mut set);
        sort_distinct(&mut set);
        Ok(set.into_iter().map(U64::new).collect())
    };
    for_each_wanted(context, unit_idx, first_row, signed, &|row| wanted.has(row), make, |row, set: Vec<U64>| {
        let n = U32::new(u32::try_from(set.len()).unwrap_or(u32::MAX));
        let entry = SetEntry { row: U32::new(row), n_keys: n, start: U64::new(n_keys) };
        index.0.write(entry.as_bytes())?;
        sets.0.write(set.as_bytes())?;
        n_keys += set.len() as u64;
        facts.n_sets += 1;
        Ok(())
    })?;
    unit.add("sets", sets)?;
    unit.add("set-index", index)?;
    unit.commit(facts)
}

/// Reads the rows of an input unit that are wanted, makes something of each document by several threads, and gives it to `take` in the order of the rows.
///
/// # Errors
/// Where a file is not the one that was signed; what reading it, `make` and `take` say.
pub(super) fn for_each_wanted<T: Send>(
    context: &Context<'_>,
    unit_idx: usize,
    first_row: u64,
    signed: &SignFacts,
    is_wanted: &(dyn Fn(u64) -> Result<bool> + Sync),
    make: impl Fn(u64, &Document, &mut Words) -> Result<T> + Sync,
    mut take: impl FnMut(u32, T) -> Result<()>,
) -> Result<()> {
    let work = context.work;
    let mut next_row = first_row;
    for (input_idx, file_facts) in work.pass.units()[unit_idx].clone().zip(&signed.files) {
        let input = &work.pass.inputs[input_idx];
        let rows_end = next_row + file_facts.n_rows;
        let mut has_any = false;
        for row in next_row..rows_end {
            has_any = has_any || is_wanted(row)?;
        }
        if !has_any {
            next_row = rows_end;
            context.progress.advance(input.file_bytes);
            continue;
        }
        let (mut blocks, parser) = Blocks::open(input.file(), context, &[])?;
        let read = || {
            let Some(placed) = blocks.next()? else { return Ok(None) };
            let start = next_row;
            next_row += placed.n_rows;
            if next_row > rows_end {
                return Err(changed(&input.path, "its number of rows"));
            }
            Ok(Some((placed, start)))
        };
        let work_on = |(placed, start): (Placed, u64)| {
            let rows: Vec<bool> = (start..start + placed.n_rows).map(is_wanted).collect::<Result<_>>()?;
            let (mut found, mut words) = (Ok(Vec::new()), Words::default());
            let is_of_block =
                |idx: u64| usize::try_from(idx).ok().and_then(|idx| rows.get(idx)).copied().unwrap_or(false);
            if rows.contains(&true) {
                parser.for_each(placed.block, placed.first_line, is_of_block, |idx, _, row| {
                    if let (Ok(row), Ok(all)) = (row, &mut found) {
                        match make(start + idx, &row.document, &mut words) {
                            Ok(made) => all.push((start + idx, made)),
                            Err(error) => found = Err(error),
                        }
                    }
                });
            }
            found
        };
        let take_all = |found: Vec<(u64, T)>| {
            found.into_iter().try_for_each(|(row, made)| take(u32::try_from(row).unwrap_or(u32::MAX), made))
        };
        for_each_in_order(context.threads, read, work_on, take_all)?;
        if blocks.checksum()? != file_facts.checksum || next_row != rows_end {
            return Err(changed(&input.path, "its bytes"));
        }
    }
    Ok(())
}

/// Makes the error of an input file that is not what it was.
pub(super) fn changed(path: &std::path::Path, what: &str) -> Error {
    let problem =
        format!("the file changed since it was signed: {what} differ; deduplicate it anew, into a new folder");
    Error::Input { path: path.to_path_buf(), problem }
}

/// The sets of all units.
pub(super) struct Sets {
    /// First row, index, keys.
    units: Vec<(u64, StageFile, StageFile)>,
}

impl Sets {
    pub(super) fn open(work: &Work, signed: &[Receipt<SignFacts>]) -> Result<Self> {
        let (mut units, mut start) = (Vec::new(), 0);
        for (unit, receipt) in signed.iter().enumerate() {
            let done: Receipt<SetFacts> = work.expect_receipt(Step::Sets, unit)?;
            let index = work.open_file(&done, Step::Sets, "set-index", Kind::SetIndex)?;
            units.push((start, index, work.open_file(&done, Step::Sets, "sets", Kind::Sets)?));
            start += receipt.facts.n_rows();
        }
        Ok(Self { units })
    }

    /// Returns the set of a row that was wanted.
    pub(super) fn get(&self, row: RowNumber) -> Result<&[U64]> {
        let idx = self.units.partition_point(|(start, ..)| *start <= u64::from(row.0));
        let missing = || super::file::corrupt(std::path::Path::new("sets"), "row", row.0 as usize, "a set", "none");
        let (_, index, sets) = idx.checked_sub(1).and_then(|idx| self.units.get(idx)).ok_or_else(missing)?;
        let at = index.partition_point::<SetEntry>(|entry| entry.row.get() < row.0)?;
        if at == index.n_records::<SetEntry>() {
            return Err(missing());
        }
        match index.records::<SetEntry>(at..at + 1)? {
            [entry] if entry.row.get() == row.0 => {
                let start = usize::try_from(entry.start.get()).unwrap_or(usize::MAX);
                sets.records::<U64>(start..start.saturating_add(entry.n_keys.get() as usize))
            }
            _ => Err(missing()),
        }
    }

    /// Fails where a file was cut short meanwhile.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        self.units.iter().try_for_each(|(_, index, sets)| index.ensure_whole().and_then(|()| sets.ensure_whole()))
    }
}
