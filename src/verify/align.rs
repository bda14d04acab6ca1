//! Aligns a query with a stretch of a source around seeds: see the module's doc for the steps.

use std::cmp::Reverse;

use super::TextView;
use super::alignment::{ALIGNMENTS_MAX, AlignOptions, Alignment, Gap, REPEATS_MAX, Run, SEEDS_MAX, WORK_PER_WORD};
use super::chain::{Chainer, cover, resolve};
use super::cover::Cover;
use super::extend::{Extender, widen};
use super::work::Work;

/// What [`align`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aligned {
    /// Best first: by score, then by place in the query and in the source.
    pub alignments: Vec<Alignment>,
    /// Whether a cap on work or memory was hit: what is reported is true, but something may be missing or cut short.
    pub capped: bool,
}

/// Memory that calls of [`align`] share; one per thread.
#[derive(Debug, Default)]
pub struct Scratch {
    seeds: Vec<u64>,
    diagonals: Vec<Diagonal>,
    runs: Vec<Run>,
    found: Vec<Run>,
    path: Vec<Run>,
    extender: Extender,
    chainer: Chainer,
    covered: Cover,
    covered_long: Cover,
}

/// Seeds of one diagonal: a range of the sorted seeds.
#[derive(Debug, Clone, Copy)]
struct Diagonal {
    first: usize,
    end: usize,
}

/// Finds what the query has in common with the source around `seeds`, pairs of (query word, source word) that are expected to be equal.
///
/// `same_word` compares two spellings and is what decides: it is true if and only if both have the same normal form, and then their hashes
/// are equal too. Spellings with equal bytes are not put to it.
///
/// Guarantees, for texts and options as their docs ask:
///
/// 1. Every run reported is a maximal common run by content: it cannot be extended on either side.
/// 2. Unless `capped`: for every maximal common run of at least `guaranteed_words` words with a seed inside, each of its words in the query
///    is covered by a reported run of at least that length (perhaps of another place in the source).
/// 3. The counts of every alignment agree with its runs ([`Alignment`]).
/// 4. The same input gives the same result, whatever the scratch was used for before and however the seeds are ordered, unless there are more than
///    [`SEEDS_MAX`].
///
/// Not guaranteed: the best score. On random copies with up to 20 % of the words edited, the best alignment has 99 % of the words that a full dynamic
/// program matches, and 95 % or more in nineteen of twenty texts; what is missing are ends that do not gain clearly.
///
/// Seeds outside the texts, or on words that differ, are ignored.
///
/// Cost: at most `2 * (WORK_PER_WORD * words of both texts + options.work_floor)` comparisons, whatever the texts, and no more than `budget` has left, which
/// pays for them; O(matched words + 10 edits) for real copies. No allocation but the result, once the scratch has grown.
pub fn align(
    query: &TextView,
    source: &TextView,
    seeds: &[(u32, u32)],
    options: &AlignOptions,
    same_word: impl Fn(&str, &str) -> bool,
    budget: &mut Work,
    scratch: &mut Scratch,
) -> Aligned {
    query.assert_sound();
    source.assert_sound();
    let n_words = query.hashes.len() as u64 + source.hashes.len() as u64;
    let work_max = WORK_PER_WORD * n_words + options.work_floor;
    let part = budget.part(work_max);
    let mut work = part;
    scratch.sort_seeds(query, source, &seeds[..seeds.len().min(SEEDS_MAX)]);
    scratch.widen_seeds(query, source, &mut work);
    let mut capped = seeds.len() > SEEDS_MAX || work.is_spent();
    scratch.put_likest_first(query, source, &mut work);
    budget.settle(part, work);
    let part = budget.part(work_max);
    let mut work = part;

    let mut alignments = Vec::new();
    scratch.covered.reset(query.hashes.len());
    scratch.covered_long.reset(query.hashes.len());
    for idx in 0..scratch.runs.len() {
        let seed_run = scratch.runs[idx];
        if scratch.is_covered(seed_run, options) {
            continue;
        }
        if work.is_spent() || alignments.len() >= ALIGNMENTS_MAX {
            capped = true;
            break;
        }
        capped |= !scratch.extend(query, source, seed_run, options, &mut work);
        let runs = same_content(query, source, &scratch.path, &same_word, &mut work);
        scratch.keep(runs, options, &mut alignments);
        if seed_run.len >= options.guaranteed_words && !scratch.is_covered(seed_run, options) {
            for run in same_content(query, source, &[seed_run], &same_word, &mut work) {
                if run.len >= options.guaranteed_words && !scratch.is_covered(run, options) {
                    scratch.keep(vec![run], options, &mut alignments);
                }
            }
        }
    }
    capped |= work.is_spent();
    budget.settle(part, work);
    let mut alignments = scratch.chainer.chain(alignments, options);
    resolve(&mut alignments, query.hashes.len(), options, &mut scratch.covered, &mut scratch.covered_long);
    Aligned { alignments, capped }
}

