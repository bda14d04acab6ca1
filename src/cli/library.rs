//! The backend of the program: this library.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Context as _;
use copytrace_indexer::corpus::columns::{ColumnOptions, Columns as ColumnList};
use copytrace_indexer::corpus::input::discover;
use copytrace_indexer::corpus::options::ReadOptions;
use copytrace_indexer::corpus::reader::Reader;
use copytrace_indexer::ids::DocIdx;
use copytrace_indexer::index::block_file::FORMAT_VERSION;
use copytrace_indexer::index::damage::{Damage, ExaminedFile, examine};
use copytrace_indexer::index::manifest::Manifest;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::segment_writer::Profile as SegmentProfile;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::memory::MemoryPlan;
use copytrace_indexer::normalise::for_each_word;
use copytrace_indexer::pipeline::{self, BuildOptions, BuildProgress, BuildReport};
use copytrace_indexer::recipe::Recipe;

use super::backend::{
    Backend, CheckerOptions, Columns, ColumnsTaken, ComponentSize, FileCheck, FileDamage, Found, Hit, IndexOptions,
    IndexSource, IndexSummary, Inspection, LeftOutFiles, MergeOptions, MergeSummary, NameCount, OnDuplicate, Profile,
    ProgressSink, RemovalSummary, RemoveOptions, SegmentInfo, ServeOptions, SkippedRows, Snapshot, Step, Verification,
};
use super::upkeep::{self, seed_of, segment_bytes};
use super::watch::watched;
use crate::check::Checker;
use crate::check::answer::DocumentRef;
use crate::check::engine::Engine;
use crate::check::indexes::index_name;
use crate::check::policy::Policy;
use crate::dedup;

/// Does what the commands ask for, with this library.
#[derive(Debug, Clone, Copy)]
pub struct Library;

