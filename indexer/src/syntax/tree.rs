//! A syntax tree as an array: one walk with a cursor, no recursion, and everything that later passes ask of a node beside it.

use tree_sitter::TreeCursor;

use super::compiled::{Compiled, ERROR_KIND, is};
use super::names::{Names, len_u32};
use super::scopes::{NONE, Scopes};
use crate::language::grammar::{Place, Scope, Visibility};

/// Facts about one node, as bits.
pub(super) mod fact {
    /// Holds something that the parser could not make sense of, or had to invent.
    pub(in crate::syntax) const BROKEN: u8 = 1;
    /// A string with expressions in it.
    pub(in crate::syntax) const HAS_PARTS: u8 = 2;
    /// Has no children here.
    pub(in crate::syntax) const LEAF: u8 = 4;
    /// Stands in the branch of an `if` that is itself an `if`.
    pub(in crate::syntax) const CHAINED: u8 = 8;
}

/// A node, in pre-order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: u16,
    pub(super) place: Place,
    pub(super) facts: u8,
    pub(super) start: u32,
    pub(super) end: u32,
    /// The node after the last one in it.
    pub(super) next: u32,
    /// Number of the name that a leaf is; meaningless for others.
    pub(super) name: u32,
    /// What a leaf declares for a whole scope.
    pub(super) binding: u32,
}

/// A text's nodes. A buffer for the next text.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) rows: Vec<Node>,
    /// Bytes in nodes that the parser could not make sense of.
    pub(super) error_bytes: u32,
    open: Vec<u32>,
    n_open_errors: u32,
    open_scopes: Vec<(u32, u32)>,
}

impl Nodes {
    /// Replaces the nodes by those of a tree, and collects what is declared for whole scopes.
    ///
    /// Punctuation that says nothing is left out, and so are the insides of comments and literals.
    pub(super) fn read(
        &mut self,
        mut cursor: TreeCursor<'_>,
        text: &[u8],
        grammar: &Compiled,
        names: &mut Names,
        scopes: &mut Scopes,
    ) {
        self.rows.clear();
        self.open.clear();
        self.open_scopes.clear();
        self.error_bytes = 0;
        self.n_open_errors = 0;
        let has_errors = cursor.node().has_error();
        loop {
            let goes_down = self.enter(&cursor, has_errors, text, grammar, names, scopes);
            if goes_down && cursor.goto_first_child() {
                continue;
            }
            if goes_down {
                // A node that could have children has none.
                self.leave();
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() || self.open.is_empty() {
                    return;
                }
                self.leave();
            }
        }
    }

    /// Adds the node at the cursor; tells whether its children come next.
    fn enter(
        &mut self,
        cursor: &TreeCursor<'_>,
        has_errors: bool,
        text: &[u8],
        grammar: &Compiled,
        names: &mut Names,
        scopes: &mut Scopes,
    ) -> bool {
        let ts_node = cursor.node();
        let id = ts_node.kind_id();
        let kind = grammar.kind(id);
        let parent = self.open.last().copied();
        let mut place = Place::Use;
        if let Some(parent) = parent.map(|parent| self.rows[parent as usize]) {
            let parent_kind = grammar.kind(parent.kind);
            let is_needless = kind.has(is::PUNCTUATION)
                && !parent_kind.has(is::PUNCTUATED)
                && (!parent_kind.has(is::TOKENS) || kind.value == grammar.comma);
            if is_needless || parent_kind.has(is::OMIT_EMPTY) && !kind.has(is::NAMED) {
                return false;
            }
            let rule = if parent_kind.has(is::PARENT) {
                grammar.place(parent.kind, cursor.field_id().map_or(0, std::num::NonZero::get))
            } else {
                None
            };
            place = place_in(rule, parent.place, parent_kind.has(is::PATTERN | is::CAPTURE), kind.has(is::NAME));
        }
        let idx = len_u32(self.rows.len());
        let mut node = Node {
            kind: id,
            place,
            facts: 0,
            start: len_u32(ts_node.start_byte()),
            end: len_u32(ts_node.end_byte()),
            next: idx + 1,
            name: NONE,
            binding: NONE,
        };
        if has_errors && (id == ERROR_KIND || ts_node.is_missing()) {
            node.facts |= fact::BROKEN;
            // Errors in errors count once; so do those of no length.
            if self.n_open_errors == 0 {
                self.error_bytes += (node.end - node.start).max(1);
            }
        }
        if kind.has(is::INTERPOLATION)
            && let Some(parent) = parent
        {
            self.rows[parent as usize].facts |= fact::HAS_PARTS;
        }
        if kind.has(is::CAPTURE) && place == Place::Declare && ts_node.named_child_count() > 1 {
            node.place = Place::Use;
        }
        let is_closed = kind.has(is::CLOSED) || id != ERROR_KIND && ts_node.child_count() == 0;
        if is_closed {
            node.facts |= fact::LEAF;
            if kind.has(is::NAMED) && !kind.has(is::CLOSED) {
                node.name = names.intern(text, node.start, node.end);
                self.declare(&mut node, kind.traits, text, grammar, names, scopes);
            }
            self.rows.push(node);
            if node.facts & fact::BROKEN != 0 {
                self.break_parents();
            }
            return false;
        }
        if kind.has(is::STATEMENT) && parent.is_some_and(|parent| self.rows[parent as usize].place == Place::Outside) {
            node.facts |= fact::CHAINED;
        }
        self.rows.push(node);
        if node.facts & fact::BROKEN != 0 {
            self.break_parents();
        }
        self.open.push(idx);
        self.n_open_errors += u32::from(id == ERROR_KIND);
        if let Some(scope_kind) = kind.scope {
            let around = self.open_scopes.last().map_or(NONE, |open| open.1);
            self.open_scopes.push((idx, scopes.open(idx, scope_kind, around)));
        }
        true
    }

