//! Indexes that are followed: a check sees what was committed before it began.
//!
//! Before a check two looks at the index folder (2 us) tell whether there is a newer generation ([`Index::is_newest`]). The first check that
//! meets one opens it, sharing all segments that are still there; checks that begin meanwhile wait for it, [`WAIT_MAX`] at most. Where that is
//! not enough they have the generation before and are told so: it may hold documents that were removed. A newer generation that cannot be
//! opened is an error for all, for the same reason. It is tried again after a second, not by every check.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::{DiskStorage, Storage};

use crate::error::{Error, Result};

/// Time for which a generation that could not be opened is not tried again: opening it may cost much, and checks come by thousands.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Time for which a check waits while another one opens a newer generation: a fifth of the default budget of the service. Opening one takes 1 ms warm,
/// 30 to 150 ms where the disk must be read.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// A snapshot of an index, with the name under which answers show it.
#[derive(Debug, Clone)]
pub(super) struct NamedIndex {
    pub(super) name: Arc<str>,
    pub(super) index: Arc<Index>,
    /// Whether there is a newer one, which another thread is still opening.
    pub(super) is_outdated: bool,
}

/// An index under its name, in the newest generation that was seen.
#[derive(Debug)]
pub(super) struct FollowedIndex {
    name: Arc<str>,
    /// Where newer generations appear; `None` for a snapshot that stays as it is.
    storage: Option<Arc<dyn Storage>>,
    /// Locked for as long as it takes to copy or replace it.
    newest: Mutex<Seen>,
    /// Locked by the one that opens a newer generation.
    opening: Mutex<()>,
    /// Told when that one is done.
    opened: Condvar,
}

/// The newest generation that was opened, and what became of the attempt to open a newer one.
#[derive(Debug, Clone)]
struct Seen {
    index: Arc<Index>,
    failure: Option<Failure>,
}

/// Why a newer generation could not be opened, and when that was.
#[derive(Debug, Clone)]
struct Failure {
    at: Instant,
    error: Arc<Error>,
}

impl FollowedIndex {
    /// Takes a snapshot that stays as it is.
    pub(super) fn fixed(name: String, index: Index) -> Self {
        let seen = Seen { index: Arc::new(index), failure: None };
        Self {
            name: name.into(),
            storage: None,
            newest: Mutex::new(seen),
            opening: Mutex::default(),
            opened: Condvar::new(),
        }
    }

    /// Opens an index and follows it.
    pub(super) fn open(name: String, storage: Arc<dyn Storage>, seed: u64) -> Result<Self> {
        let index = Index::open(&*storage, seed)?;
        Ok(Self { storage: Some(storage), ..Self::fixed(name, index) })
    }

    /// Opens the indexes of some folders, each under the name of its folder.
    pub(super) fn open_dirs(dirs: &[impl AsRef<Path>], seed: u64) -> Result<Vec<Self>> {
        let open = |dir: &Path| {
            // Two folders of one name are told apart by their paths.
            let is_alone = dirs.iter().filter(|other| index_name(other.as_ref()) == index_name(dir)).count() == 1;
            let name = if is_alone { index_name(dir) } else { dir.display().to_string() };
            Self::open(name, Arc::new(DiskStorage::new(dir)), seed)
        };
        dirs.iter().map(|dir| open(dir.as_ref())).collect()
    }

    /// Returns the newest generation, or the one before where another thread has been opening it for [`WAIT_MAX`].
    ///
    /// # Errors
    /// Where a newer one is there and cannot be opened, or the index is gone.
    pub(super) fn newest(&self) -> Result<NamedIndex> {
        self.newest_at(Instant::now())
    }

