//! Passage candidates: documents that share sampled k-grams with a text, of words or of lexemes.
//!
//! Cost: one lookup a word and segment (0.2 us warm), then O(hits log hits).

use std::time::Instant;

use copytrace_indexer::ids::{DocIdx, Key, OriginKey};
use copytrace_indexer::index::key_table::KeyTable;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;

use super::prints::{CodePrints, Prints};
use crate::error::Result;

/// Lookups, over all segments, between two glances at the clock: 50 us of work.
const LOOKUPS_PER_GLANCE: usize = 256;
/// Hits gathered at most, over all documents: 64 postings for each of 16,384 words. A text that has more is mostly boilerplate.
const HITS_MAX: usize = 1 << 20;
/// Places of one k-gram in the text that get its hits.
#[derive(Debug, Clone, Copy)]
struct Places {
    max: usize,
    /// Whether the answer says that there were more.
    is_told: bool,
}

/// A text that repeats 8 words more often is found by its first places, and the answer says that not all were compared.
const WORD_PLACES: Places = Places { max: 1024, is_told: true };
/// A row of a table repeats its shape hundreds of times: its first places are enough to find the table, and nothing is missing in the answer. Of functions
/// of one shape the one that was copied is told by its words.
const CODE_PLACES: Places = Places { max: 16, is_told: false };
/// Places, of those beyond the first, that are taken since documents share their words.
const PREFERRED_PLACES_MAX: usize = 64;

/// A document of an index: segment and place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which segment.
    pub segment_idx: usize,
    /// Which document of it.
    pub doc: DocIdx,
}

/// A k-gram that the text and a document share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// First word (in code: lexeme) of the k-gram in the text.
    pub query_word: u32,
    /// First byte of the k-gram in the document.
    pub source_byte: u32,
}

/// A document and the k-grams it shares with the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The document.
    pub place: Place,
    /// Sum over the distinct k-grams shared of log2(documents / document frequency), in bits.
    pub bits: f64,
    /// The hits, ascending by place in the document.
    pub hits: Vec<Hit>,
    /// First words of the k-grams shared, ascending, each once.
    pub words: Vec<u32>,
}

/// What the index knows about the k-gram that starts at a word of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GramCount {
    /// Documents that have it sampled; 0 where none has.
    pub n_docs: u32,
    /// Distinct known origins of those documents.
    pub n_origins: u32,
    /// Whether not all of its postings were stored: the counts are true, the hits are a choice.
    pub is_capped: bool,
    /// Whether stored postings are of removed documents while others were not stored: the counts are too high, and documents may be
    /// missing.
    pub is_stale: bool,
}

/// All passage candidates of a text in one index.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// Best first: by bits, then by place.
    pub documents: Vec<Candidate>,
    /// One for every k-gram of the text.
    pub grams: Vec<GramCount>,
    /// Whether the deadline passed before every k-gram was looked up.
    pub is_late: bool,
    /// Whether hits were left out since there were too many.
    pub is_overfull: bool,
    /// Whether a k-gram's stored postings were chosen when documents were there that are removed now.
    pub is_stale: bool,
}

/// Looks up every k-gram of words of a text.
pub fn find(index: &Index, prints: &Prints, deadline: Option<Instant>) -> Result<Candidates> {
    find_grams(index, &prints.grams, Segment::anchors, (WORD_PLACES, &[]), deadline)
}

/// Looks up every parameterised k-gram of code. What is called a word elsewhere is a lexeme in the answer.
///
/// Of a k-gram that stands in many places of the code the first ones are taken, and those in `preferred`, one for each k-gram, none for the rest.
pub fn find_code(
    index: &Index,
    prints: &CodePrints,
    preferred: &[bool],
    deadline: Option<Instant>,
) -> Result<Candidates> {
    find_grams(index, &prints.grams, Segment::lexemes, (CODE_PLACES, preferred), deadline)
}

