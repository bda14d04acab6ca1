//! Joins alignments that belong to one copy, and drops those that explain nothing new.
//!
//! Chaining is the dynamic program of colinear chains (minimap2, section 2.1) with a concave gap cost: `best(y) = score(y) + max over x before y of
//! (best(x) - cost(gap))`, where no gap costs more than the drop that ends an extension. Cost: O(n^2) for n alignments, at most
//! [`super::alignment::ALIGNMENTS_MAX`]; nearly always n is 1 or 2.

use super::alignment::{AlignOptions, Alignment, Gap, half_words};
use super::cover::Cover;

/// Reused memory of chaining.
#[derive(Debug, Default)]
pub(super) struct Chainer {
    links: Vec<Link>,
    order: Vec<usize>,
}

/// The best chain that ends with one alignment.
#[derive(Debug, Clone, Copy)]
struct Link {
    score: i32,
    bridge: Option<Bridge>,
    is_used: bool,
}

/// How an alignment is joined to one before it.
#[derive(Debug, Clone, Copy)]
struct Bridge {
    /// The one before.
    before: usize,
    /// How many of its runs stay; those after them cross the bridge.
    n_kept: usize,
    /// How many runs of the one after cross the bridge.
    n_skipped: usize,
    /// What the runs that cross and the gap take from the score of both.
    cost: i32,
    /// Words in the gap, on the wider side; breaks ties.
    width: u32,
}

impl Chainer {
    /// Joins colinear alignments with small gaps.
    ///
    /// Where the ends of two alignments cross, because one extension went a few words astray, the runs that cross are dropped from the side
    /// where that costs less. Guarantee: no run of `guaranteed_words` or more is dropped, and none is changed.
    pub(super) fn chain(&mut self, mut alignments: Vec<Alignment>, options: &AlignOptions) -> Vec<Alignment> {
        if alignments.len() < 2 {
            return alignments;
        }
        alignments.sort_unstable_by_key(|alignment| {
            (
                alignment.query_words().start,
                alignment.source_words().start,
                alignment.query_words().end,
                alignment.score,
            )
        });
        self.links.clear();
        for (y, after) in alignments.iter().enumerate() {
            let mut best = Link { score: after.score, bridge: None, is_used: false };
            for (x, before) in alignments[..y].iter().enumerate() {
                let link = self.links[x];
                let n_gone = link.bridge.map_or(0, |bridge| bridge.n_skipped);
                let Some(bridge) = bridge(before, after, x, n_gone, options) else { continue };
                let score = link.score.saturating_add(after.score).saturating_sub(bridge.cost);
                let is_nearer = best.bridge.is_some_and(|best| bridge.width < best.width);
                if score > best.score || (score == best.score && is_nearer) {
                    best = Link { score, bridge: Some(bridge), is_used: false };
                }
            }
            self.links.push(best);
        }
        if self.links.iter().all(|link| link.bridge.is_none()) {
            return alignments;
        }
        self.join(&alignments, options)
    }

    /// Takes the chains out, best first; a piece that a better chain took ends a chain.
    fn join(&mut self, alignments: &[Alignment], options: &AlignOptions) -> Vec<Alignment> {
        self.order.clear();
        self.order.extend(0..alignments.len());
        self.order.sort_by_key(|&idx| std::cmp::Reverse(self.links[idx].score));
        let mut joined = Vec::with_capacity(alignments.len());
        for &last in &self.order {
            if self.links[last].is_used {
                continue;
            }
            let mut runs = Vec::new();
            let (mut idx, mut end) = (last, alignments[last].runs.len());
            loop {
                self.links[idx].is_used = true;
                let bridge = self.links[idx].bridge.filter(|bridge| !self.links[bridge.before].is_used);
                let start = bridge.map_or(0, |bridge| bridge.n_skipped);
                runs.extend(alignments[idx].runs[start..end].iter().rev());
                let Some(bridge) = bridge else { break };
                (idx, end) = (bridge.before, bridge.n_kept);
            }
            runs.reverse();
            joined.push(Alignment::of(runs, options));
        }
        joined
    }
}

