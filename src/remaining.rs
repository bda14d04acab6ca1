//! What still holds a text that was removed: documents with the same words, and documents with a large part of them.
//!
//! A copy of a document under another id is not removed with it. So every removal tells, of each removed document and within stated
//! bounds, which others hold its text. Copies are found as those of any text ([`crate::check`]) and verified on stored text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use copytrace_indexer::corpus::Document;
use copytrace_indexer::ids::{DocIdx, Key};
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::normalise::{Words, normal_form};
use copytrace_indexer::pipeline::BuildProgress;
use serde::Serialize;

use crate::check::answer::{DocumentRef, Match};
use crate::check::engine::Engine;
use crate::check::policy::Policy;
use crate::check::{Checker as _, Request, TEXT_BYTES_MAX};
use crate::error::Result;
use crate::verify::kind::CopyKind;

/// Removed documents whose text is looked for unless told otherwise: a check each.
pub const COMPARED_MAX: usize = 1000;
/// Time for one removed document: thousands of times what an ordinary one needs, so that only what was made to take long is cut.
const COMPARE_TIME: Duration = Duration::from_secs(1);
/// Least share of a removed document's words that makes a part of it large.
const SHARE_MIN: f64 = 0.2;
/// Words that are a large part of any document.
const WORDS_LARGE: u32 = 100;
/// Least words of a part, however large its share: what the index guarantees to find.
const WORDS_MIN: u32 = 25;

/// Which documents hold removed texts, and how far that was looked into.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remaining {
    /// Removed documents whose texts were looked for.
    pub compared: u64,
    /// Removed documents whose texts were not: more than the bound.
    pub not_compared: u64,
    /// What was not looked at of those that were, each reason once; empty where nothing was left out.
    pub incomplete: Vec<String>,
    /// What was found, in the order of the removed documents; the largest part first.
    pub documents: Vec<RemainingDocument>,
}

/// A document that holds a removed one's text, or a large part of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemainingDocument {
    /// Id of the removed document.
    pub removed_id: String,
    /// The document that remains.
    pub document: DocumentRef,
    /// Whether it has the same words in the same order, and no others.
    pub same_words: bool,
    /// Words of the removed document that it holds.
    pub matched_tokens: u32,
    /// Their share of the removed document's words, 0..=1; for near-duplicates their similarity.
    pub share: f64,
}

/// Looks for the texts of removed documents in what remains of an index.
///
/// `index` is a snapshot from before the removal or from after it: stored text goes with the next merge only. The first `compared_max`
/// documents are looked for, of each the first [`TEXT_BYTES_MAX`] bytes, for a second at most, and the 50 best copies are listed.
/// Passages that are common (see the policy) are passed over. `progress` counts the documents that were looked for.
pub fn find(
    name: &str,
    index: &Index,
    removed: &[(usize, DocIdx)],
    compared_max: usize,
    progress: &BuildProgress,
) -> Result<Remaining> {
    let after = index.without(removed);
    let engine = Engine::new([(name.to_owned(), after.clone())], Policy::default_policy());
    let (compared, rest) = removed.split_at(removed.len().min(compared_max));
    let mut remaining =
        Remaining { compared: compared.len() as u64, not_compared: rest.len() as u64, ..Remaining::default() };
    let mut incomplete = BTreeSet::new();
    for &(segment_idx, doc) in compared {
        let document = index.segments()[segment_idx].document(doc)?;
        let mut found = find_equal(name, &after, &document, &mut incomplete)?;
        let n_words = index.segments()[segment_idx].record(doc)?.n_words;
        for part in find_parts(&engine, &document, n_words, &mut incomplete)? {
            found.entry(part.document.id.clone()).or_insert(part);
        }
        let mut found: Vec<RemainingDocument> = found.into_values().collect();
        found.sort_by(|a, b| {
            b.same_words.cmp(&a.same_words).then(b.share.total_cmp(&a.share)).then_with(|| a.document.cmp(&b.document))
        });
        remaining.documents.extend(found);
        progress.documents.fetch_add(1, Ordering::Relaxed);
        progress.text_bytes.fetch_add(document.text.len() as u64, Ordering::Relaxed);
    }
    remaining.incomplete = incomplete.into_iter().collect();
    Ok(remaining)
}

