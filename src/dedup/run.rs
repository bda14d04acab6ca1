//! The stages, one by one or all in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use copytrace_indexer::corpus::input::{Discovery, LeftOut, discover};
use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::recipe::{PUBLIC_SEED, Recipe};
use copytrace_indexer::{Error, Result};

use super::block_cache::BlockCache;
use super::clusters::write_clusters;
use super::context::{Context, Progress};
use super::facts::{ApplyFacts, SignFacts};
use super::file::{Kind, io_error};
use super::recipe::{Pass, Rules};
use super::report::{Report, make_report};
use super::work::{Part, Receipt, Step, Work};
use super::{apply, band_merge, cluster, emit, html, passages, sign, verify};

/// Folder for the files between stages where none is named, below that of the output.
const WORK: &str = "work";
/// What a pass says of itself.
const REPORT: &str = "report.json";
/// Bytes of the list of removed rows that are copied at once.
const PIECE_BYTES: usize = 1 << 20;
/// Share of the memory that blocks may take which stages have read before.
const CACHE_SHARE: usize = 8;
/// Lock of the work folder.
const LOCK: &str = "LOCK";

/// A stage that can be called by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Rows to records and keys.
    Sign,
    /// Keys to buckets.
    BandMerge,
    /// Buckets to groups.
    Cluster,
    /// Groups to decisions.
    Verify,
    /// Rows that stay to what is cut of them; nothing where neither functions nor passages are looked for.
    Passages,
    /// Decisions to output.
    Apply,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 6] = [Self::Sign, Self::BandMerge, Self::Cluster, Self::Verify, Self::Passages, Self::Apply];

    /// Returns the name by which it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::BandMerge => "band-merge",
            Self::Cluster => "cluster",
            Self::Verify => "verify",
            Self::Passages => "passages",
            Self::Apply => "apply",
        }
    }
}

/// What a run may use of the machine; no result depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Threads; 0 for one a core.
    pub threads: usize,
    /// Memory to be used at most, in bytes, mapped files not counted.
    pub memory_bytes: usize,
    /// Seed of all hashes.
    pub seed: u64,
    /// Whether the first row that holds no document ends the pass.
    pub is_strict: bool,
}

impl Default for Resources {
    fn default() -> Self {
        let memory_bytes = copytrace_indexer::limits::BUILD_MEMORY_BYTES;
        Self { threads: 0, memory_bytes, seed: PUBLIC_SEED, is_strict: false }
    }
}

/// What a whole pass is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Files and folders to read.
    pub inputs: Vec<PathBuf>,
    /// Where the output goes.
    pub out: PathBuf,
    /// Folder for the files between stages; below `out` where none is named.
    pub work: Option<PathBuf>,
    /// What is removed.
    pub rules: Rules,
    /// What may be used.
    pub resources: Resources,
}

/// What a whole pass did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was read and removed.
    pub report: Report,
    /// Files of the given folders that are no data.
    pub left_out: Vec<LeftOut>,
}

/// Does a whole pass; what was done before is not done again. `on_stage` is called as each stage begins.
///
/// # Errors
/// What reading, writing or a damaged file of the work folder says. Stages that were done stay done, and nothing below `kept/` is half written.
pub fn dedup(options: &Options, progress: &Progress, on_stage: &(dyn Fn(Stage) + Sync)) -> Result<Outcome> {
    let folder = options.work.clone().unwrap_or_else(|| options.out.join(WORK));
    dedup_on(Arc::new(DiskStorage::new(folder)), &DiskStorage::new(&options.out), options, progress, on_stage)
}

