//! Documents with their words, turned around in memory: words with their documents.
//!
//! A table finds the term of a word; each pair of a document and a term is appended to a log, in the order of the documents. Emptying
//! it sorts the terms and deals the log out to them, in one pass, so that a word costs one look-up while documents come in, and nothing is
//! chased through memory afterwards.
//!
//! Cost: 8 ns for each different word of a document of prose.

use rayon::prelude::*;

use super::schema::BODY;
use super::terms::{Identity, Numbering, SLOT_BYTES, Terms};

/// Terms that one thread encodes at once.
const TERMS_AT_ONCE: usize = 1 << 10;

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
    numbering: Numbering,
    /// Where each term's key starts.
    terms: Vec<u32>,
    /// Keys behind each other: length of the word in two bytes, field, word.
    keys: Vec<u8>,
    pairs: Vec<Pair>,
    /// First pair of each document.
    documents: Vec<u32>,
    first_doc: u32,
    memory_bytes_max: usize,
}

impl Inverter {
    /// Makes an empty one that is to be emptied before it takes more than `memory_bytes_max`.
    pub(super) fn new(memory_bytes_max: usize) -> Self {
        Self {
            numbering: Numbering::new(),
            terms: Vec::new(),
            keys: Vec::new(),
            pairs: Vec::new(),
            documents: Vec::new(),
            first_doc: 0,
            memory_bytes_max,
        }
    }

    /// Starts the next document.
    pub(super) fn start_document(&mut self) {
        self.documents.push(to_u32(self.pairs.len()));
    }

    /// Adds a term to the current document. The caller keeps to [`WORD_BYTES_MAX`](super::terms::WORD_BYTES_MAX).
    pub(super) fn add(&mut self, field: u8, word: &str) {
        self.add_term(Identity::of(field, word.as_bytes()), 1, field, word.as_bytes());
    }

    /// Adds the words of a text, or of a further piece of it, to the current document.
    pub(super) fn add_terms(&mut self, terms: &Terms) {
        for (term, word) in terms.iter() {
            self.add_term(term.identity, term.frequency, BODY, word);
        }
    }

    #[inline]
    fn add_term(&mut self, identity: Identity, frequency: u32, field: u8, word: &[u8]) {
        let term = self.numbering.number(identity);
        self.pairs.push(Pair { term, frequency });
        if term as usize == self.terms.len() {
            self.terms.push(to_u32(self.keys.len()));
            self.keys.extend_from_slice(&u16::try_from(word.len()).unwrap_or(u16::MAX).to_le_bytes());
            self.keys.push(field);
            self.keys.extend_from_slice(word);
        }
    }

    /// Tells whether it is time to empty it: what it holds, with what [`drain`](Self::drain) will need, takes the memory it may take, or
    /// soon would since the table doubled.
    pub(super) fn is_full(&self) -> bool {
        let pair_bytes = size_of::<Pair>() + size_of::<Posting>();
        let term_bytes = size_of::<u32>() * 3 + size_of::<(Prefix, u32)>();
        let used_bytes = self.numbering.n_slots() * SLOT_BYTES
            + self.keys.len()
            + self.terms.len() * term_bytes
            + self.pairs.len() * pair_bytes
            + self.documents.len() * size_of::<u32>();
        // A quarter of the memory for the table, a quarter of it used: half of that is left for the text that is being added.
        let n_terms_max = self.memory_bytes_max / 4 / SLOT_BYTES / 4;
        used_bytes >= self.memory_bytes_max || self.numbering.n_terms() as usize > n_terms_max
    }

    /// Hands out every term (field, word) with its postings, encoded, in order, and starts anew: with more of the current document if that
    /// `is_open`, else behind it.
    ///
    /// `encode` appends a term to some bytes; it works on the rayon pool of the caller. `write` takes the bytes of many terms.
    pub(super) fn drain<E>(
        &mut self,
        is_open: bool,
        encode: impl Fn(u8, &[u8], &[Posting], &mut Vec<u8>) + Sync,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let ((ends, postings), order) = rayon::join(|| self.deal(), || self.sorted_terms());
        let encode_terms = |terms: &[u32]| {
            let (mut bytes, mut joined) = (Vec::new(), Vec::new());
            for &term in terms {
                let (field, word) = key_at(&self.keys, self.terms[term as usize]);
                let start = if term == 0 { 0 } else { ends[term as usize - 1] };
                join_pieces(&postings[start as usize..ends[term as usize] as usize], &mut joined);
                encode(field, word, &joined, &mut bytes);
            }
            bytes
        };
        for terms in order.chunks(TERMS_AT_ONCE * 16) {
            let encoded: Vec<Vec<u8>> = terms.par_chunks(TERMS_AT_ONCE).map(encode_terms).collect();
            encoded.iter().try_for_each(|bytes| write(bytes))?;
        }
        let n_open = usize::from(is_open).min(self.documents.len());
        self.first_doc += to_u32(self.documents.len() - n_open);
        self.numbering.clear();
        self.terms.clear();
        self.keys.clear();
        self.pairs.clear();
        self.documents.clear();
        self.documents.resize(n_open, 0);
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

    fn sorted_terms(&self) -> Vec<u32> {
        let mut order: Vec<(Prefix, u32)> = Vec::with_capacity(self.terms.len());
        order.extend(self.terms.iter().zip(0..).map(|(key, term)| (prefix_of(key_at(&self.keys, *key)), term)));
        let key = |term: u32| key_at(&self.keys, self.terms[term as usize]);
        order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))));
        order.into_iter().map(|(_, term)| term).collect()
    }
}

