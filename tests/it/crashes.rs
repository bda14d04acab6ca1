//! Power cuts: whatever part of what was not synced is lost, the index that is found afterwards is the old one or the new one.
//!
//! A reference workload runs on a simulated disk ([`crate::disk`]). After every single operation the power is cut, in many ways; from each
//! disk that is left the index is opened, read whole, compared with what it must hold, worked on, and read again.
//! `COPYTRACE_CRASH_IMAGES=1000000 cargo test --release --test it crashes` goes on with random workloads until so many different disks were tried.

use std::collections::{BTreeSet, HashSet};

use copytrace_indexer::index::receipt::Receipt;
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::recipe::PUBLIC_SEED;

use crate::corpora::Random;
use crate::disk::cut::{Cut, Fate};
use crate::disk::tree::{Change, Tree};
use crate::disk::{Call, Disk, Event, Operation};
use crate::workload::{Case, Seen, Step, assert_workable, expected, look, next_process, random, reference};

/// Different disks that are tried at least.
const IMAGES_MIN: usize = 20_000;
/// Random mixtures of fates per operation.
const MIXTURES: usize = 32;
/// One disk of so many has documents added to it after the crash; of all others one is removed.
const BUILD_EVERY: usize = 32;
/// Bytes that a drive writes as a whole.
const SECTOR_BYTES: usize = 512;

fn images_wanted() -> usize {
    std::env::var("COPYTRACE_CRASH_IMAGES").ok().map_or(IMAGES_MIN, |n| n.parse().expect("a number of disks"))
}

/// Tries disks, each different one once.
struct Trials {
    tried: HashSet<u64>,
    n_made: usize,
}

impl Trials {
    fn new() -> Self {
        Self { tried: HashSet::new(), n_made: 0 }
    }

    /// Tries what a power cut left. `allowed` are the generations that may be found.
    fn try_image(&mut self, image: Tree, allowed: &[&Seen], what: &dyn Fn() -> String) {
        self.n_made += 1;
        if !self.tried.insert(image.hash()) {
            return;
        }
        let disk = Disk::new(image);
        let storage = disk.storage();
        let case = Case(|| format!("{}, which leaves\n{}", what(), names(&disk)));
        let found = look(&*storage).unwrap();
        let generations: Vec<u32> = allowed.iter().map(|seen| seen.generation).collect();
        assert!(allowed.contains(&&found), "found {found:?}, none of the generations {generations:?}");
        assert_workable(&storage, found, self.tried.len().is_multiple_of(BUILD_EVERY)).unwrap();
        drop(case);
    }

    /// Tries the power cuts at one moment of a log.
    fn cut(&mut self, cut: &Cut, last: &Event, allowed: &[&Seen], random: &mut Random, what: &dyn Fn() -> String) {
        let n = cut.n_pending();
        let mut try_fates = |name: &str, fate: &dyn Fn(usize) -> Fate| {
            self.try_image(cut.image(fate), allowed, &|| format!("{}, {name}", what()));
        };
        try_fates("nothing unsynced is kept", &|_| Fate::Lost);
        try_fates("everything is kept", &|_| Fate::Kept);
        let is_of_names = !matches!(last, Event::Made(_) | Event::Changed(Change::Write { .. }));
        // Between two writes nothing else changes: the write that is new is enough.
        let singles = if is_of_names { 0..n } else { n.saturating_sub(1)..n };
        for single in singles {
            let (alone, others) = (
                |fate| move |idx| if idx == single { fate } else { Fate::Lost },
                |fate| move |idx| if idx == single { fate } else { Fate::Kept },
            );
            try_fates(&format!("change {single} of {n} is lost alone"), &others(Fate::Lost));
            try_fates(&format!("change {single} of {n} is kept alone"), &alone(Fate::Kept));
            if is_of_names && single + 1 < n {
                continue;
            }
            let Some(n_bytes) = cut.written_bytes(single) else { continue };
            let borders = (SECTOR_BYTES..n_bytes).step_by(SECTOR_BYTES);
            for border in borders.chain([random.below(n_bytes)]) {
                try_fates(&format!("write {single} of {n} is torn at {border}"), &others(Fate::Torn(border)));
            }
            for fate in [Fate::Zeros, Fate::Garbage] {
                try_fates(&format!("write {single} of {n}: {fate:?}"), &others(fate));
                try_fates(&format!("write {single} of {n}: {fate:?}, others are lost"), &alone(fate));
            }
        }
        for _ in 0..MIXTURES {
            // Where many names are lost, little of what was written can be found.
            let names_lost_in_8 = [1, 4][random.below(2)];
            let fates: Vec<Fate> = (0..n).map(|idx| random_fate(cut, idx, names_lost_in_8, random)).collect();
            try_fates(&format!("{fates:?}"), &|idx| fates[idx]);
        }
    }
}

