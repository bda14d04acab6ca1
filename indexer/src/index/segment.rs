//! A segment that is read: an immutable set of documents with all that is known about them.

use std::ops::Range;
use std::path::Path;

use super::block_file::{BlockFile, Component};
use super::catalog::Catalog;
use super::documents::{DocumentRecord, Documents};
use super::key_table::KeyTable;
use super::manifest::SegmentEntry;
use super::mmap::ReadOrder;
use super::storage::Storage;
use super::text::Text;
use super::tombstones::Tombstones;
use crate::corpus::{Attributes, Document};
use crate::error::{Error, Result};
use crate::ids::{DocIdx, Key};

/// A segment; its parts are mapped, not loaded. Cheap to clone, but for the tombstones: one bit a document.
#[derive(Debug, Clone)]
pub struct Segment {
    entry: SegmentEntry,
    documents: Documents,
    text: Text,
    anchors: Option<KeyTable>,
    lexemes: Option<KeyTable>,
    units: Option<KeyTable>,
    bands: KeyTable,
    exact: KeyTable,
    ids: KeyTable,
    catalog: Catalog,
    tombstones: Tombstones,
}

impl Segment {
    /// Opens the segment that a manifest names.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where a file differs from its seal or two files contradict each other.
    pub fn open(storage: &dyn Storage, entry: SegmentEntry) -> Result<Self> {
        let dir = Path::new(&entry.name);
        let open = |component: Component| match entry.files.get(component.name()) {
            Some(&seal) => BlockFile::open(storage, &dir.join(component.name()), component, seal).map(Some),
            None => Ok(None),
        };
        let need = |component: Component| {
            open(component)?.ok_or_else(|| {
                let path = storage.display_path(&dir.join(component.name()));
                Error::corrupt(&path, "list of files", 0, component.name(), "none in the manifest")
            })
        };
        let documents = Documents::open(need(Component::Documents)?, entry.n_docs)?;
        let text = Text::open(need(Component::Text)?, documents.text_bytes())?;
        let tombstones = read_tombstones(storage, &entry)?;
        let segment = Self {
            documents,
            text,
            anchors: open(Component::Anchors)?.map(KeyTable::open).transpose()?,
            lexemes: open(Component::Lexemes)?.map(KeyTable::open).transpose()?,
            units: open(Component::Units)?.map(KeyTable::open).transpose()?,
            bands: KeyTable::open(need(Component::Bands)?)?,
            exact: KeyTable::open(need(Component::Exact)?)?,
            ids: KeyTable::open(need(Component::Ids)?)?,
            catalog: Catalog::open(need(Component::Catalog)?, entry.n_docs)?,
            tombstones,
            entry,
        };
        // Opening read directories and tables front to back, and what lay beside them, which the first queries need; from now on a page is
        // read here and there. To expect that before opening makes the first look-up of rare words five times as slow (docs/benchmarks.md).
        segment.expect(ReadOrder::Random);
        Ok(segment)
    }

    /// Tells the operating system in which order the files will be read; a hint. Queries read at random, which is what a segment expects when
    /// opened; who is going to read all of it says so before, and takes it back afterwards.
    pub fn expect(&self, order: ReadOrder) {
        let files = [self.documents.file(), self.text.file(), self.bands.file(), self.exact.file(), self.ids.file()];
        let optional = self.optional_tables().into_iter().filter_map(|(_, table)| table).map(KeyTable::file);
        for file in files.into_iter().chain([self.catalog.file()]).chain(optional) {
            file.expect(order);
        }
    }

    /// Opens a segment that differs from this one at most in its tombstones, and shares everything else with it; `None` where `entry`
    /// is of another segment.
    pub(super) fn with_tombstones_of(&self, storage: &dyn Storage, entry: &SegmentEntry) -> Result<Option<Self>> {
        // This view may hide documents that are not removed.
        if *entry == self.entry && entry.n_removed() == self.tombstones.n_removed() {
            return Ok(Some(self.clone()));
        }
        if (SegmentEntry { tombstones: self.entry.tombstones.clone(), ..entry.clone() }) != self.entry {
            return Ok(None);
        }
        let tombstones = read_tombstones(storage, entry)?;
        Ok(Some(Self { tombstones, entry: entry.clone(), ..self.clone() }))
    }

    /// Removes documents from this view of the segment; nothing is written.
    pub(super) fn hide(&mut self, docs: impl IntoIterator<Item = DocIdx>) {
        for doc in docs {
            self.tombstones.remove(doc);
        }
    }

    /// Returns what the manifest says about the segment.
    pub fn entry(&self) -> &SegmentEntry {
        &self.entry
    }

    /// Returns the number of documents that are not removed.
    pub fn n_live_docs(&self) -> u32 {
        self.entry.n_docs - self.tombstones.n_removed()
    }

    /// Tells whether a document is removed.
    pub fn is_removed(&self, doc: DocIdx) -> bool {
        self.tombstones.is_removed(doc)
    }

    /// Returns the removed documents.
    pub fn tombstones(&self) -> &Tombstones {
        &self.tombstones
    }

    /// Returns the anchors: key of a k-gram -> position of its first byte in the segment's text. `None` in the dedup profile.
    pub fn anchors(&self) -> Option<&KeyTable> {
        self.anchors.as_ref()
    }

    /// Returns the anchors of code: key of a parameterised k-gram -> position of its first byte in the segment's text. `None` where there is
    /// no code, and in the dedup profile.
    pub fn lexemes(&self) -> Option<&KeyTable> {
        self.lexemes.as_ref()
    }

    /// Returns the units of code: hash of a unit's syntax tree -> position of its first byte in the segment's text. `None` as for
    /// [`lexemes`](Self::lexemes).
    pub fn units(&self) -> Option<&KeyTable> {
        self.units.as_ref()
    }

