//! Newtypes for everything that is counted or named, so that a document index is never taken for a word index.

use std::fmt;

/// Index of a document within its segment, in the order in which documents were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocIdx(pub u32);

impl DocIdx {
    /// Returns the index as a position in a slice.
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// Hash of the name of an origin (repository, package, site), the same in every segment. Used to count distinct origins; two names that
/// collide (1 in 4 billion pairs) count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginKey(pub u32);

impl OriginKey {
    /// The origin of a document for which none was given.
    pub const UNKNOWN: Self = Self(0);
}

/// A 64-bit fingerprint under which a posting is filed: of a k-gram, of a band, of a whole document or of a document's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

/// Number of a commit of an index, counted from 1. Every manifest has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
