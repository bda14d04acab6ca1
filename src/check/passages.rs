//! Passage candidates become copies: the stored text around the hits is read and aligned.
//!
//! Candidates are taken best first. The first [`DOCS_ALWAYS`] are always aligned. After them, a document all of whose k-grams are explained by
//! verified documents already ([`EXPLAINED`]) is only counted. So the work follows the number of distinct passages, not the number of
//! copies in the corpus.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use copytrace_indexer::index::documents::DocumentRecord;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::normalise::{Words, is_same_word};
use copytrace_indexer::span::Span;

use super::answer::{CodeFacts, EXCERPT_BYTES_MAX};
use crate::error::Result;
use crate::query::passages::{Candidate, Candidates, Hit, Place};
use crate::query::prints::Prints;
use crate::verify::TextView;
use crate::verify::align::{Scratch, align};
use crate::verify::alignment::{AlignOptions, Alignment};
use crate::verify::kind::{CopyKind, classify};
use crate::verify::work::Work;

/// Documents that are aligned whatever the others explain: 0.5 ms. Twice the eight origins that make a passage common by default; an ordinary
/// text has fewer, so that each of them is compared.
const DOCS_ALWAYS: usize = 16;
/// What explains a k-gram well enough for further documents to be counted only: four equal copies, enough to show that a passage has several
/// sources, or eight edited ones, enough to show that more than the k-gram is common.
const EXPLAINED: u8 = 8;
/// Documents aligned for one text: at 30 us each, a tenth of the default budget of 250 ms.
const DOCS_MAX: usize = 800;
/// Regions of one document that are aligned: a text of many passages of one book still fits.
const REGIONS_PER_DOC_MAX: usize = 64;
/// Bytes read before and after the hits of a region beyond what the text itself suggests.
pub(super) const MARGIN_BYTES: u32 = 1024;
/// Bytes within which the start of a window is moved to a blank.
const BLANK_SEARCH_BYTES: usize = 256;

/// What is checked: a text, by the fingerprints of one index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) index: &'a Index,
    pub(super) text: &'a str,
    pub(super) prints: &'a Prints,
    pub(super) deadline: Option<Instant>,
}

impl Subject<'_> {
    /// Tells whether the work must stop.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A verified copy.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) kind: CopyKind,
    pub(super) place: Place,
    pub(super) score: f64,
    pub(super) matched_words: u32,
    pub(super) longest_run: u32,
    /// Runs of equal words in the text.
    pub(super) query_runs: Vec<Range<u32>>,
    pub(super) query_span: Span,
    /// In bytes of the document.
    pub(super) source_span: Span,
    /// What stands there.
    pub(super) source_text: SourceText,
    /// Words of the text that start a k-gram which this document shares, ascending: its evidence.
    pub(super) evidence: Vec<u32>,
    /// What its rare words say, where these were looked up.
    pub(super) lexical: Option<LexicalEvidence>,
    /// What its names and literals say, where it is code. Its words are then lexemes.
    pub(super) code: Option<CodeFacts>,
}

/// What people are shown of a copy's place in its document. Read as soon as the copy is found, while the text around it is still at hand.
#[derive(Debug, Clone)]
pub(super) struct SourceText {
    /// The lines of the first and of the last byte, from 1.
    pub(super) lines: (u32, u32),
    /// The text, cut off after [`EXCERPT_BYTES_MAX`] bytes.
    pub(super) excerpt: String,
}

