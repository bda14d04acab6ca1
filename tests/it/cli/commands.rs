//! What reaches the library from the command line, and what is said about what comes back.

use std::fmt::Write as _;

use copytrace::cli::Exit;
use copytrace_indexer::Error as IndexError;

use super::fake::Fake;
use super::{Run, assert_snapshot};

fn check_calls(line: &str, expected: &[&str]) {
    let fake = Fake::new();
    let outcome = Run::new(line).stdin("text").over(&fake);
    assert_eq!(outcome.exit, Exit::Clean, "{line}: {}", outcome.stderr);
    let calls = fake.calls.lock().expect("no panic").concat();
    let calls: String = calls.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in expected {
        assert!(calls.contains(part), "{line}: {part} is not in {calls}");
    }
}

#[test]
fn options_reach_the_library() {
    check_calls(
        "index a.jsonl b --index i",
        &[
            r#"inputs: [ "a.jsonl", "b", ]"#,
            r#"index: "i""#,
            "text: None",
            "memory_bytes: 2147483648",
            "threads: None",
            "document_bytes_max: 33554432",
            "is_strict: false",
            "on_duplicate: Replace",
            "profile: Full",
            "seed: None",
        ],
    );
    check_calls(
        "index a --index i --memory 1g --threads 3 --document-bytes-max 1MiB --strict --on-duplicate skip --profile dedup \
         --shard s1",
        &[
            "memory_bytes: 1073741824",
            "threads: Some( 3, )",
            "document_bytes_max: 1048576",
            "is_strict: true",
            "on_duplicate: Skip",
            "profile: Dedup",
            r#"shard: Some( "s1", )"#,
        ],
    );
    check_calls(
        "index a --index i --text-column body,content --id-column meta.id --license-column l --origin-column o \
         --uri-column u --path-column p --shard-column s",
        &[
            r#"text: Some( "body,content", ), id: Some( "meta.id", ), license: Some( "l", ), origin: Some( "o", ), uri: Some( "u", ), path: Some( "p", ), shard: Some( "s", )"#,
        ],
    );
    check_calls("check --index i --index j --policy p.toml", &[r#"indexes: [ "i", "j", ], policy: Some( "p.toml", )"#]);
    check_calls(
        "dedup a b --out o --level exact --keep 3 --keep-per s --prefer q --preset stack --weights --strict --work w --id-column i",
        &[
            r#"inputs: [ "a", "b", ], out: "o", work: Some( "w", )"#,
            "levels: [ Exact, ], threshold: 0.7, bands: 25, rows: 10, shingle: Words( 5, ), keep: 3",
            r#"keep_per: Some( "s", ), prefer: "q""#,
            "has_weights: true",
            r#"id: Some( "i", )"#,
            "is_strict: true",
        ],
    );
    check_calls("dedup a --out o --preset stack --threshold 0.9", &["threshold: 0.9, bands: 25"]);
    check_calls("stage verify --work w --part 2/7", &["Other( Verify, ) w Part { number: 2, of: 7 }"]);
    check_calls("stage sign a --work w", &[r#"Sign { inputs: [ "a", ]"#]);
    check_calls("serve", &[r#"indexes: [ ".copytrace/index", ]"#, "listen: 127.0.0.1:50051"]);
    check_calls("serve --listen localhost:0 --index i --index j", &[r#"[ "i", "j", ]"#, "listen: 127.0.0.1:0"]);
    check_calls(
        "serve a.jsonl --text-column body",
        &[r#"inputs: [ "a.jsonl", ], index: ".copytrace/index""#, r#"text: Some( "body", )"#, "ServeOptions"],
    );
    check_calls("inspect --index i --search midnight dreary", &["midnight dreary 20"]);
    check_calls(
        "merge --index i --from j --from k --memory 1g --threads 3",
        &[r#"from: [ "j", "k", ]"#, "memory_bytes: 1073741824", "threads: Some( 3, )"],
    );
}

#[test]
fn peers_names_of_columns_are_understood() {
    for alias in ["column", "text-key", "text-field", "text_column", "text_key", "text_field"] {
        check_calls(&format!("index a --index i --{alias} body"), &[r#"text: Some( "body", )"#]);
        check_calls(&format!("serve a --index i --{alias} body"), &[r#"text: Some( "body", )"#]);
    }
    for alias in ["id-key", "id-field", "id_column", "id_key", "id_field"] {
        check_calls(&format!("index a --index i --{alias} doc"), &[r#"id: Some( "doc", )"#]);
    }
}

#[test]
fn seed_files_are_read_and_never_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("seed");
    for (content, is_seed) in [
        ("0123456789abcdef\n", true),
        ("0123456789ABCDEF", true),
        ("0123456789abcde", false),
        ("+123456789abcdef", false),
        ("", false),
    ] {
        std::fs::write(&path, content).expect("written");
        let fake = Fake::new();
        let outcome = Run::new("check --index i --seed-file").arg(&path).stdin("x").over(&fake);
        assert_eq!(outcome.exit == Exit::Clean, is_seed, "{content}");
        let calls = fake.calls.lock().expect("no panic").concat();
        assert_eq!(calls.contains("Seed(..)"), is_seed, "{calls}");
        assert!(!outcome.stderr.contains("123456789") && !calls.contains("123456789"));
    }
}

/// What `remove` asks of the library; the fake one says that some of it is not there.
#[test]
fn what_is_to_be_removed_reaches_the_library() {
    for (line, stdin, expected) in [
        ("remove --index i --id a --id b", "", r#"Ids( [ "a", "b", ], ), is_dry_run: false, compared_max: 1000"#),
        ("remove --index i --shard s --compare 5 --dry-run", "", r#"Shard( "s", ), is_dry_run: true, compared_max: 5"#),
        ("remove --index i --origin o", "", r#"Origin( "o", )"#),
        ("remove --index i --ids-from -", "\u{feff}a\r\n\n b c \r\n\r\nd", r#"Ids( [ "a", " b c ", "d", ], )"#),
    ] {
        let fake = Fake::new();
        let outcome = Run::new(line).stdin(stdin).over(&fake);
        assert_eq!(outcome.exit, Exit::Found, "{line}: {}", outcome.stderr);
        let calls = fake.calls.lock().expect("no panic").concat();
        let calls: String = calls.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(calls.contains(expected), "{line}: {expected} is not in {calls}");
    }
    let outcome = Run::new("remove --index i --ids-from -").stdin(&b"a\n\xff\n"[..]).over(&Fake::new());
    assert_eq!(outcome.exit, Exit::Failed);
    assert!(outcome.stderr.contains("the standard input, line 2: not UTF-8 from byte 0"), "{}", outcome.stderr);
}

/// Summaries and listings of the commands beside `check`.
#[test]
fn summaries_are_as_reviewed() {
    for (name, line) in [
        ("index", "index corpus --index corpus-index"),
        ("index-strange-folder", "index corpus --index it's\u{a0}mine"),
        ("index-json", "index corpus --index corpus-index --format json"),
        ("merge", "merge --index corpus-index --from other-index"),
        ("dedup-plan", "dedup corpus.jsonl --out clean --plan"),
        ("merge-nothing", "merge --index corpus-index"),
        ("merge-json", "merge --index corpus-index --from other-index --format json"),
        ("inspect", "inspect --index corpus-index"),
        ("inspect-json", "inspect --index corpus-index --format json --verify --search raven"),
        ("inspect-search", "inspect --index corpus-index --search raven"),
        ("inspect-search-nothing", "inspect --index corpus-index --search nothing"),
        ("inspect-verify", "inspect --index corpus-index --verify"),
        ("serve", "serve --index i --listen 0.0.0.0:50051"),
        ("serve-input", "serve corpus.jsonl"),
        ("remove", "remove --index corpus-index --id a"),
        ("remove-nothing", "remove --index corpus-index --origin nowhere"),
        ("remove-dry-run", "remove --index corpus-index --id a --dry-run"),
        ("remove-json", "remove --index corpus-index --id a --format json"),
    ] {
        let outcome = Run::new(line).over(&Fake::new());
        // The fake library does not find all that is to be removed.
        let expected = if name.starts_with("remove") { Exit::Found } else { Exit::Clean };
        assert_eq!(outcome.exit, expected, "{name}");
        let streams = [outcome.stdout, outcome.stderr].map(|text| format!("{text}---\n"));
        assert_snapshot(&format!("summary-{name}.txt"), &streams.concat());
    }
}

#[test]
fn damage_is_found_by_inspect() {
    let outcome = Run::new("inspect --index damaged-index --verify").over(&Fake::new());
    assert_eq!(outcome.exit, Exit::Found);
    assert_snapshot("summary-inspect-damaged.txt", &outcome.stdout);
}

#[test]
fn quiet_leaves_errors_alone() {
    for line in ["--quiet index a --index i", "index a --index i -q", "-q serve a"] {
        let outcome = Run::new(line).over(&Fake::new());
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""), "{line}");
    }
    let json = Run::new("-q index a --index i --format json").over(&Fake::new());
    assert!(json.stdout.starts_with("{\"generation\":3,"), "{}", json.stdout);
    let failed = Run::new("-q check --index i").over(&Fake::failing(|| anyhow::anyhow!("no")));
    assert_eq!((failed.exit, failed.stderr.as_str()), (Exit::Failed, "error: no\n"));
}

/// Errors of the library, with the hint that each gets.
#[test]
fn errors_come_with_hints() {
    type Make = fn() -> copytrace::Error;
    let rows: [(&str, Make); 13] = [
        ("no index", || IndexError::NoIndex { path: "corpus-index".into() }.into()),
        ("locked", || IndexError::Locked { index: "corpus-index".into(), lock: "corpus-index/LOCK".into() }.into()),
        ("missing column", || {
            IndexError::MissingColumn {
                path: "a.parquet".into(),
                role: "text",
                wanted: "body".into(),
                available: vec!["content".into(), "meta.id".into()],
            }
            .into()
        }),
        ("newer format", || {
            IndexError::Incompatible {
                path: "corpus-index/MANIFEST-7".into(),
                what: "format version",
                expected: "1".into(),
                found: "2".into(),
            }
            .into()
        }),
        ("other seed", || {
            IndexError::Incompatible {
                path: "corpus-index/MANIFEST-7".into(),
                what: "hash seed with check value",
                expected: "00".into(),
                found: "11".into(),
            }
            .into()
        }),
        ("damaged", || {
            IndexError::Corrupt {
                path: "corpus-index/segment-1/text".into(),
                what: "block checksum",
                offset: 16384,
                expected: "aa".into(),
                found: "bb".into(),
            }
            .into()
        }),
        ("bad row", || IndexError::Row { path: "a.jsonl".into(), row: 17, problem: "not a JSON object".into() }.into()),
        ("duplicate", || IndexError::DuplicateId { id: "doc\u{1b}]0;7".into() }.into()),
        ("full disk", || {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            IndexError::Io { operation: "write", path: "corpus-index/tmp".into(), source }.into()
        }),
        ("input", || IndexError::Input { path: "a.gz".into(), problem: "truncated gzip".into() }.into()),
        ("policy", || copytrace::Error::Policy { path: "p.toml".into(), problem: "line 3: unknown key".into() }),
        ("overloaded", || copytrace::Error::Overloaded { in_flight: 8, in_flight_max: 8 }),
        ("internal", || copytrace::Error::Internal("a thread died".into())),
    ];
    let mut report = String::new();
    for (name, make) in rows {
        let outcome = Run::new("check --index corpus-index").over(&Fake::failing(move || make().into()));
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Exit::Failed, ""), "{name}");
        let _ = write!(report, "{name}:\n{}\n", outcome.stderr);
    }
    assert!(!report.contains('\u{1b}'));
    assert_snapshot("errors.txt", &report);
}

#[test]
fn the_binary_answers() {
    let run = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_copytrace")).args(args).output().expect("it starts")
    };
    let version = run(&["--version"]);
    assert!(version.status.success() && version.stdout.starts_with(b"copytrace "));
    let wrong = run(&["check"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty() && wrong.stderr.starts_with(b"error: "));
}
