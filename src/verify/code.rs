//! What two aligned pieces of code really share: which lexemes are the same, under which renaming, and what kind of copy that is.
//!
//! # From an alignment to a comparison
//!
//! 1. *Pair*: the runs of the alignment pair lexemes of the same shape. Beside each gap pairs are added as long as the lexemes are of one class: a
//!    statement that was inserted changes how far back a name stands, and with it the shape.
//! 2. *Compare content*: keywords, operators and brackets must be the same by their spelling, whatever their hashes say.
//! 3. *Rename*: the map of [`renaming`](super::renaming); pairs that it does not accept are differences.
//! 4. *Cut*: lines at either end that only look alike are cut off: a header `def name(self):` goes on before and behind every
//!    method. A line is held by a name that is the same, by one that is renamed as elsewhere in the copy, or by a literal.
//! 5. *Classify*: differences that only the layout of code makes (brackets around an expression, a comma, an alias `a = self`) are none.
//!
//! Cost: O(lexemes log names).

use std::collections::BTreeSet;
use std::ops::Range;

use copytrace_indexer::lexemes::LexemeKind;
use copytrace_indexer::span::Span;

use super::alignment::Alignment;
use super::code_view::CodeView;
use super::functions::count_matched;
use super::kind::{CopyKind, is_verbatim};
use super::notation::Notation;
use super::pairing::{Pair, pair};
use super::renaming::{NamePair, Renaming, Role};

/// Least letters and digits of a string that says something about where it comes from: `{}: {}` and `utf-8` stand everywhere.
const LITERAL_LETTERS_MIN: usize = 5;

/// Least length of a number that does, in bytes: 0, 1 and 10 stand everywhere.
const NUMBER_BYTES_MIN: usize = 3;

/// What two stretches of code share.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What kind of copy it is.
    pub kind: CopyKind,
    /// Lexemes of the query that are matched: runs, ascending.
    pub query_runs: Vec<Range<u32>>,
    /// The same lexemes of the source.
    pub source_runs: Vec<Range<u32>>,
    /// From the first matched lexeme of the query to the last.
    pub query: Range<u32>,
    /// From the first matched lexeme of the source to the last.
    pub source: Range<u32>,
    /// Bytes of the query.
    pub query_span: Span,
    /// Bytes of the source.
    pub source_span: Span,
    /// Matched lexemes.
    pub matched: u32,
    /// Matched lexemes of the longest run.
    pub longest_run: u32,
    /// Lexemes of the longer side, without what only the layout of code makes.
    pub length: u32,
    /// Names that were changed: lexeme of the query and of the source where each first stands, in the order of the query.
    pub renames: Vec<(u32, u32)>,
    /// Different names that are the same on both sides.
    pub names_same: u32,
    /// Of those, different names that carry meaning: called, members, arguments, or not introduced in the copy itself.
    pub meanings_same: u32,
    /// Different names that carry meaning and are others.
    pub meanings_changed: u32,
    /// Different literals that are the same and say something.
    pub literals_same: u32,
    /// Different literals that are others.
    pub literals_changed: u32,
    /// Share of the function of the query in which most of the copy lies that is matched, 0 to 1; of the whole piece where it lies in none.
    pub coverage: f64,
    /// The same of the source.
    pub source_coverage: f64,
}

impl Comparison {
    /// Tells whether a unit of the query, if it were proven to be one of the source, said more than the lexemes do.
    pub fn may_be_proven_by(&self, query: &CodeView<'_>, query_bytes: Range<u32>) -> bool {
        let ours = query.lexemes_in(&query_bytes);
        let n_inside = count_matched(&self.query_runs, &ours);
        !ours.is_empty() && n_inside * 6 >= self.matched * 5 && n_inside * 2 >= ours.end - ours.start
    }

