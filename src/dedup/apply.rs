//! `apply`: the input once more, without the rows that go.
//!
//! Lines that stay are copied byte for byte, rows that hold no document with them; where a function or a passage is cut, the text alone is written anew. A file below `kept/` is written under a temporary name beside that folder
//! and renamed when it is whole. A unit is done when its receipt is there and its files have the lengths it says.
//!
//! ```text
//! removed   lines of removed.jsonl, in the order of the input
//! cuts      lines of cuts.jsonl, in the order of the input
//! ```
//!
//! Cost: decompressing and compressing once; of the rows only the removed ones are parsed, for their source and licence.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use copytrace_indexer::Result;
use copytrace_indexer::corpus::input::Compression;
use copytrace_indexer::corpus::lines::ParsedRow;
use copytrace_indexer::corpus::rewrite::{GroupEdit, LineWriter};
use copytrace_indexer::corpus::rows::copy_rows;
use copytrace_indexer::corpus::{Attributes, SkipReason};
use copytrace_indexer::index::storage::Storage;
use serde::Serialize;

use super::context::Context;
use super::cuts::{Cut, Cuts, ranges_of};
use super::decisions::{Against, Decisions, is_removal};
use super::facts::{Amount, ApplyFacts, ClusterFacts, SignFacts, VerifyFacts, count_name};
use super::file::{Kind, io_error};
use super::input::{Block, BlockParser, Blocks, Placed};
use super::parallel::for_each_in_order;
use super::recipe::Input;
use super::record::{IS_OF_REPOSITORY, RowNumber, Rows};
use super::report::largest_of;
use super::sets::changed;
use super::verify::{Decision, Reason};
use super::work::{Part, Receipt, Step, Work};

/// Bytes of a text that the report shows.
const SAMPLE_BYTES: usize = 600;

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

/// A line of `cuts.jsonl`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CutLine<'a> {
    id: &'a str,
    start_byte: u32,
    end_byte: u32,
    kept_id: &'a str,
    kept_start_byte: u32,
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
    let samples = sampled_rows(work)?;
    let cuts = Cuts::open(work)?;
    let applier = Applier { context, out, decisions, cuts, rows, samples };
    let mut first_row = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        if missing.contains(&unit) {
            applier.apply_unit(unit, first_row, &receipt.facts)?;
        }
        first_row += receipt.facts.n_rows();
    }
    Ok(())
}

/// Returns the rows of the largest clusters that the report shows.
fn sampled_rows(work: &Work) -> Result<BTreeSet<u32>> {
    let clustered: Receipt<ClusterFacts> = work.expect_receipt(Step::Cluster, 0)?;
    let mut largest = Vec::new();
    for unit in 0..clustered.facts.ends.len() {
        largest.extend(work.expect_receipt::<VerifyFacts>(Step::Verify, unit)?.facts.largest);
    }
    Ok(largest_of(largest).into_iter().flat_map(|cluster| [cluster.kept, cluster.removed]).collect())
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
    cuts: Cuts,
    rows: Rows,
    /// Rows of which the report shows the beginning.
    samples: BTreeSet<u32>,
}

/// A file that is copied.
struct FileTask<'a> {
    input: &'a Input,
    rows: Range<u64>,
    /// Hash of the stored bytes that `sign` read.
    checksum: u64,
    temporary: &'a Path,
    shown: &'a Path,
    against: &'a Against,
}

impl FileTask<'_> {
    fn ensure_rows(&self, are_right: bool) -> Result<()> {
        if are_right { Ok(()) } else { Err(changed(&self.input.path, "its number of rows")) }
    }

    fn ensure_same(&self, rows_end: u64, checksum: u64) -> Result<()> {
        self.ensure_rows(rows_end == self.rows.end)?;
        if checksum == self.checksum { Ok(()) } else { Err(changed(&self.input.path, "its bytes")) }
    }
}

