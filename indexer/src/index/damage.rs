//! Finds all damage of an index: every file, every block, whatever else is damaged; and what lies in its folder without being part of it.
//!
//! Opening an index stops at the first damage. Here each file is read by itself, so that one that is damaged hides no other, and a
//! damaged block no other block. What is found is what a copy of the index must replace.

use std::ops::Range;
use std::path::Path;

use super::block_file::{BLOCK_BYTES, BlockFile, Component, Seal};
use super::manifest::{Manifest, SegmentEntry};
use super::receipt::{RECEIPTS, Receipt};
use super::segment::Segment;
use super::storage::Storage;
use crate::error::{Error, ErrorKind, Result};

/// Damages listed of one file; more are counted. Enough to see a pattern: one page, a run of pages, or all of a file.
pub const DAMAGES_MAX: usize = 64;

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examined {
    /// Every file that the index should have, by name.
    pub files: Vec<ExaminedFile>,
    /// Names within the index folder that are not of this generation, sorted: what a writer that died left behind, or is making now, and what is
    /// not of an index at all. Harmless.
    pub leftovers: Vec<String>,
}

/// A file of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedFile {
    /// Its name within the index folder.
    pub file: String,
    /// Number of the commit that wrote it.
    pub generation: u32,
    /// The size that it should have, in bytes; of a damaged manifest, the size that it has.
    pub bytes: u64,
    /// How many damages it has.
    pub n_damages: u64,
    /// The first [`DAMAGES_MAX`] of them, in the order of the file.
    pub damages: Vec<Damage>,
}

/// A part of a file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Number of the block, from 0; `None` for a part that is no block, or the whole file.
    pub block: Option<u64>,
    /// Where it lies in the file, in bytes; empty where that is not known.
    pub bytes: Range<u64>,
    /// What is wrong.
    pub problem: String,
}

/// Examines the newest generation. `progress` is called after each file with its size in bytes.
///
/// Cost: one pass over all files to compare checksums. Where that finds nothing, a second one for what only a fault of this program could
/// spoil: that the parts fit together, the order of all postings, and that every piece of text can be decompressed.
///
/// # Errors
/// [`Error::NoIndex`] where there is none, [`Error::Incompatible`] for another format. Damage is no error but a result.
pub fn examine(storage: &dyn Storage, progress: &mut dyn FnMut(u64)) -> Result<Examined> {
    let Some((generation, name)) = Manifest::newest_file(storage)? else {
        return Err(Error::NoIndex { path: storage.display_path(Path::new("")) });
    };
    let mut examined = Examined::default();
    let mut file = ExaminedFile::new(name.clone(), generation, storage.open(Path::new(&name))?.len() as u64);
    match Manifest::read(storage, Path::new(&name), generation) {
        Ok(manifest) => {
            examined.files.push(file);
            for entry in &manifest.segments {
                examine_segment(storage, entry, progress, &mut examined.files)?;
            }
            examine_receipts(storage, generation, &mut examined.files)?;
            examined.leftovers = leftovers(storage, &name, &examined.files)?;
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            file.push(None, 0..file.bytes, &error);
            examined.files.push(file);
        }
        Err(error) => return Err(error),
    }
    examined.files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(examined)
}

impl ExaminedFile {
    fn new(file: String, generation: u32, bytes: u64) -> Self {
        Self { file, generation, bytes, n_damages: 0, damages: Vec::new() }
    }

    fn push(&mut self, block: Option<u64>, bytes: Range<u64>, error: &Error) {
        self.n_damages += 1;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(Damage { block, bytes, problem: problem(error) });
        }
    }
}

/// Says what is wrong without the file's name and place, which stand beside it.
fn problem(error: &Error) -> String {
    match error {
        Error::Corrupt { what, expected, found, .. } => {
            format!("{what} differs: expected `{expected}`, found `{found}`")
        }
        Error::Io { operation, source, .. } => format!("cannot {operation} it: {source}"),
        other => other.to_string(),
    }
}

