//! The engine: indexes and a policy; a text in, an answer out.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::Storage;
use copytrace_indexer::span::Span;

use super::answer::{Answer, DocumentRef, IndexVersion, LineSpan, Match};
use super::common::Commonness;
use super::indexes::{FollowedIndex, NamedIndex, lock};
use super::lexical::LexicalBuffers;
use super::passages::{self, Buffers, Copy, Subject};
use super::policy::Policy;
use super::prompt::Echo;
use super::{Checker, Request, TEXT_BYTES_MAX, lexical, whole};
use crate::error::{Error, Result};
use crate::query::passages::{Candidates, GramCount, information_bits};
use crate::query::prints::Prints;
use crate::query::{documents, passages as query_passages};
use crate::verify::kind::CopyKind;
use crate::verify::work::Work;

/// Documents over which the occurrences of a passage are counted; more, and the count is said to be capped.
const COUNTED_DOCS_MAX: usize = 4096;
/// Copies described for one text and index, best first: 50 are listed, all are judged. Each costs 10 us; the deadline bounds them, too.
const COPIES_MAX: usize = 10_000;
/// Time for a check whose request has no deadline: the default budget of the service is far lower, a command has time.
const UNBOUNDED_CHECK: Duration = Duration::from_secs(10);

/// Checks texts against one or more indexes.
#[derive(Debug)]
pub struct Engine {
    indexes: Vec<FollowedIndex>,
    policy: Policy,
    /// Sound after a panic elsewhere: it only holds buffers.
    idle: Mutex<Vec<Working>>,
}

/// Buffers of one running check; kept between checks.
#[derive(Debug, Default)]
struct Working {
    prints: Prints,
    buffers: Buffers,
    lexical: LexicalBuffers,
}

impl Engine {
    /// Opens the index in each folder, and follows it: a check sees every commit made before it began, or
    /// says in `degraded` that it does not, where another check takes long to open it.
    ///
    /// # Errors
    /// What opening an index says; see [`Index::open`].
    pub fn open(dirs: &[impl AsRef<Path>], seed: u64, policy: Policy) -> Result<Self> {
        Ok(Self::over(FollowedIndex::open_dirs(dirs, seed)?, policy))
    }