/// A block of lines with what was decided about its rows.
struct Decided<'a> {
    block: Block,
    first_row: u64,
    n_rows: u64,
    decisions: Vec<Decision>,
    cuts: &'a [Cut],
}

/// What becomes of a block.
#[derive(Default)]
struct Applied {
    kept: Vec<u8>,
    removed: Vec<u8>,
    /// Lines about rows that would go but belong to a repository.
    reported: Vec<u8>,
    /// Lines about cuts.
    cuts: Vec<u8>,
    facts: ApplyFacts,
}

impl Applier<'_> {
    fn apply_unit(&self, unit_idx: usize, first_row: u64, signed: &SignFacts) -> Result<()> {
        let work = self.context.work;
        let mut unit = work.begin(Step::Apply, unit_idx);
        let mut removed = unit.create("removed", Kind::Removed)?;
        let mut reported = unit.create("reported", Kind::Reported)?;
        let mut cuts = unit.create("cuts", Kind::CutLines)?;
        let mut facts = ApplyFacts::default();
        let mut next_row = first_row;
        let against = Against::open(work, unit_idx, first_row)?;
        for (input_idx, signed) in work.pass.units()[unit_idx].clone().zip(&signed.files) {
            let input = &work.pass.inputs[input_idx];
            let path = kept_path(work, input_idx);
            let temporary = Work::temporary("kept");
            let rows = next_row..next_row + signed.n_rows;
            next_row = rows.end;
            let task = FileTask {
                input,
                rows,
                checksum: signed.checksum,
                temporary: &temporary,
                shown: &path,
                against: &against,
            };
            let take = |applied: Applied| {
                merge_facts(&mut facts, applied.facts);
                removed.0.write(&applied.removed)?;
                cuts.0.write(&applied.cuts)?;
                reported.0.write(&applied.reported)
            };
            let written = match input.compression() {
                Some(compression) => self.copy_lines(&task, compression, take),
                None => self.copy_parquet(&task, take),
            };
            if let Err(error) = written {
                // What is left would only be in the way; the error that led here says more than one of this.
                let _ = self.out.remove_file(&temporary);
                return Err(error);
            }
            let folder = path.parent().unwrap_or(Path::new(KEPT));
            self.out.create_dir(folder)?;
            facts.kept_bytes.push(self.out.open(&temporary)?.len() as u64);
            self.out.rename(&temporary, &path)?;
            self.out.sync_dir(folder)?;
        }
        unit.add("removed", removed)?;
        unit.add("reported", reported)?;
        unit.add("cuts", cuts)?;
        self.rows.ensure_whole()?;
        self.decisions.ensure_whole()?;
        self.cuts.ensure_whole()?;
        unit.commit(facts)
    }

    /// Copies a file of JSON lines.
    fn copy_lines(
        &self,
        task: &FileTask<'_>,
        compression: Compression,
        mut take: impl FnMut(Applied) -> Result<()>,
    ) -> Result<()> {
        let context = self.context;
        let fail = |source| io_error("write", &self.out.display_path(task.shown), source);
        let (mut blocks, parser) = Blocks::open(task.input.file(), context, &[])?;
        let created = self.out.create(task.temporary)?;
        let mut writer = LineWriter::new(created, compression, context.threads).map_err(fail)?;
        let mut decisions = self.decisions.from(task.rows.start, task.against)?;
        let mut next_row = task.rows.start;
        let read = || {
            let Some(Placed { block, n_rows, .. }) = blocks.next()? else { return Ok(None) };
            let first_row = next_row;
            next_row += n_rows;
            task.ensure_rows(next_row <= task.rows.end)?;
            let (decisions, cuts) = (decisions.until(next_row)?, self.cuts.of(first_row..next_row)?);
            Ok(Some(Decided { block, first_row, n_rows, decisions, cuts }))
        };
        let write = |mut applied: Applied| {
            writer.write(&std::mem::take(&mut applied.kept)).map_err(fail)?;
            take(applied)
        };
        let work_on = |decided: Decided<'_>| self.apply_block(&parser, decided, task);
        for_each_in_order(context.threads, read, work_on, write)?;
        task.ensure_same(next_row, blocks.checksum()?)?;
        writer.finish().and_then(|mut file| file.sync()).map_err(fail)
    }

    /// Copies a Parquet file; what the rows that go are of is read before.
    fn copy_parquet(&self, task: &FileTask<'_>, mut take: impl FnMut(Applied) -> Result<()>) -> Result<()> {
        let (mut blocks, parser) = Blocks::open(task.input.file(), self.context, &[])?;
        let mut decisions = self.decisions.from(task.rows.start, task.against)?;
        let mut next_row = task.rows.start;
        // Of rows that are cut: the column of the text.
        let mut text_columns: BTreeMap<u64, usize> = BTreeMap::new();
        while let Some(Placed { block, n_rows, .. }) = blocks.next()? {
            let first_row = next_row;
            next_row += n_rows;
            task.ensure_rows(next_row <= task.rows.end)?;
            let mut applied = Applied::default();
            let known = decisions.until(next_row)?;
            let cuts = self.cuts.of(first_row..next_row)?;
            self.write_cuts(cuts, &mut applied.cuts)?;
            self.report_cuts(first_row..next_row, &known, &mut applied)?;
            let is_cut = |idx: u64| cuts.binary_search_by_key(&(first_row + idx), |cut| cut.row.get().into()).is_ok();
            for decision in known.iter().filter(|decision| is_removal(decision)) {
                self.remove(decision, task.against, &mut applied)?;
            }
            let find = |idx: u64| {
                let at = known.binary_search_by_key(&(first_row + idx), |decision| decision.row.get().into()).ok()?;
                let decision = &known[at];
                (is_removal(decision) || self.samples.contains(&decision.row.get())).then_some(decision)
            };
            let mut documents = Vec::new();
            let collect = |idx, _, row: Result<ParsedRow, SkipReason>| {
                let row = row.ok();
                text_columns.extend(row.iter().filter(|_| is_cut(idx)).map(|row| (first_row + idx, row.text_column)));
                documents.push((find(idx), row));
            };
            parser.for_each(block, 1, |idx| find(idx).is_some() || is_cut(idx), collect);
            for (decision, row) in documents {
                let Some(decision) = decision else { continue };
                let document = row.map(|row| *row.document);
                let text = document.as_ref().map_or("", |document| document.text.as_str());
                if self.samples.contains(&decision.row.get()) {
                    applied.facts.samples.insert(decision.row.get(), sample_of(text));
                }
                if is_removal(decision) && !self.is_reported(decision)? {
                    let attributes = document.map(|document| document.attributes).unwrap_or_default();
                    self.count(decision, &attributes, &mut applied.facts)?;
                }
            }
            take(applied)?;
        }
        task.ensure_same(next_row, blocks.checksum()?)?;
        let created = self.out.create(task.temporary)?;
        let mut decisions = self.decisions.from(task.rows.start, task.against)?;
        let mut next_row = task.rows.start;
        let mut written = copy_rows(&task.input.file(), self.context.memory(), created, |n_rows| {
            let start = next_row;
            next_row += n_rows;
            let mut stays = vec![true; usize::try_from(n_rows).unwrap_or(0)];
            for decision in decisions.until(next_row)?.into_iter().filter(is_removal) {
                if self.is_reported(&decision)? {
                    continue;
                }
                let idx = usize::try_from(u64::from(decision.row.get()) - start).unwrap_or(usize::MAX);
                stays[idx] = false;
            }
            let mut edit = GroupEdit { stays, cuts: BTreeMap::new() };
            for cuts in self.cuts.of(start..next_row)?.chunk_by(|a, b| a.row == b.row) {
                let row = u64::from(cuts[0].row.get());
                let column = *text_columns.get(&row).ok_or_else(|| changed(&task.input.path, "its texts"))?;
                let idx = usize::try_from(row - start).unwrap_or(usize::MAX);
                edit.cuts.insert(idx, (column, ranges_of(cuts)));
            }
            Ok(edit)
        })?;
        written.sync().map_err(|source| io_error("write", &self.out.display_path(task.shown), source))
    }

    fn apply_block(&self, parser: &BlockParser, decided: Decided<'_>, task: &FileTask<'_>) -> Result<Applied> {
        let Decided { block, first_row, n_rows, decisions, mut cuts } = decided;
        let has_weights = self.context.work.pass.rules.has_weights;
        let mut applied = Applied::default();
        self.report_cuts(first_row..first_row + n_rows, &decisions, &mut applied)?;
        let Block::Lines(block) = block else { return Ok(applied) };
        if block.is_overlong || (decisions.is_empty() && cuts.is_empty() && !has_weights) {
            applied.kept = block.bytes;
            return Ok(applied);
        }
        applied.kept.reserve(block.bytes.len());
        let mut decisions = decisions.into_iter().peekable();
        let mut row = first_row;
        for (idx, (line, is_row)) in block.lines().enumerate() {
            let decision = decisions.next_if(|decision| is_row && u64::from(decision.row.get()) == row);
            let n_cuts = if is_row { cuts.iter().take_while(|cut| u64::from(cut.row.get()) == row).count() } else { 0 };
            let (own_cuts, cuts_behind) = cuts.split_at(n_cuts);
            cuts = cuts_behind;
            row += u64::from(is_row);
            let parse = || parser.parse(line, block.is_first && idx == 0);
            if let Some(decision) = decision.filter(|decision| self.samples.contains(&decision.row.get())) {
                let text = parse().map(|row| row.document.text).unwrap_or_default();
                applied.facts.samples.insert(decision.row.get(), sample_of(&text));
            }

            if has_weights {
                let rows = decision.map_or(1, |decision| decision.cluster_rows.get());
                let is_document = is_row && parse().is_some();
                if is_document {
                    push_weighted(&mut applied.kept, line, rows);
                } else {
                    applied.kept.extend_from_slice(line);
                }
            } else if let Some(decision) = decision.filter(is_removal)
                && self.remove(&decision, task.against, &mut applied)?
            {
                let attributes = parse().map(|row| row.document.attributes).unwrap_or_default();
                self.count(&decision, &attributes, &mut applied.facts)?;
            } else if !own_cuts.is_empty() {
                let edited = parser.without(line, block.is_first && idx == 0, &ranges_of(own_cuts));
                applied.kept.extend(edited.ok_or_else(|| changed(&task.input.path, "its texts"))?);
                self.write_cuts(own_cuts, &mut applied.cuts)?;
            } else {
                applied.kept.extend_from_slice(line);
            }
        }
        Ok(applied)
    }

    /// Appends the lines of cuts.
    fn write_cuts(&self, cuts: &[Cut], lines: &mut Vec<u8>) -> Result<()> {
        for cut in cuts {
            let id = self.rows.id(RowNumber(cut.row.get()))?;
            let kept_id = self.rows.id(RowNumber(cut.kept_row.get()))?;
            let (start_byte, end_byte, kept_start_byte) = (cut.start.get(), cut.end.get(), cut.kept_start.get());
            let line = CutLine { id, start_byte, end_byte, kept_id, kept_start_byte };
            push_line(lines, &line)?;
        }
        Ok(())
    }

    /// Writes the lines of what would be cut of rows of repositories, but for those that would go as a whole.
    fn report_cuts(&self, rows: Range<u64>, decisions: &[Decision], applied: &mut Applied) -> Result<()> {
        for of_row in self.cuts.reported_of(rows)?.chunk_by(|a, b| a.row == b.row) {
            let decision = decisions.binary_search_by_key(&of_row[0].row.get(), |decision| decision.row.get());
            if !decision.is_ok_and(|at| is_removal(&decisions[at])) {
                self.write_cuts(of_row, &mut applied.reported)?;
            }
        }
        Ok(())
    }

    /// Counts a row that goes.
    fn count(&self, decision: &Decision, attributes: &Attributes, facts: &mut ApplyFacts) -> Result<()> {
        let text_bytes = self.rows.record(RowNumber(decision.row.get()))?.text_bytes.get();
        let amount = Amount { rows: 1, bytes: u64::from(text_bytes) };
        facts.removed.merge(amount);
        count_name(&mut facts.by_origin, &attributes.origin, amount);
        count_name(&mut facts.by_license, &attributes.license, amount);
        Ok(())
    }

    /// Writes the line of a row that goes; `false` where it stays all the same, because it belongs to a repository.
    fn remove(&self, decision: &Decision, against: &Against, applied: &mut Applied) -> Result<bool> {
        let id = self.rows.id(RowNumber(decision.row.get()))?;
        let (kept_id, is_equal, cluster) = if decision.reason.get() == Reason::Against as u32 {
            let entry = against.entry(decision.kept.get() as usize)?;
            (self.rows.against_id(against.unit, entry)?, entry.is_equal.get() == 1, String::new())
        } else {
            let cluster = format!("{:016x}", u64::from_le_bytes(decision.cluster));
            (self.rows.id(RowNumber(decision.kept.get()))?, decision.reason.get() == Reason::Exact as u32, cluster)
        };
        let is_code = decision.reason.get() == Reason::Code as u32;
        let kind = if is_equal {
            "EXACT"
        } else if is_code {
            "CODE"
        } else {
            "NEAR"
        };
        let (jaccard, containment) =
            (f64::from_bits(decision.jaccard.get()), f64::from_bits(decision.containment.get()));
        let line = RemovedLine { id, kept_id, kind, jaccard, containment, cluster };
        let is_reported = self.is_reported(decision)?;
        let lines = if is_reported { &mut applied.reported } else { &mut applied.removed };
        push_line(lines, &line)?;
        if is_reported {
            applied.facts.n_reported += 1;
        } else {
            *applied.facts.by_kind.entry(kind.to_owned()).or_default() += 1;
        }
        Ok(!is_reported)
    }

    /// Tells whether a row that would go belongs to a repository.
    fn is_reported(&self, decision: &Decision) -> Result<bool> {
        Ok(self.rows.record(RowNumber(decision.row.get()))?.flags.get() & IS_OF_REPOSITORY != 0)
    }
}

