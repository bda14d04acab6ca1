use super::*;
use crate::check::answer::{CodeFacts, DocumentRef, LineSpan};

/// A copy of 30 words that every default rule of its kind lets through or not by its numbers alone.
fn copy(kind: CopyKind) -> Match {
    Match {
        kind,
        score: 0.9,
        matched_tokens: 30,
        evidence_bits: 200.0,
        query_span: LineSpan { start_byte: 0, end_byte: 50, start_line: 1, end_line: 1 },
        source_span: LineSpan::default(),
        document: DocumentRef { id: "x".to_owned(), license: "CC-BY-4.0".to_owned(), ..DocumentRef::default() },
        renames: Vec::new(),
        code: None,
        document_count: 1,
        document_count_capped: false,
        common: false,
        longest_run: 30,
        distinct_words: 25,
        tokens_beyond_prompt: 30,
        source_excerpt: String::new(),
    }
}

fn with(kind: CopyKind, change: impl FnOnce(&mut Match)) -> Match {
    let mut found = copy(kind);
    change(&mut found);
    found
}

/// Sets words and run of a match.
fn sized(tokens: u32, run: u32) -> impl FnOnce(&mut Match) {
    move |found| {
        found.matched_tokens = tokens;
        found.tokens_beyond_prompt = tokens;
        found.longest_run = run;
    }
}

/// A copy of code with this support.
fn of_code(kind: CopyKind, support: f64, change: impl FnOnce(&mut Match)) -> Match {
    with(kind, |found| {
        found.code = Some(CodeFacts { renames: Vec::new(), support, is_boilerplate: false });
        change(found);
    })
}

/// A hundred bytes, so that spans are percentages.
const TEXT: &str =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

/// A policy that reports all and has these rules.
fn policy(rules: &str) -> Policy {
    let text = format!(
        "version = 1\non_degraded = 'flag'\n[report]\ntokens_min = 1\nmatches_max = 3\n[common]\norigins_min = 8\n\
         [near_duplicate]\njaccard_min = 0.8\n[replace]\ntemplate = '[{{document}}]'\n{rules}"
    );
    Policy::parse(&text, "test.toml").expect("a good policy")
}

fn decided(policy: &Policy, matches: &[Match], degraded: &[&str]) -> (Action, String) {
    let degraded: Vec<String> = degraded.iter().map(|&reason| reason.to_owned()).collect();
    let verdict = policy.decide(matches, TEXT, &degraded);
    (verdict.action, verdict.rule_id)
}

