//! `passages`: runs of words that occur too often, within rows that stay.
//!
//! ```text
//! sign -> samples -> watched k-grams -> tokens of rows that have them -> cuts
//!                          ^                                              |
//!                          '--------- k-grams of what a cut joins --------'
//! cuts   (row, start, end, kept row, kept start), by row
//! ```
//!
//! Rows are taken from the best to the worst, as everywhere in the pass; rows that stay as they are come first: those of repositories, and those that are
//! shorter than a run. A cut ends where the next word begins, and
//! one that begins a text takes what stands before its first word along, so that no mark of a passage stays behind.
//!
//! One process: what a row keeps depends on all better ones. It is done anew when it was stopped; the tokens, which take most of the time, are not.
//!
//! Memory: that of [`cutter`], which is bounded by three quarters of `--memory`, 30 bytes a row that has a watched k-gram, 8 bytes a watched k-gram.

mod cuts;
mod cutter;
mod tokens;
mod watched;

use copytrace_indexer::Result;
use copytrace_indexer::fingerprint::{RunSampler, RunScratch};
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::U32;

pub(super) use self::cuts::{Cut, Cuts, ranges_of};
use self::cutter::{Cutter, Filter, Prepared, RowCuts, Texts as _, TokenCut, prepare};
use self::tokens::Tokens;
use self::watched::{RowSet, Samples, Watched};
use super::context::Context;
use super::decisions::{Against, Decisions, is_removal};
use super::facts::{Amount, PassageFacts, SignFacts};
use super::file::Kind;
use super::parallel::for_each_in_order;
use super::recipe::Level;
use super::record::{HAS_TEXT, IS_OF_REPOSITORY, RowNumber, Rows};
use super::sampling::Token;
use super::work::{Receipt, Step};

/// Most rounds. Each watches more k-grams, and what they add becomes rare at once: two rounds are usual, three are seldom needed.
const ROUNDS_MAX: u32 = 16;
/// Share of the memory that kept runs may take.
const KEPT_SHARE: usize = 2;
/// Share of the memory that the filter of runs may take.
const FILTER_SHARE: usize = 4;
/// Words that are prepared at once by a thread.
const PIECE_TOKENS: usize = 1 << 16;
/// Rows looked at at once.
const PIECE_ROWS: usize = 1 << 16;

/// Does the stage.
pub(super) fn passages(context: &Context<'_>) -> Result<()> {
    let work = context.work;
    let rules = &work.pass.rules;
    if !rules.has(Level::Passage) || work.receipt::<PassageFacts>(Step::Passages, 0)?.is_some() {
        return Ok(());
    }
    let signed: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    let rows = Rows::open(work, &signed)?;
    let n_rows: u64 = signed.iter().map(|receipt| receipt.facts.n_rows()).sum();
    let stays = staying_rows(context, &signed, &rows, n_rows)?;
    let mut files = Vec::new();
    let mut first_row = 0_u32;
    for receipt in &signed {
        files.push((work.open_file(receipt, Step::Sign, "samples", Kind::Samples)?, first_row));
        first_row += u32::try_from(receipt.facts.n_rows()).unwrap_or(u32::MAX);
    }
    let samples = Samples { files, stays, keep: rules.keep };

    let mut unit = work.begin(Step::Passages, 0);
    let mut watched = Watched::new(&samples, n_rows)?;
    let (mut tokens, is_read) = (Tokens::new(), RowSet::new(n_rows));
    let (mut facts, mut known_runs) = (PassageFacts::default(), Vec::new());
    let cuts = loop {
        let round = facts.rounds as usize;
        facts.rounds += 1;
        context.progress.start(work.pass.inputs.iter().map(|input| input.file_bytes).sum());
        tokens.add(context, &signed, round, &|row| watched.rows.has(row) && !is_read.has(row))?;
        tokens.rows().for_each(|row| is_read.set(row));
        let AllCuts { cuts, new_grams, new_runs } = cut_rows(context, &rows, &tokens, &watched, &known_runs)?;
        facts.is_complete = !watched.grow(&samples, new_grams)? && new_runs.is_empty();
        known_runs.extend(new_runs);
        if facts.is_complete || facts.rounds == ROUNDS_MAX {
            break cuts;
        }
    };
    facts.watched_grams = watched.grams.len() as u64;
    facts.rows_read = tokens.rows().count() as u64;
    facts.count(&cuts, &rows)?;
    let mut file = unit.create("cuts", Kind::Cuts)?;
    file.0.write(cuts.as_bytes())?;
    tokens.ensure_whole()?;
    rows.ensure_whole()?;
    samples.files.iter().try_for_each(|(file, _)| file.ensure_whole())?;
    unit.add("cuts", file)?;
    unit.commit(facts)
}

