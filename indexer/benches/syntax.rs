//! Speed of syntax trees: from code to the hashes of its units.
//!
//! `cargo bench -p copytrace-indexer --bench syntax`; with `COPYTRACE_BENCH_CODE=FILE` and `COPYTRACE_BENCH_LANGUAGE=rust` the code is the
//! field `text` of that file's lines, in JSON, compressed where the name ends in `.zst`.

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read};

use copytrace_indexer::language::Language;
use copytrace_indexer::syntax::{SOURCE_BYTES_MAX, Syntax};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Code that is read in one iteration, in bytes.
const CODE_BYTES: usize = 2 << 20;

/// Made functions per document: 10 kB, the size of a file of a library.
const FUNCTIONS: usize = 30;

fn made(language: Language) -> Vec<String> {
    let document = |seed: usize| {
        let mut text = String::new();
        for n in (0..FUNCTIONS).map(|n| n + FUNCTIONS * seed) {
            let written = match language {
                Language::Rust => write!(
                    text,
                    "/// Adds.\npub fn add_{n}(items: &[Item], limit_{n}: usize) -> Option<usize> {{\n    let mut total = {n};\n    for \
                     (at, item) in items.iter().enumerate() {{\n        if item.size > limit_{n} {{\n            total += \
                     item.weight(at).checked_mul({n})?;\n        }} else {{\n            log(\"small item\", &item.name);\n        }}\n    }}\n    \
                     Some(total)\n}}\n\n"
                ),
                _ => write!(
                    text,
                    "def add_{n}(self, items, limit_{n}=None):\n    \"\"\"Adds.\"\"\"\n    total = {n}\n    for at, item in enumerate(items):\n        \
                     if item.size > limit_{n}:\n            total += item.weight(at, scale={n})\n        else:\n            self.log(\"small \
                     item\", item.name)\n    return [total, len(items)]\n\n\n"
                ),
            };
            assert!(written.is_ok(), "a string takes all");
        }
        text
    };
    let mut bytes = 0;
    let documents = (0..).map(document).take_while(|text| {
        bytes += text.len();
        bytes < CODE_BYTES
    });
    documents.collect()
}

fn from_file(path: &str) -> Vec<String> {
    let file = std::fs::File::open(path).expect("COPYTRACE_BENCH_CODE names a file");
    let is_zstd = std::path::Path::new(path).extension().is_some_and(|ending| ending == "zst");
    let reader: Box<dyn Read> =
        if is_zstd { Box::new(zstd::Decoder::new(file).expect("a zstd file")) } else { Box::new(file) };
    let mut bytes = 0;
    let texts = BufReader::new(reader).lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(&line.expect("a line of UTF-8")).expect("a line of JSON");
        row["text"].as_str().expect("a text").to_owned()
    });
    texts
        .take_while(|text| {
            bytes += text.len();
            bytes < 4 * CODE_BYTES
        })
        .collect()
}

fn bench_units(criterion: &mut Criterion) {
    let path = std::env::var("COPYTRACE_BENCH_CODE").ok();
    let of_file =
        std::env::var("COPYTRACE_BENCH_LANGUAGE").map_or(Language::Python, |name| name.parse().expect("a language"));
    let languages = if path.is_some() { vec![of_file] } else { vec![Language::Python, Language::Rust] };
    let mut group = criterion.benchmark_group("code_to_units");
    group.sample_size(10);
    let mut syntax = Syntax::new(0);
    for language in languages.into_iter().filter(|language| Syntax::can_read(*language)) {
        let documents = path.as_deref().map_or_else(|| made(language), from_file);
        group.throughput(Throughput::Bytes(documents.iter().map(|text| text.len() as u64).sum()));
        group.bench_function(language.name(), |bencher| {
            bencher.iter(|| {
                let read = |text: &String| syntax.read(text, language, SOURCE_BYTES_MAX, None).units().len();
                documents.iter().map(read).sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_units);
criterion_main!(benches);