    fn newest_at(&self, now: Instant) -> Result<NamedIndex> {
        let named = |index: Arc<Index>| NamedIndex { name: Arc::clone(&self.name), index, is_outdated: false };
        let seen = lock(&self.newest).clone();
        let Some(storage) = &self.storage else { return Ok(named(seen.index)) };
        if seen.index.is_newest(&**storage)? {
            return Ok(named(seen.index));
        }
        seen.refuse(now)?;
        let _opening = match self.opening.try_lock() {
            Ok(opening) => opening,
            // A panic while another thread opened it left nothing half done.
            Err(TryLockError::Poisoned(opening)) => opening.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let failed_at = |seen: &Seen| seen.failure.as_ref().map(|failure| failure.at);
                let is_pending =
                    |now: &mut Seen| Arc::ptr_eq(&now.index, &seen.index) && failed_at(now) == failed_at(&seen);
                let waited = self.opened.wait_timeout_while(lock(&self.newest), WAIT_MAX, is_pending);
                let (newest, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                newest.refuse(now)?;
                return Ok(NamedIndex { is_outdated: timeout.timed_out(), ..named(Arc::clone(&newest.index)) });
            }
        };
        // Another thread may have opened it, or failed to, since the look above.
        let seen = lock(&self.newest).clone();
        if seen.index.is_newest(&**storage)? {
            return Ok(named(seen.index));
        }
        seen.refuse(now)?;
        match seen.index.reopen(&**storage) {
            Ok(index) => {
                let index = Arc::new(index);
                *lock(&self.newest) = Seen { index: Arc::clone(&index), failure: None };
                self.opened.notify_all();
                Ok(named(index))
            }
            Err(error) => {
                let error = Arc::new(Error::from(error));
                lock(&self.newest).failure = Some(Failure { at: now, error: Arc::clone(&error) });
                self.opened.notify_all();
                Err(Error::Again(error))
            }
        }
    }
}

impl Seen {
    /// Tells the last failure again, while it is fresh.
    fn refuse(&self, now: Instant) -> Result<()> {
        match &self.failure {
            Some(failure) if now.saturating_duration_since(failure.at) < RETRY_AFTER => {
                Err(Error::Again(Arc::clone(&failure.error)))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the name under which the index in a folder is shown: that of the folder.
pub(crate) fn index_name(dir: &Path) -> String {
    dir.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Locks what stays sound when a thread that had it panics.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use copytrace_indexer::index::storage::MemoryStorage;
    use copytrace_indexer::index::writer::IndexWriter;
    use copytrace_indexer::pipeline::{BuildOptions, BuildProgress, build};
    use copytrace_indexer::recipe::PUBLIC_SEED;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_generation_that_cannot_be_opened_is_tried_again_after_a_second() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let commit = || {
            let mut writer = IndexWriter::open(Arc::clone(&storage), PUBLIC_SEED).expect("no other writer");
            let document = copytrace_indexer::corpus::Document {
                id: format!("after {:?}", writer.current().map(Index::generation)),
                text: "a text".into(),
                attributes: copytrace_indexer::corpus::Attributes::default(),
            };
            let row = copytrace_indexer::corpus::Row::Document(Box::new(document));
            build(&mut writer, std::iter::once(Ok(row)), BuildOptions::default(), &BuildProgress::default())
                .expect("committed");
        };
        commit();
        let followed = FollowedIndex::open("index".into(), Arc::clone(&storage), PUBLIC_SEED).expect("opens");
        commit();
        let path = Path::new("MANIFEST-000002");
        let sound = storage.open(path).expect("is there").to_vec();
        let write = |bytes: &[u8]| {
            storage.remove_file(path).expect("is there");
            storage.create(path).expect("writable").write_all(bytes).expect("writable");
        };
        let start = Instant::now();
        let generation = |ms: u64| {
            let newest = followed.newest_at(start + Duration::from_millis(ms));
            newest.map(|named| named.index.generation().0).map_err(|error| error.kind())
        };
        write(&sound[..sound.len() - 1]);
        assert_eq!(generation(0), Err(ErrorKind::Corrupt));
        write(&sound);
        assert_eq!(generation(999), Err(ErrorKind::Corrupt), "not tried");
        assert_eq!(generation(1_000), Ok(2));
        commit();
        assert_eq!(generation(1_000), Ok(3));
    }
}
