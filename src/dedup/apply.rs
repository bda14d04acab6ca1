//! `apply`: the input once more, without the rows that go.
//!
//! Lines that stay are copied byte for byte, rows that hold no document with them. A file below `kept/` is written under a temporary name beside that folder
//! and renamed when it is whole. A unit is done when its receipt is there and its files have the lengths it says.
//!
//! ```text
//! removed   lines of removed.jsonl, in the order of the input
//! ```
//!
//! Cost: decompressing and compressing once; of the rows only the removed ones are parsed, for their source and licence.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use copytrace_indexer::Result;
use copytrace_indexer::corpus::lines::{LineBlock, LineParser};
use copytrace_indexer::corpus::rewrite::LineWriter;
use copytrace_indexer::index::storage::Storage;
use serde::Serialize;

use super::context::Context;
use super::facts::{Amount, ApplyFacts, ClusterFacts, SignFacts, VerifyFacts, count_name};
use super::file::{Kind, StageFile, io_error};
use super::input::{Blocks, n_rows};
use super::parallel::for_each_in_order;
use super::record::{RowNumber, Rows};
use super::sets::changed;
use super::verify::{Decision, Reason};
use super::work::{Part, Receipt, Step, Work};

/// Folder of the files that stay, below that of the output.
pub(super) const KEPT: &str = "kept";

/// A line of `removed.jsonl`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovedLine<'a> {
    id: &'a str,
    kept_id: &'a str,
    kind: &'static str,
    jaccard: f64,
    containment: f64,
    cluster: String,
}

/// Does the units of a part, into `out`.
pub(super) fn apply(context: &Context<'_>, part: Part, out: &dyn Storage) -> Result<()> {
    let work = context.work;
    let signed: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    let mut missing = Vec::new();
    for unit in (0..signed.len()).filter(|&unit| part.has(unit)) {
        if !is_done(work, unit, out)? {
            missing.push(unit);
        }
    }
    let input_bytes = |&unit: &usize| {
        work.pass.inputs[work.pass.units()[unit].clone()].iter().map(|input| input.file_bytes).sum::<u64>()
    };
    context.progress.start(missing.iter().map(input_bytes).sum());
    if missing.is_empty() {
        return Ok(());
    }
    let decisions = Decisions::open(work)?;
    let rows = Rows::open(work, &signed)?;
    let applier = Applier { context, out, decisions, rows };
    let mut first_row = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        if missing.contains(&unit) {
            applier.apply_unit(unit, first_row, &receipt.facts)?;
        }
        first_row += receipt.facts.n_rows();
    }
    Ok(())
}

/// Tells whether a unit's files are there.
fn is_done(work: &Work, unit: usize, out: &dyn Storage) -> Result<bool> {
    let Some(receipt) = work.receipt::<ApplyFacts>(Step::Apply, unit)? else { return Ok(false) };
    for (idx, &bytes) in work.pass.units()[unit].clone().zip(&receipt.facts.kept_bytes) {
        let path = kept_path(work, idx);
        if !out.exists(&path)? || out.open(&path)?.len() as u64 != bytes {
            return Ok(false);
        }
    }
    Ok(true)
}

fn kept_path(work: &Work, input_idx: usize) -> PathBuf {
    Path::new(KEPT).join(&work.pass.inputs[input_idx].id)
}

struct Applier<'a> {
    context: &'a Context<'a>,
    out: &'a dyn Storage,
    decisions: Decisions,
    rows: Rows,
}

/// A block of lines with what was decided about its rows.
struct Decided {
    block: LineBlock,
    first_row: u64,
    decisions: Vec<Decision>,
}

/// What becomes of a block.
#[derive(Default)]
struct Applied {
    kept: Vec<u8>,
    removed: Vec<u8>,
    facts: ApplyFacts,
}

