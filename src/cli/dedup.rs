//! `copytrace dedup` and `copytrace stage`: a corpus goes in, the same corpus with repeats limited comes out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Exit;
use super::args::{DedupArgs, Format, PassArgs, ResourceArgs, SeedArgs, StageArgs, StageCommand};
use super::backend::{Backend, ProgressSink, Snapshot};
use super::output::{Console, LOUD, Paint, Stderr, WARN};
use super::progress;
use super::seed;
use super::units::{bytes, bytes_per_second, count, counted, duration, percent};
use super::visible::visible_name;
use crate::dedup::plan::Plan;
use crate::dedup::recipe::{Against, ColumnNames, Rules};
use crate::dedup::report::{CurvePoint, Loss};
use crate::dedup::run::{Options, Outcome, Resources, Stage, StageOptions};

/// Most examples of skipped rows, and most losses, that the summary lists; the report has them all.
const LINES_MAX: usize = 5;

/// Runs `copytrace dedup`.
pub(super) fn run(args: DedupArgs, backend: &dyn Backend, console: &mut Console) -> anyhow::Result<Exit> {
    let (rules, resources) = split(args.pass)?;
    if args.plan {
        let plan = backend.plan(&args.inputs, &rules, resources)?;
        match args.summary.format {
            Format::Json => console.print_json(&plan)?,
            Format::Text => {
                let text = describe_plan(&plan, &rules, console.paint());
                console.print(&text)?;
            }
        }
        return Ok(Exit::Clean);
    }
    let options = Options { inputs: args.inputs, out: args.out, work: args.work, rules, resources };
    let started = Instant::now();
    let outcome = {
        let bars = StageBars { stderr: &console.stderr, current: Mutex::new(None) };
        backend.dedup(&options, &bars, &|stage| bars.begin(stage))?
    };
    match args.summary.format {
        Format::Json => console.print_json(&outcome.report)?,
        Format::Text if console.stderr.is_quiet => {}
        Format::Text => {
            let text = describe(&outcome, &options.out, started.elapsed(), console.paint());
            console.print(&text)?;
        }
    }
    Ok(Exit::Clean)
}

/// Runs `copytrace stage`.
pub(super) fn run_stage(args: StageArgs, backend: &dyn Backend, console: &Console) -> anyhow::Result<Exit> {
    let other = |stage, resources, seed| anyhow::Ok((StageOptions::Other(stage), resources_of(&resources, seed)?));
    let (share, (options, resources)) = match args.stage {
        StageCommand::Sign(args) => {
            let (rules, resources) = split(args.pass)?;
            (args.share, (StageOptions::Sign { inputs: args.inputs, rules: Box::new(rules) }, resources))
        }
        StageCommand::BandMerge(args) => (args.share, other(Stage::BandMerge, args.resources, args.seed)?),
        StageCommand::Cluster(args) => (args.share, other(Stage::Cluster, args.resources, args.seed)?),
        StageCommand::Verify(args) => (args.share, other(Stage::Verify, args.resources, args.seed)?),
        StageCommand::Passages(args) => (args.share, other(Stage::Passages, args.resources, args.seed)?),
        StageCommand::Apply(args) => {
            (args.share, (StageOptions::Apply { out: args.out }, resources_of(&args.resources, args.seed)?))
        }
    };
    let bars = StageBars { stderr: &console.stderr, current: Mutex::new(None) };
    bars.begin(stage_of(&options));
    backend.stage(&options, &share.work, share.part, resources, &bars)?;
    Ok(Exit::Clean)
}

fn stage_of(options: &StageOptions) -> Stage {
    match options {
        StageOptions::Sign { .. } => Stage::Sign,
        StageOptions::Apply { .. } => Stage::Apply,
        StageOptions::Other(stage) => *stage,
    }
}

fn split(args: PassArgs) -> anyhow::Result<(Rules, Resources)> {
    let resources = resources_of(&args.resources, args.seed)?;
    let resources = Resources { is_strict: args.strict, ..resources };
    let against = args.against.map(|index| Against::now(index, resources.seed)).transpose()?;
    let columns = args.columns;
    let rules = Rules {
        levels: args.level.into_iter().map(Into::into).collect(),
        threshold: args.threshold.unwrap_or(args.preset.threshold),
        bands: args.preset.bands,
        rows: args.preset.rows,
        shingle: args.preset.shingle,
        is_exhaustive: args.all_pairs,
        keep: args.keep,
        keep_per: args.keep_per,
        prefer: args.prefer,
        exact_form: args.exact_form.into(),
        passage_words: args.passage_words,
        emit: args.emit.into_iter().map(Into::into).collect(),
        repository: args.repository_column,
        against,
        clusters_before: args.clusters_before,
        has_weights: args.weights,
        columns: ColumnNames {
            text: columns.text_column,
            id: columns.id_column,
            license: columns.license_column,
            origin: columns.origin_column,
            uri: columns.uri_column,
            path: columns.path_column,
            shard: columns.shard_column,
        },
        document_bytes_max: args.document_bytes_max,
    };
    Ok((rules, resources))
}

