//! Builds one segment: documents in, files out, in bounded memory ([`crate::memory`]).
//!
//! Texts, records and the catalogue are written as documents arrive; postings are collected under a budget ([`super::spill`]) and sorted
//! at the end. The bytes depend on the documents and their order alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::block_file::{BlockFile, Component, Seal};
use super::catalog::{Catalog, CatalogWriter};
use super::documents::{Documents, DocumentsWriter};
use super::key_table::{KeyTable, KeyTableBuilder};
use super::manifest::SegmentEntry;
use super::prepared::Prepared;
use super::spill::{RECORD_BYTES, Spill};
use super::storage::Storage;
use super::text::TextWriter;
use super::tombstones::Tombstones;
use crate::corpus::Document;
use crate::error::{Error, Result};
use crate::ids::DocIdx;
use crate::limits::{SEGMENT_DOCS_MAX, SEGMENT_TEXT_BYTES_MAX};
use crate::memory::MemoryPlan;

/// Which parts a segment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Everything: passages can be found.
    #[default]
    Full,
    /// What deduplication of whole documents needs: no anchors and no full-text index.
    Dedup,
}

const POSITION_VALUE_BITS: u32 = 40;
const DOC_VALUE_BITS: u32 = 32;

/// Builds one segment in a folder of its own.
pub struct SegmentWriter {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    catalog: CatalogWriter,
    tables: Tables,
}

/// Everything but the catalogue: the two are written side by side.
struct Tables {
    storage: Arc<dyn Storage>,
    documents: DocumentsWriter,
    text: TextWriter,
    anchors: Option<KeyTableBuilder>,
    lexemes: Option<KeyTableBuilder>,
    units: Option<KeyTableBuilder>,
    bands: KeyTableBuilder,
    exact: KeyTableBuilder,
    ids: KeyTableBuilder,
    n_words: u64,
    /// Documents whose code was lexed.
    n_code_docs: u32,
}

/// A segment whose files are durable but which no manifest names yet.
#[derive(Debug)]
pub struct FinishedSegment {
    /// Its folder.
    pub(super) dir: PathBuf,
    /// What the manifest will say; the name is given at the commit.
    pub(super) entry: SegmentEntry,
    /// Documents whose id an earlier one has.
    pub n_duplicates: u64,
    /// One of them, with the earlier one.
    pub duplicate: Option<Duplicate>,
    /// Which of them do not become part of the index.
    pub(super) dropped: Tombstones,
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
    /// Starts a segment in `dir`, which must be empty. `memory_bytes` is the memory of the whole build, see [`MemoryPlan`].
    pub(super) fn create(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        profile: Profile,
        memory_bytes: usize,
    ) -> Result<Self> {
        let plan = MemoryPlan::new(memory_bytes);
        storage.create_dir(&dir)?;
        let spill = |name, memory_bytes: usize| Spill::new(dir.clone(), name, memory_bytes / RECORD_BYTES);
        let path = |component: Component| dir.join(component.name());
        let of_positions = |name, memory_bytes| match profile {
            Profile::Full => Some(KeyTableBuilder::new(spill(name, memory_bytes), POSITION_VALUE_BITS)),
            Profile::Dedup => None,
        };
        let tables = Tables {
            documents: DocumentsWriter::create(&*storage, &path(Component::Documents))?,
            text: TextWriter::create(&*storage, &path(Component::Text))?,
            anchors: of_positions("anchors", plan.anchors_bytes()),
            lexemes: of_positions("lexemes", plan.lexemes_bytes()),
            units: of_positions("units", plan.units_bytes()),
            bands: KeyTableBuilder::new(spill("bands", plan.bands_bytes()), DOC_VALUE_BITS),
            exact: KeyTableBuilder::new(spill("exact", plan.one_each_bytes()), DOC_VALUE_BITS),
            // Every document must be found by its id, however many versions of it there were.
            ids: KeyTableBuilder::uncapped(spill("ids", plan.one_each_bytes()), DOC_VALUE_BITS),
            n_words: 0,
            n_code_docs: 0,
            storage: Arc::clone(&storage),
        };
        let catalog = CatalogWriter::create(&storage, &dir, plan.catalog_bytes())?;
        Ok(Self { storage, dir, catalog, tables })
    }

    /// Returns the number of documents so far.
    pub fn n_docs(&self) -> u32 {
        self.tables.documents.n_docs()
    }