fn examine_segment(
    storage: &dyn Storage,
    entry: &SegmentEntry,
    progress: &mut dyn FnMut(u64),
    files: &mut Vec<ExaminedFile>,
) -> Result<()> {
    let first = files.len();
    for component in Component::ALL {
        let tombstones = entry.tombstones.as_ref().filter(|_| component == Component::Tombstones);
        let tombstones = tombstones.map(|tombstones| (tombstones.file.as_str(), tombstones.seal));
        let sealed = entry.files.get(component.name()).map(|&seal| (component.name(), seal));
        let Some((name, seal)) = sealed.or(tombstones) else { continue };
        let name = format!("{}/{name}", entry.name);
        let generation = match &entry.tombstones {
            Some(tombstones) if component == Component::Tombstones => tombstones.generation(),
            _ => entry.generation(),
        };
        let mut file = ExaminedFile::new(name, generation.0, seal.file_bytes);
        examine_file(storage, component, seal, &mut file);
        progress(seal.file_bytes);
        files.push(file);
    }
    if files[first..].iter().any(|file| file.n_damages > 0) {
        return Ok(());
    }
    // Every block is as it was written. What remains is whether it was written right.
    let misfits = match Segment::open(storage, entry.clone()) {
        Ok(segment) => segment.verify().into_iter().filter_map(|(_, result)| result.err()).collect(),
        Err(error) => vec![error],
    };
    for error in misfits {
        let (path, offset) = match &error {
            Error::Corrupt { path, offset, .. } => (path.as_path(), *offset),
            // Nothing can be said: too many open files, say.
            Error::Io { .. } => return Err(error),
            _ => (Path::new(""), 0),
        };
        let is_of = |file: &ExaminedFile| storage.display_path(Path::new(&file.file)) == path;
        let file = files[first..].iter().position(is_of).map_or(0, |place| first + place);
        // What is wrong with no file of the segment is wrong with the manifest, which comes first: it names them.
        files[file].push(None, offset..offset, &error);
    }
    Ok(())
}

fn examine_file(storage: &dyn Storage, component: Component, seal: Seal, file: &mut ExaminedFile) {
    let whole = 0..file.bytes;
    let opened = match BlockFile::open_sealed(storage, Path::new(&file.file), seal) {
        Ok(opened) => opened,
        Err(error) => return file.push(None, whole, &error),
    };
    let listed = opened.for_each_verified_block(|block_idx, verified| {
        if let Err(error) = verified {
            let start = (block_idx * BLOCK_BYTES) as u64;
            file.push(Some(block_idx as u64), start..start + BLOCK_BYTES as u64, &error);
        }
        Ok(())
    });
    if file.n_damages == 0
        && let Err(error) = listed.and_then(|()| opened.check_header(component)).and_then(|()| opened.ensure_whole())
    {
        file.push(None, whole, &error);
    }
}

/// Receipts are named by no manifest: each has a checksum of its own.
fn examine_receipts(storage: &dyn Storage, newest: u32, files: &mut Vec<ExaminedFile>) -> Result<()> {
    // A later one is of a commit that never came.
    for generation in Receipt::list(storage)?.into_iter().filter(|generation| generation.0 <= newest) {
        let path = Receipt::path(generation);
        let bytes = storage.open(&path).map_or(0, |bytes| bytes.len() as u64);
        let mut file = ExaminedFile::new(path.to_string_lossy().into_owned(), generation.0, bytes);
        if let Err(error) = Receipt::read(storage, generation, drop) {
            file.push(None, 0..bytes, &error);
        }
        files.push(file);
    }
    Ok(())
}

/// Lists what is neither one of the `files` nor a folder of some.
fn leftovers(storage: &dyn Storage, manifest: &str, files: &[ExaminedFile]) -> Result<Vec<String>> {
    let is_known = |name: &str| files.iter().any(|file| file.file == name);
    let mut names = Vec::new();
    for name in storage.list(Path::new(""))? {
        let folder = format!("{name}/");
        if files.iter().any(|file| file.file.starts_with(&folder)) || name == RECEIPTS {
            let inner = storage.list(Path::new(&name))?.into_iter().map(|inner| folder.clone() + &inner);
            names.extend(inner.filter(|name| !is_known(name)));
        } else if name != manifest && name != super::writer::LOCK {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
