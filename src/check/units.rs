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

use super::answer::Rename;
use crate::error::Result;
use crate::query::passages::{Candidate, Candidates, Hit, Place, information_bits};
use crate::verify::code::Comparison;
use crate::verify::code_view::CodeView;
use crate::verify::work::Work;

/// Units that are looked up, longest first, at 0.5 us each and segment: the longest code that is parsed has one in 64 bytes.
const UNITS_MAX: usize = 4096;
/// Units that are nominated and proven; none is part of another.
const KNOWN_UNITS_MAX: usize = 512;
/// Lookups between two glances at the clock.
const LOOKUPS_PER_GLANCE: usize = 256;
/// Pairs of a unit of the query and one of a source that are compared for one copy: the longest unit at the nearest place is nearly always
/// the one.
const PROOFS_MAX: usize = 4;
/// Comparisons for which a parsed byte is taken: 100 ns.
const WORK_PER_PARSED_BYTE: usize = 64;
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
    found: Found,
}

/// Where a unit stands.
#[derive(Debug, Clone, Default)]
struct Found {
    /// Where it begins in documents, in bytes.
    places: BTreeMap<Place, Vec<u32>>,
    /// Documents that have it, and distinct known origins of them; true counts, also where not all places are stored.
    n_docs: u32,
    n_origins: u32,
    is_capped: bool,
}

/// The units of a piece of code that an index knows.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownUnits {
    units: Vec<KnownUnit>,
    pub(super) trouble: Option<Trouble>,
    /// Documents that have one.
    places: BTreeSet<Place>,
    /// Whether there were more than are looked up, or known.
    pub(super) is_overfull: bool,
    /// Whether the deadline passed before all were looked up.
    pub(super) is_late: bool,
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
    let mut known = KnownUnits { trouble: reading.trouble(), ..KnownUnits::default() };
    let mut n_lookups = 0;
    for (idx, unit) in order {
        if known.units.iter().any(|other| other.holds(&unit)) {
            continue;
        }
        if n_lookups == UNITS_MAX {
            known.is_overfull = true;
            break;
        }
        if n_lookups % LOOKUPS_PER_GLANCE == LOOKUPS_PER_GLANCE - 1 && is_past(deadline) {
            known.is_late = true;
            break;
        }
        n_lookups += 1;
        let found = look_up(index, unit.hash)?;
        if found.places.is_empty() {
            continue;
        }
        if known.units.len() == KNOWN_UNITS_MAX {
            known.is_overfull = true;
            break;
        }
        let mut tokens = Vec::new();
        reading.canonical_tokens(idx, &mut tokens);
        let names = reading.bound_names(idx);
        known.places.extend(found.places.keys().copied());
        known.units.push(KnownUnit { unit, tokens, names, found });
    }
    Ok(known)
}

fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn look_up(index: &Index, hash: u64) -> Result<Found> {
    let mut found = Found::default();
    let (mut values, mut origins) = (Vec::new(), BTreeSet::new());
    for (segment_idx, segment) in index.segments().iter().enumerate() {
        let Some(units) = segment.units() else { continue };
        values.clear();
        let counts = units.lookup(Key(hash), &mut values)?.capped;
        for &position in &values {
            let doc: DocIdx = segment.document_at(position)?;
            if !segment.is_removed(doc) {
                let record = segment.record(doc)?;
                let byte = u32::try_from(position.saturating_sub(record.text.start)).unwrap_or(u32::MAX);
                origins.insert(record.origin);
                found.places.entry(Place { segment_idx, doc }).or_default().push(byte);
            }
        }
        if let Some(counts) = counts {
            found.is_capped = true;
            found.n_docs = found.n_docs.saturating_add(counts.n_docs);
            found.n_origins = found.n_origins.max(counts.n_origins);
        }
    }
    origins.remove(&OriginKey::UNKNOWN);
    found.n_docs = found.n_docs.max(u32::try_from(found.places.len()).unwrap_or(u32::MAX));
    found.n_origins = found.n_origins.max(u32::try_from(origins.len()).unwrap_or(u32::MAX));
    Ok(found)
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
            let Found { places, n_docs, n_origins, is_capped } = &known.found;
            // A k-gram that was not sampled stands in at least as many documents as the unit that begins with it.
            gram.is_capped |= *is_capped && gram.n_docs <= *n_docs;
            gram.n_docs = gram.n_docs.max(*n_docs);
            gram.n_origins = gram.n_origins.max(*n_origins);
            let bits = information_bits(index.n_docs(), *n_docs) * f64::from(known.unit.n_tokens / gram_lexemes.max(1));
            for (&place, bytes) in places {
                let idx = *idx_of.entry(place).or_insert_with(|| {
                    documents.push(Candidate { place, bits: 0.0, hits: Vec::new(), words: Vec::new() });
                    documents.len() - 1
                });
                let candidate = &mut documents[idx];
                candidate.bits = candidate.bits.max(bits);
                candidate.hits.extend(bytes.iter().map(|&source_byte| Hit { query_word, source_byte }));
            }
        }
        for &idx in self.units.iter().flat_map(|known| known.found.places.keys()).filter_map(|place| idx_of.get(place))
        {
            let hits = &mut documents[idx].hits;
            hits.sort_unstable_by_key(|hit| (hit.source_byte, hit.query_word));
            hits.dedup();
        }
        candidates.documents.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.place.cmp(&b.place)));
    }

    /// Tells whether a document has one of the units.
    pub(super) fn are_in(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    /// Returns where the last unit ends, if nothing was inserted, that a document has within `bytes`.
    pub(super) fn end_in(&self, place: Place, bytes: &std::ops::Range<u32>) -> Option<u32> {
        let units = self.units.iter().filter(|_| self.are_in(place));
        let ends = units.filter_map(|known| {
            let starts = known.found.places.get(&place)?.iter().filter(|start| bytes.contains(start));
            Some(starts.max()?.saturating_add(known.unit.end - known.unit.start))
        });
        ends.max()
    }

    /// Proves a copy: finds a unit that holds most of it and that the source has, too, and takes over in `compared` what that says.
    ///
    /// Of the units that the document has within the copy the longest are tried first, each at the places nearest to where the alignment puts
    /// it, [`PROOFS_MAX`] in all.
    pub(super) fn prove(
        &self,
        place: Place,
        sides: Sides<'_>,
        compared: &mut Comparison,
        deadline: Option<Instant>,
        parsers: &mut Parsers,
        work: &mut Work,
    ) -> Proving<'_> {
        let Sides { query, source, .. } = sides;
        for (known, start) in self.provable(place, sides, compared).into_iter().take(PROOFS_MAX) {
            let stretch = source.text.get(start as usize..).unwrap_or("");
            work.spend(WORK_PER_PARSED_BYTE * stretch.len().min(known.source_bytes_max()));
            let proof = match known.compare(stretch, source.language, deadline, parsers) {
                Compared::Equal(proof) => proof,
                Compared::Different => continue,
                Compared::Late => return Proving::Late,
            };
            let source_bytes = start..start + proof.source_end;
            let is_loose = proof.level == Level::Loose;
            if compared.is_proven_by(query, known.unit.start..known.unit.end, source, source_bytes, is_loose) {
                return Proving::Proven(known, proof);
            }
        }
        Proving::Open
    }

    /// Returns the units that may prove a copy, with where they begin in what was read of the source: longest first, then nearest.
    fn provable(&self, place: Place, sides: Sides<'_>, compared: &Comparison) -> Vec<(&KnownUnit, u32)> {
        let (ours, theirs) = (compared.query_span, compared.source_span);
        let mut provable = Vec::new();
        for known in &self.units {
            let Some(starts) = known.found.places.get(&place) else { continue };
            if !compared.may_be_proven_by(sides.query, known.unit.start..known.unit.end) {
                continue;
            }
            // Where the unit begins in the source if nothing was inserted before it.
            let expected = i64::from(theirs.start) + i64::from(known.unit.start) - i64::from(ours.start);
            let starts = starts.iter().filter_map(|start| start.checked_sub(sides.source_start));
            let mut starts: Vec<u32> = starts.filter(|start| (theirs.start..theirs.end).contains(start)).collect();
            starts.sort_unstable_by_key(|&start| ((i64::from(start) - expected).abs(), start));
            provable.extend(starts.into_iter().map(|start| (known, start)));
        }
        provable
    }
}

