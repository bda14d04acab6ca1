//! Failing calls: every call of the storage fails once, in every way it can. The error is told, the old generation stays in force, and the next
//! writer succeeds.

use std::path::Path;
use std::sync::Arc;

use copytrace_indexer::corpus::{Row, SkipReason, Skipped};
use copytrace_indexer::error::Error;
use copytrace_indexer::ids::Key;
use copytrace_indexer::index::segment_writer::Profile;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;

use crate::corpora::{add, document};
use crate::disk::cut::{Cut, Fate};
use crate::disk::tree::Tree;
use crate::disk::{Call, Disk, EINTR, EIO, EMFILE, ENOSPC, Fault, Operation};
use crate::workload::{Case, Seen, Step, assert_no_leftovers, assert_workable, expected, look, reference};

/// The ways in which a call can fail.
fn faults_of(operation: Operation) -> &'static [Fault] {
    const GONE: Fault = Fault::FailsFromNowOn(EIO);
    match operation {
        Operation::List | Operation::Exists | Operation::Open | Operation::Lock => {
            &[Fault::Fails(EIO), Fault::Fails(EMFILE), GONE]
        }
        Operation::Create | Operation::CreateDir => {
            &[Fault::Fails(EIO), Fault::Fails(ENOSPC), Fault::Fails(EMFILE), Fault::FullFromNowOn, GONE]
        }
        Operation::Rename => &[Fault::Fails(EIO), Fault::Fails(ENOSPC), Fault::DoneButFails(EIO), GONE],
        Operation::RemoveFile => &[Fault::Fails(EIO), Fault::DoneButFails(EIO), GONE],
        Operation::RemoveDirAll => &[Fault::Fails(EIO), Fault::FailsHalfway(EIO), GONE],
        Operation::SyncDir => &[Fault::Fails(EIO), Fault::Fails(EINTR), Fault::DoneButFails(EIO), GONE],
        Operation::Write => &[
            Fault::Fails(EIO),
            Fault::Fails(ENOSPC),
            Fault::Fails(EINTR),
            Fault::FailsHalfway(ENOSPC),
            Fault::FailsHalfway(EIO),
            Fault::Short,
            Fault::TakesNothing,
            Fault::FullFromNowOn,
            GONE,
        ],
        Operation::Flush => &[Fault::Fails(EIO), Fault::Fails(ENOSPC), GONE],
        Operation::Sync => &[Fault::Fails(EIO), Fault::Fails(ENOSPC), Fault::Fails(EINTR), GONE],
    }
}

/// Calls of a step that goes well, and where in them the commit is.
struct GoodRun {
    calls: Vec<Call>,
    /// The rename of the manifest, after which the new generation is what a reader finds.
    visible_at: usize,
    /// The sync of the folder after it, with which the commit has happened.
    committed_at: usize,
}

impl GoodRun {
    fn of(step: &Step, start: &Tree) -> Self {
        let disk = Disk::new(start.clone());
        step.run(&disk.storage()).unwrap();
        let calls = disk.calls();
        let is_manifest = |call: &Call| call.operation == Operation::Rename && call.path == Path::new("MANIFEST.tmp");
        let visible_at = calls.iter().position(is_manifest).unwrap();
        assert_eq!(calls[visible_at + 1].operation, Operation::SyncDir);
        Self { calls, visible_at, committed_at: visible_at + 1 }
    }

    /// Tells whether a call may fail without anybody being told: what is removed only to save space.
    fn is_only_tidying(&self, number: usize) -> bool {
        let Call { operation, path } = &self.calls[number];
        let is_scratch = || path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with("catalog-"));
        number > self.committed_at || *operation == Operation::RemoveFile && is_scratch()
    }
}

