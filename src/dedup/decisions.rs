//! Decisions by row: those of all units of `verify`, and those against an index, as one stream.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use copytrace_indexer::Result;
use zerocopy::little_endian::U32;

use super::against::AgainstEntry;
use super::facts::{ClusterFacts, SignFacts, VerifyFacts};
use super::file::{Kind, StageFile};
use super::verify::{Decision, Reason};
use super::work::{Receipt, Step, Work};

/// Tells whether a row goes by a decision.
pub(super) fn is_removal(decision: &Decision) -> bool {
    decision.reason.get() != Reason::Kept as u32
}

/// The decisions of all units of `verify`.
pub(super) struct Decisions(Vec<StageFile>);

impl Decisions {
    pub(super) fn open(work: &Work) -> Result<Self> {
        let clustered: Receipt<ClusterFacts> = work.expect_receipt(Step::Cluster, 0)?;
        let open = |unit| {
            let receipt: Receipt<VerifyFacts> = work.expect_receipt(Step::Verify, unit)?;
            work.open_file(&receipt, Step::Verify, "decisions", Kind::Decisions)
        };
        (0..clustered.facts.ends.len()).map(open).collect::<Result<_>>().map(Self)
    }

    /// Starts to go through the decisions about a row and those behind it, those against an index among them.
    pub(super) fn from<'a>(&'a self, row: u64, against: &'a Against) -> Result<DecisionCursor<'a>> {
        let mut cursor = DecisionCursor { decisions: self, against, heap: BinaryHeap::new() };
        for source in 0..=self.0.len() {
            let (mut low, mut high) = (0, cursor.len_of(source));
            while low < high {
                let middle = usize::midpoint(low, high);
                let found = u64::from(cursor.row_at(source, middle)?.unwrap_or(u32::MAX));
                if found < row { low = middle + 1 } else { high = middle }
            }
            let first = cursor.row_at(source, low)?;
            cursor.heap.extend(first.map(|row| Reverse((row, source, low))));
        }
        Ok(cursor)
    }

    /// Fails where a file was cut short meanwhile.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        self.0.iter().try_for_each(StageFile::ensure_whole)
    }
}

/// Rows of a unit that go for documents of an index.
pub(super) struct Against {
    file: StageFile,
    pub(super) unit: usize,
    first_row: u64,
}

impl Against {
    /// Opens the list of a unit whose first row has this number.
    pub(super) fn open(work: &Work, unit: usize, first_row: u64) -> Result<Self> {
        let receipt: Receipt<SignFacts> = work.expect_receipt(Step::Sign, unit)?;
        let file = work.open_file(&receipt, Step::Sign, "against", Kind::Against)?;
        Ok(Self { file, unit, first_row })
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.file.n_records::<AgainstEntry>()
    }

    /// Returns an entry by its number.
    pub(super) fn entry(&self, at: usize) -> Result<&AgainstEntry> {
        let entries = self.file.records::<AgainstEntry>(at..at.saturating_add(1))?;
        entries.first().ok_or_else(|| self.file.corrupt("entry", at, "one", "none"))
    }

    fn decision(&self, at: usize) -> Result<Decision> {
        let entry = self.entry(at)?;
        let row = u32::try_from(self.first_row + u64::from(entry.row.get())).unwrap_or(u32::MAX);
        Ok(Decision {
            row: U32::new(row),
            kept: U32::new(u32::try_from(at).unwrap_or(u32::MAX)),
            reason: U32::new(Reason::Against as u32),
            cluster_rows: U32::new(1),
            jaccard: entry.jaccard,
            containment: entry.containment,
            cluster: [0; 8],
        })
    }
}

/// Decisions by row, each source's next one in a heap. The last source is the list against an index.
pub(super) struct DecisionCursor<'a> {
    decisions: &'a Decisions,
    against: &'a Against,
    heap: BinaryHeap<Reverse<(u32, usize, usize)>>,
}

impl DecisionCursor<'_> {
    /// Returns the decisions about rows before `end` that were not returned yet.
    pub(super) fn until(&mut self, end: u64) -> Result<Vec<Decision>> {
        let mut found = Vec::new();
        while let Some(&Reverse((row, source, at))) = self.heap.peek()
            && u64::from(row) < end
        {
            self.heap.pop();
            found.push(self.decision(source, at)?);
            let next = self.row_at(source, at + 1)?;
            self.heap.extend(next.map(|row| Reverse((row, source, at + 1))));
        }
        Ok(found)
    }

    fn len_of(&self, source: usize) -> usize {
        self.decisions.0.get(source).map_or(self.against.len(), StageFile::n_records::<Decision>)
    }

    fn decision(&self, source: usize, at: usize) -> Result<Decision> {
        let Some(file) = self.decisions.0.get(source) else { return self.against.decision(at) };
        let decisions = file.records::<Decision>(at..at + 1)?;
        decisions.first().copied().ok_or_else(|| file.corrupt("decision", at, "one", "none"))
    }

    fn row_at(&self, source: usize, at: usize) -> Result<Option<u32>> {
        if at >= self.len_of(source) {
            return Ok(None);
        }
        self.decision(source, at).map(|decision| Some(decision.row.get()))
    }
}
