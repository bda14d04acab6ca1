//! Takes the wanted columns out of a JSON object without building the rest of it.
//!
//! The wanted names are compiled into a tree of keys, which the parser walks along with the object. What is not wanted
//! is skipped over; texts without escapes are borrowed from the line. Cost: one pass, one allocation per row beside its
//! values.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cells::{Cell, Fraction};
use super::columns::LISTED_NAMES_MAX;

/// Most items of a list that are kept; only lists of licences are of use.
const LIST_ITEMS_MAX: usize = 1024;

/// Longest part of a column's name that a message shows, in characters. Keys are chosen by whoever wrote the file.
const NAME_CHARS_MAX: usize = 80;

/// Deepest nesting that a message follows.
const NAME_DEPTH_MAX: usize = 8;

/// The wanted columns, prepared for parsing.
#[derive(Debug, Clone)]
pub(super) struct Extractor {
    root: Node,
    n_slots: usize,
}

/// The wanted keys of one object.
#[derive(Debug, Clone, Default)]
struct Node {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    key: String,
    /// The column that ends here.
    column: Option<Column>,
    /// The wanted keys of the object that stands here.
    inner: Node,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    slot: usize,
    /// Smaller is better: 0 is the whole name as one key, and every dot that is taken as nesting adds more, the first
    /// dot most.
    rank: u32,
}

impl Extractor {
    /// Prepares the extraction of columns; the index of each is its slot.
    pub(super) fn new(names: &[String]) -> Self {
        let mut root = Node::default();
        for (slot, name) in names.iter().enumerate() {
            let parts: Vec<&str> = name.split('.').collect();
            let n_dots = parts.len() - 1;
            for rank in 0..1_u32 << n_dots {
                let is_nesting = |dot_idx: usize| rank >> (n_dots - 1 - dot_idx) & 1 == 1;
                let mut keys = vec![parts[0].to_owned()];
                for (dot_idx, part) in parts[1..].iter().enumerate() {
                    match keys.last_mut() {
                        Some(key) if !is_nesting(dot_idx) => key.extend([".", part]),
                        _ => keys.push((*part).to_owned()),
                    }
                }
                root.insert(&keys, Column { slot, rank });
            }
        }
        Self { root, n_slots: names.len() }
    }

    /// Parses one row and returns the values of the columns, by slot. Of a key that occurs twice the last value counts.
    ///
    /// # Errors
    /// What is wrong with the row and where; never its text.
    pub(super) fn extract<'de>(&self, line: &'de str) -> Result<Vec<Cell<'de>>, String> {
        let mut row = Row { cells: vec![Cell::Absent; self.n_slots], ranks: vec![u32::MAX; self.n_slots] };
        parse_object(line, ObjectVisitor { node: &self.root, row: &mut row })?;
        Ok(row.cells)
    }

    /// Returns where the value of a column stands in a row, as it is written there; `None` where the row has none or is no object.
    pub(super) fn locate(&self, line: &str, slot: usize) -> Option<Range<usize>> {
        let mut place = Place { slot, rank: u32::MAX, line_start: line.as_ptr().addr(), range: None };
        parse_object(line, PlaceVisitor { node: &self.root, place: &mut place }).ok()?;
        place.range
    }
}

impl Node {
    fn insert(&mut self, keys: &[String], column: Column) {
        let [key, inner @ ..] = keys else { return };
        let idx = self.entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            self.entries.push(Entry { key: key.clone(), column: None, inner: Self::default() });
            self.entries.len() - 1
        });
        if inner.is_empty() {
            self.entries[idx].column = Some(column);
        } else {
            self.entries[idx].inner.insert(inner, column);
        }
    }
}

/// Adds the dotted names of a row's columns to `names`, in the order of the row, up to the number that a message lists.
pub(super) fn collect_names(line: &str, names: &mut Vec<String>) {
    // A row that breaks off half-way has added its first names, which are true all the same.
    let _: Result<(), String> = parse_object(line, NamesVisitor { prefix: "", depth: 0, names });
}

fn parse_object<'de>(line: &'de str, visitor: impl Visitor<'de, Value = ()>) -> Result<(), String> {
    if !line.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err("not a JSON object: expected one object per line".to_owned());
    }
    let mut parser = serde_json::Deserializer::from_str(line);
    // Only syntax can be wrong: the visitors take values of any type, so that the parser's message never quotes one.
    parser.deserialize_any(visitor).and_then(|()| parser.end()).map_err(|error| {
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        format!("broken JSON at byte {} of the line: {what}", error.column())
    })
}

