//! What a document is written in: prose or one of the programming languages that copytrace knows.
//!
//! A language is one file of this folder: what its tokens look like, and what the nodes of its grammar mean. Nothing outside of this
//! folder names a keyword or a grammar's node. `docs/languages.md` says how to add one.

use std::fmt;
use std::str::FromStr;

use self::lexicon::Lexicon;
use crate::error::Error;

pub mod c;
pub mod detect;
pub mod go;
pub mod grammar;
pub mod java;
pub mod javascript;
pub mod lexicon;
pub mod python;
pub mod rust;

/// What a text is written in. The language decides into which tokens it is cut.
///
/// The numbers are stored in indexes: none is ever changed or used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum Language {
    /// Prose in any human language, and anything that is not known better.
    #[default]
    Text = 0,
    /// Python.
    Python = 1,
    /// Rust.
    Rust = 2,
    /// JavaScript, with JSX.
    JavaScript = 3,
    /// TypeScript.
    TypeScript = 4,
    /// TypeScript with JSX.
    Tsx = 5,
    /// Java.
    Java = 6,
    /// Go.
    Go = 7,
    /// C.
    C = 8,
    /// C++.
    Cpp = 9,
}

impl Language {
    /// All languages, in the order in which messages list them; that of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Text,
        Self::Python,
        Self::Rust,
        Self::JavaScript,
        Self::TypeScript,
        Self::Tsx,
        Self::Java,
        Self::Go,
        Self::C,
        Self::Cpp,
    ];

    /// Returns the name that options, requests and the catalogue use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Tsx => "tsx",
            Self::Java => "java",
            Self::Go => "go",
            Self::C => "c",
            Self::Cpp => "cpp",
        }
    }

    /// Returns the language of a number that an index stores; none for an unknown one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Tells whether it is a programming language.
    pub fn is_code(self) -> bool {
        self != Self::Text
    }

    /// Returns what its tokens look like; none for prose.
    pub fn lexicon(self) -> Option<&'static Lexicon> {
        Some(match self {
            Self::Text => return None,
            Self::Python => &python::LEXICON,
            Self::Rust => &rust::LEXICON,
            Self::JavaScript | Self::TypeScript | Self::Tsx => &javascript::LEXICON,
            Self::Java => &java::LEXICON,
            Self::Go => &go::LEXICON,
            Self::C | Self::Cpp => &c::LEXICON,
        })
    }

    /// Tells the language by the ending of a path; prose where the ending says nothing.
    pub fn of_path(path: &str) -> Self {
        match path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending) {
            Some("py" | "pyi" | "pyw") => Self::Python,
            Some("rs") => Self::Rust,
            Some("js" | "mjs" | "cjs" | "jsx") => Self::JavaScript,
            Some("ts" | "mts" | "cts") => Self::TypeScript,
            Some("tsx") => Self::Tsx,
            Some("java") => Self::Java,
            Some("go") => Self::Go,
            Some("c" | "h") => Self::C,
            Some("cc" | "cpp" | "cxx" | "c++" | "hh" | "hpp" | "hxx" | "h++" | "inl" | "ipp" | "tpp") => Self::Cpp,
            _ => Self::Text,
        }
    }

    /// Tells the language by a name that people give it: that of a fenced block, a data set's column, an editor. None for others.
    ///
    /// Upper and lower case make no difference: The Stack writes `Python` and `C++`, Markdown `py` and `cpp`.
    pub fn of_label(label: &str) -> Option<Self> {
        Some(match label.to_ascii_lowercase().as_str() {
            "text" | "txt" | "plain" | "plaintext" | "prose" | "markdown" | "md" => Self::Text,
            "python" | "py" | "python3" | "py3" | "python2" | "pycon" | "ipython" | "cython" => Self::Python,
            "rust" | "rs" => Self::Rust,
            "javascript" | "js" | "jsx" | "mjs" | "node" | "ecmascript" => Self::JavaScript,
            "typescript" | "ts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "java" => Self::Java,
            "go" | "golang" => Self::Go,
            "c" | "h" => Self::C,
            "cpp" | "c++" | "cxx" | "cc" | "hpp" => Self::Cpp,
            _ => return None,
        })
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
    fn names_and_numbers_lead_back() {
        for (number, language) in (0_u8..).zip(Language::ALL) {
            assert_eq!(language.name().parse::<Language>().expect("own name"), language);
            assert_eq!(Language::of_label(language.name()), Some(language));
            assert_eq!((language as u8, Language::from_number(number)), (number, Some(language)));
        }
        assert_eq!(Language::from_number(10), None);
        let unknown = "klingon".parse::<Language>().expect_err("not a language");
        let expected =
            "language is `klingon`: expected one of text, python, rust, javascript, typescript, tsx, java, go, c, cpp";
        assert_eq!(unknown.to_string(), expected);
    }

    #[test]
    fn paths_and_labels_tell_the_language() {
        for (path, language) in [
            ("a/b.py", Language::Python),
            ("b.rs", Language::Rust),
            ("a.py/readme", Language::Text),
            ("x.test.tsx", Language::Tsx),
            ("", Language::Text),
        ] {
            assert_eq!(Language::of_path(path), language, "{path}");
        }
        for (label, language) in
            [("C++", Some(Language::Cpp)), ("Py", Some(Language::Python)), ("english", None), ("", None)]
        {
            assert_eq!(Language::of_label(label), language, "{label}");
        }
    }
}