    /// Opens the index in each storage under a name, and follows it, as [`open`](Self::open) does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn follow(
        storages: impl IntoIterator<Item = (String, Arc<dyn Storage>)>,
        seed: u64,
        policy: Policy,
    ) -> Result<Self> {
        let open = |(name, storage)| FollowedIndex::open(name, storage, seed);
        Ok(Self::over(storages.into_iter().map(open).collect::<Result<_>>()?, policy))
    }

    /// Makes an engine of indexes that are open already, and stay as they are.
    pub fn new(indexes: impl IntoIterator<Item = (String, Index)>, policy: Policy) -> Self {
        Self::over(indexes.into_iter().map(|(name, index)| FollowedIndex::fixed(name, index)).collect(), policy)
    }

    fn over(indexes: Vec<FollowedIndex>, policy: Policy) -> Self {
        Self { indexes, policy, idle: Mutex::default() }
    }

    fn check_with(&self, request: &Request, working: &mut Working) -> Result<Answer> {
        check_length("text", &request.text)?;
        check_length("prompt", &request.prompt)?;
        let mut answer = Answer {
            id: request.id.clone(),
            checked_bytes: u32::try_from(request.text.len()).unwrap_or(u32::MAX),
            ..Answer::default()
        };
        working.buffers.work = Work::default();
        for index in &self.indexes {
            let named = index.newest()?;
            if named.is_outdated {
                let name = &named.name;
                answer.degraded.push(format!(
                    "index `{name}`: a newer generation is still being opened, the one before was asked"
                ));
            }
            self.check_one(&named, request, working, &mut answer)?;
            let generation = named.index.generation().0;
            answer.indexes.push(IndexVersion { name: named.name.to_string(), generation });
        }
        answer.matches.sort_by(best_first);
        answer.degraded.sort_unstable();
        answer.degraded.dedup();
        answer.verdict = self.policy.decide(&answer.matches, &request.text, &answer.degraded);
        self.policy.keep_reported(&mut answer.matches);
        Ok(answer)
    }

    fn check_one(
        &self,
        named: &NamedIndex,
        request: &Request,
        working: &mut Working,
        answer: &mut Answer,
    ) -> Result<()> {
        let (index, text) = (&*named.index, request.text.as_str());
        let deadline = Some(request.deadline.unwrap_or_else(|| Instant::now() + UNBOUNDED_CHECK));
        let Working { prints, buffers, lexical: lexical_buffers } = working;
        prints.compute(index.fingerprinter(), text);
        let subject = Subject { index, text, prints, deadline };
        let candidates = query_passages::find(index, prints, deadline)?;
        let documents = documents::find(index, prints)?;
        let words_min = self.policy.report_tokens_min();
        let whole = whole::verify_exact(subject, &documents, &candidates, words_min, buffers)?;
        let verified = passages::verify(subject, &candidates, whole, words_min, buffers)?;
        let mut copies = verified.copies;
        let looked_up = if request.is_lexical {
            lexical::verify(subject, words_min, &mut copies, buffers, lexical_buffers)?
        } else {
            lexical::Outcome::default()
        };
        let jaccard_min = self.policy.near_duplicate_jaccard_min();
        let similar = whole::verify_similar(subject, &documents, jaccard_min, &mut copies, buffers)?;
        if similar.is_late || verified.is_late || candidates.is_late {
            answer
                .degraded
                .push(format!("index `{}`: the deadline passed before every candidate was compared", named.name));
        }
        if looked_up.is_late {
            answer.degraded.push(format!(
                "index `{}`: the deadline passed before every stretch was looked up by its rare words",
                named.name
            ));
        }
        if candidates.is_stale {
            answer.degraded.push(format!(
                "index `{}`: a passage of the text was in more documents than are kept, and some of those are removed now",
                named.name
            ));
        }
        if index.segments().iter().any(|segment| segment.anchors().is_none()) {
            answer
                .degraded
                .push(format!("index `{}`: made for deduplication, passages cannot be found in it", named.name));
        }
        let has_similar = copies.iter().any(|copy| copy.kind == CopyKind::NearDuplicate);
        if !has_similar && documents.n_likely > whole::SIMILAR_DOCS_MAX {
            answer.degraded.push(format!("index `{}`: more similar documents than are compared", named.name));
        }
        if candidates.is_overfull || verified.is_overfull || looked_up.is_capped || similar.is_capped {
            answer.degraded.push(format!("index `{}`: more candidates than are compared", named.name));
        }
        let echo = Echo::find(index.fingerprinter(), prints, &request.prompt);
        let origins_min = self.policy.common_origins_min();
        let commonness = Commonness::find(index, prints.words.len(), &candidates, &copies, origins_min)?;
        let context = Context { named, text, prints, candidates: &candidates, echo: &echo, commonness: &commonness };
        copies.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.kind.cmp(&b.kind)).then(a.place.cmp(&b.place)));
        let mut is_cut = copies.len() > COPIES_MAX;
        for (n, copy) in copies.iter().take(COPIES_MAX).enumerate() {
            // The best one is always told: what was found must not be lost with the rest.
            if n > 0 && subject.is_late() {
                is_cut = true;
                break;
            }
            answer.matches.push(context.describe(copy)?);
        }
        if is_cut {
            answer.degraded.push(format!("index `{}`: more copies than are described", named.name));
        }
        Ok(())
    }
}

impl Checker for Engine {
    fn check(&self, request: &Request) -> Result<Answer> {
        let mut working = lock(&self.idle).pop().unwrap_or_default();
        let answer = self.check_with(request, &mut working);
        lock(&self.idle).push(working);
        answer
    }
}

fn check_length(field: &str, text: &str) -> Result<()> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let expected = format!("at most {TEXT_BYTES_MAX} bytes");
    Err(Error::Field { field: field.to_owned(), expected, found: format!("{} bytes long", text.len()) })
}

/// What a copy weighs: its words, less where they are edited.
fn weight(copy: &Copy) -> f64 {
    f64::from(copy.matched_words) * copy.score
}

/// What counts comes first: not common, many words, few edits, the more literal kind, much evidence; then a fixed order.
fn best_first(a: &Match, b: &Match) -> std::cmp::Ordering {
    let weight = |found: &Match| f64::from(found.matched_tokens) * found.score;
    a.common
        .cmp(&b.common)
        .then(weight(b).total_cmp(&weight(a)))
        .then(a.kind.cmp(&b.kind))
        .then(b.evidence_bits.total_cmp(&a.evidence_bits))
        .then(a.query_span.start_byte.cmp(&b.query_span.start_byte))
        .then(a.document.cmp(&b.document))
        .then(a.source_span.start_byte.cmp(&b.source_span.start_byte))
}

