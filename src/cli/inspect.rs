//! `copytrace inspect`: what an index is made of, whether it is sound, which documents have some words.

use std::fmt::Write as _;

use serde::Serialize;

use super::Exit;
use super::args::{Format, InspectArgs};
use super::backend::{Backend, FileCheck, FileDamage, Found, IndexSource, Inspection, NameCount, Verification};
use super::output::{BAD, Console, DIM, GOOD, LOUD, Paint, WARN};
use super::progress;
use super::seed;
use super::units::{bytes, count, counted};
use super::visible::visible_name;

/// Most documents that a search lists.
const HITS_MAX: usize = 20;
/// Most segments, licences, origins, shards or damages of a file listed.
const NAMES_MAX: usize = 10;

/// What was asked for, for `--format json`.
#[derive(Serialize)]
struct Parts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a Inspection>,
    #[serde(flatten)]
    verification: Option<&'a Verification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a Found>,
}

/// Runs the command.
pub(super) fn run(args: InspectArgs, backend: &dyn Backend, console: &mut Console) -> anyhow::Result<Exit> {
    let source = IndexSource { index: args.index, seed: seed::read(args.seed)? };
    let words = args.search.join(" ");
    let inspection = if words.is_empty() && !args.verify { Some(backend.inspect(&source)?) } else { None };
    let verification = if args.verify {
        let progress = progress::start(&console.stderr, "verifying");
        Some(backend.verify(&source, &*progress)?)
    } else {
        None
    };
    let found = if words.is_empty() { None } else { Some(backend.search(&source, &words, HITS_MAX)?) };

    if args.format == Format::Json {
        console.print_json(&Parts {
            index: inspection.as_ref(),
            verification: verification.as_ref(),
            found: found.as_ref(),
        })?;
    } else {
        let paint = console.paint();
        let parts = [
            inspection.as_ref().map(|inspection| describe(inspection, paint)),
            verification.as_ref().map(|verification| describe_verification(verification, paint)),
            found.as_ref().map(|found| describe_found(found, paint)),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        console.print(&parts.join("\n"))?;
    }
    let is_damaged = verification.is_some_and(|found| found.files.iter().any(|file| file.damage_count > 0));
    Ok(if is_damaged { Exit::Found } else { Exit::Clean })
}

fn describe(index: &Inspection, paint: Paint) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} (generation {})", paint.styled(LOUD, visible_name(&index.name)), index.generation);
    let mut fact = |name: &str, value: &str| out.push_str(&paint.fact(name, value));
    let removed = match index.removed_documents {
        0 => String::new(),
        n => format!(", {} more removed", count(n)),
    };
    fact("documents", &format!("{}{removed}", count(index.documents)));
    fact("text", &format!("{}, {}", bytes(index.text_bytes), counted(index.words, "word")));
    let components: Vec<String> =
        index.components.iter().map(|part| format!("{} {}", visible_name(&part.name), bytes(part.bytes))).collect();
    let of_which = if components.is_empty() { String::new() } else { format!(": {}", components.join(", ")) };
    fact("on disk", &format!("{}{of_which}", bytes(index.index_bytes)));
    let seed = if index.has_private_seed { "private seed" } else { "public seed" };
    fact("recipe", &format!("{}, {seed}", visible_name(&index.recipe)));
    fact("format", &format!("version {}", index.format_version));
    fact("segments", &count(index.segments.len() as u64));
    for segment in index.segments.iter().take(NAMES_MAX) {
        let documents = documents(segment.documents, segment.removed_documents);
        fact("", &format!("{}  {documents}, {}", visible_name(&segment.name), bytes(segment.bytes)));
    }
    if let Some(n) = index.segments.len().checked_sub(NAMES_MAX).filter(|&n| n > 0) {
        fact("", &format!("... and {} more", count(n as u64)));
    }
    for (name, counts) in [("licences", &index.licenses), ("origins", &index.origins), ("shards", &index.shards)] {
        for (idx, line) in names(counts).iter().enumerate() {
            fact(if idx == 0 { name } else { "" }, line);
        }
    }
    out
}

fn documents(n: u64, n_removed: u64) -> String {
    if n_removed == 0 {
        counted(n, "document")
    } else {
        format!("{} ({} removed)", counted(n, "document"), count(n_removed))
    }
}

