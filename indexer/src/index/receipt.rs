//! Receipts: which documents a merge dropped for good, for whoever must prove it.
//!
//! ```text
//! {"receipt":1,"generation":7,"time":"2026-11-23T09:30:00Z","documentCount":2,"documents":[
//! {"id":"a","reason":"removed",…},
//! {"id":"b","reason":"replaced",…}
//! ],
//! "checksum":"<xxh3-128 of all bytes before this line, 32 hex digits>"}
//! ```
//!
//! A file of JSON with a document a line, written and synced before the manifest that drops the documents. No manifest names it: a receipt
//! whose generation never came is removed by the next writer, and nothing else removes one. The checksum finds damage, it is no signature.
//! A receipt names documents and has no word of their texts. It is the only place of an index where a time stands.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::storage::{Storage, WriteFile};
use crate::error::{Error, Result};
use crate::ids::Generation;
use crate::limits::RECEIPT_LINE_BYTES_MAX;

/// The folder of receipts within an index.
pub const RECEIPTS: &str = "receipts";

/// Version of the layout of a receipt.
const RECEIPT_VERSION: u32 = 1;
const PREFIX: &str = "removed-";
const ENDING: &str = ".json";
/// What stands between the documents and the last line.
const DOCUMENTS_END: &[u8] = b"],";
/// What stands before the checksum.
const LAST_LINE: &str = "\"checksum\":\"";

/// Why a document was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The index holds no document of this id any more.
    Removed,
    /// The index holds another version of the document: the one that took its place.
    Replaced,
}

/// A document that a merge dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DroppedDocument {
    /// Its id.
    pub id: String,
    /// Why it was dropped.
    pub reason: Reason,
    /// xxh3-128 of its text, 32 hexadecimal digits.
    pub text_hash: String,
    /// Length of its text, in bytes.
    pub text_bytes: u64,
    /// Where a person found it; may be empty.
    pub uri: String,
    /// Its licence; may be empty.
    pub license: String,
    /// Its origin; may be empty.
    pub origin: String,
    /// Its training shard; may be empty.
    pub shard: String,
    /// The segment it was in.
    pub segment: String,
    /// The last commit that removed documents of that segment: this one was removed by it, or by an earlier one.
    pub removed_by_generation: u32,
}

/// A receipt as it is read; its documents are handed out one by one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// Version of its layout.
    pub receipt: u32,
    /// The commit that dropped the documents.
    pub generation: u32,
    /// When the receipt was begun, in UTC, by the clock of the machine.
    pub time: String,
    /// How many documents there are.
    pub document_count: u64,
    /// None: they stand on lines of their own.
    documents: [(); 0],
}

impl Receipt {
    /// Returns the path of a generation's receipt within the index folder.
    pub fn path(generation: Generation) -> PathBuf {
        Path::new(RECEIPTS).join(format!("{PREFIX}{:06}{ENDING}", generation.0))
    }

    /// Lists the generations that have a receipt, in order.
    pub fn list(storage: &dyn Storage) -> Result<Vec<Generation>> {
        let names = storage.list(Path::new(RECEIPTS))?;
        let mut generations: Vec<Generation> = names.iter().filter_map(|name| generation_of(name)).collect();
        generations.sort_unstable();
        Ok(generations)
    }

    /// Reads a receipt and checks all of it. `visit` is called with each document, in the order in which the index held them.
    ///
    /// Memory: a line at a time.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damage; what was handed out before counts for nothing.
    pub fn read(storage: &dyn Storage, generation: Generation, mut visit: impl FnMut(DroppedDocument)) -> Result<Self> {
        let path = Self::path(generation);
        let bytes = storage.open(&path)?;
        let shown = storage.display_path(&path);
        let damaged = |what, offset: usize, expected: String, found: String| {
            Error::corrupt(&shown, what, offset as u64, expected, found)
        };
        let last_line = bytes.len().saturating_sub(last_line_of(0).len());
        let expected = last_line_of(xxh3_128(&bytes[..last_line]));
        if bytes[last_line..] != *expected.as_bytes() {
            let found = bytes[last_line..].escape_ascii().to_string();
            return Err(damaged("last line", last_line, expected.trim_end().to_owned(), found));
        }
        let mut lines = Lines { bytes: &bytes[..last_line], at: 0 };
        let misread = |at, problem: String| damaged("line", at, "one of a receipt of this version".to_owned(), problem);
        let receipt: Self =
            serde_json::from_slice(&[lines.next(), b"]}"].concat()).map_err(|error| misread(0, error.to_string()))?;
        let mut n_documents = 0;
        loop {
            let at = lines.at;
            let line = lines.next();
            if line == DOCUMENTS_END {
                break;
            }
            // A comma stands between two documents.
            let is_last = lines.is_next(DOCUMENTS_END);
            let line = if is_last { Some(line) } else { line.strip_suffix(b",") };
            let document = serde_json::from_slice(line.unwrap_or_default());
            visit(document.map_err(|error| misread(at, error.to_string()))?);
            n_documents += 1;
        }
        let (expected, found) = (
            (RECEIPT_VERSION, generation.0, n_documents, last_line),
            (receipt.receipt, receipt.generation, receipt.document_count, lines.at),
        );
        if expected != found {
            let what = "version, generation, count and length";
            return Err(damaged(what, 0, format!("{expected:?}"), format!("{found:?}")));
        }
        match bytes.torn_at() {
            None => Ok(receipt),
            Some(offset) => Err(damaged(
                "mapped file",
                offset,
                format!("a file of {} bytes", bytes.len()),
                "a shorter one".to_owned(),
            )),
        }
    }

