//! `verify`: which rows of each group go, and the proof of it.
//!
//! A unit is a range of groups. Members are brought in order by their preference, contents are compared by size, sketch and exact set, and
//! [`super::group`] decides.
//!
//! ```text
//! decisions   removed rows, and kept rows that stand for some, by row
//! ```
//!
//! Groups of a unit are decided side by side, and a large one by all threads. Memory: the members of the groups under way.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use copytrace_indexer::Result;
use rayon::prelude::*;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::cluster::{IS_CONTENT, Member as StoredMember};
use super::context::Context;
use super::facts::{ClusterFacts, ClusterSize, SignFacts, VerifyFacts};
use super::file::{Kind, StageFile};
use super::group::{
    BATCH_MEMBERS_MAX, Bounds, Buckets, Compare, Compared, LEADERS_PER_BUCKET_MAX, Member, Overlap, Removal, decide,
};
use super::recipe::{ExactForm, Level, Rules};
use super::record::{Record, RowNumber, Rows, SKETCH_WORDS, sketch_agreement, sketch_agreement_min};
use super::sets::{Sets, Wanted, extract};
use super::similarity::{SetBits, overlap_at_least};
use super::work::{Part, Receipt, Step};

/// Clusters of a unit that the report may show.
const LARGEST_MAX: usize = 20;
/// Members looked at at once.
const PIECE_MEMBERS: usize = 4096;

/// Why a row is in the list of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Reason {
    /// It is kept and stands for others.
    Kept = 0,
    /// A kept row has the same text.
    Exact = 1,
    /// A kept row is similar.
    Near = 2,
    /// A document of an index is like it; `kept` is the entry's number in the unit's list.
    Against = 3,
    /// A renaming makes a kept row equal.
    Code = 4,
}

/// A decision, as stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Decision {
    pub(super) row: U32,
    /// The kept row that is named; itself where it is kept.
    pub(super) kept: U32,
    /// A [`Reason`].
    pub(super) reason: U32,
    /// Rows of the cluster: the kept one and all that name it.
    pub(super) cluster_rows: U32,
    /// Bits of the Jaccard index.
    pub(super) jaccard: U64,
    /// Bits of the share of the removed row that the kept one holds.
    pub(super) containment: U64,
    /// Name of the cluster: half of the hash of the kept content.
    pub(super) cluster: [u8; 8],
}

/// Does the units of a part: first the sets, those of other parts too where they are not there yet, then the groups.
pub(super) fn verify(context: &Context<'_>, part: Part) -> Result<()> {
    let work = context.work;
    let signed: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    let clustered: Receipt<ClusterFacts> = work.expect_receipt(Step::Cluster, 0)?;
    let n_units = clustered.facts.ends.len();
    let mut missing = Vec::new();
    for unit in (0..n_units).filter(|&unit| part.has(unit)) {
        if work.receipt::<VerifyFacts>(Step::Verify, unit)?.is_none() {
            missing.push(unit);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = Wanted::open(work, &clustered)?;
    context.progress.start(work.pass.inputs.iter().map(|input| input.file_bytes).sum());
    let mut first_rows = vec![0];
    for receipt in &signed {
        first_rows.push(first_rows.last().unwrap_or(&0) + receipt.facts.n_rows());
    }
    // Its own share first, so that parts that run side by side seldom do the same.
    let mut order: Vec<usize> = (0..signed.len()).collect();
    order.sort_by_key(|&unit| (unit % part.of + part.of - (part.number - 1)) % part.of);
    for unit in order {
        if work.receipt::<super::facts::SetFacts>(Step::Sets, unit)?.is_none() {
            extract(context, unit, first_rows[unit], &signed[unit].facts, &wanted)?;
        }
    }
    let rules = &work.pass.rules;
    let group_files = Groups {
        members: work.open_file(&clustered, Step::Cluster, "members", Kind::Members)?,
        rows: Rows::open(work, &signed)?,
        sets: Sets::open(work, &signed)?,
        rules,
        // Sketches may rule out a pair by mistake, once in 300,000.
        agreement_min: if rules.is_exhaustive { 0 } else { sketch_agreement_min(rules.threshold) },
    };
    for unit in missing {
        let start = unit.checked_sub(1).map_or(0, |before| clustered.facts.ends[before]);
        group_files.decide_unit(context, unit, start..clustered.facts.ends[unit])?;
    }
    Ok(())
}

struct Groups<'a> {
    members: StageFile,
    rows: Rows,
    sets: Sets,
    rules: &'a Rules,
    /// Bits that sketches of similar contents share at least.
    agreement_min: u32,
}

/// A row of a group that is being decided.
#[derive(Debug, Clone, Copy)]
struct Ranked {
    /// The first key of its preference, or of its content where it has none.
    key: u128,
    /// Halves of the hashes of its content, of its bytes, and the hash of its id.
    hashes: [u64; 3],
    row: RowNumber,
    content: u32,
}

/// What is compared of a content; the set is empty where it shares no bucket.
#[derive(Debug, Clone, Copy)]
struct Content<'a> {
    record: &'a Record,
    set: &'a [U64],
}

