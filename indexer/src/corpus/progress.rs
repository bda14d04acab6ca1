//! How far a reader is, for whoever watches it from another thread.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a reader is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Files read to their end, or given up.
    pub files_done: u64,
    /// Files in all.
    pub files: u64,
    /// Bytes consumed, as stored (compressed); they grow steadily within a file too.
    pub input_bytes_done: u64,
    /// Bytes in all, as stored, when the files were listed.
    pub input_bytes: u64,
}

/// A handle on the progress of a reader: cheap to clone, and valid after the reader is gone.
#[derive(Debug, Clone)]
pub struct ProgressHandle(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    files_done: AtomicU64,
    files: u64,
    input_bytes_done: AtomicU64,
    input_bytes: u64,
}

impl ProgressHandle {
    pub(super) fn new(files: u64, input_bytes: u64) -> Self {
        let (files_done, input_bytes_done) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Counters { files_done, files, input_bytes_done, input_bytes }))
    }

    /// Returns how far the reader is now.
    pub fn now(&self) -> Progress {
        Progress {
            files_done: self.0.files_done.load(Ordering::Relaxed),
            files: self.0.files,
            input_bytes_done: self.0.input_bytes_done.load(Ordering::Relaxed).min(self.0.input_bytes),
            input_bytes: self.0.input_bytes,
        }
    }

    /// Starts a file; the bytes of those before it are done.
    pub(super) fn start_file(&self, bytes_before: u64, file_bytes: u64) -> FileProgress {
        FileProgress { handle: self.clone(), bytes_before, file_bytes }
    }

    pub(super) fn finish_file(&self, bytes_with_it: u64) {
        self.0.input_bytes_done.store(bytes_with_it, Ordering::Relaxed);
        self.0.files_done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Progress within one file.
#[derive(Debug, Clone)]
pub(super) struct FileProgress {
    handle: ProgressHandle,
    bytes_before: u64,
    file_bytes: u64,
}

impl FileProgress {
    /// Notes how many bytes of the file are consumed.
    pub(super) fn set(&self, bytes: u64) {
        // A file that grows while it is read does not run ahead of the next one.
        let done = self.bytes_before + bytes.min(self.file_bytes);
        self.handle.0.input_bytes_done.store(done, Ordering::Relaxed);
    }

    /// Returns the file's length, in bytes as stored.
    #[cfg(feature = "parquet")]
    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}

/// A file whose reading is counted.
#[derive(Debug)]
pub(super) struct CountedFile {
    file: fs_err::File,
    bytes: u64,
    progress: Option<FileProgress>,
}

impl CountedFile {
    pub(super) fn new(file: fs_err::File, progress: Option<FileProgress>) -> Self {
        Self { file, bytes: 0, progress }
    }
}

impl Read for CountedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.bytes += n as u64;
        if let Some(progress) = &self.progress {
            progress.set(self.bytes);
        }
        Ok(n)
    }
}
