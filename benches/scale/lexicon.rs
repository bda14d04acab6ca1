//! The made-up language: words by frequency as in English, set phrases, sentences.
//!
//! Word of rank r is drawn with probability 1 / (r + 2.7) up to rank 7,873 and 1 / r^1.77 beyond: the double power law that
//! M. Gerlach and E. G. Altmann fitted to English ("Stochastic model for the vocabulary growth in natural languages", Physical Review X 3,
//! 2013), with Mandelbrot's shift for the most frequent words. There is no last word: the vocabulary grows with the text, with an exponent of
//! 1 / 1.77 (Heaps' law).
//!
//! A tenth of the places starts a set phrase of two to five words: texts share word sequences by chance, as real ones do (of the 8-grams of
//! Linux manual pages, 0.03 % are among the anchors of 60 MB of other documentation; of the made-up ones about as many).

use super::random::Random;

/// Rank at which the tail begins, its exponent, and the shift of the head; see above.
const TAIL_FIRST: f64 = 7_873.0;
const TAIL_EXPONENT: f64 = 1.77;
const SHIFT: f64 = 2.7;
/// Words whose spelling is kept in a table: 97 % of all text.
const SPELLED: u64 = 1 << 16;
/// Rarest rank that is told from others.
const RANK_MAX: u64 = 1 << 40;
/// Set phrases, and the share of places where one begins.
const PHRASES: u64 = 1 << 15;
const PHRASE_SHARE: f64 = 0.1;
/// Share of places where a number stands.
const NUMBER_SHARE: f64 = 0.015;
/// Share of places where a word of the document's own subject stands: rare words come in bursts.
const SUBJECT_SHARE: f64 = 0.08;
const SUBJECT_WORDS: usize = 32;

/// The most frequent words, those of English.
const FREQUENT: [&str; 100] = [
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not", "he",
    "i", "this", "are", "or", "his", "from", "at", "which", "but", "have", "an", "had", "they", "you", "were", "their",
    "one", "all", "we", "can", "her", "has", "there", "been", "if", "more", "when", "will", "would", "who", "so", "no",
    "she", "other", "its", "may", "these", "what", "them", "than", "some", "him", "time", "into", "only", "do", "such",
    "my", "new", "about", "out", "also", "two", "any", "up", "first", "could", "our", "then", "most", "see", "me",
    "should", "after", "said", "your", "very", "between", "made", "many", "over", "like", "those", "did", "now",
    "even", "well", "where", "must", "through", "how", "same",
];

/// Parts of a syllable. No nucleus begins like an onset ends, and no coda is an onset: a word is spelled in one way only.
const ONSETS: [&str; 16] = ["b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "p", "r", "t", "v", "w", "ch"];
const NUCLEI: [&str; 8] = ["e", "a", "i", "o", "u", "ea", "ou", "ai"];
const CODAS: [&str; 8] = ["", "n", "s", "nt", "nd", "st", "ns", "ng"];
const SYLLABLES: u64 = 16 * 8 * 8;

/// The words and phrases of the made-up language.
pub(crate) struct Lexicon {
    spellings: Strings,
    phrases: Strings,
    /// Share of the head in all words, and the logarithm of its range.
    head_share: f64,
    head_log: f64,
}

/// Many short strings behind each other.
struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    fn new() -> Self {
        Self { text: String::new(), ends: vec![0] }
    }

    fn close(&mut self) {
        self.ends.push(u32::try_from(self.text.len()).expect("a lexicon has a few megabytes"));
    }

    fn at(&self, idx: usize) -> &str {
        &self.text[self.ends[idx] as usize..self.ends[idx + 1] as usize]
    }
}

/// What a document is about: words that are rare elsewhere.
pub(crate) struct Subject(Vec<String>);

impl Lexicon {
    /// Makes the lexicon; every corpus has the same.
    pub(crate) fn new() -> Self {
        let head_log = ((TAIL_FIRST + SHIFT) / (1.0 + SHIFT)).ln();
        let tail = TAIL_FIRST / (TAIL_FIRST + SHIFT) / (TAIL_EXPONENT - 1.0);
        let mut spellings = Strings::new();
        for rank in 0..SPELLED {
            spell(rank, &mut spellings.text);
            spellings.close();
        }
        let head_share = head_log / (head_log + tail);
        let mut lexicon = Self { spellings, phrases: Strings::new(), head_share, head_log };
        let mut phrases = Strings::new();
        for number in 0..PHRASES {
            let mut random = Random::of(0, 1, number);
            for n in 0..2 + random.below(4) {
                if n > 0 {
                    phrases.text.push(' ');
                }
                lexicon.push_rank(lexicon.draw_rank(&mut random), &mut phrases.text);
            }
            phrases.close();
        }
        lexicon.phrases = phrases;
        lexicon
    }

