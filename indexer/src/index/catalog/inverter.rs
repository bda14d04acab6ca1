//! Documents with their words, turned around in memory: words with their documents.
//!
//! A table finds the term of a word; each pair of a document and a term is appended to a log, in the order of the documents. Emptying
//! it sorts the terms and deals the log out to them, in one pass, so that a word costs one look-up while documents come in, and nothing is
//! chased through memory afterwards.
//!
//! Cost: 35 ns a word of prose.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Longest word that is indexed, in bytes: tantivy's limit for a term. No language has such words; this is data, and is left out.
pub(super) const WORD_BYTES_MAX: usize = 65_530;

/// Most bytes of words that are indexed of one document; more are left out. Eight times the longest document, so that none
/// gets there that was not made to, and offsets fit 32 bits by far: a document's terms take at most 4 bytes for each byte of words.
pub(super) const DOCUMENT_WORDS_BYTES_MAX: usize = 256 << 20;

/// Places in an empty table. Small, so that small indexes stay small; it doubles as needed.
const SLOTS_MIN: usize = 1 << 12;

/// Mark of a slot that holds no term.
const FREE: u32 = u32::MAX;

/// A place in the table.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Of the term; its low bits say where the slot is looked for.
    hash: u32,
    /// The term's number in the order of first use, or [`FREE`].
    term: u32,
    /// Where its key starts.
    key: u32,
    /// The term's last pair. A pair of the current document is one that is not before the document's first.
    pair: u32,
}

/// A term of a document.
#[derive(Debug, Clone, Copy)]
struct Pair {
    term: u32,
    frequency: u32,
}

/// A document of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Posting {
    /// The document.
    pub(super) doc: u32,
    /// How often the term stands in it.
    pub(super) frequency: u32,
}

/// Words on their way from documents to postings.
pub(super) struct Inverter {
    /// A power of two of them, at most half of them used.
    slots: Vec<Slot>,
    /// Where each term's key starts.
    terms: Vec<u32>,
    /// Keys behind each other: length of the word in two bytes, field, word.
    keys: Vec<u8>,
    pairs: Vec<Pair>,
    /// First pair of each document.
    documents: Vec<u32>,
    first_doc: u32,
    /// A secret, so that nobody can craft words that all fall into one place. It changes no output.
    seed: u64,
}

impl Inverter {
    /// Makes an empty one.
    pub(super) fn new() -> Self {
        Self {
            slots: vec![Slot { hash: 0, term: FREE, key: 0, pair: 0 }; SLOTS_MIN],
            terms: Vec::new(),
            keys: Vec::new(),
            pairs: Vec::new(),
            documents: Vec::new(),
            first_doc: 0,
            seed: RandomState::new().hash_one(0),
        }
    }

    /// Starts the next document.
    pub(super) fn start_document(&mut self) {
        self.documents.push(to_u32(self.pairs.len()));
    }

    /// Adds a term to the current document. The caller keeps to [`WORD_BYTES_MAX`] and [`DOCUMENT_WORDS_BYTES_MAX`].
    pub(super) fn add(&mut self, field: u8, word: &str) {
        debug_assert!(word.len() <= WORD_BYTES_MAX && !self.documents.is_empty(), "the caller checked");
        let document_start = self.documents.last().copied().unwrap_or_default();
        let pair = to_u32(self.pairs.len());
        let (hash, mut place) = self.locate(field, word.as_bytes());
        loop {
            let slot = &mut self.slots[place];
            if slot.term == FREE {
                break;
            }
            if slot.hash == hash && key_at(&self.keys, slot.key) == (field, word.as_bytes()) {
                if slot.pair >= document_start {
                    self.pairs[slot.pair as usize].frequency += 1;
                } else {
                    slot.pair = pair;
                    self.pairs.push(Pair { term: slot.term, frequency: 1 });
                }
                return;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        let (term, key) = (to_u32(self.terms.len()), to_u32(self.keys.len()));
        self.slots[place] = Slot { hash, term, key, pair };
        self.pairs.push(Pair { term, frequency: 1 });
        self.terms.push(key);
        self.keys.extend_from_slice(&u16::try_from(word.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.keys.push(field);
        self.keys.extend_from_slice(word.as_bytes());
        if self.terms.len() > self.slots.len() / 2 {
            self.grow();
        }
    }

    /// Returns how much memory is in use, with what [`drain`](Self::drain) will need.
    pub(super) fn memory_bytes(&self) -> usize {
        let pair_bytes = size_of::<Pair>() + size_of::<Posting>();
        let term_bytes = size_of::<u32>() * 2 + size_of::<(u64, u32)>();
        self.slots.len() * size_of::<Slot>()
            + self.keys.len()
            + self.terms.len() * term_bytes
            + self.pairs.len() * pair_bytes
            + self.documents.len() * size_of::<u32>()
    }

    /// Hands out every term (field, word) with its postings, in order, and starts anew behind the last document.
    pub(super) fn drain<E>(&mut self, mut emit: impl FnMut(u8, &[u8], &[Posting]) -> Result<(), E>) -> Result<(), E> {
        let (ends, postings) = self.deal();
        for term in self.sorted_terms() {
            let (field, word) = key_at(&self.keys, self.terms[term as usize]);
            let start = if term == 0 { 0 } else { ends[term as usize - 1] };
            emit(field, word, &postings[start as usize..ends[term as usize] as usize])?;
        }
        self.first_doc += to_u32(self.documents.len());
        self.slots.fill(Slot { hash: 0, term: FREE, key: 0, pair: 0 });
        self.terms.clear();
        self.keys.clear();
        self.pairs.clear();
        self.documents.clear();
        Ok(())
    }

    /// Returns the postings of all terms behind each other, and where each term's postings end.
    fn deal(&self) -> (Vec<u32>, Vec<Posting>) {
        let mut next = vec![0_u32; self.terms.len()];
        for pair in &self.pairs {
            next[pair.term as usize] += 1;
        }
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        let mut postings = vec![Posting::default(); self.pairs.len()];
        for (idx, start) in self.documents.iter().enumerate() {
            let end = self.documents.get(idx + 1).map_or(self.pairs.len(), |end| *end as usize);
            let doc = self.first_doc + to_u32(idx);
            for pair in &self.pairs[*start as usize..end] {
                let place = &mut next[pair.term as usize];
                postings[*place as usize] = Posting { doc, frequency: pair.frequency };
                *place += 1;
            }
        }
        // Every place has moved from its term's start to its end.
        (next, postings)
    }

    fn sorted_terms(&self) -> impl Iterator<Item = u32> + use<> {
        let mut order: Vec<(u64, u32)> =
            self.terms.iter().zip(0..).map(|(key, term)| (prefix(key_at(&self.keys, *key)), term)).collect();
        let key = |term: u32| key_at(&self.keys, self.terms[term as usize]);
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))));
        order.into_iter().map(|(_, term)| term)
    }

