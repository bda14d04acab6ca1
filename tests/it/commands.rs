//! The program itself, as a person runs it: every command on a real corpus, one wrong use of each, and what the README shows.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copytrace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_copytrace"));
    command.args(args).current_dir(root()).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// What a run printed and its exit code.
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

fn outcome(output: Output) -> Outcome {
    Outcome {
        code: output.status.code().expect("not ended by a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(args: &[&str]) -> Outcome {
    outcome(copytrace(args).output().unwrap())
}

/// An index of the example corpus in a temporary folder.
fn library() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("library").to_str().unwrap().to_owned();
    let done = run(&["index", "examples/corpus", "--index", &index, "--quiet"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    (dir, index)
}

#[test]
fn an_example_is_indexed_and_a_copy_found_in_it() {
    let (_dir, index) = library();
    let done = run(&["check", "--index", &index, "examples/generated.txt"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stdout.starts_with("FLAG  71 consecutive words equal document"), "{}", done.stdout);
    let done = run(&["check", "--index", &index, "--format", "json", "examples/generated.txt"]);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["verdict"]["ruleId"], "verbatim");
    let found = &answer["matches"][0];
    assert_eq!(found["document"]["id"], "austen/pride-and-prejudice/1");
    assert_eq!((&found["querySpan"]["startLine"], &found["querySpan"]["endLine"]), (&3.into(), &7.into()));
    let (start, end) =
        (found["sourceSpan"]["startByte"].as_u64().unwrap(), found["sourceSpan"]["endByte"].as_u64().unwrap());
    assert_eq!((start, end), (0, 379), "the source's first two paragraphs");
}

#[test]
fn a_function_with_other_names_is_found_with_its_renaming() {
    let (_dir, index) = library();
    let done = run(&["check", "--index", &index, "--format", "json", "examples/generated.py"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["verdict"]["ruleId"], "renamed");
    let found = &answer["matches"][0];
    assert_eq!(found["document"]["id"], "copytrace/cookbook/retries.py");
    assert_eq!((&found["kind"], &found["document"]["license"]), (&"COPY_KIND_RENAMED".into(), &"CC0-1.0".into()));
    let renames = found["renames"].as_array().unwrap();
    assert!(renames.contains(&json!({"query": "fetch_patiently", "source": "call_with_retries"})), "{renames:?}");
    assert_eq!(renames.len(), 11, "{renames:?}");
}

#[test]
fn an_innocent_text_is_allowed_and_standard_input_is_read() {
    let (_dir, index) = library();
    let mut child = copytrace(&["check", "--index", &index, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"Nothing in this sentence was ever written by anybody else.\n").unwrap();
    let done = outcome(child.wait_with_output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("ALLOW"), "{}", done.stdout);
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let (dir, index) = library();
    let batch = dir.path().join("batch.jsonl");
    let text = std::fs::read_to_string(root().join("examples/generated.txt")).unwrap();
    let lines = format!("{}\nnot json\n{}\n", json!({"id": "a", "text": text}), r#"{"id":"b","text":"fine"}"#);
    std::fs::write(&batch, lines).unwrap();
    let done = run(&["check", "--index", &index, "--batch", batch.to_str().unwrap()]);
    assert_eq!(done.code, 1);
    let answers: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<&str> = answers.iter().map(|answer| answer["verdict"]["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["ACTION_FLAG", "ACTION_UNSPECIFIED", "ACTION_ALLOW"]);
    assert!(answers[1]["error"].as_str().unwrap().contains("line 2"), "{}", answers[1]["error"]);
}

#[test]
fn what_the_prompt_contained_does_not_count() {
    let (dir, index) = library();
    let prompt = dir.path().join("prompt");
    let text = std::fs::read_to_string(root().join("examples/generated.txt")).unwrap();
    std::fs::write(&prompt, text.to_lowercase()).unwrap();
    let done = run(&["check", "--index", &index, "--prompt", prompt.to_str().unwrap(), "examples/generated.txt"]);
    assert_eq!(done.code, 0, "{}", done.stdout);
}

#[test]
fn an_index_is_shown_searched_and_verified() {
    let (_dir, index) = library();
    let shown: Value = serde_json::from_str(&run(&["inspect", "--index", &index, "--format", "json"]).stdout).unwrap();
    assert_eq!((&shown["index"]["documents"], &shown["index"]["generation"]), (&13.into(), &1.into()));
    let done = run(&["inspect", "--index", &index, "--search", "Ishmael"]);
    assert!(done.stdout.contains("melville/moby-dick/1"), "{}", done.stdout);
    let done = run(&["inspect", "--index", &index, "--verify"]);
    assert_eq!(done.code, 0);
    assert!(done.stdout.ends_with("all sound\n"), "{}", done.stdout);
}

#[test]
fn a_removed_document_is_not_found_any_more_and_a_merge_leaves_a_receipt() {
    let (dir, index) = library();
    let ids = dir.path().join("ids.txt");
    std::fs::write(&ids, "austen/pride-and-prejudice/1\r\n\nno/such/document\n").unwrap();
    let remove = ["remove", "--index", &index, "--ids-from", ids.to_str().unwrap(), "--format", "json"];
    let dry: Value = serde_json::from_str(&run(&[&remove[..], &["--dry-run"]].concat()).stdout).unwrap();
    assert_eq!((&dry["dryRun"], &dry["generation"], &dry["removed"]), (&true.into(), &1.into(), &1.into()));
    let done = run(&remove);
    assert_eq!((done.code, done.stderr.as_str()), (1, ""), "one of the ids is not there");
    let removed: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&removed["generation"], &removed["removed"]), (&2.into(), &1.into()));
    assert_eq!(removed["notFound"], json!(["no/such/document"]));
    assert_eq!(removed["shards"], json!([{"name": "", "documents": 1}]));
    assert_eq!(
        (&removed["remaining"]["compared"], &removed["remaining"]["documents"]),
        (&1.into(), &Value::Array(vec![]))
    );

    let documents = |args: &[&str]| {
        let answer: Value = serde_json::from_str(&run(args).stdout).unwrap();
        let matches = answer["matches"].as_array().unwrap().clone();
        matches.iter().map(|found| found["document"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let check = ["check", "--index", &index, "--format", "json", "examples/generated.txt"];
    assert!(!documents(&check).is_empty() && !documents(&check).iter().any(|id| id.starts_with("austen")));
    let shown: Value = serde_json::from_str(&run(&["inspect", "--index", &index, "--format", "json"]).stdout).unwrap();
    let before = &shown["index"];
    assert_eq!((&before["documents"], &before["removedDocuments"]), (&12.into(), &1.into()));

    let merge = ["merge", "--index", &index, "--format", "json"];
    let merged: Value = serde_json::from_str(&run(&merge).stdout).unwrap();
    assert_eq!(
        (&merged["changed"], &merged["droppedRemoved"], &merged["generation"]),
        (&true.into(), &1.into(), &3.into())
    );
    let receipt = Path::new(&index).join(merged["receipt"].as_str().unwrap());
    let text = std::fs::read_to_string(&receipt).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["documents"][0]["id"], "austen/pride-and-prejudice/1");
    let again: Value = serde_json::from_str(&run(&merge).stdout).unwrap();
    assert_eq!((&again["changed"], &again["generation"]), (&false.into(), &3.into()));
    assert!(!documents(&check).iter().any(|id| id.starts_with("austen")));
    let shown: Value = serde_json::from_str(&run(&["inspect", "--index", &index, "--format", "json"]).stdout).unwrap();
    let after = &shown["index"];
    assert_eq!(
        (&after["words"], &after["textBytes"]),
        (&before["words"], &before["textBytes"]),
        "removed ones do not count"
    );

    let done = run(&["inspect", "--index", &index, "--verify"]);
    assert!(done.code == 0 && done.stdout.contains("receipts/removed-000003.json"), "{}", done.stdout);
    std::fs::write(&receipt, text.replace("pride", "pridf")).unwrap();
    let done = run(&["inspect", "--index", &index, "--verify"]);
    assert!(done.code == 1 && done.stdout.contains("damaged   receipts/removed-000003.json"), "{}", done.stdout);
}

#[test]
fn indexes_built_apart_are_joined() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (all, first, second, joined) = (path("all"), path("first"), path("second"), path("joined"));
    for (names, index) in [(&["austen", "melville"][..], &all), (&["austen"], &first), (&["melville"], &second)] {
        let row =
            |name: &&str| json!({"id": format!("{name}/1"), "text": crate::corpora::passage(name, 30)}).to_string();
        let corpus = path("corpus.jsonl");
        std::fs::write(&corpus, names.iter().map(row).collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(run(&["index", &corpus, "--index", index, "--quiet"]).code, 0);
    }
    let done = run(&["merge", "--index", &joined, "--from", &first, "--from", &second]);
    assert!(done.stdout.starts_with("Merged ") && done.stdout.contains("2 documents in 1 segment"), "{}", done.stdout);
    let (all, joined) = (files_of(&all), files_of(&joined));
    assert_eq!(all.len(), joined.len());
    for (expected, found) in all.iter().zip(&joined) {
        assert!(std::fs::read(expected).unwrap() == std::fs::read(found).unwrap(), "{}", found.display());
    }
}

fn files_of(index: &str) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.is_dir() && !path.ends_with("receipts");
    let segments = std::fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path()).filter(is_segment);
    let mut files: Vec<PathBuf> =
        segments.flat_map(|dir| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path())).collect();
    files.sort();
    files
}

#[test]
fn a_damaged_file_is_named_and_never_an_answer() {
    let (_dir, index) = library();
    let sound = run(&["check", "--index", &index, "--format", "json", "examples/generated.txt"]).stdout;
    for file in files_of(&index) {
        let bytes = std::fs::read(&file).unwrap();
        for at in [0, 70, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&file, &damaged).unwrap();
            let done = run(&["inspect", "--index", &index, "--verify"]);
            let said = done.stdout + &done.stderr;
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(done.code == 1 && said.contains(&format!("/{name} (")), "{name}, byte {at}: {said}");
            let damaged: Vec<&str> = said.lines().filter(|line| line.starts_with("damaged ")).collect();
            assert!(damaged.len() == 1 && damaged[0].contains(name), "{name}, byte {at}: {said}");
            let done = run(&["check", "--index", &index, "--format", "json", "examples/generated.txt"]);
            assert!(done.code == 2 || done.stdout == sound, "{name}, byte {at}: {}", done.stdout);
        }
        std::fs::write(&file, &bytes).unwrap();
    }
}

#[test]
fn wrong_uses_say_what_is_accepted() {
    let (dir, index) = library();
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let cases: [(&[&str], &str); 13] = [
        (&["check", "--index", empty, "README.md"], "error: no index in"),
        (&["check", "--index", &index, "no-such-file"], "no-such-file"),
        (&["check", "--index", &index, "--language", "klingon", "README.md"], "text, python, rust"),
        (&["index", "examples/corpus", "--index", &index, "--text-column", "body"], "no text column `body`"),
        (&["index", "no-such-corpus", "--index", &index], "no-such-corpus"),
        (&["inspect", "--index", empty], "hint: "),
        (&["serve", "--index", empty], "error: no index in"),
        (&["remove", "--index", empty, "--id", "a"], "hint: make one with `copytrace index INPUT --index"),
        (&["remove", "--index", &index, "--shard", ""], "shard is ``: expected a name"),
        (&["remove", "--index", &index, "--ids-from", "no-such-file"], "no-such-file"),
        (&["merge", "--index", empty], "error: no index in"),
        (&["merge", "--index", empty, "--from", "examples"], "error: no index in `examples"),
        (&["merge", "--index", &index, "--from", &index], "is the index itself: expected another one"),
    ];
    for (args, expected) in cases {
        let done = run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{args:?}: {}", done.stderr);
    }
    assert_eq!(std::fs::read_dir(empty).unwrap().count(), 0, "a folder without an index is left as it is");
    let done = run(&["index", "examples/corpus", "--index", &index, "--text-column", "body"]);
    assert!(done.stderr.contains("its columns are `id`, `text`, `metadata.title`"), "{}", done.stderr);
}

/// Ends the program when a test ends early.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
    }
}

#[cfg(feature = "service")]
#[test]
fn a_corpus_is_served_until_the_process_is_told_to_stop() {
    use copytrace::service::proto::check_service_client::CheckServiceClient;
    use copytrace::service::proto::{Action, CheckRequest};

    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("index");
    let args = ["serve", "examples/corpus", "--index", index.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut server = Server(copytrace(&args).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("serving 1 index on ")).expect("the address is told");
    let address = line.split(" on ").nth(1).unwrap().split(';').next().unwrap().to_owned();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = runtime.block_on(async { CheckServiceClient::new(endpoint.connect().await.unwrap()) });
    let text = std::fs::read_to_string(root().join("examples/generated.txt")).unwrap();
    let mut ask = || {
        let request = CheckRequest { id: "q".into(), text: text.clone(), ..CheckRequest::default() };
        runtime.block_on(client.check(request)).unwrap().into_inner()
    };
    let answer = ask();
    assert_eq!(answer.verdict.as_ref().unwrap().action(), Action::Flag);
    assert_eq!(answer.matches[0].document.as_ref().unwrap().id, "austen/pride-and-prejudice/1");

    // Another process removes a document: the next answer does not have it.
    let index = index.to_str().unwrap();
    assert_eq!(run(&["remove", "--index", index, "--id", "austen/pride-and-prejudice/1"]).code, 0);
    for (command, generation) in [(&["inspect", "--index", index][..], 2), (&["merge", "--index", index], 3)] {
        assert_eq!(run(command).code, 0);
        let answer = ask();
        assert_eq!(answer.indexes[0].generation, generation);
        let documents: Vec<&str> =
            answer.matches.iter().map(|found| found.document.as_ref().unwrap().id.as_str()).collect();
        assert!(!documents.is_empty() && !documents.contains(&"austen/pride-and-prejudice/1"), "{documents:?}");
    }

    let told = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = server.0.wait().unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let demos: Vec<&str> = readme.split("```console\n").skip(1).map(|demo| demo.split("```").next().unwrap()).collect();
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("library");
    let mut printed = String::new();
    let mut n_commands = 0;
    for line in demos.concat().lines() {
        if let Some(command) = line.strip_prefix("$ copytrace ") {
            let args: Vec<&str> = command
                .split(' ')
                .map(|arg| if arg == "/tmp/library" { index.to_str().unwrap() } else { arg })
                .collect();
            printed = run(&args).stdout.replace(index.to_str().unwrap(), "/tmp/library");
            n_commands += 1;
        } else if !line.trim().is_empty() && line.trim() != "..." {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
            assert!(
                words(&printed).contains(&words(line)),
                "the README shows `{line}`, the program printed:\n{printed}"
            );
        }
    }
    assert_eq!(n_commands, 5);
}