impl Scratch {
    /// Sorts the seeds whose words are equal by diagonal, then by query word.
    fn sort_seeds(&mut self, query: &TextView, source: &TextView, seeds: &[(u32, u32)]) {
        self.seeds.clear();
        let n_query = query.hashes.len() as u64;
        self.seeds.extend(seeds.iter().filter_map(|&(q, s)| {
            let is_equal = query.hashes.get(q as usize)? == source.hashes.get(s as usize)?;
            let diagonal = u32::try_from(u64::from(s) + n_query - u64::from(q)).ok()?;
            is_equal.then(|| u64::from(diagonal) << 32 | u64::from(q))
        }));
        self.seeds.sort_unstable();
    }

    /// Widens each seed to its maximal exact run; leaves the runs longest first, and of equally long ones those whose contents are most alike.
    ///
    /// Diagonals with most seeds go first, so that a budget that runs out has been spent where it counts.
    fn widen_seeds(&mut self, query: &TextView, source: &TextView, work: &mut Work) {
        self.diagonals.clear();
        let mut first = 0;
        for chunk in self.seeds.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.diagonals.push(Diagonal { first, end: first + chunk.len() });
            first += chunk.len();
        }
        self.diagonals.sort_unstable_by_key(|diagonal| (Reverse(diagonal.end - diagonal.first), diagonal.first));
        self.runs.clear();
        for diagonal in &self.diagonals {
            let mut end = 0;
            for &seed in &self.seeds[diagonal.first..diagonal.end] {
                let (q, s) = place(seed, query);
                if q < end {
                    continue;
                }
                if work.is_spent() {
                    break;
                }
                let run = widen(query, source, Run { query: q, source: s, len: 1 }, work);
                end = run.query_words().end;
                self.runs.push(run);
            }
        }
        if std::ptr::eq(query.hashes, query.contents) {
            self.runs.sort_unstable_by_key(|run| (Reverse(run.len), run.query, run.source));
            return;
        }
        let n_same = |run: &Run| {
            let (q, s, len) = (run.query as usize, run.source as usize, run.len as usize);
            query.contents[q..q + len].iter().zip(&source.contents[s..s + len]).filter(|(a, b)| a == b).count()
        };
        self.runs.sort_by_cached_key(|run| (Reverse(run.len), Reverse(n_same(run)), run.query, run.source));
    }

    /// Of runs that are the same words of the query, puts those first of which most words are spelled as in the source: of two functions of one
    /// shape the one with these names, of two sentences the one in this case.
    ///
    /// What is left where the budget ends stays in the order of the source.
    fn put_likest_first(&mut self, query: &TextView, source: &TextView, work: &mut Work) {
        for repeats in self.runs.chunk_by_mut(|a, b| (a.len, a.query) == (b.len, b.query)) {
            let n_compared = repeats.len().min(REPEATS_MAX);
            if n_compared < 2 {
                continue;
            }
            if work.is_spent() {
                return;
            }
            repeats[..n_compared].sort_by_cached_key(|run| {
                work.spend(run.len as usize);
                let words = run.query_words().zip(run.source_words());
                Reverse(words.filter(|&(word, other)| query.word(word) == source.word(other)).count())
            });
        }
    }

    /// Tells whether runs that were found already explain the words of `run`: long runs are needed to explain a long one.
    fn is_covered(&self, run: Run, options: &AlignOptions) -> bool {
        let covered = if run.len >= options.guaranteed_words { &self.covered_long } else { &self.covered };
        covered.holds(run.query_words())
    }

    /// Sets `path` to the runs around and including `core`, by hash: maximal, ascending, without weak ends. Tells whether no cap was hit.
    fn extend(
        &mut self,
        query: &TextView,
        source: &TextView,
        core: Run,
        options: &AlignOptions,
        work: &mut Work,
    ) -> bool {
        let texts = (query, source);
        self.found.clear();
        let is_start_complete = self.extender.extend_backward(texts, core, options, work, &mut self.found);
        self.found.push(core);
        let is_end_complete = self.extender.extend_forward(texts, core, options, work, &mut self.found);
        self.path.clear();
        let is_settled = settle(query, source, &self.found, &mut self.path, work);
        cut_weak_ends(&mut self.path, options);
        is_start_complete && is_end_complete && is_settled
    }

    /// Adds an alignment of the runs, if they match enough.
    fn keep(&mut self, runs: Vec<Run>, options: &AlignOptions, alignments: &mut Vec<Alignment>) {
        if runs.is_empty() {
            return;
        }
        let alignment = Alignment::of(runs, options);
        if alignment.matched_words() >= options.matched_min() {
            cover(&alignment, options, &mut self.covered, &mut self.covered_long);
            alignments.push(alignment);
        }
    }
}

