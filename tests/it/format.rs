//! The index format: a second reader, written from `docs/index-format.md` alone, and the golden index of every released format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace::verify::kind::CopyKind;
use copytrace_indexer::corpus::{Attributes, Document};
use copytrace_indexer::error::ErrorKind;
use copytrace_indexer::fingerprint::{CodeScratch, Fingerprinter, Signature};
use copytrace_indexer::index::block_file::{Component, FORMAT_VERSION};
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::Lexemes;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::pipeline::BuildOptions;
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::syntax::{SOURCE_BYTES_MAX, Syntax};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::corpora::{add, document, document_of, function};

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
    assert_eq!((number(bytes, 8, 4), number(bytes, 12, 4), number(bytes, 16, 4)), (2, component, 4096));
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
    let expected = format!("copytrace-manifest 2 {} {:016x}", body.len(), xxh3_64(body));
    assert_eq!(std::str::from_utf8(&manifest[..head_end]).unwrap(), expected);
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_reader_written_from_the_description_reads_an_index() {
    let words = |n: usize| (0..200 * n).map(|i| format!("w{}", i * 31 % 977 + n)).collect::<Vec<_>>().join(" ");
    let mut documents: Vec<Document> =
        (1..9).map(|n| document_of("origin", format!("doc {n}"), words(n) + "\n")).collect();
    for (language, shape) in [(Language::Python, 3), (Language::Rust, 4), (Language::Python, 5)] {
        let mut document = document_of("origin", format!("code {shape}"), function(language, shape, "name", 40));
        document.attributes.language = language.name().to_owned();
        documents.push(document);
    }
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
    let starts: Vec<usize> = (0..=documents.len()).map(|doc| size(&records, 32 * doc, 7)).collect();
    let origin = xxh3_64(b"origin") & 0xFFFF_FFFF;
    let text = file("text", 2);
    let footer = text.len() - 24;
    let (text_bytes, n_frames, frames) =
        (size(&text, footer, 8), size(&text, footer + 8, 8), size(&text, footer + 16, 8));
    assert_eq!((text_bytes, n_frames), (starts[documents.len()], text_bytes.div_ceil(16_384)));
    let n_lines: usize = documents.iter().map(|document| document.text.lines().count()).sum();
    assert_eq!(number(&text, frames + 16 * n_frames + 8, 8), n_lines as u64, "every text ends with a line end");

    let fingerprinter = Fingerprinter::public();
    let (anchors, exact, ids) = (file("anchors", 3), file("exact", 5), file("ids", 6));
    for (doc, document) in documents.iter().enumerate() {
        assert_eq!(starts[doc + 1] - starts[doc], document.text.len());
        let language = number(&records, 32 * doc + 7, 1);
        let expected = ["text", "python", "rust"].into_iter().position(|name| name == document.attributes.language);
        assert_eq!(language, expected.unwrap_or(0) as u64);
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
    assert_eq!(n_bands, 32 * documents.len() as u64 + 32 * 3, "code has bands of words and of lexemes");
    assert!(!file("catalog", 7).is_empty());

    let (lexemes, units) = (file("lexemes", 9), file("units", 10));
    let (mut n_lexemes, mut n_units) = (0, 0);
    let mut syntax = Syntax::new(fingerprinter.unit_seed());
    for (doc, document) in documents.iter().enumerate().filter(|(_, document)| document.id.starts_with("code")) {
        let language: Language = document.attributes.language.parse().unwrap();
        let position = |start: u32| starts[doc] as u64 + u64::from(start);
        let code = CodeKeys::of(&fingerprinter, &mut syntax, &document.text, language);
        for &(key, start) in &code.anchors {
            assert!(look_up(&lexemes, key).contains(&position(start)), "`{}` {start}", document.id);
        }
        for &(key, start) in &code.units {
            assert!(look_up(&units, key).contains(&position(start)), "`{}` {start}", document.id);
        }
        for &key in &code.bands {
            assert!(look_up(&bands, key).contains(&(doc as u64)), "`{}`", document.id);
        }
        assert!(code.anchors.len() > 10 && code.units.len() > 1 && code.bands.len() == 32, "{code:?}");
        n_lexemes += code.anchors.len() as u64;
        n_units += code.units.len() as u64;
    }
    for (table, expected) in [(&lexemes, n_lexemes), (&units, n_units)] {
        assert_eq!(number(table, table.len() - 56, 8), expected, "and nothing else is in the table");
        assert_eq!(number(table, table.len() - 56 + 48, 4), 40);
    }
}

/// What an index files a text of code under, by the public functions that make it.
#[derive(Debug)]
pub(crate) struct CodeKeys {
    /// Every parameterised k-gram.
    pub(crate) grams: Vec<u64>,
    /// The sampled ones, with their first byte.
    pub(crate) anchors: Vec<(u64, u32)>,
    /// Bands of their signature.
    pub(crate) bands: Vec<u64>,
    /// Units, with their first byte.
    pub(crate) units: Vec<(u64, u32)>,
}

impl CodeKeys {
    pub(crate) fn of(fingerprinter: &Fingerprinter, syntax: &mut Syntax, text: &str, language: Language) -> Self {
        let (mut lexemes, mut scratch) = (Lexemes::default(), CodeScratch::default());
        let (mut grams, mut sampled, mut bands) = (Vec::new(), Vec::new(), Vec::new());
        fingerprinter.lexemes(text, language, &mut lexemes);
        fingerprinter.code_grams(&lexemes, &mut scratch, &mut grams);
        fingerprinter.code_anchors(&grams, &mut scratch, &mut sampled);
        fingerprinter.code_band_keys(&grams, &mut Signature::default(), &mut bands);
        let anchors = sampled.into_iter().map(|at| (grams[at as usize], lexemes.starts[at as usize])).collect();
        let reading = syntax.read(text, language, SOURCE_BYTES_MAX, None);
        let units = reading.units().iter().map(|unit| (unit.hash, unit.start)).collect();
        Self { grams, anchors, bands, units }
    }
}

/// The tables of the description name every file that the source knows, and every language with its number.
#[test]
fn the_description_names_every_component_and_language() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/index-format.md")).unwrap();
    assert!(page.starts_with(&format!("# Index format, version {FORMAT_VERSION}\n")));
    let list = |items: Vec<String>| items.join(", ");
    let components = (1..).zip(Component::ALL).map(|(code, component)| format!("{code} {}", component.name()));
    assert!(page.contains(&format!("| component: {} |", list(components.collect()))));
    let languages = Language::ALL.into_iter().map(|language| format!("{} {language}", language as u8));
    assert!(page.contains(&format!("| language: {};", list(languages.collect()))));
    assert!(page.contains(&format!("| 8 | 4 | format version: {FORMAT_VERSION} |")));
    assert!(page.contains(&format!("\n| {FORMAT_VERSION} | ")), "the table of versions");
    let dir = tempfile::tempdir().unwrap();
    build_in(dir.path(), vec![document_of("o", "a", "a")]);
    let mut files = BTreeMap::new();
    read_all(dir.path(), &mut files, dir.path());
    for key in manifest_of(&files)["recipe"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("`recipe.{key}`")) || page.contains(&format!("`{key}`")), "recipe: `{key}`");
    }
}

