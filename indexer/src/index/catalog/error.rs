//! Errors on their way through tantivy.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tantivy::TantivyError;
use tantivy::directory::error::{OpenReadError, OpenWriteError};

use crate::error::Error;

/// Sends one of our errors through tantivy; [`from_tantivy`] takes it out again.
pub(super) fn to_tantivy(error: Error) -> TantivyError {
    io::Error::other(error).into()
}

/// Takes our own error out of tantivy's again, or says what tantivy said. `path` is the catalogue's.
pub(super) fn from_tantivy(error: TantivyError, path: &Path) -> Error {
    match error {
        TantivyError::IoError(source)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error: source, .. })
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error: source, .. }) => {
            let source = Arc::try_unwrap(source).unwrap_or_else(|shared| io::Error::new(shared.kind(), shared));
            source.downcast::<Error>().unwrap_or_else(Error::io("read or write", path))
        }
        TantivyError::IncompatibleIndex(problem)
        | TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(problem)) => Error::Incompatible {
            path: path.to_path_buf(),
            what: "catalogue format",
            expected: tantivy::version_string().to_owned(),
            found: format!("{problem:?}"),
        },
        TantivyError::DataCorruption(problem) => {
            Error::corrupt(path, "catalogue", 0, "what tantivy writes", format!("{problem:?}"))
        }
        other => internal(other.to_string()),
    }
}

/// Makes the error of a library that did what no input can cause.
pub(super) fn internal(problem: String) -> Error {
    Error::Internal { component: "catalogue", problem }
}
