//! One file of a tree is one document.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::input::InputFile;
use super::options::ReadOptions;
use super::{Attributes, Document, Row, SkipReason, Skipped, language_of, license, origin};
use crate::error::{Error, Result};
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// How far from its start a file is searched for NUL bytes.
const BINARY_BYTES: usize = 8 << 10;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads files of trees. What the folders say about licence and origin is found out once per folder and kept.
#[derive(Debug, Default)]
pub(super) struct TreeReader {
    folders: HashMap<PathBuf, Surroundings>,
}

/// What holds for every file of a folder unless the file itself says otherwise.
#[derive(Debug, Clone)]
struct Surroundings {
    license: Arc<str>,
    origin: Arc<str>,
}

impl TreeReader {
    /// Reads one file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read. A file that can be read and not be used is a skipped row.
    pub(super) fn read(&mut self, file: &InputFile, options: &ReadOptions) -> Result<Row> {
        let skipped = |reason| Ok(Row::Skipped(Skipped { path: file.path.clone(), row: 1, reason }));
        if file.id.len() > ATTRIBUTE_BYTES_MAX {
            let problem = format!("path of {} bytes: expected at most {ATTRIBUTE_BYTES_MAX}", file.id.len());
            return skipped(SkipReason::Malformed(problem));
        }
        let text = match read_text(&file.path, u64::from(options.document_bytes_max))? {
            Ok(text) => text,
            Err(reason) => return skipped(reason),
        };
        let around = self.surroundings(file);
        let attributes = Attributes {
            uri: file.id.clone(),
            license: license::of_header(text.as_bytes()).unwrap_or_else(|| around.license.to_string()),
            origin: around.origin.to_string(),
            shard: options.shard.clone().unwrap_or_default(),
            language: language_of(None, Some(&file.id), &text).name().to_owned(),
        };
        Ok(Row::Document(Box::new(Document { id: file.id.clone(), text, attributes })))
    }

    /// Looks for licence and origin from the file's folder upwards to the root of its tree.
    fn surroundings(&mut self, file: &InputFile) -> Surroundings {
        let Some(root) = &file.root else {
            return Surroundings { license: "".into(), origin: "".into() };
        };
        // Folders from the root, which is the empty path, down to the file's own: each knows more than the one above
        // it.
        let below = Path::new(&file.id).parent().unwrap_or(Path::new(""));
        let mut folders: Vec<&Path> = below.ancestors().collect();
        folders.reverse();
        let mut around = Surroundings { license: "".into(), origin: root.name.as_str().into() };
        for below_root in folders {
            let folder = root.path.join(below_root);
            if let Some(known) = self.folders.get(&folder) {
                around = known.clone();
                continue;
            }
            let own_name = below_root.file_name().map_or(root.name.as_str().into(), std::ffi::OsStr::to_string_lossy);
            if let Some(license) = license::of_folder(&folder) {
                around.license = license.into();
            }
            if let Some(origin) = origin::of_folder(&folder, &own_name) {
                around.origin = origin.into();
            }
            self.folders.insert(folder, around.clone());
        }
        around
    }
}

