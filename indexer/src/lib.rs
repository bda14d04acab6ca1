//! Turns a corpus into copytrace index files and reads them back.
//!
//! Data flows one way: `corpus` -> `normalise` -> `fingerprint` -> `index`; a module names only modules before it in the order
//! table of `docs/architecture.md`, and a test holds that.

pub mod corpus;
pub mod error;
pub mod fingerprint;
pub mod ids;
pub mod index;
pub mod language;
pub mod lexemes;
pub mod limits;
pub mod memory;
pub mod merge;
pub mod normalise;
pub mod pipeline;
pub mod recipe;
pub mod removal;
pub mod simd;
pub mod span;
pub mod syntax;

pub use error::{Error, ErrorKind, Result};