impl Applier<'_> {
    fn apply_unit(&self, unit_idx: usize, first_row: u64, signed: &SignFacts) -> Result<()> {
        let (context, work) = (self.context, self.context.work);
        let mut unit = work.begin(Step::Apply, unit_idx);
        let mut removed = unit.create("removed", Kind::Removed)?;
        let mut facts = ApplyFacts::default();
        let mut decisions = self.decisions.from(first_row)?;
        let mut next_row = first_row;
        for (input_idx, file_facts) in work.pass.units()[unit_idx].clone().zip(&signed.files) {
            let input = &work.pass.inputs[input_idx];
            let (file, rows_end) = (input.file(), next_row + file_facts.n_rows);
            let parser = LineParser::open(&file, &context.read_options()?, &[])?;
            let mut blocks = Blocks::open(&file, context)?;
            let temporary = work.temporary("kept");
            let written = self.out.create(&temporary)?;
            let shown = self.out.display_path(&kept_path(work, input_idx));
            let fail = |source| io_error("write", &shown, source);
            let compression = input.compression().unwrap_or(copytrace_indexer::corpus::input::Compression::None);
            let mut writer = LineWriter::new(written, compression, context.threads).map_err(fail)?;
            let read = || {
                let Some((block, _)) = blocks.next()? else { return Ok(None) };
                let first_row = next_row;
                next_row += u64::from(n_rows(&block));
                if next_row > rows_end {
                    return Err(changed(&input.path, "its number of rows"));
                }
                Ok(Some(Decided { block, first_row, decisions: decisions.until(next_row)? }))
            };
            let take = |applied: Applied| {
                writer.write(&applied.kept).map_err(fail)?;
                removed.0.write(&applied.removed)?;
                merge_facts(&mut facts, applied.facts);
                Ok(())
            };
            let applied = for_each_in_order(context.threads, read, |decided| self.apply_block(&parser, decided), take)
                .and_then(|()| {
                    if blocks.checksum() == file_facts.checksum && next_row == rows_end {
                        writer.finish().map_err(fail)
                    } else {
                        Err(changed(&input.path, "its bytes"))
                    }
                });
            if let Err(error) = applied {
                // What is left would only be in the way; the error that led here says more than one of this.
                let _ = self.out.remove_file(&temporary);
                return Err(error);
            }
            let path = kept_path(work, input_idx);
            let folder = path.parent().unwrap_or(Path::new(KEPT));
            self.out.create_dir(folder)?;
            facts.kept_bytes.push(self.out.open(&temporary)?.len() as u64);
            self.out.rename(&temporary, &path)?;
            self.out.sync_dir(folder)?;
        }
        unit.add("removed", removed)?;
        self.rows.ensure_whole()?;
        self.decisions.ensure_whole()?;
        unit.commit(facts)
    }

    fn apply_block(&self, parser: &LineParser, decided: Decided) -> Result<Applied> {
        let Decided { block, first_row, decisions } = decided;
        let has_weights = self.context.work.pass.rules.has_weights;
        let mut applied = Applied::default();
        if block.is_overlong || (decisions.is_empty() && !has_weights) {
            applied.kept = block.bytes;
            return Ok(applied);
        }
        applied.kept.reserve(block.bytes.len());
        let mut decisions = decisions.into_iter().peekable();
        let mut row = first_row;
        for (idx, (line, is_row)) in block.lines().enumerate() {
            let decision = decisions.next_if(|decision| is_row && u64::from(decision.row.get()) == row);
            row += u64::from(is_row);
            if has_weights {
                let is_document = is_row && parser.parse(line, 1, block.is_first && idx == 0).is_ok();
                let rows = decision.map_or(1, |decision| decision.cluster_rows.get());
                if is_document {
                    push_weighted(&mut applied.kept, line, rows)
                } else {
                    applied.kept.extend_from_slice(line)
                }
            } else if let Some(decision) = decision.filter(|decision| decision.reason.get() != Reason::Kept as u32) {
                let parsed = parser.parse(line, 1, block.is_first && idx == 0).ok();
                self.remove(&decision, &mut applied)?;
                let attributes = parsed.map(|parsed| parsed.document.attributes).unwrap_or_default();
                let text_bytes = self.rows.record(RowNumber(decision.row.get()))?.text_bytes.get();
                let amount = Amount { rows: 1, bytes: u64::from(text_bytes) };
                applied.facts.removed.merge(amount);
                count_name(&mut applied.facts.by_origin, &attributes.origin, amount);
                count_name(&mut applied.facts.by_license, &attributes.license, amount);
            } else {
                applied.kept.extend_from_slice(line);
            }
        }
        Ok(applied)
    }

    fn remove(&self, decision: &Decision, applied: &mut Applied) -> Result<()> {
        let kind = if decision.reason.get() == Reason::Exact as u32 { "EXACT" } else { "NEAR" };
        let line = RemovedLine {
            id: self.rows.id(RowNumber(decision.row.get()))?,
            kept_id: self.rows.id(RowNumber(decision.kept.get()))?,
            kind,
            jaccard: f64::from_bits(decision.jaccard.get()),
            containment: f64::from_bits(decision.containment.get()),
            cluster: decision.cluster.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        *applied.facts.by_kind.entry(kind.to_owned()).or_default() += 1;
        serde_json::to_writer(&mut applied.removed, &line)
            .map_err(|error| copytrace_indexer::Error::Internal { component: "JSON", problem: error.to_string() })?;
        applied.removed.push(b'\n');
        Ok(())
    }
}

