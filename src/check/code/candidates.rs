//! Which stretches of documents are aligned with a part: as many as say something new, and no more.
//!
//! The hits of a document are cut where they are far apart. The stretches of all documents are taken best first, by the information of the k-grams they
//! share with the part. Beyond the first few, one is only counted
//!
//! - where what it shares is explained: by [`EXPLAINED`] others that share as much, or by a sure copy that shares [`BETTER_FACTOR`] times as many k-grams,
//!   and so is the better source of the same lexemes;
//! - or where it is too little to be a finding, [`GRAMS_MIN`].
//!
//! Units say more than lexemes where a copy was edited, and nothing where a sure copy already covers the part. A parse costs as much as two documents, so
//! that the part is parsed only where the best stretch is no such copy.

use std::collections::{BTreeMap, BTreeSet};

use super::super::body::find_headers;
use super::super::passages::{Copy, Verified};
use super::super::units::{self, KnownUnits};
use super::align::Job;
use super::weigh::distinct_grams;
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
/// Bytes between two hits of one stretch, at most: a long comment.
const REACH_BYTES: u32 = 4 << 10;
/// Share of the part that a sure copy covers so that there is nothing left for units to tell.
const COVERED_SHARE: f64 = 0.95;

/// Aligns the candidates of a part in one index, and those that its units nominate. Returns the units that were looked up, too.
pub(in super::super) fn verify(
    part: CodeSubject<'_>,
    table: &MarkTable,
    candidates: &mut Candidates,
    tokens_min: u32,
    work: &mut Work,
    buffers: &mut CodeBuffers,
) -> Result<(Verified, KnownUnits)> {
    buffers.query.lexemes.clone_from(&part.prints.lexemes);
    buffers.query.prepare(part.code, part.language, table);
    let view = buffers.query.code_view(part.code, part.language);
    find_headers(&view, &buffers.query.marks, &mut buffers.headers);
    let mut round = Round::new(part, table, tokens_min);
    let mut best = None;
    if let Some(stretch) = stretches(part, candidates, &KnownUnits::default()).first()
        && !round.must_stop(work)
    {
        best = Some(stretch.place);
        round.align(candidates, stretch, &KnownUnits::default(), work, buffers)?;
        if round.covers(stretch.place) {
            round.align_all(candidates, &KnownUnits::default(), work, buffers)?;
            return Ok((round.verified, KnownUnits::default()));
        }
    }
    let known = units::find(part.subject.index, part.code, part.language, part.subject.deadline, &mut buffers.parsers)?;
    let gram_lexemes = part.subject.index.fingerprinter().recipe().code_gram_lexemes;
    known.nominate(part.subject.index, &part.prints.lexemes, gram_lexemes, candidates);
    if best.is_some_and(|place| known.are_in(place)) {
        round = Round::new(part, table, tokens_min);
    }
    round.align_all(candidates, &known, work, buffers)?;
    Ok((round.verified, known))
}

/// Hits of a document that stand near each other.
struct Stretch<'a> {
    place: Place,
    hits: &'a [Hit],
    /// First lexemes of the k-grams shared, ascending, each once.
    words: Vec<u32>,
    /// Sum of what the k-grams say, in bits; of a unit, if that is more.
    bits: f64,
}

/// Cuts the hits of all documents, best stretch first.
fn stretches<'a>(part: CodeSubject<'_>, candidates: &'a Candidates, units: &KnownUnits) -> Vec<Stretch<'a>> {
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
            stretches.push(Stretch { place: candidate.place, hits, words, bits });
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
    /// Where the stretches begin that were aligned.
    done: BTreeSet<(Place, u32)>,
    verified: Verified,
}

impl<'a> Round<'a> {
    fn new(part: CodeSubject<'a>, table: &'a MarkTable, tokens_min: u32) -> Self {
        let explained = vec![Explained::default(); part.prints.grams.len()];
        Self { part, table, tokens_min, explained, done: BTreeSet::new(), verified: Verified::default() }
    }

    fn align_all(
        &mut self,
        candidates: &Candidates,
        units: &KnownUnits,
        work: &mut Work,
        buffers: &mut CodeBuffers,
    ) -> Result<()> {
        for stretch in &stretches(self.part, candidates, units) {
            if self.done.contains(&(stretch.place, stretch.hits[0].source_byte)) {
                continue;
            }
            if !self.is_news(candidates, stretch, units) {
                continue;
            }
            if self.must_stop(work) {
                break;
            }
            self.align(candidates, stretch, units, work, buffers)?;
        }
        Ok(())
    }

    /// Tells whether no further stretch may be aligned, and notes why.
    fn must_stop(&mut self, work: &Work) -> bool {
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
        let first = self.verified.copies.len();
        let is_late = false;
        let mut job =
            Job { part, table, candidates, place, hits, units, tokens_min, work, buffers, weak: Vec::new(), is_late };
        self.verified.is_overfull |= job.align(&mut self.verified.copies)?;
        self.verified.is_late |= job.is_late;
        let weak = job.weak;
        self.done.insert((place, hits[0].source_byte));
        let mut gained: BTreeMap<u32, u8> = weak.iter().map(|&word| (word, WEIGHT_MIN)).collect();
        for copy in &self.verified.copies[first..] {
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
        Ok(())
    }

    /// Tells whether a stretch may say something that is not known yet.
    fn is_news(&self, candidates: &Candidates, stretch: &Stretch<'_>, units: &KnownUnits) -> bool {
        let n_grams = stretch.words.len();
        let explained = || stretch.words.iter().map(|&word| self.explained[word as usize]);
        let is_equal = |at: Explained| at.n_best > 0 && n_grams >= at.n_best as usize && at.n_stretches < EQUALS_MAX;
        if explained().any(is_equal) {
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
