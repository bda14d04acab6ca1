//! Which stretches of documents are aligned with a part: as many as say something new, and no more.
//!
//! The hits of a document are cut where they are far apart. The stretches of all documents are taken best first, by the information of the k-grams they
//! share with the part, and of the words near them that few documents have: of many functions of one shape these tell the source. A stretch with such words
//! is always aligned. Of the rest, beyond the first few, one is only counted
//!
//! - where what it shares is explained: by [`EXPLAINED`] others that share as much, or by a sure copy that shares [`BETTER_FACTOR`] times as many k-grams,
//!   and so is the better source of the same lexemes;
//! - or where it is too little to be a finding, [`GRAMS_MIN`].
//!
//! Units say more than lexemes where a copy was edited, and nothing where a sure copy already covers the part. A parse costs as much as two documents, so
//! that the part is parsed only where the best stretch is no such copy.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::body::find_headers;
use super::super::passages::{Copy, Verified};
use super::super::units::{self, KnownUnits};
use super::align::Job;
use super::weigh::distinct_grams;
use super::words::RareWord;
use super::{CodeBuffers, CodeSubject};
use crate::error::Result;
use crate::query::passages::{Candidates, Hit, Place, information_bits};
use crate::verify::kind::CopyKind;
use crate::verify::marks::MarkTable;
use crate::verify::work::Work;

/// Stretches that are aligned though they share little.
const STRETCHES_ALWAYS: usize = 2;
/// What explains a k-gram well enough for further documents to be counted only: two verbatim copies, three reformatted, four others.
const EXPLAINED: u8 = 12;
/// Stretches that are aligned of those that share as much as the best: the eight origins that make a copy common by default.
const EQUALS_MAX: u8 = 8;
/// What a copy of any kind, and less than a copy, explains of it.
const WEIGHT_MIN: u8 = 3;
/// So many times the k-grams of a document a sure copy has so that it explains them all.
const BETTER_FACTOR: usize = 4;
/// So many times the k-grams of the best copy a stretch has so that it is aligned however many explain its k-grams: it may be the whole of which they
/// are pieces.
const WHOLE_FACTOR: f64 = 1.5;
/// Information, in k-grams that only one document has, of a stretch beyond the first ones: one k-gram that ten versions of one document have. Strangers'
/// idioms have less, and what has no more can be no finding.
const GRAMS_MIN: f64 = 0.7;
/// Stretches aligned for one part: at 60 us each, a fifth of the default budget of 250 ms.
const STRETCHES_MAX: usize = 800;
/// Stretches between two glances at the clock: 50 us.
const STRETCHES_PER_GLANCE: usize = 64;
/// Bytes between two hits of one stretch, at most: a long comment.
const REACH_BYTES: u32 = 4 << 10;
/// Share of the part that a sure copy covers so that there is nothing left for units to tell.
const COVERED_SHARE: f64 = 0.95;

/// What was found in a part.
#[derive(Debug, Default)]
pub(in super::super) struct Found {
    pub(in super::super) verified: Verified,
    /// The units that were looked up; none where the part was not parsed.
    pub(in super::super) units: KnownUnits,
    /// Which bytes of documents were aligned.
    pub(super) aligned: Vec<(Place, Range<u32>)>,
    /// Documents that were only counted, ascending.
    pub(super) counted: Vec<Place>,
}

/// Aligns the candidates of a part in one index, and those that its units nominate.
pub(in super::super) fn verify(
    part: CodeSubject<'_>,
    table: &MarkTable,
    candidates: &mut Candidates,
    tokens_min: u32,
    work: &mut Work,
    buffers: &mut CodeBuffers,
) -> Result<Found> {
    buffers.query.lexemes.clone_from(&part.prints.lexemes);
    buffers.query.prepare(part.code, part.language, table);
    let view = buffers.query.code_view(part.code, part.language);
    find_headers(&view, &buffers.query.marks, &mut buffers.headers);
    let mut round = Round::new(part, table, tokens_min);
    let mut units = KnownUnits::default();
    let ranked = stretches(part, candidates, &units);
    let best = ranked.first().filter(|_| !round.must_stop(*work)).map(|best| best.place);
    if best.is_some() {
        round.align(candidates, &ranked[0], &units, work, buffers)?;
    }
    if best.is_some_and(|place| round.covers(place)) {
        round.align_all(candidates, &ranked, &units, work, buffers)?;
    } else {
        let (index, deadline) = (part.subject.index, part.subject.deadline);
        units = units::find(index, part.code, part.language, deadline, &mut buffers.parsers)?;
        let gram_lexemes = index.fingerprinter().recipe().code_gram_lexemes;
        units.nominate(index, &part.prints.lexemes, gram_lexemes, candidates);
        if let Some(best) = best.filter(|&place| units.are_in(place)) {
            round.redo(best);
        }
        round.align_all(candidates, &stretches(part, candidates, &units), &units, work, buffers)?;
    }
    let Round { verified, aligned, .. } = round;
    let is_aligned: BTreeSet<Place> = aligned.iter().map(|&(place, _)| place).collect();
    let places = candidates.documents.iter().map(|candidate| candidate.place);
    let mut counted: Vec<Place> = places.filter(|place| !is_aligned.contains(place)).collect();
    counted.sort_unstable();
    Ok(Found { verified, units, aligned, counted })
}

