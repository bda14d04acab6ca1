use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tantivy::fieldnorm::FieldNormReader;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::*;
use crate::error::ErrorKind;
use crate::index::block_file::{BlockFileWriter, Component, Seal};
use crate::index::mmap::FileBytes;
use crate::index::storage::{DiskStorage, MemoryStorage, Storage, WriteFile};

/// A document with its words in order.
type Source = (String, Attributes, Vec<String>);

fn attributes(uri: &str, license: &str, origin: &str, shard: &str, language: &str) -> Attributes {
    let [uri, license, origin, shard, language] = [uri, license, origin, shard, language].map(String::from);
    Attributes { uri, license, origin, shard, language }
}

fn source(id: &str, attributes: &Attributes, text: &str) -> Source {
    (id.to_owned(), attributes.clone(), text.split(' ').map(String::from).collect())
}

fn build(storage: &Arc<dyn Storage>, documents: &[Source], memory_bytes: usize) -> Result<Seal> {
    let mut writer = CatalogWriter::create(storage, Path::new("temp"), memory_bytes)?;
    for (id, attributes, words) in documents {
        writer.add(id, attributes, |add| terms_in_pieces(words, add))?;
    }
    writer.finish(Path::new("catalog"))
}

/// Hands over words in pieces of 7.
fn terms_in_pieces(words: &[String], add: &mut dyn FnMut(&Terms)) {
    let mut counter = TermCounter::default();
    for piece in words.chunks(7) {
        for word in piece {
            counter.add(word);
        }
        add(&counter.take());
    }
}

fn open(storage: &dyn Storage, seal: Seal, n_docs: usize) -> Result<Catalog> {
    let file = BlockFile::open(storage, Path::new("catalog"), Component::Catalog, seal)?;
    Catalog::open(file, u32::try_from(n_docs).expect("tests are small"))
}

fn memory() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::default())
}

fn catalog_of(documents: &[Source]) -> Catalog {
    let storage = memory();
    let seal = build(&storage, documents, 1 << 20).unwrap();
    open(&*storage, seal, documents.len()).unwrap()
}

/// Documents with a bit of everything, enough for several checked blocks.
fn sample(n_docs: usize) -> Vec<Source> {
    let words = ["the", "quick", "brown", "fox", "größe", "数", "據", "jumps", "over", "lazy", "dog"];
    let document = |i: usize| {
        let mut text: Vec<String> = (0..i % 40).map(|j| words[(i * j + j * j) % words.len()].to_owned()).collect();
        text.push(format!("rare{}", i * 7919));
        let origin = if i.is_multiple_of(5) { String::new() } else { format!("origin-{}", i % 7) };
        let uri = format!("https://example.org/{}/{i}", "path/".repeat(i % 9));
        let license = ["MIT", "Apache-2.0", ""][i % 3];
        (format!("doc-{i}"), attributes(&uri, license, &origin, &format!("shard-{}", i % 4), "text"), text)
    };
    (0..n_docs).map(document).collect()
}

/// Asks everything there is to ask, for comparing two catalogues or a sound one with a damaged one.
fn answers(catalog: &Catalog, documents: &[Source]) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for (_, doc) in documents.iter().zip(0..) {
        answers.push(format!("{:?}", catalog.document(DocIdx(doc))?));
    }
    let words: BTreeSet<&String> = documents.iter().flat_map(|(_, _, words)| words).collect();
    for word in words {
        answers.push(format!("{word:?} {}", catalog.document_frequency(word)?));
    }
    for query in [&["the", "fox", "rare0"][..], &["dog"], &["none"], &["rare7919", "lazy", "quick", "brown", "數"]] {
        let words: Vec<String> = query.iter().map(|word| (*word).to_owned()).collect();
        answers.push(format!("{:?}", catalog.search(&words, 5)?));
    }
    for field in AttributeField::ALL {
        for value in ["MIT", "origin-3", "shard-2", "text", "doc-5"] {
            answers.push(format!("{:?}", catalog.documents_with(field, value)?));
        }
    }
    Ok(answers)
}

