//! Speed of the lexer and of telling languages apart.
//!
//! `cargo bench -p copytrace-indexer --bench lexemes`. The code is made; with `COPYTRACE_BENCH_CODE=FILE` it is the column
//! `text` of that file of JSON lines (`.zst`), read as `COPYTRACE_BENCH_LANGUAGE` (default `python`).

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use copytrace_indexer::language::Language;
use copytrace_indexer::language::detect::detect;
use copytrace_indexer::lexemes::{Lexemes, Lexer};

/// Bytes of code that are read: more than any cache holds.
const CODE_BYTES: usize = 32 << 20;

fn made_code() -> Vec<String> {
    let mut documents = Vec::new();
    for n in 0..CODE_BYTES / 8000 {
        let mut code = String::new();
        for i in 0..24 {
            let _ = write!(
                code,
                "def compute_{n}_{i}(values, limit={i}, *, name='total'):\n    \"\"\"Compute the total of all values.\"\"\"\n    \
                 result = []\n    for index, value in enumerate(values):\n        # Skip what is too large.\n        \
                 if value is None or value > limit * {n}:\n            continue\n        \
                 result.append(self.table[name].get(value, 0.5) + index)\n    return sum(result)\n\n\n"
            );
        }
        documents.push(code);
    }
    documents
}

fn read_code(path: &str) -> Vec<String> {
    let file = std::fs::File::open(path).expect("COPYTRACE_BENCH_CODE names a file");
    let lines = BufReader::new(zstd::Decoder::new(file).expect("a file compressed with zstd")).lines();
    let texts = lines.filter_map(|line| {
        let row: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
        Some(row["text"].as_str()?.to_owned())
    });
    let mut n_bytes = 0;
    texts
        .take_while(|text| {
            n_bytes += text.len();
            n_bytes < CODE_BYTES
        })
        .collect()
}

fn bench_lexemes(criterion: &mut Criterion) {
    let documents = std::env::var("COPYTRACE_BENCH_CODE").map_or_else(|_| made_code(), |path| read_code(&path));
    let language = std::env::var("COPYTRACE_BENCH_LANGUAGE").unwrap_or_else(|_| "python".to_owned());
    let language: Language = language.parse().expect("a language's name");
    let n_bytes: usize = documents.iter().map(String::len).sum();
    let (lexer, mut lexemes) = (Lexer::new(0), Lexemes::default());
    let mut group = criterion.benchmark_group("code_to");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(n_bytes as u64));
    group.bench_function("lexemes", |bencher| {
        bencher.iter(|| documents.iter().for_each(|code| lexer.lexemes(code, language, &mut lexemes)));
    });
    group.throughput(Throughput::Elements(documents.len() as u64));
    group.bench_function("language", |bencher| {
        bencher.iter(|| documents.iter().filter(|code| detect(code).language == language).count());
    });
    group.finish();
}

criterion_group!(benches, bench_lexemes);
criterion_main!(benches);
