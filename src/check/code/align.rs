//! One stretch of a document beside a part: the source around its hits is cut into lexemes and aligned by shape, and names are compared under the best renaming.
//!
//! A unit of the part that stands there too is proven by its canonical tokens, where lexemes alone tell of differences.

use std::ops::Range;

use copytrace_indexer::index::documents::DocumentRecord;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::span::Span;

use super::super::answer::{CodeFacts, Rename};
use super::super::body::{BOILERPLATE_MAX, count_body};
use super::super::passages::{Copy, Region, SourceText, widen};
use super::super::units::{KnownUnits, Proving, Sides};
use super::weigh::{evidence, support};
use super::{CodeBuffers, CodeSubject};
use crate::error::Result;
use crate::query::passages::{Candidates, Hit, Place};
use crate::verify::align::align;
use crate::verify::alignment::AlignOptions;
use crate::verify::code::{Comparison, compare_code};
use crate::verify::code_view::CodeView;
use crate::verify::kind::CopyKind;
use crate::verify::marks::MarkTable;
use crate::verify::work::Work;

/// Least support of a copy that is listed: what has less is an idiom, whatever a policy says.
const SUPPORT_MIN: f64 = -3.0;
/// Renames that are listed.
const RENAMES_MAX: usize = 256;

/// Alignment of lexemes. A call of three arguments that is inserted has 8 lexemes, more than a word-by-word edit.
pub(super) const OPTIONS: AlignOptions = AlignOptions {
    guaranteed_words: 24,
    matched_words_min: 12,
    drop_words_max: 16,
    gain_words_min: 4,
    last_gain_words_min: 1,
    chain_gap_words_max: 160,
    // Rows of one statement, as in tables and generated code, have one shape: 0.8 ms.
    work_floor: 1 << 18,
};

/// Bytes before the first hit, and behind the last one, that are read: what a copy has beyond its hits is shorter than the guarantee, and a comment.
const BEYOND_BYTES: u32 = 1 << 10;
/// A window ends so many times as far behind the hits as it begins before them: it begins with a definition anyway.
const MARGIN_SHARE: u32 = 4;

/// A stretch of a document under verification.
pub(super) struct Job<'a> {
    pub(super) part: CodeSubject<'a>,
    pub(super) table: &'a MarkTable,
    pub(super) candidates: &'a Candidates,
    pub(super) place: Place,
    /// The hits in the stretch, ascending by place in the document.
    pub(super) hits: &'a [Hit],
    pub(super) units: &'a KnownUnits,
    pub(super) tokens_min: u32,
    pub(super) work: &'a mut Work,
    pub(super) buffers: &'a mut CodeBuffers,
    /// Evidence of what is hardly a copy.
    pub(super) weak: Vec<u32>,
    /// Whether the deadline passed before a unit was proven.
    pub(super) is_late: bool,
    /// Bytes of the document that were compared.
    pub(super) aligned: Range<u32>,
}