/// Does a whole pass on other storage than a disk: the files between stages on the first, the output on the second.
///
/// # Errors
/// As [`dedup`].
pub fn dedup_on(
    storage: Arc<dyn Storage>,
    out: &dyn Storage,
    options: &Options,
    progress: &Progress,
    on_stage: &(dyn Fn(Stage) + Sync),
) -> Result<Outcome> {
    let Discovery { files, left_out } =
        discover_besides(&options.inputs, &[Some(&options.out), options.work.as_ref()])?;
    let pass = Pass::new(options.rules.clone(), options.resources.seed, files)?;
    out.create_dir(Path::new(""))?;
    storage.create_dir(Path::new(""))?;
    let _lock = storage.lock(Path::new(LOCK))?;
    ensure_own_output(&*storage, out)?;
    let work = Work::create(storage, pass)?;
    work.sweep()?;
    sweep_out(out)?;
    let cache_bytes = options.resources.memory_bytes / CACHE_SHARE;
    let report = with_context(&work, options.resources, cache_bytes, progress, |context| {
        let has_cuts = work.pass.rules.has_cuts();
        for stage in Stage::ALL.into_iter().filter(|&stage| has_cuts || stage != Stage::Passages) {
            on_stage(stage);
            run_stage(context, stage, Part::default(), out)?;
        }
        finish(&work, out)
    })?;
    for (step, name) in [
        (Step::Sign, "contents"),
        (Step::Sign, "bands"),
        (Step::BandMerge, "equals"),
        (Step::BandMerge, "buckets"),
        (Step::Cluster, "members"),
        (Step::Cluster, "wanted"),
        (Step::Sets, "sets"),
        (Step::Sets, "set-index"),
        (Step::Sign, "samples"),
        (Step::Sign, "definitions"),
        (Step::Functions, "places"),
        (Step::Tokens, "tokens"),
        (Step::Tokens, "token-index"),
    ] {
        work.drop_files(step, name)?;
    }
    Ok(Outcome { report, left_out })
}

/// Lists the files of an input, but for those that a pass itself made: folders of output may stand below the input.
fn discover_besides(inputs: &[PathBuf], made: &[Option<&PathBuf>]) -> Result<Discovery> {
    let mut discovery = discover(inputs)?;
    // A folder that is not there yet has no files.
    let made = made.iter().copied().flatten().filter_map(|folder| folder.canonicalize().ok());
    for folder in made.collect::<Vec<_>>() {
        let is_above = |input: &PathBuf| input.canonicalize().is_ok_and(|input| folder.starts_with(input));
        if inputs.iter().any(is_above) {
            discovery.files.retain(|file| !file.path.canonicalize().is_ok_and(|path| path.starts_with(&folder)));
        }
    }
    // The rows of another pass would be copies of those beside them.
    for file in &discovery.files {
        if let Some(folder) = file.path.parent()
            && folder.join(apply::KEPT).is_dir()
            && folder.join(REPORT).is_file()
        {
            let problem =
                "the output of another pass, below the input: expected none; move it away, or name what to read";
            return Err(Error::Input { path: folder.to_path_buf(), problem: problem.to_owned() });
        }
    }
    if let (true, Some(path)) = (discovery.files.is_empty(), inputs.first()) {
        let problem = "nothing to read but what the pass itself writes: expected JSON lines or Parquet".to_owned();
        return Err(Error::Input { path: path.clone(), problem });
    }
    Ok(discovery)
}

/// Fails where there is the output of a pass that is not this one: files of both would stand side by side.
fn ensure_own_output(storage: &dyn Storage, out: &dyn Storage) -> Result<()> {
    let kept = Path::new(apply::KEPT);
    let is_new = !storage.exists(Path::new("recipe.json"))?;
    if is_new && out.exists(kept)? && !out.list(kept)?.is_empty() {
        let expected = "an empty folder, or that of the pass in this work folder; remove it to start anew".to_owned();
        let found = format!("`{}` of another pass", out.display_path(kept).display());
        return Err(Error::Argument { name: "out", expected, found });
    }
    Ok(())
}

/// What one stage is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum StageOptions {
    /// [`Stage::Sign`] is told everything; the folder remembers it.
    Sign {
        /// Files and folders to read.
        inputs: Vec<PathBuf>,
        /// What is removed.
        rules: Box<Rules>,
    },
    /// [`Stage::Apply`] is told where the output goes.
    Apply {
        /// The folder.
        out: PathBuf,
    },
    /// Any other.
    Other(Stage),
}

/// Does the units of one part of one stage; those that are done are not done again.
///
/// # Errors
/// As [`dedup`], and where a stage before is not done.
pub fn run_one(
    options: &StageOptions,
    work: &Path,
    part: Part,
    resources: Resources,
    progress: &Progress,
) -> Result<()> {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(work));
    let folder = work.to_path_buf();
    let work = match options {
        StageOptions::Sign { inputs, rules } => Work::create(
            storage,
            Pass::new((**rules).clone(), resources.seed, discover_besides(inputs, &[Some(&folder)])?.files)?,
        )?,
        StageOptions::Apply { .. } | StageOptions::Other(_) => Work::open(storage)?,
    };
    let (stage, out) = match options {
        StageOptions::Sign { .. } => (Stage::Sign, PathBuf::new()),
        StageOptions::Apply { out } => (Stage::Apply, out.clone()),
        StageOptions::Other(stage) => (*stage, PathBuf::new()),
    };
    let out = DiskStorage::new(out);
    // One stage reads everything once.
    with_context(&work, resources, 0, progress, |context| {
        if stage == Stage::Apply {
            out.create_dir(Path::new(""))?;
        }
        run_stage(context, stage, part, &out)?;
        // Whoever does the last unit writes what is of all units.
        if stage == Stage::Apply && is_applied(&work)? { finish(&work, &out).map(drop) } else { Ok(()) }
    })
}

