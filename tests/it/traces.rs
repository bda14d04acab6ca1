//! After a merge nothing of a removed document is left: every byte of the index is decoded, by tantivy and zstd and the description of the
//! format, and searched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use copytrace_indexer::corpus::{Attributes, Document};
use copytrace_indexer::fingerprint::{Fingerprinter, Signature};
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::merge::{MergeOptions, merge};
use copytrace_indexer::normalise::Words;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress};
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::removal::{Selection, remove};
use copytrace_indexer::syntax::Syntax;
use serde_json::{Value, json};
use tantivy::directory::{Directory as _, RamDirectory};
use tantivy::schema::Field;
use tantivy::store::StoreReader;
use tantivy::{DocSet as _, TERMINATED};

use crate::corpora::{add, function, passage};
use crate::format::{CodeKeys, look_up, number, payload, read_all, size};

/// A word that only one version of one document has.
fn secret(doc: usize, version: usize, n: usize) -> String {
    format!("q{doc}z{version}z{n}q")
}

/// Every third document is code.
fn is_code(doc: usize) -> bool {
    doc.is_multiple_of(3)
}

/// A function that many documents of code have.
fn shared_function() -> String {
    function(Language::Python, 1, "shared", 20)
}

/// A document with words of its own and a long passage that many have: prose, or functions with the same words for names.
fn document_of(doc: usize, version: usize) -> Document {
    let own = |from: usize| (from..from + 40).map(|n| secret(doc, version, n)).collect::<Vec<_>>().join(" ");
    let text = if is_code(doc) {
        // All words of its own stand for names, 80 of them, with blanks around: two parameters and what each line defines.
        let shape = (2 * doc + version) as u64 + 100;
        let function = function(Language::Python, shape, "name", 77).replace("name_of", "name79");
        let own = (0..80).rev().fold(function, |text, n| text.replace(&format!("name{n}"), &secret(doc, version, n)));
        let spaced = own.replace(['(', ')', ',', ':'], " \0 ");
        let marks: Vec<char> = own.chars().filter(|c| ['(', ')', ',', ':'].contains(c)).collect();
        let mut marks = marks.into_iter();
        let own: String = spaced.chars().map(|c| if c == '\0' { marks.next().unwrap() } else { c }).collect();
        format!("{own}\n\n{}", shared_function())
    } else {
        format!("{} {}\n{}\n", own(0), passage("shared", 60), own(40))
    };
    let attributes = Attributes {
        uri: format!("uri{}", secret(doc, version, 100)),
        license: format!("license{}", secret(doc, version, 101)),
        origin: format!("origin{}", secret(doc, version, 102)),
        shard: format!("shard{}", secret(doc, version, 103)),
        language: if is_code(doc) { "python" } else { "text" }.to_owned(),
    };
    Document { id: format!("id{doc}x"), text, attributes }
}

/// All that is in the index's files, decoded, by file.
struct Decoded {
    /// Bytes as stored, and what decompression makes of them.
    contents: BTreeMap<String, Vec<u8>>,
    /// Payloads of key tables.
    tables: Vec<(String, Vec<u8>)>,
}

