//! What code costs: indexing it with all layers, the bytes it takes on disk, and a check of a function of some 60 lines.
//!
//! ```text
//! cargo bench --bench code                                                       12 MB of made-up Python and Rust
//! COPYTRACE_BENCH_CODE=python.jsonl.zst,rust.jsonl.zst cargo bench --bench code  corpora of one's own
//! ```
//!
//! Corpora are read as `copytrace index` reads them; the language is taken from a column, or the path. Every sixth origin of
//! a language is kept out of the index: its functions are the strangers. Functions are 55 to 65 lines long, checked as they stand,
//! and with everything that they bind renamed, one name for one; their language is named.
//!
//! Built with one thread, checked on one thread, all times are CPU time of the process: on a busy machine they are those
//! of an idle one, but for the caches. *Warm*: all functions were checked once before. Made-up functions are
//! statements and expressions drawn at random, the names of each origin its own.

#![allow(clippy::print_stdout, reason = "a table is what this bench makes")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use copytrace::check::answer::Action;
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::input::discover;
use copytrace_indexer::corpus::options::ReadOptions;
use copytrace_indexer::corpus::reader::Reader;
use copytrace_indexer::corpus::{Document, Row};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes, Lexer};
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use made::{below, make_corpora};
use prose::Random;
use rustix::time::{ClockId, clock_gettime};

mod made;
mod prose;

const MADE_BYTES: usize = 12 << 20;
/// Lines of a function that is checked.
const LINES: std::ops::RangeInclusive<usize> = 55..=65;
/// Functions of each language and kind.
const FUNCTIONS: usize = 150;
/// Times that each is checked, after once to warm up.
const ROUNDS: usize = 3;
/// Of so many origins of a language one is kept out of the index.
const STRANGE_ORIGIN: usize = 6;
/// The files of a segment that are the index of code; the others hold the text, and the catalogue with the search for words.
const COMPONENTS: [&str; 7] = ["lexemes", "units", "bands", "anchors", "documents", "exact", "ids"];

/// CPU time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a billion"))
}

// ----------------------------------------------------------------------------------------------------------------- corpora

fn language_of(document: &Document) -> Option<Language> {
    document.attributes.language.parse().ok().filter(|language: &Language| language.is_code())
}

fn read_corpora(paths: &str) -> Vec<Document> {
    let paths: Vec<PathBuf> = paths.split(',').map(PathBuf::from).collect();
    let found = discover(&paths).expect("COPYTRACE_BENCH_CODE names files");
    let rows = Reader::new(found.files, ReadOptions::default());
    rows.filter_map(|row| match row.expect("a sound file") {
        Row::Document(document) => language_of(&document).is_some().then_some(*document),
        Row::Skipped(_) => None,
    })
    .collect()
}

// --------------------------------------------------------------------------------------------------------------- functions

/// The functions of a text of the lengths that are checked, by the indentation of their lines.
fn functions(text: &str, language: Language) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_head = |line: &str| {
        let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let line = line.trim_start_matches("async ").trim_start_matches("unsafe ");
        line.starts_with(if language == Language::Python { "def " } else { "fn " })
    };
    let mut found = Vec::new();
    for (first, head) in lines.iter().enumerate().filter(|(_, line)| is_head(line)) {
        let body = &lines[first + 1..];
        let is_after = |line: &&str| {
            !line.trim().is_empty() && indent(line) <= indent(head) && !line.trim_start().starts_with([')', '{', ']'])
        };
        let n_body = body.iter().position(is_after).unwrap_or(body.len());
        let end = if language == Language::Python { n_body } else { (n_body + 1).min(body.len()) };
        let function: Vec<&str> =
            std::iter::once(head).chain(&body[..end]).map(|line| line.get(indent(head)..).unwrap_or("")).collect();
        let function = function.join("\n").trim_end().to_owned();
        if LINES.contains(&function.lines().count()) {
            found.push(function + "\n");
        }
    }
    found
}

/// Renames what a function binds, wherever the name stands and is no member: parameters, targets of assignments and loops.
fn rename(code: &str, language: Language) -> String {
    let mut lexemes = Lexemes::default();
    Lexer::new(PUBLIC_SEED).lexemes(code, language, &mut lexemes);
    let spelling = |at: usize| {
        let (Some(&start), Some(&end)) = (lexemes.starts.get(at), lexemes.ends.get(at)) else { return "" };
        &code[start as usize..end as usize]
    };
    let before = |at: usize| at.checked_sub(1).map_or("", spelling);
    let mut bound = BTreeSet::new();
    let (mut depth, mut has_header) = (0_u32, true);
    for at in 0..lexemes.len() {
        match spelling(at) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        has_header &= !(depth == 0 && spelling(at) == ":" || depth == 1 && spelling(at) == "{");
        let is_name = lexemes.kinds[at] == LexemeKind::Name && before(at) != "." && !spelling(at).starts_with('\'');
        let is_bound = match language {
            Language::Python => {
                has_header && depth == 1 && ["(", ","].contains(&before(at))
                    || depth == 0 && spelling(at + 1) == "="
                    || ["for", "as"].contains(&before(at))
            }
            _ => {
                has_header && depth == 1 && spelling(at + 1) == ":" || ["let", "mut", "for", "|"].contains(&before(at))
            }
        };
        if is_name && is_bound && !["self", "cls"].contains(&spelling(at)) {
            bound.insert(spelling(at));
        }
    }
    let new: BTreeMap<&str, String> = bound.iter().enumerate().map(|(n, &old)| (old, format!("renamed_{n}"))).collect();
    let (mut text, mut done) = (String::with_capacity(code.len()), 0);
    for at in 0..lexemes.len() {
        let (start, end) = (lexemes.starts[at] as usize, lexemes.ends[at] as usize);
        if lexemes.kinds[at] == LexemeKind::Name
            && before(at) != "."
            && let Some(new) = new.get(spelling(at))
        {
            text.push_str(&code[done..start]);
            text.push_str(new);
            done = end;
        }
    }
    text + &code[done..]
}

