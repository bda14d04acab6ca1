//! Which columns of a file hold the text, the id and the attributes of its documents.
//!
//! A role (text, id, licence, ...) is filled by the first of its columns that a row has. The columns are those the
//! caller names, or else those that well-known corpora use: Dolma and datatrove, The Stack v1 and v2, FineWeb, NeMo
//! Curator. Which of them a file really has is found out once per file and can be shown to the user ([`Mapping`]).
//!
//! Dots lead into nested objects: `metadata.license` is the member `license` of the object `metadata`. A column whose
//! own name contains the dot wins over the nested one.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// Most dots in a column name. Every dot can be nesting or part of a name, so that `n` dots are 2^n places to look.
const DOTS_MAX: usize = 6;

/// Most column names that an error message lists.
pub(super) const LISTED_NAMES_MAX: usize = 50;

/// What a column is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The document's text; the only role that a file must have.
    Text,
    /// The document's id.
    Id,
    /// Its licence: a text, or a list of licences of which any may be chosen.
    License,
    /// Repository, package or site it came from.
    Origin,
    /// Where a person finds it.
    Uri,
    /// Path of the file within its origin. It tells the language, and stands in for a missing URI.
    Path,
    /// Training shard it belongs to.
    Shard,
    /// Name of its language.
    Language,
}

impl Role {
    /// All roles, in the order in which they are shown.
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Id, Self::License, Self::Origin, Self::Uri, Self::Path, Self::Shard, Self::Language];

    /// Returns the position in [`Role::ALL`], which is the order of declaration.
    pub(super) fn idx(self) -> usize {
        self as usize
    }

    /// Returns the name that options and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Id => "id",
            Self::License => "license",
            Self::Origin => "origin",
            Self::Uri => "uri",
            Self::Path => "path",
            Self::Shard => "shard",
            Self::Language => "language",
        }
    }

    /// Returns the column names that are looked for where the caller names none, best first.
    ///
    /// A path is no candidate for the id: it names a file only within its repository. FineWeb's `dump` is no shard and
    /// The Stack's `license_type` (`permissive`) is no licence.
    pub fn candidates(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["text", "content", "code", "raw_content"],
            Self::Id => &["id", "blob_id", "content_id", "hexsha", "_curator_dedup_id", "metadata.id"],
            Self::License => &[
                "license",
                "licenses",
                "detected_licenses",
                "max_stars_repo_licenses",
                "metadata.license",
                "metadata.licenses",
                "metadata.detected_licenses",
                "metadata.max_stars_repo_licenses",
            ],
            Self::Origin => &[
                "origin",
                "repo_name",
                "max_stars_repo_name",
                "metadata.origin",
                "metadata.repo_name",
                "metadata.max_stars_repo_name",
                "metadata.package",
                "metadata.source",
                "source",
            ],
            Self::Uri => &["uri", "url", "metadata.uri", "metadata.url"],
            Self::Path => &[
                "path",
                "file_path",
                "max_stars_repo_path",
                "metadata.path",
                "metadata.file_path",
                "metadata.max_stars_repo_path",
            ],
            Self::Shard => &["shard", "metadata.shard"],
            Self::Language => &["language", "lang", "metadata.language", "metadata.lang"],
        }
    }
}

/// Column names that the caller gave for one role, best first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns(Vec<String>);

impl Columns {
    /// Parses a comma list such as `metadata.package,metadata.source`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty name, or one with more than six dots.
    pub fn parse(list: &str) -> Result<Self> {
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().all(|name| !name.is_empty() && name.matches('.').count() <= DOTS_MAX) {
            return Ok(Self(names));
        }
        Err(Error::Argument {
            name: "column",
            expected: format!("column names with at most {DOTS_MAX} dots, separated by commas"),
            found: list.chars().take(80).collect(),
        })
    }

