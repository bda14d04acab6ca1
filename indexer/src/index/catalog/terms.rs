//! The different words of a text, each with how often it stands there: what a thread makes of a document before the catalogue's
//! writer, which is one thread alone, files it.
//!
//! A text of a few thousand words is counted in the first-level cache. What is left for the writer is one look-up for each different
//! word, with nothing in between, so that the processor waits for several places of the big table at once.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::schema::BODY;

/// Longest word that is indexed, in bytes: tantivy's limit for a term. No language has such words; this is data, and is left out.
pub(super) const WORD_BYTES_MAX: usize = 65_530;

/// Places in an empty table. Small, so that short documents stay in the cache; it doubles as needed.
const SLOTS_MIN: usize = 1 << 8;

/// Mark of a slot that holds no term.
const FREE: u32 = u32::MAX;

/// Keeps the same word in different fields apart: 2^64 / golden ratio.
const FIELD_FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Of hashes, so that nobody can craft words that fall into one place, or into one term. It changes no output.
static SECRET: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

/// What a term is known by: 96 bits of a hash with a secret key. A corpus of 2^32 terms has two with the same with probability 2^-33.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    low: u64,
    high: u32,
}

impl Identity {
    #[inline]
    pub(super) fn of(field: u8, word: &[u8]) -> Self {
        Self::with_secret(*SECRET, field, word)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "takes 64 and 32 bits of a hash of 128")]
    fn with_secret(secret: u64, field: u8, word: &[u8]) -> Self {
        let hash = xxh3_128_with_seed(word, secret);
        // Not by way of the secret: words of 4 to 8 bytes are only added to it, and `12340` in field 0 was `42345` in field 5.
        let low = (hash as u64).wrapping_add(u64::from(field).wrapping_mul(FIELD_FACTOR));
        Self { low, high: (hash >> 64) as u32 }
    }
}

/// Numbers terms in the order of first use.
#[derive(Debug, Clone)]
pub(super) struct Numbering {
    /// A power of two of them, at most half of them used.
    slots: Vec<Slot>,
    n_terms: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    identity: Identity,
    /// The term's number, or [`FREE`].
    number: u32,
}

const EMPTY: Slot = Slot { identity: Identity { low: 0, high: 0 }, number: FREE };

/// Bytes of a place in the table.
pub(super) const SLOT_BYTES: usize = size_of::<Slot>();

impl Numbering {
    /// Makes one that knows no term.
    pub(super) fn new() -> Self {
        Self { slots: vec![EMPTY; SLOTS_MIN], n_terms: 0 }
    }

    /// Returns the number of terms.
    pub(super) fn n_terms(&self) -> u32 {
        self.n_terms
    }

    /// Returns the number of places.
    pub(super) fn n_slots(&self) -> usize {
        self.slots.len()
    }

    /// Returns the number of a term; that is [`n_terms`](Self::n_terms) before the call where the term is new.
    #[inline]
    pub(super) fn number(&mut self, identity: Identity) -> u32 {
        let mut place = self.home(identity);
        loop {
            let slot = self.slots[place];
            if slot.number == FREE {
                break;
            }
            if slot.identity == identity {
                return slot.number;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        let number = self.n_terms;
        self.slots[place] = Slot { identity, number };
        self.n_terms += 1;
        if self.n_terms as usize > self.slots.len() / 2 {
            self.grow();
        }
        number
    }

    /// Forgets all terms; the table keeps room for as many as there were.
    pub(super) fn clear(&mut self) {
        // Not the size it once had: after one long text all short ones would clear what that one needed.
        let n_slots = (self.n_terms as usize * 2 + 1).next_power_of_two().clamp(SLOTS_MIN, self.slots.len());
        self.slots.truncate(n_slots);
        self.slots.fill(EMPTY);
        self.n_terms = 0;
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a place is chosen by the low bits")]
    fn home(&self, identity: Identity) -> usize {
        identity.low as usize & (self.slots.len() - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let n_slots = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; n_slots]);
        for slot in old.into_iter().filter(|slot| slot.number != FREE) {
            let mut place = self.home(slot.identity);
            while self.slots[place].number != FREE {
                place = (place + 1) & (n_slots - 1);
            }
            self.slots[place] = slot;
        }
    }
}

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) identity: Identity,
    /// How often it stands in the text.
    pub(super) frequency: u32,
    /// Where its spelling ends, among those of all terms.
    end: u32,
}

/// The different words of a text in the order in which they first stand there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    list: Vec<Term>,
    spellings: Vec<u8>,
    n_words: u32,
}