    /// Adds the next document.
    ///
    /// # Errors
    /// [`Error::Argument`] where the segment is full; start another one.
    pub fn add(&mut self, prepared: &Prepared) -> Result<DocIdx> {
        let doc = DocIdx(self.n_docs());
        self.add_all(std::slice::from_ref(prepared))?;
        Ok(doc)
    }

    /// Adds the next documents. Catalogue, texts and tables are written side by side, on the rayon pool of the caller.
    ///
    /// # Errors
    /// [`Error::Argument`] where the segment is full: nothing was added, start another one.
    pub fn add_all(&mut self, documents: &[Prepared]) -> Result<()> {
        let text_bytes: u64 = documents.iter().map(|prepared| prepared.document.text.len() as u64).sum();
        if self.tables.text.position() + text_bytes > SEGMENT_TEXT_BYTES_MAX {
            let expected = format!("at most {SEGMENT_TEXT_BYTES_MAX} bytes of text");
            return Err(Error::Argument { name: "segment", expected, found: "more".into() });
        }
        if u64::from(self.n_docs()) + documents.len() as u64 > u64::from(SEGMENT_DOCS_MAX) {
            let expected = format!("at most {SEGMENT_DOCS_MAX} documents");
            return Err(Error::Argument { name: "segment", expected, found: "more".into() });
        }
        let (catalog, tables) = (&mut self.catalog, &mut self.tables);
        let has_words = tables.anchors.is_some();
        let catalogue = |prepared: &Prepared| {
            let Document { id, attributes, .. } = &prepared.document;
            catalog.add(id, attributes, |each| {
                if has_words {
                    prepared.for_each_terms(each);
                }
            })
        };
        let (catalogued, filed) = rayon::join(
            || documents.iter().try_for_each(catalogue),
            || documents.iter().try_for_each(|prepared| tables.add(prepared)),
        );
        catalogued.and(filed)
    }

    /// Writes everything that is left and syncs the files.
    ///
    /// Of documents with the same id those that are not kept are left out of what over-cap keys store.
    pub fn finish(self, keep_duplicate: Keep) -> Result<FinishedSegment> {
        let Self { storage, dir, catalog, tables } = self;
        let storage = &*storage;
        let path = |component: Component| dir.join(component.name());
        let Tables { documents, text, anchors, lexemes, units, bands, exact, ids, n_words, n_code_docs, .. } = tables;
        // A corpus of prose has no tables of code.
        let [lexemes, units] = [lexemes, units].map(|table| table.filter(|_| n_code_docs > 0));
        let (n_docs, text_bytes) = (documents.n_docs(), text.position());
        let open = |component: Component, seal: Seal| BlockFile::open(storage, &path(component), component, seal);
        let mut files: BTreeMap<String, Seal> = BTreeMap::new();

        let write_tables =
            |dropped: &Tombstones,
             seal: Seal,
             [anchors, lexemes, units, bands, exact]: [Option<KeyTableBuilder>; 5]| {
                let documents = Documents::open(open(Component::Documents, seal)?, n_docs)?;
                let write = |table: Option<KeyTableBuilder>, component: Component| {
                    table
                        .map(|table| write_table(table, storage, &path(component), component, &documents, dropped))
                        .transpose()
                };
                // Each side ends with its first error, so that what is told is what failed and not what failed because of it.
                let (left, right) = rayon::join(
                    || Ok::<_, Error>([write(anchors, Component::Anchors)?, write(units, Component::Units)?]),
                    || {
                        let lexemes = write(lexemes, Component::Lexemes)?;
                        Ok::<_, Error>([lexemes, write(bands, Component::Bands)?, write(exact, Component::Exact)?])
                    },
                );
                let ([anchors, units], [lexemes, bands, exact]) = (left?, right?);
                Ok::<_, Error>([anchors, lexemes, units, bands, exact])
            };
        // The catalogue's words are merged by one thread. What is done beside it does not need it, unless ids come twice: then it has to
        // tell which documents do not count.
        let (catalog_seal, others) = rayon::join(
            || catalog.finish(&path(Component::Catalog)),
            || {
                let tables = [anchors, lexemes, units, Some(bands), Some(exact)];
                let (documents, text) = (documents.finish()?, text.finish()?);
                // Uncapped, so that nothing has to be known about the documents.
                let ids_seal = ids.finish(storage, &path(Component::Ids), Component::Ids, &mut |_| Ok(None))?;
                let ids = KeyTable::open(open(Component::Ids, ids_seal)?)?;
                let tables = if ids.has_pairs()? {
                    Err(tables)
                } else {
                    Ok(write_tables(&Tombstones::none(n_docs), documents, tables)?)
                };
                Ok::<_, Error>((documents, text, ids_seal, ids, tables))
            },
        );
        let (catalog_seal, (documents_seal, text_seal, ids_seal, ids, tables)) = (catalog_seal?, others?);
        let mut duplicates = Duplicates { n: 0, first: None, dropped: Tombstones::none(n_docs) };
        let [anchors_seal, lexemes_seal, units_seal, bands_seal, exact_seal] = match tables {
            Ok(seals) => seals,
            Err(tables) => {
                let catalog = Catalog::open(open(Component::Catalog, catalog_seal)?, n_docs)?;
                duplicates = find_duplicates(&catalog, &ids, n_docs, keep_duplicate)?;
                write_tables(&duplicates.dropped, documents_seal, tables)?
            }
        };
        for (component, seal) in [
            (Component::Catalog, Some(catalog_seal)),
            (Component::Documents, Some(documents_seal)),
            (Component::Text, Some(text_seal)),
            (Component::Ids, Some(ids_seal)),
            (Component::Anchors, anchors_seal),
            (Component::Lexemes, lexemes_seal),
            (Component::Units, units_seal),
            (Component::Bands, bands_seal),
            (Component::Exact, exact_seal),
        ] {
            files.extend(seal.map(|seal| (component.name().to_owned(), seal)));
        }
        storage.sync_dir(&dir)?;
        let entry = SegmentEntry { name: String::new(), n_docs, n_words, text_bytes, files, tombstones: None };
        let Duplicates { n: n_duplicates, first: duplicate, dropped } = duplicates;
        Ok(FinishedSegment { dir, entry, n_duplicates, duplicate, dropped })
    }
}

