//! From rows of a corpus to a committed index: reading, fingerprinting and writing side by side, in bounded memory.
//!
//! ```text
//! reader thread: rows -> batches | all threads: batch -> prepared documents | one thread: prepared documents -> segment, in order
//! ```
//!
//! Batches depend on the rows alone and are written in order, so that the index does not depend on the number of threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::corpus::{Document, Row, Skipped};
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprinter;
use crate::ids::Generation;
use crate::index::prepared::{Prepared, Scratch};
use crate::index::segment_writer::{FinishedSegment, Keep, Profile, SegmentWriter};
use crate::index::writer::IndexWriter;
use crate::language::Language;
use crate::limits::{BUILD_MEMORY_BYTES, LEXED_BYTES_MAX, SEGMENT_DOCS_MAX, SEGMENT_TEXT_BYTES_MAX};
use crate::memory::MemoryPlan;

/// What a row takes besides its document, in bytes: fingerprints that even the shortest document has.
const ROW_BYTES: usize = 512;
/// Longest document of code that any thread prepares, in bytes: 1.6 MiB of working memory. Nine files of ten are shorter.
const SHORT_CODE_BYTES: usize = 16 << 10;
/// Examples kept for every reason for which rows are left out.
const EXAMPLES_MAX: usize = 5;

/// What to do with a document whose id is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDuplicate {
    /// The new one replaces the old one.
    #[default]
    Replace,
    /// The old one stays.
    Skip,
    /// Nothing is indexed.
    Error,
}

/// How to build.
#[derive(Debug, Clone, Copy)]
pub struct BuildOptions {
    /// Which parts the new segment has.
    pub profile: Profile,
    /// What to do with ids that are there already.
    pub on_duplicate: OnDuplicate,
    /// Whether the first row that cannot be used ends the build.
    pub is_strict: bool,
    /// Memory to be used at most, in bytes.
    pub memory_bytes: usize,
    /// Threads that make fingerprints; 0 for one a core.
    pub threads: usize,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            profile: Profile::Full,
            on_duplicate: OnDuplicate::Replace,
            is_strict: false,
            memory_bytes: BUILD_MEMORY_BYTES,
            threads: 0,
        }
    }
}

/// Running counts, to be read from another thread while a build goes on.
#[derive(Debug, Default)]
pub struct BuildProgress {
    /// Documents fingerprinted and written.
    pub documents: AtomicU64,
    /// Their text, in bytes.
    pub text_bytes: AtomicU64,
}

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildReport {
    /// The commit that made it visible.
    pub generation: u32,
    /// Documents that are new.
    pub added: u64,
    /// Documents that took the place of one with the same id.
    pub replaced: u64,
    /// Documents that were in the index already, text and attributes equal.
    pub unchanged: u64,
    /// Documents left out since their id was taken ([`OnDuplicate::Skip`]).
    pub kept_old: u64,
    /// Words indexed.
    pub words: u64,
    /// Text indexed, in bytes.
    pub text_bytes: u64,
    /// Documents of code among those indexed.
    pub code_documents: u64,
    /// Of those, documents that lack some fingerprints of code, by reason.
    pub code_troubles: BTreeMap<String, u64>,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<&'static str, SkippedRows>,
    /// Files that could not be read to their end, with what was wrong.
    pub failed_files: Vec<String>,
}

/// Rows that were left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkippedRows {
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Skipped>,
}

/// Reads rows to their end and commits them as a new segment.
///
/// # Errors
/// What reading a file says is listed in the report, and an error with [`BuildOptions::is_strict`]; a missing column, a duplicate id
/// with [`OnDuplicate::Error`], and trouble with the index are always errors. Nothing is committed after an error; segments that were full
/// before it (64 GiB of text each) stay.
pub fn build(
    writer: &mut IndexWriter,
    rows: impl Iterator<Item = Result<Row>> + Send,
    options: BuildOptions,
    progress: &BuildProgress,
) -> Result<BuildReport> {
    let pool = make_pool(options.threads)?;
    let plan = MemoryPlan::new(options.memory_bytes);
    let (sender, receiver) = sync_channel(1);
    let (done_sender, done) = channel();
    let target = &mut *writer;
    // The receiver moves in and is gone when the build ends, well or not: the reader then stops waiting for it.
    let built = std::thread::scope(move |scope| {
        scope.spawn(move || gather(rows, plan, &sender, &done));
        Build::new(target, options, progress)?.run(receiver, &done_sender, &pool)
    });
    if built.is_err() {
        writer.roll_back();
    }
    built
}

