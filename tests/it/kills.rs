//! Real kills: the program is ended by SIGKILL at any moment of a command that writes. What it leaves is the old index or the new one, sound, and the
//! next run succeeds.
//!
//! `COPYTRACE_KILLS=2000 cargo test --test it kills` kills so many instead of 200.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use copytrace_indexer::index::storage::{DiskStorage, Storage};

use crate::corpora::Random;
use crate::workload::{Documents, Seen, assert_no_leftovers, look, text_or_code};

/// Kills in an ordinary run of the tests.
const KILLS: usize = 200;
/// Documents of the corpora: enough for a run of some 50 ms.
const N_DOCS: usize = 300;

/// A command that changes an index.
struct Operation {
    name: &'static str,
    /// Commands that make the index it starts from; each without `--index`.
    before: &'static [&'static [&'static str]],
    /// The command.
    args: &'static [&'static str],
    /// What it does to the documents.
    change: fn(&mut Documents),
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "index", before: &[], args: &["index", "base.jsonl"], change: |all| all.extend(base()) },
    Operation {
        name: "add",
        before: &[&["index", "base.jsonl"]],
        args: &["index", "more.jsonl", "--memory", "64MiB"],
        change: |all| all.extend(more()),
    },
    Operation {
        name: "replace",
        before: &[&["index", "base.jsonl"], &["index", "more.jsonl"]],
        args: &["index", "changed.jsonl"],
        change: |all| all.extend(changed()),
    },
    Operation {
        name: "remove",
        before: &[&["index", "base.jsonl"], &["index", "more.jsonl"]],
        args: &["remove", "--ids-from", "ids.txt"],
        change: |all| all.retain(|id, _| !changed().contains_key(id)),
    },
    Operation {
        name: "merge",
        before: &[&["index", "base.jsonl"], &["index", "more.jsonl"], &["remove", "--ids-from", "ids.txt"]],
        args: &["merge"],
        change: |_| (),
    },
];

fn corpus(prefix: &str, version: &str, step: usize) -> Documents {
    let ids = (0..N_DOCS).step_by(step).map(|n| format!("{prefix}-{n}"));
    // Every fourth is code, and nothing but its text says so.
    let name =
        |id: &str| if id.ends_with(['2', '6']) { format!("code {id} {version}") } else { format!("{id} {version}") };
    ids.map(|id| (id.clone(), text_or_code(&name(&id), 100))).collect()
}

fn base() -> Documents {
    corpus("base", "old", 1)
}

fn more() -> Documents {
    corpus("more", "old", 1)
}

/// Every third document of both.
fn changed() -> Documents {
    [corpus("base", "new", 3), corpus("more", "new", 3)].into_iter().flatten().collect()
}

/// A folder with the corpora, in which the program is run.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, documents) in [("base", base()), ("more", more()), ("changed", changed())] {
            let lines =
                documents.iter().map(|(id, text)| serde_json::json!({"id": id, "text": text}).to_string() + "\n");
            std::fs::write(dir.path().join(name).with_extension("jsonl"), lines.collect::<String>()).unwrap();
        }
        let ids: String = changed().into_keys().map(|id| id + "\n").collect();
        std::fs::write(dir.path().join("ids.txt"), ids).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str], index: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_copytrace"));
        command.args(args).args(["--index", index]).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs a command to its end. Returns its exit code and what it said.
    fn run(&self, args: &[&str], index: &str) -> (Option<i32>, String) {
        let output = self.command(args, index).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    fn succeed(&self, args: &[&str], index: &str) {
        let (code, said) = self.run(args, index);
        assert_eq!(code, Some(0), "{args:?}: {said}");
    }

    fn look(&self, index: &str) -> Seen {
        look(&DiskStorage::new(self.path(index))).unwrap()
    }
}