impl Tables {
    fn add(&mut self, prepared: &Prepared) -> Result<()> {
        let storage = &*self.storage;
        let text_start = self.text.position();
        let text_bytes = u32::try_from(prepared.document.text.len()).unwrap_or(u32::MAX);
        let Prepared { language, origin, n_words, row_hash, .. } = *prepared;
        let doc = self.documents.add(text_bytes, language, origin, n_words, row_hash)?;
        self.text.add(&prepared.document.text)?;
        let of_positions = [
            (&mut self.anchors, &prepared.anchors),
            (&mut self.lexemes, &prepared.lexemes),
            (&mut self.units, &prepared.units),
        ];
        for (table, postings) in of_positions {
            let Some(table) = table else { continue };
            for &(key, offset) in postings {
                table.push(storage, key, text_start + u64::from(offset))?;
            }
        }
        self.n_code_docs += u32::from(prepared.is_lexed);
        for &key in &prepared.bands {
            self.bands.push(storage, key, u64::from(doc.0))?;
        }
        if let Some(key) = prepared.exact {
            self.exact.push(storage, key, u64::from(doc.0))?;
        }
        self.ids.push(storage, prepared.id, u64::from(doc.0))?;
        self.n_words += u64::from(prepared.n_words);
        Ok(())
    }
}

/// Writes a table whose values are positions of the text (anchors, lexemes, units) or documents.
fn write_table(
    table: KeyTableBuilder,
    storage: &dyn Storage,
    path: &Path,
    component: Component,
    documents: &Documents,
    dropped: &Tombstones,
) -> Result<Seal> {
    let of_doc = |doc: DocIdx| {
        let record = if dropped.is_removed(doc) { None } else { Some(documents.get(doc)?) };
        Ok(record.map(|record| (doc.0, record.origin)))
    };
    if !matches!(component, Component::Anchors | Component::Lexemes | Component::Units) {
        let mut of_value = |doc: u64| of_doc(DocIdx(u32::try_from(doc).unwrap_or(u32::MAX)));
        return table.finish(storage, path, component, &mut of_value);
    }
    let (mut text, mut answer) = (0..0, None);
    // Positions of one key ascend, so that those of a document come together.
    let mut of_position = |position: u64| {
        if !text.contains(&position) {
            let doc = documents.at(position)?;
            (text, answer) = (documents.get(doc)?.text, of_doc(doc)?);
        }
        Ok(answer)
    };
    table.finish(storage, path, component, &mut of_position)
}

