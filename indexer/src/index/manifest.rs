//! The manifest: what an index consists of, and the only commit point.
//!
//! ```text
//! copytrace-manifest <format> <bytes of the JSON> <xxh3-64 of the JSON, hex>\n
//! JSON
//! ```
//!
//! A commit writes `MANIFEST-n` under a temporary name, syncs it, renames it and syncs the folder; the highest number is the index. A
//! manifest that cannot be read is an error and never a reason to fall back to an older one, since that would bring removed documents
//! back. Older manifests are deleted after the commit.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::block_file::{FORMAT_VERSION, Seal};
use super::storage::Storage;
use crate::error::{Error, Result};
use crate::ids::Generation;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::recipe::Recipe;

const PREFIX: &str = "MANIFEST-";
const TOMBSTONES: &str = "tombstones-";
/// Name of a manifest that is being written.
pub(super) const UNFINISHED_MANIFEST: &str = "MANIFEST.tmp";
const MAGIC: &str = "copytrace-manifest";

/// What an index consists of after one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Number of the commit.
    pub generation: u32,
    /// What all fingerprints of the index were made by.
    pub recipe: Recipe,
    /// The segments, oldest first.
    pub segments: Vec<SegmentEntry>,
}

/// A segment, and the seals of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// Name of its folder.
    pub name: String,
    /// Documents, removed ones included.
    pub n_docs: u32,
    /// Words of all documents.
    pub n_words: u64,
    /// Length of all texts, in bytes.
    pub text_bytes: u64,
    /// Seal of each file, by its name.
    pub files: BTreeMap<String, Seal>,
    /// The removed documents; absent while there are none.
    pub tombstones: Option<TombstonesEntry>,
}

/// The file that says which documents of a segment are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TombstonesEntry {
    /// Its name within the segment's folder.
    pub file: String,
    /// How many documents are removed.
    pub n_removed: u32,
    /// Its seal.
    pub seal: Seal,
}

impl Manifest {
    /// Makes the manifest of an index without documents, before its first commit.
    pub fn new(recipe: Recipe) -> Self {
        Self { generation: 0, recipe, segments: Vec::new() }
    }

    /// Returns the number of the commit.
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// Reads the newest manifest; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a damaged one, [`Error::Incompatible`] for another format.
    pub fn read_newest(storage: &dyn Storage) -> Result<Option<Self>> {
        let newest = Self::newest_file(storage)?;
        newest.map(|(number, name)| Self::read(storage, Path::new(&name), number)).transpose()
    }

    /// Finds the newest manifest's number and name; `None` where there is none.
    pub(super) fn newest_file(storage: &dyn Storage) -> Result<Option<(u32, String)>> {
        let names = storage.list(Path::new(""))?.into_iter();
        Ok(names.filter_map(|name| number_of(&name).map(|number| (number, name))).max())
    }

    pub(super) fn read(storage: &dyn Storage, path: &Path, number: u32) -> Result<Self> {
        // A copy: what the checksum was made of is what is parsed, whatever happens to the file meanwhile.
        let bytes = storage.open(path)?;
        let shown = storage.display_path(path);
        let damaged = |what, offset: usize, expected: &str, found: String| {
            Err(Error::corrupt(&shown, what, offset as u64, expected, found))
        };
        if bytes.len() > MANIFEST_BYTES_MAX {
            return damaged("length in bytes", 0, &format!("at most {MANIFEST_BYTES_MAX}"), bytes.len().to_string());
        }
        let bytes = bytes.to_vec();
        let head_end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        let (head, body) = (&bytes[..head_end], bytes.get(head_end + 1..).unwrap_or_default());
        let head = String::from_utf8_lossy(&head[..head.len().min(100)]).into_owned();
        let fields: Vec<&str> = head.split(' ').collect();
        let [MAGIC, format, body_bytes, checksum] = fields[..] else {
            return damaged(
                "first line",
                0,
                "copytrace-manifest FORMAT BYTES CHECKSUM",
                head.escape_default().to_string(),
            );
        };
        let ours = FORMAT_VERSION.to_string();
        if format != ours {
            if format.parse::<u32>().is_ok_and(|version| version > 0 && version.to_string() == format) {
                let what = "format version";
                return Err(Error::Incompatible { path: shown, what, expected: ours, found: format.to_owned() });
            }
            return damaged("format version", MAGIC.len() + 1, &ours, format.escape_default().to_string());
        }
        if body_bytes != body.len().to_string() {
            return damaged("length in bytes", 0, body_bytes, body.len().to_string());
        }
        let found = format!("{:016x}", xxh3_64(body));
        if checksum != found {
            return damaged("checksum", head_end + 1, checksum, found);
        }
        let manifest: Self = match serde_json::from_slice(body) {
            Ok(manifest) => manifest,
            Err(error) => return damaged("content", head_end + 1, "a manifest of this format", error.to_string()),
        };
        // A name is part of a path: nothing outside the folder can be named.
        for entry in &manifest.segments {
            let tombstones = entry.tombstones.as_ref().map(|tombstones| tombstones.file.as_str());
            if !is_segment_name(&entry.name) || !tombstones.is_none_or(is_tombstones_name) {
                return damaged("name of a segment", head_end + 1, "seg-… and tombstones-…", entry.name.clone());
            }
        }
        if manifest.generation != number {
            return damaged("generation", head_end + 1, &number.to_string(), manifest.generation.to_string());
        }
        Ok(manifest)
    }

