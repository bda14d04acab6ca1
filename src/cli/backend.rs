//! The seam between the command line and the library: what a command asks for, and what it gets back to show.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use copytrace_indexer::corpus::Skipped;
use copytrace_indexer::removal::Selection;
use serde::Serialize;

use crate::check::Checker;
use crate::check::answer::DocumentRef;
use crate::dedup;
use crate::remaining::Remaining;

/// What the commands are made of. The program has one implementation, tests have another.
pub trait Backend: Sync {
    /// Reads documents and commits them to an index.
    ///
    /// `progress` may be told from any thread and as often as is convenient.
    fn index(&self, options: &IndexOptions, progress: &dyn ProgressSink) -> anyhow::Result<IndexSummary>;

    /// Opens indexes for checking.
    fn open_checker(&self, options: &CheckerOptions) -> anyhow::Result<Arc<dyn Checker>>;

    /// Limits what is repeated in a corpus; `on_stage` is called as each stage begins.
    fn dedup(
        &self,
        options: &dedup::run::Options,
        progress: &dyn ProgressSink,
        on_stage: &(dyn Fn(dedup::run::Stage) + Sync),
    ) -> anyhow::Result<dedup::run::Outcome>;

    /// Says what such a pass would take, from a sample of the input.
    fn plan(
        &self,
        inputs: &[PathBuf],
        rules: &dedup::recipe::Rules,
        resources: dedup::run::Resources,
    ) -> anyhow::Result<dedup::plan::Plan>;

    /// Does one part of one stage of such a pass.
    fn stage(
        &self,
        options: &dedup::run::StageOptions,
        work: &Path,
        part: dedup::work::Part,
        resources: dedup::run::Resources,
        progress: &dyn ProgressSink,
    ) -> anyhow::Result<()>;

    /// Removes documents, and says what is to be retrained and what still holds their texts; `progress` is told how far that comparison is.
    fn remove(&self, options: &RemoveOptions, progress: &dyn ProgressSink) -> anyhow::Result<RemovalSummary>;

    /// Compacts an index, drops what was removed from disk, joins other indexes.
    fn merge(&self, options: &MergeOptions, progress: &dyn ProgressSink) -> anyhow::Result<MergeSummary>;

    /// Says what an index is made of. Cost: reads manifests and catalogues, no text.
    fn inspect(&self, index: &IndexSource) -> anyhow::Result<Inspection>;

    /// Reads every byte of an index and says of each file whether it is sound, in the order of names.
    ///
    /// # Errors
    /// Only where nothing can be said at all; a damaged file is a result.
    fn verify(&self, index: &IndexSource, progress: &dyn ProgressSink) -> anyhow::Result<Verification>;

    /// Finds the documents that have any of some words, best first.
    fn search(&self, index: &IndexSource, words: &str, hits_max: usize) -> anyhow::Result<Found>;

    /// Answers requests until the process is told to stop. Calls `on_ready` once, with the address that is listened on.
    fn serve(&self, options: &ServeOptions, on_ready: &dyn Fn(SocketAddr)) -> anyhow::Result<()>;
}

/// Where a long piece of work says how far it is.
pub trait ProgressSink: Sync {
    /// Takes note of the state of the work. Cheap; later calls replace earlier ones.
    fn report(&self, snapshot: Snapshot);
}

/// How far a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Bytes of input files that were read.
    pub input_bytes_done: u64,
    /// Bytes of all input files; 0 where that is not known.
    pub input_bytes: u64,
    /// Documents that were taken so far.
    pub documents: u64,
    /// What is being done.
    pub step: Step,
}

/// Steps of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// Input is being read.
    #[default]
    Reading,
    /// All input was read; the rest is being written and made durable.
    Committing,
}

/// A private hash seed. It is a secret: neither its `Debug` form nor any message shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// What `copytrace index` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexOptions {
    /// Files and folders to read.
    pub inputs: Vec<PathBuf>,
    /// The index's folder; created if it is not there.
    pub index: PathBuf,
    /// Where in a row what is found.
    pub columns: Columns,
    /// Training shard of all documents whose row does not name one.
    pub shard: Option<String>,
    /// What happens to a document whose id is in the index already.
    pub on_duplicate: OnDuplicate,
    /// What the index is for.
    pub profile: Profile,
    /// Memory the build may use, in bytes.
    pub memory_bytes: u64,
    /// Threads to work with; `None` for one per core.
    pub threads: Option<usize>,
    /// Longest document taken, in bytes of text.
    pub document_bytes_max: u32,
    /// Whether the first row that cannot be used ends the work.
    pub is_strict: bool,
    /// Seed of the fingerprints; `None` for the public one.
    pub seed: Option<Seed>,
}

