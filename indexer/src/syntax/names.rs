//! Names of a file, each kept once: a number and a hash instead of bytes to compare.

use crate::normalise::fold;

/// Multiplier per chunk of eight bytes: 2^64 divided by the golden ratio, made odd.
pub(super) const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// An empty slot of the table.
const EMPTY: u32 = u32::MAX;

/// Slots of the smallest table.
const SLOTS_MIN: usize = 1 << 10;

/// Hashes bytes under a key. Texts that differ in length or in a byte have different hashes, but for 2^-64.
#[inline]
pub(super) fn hash_bytes(key: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let state =
        chunks.iter().fold(key ^ bytes.len() as u64, |state, chunk| fold(state ^ u64::from_le_bytes(*chunk), FACTOR));
    let last = rest.iter().rev().fold(0, |last, &byte| last << 8 | u64::from(byte));
    fold(fold(state ^ last, FACTOR) ^ key, FACTOR)
}

/// A name that was seen: its hash and where it stands first.
#[derive(Debug, Clone, Copy)]
struct Name {
    hash: u64,
    start: u32,
    end: u32,
    slot: u32,
}

/// The names of one text, numbered from 0 in the order of their first occurrence. A buffer for the next text.
#[derive(Debug, Default)]
pub(super) struct Names {
    key: u64,
    rows: Vec<Name>,
    slots: Vec<u32>,
}

impl Names {
    pub(super) fn new(key: u64) -> Self {
        Self { key, rows: Vec::new(), slots: vec![EMPTY; SLOTS_MIN] }
    }

    /// Forgets all names; costs no more than they did.
    pub(super) fn clear(&mut self) {
        for name in self.rows.drain(..) {
            self.slots[name.slot as usize] = EMPTY;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the hash of a name's bytes.
    #[inline]
    pub(super) fn hash(&self, name: u32) -> u64 {
        self.rows[name as usize].hash
    }

    /// Returns the bytes of a name in the text that it is from.
    pub(super) fn bytes<'a>(&self, text: &'a [u8], name: u32) -> &'a [u8] {
        let Name { start, end, .. } = self.rows[name as usize];
        &text[start as usize..end as usize]
    }

    /// Returns the number of the name that stands in the text from `start` to `end`.
    #[inline]
    pub(super) fn intern(&mut self, text: &[u8], start: u32, end: u32) -> u32 {
        let bytes = &text[start as usize..end as usize];
        let hash = hash_bytes(self.key, bytes);
        let mut slot = self.slot_of(hash);
        loop {
            let found = self.slots[slot];
            if found == EMPTY {
                break;
            }
            if self.rows[found as usize].hash == hash && self.bytes(text, found) == bytes {
                return found;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let number = len_u32(self.rows.len());
        self.slots[slot] = number;
        self.rows.push(Name { hash, start, end, slot: len_u32(slot) });
        if self.rows.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    #[inline]
    fn slot_of(&self, hash: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits are used")]
        let low = hash as usize;
        low & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        let n_slots = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(n_slots, EMPTY);
        for number in 0..self.rows.len() {
            let mut slot = self.slot_of(self.rows[number].hash);
            while self.slots[slot] != EMPTY {
                slot = (slot + 1) & (n_slots - 1);
            }
            self.slots[slot] = len_u32(number);
            self.rows[number].slot = len_u32(slot);
        }
    }
}

/// A count of things in a text, of which there are fewer than 2^32 because the text is shorter.
#[inline]
pub(super) fn len_u32(len: usize) -> u32 {
    debug_assert!(u32::try_from(len).is_ok(), "fewer things than bytes of a text");
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a text has fewer bytes than SOURCE_BYTES_MAX, and fewer things"
    )]
    let len = len as u32;
    len
}