    /// Ends the innermost open node.
    fn leave(&mut self) {
        let Some(idx) = self.open.pop() else { return };
        let next = len_u32(self.rows.len());
        let node = &mut self.rows[idx as usize];
        node.next = next;
        let facts = node.facts;
        self.n_open_errors -= u32::from(node.kind == ERROR_KIND);
        if let Some(&parent) = self.open.last()
            && facts & fact::HAS_PARTS != 0
            && self.rows[parent as usize].facts & fact::HAS_PARTS == 0
        {
            // A string of strings has parts where one of them has.
            self.rows[parent as usize].facts |= fact::HAS_PARTS;
        }
        if self.open_scopes.last().is_some_and(|open| open.0 == idx) {
            self.open_scopes.pop();
        }
    }

    /// Marks all open nodes as holding an error; stops at the first that is marked, whose parents are.
    fn break_parents(&mut self) {
        for &open in self.open.iter().rev() {
            let facts = &mut self.rows[open as usize].facts;
            if *facts & fact::BROKEN != 0 {
                break;
            }
            *facts |= fact::BROKEN;
        }
    }

    /// Declares the name of a leaf where its place says so and the scope has to know it beforehand.
    fn declare(
        &mut self,
        node: &mut Node,
        traits: u64,
        text: &[u8],
        grammar: &Compiled,
        names: &Names,
        scopes: &mut Scopes,
    ) {
        let Some(&(_, scope)) = self.open_scopes.last() else { return };
        if traits & (is::NAME | is::MEMBER | is::SHORTHAND) == 0 {
            return;
        }
        let is_hoisted = grammar.visibility == Visibility::Hoisted;
        match node.place {
            Place::OwnName if traits & is::MEMBER != 0 => {
                node.binding = scopes.declare_member(node.name);
            }
            Place::OwnName => {
                let around = scopes.around_definition(scope);
                node.binding = scopes.declare(around, node.name, true);
                scopes.rows[scope as usize].own = node.binding;
            }
            Place::OwnMember => node.binding = scopes.declare_member(node.name),
            Place::Declare
            | Place::DeclareNow
            | Place::DeclareForBody
            | Place::DeclareInFunction
            | Place::Parameter
            | Place::Shorthand
            | Place::Generic
                if traits & is::MEMBER == 0 =>
            {
                if grammar.capitals_are_constants
                    && !matches!(node.place, Place::Generic | Place::Shorthand)
                    && text[node.start as usize].is_ascii_uppercase()
                {
                    node.place = Place::Use;
                    return;
                }
                if !is_hoisted || node.place == Place::Shorthand {
                    return;
                }
                let scope = if node.place == Place::DeclareInFunction { scopes.function_around(scope) } else { scope };
                let binding = scopes.declare(scope, node.name, false);
                node.binding = binding;
                if matches!(node.place, Place::Parameter | Place::Generic) {
                    self.mark_parameter(scope, binding, node.name, text, grammar, names, scopes);
                }
            }
            Place::Outer => scopes.declare_outer(scope, node.name),
            Place::Alias => {
                let meant = self.rows.iter().rev().find(|before| before.name != NONE).map(|before| before.name);
                scopes.declare_alias(scope, node.name, meant.unwrap_or(node.name));
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all the state of the walk that the question needs")]
    #[expect(clippy::unused_self, reason = "part of the walk")]
    fn mark_parameter(
        &self,
        scope: u32,
        binding: u32,
        name: u32,
        text: &[u8],
        grammar: &Compiled,
        names: &Names,
        scopes: &mut Scopes,
    ) {
        let row = scopes.rows[scope as usize];
        let is_method = row.parent != NONE && scopes.rows[row.parent as usize].kind == Scope::Class;
        let is_first = !std::mem::replace(&mut scopes.rows[scope as usize].has_parameter, true);
        let bytes = names.bytes(text, name);
        let is_receiver = grammar.receivers.iter().any(|receiver| receiver.as_bytes() == bytes);
        let has_receivers = !grammar.receivers.is_empty();
        let is_receiver = has_receivers && is_first && (is_method || is_receiver);
        if let Some(binding) = scopes.bindings.get_mut(binding as usize) {
            binding.is_parameter = true;
            binding.is_receiver |= is_receiver;
        }
        if let Some(own) = scopes.bindings.get_mut(row.own as usize).filter(|_| is_receiver) {
            own.is_method = true;
        }
    }
}

/// Returns the place of a child: by the table's rule, or the parent's own where that passes it on.
fn place_in(rule: Option<Place>, parent: Place, passes_on: bool, is_name: bool) -> Place {
    let is_binding = matches!(
        parent,
        Place::Declare
            | Place::DeclareNow
            | Place::DeclareForBody
            | Place::DeclareInFunction
            | Place::Parameter
            | Place::OwnName
            | Place::OwnMember
    );
    match rule {
        Some(Place::KeyOrPattern) => {
            if is_name {
                Place::Key
            } else {
                Place::Declare
            }
        }
        // What is imported keeps its names, however deep.
        Some(place @ (Place::Alias | Place::Dropped)) => place,
        _ if parent == Place::Key => Place::Key,
        Some(place) => place,
        None if passes_on && is_binding => parent,
        None => Place::Use,
    }
}
