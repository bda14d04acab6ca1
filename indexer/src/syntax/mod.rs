//! Code to units: functions, classes, loops and the like, each with hashes that a consistent renaming does not change.
//!
//! ```text
//! text -> tree (tree-sitter) -> nodes, scopes (one walk) -> two rows of items -> units: hash of a range of items
//! ```
//!
//! # The two forms
//!
//! Both leave out what a formatter or a minifier changes: comments, docstrings, parentheses, trailing commas, visibility, the spelling of
//! literals. A name is a *number* where it is bound, otherwise its spelling; numbers count from the unit's beginning in the order of first
//! occurrence (as in Baker, "A theory of parameterized pattern matching", STOC 1993, but by scope instead of by spelling), so two units have
//! the same form if and only if a one-to-one map between their bindings turns one into the other.
//!
//! - [`Level::Strict`] numbers what a unit can rename by itself: parameters, variables, functions within it, its own name, lifetimes, labels.
//!   What it calls, the members it uses, and its literals stay. It does not depend on the rest of the file, but for imports under another
//!   name: `import numpy as xx` makes `xx.dot` to `numpy.dot`.
//! - [`Level::Loose`] also numbers what the file defines, and the members of `self`; literals are replaced by their class, types of variables,
//!   decorators and attributes left out, operands brought into an order.
//!
//! # Trust
//!
//! A text may be made to hurt. What the parser would take quadratic time for is refused before ([`Trouble::Hostile`]), everything else has a
//! deadline, nothing recurses. A text that is not read, or not wholly, still has the units that could be read. A hash nominates: two units
//! with one hash are compared by [`Reading::canonical_tokens`].

mod compiled;
mod digest;
mod emit;
mod items;
mod literal;
mod names;
mod operands;
mod parser;
mod prescan;
mod scopes;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use std::borrow::Cow;
use std::time::Instant;

use self::digest::{Numbering, digest, is_numbered, token};
use self::emit::{Emitter, Forms};
use self::items::{Item, UnitRange};
use self::names::{Names, len_u32};
use self::parser::Prepared;
use self::scopes::{Level as BindingLevel, NONE, Scopes};
use self::tree::Nodes;
use crate::language::Language;
use crate::normalise::derive_key;

/// Longest text that is parsed to answer a check, in bytes: code is read at 10 MB/s, so this is 25 ms.
pub const CHECK_BYTES_MAX: usize = 256 << 10;

/// Longest text that is parsed at all, in bytes; what is indexed has a lower limit, `PARSED_BYTES_MAX`.
pub const SOURCE_BYTES_MAX: usize = 2 << 20;

/// Fewest tokens of a unit with a strict hash: below it, a quarter of unrelated functions agree once renamed.
pub const STRICT_TOKENS_MIN: u32 = 25;

/// Fewest tokens of a unit with a loose hash, which says less per token.
pub const LOOSE_TOKENS_MIN: u32 = 40;

/// Fewest bytes a token of a text as long as the limit: memory and time go with the tokens. Code has 4 to 5 with its layout, so that 2 of 100 files of more
/// than 20 KB are left out; what has less is minified, or made to cost much.
const TOKEN_BYTES_MIN: usize = 3;

/// Share of bytes that the parser could not make sense of, above which a text is taken for a fragment and read as part of something: one in
/// this many.
const ERROR_SHARE: usize = 5;

/// Units that are hashed before the deadline is looked at again: a long one takes 1 ms.
const UNITS_PER_GLANCE: usize = 16;

/// Purposes for which keys are drawn from the seed.
mod purpose {
    pub(super) const NAMES: u64 = 0x20;
    pub(super) const LITERALS: u64 = 0x21;
    pub(super) const UNITS: u64 = 0x22;
}

/// How much two units with one hash may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// In layout, comments and the names of what each binds.
    Strict,
    /// Also in literals, in the names of what their files define, and in a few ways to write the same.
    Loose,
}

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// Something with a name: a function, a class, an implementation.
    Definition,
    /// A statement with a body: a loop, a condition.
    Statement,
    /// A body alone.
    Block,
}

/// A piece of code that is compared as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Hash of its canonical tokens.
    pub hash: u64,
    /// Which of the two forms was hashed.
    pub level: Level,
    /// What it is.
    pub kind: UnitKind,
    /// First byte in the text.
    pub start: u32,
    /// One past the last byte in the text.
    pub end: u32,
    /// Canonical tokens, those that only close something not counted.
    pub n_tokens: u32,
}

