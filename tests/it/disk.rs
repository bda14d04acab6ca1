//! A simulated disk behind the storage trait: it can lose power after any operation, and fail any single call.
//!
//! The model is a POSIX file system at its weakest. A write is durable after the sync of its file; a name (created, renamed, removed) after the
//! sync of its folder, a folder's own name after the sync of the folder above. Until then each change may be on disk or not, whatever
//! became of those before and after it. Only a rename is atomic. The disk keeps a log of all that was done, from which [`cut`] makes what
//! a power cut at any moment can leave behind.

pub(crate) mod cut;
pub(crate) mod tree;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copytrace_indexer::error::{Error, Result};
use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::storage::{Storage, WriteFile};

use self::tree::{Change, Node, NodeIdx, Tree};

/// Error numbers of the operating system.
pub(crate) const EINTR: i32 = 4;
pub(crate) const EIO: i32 = 5;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const ENOSPC: i32 = 28;

/// What was done to a disk.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A file or folder came to be, without a name yet.
    Made(Node),
    /// Something that is lost with the power until it is synced.
    Changed(Change),
    /// What was changed in a file or folder became durable.
    Synced(NodeIdx),
    /// A sync failed: what was changed in the file never becomes durable, whatever later syncs say.
    SyncFailed(NodeIdx),
    /// The work under way was reported as done.
    Done,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    List,
    Exists,
    Open,
    Create,
    CreateDir,
    Rename,
    RemoveFile,
    RemoveDirAll,
    SyncDir,
    Lock,
    Write,
    Flush,
    Sync,
}

impl Operation {
    /// The verb by which an error names it.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Exists => "look for",
            Self::Open => "open",
            Self::Create | Self::CreateDir => "create",
            Self::Rename => "rename",
            Self::RemoveFile | Self::RemoveDirAll => "remove",
            Self::SyncDir | Self::Sync => "sync",
            Self::Lock => "lock",
            Self::Write | Self::Flush => "write",
        }
    }
}

/// A call of the trait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) path: PathBuf,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done and the error returned.
    Fails(i32),
    /// All is done and the error returned all the same.
    DoneButFails(i32),
    /// A part is done: half of the bytes of a write, whose next call then fails; the first name of a folder that is removed.
    FailsHalfway(i32),
    /// Half of the bytes of a write are taken, which is no error.
    Short,
    /// No byte of a write is taken, and no error named.
    TakesNothing,
    /// This call and all after it fail: the device is gone.
    FailsFromNowOn(i32),
    /// This call and all after it that need space fail: the device is full.
    FullFromNowOn,
}

/// A disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    tree: Tree,
    log: Vec<Event>,
    calls: Vec<Call>,
    /// Which call fails, and how.
    fault: Option<(usize, Fault)>,
    failed_syncs: Vec<NodeIdx>,
    violations: Vec<String>,
    is_locked: bool,
}

impl Disk {
    /// A disk that holds `tree`, all of it durable.
    pub(crate) fn new(tree: Tree) -> Self {
        Self::with_log(tree, Vec::new())
    }

    /// The disk of a machine that goes on running when a process died: all that was done is there, and what was not synced is not durable.
    pub(crate) fn after_kill(start: &Tree, log: &[Event]) -> Self {
        let mut tree = start.clone();
        for event in log {
            match event {
                Event::Made(node) => tree.push(node.clone()),
                Event::Changed(change) => tree.apply(change),
                Event::Synced(_) | Event::SyncFailed(_) | Event::Done => {}
            }
        }
        Self::with_log(tree, log.to_vec())
    }

    fn with_log(tree: Tree, log: Vec<Event>) -> Self {
        let state = State {
            tree,
            log,
            calls: Vec::new(),
            fault: None,
            failed_syncs: Vec::new(),
            violations: Vec::new(),
            is_locked: false,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    /// Makes one call from now on fail; the next one is number 0.
    pub(crate) fn set_fault(&self, call: usize, fault: Fault) {
        let mut state = self.state();
        state.calls.clear();
        state.fault = Some((call, fault));
    }

    /// Lets all calls succeed again.
    pub(crate) fn mend(&self) {
        self.state().fault = None;
    }

    /// Notes that the work under way was reported as done.
    pub(crate) fn note_done(&self) {
        self.state().log.push(Event::Done);
    }

    pub(crate) fn tree(&self) -> Tree {
        self.state().tree.clone()
    }

    pub(crate) fn log(&self) -> Vec<Event> {
        self.state().log.clone()
    }

    /// Calls since the start or [`set_fault`](Self::set_fault).
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// What no program may do: use a file again whose sync failed.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call: notes it and tells whether it fails.
    fn call(&self, operation: Operation, path: &Path) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.state();
        let number = state.calls.len();
        state.calls.push(Call { operation, path: path.to_path_buf() });
        let needs_space = matches!(operation, Operation::Create | Operation::CreateDir | Operation::Write);
        let fault = state.fault.and_then(|(at, fault)| match fault {
            _ if number == at => Some(fault),
            Fault::FailsFromNowOn(_) if number > at => Some(fault),
            Fault::FullFromNowOn if number > at && needs_space => Some(fault),
            Fault::FailsHalfway(number_of_error) if number == at + 1 && operation == Operation::Write => {
                Some(Fault::Fails(number_of_error))
            }
            _ => None,
        });
        (state, fault)
    }

    /// Runs a call that is done as a whole or not at all.
    fn run<T>(&self, operation: Operation, path: &Path, work: impl FnOnce(&mut State) -> io::Result<T>) -> Result<T> {
        let (mut state, fault) = self.call(operation, path);
        let done = match fault {
            None => work(&mut state),
            Some(Fault::DoneButFails(number)) => {
                work(&mut state).and_then(|_| Err(io::Error::from_raw_os_error(number)))
            }
            Some(fault) => Err(error_of(fault)),
        };
        done.map_err(|source| Error::Io { operation: operation.verb(), path: path.to_path_buf(), source })
    }
}

fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::Fails(number)
        | Fault::DoneButFails(number)
        | Fault::FailsHalfway(number)
        | Fault::FailsFromNowOn(number) => io::Error::from_raw_os_error(number),
        Fault::FullFromNowOn => io::Error::from_raw_os_error(ENOSPC),
        Fault::Short | Fault::TakesNothing => io::ErrorKind::WriteZero.into(),
    }
}

