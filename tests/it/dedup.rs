//! The dedup pass as a whole: what goes, what stays, and that nothing else decides about it.

mod faults;
mod functions;
mod input;
mod passages;
mod rules;
mod stages;
mod traps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use copytrace::dedup::context::Progress;
use copytrace::dedup::recipe::Rules;
use copytrace::dedup::run::{Options, Outcome, Resources, dedup};
use serde_json::{Value, json};

use crate::corpora::Random;

/// A folder with an input and the outputs of passes over it.
pub(crate) struct Folder {
    pub(crate) dir: tempfile::TempDir,
}

/// What a pass wrote.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    /// Bytes of the files below `kept/`, by their paths.
    pub(crate) kept: BTreeMap<String, Vec<u8>>,
    /// Text of `removed.jsonl`.
    pub(crate) removed: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the input.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path("input").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn options(&self, out: &str, rules: Rules) -> Options {
        let resources = Resources { threads: 2, ..Resources::default() };
        Options { inputs: vec![self.path("input")], out: self.path(out), work: None, rules, resources }
    }

    pub(crate) fn run(&self, out: &str, rules: Rules) -> copytrace_indexer::Result<Outcome> {
        dedup(&self.options(out, rules), &Progress::default(), &|_| ())
    }

    pub(crate) fn written(&self, out: &str) -> Written {
        written(&self.path(out))
    }
}

pub(crate) fn written(out: &Path) -> Written {
    let mut kept = BTreeMap::new();
    let mut folders = vec![out.join("kept")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(out.join("kept")).unwrap().to_str().unwrap().to_owned();
                kept.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    Written { kept, removed: std::fs::read_to_string(out.join("removed.jsonl")).unwrap_or_default() }
}

impl Written {
    /// Ids of the rows that stayed, over all files that are not compressed.
    pub(crate) fn kept_ids(&self) -> BTreeSet<String> {
        let texts = self.kept.values().map(|bytes| String::from_utf8(bytes.clone()).unwrap());
        let lines: Vec<String> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        lines.iter().map(|line| id_of(&serde_json::from_str(line).unwrap())).collect()
    }

    /// Removed rows: id, id of the kept row, kind, Jaccard index.
    pub(crate) fn removed_rows(&self) -> Vec<(String, String, String, f64)> {
        let row = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("id"), text("keptId"), text("kind"), line["jaccard"].as_f64().unwrap())
        };
        self.removed.lines().map(row).collect()
    }
}

fn id_of(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

/// A file of JSON lines with these ids and texts.
pub(crate) fn lines<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    json_lines(rows.into_iter().map(|(id, text)| json!({"id": id, "text": text})))
}

/// A file of JSON lines.
pub(crate) fn json_lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().flat_map(|row| [row.to_string(), "\n".to_owned()]).collect()
}

/// Words `from` to `to` of an endless text.
pub(crate) fn words(from: usize, to: usize) -> String {
    (from..to).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
}

/// A text and some copies of it in which a few words are changed, of many lengths, and strangers between; ids and texts.
pub(crate) fn corpus(seed: u64, n_texts: usize) -> Vec<(String, String)> {
    let mut random = Random(seed);
    let mut rows = Vec::new();
    for text in 0..n_texts {
        let n_words = random.between(3, 120);
        let original: Vec<String> = (0..n_words).map(|_| format!("v{}", random.below(3_000))).collect();
        for copy in 0..random.between(1, 5) {
            let mut changed = original.clone();
            for _ in 0..random.below(4) {
                let at = random.below(n_words);
                changed[at] = format!("x{}", random.below(1_000_000));
            }
            rows.push((format!("{text}-{copy}"), changed.join(" ")));
        }
    }
    // The order of the rows says nothing.
    for at in (1..rows.len()).rev() {
        rows.swap(at, random.below(at + 1));
    }
    rows
}

/// The set of word 5-grams of a text of plain words.
pub(crate) fn shingles(text: &str) -> BTreeSet<Vec<&str>> {
    text.split(' ').collect::<Vec<_>>().windows(5).map(<[&str]>::to_vec).collect()
}

pub(crate) fn jaccard(a: &str, b: &str) -> f64 {
    let (a, b) = (shingles(a), shingles(b));
    let n_shared = a.intersection(&b).count();
    if n_shared == 0 { 0.0 } else { n_shared as f64 / a.union(&b).count() as f64 }
}
