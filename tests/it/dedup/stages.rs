//! Nothing but input and options decides: not threads, memory, order of arguments, parts, nor a kill.

use std::process::{Command, Stdio};
use std::time::Duration;

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::{Level, Rules};
use copytrace::dedup::run::{Resources, Stage, StageOptions, dedup, run_one};
use copytrace::dedup::work::Part;

use super::{Folder, corpus, lines, words, written};
use crate::corpora::Random;

/// A folder with several files, one of them compressed.
fn folder(seed: u64) -> Folder {
    let folder = Folder::new();
    let rows = corpus(seed, 400);
    for (idx, rows) in rows.chunks(rows.len().div_ceil(7)).enumerate() {
        let text = lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str())));
        if idx == 3 {
            folder.write("3.jsonl.zst", zstd::encode_all(text.as_bytes(), 3).unwrap());
        } else {
            folder.write(&format!("{idx}.jsonl"), text);
        }
    }
    // One group that is decided in several batches: a template with two words of its own in each row.
    let row =
        |n: usize| (format!("t{n}"), format!("{} {n} {} {} {}", words(0, 30), words(30, 60), n / 3, words(60, 70)));
    let rows: Vec<(String, String)> = (0..600).map(row).collect();
    folder.write("template.jsonl", lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str()))));
    folder
}

#[test]
fn threads_memory_and_order_of_arguments_change_nothing() {
    let folder = folder(1);
    folder.run("out", Rules::default()).unwrap();
    let expected = folder.written("out");
    assert!(expected.removed_rows().len() > 100);
    let files: Vec<_> = expected.kept.keys().map(|name| folder.path("input").join(name)).collect();
    let mut random = Random(5);
    for run in 0..15 {
        let mut options = folder.options(&format!("out-{run}"), Rules::default());
        options.inputs.clone_from(&files);
        for at in (1..files.len()).rev() {
            options.inputs.swap(at, random.below(at + 1));
        }
        let (threads, memory_bytes) = ([1, 2, 4][run % 3], [64 << 20, 1 << 20][run % 2]);
        options.resources = Resources { threads, memory_bytes, ..options.resources };
        dedup(&options, &Progress::default(), &|_| ()).unwrap();
        assert!(written(&options.out) == expected, "run {run}");
    }
}

/// The output may stand below the input: what a run wrote is no input of the next.
#[test]
fn an_output_below_the_input_is_no_input() {
    let folder = folder(9);
    folder.run("input/out", Rules::default()).unwrap();
    let expected = folder.written("input/out");
    folder.run("input/out", Rules::default()).unwrap();
    assert!(folder.written("input/out") == expected);
}

/// Which rows stay does not depend on which file they stand in, nor where.
#[test]
fn shuffled_rows_keep_the_same_ids() {
    let rows = corpus(2, 300);
    let run = |turn: usize| {
        let folder = Folder::new();
        let mut rows = rows.clone();
        let n_rows = rows.len();
        rows.rotate_left(turn * 37 % n_rows);
        for (idx, rows) in rows.chunks(rows.len().div_ceil(turn + 1)).enumerate() {
            folder.write(&format!("{idx}.jsonl"), lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str()))));
        }
        folder.run("out", Rules::default()).unwrap();
        let written = folder.written("out");
        let mut removed = written.removed_rows();
        removed.sort_by(|a, b| a.0.cmp(&b.0));
        (written.kept_ids(), removed)
    };
    let expected = run(0);
    for turn in 1..5 {
        assert_eq!(run(turn), expected);
    }
}

#[test]
fn parts_in_any_order_make_what_one_run_makes() {
    let folder = folder(3);
    folder.run("out", Rules::default()).unwrap();
    let (work, out) = (folder.path("work"), folder.path("parts"));
    let resources = Resources { threads: 1, ..Resources::default() };
    let run = |options: &StageOptions, of: usize| {
        for number in (1..=of).rev() {
            run_one(options, &work, Part { number, of }, resources, &Progress::default()).unwrap();
        }
    };
    let error = run_one(&StageOptions::Other(Stage::Cluster), &work, Part::default(), resources, &Progress::default());
    assert!(error.is_err(), "nothing is there yet");
    let sign = StageOptions::Sign { inputs: vec![folder.path("input")], rules: Box::default() };
    run(&sign, 7);
    let other = StageOptions::Sign {
        inputs: vec![folder.path("input")],
        rules: Box::new(Rules { keep: 2, ..Rules::default() }),
    };
    let error = run_one(&other, &work, Part::default(), resources, &Progress::default()).unwrap_err().to_string();
    assert!(error.contains("other options or inputs of its pass in `keep`"), "{error}");
    let error = run_one(&StageOptions::Other(Stage::Verify), &work, Part::default(), resources, &Progress::default());
    assert!(error.unwrap_err().to_string().contains("all of `cluster` is done"));
    run(&StageOptions::Other(Stage::BandMerge), 3);
    run(&StageOptions::Other(Stage::Cluster), 1);
    run(&StageOptions::Other(Stage::Verify), 4);
    run(&StageOptions::Apply { out: out.clone() }, 5);
    assert!(written(&out) == folder.written("out"));
}

