use std::collections::BTreeMap;

use proptest::prelude::*;
use zerocopy::little_endian::{U32, U64};

use super::*;

impl Texts for Vec<Vec<Token>> {
    fn tokens(&self, row: u32) -> Result<&[Token]> {
        Ok(&self[row as usize])
    }
}

fn text(words: &[u8]) -> Vec<Token> {
    let hash = |word: u8| U64::new(u64::from(word).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    words.iter().map(|&word| Token { hash: hash(word), start: U32::ZERO, end: U32::ZERO, border: 0 }).collect()
}

/// All k-grams of all texts that are sampled more than `keep` times, and those of `more`.
fn watched(sampler: &RunSampler, texts: &[Vec<Token>], keep: u32, more: &[u64]) -> Vec<u64> {
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for text in texts {
        let hashes: Vec<u64> = text.iter().map(|token| token.hash.get()).collect();
        sampler.sample(&hashes, &mut RunScratch::default(), |gram| *counts.entry(gram).or_default() += 1);
    }
    let mut found: Vec<u64> = counts.iter().filter(|(_, n)| **n > keep).map(|(gram, _)| *gram).collect();
    found.extend(more);
    found.sort_unstable();
    found.dedup();
    found
}

/// Rows that are shorter than a run come first.
fn in_order(texts: &[Vec<Token>], run_words: u32) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..texts.len()).collect();
    rows.sort_by_key(|&row| texts[row].len() >= run_words as usize);
    rows
}

/// Cuts until nothing new is met.
fn cut_all(texts: &Vec<Vec<Token>>, run_words: u32, keep: u32) -> Vec<Vec<TokenCut>> {
    cut_with(texts, &vec![Vec::new(); texts.len()], run_words, keep, 100_000)
}

fn unprepared(row: u32, tokens: &[Token], gone: Vec<Range<u32>>) -> Unprepared<'_> {
    Unprepared { row, tokens, gone, group: 0, is_fixed: false }
}

/// Cuts until nothing new is met, where some words went before.
fn cut_with(
    texts: &Vec<Vec<Token>>,
    gone: &[Vec<Range<u32>>],
    run_words: u32,
    keep: u32,
    filter_runs: usize,
) -> Vec<Vec<TokenCut>> {
    let sampler = RunSampler::new(run_words);
    let (mut more, mut known_runs): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
    loop {
        let watched = watched(&sampler, texts, keep, &more);
        let prepare_row = |row: usize| {
            let number = u32::try_from(row).unwrap();
            let row = unprepared(number, &texts[row], gone[row].clone());
            prepare(&sampler, &watched, row, &mut RunScratch::default())
        };
        let mut filter = Filter::new(filter_runs, usize::MAX);
        (0..texts.len()).for_each(|row| prepare_row(row).keys().for_each(|key| filter.add(key)));
        for &key in known_runs.iter().chain(&known_runs) {
            filter.add(key);
        }
        let mut cutter = Cutter::new(sampler, keep, &watched, texts, filter, usize::MAX);
        let mut all = vec![Vec::new(); texts.len()];
        let n_before = (more.len(), known_runs.len());
        for row in in_order(texts, run_words) {
            let found = cutter.cut(prepare_row(row)).unwrap();
            more.extend(found.new_grams);
            known_runs.extend(found.new_runs);
            all[row] = found.cuts;
        }
        if (more.len(), known_runs.len()) == n_before {
            return all;
        }
    }
}

/// The rule, word for word: which words are left of each row.
fn naive(texts: &[Vec<Token>], gone: &[Vec<Range<u32>>], run_words: usize, keep: usize) -> Vec<Vec<usize>> {
    let mut kept: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    let mut all = vec![Vec::new(); texts.len()];
    for row in in_order(texts, u32::try_from(run_words).unwrap()) {
        let text: Vec<u64> = texts[row].iter().map(|token| token.hash.get()).collect();
        let mut left: Vec<usize> = left_of(text.len(), &gone[row]).into_iter().map(|word| word as usize).collect();
        loop {
            let n_words = run_words.min(left.len());
            let run_at = |at: usize| left[at..at + n_words].iter().map(|&word| text[word]).collect::<Vec<_>>();
            let places: Vec<usize> = if n_words == 0 { vec![] } else { (0..=left.len() - n_words).collect() };
            let mut is_cut = vec![false; left.len()];
            if text.len() >= run_words {
                for &at in &places {
                    if kept.get(&run_at(at)).copied().unwrap_or(0) >= keep {
                        is_cut[at..at + n_words].fill(true);
                    }
                }
                // Of the row itself: places that count, and the first of each run.
                let mut own: Vec<usize> = Vec::new();
                for &at in &places {
                    if is_cut[at..at + n_words].contains(&true) {
                        continue;
                    }
                    let run = run_at(at);
                    let before = kept.get(&run).copied().unwrap_or(0);
                    let same: Vec<usize> = own.iter().copied().filter(|&other| run_at(other) == run).collect();
                    if before + same.len() < keep {
                        own.push(at);
                        continue;
                    }
                    let start = if before > 0 { at } else { at.max(same[0] + n_words) };
                    is_cut[start..at + n_words].fill(true);
                    own.retain(|&other| other + n_words <= start);
                }
            }
            if !is_cut.contains(&true) {
                for &at in &places {
                    *kept.entry(run_at(at)).or_default() += 1;
                }
                all[row] = left;
                break;
            }
            left = left.iter().zip(&is_cut).filter(|(_, is_cut)| !**is_cut).map(|(&word, _)| word).collect();
        }
    }
    all
}

