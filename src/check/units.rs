//! Units of code, functions and classes and loops: which documents have the same one up to a renaming, and the proof.
//!
//! Lexemes already find most copies. Units add what lexemes cannot see: brackets and operands in another order, a shorthand written out, an alias for an import. A unit
//! whose hash an index knows nominates documents; both units are then parsed and their canonical tokens compared, and where they are equal the
//! names that are bound are the exact renaming, binding by binding.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use copytrace_indexer::ids::{DocIdx, Key, OriginKey};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::Lexemes;
use copytrace_indexer::syntax::{BoundName, CHECK_BYTES_MAX, Level, Syntax, Trouble, Unit};

use crate::error::Result;
use crate::query::passages::{Candidate, Candidates, Hit, Place, information_bits};

/// Units that are looked up, longest first: what 1 MiB of code has that is not part of a unit found already.
const UNITS_MAX: usize = 512;
/// Units of which the canonical tokens are kept, to prove that others equal them.
const PROVABLE_UNITS_MAX: usize = 32;
/// Bytes of a source that are parsed for a unit: so many times those of the unit, and comments.
const SOURCE_FACTOR: usize = 3;
/// Bytes for comments.
const SOURCE_MARGIN_BYTES: usize = 2048;

/// A unit of the query that documents have, too.
#[derive(Debug, Clone)]
pub(super) struct KnownUnit {
    pub(super) unit: Unit,
    tokens: Vec<u64>,
    names: Vec<BoundName>,
    /// Distinct known origins of the documents that have it.
    n_origins: u32,
    /// Where it begins in documents, in bytes.
    pub(super) places: BTreeMap<Place, Vec<u32>>,
}

/// The units of a piece of code that an index knows.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownUnits {
    pub(super) units: Vec<KnownUnit>,
    pub(super) trouble: Option<Trouble>,
}

/// Parsers of the query and of sources; made with the first piece of code.
#[derive(Debug, Default)]
pub(super) struct Parsers {
    seed: u64,
    query: Option<Syntax>,
    source: Option<Syntax>,
}

impl Parsers {
    /// Makes them anew where the seed is another.
    fn prepare(&mut self, seed: u64) {
        if self.seed != seed {
            *self = Self { seed, query: None, source: None };
        }
    }
}

/// Looks up the units of a piece of code.
///
/// Cost: 0.1 us a byte for parsing, and a lookup a unit that is not part of one that was found.
pub(super) fn find(
    index: &Index,
    code: &str,
    language: Language,
    deadline: Option<Instant>,
    parsers: &mut Parsers,
) -> Result<KnownUnits> {
    let seed = index.fingerprinter().unit_seed();
    parsers.prepare(seed);
    let syntax = parsers.query.get_or_insert_with(|| Syntax::new(seed));
    // Half of the time is for what the parser finds, and for lexemes, if it finds nothing.
    let now = Instant::now();
    let parse_until = deadline.map(|deadline| now + deadline.saturating_duration_since(now) / 2);
    let mut reading = syntax.read(code, language, CHECK_BYTES_MAX, parse_until);
    let mut order: Vec<(usize, Unit)> = reading.units().iter().copied().enumerate().collect();
    order.sort_by_key(|(_, unit)| (std::cmp::Reverse(unit.n_tokens), unit.start, unit.level));
    order.truncate(UNITS_MAX);
    let mut known = KnownUnits { units: Vec::new(), trouble: reading.trouble() };
    for (idx, unit) in order {
        let is_inside = |other: &KnownUnit| other.unit.start <= unit.start && unit.end <= other.unit.end;
        if known.units.len() >= PROVABLE_UNITS_MAX || known.units.iter().any(is_inside) {
            continue;
        }
        let places = look_up(index, unit.hash)?;
        if places.is_empty() {
            continue;
        }
        let mut tokens = Vec::new();
        reading.canonical_tokens(idx, &mut tokens);
        let names = reading.bound_names(idx);
        let n_origins = count_origins(index, &places)?;
        known.units.push(KnownUnit { unit, tokens, names, n_origins, places });
    }
    Ok(known)
}

fn look_up(index: &Index, hash: u64) -> Result<BTreeMap<Place, Vec<u32>>> {
    let mut places: BTreeMap<Place, Vec<u32>> = BTreeMap::new();
    let mut values = Vec::new();
    for (segment_idx, segment) in index.segments().iter().enumerate() {
        let Some(units) = segment.units() else { continue };
        values.clear();
        units.lookup(Key(hash), &mut values)?;
        for &position in &values {
            let doc: DocIdx = segment.document_at(position)?;
            if !segment.is_removed(doc) {
                let start = segment.record(doc)?.text.start;
                let byte = u32::try_from(position.saturating_sub(start)).unwrap_or(u32::MAX);
                places.entry(Place { segment_idx, doc }).or_default().push(byte);
            }
        }
    }
    Ok(places)
}

