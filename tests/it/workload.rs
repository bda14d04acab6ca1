//! A reference workload on an index, and what a reader must see after each of its steps.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use copytrace::check::Checker;
use copytrace::check::answer::Answer;
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace_indexer::corpus::Row;
use copytrace_indexer::error::{Error as IndexError, Result};
use copytrace_indexer::ids::{DocIdx, Key};
use copytrace_indexer::index::receipt::{RECEIPTS, Receipt};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::merge::{MergeOptions, merge};
use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
use copytrace_indexer::recipe::PUBLIC_SEED;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::corpora::{Random, document_of, fenced, function, listing_policy, request};

/// Ids and texts.
pub(crate) type Documents = BTreeMap<String, String>;

/// One change of an index, which ends with a commit.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Documents are added, replacing those of the same id; `memory_bytes` says how soon postings are parked in files.
    Add { documents: Vec<(String, String)>, memory_bytes: usize },
    /// Documents are removed.
    Remove(Vec<String>),
    /// Segments become one, and the documents of another index come in.
    Merge(Vec<(String, String)>),
}

/// A text of so many words, different for every name.
pub(crate) fn text(name: &str, n_words: usize) -> String {
    let seed = xxh3_64_with_seed(name.as_bytes(), 1);
    let mut random = Random(seed);
    (0..n_words).map(|_| format!("w{}", random.below(5_000))).collect::<Vec<_>>().join(" ")
}

/// A function of Python, different for every name.
fn code(name: &str) -> String {
    function(Language::Python, xxh3_64_with_seed(name.as_bytes(), 2), "name", 5)
}

/// A text of so many words, or a function where the name asks for code.
pub(crate) fn text_or_code(name: &str, n_words: usize) -> String {
    if name.contains("code") { code(name) } else { text(name, n_words) }
}

/// What a text of one of these workloads is written in.
fn language_of(text: &str) -> Language {
    if text.starts_with("def ") { Language::Python } else { Language::Text }
}

fn documents(ids_and_texts: &[(&str, &str)]) -> Vec<(String, String)> {
    ids_and_texts.iter().map(|&(id, name)| (id.to_owned(), text_or_code(name, 40))).collect()
}

fn add(ids_and_texts: &[(&str, &str)], memory_bytes: usize) -> Work {
    Work::Add { documents: documents(ids_and_texts), memory_bytes }
}

/// Every kind of change: a new index, documents added with parked postings, replaced and twice in one run, removed, merged; a segment
/// taken over from another index. Code is added, replaced and merged in few of the steps: each file more is many more moments to cut the power at.
pub(crate) fn reference() -> Vec<Step> {
    let plenty = 1 << 20;
    vec![
        Step { name: "a new index", work: add(&[("a", "a"), ("b", "b"), ("c", "c")], plenty) },
        Step { name: "added", work: add(&[("d", "d"), ("k", "code k")], 1024) },
        Step { name: "replaced", work: add(&[("a", "new a"), ("f", "f"), ("f", "new f")], plenty) },
        Step { name: "removed", work: Work::Remove(vec!["b".into(), "f".into()]) },
        Step { name: "joined", work: Work::Merge(documents(&[("g", "g"), ("a", "newest a"), ("k", "new code k")])) },
        Step { name: "removed again", work: Work::Remove(vec!["g".into()]) },
        Step { name: "merged", work: Work::Merge(Vec::new()) },
    ]
}

/// A workload that nobody chose.
pub(crate) fn random(seed: u64) -> Vec<Step> {
    let mut random = Random(seed);
    let n_steps = 3 + random.below(3);
    let mut ids = |n: usize| -> Vec<String> { (0..=random.below(n)).map(|_| format!("{}", random.below(8))).collect() };
    let mut steps = Vec::new();
    for step in 0..n_steps {
        let chosen = ids(3);
        let version = format!("{seed}, {step}");
        let of = |id: String| {
            let kind = if matches!(&*id, "3" | "7") { "code" } else { "text" };
            (id.clone(), text_or_code(&format!("{kind} {id} of {version}"), 10 + 7 * step))
        };
        let work = match step {
            2 => Work::Remove(chosen),
            3 => Work::Merge(chosen.into_iter().map(of).collect()),
            _ => Work::Add { documents: chosen.into_iter().map(of).collect(), memory_bytes: 512 << (2 * step) },
        };
        steps.push(Step { name: "random", work });
    }
    steps
}

