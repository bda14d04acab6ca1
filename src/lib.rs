//! Tells whether a text or a piece of code is a copy of something in a training corpus.
//!
//! `copytrace_indexer` makes the index files; this crate asks them questions. Data flows one way: `query` -> `verify` -> `check` ->
//! `service` and `cli`; `dedup` limits what is repeated in a corpus; a module names only modules before it in the order table of `docs/architecture.md`.

pub mod check;
pub mod cli;
pub mod dedup;
pub mod error;
pub mod query;
pub mod remaining;
#[cfg(feature = "service")]
pub mod service;
pub mod verify;

pub use error::{Error, Result};
