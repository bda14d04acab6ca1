//! Lexical candidates: documents that share the rarest words of a stretch of text, wherever these stand.
//!
//! Where every few words of a copy were changed no k-gram survives, but most of its words do. Of each window of a stretch that nothing has
//! explained yet, the words that fewest documents have are looked up in the catalogue; documents are ranked by how improbable it is that
//! they have these words by chance. Whether the words stand in the same order is not asked here: `check` aligns the best few.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Instant;

use copytrace_indexer::ids::{DocIdx, OriginKey};
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::normalise::{Words, normal_form};

use super::passages::{Place, information_bits};
use crate::error::Result;

/// Words of a window: a paragraph. A copy of 60 words fills two thirds of one of the windows it touches, at least.
const WINDOW_WORDS: u32 = 60;
/// Words from the start of one window to the next.
const WINDOW_STEP: u32 = 40;
/// Words that an unexplained stretch needs to be looked up; alignment goes through shorter ones by itself.
const STRETCH_WORDS_MIN: u32 = 16;
/// Rarest words of a window that are looked up.
const RARE_WORDS: usize = 16;
/// A word is rare if at most this share of the documents have it...
const RARE_SHARE: f64 = 0.05;
/// ...or at most so many, in an index of few documents: 16 words of 256 postings are soon read.
const RARE_DOCS: u64 = 256;
/// Postings that are read for a window, rarest words first: 0.2 ms. In an index of 10 million documents a rare word may stand in 500,000.
const POSTINGS_MAX: u64 = 1 << 14;
/// Documents, best first, of which is asked whether they have the words whose postings were too many to read.
const RECOUNTED_DOCS: usize = 64;
/// Documents nominated for a window.
const DOCS_PER_WINDOW: usize = 3;
/// Rare words that a document shares with a window at least.
const SHARED_WORDS_MIN: usize = 2;
/// Share of the best document's bits from which another document counts as holding the same.
const ALIKE_SHARE: f64 = 0.75;
/// Dictionary look-ups, over all segments, between two glances at the clock: 100 us of work.
const LOOKUPS_PER_GLANCE: usize = 256;

/// A document that shares rare words with neighbouring windows of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Nominee {
    /// The document.
    pub place: Place,
    /// Bits of the best of these windows: sum over the shared words of log2(documents / document frequency), less what a long document has by
    /// chance.
    pub bits: f64,
    /// From the first word of the first of these windows to the last of the last.
    pub stretch: Range<u32>,
}

/// A window of the text and how many documents share most of what its best one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowCount {
    /// Its words.
    pub words: Range<u32>,
    /// Documents with three quarters of the best one's bits.
    pub n_docs: u32,
    /// Distinct known origins of those.
    pub n_origins: u32,
}

/// All lexical candidates of a text in one index.
#[derive(Debug, Clone, Default)]
pub struct Lexical {
    /// Best first: by bits, then by place in the text, then by document.
    pub nominees: Vec<Nominee>,
    /// The windows that nominated anything, ascending.
    pub windows: Vec<WindowCount>,
    /// Bits of each rare word of the text that the index knows, at its places in the text; 0 for all others.
    pub bits: Vec<f32>,
    /// Documents of which [`bits`](Self::bits) says how few have a word: removed ones included, since dictionaries know them still.
    pub n_docs: u64,
    /// Whether the deadline passed before every window was looked up.
    pub is_late: bool,
}

