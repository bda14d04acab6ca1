//! Building a catalogue: an external inversion, whose result tantivy's serialisers write.
//!
//! tantivy's own way (an index writer, then merges) is not what an index needs that must come out the same every time: segments are
//! named at random and merged when threads please. Its single-threaded parts are reproducible, but take 115 ns a word. So words are inverted
//! here and tantivy writes: the document store while documents come in, terms and postings once, in order, at the end. How
//! often the memory was emptied in between leaves no trace in the file.

use std::path::Path;
use std::sync::Arc;

use tantivy::columnar::ColumnarWriter;
use tantivy::directory::TerminatingWrite;
use tantivy::fieldnorm::{FieldNormReader, FieldNormReaders, FieldNormsSerializer};
use tantivy::index::SegmentComponent;
use tantivy::postings::InvertedIndexSerializer;
use tantivy::schema::Schema;
use tantivy::store::{Compressor, StoreWriter};
use tantivy::{Segment, TantivyError};

use super::entry::Entry;
use super::error::{from_tantivy, internal, to_tantivy};
use super::files::{Scratch, ScratchWriter, SegmentFiles};
use super::inverter::Inverter;
use super::runs::{MergedRuns, write_run};
use super::schema::{BODY, N_FIELDS_WITH_TERMS, STORE_BLOCK_BYTES, field, new_segment, schema};
use super::terms::Terms;
use crate::corpus::Attributes;
use crate::error::{Error, Result};
use crate::index::block_file::{BlockFile, Seal};
use crate::index::storage::Storage;
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// Most documents in one catalogue: tantivy counts them with 31 bits and keeps the highest number as a sentinel.
pub const CATALOG_DOCS_MAX: u32 = i32::MAX as u32 - 1;

/// Writes the catalogue of one segment.
///
/// Guarantee: the same documents in the same order give the same bytes. All work is done in the caller's thread.
///
/// Memory: as much as it is given, plus 2 MiB and, in [`finish`](Self::finish), 3 bytes a different word. Scratch space: twice the
/// catalogue.
pub struct CatalogWriter {
    scratch: Arc<Scratch>,
    segment: Segment,
    schema: Schema,
    store: StoreWriter,
    inverter: Inverter,
    runs: Vec<BlockFile>,
    /// Number of words of each document, as tantivy's one-byte float.
    lengths: ScratchWriter,
    n_lengths: u32,
    /// Number of terms in each field, repeated ones included.
    n_terms: [u64; N_FIELDS_WITH_TERMS as usize],
    n_docs: u32,
}

impl CatalogWriter {
    /// Makes a writer that works in `memory_bytes`, and whose scratch files live in `temp_dir` until it is finished or dropped. The
    /// folder is made if it is not there; removing it is the caller's business. Two writers must not share a folder.
    ///
    /// Less memory means more runs to merge: 32 MiB hold the words of 30 MB of prose, 16 MiB took a third longer to merge (1 GB).
    pub fn create(storage: &Arc<dyn Storage>, temp_dir: &Path, memory_bytes: usize) -> Result<Self> {
        let scratch = Arc::new(Scratch::create(storage, temp_dir)?);
        let open = || {
            let segment = new_segment(&SegmentFiles::Scratch(Arc::clone(&scratch)), 0)?;
            let file = segment.open_write(SegmentComponent::Store)?;
            let store = StoreWriter::new(file, Compressor::Lz4, STORE_BLOCK_BYTES, false)?;
            Ok((segment, store))
        };
        let (segment, store) = open().map_err(|error| from_tantivy(error, &scratch.display_path()))?;
        let lengths = scratch.create_file("lengths".to_owned())?;
        Ok(Self {
            scratch,
            segment,
            schema: schema(),
            store,
            inverter: Inverter::new(memory_bytes),
            runs: Vec::new(),
            lengths,
            n_lengths: 0,
            n_terms: [0; N_FIELDS_WITH_TERMS as usize],
            n_docs: 0,
        })
    }