/// Why a text was not read, or not wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is prose, or this build has no grammar of its language.
    NoGrammar,
    /// It is longer than the limit that was given, or has more tokens than code of that length.
    TooLong,
    /// Parsing it would take quadratic time, for this reason.
    Hostile(&'static str),
    /// The deadline passed.
    Deadline,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoGrammar => f.write_str("without a grammar in this build"),
            Self::TooLong => f.write_str("too long to be parsed"),
            Self::Hostile(reason) => write!(f, "costly to parse ({reason})"),
            Self::Deadline => f.write_str("not parsed in time"),
        }
    }
}

/// A name of a unit's canonical form: everything that it is bound to is one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundName {
    /// How it is spelled where it stands first.
    pub name: String,
    /// Bytes of all of its occurrences in the text: start and one past the end.
    pub spans: Vec<(u32, u32)>,
}

/// Reads texts: parsers, tables and buffers. Making a parser costs more than most texts, so it is used again; one per thread.
pub struct Syntax {
    prepared: [Option<Box<Prepared>>; Language::ALL.len()],
    names: Names,
    scopes: Scopes,
    nodes: Nodes,
    forms: Forms,
    numbering: Numbering,
    units: Vec<Unit>,
    /// By unit: its range in `forms.units`.
    ranges: Vec<u32>,
    names_key: u64,
    literals_key: u64,
    units_key: u64,
}

impl std::fmt::Debug for Syntax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Syntax").field("n_units", &self.units.len()).finish_non_exhaustive()
    }
}

/// What was found in a text. It borrows the [`Syntax`] that read it, whose buffers hold the canonical forms.
#[derive(Debug)]
pub struct Reading<'a> {
    syntax: &'a mut Syntax,
    text: Cow<'a, str>,
    /// Bytes put before the text to make a whole of a fragment.
    n_before: u32,
    trouble: Option<Trouble>,
    error_bytes: u32,
}

impl Syntax {
    /// Makes a reader whose hashes depend on the seed.
    pub fn new(seed: u64) -> Self {
        let names_key = derive_key(seed, purpose::NAMES);
        Self {
            prepared: Default::default(),
            names: Names::new(names_key),
            scopes: Scopes::default(),
            nodes: Nodes::default(),
            forms: Forms::default(),
            numbering: Numbering::default(),
            units: Vec::new(),
            ranges: Vec::new(),
            names_key,
            literals_key: derive_key(seed, purpose::LITERALS),
            units_key: derive_key(seed, purpose::UNITS),
        }
    }

    /// Tells whether this build can read a language.
    pub fn can_read(language: Language) -> bool {
        parser::has_grammar(language)
    }

