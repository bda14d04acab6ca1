//! Building an index of prose, with text stored, and looking up keys in a warm table.
//!
//! `cargo bench -p copytrace-indexer --bench index`; `COPYTRACE_BENCH_KEYS=50000000` looks up in a table of that many keys.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::ids::{Key, OriginKey};
use copytrace_indexer::index::block_file::{BlockFile, Component};
use copytrace_indexer::index::key_table::{KeyTable, KeyTableBuilder};
use copytrace_indexer::index::spill::Spill;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prose::{Random, prose};

#[path = "../../benches/prose/mod.rs"]
mod prose;

const CORPUS_BYTES: usize = 32 << 20;
const DOCUMENT_BYTES: usize = 4 << 10;

fn build_prose(criterion: &mut Criterion) {
    let mut random = Random::new(1);
    let documents: Vec<String> =
        (0..CORPUS_BYTES / DOCUMENT_BYTES).map(|_| prose(&mut random, DOCUMENT_BYTES)).collect();
    let text_bytes: usize = documents.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("build");
    group.throughput(Throughput::Bytes(text_bytes as u64));
    group.sample_size(10);
    for threads in [1, 2] {
        group.bench_function(format!("prose with text, {threads} threads"), |bencher| {
            bencher.iter(|| {
                let dir = tempfile::tempdir().expect("a temporary folder");
                let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
                let mut writer = IndexWriter::open(storage, PUBLIC_SEED).expect("an empty folder");
                let rows = documents.iter().enumerate().map(|(n, text)| {
                    let document =
                        Document { id: format!("d{n}"), text: text.clone(), attributes: Attributes::default() };
                    Ok(Row::Document(Box::new(document)))
                });
                let options = BuildOptions { threads, ..BuildOptions::default() };
                build(&mut writer, rows, options, &BuildProgress::default()).expect("sound documents")
            });
        });
    }
    group.finish();
}

fn look_up(criterion: &mut Criterion) {
    let n_keys: u64 = std::env::var("COPYTRACE_BENCH_KEYS").ok().and_then(|n| n.parse().ok()).unwrap_or(5_000_000);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let storage = DiskStorage::new(dir.path());
    storage.create_dir(Path::new("spill")).expect("a temporary folder");
    let spill = Spill::new("spill".into(), "keys", 8 << 20);
    let mut builder = KeyTableBuilder::new(spill, 40);
    let mut random = Random::new(5);
    for n in 0..n_keys {
        builder.push(&storage, Key(random.next()), n).expect("space");
    }
    let path = Path::new("table");
    let document_of = |_: u64| Ok(Some((0, OriginKey::UNKNOWN)));
    let seal = builder.finish(&storage, path, Component::Anchors, &document_of, &mut |_, _| {}).expect("space");
    let file = BlockFile::open(&storage, path, Component::Anchors, seal).expect("the file just made");
    let table = KeyTable::open(file).expect("the file just made");
    table.verify().expect("the file just made");
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(1));
    let mut values = Vec::new();
    for (name, seed) in [("present", 5), ("absent", 6)] {
        let mut random = Random::new(seed);
        let mut left = n_keys;
        group.bench_function(format!("{name} among {n_keys} keys, warm"), |bencher| {
            bencher.iter(|| {
                if left == 0 {
                    (random, left) = (Random::new(seed), n_keys);
                }
                left -= 1;
                values.clear();
                table.lookup(Key(black_box(random.next())), &mut values).expect("a sound table")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, build_prose, look_up);
criterion_main!(benches);
