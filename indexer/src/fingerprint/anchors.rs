//! Anchors: a sample of a text's k-grams that every long enough copy must share.
//!
//! # Idea
//!
//! Storing every k-gram of a corpus costs too much; storing every tenth loses copies that begin elsewhere. *Winnowing*
//! (Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003, section 4)
//! slides a window over the k-grams and keeps the smallest of each window in a fixed order. The order depends on the
//! words alone, so a stretch of text selects the same k-grams wherever it stands.
//!
//! # Guarantee
//!
//! With L the guarantee length, a window holds w = L - k + 1 k-grams, those of L words. So every run of L words has an
//! anchor, and two texts that share a run of L words select the same one in it (where no key stands twice in the run;
//! otherwise equal k-grams at two places of it). A text of k to L - 1 words is one short window and has an anchor too.
//!
//! # Order
//!
//! With random order two neighbouring windows agree so often that 2 / (w + 1) of the k-grams are kept. The
//! *open-closed* order (Groot Koerkamp, Liu, Pibiri, "The open-closed mod-minimizer algorithm", 2025, section 3) keeps
//! fewer: of a k-gram's words take the smallest hash. K-grams that have it in the middle, at word (k - 1) / 2 (*open*
//! syncmers), come first; then those that have it first or last (*closed* syncmers), then the rest; a hash decides
//! within each class. Measured for k = 8, L = 25: 0.092 anchors a word instead of 0.104.
//!
//! Ties (equal k-grams in tables, lists and code) follow robust winnowing (same paper as winnowing, section 5.1): the
//! k-gram kept last stays while it is in the window and nothing is smaller; otherwise the rightmost of the smallest is
//! kept. A run of equal k-grams then keeps one in w, not all.
//!
//! # Cost
//!
//! One pass, 256 k-grams at a time on the stack: 3 ns a word. The kept k-gram is compared with each new one; only when it
//! leaves the window, once in 20 words of prose, the window is read again. Text made to hurt has it read at every word,
//! which is w = 18 comparisons, a constant; a monotone queue would do with fewer, but branches at every word of any text.

/// K-grams per pass; more than a window.
const CHUNK: usize = 256;

/// Upper bound of k and of w, for the buffers on the stack.
pub(super) const REACH_MAX: usize = 64;

/// Mixes keys into the order, so that anchors, which are small in the order, are as evenly spread as all keys: 2^64 /
/// golden ratio.
const ORDER_FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Selects anchors; made from k and L.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler {
    k: usize,
    window: usize,
}

impl Sampler {
    pub(super) fn new(k: usize, guarantee_words: usize) -> Self {
        debug_assert!(
            (1..REACH_MAX).contains(&k) && (k..k + REACH_MAX).contains(&guarantee_words),
            "they fit the buffers"
        );
        Self { k, window: guarantee_words + 1 - k }
    }

    /// Replaces `anchors` by the selected positions, ascending. `keys[i]` is the key of the words from `hashes[i]` on.
    pub(super) fn select(&self, hashes: &[u64], keys: &[u64], anchors: &mut Vec<u32>) {
        anchors.clear();
        self.select_more(&mut Selection::default(), hashes, keys, anchors);
    }

