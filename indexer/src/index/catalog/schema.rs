//! The fields of a catalogue, and tantivy's handle for a segment of them.

use tantivy::index::SegmentId;
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexSettings, Segment, TantivyError};

use super::files::SegmentFiles;

/// Bytes of documents in a compressed block of the document store, about 60 documents. A look-up decompresses one
/// block: 8 KiB take 3 us, and smaller blocks compress worse.
pub(super) const STORE_BLOCK_BYTES: usize = 8 << 10;

/// Numbers of the fields that are no [`AttributeField`].
pub(super) const BODY: u8 = 5;
pub(super) const URI: u8 = 6;

/// Fields 0 to 5 have terms.
pub(super) const N_FIELDS_WITH_TERMS: u8 = 6;

/// An attribute whose exact value can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeField {
    /// The document's id.
    Id,
    /// Its licence.
    License,
    /// Its origin.
    Origin,
    /// Its training shard.
    Shard,
    /// The name of its language.
    Language,
}

impl AttributeField {
    /// All of them, in the order of their fields in the file.
    pub const ALL: [Self; 5] = [Self::Id, Self::License, Self::Origin, Self::Shard, Self::Language];

    /// Returns the name that the schema uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::License => "license",
            Self::Origin => "origin",
            Self::Shard => "shard",
            Self::Language => "language",
        }
    }

    /// Returns the number of its field.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Id => 0,
            Self::License => 1,
            Self::Origin => 2,
            Self::Shard => 3,
            Self::Language => 4,
        }
    }
}

/// Returns tantivy's name for a field.
pub(super) fn field(number: u8) -> Field {
    Field::from_field_id(u32::from(number))
}

/// Makes tantivy's handle for the one segment that `files` are, or will be.
pub(super) fn new_segment(files: &SegmentFiles, n_docs: u32) -> tantivy::Result<Segment> {
    let index = Index::create(files.clone(), schema(), IndexSettings::default())?;
    // tantivy names files after the segment; ours have no such name (see `files::name_of`), so any number will do.
    let id = SegmentId::from_uuid_string("00000000000000000000000000000000")
        .map_err(|error| TantivyError::InternalError(error.to_string()))?;
    Ok(index.segment(index.new_segment_meta(id, n_docs)))
}

/// Makes the schema: every field with its number, and what is kept of it.
pub(super) fn schema() -> Schema {
    let mut schema = Schema::builder();
    let indexed = |option| TextFieldIndexing::default().set_index_option(option);
    let value = indexed(IndexRecordOption::Basic).set_fieldnorms(false);
    let value = TextOptions::default().set_stored().set_indexing_options(value);
    for attribute in AttributeField::ALL {
        schema.add_text_field(attribute.name(), value.clone());
    }
    schema.add_text_field("body", TextOptions::default().set_indexing_options(indexed(IndexRecordOption::WithFreqs)));
    schema.add_text_field("uri", TextOptions::default().set_stored());
    schema.build()
}
