//! Damaged files whose checksums are right: a bug of a writer, or somebody who makes index files. Answers may then be wrong, but reading
//! never panics, never hangs and never takes memory for a length that a file only claims.

use std::path::Path;

use copytrace_indexer::ids::{DocIdx, Key};
use copytrace_indexer::index::block_file::{BlockFile, BlockFileWriter, Component, FORMAT_VERSION, Seal};
use copytrace_indexer::index::catalog::{AttributeField, Catalog};
use copytrace_indexer::index::documents::Documents;
use copytrace_indexer::index::key_table::KeyTable;
use copytrace_indexer::index::manifest::Manifest;
use copytrace_indexer::index::mmap::FileBytes;
use copytrace_indexer::index::storage::{MemoryStorage, Storage as _};
use copytrace_indexer::index::text::Text;
use copytrace_indexer::index::tombstones::Tombstones;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::corpora::Random;

use super::{Files, Open, Patched, in_parallel, index_files, named, questions};

/// Forged files tried of each part of an index; the same ones in every run.
const CASES: u64 = 40_000;
/// Forged indexes opened and asked as a whole.
const WHOLE_CASES: u64 = 4_000;
const CASES_PER_JOB: u64 = 250;
/// Address space that reading forged files may add to a process that does nothing else, in KiB: 100 MiB, most of it stacks of threads and what the
/// allocator keeps. Files here have 24 KiB; a length believed would be some GiB.
const GROWTH_KIB_MAX: u64 = 100 << 10;

/// Set in the processes that tests of memory start for themselves.
const CHILD: &str = "COPYTRACE_TEST_FORGED_CHILD";

/// Runs a test in a process of its own, and looks at how much address space it adds there.
fn check_growth(name: &str, test: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        let before_kib = address_space_peak_kib();
        test();
        let growth_kib = address_space_peak_kib() - before_kib;
        assert!(growth_kib < GROWTH_KIB_MAX, "reading took {growth_kib} KiB of address space");
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    // One arena: each has 64 MiB of address space to begin with. Backtraces of caught panics read all debug information.
    child
        .args(["--exact", &format!("damage::forged::{name}"), "--nocapture"])
        .env(CHILD, "")
        .env("MALLOC_ARENA_MAX", "1")
        .env("RUST_BACKTRACE", "0");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Most address space that this process ever had, in KiB.
fn address_space_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Changes bytes here and there, the last 64 often: there stand the lengths and offsets.
fn forge(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        let at = if random.below(3) == 0 { len - 1 - random.below(len.min(64)) } else { random.below(len) };
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next().to_le_bytes()[0],
            2..=4 => {
                let numbers =
                    [0, 1, 2, 7, 127, 128, 255, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 56, 1 << 63];
                let near = [u64::MAX, u64::MAX - 7, len as u64, len as u64 - 1, len as u64 + 1, at as u64];
                let all = [&numbers[..], &near[..]].concat();
                let number = all[random.below(all.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)];
                let start = if random.below(2) == 0 { at / width * width } else { at };
                let end = len.min(start + width);
                bytes[start..end].copy_from_slice(&number[..end - start]);
            }
            5 => {
                let end = len.min(at + 1 + random.below(64));
                bytes[at..end].fill([0, 0xFF, 0x80][random.below(3)]);
            }
            6 => {
                let n = 1 + random.below(64.min(len));
                let from = random.below(len - n + 1);
                let to = random.below(len - n + 1);
                bytes.copy_within(from..from + n, to);
            }
            _ if random.below(2) == 0 => bytes.truncate(at),
            _ => bytes.resize(len + 1 + random.below(100), 0x81),
        }
    }
}

/// A block file of a payload.
pub(super) fn sealed(component: Component, payload: &[u8]) -> (FileBytes, Seal) {
    let storage = MemoryStorage::default();
    let mut writer = BlockFileWriter::create(&storage, Path::new("file"), component).unwrap();
    writer.write(payload).unwrap();
    let seal = writer.finish().unwrap();
    (storage.open(Path::new("file")).unwrap(), seal)
}

