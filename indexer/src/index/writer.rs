//! Changes an index: one writer at a time, one commit at a time.
//!
//! New files are made under `copytrace-building/`, renamed to their final names, and become part of the index with the next manifest. A process that
//! dies at any moment leaves the old index or the new one; what it left behind otherwise is removed by the next writer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::manifest::{Manifest, SegmentEntry, TombstonesEntry, is_segment_name, is_tombstones_name};
use super::segment_writer::{FinishedSegment, Profile, SegmentWriter, segment_name};
use super::snapshot::Index;
use super::storage::Storage;
use super::tombstones::Tombstones;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprinter;
use crate::ids::{DocIdx, Generation, Key};
use crate::recipe::Recipe;

const BUILDING: &str = "copytrace-building";
const LOCK: &str = "LOCK";

/// Holds the writer's lock of an index and collects what the next commit changes.
pub struct IndexWriter {
    storage: Arc<dyn Storage>,
    fingerprinter: Fingerprinter,
    current: Option<Index>,
    removed: BTreeMap<usize, BTreeSet<DocIdx>>,
    _lock: Box<dyn Send>,
}

impl IndexWriter {
    /// Takes the lock and opens the index, or prepares a new one where there is none.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process writes, [`Error::Incompatible`] where the index has another recipe or seed.
    pub fn open(storage: Arc<dyn Storage>, seed: u64) -> Result<Self> {
        storage.create_dir(Path::new(""))?;
        let lock = storage.lock(Path::new(LOCK))?;
        let recipe = Recipe::with_seed(seed);
        let fingerprinter = Fingerprinter::from_recipe(&recipe, seed, Path::new(LOCK))?;
        let current = match Index::open(&*storage, seed) {
            Ok(index) => Some(index),
            Err(Error::NoIndex { .. }) => {
                refuse_foreign(&*storage)?;
                None
            }
            Err(error) => return Err(error),
        };
        let writer = Self { storage, fingerprinter, current, removed: BTreeMap::new(), _lock: lock };
        writer.remove_leftovers()?;
        Ok(writer)
    }

    /// Returns what makes fingerprints for this index.
    pub fn fingerprinter(&self) -> &Fingerprinter {
        &self.fingerprinter
    }

    /// Returns the index as the last commit left it; `None` before the first.
    pub fn current(&self) -> Option<&Index> {
        self.current.as_ref()
    }

    /// Starts a new segment. Only one can be under construction.
    pub fn start_segment(&self, profile: Profile, memory_bytes: usize) -> Result<SegmentWriter> {
        let dir = Path::new(BUILDING);
        self.storage.remove_dir_all(dir)?;
        SegmentWriter::create(Arc::clone(&self.storage), dir.to_path_buf(), profile, memory_bytes)
    }

    /// Finds the document of an id that the next commit would still hold, except in the segment under construction.
    pub fn find(&self, id: &str, key: Key) -> Result<Option<(usize, DocIdx)>> {
        let Some(index) = &self.current else { return Ok(None) };
        for (segment_idx, segment) in index.segments().iter().enumerate() {
            if let Some(doc) = segment.find(id, key)?
                && !self.removed.get(&segment_idx).is_some_and(|docs| docs.contains(&doc))
            {
                return Ok(Some((segment_idx, doc)));
            }
        }
        Ok(None)
    }

    /// Removes a document of a committed segment with the next commit.
    pub fn remove(&mut self, segment_idx: usize, doc: DocIdx) {
        self.removed.entry(segment_idx).or_default().insert(doc);
    }

