//! Rows that stay, as far as the stages before say, and the order in which they keep what they have.

use std::sync::atomic::{AtomicU64, Ordering};

use copytrace_indexer::Result;

use super::context::Context;
use super::decisions::{Against, Decisions, is_removal};
use super::facts::SignFacts;
use super::record::{HAS_TEXT, IS_OF_REPOSITORY, RowNumber, Rows};
use super::work::Receipt;

/// Rows looked at at once.
const PIECE_ROWS: usize = 1 << 16;

/// One bit a row; set by any thread.
pub(super) struct RowSet(Vec<AtomicU64>);

impl RowSet {
    /// Makes the empty set.
    pub(super) fn new(n_rows: u64) -> Self {
        Self((0..n_rows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn has(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (row % 64) & 1 == 1)
    }

    pub(super) fn set(&self, row: u32) {
        if let Some(word) = self.0.get(row as usize / 64) {
            word.fetch_or(1 << (row % 64), Ordering::Relaxed);
        }
    }

    pub(super) fn extend(&self, rows: &[u32]) {
        for &row in rows {
            self.set(row);
        }
    }

    pub(super) fn clear(&self, row: u32) {
        if let Some(word) = self.0.get(row as usize / 64) {
            word.fetch_and(!(1 << (row % 64)), Ordering::Relaxed);
        }
    }
}

/// Returns the rows that hold a text and do not go.
pub(super) fn staying_rows(
    context: &Context<'_>,
    signed: &[Receipt<SignFacts>],
    rows: &Rows,
    n_rows: u64,
) -> Result<RowSet> {
    let work = context.work;
    let stays = RowSet::new(n_rows);
    for row in 0..u32::try_from(n_rows).unwrap_or(u32::MAX) {
        if rows.record(RowNumber(row))?.flags.get() & HAS_TEXT != 0 {
            stays.set(row);
        }
    }
    let decisions = Decisions::open(work)?;
    let mut start = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        let against = Against::open(work, unit, start)?;
        let end = start + receipt.facts.n_rows();
        let mut cursor = decisions.from(start, &against)?;
        for piece_end in (start..end).step_by(PIECE_ROWS).skip(1).chain(std::iter::once(end)) {
            for decision in cursor.until(piece_end)?.iter().filter(|decision| is_removal(decision)) {
                let row = decision.row.get();
                if rows.record(RowNumber(row))?.flags.get() & IS_OF_REPOSITORY == 0 {
                    stays.clear(row);
                }
            }
        }
        start = end;
    }
    decisions.ensure_whole()?;
    Ok(stays)
}

/// Sorts rows from the best to the worst, those that may be cut behind those that stay as they are.
pub(super) fn ranked(rows: &Rows, found: impl Iterator<Item = Result<(bool, u32)>>) -> Result<Vec<u32>> {
    let mut order = Vec::new();
    for found in found {
        let (is_free, row) = found?;
        order.push((is_free, rows.first_key(RowNumber(row))?, row));
    }
    let mut trouble = None;
    order.sort_unstable_by(|a, b| {
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| {
            rows.order(RowNumber(a.2), RowNumber(b.2)).unwrap_or_else(|error| {
                trouble = Some(error);
                a.2.cmp(&b.2)
            })
        })
    });
    match trouble {
        Some(error) => Err(error),
        None => Ok(order.into_iter().map(|(_, _, row)| row).collect()),
    }
}
