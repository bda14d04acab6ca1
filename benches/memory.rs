//! How much memory a build takes: the program itself over corpora that try it, each with 64 MiB and 256 MiB.
//!
//! `cargo bench --bench memory` prints a table; `cargo bench --bench memory -- 1000` makes corpora of 1,000 MB of text instead of 300 MB, and
//! a name behind it keeps those with it. Linux only: the measure is `RssAnon`.

use std::time::Instant;

use copytrace_indexer::memory::MemoryPlan;
use shapes::Scale;

#[path = "shapes/mod.rs"]
mod shapes;

#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let megabytes: usize = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(300);
    let wanted = arguments.iter().find(|argument| argument.parse::<usize>().is_err());
    println!("{:<42} {:>9} {:>9} {:>9} {:>7}", "corpus", "memory", "peak", "of it", "s");
    for (name, write) in shapes::SHAPES {
        if wanted.is_some_and(|wanted| !name.contains(wanted.as_str())) {
            continue;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        for memory_mib in [64, 256] {
            // Long documents are as long as the memory allows.
            let memory = MemoryPlan::new(memory_mib << 20);
            let scale = Scale { bytes: megabytes * 1_000_000, document_bytes: memory.document_bytes_max() - 1000 };
            let corpus = write(dir.path(), scale);
            let start = Instant::now();
            let index = dir.path().join(memory_mib.to_string());
            let peak = shapes::index(env!("CARGO_BIN_EXE_copytrace"), &corpus, &index, &format!("{memory_mib}MiB"));
            let (peak_mib, seconds) = (peak.anonymous_bytes as f64 / f64::from(1 << 20), start.elapsed().as_secs_f64());
            let share = 100.0 * peak_mib / memory_mib as f64;
            println!("{name:<42} {memory_mib:>5} MiB {peak_mib:>5.0} MiB {share:>7.0} % {seconds:>7.1}");
            if !peak.is_success {
                println!("    {}", peak.stderr.trim());
            }
            std::fs::remove_dir_all(&index).expect("the index just made");
        }
    }
}
