//! A grammar's tables, looked up by the numbers that its parser gives to kinds and fields.

use super::names::{FACTOR, hash_bytes};
use crate::language::grammar::{
    AUGMENTED, COMMUTATIVE, Grammar, LOGICAL, PUNCTUATION, Place, Scope, TURNED, Trait, Visibility,
};
use crate::normalise::fold;

/// What is true of a kind of node, as bits: one load per node instead of a search.
pub(super) mod is {
    pub(in crate::syntax) const THROUGH: u64 = 1;
    pub(in crate::syntax) const DROP: u64 = 1 << 1;
    pub(in crate::syntax) const DROP_LOOSE: u64 = 1 << 2;
    pub(in crate::syntax) const OMIT_EMPTY: u64 = 1 << 3;
    pub(in crate::syntax) const NAME: u64 = 1 << 4;
    pub(in crate::syntax) const MEMBER: u64 = 1 << 5;
    pub(in crate::syntax) const SHORTHAND: u64 = 1 << 6;
    pub(in crate::syntax) const NUMBER: u64 = 1 << 7;
    pub(in crate::syntax) const TEXT: u64 = 1 << 8;
    pub(in crate::syntax) const CHARACTER: u64 = 1 << 9;
    pub(in crate::syntax) const TEXT_WITH_PARTS: u64 = 1 << 10;
    pub(in crate::syntax) const TEXT_PART: u64 = 1 << 11;
    pub(in crate::syntax) const INTERPOLATION: u64 = 1 << 12;
    pub(in crate::syntax) const JOINED_TEXT: u64 = 1 << 13;
    pub(in crate::syntax) const TEXT_STATEMENT: u64 = 1 << 14;
    pub(in crate::syntax) const RECEIVER: u64 = 1 << 15;
    pub(in crate::syntax) const PATTERN: u64 = 1 << 16;
    pub(in crate::syntax) const CAPTURE: u64 = 1 << 17;
    pub(in crate::syntax) const DEFINITION: u64 = 1 << 18;
    pub(in crate::syntax) const DECORATED: u64 = 1 << 19;
    pub(in crate::syntax) const STATEMENT: u64 = 1 << 20;
    pub(in crate::syntax) const BLOCK: u64 = 1 << 21;
    pub(in crate::syntax) const PUNCTUATED: u64 = 1 << 22;
    pub(in crate::syntax) const BINARY: u64 = 1 << 23;
    pub(in crate::syntax) const CALL: u64 = 1 << 24;
    pub(in crate::syntax) const AUGMENTED: u64 = 1 << 25;
    pub(in crate::syntax) const MACRO: u64 = 1 << 26;
    pub(in crate::syntax) const TOKENS: u64 = 1 << 27;
    pub(in crate::syntax) const ATTRIBUTE: u64 = 1 << 28;
    pub(in crate::syntax) const IMPORT: u64 = 1 << 29;
    pub(in crate::syntax) const ASSIGNMENT: u64 = 1 << 30;
    pub(in crate::syntax) const TAKES_EXPRESSION: u64 = 1 << 35;
    pub(in crate::syntax) const ELSE: u64 = 1 << 36;
    pub(in crate::syntax) const CONDITION: u64 = 1 << 37;
    /// A leaf without a name that only groups or separates.
    pub(in crate::syntax) const PUNCTUATION: u64 = 1 << 31;
    /// Opens a scope.
    pub(in crate::syntax) const SCOPE: u64 = 1 << 32;
    /// Has a row in the table of places.
    pub(in crate::syntax) const PARENT: u64 = 1 << 33;
    /// Has a name in the grammar; the others are keywords, operators and brackets.
    pub(in crate::syntax) const NAMED: u64 = 1 << 34;
    /// Its children need not be looked at.
    pub(in crate::syntax) const CLOSED: u64 = DROP | TEXT | CHARACTER | NUMBER | TEXT_PART;
    /// Any kind of unit.
    pub(in crate::syntax) const UNIT: u64 = DEFINITION | DECORATED | STATEMENT | BLOCK;
}

/// The kind of a node that the parser could not make sense of.
pub(super) const ERROR_KIND: u16 = u16::MAX;