/// Column names as the user gave them: dotted, a comma list means the first that is present, `None` means the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// The text.
    pub text: Option<String>,
    /// The document's id.
    pub id: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Its repository, package or site.
    pub origin: Option<String>,
    /// Where a person finds it.
    pub uri: Option<String>,
    /// Its path, whose ending tells the language.
    pub path: Option<String>,
    /// Its training shard.
    pub shard: Option<String>,
}

/// What happens to a document whose id is in the index already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnDuplicate {
    /// The new document takes the place of the old one; an equal one changes nothing.
    Replace,
    /// The old document stays.
    Skip,
    /// The work ends with an error and the index stays as it was.
    Error,
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Everything that checks and deduplication need.
    Full,
    /// Only what deduplication needs: signatures and text, no passages, no search.
    Dedup,
}

/// What became of the input of `copytrace index`. Documents count once, in one of the four numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexSummary {
    /// Number of the index's commit.
    pub generation: u32,
    /// Documents that are new.
    pub added: u64,
    /// Documents that took the place of others.
    pub replaced: u64,
    /// Documents that were in the index already: equal ones, and all with [`OnDuplicate::Skip`].
    pub unchanged: u64,
    /// Rows that could not be used, by reason.
    pub skipped: Vec<SkippedRows>,
    /// Files that could not be read to their end, with what is wrong with them.
    pub failed_files: Vec<String>,
    /// Files that were not read, by reason.
    pub left_out: Vec<LeftOutFiles>,
    /// Documents of code among those taken.
    pub code_documents: u64,
    /// Of those, documents that lack some fingerprints of code: why, and how many.
    pub code_troubles: Vec<(String, u64)>,
    /// Words of the documents that were added or replaced.
    pub words: u64,
    /// Bytes of text of the documents that were read.
    pub text_bytes: u64,
    /// Documents in the index, those before this run included.
    pub documents: u64,
    /// Bytes of the index on disk.
    pub index_bytes: u64,
    /// Which columns were read, in each way in which they were; nothing for trees of files.
    pub columns: Vec<ColumnsTaken>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// Rows left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedRows {
    /// The reason's short name: [`SkipReason::name`](copytrace_indexer::corpus::SkipReason::name).
    pub reason: String,
    /// How many rows.
    pub rows: u64,
    /// The first of them, in the order of the input.
    #[serde(serialize_with = "examples_as_text")]
    pub examples: Vec<Skipped>,
}

fn examples_as_text<S: serde::Serializer>(examples: &[Skipped], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Example {
        path: String,
        row: u64,
        problem: String,
    }
    serializer.collect_seq(examples.iter().map(|skipped| Example {
        path: skipped.path.to_string_lossy().into_owned(),
        row: skipped.row,
        problem: skipped.reason.to_string(),
    }))
}

/// Files left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutFiles {
    /// The reason's short name.
    pub reason: String,
    /// How many files.
    pub files: u64,
    /// Name of the first of them.
    pub first: String,
}

/// Which columns were read, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnsTaken {
    /// The first input file that was read so.
    pub file: String,
    /// Roles and columns: `text = content, license = metadata.license`.
    pub columns: String,
}

/// Which indexes to ask, and by which policy to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckerOptions {
    /// The indexes' folders.
    pub indexes: Vec<PathBuf>,
    /// The policy file; `None` for the default policy.
    pub policy: Option<PathBuf>,
    /// Seed of the indexes' fingerprints; `None` for the public one.
    pub seed: Option<Seed>,
}

/// What `copytrace serve` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// What to answer from.
    pub checker: CheckerOptions,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
}

/// What `copytrace remove` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveOptions {
    /// The index's folder.
    pub index: PathBuf,
    /// Which documents.
    pub selection: Selection,
    /// Whether to tell what would be removed, and change nothing.
    pub is_dry_run: bool,
    /// How many removed documents' texts are looked for in what remains.
    pub compared_max: usize,
    /// Seed of the index's fingerprints; `None` for the public one.
    pub seed: Option<Seed>,
}