    /// Reads a text of at most `bytes_max` bytes ([`CHECK_BYTES_MAX`], [`SOURCE_BYTES_MAX`]).
    ///
    /// What is found does not depend on what was read before. A fragment that is no whole file is read as the body of a function or the like
    /// where that makes more sense.
    ///
    /// Cost: 100 ns a byte, most of it the parser's; memory 300 bytes a token, which of texts as long as the limit is 100 times the text. The deadline is
    /// looked at between operations of the parser and while the tree is walked: of 20,000 kinds of hostile text none of [`CHECK_BYTES_MAX`] took 30 ms
    /// more than it was given (`cargo bench --bench hostile_code`).
    pub fn read<'a>(
        &'a mut self,
        text: &'a str,
        language: Language,
        bytes_max: usize,
        deadline: Option<Instant>,
    ) -> Reading<'a> {
        self.units.clear();
        self.ranges.clear();
        let mut reading =
            Reading { syntax: self, text: Cow::Borrowed(text), n_before: 0, trouble: None, error_bytes: 0 };
        reading.trouble = reading.read(text, language, bytes_max.min(SOURCE_BYTES_MAX), deadline).err();
        reading
    }

    /// Parses a text and replaces names, scopes and nodes by its own.
    fn parse(&mut self, text: &str, language: Language, deadline: Option<Instant>) -> Result<(), Trouble> {
        let prepared = self.prepared[language as usize].as_mut().ok_or(Trouble::NoGrammar)?;
        let tree = prepared.parse(text.as_bytes(), deadline)?;
        self.names.clear();
        self.scopes.clear();
        self.nodes.read(tree.walk(), text.as_bytes(), &prepared.grammar, &mut self.names, &mut self.scopes);
        Ok(())
    }

    /// Writes the canonical forms of the text that was parsed, and hashes the units that lie in `inside`.
    fn hash_units(
        &mut self,
        text: &str,
        language: Language,
        inside: (u32, u32),
        deadline: Option<Instant>,
    ) -> Result<(), Trouble> {
        let prepared = self.prepared[language as usize].as_ref().ok_or(Trouble::NoGrammar)?;
        let Self { names, scopes, nodes, forms, numbering, .. } = self;
        let input = (text.as_bytes(), &prepared.grammar, nodes.rows.as_slice());
        Emitter::new(input, names, scopes, forms, self.literals_key).run(deadline)?;
        numbering.start_text(scopes.bindings.len());
        for (at, range) in forms.units.iter().enumerate() {
            if at % UNITS_PER_GLANCE == 0 && is_past(deadline) {
                self.units.clear();
                self.ranges.clear();
                return Err(Trouble::Deadline);
            }
            if range.start < inside.0 || range.end > inside.1 {
                continue;
            }
            for (level, n_tokens_min) in [(Level::Strict, STRICT_TOKENS_MIN), (Level::Loose, LOOSE_TOKENS_MIN)] {
                let items = items_of(forms, range, level);
                if items.len() < n_tokens_min as usize {
                    continue;
                }
                let (hash, n_tokens) = digest(items, range, self.units_key ^ level as u64, numbering);
                if n_tokens >= n_tokens_min {
                    let (start, end) = (range.start - inside.0, range.end - inside.0);
                    self.units.push(Unit { hash, level, kind: range.kind, start, end, n_tokens });
                    self.ranges.push(len_u32(at));
                }
            }
        }
        Ok(())
    }
}

/// Tells whether a deadline has passed.
fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn items_of<'a>(forms: &'a Forms, range: &UnitRange, level: Level) -> &'a [Item] {
    match level {
        Level::Strict => &forms.strict[range.strict.0 as usize..range.strict.1 as usize],
        Level::Loose => &forms.loose[range.loose.0 as usize..range.loose.1 as usize],
    }
}

