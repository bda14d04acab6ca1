//! `check`: inputs, batches, exit codes, JSON.

use std::io::ErrorKind;

use copytrace::check::answer::{Action, Answer, Verdict};
use copytrace::cli::Exit;
use serde_json::Value;

use super::fake::Fake;
use super::{Broken, Run};

#[test]
fn exit_codes_tell_the_verdict() {
    for (action, exit) in [
        (Action::Allow, Exit::Clean),
        (Action::Flag, Exit::Found),
        (Action::Replace, Exit::Found),
        (Action::Block, Exit::Found),
        (Action::Unspecified, Exit::Found),
    ] {
        for format in ["text", "json"] {
            let fake = Fake::responding(move |_| {
                Ok(Answer { verdict: Verdict { action, ..Verdict::default() }, ..Answer::default() })
            });
            let line = format!("check --index i --format {format}");
            assert_eq!(Run::new(&line).stdin("x").over(&fake).exit, exit, "{action:?}");
        }
    }
}

#[test]
fn texts_come_from_files_and_pipes() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let fake = Fake::responding(|request| {
        let language = request.language.map_or("auto", copytrace_indexer::language::Language::name);
        let reason = format!("{}|{language}|{}|{}", request.text, request.prompt, request.is_lexical);
        Ok(Answer { verdict: Verdict { action: Action::Allow, reason, ..Verdict::default() }, ..Answer::default() })
    });
    let check = |run: Run, expected: &str| {
        let outcome = run.stdin("piped").over(&fake);
        assert_eq!(outcome.exit, Exit::Clean, "{}", outcome.stderr);
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(answer["verdict"]["reason"], expected);
    };
    let run = || Run::new("check --index i --format json");
    check(run(), "piped|auto||true");
    check(run().arg("-"), "piped|auto||true");
    check(run().arg(file("a.py", b"python")), "python|python||true");
    check(run().arg(file("a.rs", b"rust")), "rust|rust||true");
    check(run().arg(file("a.txt", b"prose")), "prose|auto||true");
    check(run().arg(file("a.c", b"code")).arg("--language").arg("rust"), "code|rust||true");
    check(run().arg("--lexical").arg("off"), "piped|auto||false");
    check(run().arg("--prompt").arg(file("prompt", b"asked")), "piped|auto|asked|true");

    let refuse = |run: Run, expected: &str| {
        let outcome = run.over(&fake);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (Exit::Failed, ""));
        assert!(outcome.stderr.contains(expected) && outcome.stderr.contains("\nhint: "), "{}", outcome.stderr);
    };
    refuse(run().arg(file("latin1", b"caf\xe9 noir")), "latin1` is not UTF-8: byte 3 is 0xe9");
    refuse(run().stdin(b"ab\xff"), "the standard input is not UTF-8: byte 2 is 0xff");
    refuse(run().stdin(vec![b'x'; (1 << 20) + 1]), "the standard input is longer than 1048576 bytes");
    refuse(run().arg("--prompt").arg(file("bad", b"\xff")), "bad` is not UTF-8: byte 0 is 0xff");
    refuse(Run { stdin_is_terminal: true, ..run() }, "no text to check");
    refuse(Run { stdin_is_terminal: true, ..run().arg("--batch") }, "no text to check");
    assert_eq!(Run { stdin_is_terminal: true, ..run().arg("-") }.over(&fake).exit, Exit::Clean);
    assert_eq!(run().stdin(vec![b'x'; 1 << 20]).over(&fake).exit, Exit::Clean);
}