/// What may be done with the operands of an operator in the loose form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    Sorted,
    /// If none is a call.
    SortedIfPure,
    /// Turned, and the operator replaced by this one.
    Turned(u64),
}

/// A kind of node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) traits: u64,
    pub(super) scope: Option<Scope>,
    /// Stands for the kind in canonical forms.
    pub(super) value: u64,
    /// What else a trait names: the kind around a shorthand; the kinds of an assignment and an operation.
    pub(super) others: [u64; 2],
}

/// A grammar with one seed's values.
#[derive(Debug)]
pub(super) struct Compiled {
    kinds: Vec<Kind>,
    places: Vec<Option<Place>>,
    n_fields: usize,
    pub(super) visibility: Visibility,
    pub(super) capitals_are_constants: bool,
    pub(super) receivers: &'static [&'static str],
    /// Hash of a name, hash of what it stands for; sorted.
    aliases: Vec<(u64, u64)>,
    formats: Vec<u64>,
    pub(super) set_attribute: Option<u64>,
    pub(super) wrappers: &'static [(&'static str, &'static str)],
    operands: Vec<(u64, Operands)>,
    augmented: Vec<(u64, u64)>,
    pub(super) assign: u64,
    pub(super) plus: u64,
    pub(super) dot: u64,
    pub(super) comma: u64,
}

impl Compiled {
    /// Makes the tables of a grammar; `key` is that of names and kinds.
    pub(super) fn new(grammar: &Grammar, language: &tree_sitter::Language, key: u64) -> Self {
        let value = |name: &str| kind_value(key, name);
        let n_fields = language.field_count() + 1;
        let n_kinds = language.node_kind_count();
        let mut kinds = Vec::with_capacity(n_kinds);
        let mut places = vec![None; n_kinds * n_fields];
        for id in (0..n_kinds).map(|id| u16::try_from(id).unwrap_or(ERROR_KIND)) {
            let name = language.node_kind_for_id(id).unwrap_or_default();
            let mut kind = Kind { traits: 0, scope: None, value: value(name), others: [0; 2] };
            if language.node_kind_is_named(id) {
                kind.traits |= is::NAMED;
                for row in grammar.kinds.iter().filter(|row| row.0 == name) {
                    row.1.iter().for_each(|given| kind.add(*given, &value));
                }
                for (_, field, place) in grammar.places.iter().filter(|row| row.0 == name) {
                    kind.traits |= is::PARENT;
                    let row = &mut places[usize::from(id) * n_fields..][..n_fields];
                    if field.is_empty() {
                        row.iter_mut().filter(|entry| entry.is_none()).for_each(|entry| *entry = Some(*place));
                    } else if let Some(field) = language.field_id_for_name(field) {
                        row[usize::from(field.get())] = Some(*place);
                    }
                }
            } else if PUNCTUATION.contains(&name) {
                kind.traits |= is::PUNCTUATION;
            }
            kinds.push(kind);
        }
        let hash = |name: &&str| hash_bytes(key, name.as_bytes());
        let mut aliases: Vec<_> =
            grammar.common_aliases.iter().map(|(name, meant)| (hash(name), hash(meant))).collect();
        aliases.sort_unstable();
        let mut operands: Vec<_> = COMMUTATIVE.iter().map(|name| (value(name), Operands::Sorted)).collect();
        operands.extend(LOGICAL.iter().map(|name| (value(name), Operands::SortedIfPure)));
        operands.extend(TURNED.iter().map(|(name, other)| (value(name), Operands::Turned(value(other)))));
        Self {
            kinds,
            places,
            n_fields,
            visibility: grammar.visibility,
            capitals_are_constants: grammar.capitals_are_constants,
            receivers: grammar.receivers,
            aliases,
            formats: grammar.format_macros.iter().map(hash).collect(),
            set_attribute: grammar.set_attribute.as_ref().map(hash),
            wrappers: grammar.wrappers,
            operands,
            augmented: AUGMENTED.iter().map(|(name, plain)| (value(name), value(plain))).collect(),
            assign: value("="),
            plus: value("+"),
            dot: value("."),
            comma: value(","),
        }
    }

