//! The index format: a second reader, written from `docs/index-format.md` alone, and the golden index of every released format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::Document;
use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::normalise::Words;
use copytrace_indexer::pipeline::BuildOptions;
use copytrace_indexer::recipe::PUBLIC_SEED;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::corpora::{add, document_of};

pub(crate) fn number(bytes: &[u8], offset: usize, width: usize) -> u64 {
    let mut value = 0;
    for (n, &byte) in bytes[offset..offset + width].iter().enumerate() {
        value |= u64::from(byte) << (8 * n);
    }
    value
}

pub(crate) fn size(bytes: &[u8], offset: usize, width: usize) -> usize {
    usize::try_from(number(bytes, offset, width)).unwrap()
}

/// Checks a block file against its seal and returns its payload.
pub(crate) fn payload(bytes: &[u8], component: u64, seal: &serde_json::Value) -> Vec<u8> {
    assert_eq!(bytes.len() as u64, seal["file_bytes"].as_u64().unwrap());
    let trailer = bytes.len() - 32;
    let n_blocks = trailer / (4096 + 8);
    let table = n_blocks * 4096;
    assert_eq!(table + n_blocks * 8, trailer);
    assert_eq!(&bytes[..8], b"CPYTRACE");
    assert_eq!((number(bytes, 8, 4), number(bytes, 12, 4), number(bytes, 16, 4)), (1, component, 4096));
    assert!(bytes[20..64].iter().all(|&byte| byte == 0));
    for block in 0..n_blocks {
        assert_eq!(number(bytes, table + 8 * block, 8), xxh3_64(&bytes[4096 * block..4096 * (block + 1)]));
    }
    let payload_bytes = number(bytes, trailer, 8);
    let root = xxh3_64_with_seed(&bytes[table..trailer], payload_bytes);
    assert_eq!(number(bytes, trailer + 8, 8), root);
    assert_eq!(seal["root"].as_u64().unwrap(), root);
    assert_eq!(number(bytes, trailer + 16, 8), 0);
    assert_eq!(&bytes[trailer + 24..], b"CPYTRACE");
    let end = 64 + usize::try_from(payload_bytes).unwrap();
    assert!(bytes[end..table].iter().all(|&byte| byte == 0));
    bytes[64..end].to_vec()
}

/// Values under a key of a key table.
pub(crate) fn look_up(table: &[u8], key: u64) -> Vec<u64> {
    let footer = table.len() - 56;
    let (postings, directory) = (size(table, footer + 16, 8), size(table, footer + 24, 8));
    let (directory_bits, value_bits) = (number(table, footer + 44, 4), number(table, footer + 48, 4));
    assert_eq!(number(table, footer + 52, 4), 0);
    let bucket = if directory_bits == 0 { 0 } else { usize::try_from(key >> (64 - directory_bits)).unwrap() };
    let remainder = key << directory_bits >> value_bits;
    let (start, end) = (size(table, directory + 4 * bucket, 4), size(table, directory + 4 * bucket + 4, 4));
    let postings = (start..end).map(|slot| number(table, postings + 8 * slot, 8));
    let is_ours = |posting: &u64| posting >> value_bits == remainder && *posting != u64::MAX;
    postings.filter(is_ours).map(|posting| posting & ((1 << value_bits) - 1)).collect()
}

pub(crate) fn read_all(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>, root: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, files, root);
        } else {
            files.insert(path.strip_prefix(root).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
        }
    }
}

fn build_in(dir: &Path, documents: Vec<Document>) {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir));
    add(&storage, documents, BuildOptions::default());
}

