//! Sorted runs: what fits into memory is written out in the order of its terms, and all runs are merged at the end.
//!
//! A run is a scratch file of records, one a term, in the order of (field, word):
//!
//! ```text
//! +0   2  length w of the word
//! +2   4  number of documents
//! +6   4  first of these documents
//! +10  4  last of them
//! +14  4  length p of the postings
//! +18  1  field
//! +19  w  word
//!      p  postings: for each document its distance to the one before (the first: to 0), then the word's frequency, as LEB128
//! ```
//!
//! Runs hold consecutive documents, so a term's postings are those of the first run, then those of the second, and so on. A long
//! document may begin in one run and end in the next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::files::Scratch;
use super::inverter::{Inverter, Posting, Prefix, prefix_of};
use crate::error::Result;
use crate::index::block_file::BlockFile;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Record {
    word_bytes: U16,
    n_docs: U32,
    first_doc: U32,
    last_doc: U32,
    postings_bytes: U32,
    field: u8,
}

/// Empties the inverter into a scratch file; see [`Inverter::drain`].
pub(super) fn write_run(
    inverter: &mut Inverter,
    is_open: bool,
    scratch: &Arc<Scratch>,
    name: String,
) -> Result<BlockFile> {
    let mut file = scratch.create_file(name)?;
    inverter.drain(is_open, encode_term, |bytes| file.write(bytes))?;
    file.finish()
}

/// Appends the record of a term.
fn encode_term(field: u8, word: &[u8], postings: &[Posting], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.resize(start + size_of::<Record>(), 0);
    bytes.extend_from_slice(word);
    let postings_start = bytes.len();
    let mut doc_before = 0;
    for Posting { doc, frequency } in postings {
        push_leb128(bytes, doc - doc_before);
        push_leb128(bytes, *frequency);
        doc_before = *doc;
    }
    // The limits of the inverter keep all lengths far below their widths.
    let record = Record {
        word_bytes: U16::new(u16::try_from(word.len()).unwrap_or(u16::MAX)),
        n_docs: U32::new(u32::try_from(postings.len()).unwrap_or(u32::MAX)),
        first_doc: U32::new(postings.first().map_or(0, |first| first.doc)),
        last_doc: U32::new(doc_before),
        postings_bytes: U32::new(u32::try_from(bytes.len() - postings_start).unwrap_or(u32::MAX)),
        field,
    };
    bytes[start..start + size_of::<Record>()].copy_from_slice(record.as_bytes());
}

/// A run that is read, standing on one term.
pub(super) struct Run {
    /// Place among the runs: which documents come first.
    place: usize,
    file: BlockFile,
    scratch: Arc<Scratch>,
    field: u8,
    word: Vec<u8>,
    /// Of field and word, to compare.
    prefix: Prefix,
    n_docs: u32,
    first_doc: u32,
    last_doc: u32,
    postings: std::ops::Range<usize>,
}

impl Run {
    /// Opens a run on its first term; `None` where it has none.
    fn open(file: BlockFile, place: usize, scratch: &Arc<Scratch>) -> Result<Option<Box<Self>>> {
        let scratch = Arc::clone(scratch);
        let (field, word, prefix, n_docs, first_doc, last_doc) = (0, Vec::new(), Prefix::default(), 0, 0, 0);
        let run =
            Box::new(Self { place, file, scratch, field, word, prefix, n_docs, first_doc, last_doc, postings: 0..0 });
        run.advance()
    }

    /// Goes to the next term; `None` behind the last.
    fn advance(mut self: Box<Self>) -> Result<Option<Box<Self>>> {
        let start = self.postings.end;
        if start == self.file.payload_bytes() {
            return Ok(None);
        }
        let record: &Record = self.file.record(start)?;
        let word_start = start + size_of::<Record>();
        let word_end = word_start + usize::from(record.word_bytes.get());
        self.word.clear();
        self.word.extend_from_slice(self.file.slice(word_start..word_end)?);
        self.postings = word_end..word_end.saturating_add(record.postings_bytes.get() as usize);
        (self.field, self.n_docs) = (record.field, record.n_docs.get());
        (self.first_doc, self.last_doc) = (record.first_doc.get(), record.last_doc.get());
        self.prefix = prefix_of(self.key());
        self.file.ensure_whole()?;
        self.scratch.note_read(self.postings.end - start);
        Ok(Some(self))
    }

    /// Hands out the term's postings in order.
    fn read_postings(&self, mut emit: impl FnMut(Posting)) -> Result<()> {
        let mut bytes = self.file.slice(self.postings.clone())?;
        let mut doc = 0_u32;
        for _ in 0..self.n_docs {
            let (Some(distance), Some(frequency)) = (take_leb128(&mut bytes), take_leb128(&mut bytes)) else {
                return Err(self.file.corrupt("postings", self.postings.start, self.n_docs, "fewer"));
            };
            doc = doc.wrapping_add(distance);
            emit(Posting { doc, frequency });
        }
        self.file.ensure_whole()
    }

    fn key(&self) -> (u8, &[u8]) {
        (self.field, &self.word)
    }
}

impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = || (self.key(), self.place).cmp(&(other.key(), other.place));
        self.prefix.cmp(&other.prefix).then_with(by_key)
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Run {}

