//! A piece of code with all that comparing needs to know about its lexemes.

use std::ops::Range;

use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::{LexemeKind, is_same_lexeme};
use copytrace_indexer::span::Span;

use super::renaming::{Named, Role};

/// A piece of code with its lexemes.
#[derive(Debug, Clone, Copy)]
pub struct CodeView<'a> {
    /// The text in which the lexemes' bytes are counted.
    pub text: &'a str,
    /// What it is written in.
    pub language: Language,
    /// Its lexemes with their roles.
    pub named: Named<'a>,
    /// Its functions, as lexemes, ascending.
    pub functions: &'a [Range<u32>],
}

impl<'a> CodeView<'a> {
    /// Returns the bytes of a lexeme.
    pub fn spelling(&self, at: u32) -> &'a str {
        let lexemes = self.named.lexemes;
        &self.text[lexemes.starts[at as usize] as usize..lexemes.ends[at as usize] as usize]
    }

    pub(super) fn kind(&self, at: u32) -> LexemeKind {
        self.named.lexemes.kinds[at as usize]
    }

    pub(super) fn role(&self, at: u32) -> Role {
        self.named.roles.roles[at as usize]
    }

    pub(super) fn hash(&self, at: u32) -> u64 {
        self.named.lexemes.hashes[at as usize]
    }

    /// Tells whether a line end stands between a lexeme and the one before it.
    pub fn begins_line(&self, at: u32) -> bool {
        let lexemes = self.named.lexemes;
        let end = at.checked_sub(1).map_or(0, |before| lexemes.ends[before as usize]);
        at == 0 || self.text[end as usize..lexemes.starts[at as usize] as usize].contains('\n')
    }

    /// Returns one past the last lexeme.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.named.lexemes.len()).unwrap_or(u32::MAX)
    }

    /// Tells whether a lexeme is this mark or keyword.
    pub(super) fn is(&self, at: u32, spelling: &str) -> bool {
        at < self.end()
            && matches!(self.kind(at), LexemeKind::Mark | LexemeKind::Keyword)
            && self.spelling(at) == spelling
    }

    /// Returns the function in which a lexeme stands.
    pub(super) fn function_at(&self, at: u32) -> Option<&'a Range<u32>> {
        let n = self.functions.partition_point(|function| function.end <= at);
        self.functions.get(n).filter(|function| function.start <= at)
    }

    /// Returns the lexemes that lie in some bytes.
    pub(super) fn lexemes_in(&self, bytes: &Range<u32>) -> Range<u32> {
        let lexemes = self.named.lexemes;
        let first = lexemes.starts.partition_point(|&start| start < bytes.start);
        let last = lexemes.ends.partition_point(|&end| end <= bytes.end);
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        number(first)..number(last.max(first))
    }

    pub(super) fn stretch(&self, lexemes: &Range<u32>) -> &'a str {
        &self.text[self.span(lexemes).range()]
    }

    /// Returns the bytes of some lexemes, at least one.
    pub fn span(&self, lexemes: &Range<u32>) -> Span {
        let columns = self.named.lexemes;
        Span::new(columns.starts[lexemes.start as usize], columns.ends[lexemes.end as usize - 1])
    }
}

/// Tells whether two lexemes are of one class: the same, or two names of the same role, or two literals of the same kind.
pub(super) fn is_same_class(query: &CodeView<'_>, source: &CodeView<'_>, at: u32, other: u32) -> bool {
    let kind = query.kind(at);
    kind == source.kind(other)
        && match kind {
            // A shorthand field has another role than a whole one.
            LexemeKind::Name => query.role(at) == source.role(other) || is_same(query, source, at, other),
            LexemeKind::Number | LexemeKind::Text => true,
            LexemeKind::Keyword | LexemeKind::Mark => is_same(query, source, at, other),
        }
}

/// Tells whether two lexemes are the same by content; strings of several lines may be indented otherwise, as code is that was moved.
pub(super) fn is_same(query: &CodeView<'_>, source: &CodeView<'_>, at: u32, other: u32) -> bool {
    let kind = query.kind(at);
    let (ours, theirs) = (query.spelling(at), source.spelling(other));
    if kind != source.kind(other) {
        return false;
    }
    if query.hash(at) != source.hash(other) {
        return kind == LexemeKind::Text && is_reindented(ours, theirs);
    }
    ours == theirs
        || is_same_lexeme(kind, ours, theirs, query.language)
        || is_same_lexeme(kind, ours, theirs, source.language)
}

/// Tells whether two strings of several lines have the same ones but for the blanks they begin with.
fn is_reindented(ours: &str, theirs: &str) -> bool {
    let Some((first, ours)) = ours.split_once('\n') else { return false };
    theirs.split_once('\n').is_some_and(|(other, theirs)| {
        first == other && ours.split('\n').map(str::trim_start).eq(theirs.split('\n').map(str::trim_start))
    })
}