fn find_grams(
    index: &Index,
    grams: &[u64],
    table_of: fn(&Segment) -> Option<&KeyTable>,
    (places, preferred): (Places, &[bool]),
    deadline: Option<Instant>,
) -> Result<Candidates> {
    let mut candidates = Candidates { grams: vec![GramCount::default(); grams.len()], ..Candidates::default() };
    // Equal k-grams are looked up once; their words get the same answer.
    let mut by_key: Vec<(u64, u32)> = grams.iter().copied().zip(0..).collect();
    by_key.sort_unstable();
    for segment in index.segments().iter().filter(|_| index.is_prefetching()) {
        if let Some(anchors) = table_of(segment) {
            for group in by_key.chunk_by(|a, b| a.0 == b.0) {
                anchors.prefetch(Key(group[0].0))?;
            }
        }
    }
    let mut postings: Vec<Posting> = Vec::new();
    let (mut values, mut origins) = (Vec::new(), Vec::new());
    let keys_per_glance = (LOOKUPS_PER_GLANCE / index.segments().len().max(1)).max(1);
    for (n_keys, group) in by_key.chunk_by(|a, b| a.0 == b.0).enumerate() {
        if n_keys % keys_per_glance == 0 && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            candidates.is_late = true;
            break;
        }
        let (key, first_word) = group[0];
        let first_posting = postings.len();
        let (mut count, mut n_docs) = (GramCount::default(), 0_u32);
        origins.clear();
        for (segment_idx, segment) in index.segments().iter().enumerate() {
            let Some(anchors) = table_of(segment) else { continue };
            values.clear();
            let found = anchors.lookup(Key(key), &mut values)?;
            let mut has_removed = false;
            // Values ascend: those of one document stand together.
            let mut last: Option<(DocIdx, std::ops::Range<u64>)> = None;
            for &position in &values {
                let (doc, text) = if let Some(last) = last.take().filter(|(_, text)| text.contains(&position)) {
                    last
                } else {
                    let doc = segment.document_at(position)?;
                    let record = segment.record(doc)?;
                    if !segment.is_removed(doc) {
                        n_docs += 1;
                        origins.push(record.origin);
                    }
                    (doc, record.text)
                };
                let source_byte = u32::try_from(position - text.start).unwrap_or(u32::MAX);
                last = Some((doc, text));
                if segment.is_removed(doc) {
                    has_removed = true;
                } else {
                    postings.push(Posting { place: Place { segment_idx, doc }, query_word: first_word, source_byte });
                }
            }
            if let Some(counts) = found.capped {
                count.is_capped = true;
                count.is_stale |= has_removed;
                count.n_docs = count.n_docs.saturating_add(counts.n_docs);
                count.n_origins = count.n_origins.max(counts.n_origins);
            }
        }
        origins.retain(|&origin| origin != OriginKey::UNKNOWN);
        origins.sort_unstable();
        origins.dedup();
        count.n_docs = count.n_docs.max(n_docs);
        count.n_origins = count.n_origins.max(u32::try_from(origins.len()).unwrap_or(u32::MAX));
        candidates.is_stale |= count.is_stale;
        for &(_, word) in group {
            candidates.grams[word as usize] = count;
        }
        let last_posting = postings.len();
        candidates.is_overfull |= places.is_told && group.len() > places.max && last_posting > first_posting;
        let is_preferred = |&&(_, word): &&(u64, u32)| preferred.get(word as usize).is_some_and(|is| *is);
        let more = group.iter().skip(places.max).filter(is_preferred).take(PREFERRED_PLACES_MAX);
        for &(_, query_word) in group.iter().take(places.max).skip(1).chain(more) {
            postings.extend_from_within(first_posting..last_posting);
            let copied = postings.len() - (last_posting - first_posting);
            postings[copied..].iter_mut().for_each(|posting| posting.query_word = query_word);
        }
        if postings.len() > HITS_MAX {
            candidates.is_overfull = true;
            break;
        }
    }
    candidates.documents = gather(&mut postings, &candidates.grams, index.n_docs());
    Ok(candidates)
}

/// A hit with its document, before hits are gathered by document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Posting {
    place: Place,
    source_byte: u32,
    query_word: u32,
}

fn gather(postings: &mut [Posting], grams: &[GramCount], n_docs: u64) -> Vec<Candidate> {
    postings.sort_unstable();
    let bits_of = |word: u32| information_bits(n_docs, grams[word as usize].n_docs);
    let mut documents = Vec::new();
    for group in postings.chunk_by(|a, b| a.place == b.place) {
        let hit = |posting: &Posting| Hit { query_word: posting.query_word, source_byte: posting.source_byte };
        let hits: Vec<Hit> = group.iter().map(hit).collect();
        let mut words: Vec<u32> = hits.iter().map(|hit| hit.query_word).collect();
        words.sort_unstable();
        words.dedup();
        let bits = words.iter().copied().map(bits_of).sum();
        documents.push(Candidate { place: group[0].place, bits, hits, words });
    }
    documents.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.place.cmp(&b.place)));
    documents
}

/// Information of an event that `n_docs_with` of `n_docs` documents show, in bits: log2((n_docs + 1) / n_docs_with).
pub fn information_bits(n_docs: u64, n_docs_with: u32) -> f64 {
    ((n_docs + 1) as f64 / f64::from(n_docs_with.max(1))).log2().max(0.0)
}