/// What rules pairs out.
#[derive(Debug, Clone, Copy)]
struct Profile {
    sketch: [U64; SKETCH_WORDS],
    set: SetBits,
    /// Half of the hash of a form of code; 0 where there is none.
    code: u64,
}

/// The contents of a group.
struct Contents<'a> {
    list: Vec<Content<'a>>,
    is_near: bool,
    threshold: f64,
    agreement_min: u32,
}

impl Compare for Contents<'_> {
    type Profile = Profile;

    fn profile(&self, content: u32) -> Profile {
        let Content { record, set } = self.list[content as usize];
        Profile { sketch: record.sketch, set: SetBits::of(set), code: first_half(&record.code) }
    }

    fn may_be_alike(&self, a: &Profile, b: &Profile) -> bool {
        (a.code != 0 && a.code == b.code)
            || (self.is_near
                && a.set.may_overlap(&b.set, self.threshold)
                && sketch_agreement(&a.sketch, &b.sketch) >= self.agreement_min)
    }

    fn compare(&self, a: u32, b: u32) -> Option<Overlap> {
        let (a, b) = (self.list[a as usize], self.list[b as usize]);
        if a.record.code != [0; 16] && a.record.code == b.record.code {
            let none = Overlap { jaccard: 0.0, containment: 0.0, is_code: true };
            let words = overlap_at_least(a.set, b.set, f64::MIN_POSITIVE);
            return Some(words.map_or(none, |words| Overlap { is_code: true, ..words }));
        }
        if self.is_near { overlap_at_least(a.set, b.set, self.threshold) } else { None }
    }
}

