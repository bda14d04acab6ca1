//! Where repeated definitions stand, in rows that have one and are read once more for it.
//!
//! Disk: 44 bytes a place. Memory: 24 bytes a row that has one.

use copytrace_indexer::Result;
use copytrace_indexer::corpus::Document;
use copytrace_indexer::language::Language;
use copytrace_indexer::syntax::Reading;
use xxhash_rust::xxh3::xxh3_128_with_seed;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::super::context::Context;
use super::super::facts::{SetFacts, SignFacts};
use super::super::file::{Kind, StageFile};
use super::super::sets::for_each_wanted;
use super::super::work::{Receipt, Step, Work};
use super::definitions::{Definition, Parsers, definitions_of, language_of_document};
use super::lines::{Surroundings, surroundings_of};

/// What is known of a place, as bits.
pub(super) mod flag {
    /// Can go without breaking what is around it.
    pub(in crate::dedup::functions) const CAN_GO: u32 = 1;
    /// Begins a block that needs a statement.
    pub(in crate::dedup::functions) const IS_FIRST: u32 = 2;
    /// Ends such a block.
    pub(in crate::dedup::functions) const IS_LAST: u32 = 4;
}

/// A definition where it stands, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Place {
    pub(super) row: U32,
    /// Its first byte in the text.
    pub(super) start: U32,
    /// One past its last byte.
    pub(super) end: U32,
    /// First byte of what goes with it.
    pub(super) cut_start: U32,
    /// One past the last byte of that.
    pub(super) cut_end: U32,
    /// One past the last byte of the statement before, of Python.
    pub(super) end_before: U32,
    pub(super) flags: U32,
    /// Hash of its language, canonical tokens and attributes: equal for what is equal.
    pub(super) proof: [u8; 16],
}

/// The places of all rows.
pub(super) struct Places {
    files: Vec<StageFile>,
    /// Of each row: its number, its file, how many places it has and the number of the first; by number.
    rows: Vec<(u32, u32, u32, u64)>,
}

impl Places {
    /// Reads the rows that hold a definition of which `is_wanted` says so, given the row and the hash.
    pub(super) fn read(
        context: &Context<'_>,
        signed: &[Receipt<SignFacts>],
        has_any: &(dyn Fn(u64) -> bool + Sync),
        is_wanted: &(dyn Fn(u64, u64) -> Result<bool> + Sync),
    ) -> Result<Self> {
        let work = context.work;
        let (mut places, mut first_row) = (Self { files: Vec::new(), rows: Vec::new() }, 0);
        for (unit, receipt) in signed.iter().enumerate() {
            if work.receipt::<SetFacts>(Step::Functions, unit)?.is_none() {
                extract(context, unit, first_row, &receipt.facts, has_any, is_wanted)?;
            }
            places.open(work, unit)?;
            first_row += receipt.facts.n_rows();
        }
        Ok(places)
    }

    fn open(&mut self, work: &Work, unit: usize) -> Result<()> {
        let receipt: Receipt<SetFacts> = work.expect_receipt(Step::Functions, unit)?;
        let file = work.open_file(&receipt, Step::Functions, "places", Kind::Places)?;
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let mut start = 0;
        for of_row in file.records::<Place>(0..file.n_records::<Place>())?.chunk_by(|a, b| a.row == b.row) {
            let n_places = u32::try_from(of_row.len()).unwrap_or(u32::MAX);
            self.rows.push((of_row[0].row.get(), number, n_places, start));
            start += u64::from(n_places);
        }
        self.files.push(file);
        Ok(())
    }

    /// Returns the rows that have places, by number.
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().map(|&(row, ..)| row)
    }

    /// Returns the places of a row, by their starts, the longest of one start first.
    pub(super) fn of(&self, row: u32) -> Result<&[Place]> {
        let Ok(at) = self.rows.binary_search_by_key(&row, |&(row, ..)| row) else { return Ok(&[]) };
        let (_, file, n_places, start) = self.rows[at];
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        self.files[file as usize].records(start..start.saturating_add(n_places as usize))
    }

    /// Fails where a file was cut short meanwhile.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        self.files.iter().try_for_each(StageFile::ensure_whole)
    }
}

fn extract(
    context: &Context<'_>,
    unit: usize,
    first_row: u64,
    signed: &SignFacts,
    has_any: &(dyn Fn(u64) -> bool + Sync),
    is_wanted: &(dyn Fn(u64, u64) -> Result<bool> + Sync),
) -> Result<()> {
    let mut writer = context.work.begin(Step::Functions, unit);
    let mut file = writer.create("places", Kind::Places)?;
    let mut facts = SetFacts::default();
    let parsers = Parsers::new(context.fingerprinter.unit_seed());
    let make = |row: u64, document: &Document, _: &mut _| {
        let (text, language) = (document.text.as_str(), language_of_document(document));
        parsers.read(text, language, |reading| places_of(text, language, reading, &|hash| is_wanted(row, hash)))
    };
    for_each_wanted(context, unit, first_row, signed, &|row| Ok(has_any(row)), make, |row, places: Vec<Place>| {
        for place in places {
            file.0.write(Place { row: U32::new(row), ..place }.as_bytes())?;
        }
        facts.n_sets += 1;
        Ok(())
    })?;
    writer.add("places", file)?;
    writer.commit(facts)
}

fn places_of(
    text: &str,
    language: Language,
    mut reading: Reading<'_>,
    is_wanted: &dyn Fn(u64) -> Result<bool>,
) -> Result<Vec<Place>> {
    let (mut places, mut tokens) = (Vec::new(), Vec::new());
    for Definition { unit_idx: idx, is_in_function } in definitions_of(&reading) {
        let unit = reading.units()[idx];
        if !is_wanted(unit.hash)? {
            continue;
        }
        reading.canonical_tokens(idx, &mut tokens);
        let around = surroundings_of(text, language, unit.start as usize..unit.end as usize);
        let Surroundings { cut, attributes, end_before, is_first, is_last } = around;
        let mut proof = xxh3_128_with_seed(tokens.as_bytes(), language as u64);
        let attributes: String = text[attributes].split_whitespace().collect();
        if !attributes.is_empty() {
            proof = xxh3_128_with_seed(&[attributes.as_bytes(), &proof.to_le_bytes()].concat(), language as u64);
        }
        let bit = |is_set, flag| if is_set { flag } else { 0 };
        let flags = bit(cut.is_some() && !is_in_function, flag::CAN_GO)
            | bit(is_first, flag::IS_FIRST)
            | bit(is_last, flag::IS_LAST);
        let cut = cut.unwrap_or(0..0);
        let short = |at: usize| U32::new(u32::try_from(at).unwrap_or(u32::MAX));
        places.push(Place {
            row: U32::ZERO,
            start: U32::new(unit.start),
            end: U32::new(unit.end),
            cut_start: short(cut.start),
            cut_end: short(cut.end),
            end_before: short(end_before),
            flags: U32::new(flags),
            proof: proof.to_le_bytes(),
        });
    }
    Ok(places)
}
