//! Texts for the speed benches: made from a fixed seed, or read from a file.
//!
//! The made English has the statistics that the code is sensitive to: Zipf-distributed words, lengths as in prose (mean
//! 4.7 letters, 13 % longer than eight), commas, sentences, capitals, paragraphs; 6.2 bytes a word. The other languages
//! have their own letters and habits.

/// Bytes of each made text: more than any cache of one core.
const TEXT_BYTES: usize = 8 << 20;

/// Returns the text of the file that `COPYTRACE_BENCH_TEXT` names, or made English.
pub(crate) fn english() -> String {
    match std::env::var_os("COPYTRACE_BENCH_TEXT") {
        Some(path) => std::fs::read_to_string(path).expect("COPYTRACE_BENCH_TEXT names a UTF-8 text"),
        None => made(
            "abcdefghijklmnopqrstuvwxyz",
            &[0.03, 0.17, 0.21, 0.16, 0.11, 0.08, 0.08, 0.06, 0.04, 0.03, 0.02, 0.01],
            " ",
        ),
    }
}

/// Returns made texts of other writing systems, each with its name.
#[allow(dead_code, reason = "one of the two benches asks for English alone")]
pub(crate) fn others() -> [(&'static str, String); 6] {
    let long = [0.05, 0.1, 0.12, 0.1, 0.1, 0.12, 0.1, 0.1, 0.08, 0.06, 0.04, 0.03];
    let short = [0.3, 0.45, 0.15, 0.1];
    let han: String = ('\u{4E00}'..='\u{5FFF}').collect();
    let thai: String = ('\u{0E01}'..='\u{0E2E}').chain("ะาิีึืุู่้็์เแโ".chars().cycle().take(40)).collect();
    let hindi: String = ('\u{0915}'..='\u{0939}').chain("ािीुूेैोौं्".chars().cycle().take(30)).collect();
    let hangul: String = ('\u{AC00}'..='\u{B3FF}').collect();
    [
        ("french", made("eeeeeaaaiiinnnsssrrttoollluuuddcmpéèàvqfbghjxyzwkç", &long, " ")),
        ("russian", made("оооееааииннттссррввллккмдпуяыьгзбчйхжшюцщэфъё", &long, " ")),
        ("chinese", made(&han, &short, "")),
        ("thai", made(&thai, &long, "")),
        ("hindi", made(&hindi, &long, " ")),
        ("korean", made(&hangul, &short, " ")),
    ]
}

/// Makes a text of Zipf-distributed words over an alphabet; `lengths[n - 1]` is the share of words of n letters.
fn made(alphabet: &str, lengths: &[f64], gap: &str) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut random = Random(1);
    let vocabulary: Vec<String> = (0..50_000)
        .map(|_| {
            let mut left = random.fraction() * lengths.iter().sum::<f64>();
            let shorter = lengths.iter().take_while(|&&share| {
                left -= share;
                left > 0.0
            });
            let n = 1 + shorter.count().min(lengths.len() - 1);
            (0..n).map(|_| letters[random.below(letters.len())]).collect()
        })
        .collect();
    let mut text = String::with_capacity(TEXT_BYTES + 100);
    let mut begins_sentence = true;
    while text.len() < TEXT_BYTES {
        // Rank r with probability about 1 / r: the logarithm of the rank is uniform.
        let rank = (vocabulary.len() as f64).powf(random.fraction());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is 1 to 50,000 and a bit")]
        let word = &vocabulary[rank as usize - 1];
        if begins_sentence {
            text.extend(word.chars().take(1).flat_map(char::to_uppercase));
            text.extend(word.chars().skip(1));
        } else {
            text.push_str(word);
        }
        begins_sentence = false;
        match random.below(40) {
            0..=2 => text.push(','),
            3..=4 => {
                text.push('.');
                begins_sentence = true;
            }
            5 => text.push_str(".\n\n"),
            _ => {}
        }
        text.push_str(gap);
    }
    text
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below n")]
        let remainder = (self.next() % n as u64) as usize;
        remainder
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
