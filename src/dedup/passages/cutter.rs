//! Which words are cut: rows from the best to the worst, each compared with what is left of those before it.
//!
//! A run of L words of a row is cut if N kept places have it. What the cut joins is looked at again, until no run of what is left is one too
//! many; only then its own runs count as kept. So at the end no run occurs more than N times, runs across a cut included, and what a cut
//! names is never cut itself: rows that are done do not change.
//!
//! ```text
//! N = 1      a: one two THREE FOUR FIVE six          kept whole
//!            b: seven THREE FOUR FIVE eight          -> seven eight         cut for a
//!            c: nine seven eight ten                 -> runs of "seven eight" are known from what is left of b
//! ```
//!
//! Within a row, places that a row before has go first, whole. Of what the row itself repeats the first N places stay; a later one that overlaps
//! the one it is cut for leaves it its words: of 1,000 equal words L stay.
//!
//! What is left of a row where that is less than a run is cut too if N rows have nothing else: cutting a footer must not leave a thousand equal
//! headings. Rows that are shorter than a run from the start stay as they are.
//!
//! Only runs that hold a watched k-gram are looked at ([`super::watched`]); the k-grams of what a cut joins are returned, for the caller to
//! watch in another round.
//!
//! Memory: 32 bytes for every watched run that is kept. Cost: a look-up of 50 ns a watched run.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use copytrace_indexer::fingerprint::{RunSampler, RunScratch};
use copytrace_indexer::{Error, Result};

use super::super::sampling::Token;

/// What a kept run takes in memory, in bytes: its entry, and what a hash table leaves free.
const RUN_BYTES: usize = 32;

/// Rows by number, as far as they have watched k-grams.
pub(super) trait Texts: Sync {
    /// Returns the words of a row.
    fn tokens(&self, row: u32) -> Result<&[Token]>;
}

/// A word of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    row: u32,
    token: u32,
}

/// Words that are cut, and the equal ones that stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenCut {
    /// Words of the row.
    pub(super) tokens: Range<u32>,
    pub(super) kept_row: u32,
    /// First word of the kept place.
    pub(super) kept_token: u32,
}

/// What is to be known of a row before it is its turn; made by any thread.
pub(super) struct Prepared {
    pub(super) row: u32,
    /// Its value of `keep_per`, hashed: runs of others do not count.
    pub(super) group: u64,
    /// Whether it stays as it is.
    pub(super) is_fixed: bool,
    /// Words that went already, with the functions that they are of.
    gone: Vec<Range<u32>>,
    /// Hashes of the others.
    hashes: Vec<u64>,
    /// First word and key of every watched run.
    runs: Vec<(u32, u64)>,
}

/// What became of a row.
#[derive(Debug, Default)]
pub(super) struct RowCuts {
    /// In the order of the row.
    pub(super) cuts: Vec<TokenCut>,
    /// K-grams that are sampled in what is left and were not before, unless they are watched already.
    pub(super) new_grams: Vec<u64>,
}

/// A run that stays.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Its first place.
    place: Place,
    n_places: u32,
}

/// Takes keys as they are: they are hashes.
#[derive(Default)]
struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |state, &byte| state << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type ByKey<T> = HashMap<u64, T, BuildHasherDefault<Unhashed>>;

/// Decides row by row.
pub(super) struct Cutter<'a> {
    sampler: RunSampler,
    /// So many places of a run stay.
    keep: u32,
    /// K-grams whose runs are looked at, ascending.
    watched: &'a [u64],
    texts: &'a dyn Texts,
    kept: ByKey<Kept>,
    n_kept_max: usize,
    /// Of each row that is done: the words that were cut.
    cut: HashMap<u32, Vec<Range<u32>>>,
    scratch: RunScratch,
}

impl<'a> Cutter<'a> {
    /// Starts with no row; kept runs take at most `memory_bytes`.
    pub(super) fn new(
        sampler: RunSampler,
        keep: u32,
        watched: &'a [u64],
        texts: &'a dyn Texts,
        memory_bytes: usize,
    ) -> Self {
        let (kept, cut, scratch) = (HashMap::default(), HashMap::new(), RunScratch::default());
        Self { sampler, keep, watched, texts, kept, n_kept_max: memory_bytes / RUN_BYTES, cut, scratch }
    }