/// So many functions of each language, spread over the documents.
fn draw(documents: &[Document], seed: u64) -> Vec<(Language, String)> {
    let mut of_language: BTreeMap<&str, Vec<(Language, String)>> = BTreeMap::new();
    for document in documents {
        let Some(language) = language_of(document) else { continue };
        let found = functions(&document.text, language).into_iter().map(|function| (language, function));
        of_language.entry(language.name()).or_default().extend(found);
    }
    let mut random = Random::new(seed);
    let mut drawn = Vec::new();
    for (_, mut functions) in of_language {
        for _ in 0..FUNCTIONS.min(functions.len()) {
            drawn.push(functions.swap_remove(below(&mut random, functions.len())));
        }
    }
    drawn
}

// ----------------------------------------------------------------------------------------------------------------- figures

/// Indexes the documents with one thread and prints what that takes; returns the index with the default policy.
fn index(documents: Vec<Document>, dir: &Path) -> Engine {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir));
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).expect("an empty folder");
    let rows = documents.into_iter().map(|document| Ok(Row::Document(Box::new(document))));
    let options = BuildOptions { threads: 1, ..BuildOptions::default() };
    let start = cpu();
    let report = build(&mut writer, rows, options, &BuildProgress::default()).expect("sound documents");
    let seconds = cpu().saturating_sub(start).as_secs_f64();
    let text_bytes = report.text_bytes as f64;
    println!(
        "indexed {} documents, {:.1} MB: {:.1} MB/s of CPU time",
        report.code_documents,
        text_bytes / 1e6,
        text_bytes / 1e6 / seconds
    );

    let segments =
        std::fs::read_dir(dir).expect("the index").map(|entry| entry.expect("a folder that can be read").path());
    let segments: Vec<PathBuf> = segments.filter(|path| path.is_dir()).collect();
    let mut sum = 0.0;
    for component in COMPONENTS {
        let file_bytes = |segment: &PathBuf| std::fs::metadata(segment.join(component)).map_or(0, |file| file.len());
        let share = segments.iter().map(file_bytes).sum::<u64>() as f64 / text_bytes;
        sum += share;
        println!("  {component:<10}{share:>7.3} bytes per byte");
    }
    println!("  {:<10}{sum:>7.3}", "sum");
    let index = Index::open(&*storage, PUBLIC_SEED).expect("the index just made");
    Engine::new([("bench".to_owned(), index)], Policy::default_policy())
}

/// Checks functions and prints a row.
fn check(engine: &Engine, what: &str, functions: &[(Language, String)], is_lexical: bool) {
    let request = |(language, text): &(Language, String)| {
        let request = Request::new("q", text.clone());
        Request { language: Some(*language), is_lexical, ..request }
    };
    let requests: Vec<Request> = functions.iter().map(request).collect();
    let check = |request: &Request| engine.check(request).expect("a sound index");
    let n_flagged = requests.iter().filter(|request| check(request).verdict.action != Action::Allow).count();
    let mut times_ms = Vec::with_capacity(ROUNDS * requests.len());
    for request in requests.iter().cycle().take(ROUNDS * requests.len()) {
        let start = cpu();
        std::hint::black_box(check(request));
        times_ms.push(cpu().saturating_sub(start).as_secs_f64() * 1e3);
    }
    times_ms.sort_by(f64::total_cmp);
    if times_ms.is_empty() {
        return;
    }
    let quantile = |percent: usize| times_ms[(times_ms.len() - 1) * percent / 100];
    println!(
        "{what:<22}{:>8}{:>7}{:>9.2}{:>9.2}{:>10.1}",
        if is_lexical { "on" } else { "off" },
        requests.len(),
        quantile(50),
        quantile(99),
        100.0 * n_flagged as f64 / requests.len() as f64
    );
}

fn main() {
    let documents =
        std::env::var("COPYTRACE_BENCH_CODE").map_or_else(|_| make_corpora(MADE_BYTES), |paths| read_corpora(&paths));
    let mut origins: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Document { attributes, .. } in &documents {
        origins.entry(&attributes.language).or_default().insert(&attributes.origin);
    }
    let strange = origins.values().flat_map(|of_language| of_language.iter().skip(1).step_by(STRANGE_ORIGIN));
    let strange: BTreeSet<String> = strange.map(|&origin| origin.to_owned()).collect();
    let (strangers, documents): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| strange.contains(&document.attributes.origin));
    let unchanged = draw(&documents, 1);
    let renamed: Vec<_> = unchanged.iter().map(|(language, code)| (*language, rename(code, *language))).collect();
    let strangers = draw(&strangers, 2);

    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = index(documents, dir.path());
    println!("\n{:<22}{:>8}{:>7}{:>9}{:>9}{:>10}", "functions", "lexical", "n", "p50 ms", "p99 ms", "flagged %");
    for is_lexical in [false, true] {
        for (what, functions) in [("unchanged", &unchanged), ("renamed", &renamed), ("of strangers", &strangers)] {
            for language in [Language::Python, Language::Rust] {
                let of_language: Vec<_> = functions.iter().filter(|(own, _)| *own == language).cloned().collect();
                check(&engine, &format!("{}, {what}", language.name()), &of_language, is_lexical);
            }
        }
    }
}