impl Terms {
    /// Returns the number of words, repeated ones included.
    pub fn n_words(&self) -> u32 {
        self.n_words
    }

    /// Returns how much memory they take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.list.len() * size_of::<Term>() + self.spellings.len()
    }

    /// Returns every term with its spelling.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Term, &[u8])> {
        let mut start = 0;
        self.list.iter().map(move |term| {
            let spelling = &self.spellings[start..term.end as usize];
            start = term.end as usize;
            (*term, spelling)
        })
    }
}

/// Counts the words of one text after the other.
#[derive(Debug, Clone)]
pub struct TermCounter {
    numbering: Numbering,
    terms: Terms,
}

impl Default for TermCounter {
    fn default() -> Self {
        Self { numbering: Numbering::new(), terms: Terms::default() }
    }
}

impl TermCounter {
    /// Counts a word in normal form. Left out: empty words, and words above 65,530 bytes.
    #[inline]
    pub fn add(&mut self, word: &str) {
        if !(1..=WORD_BYTES_MAX).contains(&word.len()) {
            return;
        }
        let Terms { list, spellings, n_words } = &mut self.terms;
        *n_words += 1;
        let identity = Identity::of(BODY, word.as_bytes());
        let number = self.numbering.number(identity) as usize;
        if let Some(term) = list.get_mut(number) {
            term.frequency += 1;
            return;
        }
        spellings.extend_from_slice(word.as_bytes());
        // A text has less than 4 GiB, and what one of its words becomes in normal form is counted once.
        let end = u32::try_from(spellings.len()).unwrap_or(u32::MAX);
        list.push(Term { identity, frequency: 1, end });
    }

    /// Returns the words counted since the last call.
    pub fn take(&mut self) -> Terms {
        self.numbering.clear();
        let Terms { list, spellings, n_words } = &mut self.terms;
        // Copies, so that they take no more memory than they need and the buffers stay for the next text.
        let taken = Terms { list: list.as_slice().into(), spellings: spellings.as_slice().into(), n_words: *n_words };
        list.clear();
        spellings.clear();
        *n_words = 0;
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counting_agrees_with_a_map(texts in prop::collection::vec(prop::collection::vec("[a-c]{0,3}|\\PC{0,9}", 0..400), 1..4)) {
            let mut counter = TermCounter::default();
            for words in &texts {
                for word in words {
                    counter.add(word);
                }
                let terms = counter.take();
                let mut expected: BTreeMap<&[u8], u32> = BTreeMap::new();
                let words = words.iter().filter(|word| !word.is_empty());
                words.clone().for_each(|word| *expected.entry(word.as_bytes()).or_default() += 1);
                let found: BTreeMap<&[u8], u32> = terms.iter().map(|(term, word)| (word, term.frequency)).collect();
                prop_assert_eq!(terms.iter().count(), expected.len());
                prop_assert_eq!(found, expected);
                prop_assert_eq!(terms.n_words() as usize, words.count());
            }
        }
    }

    #[test]
    fn short_words_have_an_identity_of_their_own_in_every_field() {
        let around = |middle: &str, n: usize| format!("{}{middle}{}", n / 10, n % 10);
        let middles = ["", "2", "23", "234", "23456", "2345678"];
        let words: Vec<String> = middles.iter().flat_map(|middle| (0..100).map(|n| around(middle, n))).collect();
        for secret in [0x6833_33a5_9226_4f09, 0x5be9_1458_d374_2f1c, 0xfbe2_b7da_1f87_0e7f, 0xa1b5_5807_77ae_3eff, 0] {
            let mut identities: Vec<(u64, u32)> = Vec::new();
            for field in 0..=BODY {
                let of = |word: &String| Identity::with_secret(secret, field, word.as_bytes());
                identities.extend(words.iter().map(of).map(|identity| (identity.low, identity.high)));
            }
            let n_all = identities.len();
            identities.sort_unstable();
            identities.dedup();
            assert_eq!(identities.len(), n_all, "secret {secret}");
        }
    }

    #[test]
    fn a_table_that_grew_for_one_text_shrinks_for_the_next() {
        let mut counter = TermCounter::default();
        (0..100_000).for_each(|n| counter.add(&n.to_string()));
        assert_eq!(counter.take().iter().count(), 100_000);
        assert!(counter.numbering.n_slots() >= 200_000);
        for _ in 0..2 {
            counter.add("word");
            assert_eq!(counter.take().iter().map(|(_, word)| word).collect::<Vec<_>>(), [b"word"]);
        }
        assert_eq!(counter.numbering.n_slots(), SLOTS_MIN);
    }
}
