//! The catalogue of a segment: what is known about each document, and which documents have a word.
//!
//! A catalogue is one tantivy segment, made so that the same documents give the same bytes. It answers four questions: what are a
//! document's id and attributes; which documents have an attribute's exact value; in how many documents does a word stand;
//! which documents are the best for some words (BM25). The texts themselves are elsewhere; the catalogue has their words only.
//!
//! # Layout
//!
//! A [`BlockFile`] with [`Component::Catalog`](super::block_file::Component::Catalog). Its payload holds six files of tantivy
//! behind each other without gaps, then the table of these six, then the footer. All numbers are little-endian.
//!
//! ```text
//! offset               bytes  field
//! 0                        …  the files `fast`, `fieldnorm`, `idx`, `pos`, `store`, `term`, in this order
//! T                  6 × 32  table, one entry a file, in the same order:
//!   +0                    16    name in ASCII, padded with zeros
//!   +16                    8    offset of the file in the payload: the sum of the lengths before it
//!   +24                    8    length of the file in bytes
//! T + 192                 32  footer, the payload's last bytes:
//!   +0                     8    T, the offset of the table: the sum of the six lengths
//!   +8                     4    number of entries: 6
//!   +12                    4    number of documents
//!   +16                    8    zero
//!   +24                    8    "CATALOG\0"
//! ```
//!
//! The six files are in tantivy's format 7, with these fields: 0 `id`, 1 `license`, 2 `origin`, 3 `shard`, 4 `language` (the value as one
//! term, stored), 5 `body` (words with frequencies and lengths, no positions; not stored), 6 `uri` (stored only). An empty value is not
//! stored and has no term. The document store has LZ4 blocks of 8 KiB. tantivy's number of a document is its [`DocIdx`]. What
//! tantivy keeps beside these files (`meta.json`: a random name, the schema, a log of merges) is not kept: name and schema are
//! fixed, the number of documents is in the footer.
//!
//! # Trust
//!
//! tantivy panics on damaged files. It gets its bytes through [`BlockFile::shared_slice`] only, that is, after
//! their checksums were compared, and those are vouched for by the manifest. Damage is an [`Error::Corrupt`] before tantivy sees it.
//! What remains is bytes that are wrong under right checksums (a bug, or somebody who makes index files) and a file that shrinks while
//! tantivy reads it. So every call goes through `ask`, which makes errors of panics, and of answers from a file that is not whole.

mod entry;
mod error;
mod files;
mod inverter;
mod runs;
mod schema;
mod search;
mod terms;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tantivy::postings::Postings as _;
use tantivy::schema::IndexRecordOption;
use tantivy::store::StoreReader;
use tantivy::{DocSet, SegmentReader, TERMINATED, Term};

use self::entry::Entry;
use self::error::from_tantivy;
use self::files::SegmentFiles;
pub use self::schema::AttributeField;
use self::schema::{BODY, N_FIELDS_WITH_TERMS, field, new_segment};
pub use self::terms::{TermCounter, Terms};
pub use self::writer::{CATALOG_DOCS_MAX, CatalogWriter};
use super::block_file::BlockFile;
use crate::corpus::Attributes;
use crate::error::{Error, Result};
use crate::ids::DocIdx;

/// Decompressed blocks kept per open catalogue: 128 KiB. Matches of one query often lie together.
const STORE_BLOCKS_CACHED: usize = 16;

/// The catalogue of a segment, open for reading. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    file: BlockFile,
    n_docs: u32,
    reader: SegmentReader,
    store: StoreReader,
}