    /// Removes the receipts of commits after `generation`, which never came.
    pub(super) fn remove_after(storage: &dyn Storage, generation: Generation) -> Result<()> {
        let later: Vec<_> = Self::list(storage)?.into_iter().filter(|&later| later > generation).collect();
        for &later in &later {
            storage.remove_file(&Self::path(later))?;
        }
        // Durable before the next commit takes the number: else a power cut could bring back the receipt of what never happened.
        if later.is_empty() { Ok(()) } else { storage.sync_dir(Path::new(RECEIPTS)) }
    }
}

/// The lines of a receipt.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// Returns the next line without its end; nothing at the end, and instead of one that is longer than any that is written.
    fn next(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(RECEIPT_LINE_BYTES_MAX).position(|&byte| byte == b'\n');
        let line = end.map_or(&[][..], |end| &rest[..end]);
        self.at += end.map_or(0, |end| end + 1);
        line
    }

    /// Tells whether the next line is `line`.
    fn is_next(&self, line: &[u8]) -> bool {
        self.bytes[self.at..].strip_prefix(line).is_some_and(|rest| rest.starts_with(b"\n"))
    }
}

/// Writes a receipt, document by document.
pub(crate) struct ReceiptWriter<'a> {
    storage: &'a dyn Storage,
    file: BufWriter<Box<dyn WriteFile>>,
    shown: PathBuf,
    hasher: Xxh3,
    is_first: bool,
}

impl<'a> ReceiptWriter<'a> {
    /// Starts the receipt of a commit that will drop `n_documents` documents.
    pub(crate) fn create(storage: &'a dyn Storage, generation: Generation, n_documents: u64) -> Result<Self> {
        storage.create_dir(Path::new(RECEIPTS))?;
        let path = Receipt::path(generation);
        let file = BufWriter::with_capacity(1 << 16, storage.create(&path)?);
        let shown = storage.display_path(&path);
        let mut writer = Self { storage, file, shown, hasher: Xxh3::new(), is_first: true };
        let (generation, time) = (generation.0, utc(SystemTime::now()));
        let head = format!(
            "{{\"receipt\":{RECEIPT_VERSION},\"generation\":{generation},\"time\":\"{time}\",\
             \"documentCount\":{n_documents},\"documents\":["
        );
        writer.write(head.as_bytes())?;
        Ok(writer)
    }

    /// Adds a document.
    pub(crate) fn add(&mut self, document: &DroppedDocument) -> Result<()> {
        let line = serde_json::to_vec(document)
            .map_err(|error| Error::Internal { component: "receipt", problem: error.to_string() })?;
        self.write(if self.is_first { b"\n" } else { b",\n" })?;
        self.is_first = false;
        self.write(&line)
    }

    /// Ends the receipt and makes it durable.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.write(b"\n],\n")?;
        let last_line = last_line_of(self.hasher.digest128());
        self.write(last_line.as_bytes())?;
        self.file.flush().map_err(Error::io("write", &self.shown))?;
        self.file.get_mut().sync().map_err(Error::io("sync", &self.shown))?;
        self.storage.sync_dir(Path::new(RECEIPTS))?;
        // The folder itself may be new.
        self.storage.sync_dir(Path::new(""))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", &self.shown))
    }
}

/// Spells a text's hash as receipts do.
pub(crate) fn text_hash(text: &str) -> String {
    format!("{:032x}", xxh3_128(text.as_bytes()))
}

fn last_line_of(checksum: u128) -> String {
    format!("{LAST_LINE}{checksum:032x}\"}}\n")
}

fn generation_of(name: &str) -> Option<Generation> {
    let generation = Generation(name.strip_prefix(PREFIX)?.strip_suffix(ENDING)?.parse().ok()?);
    (Receipt::path(generation) == Path::new(RECEIPTS).join(name)).then_some(generation)
}

