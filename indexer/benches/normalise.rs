//! Speed of cutting texts into hashed words, per writing system.
//!
//! `cargo bench -p copytrace-indexer --bench normalise`; with `COPYTRACE_BENCH_TEXT=FILE` the text `english` is that
//! file.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use copytrace_indexer::normalise::{Normaliser, Words, normal_form};
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::simd::{Level, MASK_BYTES, classify};

mod prose;

fn bench_words(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("words");
    let normaliser = Normaliser::new(PUBLIC_SEED);
    let mut words = Words::default();
    let texts = std::iter::once(("english", prose::english())).chain(prose::others());
    for (name, text) in texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| normaliser.words(&text, &mut words)));
    }
    group.finish();
}

fn bench_normal_form(criterion: &mut Criterion) {
    let text = prose::english();
    let mut group = criterion.benchmark_group("normal_form");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("english", |bencher| bencher.iter(|| normal_form(&text)));
    group.finish();
}

fn bench_classify(criterion: &mut Criterion) {
    let text = prose::english();
    let mut masks = vec![0; text.len().div_ceil(MASK_BYTES)];
    let mut group = criterion.benchmark_group("classify");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for level in Level::available() {
        group.bench_function(level.name(), |bencher| bencher.iter(|| classify(level, text.as_bytes(), &mut masks)));
    }
    group.finish();
}

criterion_group!(benches, bench_words, bench_normal_form, bench_classify);
criterion_main!(benches);
