//! Builds an index of a made-up corpus in this process, and says what that took.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use copytrace_indexer::corpus::Row;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use serde::{Deserialize, Serialize};

use super::corpus::Corpus;
use super::host;

/// What is built, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// Seed of the corpus.
    pub(crate) seed: u64,
    /// Text, in bytes; the last document may go beyond.
    pub(crate) text_bytes: u64,
    /// Memory of the build, in bytes.
    pub(crate) memory_bytes: usize,
    /// Threads; 0 for one a core.
    pub(crate) threads: usize,
}

/// What a build took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Built {
    /// Documents.
    pub(crate) n_docs: u64,
    /// Their words.
    pub(crate) n_words: u64,
    /// Their text, in bytes.
    pub(crate) text_bytes: u64,
    /// From start to commit, in seconds; the corpus is made meanwhile.
    pub(crate) wall_s: f64,
    /// CPU time, without that of making the corpus, in seconds.
    pub(crate) cpu_s: f64,
    /// CPU time of making the corpus, in seconds.
    pub(crate) corpus_cpu_s: f64,
    /// Peak of anonymous memory, in bytes.
    pub(crate) peak_anonymous_bytes: u64,
}

/// The documents of a corpus up to a number of bytes.
pub(crate) fn rows(corpus: &Corpus, text_bytes: u64) -> impl Iterator<Item = copytrace_indexer::corpus::Document> {
    let mut made_bytes = 0;
    (0..).map_while(move |number| {
        if made_bytes >= text_bytes {
            return None;
        }
        let document = corpus.document(number);
        made_bytes += document.text.len() as u64;
        Some(document)
    })
}

/// Builds an index in a folder that is empty or absent.
pub(crate) fn run(job: Job, dir: &Path) -> anyhow::Result<Built> {
    let corpus = Corpus::new(job.seed);
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir));
    storage.create_dir(Path::new(""))?;
    let corpus_cpu_ns = AtomicU64::new(0);
    let mut documents = rows(&corpus, job.text_bytes);
    let rows = std::iter::from_fn(|| {
        let (document, taken) = host::time(|| documents.next());
        corpus_cpu_ns.fetch_add(u64::try_from(taken.cpu.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Some(Ok(Row::Document(Box::new(document?))))
    });
    let options = BuildOptions { memory_bytes: job.memory_bytes, threads: job.threads, ..BuildOptions::default() };
    let (start, cpu) = (std::time::Instant::now(), host::process_cpu());
    let (report, peak_anonymous_bytes) = host::peak_anonymous_bytes(|| {
        let mut writer = IndexWriter::open(storage, PUBLIC_SEED)?;
        build(&mut writer, rows, options, &BuildProgress::default())
    });
    let report = report?;
    anyhow::ensure!(report.unchanged == 0 && report.replaced == 0, "`{}` held an index already", dir.display());
    let corpus_cpu = Duration::from_nanos(corpus_cpu_ns.load(Ordering::Relaxed));
    Ok(Built {
        n_docs: report.added,
        n_words: report.words,
        text_bytes: report.text_bytes,
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: host::process_cpu().saturating_sub(cpu).saturating_sub(corpus_cpu).as_secs_f64(),
        corpus_cpu_s: corpus_cpu.as_secs_f64(),
        peak_anonymous_bytes,
    })
}

/// Makes the corpus and throws it away; returns its length in bytes.
pub(crate) fn make_only(job: Job) -> u64 {
    let corpus = Corpus::new(job.seed);
    rows(&corpus, job.text_bytes).map(|document| document.text.len() as u64).sum()
}