    /// Returns the names, best first.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// The columns that the caller names; a role without columns is filled from the well-known names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "every field is the role of its name, see `Role`")]
pub struct ColumnOptions {
    pub text: Option<Columns>,
    pub id: Option<Columns>,
    pub license: Option<Columns>,
    pub origin: Option<Columns>,
    pub uri: Option<Columns>,
    pub path: Option<Columns>,
    pub shard: Option<Columns>,
    pub language: Option<Columns>,
}

impl ColumnOptions {
    fn of(&self, role: Role) -> Option<&Columns> {
        match role {
            Role::Text => self.text.as_ref(),
            Role::Id => self.id.as_ref(),
            Role::License => self.license.as_ref(),
            Role::Origin => self.origin.as_ref(),
            Role::Uri => self.uri.as_ref(),
            Role::Path => self.path.as_ref(),
            Role::Shard => self.shard.as_ref(),
            Role::Language => self.language.as_ref(),
        }
    }
}

/// The columns that are read from a file, role by role. Displayed as `text = text, license = metadata.license`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Roles that have a column, in the order of [`Role::ALL`], each with its columns, best first.
    pub columns: Vec<(Role, Vec<String>)>,
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (role, names)) in self.columns.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{} = {}", role.name(), names.join(" or "))?;
        }
        Ok(())
    }
}

/// Which columns to read, each once, and what for. A *slot* is the index of a column in [`Plan::names`].
#[derive(Debug, Clone)]
pub(super) struct Plan {
    names: Vec<String>,
    roles: [RoleColumns; Role::ALL.len()],
}

/// The columns of one role.
#[derive(Debug, Clone, Default)]
pub(super) struct RoleColumns {
    /// Slots of the columns, best first.
    pub slots: Vec<usize>,
    /// The caller named them: a value of the wrong type is an error of its row, not a reason to look elsewhere.
    pub is_asked: bool,
}

/// Whether a column of a file can fill a role.
pub(super) enum Fit {
    /// It can.
    Fits,
    /// The file has no such column.
    Absent,
    /// It cannot: what the column is, and what is expected.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "only Parquet knows types before values"))]
    Unfit(String),
}

