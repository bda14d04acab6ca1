//! Which documents of a segment are removed: one bit a document, in a file of its own for every change.
//!
//! ```text
//! u64 x ceil(documents / 64), bit i of word w = document 64 w + i is removed
//! ```
//!
//! A tombstone is visible with the commit that names its file; the text goes with the next merge.

use std::path::Path;

use zerocopy::IntoBytes;
use zerocopy::little_endian::U64;

use super::block_file::{BlockFile, BlockFileWriter, Component, Seal};
use super::storage::Storage;
use crate::error::Result;
use crate::ids::DocIdx;

/// The removed documents of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstones {
    words: Vec<U64>,
    n_docs: u32,
    n_removed: u32,
}

impl Tombstones {
    /// Nothing is removed from a segment of `n_docs` documents.
    pub fn none(n_docs: u32) -> Self {
        Self { words: vec![U64::ZERO; n_docs.div_ceil(64) as usize], n_docs, n_removed: 0 }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) where it is for another number of documents, or its count is not `n_removed`.
    pub fn read(file: &BlockFile, n_docs: u32, n_removed: u32) -> Result<Self> {
        let expected_bytes = n_docs.div_ceil(64) as usize * size_of::<U64>();
        if file.payload_bytes() != expected_bytes {
            return Err(file.corrupt("tombstones length in bytes", 0, expected_bytes, file.payload_bytes()));
        }
        let mut tombstones = Self::none(n_docs);
        let n_numbers = tombstones.words.len();
        tombstones.words.copy_from_slice(file.records(0, n_numbers)?);
        file.ensure_whole()?;
        tombstones.n_removed = tombstones.words.iter().map(|word| word.get().count_ones()).sum();
        let beyond = n_docs % 64;
        let has_strays = beyond != 0 && tombstones.words.last().is_some_and(|word| word.get() >> beyond != 0);
        if has_strays || tombstones.n_removed != n_removed {
            return Err(file.corrupt("number of tombstones", 0, n_removed, tombstones.n_removed));
        }
        Ok(tombstones)
    }

    /// Writes a file.
    pub fn write(&self, storage: &dyn Storage, path: &Path) -> Result<Seal> {
        let mut file = BlockFileWriter::create(storage, path, Component::Tombstones)?;
        file.write(self.words.as_bytes())?;
        file.finish()
    }

    /// Tells whether a document is removed; one that does not exist is.
    pub fn is_removed(&self, doc: DocIdx) -> bool {
        doc.0 >= self.n_docs || self.words[doc.as_usize() / 64].get() >> (doc.0 % 64) & 1 == 1
    }

    /// Removes a document. Returns whether it was there until now.
    pub fn remove(&mut self, doc: DocIdx) -> bool {
        if self.is_removed(doc) {
            return false;
        }
        self.words[doc.as_usize() / 64] |= 1 << (doc.0 % 64);
        self.n_removed += 1;
        true
    }

    /// Returns the removed documents, in order.
    pub fn removed(&self) -> impl Iterator<Item = DocIdx> {
        (0..self.n_docs).map(DocIdx).filter(|&doc| self.is_removed(doc))
    }

    /// Returns how many documents are removed.
    pub fn n_removed(&self) -> u32 {
        self.n_removed
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;

    #[test]
    fn removals_read_back() {
        for n_docs in [0, 1, 63, 64, 65, 1000] {
            let mut tombstones = Tombstones::none(n_docs);
            for doc in (0..n_docs).step_by(3) {
                assert!(tombstones.remove(DocIdx(doc)));
                assert!(!tombstones.remove(DocIdx(doc)), "a second time is no change");
            }
            assert!(!tombstones.remove(DocIdx(n_docs)), "a document that does not exist cannot be removed");
            let storage = MemoryStorage::default();
            let seal = tombstones.write(&storage, Path::new("t")).unwrap();
            let file = BlockFile::open(&storage, Path::new("t"), Component::Tombstones, seal).unwrap();
            assert_eq!(Tombstones::read(&file, n_docs, n_docs.div_ceil(3)).unwrap(), tombstones);
            assert!(Tombstones::read(&file, n_docs, n_docs.div_ceil(3) + 1).is_err(), "another count is refused");
            assert!(Tombstones::read(&file, n_docs + 64, n_docs.div_ceil(3)).is_err(), "another size is refused");
        }
    }
}