#[test]
fn the_default_policy_judges_one_copy() {
    use CopyKind::{Edited, NearDuplicate, Reformatted, Renamed, Verbatim};
    let policy = Policy::default_policy();
    // Each row that is judged stands beside one that looks alike and is not.
    let rows: Vec<(&str, Match, Action, &str)> = vec![
        ("a page, word for word", with(Verbatim, sized(150, 100)), Action::Block, "verbatim_long"),
        ("a page, reformatted", with(Reformatted, sized(150, 100)), Action::Block, "verbatim_long"),
        ("long, but no run of 100", with(Verbatim, sized(150, 99)), Action::Flag, "verbatim"),
        ("guarantee length", with(Verbatim, sized(25, 25)), Action::Flag, "verbatim"),
        ("one word less", with(Verbatim, sized(24, 24)), Action::Allow, ""),
        ("reformatted", copy(Reformatted), Action::Flag, "verbatim"),
        (
            "a page that the prompt held",
            with(Verbatim, |found| {
                sized(150, 150)(found);
                found.tokens_beyond_prompt = 0;
            }),
            Action::Allow,
            "",
        ),
        (
            "a page of which the prompt held all but 30 words",
            with(Verbatim, |found| {
                sized(150, 150)(found);
                found.tokens_beyond_prompt = 30;
            }),
            Action::Flag,
            "verbatim",
        ),
        (
            "a page of which the prompt held all but 24 words",
            with(Verbatim, |found| {
                sized(150, 150)(found);
                found.tokens_beyond_prompt = 24;
            }),
            Action::Allow,
            "",
        ),
        (
            "common property",
            with(Verbatim, |found| {
                sized(150, 150)(found);
                found.common = true;
            }),
            Action::Allow,
            "",
        ),
        (
            "a counted list",
            with(Verbatim, |found| {
                sized(150, 150)(found);
                found.distinct_words = 9;
            }),
            Action::Allow,
            "",
        ),
        (
            "ten words over and over",
            with(Verbatim, |found| {
                sized(150, 150)(found);
                found.distinct_words = 10;
            }),
            Action::Block,
            "verbatim_long",
        ),
        ("edited", copy(Edited), Action::Flag, "edited"),
        ("edited, few words", with(Edited, sized(24, 10)), Action::Allow, ""),
        ("edited beyond recognition", with(Edited, |found| found.score = 0.49), Action::Allow, ""),
        ("edited by half", with(Edited, |found| found.score = 0.5), Action::Flag, "edited"),
        ("code, renamed", of_code(Renamed, 0.1, sized(16, 3)), Action::Flag, "renamed"),
        ("code, renamed, an idiom", of_code(Renamed, 0.0, sized(200, 200)), Action::Allow, ""),
        ("code, renamed, few tokens", of_code(Renamed, 9.0, sized(15, 3)), Action::Allow, ""),
        ("code, renamed, however long and sure", of_code(Renamed, 99.0, sized(900, 900)), Action::Flag, "renamed"),
        ("code, the same", of_code(Verbatim, 0.1, sized(119, 119)), Action::Flag, "code"),
        ("code, the same, a page of it", of_code(Reformatted, 6.1, sized(120, 120)), Action::Block, "code_long"),
        ("code, the same, a page of idioms", of_code(Verbatim, 6.0, sized(120, 120)), Action::Flag, "code"),
        ("code, the same, an idiom", of_code(Verbatim, -1.0, sized(40, 40)), Action::Allow, ""),
        ("code, edited", of_code(Edited, 0.1, sized(24, 10)), Action::Flag, "code_edited"),
        ("code, edited, an idiom", of_code(Edited, -0.1, sized(80, 40)), Action::Allow, ""),
        ("code, edited, few tokens", of_code(Edited, 9.0, sized(23, 10)), Action::Allow, ""),
        ("near-duplicate", copy(NearDuplicate), Action::Flag, "near_duplicate"),
        ("near-duplicate of a tiny text", with(NearDuplicate, sized(11, 5)), Action::Allow, ""),
    ];
    for (case, found, action, rule_id) in rows {
        assert_eq!(decided(&policy, &[found], &[]), (action, rule_id.to_owned()), "{case}");
    }
    assert_eq!(decided(&policy, &[], &[]), (Action::Allow, String::new()), "nothing found");
}

#[test]
fn conditions_hold_from_their_bound_on() {
    for (condition, change, fits) in [
        ("tokens_min = 30", (|found| sized(30, 1)(found)) as fn(&mut Match), true),
        ("tokens_min = 31", |_| (), false),
        ("run_min = 30", |_| (), true),
        ("run_min = 31", |_| (), false),
        ("distinct_words_min = 25", |_| (), true),
        ("distinct_words_min = 26", |_| (), false),
        ("distinct_words_min = 0", |found| found.distinct_words = 0, true),
        ("share_min = 0.5", |_| (), true),
        ("share_min = 0.51", |_| (), false),
        ("score_min = 0.9", |_| (), true),
        ("score_min = 1", |_| (), false),
        ("evidence_bits_min = 200", |_| (), true),
        ("evidence_bits_min = 200.5", |_| (), false),
        ("kinds = ['verbatim', 'edited']", |_| (), true),
        ("kinds = ['edited']", |_| (), false),
        ("kinds = []", |_| (), false),
        ("licenses = ['MIT', 'cc-by-4.0']", |_| (), true),
        ("licenses = ['CC-BY-3.0']", |_| (), false),
        ("licenses = ['']", |_| (), false),
        ("licenses = ['']", |found| found.document.license.clear(), true),
        ("licenses = ['']", |found| found.document.license = "NOASSERTION".to_owned(), true),
        ("licenses = ['NOASSERTION']", |found| found.document.license.clear(), true),
        ("licenses_not = ['CC-BY-4.0']", |_| (), false),
        ("licenses_not = ['MIT']", |_| (), true),
        ("licenses_not = ['MIT']", |found| found.document.license.clear(), true),
        ("licenses_not = ['MIT', '']", |found| found.document.license.clear(), false),
        // All conditions of a rule must hold.
        ("run_min = 30\ntokens_min = 31", |_| (), false),
        ("", |_| (), true),
        ("", |found| found.common = true, false),
        ("", |found| found.tokens_beyond_prompt = 0, false),
        ("", |found| found.matched_tokens = 0, false),
    ] {
        let policy = policy(&format!("[[rule]]\nid = 'r'\naction = 'flag'\nreason = ''\n{condition}"));
        let expected = if fits { (Action::Flag, "r".to_owned()) } else { (Action::Allow, String::new()) };
        assert_eq!(decided(&policy, &[with(CopyKind::Verbatim, change)], &[]), expected, "{condition}");
    }
}