fn value_of(field: AttributeField, (id, attributes, _): &Source) -> &str {
    match field {
        AttributeField::Id => id,
        AttributeField::License => &attributes.license,
        AttributeField::Origin => &attributes.origin,
        AttributeField::Shard => &attributes.shard,
        AttributeField::Language => &attributes.language,
    }
}

/// BM25 as the papers have it, over tantivy's rounded lengths.
fn naive_scores(documents: &[Source], words: &[String]) -> BTreeMap<u32, f64> {
    let has = |(_, _, own): &Source, word: &String| own.iter().filter(|own| *own == word).count();
    let n_docs = documents.len() as f64;
    let n_words: usize = documents.iter().map(|(_, _, own)| own.iter().filter(|word| !word.is_empty()).count()).sum();
    let mut scores = BTreeMap::new();
    for word in words.iter().filter(|word| !word.is_empty()).collect::<BTreeSet<_>>() {
        let df = documents.iter().filter(|document| has(document, word) > 0).count() as f64;
        let idf = (1.0 + (n_docs - df + 0.5) / (df + 0.5)).ln();
        for (document, doc) in documents.iter().zip(0..) {
            let tf = has(document, word) as f64;
            let length = u32::try_from(document.2.iter().filter(|word| !word.is_empty()).count()).unwrap();
            let length = FieldNormReader::id_to_fieldnorm(FieldNormReader::fieldnorm_to_id(length));
            let norm = 1.2 * (0.25 + 0.75 * f64::from(length) / (n_words as f64 / n_docs));
            if tf > 0.0 {
                *scores.entry(doc).or_default() += idf * 2.2 * tf / (tf + norm);
            }
        }
    }
    scores
}

/// Asks which documents have a word: all of them, or those of every `step`-th.
fn documents_with_word(catalog: &Catalog, word: &str, step: usize) -> Vec<u32> {
    let mut found = Vec::new();
    if step == 1 {
        catalog.for_each_document_with_word(word, |doc| found.push(doc.0)).unwrap();
    } else {
        let docs: Vec<DocIdx> = (0..catalog.0.n_docs).step_by(step).map(DocIdx).collect();
        catalog.for_each_of_with_word(&docs, word, |doc| found.push(doc.0)).unwrap();
    }
    found
}

/// The naive answer to the same; nothing is no word.
fn having(documents: &[Source], word: &str, step: usize) -> Vec<u32> {
    let sources = documents.iter().zip(0..).step_by(step);
    sources
        .filter(|((_, _, own), _)| own.iter().any(|own| !own.is_empty() && own == word))
        .map(|(_, doc)| doc)
        .collect()
}

