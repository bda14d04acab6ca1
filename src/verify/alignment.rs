//! What an alignment is, how it is scored, and the numbers that shape it.
//!
//! Scores count *half words*: +2 a matched word, -2 a substituted one, -3 an inserted or deleted one. In words that is +1, -1 and -1.5.
//! An edit costs what one matched word brings, because a copy must stay a copy while every fifth word is changed (+4 -1 per five
//! words) and two strangers, who share perhaps every fifth word and never in a row, must lose (+1 -4). A lone inserted or deleted word costs half a word more
//! than a substituted one because it moves only one side: with `indel = mismatch - match / 2` the score depends on the antidiagonal and the
//! number of edits alone (Zhang et al. 2000, section 3), and that is what makes the greedy extension exact.

use std::ops::Range;

/// What a matched word adds to a score, in half words.
pub const MATCH_SCORE: i32 = 2;
/// What a substituted word takes from a score, in half words.
pub const SUBSTITUTION_COST: i32 = 2;
/// What an inserted or deleted word takes from a score, in half words: see the module's doc for why not the same.
pub const INDEL_COST: i32 = SUBSTITUTION_COST + MATCH_SCORE / 2;

/// Most seeds of one call: more are ignored, and the result says `capped`. A 2 KB query has some 300 words and an index keeps at most 64
/// postings of each, so that 65,536 are never met by honest texts; sorting them takes 2 ms.
pub const SEEDS_MAX: usize = 1 << 16;

/// Word comparisons per word of both texts, beside [`WORK_FLOOR`], that a call may make to widen seeds, and again to extend through edits. Real
/// candidates need 1 to 4 per copied word (300 words: verbatim 1.7, every tenth changed 2.3, every fifth 3.3; half of the first and a fifth of
/// the last at the borders); 16 leaves room for texts that repeat themselves, and keeps the work linear.
pub const WORK_PER_WORD: u64 = 16;

/// Word comparisons that a call may make for each of both, however short the texts: 0.1 ms.
pub const WORK_FLOOR: u64 = 1 << 15;

/// Most places in the source of one stretch of the query that are compared by their spelling: more functions of one shape than a file has; 64
/// of 200 words take 0.1 ms.
pub const REPEATS_MAX: usize = 64;

/// Most cells (diagonal x edits) that one extension keeps for its way back: 1 MiB of scratch, some 25,000 edits.
pub const CELLS_MAX: usize = 1 << 18;

/// Most words of either text that one extension looks at: keeps cells and scores far inside `i32`. No document under the default cap of
/// 32 MiB has more.
pub const EXTENSION_WORDS_MAX: usize = 1 << 25;

/// Most alignments that one call collects before it chains them, which takes time quadratic in them: 256 are 0.1 ms.
pub const ALIGNMENTS_MAX: usize = 256;

/// What shapes alignments; [`Default`] is what copytrace uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlignOptions {
    /// Common runs from this length on are always covered, in words. The recipe's guarantee length: 25.
    pub guaranteed_words: u32,
    /// Alignments with fewer matched words are dropped, if `guaranteed_words` allows. 8: the k of the anchors, so that what one
    /// anchor shows is enough, and two words that a full-text hit shares are not.
    pub matched_words_min: u32,
    /// An extension ends where the score has fallen this far below its best, in words. 10: a sentence of ten words that was exchanged is crossed, or six words inserted, and
    /// at an edit rate of 20 % a random fall of 10 happens once in 50,000 words; the work at each border of a copy grows with its square.
    pub drop_words_max: u32,
    /// An extension through edits is kept if it gains at least this over them, in words. 3: a run of four words after a substituted one
    /// (4 - 1) makes an edited copy, a chance pair beyond the border of a verbatim one (2 - 1) does not.
    pub gain_words_min: u32,
    /// An extension that is kept ends where no further piece gains at least this, in words. 1: on 500 edited passages of real prose
    /// 67 % then start and end where the copy does, against 51 % at 3, at an excess of at most 0.03 words an end.
    pub last_gain_words_min: u32,
    /// Colinear alignments are chained over at most this many words on either side, and never over more than both match together. 128: a
    /// paragraph.
    pub chain_gap_words_max: u32,
    /// Word comparisons that a call may make for each of both kinds of work beside [`WORK_PER_WORD`]: [`WORK_FLOOR`]; more for short texts that repeat
    /// themselves.
    pub work_floor: u64,
}

