//! Small corpora and indexes in memory for the tests.

use std::sync::Arc;

use copytrace::check::Request;
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
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
