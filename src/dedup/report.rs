//! The report of a pass: what was read, what went and why, by source and licence.

use std::collections::BTreeMap;

use copytrace_indexer::Result;
use serde::{Deserialize, Serialize};

use super::facts::{
    Amount, ApplyFacts, ByName, ClusterFacts, ClusterSize, CutFacts, FunctionFacts, MergeFacts, PassageFacts, SetFacts,
    SignFacts, Skipped, VerifyFacts, count_name,
};
use super::recipe::Rules;
use super::record::{RowNumber, Rows};
use super::work::{Receipt, Step, Work};

/// Share of the rows of a source above which its loss is an alarm.
const ALARM_SHARE: f64 = 0.5;
/// Least rows of a source whose loss is an alarm: of a handful half is nothing.
const ALARM_ROWS_MIN: u64 = 100;
/// Most clusters that are shown.
const CLUSTERS_MAX: usize = 20;
/// Points of the curve of candidates.
const CURVE_POINTS: u32 = 20;

/// What `report.json` says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Hash of the options and inputs.
    pub recipe: String,
    /// What was asked for.
    pub rules: Rules,
    /// Rows of the input, those without a document included.
    pub rows: u64,
    /// Rows that hold a document.
    pub documents: Amount,
    /// Words in them.
    pub words: u64,
    /// Rows that went.
    pub removed: Amount,
    /// Rows that would go but belong to a repository; they stay.
    pub reported: u64,
    /// Rows that went, by why.
    pub by_kind: BTreeMap<String, u64>,
    /// What was cut of functions and the like in rows that stay; none where code was not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<FunctionFacts>,
    /// What else was cut out of rows that stay; none where passages were not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passages: Option<PassageFacts>,
    /// Rows that hold no document, by reason. They stay.
    pub skipped: BTreeMap<String, Skipped>,
    /// Losses by origin, largest first.
    pub origins: Vec<Loss>,
    /// Losses by licence, largest first.
    pub licenses: Vec<Loss>,
    /// How many clusters have so many rows.
    pub cluster_sizes: BTreeMap<u64, u64>,
    /// The largest clusters.
    pub largest_clusters: Vec<Cluster>,
    /// Pairs that were compared exactly, and pairs that sizes and sketches ruled out.
    pub pairs: Pairs,
    /// Share of the pairs of a Jaccard index that become candidates.
    pub curve: Vec<CurvePoint>,
    /// Work of each stage, in seconds, all units together.
    pub seconds: BTreeMap<String, f64>,
}

/// What a source or licence lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// Its name; empty for rows that give none.
    pub name: String,
    /// What it had.
    pub before: Amount,
    /// What went.
    pub removed: Amount,
    /// Whether a person should look.
    pub is_alarm: bool,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Rows in it.
    pub rows: u64,
    /// The kept row.
    pub kept_id: String,
    /// The removed row that is least like it.
    pub farthest_id: String,
    /// The beginning of the kept text.
    pub kept_sample: String,
    /// The beginning of the removed text.
    pub farthest_sample: String,
}

/// Pairs of contents that shared a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pairs {
    /// Compared exactly.
    pub compared: u64,
    /// Ruled out before.
    pub ruled_out: u64,
    /// Contents in the largest bucket.
    pub largest_bucket: u64,
    /// Groups of candidates.
    pub groups: u64,
    /// Rows of the largest group.
    pub largest_group: u64,
}

/// A point of the curve of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Jaccard index.
    pub jaccard: f64,
    /// Share of the pairs that share a bucket.
    pub found: f64,
}

/// Returns the largest of some clusters, the largest first.
pub(super) fn largest_of(mut clusters: Vec<ClusterSize>) -> Vec<ClusterSize> {
    clusters.sort_unstable_by(|a, b| b.rows.cmp(&a.rows).then(a.kept.cmp(&b.kept)));
    clusters.truncate(CLUSTERS_MAX);
    clusters
}

