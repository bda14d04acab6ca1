//! The readers together: every format gives the same documents, and nothing in a file can make them panic.

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::columns::{ColumnOptions, Columns};
use super::input::{Compression, Format, InputFile, discover};
use super::options::ReadOptions;
use super::reader::{Reader, resolve_mapping};
use super::{Document, Row, SkipReason};
use crate::error::{Error, Result};

/// A folder with some files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().expect("within the folder")).expect("a folder");
        fs_err::write(path, bytes).expect("a file");
    }
    folder
}

fn read(paths: &[PathBuf], options: &ReadOptions) -> Vec<Result<Row>> {
    Reader::new(discover(paths).expect("something to read").files, options.clone()).collect()
}

fn read_bytes(name: &str, bytes: &[u8]) -> Vec<Result<Row>> {
    let folder = folder(&[(name, bytes)]);
    read(&[folder.path().join(name)], &ReadOptions::default())
}

/// Ids and texts of the documents; what is no document is an error of the test.
fn documents(rows: Vec<Result<Row>>) -> Vec<(String, String)> {
    let document = |row| match row {
        Ok(Row::Document(document)) => {
            let Document { id, text, .. } = *document;
            (id, text)
        }
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(document).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

/// Cuts into `n` pieces, compresses each, and joins them.
fn compress_in(n: usize, bytes: &[u8], compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    bytes.chunks(bytes.len().div_ceil(n)).flat_map(compress).collect()
}

/// Documents with everything that JSON escapes and files do not.
fn generate(n: usize) -> Vec<(String, String)> {
    let pieces = [
        "plain words ",
        "\"quoted\" ",
        "line\nbreak\r\n",
        "back\\slash ",
        "tab\t",
        "\u{1f600}",
        "żółć ",
        "日本語",
        "\u{2028}",
        "\u{7f}",
        "\u{1}",
        "e\u{301} ",
        "</script> ",
        "{\"text\": 1} ",
        "\u{10ffff}",
        "\u{feff}",
    ];
    let document = |i: usize| {
        let mut text = format!("document {i}: ");
        let mut state = i as u64 + 1;
        for _ in 0..i % 40 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[usize::try_from(state >> 60).expect("4 bits")]);
        }
        if i.is_multiple_of(97) {
            text.push('\0');
        }
        (format!("d{:02}/{i:05}.txt", i % 100), text)
    };
    (0..n).map(document).collect()
}

/// Writes JSON lines; every third row escapes all that is not ASCII, and metadata is there in several ways or not at
/// all.
fn to_json_lines(documents: &[(String, String)]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (i, (id, text)) in documents.iter().enumerate() {
        let mut text = serde_json::to_string(text).expect("a text");
        if i % 3 == 0 {
            text = escape_non_ascii(&text);
        }
        let id = serde_json::to_string(id).expect("a text");
        let written = match i % 4 {
            0 => writeln!(lines, "{{\"id\":{id},\"text\":{text}}}"),
            1 => write!(lines, "{{\"metadata\":{{}},\"text\":{text},\"id\":{id}}}\r\n"),
            2 => writeln!(lines, " {{ \"text\" : {text} , \"id\" : {id}, \"metadata\": null }} "),
            _ => writeln!(lines, "{{\"x\":[{{\"text\":1}}],\"id\":{id},\"text\":{text},\"metadata\":{{\"a\":\"b\"}}}}"),
        };
        written.expect("memory");
    }
    lines
}

fn escape_non_ascii(json: &str) -> String {
    let mut escaped = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            _ => std::fmt::Write::write_fmt(&mut escaped, format_args!("\\u{unit:04x}")).expect("memory"),
        }
    }
    escaped
}

#[test]
fn every_format_gives_the_same_documents() {
    let expected = generate(10_000);
    let lines = to_json_lines(&expected);
    for (name, bytes) in [
        ("a.jsonl", lines.clone()),
        ("a.ndjson", [b"\xef\xbb\xbf", &lines[..]].concat()),
        ("a.jsonl.gz", compress_in(2, &lines, gzip)),
        ("a.jsonl.zst", compress_in(3, &lines, zstd)),
        ("a.json.gz", gzip(&lines)),
        ("a.ndjson.zst", zstd(&lines)),
    ] {
        assert_eq!(documents(read_bytes(name, &bytes)), expected, "{name}");
    }
    #[cfg(feature = "parquet")]
    assert_eq!(documents(read_bytes("a.parquet", &super::parquet::tests::write_documents(&expected))), expected);

    let tree = tempfile::tempdir().expect("a temporary folder");
    for (id, text) in &expected {
        let path = tree.path().join(id);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs_err::write(path, text).expect("a file");
    }
    let mut expected = expected;
    expected.sort_unstable();
    let (binary, text): (Vec<_>, Vec<_>) = expected.into_iter().partition(|(_, text)| text.contains('\0'));
    let mut found = Vec::new();
    let mut n_binary = 0;
    for row in read(&[tree.path().to_path_buf()], &ReadOptions::default()) {
        match row.expect("readable") {
            Row::Document(document) => found.push((document.id, document.text)),
            Row::Skipped(skipped) => n_binary += usize::from(skipped.reason == SkipReason::Binary),
        }
    }
    assert_eq!((found, n_binary), (text, binary.len()));
}

