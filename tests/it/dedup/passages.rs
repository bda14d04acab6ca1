//! Passages: runs of words that occur too often within rows that stay.

use std::collections::BTreeMap;

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::{Level, Rules};
use copytrace::dedup::run::{Resources, Stage, StageOptions, run_one};
use copytrace::dedup::work::Part;
use serde_json::{Value, json};

use super::{Folder, json_lines, lines, words};
use crate::corpora::Random;

fn rules(levels: &[Level], passage_words: u32, keep: u32) -> Rules {
    Rules { levels: levels.to_vec(), passage_words, keep, ..Rules::default() }
}

/// A line of `cuts.jsonl`: id, the bytes that went, the id of who keeps them and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    pub(super) id: String,
    pub(super) bytes: std::ops::Range<usize>,
    pub(super) kept_id: String,
    pub(super) kept_start: usize,
}

pub(super) fn cuts(folder: &Folder, out: &str) -> Vec<Cut> {
    lines_of_cuts(&std::fs::read_to_string(folder.path(out).join("cuts.jsonl")).unwrap())
}

pub(super) fn lines_of_cuts(text: &str) -> Vec<Cut> {
    let cut = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| usize::try_from(line[key].as_u64().unwrap()).unwrap();
        let name = |key: &str| line[key].as_str().unwrap().to_owned();
        let (id, kept_id) = (name("id"), name("keptId"));
        Cut { id, bytes: number("startByte")..number("endByte"), kept_id, kept_start: number("keptStartByte") }
    };
    text.lines().map(cut).collect()
}

/// Texts of the rows that stayed, by id.
pub(super) fn kept_texts(folder: &Folder, out: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for bytes in folder.written(out).kept.values() {
        for line in String::from_utf8(bytes.clone()).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            texts.insert(row["id"].as_str().unwrap().to_owned(), row["text"].as_str().unwrap().to_owned());
        }
    }
    texts
}

fn plain_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Runs that occur more than so many times.
fn repeated<'a>(texts: impl IntoIterator<Item = &'a String>, run_words: usize, keep: usize) -> Vec<String> {
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for text in texts {
        for run in plain_words(text).windows(run_words) {
            *counts.entry(run.to_vec()).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, n)| *n > keep).map(|(run, _)| run.join(" ")).collect()
}

#[test]
fn a_footer_stays_once_and_is_cut_everywhere_else() {
    let folder = Folder::new();
    let footer = "All rights reserved. No part of this page may be copied without the written permission of its owner.";
    let pages: Vec<(String, String)> = (0..5)
        .map(|n| (format!("p{n}"), format!("{}\n\n{footer}\n\n© {n}", words(1_000 * n, 1_000 * n + 20 + n))))
        .collect();
    folder.write("a.jsonl", lines(pages.iter().map(|(id, text)| (&**id, &**text))));
    let outcome = folder.run("out", rules(&[Level::Exact, Level::Near, Level::Passage], 12, 1)).unwrap();
    let texts = kept_texts(&folder, "out");
    // The longest row keeps it.
    assert_eq!(texts["p4"], pages[4].1);
    for (id, text) in &pages[..4] {
        let n = &id[1..];
        assert_eq!(texts[id], format!("{}\n\n{n}", text.split('\n').next().unwrap()));
    }
    let found = cuts(&folder, "out");
    assert_eq!(found.len(), 4);
    for cut in found {
        assert_eq!((cut.kept_id.as_str(), cut.kept_start), ("p4", pages[4].1.find("All").unwrap()));
    }
    let facts = outcome.report.passages.unwrap();
    assert_eq!((facts.places, facts.cut.rows, facts.emptied, facts.is_complete), (4, 4, 0, true));
    // So many places stay as are asked for.
    folder.run("three", rules(&[Level::Passage], 12, 3)).unwrap();
    assert_eq!(kept_texts(&folder, "three").values().filter(|text| text.contains("All rights")).count(), 3);
}

