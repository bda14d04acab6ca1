//! `inspect --verify`: every damaged block of every file is named, with its place and generation; so is what lies beside the index.

use std::path::Path;

use copytrace_indexer::index::block_file::Component;
use copytrace_indexer::index::damage::{DAMAGES_MAX, Damage, Examined, examine};
use copytrace_indexer::index::mmap::FileBytes;

use super::forged::{manifest_bytes, manifest_of, payload_of, sealed, sealed_manifest};
use super::{Files, Patched, index_files};

fn examined(storage: &Patched) -> Examined {
    examine(storage, &mut |_| {}).unwrap()
}

/// Files with damages: name, generation, and of each damage the block and the bytes.
type Found = Vec<(String, u32, Vec<(Option<u64>, std::ops::Range<u64>)>)>;

fn found(storage: &Patched) -> Found {
    let damaged = examined(storage).files.into_iter().filter(|file| file.n_damages > 0);
    let places = |damages: Vec<Damage>| damages.into_iter().map(|damage| (damage.block, damage.bytes)).collect();
    damaged.map(|file| (file.file, file.generation, places(file.damages))).collect()
}

fn generation_of(path: &Path) -> u32 {
    match path.to_str().unwrap() {
        path if path.ends_with("tombstones-000004") || path.starts_with("MANIFEST") => 4,
        path if path.starts_with("seg-000001") => 1,
        _ => 2,
    }
}

#[test]
fn a_sound_index_has_no_damage_and_no_leftover() {
    let (files, _) = index_files();
    let examined = examined(&Patched::new(files.clone()));
    assert!(examined.files.iter().all(|file| file.n_damages == 0), "{examined:?}");
    assert!(examined.leftovers.is_empty(), "{examined:?}");
    let names: Vec<_> = examined.files.iter().map(|file| (file.file.as_str(), file.bytes, file.generation)).collect();
    let expected: Vec<_> =
        files.iter().map(|(path, bytes)| (path.to_str().unwrap(), bytes.len() as u64, generation_of(path))).collect();
    assert_eq!(names, expected);
}

#[test]
fn every_damaged_block_is_named_with_its_bytes_and_generation() {
    let (files, _) = index_files();
    let sound = Patched::new(files);
    for (path, bytes) in &sound.files {
        let (name, generation) = (path.to_str().unwrap().to_owned(), generation_of(path));
        let with = |at: usize| {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x40;
            found(&sound.with(path, FileBytes::from_vec(damaged)))
        };
        let whole = vec![(name.clone(), generation, vec![(None, 0..bytes.len() as u64)])];
        if name.starts_with("MANIFEST") {
            assert_eq!(with(bytes.len() / 2), whole);
            continue;
        }
        let n_blocks = (bytes.len() - 32) / 4104;
        for block in 0..n_blocks {
            let start = block as u64 * 4096;
            let expected = vec![(name.clone(), generation, vec![(Some(block as u64), start..start + 4096)])];
            assert_eq!(with(block * 4096 + 17), expected);
        }
        for at in [n_blocks * 4096, bytes.len() - 32, bytes.len() - 1] {
            assert_eq!(with(at), whole);
        }
        // All blocks at once, and a file that is cut.
        let mut zeros = bytes.to_vec();
        zeros[..n_blocks * 4096].iter_mut().for_each(|byte| *byte ^= 1);
        let all = examined(&sound.with(path, FileBytes::from_vec(zeros)));
        let all = all.files.iter().find(|file| file.file == name).unwrap();
        assert_eq!((all.n_damages, all.damages.len()), (n_blocks as u64, n_blocks.min(DAMAGES_MAX)));
        assert_eq!(found(&sound.with(path, FileBytes::from_vec(bytes[..100].to_vec()))), whole);
    }
}

#[test]
fn damages_do_not_hide_each_other_and_missing_files_and_leftovers_are_listed() {
    let (files, older) = index_files();
    let mut patched = Patched::new(files);
    let paths: Vec<_> = patched.files.keys().cloned().collect();
    let path = |ending: &str| paths.iter().find(|path| path.ends_with(ending)).unwrap().clone();
    let (text, bands, ids) = (path("text"), path("bands"), path("ids"));
    let mut damaged = patched.files[&bands].to_vec();
    (damaged[5000], damaged[13_000]) = (!damaged[5000], !damaged[13_000]);
    patched.files.insert(bands.clone(), FileBytes::from_vec(damaged));
    patched.files.remove(&text);
    patched.files.insert(ids.clone(), older[0].clone());
    let segment = text.parent().unwrap();
    for leftover in ["MANIFEST-000002", "MANIFEST.tmp", "copytrace-building/text", "notes.txt", "LOCK"] {
        patched.files.insert(leftover.into(), older[0].clone());
    }
    patched.files.insert(segment.join("tombstones-000003"), older[0].clone());
    let patched = Patched::new(patched.files);
    let found: Vec<_> = found(&patched).into_iter().map(|(file, _, damages)| (file, damages.len())).collect();
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    assert_eq!(found, [(name(&bands), 2), (name(&ids), 1), (name(&text), 1)]);
    let leftovers = examined(&patched).leftovers;
    let stale = segment.join("tombstones-000003");
    assert_eq!(
        leftovers,
        ["MANIFEST-000002", "MANIFEST.tmp", "copytrace-building", "notes.txt", stale.to_str().unwrap()]
    );
}

#[test]
fn parts_that_do_not_fit_under_right_checksums_are_found() {
    let (files, _) = index_files();
    let mut manifest = manifest_of(&files);
    let bands = files.keys().find(|path| path.ends_with("bands")).unwrap().clone();
    let mut payload = payload_of(&files[&bands]);
    // The first posting stands at the start of the second block; it changes places with the next one.
    let first = 4096 - 64;
    for n in 0..8 {
        payload.swap(first + n, first + 8 + n);
    }
    let (bytes, seal) = sealed(Component::Bands, &payload);
    manifest["segments"][0]["files"]["bands"] = serde_json::to_value(seal).unwrap();
    let manifest = sealed_manifest(&serde_json::to_vec(&manifest).unwrap());
    let manifest_path = manifest_bytes(&files).0.to_path_buf();
    let files: Files = files.into_iter().chain([(bands.clone(), bytes), (manifest_path, manifest)]).collect();
    let examined = examined(&Patched::new(files));
    let file = examined.files.iter().find(|file| file.n_damages > 0).unwrap();
    assert_eq!((file.file.as_str(), file.damages[0].block), (bands.to_str().unwrap(), None));
    assert!(file.damages[0].problem.starts_with("order of postings differs"), "{file:?}");
}
