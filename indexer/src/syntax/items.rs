//! What canonical forms are made of.

/// What an item is besides its value, as bits.
pub(super) mod flag {
    /// Ends what an item before opened; not counted as a token.
    pub(in crate::syntax) const CLOSE: u8 = 1;
    /// Is numbered in the unit that defines it alone; its value is that of its name.
    pub(in crate::syntax) const OWN_ONLY: u8 = 2;
    /// The object a method works on.
    pub(in crate::syntax) const RECEIVER: u8 = 4;
    /// A string.
    pub(in crate::syntax) const TEXT: u8 = 8;
    /// Opens something that may have effects.
    pub(in crate::syntax) const CALL: u8 = 16;
    /// A piece of a string with expressions in it.
    pub(in crate::syntax) const PART: u8 = 32;
    /// Is numbered where a unit holds the generics of an implementation; its value is that of its name.
    pub(in crate::syntax) const GENERIC: u8 = 64;
}

/// An item of a canonical form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) value: u64,
    pub(super) binding: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) flags: u8,
}

/// A unit as ranges of items.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnitRange {
    pub(super) kind: super::UnitKind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// What it defines.
    pub(super) own: u32,
    /// Whether generics of an implementation are declared in it.
    pub(super) has_generics: bool,
    /// Whether it is a definition with its decorators.
    pub(super) is_decorated: bool,
    pub(super) strict: (u32, u32),
    pub(super) loose: (u32, u32),
}