#[test]
fn the_strongest_action_wins_then_the_first_rule_then_the_best_match() {
    use CopyKind::{Edited, Verbatim};
    let policy = policy(
        "[[rule]]\nid = 'edited'\naction = 'flag'\nkinds = ['edited']\nreason = '{document}'\n\
         [[rule]]\nid = 'any'\naction = 'flag'\nreason = '{document}'\n\
         [[rule]]\nid = 'long'\naction = 'replace'\nrun_min = 60\nreason = '{document}'\n\
         [[rule]]\nid = 'longer'\naction = 'block'\nrun_min = 100\nreason = '{document}'\n",
    );
    let named = |kind, run, id: &str| {
        with(kind, |found| {
            sized(run, run)(found);
            found.document.id = id.to_owned();
        })
    };
    for (matches, rule_id, reason) in [
        (vec![named(Verbatim, 30, "a"), named(Verbatim, 30, "b")], "any", "a"),
        (vec![named(Verbatim, 30, "a"), named(Edited, 30, "b")], "edited", "b"),
        (vec![named(Edited, 30, "a"), named(Verbatim, 60, "b")], "long", "b"),
        (vec![named(Edited, 30, "a"), named(Verbatim, 60, "b"), named(Edited, 100, "c")], "longer", "c"),
    ] {
        let verdict = policy.decide(&matches, TEXT, &[]);
        assert_eq!((verdict.rule_id.as_str(), verdict.reason.as_str()), (rule_id, reason));
    }
}

#[test]
fn an_incomplete_check_is_never_a_silent_allow() {
    let flagging = "[[rule]]\nid = 'r'\naction = 'flag'\nreason = 'rule'\n";
    let found = [copy(CopyKind::Verbatim)];
    for (on_degraded, matches, degraded, action, rule_id, reason) in [
        ("flag", &[][..], &[][..], Action::Allow, "", "no copy was found"),
        ("flag", &[], &["a", "b"], Action::Flag, "on_degraded", "not everything was checked: a; b"),
        ("allow", &[], &["a"], Action::Allow, "on_degraded", "not everything was checked: a"),
        ("block", &[], &["a"], Action::Block, "on_degraded", "not everything was checked: a"),
        // A rule of the same strength says more.
        ("flag", &found, &["a"], Action::Flag, "r", "rule"),
        ("allow", &found, &["a"], Action::Flag, "r", "rule"),
        ("block", &found, &["a"], Action::Block, "on_degraded", "not everything was checked: a"),
        ("block", &found, &[], Action::Flag, "r", "rule"),
    ] {
        let mut policy = policy(flagging);
        policy.on_degraded = match on_degraded {
            "flag" => OnDegraded::Flag,
            "allow" => OnDegraded::Allow,
            _ => OnDegraded::Block,
        };
        let degraded: Vec<String> = degraded.iter().map(|&reason: &&str| reason.to_owned()).collect();
        let verdict = policy.decide(matches, TEXT, &degraded);
        let decided = (verdict.action, verdict.rule_id.as_str(), verdict.reason.as_str());
        assert_eq!(decided, (action, rule_id, reason), "on_degraded = {on_degraded}, {degraded:?}");
    }
}

