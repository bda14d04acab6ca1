//! Reading a corpus, building an index of prose with text stored, its size on disk, and looking up keys in a warm table.
//!
//! `cargo bench -p copytrace-indexer --bench index`; `COPYTRACE_BENCH_KEYS=50000000` looks up in a table of that many keys, which takes
//! 0.6 GiB of memory and 1.3 GB of disk.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use copytrace_indexer::corpus::input::discover;
use copytrace_indexer::corpus::options::ReadOptions;
use copytrace_indexer::corpus::reader::Reader;
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

fn documents(bytes: usize) -> Vec<String> {
    let mut random = Random::new(1);
    (0..CORPUS_BYTES / bytes).map(|_| prose(&mut random, bytes)).collect()
}

fn document(n: usize, text: &str) -> Document {
    Document { id: format!("d{n}"), text: text.to_owned(), attributes: Attributes::default() }
}

fn build_prose(criterion: &mut Criterion) {
    let documents = documents(DOCUMENT_BYTES);
    let text_bytes: usize = documents.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("build");
    group.throughput(Throughput::Bytes(text_bytes as u64));
    group.sample_size(10);
    for threads in [1, 2] {
        group.bench_function(format!("prose with text, {threads} threads"), |bencher| {
            bencher.iter(|| {
                let dir = tempfile::tempdir().expect("a temporary folder");
                build_in(dir.path(), &documents, threads);
            });
        });
    }
    group.finish();
}

fn build_in(dir: &Path, documents: &[String], threads: usize) -> IndexWriter {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir));
    let mut writer = IndexWriter::open(storage, PUBLIC_SEED).expect("an empty folder");
    let rows = documents.iter().enumerate().map(|(n, text)| Ok(Row::Document(Box::new(document(n, text)))));
    let options = BuildOptions { threads, ..BuildOptions::default() };
    build(&mut writer, rows, options, &BuildProgress::default()).expect("sound documents");
    writer
}

/// Rows from a file to documents, by the one thread that reads.
fn read_corpus(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let documents = documents(DOCUMENT_BYTES);
    let text_bytes: usize = documents.iter().map(String::len).sum();
    let rows =
        documents.iter().enumerate().map(|(n, text)| serde_json::json!({ "id": n, "text": text }).to_string() + "\n");
    let rows: String = rows.collect();
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(text_bytes as u64));
    group.sample_size(20);
    for (name, bytes) in [
        ("corpus.jsonl", rows.clone().into_bytes()),
        ("corpus.jsonl.zst", zstd::encode_all(rows.as_bytes(), 3).expect("memory")),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("space");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let files = discover(std::slice::from_ref(&path)).expect("the file just made").files;
                Reader::new(files, ReadOptions::default()).flatten().count()
            });
        });
    }
    group.finish();
}

/// Prints what each part of an index takes for each byte of text; `all` is everything but the words for search and the text.
#[expect(clippy::print_stdout, reason = "a bench shows its result")]
fn show_sizes(_: &mut Criterion) {
    let mut random = Random::new(9);
    let mut han =
        || (0..1000).map(|_| char::from_u32(0x4E00 + (random.next() % 3000) as u32).expect("a letter")).collect();
    let chinese: Vec<String> = (0..CORPUS_BYTES / 3000).map(|_| han()).collect();
    println!(
        "{:<12} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "bytes / byte", "all", "documents", "anchors", "bands", "exact", "ids", "lexical", "text"
    );
    for (name, documents) in
        [("prose 4 KB", documents(4000)), ("prose 200 B", documents(200)), ("Chinese 3 KB", chinese)]
    {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let writer = build_in(dir.path(), &documents, 2);
        let segment = writer.current().and_then(|index| index.segments().first()).expect("one was built");
        let text_bytes = segment.entry().text_bytes as f64;
        let share = |component: Component| {
            segment.entry().files.get(component.name()).map_or(0.0, |seal| seal.file_bytes as f64 / text_bytes)
        };
        let parts =
            [Component::Documents, Component::Anchors, Component::Bands, Component::Exact, Component::Ids].map(share);
        let fingerprints = parts.iter().sum::<f64>();
        print!("{name:<12} {fingerprints:>8.3} {:>9.3}", parts[0]);
        for part in parts[1..].iter().copied().chain([Component::Catalog, Component::Text].map(share)) {
            print!(" {part:>8.3}");
        }
        println!();
    }
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
    let mut document_of = |_: u64| Ok(Some((0, OriginKey::UNKNOWN)));
    let seal = builder.finish(&storage, path, Component::Anchors, &mut document_of).expect("space");
    let file = BlockFile::open(&storage, path, Component::Anchors, seal).expect("the file just made");
    let table = KeyTable::open(file).expect("the file just made");
    table.verify(u64::MAX).expect("the file just made");
    let mut group = criterion.benchmark_group("lookup");
    let mut values = Vec::new();
    for (name, seed, is_prefetched) in [("present", 5, false), ("absent", 6, false), ("absent, hints before", 6, true)]
    {
        let mut random = Random::new(seed);
        let mut left = n_keys;
        // As a text of 256 words asks, in the order of its keys.
        let mut keys = [0; 256];
        group.throughput(Throughput::Elements(keys.len() as u64));
        group.bench_function(format!("256 {name} among {n_keys} keys, warm"), |bencher| {
            bencher.iter(|| {
                if left < keys.len() as u64 {
                    (random, left) = (Random::new(seed), n_keys);
                }
                left -= keys.len() as u64;
                keys.fill_with(|| random.next());
                keys.sort_unstable();
                if is_prefetched {
                    for &key in &keys {
                        table.prefetch(Key(key)).expect("a sound table");
                    }
                }
                values.clear();
                for &key in black_box(&keys) {
                    table.lookup(Key(key), &mut values).expect("a sound table");
                }
                values.len()
            });
        });
    }
    group.finish();
    let file_bytes = std::fs::metadata(dir.path().join("table")).expect("the file just made").len();
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Bytes(file_bytes));
    group.bench_function("every block of a table, in the page cache", |bencher| {
        // Mapped anew each time, as `inspect --verify` finds it.
        bencher.iter(|| {
            BlockFile::open(&storage, path, Component::Anchors, seal)
                .expect("a sound file")
                .verify()
                .expect("a sound file");
        });
    });
    group.finish();
}

criterion_group!(benches, show_sizes, read_corpus, build_prose, look_up);
criterion_main!(benches);
