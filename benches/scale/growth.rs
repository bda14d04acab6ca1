//! The growth bench: the same measurements at every size of the corpus.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::ids::Key;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::DiskStorage;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::recipe::PUBLIC_SEED;
use serde::Serialize;

use super::build::{Built, Job};
use super::corpus::Corpus;
use super::host::{self, Counter};
use super::queries::{self, Kind, PASSAGE_WORDS, Query, Score, Shape};

/// Text of one check, in bytes: 2 KB, as in `benches/check.rs`.
pub(crate) const TEXT_BYTES: std::ops::Range<usize> = 2_000..2_100;
/// Lookups that are timed together.
const LOOKUPS: usize = 200_000;

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How each index is built; its size is set by `sizes`.
    pub(crate) job: Job,
    /// Text of each corpus, in bytes.
    pub(crate) sizes: Vec<u64>,
    /// Folder for the indexes; each is removed after its measurements.
    pub(crate) dir: PathBuf,
    /// Texts of each kind that are checked warm.
    pub(crate) n_warm: u64,
    /// Texts of each kind that are checked cold.
    pub(crate) n_cold: u64,
    /// Whether instructions of builds are counted.
    pub(crate) counts_instructions: bool,
}

/// Everything measured at one size.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    /// The build.
    pub(crate) build: Built,
    /// Instructions of the build alone, and what counted them.
    pub(crate) instructions: Option<(u64, Counter)>,
    /// Bytes of the index by file name; `MANIFEST-n` and empty files apart.
    pub(crate) index_bytes: BTreeMap<String, u64>,
    /// One lookup of an anchor in the index, warm, on average: keys that are there, keys that are not, in nanoseconds of CPU time.
    pub(crate) lookup_ns: [f64; 2],
    /// Share of words of strangers' texts whose k-gram the index knows by chance.
    pub(crate) chance_hits: f64,
    /// Warm checks.
    pub(crate) warm: Vec<Warm>,
    /// Cold checks.
    pub(crate) cold: Vec<Cold>,
}

/// Warm checks of one kind of text.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Warm {
    pub(crate) kind: Kind,
    pub(crate) is_lexical: bool,
    pub(crate) n: usize,
    /// Thread CPU time, in microseconds.
    pub(crate) cpu_us: Spread,
    /// Wall time, in microseconds.
    pub(crate) wall_us: Spread,
    /// Share of planted passages that were found; see [`Score`].
    pub(crate) found: Option<f64>,
    /// Intersection over union of reported and planted span, over those found.
    pub(crate) overlap: Option<Overlap>,
    /// Share of texts that may not pass.
    pub(crate) flagged: f64,
}

/// How well spans fit: the mean, and the tenth percentile.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Overlap {
    pub(crate) mean: f64,
    pub(crate) p10: f64,
}

impl Overlap {
    /// `None` where there is none.
    fn of(overlaps: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = overlaps.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let p10 = *sorted.get(sorted.len().saturating_sub(1) / 10)?;
        Some(Self { mean: sorted.iter().sum::<f64>() / sorted.len() as f64, p10 })
    }
}

/// Checks of one kind of text, each on an index just opened whose pages were not in the page cache.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cold {
    pub(crate) kind: Kind,
    pub(crate) is_lexical: bool,
    pub(crate) is_prefetching: bool,
    pub(crate) n: usize,
    /// Wall time of opening the index, in microseconds.
    pub(crate) open_us: Spread,
    /// Wall time of the check, in microseconds.
    pub(crate) wall_us: Spread,
    /// Bytes that the check made the disk read, on average.
    pub(crate) read_bytes: f64,
}

/// Median and 99th percentile.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Spread {
    fn of(durations: impl Iterator<Item = std::time::Duration>) -> Self {
        let mut sorted: Vec<f64> = durations.map(|duration| duration.as_secs_f64() * 1e6).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |per_cent: usize| sorted.get(last * per_cent / 100).copied().unwrap_or(f64::NAN);
        Self { p50: at(50), p99: at(99) }
    }
}

