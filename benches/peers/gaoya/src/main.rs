//! Reads rows of JSON lines, signs them and looks each up among those before it, with the gaoya crate: `gaoya-pass BANDS ROWS own|fast FILE...`.
//!
//! Prints the ids of the rows that are like an earlier one: an estimated Jaccard index of 0.8 or more. Files are read and signed side by side; the
//! index is filled in order. `own`: words and shingles by the crate's own text module, as its documentation uses it. `fast`: a tokeniser made for
//! this measurement that makes no string of a word, so that the crate's kernel and index are seen alone; its words are `folded_words` of
//! ../dedup.py without NFKC: a run of letters and digits in lower case, or one character of a script without spaces.

use std::io::{BufRead, BufReader, BufWriter, Write};

use gaoya::minhash::{MinHashIndex, MinHasher, MinHasher32};
use gaoya::text::{shingle_tokens, whitespace_split};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

const SHINGLE_WORDS: usize = 5;
const THRESHOLD: f64 = 0.8;

#[derive(serde::Deserialize)]
struct Row {
    id: String,
    text: String,
}

fn is_word_alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}')
}

/// The hashes of the words of a text.
fn words(text: &str, buffer: &mut Vec<u8>, out: &mut Vec<u64>) {
    out.clear();
    buffer.clear();
    let mut end = |buffer: &mut Vec<u8>| {
        if !buffer.is_empty() {
            out.push(xxh3_64(buffer));
            buffer.clear();
        }
    };
    let mut encoded = [0; 4];
    for c in text.chars() {
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() { buffer.push(c.to_ascii_lowercase() as u8) } else { end(buffer) }
        } else if is_word_alone(c) {
            end(buffer);
            buffer.extend_from_slice(c.encode_utf8(&mut encoded).as_bytes());
            end(buffer);
        } else if c.is_alphanumeric() {
            c.to_lowercase().for_each(|c| buffer.extend_from_slice(c.encode_utf8(&mut encoded).as_bytes()));
        } else {
            end(buffer);
        }
    }
    end(buffer);
}

/// The set of shingles of words, as hashes.
fn shingles(words: &[u64], out: &mut Vec<u64>) {
    out.clear();
    out.extend(words.windows(SHINGLE_WORDS).map(|words| {
        words.iter().fold(0_u64, |key, word| (key.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }));
}

type Signature = Vec<u32>;

/// Signs texts; none for one without a shingle.
struct Signer<'a, H> {
    hasher: &'a H,
    is_fast: bool,
    buffer: Vec<u8>,
    words: Vec<u64>,
    shingles: Vec<u64>,
}

impl<H: MinHasher<V = u32>> Signer<'_, H> {
    fn sign(&mut self, text: &str) -> Option<Signature> {
        if self.is_fast {
            words(text, &mut self.buffer, &mut self.words);
            shingles(&self.words, &mut self.shingles);
            return (!self.shingles.is_empty()).then(|| self.hasher.create_signature(self.shingles.iter()));
        }
        let lower = text.to_lowercase();
        let words: Vec<&str> = whitespace_split(&lower).collect();
        (words.len() >= SHINGLE_WORDS).then(|| self.hasher.create_signature(shingle_tokens(&words, SHINGLE_WORDS)))
    }
}

fn sign_file<H: MinHasher<V = u32>>(path: &str, mut signer: Signer<'_, H>) -> Vec<(String, Option<Signature>)> {
    let decoder = zstd::stream::read::Decoder::new(std::fs::File::open(path).expect("opens")).expect("zstd");
    let (mut lines, mut line, mut signed) = (BufReader::with_capacity(1 << 20, decoder), Vec::new(), Vec::new());
    while lines.read_until(b'\n', &mut line).expect("reads") > 0 {
        let Row { id, text } = serde_json::from_slice(&line).expect("a row");
        signed.push((id, signer.sign(&text)));
        line.clear();
    }
    signed
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (bands, rows) = (arguments[0].parse().expect("bands"), arguments[1].parse().expect("rows"));
    let hasher = MinHasher32::new(bands * rows);
    let is_fast = arguments[2] == "fast";
    let signer = || Signer { hasher: &hasher, is_fast, buffer: Vec::new(), words: Vec::new(), shingles: Vec::new() };
    let files: Vec<_> = arguments[3..].par_iter().map(|path| sign_file(path, signer())).collect();
    let mut index = MinHashIndex::new(bands, rows, THRESHOLD);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (number, (id, signature)) in (0_u32..).zip(files.into_iter().flatten()) {
        let Some(signature) = signature else { continue };
        if index.query(&signature).is_empty() {
            index.insert(number, signature);
        } else {
            writeln!(out, "{id}").expect("writes");
        }
    }
}