/// Nominates documents for each stretch of the text.
///
/// Cost: one dictionary look-up a distinct word and segment (0.3 us warm), and at most 16,384 postings a window, sorted.
pub fn nominate(
    index: &Index,
    text: &str,
    words: &Words,
    stretches: &[Range<u32>],
    deadline: Option<Instant>,
) -> Result<Lexical> {
    let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
    let mut found = Lexical::default();
    let stretches = stretches.iter().filter(|stretch| stretch.end - stretch.start >= STRETCH_WORDS_MIN);
    let windows: Vec<Range<u32>> = stretches.flat_map(|stretch| windows(stretch.clone())).collect();
    if windows.is_empty() {
        return Ok(found);
    }
    let Some(vocabulary) = Vocabulary::look_up(index, text, words, &windows, is_late)? else {
        found.is_late = true;
        return Ok(found);
    };
    found.n_docs = vocabulary.n_docs;
    found.bits = vec![0.0; words.len()];
    for (bits, &number) in found.bits.iter_mut().zip(&vocabulary.numbers) {
        *bits = vocabulary.terms.get(number as usize).map_or(0.0, |term| term.bits);
    }
    let mut ballot = Ballot::new(index);
    let mut open: BTreeMap<Place, Nominee> = BTreeMap::new();
    for window in windows {
        if is_late() {
            found.is_late = true;
            break;
        }
        let count = ballot.hold(&vocabulary, window.clone())?;
        found.windows.extend(count);
        for &(bits, place) in &ballot.best {
            let nominee = open.entry(place).or_insert_with(|| Nominee { place, bits, stretch: window.clone() });
            if window.start > nominee.stretch.end {
                found.nominees.push(std::mem::replace(nominee, Nominee { place, bits, stretch: window.clone() }));
            }
            nominee.stretch.end = window.end;
            nominee.bits = nominee.bits.max(bits);
        }
    }
    found.nominees.extend(open.into_values());
    let order = |a: &Nominee, b: &Nominee| {
        b.bits.total_cmp(&a.bits).then(a.stretch.start.cmp(&b.stretch.start)).then(a.place.cmp(&b.place))
    };
    found.nominees.sort_by(order);
    Ok(found)
}

/// Cuts a stretch into windows. The last one ends with the stretch and is as long as the others, if the stretch is.
fn windows(stretch: Range<u32>) -> impl Iterator<Item = Range<u32>> {
    let last_start = stretch.end.saturating_sub(WINDOW_WORDS).max(stretch.start);
    let n_steps = (last_start - stretch.start).div_ceil(WINDOW_STEP);
    (0..=n_steps).map(move |step| {
        let start = (stretch.start + step * WINDOW_STEP).min(last_start);
        start..(start + WINDOW_WORDS).min(stretch.end)
    })
}

/// A distinct rare word of the text.
#[derive(Debug, Clone)]
struct Term {
    spelling: String,
    n_docs: u64,
    bits: f32,
    /// Documents in each segment.
    n_docs_by_segment: Vec<u32>,
}

impl Term {
    /// Calls `visit` for each segment that has the word.
    fn for_each_segment(
        &self,
        index: &Index,
        mut visit: impl FnMut(usize, &Segment) -> Result<(), copytrace_indexer::Error>,
    ) -> Result<()> {
        for (segment_idx, segment) in index.segments().iter().enumerate() {
            if self.n_docs_by_segment[segment_idx] > 0 {
                visit(segment_idx, segment)?;
            }
        }
        Ok(())
    }
}

/// The rare words of the windows.
#[derive(Debug, Default)]
struct Vocabulary {
    /// Documents that the dictionaries know, removed ones included.
    n_docs: u64,
    terms: Vec<Term>,
    /// Which term stands at each word of the text; [`NO_TERM`] for none.
    numbers: Vec<u32>,
}

/// No rare word.
const NO_TERM: u32 = u32::MAX;

