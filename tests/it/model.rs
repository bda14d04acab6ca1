//! An index against a model of it: random sequences of changes, and after each of them the index holds what a map in memory holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use copytrace::check::Checker as _;
use copytrace::check::engine::Engine;
use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::ids::DocIdx;
use copytrace_indexer::index::catalog::AttributeField;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::merge::{MergeOptions, merge};
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, OnDuplicate, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use copytrace_indexer::removal::{Selection, remove};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::corpora::{files, function, listing_policy};

/// Different ids; each has [`N_VERSIONS`] texts.
const N_IDS: u8 = 6;
const N_VERSIONS: u8 = 2;
/// Words of a text: as many as the index guarantees to find.
const N_WORDS: usize = 25;

/// A change of an index.
#[derive(Debug, Clone)]
enum Change {
    Index {
        documents: Vec<(u8, u8)>,
        on_duplicate: OnDuplicate,
    },
    RemoveIds(Vec<u8>),
    RemoveShard(u8),
    RemoveOrigin(u8),
    /// Merge, and join those of [`STARTS`].
    Merge {
        from: Vec<usize>,
        is_small: bool,
    },
    /// The writer goes, as if its process died.
    Reopen,
}

/// Documents of each build of an index: ids and versions.
type Builds = &'static [&'static [(u8, u8)]];

/// What an index starts from: documents of each build, then ids that are removed.
const STARTS: [(Builds, &[u8]); 6] = [
    (&[], &[]),
    (&[&[(0, 0), (1, 0), (2, 0), (3, 1)]], &[]),
    (&[&[(0, 0), (1, 0)], &[(1, 1), (4, 0)]], &[4]),
    (&[&[(5, 0), (2, 1)], &[(3, 0)], &[(2, 0), (0, 1), (0, 0)]], &[]),
    (&[&[(4, 1)], &[(5, 1), (3, 0)]], &[4, 3]),
    (&[&[(1, 1)]], &[1]),
];

fn any_documents() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0..N_IDS, 0..N_VERSIONS), 1..4)
}

fn any_change() -> impl Strategy<Value = Change> {
    let on_duplicate = prop_oneof![3 => Just(OnDuplicate::Replace), 1 => Just(OnDuplicate::Skip)];
    let from = prop::collection::vec(1..STARTS.len(), 0..3);
    prop_oneof![
        2 => (any_documents(), on_duplicate).prop_map(|(documents, on_duplicate)| Change::Index { documents, on_duplicate }),
        3 => prop::collection::vec(0..N_IDS, 1..3).prop_map(Change::RemoveIds),
        1 => (0..2_u8).prop_map(Change::RemoveShard),
        1 => (0..3_u8).prop_map(Change::RemoveOrigin),
        2 => (from, any::<bool>()).prop_map(|(from, is_small)| Change::Merge { from, is_small }),
        2 => Just(Change::Reopen),
    ]
}

fn id_of(id: u8) -> String {
    format!("document/{id}")
}

/// What a document is written in: the last two are code.
fn language_of(id: u8) -> Language {
    match id {
        4 => Language::Python,
        5 => Language::Rust,
        _ => Language::Text,
    }
}

/// The text of a version of a document: words that no other text has, in no order that a list would have; or a function of a shape that no
/// other one has.
fn text_of(id: u8, version: u8) -> String {
    if language_of(id).is_code() {
        return function_of(id, version, "name");
    }
    let words: Vec<String> = (0..N_WORDS).map(|n| format!("w{id}v{version}n{} ", n * 7 % N_WORDS)).collect();
    words.concat()
}

fn function_of(id: u8, version: u8, names: &str) -> String {
    function(language_of(id), u64::from(id) * 2 + u64::from(version), names, 6)
}

/// The text of a version, with three words replaced so that no 8 in a row are left; it begins and ends as before. Code has other names.
fn edited_text_of(id: u8, version: u8) -> String {
    if language_of(id).is_code() {
        return function_of(id, version, "other");
    }
    let text = text_of(id, version);
    let words = text.split_inclusive(' ').enumerate();
    words.map(|(n, word)| if [6, 12, 18].contains(&n) { "replaced " } else { word }).collect()
}

fn document_of(id: u8, version: u8) -> Document {
    let attributes = Attributes {
        uri: format!("uri {id} {version}"),
        license: "MIT".to_owned(),
        origin: format!("origin {}", id % 3),
        shard: format!("shard {}", (id + version) % 2),
        language: language_of(id).name().to_owned(),
    };
    Document { id: id_of(id), text: text_of(id, version), attributes }
}

/// An index and the model of it.
struct World {
    storage: Arc<dyn Storage>,
    writer: Option<IndexWriter>,
    engine: Option<Engine>,
    model: BTreeMap<String, Document>,
}

/// An index that is there already: its files, itself, and the model of it.
struct Start {
    files: Vec<(String, Vec<u8>)>,
    index: Option<Index>,
    model: BTreeMap<String, Document>,
}

