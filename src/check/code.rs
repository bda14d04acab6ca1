//! Code candidates become copies: the stored source around the hits is cut into lexemes and aligned by shape, and names are compared under the
//! best renaming.
//!
//! As for passages, candidates are taken best first, and a document all of whose k-grams are explained by others is only counted. A
//! source is lexed from its start, so that what is a string and what is code is known; a long one from a line near the hits that begins at the margin.

use std::collections::BTreeSet;
use std::ops::Range;

use copytrace_indexer::index::documents::DocumentRecord;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes};
use copytrace_indexer::limits::LEXED_BYTES_MAX;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::span::Span;
use copytrace_indexer::syntax::Level;

use super::answer::{CodeFacts, Rename};
use super::parts::Part;
use super::passages::{Copy, MARGIN_BYTES, SourceText, Subject, Verified};
use super::support::Evidence;
use super::units::{KnownUnits, Parsers, prove};
use super::whole::near_duplicate;
use crate::error::Result;
use crate::query::documents::WholeDocuments;
use crate::query::passages::{Candidate, Candidates, Hit, Place, information_bits};
use crate::query::prints::CodePrints;
use crate::verify::TextView;
use crate::verify::align::{Scratch, align};
use crate::verify::alignment::AlignOptions;
use crate::verify::code::{Comparison, compare_code};
use crate::verify::code_view::CodeView;
use crate::verify::functions::find_functions;
use crate::verify::kind::CopyKind;
use crate::verify::marks::MarkTable;
use crate::verify::notation::{Aliases, drop_aliases};
use crate::verify::overlap::jaccard;
use crate::verify::renaming::{Named, Roles};
use crate::verify::shape::compute_shapes;
use crate::verify::work::Work;

/// Documents that are aligned whatever the others explain.
const DOCS_ALWAYS: usize = 8;
/// What explains a k-gram well enough for further documents to be counted only, as for passages.
const EXPLAINED: u8 = 4;
/// Information, in k-grams that only one document has, of a candidate beyond the first ones: strangers' idioms have less, and what has no more can
/// be no finding.
const GRAMS_MIN: f64 = 0.9;
/// Documents aligned for one part: at 60 us each, a fifth of the default budget of 250 ms.
const DOCS_MAX: usize = 800;
/// Regions of one document that are aligned.
const REGIONS_PER_DOC_MAX: usize = 64;
/// Bytes before the hits in which a line is looked for at which lexing can begin.
const HEADER_SEARCH_BYTES: u32 = 4 << 10;
/// Bytes of a document that are lexed from its start where there is no such line: nine files of ten, 0.2 ms.
const WHOLE_BYTES_MAX: u32 = 64 << 10;
/// Words that begin a definition where they stand at the margin.
const DEFINITIONS: [&str; 16] = [
    "def ",
    "class ",
    "async def ",
    "@",
    "fn ",
    "pub ",
    "impl",
    "#[",
    "struct ",
    "enum ",
    "mod ",
    "func ",
    "function ",
    "export ",
    "static ",
    "public ",
];
/// Similar documents that are read, those with most common bands first: at 100 us each.
const SIMILAR_DOCS_MAX: usize = 32;
/// Different k-grams that a part has at least for its similarity to documents to say something: strangers' small files are all alike.
const SIMILAR_GRAMS_MIN: usize = 48;
/// Support for a document that is nearly the same as a whole.
const SIMILAR_SUPPORT: f64 = 10.0;
/// What a k-gram says falls with the number of origins that have it, by this power: what two projects have, that have nothing to do with each other, is
/// half an idiom.
const ORIGINS_POWER: f64 = 0.75;
/// Information of a k-gram that one of 4,096 documents has, in bits: what is unique among fewer says accordingly less.
const UNIQUE_BITS_MIN: f64 = 12.0;
/// Comparisons for which a parsed byte is taken: 100 ns.
const WORK_PER_PARSED_BYTE: usize = 64;
/// Least support of a copy that is listed: what has less is an idiom, whatever a policy says.
const SUPPORT_MIN: f64 = -3.0;
/// Renames that are listed.
const RENAMES_MAX: usize = 256;

