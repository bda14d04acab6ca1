//! An engine over documents that a bench makes.

use std::path::Path;
use std::sync::Arc;

use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;

/// Cuts a text into documents of about so many bytes.
pub(crate) fn split(text: &str, document_bytes: usize) -> Vec<String> {
    let mut documents = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let cut = rest.floor_char_boundary(document_bytes).max(1);
        documents.push(rest[..cut].to_owned());
        rest = &rest[cut..];
    }
    documents
}

/// Indexes documents, named by their numbers, and opens the index with the default policy.
pub(crate) fn engine(documents: &[String], dir: &Path) -> Engine {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir));
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).expect("an empty folder");
    let rows = documents.iter().enumerate().map(|(n, text)| {
        let document = Document { id: format!("d{n}"), text: text.clone(), attributes: Attributes::default() };
        Ok(Row::Document(Box::new(document)))
    });
    build(&mut writer, rows, BuildOptions::default(), &BuildProgress::default()).expect("sound documents");
    let index = Index::open(&*storage, PUBLIC_SEED).expect("the index just made");
    Engine::new([("bench".to_owned(), index)], Policy::default_policy())
}
