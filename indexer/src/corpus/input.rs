//! From paths to a sorted list of input files.
//!
//! A folder is one of two things. Where at least half of its files are data files (JSON lines, Parquet) it is a *data
//! folder* and those are read. Else it is a *tree* of source and text files, each a document of its own. What is not
//! read is counted by reason, never passed over in silence.
//!
//! Hidden files and those that a `.gitignore` or `.ignore` within the folder excludes are as good as not there, whether
//! the folder is a repository or not. Only files within the folder have a say: ignore files above it, of the user and
//! of the machine do not, so that a folder gives the same documents wherever it lies. Symbolic links are not followed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ignore::WalkBuilder;

use crate::error::{Error, Result};

/// How a file of JSON lines is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, with one or more members.
    Gzip,
    /// zstd, with one or more frames.
    Zstd,
}

/// What an input file holds; told by its ending alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One JSON object per line, each a document.
    JsonLines(Compression),
    /// Parquet: each row a document.
    Parquet,
    /// Source or text: the file is one document.
    Plain,
}

const DATA_ENDINGS: [(&str, Format); 9] = [
    (".jsonl", Format::JsonLines(Compression::None)),
    (".jsonl.gz", Format::JsonLines(Compression::Gzip)),
    (".jsonl.zst", Format::JsonLines(Compression::Zstd)),
    (".json.gz", Format::JsonLines(Compression::Gzip)),
    (".json.zst", Format::JsonLines(Compression::Zstd)),
    (".ndjson", Format::JsonLines(Compression::None)),
    (".ndjson.gz", Format::JsonLines(Compression::Gzip)),
    (".ndjson.zst", Format::JsonLines(Compression::Zstd)),
    (".parquet", Format::Parquet),
];

/// Endings of data that is not read. A file of these, given by itself, is surely not meant to be one document.
const REFUSED_ENDINGS: [&str; 17] = [
    ".json", ".csv", ".tsv", ".arrow", ".feather", ".avro", ".orc", ".warc", ".gz", ".zst", ".bz2", ".xz", ".lz4",
    ".zip", ".tar", ".tgz", ".7z",
];

impl Format {
    /// Tells the format by the ending of a file's name, in any case.
    pub fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        DATA_ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map_or(Self::Plain, |&(_, format)| format)
    }

    /// Tells whether a file of this format holds a document per row.
    pub fn is_data(self) -> bool {
        self != Self::Plain
    }
}

/// The folder at the top of a tree of source and text files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeRoot {
    /// The folder, as the caller gave it.
    pub path: PathBuf,
    /// The folder's own name: the origin of documents for which none nearer is found.
    pub name: String,
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its path as the caller gave it, down to the file, separated by `/`: the sort key, and the first part of the ids
    /// of rows without an id.
    pub name: String,
    /// Its path below the folder that the caller gave, separated by `/`; its own name where the file itself was given.
    /// The id of the document in a tree.
    pub id: String,
    /// What it holds.
    pub format: Format,
    /// Its length as stored, in bytes.
    pub file_bytes: u64,
    /// The tree it belongs to, for files of a tree.
    pub root: Option<Arc<TreeRoot>>,
}

/// Why a file was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOutReason {
    /// It lies in a data folder and is no data file.
    NotData,
    /// It is a data file and lies in a tree of source and text files.
    DataInTree,
    /// It is a symbolic link.
    SymbolicLink,
    /// It is neither file nor folder: a socket, a pipe, a device.
    Special,
    /// Its name is not UTF-8.
    NameNotUtf8,
    /// It could not be looked at, or the folder could not be listed.
    Unreadable,
}

impl LeftOutReason {
    /// Short name under which the report counts it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotData => "no data file, in a data folder",
            Self::DataInTree => "data file, in a tree of source and text files",
            Self::SymbolicLink => "symbolic link",
            Self::Special => "neither file nor folder",
            Self::NameNotUtf8 => "name is not UTF-8",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Files that were not taken for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The reason.
    pub reason: LeftOutReason,
    /// How many they are.
    pub n_files: u64,
    /// Name of the first of them.
    pub first: String,
}

/// What the given paths hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// The files to read, sorted by name, each once.
    pub files: Vec<InputFile>,
    /// What is not read, by reason.
    pub left_out: Vec<LeftOut>,
}

