//! What goes and what stays.

use copytrace::dedup::plan::plan;
use copytrace::dedup::preset::Preset;
use copytrace::dedup::recipe::{Against, Emit, ExactForm, Level, Rules};
use copytrace::dedup::run::Resources;
use serde_json::{Value, json};

use super::{Folder, corpus, jaccard, json_lines, lines, words};

fn ids(expected: &[&str]) -> std::collections::BTreeSet<String> {
    expected.iter().map(ToString::to_string).collect()
}

#[test]
fn equal_and_similar_rows_go_and_name_what_stays() {
    let folder = Folder::new();
    let (long, similar, stranger) = (words(0, 100), words(0, 95), words(500, 600));
    folder.write("a.jsonl", lines([("long", &*long), ("stranger", &stranger), ("similar", &similar)]));
    folder.write("b.jsonl", lines([("equal", &*long), ("shout", &long.to_uppercase())]));
    let outcome = folder.run("out", Rules::default()).unwrap();
    let written = folder.written("out");
    let removed = written.removed_rows();
    assert_eq!(removed.len(), 3, "{removed:?}");
    assert_eq!(written.kept_ids().len(), 2);
    for (id, kept_id, kind, index) in removed {
        assert!(written.kept_ids().contains(&kept_id), "{kept_id}");
        if id == "similar" {
            assert_eq!((kind.as_str(), index), ("NEAR", 91.0 / 96.0));
        } else {
            assert!(["equal", "shout", "long"].contains(&id.as_str()));
            assert_eq!(index.to_bits(), 1.0_f64.to_bits());
        }
    }
    assert_eq!(outcome.report.removed.rows, 3);
    assert!(written.kept["a.jsonl"].len() > 10);
}

/// Peers leave equal short texts, or take all of them for one.
#[test]
fn short_texts_are_compared_by_their_bytes_alone() {
    let folder = Folder::new();
    let rows = [
        ("1", "cat"),
        ("2", "dog"),
        ("3", "cat"),
        ("4", "Cat!"),
        ("5", "C++"),
        ("6", "C#"),
        ("7", "!!!"),
        ("8", "???"),
        ("9", "!!!"),
        ("10", ""),
        ("11", ""),
        ("12", "  "),
    ];
    folder.write("a.jsonl", lines(rows));
    let outcome = folder.run("raw", Rules::default()).unwrap();
    assert_eq!(folder.written("raw").removed_rows().len(), 2, "one cat and one !!!");
    assert_eq!(outcome.report.skipped["empty text"].rows, 3);
    folder.run("normal", Rules { exact_form: ExactForm::Normal, ..Rules::default() }).unwrap();
    // cat, cat, Cat! are one, C++ and C# too; what has no word is compared by its bytes.
    assert_eq!(folder.written("normal").removed_rows().len(), 4);
}

/// Vowel signs, voicing marks and letters of scripts without spaces tell texts apart.
#[test]
fn texts_of_any_script_are_told_apart_and_found() {
    let folder = Folder::new();
    let han = "人工智能系统可以学习大量文本数据并生成新的内容这是一个例子说明相似的文本如何被发现";
    let changed = han.replace("例子", "样本");
    let hindi = "के लिए यह एक लंबा वाक्य है जो केवल परीक्षण के लिए लिखा गया है";
    let other_vowels = hindi.replace('े', "ु");
    folder.write("a.jsonl", lines([("han", han), ("changed", &changed), ("hindi", hindi), ("other", &other_vowels)]));
    folder.run("out", Rules { threshold: 0.6, ..Rules::default() }).unwrap();
    let removed = folder.written("out").removed_rows();
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert!(["han", "changed"].contains(&removed[0].0.as_str()));
}

#[test]
fn numbers_are_not_folded() {
    let folder = Folder::new();
    let row =
        |n: usize| (0..30).map(|k| format!("item {} costs {} in all", k * n, k * n + n)).collect::<Vec<_>>().join(" ");
    folder.write("a.jsonl", lines([("1", &*row(3)), ("2", &row(7))]));
    folder.run("out", Rules::default()).unwrap();
    assert_eq!(folder.written("out").removed, "");
}