/// What another process does where one died: adds and replaces a document.
pub(crate) fn next_process() -> Step {
    Step { name: "the next process", work: add(&[("y", "y"), ("a", "another a")], 1 << 20) }
}

/// Works on what was found after a crash and checks that the work is there and nothing else.
///
/// Either a document is removed, which is a commit of its own and cheap, or (`is_building`) documents are added, too.
pub(crate) fn assert_workable(
    storage: &Arc<dyn Storage>,
    found: Seen,
    is_building: bool,
) -> Result<(), Box<dyn Error>> {
    let Seen { mut generation, mut documents, .. } = found;
    let first = documents.keys().next().cloned();
    let removal = Step { name: "removal", work: Work::Remove(first.into_iter().collect()) };
    let building = is_building.then(next_process);
    for step in [Some(removal), building].into_iter().flatten() {
        let before = documents.clone();
        step.run(storage)?;
        step.change(&mut documents);
        // The first commit makes an index even of nothing.
        generation += u32::from(documents != before || generation == 0);
    }
    let after = look(&**storage)?;
    assert_eq!((after.generation, after.documents), (generation, documents));
    assert_no_leftovers(&**storage);
    Ok(())
}

fn add_to(writer: &mut IndexWriter, documents: &[(String, String)], memory_bytes: usize) -> Result<()> {
    let row = |(id, text): &(String, String)| {
        let mut document = document_of("an origin", id.as_str(), text.as_str());
        language_of(text).name().clone_into(&mut document.attributes.language);
        Ok(Row::Document(Box::new(document)))
    };
    // One thread, so that the calls of the storage come in the same order every time.
    let options = BuildOptions { memory_bytes, threads: 1, ..BuildOptions::default() };
    build(writer, documents.iter().map(row), options, &BuildProgress::default()).map(drop)
}

impl Step {
    /// Does it with a writer of its own.
    pub(crate) fn run(&self, storage: &Arc<dyn Storage>) -> Result<()> {
        let mut writer = IndexWriter::open(Arc::clone(storage), PUBLIC_SEED)?;
        match &self.work {
            Work::Add { documents, memory_bytes } => add_to(&mut writer, documents, *memory_bytes),
            Work::Merge(documents) => {
                let other: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
                let mut from = Vec::new();
                if !documents.is_empty() {
                    add_to(&mut IndexWriter::open(Arc::clone(&other), PUBLIC_SEED)?, documents, 1 << 20)?;
                    from.push(Index::open(&*other, PUBLIC_SEED)?);
                }
                // So low that the other index's segment is taken over as it is.
                let options = MergeOptions { threads: 1, kept_docs: 2, ..MergeOptions::default() };
                merge(&mut writer, &from, options, &BuildProgress::default()).map(drop)
            }
            Work::Remove(ids) => {
                for id in ids {
                    let key = Key(writer.fingerprinter().id_key(id));
                    if let Some((segment, doc)) = writer.find(id, key)? {
                        writer.remove(segment, doc);
                    }
                }
                writer.commit(None).map(drop)
            }
        }
    }

    /// Does it to the model.
    pub(crate) fn change(&self, documents: &mut Documents) {
        match &self.work {
            Work::Add { documents: added, .. } | Work::Merge(added) => documents.extend(added.iter().cloned()),
            Work::Remove(ids) => documents.retain(|id, _| !ids.contains(id)),
        }
    }
}

/// What a reader sees.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// 0 where there is no index.
    pub(crate) generation: u32,
    pub(crate) documents: Documents,
    /// Generations that have a receipt.
    receipts: Vec<u32>,
    /// The answer to a text that holds passages of documents of all steps; none without an index.
    answer: Option<Answer>,
}