impl Catalog {
    /// Opens the catalogue of a segment of `n_docs` documents.
    ///
    /// Cost: reads the ends of tantivy's files and the index of the document store, 0.3 bytes a document. The
    /// dictionary of a field is checked as a whole on its first use.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damage and for another number of documents, [`Error::Incompatible`] for tantivy files of a newer format.
    pub fn open(file: BlockFile, n_docs: u32) -> Result<Self> {
        let (files, found) = SegmentFiles::open(&file)?;
        if found != n_docs {
            return Err(file.corrupt("number of documents in the catalogue", file.payload_bytes(), n_docs, found));
        }
        let open = || {
            let reader = SegmentReader::open(&new_segment(&files, n_docs)?)?;
            let store = reader.get_store_reader(STORE_BLOCKS_CACHED)?;
            Ok((reader, store))
        };
        let (reader, store) = ask(&file, open)?;
        Ok(Self(Arc::new(Inner { file, n_docs, reader, store })))
    }

    /// Returns the file, to verify it or to show its size.
    pub fn file(&self) -> &BlockFile {
        &self.0.file
    }

    /// Returns a document's id and attributes.
    ///
    /// Cost: 0.5 us where the block of its neighbours is decompressed already, else 4 us.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damage, or where the segment has no such document: whoever names it has read it from a damaged file.
    pub fn document(&self, doc: DocIdx) -> Result<(String, Attributes)> {
        let Inner { file, n_docs, store, .. } = &*self.0;
        if doc.0 >= *n_docs {
            return Err(file.corrupt("document index", 0, format!("below {n_docs}"), doc.0));
        }
        let bytes = ask(file, || store.get_document_bytes(doc.0))?;
        let entry = Entry::parse(&bytes);
        let Entry { id, attributes } = entry.ok_or_else(|| misread(file))?;
        Ok((id, attributes))
    }

    /// Returns the best `limit` documents that have any of the words, with their BM25 scores (k1 = 1.2, b = 0.75); best first, equal
    /// scores in the order of the documents. Words are in normal form; a word counts once, however often it is given.
    ///
    /// The first of `limit` hits are the hits of a smaller `limit`, and the order of the words does not matter.
    ///
    /// Cost: 10 ns for each document of each word, except that words too common to matter are skipped over.
    pub fn search(&self, words: &[String], limit: usize) -> Result<Vec<(DocIdx, f32)>> {
        ask(&self.0.file, || search::search(&self.0.reader, words, limit))
    }

    /// Returns in how many documents a word (in normal form) stands.
    ///
    /// Cost: one walk through the dictionary, 0.2 us; no postings are read.
    pub fn document_frequency(&self, word: &str) -> Result<u32> {
        let term = Term::from_field_text(field(BODY), word);
        ask(&self.0.file, || Ok(self.0.reader.inverted_index(term.field())?.doc_freq(&term)?))
    }

    /// Calls `visit` for each document that has a word (in normal form), in order.
    ///
    /// Cost: one walk through the dictionary, 0.3 us, then 3 ns a document.
    pub fn for_each_document_with_word(&self, word: &str, visit: impl FnMut(DocIdx)) -> Result<()> {
        self.for_each_document_of(&Term::from_field_text(field(BODY), word), visit)
    }

    /// Calls `visit` for each of `docs`, which ascend, that has a word (in normal form).
    ///
    /// Cost: one walk through the dictionary, then at most one block of postings a document, 0.3 us; blocks between them are skipped.
    pub fn for_each_of_with_word(&self, docs: &[DocIdx], word: &str, mut visit: impl FnMut(DocIdx)) -> Result<()> {
        debug_assert!(docs.is_sorted(), "documents ascend");
        ask(&self.0.file, || {
            let term = Term::from_field_text(field(BODY), word);
            let index = self.0.reader.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { return Ok(()) };
            for &doc in docs {
                if postings.doc() < doc.0 {
                    postings.seek(doc.0);
                }
                if postings.doc() == doc.0 {
                    visit(doc);
                }
            }
            Ok(())
        })
    }

    /// Returns the documents whose attribute has exactly this value, in order. None has the value "", which stands for "not given".
    pub fn documents_with(&self, attribute: AttributeField, value: &str) -> Result<Vec<DocIdx>> {
        let mut docs = Vec::new();
        let term = Term::from_field_text(field(attribute.number()), value);
        self.for_each_document_of(&term, |doc| docs.push(doc))?;
        Ok(docs)
    }