    fn locate(&self, field: u8, word: &[u8]) -> (u32, usize) {
        let hash = (xxh3_64_with_seed(word, self.seed ^ u64::from(field)) >> 32) as u32;
        (hash, hash as usize & (self.slots.len() - 1))
    }

    fn grow(&mut self) {
        let n_slots = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![Slot { hash: 0, term: FREE, key: 0, pair: 0 }; n_slots]);
        for slot in old.into_iter().filter(|slot| slot.term != FREE) {
            let mut place = slot.hash as usize & (n_slots - 1);
            while self.slots[place].term != FREE {
                place = (place + 1) & (n_slots - 1);
            }
            self.slots[place] = slot;
        }
    }
}

/// Returns the field and the word of the key that starts at `start`.
fn key_at(keys: &[u8], start: u32) -> (u8, &[u8]) {
    let key = &keys[start as usize..];
    let length = usize::from(u16::from_le_bytes([key[0], key[1]]));
    (key[2], &key[3..3 + length])
}

/// Returns the first eight bytes of field and word as a number of the same order.
fn prefix((field, word): (u8, &[u8])) -> u64 {
    let mut bytes = [0; 8];
    bytes[0] = field;
    bytes[1..].iter_mut().zip(word).for_each(|(slot, byte)| *slot = *byte);
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Counts here stay far below 2^32: the writer drains at 32 MiB, and one document adds at most 4 bytes for each of
/// [`DOCUMENT_WORDS_BYTES_MAX`].
fn to_u32(count: usize) -> u32 {
    debug_assert!(u32::try_from(count).is_ok(), "the limits keep counts small");
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Inverted = Vec<(u8, Vec<u8>, Vec<(u32, u32)>)>;

    fn drained(inverter: &mut Inverter) -> Inverted {
        let mut inverted = Vec::new();
        let drained: Result<(), ()> = inverter.drain(|field, word, postings| {
            let postings = postings.iter().map(|posting| (posting.doc, posting.frequency)).collect();
            inverted.push((field, word.to_vec(), postings));
            Ok(())
        });
        drained.unwrap();
        inverted
    }

    fn naive(documents: &[Vec<(u8, String)>], first_doc: u32) -> Inverted {
        let mut terms: BTreeMap<(u8, Vec<u8>), BTreeMap<u32, u32>> = BTreeMap::new();
        for (document, doc) in documents.iter().zip(first_doc..) {
            for (field, word) in document {
                *terms.entry((*field, word.clone().into_bytes())).or_default().entry(doc).or_default() += 1;
            }
        }
        terms.into_iter().map(|((field, word), docs)| (field, word, docs.into_iter().collect())).collect()
    }

    fn add(inverter: &mut Inverter, documents: &[Vec<(u8, String)>]) {
        for document in documents {
            inverter.start_document();
            for (field, word) in document {
                inverter.add(*field, word);
            }
        }
    }

    proptest! {
        #[test]
        fn inverting_agrees_with_sorted_maps(
            runs in prop::collection::vec(
                prop::collection::vec(prop::collection::vec((0_u8..3, "[a-c]{0,3}|[a\0]{5,12}|\\PC{0,20}"), 0..30), 0..20),
                1..4,
            )
        ) {
            let mut inverter = Inverter::new();
            let mut first_doc = 0;
            for documents in &runs {
                add(&mut inverter, documents);
                prop_assert_eq!(drained(&mut inverter), naive(documents, first_doc));
                first_doc += to_u32(documents.len());
            }
        }
    }

    #[test]
    fn tables_grow_and_the_longest_word_fits() {
        let mut words: Vec<(u8, String)> = (0..3 * SLOTS_MIN).map(|i| (0, format!("{i:x}"))).collect();
        words.extend([(0, "w".repeat(WORD_BYTES_MAX)), (0, "w".repeat(WORD_BYTES_MAX - 1)), (255, "ff".to_owned())]);
        let documents = [words.clone(), words.clone(), Vec::new(), words];
        let mut inverter = Inverter::new();
        let empty_bytes = inverter.memory_bytes();
        add(&mut inverter, &documents);
        assert!(inverter.memory_bytes() > empty_bytes + 3 * SLOTS_MIN * size_of::<Slot>());
        assert_eq!(drained(&mut inverter), naive(&documents, 0));
        assert_eq!(drained(&mut inverter), []);
    }
}
