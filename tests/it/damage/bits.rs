//! Every bit flipped, every length cut, bytes appended.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use copytrace_indexer::error::Error;
use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::recipe::PUBLIC_SEED;

use super::{Open, Patched, Question, in_parallel, index_files, named, questions};

const BLOCK_BYTES: usize = 4096;

/// A file on disk, mapped, of which one bit at a time is wrong.
struct Flipped {
    _dir: tempfile::TempDir,
    disk: File,
    sound: Vec<u8>,
    bytes: FileBytes,
}

impl Flipped {
    fn new(sound: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, sound).unwrap();
        let disk = File::options().write(true).open(&path).unwrap();
        Self { _dir: dir, disk, sound: sound.to_vec(), bytes: FileBytes::map(&path).unwrap() }
    }

    /// Makes one bit wrong while `then` runs.
    fn flip<T>(&self, bit: usize, then: impl FnOnce() -> T) -> T {
        let (at, sound) = (bit / 8, self.sound[bit / 8]);
        self.disk.write_all_at(&[sound ^ 1 << (bit % 8)], at as u64).unwrap();
        let outcome = then();
        self.disk.write_all_at(&[sound], at as u64).unwrap();
        outcome
    }
}

/// What the error of a wrong bit must say: the file, and of a block its number.
fn check_error(error: &Error, path: &Path, place: Place, bit: usize) {
    assert_eq!(named(error), path, "bit {bit}: {error}");
    if let (Place::Block(block), Error::Corrupt { what, offset, .. }) = (place, error) {
        assert_eq!((*what, *offset), ("block checksum", (block * BLOCK_BYTES) as u64), "bit {bit}: {error}");
    }
}

/// Which part of a file is damaged.
#[derive(Debug, Clone, Copy)]
enum Place {
    Block(usize),
    /// Table and trailer, or all of a manifest.
    Rest(usize, usize),
}

impl Place {
    fn bits(self) -> std::ops::Range<usize> {
        match self {
            Self::Block(block) => block * BLOCK_BYTES * 8..(block + 1) * BLOCK_BYTES * 8,
            Self::Rest(start, end) => start * 8..end * 8,
        }
    }
}

/// All places of a file.
fn places(path: &Path, len: usize) -> Vec<Place> {
    let is_manifest = path.to_string_lossy().starts_with("MANIFEST");
    let n_blocks = if is_manifest { 0 } else { (len - 32) / (BLOCK_BYTES + 8) };
    let mut places: Vec<Place> = (0..n_blocks).map(Place::Block).collect();
    places.push(Place::Rest(n_blocks * BLOCK_BYTES, len));
    places
}

/// Flips every bit of one place.
///
/// A place that opening looks at is met with every bit by opening the index. Another is met by a question: the index is opened once, with the
/// place's first bit flipped, and is then asked for each bit. It never saw a sound version of the place, so it cannot remember one.
fn flip_every_bit(sound: &Patched, path: &Path, place: Place, questions: &[Question], expected: &[String]) {
    let flipped = Flipped::new(&sound.files[path]);
    let patched = sound.with(path, flipped.bytes.clone());
    let first = place.bits().start;
    let opened = flipped.flip(first, || Open::new(&patched));
    let Ok(open) = opened else {
        for bit in place.bits() {
            let error = flipped.flip(bit, || Index::open(&patched, PUBLIC_SEED)).unwrap_err();
            check_error(&error, path, place, bit);
        }
        return;
    };
    let mut fails = None;
    flipped.flip(first, || {
        for (question, expected) in questions.iter().zip(expected) {
            match open.answer(question) {
                Ok(answer) => assert_eq!(&answer, expected, "{} {place:?}", path.display()),
                Err(_) if fails.is_none() => fails = Some(question),
                Err(error) => check_error(&error, path, place, first),
            }
        }
    });
    let question = fails.unwrap_or_else(|| panic!("{} {place:?}: no question touches it", path.display()));
    for bit in place.bits() {
        let error = flipped.flip(bit, || open.answer(question)).unwrap_err();
        check_error(&error, path, place, bit);
    }
}

#[test]
fn every_flipped_bit_is_an_error_that_names_file_and_block() {
    let (files, _) = index_files();
    let sound = Patched::new(files);
    let questions = questions();
    let open = Open::new(&sound).unwrap();
    let expected: Vec<String> = questions.iter().map(|question| open.answer(question).unwrap()).collect();
    let jobs: Vec<(&Path, Place)> = sound
        .files
        .iter()
        .flat_map(|(path, bytes)| places(path, bytes.len()).into_iter().map(move |place| (path.as_path(), place)))
        .collect();
    let n_bits: usize = jobs.iter().map(|(_, place)| place.bits().len()).sum();
    assert!(n_bits >= 524_288, "{n_bits}");
    in_parallel(&jobs, |&(path, place)| flip_every_bit(&sound, path, place, &questions, &expected));
}

#[test]
fn every_other_length_is_an_error_that_names_the_file() {
    let (files, _) = index_files();
    let sound = Patched::new(files);
    let jobs: Vec<&Path> = sound.files.keys().map(PathBuf::as_path).collect();
    in_parallel(&jobs, |path| {
        let bytes = &sound.files[*path];
        let check = |bytes: Vec<u8>| {
            let n_bytes = bytes.len();
            let error = Index::open(&sound.with(path, FileBytes::from_vec(bytes)), PUBLIC_SEED).unwrap_err();
            assert_eq!(named(&error), *path, "{n_bytes} bytes: {error}");
        };
        for length in 0..bytes.len() {
            check(bytes[..length].to_vec());
        }
        for extra in [1, 7, 8, 32, 4096, 4104, 100_000] {
            check([bytes, &vec![0; extra][..]].concat());
            check([bytes, &bytes[bytes.len() - extra.min(bytes.len())..]].concat());
        }
    });
}
