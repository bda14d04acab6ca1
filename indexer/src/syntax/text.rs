//! Literals in canonical forms: strings, numbers, strings with expressions in them.

use super::compiled::{Kind, is};
use super::emit::Emitter;
use super::items::{Item, flag};
use super::literal::{self, Class, Quoting};
use super::names::{FACTOR, len_u32};
use super::scopes::NONE;
use super::tree::{Node, fact};
use crate::language::grammar::Place;
use crate::normalise::fold;

/// Literals in a row that stand for themselves; those after them are one item. Tables of data are no evidence of copied code, however long.
const RUN_KEPT: u32 = 8;

/// Longest piece of a string that the next piece is joined to, in bytes: each joining hashes the piece anew.
const PART_BYTES_MAX: usize = 4096;

/// A string without a prefix.
const PLAIN: Quoting = Quoting { is_raw: false, is_bytes: false };

impl<'a> Emitter<'a> {
    /// Tells whether a node is a string, or several, without an expression in it.
    pub(super) fn is_plain_text(node: Node, kind: Kind) -> bool {
        kind.has(is::TEXT_WITH_PARTS | is::JOINED_TEXT) && node.facts & (fact::HAS_PARTS | fact::BROKEN) == 0
    }

    pub(super) fn joined_text(&mut self, at: u32, node: Node) {
        let mut characters = std::mem::take(&mut self.forms.characters);
        characters.clear();
        let mut quoting = PLAIN;
        if self.grammar.kind(node.kind).has(is::JOINED_TEXT) {
            let mut child_at = at + 1;
            while child_at < node.next {
                let child = self.nodes[child_at as usize];
                if self.grammar.kind(child.kind).has(is::TEXT | is::TEXT_WITH_PARTS) {
                    quoting = literal::read_string(self.bytes(child), &mut characters);
                }
                child_at = child.next;
            }
        } else {
            quoting = literal::read_string(self.bytes(node), &mut characters);
        }
        if self.is_in_joined_text() {
            self.push_part(node, &characters);
        } else {
            let (class, value) = literal::text_value(self.key, &characters, quoting);
            self.push_literal(node, value, class);
        }
        self.forms.characters = characters;
    }

    /// Tells whether what comes is a string in a row of strings with expressions in them.
    pub(super) fn is_in_joined_text(&self) -> bool {
        self.forms.frames.last().is_some_and(|frame| frame.kind.has(is::JOINED_TEXT))
    }

    /// Writes a piece of a string with expressions in it; what follows another piece is part of that.
    fn push_part(&mut self, node: Node, characters: &[u8]) {
        let follows = self.forms.strict.last().is_some_and(|item| item.flags & flag::PART != 0);
        if follows && self.part.len() < PART_BYTES_MAX {
            self.forms.strict.pop();
            if self.n_muted == 0 {
                self.forms.loose.pop();
            }
        } else {
            self.part.clear();
        }
        self.part.extend_from_slice(characters);
        let (class, value) = literal::text_value(self.key, &self.part, PLAIN);
        let item = Item { value, binding: NONE, start: node.start, end: node.end, flags: flag::TEXT | flag::PART };
        self.push_strict(item);
        self.push_loose(Item { value: class.value(self.key), ..item });
    }

    fn bytes(&self, node: Node) -> &'a [u8] {
        &self.text[node.start as usize..node.end as usize]
    }

    pub(super) fn literal_leaf(&mut self, node: Node, kind: Kind) {
        let bytes = self.bytes(node);
        if kind.has(is::NUMBER) {
            let (class, value) = literal::number(self.key, bytes);
            return self.push_literal(node, value, class);
        }
        let mut characters = std::mem::take(&mut self.forms.characters);
        characters.clear();
        let is_format = self.forms.frames.last().is_some_and(|frame| frame.is_format);
        if kind.has(is::TEXT_PART) {
            let is_raw = self.forms.frames.last().is_some_and(|frame| {
                let string = &self.text[frame.start as usize..frame.end as usize];
                let n_prefix = string.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                literal::quoting_of(&string[..n_prefix]).is_raw
            });
            literal::read_characters(bytes, is_raw, &mut characters);
            self.push_part(node, &characters);
            self.forms.characters = characters;
            return;
        }
        let quoting = literal::read_string(bytes, &mut characters);
        if is_format && kind.has(is::TEXT) {
            self.format_text(node, &characters);
        } else {
            let (mut class, mut value) = literal::text_value(self.key, &characters, quoting);
            if kind.has(is::CHARACTER) {
                class = Class::Character;
                value = fold(value ^ Class::Character.value(self.key), FACTOR);
            }
            self.push_literal(node, value, class);
        }
        self.forms.characters = characters;
    }

    /// Writes a string of a formatting macro: its characters without the names in braces, then what those names are.
    fn format_text(&mut self, node: Node, characters: &[u8]) {
        let bytes = self.bytes(node);
        let mut kept = Vec::with_capacity(characters.len());
        let mut captures = Vec::new();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            kept.push(byte);
            at += 1;
            if byte != b'{' {
                continue;
            }
            if bytes.get(at) == Some(&b'{') {
                kept.push(b'{');
                at += 1;
                continue;
            }
            let rest = &bytes[at..];
            let n_name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let is_name = rest.first().is_some_and(|byte| !byte.is_ascii_digit())
                && n_name > 0
                && matches!(rest.get(n_name), Some(b'}' | b':'));
            if is_name {
                let start = node.start + len_u32(at);
                captures.push((start, start + len_u32(n_name)));
                at += n_name;
            }
        }
        let plain = if captures.is_empty() { characters } else { &kept };
        let (class, value) = literal::text_value(self.key, plain, PLAIN);
        self.push_literal(node, value, class);
        for (start, end) in captures {
            let name = self.names.intern(self.text, start, end);
            self.forms.visible.resize(self.names.len(), NONE);
            let binding = self.resolve(name);
            self.push_name(name, binding, Place::Use, (start, end));
        }
    }

    fn push_literal(&mut self, node: Node, value: u64, class: Class) {
        let is_text = matches!(class, Class::EmptyText | Class::Text | Class::Bytes | Class::Character);
        let flags = if is_text { flag::TEXT } else { 0 };
        let item = Item { value, binding: NONE, start: node.start, end: node.end, flags };
        self.runs[0] += 1;
        push_run(&mut self.forms.strict, item, self.runs[0]);
        if self.n_muted == 0 {
            self.runs[1] += 1;
            push_run(&mut self.forms.loose, Item { value: class.value(self.key), ..item }, self.runs[1]);
        }
    }
}

/// Adds the `n`-th literal of a row, to the last item where the row is long.
fn push_run(items: &mut Vec<Item>, item: Item, n: u32) {
    match items.last_mut() {
        Some(last) if n > RUN_KEPT => {
            last.value = fold(last.value ^ item.value.rotate_left(1), FACTOR);
            last.end = item.end;
            last.flags |= item.flags;
        }
        _ => items.push(item),
    }
}