fn count_origins(index: &Index, places: &BTreeMap<Place, Vec<u32>>) -> Result<u32> {
    let mut origins = BTreeSet::new();
    for place in places.keys() {
        origins.insert(index.segments()[place.segment_idx].record(place.doc)?.origin);
    }
    origins.remove(&OriginKey::UNKNOWN);
    Ok(u32::try_from(origins.len()).unwrap_or(u32::MAX))
}

impl KnownUnits {
    /// Adds the documents that have a unit to the candidates, with a hit where it begins.
    pub(super) fn nominate(&self, index: &Index, lexemes: &Lexemes, gram_lexemes: u32, candidates: &mut Candidates) {
        let documents = &mut candidates.documents;
        let mut idx_of: BTreeMap<Place, usize> =
            documents.iter().enumerate().map(|(idx, candidate)| (candidate.place, idx)).collect();
        for known in &self.units {
            let Ok(at) = lexemes.starts.binary_search(&known.unit.start) else { continue };
            let query_word = u32::try_from(at).unwrap_or(u32::MAX);
            let Some(gram) = candidates.grams.get_mut(at) else { continue };
            let n_docs = u32::try_from(known.places.len()).unwrap_or(u32::MAX);
            // A k-gram that was not sampled stands in at least as many documents as the unit that begins with it.
            gram.n_docs = gram.n_docs.max(n_docs);
            gram.n_origins = gram.n_origins.max(known.n_origins);
            let bits = information_bits(index.n_docs(), n_docs) * f64::from(known.unit.n_tokens / gram_lexemes.max(1));
            for (&place, bytes) in &known.places {
                let idx = *idx_of.entry(place).or_insert_with(|| {
                    documents.push(Candidate { place, bits: 0.0, hits: Vec::new(), words: Vec::new() });
                    documents.len() - 1
                });
                let candidate = &mut documents[idx];
                candidate.bits = candidate.bits.max(bits);
                candidate.hits.extend(bytes.iter().map(|&source_byte| Hit { query_word, source_byte }));
            }
        }
        for &idx in self.units.iter().flat_map(|known| known.places.keys()).filter_map(|place| idx_of.get(place)) {
            let hits = &mut documents[idx].hits;
            hits.sort_unstable_by_key(|hit| (hit.source_byte, hit.query_word));
            hits.dedup();
        }
        candidates.documents.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.place.cmp(&b.place)));
    }

    /// Tells whether a document has one of them.
    pub(super) fn has(&self, place: Place) -> bool {
        self.units.iter().any(|known| known.places.contains_key(&place))
    }

    /// Returns the longest unit that a document has at a place within `bytes`, with where it begins.
    pub(super) fn longest(&self, place: Place, bytes: std::ops::Range<u32>) -> Option<(&KnownUnit, u32)> {
        self.units.iter().find_map(|known| {
            let starts = known.places.get(&place)?;
            Some((known, *starts.iter().find(|start| bytes.contains(start))?))
        })
    }
}

/// A unit of a source that was compared with one of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) level: Level,
    /// Where it ends in the stretch that was parsed, in bytes.
    pub(super) source_end: u32,
    /// Names of the query and of the source, where they differ.
    pub(super) renames: Vec<(String, String)>,
}

impl KnownUnit {
    /// Tells whether a name is one that the unit binds. A second name that it gives one of them (`a = self`) is not.
    pub(super) fn binds(&self, name: &str) -> bool {
        self.names.iter().any(|bound| bound.name == name)
    }
}

/// Parses the unit that a stretch of a source begins with, and compares it with one of the query; none where they differ.
pub(super) fn prove(
    known: &KnownUnit,
    source: &str,
    language: Language,
    deadline: Option<Instant>,
    parsers: &mut Parsers,
) -> Option<Proof> {
    let length = (known.unit.end - known.unit.start) as usize;
    let end = source.floor_char_boundary(SOURCE_FACTOR * length + SOURCE_MARGIN_BYTES);
    let seed = parsers.seed;
    let syntax = parsers.source.get_or_insert_with(|| Syntax::new(seed));
    let mut reading = syntax.read(&source[..end], language, CHECK_BYTES_MAX, deadline);
    let is_it = |unit: &Unit| unit.start == 0 && unit.level == known.unit.level && unit.hash == known.unit.hash;
    let idx = reading.units().iter().position(is_it)?;
    let unit = reading.units()[idx];
    let mut tokens = Vec::new();
    reading.canonical_tokens(idx, &mut tokens);
    if tokens != known.tokens {
        return None;
    }
    let names = reading.bound_names(idx);
    let pairs = known.names.iter().zip(&names);
    let changed = pairs.filter(|(ours, theirs)| ours.name != theirs.name);
    let mut renames: Vec<(String, String)> = Vec::new();
    for (ours, theirs) in changed {
        let pair = (ours.name.clone(), theirs.name.clone());
        if !renames.contains(&pair) {
            renames.push(pair);
        }
    }
    Some(Proof { level: unit.level, source_end: unit.end, renames })
}