#[test]
fn what_is_shorter_or_different_by_a_word_stays() {
    let folder = Folder::new();
    let rows = [("a", words(0, 30)), ("b", words(0, 19) + " " + &words(500, 530)), ("c", words(11, 30) + " other")];
    folder.write("a.jsonl", lines(rows.iter().map(|(id, text)| (*id, &**text))));
    folder.run("out", rules(&[Level::Passage], 20, 1)).unwrap();
    assert_eq!(kept_texts(&folder, "out"), rows.map(|(id, text)| (id.to_owned(), text)).into());
    assert_eq!(cuts(&folder, "out"), []);
}

/// All columns, their order and how they are written stay; rows stay where nothing is left of them.
#[test]
fn only_the_text_of_a_row_is_written_anew() {
    let folder = Folder::new();
    let passage = words(0, 40);
    let long = format!("{passage} \\u00e9\\n \\\"quoted\\\" end");
    let text = format!(
        "\u{feff}{{\"id\":\"1\",\"text\":\"{long}\", \"n\": 1.50}}\n\n{{\"n\":1e3,\"meta\":{{\"a\":[1, 2]}},\"text\" : \"x {passage} ö\\\"y\",\"id\":\"2\"}}\r\nbroken\n\
         {{\"id\":\"3\",\"text\":\"{passage}\"}}\n"
    );
    folder.write("a.jsonl", text);
    folder.run("out", rules(&[Level::Exact, Level::Passage], 20, 1)).unwrap();
    let expected = format!(
        "\u{feff}{{\"id\":\"1\",\"text\":\"{long}\", \"n\": 1.50}}\n\n{{\"n\":1e3,\"meta\":{{\"a\":[1, 2]}},\"text\" : \"x ö\\\"y\",\"id\":\"2\"}}\r\nbroken\n\
         {{\"id\":\"3\",\"text\":\"\"}}\n"
    );
    assert_eq!(String::from_utf8(folder.written("out").kept["a.jsonl"].clone()).unwrap(), expected);
}

#[test]
fn texts_of_any_script_are_cut_at_their_characters() {
    let folder = Folder::new();
    let han: String = (0..40).map(|n| char::from_u32(0x4E00 + 37 * n).unwrap()).collect();
    let rows = [
        ("1", format!("{han}甲乙丙丁。{}", "a".repeat(90))),
        ("2", format!("戊己½{han}½庚")),
        ("3", format!("🎉 naïve ½ {han}")),
    ];
    folder.write("a.jsonl", lines(rows.iter().map(|(id, text)| (*id, &**text))));
    folder.run("out", rules(&[Level::Passage], 10, 1)).unwrap();
    let texts = kept_texts(&folder, "out");
    assert_eq!(texts["1"], rows[0].1);
    assert_eq!((texts["2"].as_str(), texts["3"].as_str()), ("戊己½½庚", "🎉 naïve ½ "));
}

