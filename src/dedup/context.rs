//! What every stage is given: the work folder, what makes fingerprints, and how much of the machine it may use.

use std::sync::atomic::{AtomicU64, Ordering};

use copytrace_indexer::Result;
use copytrace_indexer::corpus::options::ReadOptions;
use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::memory::MemoryPlan;

use super::block_cache::BlockCache;
use super::facts::Amount;
use super::shingles::Shingler;
use super::work::Work;

/// What every stage is given.
pub(super) struct Context<'a> {
    pub(super) work: &'a Work,
    pub(super) fingerprinter: Fingerprinter,
    /// Seed of all hashes.
    pub(super) seed: u64,
    /// Threads that work, at least one; no result depends on it.
    pub(super) threads: usize,
    pub(super) memory_bytes: usize,
    /// Whether the first row that holds no document ends the pass.
    pub(super) is_strict: bool,
    /// Blocks that a stage before has read.
    pub(super) blocks: BlockCache,
    pub(super) progress: &'a Progress,
}

impl Context<'_> {
    /// Returns how files are read.
    pub(super) fn read_options(&self) -> Result<ReadOptions> {
        let rules = &self.work.pass.rules;
        Ok(ReadOptions {
            columns: rules.columns.options()?,
            document_bytes_max: rules.document_bytes_max,
            memory: self.memory(),
            shard: None,
        })
    }

    /// Returns what makes shingles.
    pub(super) fn shingler(&self) -> Shingler<'_> {
        Shingler { fingerprinter: &self.fingerprinter, shingle: self.work.pass.rules.shingle, seed: self.seed }
    }

    pub(super) fn memory(&self) -> MemoryPlan {
        MemoryPlan::new(self.memory_bytes)
    }
}

/// How far a stage is, for whoever watches from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    /// What was done, in the unit of the stage: stored bytes of input, or units.
    pub done: AtomicU64,
    /// What there is to do.
    pub total: AtomicU64,
    /// Documents that were looked at.
    pub documents: AtomicU64,
}

impl Progress {
    /// Starts a stage.
    pub(super) fn start(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.documents.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, n: u64) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn add(&self, documents: Amount) {
        self.documents.fetch_add(documents.rows, Ordering::Relaxed);
    }
}