    /// Takes over that a unit of the query was proven to be one of the source, up to a renaming, and the lexemes of both with it. Returns whether
    /// this says more than the lexemes did: the unit holds most of the copy, and the copy most of the unit.
    ///
    /// `is_loose` where literals, or names of the file, may differ. Bytes are those of the views.
    pub fn is_proven_by(
        &mut self,
        query: &CodeView<'_>,
        query_bytes: Range<u32>,
        source: &CodeView<'_>,
        source_bytes: Range<u32>,
        is_loose: bool,
    ) -> bool {
        let (ours, theirs) = (query.lexemes_in(&query_bytes), source.lexemes_in(&source_bytes));
        let length = |range: &Range<u32>| range.end - range.start;
        if theirs.is_empty() || !self.may_be_proven_by(query, query_bytes) {
            return false;
        }
        self.kind = if self.renames.is_empty() && !is_loose { CopyKind::Reformatted } else { CopyKind::Renamed };
        (self.query_span, self.source_span) = (query.span(&ours), source.span(&theirs));
        self.longest_run = length(&ours);
        self.matched = length(&ours);
        self.length = self.matched;
        (self.coverage, self.source_coverage) = (1.0, 1.0);
        self.query_runs = vec![ours.clone()];
        self.source_runs = vec![theirs.clone()];
        (self.query, self.source) = (ours, theirs);
        true
    }
}

/// Compares two pieces of code along an alignment of their shapes. None where nothing is left.
///
/// `aliases` are names of the query that stand for others, as [`drop_aliases`](super::notation::drop_aliases) finds them.
pub fn compare_code(
    query: &CodeView<'_>,
    source: &CodeView<'_>,
    alignment: &Alignment,
    aliases: &[(u64, u64)],
) -> Option<Comparison> {
    let notation = Notation::find(query, alignment.query_words(), aliases);
    let mut pairs = pair(query, source, alignment);
    accept(query, source, &mut pairs, &notation.aliases());
    let pairs = cut_ends(query, source, pairs);
    let (first, last) = (*pairs.first()?, *pairs.last()?);
    let (query_range, source_range) = (first.query..last.query + 1, first.source..last.source + 1);
    let gaps = Gaps::find(query, source, &pairs, &notation);
    let facts = Facts::find(query, source, &pairs);

    let literals_changed = facts.literals_changed;
    let is_changed = !facts.renames.is_empty() || literals_changed > 0;
    let kind = if gaps.n_differences > 0 {
        CopyKind::Edited
    } else if is_verbatim(query.stretch(&query_range), source.stretch(&source_range)) {
        // First: a change of indentation may change what is in a string of several lines.
        CopyKind::Verbatim
    } else if is_changed {
        CopyKind::Renamed
    } else {
        CopyKind::Reformatted
    };
    let (query_runs, source_runs) = runs_of(&pairs);
    let longest_run = query_runs.iter().map(|run| run.end - run.start).max().unwrap_or(0);
    let (coverage, source_coverage) = (coverage(query, &query_runs), coverage(source, &source_runs));
    let matched = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    Some(Comparison {
        kind,
        query_span: query.span(&query_range),
        source_span: source.span(&source_range),
        query_runs,
        source_runs,
        query: query_range,
        source: source_range,
        matched,
        longest_run,
        length: matched + gaps.in_query.max(gaps.in_source),
        renames: facts.renames,
        names_same: facts.names_same,
        meanings_same: facts.meanings_same,
        meanings_changed: facts.meanings_changed,
        literals_same: facts.literals_same,
        literals_changed,
        coverage,
        source_coverage,
    })
}

/// Drops pairs of names that do not go together.
fn accept(query: &CodeView<'_>, source: &CodeView<'_>, pairs: &mut Vec<Pair>, aliases: &[(u64, u64)]) {
    let is_name = |pair: &Pair| query.kind(pair.query) == LexemeKind::Name;
    let names: Vec<NamePair> = pairs
        .iter()
        .filter(|pair| is_name(pair))
        .map(|pair| NamePair { query: pair.query, source: pair.source })
        .collect();
    let shares_line = |at: u32, other: u32| !(at + 1..=other).any(|at| query.begins_line(at));
    let renaming = Renaming::find(query.named, source.named, &names, aliases, shares_line);
    pairs.retain(|pair| {
        !is_name(pair)
            || renaming.accepts(query.named, source.named, NamePair { query: pair.query, source: pair.source })
    });
}

