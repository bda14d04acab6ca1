//! Read-only bytes of a file: mapped from disk, or held in memory by tests. The only place of the index that has `unsafe`.

#![expect(unsafe_code, reason = "mapping a file is unsafe: another process could change it")]

use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Advice, Mmap};

/// The bytes of a file, cheap to clone. Index files are immutable once committed, so that the bytes never change; what they
/// say is checked by [`super::block_file`] all the same.
#[derive(Clone)]
pub struct FileBytes(Arc<Source>);

enum Source {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl FileBytes {
    /// Maps a file.
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::from_vec(Vec::new()));
        }
        // SAFETY: the map is read-only and private to this process; index files are written once, under a temporary name, and
        // never changed after the commit that names them (index/manifest.rs), so no reference is invalidated by us. Bytes changed by
        // somebody else are caught by checksums before use (index/block_file.rs) and no type with invalid values is ever made of them.
        let map = unsafe { Mmap::map(file.file()) }?;
        Ok(Self(Arc::new(Source::Mapped(map))))
    }

    /// Takes bytes that are in memory already.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Source::Owned(bytes)))
    }

    /// Asks the operating system to read a range ahead; a hint without a result. Does nothing for bytes in memory.
    pub fn prefetch(&self, range: Range<usize>) {
        if let Source::Mapped(map) = &*self.0
            && range.start < range.end
            && range.end <= map.len()
        {
            // A refused hint costs only time.
            let _ = map.advise_range(Advice::WillNeed, range.start, range.end - range.start);
        }
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Source::Mapped(map) => map,
            Source::Owned(bytes) => bytes,
        }
    }
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &*self.0 {
            Source::Mapped(_) => "mapped",
            Source::Owned(_) => "owned",
        };
        write!(f, "FileBytes({source}, {} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_owned_bytes_agree() {
        let dir = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"x", &[7; 10_000]] {
            let path = dir.path().join("file");
            fs_err::write(&path, content).unwrap();
            let mapped = FileBytes::map(&path).unwrap();
            mapped.prefetch(0..content.len());
            assert_eq!(&*mapped, content);
            assert_eq!(&*FileBytes::from_vec(content.to_vec()), content);
        }
    }
}
