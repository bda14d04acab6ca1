//! What is kept of every row: 128 bytes of fixed width, and its id behind the keys of its preference.

use std::path::Path;

use copytrace_indexer::fingerprint::Signature;
use copytrace_indexer::{Error, Result};
use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::against::AgainstEntry;
use super::facts::SignFacts;
use super::file::{Kind, StageFile};
use super::work::{Receipt, Step, Work};

/// Most rows of a pass: numbers of rows have 32 bits. A larger corpus is cut in two, and the second is deduplicated against the first.
pub(super) const ROWS_MAX: u64 = u32::MAX as u64 - 1;

/// Words of 64 bits of a sketch.
pub(super) const SKETCH_WORDS: usize = 4;
/// Bits of a sketch: one for every slot of a signature.
const SKETCH_BITS: u32 = 256;
/// Standard deviations below what the threshold expects at which a pair is not compared: one pair in 300,000 at the threshold itself.
const SKETCH_DEVIATIONS: f64 = 4.5;

/// Number of a row in the whole input: by file, then by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct RowNumber(pub(super) u32);

/// The row holds a text.
pub(super) const HAS_TEXT: u32 = 1;
/// The text has a shingle, and similar ones are looked for.
pub(super) const HAS_SHINGLES: u32 = 2;

/// The row belongs to a repository: it stays.
pub(super) const IS_OF_REPOSITORY: u32 = 4;

/// What is kept of a row.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Record {
    /// Hash of what rows must share to be one content; zeros where the row is like no other.
    pub(super) content: [u8; 16],
    /// Hash of the text's bytes.
    pub(super) raw: [u8; 16],
    /// Hash of the form of a file of code; zeros where there is none.
    pub(super) code: [u8; 16],
    pub(super) id_hash: U64,
    /// Hash of the value of `keep_per`.
    pub(super) keep_group: U64,
    pub(super) text_bytes: U32,
    pub(super) n_words: U32,
    pub(super) n_shingles: U32,
    pub(super) flags: U32,
    pub(super) sketch: [U64; SKETCH_WORDS],
    /// Where keys and id begin in the file of ids.
    pub(super) id_start: U64,
    pub(super) id_bytes: U32,
    /// Length of the text, in characters.
    pub(super) text_chars: U32,
}

impl Record {
    /// A row that holds no document.
    pub(super) const NONE: Self = Self {
        content: [0; 16],
        raw: [0; 16],
        code: [0; 16],
        id_hash: U64::ZERO,
        keep_group: U64::ZERO,
        text_bytes: U32::ZERO,
        n_words: U32::ZERO,
        n_shingles: U32::ZERO,
        flags: U32::ZERO,
        sketch: [U64::ZERO; SKETCH_WORDS],
        id_start: U64::ZERO,
        id_bytes: U32::ZERO,
        text_chars: U32::ZERO,
    };
}

/// Returns one bit of every slot.
pub(super) fn sketch_of(signature: &Signature) -> [U64; SKETCH_WORDS] {
    let mut words = [0_u64; SKETCH_WORDS];
    for (idx, slot) in signature.slots().iter().enumerate() {
        words[idx / 64] |= u64::from(slot.wrapping_mul(0x9E37_79B1) >> 31) << (idx % 64);
    }
    words.map(U64::new)
}

/// Returns how many bits two sketches share.
pub(super) fn sketch_agreement(a: &[U64; SKETCH_WORDS], b: &[U64; SKETCH_WORDS]) -> u32 {
    SKETCH_BITS - a.iter().zip(b).map(|(a, b)| (a.get() ^ b.get()).count_ones()).sum::<u32>()
}

/// Returns how many bits sketches share at least, but for one pair in 300,000, of texts with a Jaccard index of `threshold`.
pub(super) fn sketch_agreement_min(threshold: f64) -> u32 {
    let (n, p) = (f64::from(SKETCH_BITS), f64::midpoint(1.0, threshold));
    let least = n * p - SKETCH_DEVIATIONS * (n * p * (1.0 - p)).sqrt();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 256")]
    let least = least.floor().clamp(0.0, n) as u32;
    least
}

/// The records and ids of all rows, by number.
pub(super) struct Rows {
    units: Vec<UnitRows>,
    n_terms: usize,
}

struct UnitRows {
    /// Number of its first row.
    start: u64,
    records: StageFile,
    ids: StageFile,
}

