//! What a dedup pass costs: by size, for one huge cluster, and in memory.
//!
//! `cargo bench --bench dedup` prints all tables; `-- growth`, `-- cluster`, `-- memory`, `-- against` one of them, and a number behind it sets how many
//! rows there are. `-- speed FILE...` takes files of one's own. Beside the peers: `benches/peers/dedup.py`.
//!
//! Instructions are counted from outside: `-- write FILE ROWS` writes the corpus of `growth`, and `perf stat -e instructions:u` or, where the machine has no
//! counters, `valgrind --tool=cachegrind --cache-sim=no` runs `copytrace dedup FILE --out DIR` over it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::{Against, Rules};
use copytrace::dedup::run::{Options, Outcome, Resources, Stage, dedup};
use copytrace_indexer::corpus::columns::ColumnOptions;
use copytrace_indexer::corpus::options::ReadOptions;
use copytrace_indexer::corpus::reader::Reader;
use copytrace_indexer::index::segment_writer::Profile;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::memory::MemoryPlan;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;

#[path = "scale/host.rs"]
#[expect(dead_code, reason = "the scale bench uses the rest")]
mod host;

/// Words of which texts are made.
const VOCABULARY: u64 = 50_000;

#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let n_rows = arguments.iter().find_map(|argument| argument.parse::<u64>().ok());
    if let [command, file, ..] = &arguments[..]
        && command == "write"
    {
        return write(Path::new(file), 0..n_rows.unwrap_or(100_000), 100, Shape::Skewed);
    }
    let wants = |name: &str| arguments.first().is_none_or(|first| first == name || first.parse::<u64>().is_ok());
    println!(
        "{:<26} {:>10} {:>8} {:>8} {:>9} {:>9} {:>10} {:>9} {:>11}",
        "corpus", "rows", "text MB", "s", "CPU s", "MB/s", "removed", "anon MiB", "disk B/row"
    );
    if arguments.first().is_some_and(|first| first == "speed") {
        for file in &arguments[1..] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            show(file, &measure(PathBuf::from(file), dir.path(), Rules::default()));
        }
        return;
    }
    if wants("growth") {
        for factor in [1, 2, 4] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let file = dir.path().join("corpus.jsonl.zst");
            write(&file, 0..n_rows.unwrap_or(100_000) * factor, 100, Shape::Skewed);
            show(&format!("skewed, x{factor}"), &measure(file, dir.path(), Rules::default()));
        }
    }
    if wants("cluster") {
        // Of 77 words, copies with the same word changed are similar; of 32 words most are not: a template.
        for (name, shape, n_words) in [
            ("one exact cluster", Shape::Equal, 30),
            ("one near cluster", Shape::Near, 120),
            ("one template", Shape::Near, 30),
        ] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let file = dir.path().join("corpus.jsonl.zst");
            write(&file, 0..n_rows.unwrap_or(1_000_000), n_words, shape);
            show(name, &measure(file, dir.path(), Rules::default()));
        }
    }
    if wants("memory") {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("corpus.jsonl.zst");
        write(&file, 0..n_rows.unwrap_or(10_000_000), 20, Shape::Skewed);
        show("short, skewed", &measure(file, dir.path(), Rules::default()));
    }
    if wants("against") {
        against(n_rows.unwrap_or(1_800_000));
    }
}

/// One row in a hundred more, against an index of the others: what it costs beside a pass over all.
#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn against(n_rows: u64) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [all, old, new] = ["all", "old", "new"].map(|name| dir.path().join(name).join("corpus.jsonl.zst"));
    let n_old = n_rows - n_rows / 100;
    for (file, rows) in [(&all, 0..n_rows), (&old, 0..n_old), (&new, n_old..n_rows)] {
        std::fs::create_dir_all(file.parent().expect("of a folder")).expect("a folder");
        write(file, rows, 100, Shape::Skewed);
    }
    let whole = measure(all, &dir.path().join("whole"), Rules::default());
    show("all", &whole);
    let (index, started) = (dir.path().join("index"), host::process_cpu());
    build_index(&old, &index);
    println!("index of the old rows: {:.2} s CPU", host::process_cpu().saturating_sub(started).as_secs_f64());
    let against = Against::now(index, PUBLIC_SEED).expect("an index");
    let part = measure(new, &dir.path().join("part"), Rules { against: Some(against), ..Rules::default() });
    show("new against old", &part);
    let percent = |part: f64, whole: f64| 100.0 * part / whole;
    let (wall, cpu) = (percent(part.seconds, whole.seconds), percent(part.cpu_seconds, whole.cpu_seconds));
    println!("{wall:.1} % of the time of all, {cpu:.1} % of its CPU time");
}

fn build_index(file: &Path, index: &Path) {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(index));
    storage.create_dir(Path::new("")).expect("a folder");
    let files = copytrace_indexer::corpus::input::discover(&[file.to_path_buf()]).expect("a file").files;
    let options = BuildOptions { profile: Profile::Dedup, memory_bytes: 512 << 20, ..BuildOptions::default() };
    let columns = ColumnOptions::default();
    let read = ReadOptions { columns, memory: MemoryPlan::new(options.memory_bytes), ..ReadOptions::default() };
    let rows = Reader::new(files, read);
    let mut writer = IndexWriter::open(storage, PUBLIC_SEED).expect("an empty folder");
    build(&mut writer, rows, options, &BuildProgress::default()).expect("an index");
}

