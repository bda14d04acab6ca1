//! Which k-grams may stand in a run that occurs too often: those that are sampled more than N times in rows that stay.
//!
//! `sign` samples every row; the sorted samples of all units are merged here, side by side by ranges of keys. Later rounds add k-grams that cutting
//! made, with the rows that have them.

use std::sync::atomic::{AtomicU64, Ordering};

use copytrace_indexer::Result;
use rayon::prelude::*;

use super::super::band_merge::{Merge, n_units};
use super::super::file::StageFile;
use super::super::sign::KeyEntry;

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

/// The samples of all rows.
pub(super) struct Samples {
    /// Of each unit of `sign`: its file, by key, and its first row.
    pub(super) files: Vec<(StageFile, u32)>,
    /// Rows that stay, as far as other levels say.
    pub(super) stays: RowSet,
    /// So many places stay.
    pub(super) keep: u32,
}

/// The k-grams that are watched, and the rows that have them.
pub(super) struct Watched {
    /// Ascending.
    pub(super) grams: Vec<u64>,
    pub(super) rows: RowSet,
}

impl Watched {
    /// Finds the k-grams that are sampled too often.
    pub(super) fn new(samples: &Samples, n_rows: u64) -> Result<Self> {
        let rows = RowSet::new(n_rows);
        let n_ranges = n_units(n_rows);
        let of_range = |range| -> Result<Vec<u64>> {
            let (mut grams, mut holders): (Vec<u64>, Vec<u32>) = (Vec::new(), Vec::new());
            let mut known = None;
            let mut close = |known: Option<u64>, holders: &mut Vec<u32>| {
                if holders.len() > samples.keep as usize {
                    grams.extend(known);
                    rows.extend(holders);
                }
                holders.clear();
            };
            for entry in Merge::new(&samples.files, range, n_ranges)? {
                let (key, _, row) = entry?;
                if known != Some(key) {
                    close(known.replace(key), &mut holders);
                }
                if samples.stays.has(row.into()) {
                    holders.push(row);
                }
            }
            close(known, &mut holders);
            Ok(grams)
        };
        let found: Vec<Vec<u64>> = (0..n_ranges).into_par_iter().map(of_range).collect::<Result<_>>()?;
        Ok(Self { grams: found.concat(), rows })
    }

    /// Adds those of some new k-grams, given with the rows that have them, that are now sampled too often; `false` where there is none.
    pub(super) fn grow(&mut self, samples: &Samples, mut new: Vec<(u64, u32)>) -> Result<bool> {
        new.sort_unstable();
        let n_before = self.grams.len();
        for holders in new.chunk_by(|a, b| a.0 == b.0) {
            let (gram, _) = holders[0];
            let mut others = Vec::new();
            for (file, first_row) in &samples.files {
                let n_entries = file.n_records::<KeyEntry>();
                let mut at = lower_bound(file, gram)?;
                while at < n_entries {
                    let [entry] = file.records::<KeyEntry>(at..at + 1)? else { break };
                    if entry.key.get() != gram {
                        break;
                    }
                    let row = entry.row.get() + first_row;
                    others.extend(samples.stays.has(row.into()).then_some(row));
                    at += 1;
                }
            }
            if holders.len() + others.len() > samples.keep as usize {
                self.grams.push(gram);
                self.rows.extend(&others);
            }
        }
        self.grams.sort_unstable();
        self.grams.dedup();
        Ok(self.grams.len() > n_before)
    }
}

/// Returns the first entry of a file whose key is not smaller.
fn lower_bound(file: &StageFile, key: u64) -> Result<usize> {
    let (mut low, mut high) = (0, file.n_records::<KeyEntry>());
    while low < high {
        let middle = usize::midpoint(low, high);
        let found = file.records::<KeyEntry>(middle..middle + 1)?.first().map_or(0, |entry| entry.key.get());
        if found < key { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}