fn resources_of(args: &ResourceArgs, seed: SeedArgs) -> anyhow::Result<Resources> {
    let default = Resources::default();
    Ok(Resources {
        threads: args.threads.unwrap_or(0),
        memory_bytes: usize::try_from(args.memory).unwrap_or(usize::MAX),
        seed: seed::read(seed)?.map_or(default.seed, |seed| seed.0),
        is_strict: false,
    })
}

/// A bar for every stage, one after the other.
struct StageBars<'a> {
    stderr: &'a Stderr,
    current: Mutex<Option<Box<dyn ProgressSink + Send + 'a>>>,
}

impl StageBars<'_> {
    fn begin(&self, stage: Stage) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // The old bar goes before the new one comes.
        *current = None;
        *current = Some(progress::start(self.stderr, stage.name()));
    }
}

impl ProgressSink for StageBars<'_> {
    fn report(&self, snapshot: Snapshot) {
        if let Some(current) = &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            current.report(snapshot);
        }
    }
}

fn describe_plan(plan: &Plan, rules: &Rules, paint: Paint) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} in {}: about {}, {} of text ({} looked at)",
        paint.styled(LOUD, bytes(plan.input_bytes)),
        counted(plan.files, "file"),
        counted(plan.rows, "row"),
        bytes(plan.text_bytes),
        counted(plan.sampled_rows, "row"),
    );
    let mut fact = |name: &str, value: &str| text.push_str(&paint.fact(name, value));
    let time = Duration::try_from_secs_f64(plan.seconds).unwrap_or_default();
    fact("time", &format!("about {}", duration(time)));
    fact("disk", &format!("about {} while it runs, and as much as what stays", bytes(plan.work_bytes)));
    fact("memory", &format!("about {}", bytes(plan.memory_bytes)));
    fact("equal", &format!("{} of the sample, and more across it", percent(plan.equal_share)));
    fact("candidates", &format!("{} of the sample, and more across it", percent(plan.candidate_share)));
    let found = |point: &&CurvePoint| point.jaccard > 0.45 && (point.jaccard * 20.0).round() % 2.0 == 0.0;
    let points: Vec<String> = plan
        .curve
        .iter()
        .filter(found)
        .map(|point| format!("{} at {:.1}", percent(point.found), point.jaccard))
        .collect();
    fact("pairs found", &format!("{} ({} x {} bands)", points.join(", "), rules.bands, rules.rows));
    text
}