/// All runs, merged: the terms of the catalogue in order.
///
/// Cost: O(log runs) a term of a run.
pub(super) struct MergedRuns {
    heap: BinaryHeap<Reverse<Box<Run>>>,
    /// The runs that have the current term, in order.
    #[expect(clippy::vec_box, reason = "they come from the heap, which moves boxes, and go back to it")]
    current: Vec<Box<Run>>,
}

impl MergedRuns {
    /// Opens the runs, which are given in the order of their documents.
    pub(super) fn open(files: Vec<BlockFile>, scratch: &Arc<Scratch>) -> Result<Self> {
        let mut heap = BinaryHeap::with_capacity(files.len());
        for (place, file) in files.into_iter().enumerate() {
            heap.extend(Run::open(file, place, scratch)?.map(Reverse));
        }
        Ok(Self { heap, current: Vec::new() })
    }

    /// Goes to the next term of a field; false where the field has no more.
    pub(super) fn advance(&mut self, field: u8) -> Result<bool> {
        for run in self.current.drain(..) {
            self.heap.extend(run.advance()?.map(Reverse));
        }
        while let Some(Reverse(run)) = self.heap.peek()
            && self
                .current
                .first()
                .map_or(run.field == field, |first| run.prefix == first.prefix && run.key() == first.key())
        {
            self.current.extend(self.heap.pop().map(|Reverse(run)| run));
        }
        Ok(!self.current.is_empty())
    }

    /// Returns the current term.
    pub(super) fn word(&self) -> &[u8] {
        self.current.first().map_or(&[], |run| &run.word)
    }

    /// Returns in how many documents the current term stands.
    pub(super) fn n_docs(&self) -> u32 {
        let n_twice = self.current.windows(2).filter(|pair| pair[0].last_doc == pair[1].first_doc).count();
        let n_docs: u32 = self.current.iter().map(|run| run.n_docs).sum();
        n_docs.saturating_sub(u32::try_from(n_twice).unwrap_or(u32::MAX))
    }

    /// Hands out the current term's postings in order.
    pub(super) fn read_postings(&self, mut emit: impl FnMut(Posting)) -> Result<()> {
        let mut before: Option<Posting> = None;
        for run in &self.current {
            run.read_postings(|posting| match &mut before {
                Some(before) if before.doc == posting.doc => before.frequency += posting.frequency,
                before => before.replace(posting).into_iter().for_each(&mut emit),
            })?;
        }
        before.into_iter().for_each(emit);
        Ok(())
    }
}

fn push_leb128(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Takes a number off the front; `None` where there is none of at most 32 bits.
fn take_leb128(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::index::storage::{MemoryStorage, Storage};

    fn scratch() -> Arc<Scratch> {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        Arc::new(Scratch::create(&storage, Path::new("temp")).unwrap())
    }

    proptest! {
        #[test]
        fn merged_runs_are_the_sorted_terms_of_all_documents(
            runs in prop::collection::vec(
                prop::collection::vec(prop::collection::vec((0_u8..3, "[a-c]{0,2}|\\PC{1,3}"), 0..8), 0..150),
                0..5,
            )
        ) {
            let (scratch, mut inverter) = (scratch(), Inverter::new(1 << 20));
            let mut expected: BTreeMap<(u8, Vec<u8>), BTreeMap<u32, u32>> = BTreeMap::new();
            let (mut files, mut doc) = (Vec::new(), 0);
            for documents in &runs {
                for document in documents {
                    inverter.start_document();
                    for (n, (field, word)) in document.iter().enumerate() {
                        inverter.add(*field, word);
                        *expected.entry((*field, word.clone().into())).or_default().entry(doc).or_default() += 1;
                        if n == 5 {
                            // The document goes on in the next run, and may do so twice.
                            files.push(write_run(&mut inverter, true, &scratch, format!("run-{}", files.len())).unwrap());
                        }
                    }
                    doc += 1;
                }
                files.push(write_run(&mut inverter, false, &scratch, format!("run-{}", files.len())).unwrap());
            }
            let mut merged = MergedRuns::open(files, &scratch).unwrap();
            let mut found = BTreeMap::new();
            for field in 0..3 {
                while merged.advance(field).unwrap() {
                    let mut postings = Vec::new();
                    merged.read_postings(|posting| postings.push((posting.doc, posting.frequency))).unwrap();
                    prop_assert_eq!(merged.n_docs() as usize, postings.len());
                    prop_assert!(postings.is_sorted_by(|a, b| a.0 < b.0));
                    let key = (field, merged.word().to_vec());
                    prop_assert!(found.last_key_value().is_none_or(|(before, _)| *before < key), "{:?}", key);
                    found.insert(key, postings.into_iter().collect());
                }
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn numbers_read_back(numbers in prop::collection::vec(any::<u32>().prop_flat_map(|n| 0..=n), 0..20)) {
            let mut bytes = Vec::new();
            for number in &numbers {
                push_leb128(&mut bytes, *number);
            }
            let mut rest = &bytes[..];
            for number in numbers {
                prop_assert_eq!(take_leb128(&mut rest), Some(number));
            }
            prop_assert_eq!(take_leb128(&mut rest), None);
        }
    }

    #[test]
    fn cut_numbers_are_none() {
        for (bytes, expected) in [
            (&[0x80][..], None),
            (&[0xFF, 0xFF, 0xFF, 0xFF], None),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0x80], None),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], Some(u32::MAX)),
        ] {
            assert_eq!(take_leb128(&mut &bytes[..]), expected, "{bytes:x?}");
        }
    }
}