impl State {
    fn change(&mut self, change: Change) {
        self.tree.apply(&change);
        self.log.push(Event::Changed(change));
    }

    /// Finds the folder in which `path` stands, and its name there.
    fn place(&self, path: &Path) -> io::Result<(NodeIdx, String)> {
        let folder = self.tree.find(path.parent().unwrap_or(Path::new(""))).ok_or(io::ErrorKind::NotFound)?;
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok((folder, name.to_owned()))
    }

    fn make(&mut self, path: &Path, node: Node) -> io::Result<NodeIdx> {
        let (folder, name) = self.place(path)?;
        if self.tree.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let made = self.tree.next_node();
        self.tree.push(node.clone());
        self.log.push(Event::Made(node));
        self.change(Change::Link { folder, name, node: made });
        Ok(made)
    }

    fn find_file(&self, path: &Path) -> io::Result<(NodeIdx, FileBytes)> {
        let node = self.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        let bytes = self.tree.file(node).ok_or(io::ErrorKind::IsADirectory)?;
        Ok((node, bytes.clone()))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.tree.find(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = self.tree.find(to).and_then(|node| self.tree.folder(node));
        if replaced.is_some_and(|folder| !folder.is_empty()) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        if self.failed_syncs.contains(&node) {
            self.violations.push(format!("`{}` was renamed after its sync failed", from.display()));
        }
        let ((from_folder, from), (to_folder, to)) = (self.place(from)?, self.place(to)?);
        self.change(Change::Rename { from_folder, from, to_folder, to, node });
        Ok(())
    }

    fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        self.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        self.change(Change::Unlink { folder, name });
        Ok(())
    }

    /// Removes what is in a folder, name by name as a program does, and the folder; where told so, ends after the first name.
    fn unlink_all(&mut self, path: &Path, is_halfway: bool) -> io::Result<()> {
        let Some(node) = self.tree.find(path) else { return Ok(()) };
        let names: Vec<String> = self.tree.folder(node).into_iter().flatten().map(|(name, _)| name.clone()).collect();
        for name in names {
            let below = path.join(name);
            match self.tree.find(&below).and_then(|node| self.tree.folder(node)) {
                Some(_) => self.unlink_all(&below, false)?,
                None => self.unlink(&below)?,
            }
            if is_halfway {
                return Ok(());
            }
        }
        self.unlink(path)
    }
}