fn describe(outcome: &Outcome, out: &Path, elapsed: Duration, paint: Paint) -> String {
    let report = &outcome.report;
    let mut text = String::new();
    let share = |n: u64| percent(n as f64 / report.documents.rows.max(1) as f64);
    let _ = writeln!(
        text,
        "{} of {} ({}, {} of {} of text)",
        paint.styled(LOUD, format!("Removed {}", counted(report.removed.rows, "row"))),
        count(report.documents.rows),
        share(report.removed.rows),
        bytes(report.removed.bytes),
        bytes(report.documents.bytes),
    );
    let mut fact = |name: &str, value: &str| text.push_str(&paint.fact(name, value));
    let kept: PathBuf = out.join("kept");
    fact(
        "kept",
        &format!("{} in {}", counted(report.rows - report.removed.rows, "row"), visible_name(&kept.to_string_lossy())),
    );
    let kinds: Vec<String> =
        report.by_kind.iter().map(|(kind, n)| format!("{} {}", count(*n), kind.to_ascii_lowercase())).collect();
    if !kinds.is_empty() {
        fact("removed", &kinds.join(", "));
    }
    if report.reported > 0 {
        fact("reported", &format!("{} of repositories, kept", counted(report.reported, "row")));
    }
    let has_functions = report.functions.filter(|functions| functions.places > 0);
    if let Some(functions) = has_functions {
        let (places, rows) = (counted(functions.places, "function"), counted(functions.cut.rows, "row"));
        fact("cut", &format!("{places} of {rows}, {}", bytes(functions.cut.bytes)));
    }
    if let Some(passages) = report.passages.filter(|passages| passages.places > 0) {
        let (places, rows) = (counted(passages.places, "passage"), counted(passages.cut.rows, "row"));
        let emptied = if passages.emptied > 0 {
            format!("; nothing is left of {}", count(passages.emptied))
        } else {
            String::new()
        };
        let name = if has_functions.is_some() { "" } else { "cut" };
        fact(name, &format!("{places} of {rows}, {}{emptied}", bytes(passages.cut.bytes)));
        if !passages.is_complete {
            fact("", &paint.styled(WARN, "what the cuts join repeats still; run it once more on the output"));
        }
    }
    let n_clusters: u64 = report.cluster_sizes.values().sum();
    if let Some((&largest, _)) = report.cluster_sizes.last_key_value() {
        fact("clusters", &format!("{}, the largest of {}", count(n_clusters), counted(largest, "row")));
    }
    for (idx, (reason, skipped)) in report.skipped.iter().enumerate() {
        let told = format!("{}: {reason}; kept as they are", counted(skipped.rows, "row"));
        fact(if idx == 0 { "skipped" } else { "" }, &paint.styled(WARN, told));
        for example in skipped.examples.iter().take(LINES_MAX) {
            fact("", &visible_name(example));
        }
    }
    let alarms = |losses: &[Loss]| losses.iter().filter(|loss| loss.is_alarm).cloned().collect::<Vec<_>>();
    for loss in alarms(&report.origins).iter().chain(&alarms(&report.licenses)).take(LINES_MAX) {
        let name = if loss.name.is_empty() { "(none given)".to_owned() } else { visible_name(&loss.name) };
        let (gone, had) = (count(loss.removed.rows), counted(loss.before.rows, "row"));
        fact("look", &paint.styled(WARN, format!("{name} lost {gone} of {had}")));
    }
    for (idx, left_out) in outcome.left_out.iter().enumerate() {
        let (files, first) = (counted(left_out.n_files, "file"), visible_name(&left_out.first));
        fact(if idx == 0 { "left out" } else { "" }, &format!("{files} ({}), first {first}", left_out.reason.name()));
    }
    fact("time", &format!("{}, {}", duration(elapsed), bytes_per_second(report.documents.bytes, elapsed)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedup::report::Report;

    #[test]
    fn a_summary_says_what_went_and_what_to_look_at() {
        let report: Report = serde_json::from_value(serde_json::json!({
            "recipe": "", "rules": Rules::default(), "rows": 2002, "documents": {"rows": 2000, "bytes": 4_000_000}, "words": 1,
            "removed": {"rows": 500, "bytes": 1_000_000}, "reported": 0, "byKind": {"EXACT": 100, "NEAR": 400},
            "functions": {"cut": {"rows": 3, "bytes": 2000}, "places": 4, "reported": 1, "rowsRead": 9},
            "passages": {"cut": {"rows": 7, "bytes": 9000}, "places": 12, "emptied": 2, "rowsRead": 30, "watchedGrams": 5, "rounds": 2, "isComplete": true},
            "skipped": {"malformed": {"rows": 2, "examples": ["a.jsonl, line 3: broken"]}},
            "origins": [{"name": "mirror", "before": {"rows": 400, "bytes": 1}, "removed": {"rows": 390, "bytes": 1}, "isAlarm": true}],
            "licenses": [], "clusterSizes": {"2": 100, "401": 1}, "largestClusters": [],
            "pairs": {"compared": 1, "ruledOut": 2, "largestBucket": 3, "groups": 4, "largestGroup": 5},
            "curve": [], "seconds": {},
        }))
        .expect("a report");
        let outcome = Outcome { report, left_out: Vec::new() };
        let text = describe(&outcome, Path::new("clean"), Duration::from_secs(2), Paint { has_colour: false });
        assert_eq!(
            text,
            "Removed 500 rows of 2,000 (25 %, 1.0 MB of 4.0 MB of text)\n  \
             kept       1,502 rows in clean/kept\n  \
             removed    100 exact, 400 near\n  \
             cut        4 functions of 3 rows, 2.0 kB\n             \
             12 passages of 7 rows, 9.0 kB; nothing is left of 2\n  \
             clusters   101, the largest of 401 rows\n  \
             skipped    2 rows: malformed; kept as they are\n             \
             a.jsonl, line 3: broken\n  \
             look       mirror lost 390 of 400 rows\n  \
             time       2.0 s, 2.0 MB/s\n"
        );
    }
}
