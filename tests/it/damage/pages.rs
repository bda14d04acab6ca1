//! Sampled damage of pages and ranges: zeroed, overwritten, moved, swapped, taken from an older index; files swapped with one another.

use std::path::PathBuf;

use copytrace_indexer::index::mmap::FileBytes;

use crate::corpora::Random;

use super::{Files, Open, Patched, in_parallel, index_files, named, questions};

/// Damages tried; the same ones in every run.
const CASES: u64 = 100_000;
const CASES_PER_JOB: u64 = 500;
const PAGE_BYTES: usize = 4096;

/// Damages one or two files. Returns what is different, by path.
fn damage(sound: &Files, older: &[FileBytes], random: &mut Random) -> Vec<(PathBuf, Vec<u8>)> {
    let paths: Vec<&PathBuf> = sound.keys().collect();
    let path = paths[random.below(paths.len())];
    let mut bytes = sound[path].to_vec();
    let page = |random: &mut Random, bytes: &[u8]| {
        let start = random.below(bytes.len().div_ceil(PAGE_BYTES)) * PAGE_BYTES;
        start..bytes.len().min(start + PAGE_BYTES)
    };
    let range = |random: &mut Random, bytes: &[u8]| {
        let start = random.below(bytes.len());
        start..bytes.len().min(start + 1 + random.below(2 * PAGE_BYTES))
    };
    match random.below(10) {
        0 => {
            let page = page(random, &bytes);
            bytes[page].fill(0);
        }
        1 => {
            // Two pages of one file change places.
            let (a, b) = (page(random, &bytes), page(random, &bytes));
            let len = a.len().min(b.len());
            for n in 0..len {
                bytes.swap(a.start + n, b.start + n);
            }
        }
        2 => {
            // The same page of an older file.
            let other = &older[random.below(older.len())];
            let page = page(random, &bytes);
            let end = page.end.min(other.len());
            if page.start < end {
                bytes[page.start..end].copy_from_slice(&other[page.start..end]);
            }
        }
        3 => {
            // Any page of any file.
            let other = &sound[paths[random.below(paths.len())]];
            let (from, to) = (page(random, other), page(random, &bytes));
            let len = from.len().min(to.len());
            bytes[to.start..to.start + len].copy_from_slice(&other[from.start..from.start + len]);
        }
        4 => {
            for at in range(random, &bytes) {
                bytes[at] = random.next().to_le_bytes()[0];
            }
        }
        5 => {
            let range = range(random, &bytes);
            bytes[range].fill(if random.below(2) == 0 { 0 } else { 0xFF });
        }
        6 => {
            let from = range(random, &bytes);
            let to = random.below(bytes.len() - from.len() + 1);
            bytes.copy_within(from, to);
        }
        7 => {
            for _ in 0..2 + random.below(7) {
                let bit = random.below(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        8 => {
            let range = range(random, &bytes);
            if random.below(2) == 0 {
                bytes.drain(range);
            } else {
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, again);
            }
        }
        _ if random.below(2) == 0 => bytes = older[random.below(older.len())].to_vec(),
        _ => {
            let other = paths[random.below(paths.len())];
            let theirs = std::mem::replace(&mut bytes, sound[other].to_vec());
            return vec![(path.clone(), bytes), (other.clone(), theirs)];
        }
    }
    vec![(path.clone(), bytes)]
}

#[test]
fn damaged_pages_and_swapped_files_never_change_an_answer() {
    let (files, older) = index_files();
    let sound = Patched::new(files);
    let questions = questions();
    let open = Open::new(&sound).unwrap();
    let expected: Vec<String> = questions.iter().map(|question| open.answer(question).unwrap()).collect();
    let jobs: Vec<u64> = (0..CASES / CASES_PER_JOB).collect();
    in_parallel(&jobs, |job| {
        for case in job * CASES_PER_JOB..(job + 1) * CASES_PER_JOB {
            let damaged = damage(&sound.files, &older, &mut Random(case));
            let mut patched = sound.clone();
            for (path, bytes) in &damaged {
                patched.files.insert(path.clone(), FileBytes::from_vec(bytes.clone()));
            }
            let outcome = Open::new(&patched).and_then(|open| {
                for (question, expected) in questions.iter().zip(&expected) {
                    assert_eq!(&open.answer(question)?, expected, "case {case}");
                }
                Ok(())
            });
            if let Err(error) = outcome {
                let path = named(&error);
                assert!(damaged.iter().any(|(damaged, _)| damaged == path), "case {case}: {error}");
                assert!(damaged.iter().any(|(path, bytes)| *sound.files[path] != bytes[..]), "case {case}: {error}");
            }
        }
    });
}
