//! From a seed to its maximal exact run, and from the ends of a run through edits.
//!
//! # Greedy X-drop over furthest-reaching diagonals
//!
//! Idea: count the edits, not the words. `R(d, k)` is the furthest word of the query that an alignment with d edits reaches on the diagonal k
//! (query - source). From one d to the next only the diagonals that are still alive are looked at, and equal words are slid over for free:
//!
//! ```text
//! R(d, k) = slide(max(R(d-1, k-1) + 1,      a word of the query is inserted
//!                     R(d-1, k)   + 1,      a word is substituted
//!                     R(d-1, k+1)))         a word of the source is deleted
//! ```
//!
//! With the costs of [`super::alignment`] the score of a point is `(i + j) - 4 d` half words whatever its edits were, so that the
//! furthest point of a diagonal is also its best (Zhang et al. 2000, lemma in section 3). A point dies when its score is more than X below the
//! best so far. (The paper compares with the best of some edits ago, so that its greedy algorithm drops exactly what its dynamic program
//! drops; on 750 real passages both rules find the same, and this one takes a quarter less time.)
//!
//! Guarantee: every run handed out is equal by hash, and as long as it can be on the side that faces away from the start. Cost: O(cells + words slid
//! over); an extension into unrelated text ends after some 100 cells, one through edited text looks at about 10 cells an edit.

use std::cmp::max;

use super::TextView;
use super::alignment::{AlignOptions, CELLS_MAX, EXTENSION_WORDS_MAX, INDEL_COST, MATCH_SCORE, Run, SUBSTITUTION_COST};
use super::work::Work;

/// What one more edit takes from the score of a point that is counted by its antidiagonal, in half words: with it `(i + j) - EDIT_COST * d`
/// is +2 a match, -2 a substitution, -3 an insertion or deletion.
const EDIT_COST: i32 = MATCH_SCORE + SUBSTITUTION_COST;
const _: () = assert!(
    MATCH_SCORE == 2 && EDIT_COST - 1 == INDEL_COST,
    "the score depends on the antidiagonal and the edits alone"
);

/// A point that cannot be reached or was dropped; stays negative after an edit.
const DEAD: i32 = i32::MIN / 2;