/// Rows of repositories stay as they are, and others are cut for them; rows of different sources are not compared.
#[test]
fn repositories_stay_whole_and_sources_apart() {
    let folder = Folder::new();
    let passage = words(0, 40);
    let row = |id: &str, more: usize, source: &str, repository: Value| json!({"id": id, "text": format!("{passage} {}", words(more, more + 20)), "source": source, "repo": repository});
    let rows = [
        row("1", 100, "a", Value::Null),
        row("2", 200, "a", json!("r")),
        row("3", 300, "a", json!("r")),
        row("4", 400, "b", Value::Null),
    ];
    folder.write("a.jsonl", json_lines(rows));
    let plain = rules(&[Level::Passage], 20, 1);
    folder.run("repo", Rules { repository: Some("repo".to_owned()), ..plain.clone() }).unwrap();
    let holders = |out: &str| {
        let texts = kept_texts(&folder, out);
        texts.iter().filter(|(_, text)| text.contains(&passage)).map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(holders("repo"), ["2", "3"]);
    folder.run("source", Rules { keep_per: Some("source".to_owned()), ..plain }).unwrap();
    assert!(matches!(&holders("source")[..], [_, b] if b == "4"));
}

/// Rows made of passages that many share, with words between.
fn made(seed: u64, n_rows: usize) -> Vec<(String, String)> {
    let mut random = Random(seed);
    let passages: Vec<String> = (0..12)
        .map(|_| (0..random.between(5, 40)).map(|_| format!("v{}", random.below(400))).collect::<Vec<_>>().join(", "))
        .collect();
    let mut rows = Vec::new();
    for row in 0..n_rows {
        let mut parts = Vec::new();
        for _ in 0..random.between(1, 9) {
            parts.push(match random.below(3) {
                0 => format!("u{} é", random.below(1_000_000)),
                _ => passages[random.below(12)].clone(),
            });
        }
        rows.push((format!("r{row}"), parts.join(". ")));
    }
    rows
}

#[test]
fn no_run_is_left_too_often_and_every_cut_names_a_place_that_stays() {
    for (seed, keep) in [(1, 1), (2, 1), (3, 2), (4, 3)] {
        let folder = Folder::new();
        let rows = made(seed, 60);
        for (file, rows) in rows.chunks(17).enumerate() {
            folder.write(&format!("{file}.jsonl"), lines(rows.iter().map(|(id, text)| (&**id, &**text))));
        }
        folder.run("out", rules(&[Level::Exact, Level::Near, Level::Passage], 16, keep)).unwrap();
        let (before, after): (BTreeMap<String, String>, _) = (rows.into_iter().collect(), kept_texts(&folder, "out"));
        let keep = usize::try_from(keep).unwrap();
        assert!(!repeated(after.keys().map(|id| &before[id]), 16, keep).is_empty());
        assert_eq!(repeated(after.values(), 16, keep), Vec::<String>::new());
        let mut rebuilt: BTreeMap<&String, String> = after.keys().map(|id| (id, before[id].clone())).collect();
        for cut in cuts(&folder, "out").iter().rev() {
            let gone = plain_words(&before[&cut.id][cut.bytes.clone()]);
            let kept = plain_words(&before[&cut.kept_id][cut.kept_start..]);
            assert_eq!(gone, kept[..gone.len()], "{cut:?}");
            rebuilt.get_mut(&cut.id).unwrap().replace_range(cut.bytes.clone(), "");
            // Its place stays.
            let is_of_place = |other: &Cut| other.id == cut.kept_id && other.bytes.contains(&cut.kept_start);
            assert!(!cuts(&folder, "out").iter().any(is_of_place), "{cut:?}");
        }
        assert!(after.iter().all(|(id, text)| rebuilt[id] == *text));
    }
}

/// Threads, memory, parts, the order of files and of rows change nothing.
#[test]
fn the_same_is_cut_however_the_work_is_done() {
    let rows = made(7, 80);
    let write = |folder: &Folder, is_reversed: bool| {
        let mut rows = rows.clone();
        if is_reversed {
            rows.reverse();
        }
        for (file, rows) in rows.chunks(30).enumerate() {
            folder.write(&format!("{file}.jsonl"), lines(rows.iter().map(|(id, text)| (&**id, &**text))));
        }
    };
    let (folder, reversed) = (Folder::new(), Folder::new());
    write(&folder, false);
    write(&reversed, true);
    let asked = rules(&[Level::Exact, Level::Passage], 16, 1);
    folder.run("out", asked.clone()).unwrap();
    reversed.run("out", asked.clone()).unwrap();
    assert_eq!(kept_texts(&folder, "out"), kept_texts(&reversed, "out"));

    let work = folder.path("parts");
    let resources = Resources { threads: 1, memory_bytes: 64 << 20, ..Resources::default() };
    let run = |options: StageOptions, of: usize| {
        for number in 1..=of {
            run_one(&options, &work, Part { number, of }, resources, &Progress::default()).unwrap();
        }
    };
    run(StageOptions::Sign { inputs: vec![folder.path("input")], rules: Box::new(asked) }, 2);
    run(StageOptions::Other(Stage::BandMerge), 2);
    run(StageOptions::Other(Stage::Cluster), 1);
    run(StageOptions::Other(Stage::Verify), 2);
    // `apply` needs the stage before it.
    let apply = StageOptions::Apply { out: folder.path("shared") };
    let early = run_one(&apply, &work, Part::default(), resources, &Progress::default()).unwrap_err();
    assert!(early.to_string().contains("`passages`"), "{early}");
    run(StageOptions::Other(Stage::Passages), 1);
    run(apply, 2);
    assert_eq!(folder.written("shared"), folder.written("out"));
    let cuts = |out: &str| std::fs::read(folder.path(out).join("cuts.jsonl")).unwrap();
    assert!(cuts("shared") == cuts("out") && !cuts("out").is_empty());
}

#[test]
fn rules_that_contradict_each_other_are_refused() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines([("1", "one")]));
    let refused = |rules: Rules| folder.run("out", rules).unwrap_err().to_string();
    let weighted = Rules { has_weights: true, ..rules(&[Level::Passage], 20, 1) };
    assert!(refused(weighted).contains("weights"));
    assert!(refused(rules(&[Level::Passage], 7, 1)).contains("passage-words"));
}

