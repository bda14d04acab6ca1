//! The engine: indexes and a policy; a text in, an answer out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::Storage;
use copytrace_indexer::syntax::Trouble;

use super::answer::{Answer, DocumentRef, IndexVersion, LineSpan, Match};
use super::code::{CodeBuffers, CodeSubject, CodeWords, Found, find_rare_words};
use super::common::{Commonness, GramSize, WordGrams};
use super::describe::Context;
use super::indexes::{FollowedIndex, NamedIndex, lock};
use super::lexical::LexicalBuffers;
use super::parts::{Part, Parts, find_code};
use super::passages::{self, Buffers, Copy, Subject};
use super::policy::Policy;
use super::prompt::Prompt;
use super::{Checker, Request, TEXT_BYTES_MAX, code, lexical, whole};
use crate::error::{Error, Result};
use crate::query::passages::Candidates;
use crate::query::prints::{CodePrints, Prints};
use crate::query::{documents, passages as query_passages};
use crate::verify::kind::CopyKind;
use crate::verify::marks::MarkTable;
use crate::verify::work::Work;

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
    code_prints: CodePrints,
    buffers: Buffers,
    code_buffers: CodeBuffers,
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
        let parts = find_code(&request.text, request.language);
        let mut prompt = Prompt::new(&request.prompt);
        for index in &self.indexes {
            let named = index.newest()?;
            if named.is_outdated {
                let name = &named.name;
                answer.degraded.push(format!(
                    "index `{name}`: a newer generation is still being opened, the one before was asked"
                ));
            }
            self.check_one(&named, request, &parts, &mut prompt, working, &mut answer)?;
            let generation = named.index.generation().0;
            answer.indexes.push(IndexVersion { name: named.name.to_string(), generation });
        }
        sort_best_first(&mut answer.matches);
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
        parts: &Parts,
        prompt: &mut Prompt<'_>,
        working: &mut Working,
        answer: &mut Answer,
    ) -> Result<()> {
        let (index, text) = (&*named.index, request.text.as_str());
        let deadline = Some(request.deadline.unwrap_or_else(|| Instant::now() + UNBOUNDED_CHECK));
        let Working { prints, code_prints, buffers, code_buffers, lexical: lexical_buffers } = working;
        prints.compute(index.fingerprinter(), text);
        let subject = Subject { index, text, prints, deadline };
        let mut candidates = query_passages::find(index, prints, deadline)?;
        let documents = documents::find(index, prints)?;
        let tokens_min = self.policy.report_tokens_min();
        let jaccard_min = self.policy.near_duplicate_jaccard_min();
        let mut missing = Missing::default();

        let one = OneIndex { policy: &self.policy, named, subject, words: &candidates };
        let mut code = CodeWords::default();
        for part in &parts.parts {
            let tools = Tools { prompt, buffers: code_buffers, work: &mut buffers.work };
            one.check_code(part, &mut code, code_prints, tools, &mut missing, answer)?;
        }
        missing.is_prompt_late = prompt.is_late;
        code.leave_out(index, &mut candidates)?;

        let whole = whole::verify_exact(subject, &documents, &candidates, tokens_min, buffers)?;
        let verified = passages::verify(subject, &candidates, whole, tokens_min, buffers)?;
        let mut copies = verified.copies;
        let looked_up = if request.is_lexical {
            lexical::verify(subject, tokens_min, &code.stretches(), &mut copies, buffers, lexical_buffers)?
        } else {
            lexical::Outcome::default()
        };
        let similar = whole::verify_similar(subject, &documents, jaccard_min, &mut copies, buffers)?;
        let has_similar = copies.iter().any(|copy| copy.kind == CopyKind::NearDuplicate);
        copies.retain(|copy| !code.explains(copy));
        missing.is_late |= similar.is_late || verified.is_late || candidates.is_late;
        missing.is_stale |= candidates.is_stale;
        missing.is_lexical_late = looked_up.is_late;
        missing.is_overfull |=
            candidates.is_overfull || verified.is_overfull || looked_up.is_capped || similar.is_capped;
        missing.is_dedup = index.segments().iter().any(|segment| segment.anchors().is_none());
        missing.is_alike |= !has_similar && documents.n_likely > whole::SIMILAR_DOCS_MAX;
        missing.is_capped = parts.is_capped;
        let echo = prompt.echo(index.fingerprinter(), prints);
        let size = GramSize::of_words(index.fingerprinter().recipe());
        let origins_min = self.policy.common_origins_min();
        let commonness = Commonness::find(index, prints.words.len(), &candidates, &copies, origins_min, size)?;
        let context = Context {
            named,
            text,
            hashes: &prints.words.hashes,
            candidates: &candidates,
            echo: &echo,
            commonness: &commonness,
            gram_words: size.gram_words,
        };
        missing.is_cut |= describe_all(&context, subject, copies, answer)?;
        missing.say(&named.name, &mut answer.degraded);
        Ok(())
    }
}