fn decode(dir: &Path) -> Decoded {
    let mut files = BTreeMap::new();
    read_all(dir, &mut files, dir);
    files.retain(|path, _| !path.starts_with("receipts"));
    let manifests: Vec<&PathBuf> = files.keys().filter(|path| path.to_str().unwrap().starts_with("MANIFEST")).collect();
    let manifest = &files[*manifests.iter().max().unwrap()];
    let body = &manifest[manifest.iter().position(|&byte| byte == b'\n').unwrap()..];
    let manifest: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(manifests.len(), 1, "older manifests are gone");
    let mut named = BTreeSet::from(["LOCK".into(), manifests[0].clone()]);
    let mut decoded = Decoded { contents: BTreeMap::new(), tables: Vec::new() };
    for segment in manifest["segments"].as_array().unwrap() {
        assert_eq!(segment["tombstones"], Value::Null, "nothing dead is left");
        for (component, code) in [
            ("documents", 1),
            ("text", 2),
            ("anchors", 3),
            ("bands", 4),
            ("exact", 5),
            ("ids", 6),
            ("catalog", 7),
            ("lexemes", 9),
            ("units", 10),
        ] {
            let path = Path::new(segment["name"].as_str().unwrap()).join(component);
            let payload = payload(&files[&path], code, &segment["files"][component]);
            let name = path.to_str().unwrap().to_owned();
            match component {
                "text" => drop(decoded.contents.insert(format!("{name} decompressed"), decompress(&payload))),
                "catalog" => {
                    let n_docs = u32::try_from(segment["n_docs"].as_u64().unwrap()).unwrap();
                    decoded.contents.extend(decode_catalog(&name, &payload, n_docs));
                }
                "documents" => {}
                _ => decoded.tables.push((name, payload)),
            }
            named.insert(path);
        }
    }
    assert_eq!(named, files.keys().cloned().collect(), "no file is left that the manifest does not name");
    decoded.contents.extend(files.into_iter().map(|(path, bytes)| (path.to_str().unwrap().to_owned(), bytes)));
    decoded
}

/// Decompresses all frames of a text file.
fn decompress(text: &[u8]) -> Vec<u8> {
    let footer = text.len() - 24;
    let (n_frames, frames) = (size(text, footer + 8, 8), size(text, footer + 16, 8));
    let offset = |frame: usize| size(text, frames + 16 * frame, 8);
    assert_eq!((offset(n_frames), frames + 16 * (n_frames + 1)), (frames, footer), "frames and records fill the file");
    let frames = (0..n_frames).map(|frame| zstd::decode_all(&text[offset(frame)..offset(frame + 1)]).unwrap());
    frames.flatten().collect()
}

/// Reads a catalogue by tantivy alone: the terms and postings of every field, and every stored document.
fn decode_catalog(name: &str, catalog: &[u8], n_docs: u32) -> BTreeMap<String, Vec<u8>> {
    const SEGMENT: &str = "00000000000000000000000000000000";
    let table = size(catalog, catalog.len() - 32, 8);
    let directory = RamDirectory::create();
    let mut end = 0;
    for entry in (0..6).map(|n| table + 32 * n) {
        let name = std::str::from_utf8(&catalog[entry..entry + 16]).unwrap().trim_end_matches('\0');
        let (start, length) = (size(catalog, entry + 16, 8), size(catalog, entry + 24, 8));
        assert_eq!(start, end, "the files fill the catalogue");
        end = start + length;
        directory.atomic_write(Path::new(&format!("{SEGMENT}.{name}")), &catalog[start..end]).unwrap();
    }
    assert_eq!(end, table);
    let value = json!({"stored": true, "fast": false, "indexing": {"record": "basic", "fieldnorms": false, "tokenizer": "default"}});
    let body = json!({"stored": false, "fast": false, "indexing": {"record": "freq", "fieldnorms": true, "tokenizer": "default"}});
    let uri = json!({"stored": true, "fast": false});
    let fields = [
        ("id", &value),
        ("license", &value),
        ("origin", &value),
        ("shard", &value),
        ("language", &value),
        ("body", &body),
        ("uri", &uri),
    ];
    let schema: Vec<Value> =
        fields.iter().map(|(name, options)| json!({"name": name, "type": "text", "options": options})).collect();
    let meta = json!({
        "index_settings": {"docstore_compression": "lz4"},
        "segments": [{"segment_id": SEGMENT, "max_doc": n_docs, "deletes": null}],
        "schema": schema,
        "opstamp": 0,
    });
    directory.atomic_write(Path::new("meta.json"), meta.to_string().as_bytes()).unwrap();
    let index = tantivy::Index::open(directory).unwrap();
    let segments = index.searchable_segments().unwrap();
    let reader = tantivy::SegmentReader::open(&segments[0]).unwrap();
    let mut contents = BTreeMap::new();
    for (number, (field, _)) in (0..6).zip(fields) {
        let inverted = reader.inverted_index(Field::from_field_id(number)).unwrap();
        let mut terms = inverted.terms().stream().unwrap();
        let mut all = Vec::new();
        while terms.advance() {
            all.extend_from_slice(terms.key());
            all.push(b'\n');
            let info = terms.value().clone();
            let option = tantivy::schema::IndexRecordOption::Basic;
            let mut postings = inverted.read_postings_from_terminfo(&info, option).unwrap();
            let mut n_postings = 0;
            while postings.doc() != TERMINATED {
                assert!(postings.doc() < n_docs);
                n_postings += 1;
                postings.advance();
            }
            assert_eq!(n_postings, info.doc_freq, "every posting is of a document that is there");
        }
        contents.insert(format!("{name} terms of {field}"), all);
    }
    let store: StoreReader = reader.get_store_reader(1).unwrap();
    let mut stored = Vec::new();
    for doc in 0..n_docs {
        stored.extend_from_slice(store.get_document_bytes(doc).unwrap().as_slice());
    }
    contents.insert(format!("{name} stored documents"), stored);
    contents
}

