//! Documents that as a whole are nearly the part, whatever their names are called.

use copytrace_indexer::lexemes::Lexemes;
use copytrace_indexer::limits::LEXED_BYTES_MAX;
use copytrace_indexer::span::Span;

use super::super::answer::CodeFacts;
use super::super::passages::{Copy, SourceText, Subject, Verified};
use super::super::whole::near_duplicate;
use super::{CodeSubject, WHOLE_SHARE};
use crate::error::Result;
use crate::query::documents::WholeDocuments;
use crate::query::prints::CodePrints;
use crate::verify::kind::CopyKind;
use crate::verify::overlap::jaccard;
use crate::verify::work::Work;

/// Similar documents that are read, those with most common bands first: at 100 us each.
pub(in super::super) const SIMILAR_DOCS_MAX: usize = 32;
/// Different k-grams that a part has at least for its similarity to documents to say something: strangers' small files are all alike.
const SIMILAR_GRAMS_MIN: usize = 48;
/// Support for a document that is nearly the same as a whole.
const SIMILAR_SUPPORT: f64 = 10.0;

/// Finds them, and puts them in the place of edited copies.
pub(in super::super) fn verify_similar(
    part: CodeSubject<'_>,
    candidates: &WholeDocuments,
    jaccard_min: f64,
    verified: &mut Verified,
    work: &mut Work,
) -> Result<()> {
    let CodeSubject { subject: Subject { index, .. }, prints, .. } = part;
    let part_bytes = f64::from(u32::try_from(part.code.len()).unwrap_or(u32::MAX));
    if prints.shingles.len() < SIMILAR_GRAMS_MIN {
        return Ok(());
    }
    let (mut bytes, mut theirs) = (Vec::new(), CodePrints::default());
    for &place in candidates.similar.iter().take(SIMILAR_DOCS_MAX) {
        if part.subject.is_late() || work.is_spent() {
            verified.is_late |= part.subject.is_late();
            verified.is_overfull |= work.is_spent();
            return Ok(());
        }
        let is_known = |copy: &Copy| {
            let span = copy.query_span;
            copy.place == place
                && copy.kind != CopyKind::Edited
                && f64::from(span.end - span.start) >= WHOLE_SHARE * part_bytes
        };
        let segment = &index.segments()[place.segment_idx];
        let record = segment.record(place.doc)?;
        let doc_bytes = usize::try_from(record.text.end - record.text.start).unwrap_or(usize::MAX);
        if !record.language.is_code() || doc_bytes > LEXED_BYTES_MAX || verified.copies.iter().any(is_known) {
            continue;
        }
        segment.read_text(record.text.clone(), &mut bytes)?;
        work.spend(bytes.len());
        let text = segment.as_text(&bytes)?;
        theirs.compute(index.fingerprinter(), text, record.language);
        let similarity = jaccard(&prints.shingles, &theirs.shingles);
        if similarity < jaccard_min {
            continue;
        }
        let is_part_of_it = |copy: &mut Copy| copy.place == place && copy.kind == CopyKind::Edited;
        let edited: Vec<Copy> = verified.copies.extract_if(.., is_part_of_it).collect();
        let whole = |lexemes: &Lexemes, start: usize| {
            let start = u32::try_from(start).unwrap_or(u32::MAX);
            let ends = lexemes.starts.first().zip(lexemes.ends.last());
            ends.map_or(Span::new(start, start), |(first, last)| Span::new(start + first, start + last))
        };
        let source_span = whole(&theirs.lexemes, 0);
        let source = (source_span, SourceText::read(index, place, source_span)?);
        let whole_span = whole(&prints.lexemes, part.start);
        let others = verified.copies.iter().filter(|copy| copy.place == place);
        let parts: Vec<Copy> = edited.iter().chain(others).cloned().collect();
        let mut copy = near_duplicate(place, similarity, whole_span, source, &parts);
        if copy.query_runs.is_empty() {
            // Too scattered to be aligned: all that is known is how much of it is the same.
            let n_lexemes = u32::try_from(prints.lexemes.len()).unwrap_or(u32::MAX);
            copy.query_runs.push(0..n_lexemes);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
            let n_same = (f64::from(n_lexemes) * similarity) as u32;
            copy.matched_words = n_same;
        }
        let renames = edited.into_iter().find_map(|copy| copy.code).map(|code| code.renames).unwrap_or_default();
        // Four fifths of so many k-grams are no coincidence.
        copy.code = Some(CodeFacts { renames, support: SIMILAR_SUPPORT, is_boilerplate: false });
        verified.copies.push(copy);
    }
    Ok(())
}
