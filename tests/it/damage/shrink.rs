//! Files on disk that shrink, change or are replaced while an index made of them is open.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use copytrace::check::engine::Engine;
use copytrace_indexer::error::Result;
use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::DiskStorage;
use copytrace_indexer::recipe::PUBLIC_SEED;

use super::{Files, Open, Patched, Question, in_parallel, index_files, named, policy, questions};

/// An index on disk.
struct Disk {
    dir: tempfile::TempDir,
    files: Files,
}

impl Disk {
    fn new(files: Files) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, bytes) in &files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &**bytes).unwrap();
        }
        Self { dir, files }
    }

    fn path(&self, file: &Path) -> PathBuf {
        self.dir.path().join(file)
    }

    fn open(&self) -> Result<Open> {
        let open = || Index::open(&DiskStorage::new(self.dir.path()), PUBLIC_SEED);
        Ok(Open { index: open()?, engine: Engine::new([("test".to_owned(), open()?)], policy()) })
    }

    fn cut(&self, file: &Path, length: usize) {
        std::fs::File::options().write(true).open(self.path(file)).unwrap().set_len(length as u64).unwrap();
    }

    /// Puts a sound file in the place of a damaged one; who has that open keeps it.
    fn restore(&self, file: &Path) {
        let temporary = self.dir.path().join("temporary");
        std::fs::write(&temporary, &*self.files[file]).unwrap();
        std::fs::rename(&temporary, self.path(file)).unwrap();
    }
}

fn answers(open: &Open, questions: &[Question]) -> Vec<String> {
    questions.iter().map(|question| open.answer(question).unwrap()).collect()
}

/// Asks everything; an answer must be the right one, an error must name the file. Returns how many errors there were.
fn check(open: &Open, questions: &[Question], expected: &[String], file: &Path, what: &str) -> usize {
    let check_one = |(question, expected): (&Question, &String)| match open.answer(question) {
        Ok(answer) => {
            assert_eq!(&answer, expected, "{} {what}", file.display());
            0
        }
        Err(error) => {
            assert!(named(&error).ends_with(file), "{} {what}: {error}", file.display());
            1
        }
    };
    questions.iter().zip(expected).map(check_one).sum()
}

#[test]
fn a_file_that_shrinks_under_a_reader_is_an_error_or_harmless_and_hurts_no_other_index() {
    let (files, _) = index_files();
    let questions = questions();
    let other = Disk::new(files.clone());
    let other = other.open().unwrap();
    let expected = answers(&other, &questions);
    let jobs: Vec<&PathBuf> = files.keys().filter(|path| path.parent() != Some(Path::new(""))).collect();
    in_parallel(&jobs, |file| {
        let disk = Disk::new(files.clone());
        let n_bytes = files[*file].len();
        let pages = (0..n_bytes.div_ceil(4096)).map(|page| page * 4096);
        let lengths = pages.flat_map(|page| [page, page + 1, page + 2049, page + 4095]).filter(|&at| at < n_bytes);
        for length in lengths.chain([n_bytes - 1, n_bytes - 8, n_bytes - 33]) {
            // Whether the reader has verified and remembered all of it before, half of it, or nothing.
            for n_before in [0, questions.len() / 2, questions.len()] {
                let open = disk.open().unwrap();
                for (question, expected) in questions.iter().zip(&expected).take(n_before) {
                    assert_eq!(&open.answer(question).unwrap(), expected);
                }
                disk.cut(file, length);
                let what = format!("cut to {length} after {n_before} questions");
                let n_errors = check(&open, &questions, &expected, file, &what);
                // Tombstones are read once, when the index is opened. Everything is read by the last question.
                let is_read_again = !file.to_string_lossy().contains("tombstones");
                assert_eq!(n_errors > 0, is_read_again, "{file:?} {what}");
                assert!(named(&disk.open().map(drop).unwrap_err()).ends_with(file), "{file:?} {what}");
                disk.restore(file);
                assert_eq!(check(&disk.open().unwrap(), &questions[..1], &expected, file, "restored"), 0);
            }
        }
        assert_eq!(answers(&other, &questions), expected);
    });
}