/// A transitive closure would keep one of 41.
#[test]
fn a_chain_of_similar_rows_keeps_what_is_unlike() {
    let folder = Folder::new();
    let texts: Vec<(String, String)> = (0..41).map(|n| (n.to_string(), words(n * 10, n * 10 + 254))).collect();
    folder.write("a.jsonl", lines(texts.iter().map(|(id, text)| (id.as_str(), text.as_str()))));
    folder.run("out", Rules::default()).unwrap();
    let written = folder.written("out");
    assert!(written.kept_ids().len() >= 9, "{:?}", written.kept_ids());
    let text = |id: &str| &texts[id.parse::<usize>().unwrap()].1;
    for (id, kept_id, _, index) in written.removed_rows() {
        assert!(written.kept_ids().contains(&kept_id));
        assert!((index - jaccard(text(&id), text(&kept_id))).abs() < 1e-12);
        assert!(index >= 0.8, "{id} {kept_id} {index}");
    }
}

/// Every removal is right, nearly every pair is found, over random corpora: against all pairs.
#[test]
fn decisions_hold_against_all_pairs() {
    let (n_pairs, n_left) = count_left(false);
    assert!(n_pairs > 500 && n_left * 200 <= n_pairs, "{n_left} of {n_pairs} pairs are left");
}

/// `--all-pairs` leaves none, below the threshold of the bands too.
#[test]
fn no_pair_is_left_where_all_are_looked_at() {
    let (n_pairs, n_left) = count_left(true);
    assert!(n_pairs > 500 && n_left == 0, "{n_left} of {n_pairs} pairs are left");
}

/// Runs passes over random corpora, proves every removal, and returns how many pairs are similar and of how many both rows stayed.
fn count_left(is_exhaustive: bool) -> (u32, u32) {
    let (mut n_pairs, mut n_left) = (0, 0);
    for seed in 0..6 {
        let rows = corpus(seed, 150);
        let folder = Folder::new();
        let (a, b) = rows.split_at(rows.len() / 2);
        let file = |rows: &[(String, String)]| lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str())));
        folder.write("a.jsonl", file(a));
        folder.write("b.jsonl", file(b));
        let threshold = [0.8, if is_exhaustive { 0.3 } else { 0.7 }, 0.9][usize::try_from(seed % 3).unwrap()];
        folder.run("out", Rules { threshold, is_exhaustive, ..Rules::default() }).unwrap();
        let written = folder.written("out");
        let kept = written.kept_ids();
        let text = |id: &str| &rows.iter().find(|(known, _)| known == id).unwrap().1;
        let removed = written.removed_rows();
        assert_eq!(kept.len() + removed.len(), rows.len());
        for (id, kept_id, kind, index) in &removed {
            assert!(kept.contains(kept_id) && !kept.contains(id));
            let (removed_text, kept_text) = (text(id), text(kept_id));
            assert_eq!(kind == "EXACT", removed_text == kept_text);
            if kind == "NEAR" {
                assert!((index - jaccard(removed_text, kept_text)).abs() < 1e-12);
                assert!(*index >= threshold);
            }
        }
        for (idx, (id, one)) in rows.iter().enumerate() {
            for (other_id, other) in &rows[idx + 1..] {
                let least = if is_exhaustive { threshold } else { threshold.max(0.8) };
                if one == other || jaccard(one, other) >= least {
                    n_pairs += 1;
                    n_left += u32::from(kept.contains(id) && kept.contains(other_id));
                }
            }
        }
    }
    (n_pairs, n_left)
}