/// Measures one size. The index is gone afterwards, also after an error.
pub(crate) fn measure(plan: &Plan, text_bytes: u64) -> anyhow::Result<Measured> {
    let dir = tempfile::Builder::new().prefix("index-").tempdir_in(&plan.dir)?;
    let job = Job { text_bytes, ..plan.job };
    let instructions = if plan.counts_instructions { Some(instructions(job, dir.path())?) } else { None };
    let index_dir = dir.path().join("index");
    let build = build_elsewhere(job, &index_dir)?;
    let corpus = Corpus::new(job.seed);
    let shape = Shape { n_docs: build.n_docs, bytes: TEXT_BYTES, words: PASSAGE_WORDS };
    let make = |kind, n| queries::make(&corpus, kind, n, &shape);
    let mut warm = Vec::new();
    let engine = Engine::open(&[&index_dir], PUBLIC_SEED, Policy::default_policy())?;
    for kind in Kind::ALL {
        let queries = make(kind, plan.n_warm);
        for is_lexical in [false, true] {
            warm.push(check_warm(&corpus, &engine, &queries, is_lexical)?);
        }
    }
    drop(engine);
    let strangers = make(Kind::Stranger, plan.n_warm);
    let index = Index::open(&DiskStorage::new(&index_dir), PUBLIC_SEED)?;
    let chance_hits = chance_hits(&index, &strangers)?;
    let lookup_ns = look_up(&index, &corpus)?;
    drop(index);
    let mut cold = Vec::new();
    for kind in [Kind::Verbatim, Kind::Stranger] {
        let queries = make(kind, plan.n_cold);
        for (is_lexical, is_prefetching) in [(false, true), (false, false), (true, true), (true, false)] {
            if plan.n_cold > 0 {
                cold.push(check_cold(&index_dir, &queries, is_lexical, is_prefetching)?);
            }
        }
    }
    let mut index_bytes = BTreeMap::new();
    add_sizes(&index_dir, &mut index_bytes)?;
    Ok(Measured { build, instructions, index_bytes, lookup_ns, chance_hits, warm, cold })
}

/// Arguments by which this program does a job and nothing else.
fn arguments(command: &str, job: Job, dir: &Path) -> Vec<String> {
    let Job { seed, text_bytes, memory_bytes, threads } = job;
    let options =
        [("--seed", seed), ("--size", text_bytes), ("--memory", memory_bytes as u64), ("--threads", threads as u64)];
    let mut args = vec![command.to_owned(), "--dir".to_owned(), dir.display().to_string()];
    args.extend(options.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]));
    args
}

/// Builds in a process of its own, so that its memory and CPU time are its own, too.
fn build_elsewhere(job: Job, dir: &Path) -> anyhow::Result<Built> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    let output = command.args(arguments("build", job, dir)).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the build failed");
    }
    serde_json::from_slice(&output.stdout).context("the build's report")
}

/// Counts the instructions of a build, those of making the corpus taken off. Both are counted side by side: time does not count.
fn instructions(job: Job, dir: &Path) -> anyhow::Result<(u64, Counter)> {
    let index_dir = dir.join("counted");
    let count = |command| host::count_instructions(&arguments(command, job, &index_dir));
    let (both, corpus) = std::thread::scope(|scope| {
        let corpus = scope.spawn(|| count("make"));
        (count("build"), corpus.join())
    });
    let ((both, counter), Ok(corpus)) = (both?, corpus) else {
        bail!("counting the instructions of the corpus panicked")
    };
    std::fs::remove_dir_all(&index_dir)?;
    Ok((both.saturating_sub(corpus?.0), counter))
}

fn check_warm(corpus: &Corpus, engine: &Engine, queries: &[Query], is_lexical: bool) -> anyhow::Result<Warm> {
    let requests = requests(queries, is_lexical);
    let mut scores = Vec::new();
    for (query, request) in queries.iter().zip(&requests) {
        scores.push(queries::score(corpus, query, &engine.check(request)?));
    }
    let mut taken = Vec::new();
    for request in &requests {
        let (answer, time) = host::time(|| engine.check(request));
        answer?;
        taken.push(time);
    }
    let n = scores.len();
    let found: Vec<&Score> = scores.iter().filter(|score| score.is_found).collect();
    let is_planted = queries.first().is_some_and(|query| query.planted.is_some());
    Ok(Warm {
        kind: queries.first().map_or(Kind::Stranger, |query| query.kind),
        is_lexical,
        n,
        cpu_us: Spread::of(taken.iter().map(|taken| taken.cpu)),
        wall_us: Spread::of(taken.iter().map(|taken| taken.wall)),
        found: is_planted.then(|| found.len() as f64 / n as f64),
        overlap: Overlap::of(found.iter().map(|score| score.overlap)),
        flagged: scores.iter().filter(|score| score.is_flagged).count() as f64 / n as f64,
    })
}

