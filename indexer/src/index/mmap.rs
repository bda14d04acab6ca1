//! Read-only bytes of a file: mapped from disk, or held in memory by tests. The only place of the index that has `unsafe`.

#![expect(unsafe_code, reason = "mapping a file is unsafe: another process could change it")]

use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Advice, Mmap, UncheckedAdvice};
use stable_deref_trait::StableDeref;

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

    /// Tells the operating system that what was read so far is not needed soon, so that it stops counting as memory of this
    /// process; a hint without a result. What is read again comes from the file again. Does nothing for bytes in memory.
    pub fn release(&self) {
        if let Source::Mapped(map) = &*self.0 {
            // SAFETY: `MADV_DONTNEED` drops pages, and a dropped page is read from the file again on its next use. The map is a
            // read-only view of a file that does not change (see `map` above), so every reference into it sees the same bytes as before.
            // A refused hint costs only memory.
            let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        }
    }

    /// Returns a range of the bytes as a handle of its own, or `None` where the range ends after the file.
    pub fn share(&self, range: Range<usize>) -> Option<SharedBytes> {
        (range.start <= range.end && range.end <= self.len()).then(|| SharedBytes { file: self.clone(), range })
    }
}

/// A range of a file's bytes that keeps the file open; cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedBytes {
    file: FileBytes,
    range: Range<usize>,
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.file[self.range.clone()]
    }
}

// SAFETY: the bytes live behind the `Arc` of `FileBytes`, which neither moves nor changes them while any clone is alive (a map has a
// fixed address, the `Vec` is never touched after `from_vec`), and `range` never changes after `share` checked it. So moving or
// cloning a `SharedBytes` leaves the address and the content of what it derefs to as they are.
unsafe impl StableDeref for SharedBytes {}

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
            mapped.release();
            assert_eq!(&*mapped, content, "released pages come back");
        }
    }

    #[test]
    fn shared_ranges_outlive_the_file_and_never_leave_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..=250).cycle().take(10_000).collect();
        fs_err::write(&path, &content).unwrap();
        for file in [FileBytes::map(&path).unwrap(), FileBytes::from_vec(content.clone())] {
            for (range, is_inside) in
                [(0..10_000, true), (10_000..10_000, true), (77..4_200, true), (9_999..10_001, false)]
            {
                let shared = file.clone().share(range.clone());
                assert_eq!(shared.as_deref(), is_inside.then(|| &content[range]));
            }
            let shared = file.share(5..15).unwrap();
            let address = shared.as_ptr();
            drop(file);
            let moved = Box::new(shared.clone());
            assert_eq!((moved.as_ptr(), &**moved), (address, &content[5..15]));
        }
    }
}
