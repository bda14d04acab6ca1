//! Code that was made to cost much: what a check of it takes where the deadline is 250 ms, the service's default.
//!
//! ```text
//! cargo bench --bench hostile_code                     every kind, 4 KiB to 1 MiB, Python and Rust
//! cargo bench --bench hostile_code -- macros           kinds with this in their names
//! cargo bench --bench hostile_code -- --busy 4         on a machine that leaves a quarter of a core: deadlines are four times as far
//! cargo bench --bench hostile_code -- --search 300 1   kinds drawn at random with this seed, for 300 s: where deadlines are overdrawn most
//! ```
//!
//! A text is a function of the corpus with hostile code behind it, or before it. Each is checked against two indexes: 4 MB of made-up Python and
//! Rust; and the same with 64 KiB and 240 KiB of each hostile kind beside it. A row is a kind: the check that took longest, by its CPU time,
//! its time of day and what it would take alone on the machine at most (a deadline is of the time of day: what runs beside a check takes from
//! what it does before the deadline, and not from what it does after it), what text that was and what was said about it; and in how many
//! of the checks the function was found, of those against made-up code alone, and against both.
//!
//! It fails where a check takes more than twice the budget, or where a function was not found and nothing was said to be left out.

#![allow(clippy::print_stdout, reason = "a table is what this bench makes")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request, TEXT_BYTES_MAX};
use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::syntax::{CHECK_BYTES_MAX, Syntax};
use made::make_corpora;
use rustix::time::{ClockId, clock_gettime};
use snares::{Random, SIZES, kinds, various};

mod made;
mod prose;
mod snares;

const BUDGET_MS: u64 = 250;
/// Longest time of a check, in milliseconds of CPU time.
const CPU_MS_MAX: f64 = 500.0;
const LANGUAGES: [Language; 2] = [Language::Python, Language::Rust];
/// Beginning of the ids of hostile documents.
const HOSTILE: &str = "hostile: ";
const CORPUS_BYTES: usize = 4 << 20;
/// Lengths of the hostile documents of the corpus, in bytes: one is parsed, the other only lexed.
const INDEXED_BYTES: [usize; 2] = [64 << 10, 240 << 10];
/// Length of the function, in bytes.
const FUNCTION_BYTES: std::ops::Range<usize> = 1000..2000;
/// Deadline that the search gives the parser.
const SEARCH_DEADLINE: Duration = Duration::from_millis(20);
/// Kinds that the search prints.
const LISTED: usize = 40;

/// CPU time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a billion"))
}

fn index(documents: Vec<Document>, dir: &Path) -> Engine {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir));
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).expect("an empty folder");
    let rows = documents.into_iter().map(|document| Ok(Row::Document(Box::new(document))));
    build(&mut writer, rows, BuildOptions::default(), &BuildProgress::default()).expect("sound documents");
    let index = Index::open(&*storage, PUBLIC_SEED).expect("the index just made");
    Engine::new([("bench".to_owned(), index)], Policy::default_policy())
}

/// What a check took and said.
#[derive(Default)]
struct Outcome {
    cpu_ms: f64,
    wall_ms: f64,
    alone_ms: f64,
    is_found: bool,
    degraded: Vec<String>,
}

fn check(engine: &Engine, request: Request, busy: u32) -> Outcome {
    let given = Duration::from_millis(BUDGET_MS) * busy;
    let (before, begun) = (cpu(), Instant::now());
    let deadline = Some(begun + given);
    let answer = engine.check(&Request { deadline, ..request }).expect("a sound index");
    let (cpu_ms, wall_ms) = (cpu().saturating_sub(before).as_secs_f64() * 1e3, begun.elapsed().as_secs_f64() * 1e3);
    let late_ms = (wall_ms - given.as_secs_f64() * 1e3).max(0.0);
    let alone_ms =
        if late_ms > 0.0 { BUDGET_MS as f64 + cpu_ms * late_ms / wall_ms } else { cpu_ms.min(BUDGET_MS as f64) };
    // Of many copies the best 50 are listed, and the verdict names one of all.
    let is_hostile = |id: &str| id.starts_with(HOSTILE);
    let is_listed = answer.matches.iter().any(|found| !is_hostile(&found.document.id));
    let named = answer.verdict.reason.split_once("document `").map(|(_, name)| name);
    let is_found = is_listed || named.is_some_and(|name| !is_hostile(name));
    Outcome { cpu_ms, wall_ms, alone_ms, is_found, degraded: answer.degraded }
}

/// The checks of one kind.
#[derive(Default)]
struct Checks {
    worst: Outcome,
    what: String,
    n_texts: usize,
    n_found: [usize; 2],
    n_silent: usize,
}