#[test]
fn batches_answer_line_by_line_in_order() {
    let mut input: Vec<String> = (0..500).map(|n| format!(r#"{{"id": "{n}", "text": "text {n}"}}"#)).collect();
    input[17] = r#"{"id": "17", "text": "copied"}"#.to_owned();
    input[30] = "not JSON".to_owned();
    input[31] = String::new();
    input[32] = r#"{"id": "32"}"#.to_owned();
    let outcome = Run::new("check --index i --batch").stdin(input.join("\n")).over(&Fake::new());
    assert_eq!(outcome.exit, Exit::Found);
    assert_eq!(outcome.stderr, "note: 500 texts: 496 allowed, 1 not allowed, 3 not readable\n");
    let answers: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(answers.len(), 500);
    for (n, answer) in answers.iter().enumerate() {
        let (id, action, error) = match n {
            17 => ("17".to_owned(), "ACTION_FLAG", ""),
            30 => (String::new(), "ACTION_UNSPECIFIED", "line 31: not a JSON object: expected"),
            31 => (String::new(), "ACTION_UNSPECIFIED", "line 32: empty: expected"),
            32 => ("32".to_owned(), "ACTION_UNSPECIFIED", "line 33: `text` is missing: expected"),
            _ => (n.to_string(), "ACTION_ALLOW", ""),
        };
        assert_eq!(answer["id"], id);
        assert_eq!(answer["verdict"]["action"], action, "{answer}");
        let found = answer["error"].as_str().expect("a string");
        assert!(found.starts_with(error) && found.is_empty() == error.is_empty(), "{found}");
    }
}

#[test]
fn batches_tell_how_they_went() {
    fn check(line: &str, stdin: &str, fake: &Fake, exit: Exit, stderr: &str) {
        let outcome = Run::new(line).stdin(stdin).over(fake);
        assert_eq!((outcome.exit, outcome.stderr.as_str()), (exit, stderr), "{stdin}");
        assert_eq!(outcome.stdout.lines().count(), stdin.lines().count());
    }
    let (fine, copied) = ("{\"text\": \"x\"}\n", "{\"text\": \"copied\"}\n");
    let batch = "check --index i --batch";
    check(batch, "", &Fake::new(), Exit::Clean, "note: 0 texts\n");
    check(batch, fine, &Fake::new(), Exit::Clean, "note: 1 text: 1 allowed\n");
    check(batch, copied, &Fake::new(), Exit::Found, "note: 1 text: 1 not allowed\n");
    check("-q check --index i --batch", copied, &Fake::new(), Exit::Found, "");

    let too_long = Fake::responding(|_| {
        Err(copytrace::Error::Field {
            field: "text".into(),
            expected: "at most 9 bytes".into(),
            found: "10 bytes".into(),
        })
    });
    check(batch, fine, &too_long, Exit::Found, "note: 1 text: 1 not readable\n");
    let broken = Fake::responding(|request| match request.text.as_str() {
        "x" => Err(copytrace::Error::Internal("a thread died".into())),
        _ => Ok(Answer::default()),
    });
    let told = "note: 3 texts: 1 not allowed, 2 not checked\nerror: 2 texts could not be checked, first at line 2: a thread died\n";
    check(batch, &[copied, fine, fine].concat(), &broken, Exit::Failed, told);
}

#[test]
fn json_is_the_message_of_the_service() {
    let outcome = Run::new("check --index i --format json").stdin("copied").over(&Fake::new());
    assert_eq!(
        outcome.stdout,
        "{\"id\":\"-\",\"verdict\":{\"action\":\"ACTION_FLAG\",\"ruleId\":\"\",\"reason\":\"\",\"replacement\":\"\"},\
         \"matches\":[],\"indexes\":[],\"degraded\":[],\"checkedBytes\":6,\"error\":\"\"}\n"
    );
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
    let batch = "{\"text\": \"copied\"}\n".repeat(2000);
    for (line, stdin) in [
        ("check --index i", "copied"),
        ("check --index i --format json", "copied"),
        ("check --index i --batch", batch.as_str()),
    ] {
        let run = |kind| {
            let broken_stdout = Some(Broken { n_bytes: 200, kind });
            Run { broken_stdout, ..Run::new(line).stdin(stdin) }.over(&Fake::new())
        };
        let closed = run(ErrorKind::BrokenPipe);
        assert!(!closed.stderr.contains("error") && closed.exit == Exit::Found, "{line}: {}", closed.stderr);
    }
    let broken_stdout = Some(Broken { n_bytes: 200, kind: ErrorKind::StorageFull });
    let full = Run { broken_stdout, ..Run::new("check --index i --batch").stdin(batch) }.over(&Fake::new());
    assert_eq!(full.exit, Exit::Failed);
    assert!(full.stderr.contains("error: cannot write to the standard output: "), "{}", full.stderr);

    let broken_stdout = Some(Broken { n_bytes: 0, kind: ErrorKind::BrokenPipe });
    let help = Run { broken_stdout, ..Run::new("--help") }.over(&Fake::new());
    assert_eq!((help.exit, help.stderr.as_str()), (Exit::Clean, ""));
}
