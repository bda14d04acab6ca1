//! An index that is read: a snapshot of one generation.

use std::path::Path;

use super::manifest::Manifest;
use super::segment::Segment;
use super::storage::Storage;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::Fingerprinter;
use crate::ids::{DocIdx, Generation, Key};

/// How often opening starts again because a writer replaced the generation meanwhile.
const RETRIES_MAX: usize = 5;

/// A snapshot of an index. Later commits do not change it; open it anew to see them.
#[derive(Debug)]
pub struct Index {
    manifest: Manifest,
    fingerprinter: Fingerprinter,
    segments: Vec<Segment>,
}

impl Index {
    /// Opens the newest generation.
    ///
    /// # Errors
    /// [`Error::NoIndex`] where there is none, [`Error::Incompatible`] for another format, recipe or seed, [`Error::Corrupt`] for damage.
    pub fn open(storage: &dyn Storage, seed: u64) -> Result<Self> {
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
            let fingerprinter =
                Fingerprinter::from_recipe(&manifest.recipe, seed, &storage.display_path(Path::new("")))?;
            match Self::from_manifest(storage, manifest, fingerprinter) {
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

    pub(super) fn from_manifest(
        storage: &dyn Storage,
        manifest: Manifest,
        fingerprinter: Fingerprinter,
    ) -> Result<Self> {
        let open = |entry: &super::manifest::SegmentEntry| Segment::open(storage, entry.clone());
        let segments = manifest.segments.iter().map(open).collect::<Result<_>>()?;
        Ok(Self { manifest, fingerprinter, segments })
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
