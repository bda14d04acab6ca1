//! `passages`: what occurs too often within rows that stay. First definitions of code ([`functions`]), with level `code`; then, of what is left, runs of
//! words, with level `passage`.
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
//! Memory: that of [`cutter`], which is bounded by three quarters of `--memory`, 20 bytes a cut, 30 bytes a row that has a watched k-gram, 8 bytes a watched k-gram.

mod cutter;
mod filter;
mod tokens;

use std::ops::Range;

use copytrace_indexer::Result;
use copytrace_indexer::fingerprint::{RunSampler, RunScratch};
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::U32;

use self::cutter::{Cutter, Prepared, RowCuts, Texts as _, TokenCut, Unprepared, prepare};
use self::filter::Filter;
use self::tokens::Tokens;
use super::context::Context;
use super::cuts::{Cut, amount_of};
use super::facts::{CutFacts, PassageFacts, SignFacts};
use super::file::Kind;
use super::functions::{self, FunctionCuts};
use super::parallel::for_each_in_order;
use super::recipe::Level;
use super::record::{IS_OF_REPOSITORY, RowNumber, Rows};
use super::sampling::Token;
use super::staying::{RowSet, ranked, staying_rows};
use super::watched::{Samples, Watched};
use super::work::{Receipt, Step};

/// Most rounds. Each watches more k-grams, and what they add becomes rare at once: two rounds are usual, three are seldom needed.
const ROUNDS_MAX: u32 = 16;
/// Share of the memory that the filter of runs may take.
const FILTER_SHARE: usize = 4;
/// Words that are prepared at once by a thread.
const PIECE_TOKENS: usize = 1 << 16;

/// Does the stage.
pub(super) fn passages(context: &Context<'_>) -> Result<()> {
    let work = context.work;
    let rules = &work.pass.rules;
    if !rules.has_cuts() || work.receipt::<CutFacts>(Step::Passages, 0)?.is_some() {
        return Ok(());
    }
    let mut unit = work.begin(Step::Passages, 0);
    let signed: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    let rows = Rows::open(work, &signed)?;
    let n_rows: u64 = signed.iter().map(|receipt| receipt.facts.n_rows()).sum();
    let stays = staying_rows(context, &signed, &rows, n_rows)?;
    let mut facts = CutFacts::default();
    let mut functions = FunctionCuts::default();
    if rules.has_functions() {
        functions = functions::find_cuts(context, &signed, &rows, &stays)?;
        facts.functions = Some(functions.facts());
    }
    let mut cuts = Vec::new();
    if rules.has(Level::Passage) {
        let passages = find_cuts(context, &signed, &rows, &stays, &mut functions)?;
        (cuts, facts.passages) = (passages.0, Some(passages.1));
    }
    cuts.append(&mut functions.cuts);
    cuts.sort_unstable_by_key(|cut| (cut.row.get(), cut.start.get()));
    if let Some(passages) = &mut facts.passages {
        passages.emptied = count_emptied(&cuts, &rows)?;
    }
    for (name, cuts) in [("cuts", &cuts), ("reported", &functions.reported)] {
        let mut file = unit.create(name, Kind::Cuts)?;
        file.0.write(cuts.as_bytes())?;
        unit.add(name, file)?;
    }
    rows.ensure_whole()?;
    unit.commit(facts)
}

