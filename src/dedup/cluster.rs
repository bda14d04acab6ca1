//! `cluster`: buckets and equal rows to groups, so that groups can be decided independently of each other.
//!
//! Union-find over all rows, 4 bytes each, done by one process; the root of a group is its first row. A group proves nothing: what of it is
//! removed is decided by `verify`. Members are sorted by group in bounded memory.
//!
//! ```text
//! members   (group, row, bucket) and (group, row, first row of its content), by group and row
//! wanted    one bit a row: it is the first of its content and shares a bucket with another content
//! ```

use copytrace_indexer::Result;
use copytrace_indexer::index::radix::Record as SortRecord;
use copytrace_indexer::index::spill::Spill;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::band_merge::{Pair, n_units};
use super::context::Context;
use super::facts::{ClusterFacts, MergeFacts, SignFacts};
use super::file::{Kind, StageFile};
use super::work::{Receipt, Step, Work};

/// Set in the value of a member that names the first row of its content instead of a bucket.
pub(super) const IS_CONTENT: u64 = 1 << 63;

/// Members from which on no further group joins a unit of `verify`.
const UNIT_MEMBERS: u64 = 1 << 20;
/// Share of the memory that the sort may take.
const SORT_SHARE: usize = 8;
/// Pairs looked at at once.
const PIECE_PAIRS: usize = 8192;

/// A row of a group, as stored; once for every bucket, and once for its content where that has more rows.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Member {
    pub(super) row: U32,
    /// First row of the group.
    pub(super) group: U32,
    /// Number of the bucket; or [`IS_CONTENT`] and the first row of the content.
    pub(super) value: U64,
}

/// Does the stage.
pub(super) fn cluster(context: &Context<'_>) -> Result<()> {
    let work = context.work;
    if work.receipt::<ClusterFacts>(Step::Cluster, 0)?.is_some() {
        return Ok(());
    }
    let signed: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    let n_rows: u64 = signed.iter().map(|receipt| receipt.facts.n_rows()).sum();
    let n_units = n_units(n_rows);
    let mut files = Vec::new();
    for unit in 0..n_units {
        let receipt: Receipt<MergeFacts> = work.expect_receipt(Step::BandMerge, unit)?;
        let open = |name, kind| work.open_file(&receipt, Step::BandMerge, name, kind);
        files.push((open("equals", Kind::Equals)?, open("buckets", Kind::Buckets)?, receipt.facts.n_buckets));
    }

    let bytes_of = |equals: &StageFile, buckets: &StageFile| (equals.payload_bytes() + buckets.payload_bytes()) as u64;
    context.progress.start(2 * files.iter().map(|(equals, buckets, _)| bytes_of(equals, buckets)).sum::<u64>());
    let mut groups = Groups::new(usize::try_from(n_rows).unwrap_or(usize::MAX));
    for (equals, buckets, _) in &files {
        for_each_pair(equals, n_rows, |first, row| {
            ensure_row(equals, first, n_rows)?;
            groups.join(first, row);
            Ok(())
        })?;
        let mut first_of = None;
        for_each_pair(buckets, n_rows, |bucket, row| {
            match first_of {
                Some((known, first)) if known == bucket => groups.join(first, row),
                _ => first_of = Some((bucket, row)),
            }
            Ok(())
        })?;
        context.progress.advance(bytes_of(equals, buckets));
    }

    let storage = &*work.storage;
    let spill_dir = Work::temporary("cluster-sort");
    storage.create_dir(&spill_dir)?;
    let mut spill =
        Spill::new(spill_dir.clone(), "members", context.memory_bytes / SORT_SHARE / size_of::<SortRecord>());
    let mut wanted = vec![0_u64; usize::try_from(n_rows.div_ceil(64)).unwrap_or(usize::MAX)];
    let mut buckets_before = 0;
    for (equals, buckets, n_buckets) in &files {
        for_each_pair(equals, n_rows, |first, row| {
            ensure_row(equals, first, n_rows)?;
            let value = IS_CONTENT | u64::from(first);
            spill.push(storage, SortRecord { key: groups.key(row), value })?;
            // Once more for every further row; the reader takes the first.
            spill.push(storage, SortRecord { key: groups.key(first), value })
        })?;
        for_each_pair(buckets, n_rows, |bucket, row| {
            wanted[row as usize / 64] |= 1 << (row % 64);
            spill.push(storage, SortRecord { key: groups.key(row), value: buckets_before + u64::from(bucket) })
        })?;
        buckets_before += n_buckets;
        context.progress.advance(bytes_of(equals, buckets));
    }

    let mut unit = work.begin(Step::Cluster, 0);
    let mut file = unit.create("members", Kind::Members)?;
    let mut facts = ClusterFacts::default();
    let (mut n_members, mut unit_start, mut before) = (0, 0, None);
    let mut rows_of_group = 0;
    let mut sorted = spill.merge(storage, u64::MAX)?;
    for record in sorted.by_ref() {
        if before == Some(record) {
            continue;
        }
        let is_of_group = |known: &SortRecord| known.key >> 32 == record.key >> 32;
        if !before.as_ref().is_some_and(is_of_group) {
            facts.n_groups += 1;
            rows_of_group = 0;
            if n_members - unit_start >= UNIT_MEMBERS {
                facts.ends.push(n_members);
                unit_start = n_members;
            }
        }
        rows_of_group += u64::from(before.is_none_or(|known| known.key != record.key));
        facts.largest_group = facts.largest_group.max(rows_of_group);
        before = Some(record);
        #[expect(clippy::cast_possible_truncation, reason = "group and row are the halves of the key")]
        let (group, row) = (U32::new((record.key >> 32) as u32), U32::new(record.key as u32));
        file.0.write(Member { row, group, value: U64::new(record.value) }.as_bytes())?;
        n_members += 1;
    }
    sorted.remove(storage)?;
    storage.remove_dir_all(&spill_dir)?;
    if n_members > unit_start {
        facts.ends.push(n_members);
    }
    for (equals, buckets, _) in &files {
        equals.ensure_whole()?;
        buckets.ensure_whole()?;
    }
    unit.add("members", file)?;
    let mut file = unit.create("wanted", Kind::Wanted)?;
    for word in wanted {
        file.0.write(&word.to_le_bytes())?;
    }
    unit.add("wanted", file)?;
    unit.commit(facts)
}