/// How rows repeat each other.
#[derive(Clone, Copy)]
enum Shape {
    /// Three rows of ten are copies with a word changed, most of a few texts.
    Skewed,
    /// All rows are one text.
    Equal,
    /// All rows are one text with a word changed.
    Near,
}

/// Writes a file of rows of about so many words.
fn write(path: &Path, rows: std::ops::Range<u64>, n_words: u64, shape: Shape) {
    let file = std::fs::File::create(path).expect("a new file");
    let mut out = zstd::stream::write::Encoder::new(file, 1).expect("an encoder").auto_finish();
    let mut line = String::new();
    for row in rows.clone() {
        let random = mix(row + 1);
        // Every text is made of its number; copies have that of their original.
        let (text, changed) = match shape {
            Shape::Equal => (0, None),
            Shape::Near => (0, Some(random)),
            Shape::Skewed if random % 10 < 3 => {
                // Squared twice: the first texts have far more copies than the others.
                let share = (random >> 20) as f64 / (1_u64 << 44) as f64;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of rows")]
                let original = (share.powi(4) * rows.end as f64) as u64;
                (original, (!random.is_multiple_of(3)).then_some(random))
            }
            Shape::Skewed => (row, None),
        };
        line.clear();
        let _ = write!(line, "{{\"id\":\"{row}\",\"text\":\"");
        let n_words = n_words / 2 + mix(text ^ 0xABCD) % n_words;
        for word in 0..n_words {
            let is_changed = changed.is_some_and(|random| random % n_words == word);
            let hash = mix(text.wrapping_mul(1_000_003) + word) ^ if is_changed { changed.unwrap_or(0) } else { 0 };
            // The square makes some words far more frequent than others.
            let rank = (hash % VOCABULARY) * (mix(hash) % VOCABULARY) / VOCABULARY;
            let _ = write!(line, "{}w{rank:x}", if word > 0 { " " } else { "" });
        }
        line.push_str("\"}\n");
        out.write_all(line.as_bytes()).expect("written");
    }
}

fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ n >> 31
}

struct Measured {
    outcome: Outcome,
    seconds: f64,
    cpu_seconds: f64,
    anonymous_bytes: u64,
    /// Most bytes of the work folder at the end of a stage, and those that stay.
    disk_bytes: [u64; 2],
    stages: Vec<(Stage, f64)>,
}

fn measure(file: PathBuf, dir: &Path, rules: Rules) -> Measured {
    let work = dir.join("work");
    let options = Options {
        inputs: vec![file],
        out: dir.join("out"),
        work: Some(work.clone()),
        rules,
        resources: Resources { memory_bytes: 512 << 20, ..Resources::default() },
    };
    let started = Instant::now();
    let stages = std::sync::Mutex::new(Vec::new());
    let peak = AtomicU64::new(0);
    let note = |stage| {
        peak.fetch_max(bytes_below(&work), Ordering::Relaxed);
        stages.lock().expect("no panic").push((stage, started.elapsed().as_secs_f64()));
    };
    let cpu = host::process_cpu();
    let run = || dedup(&options, &Progress::default(), &note).expect("a pass");
    let (outcome, anonymous_bytes) = host::peak_anonymous_bytes(run);
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), host::process_cpu().saturating_sub(cpu));
    let stages = stages.into_inner().expect("no panic");
    let disk_bytes = [peak.into_inner(), bytes_below(&work)];
    Measured { outcome, seconds, cpu_seconds: cpu.as_secs_f64(), anonymous_bytes, disk_bytes, stages }
}

/// Bytes of the files of a folder.
fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|data| data.len()).sum()
}

#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn show(name: &str, measured: &Measured) {
    let report = &measured.outcome.report;
    let megabytes = report.documents.bytes as f64 / 1e6;
    println!(
        "{name:<26} {:>10} {megabytes:>8.1} {:>8.2} {:>9.2} {:>9.1} {:>10} {:>9.0} {:>11}",
        report.rows,
        measured.seconds,
        measured.cpu_seconds,
        megabytes / measured.seconds,
        report.removed.rows,
        measured.anonymous_bytes as f64 / f64::from(1 << 20),
        measured.disk_bytes.map(|bytes| (bytes / report.rows.max(1)).to_string()).join("; ")
    );
    println!("    {} pairs compared exactly, {} ruled out", report.pairs.compared, report.pairs.ruled_out);
    let ends = measured.stages.iter().skip(1).map(|(_, start)| *start).chain(std::iter::once(measured.seconds));
    let parts: Vec<String> = measured
        .stages
        .iter()
        .zip(ends)
        .map(|((stage, start), end)| format!("{} {:.2} s", stage.name(), end - start))
        .collect();
    println!("    {}", parts.join(", "));
}
