//! The same documents give the same bytes: whatever the threads, the memory, the order and the spelling of the arguments, the place and the
//! environment of the process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use copytrace_indexer::corpus::Document;
use copytrace_indexer::index::block_file::Component;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::language::Language;
use copytrace_indexer::pipeline::BuildOptions;

use crate::corpora::{add, code_document, document, document_of, files, function};

/// Fails where two folders differ in the name or in the bytes of a file.
pub(crate) fn assert_same_files(found: &Path, expected: &Path, what: &str) {
    let (found, expected) = (files_below(found), files_below(expected));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{what}");
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert!(found == expected, "`{name}` differs: {what}");
    }
}

fn files_below(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(files_below(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Documents of code; more than a key has places of each language.
const N_CODE: usize = 210;

/// Documents of every kind that takes a way of its own: short, empty of words, longer than a piece, without a space, equal, with ids that come
/// twice, with k-grams in more documents than are stored; code with functions in more documents than are stored, with ids that come twice, too
/// long to be parsed, too long to be cut into lexemes, too costly to parse.
fn documents() -> Vec<Document> {
    let mut documents: Vec<Document> = (0..N_CODE)
        .map(|n| {
            let language = [Language::Python, Language::Rust, Language::JavaScript][n % 3];
            let shared = function(language, 1 << 20, "shared", 12);
            let own = function(language, n as u64, "own", n % 60);
            code_document(language, format!("code {}", n % (N_CODE - 10)), format!("{shared}\n{own}"))
        })
        .collect();
    documents.extend((0..400_usize).map(|n| {
        let words: Vec<String> = (0..n % 97 * 5).map(|i| format!("w{}", (i * 7 + n * n) % 1000)).collect();
        document_of(&format!("origin {}", n % 9), format!("id {}", n % 390), words.join(" "))
    }));
    for (id, language, n_functions, end) in [
        ("too long to parse", Language::Python, 600, ""),
        ("too long for lexemes", Language::Rust, 1100, ""),
        ("too costly to parse", Language::Rust, 10, &*"r#\"".repeat(1000)),
        ("cut off", Language::Python, 10, "def area(shape):\n    return [(\"\"\""),
    ] {
        let functions: String = (0..n_functions).map(|n| function(language, n << 32, "long", 40)).collect();
        documents.push(code_document(language, id, functions + end));
    }
    let chapter = "all happy families are alike every unhappy family is unhappy in its own way ";
    documents.extend(
        (0..150).map(|n| document_of(&format!("house {}", n % 70), format!("tolstoy {n}"), chapter.repeat(n % 3 + 1))),
    );
    let words: Vec<String> = (0..90_000_u64).map(|n| format!("{:x}", n * n % 70_001)).collect();
    documents.push(document("long", words.join(" ")));
    let han = (0..150_000_u32).map(|n| char::from_u32(0x4E00 + (n % 7001) * (n % 7001) % 3001).unwrap());
    documents.push(document("han", han.collect::<String>()));
    documents.push(document("one word", "again ".repeat(60_000)));
    documents.push(document("no word", "... !!! ..."));
    // Ids that are words of other documents.
    documents.extend(
        (0..600_usize).map(|n| document(format!("{n:x}"), format!("{:x} {:x} a b c d e", n * 7 % 4096, n * 5 % 256))),
    );
    documents
}

#[test]
fn threads_and_memory_do_not_change_a_byte() {
    let documents = documents();
    let build_with = |threads, memory_bytes| {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        add(&storage, documents.clone(), BuildOptions { threads, memory_bytes, ..BuildOptions::default() });
        files(&*storage)
    };
    let expected = build_with(1, 2 << 30);
    assert!(
        Component::ALL
            .into_iter()
            .filter(|&component| component != Component::Tombstones)
            .all(|component| { expected.iter().any(|(name, _)| name.ends_with(component.name())) })
    );
    for (threads, memory_bytes) in [(2, 2 << 30), (4, 64 << 20), (1, 100 << 10), (4, 2 << 20), (2, 20 << 10)] {
        let found = build_with(threads, memory_bytes);
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{threads} threads, {memory_bytes} bytes");
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            assert!(found == expected, "`{name}` differs with {threads} threads and {memory_bytes} bytes");
        }
    }
}

/// Three files of JSON lines below `dir/corpus`.
fn write_corpus(dir: &Path) {
    let corpus = dir.join("corpus");
    std::fs::create_dir_all(corpus.join("sub")).unwrap();
    for (n, name) in ["b.jsonl", "a.jsonl", "sub/c.jsonl"].into_iter().enumerate() {
        let rows = documents().into_iter().skip(n * 220).take(220).map(|document| {
            let (id, text, origin) = (&document.id, &document.text, &document.attributes.origin);
            let language = &document.attributes.language;
            serde_json::json!({ "id": id, "text": text, "source": origin, "language": language }).to_string() + "\n"
        });
        std::fs::write(corpus.join(name), rows.collect::<String>()).unwrap();
    }
}

fn index(dir: &Path, inputs: &[&str], index: &Path, more: &[&str], environment: &[(&str, &str)]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_copytrace"));
    command.current_dir(dir).arg("index").args(inputs).arg("--index").arg(index).arg("--quiet").args(more);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Folder to work in, inputs, further options, environment.
type Case<'a> = (&'a Path, &'a [&'a str], &'a [&'a str], &'a [(&'a str, &'a str)]);

#[test]
fn arguments_places_and_environments_do_not_change_a_byte() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().join("here");
    // What another machine has: a copy of the corpus at another place, another folder for temporary files, another time.
    let there = dir.path().join("there/it/is");
    write_corpus(&here);
    write_corpus(&there);
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let expected = dir.path().join("expected");
    index(&here, &["corpus"], &expected, &[], &[]);
    let absolute = here.join("corpus");
    let absolute = absolute.to_str().unwrap();
    let scratch = scratch.to_str().unwrap();
    let elsewhere = [
        ("TMPDIR", scratch),
        ("TZ", "Pacific/Chatham"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("HOSTNAME", "other"),
        ("HOME", scratch),
    ];
    let cases: [Case<'_>; 9] = [
        (&here, &["corpus/sub/c.jsonl", "corpus/b.jsonl", "corpus/a.jsonl"], &[], &[]),
        (&here, &["corpus/b.jsonl", "corpus/a.jsonl", "corpus/sub/c.jsonl"], &["--threads", "1"], &[]),
        (&here, &["corpus/a.jsonl", "corpus"], &["--threads", "4"], &[]),
        (&here, &["corpus", "corpus/sub", "corpus", "corpus/b.jsonl"], &["--memory", "64MiB"], &[]),
        (&here, &["./corpus/../corpus"], &[], &elsewhere),
        (&here.join("corpus"), &["."], &[], &[]),
        (Path::new("/"), &[absolute], &["--memory", "100MiB", "--threads", "2"], &elsewhere),
        (&there, &["corpus"], &[], &elsewhere),
        (&there.join("corpus"), &["sub/c.jsonl", "b.jsonl", "a.jsonl"], &["--memory", "8GiB"], &elsewhere),
    ];
    for (n, (place, inputs, more, environment)) in cases.into_iter().enumerate() {
        let found = dir.path().join(format!("found {n}"));
        index(place, inputs, &found, more, environment);
        assert_same_files(&found, &expected, &format!("case {n}: {inputs:?} {more:?}"));
    }
}

/// One more run is one more segment, named by what is in it: two processes that start from the same index come to the same one.
#[test]
fn further_runs_do_not_change_a_byte_either() {
    let dir = tempfile::tempdir().unwrap();
    write_corpus(dir.path());
    let [first, second]: [PathBuf; 2] = ["first", "second"].map(|name| dir.path().join(name));
    for (index_dir, threads) in [(&first, "1"), (&second, "3")] {
        for input in ["corpus/b.jsonl", "corpus/a.jsonl", "corpus/sub/c.jsonl", "corpus"] {
            index(dir.path(), &[input], index_dir, &["--threads", threads], &[]);
        }
    }
    assert_same_files(&second, &first, "four runs each");
}