fn left(text: &[Token], cuts: &[TokenCut]) -> Vec<u64> {
    let is_cut = |at: u32| cuts.iter().any(|cut| cut.tokens.contains(&at));
    (0..).zip(text).filter(|(at, _)| !is_cut(*at)).map(|(_, token)| token.hash.get()).collect()
}

fn words(cuts: &[TokenCut]) -> Vec<(Range<u32>, u32, u32)> {
    cuts.iter().map(|cut| (cut.tokens.clone(), cut.kept_row, cut.kept_token)).collect()
}

fn range(words: Range<u8>) -> Vec<u8> {
    words.collect()
}

#[test]
fn a_repeated_passage_is_cut_where_it_stands_last_and_names_the_first() {
    let passage = range(100..120);
    let texts = vec![
        text(&[range(0..5), passage.clone(), range(5..9)].concat()),
        text(&[range(10..13), passage.clone(), range(13..20)].concat()),
        text(&passage),
    ];
    let cuts = cut_all(&texts, 10, 1);
    assert_eq!(words(&cuts[0]), []);
    assert_eq!(words(&cuts[1]), [(3..23, 0, 5)]);
    assert_eq!(words(&cuts[2]), [(0..20, 0, 5)]);
    let cuts = cut_all(&texts, 10, 2);
    assert_eq!((words(&cuts[1]), words(&cuts[2])), (vec![], vec![(0..20, 0, 5)]));
    assert_eq!(cut_all(&texts, 10, 3).concat(), []);
    // One word short.
    assert_eq!(cut_all(&texts, 21, 1).concat(), []);
}

#[test]
fn what_a_cut_joins_is_looked_at_again() {
    let (one, other, template) = (range(0..7), range(20..27), range(100..130));
    let texts = vec![
        text(&[range(50..60), template.clone()].concat()),
        text(&[one.clone(), template.clone(), other.clone()].concat()),
        text(&[one.clone(), other.clone()].concat()),
    ];
    let cuts = cut_all(&texts, 10, 1);
    assert_eq!(words(&cuts[1]), [(7..37, 0, 10)]);
    // The two ends stand in two pieces of the row before.
    assert_eq!(words(&cuts[2]), [(0..7, 1, 0), (7..14, 1, 37)]);
}

#[test]
fn what_is_left_of_rows_stays_as_often_as_anything() {
    let (heading, footer) = (range(0..4), range(100..130));
    let page = text(&[heading.clone(), footer.clone()].concat());
    let rows = |n: usize| [vec![text(&[range(40..60), footer.clone()].concat())], vec![page.clone(); n]].concat();
    // The second of two pages has all of the footer, the first it was in stands in no page.
    for (keep, expected) in [(1, [4, 0, 0]), (2, [34, 4, 4])] {
        let texts = rows(3);
        let cuts = cut_all(&texts, 10, keep);
        let left: Vec<usize> = (1..4).map(|row| left(&texts[row], &cuts[row]).len()).collect();
        assert_eq!(left, expected, "{cuts:?}");
    }
    // A row that was as short from the start counts and stays.
    let texts = [vec![text(&heading)], rows(1)].concat();
    let cuts = cut_all(&texts, 10, 1);
    assert_eq!((words(&cuts[0]), left(&texts[2], &cuts[2]).len()), (vec![], 0));
}

#[test]
fn a_row_that_repeats_itself_keeps_one_place() {
    let cuts = cut_all(&vec![text(&[9; 200])], 10, 1);
    assert_eq!(left(&text(&[9; 200]), &cuts[0]).len(), 10);
    let twice = [range(0..20), range(50..53), range(0..20)].concat();
    assert_eq!(words(&cut_all(&vec![text(&twice)], 10, 1)[0]), [(23..43, 0, 0)]);
}

