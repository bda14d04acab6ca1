//! Lexical candidates become copies: in each nominated document the diagonal band is found on which most rare words of the text lie, and the
//! stored text along it is aligned.
//!
//! Asked for the stretches of the text that verified passages left unexplained. What is found beside a passage of the same document takes that
//! passage in.

use std::collections::BTreeSet;
use std::ops::Range;

use copytrace_indexer::index::documents::DocumentRecord;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::normalise::{Words, is_same_word};

use super::passages::{Buffers, Copy, LexicalEvidence, MARGIN_BYTES, Subject, Window, view};
use crate::error::Result;
use crate::query::lexical::{Lexical, Nominee, nominate};
use crate::query::passages::information_bits;
use crate::verify::TextView;
use crate::verify::align::align;
use crate::verify::alignment::{AlignOptions, Alignment};

/// Least share of the longer stretch's words that are the same in a copy found by rare words alone. Strangers reach 0.32, copies with
/// every fifth word changed 0.6 and more.
const SCORE_MIN: f64 = 0.6;
/// Least words that such a copy matches.
const WORDS_MIN: u32 = 16;
/// Least different words among those matched: this many, or a quarter of them if that is less. Rows of tables and forms share their few labels
/// with other tables, as often as there are rows.
const DISTINCT_WORDS_MIN: usize = 24;
/// Bits of its rare words beyond log2(documents), which the choice of the best document uses up: strangers had 4 at most.
const BITS_MIN: f64 = 6.0;
/// Share of neighbouring matched words in alphabetical order, or against it, from which they are a sorted list: its order says nothing.
const SORTED_SHARE: f64 = 0.9;
/// Columns among which one is looked for that is sorted.
const COLUMNS_MAX: usize = 4;
/// Steps from a word to a different one that a sorted column has at least: of 9 words one order in 180,000 is sorted by chance.
const COLUMN_STEPS_MIN: usize = 8;
/// Least words of the text on a band for the place to be aligned.
const BAND_WORDS_MIN: usize = 3;
/// Least width of a band in words; a quarter of the text's stretch if that is more: every fourth word may be inserted.
const BAND_WIDTH_MIN: u32 = 16;
/// Pairs of places that one word may have in the text and a document, and places that a word or gram may have in the text to be sought. What
/// stands everywhere shows no diagonal.
const PAIRS_PER_WORD_MAX: u32 = 64;
/// Words of a shared run that is a seed wherever it stands.
const GRAM_WORDS: usize = 4;
/// Most seeds of one alignment.
const SEEDS_MAX: usize = 1 << 12;
/// Bytes of a document that are read at once to find the band.
const CHUNK_BYTES: u32 = 256 << 10;
/// Words between a passage and a stretch beside it over which both may be one copy.
const NEAR_WORDS: u32 = 128;

/// What the lexical pass left out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) is_late: bool,
    pub(super) is_capped: bool,
}

/// Buffers that are used again for every nominated document.
#[derive(Debug, Default)]
pub(super) struct LexicalBuffers {
    sought: Sought,
    grams: Sought,
    places: Vec<(u32, u32)>,
    counts: Vec<u32>,
    pairs: Vec<Pair>,
}

/// Looks up what the copies found so far leave unexplained, and adds or widens copies. `code` are the words that are code: rare names say less
/// about code than its shape, which was compared.
pub(super) fn verify(
    subject: Subject<'_>,
    words_min: u32,
    code: &[Range<u32>],
    copies: &mut Vec<Copy>,
    buffers: &mut Buffers,
    own: &mut LexicalBuffers,
) -> Result<Outcome> {
    let words = &subject.prints.words;
    let stretches = unexplained(words.len(), code, copies);
    let nominated = nominate(subject.index, subject.text, words, &stretches, subject.deadline)?;
    let mut outcome = Outcome { is_late: nominated.is_late, is_capped: false };
    for nominee in &nominated.nominees {
        let segment = &subject.index.segments()[nominee.place.segment_idx];
        let record = segment.record(nominee.place.doc)?;
        let is_capped = false;
        let mut job =
            Job { subject, nominated: &nominated, nominee, segment, record, words_min, buffers, own, is_capped };
        job.verify(copies)?;
        let is_spent = job.buffers.work.is_spent();
        outcome.is_capped |= job.is_capped || is_spent;
        outcome.is_late |= subject.is_late();
        if is_spent || outcome.is_late {
            break;
        }
    }
    Ok(outcome)
}

