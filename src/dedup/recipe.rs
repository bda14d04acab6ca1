//! What a pass is to do: every option that changes its result, and the files it reads. Its hash stands in every file of the work folder.

use std::fmt;
use std::path::{Path, PathBuf};

use copytrace_indexer::corpus::columns::{ColumnOptions, Columns};
use copytrace_indexer::corpus::input::{Compression, Format, InputFile};
use copytrace_indexer::fingerprint::{BandPlan, RUN_WORDS_MIN};
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::storage::DiskStorage;
use copytrace_indexer::recipe::Recipe;
use copytrace_indexer::{Error, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::prefer::Preference;
use super::preset::{Preset, Shingle};

/// Version of the work folder and of all its files.
pub(super) const VERSION: u32 = 2;

/// Stored bytes of input files from which on no further file joins a unit: enough that a unit's files of the work folder are not tiny.
const UNIT_BYTES: u64 = 64 << 20;

/// Length of a passage, in words: the 50 tokens of Lee et al., "Deduplicating training data makes language models better", ACL 2022, section 4.2.
pub const PASSAGE_WORDS: u32 = 50;
/// Longest run of words that can be asked for.
pub const PASSAGE_WORDS_MAX: u32 = 10_000;

/// Most input files of a unit.
const UNIT_FILES_MAX: usize = 4096;

/// Hash of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecipeHash(pub(super) [u8; 16]);

impl fmt::Display for RecipeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a pass looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Rows of equal text.
    Exact,
    /// Rows whose sets of shingles are similar.
    Near,
    /// Runs of words within rows that are equal.
    Passage,
    /// Files of code, and definitions within files, that a consistent renaming makes equal.
    Code,
}

/// When two texts are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExactForm {
    /// Byte for byte.
    #[default]
    Raw,
    /// Word for word in normal form.
    Normal,
}

/// A file that a pass reads and writes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// The sort key, and the first part of the ids of rows without an id.
    pub(super) name: String,
    /// Its path below `kept/`.
    pub(super) id: String,
    pub(super) file_bytes: u64,
}

impl Input {
    /// Returns the file as the readers take it.
    pub(super) fn file(&self) -> InputFile {
        let (path, name, id) = (self.path.clone(), self.name.clone(), self.id.clone());
        InputFile { path, format: Format::of_name(&name), name, id, file_bytes: self.file_bytes, root: None }
    }

    /// Returns how it is compressed; `None` where it is no file of JSON lines.
    pub(super) fn compression(&self) -> Option<Compression> {
        match Format::of_name(&self.name) {
            Format::JsonLines(compression) => Some(compression),
            Format::Parquet | Format::Plain => None,
        }
    }
}

/// Column names by role, as the user gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "every field is the role of its name")]
pub struct ColumnNames {
    pub text: Option<String>,
    pub id: Option<String>,
    pub license: Option<String>,
    pub origin: Option<String>,
    pub uri: Option<String>,
    pub path: Option<String>,
    pub shard: Option<String>,
}

impl ColumnNames {
    /// Parses the names.
    pub(super) fn options(&self) -> Result<ColumnOptions> {
        let parse = |names: &Option<String>| names.as_deref().map(Columns::parse).transpose();
        Ok(ColumnOptions {
            text: parse(&self.text)?,
            id: parse(&self.id)?,
            license: parse(&self.license)?,
            origin: parse(&self.origin)?,
            uri: parse(&self.uri)?,
            path: parse(&self.path)?,
            shard: parse(&self.shard)?,
            language: None,
        })
    }
}

/// An index whose documents count as kept rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// Its folder.
    pub index: PathBuf,
    /// Its state when the pass began.
    pub generation: u32,
}

impl Against {
    /// Names an index as it is now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn now(index: PathBuf, seed: u64) -> Result<Self> {
        let generation = Index::open(&DiskStorage::new(&index), seed)?.generation().0;
        Ok(Self { index, generation })
    }
}