#[test]
fn so_many_stay_as_are_asked_for_in_all_or_for_each_value() {
    let folder = Folder::new();
    let source = |n: usize| if n.is_multiple_of(2) { "web" } else { "book" };
    let rows = (0..12).map(|n| json!({"id": n.to_string(), "text": words(0, 40), "source": source(n)}));
    folder.write("a.jsonl", json_lines(rows));
    for (keep, keep_per, expected) in
        [(1, None, 1), (3, None, 3), (20, None, 12), (1, Some("source"), 2), (4, Some("source"), 8)]
    {
        for levels in [vec![Level::Exact], vec![Level::Exact, Level::Near], vec![Level::Near]] {
            let out = format!("{keep}-{keep_per:?}-{}", levels.len() * 10 + levels[0] as usize);
            folder
                .run(&out, Rules { keep, keep_per: keep_per.map(str::to_owned), levels, ..Rules::default() })
                .unwrap();
            assert_eq!(folder.written(&out).kept_ids().len(), expected, "{out}");
        }
    }
}

#[test]
fn the_preferred_row_stays_wherever_it_stands() {
    let row = |id: &str, quality: Value, extra: usize| json!({"id": id, "text": words(0, 60 + extra), "q": quality, "meta": {"date": format!("2024-0{}-01", extra + 1)}});
    let rows = [
        row("low", json!(0.1), 3),
        row("high", json!(0.9), 1),
        row("none", Value::Null, 2),
        row("long", json!("x"), 4),
    ];
    for turn in 0..rows.len() {
        let mut rows = rows.to_vec();
        rows.rotate_left(turn);
        let folder = Folder::new();
        folder.write("a.jsonl", json_lines(rows.iter().cloned()));
        for (prefer, expected) in [
            ("q desc", "high"),
            ("q", "low"),
            ("length desc", "long"),
            ("length", "high"),
            ("meta.date", "high"),
            ("meta.date desc", "long"),
        ] {
            folder.run(prefer, Rules { prefer: prefer.into(), ..Rules::default() }).unwrap();
            assert_eq!(folder.written(prefer).kept_ids(), ids(&[expected]), "{prefer}, turn {turn}");
        }
    }
}

#[test]
fn weights_take_the_place_of_removals() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines([("1", &*words(0, 50)), ("2", &words(100, 150)), ("3", &words(0, 50)), ("4", "")]));
    folder.run("out", Rules { has_weights: true, ..Rules::default() }).unwrap();
    let written = folder.written("out");
    assert_eq!(written.removed, "");
    let text = String::from_utf8(written.kept["a.jsonl"].clone()).unwrap();
    let weights: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["repeat_weight"].clone()).collect();
    assert_eq!(weights, [json!(0.5), json!(1.0), json!(0.5), Value::Null]);
}

#[test]
fn presets_find_what_their_bands_and_shingles_say() {
    let rows = corpus(9, 120);
    let folder = Folder::new();
    folder.write("a.jsonl", lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str()))));
    let mut n_removed = std::collections::BTreeMap::new();
    for preset in Preset::ALL {
        let Preset { name, bands, rows: band_rows, shingle, threshold } = preset;
        folder.run(name, Rules { bands, rows: band_rows, shingle, threshold, ..Rules::default() }).unwrap();
        let removed = folder.written(name).removed_rows();
        assert!(removed.iter().all(|row| row.3 >= threshold), "{name}");
        n_removed.insert(name, removed.len());
    }
    assert!(n_removed["fineweb"] > n_removed["ours"], "{n_removed:?}");
    assert!(n_removed.values().all(|&n| n > 40), "{n_removed:?}");
}