impl Groups<'_> {
    fn decide_unit(&self, context: &Context<'_>, unit_idx: usize, range: std::ops::Range<u64>) -> Result<()> {
        let range = usize::try_from(range.start).unwrap_or(0)..usize::try_from(range.end).unwrap_or(usize::MAX);
        let mut unit = context.work.begin(Step::Verify, unit_idx);
        let groups = self.split(range)?;
        let decided: Vec<(Vec<Decision>, Compared)> =
            groups.into_par_iter().map(|range| self.decide_group(range)).collect::<Result<_>>()?;
        let mut facts = VerifyFacts::default();
        let mut decisions = Vec::with_capacity(decided.iter().map(|(decisions, _)| decisions.len()).sum());
        for (group, compared) in decided {
            facts.n_compared += compared.n_compared;
            facts.n_ruled_out += compared.n_ruled_out;
            count_clusters(&group, &mut facts);
            decisions.extend(group);
        }
        decisions.sort_unstable_by_key(|decision| decision.row.get());
        self.members.ensure_whole()?;
        self.rows.ensure_whole()?;
        self.sets.ensure_whole()?;

        let mut file = unit.create("decisions", Kind::Decisions)?;
        file.0.write(decisions.as_bytes())?;
        unit.add("decisions", file)?;
        unit.commit(facts)
    }

    /// Returns the ranges of members that are one group each.
    fn split(&self, range: std::ops::Range<usize>) -> Result<Vec<std::ops::Range<usize>>> {
        let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
        let mut known = None;
        for start in range.clone().step_by(PIECE_MEMBERS) {
            let piece = self.members.records::<StoredMember>(start..range.end.min(start + PIECE_MEMBERS))?;
            for (at, member) in (start..).zip(piece) {
                match groups.last_mut() {
                    Some(group) if known == Some(member.group.get()) => group.end = at + 1,
                    _ => groups.push(at..at + 1),
                }
                known = Some(member.group.get());
            }
        }
        Ok(groups)
    }

    fn decide_group(&self, range: std::ops::Range<usize>) -> Result<(Vec<Decision>, Compared)> {
        let stored = self.members.records::<StoredMember>(range)?;
        // The first row of each content, ascending as rows are: it stands before all others of its content.
        let mut firsts: Vec<u32> = Vec::new();
        let mut buckets = Buckets::default();
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut ranked = Vec::new();
        for of_row in stored.chunk_by(|a, b| a.row == b.row) {
            // Buckets, then the first row of the content, where it has more than one.
            let Some(last) = of_row.last() else { continue };
            let (row, value) = (last.row.get(), last.value.get());
            let first = if value & IS_CONTENT == 0 { row } else { u32::try_from(value & !IS_CONTENT).unwrap_or(row) };
            let content = if first == row {
                firsts.push(row);
                buckets.push_content();
                for member in of_row.iter().filter(|member| member.value.get() & IS_CONTENT == 0) {
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    buckets.push_bucket(*numbers.entry(member.value.get()).or_insert(next));
                }
                firsts.len() - 1
            } else {
                let at = of_row.len();
                firsts
                    .binary_search(&first)
                    .map_err(|_| self.members.corrupt("first row of a content", at, row, first))?
            };
            let (content, row) = (u32::try_from(content).unwrap_or(u32::MAX), RowNumber(row));
            let record = self.rows.record(row)?;
            let hashes = [first_half(&record.content), first_half(&record.raw), record.id_hash.get()];
            ranked.push(Ranked { key: self.rows.first_key(row)?, hashes, row, content });
        }
        drop(numbers);
        self.rank(&mut ranked)?;

        let member = |ranked: &Ranked| {
            Ok(Member { content: ranked.content, keep_group: self.rows.record(ranked.row)?.keep_group.get() })
        };
        let members: Vec<Member> = ranked.iter().map(member).collect::<Result<_>>()?;
        let content = |(idx, &row): (u32, &u32)| {
            let row = RowNumber(row);
            let set = if buckets.of(idx).is_empty() { &[] } else { self.sets.get(row)? };
            Ok(Content { record: self.rows.record(row)?, set })
        };
        let contents = Contents {
            list: (0..).zip(&firsts).map(content).collect::<Result<_>>()?,
            is_near: self.rules.has(Level::Near),
            threshold: self.rules.threshold,
            agreement_min: self.agreement_min,
        };
        let leaders_max = if self.rules.is_exhaustive { usize::MAX } else { LEADERS_PER_BUCKET_MAX };
        let bounds = Bounds { leaders_max, batch_max: BATCH_MEMBERS_MAX };
        let (removals, compared) = decide(&members, &buckets, self.rules.keep, &contents, bounds);
        Ok((self.decisions(&ranked, &removals)?, compared))
    }

    /// Brings rows in order, the best first.
    fn rank(&self, rows: &mut [Ranked]) -> Result<()> {
        let trouble = Cell::new(None);
        // One term is all of the preference, and half a hash all of it, unless contents differ.
        let has_one_key = self.rules.preference()?.n_terms() <= 1;
        rows.sort_unstable_by(|a, b| {
            a.key.cmp(&b.key).then_with(|| {
                if has_one_key && (a.hashes[0] != b.hashes[0] || a.content == b.content) {
                    return a.hashes.cmp(&b.hashes).then(a.row.cmp(&b.row));
                }
                self.rows.order(a.row, b.row).unwrap_or_else(|error| {
                    trouble.set(Some(error));
                    a.row.cmp(&b.row)
                })
            })
        });
        trouble.into_inner().map_or(Ok(()), Err)
    }

    fn decisions(&self, ranked: &[Ranked], removals: &[Option<Removal>]) -> Result<Vec<Decision>> {
        let mut rows_of: BTreeMap<u32, u32> = BTreeMap::new();
        for removal in removals.iter().flatten() {
            *rows_of.entry(removal.kept).or_insert(1) += 1;
        }
        let mut decisions = Vec::with_capacity(rows_of.len() + removals.iter().flatten().count());
        let mut push =
            |row: RowNumber, kept: RowNumber, reason: Reason, cluster_rows: u32, overlap: Overlap| -> Result<()> {
                let content = self.rows.record(kept)?.content;
                let mut cluster = [0; 8];
                cluster.copy_from_slice(&content[..8]);
                decisions.push(Decision {
                    row: U32::new(row.0),
                    kept: U32::new(kept.0),
                    reason: U32::new(reason as u32),
                    cluster_rows: U32::new(cluster_rows),
                    jaccard: U64::new(overlap.jaccard.to_bits()),
                    containment: U64::new(overlap.containment.to_bits()),
                    cluster,
                });
                Ok(())
            };
        for (&kept, &n_rows) in &rows_of {
            let row = ranked[kept as usize].row;
            push(row, row, Reason::Kept, n_rows, Overlap::EQUAL)?;
        }
        for (ranked_row, removal) in ranked.iter().zip(removals) {
            let Some(Removal { kept, overlap }) = *removal else { continue };
            let (row, named) = (ranked_row.row, ranked[kept as usize]);
            let is_equal = ranked_row.content == named.content
                && (self.rules.exact_form == ExactForm::Normal
                    || self.rows.record(row)?.raw == self.rows.record(named.row)?.raw);
            let reason = match (is_equal, overlap.is_code) {
                (true, _) => Reason::Exact,
                (false, true) => Reason::Code,
                (false, false) => Reason::Near,
            };
            push(row, named.row, reason, rows_of[&kept], overlap)?;
        }
        Ok(decisions)
    }
}