/// Copies postings and makes one of those of one document, whose words came in pieces; they stand side by side.
fn join_pieces(postings: &[Posting], joined: &mut Vec<Posting>) {
    joined.clear();
    for posting in postings {
        match joined.last_mut() {
            Some(last) if last.doc == posting.doc => last.frequency += posting.frequency,
            _ => joined.push(*posting),
        }
    }
}

/// Returns the field and the word of the key that starts at `start`.
fn key_at(keys: &[u8], start: u32) -> (u8, &[u8]) {
    let key = &keys[start as usize..];
    let length = usize::from(u16::from_le_bytes([key[0], key[1]]));
    (key[2], &key[3..3 + length])
}

/// The first 16 bytes of field and word, as two numbers of the same order: what decides nearly every comparison of keys.
pub(super) type Prefix = [u64; 2];

/// Returns the prefix of a key.
pub(super) fn prefix_of((field, word): (u8, &[u8])) -> Prefix {
    let mut bytes = [0; 16];
    let n = word.len().min(15);
    bytes[0] = field;
    bytes[1..=n].copy_from_slice(&word[..n]);
    let number = |half: &[u8]| half.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    [number(&bytes[..8]), number(&bytes[8..])]
}

/// Counts here stay far below 2^32: the writer empties it at a fraction of 4 GiB.
fn to_u32(count: usize) -> u32 {
    debug_assert!(u32::try_from(count).is_ok(), "the limits keep counts small");
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::super::terms::{TermCounter, WORD_BYTES_MAX};
    use super::*;

    type Inverted = Vec<(u8, Vec<u8>, Vec<(u32, u32)>)>;

    fn drained(inverter: &mut Inverter, is_open: bool) -> Inverted {
        let inverted = Mutex::new(BTreeMap::new());
        let mut n_written = 0;
        let drained: Result<(), ()> = inverter.drain(
            is_open,
            |field, word, postings, bytes| {
                let postings: Vec<_> = postings.iter().map(|posting| (posting.doc, posting.frequency)).collect();
                assert!(inverted.lock().unwrap().insert((field, word.to_vec()), postings).is_none(), "each term once");
                bytes.push(field);
                bytes.extend_from_slice(word);
                bytes.push(b'\n');
            },
            |bytes| {
                n_written += bytes.len();
                Ok(())
            },
        );
        drained.unwrap();
        let inverted = inverted.into_inner().unwrap();
        assert_eq!(n_written, inverted.keys().map(|(_, word)| word.len() + 2).sum::<usize>());
        inverted.into_iter().map(|((field, word), postings)| (field, word, postings)).collect()
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
            add_words(inverter, document);
        }
    }

    /// Attributes one by one, words of the body as the terms of two texts.
    fn add_words(inverter: &mut Inverter, words: &[(u8, String)]) {
        let mut counter = TermCounter::default();
        for (n, (field, word)) in words.iter().enumerate() {
            if *field == BODY {
                counter.add(word);
            } else {
                inverter.add(*field, word);
            }
            if n == words.len() / 2 {
                inverter.add_terms(&counter.take());
            }
        }
        inverter.add_terms(&counter.take());
    }

    proptest! {
        #[test]
        fn inverting_agrees_with_sorted_maps(
            runs in prop::collection::vec(
                prop::collection::vec(prop::collection::vec((3..=BODY, "[a-c]{1,3}|[a\0]{5,12}|\\PC{1,20}"), 0..30), 0..20),
                1..4,
            ),
            is_open in any::<bool>(),
        ) {
            let mut inverter = Inverter::new(1 << 20);
            let mut first_doc = 0;
            for documents in &runs {
                if is_open && first_doc > 0 {
                    // The last document goes on where the run was cut.
                    let mut joined = vec![Vec::new()];
                    joined.extend_from_slice(documents);
                    let more = vec![(BODY, "more".to_owned())];
                    add_words(&mut inverter, &more);
                    joined[0] = more;
                    add(&mut inverter, documents);
                    prop_assert_eq!(drained(&mut inverter, is_open), naive(&joined, first_doc - 1));
                } else {
                    add(&mut inverter, documents);
                    prop_assert_eq!(drained(&mut inverter, is_open), naive(documents, first_doc));
                }
                first_doc += to_u32(documents.len());
            }
        }
    }

    #[test]
    fn tables_grow_and_the_longest_word_fits() {
        let mut words: Vec<(u8, String)> = (0..5000).map(|i| (0, format!("{i:x}"))).collect();
        words.extend([(0, "w".repeat(WORD_BYTES_MAX)), (0, "w".repeat(WORD_BYTES_MAX - 1)), (4, "ff".to_owned())]);
        let documents = [words.clone(), words.clone(), Vec::new(), words];
        let mut inverter = Inverter::new(1 << 20);
        assert!(!inverter.is_full());
        add(&mut inverter, &documents);
        assert!(inverter.is_full(), "5,000 terms, where 4,096 fit");
        assert_eq!(drained(&mut inverter, false), naive(&documents, 0));
        assert!(!inverter.is_full());
        assert_eq!(drained(&mut inverter, false), []);
    }
}
