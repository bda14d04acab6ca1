//! Removal, merging, receipts, and readers that see a commit at once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use copytrace::check::Checker as _;
use copytrace::check::answer::Answer;
use copytrace::check::engine::Engine;
use copytrace::remaining;
use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::error::{Error, ErrorKind, Result};
use copytrace_indexer::ids::Generation;
use copytrace_indexer::index::manifest::Manifest;
use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::receipt::{Reason, Receipt};
use copytrace_indexer::index::segment_writer::Profile;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage, WriteFile};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::merge::{MergeOptions, MergeReport, merge};
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::removal::{Selected, Selection, remove, select};

use crate::corpora::{Random, add, document, document_of, files, listing_policy, passage, request};
use crate::index::{contents, memory, open, owned};

fn options() -> BuildOptions {
    BuildOptions { threads: 1, ..BuildOptions::default() }
}

fn merge_options() -> MergeOptions {
    MergeOptions { threads: 1, ..MergeOptions::default() }
}

fn writer(storage: &Arc<dyn Storage>) -> IndexWriter {
    IndexWriter::open(Arc::clone(storage), PUBLIC_SEED).unwrap()
}

fn ids(ids: &[&str]) -> Selection {
    Selection::Ids(ids.iter().map(|&id| id.to_owned()).collect())
}

fn remove_from(storage: &Arc<dyn Storage>, selection: &Selection) -> (Generation, Selected) {
    remove(&mut writer(storage), selection).unwrap()
}

fn merge_in(storage: &Arc<dyn Storage>, from: &[Index], options: MergeOptions) -> MergeReport {
    merge(&mut writer(storage), from, options, &BuildProgress::default()).unwrap()
}

fn merge_plainly(storage: &Arc<dyn Storage>) -> MergeReport {
    merge_in(storage, &[], merge_options())
}

fn engine(storage: &Arc<dyn Storage>) -> Engine {
    Engine::follow([("index".to_owned(), Arc::clone(storage))], PUBLIC_SEED, listing_policy()).unwrap()
}