    /// Decides about the next row.
    ///
    /// # Errors
    /// [`Error::Argument`] where the runs that stay need more memory; what `texts` says.
    pub(super) fn cut(&mut self, prepared: Prepared) -> Result<RowCuts> {
        let Prepared { row, group, is_fixed, gone, mut hashes, mut runs } = prepared;
        // What is left of the row, and for each word that is cut the place it is cut for.
        let mut left = left_of(self.texts.tokens(row)?.len(), &gone);
        let mut places: Vec<Option<Place>> = Vec::new();
        let n_words = self.sampler.run_words();
        let is_fixed = is_fixed || self.texts.tokens(row)?.len() < n_words;
        while !is_fixed && self.mark(row, &left, &hashes, &runs, &mut places)? {
            left.retain(|&token| places[token as usize].is_none());
            let tokens = self.texts.tokens(row)?;
            hashes = left.iter().map(|&token| tokens[token as usize].hash.get()).collect();
            runs = runs_of(&self.sampler, self.watched, group, &hashes, &mut self.scratch);
        }
        for (first, key) in runs {
            let place = Place { row, token: left[first as usize] };
            self.kept.entry(key).or_insert(Kept { place, n_places: 0 }).n_places += 1;
        }
        if self.kept.len() > self.n_kept_max {
            let needed = (self.kept.len() * RUN_BYTES) >> 20;
            let expected =
                format!("more than {needed} MiB for the runs that repeat, or longer runs (`--passage-words`)");
            let found = format!("{} MiB for them", (self.n_kept_max * RUN_BYTES) >> 20);
            return Err(Error::Argument { name: "memory", expected, found });
        }
        if places.is_empty() && gone.is_empty() {
            return Ok(RowCuts::default());
        }
        let new_grams = self.new_grams(row, group, &hashes)?;
        let cuts = cuts_of(row, &places);
        let mut all_cuts: Vec<Range<u32>> = cuts.iter().map(|cut| cut.tokens.clone()).chain(gone).collect();
        all_cuts.sort_unstable_by_key(|range| range.start);
        self.cut.insert(row, all_cuts);
        Ok(RowCuts { cuts, new_grams })
    }

    /// Marks the words that are to be cut; `false` where there are none.
    fn mark(
        &self,
        row: u32,
        left: &[u32],
        hashes: &[u64],
        runs: &[(u32, u64)],
        places: &mut Vec<Option<Place>>,
    ) -> Result<bool> {
        let n_words = self.sampler.run_words().min(hashes.len());
        let mut is_cut: Vec<bool> = Vec::new();
        let mut cut = |at: usize, place: Place| {
            if is_cut.is_empty() {
                is_cut.resize(hashes.len(), false);
                places.resize(self.texts.tokens(row)?.len(), None);
            }
            if !std::mem::replace(&mut is_cut[at], true) {
                places[left[at] as usize] = Some(place);
            }
            Ok::<_, Error>(())
        };
        // Places that rows before have.
        let mut match_before = KeptMatch::default();
        let mut is_any = false;
        for &(first, key) in runs {
            let Some(kept) = self.kept.get(&key).filter(|kept| kept.n_places >= self.keep) else { continue };
            let first = first as usize;
            if match_before.advance(self, first, kept.place, &hashes[first..first + n_words])? {
                is_any = true;
                // Of a run that goes on behind the one before, the last word alone is new.
                let n_known = if match_before.n_shifts > 0 { n_words - 1 } else { 0 };
                for (at, &token) in match_before.tokens.iter().enumerate().skip(n_known) {
                    cut(first + at, Place { row: kept.place.row, token })?;
                }
            }
        }
        // What the row repeats itself.
        let mut own: ByKey<(usize, u32)> = HashMap::default();
        // Runs that count, as far as a cut that is still to come may reach them.
        let mut counted: VecDeque<(usize, u64)> = VecDeque::new();
        let (mut n_seen, mut last_cut) = (0, None);
        for &(first, key) in runs {
            let first = first as usize;
            let end = first + n_words;
            while n_seen < end {
                last_cut = if is_cut.get(n_seen) == Some(&true) { Some(n_seen) } else { last_cut };
                n_seen += 1;
            }
            if last_cut.is_some_and(|at| at >= first) {
                continue;
            }
            let before = self.kept.get(&key).copied();
            let (own_first, n_own) = own.entry(key).or_insert((first, 0));
            if before.map_or(0, |kept| kept.n_places) + *n_own < self.keep {
                *n_own += 1;
                counted.push_back((first, key));
                while counted.front().is_some_and(|&(start, _)| start + n_words <= first) {
                    counted.pop_front();
                }
                continue;
            }
            let run = &hashes[first..end];
            // A place of the row itself stays, and so do the words of it that this run has too.
            let mut cut_start = first;
            let found: Vec<Place> = match before {
                Some(kept) => {
                    let mut found = KeptMatch::default();
                    let is_equal = found.advance(self, first, kept.place, run)?;
                    let place = |&token: &u32| Place { row: kept.place.row, token };
                    if is_equal { found.tokens.iter().map(place).collect() } else { continue }
                }
                None if hashes[*own_first..*own_first + n_words] == *run => {
                    cut_start = cut_start.max(*own_first + n_words);
                    left[*own_first..*own_first + n_words].iter().map(|&token| Place { row, token }).collect()
                }
                None => continue,
            };
            if !is_any {
                is_any = true;
                is_cut.resize(hashes.len(), false);
                places.resize(self.texts.tokens(row)?.len(), None);
            }
            for at in cut_start..end {
                if !std::mem::replace(&mut is_cut[at], true) {
                    places[left[at] as usize] = Some(found[at - first]);
                }
            }
            last_cut = Some(end - 1);
            // Runs that lose their end to this cut count no longer.
            while let Some(&(start, key)) = counted.back()
                && start + n_words > cut_start
            {
                counted.pop_back();
                if let Some((first, n)) = own.get_mut(&key) {
                    *n -= 1;
                    if *first == start {
                        own.remove(&key);
                    }
                }
            }
        }
        Ok(is_any)
    }