struct Row<'de> {
    cells: Vec<Cell<'de>>,
    ranks: Vec<u32>,
}

impl<'de> Row<'de> {
    fn set(&mut self, column: Option<Column>, value: impl FnOnce() -> Cell<'de>) {
        if let Some(Column { slot, rank }) = column
            && rank <= self.ranks[slot]
        {
            self.cells[slot] = value();
            self.ranks[slot] = rank;
        }
    }
}

/// Reads an object: every wanted key into the row.
struct ObjectVisitor<'n, 'r, 'de> {
    node: &'n Node,
    row: &'r mut Row<'de>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(entry) = map.next_key_seed(KeySeed(self.node))? {
            match entry {
                Some(entry) => map.next_value_seed(ValueSeed { entry, row: self.row })?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

/// Reads a key and finds it among the wanted ones.
struct KeySeed<'n>(&'n Node);

impl<'de, 'n> DeserializeSeed<'de> for KeySeed<'n> {
    type Value = Option<&'n Entry>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for KeySeed<'n> {
    type Value = Option<&'n Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.entries.iter().find(|entry| entry.key == key))
    }
}

/// Reads the value of a wanted key, of whatever type it is.
struct ValueSeed<'n, 'r, 'de> {
    entry: &'n Entry,
    row: &'r mut Row<'de>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Null);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Unusable("a boolean"));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Integer(number.to_string()));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Integer(number.to_string()));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Fraction(Fraction::new(number)));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.row.set(self.entry.column, || Cell::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.entry.column.is_none() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut items = Some(Vec::new());
        while let Some(item) = list.next_element::<&RawValue>()?.map(RawValue::get) {
            match &mut items {
                _ if item == "null" => {}
                Some(kept) if item.starts_with('"') && kept.len() < LIST_ITEMS_MAX => {
                    let text: String = serde_json::from_str(item).map_err(|_| A::Error::custom("lone surrogate"))?;
                    kept.push(Cow::Owned(text));
                }
                _ => items = None,
            }
        }
        self.row.set(self.entry.column, || items.map_or(Cell::Unusable("a list"), Cell::List));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        ObjectVisitor { node: &self.entry.inner, row: &mut *self.row }.visit_map(map)?;
        self.row.set(self.entry.column, || Cell::Unusable("an object"));
        Ok(())
    }
}

/// Where the value of a column stands, as far as it was found.
struct Place {
    slot: usize,
    rank: u32,
    /// Address of the line, for the differences that are the places.
    line_start: usize,
    range: Option<Range<usize>>,
}

/// Looks for the value of one column.
struct PlaceVisitor<'n, 'p> {
    node: &'n Node,
    place: &'p mut Place,
}

impl<'de> Visitor<'de> for PlaceVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(entry) = map.next_key_seed(KeySeed(self.node))? {
            let Some(entry) = entry else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value::<&RawValue>()?.get();
            if let Some(Column { slot, rank }) = entry.column
                && slot == self.place.slot
                && rank <= self.place.rank
            {
                let start = value.as_ptr().addr() - self.place.line_start;
                self.place.range = Some(start..start + value.len());
                self.place.rank = rank;
            }
            if !entry.inner.entries.is_empty() {
                // What is no object has no members.
                let _: Result<(), String> = parse_object(value, PlaceVisitor { node: &entry.inner, place: self.place });
            }
        }
        Ok(())
    }
}

/// Lists the dotted names of an object's members.
struct NamesVisitor<'p, 'n> {
    prefix: &'p str,
    depth: usize,
    names: &'n mut Vec<String>,
}