/// What a check works with, from part to part.
struct Tools<'a, 'p> {
    prompt: &'a mut Prompt<'p>,
    buffers: &'a mut CodeBuffers,
    work: &'a mut Work,
}

/// What is asked of one index.
struct OneIndex<'a> {
    policy: &'a Policy,
    named: &'a NamedIndex,
    subject: Subject<'a>,
    /// Candidates of the text as a whole, by its words.
    words: &'a Candidates,
}

impl OneIndex<'_> {
    /// Adds the copies of a part that is code to the answer, and notes what they explain.
    fn check_code(
        &self,
        part: &Part,
        code: &mut CodeWords,
        prints: &mut CodePrints,
        tools: Tools<'_, '_>,
        missing: &mut Missing,
        answer: &mut Answer,
    ) -> Result<()> {
        let Tools { prompt, buffers, work } = tools;
        let Subject { index, text, deadline, .. } = self.subject;
        let fingerprinter = index.fingerprinter();
        let content = &text[part.bytes.clone()];
        prints.compute(fingerprinter, content, part.language);
        code.add(part, &prints.lexemes, &self.subject.prints.words);
        let words = &self.subject.prints.words;
        let (is_rare, rare) = find_rare_words(self.words, &words.starts, part, &prints.lexemes);
        let mut candidates = query_passages::find_code(index, prints, &is_rare, deadline)?;
        let subject = CodeSubject {
            subject: self.subject,
            start: part.bytes.start,
            code: content,
            language: part.language,
            prints,
            rare: &rare,
        };
        let table = MarkTable::new(|kind, spelling| fingerprinter.lexer().hash_of(kind, spelling));
        let tokens_min = self.policy.report_tokens_min();
        let mut found = code::verify(subject, &table, &mut candidates, tokens_min, work, buffers)?;
        let similar = documents::find_code(index, prints)?;
        let jaccard_min = self.policy.near_duplicate_jaccard_min();
        code::verify_similar(subject, &similar, jaccard_min, &mut found.verified, work)?;
        let Found { verified, units, .. } = &found;
        missing.trouble = missing.trouble.or(units.trouble.filter(|trouble| *trouble != Trouble::NoGrammar));
        missing.is_late |= candidates.is_late || units.is_late || verified.is_late;
        missing.is_stale |= candidates.is_stale;
        missing.is_overfull |= candidates.is_overfull || verified.is_overfull;
        missing.has_more_units |= units.is_overfull;
        let has_similar = verified.copies.iter().any(|copy| copy.kind == CopyKind::NearDuplicate);
        missing.is_alike |= !has_similar && similar.n_likely > code::SIMILAR_DOCS_MAX;
        code.cover(subject, &found);
        let words = WordGrams { candidates: self.words, starts: &self.subject.prints.words.starts };
        let context = Context {
            named: self.named,
            text,
            hashes: &prints.lexemes.hashes,
            candidates: &candidates,
            echo: &prompt.code_echo(fingerprinter, prints, part.language, &table, deadline),
            commonness: &Commonness::of_code(&candidates, self.policy.common_origins_min(), words),
            gram_words: GramSize::of_lexemes(fingerprinter.recipe()).gram_words,
        };
        missing.is_cut |= describe_all(&context, self.subject, found.verified.copies, answer)?;
        Ok(())
    }
}

