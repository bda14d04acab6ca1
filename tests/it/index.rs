//! Building an index: what is added, replaced, kept, refused; the same bytes for the same documents; what a reader sees.

use std::path::Path;
use std::sync::Arc;

use copytrace_indexer::corpus::{Attributes, Document, Row, SkipReason, Skipped};
use copytrace_indexer::error::{Error, ErrorKind};
use copytrace_indexer::ids::DocIdx;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, BuildReport, OnDuplicate, build};
use copytrace_indexer::recipe::PUBLIC_SEED;

use crate::corpora::{add, document, document_of};

pub(crate) fn memory() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::default())
}

pub(crate) fn open(storage: &Arc<dyn Storage>) -> Index {
    Index::open(&**storage, PUBLIC_SEED).unwrap()
}

/// Ids and texts of all documents that a reader sees, sorted.
pub(crate) fn contents(index: &Index) -> Vec<(String, String)> {
    let mut contents = Vec::new();
    for segment in index.segments() {
        for doc in 0..segment.entry().n_docs {
            let doc = DocIdx(doc);
            if segment.is_removed(doc) {
                continue;
            }
            let mut bytes = Vec::new();
            segment.read_text(segment.record(doc).unwrap().text, &mut bytes).unwrap();
            contents.push((segment.attributes(doc).unwrap().0, String::from_utf8(bytes).unwrap()));
        }
    }
    contents.sort();
    contents
}

pub(crate) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(id, text)| (id.to_owned(), text.to_owned())).collect()
}

fn options(on_duplicate: OnDuplicate) -> BuildOptions {
    BuildOptions { on_duplicate, threads: 1, ..BuildOptions::default() }
}

