//! A tree to its two canonical forms: rows of items, in which a name is either a number to come or the hash of its spelling.
//!
//! An inner node is an opening item, its children, a closing item; a leaf is one item. The strict and the loose form are written in the same
//! pass. Which number a name gets depends on the unit that is looked at, so an item holds the binding, and `digest` numbers it.

use std::time::Instant;

use super::compiled::{Compiled, Kind, is};
use super::items::{Item, UnitRange, flag};
use super::names::{FACTOR, Names, len_u32};
use super::operands;
use super::scopes::{Level, NONE, Scopes};
use super::tree::{Node, fact};
use super::{Trouble, is_past};
use crate::language::grammar::{Place, Scope, Visibility};
use crate::normalise::fold;

/// Longest function in which names are counted, in nodes: they are counted once per second name at its start.
const COUNTED_NODES_MAX: u32 = 4096;

/// Nodes that are looked at before the deadline is again: 0.1 ms.
const NODES_PER_GLANCE: u32 = 4096;

/// Most levels of units in one unit that is hashed: every token is hashed once per level, and a deeper unit is machine-made.
const UNIT_LEVELS_MAX: u16 = 64;

/// A node that is not yet closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    at: u32,
    next: u32,
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    place: Place,
    strict_at: u32,
    loose_at: u32,
    /// Where children 0, 1 and 2 begin in the loose form, for operators.
    children_at: [u32; 3],
    n_children: u32,
    /// End of the imports and second names at its beginning, in the strict form.
    prologue: u32,
    /// Length of the log of visible names when its scope opened.
    undo: u32,
    pending: u32,
    n_units: u32,
    own: u32,
    levels: u16,
    is_unit: bool,
    is_muted: bool,
    pub(super) is_format: bool,
}

/// The canonical forms of a text. A buffer for the next text.
#[derive(Debug, Default)]
pub(super) struct Forms {
    pub(super) strict: Vec<Item>,
    pub(super) loose: Vec<Item>,
    pub(super) units: Vec<UnitRange>,
    pub(super) frames: Vec<Frame>,
    /// Name to the binding that is visible now.
    pub(super) visible: Vec<u32>,
    /// What was visible before, to be put back where a scope ends.
    log: Vec<(u32, u32)>,
    /// Bindings that become visible where the declaration ends.
    pending: Vec<u32>,
    pub(super) characters: Vec<u8>,
    scratch: Vec<Item>,
}