/// Passages of four documents, two of which are removed or replaced in time, and of none; and two functions, one of which is replaced by the other.
static QUERY: LazyLock<String> = LazyLock::new(|| {
    let prose = ["a", "nothing", "b", "d", "new a"].map(|name| text(name, 30)).join(" ");
    prose + &["code k", "new code k"].map(|name| fenced(Language::Python, &code(name))).concat()
});
static POLICY: LazyLock<Policy> = LazyLock::new(listing_policy);

/// Reads everything: the manifest, every byte of every file, every document, and the answer to a check.
pub(crate) fn look(storage: &dyn Storage) -> Result<Seen, Box<dyn Error>> {
    let index = match Index::open(storage, PUBLIC_SEED) {
        Err(IndexError::NoIndex { .. }) => {
            return Ok(Seen { generation: 0, documents: Documents::new(), receipts: Vec::new(), answer: None });
        }
        opened => opened?,
    };
    let mut documents = Documents::new();
    for segment in index.segments() {
        segment.verify().into_iter().try_for_each(|(_, result)| result.map(drop))?;
        for doc in (0..segment.entry().n_docs).map(DocIdx).filter(|&doc| !segment.is_removed(doc)) {
            let mut bytes = Vec::new();
            segment.read_text(segment.record(doc)?.text, &mut bytes)?;
            let (id, _) = segment.attributes(doc)?;
            if documents.insert(id.clone(), String::from_utf8(bytes)?).is_some() {
                return Err(format!("document `{id}` is there twice").into());
            }
        }
    }
    let generation = index.generation().0;
    let mut receipts = Receipt::list(storage)?;
    // A later one is of a commit that has not come.
    receipts.retain(|&receipt| receipt <= index.generation());
    for &receipt in &receipts {
        Receipt::read(storage, receipt, drop)?;
    }
    let receipts = receipts.into_iter().map(|receipt| receipt.0).collect();
    let mut query = request(QUERY.as_str());
    // Bounded in time: what it finds could depend on how busy the machine is.
    query.is_lexical = false;
    let answer = Engine::new([("disk".to_owned(), index)], POLICY.clone()).check(&query)?;
    Ok(Seen { generation, documents, receipts, answer: Some(answer) })
}

/// What a reader sees before the first step and after each, if nothing goes wrong.
pub(crate) fn expected(steps: &[Step]) -> Vec<Seen> {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let mut model = Documents::new();
    let mut states = vec![look(&*storage).unwrap()];
    for step in steps {
        step.run(&storage).unwrap();
        step.change(&mut model);
        let seen = look(&*storage).unwrap();
        assert_eq!(seen.documents, model, "{}", step.name);
        states.push(seen);
    }
    states
}

/// Checks that nothing is left in the folder that the index is not made of.
pub(crate) fn assert_no_leftovers(storage: &dyn Storage) {
    let index = Index::open(storage, PUBLIC_SEED).unwrap();
    let mut expected = vec![format!("MANIFEST-{:06}", index.generation().0), "LOCK".to_owned()];
    let receipts = Receipt::list(storage).unwrap();
    assert!(receipts.iter().all(|receipt| *receipt <= index.generation()), "a receipt of a commit that never came");
    assert_eq!(storage.list(Path::new(RECEIPTS)).unwrap().len(), receipts.len());
    expected.extend((!receipts.is_empty()).then(|| RECEIPTS.to_owned()));
    for segment in index.segments() {
        let entry = segment.entry();
        let mut names: Vec<String> = entry.files.keys().cloned().collect();
        names.extend(entry.tombstones.iter().map(|tombstones| tombstones.file.clone()));
        names.sort();
        assert_eq!(storage.list(Path::new(&entry.name)).unwrap(), names);
        expected.push(entry.name.clone());
    }
    expected.sort();
    // The folder of receipts stays where the merge that made it never came to its end.
    let found = storage.list(Path::new("")).unwrap().into_iter();
    assert_eq!(found.filter(|name| name != RECEIPTS || !receipts.is_empty()).collect::<Vec<_>>(), expected);
}

/// Says which case it was when a test panics while it is held.
pub(crate) struct Case<F: Fn() -> String>(pub(crate) F);

impl<F: Fn() -> String> Drop for Case<F> {
    #[expect(clippy::print_stderr, reason = "what a panic says is on standard error, too")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case: {}", self.0());
        }
    }
}
