//! Good and bad input: what is copied, what is refused, what a failure leaves behind.

use std::io::Write as _;

use copytrace::dedup::context::Progress;
#[cfg(feature = "parquet")]
use copytrace::dedup::recipe::Level;
use copytrace::dedup::recipe::{ColumnNames, Rules};
use copytrace::dedup::run::{Stage, dedup};
use copytrace_indexer::Error;

use super::{Folder, lines, words};

#[test]
fn rows_that_stay_are_copied_byte_for_byte() {
    let folder = Folder::new();
    let (text, other) = (words(0, 60), words(100, 160));
    let kept = [
        format!("\u{feff}{{\"text\": \"{text}\",   \"id\":1, \"n\": 1.50e0, \"k\":[1, {{\"z\":null}}]}}\r\n"),
        "\n".to_owned(),
        "this is no JSON\n".to_owned(),
        "  {\"id\": 3, \"text\": \"\"}\n".to_owned(),
        format!("{{\"id\":5,\"text\":\"{other} \\u00e9\\/\"}}"),
    ];
    let gone = format!("{{\"id\":2,\"text\":\"{}\"}}\n", words(0, 57));
    folder.write("deep/er/a.jsonl", format!("{}{}{}{}{gone}{}", kept[0], kept[1], kept[2], kept[3], kept[4]));
    folder.write("b.jsonl", b"{\"id\":9,\"text\":\"bad \xff byte\"}\n{\"id\":10,\"text\":null}\n");
    let outcome = folder.run("out", Rules::default()).unwrap();
    let written = folder.written("out");
    assert_eq!(String::from_utf8(written.kept["deep/er/a.jsonl"].clone()).unwrap(), kept.concat());
    assert_eq!(written.kept["b.jsonl"], b"{\"id\":9,\"text\":\"bad \xff byte\"}\n{\"id\":10,\"text\":null}\n");
    assert_eq!(written.removed_rows().len(), 1);
    let skipped: Vec<(&str, u64)> =
        outcome.report.skipped.iter().map(|(reason, rows)| (reason.as_str(), rows.rows)).collect();
    assert_eq!(skipped, [("empty text", 1), ("invalid UTF-8", 1), ("malformed", 1), ("no text", 1)]);
    let example = &outcome.report.skipped["malformed"].examples[0];
    assert!(example.ends_with("a.jsonl, line 3: not a JSON object: expected one object per line"), "{example}");
    let mut options = folder.options("strict", Rules::default());
    options.resources.is_strict = true;
    let error = dedup(&options, &Progress::default(), &|_| ()).unwrap_err();
    assert!(matches!(error, Error::Row { row: 1, .. }), "{error}");
}

