use std::fmt::Write as _;
use std::sync::Arc;

use copytrace_indexer::corpus::{Attributes, Document, Row};
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;

use super::*;

/// An index of Python files, each of an origin of its own.
pub(in super::super) fn index_of(texts: Vec<String>) -> Index {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).unwrap();
    let rows = texts.into_iter().enumerate().map(|(n, text)| {
        let attributes =
            Attributes { language: "python".to_owned(), origin: format!("origin-{n}"), ..Attributes::default() };
        Ok(Row::Document(Box::new(Document { id: format!("d{n}"), text, attributes })))
    });
    build(&mut writer, rows, BuildOptions { threads: 1, ..BuildOptions::default() }, &BuildProgress::default())
        .unwrap();
    Index::open(&*storage, PUBLIC_SEED).unwrap()
}

/// A function of some forty tokens that calls what no other one does.
pub(in super::super) fn function(n: usize) -> String {
    format!(
        "def load_{n}(path, size):\n    first = path.seek_{n}(size, {n})\n    return first.cut_{n}(size - 1, path) + [size]\n"
    )
}

fn find_in(index: &Index, code: &str, deadline: Option<Instant>) -> KnownUnits {
    find(index, code, Language::Python, deadline, &mut Parsers::default()).unwrap()
}

#[test]
fn a_unit_of_many_documents_is_counted_beyond_the_places_that_are_stored() {
    let index = index_of(vec![function(7); 100]);
    let known = find_in(&index, &function(7), None);
    let Found { places, n_docs, n_origins, is_capped } = &known.units[0].found;
    assert_eq!((places.len(), *n_docs, *n_origins, *is_capped), (64, 100, 100, true));
    let index = index_of(vec![function(7); 3]);
    let found = &find_in(&index, &function(7), None).units[0].found;
    assert_eq!((found.places.len(), found.n_docs, found.n_origins, found.is_capped), (3, 3, 3, false));
}

#[test]
fn units_beyond_those_that_are_known_are_said() {
    let all = |n: usize| {
        (0..n).fold(String::new(), |mut code, n| {
            writeln!(code, "{}", function(n)).unwrap();
            code
        })
    };
    let index = index_of(vec![all(KNOWN_UNITS_MAX + 1)]);
    for (n, is_overfull) in [(KNOWN_UNITS_MAX, false), (KNOWN_UNITS_MAX + 1, true)] {
        let known = find_in(&index, &all(n), None);
        assert_eq!((known.units.len(), known.is_overfull), (KNOWN_UNITS_MAX, is_overfull), "{n}: {:?}", known.trouble);
    }
}

#[test]
fn a_deadline_is_said_where_a_unit_was_not_parsed() {
    let index = index_of(vec![function(7)]);
    let mut parsers = Parsers::default();
    let known = find(&index, &function(7), Language::Python, None, &mut parsers).unwrap();
    let mut compare = |source: &str, deadline| known.units[0].compare(source, Language::Python, deadline, &mut parsers);
    assert_eq!(compare(&function(7), Some(Instant::now())), Compared::Late);
    assert!(matches!(compare(&function(7), None), Compared::Equal(_)));
    assert_eq!(compare(&function(8), None), Compared::Different);
}