pub(super) fn payload_of(bytes: &[u8]) -> Vec<u8> {
    let at = bytes.len() - 32;
    let n_bytes = usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    bytes[64..64 + n_bytes].to_vec()
}

fn component_of(path: &Path) -> Option<Component> {
    let name = path.file_name()?.to_str()?;
    Component::ALL.into_iter().find(|component| name.starts_with(component.name()))
}

/// Makes the checksums of a block file right again, whatever it says, and returns what a manifest would say of it.
fn mend(bytes: &mut [u8]) -> Seal {
    let trailer = bytes.len().saturating_sub(32);
    let n_blocks = trailer / 4104;
    for block in 0..n_blocks {
        let checksum = xxh3_64(&bytes[block * 4096..(block + 1) * 4096]).to_le_bytes();
        bytes[n_blocks * 4096 + block * 8..][..8].copy_from_slice(&checksum);
    }
    let payload_bytes = number_at(bytes, 32);
    let root = xxh3_64_with_seed(&bytes[n_blocks * 4096..n_blocks * 4104], payload_bytes);
    if bytes.len() >= 32 {
        bytes[trailer + 8..trailer + 16].copy_from_slice(&root.to_le_bytes());
    }
    Seal { file_bytes: bytes.len() as u64, root }
}

#[test]
fn forged_containers_and_manifests_are_read_without_panic() {
    let (files, _) = index_files();
    let sound: Vec<&FileBytes> =
        files.iter().filter(|(path, _)| component_of(path).is_some()).map(|(_, bytes)| bytes).collect();
    let (path, manifest) = manifest_bytes(&files);
    let body = &manifest[manifest.iter().position(|&byte| byte == b'\n').unwrap() + 1..];
    let jobs: Vec<u64> = (0..CASES / CASES_PER_JOB).collect();
    in_parallel(&jobs, |job| {
        for case in job * CASES_PER_JOB..(job + 1) * CASES_PER_JOB {
            let mut random = Random(case);
            let mut bytes = sound[random.below(sound.len())].to_vec();
            forge(&mut bytes, &mut random);
            if random.below(4) == 0 {
                let at = 8 * random.below(8);
                let len = bytes.len();
                bytes[..len.min(64)].iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (case % 8));
            }
            let seal = mend(&mut bytes);
            let storage = Patched::new(Files::from([("file".into(), FileBytes::from_vec(bytes))]));
            for component in Component::ALL {
                let Ok(file) = BlockFile::open(&storage, Path::new("file"), component, seal) else { continue };
                let n_bytes = file.payload_bytes();
                assert_eq!(file.slice(0..n_bytes).unwrap().len(), n_bytes);
                let _ = file.slice(n_bytes..usize::MAX).unwrap_err();
                file.prefetch(0..usize::MAX);
                let _ = file.verify();
            }
            let mut body = body.to_vec();
            forge(&mut body, &mut random);
            let storage = Patched::new(Files::from([(path.to_path_buf(), sealed_manifest(&body))]));
            if let Err(error) = Manifest::read_newest(&storage) {
                assert_eq!(named(&error), path);
            }
            let mut bytes = manifest.to_vec();
            forge(&mut bytes, &mut random);
            let _ =
                Manifest::read_newest(&Patched::new(Files::from([(path.to_path_buf(), FileBytes::from_vec(bytes))])));
        }
    });
}

