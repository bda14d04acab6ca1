//! The columns of a Parquet file as users name them: `metadata.license`, not `metadata.licenses.list.element`.

use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::schema::types::{SchemaDescriptor, Type};

/// A column that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name, dotted.
    pub name: String,
    /// How many names of the schema it is made of: fewer where a name contains dots itself.
    pub n_parts: usize,
    /// What it holds.
    pub kind: Kind,
    /// Index of its leaf among the file's leaves; of the first, if it has several.
    pub leaf_idx: usize,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// One text, or bytes that may be one.
    Text,
    /// One integer of 32 bits.
    Int32 {
        /// Whether it has a sign.
        is_signed: bool,
    },
    /// One integer of 64 bits.
    Int64 {
        /// Whether it has a sign.
        is_signed: bool,
    },
    /// One number of 32 bits with a fraction.
    Float,
    /// One number of 64 bits with a fraction.
    Double,
    /// A list of texts.
    Texts,
    /// Something else, as the message names it.
    Other(String),
}

/// Lists the columns of a file in its own order.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut leaf_idx = 0;
    // The footer check bounds depth and size. Pushed in reverse, so that they are popped in order.
    let mut todo: Vec<(String, usize, &Type)> = schema
        .root_schema()
        .get_fields()
        .iter()
        .rev()
        .map(|field| (field.name().to_owned(), 1, field.as_ref()))
        .collect();
    while let Some((name, n_parts, field)) = todo.pop() {
        let is_repeated = is_repeated(field);
        if field.is_group() && !is_repeated && !holds_list(field) {
            for inner in field.get_fields().iter().rev() {
                todo.push((format!("{name}.{}", inner.name()), n_parts + 1, inner));
            }
            continue;
        }
        let kind = match (field.is_group() || is_repeated, list_element(field)) {
            (false, _) => kind_of(field),
            (true, Some(element)) if kind_of(element) == Kind::Text => Kind::Texts,
            (true, Some(element)) => Kind::Other(format!("a list of {}", describe(element))),
            (true, None) => Kind::Other("a list or map of groups".to_owned()),
        };
        columns.push(Column { name, n_parts, kind, leaf_idx });
        leaf_idx += count_leaves(field);
    }
    columns
}

/// Finds a column by name. One whose own name contains the dots wins over a nested one.
pub(super) fn find<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
    columns.iter().filter(|column| column.name == name).min_by_key(|column| column.n_parts)
}

fn is_repeated(field: &Type) -> bool {
    field.get_basic_info().has_repetition() && field.get_basic_info().repetition() == Repetition::REPEATED
}

/// Tells whether a group is the outer part of a list or map: its only member is repeated.
fn holds_list(group: &Type) -> bool {
    matches!(group.get_fields(), [inner] if is_repeated(inner))
}

/// Finds the one primitive value that a list holds: `repeated x`, `group { repeated x }` or `group { repeated group { x
/// } }`.
fn list_element(field: &Type) -> Option<&Type> {
    let mut element = field;
    let mut n_repeated = u32::from(is_repeated(field));
    while element.is_group() {
        let [inner] = element.get_fields() else { return None };
        n_repeated += u32::from(is_repeated(inner));
        element = inner;
    }
    (n_repeated == 1).then_some(element)
}

fn kind_of(field: &Type) -> Kind {
    if field.is_group() {
        return Kind::Other("a group".to_owned());
    }
    let info = field.get_basic_info();
    let is_signed = !matches!(info.logical_type_ref(), Some(LogicalType::Integer(int)) if !int.is_signed);
    match (field.get_physical_type(), info.logical_type_ref()) {
        (PhysicalType::BYTE_ARRAY, _) => Kind::Text,
        (PhysicalType::INT32, None | Some(LogicalType::Integer(_))) => Kind::Int32 { is_signed },
        (PhysicalType::INT64, None | Some(LogicalType::Integer(_))) => Kind::Int64 { is_signed },
        (PhysicalType::FLOAT, None) => Kind::Float,
        (PhysicalType::DOUBLE, None) => Kind::Double,
        _ => Kind::Other(describe(field)),
    }
}

fn describe(field: &Type) -> String {
    if field.is_group() { "groups".to_owned() } else { format!("{} values", field.get_physical_type()) }
}

fn count_leaves(field: &Type) -> usize {
    let mut n_leaves = 0;
    let mut todo = vec![field];
    while let Some(field) = todo.pop() {
        if field.is_group() {
            todo.extend(field.get_fields().iter().map(AsRef::as_ref));
        } else {
            n_leaves += 1;
        }
    }
    n_leaves
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn columns_are_named_as_users_name_them() {
        let schema = "message m {
            optional binary text (STRING);
            optional group metadata {
                optional binary license (STRING);
                optional group licenses (LIST) { repeated group list { optional binary element (STRING); } }
                optional group old (LIST) { repeated binary array (STRING); }
                required int64 n (INTEGER(64,false));
            }
            repeated binary tags (STRING);
            optional group turns (LIST) { repeated group list { optional group element {
                optional binary role (STRING); optional binary content (STRING); } } }
            optional group numbers (LIST) { repeated group list { optional int32 element; } }
            optional group nested (LIST) { repeated group list { optional group element (LIST) {
                repeated group list { optional binary element (STRING); } } } }
            optional group map (MAP) { repeated group key_value { required binary key (STRING); optional int32 value; } }
            optional double score;
            required int32 id;
            optional int64 day (TIMESTAMP(MILLIS,true));
            optional binary metadata.license (STRING);
        }";
        let schema = SchemaDescriptor::new(Arc::new(parse_message_type(schema).expect("a schema")));
        let other = |what: &str| Kind::Other(what.to_owned());
        let expected = [
            ("text", 0, Kind::Text),
            ("metadata.license", 1, Kind::Text),
            ("metadata.licenses", 2, Kind::Texts),
            ("metadata.old", 3, Kind::Texts),
            ("metadata.n", 4, Kind::Int64 { is_signed: false }),
            ("tags", 5, Kind::Texts),
            ("turns", 6, other("a list or map of groups")),
            ("numbers", 8, other("a list of INT32 values")),
            ("nested", 9, other("a list or map of groups")),
            ("map", 10, other("a list or map of groups")),
            ("score", 12, Kind::Double),
            ("id", 13, Kind::Int32 { is_signed: true }),
            ("day", 14, other("INT64 values")),
            ("metadata.license", 15, Kind::Text),
        ];
        let found = columns(&schema);
        let shown: Vec<_> =
            found.iter().map(|column| (column.name.as_str(), column.leaf_idx, column.kind.clone())).collect();
        assert_eq!(shown, expected);
        assert_eq!(find(&found, "metadata.license").map(|column| column.leaf_idx), Some(15));
        assert_eq!(find(&found, "metadata"), None);
    }
}
