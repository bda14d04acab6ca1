//! Which keys stand too often in rows that stay: sampled k-grams, of which a repeated run may be made, and hashes of definitions.
//!
//! `sign` writes the keys of every row; the sorted files of all units are merged here, side by side by ranges of keys. Later rounds of `passages` add
//! k-grams that cutting made, with the rows that have them.

use copytrace_indexer::Result;
use rayon::prelude::*;

use super::band_merge::{Merge, n_units};
use super::file::StageFile;
use super::sign::KeyEntry;
use super::staying::RowSet;

/// The samples, or the hashes of definitions, of all rows.
pub(super) struct Samples<'a> {
    /// Of each unit of `sign`: its file, by key, and its first row.
    pub(super) files: Vec<(StageFile, u32)>,
    /// Rows that stay, as far as other levels say.
    pub(super) stays: &'a RowSet,
    /// So many places stay.
    pub(super) keep: u32,
}

/// The keys that are watched, and the rows that have them.
pub(super) struct Watched {
    /// Ascending.
    pub(super) keys: Vec<u64>,
    pub(super) rows: RowSet,
}

impl Watched {
    /// Finds the keys that stand too often.
    pub(super) fn new(samples: &Samples<'_>, n_rows: u64) -> Result<Self> {
        let rows = RowSet::new(n_rows);
        let n_ranges = n_units(n_rows);
        let of_range = |range| -> Result<Vec<u64>> {
            let (mut keys, mut holders): (Vec<u64>, Vec<u32>) = (Vec::new(), Vec::new());
            let mut known = None;
            let mut close = |known: Option<u64>, holders: &mut Vec<u32>| {
                if holders.len() > samples.keep as usize {
                    keys.extend(known);
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
            Ok(keys)
        };
        let found: Vec<Vec<u64>> = (0..n_ranges).into_par_iter().map(of_range).collect::<Result<_>>()?;
        Ok(Self { keys: found.concat(), rows })
    }

    /// Adds those of some new k-grams, given with the rows that have them, that are now sampled too often; `false` where there is none.
    pub(super) fn grow(&mut self, samples: &Samples<'_>, mut new: Vec<(u64, u32)>) -> Result<bool> {
        new.sort_unstable();
        let n_before = self.keys.len();
        for holders in new.chunk_by(|a, b| a.0 == b.0) {
            let (gram, _) = holders[0];
            let mut others = Vec::new();
            for (file, first_row) in &samples.files {
                let n_entries = file.n_records::<KeyEntry>();
                let mut at = file.partition_point::<KeyEntry>(|entry| entry.key.get() < gram)?;
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
                self.keys.push(gram);
                self.rows.extend(&others);
            }
        }
        self.keys.sort_unstable();
        self.keys.dedup();
        Ok(self.keys.len() > n_before)
    }
}