#[test]
fn documents_read_back_with_their_attributes() {
    let storage = memory();
    let attributes = Attributes {
        uri: "https://example.org/a".into(),
        license: "MIT".into(),
        origin: "example.org".into(),
        shard: "shard-3".into(),
        language: "text".into(),
    };
    let texts = ["", "one", "zwölf Boxkämpfer jagen", "天地玄黃宇宙洪荒", "a\0b\r\nc"];
    let documents: Vec<Document> = texts
        .iter()
        .enumerate()
        .map(|(n, &text)| Document { attributes: attributes.clone(), ..document(format!("doc/{n}"), text) })
        .collect();
    let report = add(&storage, documents, BuildOptions::default());
    assert_eq!((report.generation, report.added), (1, 5));
    let index = open(&storage);
    let expected: Vec<_> = (0..).zip(texts).map(|(n, text)| (format!("doc/{n}"), text.to_owned())).collect();
    assert_eq!(contents(&index), expected);
    let (segment, doc) = index.find("doc/3").unwrap().unwrap();
    assert_eq!(segment.attributes(doc).unwrap(), ("doc/3".to_owned(), attributes));
    assert!(index.find("doc/9").unwrap().is_none());
    assert!(segment.verify().iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn an_id_that_is_there_already_is_replaced_kept_or_refused() {
    let old = || vec![document("a", "old a"), document("b", "b")];
    let new = || vec![document("a", "new a"), document("b", "b"), document("c", "c")];
    let run = |on_duplicate| {
        let storage = memory();
        add(&storage, old(), options(OnDuplicate::Replace));
        let report = add(&storage, new(), options(on_duplicate));
        (report, contents(&open(&storage)))
    };
    let (report, found) = run(OnDuplicate::Replace);
    assert_eq!(found, owned(&[("a", "new a"), ("b", "b"), ("c", "c")]));
    assert_eq!((report.generation, report.added, report.replaced, report.unchanged), (2, 1, 1, 1));
    let (report, found) = run(OnDuplicate::Skip);
    assert_eq!(found, owned(&[("a", "old a"), ("b", "b"), ("c", "c")]));
    assert_eq!((report.added, report.kept_old, report.unchanged), (1, 1, 1));

    let storage = memory();
    add(&storage, old(), options(OnDuplicate::Replace));
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let rows = new().into_iter().map(|document| Ok(Row::Document(Box::new(document))));
    let error = build(&mut writer, rows, options(OnDuplicate::Error), &BuildProgress::default()).unwrap_err();
    assert_eq!(error.to_string(), "document `a` is in the index already");
    drop(writer);
    assert_eq!(contents(&open(&storage)), owned(&[("a", "old a"), ("b", "b")]), "nothing was committed");
}

#[test]
fn ids_that_come_twice_in_one_run_are_one_document() {
    let rows = || vec![document("a", "first"), document("b", "b"), document("a", "second"), document("a", "third")];
    for (on_duplicate, expected) in [(OnDuplicate::Replace, "third"), (OnDuplicate::Skip, "first")] {
        let storage = memory();
        let report = add(&storage, rows(), options(on_duplicate));
        assert_eq!(contents(&open(&storage)), owned(&[("a", expected), ("b", "b")]));
        assert_eq!((report.added, report.replaced + report.kept_old), (2, 2), "{report:?}");
    }
}

#[test]
fn the_same_input_again_changes_nothing() {
    let storage = memory();
    let rows = || (0..50).map(|n| document_of("o", format!("{n}"), format!("text {n}"))).collect::<Vec<_>>();
    add(&storage, rows(), BuildOptions::default());
    let report = add(&storage, rows(), BuildOptions::default());
    assert_eq!((report.generation, report.unchanged, report.added), (1, 50, 0));
}

#[test]
fn an_empty_input_makes_an_empty_index() {
    let storage = memory();
    let report = add(&storage, Vec::new(), BuildOptions::default());
    assert_eq!(report, BuildReport { generation: 1, ..BuildReport::default() });
    assert_eq!(open(&storage).n_docs(), 0);
}

#[test]
fn rows_that_cannot_be_used_are_counted_or_stop_a_strict_build() {
    let rows = || {
        let skipped = |row, reason| Ok(Row::Skipped(Skipped { path: "corpus.jsonl".into(), row, reason }));
        vec![
            Ok(Row::Document(Box::new(document("a", "a")))),
            skipped(2, SkipReason::InvalidUtf8(7)),
            skipped(3, SkipReason::NoText),
            skipped(4, SkipReason::NoText),
            Err(Error::Input { path: "cut.jsonl.gz".into(), problem: "unexpected end of file".into() }),
        ]
    };
    let storage = memory();
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let report = build(&mut writer, rows().into_iter(), BuildOptions::default(), &BuildProgress::default()).unwrap();
    let counts: Vec<_> = report.skipped.iter().map(|(name, rows)| (*name, rows.count)).collect();
    assert_eq!(counts, [("invalid UTF-8", 1), ("no text", 2)]);
    assert_eq!(report.failed_files, ["cannot read `cut.jsonl.gz`: unexpected end of file"]);
    assert_eq!(report.added, 1);

    let strict = BuildOptions { is_strict: true, ..BuildOptions::default() };
    let error = build(&mut writer, rows().into_iter(), strict, &BuildProgress::default()).unwrap_err();
    assert_eq!(error.to_string(), "`corpus.jsonl`, row 2: invalid UTF-8 at byte 7 of the row: expected UTF-8 text");
}

/// More rows than the batches between reader and builder hold, the first of them unusable.
#[test]
fn an_error_in_a_large_input_ends_the_build() {
    let rows = (0..200_000_u64).map(|n| match n {
        0 => Ok(Row::Skipped(Skipped { path: "big.jsonl".into(), row: 1, reason: SkipReason::NoText })),
        n => Ok(Row::Document(Box::new(document(n.to_string(), "some words that fill the row")))),
    });
    let mut writer = IndexWriter::open(memory(), PUBLIC_SEED).unwrap();
    let strict = BuildOptions { is_strict: true, ..BuildOptions::default() };
    let error = build(&mut writer, rows, strict, &BuildProgress::default()).unwrap_err();
    assert!(error.to_string().starts_with("`big.jsonl`, row 1"), "{error}");
}

#[test]
fn input_of_which_nothing_is_usable_makes_no_index() {
    let storage = memory();
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let rows = [Err(Error::Input { path: "cut.gz".into(), problem: "truncated".into() })];
    let error = build(&mut writer, rows.into_iter(), BuildOptions::default(), &BuildProgress::default()).unwrap_err();
    assert_eq!(error.to_string(), "no row of the input could be used: cannot read `cut.gz`: truncated");
    assert!(Index::open(&*storage, PUBLIC_SEED).is_err());
}

#[test]
fn a_folder_of_somebody_else_and_an_index_without_its_manifest_are_left_alone() {
    for (name, is_refused) in
        [("photos", true), ("seg-mine", true), ("receipts", true), ("copytrace-building", false), ("LOCK", false)]
    {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(name)).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
        if name == "LOCK" {
            std::fs::remove_dir(dir.path().join(name)).unwrap();
        }
        let opened = IndexWriter::open(storage, PUBLIC_SEED).map(drop);
        assert_eq!(opened.is_err(), is_refused, "{name}: {opened:?}");
        assert!(!is_refused || dir.path().join(name).is_dir(), "{name} is gone");
    }
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
    add(&storage, vec![document("a", "a")], BuildOptions::default());
    add(&storage, vec![document("b", "b")], BuildOptions::default());
    std::fs::remove_file(dir.path().join("MANIFEST-000002")).unwrap();
    let error = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).map(drop).unwrap_err();
    assert!(error.to_string().contains("is no index and not empty: it holds `seg-000002-"), "{error}");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(),
        2
    );
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
    add(&storage, vec![document("a", "a")], BuildOptions::default());
    let first = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let error = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.to_string().contains("is being written by another process"), "{error}");
    assert_eq!(contents(&open(&storage)), owned(&[("a", "a")]));
    drop(first);
    IndexWriter::open(storage, PUBLIC_SEED).map(drop).unwrap();
}