/// Returns the shares of pairs that share a bucket, for indexes from 0.05 to 1.
pub(super) fn curve_of(rules: &Rules) -> Vec<CurvePoint> {
    let found = |jaccard| {
        let is_certain = rules.is_exhaustive && jaccard >= rules.threshold;
        if is_certain { 1.0 } else { candidates_share(jaccard, rules.bands, rules.rows) }
    };
    let points = (1..=CURVE_POINTS).map(|n| f64::from(n) / f64::from(CURVE_POINTS));
    points.map(|jaccard| CurvePoint { jaccard, found: found(jaccard) }).collect()
}

/// Returns the share of pairs of a Jaccard index that share at least one of `bands` bands of `rows` rows.
pub(super) fn candidates_share(jaccard: f64, bands: u32, rows: u32) -> f64 {
    let exponent = |n: u32| f64::from(n);
    1.0 - (1.0 - jaccard.powf(exponent(rows))).powf(exponent(bands))
}

/// Makes the report of a pass all of whose stages are done.
pub(super) fn make_report(work: &Work) -> Result<Report> {
    let signed: Vec<Receipt<SignFacts>> = super::sign::receipts(work)?;
    let mut report = Report {
        recipe: work.recipe.to_string(),
        rules: work.pass.rules.clone(),
        rows: 0,
        documents: Amount::default(),
        words: 0,
        removed: Amount::default(),
        reported: 0,
        by_kind: BTreeMap::new(),
        functions: None,
        passages: None,
        skipped: BTreeMap::new(),
        origins: Vec::new(),
        licenses: Vec::new(),
        cluster_sizes: BTreeMap::new(),
        largest_clusters: Vec::new(),
        pairs: Pairs::default(),
        curve: curve_of(&work.pass.rules),
        seconds: BTreeMap::new(),
    };
    let mut ms: BTreeMap<Step, u64> = BTreeMap::new();
    let (mut origins, mut licenses) = (ByName::new(), ByName::new());
    for receipt in &signed {
        let facts = &receipt.facts;
        *ms.entry(Step::Sign).or_default() += receipt.elapsed_ms;
        report.rows += facts.n_rows();
        report.documents.merge(facts.documents);
        report.words += facts.words;
        for (reason, skipped) in &facts.skipped {
            let known = report.skipped.entry(reason.clone()).or_default();
            known.rows += skipped.rows;
            let n_missing = super::facts::EXAMPLES_MAX.saturating_sub(known.examples.len());
            known.examples.extend(skipped.examples.iter().take(n_missing).cloned());
        }
        merge_names(&mut origins, &facts.by_origin);
        merge_names(&mut licenses, &facts.by_license);
    }
    for unit in 0..super::band_merge::n_units(report.rows) {
        let receipt: Receipt<MergeFacts> = work.expect_receipt(Step::BandMerge, unit)?;
        *ms.entry(Step::BandMerge).or_default() += receipt.elapsed_ms;
        report.pairs.largest_bucket = report.pairs.largest_bucket.max(receipt.facts.largest_bucket);
    }
    let clustered: Receipt<ClusterFacts> = work.expect_receipt(Step::Cluster, 0)?;
    *ms.entry(Step::Cluster).or_default() += clustered.elapsed_ms;
    (report.pairs.groups, report.pairs.largest_group) = (clustered.facts.n_groups, clustered.facts.largest_group);
    for unit in 0..signed.len() {
        if let Some(receipt) = work.receipt::<SetFacts>(Step::Sets, unit)? {
            *ms.entry(Step::Verify).or_default() += receipt.elapsed_ms;
        }
    }
    let mut largest = Vec::new();
    for unit in 0..clustered.facts.ends.len() {
        let receipt: Receipt<VerifyFacts> = work.expect_receipt(Step::Verify, unit)?;
        *ms.entry(Step::Verify).or_default() += receipt.elapsed_ms;
        report.pairs.compared += receipt.facts.n_compared;
        report.pairs.ruled_out += receipt.facts.n_ruled_out;
        for (rows, n) in receipt.facts.sizes {
            *report.cluster_sizes.entry(rows).or_default() += n;
        }
        largest.extend(receipt.facts.largest);
    }
    if let Some(receipt) = work.receipt::<CutFacts>(Step::Passages, 0)? {
        *ms.entry(Step::Passages).or_default() += receipt.elapsed_ms;
        (report.functions, report.passages) = (receipt.facts.functions, receipt.facts.passages);
    }
    let (mut origins_removed, mut licenses_removed) = (ByName::new(), ByName::new());
    let mut samples: BTreeMap<u32, String> = BTreeMap::new();
    for unit in 0..signed.len() {
        let receipt: Receipt<ApplyFacts> = work.expect_receipt(Step::Apply, unit)?;
        *ms.entry(Step::Apply).or_default() += receipt.elapsed_ms;
        report.removed.merge(receipt.facts.removed);
        report.reported += receipt.facts.n_reported;
        samples.extend(receipt.facts.samples);
        for (kind, n) in receipt.facts.by_kind {
            *report.by_kind.entry(kind).or_default() += n;
        }
        merge_names(&mut origins_removed, &receipt.facts.by_origin);
        merge_names(&mut licenses_removed, &receipt.facts.by_license);
    }
    report.origins = losses(origins, &origins_removed);
    report.licenses = losses(licenses, &licenses_removed);
    let largest = largest_of(largest);

    let ids = Rows::open(work, &signed)?;
    for size in largest {
        let id = |row| ids.id(RowNumber(row)).map(str::to_owned);
        let sample = |row| samples.get(&row).cloned().unwrap_or_default();
        report.largest_clusters.push(Cluster {
            rows: size.rows,
            kept_id: id(size.kept)?,
            farthest_id: id(size.removed)?,
            kept_sample: sample(size.kept),
            farthest_sample: sample(size.removed),
        });
    }
    report.seconds = ms.into_iter().map(|(step, ms)| (step.to_string(), ms as f64 / 1000.0)).collect();
    Ok(report)
}

