//! What a dedup pass costs: by size, for one huge cluster, and in memory.
//!
//! `cargo bench --bench dedup` prints all tables; `-- growth`, `-- cluster`, `-- memory` one of them, and a number behind it sets how many rows there are.
//! `-- speed FILE...` takes files of one's own. Beside the peers: `benches/peers/dedup.py`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::Rules;
use copytrace::dedup::run::{Options, Outcome, Resources, Stage, dedup};

#[path = "scale/host.rs"]
#[expect(dead_code, reason = "the scale bench uses the rest")]
mod host;

/// Words of which texts are made.
const VOCABULARY: u64 = 50_000;

#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let n_rows = arguments.iter().find_map(|argument| argument.parse::<u64>().ok());
    let wants = |name: &str| arguments.first().is_none_or(|first| first == name || first.parse::<u64>().is_ok());
    println!(
        "{:<26} {:>10} {:>8} {:>8} {:>9} {:>9} {:>10} {:>9}",
        "corpus", "rows", "text MB", "s", "CPU s", "MB/s", "removed", "anon MiB"
    );
    if arguments.first().is_some_and(|first| first == "speed") {
        for file in &arguments[1..] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            show(file, &measure(&[PathBuf::from(file)], dir.path()));
        }
        return;
    }
    if wants("growth") {
        for factor in [1, 2, 4] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let file = dir.path().join("corpus.jsonl.zst");
            write(&file, n_rows.unwrap_or(100_000) * factor, 100, Shape::Skewed);
            show(&format!("skewed, x{factor}"), &measure(&[file], dir.path()));
        }
    }
    if wants("cluster") {
        for (name, shape) in [("one exact cluster", Shape::Equal), ("one near cluster", Shape::Near)] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let file = dir.path().join("corpus.jsonl.zst");
            write(&file, n_rows.unwrap_or(1_000_000), 30, shape);
            show(name, &measure(&[file], dir.path()));
        }
    }
    if wants("memory") {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("corpus.jsonl.zst");
        write(&file, n_rows.unwrap_or(10_000_000), 20, Shape::Skewed);
        show("short, skewed", &measure(&[file], dir.path()));
    }
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
fn write(path: &Path, n_rows: u64, n_words: u64, shape: Shape) {
    let file = std::fs::File::create(path).expect("a new file");
    let mut out = zstd::stream::write::Encoder::new(file, 1).expect("an encoder").auto_finish();
    let mut line = String::new();
    for row in 0..n_rows {
        let random = mix(row + 1);
        // Every text is made of its number; copies have that of their original.
        let (text, changed) = match shape {
            Shape::Equal => (0, None),
            Shape::Near => (0, Some(random)),
            Shape::Skewed if random % 10 < 3 => {
                // Squared twice: the first texts have far more copies than the others.
                let share = (random >> 20) as f64 / (1_u64 << 44) as f64;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of rows")]
                let original = (share.powi(4) * n_rows as f64) as u64;
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
    stages: Vec<(Stage, f64)>,
}

fn measure(files: &[PathBuf], dir: &Path) -> Measured {
    let options = Options {
        inputs: files.to_vec(),
        out: dir.join("out"),
        work: None,
        rules: Rules::default(),
        resources: Resources { memory_bytes: 512 << 20, ..Resources::default() },
    };
    let started = Instant::now();
    let stages = std::sync::Mutex::new(Vec::new());
    let note = |stage| stages.lock().expect("no panic").push((stage, started.elapsed().as_secs_f64()));
    let run = || dedup(&options, &Progress::default(), &note).expect("a pass");
    let ((outcome, anonymous_bytes), taken) = host::time(|| host::peak_anonymous_bytes(run));
    let (seconds, cpu_seconds) = (taken.wall.as_secs_f64(), taken.cpu.as_secs_f64());
    let stages = stages.into_inner().expect("no panic");
    Measured { outcome, seconds, cpu_seconds, anonymous_bytes, stages }
}

#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn show(name: &str, measured: &Measured) {
    let report = &measured.outcome.report;
    let megabytes = report.documents.bytes as f64 / 1e6;
    println!(
        "{name:<26} {:>10} {megabytes:>8.1} {:>8.2} {:>9.2} {:>9.1} {:>10} {:>9.0}",
        report.rows,
        measured.seconds,
        measured.cpu_seconds,
        megabytes / measured.seconds,
        report.removed.rows,
        measured.anonymous_bytes as f64 / f64::from(1 << 20)
    );
    let ends = measured.stages.iter().skip(1).map(|(_, start)| *start).chain(std::iter::once(measured.seconds));
    let parts: Vec<String> = measured
        .stages
        .iter()
        .zip(ends)
        .map(|((stage, start), end)| format!("{} {:.2} s", stage.name(), end - start))
        .collect();
    println!("    {}", parts.join(", "));
}