/// Share of a copy of words that a copy of code of the same document covers so that it is the same copy.
const EXPLAINED_SHARE: f64 = 0.5;
/// Share of the text that a copy of code covers so that "near-duplicate" would say less than is known.
const WHOLE_SHARE: f64 = 0.9;

/// Alignment of lexemes. A call of three arguments that is inserted has 8 lexemes, more than a word-by-word edit.
const OPTIONS: AlignOptions = AlignOptions {
    guaranteed_words: 24,
    matched_words_min: 12,
    drop_words_max: 16,
    gain_words_min: 4,
    last_gain_words_min: 1,
    chain_gap_words_max: 160,
};

/// A part of the text that is code.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeSubject<'a> {
    /// The text as a whole.
    pub(super) subject: Subject<'a>,
    /// Bytes of the text.
    pub(super) start: usize,
    pub(super) code: &'a str,
    pub(super) language: Language,
    pub(super) prints: &'a CodePrints,
}

/// Buffers that are used again for every candidate.
#[derive(Debug, Default)]
pub(super) struct CodeBuffers {
    query: Prepared,
    source: Source,
    seeds: Vec<(u32, u32)>,
    align: Scratch,
    pub(super) parsers: Parsers,
}

/// A piece of code, ready to be aligned.
#[derive(Debug, Default)]
struct Prepared {
    /// Its lexemes, without aliases.
    lexemes: Lexemes,
    marks: Vec<u32>,
    /// Number of each among all lexemes.
    places: Vec<u32>,
    aliases: Aliases,
    roles: Roles,
    shapes: Vec<u64>,
    functions: Vec<Range<u32>>,
}

impl Prepared {
    fn prepare(&mut self, text: &str, language: Language, all: &Lexemes, table: &MarkTable) {
        table.find(all, &mut self.marks);
        (self.places, self.aliases) = drop_aliases(text, all, &mut self.marks, &mut self.lexemes);
        self.roles.find(&self.lexemes, &self.marks);
        compute_shapes(&self.lexemes, &self.roles, &mut self.shapes);
        self.functions = find_functions(text, language, &self.lexemes, &self.marks);
    }

    fn named(&self) -> Named<'_> {
        Named { lexemes: &self.lexemes, roles: &self.roles }
    }

    fn code_view<'a>(&'a self, text: &'a str, language: Language) -> CodeView<'a> {
        CodeView { text, language, named: self.named(), functions: &self.functions }
    }

    fn view<'a>(&'a self, text: &'a str) -> TextView<'a> {
        TextView { text, hashes: &self.shapes, starts: &self.lexemes.starts, ends: &self.lexemes.ends }
    }

    /// Returns the lexeme that begins at a byte.
    fn at(&self, byte: u32) -> Option<u32> {
        self.lexemes.starts.binary_search(&byte).ok().and_then(|at| u32::try_from(at).ok())
    }

    /// Returns a range of lexemes as it is among all lexemes.
    fn among_all(&self, range: &Range<u32>) -> Range<u32> {
        self.places[range.start as usize]..self.places[range.end as usize - 1] + 1
    }
}

/// The document that was lexed last.
#[derive(Debug, Default)]
struct Source {
    bytes: Vec<u8>,
    all: Lexemes,
    prepared: Prepared,
    /// First byte in the document.
    start: u32,
    is_doc_end: bool,
    language: Language,
}

