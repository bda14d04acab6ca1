//! Items of a unit to its tokens and its hash: names numbered by their first occurrence in the unit.

use super::items::{Item, UnitRange, flag};
use super::names::FACTOR;
use super::scopes::NONE;
use crate::normalise::{fold, mix};

/// Numbers of bindings in the unit that is being looked at. A buffer for the next unit.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// By binding: the unit in which it was seen last, and its number there.
    rows: Vec<(u32, u32)>,
    unit: u32,
    n_numbers: u32,
}

impl Numbering {
    /// Forgets a text's units and makes room for the bindings of the next text.
    pub(super) fn start_text(&mut self, n_bindings: usize) {
        self.rows.clear();
        self.rows.resize(n_bindings, (0, 0));
        self.unit = 0;
    }

    /// Starts a unit.
    pub(super) fn start(&mut self) {
        self.unit += 1;
        self.n_numbers = 0;
    }

    /// Returns the number of a binding in this unit.
    #[inline]
    pub(super) fn number(&mut self, binding: u32) -> u32 {
        let row = &mut self.rows[binding as usize];
        if row.0 != self.unit {
            *row = (self.unit, self.n_numbers);
            self.n_numbers += 1;
        }
        row.1
    }
}

/// Tells whether an item is numbered in this unit.
#[inline]
pub(super) fn is_numbered(item: &Item, unit: &UnitRange) -> bool {
    item.binding != NONE
        && (item.flags & (flag::OWN_ONLY | flag::GENERIC) == 0
            || item.flags & flag::OWN_ONLY != 0 && item.binding == unit.own
            || item.flags & flag::GENERIC != 0 && unit.has_generics)
}

/// Returns the token that an item is in this unit; the unit was started.
#[inline]
pub(super) fn token(item: &Item, unit: &UnitRange, key: u64, numbering: &mut Numbering) -> u64 {
    if is_numbered(item, unit) {
        fold(key ^ u64::from(numbering.number(item.binding) + 1), FACTOR)
    } else if item.flags & flag::CLOSE != 0 {
        !item.value
    } else {
        item.value
    }
}

/// Returns a unit's hash and number of tokens. 4 cycles an item: the products depend on each other.
pub(super) fn digest(items: &[Item], unit: &UnitRange, key: u64, numbering: &mut Numbering) -> (u64, u32) {
    numbering.start();
    let mut n_tokens = 0;
    let state = items.iter().fold(key, |state, item| {
        n_tokens += u32::from(item.flags & flag::CLOSE == 0);
        fold(state ^ token(item, unit, key, numbering), FACTOR | 1)
    });
    (mix(state ^ u64::from(n_tokens)), n_tokens)
}
