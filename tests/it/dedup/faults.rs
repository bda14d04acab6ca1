//! Failing calls: of all calls that a pass makes to its disks one fails, or the disk is full from it on. The error is told, nothing below `kept/` is half
//! written, what was finished stays so, and the next run ends with the same bytes.

use std::path::Path;

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::Rules;
use copytrace::dedup::run::{Options, Resources, dedup_on};
use copytrace_indexer::Error;

use super::{Folder, corpus, lines, words};
use crate::disk::tree::Tree;
use crate::disk::{Disk, EIO, Fault, Operation};

/// Bytes of the output, without times.
fn output(disk: &Disk) -> Vec<(String, Vec<u8>)> {
    let tree = disk.tree();
    let files =
        tree.paths().into_iter().filter_map(|(path, bytes)| Some((path.to_str().unwrap().to_owned(), bytes?.to_vec())));
    files.filter(|(path, _)| path.starts_with("kept/") || path == "removed.jsonl").collect()
}

fn run(work: &Disk, out: &Disk, options: &Options) -> Result<(), Error> {
    dedup_on(work.storage(), &*out.storage(), options, &Progress::default(), &|_| ()).map(drop)
}

fn has_receipt(work: &Disk) -> bool {
    work.tree().find(Path::new("sign-00000.receipt")).is_some()
}

#[test]
fn any_failing_call_is_told_and_the_next_run_ends_with_the_same_bytes() {
    let folder = Folder::new();
    let rows = corpus(1, 40);
    folder.write("a.jsonl", lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str()))));
    folder.write("b.jsonl", lines([("1", &*words(0, 60)), ("2", &words(0, 58))]));
    let resources = Resources { threads: 1, ..Resources::default() };
    let options = Options { resources, ..folder.options("out", Rules::default()) };
    let (work, out) = (Disk::new(Tree::default()), Disk::new(Tree::default()));
    run(&work, &out, &options).unwrap();
    let expected = output(&out);
    assert_eq!(expected.len(), 3);
    for is_out in [false, true] {
        let good = if is_out { out.calls() } else { work.calls() };
        for (number, call) in good.iter().enumerate() {
            for fault in [Fault::Fails(EIO), Fault::FullFromNowOn, Fault::FailsHalfway(EIO)] {
                let (work, out) = (Disk::new(Tree::default()), Disk::new(Tree::default()));
                let failing = if is_out { &out } else { &work };
                failing.set_fault(number, fault);
                let result = run(&work, &out, &options);
                let case = format!("call {number} of {}, {call:?}: {fault:?}: {result:?}", good.len());
                match &result {
                    Ok(()) => assert!(output(&out) == expected, "{case}"),
                    Err(error) => assert!(matches!(error, Error::Io { .. }), "another error: {case}"),
                }
                let is_whole = |file: &(String, Vec<u8>)| expected.contains(file);
                assert!(output(&out).iter().all(is_whole), "{case}");
                let is_signed = has_receipt(&work);
                work.mend();
                out.mend();
                let n_calls = work.calls().len();
                run(&work, &out, &options).unwrap_or_else(|error| panic!("{case}, then {error}"));
                assert!(output(&out) == expected, "{case}");
                let later = &work.calls()[n_calls..];
                let signs = |path: &Path| path.to_str().unwrap().contains("sign-00000-records");
                let is_again = later.iter().any(|call| call.operation == Operation::Create && signs(&call.path));
                assert_eq!(is_again, !is_signed, "{case}");
                assert_eq!([work.violations(), out.violations()].concat(), Vec::<String>::new(), "{case}");
            }
        }
    }
}