/// Makes the threads of a build; 0 for one a core.
pub(crate) fn make_pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Error::Internal { component: "thread pool", problem: error.to_string() })
}

/// Rows, and how much memory they count for, in bytes.
#[derive(Default)]
struct Batch {
    rows: Vec<Result<Row>>,
    n_bytes: usize,
}

/// Returns how much memory a document counts for on its way from the reader to the writer, in bytes.
pub(crate) fn counted_bytes(document: &Document) -> usize {
    document.memory_bytes() + ROW_BYTES
}

/// Cuts the rows into batches until nobody listens any more. `done` tells how much has been written: what is on the way is bounded.
fn gather(
    rows: impl Iterator<Item = Result<Row>>,
    plan: MemoryPlan,
    sender: &SyncSender<Batch>,
    done: &Receiver<usize>,
) {
    let mut batch = Batch::default();
    let mut in_flight_bytes = 0;
    for row in rows {
        let row = row.and_then(|row| refuse_too_long(row, plan));
        let n_bytes = match &row {
            Ok(Row::Document(document)) => counted_bytes(document),
            _ => ROW_BYTES,
        };
        let is_full = batch.n_bytes + n_bytes > plan.batch_bytes() && !batch.rows.is_empty();
        if is_full && sender.send(std::mem::take(&mut batch)).is_err() {
            return;
        }
        // What was not sent cannot be written: a batch is under way here, or it is this row alone that is larger than all that may be.
        while is_full && in_flight_bytes > 0 && in_flight_bytes + n_bytes > plan.in_flight_bytes() {
            match done.recv() {
                Ok(written_bytes) => in_flight_bytes -= written_bytes,
                Err(_) => return,
            }
        }
        in_flight_bytes += n_bytes;
        batch.n_bytes += n_bytes;
        batch.rows.push(row);
    }
    // Nobody listens after an error; there is nothing left to do here either way.
    let _ = sender.send(batch);
}

/// A document that is too long for the memory ends the build: left out, it would make the index depend on the memory.
fn refuse_too_long(row: Row, plan: MemoryPlan) -> Result<Row> {
    match row {
        Row::Document(document) if document.text.len() > plan.document_bytes_max() => {
            let what = format!("document `{}`", document.id);
            Err(plan.refuse(&what, document.text.len(), plan.document_bytes_max()))
        }
        row => Ok(row),
    }
}

struct Build<'a> {
    writer: &'a mut IndexWriter,
    fingerprinter: Fingerprinter,
    options: BuildOptions,
    progress: &'a BuildProgress,
    /// `None` only while a full one is being committed.
    segment: Option<SegmentWriter>,
    segment_docs: u32,
    segment_text_bytes: u64,
    report: BuildReport,
}

impl<'a> Build<'a> {
    fn new(writer: &'a mut IndexWriter, options: BuildOptions, progress: &'a BuildProgress) -> Result<Self> {
        let segment = Some(writer.start_segment(options.profile, options.memory_bytes)?);
        let fingerprinter = writer.fingerprinter().clone();
        let report = BuildReport::default();
        Ok(Self { writer, fingerprinter, options, progress, segment, segment_docs: 0, segment_text_bytes: 0, report })
    }

    fn run(mut self, receiver: Receiver<Batch>, done: &Sender<usize>, pool: &rayon::ThreadPool) -> Result<BuildReport> {
        let fingerprinter = self.fingerprinter.clone();
        let plan = MemoryPlan::new(self.options.memory_bytes);
        let workshop = Workshop::new(plan, pool.current_num_threads())?;
        let (mut ready, mut ready_bytes) = (Vec::new(), 0);
        loop {
            // Where the reader waits for what is ready to be written, there is nothing to be prepared beside it.
            let batch = if ready_bytes == 0 {
                receiver.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                receiver.try_recv()
            };
            let is_last = matches!(batch, Err(TryRecvError::Disconnected));
            let Batch { rows, n_bytes } = batch.unwrap_or_default();
            let documents = self.sort_out(rows)?;
            let (next, written) = pool.install(|| {
                rayon::join(|| workshop.prepare(documents, &fingerprinter), || self.write(std::mem::take(&mut ready)))
            });
            written?;
            // The reader ends before this does; then it needs to know no more.
            let _ = done.send(ready_bytes);
            (ready, ready_bytes) = (next, n_bytes);
            if is_last && ready_bytes == 0 {
                break;
            }
        }
        drop(receiver);
        self.refuse_if_nothing_was_usable()?;
        pool.install(|| self.commit_segment())?;
        Ok(self.report)
    }