/// Appends a line of JSON.
fn push_line(lines: &mut Vec<u8>, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *lines, line)
        .map_err(|error| copytrace_indexer::Error::Internal { component: "JSON", problem: error.to_string() })?;
    lines.push(b'\n');
    Ok(())
}

/// Returns the beginning of a text.
fn sample_of(text: &str) -> String {
    text[..text.floor_char_boundary(SAMPLE_BYTES)].to_owned()
}

/// Appends a line whose object gets one more member.
fn push_weighted(kept: &mut Vec<u8>, line: &[u8], cluster_rows: u32) {
    let body = line.trim_ascii_end();
    let end = &line[body.len()..];
    // A document is an object with at least its text.
    let Some(open) = body.strip_suffix(b"}") else { return kept.extend_from_slice(line) };
    kept.extend_from_slice(open);
    kept.extend_from_slice(format!(",\"repeat_weight\":{:?}}}", 1.0 / f64::from(cluster_rows.max(1))).as_bytes());
    kept.extend_from_slice(end);
}

fn merge_facts(facts: &mut ApplyFacts, new: ApplyFacts) {
    facts.removed.merge(new.removed);
    facts.n_reported += new.n_reported;
    facts.samples.extend(new.samples);

    for (kind, n) in new.by_kind {
        *facts.by_kind.entry(kind).or_default() += n;
    }
    for (known, new) in [(&mut facts.by_origin, new.by_origin), (&mut facts.by_license, new.by_license)] {
        for (name, amount) in new {
            count_name(known, &name, amount);
        }
    }
}
