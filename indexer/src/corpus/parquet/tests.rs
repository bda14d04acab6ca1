//! Parquet files as writers make them, and as nobody should.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type as ArrowInt32;
use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, StringViewArray, StructArray, UInt64Array,
};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use proptest::prelude::*;

use super::super::columns::{ColumnOptions, Columns};
use super::super::input::discover;
use super::super::options::ReadOptions;
use super::super::reader::Reader;
use super::super::{Document, SkipReason};
use super::thrift::{I32, Walk};
use super::*;

fn write(columns: Vec<(&str, ArrayRef)>, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.expect("columns of equal length");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).expect("a schema");
    writer.write(&batch).expect("memory");
    writer.into_inner().expect("memory")
}

/// Writes ids and texts, in several row groups and pages.
pub(in super::super) fn write_documents(documents: &[(String, String)]) -> Vec<u8> {
    let ids = StringArray::from_iter_values(documents.iter().map(|(id, _)| id));
    let texts = StringArray::from_iter_values(documents.iter().map(|(_, text)| text));
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(3_000))
        .set_data_page_row_count_limit(700)
        .set_write_batch_size(100)
        .set_compression(Compression::SNAPPY);
    write(vec![("text", Arc::new(texts)), ("id", Arc::new(ids))], properties)
}

fn read(bytes: &[u8], columns: ColumnOptions) -> Vec<Result<Row>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.parquet");
    fs_err::write(&path, bytes).expect("a file");
    let options = ReadOptions { columns, ..ReadOptions::default() };
    Reader::new(discover(&[path]).expect("a file").files, options).take(100_000).collect()
}

fn documents(bytes: &[u8]) -> Vec<Document> {
    let document = |row| match row {
        Ok(Row::Document(document)) => *document,
        other => panic!("{other:?}"),
    };
    read(bytes, ColumnOptions::default()).into_iter().map(document).collect()
}

fn error_of(rows: &[Result<Row>]) -> String {
    rows.iter().find_map(|row| row.as_ref().err()).map(ToString::to_string).unwrap_or_default()
}

#[test]
fn texts_of_every_arrow_type_codec_encoding_and_version_are_read() {
    let texts: Vec<String> = (0..500).map(|i| format!("text {} {}", i / 3, "żółć \0".repeat(i % 7))).collect();
    let arrays: [ArrayRef; 5] = [
        Arc::new(StringArray::from_iter_values(&texts)),
        Arc::new(LargeStringArray::from_iter_values(&texts)),
        Arc::new(StringViewArray::from_iter_values(&texts)),
        Arc::new(BinaryArray::from_iter_values(&texts)),
        Arc::new(texts.iter().map(String::as_str).collect::<DictionaryArray<ArrowInt32>>()),
    ];
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(parquet::basic::GzipLevel::default()),
        Compression::ZSTD(parquet::basic::ZstdLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ];
    let encodings =
        [None, Some(Encoding::PLAIN), Some(Encoding::DELTA_LENGTH_BYTE_ARRAY), Some(Encoding::DELTA_BYTE_ARRAY)];
    for array in arrays {
        for codec in codecs {
            for encoding in encodings {
                for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                    let mut properties = WriterProperties::builder()
                        .set_compression(codec)
                        .set_writer_version(version)
                        .set_data_page_row_count_limit(90)
                        .set_write_batch_size(30)
                        .set_dictionary_enabled(encoding.is_none());
                    if let Some(encoding) = encoding {
                        properties = properties.set_encoding(encoding);
                    }
                    let found = documents(&write(vec![("text", Arc::clone(&array))], properties));
                    let found: Vec<&str> = found.iter().map(|document| document.text.as_str()).collect();
                    assert!(found == texts, "{} {codec:?} {encoding:?} {version:?}", array.data_type());
                }
            }
        }
    }
}

/// Integers, lists and nested columns.
fn with_lists(version: WriterVersion) -> Vec<u8> {
    let mut licenses = ListBuilder::new(StringBuilder::new());
    licenses.append_value([Some("MIT"), None, Some("Apache-2.0")]);
    licenses.append_null();
    licenses.append_value(Vec::<Option<&str>>::new());
    licenses.append_value([Some("unknown"), Some("ISC")]);
    let licenses: ArrayRef = Arc::new(licenses.finish());
    let urls: ArrayRef = Arc::new(StringArray::from(vec![Some("u0"), None, Some("u2"), None]));
    let source: ArrayRef = Arc::new(StringArray::from(vec![Some("s0"), Some("s1"), None, None]));
    let metadata = StructArray::from(vec![
        (Arc::new(Field::new("url", DataType::Utf8, true)), urls),
        (Arc::new(Field::new("licenses", licenses.data_type().clone(), true)), licenses),
        (Arc::new(Field::new("source", DataType::Utf8, true)), source),
    ]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("score", Arc::new(Float64Array::from(vec![0.5; 4]))),
        ("text", Arc::new(StringArray::from(vec!["a", "b", "c", "d"]))),
        ("id", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), None, Some(3)]))),
        ("metadata", Arc::new(metadata)),
    ];
    write(columns, WriterProperties::builder().set_writer_version(version))
}