fn merge_names(known: &mut ByName, new: &ByName) {
    for (name, amount) in new {
        count_name(known, name, *amount);
    }
}

/// Returns what each name lost, the largest loss first; names without one are left out unless nothing went at all.
fn losses(before: ByName, removed: &ByName) -> Vec<Loss> {
    let loss = |(name, before): (String, Amount)| {
        let removed = removed.get(&name).copied().unwrap_or_default();
        let is_alarm = removed.rows >= ALARM_ROWS_MIN && removed.rows as f64 > ALARM_SHARE * before.rows as f64;
        Loss { name, before, removed, is_alarm }
    };
    let mut losses: Vec<Loss> = before.into_iter().map(loss).collect();
    losses.sort_by(|a, b| b.removed.rows.cmp(&a.removed.rows).then_with(|| a.name.cmp(&b.name)));
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_that_of_the_published_table() {
        for (bands, rows, jaccard, expected) in
            [(14, 8, 0.8, 0.924), (20, 13, 0.8, 0.677), (26, 11, 0.75, 0.674), (9, 13, 0.8, 0.399)]
        {
            assert!((candidates_share(jaccard, bands, rows) - expected).abs() < 0.001, "{bands}x{rows}");
        }
    }

    #[test]
    fn a_source_that_loses_most_of_its_rows_is_an_alarm() {
        let amount = |rows| Amount { rows, bytes: rows * 10 };
        let before = ByName::from([("a".into(), amount(1000)), ("b".into(), amount(150)), ("c".into(), amount(10))]);
        let removed = ByName::from([("a".into(), amount(400)), ("b".into(), amount(149)), ("c".into(), amount(10))]);
        let losses = losses(before, &removed);
        let found: Vec<(&str, bool)> = losses.iter().map(|loss| (loss.name.as_str(), loss.is_alarm)).collect();
        assert_eq!(found, [("a", false), ("b", true), ("c", false)]);
    }
}