fn copy_index(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_index(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// When the program is killed.
#[derive(Debug)]
enum Moment {
    /// So long after its start. The delay is what is tried; nothing is waited for.
    After(Duration),
    /// As soon as a new name that begins so is in the index folder.
    AtName(&'static str),
}

/// Kills a program at a moment. Returns whether it was alive then.
fn kill_at(moment: &Moment, child: &mut Child, index: &Path) -> bool {
    let start = Instant::now();
    let names = || -> BTreeSet<_> {
        let entries = std::fs::read_dir(index).into_iter().flatten().map_while(Result::ok);
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let before = names();
    let has_ended = |child: &mut Child| child.try_wait().unwrap().is_some();
    match moment {
        Moment::After(delay) => std::thread::sleep(*delay),
        Moment::AtName(prefix) => {
            while !has_ended(child) && !names().difference(&before).any(|name| name.starts_with(prefix)) {
                assert!(start.elapsed() < Duration::from_mins(1), "no `{prefix}`");
                std::thread::yield_now();
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// An operation ready to be killed: the index before it, what was seen of it, and what is to be seen after it.
struct Target<'a> {
    operation: &'a Operation,
    place: &'a Place,
    template: String,
    old: Seen,
    new: Seen,
    /// How long it takes, in microseconds: adjusted while it is killed, since other work on the machine comes and goes.
    duration_us: AtomicUsize,
}

impl<'a> Target<'a> {
    fn new(operation: &'a Operation, place: &'a Place) -> Self {
        let template = format!("{}-before", operation.name);
        operation.before.iter().for_each(|args| place.succeed(args, &template));
        let old = place.look(&template);
        let whole = format!("{}-whole", operation.name);
        if place.path(&template).is_dir() {
            copy_index(&place.path(&template), &place.path(&whole));
        }
        let start = Instant::now();
        place.succeed(operation.args, &whole);
        let duration_us = usize::try_from(start.elapsed().as_micros()).unwrap().into();
        let new = place.look(&whole);
        let mut model = old.documents.clone();
        (operation.change)(&mut model);
        assert!(new.documents == model && new != old, "{} does what it should", operation.name);
        Self { operation, place, template, old, new, duration_us }
    }

    /// Runs the operation, kills it, and looks at what it left. Returns whether it was killed before its end, and whether the new index was in force.
    fn kill(&self, number: usize, random: &mut Random) -> (bool, bool) {
        let Self { operation, place, .. } = self;
        let index = format!("{}-{number}", operation.name);
        if place.path(&self.template).is_dir() {
            copy_index(&place.path(&self.template), &place.path(&index));
        }
        let duration_us = self.duration_us.load(Ordering::Relaxed);
        let after = |us: usize| Moment::After(Duration::from_micros(us as u64));
        let moment = match number % 8 {
            0 => after(0),
            // The commit is at the end.
            1..4 => after(duration_us * 2 / 3 + random.below(duration_us / 3)),
            4 => Moment::AtName(["copytrace-building", "seg-", "MANIFEST.tmp", "MANIFEST-"][random.below(4)]),
            _ => after(random.below(duration_us)),
        };
        let mut child = place.command(operation.args, &index).spawn().unwrap();
        let is_killed = kill_at(&moment, &mut child, &place.path(&index));
        if matches!(moment, Moment::After(_)) {
            let adjusted = if is_killed { duration_us + duration_us / 100 } else { duration_us - duration_us / 30 };
            self.duration_us.store(adjusted.max(3), Ordering::Relaxed);
        }

        let what = format!("{} killed {moment:?}", operation.name);
        let found = look(&DiskStorage::new(place.path(&index))).unwrap_or_else(|error| panic!("{what}: {error}"));
        let is_new = found == self.new;
        assert!(is_new || is_killed && found == self.old, "{what}: neither the old index nor the new one: {found:?}");
        let (code, said) = place.run(&["inspect", "--verify"], &index);
        if found.generation == 0 {
            assert!(code == Some(2) && said.contains("no index in"), "{what}: {said}");
        } else {
            assert!(code == Some(0) && said.contains("all sound"), "{what}: {said}");
        }
        let (code, said) = place.run(operation.args, &index);
        // What is removed already cannot be found again.
        assert!(code == Some(0) || is_new && code == Some(1), "{what}, then run again: {said}");
        assert_eq!(place.look(&index).documents, self.new.documents, "{what}, then run again");
        assert_no_leftovers(&DiskStorage::new(place.path(&index)));
        std::fs::remove_dir_all(place.path(&index)).unwrap();
        (is_killed, is_killed && is_new)
    }
}

#[test]
fn a_killed_program_leaves_the_old_index_or_the_new_one() {
    let n_kills = std::env::var("COPYTRACE_KILLS").ok().map_or(KILLS, |n| n.parse().expect("a number of kills"));
    let place = Place::new();
    let targets: Vec<Target> = OPERATIONS.iter().map(|operation| Target::new(operation, &place)).collect();
    let next = AtomicUsize::new(0);
    let (n_killed, n_committed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= n_kills {
                        return;
                    }
                    let target = &targets[number % targets.len()];
                    let mut random = Random(number as u64);
                    let (is_killed, is_committed) = target.kill(number / targets.len(), &mut random);
                    n_killed.fetch_add(usize::from(is_killed), Ordering::Relaxed);
                    n_committed.fetch_add(usize::from(is_committed), Ordering::Relaxed);
                }
            });
        }
    });
    let (n_killed, n_committed) = (n_killed.into_inner(), n_committed.into_inner());
    println!("{n_kills} runs, {n_killed} killed before their end, {n_committed} of them after their commit");
    assert!(n_killed * 2 >= n_kills, "only {n_killed} of {n_kills} were killed before their end");
}

/// A limit on the size of files stands for a full disk: the system takes a part of a write and refuses the next.
#[cfg(unix)]
#[test]
fn a_write_that_the_system_refuses_is_told_and_changes_nothing() {
    let place = Place::new();
    place.succeed(&["index", "base.jsonl"], "index");
    let before = place.look("index");
    let mut told = BTreeSet::new();
    for blocks in [1, 9, 12, 20, 40, 60, 80, 100, 150, 200, 300] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" index more.jsonl --index index --quiet");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_copytrace")]).current_dir(place.0.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(0) {
            break;
        }
        assert_eq!(output.status.code(), Some(2), "{said}");
        let file =
            said.strip_prefix("error: cannot write `index/copytrace-building/").and_then(|rest| rest.split('`').next());
        told.insert(file.unwrap_or_else(|| panic!("{said}")).to_owned());
        assert_eq!(place.look("index"), before, "{blocks} blocks");
        assert!(!place.path("index/copytrace-building").is_dir(), "a full disk gets its space back");
    }
    assert!(told.len() >= 2, "the files of which a write was refused: {told:?}");
    place.succeed(&["index", "more.jsonl"], "index");
    assert_no_leftovers(&DiskStorage::new(place.path("index")));
}