    /// Input of which nothing could be read makes no index: one without documents would allow everything.
    fn refuse_if_nothing_was_usable(&self) -> Result<()> {
        let report = &self.report;
        let n_usable = report.added + report.replaced + report.unchanged + report.kept_old;
        let example = report.skipped.values().flat_map(|rows| &rows.examples).next();
        let problem = match (report.failed_files.first(), example) {
            _ if n_usable > 0 => return Ok(()),
            (None, None) => return Ok(()),
            (Some(failed), _) => format!("no row of the input could be used: {failed}"),
            (None, Some(skipped)) => {
                let (path, row, reason) = (skipped.path.display(), skipped.row, &skipped.reason);
                format!("no row of the input could be used: `{path}`, row {row}: {reason}")
            }
        };
        Err(Error::NothingUsable { problem })
    }

    /// Separates the documents of a batch from what is only counted.
    fn sort_out(&mut self, rows: Vec<Result<Row>>) -> Result<Vec<Document>> {
        let mut documents = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Ok(Row::Document(document)) => documents.push(*document),
                Ok(Row::Skipped(skipped)) if self.options.is_strict => {
                    let Skipped { path, row, reason } = skipped;
                    return Err(Error::Row { path, row, problem: reason.to_string() });
                }
                Ok(Row::Skipped(skipped)) => {
                    let rows = self.report.skipped.entry(skipped.reason.name()).or_default();
                    rows.count += 1;
                    if rows.examples.len() < EXAMPLES_MAX {
                        rows.examples.push(skipped);
                    }
                }
                Err(error) if self.options.is_strict || !is_of_one_file(&error) => return Err(error),
                Err(error) => self.report.failed_files.push(error.to_string()),
            }
        }
        Ok(documents)
    }

    fn write(&mut self, prepared: Vec<Prepared>) -> Result<()> {
        let mut accepted = Vec::with_capacity(prepared.len());
        for document in prepared {
            let text_bytes = document.document.text.len() as u64;
            self.progress.documents.fetch_add(1, Ordering::Relaxed);
            self.progress.text_bytes.fetch_add(text_bytes, Ordering::Relaxed);
            let is_full =
                self.segment_docs >= SEGMENT_DOCS_MAX || self.segment_text_bytes + text_bytes > SEGMENT_TEXT_BYTES_MAX;
            if is_full {
                // A full segment is committed on its own, so that a corpus of any size is indexed in bounded space; before the look-up, so
                // that a row of the same id in it is found.
                self.add(&std::mem::take(&mut accepted))?;
                self.commit_segment()?;
            }
            if self.accept(&document)? {
                self.segment_docs += 1;
                self.segment_text_bytes += text_bytes;
                self.report.words += u64::from(document.n_words);
                self.report.text_bytes += text_bytes;
                self.report.code_documents += u64::from(document.language.is_code());
                if let Some(trouble) = document.trouble {
                    *self.report.code_troubles.entry(trouble.to_string()).or_default() += 1;
                }
                accepted.push(document);
            }
        }
        self.add(&accepted)
    }

    /// Decides whether a document becomes part of the segment, by what the index has under its id.
    fn accept(&mut self, prepared: &Prepared) -> Result<bool> {
        let id = &prepared.document.id;
        let Some((segment_idx, doc)) = self.writer.find(id, prepared.id)? else {
            self.report.added += 1;
            return Ok(true);
        };
        let segment = self.writer.current().and_then(|index| index.segments().get(segment_idx));
        let old = segment.map(|segment| segment.record(doc)).transpose()?;
        if old.is_some_and(|old| old.row_hash == prepared.row_hash) {
            self.report.unchanged += 1;
            return Ok(false);
        }
        match self.options.on_duplicate {
            OnDuplicate::Replace => self.writer.remove(segment_idx, doc),
            OnDuplicate::Skip => {
                self.report.kept_old += 1;
                return Ok(false);
            }
            OnDuplicate::Error => return Err(Error::DuplicateId { id: id.clone() }),
        }
        self.report.replaced += 1;
        Ok(true)
    }

    fn add(&mut self, documents: &[Prepared]) -> Result<()> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None if documents.is_empty() => return Ok(()),
            none => none.insert(self.writer.start_segment(self.options.profile, self.options.memory_bytes)?),
        };
        segment.add_all(documents)
    }

    fn commit_segment(&mut self) -> Result<()> {
        let keep = match self.options.on_duplicate {
            OnDuplicate::Replace | OnDuplicate::Error => Keep::Last,
            OnDuplicate::Skip => Keep::First,
        };
        let finished = self.segment.take().map(|segment| segment.finish(keep)).transpose()?;
        (self.segment_docs, self.segment_text_bytes) = (0, 0);
        if let Some(FinishedSegment { n_duplicates, duplicate: Some(duplicate), .. }) = &finished {
            match self.options.on_duplicate {
                OnDuplicate::Replace => self.report.replaced += n_duplicates,
                OnDuplicate::Skip => self.report.kept_old += n_duplicates,
                OnDuplicate::Error => return Err(Error::DuplicateId { id: duplicate.id.clone() }),
            }
            self.report.added = self.report.added.saturating_sub(*n_duplicates);
        }
        let Generation(generation) = self.writer.commit(finished)?;
        self.report.generation = generation;
        Ok(())
    }
}