impl Start {
    fn new((builds, removed): (Builds, &[u8])) -> Self {
        let mut world = World::new(None);
        for &documents in builds {
            world.apply(&Change::Index { documents: documents.to_vec(), on_duplicate: OnDuplicate::Replace }, &[]);
        }
        if !removed.is_empty() {
            world.apply(&Change::RemoveIds(removed.to_vec()), &[]);
        }
        let files = files(&*world.storage);
        Self { files, index: Index::open(&*world.storage, PUBLIC_SEED).ok(), model: world.model }
    }
}

fn build_options(on_duplicate: OnDuplicate) -> BuildOptions {
    BuildOptions { on_duplicate, threads: 1, memory_bytes: 1 << 20, ..BuildOptions::default() }
}

fn index_into(writer: &mut IndexWriter, documents: &[(u8, u8)], on_duplicate: OnDuplicate) {
    let rows = documents.iter().map(|&(id, version)| Ok(Row::Document(Box::new(document_of(id, version)))));
    build(writer, rows, build_options(on_duplicate), &BuildProgress::default()).unwrap();
}

fn open_writer(storage: &Arc<dyn Storage>) -> IndexWriter {
    IndexWriter::open(Arc::clone(storage), PUBLIC_SEED).unwrap()
}

impl World {
    fn new(start: Option<&Start>) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        for (path, bytes) in start.iter().flat_map(|start| &start.files) {
            storage.create(Path::new(path)).unwrap().write_all(bytes).unwrap();
        }
        let model = start.map(|start| start.model.clone()).unwrap_or_default();
        Self { storage, writer: None, engine: None, model }
    }

    fn writer(&mut self) -> &mut IndexWriter {
        self.writer.get_or_insert_with(|| open_writer(&self.storage))
    }

    fn apply(&mut self, change: &Change, starts: &[Start]) {
        match change {
            Change::Index { documents, on_duplicate } => {
                index_into(self.writer(), documents, *on_duplicate);
                for &(id, version) in documents {
                    let document = document_of(id, version);
                    match on_duplicate {
                        OnDuplicate::Replace => drop(self.model.insert(id_of(id), document)),
                        OnDuplicate::Skip => drop(self.model.entry(id_of(id)).or_insert(document)),
                        OnDuplicate::Error => unreachable!("not made above"),
                    }
                }
            }
            Change::RemoveIds(ids) => {
                let selection = Selection::Ids(ids.iter().copied().map(id_of).collect());
                self.remove(&selection, |document| ids.iter().any(|&id| id_of(id) == document.id));
            }
            Change::RemoveShard(n) => {
                let name = format!("shard {n}");
                self.remove(&Selection::Shard(name.clone()), |document| document.attributes.shard == name);
            }
            Change::RemoveOrigin(n) => {
                let name = format!("origin {n}");
                self.remove(&Selection::Origin(name.clone()), |document| document.attributes.origin == name);
            }
            Change::Merge { from, is_small } => self.merge(from, *is_small, starts),
            Change::Reopen => self.writer = None,
        }
    }

    fn remove(&mut self, selection: &Selection, is_selected: impl Fn(&Document) -> bool) {
        if self.writer().current().is_none() {
            remove(self.writer(), selection).unwrap_err();
            return;
        }
        let (_, selected) = remove(self.writer(), selection).unwrap();
        let n_before = self.model.len();
        self.model.retain(|_, document| !is_selected(document));
        assert_eq!(selected.documents.len(), n_before - self.model.len());
    }

    fn merge(&mut self, from: &[usize], is_small: bool, starts: &[Start]) {
        if self.writer().current().is_none() && from.is_empty() {
            return;
        }
        let mut joined = Vec::new();
        for start in from.iter().map(|&n| &starts[n]) {
            self.model.extend(start.model.clone());
            joined.extend(start.index.clone());
        }
        let small = MergeOptions { kept_text_bytes: 600, segment_text_bytes_max: 800, ..MergeOptions::default() };
        let options = if is_small { small } else { MergeOptions::default() };
        let options = MergeOptions { threads: 1, memory_bytes: 1 << 20, ..options };
        let report = merge(self.writer(), &joined, options, &BuildProgress::default()).unwrap();
        let index = self.writer().current().unwrap();
        assert!(index.segments().iter().all(|segment| segment.tombstones().n_removed() == 0), "nothing dead is left");
        let again = merge(self.writer(), &joined, options, &BuildProgress::default()).unwrap();
        assert_eq!(
            (again.is_changed, again.generation),
            (false, report.generation),
            "a second merge has nothing to do"
        );
    }

    /// Compares all that can be asked of the index with the model.
    fn compare(&mut self) {
        if self.writer().current().is_none() {
            assert!(Index::open(&*self.storage, PUBLIC_SEED).is_err());
            return;
        }
        let index = Index::open(&*self.storage, PUBLIC_SEED).unwrap();
        let mut found = BTreeMap::new();
        for segment in index.segments() {
            for doc in (0..segment.entry().n_docs).map(DocIdx).filter(|&doc| !segment.is_removed(doc)) {
                let document = segment.document(doc).unwrap();
                assert_eq!(found.insert(document.id.clone(), document), None, "an id lives once");
            }
        }
        assert_eq!(found, self.model);
        for id in (0..N_IDS).map(id_of) {
            assert_eq!(index.find(&id).unwrap().is_some(), self.model.contains_key(&id), "{id}");
        }
        for (field, names) in [(AttributeField::Shard, "shard"), (AttributeField::Origin, "origin")] {
            for name in (0..3).map(|n| format!("{names} {n}")) {
                let mut found = BTreeSet::new();
                for segment in index.segments() {
                    let docs = segment.catalog().documents_with(field, &name).unwrap();
                    let living = docs.into_iter().filter(|&doc| !segment.is_removed(doc));
                    found.extend(living.map(|doc| segment.attributes(doc).unwrap().0));
                }
                let has_name = |document: &&Document| {
                    let attributes = &document.attributes;
                    [&attributes.shard, &attributes.origin].contains(&&name)
                };
                let expected: BTreeSet<String> = self.model.values().filter(has_name).map(|d| d.id.clone()).collect();
                assert_eq!(found, expected, "{name}");
            }
        }
        self.compare_passages(&index);
    }

    /// One text with the passages of all versions of all documents, one of them edited or renamed, code between fences: those of living documents
    /// are found, and no other.
    fn compare_passages(&mut self, index: &Index) {
        let generation = index.generation().0;
        let n_stored: u64 = index.segments().iter().map(|segment| u64::from(segment.entry().n_docs)).sum();
        let versions: Vec<(u8, u8)> =
            (0..N_IDS).flat_map(|id| (0..N_VERSIONS).map(move |version| (id, version))).collect();
        let mut text = String::new();
        let mut expected = BTreeSet::new();
        let mut edited = None;
        for (n, (id, version)) in (0..).zip(versions) {
            let is_edited = n == generation % u32::from(N_IDS * N_VERSIONS);
            let passage = if is_edited { edited_text_of(id, version) } else { text_of(id, version) };
            let language = language_of(id);
            if language.is_code() {
                text.extend(["\n```", language.name(), "\n"]);
            }
            let start = text.len();
            text.push_str(&passage);
            if self.model.get(&id_of(id)).is_some_and(|document| document.text == text_of(id, version)) {
                let found = (id_of(id), start, text.len() - 1);
                // Of code nothing has to be looked up by its rare words.
                edited = (is_edited && !language.is_code()).then(|| found.clone()).or(edited);
                expected.insert(found);
            }
            text.push_str(if language.is_code() { "```\n" } else { "between. " });
        }
        let engine = self.engine.get_or_insert_with(|| {
            let storage = [("index".to_owned(), Arc::clone(&self.storage))];
            Engine::follow(storage, PUBLIC_SEED, listing_policy()).unwrap()
        });
        let answer = engine.check(&crate::corpora::request(text)).unwrap();
        assert_eq!(answer.indexes[0].generation, generation, "a reader sees the last commit");
        let found: BTreeSet<_> = answer
            .matches
            .iter()
            .map(|found| {
                let span = found.query_span;
                (found.document.id.clone(), span.start_byte as usize, span.end_byte as usize)
            })
            .collect();
        if let Some(edited) = edited.filter(|edited| n_stored > index.n_docs() && !found.contains(edited)) {
            // Its words are not rare where removed documents have them, too: found or not, but never the copy of another document.
            expected.remove(&edited);
        }
        assert_eq!(found, expected);
    }
}

/// 10,000 sequences, every fiftieth a long one, 30,000 changes in all; a failing one is shrunk to the few changes that matter.
#[test]
fn random_changes_agree_with_a_model() {
    // Freeing a large block once makes the allocator of glibc keep smaller ones, such as the 1 MB that tantivy takes for every dictionary:
    // otherwise half of the time goes to the system.
    drop(std::hint::black_box(vec![0_u8; 24 << 20]));
    let starts: Vec<Start> = STARTS.into_iter().map(Start::new).collect();
    let mut runner = TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() });
    let sequences = (
        0..STARTS.len(),
        prop_oneof![
            49 => prop::collection::vec(any_change(), 1..5),
            1 => prop::collection::vec(any_change(), 12..=40),
        ],
    );
    let agrees = |(start, changes): (usize, Vec<Change>)| {
        let mut world = World::new(Some(&starts[start]));
        for change in &changes {
            world.apply(change, &starts);
            world.compare();
        }
        Ok(())
    };
    runner.run(&sequences, agrees).unwrap();
}