/// Returns the stretches of the text that are no code and that no copy spans, in words.
fn unexplained(n_words: usize, code: &[Range<u32>], copies: &[Copy]) -> Vec<Range<u32>> {
    let mut explained: Vec<Range<u32>> = copies.iter().map(Copy::query_words).chain(code.iter().cloned()).collect();
    explained.sort_unstable_by_key(|words| words.start);
    let mut stretches = Vec::new();
    let mut start = 0;
    for words in explained {
        if words.start > start {
            stretches.push(start..words.start);
        }
        start = start.max(words.end);
    }
    stretches.push(start..u32::try_from(n_words).unwrap_or(u32::MAX).max(start));
    stretches
}

/// Words or grams of the text that are looked for in a document: their hashes with their places in the text.
#[derive(Debug, Default)]
struct Sought {
    /// Ascending.
    entries: Vec<(u64, u32)>,
    /// A bit for the lowest bits of each hash: most words of a document are none of these.
    filter: Vec<u64>,
}

/// Words of the filter: 4,096 bits, for some hundred entries.
const FILTER_WORDS: usize = 64;

/// Returns a hash's place in the filter: which word of it, and which bit.
fn filter_place(hash: u64) -> (usize, u64) {
    let [low, high, ..] = hash.to_le_bytes();
    (usize::from(low) % FILTER_WORDS, 1 << (high % 64))
}

impl Sought {
    fn fill(&mut self, entries: impl Iterator<Item = (u64, u32)>) {
        self.entries.clear();
        self.entries.extend(entries);
        self.entries.sort_unstable();
        self.drop_frequent();
        self.filter.clear();
        self.filter.resize(FILTER_WORDS, 0);
        for &(hash, _) in &self.entries {
            let (word, bit) = filter_place(hash);
            self.filter[word] |= bit;
        }
    }

    /// Drops hashes with so many places that none of them would be used.
    fn drop_frequent(&mut self) {
        let mut n_kept = 0;
        let mut start = 0;
        while start < self.entries.len() {
            let hash = self.entries[start].0;
            let len = self.entries[start..].partition_point(|entry| entry.0 == hash);
            if len <= PAIRS_PER_WORD_MAX as usize {
                self.entries.copy_within(start..start + len, n_kept);
                n_kept += len;
            }
            start += len;
        }
        self.entries.truncate(n_kept);
    }

    /// Returns where the entries of a hash are, [`PAIRS_PER_WORD_MAX`] at most; empty for none.
    fn find(&self, hash: u64) -> Range<usize> {
        let (word, bit) = filter_place(hash);
        if self.filter.get(word).is_none_or(|bits| bits & bit == 0) {
            return 0..0;
        }
        let start = self.entries.partition_point(|entry| entry.0 < hash);
        let len = self.entries[start..].iter().take_while(|entry| entry.0 == hash).count();
        start..start + len
    }
}

/// A rare word at its place in the text and one of its places in a document.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    /// Place in the document less place in the text, plus the words of the text.
    diagonal: u32,
    query: u32,
    /// Its bits, divided by its places in the document.
    bits: f32,
}

/// Where in a document most rare words of the text stand in order.
#[derive(Debug, Clone)]
struct Band {
    bits: f64,
    /// Bytes of the document.
    bytes: Range<u32>,
    /// Seeds as (word of the text, byte of the document).
    seeds: Vec<(u32, u32)>,
}

/// One nominated document under verification.
struct Job<'a> {
    subject: Subject<'a>,
    nominated: &'a Lexical,
    nominee: &'a Nominee,
    segment: &'a Segment,
    record: DocumentRecord,
    words_min: u32,
    buffers: &'a mut Buffers,
    own: &'a mut LexicalBuffers,
    is_capped: bool,
}

