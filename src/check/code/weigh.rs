//! What a copy of code weighs: the k-grams that a document shares within it, and the support made of them and of what alignment told.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::support::Evidence;
use super::CodeSubject;
use crate::query::passages::{Candidates, Hit, information_bits};
use crate::verify::code::Comparison;

/// What a k-gram says falls with the number of origins that have it, by this power: what two projects have, that have nothing to do with each other, is
/// half an idiom.
const ORIGINS_POWER: f64 = 0.75;
/// Information of a k-gram that one of 4,096 documents has, in bits: what is unique among fewer says accordingly less.
const UNIQUE_BITS_MIN: f64 = 12.0;

/// Returns the lexemes of the part that start a k-gram of the document within some lexemes, ascending, each once.
pub(super) fn evidence(hits: &[Hit], within: &Range<u32>) -> Vec<u32> {
    let mut words: Vec<u32> = hits.iter().map(|hit| hit.query_word).filter(|word| within.contains(word)).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Returns the share of the k-grams in some runs that are different ones; 1 where no run holds one.
fn novelty(part: CodeSubject<'_>, runs: &[Range<u32>]) -> f64 {
    let grams = &part.prints.grams;
    let k = part.subject.index.fingerprinter().recipe().code_gram_lexemes;
    let (mut n_grams, mut different) = (0_u32, BTreeSet::new());
    for run in runs {
        let end = (run.end + 1).saturating_sub(k).min(u32::try_from(grams.len()).unwrap_or(u32::MAX));
        for at in run.start..end {
            n_grams += 1;
            different.insert(grams[at as usize]);
        }
    }
    if n_grams == 0 { 1.0 } else { different.len() as f64 / f64::from(n_grams) }
}

/// Returns how much a document's k-grams within a copy say, in k-grams that only one document has; of equal ones and of those that overlap one counts.
pub(super) fn distinct_grams(part: CodeSubject<'_>, candidates: &Candidates, evidence: &[u32]) -> f64 {
    let k = part.subject.index.fingerprinter().recipe().code_gram_lexemes;
    let n_docs = part.subject.index.n_docs();
    // Among ten documents every idiom is unique.
    let unique = information_bits(n_docs, 1).max(UNIQUE_BITS_MIN);
    let (mut free_from, mut seen, mut sum) = (0, BTreeSet::new(), 0.0);
    for &at in evidence {
        let Some(&key) = part.prints.grams.get(at as usize) else { continue };
        if at >= free_from && seen.insert(key) {
            free_from = at + k;
            let count = candidates.grams[at as usize];
            let n_origins = f64::from(count.n_origins.max(1));
            sum += information_bits(n_docs, count.n_docs) / unique / n_origins.powf(ORIGINS_POWER);
        }
    }
    sum
}

/// Weighs all that speaks for a copy and against it.
pub(super) fn support(
    part: CodeSubject<'_>,
    candidates: &Candidates,
    compared: &Comparison,
    evidence: &[u32],
    body: u32,
) -> f64 {
    let is_faithful = compared.meanings_changed + compared.literals_changed == 0;
    let origins = evidence.iter().map(|&at| candidates.grams[at as usize].n_origins).min();
    let evidence = Evidence {
        grams: distinct_grams(part, candidates, evidence),
        origins: origins.unwrap_or(1),
        longest_run: compared.longest_run,
        coverage: compared.coverage,
        source_coverage: compared.source_coverage,
        novelty: novelty(part, &compared.query_runs),
        body,
        literals_same: compared.literals_same,
        meanings_same: compared.meanings_same,
        own_names_same: compared.names_same.saturating_sub(compared.meanings_same),
        is_faithful,
    };
    evidence.support()
}
