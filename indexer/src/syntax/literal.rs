//! Values of literals: two spellings of one value are one literal.

use super::names::{FACTOR, hash_bytes};
use crate::normalise::fold;

/// What is left of a literal in the loose form. Zero, one and the empty string are kept apart: they are structure rather than content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Zero,
    One,
    Integer,
    Float,
    EmptyText,
    Text,
    Bytes,
    Character,
}

impl Class {
    /// Returns the value that stands for the class under a key.
    pub(super) fn value(self, key: u64) -> u64 {
        fold(key ^ (1 + self as u64), FACTOR)
    }
}

/// Returns the class of a number and the hash of its value: `1_000`, `1000` and `0x3E8` are one number.
pub(super) fn number(key: u64, text: &[u8]) -> (Class, u64) {
    let mut buffer = [0; NUMBER_BYTES_MAX];
    let mut n = 0;
    for &byte in text.iter().filter(|&&byte| byte != b'_' && byte != b'\'') {
        if n == NUMBER_BYTES_MAX {
            return (Class::Integer, hash_bytes(key, text));
        }
        buffer[n] = byte.to_ascii_lowercase();
        n += 1;
    }
    let digits = &buffer[..n];
    let (radix, body) = match digits {
        [b'0', b'x', body @ ..] => (16, body),
        [b'0', b'o', body @ ..] => (8, body),
        [b'0', b'b', body @ ..] => (2, body),
        _ => (10, digits),
    };
    let n_digits = body.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let is_float = radix == 10
        && (body.get(n_digits) == Some(&b'.')
            || body.get(n_digits) == Some(&b'e')
                && body.get(n_digits + 1).is_some_and(|byte| !byte.is_ascii_lowercase()));
    if is_float {
        let n_float = body.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-')).count();
        let value = std::str::from_utf8(&body[..n_float]).ok().and_then(|number| number.parse::<f64>().ok());
        let bits = value.map_or_else(|| hash_bytes(key, body), f64::to_bits);
        return (Class::Float, with_suffix(key, Class::Float, bits, &body[n_float..]));
    }
    let value = body[..n_digits].iter().try_fold(0_u64, |value, byte| {
        value.checked_mul(u64::from(radix))?.checked_add(u64::from(char::from(*byte).to_digit(radix)?))
    });
    let class = match value {
        Some(0) => Class::Zero,
        Some(1) => Class::One,
        _ => Class::Integer,
    };
    let value = value.unwrap_or_else(|| hash_bytes(key, body));
    (class, with_suffix(key, Class::Integer, value, &body[n_digits..]))
}

/// Longest number whose value is computed, in bytes: a longer one is its own text.
const NUMBER_BYTES_MAX: usize = 64;

fn with_suffix(key: u64, class: Class, value: u64, suffix: &[u8]) -> u64 {
    let value = fold(class.value(key) ^ value, FACTOR);
    if suffix.is_empty() { value } else { fold(value ^ hash_bytes(key, suffix), FACTOR) }
}

/// What a string's prefix says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quoting {
    /// Backslashes stand for themselves.
    pub(super) is_raw: bool,
    /// It is made of bytes.
    pub(super) is_bytes: bool,
}

/// Appends the characters that a string literal means, and returns what its prefix says.
pub(super) fn read_string(text: &[u8], out: &mut Vec<u8>) -> Quoting {
    let n_prefix = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    let (prefix, rest) = text.split_at(n_prefix);
    let quoting = quoting_of(prefix);
    let Some(&quote) = rest.first() else { return quoting };
    let n_quotes = if rest.len() >= 6 && rest[..3] == [quote; 3] { 3 } else { 1 };
    let n_closing = n_quotes + prefix.iter().rev().take_while(|&&byte| byte == b'#').count();
    let body = rest.get(n_quotes..rest.len().saturating_sub(n_closing)).unwrap_or_default();
    read_characters(body, quoting.is_raw, out);
    quoting
}

/// Returns what the letters before a string's quote say.
pub(super) fn quoting_of(prefix: &[u8]) -> Quoting {
    let has = |letter: u8| prefix.iter().any(|byte| byte.to_ascii_lowercase() == letter);
    Quoting { is_raw: has(b'r'), is_bytes: has(b'b') }
}

/// Appends the characters that stand between quotes, escapes replaced by what they mean.
pub(super) fn read_characters(body: &[u8], is_raw: bool, out: &mut Vec<u8>) {
    if is_raw || !body.contains(&b'\\') {
        out.extend_from_slice(body);
        return;
    }
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let Some((&escape, after)) = rest.split_first().filter(|_| byte == b'\\') else {
            out.push(byte);
            continue;
        };
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'0' if !rest.first().is_some_and(u8::is_ascii_digit) => out.push(0),
            b'\\' | b'\'' | b'"' | b'`' => out.push(escape),
            b'\n' => rest = rest.trim_ascii_start(),
            b'x' | b'u' | b'U' => rest = read_code(escape, rest, out),
            _ => out.extend([b'\\', escape]),
        }
    }
}

/// Reads the hexadecimal digits of an escape and returns what follows them.
fn read_code<'a>(escape: u8, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let braces = usize::from(rest.first() == Some(&b'{'));
    let n_max = match escape {
        b'x' => 2,
        b'u' if braces == 0 => 4,
        _ => 8,
    };
    let digits = &rest[braces..];
    let n_digits = digits.iter().take(n_max).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let code =
        digits[..n_digits].iter().try_fold(0_u32, |code, &byte| Some(code << 4 | char::from(byte).to_digit(16)?));
    match code.filter(|_| n_digits > 0).and_then(char::from_u32) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([b'\\', escape]),
    }
    let used = braces + n_digits;
    &rest[used + usize::from(braces == 1 && rest.get(used) == Some(&b'}'))..]
}

/// Returns the class of a string and the hash of the characters that it means.
pub(super) fn text_value(key: u64, characters: &[u8], quoting: Quoting) -> (Class, u64) {
    let class = if quoting.is_bytes { Class::Bytes } else { Class::Text };
    let loose = if characters.is_empty() { Class::EmptyText } else { class };
    (loose, fold(class.value(key) ^ hash_bytes(key, characters), FACTOR))
}