#[test]
fn too_little_memory_is_an_error_that_says_how_much() {
    let texts = vec![text(&range(0..100)), text(&range(0..100))];
    let sampler = RunSampler::new(10);
    let watched = watched(&sampler, &texts, 1, &[]);
    let prepared = unprepared(0, &texts[0], Vec::new());
    let prepared = prepare(&sampler, &watched, prepared, &mut RunScratch::default());
    let mut filter = Filter::new(1_000, usize::MAX);
    (0..2).for_each(|_| prepared.keys().for_each(|key| filter.add(key)));
    let mut cutter = Cutter::new(sampler, 1, &watched, &texts, filter, 90 * KEPT_SHARE * RUN_BYTES);
    assert!(matches!(cutter.cut(prepared), Err(Error::Argument { name: "memory", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn no_run_is_left_too_often_and_every_cut_names_what_is_left(
        pieces in prop::collection::vec(prop::collection::vec(0..40_u8, 1..25), 6),
        rows in prop::collection::vec(prop::collection::vec(0..6_usize, 0..7), 1..9),
        keep in 1..4_u32,
        run_words in 8..14_u32,
        first in prop::collection::vec(prop::collection::vec((0..12_u32, 1..30_u32), 0..2), 9),
    ) {
        let rows = rows.iter().map(|row| row.iter().flat_map(|&piece| pieces[piece].clone()).collect::<Vec<_>>());
        let texts: Vec<Vec<Token>> = rows.map(|row| text(&row)).collect();
        // What went before passages were looked at.
        let gone: Vec<Vec<Range<u32>>> = texts.iter().zip(&first).map(|(text, ranges)| {
            let (mut gone, mut at) = (Vec::new(), 0);
            for (skip, n) in ranges {
                let start: u32 = at + skip;
                at = (start + n).min(u32::try_from(text.len()).unwrap());
                gone.extend((start < at).then_some(start..at));
            }
            gone
        }).collect();
        let cuts = cut_with(&texts, &gone, run_words, keep, 100_000);
        let all_cuts: Vec<Vec<TokenCut>> = cuts.iter().zip(&gone).map(|(cuts, gone)| {
            let gone = gone.iter().map(|tokens| TokenCut { tokens: tokens.clone(), kept_row: 0, kept_token: 0 });
            cuts.iter().cloned().chain(gone).collect()
        }).collect();
        let mut counts: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
        for (text, cuts) in texts.iter().zip(&all_cuts) {
            for run in left(text, cuts).windows(run_words as usize) {
                *counts.entry(run.to_vec()).or_default() += 1;
            }
        }
        prop_assert!(counts.values().all(|&n| n <= keep));
        // What is left of rows that were cut is no more frequent.
        let mut remainders: BTreeMap<Vec<u64>, (u32, bool)> = BTreeMap::new();
        for (text, cuts) in texts.iter().zip(&all_cuts) {
            let entry = remainders.entry(left(text, cuts)).or_default();
            // What was shorter from the start stays as it is.
            *entry = (entry.0 + 1, entry.1 || (!cuts.is_empty() && text.len() >= run_words as usize));
        }
        let is_too_many = |(words, (n, is_cut)): (&Vec<u64>, &(u32, bool))| {
            !words.is_empty() && *n > keep && *is_cut
        };
        prop_assert!(!remainders.iter().any(is_too_many));
        for (text, row_cuts) in texts.iter().zip(&cuts) {
            for cut in row_cuts {
                for (token, kept_token) in cut.tokens.clone().zip(cut.kept_token..) {
                    let kept = &texts[cut.kept_row as usize][kept_token as usize];
                    prop_assert_eq!(text[token as usize], *kept);
                    let is_cut = |cut: &TokenCut| cut.tokens.contains(&kept_token);
                    prop_assert!(!all_cuts[cut.kept_row as usize].iter().any(is_cut));
                }
            }
        }
        for ((text, cuts), expected) in texts.iter().zip(&all_cuts).zip(naive(&texts, &gone, run_words as usize, keep as usize)) {
            prop_assert_eq!(left(text, cuts), expected.iter().map(|&at| text[at].hash.get()).collect::<Vec<_>>());
        }
        // A filter that takes nearly everything for seen changes nothing.
        prop_assert_eq!(&cut_with(&texts, &gone, run_words, keep, 1), &cuts);
        // Nothing is cut where nothing repeats.
        let mut before: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
        for run in texts.iter().flat_map(|text| text.windows(run_words as usize)) {
            *before.entry(run.iter().map(|token| token.hash.get()).collect()).or_default() += 1;
        }
        if before.values().all(|&n| n <= keep) && gone.iter().all(Vec::is_empty) {
            prop_assert!(cuts.iter().all(Vec::is_empty));
        }
    }
}