    /// Makes this manifest the index: the commit point.
    ///
    /// All files that it names must be durable before. After an error the old index is in force, or the new one: never a mixture.
    pub fn commit(&self, storage: &dyn Storage) -> Result<()> {
        let body = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::Internal { component: "manifest", problem: error.to_string() })?;
        let head = format!("{MAGIC} {FORMAT_VERSION} {} {:016x}\n", body.len(), xxh3_64(&body));
        let n_bytes = head.len() + body.len();
        if n_bytes > MANIFEST_BYTES_MAX {
            let expected = format!("a manifest of at most {MANIFEST_BYTES_MAX} bytes");
            return Err(Error::Argument {
                name: "number of segments",
                expected,
                found: format!("one of {n_bytes} bytes"),
            });
        }
        let temporary = Path::new(UNFINISHED_MANIFEST);
        Self::remove_unfinished(storage)?;
        let shown = storage.display_path(temporary);
        let mut file = storage.create(temporary)?;
        file.write_all(head.as_bytes()).map_err(Error::io("write", &shown))?;
        file.write_all(&body).map_err(Error::io("write", &shown))?;
        file.flush().map_err(Error::io("write", &shown))?;
        file.sync().map_err(Error::io("sync", &shown))?;
        drop(file);
        storage.rename(temporary, Path::new(&file_name(self.generation)))?;
        storage.sync_dir(Path::new(""))
    }

    /// Removes what a writer that died left of a manifest, if it did.
    pub(super) fn remove_unfinished(storage: &dyn Storage) -> Result<()> {
        let path = Path::new(UNFINISHED_MANIFEST);
        if storage.exists(path)? { storage.remove_file(path) } else { Ok(()) }
    }

    /// Tells whether no later commit has been made.
    ///
    /// Commits are numbered without a gap and older manifests go in ascending order ([`remove_older`](Self::remove_older)), so that the
    /// manifests that are there at any moment are consecutive: once there is a later one, the next one is there or this one is gone.
    /// Cost: two looks at the folder (2 us), whatever is in it.
    pub fn is_newest(&self, storage: &dyn Storage) -> Result<bool> {
        let exists = |generation: u32| storage.exists(Path::new(&file_name(generation)));
        // In this order: between the two looks a writer may commit and then remove this manifest, but not the other way round.
        let has_next = self.generation.checked_add(1).map(exists).transpose()?.unwrap_or(false);
        Ok(!has_next && exists(self.generation)?)
    }

    /// Removes manifests older than this one, the oldest first, up to the first that cannot be removed: [`is_newest`](Self::is_newest)
    /// relies on that order. Failure leaves them: they are never read while a newer one is there.
    pub fn remove_older(&self, storage: &dyn Storage) -> Result<()> {
        let names = storage.list(Path::new(""))?;
        let mut older: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
        older.retain(|&generation| generation < self.generation);
        older.sort_unstable();
        older.into_iter().try_for_each(|generation| storage.remove_file(Path::new(&file_name(generation))))
    }
}

impl SegmentEntry {
    /// Returns the commit that brought the segment.
    pub fn generation(&self) -> Generation {
        generation_in(&self.name)
    }

    /// Returns how many documents are removed.
    pub fn n_removed(&self) -> u32 {
        self.tombstones.as_ref().map_or(0, |tombstones| tombstones.n_removed)
    }
}

impl TombstonesEntry {
    /// Returns the commit that wrote the file: the last one that removed a document of the segment.
    pub fn generation(&self) -> Generation {
        generation_in(&self.file)
    }

    /// Names the file that a commit writes.
    pub(super) fn file_name(generation: u32) -> String {
        format!("{TOMBSTONES}{generation:06}")
    }
}