    /// Tables of positions in the text that a segment may lack.
    fn optional_tables(&self) -> [(Component, Option<&KeyTable>); 3] {
        [
            (Component::Anchors, self.anchors.as_ref()),
            (Component::Lexemes, self.lexemes.as_ref()),
            (Component::Units, self.units.as_ref()),
        ]
    }

    /// Returns the LSH bands: key of a band -> document.
    pub fn bands(&self) -> &KeyTable {
        &self.bands
    }

    /// Returns the exact hashes: key of a normal form -> document.
    pub fn exact(&self) -> &KeyTable {
        &self.exact
    }

    /// Returns the catalogue.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads a document's record.
    pub fn record(&self, doc: DocIdx) -> Result<DocumentRecord> {
        self.documents.get(doc)
    }

    /// Finds the document in which a position of the segment's text lies.
    pub fn document_at(&self, position: u64) -> Result<DocIdx> {
        self.documents.at(position)
    }

    /// Replaces `bytes` by a range of the segment's text.
    pub fn read_text(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        self.text.read(range, bytes)
    }

    /// Checks that bytes of the segment's text, cut at characters, are UTF-8.
    pub fn as_text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str> {
        simdutf8::basic::from_utf8(bytes).map_err(|_| self.text.file().corrupt("text", 0, "UTF-8", "other bytes"))
    }

    /// Returns the one-based line of its document in which a position of the segment's text stands.
    pub fn line_at(&self, document: &DocumentRecord, position: u64) -> Result<u32> {
        let lines =
            self.text.newlines_before(position)?.saturating_sub(self.text.newlines_before(document.text.start)?);
        Ok(u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Reads a document's id and attributes.
    pub fn attributes(&self, doc: DocIdx) -> Result<(String, Attributes)> {
        self.catalog.document(doc)
    }

    /// Finds a document that is not removed by its id; `key` is the id's hash.
    pub fn find(&self, id: &str, key: Key) -> Result<Option<DocIdx>> {
        Ok(self.find_all(id, key)?.first().copied())
    }

    /// Finds all documents of an id that are not removed, in order: one at most, unless something other than this library wrote the index.
    pub fn find_all(&self, id: &str, key: Key) -> Result<Vec<DocIdx>> {
        let mut candidates = Vec::new();
        self.ids.lookup(key, &mut candidates)?;
        let mut docs = Vec::new();
        for value in candidates {
            let doc = DocIdx(u32::try_from(value).unwrap_or(u32::MAX));
            if !self.is_removed(doc) && self.catalog.document(doc)?.0 == id {
                docs.push(doc);
            }
        }
        Ok(docs)
    }

    /// Reads a document back as it was indexed.
    pub fn document(&self, doc: DocIdx) -> Result<Document> {
        let (id, attributes) = self.attributes(doc)?;
        let mut bytes = Vec::new();
        self.read_text(self.record(doc)?.text, &mut bytes)?;
        let text = self.as_text(&bytes)?.to_owned();
        Ok(Document { id, text, attributes })
    }

    /// Returns the files of the segment, tombstones left out, in the order of their components.
    pub fn files(&self) -> Vec<(Component, &BlockFile)> {
        let mut files = vec![
            (Component::Documents, self.documents.file()),
            (Component::Text, self.text.file()),
            (Component::Bands, self.bands.file()),
            (Component::Exact, self.exact.file()),
            (Component::Ids, self.ids.file()),
            (Component::Catalog, self.catalog.file()),
        ];
        let optional = self.optional_tables().into_iter();
        files.extend(optional.filter_map(|(component, table)| Some((component, table?.file()))));
        files.sort_by_key(|(component, _)| *component);
        files
    }

    /// Checks every byte of every file and reads every structure. Returns the name of each file with its size in bytes, or what is wrong with it.
    pub fn verify(&self) -> Vec<(&'static str, Result<u64>)> {
        let SegmentEntry { n_docs, n_words, .. } = self.entry;
        let docs_end = u64::from(n_docs);
        let bytes = |component: Component| self.entry.files.get(component.name()).map_or(0, |seal| seal.file_bytes);
        self.expect(ReadOrder::Sequential);
        let mut results = vec![
            (Component::Documents, self.documents.verify(n_words)),
            (Component::Text, self.text.verify()),
            (Component::Bands, self.bands.verify(docs_end)),
            (Component::Exact, self.exact.verify(docs_end)),
            (Component::Ids, self.ids.verify(docs_end).and_then(|()| self.ensure_all_ids())),
            (Component::Catalog, self.catalog.verify()),
        ];
        for (component, table) in self.optional_tables() {
            results.extend(table.map(|table| (component, table.verify(self.documents.text_bytes()))));
        }
        self.expect(ReadOrder::Random);
        results.sort_by_key(|(component, _)| *component);
        results.into_iter().map(|(component, result)| (component.name(), result.map(|()| bytes(component)))).collect()
    }

    /// Checks that every document has an id.
    fn ensure_all_ids(&self) -> Result<()> {
        let (expected, found) = (u64::from(self.entry.n_docs), self.ids.n_postings());
        if expected == found { Ok(()) } else { Err(self.ids.file().corrupt("number of ids", 0, expected, found)) }
    }
}

fn read_tombstones(storage: &dyn Storage, entry: &SegmentEntry) -> Result<Tombstones> {
    let Some(tombstones) = &entry.tombstones else { return Ok(Tombstones::none(entry.n_docs)) };
    let path = Path::new(&entry.name).join(&tombstones.file);
    let file = BlockFile::open(storage, &path, Component::Tombstones, tombstones.seal)?;
    Tombstones::read(&file, entry.n_docs, tombstones.n_removed)
}