/// Takes a sorted seed apart into its query and source word.
fn place(seed: u64, query: &TextView) -> (u32, u32) {
    let q = seed & u64::from(u32::MAX);
    let s = (seed >> 32) + q - query.hashes.len() as u64;
    let word = |idx: u64| u32::try_from(idx).expect("seeds were made of two u32");
    (word(q), word(s))
}

/// Appends to `path` the runs found, each widened to its maximum. Tells whether the budget sufficed; if not, the path ends early.
///
/// An extension makes each run as long as possible only away from its start: after `the` in `the the cat` against `the cat` it finds
/// `cat`, and this makes it `the cat`.
fn settle(query: &TextView, source: &TextView, found: &[Run], path: &mut Vec<Run>, work: &mut Work) -> bool {
    for &run in found {
        if work.is_spent() && !path.is_empty() {
            return false;
        }
        push_ascending(path, widen(query, source, run, work));
    }
    true
}

/// Appends a run to a path that ascends; of two runs of which one swallows the other on one side only the longer stays.
///
/// Where both had been matched in turn, that loses no matched word: the one that swallows is longer by all that it took.
fn push_ascending(path: &mut Vec<Run>, run: Run) {
    while path.pop_if(|last| !last.precedes(run) && last.len < run.len).is_some() {}
    if path.last().is_none_or(|last| last.precedes(run)) {
        path.push(run);
    }
}

/// Cuts off the ends of a path that do not gain clearly, seen from its longest run.
fn cut_weak_ends(path: &mut Vec<Run>, options: &AlignOptions) {
    let longest = path.iter().enumerate().max_by_key(|&(idx, run)| (run.len, Reverse(idx)));
    let Some((core, _)) = longest else { return };
    let after = path[core..].windows(2).map(|pair| Gap::between(pair[0], pair[1]).gain(pair[1], options));
    let n_after = count_clear_gains(after, options);
    let before = path[..=core].windows(2).rev().map(|pair| Gap::between(pair[0], pair[1]).gain(pair[0], options));
    let n_before = count_clear_gains(before, options);
    path.truncate(core + n_after + 1);
    path.drain(..core - n_before);
}

/// Returns how many steps to take: none if they do not gain `gain_words_min` at their best, else the fewest after which no further step
/// brings `last_gain_words_min` more.
fn count_clear_gains(gains: impl Iterator<Item = i32> + Clone, options: &AlignOptions) -> usize {
    let sums = gains.scan(0, |sum: &mut i32, gain| {
        *sum += gain;
        Some(*sum)
    });
    let peak = sums.clone().fold(0, i32::max);
    if peak < options.gain_min() {
        return 0;
    }
    std::iter::once(0).chain(sums).take_while(|sum| peak - sum >= options.last_gain_min()).count()
}

/// Returns the parts of the runs whose words are the same by content: ascending, each as long as it can be.
///
/// Cost: one comparison of bytes per run where both sides are written alike, else one per word.
fn same_content(
    query: &TextView,
    source: &TextView,
    runs: &[Run],
    same_word: &impl Fn(&str, &str) -> bool,
    work: &mut Work,
) -> Vec<Run> {
    let mut same = Vec::with_capacity(runs.len());
    for &run in runs {
        if query.stretch(run.query_words()) == source.stretch(run.source_words()) {
            push_ascending(&mut same, run);
            continue;
        }
        work.spend(run.len as usize);
        let mut len = 0;
        for offset in 0..run.len {
            let (a, b) = (query.word(run.query + offset), source.word(run.source + offset));
            if a == b || same_word(a, b) {
                len += 1;
            } else {
                push_part(&mut same, run, offset, len);
                len = 0;
            }
        }
        push_part(&mut same, run, run.len, len);
    }
    same
}

