//! Changes an index: one writer at a time, one commit at a time.
//!
//! New files are made under `copytrace-building/`, renamed to their final names, and become part of the index with the next manifest. A process that
//! dies at any moment leaves the old index or the new one; what it left behind otherwise is removed by the next writer.
//!
//! A commit that fails ends its writer: whether the old generation or the new one is in force then is found out by opening another.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::manifest::{
    Manifest, SegmentEntry, TombstonesEntry, UNFINISHED_MANIFEST, is_segment_name, is_tombstones_name,
};
use super::receipt::{RECEIPTS, Receipt, ReceiptWriter};
use super::segment::Segment;
use super::segment_writer::{FinishedSegment, Profile, SegmentWriter, segment_name};
use super::snapshot::Index;
use super::storage::Storage;
use super::tombstones::Tombstones;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprinter;
use crate::ids::{DocIdx, Generation, Key};
use crate::recipe::Recipe;

const BUILDING: &str = "copytrace-building";
/// Name of the lock file.
pub(super) const LOCK: &str = "LOCK";

/// Holds the writer's lock of an index and collects what the next commit changes.
pub struct IndexWriter {
    storage: Arc<dyn Storage>,
    fingerprinter: Fingerprinter,
    current: Option<Index>,
    /// What is removed from segments of which the next commit removes more, by their places.
    removed: BTreeMap<usize, Tombstones>,
    /// A commit began and did not come to its end: what is in force is not known here.
    is_in_doubt: bool,
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
        if current.is_some() {
            // Its writer may have died between the manifest's rename and the sync of the folder. What came before it may go only when it
            // is sure to stay: else a power cut could leave neither.
            storage.sync_dir(Path::new(""))?;
            // And it may have removed the receipt of a commit that never came: one that comes back would tell of another commit.
            if storage.exists(Path::new(RECEIPTS))? {
                storage.sync_dir(Path::new(RECEIPTS))?;
            }
        }
        let removed = BTreeMap::new();
        let writer = Self { storage, fingerprinter, current, removed, is_in_doubt: false, _lock: lock };
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
        self.refuse_if_in_doubt()?;
        let dir = Path::new(BUILDING);
        self.storage.remove_dir_all(dir)?;
        SegmentWriter::create(Arc::clone(&self.storage), dir.to_path_buf(), profile, memory_bytes)
    }

    /// Finds the document of an id that the next commit would still hold, except in the segment under construction.
    pub fn find(&self, id: &str, key: Key) -> Result<Option<(usize, DocIdx)>> {
        let Some(index) = &self.current else { return Ok(None) };
        for (segment_idx, segment) in index.segments().iter().enumerate() {
            if let Some(doc) = segment.find(id, key)?
                && !self.removed.get(&segment_idx).is_some_and(|removed| removed.is_removed(doc))
            {
                return Ok(Some((segment_idx, doc)));
            }
        }
        Ok(None)
    }

    /// Removes a document of a committed segment with the next commit; one that is not there changes nothing.
    ///
    /// Memory: one bit a document of the segment.
    pub fn remove(&mut self, segment_idx: usize, doc: DocIdx) {
        let segment = self.current.as_ref().and_then(|index| index.segments().get(segment_idx));
        if let Some(segment) = segment.filter(|segment| !segment.is_removed(doc)) {
            self.removed.entry(segment_idx).or_insert_with(|| segment.tombstones().clone()).remove(doc);
        }
    }

    /// Forgets what would change with the next commit and removes what was built for it: after an error on the way to a commit nothing
    /// of it may slip into the next one, and a full disk gets its space back.
    pub fn roll_back(&mut self) {
        self.removed.clear();
        // What cannot be removed now is removed by the next writer.
        let _ = self.remove_leftovers();
    }

    /// Makes the error of a folder that holds no index yet.
    pub(crate) fn no_index(&self) -> Error {
        Error::NoIndex { path: self.storage.display_path(Path::new("")) }
    }

    /// Returns the number of the last commit, 0 before the first.
    fn generation(&self) -> Generation {
        self.current.as_ref().map_or(Generation(0), Index::generation)
    }

    /// Returns the number of the next commit.
    ///
    /// # Errors
    /// [`Error::Incompatible`] where no number is left.
    pub fn next_generation(&self) -> Result<Generation> {
        let Generation(generation) = self.generation();
        generation.checked_add(1).map(Generation).ok_or_else(|| Error::Incompatible {
            path: self.storage.display_path(Path::new("")),
            what: "generation",
            expected: format!("fewer than {} to be changed", u32::MAX),
            found: generation.to_string(),
        })
    }

    /// Commits: the new segment, if one is given and not empty, without the documents dropped from it, and all removals since the last
    /// commit. Returns the new generation, or the old one where there is nothing to change.
    ///
    /// Guarantee: after `Ok` the new generation is in force and durable, even where files that it made superfluous could not be removed.
    /// After an error the old generation is in force or, where the very last step failed, the new one; this writer then refuses further work.
    pub fn commit(&mut self, finished: Option<FinishedSegment>) -> Result<Generation> {
        self.refuse_if_in_doubt()?;
        let has_segment = finished.is_some();
        let finished = finished.filter(|segment| segment.n_docs() > 0);
        let has_changes = finished.is_some() || !self.removed.is_empty();
        let mut segments = match &self.current {
            Some(index) if !has_changes => {
                let generation = index.generation();
                if has_segment {
                    self.roll_back();
                }
                return Ok(generation);
            }
            Some(index) => index.manifest().segments.clone(),
            None => Vec::new(),
        };
        // The removals are taken: what fails from here on must not be followed by a commit without them.
        self.is_in_doubt = true;
        // A merge that failed before may have left one of this number.
        Receipt::remove_after(&*self.storage, self.generation())?;
        for (segment_idx, removed) in std::mem::take(&mut self.removed) {
            if let Some(entry) = segments.get_mut(segment_idx) {
                self.bury(entry, &removed)?;
            }
        }
        if let Some(finished) = finished {
            segments.push(self.place(finished)?);
        }
        self.commit_segments(segments)
    }

    /// Gives a finished segment its final name, so that the next one can be started. It becomes part of the index when
    /// [`commit_segments`](Self::commit_segments) names it.
    pub(crate) fn place(&self, finished: FinishedSegment) -> Result<SegmentEntry> {
        let FinishedSegment { dir, mut entry, dropped, .. } = finished;
        entry.name = segment_name(self.next_generation()?.0, &entry.files);
        self.storage.rename(&dir, Path::new(&entry.name))?;
        self.bury(&mut entry, &dropped)?;
        Ok(entry)
    }

    /// Copies a segment of another index, of which nothing is removed; every block is verified. As [`place`](Self::place) otherwise.
    pub(crate) fn adopt(&self, segment: &Segment) -> Result<SegmentEntry> {
        let (storage, dir) = (&*self.storage, Path::new(BUILDING));
        storage.remove_dir_all(dir)?;
        storage.create_dir(dir)?;
        for (component, file) in segment.files() {
            let copied = file.copy(storage, &dir.join(component.name()), component)?;
            let expected = segment.entry().files.get(component.name());
            if expected != Some(&copied) {
                return Err(file.corrupt("seal of the copy", 0, format!("{expected:?}"), format!("{copied:?}")));
            }
        }
        storage.sync_dir(dir)?;
        let entry = SegmentEntry { tombstones: None, ..segment.entry().clone() };
        let dropped = Tombstones::none(entry.n_docs);
        self.place(FinishedSegment { dir: dir.to_path_buf(), entry, n_duplicates: 0, duplicate: None, dropped })
    }

    /// Starts the receipt of the next commit.
    pub(crate) fn start_receipt(&self, n_documents: u64) -> Result<ReceiptWriter<'_>> {
        ReceiptWriter::create(&*self.storage, self.next_generation()?, n_documents)
    }

    /// Makes these segments the index, all of them durable: old ones, and new ones that have been placed.
    pub(crate) fn commit_segments(&mut self, segments: Vec<SegmentEntry>) -> Result<Generation> {
        self.is_in_doubt = true;
        let generation = self.next_generation()?;
        let manifest = Manifest { generation: generation.0, recipe: *self.fingerprinter.recipe(), segments };
        self.storage.sync_dir(Path::new(""))?;
        // Opened before the commit: what cannot be opened does not come into force, and nothing can fail once it has.
        let known = self.current.as_ref().map_or(&[][..], Index::segments);
        let index = Index::from_manifest(&*self.storage, manifest, self.fingerprinter.clone(), known)?;
        index.manifest().commit(&*self.storage)?;
        self.current = Some(index);
        self.is_in_doubt = false;
        // The commit has happened. What stays behind harms nothing; the next writer tries again.
        let _ = self.remove_leftovers();
        Ok(generation)
    }

    fn refuse_if_in_doubt(&self) -> Result<()> {
        if self.is_in_doubt {
            let problem = "an earlier commit failed: open the index anew".to_owned();
            return Err(Error::Internal { component: "index writer", problem });
        }
        Ok(())
    }

    /// Writes the tombstones of a segment, where there are any new ones.
    fn bury(&self, entry: &mut SegmentEntry, tombstones: &Tombstones) -> Result<()> {
        if tombstones.n_removed() == entry.n_removed() {
            return Ok(());
        }
        let dir = Path::new(&entry.name);
        let file = TombstonesEntry::file_name(self.next_generation()?.0);
        let seal = tombstones.write(&*self.storage, &dir.join(&file))?;
        self.storage.sync_dir(dir)?;
        entry.tombstones = Some(TombstonesEntry { file, n_removed: tombstones.n_removed(), seal });
        Ok(())
    }

    /// Removes what no manifest names: an unfinished build, segments, tombstones and receipts of commits that never came, segments and
    /// tombstones of commits that are no more, a manifest that was not finished, temporary files whose removal failed.
    pub(crate) fn remove_leftovers(&self) -> Result<()> {
        let storage = &*self.storage;
        storage.remove_dir_all(Path::new(BUILDING))?;
        Manifest::remove_unfinished(storage)?;
        // Where it is not known which segments are in force, none may go.
        self.refuse_if_in_doubt()?;
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
                if is_scratch_name(&name) || is_tombstones_name(&name) && Some(&name) != current {
                    storage.remove_file(&dir.join(name))?;
                }
            }
        }
        match &self.current {
            Some(index) => {
                Receipt::remove_after(storage, index.generation())?;
                index.manifest().remove_older(storage)
            }
            None => Ok(()),
        }
    }
}

