//! From the values of a row to a document: the rules that JSON lines and Parquet share.

use std::borrow::Cow;

use super::columns::{Plan, Role};
use super::{Attributes, Document, SkipReason, language_of};
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// The value of one column in one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Cell<'a> {
    /// The row has no such column.
    #[default]
    Absent,
    /// The column is null.
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// An integer, as decimal text.
    Integer(String),
    /// A number that is no integer of 64 bits. It fills no role: as an id it would have lost its last digits, and two documents would become one.
    Fraction(Fraction),
    /// A list of texts.
    List(Vec<Cow<'a, str>>),
    /// Anything else; what it is, with its article: `an object`.
    Unusable(&'static str),
    /// Bytes that are not UTF-8; the offset of the first wrong one within the value.
    #[cfg_attr(
        not(any(feature = "parquet", test)),
        expect(dead_code, reason = "a line of JSON is checked as a whole, only Parquet has bytes per value")
    )]
    InvalidUtf8(u64),
}

/// A number that is no integer of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction(u64);

impl Fraction {
    pub(super) fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    pub(super) fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Cell<'_> {
    /// Tells whether the row gives a value.
    pub(super) fn is_given(&self) -> bool {
        !matches!(self, Self::Absent | Self::Null)
    }

    /// Tells whether the value can fill a role.
    pub(super) fn fits(&self, role: Role) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Integer(_) => role != Role::Text,
            Self::List(_) => role == Role::License,
            Self::Absent | Self::Null | Self::Fraction(_) | Self::Unusable(_) | Self::InvalidUtf8(_) => false,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Self::Absent | Self::Null => "null",
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Fraction(_) => "a fraction or a number of more than 64 bits",
            Self::List(_) => "a list",
            Self::Unusable(what) => what,
            Self::InvalidUtf8(_) => "not UTF-8",
        }
    }
}

/// Where a row stands and what applies to every row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowContext<'a> {
    /// Name of the input file: a row without an id is called `NAME:ROW`.
    pub file_name: &'a str,
    /// One-based number of the row.
    pub row: u64,
    /// Shard of documents for which no column gives one.
    pub shard: &'a str,
    /// Longest text, in bytes.
    pub document_bytes_max: u32,
}