fn random_fate(cut: &Cut, pending: usize, names_lost_in_8: usize, random: &mut Random) -> Fate {
    let drawn = random.below(8);
    match (drawn, cut.written_bytes(pending)) {
        (0..4, Some(_)) => Fate::Kept,
        (4, Some(n_bytes)) => Fate::Torn(random.below(n_bytes)),
        (5, Some(_)) => Fate::Zeros,
        (6, Some(_)) => Fate::Garbage,
        (_, Some(_)) => Fate::Lost,
        (_, None) if drawn < names_lost_in_8 => Fate::Lost,
        (_, None) => Fate::Kept,
    }
}

fn names(disk: &Disk) -> String {
    let tree = disk.tree();
    let shown = tree.paths().into_iter().map(|(path, bytes)| {
        bytes.map_or_else(|| format!("  {}/", path.display()), |bytes| format!("  {} {}", path.display(), bytes.len()))
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// What a workload did to an empty disk.
struct Run {
    log: Vec<Event>,
    calls: Vec<Call>,
    expected: Vec<Seen>,
}

fn run(steps: &[Step]) -> Run {
    let disk = Disk::default();
    for step in steps {
        step.run(&disk.storage()).unwrap();
        disk.note_done();
    }
    assert_eq!(disk.violations(), Vec::<String>::new());
    Run { log: disk.log(), calls: disk.calls(), expected: expected(steps) }
}

impl Run {
    /// The generations that may be found when so many steps were reported as done: after the last step there is no newer one.
    fn allowed(&self, n_done: usize) -> Vec<&Seen> {
        self.expected.iter().skip(n_done).take(2).collect()
    }
}

/// Cuts the power after every operation of a workload.
fn try_power_cuts(steps: &[Step], name: &str, trials: &mut Trials, n_images: usize) {
    let run = run(steps);
    let mut random = Random(7);
    let mut cut = Cut::new(Tree::default());
    let mut n_done = 0;
    for (at, event) in run.log.iter().enumerate() {
        cut.advance(event);
        n_done += usize::from(matches!(event, Event::Done));
        if matches!(event, Event::Made(_)) {
            continue;
        }
        let what = || format!("{name}, step {n_done}, operation {at} of {}: {}", run.log.len(), describe(event));
        trials.cut(&cut, event, &run.allowed(n_done), &mut random, &what);
        if trials.tried.len() >= n_images {
            return;
        }
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Changed(Change::Write { node, start, bytes }) => format!("write {} at {start} of {node}", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// The moments of a log from the rename of a new segment, or the first of its tombstones, to the end of each step.
fn commit_windows(log: &[Event]) -> Vec<usize> {
    let mut windows = Vec::new();
    let mut is_open = false;
    for (at, event) in log.iter().enumerate() {
        match event {
            Event::Changed(Change::Rename { .. }) => is_open = true,
            Event::Done => is_open = false,
            _ => {}
        }
        if is_open && !matches!(event, Event::Made(_)) {
            windows.push(at);
        }
    }
    windows
}

/// A process is killed at every moment of its commits; the machine runs on, another process works on what it left, and then the power
/// is cut: nothing may rest on what the first one did not live to sync. Where it left the receipt of a commit that never came, a second one is
/// killed when it has removed that: nor may anything rest on what this one did not live to sync.
fn try_kills_and_power_cuts(steps: &[Step], trials: &mut Trials) {
    let run = run(steps);
    let mut n_twice = 0;
    for killed_at in commit_windows(&run.log) {
        let once = &run.log[..=killed_at];
        let n_done = once.iter().filter(|event| matches!(event, Event::Done)).count();
        let allowed = run.allowed(n_done);
        try_power_cuts_of_next(once, &allowed, &format!("killed at {killed_at}"), trials);
        let disk = Disk::after_kill(&Tree::default(), once);
        let generation = look(&disk).unwrap().generation;
        if Receipt::list(&disk).unwrap().iter().all(|receipt| receipt.0 <= generation) {
            continue;
        }
        drop(IndexWriter::open(disk.storage(), PUBLIC_SEED).unwrap());
        let twice = disk.log();
        // When it has removed the receipt, and has not synced that.
        let is_removal = |at: &usize| matches!(&twice[*at], Event::Changed(Change::Unlink { name, .. }) if name.starts_with("removed-"));
        for killed_again_at in (once.len()..twice.len()).filter(is_removal) {
            let what = format!("killed at {killed_at} and again at {killed_again_at}");
            try_power_cuts_of_next(&twice[..=killed_again_at], &allowed, &what, trials);
            n_twice += 1;
        }
    }
    assert!(n_twice > 0, "a receipt was left and removed");
}

/// Cuts the power after every operation of a process that works on what `before` left.
fn try_power_cuts_of_next(before: &[Event], allowed: &[&Seen], killed: &str, trials: &mut Trials) {
    let disk = Disk::after_kill(&Tree::default(), before);
    next_process().run(&disk.storage()).unwrap();
    disk.note_done();
    let last = look(&disk).unwrap();
    let log = disk.log();
    let mut cut = Cut::new(Tree::default());
    for event in before {
        cut.advance(event);
    }
    let mut allowed = allowed.to_vec();
    allowed.push(&last);
    for (at, event) in log.iter().enumerate().skip(before.len()) {
        cut.advance(event);
        if matches!(event, Event::Done) {
            allowed = vec![&last];
        }
        if matches!(event, Event::Made(_) | Event::Changed(Change::Write { .. })) {
            continue;
        }
        let what = || format!("{killed}, power cut at {at} of {}: {}", log.len(), describe(event));
        for idx in 0..cut.n_pending() {
            let lost = cut.image(|other| if other == idx { Fate::Lost } else { Fate::Kept });
            trials.try_image(lost, &allowed, &|| format!("{}, change {idx} is lost alone", what()));
        }
        trials.try_image(cut.image(|_| Fate::Lost), &allowed, &what);
        trials.try_image(cut.image(|_| Fate::Kept), &allowed, &what);
    }
}

#[test]
fn every_power_cut_leaves_the_old_generation_or_the_new_one() {
    let n_images = images_wanted();
    let mut trials = Trials::new();
    try_power_cuts(&reference(), "reference", &mut trials, usize::MAX);
    let n_cuts = trials.tried.len();
    try_kills_and_power_cuts(&reference(), &mut trials);
    let n_kills = trials.tried.len() - n_cuts;
    let mut seed = 0;
    while trials.tried.len() < n_images {
        try_power_cuts(&random(seed), &format!("random {seed}"), &mut trials, n_images);
        seed += 1;
    }
    println!(
        "{} disks after power cuts ({} different): all held the old or the new generation; {n_kills} of them after a kill, {seed} random workloads",
        trials.n_made,
        trials.tried.len(),
    );
}

/// The test above can fail: without any one of the syncs there is a power cut that leaves neither the old nor the new generation.
#[test]
fn every_sync_is_needed() {
    let steps = reference();
    let run = run(&steps);
    let names = sync_names(&run.calls);
    let syncs = run.log.iter().enumerate().filter(|(_, event)| matches!(event, Event::Synced(_))).map(|(at, _)| at);
    let mut needed = BTreeSet::new();
    for (skipped, name) in syncs.zip(&names) {
        if !needed.contains(name) && is_broken_without(skipped, &run.log, &|n_done| run.allowed(n_done)) {
            needed.insert(name.clone());
        }
    }
    // One is needed only where a process died before: killed after it renamed its manifest and before it synced the folder.
    let is_manifest =
        |event: &Event| matches!(event, Event::Changed(Change::Rename { from, .. }) if from == "MANIFEST.tmp");
    let killed_at = run.log.iter().rposition(is_manifest).expect("every step has a commit");
    let disk = Disk::after_kill(&Tree::default(), &run.log[..=killed_at]);
    next_process().run(&disk.storage()).unwrap();
    let (log, last) = (disk.log(), look(&disk).unwrap());
    let first_sync = (killed_at..log.len()).find(|&at| matches!(log[at], Event::Synced(_))).unwrap();
    let allowed = |n_done: usize| [run.allowed(n_done), vec![&last]].concat();
    if is_broken_without(first_sync, &log, &allowed) {
        needed.insert(WHEN_OPENED.to_owned());
    }
    assert_eq!(needed, names.into_iter().collect());
    assert_eq!(needed.len(), 18, "{needed:?}");
}

const WHEN_OPENED: &str = "the index folder when it is opened";

/// Names each sync of a log after what it syncs; of a segment's folder and its files the place in the workload does not matter.
fn sync_names(calls: &[Call]) -> Vec<String> {
    let mut names = Vec::new();
    let mut of_root = [].iter();
    for call in calls {
        let name = call.path.file_name().map_or("", |name| name.to_str().unwrap());
        match call.operation {
            // Every step takes the lock first; the first one finds no index that it could sync.
            Operation::Lock => {
                let all = &[WHEN_OPENED, "the index folder before the manifest", "the index folder after it"];
                of_root = all[usize::from(names.is_empty())..].iter();
            }
            Operation::SyncDir if name.is_empty() => names.extend(of_root.next().map(|name| (*name).to_owned())),
            Operation::Sync | Operation::SyncDir => names.extend(name.split(['-', '.']).next().map(str::to_owned)),
            _ => {}
        }
    }
    names
}

/// Tells whether a disk that skips one sync can lose what it must not.
fn is_broken_without<'a>(skipped: usize, log: &[Event], allowed: &dyn Fn(usize) -> Vec<&'a Seen>) -> bool {
    let mut cut = Cut::new(Tree::default());
    let mut n_done = 0;
    for (at, event) in log.iter().enumerate() {
        if at == skipped {
            continue;
        }
        cut.advance(event);
        n_done += usize::from(matches!(event, Event::Done));
        if at < skipped || matches!(event, Event::Made(_) | Event::Changed(Change::Write { .. })) {
            continue;
        }
        let allowed = allowed(n_done);
        let is_sound = |fate: &dyn Fn(usize) -> Fate| {
            look(&Disk::new(cut.image(fate))).is_ok_and(|found| allowed.contains(&&found))
        };
        let each_lost =
            || (0..cut.n_pending()).all(|lost| is_sound(&|idx| if idx == lost { Fate::Lost } else { Fate::Kept }));
        if !is_sound(&|_| Fate::Lost) || !each_lost() {
            return true;
        }
    }
    false
}