/// Ends the program when a test ends early.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_dead() {
    let place = Place::new();
    place.succeed(&["index", "base.jsonl"], "index");
    let before = place.look("index");
    // Large enough that it is not done before it is stopped.
    let row = |n: usize| format!("{{\"id\":\"{n}\",\"text\":\"{n} {}\"}}\n", "some words of a long row ".repeat(100));
    std::fs::write(place.path("large.jsonl"), (0..4_000).map(row).collect::<String>()).unwrap();
    let mut first = Running(place.command(&["index", "large.jsonl"], "index").spawn().unwrap());
    while !place.path("index/copytrace-building").is_dir() {
        assert!(first.0.try_wait().unwrap().is_none(), "it ended before it began to build");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-STOP", &first.0.id().to_string()]).status().unwrap().success());
    assert!(first.0.try_wait().unwrap().is_none(), "it is stopped, not done");

    let (code, said) = place.run(&["index", "more.jsonl"], "index");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is being written by another process (lock file `index/LOCK`)"), "{said}");
    assert!(said.contains("hint: wait until the other process is done"), "{said}");
    assert_eq!(place.look("index"), before, "readers go on");
    place.succeed(&["inspect", "--verify"], "index");

    first.0.kill().unwrap();
    assert_eq!(first.0.wait().unwrap().code(), None, "ended by the signal");
    assert_eq!(place.look("index"), before);
    place.succeed(&["index", "more.jsonl"], "index");
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(place.path("index")));
    assert_eq!(look(&*storage).unwrap().generation, 2);
    assert_no_leftovers(&*storage);
}