/// Describes copies, best first. Returns whether some were left out.
fn describe_all(
    context: &Context<'_>,
    subject: Subject<'_>,
    mut copies: Vec<Copy>,
    answer: &mut Answer,
) -> Result<bool> {
    copies.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.kind.cmp(&b.kind)).then(a.place.cmp(&b.place)));
    for (n, copy) in copies.iter().take(COPIES_MAX).enumerate() {
        // The best one is always told: what was found must not be lost with the rest.
        if n > 0 && subject.is_late() {
            return Ok(true);
        }
        answer.matches.push(context.describe(copy)?);
    }
    Ok(copies.len() > COPIES_MAX)
}

/// What was not looked at in one index.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sentence of the answer")]
struct Missing {
    is_late: bool,
    is_lexical_late: bool,
    is_prompt_late: bool,
    is_stale: bool,
    is_dedup: bool,
    is_alike: bool,
    is_overfull: bool,
    is_capped: bool,
    is_cut: bool,
    has_more_units: bool,
    trouble: Option<Trouble>,
}

impl Missing {
    fn say(self, index: &str, degraded: &mut Vec<String>) {
        if let Some(trouble) = self.trouble {
            degraded.push(format!("code was compared by its tokens alone: {trouble}"));
        }
        for (is_so, what) in [
            (self.is_late, "the deadline passed before every candidate was compared"),
            (self.is_lexical_late, "the deadline passed before every stretch was looked up by its rare words"),
            (self.is_prompt_late, "the deadline passed before the prompt was read in each language of the text"),
            (
                self.is_stale,
                "a passage of the text was in more documents than are kept, and some of those are removed now",
            ),
            (self.is_dedup, "made for deduplication, passages cannot be found in it"),
            (self.is_alike, "more similar documents than are compared"),
            (self.is_overfull, "more candidates than are compared"),
            (self.is_capped, "more blocks of code than are compared as code"),
            (self.is_cut, "more copies than are described"),
            (self.has_more_units, "more units of code than are looked up and proven"),
        ] {
            if is_so {
                degraded.push(format!("index `{index}`: {what}"));
            }
        }
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
///
/// Of one stretch of one document that is told twice, by its code and, with its comments, as an edited copy of words, the code comes first.
fn sort_best_first(matches: &mut Vec<Match>) {
    let weight = |found: &Match| f64::from(found.matched_tokens) * found.score;
    // Idioms of code, which no rule counts, come behind what is sure to be a copy.
    let is_sure = |found: &Match| found.code.as_ref().is_none_or(|code| code.support > 0.0);
    let mut code: BTreeMap<DocumentRef, Vec<(LineSpan, f64)>> = BTreeMap::new();
    for found in matches.iter().filter(|found| found.code.is_some() && is_sure(found)) {
        code.entry(found.document.clone()).or_default().push((found.query_span, weight(found)));
    }
    let overlaps = |a: LineSpan, b: LineSpan| a.start_byte < b.end_byte && b.start_byte < a.end_byte;
    let rank = |found: &Match| {
        let is_edited = found.code.is_none() && found.kind == CopyKind::Edited;
        let beside = code.get(&found.document).filter(|_| is_edited).into_iter().flatten();
        let above = beside.filter(|(span, _)| overlaps(*span, found.query_span)).map(|(_, weight)| *weight);
        (above.fold(weight(found), f64::min), is_edited)
    };
    let mut ranked: Vec<(f64, bool, Match)> = std::mem::take(matches)
        .into_iter()
        .map(|found| {
            let (weight, is_edited) = rank(&found);
            (weight, is_edited, found)
        })
        .collect();
    ranked.sort_by(|(a_weight, a_edited, a), (b_weight, b_edited, b)| {
        a.common
            .cmp(&b.common)
            .then(is_sure(b).cmp(&is_sure(a)))
            .then(b_weight.total_cmp(a_weight))
            .then(a_edited.cmp(b_edited))
            .then(a.kind.cmp(&b.kind))
            .then(b.evidence_bits.total_cmp(&a.evidence_bits))
            .then(a.query_span.start_byte.cmp(&b.query_span.start_byte))
            .then(a.document.cmp(&b.document))
            .then(a.source_span.start_byte.cmp(&b.source_span.start_byte))
    });
    matches.extend(ranked.into_iter().map(|(_, _, found)| found));
}
