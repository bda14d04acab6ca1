//! Which name became which: the one-to-one map between the names of two aligned stretches of code.
//!
//! An alignment of code pairs names with names, whatever they are. Here it is decided which of these pairs can hold together, and a pair that
//! cannot is a difference.
//!
//! # Names and their spaces
//!
//! One spelling can be several things: `self.inner` and a local `inner`, the argument name in `f(key=key)` and the variable after it. They
//! are renamed independently of each other, so that each has a name space of its own: members, argument names, and all others.
//!
//! # The map
//!
//! Pairs are counted, and accepted with the most frequent first (then in the order of the text) as long as neither of their names is taken in its space.
//! Beyond that a pair is accepted where
//!
//! - both names are the same: nothing was renamed;
//! - both stand where their languages introduce a name (`let x`, `for x in`, `x =`, a parameter): one spelling may be two bindings, one
//!   after the other, or one in a lambda inside the other, and each is renamed on its own;
//! - the query itself says that one name is another (`A = self`), as minifiers do.
//!
//! Two bindings that are renamed crosswise, each in one line, are none of that: two statements were exchanged, and their names with them.
//!
//! So the map is one between bindings, as far as lexemes show them; it does not need code that parses.
//!
//! Cost: O(pairs log pairs).
//!
//! Source: the map is that of parameterised matching, Baker, "Parameterized duplication in strings", SIAM J. Computing 26, 1997, with votes in the
//! place of the first occurrence, so that an inserted statement does not spoil it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use copytrace_indexer::lexemes::{LexemeKind, Lexemes};

use super::marks::mark;

/// Name space of a name, and what stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// No name at all.
    None,
    /// A name that stands for itself: a variable, a type, a module.
    Plain,
    /// A name that is called: a function, a constructor, a macro.
    Called,
    /// A member: behind `.`, `->` or `::`.
    Member,
    /// The name of an argument, `key` in `f(key=value)`, or of a field, `key` in `P { key: value }`.
    Argument,
}

/// Name spaces in which a spelling means one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    Plain,
    Member,
    Argument,
}

impl Role {
    fn space(self) -> Space {
        match self {
            Self::Member => Space::Member,
            Self::Argument => Space::Argument,
            Self::None | Self::Plain | Self::Called => Space::Plain,
        }
    }
}

/// What is known about each lexeme of a text beyond its hash.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// Its role.
    pub roles: Vec<Role>,
    /// Whether a name is introduced there.
    pub is_binding: Vec<bool>,
}

impl Roles {
    /// Replaces the roles by those of the lexemes; `marks` are theirs, see [`MarkTable::find`](super::marks::MarkTable::find).
    ///
    /// Cost: 3 ns a lexeme.
    pub fn find(&mut self, lexemes: &Lexemes, marks: &[u32]) {
        self.roles.clear();
        self.is_binding.clear();
        // How many brackets are open: outside of all, `a, b = c` names no arguments.
        let mut depth = 0_u32;
        for (at, (&kind, &own)) in lexemes.kinds.iter().zip(marks).enumerate() {
            if kind != LexemeKind::Name {
                depth = (depth + u32::from(own & mark::OPENS != 0)).saturating_sub(u32::from(own & mark::CLOSES != 0));
                self.roles.push(Role::None);
                self.is_binding.push(false);
                continue;
            }
            let before = at.checked_sub(1).map_or(0, |before| marks[before]);
            let behind = marks.get(at + 1).copied().unwrap_or(0);
            let role = if before & mark::BEFORE_MEMBER != 0 {
                Role::Member
            } else if depth > 0 && names_argument(before, behind) {
                Role::Argument
            } else if behind & mark::BEHIND_CALLED != 0 {
                Role::Called
            } else {
                Role::Plain
            };
            self.roles.push(role);
            let is_introduced = before & mark::BEFORE_BINDING != 0 || behind & mark::BEHIND_BINDING != 0;
            self.is_binding.push(is_introduced && role != Role::Member);
        }
    }
}

/// Tells whether a name between lexemes with these marks names an argument or a field.
fn names_argument(before: u32, behind: u32) -> bool {
    // `{ x = 1` begins a block, which may as well have no brace.
    let is_assigned = behind & mark::ASSIGNS != 0 && before & mark::BRACE_OPENS == 0;
    before & mark::BEFORE_ARGUMENT != 0 && (is_assigned || behind & mark::COLON != 0)
}

/// A pair of names that an alignment puts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamePair {
    /// Lexeme of the query.
    pub query: u32,
    /// Lexeme of the source.
    pub source: u32,
}

/// One side of a comparison: lexemes with their roles.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its lexemes.
    pub lexemes: &'a Lexemes,
    /// Their roles.
    pub roles: &'a Roles,
}

impl Named<'_> {
    fn key(self, at: u32) -> (Space, u64) {
        (self.roles.roles[at as usize].space(), self.lexemes.hashes[at as usize])
    }
}

/// A name in its name space.
type Key = (Space, u64);

/// How often two names are put together, and where.
#[derive(Debug, Clone, Copy)]
struct Vote {
    n: u32,
    /// How often where the name is not introduced.
    n_uses: u32,
    /// First and last lexeme of the query.
    first: u32,
    last: u32,
    is_binding: bool,
}