/// What `copytrace remove` did, or would do.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovalSummary {
    /// Number of the index's last commit.
    pub generation: u32,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Documents removed.
    pub removed: u64,
    /// Bytes of their text.
    pub text_bytes: u64,
    /// Ids that no document has, or the shard or origin if it has no document.
    pub not_found: Vec<String>,
    /// Removed documents per training shard, by name: what must be retrained. The empty name is "not known".
    pub shards: Vec<NameCount>,
    /// What still holds their texts.
    pub remaining: Remaining,
}

/// What `copytrace merge` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOptions {
    /// The index's folder.
    pub index: PathBuf,
    /// Folders of the indexes to join.
    pub from: Vec<PathBuf>,
    /// Memory the merge may use, in bytes.
    pub memory_bytes: u64,
    /// Threads to work with; `None` for one per core.
    pub threads: Option<usize>,
    /// Seed of the indexes' fingerprints; `None` for the public one.
    pub seed: Option<Seed>,
}

/// What `copytrace merge` did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeSummary {
    /// Number of the index's last commit.
    pub generation: u32,
    /// Whether anything was changed.
    pub changed: bool,
    /// Removed documents that are gone for good.
    pub dropped_removed: u64,
    /// Replaced versions of documents that are gone for good.
    pub dropped_replaced: u64,
    /// The receipt's path within the index folder; empty where nothing was dropped.
    pub receipt: String,
    /// Documents that came from other indexes.
    pub joined: u64,
    /// Documents of other indexes that were there already, or that a later one of them replaces.
    pub passed_over: u64,
    /// Segments before, those of other indexes included.
    pub segments_before: u64,
    /// Segments after.
    pub segments_after: u64,
    /// How many of them are as they were.
    pub segments_kept: u64,
    /// Documents in the index.
    pub documents: u64,
    /// Bytes of the index on disk.
    pub index_bytes: u64,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSource {
    /// Its folder.
    pub index: PathBuf,
    /// Seed of its fingerprints; `None` for the public one.
    pub seed: Option<Seed>,
}

/// What an index is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Its name: the folder's name.
    pub name: String,
    /// Number of its last commit.
    pub generation: u32,
    /// Version of the file format.
    pub format_version: u32,
    /// Every parameter of its fingerprints.
    pub recipe: String,
    /// Whether its fingerprints have a private seed.
    pub has_private_seed: bool,
    /// Documents that can be found.
    pub documents: u64,
    /// Documents that were removed and whose text the next merge will drop.
    pub removed_documents: u64,
    /// Words of the documents that can be found.
    pub words: u64,
    /// Bytes of text of the documents that can be found.
    pub text_bytes: u64,
    /// Bytes on disk.
    pub index_bytes: u64,
    /// Bytes on disk per component, over all segments.
    pub components: Vec<ComponentSize>,
    /// Its segments, oldest first.
    pub segments: Vec<SegmentInfo>,
    /// Documents per licence, most first; the empty name is "not known".
    pub licenses: Vec<NameCount>,
    /// Documents per origin, most first; the empty name is "not known".
    pub origins: Vec<NameCount>,
    /// Documents per training shard, most first; the empty name is "not known".
    pub shards: Vec<NameCount>,
}

/// The size of a part of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSize {
    /// The component: `text`, `anchors`, `catalogue`.
    pub name: String,
    /// Bytes on disk.
    pub bytes: u64,
}

/// One segment of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentInfo {
    /// Its folder's name.
    pub name: String,
    /// Documents that can be found.
    pub documents: u64,
    /// Documents that were removed.
    pub removed_documents: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// How many documents have a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameCount {
    /// The licence, origin or shard.
    pub name: String,
    /// How many documents.
    pub documents: u64,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Every file that the index should have, by name.
    pub files: Vec<FileCheck>,
    /// Names in the folder that are not part of this generation.
    pub leftovers: Vec<String>,
}

/// Whether a file of an index is sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileCheck {
    /// Its name within the index folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Number of the commit that wrote it.
    pub generation: u32,
    /// How many damages it has; 0 if it is sound.
    pub damage_count: u64,
    /// The first of them, in the order of the file.
    pub damages: Vec<FileDamage>,
}

/// A part of a file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileDamage {
    /// Number of the block, from 0; `None` for the whole file or a part that is no block.
    pub block: Option<u64>,
    /// First byte of the part in the file.
    pub start_byte: u64,
    /// The byte after its last.
    pub end_byte: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// The documents that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The first of them.
    pub hits: Vec<Hit>,
    /// How many there are.
    pub total: u64,
}

/// A document that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// The document.
    pub document: DocumentRef,
    /// What it is written in.
    pub language: String,
    /// Bytes of its text.
    pub text_bytes: u64,
}
