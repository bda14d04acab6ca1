//! The work folder: the recipe of the pass, files between stages, and the receipts that say what is done.
//!
//! ```text
//! recipe.json                    what the pass is to do; written first, never changed
//! STAGE-UNIT-NAME                a file of a unit
//! STAGE-UNIT.receipt             the unit's commit: recipe, seals of its files, counts; and a checksum of all that
//! tmp-…                          being written; of no worth once its writer is gone
//! ```
//!
//! A unit's files have temporary names until it is done; then they are renamed, and the receipt last. Two processes that do one unit at the same time
//! write the same bytes, so that it does not matter whose rename comes last.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use copytrace_indexer::index::storage::Storage;
use copytrace_indexer::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::file::{Kind, Seal, StageFile, StageWriter, corrupt, io_error};
use super::recipe::{Pass, RecipeHash};

/// Name of the recipe's file.
const RECIPE: &str = "recipe.json";
/// What temporary names begin with.
const TEMPORARY: &str = "tmp-";
/// Longest receipt that is read, in bytes: far above the counts of 10,000 sources and 4,096 files.
const RECEIPT_BYTES_MAX: usize = 64 << 20;

/// A stage of the pass; `Sets` is the first half of `verify`, `Functions` and `Tokens` that of `passages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Sign,
    BandMerge,
    Cluster,
    Sets,
    Verify,
    Functions,
    Tokens,
    Passages,
    Apply,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sign => "sign",
            Self::BandMerge => "band-merge",
            Self::Cluster => "cluster",
            Self::Sets => "sets",
            Self::Verify => "verify",
            Self::Functions => "functions",
            Self::Tokens => "tokens",
            Self::Passages => "passages",
            Self::Apply => "apply",
        })
    }
}

/// A work folder with the pass that it is for.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) pass: Pass,
    pub(super) recipe: RecipeHash,
}

/// What a unit left behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt<T> {
    recipe: String,
    stage: String,
    unit: usize,
    files: BTreeMap<String, Seal>,
    /// Time it took, in milliseconds; the only thing that differs from run to run.
    pub(super) elapsed_ms: u64,
    pub(super) facts: T,
}

impl Work {
    /// Opens the folder for a pass, or makes it.
    ///
    /// # Errors
    /// [`Error::Incompatible`] where the folder is for another pass.
    pub(super) fn create(storage: Arc<dyn Storage>, pass: Pass) -> Result<Self> {
        let recipe = pass.hash()?;
        storage.create_dir(Path::new(""))?;
        if storage.exists(Path::new(RECIPE))? {
            let work = Self::open(Arc::clone(&storage))?;
            if work.recipe == recipe {
                return Ok(work);
            }
            return Err(Error::Incompatible {
                path: storage.display_path(Path::new(RECIPE)),
                what: "other options or inputs of its pass in",
                expected: "a folder of the same pass".to_owned(),
                found: work.pass.differences(&pass).join("`, `"),
            });
        }
        let work = Self { storage, pass, recipe };
        work.write_small(RECIPE, work.pass.to_json()?.as_bytes())?;
        Ok(work)
    }

    /// Opens a folder that a first stage made.
    pub(super) fn open(storage: Arc<dyn Storage>) -> Result<Self> {
        let path = storage.display_path(Path::new(RECIPE));
        let bytes = storage.open(Path::new(RECIPE))?;
        let pass = Pass::from_json(&bytes, &path)?;
        let recipe = pass.hash()?;
        Ok(Self { storage, pass, recipe })
    }

    /// Removes what writers that are gone left unfinished. Only for who holds the folder's lock.
    pub(super) fn sweep(&self) -> Result<()> {
        for name in self.storage.list(Path::new(""))?.iter().filter(|name| name.starts_with(TEMPORARY)) {
            // Folders and files alike.
            if self.storage.remove_file(Path::new(name)).is_err() {
                self.storage.remove_dir_all(Path::new(name))?;
            }
        }
        Ok(())
    }

    /// Removes the files of a stage that are of no use once the stages after it are done; receipts stay.
    pub(super) fn drop_files(&self, step: Step, name: &str) -> Result<()> {
        let (prefix, suffix) = (format!("{step}-"), format!("-{name}"));
        for file in self.storage.list(Path::new(""))? {
            if file.starts_with(&prefix) && file.ends_with(&suffix) {
                self.storage.remove_file(Path::new(&file))?;
            }
        }
        Ok(())
    }

