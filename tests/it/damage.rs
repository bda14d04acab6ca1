//! Damaged index files: whatever happens to them, an answer is the same as before, or an error that names the file.
//!
//! The index here has every component, two segments, prose and code, removed documents, over-cap keys and short documents; the questions touch every block
//! of it (`bits` fails otherwise). `bits` flips every bit and cuts every file at every length, `pages` damages pages and ranges and swaps
//! files, `shrink` cuts files under running readers, `forged` damages files and mends their checksums, `verify` looks for all damage at once.

mod bits;
mod forged;
mod pages;
mod shrink;
mod verify;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use copytrace::check::engine::Engine;
use copytrace::check::policy::{DEFAULT_POLICY, Policy};
use copytrace::check::{Checker, Request};
use copytrace_indexer::corpus::Document;
use copytrace_indexer::error::{Error, ErrorKind, Result};
use copytrace_indexer::ids::{DocIdx, Key};
use copytrace_indexer::index::catalog::AttributeField;
use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{MemoryStorage, Storage, WriteFile};
use copytrace_indexer::index::writer::IndexWriter;
use copytrace_indexer::language::Language;
use copytrace_indexer::pipeline::BuildOptions;
use copytrace_indexer::recipe::PUBLIC_SEED;

use crate::corpora::{add, code_document, document, document_of, fenced, files, function};

/// Files of an index, by path.
type Files = BTreeMap<PathBuf, FileBytes>;

/// Files in memory that are only read; cheap to clone and to patch.
#[derive(Debug, Clone, Default)]
struct Patched {
    files: Files,
    root: Vec<String>,
}

impl Patched {
    fn new(files: Files) -> Self {
        let mut root: Vec<String> =
            files.keys().map(|path| path.iter().next().unwrap().to_str().unwrap().to_owned()).collect();
        root.dedup();
        Self { files, root }
    }

    /// The same files, but one of them has other bytes.
    fn with(&self, path: &Path, bytes: FileBytes) -> Self {
        let mut patched = self.clone();
        patched.files.insert(path.to_path_buf(), bytes);
        patched
    }
}

fn read_only(path: &Path) -> Error {
    Error::Internal { component: "test", problem: format!("`{}` is written", path.display()) }
}

impl Storage for Patched {
    fn display_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        if dir.as_os_str().is_empty() {
            return Ok(self.root.clone());
        }
        let below = self.files.keys().filter(|path| path.parent() == Some(dir));
        Ok(below.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.files.contains_key(path))
    }
    fn open(&self, path: &Path) -> Result<FileBytes> {
        self.files.get(path).cloned().ok_or_else(|| read_only(path))
    }
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        Err(read_only(path))
    }
    fn create_dir(&self, path: &Path) -> Result<()> {
        Err(read_only(path))
    }
    fn rename(&self, from: &Path, _: &Path) -> Result<()> {
        Err(read_only(from))
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        Err(read_only(path))
    }
    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        Err(read_only(path))
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        Err(read_only(path))
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        Err(read_only(path))
    }
}

/// Made-up prose, the same for the same seed, without a common phrase between two seeds.
fn prose(seed: usize, n_words: usize) -> String {
    let mut state = seed as u64 * 0x9E37_79B9 + 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let syllables =
            ["ka", "lo", "mi", "ter", "un", "sa", "vo", "rin", "de", "pu", "gal", "ex", "om", "fi", "ze", "hu"];
        let pick = |shift: u32| syllables[usize::try_from(state >> shift & 15).unwrap()];
        format!("{}{}{}", pick(40), pick(48), pick(56))
    };
    let words: Vec<String> = (0..n_words).map(|n| if n % 12 == 11 { word() + "\n" } else { word() }).collect();
    words.join(" ")
}

const BANNER: &str = "this notice stands at the head of every file of the project and says that the software comes without any \
                      warranty and may be copied changed and sold by anybody who keeps this notice where it is today";

/// Languages of the documents of code of a generation.
const LANGUAGES: [Language; 2] = [Language::Python, Language::Rust];

/// A function of a generation.
fn code(generation: u64, n: u64, names: &str) -> String {
    function(LANGUAGES[usize::from(n == 1)], generation * 10 + n, names, 12)
}

