//! A document as tantivy stores it.

use tantivy::Document;
use tantivy::schema::Field;

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

impl Entry {
    /// Reads a document as tantivy stores it; `None` for what is not one of ours.
    ///
    /// tantivy would take memory for whatever length a document names, before it looks for as many bytes. Layout: number of values; each a
    /// field of 4 bytes, a type of 1 byte (0: text), its length, its bytes. Numbers without a width are LEB128 with the mark on the last byte.
    pub(super) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut entry = Self::default();
        for _ in 0..take_number(&mut bytes)? {
            let (head, rest) = bytes.split_first_chunk::<5>()?;
            bytes = rest;
            let length = usize::try_from(take_number(&mut bytes)?).ok()?;
            let (value, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            let Attributes { uri, license, origin, shard, language } = &mut entry.attributes;
            let slot = match head {
                [0, 0, 0, 0, 0] => &mut entry.id,
                [1, 0, 0, 0, 0] => license,
                [2, 0, 0, 0, 0] => origin,
                [3, 0, 0, 0, 0] => shard,
                [4, 0, 0, 0, 0] => language,
                [6, 0, 0, 0, 0] => uri,
                _ => return None,
            };
            str::from_utf8(value).ok()?.clone_into(slot);
        }
        bytes.is_empty().then_some(entry)
    }
}

/// Takes a number off the front: seven bits a byte, low ones first, the last byte marked.
fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 != 0 {
            return Some(number);
        }
    }
    None
}
