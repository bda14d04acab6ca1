//! What is done about which copies: ordered rules, read from a TOML file.
//!
//! A policy sees matches, never indexes: `check` finds and verifies, the policy judges. The strongest action of all (rule, match) pairs
//! that fit wins; among equals the first rule, then the best match, gives the reason. The default policy, `policy.toml` beside this file,
//! explains every key.

use crate::verify::kind::CopyKind;
use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::answer::{Action, Match, Verdict};
use super::replace::{Template, replace};
use crate::error::{Error, Result};

/// The default policy's text, with comments: what `copytrace` uses when no policy is given, and the file to start an own one from.
pub const DEFAULT_POLICY: &str = include_str!("policy.toml");

/// The `rule_id` of a verdict that follows from an incomplete check; no rule may have it.
pub const ON_DEGRADED_RULE_ID: &str = "on_degraded";

/// Longest rule id, in bytes: it is shown in every verdict.
const RULE_ID_BYTES_MAX: usize = 64;

/// Which copies count, and what is done about them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Checked while parsing and of no use after.
    #[serde(rename = "version")]
    _version: FormatVersion,
    on_degraded: OnDegraded,
    report: Report,
    common: Common,
    near_duplicate: NearDuplicate,
    replace: Replace,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

/// The version of the file format that this program reads.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct FormatVersion;

/// What an incomplete check means.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnDegraded {
    Flag,
    Allow,
    Block,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    tokens_min: u32,
    matches_max: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    origins_min: AtLeastOne,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NearDuplicate {
    jaccard_min: Share,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    template: Template,
}

/// One rule: it fits a match that meets all of its conditions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: Spanned<RuleId>,
    action: RuleAction,
    #[serde(default)]
    kinds: Option<Vec<Kind>>,
    #[serde(default)]
    tokens_min: u32,
    #[serde(default)]
    run_min: u32,
    #[serde(default = "default_distinct_words_min")]
    distinct_words_min: u32,
    #[serde(default)]
    share_min: Share,
    #[serde(default)]
    score_min: Share,
    #[serde(default)]
    evidence_bits_min: Bits,
    #[serde(default)]
    of: Option<Matter>,
    #[serde(default)]
    support_min: Option<Odds>,
    #[serde(default)]
    licenses: Option<Vec<String>>,
    #[serde(default)]
    licenses_not: Option<Spanned<Vec<String>>>,
    reason: Template,
}

/// Ten different words: the shortest sentences that say something, far more than rows of dots or a counted list have per 25 words.
fn default_distinct_words_min() -> u32 {
    10
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct RuleId(String);

/// Actions that a rule can take. There is no `allow`: the strongest action wins, so that it could never have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleAction {
    Flag,
    Replace,
    Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Verbatim,
    Reformatted,
    Renamed,
    Edited,
    NearDuplicate,
}

/// What a copy is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Matter {
    Prose,
    Code,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
struct AtLeastOne(u32);

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "f64")]
struct Share(f64);

/// A finite number.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Odds(f64);

/// A finite number of at least 0.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "f64")]
struct Bits(f64);

impl Policy {
    /// Returns the policy that is used when none is given: [`DEFAULT_POLICY`].
    pub fn default_policy() -> Self {
        parse_default()
    }