/// Calls `each` with all pairs. The second of a pair is a row; so is the first of equal rows.
fn for_each_pair(file: &StageFile, n_rows: u64, mut each: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
    let n = file.n_records::<Pair>();
    for start in (0..n).step_by(PIECE_PAIRS) {
        for pair in file.records::<Pair>(start..n.min(start + PIECE_PAIRS))? {
            let (first, second) = (pair.first.get(), pair.second.get());
            if u64::from(second) >= n_rows {
                return Err(file.corrupt("row number", start * size_of::<Pair>(), format!("below {n_rows}"), second));
            }
            each(first, second)?;
        }
    }
    Ok(())
}

fn ensure_row(file: &StageFile, row: u32, n_rows: u64) -> Result<()> {
    if u64::from(row) < n_rows { Ok(()) } else { Err(file.corrupt("row number", 0, format!("below {n_rows}"), row)) }
}

/// Union-find: the root of a group is its first row (Tarjan, "Efficiency of a good but not linear set union algorithm", 1975, with path halving).
struct Groups {
    parents: Vec<u32>,
}

impl Groups {
    fn new(n_rows: usize) -> Self {
        Self { parents: (0..u32::try_from(n_rows).unwrap_or(u32::MAX)).collect() }
    }

    fn root(&mut self, mut row: u32) -> u32 {
        while self.parents[row as usize] != row {
            let above = self.parents[self.parents[row as usize] as usize];
            self.parents[row as usize] = above;
            row = above;
        }
        row
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// Returns a row's group and number in one key.
    fn key(&mut self, row: u32) -> u64 {
        u64::from(self.root(row)) << 32 | u64::from(row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn groups_are_connected_components(pairs in prop::collection::vec((0..30_u32, 0..30_u32), 0..40)) {
            let mut groups = Groups::new(30);
            let mut naive: Vec<u32> = (0..30).collect();
            for (a, b) in pairs {
                groups.join(a, b);
                let (x, y) = (naive[a as usize], naive[b as usize]);
                naive.iter_mut().filter(|label| **label == x.max(y)).for_each(|label| *label = x.min(y));
            }
            for row in 0..30 {
                prop_assert_eq!(groups.root(row), naive[row as usize]);
            }
        }
    }
}
