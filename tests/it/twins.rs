//! Many documents of one shape: the one that was copied is found, wherever it stands among them, and nothing is lost to the others.

use copytrace::check::answer::{Action, Answer};
use copytrace::check::{Checker, Request};
use copytrace::verify::kind::CopyKind;
use copytrace_indexer::corpus::Document;
use copytrace_indexer::language::Language;

use crate::corpora::{Random, document_of, engine_by_default, request};

const TWINS: usize = 40;

fn name(random: &mut Random) -> String {
    (0..7).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap())).collect()
}

/// A function of Python; all have one shape, and no name, string or number in common.
fn twin(n: usize) -> String {
    let mut random = Random(n as u64 + 1);
    let [title, first, second, limit, item, sum]: [String; 6] = std::array::from_fn(|_| name(&mut random));
    let [m1, m2, m3, m4, m5, m6]: [String; 6] = std::array::from_fn(|_| name(&mut random));
    let [s1, s2, s3, s4]: [String; 4] = std::array::from_fn(|_| format!("{} {}", name(&mut random), name(&mut random)));
    let number = 1_000 + random.below(9_000);
    format!(
        "def {title}({first}, {second}):\n    {limit} = {second}.{m1}(\"{s1}\")\n    if {limit} > {first}.{m2}:\n        raise ValueError(\"{s2}\")\n    \
         for {item} in {first}.{m3}({limit}):\n        {sum} = {item}.{m4} * {number} + {limit}\n        {second}.{m5}(\"{s3}\", {sum})\n    \
         return {limit} - {first}.{m6}({second}, \"{s4}\")\n"
    )
}

/// A document with a twin between other code, each of its own origin.
fn document(n: usize, text: &str) -> Document {
    let mut random = Random(n as u64 + 1_000);
    let mut other = || {
        let rows = (0..4).map(|_| format!("{} = [{}, {}]\n", name(&mut random), random.below(999), random.below(999)));
        rows.collect::<String>()
    };
    let text = format!("{}\n{text}\n{}", other(), other());
    let mut document = document_of(&format!("origin{n}"), format!("d{n}"), text);
    Language::Python.name().clone_into(&mut document.attributes.language);
    document
}

fn ask(documents: Vec<Document>, text: String) -> Answer {
    engine_by_default(documents).check(&Request { language: Some(Language::Python), ..request(text) }).unwrap()
}

#[test]
fn each_of_many_twins_is_found() {
    let engine = engine_by_default((0..TWINS).map(|n| document(n, &twin(n))).collect());
    for n in 0..TWINS {
        let answer = engine.check(&Request { language: Some(Language::Python), ..request(twin(n)) }).unwrap();
        assert_ne!(answer.verdict.action, Action::Allow, "twin {n}");
        let first = &answer.matches[0];
        assert_eq!(
            (first.document.id.as_str(), first.kind),
            (format!("d{n}").as_str(), CopyKind::Verbatim),
            "twin {n}"
        );
        assert!(!first.common, "twin {n}: others have its shape, nobody its words");
    }
}

#[test]
fn a_copy_behind_many_twins_is_found() {
    for n_before in [15, 16, 17, 40] {
        let text: String = (0..n_before).map(|n| twin(1_000 + n) + "\n").collect::<String>() + &twin(1);
        let answer = ask(vec![document(1, &twin(1)), document(2, "x = 1\n")], text);
        assert_ne!(answer.verdict.action, Action::Allow, "behind {n_before}");
        let is_it =
            |found: &copytrace::check::answer::Match| found.kind == CopyKind::Verbatim && found.document.id == "d1";
        assert!(answer.matches.iter().any(is_it), "behind {n_before}: {:?}", answer.matches);
    }
}

#[test]
fn an_edited_copy_of_documentation_is_told_beside_the_code() {
    let words = |seed: u64| -> Vec<String> {
        let mut random = Random(seed);
        (0..160).map(|_| name(&mut random)).collect()
    };
    let lines = |words: &[String]| -> String {
        let lines: Vec<String> = words.chunks(10).map(|line| line.join(" ")).collect();
        lines.join("\n    ")
    };
    let function = |documentation: &[String]| {
        format!("def f(a, b):\n    \"\"\"\n    {}\n    \"\"\"\n    return a.get(b, 4711)\n", lines(documentation))
    };
    let source = words(7);
    let other = words(8);
    let edited: Vec<String> = source
        .iter()
        .zip(&other)
        .enumerate()
        .map(|(n, (own, new))| if n % 6 == 5 { new } else { own }.clone())
        .collect();
    let answer = ask(vec![document(1, &function(&source))], function(&edited));
    let is_it = |found: &copytrace::check::answer::Match| found.kind == CopyKind::Edited && found.matched_tokens > 100;
    assert!(answer.matches.iter().any(is_it), "{:?}", answer.matches);
}