    /// Reads a policy from the text of the file at `path`.
    ///
    /// # Errors
    /// [`Error::Policy`] with the line, what is wrong there and what is accepted: unknown keys, values out of range, missing sections,
    /// two rules of the same id.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let refuse = |line: usize, problem: String| Error::Policy {
            path: path.to_owned(),
            problem: format!("line {line}: {problem}"),
        };
        let policy: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            refuse(line_of(text, at), error.message().trim_end().replace('\n', "; "))
        })?;
        let mut lines_by_id: BTreeMap<&RuleId, usize> = BTreeMap::new();
        for rule in &policy.rules {
            let line = line_of(text, rule.id.span().start);
            if let Some(first) = lines_by_id.insert(rule.id.get_ref(), line) {
                let problem = format!("rule id `{}` is that of the rule at line {first}: expected another", rule.id());
                return Err(refuse(line, problem));
            }
            if let (Some(_), Some(licenses_not)) = (&rule.licenses, &rule.licenses_not) {
                let line = line_of(text, licenses_not.span().start);
                return Err(refuse(line, "`licenses_not` beside `licenses`: expected one of the two".to_owned()));
            }
        }
        Ok(policy)
    }

    /// Returns the least number of matched words of a copy that counts.
    pub fn report_tokens_min(&self) -> u32 {
        self.report.tokens_min
    }

    /// Returns the number of origins from which on a passage is common property; at least 1.
    pub fn common_origins_min(&self) -> u32 {
        self.common.origins_min.0
    }

    /// Returns the least Jaccard similarity of near-duplicates, 0 to 1.
    pub fn near_duplicate_jaccard_min(&self) -> f64 {
        self.near_duplicate.jaccard_min.0
    }

    /// Leaves in `matches`, which are sorted best first, those that the answer lists. Call [`decide`](Self::decide) before: it judges all.
    pub fn keep_reported(&self, matches: &mut Vec<Match>) {
        matches.retain(|found| found.matched_tokens >= self.report.tokens_min);
        matches.truncate(self.report.matches_max);
    }

    /// Judges a text by what was found in it.
    ///
    /// `matches` are sorted best first, with spans of `text`. Matches that are common, that the prompt contained as a whole or that have
    /// fewer words than [`report_tokens_min`](Self::report_tokens_min) never count. `degraded` says what was not looked at: if it is not
    /// empty, the verdict is an allow without reservation in no case.
    ///
    /// Cost: rules times matches, and one copy of the text where it is replaced.
    pub fn decide(&self, matches: &[Match], text: &str, degraded: &[String]) -> Verdict {
        let mut strongest: Option<(&Rule, &Match)> = None;
        for rule in &self.rules {
            if strongest.is_some_and(|(stronger, _)| stronger.action() >= rule.action()) {
                continue;
            }
            let found = matches.iter().find(|found| self.counts(found) && rule.fits(found, text));
            strongest = found.map(|found| (rule, found)).or(strongest);
        }
        let by_degraded = (!degraded.is_empty()).then(|| self.on_degraded.action());
        match strongest {
            Some((rule, found)) if by_degraded.is_none_or(|action| rule.action() >= action) => Verdict {
                action: rule.action(),
                rule_id: rule.id().to_owned(),
                reason: rule.reason.render(found),
                replacement: self.replacement(rule.action(), matches, text),
            },
            _ => by_degraded.map_or_else(|| allow(matches), |action| incomplete(action, degraded)),
        }
    }

    fn counts(&self, found: &Match) -> bool {
        !found.common && found.tokens_beyond_prompt > 0 && found.matched_tokens >= self.report.tokens_min
    }

    /// Returns the text without the stretches that a rule wants replaced; empty for other actions.
    fn replacement(&self, action: Action, matches: &[Match], text: &str) -> String {
        if action != Action::Replace {
            return String::new();
        }
        let is_replaced = |found: &&Match| {
            self.counts(found)
                && self.rules.iter().any(|rule| rule.action() == Action::Replace && rule.fits(found, text))
        };
        let replaced: Vec<&Match> = matches.iter().filter(is_replaced).collect();
        replace(text, &replaced, &self.replace.template)
    }
}

/// Parses the policy that is compiled in.
fn parse_default() -> Policy {
    Policy::parse(DEFAULT_POLICY, "policy.toml").expect("a test parses the same text, which is part of the program")
}

fn allow(matches: &[Match]) -> Verdict {
    let reason =
        if matches.is_empty() { "no copy was found" } else { "no rule speaks against the copies that were found" };
    Verdict { action: Action::Allow, rule_id: String::new(), reason: reason.to_owned(), replacement: String::new() }
}

fn incomplete(action: Action, degraded: &[String]) -> Verdict {
    Verdict {
        action,
        rule_id: ON_DEGRADED_RULE_ID.to_owned(),
        reason: format!("not everything was checked: {}", degraded.join("; ")),
        replacement: String::new(),
    }
}

impl Rule {
    fn id(&self) -> &str {
        &self.id.get_ref().0
    }

    fn action(&self) -> Action {
        match self.action {
            RuleAction::Flag => Action::Flag,
            RuleAction::Replace => Action::Replace,
            RuleAction::Block => Action::Block,
        }
    }

