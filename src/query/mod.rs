//! Asks index files for candidates: which documents share fingerprints with a text, and where.
//!
//! Nothing here is an answer. Every k-gram of the text is looked up (the index holds a sample, so that a copy is met even where a sample of
//! the text would have missed it), hits are gathered by document, and documents are ranked by how improbable their hits are. For what
//! they leave unexplained, documents with the same rare words are nominated.

pub mod documents;
pub mod lexical;
pub mod passages;
pub mod prints;