    /// Goes on with the next k-grams of a text and adds those selected. The first k-grams of a text are at least a window of them, or all
    /// there are.
    pub(super) fn select_more(&self, selection: &mut Selection, hashes: &[u64], keys: &[u64], anchors: &mut Vec<u32>) {
        let Selection { orders, n_new, kept, n_seen: first_unseen } = selection;
        for (chunk_idx, chunk) in keys.chunks(CHUNK).enumerate() {
            let within = chunk_idx * CHUNK;
            orders.copy_within(*n_new..*n_new + REACH_MAX, 0);
            *n_new = chunk.len();
            let new = &mut orders[REACH_MAX..REACH_MAX + chunk.len()];
            self.compute_orders(&hashes[within..within + chunk.len() + self.k - 1], chunk, new);
            let first = *first_unseen;
            let mut n_seen = 0;
            if first == 0 {
                n_seen = self.window.min(chunk.len());
                *kept = rightmost_smallest(&orders[REACH_MAX..REACH_MAX + n_seen], 0);
                anchors.push(kept.position());
            }
            for i in n_seen..chunk.len() {
                let at = first + i;
                let order = orders[REACH_MAX + i];
                if order < kept.order {
                    *kept = Kept { at, order };
                } else if at == kept.at + self.window {
                    let window = &orders[REACH_MAX + i + 1 - self.window..=REACH_MAX + i];
                    *kept = rightmost_smallest(window, at + 1 - self.window);
                } else {
                    continue;
                }
                anchors.push(kept.position());
            }
            *first_unseen += chunk.len();
        }
    }

    /// Computes the order of each k-gram: its class in the top two bits, then a hash of its key.
    fn compute_orders(&self, hashes: &[u64], keys: &[u64], orders: &mut [u64]) {
        // High halves of the word hashes: equal ones among different words change a class here and there, nothing else.
        let mut highs = [0_u32; CHUNK + REACH_MAX];
        for (high, hash) in highs.iter_mut().zip(hashes) {
            *high = high_half(*hash);
        }
        // lowest[i] becomes the smallest of highs[i..i + width], first for widths that double, then for k. What lies behind
        // the hashes joins in beyond the last k-gram alone.
        let mut lowest = highs;
        let mut width = 1;
        while width < self.k {
            let step = width.min(self.k - width);
            let narrow = lowest;
            for ((smallest, left), right) in lowest.iter_mut().zip(&narrow).zip(&narrow[step..]) {
                *smallest = *left.min(right);
            }
            width += step;
        }
        let (middle, last) = (&highs[(self.k - 1) / 2..], &highs[self.k - 1..]);
        let ends = highs.iter().zip(last).zip(middle).zip(&lowest);
        for ((order, key), (((first, last), middle), lowest)) in orders.iter_mut().zip(keys).zip(ends) {
            // Without branches, because nobody can foresee them.
            let is_open = middle == lowest;
            let is_closed = u64::from(first == lowest) | u64::from(last == lowest);
            let class = u64::from(!is_open) * (2 - is_closed);
            *order = class << 62 | key.wrapping_mul(ORDER_FACTOR) >> 2;
        }
    }
}

/// What is known of a text that is read in pieces.
#[derive(Debug)]
pub(super) struct Selection {
    /// The orders of the [`REACH_MAX`] k-grams before the last chunk, then those of the chunk.
    orders: [u64; REACH_MAX + CHUNK],
    /// K-grams of the last chunk.
    n_new: usize,
    kept: Kept,
    /// K-grams so far.
    n_seen: usize,
}

impl Default for Selection {
    fn default() -> Self {
        Self { orders: [0; REACH_MAX + CHUNK], n_new: 0, kept: Kept { at: 0, order: 0 }, n_seen: 0 }
    }
}

/// The k-gram that was selected last.
#[derive(Debug, Clone, Copy)]
struct Kept {
    at: usize,
    order: u64,
}

impl Kept {
    #[expect(clippy::cast_possible_truncation, reason = "a text of 4 GiB, the longest there is, has fewer words")]
    fn position(self) -> u32 {
        self.at as u32
    }
}

/// Finds the rightmost of the smallest of a window that begins at k-gram `first`.
fn rightmost_smallest(window: &[u64], first: usize) -> Kept {
    let mut kept = Kept { at: first, order: u64::MAX };
    for (i, &order) in window.iter().enumerate() {
        if order <= kept.order {
            kept = Kept { at: first + i, order };
        }
    }
    kept
}

fn high_half(hash: u64) -> u32 {
    (hash >> 32) as u32
}