/// Finds the input files below `paths`.
///
/// The result does not depend on the order of the paths, nor on whether one is given twice. A file that is reached in
/// several ways is taken once, under its first name, and as part of the largest tree.
///
/// # Errors
/// [`Error::Input`] for a path that does not exist, holds nothing to read, or is a file of a kind that is not read.
pub fn discover(paths: &[PathBuf]) -> Result<Discovery> {
    let mut found = Found::default();
    for path in paths {
        found.add(path)?;
    }
    Ok(found.into_discovery())
}

/// Files by their true path, so that each is kept once.
#[derive(Default)]
struct Found {
    files: BTreeMap<PathBuf, InputFile>,
    left_out: BTreeMap<PathBuf, (LeftOutReason, String)>,
}

/// An entry of a folder, before it is known what the folder is.
struct Entry {
    /// Path below the folder, separated by `/`.
    relative: String,
    file_bytes: u64,
}

impl Found {
    fn add(&mut self, path: &Path) -> Result<()> {
        let true_path = fs_err::canonicalize(path).map_err(|error| {
            let problem = match error.kind() {
                std::io::ErrorKind::NotFound => format!("no such file or folder: expected {}", accepted()),
                _ => format!("{error}: expected {}", accepted()),
            };
            Error::Input { path: path.to_path_buf(), problem }
        })?;
        let metadata = fs_err::metadata(&true_path).map_err(Error::io("open", path))?;
        if metadata.is_dir() { self.add_folder(path, &true_path) } else { self.add_file(path, true_path, &metadata) }
    }

    fn add_file(&mut self, path: &Path, true_path: PathBuf, metadata: &std::fs::Metadata) -> Result<()> {
        let refuse = |problem: String| Error::Input { path: path.to_path_buf(), problem };
        if !metadata.is_file() {
            return Err(refuse(format!("neither file nor folder: expected {}", accepted())));
        }
        let id = match path.file_name().or(true_path.file_name()).map(std::ffi::OsStr::to_str) {
            Some(Some(id)) => id.to_owned(),
            _ => return Err(refuse("the name is not UTF-8: expected a name in UTF-8".to_owned())),
        };
        let format = Format::of_name(&id);
        let lower = id.to_ascii_lowercase();
        if let Some(ending) = REFUSED_ENDINGS.iter().find(|&&ending| !format.is_data() && lower.ends_with(ending)) {
            return Err(refuse(format!("files ending in {ending} are not read: expected {}", accepted())));
        }
        let name = display_name(path);
        self.insert(
            true_path,
            InputFile { path: path.to_path_buf(), name, id, format, file_bytes: metadata.len(), root: None },
        );
        Ok(())
    }

    fn add_folder(&mut self, path: &Path, true_path: &Path) -> Result<()> {
        let prefix = display_name(path);
        let full_name = |relative: &str| {
            let separator = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
            format!("{prefix}{separator}{relative}")
        };
        let mut entries = Vec::new();
        for entry in walk(true_path) {
            match entry {
                Ok(entry) => entries.push(entry),
                Err((reason, relative)) => {
                    let name = full_name(&relative.to_string_lossy());
                    self.left_out.insert(true_path.join(relative), (reason, name));
                }
            }
        }
        let n_data = entries.iter().filter(|entry| Format::of_name(&entry.relative).is_data()).count();
        let is_data_folder = n_data > 0 && n_data * 2 >= entries.len();
        let mut n_taken = 0;
        let root = Arc::new(TreeRoot {
            path: path.to_path_buf(),
            name: true_path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        });
        for Entry { relative, file_bytes } in entries {
            let name = full_name(&relative);
            let format = Format::of_name(&relative);
            if format.is_data() != is_data_folder {
                let reason = if is_data_folder { LeftOutReason::NotData } else { LeftOutReason::DataInTree };
                self.left_out.insert(true_path.join(relative), (reason, name));
                continue;
            }
            n_taken += 1;
            let root = (!is_data_folder).then(|| Arc::clone(&root));
            let file = InputFile { path: path.join(&relative), name, id: relative, format, file_bytes, root };
            self.insert(true_path.join(&file.id), file);
        }
        if n_taken > 0 {
            return Ok(());
        }
        Err(Error::Input { path: path.to_path_buf(), problem: format!("no file to read: expected {}", accepted()) })
    }