/// The map between the names of two stretches.
#[derive(Debug, Clone, Default)]
pub struct Renaming {
    accepted: BTreeSet<(Key, Key)>,
}

impl Renaming {
    /// Finds the map. `aliases` are pairs of names of the query of which the first was assigned the second; `shares_line` tells whether two
    /// lexemes of the query stand in one line.
    pub fn find(
        query: Named<'_>,
        source: Named<'_>,
        pairs: &[NamePair],
        aliases: &[(u64, u64)],
        shares_line: impl Fn(u32, u32) -> bool,
    ) -> Self {
        let votes = count_votes(query, source, pairs);
        let mut ranked: Vec<_> = votes.iter().map(|(&pair, &vote)| (pair, vote)).collect();
        // Where names are introduced says less than where they are used: statements may have been exchanged.
        ranked.sort_by_key(|&(_, vote)| (Reverse(vote.n), Reverse(vote.n_uses), vote.first));
        let (mut source_of, mut query_of) = (BTreeMap::new(), BTreeMap::new());
        let mut renaming = Self::default();
        for &((ours, theirs), _) in &ranked {
            if ours.0 == theirs.0 && !source_of.contains_key(&ours) && !query_of.contains_key(&theirs) {
                source_of.insert(ours, theirs);
                query_of.insert(theirs, ours);
                renaming.accepted.insert((ours, theirs));
            }
        }
        let known: BTreeSet<(u64, u64)> = renaming.accepted.iter().map(|&(a, b)| (a.1, b.1)).collect();
        let mut names_of: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for &(alias, name) in aliases {
            names_of.entry(alias).or_default().insert(name);
        }
        let alias_of = |ours: Key, theirs: Key| {
            names_of.get(&ours.1).is_some_and(|names| names.iter().any(|&name| known.contains(&(name, theirs.1))))
        };
        // In its own space: a member `weight` that stays says nothing about a variable `weight`.
        let unchanged: BTreeSet<Key> = renaming.accepted.iter().filter(|(a, b)| a == b).map(|&(a, _)| a).collect();
        let is_exchanged = |ours: Key, theirs: Key, vote: Vote| {
            let crosswise = query_of.get(&theirs).zip(source_of.get(&ours));
            let other = crosswise.and_then(|(&ours, &theirs)| votes.get(&(ours, theirs)));
            let is_in_line = |vote: &Vote| shares_line(vote.first, vote.last);
            other.is_some_and(|other| {
                is_in_line(&vote)
                    && is_in_line(other)
                    && !shares_line(vote.first.min(other.first), vote.last.max(other.last))
            })
        };
        let is_new = |ours: Key, theirs: Key, vote: Vote| {
            vote.is_binding
                && !unchanged.contains(&ours)
                && !unchanged.contains(&theirs)
                && !is_exchanged(ours, theirs, vote)
        };
        let more: Vec<_> = ranked
            .iter()
            .filter(|&&((ours, theirs), vote)| {
                ours.1 == theirs.1 || is_new(ours, theirs, vote) || alias_of(ours, theirs)
            })
            .map(|&(pair, _)| pair)
            .collect();
        renaming.accepted.extend(more);
        renaming
    }

    /// Tells whether a pair of names holds.
    pub fn accepts(&self, query: Named<'_>, source: Named<'_>, pair: NamePair) -> bool {
        self.accepted.contains(&(query.key(pair.query), source.key(pair.source)))
    }
}

fn count_votes(query: Named<'_>, source: Named<'_>, pairs: &[NamePair]) -> BTreeMap<(Key, Key), Vote> {
    let mut votes = BTreeMap::new();
    for pair in pairs {
        let is_binding = query.roles.is_binding[pair.query as usize] && source.roles.is_binding[pair.source as usize];
        let none = Vote { n: 0, n_uses: 0, first: pair.query, last: pair.query, is_binding: false };
        let vote = votes.entry((query.key(pair.query), source.key(pair.source))).or_insert(none);
        vote.n += 1;
        vote.n_uses += u32::from(!is_binding);
        vote.last = pair.query;
        vote.is_binding |= is_binding;
    }
    // Two names that both stand on both sides were hardly exchanged: a statement was moved.
    let names_of = |side: Named<'_>, at: &dyn Fn(&NamePair) -> u32| -> BTreeSet<u64> {
        let ends = pairs.first().zip(pairs.last());
        let range = ends.map_or(0..0, |(first, last)| at(first) as usize..at(last) as usize + 1);
        let kinds = &side.lexemes.kinds[range.clone()];
        let names = kinds.iter().zip(&side.lexemes.hashes[range]).filter(|(kind, _)| **kind == LexemeKind::Name);
        names.map(|(_, &hash)| hash).collect()
    };
    let (ours, theirs) = (names_of(query, &|pair| pair.query), names_of(source, &|pair| pair.source));
    votes.retain(|&((_, a), (_, b)), vote| a == b || vote.n > 1 || !theirs.contains(&a) || !ours.contains(&b));
    votes
}