    /// Adds the next document. `words` is called once and hands the terms of the document's text to its argument, all at once or those
    /// of one piece of the text after the other:
    ///
    /// ```
    /// # use std::{path::Path, sync::Arc};
    /// # use copytrace_indexer::{corpus::Attributes, index::{catalog::{CatalogWriter, TermCounter}, storage::{MemoryStorage, Storage}}};
    /// # use copytrace_indexer::normalise::for_each_word;
    /// # let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    /// let mut counter = TermCounter::default();
    /// let mut catalog = CatalogWriter::create(&storage, Path::new("temporary"), 16 << 20)?;
    /// for_each_word("A text", |normal_form, _span| counter.add(normal_form));
    /// catalog.add("id", &Attributes::default(), |terms| terms(&counter.take()))?;
    /// catalog.finish(Path::new("catalog"))?;
    /// # Ok::<(), copytrace_indexer::Error>(())
    /// ```
    ///
    /// Cost: 8 ns for each different word of the document, and 9 ns in [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Error::Argument`] for an id or attribute above [`ATTRIBUTE_BYTES_MAX`], and for a document too many
    /// ([`CATALOG_DOCS_MAX`]). Nothing was added then. After any other error the writer should be given up; a catalogue with a
    /// document in part is never finished.
    pub fn add(&mut self, id: &str, attributes: &Attributes, words: impl FnOnce(&mut dyn FnMut(&Terms))) -> Result<()> {
        let entry = Entry { id: id.to_owned(), attributes: attributes.clone() };
        self.check(&entry)?;
        self.inverter.start_document();
        for (_, number, value) in entry.values() {
            if number < N_FIELDS_WITH_TERMS && !value.is_empty() {
                self.inverter.add(number, value);
                self.n_terms[usize::from(number)] += 1;
            }
        }
        let (mut n_words, mut emptied) = (0_u32, Ok(()));
        words(&mut |terms| {
            n_words = n_words.saturating_add(terms.n_words());
            self.inverter.add_terms(terms);
            if self.inverter.is_full() && emptied.is_ok() {
                emptied = self.empty_inverter(true);
            }
        });
        emptied?;
        self.n_terms[usize::from(BODY)] += u64::from(n_words);
        self.lengths.write(&[FieldNormReader::fieldnorm_to_id(n_words)])?;
        self.n_lengths += 1;
        self.store.store(&entry, &self.schema).map_err(|error| self.fail(error.into()))?;
        self.n_docs += 1;
        if self.inverter.is_full() {
            self.empty_inverter(false)?;
        }
        Ok(())
    }

    /// Writes the catalogue to `path` and removes the scratch files.
    pub fn finish(mut self, path: &Path) -> Result<Seal> {
        if self.n_lengths != self.n_docs {
            return Err(internal("the last document was added in part".to_owned()));
        }
        self.empty_inverter(false)?;
        let Self { scratch, segment, store, inverter, runs, lengths, n_terms, n_docs, .. } = self;
        drop(inverter);
        let runs = MergedRuns::open(runs, &scratch)?;
        let lengths = lengths.finish()?;
        let write = || {
            store.close()?;
            let mut fast = segment.open_write(SegmentComponent::FastFields)?;
            ColumnarWriter::default().serialize(n_docs, None, &mut fast)?;
            fast.terminate()?;
            let mut file = FieldNormsSerializer::from_write(segment.open_write(SegmentComponent::FieldNorms)?)?;
            file.serialize_field(field(BODY), lengths.slice(0..lengths.payload_bytes()).map_err(to_tantivy)?)?;
            file.close()?;
            write_terms(&segment, runs, n_terms)
        };
        write().map_err(|error| from_tantivy(error, &scratch.display_path()))?;
        SegmentFiles::Scratch(Arc::clone(&scratch)).pack(scratch.storage(), path, n_docs)
    }

    fn check(&self, entry: &Entry) -> Result<()> {
        for (name, _, value) in entry.values() {
            if value.len() > ATTRIBUTE_BYTES_MAX {
                let expected = format!("at most {ATTRIBUTE_BYTES_MAX} bytes");
                return Err(Error::Argument { name, expected, found: format!("{} bytes", value.len()) });
            }
        }
        if self.n_docs == CATALOG_DOCS_MAX {
            let (expected, found) = (format!("at most {CATALOG_DOCS_MAX}"), "one more".to_owned());
            return Err(Error::Argument { name: "number of documents in a segment", expected, found });
        }
        Ok(())
    }

    fn empty_inverter(&mut self, is_open: bool) -> Result<()> {
        let name = format!("run-{:06}", self.runs.len());
        self.runs.push(write_run(&mut self.inverter, is_open, &self.scratch, name)?);
        Ok(())
    }

    fn fail(&self, error: TantivyError) -> Error {
        from_tantivy(error, &self.scratch.display_path())
    }
}

/// Writes the terms of all fields with their postings.
fn write_terms(
    segment: &Segment,
    mut runs: MergedRuns,
    n_terms: [u64; N_FIELDS_WITH_TERMS as usize],
) -> tantivy::Result<()> {
    let lengths = FieldNormReaders::open(segment.open_read(SegmentComponent::FieldNorms)?)?;
    let mut terms = InvertedIndexSerializer::open(segment)?;
    for (number, n_terms) in (0..N_FIELDS_WITH_TERMS).zip(n_terms) {
        let mut terms = terms.new_field(field(number), n_terms, lengths.get_field(field(number))?)?;
        while runs.advance(number).map_err(to_tantivy)? {
            terms.new_term(runs.word(), runs.n_docs(), true)?;
            let read = runs.read_postings(|posting| terms.write_doc(posting.doc, posting.frequency, &[]));
            read.map_err(to_tantivy)?;
            terms.close_term()?;
        }
        terms.close()?;
    }
    Ok(terms.close()?)
}
