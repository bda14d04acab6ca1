//! Texts that were made to cost much: what a check of 1 MiB takes where the deadline is 250 ms, the service's default.
//!
//! `cargo bench --bench hostile`. The corpus is 4 MB of made-up prose and a document of each hostile kind. A row is a text, checked with
//! lexical candidates on: CPU time of the first check and of the second, time of day of the longer one (on a busy machine it is more), and what the
//! answer says about its completeness.

#![allow(clippy::print_stdout, reason = "a table is what this bench makes")]

use std::time::{Duration, Instant};

use copytrace::check::{Checker, Request};
use corpus::{engine, split};
use prose::{Random, prose};

mod corpus;
mod prose;

const TEXT_BYTES: usize = 1 << 20;
const DEADLINE: Duration = Duration::from_millis(250);

/// Repeats what `next` gives until the text is long enough.
fn fill(bytes: usize, mut next: impl FnMut(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut n = 0;
    while text.len() < bytes {
        text.push_str(&next(n));
        text.push(if n % 16 == 15 { '\n' } else { ' ' });
        n += 1;
    }
    cut(text, bytes)
}

fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// A text of every kind, of so many bytes; texts of one kind with different seeds are not equal.
fn kinds(bytes: usize, seed: u64, sentences: &[&str]) -> Vec<(&'static str, String)> {
    let mut random = Random::new(seed);
    let pick = |random: &mut Random, n: usize| usize::try_from(random.next() >> 33).expect("31 bits") % n;
    let period = |n: usize| format!("word{}", n % 7);
    let (mut two, mut ten, mut mosaic, mut typos) =
        (Random::new(seed + 1), Random::new(seed + 2), Random::new(seed + 3), Random::new(seed + 4));
    vec![
        ("one word", fill(bytes, |_| "word".to_owned())),
        ("period of 7 words", fill(bytes, period)),
        (
            "period of 7 words with typos",
            fill(bytes, |n| if pick(&mut typos, 31) == 0 { format!("t{n}") } else { period(n) }),
        ),
        ("two words at random", fill(bytes, |_| format!("w{}", pick(&mut two, 2)))),
        ("ten words at random", fill(bytes, |_| format!("w{}", pick(&mut ten, 10)))),
        ("one sentence again and again", fill(bytes, |_| sentences[0].to_owned())),
        ("mosaic of 8 sentences", fill(bytes, |_| sentences[pick(&mut random, 8)].to_owned())),
        ("mosaic of corpus sentences", fill(bytes, |_| sentences[pick(&mut mosaic, sentences.len())].to_owned())),
        ("numbers", fill(bytes, |n| n.to_string())),
        ("foreign prose", cut(prose(&mut Random::new(seed + 5), bytes), bytes)),
    ]
}

/// CPU time of this thread, where the system tells it; else the time of day.
fn cpu_time(start: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn main() {
    let text = prose(&mut Random::new(1), 4 << 20);
    let mut documents = split(&text, 4 << 10);
    let sentences: Vec<&str> = text.split(". ").filter(|sentence| sentence.len() > 40).collect();
    for bytes in [20 << 10, TEXT_BYTES] {
        documents.extend(kinds(bytes, 100, &sentences).into_iter().map(|(_, text)| text));
    }
    documents.extend((0..40).flat_map(|seed| kinds(50 << 10, 200 + seed, &sentences)).map(|(_, text)| text));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = engine(&documents, dir.path());
    let start = Instant::now();
    println!("{:<44} {:>9} {:>9} {:>9}  verdict, matches, degraded", "1 MiB of", "first ms", "then ms", "clock ms");
    for (seed, label) in [(100, "in the corpus"), (300, "new")] {
        for (name, text) in kinds(TEXT_BYTES, seed, &sentences) {
            let mut times = Vec::with_capacity(2);
            let mut longest = Duration::ZERO;
            let mut answer = None;
            for _ in 0..2 {
                let begun = Instant::now();
                let deadline = Some(begun + DEADLINE);
                let request = Request { deadline, ..Request::new("q", text.clone()) };
                let before = cpu_time(start);
                answer = Some(engine.check(&request).expect("a sound index"));
                longest = longest.max(begun.elapsed());
                times.push(cpu_time(start).saturating_sub(before).as_secs_f64() * 1000.0);
            }
            let answer = answer.expect("checked twice");
            let [first, then] = times[..] else { continue };
            println!(
                "{:<44} {first:>9.0} {then:>9.0} {:>9.0}  {:?}, {}, {:?}",
                format!("{name}, {label}"),
                longest.as_secs_f64() * 1000.0,
                answer.verdict.action,
                answer.matches.len(),
                answer.degraded
            );
        }
    }
}
