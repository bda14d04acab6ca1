//! Cosmetic changes to a copied passage do not hide it: case, layout, quotes, invisible characters, look-alike letters.

use copytrace::check::answer::Action;
use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::{Attributes, Document};
use copytrace_indexer::language::Language;

use crate::corpora::{document, engine_by_default, request};
use crate::functions::{Spelling, change_names, function};

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
            n_found += usize::from(is_found(&engine, &request(query), &format!("d{n}")));
        }
        assert!(n_found * 100 >= PASSAGES * 99, "{name}: {n_found} of {PASSAGES} found");
    }
}

fn is_found(engine: &impl Checker, request: &Request, document: &str) -> bool {
    let answer = engine.check(request).unwrap();
    let is_right = answer.matches.first().is_some_and(|found| found.document.id == document);
    is_right && answer.verdict.action != Action::Allow
}

/// Turns the indentation of the lines whose number `is_changed` into tabs.
fn indent_by_tabs(text: &str, is_changed: impl Fn(usize) -> bool) -> String {
    let lines = text.split_inclusive('\n').enumerate().map(|(n, line)| {
        let code = line.trim_start_matches(' ');
        let tabs = "\t".repeat((line.len() - code.len()) / 4);
        if is_changed(n) { tabs + code } else { line.to_owned() }
    });
    lines.collect()
}

fn check_code(language: Language) {
    let attributes = Attributes { language: language.name().to_owned(), ..Attributes::default() };
    let text_of = |n| function(n, language, Spelling::First).text;
    let document = |n| Document { attributes: attributes.clone(), ..document(format!("d{n}"), text_of(n)) };
    let engine = engine_by_default((0..PASSAGES).map(document).collect());
    let changes: [(&str, Change); 13] = [
        ("nothing", str::to_owned),
        ("CRLF", |text| text.replace('\n', "\r\n")),
        ("tabs", |text| indent_by_tabs(text, |_| true)),
        ("mixed indentation", |text| indent_by_tabs(text, |n| n % 2 == 1)),
        ("trailing blanks", |text| text.replace('\n', "  \t\n")),
        ("zero-width spaces", |text| change_names(text, |name| name.chars().flat_map(|c| [c, '\u{200B}']).collect())),
        ("soft hyphens", |text| text.replace("co", "c\u{AD}o")),
        ("bidi controls", |text| text.replace("pa", "\u{202E}pa\u{202C}")),
        ("full-width digits", |text| replace_letters(text, "0123456789", "０１２３４５６７８９")),
        ("full-width letters", |text| {
            let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).unwrap();
            change_names(text, |name| name.chars().map(wide).collect())
        }),
        ("Cyrillic look-alikes", |text| change_names(text, |name| replace_letters(name, "aceopxyijs", "асеорхуіјѕ"))),
        ("Greek look-alikes", |text| change_names(text, |name| replace_letters(name, "o", "ο"))),
        ("mathematical letters", |text| {
            let bold = |c: char| char::from_u32(u32::from(c) - u32::from('a') + 0x1D41A).unwrap();
            change_names(text, |name| name.chars().map(bold).collect())
        }),
    ];
    for (name, change) in changes {
        let mut n_found = 0;
        for n in 0..PASSAGES {
            // Behind a function that no document has.
            let query = format!("{}\n\n{}", text_of(PASSAGES + n), change(&text_of(n)));
            let request = Request { language: Some(language), ..request(query) };
            n_found += usize::from(is_found(&engine, &request, &format!("d{n}")));
        }
        assert!(n_found * 100 >= PASSAGES * 99, "{language}, {name}: {n_found} of {PASSAGES} found");
    }
}

#[test]
fn cosmetic_changes_do_not_hide_a_copy_of_python() {
    check_code(Language::Python);
}

#[test]
fn cosmetic_changes_do_not_hide_a_copy_of_rust() {
    check_code(Language::Rust);
}