impl Vocabulary {
    /// Looks up every distinct word of the windows once; `None` where it got late.
    fn look_up(
        index: &Index,
        text: &str,
        words: &Words,
        windows: &[Range<u32>],
        is_late: impl Fn() -> bool,
    ) -> Result<Option<Self>> {
        // Both counts with removed documents, or a word that only these had would seem frequent.
        let n_docs = index.segments().iter().map(|segment| u64::from(segment.entry().n_docs)).sum();
        let words_per_glance = (LOOKUPS_PER_GLANCE / index.segments().len().max(1)).max(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a number of documents")]
        let n_docs_max = ((n_docs as f64 * RARE_SHARE) as u64).max(RARE_DOCS);
        let mut places: Vec<(u64, u32)> = Vec::new();
        let mut end = 0;
        for window in windows {
            places.extend((window.start.max(end)..window.end).map(|word| (words.hashes[word as usize], word)));
            end = window.end;
        }
        places.sort_unstable();
        let mut vocabulary = Self { n_docs, terms: Vec::new(), numbers: vec![NO_TERM; words.len()] };
        for (n_words, group) in places.chunk_by(|a, b| a.0 == b.0).enumerate() {
            if n_words % words_per_glance == 0 && is_late() {
                return Ok(None);
            }
            let word = group[0].1 as usize;
            let spelling = normal_form(&text[words.starts[word] as usize..words.ends[word] as usize]);
            let mut n_docs_by_segment = Vec::with_capacity(index.segments().len());
            for segment in index.segments() {
                n_docs_by_segment.push(segment.catalog().document_frequency(&spelling)?);
            }
            let n_docs_with: u64 = n_docs_by_segment.iter().copied().map(u64::from).sum();
            if n_docs_with == 0 || n_docs_with > n_docs_max {
                continue;
            }
            let number = u32::try_from(vocabulary.terms.len()).unwrap_or(NO_TERM);
            for &(_, word) in group {
                vocabulary.numbers[word as usize] = number;
            }
            #[expect(clippy::cast_possible_truncation, reason = "a few bits, to rank by")]
            let bits = information_bits(n_docs, u32::try_from(n_docs_with).unwrap_or(u32::MAX)) as f32;
            vocabulary.terms.push(Term { spelling, n_docs: n_docs_with, bits, n_docs_by_segment });
        }
        Ok(Some(vocabulary))
    }
}

/// The votes of a window's rare words for documents; its memory is used for window after window.
struct Ballot<'a> {
    index: &'a Index,
    /// Words of a document on average.
    words_per_doc: f64,
    rare: Vec<u32>,
    votes: Vec<(Place, f32)>,
    tallies: Vec<(f64, Place)>,
    /// The window's best documents, best first.
    best: Vec<(f64, Place)>,
}

impl<'a> Ballot<'a> {
    fn new(index: &'a Index) -> Self {
        let entries = index.segments().iter().map(Segment::entry);
        let (n_words, n_docs) = entries
            .fold((0.0, 0.0), |(words, docs), entry| (words + entry.n_words as f64, docs + f64::from(entry.n_docs)));
        let words_per_doc = (n_words / f64::max(n_docs, 1.0)).max(1.0);
        Self { index, words_per_doc, rare: Vec::new(), votes: Vec::new(), tallies: Vec::new(), best: Vec::new() }
    }

    /// Finds the best documents of a window. `None` where no document shares enough.
    fn hold(&mut self, vocabulary: &Vocabulary, window: Range<u32>) -> Result<Option<WindowCount>> {
        self.best.clear();
        self.votes.clear();
        self.tallies.clear();
        let n_affordable = self.choose_rare(vocabulary, window.clone());
        let terms: Vec<&Term> = self.rare.iter().map(|&number| &vocabulary.terms[number as usize]).collect();
        let (rarest, others) = terms.split_at(n_affordable);
        for term in rarest {
            term.for_each_segment(self.index, |segment_idx, segment| {
                segment.catalog().for_each_document_with_word(&term.spelling, |doc| {
                    if !segment.is_removed(doc) {
                        self.votes.push((Place { segment_idx, doc }, term.bits));
                    }
                })
            })?;
        }
        let words_min = if others.is_empty() { SHARED_WORDS_MIN } else { 1 };
        self.count(words_min)?;
        if !others.is_empty() {
            self.tallies.truncate(RECOUNTED_DOCS);
            let places: BTreeSet<Place> = self.tallies.iter().map(|&(_, place)| place).collect();
            self.votes.retain(|(place, _)| places.contains(place));
            for term in others {
                term.for_each_segment(self.index, |segment_idx, segment| {
                    let docs = places.iter().filter(|place| place.segment_idx == segment_idx).map(|place| place.doc);
                    let docs: Vec<DocIdx> = docs.collect();
                    segment.catalog().for_each_of_with_word(&docs, &term.spelling, |doc| {
                        self.votes.push((Place { segment_idx, doc }, term.bits));
                    })
                })?;
            }
            self.count(SHARED_WORDS_MIN)?;
        }
        self.best.extend(self.tallies.iter().take(DOCS_PER_WINDOW));
        let Some(&(bits_max, _)) = self.best.first() else { return Ok(None) };
        let mut origins = BTreeSet::new();
        let mut n_docs = 0;
        for &(_, place) in self.tallies.iter().take_while(|&&(bits, _)| bits >= ALIKE_SHARE * bits_max) {
            n_docs += 1;
            origins.insert(self.index.segments()[place.segment_idx].record(place.doc)?.origin);
        }
        origins.remove(&OriginKey::UNKNOWN);
        let n_origins = u32::try_from(origins.len()).unwrap_or(u32::MAX);
        Ok(Some(WindowCount { words: window, n_docs, n_origins }))
    }