/// Finds the passages that are to be cut out of what is left without functions, and points the cuts of functions to places that are left.
fn find_cuts(
    context: &Context<'_>,
    signed: &[Receipt<SignFacts>],
    rows: &Rows,
    stays: &RowSet,
    functions: &mut FunctionCuts,
) -> Result<(Vec<Cut>, PassageFacts)> {
    let work = context.work;
    let mut files = Vec::new();
    let mut first_row = 0_u32;
    for receipt in signed {
        files.push((work.open_file(receipt, Step::Sign, "samples", Kind::Samples)?, first_row));
        first_row += u32::try_from(receipt.facts.n_rows()).unwrap_or(u32::MAX);
    }
    let samples = Samples { files, stays, keep: work.pass.rules.keep };
    let mut watched = Watched::new(&samples, first_row.into())?;
    // What cutting them joined is looked at.
    functions.cuts.iter().for_each(|cut| watched.rows.set(cut.row.get()));
    let (mut tokens, is_read) = (Tokens::new(), RowSet::new(first_row.into()));
    let (mut facts, mut known_runs) = (PassageFacts::default(), Vec::new());
    let cuts = loop {
        let round = facts.rounds as usize;
        facts.rounds += 1;
        context.progress.start(work.pass.inputs.iter().map(|input| input.file_bytes).sum());
        tokens.add(context, signed, round, &|row| watched.rows.has(row) && !is_read.has(row))?;
        tokens.rows().for_each(|row| is_read.set(row));
        let seen = Seen { watched: &watched.keys, known_runs: &known_runs };
        let all = cut_rows(context, rows, &tokens, seen, functions)?;
        let is_settled = !watched.grow(&samples, all.new_grams)? && all.new_runs.is_empty();
        known_runs.extend(all.new_runs);
        if is_settled || facts.rounds == ROUNDS_MAX {
            facts.is_complete = is_settled && !all.is_incomplete;
            break all.cuts;
        }
    };
    for cut in &mut functions.cuts {
        point_to_what_is_left(cut, &cuts, &tokens)?;
    }
    facts.watched_grams = watched.keys.len() as u64;
    facts.rows_read = tokens.rows().count() as u64;
    (facts.cut, facts.places) = (amount_of(&cuts), cuts.len() as u64);
    tokens.ensure_whole()?;
    samples.files.iter().try_for_each(|(file, _)| file.ensure_whole())?;
    Ok((cuts, facts))
}

/// Lets the cut of a function whose kept place begins within a passage that is cut name the place for which that is cut.
fn point_to_what_is_left(cut: &mut Cut, passages: &[Cut], tokens: &Tokens) -> Result<()> {
    let at = passages.partition_point(|passage| {
        (passage.row.get(), passage.start.get()) <= (cut.kept_row.get(), cut.kept_start.get())
    });
    let Some(passage) = at.checked_sub(1).map(|at| passages[at]) else { return Ok(()) };
    if passage.row != cut.kept_row || passage.end.get() <= cut.kept_start.get() {
        return Ok(());
    }
    let number_at = |row: U32, start: U32| -> Result<usize> {
        let n_before = tokens.tokens(row.get())?.partition_point(|token| token.start.get() <= start.get());
        Ok(n_before.saturating_sub(1))
    };
    let n_words = number_at(cut.kept_row, cut.kept_start)?.saturating_sub(number_at(passage.row, passage.start)?);
    let kept = number_at(passage.kept_row, passage.kept_start)? + n_words;
    cut.kept_row = passage.kept_row;
    cut.kept_start = tokens.tokens(passage.kept_row.get())?.get(kept).map_or(passage.kept_start, |token| token.start);
    Ok(())
}

/// Returns the words that stretches of a text take away.
fn words_in(cuts: &[Cut], tokens: &[Token]) -> Vec<Range<u32>> {
    let number =
        |start: U32| u32::try_from(tokens.partition_point(|token| token.start.get() < start.get())).unwrap_or(u32::MAX);
    cuts.iter().map(|cut| number(cut.start)..number(cut.end)).filter(|range| !range.is_empty()).collect()
}

/// Counts the rows of which nothing is left.
fn count_emptied(cuts: &[Cut], rows: &Rows) -> Result<u64> {
    let mut n_emptied = 0;
    for of_row in cuts.chunk_by(|a, b| a.row == b.row) {
        let text_bytes = rows.record(RowNumber(of_row[0].row.get()))?.text_bytes.get();
        n_emptied += u64::from(amount_of(of_row).bytes == u64::from(text_bytes));
    }
    Ok(n_emptied)
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
    /// Whether a row was left before all of it was cut.
    is_incomplete: bool,
}

/// What is looked at wherever it stands.
#[derive(Clone, Copy)]
struct Seen<'a> {
    /// K-grams whose runs are.
    watched: &'a [u64],
    /// Runs that are, however often they were seen.
    known_runs: &'a [u64],
}

