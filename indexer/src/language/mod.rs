//! What a document is written in: prose or one of the programming languages that copytrace knows by name.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// What a text is written in. The language decides into which tokens it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Prose in any human language, and anything that is not known better.
    Text,
    /// Python.
    Python,
    /// Rust.
    Rust,
}

impl Language {
    /// All languages, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Text, Self::Python, Self::Rust];

    /// Returns the name that options, requests and the catalogue use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }

    /// Tells the language by the ending of a path; prose where the ending says nothing.
    pub fn of_path(path: &str) -> Self {
        match path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending) {
            Some("py" | "pyi" | "pyw") => Self::Python,
            Some("rs") => Self::Rust,
            _ => Self::Text,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|language| language.name() == name).ok_or_else(|| Error::Argument {
            name: "language",
            expected: format!("one of {}", Self::ALL.map(Self::name).join(", ")),
            found: name.chars().take(40).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for language in Language::ALL {
            assert_eq!(language.name().parse::<Language>().expect("own name"), language);
        }
        let unknown = "klingon".parse::<Language>().expect_err("not a language");
        assert_eq!(unknown.to_string(), "language is `klingon`: expected one of text, python, rust");
    }

    #[test]
    fn paths_tell_the_language() {
        for (path, language) in [
            ("a/b.py", Language::Python),
            ("b.rs", Language::Rust),
            ("a.py/readme", Language::Text),
            ("", Language::Text),
        ] {
            assert_eq!(Language::of_path(path), language, "{path}");
        }
    }
}