/// Aligns the candidates of a part in one index.
pub(super) fn verify(
    part: CodeSubject<'_>,
    table: &MarkTable,
    candidates: &Candidates,
    units: &KnownUnits,
    tokens_min: u32,
    work: &mut Work,
    buffers: &mut CodeBuffers,
) -> Result<Verified> {
    buffers.query.prepare(part.code, part.language, &part.prints.lexemes, table);
    let mut explained = vec![0_u8; part.prints.grams.len()];
    let mut n_docs = 0;
    let mut verified = Verified::default();
    // One that only a unit nominated has no k-grams.
    let is_weak = |candidate: &Candidate| {
        !candidate.words.is_empty() && distinct_grams(part, candidates, &candidate.words) < GRAMS_MIN
    };
    for candidate in &candidates.documents {
        let is_news = candidate.hits.iter().any(|hit| explained[hit.query_word as usize] < EXPLAINED);
        if n_docs >= DOCS_ALWAYS && (!is_news || is_weak(candidate)) {
            continue;
        }
        if part.subject.is_late() {
            verified.is_late = true;
            break;
        }
        if n_docs == DOCS_MAX || work.is_spent() {
            verified.is_overfull = true;
            break;
        }
        n_docs += 1;
        let first = verified.copies.len();
        let weak = Vec::new();
        let mut job = Job { part, table, candidates, candidate, units, tokens_min, work, buffers, weak };
        verified.is_overfull |= job.align_regions(&mut verified.copies)?;
        for word in job.weak {
            explained[word as usize] = explained[word as usize].saturating_add(1);
        }
        for copy in &verified.copies[first..] {
            let is_sure = copy.code.as_ref().is_some_and(|code| code.support > 0.0);
            let weight = if is_sure && copy.kind != CopyKind::Edited { 2 } else { 1 };
            for &word in &copy.evidence {
                explained[word as usize] = explained[word as usize].saturating_add(weight);
            }
        }
    }
    Ok(verified)
}

struct Job<'a> {
    part: CodeSubject<'a>,
    table: &'a MarkTable,
    candidates: &'a Candidates,
    candidate: &'a Candidate,
    units: &'a KnownUnits,
    tokens_min: u32,
    work: &'a mut Work,
    buffers: &'a mut CodeBuffers,
    /// Evidence of what is hardly a copy.
    weak: Vec<u32>,
}

/// What became of one region.
enum Region {
    Aligned {
        is_capped: bool,
    },
    /// An alignment reached the edge of what was read.
    TooNarrow,
}