impl Rows {
    /// Opens what `sign` made.
    pub(super) fn open(work: &Work, receipts: &[Receipt<SignFacts>]) -> Result<Self> {
        let mut start = 0;
        let mut units = Vec::new();
        for receipt in receipts {
            let records = work.open_file(receipt, Step::Sign, "records", Kind::Records)?;
            let ids = work.open_file(receipt, Step::Sign, "ids", Kind::Ids)?;
            let n_rows = receipt.facts.n_rows();
            if records.n_records::<Record>() as u64 != n_rows {
                return Err(records.corrupt("records", 0, n_rows, records.n_records::<Record>()));
            }
            units.push(UnitRows { start, records, ids });
            start += n_rows;
        }
        if start > ROWS_MAX {
            let expected = format!("at most {ROWS_MAX} rows");
            return Err(Error::Argument { name: "input", expected, found: start.to_string() });
        }
        Ok(Self { units, n_terms: work.pass.rules.preference()?.n_terms() })
    }

    fn unit_of(&self, row: RowNumber) -> Result<(&UnitRows, usize)> {
        let number = u64::from(row.0);
        let idx = self.units.partition_point(|unit| unit.start <= number);
        let unit = idx.checked_sub(1).and_then(|idx| self.units.get(idx)).ok_or_else(|| no_such_row(row))?;
        Ok((unit, usize::try_from(number - unit.start).unwrap_or(usize::MAX)))
    }

    pub(super) fn record(&self, row: RowNumber) -> Result<&Record> {
        let (unit, idx) = self.unit_of(row)?;
        unit.records.records::<Record>(idx..idx + 1)?.first().ok_or_else(|| no_such_row(row))
    }

    /// Returns the keys of a row's preference: the smaller, the better.
    pub(super) fn keys(&self, row: RowNumber) -> Result<&[u8]> {
        let (unit, _) = self.unit_of(row)?;
        let start = usize::try_from(self.record(row)?.id_start.get()).unwrap_or(usize::MAX);
        unit.ids.slice(start..start.saturating_add(16 * self.n_terms))
    }

    /// Returns the id of a row.
    pub(super) fn id(&self, row: RowNumber) -> Result<&str> {
        let (unit, _) = self.unit_of(row)?;
        let record = self.record(row)?;
        let start = usize::try_from(record.id_start.get()).unwrap_or(usize::MAX).saturating_add(16 * self.n_terms);
        let bytes = unit.ids.slice(start..start.saturating_add(record.id_bytes.get() as usize))?;
        std::str::from_utf8(bytes).map_err(|_| unit.ids.corrupt("id", start, "UTF-8", "other bytes"))
    }

    /// Returns the id of a document of an index that a row of a unit goes for.
    pub(super) fn against_id(&self, unit_idx: usize, entry: &AgainstEntry) -> Result<&str> {
        let unit = self.units.get(unit_idx).ok_or_else(|| no_such_row(RowNumber(u32::MAX)))?;
        let start = usize::try_from(entry.id_start.get()).unwrap_or(usize::MAX);
        let bytes = unit.ids.slice(start..start.saturating_add(entry.id_bytes.get() as usize))?;
        std::str::from_utf8(bytes).map_err(|_| unit.ids.corrupt("id", start, "UTF-8", "other bytes"))
    }

    /// Returns the first term of a row's preference, or, where there is none, half of the rest: the smaller, the better.
    pub(super) fn first_key(&self, row: RowNumber) -> Result<u128> {
        let keys = self.keys(row)?;
        let mut key = self.record(row)?.content;
        if let Some(first) = keys.get(..16) {
            key.copy_from_slice(first);
        }
        key.reverse();
        Ok(u128::from_le_bytes(key))
    }

    /// Compares two rows: the better one is less.
    pub(super) fn order(&self, a: RowNumber, b: RowNumber) -> Result<std::cmp::Ordering> {
        let (x, y) = (self.record(a)?, self.record(b)?);
        let by_keys = self.keys(a)?.cmp(self.keys(b)?);
        let by_hashes = || (x.content, x.raw, x.id_hash.get(), a).cmp(&(y.content, y.raw, y.id_hash.get(), b));
        Ok(by_keys.then_with(by_hashes))
    }

    /// Fails where a file was cut short meanwhile.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        self.units.iter().try_for_each(|unit| unit.records.ensure_whole().and_then(|()| unit.ids.ensure_whole()))
    }
}

fn no_such_row(row: RowNumber) -> Error {
    super::file::corrupt(Path::new("work folder"), "row number", row.0 as usize, "a row of the input", row.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_width_that_the_documentation_says() {
        assert_eq!(size_of::<Record>(), 128);
    }

    #[test]
    fn equal_sketches_agree_in_all_bits_and_the_bound_grows_with_the_threshold() {
        let sketch = sketch_of(&Signature::default());
        assert_eq!(sketch_agreement(&sketch, &sketch), 256);
        assert_eq!((sketch_agreement_min(0.8), sketch_agreement_min(0.5), sketch_agreement_min(1.0)), (208, 160, 256));
    }
}