fn found(answer: &Answer) -> Vec<&str> {
    let mut found: Vec<&str> = answer.matches.iter().map(|found| found.document.id.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn in_shard(shard: &str, id: &str, text: String) -> Document {
    let attributes = Attributes { shard: shard.into(), origin: format!("origin of {shard}"), ..Attributes::default() };
    Document { attributes, ..document(id, text) }
}

/// Files of all segments, named by the segment's place, without manifest, receipts and lock.
fn segment_files(storage: &Arc<dyn Storage>) -> BTreeMap<(usize, String), Vec<u8>> {
    let index = open(storage);
    let place = |name: &str| index.segments().iter().position(|segment| segment.entry().name == name);
    let of_segments = files(&**storage).into_iter().filter_map(|(path, bytes)| {
        let (dir, file) = path.split_once('/')?;
        Some(((place(dir)?, file.to_owned()), bytes))
    });
    of_segments.collect()
}

fn assert_same_segments(found: &Arc<dyn Storage>, expected: &Arc<dyn Storage>, what: &str) {
    let (found, expected) = (segment_files(found), segment_files(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{what}: {name:?} differs");
    }
}

/// Documents of which some share a passage, in more places than a key has.
fn corpus(n_docs: usize) -> Vec<Document> {
    let text = |n: usize| {
        let shared = if n.is_multiple_of(3) { passage("shared", 40) } else { String::new() };
        format!("{} {shared} {}\n", passage(&format!("a{n}x"), n % 50), passage(&format!("b{n}x"), 30))
    };
    (0..n_docs).map(|n| document_of(&format!("origin {}", n % 40), format!("id {n}"), text(n))).collect()
}

#[test]
fn a_merged_index_has_the_bytes_of_one_run_over_its_documents() {
    let all = corpus(330);
    let is_removed = |n: usize| n % 5 == 1;
    let living: Vec<Document> = (0..330).filter(|&n| !is_removed(n)).map(|n| all[n].clone()).collect();
    let one_run = memory();
    add(&one_run, living.clone(), options());
    for (threads, memory_bytes) in [(1, 2 << 30), (2, 64 << 10)] {
        let merged = memory();
        for documents in all.chunks(100) {
            add(&merged, documents.to_vec(), options());
        }
        let removed = (0..330).filter(|&n| is_removed(n)).map(|n| format!("id {n}")).collect();
        remove_from(&merged, &Selection::Ids(removed));
        let report = merge_in(&merged, &[], MergeOptions { threads, memory_bytes, ..merge_options() });
        assert_eq!((report.segments_before, report.segments_after, report.dropped_removed), (4, 1, 66));
        assert_same_segments(&merged, &one_run, "merge");
        assert_eq!(
            merge_plainly(&merged),
            MergeReport {
                generation: report.generation,
                segments_before: 1,
                segments_after: 1,
                segments_kept: 1,
                ..MergeReport::default()
            }
        );
    }
    // Built on three machines, joined on a fourth.
    let parts: Vec<Index> = living
        .chunks(100)
        .map(|documents| {
            let storage = memory();
            add(&storage, documents.to_vec(), options());
            open(&storage)
        })
        .collect();
    let joined = memory();
    let report = merge_in(&joined, &parts, merge_options());
    assert_eq!((report.generation, report.joined, report.segments_after), (1, 264, 1));
    assert_same_segments(&joined, &one_run, "join");
}

#[test]
fn a_merge_respects_the_limits_of_a_segment_and_is_then_done() {
    let storage = memory();
    for documents in corpus(60).chunks(13) {
        add(&storage, documents.to_vec(), options());
    }
    remove_from(&storage, &ids(&["id 5"]));
    for (limits, expected_docs) in [
        (MergeOptions { segment_docs_max: 25, ..merge_options() }, vec![25, 25, 9]),
        (MergeOptions { segment_docs_max: 59, ..merge_options() }, vec![59]),
        // One that is too large by now is kept: a limit is for what is written.
        (MergeOptions { segment_docs_max: 58, ..merge_options() }, vec![59]),
    ] {
        add(&storage, vec![document("extra", "extra")], options());
        remove_from(&storage, &ids(&["extra"]));
        let report = merge_in(&storage, &[], limits);
        let n_docs: Vec<u32> = open(&storage).segments().iter().map(|segment| segment.entry().n_docs).collect();
        assert_eq!(n_docs, expected_docs, "{report:?}");
        let again = merge_in(&storage, &[], limits);
        assert!(!again.is_changed && again.generation == report.generation, "{again:?}");
    }
    let small = MergeOptions { segment_text_bytes_max: 5000, ..merge_options() };
    let storage = memory();
    for documents in corpus(60).chunks(7) {
        add(&storage, documents.to_vec(), options());
    }
    merge_in(&storage, &[], small);
    let index = open(&storage);
    let text_bytes: Vec<u64> = index.segments().iter().map(|segment| segment.entry().text_bytes).collect();
    assert!(text_bytes.len() > 3 && text_bytes.iter().all(|&bytes| bytes <= 5000), "{text_bytes:?}");
    assert_eq!(index.n_docs(), 60);
    assert!(!merge_in(&storage, &[], small).is_changed);
}

#[test]
fn large_segments_of_which_nothing_is_removed_are_kept_or_copied() {
    let kept = MergeOptions { kept_docs: 20, ..merge_options() };
    let (storage, other) = (memory(), memory());
    let all = corpus(75);
    for documents in [&all[..25], &all[25..30], &all[30..35], &all[35..55]] {
        add(&storage, documents.to_vec(), options());
    }
    add(&other, all[55..].to_vec(), options());
    let before = open(&storage);
    let (own, from) = (segment_files(&storage), segment_files(&other));
    let report = merge_in(&storage, &[open(&other)], kept);
    assert_eq!((report.segments_before, report.segments_after, report.segments_kept), (5, 4, 3));
    let after = open(&storage);
    let name = |index: &Index, place: usize| index.segments()[place].entry().name.clone();
    assert_eq!((name(&after, 0), name(&after, 2)), (name(&before, 0), name(&before, 3)), "own ones are not touched");
    let now = segment_files(&storage);
    let of_place = |files: &BTreeMap<(usize, String), Vec<u8>>, place: usize| -> Vec<Vec<u8>> {
        files.iter().filter(|((at, _), _)| *at == place).map(|(_, bytes)| bytes.clone()).collect()
    };
    assert_eq!(of_place(&now, 0), of_place(&own, 0));
    assert_eq!(of_place(&now, 3), of_place(&from, 0), "the other's is copied byte by byte");
    assert_eq!(contents(&after).len(), 75);
    // With a document removed it is rewritten, together with its neighbour.
    remove_from(&storage, &ids(&["id 3"]));
    let report = merge_in(&storage, &[], kept);
    assert_eq!((report.segments_after, report.segments_kept, report.dropped_removed), (3, 2, 1));
    assert_eq!(contents(&open(&storage)).len(), 74);
}

#[test]
fn a_damaged_segment_is_not_adopted() {
    let (storage, other) = (memory(), memory());
    add(&storage, vec![document("a", "a")], options());
    add(&other, corpus(400), options());
    let name = open(&other).segments()[0].entry().name.clone();
    let path = Path::new(&name).join("text");
    let mut bytes = other.open(&path).unwrap().to_vec();
    assert!(bytes.len() > 3 * 4096, "a block that opening the index does not read");
    bytes[4096 + 4000] ^= 1;
    other.remove_file(&path).unwrap();
    io::Write::write_all(&mut other.create(&path).unwrap(), &bytes).unwrap();
    let before = files(&*storage);
    // Copied, and rewritten.
    for kept_docs in [20, 1000] {
        let options = MergeOptions { kept_docs, ..merge_options() };
        let mut writer = writer(&storage);
        let error = merge(&mut writer, &[open(&other)], options, &BuildProgress::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    drop(writer(&storage));
    assert_eq!(files(&*storage), before, "nothing is left of the attempt");
}

#[test]
fn of_documents_with_the_same_id_the_last_index_wins() {
    let storage = memory();
    add(&storage, vec![document("a", "old a"), document("b", "b"), document("c", "c")], options());
    let from = |documents: Vec<Document>| {
        let storage = memory();
        add(&storage, documents, options());
        storage
    };
    let first = from(vec![document("a", "a of the first"), document("d", "d of the first"), document("c", "c")]);
    let second = from(vec![document("d", "d of the second"), document("e", "e")]);
    remove_from(&second, &ids(&["e"]));
    let before = [files(&*first), files(&*second)];
    let report = merge_in(&storage, &[open(&first), open(&second)], merge_options());
    let expected = owned(&[("a", "a of the first"), ("b", "b"), ("c", "c"), ("d", "d of the second")]);
    assert_eq!(contents(&open(&storage)), expected);
    assert_eq!((report.joined, report.passed_over, report.dropped_replaced), (2, 2, 1));
    let again = merge_in(&storage, &[open(&first), open(&second)], merge_options());
    assert!(!again.is_changed, "{again:?}");
    assert_eq!([files(&*first), files(&*second)], before, "what is joined is not changed");
}

#[test]
fn indexes_of_another_seed_are_refused_and_a_folder_without_an_index_is_named() {
    let (storage, other) = (memory(), memory());
    add(&storage, vec![document("a", "a")], options());
    let mut foreign = IndexWriter::open(Arc::clone(&other), 7).unwrap();
    let rows = [Ok(Row::Document(Box::new(document("b", "b"))))];
    build(&mut foreign, rows.into_iter(), options(), &BuildProgress::default()).unwrap();
    let from = foreign.current().unwrap().clone();
    let error = merge(&mut writer(&storage), &[from], merge_options(), &BuildProgress::default()).unwrap_err();
    assert!(error.kind() == ErrorKind::Incompatible && error.to_string().contains("hash seed"), "{error}");
    assert_eq!(open(&storage).generation(), Generation(1));
    let mut none = writer(&memory());
    for error in [
        merge(&mut none, &[], merge_options(), &BuildProgress::default()).unwrap_err(),
        remove(&mut none, &ids(&["a"])).unwrap_err(),
    ] {
        assert!(matches!(error, Error::NoIndex { .. }), "{error}");
    }
}

#[test]
fn segments_of_different_profiles_stay_apart() {
    let storage = memory();
    let dedup = BuildOptions { profile: Profile::Dedup, ..options() };
    let all = corpus(40);
    for (documents, options) in
        [(&all[..10], options()), (&all[10..20], dedup), (&all[20..30], dedup), (&all[30..], options())]
    {
        add(&storage, documents.to_vec(), options);
    }
    remove_from(&storage, &ids(&["id 12"]));
    let report = merge_plainly(&storage);
    assert_eq!((report.segments_before, report.segments_after, report.segments_kept), (4, 3, 2));
    let index = open(&storage);
    let has_anchors: Vec<bool> = index.segments().iter().map(|segment| segment.anchors().is_some()).collect();
    assert_eq!(has_anchors, [true, false, true]);
    let expected = memory();
    add(
        &expected,
        all[10..20].iter().filter(|document| document.id != "id 12").chain(&all[20..30]).cloned().collect(),
        dedup,
    );
    let found: Vec<Vec<u8>> =
        segment_files(&storage).into_iter().filter(|((at, _), _)| *at == 1).map(|(_, b)| b).collect();
    assert_eq!(found, segment_files(&expected).into_values().collect::<Vec<_>>());
}

#[test]
fn what_is_removed_is_found_by_id_shard_and_origin() {
    let storage = memory();
    let text = |name: &str| passage(name, 30);
    add(&storage, vec![in_shard("s1", "a", text("a")), in_shard("s1", "b", text("b"))], options());
    add(
        &storage,
        vec![in_shard("s2", "c", text("c")), document("d", text("d")), in_shard("s1", "e", text("e"))],
        options(),
    );
    let check = |selection: &Selection, n_expected: usize, shards: &[(&str, u64)], not_found: &[&str]| {
        let selected = select(&open(&storage), selection).unwrap();
        let found: Vec<(&str, u64)> = selected.shards.iter().map(|(name, &n)| (name.as_str(), n)).collect();
        assert_eq!((selected.documents.len(), &found[..]), (n_expected, shards), "{selection:?}");
        assert_eq!(selected.not_found, not_found, "{selection:?}");
    };
    check(&ids(&["a", "c", "a", "x", "", "x"]), 2, &[("s1", 1), ("s2", 1)], &["", "x"]);
    check(&ids(&["d"]), 1, &[("", 1)], &[]);
    check(&Selection::Shard("s1".into()), 3, &[("s1", 3)], &[]);
    check(&Selection::Shard("s3".into()), 0, &[], &["s3"]);
    check(&Selection::Origin("origin of s2".into()), 1, &[("s2", 1)], &[]);
    for nameless in [Selection::Shard(String::new()), Selection::Origin(String::new())] {
        assert_eq!(select(&open(&storage), &nameless).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let (generation, _) = remove_from(&storage, &Selection::Shard("s1".into()));
    assert_eq!(generation, Generation(3));
    check(&Selection::Shard("s1".into()), 0, &[], &["s1"]);
    let (generation, selected) = remove_from(&storage, &ids(&["a"]));
    assert_eq!((generation, selected.not_found), (Generation(3), vec!["a".to_owned()]), "nothing to commit");
    let answer = engine(&storage).check(&request(["a", "b", "c", "d", "e"].map(text).concat())).unwrap();
    assert_eq!(found(&answer), ["c", "d"]);
}

/// Over-cap keys keep a choice made when the removed documents were there; a merge chooses anew.
#[test]
fn a_merge_finds_again_what_removed_documents_had_crowded_out() {
    let storage = memory();
    let shared = passage("shared", 40);
    let text = |n: usize| format!("{} {shared}", passage(&format!("own{n}x"), 30));
    add(&storage, (0..100).map(|n| document_of(&format!("o{n}"), format!("{n:03}"), text(n))).collect(), options());
    let first: Vec<String> = (0..95).map(|n| format!("{n:03}")).collect();
    remove_from(&storage, &Selection::Ids(first));
    let engine = engine(&storage);
    let answer = engine.check(&request(shared.as_str())).unwrap();
    assert!(
        answer.degraded.iter().any(|reason| reason.contains("some of those are removed now")),
        "{:?}",
        answer.degraded
    );
    merge_plainly(&storage);
    let answer = engine.check(&request(shared.as_str())).unwrap();
    assert_eq!(answer.degraded, [""; 0]);
    assert_eq!(found(&answer), ["095", "096", "097", "098", "099"]);
    assert!(answer.matches.iter().all(|found| (found.document_count, found.document_count_capped) == (5, false)));
}

#[test]
fn an_emptied_index_opens_answers_and_takes_documents_again() {
    let storage = memory();
    let text = passage("word", 30);
    add(&storage, vec![document("a", text.as_str()), document("b", "b")], options());
    let engine = engine(&storage);
    remove_from(&storage, &ids(&["a", "b"]));
    assert_eq!(open(&storage).n_docs(), 0);
    let report = merge_plainly(&storage);
    assert_eq!((report.segments_after, report.dropped_removed, report.generation), (0, 2, 3));
    assert_eq!(open(&storage).segments().len(), 0);
    assert!(!files(&*storage).iter().any(|(path, _)| path.starts_with("seg-")));
    let answer = engine.check(&request(text.as_str())).unwrap();
    assert_eq!((answer.matches.len(), answer.indexes[0].generation), (0, 3));
    assert!(!merge_plainly(&storage).is_changed);
    assert_eq!(remove_from(&storage, &Selection::Shard("s".into())).0, Generation(3));
    add(&storage, vec![document("a", text.as_str())], options());
    assert_eq!(found(&engine.check(&request(text.as_str())).unwrap()), ["a"]);
}

#[test]
fn a_receipt_names_what_was_dropped_and_outlives_everything() {
    let storage = memory();
    add(&storage, vec![in_shard("s1", "gone", "text of gone".into()), document("new", "old version")], options());
    add(&storage, vec![document("new", "new version"), document("stays", "stays")], options());
    remove_from(&storage, &ids(&["gone"]));
    merge_plainly(&storage);
    let read = || {
        let mut documents = Vec::new();
        let receipt = Receipt::read(&*storage, Generation(4), |document| documents.push(document)).unwrap();
        (receipt, documents)
    };
    let (receipt, documents) = read();
    assert_eq!((receipt.generation, receipt.document_count, receipt.time.len()), (4, 2, "2026-11-23T09:30:00Z".len()));
    let [gone, replaced] = &documents[..] else { panic!("{documents:?}") };
    assert_eq!((gone.id.as_str(), gone.reason, gone.shard.as_str()), ("gone", Reason::Removed, "s1"));
    assert_eq!((gone.removed_by_generation, gone.text_bytes, gone.origin.as_str()), (3, 12, "origin of s1"));
    assert_eq!(gone.text_hash, format!("{:032x}", xxhash_rust::xxh3::xxh3_128(b"text of gone")));
    assert_eq!((replaced.id.as_str(), replaced.reason), ("new", Reason::Replaced));
    let text = String::from_utf8(storage.open(&Receipt::path(Generation(4))).unwrap().to_vec()).unwrap();
    assert!(!text.contains("version") && !text.contains("text of"), "no word of a text: {text}");
    // Later changes leave it alone; one of a commit that never came goes.
    let late = Receipt::path(Generation(9));
    storage.create(&late).unwrap();
    add(&storage, vec![document("more", "more")], options());
    assert!(!storage.exists(&late).unwrap());
    remove_from(&storage, &ids(&["more", "new", "stays"]));
    merge_plainly(&storage);
    assert_eq!(Receipt::list(&*storage).unwrap(), [Generation(4), Generation(7)]);
    assert_eq!(read(), (receipt, documents.clone()));
}

/// Files in memory of which the n-th change fails, and every one after it: the process that makes them is dead.
#[derive(Debug)]
struct Mortal {
    files: Arc<dyn Storage>,
    changes_left: AtomicUsize,
}

impl Mortal {
    fn change<T>(&self, change: impl FnOnce() -> Result<T>) -> Result<T> {
        let is_alive = self.changes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match is_alive {
            Ok(_) => change(),
            Err(_) => Err(Error::Io { operation: "do", path: PathBuf::new(), source: io::ErrorKind::Other.into() }),
        }
    }
}

impl Storage for Mortal {
    fn display_path(&self, path: &Path) -> PathBuf {
        self.files.display_path(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.files.list(dir)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.files.exists(path)
    }
    fn open(&self, path: &Path) -> Result<FileBytes> {
        self.files.open(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        self.change(|| self.files.create(path))
    }
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.files.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change(|| self.files.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.change(|| self.files.remove_file(path))
    }
    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.change(|| self.files.remove_dir_all(path))
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.change(|| self.files.sync_dir(path))
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        self.files.lock(path)
    }
}

#[test]
fn a_writer_that_dies_at_any_step_leaves_the_old_index_or_the_new_one() {
    let living = passage("stays", 30);
    let gone = passage("gone", 30);
    let text = format!("{living} {gone}");
    let start = || {
        let storage = memory();
        add(&storage, vec![document("stays", living.as_str()), document("gone", gone.as_str())], options());
        add(&storage, vec![document("other", passage("other", 30))], options());
        storage
    };
    // Removal, then merge; what was removed never comes back.
    let mut n_deaths = [0, 0];
    for is_merge in [false, true] {
        for n_changes in 0.. {
            let files = start();
            if is_merge {
                remove_from(&files, &ids(&["gone"]));
            }
            let engine = engine(&files);
            let before = open(&files).generation();
            let mortal: Arc<dyn Storage> =
                Arc::new(Mortal { files: Arc::clone(&files), changes_left: AtomicUsize::new(n_changes) });
            let done = IndexWriter::open(mortal, PUBLIC_SEED).and_then(|mut writer| {
                if is_merge {
                    merge(&mut writer, &[], merge_options(), &BuildProgress::default()).map(drop)
                } else {
                    remove(&mut writer, &ids(&["gone"])).map(drop)
                }
            });
            let after = open(&files).generation();
            let is_committed = after > before;
            assert!(done.is_err() || is_committed);
            let answer = engine.check(&request(text.as_str())).unwrap();
            let expected = if is_merge || is_committed { &["stays"][..] } else { &["gone", "stays"] };
            assert_eq!(found(&answer), expected, "after {n_changes} changes, merge: {is_merge}");
            assert!(
                open(&files).segments().iter().all(|segment| segment.verify().iter().all(|(_, sound)| sound.is_ok()))
            );
            // A receipt is there before the text goes, and goes if the text does not.
            if is_merge && is_committed {
                Receipt::read(&*files, after, |document| assert_eq!(document.id, "gone")).unwrap();
            }
            drop(writer(&files));
            assert_eq!(Receipt::list(&*files).unwrap().len(), usize::from(is_merge && is_committed));
            n_deaths[usize::from(is_merge)] += usize::from(done.is_err());
            if done.is_ok() {
                break;
            }
        }
    }
    assert!(n_deaths[0] > 5 && n_deaths[1] > 20, "{n_deaths:?}");
}

#[test]
fn a_reader_knows_whether_it_is_the_newest() {
    let storage = memory();
    add(&storage, vec![document("a", passage("a", 30)), document("b", passage("b", 30))], options());
    let (first, engine) = (open(&storage), engine(&storage));
    assert!(first.is_newest(&*storage).unwrap());
    // The older manifest may still be there, or be gone already.
    let mut next = first.manifest().clone();
    next.generation = 2;
    next.commit(&*storage).unwrap();
    assert!(!first.is_newest(&*storage).unwrap());
    storage.remove_file(Path::new("MANIFEST-000001")).unwrap();
    assert!(!first.is_newest(&*storage).unwrap());
    let text = [passage("a", 30), passage("b", 30)].concat();
    let answer = engine.check(&request(text.as_str())).unwrap();
    assert_eq!((found(&answer), answer.indexes[0].generation), (vec!["a", "b"], 2));
    // Three commits later without a look in between.
    for _ in 0..3 {
        add(&storage, vec![document("c", passage("c", 30))], options());
        remove_from(&storage, &ids(&["c"]));
    }
    remove_from(&storage, &ids(&["a"]));
    assert!(!first.is_newest(&*storage).unwrap());
    let answer = engine.check(&request(text.as_str())).unwrap();
    assert_eq!((found(&answer), answer.indexes[0].generation), (vec!["b"], 9));
    // An open snapshot stays what it is.
    assert_eq!(first.n_docs(), 2);
}

#[test]
fn a_newer_generation_that_cannot_be_opened_is_an_error_and_never_the_old_answer() {
    let storage = memory();
    let text = passage("a", 30);
    add(&storage, vec![document("a", text.as_str())], options());
    let engine = engine(&storage);
    assert_eq!(found(&engine.check(&request(text.as_str())).unwrap()), ["a"]);
    remove_from(&storage, &ids(&["a"]));
    let path = Path::new("MANIFEST-000002");
    let sound = storage.open(path).unwrap().to_vec();
    let write = |bytes: &[u8]| {
        storage.remove_file(path).unwrap();
        io::Write::write_all(&mut storage.create(path).unwrap(), bytes).unwrap();
    };
    write(&sound[..sound.len() - 1]);
    for _ in 0..2 {
        let error = engine.check(&request(text.as_str())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    write(&sound);
    // An engine that failed tries again after a second; another one at once.
    let engine = self::engine(&storage);
    assert_eq!(engine.check(&request(text.as_str())).unwrap().matches, []);
    storage.remove_file(path).unwrap();
    assert_eq!(engine.check(&request(text.as_str())).unwrap_err().kind(), ErrorKind::NotFound, "an index that is gone");
}

/// The name of a file that is held back, and who is told of whoever comes to open it, who then waits for the answer.
type Held = (&'static str, Sender<Sender<()>>);

/// Files that can be kept from being opened for a while.
#[derive(Debug)]
struct Gated {
    files: Arc<dyn Storage>,
    held: Mutex<Option<Held>>,
}

impl Storage for Gated {
    fn display_path(&self, path: &Path) -> PathBuf {
        self.files.display_path(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.files.list(dir)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.files.exists(path)
    }
    fn open(&self, path: &Path) -> Result<FileBytes> {
        let held = self.held.lock().unwrap().take_if(|(name, _)| path == Path::new(name));
        if let Some((_, came)) = held {
            let (open, opened) = channel();
            came.send(open).unwrap();
            opened.recv().unwrap();
        }
        self.files.open(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        self.files.create(path)
    }
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.files.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.files.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.files.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.files.remove_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.files.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        self.files.lock(path)
    }
}

#[test]
fn a_check_waits_but_a_moment_for_another_that_opens_a_newer_generation_and_then_says_so() {
    let (came, who_came) = channel();
    let gated = Arc::new(Gated { files: memory(), held: Mutex::default() });
    let storage: Arc<dyn Storage> = gated.clone();
    add(&storage, vec![document("a", passage("a", 30))], options());
    let engine = engine(&storage);
    add(&storage, vec![document("b", passage("b", 30))], options());
    *gated.held.lock().unwrap() = Some(("MANIFEST-000002", came));
    let answer = || engine.check(&request(passage("a", 30))).unwrap();
    let generation = |answer: &Answer| (answer.indexes[0].generation, answer.degraded.len());
    std::thread::scope(|scope| {
        let first = scope.spawn(answer);
        let go_on = who_came.recv().unwrap();
        let meanwhile = answer();
        assert_eq!(generation(&meanwhile), (1, 1), "answered while the first one is held back");
        assert!(meanwhile.degraded[0].contains("a newer generation is still being opened"), "{meanwhile:?}");
        go_on.send(()).unwrap();
        assert_eq!(generation(&first.join().unwrap()), (2, 0));
        assert_eq!(generation(&answer()), (2, 0));
    });
}

#[test]
fn older_manifests_go_in_ascending_order() {
    let storage = memory();
    add(&storage, vec![document("a", "a")], options());
    let manifest = open(&storage).manifest().clone();
    for generation in 999_997..=1_000_001 {
        Manifest { generation, ..manifest.clone() }.commit(&*storage).unwrap();
    }
    let last = Manifest { generation: 1_000_001, ..manifest };
    for n_removed in 0..=5 {
        let changes_left = AtomicUsize::new(usize::from(n_removed > 0));
        let mortal = Mortal { files: Arc::clone(&storage), changes_left };
        let _ = last.remove_older(&mortal);
        let left = |name: &String| name.starts_with("MANIFEST");
        let mut left: Vec<String> = storage.list(Path::new("")).unwrap().into_iter().filter(left).collect();
        left.sort_by_key(|name| name.trim_start_matches("MANIFEST-").parse::<u32>().unwrap());
        let all = [
            "MANIFEST-000001",
            "MANIFEST-999997",
            "MANIFEST-999998",
            "MANIFEST-999999",
            "MANIFEST-1000000",
            "MANIFEST-1000001",
        ];
        assert_eq!(left, all[n_removed..]);
    }
}

#[test]
fn what_still_holds_a_removed_text_is_listed() {
    let storage = memory();
    let (poem, tail) = (passage("poem", 200), passage("tail", 300));
    let documents = vec![
        document("poem", poem.as_str()),
        document("mirror", poem.to_uppercase()),
        document("anthology", format!("{tail} {poem}")),
        document("quotation", format!("{tail} {}", passage("poem", 30))),
        document("half", passage("poem", 100)),
        document("stranger", tail.as_str()),
    ];
    add(&storage, documents, options());
    let index = open(&storage);
    let removed = select(&index, &ids(&["poem", "half"])).unwrap().documents;
    let check = |index: &Index, compared_max: usize| {
        let progress = BuildProgress::default();
        let found = remaining::find("index", index, &removed, compared_max, &progress).unwrap();
        assert_eq!(progress.documents.load(Ordering::Relaxed), found.compared);
        found
    };
    let found = check(&index, 10);
    let lines: Vec<(&str, &str, bool, u32)> = found
        .documents
        .iter()
        .map(|d| (d.removed_id.as_str(), d.document.id.as_str(), d.same_words, d.matched_tokens))
        .collect();
    assert_eq!(
        lines,
        [
            ("poem", "mirror", true, 200),
            ("poem", "anthology", false, 200),
            ("half", "anthology", false, 100),
            ("half", "mirror", false, 100),
            ("half", "quotation", false, 30),
        ]
    );
    assert_eq!((found.compared, found.not_compared, &found.incomplete[..]), (2, 0, &[][..]));
    assert_eq!((check(&index, 1).compared, check(&index, 1).not_compared), (1, 1));
    // The same after the removal as before it.
    remove_from(&storage, &ids(&["poem", "half"]));
    assert_eq!(check(&open(&storage), 10), found);
}

#[test]
fn what_must_be_retrained_is_told_although_the_removed_text_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("index");
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(&index));
    let mut random = Random(1);
    let words: Vec<String> = (0..10_000).map(|_| format!("{:x}", random.next())).collect();
    add(&storage, vec![in_shard("shard 7", "gone", words.join(" ")), document("stays", "stays")], options());
    let segment = open(&storage).segments()[0].entry().name.clone();
    let text = index.join(segment).join("text");
    let mut bytes = std::fs::read(&text).unwrap();
    // The first block and the last one are read when the index is opened.
    bytes[5 * 4096] ^= 1;
    std::fs::write(&text, bytes).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_copytrace"));
    let output = command.args(["remove", "--id", "gone", "--format", "json", "--index"]).arg(&index).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["removed"], 1, "{said}");
    assert_eq!(said["shards"], serde_json::json!([{"name": "shard 7", "documents": 1}]), "{said}");
    let incomplete = said["remaining"]["incomplete"][0].as_str().unwrap();
    assert!(incomplete.contains("text` is damaged: block checksum at byte 20480 differs"), "{incomplete}");
    assert!(open(&storage).find("gone").unwrap().is_none());
}