/// Hits of a document that stand near each other.
struct Stretch<'a> {
    place: Place,
    hits: &'a [Hit],
    /// First lexemes of the k-grams shared, ascending, each once.
    words: Vec<u32>,
    /// Sum of what the k-grams say, in bits; of a unit, if that is more; and of rare words.
    bits: f64,
    /// Words in it that few documents have, and the text has, too.
    rare: &'a [RareWord],
}

/// Cuts the hits of all documents, best stretch first.
fn stretches<'a>(part: CodeSubject<'a>, candidates: &'a Candidates, units: &KnownUnits) -> Vec<Stretch<'a>> {
    let n_docs = part.subject.index.n_docs();
    let bits_of = |word: u32| information_bits(n_docs, candidates.grams[word as usize].n_docs);
    let mut stretches = Vec::new();
    for candidate in &candidates.documents {
        for hits in candidate.hits.chunk_by(|a, b| b.source_byte - a.source_byte <= REACH_BYTES) {
            let mut words: Vec<u32> = hits.iter().map(|hit| hit.query_word).collect();
            words.sort_unstable();
            words.dedup();
            let mut bits = words.iter().copied().map(bits_of).sum();
            let bytes = hits[0].source_byte..hits[hits.len() - 1].source_byte + 1;
            if units.end_in(candidate.place, &bytes).is_some() {
                bits = candidate.bits.max(bits);
            }
            // As far as an alignment of the stretch reads.
            let near = |rare: &RareWord| (rare.place, rare.source_byte.saturating_add(REACH_BYTES / 2));
            let first = part.rare.partition_point(|rare| near(rare) < (candidate.place, bytes.start));
            let end = bytes.end.saturating_add(REACH_BYTES / 2);
            let n = part.rare[first..].partition_point(|rare| (rare.place, rare.source_byte) < (candidate.place, end));
            let rare = &part.rare[first..first + n];
            bits += information_bits(n_docs, 1) * f64::from(u32::try_from(rare.len()).unwrap_or(u32::MAX));
            stretches.push(Stretch { place: candidate.place, hits, words, bits, rare });
        }
    }
    let start = |stretch: &Stretch<'_>| (stretch.place, stretch.hits[0].source_byte);
    stretches.sort_by(|a, b| b.bits.total_cmp(&a.bits).then_with(|| start(a).cmp(&start(b))));
    stretches
}

/// How a k-gram is explained.
#[derive(Debug, Clone, Copy, Default)]
struct Explained {
    /// How well, of [`EXPLAINED`].
    weight: u8,
    /// By how many stretches.
    n_stretches: u8,
    /// K-grams of the largest copy around it.
    n_best: u32,
    /// K-grams of the largest sure copy around it.
    n_sure: u32,
}

/// The alignment of all stretches of a part.
struct Round<'a> {
    part: CodeSubject<'a>,
    table: &'a MarkTable,
    tokens_min: u32,
    /// One for the k-gram that begins at each lexeme.
    explained: Vec<Explained>,
    /// How many aligned stretches have the rare word.
    told: BTreeMap<u32, u8>,
    /// Where the stretches begin that were aligned.
    done: BTreeSet<(Place, u32)>,
    aligned: Vec<(Place, Range<u32>)>,
    /// The document that is aligned once more, now that its units are known.
    again: Option<Place>,
    verified: Verified,
}

impl<'a> Round<'a> {
    fn new(part: CodeSubject<'a>, table: &'a MarkTable, tokens_min: u32) -> Self {
        let explained = vec![Explained::default(); part.prints.grams.len()];
        Self {
            part,
            table,
            tokens_min,
            explained,
            told: BTreeMap::new(),
            done: BTreeSet::new(),
            aligned: Vec::new(),
            again: None,
            verified: Verified::default(),
        }
    }

