//! Blocks of compressed files that stay in memory from stage to stage, as far as there is room: an input that fits is decompressed once instead of
//! three times.
//!
//! Only within one process, and only what `sign` has read to its end, so that a block is what was signed. A share of the memory is the bound, whatever the
//! input; what does not fit is read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use copytrace_indexer::corpus::lines::LineBlock;

/// What blocks take beside their bytes.
const BLOCK_OVERHEAD_BYTES: usize = 128;

/// A file that was read to its end.
#[derive(Debug)]
pub(super) struct CachedFile {
    /// Each block with the stored bytes that were read for it and those before.
    pub(super) blocks: Vec<(LineBlock, u64)>,
    /// Hash of the stored bytes.
    pub(super) checksum: u64,
}

/// Files by path.
#[derive(Debug)]
pub(super) struct BlockCache(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    files: BTreeMap<PathBuf, Arc<CachedFile>>,
    bytes_left: usize,
}

/// A file that is being read, and may be kept.
#[derive(Debug, Default)]
pub(super) struct Recording {
    blocks: Vec<(LineBlock, u64)>,
    n_bytes: usize,
    /// Whether it is too long, or to be read once only.
    is_over: bool,
}

impl BlockCache {
    /// Makes one that holds at most so many bytes; with none it holds nothing.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self(Mutex::new(Inner { files: BTreeMap::new(), bytes_left: bytes_max }))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a file that is kept.
    pub(super) fn file(&self, path: &Path) -> Option<Arc<CachedFile>> {
        self.inner().files.get(path).cloned()
    }

    /// Adds a block to a recording, unless there is no room for it.
    pub(super) fn record(&self, recording: &mut Recording, block: &LineBlock, stored_bytes: u64) {
        if recording.is_over {
            return;
        }
        let n_bytes = block.bytes.len() + BLOCK_OVERHEAD_BYTES;
        let mut inner = self.inner();
        if let Some(left) = inner.bytes_left.checked_sub(n_bytes) {
            inner.bytes_left = left;
            recording.n_bytes += n_bytes;
            recording.blocks.push((block.clone(), stored_bytes));
        } else {
            inner.bytes_left += recording.n_bytes;
            *recording = Recording { is_over: true, ..Recording::default() };
        }
    }

    /// Keeps a file that was read to its end.
    pub(super) fn keep(&self, path: &Path, recording: &mut Recording, checksum: u64) {
        if !std::mem::replace(&mut recording.is_over, true) {
            let file = CachedFile { blocks: std::mem::take(&mut recording.blocks), checksum };
            self.inner().files.insert(path.to_path_buf(), Arc::new(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_and_what_does_not_gives_its_room_back() {
        let block = |n: usize| LineBlock { bytes: vec![7; n], ..LineBlock::default() };
        let cache = BlockCache::new(3_000);
        let (mut long, mut short) = (Recording::default(), Recording::default());
        for n in 0..4 {
            cache.record(&mut long, &block(1_000), n);
        }
        cache.keep(Path::new("long"), &mut long, 1);
        assert!(cache.file(Path::new("long")).is_none());
        cache.record(&mut short, &block(2_500), 9);
        cache.keep(Path::new("short"), &mut short, 2);
        let kept = cache.file(Path::new("short")).expect("fits");
        assert_eq!((kept.blocks.len(), kept.blocks[0].1, kept.checksum), (1, 9, 2));
    }
}
