//! Functions, classes and the like that a renaming makes equal, within rows that stay.

use std::collections::BTreeMap;

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::{Level, Rules};
use copytrace::dedup::run::{Resources, Stage, StageOptions, dedup, run_one};
use copytrace::dedup::work::Part;
use copytrace_indexer::language::Language;
use copytrace_indexer::syntax::{SOURCE_BYTES_MAX, Syntax};
use serde_json::{Value, json};

use super::passages::{Cut, cuts, kept_texts, lines_of_cuts};
use super::{Folder, json_lines, words};
use crate::corpora::Random;

fn rules(levels: &[Level], keep: u32) -> Rules {
    Rules { levels: levels.to_vec(), keep, ..Rules::default() }
}

/// A row of a language with its words of prose, which make it the better the more there are.
fn row(id: &str, language: &str, text: &str, n_words: usize) -> Value {
    json!({"id": id, "language": language, "text": format!("{text}\n# {}\n", words(0, n_words))})
}

/// A function of Python that calls another one; all that is not a name of its own is the same.
fn function(name: &str, variable: &str, called: &str) -> String {
    format!(
        "def {name}({variable}, more=()):\n    \"\"\"Looks for {variable}.\"\"\"\n    found = []\n    for {variable}_one in sorted({variable}):\n        \
         if {variable}_one is None or {variable}_one.size > 3:\n            continue\n        found.append({called}({variable}_one.size, 8))\n    \
         for rest in more:\n        found.extend([rest.weight, rest.size * 2, len(found) + 1])\n    return {{'found': found, 'left': len({variable}) - len(found)}}\n"
    )
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

/// A method of a class, of so many kinds.
fn method(name: &str, kind: usize) -> String {
    let body = function(name, "self", "max").replace("'left'", &format!("'left{kind}'"));
    indented(&body)
}

#[test]
fn a_function_under_another_name_is_cut_and_its_twin_stays() {
    let folder = Folder::new();
    let original = format!("import os\n\n\n{}\n\nprint(1)\n", function("collect", "items", "max"));
    let renamed = format!("import re\n\nA = 1\n\n# Is a copy.\n{}\n\nprint(2)\n", function("gather", "things", "max"));
    let twin = format!("import io\n\n{}", function("gather", "things", "min"));
    let decorated = format!("import ast\n\n@cached\n{}", function("gather", "things", "max"));
    folder.write(
        "a.jsonl",
        json_lines([
            row("renamed", "Python", &renamed, 10),
            row("twin", "Python", &twin, 20),
            row("original", "Python", &original, 30),
            row("decorated", "Python", &decorated, 5),
            row("prose", "text", &original, 40),
        ]),
    );
    let report = folder.run("out", rules(&[Level::Code], 1)).unwrap().report;
    let texts = kept_texts(&folder, "out");
    assert_eq!(texts["renamed"], format!("import re\n\nA = 1\n\n\nprint(2)\n\n# {}\n", words(0, 10)));
    assert!(texts["original"].starts_with(&original) && texts["twin"].starts_with(&twin));
    assert!(texts["decorated"].starts_with(&decorated) && texts["prose"].starts_with(&original));
    let [cut] = &cuts(&folder, "out")[..] else { panic!("one cut") };
    assert_eq!((cut.id.as_str(), cut.kept_id.as_str()), ("renamed", "original"));
    assert_eq!(cut.kept_start, original.find("def").unwrap());
    assert_eq!(cut.bytes.start, renamed.find("# Is").unwrap());
    let facts = report.functions.unwrap();
    assert_eq!((facts.places, facts.cut.rows, facts.cut.bytes), (1, 1, cut.bytes.len() as u64));
    let page = std::fs::read_to_string(folder.path("out/report.html")).unwrap();
    assert!(page.contains("1 definitions were cut out of 1 rows"));
    // As often as is asked for.
    folder.run("two", rules(&[Level::Code], 2)).unwrap();
    assert_eq!(cuts(&folder, "two"), []);
    // Weights cut nothing.
    let report = folder.run("weights", Rules { has_weights: true, ..rules(&[Level::Code], 1) }).unwrap().report;
    assert_eq!(report.functions, None);
}

#[test]
fn functions_of_rust_go_with_what_stands_above_them() {
    let folder = Folder::new();
    let body = |name: &str, found: &str| {
        format!(
            "pub fn {name}(items: &[u32], by: impl Fn(u32) -> u64) -> Vec<u64> {{\n    let mut {found} = Vec::new();\n    for item in items.iter().filter(|item| **item > 3) \
             {{\n        if let Some(n) = item.checked_add(1) {{\n            {found}.push(by(n));\n        }}\n    }}\n    {found}.sort_unstable();\n    {found}\n}}\n"
        )
    };
    let original = format!("use a::b;\n\n{}\nfn main() {{}}\n", body("collect", "found"));
    let renamed = format!("/// Is main.\nfn main() {{}}\n\n/// Is a copy.\n{}\nstruct A;\n", body("gather", "all"));
    let method = format!("struct B;\n\nimpl B {{\n    {}}}\n", body("gather", "all"));
    let attribute = format!("struct C;\n\n#[test]\n{}", body("gather", "all"));
    let more = |n: usize| format!("// {}\n", words(0, n));
    let rows = [("original", original, 9), ("renamed", renamed, 5), ("method", method, 4), ("attribute", attribute, 3)];
    folder.write(
        "a.jsonl",
        json_lines(
            rows.iter()
                .map(|(id, text, n)| json!({"id": id, "language": "Rust", "text": text.clone() + &more(100 * n)})),
        ),
    );
    folder.run("out", rules(&[Level::Code], 1)).unwrap();
    let texts = kept_texts(&folder, "out");
    assert_eq!(texts["renamed"], format!("/// Is main.\nfn main() {{}}\n\nstruct A;\n{}", more(500)));
    assert_eq!(texts["method"], format!("struct B;\n\nimpl B {{\n}}\n{}", more(400)));
    assert!(texts["attribute"].contains("fn gather") && texts["original"].contains("fn collect"));
}

/// A class goes whole; where it does not, its methods go, but for what Python needs.
#[test]
fn a_class_goes_whole_and_a_block_is_never_left_empty() {
    let folder = Folder::new();
    let class = |name: &str, head: &str, kinds: &[usize]| {
        let methods: String = kinds.iter().map(|&kind| method(&format!("m{kind}"), kind) + "\n").collect();
        // A number of its own: the files are no copies.
        format!("class {name}:\n{head}{methods}\nx = {}\n", name.as_bytes()[0])
    };
    folder.write(
        "a.jsonl",
        json_lines([
            row("1", "Python", &class("A", "", &[1, 2]), 400),
            row("2", "Python", &class("B", "", &[1, 2]), 350),
            row("3", "Python", &class("C", "    y = 2\n\n", &[2, 1]), 300),
            row("4", "Python", &class("D", "    # D\n\n", &[2, 1]), 250),
            row("5", "Python", &class("E", "", &[1, 2, 3]), 10),
        ]),
    );
    folder.run("out", rules(&[Level::Code], 1)).unwrap();
    let texts = kept_texts(&folder, "out");
    let end = |name: char, n| format!("\nx = {}\n\n# {}\n", name as u32, words(0, n));
    assert_eq!(texts["1"], class("A", "", &[1, 2]) + &format!("\n# {}\n", words(0, 400)));
    assert_eq!(texts["2"], format!("\nx = 66\n\n# {}\n", words(0, 350)));
    assert_eq!(texts["3"], format!("class C:\n    y = 2\n\n{}", end('C', 300)));
    assert_eq!(texts["4"], format!("class D:\n    # D\n\n{}\n{}", method("m1", 1), end('D', 250)));
    assert_eq!(texts["5"], format!("class E:\n{}\n{}", method("m3", 3), end('E', 10)));
    assert!(cuts(&folder, "out").iter().all(|cut| cut.kept_id == "1"));
}

/// A function without one of its own functions would not work.
#[test]
fn what_stands_in_a_function_stays_with_it() {
    let folder = Folder::new();
    let outer = |name: &str, decorator: &str, n: usize| {
        let inner = indented(&function("inner", "them", "max"));
        format!("{decorator}def {name}(all):\n{inner}    return inner(all[{n}:])\n")
    };
    folder.write(
        "a.jsonl",
        json_lines([
            row("1", "Python", &outer("one", "", 1), 300),
            row("2", "Python", &outer("two", "", 2), 200),
            row("3", "Python", &outer("three", "@cached\n", 3), 100),
            row("4", "Python", &function("alone", "things", "max"), 10),
        ]),
    );
    folder.run("out", rules(&[Level::Code], 1)).unwrap();
    let found = cuts(&folder, "out");
    assert_eq!(found.iter().map(|cut| (&*cut.id, &*cut.kept_id)).collect::<Vec<_>>(), [("4", "1")]);
}

#[test]
fn rows_of_repositories_are_reported_and_sources_are_apart() {
    let folder = Folder::new();
    let row = |id: &str, name: &str, repository: Value, source: &str| {
        // Numbers of their own: the files are no copies.
        let text = format!("{id} = {}\n\n{}", name.len(), function(name, name, "max"));
        json!({"id": id, "language": "Python", "text": text, "repo": repository, "source": source})
    };
    let rows = [
        row("a", "one_with_a_name", Value::Null, "x"),
        row("b", "two", json!("r"), "x"),
        row("c", "eight", json!("r"), "y"),
        row("d", "sixteen", Value::Null, "y"),
    ];
    folder.write("a.jsonl", json_lines(rows));
    let asked = rules(&[Level::Code], 1);
    let report = folder.run("repo", Rules { repository: Some("repo".into()), ..asked.clone() }).unwrap().report;
    let cut_ids = |found: &[Cut]| found.iter().map(|cut| cut.id.clone()).collect::<Vec<_>>();
    assert_eq!(cut_ids(&cuts(&folder, "repo")), ["a", "d"]);
    let reported = lines_of_cuts(&std::fs::read_to_string(folder.path("repo/reported.jsonl")).unwrap());
    assert_eq!((reported.len(), report.functions.unwrap().reported), (1, 1));
    assert!(cuts(&folder, "repo").iter().all(|cut| cut.kept_id == reported[0].kept_id && cut.kept_start == 7));
    folder.run("source", Rules { keep_per: Some("source".into()), ..asked }).unwrap();
    assert_eq!(cut_ids(&cuts(&folder, "source")), ["b", "c"]);
}

/// Files of Python made of functions and classes that many share under other names, and of comments that many share.
fn made(seed: u64, n_rows: usize) -> Vec<(String, String)> {
    let mut random = Random(seed);
    let mut rows = Vec::new();
    for row in 0..n_rows {
        let mut text = format!("import m{row}\n");
        for part in 0..random.between(1, 5) {
            let name = format!("f{}", random.below(1_000_000));
            let kind = random.below(4);
            let again = random.below(6);
            match random.below(5) {
                0 => text.extend(["\n# ", &words(100 * again, 100 * again + 30), "\n"]),
                1 | 2 => {
                    let called = ["max", "min", "abs", "pow"][kind];
                    text.extend(["\n# é ", &name, "\n", &function(&name, &format!("v{part}"), called), "\n"]);
                }
                _ => {
                    text.extend(["\n\nclass C", &name, ":\n"]);
                    for _ in 0..random.between(1, 4) {
                        text += &method(&format!("m{}", random.below(3)), random.below(4));
                        text += "\n";
                    }
                }
            }
        }
        rows.push((format!("r{row}"), text));
    }
    rows
}

fn python_rows(rows: &[(String, String)]) -> String {
    json_lines(rows.iter().map(|(id, text)| json!({"id": id, "language": "Python", "text": text})))
}

#[test]
fn with_passages_what_is_left_parses_and_every_cut_names_a_place_that_stays() {
    for (seed, keep) in [(1, 1), (2, 1), (3, 2)] {
        let folder = Folder::new();
        let rows = made(seed, 60);
        for (file, rows) in rows.chunks(17).enumerate() {
            folder.write(&format!("{file}.jsonl"), python_rows(rows));
        }
        let before: BTreeMap<String, String> = rows.into_iter().collect();
        for levels in [vec![Level::Code], vec![Level::Exact, Level::Passage, Level::Code]] {
            let out = format!("out{}", levels.len());
            let has_passages = levels.len() > 1;
            let report = folder.run(&out, Rules { passage_words: 20, ..rules(&levels, keep) }).unwrap().report;
            let after = kept_texts(&folder, &out);
            let found = cuts(&folder, &out);
            let (functions, passages) = (report.functions.unwrap(), report.passages);
            assert!(functions.places > 20 && passages.is_none_or(|passages| passages.places > 5));
            assert_eq!(found.len() as u64, functions.places + passages.map_or(0, |passages| passages.places));
            let mut rebuilt: BTreeMap<&String, String> = after.keys().map(|id| (id, before[id].clone())).collect();
            for cut in found.iter().rev() {
                rebuilt.get_mut(&cut.id).unwrap().replace_range(cut.bytes.clone(), "");
                let is_of_place = |other: &Cut| other.id == cut.kept_id && other.bytes.contains(&cut.kept_start);
                assert!(!found.iter().any(is_of_place), "{cut:?}");
            }
            assert!(after.iter().all(|(id, text)| rebuilt[id] == *text));
            let mut syntax = Syntax::new(1);
            for text in after.values().filter(|_| !has_passages) {
                let reading = syntax.read(text, Language::Python, SOURCE_BYTES_MAX, None);
                assert_eq!((reading.trouble(), reading.error_bytes()), (None, 0), "{text}");
            }
        }
    }
}

#[test]
fn the_same_is_cut_whatever_the_threads_and_the_order() {
    let rows = made(9, 50);
    let run = |turn: usize| {
        let (folder, mut rows) = (Folder::new(), rows.clone());
        rows.rotate_left(turn * 7);
        for (file, rows) in rows.chunks(30 - 7 * turn).enumerate() {
            folder.write(&format!("{file}.jsonl"), python_rows(rows));
        }
        let mut options = folder.options("out", rules(&[Level::Code, Level::Passage], 1));
        options.resources.threads = turn + 1;
        dedup(&options, &Progress::default(), &|_| ()).unwrap();
        let mut found = cuts(&folder, "out");
        found.sort_by(|a, b| (&a.id, a.bytes.start).cmp(&(&b.id, b.bytes.start)));
        (kept_texts(&folder, "out"), found)
    };
    let expected = run(0);
    assert!(expected.1.len() > 20);
    assert!((1..4).all(|turn| run(turn) == expected));
}

/// One stage after the other, in parts, cuts what one run cuts; a second run does nothing anew.
#[test]
fn stages_in_parts_cut_what_one_run_cuts() {
    let folder = Folder::new();
    folder.write("a.jsonl", python_rows(&made(11, 40)));
    folder.run("out", rules(&[Level::Code], 1)).unwrap();
    let (work, resources) = (folder.path("parts"), Resources { threads: 1, ..Resources::default() });
    let stage = |options: StageOptions, of: usize| {
        for number in 1..=of {
            run_one(&options, &work, Part { number, of }, resources, &Progress::default()).unwrap();
        }
    };
    stage(StageOptions::Sign { inputs: vec![folder.path("input")], rules: Box::new(rules(&[Level::Code], 1)) }, 2);
    for (name, of) in [(Stage::BandMerge, 2), (Stage::Cluster, 1), (Stage::Verify, 2), (Stage::Passages, 1)] {
        stage(StageOptions::Other(name), of);
    }
    stage(StageOptions::Other(Stage::Passages), 1);
    stage(StageOptions::Apply { out: folder.path("shared") }, 2);
    assert_eq!(folder.written("shared"), folder.written("out"));
    assert_eq!(cuts(&folder, "shared"), cuts(&folder, "out"));
    assert!(cuts(&folder, "out").len() > 20);
}
