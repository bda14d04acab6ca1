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
//! Only runs that hold a watched k-gram are looked at ([`super::watched`]), and of those only runs that a filter has seen twice: of a footer of 30
//! words that ten million pages have, each page has runs of its own around it. What cuts join may equal a run that was passed over; such k-grams and
//! runs are returned, for the caller to start again with them. When nothing is returned the cuts are those of the rule, word for word: what was passed
//! over met nothing.
//!
//! Memory: 32 bytes for every run that is kept and was seen twice, and the filter. Cost: a look-up of 50 ns a run.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use copytrace_indexer::fingerprint::{RunSampler, RunScratch};
use copytrace_indexer::{Error, Result};

use super::super::sampling::Token;
use super::filter::Filter;

/// What a kept run takes in memory, in bytes: its entry, and what a hash table leaves free.
const RUN_BYTES: usize = 32;
/// Share of the memory that kept runs may take.
const KEPT_SHARE: usize = 2;

/// Times that a row is looked at. Each join that repeats asks for one more: three are usual, and a text can be made that asks for thousands.
const LOOKS_MAX: u32 = 64;

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
    /// K-grams that were sampled in what was left at any time and not before, unless they are watched already.
    pub(super) new_grams: Vec<u64>,
    /// Runs across cuts that the filter has seen once: a row before may have been passed over.
    pub(super) new_runs: Vec<u64>,
    /// Whether all of it that repeats was cut.
    pub(super) is_complete: bool,
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
    filter: Filter,
    kept: ByKey<Kept>,
    n_kept_max: usize,
    /// Of each row that is done: the words that were cut.
    cut: HashMap<u32, Vec<Range<u32>>>,
    scratch: RunScratch,
}