    fn align_all(
        &mut self,
        candidates: &Candidates,
        ranked: &[Stretch<'_>],
        units: &KnownUnits,
        work: &mut Work,
        buffers: &mut CodeBuffers,
    ) -> Result<()> {
        for (n, stretch) in ranked.iter().enumerate() {
            if n % STRETCHES_PER_GLANCE == 0 && self.must_stop(*work) {
                break;
            }
            if self.done.contains(&(stretch.place, stretch.hits[0].source_byte)) {
                continue;
            }
            if !self.is_news(candidates, stretch, units) {
                continue;
            }
            if self.must_stop(*work) {
                break;
            }
            self.align(candidates, stretch, units, work, buffers)?;
        }
        Ok(())
    }

    /// Tells whether no further stretch may be aligned, and notes why.
    fn must_stop(&mut self, work: Work) -> bool {
        self.verified.is_late |= self.part.subject.is_late();
        self.verified.is_overfull |= self.done.len() == STRETCHES_MAX || work.is_spent();
        self.verified.is_late || self.done.len() == STRETCHES_MAX || work.is_spent()
    }

    /// Aligns one stretch.
    fn align(
        &mut self,
        candidates: &Candidates,
        stretch: &Stretch<'_>,
        units: &KnownUnits,
        work: &mut Work,
        buffers: &mut CodeBuffers,
    ) -> Result<()> {
        let &Stretch { place, hits, .. } = stretch;
        let Self { part, table, tokens_min, .. } = *self;
        let mut copies = Vec::new();
        let (weak, is_late, aligned) = (Vec::new(), false, 0..0);
        let mut job =
            Job { part, table, candidates, place, hits, units, tokens_min, work, buffers, weak, is_late, aligned };
        self.verified.is_overfull |= job.align(&mut copies)?;
        self.verified.is_late |= job.is_late;
        let weak = job.weak;
        self.aligned.push((place, job.aligned));
        self.done.insert((place, hits[0].source_byte));
        for rare in stretch.rare {
            let told = self.told.entry(rare.word).or_default();
            *told = told.saturating_add(1);
        }
        if self.again.take_if(|again| *again == place).is_some() {
            self.verified.copies.retain(|copy| copy.place != place);
        }
        let mut gained: BTreeMap<u32, u8> = weak.iter().map(|&word| (word, WEIGHT_MIN)).collect();
        for copy in &copies {
            let n_grams = u32::try_from(copy.evidence.len()).unwrap_or(u32::MAX);
            for &word in &copy.evidence {
                let explained = &mut self.explained[word as usize];
                explained.n_best = n_grams.max(explained.n_best);
                if is_sure(copy) {
                    explained.n_sure = n_grams.max(explained.n_sure);
                }
                // Of several copies in one stretch one counts.
                let gained = gained.entry(word).or_insert(WEIGHT_MIN);
                *gained = weight(copy).max(*gained);
            }
        }
        for (word, weight) in gained {
            let explained = &mut self.explained[word as usize];
            explained.weight = explained.weight.saturating_add(weight);
            explained.n_stretches = explained.n_stretches.saturating_add(1);
        }
        self.verified.copies.append(&mut copies);
        Ok(())
    }

    /// Tells whether a stretch may say something that is not known yet.
    fn is_news(&self, candidates: &Candidates, stretch: &Stretch<'_>, units: &KnownUnits) -> bool {
        let n_grams = stretch.words.len();
        let explained = || stretch.words.iter().map(|&word| self.explained[word as usize]);
        let is_equal = |at: Explained| at.n_best > 0 && n_grams >= at.n_best as usize && at.n_stretches < EQUALS_MAX;
        let is_untold = |rare: &RareWord| self.told.get(&rare.word).is_none_or(|&told| told < EQUALS_MAX);
        if stretch.rare.iter().any(is_untold) || explained().any(is_equal) {
            return true;
        }
        let is_unit = units.are_in(stretch.place);
        let is_open = |at: Explained| {
            let is_better = is_unit || n_grams * BETTER_FACTOR >= at.n_sure as usize;
            (at.weight < EXPLAINED && is_better) || n_grams as f64 > WHOLE_FACTOR * f64::from(at.n_best)
        };
        // A unit that both have is no idiom of a few lexemes.
        let is_weak = || !is_unit && distinct_grams(self.part, candidates, &stretch.words) < GRAMS_MIN;
        explained().any(is_open) && (self.done.len() < STRETCHES_ALWAYS || !is_weak())
    }

    /// Has a document aligned again; what was found in it stays until that was done.
    fn redo(&mut self, place: Place) {
        self.again = Some(place);
        self.done.retain(|&(done, _)| done != place);
        self.explained.fill(Explained::default());
        self.told.clear();
    }

    /// Tells whether a document is a sure copy that covers the part.
    fn covers(&self, place: Place) -> bool {
        let n_lexemes = self.part.prints.lexemes.len();
        let covers = |copy: &Copy| f64::from(copy.matched_words) >= COVERED_SHARE * n_lexemes as f64;
        self.verified.copies.iter().any(|copy| copy.place == place && is_sure(copy) && covers(copy))
    }
}

/// How well a copy explains its k-grams, of [`EXPLAINED`].
fn weight(copy: &Copy) -> u8 {
    match copy.kind {
        CopyKind::Verbatim if is_sure(copy) => 6,
        CopyKind::Reformatted if is_sure(copy) => 4,
        _ => WEIGHT_MIN,
    }
}

/// Tells whether a copy needs no other to be believed: not edited, and supported.
fn is_sure(copy: &Copy) -> bool {
    copy.kind != CopyKind::Edited && copy.code.as_ref().is_some_and(|code| code.support > 0.0)
}