#[test]
fn rows_that_cannot_be_used_are_yielded_with_number_and_reason() {
    let lines = b"{\"text\":\"a\"}\n\n{\"text\":\"b\n{\"id\":\"x\"}\n{\"text\":\" \"}\n{\"text\":\"c\xff\"}\n[]\n{\"text\":\"123456789\"}\n\
        {\"text\":\"d\",\"id\":\"\"}\n{\"text\":\"\\ud800\"}\n{\"text\":\"e\",\"id\":7}";
    let folder = folder(&[("a.jsonl", lines)]);
    let options = ReadOptions { document_bytes_max: 8, ..ReadOptions::default() };
    let found: Vec<_> = read(&[folder.path().join("a.jsonl")], &options)
        .into_iter()
        .map(|row| match row.expect("readable") {
            Row::Document(document) => {
                format!("{} = {}", document.id.rsplit('/').next().unwrap_or_default(), document.text)
            }
            Row::Skipped(skipped) => format!("{} {}: {}", skipped.row, skipped.reason.name(), skipped.reason),
        })
        .collect();
    let expected = [
        "a.jsonl:1 = a",
        "3 malformed: broken JSON at byte 10 of the line: EOF while parsing a string",
        "4 no text: no text: the text column is missing or null",
        "5 empty text: empty text",
        "6 invalid UTF-8: invalid UTF-8 at byte 10 of the row: expected UTF-8 text",
        "7 malformed: not a JSON object: expected one object per line",
        "8 too long: text of 9 bytes: expected at most 8",
        "9 malformed: column `id` is empty: expected an id",
        "10 malformed: broken JSON at byte 16 of the line: unexpected end of hex escape",
        "7 = e",
    ];
    assert_eq!(found, expected);
}

#[test]
fn options_choose_columns_and_shard() {
    let line =
        br#"{"body":"x","meta":{"key":5,"lic":["MIT","ISC"],"pkg":"p"},"repo":"r","s":null,"file":"a.rs","text":"no"}"#;
    let columns = |list| Columns::parse(list).ok();
    let options = ReadOptions {
        columns: ColumnOptions {
            text: columns("body"),
            id: columns("uid,meta.key"),
            license: columns("meta.lic"),
            origin: columns("meta.pkg,repo"),
            path: columns("file"),
            shard: columns("s"),
            ..ColumnOptions::default()
        },
        shard: Some("shard-7".to_owned()),
        ..ReadOptions::default()
    };
    let folder = folder(&[("a.jsonl", line)]);
    let paths = [folder.path().join("a.jsonl")];
    let mut reader = Reader::new(discover(&paths).expect("a file").files, options.clone());
    let Some(Ok(Row::Document(document))) = reader.next() else { panic!("no document") };
    let found = document.attributes;
    assert_eq!((document.id.as_str(), document.text.as_str()), ("5", "x"));
    assert_eq!((found.license.as_str(), found.origin.as_str()), ("MIT OR ISC", "p"));
    assert_eq!((found.uri.as_str(), found.shard.as_str(), found.language.as_str()), ("a.rs", "shard-7", "rust"));
    let shown = "text = body, id = meta.key, license = meta.lic, origin = meta.pkg or repo, path = file, shard = s";
    assert_eq!(reader.mappings()[0].mapping.to_string(), shown);
    let file = &discover(&paths).expect("a file").files[0];
    assert_eq!(
        resolve_mapping(file, &options.columns).expect("readable").map(|m| m.to_string()).as_deref(),
        Some(shown)
    );
}