/// Where a script without spaces stands between others nothing parts what a cut moves together.
#[test]
fn a_cut_makes_no_new_words() {
    let folder = Folder::new();
    let han: String = (0..60).map(|n| char::from_u32(0x4E00 + 37 * n).unwrap()).collect();
    let rows = [
        ("keeper", format!("{han} {}", "z".repeat(200))),
        ("glued", format!("abc{han}def ghi")),
        ("numbers", format!("１{han}２")),
        ("blank", format!("abc{han} def")),
        ("comma", format!("pqr、{han}stu")),
        ("end", format!("uvw{han}")),
    ];
    folder.write("a.jsonl", lines(rows.iter().map(|(id, text)| (*id, &**text))));
    folder.run("out", rules(&[Level::Passage], 20, 1)).unwrap();
    let last = han.chars().last().unwrap();
    let expected = [
        ("glued", format!("abc{last}def ghi")),
        ("numbers", format!("１{last}２")),
        ("blank", "abc def".to_owned()),
        ("comma", "pqr、stu".to_owned()),
        ("end", "uvw".to_owned()),
    ];
    let texts = kept_texts(&folder, "out");
    for (id, text) in expected {
        assert_eq!(texts[id], text, "{id}");
    }
}

/// Texts that are made to cost much: equal words, and halves within halves that each cut brings together.
#[test]
fn made_texts_are_bounded_and_what_is_left_of_them_is_told() {
    let folder = Folder::new();
    let equal = "ha ".repeat(20_000);
    let rows = (0..3).map(|n| (n.to_string(), format!("{equal}{n}"))).collect::<Vec<_>>();
    folder.write("a.jsonl", lines(rows.iter().map(|(id, text)| (&**id, &**text))));
    let outcome = folder.run("out", rules(&[Level::Passage], 50, 1)).unwrap();
    assert!(outcome.report.passages.unwrap().places < 2_000, "{:?}", outcome.report.passages);

    let folder = Folder::new();
    let run = |n: usize| words(10 * n, 10 * n + 8);
    let mut nested = String::new();
    for n in 0..200 {
        let (left, right) = (words(10 * n, 10 * n + 4), words(10 * n + 4, 10 * n + 8));
        nested = if n == 0 { run(0) } else { format!("{left} {nested} {right}") };
    }
    let all: Vec<(String, String)> =
        (0..200).map(|n| (format!("r{n}"), format!("{} {}", run(n), "y".repeat(9_000)))).collect();
    let rows = all.iter().map(|(id, text)| (&**id, &**text)).chain([("nested", &*nested)]);
    folder.write("a.jsonl", lines(rows));
    let outcome = folder.run("out", rules(&[Level::Passage], 8, 1)).unwrap();
    assert!(!outcome.report.passages.unwrap().is_complete);
    assert!(kept_texts(&folder, "out")["nested"].len() < nested.len());
}
