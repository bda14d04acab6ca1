//! Indexes that are followed: a check sees what was committed before it began.
//!
//! Before a check two looks at the index folder (2 us) tell whether there is a newer generation ([`Index::is_newest`]). The first check that
//! meets one opens it, sharing all segments that are still there, while others wait for it; checks under way keep their snapshot. A newer
//! generation that cannot be opened is an error: the old one may hold documents that were removed.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};

use crate::error::Result;

/// A snapshot of an index, with the name under which answers show it.
#[derive(Debug, Clone)]
pub(super) struct NamedIndex {
    pub(super) name: Arc<str>,
    pub(super) index: Arc<Index>,
}

/// An index under its name, in the newest generation that was seen.
#[derive(Debug)]
pub(super) struct FollowedIndex {
    name: Arc<str>,
    /// Where newer generations appear; `None` for a snapshot that stays as it is.
    storage: Option<Arc<dyn Storage>>,
    newest: Mutex<Arc<Index>>,
}

impl FollowedIndex {
    /// Takes a snapshot that stays as it is.
    pub(super) fn fixed(name: String, index: Index) -> Self {
        Self { name: name.into(), storage: None, newest: Mutex::new(Arc::new(index)) }
    }

    /// Opens an index and follows it.
    pub(super) fn open(name: String, storage: Arc<dyn Storage>, seed: u64) -> Result<Self> {
        let index = Index::open(&*storage, seed)?;
        Ok(Self { storage: Some(storage), ..Self::fixed(name, index) })
    }

    /// Opens the indexes of some folders, each under the name of its folder.
    pub(super) fn open_dirs(dirs: &[impl AsRef<Path>], seed: u64) -> Result<Vec<Self>> {
        let name_of = |dir: &Path| dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let open = |dir: &Path| {
            // Two folders of one name are told apart by their paths.
            let is_alone = dirs.iter().filter(|other| name_of(other.as_ref()) == name_of(dir)).count() == 1;
            let name = name_of(dir).filter(|_| is_alone).unwrap_or_else(|| dir.display().to_string());
            Self::open(name, Arc::new(DiskStorage::new(dir)), seed)
        };
        dirs.iter().map(|dir| open(dir.as_ref())).collect()
    }

    /// Returns the newest generation.
    ///
    /// # Errors
    /// Where a newer one is there and cannot be opened, or the index is gone. The next call tries again.
    pub(super) fn newest(&self) -> Result<NamedIndex> {
        let named = |index: &Arc<Index>| NamedIndex { name: Arc::clone(&self.name), index: Arc::clone(index) };
        let seen = named(&lock(&self.newest));
        let Some(storage) = &self.storage else { return Ok(seen) };
        // The look at the folder may be slow where it is not on this machine: nobody waits for another's.
        if seen.index.is_newest(&**storage)? {
            return Ok(seen);
        }
        let mut newest = lock(&self.newest);
        if !newest.is_newest(&**storage)? {
            *newest = Arc::new(newest.reopen(&**storage)?);
        }
        Ok(named(&newest))
    }
}

/// A panic elsewhere leaves the old snapshot, which the next call looks at anew.
fn lock(newest: &Mutex<Arc<Index>>) -> MutexGuard<'_, Arc<Index>> {
    newest.lock().unwrap_or_else(PoisonError::into_inner)
}
