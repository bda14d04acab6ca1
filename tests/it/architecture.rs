//! The architecture's invariants that can be read off the source: order of modules, no cycles, names that stay at home, sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A source file of a crate, as its module path and its code without comments and strings' contents left in.
struct Source {
    path: PathBuf,
    /// `index::block_file` for `index/block_file.rs`, `index` for `index/mod.rs`, empty for the crate's root.
    module: Vec<String>,
    code: String,
    text: String,
}

struct Crate {
    title: &'static str,
    sources: Vec<Source>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn crates() -> [Crate; 2] {
    [("indexer", "indexer/src"), ("copytrace", "src")]
        .map(|(title, dir)| Crate { title, sources: sources_below(&root().join(dir)) })
}

fn files_below(dir: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_below(&path, ending, files);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            files.push(path);
        }
    }
}

fn sources_below(dir: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    files_below(dir, "rs", &mut files);
    files
        .into_iter()
        .filter(|path| !is_test_file(path))
        .map(|path| {
            let relative = path.strip_prefix(dir).unwrap().with_extension("");
            let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                module.pop();
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = without_tests(&without_comments(&text));
            Source { path, module, code, text }
        })
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Files of unit tests may name whatever they test.
fn is_test_file(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests" || stem == "oracle" || stem == "naive")
}

/// An inline test module ends its file.
fn without_tests(code: &str) -> String {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// Names of the modules in a crate's order table.
fn order_table(title: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let section = text.split(&format!("### {title}\n")).nth(1).expect("the table's heading");
    let rows = section.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

/// Module paths that a source names, as paths from the crate's root.
fn named_modules(source: &Source) -> BTreeSet<Vec<String>> {
    let mut named = BTreeSet::new();
    // `super` leaves the module that the line stands in; inline test modules are one deeper.
    for (marker, base) in
        [("crate::", Vec::new()), ("super::super::", up(&source.module, 2)), ("super::", up(&source.module, 1))]
    {
        for (at, _) in source.code.match_indices(marker) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &source.code[at + marker.len()..];
            if rest.starts_with("super::") {
                continue;
            }
            let tail: String = rest.chars().take_while(|&c| c.is_alphanumeric() || c == '_' || c == ':').collect();
            let mut path = base.clone();
            path.extend(tail.split("::").filter(|part| !part.is_empty()).map(str::to_owned));
            named.insert(path);
        }
    }
    named
}

fn up(module: &[String], levels: usize) -> Vec<String> {
    module[..module.len().saturating_sub(levels)].to_vec()
}

#[test]
fn modules_name_only_modules_before_them() {
    for Crate { title, sources } in crates() {
        let order = order_table(title);
        let place = |name: &String| order.iter().position(|entry| entry == name);
        for source in &sources {
            let Some(own) = source.module.first() else { continue };
            let own_place = place(own).unwrap_or_else(|| panic!("`{own}` is not in the order table of {title}"));
            for named in named_modules(source) {
                let Some(named_place) = named.first().and_then(place) else { continue };
                let path = source.path.display();
                assert!(named_place <= own_place, "{path} names `{}`, which stands after `{own}`", named.join("::"));
            }
        }
        for entry in &order {
            assert!(
                sources.iter().any(|source| source.module.first() == Some(entry)),
                "{title} has no module `{entry}`"
            );
        }
    }
}

#[test]
fn no_two_files_name_each_other_in_a_circle() {
    for Crate { title, sources } in crates() {
        let by_module: BTreeMap<&[String], usize> =
            sources.iter().enumerate().map(|(idx, source)| (source.module.as_slice(), idx)).collect();
        let mut edges: Vec<BTreeSet<usize>> = Vec::new();
        for (idx, source) in sources.iter().enumerate() {
            let mut targets = BTreeSet::new();
            for named in named_modules(source) {
                // The longest prefix that is a file is what is meant.
                let target = (1..=named.len()).rev().find_map(|len| by_module.get(&named[..len]));
                targets.extend(target.copied().filter(|&target| target != idx));
            }
            edges.push(targets);
        }
        // Repeatedly take away files that name no file that is left; what cannot be taken away is on a circle.
        let mut left: BTreeSet<usize> = (0..sources.len()).collect();
        loop {
            let free: Vec<usize> = left.iter().copied().filter(|&idx| edges[idx].is_disjoint(&left)).collect();
            if free.is_empty() {
                break;
            }
            left.retain(|idx| !free.contains(idx));
        }
        let circle: Vec<String> = left.iter().map(|&idx| sources[idx].module.join("::")).collect();
        assert!(circle.is_empty(), "{title}: these files name each other in a circle: {circle:?}");
    }
}

#[test]
fn outside_names_stay_at_home() {
    let homes: [(&str, &[&str]); 7] = [
        ("tonic::", &["src/service/"]),
        ("prost::", &["src/service/"]),
        ("clap::", &["src/cli/"]),
        ("tantivy::", &["indexer/src/index/catalog"]),
        ("anyhow", &["src/cli/", "src/main.rs"]),
        ("memmap2::", &["indexer/src/index/mmap.rs"]),
        ("tree_sitter", &["indexer/src/syntax/", "indexer/src/language/"]),
    ];
    for Crate { sources, .. } in crates() {
        for source in &sources {
            let path = source.path.strip_prefix(root()).unwrap().to_str().unwrap();
            for (name, home) in homes {
                let is_home = home.iter().any(|home| path.starts_with(home));
                assert!(is_home || !source.code.contains(name), "{path} names `{name}`, which belongs to {home:?}");
            }
            let may_be_unsafe = matches!(path, "indexer/src/index/mmap.rs" | "indexer/src/simd.rs");
            assert!(may_be_unsafe || !source.code.contains("unsafe "), "{path} holds unsafe code");
        }
    }
}

#[test]
fn files_stay_small_and_finished() {
    for Crate { sources, .. } in crates() {
        for source in &sources {
            let path = source.path.display();
            let n_lines = source.text.lines().count();
            assert!(n_lines <= 800, "{path} has {n_lines} lines: expected at most 800");
            for mark in
                ["TO", "FIX", "to", "#["].into_iter().zip(["DO", "ME", "do!", "ignore"]).map(|(a, b)| a.to_owned() + b)
            {
                assert!(!source.text.contains(&mark), "{path} has `{mark}`");
            }
            let bare =
                source.code.lines().find(|line| line.trim_start().starts_with("matches!") && line.ends_with(");"));
            assert_eq!(bare, None, "{path}: a statement that is only `matches!` checks nothing");
        }
    }
}

fn documents() -> Vec<PathBuf> {
    let mut files = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    files_below(&root().join("docs"), "md", &mut files);
    files
}

/// A text without its fenced blocks: what a program prints there is no Markdown.
fn without_fences(text: &str) -> String {
    let mut is_fenced = false;
    let is_prose = |line: &&str| {
        let is_fence = line.starts_with("```");
        is_fenced ^= is_fence;
        !is_fence && !is_fenced
    };
    text.lines().filter(is_prose).collect::<Vec<_>>().join("\n")
}

/// A line such as `FIGURES_OF_GROWTH` stands for something that is yet to be written.
#[test]
fn no_document_has_a_placeholder() {
    let is_placeholder = |line: &str| {
        let words: Vec<&str> = line.trim().split('_').collect();
        words.len() > 1
            && words.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase()))
    };
    assert!(is_placeholder("FIGURES_OF_GROWTH") && !is_placeholder("FIGURES") && !is_placeholder("_A_"));
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().find(|line| is_placeholder(line)), None, "{}", file.display());
    }
}

#[test]
fn links_between_documents_are_alive() {
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let text = without_fences(&text);
        for (at, _) in text.match_indices("](") {
            let target: String = text[at + 2..].chars().take_while(|&c| c != ')').collect();
            let path = target.split('#').next().unwrap_or("");
            if path.is_empty() || target.contains("://") {
                continue;
            }
            let linked = file.parent().unwrap().join(path);
            assert!(linked.try_exists().unwrap(), "{}: the link to `{target}` is dead", file.display());
        }
    }
}