    /// Returns what is sampled of the words that are left, but is not watched, and was not sampled so often before.
    fn new_grams(&mut self, row: u32, group: u64, hashes: &[u64]) -> Result<Vec<u64>> {
        let before: Vec<u64> = self.texts.tokens(row)?.iter().map(|token| token.hash.get()).collect();
        let mut known = Vec::new();
        self.sampler.sample(&before, &mut self.scratch, |gram| known.push(gram ^ group));
        known.sort_unstable();
        let mut new = Vec::new();
        self.sampler.sample(hashes, &mut self.scratch, |gram| new.push(gram ^ group));
        new.sort_unstable();
        let mut known = known.into_iter().peekable();
        new.retain(|gram| {
            while known.next_if(|other| other < gram).is_some() {}
            known.next_if_eq(gram).is_none() && self.watched.binary_search(gram).is_err()
        });
        Ok(new)
    }

    /// Returns the word behind one of a row, of those that are left.
    fn next_token(&self, place: Place) -> u32 {
        let next = place.token + 1;
        let Some(cut) = self.cut.get(&place.row) else { return next };
        let at = cut.partition_point(|range| range.end <= next);
        let behind = cut[at..].iter().scan(next, |next, range| {
            // Cuts for different places may touch.
            (range.start == *next).then(|| {
                *next = range.end;
                *next
            })
        });
        behind.last().unwrap_or(next)
    }
}

/// A row that is to be prepared: its number, its words, those that went already (ascending), its value of `keep_per`, whether it stays as it is.
pub(super) struct Unprepared<'a> {
    pub(super) row: u32,
    pub(super) tokens: &'a [Token],
    pub(super) gone: Vec<Range<u32>>,
    pub(super) group: u64,
    pub(super) is_fixed: bool,
}

/// Prepares a row; `scratch` is the thread's.
pub(super) fn prepare(
    sampler: &RunSampler,
    watched: &[u64],
    unprepared: Unprepared<'_>,
    scratch: &mut RunScratch,
) -> Prepared {
    let Unprepared { row, tokens, gone, group, is_fixed } = unprepared;
    let hashes: Vec<u64> =
        left_of(tokens.len(), &gone).into_iter().map(|token| tokens[token as usize].hash.get()).collect();
    let runs = runs_of(sampler, watched, group, &hashes, scratch);
    Prepared { row, group, is_fixed, gone, hashes, runs }
}

/// Returns the numbers of the words that are left of so many.
fn left_of(n_tokens: usize, gone: &[Range<u32>]) -> Vec<u32> {
    let mut left = Vec::with_capacity(n_tokens);
    let mut next = 0;
    for range in gone {
        left.extend(next..range.start);
        next = range.end;
    }
    left.extend((next..).take(n_tokens.saturating_sub(next as usize)));
    left
}

fn runs_of(
    sampler: &RunSampler,
    watched: &[u64],
    group: u64,
    hashes: &[u64],
    scratch: &mut RunScratch,
) -> Vec<(u32, u64)> {
    let mut runs = Vec::new();
    let is_watched = |gram: u64| watched.binary_search(&(gram ^ group)).is_ok();
    let push = |first, key| runs.push((u32::try_from(first).unwrap_or(u32::MAX), key ^ group));
    sampler.for_each_run(hashes, scratch, is_watched, push);
    runs
}

