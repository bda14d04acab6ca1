//! The renames that an answer lists are those that were made.

use std::collections::BTreeSet;

use copytrace::check::{Checker, Request};
use copytrace::verify::kind::CopyKind;
use copytrace_indexer::corpus::{Attributes, Document};
use copytrace_indexer::language::Language;

use crate::corpora::{document, engine_by_default, request};
use crate::functions::{Spelling, function};

const FUNCTIONS: usize = 100;

/// Renames every name of a function's own and compares the answer's renames with those made.
fn check(language: Language) {
    let source = |n| function(n, language, Spelling::First);
    let attributes = Attributes { language: language.name().to_owned(), ..Attributes::default() };
    let document = |n| Document { attributes: attributes.clone(), ..document(format!("d{n}"), source(n).text) };
    let engine = engine_by_default((0..FUNCTIONS).map(document).collect());
    let mut differences = Vec::new();
    for n in 0..FUNCTIONS {
        let query = function(n, language, Spelling::Second);
        let made: BTreeSet<(String, String)> = query.own_names.into_iter().zip(source(n).own_names).collect();
        let answer = engine.check(&Request { language: Some(language), ..request(query.text) }).unwrap();
        let of_source = answer.matches.iter().filter(|found| found.document.id == format!("d{n}"));
        let mut is_right = false;
        for found in of_source {
            let listed = found.renames.iter().map(|rename| (rename.query.clone(), rename.source.clone()));
            let listed: BTreeSet<(String, String)> = listed.collect();
            let invented: Vec<_> = listed.difference(&made).collect();
            assert!(invented.is_empty(), "{language}, function {n}: nobody made {invented:?}");
            is_right |= found.kind == CopyKind::Renamed && listed == made;
        }
        if !is_right {
            differences.push(n);
        }
    }
    assert!(differences.len() * 100 <= FUNCTIONS * 2, "{language}: not all renames of functions {differences:?}");
}

#[test]
fn the_renames_of_python_are_those_made() {
    check(Language::Python);
}

#[test]
fn the_renames_of_rust_are_those_made() {
    check(Language::Rust);
}
