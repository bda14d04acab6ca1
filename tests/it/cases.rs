//! Runs the specification by example: `tests/cases/*.md`.
//!
//! A heading `## ...` starts a case. In it, blocks fenced by ```` ```source ID [ORIGIN] ````  are the corpus, ```` ```query ```` is the text, and
//! ```` ```expected ```` says what the default policy answers: the action on the first line, then a line `KIND ID WORDS` for each match, best
//! first. What stands between is prose for people.

use std::fmt::Write as _;
use std::path::Path;

use copytrace::check::Checker;
use copytrace_indexer::corpus::Document;

use crate::corpora::{document_of, engine_by_default, request};

struct Case {
    title: String,
    sources: Vec<Document>,
    query: String,
    expected: String,
}

fn read_cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in text.lines() {
        match &mut block {
            None if line.starts_with("## ") => cases.push(Case {
                title: line[3..].to_owned(),
                sources: Vec::new(),
                query: String::new(),
                expected: String::new(),
            }),
            None => block = line.strip_prefix("```").map(|info| (info.to_owned(), String::new())),
            Some((info, content)) if line == "```" => {
                let case = cases.last_mut().expect("a block belongs to a case");
                let words: Vec<&str> = info.split(' ').collect();
                match words[..] {
                    ["source", id] => case.sources.push(document_of("origin", id, content.clone())),
                    ["source", id, origin] => case.sources.push(document_of(origin, id, content.clone())),
                    ["query"] => case.query.clone_from(content),
                    ["expected"] => case.expected.clone_from(content),
                    _ => panic!("case `{}`: unknown block `{info}`", case.title),
                }
                block = None;
            }
            Some((_, content)) => writeln!(content, "{line}").unwrap(),
        }
    }
    cases
}

fn answer(case: &Case) -> String {
    let engine = engine_by_default(case.sources.clone());
    let answer = engine.check(&request(case.query.clone())).unwrap();
    let json = serde_json::to_value(&answer).unwrap();
    let mut lines = format!("{}\n", json["verdict"]["action"].as_str().unwrap().trim_start_matches("ACTION_"));
    for found in json["matches"].as_array().unwrap() {
        let kind = found["kind"].as_str().unwrap().trim_start_matches("COPY_KIND_");
        let common = if found["common"] == true { " common" } else { "" };
        writeln!(lines, "{kind} {} {}{common}", found["document"]["id"].as_str().unwrap(), found["matchedTokens"])
            .unwrap();
    }
    lines
}

#[test]
fn the_specification_holds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut n_cases = 0;
    let mut failures = String::new();
    for path in paths {
        for case in read_cases(&std::fs::read_to_string(&path).unwrap()) {
            n_cases += 1;
            let found = answer(&case);
            if found != case.expected {
                let (title, expected) = (&case.title, &case.expected);
                writeln!(failures, "{}: {title}\nexpected:\n{expected}found:\n{found}", path.display()).unwrap();
            }
        }
    }
    assert!(n_cases >= 20, "{n_cases} cases were found");
    assert!(failures.is_empty(), "{failures}");
}