/// A kept run that is compared word by word, once where the next run of the row goes on with it.
#[derive(Debug, Default)]
struct KeptMatch {
    /// First word of the run of the row.
    first: usize,
    row: u32,
    /// The equal words of the kept row; empty where the last comparison failed.
    tokens: VecDeque<u32>,
    /// Runs since the one that was compared whole.
    n_shifts: usize,
}

impl KeptMatch {
    /// Compares a run of a row with a kept one; `run` are its words.
    fn advance(&mut self, cutter: &Cutter<'_>, first: usize, kept: Place, run: &[u64]) -> Result<bool> {
        let tokens = cutter.texts.tokens(kept.row)?;
        let hash_at = |token: u32| tokens.get(token as usize).map(|token| token.hash.get());
        let goes_on = first == self.first + 1 && kept.row == self.row && self.tokens.get(1) == Some(&kept.token);
        self.first = first;
        if goes_on && let (Some(&last), Some(&word)) = (self.tokens.back(), run.last()) {
            let next = cutter.next_token(Place { row: kept.row, token: last });
            self.tokens.pop_front();
            self.tokens.push_back(next);
            self.n_shifts += 1;
            if hash_at(next) == Some(word) {
                return Ok(true);
            }
            self.tokens.clear();
            return Ok(false);
        }
        self.tokens.clear();
        self.n_shifts = 0;
        self.row = kept.row;
        let mut token = kept.token;
        for &word in run {
            if hash_at(token) != Some(word) {
                self.tokens.clear();
                return Ok(false);
            }
            self.tokens.push_back(token);
            token = cutter.next_token(Place { row: kept.row, token });
        }
        Ok(true)
    }
}

