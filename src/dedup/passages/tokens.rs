//! The words of rows that hold a watched k-gram, read from the input once more.
//!
//! Disk: 17 bytes a word of such rows. Memory: 24 bytes a row.

use copytrace_indexer::corpus::Document;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::{Error, Result};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::super::context::Context;
use super::super::facts::{SetFacts, SignFacts};
use super::super::file::{Kind, StageFile};
use super::super::sampling::{Borders, Token, tokens_of};
use super::super::sets::for_each_wanted;
use super::super::work::{Receipt, Step, Work};
use super::cutter::Texts;

/// Where the words of a row are, as stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TokenEntry {
    row: U32,
    n_tokens: U32,
    /// The first of them, counted in tokens.
    start: U64,
}

/// The words of rows.
pub(super) struct Tokens {
    files: Vec<StageFile>,
    /// Of each row: its number, its file, how many words it has and where they begin; by number.
    rows: Vec<(u32, u32, u32, u64)>,
}

impl Tokens {
    /// Starts with no row.
    pub(super) fn new() -> Self {
        Self { files: Vec::new(), rows: Vec::new() }
    }

    /// Reads the words of more rows; `round` tells apart those of one time from those of another.
    pub(super) fn add(
        &mut self,
        context: &Context<'_>,
        signed: &[Receipt<SignFacts>],
        round: usize,
        is_wanted: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<()> {
        let work = context.work;
        let mut first_row = 0;
        for (unit_idx, receipt) in signed.iter().enumerate() {
            let unit = round * signed.len() + unit_idx;
            if work.receipt::<SetFacts>(Step::Tokens, unit)?.is_none() {
                extract(context, unit, unit_idx, first_row, &receipt.facts, is_wanted)?;
            }
            self.open(work, unit)?;
            first_row += receipt.facts.n_rows();
        }
        self.rows.sort_unstable();
        Ok(())
    }

    fn open(&mut self, work: &Work, unit: usize) -> Result<()> {
        let receipt: Receipt<SetFacts> = work.expect_receipt(Step::Tokens, unit)?;
        let index = work.open_file(&receipt, Step::Tokens, "token-index", Kind::TokenIndex)?;
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let entries = index.records::<TokenEntry>(0..index.n_records::<TokenEntry>())?;
        let row = |entry: &TokenEntry| (entry.row.get(), file, entry.n_tokens.get(), entry.start.get());
        self.rows.extend(entries.iter().map(row));
        index.ensure_whole()?;
        self.files.push(work.open_file(&receipt, Step::Tokens, "tokens", Kind::Tokens)?);
        Ok(())
    }

    /// Returns the rows, by number.
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> {
        self.rows.iter().map(|&(row, ..)| row)
    }

    /// Returns how many words all rows have.
    pub(super) fn n_tokens(&self) -> usize {
        self.rows.iter().map(|&(_, _, n_tokens, _)| n_tokens as usize).sum()
    }

    /// Fails where a file was cut short meanwhile.
    pub(super) fn ensure_whole(&self) -> Result<()> {
        self.files.iter().try_for_each(StageFile::ensure_whole)
    }
}

impl Texts for Tokens {
    fn tokens(&self, row: u32) -> Result<&[Token]> {
        let at = self.rows.binary_search_by_key(&row, |&(row, ..)| row);
        let found = at.ok().and_then(|at| {
            let (_, file, n_tokens, start) = self.rows[at];
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            Some((self.files.get(file as usize)?, start..start.saturating_add(n_tokens as usize)))
        });
        let (file, range) = found.ok_or_else(|| Error::Internal {
            component: "passages",
            problem: format!("row {row} was not read: expected its words"),
        })?;
        file.records(range)
    }
}

fn extract(
    context: &Context<'_>,
    unit: usize,
    unit_idx: usize,
    first_row: u64,
    signed: &SignFacts,
    is_wanted: &(dyn Fn(u64) -> bool + Sync),
) -> Result<()> {
    let mut writer = context.work.begin(Step::Tokens, unit);
    let (mut file, mut index) =
        (writer.create("tokens", Kind::Tokens)?, writer.create("token-index", Kind::TokenIndex)?);
    let (mut facts, mut n_tokens) = (SetFacts::default(), 0);
    let make = |_: u64, document: &Document, words: &mut Words| {
        let mut tokens = Vec::new();
        context.fingerprinter.words(&document.text, words);
        tokens_of(words, &mut tokens);
        Borders::new(&context.fingerprinter).mark(&document.text, &mut tokens);
        Ok(tokens)
    };
    for_each_wanted(
        context,
        unit_idx,
        first_row,
        signed,
        &|row| Ok(is_wanted(row)),
        make,
        |row, tokens: Vec<Token>| {
            let n = U32::new(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
            let entry = TokenEntry { row: U32::new(row), n_tokens: n, start: U64::new(n_tokens) };
            index.0.write(entry.as_bytes())?;
            file.0.write(tokens.as_bytes())?;
            n_tokens += tokens.len() as u64;
            facts.n_sets += 1;
            Ok(())
        },
    )?;
    writer.add("tokens", file)?;
    writer.add("token-index", index)?;
    writer.commit(facts)
}
