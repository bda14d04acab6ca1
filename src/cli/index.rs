//! `copytrace index`: a corpus goes in, a summary comes out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Exit;
use super::args::{BuildArgs, Format, IndexArgs};
use super::backend::{Backend, Columns, IndexOptions, IndexSummary, SkippedRows};
use super::output::{Console, LOUD, Paint, Stderr, WARN};
use super::progress;
use super::seed;
use super::units::{bytes, bytes_per_second, count, counted, duration};
use super::visible::visible_name;

/// Most rows listed per reason for which rows were skipped.
const EXAMPLES_MAX: usize = 3;

/// Runs the command.
pub(super) fn run(args: IndexArgs, backend: &dyn Backend, console: &mut Console) -> anyhow::Result<Exit> {
    let options = options(args.inputs, args.index, args.build)?;
    let summary = build(&options, backend, &console.stderr)?;
    match args.summary.format {
        Format::Json => console.print_json(&summary)?,
        Format::Text if console.stderr.is_quiet => {}
        Format::Text => {
            let mut text = describe(&summary, &options.index, console.paint());
            let folder = visible_name(&options.index.to_string_lossy());
            let _ = writeln!(text, "\nNext: copytrace check --index {} FILE", quoted(&folder));
            console.print(&text)?;
        }
    }
    Ok(Exit::Clean)
}

/// Turns arguments into what the library is to do.
pub(super) fn options(inputs: Vec<PathBuf>, index: PathBuf, args: BuildArgs) -> anyhow::Result<IndexOptions> {
    let columns = args.columns;
    Ok(IndexOptions {
        inputs,
        index,
        columns: Columns {
            text: columns.text_column,
            id: columns.id_column,
            license: columns.license_column,
            origin: columns.origin_column,
            uri: columns.uri_column,
            path: columns.path_column,
            shard: columns.shard_column,
        },
        shard: args.shard,
        on_duplicate: args.on_duplicate,
        profile: args.profile,
        memory_bytes: args.resources.memory,
        threads: args.resources.threads,
        document_bytes_max: args.document_bytes_max,
        is_strict: args.strict,
        seed: seed::read(args.seed)?,
    })
}

/// Builds the index and shows how far it is.
pub(super) fn build(options: &IndexOptions, backend: &dyn Backend, stderr: &Stderr) -> anyhow::Result<IndexSummary> {
    let progress = progress::start(stderr, "indexing");
    backend.index(options, &*progress)
}

/// Describes what became of the input.
pub(super) fn describe(summary: &IndexSummary, index: &Path, paint: Paint) -> String {
    let mut out = String::new();
    let n_taken = summary.added + summary.replaced;
    let _ = writeln!(
        out,
        "{} into {} (generation {}): {} of text, {}",
        paint.styled(LOUD, format!("Indexed {}", counted(n_taken, "document"))),
        visible_name(&index.to_string_lossy()),
        summary.generation,
        bytes(summary.text_bytes),
        counted(summary.words, "word"),
    );
    let mut fact = |name: &str, value: &str| out.push_str(&paint.fact(name, value));
    fact("added", &count(summary.added));
    for (name, n) in [("replaced", summary.replaced), ("unchanged", summary.unchanged)] {
        if n > 0 {
            fact(name, &count(n));
        }
    }
    if summary.code_documents > 0 {
        fact("code", &counted(summary.code_documents, "document"));
    }
    for (why, n) in &summary.code_troubles {
        fact("", &paint.styled(WARN, format!("{} {why}", count(*n))));
    }
    let n_skipped: u64 = summary.skipped.iter().map(|skipped| skipped.rows).sum();
    if n_skipped > 0 {
        let reasons: Vec<String> =
            summary.skipped.iter().map(|skipped| format!("{} {}", count(skipped.rows), skipped.reason)).collect();
        fact("skipped", &paint.styled(WARN, format!("{}: {}", counted(n_skipped, "row"), reasons.join(", "))));
        for line in summary.skipped.iter().flat_map(examples) {
            fact("", &line);
        }
    }
    for (idx, failed) in summary.failed_files.iter().enumerate() {
        fact(if idx == 0 { "failed" } else { "" }, &paint.styled(WARN, visible_name(failed)));
    }
    for (idx, left_out) in summary.left_out.iter().enumerate() {
        let files = counted(left_out.files, "file");
        let (reason, first) = (&left_out.reason, visible_name(&left_out.first));
        fact(if idx == 0 { "left out" } else { "" }, &format!("{files} ({reason}), first {first}"));
    }
    for (idx, taken) in summary.columns.iter().enumerate() {
        let name = if idx == 0 { "columns" } else { "" };
        let columns = visible_name(&taken.columns);
        match summary.columns.len() {
            1 => fact(name, &columns),
            _ => fact(name, &format!("{columns} (first in {})", visible_name(&taken.file))),
        }
    }
    let elapsed = Duration::from_millis(summary.elapsed_ms);
    fact("time", &format!("{}, {}", duration(elapsed), bytes_per_second(summary.text_bytes, elapsed)));
    fact(
        "index",
        &format!("{} on disk, {} in all", bytes(summary.index_bytes), counted(summary.documents, "document")),
    );
    out
}

fn examples(skipped: &SkippedRows) -> Vec<String> {
    let shown = skipped.examples.iter().take(EXAMPLES_MAX);
    let mut lines: Vec<String> = shown
        .map(|row| {
            let path = visible_name(&row.path.to_string_lossy());
            format!("{path}, row {}: {}", count(row.row), visible_name(&row.reason.to_string()))
        })
        .collect();
    let n_more = skipped.rows.saturating_sub(lines.len() as u64);
    if n_more > 0 {
        lines.push(format!("... and {} more: {}", count(n_more), skipped.reason));
    }
    lines
}

/// Quotes a path for a shell where it needs that.
fn quoted(path: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+=:,@%".contains(character);
    if !path.is_empty() && path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_shell_where_needed() {
        for (path, expected) in [("a/b-1.x", "a/b-1.x"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(quoted(path), expected);
        }
    }
}
