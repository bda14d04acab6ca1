//! Reads a Parquet file's footer: what it holds and where.

use std::io::{Read, Seek, SeekFrom};

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::thrift::{I32, LIST, STRUCT, Stop, Walk};

/// Longest footer, in bytes: a hundred times that of a file with 1,000 columns and 100 row groups. Decoded it takes a
/// few times as much memory.
const FOOTER_BYTES_MAX: u64 = 128 << 20;

/// Most groups and columns of a schema.
const SCHEMA_ELEMENTS_MAX: usize = 100_000;

/// Deepest nesting of a schema. The parquet crate recurses over it.
const SCHEMA_DEPTH_MAX: usize = 64;

const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";

/// Reads and checks the footer of a file of `file_bytes` bytes.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn read(mut file: &std::fs::File, file_bytes: u64) -> Result<ParquetMetaData, String> {
    // Magic, footer, its length in 4 bytes, magic.
    let Some(room) = file_bytes.checked_sub(12) else {
        return Err(format!("{file_bytes} bytes are no Parquet file: expected at least 12"));
    };
    let mut tail = [0; 8];
    read_at(&mut file, file_bytes - 8, &mut tail)?;
    let (length, magic) = tail.split_at(4);
    if magic == MAGIC_ENCRYPTED {
        return Err("the Parquet footer is encrypted: expected a file without encryption".to_owned());
    }
    if magic != MAGIC {
        return Err(
            "no Parquet file, or one that was not written to its end: expected `PAR1` in its last 4 bytes".to_owned()
        );
    }
    let length = length.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
    if length > room.min(FOOTER_BYTES_MAX) {
        return Err(format!("the Parquet footer has {length} bytes: expected at most {}", room.min(FOOTER_BYTES_MAX)));
    }
    let mut footer = vec![0; usize::try_from(length).unwrap_or(0)];
    read_at(&mut file, file_bytes - 8 - length, &mut footer)?;
    check(&footer).map_err(|stop| match stop {
        Stop::Truncated => "the Parquet footer is damaged: a length in it goes beyond its end".to_owned(),
        Stop::Malformed => "the Parquet footer is damaged, or its schema is too large or too deep".to_owned(),
    })?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(|error| format!("the Parquet footer is damaged: {error}"))
}

fn read_at(file: &mut &std::fs::File, offset: u64, buffer: &mut [u8]) -> Result<(), String> {
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer)).map_err(|error| error.to_string())
}

/// Walks over the footer: every length must fit, and the schema must be a tree of bounded size and depth.
fn check(footer: &[u8]) -> Result<(), Stop> {
    let mut walk = Walk::new(footer);
    let mut last_id = 0;
    while let Some((id, value)) = walk.field(&mut last_id)? {
        match (id, value) {
            (2, LIST) => check_schema(&mut walk)?,
            _ => walk.skip(value)?,
        }
    }
    Ok(())
}

/// Checks the schema: a list of elements in depth-first order, each with the number of its children.
fn check_schema(walk: &mut Walk<'_>) -> Result<(), Stop> {
    let (STRUCT, n_elements @ ..=SCHEMA_ELEMENTS_MAX) = walk.list()? else { return Err(Stop::Malformed) };
    // How many children each group on the way to the current element still lacks.
    let mut open_groups: Vec<usize> = Vec::new();
    for _ in 0..n_elements {
        let mut n_children = 0;
        let mut last_id = 0;
        while let Some((id, value)) = walk.field(&mut last_id)? {
            match (id, value) {
                (5, I32) => n_children = usize::try_from(walk.zigzag()?).map_err(|_| Stop::Malformed)?,
                _ => walk.skip(value)?,
            }
        }
        if let Some(lacking) = open_groups.last_mut() {
            *lacking -= 1;
        }
        if n_children > n_elements {
            return Err(Stop::Malformed);
        }
        open_groups.push(n_children);
        if open_groups.len() > SCHEMA_DEPTH_MAX {
            return Err(Stop::Malformed);
        }
        while open_groups.last() == Some(&0) {
            open_groups.pop();
        }
    }
    if open_groups.is_empty() { Ok(()) } else { Err(Stop::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer that has only a schema; each element is the number of its children.
    fn footer(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x29, 0xfc, u8::try_from(children.len()).expect("a short schema")];
        for n in children {
            bytes.extend([0x55, n << 1, 0]);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn schemas_are_trees_of_bounded_depth() {
        for (children, expected) in [
            (&[2, 0, 0][..], Ok(())),
            (&[1, 2, 0, 0], Ok(())),
            (&[2, 1, 0, 0], Ok(())),
            (&[1], Err(Stop::Malformed)),
            (&[60], Err(Stop::Malformed)),
            (&[1; 64], Err(Stop::Malformed)),
            (&[], Ok(())),
        ] {
            assert_eq!(check(&footer(children)), expected, "{children:?}");
        }
        let mut deep = vec![1; 63];
        deep.push(0);
        assert_eq!(check(&footer(&deep)), Ok(()));
        deep.insert(0, 1);
        assert_eq!(check(&footer(&deep)), Err(Stop::Malformed));
        assert_eq!(check(&[0x29, 0xfc, 0xff, 0xff, 0x7f, 0]), Err(Stop::Truncated), "more elements than bytes");
    }
}
