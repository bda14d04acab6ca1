//! A check of a 2 KB text in process, warm, on one core: with a copied passage in it, with an edited one, and without any; each with lexical
//! candidates off and on.
//!
//! `cargo bench --bench check`; the corpus is 32 MB of made-up prose in documents of 4 KB. `COPYTRACE_BENCH_TEXT=FILE` takes a text file of one's
//! own instead, cut into documents of 4 KB.

use std::hint::black_box;

use copytrace::check::{Checker, Request};
use corpus::{engine, split};
use criterion::{Criterion, criterion_group, criterion_main};
use prose::{Random, prose};

mod corpus;
mod prose;

const CORPUS_BYTES: usize = 32 << 20;
const DOCUMENT_BYTES: usize = 4 << 10;
const QUERY_BYTES: usize = 2 << 10;
const PASSAGE_BYTES: usize = 1 << 10;

fn corpus() -> Vec<String> {
    let text = match std::env::var("COPYTRACE_BENCH_TEXT") {
        Ok(path) => std::fs::read_to_string(path).expect("COPYTRACE_BENCH_TEXT names a UTF-8 file"),
        Err(_) => prose(&mut Random::new(1), CORPUS_BYTES),
    };
    split(&text, DOCUMENT_BYTES)
}

/// Different texts that are checked in turn, so that no text finds the caches as it left them.
const TEXTS: u64 = 500;

/// Puts a passage of 1 KB between two stretches of foreign prose.
fn query(passage: &str, seed: u64) -> Request {
    let mut random = Random::new(seed);
    let around = (QUERY_BYTES - PASSAGE_BYTES) / 2;
    Request::new("q", format!("{}\n{passage}\n{}", prose(&mut random, around), prose(&mut random, around)))
}

fn edit_every_tenth_word(passage: &str) -> String {
    let words = passage.split(' ').enumerate();
    words.map(|(n, word)| if n % 10 == 9 { "changed" } else { word }).collect::<Vec<_>>().join(" ")
}

fn check(criterion: &mut Criterion) {
    let documents = corpus();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = engine(&documents, dir.path());
    let passage = |n: u64| {
        let step = documents.len() / usize::try_from(TEXTS).expect("a small number");
        let source = &documents[usize::try_from(n).expect("a small number") * step];
        let start = source.ceil_char_boundary(1000);
        &source[start..source.floor_char_boundary(start + PASSAGE_BYTES)]
    };
    let texts = |make: &dyn Fn(u64) -> Request| (0..TEXTS).map(make).collect::<Vec<_>>();
    let cases = [
        ("verbatim passage", texts(&|n| query(passage(n), 1000 + n))),
        ("every tenth word changed", texts(&|n| query(&edit_every_tenth_word(passage(n)), 2000 + n))),
        ("no copy", texts(&|n| query(&prose(&mut Random::new(3000 + n), PASSAGE_BYTES), 4000 + n))),
    ];
    let mut group = criterion.benchmark_group("check of 2 KB");
    for (name, requests) in cases {
        for (is_lexical, switch) in [(false, "off"), (true, "on")] {
            let requests: Vec<_> = requests.iter().map(|request| Request { is_lexical, ..request.clone() }).collect();
            let mut turn = requests.iter().cycle();
            group.bench_function(format!("{name}, lexical {switch}"), |bencher| {
                bencher.iter(|| engine.check(black_box(turn.next().expect("endless"))).expect("a sound index"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
