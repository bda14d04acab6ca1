//! Differences that only notation makes: the same program, written in other lexemes.
//!
//! Formatters add brackets around an expression and braces around a match arm; minifiers give a parameter a short name in a statement of
//! its own. A copy that went through one of them is no edited copy. What counts as notation is this list, and nothing else:
//!
//! - round brackets, braces and commas without a partner;
//! - `a = b` where both are names, in lines of their own that begin a function ([`drop_aliases`]), and `b as a` in an import: `a` then stands
//!   for `b`;
//! - statements without effect: `pass`, a lone number, `return` or `return None` before the end of a line, and a string alone in its lines behind
//!   a colon: documentation that a bracket before it, which nothing closes, made a lexeme of;
//! - `else: if` for `elif`;
//! - `field: name` for the shorthand `name`.

use std::ops::Range;

use copytrace_indexer::lexemes::{LexemeKind, Lexemes};

use super::code_view::CodeView;
use super::marks::mark;
use super::pairing::{Pair, is_layout};

/// Lexemes between the word that begins an import and an alias in it, at most.
const IMPORT_LEXEMES_MAX: u32 = 48;

/// A place of the query that only gives an imported name another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alias {
    lexemes: Range<u32>,
    name: u64,
    stands_for: u64,
}

/// Names of a text that stand for others: which, and for which.
pub type Aliases = Vec<(u64, u64)>;

/// Lexemes of a statement `a = b`.
pub const ALIAS_LEXEMES: u32 = 3;

/// Drops from lexemes, and from what `marks` says about them, the statements at the start of a function that only give a parameter a short name:
/// `a = self`. Returns how many lexemes are left before each of them, ascending, and the aliases.
///
/// Only behind the colon that ends a header, in lines of their own: elsewhere such a statement is part of what the code does.
pub fn drop_aliases(text: &str, lexemes: &mut Lexemes, marks: &mut Vec<u32>) -> (Vec<u32>, Aliases) {
    let (mut dropped, mut aliases) = (Vec::new(), Vec::new());
    let n = lexemes.len();
    let begins_line = |at: usize| {
        at >= n || at == 0 || text[lexemes.ends[at - 1] as usize..lexemes.starts[at] as usize].contains('\n')
    };
    let is_name = |at: usize| at < n && lexemes.kinds[at] == LexemeKind::Name;
    let (mut at, mut is_header, mut may_follow) = (0, false, false);
    while at < n {
        if may_follow
            && is_name(at)
            && is_name(at + 2)
            && marks[at + 1] & mark::ASSIGNS != 0
            && begins_line(at)
            && begins_line(at + 3)
        {
            aliases.push((lexemes.hashes[at], lexemes.hashes[at + 2]));
            dropped.push(u32::try_from(at).unwrap_or(u32::MAX));
            at += ALIAS_LEXEMES as usize;
            continue;
        }
        let own = marks[at];
        is_header |= own & mark::DEF != 0;
        may_follow = is_header && own & mark::COLON != 0 && begins_line(at + 1);
        is_header &= !may_follow;
        at += 1;
    }
    if !dropped.is_empty() {
        drop_at(&dropped, &mut lexemes.kinds);
        drop_at(&dropped, &mut lexemes.hashes);
        drop_at(&dropped, &mut lexemes.starts);
        drop_at(&dropped, &mut lexemes.ends);
        drop_at(&dropped, marks);
    }
    let kept_before = (0..).zip(&dropped).map(|(n, first)| first - ALIAS_LEXEMES * n).collect();
    (kept_before, aliases)
}

/// Drops the values of aliases.
fn drop_at<T>(aliases: &[u32], values: &mut Vec<T>) {
    let mut at = 0;
    values.retain(|_| {
        let before = aliases.partition_point(|&first| first <= at);
        let is_alias = before > 0 && at < aliases[before - 1] + ALIAS_LEXEMES;
        at += 1;
        !is_alias
    });
}

/// What is notation in the query.
#[derive(Debug, Clone, Default)]
pub(super) struct Notation {
    aliases: Vec<Alias>,
    known: Aliases,
}

impl Notation {
    /// Finds the aliases among some lexemes of the query.
    pub(super) fn find(query: &CodeView<'_>, within: Range<u32>, known: &[(u64, u64)]) -> Self {
        let is_name = |at: u32| at < query.end() && query.kind(at) == LexemeKind::Name;
        let mut aliases = Vec::new();
        for at in within {
            if !is_name(at) || !is_name(at + 2) {
                continue;
            }
            if query.is(at + 1, "as") && is_imported(query, at) {
                aliases.push(Alias { lexemes: at + 1..at + 3, name: query.hash(at + 2), stands_for: query.hash(at) });
            }
        }
        Self { aliases, known: known.to_vec() }
    }

