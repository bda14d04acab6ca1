//! Whole-document candidates: documents that share LSH bands or the normal form with a text.
//!
//! Of a key that more than 64 documents share 64 are known: a text that is nearly equal to hundreds of documents is found through those.

use std::collections::BTreeMap;

use copytrace_indexer::ids::{DocIdx, Key};
use copytrace_indexer::index::snapshot::Index;

use super::passages::Place;
use super::prints::{CodePrints, Prints};
use crate::error::Result;

/// Bands that a document at Jaccard similarity 0.8 shares, or more, in four cases of five: binomial with 32 bands at 0.8^8.
pub const LIKELY_BANDS: u32 = 4;

/// Whole-document candidates of a text in one index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WholeDocuments {
    /// Documents whose words have the same hash, ascending by place.
    pub exact: Vec<Place>,
    /// Documents that share a band, those with the most bands first, then by place.
    pub similar: Vec<Place>,
    /// How many of them share [`LIKELY_BANDS`] bands or more.
    pub n_likely: usize,
}

/// Looks up the normal form and all bands of a text.
///
/// Cost: 33 lookups a segment (7 us warm).
pub fn find(index: &Index, prints: &Prints) -> Result<WholeDocuments> {
    find_keys(index, prints.exact, &prints.bands)
}

/// Looks up all bands of a piece of code; no document is known by the exact hash of its lexemes.
///
/// Cost: 32 lookups a segment.
pub fn find_code(index: &Index, prints: &CodePrints) -> Result<WholeDocuments> {
    find_keys(index, None, &prints.bands)
}

/// Looks up the key of a normal form and keys of bands.
///
/// Cost: one lookup a key and segment.
pub fn find_keys(index: &Index, exact: Option<u64>, band_keys: &[u64]) -> Result<WholeDocuments> {
    let mut found = WholeDocuments::default();
    let mut bands: BTreeMap<Place, u32> = BTreeMap::new();
    let mut values = Vec::new();
    for (segment_idx, segment) in index.segments().iter().enumerate() {
        let live = |value: u64| {
            let doc = DocIdx(u32::try_from(value).unwrap_or(u32::MAX));
            (!segment.is_removed(doc)).then_some(Place { segment_idx, doc })
        };
        for &key in band_keys.iter().filter(|_| index.is_prefetching()) {
            segment.bands().prefetch(Key(key))?;
        }
        if let Some(key) = exact {
            values.clear();
            segment.exact().lookup(Key(key), &mut values)?;
            found.exact.extend(values.iter().copied().filter_map(live));
        }
        for &key in band_keys {
            values.clear();
            segment.bands().lookup(Key(key), &mut values)?;
            for place in values.iter().copied().filter_map(live) {
                *bands.entry(place).or_insert(0) += 1;
            }
        }
    }
    let mut ranked: Vec<(u32, Place)> = bands.into_iter().map(|(place, n_bands)| (n_bands, place)).collect();
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.n_likely = ranked.iter().filter(|(n_bands, _)| *n_bands >= LIKELY_BANDS).count();
    found.similar = ranked.into_iter().map(|(_, place)| place).collect();
    Ok(found)
}
