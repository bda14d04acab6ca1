//! How an error is told: what went wrong on one line, what to do on the next.

use std::io::ErrorKind;

use copytrace_indexer::Error as IndexError;

use super::output::{Label, Stderr};
use crate::error::Error;

/// A mistake in how the program was called, with its remedy.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Refusal {
    /// What is wrong.
    problem: String,
    /// What to do instead.
    hint: String,
}

impl Refusal {
    /// Makes the error of a wrong call.
    pub(super) fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

/// Tells an error with all its causes, and a hint where there is one.
pub(super) fn tell(stderr: &Stderr, error: &anyhow::Error) {
    stderr.tell_labelled(Label::Error, &message(error));
    if let Some(hint) = hint(error) {
        stderr.tell_labelled(Label::Hint, &hint);
    }
}

/// Joins an error and its causes; a cause that the text above quotes already is not repeated.
fn message(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |mut out, cause| {
        if out.is_empty() {
            out = cause;
        } else if !out.contains(&cause) {
            out.push_str(": ");
            out.push_str(&cause);
        }
        out
    })
}

fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            Some(refusal.hint.clone())
        } else if let Some(error) = cause.downcast_ref::<Error>() {
            hint_of_check(error)
        } else {
            cause.downcast_ref::<IndexError>().and_then(hint_of_index)
        }
    })
}

fn hint_of_check(error: &Error) -> Option<String> {
    match error {
        Error::Index(error) => hint_of_index(error),
        Error::Again(error) => hint_of_check(error),
        Error::Overloaded { .. } | Error::DeadlineExceeded { .. } => Some("try again later".to_owned()),
        Error::Field { .. } | Error::Policy { .. } | Error::Internal(_) => None,
    }
}

fn hint_of_index(error: &IndexError) -> Option<String> {
    Some(match error {
        IndexError::NoIndex { path } => {
            format!("make one with `copytrace index INPUT --index {}`", path.display())
        }
        IndexError::Locked { .. } => {
            "wait until the other process is done; checks and services can use the index meanwhile".to_owned()
        }
        IndexError::MissingColumn { role, .. } => format!("name one that exists with `--{role}-column NAME`"),
        IndexError::Incompatible { what, .. } if what.contains("seed") => {
            "give the seed file that the index was made with: `--seed-file FILE`".to_owned()
        }
        IndexError::Incompatible { what, .. } if what.contains("pass") => {
            "name another `--out` or `--work`, or remove the folder; its `recipe.json` says what it is for".to_owned()
        }
        IndexError::Incompatible { .. } => {
            "use the release of copytrace that made it, or index the corpus again into a new folder".to_owned()
        }
        IndexError::Corrupt { .. } => {
            "`copytrace inspect --index DIR --verify` names every damaged file; restore them, or index the corpus again"
                .to_owned()
        }
        IndexError::Row { .. } => "without `--strict` such rows are skipped, counted and listed".to_owned(),
        IndexError::DuplicateId { .. } => {
            "`--on-duplicate replace` takes the new document, `--on-duplicate skip` keeps the old one".to_owned()
        }
        IndexError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
            "free some space and run the command again; nothing that was committed is lost".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let source = std::io::Error::from(ErrorKind::NotFound);
        let error = Error::from(IndexError::Io { operation: "open", path: "a/b".into(), source });
        let told = message(&anyhow::Error::from(error).context("cannot serve"));
        assert_eq!(told, "cannot serve: cannot open `a/b`: entity not found");
    }

    #[test]
    fn hints_are_found_below_context() {
        let error: anyhow::Result<()> =
            Err(Error::from(IndexError::NoIndex { path: "here".into() })).context("cannot check");
        let hint = hint(&error.expect_err("made so"));
        assert_eq!(hint.as_deref(), Some("make one with `copytrace index INPUT --index here`"));
    }
}