impl Job<'_> {
    /// Aligns the best band of the document.
    ///
    /// Where half of the words are the same, alignment tries so much that it may stop at the bound of one call. Sets `is_capped` where that may
    /// have cost a copy: neither one nor a list was found, and the rare words on the band would be evidence enough for one.
    fn verify(&mut self, copies: &mut Vec<Copy>) -> Result<()> {
        let Some(band) = self.find_band()? else { return Ok(()) };
        // A passage of this document beside the stretch is aligned again with it.
        let mut query = self.nominee.stretch.clone();
        let mut bytes = band.bytes.clone();
        for copy in copies.iter().filter(|copy| copy.place == self.nominee.place) {
            let words = copy.query_words();
            if words.start <= query.end + NEAR_WORDS && query.start <= words.end + NEAR_WORDS {
                query = query.start.min(words.start)..query.end.max(words.end);
                bytes = bytes.start.min(copy.source_span.start)..bytes.end.max(copy.source_span.end);
            }
        }
        let mut margin = MARGIN_BYTES;
        loop {
            let range = bytes.start.saturating_sub(margin)..bytes.end.saturating_add(margin);
            if self.align(&band, query.clone(), range, copies)? {
                return Ok(());
            }
            margin = margin.saturating_mul(4);
        }
    }

    /// Scans the document for the diagonal band with most bits.
    fn find_band(&mut self) -> Result<Option<Band>> {
        let words = &self.subject.prints.words;
        let stretch = self.nominee.stretch.clone();
        let rare = stretch.clone().filter(|&word| self.nominated.bits[word as usize] > 0.0);
        self.own.sought.fill(rare.map(|word| (words.hashes[word as usize], word)));
        let stretch_bytes = words.ends[stretch.end as usize - 1] - words.starts[stretch.start as usize];
        let overlap = stretch_bytes.saturating_mul(2).saturating_add(MARGIN_BYTES);
        let chunk = CHUNK_BYTES.max(overlap.saturating_mul(4));
        let mut best: Option<Band> = None;
        let mut start = 0;
        loop {
            let end = u32::saturating_add(start, chunk);
            let Buffers { bytes, words, work, .. } = &mut *self.buffers;
            let window = Window::read(self.segment, &self.record, start..end, bytes)?;
            work.spend(window.text.len());
            self.subject.index.fingerprinter().words(window.text, words);
            let found =
                self.own.best_band(&stretch, self.nominated, words, self.subject.prints.words.len(), window.start);
            if let Some(found) = found
                && best.as_ref().is_none_or(|best| found.bits > best.bits)
            {
                best = Some(found);
            }
            if window.is_doc_end || work.is_spent() || self.subject.is_late() {
                return Ok(best);
            }
            start = end - overlap;
        }
    }

    /// Aligns the text with a range of the document's bytes; false where an alignment reaches the range's edge.
    fn align(
        &mut self,
        band: &Band,
        query_words: Range<u32>,
        range: Range<u32>,
        copies: &mut Vec<Copy>,
    ) -> Result<bool> {
        let Subject { index, text, prints, .. } = self.subject;
        let Buffers { bytes, words, seeds, align: scratch, work } = &mut *self.buffers;
        let window = Window::read(self.segment, &self.record, range, bytes)?;
        work.spend(window.text.len());
        index.fingerprinter().words(window.text, words);
        seeds.clear();
        let word_at = |byte: u32| words.starts.binary_search(&byte.checked_sub(window.start)?).ok();
        seeds.extend(band.seeds.iter().filter_map(|&(q, byte)| Some((q, u32::try_from(word_at(byte)?).ok()?))));
        push_gram_seeds(&mut self.own.grams, &prints.words, query_words, words, seeds);
        let (query, source) = (view(text, &prints.words), view(window.text, words));
        let aligned = align(&query, &source, seeds, &AlignOptions::default(), is_same_word, work, scratch);
        if aligned.alignments.iter().any(|alignment| window.cuts(alignment, words)) {
            return Ok(false);
        }
        let bits_min = BITS_MIN + information_bits(self.nominated.n_docs, 1);
        let mut is_settled = false;
        for alignment in &aligned.alignments {
            if alignment.matched_words() < self.words_min.max(WORDS_MIN) {
                continue;
            }
            let matched: Vec<u32> = alignment.runs.iter().flat_map(|run| run.query_words()).collect();
            let starts: Vec<u32> = alignment.runs.iter().map(|run| run.query).collect();
            let is_list = is_repetitive(&query, &matched) || is_sorted(&query, &matched, &starts);
            is_settled |= is_list;
            let place = self.nominee.place;
            let mut copy = Copy::of(index, place, &query, &source, window.start, alignment, Vec::new())?;
            let evidence = evidence(&prints.words, self.nominated, alignment);
            if !is_list && copy.score >= SCORE_MIN && evidence.bits >= bits_min {
                copy.lexical = Some(evidence);
                add(copy, copies);
                is_settled = true;
            }
        }
        self.is_capped = aligned.capped && !is_settled && band.bits >= bits_min && {
            let on_band: BTreeSet<u32> = band.seeds.iter().map(|seed| seed.0).collect();
            !is_sorted(&query, &on_band.into_iter().collect::<Vec<_>>(), &[])
        };
        Ok(true)
    }
}

