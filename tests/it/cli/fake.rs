//! A library that answers what a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use copytrace::check::answer::{Action, Answer, DocumentRef, Verdict};
use copytrace::check::{Checker, Request};
use copytrace::cli::backend::{
    Backend, CheckerOptions, ColumnsTaken, ComponentSize, FileCheck, FileDamage, Found, Hit, IndexOptions, IndexSource,
    IndexSummary, Inspection, LeftOutFiles, MergeOptions, MergeSummary, NameCount, ProgressSink, RemovalSummary,
    RemoveOptions, SegmentInfo, ServeOptions, SkippedRows, Snapshot, Step, Verification,
};
use copytrace::remaining::{Remaining, RemainingDocument};
use copytrace_indexer::corpus::{SkipReason, Skipped};
use copytrace_indexer::removal::Selection;

type Respond = dyn Fn(&Request) -> copytrace::Result<Answer> + Send + Sync;
type Fail = dyn Fn() -> anyhow::Error + Send + Sync;

/// A library without any index.
pub(super) struct Fake {
    respond: Arc<Respond>,
    fail: Option<Box<Fail>>,
    /// What was asked for, as the options print themselves.
    pub(super) calls: Mutex<Vec<String>>,
}

impl Fake {
    /// Makes a library that allows all texts, except those with `copied` in them, which it flags.
    pub(super) fn new() -> Self {
        Self::responding(|request| {
            let action = if request.text.contains("copied") { Action::Flag } else { Action::Allow };
            Ok(Answer {
                id: request.id.clone(),
                verdict: Verdict { action, ..Verdict::default() },
                checked_bytes: u32::try_from(request.text.len()).expect("a short text"),
                ..Answer::default()
            })
        })
    }

    pub(super) fn responding(respond: impl Fn(&Request) -> copytrace::Result<Answer> + Send + Sync + 'static) -> Self {
        Self { respond: Arc::new(respond), fail: None, calls: Mutex::default() }
    }

    /// Makes a library of which every part fails.
    pub(super) fn failing(fail: impl Fn() -> anyhow::Error + Send + Sync + 'static) -> Self {
        Self { fail: Some(Box::new(fail)), ..Self::new() }
    }

    fn called(&self, call: String) -> anyhow::Result<()> {
        self.calls.lock().expect("no panic").push(call);
        self.fail.as_ref().map_or(Ok(()), |fail| Err(fail()))
    }
}

struct FakeChecker(Arc<Respond>);

impl Checker for FakeChecker {
    fn check(&self, request: &Request) -> copytrace::Result<Answer> {
        (self.0)(request)
    }
}

impl Backend for Fake {
    fn index(&self, options: &IndexOptions, progress: &dyn ProgressSink) -> anyhow::Result<IndexSummary> {
        self.called(format!("{options:#?}"))?;
        progress.report(Snapshot { input_bytes_done: 1, input_bytes: 2, documents: 1, step: Step::Reading });
        let skipped = |row, reason| Skipped { path: "corpus/a.jsonl.gz".into(), row, reason };
        Ok(IndexSummary {
            code_documents: 4_200,
            code_troubles: vec![
                ("costly to parse (a run of NUL bytes): compared by their tokens alone".into(), 1),
                ("longer than 1048576 bytes: compared word by word".into(), 2),
            ],
            generation: 3,
            added: 9_990,
            replaced: 10,
            unchanged: 2,
            skipped: vec![
                SkippedRows {
                    reason: "empty text".into(),
                    rows: 10,
                    examples: [3, 17, 80, 81].map(|row| skipped(row, SkipReason::EmptyText)).to_vec(),
                },
                SkippedRows {
                    reason: "too long".into(),
                    rows: 1,
                    examples: vec![skipped(99, SkipReason::TooLong { bytes: 40 << 20, bytes_max: 32 << 20 })],
                },
            ],
            words: 4_213_000,
            text_bytes: 25_100_000,
            documents: 10_003,
            index_bytes: 31_200_000,
            failed_files: Vec::new(),
            left_out: vec![LeftOutFiles {
                reason: "no data file, in a data folder".into(),
                files: 2,
                first: "corpus/README.md".into(),
            }],
            columns: [
                ("a.jsonl.gz", "text = text or content, id = id"),
                ("b.parquet", "text = content, license = meta.license"),
            ]
            .map(|(file, columns)| ColumnsTaken { file: format!("corpus/{file}"), columns: columns.into() })
            .to_vec(),
            elapsed_ms: 1_234,
        })
    }

