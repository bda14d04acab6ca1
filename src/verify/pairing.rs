//! Pairs the lexemes of an alignment of shapes, and what stands beside its gaps.
//!
//! A name's shape knows how far back the same name stands, so that a statement that was inserted changes the shapes behind it. Beside each gap lexemes are
//! therefore paired as long as they are of one class, and what is left on one side may be found within the other: `x` in `(x)`. A gap is
//! moved to where a line begins, if that makes no difference: of `a = b` in two lines the whole line was inserted, and not `= b`, line end,
//! `a`.
//!
//! Cost: O(lexemes).

use std::ops::Range;

use super::alignment::Alignment;
use super::code_view::{CodeView, is_same, is_same_class};

/// Most lexemes on either side of a gap that are compared with those of the other side.
const FACING_LEXEMES_MAX: u32 = 24;

/// Most lexemes that are added at either end of an alignment.
const END_LEXEMES_MAX: u32 = 16;

/// A lexeme of the query and the one of the source that it goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) query: u32,
    pub(super) source: u32,
    /// Whether both are the same by content.
    pub(super) is_same: bool,
}

/// Pairs the lexemes of an alignment, ascending on both sides; those of a pair are of one class.
pub(super) fn pair(query: &CodeView<'_>, source: &CodeView<'_>, alignment: &Alignment) -> Vec<Pair> {
    let mut pairing = Pairing { query, source, pairs: Vec::with_capacity(alignment.matched_words() as usize) };
    let (mut query_end, mut source_end) = (alignment.query_words().start, alignment.source_words().start);
    for run in &alignment.runs {
        // What both runs claim was paired with the first.
        let skip = query_end.saturating_sub(run.query).max(source_end.saturating_sub(run.source)).min(run.len);
        pairing.fill(query_end..run.query + skip, source_end..run.source + skip);
        for n in skip..run.len {
            pairing.push(run.query + n, run.source + n);
        }
        (query_end, source_end) = (run.query + run.len, run.source + run.len);
    }
    pairing.extend_ends();
    pairing.join_function_ends();
    pairing.move_gaps();
    pairing.pairs
}

/// Tells whether a lexeme without a partner may be layout: brackets that group, and what parts their content.
pub(super) fn is_layout(view: &CodeView<'_>, at: u32) -> bool {
    ["(", ")", ",", "{", "}"].into_iter().any(|mark| view.is(at, mark))
}

struct Pairing<'a> {
    query: &'a CodeView<'a>,
    source: &'a CodeView<'a>,
    pairs: Vec<Pair>,
}