/// Lets one call of a step fail.
fn check(step: &Step, start: &Tree, good: &GoodRun, number: usize, fault: Fault, old: &Seen, new: &Seen) {
    let call = &good.calls[number];
    let case = Case(|| format!("{}: call {number} of {}, {call:?}: {fault:?}", step.name, good.calls.len()));
    let disk = Disk::new(start.clone());
    let storage = disk.storage();
    disk.set_fault(number, fault);
    let result = step.run(&storage);
    disk.mend();
    let made = disk.calls();
    assert_eq!(&made[..number], &good.calls[..number], "a step makes the same calls every time");

    let is_harmless = matches!((fault, call.operation), (Fault::Short | Fault::Fails(EINTR), Operation::Write));
    let allowed: Vec<&Seen> = match &result {
        Ok(()) => {
            assert!(is_harmless || good.is_only_tidying(number), "a failure was not told");
            vec![new]
        }
        Err(error) => {
            assert!(!is_harmless, "{error}");
            assert!(number <= good.committed_at, "the commit had happened: {error}");
            let is_tidying = good.is_only_tidying(number);
            assert_told(error, fault, if is_tidying { &made[number..] } else { std::slice::from_ref(call) });
            if number < good.visible_at { vec![old] } else { vec![old, new] }
        }
    };
    let found = look(&*storage).unwrap();
    assert!(allowed.contains(&&found), "found generation {}", found.generation);

    // The power is cut right after.
    let mut cut = Cut::new(start.clone());
    disk.log().iter().for_each(|event| cut.advance(event));
    for fate in [Fate::Lost, Fate::Kept] {
        let found = look(&Disk::new(cut.image(|_| fate))).unwrap();
        assert!(allowed.contains(&&found), "{fate:?}: found generation {}", found.generation);
    }

    // The next writer succeeds: with the same work, or (cheaper) with other work.
    if fault == faults_of(call.operation)[0] {
        step.run(&storage).unwrap();
        assert_eq!(look(&*storage).unwrap().documents, new.documents);
        assert_no_leftovers(&*storage);
    } else {
        assert_workable(&storage, found, false).unwrap();
    }
    assert_eq!(disk.violations(), Vec::<String>::new());
    drop(case);
}

/// An error names the operation and the path of a call that failed, and what the operating system said.
fn assert_told(error: &Error, fault: Fault, failed: &[Call]) {
    let Error::Io { operation, path, source } = error else { panic!("another error: {error}") };
    assert!(
        failed.iter().any(|call| call.operation.verb() == *operation && call.path == *path),
        "`{error}` names none of {failed:?}"
    );
    let expected = match fault {
        Fault::Fails(number)
        | Fault::DoneButFails(number)
        | Fault::FailsHalfway(number)
        | Fault::FailsFromNowOn(number) => Some(number),
        Fault::FullFromNowOn => Some(ENOSPC),
        Fault::Short | Fault::TakesNothing => None,
    };
    assert_eq!(source.raw_os_error(), expected, "{error}");
    let shown = error.to_string();
    assert!(shown.contains(operation) && shown.contains(&*path.to_string_lossy()), "{shown}");
}

#[test]
fn every_call_that_fails_is_told_and_the_old_generation_stays() {
    let steps = reference();
    let expected = expected(&steps);
    let (mut n_calls, mut n_cases) = (0, 0);
    let mut start = Tree::default();
    for (step, states) in steps.iter().zip(expected.windows(2)) {
        let good = GoodRun::of(step, &start);
        for number in 0..good.calls.len() {
            for &fault in faults_of(good.calls[number].operation) {
                check(step, &start, &good, number, fault, &states[0], &states[1]);
                n_cases += 1;
            }
        }
        n_calls += good.calls.len();
        let disk = Disk::new(start);
        step.run(&disk.storage()).unwrap();
        start = disk.tree();
    }
    println!("{n_calls} calls failed in {n_cases} ways");
}

/// With more threads calls come in another order every time, and others are under way when one fails.
#[test]
fn a_call_that_fails_beside_others_is_told_too() {
    let rows =
        || (0..40).map(|n| Ok(Row::Document(Box::new(document(n.to_string(), format!("text {n} ").repeat(20))))));
    let run = |disk: &Disk| {
        let mut writer = IndexWriter::open(disk.storage(), PUBLIC_SEED)?;
        let options = BuildOptions { threads: 4, memory_bytes: 4096, ..BuildOptions::default() };
        build(&mut writer, rows(), options, &BuildProgress::default())
    };
    let whole = Disk::default();
    run(&whole).unwrap();
    let (none, all) = (look(&Disk::default()).unwrap(), look(&whole).unwrap());
    for number in 0..whole.calls().len() {
        for fault in [Fault::Fails(EIO), Fault::FailsFromNowOn(EIO)] {
            let disk = Disk::default();
            disk.set_fault(number, fault);
            let result = run(&disk);
            disk.mend();
            let found = look(&disk).unwrap();
            assert!(found == all || result.is_err() && found == none, "call {number}, {fault:?}: {result:?}");
            assert_eq!(disk.violations(), Vec::<String>::new());
        }
    }
}

