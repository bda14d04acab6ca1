//! Whole-document candidates become copies: texts that are the same in normal form, and near-duplicates by exact Jaccard similarity.

use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::normalise::{Words, is_same_word};
use copytrace_indexer::span::Span;

use super::passages::{Buffers, Copy, LexicalEvidence, SourceText, Subject, view};
use crate::error::Result;
use crate::query::documents::WholeDocuments;
use crate::query::passages::{Candidates, Place};
use crate::verify::align::align;
use crate::verify::alignment::{AlignOptions, Alignment};
use crate::verify::kind::CopyKind;
use crate::verify::overlap::jaccard;

/// Documents with the same normal form that are read; one proves it, and more are other sources of the same.
const EXACT_DOCS_MAX: usize = 4;
/// Near-duplicate candidates that are read, those with the most common bands first: at 30 us each, 4 ms. A document at Jaccard 0.9 shares 14 of
/// 32 bands; of strangers at 0.5, one in eight shares one.
pub(super) const SIMILAR_DOCS_MAX: usize = 128;
/// Share of the text's words that a word-for-word copy covers so that "near-duplicate" would say less than is known.
const WHOLE_SHARE: f64 = 0.9;

/// Finds documents that are the text itself, by one alignment each: before any passage, so that no time runs out on them, and also where
/// the text is too short for a k-gram.
pub(super) fn verify_exact(
    subject: Subject<'_>,
    candidates: &WholeDocuments,
    passages: &Candidates,
    words_min: u32,
    buffers: &mut Buffers,
) -> Result<Vec<Copy>> {
    let prints = subject.prints;
    if !prints.grams.is_empty() && prints.words.len() < words_min as usize {
        return Ok(Vec::new());
    }
    let evidence = |place: &Place| passages.documents.iter().find(|passage| passage.place == *place);
    let mut exact: Vec<(Place, Vec<u32>)> =
        candidates.exact.iter().filter_map(|place| Some((*place, evidence(place)?.words.clone()))).collect();
    if exact.is_empty() {
        // None of them is among the passages' candidates: other documents fill the lists of their k-grams. They have every k-gram nevertheless.
        let known = passages.grams.iter().zip(0..).filter(|(gram, _)| gram.n_docs > 0).map(|(_, word)| word);
        let known: Vec<u32> = known.collect();
        exact.extend(candidates.exact.iter().take(EXACT_DOCS_MAX).map(|&place| (place, known.clone())));
    }
    let mut copies = Vec::new();
    for (place, evidence) in exact.into_iter().take(EXACT_DOCS_MAX) {
        copies.extend(whole_copy(subject, place, evidence, buffers)?);
    }
    Ok(copies)
}

/// A copy of one run of all words of both texts, if they are the same.
fn whole_copy(subject: Subject<'_>, place: Place, evidence: Vec<u32>, buffers: &mut Buffers) -> Result<Option<Copy>> {
    let Subject { index, text, prints, .. } = subject;
    let n_words = prints.words.len();
    if index.segments()[place.segment_idx].record(place.doc)?.n_words as usize != n_words {
        return Ok(None);
    }
    let Buffers { bytes, words, align: scratch, work, .. } = buffers;
    let source_text = read_document(index, place, bytes, words)?;
    work.spend(source_text.len());
    let (query, source) = (view(text, &prints.words), view(source_text, words));
    // However short: every word of both texts must be the same.
    let options = AlignOptions { guaranteed_words: 1, ..AlignOptions::default() };
    let aligned = align(&query, &source, &[(0, 0)], &options, is_same_word, work, scratch);
    let is_whole = |alignment: &&Alignment| alignment.longest_run() as usize == n_words && words.len() == n_words;
    let whole = aligned.alignments.iter().find(is_whole);
    whole.map(|whole| Copy::of(index, place, &query, &source, 0, whole, evidence)).transpose()
}

/// What the comparison of whole documents left out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) is_late: bool,
    pub(super) is_capped: bool,
}