/// Returns the first half of a hash as a number that compares as its bytes do.
fn first_half(hash: &[u8; 16]) -> u64 {
    hash[..8].iter().fold(0, |half, &byte| half << 8 | u64::from(byte))
}

/// Counts the clusters of a group for the report.
fn count_clusters(decisions: &[Decision], facts: &mut VerifyFacts) {
    // Of each kept row: the least similar removed one.
    let mut farthest: BTreeMap<u32, (f64, u32)> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision.reason.get() != Reason::Kept as u32) {
        facts.n_removed += 1;
        let found = (f64::from_bits(decision.jaccard.get()), decision.row.get());
        let known = farthest.entry(decision.kept.get()).or_insert(found);
        if found < *known {
            *known = found;
        }
    }
    for decision in decisions.iter().filter(|decision| decision.reason.get() == Reason::Kept as u32) {
        let rows = u64::from(decision.cluster_rows.get());
        *facts.sizes.entry(rows).or_default() += 1;
        let kept = decision.row.get();
        let removed = farthest.get(&kept).map_or(kept, |&(_, row)| row);
        facts.largest.push(ClusterSize { rows, kept, removed });
    }
    facts.largest.sort_unstable_by(|a, b| b.rows.cmp(&a.rows).then(a.kept.cmp(&b.kept)));
    facts.largest.truncate(LARGEST_MAX);
}
