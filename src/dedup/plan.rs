//! What a pass would take, told before it runs, from a sample of the input.
//!
//! Blocks from the beginnings of up to 64 files, evenly chosen, are signed on one thread; what they take is scaled to all files by their stored
//! lengths. Repeats are counted within the sample alone: of a pair whose ends lie far apart the sample seldom has both, so that their share is a lower
//! bound.
//!
//! Cost: 32 MiB of text, a quarter of a second.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use copytrace_indexer::Result;
use copytrace_indexer::corpus::input::discover;
use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use serde::{Deserialize, Serialize};

use super::block_cache::BlockCache;
use super::context::{Context, Progress};
use super::input::{Blocks, Placed};
use super::recipe::{Pass, Rules};
use super::record::Record;
use super::report::{CurvePoint, curve_of};
use super::run::Resources;
use super::sign::{BlockSummary, ENTRY_BYTES, Signer};
use super::work::Work;

/// Text that is looked at, in bytes.
const SAMPLE_BYTES: u64 = 32 << 20;
/// Most files that are looked at.
const SAMPLE_FILES_MAX: usize = 64;
/// Work of a whole pass by that of signing: input is read twice more, compressed once, and keys are merged.
const PASS_BY_SIGNING: f64 = 2.5;
/// Share of the memory that sorts take at most.
const SORTS: f64 = 0.25;

/// What a pass would take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Files.
    pub files: u64,
    /// Their stored length, in bytes.
    pub input_bytes: u64,
    /// Rows that were looked at.
    pub sampled_rows: u64,
    /// Rows in all, about.
    pub rows: u64,
    /// Their text, about, in bytes.
    pub text_bytes: u64,
    /// Largest size of the work folder, about, in bytes, sets of candidates not counted.
    pub work_bytes: u64,
    /// Anonymous memory, about, in bytes.
    pub memory_bytes: u64,
    /// Time, about, in seconds.
    pub seconds: f64,
    /// Share of the sampled rows that equal an earlier one of the sample; a lower bound.
    pub equal_share: f64,
    /// Share of the sampled rows that share a band with an earlier one of the sample, equal ones included: candidates, of which some stay.
    pub candidate_share: f64,
    /// Share of the pairs of a Jaccard index that become candidates.
    pub curve: Vec<CurvePoint>,
}

/// Looks at a sample of the input.
///
/// # Errors
/// As a pass has for its first rows: a missing column, a file that cannot be read, rules out of range.
pub fn plan(inputs: &[PathBuf], rules: &Rules, resources: Resources) -> Result<Plan> {
    let pass = Pass::new(rules.clone(), resources.seed, discover(inputs)?.files)?;
    let storage: std::sync::Arc<dyn Storage> = std::sync::Arc::new(MemoryStorage::default());
    let work = Work::create(storage, pass)?;
    let fingerprinter = Fingerprinter::from_recipe(&work.pass.fingerprints, resources.seed, &PathBuf::from("plan"))?;
    let progress = Progress::default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let context = Context {
        work: &work,
        fingerprinter,
        seed: resources.seed,
        threads: if resources.threads == 0 { cores } else { resources.threads },
        memory_bytes: resources.memory_bytes,
        is_strict: resources.is_strict,
        blocks: BlockCache::new(0),
        progress: &progress,
    };
    let signer = Signer::new(&context)?;
    let inputs = &work.pass.inputs;
    let step = inputs.len().div_ceil(SAMPLE_FILES_MAX).max(1);
    let chosen: Vec<_> = inputs.iter().step_by(step).collect();
    let quota = SAMPLE_BYTES / chosen.len().max(1) as u64;
    let (mut sample, started) = (Sample::default(), Instant::now());
    for input in chosen {
        let (mut blocks, parser) = Blocks::open(input.file(), &context, &rules.further_columns()?)?;
        let end = sample.text_bytes + quota;
        let (mut stored_bytes, mut is_whole) = (0, false);
        while sample.text_bytes < end && !is_whole {
            match blocks.next()? {
                Some(Placed { block, first_line, .. }) => {
                    sample.add(&signer.sign_block(&parser, &input.name, block, first_line)?.summary());
                }
                None => is_whole = true,
            }
            stored_bytes = blocks.stored_bytes();
        }
        sample.stored_bytes += if is_whole { input.file_bytes } else { stored_bytes.min(input.file_bytes) };
    }
    Ok(sample.scaled(&context, started.elapsed().as_secs_f64()))
}

#[derive(Default)]
struct Sample {
    n_rows: u64,
    n_equal: u64,
    n_candidates: u64,
    text_bytes: u64,
    stored_bytes: u64,
    id_bytes: u64,
    n_bands: u64,
    contents: HashSet<[u8; 16]>,
    bands: HashMap<u64, u64>,
}

impl Sample {
    fn add(&mut self, block: &BlockSummary) {
        let first_row = self.n_rows;
        let mut candidates: HashSet<u64> = HashSet::new();
        for &(key, idx) in &block.bands {
            let row = first_row + u64::from(idx);
            let first = *self.bands.entry(key).or_insert(row);
            if first != row {
                candidates.insert(row);
            }
        }
        for (row, content) in (first_row..).zip(&block.contents) {
            if *content != Record::NONE.content && !self.contents.insert(*content) {
                self.n_equal += 1;
                candidates.insert(row);
            }
        }
        self.n_candidates += candidates.len() as u64;
        self.n_rows += block.contents.len() as u64;
        self.n_bands += block.bands.len() as u64;
        self.id_bytes += block.id_bytes;
        self.text_bytes += block.text_bytes;
    }

    fn scaled(&self, context: &Context<'_>, seconds: f64) -> Plan {
        let pass = &context.work.pass;
        let input_bytes: u64 = pass.inputs.iter().map(|input| input.file_bytes).sum();
        let factor = input_bytes as f64 / self.stored_bytes.max(1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate of what is counted in 64 bits"
        )]
        let scale = |n: f64| (n * factor).round() as u64;
        let share = |n: u64| n as f64 / self.n_rows.max(1) as f64;
        let n_entries = self.n_bands + self.contents.len() as u64;
        let work_bytes = self.n_rows * size_of::<Record>() as u64 + self.id_bytes + n_entries * ENTRY_BYTES;
        let rows = scale(self.n_rows as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the memory")]
        let sorts = (context.memory_bytes as f64 * SORTS) as u64;
        Plan {
            files: pass.inputs.len() as u64,
            input_bytes,
            sampled_rows: self.n_rows,
            rows,
            text_bytes: scale(self.text_bytes as f64),
            work_bytes: scale(work_bytes as f64),
            memory_bytes: 4 * rows + sorts.min(scale((n_entries * ENTRY_BYTES) as f64)),
            seconds: seconds * factor * PASS_BY_SIGNING / context.threads as f64,
            equal_share: share(self.n_equal),
            candidate_share: share(self.n_candidates),
            curve: curve_of(&pass.rules),
        }
    }
}