/// Sums up what the rare words of an alignment say.
fn evidence(words: &Words, nominated: &Lexical, alignment: &Alignment) -> LexicalEvidence {
    let matched = alignment.runs.iter().flat_map(|run| run.query_words());
    let mut rare: Vec<(u64, f32)> =
        matched.map(|word| (words.hashes[word as usize], nominated.bits[word as usize])).collect();
    rare.sort_unstable_by_key(|rare| rare.0);
    rare.dedup_by_key(|rare| rare.0);
    let bits = rare.iter().map(|&(_, bits)| f64::from(bits)).sum();
    let spanned = alignment.query_words();
    let windows =
        nominated.windows.iter().filter(|window| window.words.start < spanned.end && spanned.start < window.words.end);
    let counts = windows.map(|window| (window.n_docs, window.n_origins));
    let least = counts.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)));
    let (n_docs, n_origins) = least.unwrap_or_default();
    LexicalEvidence { bits, n_docs, n_origins }
}

/// Tells whether the matched words are a few different ones that come again and again.
fn is_repetitive(query: &TextView, matched: &[u32]) -> bool {
    let distinct: BTreeSet<u64> = matched.iter().map(|&word| query.hashes[word as usize]).collect();
    distinct.len() < DISTINCT_WORDS_MIN.min(matched.len() / 4)
}

/// Tells whether the matched words are a sorted list, or a table, bibliography or form with a sorted column: two of these share their order
/// without a copy.
///
/// A column is looked for in all matched words, in those that were matched once and in those that begin a run, and of each in every second,
/// third and fourth.
fn is_sorted(query: &TextView, matched: &[u32], starts: &[u32]) -> bool {
    let key = |word: u32| {
        let word = query.word(word);
        // A number comes after a shorter one.
        (if word.bytes().all(|byte| byte.is_ascii_digit()) { word.len() } else { 0 }, word.to_lowercase())
    };
    let mut hashes: Vec<u64> = matched.iter().map(|&word| query.hashes[word as usize]).collect();
    hashes.sort_unstable();
    let is_single = |word: &u32| {
        let first = hashes.partition_point(|&hash| hash < query.hashes[*word as usize]);
        hashes.get(first) != hashes.get(first + 1)
    };
    let single: Vec<_> = matched.iter().copied().filter(is_single).map(key).collect();
    let starts: Vec<_> = starts.iter().copied().map(key).collect();
    let all: Vec<_> = matched.iter().copied().map(key).collect();
    if is_ascending_or_descending(all.iter()) {
        return true;
    }
    let columns = |words: &[_]| {
        let column = |step: usize, first: usize| is_sorted_column(words.iter().skip(first).step_by(step));
        (1..=COLUMNS_MAX).any(|step| (0..step).any(|first| column(step, first)))
    };
    columns(&all) || columns(&single) || columns(&starts)
}

/// As [`is_ascending_or_descending`], for a part of the words: a few of them are in order by chance.
fn is_sorted_column<T: Ord>(words: impl Iterator<Item = T> + Clone) -> bool {
    let n_steps = words.clone().zip(words.clone().skip(1)).filter(|(a, b)| a != b).count();
    n_steps >= COLUMN_STEPS_MIN && is_ascending_or_descending(words)
}

fn is_ascending_or_descending<T: Ord>(words: impl Iterator<Item = T> + Clone) -> bool {
    let (mut n_up, mut n_down) = (0, 0);
    for (a, b) in words.clone().zip(words.skip(1)) {
        n_up += u32::from(a < b);
        n_down += u32::from(a > b);
    }
    f64::from(n_up.max(n_down)) >= SORTED_SHARE * f64::from(n_up + n_down)
}

/// Adds a copy, in the place of those of the same document that it takes in.
fn add(mut copy: Copy, copies: &mut Vec<Copy>) {
    let words = copy.query_words();
    let takes_in = |other: &Copy| {
        let own = other.query_words();
        let source = other.source_span;
        other.place == copy.place
            && words.start <= own.start
            && own.end <= words.end
            && copy.source_span.start <= source.start
            && source.end <= copy.source_span.end
    };
    let is_known = copies.iter().any(|other| {
        let own = other.query_words();
        other.place == copy.place && own.start <= words.start && words.end <= own.end
    });
    if is_known {
        return;
    }
    for other in copies.extract_if(.., |other| takes_in(other)).collect::<Vec<_>>() {
        copy.evidence.extend(other.evidence);
    }
    copy.evidence.sort_unstable();
    copy.evidence.dedup();
    copies.push(copy);
}