/// Returns how to join two alignments, if that is right: both colinear but for runs that may be dropped, and a gap of at most the option's words and of at
/// most what both match, so that two chance phrases a paragraph apart do not become one copy.
///
/// `n_gone` runs at the start of the one before are not there any more.
fn bridge(
    before: &Alignment,
    after: &Alignment,
    before_idx: usize,
    n_gone: usize,
    options: &AlignOptions,
) -> Option<Bridge> {
    let (last, first) = (*before.runs.last()?, *after.runs.first()?);
    let n_kept = before.runs.partition_point(|run| run.precedes(first));
    let n_skipped = after.runs.partition_point(|&run| !last.precedes(run));
    let (kept, dropped) = before.runs.split_at(n_kept);
    let (skipped, rest) = after.runs.split_at(n_skipped);
    let drop_last = (kept.len() > n_gone).then(|| {
        let loss = before.runs[n_kept - 1..]
            .windows(2)
            .map(|pair| Gap::between(pair[0], pair[1]).gain(pair[1], options))
            .sum();
        (loss, dropped, n_kept, 0)
    });
    let drop_first = (!rest.is_empty() && before.runs.len() > n_gone).then(|| {
        let loss =
            after.runs[..=n_skipped].windows(2).map(|pair| Gap::between(pair[0], pair[1]).gain(pair[0], options)).sum();
        (loss, skipped, before.runs.len(), n_skipped)
    });
    let (loss, dropped, n_kept, n_skipped): (i32, _, _, _) = match (drop_last, drop_first) {
        (Some(last), Some(first)) if first.0 < last.0 => first,
        (last, first) => last.or(first)?,
    };
    if dropped.iter().any(|run| run.len >= options.guaranteed_words) {
        return None;
    }
    let (last, first) = (*before.runs.get(n_kept.checked_sub(1)?)?, *after.runs.get(n_skipped)?);
    let gap = Gap::between(last, first);
    let width_max = options.chain_gap_words_max.min(before.matched_words().saturating_add(after.matched_words()));
    let cost = loss.saturating_add(half_words(gap.shared)).saturating_add(gap.cost(options));
    (gap.width() <= width_max).then_some(Bridge { before: before_idx, n_kept, n_skipped, cost, width: gap.width() })
}

/// Orders alignments best first and drops those that explain no new words of the query.
///
/// Guarantee: a word that stood in a run of `guaranteed_words` or more stands in such a run of an alignment that is kept.
pub(super) fn resolve(
    alignments: &mut Vec<Alignment>,
    n_query_words: usize,
    options: &AlignOptions,
    covered: &mut Cover,
    covered_long: &mut Cover,
) {
    if alignments.len() < 2 {
        return;
    }
    alignments.sort_unstable_by_key(|alignment| {
        let start = (alignment.query_words().start, alignment.source_words().start);
        (std::cmp::Reverse(alignment.score), start, alignment.query_words().end)
    });
    covered.reset(n_query_words);
    covered_long.reset(n_query_words);
    alignments.retain(|alignment| {
        let n_new: u32 = alignment.runs.iter().map(|run| covered.count_missing(run.query_words())).sum();
        let mut long_runs = alignment.runs.iter().filter(|run| run.len >= options.guaranteed_words);
        let is_news = n_new >= options.matched_min() || long_runs.any(|run| !covered_long.holds(run.query_words()));
        if is_news {
            cover(alignment, options, covered, covered_long);
        }
        is_news
    });
}