    /// Returns the row of a kind; of one without traits for what the parser made no sense of.
    #[inline]
    pub(super) fn kind(&self, id: u16) -> Kind {
        self.kinds.get(usize::from(id)).copied().unwrap_or(Kind {
            traits: is::NAMED,
            scope: None,
            value: 0,
            others: [0; 2],
        })
    }

    /// Returns the place that the table gives to a child in a field (0 for none).
    #[inline]
    pub(super) fn place(&self, parent: u16, field: u16) -> Option<Place> {
        self.places.get(usize::from(parent) * self.n_fields + usize::from(field)).copied().flatten()
    }

    /// Returns the hash of what a name that nobody declared stands for.
    #[inline]
    pub(super) fn resolve_alias(&self, name: u64) -> u64 {
        if self.aliases.is_empty() {
            return name;
        }
        self.aliases.binary_search_by_key(&name, |row| row.0).map_or(name, |at| self.aliases[at].1)
    }

    pub(super) fn is_format_macro(&self, name: u64) -> bool {
        self.formats.contains(&name)
    }

    pub(super) fn operands(&self, operator: u64) -> Option<Operands> {
        self.operands.iter().find(|row| row.0 == operator).map(|row| row.1)
    }

    /// Returns the operator that an assignment computes with.
    pub(super) fn plain_operator(&self, augmented: u64) -> Option<u64> {
        self.augmented.iter().find(|row| row.0 == augmented).map(|row| row.1)
    }
}

/// Returns the value of a kind's name.
fn kind_value(key: u64, name: &str) -> u64 {
    // Turned, so that no kind has the value of a name with the same spelling.
    fold(hash_bytes(key, name.as_bytes()).rotate_left(32), FACTOR)
}

impl Kind {
    pub(super) fn has(&self, traits: u64) -> bool {
        self.traits & traits != 0
    }

    fn add(&mut self, given: Trait, value: &impl Fn(&str) -> u64) {
        self.traits |= match given {
            Trait::Through => is::THROUGH,
            Trait::Drop => is::DROP,
            Trait::DropLoose => is::DROP_LOOSE,
            Trait::OmitEmpty => is::OMIT_EMPTY,
            Trait::As(name) => {
                self.value = value(name);
                0
            }
            Trait::Name => is::NAME,
            Trait::Member => is::MEMBER,
            Trait::Shorthand(around) => {
                self.others[0] = if around.is_empty() { 0 } else { value(around) };
                is::SHORTHAND
            }
            Trait::Number => is::NUMBER,
            Trait::Text => is::TEXT,
            Trait::Character => is::CHARACTER,
            Trait::TextWithParts => is::TEXT_WITH_PARTS,
            Trait::TextPart => is::TEXT_PART,
            Trait::Interpolation => is::INTERPOLATION,
            Trait::JoinedText => is::JOINED_TEXT,
            Trait::TextStatement => is::TEXT_STATEMENT,
            Trait::Receiver => is::RECEIVER,
            Trait::Pattern => is::PATTERN,
            Trait::Capture => is::CAPTURE,
            Trait::Scope(scope) => {
                self.scope = Some(scope);
                is::SCOPE
            }
            Trait::Definition => is::DEFINITION,
            Trait::Decorated => is::DECORATED,
            Trait::Statement => is::STATEMENT,
            Trait::Block => is::BLOCK,
            Trait::Punctuated => is::PUNCTUATED,
            Trait::Binary => is::BINARY,
            Trait::Call => is::CALL,
            Trait::Augmented(assignment, operation) => {
                self.others = [value(assignment), value(operation)];
                is::AUGMENTED
            }
            Trait::Macro => is::MACRO,
            Trait::Tokens => is::TOKENS,
            Trait::Attribute => is::ATTRIBUTE,
            Trait::Import => is::IMPORT,
            Trait::Assignment => is::ASSIGNMENT,
            Trait::Else(keyword) => {
                self.others[0] = value(keyword);
                is::ELSE
            }
            Trait::Condition => is::CONDITION,
            Trait::TakesExpression => is::TAKES_EXPRESSION,
        };
    }
}