impl Default for AlignOptions {
    fn default() -> Self {
        Self {
            guaranteed_words: 25,
            matched_words_min: 8,
            drop_words_max: 10,
            gain_words_min: 3,
            last_gain_words_min: 1,
            chain_gap_words_max: 128,
            work_floor: WORK_FLOOR,
        }
    }
}

impl AlignOptions {
    /// Returns how many matched words an alignment needs.
    pub(super) fn matched_min(&self) -> u32 {
        self.matched_words_min.min(self.guaranteed_words)
    }

    /// Returns the fall that ends an extension, in half words.
    pub(super) fn drop_max(&self) -> i32 {
        half_words(self.drop_words_max)
    }

    /// Returns the gain that an extension needs, in half words.
    pub(super) fn gain_min(&self) -> i32 {
        half_words(self.gain_words_min)
    }

    /// Returns the gain that the last piece of an extension needs, in half words.
    pub(super) fn last_gain_min(&self) -> i32 {
        half_words(self.last_gain_words_min).max(1)
    }
}

/// Converts words to half words; saturates.
pub(super) fn half_words(words: u32) -> i32 {
    i32::try_from(words).unwrap_or(i32::MAX).saturating_mul(MATCH_SCORE)
}

/// Both sides share the words [query, query + len) and [source, source + len).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// Index of the first word in the query.
    pub query: u32,
    /// Index of the first word in the source.
    pub source: u32,
    /// Number of words, at least 1.
    pub len: u32,
}

impl Run {
    /// Returns the run's words in the query.
    pub fn query_words(self) -> Range<u32> {
        self.query..self.query + self.len
    }

    /// Returns the run's words in the source.
    pub fn source_words(self) -> Range<u32> {
        self.source..self.source + self.len
    }

    /// Tells whether this run starts before `other` and ends before it, on both sides.
    pub(super) fn precedes(self, other: Self) -> bool {
        self.query < other.query
            && self.source < other.source
            && self.query_words().end < other.query_words().end
            && self.source_words().end < other.source_words().end
    }
}

/// What lies between two runs of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// Words that both runs claim, on the side where that is more. They are matched once.
    pub(super) shared: u32,
    /// Words that face another word.
    pub(super) substituted: u32,
    /// Words of the query that the source lacks.
    pub(super) inserted: u32,
    /// Words of the source that the query lacks.
    pub(super) deleted: u32,
}

impl Gap {
    /// Measures the gap between two runs of which the first precedes the second.
    pub(super) fn between(before: Run, after: Run) -> Self {
        debug_assert!(before.precedes(after), "runs ascend on both sides");
        let (query_end, source_end) = (before.query_words().end, before.source_words().end);
        let shared = query_end.saturating_sub(after.query).max(source_end.saturating_sub(after.source));
        let in_query = after.query + shared - query_end;
        let in_source = after.source + shared - source_end;
        let substituted = in_query.min(in_source);
        Self { shared, substituted, inserted: in_query - substituted, deleted: in_source - substituted }
    }

    /// Returns what the gap takes from a score, in half words: its edits, but never more than the fall that ends an extension, so that
    /// an inserted chapter costs no more than an inserted sentence.
    pub(super) fn cost(self, options: &AlignOptions) -> i32 {
        let edits = |words: u32, cost: i32| i32::try_from(words).unwrap_or(i32::MAX).saturating_mul(cost);
        edits(self.substituted, SUBSTITUTION_COST)
            .saturating_add(edits(self.inserted.saturating_add(self.deleted), INDEL_COST))
            .min(options.drop_max())
    }

    /// Returns what the run after the gap adds to a score, in half words; may be negative.
    pub(super) fn gain(self, after: Run, options: &AlignOptions) -> i32 {
        half_words(after.len - self.shared) - self.cost(options)
    }

    /// Returns the gap's words on the side where it is wider.
    pub(super) fn width(self) -> u32 {
        self.substituted + self.inserted.max(self.deleted)
    }
}

/// Which words of a query and of a source are the same, in the same order.
///
/// Guarantee: runs ascend, by start and by end, on both sides; at least one run; `query_words().len() == matched_words() + substituted +
/// inserted` and `source_words().len() == matched_words() + substituted + deleted`.
///
/// Neighbouring runs may overlap on one side by words that both claim: in `the the cat` against `the cat` the runs are `the` and `the cat`,
/// each as long as it can be. Such a word is matched once, and the other one is inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// Maximal common runs, ascending.
    pub runs: Vec<Run>,
    /// Words that face another word.
    pub substituted: u32,
    /// Words of the query that the source lacks.
    pub inserted: u32,
    /// Words of the source that the query lacks.
    pub deleted: u32,
    /// Half words: matched ones less the cost of each gap (see the module's doc). No gap costs more than the drop that ends an extension.
    pub score: i32,
}

