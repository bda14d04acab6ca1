//! Cosmetic changes to a copied passage do not hide it: case, layout, quotes, invisible characters, look-alike letters.

use copytrace::check::Checker;
use copytrace::check::answer::Action;
use copytrace_indexer::corpus::Document;

use crate::corpora::{document, engine_by_default, request};

const PASSAGES: usize = 200;

/// Words of a made-up language with letters that have look-alikes, different for every document.
fn text_of(document: usize) -> String {
    const SYLLABLES: [&str; 12] = ["pa", "co", "xe", "ry", "si", "ho", "ja", "te", "ma", "ki", "on", "ed"];
    let mut state = document * 7919 + 17;
    let mut text = String::new();
    for n in 0..120 {
        for _ in 0..2 + n % 3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(SYLLABLES[(state >> 33) % SYLLABLES.len()]);
        }
        text.push_str(match n % 11 {
            3 => ", ",
            7 => ". \"",
            9 => "\" ",
            _ => " ",
        });
    }
    text
}

fn replace_letters(text: &str, from: &str, to: &str) -> String {
    let table: Vec<(char, char)> = from.chars().zip(to.chars()).collect();
    text.chars().map(|c| table.iter().find(|pair| pair.0 == c).map_or(c, |pair| pair.1)).collect()
}

/// What is done to a passage to disguise it.
type Change = fn(&str) -> String;

#[test]
fn cosmetic_changes_do_not_hide_a_copy() {
    let documents: Vec<Document> = (0..PASSAGES).map(|n| document(format!("d{n}"), text_of(n))).collect();
    let engine = engine_by_default(documents);
    let changes: [(&str, Change); 14] = [
        ("upper case", |text| text.to_uppercase()),
        ("spaces doubled", |text| text.replace(' ', "  ")),
        ("tabs", |text| text.replace(' ', "\t")),
        ("one word a line", |text| text.replace(' ', "\r\n")),
        ("smart quotes", |text| text.replace(". \"", ". “").replace("\" ", "” ")),
        ("no punctuation", |text| text.replace(['.', ',', '"'], "")),
        ("zero-width spaces", |text| text.chars().flat_map(|c| [c, '\u{200B}']).collect()),
        ("soft hyphens", |text| text.replace("co", "c\u{AD}o")),
        ("bidi controls", |text| text.replace("pa", "\u{202E}pa\u{202C}")),
        ("tag characters", |text| text.replace("on", "o\u{E0041}n")),
        ("full-width letters", |text| {
            let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c);
            text.chars().map(|c| if c.is_ascii_lowercase() { wide(c) } else { c }).collect()
        }),
        ("Cyrillic look-alikes", |text| replace_letters(text, "aceopxyijs", "асеорхуіјѕ")),
        ("Greek look-alikes", |text| replace_letters(text, "o", "ο")),
        ("mathematical letters", |text| {
            let bold = |c: char| char::from_u32(u32::from(c) - u32::from('a') + 0x1D41A).unwrap_or(c);
            text.chars().map(|c| if c.is_ascii_lowercase() { bold(c) } else { c }).collect()
        }),
    ];
    for (name, change) in changes {
        let mut n_found = 0;
        for n in 0..PASSAGES {
            let text = text_of(n);
            let passage: Vec<&str> = text.split_inclusive(' ').skip(20).take(60).collect();
            let query = format!("Foreign words stand before it.\n{}\nAnd after it.", change(&passage.concat()));
            let answer = engine.check(&request(query)).unwrap();
            let is_right = answer.matches.first().is_some_and(|found| found.document.id == format!("d{n}"));
            n_found += usize::from(is_right && answer.verdict.action == Action::Flag);
        }
        assert!(n_found * 100 >= PASSAGES * 99, "{name}: {n_found} of {PASSAGES} found");
    }
}
