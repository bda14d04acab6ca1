//! What can go wrong between an index and an answer, and what exit code or status follows from it.

use std::sync::Arc;

pub use copytrace_indexer::ErrorKind;

/// Result of this crate's fallible functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the checking library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The index could not be read or written; see the inner error for what to do.
    #[error(transparent)]
    Index(#[from] copytrace_indexer::Error),
    /// A newer state of the index could not be opened, now or a moment ago; see the inner error for what to do.
    #[error("{0}")]
    Again(Arc<Self>),
    /// A field of a request or an option is outside what is accepted. Change it and ask again.
    #[error("{field} is {found}: expected {expected}")]
    Field {
        /// The field's path in the request (`items[3].text`) or the option's name.
        field: String,
        /// What is accepted, with the limit and its unit.
        expected: String,
        /// What was given: a length or a kind, never text of the request.
        found: String,
    },
    /// A policy file cannot be used. The message names the line.
    #[error("policy `{path}`: {problem}")]
    Policy {
        /// The file.
        path: String,
        /// What is wrong, with the line, and what is accepted.
        problem: String,
    },
    /// The deadline passed before anything could be said about the text. Ask again with more time.
    #[error("deadline of {deadline_ms} ms passed before the check was done")]
    DeadlineExceeded {
        /// The time that the caller gave, in milliseconds.
        deadline_ms: u64,
    },
    /// Too many checks are under way. Ask again later.
    #[error("{in_flight} checks are under way: expected fewer than {in_flight_max}")]
    Overloaded {
        /// Checks under way.
        in_flight: usize,
        /// The limit.
        in_flight_max: usize,
    },
    /// The operating system or this program failed.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Tells whose fault this error is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Index(error) => error.kind(),
            Self::Again(error) => error.kind(),
            Self::Field { .. } | Self::Policy { .. } => ErrorKind::InvalidInput,
            Self::DeadlineExceeded { .. } | Self::Overloaded { .. } => ErrorKind::Overloaded,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}