/// Another tool whose format is written too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emit {
    /// Binary files of removed documents and clusters.
    Datatrove,
    /// Files of attributes.
    Dolma,
}

/// Every option that changes the result of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What is looked for, ascending.
    pub levels: Vec<Level>,
    /// Least Jaccard index of two rows that are similar.
    pub threshold: f64,
    /// Bands by which candidates are found.
    pub bands: u32,
    /// Slots of a band.
    pub rows: u32,
    /// What the Jaccard index is counted in.
    pub shingle: Shingle,
    /// Rows of a cluster that stay.
    pub keep: u32,
    /// Column for each value of which so many stay; for all together where there is none.
    pub keep_per: Option<String>,
    /// Which rows stay: terms as in `quality desc, length desc`.
    pub prefer: String,
    /// When texts are equal for [`Level::Exact`].
    pub exact_form: ExactForm,
    /// Length from which on runs of words are limited by [`Level::Passage`].
    pub passage_words: u32,
    /// Whether all similar pairs are candidates, instead of those that share a band.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_exhaustive: bool,
    /// Formats of other tools that are written too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emit: Vec<Emit>,
    /// Column of the repository that a row belongs to: such rows are reported and stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Rows that are like a document of this index go too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// Sizes of clusters of the runs before: what they wrote to `clusters.jsonl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters_before: Option<PathBuf>,
    /// Write a weight to every row instead of removing any.
    pub has_weights: bool,
    /// Columns by role.
    pub columns: ColumnNames,
    /// Longest text that is looked at, in bytes; longer ones stay.
    pub document_bytes_max: u32,
}

impl Default for Rules {
    fn default() -> Self {
        let [ours, ..] = Preset::ALL;
        Self {
            levels: vec![Level::Exact, Level::Near],
            threshold: ours.threshold,
            bands: ours.bands,
            rows: ours.rows,
            shingle: ours.shingle,
            is_exhaustive: false,
            keep: 1,
            keep_per: None,
            prefer: "length desc".to_owned(),
            exact_form: ExactForm::Raw,
            passage_words: PASSAGE_WORDS,
            emit: Vec::new(),
            repository: None,
            against: None,
            clusters_before: None,
            has_weights: false,
            columns: ColumnNames::default(),
            document_bytes_max: copytrace_indexer::limits::DOCUMENT_BYTES_MAX,
        }
    }
}

impl Rules {
    pub(super) fn has(&self, level: Level) -> bool {
        self.levels.contains(&level)
    }

    /// Tells whether definitions are cut out of rows that stay.
    pub(super) fn has_functions(&self) -> bool {
        self.has(Level::Code) && !self.has_weights
    }

    /// Tells whether anything is cut out of rows that stay.
    pub(super) fn has_cuts(&self) -> bool {
        self.has(Level::Passage) || self.has_functions()
    }

    /// Parses the terms of [`Self::prefer`].
    pub(super) fn preference(&self) -> Result<Preference> {
        Preference::parse(&self.prefer)
    }

    /// Returns the further columns that are read: those of the preference, then those of `repository` and `keep_per`.
    pub(super) fn further_columns(&self) -> Result<Vec<String>> {
        let further = self.repository.clone().into_iter().chain(self.keep_per.clone());
        Ok(self.preference()?.columns().map(str::to_owned).chain(further).collect())
    }

