//! Who a name is: the bindings of a text and the scopes in which they are visible.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::names::FACTOR;
use crate::language::grammar::Scope;
use crate::normalise::fold;

/// No binding.
pub(super) const NONE: u32 = u32::MAX;

/// How a binding is treated by the strict form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Of a function or a block: numbered.
    Local,
    /// A variable of the file: numbered where it is used outside of functions, kept in them, which may be copied without it.
    FileVariable,
    /// A parameter of an implementation: numbered in it, kept in its functions, which may be copied without it.
    Generic,
    /// What a file or a class defines: kept but in its own definition.
    Item,
    /// Another name for something imported: that something's name, whose number this is.
    Import(u32),
}

/// Something that has a name in this text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    pub(super) name: u32,
    pub(super) level: Level,
    pub(super) scope: u32,
    pub(super) n_declared: u32,
    pub(super) is_parameter: bool,
    /// Is the object that a method works on.
    pub(super) is_receiver: bool,
    /// Is a function whose first parameter is the object it works on: no name of it is visible without that object.
    pub(super) is_method: bool,
    /// The parameter that it is but another name of.
    pub(super) alias_of: u32,
}

/// A scope: a node and what is declared in it beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScopeRow {
    pub(super) node: u32,
    pub(super) kind: Scope,
    pub(super) parent: u32,
    /// First of a list in [`Scopes::hoisted`].
    pub(super) first: u32,
    /// Whether the definition that opened it has told its name yet.
    pub(super) is_named: bool,
    pub(super) has_parameter: bool,
    /// What the definition that opened it defines.
    pub(super) own: u32,
}

/// One entry of a scope's list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hoisted {
    pub(super) binding: u32,
    pub(super) next: u32,
}

/// A hasher for pairs of numbers that no stranger chooses.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, pair: u64) {
        self.0 = fold(self.0 ^ pair ^ FACTOR, FACTOR);
    }
}

/// The bindings and scopes of a text. A buffer for the next text.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    pub(super) bindings: Vec<Binding>,
    pub(super) rows: Vec<ScopeRow>,
    pub(super) hoisted: Vec<Hoisted>,
    /// Scope and name to binding; for names that the scope says are others', to none.
    declared: HashMap<u64, u32, BuildHasherDefault<PairHasher>>,
    /// Name to the member of that name; none for names of no member.
    pub(super) members: HashMap<u64, u32, BuildHasherDefault<PairHasher>>,
}

impl Scopes {
    pub(super) fn clear(&mut self) {
        self.bindings.clear();
        self.rows.clear();
        self.hoisted.clear();
        self.declared.clear();
        self.members.clear();
    }

    /// Makes a binding that no list holds.
    pub(super) fn add(&mut self, name: u32, level: Level, scope: u32) -> u32 {
        let binding = super::names::len_u32(self.bindings.len());
        self.bindings.push(Binding {
            name,
            level,
            scope,
            n_declared: 1,
            is_parameter: false,
            is_receiver: false,
            is_method: false,
            alias_of: NONE,
        });
        binding
    }

    pub(super) fn open(&mut self, node: u32, kind: Scope, parent: u32) -> u32 {
        let scope = super::names::len_u32(self.rows.len());
        self.rows.push(ScopeRow { node, kind, parent, first: NONE, is_named: false, has_parameter: false, own: NONE });
        scope
    }

    /// Returns the scope in which a definition that opened `scope` declares its own name.
    pub(super) fn around_definition(&mut self, scope: u32) -> u32 {
        let row = &mut self.rows[scope as usize];
        let is_own = matches!(row.kind, Scope::Function | Scope::Class | Scope::Item | Scope::Module);
        if is_own && !row.is_named && row.parent != NONE {
            row.is_named = true;
            return row.parent;
        }
        scope
    }

    /// Returns the scope of the function around.
    pub(super) fn function_around(&self, scope: u32) -> u32 {
        let mut scope = scope;
        loop {
            let row = &self.rows[scope as usize];
            if row.parent == NONE || !matches!(row.kind, Scope::Block | Scope::Item) {
                return scope;
            }
            scope = row.parent;
        }
    }

    /// Declares a name in a scope for all of the scope, and returns its binding: the one it has there already, or a new one.
    pub(super) fn declare(&mut self, scope: u32, name: u32, is_definition: bool) -> u32 {
        let row = self.rows[scope as usize];
        if row.kind == Scope::Class {
            return self.declare_member(name);
        }
        let key = u64::from(scope) << 32 | u64::from(name);
        if let Some(&known) = self.declared.get(&key) {
            if let Some(binding) = self.bindings.get_mut(known as usize) {
                binding.n_declared += 1;
            }
            return known;
        }
        let level = match (row.kind, is_definition) {
            (Scope::Module, true) => Level::Item,
            (Scope::Module, false) => Level::FileVariable,
            _ => Level::Local,
        };
        let binding = self.add(name, level, scope);
        self.declared.insert(key, binding);
        self.enlist(scope, binding);
        binding
    }

    fn enlist(&mut self, scope: u32, binding: u32) {
        let row = &mut self.rows[scope as usize];
        self.hoisted.push(Hoisted { binding, next: row.first });
        row.first = super::names::len_u32(self.hoisted.len() - 1);
    }

    /// Declares that a name in this scope is one from outside.
    pub(super) fn declare_outer(&mut self, scope: u32, name: u32) {
        self.declared.entry(u64::from(scope) << 32 | u64::from(name)).or_insert(NONE);
    }

    /// Declares another name for something imported.
    pub(super) fn declare_alias(&mut self, scope: u32, name: u32, meant: u32) {
        let binding = self.declare(scope, name, false);
        if let Some(binding) = self.bindings.get_mut(binding as usize) {
            binding.level = Level::Import(meant);
        }
    }

    /// Returns the binding of the members of this name, made where there is none yet.
    pub(super) fn declare_member(&mut self, name: u32) -> u32 {
        if let Some(&known) = self.members.get(&u64::from(name)) {
            return known;
        }
        let binding = self.add(name, Level::Item, NONE);
        self.members.insert(u64::from(name), binding);
        binding
    }
}