/// Documents with a banner that 70 of them share, some that are no longer than a word, and some of code.
fn corpus(generation: usize) -> Vec<Document> {
    let mut documents = Vec::new();
    for n in 0..if generation == 1 { 70 } else { 3 } {
        let seed = generation * 1000 + n;
        let text = match (generation, n) {
            (1, 0..6) => format!("{BANNER}\n{}", prose(seed, 120)),
            (1, _) => BANNER.to_owned(),
            _ => prose(seed, 120),
        };
        documents.push(document_of(&format!("origin {}", n % 20), format!("doc/{seed}"), text));
    }
    for n in 0..if generation == 1 { 66 } else { 2 } {
        documents.push(document(format!("short/{generation}/{n}"), if n == 0 { "天" } else { "ok" }));
    }
    for n in 0..3 {
        let language = LANGUAGES[usize::from(n == 1)];
        documents.push(code_document(language, format!("code/{generation}/{n}"), code(generation as u64, n, "name")));
    }
    documents
}

fn remove(storage: &Arc<dyn Storage>, ids: &[String]) {
    let mut writer = IndexWriter::open(Arc::clone(storage), PUBLIC_SEED).unwrap();
    for id in ids {
        let key = Key(writer.fingerprinter().id_key(id));
        let (segment_idx, doc) = writer.find(id, key).unwrap().unwrap();
        writer.remove(segment_idx, doc);
    }
    writer.commit(None).unwrap();
}

/// All files of a storage except the lock.
fn files_of(storage: &Arc<dyn Storage>) -> Files {
    let files = files(&**storage).into_iter().filter(|(path, _)| path != "LOCK");
    files.map(|(path, bytes)| (path.into(), FileBytes::from_vec(bytes))).collect()
}

/// The index: two segments with removed documents. Returns its files, and those of two earlier generations.
fn index_files() -> (Files, Vec<FileBytes>) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let full = BuildOptions { threads: 1, ..BuildOptions::default() };
    let mut older = Vec::new();
    let mut keep = |storage: &Arc<dyn Storage>| older.extend(files_of(storage).into_values());
    add(&storage, corpus(1), full);
    keep(&storage);
    add(&storage, corpus(2), full);
    remove(&storage, &["doc/1003".to_owned()]);
    keep(&storage);
    remove(&storage, &["doc/1004".to_owned(), "short/2/1".to_owned(), "code/1/2".to_owned()]);
    (files_of(&storage), older)
}

/// A question to an index.
enum Question {
    /// A check of a text, by the engine.
    Check(String),
    /// Anything else.
    Ask(fn(&Index) -> Result<String>),
}

/// Questions that together touch every block.
fn questions() -> Vec<Question> {
    let edited = |seed| {
        prose(seed, 120).split(' ').enumerate().fold(String::new(), |text, (n, word)| {
            let word = if n % 60 == 59 { "edited" } else { word };
            text + word + " "
        })
    };
    let check = |text: String| Question::Check(text);
    vec![
        check(format!("before {} after", prose(1001, 60))),
        check(edited(1002)),
        check(edited(2001)),
        check("OK!".to_owned()),
        check(prose(1003, 120)),
        check(BANNER.to_uppercase()),
        check(prose(9999, 80)),
        Question::Ask(|index| find(index, "doc/1000")),
        Question::Ask(|index| find(index, "doc/1004")),
        Question::Ask(|index| find(index, "doc/2002")),
        Question::Ask(|index| find(index, "nowhere")),
        Question::Ask(|index| {
            let words = ["warranty".to_owned(), "ok".to_owned(), prose(1005, 1).trim().to_owned()];
            let search = |segment: &copytrace_indexer::index::segment::Segment| {
                let found = segment.catalog().search(&words, 10)?;
                let n_docs = segment.catalog().document_frequency("warranty")?;
                let of_origin = segment.catalog().documents_with(AttributeField::Origin, "origin 2")?;
                Ok(format!("{found:?} {n_docs} {of_origin:?}"))
            };
            index.segments().iter().map(search).collect()
        }),
        check(fenced(Language::Python, &code(1, 0, "renamed"))),
        check(code(2, 1, "name")),
        check(fenced(Language::Python, &code(1, 2, "name"))),
        Question::Ask(read_everything),
    ]
}