    /// Draws a rank from 0, by inverse transform.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=RANK_MAX before")]
    fn draw_rank(&self, random: &mut Random) -> u64 {
        let share = random.share();
        let rank = if share < self.head_share {
            (1.0 + SHIFT) * (share / self.head_share * self.head_log).exp() - SHIFT - 1.0
        } else {
            let rest = (1.0 - share) / (1.0 - self.head_share);
            TAIL_FIRST * rest.powf(-1.0 / (TAIL_EXPONENT - 1.0))
        };
        rank.clamp(0.0, RANK_MAX as f64) as u64
    }

    fn push_rank(&self, rank: u64, text: &mut String) {
        match usize::try_from(rank) {
            Ok(idx) if rank < SPELLED => text.push_str(self.spellings.at(idx)),
            _ => spell(rank, text),
        }
    }

    /// Appends one word.
    pub(crate) fn push_word(&self, random: &mut Random, text: &mut String) {
        self.push_rank(self.draw_rank(random), text);
    }

    /// Chooses what a document is about.
    pub(crate) fn subject(&self, random: &mut Random) -> Subject {
        let word = |_| {
            // Ranks of 1,000 to 1,000,000, every order of magnitude as often.
            let rank = 1_000.0 * (random.share() * 1_000_f64.ln()).exp();
            let mut word = String::new();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1,000 and 1,000,000")]
            self.push_rank(rank as u64, &mut word);
            word
        };
        Subject((0..SUBJECT_WORDS).map(word).collect())
    }

    /// Appends paragraphs until `bytes` bytes were added.
    pub(crate) fn push_prose(&self, random: &mut Random, subject: &Subject, bytes: usize, text: &mut String) {
        let end = text.len() + bytes;
        while text.len() < end {
            for _ in 0..2 + random.below(6) {
                self.push_sentence(random, subject, text);
                if text.len() >= end {
                    break;
                }
                text.push(' ');
            }
            if text.ends_with(' ') {
                text.pop();
            }
            text.push_str("\n\n");
        }
    }

    /// Appends one sentence: 5 words and more, 19 on average.
    pub(crate) fn push_sentence(&self, random: &mut Random, subject: &Subject, text: &mut String) {
        let start = text.len();
        let mut left = 4 + random.power_law(40.0, 5.0, 200);
        loop {
            // One number decides what stands here, which of the subject's words, and whether a comma follows.
            let choice = random.share();
            if choice < PHRASE_SHARE {
                let bits = random.share() * (PHRASES as f64).ln();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below PHRASES")]
                text.push_str(self.phrases.at(bits.exp() as usize % PHRASES as usize));
            } else if choice < PHRASE_SHARE + NUMBER_SHARE {
                push_number(random.next() >> (44 + random.below(20)), text);
            } else if choice < PHRASE_SHARE + NUMBER_SHARE + SUBJECT_SHARE {
                // The smaller of two: some of the subject's words are its main ones.
                text.push_str(&subject.0[random.below(SUBJECT_WORDS).min(random.below(SUBJECT_WORDS))]);
            } else {
                self.push_word(random, text);
            }
            if left == 0 {
                break;
            }
            left -= 1;
            text.push_str(if choice > 0.94 { ", " } else { " " });
        }
        text.push('.');
        if let Some(first) = text.get_mut(start..=start) {
            first.make_ascii_uppercase();
        }
    }
}

fn push_number(number: u64, text: &mut String) {
    use std::fmt::Write as _;
    // Writing into a string never fails.
    let _ = write!(text, "{number}");
}

/// Spells the word of a rank: frequent words are short.
fn spell(rank: u64, text: &mut String) {
    if let Some(word) = usize::try_from(rank).ok().and_then(|idx| FREQUENT.get(idx)) {
        text.push_str(word);
        return;
    }
    let mut left = rank - FREQUENT.len() as u64;
    // Odd multipliers permute the syllables, so that words of neighbouring ranks do not look alike.
    let mut factor = 389;
    loop {
        let syllable = usize::try_from(left % SYLLABLES * factor % SYLLABLES).expect("below 1,024");
        text.push_str(ONSETS[syllable % 16]);
        text.push_str(NUCLEI[syllable / 16 % 8]);
        text.push_str(CODAS[syllable / 128]);
        left /= SYLLABLES;
        if left == 0 {
            return;
        }
        // Words of n + 1 syllables start after all words of n.
        left -= 1;
        factor += 2;
    }
}