/// Joins words that were cut for neighbouring places.
fn cuts_of(row: u32, places: &[Option<Place>]) -> Vec<TokenCut> {
    // A place of the row itself may have been cut later, for another one.
    let resolve = |mut place: Place| {
        while place.row == row
            && let Some(other) = places[place.token as usize]
        {
            place = other;
        }
        place
    };
    let mut cuts: Vec<TokenCut> = Vec::new();
    for (token, place) in (0..).zip(places) {
        let Some(place) = place.map(resolve) else { continue };
        match cuts.last_mut() {
            Some(cut)
                if cut.tokens.end == token
                    && cut.kept_row == place.row
                    && cut.kept_token + (cut.tokens.end - cut.tokens.start) == place.token =>
            {
                cut.tokens.end += 1;
            }
            _ => cuts.push(TokenCut { tokens: token..token + 1, kept_row: place.row, kept_token: place.token }),
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use zerocopy::little_endian::{U32, U64};

    use super::*;

    impl Texts for Vec<Vec<Token>> {
        fn tokens(&self, row: u32) -> Result<&[Token]> {
            Ok(&self[row as usize])
        }
    }

    fn text(words: &[u8]) -> Vec<Token> {
        let hash = |word: u8| U64::new(u64::from(word).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        words.iter().map(|&word| Token { hash: hash(word), start: U32::ZERO }).collect()
    }

    /// All k-grams of all texts that are sampled more than `keep` times, and those of `more`.
    fn watched(sampler: &RunSampler, texts: &[Vec<Token>], keep: u32, more: &[u64]) -> Vec<u64> {
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for text in texts {
            let hashes: Vec<u64> = text.iter().map(|token| token.hash.get()).collect();
            sampler.sample(&hashes, &mut RunScratch::default(), |gram| *counts.entry(gram).or_default() += 1);
        }
        let mut found: Vec<u64> = counts.iter().filter(|(_, n)| **n > keep).map(|(gram, _)| *gram).collect();
        found.extend(more);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn unprepared(row: u32, tokens: &[Token], gone: Vec<Range<u32>>) -> Unprepared<'_> {
        Unprepared { row, tokens, gone, group: 0, is_fixed: false }
    }

    /// Cuts until no new k-gram is met.
    fn cut_all(texts: &Vec<Vec<Token>>, run_words: u32, keep: u32) -> Vec<Vec<TokenCut>> {
        cut_rest(texts, &vec![Vec::new(); texts.len()], run_words, keep)
    }

    /// Cuts until no new k-gram is met, where some words went before.
    fn cut_rest(texts: &Vec<Vec<Token>>, gone: &[Vec<Range<u32>>], run_words: u32, keep: u32) -> Vec<Vec<TokenCut>> {
        let sampler = RunSampler::new(run_words);
        let mut more: Vec<u64> = Vec::new();
        loop {
            let watched = watched(&sampler, texts, keep, &more);
            let mut cutter = Cutter::new(sampler, keep, &watched, texts, usize::MAX);
            let mut all = vec![Vec::new(); texts.len()];
            let n_more = more.len();
            // Rows that are shorter than a run come first.
            let mut rows: Vec<usize> = (0..texts.len()).collect();
            rows.sort_by_key(|&row| texts[row].len() >= run_words as usize);
            for row in rows {
                let number = u32::try_from(row).unwrap();
                let prepared = unprepared(number, &texts[row], gone[row].clone());
                let prepared = prepare(&sampler, &watched, prepared, &mut RunScratch::default());
                let found = cutter.cut(prepared).unwrap();
                more.extend(found.new_grams);
                all[row] = found.cuts;
            }
            if more.len() == n_more {
                return all;
            }
        }
    }

    fn left(text: &[Token], cuts: &[TokenCut]) -> Vec<u64> {
        let is_cut = |at: u32| cuts.iter().any(|cut| cut.tokens.contains(&at));
        (0..).zip(text).filter(|(at, _)| !is_cut(*at)).map(|(_, token)| token.hash.get()).collect()
    }

    fn words(cuts: &[TokenCut]) -> Vec<(Range<u32>, u32, u32)> {
        cuts.iter().map(|cut| (cut.tokens.clone(), cut.kept_row, cut.kept_token)).collect()
    }

    fn range(words: Range<u8>) -> Vec<u8> {
        words.collect()
    }

    #[test]
    fn a_repeated_passage_is_cut_where_it_stands_last_and_names_the_first() {
        let passage = range(100..120);
        let texts = vec![
            text(&[range(0..5), passage.clone(), range(5..9)].concat()),
            text(&[range(10..13), passage.clone(), range(13..20)].concat()),
            text(&passage),
        ];
        let cuts = cut_all(&texts, 10, 1);
        assert_eq!(words(&cuts[0]), []);
        assert_eq!(words(&cuts[1]), [(3..23, 0, 5)]);
        assert_eq!(words(&cuts[2]), [(0..20, 0, 5)]);
        let cuts = cut_all(&texts, 10, 2);
        assert_eq!((words(&cuts[1]), words(&cuts[2])), (vec![], vec![(0..20, 0, 5)]));
        assert_eq!(cut_all(&texts, 10, 3).concat(), []);
        // One word short.
        assert_eq!(cut_all(&texts, 21, 1).concat(), []);
    }

    #[test]
    fn what_a_cut_joins_is_looked_at_again() {
        let (one, other, template) = (range(0..7), range(20..27), range(100..130));
        let texts = vec![
            text(&[range(50..60), template.clone()].concat()),
            text(&[one.clone(), template.clone(), other.clone()].concat()),
            text(&[one.clone(), other.clone()].concat()),
        ];
        let cuts = cut_all(&texts, 10, 1);
        assert_eq!(words(&cuts[1]), [(7..37, 0, 10)]);
        // The two ends stand in two pieces of the row before.
        assert_eq!(words(&cuts[2]), [(0..7, 1, 0), (7..14, 1, 37)]);
    }

    #[test]
    fn what_is_left_of_rows_stays_as_often_as_anything() {
        let (heading, footer) = (range(0..4), range(100..130));
        let page = text(&[heading.clone(), footer.clone()].concat());
        let rows = |n: usize| [vec![text(&[range(40..60), footer.clone()].concat())], vec![page.clone(); n]].concat();
        // The second of two pages has all of the footer, the first it was in stands in no page.
        for (keep, expected) in [(1, [4, 0, 0]), (2, [34, 4, 4])] {
            let texts = rows(3);
            let cuts = cut_all(&texts, 10, keep);
            let left: Vec<usize> = (1..4).map(|row| left(&texts[row], &cuts[row]).len()).collect();
            assert_eq!(left, expected, "{cuts:?}");
        }
        // A row that was as short from the start counts and stays.
        let texts = [vec![text(&heading)], rows(1)].concat();
        let cuts = cut_all(&texts, 10, 1);
        assert_eq!((words(&cuts[0]), left(&texts[2], &cuts[2]).len()), (vec![], 0));
    }

    #[test]
    fn a_row_that_repeats_itself_keeps_one_place() {
        let cuts = cut_all(&vec![text(&[9; 200])], 10, 1);
        assert_eq!(left(&text(&[9; 200]), &cuts[0]).len(), 10);
        let twice = [range(0..20), range(50..53), range(0..20)].concat();
        assert_eq!(words(&cut_all(&vec![text(&twice)], 10, 1)[0]), [(23..43, 0, 0)]);
    }

    #[test]
    fn too_little_memory_is_an_error_that_says_how_much() {
        let texts = vec![text(&range(0..100)), text(&range(0..100))];
        let sampler = RunSampler::new(10);
        let watched = watched(&sampler, &texts, 1, &[]);
        let mut cutter = Cutter::new(sampler, 1, &watched, &texts, 90 * RUN_BYTES);
        let prepared = unprepared(0, &texts[0], Vec::new());
        let prepared = prepare(&sampler, &watched, prepared, &mut RunScratch::default());
        assert!(matches!(cutter.cut(prepared), Err(Error::Argument { name: "memory", .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn no_run_is_left_too_often_and_every_cut_names_what_is_left(
            pieces in prop::collection::vec(prop::collection::vec(0..40_u8, 1..25), 6),
            rows in prop::collection::vec(prop::collection::vec(0..6_usize, 0..7), 1..9),
            keep in 1..4_u32,
            run_words in 8..14_u32,
            first in prop::collection::vec(prop::collection::vec((0..12_u32, 1..30_u32), 0..3), 9),
        ) {
            let rows = rows.iter().map(|row| row.iter().flat_map(|&piece| pieces[piece].clone()).collect::<Vec<_>>());
            let texts: Vec<Vec<Token>> = rows.map(|row| text(&row)).collect();
            // What went before passages were looked at.
            let gone: Vec<Vec<Range<u32>>> = texts.iter().zip(&first).map(|(text, ranges)| {
                let (mut gone, mut at) = (Vec::new(), 0);
                for (skip, n) in ranges {
                    let start: u32 = at + skip;
                    at = (start + n).min(u32::try_from(text.len()).unwrap());
                    gone.extend((start < at).then_some(start..at));
                }
                gone
            }).collect();
            let cuts = cut_rest(&texts, &gone, run_words, keep);
            let all_cuts: Vec<Vec<TokenCut>> = cuts.iter().zip(&gone).map(|(cuts, gone)| {
                let gone = gone.iter().map(|tokens| TokenCut { tokens: tokens.clone(), kept_row: 0, kept_token: 0 });
                cuts.iter().cloned().chain(gone).collect()
            }).collect();
            let mut counts: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
            for (text, cuts) in texts.iter().zip(&all_cuts) {
                for run in left(text, cuts).windows(run_words as usize) {
                    *counts.entry(run.to_vec()).or_default() += 1;
                }
            }
            prop_assert!(counts.values().all(|&n| n <= keep));
            // What is left of rows that were cut is no more frequent.
            let mut remainders: BTreeMap<Vec<u64>, (u32, bool)> = BTreeMap::new();
            for (text, cuts) in texts.iter().zip(&all_cuts) {
                let entry = remainders.entry(left(text, cuts)).or_default();
                // What was shorter from the start stays as it is.
                *entry = (entry.0 + 1, entry.1 || (!cuts.is_empty() && text.len() >= run_words as usize));
            }
            let is_too_many = |(words, (n, is_cut)): (&Vec<u64>, &(u32, bool))| {
                !words.is_empty() && *n > keep && *is_cut
            };
            prop_assert!(!remainders.iter().any(is_too_many));
            for (text, row_cuts) in texts.iter().zip(&cuts) {
                for cut in row_cuts {
                    for (token, kept_token) in cut.tokens.clone().zip(cut.kept_token..) {
                        let kept = &texts[cut.kept_row as usize][kept_token as usize];
                        prop_assert_eq!(text[token as usize], *kept);
                        let is_cut = |cut: &TokenCut| cut.tokens.contains(&kept_token);
                        prop_assert!(!all_cuts[cut.kept_row as usize].iter().any(is_cut));
                    }
                }
            }
            // Nothing is cut where nothing repeats.
            let mut before: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
            for run in texts.iter().flat_map(|text| text.windows(run_words as usize)) {
                *before.entry(run.iter().map(|token| token.hash.get()).collect()).or_default() += 1;
            }
            if before.values().all(|&n| n <= keep) && gone.iter().all(Vec::is_empty) {
                prop_assert!(cuts.iter().all(Vec::is_empty));
            }
        }
    }
}