/// Notes which words of the query an alignment explains.
pub(super) fn cover(alignment: &Alignment, options: &AlignOptions, covered: &mut Cover, covered_long: &mut Cover) {
    for run in &alignment.runs {
        covered.insert(run.query_words());
        if run.len >= options.guaranteed_words {
            covered_long.insert(run.query_words());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::alignment::Run;
    use super::*;

    /// A run as (query, source, len).
    type Piece = (u32, u32, u32);

    fn of(runs: &[Piece]) -> Alignment {
        let runs = runs.iter().map(|&(query, source, len)| Run { query, source, len });
        Alignment::of(runs.collect(), &AlignOptions::default())
    }

    /// Chains alignments, given by their runs; expects the runs of each chain, in the order of the query.
    fn check_alignments(pieces: &[&[Piece]], expected: &[&[Piece]]) {
        let options = AlignOptions::default();
        let mut chained = Chainer::default().chain(pieces.iter().map(|runs| of(runs)).collect(), &options);
        chained.sort_by_key(|alignment| alignment.query_words().start);
        let found: Vec<Vec<_>> = chained
            .iter()
            .map(|alignment| alignment.runs.iter().map(|run| (run.query, run.source, run.len)).collect())
            .collect();
        assert_eq!(found, expected, "{pieces:?}");
    }

    fn check(singles: &[Piece], expected: &[&[Piece]]) {
        let pieces: Vec<_> = singles.iter().map(std::slice::from_ref).collect();
        check_alignments(&pieces, expected);
    }

    #[test]
    fn colinear_pieces_with_a_small_gap_become_one() {
        check(&[(0, 0, 30), (70, 30, 30)], &[&[(0, 0, 30), (70, 30, 30)]]);
        check(&[(70, 30, 30), (0, 0, 30)], &[&[(0, 0, 30), (70, 30, 30)]]);
        check(&[(0, 0, 90), (90, 200, 90), (300, 300, 90)], &[&[(0, 0, 90), (90, 200, 90), (300, 300, 90)]]);
    }

    #[test]
    fn pieces_that_are_far_apart_or_cross_stay_apart() {
        check(&[(0, 0, 100), (229, 100, 100)], &[&[(0, 0, 100)], &[(229, 100, 100)]]);
        check(&[(0, 100, 50), (50, 0, 50)], &[&[(0, 100, 50)], &[(50, 0, 50)]]);
        check(&[(0, 0, 12), (36, 36, 12)], &[&[(0, 0, 12), (36, 36, 12)]]);
        check(&[(0, 0, 12), (37, 37, 12)], &[&[(0, 0, 12)], &[(37, 37, 12)]]);
    }

    #[test]
    fn runs_that_cross_are_dropped_where_that_costs_less() {
        let rows: [(&[_], &[_], &[&[_]]); 6] = [
            (&[(0, 0, 40), (41, 41, 7)], &[(41, 60, 30)], &[&[(0, 0, 40), (41, 60, 30)]]),
            (&[(0, 0, 40), (41, 41, 7)], &[(43, 60, 4), (50, 70, 30)], &[&[(0, 0, 40), (41, 41, 7), (50, 70, 30)]]),
            (&[(0, 0, 40)], &[(35, 60, 4), (41, 66, 30)], &[&[(0, 0, 40), (41, 66, 30)]]),
            (&[(0, 0, 40), (41, 41, 25)], &[(41, 70, 60)], &[&[(0, 0, 40), (41, 41, 25)], &[(41, 70, 60)]]),
            (&[(0, 0, 40), (41, 41, 24)], &[(41, 70, 60)], &[&[(0, 0, 40), (41, 70, 60)]]),
            (&[(0, 0, 40)], &[(10, 60, 12)], &[&[(0, 0, 40)], &[(10, 60, 12)]]),
        ];
        for (before, after, expected) in rows {
            check_alignments(&[before, after], expected);
        }
    }

    #[test]
    fn a_piece_between_two_is_in_one_chain_only_and_whole() {
        check_alignments(
            &[&[(0, 0, 40)], &[(30, 60, 8), (45, 75, 12)], &[(46, 74, 40)]],
            &[&[(0, 0, 40), (46, 74, 40)], &[(30, 60, 8), (45, 75, 12)]],
        );
        check_alignments(
            &[&[(0, 0, 40)], &[(41, 41, 20)], &[(41, 61, 30)]],
            &[&[(0, 0, 40), (41, 61, 30)], &[(41, 41, 20)]],
        );
        check_alignments(
            &[&[(0, 0, 110)], &[(100, 220, 8), (115, 235, 12)], &[(114, 240, 40)]],
            &[&[(0, 0, 110), (115, 235, 12)], &[(114, 240, 40)]],
        );
    }

    #[test]
    fn a_piece_joins_the_nearer_of_two_equal_neighbours() {
        check(&[(0, 0, 40), (0, 60, 40), (50, 110, 40)], &[&[(0, 60, 40), (50, 110, 40)], &[(0, 0, 40)]]);
    }

    /// Resolves single runs; expects the words matched by those that stay.
    fn check_kept(singles: &[Piece], expected: &[u32]) {
        let mut alignments: Vec<_> = singles.iter().map(|single| of(std::slice::from_ref(single))).collect();
        let (mut covered, mut covered_long) = (Cover::default(), Cover::default());
        resolve(&mut alignments, 1_000, &AlignOptions::default(), &mut covered, &mut covered_long);
        let kept: Vec<u32> = alignments.iter().map(Alignment::matched_words).collect();
        assert_eq!(kept, expected, "{singles:?}");
    }

    #[test]
    fn only_alignments_that_explain_new_words_stay() {
        check_kept(&[(0, 0, 100), (10, 500, 60)], &[100]);
        check_kept(&[(0, 0, 100), (90, 500, 60)], &[100, 60]);
        check_kept(&[(0, 0, 20), (13, 500, 19)], &[20, 19]);
        check_kept(&[(0, 0, 20), (5, 500, 19)], &[20]);
        check_kept(&[(0, 0, 100), (98, 500, 26)], &[100, 26]);
    }
}
