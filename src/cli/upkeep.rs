//! Removal and merging, as the program does them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use copytrace_indexer::ids::DocIdx;
use copytrace_indexer::index::receipt::Receipt;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::merge;
use copytrace_indexer::pipeline::BuildProgress;
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::removal;

use super::backend::{
    MergeOptions, MergeSummary, NameCount, ProgressSink, RemovalSummary, RemoveOptions, Seed, Snapshot, Step,
};
use super::failure::Refusal;
use super::watch::watched;
use crate::check::indexes::index_name;
use crate::remaining::{self, Remaining};

pub(super) fn seed_of(seed: Option<Seed>) -> u64 {
    seed.map_or(PUBLIC_SEED, |seed| seed.0)
}

/// Returns the size of a segment on disk, in bytes.
pub(super) fn segment_bytes(segment: &Segment) -> u64 {
    segment.entry().files.values().map(|seal| seal.file_bytes).sum()
}

fn snapshot_of(counts: &BuildProgress, input_bytes: u64) -> Snapshot {
    Snapshot {
        input_bytes_done: counts.text_bytes.load(Ordering::Relaxed),
        input_bytes,
        documents: counts.documents.load(Ordering::Relaxed),
        step: Step::Reading,
    }
}

/// Removes documents, or tells what would be removed.
pub(super) fn remove(options: &RemoveOptions, progress: &dyn ProgressSink) -> anyhow::Result<RemovalSummary> {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(&options.index));
    let seed = seed_of(options.seed);
    // Opened as a reader first: a folder without an index is left as it is.
    let index = Index::open(&*storage, seed)?;
    let (index, generation, selected) = if options.is_dry_run {
        let selected = removal::select(&index, &options.selection)?;
        let generation = index.generation();
        (index, generation, selected)
    } else {
        let mut writer = IndexWriter::open(Arc::clone(&storage), seed)?;
        let (generation, selected) = removal::remove(&mut writer, &options.selection)?;
        // The snapshot of the commit; the lock is not needed any longer.
        (writer.current().cloned().unwrap_or(index), generation, selected)
    };
    let text_bytes = |&(segment_idx, doc): &(usize, DocIdx)| -> u64 {
        // One that cannot be read is told where it is compared.
        index.segments()[segment_idx].record(doc).map_or(0, |record| record.text.end - record.text.start)
    };
    let input_bytes = selected.documents.iter().take(options.compared_max).map(text_bytes).sum();
    let counts = BuildProgress::default();
    let state = || snapshot_of(&counts, input_bytes);
    let name = index_name(&options.index);
    let find = || remaining::find(&name, &index, &selected.documents, options.compared_max, &counts);
    let found = watched(progress, state, find);
    let remaining = match found {
        // The removal has happened: what must be retrained is told, whatever else fails.
        Err(error) if !options.is_dry_run => Remaining {
            not_compared: selected.documents.len() as u64,
            incomplete: vec![error.to_string()],
            ..Remaining::default()
        },
        found => found?,
    };
    let shards = selected.shards.into_iter().map(|(name, documents)| NameCount { name, documents });
    Ok(RemovalSummary {
        generation: generation.0,
        dry_run: options.is_dry_run,
        removed: selected.documents.len() as u64,
        text_bytes: selected.text_bytes,
        not_found: selected.not_found,
        shards: shards.collect(),
        remaining,
    })
}

/// Compacts an index and joins others into it.
pub(super) fn merge(options: &MergeOptions, progress: &dyn ProgressSink) -> anyhow::Result<MergeSummary> {
    let start = Instant::now();
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(&options.index));
    let seed = seed_of(options.seed);
    let mut from = Vec::new();
    for dir in &options.from {
        if let (Ok(own), Ok(other)) = (options.index.canonicalize(), dir.canonicalize())
            && own == other
        {
            return Err(Refusal::new(
                format!("`--from {}` is the index itself: expected another one", dir.display()),
                "without `--from` an index is merged by itself",
            )
            .into());
        }
        from.push(Index::open(&DiskStorage::new(dir), seed)?);
    }
    if from.is_empty() {
        // Opened as a reader first: a folder without an index is left as it is.
        Index::open(&*storage, seed)?;
    }
    let mut writer = IndexWriter::open(storage, seed)?;
    let counts = BuildProgress::default();
    let text_bytes = |index: &Index| -> u64 { index.segments().iter().map(|segment| segment.entry().text_bytes).sum() };
    let input_bytes = writer.current().into_iter().chain(&from).map(text_bytes).sum();
    let state = || snapshot_of(&counts, input_bytes);
    let merge_options = merge::MergeOptions {
        memory_bytes: usize::try_from(options.memory_bytes).unwrap_or(usize::MAX),
        threads: options.threads.unwrap_or(0),
        ..merge::MergeOptions::default()
    };
    let report = watched(progress, state, || merge::merge(&mut writer, &from, merge_options, &counts))?;
    let has_receipt = report.dropped_removed + report.dropped_replaced > 0;
    let receipt = Receipt::path(copytrace_indexer::ids::Generation(report.generation));
    Ok(MergeSummary {
        generation: report.generation,
        changed: report.is_changed,
        dropped_removed: report.dropped_removed,
        dropped_replaced: report.dropped_replaced,
        receipt: if has_receipt { receipt.to_string_lossy().into_owned() } else { String::new() },
        joined: report.joined,
        passed_over: report.passed_over,
        segments_before: report.segments_before,
        segments_after: report.segments_after,
        segments_kept: report.segments_kept,
        documents: writer.current().map_or(0, Index::n_docs),
        index_bytes: writer.current().map_or(0, |index| index.segments().iter().map(segment_bytes).sum()),
        elapsed_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}
