//! Small corpora and indexes in memory for the tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use copytrace::check::Request;
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, BuildReport, build};
use copytrace_indexer::recipe::PUBLIC_SEED;

/// A document with an id and a text.
pub(crate) fn document(id: impl Into<String>, text: impl Into<String>) -> Document {
    Document { id: id.into(), text: text.into(), attributes: Attributes::default() }
}

/// A document of an origin.
pub(crate) fn document_of(origin: &str, id: impl Into<String>, text: impl Into<String>) -> Document {
    let attributes = Attributes { origin: origin.into(), license: "CC0-1.0".into(), ..Attributes::default() };
    Document { attributes, ..document(id, text) }
}

/// Words that no passage of another name has, each followed by a blank.
pub(crate) fn passage(name: &str, n_words: usize) -> String {
    (0..n_words).map(|n| format!("{name}{n} ")).collect::<Vec<_>>().concat()
}

/// A document of code.
pub(crate) fn code_document(language: Language, id: impl Into<String>, text: impl Into<String>) -> Document {
    let attributes = Attributes { language: language.name().into(), ..Attributes::default() };
    Document { attributes, ..document(id, text) }
}

/// A function of Python or Rust. All its names but `max` begin with `names`; functions of one shape and length differ in nothing else,
/// those of two shapes have no long run in common.
pub(crate) fn function(language: Language, shape: u64, names: &str, n_statements: usize) -> String {
    const OPERATORS: [&str; 9] = ["+", "-", "*", "/", "%", "&", "|", "^", "<<"];
    let mut random = Random(shape);
    let mut lines = Vec::new();
    for n in 2..n_statements + 2 {
        let names_used: [String; 4] = std::array::from_fn(|_| format!("{names}{}", random.below(n)));
        let [first, second, third, fourth] = &names_used;
        let [one, other]: [&str; 2] = std::array::from_fn(|_| OPERATORS[random.below(OPERATORS.len())]);
        lines.push(match random.below(4) {
            0 => format!("{names}{n} = {first} {one} {second} {other} {third}"),
            1 => format!("{names}{n} = ({first} {one} {second}) {other} ({third} - {fourth})"),
            2 => format!("{names}{n} = {first} {one} max({second}, {third} {other} {fourth})"),
            _ => format!("{names}{n} = {first} {one} {}", random.below(1000)),
        });
    }
    let last = format!("{names}{}", n_statements + 1);
    if language == Language::Rust {
        let body = lines.join(";\n    let ");
        return format!("fn {names}_of({names}0: u64, {names}1: u64) -> u64 {{\n    let {body};\n    {last}\n}}\n");
    }
    let body = lines.join("\n    ");
    format!("def {names}_of({names}0, {names}1):\n    {body}\n    return {last}\n")
}

/// Code between fences, as in an answer.
pub(crate) fn fenced(language: Language, code: &str) -> String {
    format!("\n```{language}\n{code}```\n")
}

/// A generator of numbers, the same ones from the same seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }
}

/// All files of a storage in memory with their bytes, sorted.
pub(crate) fn files(storage: &dyn Storage) -> Vec<(String, Vec<u8>)> {
    let below = |dir: &Path| storage.list(dir).unwrap().into_iter().map(|name| dir.join(name)).collect::<Vec<_>>();
    let paths = below(Path::new("")).into_iter().flat_map(|path| [below(&path), vec![path]].concat());
    let name = |path: PathBuf| path.into_os_string().into_string().unwrap();
    let read = |path: PathBuf| storage.open(&path).ok().map(|bytes| (name(path), bytes.to_vec()));
    let mut files: Vec<_> = paths.filter_map(read).collect();
    files.sort();
    files
}

/// Adds documents to the index in `storage`.
pub(crate) fn add(storage: &Arc<dyn Storage>, documents: Vec<Document>, options: BuildOptions) -> BuildReport {
    let mut writer = IndexWriter::open(Arc::clone(storage), PUBLIC_SEED).unwrap();
    let rows = documents.into_iter().map(|document| Ok(Row::Document(Box::new(document))));
    build(&mut writer, rows, options, &BuildProgress::default()).unwrap()
}

/// An index of documents, in memory.
pub(crate) fn index(documents: Vec<Document>) -> Index {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    add(&storage, documents, BuildOptions { threads: 1, ..BuildOptions::default() });
    Index::open(&*storage, PUBLIC_SEED).unwrap()
}

/// The default policy, but every match is listed.
pub(crate) fn listing_policy() -> Policy {
    let text = copytrace::check::policy::DEFAULT_POLICY
        .replace("\ntokens_min = 12\n", "\ntokens_min = 8\n")
        .replace("\nmatches_max = 50\n", "\nmatches_max = 100000\n");
    Policy::parse(&text, "test").unwrap()
}

/// An engine over an index of documents.
pub(crate) fn engine(documents: Vec<Document>) -> Engine {
    Engine::new([("test".to_owned(), index(documents))], listing_policy())
}

/// A request of which only the text matters.
pub(crate) fn request(text: impl Into<String>) -> Request {
    Request::new("q", text)
}

/// An engine with the default policy over an index of documents.
pub(crate) fn engine_by_default(documents: Vec<Document>) -> Engine {
    Engine::new([("test".to_owned(), index(documents))], Policy::default_policy())
}