#[test]
fn compressed_files_stay_compressed() {
    let text = lines([("1", &*words(0, 60)), ("2", &words(0, 58)), ("3", &words(100, 160))]);
    let kept = lines([("1", &*words(0, 60)), ("3", &words(100, 160))]);
    let folder = Folder::new();
    folder.write("a.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    folder.run("out", Rules::default()).unwrap();
    let written = folder.written("out");
    // Of one frame: many readers stop after the first.
    let mut frame = zstd::stream::read::Decoder::new(&written.kept["a.jsonl.zst"][..]).unwrap().single_frame();
    let mut back = String::new();
    std::io::Read::read_to_string(&mut frame, &mut back).unwrap();
    assert_eq!(back, kept);
}

#[test]
fn an_empty_file_stays_empty() {
    let folder = Folder::new();
    folder.write("a.jsonl", "");
    folder.write("b.jsonl", "\n\n");
    folder.run("out", Rules::default()).unwrap();
    let written = folder.written("out");
    assert_eq!((&written.kept["a.jsonl"][..], &written.kept["b.jsonl"][..]), (&b""[..], &b"\n\n"[..]));
}

#[test]
fn files_of_one_name_do_not_overwrite_each_other() {
    let folder = Folder::new();
    folder.write("x/a.jsonl", lines([("1", "one two")]));
    folder.write("y/a.jsonl", lines([("2", "three four")]));
    let mut options = folder.options("out", Rules::default());
    options.inputs = vec![folder.path("input/x/a.jsonl"), folder.path("input/y/a.jsonl")];
    dedup(&options, &Progress::default(), &|_| ()).unwrap();
    assert_eq!(folder.written("out").kept.len(), 2);
}

/// What is told of input that cannot be used, and that nothing half done is left.
#[test]
fn a_failure_is_told_and_leaves_no_half_file() {
    let good = lines([("1", &*words(0, 60)), ("2", &words(0, 60))]);
    let whole = zstd::encode_all(good.repeat(3_000).as_bytes(), 1).unwrap();
    for (name, bytes, rules, expected) in [
        ("z.jsonl.zst", whole[..whole.len() / 2].to_vec(), Rules::default(), "the zstd stream ends early"),
        ("z.jsonl.zst", vec![7; 100], Rules::default(), "the zstd stream is damaged"),
        (
            "z.jsonl",
            good.clone().into_bytes(),
            Rules { columns: ColumnNames { text: Some("body".into()), ..ColumnNames::default() }, ..Rules::default() },
            "no text column `body`",
        ),
    ] {
        let folder = Folder::new();
        folder.write("a.jsonl", &good);
        folder.write(name, bytes);
        let error = folder.run("out", rules).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(folder.written("out").kept.len(), 0);
    }
}

/// What was done before a file went away stays done.
#[test]
fn a_file_that_goes_away_is_named() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines([("1", &*words(0, 60)), ("2", &words(0, 58))]));
    folder.write("b.jsonl", lines([("3", &*words(100, 160))]));
    let path = folder.path("input/b.jsonl");
    let bytes = std::fs::read(&path).unwrap();
    for gone_at in [Stage::Sign, Stage::Apply] {
        let options = folder.options(gone_at.name(), Rules::default());
        let remove = |stage| {
            if stage == gone_at {
                std::fs::remove_file(&path).unwrap();
            }
        };
        let error = dedup(&options, &Progress::default(), &remove).unwrap_err();
        assert!(
            matches!(error, Error::Io { operation: "open", .. }) && error.to_string().contains("b.jsonl"),
            "{error}"
        );
        assert!(!folder.written(gone_at.name()).kept.contains_key("b.jsonl"));
        let is_signed = folder.path(gone_at.name()).join("work/sign-00000.receipt").try_exists().unwrap();
        assert_eq!(is_signed, gone_at == Stage::Apply);
        std::fs::write(&path, &bytes).unwrap();
        let mut stages = std::sync::Mutex::new(0);
        dedup(&options, &Progress::default(), &|_| *stages.lock().unwrap() += 1).unwrap();
        assert_eq!((*stages.get_mut().unwrap(), folder.written(gone_at.name()).kept.len()), (5, 2));
    }
}

#[test]
fn an_input_that_changes_between_stages_is_noticed() {
    let folder = Folder::new();
    let rows = lines([("1", &*words(0, 60)), ("2", &words(0, 58))]);
    folder.write("a.jsonl", &rows);
    let options = folder.options("out", Rules::default());
    let change = |stage| {
        if stage == Stage::Apply {
            let mut file = std::fs::OpenOptions::new().write(true).open(folder.path("input/a.jsonl")).unwrap();
            file.write_all(b"{\"id\":\"9\"").unwrap();
        }
    };
    let error = dedup(&options, &Progress::default(), &change).unwrap_err().to_string();
    assert!(error.contains("changed since it was signed"), "{error}");
    assert_eq!(folder.written("out").kept.len(), 0);
}