#[test]
fn a_missing_index_another_seed_and_a_newer_format_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
    let error = Index::open(&*storage, PUBLIC_SEED).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no index in `{}`: the folder has no `MANIFEST-…` file", dir.path().join("").display())
    );
    add(&storage, vec![document("a", "a")], BuildOptions::default());
    let error = Index::open(&*storage, 7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    std::fs::write(dir.path().join("MANIFEST-000002"), "copytrace-manifest 3 0 0000000000000000\n").unwrap();
    let error = Index::open(&*storage, PUBLIC_SEED).unwrap_err();
    assert!(error.to_string().ends_with("has format version `3`: this program reads `2`"), "{error}");
}

#[test]
fn what_a_dead_writer_left_behind_is_ignored_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
    add(&storage, vec![document("a", "a")], BuildOptions::default());
    for name in ["copytrace-building", "seg-000002-0123456789abcdef"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("text"), "half").unwrap();
    }
    std::fs::write(dir.path().join("MANIFEST.tmp"), "half").unwrap();
    assert_eq!(contents(&open(&storage)), owned(&[("a", "a")]));
    drop(IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap());
    assert!(!storage.exists(Path::new("MANIFEST.tmp")).unwrap(), "by opening alone");
    add(&storage, vec![document("b", "b")], BuildOptions::default());
    assert_eq!(contents(&open(&storage)), owned(&[("a", "a"), ("b", "b")]));
    let names = storage.list(Path::new("")).unwrap();
    assert!(!names.iter().any(|name| name == "copytrace-building" || name.contains("0123456789abcdef")), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("MANIFEST")).count(), 1, "{names:?}");
}

#[test]
fn a_document_that_a_snapshot_leaves_out_is_there_again_when_it_is_opened_anew() {
    let storage = memory();
    add(&storage, vec![document("a", "a"), document("b", "b")], BuildOptions::default());
    let hidden = open(&storage).without(&[(0, DocIdx(0))]);
    assert_eq!(contents(&hidden), owned(&[("b", "b")]));
    assert_eq!(contents(&hidden.reopen(&*storage).unwrap()), owned(&[("a", "a"), ("b", "b")]));
}