/// Cuts off lines at both ends that nothing but their shape holds.
fn cut_ends(query: &CodeView<'_>, source: &CodeView<'_>, mut pairs: Vec<Pair>) -> Vec<Pair> {
    let mut seen = std::collections::BTreeMap::new();
    for pair in pairs.iter().filter(|pair| query.kind(pair.query) == LexemeKind::Name) {
        *seen.entry((query.hash(pair.query), source.hash(pair.source))).or_insert(0_u32) += 1;
    }
    let holds = |pair: &Pair| match query.kind(pair.query) {
        LexemeKind::Name => pair.is_same || seen[&(query.hash(pair.query), source.hash(pair.source))] > 1,
        LexemeKind::Text | LexemeKind::Number => pair.is_same,
        LexemeKind::Keyword | LexemeKind::Mark => false,
    };
    let mut lines: Vec<Range<usize>> = Vec::new();
    for (n, pair) in pairs.iter().enumerate() {
        match lines.last_mut() {
            Some(line) if !query.begins_line(pair.query) => line.end = n + 1,
            _ => lines.push(n..n + 1),
        }
    }
    let is_held = |line: &Range<usize>| pairs[line.clone()].iter().any(holds);
    let has_names =
        |line: &Range<usize>| pairs[line.clone()].iter().any(|pair| query.kind(pair.query) == LexemeKind::Name);
    let (Some(first), Some(last)) = (lines.iter().position(is_held), lines.iter().rposition(is_held)) else {
        // Shape alone: a copy in which everything was changed.
        return pairs;
    };
    let end = last + lines[last + 1..].iter().take_while(|line| !has_names(line)).count();
    let (mut start, mut end) = (lines[first].start, lines[end].end);
    // Functions that begin, or end, on both sides are not cut there: what names a function is part of it.
    let both = |pair: &Pair| Some((query.function_at(pair.query)?, source.function_at(pair.source)?));
    if let Some((ours, theirs)) = both(&pairs[start]) {
        let is_start = |pair: &Pair| (pair.query, pair.source) == (ours.start, theirs.start);
        start = pairs[..start].iter().rposition(is_start).unwrap_or(start);
    }
    if let Some((ours, theirs)) = both(&pairs[end - 1]) {
        let is_end = |pair: &Pair| (pair.query + 1, pair.source + 1) == (ours.end, theirs.end);
        end = pairs[end..].iter().position(is_end).map_or(end, |n| end + n + 1);
    }
    pairs.truncate(end);
    pairs.drain(..start);
    cut_neighbours(query, pairs)
}

/// Cuts off the beginning of a function behind the copied one, and the end of one before it: where most of a neighbour is not matched, it is no part of
/// the copy.
fn cut_neighbours(query: &CodeView<'_>, mut pairs: Vec<Pair>) -> Vec<Pair> {
    let (Some(&first), Some(&last)) = (pairs.first(), pairs.last()) else { return pairs };
    let matched = |function: &Range<u32>| pairs.iter().filter(|pair| function.contains(&pair.query)).count();
    let is_part = |function: &Range<u32>| matched(function) * 2 >= (function.end - function.start) as usize;
    let behind = query.function_at(last.query);
    let behind =
        behind.filter(|function| function.start > first.query && !is_part(function)).map(|function| function.start);
    let before = query.function_at(first.query);
    let before =
        before.filter(|function| function.end <= last.query && !is_part(function)).map(|function| function.end);
    let (start, end) = (before.unwrap_or(0), behind.unwrap_or(u32::MAX));
    if pairs.iter().any(|pair| (start..end).contains(&pair.query)) {
        pairs.retain(|pair| (start..end).contains(&pair.query));
    }
    pairs
}

/// What stands between the pairs.
struct Gaps {
    /// Lexemes of the query without a partner, but for those of notation.
    in_query: u32,
    /// The same of the source.
    in_source: u32,
    n_differences: u32,
}