    /// Checks every block, and reads every document, term and posting: numbers of documents ascend, and each attribute has as many postings
    /// as documents have it.
    pub fn verify(&self) -> Result<()> {
        let Inner { file, n_docs, .. } = &*self.0;
        file.verify()?;
        let mut n_given = [0_u64; N_FIELDS_WITH_TERMS as usize];
        for doc in (0..*n_docs).map(DocIdx) {
            let (id, attributes) = self.document(doc)?;
            for (_, number, value) in (Entry { id, attributes }).values() {
                if let Some(n_given) = n_given.get_mut(usize::from(number)) {
                    *n_given += u64::from(!value.is_empty());
                }
            }
        }
        for (number, n_given) in (0..N_FIELDS_WITH_TERMS).zip(n_given) {
            let n_postings = ask(file, || self.count_postings(number))?.ok_or_else(|| misread(file))?;
            if number != BODY && n_postings != n_given {
                return Err(file.corrupt("postings of an attribute", 0, n_given, n_postings));
            }
        }
        Ok(())
    }

    /// Counts the postings of a field; `None` where they are not in order.
    fn count_postings(&self, number: u8) -> tantivy::Result<Option<u64>> {
        let index = self.0.reader.inverted_index(field(number))?;
        let (mut n_terms, mut n_postings) = (0, 0);
        let mut terms = index.terms().stream()?;
        while terms.advance() {
            n_terms += 1;
            // A forged dictionary can have more paths than anybody could walk.
            if n_terms > index.terms().num_terms() {
                return Ok(None);
            }
            let mut postings = index.read_postings_from_terminfo(terms.value(), IndexRecordOption::WithFreqs)?;
            let (mut n_docs, mut next) = (0, 0);
            while postings.doc() != TERMINATED {
                if postings.doc() < next || postings.doc() >= self.0.n_docs || postings.term_freq() == 0 {
                    return Ok(None);
                }
                next = postings.doc() + 1;
                n_docs += 1;
                postings.advance();
            }
            if n_docs != terms.value().doc_freq {
                return Ok(None);
            }
            n_postings += u64::from(n_docs);
        }
        Ok(Some(n_postings))
    }

    /// Calls `visit` for each document that has a term, in order. All of them are documents of the segment.
    fn for_each_document_of(&self, term: &Term, mut visit: impl FnMut(DocIdx)) -> Result<()> {
        let mut next = 0;
        let is_sound = ask(&self.0.file, || {
            let index = self.0.reader.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else { return Ok(true) };
            while postings.doc() != TERMINATED {
                let doc = postings.doc();
                if doc < next || doc >= self.0.n_docs {
                    return Ok(false);
                }
                next = doc + 1;
                visit(DocIdx(doc));
                postings.advance();
            }
            Ok(true)
        })?;
        if is_sound { Ok(()) } else { Err(misread(&self.0.file)) }
    }
}

/// Asks tantivy something about a file of ours. An answer counts only if the file is still whole, and a panic is an error of the file: what
/// tantivy does not expect is not in files that it wrote. It leaves its own locks poisoned and so fails again from then on.
fn ask<T>(file: &BlockFile, question: impl FnOnce() -> tantivy::Result<T>) -> Result<T> {
    let answer = catch_unwind(AssertUnwindSafe(question));
    file.ensure_whole()?;
    let answer = answer.map_err(|_panic| misread(file))?;
    answer.map_err(|error| match from_tantivy(error, file.path()) {
        // Nothing is read from a disk here: tantivy says so of bytes that end too soon.
        Error::Io { .. } | Error::Internal { .. } => misread(file),
        named => named,
    })
}

fn misread(file: &BlockFile) -> Error {
    file.corrupt("catalogue", 0, "what tantivy writes", "bytes that it cannot read")
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Catalog(`{}`, {} documents)", self.0.file.path().display(), self.0.n_docs)
    }
}
