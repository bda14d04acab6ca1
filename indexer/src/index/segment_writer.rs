//! Builds one segment: documents in, files out, in bounded memory.
//!
//! Texts, records and the catalogue are written as documents arrive; postings are collected under a budget ([`super::spill`]) and sorted
//! at the end. The bytes depend on the documents and their order alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::block_file::{BlockFile, Component, Seal};
use super::catalog::{Catalog, CatalogWriter};
use super::documents::{Documents, DocumentsWriter};
use super::key_table::KeyTableBuilder;
use super::manifest::SegmentEntry;
use super::prepared::Prepared;
use super::spill::{RECORD_BYTES, Spill};
use super::storage::Storage;
use super::text::TextWriter;
use crate::error::{Error, Result};
use crate::ids::DocIdx;
use crate::limits::SEGMENT_TEXT_BYTES_MAX;

/// Which parts a segment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Everything: passages can be found.
    #[default]
    Full,
    /// What deduplication of whole documents needs: no anchors and no full-text index.
    Dedup,
}

const ANCHOR_VALUE_BITS: u32 = 40;
const DOC_VALUE_BITS: u32 = 32;

/// Shares of the memory budget, in sixteenths: anchors and bands have 32 postings per 3 KB of text each, the others one a document.
const ANCHOR_SHARE: usize = 4;
const BAND_SHARE: usize = 3;
const ONE_EACH_SHARE: usize = 1;

/// Builds one segment in a folder of its own.
pub struct SegmentWriter {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    documents: DocumentsWriter,
    text: TextWriter,
    catalog: CatalogWriter,
    anchors: Option<KeyTableBuilder>,
    bands: KeyTableBuilder,
    exact: KeyTableBuilder,
    ids: KeyTableBuilder,
    n_words: u64,
}

/// A segment whose files are durable but which no manifest names yet.
#[derive(Debug)]
pub struct FinishedSegment {
    /// Its folder.
    pub(super) dir: PathBuf,
    /// What the manifest will say; the name is given at the commit.
    pub(super) entry: SegmentEntry,
    /// Documents with the same id, in document order.
    pub duplicates: Vec<Duplicate>,
    /// Which of them do not become part of the index.
    pub(super) dropped: BTreeSet<DocIdx>,
}

/// Which of several documents with the same id stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The first one.
    First,
    /// The last one.
    Last,
}

/// Two documents of a segment that have the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The one that came first.
    pub earlier: DocIdx,
    /// The one that came after it.
    pub later: DocIdx,
    /// Their id.
    pub id: String,
}

impl FinishedSegment {
    /// Returns the number of documents, duplicates included.
    pub fn n_docs(&self) -> u32 {
        self.entry.n_docs
    }
}

impl SegmentWriter {
    /// Starts a segment in `dir`, which must be empty. `memory_bytes` bounds the postings held in memory.
    pub(super) fn create(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        profile: Profile,
        memory_bytes: usize,
    ) -> Result<Self> {
        storage.create_dir(&dir)?;
        let spill = |name, share: usize| Spill::new(dir.clone(), name, memory_bytes / 16 * share / RECORD_BYTES);
        let path = |component: Component| dir.join(component.name());
        Ok(Self {
            documents: DocumentsWriter::create(&*storage, &path(Component::Documents))?,
            text: TextWriter::create(&*storage, &path(Component::Text))?,
            catalog: CatalogWriter::create(&storage, &dir)?,
            anchors: match profile {
                Profile::Full => Some(KeyTableBuilder::new(spill("anchors", ANCHOR_SHARE), ANCHOR_VALUE_BITS)),
                Profile::Dedup => None,
            },
            bands: KeyTableBuilder::new(spill("bands", BAND_SHARE), DOC_VALUE_BITS),
            exact: KeyTableBuilder::new(spill("exact", ONE_EACH_SHARE), DOC_VALUE_BITS),
            // Every document must be found by its id, however many versions of it there were.
            ids: KeyTableBuilder::uncapped(spill("ids", ONE_EACH_SHARE), DOC_VALUE_BITS),
            n_words: 0,
            storage,
            dir,
        })
    }

    /// Returns the number of documents so far.
    pub fn n_docs(&self) -> u32 {
        self.documents.n_docs()
    }

    /// Adds the next document.
    ///
    /// # Errors
    /// [`Error::Argument`] where the segment is full; start another one.
    pub fn add(&mut self, prepared: &Prepared) -> Result<DocIdx> {
        let storage = &*self.storage;
        let document = &prepared.document;
        let text_start = self.text.position();
        let text_bytes = u32::try_from(document.text.len()).unwrap_or(u32::MAX);
        if text_start + u64::from(text_bytes) > SEGMENT_TEXT_BYTES_MAX {
            let expected = format!("at most {SEGMENT_TEXT_BYTES_MAX} bytes of text");
            return Err(Error::Argument { name: "segment", expected, found: "more".into() });
        }
        let doc = self.documents.add(text_bytes, prepared.origin, prepared.n_words, prepared.row_hash)?;
        self.text.add(&document.text)?;
        let has_anchors = self.anchors.is_some();
        self.catalog.add(&document.id, &document.attributes, |each| {
            if has_anchors {
                prepared.for_each_word(each);
            }
        })?;
        if let Some(anchors) = &mut self.anchors {
            for &(key, offset) in &prepared.anchors {
                anchors.push(storage, key, text_start + u64::from(offset))?;
            }
        }
        for &key in &prepared.bands {
            self.bands.push(storage, key, u64::from(doc.0))?;
        }
        if let Some(key) = prepared.exact {
            self.exact.push(storage, key, u64::from(doc.0))?;
        }
        self.ids.push(storage, prepared.id, u64::from(doc.0))?;
        self.n_words += u64::from(prepared.n_words);
        Ok(doc)
    }

