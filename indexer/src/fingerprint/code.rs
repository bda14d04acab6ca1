//! Fingerprints of code that no consistent renaming changes: parameterised k-grams of lexemes, their anchors, their signature.
//!
//! # Idea
//!
//! A *parameterised* string replaces each name by the distance to its previous occurrence, or by nothing where there is none (Baker,
//! "A theory of parameterized pattern matching", STOC 1993). Two strings are equal in that form exactly if one becomes the other by a
//! one-to-one renaming. Here the form is taken *inside each k-gram*: a name counts as new where its previous occurrence lies before the
//! k-gram. So a k-gram's key depends on its own lexemes alone, not on where the fragment begins, and a statement that is inserted spoils
//! the k-grams that it cuts and no other. Literals become their class, everything else stays.
//!
//! ```text
//! total = total + item.price      and      acc = acc + row.cost      are both      0 = 2 + 0 . 0
//! ```
//!
//! All names are parameters, called functions and members too: a copy in which every name is new must still be met. Half of the k-grams of
//! 12 lexemes are nevertheless unique in 9.6 million lexemes of Python and Rust (docs/algorithms.md). They nominate, nothing more:
//! which names may differ is for verification to say.
//!
//! # Computation
//!
//! A rolling hash as for words (`grams.rs`), with one change: when the first lexeme of a k-gram leaves, the next occurrence of its name, if
//! it is in the k-gram, becomes the first one. Its code is exchanged in place. So each lexeme costs a constant number of steps.
//!
//! # Anchors
//!
//! Winnowing as for words (`anchors.rs`). The order asks for small hashes at the ends or in the middle of a k-gram; those are here the keys of
//! parameterised 4-grams, because single names have no hash that a renaming leaves alone.

use super::anchors::Sampler;
use crate::lexemes::{LexemeKind, Lexemes};
use crate::normalise::{derive_key, mix};

/// Upper bound of k: distances fit the table of codes.
const GRAM_LEXEMES_MAX: usize = 32;

/// Lexemes of the short grams that order the long ones: enough that few of a window are equal.
const ORDER_LEXEMES: usize = 4;

/// Computes parameterised k-grams; prepared from the seed.
#[derive(Debug, Clone)]
pub(super) struct CodeGrams {
    k: usize,
    sampler: Sampler,
    /// What a name is, by the distance to its previous occurrence; 0 for none.
    names: [u64; GRAM_LEXEMES_MAX],
    number: u64,
    text: u64,
}

/// Lexemes with their renaming taken out, and the keys made of them. Reused from text to text.
#[derive(Debug, Clone, Default)]
pub struct CodeScratch {
    /// What each lexeme is where it is not a name.
    codes: Vec<u64>,
    /// Distance to the previous occurrence of the same name; 0 where there is none near, and for other lexemes.
    before: Vec<u8>,
    /// Distance to the next one.
    behind: Vec<u8>,
    orders: Vec<u64>,
}

impl CodeGrams {
    /// `purpose` is the first of 64 purposes of [`derive_key`].
    pub(super) fn new(seed: u64, purpose: u64, k: usize, guarantee_lexemes: usize) -> Self {
        debug_assert!((ORDER_LEXEMES..GRAM_LEXEMES_MAX).contains(&k), "distances fit the table");
        let of = |n: usize| derive_key(seed, purpose + n as u64);
        let order_width = k - ORDER_LEXEMES + 1;
        Self {
            k,
            sampler: Sampler::new(order_width, order_width + guarantee_lexemes - k),
            names: std::array::from_fn(of),
            number: of(GRAM_LEXEMES_MAX),
            text: of(GRAM_LEXEMES_MAX + 1),
        }
    }

    /// Replaces `keys` by the key of every k-gram; empty for fewer than k lexemes.
    ///
    /// Cost: 8 ns a lexeme.
    pub(super) fn compute_keys(&self, lexemes: &Lexemes, scratch: &mut CodeScratch, keys: &mut Vec<u64>) {
        self.prepare(lexemes, scratch);
        self.roll(scratch, self.k, keys);
    }

    /// Replaces `anchors` by the first lexemes of the sampled k-grams, ascending. `keys` are those just made with `scratch`.
    pub(super) fn select(&self, keys: &[u64], scratch: &mut CodeScratch, anchors: &mut Vec<u32>) {
        anchors.clear();
        if keys.is_empty() {
            return;
        }
        let mut orders = std::mem::take(&mut scratch.orders);
        self.roll(scratch, ORDER_LEXEMES, &mut orders);
        self.sampler.select(&orders, keys, anchors);
        scratch.orders = orders;
    }

    /// Finds for each name where it stands next to itself.
    fn prepare(&self, lexemes: &Lexemes, scratch: &mut CodeScratch) {
        let CodeScratch { codes, before, behind, .. } = scratch;
        codes.clear();
        before.clear();
        before.resize(lexemes.len(), 0);
        behind.clear();
        behind.resize(lexemes.len(), 0);
        for (at, (&kind, &hash)) in lexemes.kinds.iter().zip(&lexemes.hashes).enumerate() {
            codes.push(match kind {
                LexemeKind::Number => self.number,
                LexemeKind::Text => self.text,
                // That of a name only until the names were met.
                LexemeKind::Name | LexemeKind::Keyword | LexemeKind::Mark => hash,
            });
            if kind == LexemeKind::Name {
                // Hashes of names and of other lexemes differ, so that only names are met.
                let near = &codes[at.saturating_sub(self.k - 1)..at];
                if let Some(distance) = near.iter().rev().position(|&other| other == hash) {
                    let distance = distance + 1;
                    before[at] = short(distance);
                    behind[at - distance] = short(distance);
                }
            }
        }
        for (code, kind) in codes.iter_mut().zip(&lexemes.kinds) {
            if *kind == LexemeKind::Name {
                *code = 0;
            }
        }
    }

    /// Replaces `keys` by the keys of all grams of `k` lexemes, at most [`Self::k`].
    fn roll(&self, scratch: &CodeScratch, k: usize, keys: &mut Vec<u64>) {
        let CodeScratch { codes, before, behind, .. } = scratch;
        keys.clear();
        let Some(n_keys) = (codes.len() + 1).checked_sub(k).filter(|&n| n > 0) else { return };
        // A code of 0 marks a name; no lexeme's hash is 0 but for one in 2^64.
        let code = |at: usize, distance: usize| if codes[at] == 0 { self.names[distance] } else { codes[at] };
        let within = |at: usize, first: usize| {
            let distance = usize::from(before[at]);
            if distance > 0 && at >= first + distance { distance } else { 0 }
        };
        let mut roll = (0..k - 1).fold(0_u64, |roll, at| roll.rotate_left(1) ^ code(at, within(at, 0)));
        let turn = |n: usize| short(n).into();
        for (first, &distance) in behind.iter().enumerate().take(n_keys) {
            let entering = first + k - 1;
            roll = roll.rotate_left(1) ^ code(entering, within(entering, first));
            keys.push(mix(roll));
            // The first lexeme leaves; the next occurrence of its name becomes the first one.
            roll ^= code(first, 0).rotate_left(turn(k - 1));
            let distance = usize::from(distance);
            if distance > 0 && distance < k {
                let exchanged = self.names[distance] ^ self.names[0];
                roll ^= exchanged.rotate_left(turn(k - 1 - distance));
            }
        }
    }
}

/// A distance within a k-gram, or a rotation by less than one.
fn short(n: usize) -> u8 {
    debug_assert!(n < GRAM_LEXEMES_MAX, "within a k-gram");
    u8::try_from(n).unwrap_or(u8::MAX)
}