impl Job<'_> {
    /// Aligns the stretch. Returns whether something was left out, and sets `aligned` to the bytes of the document that were read.
    pub(super) fn align(&mut self, copies: &mut Vec<Copy>) -> Result<bool> {
        let segment = &self.part.subject.index.segments()[self.place.segment_idx];
        let record = segment.record(self.place.doc)?;
        if !record.language.is_code() {
            return Ok(false);
        }
        widen(|margin| self.align_within(segment, &record, margin, copies))
    }

    /// Returns the bytes of the document that a copy around the hits could reach.
    fn window(&self, margin: u32) -> Range<u32> {
        let ours = &self.part.prints.lexemes;
        let code_bytes = u32::try_from(self.part.code.len()).unwrap_or(u32::MAX);
        let query_byte = |hit: &Hit| ours.starts[hit.query_word as usize];
        let start = |hit: &Hit| hit.source_byte.saturating_sub(query_byte(hit).min(BEYOND_BYTES));
        let end = |hit: &Hit| hit.source_byte.saturating_add((code_bytes - query_byte(hit)).min(BEYOND_BYTES));
        let first = self.hits.iter().map(start).min().unwrap_or(0);
        let mut last = self.hits.iter().map(end).max().unwrap_or(0);
        let ends = self.hits.first().zip(self.hits.last());
        let hits = ends.map_or(0..0, |(first, last)| first.source_byte..last.source_byte + 1);
        // A unit is proven as a whole.
        last = last.max(self.units.end_in(self.place, &hits).unwrap_or(0));
        first.saturating_sub(margin / MARGIN_SHARE)..last.saturating_add(margin)
    }

    fn align_within(
        &mut self,
        segment: &Segment,
        record: &DocumentRecord,
        margin: u32,
        copies: &mut Vec<Copy>,
    ) -> Result<Region> {
        let (part, hits, range) = (self.part, self.hits, self.window(margin));
        let CodeBuffers { query: prepared, headers, source, seeds, align: scratch, parsers } = &mut *self.buffers;
        let ours = &part.prints.lexemes;
        let query_byte = |hit: &Hit| ours.starts[hit.query_word as usize];
        let is_found =
            source.read(part.subject.index, segment, record, range, &hits.iter().map(|hit| hit.source_byte))?;
        self.aligned = source.bytes_in_document();
        self.work.spend(source.bytes.len());
        let text = segment.as_text(&source.bytes)?;
        source.prepared.prepare(text, source.language, self.table);
        let theirs = &source.prepared;
        let gram = part.subject.index.fingerprinter().recipe().code_gram_lexemes as usize;
        let last_of_gram = u32::try_from(gram - 1).unwrap_or(0);
        seeds.clear();
        for hit in hits {
            let other = hit.source_byte.checked_sub(source.start).and_then(|byte| theirs.at(byte));
            seeds.extend(prepared.at(query_byte(hit)).zip(other));
            // A name's shape looks back over the whole k-gram: that of its last lexeme knows nothing of what stands before it.
            let last = ours.starts.get(hit.query_word as usize + gram - 1).and_then(|&byte| prepared.at(byte));
            seeds.extend(last.zip(other.map(|other| other + last_of_gram)));
        }
        keep_likest(seeds, &prepared.lexemes.hashes, &theirs.lexemes.hashes, gram);
        // Content is compared under the renaming, behind the alignment.
        let (query_view, source_view) = (prepared.view(part.code), theirs.view(text));
        let aligned = align(&query_view, &source_view, seeds, &OPTIONS, |_, _| true, self.work, scratch);
        let n_source = theirs.lexemes.len();
        let is_cut =
            |at: Range<u32>| (at.start == 0 && source.start > 0) || (at.end as usize == n_source && !source.is_doc_end);
        if aligned.alignments.iter().any(|alignment| is_cut(alignment.source_words())) {
            return Ok(Region::TooNarrow);
        }
        let query = prepared.code_view(part.code, part.language);
        let source_code = theirs.code_view(text, source.language);
        for (n, alignment) in aligned.alignments.iter().enumerate() {
            // The first is always compared: 250 of them took 0.2 s.
            if n > 0 && part.subject.is_late() {
                self.is_late = true;
                break;
            }
            let compared = compare_code(&query, &source_code, alignment, &prepared.aliases);
            let Some(mut compared) = compared else { continue };
            let is_exact = matches!(compared.kind, CopyKind::Verbatim | CopyKind::Reformatted);
            let mut proven = None;
            if !is_exact {
                let sides = Sides { query: &query, source: &source_code, source_start: source.start };
                let deadline = part.subject.deadline;
                match self.units.prove(self.place, sides, &mut compared, deadline, parsers, self.work) {
                    Proving::Proven(known, proof) => proven = Some((known, proof)),
                    Proving::Open => {}
                    Proving::Late => self.is_late = true,
                }
            }
            if compared.matched < self.tokens_min {
                continue;
            }
            let evidence = evidence(hits, &prepared.among_all(&compared.query));
            let body = count_body(&query, headers, &compared.query_runs);
            compared.query_runs.iter_mut().for_each(|run| *run = prepared.among_all(run));
            let support = support(part, self.candidates, &compared, &evidence, body);
            if support < SUPPORT_MIN {
                self.weak.extend(evidence);
                continue;
            }
            let is_boilerplate = support <= 0.0 && body <= BOILERPLATE_MAX;
            let views = (&query, &source_code);
            let firsts: Vec<u32> = compared.renames.iter().map(|&(at, _)| query.span(&(at..at + 1)).start).collect();
            let mut copy =
                copy_of(part, self.place, views, source.start, compared, evidence, (support, is_boilerplate))?;
            if let (Some((known, proof)), Some(code)) = (proven, &mut copy.code) {
                let found = firsts.into_iter().zip(std::mem::take(&mut code.renames)).collect();
                code.renames = proof.merge(known, found);
                code.renames.truncate(RENAMES_MAX);
                if !code.renames.is_empty() {
                    copy.kind = CopyKind::Renamed;
                }
            }
            copies.push(copy);
        }
        Ok(Region::Aligned { is_capped: aligned.capped || !is_found })
    }
}

/// Of the seeds of each k-gram of the query, keeps those whose names and literals are most alike: functions of one shape stand side by side, and
/// their alignments are equally good until names are looked at.
fn keep_likest(seeds: &mut Vec<(u32, u32)>, ours: &[u64], theirs: &[u64], gram: usize) {
    let n_same = |&(at, other): &(u32, u32)| {
        let around = gram.min(at as usize).min(other as usize);
        let (at, other) = (at as usize - around, other as usize - around);
        let (ours, theirs) = (ours.get(at..).unwrap_or(&[]), theirs.get(other..).unwrap_or(&[]));
        ours.iter().zip(theirs).take(2 * gram).filter(|(a, b)| a == b).count()
    };
    seeds.sort_unstable();
    let mut kept = Vec::with_capacity(seeds.len());
    for of_gram in seeds.chunk_by(|a, b| a.0 == b.0) {
        let most = of_gram.iter().map(n_same).max().unwrap_or(0);
        kept.extend(of_gram.iter().copied().filter(|seed| of_gram.len() == 1 || n_same(seed) == most));
    }
    *seeds = kept;
}

fn copy_of(
    part: CodeSubject<'_>,
    place: Place,
    (query, source): (&CodeView<'_>, &CodeView<'_>),
    source_start: u32,
    compared: Comparison,
    evidence: Vec<u32>,
    (support, is_boilerplate): (f64, bool),
) -> Result<Copy> {
    let base = u32::try_from(part.start).unwrap_or(u32::MAX);
    let shifted = |span: Span, by: u32| Span::new(span.start + by, span.end + by);
    let source_span = shifted(compared.source_span, source_start);
    let rename = |&(at, other): &(u32, u32)| Rename {
        query: query.spelling(at).to_owned(),
        source: source.spelling(other).to_owned(),
    };
    let renames = compared.renames.iter().take(RENAMES_MAX).map(rename).collect();
    Ok(Copy {
        kind: compared.kind,
        place,
        score: f64::from(compared.matched) / f64::from(compared.length.max(1)),
        matched_words: compared.matched,
        longest_run: compared.longest_run,
        query_runs: compared.query_runs,
        query_span: shifted(compared.query_span, base),
        source_span,
        source_text: SourceText::read(part.subject.index, place, source_span)?,
        evidence,
        lexical: None,
        code: Some(CodeFacts { renames, support, is_boilerplate }),
    })
}