impl Job<'_> {
    /// Aligns every region of the document that has hits. Returns whether something was left out.
    fn align_regions(&mut self, copies: &mut Vec<Copy>) -> Result<bool> {
        let place = self.candidate.place;
        let segment = &self.part.subject.index.segments()[place.segment_idx];
        let record = segment.record(place.doc)?;
        if !record.language.is_code() {
            return Ok(false);
        }
        let reach = u32::try_from(self.part.code.len()).unwrap_or(u32::MAX).saturating_add(MARGIN_BYTES);
        let regions: Vec<&[Hit]> =
            self.candidate.hits.chunk_by(|a, b| b.source_byte - a.source_byte <= reach).collect();
        let mut is_capped = regions.len() > REGIONS_PER_DOC_MAX;
        for hits in regions.into_iter().take(REGIONS_PER_DOC_MAX) {
            if self.part.subject.is_late() || self.work.is_spent() {
                return Ok(true);
            }
            let mut margin = MARGIN_BYTES;
            is_capped |= loop {
                match self.align_region(segment, &record, hits, margin, copies)? {
                    Region::Aligned { is_capped } => break is_capped,
                    Region::TooNarrow => margin = margin.saturating_mul(4),
                }
            };
        }
        Ok(is_capped)
    }

    fn align_region(
        &mut self,
        segment: &Segment,
        record: &DocumentRecord,
        hits: &[Hit],
        margin: u32,
        copies: &mut Vec<Copy>,
    ) -> Result<Region> {
        let part = self.part;
        let CodeBuffers { query: prepared, source, seeds, align: scratch, parsers } = &mut *self.buffers;
        let ours = &part.prints.lexemes;
        let code_bytes = u32::try_from(part.code.len()).unwrap_or(u32::MAX);
        let query_byte = |hit: &Hit| ours.starts[hit.query_word as usize];
        let start = hits.iter().map(|hit| hit.source_byte.saturating_sub(query_byte(hit))).min().unwrap_or(0);
        let end =
            hits.iter().map(|hit| hit.source_byte.saturating_add(code_bytes - query_byte(hit))).max().unwrap_or(0);
        let range = start.saturating_sub(margin)..end.saturating_add(margin);
        source.read(part.subject.index, segment, record, range.clone())?;
        self.work.spend(source.bytes.len());
        let text = segment.as_text(&source.bytes)?;
        source.prepared.prepare(text, source.language, &source.all, self.table);
        let theirs = &source.prepared;
        let gram = part.subject.index.fingerprinter().recipe().code_gram_lexemes as usize;
        let last_of_gram = u32::try_from(gram - 1).unwrap_or(0);
        seeds.clear();
        for hit in hits {
            let other = hit.source_byte.checked_sub(source.start).and_then(|byte| theirs.at(byte));
            seeds.extend(prepared.at(query_byte(hit)).zip(other));
            // A name's shape looks back over the whole k-gram: that of its last lexeme knows nothing of what stands before it.
            let last = ours.starts.get(hit.query_word as usize + gram - 1).and_then(|&byte| prepared.at(byte));
            seeds.extend(last.zip(other.map(|other| other + last_of_gram)));
        }
        keep_likest(seeds, &prepared.lexemes.hashes, &theirs.lexemes.hashes, gram);
        // Content is compared under the renaming, behind the alignment.
        let (query_view, source_view) = (prepared.view(part.code), theirs.view(text));
        let aligned = align(&query_view, &source_view, seeds, &OPTIONS, |_, _| true, self.work, scratch);
        let n_source = theirs.lexemes.len();
        let is_cut =
            |at: Range<u32>| (at.start == 0 && source.start > 0) || (at.end as usize == n_source && !source.is_doc_end);
        if aligned.alignments.iter().any(|alignment| is_cut(alignment.source_words())) {
            return Ok(Region::TooNarrow);
        }
        let query = prepared.code_view(part.code, part.language);
        let source_code = theirs.code_view(text, source.language);
        let mut is_late = false;
        for (n, alignment) in aligned.alignments.iter().enumerate() {
            // The first is always compared: 250 of them took 0.2 s.
            if n > 0 && part.subject.is_late() {
                is_late = true;
                break;
            }
            let compared = compare_code(&query, &source_code, alignment, &prepared.aliases);
            let Some(mut compared) = compared else { continue };
            let at = source.start + compared.source_span.start..source.start + compared.source_span.end;
            let is_exact = matches!(compared.kind, CopyKind::Verbatim | CopyKind::Reformatted);
            let mut proven = None;
            if let (false, Some((known, byte))) = (is_exact, self.units.longest(self.candidate.place, at)) {
                let stretch = text.get((byte - source.start) as usize..).unwrap_or("");
                let proof = prove(known, stretch, source.language, part.subject.deadline, parsers);
                let unit_bytes = (known.unit.end - known.unit.start) as usize;
                self.work.spend(WORK_PER_PARSED_BYTE * stretch.len().min(4 * unit_bytes));
                if let Some(proof) = proof {
                    let source_bytes = byte - source.start..byte - source.start + proof.source_end;
                    let unit_bytes = known.unit.start..known.unit.end;
                    if compared.is_proven_by(
                        &query,
                        unit_bytes,
                        &source_code,
                        source_bytes,
                        proof.level == Level::Loose,
                    ) {
                        proven = Some((known, proof));
                    }
                }
            }
            if compared.matched < self.tokens_min {
                continue;
            }
            let evidence = evidence(hits, &prepared.among_all(&compared.query));
            compared.query_runs.iter_mut().for_each(|run| *run = prepared.among_all(run));
            let support = support(part, self.candidates, &compared, &evidence);
            if support < SUPPORT_MIN {
                self.weak.extend(evidence);
                continue;
            }
            let views = (&query, &source_code);
            let mut copy = copy_of(part, self.candidate.place, views, source.start, compared, evidence, support)?;
            if let (Some((known, proof)), Some(code)) = (proven, &mut copy.code) {
                code.renames.retain(|rename| !known.binds(&rename.query));
                let renames = proof.renames.into_iter().map(|(query, source)| Rename { query, source });
                code.renames.splice(0..0, renames);
                code.renames.truncate(RENAMES_MAX);
                if !code.renames.is_empty() {
                    copy.kind = CopyKind::Renamed;
                }
            }
            copies.push(copy);
        }
        Ok(Region::Aligned { is_capped: aligned.capped || is_late })
    }
}

