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

/// Changes the payload of a file and makes everything right that vouches for it; returns what is found wrong with that file.
fn misfit(component: Component, change: impl Fn(&mut Vec<u8>)) -> String {
    let (files, _) = index_files();
    let mut manifest = manifest_of(&files);
    let segment = manifest["segments"][0]["name"].as_str().unwrap().to_owned();
    let path = Path::new(&segment).join(component.name());
    let mut payload = payload_of(&files[&path]);
    change(&mut payload);
    let (bytes, seal) = sealed(component, &payload);
    manifest["segments"][0]["files"][component.name()] = serde_json::to_value(seal).unwrap();
    let manifest = sealed_manifest(&serde_json::to_vec(&manifest).unwrap());
    let manifest_path = manifest_bytes(&files).0.to_path_buf();
    let files: Files = files.into_iter().chain([(path.clone(), bytes), (manifest_path, manifest)]).collect();
    let examined = examined(&Patched::new(files));
    let damaged: Vec<_> = examined.files.iter().filter(|file| file.n_damages > 0).collect();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert_eq!((Path::new(&damaged[0].file), damaged[0].damages[0].block), (path.as_path(), None));
    damaged[0].damages[0].problem.clone()
}

#[test]
fn parts_that_do_not_fit_under_right_checksums_are_found() {
    // Postings begin with the second block, records are 32 bytes.
    let first_posting = 4096 - 64;
    let swap = |at: usize, width: usize| {
        move |payload: &mut Vec<u8>| (0..width).for_each(|n| payload.swap(at + n, at + width + n))
    };
    let set = |at: usize, value: u8| move |payload: &mut Vec<u8>| payload[at] = value;
    let found = misfit(Component::Bands, swap(first_posting, 8));
    assert!(found.starts_with("order of postings differs"), "{found}");
    // The value of a posting is its lower half, or its lower 40 bits. That of the last one can be anything without a change of the order.
    for (component, top_byte) in [
        (Component::Bands, 3),
        (Component::Exact, 3),
        (Component::Ids, 3),
        (Component::Anchors, 4),
        (Component::Lexemes, 4),
        (Component::Units, 4),
    ] {
        let found = misfit(component, |payload| {
            let number = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
            let offset = |at: usize| usize::try_from(number(at)).unwrap();
            let footer = payload.len() - 56;
            let (start, end) = (offset(footer + 16), offset(footer + 24));
            let last = (start..end).step_by(8).rfind(|&at| number(at) != u64::MAX).unwrap();
            payload[last + top_byte] = 0x7F;
        });
        assert!(found.starts_with("value of a posting differs: expected `below "), "{found}");
    }
    let found = misfit(Component::Documents, set(0, 1));
    assert!(found.starts_with("text start differs: expected `0`, found `1`"), "{found}");
    let found = misfit(Component::Documents, set(7, 10));
    assert!(found.starts_with("language differs: expected `below 10`, found `10`"), "{found}");
    let found = misfit(Component::Documents, |payload| payload[12] ^= 1);
    assert!(found.starts_with("bytes of text and number of words differs"), "{found}");
    let file_of = |payload: &[u8], name: &[u8]| {
        let table = payload.len() - 32 - 6 * 32;
        let entry = (0..6).map(|n| &payload[table + 32 * n..][..32]).find(|entry| entry.starts_with(name)).unwrap();
        let number = |at: usize| usize::try_from(u64::from_le_bytes(entry[at..at + 8].try_into().unwrap())).unwrap();
        number(16)..number(16) + number(24)
    };
    for name in [&b"store"[..], b"idx", b"term"] {
        let found = misfit(Component::Catalog, |payload| {
            let range = file_of(payload, name);
            payload[range.start..range.start + range.len() / 2].fill(0x5A);
        });
        let is_named =
            found.starts_with("catalogue differs") || found.starts_with("block of the document store differs");
        assert!(is_named, "{found}");
    }
}

#[test]
fn a_manifest_that_lacks_a_file_is_damaged_although_its_checksum_is_right() {
    let (files, _) = index_files();
    let (manifest_path, _) = manifest_bytes(&files);
    // A segment without these is one for deduplication, or one of prose.
    let optional = [Component::Anchors, Component::Lexemes, Component::Units];
    for component in Component::ALL.into_iter().filter(|component| !optional.contains(component)) {
        let mut manifest = manifest_of(&files);
        let lacking = manifest["segments"][1]["files"].as_object_mut().unwrap().remove(component.name());
        if component == Component::Tombstones {
            assert_eq!(lacking, None, "they have an entry of their own");
            continue;
        }
        let manifest = sealed_manifest(&serde_json::to_vec(&manifest).unwrap());
        let examined = examined(&Patched::new(files.clone()).with(manifest_path, manifest));
        let damaged: Vec<_> = examined.files.iter().filter(|file| file.n_damages > 0).collect();
        let [file] = damaged[..] else { panic!("{damaged:?}") };
        assert_eq!(Path::new(&file.file), manifest_path);
        let expected = format!("list of files differs: expected `{}`, found `none in the manifest`", component.name());
        assert_eq!(file.damages[0].problem, expected);
    }
}
