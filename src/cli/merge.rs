//! `copytrace merge`: what was removed leaves the disk, segments become fewer, other indexes are joined.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::Exit;
use super::args::{Format, MergeArgs};
use super::backend::{Backend, MergeOptions, MergeSummary};
use super::output::{Console, LOUD, Paint};
use super::progress;
use super::seed;
use super::units::{bytes, count, counted, duration};
use super::visible::visible_name;

/// Runs the command.
pub(super) fn run(args: MergeArgs, backend: &dyn Backend, console: &mut Console) -> anyhow::Result<Exit> {
    let options = MergeOptions {
        index: args.index,
        from: args.from,
        memory_bytes: args.resources.memory,
        threads: args.resources.threads,
        seed: seed::read(args.seed)?,
    };
    let summary = {
        let progress = progress::start(&console.stderr, "merging");
        backend.merge(&options, &*progress)?
    };
    match args.summary.format {
        Format::Json => console.print_json(&summary)?,
        Format::Text if console.stderr.is_quiet => {}
        Format::Text => {
            let text = describe(&summary, &options.index, console.paint());
            console.print(&text)?;
        }
    }
    Ok(Exit::Clean)
}

fn describe(summary: &MergeSummary, index: &Path, paint: Paint) -> String {
    let mut out = String::new();
    let done = if summary.changed { "Merged" } else { "Nothing to merge in" };
    let _ = writeln!(
        out,
        "{} (generation {}): {} in {}",
        paint.styled(LOUD, format!("{done} {}", visible_name(&index.to_string_lossy()))),
        summary.generation,
        counted(summary.documents, "document"),
        counted(summary.segments_after, "segment"),
    );
    let mut fact = |name: &str, value: &str| out.push_str(&paint.fact(name, value));
    if summary.dropped_removed + summary.dropped_replaced > 0 {
        let (removed, replaced) = (count(summary.dropped_removed), count(summary.dropped_replaced));
        fact("dropped", &format!("{removed} removed, {replaced} replaced"));
        fact("receipt", &visible_name(&summary.receipt));
    }
    if summary.joined + summary.passed_over > 0 {
        let passed_over = match summary.passed_over {
            0 => String::new(),
            n => format!(", {} passed over: there already, or replaced by a later one", count(n)),
        };
        fact("joined", &format!("{}{passed_over}", counted(summary.joined, "document")));
    }
    if summary.changed {
        let (before, kept) = (count(summary.segments_before), count(summary.segments_kept));
        fact(
            "segments",
            &format!("{before} before, {} after, {kept} kept as they were", count(summary.segments_after)),
        );
        fact("time", &duration(Duration::from_millis(summary.elapsed_ms)));
    }
    fact("index", &format!("{} on disk", bytes(summary.index_bytes)));
    out
}