/// The corpus of the golden index. Never change it: the point of a golden index is that it stays.
fn golden_documents() -> Vec<Document> {
    let sea = "The sea was calm on the morning when the lighthouse keeper counted his candles for the last time, \
               and nobody on the island knew that the ship with the new lamp had already passed the cape.";
    let han = "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽雲騰致雨露結為霜金生麗水玉出崑岡";
    vec![
        document_of("island", "sea", sea),
        document_of("classics", "han", han),
        document_of("island", "empty words", "..."),
        Document {
            attributes: Attributes { language: "python".into(), license: "CC0-1.0".into(), ..Attributes::default() },
            ..document("candles.py", CANDLES)
        },
        Document {
            attributes: Attributes { language: "rust".into(), origin: "harbour".into(), ..Attributes::default() },
            ..document("lamp.rs", LAMP)
        },
    ]
}

const CANDLES: &str = "\
def candles_left(candles, nights, per_night=2):
    \"\"\"How many are left after so many nights.\"\"\"
    left = len(candles)
    for night in range(nights):
        if left < per_night:
            break
        left -= per_night + night % 3
    return max(left, 0)
";

const LAMP: &str = "\
/// Tells how far a lamp is seen, in metres.
pub fn visible_range(height_m: f64, is_foggy: bool) -> f64 {
    let horizon = (2.0 * EARTH_RADIUS_M * height_m).sqrt();
    match is_foggy {
        true if horizon > FOG_RANGE_M => FOG_RANGE_M,
        _ => horizon.min(LAMP_RANGE_M) - height_m / 2.0,
    }
}
";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn an_index_of_format_1_is_refused_and_both_versions_are_named() {
    let old = fixture("index_v1");
    let expected =
        format!("`{}` has format version `1`: this program reads `2`", old.join("MANIFEST-000001").display());
    let error = Engine::open(&[&old], PUBLIC_SEED, Policy::default_policy()).map(drop).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, copytrace::Error::Index(error) if error.kind() == ErrorKind::Incompatible));

    // A writer refuses it, too, and leaves it as it is.
    let dir = tempfile::tempdir().unwrap();
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    read_all(&old, &mut before, &old);
    for (path, bytes) in &before {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let error = IndexWriter::open(Arc::new(DiskStorage::new(dir.path())), PUBLIC_SEED).map(drop).unwrap_err();
    assert!(error.to_string().ends_with("has format version `1`: this program reads `2`"), "{error}");
    read_all(dir.path(), &mut after, dir.path());
    assert_eq!(after, before);
}

#[test]
fn the_golden_index_of_format_2_still_answers() {
    let golden = fixture("index_v2");
    let engine = Engine::open(&[&golden], PUBLIC_SEED, Policy::default_policy()).unwrap();
    for document in golden_documents().iter().take(2) {
        let answer = engine.check(&Request::new("q", document.text.to_uppercase())).unwrap();
        let found = answer.matches.first().unwrap_or_else(|| panic!("`{}` is not found", document.id));
        assert_eq!((found.document.id.as_str(), found.score), (document.id.as_str(), 1.0));
        assert_eq!((answer.indexes[0].name.as_str(), answer.indexes[0].generation), ("index_v2", 1));
    }
    for (id, language, text) in [("candles.py", Language::Python, CANDLES), ("lamp.rs", Language::Rust, LAMP)] {
        let renamed =
            ["left", "night", "horizon"].iter().fold(text.to_owned(), |text, name| text.replace(name, "other"));
        for (code, kind) in [(text, CopyKind::Verbatim), (&*renamed, CopyKind::Renamed)] {
            let request = Request { language: Some(language), ..Request::new("q", code) };
            let answer = engine.check(&request).unwrap();
            let found = answer.matches.first().unwrap_or_else(|| panic!("`{id}` is not found as {kind:?}"));
            assert_eq!((found.document.id.as_str(), found.kind), (id, kind), "{found:?}");
        }
    }
}

#[test]
fn this_release_writes_the_golden_index_of_format_2_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    build_in(dir.path(), golden_documents());
    let golden = fixture("index_v2");
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
