//! Operators in the loose form: operands in a fixed order, assignments that compute written out.

use super::compiled::{Compiled, Kind, Operands, is};
use super::items::{Item, flag};
use super::names::{FACTOR, len_u32};
use super::scopes::NONE;
use crate::normalise::fold;

/// Longest operation that is rearranged, in items: operations nest, so each item may be moved once per level.
const OPERATION_ITEMS_MAX: u32 = 256;

/// Rearranges the operation that ends the loose form: `open` is its first item, at `children` begin left side, operator and right side.
/// Returns the value of the item that is to close it.
pub(super) fn arrange(
    loose: &mut Vec<Item>,
    scratch: &mut Vec<Item>,
    grammar: &Compiled,
    kind: Kind,
    open: u32,
    children: [u32; 3],
) -> u64 {
    let end = len_u32(loose.len());
    let [left, operator, right] = children;
    if right != operator + 1 || end - open > OPERATION_ITEMS_MAX || left == operator || right == end {
        return kind.value;
    }
    if kind.has(is::BINARY) {
        sort(loose, scratch, grammar, left, operator);
    } else if let Some(plain) = grammar.plain_operator(loose[operator as usize].value) {
        write_out(loose, scratch, grammar, kind, open, children, plain);
        return kind.others[0];
    }
    kind.value
}

/// Makes `x += y` to `x = x + y`.
fn write_out(
    loose: &mut Vec<Item>,
    scratch: &mut Vec<Item>,
    grammar: &Compiled,
    kind: Kind,
    open: u32,
    [left, operator, right]: [u32; 3],
    plain: u64,
) {
    loose[open as usize].value = kind.others[0];
    let at = loose[operator as usize];
    let mark = |value, flags| Item { value, binding: NONE, start: at.start, end: at.end, flags };
    scratch.clear();
    scratch.push(mark(grammar.assign, 0));
    scratch.push(mark(kind.others[1], 0));
    scratch.extend_from_slice(&loose[left as usize..operator as usize]);
    scratch.push(mark(plain, 0));
    scratch.extend_from_slice(&loose[right as usize..]);
    loose.truncate(operator as usize);
    loose.append(scratch);
    let inner = operator + 2;
    sort(loose, scratch, grammar, inner, inner + (operator - left));
    loose.push(mark(kind.others[1], flag::CLOSE));
}

/// Puts the operands that begin at `left` and after `operator`, up to the end, into the order of their shapes where that changes nothing.
fn sort(loose: &mut Vec<Item>, scratch: &mut Vec<Item>, grammar: &Compiled, left: u32, operator: u32) {
    let (left, operator) = (left as usize, operator as usize);
    let symbol = loose[operator];
    let (before, after) = (&loose[left..operator], &loose[operator + 1..]);
    let new_symbol = match grammar.operands(symbol.value) {
        Some(Operands::Turned(other)) => Item { value: other, ..symbol },
        Some(Operands::Sorted) if symbol.value == grammar.plus && has(before, after, flag::TEXT) => return,
        Some(Operands::SortedIfPure) if has(before, after, flag::CALL) => return,
        Some(Operands::Sorted | Operands::SortedIfPure) if shape(after) < shape(before) => symbol,
        _ => return,
    };
    scratch.clear();
    scratch.extend_from_slice(after);
    scratch.push(new_symbol);
    scratch.extend_from_slice(before);
    loose.truncate(left);
    loose.append(scratch);
}

fn has(before: &[Item], after: &[Item], flags: u8) -> bool {
    before.iter().chain(after).any(|item| item.flags & flags != 0)
}

/// Returns a hash of items that does not depend on what is bound.
fn shape(items: &[Item]) -> u64 {
    items.iter().fold(0, |state, item| {
        let value = if item.binding == NONE { item.value } else { 1 };
        fold(state ^ value ^ u64::from(item.flags & flag::CLOSE) << 7, FACTOR ^ 2)
    })
}