#[test]
fn ids_lists_and_nested_columns_are_read() {
    let found: Vec<String> = documents(&with_lists(WriterVersion::PARQUET_1_0))
        .iter()
        .map(|Document { id, attributes, .. }| {
            let id = id.rsplit('/').next().unwrap_or_default();
            format!("{id} {} {} {}", attributes.uri, attributes.license, attributes.origin)
        })
        .collect();
    assert_eq!(found, ["18446744073709551615 u0 MIT OR Apache-2.0 s0", "0   s1", "a.parquet:3 u2  ", "3  ISC "]);
}

#[test]
fn rows_without_text_and_bytes_that_are_no_text_are_skipped() {
    let texts = BinaryArray::from_opt_vec(vec![Some(b"a"), None, Some(b"b\xff"), Some(b" "), Some(b"c")]);
    let rows = read(&write(vec![("content", Arc::new(texts))], WriterProperties::builder()), ColumnOptions::default());
    let reasons: Vec<_> = rows
        .into_iter()
        .filter_map(|row| match row.expect("readable") {
            Row::Skipped(skipped) => Some((skipped.row, skipped.reason)),
            Row::Document(_) => None,
        })
        .collect();
    assert_eq!(reasons, [(2, SkipReason::NoText), (3, SkipReason::InvalidUtf8(1)), (4, SkipReason::EmptyText)]);
}

#[test]
fn columns_that_are_missing_or_of_another_type_are_errors_of_the_file() {
    let file = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("body", Arc::new(StringArray::from(vec!["a"]))),
            ("n", Arc::new(Int64Array::from(vec![1]))),
            ("score", Arc::new(Float64Array::from(vec![0.5]))),
        ]
    };
    let columns = |list| Columns::parse(list).ok();
    for (options, expected) in [
        (ColumnOptions::default(), "no text column `text,content,code,raw_content`"),
        (
            ColumnOptions { text: columns("n"), ..ColumnOptions::default() },
            "text column `n` has integers: expected text",
        ),
        (
            ColumnOptions { text: columns("body"), id: columns("score"), ..ColumnOptions::default() },
            "id column `score` has DOUBLE values: expected text or integers",
        ),
        (
            ColumnOptions { text: columns("body"), uri: columns("url"), ..ColumnOptions::default() },
            "its columns are `body`, `n`, `score`",
        ),
    ] {
        let error = error_of(&read(&write(file(), WriterProperties::builder()), options));
        assert!(error.contains(expected), "{error}");
    }
    let options = ColumnOptions { text: columns("body"), id: columns("n"), ..ColumnOptions::default() };
    assert!(matches!(&read(&write(file(), WriterProperties::builder()), options)[..], [Ok(Row::Document(_))]));
}

#[test]
fn a_truncated_file_is_an_error() {
    let documents: Vec<(String, String)> = (0..100).map(|i| (i.to_string(), format!("text {i}"))).collect();
    let bytes = write_documents(&documents);
    for length in 0..bytes.len() {
        let rows = read(&bytes[..length], ColumnOptions::default());
        assert!(matches!(&rows[..], [Err(Error::Input { .. })]), "cut to {length}: {rows:?}");
    }
}