impl SourceText {
    /// Reads a range of a document's bytes.
    pub(super) fn read(index: &Index, place: Place, span: Span) -> Result<Self> {
        let segment = &index.segments()[place.segment_idx];
        let record = segment.record(place.doc)?;
        let at = |byte: u32| record.text.start + u64::from(byte);
        let mut bytes = Vec::new();
        let end = span.end.min(span.start.saturating_add(u32::try_from(EXCERPT_BYTES_MAX).unwrap_or(u32::MAX)));
        segment.read_text(at(span.start)..at(end), &mut bytes)?;
        let first_line = segment.line_at(&record, at(span.start))?;
        let last_line = if end < span.end {
            segment.line_at(&record, at(span.end - 1))?
        } else {
            let before_last = &bytes[..bytes.len().saturating_sub(1)];
            let n_lines = before_last.split(|&byte| byte == b'\n').count() - 1;
            first_line.saturating_add(u32::try_from(n_lines).unwrap_or(u32::MAX))
        };
        // The cut may fall inside a character.
        let excerpt = String::from_utf8_lossy(&bytes).trim_end_matches('\u{FFFD}').to_owned();
        Ok(Self { lines: (first_line, last_line), excerpt })
    }
}

/// What the rare words of a copy say about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LexicalEvidence {
    /// Sum over the distinct rare words matched of log2(documents / document frequency).
    pub(super) bits: f64,
    /// Documents that have as many of them.
    pub(super) n_docs: u32,
    /// Distinct known origins of those.
    pub(super) n_origins: u32,
}

impl LexicalEvidence {
    /// Puts together what is known of two stretches of one document.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            bits: self.bits + other.bits,
            n_docs: self.n_docs.min(other.n_docs),
            n_origins: self.n_origins.min(other.n_origins),
        }
    }
}

impl Copy {
    /// Makes a copy of an alignment with a stretch of a document that begins at byte `source_start` of it.
    pub(super) fn of(
        index: &Index,
        place: Place,
        query: &TextView,
        source: &TextView,
        source_start: u32,
        alignment: &Alignment,
        evidence: Vec<u32>,
    ) -> Result<Self> {
        let (kind, query_span, source_span) = classify(query, source, alignment);
        let source_span = Span::new(source_span.start + source_start, source_span.end + source_start);
        Ok(Self {
            kind,
            place,
            score: f64::from(alignment.matched_words())
                / alignment.query_words().len().max(alignment.source_words().len()) as f64,
            matched_words: alignment.matched_words(),
            longest_run: alignment.longest_run(),
            query_runs: alignment.runs.iter().map(|run| run.query..run.query + run.len).collect(),
            query_span,
            source_span,
            source_text: SourceText::read(index, place, source_span)?,
            evidence,
            lexical: None,
            code: None,
        })
    }

    /// Returns the words of the text from the first matched one to the last.
    pub(super) fn query_words(&self) -> Range<u32> {
        let ends = self.query_runs.first().zip(self.query_runs.last());
        ends.map_or(0..0, |(first, last)| first.start..last.end)
    }
}

/// What verification of the passage candidates found, and what it left out.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) copies: Vec<Copy>,
    pub(super) is_late: bool,
    pub(super) is_overfull: bool,
}

/// Buffers that are used again for every candidate.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) bytes: Vec<u8>,
    pub(super) words: Words,
    pub(super) seeds: Vec<(u32, u32)>,
    pub(super) align: Scratch,
    /// What the check may still spend, on all candidates of all indexes.
    pub(super) work: Work,
}

/// Aligns the passage candidates of a text in one index, but for those of which `whole` are copies already.
pub(super) fn verify(
    subject: Subject<'_>,
    candidates: &Candidates,
    whole: Vec<Copy>,
    words_min: u32,
    buffers: &mut Buffers,
) -> Result<Verified> {
    let is_whole: BTreeSet<Place> = whole.iter().map(|copy| copy.place).collect();
    // How well verified documents explain the k-gram at each word.
    let mut explained = vec![0_u8; subject.prints.grams.len()];
    let explain = |copies: &[Copy], explained: &mut [u8]| {
        for copy in copies {
            let weight = if copy.kind == CopyKind::Edited { 1 } else { 2 };
            for &word in &copy.evidence {
                explained[word as usize] = explained[word as usize].saturating_add(weight);
            }
        }
    };
    explain(&whole, &mut explained);
    let mut n_docs = whole.len();
    let mut verified = Verified { copies: whole, ..Verified::default() };
    for candidate in candidates.documents.iter().filter(|candidate| !is_whole.contains(&candidate.place)) {
        let is_news = candidate.hits.iter().any(|hit| explained[hit.query_word as usize] < EXPLAINED);
        if !is_news && n_docs >= DOCS_ALWAYS {
            continue;
        }
        if subject.is_late() {
            verified.is_late = true;
            break;
        }
        if n_docs == DOCS_MAX || buffers.work.is_spent() {
            verified.is_overfull = true;
            break;
        }
        n_docs += 1;
        let first = verified.copies.len();
        let mut job = Job { subject, candidate, words_min, buffers };
        verified.is_overfull |= job.align_regions(&mut verified.copies)?;
        explain(&verified.copies[first..], &mut explained);
    }
    Ok(verified)
}