impl Plan {
    /// Makes the plan for a file of which nothing is known: every column that could fill a role.
    pub(super) fn new(options: &ColumnOptions) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut slot_of = |name: &str| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        };
        let roles = Role::ALL.map(|role| match options.of(role) {
            Some(asked) => {
                RoleColumns { slots: asked.names().iter().map(|name| slot_of(name)).collect(), is_asked: true }
            }
            None => {
                RoleColumns { slots: role.candidates().iter().map(|name| slot_of(name)).collect(), is_asked: false }
            }
        });
        Self { names, roles }
    }

    /// Returns the plan that is left when only the columns a file has are read.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] where the caller's columns of a role, or any text column, are not there;
    /// `list_available` is then asked for what is. [`Error::Input`] where a column the caller named cannot fill its
    /// role.
    pub(super) fn resolve(
        &self,
        path: &Path,
        fit: impl Fn(Role, usize) -> Fit,
        list_available: impl Fn() -> Vec<String>,
    ) -> Result<Self> {
        let mut names: Vec<String> = Vec::new();
        let mut roles: [RoleColumns; Role::ALL.len()] = Default::default();
        for (role, (wanted, resolved)) in Role::ALL.into_iter().zip(self.roles.iter().zip(&mut roles)) {
            resolved.is_asked = wanted.is_asked;
            for &slot in &wanted.slots {
                let name = &self.names[slot];
                match fit(role, slot) {
                    Fit::Fits => {
                        let known = names.iter().position(|known| known == name);
                        resolved.slots.push(known.unwrap_or(names.len()));
                        if known.is_none() {
                            names.push(name.clone());
                        }
                    }
                    Fit::Unfit(problem) if wanted.is_asked => {
                        return Err(Error::Input { path: path.to_path_buf(), problem });
                    }
                    Fit::Absent | Fit::Unfit(_) => {}
                }
            }
            if resolved.slots.is_empty() && (wanted.is_asked || role == Role::Text) {
                let wanted: Vec<&str> = wanted.slots.iter().map(|&slot| self.names[slot].as_str()).collect();
                return Err(Error::MissingColumn {
                    path: path.to_path_buf(),
                    role: role.name(),
                    wanted: wanted.join(","),
                    available: list_available(),
                });
            }
        }
        Ok(Self { names, roles })
    }

    /// Returns the columns to read; the index of each is its slot.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the columns of a role.
    pub(super) fn role(&self, role: Role) -> &RoleColumns {
        &self.roles[role.idx()]
    }

    /// Returns the plan as it is shown to the user.
    pub(super) fn mapping(&self) -> Mapping {
        let columns = Role::ALL.into_iter().zip(&self.roles).filter(|(_, role)| !role.slots.is_empty());
        Mapping {
            columns: columns
                .map(|(role, found)| (role, found.slots.iter().map(|&slot| self.names[slot].clone()).collect()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_know_their_position() {
        assert!(Role::ALL.iter().enumerate().all(|(idx, role)| role.idx() == idx));
    }

    #[test]
    fn comma_lists_parse() {
        for (list, expected) in [("a", &["a"][..]), ("a.b, c", &["a.b", "c"]), (" x ", &["x"])] {
            assert_eq!(Columns::parse(list).expect(list).names(), expected, "{list}");
        }
        for list in ["", "a,,b", ",", "a.b.c.d.e.f.g.h"] {
            let error = Columns::parse(list).expect_err(list).to_string();
            assert!(error.contains("expected column names"), "{error}");
        }
    }

    fn resolve(options: &ColumnOptions, present: &[&str]) -> Result<Plan> {
        let plan = Plan::new(options);
        let fit = |_, slot: usize| {
            if present.contains(&plan.names()[slot].as_str()) { Fit::Fits } else { Fit::Absent }
        };
        plan.resolve(Path::new("f"), fit, || present.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn well_known_corpora_are_recognised() {
        for (present, expected) in [
            (
                &["id", "text", "source", "metadata.license", "metadata.url"][..],
                "text = text, id = id, license = metadata.license, origin = source, uri = metadata.url",
            ),
            (
                &["hexsha", "content", "lang", "max_stars_repo_path", "max_stars_repo_name", "max_stars_repo_licenses"],
                "text = content, id = hexsha, license = max_stars_repo_licenses, origin = max_stars_repo_name, \
                 path = max_stars_repo_path, language = lang",
            ),
            (
                &["blob_id", "path", "repo_name", "detected_licenses", "license_type", "language", "content", "text"],
                "text = text or content, id = blob_id, license = detected_licenses, origin = repo_name, path = path, \
                 language = language",
            ),
            (&["text", "id", "dump", "url", "language"], "text = text, id = id, uri = url, language = language"),
        ] {
            let plan = resolve(&ColumnOptions::default(), present).expect("text is there");
            assert_eq!(plan.mapping().to_string(), expected);
        }
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_exist() {
        let error = resolve(&ColumnOptions::default(), &["body", "id"]).expect_err("no text");
        assert_eq!(
            error.to_string(),
            "no text column `text,content,code,raw_content` in `f`: its columns are `body`, `id`"
        );
        let options = ColumnOptions { id: Columns::parse("uid,key").ok(), ..ColumnOptions::default() };
        let error = resolve(&options, &["text", "id"]).expect_err("no uid");
        assert_eq!(error.to_string(), "no id column `uid,key` in `f`: its columns are `text`, `id`");
        assert!(resolve(&options, &["text", "key"]).is_ok());
    }

    #[test]
    fn a_column_of_two_roles_is_read_once() {
        let options = ColumnOptions { id: Columns::parse("path").ok(), ..ColumnOptions::default() };
        let plan = resolve(&options, &["text", "path"]).expect("both are there");
        assert_eq!(plan.names(), ["text", "path"]);
        assert_eq!(plan.role(Role::Id).slots, plan.role(Role::Path).slots);
    }
}