impl Source {
    /// Reads a document as far as `range` needs, and cuts it into lexemes.
    fn read(&mut self, index: &Index, segment: &Segment, record: &DocumentRecord, range: Range<u32>) -> Result<()> {
        let doc_bytes = u32::try_from(record.text.end - record.text.start).unwrap_or(u32::MAX);
        let (first, end) = (range.start.min(doc_bytes), range.end.min(doc_bytes));
        let at = |byte: u32| record.text.start + u64::from(byte);
        let mut start = first.saturating_sub(HEADER_SEARCH_BYTES);
        segment.read_text(at(start)..at(end), &mut self.bytes)?;
        let mut skip = if start == 0 { Some(0) } else { last_definition(&self.bytes[..(first - start) as usize]) };
        if skip.is_none() && end <= WHOLE_BYTES_MAX {
            start = 0;
            segment.read_text(at(start)..at(end), &mut self.bytes)?;
            skip = Some(0);
        }
        let skip = skip.unwrap_or_else(|| first_margin_line(&self.bytes[..(first - start) as usize]));
        let keep = if end == doc_bytes { self.bytes.len() } else { last_char_end(&self.bytes) };
        self.bytes.truncate(keep.max(skip));
        self.bytes.drain(..skip);
        self.start = start + u32::try_from(skip).unwrap_or(u32::MAX);
        self.is_doc_end = end == doc_bytes;
        self.language = record.language;
        index.fingerprinter().lexemes(segment.as_text(&self.bytes)?, record.language, &mut self.all);
        Ok(())
    }
}

/// Of the seeds of each k-gram of the query, keeps those whose names and literals are most alike: functions of one shape stand side by side, and
/// their alignments are equally good until names are looked at.
fn keep_likest(seeds: &mut Vec<(u32, u32)>, ours: &[u64], theirs: &[u64], gram: usize) {
    let n_same = |&(at, other): &(u32, u32)| {
        let around = gram.min(at as usize).min(other as usize);
        let (at, other) = (at as usize - around, other as usize - around);
        let (ours, theirs) = (ours.get(at..).unwrap_or(&[]), theirs.get(other..).unwrap_or(&[]));
        ours.iter().zip(theirs).take(2 * gram).filter(|(a, b)| a == b).count()
    };
    seeds.sort_unstable();
    let mut kept = Vec::with_capacity(seeds.len());
    for of_gram in seeds.chunk_by(|a, b| a.0 == b.0) {
        let most = of_gram.iter().map(n_same).max().unwrap_or(0);
        kept.extend(of_gram.iter().copied().filter(|seed| of_gram.len() == 1 || n_same(seed) == most));
    }
    *seeds = kept;
}

/// Finds the last line that begins at the margin with a word that begins a definition: what stands there is no inside of a string.
fn last_definition(bytes: &[u8]) -> Option<usize> {
    let lines = line_starts(bytes);
    lines.rev().find(|&start| DEFINITIONS.iter().any(|word| bytes[start..].starts_with(word.as_bytes())))
}

/// Returns where lines begin behind the first line end, ascending.
fn line_starts(bytes: &[u8]) -> impl DoubleEndedIterator<Item = usize> + '_ {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1)
}

