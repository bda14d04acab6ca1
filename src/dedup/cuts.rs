//! What is cut, by row: for `apply`, which writes the rows without it, and the list of what would be cut of repositories.

use std::ops::Range;

use copytrace_indexer::Result;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::facts::{Amount, CutFacts};
use super::file::{Kind, StageFile};
use super::work::{Receipt, Step, Work};

/// A stretch of a row's text, as stored; of one row they do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Cut {
    pub(super) row: U32,
    /// First byte of the text that goes.
    pub(super) start: U32,
    /// One past the last.
    pub(super) end: U32,
    /// The row that has the same words, or an equal definition, and keeps it.
    pub(super) kept_row: U32,
    /// Where that begins in its text, in bytes.
    pub(super) kept_start: U32,
}

/// The cuts of a pass, by row and place.
pub(super) struct Cuts(Option<Files>);

struct Files {
    cuts: StageFile,
    reported: StageFile,
}

impl Cuts {
    /// Opens those of a pass; there are none where nothing is looked for within rows.
    ///
    /// # Errors
    /// Where the stage is not done.
    pub(super) fn open(work: &Work) -> Result<Self> {
        if !work.pass.rules.has_cuts() {
            return Ok(Self(None));
        }
        let receipt: Receipt<CutFacts> = work.expect_receipt(Step::Passages, 0)?;
        let open = |name| work.open_file(&receipt, Step::Passages, name, Kind::Cuts);
        Ok(Self(Some(Files { cuts: open("cuts")?, reported: open("reported")? })))
    }

    /// Returns those of some rows.
    pub(super) fn of(&self, rows: Range<u64>) -> Result<&[Cut]> {
        self.0.as_ref().map_or(Ok(&[]), |files| of(&files.cuts, rows))
    }

    /// Returns what would be cut of some rows, did they not belong to a repository.
    pub(super) fn reported_of(&self, rows: Range<u64>) -> Result<&[Cut]> {
        self.0.as_ref().map_or(Ok(&[]), |files| of(&files.reported, rows))
    }

    /// Fails where a file was cut short meanwhile.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        let Some(files) = &self.0 else { return Ok(()) };
        files.cuts.ensure_whole()?;
        files.reported.ensure_whole()
    }
}

fn of(file: &StageFile, rows: Range<u64>) -> Result<&[Cut]> {
    let first_of = |row: u64| file.partition_point::<Cut>(|cut| u64::from(cut.row.get()) < row);
    file.records(first_of(rows.start)?..first_of(rows.end)?)
}

/// Counts rows of which something is cut, and how much, of cuts by row.
pub(super) fn amount_of(cuts: &[Cut]) -> Amount {
    let mut amount = Amount::default();
    for of_row in cuts.chunk_by(|a, b| a.row == b.row) {
        let n_bytes = of_row.iter().map(|cut| u64::from(cut.end.get() - cut.start.get())).sum();
        amount.merge(Amount { rows: 1, bytes: n_bytes });
    }
    amount
}

/// Returns the stretches that go, those that touch as one.
pub(super) fn ranges_of(cuts: &[Cut]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for cut in cuts {
        let range = cut.start.get() as usize..cut.end.get() as usize;
        match ranges.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
    ranges
}