/// Returns how many words are equal from the start of both.
fn common_prefix(a: &[u64], b: &[u64]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Returns how many words are equal up to the end of both.
fn common_suffix(a: &[u64], b: &[u64]) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// Widens a run on both sides as far as the hashes agree.
///
/// Guarantee: the result is the maximal run of equal hashes around `run`. Cost: O(words gained), counted in `work`.
pub(super) fn widen(query: &TextView, source: &TextView, run: Run, work: &mut Work) -> Run {
    let (query_words, source_words) = (run.query_words(), run.source_words());
    let before =
        common_suffix(&query.hashes[..query_words.start as usize], &source.hashes[..source_words.start as usize]);
    let after = common_prefix(&query.hashes[query_words.end as usize..], &source.hashes[source_words.end as usize..]);
    work.spend(before + after + 2);
    let [before, after] = [before, after].map(word_count);
    Run { query: run.query - before, source: run.source - before, len: before + run.len + after }
}

/// Words of a text are numbered by u32.
fn word_count(n: usize) -> u32 {
    u32::try_from(n).expect("a text has fewer than 2^32 words")
}

/// The points of one number of edits: those of the diagonals `diagonal_min..diagonal_min + len`.
#[derive(Debug, Clone, Copy)]
struct Row {
    diagonal_min: i32,
    first_cell: usize,
    len: usize,
}

/// The furthest point of an extension that scores best.
#[derive(Debug, Clone, Copy)]
struct Peak {
    edits: usize,
    diagonal: i32,
    score: i32,
}

/// Reused memory of extensions.
#[derive(Debug, Default)]
pub(super) struct Extender {
    cells: Vec<i32>,
    rows: Vec<Row>,
}

impl Extender {
    /// Appends to `path` the runs that precede `run`, ascending. Tells whether it looked as far as the rule says, and not a cap.
    pub(super) fn extend_backward(
        &mut self,
        texts: (&TextView, &TextView),
        run: Run,
        options: &AlignOptions,
        work: &mut Work,
        path: &mut Vec<Run>,
    ) -> bool {
        let query = &texts.0.hashes[..run.query as usize];
        let source = &texts.1.hashes[..run.source as usize];
        let is_cut = query.len().max(source.len()) > EXTENSION_WORDS_MAX;
        let query = &query[query.len().saturating_sub(EXTENSION_WORDS_MAX)..];
        let source = &source[source.len().saturating_sub(EXTENSION_WORDS_MAX)..];
        let (peak, is_complete) = self.climb::<false>(query, source, options, work);
        self.trace(peak, query.len(), source.len(), |i, j, len| {
            path.push(Run { query: run.query - i - len, source: run.source - j - len, len });
        });
        is_complete && !is_cut
    }

    /// Appends to `path` the runs that follow `run`, ascending. Tells whether it looked as far as the rule says, and not a cap.
    pub(super) fn extend_forward(
        &mut self,
        texts: (&TextView, &TextView),
        run: Run,
        options: &AlignOptions,
        work: &mut Work,
        path: &mut Vec<Run>,
    ) -> bool {
        let (query_end, source_end) = (run.query_words().end, run.source_words().end);
        let query = &texts.0.hashes[query_end as usize..];
        let source = &texts.1.hashes[source_end as usize..];
        let is_cut = query.len().max(source.len()) > EXTENSION_WORDS_MAX;
        let query = &query[..query.len().min(EXTENSION_WORDS_MAX)];
        let source = &source[..source.len().min(EXTENSION_WORDS_MAX)];
        let (peak, is_complete) = self.climb::<true>(query, source, options, work);
        let first = path.len();
        self.trace(peak, query.len(), source.len(), |i, j, len| {
            path.push(Run { query: query_end + i, source: source_end + j, len });
        });
        path[first..].reverse();
        is_complete && !is_cut
    }

    /// Fills rows edit by edit until no point is alive; returns the best point and whether no cap stopped the search.
    ///
    /// `FORWARD` reads both texts from their start, else from their end.
    fn climb<const FORWARD: bool>(
        &mut self,
        query: &[u64],
        source: &[u64],
        options: &AlignOptions,
        work: &mut Work,
    ) -> (Peak, bool) {
        let slide = |i: i32, diagonal: i32| {
            let (i, j) = (index(i), index(i - diagonal));
            let n_equal = if FORWARD {
                common_prefix(&query[i..], &source[j..])
            } else {
                common_suffix(&query[..query.len() - i], &source[..source.len() - j])
            };
            count(n_equal)
        };
        let (n_query, n_source) = (count(query.len()), count(source.len()));

        self.cells.clear();
        self.rows.clear();
        let start = slide(0, 0);
        self.cells.push(start);
        self.rows.push(Row { diagonal_min: 0, first_cell: 0, len: 1 });
        let mut peak = Peak { edits: 0, diagonal: 0, score: 2 * start };
        let (mut diagonal_min, mut diagonal_max) = (0, 0);
        for edits in 1usize.. {
            let floor = peak.score.saturating_sub(options.drop_max());
            let spent = EDIT_COST.saturating_mul(count(edits));
            let row = Row {
                diagonal_min: diagonal_min - 1,
                first_cell: self.cells.len(),
                len: index(diagonal_max - diagonal_min + 3),
            };
            work.spend(row.len);
            if work.is_spent() || row.first_cell + row.len > CELLS_MAX {
                return (peak, false);
            }
            let before = self.rows[edits - 1];
            let (mut alive_min, mut alive_max) = (i32::MAX, i32::MIN);
            for diagonal in row.diagonal_min..=diagonal_max + 1 {
                let i = self.steps(before, diagonal, n_query, n_source).into_iter().fold(DEAD, max);
                if i < 0 || 2 * i - diagonal - spent < floor {
                    self.cells.push(DEAD);
                    continue;
                }
                let n_equal = slide(i, diagonal);
                work.spend(index(n_equal));
                let i = i + n_equal;
                self.cells.push(i);
                (alive_min, alive_max) = (alive_min.min(diagonal), diagonal);
                let score = 2 * i - diagonal - spent;
                if score > peak.score {
                    peak = Peak { edits, diagonal, score };
                }
            }
            self.rows.push(row);
            if alive_min > alive_max {
                break;
            }
            (diagonal_min, diagonal_max) = (alive_min, alive_max);
        }
        (peak, true)
    }

    /// Returns where one more edit leads on a diagonal: by a substituted, an inserted, a deleted word; negative where it leads nowhere.
    fn steps(&self, before: Row, diagonal: i32, n_query: i32, n_source: i32) -> [i32; 3] {
        let i_max = n_query.min(n_source.saturating_add(diagonal));
        let from = |diagonal: i32, step: i32| {
            let i = self.cell(before, diagonal) + step;
            if i > i_max { DEAD } else { i }
        };
        [from(diagonal, 1), from(diagonal - 1, 1), from(diagonal + 1, 0)]
    }

    fn cell(&self, row: Row, diagonal: i32) -> i32 {
        usize::try_from(diagonal - row.diagonal_min)
            .ok()
            .filter(|&idx| idx < row.len)
            .map_or(DEAD, |idx| self.cells[row.first_cell + idx])
    }

    /// Walks back from the peak and hands out the runs that lead to it, furthest first, as (query, source, len) counted from the start.
    fn trace(&self, peak: Peak, n_query: usize, n_source: usize, mut found: impl FnMut(u32, u32, u32)) {
        let (n_query, n_source) = (count(n_query), count(n_source));
        let mut diagonal = peak.diagonal;
        for edits in (0..=peak.edits).rev() {
            let end = self.cell(self.rows[edits], diagonal);
            let (start, came_from) = if edits == 0 {
                (0, diagonal)
            } else {
                let [substituted, inserted, deleted] = self.steps(self.rows[edits - 1], diagonal, n_query, n_source);
                let start = substituted.max(inserted).max(deleted);
                let came_from = if start == substituted {
                    diagonal
                } else if start == inserted {
                    diagonal - 1
                } else {
                    diagonal + 1
                };
                (start, came_from)
            };
            if end > start {
                found(unsigned(start), unsigned(start - diagonal), unsigned(end - start));
            }
            diagonal = came_from;
        }
    }
}

/// Texts of an extension have at most [`EXTENSION_WORDS_MAX`] words.
fn count(n: usize) -> i32 {
    i32::try_from(n).expect("an extension looks at fewer than 2^31 words")
}

/// A point that is alive lies inside both texts.
fn index(i: i32) -> usize {
    usize::try_from(i).expect("a point that is alive is not negative")
}

/// A point that is alive lies inside both texts.
fn unsigned(i: i32) -> u32 {
    u32::try_from(i).expect("a point that is alive is not negative")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::oracle::Text;
    use super::*;

    /// Best score of any pair of prefixes, by the full dynamic program.
    fn best_extension(query: &[u64], source: &[u64]) -> i32 {
        let mut above: Vec<i32> = (0..=count(source.len())).map(|j| -INDEL_COST * j).collect();
        let mut best = 0;
        for q in query {
            let mut row = vec![above[0] - INDEL_COST];
            for (j, s) in source.iter().enumerate() {
                let step = if q == s { MATCH_SCORE } else { -SUBSTITUTION_COST };
                row.push((above[j] + step).max(above[j + 1] - INDEL_COST).max(row[j] - INDEL_COST));
            }
            best = row.iter().copied().fold(best, max);
            above = row;
        }
        best
    }

    fn words() -> impl Strategy<Value = Vec<u64>> {
        (1u64..5).prop_flat_map(|n_letters| prop::collection::vec(0..n_letters, 0..40))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]
        #[test]
        fn an_extension_without_drop_is_optimal_in_both_directions(query in words(), source in words()) {
            let options = AlignOptions { drop_words_max: 1_000, ..AlignOptions::default() };
            let mut extender = Extender::default();
            let (peak, is_complete) = extender.climb::<true>(&query, &source, &options, &mut Work::new(1 << 20));
            prop_assert!(is_complete);
            prop_assert_eq!(peak.score, best_extension(&query, &source));
            let mut traced = 0;
            extender.trace(peak, query.len(), source.len(), |i, j, len| {
                for offset in 0..len {
                    assert_eq!(query[(i + offset) as usize], source[(j + offset) as usize]);
                }
                traced += count(len as usize);
            });
            prop_assert!(MATCH_SCORE * traced >= peak.score);
            let reversed = |words: &[u64]| words.iter().rev().copied().collect::<Vec<_>>();
            let (backward, _) = extender.climb::<false>(&reversed(&query), &reversed(&source), &options, &mut Work::new(1 << 20));
            prop_assert_eq!(backward.score, peak.score);
        }
    }

    /// Extends from nothing before the first words of two texts; expects the runs.
    fn check(query: &str, source: &str, expected: &[(u32, u32, u32)]) {
        let (query, source) = (Text::of(query), Text::of(source));
        let start = Run { query: 0, source: 0, len: 0 };
        let mut path = Vec::new();
        let options = AlignOptions::default();
        let texts = (&query.view(), &source.view());
        assert!(Extender::default().extend_forward(texts, start, &options, &mut Work::new(1 << 20), &mut path));
        let found: Vec<_> = path.iter().map(|run| (run.query, run.source, run.len)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn edits_are_crossed_while_they_pay() {
        check("a b c", "a b c", &[(0, 0, 3)]);
        check("x a b c", "y a b c", &[(1, 1, 3)]);
        check("x a b c", "a b c", &[(1, 0, 3)]);
        check("a b c", "y a b c", &[(0, 1, 3)]);
        check("a b x c d e f", "a b y c d e f", &[(0, 0, 2), (3, 3, 4)]);
        check("x a", "y a", &[]);
        check("x", "y", &[]);
        check("", "y", &[]);
    }

    #[test]
    fn an_extension_ends_where_a_cap_is_hit_and_says_so() {
        let words: Vec<u32> = (0..1_000).collect();
        let changed: Vec<u32> = words.iter().map(|&word| if word % 3 == 0 { word + 5_000 } else { word }).collect();
        let (query, source) = (Text::of_numbers(&words), Text::of_numbers(&changed));
        for (comparisons, is_complete) in [(1 << 20, true), (1_000, false)] {
            let mut path = Vec::new();
            let start = Run { query: 0, source: 0, len: 0 };
            let texts = (&query.view(), &source.view());
            let options = AlignOptions::default();
            let found =
                Extender::default().extend_forward(texts, start, &options, &mut Work::new(comparisons), &mut path);
            assert_eq!(found, is_complete);
            assert_eq!(path.len() == 333, is_complete);
        }
    }
}