/// Documents of a segment whose id an earlier one has.
struct Duplicates {
    n: u64,
    first: Option<Duplicate>,
    dropped: Tombstones,
}

/// Finds documents with the same id. Two ids whose hashes are equal need not be equal: the catalogue has both.
fn find_duplicates(catalog: &Catalog, ids: &KeyTable, n_docs: u32, keep: Keep) -> Result<Duplicates> {
    let mut duplicates = Duplicates { n: 0, first: None, dropped: Tombstones::none(n_docs) };
    let id_of = |doc: DocIdx| catalog.document(doc).map(|(id, _)| id);
    // The ids of the documents that have the same hash, and the last document of each: nearly always one, since it is the same id.
    let mut last_of: BTreeMap<String, DocIdx> = BTreeMap::new();
    let mut last = None;
    ids.for_each_pair(|earlier, later| {
        let doc = |value: u64| DocIdx(u32::try_from(value).unwrap_or(u32::MAX));
        let (earlier, later) = (doc(earlier), doc(later));
        // The later one of a pair is the earlier one of the next within a hash.
        if last != Some(earlier) {
            last_of.clear();
            last_of.insert(id_of(earlier)?, earlier);
        }
        last = Some(later);
        let id = id_of(later)?;
        if let Some(&earlier) = last_of.get(&id) {
            duplicates.n += 1;
            duplicates.dropped.remove(if keep == Keep::First { later } else { earlier });
            duplicates.first.get_or_insert_with(|| Duplicate { earlier, later, id: id.clone() });
        }
        last_of.insert(id, later);
        Ok(())
    })?;
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

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;
    use crate::corpus::Attributes;
    use crate::ids::Key;

    /// Makes documents with these ids and hashes of ids; finds those that are dropped.
    fn check(documents: &[(&str, u64)], keep: Keep, dropped: &[u32], first: Option<(u32, u32)>) {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let mut catalog = CatalogWriter::create(&storage, Path::new("tmp"), 1 << 20).unwrap();
        let mut ids = KeyTableBuilder::uncapped(Spill::new("tmp".into(), "ids", 100), DOC_VALUE_BITS);
        for (doc, &(id, key)) in (0..).zip(documents) {
            catalog.add(id, &Attributes::default(), |_| {}).unwrap();
            ids.push(&*storage, Key(key), doc).unwrap();
        }
        let n_docs = u32::try_from(documents.len()).unwrap();
        let open = |name: &str, component, seal| BlockFile::open(&*storage, Path::new(name), component, seal).unwrap();
        let seal = catalog.finish(Path::new("catalog")).unwrap();
        let catalog = Catalog::open(open("catalog", Component::Catalog, seal), n_docs).unwrap();
        let seal = ids.finish(&*storage, Path::new("ids"), Component::Ids, &mut |_| Ok(None)).unwrap();
        let ids = KeyTable::open(open("ids", Component::Ids, seal)).unwrap();
        let found = find_duplicates(&catalog, &ids, n_docs, keep).unwrap();
        let found_dropped: Vec<u32> = (0..n_docs).filter(|&doc| found.dropped.is_removed(DocIdx(doc))).collect();
        assert_eq!((&found_dropped[..], found.n), (dropped, dropped.len() as u64), "{documents:?}, {keep:?}");
        assert_eq!(found.first.map(|found| (found.earlier.0, found.later.0)), first, "{documents:?}, {keep:?}");
    }

    #[test]
    fn ids_that_come_again_are_found_whatever_other_ids_have_their_hash() {
        for (documents, of_first, of_last, first) in [
            (&[("a", 1), ("b", 2)][..], &[][..], &[][..], None),
            (&[("a", 1), ("b", 1)], &[], &[], None),
            (&[("a", 1), ("a", 1)], &[1], &[0], Some((0, 1))),
            (&[("a", 1), ("b", 1), ("a", 1)], &[2], &[0], Some((0, 2))),
            (&[("a", 1), ("b", 1), ("a", 1), ("b", 1), ("a", 1)], &[2, 3, 4], &[0, 1, 2], Some((0, 2))),
            (&[("a", 1), ("a", 1), ("c", 3), ("c", 3), ("d", 3), ("c", 3)], &[1, 3, 5], &[0, 2, 3], Some((0, 1))),
        ] {
            check(documents, Keep::First, of_first, first);
            check(documents, Keep::Last, of_last, first);
        }
    }
}