/// Finds the documents whose words are the same, by id.
fn find_equal(
    name: &str,
    index: &Index,
    document: &Document,
    incomplete: &mut BTreeSet<String>,
) -> Result<BTreeMap<String, RemainingDocument>> {
    let mut found = BTreeMap::new();
    let mut words = Words::default();
    index.fingerprinter().words(&document.text, &mut words);
    if words.is_empty() {
        return Ok(found);
    }
    let own = normal_form(&document.text);
    let key = Key(index.fingerprinter().normal_form_key(&words));
    for segment in index.segments() {
        let mut values = Vec::new();
        let stored = segment.exact().lookup(key, &mut values)?;
        if stored.capped.is_some() {
            incomplete.insert("a text stands in more documents than are kept of one; those kept are listed".to_owned());
        }
        for doc in values.into_iter().filter_map(|value| u32::try_from(value).ok()).map(DocIdx) {
            if let Some(other) = living(segment, doc)?
                && own == normal_form(&other.text)
            {
                let (id, attributes) = (other.id, other.attributes);
                let remaining = RemainingDocument {
                    removed_id: document.id.clone(),
                    document: DocumentRef::new(id.clone(), attributes, name.to_owned()),
                    same_words: true,
                    matched_tokens: u32::try_from(words.len()).unwrap_or(u32::MAX),
                    share: 1.0,
                };
                found.insert(id, remaining);
            }
        }
    }
    Ok(found)
}

fn living(segment: &Segment, doc: DocIdx) -> Result<Option<Document>> {
    Ok(if segment.is_removed(doc) { None } else { Some(segment.document(doc)?) })
}

/// Finds the documents that hold a large part of a text.
fn find_parts(
    engine: &Engine,
    document: &Document,
    n_words: u32,
    incomplete: &mut BTreeSet<String>,
) -> Result<Vec<RemainingDocument>> {
    let mut text = document.text.as_str();
    if text.len() > TEXT_BYTES_MAX {
        text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        incomplete.insert(format!("of a text longer than {TEXT_BYTES_MAX} bytes the rest was not looked for"));
    }
    let request = Request { deadline: Some(Instant::now() + COMPARE_TIME), ..Request::new(document.id.as_str(), text) };
    let answer = engine.check(&request)?;
    incomplete.extend(answer.degraded);
    let mut by_id: BTreeMap<String, Vec<Match>> = BTreeMap::new();
    for found in answer.matches.into_iter().filter(|found| !found.common) {
        by_id.entry(found.document.id.clone()).or_default().push(found);
    }
    let parts = by_id.into_values().filter_map(|matches| {
        let matched_tokens = covered_words(&matches);
        let similarity = matches.iter().filter(|found| found.kind == CopyKind::NearDuplicate).map(|found| found.score);
        let share = similarity.fold((f64::from(matched_tokens) / f64::from(n_words.max(1))).min(1.0), f64::max);
        let is_near = matches.iter().any(|found| found.kind == CopyKind::NearDuplicate);
        let is_large = matched_tokens >= WORDS_MIN && (share >= SHARE_MIN || matched_tokens >= WORDS_LARGE);
        let first = matches.into_iter().next()?;
        (is_near || is_large).then(|| RemainingDocument {
            removed_id: document.id.clone(),
            document: first.document,
            same_words: false,
            matched_tokens,
            share,
        })
    });
    Ok(parts.collect())
}

/// Counts the words of one document's copies, those first that hold the most; one that lies inside what was counted is the same words again.
fn covered_words(matches: &[Match]) -> u32 {
    let mut matches: Vec<&Match> = matches.iter().collect();
    matches.sort_by_key(|found| (std::cmp::Reverse(found.matched_tokens), found.query_span.start_byte));
    let mut covered: Vec<(u32, u32)> = Vec::new();
    let mut n_words: u32 = 0;
    for found in matches {
        let (start, end) = (found.query_span.start_byte, found.query_span.end_byte);
        if covered.iter().all(|&(from, to)| end <= from || to <= start) {
            covered.push((start, end));
            n_words = n_words.saturating_add(found.matched_tokens);
        }
    }
    n_words
}