    /// Keeps a file once: under its first name, and in the largest folder it was found in, which is where its path
    /// below the folder is longest.
    fn insert(&mut self, true_path: PathBuf, file: InputFile) {
        let Some(known) = self.files.get_mut(&true_path) else {
            self.files.insert(true_path, file);
            return;
        };
        let name = file.name.clone().min(known.name.clone());
        let rank = |file: &InputFile| (file.root.is_some(), file.id.len(), Reverse(file.path.clone()));
        if rank(&file) > rank(known) {
            *known = file;
        }
        known.name = name;
    }

    fn into_discovery(self) -> Discovery {
        let Self { files, left_out } = self;
        let mut by_reason: BTreeMap<LeftOutReason, LeftOut> = BTreeMap::new();
        for (true_path, (reason, name)) in left_out {
            if files.contains_key(&true_path) {
                continue;
            }
            let sum = by_reason.entry(reason).or_insert_with(|| LeftOut { reason, n_files: 0, first: name.clone() });
            sum.n_files += 1;
            sum.first = name.min(std::mem::take(&mut sum.first));
        }
        let mut files: Vec<InputFile> = files.into_values().collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Discovery { files, left_out: by_reason.into_values().collect() }
    }
}

/// Lists the files of a folder that are neither hidden nor ignored; as an error those that cannot be taken, with the
/// path below the folder.
fn walk(folder: &Path) -> impl Iterator<Item = Result<Entry, (LeftOutReason, PathBuf)>> {
    let walker = WalkBuilder::new(folder)
        .follow_links(false)
        .hidden(true)
        .parents(false)
        .ignore(true)
        .git_ignore(true)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    walker.filter_map(move |entry| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = path_of(&error).unwrap_or(folder);
                let relative = path.strip_prefix(folder).unwrap_or(path).to_path_buf();
                return Some(Err((LeftOutReason::Unreadable, relative)));
            }
        };
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_path_buf();
        let file_type = entry.file_type()?;
        if file_type.is_dir() {
            return None;
        }
        let reason = match (file_type.is_file(), relative.to_str(), entry.metadata()) {
            (false, ..) if file_type.is_symlink() => LeftOutReason::SymbolicLink,
            (false, ..) => LeftOutReason::Special,
            (true, None, _) => LeftOutReason::NameNotUtf8,
            (true, _, Err(_)) => LeftOutReason::Unreadable,
            (true, Some(_), Ok(metadata)) => {
                return Some(Ok(Entry { relative: with_slashes(&relative), file_bytes: metadata.len() }));
            }
        };
        Some(Err((reason, relative)))
    })
}

/// Returns the path that an error of the walk is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// Returns a path as it is shown and sorted: with `/`, without `.` and repeated separators.
fn display_name(path: &Path) -> String {
    let kept: PathBuf = path.components().filter(|component| *component != Component::CurDir).collect();
    with_slashes(&kept)
}

fn with_slashes(path: &Path) -> String {
    let name = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { name.into_owned() } else { name.replace(std::path::MAIN_SEPARATOR, "/") }
}