/// Every key under which an index could file a document, by table: of all k-grams, sampled or not.
fn keys_of(document: &Document) -> Vec<(&'static str, u64)> {
    let fingerprinter = Fingerprinter::public();
    let mut words = Words::default();
    fingerprinter.words(&document.text, &mut words);
    let (mut grams, mut shingles, mut signature, mut bands) =
        (Vec::new(), Vec::new(), Signature::default(), Vec::new());
    fingerprinter.grams(&words, &mut grams);
    fingerprinter.shingles(&words, &mut shingles);
    fingerprinter.signature(&shingles, &mut signature);
    fingerprinter.band_keys(&signature, &mut bands);
    let mut keys: Vec<_> = grams.into_iter().map(|key| ("anchors", key)).collect();
    keys.extend(bands.into_iter().map(|key| ("bands", key)));
    if document.attributes.language == "python" {
        let mut syntax = Syntax::new(fingerprinter.unit_seed());
        let code = CodeKeys::of(&fingerprinter, &mut syntax, &document.text, Language::Python);
        keys.extend(code.grams.into_iter().map(|key| ("lexemes", key)));
        keys.extend(code.bands.into_iter().map(|key| ("bands", key)));
        keys.extend(code.units.into_iter().map(|(key, _)| ("units", key)));
    }
    keys.push(("exact", fingerprinter.normal_form_key(&words)));
    keys.push(("ids", fingerprinter.id_key(&document.id)));
    keys
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[test]
fn after_a_merge_no_file_of_the_index_knows_a_removed_document() {
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
    let options = BuildOptions { threads: 1, ..BuildOptions::default() };
    // More documents than a key has places, of prose and of code each, so that the hot lists have entries; in two segments.
    let n_docs = 240;
    add(&storage, (0..50).map(|doc| document_of(doc, 0)).collect(), options);
    add(&storage, (40..n_docs).map(|doc| document_of(doc, 1)).collect(), options);
    let is_removed = |doc: usize| doc % 9 == 4 || doc % 18 == 3;
    let newest = |doc: usize| document_of(doc, usize::from(doc >= 40));
    let gone: Vec<Document> = (0..n_docs)
        .filter(|&doc| is_removed(doc))
        .map(newest)
        // And the versions that were replaced.
        .chain((40..50).map(|doc| document_of(doc, 0)))
        .collect();
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let ids = (0..n_docs).filter(|&doc| is_removed(doc)).map(|doc| document_of(doc, 0).id).collect();
    remove(&mut writer, &Selection::Ids(ids)).unwrap();
    // The decoder sees them before, so that it would see them afterwards.
    let report =
        merge(&mut writer, &[], MergeOptions { threads: 1, ..MergeOptions::default() }, &BuildProgress::default());
    let report = report.unwrap();
    assert_eq!((report.dropped_removed, report.dropped_replaced), (gone.len() as u64 - 10 + 2, 8));
    drop(writer);

    let decoded = decode(dir.path());
    let everything = |word: &str| {
        let found = decoded.contents.iter().filter(|(_, bytes)| contains(bytes, word.as_bytes()));
        found.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert!(everything("shared7").len() >= 2, "text and terms are decoded: {:?}", everything("shared7"));
    for kept in [0, 89, 90] {
        let document = newest(kept);
        assert!(everything(&secret(kept, usize::from(kept >= 40), 7)).len() >= 2, "the decoder finds what is there");
        assert!(everything(&document.attributes.uri).len() == 1 && everything(&document.id).len() >= 2);
    }
    for document in &gone {
        let words: BTreeSet<&str> = document.text.split_whitespace().filter(|word| word.starts_with('q')).collect();
        assert_eq!(words.len(), 80);
        let Attributes { uri, license, origin, shard, .. } = &document.attributes;
        for word in words.into_iter().chain([uri.as_str(), license, origin, shard]) {
            assert_eq!(everything(word), [""; 0], "`{word}` of `{}` is left", document.id);
        }
    }
    let ids_left: BTreeSet<String> =
        (0..n_docs).filter(|&doc| !is_removed(doc)).map(|doc| document_of(doc, 0).id).collect();
    for id in gone.iter().map(|document| &document.id).filter(|id| !ids_left.contains(*id)) {
        assert_eq!(everything(id), [""; 0], "`{id}` is left");
    }

    // What a document that is left has, too, may be there: k-grams of the shared passages, `def NAME (`, the id of a successor.
    let kept_keys: BTreeSet<(&str, u64)> =
        (0..n_docs).filter(|&doc| !is_removed(doc)).flat_map(|doc| keys_of(&newest(doc))).collect();
    let gone_keys: Vec<(&Document, Vec<(&str, u64)>)> = gone
        .iter()
        .map(|document| (document, keys_of(document).into_iter().filter(|key| !kept_keys.contains(key)).collect()))
        .collect();
    for (document, keys) in &gone_keys {
        let count = |table: &str| keys.iter().filter(|(of, _)| *of == table).count();
        let counts = ["anchors", "exact", "lexemes", "units"].map(count);
        let least = if document.attributes.language == "python" { [70, 1, 200, 2] } else { [70, 1, 0, 0] };
        assert!(counts.iter().zip(least).all(|(&n, least)| n >= least), "keys of `{}` alone: {counts:?}", document.id);
    }
    for (name, table) in &decoded.tables {
        let component = name.split('/').nth(1).unwrap();
        let footer = table.len() - 56;
        let (hot, n_hot) = (size(table, footer + 32, 8), size(table, footer + 40, 4));
        let kept_bits = number(table, footer + 44, 4) + 64 - number(table, footer + 48, 4);
        let hot: BTreeSet<u64> = (0..n_hot).map(|n| number(table, hot + 20 * n, 8)).collect();
        let is_shared = matches!(component, "anchors" | "lexemes" | "units");
        assert_eq!(!hot.is_empty(), is_shared, "the shared passages are in the hot list of {name}");
        for (document, keys) in &gone_keys {
            for &(_, key) in keys.iter().filter(|(of, _)| *of == component) {
                assert!(look_up(table, key).is_empty(), "a key of `{}` is in {name}", document.id);
                assert!(!hot.contains(&(key >> (64 - kept_bits) << (64 - kept_bits))), "{name}");
            }
        }
    }
    let receipt = std::fs::read(dir.path().join("receipts/removed-000004.json")).unwrap();
    for document in &gone {
        assert!(contains(&receipt, document.id.as_bytes()));
        // The operators and numbers of code may stand in a receipt: a hash begins with a digit.
        let mut words =
            document.text.split_whitespace().filter(|word| word.starts_with('q') || word.starts_with("shared"));
        assert!(words.all(|word| !contains(&receipt, format!("\"{word}").as_bytes())));
    }
}
