//! Help texts, and what is said of wrong calls.

use std::fmt::Write as _;

use copytrace::cli::Exit;

use super::fake::Fake;
use super::{Run, assert_snapshot};

#[test]
fn help_is_as_reviewed() {
    for name in [
        "copytrace",
        "index",
        "check",
        "dedup",
        "stage sign",
        "stage verify",
        "stage apply",
        "serve",
        "remove",
        "merge",
        "inspect",
    ] {
        let line = if name == "copytrace" { String::new() } else { format!("{name} ") };
        for (form, flag) in [("short", "-h"), ("long", "--help")] {
            let outcome = Run::new(&format!("{line}{flag}")).over(&Fake::new());
            assert_eq!((outcome.exit, outcome.stderr.as_str()), (Exit::Clean, ""), "{name} {form}");
            assert_snapshot(&format!("help-{}-{form}.txt", name.replace(' ', "-")), &outcome.stdout);
        }
    }
}

#[test]
fn help_fits_the_terminal() {
    for columns in [60, 80, 100, 200] {
        for line in ["--help", "index -h", "check --help", "serve --help"] {
            let outcome = Run::new(line).columns(columns).over(&Fake::new());
            let widest = outcome.stdout.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns.min(100)), "{line} at {columns}: {widest:?}");
        }
    }
}

#[test]
fn help_is_coloured_only_where_colour_is_wanted() {
    for (run, expected) in [
        (Run::new("check -h"), false),
        (Run::new("check -h").colour(), true),
        (Run::new("check --color never -h").colour(), false),
        (Run::new("check --color=always -h"), true),
    ] {
        assert_eq!(run.over(&Fake::new()).stdout.contains('\u{1b}'), expected);
    }
}

/// Every way to call a command wrongly, with all that is said about it.
#[test]
fn wrong_calls_are_refused_with_a_remedy() {
    let mut report = String::new();
    for line in [
        "indx",
        "index",
        "index corpus.jsonl",
        "index --index i",
        "index a --index i --memory lots",
        "index a --index i --memory 0",
        "index a --index i --memory 63MiB",
        "index a --index i --threads 0",
        "index a --index i --document-bytes-max 4GiB",
        "index a --index i --profile fast",
        "index a --index i --on-duplicate merge",
        "index a --index i --seed-file Cargo.toml",
        "index a --index i --seed-file no/such/file",
        "index a --index i --format xml",
        "index a --index i --txt-column c",
        "check",
        "check a.txt",
        "check --index i --language klingon a.txt",
        "check --index i --lexical maybe a.txt",
        "check --index i --batch --format text a.txt",
        "check --index i no/such/file.txt",
        "check --index i src",
        "check --index i a.txt b.txt",
        "check --index i --prompt no/such/prompt Cargo.toml",
        "dedup",
        "dedup a.jsonl",
        "dedup a.jsonl --out o --level fuzzy",
        "dedup a.jsonl --out o --threshold high",
        "dedup a.jsonl --out o --preset mine",
        "stage sort --work w",
        "stage sign --work w",
        "stage verify",
        "stage verify --work w --part 0/3",
        "stage verify --work w --part 4/3",
        "stage apply --work w",
        "serve --listen 50051",
        "serve --listen example.org:50051",
        "serve corpus.jsonl --index a --index b",
        "remove --index i",
        "remove --id a",
        "remove --index i --id a --shard b",
        "remove --index i --ids-from no/such/file",
        "remove --index i --ids-from tests/fixtures/index_v1/seg-000001-cf016f3fec621297/anchors",
        "remove --index i --ids-from -",
        "remove --index i --id a --compare few",
        "merge",
        "merge --index i words",
        "merge --index i --memory lots",
        "inspect",
        "inspect --index i --search",
        "inspect --index i words",
        "check --index i --color sometimes a.txt",
        "check --index i --log loud a.txt",
        "check --index i evil\u{1b}[2Jname",
    ] {
        let outcome = Run::new(line).over(&Fake::new());
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Exit::Failed, ""), "{line}");
        assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.is_ascii(), "{line}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains('\u{1b}'), "{line}");
        let _ = write!(report, "$ copytrace {}\n{}\n", line.replace('\u{1b}', "\\e"), outcome.stderr);
    }
    assert_snapshot("wrong-calls.txt", &report);
}

#[test]
fn no_arguments_show_the_help_as_an_error() {
    let mut run = Run::new("");
    run.args.clear();
    let outcome = run.over(&Fake::new());
    assert_eq!((outcome.exit, outcome.stdout.as_str()), (Exit::Failed, ""));
    assert!(outcome.stderr.contains("Usage: copytrace"), "{}", outcome.stderr);
}

#[test]
fn the_program_knows_its_version() {
    let outcome = Run::new("--version").over(&Fake::new());
    assert_eq!((outcome.exit, outcome.stdout), (Exit::Clean, format!("copytrace {}\n", env!("CARGO_PKG_VERSION"))));
}
