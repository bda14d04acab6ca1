//! The program keeps to `--memory`, and the index does not depend on it. `cargo bench --bench memory` does the same at length.

#[path = "../../benches/shapes/mod.rs"]
mod shapes;

use copytrace_indexer::memory::MemoryPlan;

use crate::reproducible::assert_same_files;

const PROGRAM: &str = env!("CARGO_BIN_EXE_copytrace");
const MEMORY_BYTES: usize = 64 << 20;

/// Builds with 64 MiB and many threads, and checks the peak where it can be seen; builds with 2 GiB, and compares the indexes.
fn check(name: &str, text_bytes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let (_, write) = shapes::SHAPES.into_iter().find(|(other, _)| *other == name).unwrap();
    let document_bytes = MemoryPlan::new(MEMORY_BYTES).document_bytes_max() - 1000;
    let corpus = write(dir.path(), shapes::Scale { bytes: text_bytes, document_bytes });
    let build = |name: &str, memory: &str| {
        let index = dir.path().join(name);
        let peak = shapes::index(PROGRAM, &corpus, &index, memory);
        assert!(peak.is_success, "{name}: {}", peak.stderr);
        (peak.anonymous_bytes, index)
    };
    let (peak_bytes, small) = build("small", "64MiB");
    let (_, large) = build("large", "2GiB");
    assert_same_files(&small, &large, name);
    if cfg!(target_os = "linux") {
        assert!(peak_bytes > 0, "{name}: no memory was seen");
        assert!(peak_bytes <= MEMORY_BYTES * 11 / 10, "{name}: {} MiB", peak_bytes >> 20);
    }
}

#[test]
fn tiny_rows_stay_within_the_memory() {
    check("rows of 20 bytes", 4_000_000);
}

#[test]
fn rows_of_one_id_stay_within_the_memory() {
    check("rows of 60 bytes, all of one id", 6_000_000);
}

#[test]
fn rows_of_long_attributes_stay_within_the_memory() {
    check("rows of 20 bytes with 24 KB of attributes", 80_000_000);
}

#[test]
fn long_documents_stay_within_the_memory() {
    check("one repeated letter, long documents", 12_000_000);
    check("every word another, long documents", 12_000_000);
    check("Chinese without a space, long documents", 12_000_000);
}

#[test]
fn code_stays_within_the_memory() {
    check("code of many short functions, 4 KB a document", 4_000_000);
}

#[test]
fn long_documents_of_code_stay_within_the_memory() {
    check("code of one-letter tokens, 256 KiB a document", 12_000_000);
    check("code of short functions, 192 KiB a document", 12_000_000);
}

#[test]
fn compression_bombs_stay_within_the_memory() {
    check("zstd, all in one line", 300_000_000);
    check("Parquet, one value for all rows", 12_000_000);
}

#[test]
fn a_document_that_is_too_long_for_the_memory_is_refused_and_the_memory_named() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = dir.path().join("corpus.jsonl");
    let text = "word ".repeat(2_000_000);
    std::fs::write(&corpus, format!("{{\"id\":\"long\",\"text\":\"{text}\"}}\n")).unwrap();
    let index = dir.path().join("index");
    let refused = shapes::index(PROGRAM, &corpus, &index, "64MiB");
    assert!(!refused.is_success);
    let expected = "memory is `64 MiB`: expected at least 153 MiB for document `long` of 10000000 bytes";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    let done = shapes::index(PROGRAM, &corpus, &index, "153MiB");
    assert!(done.is_success, "{}", done.stderr);
}