/// Rows of Parquet go as rows of JSON lines do.
#[cfg(feature = "parquet")]
#[test]
fn parquet_stays_parquet() {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    let sharing = words(300, 330) + " " + &words(100, 140);
    let texts = [words(0, 60), words(0, 58), words(100, 160), words(0, 60), sharing];
    let qualities = [0.5, 0.75, 0.25, 0.125, 0.0625];
    let schema = "message row { required binary id (UTF8); required binary text (UTF8); required double q; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut writer = parquet::file::writer::SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let ids: Vec<ByteArray> = (0..5).map(|n: u8| ByteArray::from(n.to_string().into_bytes())).collect();
    let text_values: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(text.clone().into_bytes())).collect();
    for values in [ids, text_values] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&qualities, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let folder = Folder::new();
    folder.write("a.parquet", writer.into_inner().unwrap());
    let rules = Rules { prefer: "q desc".into(), ..Rules::default() };
    folder.run("out", rules.clone()).unwrap();
    let read = |out: &str| -> Vec<String> {
        let reader = SerializedFileReader::try_from(folder.path(out).join("kept/a.parquet").as_path()).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
    };
    let rows = read("out");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[0].contains(r#"id: "1""#) && rows[1].contains(r#"id: "2""#), "{rows:?}");
    let removed = folder.written("out").removed_rows();
    let names: Vec<(&str, &str)> = removed.iter().map(|(id, kept, ..)| (id.as_str(), kept.as_str())).collect();
    assert_eq!(names, [("0", "1"), ("3", "1")]);
    // A passage is cut out of the text alone.
    let levels = vec![Level::Exact, Level::Near, Level::Passage];
    folder.run("cut", Rules { levels, passage_words: 20, ..rules.clone() }).unwrap();
    let cut = read("cut");
    assert_eq!(cut[..2], rows[..2]);
    assert_eq!(cut[2], rows[2].replace(&words(100, 140), ""));
    let error = folder.run("missing", Rules { keep_per: Some("nowhere".into()), ..rules }).unwrap_err().to_string();
    assert!(error.contains("`nowhere`") && error.contains("its columns are `id`, `text`, `q`"), "{error}");
    let columns = ColumnNames { text: Some("body".into()), ..ColumnNames::default() };
    let error = folder.run("no-text", Rules { columns, ..Rules::default() }).unwrap_err().to_string();
    assert!(error.contains("no text column `body`") && error.contains("a.parquet"), "{error}");
    assert_eq!(folder.written("no-text").kept.len(), 0);
}

/// A name that is mistyped would change what stays.
#[test]
fn a_column_that_no_row_has_is_an_error() {
    let folder = Folder::new();
    folder.write("a.jsonl", "{\"id\":\"1\",\"text\":\"one\",\"q\":1}\n{\"id\":\"2\",\"text\":\"two\"}\n");
    for (rules, missing) in [
        (Rules { prefer: "q desc, qualty desc".into(), ..Rules::default() }, "qualty"),
        (Rules { keep_per: Some("sorce".into()), ..Rules::default() }, "sorce"),
        (Rules { repository: Some("repo_nam".into()), keep_per: Some("q".into()), ..Rules::default() }, "repo_nam"),
    ] {
        let error = folder.run(missing, rules).unwrap_err().to_string();
        assert!(error.contains(&format!("`{missing}`")) && error.contains("some row has"), "{error}");
    }
    folder.run("out", Rules { prefer: "q desc, length desc".into(), ..Rules::default() }).unwrap();
}

#[test]
fn one_folder_holds_the_output_of_one_pass() {
    let folder = Folder::new();
    folder.write("a.jsonl", lines([("1", "one two three four five six")]));
    folder.run("out", Rules::default()).unwrap();
    // Another work folder, so that nothing else tells.
    let mut options = folder.options("out", Rules { keep: 2, ..Rules::default() });
    options.work = Some(folder.path("work"));
    let error = dedup(&options, &Progress::default(), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("another pass") && error.contains("kept"), "{error}");
    // What a pass wrote is not read by another.
    let mut options = folder.options("input/second", Rules::default());
    std::fs::rename(folder.path("out"), folder.path("input/first")).unwrap();
    let error = dedup(&options, &Progress::default(), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("first") && error.contains("the output of another pass"), "{error}");
    // Nothing to read is no success.
    options.out = folder.path("input");
    std::fs::remove_dir_all(folder.path("input/first")).unwrap();
    let error = dedup(&options, &Progress::default(), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("nothing to read"), "{error}");
}
