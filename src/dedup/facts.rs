//! What the receipts of the stages tell: counts for the stages that follow, and for the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most names of origins or licences that are counted one by one; rows of further ones count as [`OTHERS`].
pub(super) const NAMES_MAX: usize = 10_000;
/// Stands for all names beyond.
pub(super) const OTHERS: &str = "(others)";
/// Most examples of rows that hold no document, for each reason and unit.
pub(super) const EXAMPLES_MAX: usize = 5;

/// Rows and their text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// How many rows.
    pub rows: u64,
    /// Their text, in bytes.
    pub bytes: u64,
}

impl Amount {
    /// Adds what was counted elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// Rows by a name.
pub(super) type ByName = BTreeMap<String, Amount>;

/// Adds rows to a name, or to [`OTHERS`] where there are too many names.
pub(super) fn count_name(names: &mut ByName, name: &str, amount: Amount) {
    let name = if names.len() >= NAMES_MAX && !names.contains_key(name) { OTHERS } else { name };
    match names.get_mut(name) {
        Some(known) => known.merge(amount),
        None => drop(names.insert(name.to_owned(), amount)),
    }
}

/// Rows that hold no document, by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Skipped {
    /// How many.
    pub rows: u64,
    /// The first few: file, line and what is wrong.
    pub examples: Vec<String>,
}

/// What `sign` saw of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SignedFile {
    pub(super) n_rows: u64,
    /// Hash of its stored bytes.
    pub(super) checksum: u64,
}

/// What `sign` counted in a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SignFacts {
    pub(super) files: Vec<SignedFile>,
    pub(super) documents: Amount,
    pub(super) words: u64,
    /// Of each further column that was asked for: documents that have a value in it.
    pub(super) further: Vec<u64>,
    pub(super) skipped: BTreeMap<String, Skipped>,
    pub(super) by_origin: ByName,
    pub(super) by_license: ByName,
}

impl SignFacts {
    pub(super) fn n_rows(&self) -> u64 {
        self.files.iter().map(|file| file.n_rows).sum()
    }
}

/// What `band-merge` found in a range of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct MergeFacts {
    pub(super) n_buckets: u64,
    /// Contents in the largest bucket.
    pub(super) largest_bucket: u64,
    /// Rows that are equal to one before.
    pub(super) n_equal: u64,
}

/// What `cluster` found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ClusterFacts {
    pub(super) n_groups: u64,
    /// Rows of the largest group.
    pub(super) largest_group: u64,
    /// Where the units of `verify` end, in members.
    pub(super) ends: Vec<u64>,
}

/// What the first half of `verify` wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SetFacts {
    pub(super) n_sets: u64,
}

/// What `passages` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassageFacts {
    /// Rows of which something was cut, and what was cut.
    pub cut: Amount,
    /// Places that were cut.
    pub places: u64,
    /// Rows of which nothing is left.
    pub emptied: u64,
    /// Rows that were read for it.
    pub rows_read: u64,
    /// K-grams that were watched.
    pub watched_grams: u64,
    /// Times that what the cuts join was looked at.
    pub rounds: u32,
    /// Whether the last time found nothing new.
    pub is_complete: bool,
}

/// What was cut of functions and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionFacts {
    /// Rows of which something was cut, and what was cut.
    pub cut: Amount,
    /// Definitions that were cut.
    pub places: u64,
    /// Definitions that would be cut did their rows not belong to repositories.
    pub reported: u64,
    /// Rows that were read for it.
    pub rows_read: u64,
}

/// What was cut of rows that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct CutFacts {
    pub(super) functions: Option<FunctionFacts>,
    pub(super) passages: Option<PassageFacts>,
}

/// A cluster for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ClusterSize {
    pub(super) rows: u64,
    /// Number of the kept row.
    pub(super) kept: u32,
    /// Number of the row with the smallest similarity among the removed ones.
    pub(super) removed: u32,
}

/// What `verify` decided in a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct VerifyFacts {
    pub(super) n_removed: u64,
    /// Pairs whose sets were compared.
    pub(super) n_compared: u64,
    /// Pairs that sizes or sketches ruled out.
    pub(super) n_ruled_out: u64,
    /// How many clusters have so many rows.
    pub(super) sizes: BTreeMap<u64, u64>,
    /// The largest clusters.
    pub(super) largest: Vec<ClusterSize>,
}

/// What `apply` wrote of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ApplyFacts {
    /// Lengths of the files below `kept/`, in bytes.
    pub(super) kept_bytes: Vec<u64>,
    pub(super) removed: Amount,
    pub(super) by_kind: BTreeMap<String, u64>,
    /// Rows that would go but belong to a repository.
    pub(super) n_reported: u64,
    /// The beginnings of texts that the report shows, by row.
    pub(super) samples: BTreeMap<u32, String>,

    pub(super) by_origin: ByName,
    pub(super) by_license: ByName,
}