/// What is needed to describe the copies found in one index.
struct Context<'a> {
    named: &'a NamedIndex,
    text: &'a str,
    prints: &'a Prints,
    candidates: &'a Candidates,
    echo: &'a Echo,
    commonness: &'a Commonness<'a>,
}

/// In how many documents a passage stands.
struct Occurrences {
    n_docs: u32,
    is_capped: bool,
}

impl Context<'_> {
    fn describe(&self, copy: &Copy) -> Result<Match> {
        let segment = &self.named.index.segments()[copy.place.segment_idx];
        let (id, attributes) = segment.attributes(copy.place.doc)?;
        let occurrences = self.count(copy);
        Ok(Match {
            kind: copy.kind,
            score: copy.score,
            matched_tokens: copy.matched_words,
            evidence_bits: self.bits(copy),
            query_span: line_span(copy.query_span, copy.query_span.lines(self.text)),
            source_span: line_span(copy.source_span, copy.source_text.lines),
            document: DocumentRef::new(id, attributes, self.named.name.to_string()),
            renames: Vec::new(),
            document_count: occurrences.n_docs,
            document_count_capped: occurrences.is_capped,
            common: copy.kind != CopyKind::NearDuplicate && self.commonness.is_common(copy),
            longest_run: copy.longest_run,
            distinct_words: self.distinct_words(copy),
            tokens_beyond_prompt: self.echo.words_beyond(&copy.query_runs),
            source_excerpt: copy.source_text.excerpt.clone(),
        })
    }

    fn gram(&self, word: u32) -> GramCount {
        self.candidates.grams[word as usize]
    }

    fn bits(&self, copy: &Copy) -> f64 {
        let n_docs = self.named.index.n_docs();
        let bits: f64 = copy.evidence.iter().map(|&word| information_bits(n_docs, self.gram(word).n_docs)).sum();
        // Words and k-grams of the same stretch are not independent: the stronger of the two counts, not the sum.
        bits.max(copy.lexical.map_or(0.0, |lexical| lexical.bits))
    }

    fn distinct_words(&self, copy: &Copy) -> u32 {
        let hashes = &self.prints.words.hashes;
        let runs = copy.query_runs.iter().map(|run| &hashes[run.start as usize..run.end as usize]);
        let distinct: BTreeSet<u64> = runs.flatten().copied().collect();
        u32::try_from(distinct.len()).unwrap_or(u32::MAX)
    }

    /// Counts the documents that share at least half of the k-grams that are this copy's evidence.
    fn count(&self, copy: &Copy) -> Occurrences {
        let evidence = &copy.evidence;
        let shares_half = |words: &[u32]| {
            // Most candidates of a long text share a few k-grams and are told by their number alone.
            if words.len() * 2 < evidence.len() {
                return false;
            }
            let n_shared = evidence.iter().filter(|word| words.binary_search(word).is_ok()).count();
            n_shared * 2 >= evidence.len()
        };
        let n_lexical = copy.lexical.map_or(0, |lexical| lexical.n_docs);
        if evidence.is_empty() {
            return Occurrences { n_docs: n_lexical.max(1), is_capped: false };
        }
        let documents = &self.candidates.documents;
        let counted = documents.iter().take(COUNTED_DOCS_MAX);
        let n_docs = counted.filter(|candidate| candidate.place == copy.place || shares_half(&candidate.words)).count();
        let n_docs = u32::try_from(n_docs.max(1)).unwrap_or(u32::MAX).max(n_lexical);
        // No more documents can hold the passage than hold its rarest k-gram.
        let capped = evidence.iter().map(|&word| self.gram(word)).filter(|gram| gram.is_capped);
        match capped.map(|gram| gram.n_docs).min() {
            Some(n_capped) => Occurrences { n_docs: n_docs.max(n_capped), is_capped: true },
            None => Occurrences { n_docs, is_capped: documents.len() > COUNTED_DOCS_MAX },
        }
    }
}

fn line_span(span: Span, (start_line, end_line): (u32, u32)) -> LineSpan {
    LineSpan { start_byte: span.start, end_byte: span.end, start_line, end_line }
}