/// All that a pass over a text reads and writes.
pub(super) struct Emitter<'a> {
    pub(super) text: &'a [u8],
    pub(super) grammar: &'a Compiled,
    pub(super) nodes: &'a [Node],
    pub(super) names: &'a mut Names,
    pub(super) scopes: &'a mut Scopes,
    pub(super) forms: &'a mut Forms,
    /// Key of literals' values and of classes.
    pub(super) key: u64,
    scope: u32,
    n_scopes: u32,
    n_functions: u32,
    pub(super) n_muted: u32,
    /// Literals at the end of the strict form, and of the loose one.
    pub(super) runs: [u32; 2],
    /// Characters of the text that the last item of the strict form is a part of.
    pub(super) part: Vec<u8>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(
        (text, grammar, nodes): (&'a [u8], &'a Compiled, &'a [Node]),
        names: &'a mut Names,
        scopes: &'a mut Scopes,
        forms: &'a mut Forms,
        key: u64,
    ) -> Self {
        forms.strict.clear();
        forms.loose.clear();
        forms.units.clear();
        forms.frames.clear();
        forms.log.clear();
        forms.pending.clear();
        forms.visible.clear();
        forms.visible.resize(names.len(), NONE);
        Self {
            text,
            grammar,
            nodes,
            names,
            scopes,
            forms,
            key,
            scope: NONE,
            n_scopes: 0,
            n_functions: 0,
            n_muted: 0,
            runs: [0; 2],
            part: Vec::new(),
        }
    }

    /// Writes both forms and the units.
    ///
    /// # Errors
    /// [`Trouble::Deadline`] where the deadline passed.
    pub(super) fn run(&mut self, deadline: Option<Instant>) -> Result<(), Trouble> {
        let (mut at, mut glance_at) = (0, NODES_PER_GLANCE);
        while let Some(&node) = self.nodes.get(at as usize) {
            if at >= glance_at {
                glance_at = at + NODES_PER_GLANCE;
                if is_past(deadline) {
                    return Err(Trouble::Deadline);
                }
            }
            while self.forms.frames.last().is_some_and(|frame| frame.next <= at) {
                self.close();
            }
            let kind = self.grammar.kind(node.kind);
            if kind.has(is::DROP)
                || matches!(node.place, Place::Dropped | Place::Alias)
                || self.is_dropped(at, node, kind)
            {
                at = node.next;
                continue;
            }
            self.count_child();
            if node.facts & fact::LEAF != 0 {
                self.leaf(node, kind);
                at += 1;
            } else if Self::is_plain_text(node, kind) {
                self.joined_text(at, node);
                at = node.next;
            } else {
                self.open(at, node, kind);
                at = self.chained_condition(at, kind).unwrap_or(at + 1);
            }
        }
        while !self.forms.frames.is_empty() {
            self.close();
        }
        Ok(())
    }

    /// Tells whether a node is a statement without effect: a string alone, a second name for a parameter.
    fn is_dropped(&mut self, at: u32, node: Node, kind: Kind) -> bool {
        if !kind.has(is::TEXT_STATEMENT | is::ASSIGNMENT) {
            return false;
        }
        let Some(&child) = self.nodes.get(at as usize + 1) else { return false };
        if kind.has(is::TEXT_STATEMENT) {
            let child_kind = self.grammar.kind(child.kind);
            return child.next == node.next
                && child_kind.has(is::TEXT | is::TEXT_WITH_PARTS | is::JOINED_TEXT)
                && child.facts & (fact::HAS_PARTS | fact::BROKEN) == 0;
        }
        self.is_second_name(at, node)
    }

    /// Tells whether a node is `a = b` at the start of a function, `b` a parameter, and either neither is ever assigned again or `b` stands
    /// nowhere else; then both are one binding from here on. Minifiers write this so that callers may go on naming the parameter.
    fn is_second_name(&mut self, at: u32, node: Node) -> bool {
        let at = at as usize;
        let [.., function, block, _statement] = self.forms.frames.as_slice() else { return false };
        let is_first = function.kind.has(is::DEFINITION)
            && block.kind.has(is::BLOCK)
            && block.prologue == len_u32(self.forms.strict.len());
        let (function_at, function_next) = (function.at, function.next);
        if !is_first {
            return false;
        }
        let parts = &self.nodes[at + 1..node.next as usize];
        let mut leaves = parts.iter().filter(|part| !self.grammar.kind(part.kind).has(is::THROUGH));
        let (Some(&left), Some(_), Some(&right), None) = (leaves.next(), leaves.next(), leaves.next(), leaves.next())
        else {
            return false;
        };
        let are_names = left.binding != NONE && right.name != NONE && self.grammar.kind(right.kind).has(is::NAME);
        let parameter = if are_names { self.resolve(right.name) } else { NONE };
        let (Some(&new), Some(&old)) =
            (self.scopes.bindings.get(left.binding as usize), self.scopes.bindings.get(parameter as usize))
        else {
            return false;
        };
        let may_be = new.level == Level::Local && !new.is_parameter && old.is_parameter && new.scope == old.scope;
        let is_alias = may_be
            && ((new.n_declared, old.n_declared) == (1, 1)
                || self.count_name(right.name, function_at, function_next) == 2);
        if is_alias {
            self.scopes.bindings[left.binding as usize].alias_of = parameter;
        }
        is_alias
    }

    /// Returns how often a variable's name stands in some nodes; more than any count where they are too many.
    fn count_name(&self, name: u32, at: u32, next: u32) -> usize {
        if next - at > COUNTED_NODES_MAX {
            return usize::MAX;
        }
        let is_variable = |node: &&Node| node.name == name && !matches!(node.place, Place::Member | Place::Key);
        self.nodes[at as usize..next as usize].iter().filter(is_variable).count()
    }

    /// Writes the beginning of a condition that is all that the branch `else` at `at` holds, as if it were a further branch of the condition
    /// around; returns the node after it.
    fn chained_condition(&mut self, at: u32, kind: Kind) -> Option<u32> {
        let is_branch = |frame: &Frame| frame.kind.has(is::CONDITION);
        if !kind.has(is::ELSE) || !self.forms.frames.iter().rev().nth(1).is_some_and(is_branch) {
            return None;
        }
        // After the keyword, and maybe a comment.
        let mut block_at = at + 2;
        while self.nodes.get(block_at as usize).is_some_and(|node| self.grammar.kind(node.kind).has(is::DROP)) {
            block_at += 1;
        }
        let block = *self.nodes.get(block_at as usize).filter(|node| self.grammar.kind(node.kind).has(is::BLOCK))?;
        let inner_at = self.only_child(block_at, block)?;
        let inner = self.nodes[inner_at as usize];
        let mut inner_kind = self.grammar.kind(inner.kind);
        if !inner_kind.has(is::CONDITION) {
            return None;
        }
        inner_kind.traits = inner_kind.traits & !is::STATEMENT | is::THROUGH;
        self.open(inner_at, inner, inner_kind);
        let keyword = self.nodes[inner_at as usize + 1];
        self.push_both(Item { value: kind.others[0], binding: NONE, start: keyword.start, end: keyword.end, flags: 0 });
        Some(inner_at + 2)
    }

    /// Returns the child of a node that has only this one, comments and the like not counted.
    fn only_child(&self, at: u32, node: Node) -> Option<u32> {
        let (mut only, mut child_at) = (None, at + 1);
        while child_at < node.next {
            let child = self.nodes[child_at as usize];
            if !self.grammar.kind(child.kind).has(is::DROP) && only.replace(child_at).is_some() {
                return None;
            }
            child_at = child.next;
        }
        only
    }

    fn count_child(&mut self) {
        let at = len_u32(self.forms.loose.len());
        if let Some(frame) = self.forms.frames.last_mut().filter(|frame| frame.kind.has(is::BINARY | is::AUGMENTED)) {
            if let Some(child_at) = frame.children_at.get_mut(frame.n_children as usize) {
                *child_at = at;
            }
            frame.n_children += 1;
        }
    }

    /// Tells whether a block holds one expression and stands where that could stand without it.
    fn is_braced_expression(&self, at: u32, node: Node, kind: Kind) -> bool {
        if !kind.has(is::BLOCK) || !self.forms.frames.last().is_some_and(|frame| frame.kind.has(is::TAKES_EXPRESSION)) {
            return false;
        }
        self.only_child(at, node).is_some()
    }

    fn open(&mut self, at: u32, node: Node, kind: Kind) {
        let mut kind = kind;
        if self.is_braced_expression(at, node, kind) {
            kind.traits = kind.traits & !is::BLOCK | is::THROUGH;
        }
        let (parent_undo, parent_pending, is_in_format) =
            self.forms.frames.last().map_or((NONE, NONE, false), |frame| (frame.undo, frame.pending, frame.is_format));
        match node.place {
            Place::Body if parent_pending != NONE => self.make_visible(parent_pending),
            Place::Outside if parent_undo != NONE => self.undo(parent_undo),
            _ => {}
        }
        let is_muted = node.place == Place::Annotation || kind.has(is::DROP_LOOSE);
        self.n_muted += u32::from(is_muted);
        let (strict_at, loose_at) = (len_u32(self.forms.strict.len()), len_u32(self.forms.loose.len()));
        let is_unit = kind.has(is::UNIT) && node.facts & (fact::BROKEN | fact::CHAINED) == 0;
        if kind.has(is::TEXT_WITH_PARTS) && self.is_in_joined_text() {
            kind.traits |= is::THROUGH;
        }
        if !kind.has(is::THROUGH) {
            let flags = if kind.has(is::CALL) { flag::CALL } else { 0 };
            self.push_both(Item { value: kind.value, binding: NONE, start: node.start, end: node.start, flags });
        }
        let mut undo = NONE;
        if let Some(scope) = kind.scope {
            undo = len_u32(self.forms.log.len());
            self.enter_scope(at, scope);
        }
        let is_format = is_in_format || kind.has(is::MACRO) && self.is_format_macro(at);
        self.forms.frames.push(Frame {
            at,
            next: node.next,
            kind,
            start: node.start,
            end: node.end,
            place: node.place,
            strict_at,
            loose_at,
            children_at: [0; 3],
            n_children: 0,
            prologue: len_u32(self.forms.strict.len()),
            undo,
            pending: len_u32(self.forms.pending.len()),
            n_units: len_u32(self.forms.units.len()),
            own: NONE,
            levels: 0,
            is_unit,
            is_muted,
            is_format,
        });
    }

    fn is_format_macro(&self, at: u32) -> bool {
        self.nodes
            .get(at as usize + 1)
            .is_some_and(|child| child.name != NONE && self.grammar.is_format_macro(self.names.hash(child.name)))
    }

    fn enter_scope(&mut self, at: u32, kind: Scope) {
        while self.scopes.rows.get(self.n_scopes as usize).is_some_and(|row| row.node < at) {
            self.n_scopes += 1;
        }
        self.scope = self.n_scopes;
        self.n_functions += u32::from(matches!(kind, Scope::Function | Scope::Lambda));
        let mut entry = self.scopes.rows.get(self.scope as usize).map_or(NONE, |row| row.first);
        while let Some(&hoisted) = self.scopes.hoisted.get(entry as usize) {
            self.show(hoisted.binding);
            entry = hoisted.next;
        }
    }

    /// Makes a binding visible until the scope ends.
    fn show(&mut self, binding: u32) {
        let name = self.scopes.bindings[binding as usize].name;
        let before = std::mem::replace(&mut self.forms.visible[name as usize], binding);
        self.forms.log.push((name, before));
    }

    fn make_visible(&mut self, from: u32) {
        for at in from as usize..self.forms.pending.len() {
            self.show(self.forms.pending[at]);
        }
        self.forms.pending.truncate(from as usize);
    }

    fn undo(&mut self, to: u32) {
        while self.forms.log.len() > to as usize {
            if let Some((name, before)) = self.forms.log.pop() {
                self.forms.visible[name as usize] = before;
            }
        }
    }

    fn close(&mut self) {
        let Some(frame) = self.forms.frames.pop() else { return };
        if !frame.kind.has(is::PATTERN) {
            self.make_visible(frame.pending.min(len_u32(self.forms.pending.len())));
        }
        if frame.undo != NONE {
            self.undo(frame.undo);
            self.n_functions -= u32::from(matches!(frame.kind.scope, Some(Scope::Function | Scope::Lambda)));
            self.scope = self.scopes.rows.get(self.scope as usize).map_or(NONE, |row| row.parent);
        }
        let has_no_units = frame.n_units == len_u32(self.forms.units.len());
        let mut loose_value = frame.kind.value;
        if self.n_muted == 0 && has_no_units && frame.n_children == 3 {
            let Forms { loose, scratch, .. } = &mut *self.forms;
            loose_value =
                operands::arrange(loose, scratch, self.grammar, frame.kind, frame.loose_at, frame.children_at);
        }
        if frame.kind.has(is::ATTRIBUTE) {
            self.sort_set(frame.strict_at);
        }
        if !frame.kind.has(is::THROUGH) {
            let is_empty = len_u32(self.forms.strict.len()) == frame.strict_at + 1;
            let is_loosely_empty = len_u32(self.forms.loose.len()) == frame.loose_at + 1;
            let may_vanish = frame.kind.has(is::OMIT_EMPTY);
            let item =
                Item { value: frame.kind.value, binding: NONE, start: frame.end, end: frame.end, flags: flag::CLOSE };
            if may_vanish && is_empty {
                self.forms.strict.pop();
            } else {
                self.push_strict(item);
            }
            if self.n_muted == 0 {
                if may_vanish && is_loosely_empty {
                    self.forms.loose.pop();
                } else {
                    self.push_loose(Item { value: loose_value, ..item });
                }
            }
        }
        self.n_muted -= u32::from(frame.is_muted);
        let levels = frame.levels + u16::from(frame.is_unit);
        if frame.is_unit && levels <= UNIT_LEVELS_MAX {
            let kind = match frame.kind.traits {
                traits if traits & (is::DEFINITION | is::DECORATED) != 0 => super::UnitKind::Definition,
                traits if traits & is::STATEMENT != 0 => super::UnitKind::Statement,
                _ => super::UnitKind::Block,
            };
            let loose_end = len_u32(self.forms.loose.len());
            // In the loose form, nothing tells a decorated definition from the definition in it.
            let loose_start = if frame.kind.has(is::DECORATED) { loose_end } else { frame.loose_at };
            self.forms.units.push(UnitRange {
                kind,
                start: frame.start,
                end: frame.end,
                own: frame.own,
                has_generics: frame.kind.scope == Some(Scope::Class),
                is_decorated: frame.kind.has(is::DECORATED),
                strict: (frame.strict_at, len_u32(self.forms.strict.len())),
                loose: (loose_start, loose_end),
            });
        }
        let strict_len = len_u32(self.forms.strict.len());
        if let Some(parent) = self.forms.frames.last_mut() {
            parent.levels = parent.levels.max(levels.min(UNIT_LEVELS_MAX + 1));
            if frame.kind.has(is::IMPORT) && parent.prologue == frame.strict_at {
                parent.prologue = strict_len;
            }
        }
    }

    /// Sorts the arguments of the attribute whose arguments are a set.
    fn sort_set(&mut self, strict_at: u32) {
        let items = &mut self.forms.strict[strict_at as usize..];
        let Some(set) = self.grammar.set_attribute else { return };
        if let [_, name, _, arguments @ .., _] = items
            && name.value == set
        {
            arguments.sort_unstable_by_key(|item| item.value);
        }
    }

    fn leaf(&mut self, node: Node, kind: Kind) {
        let is_muted = node.place == Place::Annotation || kind.has(is::DROP_LOOSE);
        self.n_muted += u32::from(is_muted);
        if kind.has(is::NAME | is::MEMBER | is::SHORTHAND) {
            self.name_leaf(node, kind);
        } else if kind.has(is::NUMBER | is::TEXT | is::CHARACTER | is::TEXT_WITH_PARTS | is::TEXT_PART) {
            self.literal_leaf(node, kind);
        } else {
            let value =
                if node.name == NONE { kind.value } else { fold(kind.value ^ self.names.hash(node.name), FACTOR) };
            let flags = if kind.has(is::RECEIVER) { flag::RECEIVER } else { 0 };
            self.push_both(Item { value, binding: NONE, start: node.start, end: node.end, flags });
        }
        self.n_muted -= u32::from(is_muted);
    }

    fn name_leaf(&mut self, node: Node, kind: Kind) {
        let place = match node.place {
            // The word is two names; which place the second takes, the node around knows.
            Place::Shorthand if !kind.has(is::MEMBER) => {
                self.forms.frames.last().map_or(Place::Use, |frame| frame.place)
            }
            place => place,
        };
        if kind.has(is::SHORTHAND) || node.place == Place::Shorthand && !kind.has(is::MEMBER) {
            let around = kind.others[0];
            let mark = Item { value: around, binding: NONE, start: node.start, end: node.start, flags: 0 };
            if around != 0 {
                self.push_both(mark);
            }
            self.member(node);
            self.variable(node, place);
            if around != 0 {
                self.push_both(Item { flags: flag::CLOSE, ..mark });
            }
            return;
        }
        let is_member = kind.has(is::MEMBER) || matches!(place, Place::Member | Place::OwnMember) || self.follows_dot();
        match place {
            Place::Key => self.kept(node),
            Place::Label | Place::Lifetime => self.label(node, place),
            Place::OwnName | Place::OwnMember => {
                self.name_unit(node.binding);
                if is_member { self.member(node) } else { self.variable(node, place) }
            }
            _ if is_member => self.member(node),
            _ => self.variable(node, place),
        }
    }

    /// Tells whether the name that comes is a member's, in tokens that the parser did not understand.
    fn follows_dot(&self) -> bool {
        let is_in_tokens = self.forms.frames.last().is_some_and(|frame| frame.kind.has(is::TOKENS));
        is_in_tokens && self.forms.strict.last().is_some_and(|item| item.value == self.grammar.dot)
    }

    /// Tells the innermost unit, and what decorates it, what it defines.
    fn name_unit(&mut self, binding: u32) {
        let mut units = self.forms.frames.iter_mut().rev().skip_while(|frame| !frame.is_unit);
        if let Some(unit) = units.next().filter(|unit| unit.own == NONE && unit.kind.has(is::DEFINITION)) {
            unit.own = binding;
            if let Some(decorated) = units.next().filter(|frame| frame.kind.has(is::DECORATED)) {
                decorated.own = binding;
            }
        }
    }

    fn kept(&mut self, node: Node) {
        let value = self.names.hash(node.name);
        self.push_both(Item { value, binding: NONE, start: node.start, end: node.end, flags: 0 });
    }

    fn label(&mut self, node: Node, place: Place) {
        let bytes = &self.text[node.start as usize..node.end as usize];
        if place == Place::Lifetime && (bytes == b"static" || bytes == b"_") {
            return self.kept(node);
        }
        let key = u64::from(place as u8) << 32 | u64::from(node.name);
        let known = self.scopes.members.get(&key).copied();
        let binding = known.unwrap_or_else(|| {
            let binding = self.scopes.add(node.name, Level::Local, NONE);
            self.scopes.members.insert(key, binding);
            binding
        });
        self.push_both(Item { value: 0, binding, start: node.start, end: node.end, flags: 0 });
    }

    fn member(&mut self, node: Node) {
        let value = self.names.hash(node.name);
        let (mut known, strict) = (self.scopes.members.get(&u64::from(node.name)).copied(), &self.forms.strict);
        let object = match strict.last() {
            Some(last) if last.value == self.grammar.dot => strict.len().checked_sub(2).and_then(|at| strict.get(at)),
            last => last,
        };
        if known.is_none() && object.is_some_and(|item| item.flags & flag::RECEIVER != 0) {
            let key = u64::from(u8::MAX) << 32 | u64::from(node.name);
            known = Some(self.scopes.members.get(&key).copied().unwrap_or_else(|| {
                let binding = self.scopes.add(node.name, Level::Item, NONE);
                self.scopes.members.insert(key, binding);
                binding
            }));
        }
        let item = Item { value, binding: NONE, start: node.start, end: node.end, flags: 0 };
        match known {
            Some(binding) => {
                // A method that calls its namesake, as in `super().close()`, does so by name: without its class, it would be the same.
                let is_own = matches!(node.place, Place::OwnName | Place::OwnMember);
                self.push_strict(if is_own { Item { binding, flags: flag::OWN_ONLY, ..item } } else { item });
                self.push_loose(Item { value: 0, binding, ..item });
            }
            None => self.push_both(item),
        }
    }

    fn variable(&mut self, node: Node, place: Place) {
        let declares = matches!(
            place,
            Place::Declare
                | Place::DeclareNow
                | Place::DeclareForBody
                | Place::DeclareInFunction
                | Place::Parameter
                | Place::Generic
                | Place::MacroVariable
        );
        let binding = if node.binding != NONE {
            node.binding
        } else if declares && self.grammar.visibility != Visibility::Hoisted {
            self.declare(node.name, place)
        } else {
            self.resolve(node.name)
        };
        self.push_name(node.name, binding, place, (node.start, node.end));
    }

    /// Writes an occurrence of a name that is this binding.
    pub(super) fn push_name(&mut self, name: u32, binding: u32, place: Place, (start, end): (u32, u32)) {
        let mut binding = binding;
        let spelled = self.names.hash(name);
        let item = Item { value: 0, binding: NONE, start, end, flags: 0 };
        let Some(mut row) = self.scopes.bindings.get(binding as usize).copied() else {
            let is_receiver = end - start <= 8
                && self.grammar.receivers.iter().any(|it| it.as_bytes() == &self.text[start as usize..end as usize]);
            let flags = if is_receiver { flag::RECEIVER } else { 0 };
            return self.push_both(Item { value: self.grammar.resolve_alias(spelled), flags, ..item });
        };
        if row.is_method && place != Place::OwnName {
            // Not visible as a plain name, whether or not the class is there.
            return self.push_both(Item { value: self.grammar.resolve_alias(spelled), ..item });
        }
        if row.alias_of != NONE {
            binding = row.alias_of;
            row = self.scopes.bindings[binding as usize];
        }
        let flags = if row.is_receiver { flag::RECEIVER } else { 0 };
        let bound = Item { binding, flags, ..item };
        match row.level {
            Level::Import(meant) => self.push_both(Item { value: self.names.hash(meant), ..item }),
            Level::Local => self.push_both(bound),
            Level::Generic => self.push_both(Item { value: spelled, flags: flags | flag::GENERIC, ..bound }),
            Level::FileVariable if self.n_functions == 0 => self.push_both(bound),
            Level::FileVariable | Level::Item => {
                self.push_strict(Item { value: spelled, flags: flags | flag::OWN_ONLY, ..bound });
                self.push_loose(bound);
            }
        }
    }

    /// Declares a name where it stands, and returns its binding.
    fn declare(&mut self, name: u32, place: Place) -> u32 {
        let before = self.resolve(name);
        let is_again = self.grammar.visibility == Visibility::Sequential
            && self.scopes.bindings.get(before as usize).is_some_and(|known| known.scope == self.scope);
        if is_again {
            return before;
        }
        let is_file = self.scopes.rows.get(self.scope as usize).is_some_and(|row| row.kind == Scope::Module);
        let is_class = self.scopes.rows.get(self.scope as usize).is_some_and(|row| row.kind == Scope::Class);
        let level = match place {
            Place::Generic if is_class => Level::Generic,
            _ if is_file && place != Place::Generic => Level::FileVariable,
            _ => Level::Local,
        };
        let binding = self.scopes.add(name, level, self.scope);
        if matches!(place, Place::Declare | Place::DeclareForBody) {
            self.forms.pending.push(binding);
        } else {
            self.show(binding);
        }
        binding
    }

    pub(super) fn resolve(&self, name: u32) -> u32 {
        self.forms.visible.get(name as usize).copied().unwrap_or(NONE)
    }

    pub(super) fn push_both(&mut self, item: Item) {
        self.push_strict(item);
        self.push_loose(item);
    }

    pub(super) fn push_strict(&mut self, item: Item) {
        self.runs[0] = 0;
        self.forms.strict.push(item);
    }

    pub(super) fn push_loose(&mut self, item: Item) {
        if self.n_muted == 0 {
            self.runs[1] = 0;
            self.forms.loose.push(item);
        }
    }
}