/// Where documents are prepared.
///
/// Long documents of code take up to 20 MiB each, and an allocator keeps for each thread much of what the thread freed. So they have threads of
/// their own, as many as the memory has room for.
#[derive(Debug)]
pub(crate) struct Workshop {
    long_code: rayon::ThreadPool,
    /// Buffers of those threads. Sound after a panic elsewhere: it only holds buffers.
    idle: Mutex<Vec<Scratch>>,
}

impl Workshop {
    /// Makes the threads: no more than `n_threads`.
    pub(crate) fn new(plan: MemoryPlan, n_threads: usize) -> Result<Self> {
        Ok(Self { long_code: make_pool(plan.n_code_documents().min(n_threads).max(1))?, idle: Mutex::default() })
    }

    /// Makes the fingerprints of documents, on all threads of the caller's pool.
    pub(crate) fn prepare(&self, documents: Vec<Document>, fingerprinter: &Fingerprinter) -> Vec<Prepared> {
        let prepare = |scratch: &mut Scratch, document: Document| {
            if is_long_code(&document) {
                return self.long_code.install(|| self.prepare_long_code(document, fingerprinter));
            }
            Prepared::new(document, fingerprinter, scratch)
        };
        documents.into_par_iter().map_init(Scratch::default, prepare).collect()
    }

    fn prepare_long_code(&self, document: Document, fingerprinter: &Fingerprinter) -> Prepared {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let prepared = Prepared::new(document, fingerprinter, &mut scratch);
        idle().push(scratch);
        prepared
    }
}

/// Tells whether a document takes much more memory than others while it is prepared.
fn is_long_code(document: &Document) -> bool {
    let language: Language = document.attributes.language.parse().unwrap_or_default();
    (SHORT_CODE_BYTES + 1..=LEXED_BYTES_MAX).contains(&document.text.len()) && language.is_code()
}

/// Tells whether an error spoils one input file only, so that the others can still be read.
fn is_of_one_file(error: &Error) -> bool {
    match error {
        Error::Input { .. } | Error::Io { .. } | Error::Row { .. } => true,
        Error::Corrupt { .. }
        | Error::Incompatible { .. }
        | Error::NoIndex { .. }
        | Error::Locked { .. }
        | Error::MissingColumn { .. }
        | Error::Argument { .. }
        | Error::DuplicateId { .. }
        | Error::NothingUsable { .. }
        | Error::ForeignFolder { .. }
        | Error::Internal { .. } => false,
    }
}