fn manifest_of(files: &BTreeMap<PathBuf, Vec<u8>>) -> serde_json::Value {
    let manifest = &files[Path::new("MANIFEST-000001")];
    let head_end = manifest.iter().position(|&byte| byte == b'\n').unwrap();
    let body = &manifest[head_end + 1..];
    let expected = format!("copytrace-manifest 1 {} {:016x}", body.len(), xxh3_64(body));
    assert_eq!(std::str::from_utf8(&manifest[..head_end]).unwrap(), expected);
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_reader_written_from_the_description_reads_an_index() {
    let words = |n: usize| (0..200 * n).map(|i| format!("w{}", i * 31 % 977 + n)).collect::<Vec<_>>().join(" ");
    let documents: Vec<Document> = (1..9).map(|n| document_of("origin", format!("doc {n}"), words(n) + "\n")).collect();
    let dir = tempfile::tempdir().unwrap();
    build_in(dir.path(), documents.clone());
    let mut files = BTreeMap::new();
    read_all(dir.path(), &mut files, dir.path());
    let manifest = manifest_of(&files);
    assert_eq!(manifest["generation"], 1);
    let segment = &manifest["segments"][0];
    let name = segment["name"].as_str().unwrap();
    let file = |component: &str, code: u64| {
        payload(&files[&Path::new(name).join(component)], code, &segment["files"][component])
    };

    let records = file("documents", 1);
    assert_eq!(records.len(), 32 * (documents.len() + 1));
    let starts: Vec<usize> = (0..=documents.len()).map(|doc| size(&records, 32 * doc, 8)).collect();
    let origin = xxh3_64(b"origin") & 0xFFFF_FFFF;
    let text = file("text", 2);
    let footer = text.len() - 24;
    let (text_bytes, n_frames, frames) =
        (size(&text, footer, 8), size(&text, footer + 8, 8), size(&text, footer + 16, 8));
    assert_eq!((text_bytes, n_frames), (starts[documents.len()], text_bytes.div_ceil(16_384)));
    assert_eq!(number(&text, frames + 16 * n_frames + 8, 8), documents.len() as u64, "a line end for each document");

    let fingerprinter = Fingerprinter::public();
    let (anchors, exact, ids) = (file("anchors", 3), file("exact", 5), file("ids", 6));
    for (doc, document) in documents.iter().enumerate() {
        assert_eq!(starts[doc + 1] - starts[doc], document.text.len());
        assert_eq!(number(&records, 32 * doc + 8, 4), origin);
        let mut words = Words::default();
        fingerprinter.words(&document.text, &mut words);
        assert_eq!(number(&records, 32 * doc + 12, 4), words.len() as u64);
        assert!(look_up(&exact, fingerprinter.normal_form_key(&words)).contains(&(doc as u64)));
        assert!(look_up(&ids, fingerprinter.id_key(&document.id)).contains(&(doc as u64)));
        let (mut grams, mut sampled) = (Vec::new(), Vec::new());
        fingerprinter.grams(&words, &mut grams);
        fingerprinter.anchors(&words, &grams, &mut sampled);
        for word in sampled {
            let position = starts[doc] as u64 + u64::from(words.starts[word as usize]);
            assert!(look_up(&anchors, grams[word as usize]).contains(&position));
        }
    }
    let bands = file("bands", 4);
    let n_bands = number(&bands, bands.len() - 56, 8);
    assert_eq!(n_bands, 32 * documents.len() as u64);
    assert!(!file("catalog", 7).is_empty());
}

/// The corpus of the golden indexes. Never change it: the point of a golden index is that it stays.
fn golden_documents() -> Vec<Document> {
    let sea = "The sea was calm on the morning when the lighthouse keeper counted his candles for the last time, \
               and nobody on the island knew that the ship with the new lamp had already passed the cape.";
    let han = "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽雲騰致雨露結為霜金生麗水玉出崑岡";
    vec![
        document_of("island", "sea", sea),
        document_of("classics", "han", han),
        document_of("island", "empty words", "..."),
    ]
}

#[test]
fn the_golden_index_of_format_1_still_answers() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/index_v1");
    let engine = Engine::open(&[&golden], PUBLIC_SEED, Policy::default_policy()).unwrap();
    for document in golden_documents().iter().take(2) {
        let answer = engine.check(&Request::new("q", document.text.to_uppercase())).unwrap();
        let found = answer.matches.first().unwrap_or_else(|| panic!("`{}` is not found", document.id));
        assert_eq!((found.document.id.as_str(), found.score), (document.id.as_str(), 1.0));
        assert_eq!((answer.indexes[0].name.as_str(), answer.indexes[0].generation), ("index_v1", 1));
    }
}

#[test]
fn this_release_writes_the_golden_index_of_format_1_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    build_in(dir.path(), golden_documents());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/index_v1");
    if std::env::var_os("COPYTRACE_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(&golden).unwrap();
        build_in(&golden, golden_documents());
    }
    let (mut found, mut expected) = (BTreeMap::new(), BTreeMap::new());
    read_all(dir.path(), &mut found, dir.path());
    read_all(&golden, &mut expected, &golden);
    expected.entry("LOCK".into()).or_insert_with(Vec::new);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, bytes) in &expected {
        assert!(&found[path] == bytes, "`{}` differs", path.display());
    }
}