impl<'de> Visitor<'de> for NamesVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            let separator = if self.depth == 0 { "" } else { "." };
            let name: String = [self.prefix, separator, &key].concat().chars().take(NAME_CHARS_MAX).collect();
            if value.get().starts_with('{') && self.depth < NAME_DEPTH_MAX {
                let inner = NamesVisitor { prefix: &name, depth: self.depth + 1, names: self.names };
                parse_object(value.get(), inner).map_err(A::Error::custom)?;
            } else if self.names.len() < LISTED_NAMES_MAX && !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extract<'a>(names: &[&str], line: &'a str) -> Result<Vec<Cell<'a>>, String> {
        Extractor::new(&names.iter().map(ToString::to_string).collect::<Vec<_>>()).extract(line)
    }

    fn text(value: &str) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(value))
    }

    #[test]
    fn values_of_every_type_are_told_apart() {
        for (value, expected) in [
            (r#""a\u0000\n\"\ud83d\ude00""#, text("a\0\n\"\u{1f600}")),
            (r#""""#, text("")),
            ("null", Cell::Null),
            ("18446744073709551615", Cell::Integer("18446744073709551615".into())),
            ("-7", Cell::Integer("-7".into())),
            ("18446744073709551616", Cell::Fraction(Fraction::new(18_446_744_073_709_551_616.0))),
            ("1.5", Cell::Fraction(Fraction::new(1.5))),
            ("true", Cell::Unusable("a boolean")),
            ("{}", Cell::Unusable("an object")),
            (r#"["a", null, "b"]"#, Cell::List(vec!["a".into(), "b".into()])),
            ("[]", Cell::List(vec![])),
            ("[1]", Cell::Unusable("a list")),
            (r#"["a", ["b"]]"#, Cell::Unusable("a list")),
        ] {
            let line = format!(r#"{{"x": [1, {{"v": 2}}], "v": {value}, "y": {{"v": "no"}}}}"#);
            assert_eq!(extract(&["v"], &line), Ok(vec![expected]), "{line}");
        }
    }

    #[test]
    fn dots_lead_into_objects_and_literal_keys_win() {
        for (line, expected) in [
            (r#"{"a":{"b":{"c":"nested"}}}"#, text("nested")),
            (r#"{"a":{"b":{"c":"nested"}},"a.b.c":"literal"}"#, text("literal")),
            (r#"{"a.b.c":"literal","a":{"b":{"c":"nested"}}}"#, text("literal")),
            (r#"{"a":{"b.c":"inner"},"a.b":{"c":"outer"}}"#, text("outer")),
            (r#"{"a.b":{"c":"outer"},"a":{"b.c":"inner","b":{"c":"nested"}}}"#, text("outer")),
            (r#"{"a":{"b":{"c":"first"}},"a":{"b":{"c":"last"}}}"#, text("last")),
            (r#"{"a":"text","b":{"c":"other"}}"#, Cell::Absent),
            (r#"{"a":[{"b":{"c":"in a list"}}]}"#, Cell::Absent),
        ] {
            assert_eq!(extract(&["a.b.c"], line), Ok(vec![expected]), "{line}");
        }
        let both = extract(&["m", "m.l"], r#"{"m":{"l":"x"}}"#);
        assert_eq!(both, Ok(vec![Cell::Unusable("an object"), text("x")]));
    }

    #[test]
    fn broken_rows_say_where_and_quote_nothing() {
        let deep = format!(r#"{{"v":{}"#, r#"{"v":"#.repeat(200));
        for (line, expected) in [
            ("", "not a JSON object: expected one object per line"),
            (r#""secret""#, "not a JSON object: expected one object per line"),
            (r#"["secret"]"#, "not a JSON object: expected one object per line"),
            (r#"{"v": "secret"#, "broken JSON at byte 13 of the line: EOF while parsing a string"),
            (r#"{"v": "secret"} {"#, "broken JSON at byte 17 of the line: trailing characters"),
            (r#"{"v": "\ud800 secret"}"#, "broken JSON at byte 14 of the line: unexpected end of hex escape"),
            (r#"{"v": ["\udc00"]}"#, "broken JSON at byte 16 of the line: lone surrogate"),
            (r#"{"v": NaN}"#, "broken JSON at byte 7 of the line: expected value"),
            (&deep, "broken JSON at byte 1005 of the line: EOF while parsing a value"),
        ] {
            let found = extract(&["v"], line).expect_err(line);
            assert_eq!(found, expected, "{line}");
            assert!(!found.contains("secret"));
        }
        let wanted = ["v"; 7].join(".");
        assert!(extract(&[&wanted], &deep).is_err());
    }

    #[test]
    fn names_are_listed_dotted_in_order_and_once() {
        let mut names = Vec::new();
        collect_names(r#"{"text":"x","metadata":{"license":"MIT","a":{"b":[{}]}},"id":1}"#, &mut names);
        collect_names(r#"{"id":2,"added":null,"metadata":{"license":"ISC","e":{}}}"#, &mut names);
        collect_names("broken", &mut names);
        assert_eq!(names, ["text", "metadata.license", "metadata.a.b", "id", "added"]);
        let wide: Vec<String> = (0..100).map(|i| format!(r#""k{i}":0"#)).collect();
        collect_names(&format!("{{{}}}", wide.join(",")), &mut names);
        assert_eq!(names.len(), LISTED_NAMES_MAX);
    }
}