impl Alignment {
    /// Makes an alignment of runs that ascend.
    pub(super) fn of(runs: Vec<Run>, options: &AlignOptions) -> Self {
        debug_assert!(!runs.is_empty(), "an alignment has a run");
        let mut made = Self { runs, substituted: 0, inserted: 0, deleted: 0, score: 0 };
        made.score = made.runs.first().map_or(0, |run| half_words(run.len));
        for pair in made.runs.windows(2) {
            let gap = Gap::between(pair[0], pair[1]);
            made.substituted += gap.substituted;
            made.inserted += gap.inserted;
            made.deleted += gap.deleted;
            made.score = made.score.saturating_add(gap.gain(pair[1], options));
        }
        made
    }

    /// Returns the words of the query from the first matched one to the last.
    pub fn query_words(&self) -> Range<u32> {
        let ends = self.runs.first().zip(self.runs.last());
        ends.map_or(0..0, |(first, last)| first.query..last.query_words().end)
    }

    /// Returns the words of the source from the first matched one to the last.
    pub fn source_words(&self) -> Range<u32> {
        let ends = self.runs.first().zip(self.runs.last());
        ends.map_or(0..0, |(first, last)| first.source..last.source_words().end)
    }

    /// Returns how many words are the same and in the same order; each is counted once.
    pub fn matched_words(&self) -> u32 {
        let words = self.query_words();
        words.end - words.start - self.substituted - self.inserted
    }

    /// Returns the length of the longest run, in words.
    pub fn longest_run(&self) -> u32 {
        self.runs.iter().map(|run| run.len).max().unwrap_or(0)
    }

    /// Returns the share of the query's words, from the first matched one to the last, that are matched: 0 to 1.
    pub fn density(&self) -> f64 {
        let words = self.query_words();
        share(self.matched_words(), words.end - words.start)
    }

    /// Returns the share of the longer stretch's words that are matched: 0 to 1; 1 if and only if nothing was edited.
    pub fn identity(&self) -> f64 {
        share(self.matched_words(), self.matched_words() + self.substituted + self.inserted.max(self.deleted))
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(query: u32, source: u32, len: u32) -> Run {
        Run { query, source, len }
    }

    /// `counts` are matched, substituted, inserted, deleted, score.
    fn check(runs: &[Run], counts: (u32, u32, u32, u32, i32)) {
        let made = Alignment::of(runs.to_vec(), &AlignOptions::default());
        assert_eq!(
            (made.matched_words(), made.substituted, made.inserted, made.deleted, made.score),
            counts,
            "{runs:?}"
        );
        let query = made.query_words();
        let source = made.source_words();
        assert_eq!(query.end - query.start, made.matched_words() + made.substituted + made.inserted);
        assert_eq!(source.end - source.start, made.matched_words() + made.substituted + made.deleted);
    }

    #[test]
    fn gaps_are_counted_as_the_fewest_edits() {
        check(&[run(3, 7, 25)], (25, 0, 0, 0, 50));
        check(&[run(0, 0, 4), run(5, 5, 4)], (8, 1, 0, 0, 14));
        check(&[run(0, 0, 4), run(5, 4, 4)], (8, 0, 1, 0, 13));
        check(&[run(0, 0, 4), run(4, 5, 4)], (8, 0, 0, 1, 13));
        check(&[run(0, 0, 4), run(7, 5, 4)], (8, 1, 2, 0, 8));
    }

    #[test]
    fn a_word_that_two_runs_claim_is_matched_once() {
        check(&[run(0, 0, 2), run(2, 1, 2)], (3, 0, 1, 0, 3));
        check(&[run(0, 0, 25), run(24, 26, 25)], (49, 0, 0, 2, 92));
    }

    #[test]
    fn a_wide_gap_costs_no_more_than_the_drop() {
        check(&[run(0, 0, 30), run(70, 30, 30)], (60, 0, 40, 0, 100));
    }

    #[test]
    fn shares_are_of_what_is_spanned() {
        let made = Alignment::of(vec![run(0, 0, 4), run(5, 7, 5)], &AlignOptions::default());
        assert_eq!((made.matched_words(), made.longest_run()), (9, 5));
        assert!((made.density() - 9.0 / 10.0).abs() < 1e-12);
        assert!((made.identity() - 9.0 / 12.0).abs() < 1e-12);
    }
}