fn with_context<T: Send>(
    work: &Work,
    resources: Resources,
    cache_bytes: usize,
    progress: &Progress,
    run: impl FnOnce(&Context<'_>) -> Result<T> + Send,
) -> Result<T> {
    let recipe: Recipe = work.pass.fingerprints;
    let path = work.storage.display_path(Path::new("recipe.json"));
    let fingerprinter = Fingerprinter::from_recipe(&recipe, resources.seed, &path)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(resources.threads).build();
    let pool = pool.map_err(|error| Error::Internal { component: "thread pool", problem: error.to_string() })?;
    let context = Context {
        work,
        fingerprinter,
        seed: resources.seed,
        threads: pool.current_num_threads(),
        memory_bytes: resources.memory_bytes,
        is_strict: resources.is_strict,
        blocks: BlockCache::new(cache_bytes),
        progress,
    };
    pool.install(|| run(&context))
}

fn run_stage(context: &Context<'_>, stage: Stage, part: Part, out: &dyn Storage) -> Result<()> {
    match stage {
        Stage::Sign => sign::sign(context, part),
        Stage::BandMerge => band_merge::band_merge(context, part),
        Stage::Cluster => cluster::cluster(context),
        Stage::Verify => verify::verify(context, part),
        Stage::Passages => passages::passages(context),
        Stage::Apply => apply::apply(context, part, out),
    }
}

fn is_applied(work: &Work) -> Result<bool> {
    for unit in 0..work.pass.units().len() {
        if work.receipt::<ApplyFacts>(Step::Apply, unit)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes files that a killed run was writing.
fn sweep_out(out: &dyn Storage) -> Result<()> {
    for name in out.list(Path::new(""))?.iter().filter(|name| name.starts_with("tmp-")) {
        out.remove_file(Path::new(name))?;
    }
    Ok(())
}

/// Writes what is of all units: the list of removed rows, and the report.
fn finish(work: &Work, out: &dyn Storage) -> Result<Report> {
    let signed: Vec<Receipt<SignFacts>> = sign::receipts(work)?;
    let copy = |name: &'static str, kind: Kind, write: &mut dyn FnMut(&[u8]) -> Result<()>| {
        for unit in 0..signed.len() {
            let receipt: Receipt<ApplyFacts> = work.expect_receipt(Step::Apply, unit)?;
            let file = work.open_file(&receipt, Step::Apply, name, kind)?;
            for start in (0..file.payload_bytes()).step_by(PIECE_BYTES) {
                write(file.slice(start..file.payload_bytes().min(start + PIECE_BYTES))?)?;
            }
            file.ensure_whole()?;
        }
        Ok(())
    };
    write_whole(out, "removed.jsonl", |write| copy("removed", Kind::Removed, write))?;
    if work.pass.rules.repository.is_some() {
        write_whole(out, "reported.jsonl", |write| copy("reported", Kind::Reported, write))?;
    }
    write_whole(out, "cuts.jsonl", |write| copy("cuts", Kind::CutLines, write))?;
    write_whole(out, "clusters.jsonl", |write| write_clusters(work, &signed, write))?;
    emit::emit(work, &signed, out)?;
    let report = make_report(work)?;
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::Internal { component: "report", problem: error.to_string() })?;
    write_whole(out, REPORT, |write| write(format!("{json}\n").as_bytes()))?;
    write_whole(out, "report.html", |write| write(html::page(&report).as_bytes()))?;
    Ok(report)
}

fn write_whole(
    out: &dyn Storage,
    name: &str,
    body: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let temporary = Work::temporary(name);
    let shown = out.display_path(Path::new(name));
    let mut file = out.create(&temporary)?;
    let written = body(&mut |bytes| file.write_all(bytes).map_err(|source| io_error("write", &shown, source)));
    let written = written
        .and_then(|()| file.flush().and_then(|()| file.sync()).map_err(|source| io_error("write", &shown, source)));
    if let Err(error) = written {
        let _ = out.remove_file(&temporary);
        return Err(error);
    }
    drop(file);
    out.rename(&temporary, Path::new(name))?;
    out.sync_dir(Path::new(""))
}