/// Appends a line whose object gets one more member.
fn push_weighted(kept: &mut Vec<u8>, line: &[u8], cluster_rows: u32) {
    let body = line.trim_ascii_end();
    let end = &line[body.len()..];
    // A document is an object with at least its text.
    let Some(open) = body.strip_suffix(b"}") else { return kept.extend_from_slice(line) };
    kept.extend_from_slice(open);
    kept.extend_from_slice(format!(",\"repeat_weight\":{}}}", 1.0 / f64::from(cluster_rows.max(1))).as_bytes());
    kept.extend_from_slice(end);
}

fn merge_facts(facts: &mut ApplyFacts, new: ApplyFacts) {
    facts.removed.merge(new.removed);
    for (kind, n) in new.by_kind {
        *facts.by_kind.entry(kind).or_default() += n;
    }
    for (known, new) in [(&mut facts.by_origin, new.by_origin), (&mut facts.by_license, new.by_license)] {
        for (name, amount) in new {
            count_name(known, &name, amount);
        }
    }
}

/// The decisions of all units of `verify`.
struct Decisions(Vec<StageFile>);

impl Decisions {
    fn open(work: &Work) -> Result<Self> {
        let clustered: Receipt<ClusterFacts> = work.expect_receipt(Step::Cluster, 0)?;
        let open = |unit| {
            let receipt: Receipt<VerifyFacts> = work.expect_receipt(Step::Verify, unit)?;
            work.open_file(&receipt, Step::Verify, "decisions", Kind::Decisions)
        };
        (0..clustered.facts.ends.len()).map(open).collect::<Result<_>>().map(Self)
    }

    /// Starts to go through the decisions about a row and those behind it.
    fn from(&self, row: u64) -> Result<DecisionCursor<'_>> {
        let mut heap = BinaryHeap::new();
        for (file_idx, file) in self.0.iter().enumerate() {
            let (mut low, mut high) = (0, file.n_records::<Decision>());
            while low < high {
                let middle = usize::midpoint(low, high);
                if u64::from(row_at(file, middle)?.unwrap_or(u32::MAX)) < row {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            heap.extend(row_at(file, low)?.map(|row| Reverse((row, file_idx, low))));
        }
        Ok(DecisionCursor { decisions: self, heap })
    }

    fn ensure_whole(&self) -> Result<()> {
        self.0.iter().try_for_each(StageFile::ensure_whole)
    }
}

fn row_at(file: &StageFile, at: usize) -> Result<Option<u32>> {
    if at >= file.n_records::<Decision>() {
        return Ok(None);
    }
    Ok(file.records::<Decision>(at..at + 1)?.first().map(|decision| decision.row.get()))
}

/// Decisions by row, each file's next one in a heap.
struct DecisionCursor<'a> {
    decisions: &'a Decisions,
    heap: BinaryHeap<Reverse<(u32, usize, usize)>>,
}

impl DecisionCursor<'_> {
    /// Returns the decisions about rows before `end` that were not returned yet.
    fn until(&mut self, end: u64) -> Result<Vec<Decision>> {
        let mut found = Vec::new();
        while let Some(&Reverse((row, file_idx, at))) = self.heap.peek()
            && u64::from(row) < end
        {
            self.heap.pop();
            let file = &self.decisions.0[file_idx];
            found.extend(file.records::<Decision>(at..at + 1)?);
            self.heap.extend(row_at(file, at + 1)?.map(|row| Reverse((row, file_idx, at + 1))));
        }
        Ok(found)
    }
}
