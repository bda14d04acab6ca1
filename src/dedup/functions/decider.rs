//! Which definitions are cut: rows from the best to the worst, each compared with what stayed of those before it.
//!
//! A definition goes if N places of its kind stay already, and names the first of them. What is in it goes with it and counts for nothing. What is
//! in one that stays, and of which there are others, stays with it: the place that a cut names is whole.
//!
//! ```text
//! N = 1     a: class A { f, g }     b: class A { f, g }  -> cut for a     c: f  -> cut for f in a     d: class B { f, h }  -> class B { h }
//! ```
//!
//! What cannot go counts all the same: a part of an expression, and a function within a function that stays.
//!
//! A block of Python must hold a statement: where all of it would go, the last definition stays and counts.
//!
//! Memory: 80 bytes for every definition of which there is more than one.

use std::collections::HashMap;

use copytrace_indexer::{Error, Result};
use zerocopy::little_endian::U32;

use super::super::cuts::Cut;
use super::places::{Place, flag};

/// What a kept definition takes in memory, in bytes: its entry, and what a hash table leaves free.
const KEPT_BYTES: usize = 80;

/// A definition that stays.
#[derive(Debug, Clone, Copy)]
struct Kept {
    row: u32,
    start: U32,
    n_places: u32,
}

/// Decides row by row.
pub(super) struct Decider {
    /// So many places stay.
    keep: u32,
    /// By proof and value of `keep_per`.
    kept: HashMap<([u8; 16], u64), Kept>,
    n_kept_max: usize,
}

/// What became of a row, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RowCuts {
    pub(super) cuts: Vec<Cut>,
    /// What would go did the row not stay as it is.
    pub(super) reported: Vec<Cut>,
}

impl Decider {
    /// Starts with no row; what is kept takes at most `memory_bytes`.
    pub(super) fn new(keep: u32, memory_bytes: usize) -> Self {
        Self { keep, kept: HashMap::new(), n_kept_max: memory_bytes / KEPT_BYTES }
    }

    /// Decides about the next row, whose places are given by their starts, the longest of one start first; `group` is its value of `keep_per`.
    ///
    /// # Errors
    /// [`Error::Argument`] where what stays needs more memory.
    pub(super) fn decide(&mut self, row: u32, group: u64, is_fixed: bool, places: &[Place]) -> Result<RowCuts> {
        let mut found = RowCuts::default();
        // Ends of what was cut, reported, and stays whole.
        let (mut gone_until, mut reported_until, mut whole_until) = (0, 0, 0);
        let mut block = Block::default();
        for place in places {
            let (start, end) = (place.start.get(), place.end.get());
            if start < gone_until {
                continue;
            }
            let first = Kept { row, start: place.start, n_places: 0 };
            let kept = self.kept.entry((place.proof, group)).or_insert(first);
            let has_flag = |flag| place.flags.get() & flag != 0;
            if kept.n_places >= self.keep && has_flag(flag::CAN_GO) {
                let cut = Cut {
                    row: U32::new(row),
                    start: place.cut_start,
                    end: place.cut_end,
                    kept_row: U32::new(kept.row),
                    kept_start: kept.start,
                };
                if is_fixed && start >= reported_until {
                    found.reported.push(cut);
                    reported_until = end;
                } else if !is_fixed && start >= whole_until && block.take(place) {
                    found.cuts.push(cut);
                    gone_until = end;
                    continue;
                }
            }
            kept.n_places = kept.n_places.saturating_add(1);
            whole_until = whole_until.max(end);
        }
        if self.kept.len() > self.n_kept_max {
            let needed = (self.kept.len() * KEPT_BYTES) >> 20;
            let expected = format!("more than {needed} MiB for the definitions that repeat");
            let found = format!("{} MiB for them", (self.n_kept_max * KEPT_BYTES) >> 20);
            return Err(Error::Argument { name: "memory", expected, found });
        }
        Ok(found)
    }
}

/// The block of Python that is looked at.
#[derive(Debug, Default)]
struct Block {
    /// Whether all of it went so far.
    is_empty: bool,
    cut_end: u32,
}