#[test]
fn readers_in_the_middle_of_questions_meet_the_cut_as_an_error() {
    let (files, _) = index_files();
    let questions = questions();
    let expected = answers(&Open::new(&Patched::new(files.clone())).unwrap(), &questions);
    for (file, bytes) in
        files.iter().filter(|(path, _)| ["text", "anchors", "lexemes", "units"].iter().any(|name| path.ends_with(name)))
    {
        for length in [0, bytes.len() / 2, bytes.len() - 40] {
            let disk = Disk::new(files.clone());
            let open = disk.open().unwrap();
            let is_cut = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        loop {
                            let was_cut = is_cut.load(Ordering::Acquire);
                            let n_errors = check(&open, &questions, &expected, file, "cut meanwhile");
                            assert!(!was_cut || n_errors > 0, "{file:?}: a round after the cut saw no error");
                            if n_errors > 0 {
                                break;
                            }
                        }
                    });
                }
                disk.cut(file, length);
                is_cut.store(true, Ordering::Release);
            });
        }
    }
}

/// Blocks of a file that opening the index does not look at.
fn late_blocks(sound: &Patched, file: &Path) -> Vec<usize> {
    let bytes = &sound.files[file];
    let is_late = |block: &usize| {
        let mut damaged = bytes.to_vec();
        damaged[block * 4096] ^= 1;
        Index::open(&sound.with(file, FileBytes::from_vec(damaged)), PUBLIC_SEED).is_ok()
    };
    (0..(bytes.len() - 32) / 4104).filter(is_late).collect()
}

#[test]
fn blocks_overwritten_in_place_before_they_were_read_are_caught() {
    let (files, older) = index_files();
    let questions = questions();
    let sound = Patched::new(files.clone());
    let expected = answers(&Open::new(&sound).unwrap(), &questions);
    let mut n_late = 0;
    for (file, bytes) in files.iter().filter(|(path, _)| path.parent() != Some(Path::new(""))) {
        let late = late_blocks(&sound, file);
        n_late += late.len();
        for other in older.iter().filter(|other| !late.is_empty() && other.len() >= bytes.len() - 32) {
            let disk = Disk::new(files.clone());
            let open = disk.open().unwrap();
            let target = std::fs::File::options().write(true).open(disk.path(file)).unwrap();
            for block in &late {
                let at = block * 4096;
                target.write_all_at(&other[at..at + 4096], at as u64).unwrap();
            }
            let is_changed = late.iter().any(|block| other[block * 4096..][..4096] != bytes[block * 4096..][..4096]);
            let n_errors = check(&open, &questions, &expected, file, "overwritten");
            assert_eq!(n_errors > 0, is_changed, "{file:?} {late:?}");
        }
    }
    assert!(n_late >= 4, "{n_late}");
}

#[test]
fn a_file_replaced_by_another_stays_what_it_was_for_who_has_it_open_and_is_refused_afterwards() {
    let (files, older) = index_files();
    let questions = questions();
    let expected = answers(&Open::new(&Patched::new(files.clone())).unwrap(), &questions);
    let disk = Disk::new(files.clone());
    for (file, bytes) in files.iter().filter(|(path, _)| path.parent() != Some(Path::new(""))) {
        let open = disk.open().unwrap();
        for other in older.iter().filter(|other| other[..] != bytes[..]) {
            let new = disk.path(Path::new("new"));
            std::fs::write(&new, &**other).unwrap();
            std::fs::rename(&new, disk.path(file)).unwrap();
            let error = disk.open().map(drop).unwrap_err();
            assert!(named(&error).ends_with(file), "{file:?}: {error}");
        }
        assert_eq!(check(&open, &questions, &expected, file, "replaced"), 0);
        disk.restore(file);
    }
}
