//! Texts made to cost much: the answer says what was left out, and a document that is the text itself is found all the same.

use copytrace::check::Checker;
use copytrace::check::answer::Action;
use copytrace::verify::kind::CopyKind;

use crate::corpora::{document, engine_by_default, request};

const WORDS: u32 = 12_000;

/// A text of every kind; texts of another seed are different texts of the same kind.
fn kinds(seed: u32) -> Vec<(&'static str, String)> {
    let noise = move |n: u32, kinds: u32| ((n ^ seed << 16).wrapping_mul(2_654_435_761) >> 12) % kinds;
    let text = |word: &dyn Fn(u32) -> String| (0..WORDS).map(|n| word(n) + " ").collect::<String>();
    vec![
        ("one word", text(&|n| if n == seed { format!("w{seed}") } else { "word".to_owned() })),
        ("a period of 7 words", text(&|n| format!("p{}", if n == seed { 9 } else { n % 7 }))),
        ("two words at random", text(&|n| format!("two{}", noise(n, 2)))),
        ("ten words at random", text(&|n| format!("ten{}", noise(n, 10)))),
        ("typos in a period", text(&|n| if noise(n, 31) == 0 { format!("t{n}") } else { format!("q{}", n % 7) })),
        ("a mosaic of 8 sentences", text(&|n| format!("m{}x{}", noise(n / 12, 8), n % 12))),
        ("numbers", text(&|n| (n + seed).to_string())),
    ]
}

#[test]
fn a_document_that_is_the_text_is_found_whatever_else_resembles_it() {
    let id = |name: &str, seed: u32| format!("{name} {seed}");
    let corpus =
        (0..6).flat_map(|seed| kinds(seed).into_iter().map(move |(name, text)| document(id(name, seed), text)));
    let engine = engine_by_default(corpus.collect());
    for (name, text) in kinds(3) {
        let answer = engine.check(&request(text)).unwrap();
        let whole = answer.matches.iter().find(|found| found.document.id == id(name, 3));
        let whole = whole.map(|found| (found.kind, found.matched_tokens));
        assert_eq!(whole, Some((CopyKind::Verbatim, WORDS)), "{name}");
    }
    for (name, text) in kinds(77) {
        let answer = engine.check(&request(text)).unwrap();
        let is_silent = answer.verdict.action == Action::Allow && !answer.degraded.is_empty();
        assert!(!is_silent, "{name}: allowed although {:?}", answer.degraded);
    }
}