#[test]
fn a_second_run_does_nothing_and_a_lost_file_is_made_again() {
    let folder = folder(4);
    folder.run("out", Rules::default()).unwrap();
    let expected = folder.written("out");
    let path = folder.path("out/kept/2.jsonl");
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    folder.run("out", Rules::default()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), modified);
    std::fs::remove_file(&path).unwrap();
    folder.run("out", Rules::default()).unwrap();
    assert!(folder.written("out") == expected);
    let error = folder.run("out", Rules { threshold: 0.9, ..Rules::default() }).unwrap_err();
    assert!(error.to_string().contains("other options or inputs of its pass in `threshold`"), "{error}");
}

/// `COPYTRACE_KILLS=30 cargo test --test it dedup` kills so many times.
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_bytes() {
    let folder = folder(6);
    // Two rows with one passage, so that the last stage but one has something to do.
    let [one, other] = [0, 1_000].map(|from| super::words(from, from + 40) + " " + &super::words(5_000, 5_040));
    folder.write("passages.jsonl", lines([("one", &*one), ("other", &*other)]));
    let levels = vec![Level::Exact, Level::Near, Level::Passage];
    folder.run("out", Rules { levels, passage_words: 30, ..Rules::default() }).unwrap();
    let expected = folder.written("out");
    assert!(String::from_utf8_lossy(&expected.kept["passages.jsonl"]).matches("w5000").count() == 1);
    let n_kills: u64 = std::env::var("COPYTRACE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let mut random = Random(n_kills);
    for run in 0..n_kills {
        let out = folder.path(&format!("killed-{run}"));
        let start = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_copytrace"));
            command.arg("dedup").arg(folder.path("input")).arg("--out").arg(&out).arg("--quiet");
            command.args(["--level", "exact,near,passage", "--passage-words", "30"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        for _ in 0..3 {
            let mut child = start();
            std::thread::sleep(Duration::from_millis(random.between(1, 120) as u64));
            let _ = child.kill();
            child.wait().unwrap();
            // Whatever is below kept/ is whole.
            let now = written(&out);
            assert!(now.kept.iter().all(|(name, bytes)| expected.kept[name] == *bytes), "run {run}");
        }
        let done = start().wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(written(&out) == expected, "run {run}");
        let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 7, "kept, work and five files: {left:?}");
    }
}

#[test]
fn damage_between_stages_is_an_error_that_names_the_file() {
    let folder = folder(7);
    let options = folder.options("out", Rules::default());
    let change = |stage| {
        if stage == Stage::Cluster {
            let path = folder.path("out").join("work").join("band-merge-00000-buckets");
            let mut bytes = std::fs::read(&path).unwrap();
            let at = bytes.len() / 3;
            bytes[at] ^= 4;
            std::fs::write(path, bytes).unwrap();
        }
    };
    let error = dedup(&options, &Progress::default(), &change).unwrap_err().to_string();
    assert!(error.contains("band-merge-00000-buckets` is damaged"), "{error}");
}

/// A file that cannot grow is what a full disk looks like; the shell's limit makes one wherever tests run.
#[cfg(unix)]
#[test]
fn a_write_that_fails_is_told_and_leaves_no_half_file() {
    let folder = folder(8);
    folder.run("out", Rules::default()).unwrap();
    let expected = folder.written("out");
    let out = folder.path("limited");
    let mut n_failed = 0;
    // From a limit that stops the first stage to one that stops the last.
    for blocks in [1, 16, 64, 128, 256, 1024] {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"")).arg("sh");
        command.arg(env!("CARGO_BIN_EXE_copytrace")).arg("dedup").arg(folder.path("input")).arg("--out").arg(&out);
        let done = command.arg("--quiet").stdin(Stdio::null()).output().unwrap();
        let now = written(&out);
        assert!(now.kept.iter().all(|(name, bytes)| expected.kept[name] == *bytes), "{blocks} blocks");
        if !done.status.success() {
            let told = String::from_utf8(done.stderr).unwrap();
            assert!(done.status.code() == Some(2) && told.starts_with("error: cannot "), "{told}");
            n_failed += 1;
        }
    }
    assert!(n_failed > 0, "no limit was too small");
    dedup(&folder.options("limited", Rules::default()), &Progress::default(), &|_| ()).unwrap();
    assert!(written(&out) == expected);
}