    fn open_checker(&self, options: &CheckerOptions) -> anyhow::Result<Arc<dyn Checker>> {
        self.called(format!("{options:#?}"))?;
        Ok(Arc::new(FakeChecker(Arc::clone(&self.respond))))
    }

    fn remove(&self, options: &RemoveOptions, _: &dyn ProgressSink) -> anyhow::Result<RemovalSummary> {
        self.called(format!("{options:#?}"))?;
        if let Selection::Origin(name) = &options.selection {
            return Ok(RemovalSummary { generation: 7, not_found: vec![name.clone()], ..RemovalSummary::default() });
        }
        let remaining = |id: &str, same_words, share| RemainingDocument {
            removed_id: "poems.jsonl:17".into(),
            document: DocumentRef { id: id.into(), index: "corpus-index".into(), ..DocumentRef::default() },
            same_words,
            matched_tokens: 120,
            share,
        };
        let shard = |name: &str, documents| NameCount { name: name.into(), documents };
        Ok(RemovalSummary {
            generation: 8,
            dry_run: options.is_dry_run,
            removed: 1_203,
            text_bytes: 2_600_000,
            not_found: (1..=22).map(|n| format!("evil\u{1b}[2Jid {n}")).collect(),
            shards: vec![shard("", 3), shard("0003", 1_200)],
            remaining: Remaining {
                compared: 1_000,
                not_compared: 203,
                incomplete: vec!["index `corpus-index`: more candidates than are compared".into()],
                documents: vec![remaining("mirror/raven", true, 1.0), remaining("anthology/3", false, 0.459)],
            },
        })
    }

    fn dedup(
        &self,
        options: &copytrace::dedup::run::Options,
        _: &dyn ProgressSink,
        _: &(dyn Fn(copytrace::dedup::run::Stage) + Sync),
    ) -> anyhow::Result<copytrace::dedup::run::Outcome> {
        self.called(format!("{options:#?}"))?;
        let report = copytrace::dedup::report::Report { rules: options.rules.clone(), ..Default::default() };
        Ok(copytrace::dedup::run::Outcome { report, left_out: Vec::new() })
    }

    fn plan(
        &self,
        inputs: &[std::path::PathBuf],
        rules: &copytrace::dedup::recipe::Rules,
        _: copytrace::dedup::run::Resources,
    ) -> anyhow::Result<copytrace::dedup::plan::Plan> {
        self.called(format!("plan {inputs:?} {rules:#?}"))?;
        Ok(copytrace::dedup::plan::Plan {
            files: 3,
            input_bytes: 12_000_000_000,
            rows: 9_000_000,
            ..Default::default()
        })
    }

    fn stage(
        &self,
        options: &copytrace::dedup::run::StageOptions,
        work: &std::path::Path,
        part: copytrace::dedup::work::Part,
        _: copytrace::dedup::run::Resources,
        _: &dyn ProgressSink,
    ) -> anyhow::Result<()> {
        self.called(format!("{options:#?} {} {part:?}", work.display()))
    }

    fn merge(&self, options: &MergeOptions, progress: &dyn ProgressSink) -> anyhow::Result<MergeSummary> {
        self.called(format!("{options:#?}"))?;
        progress.report(Snapshot { input_bytes_done: 1, input_bytes: 2, documents: 1, step: Step::Reading });
        let summary = MergeSummary {
            generation: 9,
            documents: 10_003,
            index_bytes: 31_200_000,
            elapsed_ms: 1_234,
            segments_before: 5,
            segments_after: 2,
            segments_kept: 2,
            ..MergeSummary::default()
        };
        if options.from.is_empty() {
            return Ok(summary);
        }
        Ok(MergeSummary {
            changed: true,
            dropped_removed: 1_203,
            dropped_replaced: 4,
            receipt: "receipts/removed-000009.json".into(),
            joined: 17,
            passed_over: 3,
            segments_kept: 1,
            ..summary
        })
    }