impl Gaps {
    fn find(query: &CodeView<'_>, source: &CodeView<'_>, pairs: &[Pair], notation: &Notation) -> Self {
        let mut gaps = Self { in_query: 0, in_source: 0, n_differences: 0 };
        for two in pairs.windows(2) {
            let (n_query, n_source) = notation.count_differences(query, source, two[0], two[1]);
            gaps.in_query += n_query;
            gaps.in_source += n_source;
            gaps.n_differences += u32::from(n_query + n_source > 0);
        }
        gaps
    }
}

/// What the names and literals of the pairs say.
#[derive(Default)]
struct Facts {
    renames: Vec<(u32, u32)>,
    names_same: u32,
    meanings_same: u32,
    meanings_changed: u32,
    literals_same: u32,
    literals_changed: u32,
}

impl Facts {
    fn find(query: &CodeView<'_>, source: &CodeView<'_>, pairs: &[Pair]) -> Self {
        let mut facts = Self::default();
        // Names that the copy introduces itself: parameters and variables, which may have any name.
        let own: BTreeSet<u64> = pairs
            .iter()
            .filter(|pair| {
                source.named.roles.is_binding[pair.source as usize] && source.role(pair.source) != Role::Member
            })
            .map(|pair| source.hash(pair.source))
            .collect();
        let (mut seen, mut renamed) = (BTreeSet::new(), BTreeSet::new());
        for pair in pairs {
            let role = query.role(pair.query);
            let is_name = query.kind(pair.query) == LexemeKind::Name;
            if !seen.insert((query.hash(pair.query), source.hash(pair.source), is_name.then_some(role))) {
                continue;
            }
            match query.kind(pair.query) {
                LexemeKind::Name => {
                    let has_meaning = role != Role::Plain || !own.contains(&source.hash(pair.source));
                    facts.names_same += u32::from(pair.is_same);
                    facts.meanings_same += u32::from(pair.is_same && has_meaning);
                    facts.meanings_changed += u32::from(!pair.is_same && has_meaning);
                    let names = (query.hash(pair.query), source.hash(pair.source));
                    if !pair.is_same && renamed.insert(names) {
                        facts.renames.push((pair.query, pair.source));
                    }
                }
                LexemeKind::Text | LexemeKind::Number => {
                    let spelling = query.spelling(pair.query);
                    let says_something = match query.kind(pair.query) {
                        LexemeKind::Text => {
                            let letters = spelling.chars().filter(|letter| letter.is_alphanumeric());
                            letters.take(LITERAL_LETTERS_MIN).count() == LITERAL_LETTERS_MIN
                        }
                        _ => spelling.len() >= NUMBER_BYTES_MIN,
                    };
                    facts.literals_same += u32::from(pair.is_same && says_something);
                    facts.literals_changed += u32::from(!pair.is_same);
                }
                LexemeKind::Keyword | LexemeKind::Mark => {}
            }
        }
        facts
    }
}

/// Runs of pairs that follow each other on both sides: lexemes of the query, and of the source.
fn runs_of(pairs: &[Pair]) -> (Vec<Range<u32>>, Vec<Range<u32>>) {
    let chunks = pairs.chunk_by(|a, b| b.query == a.query + 1 && b.source == a.source + 1);
    let ends = chunks.map(|run| (run[0], run[run.len() - 1]));
    ends.map(|(first, last)| (first.query..last.query + 1, first.source..last.source + 1)).unzip()
}

/// Returns how much of the function is matched in which most of the copy lies.
fn coverage(view: &CodeView<'_>, runs: &[Range<u32>]) -> f64 {
    let matched: u32 = runs.iter().map(|run| run.end - run.start).sum();
    let all = 0..view.end();
    // A text has 50,000 functions and 250 alignments: only those that a run reaches are looked at.
    let reached = runs.first().zip(runs.last()).map_or(&[][..], |(first, last)| {
        let begin = view.functions.partition_point(|function| function.end <= first.start);
        let end = view.functions.partition_point(|function| function.start < last.end);
        &view.functions[begin..end]
    });
    let best = reached.iter().map(|function| (count_matched(runs, function), function)).max_by_key(|best| best.0);
    let (n, function) = best.filter(|(n, _)| n * 2 >= matched).unwrap_or((matched, &all));
    f64::from(n) / f64::from((function.end - function.start).max(1))
}