#[test]
fn copies_below_the_reported_length_are_neither_listed_nor_judged() {
    let mut policy = policy("[[rule]]\nid = 'r'\naction = 'flag'\nreason = ''\ndistinct_words_min = 0\n");
    policy.report.tokens_min = 20;
    for (tokens, counts) in [(19, false), (20, true)] {
        let mut matches = vec![with(CopyKind::Verbatim, sized(tokens, tokens))];
        let expected = if counts { (Action::Flag, "r".to_owned()) } else { (Action::Allow, String::new()) };
        assert_eq!(decided(&policy, &matches, &[]), expected, "{tokens}");
        policy.keep_reported(&mut matches);
        assert_eq!(matches.len(), usize::from(counts), "{tokens}");
    }
}

#[test]
fn the_best_matches_are_listed() {
    let policy = policy("");
    let mut matches: Vec<Match> = (0..5).map(|run| with(CopyKind::Verbatim, sized(50 - run, 50 - run))).collect();
    policy.keep_reported(&mut matches);
    assert_eq!(matches.iter().map(|found| found.matched_tokens).collect::<Vec<u32>>(), [50, 49, 48]);
}

#[test]
fn only_what_a_replacing_rule_fits_is_replaced() {
    let policy = policy(
        "[[rule]]\nid = 'long'\naction = 'replace'\nrun_min = 60\nreason = ''\n\
         [[rule]]\nid = 'any'\naction = 'flag'\nreason = ''\n",
    );
    let at = |start_byte, end_byte, run, id: &str| {
        with(CopyKind::Verbatim, |found| {
            sized(run, run)(found);
            found.query_span = LineSpan { start_byte, end_byte, start_line: 1, end_line: 1 };
            found.document.id = id.to_owned();
        })
    };
    let mut common = at(90, 95, 60, "common");
    common.common = true;
    let matches = [at(10, 90, 60, "a"), at(0, 5, 30, "flagged"), at(95, 100, 60, "b"), common];
    let verdict = policy.decide(&matches, TEXT, &[]);
    assert_eq!((verdict.action, verdict.rule_id.as_str()), (Action::Replace, "long"));
    assert_eq!(verdict.replacement, "0123456789[a]01234[b]");
    // Nothing else has a replacement.
    assert_eq!(policy.decide(&matches[1..2], TEXT, &[]).replacement, "");
    assert_eq!(policy.decide(&[], TEXT, &[]).replacement, "");
}

#[test]
fn the_default_reasons_are_sentences() {
    let policy = Policy::default_policy();
    for (found, reason) in [
        (with(CopyKind::Verbatim, sized(130, 118)), "118 consecutive words equal document `x` (CC-BY-4.0)"),
        (
            with(CopyKind::Verbatim, |found| found.document.license.clear()),
            "30 consecutive words equal document `x` (licence unknown)",
        ),
        (copy(CopyKind::Edited), "30 words are those of document `x` (CC-BY-4.0), with edits (score 0.90)"),
        (
            of_code(CopyKind::Renamed, 2.0, sized(44, 4)),
            "44 tokens of code equal document `x` (CC-BY-4.0) up to renamed identifiers and literals",
        ),
        (copy(CopyKind::NearDuplicate), "the text as a whole is nearly document `x` (CC-BY-4.0; score 0.90)"),
    ] {
        assert_eq!(policy.decide(&[found], TEXT, &[]).reason, reason);
    }
}

#[test]
fn the_default_policy_tells_its_numbers() {
    let policy = Policy::default_policy();
    assert_eq!(policy.report_tokens_min(), 12);
    assert_eq!(policy.common_origins_min(), 8);
    assert!((policy.near_duplicate_jaccard_min() - 0.8).abs() < f64::EPSILON);
}

