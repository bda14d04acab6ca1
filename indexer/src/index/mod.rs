//! Index files: how they are written, committed and read back.
//!
//! An index is a folder: one `MANIFEST-n` and immutable segments. `docs/index-format.md` describes every byte. All input and
//! output goes through the [`storage::Storage`] trait; every file is a [`block_file`] whose blocks are checked before their first use.

pub mod block_file;
pub mod catalog;
pub mod damage;
pub mod documents;
pub mod key_table;
pub mod manifest;
pub mod mmap;
pub mod prepared;
pub mod radix;
pub mod receipt;
pub mod segment;
pub mod segment_writer;
pub mod snapshot;
pub mod spill;
pub mod storage;
pub mod text;
pub mod tombstones;
pub mod writer;
