//! Hard caps: every bound on work, memory and untrusted lengths, with its unit and its reason.

/// Longest document that is indexed unless told otherwise, in bytes of text (32 MiB). Longer ones are skipped and counted:
/// web-scale corpora have none that are prose, and one document's words (16 bytes each) must fit beside the build's buffers.
pub const DOCUMENT_BYTES_MAX: u32 = 32 << 20;

/// Longest document that is cut into lexemes, in bytes (256 KiB): 11 MiB of working memory where lexemes are short. Longer files are tables
/// of data that a program wrote; they are compared word by word.
pub const LEXED_BYTES_MAX: usize = 256 << 10;

/// Longest document whose syntax tree is built, in bytes (192 KiB): up to 18 MiB of working memory, see [`MemoryPlan`](crate::memory::MemoryPlan).
pub const PARSED_BYTES_MAX: usize = 192 << 10;

/// Memory of a build unless told otherwise, in bytes (2 GiB): the postings of 25 GB of text without a temporary file.
pub const BUILD_MEMORY_BYTES: usize = 2 << 30;

/// Least memory of a build, in bytes (64 MiB): below it sorted runs get so small that merging them costs more than sorting.
pub const BUILD_MEMORY_BYTES_MIN: usize = 64 << 20;

/// Longest line of a JSON lines file, in bytes: a document of [`DOCUMENT_BYTES_MAX`] with every byte escaped as `\u00XX`,
/// and its metadata.
pub const LINE_BYTES_MAX: usize = 6 * (DOCUMENT_BYTES_MAX as usize) + (1 << 20);

/// Longest id, URI, licence, origin or shard name, in bytes. A longer one is an error of its row: attributes are shown to
/// people and kept whole in memory per match.
pub const ATTRIBUTE_BYTES_MAX: usize = 4096;

/// Longest manifest, in bytes: 60,000 segments of 1 KiB each, which is more text than anybody has. It is copied before it is read.
pub const MANIFEST_BYTES_MAX: usize = 64 << 20;

/// Longest line of a receipt, in bytes: five attributes with every byte escaped as `\u00XX`, and the keys.
pub const RECEIPT_LINE_BYTES_MAX: usize = 5 * 6 * ATTRIBUTE_BYTES_MAX + 1024;

/// Most postings stored per key. Above it the true count is kept and the first postings in a fixed order; 64 because 99.9 % of the
/// keys of real prose have fewer and the rest is boilerplate.
pub const POSTINGS_PER_KEY_MAX: usize = 64;

/// Most origins of one key that are told apart; more count as so many. Far above any threshold of commonness, and 1 MiB of memory while
/// the key is written.
pub const ORIGINS_COUNTED_MAX: usize = 1 << 16;

/// Most documents in one segment: 64 bands each (of code; prose has 32) must stay below the 2^32 postings of a key table, fillers
/// included, and tantivy's document numbers below 2^31.
pub const SEGMENT_DOCS_MAX: u32 = 50_000_000;

/// Most text in one segment, in bytes: anchor positions have 40 bits. 64 GiB keeps a merge of two segments far below that.
pub const SEGMENT_TEXT_BYTES_MAX: u64 = 64 << 30;
