//! The document table of a segment: one fixed-width record a document, in document order.
//!
//! ```text
//! record (32 B) x (documents + 1)
//! ```
//!
//! The last record is a sentinel that holds only where the text ends, so that a document's length is the distance to the next record.
//! Cost: a record is one array access; the document at a text position is a binary search.

use std::ops::Range;
use std::path::Path;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::block_file::{BlockFile, BlockFileWriter, Component, Seal};
use super::storage::Storage;
use crate::error::{Error, Result};
use crate::ids::{DocIdx, OriginKey};
use crate::language::Language;
use crate::limits::SEGMENT_DOCS_MAX;

/// Where the language's number stands beside the text's start.
const LANGUAGE_SHIFT: u32 = 56;
const TEXT_START_MASK: u64 = (1 << LANGUAGE_SHIFT) - 1;

/// Hash of a document's text and attributes, to tell whether a row that comes again has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowHash(pub u128);

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct StoredRecord {
    /// The language's number in the top byte, the position below: a segment's text has at most 64 GiB.
    language_and_text_start: U64,
    origin: U32,
    n_words: U32,
    row_hash_low: U64,
    row_hash_high: U64,
}

/// What the table keeps of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRecord {
    /// Where its text stands in the segment's text, in bytes.
    pub text: Range<u64>,
    /// Its origin.
    pub origin: OriginKey,
    /// Words it has.
    pub n_words: u32,
    /// What it is written in.
    pub language: Language,
    /// Hash of its text and attributes.
    pub row_hash: RowHash,
}

impl StoredRecord {
    fn text_start(&self) -> u64 {
        self.language_and_text_start.get() & TEXT_START_MASK
    }

    fn language_number(&self) -> u8 {
        self.language_and_text_start.get().to_le_bytes()[7]
    }
}

/// Writes the table, document by document.
pub struct DocumentsWriter {
    file: BlockFileWriter,
    text_end: u64,
    n_docs: u32,
}

impl DocumentsWriter {
    /// Creates the file.
    pub fn create(storage: &dyn Storage, path: &Path) -> Result<Self> {
        let file = BlockFileWriter::create(storage, path, Component::Documents)?;
        Ok(Self { file, text_end: 0, n_docs: 0 })
    }

    /// Returns the number of documents so far.
    pub fn n_docs(&self) -> u32 {
        self.n_docs
    }

    /// Adds the next document, whose text follows that of the one before.
    pub fn add(
        &mut self,
        text_bytes: u32,
        language: Language,
        origin: OriginKey,
        n_words: u32,
        row_hash: RowHash,
    ) -> Result<DocIdx> {
        if self.n_docs >= SEGMENT_DOCS_MAX {
            let expected = format!("at most {SEGMENT_DOCS_MAX} in one segment");
            return Err(Error::Argument { name: "number of documents", expected, found: "more".into() });
        }
        self.write(language, origin, n_words, row_hash)?;
        self.text_end += u64::from(text_bytes);
        self.n_docs += 1;
        Ok(DocIdx(self.n_docs - 1))
    }

    /// Writes the sentinel and ends the file.
    pub fn finish(mut self) -> Result<Seal> {
        self.write(Language::Text, OriginKey::UNKNOWN, 0, RowHash(0))?;
        self.file.finish()
    }