    /// Returns the aliases: which name stands for which.
    pub(super) fn aliases(&self) -> Aliases {
        let imported = self.aliases.iter().map(|alias| (alias.name, alias.stands_for));
        imported.chain(self.known.iter().copied()).collect()
    }

    /// Counts the lexemes between two pairs that are a difference: of the query, and of the source.
    pub(super) fn count_differences(
        &self,
        query: &CodeView<'_>,
        source: &CodeView<'_>,
        before: Pair,
        after: Pair,
    ) -> (u32, u32) {
        let is_alias = |at: u32| {
            // Ascending and apart.
            let idx = self.aliases.partition_point(|alias| alias.lexemes.end <= at);
            self.aliases.get(idx).is_some_and(|alias| alias.lexemes.contains(&at))
        };
        let differing = |view: &CodeView<'_>, between: Range<u32>| -> Vec<u32> {
            between.filter(|&at| !is_layout(view, at) && !is_idle(view, at)).collect()
        };
        let mut ours = differing(query, before.query + 1..after.query);
        let mut theirs = differing(source, before.source + 1..after.source);
        ours.retain(|&at| !is_alias(at));
        if is_else_if(query, &ours, source, &theirs) || is_else_if(source, &theirs, query, &ours) {
            return (0, 0);
        }
        let is_shorthand = |short: &CodeView<'_>, name: u32, long: &CodeView<'_>, lexemes: &[u32]| {
            is_field_name(long, lexemes, short.spelling(name)) || (before.is_same && is_field_value(long, lexemes))
        };
        if theirs.is_empty() && is_shorthand(source, after.source, query, &ours) {
            ours.clear();
        }
        if ours.is_empty() && is_shorthand(query, after.query, source, &theirs) {
            theirs.clear();
        }
        let count = |lexemes: Vec<u32>| u32::try_from(lexemes.len()).unwrap_or(u32::MAX);
        (count(ours), count(theirs))
    }
}

/// Tells whether a name stands in an import.
fn is_imported(query: &CodeView<'_>, at: u32) -> bool {
    let before = (at.saturating_sub(IMPORT_LEXEMES_MAX)..at).rev();
    let mut words = before.filter(|&at| query.kind(at) == LexemeKind::Keyword);
    words.find(|&at| !query.is(at, "as")).is_some_and(|at| query.is(at, "import") || query.is(at, "use"))
}

/// Tells whether a lexeme is a statement without effect, or part of one.
fn is_idle(view: &CodeView<'_>, at: u32) -> bool {
    let begins = |at: u32| at == view.end() || view.begins_line(at);
    let is_alone = begins(at) && begins(at + 1);
    view.is(at, "pass")
        || (is_alone && view.kind(at) == LexemeKind::Number)
        || (is_alone && view.kind(at) == LexemeKind::Text && at > 0 && view.is(at - 1, ":"))
        || (view.is(at, "return") && (begins(at + 1) || (view.is(at + 1, "None") && begins(at + 2))))
        || (view.is(at, "None") && at > 0 && view.is(at - 1, "return") && begins(at + 1))
}

/// Tells whether one side has `elif` where the other one has `else: if`.
fn is_else_if(short: &CodeView<'_>, ours: &[u32], long: &CodeView<'_>, theirs: &[u32]) -> bool {
    let is = |view: &CodeView<'_>, lexemes: &[u32], spellings: &[&str]| {
        lexemes.len() == spellings.len() && lexemes.iter().zip(spellings).all(|(&at, spelling)| view.is(at, spelling))
    };
    is(short, ours, &["elif"]) && is(long, theirs, &["else", ":", "if"])
}

/// Tells whether the lexemes are the name of a field that is no shorthand: `name :`.
fn is_field_name(view: &CodeView<'_>, lexemes: &[u32], name: &str) -> bool {
    matches!(*lexemes, [field, colon] if view.is(colon, ":") && view.spelling(field) == name)
}

/// Tells whether the lexemes are what stands behind the name of such a field: `: value`.
fn is_field_value(view: &CodeView<'_>, lexemes: &[u32]) -> bool {
    matches!(*lexemes, [colon, value] if view.is(colon, ":") && view.kind(value) == LexemeKind::Name)
}