impl Pairing<'_> {
    fn is_class(&self, at: u32, other: u32) -> bool {
        is_same_class(self.query, self.source, at, other)
    }

    fn pair_of(&self, at: u32, other: u32) -> Pair {
        Pair { query: at, source: other, is_same: is_same(self.query, self.source, at, other) }
    }

    /// Adds a pair if both are of one class; tells whether they are.
    fn push(&mut self, at: u32, other: u32) -> bool {
        let is_class = self.is_class(at, other);
        if is_class {
            self.pairs.push(self.pair_of(at, other));
        }
        is_class
    }

    /// Pairs what stands in a gap.
    fn fill(&mut self, mut ours: Range<u32>, mut theirs: Range<u32>) {
        while !ours.is_empty() && !theirs.is_empty() && self.push(ours.start, theirs.start) {
            ours.start += 1;
            theirs.start += 1;
        }
        let mut behind = 0;
        while !ours.is_empty() && !theirs.is_empty() && self.is_class(ours.end - 1, theirs.end - 1) {
            ours.end -= 1;
            theirs.end -= 1;
            behind += 1;
        }
        if !ours.is_empty() && !theirs.is_empty() && ours.len().max(theirs.len()) <= FACING_LEXEMES_MAX as usize {
            self.face(ours.clone(), theirs.clone());
        }
        for n in 0..behind {
            self.pairs.push(self.pair_of(ours.end + n, theirs.end + n));
        }
    }

    /// Pairs two short stretches: place by place where they are equally long and that pairs anything; or all that is no layout of one
    /// within the other.
    fn face(&mut self, ours: Range<u32>, theirs: Range<u32>) {
        if ours.len() == theirs.len() {
            let n_before = self.pairs.len();
            for (at, other) in ours.clone().zip(theirs.clone()) {
                self.push(at, other);
            }
            if self.pairs.len() > n_before {
                return;
            }
        }
        let ours: Vec<u32> = ours.filter(|&at| !is_layout(self.query, at)).collect();
        let theirs: Vec<u32> = theirs.filter(|&at| !is_layout(self.source, at)).collect();
        let mut found = Vec::new();
        let mut first = 0;
        if ours.len() <= theirs.len() {
            for &at in &ours {
                let Some(n) = theirs[first..].iter().position(|&other| self.is_class(at, other)) else { return };
                found.push((at, theirs[first + n]));
                first += n + 1;
            }
        } else {
            for &other in &theirs {
                let Some(n) = ours[first..].iter().position(|&at| self.is_class(at, other)) else { return };
                found.push((ours[first + n], other));
                first += n + 1;
            }
        }
        for (at, other) in found {
            self.push(at, other);
        }
    }

    /// Pairs lexemes of one class before the first pair and behind the last: what stands before a copy changes the shapes at its start.
    fn extend_ends(&mut self) {
        let Some(&first) = self.pairs.first() else { return };
        let room = first.query.min(first.source).min(END_LEXEMES_MAX);
        let n_before = (1..=room).take_while(|&n| self.is_class(first.query - n, first.source - n)).count();
        let before = (1..=u32::try_from(n_before).unwrap_or(0)).rev();
        let before: Vec<Pair> = before.map(|n| self.pair_of(first.query - n, first.source - n)).collect();
        self.pairs.splice(0..0, before);
        for _ in 0..END_LEXEMES_MAX {
            let Some(&last) = self.pairs.last() else { return };
            let (at, other) = (last.query + 1, last.source + 1);
            if at >= self.query.end() || other >= self.source.end() || !self.push(at, other) {
                return;
            }
        }
    }

    /// Pairs the ends of two functions where the rest of both is paired, and what stands before the ends: behind a statement that was inserted
    /// before the last ones, too little follows for an alignment to go on.
    fn join_function_ends(&mut self) {
        let Some(&last) = self.pairs.last() else { return };
        let (Some(ours), Some(theirs)) = (self.query.function_at(last.query), self.source.function_at(last.source))
        else {
            return;
        };
        let (left, other_left) = (ours.end - last.query - 1, theirs.end - last.source - 1);
        let room = left.min(other_left).min(END_LEXEMES_MAX);
        if room == 0 || left.max(other_left) > FACING_LEXEMES_MAX {
            return;
        }
        let n_equal = (1..=room).take_while(|&n| self.is_class(ours.end - n, theirs.end - n)).count();
        let n_equal = u32::try_from(n_equal).unwrap_or(0);
        // Whole lines alone: a bracket at the end says nothing.
        let starts_line = |n: &u32| self.query.begins_line(ours.end - n) && self.source.begins_line(theirs.end - n);
        let Some(n_lines) = (1..=n_equal).rev().find(starts_line) else { return };
        self.fill(last.query + 1..ours.end - n_lines, last.source + 1..theirs.end - n_lines);
        for n in (1..=n_lines).rev() {
            self.pairs.push(self.pair_of(ours.end - n, theirs.end - n));
        }
    }

    /// Moves gaps that are on one side alone towards the start until they begin a line, where the lexemes allow it.
    fn move_gaps(&mut self) {
        for n in 1..self.pairs.len() {
            let (before, after) = (self.pairs[n - 1], self.pairs[n]);
            let in_query = after.query - before.query - 1;
            let in_source = after.source - before.source - 1;
            if in_query > 0 && in_source == 0 && !self.query.begins_line(before.query + 1) {
                self.move_gap(n, in_query, |pair| &mut pair.query);
            } else if in_source > 0 && in_query == 0 && !self.source.begins_line(before.source + 1) {
                self.move_gap(n, in_source, |pair| &mut pair.source);
            }
        }
    }

    /// Moves the gap of `width` lexemes before pair `n`, of which `side` tells the side.
    fn move_gap(&mut self, n: usize, width: u32, side: impl Fn(&mut Pair) -> &mut u32) {
        let mut moved = Vec::new();
        for at in (0..n).rev() {
            let old = self.pairs[at];
            let mut new = old;
            *side(&mut new) += width;
            let is_connected = at == 0 || {
                let before = self.pairs[at - 1];
                before.query + 1 == old.query && before.source + 1 == old.source
            };
            if !self.is_class(new.query, new.source) {
                return;
            }
            moved.push(self.pair_of(new.query, new.source));
            let mut start = old;
            let starts_line = if new.query == old.query {
                self.source.begins_line(*side(&mut start))
            } else {
                self.query.begins_line(*side(&mut start))
            };
            if starts_line {
                for (offset, pair) in moved.into_iter().enumerate() {
                    self.pairs[n - 1 - offset] = pair;
                }
                return;
            }
            if !is_connected || moved.len() >= FACING_LEXEMES_MAX as usize {
                return;
            }
        }
    }
}