/// Returns the commit in `seg-000007-…` or `tombstones-000007`; such names were checked when the manifest was read.
fn generation_in(name: &str) -> Generation {
    Generation(name.split('-').nth(1).and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

/// Tells whether a name is that of a segment's folder: `seg-`, six or more digits, `-`, 16 hexadecimal digits.
pub(super) fn is_segment_name(name: &str) -> bool {
    let parts = name.strip_prefix("seg-").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(generation, hash)| {
        is_generation(generation) && hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Tells whether a name is that of a file of tombstones: `tombstones-`, six or more digits.
pub(super) fn is_tombstones_name(name: &str) -> bool {
    name.strip_prefix(TOMBSTONES).is_some_and(is_generation)
}

fn is_generation(digits: &str) -> bool {
    digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn file_name(generation: u32) -> String {
    format!("{PREFIX}{generation:06}")
}

fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix(PREFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;

    fn manifest(generation: u32) -> Manifest {
        let seal = Seal { file_bytes: 10, root: u64::MAX };
        let entry = SegmentEntry {
            name: "seg-000001-0000000000000001".into(),
            n_docs: 3,
            n_words: 9,
            text_bytes: 99,
            files: BTreeMap::from([("text".into(), seal)]),
            tombstones: Some(TombstonesEntry { file: "tombstones-000002".into(), n_removed: 1, seal }),
        };
        Manifest { generation, recipe: Recipe::default(), segments: vec![entry] }
    }

    #[test]
    fn the_newest_manifest_is_the_index() {
        let storage = MemoryStorage::default();
        assert_eq!(Manifest::read_newest(&storage).unwrap(), None);
        for generation in [1, 2, 11] {
            manifest(generation).commit(&storage).unwrap();
            assert_eq!(Manifest::read_newest(&storage).unwrap(), Some(manifest(generation)));
        }
        manifest(11).remove_older(&storage).unwrap();
        assert_eq!(storage.list(Path::new("")).unwrap(), ["MANIFEST-000011"]);
    }

    #[test]
    fn a_damaged_newest_manifest_is_an_error_and_no_step_back() {
        let storage = MemoryStorage::default();
        manifest(1).commit(&storage).unwrap();
        manifest(2).commit(&storage).unwrap();
        let path = Path::new("MANIFEST-000002");
        let sound = storage.open(path).unwrap().to_vec();
        let read_with = |bytes: &[u8]| {
            storage.remove_file(path).unwrap();
            storage.create(path).unwrap().write_all(bytes).unwrap();
            Manifest::read_newest(&storage)
        };
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            read_with(&bytes).expect_err("a flipped bit");
        }
        for length in 0..sound.len() {
            read_with(&sound[..length]).expect_err("a truncation");
        }
        assert_eq!(read_with(&sound).unwrap(), Some(manifest(2)));
    }

    #[test]
    fn a_manifest_that_is_too_long_is_refused() {
        let storage = MemoryStorage::default();
        let path = Path::new("MANIFEST-000001");
        let json = serde_json::to_vec(&manifest(1)).unwrap();
        // The first line has 47 bytes.
        for (n_bytes, is_sound) in [(1000, true), (MANIFEST_BYTES_MAX - 47, true), (MANIFEST_BYTES_MAX - 46, false)] {
            let mut body = json.clone();
            body.resize(n_bytes, b' ');
            let head = format!("{MAGIC} {FORMAT_VERSION} {} {:016x}\n", body.len(), xxh3_64(&body));
            let bytes = [head.as_bytes(), &body].concat();
            storage.create(path).unwrap().write_all(&bytes).unwrap();
            assert_eq!(Manifest::read_newest(&storage).is_ok(), is_sound, "{n_bytes} bytes");
            storage.remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        for version in ["1", "99"] {
            let storage = MemoryStorage::default();
            let bytes = format!("copytrace-manifest {version} 2 0\n{{}}");
            storage.create(Path::new("MANIFEST-000001")).unwrap().write_all(bytes.as_bytes()).unwrap();
            let error = Manifest::read_newest(&storage).unwrap_err();
            let expected = format!("`MANIFEST-000001` has format version `{version}`: this program reads `2`");
            assert_eq!(error.to_string(), expected);
        }
        // What no release ever wrote is damage.
        for version in ["0", "02", "+2", "-1", "4294967296", ""] {
            let storage = MemoryStorage::default();
            let bytes = format!("copytrace-manifest {version} 2 0\n{{}}");
            storage.create(Path::new("MANIFEST-000001")).unwrap().write_all(bytes.as_bytes()).unwrap();
            let error = Manifest::read_newest(&storage).unwrap_err();
            assert!(matches!(error, Error::Corrupt { what: "format version", .. }), "`{version}`: {error}");
        }
    }
}
