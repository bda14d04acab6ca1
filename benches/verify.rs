//! Speed of verification: one candidate, as a query of 300 words against a stretch of 1,000 words of a source.
//!
//! `cargo bench --bench verify`

use std::hint::black_box;

use copytrace::verify::TextView;
use copytrace::verify::align::{Scratch, align};
use copytrace::verify::alignment::AlignOptions;
use copytrace::verify::kind::classify;
use copytrace::verify::overlap::{jaccard, sort_distinct};
use copytrace::verify::work::Work;
use criterion::{Criterion, criterion_group, criterion_main};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Words of the query that are copied.
const COPIED_WORDS: usize = 300;
/// Words of the stretch of the source.
const SOURCE_WORDS: usize = 1_000;
/// Every so many k-grams an index keeps one: 0.092 per word.
const WORDS_PER_ANCHOR: usize = 11;

/// A text and its words.
struct Text {
    original: String,
    hashes: Vec<u64>,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Text {
    fn of(words: &[String]) -> Self {
        let mut made = Self { original: String::new(), hashes: Vec::new(), starts: Vec::new(), ends: Vec::new() };
        for word in words {
            made.starts.push(u32::try_from(made.original.len()).expect("the text is short"));
            made.original.push_str(word);
            made.ends.push(u32::try_from(made.original.len()).expect("the text is short"));
            made.original.push(' ');
            made.hashes.push(xxh3_64(word.to_ascii_lowercase().as_bytes()));
        }
        made
    }

    fn view(&self) -> TextView<'_> {
        TextView {
            text: &self.original,
            hashes: &self.hashes,
            contents: &self.hashes,
            starts: &self.starts,
            ends: &self.ends,
        }
    }
}

/// Draws words as prose does: word number r with a probability of about 1 / r, from 3,000.
fn prose(seed: u64, n: usize) -> Vec<String> {
    let draw = |idx: usize| {
        let uniform = (xxh3_64_with_seed(&(idx as u64).to_le_bytes(), seed) >> 11) as f64 / (1u64 << 53) as f64;
        let rank = 3_000f64.powf(uniform).floor();
        format!("{}", rank * 7_919.0)
    };
    (0..n).map(draw).collect()
}

fn with_every(step: usize, words: &[String], change: impl Fn(&String) -> Vec<String>) -> Vec<String> {
    let changed = words.iter().enumerate();
    changed.flat_map(|(idx, word)| if idx % step == step - 1 { change(word) } else { vec![word.clone()] }).collect()
}

/// The places of both texts that share 8 words, thinned as an index thins them; where there are none, those that share 4.
fn anchors(query: &Text, source: &Text) -> Vec<(u32, u32)> {
    let shared = |k: usize| {
        let grams = source.hashes.windows(k).enumerate().step_by(WORDS_PER_ANCHOR);
        let places = grams.filter_map(|(s, gram)| Some((query.hashes.windows(k).position(|other| other == gram)?, s)));
        let idx = |place: usize| u32::try_from(place).expect("the text is short");
        places.map(|(q, s)| (idx(q), idx(s))).collect::<Vec<_>>()
    };
    let seeds = shared(8);
    if seeds.is_empty() { shared(4) } else { seeds }
}

fn verification(criterion: &mut Criterion) {
    let source_words = prose(1, SOURCE_WORDS);
    let source = Text::of(&source_words);
    let copied = &source_words[400..400 + COPIED_WORDS];
    let strangers = prose(2, 100);
    let chance = [&strangers[..50], &copied[7..15], &strangers[50..]].concat();
    let embedded = [&strangers[..50], copied, &strangers[50..]].concat();
    let candidates = [
        ("verbatim", copied.to_vec()),
        ("verbatim between strangers", embedded),
        ("other case", copied.iter().map(|word| format!("A{word}")).collect()),
        ("every 10th substituted", with_every(10, copied, |_| vec!["new".into()])),
        ("every 10th deleted", with_every(10, copied, |_| vec![])),
        ("every 10th inserted", with_every(10, copied, |word| vec![word.clone(), "new".into()])),
        ("every 5th substituted", with_every(5, copied, |_| vec!["new".into()])),
        ("8 words by chance", chance),
    ];
    let mut group = criterion.benchmark_group("align 300 words");
    let options = AlignOptions::default();
    let source_in_case = Text::of(&source_words.iter().map(|word| format!("a{word}")).collect::<Vec<_>>());
    for (name, words) in candidates {
        let source = if name == "other case" { &source_in_case } else { &source };
        let query = Text::of(&words);
        let seeds = anchors(&query, source);
        let (query, source) = (query.view(), source.view());
        let mut scratch = Scratch::default();
        let mut align_from = |seeds: &[(u32, u32)]| {
            align(&query, &source, seeds, &options, str::eq_ignore_ascii_case, &mut Work::default(), &mut scratch)
        };
        let found = align_from(&seeds);
        assert!(!found.alignments.is_empty() && !found.capped, "{name} is found");
        group.bench_function(format!("{name}, {} seeds", seeds.len()), |bencher| {
            bencher.iter(|| align_from(black_box(&seeds)));
        });
        group.bench_function(format!("{name}, classify"), |bencher| {
            bencher.iter(|| classify(&query, &source, black_box(&found.alignments[0])));
        });
    }
    group.finish();

    let mut sets =
        [0, 500].map(|first| (first..first + 2_000u64).map(|n| xxh3_64(&n.to_le_bytes())).collect::<Vec<_>>());
    sets.iter_mut().for_each(sort_distinct);
    criterion.bench_function("jaccard of 2,000 and 2,000 shingles", |bencher| {
        bencher.iter(|| jaccard(black_box(&sets[0]), black_box(&sets[1])));
    });
}

criterion_group!(benches, verification);
criterion_main!(benches);