/// Tells whether a name is that of a temporary file of a build ([`super::catalog`], [`super::spill`]).
fn is_scratch_name(name: &str) -> bool {
    name.starts_with("catalog-") || Path::new(name).extension().is_some_and(|ending| ending == "spill")
}

/// Refuses a folder without a manifest that holds anything but what a first commit leaves behind when it dies: what is in it belongs to
/// somebody else, or it is an index whose manifest was lost.
fn refuse_foreign(storage: &dyn Storage) -> Result<()> {
    let is_of_first_commit = |name: &str| {
        [LOCK, BUILDING, UNFINISHED_MANIFEST].contains(&name)
            || name.starts_with("seg-000001-") && is_segment_name(name)
    };
    match storage.list(Path::new(""))?.into_iter().find(|name| !is_of_first_commit(name)) {
        Some(found) => Err(Error::ForeignFolder { path: storage.display_path(Path::new("")), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;
    use crate::recipe::PUBLIC_SEED;

    #[test]
    fn the_last_number_of_a_commit_is_the_last() {
        let storage = MemoryStorage::default();
        for (generation, expected) in [(u32::MAX - 1, Some(u32::MAX)), (u32::MAX, None)] {
            Manifest { generation, recipe: Recipe::default(), segments: Vec::new() }.commit(&storage).unwrap();
            let mut writer = IndexWriter::open(Arc::new(storage.clone()), PUBLIC_SEED).unwrap();
            assert_eq!(writer.next_generation().ok(), expected.map(Generation));
            assert_eq!(writer.commit(None).unwrap(), Generation(generation), "nothing to change");
            assert!(writer.current().unwrap().is_newest(&storage).unwrap());
            match (writer.commit_segments(Vec::new()), expected) {
                (Ok(_), Some(_)) => storage.remove_file(Path::new("MANIFEST-4294967295")).unwrap(),
                (Err(error), None) => assert_eq!(error.kind(), crate::error::ErrorKind::Incompatible, "{error}"),
                (committed, _) => panic!("{generation}: {committed:?}"),
            }
        }
    }
}