fn number_at(bytes: &[u8], from_end: usize) -> u64 {
    let at = bytes.len().checked_sub(from_end);
    at.and_then(|at| bytes[at..].first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Reads everything that a file of one component can be asked, whatever errors come.
fn read(component: Component, file: BlockFile, payload: &[u8], n_docs: u32, random: &mut Random) {
    match component {
        Component::Documents => {
            let Ok(documents) = Documents::open(file, n_docs) else { return };
            for doc in 0..n_docs + 2 {
                let _ = documents.get(DocIdx(doc));
            }
            let _ = documents.verify(1000);
            for position in [0, 1, documents.text_bytes() / 2, documents.text_bytes().wrapping_sub(1), random.next()] {
                let _ = documents.at(position);
            }
        }
        Component::Text => {
            // The document table can be forged to agree.
            let text_bytes = number_at(payload, 24);
            let Ok(text) = Text::open(file, text_bytes) else { return };
            let mut bytes = Vec::new();
            let far = random.next() % text_bytes.max(1);
            for range in
                [0..text_bytes.min(40_000), text_bytes.saturating_sub(10)..text_bytes, far..far.saturating_add(1)]
            {
                let _ = text.read(range.clone(), &mut bytes);
                let _ = text.newlines_before(range.start);
                let _ = text.newlines_before(range.end);
            }
            if text_bytes < 1 << 20 {
                let _ = text.verify();
            }
        }
        Component::Anchors
        | Component::Lexemes
        | Component::Units
        | Component::Bands
        | Component::Exact
        | Component::Ids => {
            let Ok(table) = KeyTable::open(file) else { return };
            let mut values = Vec::new();
            for n in 0..32 {
                let key = Key(if n % 2 == 0 { n << 59 } else { random.next() });
                let _ = table.prefetch(key);
                let _ = table.lookup(key, &mut values);
            }
            assert!(values.len() <= 32 * payload.len(), "a table hands out what it does not hold");
            let _ = table.verify(random.next() >> random.below(64));
        }
        Component::Catalog => {
            let Ok(catalog) = Catalog::open(file, n_docs) else { return };
            for doc in (0..n_docs).step_by(9) {
                let _ = catalog.document(DocIdx(doc));
            }
            let words = ["warranty".to_owned(), "ok".to_owned(), "kakaka".to_owned()];
            let _ = catalog.search(&words, 10);
            let _ = catalog.document_frequency("notice");
            let _ = catalog.documents_with(AttributeField::Origin, "origin 2");
            let _ = catalog.documents_with(AttributeField::Id, "doc/1001");
            let _ = catalog.verify();
        }
        Component::Tombstones => {
            for n_docs in [n_docs, 0, u32::MAX, number_at(payload, 8).to_le_bytes()[0].into()] {
                if let Ok(tombstones) = Tombstones::read(&file, n_docs, 1) {
                    assert!(tombstones.is_removed(DocIdx(n_docs)));
                }
            }
        }
    }
}

#[test]
fn forged_parts_are_read_without_panic_or_unbounded_memory() {
    check_growth("forged_parts_are_read_without_panic_or_unbounded_memory", read_forged_parts);
}

fn read_forged_parts() {
    let (files, _) = index_files();
    let manifest: serde_json::Value = manifest_of(&files);
    let parts: Vec<(Component, Vec<u8>, u32)> = files
        .iter()
        .filter_map(|(path, bytes)| {
            let name = path.parent()?.to_str()?;
            let segment = manifest["segments"].as_array()?.iter().find(|segment| segment["name"] == name)?;
            let n_docs = u32::try_from(segment["n_docs"].as_u64()?).unwrap();
            Some((component_of(path)?, payload_of(bytes), n_docs))
        })
        .collect();
    assert_eq!(parts.len(), 2 * Component::ALL.len());
    let jobs: Vec<(usize, u64)> =
        (0..parts.len()).flat_map(|part| (0..CASES / 2 / CASES_PER_JOB).map(move |job| (part, job))).collect();
    in_parallel(&jobs, |&(part, job)| {
        let (component, sound, n_docs) = &parts[part];
        for case in job * CASES_PER_JOB..(job + 1) * CASES_PER_JOB {
            let mut random = Random(case << 8 | part as u64);
            let mut payload = sound.clone();
            forge(&mut payload, &mut random);
            let (bytes, seal) = sealed(*component, &payload);
            let storage = Patched::new(Files::from([("file".into(), bytes)]));
            let file = BlockFile::open(&storage, Path::new("file"), *component, seal).unwrap();
            read(*component, file, &payload, *n_docs, &mut random);
        }
    });
}

pub(super) fn manifest_bytes(files: &Files) -> (&Path, &[u8]) {
    let (path, bytes) = files.iter().find(|(path, _)| path.to_string_lossy().starts_with("MANIFEST")).unwrap();
    (path, bytes)
}

pub(super) fn manifest_of(files: &Files) -> serde_json::Value {
    let bytes = manifest_bytes(files).1;
    serde_json::from_slice(&bytes[bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1..]).unwrap()
}

pub(super) fn sealed_manifest(body: &[u8]) -> FileBytes {
    let head = format!("copytrace-manifest {FORMAT_VERSION} {} {:016x}\n", body.len(), xxh3_64(body));
    FileBytes::from_vec([head.as_bytes(), body].concat())
}

/// Replaces one value of a manifest: a number by a strange one, a name by another, anything by nothing.
fn forge_manifest(value: &mut serde_json::Value, random: &mut Random) {
    use serde_json::Value;
    match value {
        Value::Object(map) if !map.is_empty() => {
            let nth = random.below(map.len());
            forge_manifest(map.values_mut().nth(nth).unwrap(), random);
        }
        Value::Array(array) if !array.is_empty() && random.below(8) > 0 => {
            let nth = random.below(array.len());
            forge_manifest(&mut array[nth], random);
        }
        Value::Array(array) => {
            let again = array.clone();
            array.extend(again);
        }
        Value::Number(number) => {
            let old = number.as_u64().unwrap_or(0);
            let numbers = [
                0,
                1,
                63,
                64,
                65,
                1 << 20,
                (1 << 32) - 1,
                1 << 32,
                1 << 62,
                u64::MAX,
                old.wrapping_add(1),
                old.wrapping_sub(1),
                old.wrapping_mul(2),
            ];
            *value = numbers[random.below(numbers.len())].into();
        }
        other => {
            let names = ["", "..", "/etc/passwd", "tombstones-000003", "seg-000001-0000000000000000"];
            *other = if random.below(6) == 0 { Value::Null } else { names[random.below(names.len())].into() };
        }
    }
}

/// Forges one part of a whole index and everything that vouches for it.
fn forge_index(sound: &Patched, random: &mut Random) -> Patched {
    let mut patched = sound.clone();
    let (manifest_path, body) = manifest_bytes(&sound.files);
    let mut manifest = manifest_of(&sound.files);
    let paths: Vec<_> = sound.files.keys().filter(|path| component_of(path).is_some()).collect();
    match random.below(3) {
        0 => forge_manifest(&mut manifest, random),
        1 => {
            let mut body = body[body.iter().position(|&byte| byte == b'\n').unwrap() + 1..].to_vec();
            forge(&mut body, random);
            return sound.with(manifest_path, sealed_manifest(&body));
        }
        _ => {
            let path = paths[random.below(paths.len())];
            let component = component_of(path).unwrap();
            let mut payload = payload_of(&sound.files[path]);
            forge(&mut payload, random);
            let (bytes, seal) = sealed(component, &payload);
            let segments = manifest["segments"].as_array_mut().unwrap();
            let name = path.parent().unwrap().to_str().unwrap();
            let segment = segments.iter_mut().find(|segment| segment["name"] == name).unwrap();
            let slot = match component {
                Component::Tombstones => &mut segment["tombstones"]["seal"],
                _ => &mut segment["files"][component.name()],
            };
            *slot = serde_json::to_value(seal).unwrap();
            patched.files.insert(path.clone(), bytes);
        }
    }
    patched.files.insert(manifest_path.to_path_buf(), sealed_manifest(&serde_json::to_vec(&manifest).unwrap()));
    patched
}

#[test]
fn forged_indexes_are_asked_without_panic_or_unbounded_memory() {
    check_growth("forged_indexes_are_asked_without_panic_or_unbounded_memory", ask_forged_indexes);
}

fn ask_forged_indexes() {
    let (files, _) = index_files();
    let sound = Patched::new(files);
    let questions = questions();
    let jobs: Vec<u64> = (0..WHOLE_CASES / CASES_PER_JOB).collect();
    in_parallel(&jobs, |job| {
        for case in job * CASES_PER_JOB..(job + 1) * CASES_PER_JOB {
            let Ok(open) = Open::new(&forge_index(&sound, &mut Random(case))) else { continue };
            for question in &questions {
                if let Err(error) = open.answer(question) {
                    named(&error);
                }
            }
        }
    });
}
