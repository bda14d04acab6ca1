//! A document as tantivy stores it.

use tantivy::Document;
use tantivy::schema::Field;
use tantivy::schema::document::{DeserializeError, DocumentDeserialize, DocumentDeserializer};

use super::schema::{AttributeField, URI, field};
use crate::corpus::Attributes;

/// Id and attributes of a document.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) attributes: Attributes,
}

impl Entry {
    /// Returns all values with their fields' names and numbers.
    pub(super) fn values(&self) -> [(&'static str, u8, &str); 6] {
        let Attributes { uri, license, origin, shard, language } = &self.attributes;
        let value = |attribute: AttributeField, value| (attribute.name(), attribute.number(), value);
        [
            value(AttributeField::Id, self.id.as_str()),
            value(AttributeField::License, license),
            value(AttributeField::Origin, origin),
            value(AttributeField::Shard, shard),
            value(AttributeField::Language, language),
            ("uri", URI, uri),
        ]
    }
}

impl Document for Entry {
    type Value<'a> = &'a str;
    type FieldsValuesIter<'a> = std::vec::IntoIter<(Field, &'a str)>;

    /// An empty value is one that was not given.
    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let given = self.values().into_iter().filter(|(_, _, value)| !value.is_empty());
        given.map(|(_, number, value)| (field(number), value)).collect::<Vec<_>>().into_iter()
    }
}

impl DocumentDeserialize for Entry {
    fn deserialize<'de, D: DocumentDeserializer<'de>>(mut deserializer: D) -> Result<Self, DeserializeError> {
        let mut entry = Self::default();
        while let Some((field, value)) = deserializer.next_field::<String>()? {
            let Attributes { uri, license, origin, shard, language } = &mut entry.attributes;
            let slot = match field.field_id() {
                0 => &mut entry.id,
                1 => license,
                2 => origin,
                3 => shard,
                4 => language,
                6 => uri,
                other => return Err(DeserializeError::custom(format!("field {other} is stored"))),
            };
            *slot = value;
        }
        Ok(entry)
    }
}