/// Lists the most frequent names, one a line with its count before it.
fn names(counts: &[NameCount]) -> Vec<String> {
    let shown = &counts[..counts.len().min(NAMES_MAX)];
    let width = shown.iter().map(|name| count(name.documents).len()).max().unwrap_or(0);
    let mut lines: Vec<String> = shown
        .iter()
        .map(|NameCount { name, documents }| {
            let name = if name.is_empty() { "not known".to_owned() } else { visible_name(name) };
            format!("{:>width$}  {name}", count(*documents))
        })
        .collect();
    if let Some(n) = counts.len().checked_sub(NAMES_MAX).filter(|&n| n > 0) {
        lines.push(format!("... and {} more", count(n as u64)));
    }
    lines
}

fn describe_verification(verification: &Verification, paint: Paint) -> String {
    let Verification { files, leftovers } = verification;
    let mut out = String::new();
    for FileCheck { file, bytes: n_bytes, generation, damage_count, damages } in files {
        let facts = format!("{} ({}, generation {generation})", visible_name(file), bytes(*n_bytes));
        let _ = match *damage_count {
            0 => writeln!(out, "{}  {facts}", paint.styled(GOOD, "sound   ")),
            n => writeln!(out, "{}  {facts}: {}", paint.styled(BAD, "damaged "), counted(n, "damage")),
        };
        for damage in damages.iter().take(NAMES_MAX) {
            let _ = writeln!(out, "          {}", describe_damage(damage));
        }
        if let Some(n) = damage_count.checked_sub(NAMES_MAX as u64).filter(|&n| n > 0) {
            let _ = writeln!(out, "          ... and {} more", count(n));
        }
    }
    for name in leftovers {
        let name = visible_name(name);
        let _ = writeln!(out, "{}  {name}: not part of this generation, harmless", paint.styled(WARN, "leftover"));
    }
    let total = bytes(files.iter().map(|file| file.bytes).sum());
    let n_files = counted(files.len() as u64, "file");
    let n_damaged = files.iter().filter(|file| file.damage_count > 0).count() as u64;
    let _ = if n_damaged == 0 {
        writeln!(out, "{n_files}, {total}: all sound")
    } else {
        writeln!(out, "{n_files}, {total}: {} damaged; restore them or index the corpus again", count(n_damaged))
    };
    out
}

fn describe_damage(damage: &FileDamage) -> String {
    let FileDamage { block, start_byte, end_byte, problem } = damage;
    let problem = visible_name(problem);
    match block {
        Some(block) => format!("block {block}, bytes {start_byte} to {}: {problem}", end_byte.saturating_sub(1)),
        None if start_byte == end_byte => format!("at byte {start_byte}: {problem}"),
        None => problem,
    }
}

fn describe_found(found: &Found, paint: Paint) -> String {
    let mut out = String::new();
    for hit in &found.hits {
        let document = &hit.document;
        let _ = write!(out, "{}", paint.styled(LOUD, visible_name(&document.id)));
        let dot = paint.styled(DIM, " · ");
        let license = match document.license.as_str() {
            "" => paint.styled(WARN, "licence unknown"),
            license => visible_name(license),
        };
        let _ = write!(out, "{dot}{license}");
        for (lead, value) in [("from ", &document.origin), ("shard ", &document.shard), ("", &hit.language)] {
            if !value.is_empty() {
                let _ = write!(out, "{dot}{lead}{}", visible_name(value));
            }
        }
        let _ = writeln!(out, "{dot}{}", bytes(hit.text_bytes));
        if !document.uri.is_empty() && document.uri != document.id {
            let _ = writeln!(out, "   {}", paint.styled(DIM, visible_name(&document.uri)));
        }
    }
    let n_more = found.total.saturating_sub(found.hits.len() as u64);
    let _ = match (found.hits.is_empty(), n_more) {
        (true, _) => writeln!(out, "No document has any of these words."),
        (false, 0) => writeln!(out, "{}", counted(found.total, "document")),
        (false, n) => writeln!(out, "{}, {} not shown", counted(found.total, "document"), count(n)),
    };
    out
}