impl Checks {
    fn add(&mut self, engines: &[Engine; 2], request: &Request, busy: u32, what: &str) {
        self.n_texts += 1;
        for ((engine, n_found), corpus) in engines.iter().zip(&mut self.n_found).zip(["", ", known"]) {
            let outcome = check(engine, request.clone(), busy);
            *n_found += usize::from(outcome.is_found);
            self.n_silent += usize::from(!outcome.is_found && outcome.degraded.is_empty());
            if outcome.alone_ms > self.worst.alone_ms {
                self.worst = outcome;
                self.what = format!("{what}{corpus}");
            }
        }
    }

    /// Prints the row; tells whether nothing is wrong with it.
    fn print(&self, name: &str) -> bool {
        let Outcome { cpu_ms, wall_ms, alone_ms, degraded, .. } = &self.worst;
        let [first, second] = self.n_found;
        let n_texts = self.n_texts;
        println!(
            "{name:<40}{cpu_ms:>7.0}{wall_ms:>7.0}{alone_ms:>7.0} {first:>3} {second:>3} of {n_texts:<3} {:<32}{}",
            self.what,
            degraded.join("; ").replace("index `bench`: ", "").replace("code was compared by its tokens alone: ", "")
        );
        if self.n_silent > 0 {
            println!("    {} times the function was not found and nothing was said to be left out", self.n_silent);
        }
        *alone_ms <= CPU_MS_MAX && self.n_silent == 0
    }
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let documents = make_corpora(CORPUS_BYTES);
    let functions = LANGUAGES.map(|language| {
        let of_language = documents.iter().filter(|document| document.attributes.language == language.name());
        // Functions end with a blank line.
        let functions = of_language.flat_map(|document| document.text.split_inclusive("\n\n"));
        let is_short = |function: &&str| FUNCTION_BYTES.contains(&function.len());
        functions.map(str::trim_start).find(is_short).expect("functions of all lengths").to_owned()
    });
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let both = documents.iter().cloned().chain(hostile_documents()).collect();
    let engines = [index(documents, dirs[0].path()), index(both, dirs[1].path())];
    if let [first, seconds, seed] = &arguments[..]
        && first == "--search"
    {
        let seconds = Duration::from_secs(seconds.parse().expect("seconds"));
        search(&engines[0], seconds, seed.parse().expect("a number"), &functions);
        return ExitCode::SUCCESS;
    }
    let busy = arguments.iter().position(|argument| argument == "--busy").map_or(1, |at| {
        let times = arguments.get(at + 1).and_then(|times| times.parse().ok());
        arguments.drain(at..arguments.len().min(at + 2));
        times.expect("a number behind `--busy`")
    });
    let wanted = |name: &str| arguments.first().is_none_or(|wanted| name.contains(wanted.as_str()));
    println!("{:<40}{:>7}{:>7}{:>7} found", "", "CPU ms", "wall", "alone");
    let mut is_sound = true;
    for (name, make) in kinds().into_iter().filter(|(name, _)| wanted(name)) {
        let mut checks = Checks::default();
        for (language, function) in LANGUAGES.into_iter().zip(&functions) {
            for n_bytes in SIZES {
                // As long as what is parsed at most, and what is checked at most: not longer.
                let hostile = make(n_bytes - function.len() - 2);
                for (place, text) in
                    [("behind", format!("{function}\n{hostile}")), ("before", format!("{hostile}\n{function}"))]
                {
                    let request = Request { language: Some(language), ..Request::new("q", text) };
                    checks.add(&engines, &request, busy, &format!("{} KiB {place} {language}", n_bytes >> 10));
                }
            }
        }
        is_sound &= checks.print(name);
    }
    if wanted(BLOCKS) {
        let mut checks = Checks::default();
        checks.add(&engines, &blocks(&functions[0]), busy, "1 MiB");
        is_sound &= checks.print(BLOCKS);
    }
    if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn hostile_documents() -> impl Iterator<Item = Document> {
    kinds().into_iter().flat_map(|(name, make)| {
        let document = move |language: Language, n_bytes: usize| Document {
            id: format!("{HOSTILE}{name} in {language}, {n_bytes}"),
            text: make(n_bytes),
            attributes: Attributes { language: language.name().to_owned(), ..Attributes::default() },
        };
        let all = LANGUAGES.map(|language| INDEXED_BYTES.map(|n_bytes| document(language, n_bytes)));
        all.into_iter().flatten()
    })
}

const BLOCKS: &str = "many blocks, and a prompt";

/// Code in blocks, as many as are looked at and more, in all languages; and a prompt that is as long.
fn blocks(function: &str) -> Request {
    let kinds = kinds();
    let mut text = format!("```python\n{function}```\n");
    let languages: Vec<Language> = Language::ALL.into_iter().filter(|language| language.is_code()).collect();
    for (n, language) in languages.iter().cycle().take(70).enumerate() {
        let _ = write!(text, "```{language}\n{}\n```\n", (kinds[n % kinds.len()].1)(14 << 10));
    }
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    let mut prompt = various(&["def N(N):\n    return N + 0\n", "fn N() { N(1) }\n"], "")(TEXT_BYTES_MAX - 64);
    prompt.truncate(prompt.floor_char_boundary(TEXT_BYTES_MAX));
    Request { prompt, ..Request::new("q", text) }
}

/// Pieces that kinds are drawn from; `N` is a name or number.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "N ", "N, ", "N; ", "N\n", "(", ")", "[", "]", "{", "}", "<", ">", "N<", "N::<", ">>", "N(", "N[", "N{", "N!(", "N! {", ".N", ".N(", "..", "...",
    "::", ":", ";", ",", "=", "==", "=>", "->", ":=", "+", "-", "*", "**", "/", "//", "%", "&", "&&", "|", "||", "^", "!", "~", "?", "@", "@N\n", "#",
    "#[N]\n", "#![", "$N", "\\", "\\\n", "\n", "\n    ", "\n\n", " ", "\t", "\"", "'", "'N", "\"\"\"", "'''", "`", "f\"", "f'{N", "f\"{", "!r}", "r#\"",
    "\"#", "b'", "/*", "*/", "///", "//!", "if N ", "if N: ", "else ", "elif N:\n", "else if N { ", "for N in N ", "for N in N: ", "while N ",
    "match N { ", "N => ", "case N:\n", "let N = ", "let mut N: N<", "fn N(", "fn N() { ", "fn N<", "def N(", "def N(): ", "class N: ", "class N(",
    "struct N { ", "enum N { ", "impl N { ", "impl<N> ", "trait N { ", "where N: ", "mod N { ", "use N::{", "pub ", "async ", "await ", "yield ",
    "return ", "lambda N: ", "not ", "and ", "or ", "in ", "is ", "not in ", "import N", "from N import ", "with N as N: ", "try:\n", "except N:\n",
    "raise ", "del ", "global N\n", "print N, ", "exec N\n", "assert ", "unsafe { ", "loop { ", "move |N| ", "|N| ", "dyn ", "ref ", "&mut ", "as N ",
    "const N: ", "static ", "type N = ", "macro_rules! N { ", "$(", ")*", "0", "0x", "1.0", "1e", "0b2", "\u{e9}", "\0", "type ", "extern \"C\" ",
    "union N { ", "'a: loop { ", "break 'a ", "N as N<", "(N as N) < ", "match ", "*N, ", "**N, ", "N=N, ", "N: N, ",
];

