//! Prose-like text for benches: words drawn by Zipf's law, sentences, paragraphs; the same for the same seed.

/// A generator of random numbers with a fixed seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in [0, 1).
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Different words of the made-up language: as many as a corpus of some 10 MB of English has.
const VOCABULARY: f64 = 50_000.0;

/// Writes about `bytes` bytes of prose.
pub(crate) fn prose(random: &mut Random, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut in_sentence = 0;
    while text.len() < bytes {
        // Inverse transform of a Zipf-like density 1/x over 1..VOCABULARY.
        let rank = VOCABULARY.powf(random.share());
        let start = text.len();
        push_word(&mut text, rank);
        if in_sentence == 0 {
            text[start..].make_ascii_uppercase_first();
        }
        in_sentence += 1;
        let ending = random.next();
        if in_sentence > 6 && ending.is_multiple_of(12) {
            text.push_str(if ending.is_multiple_of(60) { ".\n\n" } else { ". " });
            in_sentence = 0;
        } else {
            text.push(' ');
        }
    }
    text
}

/// Spells the word of a rank: frequent words are short.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is between 1 and the vocabulary")]
fn push_word(text: &mut String, rank: f64) {
    const SYLLABLES: [&str; 20] = [
        "a", "ten", "ri", "on", "the", "is", "ma", "ver", "co", "per", "sta", "lin", "do", "ex", "tra", "um", "fi",
        "ble", "or", "qua",
    ];
    let mut rank = rank as usize;
    loop {
        text.push_str(SYLLABLES[rank % SYLLABLES.len()]);
        rank /= SYLLABLES.len();
        if rank == 0 {
            return;
        }
    }
}

trait UppercaseFirst {
    fn make_ascii_uppercase_first(&mut self);
}

impl UppercaseFirst for str {
    fn make_ascii_uppercase_first(&mut self) {
        if let Some(first) = self.get_mut(..1) {
            first.make_ascii_uppercase();
        }
    }
}
