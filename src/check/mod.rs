//! A text in, an answer out: what was copied, from where, how sure, and what the policy says about it.
//!
//! [`Checker`] is the one door that the service and the command line use; the engine behind it looks up candidates, verifies them
//! on stored text and applies the policy.

pub mod answer;
mod body;
mod code;
mod common;
mod describe;
pub mod engine;
pub(crate) mod indexes;
mod lexical;
mod parts;
mod passages;
pub mod policy;
mod prompt;
mod replace;
mod support;
mod units;
mod whole;

use std::fmt;
use std::time::Instant;

use copytrace_indexer::language::Language;

use self::answer::Answer;
use crate::error::Result;

/// Longest text of one check, in bytes (1 MiB): 150,000 words.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// A text to check. Its `Debug` form has lengths in the place of texts.
#[derive(Clone)]
pub struct Request {
    /// The caller's name for it; comes back in the answer.
    pub id: String,
    /// The text; at most [`TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// What it is written in; `None` to find out. Prose is compared by its words, code by its lexemes and units.
    pub language: Option<Language>,
    /// What the caller's own prompt contained: copies of it are exempt. At most [`TEXT_BYTES_MAX`] bytes.
    pub prompt: String,
    /// Whether stretches that no fingerprint explains are looked up by their rarest words, too: finds heavily edited copies.
    pub is_lexical: bool,
    /// When the work must stop; the answer then says what was not looked at.
    pub deadline: Option<Instant>,
}

impl Request {
    /// Makes a request with defaults: language found out, no prompt, no deadline.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            text: text.into(),
            language: None,
            prompt: String::new(),
            is_lexical: true,
            deadline: None,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("text_bytes", &self.text.len())
            .field("language", &self.language)
            .field("prompt_bytes", &self.prompt.len())
            .field("is_lexical", &self.is_lexical)
            .field("deadline", &self.deadline)
            .finish()
    }
}

/// What answers requests.
pub trait Checker: Send + Sync {
    /// Checks one text. Synchronous and CPU-bound: call it off the async threads.
    ///
    /// # Errors
    /// [`Error::Field`](crate::Error::Field) for a request out of bounds, [`Error::Index`](crate::Error::Index) for a damaged index. A deadline that
    /// passes is no error: the answer says so in `degraded`, and its verdict is never a silent allow.
    fn check(&self, request: &Request) -> Result<Answer>;
}