/// Draws kinds at random, and prints those of which the parser takes longest to see that its deadline has passed, or a check takes longest.
fn search(engine: &Engine, time: Duration, seed: u64, functions: &[String; 2]) {
    let (begun, mut random) = (Instant::now(), Random(seed));
    let (mut found, mut n_kinds): (Vec<(f64, Request, String)>, u32) = (Vec::new(), 0);
    let mut syntax = Syntax::new(PUBLIC_SEED);
    let mut overdraft = |text: &str, language: Language| {
        let before = cpu();
        syntax.read(text, language, CHECK_BYTES_MAX, Some(Instant::now() + SEARCH_DEADLINE));
        cpu().saturating_sub(before).saturating_sub(SEARCH_DEADLINE).as_secs_f64() * 1e3
    };
    while begun.elapsed() < time {
        let mut pieces: Vec<&'static str> = (0..=random.below(5)).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let start: String =
            (0..random.below(3)).map(|_| PIECES[random.below(PIECES.len())].replace('N', "x")).collect();
        if random.below(2) == 0 {
            // Always in this order.
            pieces = vec![pieces.concat().leak()];
        }
        let what = format!("{start:?} {pieces:?}");
        // The search ends with the program, and so does what it leaks.
        let hostile = various(pieces.leak(), start.leak())(CHECK_BYTES_MAX - FUNCTION_BYTES.end);
        n_kinds += 1;
        for (language, function) in LANGUAGES.into_iter().zip(functions) {
            let text = format!("{function}\n{hostile}");
            let overdraft_ms = overdraft(&text, language);
            let request = Request { language: Some(language), ..Request::new("q", text) };
            found.push((overdraft_ms, request, format!("{language} {what}")));
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(LISTED);
    }
    println!("{n_kinds} kinds; the parser beyond its deadline, the check: CPU time, time of day, alone, ms");
    for (overdraft_ms, request, what) in found {
        let Outcome { cpu_ms, wall_ms, alone_ms, degraded, .. } = check(engine, request, 1);
        println!("{overdraft_ms:>6.0}{cpu_ms:>6.0}{wall_ms:>6.0}{alone_ms:>6.0}  {what} {degraded:?}");
    }
}