    /// Returns a name that no other writer uses.
    pub(super) fn temporary(name: &str) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let (process, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let nonce = xxh3_64(format!("{process} {n} {now}").as_bytes());
        PathBuf::from(format!("{TEMPORARY}{nonce:016x}-{name}"))
    }

    fn write_small(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let temporary = Work::temporary(name);
        let mut file = self.storage.create(&temporary)?;
        let written = file.write_all(bytes).and_then(|()| file.flush()).and_then(|()| file.sync());
        written.map_err(|source| io_error("write", &self.storage.display_path(&temporary), source))?;
        drop(file);
        self.storage.rename(&temporary, Path::new(name))?;
        self.storage.sync_dir(Path::new(""))
    }

    /// Returns the receipt of a unit that is done.
    ///
    /// # Errors
    /// Where there is one, but damaged or of another pass.
    pub(super) fn receipt<T: DeserializeOwned>(&self, step: Step, unit: usize) -> Result<Option<Receipt<T>>> {
        let name = receipt_name(step, unit);
        let path = Path::new(&name);
        if !self.storage.exists(path)? {
            return Ok(None);
        }
        let shown = self.storage.display_path(path);
        let bytes = self.storage.open(path)?;
        let refuse = |found: String| Err(corrupt(&shown, "receipt", 0, "a line of JSON and its checksum", found));
        if bytes.len() > RECEIPT_BYTES_MAX {
            return refuse(format!("{} bytes", bytes.len()));
        }
        let Some((body, checksum)) = std::str::from_utf8(&bytes).ok().and_then(|text| text.split_once('\n')) else {
            return refuse(format!("{} bytes", bytes.len()));
        };
        if checksum.trim_end() != format!("{:016x}", xxh3_64(body.as_bytes())) {
            return refuse(checksum.trim_end().to_owned());
        }
        let receipt: Receipt<T> = match serde_json::from_str(body) {
            Ok(receipt) => receipt,
            Err(error) => return refuse(error.to_string()),
        };
        if receipt.recipe != self.recipe.to_string() {
            let (expected, found) = (self.recipe.to_string(), receipt.recipe);
            return Err(Error::Incompatible { path: shown, what: "recipe", expected, found });
        }
        Ok(Some(receipt))
    }

    /// Returns the receipt of a unit that must be done.
    pub(super) fn expect_receipt<T: DeserializeOwned>(&self, step: Step, unit: usize) -> Result<Receipt<T>> {
        self.receipt(step, unit)?.ok_or_else(|| Error::Argument {
            name: "work",
            expected: format!("a folder in which all of `{step}` is done"),
            found: format!("no receipt of its unit {unit} in {}", self.storage.display_path(Path::new("")).display()),
        })
    }

    /// Opens a file of a unit that is done.
    pub(super) fn open_file<T>(&self, receipt: &Receipt<T>, step: Step, name: &str, kind: Kind) -> Result<StageFile> {
        let path = PathBuf::from(file_name(step, receipt.unit, name));
        let Some(&seal) = receipt.files.get(name) else {
            let shown = self.storage.display_path(Path::new(&receipt_name(step, receipt.unit)));
            return Err(corrupt(&shown, "list of files", 0, name, "nothing"));
        };
        StageFile::open(&*self.storage, &path, kind, self.recipe, seal)
    }

    /// Starts a unit.
    pub(super) fn begin(&self, step: Step, unit: usize) -> UnitWriter<'_> {
        UnitWriter { work: self, step, unit, started: std::time::Instant::now(), files: Vec::new() }
    }
}

/// A unit that is being done.
pub(super) struct UnitWriter<'a> {
    work: &'a Work,
    step: Step,
    unit: usize,
    started: std::time::Instant,
    /// Name, temporary path, seal.
    files: Vec<(&'static str, PathBuf, Seal)>,
}