/// Appends the `len` words of a run before its word `end`.
fn push_part(path: &mut Vec<Run>, run: Run, end: u32, len: u32) {
    if len > 0 {
        push_ascending(path, Run { query: run.query + end - len, source: run.source + end - len, len });
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use xxhash_rust::xxh3::xxh3_64_with_seed;

    use super::super::oracle::{Text, align_texts, shared_grams};
    use super::*;

    /// Words that stand nowhere else, numbered from `first`.
    fn fresh(first: u32, n: u32) -> Vec<u32> {
        (first..first + n).collect()
    }

    /// What of a text is copied: the words 1000..1300.
    fn passage() -> Vec<u32> {
        fresh(1_000, 300)
    }

    /// Replaces, drops or doubles with a new word every `step`-th word.
    fn change_every(step: usize, words: &[u32], change: impl Fn(u32) -> Vec<u32>) -> Vec<u32> {
        let changed = words.iter().enumerate();
        changed.flat_map(|(idx, &word)| if idx % step == step - 1 { change(word) } else { vec![word] }).collect()
    }

    /// Aligns a copy that stands between strangers with the passage between others, from the seeds given as word numbers; expects (matched,
    /// substituted, inserted, deleted) of each alignment.
    fn check(copy: &[u32], seed_words: &[u32], expected: &[(u32, u32, u32, u32)]) {
        let query = [fresh(10_000, 80), copy.to_vec(), fresh(20_000, 80)].concat();
        let source = [fresh(30_000, 200), passage(), fresh(40_000, 200)].concat();
        let place = |text: &[u32], word: u32| {
            u32::try_from(text.iter().position(|&other| other == word).expect("the seed is in the text")).unwrap()
        };
        let seeds: Vec<_> = seed_words.iter().map(|&word| (place(&query, word), place(&source, word))).collect();
        let found =
            align_texts(&Text::of_numbers(&query), &Text::of_numbers(&source), &seeds, &AlignOptions::default());
        let counts: Vec<_> =
            found.alignments.iter().map(|a| (a.matched_words(), a.substituted, a.inserted, a.deleted)).collect();
        assert_eq!(counts, expected, "seeds {seed_words:?}");
        assert!(!found.capped);
    }

    #[test]
    fn a_verbatim_copy_is_one_run_with_exact_borders() {
        check(&passage(), &[1_000], &[(300, 0, 0, 0)]);
        check(&passage(), &[1_299], &[(300, 0, 0, 0)]);
        check(&passage(), &[1_010, 1_100, 1_200], &[(300, 0, 0, 0)]);
    }

    #[test]
    fn of_equal_places_the_one_that_is_spelled_alike_is_taken() {
        let copied = "The Tides Of The Northern Harbour Were Read At Noon";
        let other = copied.to_ascii_lowercase();
        let (query, source) = (Text::of(copied), Text::of(&format!("{other}. {copied}. {other}.")));
        let seeds = [(2, 2), (4, 14), (3, 23)];
        let found = align_texts(&query, &source, &seeds, &AlignOptions::default());
        let starts: Vec<u32> = found.alignments.iter().map(|alignment| alignment.source_words().start).collect();
        assert_eq!(starts, [10]);
    }

    #[test]
    fn an_edited_copy_is_found_from_one_seed() {
        for seed in [1_000, 1_151, 1_298] {
            let new = |word: u32| word + 50_000;
            check(&change_every(5, &passage(), |word| vec![new(word)]), &[seed - seed % 5], &[(240, 59, 0, 0)]);
            check(&change_every(10, &passage(), |_| vec![]), &[seed], &[(270, 0, 0, 29)]);
            check(&change_every(10, &passage(), |word| vec![word, new(word)]), &[seed], &[(300, 0, 29, 0)]);
            check(&change_every(20, &passage(), |word| vec![new(word), new(word) + 1]), &[seed], &[(285, 14, 14, 0)]);
        }
    }

    #[test]
    fn an_inserted_or_dropped_block_is_bridged_from_seeds_on_both_sides() {
        let (first, last) = (fresh(1_000, 150), fresh(1_150, 150));
        let with_block = |n| [first.clone(), fresh(60_000, n), last.clone()].concat();
        check(&with_block(40), &[1_050, 1_200], &[(300, 0, 40, 0)]);
        check(&with_block(128), &[1_050, 1_200], &[(300, 0, 128, 0)]);
        check(&with_block(129), &[1_050, 1_200], &[(150, 0, 0, 0), (150, 0, 0, 0)]);
        check(&[fresh(1_000, 100), fresh(1_160, 140)].concat(), &[1_050, 1_200], &[(240, 0, 0, 60)]);
        check(
            &[fresh(1_000, 100), fresh(60_000, 30), fresh(1_160, 140)].concat(),
            &[1_050, 1_200],
            &[(240, 30, 0, 30)],
        );
    }

    #[test]
    fn one_seed_crosses_ten_substituted_or_six_inserted_words_and_no_more() {
        let with_gap =
            |n_new: u32, n_gone: u32| [fresh(1_000, 100), fresh(60_000, n_new), fresh(1_100 + n_gone, 100)].concat();
        check(&with_gap(10, 10), &[1_050], &[(200, 10, 0, 0)]);
        check(&with_gap(11, 11), &[1_050], &[(100, 0, 0, 0)]);
        check(&with_gap(6, 0), &[1_050], &[(200, 0, 6, 0)]);
        check(&with_gap(7, 0), &[1_050], &[(100, 0, 0, 0)]);
        check(&with_gap(0, 6), &[1_050], &[(200, 0, 0, 6)]);
        check(&with_gap(0, 7), &[1_050], &[(100, 0, 0, 0)]);
    }

    #[test]
    fn swapped_paragraphs_are_two_alignments() {
        check(&[fresh(1_140, 160), fresh(1_000, 140)].concat(), &[1_050, 1_200], &[(160, 0, 0, 0), (140, 0, 0, 0)]);
    }

    #[test]
    fn a_chance_word_beyond_the_border_does_not_make_an_edited_copy() {
        let with_tail = |n| [fresh(1_000, 100), fresh(60_000, 1), fresh(1_101, n)].concat();
        check(&with_tail(1), &[1_050], &[(100, 0, 0, 0)]);
        check(&with_tail(3), &[1_050], &[(100, 0, 0, 0)]);
        check(&with_tail(4), &[1_050], &[(104, 1, 0, 0)]);
    }

    #[test]
    fn the_last_piece_of_an_edited_copy_must_gain_a_word() {
        let with_tail = |tail: Vec<u32>| [fresh(1_000, 100), fresh(60_000, 1), fresh(1_101, 4), tail].concat();
        check(&with_tail(vec![60_001, 1_105]), &[1_050], &[(104, 1, 0, 0)]);
        check(&with_tail(vec![60_001, 1_105, 1_106]), &[1_050], &[(104, 1, 0, 0)]);
        check(&with_tail(vec![60_001, 1_106, 1_107]), &[1_050], &[(106, 2, 0, 0)]);
    }

    #[test]
    fn a_text_that_shares_too_little_is_no_copy() {
        check(&fresh(1_000, 7), &[1_003], &[]);
        check(&fresh(1_000, 8), &[1_003], &[(8, 0, 0, 0)]);
        check(&change_every(2, &fresh(1_000, 60), |word| vec![word + 50_000]), &[1_000, 1_030], &[]);
    }

    #[test]
    fn seeds_outside_the_texts_or_on_other_words_are_ignored() {
        let (query, source) = (Text::of("a b c"), Text::of("a b c"));
        let options = AlignOptions { guaranteed_words: 1, ..AlignOptions::default() };
        for (seeds, n_found) in
            [(vec![], 0), (vec![(0, 3), (3, 0), (u32::MAX, u32::MAX), (0, 1)], 0), (vec![(2, 2)], 1)]
        {
            assert_eq!(align_texts(&query, &source, &seeds, &options).alignments.len(), n_found, "{seeds:?}");
        }
        assert_eq!(align_texts(&Text::of(""), &source, &[(0, 0)], &options), Aligned::default());
        assert_eq!(align_texts(&query, &Text::of(""), &[(0, 0)], &options), Aligned::default());
        assert_eq!(align_texts(&Text::of("a"), &Text::of("A"), &[(0, 0)], &options).alignments.len(), 1);
    }

    #[test]
    fn a_doubled_word_is_an_insertion_between_maximal_runs() {
        let copy = [fresh(1_000, 30), vec![1_029], fresh(1_030, 30)].concat();
        check(&copy, &[1_010], &[(60, 0, 1, 0)]);
        let (query, source) = (Text::of_numbers(&copy), Text::of_numbers(&passage()));
        let found = align_texts(&query, &source, &[(10, 10)], &AlignOptions::default());
        assert_eq!(
            found.alignments[0].runs,
            [Run { query: 0, source: 0, len: 30 }, Run { query: 30, source: 29, len: 31 }]
        );
    }

    /// Aligns two long texts that repeat themselves around many seeds; expects how many words the best alignment matches at least, and a
    /// bounded time.
    fn check_bounded(query: &[u32], source: &[u32], seeds: &[(u32, u32)], matched_min: u32, capped: bool) {
        let (query, source) = (Text::of_numbers(query), Text::of_numbers(source));
        let start = Instant::now();
        let found = align_texts(&query, &source, seeds, &AlignOptions::default());
        let took = start.elapsed();
        let matched = found.alignments.first().map_or(0, Alignment::matched_words);
        assert!(matched >= matched_min, "{matched} of {matched_min} words");
        assert_eq!(found.capped, capped);
        assert!(
            took < Duration::from_secs(5),
            "{took:?} for the work of milliseconds; quadratic work would take minutes"
        );
    }

    #[test]
    fn texts_that_repeat_themselves_stay_bounded_and_say_so() {
        const N: u32 = 100_000;
        let periodic = |period: u32| (0..N).map(|idx| idx % period).collect::<Vec<_>>();
        let noise = |seed: u64| {
            let bit = |idx: u32| u32::from(xxh3_64_with_seed(&idx.to_le_bytes(), seed) < 1 << 63);
            (0..N).map(bit).collect::<Vec<_>>()
        };
        let on_one_diagonal: Vec<_> = (0..4_000).map(|idx| (idx * 25, idx * 25)).collect();
        let everywhere: Vec<_> = (0..4_000).map(|idx| (idx * 25, (idx * 7_919) % N)).collect();
        let mixed = [on_one_diagonal.clone(), everywhere.clone()].concat();
        check_bounded(&periodic(1), &periodic(1), &on_one_diagonal, N, false);
        check_bounded(&periodic(1), &periodic(1), &everywhere, N / 4, true);
        check_bounded(&periodic(1), &periodic(1), &mixed, N, true);
        check_bounded(&periodic(2), &periodic(2), &mixed, N, true);
        check_bounded(&periodic(7), &periodic(7), &mixed, N, true);
        check_bounded(&noise(1), &noise(2), &mixed, 1_000, true);
        let with_typos: Vec<_> = (0..N).map(|idx| if idx % 31 == 30 { 9 } else { idx % 7 }).collect();
        check_bounded(&with_typos, &periodic(7), &on_one_diagonal, N / 31 * 30, false);
    }

    #[test]
    fn more_seeds_than_the_cap_are_reported() {
        let text = Text::of_numbers(&passage());
        let seeds = |n: usize| vec![(5u32, 5u32); n];
        for (n, capped) in [(SEEDS_MAX, false), (SEEDS_MAX + 1, true)] {
            let found = align_texts(&text, &text, &seeds(n), &AlignOptions::default());
            assert_eq!((found.alignments.len(), found.capped), (1, capped));
        }
    }

    #[test]
    fn whole_copies_are_found_from_sampled_grams() {
        let source = Text::of_numbers(&[fresh(0, 5_000), fresh(100, 400)].concat());
        let query =
            Text::of_numbers(&[fresh(90_000, 50), fresh(4_000, 200), fresh(91_000, 10), fresh(100, 400)].concat());
        let found = align_texts(&query, &source, &shared_grams(&query, &source, 8, 11), &AlignOptions::default());
        let spans: Vec<_> = found.alignments.iter().map(|a| (a.query_words(), a.source_words().start)).collect();
        assert_eq!(spans, [(260..660, 100), (50..250, 4_000)]);
    }
}