impl Block {
    /// Takes a place out; `false` where nothing would be left of the block.
    fn take(&mut self, place: &Place) -> bool {
        let has_flag = |flag| place.flags.get() & flag != 0;
        let follows = self.is_empty && place.end_before.get() <= self.cut_end;
        let is_empty = has_flag(flag::IS_FIRST) || follows;
        self.is_empty = is_empty && !has_flag(flag::IS_LAST);
        self.cut_end = place.cut_end.get();
        !is_empty || self.is_empty
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A place of a definition of some kind, which can go unless `flags` say more.
    fn place(kind: u8, start: u32, end: u32) -> Place {
        let [start, end] = [start, end].map(U32::new);
        let flags = U32::new(flag::CAN_GO);
        Place { start, end, cut_start: start, cut_end: end, flags, proof: [kind; 16], ..Place::default() }
    }

    fn decide_all(keep: u32, rows: &[(bool, Vec<Place>)]) -> Vec<RowCuts> {
        let mut decider = Decider::new(keep, usize::MAX);
        (0..).zip(rows).map(|(row, (is_fixed, places))| decider.decide(row, 0, *is_fixed, places).unwrap()).collect()
    }

    /// Start, kept row and kept start of cuts.
    fn told(cuts: &[Cut]) -> Vec<(u32, u32, u32)> {
        cuts.iter().map(|cut| (cut.start.get(), cut.kept_row.get(), cut.kept_start.get())).collect()
    }

    #[test]
    fn what_is_within_a_cut_goes_with_it_and_what_is_within_a_kept_place_stays() {
        let class = |at: u32| vec![place(1, at, at + 50), place(2, at + 10, at + 20), place(3, at + 30, at + 40)];
        let rows = [
            (false, vec![place(2, 5, 15)]),
            (false, class(100)),
            (false, class(200)),
            (false, vec![place(3, 0, 10), place(2, 20, 30)]),
        ];
        let found = decide_all(1, &rows);
        let cuts: Vec<_> = found.iter().map(|row| told(&row.cuts)).collect();
        assert_eq!(cuts, [vec![], vec![], vec![(200, 1, 100)], vec![(0, 1, 130), (20, 0, 5)]]);
        assert!(decide_all(2, &rows[..3]).iter().all(|row| row.cuts.iter().all(|cut| cut.start.get() != 100)));
    }

    #[test]
    fn rows_that_stay_as_they_are_are_reported_whole() {
        let class = vec![place(1, 0, 50), place(2, 10, 20)];
        let found = decide_all(1, &[(true, class.clone()), (true, class.clone()), (false, class)]);
        assert_eq!((told(&found[1].reported), told(&found[1].cuts)), (vec![(0, 0, 0)], vec![]));
        assert_eq!((told(&found[2].reported), told(&found[2].cuts)), (vec![], vec![(0, 0, 0)]));
    }

    #[test]
    fn a_block_of_python_keeps_its_last_definition() {
        let with = |place: Place, flags: u32, end_before: u32| Place {
            flags: U32::new(flag::CAN_GO | flags),
            end_before: U32::new(end_before),
            ..place
        };
        let first = |n| with(place(n, 10, 20), flag::IS_FIRST, 9);
        let last = |n, end_before| with(place(n, 30, 40), flag::IS_LAST, end_before);
        let kinds = |n| (false, vec![place(n, 0, 1)]);
        for (row, expected) in [
            (vec![first(1), last(2, 19)], vec![10]),
            // A statement between.
            (vec![first(1), last(2, 28)], vec![10, 30]),
            (vec![first(3), last(2, 19)], vec![30]),
            (vec![with(place(1, 10, 20), flag::IS_FIRST | flag::IS_LAST, 9)], vec![]),
        ] {
            let found = decide_all(1, &[kinds(1), kinds(2), (false, row)]);
            assert_eq!(told(&found[2].cuts).iter().map(|cut| cut.0).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn too_little_memory_is_an_error_that_says_how_much() {
        let places: Vec<Place> = (0..9).map(|n| place(n, n.into(), n.into())).collect();
        let error = Decider::new(1, 8 * KEPT_BYTES).decide(0, 0, false, &places).unwrap_err();
        assert!(matches!(error, Error::Argument { name: "memory", .. }), "{error}");
    }

    /// Places of a row: definitions, some with others in them.
    fn row_of(parts: &[(u8, bool, Vec<u8>)]) -> Vec<Place> {
        let (mut places, mut at) = (Vec::new(), 0);
        for (kind, can_go, inner) in parts {
            let end = at + 10 + 10 * u32::try_from(inner.len()).unwrap();
            let flags = if *can_go { flag::CAN_GO } else { 0 };
            places.push(Place { flags: U32::new(flags), ..place(100 + kind, at, end) });
            places.extend((0..).zip(inner).map(|(n, &kind)| place(kind, at + 5 + 10 * n, at + 12 + 10 * n)));
            at = end + 5;
        }
        places
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn what_is_cut_is_what_the_rule_says(
            rows in prop::collection::vec(
                (any::<bool>(), prop::collection::vec((0..4_u8, prop::bool::weighted(0.8), prop::collection::vec(0..5_u8, 0..3)), 0..5)), 1..9),
            keep in 1..4_usize,
        ) {
            let rows: Vec<(bool, Vec<Place>)> = rows.iter().map(|(fixed, parts)| (*fixed, row_of(parts))).collect();
            let found = decide_all(u32::try_from(keep).unwrap(), &rows);
            // The rule, word for word: of every place whether it stays, with all that stay before it.
            let mut staying: Vec<(usize, Place)> = Vec::new();
            for (row, (is_fixed, places)) in rows.iter().enumerate() {
                let (mut cuts, mut reported, mut left): (Vec<Place>, Vec<Place>, Vec<Place>) = Default::default();
                let is_in = |place: &Place, others: &[Place]| {
                    others.iter().any(|other| {
                        other.start.get() <= place.start.get() && place.end.get() <= other.end.get()
                    })
                };
                for place in places {
                    if is_in(place, &cuts) {
                        continue;
                    }
                    let before: Vec<_> = staying.iter().filter(|(_, other)| other.proof == place.proof).collect();
                    let is_repeated = before.len() >= keep && place.flags.get() & flag::CAN_GO != 0;
                    if is_repeated && !is_fixed && !is_in(place, &left) {
                        let cut = found[row].cuts.get(cuts.len()).copied();
                        let (first_row, first) = before[0];
                        prop_assert_eq!(
                            cut.map(|cut| (cut.start, cut.kept_row.get() as usize, cut.kept_start)),
                            Some((place.start, *first_row, first.start))
                        );
                        cuts.push(*place);
                        continue;
                    }
                    if is_repeated && *is_fixed && !is_in(place, &reported) {
                        reported.push(*place);
                    }
                    left.push(*place);
                    staying.push((row, *place));
                }
                prop_assert_eq!(found[row].cuts.len(), cuts.len());
                prop_assert_eq!(found[row].reported.len(), reported.len());
            }
            // A place that a cut names stays, and all that is in it.
            for cut in found.iter().flat_map(|row| &row.cuts) {
                let kept = &found[cut.kept_row.get() as usize];
                let at = cut.kept_start.get();
                prop_assert!(!kept.cuts.iter().any(|other| other.start.get() <= at && at < other.end.get()));
            }
        }
    }
}