#[test]
fn mistakes_are_refused_with_line_and_what_is_accepted() {
    let default = |from: &str, to: &str| {
        assert!(DEFAULT_POLICY.contains(from), "the default policy has `{from}`");
        DEFAULT_POLICY.replacen(from, to, 1)
    };
    // The default policy's line in which a needle first stands.
    let line =
        |needle: &str| line_of(DEFAULT_POLICY, DEFAULT_POLICY.find(needle).expect("a needle of the default policy"));
    let rows = [
        (default("version = 1", "version = 2"), line("version = 1"), "version is 2: expected 1"),
        (default("version = 1", ""), 1, "missing field `version`"),
        (
            default("on_degraded = \"flag\"", "on_degraded = \"pass\""),
            line("on_degraded = "),
            "unknown variant `pass`, expected one of `flag`, `allow`, `block`",
        ),
        (
            default("tokens_min = 12", "tokens_min = -1"),
            line("tokens_min = 12"),
            "invalid value: integer `-1`, expected u32",
        ),
        (
            default("tokens_min = 12", "tokens_minimum = 12"),
            line("tokens_min = 12"),
            "unknown field `tokens_minimum`, expected `tokens_min` or `matches_max`",
        ),
        (default("origins_min = 8", "origins_min = 0"), line("origins_min = 8"), "0: expected at least 1"),
        (default("jaccard_min = 0.8", "jaccard_min = 80"), line("jaccard_min = 0.8"), "80: expected 0 to 1"),
        (default("score_min = 0.5", "score_min = nan"), line("score_min = 0.5"), "NaN: expected 0 to 1"),
        (default("score_min = 0.5", "evidence_bits_min = -1"), line("score_min = 0.5"), "-1: expected at least 0 bits"),
        (
            default("score_min = 0.5", "evidence_bits_min = inf"),
            line("score_min = 0.5"),
            "inf: expected at least 0 bits",
        ),
        (
            default("{tokens} words from", "{words} words from"),
            line("template = "),
            "unknown placeholder `{words}`: expected one of `{tokens}`",
        ),
        (
            default("action = \"block\"", "action = \"allow\""),
            line("action = \"block\""),
            "unknown variant `allow`, expected one of `flag`, `replace`, `block`",
        ),
        (
            default("\"reformatted\"]\nrun_min = 100", "\"moved\"]\nrun_min = 100"),
            line("kinds = ["),
            "unknown variant `moved`, expected one of `verbatim`, `reformatted`",
        ),
        (
            default("run_min = 25", "runs_min = 25"),
            line("run_min = 25"),
            "unknown field `runs_min`, expected one of `id`, `action`",
        ),
        (
            default("run_min = 25", "licenses = ['MIT']\nlicenses_not = ['']"),
            line("run_min = 25") + 1,
            "`licenses_not` beside `licenses`: expected one of the two",
        ),
        (
            default("id = \"renamed\"", "id = \"verbatim\""),
            line("id = \"renamed\""),
            "rule id `verbatim` is that of the rule at line ",
        ),
        (default("id = \"renamed\"", "id = \"\""), line("id = \"renamed\""), "rule id ``: expected 1 to 64 of "),
        (
            default("id = \"renamed\"", "id = \"no blanks\""),
            line("id = \"renamed\""),
            "rule id `no blanks`: expected 1 to 64 of ",
        ),
        (
            default("id = \"renamed\"", "id = \"on_degraded\""),
            line("id = \"renamed\""),
            "rule id `on_degraded` is the one of incomplete checks",
        ),
        (default("[common]", "[commons]"), line("[common]"), "unknown field `commons`, expected one of `version`"),
        (default("[common]", "[common"), line("[common]"), ""),
        (String::new(), 1, "missing field `version`"),
    ];
    for (text, line, problem) in rows {
        let message = Policy::parse(&text, "my.toml").expect_err(problem).to_string();
        let expected = format!("policy `my.toml`: line {line}: {problem}");
        assert!(message.starts_with(&expected), "expected {expected}\n   found {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}