/// Finds near-duplicates of the text and puts them in the place of edited copies of the same document.
pub(super) fn verify_similar(
    subject: Subject<'_>,
    candidates: &WholeDocuments,
    jaccard_min: f64,
    copies: &mut Vec<Copy>,
    buffers: &mut Buffers,
) -> Result<Outcome> {
    let Subject { index, text, prints, .. } = subject;
    let n_shingles = prints.shingles.len();
    let mut outcome = Outcome::default();
    for &place in candidates.similar.iter().take(SIMILAR_DOCS_MAX) {
        outcome.is_late = subject.is_late();
        outcome.is_capped |= buffers.work.is_spent();
        if outcome.is_late || buffers.work.is_spent() {
            break;
        }
        if copies.iter().any(|copy| copy.place == place && is_whole_and_equal(copy, prints.words.len())) {
            continue;
        }
        let record = index.segments()[place.segment_idx].record(place.doc)?;
        // A document has no more shingles than words, so that the similarity is at most n_words / n_shingles.
        if f64::from(record.n_words) < jaccard_min * n_shingles as f64 {
            continue;
        }
        let Buffers { bytes, words: source_words, seeds, align: scratch, work } = &mut *buffers;
        let source_text = read_document(index, place, bytes, source_words)?;
        work.spend(source_text.len());
        let mut shingles = Vec::new();
        index.fingerprinter().shingles(source_words, &mut shingles);
        shingles.sort_unstable();
        shingles.dedup();
        let similarity = jaccard(&prints.shingles, &shingles);
        if similarity < jaccard_min {
            continue;
        }
        let query_span = whole_span(text, &prints.words);
        let source_span = whole_span(source_text, source_words);
        let mut edited: Vec<Copy> =
            copies.extract_if(.., |copy| copy.place == place && copy.kind == CopyKind::Edited).collect();
        if index.segments()[place.segment_idx].anchors().is_none() {
            // An index for deduplication knows no passages: what the document shares is aligned here.
            push_shared_shingles(index.fingerprinter(), &prints.words, source_words, seeds);
            let (query, source) = (view(text, &prints.words), view(source_text, source_words));
            let options = AlignOptions::default();
            let aligned = align(&query, &source, seeds, &options, is_same_word, work, scratch);
            outcome.is_capped |= aligned.capped;
            for alignment in &aligned.alignments {
                edited.push(Copy::of(index, place, &query, &source, 0, alignment, Vec::new())?);
            }
        }
        let source = (source_span, SourceText::read(index, place, source_span)?);
        copies.push(near_duplicate(place, similarity, query_span, source, &edited));
    }
    Ok(outcome)
}

/// Sets `seeds` to the places of the shingles that stand in both texts and once in the document.
fn push_shared_shingles(fingerprinter: &Fingerprinter, query: &Words, source: &Words, seeds: &mut Vec<(u32, u32)>) {
    let shingles = |words: &Words| {
        let mut shingles = Vec::new();
        fingerprinter.shingles(words, &mut shingles);
        shingles
    };
    let mut places: Vec<(u64, u32)> = shingles(source).into_iter().zip(0..).collect();
    places.sort_unstable();
    seeds.clear();
    for (shingle, word) in shingles(query).into_iter().zip(0..) {
        let first = places.partition_point(|place| place.0 < shingle);
        match &places[first..] {
            [(found, _), (next, _), ..] if *found == shingle && *next == shingle => {}
            [(found, at), ..] if *found == shingle => seeds.push((word, *at)),
            _ => {}
        }
    }
}

fn is_whole_and_equal(copy: &Copy, n_words: usize) -> bool {
    let is_equal = matches!(copy.kind, CopyKind::Verbatim | CopyKind::Reformatted);
    is_equal && f64::from(copy.matched_words) >= WHOLE_SHARE * n_words as f64
}

/// A near-duplicate knows of its words and evidence what the edited copies inside it know; a word that two of them match counts once.
pub(super) fn near_duplicate(
    place: Place,
    similarity: f64,
    query_span: Span,
    (source_span, source_text): (Span, SourceText),
    edited: &[Copy],
) -> Copy {
    let mut query_runs: Vec<_> = edited.iter().flat_map(|copy| copy.query_runs.iter().cloned()).collect();
    query_runs.sort_unstable_by_key(|run| (run.start, run.end));
    let mut end = 0;
    query_runs.retain_mut(|run| {
        run.start = run.start.max(end);
        end = end.max(run.end);
        run.start < run.end
    });
    let mut evidence: Vec<u32> = edited.iter().flat_map(|copy| copy.evidence.iter().copied()).collect();
    evidence.sort_unstable();
    evidence.dedup();
    Copy {
        kind: CopyKind::NearDuplicate,
        place,
        score: similarity,
        matched_words: query_runs.iter().map(|run| run.end - run.start).sum(),
        longest_run: edited.iter().map(|copy| copy.longest_run).max().unwrap_or(0),
        query_runs,
        query_span,
        source_span,
        source_text,
        evidence,
        lexical: edited.iter().filter_map(|copy| copy.lexical).reduce(LexicalEvidence::and),
        code: None,
    }
}

fn whole_span(text: &str, words: &Words) -> Span {
    debug_assert!(words.ends.last().is_none_or(|&end| end as usize <= text.len()), "words lie in their text");
    Span::new(words.starts.first().copied().unwrap_or(0), words.ends.last().copied().unwrap_or(0))
}

/// Reads a whole document and its words.
fn read_document<'a>(index: &Index, place: Place, bytes: &'a mut Vec<u8>, words: &mut Words) -> Result<&'a str> {
    let segment = &index.segments()[place.segment_idx];
    let record = segment.record(place.doc)?;
    segment.read_text(record.text, bytes)?;
    let text = segment.as_text(bytes)?;
    index.fingerprinter().words(text, words);
    Ok(text)
}
