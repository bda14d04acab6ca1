//! Removal: which documents leave an index, and what must be retrained without them.
//!
//! A removal is a commit of tombstones: from then on no check sees the documents. Their text goes with the next [`merge`](crate::merge).

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::ids::{DocIdx, Generation, Key};
use crate::index::catalog::AttributeField;
use crate::index::snapshot::Index;
use crate::index::writer::IndexWriter;

/// Which documents are to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those of a training shard.
    Shard(String),
    /// Those of an origin.
    Origin(String),
}

/// The documents that a selection names in one snapshot of an index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Place of each document's segment, and its own in there; ascending, each once.
    pub documents: Vec<(usize, DocIdx)>,
    /// What names no document: ids as they were given, each once; or the shard or origin.
    pub not_found: Vec<String>,
    /// How many of the documents each training shard has, by name; the empty name is that of documents without one.
    pub shards: BTreeMap<String, u64>,
    /// Length of their text, in bytes.
    pub text_bytes: u64,
}

/// Finds the documents that a selection names.
///
/// Cost: a lookup and a read of the catalogue for each id; one of all postings of the shard or origin; then a read of the catalogue for each
/// document.
///
/// # Errors
/// [`Error::Argument`] for a shard or origin without a name: "not given" is no name, and would select whatever has none.
pub fn select(index: &Index, selection: &Selection) -> Result<Selected> {
    let mut selected = Selected::default();
    match selection {
        Selection::Ids(ids) => select_ids(index, ids, &mut selected)?,
        Selection::Shard(name) => select_attribute(index, AttributeField::Shard, name, &mut selected)?,
        Selection::Origin(name) => select_attribute(index, AttributeField::Origin, name, &mut selected)?,
    }
    selected.documents.sort_unstable();
    selected.documents.dedup();
    for &(segment_idx, doc) in &selected.documents {
        let segment = &index.segments()[segment_idx];
        let text = segment.record(doc)?.text;
        selected.text_bytes += text.end - text.start;
        *selected.shards.entry(segment.attributes(doc)?.1.shard).or_default() += 1;
    }
    Ok(selected)
}

fn select_ids(index: &Index, ids: &[String], selected: &mut Selected) -> Result<()> {
    let mut ids: Vec<&String> = ids.iter().collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let key = Key(index.fingerprinter().id_key(id));
        let n_before = selected.documents.len();
        for (segment_idx, segment) in index.segments().iter().enumerate() {
            selected.documents.extend(segment.find_all(id, key)?.into_iter().map(|doc| (segment_idx, doc)));
        }
        if selected.documents.len() == n_before {
            selected.not_found.push(id.clone());
        }
    }
    Ok(())
}

fn select_attribute(index: &Index, field: AttributeField, name: &str, selected: &mut Selected) -> Result<()> {
    if name.is_empty() {
        return Err(Error::Argument { name: field.name(), expected: "a name".to_owned(), found: String::new() });
    }
    for (segment_idx, segment) in index.segments().iter().enumerate() {
        let docs = segment.catalog().documents_with(field, name)?;
        selected
            .documents
            .extend(docs.into_iter().filter(|&doc| !segment.is_removed(doc)).map(|doc| (segment_idx, doc)));
    }
    if selected.documents.is_empty() {
        selected.not_found.push(name.to_owned());
    }
    Ok(())
}

/// Removes the documents that a selection names, in one commit. Returns the generation that is then in force (the old one where no
/// document was found) and what was removed; places count in any later snapshot up to the next merge.
///
/// # Errors
/// As [`select`] and [`IndexWriter::commit`]; [`Error::NoIndex`] before the first commit.
pub fn remove(writer: &mut IndexWriter, selection: &Selection) -> Result<(Generation, Selected)> {
    let index = writer.current().ok_or_else(|| writer.no_index())?;
    let selected = select(index, selection)?;
    for &(segment_idx, doc) in &selected.documents {
        writer.remove(segment_idx, doc);
    }
    Ok((writer.commit(None)?, selected))
}