#[test]
fn rows_like_documents_of_an_index_go_and_name_them() {
    let folder = Folder::new();
    let (known, stranger) = (words(0, 60), words(500, 560));
    let document = |id: &str, text: &str| crate::corpora::document(id, text);
    let storage: std::sync::Arc<dyn copytrace_indexer::index::storage::Storage> =
        std::sync::Arc::new(copytrace_indexer::index::storage::DiskStorage::new(folder.path("index")));
    let documents = vec![document("long", &known), document("other", &words(900, 990)), document("short", "one two")];
    crate::corpora::add(&storage, documents, copytrace_indexer::pipeline::BuildOptions::default());
    let rows = [
        ("equal", &*known),
        ("similar", &words(0, 58)),
        ("new", &stranger),
        ("again", &stranger),
        ("short", "one two"),
        ("Short", "One two"),
    ];
    folder.write("a.jsonl", lines(rows));
    let against = Against::now(folder.path("index"), copytrace_indexer::recipe::PUBLIC_SEED).unwrap();
    folder.run("out", Rules { against: Some(against.clone()), ..Rules::default() }).unwrap();
    let removed: Vec<(String, String, String)> =
        folder.written("out").removed_rows().into_iter().map(|(id, kept, kind, _)| (id, kept, kind)).collect();
    let expected = [("equal", "long", "EXACT"), ("similar", "long", "NEAR"), ("short", "short", "EXACT")];
    for (id, kept, kind) in expected {
        assert!(removed.contains(&(id.into(), kept.into(), kind.into())), "{removed:?}");
    }
    assert_eq!((removed.len(), folder.written("out").kept_ids().len()), (4, 2), "{removed:?}");
    // How often each kept document stood in the data, over all runs.
    let clusters = |out: &str| {
        let text = std::fs::read_to_string(folder.path(out).join("clusters.jsonl")).unwrap();
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            (
                line["keptId"].as_str().unwrap().to_owned(),
                line["rows"].as_u64().unwrap(),
                line["newRows"].as_u64().unwrap(),
            )
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    let kept_stranger = folder.written("out").kept_ids().into_iter().find(|id| ["new", "again"].contains(&&**id));
    let first = [("long".to_owned(), 3, 2), ("short".to_owned(), 2, 1), (kept_stranger.unwrap(), 2, 2)];
    assert_eq!(clusters("out"), first);
    let clusters_before = Some(folder.path("out/clusters.jsonl"));
    folder.run("again", Rules { against: Some(against.clone()), clusters_before, ..Rules::default() }).unwrap();
    let mut totals = first.clone().map(|(id, rows, new_rows)| (id, rows + new_rows, new_rows)).to_vec();
    totals[2] = (first[2].0.clone(), 2, 0);
    totals.push(first[2].clone());
    assert_eq!(clusters("again"), totals);
    folder.write("broken.txt", "{\"keptId\":\"a\",\"rows\":1,\"newRows\":1}\nno line\n");
    let clusters_before = Some(folder.path("input/broken.txt"));
    let broken = Rules { against: Some(against.clone()), clusters_before, ..Rules::default() };
    let error = folder.run("broken", broken).unwrap_err().to_string();
    assert!(error.contains("broken.txt") && error.contains('2') && error.contains("clusters.jsonl"), "{error}");
    // An index that changed meanwhile is another one.
    crate::corpora::add(&storage, vec![document("more", "x")], copytrace_indexer::pipeline::BuildOptions::default());
    let error = folder.run("later", Rules { against: Some(against), ..Rules::default() }).unwrap_err();
    assert!(error.to_string().contains("generation"), "{error}");
}

#[test]
fn the_report_says_what_was_lost_and_its_page_is_inert() {
    let folder = Folder::new();
    let hostile = format!("<script>alert(1)</script> \u{202e} {}", words(0, 40));
    let rows = (0..300).map(|n| {
        let text = if n < 200 { hostile.clone() } else { words(n * 100, n * 100 + 20) };
        json!({"id": format!("<i>{n}"), "text": text, "source": if n < 200 { "<b>mirror</b>" } else { "web" }})
    });
    folder.write("a.jsonl", json_lines(rows));
    let report = folder.run("out", Rules::default()).unwrap().report;
    let mirror = &report.origins[0];
    assert_eq!(
        (mirror.name.as_str(), mirror.before.rows, mirror.removed.rows, mirror.is_alarm),
        ("<b>mirror</b>", 200, 199, true)
    );
    assert_eq!((report.origins[1].removed.rows, report.cluster_sizes.clone()), (0, [(200, 1)].into()));
    assert!(report.largest_clusters[0].kept_sample.starts_with("<script>"));
    let stored: Value = serde_json::from_slice(&std::fs::read(folder.path("out/report.json")).unwrap()).unwrap();
    assert_eq!(stored["removed"]["rows"], 199);
    let page = std::fs::read_to_string(folder.path("out/report.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("&lt;b&gt;mirror"));
    for mark in ["<script", "<b>", "<i>", "http://", "https://", "\u{202e}", "src="] {
        assert!(!page.contains(mark), "{mark}");
    }
}

/// A file of Python with these names.
fn code(name: &str, number: usize) -> String {
    let line = |n: usize| format!("    {name}{n} = {name} * {number} + others.index({name}, {n})\n");
    format!(
        "import os\n\ndef {name}_of({name}, others):\n{}    return {name}1\n",
        (0..9).map(line).collect::<Vec<_>>().concat()
    )
}

#[test]
fn code_under_other_names_goes_and_a_repository_is_left_whole() {
    let folder = Folder::new();
    let row = |id: &str, text: String, repository: Value| json!({"id": id, "text": text, "language": "Python", "repo": repository});
    let rows = [
        row("original", code("alpha", 3), Value::Null),
        row("renamed", code("be", 3), Value::Null),
        row("in a repository", code("gam", 3), json!("owner/name")),
        row("other numbers", code("alpha", 4), Value::Null),
    ];
    folder.write("a.jsonl", json_lines(rows));
    folder.run("words", Rules::default()).unwrap();
    assert_eq!(folder.written("words").removed, "");
    for levels in [vec![Level::Code], vec![Level::Exact, Level::Near, Level::Code]] {
        let out = format!("{}", levels.len());
        folder.run(&out, Rules { levels: levels.clone(), ..Rules::default() }).unwrap();
        let removed = folder.written(&out).removed_rows();
        assert_eq!(removed.len(), 2, "{removed:?}");
        assert!(removed.iter().all(|row| row.1 == "original" && row.2 == "CODE" && row.3 < 0.8), "{removed:?}");
        let out = format!("{out}-whole");
        let rules = Rules { levels, repository: Some("repo".into()), ..Rules::default() };
        let report = folder.run(&out, rules).unwrap().report;
        assert_eq!((report.reported, report.removed.rows), (1, 1));
        let reported = std::fs::read_to_string(folder.path(&out).join("reported.jsonl")).unwrap();
        assert!(reported.starts_with(r#"{"id":"in a repository","keptId":"original","kind":"CODE","#), "{reported}");
        assert_eq!(folder.written(&out).kept_ids().len(), 3);
    }
}

#[test]
fn other_tools_are_told_in_their_formats() {
    let folder = Folder::new();
    let long = words(0, 60);
    folder.write(
        "a.jsonl",
        lines([("0", &*words(5, 60)), ("none", ""), ("1", &words(100, 160)), ("2", &format!("é {long}"))]),
    );
    folder.write("b.jsonl", lines([("3", &*words(900, 930)), ("4", &format!("É {long} w60"))]));
    let emit = vec![Emit::Datatrove, Emit::Dolma];
    folder.run("out", Rules { emit, ..Rules::default() }).unwrap();
    let removed: Vec<String> = folder.written("out").removed_rows().into_iter().map(|row| row.0).collect();
    assert_eq!(removed, ["0", "2"]);
    let numbers = |name: &str| -> Vec<u32> {
        let bytes = std::fs::read(folder.path("out/datatrove").join(name)).unwrap();
        bytes.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    // Documents of the file as a reader counts them: the empty one is none. Clusters go by the number of their kept row.
    assert_eq!((numbers("000000.remove"), numbers("000001.remove")), (vec![0, 2], vec![]));
    assert_eq!((numbers("000000.clusters"), numbers("000001.clusters")), (vec![0, 5, 2, 5], vec![1, 5]));
    assert_eq!((numbers("000000.sizes"), numbers("000001.sizes")), (vec![0, 3, 2, 3], vec![1, 3]));
    let attributes = |name: &str| std::fs::read_to_string(folder.path("out/attributes/copytrace").join(name)).unwrap();
    assert_eq!(
        attributes("a.jsonl"),
        concat!(
            r#"{"id":"0","attributes":{"copytrace__duplicate":[[0,214,1.0]]}}"#,
            "\n",
            r#"{"id":"none","attributes":{"copytrace__duplicate":[]}}"#,
            "\n",
            r#"{"id":"1","attributes":{"copytrace__duplicate":[]}}"#,
            "\n",
            r#"{"id":"2","attributes":{"copytrace__duplicate":[[0,231,1.0]]}}"#,
            "\n",
        )
    );
    assert_eq!(attributes("b.jsonl").lines().count(), 2);
}

/// Rows as other tools count them: what is no document here may be one there, and the other way round.
#[test]
fn other_tools_are_told_by_their_own_counting() {
    let folder = Folder::new();
    let (long, row) = (words(0, 60), |id: Value, text: &str| json!({"id": id, "text": text}).to_string());
    let rows = [
        format!("\u{feff}{}", row(json!("mark"), &words(200, 230))),
        row(json!(" "), " \n"),
        "{\"id\": \"broken\", \"text\": \"".to_owned(),
        row(json!("too long"), &words(1_000, 2_000)),
        String::new(),
        format!(r#"{{"id": "half a pair", "text": "{}", "title": "\ud800"}}"#, words(300, 330)),
        row(json!(7), &words(1, 60)),
        row(json!("kept"), &long),
        "{\"id\": \"null\", \"text\": null}".to_owned(),
        row(json!("last"), &words(2, 60)),
    ];
    let text = rows.join("\n");
    folder.write("a.jsonl", &text);
    folder.write("deep/b.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    folder.write("deep/c.jsonl", "");
    let rules = Rules { emit: vec![Emit::Datatrove, Emit::Dolma], document_bytes_max: 1_000, ..Rules::default() };
    folder.run("out", rules.clone()).unwrap();
    let removed = |name: &str| std::fs::read(folder.path("out/datatrove").join(name)).unwrap();
    // Counted are the blank text, the one too long, 7, kept and last.
    assert_eq!(removed("000000.remove"), [2, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(removed("000001.remove"), [2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
    assert!(removed("000002.remove").is_empty());
    let packed = std::fs::read(folder.path("out/attributes/copytrace/deep/b.jsonl.zst")).unwrap();
    let attributes = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let ids: Vec<Value> =
        attributes.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(Value::from(ids), json!([null, " ", null, "too long", null, 7, "kept", "null", "last"]));
    // What is weighed stays, here and there.
    folder.run("weighted", Rules { has_weights: true, ..rules }).unwrap();
    assert!(std::fs::read(folder.path("weighted/datatrove/000000.remove")).unwrap().is_empty());
}

#[test]
fn a_plan_says_what_a_pass_would_take() {
    let folder = Folder::new();
    let rows = corpus(11, 200);
    let text = lines(rows.iter().map(|(id, text)| (id.as_str(), text.as_str())));
    folder.write("a.jsonl", &text);
    folder.write("b.jsonl", &text);
    let inputs = [folder.path("input")];
    let found = plan(&inputs, &Rules::default(), Resources::default()).unwrap();
    assert_eq!((found.files, found.rows, found.sampled_rows), (2, 2 * rows.len() as u64, 2 * rows.len() as u64));
    let n_bytes: usize = rows.iter().map(|(_, text)| 2 * text.len()).sum();
    assert_eq!(found.text_bytes, n_bytes as u64);
    assert!(found.equal_share >= 0.5 && found.candidate_share > found.equal_share, "{found:?}");
    assert!(found.seconds > 0.0 && found.work_bytes > 128 * found.rows);
    let rules = Rules { keep_per: Some("nowhere".into()), keep: 0, ..Rules::default() };
    assert!(plan(&inputs, &rules, Resources::default()).is_err());
}