fn accepted() -> String {
    let endings = DATA_ENDINGS.map(|(ending, _)| ending).join(", ");
    format!("a file ending in {endings}, a text or source file, or a folder of either kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().expect("within the folder")).expect("a folder");
            fs_err::write(path, file).expect("a file");
        }
        folder
    }

    /// Ids of the files found below the folder, with the left out ones by reason.
    fn found(folder: &Path) -> (Vec<String>, Vec<(LeftOutReason, u64)>) {
        let discovery = discover(&[folder.to_path_buf()]).expect("something to read");
        let ids = discovery.files.into_iter().map(|file| file.id).collect();
        (ids, discovery.left_out.into_iter().map(|left_out| (left_out.reason, left_out.n_files)).collect())
    }

    #[test]
    fn endings_tell_the_format() {
        for (name, format) in [
            ("a.jsonl", Format::JsonLines(Compression::None)),
            ("a.b.JSONL.GZ", Format::JsonLines(Compression::Gzip)),
            ("a.json.zst", Format::JsonLines(Compression::Zstd)),
            ("a.ndjson.zst", Format::JsonLines(Compression::Zstd)),
            ("part-0.parquet", Format::Parquet),
            ("a.json", Format::Plain),
            ("jsonl", Format::Plain),
            ("a.py", Format::Plain),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }

    #[test]
    fn half_data_files_make_a_data_folder() {
        let folder = make(&["README.md", "a/2.jsonl.gz", "a/1.parquet", "LICENSE"]);
        let expected = (vec!["a/1.parquet".into(), "a/2.jsonl.gz".into()], vec![(LeftOutReason::NotData, 2)]);
        assert_eq!(found(folder.path()), expected);
    }

    #[test]
    fn fewer_data_files_make_a_tree() {
        let folder = make(&["README.md", "src/lib.rs", "tests/1.jsonl"]);
        let expected = (vec!["README.md".into(), "src/lib.rs".into()], vec![(LeftOutReason::DataInTree, 1)]);
        assert_eq!(found(folder.path()), expected);
    }

    #[test]
    fn ignored_and_hidden_files_are_not_there() {
        let folder = make(&[
            "a.py",
            "target/b.py",
            "src/c.py",
            "src/gen/d.py",
            "src/keep.log",
            "e.log",
            ".hidden",
            ".git/config",
            "z/.git/f",
            "f.tmp",
        ]);
        for (file, rules) in
            [(".gitignore", "/target\n*.log\n"), ("src/.gitignore", "gen/\n!keep.log\n"), (".ignore", "*.tmp\n")]
        {
            fs_err::write(folder.path().join(file), rules).expect("an ignore file");
        }
        assert_eq!(found(folder.path()), (vec!["a.py".into(), "src/c.py".into(), "src/keep.log".into()], vec![]));
        // Rules above the given folder do not count.
        assert_eq!(found(&folder.path().join("target")).0, ["b.py"]);
        assert_eq!(found(&folder.path().join("src")).0, ["c.py", "keep.log"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_left_out_and_a_link_that_is_given_is_followed() {
        let folder = make(&["a/x.txt", "b/y.txt"]);
        std::os::unix::fs::symlink(folder.path().join("b"), folder.path().join("a/link")).expect("a link");
        let expected = (vec!["x.txt".into()], vec![(LeftOutReason::SymbolicLink, 1)]);
        assert_eq!(found(&folder.path().join("a")), expected);
        assert_eq!(found(&folder.path().join("a/link")).0, ["y.txt"]);
    }

    #[test]
    fn order_and_repetition_of_arguments_do_not_matter() {
        let folder = make(&["data/1.jsonl", "data/2.jsonl", "tree/x.py", "tree/sub/y.py", "tree/z.jsonl", "z.txt"]);
        let path = |name: &str| folder.path().join(name);
        let mut paths = vec![
            path("data"),
            path("data/2.jsonl"),
            path("tree"),
            path("tree/sub"),
            path("tree/sub/y.py"),
            path("z.txt"),
        ];
        let expected = discover(&paths).expect("something to read");
        let ids: Vec<&str> = expected.files.iter().map(|file| file.id.as_str()).collect();
        assert_eq!(ids, ["1.jsonl", "2.jsonl", "sub/y.py", "x.py", "z.txt"]);
        for _ in 0..paths.len() {
            paths.rotate_left(1);
            assert_eq!(discover(&paths).expect("something to read"), expected);
        }
        paths.reverse();
        paths.push(path("./data//"));
        assert_eq!(discover(&paths).expect("something to read"), expected);
        // A data file that a tree leaves out can be given by itself.
        assert_eq!(expected.left_out.len(), 1);
        paths.push(path("tree/z.jsonl"));
        assert_eq!(discover(&paths).expect("something to read").left_out, []);
    }

    #[test]
    fn a_path_that_cannot_be_used_is_named_with_what_is_accepted() {
        let folder = make(&["a.csv", "b.tar.gz", "c.json", "only/.hidden"]);
        fs_err::create_dir(folder.path().join("empty")).expect("a folder");
        for (name, expected) in [
            ("none", "no such file or folder"),
            ("empty", "no file to read"),
            ("only", "no file to read"),
            ("a.csv", "files ending in .csv are not read"),
            ("b.tar.gz", "files ending in .gz are not read"),
            ("c.json", "files ending in .json are not read"),
        ] {
            let error = discover(&[folder.path().join(name)]).expect_err(name).to_string();
            assert!(error.contains(expected) && error.contains(&format!("{name}`")), "{error}");
            assert!(error.contains(".jsonl.zst") && error.contains(".parquet"), "{error}");
        }
    }

    #[test]
    fn names_are_as_given_with_slashes() {
        for (path, expected) in [("./a//b/", "a/b"), ("a/./b", "a/b"), ("../a", "../a"), ("/a/b", "/a/b"), (".", "")] {
            assert_eq!(display_name(Path::new(path)), expected, "{path}");
        }
    }
}