fn find(index: &Index, id: &str) -> Result<String> {
    let Some((segment, doc)) = index.find(id)? else { return Ok("none".to_owned()) };
    let record = segment.record(doc)?;
    let mut text = Vec::new();
    segment.read_text(record.text.clone(), &mut text)?;
    Ok(format!("{doc:?} {record:?} {:?} {}", segment.attributes(doc)?, String::from_utf8_lossy(&text)))
}

/// Every document, every key that leads to it, and every line.
fn read_everything(index: &Index) -> Result<String> {
    let mut all = String::new();
    for segment in index.segments() {
        for doc in (0..segment.entry().n_docs).map(DocIdx) {
            let record = segment.record(doc)?;
            let (id, _) = segment.attributes(doc)?;
            let mut text = Vec::new();
            segment.read_text(record.text.clone(), &mut text)?;
            let line = segment.line_at(&record, record.text.end)?;
            writeln!(all, "{id} {} {line} {}", segment.is_removed(doc), text.len()).unwrap();
        }
        let mut values = Vec::new();
        let of_positions = [segment.anchors(), segment.lexemes(), segment.units()];
        for table in of_positions.into_iter().chain([Some(segment.bands()), Some(segment.exact())]).flatten() {
            for key in 0..=u64::from(u8::MAX) {
                table.lookup(Key(key << 56 | key), &mut values)?;
            }
        }
        for (name, result) in segment.verify() {
            writeln!(all, "{name} {} {values:?}", result?).unwrap();
        }
    }
    Ok(all)
}

/// The default policy, but every match is listed, be it one word.
fn policy() -> Policy {
    let text = DEFAULT_POLICY.replace("\ntokens_min = 12\n", "\ntokens_min = 1\n");
    Policy::parse(&text, "test").unwrap()
}

/// An index, open for all questions.
struct Open {
    index: Index,
    engine: Engine,
}

impl Open {
    /// Opens the index twice: the engine keeps its own to itself.
    fn new(storage: &Patched) -> Result<Self> {
        let open = || Index::open(storage, PUBLIC_SEED);
        Ok(Self { index: open()?, engine: Engine::new([("test".to_owned(), open()?)], policy()) })
    }

    fn answer(&self, question: &Question) -> Result<String> {
        match question {
            Question::Check(text) => match self.engine.check(&Request::new("q", text.as_str())) {
                Ok(answer) => Ok(format!("{answer:?}")),
                Err(copytrace::Error::Index(error)) => Err(error),
                Err(other) => panic!("{other}"),
            },
            Question::Ask(ask) => ask(&self.index),
        }
    }
}

/// The path that an error of damage names; any other error fails the test.
fn named(error: &Error) -> &Path {
    match error {
        Error::Corrupt { path, .. } | Error::Incompatible { path, .. } => {
            debug_assert!(
                matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible),
                "kinds follow variants"
            );
            path
        }
        other => panic!("no damage is named: {other}"),
    }
}

/// Works through jobs on all cores.
fn in_parallel<T: Sync>(jobs: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(job);
                }
            });
        }
    });
}

#[test]
fn the_index_has_every_part_and_every_question_an_answer() {
    let (files, _) = index_files();
    let total: usize = files.values().map(|bytes| bytes.len()).sum();
    let sizes: Vec<_> = files.iter().map(|(path, bytes)| format!("{} {}", path.display(), bytes.len())).collect();
    assert!(total >= 64 << 10, "{total}: {sizes:#?}");

    let open = Open::new(&Patched::new(files)).unwrap();
    let answers: Vec<String> = questions().iter().map(|question| open.answer(question).unwrap()).collect();
    for (n, expected) in [
        (0, "Verbatim"),
        (1, "Edited"),
        (2, "NearDuplicate"),
        (3, "short/1/"),
        (4, "matches: []"),
        (5, "document_count_capped: true"),
        (6, "matches: []"),
        (7, "doc/1000"),
        (8, "none"),
        (12, "kind: Renamed"),
        (12, "code/1/0"),
        (13, "kind: Verbatim"),
        (13, "code/2/1"),
        (14, "matches: []"),
    ] {
        assert!(answers[n].contains(expected), "question {n}: {}", answers[n]);
    }
}
