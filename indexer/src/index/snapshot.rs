//! An index that is read: a snapshot of one generation.

use std::path::{Path, PathBuf};

use super::manifest::{Manifest, SegmentEntry};
use super::segment::Segment;
use super::storage::Storage;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::Fingerprinter;
use crate::ids::{DocIdx, Generation, Key};
use crate::recipe::Recipe;

/// How often opening starts again because a writer replaced the generation meanwhile.
const RETRIES_MAX: usize = 5;

/// A snapshot of an index. Later commits do not change it; [`reopen`](Self::reopen) shows them. Cheap to clone, but for the tombstones:
/// one bit a document.
#[derive(Debug, Clone)]
pub struct Index {
    /// The folder, for messages.
    path: PathBuf,
    manifest: Manifest,
    fingerprinter: Fingerprinter,
    segments: Vec<Segment>,
    is_prefetching: bool,
}

impl Index {
    /// Opens the newest generation.
    ///
    /// # Errors
    /// [`Error::NoIndex`] where there is none, [`Error::Incompatible`] for another format, recipe or seed, [`Error::Corrupt`] for damage.
    pub fn open(storage: &dyn Storage, seed: u64) -> Result<Self> {
        let shown = storage.display_path(Path::new(""));
        Self::open_newest(storage, &[], |recipe| Fingerprinter::from_recipe(recipe, seed, &shown))
    }

    /// Opens the newest generation of the same index. Segments that were there before are shared with this snapshot, so that the cost is
    /// that of what is new.
    ///
    /// # Errors
    /// As [`open`](Self::open); also where the index has been replaced by one with another recipe or seed.
    pub fn reopen(&self, storage: &dyn Storage) -> Result<Self> {
        let shown = storage.display_path(Path::new(""));
        Self::open_newest(storage, &self.segments, |recipe| {
            if recipe == self.fingerprinter.recipe() {
                return Ok(self.fingerprinter.clone());
            }
            let (expected, found) = (self.fingerprinter.recipe().to_string(), recipe.to_string());
            Err(Error::Incompatible {
                path: shown.clone(),
                what: "another recipe or hash seed than before,",
                expected,
                found,
            })
        })
    }

    /// Tells whether no later commit has been made: two looks at the folder (2 us).
    pub fn is_newest(&self, storage: &dyn Storage) -> Result<bool> {
        self.manifest.is_newest(storage)
    }

    /// Returns this snapshot without some documents, each named by the place of its segment and its own. Nothing is written.
    #[must_use]
    pub fn without(&self, docs: &[(usize, DocIdx)]) -> Self {
        let mut index = self.clone();
        for &(segment_idx, doc) in docs {
            if let Some(segment) = index.segments.get_mut(segment_idx) {
                segment.hide([doc]);
            }
        }
        index
    }

    fn open_newest(
        storage: &dyn Storage,
        known: &[Segment],
        fingerprinter_of: impl Fn(&Recipe) -> Result<Fingerprinter>,
    ) -> Result<Self> {
        let mut retries = 0;
        loop {
            let manifest = Manifest::read_newest(storage);
            let manifest = match manifest {
                Ok(Some(manifest)) => manifest,
                Ok(None) => return Err(Error::NoIndex { path: storage.display_path(Path::new("")) }),
                // The manifest was listed and then replaced by a newer one.
                Err(error) if error.kind() == ErrorKind::NotFound && retries < RETRIES_MAX => {
                    retries += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let generation = manifest.generation;
            let fingerprinter = fingerprinter_of(&manifest.recipe)?;
            match Self::from_manifest(storage, manifest, fingerprinter, known) {
                Err(error) if error.kind() == ErrorKind::NotFound && retries < RETRIES_MAX => {
                    // A writer may have removed files of a generation that is no longer the newest; else they are lost.
                    let is_newer =
                        Manifest::read_newest(storage)?.is_some_and(|newest| newest.generation != generation);
                    if !is_newer {
                        return Err(error);
                    }
                    retries += 1;
                }
                opened => return opened,
            }
        }
    }

    /// Opens what a manifest names; segments that are among `known` are shared.
    pub(super) fn from_manifest(
        storage: &dyn Storage,
        manifest: Manifest,
        fingerprinter: Fingerprinter,
        known: &[Segment],
    ) -> Result<Self> {
        let open = |entry: &SegmentEntry| {
            let same_name = known.iter().find(|segment| segment.entry().name == entry.name);
            match same_name.map(|segment| segment.with_tombstones_of(storage, entry)).transpose()?.flatten() {
                Some(segment) => Ok(segment),
                None => Segment::open(storage, entry.clone()),
            }
        };
        let segments = manifest.segments.iter().map(open).collect::<Result<_>>()?;
        Ok(Self { path: storage.display_path(Path::new("")), manifest, fingerprinter, segments, is_prefetching: true })
    }

    /// Returns the index folder, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the number of the commit.
    pub fn generation(&self) -> Generation {
        self.manifest.generation()
    }

    /// Returns what makes fingerprints that can be looked up here.
    pub fn fingerprinter(&self) -> &Fingerprinter {
        &self.fingerprinter
    }

    /// Returns the segments, oldest first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Tells whether queries ask for the pages of all their keys before they read the first.
    pub fn is_prefetching(&self) -> bool {
        self.is_prefetching
    }

    /// Sets whether queries ask for the pages of all their keys before they read the first, as they do unless told otherwise. Changes no
    /// answer; `benches/scale` measures what it brings.
    pub fn set_prefetch(&mut self, is_prefetching: bool) {
        self.is_prefetching = is_prefetching;
    }

    /// Returns the number of documents that are not removed.
    pub fn n_docs(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.n_live_docs())).sum()
    }

    /// Finds a document by its id.
    pub fn find(&self, id: &str) -> Result<Option<(&Segment, DocIdx)>> {
        let key = Key(self.fingerprinter.id_key(id));
        for segment in &self.segments {
            if let Some(doc) = segment.find(id, key)? {
                return Ok(Some((segment, doc)));
            }
        }
        Ok(None)
    }
}