/// One column of texts, with long statistics in its page headers, which leave room to forge.
fn with_long_headers(encoding: Option<Encoding>, codec: Compression) -> Vec<u8> {
    let texts = StringArray::from_iter_values((0..100).map(|i| format!("{}{i}", "long text ".repeat(20))));
    let mut properties = WriterProperties::builder()
        .set_write_page_header_statistics(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(None)
        .set_dictionary_enabled(encoding.is_none());
    if let Some(encoding) = encoding {
        properties = properties.set_encoding(encoding);
    }
    write(vec![("text", Arc::new(texts))], properties.set_compression(codec))
}

/// Writes an integer as the protocol does.
fn put_i32(bytes: &mut Vec<u8>, value: i32) {
    let mut zigzag = u64::try_from(i64::from(value) << 1).expect("not negative");
    while zigzag >= 0x80 {
        bytes.push(u8::try_from(zigzag & 0x7f).expect("7 bits") | 0x80);
        zigzag >>= 7;
    }
    bytes.push(u8::try_from(zigzag).expect("7 bits"));
}

/// Replaces the first page's header by one that states other numbers, padded to the old one's length.
fn forge(bytes: &mut [u8], page_type: i32, page_bytes: Option<i32>, n_values: i32) {
    let start = 4;
    let mut walk = Walk::new(&bytes[start..]);
    let mut last_id = 0;
    let mut lengths = [0; 4];
    while let Some((id, value)) = walk.field(&mut last_id).expect("a header") {
        match (id, value) {
            (2 | 3, I32) => {
                let length = i32::try_from(walk.zigzag().expect("a length")).expect("32 bits");
                lengths[usize::try_from(id).expect("2 or 3")] = length;
            }
            _ => walk.skip(value).expect("a value"),
        }
    }
    let old_bytes = walk.position();
    let mut header = Vec::new();
    for value in [page_type, page_bytes.unwrap_or(lengths[2]), lengths[3]] {
        header.push(0x15);
        put_i32(&mut header, value);
    }
    // Data page header in field 5: values, encoding, encodings of levels. Dictionary page header in field 7: values,
    // encoding.
    header.push(if page_type == 0 { 0x2c } else { 0x4c });
    header.push(0x15);
    put_i32(&mut header, n_values);
    header.extend(if page_type == 0 { &[0x15, 0, 0x15, 6, 0x15, 6, 0][..] } else { &[0x15, 0, 0] });
    // An unknown field of bytes: header, length, bytes.
    let padding = old_bytes - header.len() - 4;
    header.extend([
        0x68,
        u8::try_from(padding & 0x7f).expect("7 bits") | 0x80,
        u8::try_from(padding >> 7).expect("short"),
    ]);
    header.resize(old_bytes, 0);
    bytes[start..start + old_bytes].copy_from_slice(&header);
}

#[test]
fn forged_numbers_are_refused_before_memory_is_taken() {
    let sound = with_long_headers(Some(Encoding::PLAIN), Compression::SNAPPY);
    for (page_type, page_bytes, n_values, expected) in [
        (0, None, 100, ""),
        (0, Some(i32::MAX), 100, "a page has 2147483647 bytes: expected at most 1073741824"),
        (2, None, i32::MAX, "a dictionary has more entries than bytes"),
        (0, None, i32::MAX, "definition levels"),
    ] {
        let mut bytes = sound.clone();
        forge(&mut bytes, page_type, page_bytes, n_values);
        let error = error_of(&read(&bytes, ColumnOptions::default()));
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
    }
    for encoding in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        let mut bytes = with_long_headers(Some(encoding), Compression::UNCOMPRESSED);
        // Blocks of 128 lengths in 4 mini blocks, 100 lengths in all: now 2^35.
        let position = bytes.windows(4).position(|window| window == [0x80, 1, 4, 100]).expect("delta-encoded lengths");
        bytes[position + 3..position + 9].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x80, 1]);
        let error = error_of(&read(&bytes, ColumnOptions::default()));
        assert!(error.contains("the lengths of a page's texts are damaged, or too many"), "{error}");
    }
}

#[test]
fn a_page_beyond_the_memory_is_no_error_of_the_file_and_the_memory_named() {
    let mut bytes = with_long_headers(Some(Encoding::PLAIN), Compression::SNAPPY);
    // Of what the default memory leaves room for, and a byte more; beyond a cap that holds for any memory.
    for (page_bytes, expected) in [(256 << 20, false), ((256 << 20) + 1, true), (1 << 30, true), ((1 << 30) + 1, false)]
    {
        forge(&mut bytes, 0, Some(page_bytes), 100);
        let rows = read(&bytes, ColumnOptions::default());
        let found = matches!(rows.iter().find(|row| row.is_err()), Some(Err(Error::Argument { name: "memory", .. })));
        assert_eq!(found, expected, "{page_bytes}: {}", error_of(&rows));
    }
    forge(&mut bytes, 0, Some(1 << 30), 100);
    let error = error_of(&read(&bytes, ColumnOptions::default()));
    assert!(error.starts_with("memory is `2048 MiB`: expected at least 8192 MiB for a page of `"), "{error}");
    assert!(error.ends_with("a.parquet` (after row 0) of 1073741824 bytes"), "{error}");
}

#[test]
fn a_gzip_page_that_inflates_beyond_its_header_is_refused() {
    let texts = StringArray::from_iter_values((0..40_u64).map(|i| {
        let digits = (0..20_000_u64).map(|j| (i * 20_000 + j).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string());
        digits.collect::<String>()
    }));
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(parquet::basic::GzipLevel::default()))
        .set_write_page_header_statistics(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_enabled(false);
    let mut bytes = write(vec![("text", Arc::new(texts))], properties.set_data_page_size_limit(1 << 30));
    assert_eq!(documents(&bytes).len(), 40);
    forge(&mut bytes, 0, Some(1_000), 40);
    let error = error_of(&read(&bytes, ColumnOptions::default()));
    assert!(error.contains("a page is longer than its header says"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4), kind in 0..6_usize) {
        let mut bytes = match kind {
            0 => write_documents(&(0..200).map(|i| (i.to_string(), format!("text {i}"))).collect::<Vec<_>>()),
            1 => with_long_headers(Some(Encoding::PLAIN), Compression::SNAPPY),
            2 => with_long_headers(Some(Encoding::DELTA_LENGTH_BYTE_ARRAY), Compression::UNCOMPRESSED),
            3 => with_long_headers(Some(Encoding::DELTA_BYTE_ARRAY), Compression::UNCOMPRESSED),
            4 => with_lists(WriterVersion::PARQUET_1_0),
            _ => with_lists(WriterVersion::PARQUET_2_0),
        };
        for (position, byte) in damage {
            let length = bytes.len();
            bytes[position % length] = byte;
        }
        prop_assert!(read(&bytes, ColumnOptions::default()).iter().filter(|row| row.is_err()).count() <= 1);
    }
}