impl Reading<'_> {
    fn read(
        &mut self,
        text: &str,
        language: Language,
        bytes_max: usize,
        deadline: Option<Instant>,
    ) -> Result<(), Trouble> {
        if !parser::has_grammar(language) {
            return Err(Trouble::NoGrammar);
        }
        if text.len() > bytes_max {
            return Err(Trouble::TooLong);
        }
        if let Some(reason) = prescan::find_hostile(text.as_bytes(), language) {
            return Err(Trouble::Hostile(reason));
        }
        if prescan::count_tokens(text.as_bytes()) > bytes_max / TOKEN_BYTES_MIN {
            return Err(Trouble::TooLong);
        }
        let key = self.syntax.names_key;
        let slot = &mut self.syntax.prepared[language as usize];
        if slot.is_none() {
            *slot = Prepared::new(language, key).map(Box::new);
        }
        let wrappers = slot.as_ref().ok_or(Trouble::NoGrammar)?.grammar.wrappers;
        self.syntax.parse(text, language, deadline)?;
        self.error_bytes = self.syntax.nodes.error_bytes;
        if self.error_bytes as usize > text.len() / ERROR_SHARE {
            self.read_wrapped(text, language, wrappers, deadline)?;
        }
        let inside = (self.n_before, self.n_before + len_u32(text.len()));
        self.syntax.hash_units(&self.text, language, inside, deadline)
    }

    /// Tries to read a fragment as a part of something, and keeps what makes most sense.
    fn read_wrapped(
        &mut self,
        text: &str,
        language: Language,
        wrappers: &[(&str, &str)],
        deadline: Option<Instant>,
    ) -> Result<(), Trouble> {
        let mut kept = None;
        let mut last = None;
        for (at, (before, after)) in wrappers.iter().enumerate() {
            self.syntax.parse(&[before, text, after].concat(), language, deadline)?;
            last = Some(at);
            if self.syntax.nodes.error_bytes < self.error_bytes {
                self.error_bytes = self.syntax.nodes.error_bytes;
                kept = last;
            }
            if self.error_bytes == 0 {
                break;
            }
        }
        if let Some((before, after)) = kept.and_then(|at| wrappers.get(at)) {
            self.text = Cow::Owned([before, text, after].concat());
            self.n_before = len_u32(before.len());
        }
        if kept != last {
            self.syntax.parse(&self.text, language, deadline)?;
        }
        Ok(())
    }

    /// Returns the units, inner ones before those around them; both levels of a unit stand together.
    pub fn units(&self) -> &[Unit] {
        &self.syntax.units
    }

    /// Tells whether a unit is a class, an implementation or the like, whose members are not visible as plain names.
    pub fn is_class(&self, unit_idx: usize) -> bool {
        self.range(unit_idx).is_some_and(|range| range.has_generics)
    }

    /// Tells whether a unit is a definition with its decorators; the definition is a unit too.
    pub fn is_decorated(&self, unit_idx: usize) -> bool {
        self.range(unit_idx).is_some_and(|range| range.is_decorated)
    }

    fn range(&self, unit_idx: usize) -> Option<&UnitRange> {
        self.syntax.ranges.get(unit_idx).and_then(|&range| self.syntax.forms.units.get(range as usize))
    }

    /// Returns why the text was not read, or not wholly.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Returns the bytes that the parser could not make sense of.
    pub fn error_bytes(&self) -> u32 {
        self.error_bytes
    }

    /// Calls `each` with every occurrence of a name that the text binds itself: its first byte, one past its last, and a number for what it is
    /// bound to, in no order and some more than once. Left out are imports, members, labels, and names that are bound nowhere, such as builtins. None
    /// of a text that was not wholly read.
    pub fn for_each_bound_name(&self, mut each: impl FnMut(u32, u32, u32)) {
        if self.trouble.is_some() {
            return;
        }
        let Syntax { forms, scopes, .. } = &*self.syntax;
        let n_text = len_u32(self.text.len());
        for item in forms.strict.iter().chain(&forms.loose).filter(|item| item.start < item.end) {
            let Some(binding) = scopes.bindings.get(item.binding as usize) else { continue };
            let is_of_text = item.start >= self.n_before && item.end <= n_text;
            let is_import = matches!(binding.level, BindingLevel::Import(_));
            if is_of_text && !is_import && !binding.is_method && binding.scope != NONE {
                each(item.start - self.n_before, item.end - self.n_before, item.binding);
            }
        }
    }

    /// Replaces `tokens` by the canonical tokens of a unit, of which its hash is the digest: those of two units are equal if and only if the
    /// units are equal but for the names they bind. Nothing for a number that no unit has.
    pub fn canonical_tokens(&mut self, unit_idx: usize, tokens: &mut Vec<u64>) {
        tokens.clear();
        let Syntax { units, ranges, forms, numbering, units_key, .. } = &mut *self.syntax;
        let (Some(unit), Some(&range)) = (units.get(unit_idx), ranges.get(unit_idx)) else { return };
        let range = forms.units[range as usize];
        numbering.start();
        let key = *units_key ^ unit.level as u64;
        tokens.extend(items_of(forms, &range, unit.level).iter().map(|item| token(item, &range, key, numbering)));
    }

    /// Returns the bindings of a unit in the order of their numbers: where two units have the same canonical tokens, binding i of the one is
    /// renamed to binding i of the other. Empty for a number that no unit has.
    pub fn bound_names(&mut self, unit_idx: usize) -> Vec<BoundName> {
        let mut bound: Vec<BoundName> = Vec::new();
        let Syntax { units, ranges, forms, numbering, .. } = &mut *self.syntax;
        let (Some(unit), Some(&range)) = (units.get(unit_idx), ranges.get(unit_idx)) else { return bound };
        let range = forms.units[range as usize];
        numbering.start();
        for item in items_of(forms, &range, unit.level).iter().filter(|item| is_numbered(item, &range)) {
            let number = numbering.number(item.binding) as usize;
            let span = (item.start - self.n_before, item.end - self.n_before);
            match bound.get_mut(number) {
                Some(known) => known.spans.push(span),
                None => bound.push(BoundName {
                    name: self.text.get(item.start as usize..item.end as usize).unwrap_or_default().to_owned(),
                    spans: vec![span],
                }),
            }
        }
        for name in &mut bound {
            // Rearranged operands stand in another order than in the text, and `x += 1` names `x` twice.
            name.spans.sort_unstable();
            name.spans.dedup();
        }
        bound
    }
}