/// Finds a line behind a blank one that begins at the margin with a letter: hardly ever inside of a string. Else the first character.
fn first_margin_line(bytes: &[u8]) -> usize {
    let line = bytes.windows(3).position(|three| three[..2] == *b"\n\n" && three[2].is_ascii_alphabetic());
    let char_start = || bytes.iter().position(|&byte| byte & 0xC0 != 0x80);
    line.map(|at| at + 2).or_else(char_start).unwrap_or(0)
}

/// Returns where the last whole character ends.
fn last_char_end(bytes: &[u8]) -> usize {
    let near = bytes.len().saturating_sub(4);
    match std::str::from_utf8(&bytes[near..]) {
        Ok(_) => bytes.len(),
        // A start that is cut is no matter: only the end is looked for.
        Err(_) => bytes.iter().rposition(|&byte| byte & 0xC0 != 0x80).unwrap_or(0),
    }
}

fn evidence(hits: &[Hit], within: &Range<u32>) -> Vec<u32> {
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
fn distinct_grams(part: CodeSubject<'_>, candidates: &Candidates, evidence: &[u32]) -> f64 {
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
fn support(part: CodeSubject<'_>, candidates: &Candidates, compared: &Comparison, evidence: &[u32]) -> f64 {
    let is_faithful = compared.kind != CopyKind::Edited && compared.meanings_changed + compared.literals_changed == 0;
    let evidence = Evidence {
        grams: distinct_grams(part, candidates, evidence),
        longest_run: compared.longest_run,
        coverage: compared.coverage,
        source_coverage: compared.source_coverage,
        novelty: novelty(part, &compared.query_runs),
        literals_same: compared.literals_same,
        literals_changed: compared.literals_changed,
        own_names_same: compared.names_same.saturating_sub(compared.meanings_same),
        is_faithful,
    };
    evidence.support()
}

fn copy_of(
    part: CodeSubject<'_>,
    place: Place,
    (query, source): (&CodeView<'_>, &CodeView<'_>),
    source_start: u32,
    compared: Comparison,
    evidence: Vec<u32>,
    support: f64,
) -> Result<Copy> {
    let base = u32::try_from(part.start).unwrap_or(u32::MAX);
    let shifted = |span: Span, by: u32| Span::new(span.start + by, span.end + by);
    let source_span = shifted(compared.source_span, source_start);
    let rename = |&(at, other): &(u32, u32)| Rename {
        query: query.spelling(at).to_owned(),
        source: source.spelling(other).to_owned(),
    };
    let renames = compared.renames.iter().take(RENAMES_MAX).map(rename).collect();
    Ok(Copy {
        kind: compared.kind,
        place,
        score: f64::from(compared.matched) / f64::from(compared.length.max(1)),
        matched_words: compared.matched,
        longest_run: compared.longest_run,
        query_runs: compared.query_runs,
        query_span: shifted(compared.query_span, base),
        source_span,
        source_text: SourceText::read(part.subject.index, place, source_span)?,
        evidence,
        lexical: None,
        code: Some(CodeFacts { renames, support }),
    })
}

/// Finds documents that as a whole are nearly the part, whatever their names are called, and puts them in the place of edited copies.
pub(super) fn verify_similar(
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
        let mut copy = near_duplicate(place, similarity, whole(&prints.lexemes, part.start), source, &edited);
        let renames = edited.into_iter().find_map(|copy| copy.code).map(|code| code.renames).unwrap_or_default();
        // Four fifths of so many k-grams are no coincidence.
        copy.code = Some(CodeFacts { renames, support: SIMILAR_SUPPORT });
        verified.copies.push(copy);
    }
    Ok(())
}

/// A copy of code, as far as it explains copies of words.
#[derive(Debug)]
struct Covered {
    place: Place,
    kind: CopyKind,
    span: Span,
    lexemes: u32,
}

/// Which words of the text are code, and which copies of code explain them.
#[derive(Debug, Default)]
pub(super) struct CodeWords {
    /// Words of each part.
    pub(super) words: Vec<Range<u32>>,
    /// Words that are lexemes: neither comments nor strings.
    is_lexeme: Vec<bool>,
    covered: Vec<Covered>,
    /// Documents that share lexemes with a part.
    compared: BTreeSet<Place>,
}

impl CodeWords {
    /// Adds a part with its lexemes.
    pub(super) fn add(&mut self, part: &Part, lexemes: &Lexemes, words: &Words) {
        let base = u32::try_from(part.bytes.start).unwrap_or(u32::MAX);
        let end = u32::try_from(part.bytes.end).unwrap_or(u32::MAX);
        let first = words.starts.partition_point(|&start| start < base);
        let last = words.starts.partition_point(|&start| start < end);
        let number = |word: usize| u32::try_from(word).unwrap_or(u32::MAX);
        self.words.push(number(first)..number(last));
        self.is_lexeme.resize(words.len(), false);
        let mut at = 0;
        for word in first..last {
            let start = words.starts[word] - base;
            while at < lexemes.len() && lexemes.ends[at] <= start {
                at += 1;
            }
            let is_inside = at < lexemes.len() && lexemes.starts[at] <= start;
            self.is_lexeme[word] = is_inside && lexemes.kinds[at] != LexemeKind::Text;
        }
    }

    /// Notes the copies of a part, and with which documents it was compared.
    pub(super) fn cover(&mut self, candidates: &Candidates, copies: &[Copy]) {
        self.compared.extend(candidates.documents.iter().map(|candidate| candidate.place));
        let sure = copies.iter().filter(|copy| copy.code.as_ref().is_some_and(|code| code.support > 0.0));
        self.covered.extend(sure.map(|copy| Covered {
            place: copy.place,
            kind: copy.kind,
            span: copy.query_span,
            lexemes: copy.matched_words,
        }));
    }

    /// Takes from the candidates of words what is code on both sides: that was compared as code.
    pub(super) fn leave_out(&self, index: &Index, candidates: &mut Candidates) -> Result<()> {
        if self.words.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(candidates.documents.len());
        for mut candidate in candidates.documents.drain(..) {
            let segment = &index.segments()[candidate.place.segment_idx];
            let record = segment.record(candidate.place.doc)?;
            // What is too long to be lexed is known by its words alone.
            let doc_bytes = usize::try_from(record.text.end - record.text.start).unwrap_or(usize::MAX);
            let is_lexed = record.language.is_code() && doc_bytes <= LEXED_BYTES_MAX;
            // Code in the comments of a document shares no lexemes with it.
            if is_lexed && self.compared.contains(&candidate.place) {
                candidate.hits.retain(|hit| !self.is_lexeme[hit.query_word as usize]);
            }
            if !candidate.hits.is_empty() {
                kept.push(candidate);
            }
        }
        candidates.documents = kept;
        Ok(())
    }

    /// Tells whether a copy of words says nothing that a copy of code does not say better.
    pub(super) fn explains(&self, copy: &Copy) -> bool {
        let length = |span: Span| f64::from(span.end.saturating_sub(span.start));
        let share = if copy.kind == CopyKind::NearDuplicate { WHOLE_SHARE } else { EXPLAINED_SHARE };
        self.covered.iter().any(|&Covered { place, kind, span, lexemes }| {
            let (start, end) = (span.start.max(copy.query_span.start), span.end.min(copy.query_span.end));
            let is_enough = f64::from(end.saturating_sub(start)) >= share * length(copy.query_span);
            let is_better = copy.kind != CopyKind::NearDuplicate || kind != CopyKind::Edited;
            // Of a function that is mostly documentation, words say more; but not which of them are names.
            let is_more = lexemes >= copy.matched_words || copy.kind == CopyKind::Edited;
            place == copy.place && is_enough && is_better && is_more
        })
    }
}
