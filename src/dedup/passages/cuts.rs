//! What is cut, by row: for `apply`, which writes the rows without it.

use std::ops::Range;

use copytrace_indexer::Result;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::super::facts::PassageFacts;
use super::super::file::{Kind, StageFile};
use super::super::recipe::Level;
use super::super::work::{Receipt, Step, Work};

/// A stretch of a row's text, as stored; of one row they do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(in crate::dedup) struct Cut {
    pub(in crate::dedup) row: U32,
    /// First byte of the text that goes.
    pub(in crate::dedup) start: U32,
    /// One past the last.
    pub(in crate::dedup) end: U32,
    /// The row that has the same words and keeps them.
    pub(in crate::dedup) kept_row: U32,
    /// Where they begin in its text, in bytes.
    pub(in crate::dedup) kept_start: U32,
}

/// The cuts of a pass, by row and place.
pub(in crate::dedup) struct Cuts(Option<StageFile>);

impl Cuts {
    /// Opens those of a pass; there are none where passages are not looked for.
    ///
    /// # Errors
    /// Where the stage is not done.
    pub(in crate::dedup) fn open(work: &Work) -> Result<Self> {
        if !work.pass.rules.has(Level::Passage) {
            return Ok(Self(None));
        }
        let receipt: Receipt<PassageFacts> = work.expect_receipt(Step::Passages, 0)?;
        work.open_file(&receipt, Step::Passages, "cuts", Kind::Cuts).map(|file| Self(Some(file)))
    }

    /// Returns those of some rows.
    pub(in crate::dedup) fn of(&self, rows: Range<u64>) -> Result<&[Cut]> {
        let Some(file) = &self.0 else { return Ok(&[]) };
        let (start, end) = (lower_bound(file, rows.start)?, lower_bound(file, rows.end)?);
        file.records(start..end)
    }

    /// Fails where the file was cut short meanwhile.
    pub(in crate::dedup) fn ensure_whole(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), StageFile::ensure_whole)
    }
}

/// Returns the first cut of a row or of one behind it.
fn lower_bound(file: &StageFile, row: u64) -> Result<usize> {
    let (mut low, mut high) = (0, file.n_records::<Cut>());
    while low < high {
        let middle = usize::midpoint(low, high);
        let found = file.records::<Cut>(middle..middle + 1)?.first().map_or(0, |cut| u64::from(cut.row.get()));
        if found < row { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Returns the stretches that go, those that touch as one.
pub(in crate::dedup) fn ranges_of(cuts: &[Cut]) -> Vec<Range<usize>> {
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
