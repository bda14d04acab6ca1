//! What users of other deduplicators suffer from, and the test that holds each of these here.
//!
//! | trap | held by |
//! |---|---|
//! | texts shorter than a shingle are all one, vanish, or are never equal | `short_texts_are_compared_by_their_bytes_alone` |
//! | vowel signs and voicing marks are stripped, compatibility forms are not folded | `texts_of_any_script_are_told_apart_and_found`, `compatibility_forms_are_plain` |
//! | a text without spaces is one word | `texts_of_any_script_are_told_apart_and_found` |
//! | numbers are folded: tables and numbered templates are one | `numbers_are_not_folded` |
//! | keys of 32 bits collide, arithmetic overflows: fingerprints must never drift | `this_release_writes_the_golden_index_of_format_2_byte_by_byte`, `keys_have_64_bits` |
//! | a bucket counts as a proof: whole sources are lost | `decisions_hold_against_all_pairs`, `the_report_says_what_was_lost_and_its_page_is_inert` |
//! | transitive closure joins the ends of a chain | `a_chain_of_similar_rows_keeps_what_is_unlike` |
//! | pairs are verified, but clusters are those of before | `decisions_hold_against_all_pairs` |
//! | a short text within a long one: the Jaccard index alone does not tell | `a_part_of_a_text_stays_and_a_removed_row_tells_what_is_contained` |
//! | ids of rows that mean something else: the first row, the last, the end of a group | `the_first_and_the_last_row_are_rows_like_others` |
//! | threads, order of files or of rows decide | `threads_memory_and_order_of_arguments_change_nothing`, `shuffled_rows_keep_the_same_ids`, `decisions_are_those_of_the_rule` |
//! | connected components are cut off before they are done | `groups_are_connected_components` |
//! | tables of one pass are left to the next | `threads_memory_and_order_of_arguments_change_nothing`: sixteen passes in one process |
//! | "threshold" is said of bands that miss half of the pairs there | `presets_find_what_their_bands_and_shingles_say`, `a_plan_says_what_a_pass_would_take` |
//! | files between stages are damaged or not sorted, found out late or never | `damage_between_stages_is_an_error_that_names_the_file`, `what_is_damaged_or_foreign_is_refused` |
//! | stages of other options are mixed | `parts_in_any_order_make_what_one_run_makes`, `a_folder_is_for_one_pass` |
//! | nobody knows for which row one was removed | `equal_and_similar_rows_go_and_name_what_stays` |
//! | a match in an index has no id; new data costs a pass over all | `rows_like_documents_of_an_index_go_and_name_them` |
//! | the worse copy survives | `the_preferred_row_stays_wherever_it_stands` |
//! | no cap but one, no weights by size of a cluster | `so_many_stay_as_are_asked_for_in_all_or_for_each_value`, `weights_take_the_place_of_removals` |
//! | nothing resumes; a killed run leaves half files | `killed_at_any_moment_it_goes_on_to_the_same_bytes`, `any_failing_call_is_told_and_the_next_run_ends_with_the_same_bytes` |
//! | a file is torn out of a repository | `code_under_other_names_goes_and_a_repository_is_left_whole` |
//! | a huge cluster is compared pair by pair | `a_million_equal_members_are_a_million_look_ups`, `a_full_bucket_remembers_its_best` |
//!
//! Clustering time, memory and growth are not for tests: `cargo bench --bench dedup`.

use copytrace::dedup::recipe::Rules;
use copytrace_indexer::fingerprint::{BandPlan, BandScratch};
use copytrace_indexer::recipe::PUBLIC_SEED;
use serde_json::Value;

use super::{Folder, lines, words};

/// Sources of tests that the table may name.
const SOURCES: [&str; 5] =
    ["tests/it/dedup", "tests/it", "src/dedup", "indexer/src/normalise", "indexer/src/fingerprint"];

#[test]
fn every_trap_is_held_by_a_test_that_there_is() {
    let mut code = String::new();
    for folder in SOURCES {
        let entries = std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        paths.for_each(|path| code.push_str(&std::fs::read_to_string(path).unwrap()));
    }
    let rows = include_str!("traps.rs").lines().filter(|line| line.starts_with("//! | ") && line.contains('`'));
    let names: Vec<&str> =
        rows.flat_map(|row| row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

/// Of 2^32 different texts two share a key of 32 bits; that some of few keys are above tells the width.
#[test]
fn keys_have_64_bits() {
    let plan = BandPlan::new(PUBLIC_SEED, 32, 8);
    let (mut slots, mut keys) = (BandScratch::default(), Vec::new());
    plan.keys(&[1, 2, 3], &mut slots, &mut keys);
    assert_eq!(keys.len(), 32);
    assert!(keys.iter().all(|key| *key > u64::from(u32::MAX)), "{keys:?}");
}

#[test]
fn a_part_of_a_text_stays_and_a_removed_row_tells_what_is_contained() {
    let folder = Folder::new();
    let rows = [("long", &*words(0, 100)), ("part", &words(10, 60)), ("similar", &words(0, 90))];
    folder.write("a.jsonl", lines(rows));
    folder.run("out", Rules::default()).unwrap();
    let written = folder.written("out");
    assert!(written.kept_ids().contains("part"));
    let line: Value = serde_json::from_str(written.removed.trim_end()).unwrap();
    let number = |key: &str| line[key].as_f64().unwrap();
    assert_eq!(line["id"], "similar");
    assert!((number("jaccard") - 86.0 / 96.0).abs() < 1e-12 && (number("containment") - 1.0).abs() < 1e-12, "{line}");
}

/// Alone, in pairs, in one file or in several.
#[test]
fn the_first_and_the_last_row_are_rows_like_others() {
    let texts: Vec<String> = (0..8).map(|n| words(n * 1000, n * 1000 + 60)).collect();
    for (first, last) in [(0, 7), (0, 1), (6, 7), (7, 0)] {
        let folder = Folder::new();
        let text_of = |n: usize| if n == last { &texts[first] } else { &texts[n] };
        let rows: Vec<(String, &str)> = (0..8).map(|n| (n.to_string(), text_of(n).as_str())).collect();
        let rows = rows.iter().map(|(id, text)| (id.as_str(), *text));
        folder.write("a.jsonl", lines(rows.clone().take(4)));
        folder.write("b.jsonl", lines(rows.skip(4)));
        folder.run("out", Rules::default()).unwrap();
        let removed = folder.written("out").removed_rows();
        let pair: Vec<[String; 2]> = removed.into_iter().map(|(id, kept, ..)| [id, kept]).collect();
        let (first, last) = (first.to_string(), last.to_string());
        assert!(pair == [[first.clone(), last.clone()]] || pair == [[last, first]], "{pair:?}");
        assert_eq!(folder.written("out").kept_ids().len(), 7);
    }
}