    fn inspect(&self, index: &IndexSource) -> anyhow::Result<Inspection> {
        self.called(format!("{index:#?}"))?;
        let names = |names: &[(&str, u64)]| -> Vec<NameCount> {
            names.iter().map(|&(name, documents)| NameCount { name: name.into(), documents }).collect()
        };
        Ok(Inspection {
            name: "corpus-index".into(),
            generation: 7,
            format_version: 2,
            recipe: "normaliser 1, k 8, L 25, shingle 5, K 256, bands 32x8".into(),
            has_private_seed: false,
            documents: 9_997,
            removed_documents: 3,
            words: 4_213_000,
            text_bytes: 25_100_000,
            index_bytes: 31_200_000,
            components: [("text", 9_100_000), ("anchors", 18_000_000), ("catalogue", 4_100_000)]
                .map(|(name, bytes)| ComponentSize { name: name.into(), bytes })
                .to_vec(),
            segments: (1..=12)
                .map(|n| SegmentInfo {
                    name: format!("segment-{n:04}"),
                    documents: 1000 - n,
                    removed_documents: n % 2,
                    bytes: 2_600_000,
                })
                .collect(),
            licenses: names(&[("Apache-2.0", 5_000), ("MIT", 3_000), ("", 1_997)]),
            origins: names(&[("github.com/a/b", 412), ("evil\u{1b}[2Jorigin", 17)]),
            shards: Vec::new(),
        })
    }

    fn verify(&self, index: &IndexSource, _: &dyn ProgressSink) -> anyhow::Result<Verification> {
        self.called(format!("{index:#?}"))?;
        let is_damaged = index.index.to_string_lossy().contains("damaged");
        let sound = |file: &str, bytes, generation| FileCheck {
            file: file.into(),
            bytes,
            generation,
            damage_count: 0,
            damages: Vec::new(),
        };
        let mut files = vec![sound("MANIFEST-000007", 812, 7), sound("segment-0001/text", 9_100_000, 3)];
        if is_damaged {
            let block = |block: u64| FileDamage {
                block: Some(block),
                start_byte: block * 4096,
                end_byte: (block + 1) * 4096,
                problem: "block checksum differs: expected `00c0ffee`, found `0badf00d`".into(),
            };
            files[1].damage_count = 70;
            files[1].damages = (4..68).map(block).collect();
            let whole = FileDamage { block: None, start_byte: 0, end_byte: 812, problem: "checksum differs".into() };
            let place = FileDamage { block: None, start_byte: 64, end_byte: 64, problem: "order differs".into() };
            files[0].damage_count = 2;
            files[0].damages = vec![whole, place];
        }
        Ok(Verification { files, leftovers: vec!["copytrace-building".into(), "evil\u{1b}[2J".into()] })
    }

    fn search(&self, index: &IndexSource, words: &str, hits_max: usize) -> anyhow::Result<Found> {
        self.called(format!("{index:#?}\n{words} {hits_max}"))?;
        if words == "nothing" {
            return Ok(Found::default());
        }
        let document = DocumentRef {
            id: "poems.jsonl:17".into(),
            uri: "https://example.org/raven".into(),
            license: String::new(),
            origin: "example.org".into(),
            shard: "0003".into(),
            index: "corpus-index".into(),
        };
        let hit = Hit { document, language: "text".into(), text_bytes: 6_500 };
        Ok(Found { hits: vec![hit], total: 41 })
    }

    fn serve(&self, options: &ServeOptions, on_ready: &dyn Fn(SocketAddr)) -> anyhow::Result<()> {
        self.called(format!("{options:#?}"))?;
        on_ready(options.listen);
        Ok(())
    }
}