/// Reads a file as text, or tells why it is none.
fn read_text(path: &Path, bytes_max: u64) -> Result<Result<String, SkipReason>> {
    let file = fs_err::File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("open", path))?.len();
    let too_long = |bytes| Ok(Err(SkipReason::TooLong { bytes, bytes_max }));
    // A byte order mark does not count, so that the cap is that of the text.
    let read_max = bytes_max.saturating_add(BOM.len() as u64);
    if length > read_max {
        return too_long(length);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    // The file may have grown meanwhile.
    file.take(read_max + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes[..bytes.len().min(BINARY_BYTES)].contains(&0) {
        return Ok(Err(SkipReason::Binary));
    }
    if let Err(error) = simdutf8::compat::from_utf8(&bytes) {
        return Ok(Err(SkipReason::InvalidUtf8(error.valid_up_to() as u64)));
    }
    if bytes.starts_with(BOM) {
        bytes.drain(..BOM.len());
    }
    if bytes.len() as u64 > bytes_max {
        return too_long(bytes.len() as u64);
    }
    let text = String::from_utf8(bytes).map_err(|error| Error::Internal {
        component: "UTF-8 validation",
        problem: format!("two validators differ: {}", error.utf8_error()),
    })?;
    Ok(if text.trim_start().is_empty() { Err(SkipReason::EmptyText) } else { Ok(text) })
}

#[cfg(test)]
mod tests {
    use super::super::input::discover;
    use super::*;

    /// Reads every file of a tree, sorted by id.
    fn read_tree(files: &[(&str, &[u8])], document_bytes_max: u32) -> Vec<(String, Row)> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("given");
        for (name, bytes) in files {
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().expect("within the folder")).expect("a folder");
            fs_err::write(path, bytes).expect("a file");
        }
        let options = ReadOptions { document_bytes_max, ..ReadOptions::default() };
        let mut reader = TreeReader::default();
        let found = discover(&[root]).expect("a tree").files;
        found.into_iter().map(|file| (file.id.clone(), reader.read(&file, &options).expect("readable"))).collect()
    }

    fn attributes(rows: Vec<(String, Row)>) -> Vec<(String, Attributes)> {
        let documents = rows.into_iter().filter_map(|(id, row)| match row {
            Row::Document(document) => Some((id, document.attributes)),
            Row::Skipped(_) => None,
        });
        documents.collect()
    }

    #[test]
    fn files_that_are_no_text_are_skipped_with_the_reason() {
        let late_nul = [&[b'a'; BINARY_BYTES][..], b"\0"].concat();
        for (bytes, expected) in [
            (&b"text"[..], Ok("text")),
            (b"\xef\xbb\xbftext", Ok("text")),
            (b"12345678", Ok("12345678")),
            (b"\xef\xbb\xbf12345678", Ok("12345678")),
            (b"123456789", Err(SkipReason::TooLong { bytes: 9, bytes_max: 8 })),
            (b"\xef\xbb\xbf123456789", Err(SkipReason::TooLong { bytes: 12, bytes_max: 8 })),
            (&late_nul, Err(SkipReason::TooLong { bytes: 8193, bytes_max: 8 })),
            (b"", Err(SkipReason::EmptyText)),
            (b"\xef\xbb\xbf", Err(SkipReason::EmptyText)),
            (b" \n", Err(SkipReason::EmptyText)),
            (b"a\0b", Err(SkipReason::Binary)),
            (b"abc\xff", Err(SkipReason::InvalidUtf8(3))),
        ] {
            let rows = read_tree(&[("f", bytes)], 8);
            match (&rows[0].1, expected) {
                (Row::Document(document), Ok(text)) => assert_eq!(document.text, text),
                (Row::Skipped(skipped), Err(reason)) => assert_eq!((skipped.row, &skipped.reason), (1, &reason)),
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        }
        let rows = read_tree(&[("f", &late_nul)], 10_000);
        assert!(matches!(&rows[0].1, Row::Document(document) if document.text.ends_with('\0')));
    }

    #[test]
    fn licence_and_origin_come_from_the_nearest_folder_that_knows() {
        let mit = b"Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated";
        let rows = read_tree(
            &[
                ("LICENSE", mit),
                ("a.rs", b"fn a() {}"),
                ("b.rs", b"// SPDX-License-Identifier: ISC\nfn b() {}"),
                ("crates/x/Cargo.toml", b"[package]\nname = \"crate-x\""),
                ("crates/x/src/lib.rs", b"fn c() {}"),
                ("crates/x/LICENSE.txt", b"CC0 1.0 Universal"),
                ("crates/y/package.json", b"{}"),
                ("crates/y/own/COPYING", b"All rights reserved."),
                ("crates/y/own/z.py", b"pass"),
            ],
            1000,
        );
        let found: Vec<_> = attributes(rows)
            .into_iter()
            .filter(|(_, attributes)| attributes.language != "text")
            .map(|(id, a)| (id, a.license, a.origin, a.language))
            .collect();
        let expected = [
            ("a.rs", "MIT", "given", "rust"),
            ("b.rs", "ISC", "given", "rust"),
            ("crates/x/src/lib.rs", "CC0-1.0", "crate-x", "rust"),
            ("crates/y/own/z.py", "", "y", "python"),
        ];
        let expected = expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_given_by_itself_has_no_surroundings() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.py");
        fs_err::write(&path, "x").expect("a file");
        fs_err::write(folder.path().join("LICENSE"), "CC0 1.0 Universal").expect("a file");
        let files = discover(&[path]).expect("a file").files;
        let row = TreeReader::default().read(&files[0], &ReadOptions::default()).expect("readable");
        let Row::Document(document) = row else { panic!("{row:?}") };
        assert_eq!((document.id.as_str(), document.attributes.license.as_str()), ("a.py", ""));
        assert_eq!((document.attributes.origin.as_str(), document.attributes.language.as_str()), ("", "python"));
    }
}
