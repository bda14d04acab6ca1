//! Names the package or repository that a folder is the root of.

use std::io::Read;
use std::path::Path;

/// How much of a manifest is read. Real ones have a few KiB.
const MANIFEST_BYTES_MAX: u64 = 256 << 10;

/// Longest package name that is believed, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Finds the package's name in the text of a manifest.
type FindName = fn(&str) -> Option<String>;

/// Files that make a folder the root of a package, and how each tells the package's name.
const MANIFESTS: [(&str, FindName); 5] = [
    ("Cargo.toml", |text| name_in_toml(text, &["package"])),
    ("pyproject.toml", |text| name_in_toml(text, &["project", "tool.poetry"])),
    ("package.json", name_in_json),
    ("setup.py", name_in_setup),
    ("go.mod", name_in_go_mod),
];

/// Returns the name of the package or repository whose root `folder` is: as the manifest says, else the folder's own
/// name. `None` where the folder is no such root.
pub(super) fn of_folder(folder: &Path, own_name: &str) -> Option<String> {
    let mut is_root = folder.join(".git").try_exists().unwrap_or(false);
    for (manifest, name_in) in MANIFESTS {
        let Some(text) = read(&folder.join(manifest)) else { continue };
        is_root = true;
        if let Some(name) = name_in(&text).filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX) {
            return Some(name);
        }
    }
    is_root.then(|| own_name.to_owned())
}

fn read(path: &Path) -> Option<String> {
    if !fs_err::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs_err::File::open(path).ok()?.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Finds `name = "..."` in one of the given tables.
fn name_in_toml(text: &str, tables: &[&str]) -> Option<String> {
    let mut is_in_table = false;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            is_in_table =
                tables.iter().any(|table| header.strip_prefix(table).is_some_and(|rest| rest.starts_with(']')));
        } else if is_in_table && let Some(name) = quoted_value(line) {
            return Some(name);
        }
    }
    None
}

fn name_in_json(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Package {
        name: Option<String>,
    }
    serde_json::from_str::<Package>(text).ok()?.name
}

fn name_in_setup(text: &str) -> Option<String> {
    text.lines().find_map(|line| quoted_value(line.trim().trim_start_matches("setup(").trim_start()))
}

fn name_in_go_mod(text: &str) -> Option<String> {
    let module = text.lines().find_map(|line| line.trim().strip_prefix("module "))?;
    Some(module.split("//").next().unwrap_or_default().trim().trim_matches('"').to_owned())
}

/// Takes the text out of `name = "..."` or `name='...'`.
fn quoted_value(line: &str) -> Option<String> {
    let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    value[1..].split_once(quote).map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_tell_the_name() {
        for (manifest, text, expected) in [
            ("Cargo.toml", "[package]\nname = \"own\"\n", "own"),
            ("Cargo.toml", "[[bin]]\nname = \"tool\"\n[ package ]\n[package]\nversion = \"1\"\nname='own'", "own"),
            ("Cargo.toml", "[workspace]\nmembers = []\n", "folder"),
            ("pyproject.toml", "[build-system]\nname = \"no\"\n[project]\nname = \"own\" # why", "own"),
            ("package.json", r#"{"author": {"name": "no"}, "name": "@scope/own"}"#, "@scope/own"),
            ("package.json", "{broken", "folder"),
            ("setup.py", "from x import setup\nsetup(\n    name=\"own\",\n)", "own"),
            ("setup.py", "setup(name='own')", "own"),
            ("setup.py", "setup(name=NAME)", "folder"),
            ("go.mod", "module example.org/own // why\n\ngo 1.22\n", "example.org/own"),
            (".git", "", "folder"),
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            fs_err::write(folder.path().join(manifest), text).expect("a file");
            assert_eq!(of_folder(folder.path(), "folder").as_deref(), Some(expected), "{manifest}: {text}");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs_err::write(folder.path().join("cargo.txt"), "").expect("a file");
        assert_eq!(of_folder(folder.path(), "folder"), None);
    }
}