fn arbitrary_source() -> impl Strategy<Value = Source> {
    let value = "|MIT|Apache-2.0|\\PC{1,12}|[\0-\u{20}]{1,3}";
    let word = "[ab]|[ab]|[a-c]{1,2}|\\PC{0,6}|\0{1,2}";
    let attributes = ["\\PC{0,40}", value, value, value, value];
    let words = prop::collection::vec(word, 0..30);
    ("\\PC{1,20}", attributes, words).prop_map(|(id, [uri, license, origin, shard, language], words)| {
        (id, Attributes { uri, license, origin, shard, language }, words)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_answer_agrees_with_the_documents(
        documents in prop::collection::vec(arbitrary_source(), 0..40),
        query in prop::collection::vec("[ab]|[a-c]{1,2}|\\PC{0,2}", 0..6),
        memory_bytes in prop_oneof![Just(0), Just(8_000), Just(usize::MAX)],
        limit in 0_usize..45,
    ) {
        let storage = memory();
        let seal = build(&storage, &documents, memory_bytes).unwrap();
        prop_assert_eq!(storage.list(Path::new("temp")).unwrap(), Vec::<String>::new());
        let catalog = open(&*storage, seal, documents.len()).unwrap();
        for ((id, attributes, _), doc) in documents.iter().zip(0..) {
            prop_assert_eq!(catalog.document(DocIdx(doc)).unwrap(), (id.clone(), attributes.clone()));
        }
        let behind = DocIdx(u32::try_from(documents.len()).unwrap());
        prop_assert_eq!(catalog.document(behind).unwrap_err().kind(), ErrorKind::Corrupt);

        let mut frequencies: BTreeMap<&str, u32> = BTreeMap::from([("", 0), ("absent", 0)]);
        for (_, _, words) in &documents {
            for word in words.iter().filter(|word| !word.is_empty()).collect::<BTreeSet<_>>() {
                *frequencies.entry(word).or_default() += 1;
            }
        }
        for (word, frequency) in frequencies {
            prop_assert_eq!(catalog.document_frequency(word).unwrap(), frequency, "{:?}", word);
            prop_assert_eq!(documents_with_word(&catalog, word, 1), having(&documents, word, 1), "{:?}", word);
            prop_assert_eq!(documents_with_word(&catalog, word, 2), having(&documents, word, 2), "{:?}", word);
        }

        for field in AttributeField::ALL {
            let values: BTreeSet<&str> = documents.iter().map(|document| value_of(field, document)).collect();
            for value in values {
                let with = |(document, doc)| (!value.is_empty() && value_of(field, document) == value).then_some(DocIdx(doc));
                let expected: Vec<DocIdx> = documents.iter().zip(0..).filter_map(with).collect();
                prop_assert_eq!(catalog.documents_with(field, value).unwrap(), expected, "{:?} {:?}", field, value);
            }
        }

        let expected = naive_scores(&documents, &query);
        let all = catalog.search(&query, usize::MAX).unwrap();
        let found: BTreeSet<u32> = all.iter().map(|(doc, _)| doc.0).collect();
        prop_assert_eq!(&found, &expected.keys().copied().collect());
        for (doc, score) in &all {
            prop_assert!((f64::from(*score) - expected[&doc.0]).abs() < 1e-4 * expected[&doc.0], "{} {}", score, expected[&doc.0]);
        }
        prop_assert!(all.is_sorted_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)).is_lt()), "{:?}", all);
        let mut reversed = query.clone();
        reversed.extend(query.iter().rev().cloned());
        prop_assert_eq!(&catalog.search(&reversed, limit).unwrap(), &all[..limit.min(all.len())]);
    }
}

#[test]
fn pruning_changes_no_answer_and_equal_documents_score_the_same() {
    let documents: Vec<Source> = sample(600).into_iter().cycle().take(1800).collect();
    let catalog = catalog_of(&documents);
    let query: Vec<String> = ["the", "quick", "fox", "rare7919", "rare15838", "dog", "größe"].map(String::from).into();
    let all = catalog.search(&query, usize::MAX).unwrap();
    assert_eq!(all.len(), naive_scores(&documents, &query).len());
    for limit in [1, 2, 3, 10, 100, 1000] {
        assert_eq!(catalog.search(&query, limit).unwrap(), all[..limit], "the best {limit}");
    }
    let scores: BTreeMap<DocIdx, f32> = all.into_iter().collect();
    for (doc, score) in scores.iter().filter(|(doc, _)| doc.0 >= 600) {
        assert_eq!(scores[&DocIdx(doc.0 - 600)].to_bits(), score.to_bits(), "{doc:?} is a copy");
    }
}

#[test]
fn the_same_documents_give_the_same_bytes() {
    let documents = sample(300);
    let reference = memory();
    let seal = build(&reference, &documents, usize::MAX).unwrap();
    let bytes = reference.open(Path::new("catalog")).unwrap();
    let check = |storage: Arc<dyn Storage>, memory_bytes, what: &str| {
        assert_eq!(build(&storage, &documents, memory_bytes).unwrap(), seal, "{what}");
        assert_eq!(&*storage.open(Path::new("catalog")).unwrap(), &*bytes, "{what}");
    };
    for memory_bytes in [0, 6_000, 9_000, 100_000, 1 << 20] {
        check(memory(), memory_bytes, &format!("runs of {memory_bytes} bytes"));
    }
    let dir = tempfile::tempdir().unwrap();
    check(Arc::new(DiskStorage::new(dir.path())), 10_000, "on disk");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || check(memory(), 6_000 + thread * 1_000, "beside other threads"));
        }
    });
}