    /// Writes everything that is left and syncs the files.
    ///
    /// Of documents with the same id those that are not kept are left out of what over-cap keys store.
    pub fn finish(self, keep_duplicate: Keep) -> Result<FinishedSegment> {
        let (storage, dir) = (&*self.storage, &self.dir);
        let path = |component: Component| dir.join(component.name());
        let (n_docs, text_bytes) = (self.documents.n_docs(), self.text.position());
        let mut files: BTreeMap<String, Seal> = BTreeMap::new();
        let mut keep = |component: Component, seal: Seal| files.insert(component.name().to_owned(), seal);
        let documents_seal = self.documents.finish()?;
        keep(Component::Documents, documents_seal);
        keep(Component::Text, self.text.finish()?);
        let file = BlockFile::open(storage, &path(Component::Documents), Component::Documents, documents_seal)?;
        let documents = Documents::open(file, n_docs)?;
        let catalog_seal = self.catalog.finish(&path(Component::Catalog))?;
        keep(Component::Catalog, catalog_seal);
        let mut same_keys = Vec::new();
        let origin_of = |doc: DocIdx| documents.get(doc).map(|record| Some((doc.0, record.origin)));
        let of_any_doc = |doc: u64| origin_of(DocIdx(u32::try_from(doc).unwrap_or(u32::MAX)));
        let ids = self.ids.finish(storage, &path(Component::Ids), Component::Ids, &of_any_doc, &mut |a, b| {
            same_keys.push((a, b));
        })?;
        keep(Component::Ids, ids);
        let catalog = BlockFile::open(storage, &path(Component::Catalog), Component::Catalog, catalog_seal)?;
        let duplicates = confirm_duplicates(&Catalog::open(catalog, n_docs)?, &same_keys)?;
        let of_pair = |duplicate: &Duplicate| match keep_duplicate {
            Keep::First => duplicate.later,
            Keep::Last => duplicate.earlier,
        };
        let dropped: BTreeSet<DocIdx> = duplicates.iter().map(of_pair).collect();
        let of_kept = |doc: DocIdx| if dropped.contains(&doc) { Ok(None) } else { origin_of(doc) };
        let of_position = |position: u64| of_kept(documents.at(position)?);
        let of_doc = |doc: u64| of_kept(DocIdx(u32::try_from(doc).unwrap_or(u32::MAX)));
        let finish = |table: KeyTableBuilder, component: Component| {
            table.finish(storage, &path(component), component, &of_doc, &mut |_, _| {})
        };
        let (anchors, (bands, exact)) = rayon::join(
            || {
                let anchors = self.anchors.map(|table| {
                    table.finish(storage, &path(Component::Anchors), Component::Anchors, &of_position, &mut |_, _| {})
                });
                anchors.transpose()
            },
            || (finish(self.bands, Component::Bands), finish(self.exact, Component::Exact)),
        );
        if let Some(seal) = anchors? {
            keep(Component::Anchors, seal);
        }
        keep(Component::Bands, bands?);
        keep(Component::Exact, exact?);
        storage.sync_dir(dir)?;
        let entry =
            SegmentEntry { name: String::new(), n_docs, n_words: self.n_words, text_bytes, files, tombstones: None };
        Ok(FinishedSegment { dir: self.dir, entry, duplicates, dropped })
    }
}

/// Two ids whose hashes are equal need not be equal: the catalogue has both.
fn confirm_duplicates(catalog: &Catalog, same_keys: &[(u64, u64)]) -> Result<Vec<Duplicate>> {
    let mut duplicates = Vec::new();
    for &(earlier, later) in same_keys {
        let doc = |value: u64| DocIdx(u32::try_from(value).unwrap_or(u32::MAX));
        let (earlier, later) = (doc(earlier), doc(later));
        let id = catalog.document(earlier)?.0;
        if id == catalog.document(later)?.0 {
            duplicates.push(Duplicate { earlier, later, id });
        }
    }
    Ok(duplicates)
}

/// Names a segment after the commit that brings it and what it holds, so that the same input gives the same name.
pub(super) fn segment_name(generation: u32, files: &BTreeMap<String, Seal>) -> String {
    let mut seals = Vec::new();
    for (name, seal) in files {
        seals.extend_from_slice(name.as_bytes());
        seals.extend_from_slice(&seal.file_bytes.to_le_bytes());
        seals.extend_from_slice(&seal.root.to_le_bytes());
    }
    format!("seg-{generation:06}-{:016x}", xxh3_64(&seals))
}