/// Returns the rows that hold a text and do not go.
fn staying_rows(context: &Context<'_>, signed: &[Receipt<SignFacts>], rows: &Rows, n_rows: u64) -> Result<RowSet> {
    let work = context.work;
    let stays = RowSet::new(n_rows);
    for row in 0..u32::try_from(n_rows).unwrap_or(u32::MAX) {
        if rows.record(RowNumber(row))?.flags.get() & HAS_TEXT != 0 {
            stays.set(row);
        }
    }
    let decisions = Decisions::open(work)?;
    let mut start = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        let against = Against::open(work, unit, start)?;
        let end = start + receipt.facts.n_rows();
        let mut cursor = decisions.from(start, &against)?;
        for piece_end in (start..end).step_by(PIECE_ROWS).skip(1).chain(std::iter::once(end)) {
            for decision in cursor.until(piece_end)?.iter().filter(|decision| is_removal(decision)) {
                let row = decision.row.get();
                if rows.record(RowNumber(row))?.flags.get() & IS_OF_REPOSITORY == 0 {
                    stays.clear(row);
                }
            }
        }
        start = end;
    }
    decisions.ensure_whole()?;
    Ok(stays)
}

/// What became of all rows.
#[derive(Default)]
struct AllCuts {
    /// By row and place.
    cuts: Vec<Cut>,
    /// K-grams that cutting made, with their rows.
    new_grams: Vec<(u64, u32)>,
    /// Runs that cutting made and that were passed over elsewhere.
    new_runs: Vec<u64>,
}

/// Cuts all rows that have watched k-grams; `known_runs` are looked at wherever they stand.
fn cut_rows(
    context: &Context<'_>,
    rows: &Rows,
    tokens: &Tokens,
    watched: &Watched,
    known_runs: &[u64],
) -> Result<AllCuts> {
    let rules = &context.work.pass.rules;
    let sampler = RunSampler::new(rules.passage_words);
    let order = ranked(rows, tokens, sampler.run_words())?;
    let prepare_rows = |piece: &[u32]| -> Result<Vec<Prepared>> {
        let mut scratch = RunScratch::default();
        let prepare_row = |&row: &u32| {
            let record = rows.record(RowNumber(row))?;
            let is_fixed = record.flags.get() & IS_OF_REPOSITORY != 0;
            let group = record.keep_group.get();
            Ok(prepare(&sampler, &watched.grams, tokens.tokens(row)?, row, group, is_fixed, &mut scratch))
        };
        piece.iter().map(prepare_row).collect()
    };
    let keys_of =
        |piece: &[u32]| -> Result<Vec<u64>> { Ok(prepare_rows(piece)?.iter().flat_map(Prepared::keys).collect()) };
    let mut filter = Filter::new(tokens.n_tokens(), context.memory_bytes / FILTER_SHARE);
    let fill = |keys: Vec<u64>| {
        keys.into_iter().for_each(|key| filter.add(key));
        Ok(())
    };
    for_each_in_order(context.threads, pieces(&order, tokens), keys_of, fill)?;
    for &key in known_runs {
        filter.add(key);
        filter.add(key);
    }

    let kept_bytes = context.memory_bytes / KEPT_SHARE;
    let mut cutter = Cutter::new(sampler, rules.keep, &watched.grams, tokens, filter, kept_bytes);
    let mut all = AllCuts::default();
    let take = |piece: Vec<Prepared>| {
        for prepared in piece {
            let row = prepared.row;
            let RowCuts { cuts, new_grams, new_runs } = cutter.cut(prepared)?;
            for cut in cuts {
                all.cuts.push(in_bytes(rows, tokens, row, &cut)?);
            }
            all.new_grams.extend(new_grams.into_iter().map(|gram| (gram, row)));
            all.new_runs.extend(new_runs);
        }
        Ok(())
    };
    for_each_in_order(context.threads, pieces(&order, tokens), prepare_rows, take)?;
    all.cuts.sort_unstable_by_key(|cut| (cut.row.get(), cut.start.get()));
    Ok(all)
}

