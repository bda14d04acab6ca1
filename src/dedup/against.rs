//! `--against`: rows that are equal or similar to documents of an index go, and name those documents.
//!
//! Looked up while rows are signed: new data costs what it costs, however large the index is. Candidates share a band or the normal form; what is proven is
//! the same as among rows: equal bytes, or the exact Jaccard index of the sets of shingles. A row that goes is a candidate of no other.
//!
//! Cost: 33 look-ups a row and segment, and 30 us for every candidate that is read: the first alike ones and three more.

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::DiskStorage;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::{Error, Result};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::group::Overlap;
use super::recipe::{Against, Pass};
use crate::query::documents::find_keys;
use crate::query::passages::Place;
use crate::verify::overlap::{count_shared, sort_distinct};

/// Candidates that are read, those with the most common bands first; a document at Jaccard 0.8 shares 5 of 32, a stranger at 0.5 seldom one.
const CANDIDATES_MAX: usize = 128;

/// Candidates looked at for one still more alike, once enough are: those with the most common bands were looked at first, and a page that the index has a
/// thousand times costs what one costs that it has once.
const BETTER_MAX: u32 = 3;

/// A row that goes for a document of the index, as stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct AgainstEntry {
    /// Number of the row within its unit.
    pub(super) row: U32,
    /// 1 where the texts are equal.
    pub(super) is_equal: U32,
    pub(super) jaccard: U64,
    pub(super) containment: U64,
    /// Where the document's id begins in the file of ids.
    pub(super) id_start: U64,
    pub(super) id_bytes: U32,
    pub(super) reserved: U32,
}

/// A document that a row goes for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hit {
    pub(super) id: String,
    pub(super) is_equal: bool,
    pub(super) overlap: Overlap,
}

/// Opens the index that a pass is against.
///
/// # Errors
/// Where there is none, or it changed since the pass began.
pub(super) fn open(pass: &Pass, seed: u64) -> Result<Option<Index>> {
    let Some(Against { index, generation }) = &pass.rules.against else { return Ok(None) };
    let opened = Index::open(&DiskStorage::new(index), seed)?;
    if opened.generation().0 == *generation {
        return Ok(Some(opened));
    }
    let (what, expected, found) = ("generation", generation.to_string(), opened.generation().to_string());
    Err(Error::Incompatible { path: index.clone(), what, expected, found })
}

/// A row that is looked up.
pub(super) struct Wanted<'a> {
    pub(super) text: &'a str,
    pub(super) normal_form: Option<u64>,
    pub(super) bands: &'a [u64],
    /// Its shingles, in any order.
    pub(super) shingles: &'a [u64],
    pub(super) threshold: f64,
    /// So many documents must be like it.
    pub(super) keep: u32,
    /// Whether equal words are enough for texts to be equal.
    pub(super) normal_is_equal: bool,
}

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Buffers {
    bytes: Vec<u8>,
    words: Words,
    shingles: Vec<u64>,
}

/// Returns the document that a row goes for, of several the best of the first.
pub(super) fn find(index: &Index, wanted: &Wanted<'_>, buffers: &mut Buffers) -> Result<Option<Hit>> {
    let found = find_keys(index, wanted.normal_form, wanted.bands).map_err(|error| match error {
        crate::Error::Index(error) => error,
        other => Error::Internal { component: "index", problem: other.to_string() },
    })?;
    if found.exact.is_empty() && found.similar.is_empty() {
        return Ok(None);
    }
    let mut own = wanted.shingles.to_vec();
    sort_distinct(&mut own);
    let places = found.exact;
    // Equal bytes are of equal length: those first.
    let mut of_length = Vec::with_capacity(places.len());
    for place in places {
        let text = index.segments()[place.segment_idx].record(place.doc)?.text;
        of_length.push((text.end - text.start != wanted.text.len() as u64, place));
    }
    of_length.sort_by_key(|&(is_other, _)| is_other);
    let mut places: Vec<Place> = of_length.into_iter().map(|(_, place)| place).take(CANDIDATES_MAX).collect();
    let similar = found.similar.into_iter().filter(|place| !places.contains(place)).collect::<Vec<_>>();
    places.extend(similar.into_iter().take(CANDIDATES_MAX));
    let (mut best, mut n_alike, mut n_further): (Option<(Place, bool, Overlap)>, u32, u32) = (None, 0, 0);
    for place in places {
        n_further += u32::from(n_alike >= wanted.keep);
        if n_further > BETTER_MAX {
            break;
        }
        let Some((is_equal, overlap)) = compare(index, place, wanted, &own, buffers)? else { continue };
        n_alike += 1;
        let is_better = best
            .as_ref()
            .is_none_or(|(_, known_equal, known)| (is_equal, overlap.jaccard) > (*known_equal, known.jaccard));
        if is_better {
            best = Some((place, is_equal, overlap));
        }
        if n_alike >= wanted.keep && is_equal {
            break;
        }
    }
    let Some((place, is_equal, overlap)) = best.filter(|_| n_alike >= wanted.keep) else { return Ok(None) };
    let (id, _) = index.segments()[place.segment_idx].attributes(place.doc)?;
    Ok(Some(Hit { id, is_equal, overlap }))
}

fn compare(
    index: &Index,
    place: Place,
    wanted: &Wanted<'_>,
    own: &[u64],
    buffers: &mut Buffers,
) -> Result<Option<(bool, Overlap)>> {
    let segment = &index.segments()[place.segment_idx];
    let record = segment.record(place.doc)?;
    // A document has no more shingles than words.
    if f64::from(record.n_words) < wanted.threshold * own.len() as f64 {
        return Ok(None);
    }
    buffers.bytes.clear();
    segment.read_text(record.text, &mut buffers.bytes)?;
    let text = segment.as_text(&buffers.bytes)?;
    if text == wanted.text {
        return Ok(Some((true, Overlap::EQUAL)));
    }
    if own.is_empty() && !wanted.normal_is_equal {
        return Ok(None);
    }
    index.fingerprinter().words(text, &mut buffers.words);
    if own.is_empty() {
        let is_equal = wanted.normal_form == Some(index.fingerprinter().normal_form_key(&buffers.words));
        return Ok(is_equal.then_some((true, Overlap::EQUAL)));
    }
    index.fingerprinter().shingles(&buffers.words, &mut buffers.shingles);
    sort_distinct(&mut buffers.shingles);
    let n_shared = count_shared(own, &buffers.shingles);
    let jaccard = n_shared as f64 / (own.len() + buffers.shingles.len() - n_shared) as f64;
    let overlap = Overlap { jaccard, containment: n_shared as f64 / own.len() as f64, is_code: false };
    Ok((jaccard >= wanted.threshold).then_some((false, overlap)))
}