impl Storage for Disk {
    fn display_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.run(Operation::List, dir, |state| {
            let folder = state.tree.find(dir).and_then(|node| state.tree.folder(node));
            Ok(folder.into_iter().flatten().map(|(name, _)| name.clone()).collect())
        })
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.run(Operation::Exists, path, |state| Ok(state.tree.find(path).is_some()))
    }

    fn open(&self, path: &Path) -> Result<FileBytes> {
        self.run(Operation::Open, path, |state| Ok(state.find_file(path)?.1))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>> {
        let made = |state: &mut State| state.make(path, Node::File(FileBytes::from_vec(Vec::new())));
        let node = self.run(Operation::Create, path, made)?;
        Ok(Box::new(DiskFile { disk: self.clone(), node, path: path.to_path_buf() }))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.run(Operation::CreateDir, path, |state| {
            for dir in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
                if state.tree.find(dir).is_none() {
                    state.make(dir, Node::Folder(std::collections::BTreeMap::new()))?;
                }
            }
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.run(Operation::Rename, from, |state| state.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.run(Operation::RemoveFile, path, |state| state.unlink(path))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        let (mut state, fault) = self.call(Operation::RemoveDirAll, path);
        let done = match fault {
            None => state.unlink_all(path, false),
            Some(fault) => {
                if matches!(fault, Fault::FailsHalfway(_)) {
                    state.unlink_all(path, true).expect("the folder is there or absent");
                }
                Err(error_of(fault))
            }
        };
        done.map_err(|source| Error::Io { operation: "remove", path: path.to_path_buf(), source })
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.run(Operation::SyncDir, path, |state| {
            let node = state.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
            state.log.push(Event::Synced(node));
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send>> {
        let is_free = self.run(Operation::Lock, path, |state| {
            if state.tree.find(path).is_none() {
                state.make(path, Node::File(FileBytes::from_vec(Vec::new())))?;
            }
            Ok(!std::mem::replace(&mut state.is_locked, true))
        })?;
        if !is_free {
            return Err(Error::Locked { index: PathBuf::new(), lock: path.to_path_buf() });
        }
        Ok(Box::new(DiskLock(self.clone())))
    }
}

struct DiskLock(Disk);

impl Drop for DiskLock {
    fn drop(&mut self) {
        self.0.state().is_locked = false;
    }
}

/// A file that is being written.
struct DiskFile {
    disk: Disk,
    node: NodeIdx,
    path: PathBuf,
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (mut state, fault) = self.disk.call(Operation::Write, &self.path);
        let n_taken = match fault {
            None => bytes.len(),
            // The smallest write that can be torn has two bytes.
            Some(Fault::Short | Fault::FailsHalfway(_)) => bytes.len().div_ceil(2),
            Some(Fault::TakesNothing) => return Ok(0),
            Some(fault) => return Err(error_of(fault)),
        };
        let start = state.tree.file(self.node).map_or(0, |file| file.len());
        state.change(Change::Write { node: self.node, start, bytes: bytes[..n_taken].into() });
        Ok(n_taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let (_state, fault) = self.disk.call(Operation::Flush, &self.path);
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }
}

impl WriteFile for DiskFile {
    fn sync(&mut self) -> io::Result<()> {
        let (mut state, fault) = self.disk.call(Operation::Sync, &self.path);
        if state.failed_syncs.contains(&self.node) {
            let again = format!("`{}` was synced again after its sync failed", self.path.display());
            state.violations.push(again);
        }
        if let Some(fault) = fault {
            state.failed_syncs.push(self.node);
            state.log.push(Event::SyncFailed(self.node));
            return Err(error_of(fault));
        }
        state.log.push(Event::Synced(self.node));
        Ok(())
    }
}

impl Default for Disk {
    /// An empty disk.
    fn default() -> Self {
        Self::new(Tree::default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use copytrace_indexer::index::storage::DiskStorage;
    use proptest::prelude::*;

    use super::*;

    const FILES: [&str; 6] = ["a", "b", "d/a", "d/b", "e/a", "e/b"];
    const FOLDERS: [&str; 2] = ["d", "e"];

    /// Does one operation. Returns whether it succeeded, and what it told.
    fn act(storage: &dyn Storage, (operation, one, other): (u8, usize, usize)) -> (bool, String) {
        let (file, to) = (Path::new(FILES[one % 6]), Path::new(FILES[other % 6]));
        let (folder, other_folder) = (Path::new(FOLDERS[one % 2]), Path::new(FOLDERS[(one + 1) % 2]));
        let mut told = String::new();
        let done = match operation {
            0 => storage.create_dir(folder),
            1 | 2 => storage.create(file).map(|mut created| {
                created.write_all(&vec![b'x'; other * 100]).unwrap();
                created.sync().unwrap();
            }),
            3 => storage.rename(file, to),
            4 => storage.rename(folder, other_folder),
            5 => storage.remove_file(file),
            6 => storage.remove_dir_all(folder),
            7 => storage.sync_dir(folder),
            8 => storage.list(folder).map(|names| told = names.join(" ")),
            _ => storage.open(file).map(|bytes| told = format!("{} bytes", bytes.len())),
        };
        if let Err(error) = &done {
            let Error::Io { operation, source, .. } = error else { panic!("another error: {error}") };
            told = format!("{operation}: {:?}", source.kind());
        }
        (done.is_ok(), told)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn it_behaves_as_a_real_one(operations in prop::collection::vec((0_u8..10, 0_usize..12, 0_usize..12), 1..60)) {
            let dir = tempfile::tempdir().unwrap();
            let real = DiskStorage::new(dir.path());
            let simulated = Disk::default();
            for operation in operations {
                prop_assert_eq!(act(&simulated, operation), act(&real, operation), "{:?}", operation);
            }
            let of_real: BTreeMap<_, _> =
                FILES.iter().filter_map(|file| Some((PathBuf::from(file), real.open(Path::new(file)).ok()?.to_vec()))).collect();
            let tree = simulated.tree();
            let of_simulated: BTreeMap<_, _> =
                tree.paths().into_iter().filter_map(|(path, bytes)| Some((path, bytes?.to_vec()))).collect();
            prop_assert_eq!(of_simulated, of_real);
        }
    }
}