    /// Counts the votes: leaves the documents with `words_min` of them or more, best first.
    fn count(&mut self, words_min: usize) -> Result<()> {
        // Stable: the postings of each word are sorted already, and merging them is cheaper than sorting anew.
        self.votes.sort_by_key(|vote| vote.0);
        self.tallies.clear();
        for votes in self.votes.chunk_by(|a, b| a.0 == b.0) {
            if votes.len() < words_min {
                continue;
            }
            let place = votes[0].0;
            let record = self.index.segments()[place.segment_idx].record(place.doc)?;
            // A document twice as long as others has a word twice as probably.
            let length_bits = (f64::from(record.n_words) / self.words_per_doc).log2().max(0.0);
            let bits = votes.iter().map(|&(_, bits)| (f64::from(bits) - length_bits).max(0.0)).sum();
            if bits > 0.0 {
                self.tallies.push((bits, place));
            }
        }
        self.tallies.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        Ok(())
    }

    /// Chooses the rarest words of a window, rarest first. Returns of how many all postings may be read.
    fn choose_rare(&mut self, vocabulary: &Vocabulary, window: Range<u32>) -> usize {
        let n_docs = |number: u32| vocabulary.terms[number as usize].n_docs;
        let numbers = &vocabulary.numbers[window.start as usize..window.end as usize];
        self.rare.clear();
        self.rare.extend(numbers.iter().filter(|&&number| number != NO_TERM));
        self.rare.sort_unstable();
        self.rare.dedup();
        self.rare.sort_by_key(|&number| n_docs(number));
        self.rare.truncate(RARE_WORDS);
        let mut n_postings = 0;
        let affordable = self.rare.iter().take_while(|&&number| {
            n_postings += n_docs(number);
            n_postings <= POSTINGS_MAX
        });
        affordable.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_windows(stretch: Range<u32>, expected: &[(u32, u32)]) {
        let found: Vec<_> = windows(stretch.clone()).map(|window| (window.start, window.end)).collect();
        assert_eq!(found, expected, "{stretch:?}");
    }

    #[test]
    fn windows_cover_a_stretch_and_end_with_it() {
        check_windows(5..21, &[(5, 21)]);
        check_windows(0..60, &[(0, 60)]);
        check_windows(0..61, &[(0, 60), (1, 61)]);
        check_windows(10..110, &[(10, 70), (50, 110)]);
        check_windows(0..150, &[(0, 60), (40, 100), (80, 140), (90, 150)]);
    }

    #[test]
    fn every_copy_of_sixty_words_fills_two_thirds_of_a_window() {
        for start in 0..400_u32 {
            let shared = |window: &Range<u32>| window.end.min(start + 60).saturating_sub(window.start.max(start));
            let best = windows(0..460).map(|window| shared(&window)).max();
            assert!(best.is_some_and(|best| best >= 40), "a copy at {start}: {best:?}");
        }
    }
}
