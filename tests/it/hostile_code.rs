//! Code made to hurt parsers, beside a copied function: the answer comes, says what was left out, and the function is found by its tokens.
//!
//! No time is measured here (`cargo bench --bench hostile_code` does). A stack that overflows ends the whole test.

use std::time::{Duration, Instant};

use copytrace::check::answer::{Action, Answer};
use copytrace::check::engine::Engine;
use copytrace::check::{Checker, Request, TEXT_BYTES_MAX};
use copytrace_indexer::language::Language;

use crate::corpora::{code_document, engine_by_default, function};
use snares::{SIZES, kinds};

#[path = "../../benches/snares/mod.rs"]
mod snares;

/// Time given to a check: the default of the service.
const BUDGET: Duration = Duration::from_millis(250);
/// Longest hostile text beside which the function must be found.
const FOUND_BYTES_MAX: usize = 256 << 10;
const LANGUAGES: [Language; 2] = [Language::Python, Language::Rust];

fn copied(language: Language) -> String {
    function(language, 3, "value", 24)
}

fn engine() -> Engine {
    let documents = LANGUAGES.into_iter().flat_map(|language| {
        let id = |name: &str| format!("{name} in {language}");
        let other =
            |n: u64| code_document(language, id(&format!("other {n}")), function(language, 100 + n, "name", 30));
        (0..20).map(other).chain([code_document(language, id("copied"), copied(language))]).collect::<Vec<_>>()
    });
    engine_by_default(documents.collect())
}

fn is_found(answer: &Answer, language: Language) -> bool {
    answer.matches.iter().any(|found| found.document.id == format!("copied in {language}"))
}

/// Checks one text: within the budget, and without one where the function was not found.
fn check(engine: &Engine, text: &str, language: Language, must_find: bool, what: &str) {
    assert!(text.len() <= TEXT_BYTES_MAX, "{what}");
    let request = Request { language: Some(language), ..Request::new("q", text) };
    let in_time = engine.check(&Request { deadline: Some(Instant::now() + BUDGET), ..request.clone() }).unwrap();
    let is_honest = in_time.verdict.action != Action::Allow || !in_time.degraded.is_empty();
    assert!(is_honest, "{what}: allowed, and nothing was left out: {in_time:?}");
    if must_find && !is_found(&in_time, language) {
        assert!(!in_time.degraded.is_empty(), "{what}: not found, and nothing was left out: {in_time:?}");
        let at_leisure = engine.check(&request).unwrap();
        assert!(is_found(&at_leisure, language), "{what}: not found: {at_leisure:?}");
    }
}

#[test]
fn a_copied_function_is_found_beside_code_that_is_made_to_hurt() {
    let engine = engine();
    for (name, make) in kinds() {
        for language in LANGUAGES {
            let function = copied(language);
            for n_bytes in SIZES {
                let what = |place: &str| format!("{name}, {n_bytes} bytes {place} a function of {language}");
                // With the function as long as what is parsed at most, and what is checked at most: not longer.
                let n_hostile = n_bytes - function.len() - 2;
                let must_find = n_bytes <= FOUND_BYTES_MAX;
                let behind = format!("{function}\n{}", make(n_hostile));
                check(&engine, &behind, language, must_find, &what("behind"));
                let half = make(n_hostile / 2);
                let around = format!("{half}\n{function}\n{half}");
                check(&engine, &around, language, must_find, &what("around"));
            }
        }
    }
}

/// What is hostile is so to an index, too: it is taken, and the function in it is found.
#[test]
fn a_function_is_found_in_documents_that_are_made_to_hurt() {
    // Of each pattern with a quote an even number on either side: what stands inside of a string is no code.
    const N_BYTES: usize = 65_520;
    for language in LANGUAGES {
        let function = copied(language);
        let id = |name: &str| format!("{name} in {language}");
        let documents = kinds().into_iter().map(|(name, make)| {
            code_document(language, id(name), format!("{}\n{function}\n{}", make(N_BYTES / 2), make(N_BYTES / 2)))
        });
        for document in documents {
            let expected = document.id.clone();
            let engine = engine_by_default(vec![document]);
            let request = Request { language: Some(language), ..Request::new("q", function.as_str()) };
            let answer = engine.check(&request).unwrap();
            assert!(answer.matches.iter().any(|found| found.document.id == expected), "`{expected}`: {answer:?}");
            assert_ne!(answer.verdict.action, Action::Allow, "`{expected}`");
        }
    }
}