impl Backend for Library {
    fn index(&self, options: &IndexOptions, progress: &dyn ProgressSink) -> anyhow::Result<IndexSummary> {
        let start = Instant::now();
        let discovery = discover(&options.inputs)?;
        let read = ReadOptions {
            columns: column_options(&options.columns)?,
            shard: options.shard.clone(),
            document_bytes_max: options.document_bytes_max,
            memory: MemoryPlan::new(usize::try_from(options.memory_bytes).unwrap_or(usize::MAX)),
        };
        let mut reader = Reader::new(discovery.files, read);
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(&options.index));
        let mut writer = IndexWriter::open(storage, seed_of(options.seed))?;
        let report = build(&mut writer, &mut reader, options, progress)?;
        let documents = writer.current().map_or(0, Index::n_docs);
        let index_bytes = writer.current().map_or(0, |index| index.segments().iter().map(segment_bytes).sum());
        let left_out = discovery.left_out.into_iter().map(|left_out| LeftOutFiles {
            reason: left_out.reason.name().to_owned(),
            files: left_out.n_files,
            first: left_out.first,
        });
        let columns = reader
            .mappings()
            .iter()
            .map(|taken| ColumnsTaken { file: taken.file_name.clone(), columns: taken.mapping.to_string() });
        Ok(IndexSummary {
            generation: report.generation,
            added: report.added,
            replaced: report.replaced,
            unchanged: report.unchanged + report.kept_old,
            skipped: skipped(&report),
            failed_files: report.failed_files,
            code_documents: report.code_documents,
            code_troubles: report.code_troubles.into_iter().collect(),
            left_out: left_out.collect(),
            words: report.words,
            text_bytes: report.text_bytes,
            documents,
            index_bytes,
            columns: columns.collect(),
            elapsed_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn open_checker(&self, options: &CheckerOptions) -> anyhow::Result<Arc<dyn Checker>> {
        let policy = match &options.policy {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the policy file `{}`", path.display()))?;
                Policy::parse(&text, &path.to_string_lossy())?
            }
            None => Policy::default_policy(),
        };
        Ok(Arc::new(Engine::open(&options.indexes, seed_of(options.seed), policy)?))
    }

    fn dedup(
        &self,
        options: &dedup::run::Options,
        progress: &dyn ProgressSink,
        on_stage: &(dyn Fn(dedup::run::Stage) + Sync),
    ) -> anyhow::Result<dedup::run::Outcome> {
        let done = dedup::context::Progress::default();
        Ok(watched(progress, || snapshot_of(&done), || dedup::run::dedup(options, &done, on_stage))?)
    }

    fn plan(
        &self,
        inputs: &[PathBuf],
        rules: &dedup::recipe::Rules,
        resources: dedup::run::Resources,
    ) -> anyhow::Result<dedup::plan::Plan> {
        Ok(dedup::plan::plan(inputs, rules, resources)?)
    }

    fn stage(
        &self,
        options: &dedup::run::StageOptions,
        work: &Path,
        part: dedup::work::Part,
        resources: dedup::run::Resources,
        progress: &dyn ProgressSink,
    ) -> anyhow::Result<()> {
        let done = dedup::context::Progress::default();
        Ok(watched(progress, || snapshot_of(&done), || dedup::run::run_one(options, work, part, resources, &done))?)
    }

    fn remove(&self, options: &RemoveOptions, progress: &dyn ProgressSink) -> anyhow::Result<RemovalSummary> {
        upkeep::remove(options, progress)
    }

    fn merge(&self, options: &MergeOptions, progress: &dyn ProgressSink) -> anyhow::Result<MergeSummary> {
        upkeep::merge(options, progress)
    }

    fn inspect(&self, source: &IndexSource) -> anyhow::Result<Inspection> {
        let index = open(source)?;
        let mut inspection = Inspection {
            name: index_name(&source.index),
            generation: index.generation().0,
            format_version: FORMAT_VERSION,
            recipe: index.fingerprinter().recipe().to_string(),
            has_private_seed: index.fingerprinter().recipe().seed_check != Recipe::default().seed_check,
            ..Inspection::default()
        };
        let mut components: BTreeMap<String, u64> = BTreeMap::new();
        let mut names: [BTreeMap<String, u64>; 3] = Default::default();
        for segment in index.segments() {
            let entry = segment.entry();
            inspection.segments.push(SegmentInfo {
                name: entry.name.clone(),
                documents: segment.n_live_docs().into(),
                removed_documents: u64::from(entry.n_docs - segment.n_live_docs()),
                bytes: segment_bytes(segment),
            });
            for (name, seal) in &entry.files {
                *components.entry(name.clone()).or_default() += seal.file_bytes;
            }
            for doc in live_docs(segment) {
                let record = segment.record(doc)?;
                inspection.words += u64::from(record.n_words);
                inspection.text_bytes += record.text.end - record.text.start;
                let (_, attributes) = segment.attributes(doc)?;
                for (names, name) in names.iter_mut().zip([attributes.license, attributes.origin, attributes.shard]) {
                    *names.entry(name).or_default() += 1;
                }
            }
        }
        inspection.documents = inspection.segments.iter().map(|segment| segment.documents).sum();
        inspection.removed_documents = inspection.segments.iter().map(|segment| segment.removed_documents).sum();
        inspection.index_bytes = inspection.segments.iter().map(|segment| segment.bytes).sum();
        inspection.components = components.into_iter().map(|(name, bytes)| ComponentSize { name, bytes }).collect();
        let [licenses, origins, shards] = names.map(most_first);
        Ok(Inspection { licenses, origins, shards, ..inspection })
    }

    fn verify(&self, source: &IndexSource, progress: &dyn ProgressSink) -> anyhow::Result<Verification> {
        let storage = DiskStorage::new(&source.index);
        let mut snapshot = Snapshot::default();
        if let Ok(Some(manifest)) = Manifest::read_newest(&storage) {
            let seals = manifest.segments.iter().flat_map(|entry| entry.files.values());
            snapshot.input_bytes = seals.map(|seal| seal.file_bytes).sum();
        }
        progress.report(snapshot);
        let examined = examine(&storage, &mut |n_bytes| {
            snapshot.input_bytes_done += n_bytes;
            progress.report(snapshot);
        })?;
        Ok(Verification { files: examined.files.into_iter().map(file_check).collect(), leftovers: examined.leftovers })
    }

    fn search(&self, source: &IndexSource, words: &str, hits_max: usize) -> anyhow::Result<Found> {
        let index = open(source)?;
        let mut terms = Vec::new();
        for_each_word(words, |word, _| terms.push(word.to_owned()));
        let mut ranked = Vec::new();
        let mut total = 0;
        for (segment_idx, segment) in index.segments().iter().enumerate() {
            let found = segment.catalog().search(&terms, segment.entry().n_docs as usize)?;
            let live = found.into_iter().filter(|(doc, _)| !segment.is_removed(*doc));
            let before = ranked.len();
            ranked.extend(live.map(|(doc, score)| (score, segment_idx, doc)));
            total += (ranked.len() - before) as u64;
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut hits = Vec::new();
        for (_, segment_idx, doc) in ranked.into_iter().take(hits_max) {
            let segment = &index.segments()[segment_idx];
            let (id, attributes) = segment.attributes(doc)?;
            let text = segment.record(doc)?.text;
            hits.push(Hit {
                language: attributes.language.clone(),
                document: DocumentRef::new(id, attributes, index_name(&source.index)),
                text_bytes: text.end - text.start,
            });
        }
        Ok(Found { hits, total })
    }

    #[cfg(feature = "service")]
    fn serve(&self, options: &ServeOptions, on_ready: &dyn Fn(SocketAddr)) -> anyhow::Result<()> {
        let checker = self.open_checker(&options.checker)?;
        Ok(crate::service::run(crate::service::ServeConfig::new(options.listen), checker, on_ready)?)
    }

    #[cfg(not(feature = "service"))]
    fn serve(&self, _: &ServeOptions, _: &dyn Fn(SocketAddr)) -> anyhow::Result<()> {
        anyhow::bail!("this program was built without the service: build it with the feature `service`")
    }
}

fn snapshot_of(progress: &dedup::context::Progress) -> Snapshot {
    Snapshot {
        input_bytes_done: progress.done.load(Ordering::Relaxed),
        input_bytes: progress.total.load(Ordering::Relaxed),
        documents: progress.documents.load(Ordering::Relaxed),
        step: Step::Reading,
    }
}

fn open(source: &IndexSource) -> anyhow::Result<Index> {
    Ok(Index::open(&DiskStorage::new(&source.index), seed_of(source.seed))?)
}

fn file_check(examined: ExaminedFile) -> FileCheck {
    let ExaminedFile { file, generation, bytes, n_damages, damages } = examined;
    let damages = damages.into_iter().map(|Damage { block, bytes, problem }| FileDamage {
        block,
        start_byte: bytes.start,
        end_byte: bytes.end,
        problem,
    });
    FileCheck { file, bytes, generation, damage_count: n_damages, damages: damages.collect() }
}

fn column_options(columns: &Columns) -> anyhow::Result<ColumnOptions> {
    let parse = |names: &Option<String>| names.as_deref().map(ColumnList::parse).transpose();
    Ok(ColumnOptions {
        text: parse(&columns.text)?,
        id: parse(&columns.id)?,
        license: parse(&columns.license)?,
        origin: parse(&columns.origin)?,
        uri: parse(&columns.uri)?,
        path: parse(&columns.path)?,
        shard: parse(&columns.shard)?,
        language: None,
    })
}

/// Builds while a second thread shows how far it is.
fn build(
    writer: &mut IndexWriter,
    reader: &mut Reader,
    options: &IndexOptions,
    progress: &dyn ProgressSink,
) -> anyhow::Result<BuildReport> {
    let build_options = BuildOptions {
        profile: match options.profile {
            Profile::Full => SegmentProfile::Full,
            Profile::Dedup => SegmentProfile::Dedup,
        },
        on_duplicate: match options.on_duplicate {
            OnDuplicate::Replace => pipeline::OnDuplicate::Replace,
            OnDuplicate::Skip => pipeline::OnDuplicate::Skip,
            OnDuplicate::Error => pipeline::OnDuplicate::Error,
        },
        is_strict: options.is_strict,
        memory_bytes: usize::try_from(options.memory_bytes).unwrap_or(usize::MAX),
        threads: options.threads.unwrap_or(0),
    };
    let (counts, read) = (BuildProgress::default(), reader.progress());
    let state = || {
        let read = read.now();
        let is_read = read.files_done == read.files;
        Snapshot {
            input_bytes_done: read.input_bytes_done,
            input_bytes: read.input_bytes,
            documents: counts.documents.load(Ordering::Relaxed),
            step: if is_read { Step::Committing } else { Step::Reading },
        }
    };
    Ok(watched(progress, state, || pipeline::build(writer, reader, build_options, &counts))?)
}

fn skipped(report: &BuildReport) -> Vec<SkippedRows> {
    let rows = report.skipped.iter();
    rows.map(|(reason, rows)| SkippedRows {
        reason: (*reason).to_owned(),
        rows: rows.count,
        examples: rows.examples.clone(),
    })
    .collect()
}

fn live_docs(segment: &Segment) -> impl Iterator<Item = DocIdx> + '_ {
    (0..segment.entry().n_docs).map(DocIdx).filter(|&doc| !segment.is_removed(doc))
}

/// Names with most documents first, then by name.
fn most_first(counts: BTreeMap<String, u64>) -> Vec<NameCount> {
    let mut counts: Vec<NameCount> =
        counts.into_iter().map(|(name, documents)| NameCount { name, documents }).collect();
    counts.sort_by(|a, b| b.documents.cmp(&a.documents).then_with(|| a.name.cmp(&b.name)));
    counts
}
