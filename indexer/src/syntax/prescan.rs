//! One look at the bytes before the parser sees them: what would take it quadratic time is not parsed.
//!
//! tree-sitter looks at its deadline once per hundred operations, and one operation can read the whole rest of a text. So these texts
//! have to be known before. All limits are far above what people write and far below what hurts.

use crate::language::Language;

/// Most lines that end in a backslash, one after the other with nothing else in them. A macro of C has some hundred with something in them.
const CONTINUATIONS_MAX: u32 = 64;

/// Most brackets that are open at once. Nested literals reach some dozens.
const NESTING_MAX: i32 = 1000;

/// Most NUL bytes in a row.
const NULS_MAX: u32 = 64;

/// Most characters of operators in a row, blanks and line ends not counted. Comments draw lines with some hundred.
const OPERATORS_MAX: u32 = 1024;

/// Most names followed by `<` that no `>` closes: a parser of generics tries each as a type and as a comparison.
const ANGLES_MAX: u32 = 256;

/// Most openings `r#"` of raw strings that no `"#` closed.
const RAW_OPENINGS_MAX: u32 = 256;

/// Most bars with no bracket, comma or semicolon among them: each may begin a closure in a closure.
const BARS_MAX: u32 = 4096;

/// Most bytes in lines of comments, times the lines, over all stretches of such lines. A scanner that looks behind each line of comments for the next one
/// of code reads the rest of the stretch once a line, at 2 ns a byte and line: 0.15 s. The longest licence, 700 lines, has a third of it.
const COMMENT_STEPS_MAX: usize = 1 << 26;

/// A piece of a text that is looked at for repetition, in bytes: at twice this size, repeated prefixes begin to take longer than code.
const PIECE_BYTES: usize = 4096;

/// Longest pattern whose repetition is looked for, in bytes.
const PERIOD_MAX: usize = 16;

/// Tells why a text would take a parser too long; none for what people write. One pass, a nanosecond a byte.
pub(super) fn find_hostile(text: &[u8], language: Language) -> Option<&'static str> {
    if language == Language::Python && count_comment_steps(text) > COMMENT_STEPS_MAX {
        return Some("comments without end");
    }
    let (mut continuations, mut nuls, mut operators, mut raw_openings, mut angles, mut bars) = (0, 0, 0, 0, 0_u32, 0);
    let mut nesting = 0_i32;
    let mut previous = 0_u8;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => {
                nesting += 1;
                if nesting > NESTING_MAX {
                    return Some("brackets are nested too deep");
                }
            }
            b')' | b']' | b'}' => nesting = (nesting - 1).max(0),
            0 => {
                nuls += 1;
                if nuls > NULS_MAX {
                    return Some("a run of NUL bytes");
                }
            }
            b'"' if previous == b'#' && at >= 2 && text[at - 2] == b'r' => {
                raw_openings += 1;
                if raw_openings > RAW_OPENINGS_MAX {
                    return Some("raw strings that do not end");
                }
            }
            b'#' if previous == b'"' => raw_openings = raw_openings.saturating_sub(1),
            b'\n' if previous == b'\\' || previous == b'\r' && at >= 2 && text[at - 2] == b'\\' => {
                continuations += 1;
                if continuations > CONTINUATIONS_MAX {
                    return Some("a run of continued lines");
                }
            }
            _ => {}
        }
        match byte {
            b'&' | b'!' | b'~' | b'-' | b'+' | b'*' | b'?' | b'<' | b'>' | b'|' | b'@' | b'^' => {
                operators += 1;
                if operators > OPERATORS_MAX {
                    return Some("a run of operators");
                }
            }
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => operators = 0,
        }
        match byte {
            b'<' if previous.is_ascii_alphanumeric() => {
                angles += 1;
                if angles > ANGLES_MAX {
                    return Some("angle brackets that do not close");
                }
            }
            b'>' => angles = angles.saturating_sub(1),
            b'|' => {
                bars += 1;
                if bars > BARS_MAX {
                    return Some("a run of bars");
                }
            }
            b';' | b'{' | b'}' | b'(' | b')' => (angles, bars) = (0, 0),
            b'[' | b']' | b',' => bars = 0,
            _ => {}
        }
        if !byte.is_ascii_whitespace() && byte != b'\\' {
            continuations = 0;
        }
        if byte != 0 {
            nuls = 0;
        }
        previous = byte;
    }
    text.chunks_exact(PIECE_BYTES).any(is_repetition).then_some("a short pattern repeated")
}

/// Counts words and marks, in comments and strings as well: about what a parser makes of a text.
pub(super) fn count_tokens(text: &[u8]) -> usize {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let (mut n_tokens, mut was_word) = (0, false);
    for &byte in text {
        let is_inside = is_word(byte);
        n_tokens += usize::from(!(byte.is_ascii_whitespace() || is_inside && was_word));
        was_word = is_inside;
    }
    n_tokens
}

/// Returns, for all stretches of lines that are comments or blank, the sum of their bytes times their lines.
fn count_comment_steps(text: &[u8]) -> usize {
    let (mut n_steps, mut n_lines, mut n_bytes) = (0_usize, 0_usize, 0_usize);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match line.trim_ascii_start().first() {
            Some(b'#') => (n_lines, n_bytes) = (n_lines + 1, n_bytes + line.len()),
            None => n_bytes += line.len(),
            Some(_) => {
                n_steps = n_steps.saturating_add(n_lines * n_bytes);
                (n_lines, n_bytes) = (0, 0);
            }
        }
    }
    n_steps.saturating_add(n_lines * n_bytes)
}

/// Tells whether a piece is a pattern of a few bytes again and again, other than blanks, one letter, or the entries of a table.
fn is_repetition(piece: &[u8]) -> bool {
    let Some(period) = (1..=PERIOD_MAX).find(|&period| piece[period..] == piece[..piece.len() - period]) else {
        return false;
    };
    let pattern = &piece[..period];
    let is_table = pattern.contains(&b',')
        && pattern
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b',' | b' ' | b'\n' | b'.' | b'\'' | b'"'));
    let is_one = period == 1 && (pattern[0].is_ascii_alphanumeric() || !pattern[0].is_ascii());
    !is_table && !is_one && !pattern.iter().all(u8::is_ascii_whitespace)
}