/// Cuts all rows that have watched k-grams.
fn cut_rows(
    context: &Context<'_>,
    rows: &Rows,
    tokens: &Tokens,
    seen: Seen<'_>,
    functions: &FunctionCuts,
) -> Result<AllCuts> {
    let rules = &context.work.pass.rules;
    let sampler = RunSampler::new(rules.passage_words);
    let is_free = |row| {
        let is_fixed = rows.record(RowNumber(row))?.flags.get() & IS_OF_REPOSITORY != 0;
        Ok((!is_fixed && tokens.tokens(row)?.len() >= sampler.run_words(), row))
    };
    let order = ranked(rows, tokens.rows().map(is_free))?;
    let prepare_rows = |piece: &[u32]| -> Result<Vec<Prepared>> {
        let mut scratch = RunScratch::default();
        let prepare_row = |&row: &u32| {
            let record = rows.record(RowNumber(row))?;
            let is_fixed = record.flags.get() & IS_OF_REPOSITORY != 0;
            let (group, tokens) = (record.keep_group.get(), tokens.tokens(row)?);
            let gone = words_in(functions.of(row), tokens);
            Ok(prepare(&sampler, seen.watched, Unprepared { row, tokens, gone, group, is_fixed }, &mut scratch))
        };
        piece.iter().map(prepare_row).collect()
    };
    let keys_of =
        |piece: &[u32]| -> Result<Vec<u64>> { Ok(prepare_rows(piece)?.iter().flat_map(Prepared::keys).collect()) };
    let mut filter = Filter::new(tokens.n_tokens(), context.memory_bytes / FILTER_SHARE);
    let fill = |keys: Vec<u64>| {
        for key in keys {
            filter.add(key);
        }
        Ok(())
    };
    for_each_in_order(context.threads, pieces(&order, tokens), keys_of, fill)?;
    for &key in seen.known_runs {
        filter.add(key);
        filter.add(key);
    }

    let mut cutter = Cutter::new(sampler, rules.keep, seen.watched, tokens, filter, context.memory_bytes);
    let mut all = AllCuts::default();
    let take = |piece: Vec<Prepared>| {
        for prepared in piece {
            let row = prepared.row;
            let RowCuts { cuts, new_grams, new_runs, is_complete } = cutter.cut(prepared)?;
            all.is_incomplete |= !is_complete;
            for cut in in_bytes(rows, tokens, row, &cuts)? {
                // The blanks before a function go with it.
                let starts = functions.of(row).iter().map(|function| function.start.get());
                let end = starts.filter(|&start| start >= cut.start.get()).fold(cut.end.get(), u32::min);
                all.cuts.push(Cut { end: U32::new(end), ..cut });
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

/// Turns words of a row into bytes. A cut ends where the next word begins; but what stands before that word stays where nothing else would part the words
/// that come together.
fn in_bytes(rows: &Rows, tokens: &Tokens, row: u32, cuts: &[TokenCut]) -> Result<Vec<Cut>> {
    let own = tokens.tokens(row)?;
    let text_bytes = rows.record(RowNumber(row))?.text_bytes;
    let mut found = Vec::with_capacity(cuts.len());
    let mut cuts = cuts.iter().peekable();
    // Where the words begin that go together with this cut.
    let mut run_start = 0;
    let mut end_before = None;
    while let Some(TokenCut { tokens: range, kept_row, kept_token }) = cuts.next() {
        if end_before.replace(range.end) != Some(range.start) {
            run_start = range.start;
        }
        let kept = tokens.tokens(*kept_row)?;
        let token_at = |at: u32| own.get(at as usize);
        let goes_on = cuts.peek().is_some_and(|next| next.tokens.start == range.end);
        let is_apart = |at: u32| token_at(at).is_some_and(Token::is_apart);
        let end = if !goes_on && run_start > 0 && !is_apart(run_start) && is_apart(range.end) {
            token_at(range.end - 1).map(|token| token.end)
        } else {
            token_at(range.end).map(|token| token.start)
        };
        let start = if range.start == 0 { Some(U32::ZERO) } else { token_at(range.start).map(|token| token.start) };
        found.push(Cut {
            row: U32::new(row),
            start: start.unwrap_or(text_bytes),
            end: end.unwrap_or(text_bytes),
            kept_row: U32::new(*kept_row),
            kept_start: kept.get(*kept_token as usize).map_or(U32::ZERO, |token| token.start),
        });
    }
    Ok(found)
}