impl<'a> Cutter<'a> {
    /// Starts with no row; `filter` has the runs of all of them, kept runs take at most half of the memory.
    pub(super) fn new(
        sampler: RunSampler,
        keep: u32,
        watched: &'a [u64],
        texts: &'a dyn Texts,
        filter: Filter,
        memory_bytes: usize,
    ) -> Self {
        let (kept, cut, scratch) = (HashMap::default(), HashMap::new(), RunScratch::default());
        Self {
            sampler,
            keep,
            watched,
            texts,
            filter,
            kept,
            n_kept_max: memory_bytes / KEPT_SHARE / RUN_BYTES,
            cut,
            scratch,
        }
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
        runs.retain(|&(_, key)| self.filter.has_twice(key));
        let mut found = RowCuts { is_complete: true, ..RowCuts::default() };
        if !gone.is_empty() {
            self.add_new_grams(row, group, &hashes, &mut found.new_grams)?;
        }
        // Words that stay for what they would join otherwise.
        let mut pinned: BTreeSet<u32> = BTreeSet::new();
        let mut n_looks = 0;
        while !is_fixed && self.mark(row, &left, &hashes, &runs, &mut places, &pinned)? {
            let tokens = self.texts.tokens(row)?;
            part(tokens, &gone, &mut places, &mut pinned);
            let left_before = std::mem::replace(&mut left, left_of(tokens.len(), &gone));
            left.retain(|&token| places[token as usize].is_none());
            n_looks += 1;
            if left == left_before || n_looks == LOOKS_MAX {
                found.is_complete = false;
            }
            hashes = left.iter().map(|&token| tokens[token as usize].hash.get()).collect();
            runs = runs_of(&self.sampler, self.watched, group, &hashes, &mut self.scratch);
            // What may be cut again right away counts too.
            self.add_new_grams(row, group, &hashes, &mut found.new_grams)?;
            let is_new = |key: &u64| self.filter.has(*key) && !self.filter.has_twice(*key);
            let joined = runs.iter().filter(|&&(first, _)| is_joined(&left, first, n_words));
            found.new_runs.extend(joined.map(|&(_, key)| key).filter(is_new));
            if !found.is_complete {
                break;
            }
        }
        let is_changed = !places.is_empty();
        for (first, key) in runs {
            if is_changed && is_joined(&left, first, n_words) {
                self.filter.add(key);
            } else if !self.filter.has_twice(key) {
                continue;
            }
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
        if is_changed || !gone.is_empty() {
            found.cuts = cuts_of(row, &places);
            let mut all_cuts: Vec<Range<u32>> = found.cuts.iter().map(|cut| cut.tokens.clone()).chain(gone).collect();
            all_cuts.sort_unstable_by_key(|range| range.start);
            self.cut.insert(row, all_cuts);
        }
        Ok(found)
    }

    /// Marks the words that are to be cut; `false` where there are none.
    fn mark(
        &self,
        row: u32,
        left: &[u32],
        hashes: &[u64],
        runs: &[(u32, u64)],
        places: &mut Vec<Option<Place>>,
        pinned: &BTreeSet<u32>,
    ) -> Result<bool> {
        let n_words = self.sampler.run_words().min(hashes.len());
        let n_tokens = self.texts.tokens(row)?.len();
        let mut marks = Marks { left, n_tokens, places, pinned, is_cut: Vec::new(), is_any: false };
        // Places that rows before have.
        let mut matched = KeptMatch::default();
        // Where the words end that are cut, and a run that is to be cut behind it, unless a later one reaches as far.
        let mut cut_end = 0;
        let mut waiting: Option<(usize, Place)> = None;
        for &(first, key) in runs {
            let Some(kept) = self.kept.get(&key).filter(|kept| kept.n_places >= self.keep) else { continue };
            let first = first as usize;
            let run = &hashes[first..first + n_words];
            // Of a run that goes on behind the one before, the last word alone is new.
            if cut_end == first + n_words - 1
                && first == matched.first + 1
                && let Some(token) = matched.extend(self, run)?
            {
                marks.cut(cut_end, Place { row: matched.row, token });
                cut_end += 1;
                continue;
            }
            if first > cut_end
                && let Some((start, place)) = waiting.take()
            {
                cut_end = self.cut_run(start, place, &hashes[start..start + n_words], &mut matched, &mut marks)?;
            }
            if first >= cut_end {
                cut_end = self.cut_run(first, kept.place, run, &mut matched, &mut marks)?;
                waiting = None;
            } else {
                waiting = Some((first, kept.place));
            }
        }
        if let Some((start, place)) = waiting.filter(|(start, _)| start + n_words > cut_end) {
            self.cut_run(start, place, &hashes[start..start + n_words], &mut matched, &mut marks)?;
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
                last_cut = if marks.is_cut.get(n_seen) == Some(&true) { Some(n_seen) } else { last_cut };
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
                    let is_equal = found.compare(self, first, kept.place, run)?;
                    let place = |&token: &u32| Place { row: kept.place.row, token };
                    if is_equal { found.tokens.iter().map(place).collect() } else { continue }
                }
                None if hashes[*own_first..*own_first + n_words] == *run => {
                    cut_start = cut_start.max(*own_first + n_words);
                    left[*own_first..*own_first + n_words].iter().map(|&token| Place { row, token }).collect()
                }
                None => continue,
            };
            for at in cut_start..end {
                marks.cut(at, found[at - first]);
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
        Ok(marks.is_any)
    }

    /// Cuts a run for a kept place that is equal, and returns where it ends.
    fn cut_run(
        &self,
        first: usize,
        place: Place,
        run: &[u64],
        matched: &mut KeptMatch,
        marks: &mut Marks<'_>,
    ) -> Result<usize> {
        if matched.compare(self, first, place, run)? {
            for (at, &token) in (first..).zip(&matched.tokens) {
                marks.cut(at, Place { row: place.row, token });
            }
        }
        Ok(first + run.len())
    }

    /// Adds what is sampled of the words that are left, but is not watched, and was not sampled so often before.
    fn add_new_grams(&mut self, row: u32, group: u64, hashes: &[u64], new: &mut Vec<u64>) -> Result<()> {
        let before: Vec<u64> = self.texts.tokens(row)?.iter().map(|token| token.hash.get()).collect();
        let mut known = Vec::new();
        self.sampler.sample(&before, &mut self.scratch, |gram| known.push(gram ^ group));
        known.sort_unstable();
        let mut sampled = Vec::new();
        self.sampler.sample(hashes, &mut self.scratch, |gram| sampled.push(gram ^ group));
        sampled.sort_unstable();
        let mut known = known.into_iter().peekable();
        sampled.retain(|gram| {
            while known.next_if(|other| other < gram).is_some() {}
            known.next_if_eq(gram).is_none() && self.watched.binary_search(gram).is_err()
        });
        new.extend(sampled);
        Ok(())
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

/// Tells whether a run of a row that was cut lies across a cut, or is all that is left.
fn is_joined(left: &[u32], first: u32, n_words: usize) -> bool {
    let run = &left[first as usize..left.len().min(first as usize + n_words)];
    let (Some(start), Some(last)) = (run.first(), run.last()) else { return false };
    run.len() < n_words || last - start >= len_u32(n_words)
}

fn len_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Prepared {
    /// Returns the keys of its runs, for the filter.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().map(|&(_, key)| key)
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
    let push = |first, key| runs.push((len_u32(first), key ^ group));
    sampler.for_each_run(hashes, scratch, is_watched, push);
    runs
}

/// The words of a row that are cut, as far as that is known.
struct Marks<'m> {
    /// Words that are left.
    left: &'m [u32],
    n_tokens: usize,
    places: &'m mut Vec<Option<Place>>,
    /// Words that stay.
    pinned: &'m BTreeSet<u32>,
    /// Of each word that is left; empty as long as none is cut.
    is_cut: Vec<bool>,
    is_any: bool,
}

impl Marks<'_> {
    /// Cuts a word for an equal one.
    fn cut(&mut self, at: usize, place: Place) {
        let token = self.left[at];
        if self.pinned.contains(&token) {
            return;
        }
        if !self.is_any {
            self.is_any = true;
            self.is_cut.resize(self.left.len(), false);
            self.places.resize(self.n_tokens, None);
        }
        if !std::mem::replace(&mut self.is_cut[at], true) {
            self.places[token as usize] = Some(place);
        }
    }
}

/// Gives back the last word of a cut that would make one word of those around it.
fn part(tokens: &[Token], gone: &[Range<u32>], places: &mut [Option<Place>], pinned: &mut BTreeSet<u32>) {
    let is_gone = |token: u32| gone.iter().any(|range| range.contains(&token));
    let mut before: Option<u32> = None;
    for token in (0..).take(tokens.len()) {
        if places[token as usize].is_some() || is_gone(token) {
            continue;
        }
        // The words around a cut, the right one closer with each that is given back.
        let mut behind = token;
        while let Some(left) = before
            && behind > left + 1
            && !is_gone(behind - 1)
            && !tokens[left as usize + 1].is_apart()
            && !tokens[behind as usize].is_apart()
            && tokens[left as usize].joins(&tokens[behind as usize])
        {
            behind -= 1;
            places[behind as usize] = None;
            pinned.insert(behind);
        }
        before = Some(token);
    }
}

/// A kept run that is equal to a run of a row, word by word.
#[derive(Debug, Default)]
struct KeptMatch {
    /// First word of the run of the row.
    first: usize,
    row: u32,
    /// The equal words of the kept row; empty where the last comparison failed.
    tokens: VecDeque<u32>,
}

impl KeptMatch {
    /// Compares a run of a row with a kept one; `run` are its words.
    fn compare(&mut self, cutter: &Cutter<'_>, first: usize, kept: Place, run: &[u64]) -> Result<bool> {
        let tokens = cutter.texts.tokens(kept.row)?;
        self.tokens.clear();
        (self.first, self.row) = (first, kept.row);
        let mut token = kept.token;
        for &word in run {
            if tokens.get(token as usize).is_none_or(|token| token.hash.get() != word) {
                self.tokens.clear();
                return Ok(false);
            }
            self.tokens.push_back(token);
            token = cutter.next_token(Place { row: kept.row, token });
        }
        Ok(true)
    }

    /// Goes on to the next run where the word behind the kept one is its last; returns that.
    fn extend(&mut self, cutter: &Cutter<'_>, run: &[u64]) -> Result<Option<u32>> {
        let (Some(&last), Some(&word)) = (self.tokens.back(), run.last()) else { return Ok(None) };
        let next = cutter.next_token(Place { row: self.row, token: last });
        let tokens = cutter.texts.tokens(self.row)?;
        if tokens.get(next as usize).is_none_or(|token| token.hash.get() != word) {
            self.tokens.clear();
            return Ok(None);
        }
        self.first += 1;
        self.tokens.pop_front();
        self.tokens.push_back(next);
        Ok(Some(next))
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
mod tests;
