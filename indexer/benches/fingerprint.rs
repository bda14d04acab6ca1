//! Speed of fingerprints: from text to anchors and to signatures, and of the MinHash kernel alone.
//!
//! `cargo bench -p copytrace-indexer --bench fingerprint`; with `COPYTRACE_BENCH_TEXT=FILE` the text is that file, cut
//! into documents of 8,000 bytes as the made text is.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use copytrace_indexer::fingerprint::{Fingerprinter, Signature};
use copytrace_indexer::normalise::Words;
use copytrace_indexer::simd::{Level, min_affine};

mod prose;

/// Bytes per document: the size of a web page's text.
const DOCUMENT_BYTES: usize = 8000;

fn documents(text: &str) -> Vec<&str> {
    let mut rest = text;
    std::iter::from_fn(|| {
        let (document, after) = rest.split_at(rest.floor_char_boundary(DOCUMENT_BYTES));
        rest = after;
        (!document.is_empty()).then_some(document)
    })
    .collect()
}

fn bench_stages(criterion: &mut Criterion) {
    let text = prose::english();
    let documents = documents(&text);
    let fingerprinter = Fingerprinter::public();
    let (mut words, mut keys, mut anchors) = (Words::default(), Vec::new(), Vec::new());
    let (mut signature, mut band_keys) = (Signature::default(), Vec::new());
    let mut group = criterion.benchmark_group("text_to");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("words", |bencher| {
        bencher.iter(|| documents.iter().for_each(|document| fingerprinter.words(document, &mut words)));
    });
    group.bench_function("anchors", |bencher| {
        bencher.iter(|| {
            for document in &documents {
                fingerprinter.words(document, &mut words);
                fingerprinter.grams(&words, &mut keys);
                fingerprinter.anchors(&words, &keys, &mut anchors);
            }
        });
    });
    group.bench_function("signature", |bencher| {
        bencher.iter(|| {
            for document in &documents {
                fingerprinter.words(document, &mut words);
                fingerprinter.shingles(&words, &mut keys);
                fingerprinter.signature(&keys, &mut signature);
                fingerprinter.band_keys(&signature, &mut band_keys);
            }
        });
    });
    group.finish();
}

fn bench_kernel(criterion: &mut Criterion) {
    const N_HASHES: u32 = 4096;
    let column = |factor: u32| (0..N_HASHES).map(|i| (i + 1).wrapping_mul(factor) | 1).collect::<Vec<_>>();
    let (hashes, factors, terms) = (column(0x9E37_79B9), column(0x85EB_CA6B), column(0xC2B2_AE35));
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(u64::from(N_HASHES)));
    for level in Level::available() {
        for n_slots in [128, 256] {
            let mut slots = vec![u32::MAX; n_slots];
            group.bench_function(format!("{}/{n_slots}", level.name()), |bencher| {
                bencher.iter(|| min_affine(level, &hashes, &factors[..n_slots], &terms[..n_slots], &mut slots));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench_stages, bench_kernel);
criterion_main!(benches);