impl UnitWriter<'_> {
    /// Starts a file; [`Self::add`] takes it when it is written.
    pub(super) fn create(&self, name: &'static str, kind: Kind) -> Result<(StageWriter, PathBuf)> {
        let path = Work::temporary(&file_name(self.step, self.unit, name));
        Ok((StageWriter::create(&*self.work.storage, &path, kind, self.work.recipe)?, path))
    }

    /// Takes a file that was written.
    pub(super) fn add(&mut self, name: &'static str, (writer, path): (StageWriter, PathBuf)) -> Result<()> {
        self.files.push((name, path, writer.finish()?));
        Ok(())
    }

    /// Commits the unit.
    pub(super) fn commit<T: Serialize>(self, facts: T) -> Result<()> {
        for (name, path, _) in &self.files {
            self.work.storage.rename(path, Path::new(&file_name(self.step, self.unit, name)))?;
        }
        self.work.storage.sync_dir(Path::new(""))?;
        let receipt = Receipt {
            recipe: self.work.recipe.to_string(),
            stage: self.step.to_string(),
            unit: self.unit,
            files: self.files.iter().map(|&(name, _, seal)| (name.to_owned(), seal)).collect(),
            elapsed_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            facts,
        };
        let body = serde_json::to_string(&receipt)
            .map_err(|error| Error::Internal { component: "receipt", problem: error.to_string() })?;
        let text = format!("{body}\n{:016x}\n", xxh3_64(body.as_bytes()));
        self.work.write_small(&receipt_name(self.step, self.unit), text.as_bytes())
    }
}

fn file_name(step: Step, unit: usize, name: &str) -> String {
    format!("{step}-{unit:05}-{name}")
}

fn receipt_name(step: Step, unit: usize) -> String {
    format!("{step}-{unit:05}.receipt")
}

/// Which units of a stage one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1 to [`Self::of`].
    pub number: usize,
    /// How many processes share the work.
    pub of: usize,
}

impl Default for Part {
    /// All units.
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Part {
    /// Tells whether a unit is of this part.
    pub(super) fn has(self, unit: usize) -> bool {
        unit % self.of == self.number - 1
    }
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::index::storage::MemoryStorage;

    use super::super::recipe::Rules;
    use super::*;

    fn work(storage: &Arc<dyn Storage>, threshold: f64) -> Result<Work> {
        Work::create(Arc::clone(storage), Pass::new(Rules { threshold, ..Rules::default() }, 1, vec![])?)
    }

    #[test]
    fn a_folder_is_for_one_pass() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let first = work(&storage, 0.8).expect("new");
        assert_eq!(work(&storage, 0.8).expect("again").recipe, first.recipe);
        assert_eq!(Work::open(Arc::clone(&storage)).expect("there").pass, first.pass);
        let error = work(&storage, 0.7).expect_err("another pass");
        assert!(matches!(error, Error::Incompatible { .. }), "{error}");
    }

    #[test]
    fn a_receipt_is_whole_or_an_error() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let work = work(&storage, 0.8).expect("new");
        assert!(work.receipt::<u32>(Step::Sign, 3).expect("none yet").is_none());
        assert!(work.expect_receipt::<u32>(Step::Sign, 3).is_err());
        let mut unit = work.begin(Step::Sign, 3);
        let mut file = unit.create("ids", Kind::Ids).expect("new");
        file.0.write(b"abc").expect("written");
        unit.add("ids", file).expect("ends");
        unit.commit(7_u32).expect("commits");
        let receipt = work.expect_receipt::<u32>(Step::Sign, 3).expect("done");
        let file = work.open_file(&receipt, Step::Sign, "ids", Kind::Ids).expect("sound");
        assert_eq!((receipt.facts, file.slice(0..3).expect("sound")), (7, &b"abc"[..]));
        let path = Path::new("sign-00003.receipt");
        let sound = storage.open(path).expect("there").to_vec();
        for at in 0..sound.len() - 1 {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            storage.remove_file(path).expect("there");
            storage.create(path).expect("new").write_all(&damaged).expect("written");
            assert!(work.receipt::<u32>(Step::Sign, 3).is_err(), "byte {at}");
        }
    }

    #[test]
    fn parts_share_all_units() {
        for of in 1..8 {
            for unit in 0..20 {
                assert_eq!((1..=of).filter(|&number| Part { number, of }.has(unit)).count(), 1);
            }
        }
    }
}
