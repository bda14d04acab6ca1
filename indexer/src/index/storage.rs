//! The door to the disk: every read and write of index files goes through [`Storage`].
//!
//! One trait, so that tests can put a simulated disk behind it that crashes, fills up, tears writes or fails any single call.
//! Paths are relative to the index folder. The contract is that of a POSIX file system: data is durable after [`WriteFile::sync`],
//! a name is durable after [`Storage::sync_dir`] of its folder, and [`Storage::rename`] replaces atomically.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::mmap::FileBytes;
use crate::error::{Error, Result};

/// A place where index files live.
pub trait Storage: Debug + Send + Sync {
    /// Returns the name under which messages show `path`.
    fn display_path(&self, path: &Path) -> PathBuf;
    /// Returns the names in a folder, sorted; an absent folder has none.
    fn list(&self, dir: &Path) -> Result<Vec<String>>;
    /// Tells whether there is a file or folder of that name. Cost: one look at the folder (1 us), nothing is opened.
    ///
    /// # Errors
    /// Where it cannot be told: "not there" is only said of what is not there.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> Result<FileBytes>;
    /// Creates a file; one of that name must not be there.
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>>;
    /// Creates a folder and those above it; it may be there already. The index folder itself (the empty path) is durable afterwards, with
    /// those above it; of all others [`sync_dir`](Self::sync_dir) makes the names durable.
    fn create_dir(&self, path: &Path) -> Result<()>;
    /// Renames a file or folder, replacing a file of the new name.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> Result<()>;
    /// Removes a folder and all in it; an absent one is no error.
    fn remove_dir_all(&self, path: &Path) -> Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Takes the writer's lock, held until the guard is dropped (or the process ends).
    ///
    /// # Errors
    /// [`Error::Locked`] at once where another writer holds it.
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>>;
}

/// A file that is being written, from start to end.
pub trait WriteFile: Write + Send {
    /// Makes all that was written durable. After a failure the file must be given up: a second try proves nothing.
    fn sync(&mut self) -> io::Result<()>;
}

/// Files of a folder on disk.
#[derive(Debug, Clone)]
pub struct DiskStorage {
    root: PathBuf,
}

impl DiskStorage {
    /// Makes the storage of the folder `root`; the folder need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl WriteFile for fs_err::File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Storage for DiskStorage {
    fn display_path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let path = self.root.join(dir);
        let entries = match fs_err::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("list", &path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &path))?;
            // A name that is not UTF-8 is not one of ours.
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let path = self.root.join(path);
        path.try_exists().map_err(Error::io("look for", &path))
    }

    fn open(&self, path: &Path) -> Result<FileBytes> {
        let path = self.root.join(path);
        FileBytes::map(&path).map_err(Error::io("open", &path))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        let path = self.root.join(path);
        let file = fs_err::OpenOptions::new().write(true).create_new(true).open(&path);
        Ok(Box::new(file.map_err(Error::io("create", &path))?))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() {
            return create_durably(&self.root);
        }
        let path = self.root.join(path);
        fs_err::create_dir_all(&path).map_err(Error::io("create", &path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (self.root.join(from), self.root.join(to));
        fs_err::rename(&from, &to).map_err(Error::io("rename", &from))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        let path = self.root.join(path);
        fs_err::remove_file(&path).map_err(Error::io("remove", &path))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        let path = self.root.join(path);
        match fs_err::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        sync_folder(&self.root.join(path))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        let path = self.root.join(path);
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        match file.file().try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked { index: self.root.clone(), lock: path }),
            Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
        }
    }
}

fn sync_folder(path: &Path) -> Result<()> {
    let sync = || fs_err::File::open(path)?.sync_all();
    sync().map_err(Error::io("sync", path))
}

/// Creates a folder and those above it, the name of each durable before the next is made.
fn create_durably(path: &Path) -> Result<()> {
    let is_there = |dir: &Path| dir.as_os_str().is_empty() || dir.try_exists().unwrap_or(true);
    let first_there = path.ancestors().position(is_there).unwrap_or(0);
    let dirs: Vec<&Path> = path.ancestors().take(first_there + 1).collect();
    for (depth, &dir) in dirs.iter().rev().enumerate() {
        if depth > 0 {
            fs_err::create_dir_all(dir).map_err(Error::io("create", dir))?;
        }
        let Some(above) = dir.parent() else { continue };
        // The first was there, but perhaps made by a process that died before its sync.
        match sync_folder(if above.as_os_str().is_empty() { Path::new(".") } else { above }) {
            Err(Error::Io { source, .. }) if depth == 0 && source.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    // Says so where a file is in the way.
    fs_err::create_dir_all(path).map_err(Error::io("create", path))
}

/// Files in memory: for tests, and the model that disk behaviour is compared with.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    files: Arc<Mutex<BTreeMap<PathBuf, Content>>>,
    is_locked: Arc<Mutex<bool>>,
}

/// The bytes of a file in memory, shared with whoever writes them.
type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Debug)]
struct MemoryFile(Content);

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hold(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryLock(Arc<Mutex<bool>>);

impl Drop for MemoryLock {
    fn drop(&mut self) {
        *hold(&self.0) = false;
    }
}

/// A panic elsewhere leaves these maps whole: every change is one call.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(operation: &'static str, path: &Path) -> Error {
    Error::io(operation, path)(io::ErrorKind::NotFound.into())
}

impl Storage for MemoryStorage {
    fn display_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let files = hold(&self.files);
        let below = files.keys().filter_map(|path| path.strip_prefix(dir).ok());
        let mut names: Vec<String> = below
            .filter_map(|rest| rest.components().next())
            .filter_map(|name| name.as_os_str().to_str().map(String::from))
            .collect();
        names.dedup();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(hold(&self.files).range(path.to_path_buf()..).next().is_some_and(|(file, _)| file.starts_with(path)))
    }

    fn open(&self, path: &Path) -> Result<FileBytes> {
        let files = hold(&self.files);
        let file = files.get(path).ok_or_else(|| not_found("open", path))?;
        Ok(FileBytes::from_vec(hold(file).clone()))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        let mut files = hold(&self.files);
        if files.contains_key(path) {
            return Err(Error::io("create", path)(io::ErrorKind::AlreadyExists.into()));
        }
        let file = Arc::new(Mutex::new(Vec::new()));
        files.insert(path.to_path_buf(), Arc::clone(&file));
        Ok(Box::new(MemoryFile(file)))
    }

    fn create_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut files = hold(&self.files);
        let moved: Vec<PathBuf> = files.keys().filter(|path| path.starts_with(from)).cloned().collect();
        if moved.is_empty() {
            return Err(not_found("rename", from));
        }
        for path in moved {
            let rest = path.strip_prefix(from).unwrap_or(Path::new(""));
            let target = if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) };
            if let Some(file) = files.remove(&path) {
                files.insert(target, file);
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        hold(&self.files).remove(path).map(drop).ok_or_else(|| not_found("remove", path))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        hold(&self.files).retain(|file, _| !file.starts_with(path));
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        let mut is_locked = hold(&self.is_locked);
        if *is_locked {
            return Err(Error::Locked { index: PathBuf::new(), lock: path.to_path_buf() });
        }
        *is_locked = true;
        Ok(Box::new(MemoryLock(Arc::clone(&self.is_locked))))
    }
}