/// Both sides of a copy that is to be proven.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) query: &'a CodeView<'a>,
    pub(super) source: &'a CodeView<'a>,
    /// Where what was read of the source begins in the document.
    pub(super) source_start: u32,
}

/// What came of trying to prove a copy.
#[derive(Debug)]
pub(super) enum Proving<'a> {
    /// A unit of the query equals one of the source.
    Proven(&'a KnownUnit, Proof),
    /// None was found that does.
    Open,
    /// The deadline passed before that was known.
    Late,
}

/// Whether a unit of the query equals one of a source.
#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Equal(Proof),
    Different,
    Late,
}

/// A unit of a source that equals one of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    level: Level,
    /// Where it ends in the stretch that was parsed, in bytes.
    source_end: u32,
    /// Where a name that differs stands first in the query, and what it is in both.
    renames: Vec<(u32, Rename)>,
}

impl Proof {
    /// Returns the renames of a copy in the order of the query: of the names that the unit binds its own, of others those of the lexemes,
    /// `found` with the bytes where they stand first.
    pub(super) fn merge(self, known: &KnownUnit, found: Vec<(u32, Rename)>) -> Vec<Rename> {
        let mut renames = self.renames;
        renames.extend(found.into_iter().filter(|(_, rename)| !known.binds(&rename.query)));
        renames.sort_by_key(|&(first, _)| first);
        renames.into_iter().map(|(_, rename)| rename).collect()
    }
}

impl KnownUnit {
    fn holds(&self, other: &Unit) -> bool {
        self.unit.start <= other.start && other.end <= self.unit.end
    }

    /// Tells whether a name is one that the unit binds. A second name that it gives one of them (`a = self`) is not.
    fn binds(&self, name: &str) -> bool {
        self.names.iter().any(|bound| bound.name == name)
    }

    /// Returns how much of a source is parsed.
    fn source_bytes_max(&self) -> usize {
        SOURCE_FACTOR * (self.unit.end - self.unit.start) as usize + SOURCE_MARGIN_BYTES
    }

    /// Parses the unit that a stretch of a source begins with, and compares it with this one.
    fn compare(&self, source: &str, language: Language, deadline: Option<Instant>, parsers: &mut Parsers) -> Compared {
        let end = source.floor_char_boundary(self.source_bytes_max());
        let seed = parsers.seed;
        let syntax = parsers.source.get_or_insert_with(|| Syntax::new(seed));
        let mut reading = syntax.read(&source[..end], language, CHECK_BYTES_MAX, deadline);
        if reading.trouble() == Some(Trouble::Deadline) {
            return Compared::Late;
        }
        let is_it = |unit: &Unit| unit.start == 0 && unit.level == self.unit.level && unit.hash == self.unit.hash;
        let Some(idx) = reading.units().iter().position(is_it) else { return Compared::Different };
        let unit = reading.units()[idx];
        let mut tokens = Vec::new();
        reading.canonical_tokens(idx, &mut tokens);
        if tokens != self.tokens {
            return Compared::Different;
        }
        let names = reading.bound_names(idx);
        let pairs = self.names.iter().zip(&names);
        let mut renames: Vec<(u32, Rename)> = Vec::new();
        for (ours, theirs) in pairs.filter(|(ours, theirs)| ours.name != theirs.name) {
            let first = ours.spans.first().map_or(self.unit.start, |span| span.0);
            let rename = Rename { query: ours.name.clone(), source: theirs.name.clone() };
            if !renames.iter().any(|(_, known)| *known == rename) {
                renames.push((first, rename));
            }
        }
        Compared::Equal(Proof { level: unit.level, source_end: unit.end, renames })
    }
}

#[cfg(test)]
pub(super) mod tests;