/// Makes a document of a row. `cells` are the values of the plan's columns, by slot; the text is moved out of them.
///
/// A value of the wrong type is an error of the row where the caller named the column, and for text and id; any other
/// column, which was only guessed, is then passed over. Null and "unknown" licences count as not given.
pub(super) fn assemble(
    plan: &Plan,
    cells: &mut [Cell<'_>],
    context: RowContext<'_>,
) -> Result<Box<Document>, SkipReason> {
    let path = find_value(plan, cells, Role::Path)?.map(|(_, path)| path.into_owned());
    let given = find_value(plan, cells, Role::Language)?.map(|(_, given)| given.into_owned());
    let (mut document, _) = assemble_without_language(plan, cells, context)?;
    let language = language_of(given.as_deref(), path.as_deref(), &document.text);
    language.name().clone_into(&mut document.attributes.language);
    Ok(document)
}

/// As [`assemble`], but the document's language is as the row gives it, or empty: telling it from the text costs as much as all the rest. Returns the
/// slot of the text too.
pub(super) fn assemble_without_language(
    plan: &Plan,
    cells: &mut [Cell<'_>],
    context: RowContext<'_>,
) -> Result<(Box<Document>, usize), SkipReason> {
    let text_slot = plan.role(Role::Text).slots.iter().copied().find(|&slot| cells[slot].is_given());
    let text_slot = text_slot.ok_or(SkipReason::NoText)?;
    check_text(&plan.names()[text_slot], &cells[text_slot], context.document_bytes_max)?;
    let id = match find_value(plan, cells, Role::Id)? {
        Some((name, id)) if id.is_empty() => return Err(malformed(name, "is empty", "an id")),
        Some((_, id)) => id.into_owned(),
        None => format!("{}:{}", context.file_name, context.row),
    };
    let value = |role| find_value(plan, cells, role).map(|found| found.map(|(_, value)| value));
    let path = value(Role::Path)?;
    let given = value(Role::Language)?;
    let attributes = Attributes {
        uri: value(Role::Uri)?.or(path).unwrap_or_default().into_owned(),
        license: value(Role::License)?.unwrap_or_default().into_owned(),
        origin: value(Role::Origin)?.unwrap_or_default().into_owned(),
        shard: value(Role::Shard)?.map_or_else(|| context.shard.to_owned(), Cow::into_owned),
        language: given.map(Cow::into_owned).unwrap_or_default(),
    };
    match std::mem::take(&mut cells[text_slot]) {
        Cell::Text(text) => Ok((Box::new(Document { id, text: text.into_owned(), attributes }), text_slot)),
        other => Err(malformed(&plan.names()[text_slot], &format!("is {}", other.describe()), "text")),
    }
}

/// Tells whether a licence as given says nothing.
pub(super) fn is_unknown_license(license: &str) -> bool {
    let license = license.trim();
    license.is_empty() || ["unknown", "NOASSERTION"].iter().any(|unknown| license.eq_ignore_ascii_case(unknown))
}

fn check_text(name: &str, cell: &Cell<'_>, bytes_max: u32) -> Result<(), SkipReason> {
    match cell {
        Cell::Text(text) if text.len() as u64 > u64::from(bytes_max) => {
            Err(SkipReason::TooLong { bytes: text.len() as u64, bytes_max: u64::from(bytes_max) })
        }
        Cell::Text(text) if text.trim_start().is_empty() => Err(SkipReason::EmptyText),
        Cell::Text(_) => Ok(()),
        Cell::InvalidUtf8(offset) => Err(SkipReason::InvalidUtf8(*offset)),
        other => Err(malformed(name, &format!("is {}", other.describe()), "text")),
    }
}

/// Finds the first column of a role that the row gives a value for. Only an id may be an empty text: it is refused by
/// the caller.
fn find_value<'p, 'c>(
    plan: &'p Plan,
    cells: &'c [Cell<'_>],
    role: Role,
) -> Result<Option<(&'p str, Cow<'c, str>)>, SkipReason> {
    let columns = plan.role(role);
    for &slot in &columns.slots {
        let name = plan.names()[slot].as_str();
        let value = match &cells[slot] {
            Cell::Absent | Cell::Null => continue,
            Cell::Text(text) => Cow::Borrowed(text.as_ref()),
            Cell::Integer(decimal) => Cow::Borrowed(decimal.as_str()),
            Cell::List(items) if role == Role::License => Cow::Owned(join_licenses(items)),
            Cell::InvalidUtf8(offset) => return Err(SkipReason::InvalidUtf8(*offset)),
            // An id of another type is never passed over: the document would go by a name that nobody gave it.
            other if columns.is_asked || role == Role::Id => {
                return Err(malformed(name, &format!("is {}", other.describe()), "text or a whole number"));
            }
            _ => continue,
        };
        if value.len() > ATTRIBUTE_BYTES_MAX {
            let found = format!("has {} bytes", value.len());
            return Err(malformed(name, &found, &format!("at most {ATTRIBUTE_BYTES_MAX}")));
        }
        let says_nothing = match role {
            Role::License => is_unknown_license(&value),
            Role::Id => false,
            _ => value.is_empty(),
        };
        if !says_nothing {
            return Ok(Some((name, value)));
        }
    }
    Ok(None)
}

/// Joins licences of which any may be chosen, as an SPDX expression does.
fn join_licenses(licenses: &[Cow<'_, str>]) -> String {
    let known: Vec<&str> = licenses.iter().map(|item| item.trim()).filter(|item| !is_unknown_license(item)).collect();
    known.join(" OR ")
}

fn malformed(name: &str, found: &str, expected: &str) -> SkipReason {
    SkipReason::Malformed(format!("column `{name}` {found}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::super::columns::{ColumnOptions, Columns};
    use super::*;

    const CONTEXT: RowContext<'static> =
        RowContext { file_name: "a.jsonl", row: 7, shard: "s0", document_bytes_max: 20 };

    fn text(value: &str) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(value))
    }

    fn row(values: &[(&str, Cell<'static>)], options: &ColumnOptions) -> Result<Document, SkipReason> {
        let plan = Plan::new(options);
        let mut cells = vec![Cell::Absent; plan.names().len()];
        for (name, value) in values {
            let slot = plan.names().iter().position(|known| known == name).expect("a known column");
            cells[slot] = value.clone();
        }
        assemble(&plan, &mut cells, CONTEXT).map(|document| *document)
    }

    #[test]
    fn rows_that_cannot_be_used_say_why() {
        let long = "x".repeat(ATTRIBUTE_BYTES_MAX + 1);
        let asked = ColumnOptions { origin: Columns::parse("source").ok(), ..ColumnOptions::default() };
        for (values, expected) in [
            (vec![], SkipReason::NoText),
            (vec![("text", Cell::Null)], SkipReason::NoText),
            (vec![("text", text(""))], SkipReason::EmptyText),
            (vec![("text", text(" \n\u{a0}\t"))], SkipReason::EmptyText),
            (vec![("text", text("0123456789012345678901"))], SkipReason::TooLong { bytes: 22, bytes_max: 20 }),
            (
                vec![("text", Cell::Integer("7".into()))],
                SkipReason::Malformed("column `text` is a number: expected text".into()),
            ),
            (vec![("text", Cell::InvalidUtf8(3))], SkipReason::InvalidUtf8(3)),
            (
                vec![("text", text("x")), ("id", Cell::Unusable("an object"))],
                SkipReason::Malformed("column `id` is an object: expected text or a whole number".into()),
            ),
            (
                vec![("text", text("x")), ("id", text(""))],
                SkipReason::Malformed("column `id` is empty: expected an id".into()),
            ),
            (
                vec![("text", text("x")), ("url", Cell::Text(long.into()))],
                SkipReason::Malformed("column `url` has 4097 bytes: expected at most 4096".into()),
            ),
            (
                vec![("text", text("x")), ("source", Cell::Unusable("an object"))],
                SkipReason::Malformed("column `source` is an object: expected text or a whole number".into()),
            ),
        ] {
            assert_eq!(row(&values, &asked).expect_err("not usable"), expected);
        }
    }

    #[test]
    fn guessed_columns_of_another_type_are_passed_over() {
        let values = [("text", text("x")), ("source", Cell::Unusable("an object")), ("metadata.package", text("p"))];
        let document = row(&values, &ColumnOptions::default()).expect("usable");
        assert_eq!(document.attributes.origin, "p");
    }

    #[test]
    fn ids_and_shards_have_defaults() {
        let document = row(&[("text", text("x"))], &ColumnOptions::default()).expect("usable");
        assert_eq!((document.id.as_str(), document.attributes.shard.as_str()), ("a.jsonl:7", "s0"));
        let values = [("text", text("x")), ("id", Cell::Integer("-12".into())), ("shard", text("s1"))];
        let document = row(&values, &ColumnOptions::default()).expect("usable");
        assert_eq!((document.id.as_str(), document.attributes.shard.as_str()), ("-12", "s1"));
    }

    #[test]
    fn licenses_are_joined_and_unknown_ones_are_empty() {
        let list = |items: &[&'static str]| Cell::List(items.iter().map(|&item| Cow::Borrowed(item)).collect());
        for (license, licenses, expected) in [
            (text("MIT"), Cell::Absent, "MIT"),
            (text("unknown"), Cell::Absent, ""),
            (text("NOASSERTION"), list(&["ISC"]), "ISC"),
            (Cell::Null, list(&["MIT", "Apache-2.0"]), "MIT OR Apache-2.0"),
            (Cell::Null, list(&["Unknown", "MIT", ""]), "MIT"),
            (Cell::Null, list(&[]), ""),
        ] {
            let values = [("text", text("x")), ("license", license), ("licenses", licenses)];
            let document = row(&values, &ColumnOptions::default()).expect("usable");
            assert_eq!(document.attributes.license, expected);
        }
    }

    #[test]
    fn a_path_tells_the_language_and_stands_in_for_the_uri() {
        let values = [("text", text("x")), ("path", text("src/a.py")), ("language", text("en"))];
        let document = row(&values, &ColumnOptions::default()).expect("usable");
        assert_eq!((document.attributes.uri.as_str(), document.attributes.language.as_str()), ("src/a.py", "python"));
        let values = [("text", text("x")), ("url", text("https://moon.py")), ("lang", text("Rust"))];
        let document = row(&values, &ColumnOptions::default()).expect("usable");
        assert_eq!(
            (document.attributes.uri.as_str(), document.attributes.language.as_str()),
            ("https://moon.py", "rust")
        );
    }
}
