//! Functions, classes and the like that a consistent renaming makes equal, within rows that stay: the first half of `passages`, with level `code`.
//!
//! ```text
//! sign -> definitions (hash, row) -> hashes that stand too often -> places in the rows that have them -> cuts
//! ```
//!
//! A hash nominates; two definitions are equal where the 128-bit hashes of their canonical tokens are (`copytrace_indexer::syntax`, strict
//! form): all else but the names they bind themselves, comments and layout. So a function that calls another function of a library is another one.
//!
//! One process decides, place after place; it has 44 bytes of each. Reading the rows again and parsing them takes the time.

mod decider;
pub(super) mod definitions;
mod lines;
mod places;

use copytrace_indexer::Result;

use self::decider::{Decider, RowCuts};
use self::places::Places;
use super::context::Context;
use super::cuts::{Cut, amount_of};
use super::facts::{FunctionFacts, SignFacts};
use super::file::Kind;
use super::record::{IS_OF_REPOSITORY, RowNumber, Rows};
use super::staying::{RowSet, ranked};
use super::watched::{Samples, Watched};
use super::work::{Receipt, Step};

/// Share of the memory that kept definitions may take.
const KEPT_SHARE: usize = 4;

/// What is cut of all rows.
#[derive(Debug, Default)]
pub(super) struct FunctionCuts {
    /// By row and place.
    pub(super) cuts: Vec<Cut>,
    /// What would be cut of rows of repositories, by row and place.
    pub(super) reported: Vec<Cut>,
    pub(super) rows_read: u64,
}

impl FunctionCuts {
    /// Returns what is cut of a row.
    pub(super) fn of(&self, row: u32) -> &[Cut] {
        let start = self.cuts.partition_point(|cut| cut.row.get() < row);
        let n_cuts = self.cuts[start..].partition_point(|cut| cut.row.get() == row);
        &self.cuts[start..start + n_cuts]
    }

    /// Counts what is cut.
    pub(super) fn facts(&self) -> FunctionFacts {
        let cut = amount_of(&self.cuts);
        let (places, reported) = (self.cuts.len() as u64, self.reported.len() as u64);
        FunctionFacts { cut, places, reported, rows_read: self.rows_read }
    }
}

/// Finds what is to be cut.
///
/// # Errors
/// What reading says; where the kept definitions need more memory.
pub(super) fn find_cuts(
    context: &Context<'_>,
    signed: &[Receipt<SignFacts>],
    rows: &Rows,
    stays: &RowSet,
) -> Result<FunctionCuts> {
    let work = context.work;
    let mut files = Vec::new();
    let mut first_row = 0_u32;
    for receipt in signed {
        files.push((work.open_file(receipt, Step::Sign, "definitions", Kind::Definitions)?, first_row));
        first_row += u32::try_from(receipt.facts.n_rows()).unwrap_or(u32::MAX);
    }
    let samples = Samples { files, stays, keep: work.pass.rules.keep };
    let watched = Watched::new(&samples, first_row.into())?;
    samples.files.iter().try_for_each(|(file, _)| file.ensure_whole())?;
    context.progress.start(work.pass.inputs.iter().map(|input| input.file_bytes).sum());
    let is_wanted = |row: u64, hash: u64| {
        let row = RowNumber(u32::try_from(row).unwrap_or(u32::MAX));
        Ok(watched.keys.binary_search(&(hash ^ rows.record(row)?.keep_group.get())).is_ok())
    };
    let places = Places::read(context, signed, &|row| watched.rows.has(row), &is_wanted)?;
    let is_fixed = |row| Ok(rows.record(RowNumber(row))?.flags.get() & IS_OF_REPOSITORY != 0);
    let order = ranked(rows, places.rows().map(|row| Ok((!is_fixed(row)?, row))))?;
    let mut decider = Decider::new(work.pass.rules.keep, context.memory_bytes / KEPT_SHARE);
    let mut found = FunctionCuts { rows_read: order.len() as u64, ..FunctionCuts::default() };
    for row in order {
        let group = rows.record(RowNumber(row))?.keep_group.get();
        let RowCuts { cuts, reported } = decider.decide(row, group, is_fixed(row)?, places.of(row)?)?;
        found.cuts.extend(cuts);
        found.reported.extend(reported);
    }
    places.ensure_whole()?;
    for cuts in [&mut found.cuts, &mut found.reported] {
        cuts.sort_unstable_by_key(|cut| (cut.row.get(), cut.start.get()));
    }
    Ok(found)
}