/// What became of one region.
pub(super) enum Region {
    /// Its copies were added; `is_capped` where alignment stopped at a bound on its work.
    Aligned { is_capped: bool },
    /// An alignment reached the edge of the window.
    TooNarrow,
}

/// Aligns a region through larger and larger windows, as long as an alignment reaches the edge of one: it may go on beyond it. Returns whether
/// something was left out.
pub(super) fn widen(mut align: impl FnMut(u32) -> Result<Region>) -> Result<bool> {
    let mut margin = MARGIN_BYTES;
    loop {
        match align(margin)? {
            Region::Aligned { is_capped } => return Ok(is_capped),
            Region::TooNarrow => margin = margin.saturating_mul(4),
        }
    }
}

/// One candidate under verification.
struct Job<'a> {
    subject: Subject<'a>,
    candidate: &'a Candidate,
    words_min: u32,
    buffers: &'a mut Buffers,
}

impl Job<'_> {
    /// Aligns every region of the document that has hits. Returns whether something was left out.
    fn align_regions(&mut self, copies: &mut Vec<Copy>) -> Result<bool> {
        let place = self.candidate.place;
        let segment = &self.subject.index.segments()[place.segment_idx];
        let record = segment.record(place.doc)?;
        let reach = u32::try_from(self.subject.text.len()).unwrap_or(u32::MAX).saturating_add(MARGIN_BYTES);
        let regions = regions(&self.candidate.hits, reach);
        let mut is_capped = regions.len() > REGIONS_PER_DOC_MAX;
        for hits in regions.iter().take(REGIONS_PER_DOC_MAX) {
            if self.subject.is_late() || self.buffers.work.is_spent() {
                return Ok(true);
            }
            is_capped |= widen(|margin| self.align_region(segment, &record, hits, margin, copies))?;
        }
        Ok(is_capped)
    }

    /// Aligns one region; adds nothing where the window was too small.
    fn align_region(
        &mut self,
        segment: &Segment,
        record: &DocumentRecord,
        hits: &[Hit],
        margin: u32,
        copies: &mut Vec<Copy>,
    ) -> Result<Region> {
        let Buffers { bytes, words, seeds, align: scratch, work } = &mut *self.buffers;
        let Subject { index, text, prints, .. } = self.subject;
        // As far as the whole text would reach, laid on each of the hits.
        let n_text_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let query_byte = |hit: &Hit| prints.words.starts[hit.query_word as usize];
        let start = hits.iter().map(|hit| hit.source_byte.saturating_sub(query_byte(hit))).min().unwrap_or(0);
        let end =
            hits.iter().map(|hit| hit.source_byte.saturating_add(n_text_bytes - query_byte(hit))).max().unwrap_or(0);
        let range = start.saturating_sub(margin)..end.saturating_add(margin);
        let window = Window::read(segment, record, range, bytes)?;
        work.spend(window.text.len());
        index.fingerprinter().words(window.text, words);
        seeds.clear();
        for hit in hits {
            let at = hit.source_byte.checked_sub(window.start).and_then(|byte| words.starts.binary_search(&byte).ok());
            if let Some(at) = at {
                seeds.push((hit.query_word, u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
        let query = view(text, &prints.words);
        let source = view(window.text, words);
        let aligned = align(&query, &source, seeds, &AlignOptions::default(), is_same_word, work, scratch);
        if aligned.alignments.iter().any(|alignment| window.cuts(alignment, words)) {
            return Ok(Region::TooNarrow);
        }
        let is_capped = aligned.capped;
        for alignment in aligned.alignments {
            if alignment.matched_words() < self.words_min {
                continue;
            }
            let place = self.candidate.place;
            let evidence = evidence(hits, &alignment);
            copies.push(Copy::of(index, place, &query, &source, window.start, &alignment, evidence)?);
        }
        Ok(Region::Aligned { is_capped })
    }
}

/// Words of the text whose k-gram hits lie inside an alignment's stretch of the text.
fn evidence(hits: &[Hit], alignment: &Alignment) -> Vec<u32> {
    let within = alignment.query_words();
    let mut words: Vec<u32> = hits.iter().map(|hit| hit.query_word).filter(|word| within.contains(word)).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Cuts the hits, ascending by place in the document, where they are further apart than the text could reach.
fn regions(hits: &[Hit], reach: u32) -> Vec<&[Hit]> {
    hits.chunk_by(|a, b| b.source_byte - a.source_byte <= reach).collect()
}

pub(super) fn view<'a>(text: &'a str, words: &'a Words) -> TextView<'a> {
    TextView { text, hashes: &words.hashes, contents: &words.hashes, starts: &words.starts, ends: &words.ends }
}

/// A stretch of a document's text.
pub(super) struct Window<'a> {
    pub(super) text: &'a str,
    /// First byte in the document.
    pub(super) start: u32,
    is_doc_start: bool,
    pub(super) is_doc_end: bool,
}

impl<'a> Window<'a> {
    /// Reads a range of a document's bytes, or what there is of it. It starts and ends at a blank, so that its words are those of the document.
    pub(super) fn read(
        segment: &Segment,
        record: &DocumentRecord,
        range: Range<u32>,
        bytes: &'a mut Vec<u8>,
    ) -> Result<Self> {
        let doc_bytes = u32::try_from(record.text.end - record.text.start).unwrap_or(u32::MAX);
        let (start, end) = (range.start.min(doc_bytes), range.end.min(doc_bytes));
        segment.read_text(record.text.start + u64::from(start)..record.text.start + u64::from(end), bytes)?;
        let (is_doc_start, is_doc_end) = (start == 0, end == doc_bytes);
        let skip = if is_doc_start { 0 } else { first_blank(bytes) };
        let keep = if is_doc_end { bytes.len() } else { last_blank(bytes).max(skip) };
        let text = segment.as_text(&bytes[skip..keep])?;
        let start = start + u32::try_from(skip).unwrap_or(u32::MAX);
        Ok(Self { text, start, is_doc_start, is_doc_end })
    }

    /// Tells whether an alignment reaches an edge of the window beyond which the document goes on.
    pub(super) fn cuts(&self, alignment: &Alignment, words: &Words) -> bool {
        let at = alignment.source_words();
        (at.start == 0 && !self.is_doc_start) || (at.end as usize == words.len() && !self.is_doc_end)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
}

fn is_char_start(byte: u8) -> bool {
    // A continuation byte of UTF-8 is 0b10xx_xxxx.
    byte & 0xC0 != 0x80
}

/// Offset of a place near the start where words cannot be cut: a blank, or (scripts without blanks) a character.
fn first_blank(bytes: &[u8]) -> usize {
    let near = &bytes[..bytes.len().min(BLANK_SEARCH_BYTES)];
    let blank = near.iter().position(|&byte| is_blank(byte));
    blank.or_else(|| near.iter().position(|&byte| is_char_start(byte))).unwrap_or(0)
}

/// Offset of a place near the end where words cannot be cut.
fn last_blank(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(BLANK_SEARCH_BYTES);
    let near = &bytes[from..];
    let blank = near.iter().rposition(|&byte| is_blank(byte));
    from + blank.or_else(|| near.iter().rposition(|&byte| is_char_start(byte))).unwrap_or(0)
}