    fn check(&self) -> Result<()> {
        let refuse =
            |name, expected: &str, found: String| Err(Error::Argument { name, expected: expected.into(), found });
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            return refuse("threshold", "a number above 0 and at most 1", self.threshold.to_string());
        }
        let [ours, ..] = Preset::ALL;
        if self.against.is_some() && (self.bands, self.rows, self.shingle) != (ours.bands, ours.rows, ours.shingle) {
            return refuse(
                "preset",
                "`ours`, which indexes have, with `--against`",
                format!("{}x{}", self.bands, self.rows),
            );
        }
        if self.is_exhaustive && self.against.is_some() {
            return refuse("all-pairs", "no `--against`: an index has bands alone", "both".to_owned());
        }
        if self.clusters_before.is_some() && self.against.is_none() {
            return refuse("clusters-before", "an index given with `--against`", "none".to_owned());
        }
        let n_slots = u64::from(self.bands) * u64::from(self.rows);
        if self.bands == 0
            || self.bands > BandPlan::BANDS_MAX
            || n_slots == 0
            || n_slots > u64::from(BandPlan::SLOTS_MAX)
        {
            return refuse("bands", "at most 256 bands and 4096 slots", format!("{}x{}", self.bands, self.rows));
        }
        if !matches!(self.shingle, Shingle::Words(1..=64) | Shingle::Characters(1..=256)) {
            return refuse("shingle", "1 to 64 words or 1 to 256 characters", format!("{:?}", self.shingle));
        }
        if self.keep == 0 {
            return refuse("keep", "1 or more", "0".to_owned());
        }
        if self.levels.is_empty() {
            return refuse("level", "one or more of exact, near, passage, code", String::new());
        }
        if !(RUN_WORDS_MIN..=PASSAGE_WORDS_MAX).contains(&self.passage_words) {
            return refuse("passage-words", "8 to 10000", self.passage_words.to_string());
        }
        if self.has_weights && self.has(Level::Passage) {
            return refuse("weights", "levels without `passage`, which cuts texts", "`passage`".to_owned());
        }
        self.columns.options()?;
        self.preference().map(drop)
    }
}

/// A pass: rules and files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pass {
    /// Version of the work folder.
    version: u32,
    /// How fingerprints are made.
    pub(super) fingerprints: Recipe,
    pub(super) rules: Rules,
    /// Sorted by name.
    pub(super) inputs: Vec<Input>,
}

impl Pass {
    /// Makes the pass over files that `discover` listed.
    ///
    /// # Errors
    /// [`Error::Argument`] for rules out of range; [`Error::Input`] for a file that is neither JSON lines nor Parquet.
    pub(super) fn new(mut rules: Rules, seed: u64, files: Vec<InputFile>) -> Result<Self> {
        rules.levels.sort_unstable();
        rules.levels.dedup();
        rules.check()?;
        let refuse =
            |file: &InputFile, problem: &str| Error::Input { path: file.path.clone(), problem: problem.to_owned() };
        if let Some(file) = files.iter().find(|file| file.format == Format::Plain) {
            return Err(refuse(file, "not of a format that is written again: expected JSON lines or Parquet"));
        }
        if let Some(file) = files.iter().find(|file| file.format == Format::Parquet && rules.has_weights) {
            return Err(refuse(file, "weights are written to JSON lines alone: expected no Parquet"));
        }
        let ids = kept_names(&files);
        let inputs = files.into_iter().zip(ids).map(|(file, id)| Input {
            path: file.path,
            name: file.name,
            id,
            file_bytes: file.file_bytes,
        });
        let inputs = inputs.collect();
        Ok(Self { version: VERSION, fingerprints: Recipe::with_seed(seed), rules, inputs })
    }

