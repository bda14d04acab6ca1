//! Runs the specification by example: `tests/cases/*.md`.
//!
//! A heading `## ...` starts a case. What stands between its blocks is prose for people. The blocks, each fenced by three backticks or more:
//!
//! - `source ID [ORIGIN] [language=NAME]` is a document of the corpus. Sources before the first case belong to every case of the file.
//!   With `origins=A,B,...` it stands in each of these origins, there called `ID/A`, `ID/B`, ...
//! - `query [LANGUAGE] [line-ends=crlf]` is the text. A language that is not given is found out.
//! - `prompt` is the prompt to which the text is an answer; none where there is no such block.
//! - `expected` is what the default policy answers: the action on the first line, then for each match, best first, a line
//!   `KIND ID WORDS [lines A-B of C-D] [common]`, lines A to B of the text being C to D of the document, and for each of its renames a line
//!   `  new <- old`: the name in the text, the name in the document. Where no line of a case says `lines`, they may be any.

use std::fmt::Write as _;
use std::path::Path;

use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::{Attributes, Document};
use copytrace_indexer::language::Language;

use crate::corpora::{document_of, engine_by_default, request};

#[derive(Clone)]
struct Case {
    title: String,
    sources: Vec<Document>,
    request: Request,
    expected: String,
}

fn case(title: &str, sources: Vec<Document>) -> Case {
    Case { title: title.to_owned(), sources, request: request(""), expected: String::new() }
}

fn language_of(name: &str) -> Language {
    name.parse().unwrap_or_else(|_| panic!("unknown language `{name}`"))
}

/// Adds the documents of a source block with these words behind `source`.
fn add_sources(sources: &mut Vec<Document>, words: &[&str], content: &str) {
    let (mut ids, mut origins, mut language) = (Vec::new(), vec!["origin"], "");
    for word in words {
        match word.split_once('=') {
            Some(("language", name)) => language = language_of(name).name(),
            Some(("origins", names)) => origins = names.split(',').collect(),
            None if ids.is_empty() => ids.push(*word),
            None => origins = vec![word],
            Some(_) => panic!("unknown word `{word}` of a source"),
        }
    }
    let id = ids[0];
    let is_one = origins.len() == 1;
    for origin in origins {
        let id = if is_one { id.to_owned() } else { format!("{id}/{origin}") };
        let document = document_of(origin, id, content);
        let attributes = Attributes { language: language.to_owned(), ..document.attributes };
        sources.push(Document { attributes, ..document });
    }
}

/// Makes the request of a query block with these words behind `query`.
fn request_of(words: &[&str], content: &str) -> Request {
    let mut request = request(content);
    for word in words {
        match word.split_once('=') {
            Some(("line-ends", "crlf")) => request.text = content.replace('\n', "\r\n"),
            Some(_) => panic!("unknown word `{word}` of a query"),
            None => request.language = Some(language_of(word)),
        }
    }
    request
}

fn read_cases(text: &str) -> Vec<Case> {
    let mut shared = Vec::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(&str, &str, String)> = None;
    for line in text.lines() {
        match &mut block {
            None if line.starts_with("## ") => cases.push(case(&line[3..], shared.clone())),
            None if line.starts_with("```") => {
                let info = line.trim_start_matches('`');
                block = Some((&line[..line.len() - info.len()], info, String::new()));
            }
            None => {}
            Some((fence, info, content)) if line == *fence => {
                let words: Vec<&str> = info.split(' ').collect();
                match (words[0], cases.last_mut()) {
                    ("source", None) => add_sources(&mut shared, &words[1..], content),
                    ("source", Some(case)) => add_sources(&mut case.sources, &words[1..], content),
                    ("query", Some(case)) => {
                        let prompt = std::mem::take(&mut case.request.prompt);
                        case.request = Request { prompt, ..request_of(&words[1..], content) };
                    }
                    ("prompt", Some(case)) => case.request.prompt.clone_from(content),
                    ("expected", Some(case)) => case.expected.clone_from(content),
                    _ => panic!("unknown block `{info}`, or not in a case"),
                }
                block = None;
            }
            Some((_, _, content)) => writeln!(content, "{line}").unwrap(),
        }
    }
    assert!(block.is_none(), "the last block is not closed");
    cases
}

fn answer(case: &Case) -> String {
    let engine = engine_by_default(case.sources.clone());
    let answer = engine.check(&case.request).unwrap();
    let json = serde_json::to_value(&answer).unwrap();
    let mut lines = format!("{}\n", json["verdict"]["action"].as_str().unwrap().trim_start_matches("ACTION_"));
    for found in json["matches"].as_array().unwrap() {
        let kind = found["kind"].as_str().unwrap().trim_start_matches("COPY_KIND_");
        write!(lines, "{kind} {} {}", found["document"]["id"].as_str().unwrap(), found["matchedTokens"]).unwrap();
        if case.expected.contains(" lines ") {
            let range = |span: &serde_json::Value| format!("{}-{}", span["startLine"], span["endLine"]);
            write!(lines, " lines {} of {}", range(&found["querySpan"]), range(&found["sourceSpan"])).unwrap();
        }
        lines.push_str(if found["common"] == true { " common\n" } else { "\n" });
        for rename in found["renames"].as_array().unwrap() {
            let name = |side: &str| rename[side].as_str().unwrap().to_owned();
            writeln!(lines, "  {} <- {}", name("query"), name("source")).unwrap();
        }
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
    assert!(n_cases >= 100, "{n_cases} cases were found");
    assert!(failures.is_empty(), "{failures}");
}
