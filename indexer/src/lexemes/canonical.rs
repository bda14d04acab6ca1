//! Canonical spellings of literals: one for all that mean the same.

use crate::language::lexicon::{Content, Lexicon};

/// Adds the canonical spelling of what stands between the quotes of a string.
///
/// Escaped quotes are quotes, a raw backslash is an escaped one, line breaks and tabs are escaped. Other escapes stay:
/// `\x41` is not `A`.
pub(super) fn append_content(content: &str, is_raw: bool, kind: Content, out: &mut String) {
    let is_special = |byte: u8| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t');
    let bytes = content.as_bytes();
    // A block's first line break belongs to its opening quote.
    let mut at = if kind == Content::Block { blanks(bytes, 0) } else { 0 };
    if kind == Content::Block && at < bytes.len() && is_special(bytes[at]) && bytes[at] != b'\\' {
        at = blanks(bytes, behind_line_break(bytes, at));
    }
    loop {
        let n_plain = bytes[at..].iter().position(|&byte| is_special(byte)).unwrap_or(bytes.len() - at);
        out.push_str(&content[at..at + n_plain]);
        at += n_plain;
        let Some(&byte) = bytes.get(at) else { return };
        at = match byte {
            b'\t' => {
                out.push_str("\\t");
                at + 1
            }
            b'\\' if is_raw => {
                out.push_str("\\\\");
                at + 1
            }
            b'\\' => append_escape(bytes, at, kind, out),
            _ => {
                out.push_str("\\n");
                let next = behind_line_break(bytes, at);
                if kind == Content::Block { blanks(bytes, next) } else { next }
            }
        };
    }
}

/// Adds an escape that begins at `at`, and returns the place behind what was added.
fn append_escape(bytes: &[u8], at: usize, kind: Content, out: &mut String) -> usize {
    match bytes.get(at + 1) {
        Some(b'\n' | b'\r') => {
            let next = behind_line_break(bytes, at + 1);
            if kind == Content::Wrapped { all_blanks(bytes, next) } else { next }
        }
        Some(&quote @ (b'"' | b'\'' | b'`')) => {
            out.push(char::from(quote));
            at + 2
        }
        Some(&escaped) if escaped.is_ascii() => {
            out.push('\\');
            out.push(char::from(escaped));
            at + 2
        }
        _ => {
            out.push('\\');
            at + 1
        }
    }
}

fn behind_line_break(bytes: &[u8], at: usize) -> usize {
    at + if bytes[at..].starts_with(b"\r\n") { 2 } else { 1 }
}

fn blanks(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn all_blanks(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Tells whether a number is its own canonical spelling: digits, no zero before others.
pub(super) fn is_canonical_number(number: &[u8]) -> bool {
    number.iter().all(u8::is_ascii_digit) && (number.len() == 1 || number[0] != b'0') && number.len() < 39
}

/// Replaces `out` by the canonical spelling of a number: whole numbers in decimal where they fit 128 bits, small
/// letters, no separators, no zeros that mean nothing; suffixes stay.
///
/// `0xFF` is `255`, `1_000usize` is `1000usize`, `1.` and `1.00` are `1.0`, `1e+05` is `1.0e5`.
pub(super) fn write_number(number: &str, lexicon: &Lexicon, out: &mut String) {
    out.clear();
    let separator = char::from(lexicon.digit_separator);
    let plain: String = number.chars().filter(|&c| c != separator).map(|c| c.to_ascii_lowercase()).collect();
    let radix = match plain.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 10,
    };
    let digits = if radix == 10 { &plain[..] } else { &plain[2..] };
    let n_digits = digits.bytes().take_while(|&byte| char::from(byte).is_digit(radix)).count();
    let (whole, rest) = digits.split_at(n_digits);
    let is_fraction = rest.starts_with(['.', 'p']) || radix == 10 && rest.starts_with('e');
    let is_whole = !is_fraction;
    let is_old_octal = radix == 10 && lexicon.zero_means_octal && whole.len() > 1 && whole.starts_with('0');
    let radix = if is_old_octal && whole.bytes().all(|byte| byte < b'8') { 8 } else { radix };
    if is_whole && let Ok(value) = u128::from_str_radix(whole, radix) {
        out.push_str(&value.to_string());
        out.push_str(rest);
    } else if radix == 16 || is_whole {
        out.push_str(&plain);
    } else {
        write_fraction(&plain, out);
    }
}

/// Adds a decimal number with a dot or an exponent.
fn write_fraction(number: &str, out: &mut String) {
    let n_whole = number.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = number.split_at(n_whole);
    let after_dot = rest.strip_prefix('.').unwrap_or(rest);
    let n_fraction = after_dot.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = after_dot.split_at(n_fraction);
    let or_zero = |digits: &str| if digits.is_empty() { "0".to_owned() } else { digits.to_owned() };
    out.push_str(&or_zero(whole.trim_start_matches('0')));
    out.push('.');
    out.push_str(&or_zero(fraction.trim_end_matches('0')));
    match rest.strip_prefix('e') {
        Some(exponent) if exponent.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') => {
            out.push('e');
            let digits = exponent.trim_start_matches(['+', '-']);
            if exponent.starts_with('-') {
                out.push('-');
            }
            out.push_str(&or_zero(digits.trim_start_matches('0')));
        }
        _ => out.push_str(rest),
    }
}