    fn write(&mut self, language: Language, origin: OriginKey, n_words: u32, row_hash: RowHash) -> Result<()> {
        let [low, high] = halves(row_hash.0);
        let record = StoredRecord {
            language_and_text_start: U64::new(u64::from(language as u8) << LANGUAGE_SHIFT | self.text_end),
            origin: U32::new(origin.0),
            n_words: U32::new(n_words),
            row_hash_low: U64::new(low),
            row_hash_high: U64::new(high),
        };
        self.file.write(record.as_bytes())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cuts a 128-bit value into its halves")]
fn halves(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// The table that is read; cheap to clone.
#[derive(Debug, Clone)]
pub struct Documents {
    file: BlockFile,
    n_docs: u32,
    text_bytes: u64,
}

impl Documents {
    /// Opens the table of `n_docs` documents.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file has another number of records.
    pub fn open(file: BlockFile, n_docs: u32) -> Result<Self> {
        let expected_bytes = (n_docs as usize + 1) * size_of::<StoredRecord>();
        if file.payload_bytes() != expected_bytes {
            return Err(file.corrupt("document table length in bytes", 0, expected_bytes, file.payload_bytes()));
        }
        let sentinel: &StoredRecord = file.record(n_docs as usize * size_of::<StoredRecord>())?;
        let text_bytes = sentinel.text_start();
        file.ensure_whole()?;
        Ok(Self { file, n_docs, text_bytes })
    }

    /// Returns the number of documents, removed ones included.
    pub fn n_docs(&self) -> u32 {
        self.n_docs
    }

    /// Returns the length of the segment's text, in bytes.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// Returns the file, to verify it or to show its size.
    pub fn file(&self) -> &BlockFile {
        &self.file
    }

    /// Reads a document's record.
    pub fn get(&self, doc: DocIdx) -> Result<DocumentRecord> {
        let offset = doc.as_usize() * size_of::<StoredRecord>();
        if doc.0 >= self.n_docs {
            return Err(self.file.corrupt("document index", offset, self.n_docs, doc.0));
        }
        let pair: &[StoredRecord] = self.file.records(offset, 2)?;
        let text = pair[0].text_start()..pair[1].text_start();
        if text.start > text.end || text.end > self.text_bytes || text.end - text.start > u64::from(u32::MAX) {
            return Err(self.file.corrupt(
                "text range",
                offset,
                format!("within {}", self.text_bytes),
                format!("{text:?}"),
            ));
        }
        let row_hash = u128::from(pair[0].row_hash_high.get()) << 64 | u128::from(pair[0].row_hash_low.get());
        let (origin, n_words) = (OriginKey(pair[0].origin.get()), pair[0].n_words.get());
        let number = pair[0].language_number();
        let language = Language::from_number(number)
            .ok_or_else(|| self.file.corrupt("language", offset, format!("below {}", Language::ALL.len()), number))?;
        self.file.ensure_whole()?;
        Ok(DocumentRecord { text, origin, n_words, language, row_hash: RowHash(row_hash) })
    }

    /// Checks every block and every record: texts follow each other, and have `n_words` words in all.
    pub fn verify(&self, n_words: u64) -> Result<()> {
        self.file.verify()?;
        let (mut text_end, mut found) = (0, 0);
        for doc in (0..self.n_docs).map(DocIdx) {
            let record = self.get(doc)?;
            if record.text.start != text_end {
                let offset = doc.as_usize() * size_of::<StoredRecord>();
                return Err(self.file.corrupt("text start", offset, text_end, record.text.start));
            }
            text_end = record.text.end;
            found += u64::from(record.n_words);
        }
        if (text_end, found) != (self.text_bytes, n_words) {
            let (expected, found) = (format!("{} and {n_words}", self.text_bytes), format!("{text_end} and {found}"));
            return Err(self.file.corrupt("bytes of text and number of words", 0, expected, found));
        }
        self.file.ensure_whole()
    }

    /// Finds the document in which a text position lies.
    pub fn at(&self, position: u64) -> Result<DocIdx> {
        if position >= self.text_bytes {
            return Err(self.file.corrupt("text position", 0, format!("below {}", self.text_bytes), position));
        }
        let (mut low, mut high) = (0, self.n_docs);
        // Invariant: the document starts at or after `low`'s start and before `high`'s.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let record: &StoredRecord = self.file.record(middle as usize * size_of::<StoredRecord>())?;
            if record.text_start() <= position {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.file.ensure_whole()?;
        Ok(DocIdx(low))
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;

    #[test]
    fn records_and_positions_read_back() {
        let storage = MemoryStorage::default();
        let lengths = [10_u32, 0, 0, 7, 1, 4096, 3];
        let mut writer = DocumentsWriter::create(&storage, Path::new("d")).unwrap();
        for (n, &length) in (0..).zip(&lengths) {
            let language = Language::ALL[n as usize];
            let row_hash = RowHash(u128::from(n) << 90 | 3);
            let doc = writer.add(length, language, OriginKey(n + 5), n * 2, row_hash).unwrap();
            assert_eq!(doc, DocIdx(n));
        }
        let seal = writer.finish().unwrap();
        let file = BlockFile::open(&storage, Path::new("d"), Component::Documents, seal).unwrap();
        assert!(Documents::open(file.clone(), 6).is_err(), "another number of documents is refused");
        let documents = Documents::open(file, 7).unwrap();
        let mut start = 0;
        for (n, &length) in (0..).zip(&lengths) {
            let record = documents.get(DocIdx(n)).unwrap();
            let end = start + u64::from(length);
            assert_eq!((record.text, record.origin), (start..end, OriginKey(n + 5)));
            assert_eq!(record.language, Language::ALL[n as usize]);
            assert_eq!((record.n_words, record.row_hash), (n * 2, RowHash(u128::from(n) << 90 | 3)));
            for position in start..end {
                assert_eq!(documents.at(position).unwrap(), DocIdx(n), "position {position}");
            }
            start = end;
        }
        assert!(documents.at(start).is_err());
        assert!(documents.get(DocIdx(7)).is_err());
    }
}
