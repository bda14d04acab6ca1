//! What can go wrong between a corpus and its index files, and whose fault it is.
//!
//! Every variant states its facts as fields, so that a message can name the file, the place, what was expected and what was
//! found. [`ErrorKind`] says who has to act; exit codes and gRPC codes are derived from it alone. No variant ever carries
//! text of a document or of a query.

use std::path::{Path, PathBuf};

/// Result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an [`Error`] is, and so who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's input or option is wrong: change it and try again.
    InvalidInput,
    /// A named file, index, column or document does not exist.
    NotFound,
    /// The files are sound but of another version or recipe: use the matching release, or build the index anew.
    Incompatible,
    /// Stored bytes are damaged: restore the file or build the index anew.
    Corrupt,
    /// Someone else holds the resource or a limit on work was reached: try again later.
    Overloaded,
    /// The operating system or this program failed.
    Internal,
}

/// An error of the indexer library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to do something with a file. Check that it exists, its permissions, and the space left.
    #[error("cannot {operation} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `write`, `sync`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Stored bytes are not what the manifest or a checksum says. Run `copytrace inspect --verify` and restore the file.
    #[error("`{}` is damaged: {what} at byte {offset} differs: expected `{expected}`, found `{found}`", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Which part: `block checksum`, `magic`, `document table`.
        what: &'static str,
        /// Where in the file, in bytes from its start.
        offset: u64,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The index was made by another version or with another recipe. Use that version, or build the index anew.
    #[error("`{}` has {what} `{found}`: this program reads `{expected}`", path.display())]
    Incompatible {
        /// The file that says so.
        path: PathBuf,
        /// Which property: `format version`, `recipe`, `hash seed`.
        what: &'static str,
        /// What this program can read.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The folder holds no index. Create one with `copytrace index INPUT --index DIR`.
    #[error("no index in `{}`: the folder has no `MANIFEST-…` file", path.display())]
    NoIndex {
        /// The folder that was looked at.
        path: PathBuf,
    },
    /// Another process is writing to this index. Wait for it; readers are not affected.
    #[error("index `{}` is being written by another process (lock file `{}`)", index.display(), lock.display())]
    Locked {
        /// The index folder.
        index: PathBuf,
        /// The file that holds the lock.
        lock: PathBuf,
    },
    /// A column that was asked for is in no row that was read. The message lists the columns that are.
    #[error("no {role} column `{wanted}` in `{}`: its columns are `{}`", path.display(), available.join("`, `"))]
    MissingColumn {
        /// The input file.
        path: PathBuf,
        /// What the column was wanted for: `text`, `id`, `license`.
        role: &'static str,
        /// The name that was asked for.
        wanted: String,
        /// The names that exist, dotted, in file order.
        available: Vec<String>,
    },
    /// A row cannot be used and `--strict` is on.
    #[error("`{}`, row {row}: {problem}", path.display())]
    Row {
        /// The input file.
        path: PathBuf,
        /// One-based line (JSON lines) or row (Parquet).
        row: u64,
        /// What is wrong with it and what is accepted; never its text.
        problem: String,
    },
    /// An input file as a whole cannot be read: unknown format, truncated compression, broken Parquet footer.
    #[error("cannot read `{}`: {problem}", path.display())]
    Input {
        /// The input file.
        path: PathBuf,
        /// What is wrong with it and what is accepted.
        problem: String,
    },
    /// A value that the caller gave is outside what is accepted.
    #[error("{name} is `{found}`: expected {expected}")]
    Argument {
        /// The option or field.
        name: &'static str,
        /// What is accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A document with this id is in the index already, and the caller asked for an error in that case.
    #[error("document `{id}` is in the index already")]
    DuplicateId {
        /// The document's id.
        id: String,
    },
    /// Nothing of the input could be used. The message has the first reason.
    #[error("{problem}")]
    NothingUsable {
        /// What is wrong with the first row or file.
        problem: String,
    },
    /// The folder holds something that is not of an index. Name an index or an empty folder.
    #[error("`{}` is no index and not empty: it holds `{found}`", path.display())]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
        /// A name in it that no index has.
        found: String,
    },
    /// A library this crate relies on failed in a way that input cannot cause.
    #[error("{component} failed: {problem}")]
    Internal {
        /// The part that failed.
        component: &'static str,
        /// What it said; never text of a document.
        problem: String,
    },
}

impl Error {
    /// Tells whose fault this error is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Io { .. } | Self::Internal { .. } => ErrorKind::Internal,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Incompatible { .. } => ErrorKind::Incompatible,
            Self::NoIndex { .. } => ErrorKind::NotFound,
            Self::Locked { .. } => ErrorKind::Overloaded,
            Self::MissingColumn { .. }
            | Self::Row { .. }
            | Self::Input { .. }
            | Self::Argument { .. }
            | Self::DuplicateId { .. }
            | Self::NothingUsable { .. }
            | Self::ForeignFolder { .. } => ErrorKind::InvalidInput,
        }
    }

    /// Makes an [`Error::Io`]; for use in `map_err`.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }

    /// Makes an [`Error::Corrupt`].
    pub(crate) fn corrupt(
        path: &Path,
        what: &'static str,
        offset: u64,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Corrupt {
            path: path.to_path_buf(),
            what,
            offset,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}