/// Spells a time as RFC 3339 does, in UTC and whole seconds.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Turns days since 1970-01-01 into a date: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`, for days
/// from 1970 on. Years begin in March, so that the leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::storage::MemoryStorage;
    use super::*;
    use crate::limits::ATTRIBUTE_BYTES_MAX;

    fn dropped(id: &str, reason: Reason) -> DroppedDocument {
        DroppedDocument {
            id: id.to_owned(),
            reason,
            text_hash: text_hash(id),
            text_bytes: id.len() as u64,
            uri: String::new(),
            license: "MIT".to_owned(),
            origin: "o".to_owned(),
            shard: "s\"\n".to_owned(),
            segment: "seg-000001-0000000000000001".to_owned(),
            removed_by_generation: 3,
        }
    }

    fn write(storage: &MemoryStorage, generation: u32, documents: &[DroppedDocument]) {
        let mut writer = ReceiptWriter::create(storage, Generation(generation), documents.len() as u64).unwrap();
        for document in documents {
            writer.add(document).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn receipts_read_back() {
        for ids in [&[][..], &["a"], &["a", "\"checksum\":\"", "ü\u{202e}"]] {
            let storage = MemoryStorage::default();
            let documents: Vec<DroppedDocument> = ids.iter().map(|id| dropped(id, Reason::Replaced)).collect();
            write(&storage, 12, &documents);
            assert_eq!(Receipt::list(&storage).unwrap(), [Generation(12)]);
            let mut found = Vec::new();
            let receipt = Receipt::read(&storage, Generation(12), |document| found.push(document)).unwrap();
            assert_eq!((receipt.generation, receipt.document_count), (12, ids.len() as u64));
            assert_eq!(found, documents);
            let json: serde_json::Value =
                serde_json::from_slice(&storage.open(&Receipt::path(Generation(12))).unwrap()).unwrap();
            assert_eq!(json["documents"].as_array().unwrap().len(), ids.len());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let storage = MemoryStorage::default();
        write(&storage, 1, &[dropped("a", Reason::Removed), dropped("b", Reason::Replaced)]);
        let path = Receipt::path(Generation(1));
        let sound = storage.open(&path).unwrap().to_vec();
        let is_sound = |bytes: &[u8]| {
            storage.remove_file(&path).unwrap();
            storage.create(&path).unwrap().write_all(bytes).unwrap();
            Receipt::read(&storage, Generation(1), drop).is_ok()
        };
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&bytes), "bit {bit} flipped unnoticed");
        }
        assert!((0..sound.len()).all(|length| !is_sound(&sound[..length])));
        assert!(is_sound(&sound));
        storage.rename(&path, &Receipt::path(Generation(2))).unwrap();
        assert!(Receipt::read(&storage, Generation(2), drop).is_err(), "another generation's receipt is refused");
    }

    #[test]
    fn the_longest_attributes_are_read_and_lines_beyond_them_are_not() {
        let storage = MemoryStorage::default();
        let worst = "\u{1}".repeat(ATTRIBUTE_BYTES_MAX);
        let document = DroppedDocument {
            uri: worst.clone(),
            license: worst.clone(),
            origin: worst.clone(),
            shard: worst.clone(),
            text_bytes: u64::MAX,
            removed_by_generation: u32::MAX,
            ..dropped(&worst, Reason::Replaced)
        };
        write(&storage, 1, &[document.clone(), document.clone()]);
        assert_eq!(
            Receipt::read(&storage, Generation(1), |found| assert_eq!(found, document)).unwrap().document_count,
            2
        );
        let longer = DroppedDocument { id: worst.repeat(2), ..document };
        write(&storage, 2, &[longer]);
        assert!(Receipt::read(&storage, Generation(2), drop).is_err());
    }

    #[test]
    fn what_is_no_receipt_under_a_right_checksum_is_an_error() {
        let storage = MemoryStorage::default();
        write(&storage, 1, &[dropped("a", Reason::Removed), dropped("b", Reason::Replaced)]);
        let path = Receipt::path(Generation(1));
        let sound = String::from_utf8(storage.open(&path).unwrap().to_vec()).unwrap();
        let body = &sound[..sound.len() - last_line_of(0).len()];
        let is_sound = |body: &str| {
            storage.remove_file(&path).unwrap();
            let bytes = body.to_owned() + &last_line_of(xxh3_128(body.as_bytes()));
            storage.create(&path).unwrap().write_all(bytes.as_bytes()).unwrap();
            Receipt::read(&storage, Generation(1), drop).is_ok()
        };
        assert!(is_sound(body));
        for (from, to) in [
            ("\"receipt\":1", "\"receipt\":2"),
            ("\"generation\":1", "\"generation\":3"),
            ("\"documentCount\":2", "\"documentCount\":1"),
            ("},\n{", "}\n{"),
            ("}\n]", "},\n]"),
            ("],\n", ""),
            ("],\n", "]\n"),
            ("],\n", "],\n\n"),
            ("\"id\":\"a\"", "\"id\":7"),
            ("\"id\"", "\"it\""),
            ("[\n", "["),
            ("[\n", "[{}\n"),
        ] {
            assert!(!is_sound(&body.replacen(from, to, 1)), "{from} {to}");
        }
        assert!(!is_sound(""));
    }

    #[test]
    fn receipts_of_commits_that_never_came_are_removed_and_no_other_file() {
        let storage = MemoryStorage::default();
        for generation in [2, 9, 1_000_000] {
            write(&storage, generation, &[]);
        }
        storage.create(&Path::new(RECEIPTS).join("removed-7.json")).unwrap();
        Receipt::remove_after(&storage, Generation(8)).unwrap();
        assert_eq!(storage.list(Path::new(RECEIPTS)).unwrap(), ["removed-000002.json", "removed-7.json"]);
    }

    #[test]
    fn times_are_spelled_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