/// Fails where the layout, tantivy's format or its version changes: raise the format version then.
#[test]
fn the_bytes_are_those_of_this_format() {
    let storage = memory();
    let seal = build(&storage, &sample(40), usize::MAX).unwrap();
    assert_eq!((seal.file_bytes, format!("{:016x}", seal.root)), (GOLDEN_BYTES, GOLDEN_ROOT.to_owned()));
}

const GOLDEN_BYTES: u64 = 8240;
const GOLDEN_ROOT: &str = "3cd8b07c3c0c6e4d";

#[test]
fn documents_with_a_word_are_found_over_many_blocks_of_postings() {
    let documents = sample(2_000);
    let catalog = catalog_of(&documents);
    for word in ["the", "fox", "rare7919", "none", ""] {
        for step in [1, 2, 7, 999] {
            assert_eq!(documents_with_word(&catalog, word, step), having(&documents, word, step), "{word:?} {step}");
        }
    }
}

#[test]
fn a_catalogue_of_no_documents_answers() {
    let storage = memory();
    let seal = build(&storage, &[], usize::MAX).unwrap();
    let catalog = open(&*storage, seal, 0).unwrap();
    assert_eq!(catalog.search(&["word".to_owned()], 10).unwrap(), []);
    assert_eq!(catalog.document_frequency("word").unwrap(), 0);
    assert_eq!(catalog.documents_with(AttributeField::License, "MIT").unwrap(), []);
    assert_eq!(catalog.document(DocIdx(0)).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn another_number_of_documents_is_refused() {
    let storage = memory();
    let documents = sample(3);
    let seal = build(&storage, &documents, usize::MAX).unwrap();
    for n_docs in [0, 2, 4] {
        let error = open(&*storage, seal, n_docs).unwrap_err();
        assert!(error.to_string().contains("number of documents"), "{error}");
    }
    assert_eq!(open(&*storage, seal, 3).unwrap().document(DocIdx(2)).unwrap().0, "doc-2");
}

#[test]
fn unicode_and_the_longest_attributes_come_back_and_longer_ones_are_refused() {
    let long = "ß".repeat(2048);
    let documents = [
        source("文書-1 \u{202E}\0", &attributes("🦀", "ÄÖÜ", "e\u{301}", " ", "\n"), "a b"),
        source(&long, &attributes(&long, &long, &long, &long, &long), "a"),
        source("", &Attributes::default(), ""),
    ];
    let storage = memory();
    let mut writer = CatalogWriter::create(&storage, Path::new("temp"), 1 << 20).unwrap();
    for (id, attributes, words) in &documents {
        writer.add(id, attributes, |add| terms_in_pieces(words, add)).unwrap();
        let too_long = Attributes { origin: format!("{long}x"), ..attributes.clone() };
        let error = writer.add(id, &too_long, |_| panic!("words of a refused document")).unwrap_err();
        assert_eq!(error.to_string(), "origin is `4097 bytes`: expected at most 4096 bytes");
    }
    let seal = writer.finish(Path::new("catalog")).unwrap();
    let catalog = open(&*storage, seal, documents.len()).unwrap();
    for ((id, attributes, _), doc) in documents.iter().zip(0..) {
        assert_eq!(catalog.document(DocIdx(doc)).unwrap(), (id.clone(), attributes.clone()));
    }
    for field in AttributeField::ALL {
        assert_eq!(catalog.documents_with(field, value_of(field, &documents[0])).unwrap(), [DocIdx(0)]);
        assert_eq!(catalog.documents_with(field, &long).unwrap(), [DocIdx(1)]);
        assert_eq!(catalog.documents_with(field, "").unwrap(), []);
    }
}

#[test]
fn hostile_words_are_found_or_left_out() {
    let words = |length: usize| vec!["w".repeat(length), "beside".to_owned()];
    let documents: Vec<Source> = [0, 1, 65_529, 65_530, 65_531, 100_000]
        .into_iter()
        .map(|length| (length.to_string(), Attributes::default(), words(length)))
        .chain([("nul".to_owned(), Attributes::default(), vec!["\0".to_owned(), "a\0b".to_owned()])])
        .collect();
    let catalog = catalog_of(&documents);
    for (length, frequency) in [(0, 0), (1, 1), (65_529, 1), (65_530, 1), (65_531, 0), (100_000, 0)] {
        assert_eq!(catalog.document_frequency(&"w".repeat(length)).unwrap(), frequency, "a word of {length} bytes");
    }
    for (word, frequency) in [("beside", 6), ("\0", 1), ("a\0b", 1), ("a", 0)] {
        assert_eq!(catalog.document_frequency(word).unwrap(), frequency, "{word:?}");
    }
}

/// Puts other bytes in the place of a catalogue.
fn replaced(bytes: &[u8]) -> Arc<dyn Storage> {
    let storage = memory();
    storage.create(Path::new("catalog")).unwrap().write_all(bytes).unwrap();
    storage
}

#[test]
fn every_damaged_byte_is_an_error_of_ours_or_changes_no_answer() {
    let mut documents = sample(40);
    for (document, seed) in documents.iter_mut().zip(0_u64..) {
        // Nothing to compress, so that the file has several blocks and some are first read through tantivy.
        let noise: Vec<String> = (0..24).map(|i| format!("{:016x}", xxh3_64_with_seed(&[i], seed))).collect();
        document.1.uri = noise.concat();
    }
    let storage = memory();
    let seal = build(&storage, &documents, usize::MAX).unwrap();
    let sound = storage.open(Path::new("catalog")).unwrap().to_vec();
    let expected = answers(&open(&*storage, seal, documents.len()).unwrap(), &documents).unwrap();
    let mut n_late = 0;
    for byte in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[byte] ^= 1 << (byte * 5 % 8);
        let opened = open(&*replaced(&bytes), seal, documents.len());
        n_late += usize::from(opened.is_ok());
        match opened.and_then(|catalog| answers(&catalog, &documents)) {
            Ok(found) => assert_eq!(found, expected, "byte {byte}"),
            Err(Error::Corrupt { .. }) => {}
            Err(other) => panic!("byte {byte}: {other}"),
        }
    }
    assert!(n_late > 4096, "only {n_late} damages were not found before tantivy read");
}

#[test]
fn a_sealed_file_with_another_table_or_footer_is_refused() {
    let documents = sample(5);
    let storage = memory();
    let seal = build(&storage, &documents, usize::MAX).unwrap();
    let file = BlockFile::open(&*storage, Path::new("catalog"), Component::Catalog, seal).unwrap();
    let payload = file.slice(0..file.payload_bytes()).unwrap();
    let open_resealed = |payload: &[u8]| {
        let storage = memory();
        let mut writer = BlockFileWriter::create(&*storage, Path::new("catalog"), Component::Catalog).unwrap();
        writer.write(payload).unwrap();
        let seal = writer.finish().unwrap();
        open(&*storage, seal, documents.len())
    };
    open_resealed(payload).unwrap();
    for byte in payload.len() - 224..payload.len() {
        for bit in 0..8 {
            let mut other = payload.to_vec();
            other[byte] ^= 1 << bit;
            let error = open_resealed(&other).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit} of byte {byte}: {error}");
        }
    }
    for n_bytes in [0, 1, 31, 32, 223, 224] {
        assert_eq!(open_resealed(&payload[payload.len() - n_bytes..]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

/// A storage whose writes fail after a number of them.
#[derive(Debug, Clone)]
struct FullStorage {
    files: MemoryStorage,
    writes_left: Arc<AtomicUsize>,
}

struct FullFile {
    file: Box<dyn WriteFile>,
    writes_left: Arc<AtomicUsize>,
}

impl FullFile {
    fn spend(&self) -> io::Result<()> {
        let left = self.writes_left.load(Ordering::Relaxed);
        self.writes_left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl io::Write for FullFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.spend()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteFile for FullFile {
    fn sync(&mut self) -> io::Result<()> {
        self.spend()?;
        self.file.sync()
    }
}

impl Storage for FullStorage {
    fn display_path(&self, path: &Path) -> PathBuf {
        self.files.display_path(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.files.list(dir)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.files.exists(path)
    }
    fn open(&self, path: &Path) -> Result<FileBytes> {
        self.files.open(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        let (file, writes_left) = (self.files.create(path)?, Arc::clone(&self.writes_left));
        Ok(Box::new(FullFile { file, writes_left }))
    }
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.files.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.files.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.files.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.files.remove_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.files.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        self.files.lock(path)
    }
}

#[test]
fn a_disk_that_fills_up_at_any_write_is_an_error_and_leaves_no_scratch() {
    let documents = sample(60);
    let full =
        |n_writes| FullStorage { files: MemoryStorage::default(), writes_left: Arc::new(AtomicUsize::new(n_writes)) };
    let plenty = full(usize::MAX);
    build(&(Arc::new(plenty.clone()) as Arc<dyn Storage>), &documents, 0).unwrap();
    let n_writes = usize::MAX - plenty.writes_left.load(Ordering::Relaxed);
    assert!(n_writes > 30, "{n_writes}");
    for n_writes in 0..n_writes {
        let storage: Arc<dyn Storage> = Arc::new(full(n_writes));
        let error = build(&storage, &documents, 0).unwrap_err();
        let Error::Io { source, .. } = error else { panic!("after {n_writes} writes: {error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull, "after {n_writes} writes: {source}");
        assert_eq!(storage.list(Path::new("temp")).unwrap(), Vec::<String>::new(), "after {n_writes} writes");
    }
}

#[test]
fn a_writer_that_failed_does_not_finish() {
    let files = MemoryStorage::default();
    let writes_left = Arc::new(AtomicUsize::new(1));
    let storage: Arc<dyn Storage> = Arc::new(FullStorage { files, writes_left: Arc::clone(&writes_left) });
    let mut writer = CatalogWriter::create(&storage, Path::new("temp"), 1 << 20).unwrap();
    let documents = sample(2000);
    let mut add = || documents.iter().try_for_each(|(id, attributes, _)| writer.add(id, attributes, |_| ()));
    assert!(matches!(add().unwrap_err(), Error::Io { .. }));
    writes_left.store(usize::MAX, Ordering::Relaxed);
    writer.finish(Path::new("catalog")).unwrap_err();
}

#[test]
fn a_writer_that_is_dropped_removes_its_scratch_files() {
    let storage = memory();
    let mut writer = CatalogWriter::create(&storage, Path::new("temp"), 0).unwrap();
    writer.add("a", &Attributes::default(), |add| terms_in_pieces(&["word".to_owned()], add)).unwrap();
    assert!(!storage.list(Path::new("temp")).unwrap().is_empty());
    drop(writer);
    assert_eq!(storage.list(Path::new("temp")).unwrap(), Vec::<String>::new());
}

#[test]
fn catalogues_are_shared_between_threads_and_writers_move_to_one() {
    fn check<T: Send + Sync + Clone>(_: &T) {}
    fn moves<T: Send>() {}
    moves::<CatalogWriter>();
    let documents = sample(50);
    let catalog = catalog_of(&documents);
    check(&catalog);
    let expected = answers(&catalog, &documents).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(answers(&catalog, &documents).unwrap(), expected));
        }
    });
}
