//! `copytrace remove`: documents leave the index at once; what must be retrained, and what still holds their texts, is told.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use copytrace_indexer::removal::Selection;

use super::Exit;
use super::args::{Format, RemoveArgs};
use super::backend::{Backend, RemovalSummary, RemoveOptions};
use super::failure::Refusal;
use super::output::{Console, LOUD, Paint, WARN};
use super::progress;
use super::seed;
use super::units::{bytes, count, counted, percent};
use super::visible::visible_name;

/// Runs the command.
pub(super) fn run(args: RemoveArgs, backend: &dyn Backend, console: &mut Console) -> anyhow::Result<Exit> {
    let selection = match (args.ids_from, args.shard, args.origin) {
        (Some(path), _, _) => Selection::Ids(read_ids(&path, console)?),
        (None, Some(shard), _) => Selection::Shard(shard),
        (None, None, Some(origin)) => Selection::Origin(origin),
        (None, None, None) => Selection::Ids(args.id),
    };
    let options = RemoveOptions {
        index: args.index,
        selection,
        is_dry_run: args.dry_run,
        compared_max: args.compare,
        seed: seed::read(args.seed)?,
    };
    let summary = {
        let progress = progress::start(&console.stderr, "comparing");
        backend.remove(&options, &*progress)?
    };
    match args.format {
        Format::Json => console.print_json(&summary)?,
        Format::Text => {
            let text = describe(&summary, &options.index, console.paint());
            console.print(&text)?;
        }
    }
    Ok(if summary.not_found.is_empty() { Exit::Clean } else { Exit::Found })
}

/// Reads ids, one a line; blank lines are passed over.
fn read_ids(path: &Path, console: &mut Console) -> anyhow::Result<Vec<String>> {
    let (name, mut bytes) = (format!("`{}`", path.display()), Vec::new());
    let name = if path.as_os_str() == "-" {
        console.stdin.read_to_end(&mut bytes).context("cannot read the standard input")?;
        "the standard input".to_owned()
    } else {
        bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        name
    };
    let mut ids = Vec::new();
    let lines = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).split(|&byte| byte == b'\n');
    for (idx, line) in lines.enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match std::str::from_utf8(line) {
            Ok(id) if id.trim().is_empty() => {}
            Ok(id) => ids.push(id.to_owned()),
            Err(error) => bail!(Refusal::new(
                format!("{name}, line {}: not UTF-8 from byte {} of the line on", idx + 1, error.valid_up_to()),
                "nothing was removed; write one id a line, in UTF-8",
            )),
        }
    }
    if ids.is_empty() {
        bail!(Refusal::new(format!("{name} holds no id: expected one a line"), "nothing was removed"));
    }
    Ok(ids)
}

fn describe(summary: &RemovalSummary, index: &Path, paint: Paint) -> String {
    let mut out = String::new();
    let folder = visible_name(&index.to_string_lossy());
    let done = match (summary.removed, summary.dry_run) {
        (0, false) => "Nothing was removed".to_owned(),
        (0, true) => "Nothing would be removed".to_owned(),
        (n, false) => format!("Removed {}", counted(n, "document")),
        (n, true) => format!("Would remove {}", counted(n, "document")),
    };
    let _ = write!(out, "{} from {folder} (generation {})", paint.styled(LOUD, done), summary.generation);
    let _ = match summary.removed {
        0 => writeln!(out),
        _ => writeln!(out, ": {} of text", bytes(summary.text_bytes)),
    };
    let mut facts = |name: &str, lines: &[String]| {
        // All of them, however many: what is removed cannot be asked for again.
        for (idx, line) in lines.iter().enumerate() {
            out.push_str(&paint.fact(if idx == 0 { name } else { "" }, line));
        }
    };
    let not_found: Vec<String> = summary.not_found.iter().map(|id| paint.styled(WARN, visible_name(id))).collect();
    facts("not found", &not_found);
    let width = summary.shards.iter().map(|shard| count(shard.documents).len()).max().unwrap_or(0);
    let shard = |name: &str| if name.is_empty() { "no shard named".to_owned() } else { visible_name(name) };
    let shards: Vec<String> =
        summary.shards.iter().map(|s| format!("{:>width$}  {}", count(s.documents), shard(&s.name))).collect();
    facts("retrain", &shards);
    let remaining: Vec<String> = summary
        .remaining
        .documents
        .iter()
        .map(|found| {
            let (removed, other) = (visible_name(&found.removed_id), visible_name(&found.document.id));
            let line = if found.same_words {
                format!("{other} has the same words as {removed}")
            } else {
                format!("{other} holds {} of {removed}", percent(found.share))
            };
            paint.styled(WARN, line)
        })
        .collect();
    facts("remaining", &remaining);
    if summary.removed > 0 {
        let compared = &summary.remaining;
        let mut lines = vec![match compared.not_compared {
            0 => format!("{} with all that remain", counted(compared.compared, "document")),
            n => format!("{} with all that remain; {} more were not", counted(compared.compared, "document"), count(n)),
        }];
        lines.extend(compared.incomplete.iter().map(|reason| paint.styled(WARN, visible_name(reason))));
        facts("compared", &lines);
    }
    if summary.removed > 0 && !summary.dry_run {
        let _ = writeln!(out, "\nNo check sees them any more. `copytrace merge` drops their text from the disk.");
    }
    out
}