    /// Returns the form in which it is stored and hashed.
    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|error| Error::Internal { component: "recipe", problem: error.to_string() })
    }

    /// Reads the stored form.
    pub(super) fn from_json(text: &[u8], path: &Path) -> Result<Self> {
        let pass: Self = serde_json::from_slice(text).map_err(|error| Error::Incompatible {
            path: path.to_path_buf(),
            what: "recipe",
            expected: format!("version {VERSION}"),
            found: error.to_string(),
        })?;
        pass.rules.check()?;
        Ok(pass)
    }

    /// Returns the names of what differs in another pass, for a message.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let members = |rules: &Rules| match serde_json::to_value(rules) {
            Ok(serde_json::Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        let (own, others) = (members(&self.rules), members(&other.rules));
        let names: std::collections::BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        let mut found: Vec<String> =
            names.into_iter().filter(|name| own.get(*name) != others.get(*name)).cloned().collect();
        found.extend((self.inputs != other.inputs).then(|| "inputs".to_owned()));
        found.extend((self.fingerprints != other.fingerprints).then(|| "fingerprints".to_owned()));
        found
    }

    /// Returns the hash of everything that it says.
    pub(super) fn hash(&self) -> Result<RecipeHash> {
        Ok(RecipeHash(xxh3_128(self.to_json()?.as_bytes()).to_le_bytes()))
    }

    /// Returns the units of the input: ranges of [`Self::inputs`], by stored lengths alone.
    pub(super) fn units(&self) -> Vec<std::ops::Range<usize>> {
        let mut units = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (idx, input) in self.inputs.iter().enumerate() {
            bytes += input.file_bytes;
            if bytes >= UNIT_BYTES || idx + 1 - start == UNIT_FILES_MAX || idx + 1 == self.inputs.len() {
                units.push(start..idx + 1);
                (start, bytes) = (idx + 1, 0);
            }
        }
        units
    }
}

/// Returns the path of each file below `kept/`: that below the folder which was given, or, where two files would share one, that which was given.
fn kept_names(files: &[InputFile]) -> Vec<String> {
    let mut ids: Vec<&str> = files.iter().map(|file| file.id.as_str()).collect();
    ids.sort_unstable();
    let is_unique = ids.windows(2).all(|pair| pair[0] != pair[1]);
    let within = |name: &str| {
        let parts = name.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
        parts.collect::<Vec<_>>().join("/")
    };
    files.iter().map(|file| within(if is_unique { &file.id } else { &file.name })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, id: &str, file_bytes: u64) -> InputFile {
        InputFile {
            path: name.into(),
            name: name.into(),
            id: id.into(),
            format: Format::of_name(name),
            file_bytes,
            root: None,
        }
    }

    #[test]
    fn equal_passes_have_equal_hashes_and_others_do_not() {
        let pass = |rules: Rules| Pass::new(rules, 1, vec![file("a.jsonl", "a.jsonl", 5)]).expect("a pass");
        let (one, other) = (pass(Rules::default()), pass(Rules { threshold: 0.7, ..Rules::default() }));
        let levels = Rules { levels: vec![Level::Near, Level::Exact, Level::Near], ..Rules::default() };
        assert_eq!(one.hash().expect("hash"), pass(levels).hash().expect("hash"));
        assert_ne!(one.hash().expect("hash"), other.hash().expect("hash"));
        let stored = one.to_json().expect("JSON");
        assert_eq!(Pass::from_json(stored.as_bytes(), Path::new("r")).expect("read"), one);
    }

    #[test]
    fn files_of_one_name_go_by_their_paths() {
        let names = kept_names(&[file("x/a.jsonl", "a.jsonl", 1), file("../y/a.jsonl", "a.jsonl", 1)]);
        assert_eq!(names, ["x/a.jsonl", "y/a.jsonl"]);
        assert_eq!(kept_names(&[file("x/a.jsonl", "a.jsonl", 1)]), ["a.jsonl"]);
    }

    #[test]
    fn units_depend_on_lengths_alone() {
        let sizes = [10, UNIT_BYTES, 1, 2, UNIT_BYTES * 3, 5];
        let files = sizes.iter().enumerate().map(|(n, &bytes)| file(&format!("{n}.jsonl"), "x", bytes)).collect();
        assert_eq!(Pass::new(Rules::default(), 1, files).expect("a pass").units(), [0..2, 2..5, 5..6]);
    }

    #[test]
    fn rules_out_of_range_are_refused() {
        for rules in [
            Rules { threshold: 0.0, ..Rules::default() },
            Rules { threshold: f64::NAN, ..Rules::default() },
            Rules { keep: 0, ..Rules::default() },
            Rules { prefer: "length sideways".into(), ..Rules::default() },
            Rules { levels: vec![], ..Rules::default() },
        ] {
            assert!(Pass::new(rules.clone(), 1, vec![]).is_err(), "{rules:?}");
        }
    }
}