impl LexicalBuffers {
    /// Finds the band with most bits among the words of a document's chunk, which starts at byte `chunk_start`.
    fn best_band(
        &mut self,
        stretch: &Range<u32>,
        nominated: &Lexical,
        source: &Words,
        n_query_words: usize,
        chunk_start: u32,
    ) -> Option<Band> {
        let n_query_words = u32::try_from(n_query_words).unwrap_or(u32::MAX);
        let Self { sought, places, counts, pairs, .. } = self;
        places.clear();
        counts.clear();
        counts.resize(sought.entries.len(), 0);
        for (&hash, at) in source.hashes.iter().zip(0..) {
            let found = sought.find(hash);
            if !found.is_empty() {
                counts[found.start] += 1;
                places.push((u32::try_from(found.start).unwrap_or(u32::MAX), at));
            }
        }
        pairs.clear();
        for &(entry, at) in places.iter() {
            let n_places = counts[entry as usize];
            let (hash, _) = sought.entries[entry as usize];
            let own = sought.entries[entry as usize..].iter().take_while(|own| own.0 == hash);
            let n_own = u32::try_from(own.clone().count()).unwrap_or(u32::MAX);
            if n_places.saturating_mul(n_own) > PAIRS_PER_WORD_MAX {
                continue;
            }
            for &(_, query) in own {
                let bits = nominated.bits[query as usize] / n_places as f32;
                pairs.push(Pair { diagonal: at + n_query_words - query, query, bits });
            }
        }
        pairs.sort_unstable_by_key(|pair| (pair.diagonal, pair.query));
        let width = BAND_WIDTH_MIN.max((stretch.end - stretch.start) / 4);
        let (mut first, mut sum) = (0, 0.0);
        let (mut best, mut range) = (0.0, 0..0);
        for (last, pair) in pairs.iter().enumerate() {
            sum += f64::from(pair.bits);
            while pair.diagonal - pairs[first].diagonal > width {
                sum -= f64::from(pairs[first].bits);
                first += 1;
            }
            if sum > best {
                (best, range) = (sum, first..last + 1);
            }
        }
        let band = &pairs[range];
        let mut distinct: Vec<u32> = band.iter().map(|pair| pair.query).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < BAND_WORDS_MIN {
            return None;
        }
        let (first, last) = (band[0].diagonal - width.min(band[0].diagonal), band[band.len() - 1].diagonal + width);
        let first_word = (first + stretch.start).saturating_sub(n_query_words) as usize;
        let last_word = ((last + stretch.end).saturating_sub(n_query_words) as usize).min(source.len()) - 1;
        let byte = |word: usize| chunk_start + source.starts[word];
        let bytes = byte(first_word)..chunk_start + source.ends[last_word];
        let seeds =
            band.iter().map(|pair| (pair.query, byte((pair.diagonal + pair.query - n_query_words) as usize))).collect();
        Some(Band { bits: best, bytes, seeds })
    }
}

/// Appends the places of every run of four words that a stretch of the text shares with a stretch of a document.
fn push_gram_seeds(
    grams: &mut Sought,
    query: &Words,
    query_words: Range<u32>,
    source: &Words,
    seeds: &mut Vec<(u32, u32)>,
) {
    let key = |gram: &[u64]| gram.iter().fold(0_u64, |key, &hash| key.rotate_left(17) ^ hash);
    let own = query.hashes[query_words.start as usize..query_words.end as usize].windows(GRAM_WORDS);
    grams.fill(own.zip(query_words.start..).map(|(gram, word)| (key(gram), word)));
    for (gram, at) in source.hashes.windows(GRAM_WORDS).zip(0..) {
        if seeds.len() >= SEEDS_MAX {
            return;
        }
        seeds.extend(grams.entries[grams.find(key(gram))].iter().map(|&(_, word)| (word, at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sought_hashes_are_found_and_others_are_not() {
        let mut sought = Sought::default();
        for n in [0, 1, 50, 600_u32] {
            // Neighbouring hashes share their filter's bits with others that are far away.
            sought.fill((0..n).map(|word| (u64::from(word / 3) * 4_095, word)));
            for hash in 0..u64::from(n / 3 + 2) * 4_095 {
                let found: Vec<u32> = sought.entries[sought.find(hash)].iter().map(|entry| entry.1).collect();
                let expected: Vec<u32> = match u32::try_from(hash / 4_095) {
                    Ok(number) if hash % 4_095 == 0 => (number * 3..number * 3 + 3).filter(|&word| word < n).collect(),
                    _ => Vec::new(),
                };
                assert_eq!(found, expected, "{hash} of {n}");
            }
        }
    }
}