/// Returns what hands out rows in pieces of about equal work.
fn pieces<'a>(mut rest: &'a [u32], tokens: &'a Tokens) -> impl FnMut() -> Result<Option<&'a [u32]>> {
    move || {
        let (mut n_rows, mut n_tokens) = (0, 0);
        while n_tokens < PIECE_TOKENS
            && let Some(&row) = rest.get(n_rows)
        {
            n_tokens += tokens.tokens(row)?.len();
            n_rows += 1;
        }
        let (piece, behind) = rest.split_at(n_rows);
        rest = behind;
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// Returns the rows that were read in the order in which they keep what they have.
fn ranked(rows: &Rows, tokens: &Tokens, run_words: usize) -> Result<Vec<u32>> {
    let mut order = Vec::new();
    for row in tokens.rows() {
        let record = rows.record(RowNumber(row))?;
        let is_free = record.flags.get() & IS_OF_REPOSITORY == 0 && tokens.tokens(row)?.len() >= run_words;
        order.push((is_free, rows.first_key(RowNumber(row))?, row));
    }
    let mut trouble = None;
    order.sort_unstable_by(|a, b| {
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| {
            rows.order(RowNumber(a.2), RowNumber(b.2)).unwrap_or_else(|error| {
                trouble = Some(error);
                a.2.cmp(&b.2)
            })
        })
    });
    match trouble {
        Some(error) => Err(error),
        None => Ok(order.into_iter().map(|(_, _, row)| row).collect()),
    }
}

/// Turns words into bytes.
fn in_bytes(rows: &Rows, tokens: &Tokens, row: u32, cut: &TokenCut) -> Result<Cut> {
    let own = tokens.tokens(row)?;
    let kept = tokens.tokens(cut.kept_row)?;
    let text_bytes = rows.record(RowNumber(row))?.text_bytes;
    let start_of = |tokens: &[Token], at: u32| tokens.get(at as usize).map(|token| token.start);
    Ok(Cut {
        row: U32::new(row),
        start: if cut.tokens.start == 0 { U32::ZERO } else { start_of(own, cut.tokens.start).unwrap_or(text_bytes) },
        end: start_of(own, cut.tokens.end).unwrap_or(text_bytes),
        kept_row: U32::new(cut.kept_row),
        kept_start: start_of(kept, cut.kept_token).unwrap_or(U32::ZERO),
    })
}

impl PassageFacts {
    fn count(&mut self, cuts: &[Cut], rows: &Rows) -> Result<()> {
        self.places = cuts.len() as u64;
        for of_row in cuts.chunk_by(|a, b| a.row == b.row) {
            let n_bytes = of_row.iter().map(|cut| u64::from(cut.end.get() - cut.start.get())).sum();
            self.cut.merge(Amount { rows: 1, bytes: n_bytes });
            let text_bytes = rows.record(RowNumber(of_row[0].row.get()))?.text_bytes.get();
            self.emptied += u64::from(n_bytes == u64::from(text_bytes));
        }
        Ok(())
    }
}