fn requests(queries: &[Query], is_lexical: bool) -> Vec<Request> {
    queries.iter().map(|query| Request { is_lexical, ..query.request.clone() }).collect()
}

fn check_cold(dir: &Path, queries: &[Query], is_lexical: bool, is_prefetching: bool) -> anyhow::Result<Cold> {
    let (mut open, mut check) = (Vec::new(), Vec::new());
    let mut read_bytes = 0;
    for request in requests(queries, is_lexical) {
        host::drop_page_cache(dir)?;
        let (index, taken) = host::time(|| Index::open(&DiskStorage::new(dir), PUBLIC_SEED));
        open.push(taken);
        let mut index = index?;
        index.set_prefetch(is_prefetching);
        let engine = Engine::new([("cold".to_owned(), index)], Policy::default_policy());
        let read_before = host::disk_read_bytes();
        let (answer, taken) = host::time(|| engine.check(&request));
        read_bytes += host::disk_read_bytes() - read_before;
        answer?;
        check.push(taken);
    }
    Ok(Cold {
        kind: queries.first().map_or(Kind::Stranger, |query| query.kind),
        is_lexical,
        is_prefetching,
        n: check.len(),
        open_us: Spread::of(open.iter().map(|taken| taken.wall)),
        wall_us: Spread::of(check.iter().map(|taken| taken.wall)),
        read_bytes: read_bytes as f64 / check.len() as f64,
    })
}

/// Keys of all k-grams of a text.
pub(crate) fn keys(index: &Index, text: &str) -> Vec<u64> {
    let (mut words, mut grams) = (Words::default(), Vec::new());
    index.fingerprinter().words(text, &mut words);
    index.fingerprinter().grams(&words, &mut grams);
    grams
}

/// Tells whether the index knows a k-gram.
fn knows(index: &Index, key: u64, values: &mut Vec<u64>) -> anyhow::Result<bool> {
    for segment in index.segments() {
        values.clear();
        if let Some(anchors) = segment.anchors()
            && anchors.lookup(Key(key), values)?.n_stored > 0
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn chance_hits(index: &Index, strangers: &[Query]) -> anyhow::Result<f64> {
    let (mut n, mut n_known, mut values) = (0_u64, 0_u64, Vec::new());
    for query in strangers {
        for key in keys(index, &query.request.text) {
            n += 1;
            n_known += u64::from(knows(index, key, &mut values)?);
        }
    }
    Ok(n_known as f64 / n.max(1) as f64)
}

/// Times lookups in the order of random keys: those of documents all over the corpus that the index knows, and those of strangers.
fn look_up(index: &Index, corpus: &Corpus) -> anyhow::Result<[f64; 2]> {
    let n_docs = index.n_docs();
    let mut random = corpus.random(u64::MAX);
    let (mut present, mut absent, mut values) = (Vec::new(), Vec::new(), Vec::new());
    while present.len() < LOOKUPS / 4 {
        let number = usize::try_from(n_docs).context("documents in memory")?;
        for key in keys(index, &corpus.document(random.below(number) as u64).text) {
            if knows(index, key, &mut values)? {
                present.push(key);
            }
        }
    }
    while absent.len() < LOOKUPS / 4 {
        absent.push(random.next());
    }
    let mut average = |keys: &mut Vec<u64>| -> anyhow::Result<f64> {
        // Neighbours in a document are no neighbours in the table, but its pages would still be in the processor's caches.
        keys.sort_unstable_by_key(|key| key.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (known, taken) = host::time(|| -> anyhow::Result<usize> {
            let mut n_known = 0;
            for &key in keys.iter().cycle().take(LOOKUPS) {
                n_known += usize::from(knows(index, key, &mut values)?);
            }
            Ok(n_known)
        });
        std::hint::black_box(known?);
        Ok(taken.cpu.as_secs_f64() * 1e9 / LOOKUPS as f64)
    };
    Ok([average(&mut present)?, average(&mut absent)?])
}

fn add_sizes(dir: &Path, sizes: &mut BTreeMap<String, u64>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            add_sizes(&entry.path(), sizes)?;
        } else if entry.metadata()?.len() > 0 {
            let name = entry.file_name().to_string_lossy().into_owned();
            *sizes.entry(name).or_insert(0) += entry.metadata()?.len();
        }
    }
    Ok(())
}