    /// Tells whether `found`, a match in `text`, meets all conditions.
    fn fits(&self, found: &Match, text: &str) -> bool {
        // No run beyond the prompt is longer than all words beyond the prompt.
        let run_beyond_prompt = found.longest_run.min(found.tokens_beyond_prompt);
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind.is(found.kind)))
            && found.tokens_beyond_prompt >= self.tokens_min
            && run_beyond_prompt >= self.run_min
            && found.distinct_words >= self.distinct_words_min
            && covered_share(found, text) >= self.share_min.0
            && found.score >= self.score_min.0
            && found.evidence_bits >= self.evidence_bits_min.0
            && self.of.is_none_or(|matter| (matter == Matter::Code) == found.code.is_some())
            // Prose needs no support: words in a row are no idiom.
            && self.support_min.is_none_or(|min| found.code.as_ref().is_none_or(|code| code.support > min.0))
            && self.licenses.as_ref().is_none_or(|licenses| is_licensed(found, licenses))
            && self.licenses_not.as_ref().is_none_or(|licenses| !is_licensed(found, licenses.get_ref()))
    }
}

/// Returns the share of the text's bytes that a match covers, 0 to 1.
fn covered_share(found: &Match, text: &str) -> f64 {
    let covered_bytes = found.query_span.end_byte.saturating_sub(found.query_span.start_byte);
    f64::from(covered_bytes) / (text.len().max(1) as f64)
}

/// Tells whether the document has one of the licences. SPDX names are compared without case; `NOASSERTION` is SPDX for "unknown".
fn is_licensed(found: &Match, licenses: &[String]) -> bool {
    let normal = |license: &str| if license == "NOASSERTION" { String::new() } else { license.to_ascii_lowercase() };
    let license = normal(&found.document.license);
    licenses.iter().any(|accepted| normal(accepted) == license)
}

impl Kind {
    fn is(self, kind: CopyKind) -> bool {
        let accepted = match self {
            Self::Verbatim => CopyKind::Verbatim,
            Self::Reformatted => CopyKind::Reformatted,
            Self::Renamed => CopyKind::Renamed,
            Self::Edited => CopyKind::Edited,
            Self::NearDuplicate => CopyKind::NearDuplicate,
        };
        accepted == kind
    }
}

impl OnDegraded {
    fn action(self) -> Action {
        match self {
            Self::Flag => Action::Flag,
            Self::Allow => Action::Allow,
            Self::Block => Action::Block,
        }
    }
}

impl TryFrom<i64> for FormatVersion {
    type Error = String;

    fn try_from(version: i64) -> Result<Self, String> {
        if version == 1 { Ok(Self) } else { Err(format!("version is {version}: expected 1")) }
    }
}

impl TryFrom<String> for RuleId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if id.is_empty() || id.len() > RULE_ID_BYTES_MAX || !id.bytes().all(is_plain) {
            return Err(format!(
                "rule id `{id}`: expected 1 to {RULE_ID_BYTES_MAX} of A-Z, a-z, 0-9, `_`, `-` and `.`"
            ));
        }
        if id == ON_DEGRADED_RULE_ID {
            return Err(format!("rule id `{id}` is the one of incomplete checks: expected another"));
        }
        Ok(Self(id))
    }
}

impl TryFrom<u32> for AtLeastOne {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if number >= 1 { Ok(Self(number)) } else { Err("0: expected at least 1".to_owned()) }
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(share: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(format!("{share}: expected 0 to 1")) }
    }
}

impl TryFrom<f64> for Bits {
    type Error = String;

    fn try_from(bits: f64) -> Result<Self, String> {
        if bits >= 0.0 && bits.is_finite() { Ok(Self(bits)) } else { Err(format!("{bits}: expected at least 0 bits")) }
    }
}

impl TryFrom<f64> for Odds {
    type Error = String;

    fn try_from(odds: f64) -> Result<Self, String> {
        if odds.is_finite() { Ok(Self(odds)) } else { Err(format!("{odds}: expected a finite number")) }
    }
}

/// Returns the one-based line in which byte `at` of `text` stands.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests;
