//! What the tokens of a language look like: the tables that the lexer of `lexemes` is driven by.
//!
//! A table describes how to *read* any text of the language, correct or not; it does not tell correct texts from others.

/// How the tokens of a language, or of a family of languages, look.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of a language, independent of the others")]
pub struct Lexicon {
    /// Reserved words. Words that are reserved in some places only are names: they are names in most.
    pub keywords: &'static [&'static str],
    /// Keywords behind which a value has ended, as behind a name: a slash divides there.
    pub value_keywords: &'static [&'static str],
    /// Operators of more than one character.
    pub marks: &'static [&'static str],
    /// What begins a comment that ends with its line.
    pub line_comment: &'static str,
    /// How comments that do not end with their line are enclosed.
    pub block_comment: Option<BlockComment>,
    /// Quotes of strings and characters; of two that begin alike, the longer one first.
    pub quotes: &'static [Quote],
    /// Letters that may stand before a quote, in any case.
    pub prefixes: &'static [Prefix],
    /// How strings are written in which nothing is an escape and whose ends are of the writer's choice.
    pub delimited: Delimited,
    /// ASCII characters that names may hold beside letters, digits and `_`.
    pub name_marks: &'static str,
    /// The character that may stand between digits and means nothing.
    pub digit_separator: u8,
    /// Whether a number that begins with a zero is octal.
    pub zero_means_octal: bool,
    /// Whether a dot that ends a number may be followed by letters (`1.f`, `1.e5`): where it may not, they name a method.
    pub letters_follow_dot: bool,
    /// Whether a number may begin with a dot: where it may not, a dot and digits name a field.
    pub dot_begins_number: bool,
    /// Whether strings side by side are one string.
    pub joins_strings: bool,
    /// Whether lines end statements; then, the keywords that begin a statement and stand in no expression.
    pub statements: Option<&'static [&'static str]>,
    /// Whether `'a` is a name.
    pub has_lifetimes: bool,
    /// Whether slashes enclose regular expressions where a value may begin.
    pub has_regexes: bool,
}

/// A comment that may reach over lines.
#[derive(Debug, Clone, Copy)]
pub struct BlockComment {
    /// What begins it.
    pub open: &'static str,
    /// What ends it.
    pub close: &'static str,
    /// Whether comments stand in comments.
    pub nests: bool,
}

/// One way to enclose a string or character.
#[derive(Debug, Clone, Copy)]
pub struct Quote {
    /// What begins it, and ends it.
    pub mark: &'static str,
    /// Where it ends at the latest.
    pub reach: Reach,
    /// Whether a backslash takes its meaning from what follows it.
    pub has_escapes: bool,
    /// The quote of the canonical spelling: the same one for all that mean the same.
    pub canonical: char,
    /// What else lies in it.
    pub content: Content,
}

/// How far a string may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the end of the line.
    Line,
    /// Over lines.
    Lines,
}

/// What a string holds beside characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Plain,
    /// Nothing; blanks at the beginning of its lines are layout.
    Block,
    /// Nothing; a line break behind a backslash takes the blanks behind it with it.
    Wrapped,
    /// `${`, code, `}`.
    Template,
}

/// Letters before a quote.
#[derive(Debug, Clone, Copy)]
pub struct Prefix {
    /// The letters, small.
    pub letters: &'static str,
    /// What is left of them in the canonical spelling.
    pub canonical: &'static str,
    /// Whether a backslash is a backslash.
    pub is_raw: bool,
    /// Whether `{`, code, `}` stands in it.
    pub interpolates: bool,
}

impl Prefix {
    /// Letters that change nothing of how the string is read.
    pub const fn plain(letters: &'static str, canonical: &'static str) -> Self {
        Self { letters, canonical, is_raw: false, interpolates: false }
    }

    /// Letters that make a backslash a backslash.
    pub const fn raw(letters: &'static str, canonical: &'static str) -> Self {
        Self { letters, canonical, is_raw: true, interpolates: false }
    }
}

/// Raw strings with ends of the writer's choice. They follow a raw prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited {
    /// There are none: a raw prefix stands before an ordinary quote.
    No,
    /// `r#"…"#`, with any number of `#`; `r#name` is a name.
    Hashes,
    /// `R"end(…)end"`.
    Words,
}