    /// Commits: the new segment, if one is given and not empty, without the documents dropped from it, and all removals since the last
    /// commit. Returns the new generation, or the old one where there is nothing to change.
    ///
    /// Guarantee: after `Ok` everything is durable; after an error the old index is in force, or the new one.
    pub fn commit(&mut self, finished: Option<FinishedSegment>) -> Result<Generation> {
        let finished = finished.filter(|segment| segment.n_docs() > 0);
        let has_changes = finished.is_some() || !self.removed.is_empty();
        let old = match &self.current {
            Some(index) if !has_changes => return Ok(index.generation()),
            Some(index) => index.manifest().clone(),
            None => Manifest::new(*self.fingerprinter.recipe()),
        };
        let generation = old.generation.saturating_add(1);
        let mut manifest = Manifest { generation, ..old };
        for (segment_idx, docs) in std::mem::take(&mut self.removed) {
            let segment = self.current.as_ref().and_then(|index| index.segments().get(segment_idx));
            if let (Some(segment), Some(entry)) = (segment, manifest.segments.get_mut(segment_idx)) {
                self.bury(entry, segment.tombstones().clone(), docs, generation)?;
            }
        }
        if let Some(FinishedSegment { dir, mut entry, dropped, .. }) = finished {
            entry.name = segment_name(generation, &entry.files);
            self.storage.rename(&dir, Path::new(&entry.name))?;
            let none = Tombstones::none(entry.n_docs);
            self.bury(&mut entry, none, dropped, generation)?;
            manifest.segments.push(entry);
        }
        self.storage.sync_dir(Path::new(""))?;
        manifest.commit(&*self.storage)?;
        self.current = Some(Index::from_manifest(&*self.storage, manifest, self.fingerprinter.clone())?);
        self.remove_leftovers()?;
        Ok(Generation(generation))
    }

    /// Writes the tombstones of a segment, where there are any new ones.
    fn bury(
        &self,
        entry: &mut SegmentEntry,
        mut tombstones: Tombstones,
        docs: BTreeSet<DocIdx>,
        generation: u32,
    ) -> Result<()> {
        let n_new = docs.into_iter().filter(|&doc| tombstones.remove(doc)).count();
        if n_new == 0 {
            return Ok(());
        }
        let dir = Path::new(&entry.name);
        let file = format!("tombstones-{generation:06}");
        let seal = tombstones.write(&*self.storage, &dir.join(&file))?;
        self.storage.sync_dir(dir)?;
        entry.tombstones = Some(TombstonesEntry { file, n_removed: tombstones.n_removed(), seal });
        Ok(())
    }

    /// Removes what no manifest names: an unfinished build, segments and tombstones of commits that never came or are no more.
    fn remove_leftovers(&self) -> Result<()> {
        let storage = &*self.storage;
        storage.remove_dir_all(Path::new(BUILDING))?;
        let segments = self.current.as_ref().map_or(&[][..], |index| &index.manifest().segments);
        for name in storage.list(Path::new(""))? {
            if is_segment_name(&name) && !segments.iter().any(|entry| entry.name == name) {
                storage.remove_dir_all(Path::new(&name))?;
            }
        }
        for entry in segments {
            let dir = Path::new(&entry.name);
            let current = entry.tombstones.as_ref().map(|tombstones| &tombstones.file);
            for name in storage.list(dir)? {
                if is_tombstones_name(&name) && Some(&name) != current {
                    storage.remove_file(&dir.join(name))?;
                }
            }
        }
        match &self.current {
            Some(index) => index.manifest().remove_older(storage),
            None => Ok(()),
        }
    }
}

/// Refuses a folder without a manifest that holds anything but what a first commit leaves behind when it dies: what is in it belongs to
/// somebody else, or it is an index whose manifest was lost.
fn refuse_foreign(storage: &dyn Storage) -> Result<()> {
    let is_of_first_commit = |name: &str| {
        [LOCK, BUILDING, "MANIFEST.tmp"].contains(&name) || name.starts_with("seg-000001-") && is_segment_name(name)
    };
    match storage.list(Path::new(""))?.into_iter().find(|name| !is_of_first_commit(name)) {
        Some(found) => Err(Error::ForeignFolder { path: storage.display_path(Path::new("")), found }),
        None => Ok(()),
    }
}