/// What a killed writer left is removed by the next one, whose calls fail in turn.
#[test]
fn tidying_up_after_a_crash_can_fail_too() {
    let steps = reference();
    let expected = expected(&steps);
    let disk = Disk::default();
    steps[0].run(&disk.storage()).unwrap();
    let old = look(&disk).unwrap();
    assert_eq!(old, expected[1]);
    // Killed at its last call before the commit: a whole segment and half a manifest are left.
    let start = disk.tree();
    let good = GoodRun::of(&steps[1], &start);
    disk.set_fault(good.visible_at, Fault::FailsFromNowOn(EIO));
    steps[1].run(&disk.storage()).unwrap_err();
    disk.mend();
    let start = disk.tree();
    assert!(start.paths().iter().any(|(path, _)| path.starts_with("MANIFEST.tmp")));
    let good = GoodRun::of(&steps[1], &start);
    for number in 0..good.calls.len() {
        let operation = good.calls[number].operation;
        if matches!(operation, Operation::List | Operation::RemoveFile | Operation::RemoveDirAll | Operation::SyncDir) {
            for &fault in faults_of(operation) {
                check(&steps[1], &start, &good, number, fault, &old, &expected[2]);
            }
        }
    }
}

#[test]
fn a_reader_tells_which_file_it_could_not_read() {
    let disk = Disk::default();
    for step in reference() {
        step.run(&disk.storage()).unwrap();
    }
    let sound = look(&disk).unwrap();
    disk.set_fault(usize::MAX, Fault::Fails(EIO));
    Index::open(&disk, PUBLIC_SEED).map(drop).unwrap();
    let calls = disk.calls();
    assert!(calls.len() > 8, "{calls:?}");
    for (number, call) in calls.iter().enumerate() {
        for &fault in faults_of(call.operation) {
            disk.set_fault(number, fault);
            let error = Index::open(&disk, PUBLIC_SEED).map(drop).unwrap_err();
            assert_told(&error, fault, std::slice::from_ref(call));
            disk.mend();
            assert_eq!(look(&disk).unwrap(), sound);
        }
    }
}

#[test]
fn a_writer_goes_on_after_a_failed_build_and_not_after_a_failed_commit() {
    let disk = Disk::default();
    reference()[0].run(&disk.storage()).unwrap();
    let mut writer = IndexWriter::open(disk.storage(), PUBLIC_SEED).unwrap();
    let mut add = || {
        let rows = [Ok(Row::Document(Box::new(document("new", "a new document"))))];
        build(&mut writer, rows.into_iter(), BuildOptions::default(), &BuildProgress::default())
    };
    disk.set_fault(0, Fault::FullFromNowOn);
    add().unwrap_err();
    assert_no_leftovers(&disk);
    disk.mend();
    assert_eq!(add().unwrap().generation, 2);
    drop(writer);

    let start = disk.tree();
    let mut n_failed = 0;
    loop {
        let disk = Disk::new(start.clone());
        let mut writer = IndexWriter::open(disk.storage(), PUBLIC_SEED).unwrap();
        let key = Key(writer.fingerprinter().id_key("a"));
        let (segment, doc) = writer.find("a", key).unwrap().unwrap();
        writer.remove(segment, doc);
        disk.set_fault(n_failed, Fault::Fails(EIO));
        if writer.commit(None).is_ok() {
            break;
        }
        disk.mend();
        n_failed += 1;
        for refused in [writer.commit(None).map(drop), writer.start_segment(Profile::Full, 1 << 20).map(drop)] {
            let told = refused.unwrap_err().to_string();
            assert_eq!(told, "index writer failed: an earlier commit failed: open the index anew");
        }
    }
    assert!(n_failed > 10, "{n_failed} calls until the commit has happened");
}

/// A build that ends with an error after it found a document to replace must not leave its removal to the next commit.
#[test]
fn what_a_failed_build_began_is_not_in_the_next_commit() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    add(&storage, vec![document("a", "old a")], BuildOptions::default());
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let unusable = |row| Ok(Row::Skipped(Skipped { path: "rows.jsonl".into(), row, reason: SkipReason::NoText }));
    let replaced = (0..20_000)
        .map(|n| Ok(Row::Document(Box::new(document(if n == 0 { "a".into() } else { n.to_string() }, "x")))));
    let strict = BuildOptions { is_strict: true, ..BuildOptions::default() };
    build(&mut writer, replaced.chain([unusable(9)]), strict, &BuildProgress::default()).unwrap_err();
    let rows = [Ok(Row::Document(Box::new(document("b", "b"))))];
    build(&mut writer, rows.into_iter(), BuildOptions::default(), &BuildProgress::default()).unwrap();
    let index = Index::open(&*storage, PUBLIC_SEED).unwrap();
    assert_eq!(index.n_docs(), 2);
    assert!(index.find("a").unwrap().is_some(), "it was never replaced");
}