#[test]
fn guessed_columns_must_have_the_right_type_in_some_row() {
    let check = |rows: &[&str], expected: &str| {
        let folder = folder(&[("a.jsonl", rows.join("\n").as_bytes())]);
        let files = discover(&[folder.path().to_path_buf()]).expect("a file").files;
        let mapping = resolve_mapping(&files[0], &ColumnOptions::default());
        assert_eq!(mapping.expect("a text column").map(|mapping| mapping.to_string()).as_deref(), Some(expected));
    };
    check(&[r#"{"text":"a","id":{"$oid":"x"},"hexsha":"h","source":{"name":"s"}}"#], "text = text, id = hexsha");
    check(&[r#"{"text":["chat"],"content":"a","license":["MIT"]}"#], "text = content, license = license");
    check(&[r#"{"text":"a","id":1.5,"url":null}"#, r#"{"text":5,"id":7}"#], "text = text, id = id, uri = url");
}

#[test]
fn a_column_that_no_row_has_is_an_error_of_the_file() {
    let check = |lines: &str, columns: ColumnOptions, expected: Option<&str>| {
        let folder = folder(&[("a.jsonl", lines.as_bytes()), ("b.jsonl", br#"{"text":"b","uid":1}"#)]);
        let options = ReadOptions { columns, ..ReadOptions::default() };
        let rows = read(&[folder.path().to_path_buf()], &options);
        let found = rows.iter().find_map(|row| row.as_ref().err().map(ToString::to_string));
        match (&found, expected) {
            (Some(found), Some(expected)) => assert!(found.ends_with(expected), "{found}"),
            (found, expected) => assert_eq!(found.as_deref(), expected),
        }
        // The next file is read all the same.
        assert!(matches!(rows.last(), Some(Ok(Row::Document(document))) if document.text == "b"));
    };
    let uid = || ColumnOptions { id: Columns::parse("uid").ok(), ..ColumnOptions::default() };
    let row = "{\"text\":\"a\"}\n";
    check(
        "{\"body\":\"a\",\"m\":{\"k\":1}}\n{\"x\":1}",
        ColumnOptions::default(),
        Some("its columns are `body`, `m.k`, `x`"),
    );
    check("{}", ColumnOptions::default(), Some("its columns are ``"));
    check(
        row,
        uid(),
        Some("no id column `uid` in `PATH`: its columns are `text`".split("PATH").nth(1).expect("two parts")),
    );
    check(&format!("{}{{\"text\":\"a\",\"uid\":1}}", row.repeat(99)), uid(), None);
    check(&format!("{}{{\"text\":\"a\",\"uid\":1}}", row.repeat(100)), uid(), Some("its columns are `text`"));
    check("{\"text\":\"a\",\"uid\":null}", uid(), None);
    // Where nothing can be parsed, the rows say so.
    check("broken\n", uid(), None);
    check("", uid(), None);
}

#[test]
fn damaged_streams_end_with_an_error_after_their_rows() {
    let documents = generate(2_000);
    let lines = to_json_lines(&documents);
    for (name, whole, expected) in [
        ("a.jsonl.gz", compress_in(2, &lines, gzip), "gzip stream ends early after line "),
        ("a.jsonl.zst", compress_in(3, &lines, zstd), "zstd stream ends early after line "),
    ] {
        let cut = &whole[..whole.len() - whole.len() / 3];
        let folder = folder(&[(name, cut), ("b.jsonl", b"{\"text\":\"b\",\"id\":\"b\"}")]);
        let mut rows = read(&[folder.path().to_path_buf()], &ReadOptions::default());
        let last = rows.pop().expect("b.jsonl");
        assert!(matches!(last, Ok(Row::Document(document)) if document.id == "b"));
        let Some(Err(error @ Error::Input { .. })) = rows.pop() else { panic!("{name}: no error") };
        assert!(error.to_string().contains(expected) && error.to_string().contains(name), "{error}");
        let found = self::documents(rows);
        assert!(
            found.len() > 500 && found.len() < 2_000 && found == documents[..found.len()],
            "{name}: {}",
            found.len()
        );
        for (damage, is_error) in
            [(b"".to_vec(), true), ([&whole[..], b"garbage"].concat(), true), (whole.clone(), false)]
        {
            let rows = read_bytes(name, &damage);
            assert_eq!(rows.iter().any(Result::is_err), is_error, "{name}: {} bytes", damage.len());
        }
    }
}

#[test]
fn files_are_read_in_the_order_of_their_names() {
    let folder = folder(&[
        ("data/2.jsonl", b"{\"text\":\"2\"}"),
        ("data/10.jsonl", b"{\"text\":\"10\"}"),
        ("tree/x.py", b"x"),
        ("single.txt", b"s"),
    ]);
    let mut paths: Vec<PathBuf> =
        ["tree", "data", "single.txt", "data/2.jsonl"].iter().map(|p| folder.path().join(p)).collect();
    let texts = |paths: &[PathBuf]| -> Vec<String> {
        documents(read(paths, &ReadOptions::default())).into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(texts(&paths), ["10", "2", "s", "x"]);
    paths.reverse();
    assert_eq!(texts(&paths), ["10", "2", "s", "x"]);
}

#[test]
fn progress_grows_in_stored_bytes_to_the_whole() {
    let lines = to_json_lines(&generate(5_000));
    let folder =
        folder(&[("a.jsonl.gz", &gzip(&lines)), ("b.jsonl", &lines), ("c.jsonl", b"broken"), ("d.jsonl.gz", b"x")]);
    let files = discover(&[folder.path().to_path_buf()]).expect("files").files;
    let input_bytes: u64 = files.iter().map(|file| file.file_bytes).sum();
    let mut reader = Reader::new(files, ReadOptions::default());
    let progress = reader.progress();
    let mut last = progress.now();
    let mut n_steps = 0;
    while reader.next().is_some() {
        let now = progress.now();
        assert!(now.input_bytes_done >= last.input_bytes_done && now.files_done >= last.files_done);
        n_steps += u32::from(now.input_bytes_done > last.input_bytes_done);
        last = now;
    }
    drop(reader);
    let now = progress.now();
    assert_eq!((now.files_done, now.files), (4, 4));
    assert_eq!((now.input_bytes_done, now.input_bytes), (input_bytes, input_bytes));
    assert!(n_steps > 3, "{n_steps}");
}

#[test]
fn a_reader_can_move_to_another_thread() {
    let folder = folder(&[("a.jsonl", b"{\"text\":\"a\"}")]);
    let reader = Reader::new(discover(&[folder.path().to_path_buf()]).expect("a file").files, ReadOptions::default());
    let progress = reader.progress();
    let n_rows = std::thread::spawn(move || reader.count()).join().expect("no panic");
    assert_eq!((n_rows, progress.now().files_done), (1, 1));
}

#[test]
fn a_missing_file_is_an_error_and_the_others_are_read() {
    let folder = folder(&[("a.jsonl", b"{\"text\":\"a\"}"), ("b.jsonl", b"{\"text\":\"b\"}")]);
    let files = discover(&[folder.path().to_path_buf()]).expect("files").files;
    fs_err::remove_file(&files[0].path).expect("removable");
    let rows: Vec<_> = Reader::new(files, ReadOptions::default()).collect();
    assert!(matches!(&rows[..], [Err(Error::Io { .. }), Ok(Row::Document(_))]), "{rows:?}");
}

/// Reads bytes as a file of a format; at most so many rows, as a forged Parquet file can have billions of nulls.
fn survive(format: Format, name: &str, bytes: &[u8]) {
    let folder = folder(&[(name, bytes)]);
    let file = |path: &Path| InputFile {
        path: path.to_path_buf(),
        name: name.to_owned(),
        id: name.to_owned(),
        format,
        file_bytes: bytes.len() as u64,
        root: None,
    };
    let reader = Reader::new(vec![file(&folder.path().join(name))], ReadOptions::default());
    assert!(reader.take(10_000).filter(Result::is_err).count() <= 1);
}

const FORMATS: [(Format, &str); 5] = [
    (Format::JsonLines(Compression::None), "a.jsonl"),
    (Format::JsonLines(Compression::Gzip), "a.jsonl.gz"),
    (Format::JsonLines(Compression::Zstd), "a.jsonl.zst"),
    (Format::Parquet, "a.parquet"),
    (Format::Plain, "a.txt"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), format in 0..FORMATS.len()) {
        let (format, name) = FORMATS[format];
        survive(format, name, &bytes);
        // With the right first and last bytes, so that the readers get further.
        let magic: (&[u8], &[u8]) = match format {
            Format::JsonLines(Compression::None) => (b"{\"text\":\"", b"\"}"),
            Format::JsonLines(Compression::Gzip) => (b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b""),
            Format::JsonLines(Compression::Zstd) => (b"\x28\xb5\x2f\xfd", b""),
            Format::Parquet => (b"PAR1", b"\x40\0\0\0PAR1"),
            Format::Plain => (b"\xef\xbb\xbf", b""),
        };
        survive(format, name, &[magic.0, &bytes, magic.1].concat());
    }

    #[test]
    fn damaged_files_never_panic(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4), format in 0..4_usize) {
        let lines = to_json_lines(&generate(50));
        let (format, name) = FORMATS[format];
        let mut bytes = match format {
            Format::JsonLines(Compression::Gzip) => compress_in(2, &lines, gzip),
            Format::JsonLines(Compression::Zstd) => compress_in(2, &lines, zstd),
            _ => lines,
        };
        for (position, byte) in damage {
            let length = bytes.len();
            bytes[position % length] = byte;
        }
        survive(format, name, &bytes);
    }

    /// Any text and id come through JSON lines as they are.
    #[test]
    fn texts_come_through_unchanged(rows in proptest::collection::vec(("\\PC{1,20}", any::<String>()), 1..20)) {
        let expected: Vec<(String, String)> = rows.into_iter().filter(|(_, text)| !text.trim().is_empty()).collect();
        let lines = to_json_lines(&expected);
        prop_assert_eq!(documents(read_bytes("a.jsonl", &lines)), expected);
    }
}
