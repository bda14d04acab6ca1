//! A small comparison of two texts word by word, to show a person where they differ.
//!
//! The verdict never depends on it: the engine has aligned both texts already and reports only counts. This one works on what fits
//! on a screen.

use std::ops::Range;

use super::visible::is_hidden;

/// Most words and signs compared per side: above what any excerpt on a screen holds, and the table stays below 5 MB.
const TOKENS_MAX: usize = 1500;

/// Where two texts differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Comparison {
    /// Stretches of the left text that the right one does not have, in bytes.
    pub(super) left_only: Vec<Range<usize>>,
    /// Stretches of the right text that the left one does not have, in bytes.
    pub(super) right_only: Vec<Range<usize>>,
    /// Words that are the same, by their first bytes (left, right), ascending in both.
    pub(super) same: Vec<(usize, usize)>,
    /// How many words were changed.
    pub(super) counts: Counts,
    /// Whether all of both texts was compared.
    pub(super) is_complete: bool,
}

/// How many words were changed between the right text and the left one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Words that stand in place of others.
    pub(super) substituted: usize,
    /// Words that only the left text has.
    pub(super) inserted: usize,
    /// Words that only the right text has.
    pub(super) deleted: usize,
}

/// A word or a sign.
struct Token {
    range: Range<usize>,
    /// What is compared: folded case, unified quotes and dashes.
    key: String,
    is_word: bool,
}

/// Compares two texts by a longest common subsequence of words and signs; case and the shape of quotes and dashes do not count.
///
/// Cost: the product of both lengths in tokens after their common ends are cut off, at most 2.3 million steps, and the square of each
/// gap.
pub(super) fn compare(left: &str, right: &str) -> Comparison {
    let (left, is_left_complete) = tokens(left);
    let (right, is_right_complete) = tokens(right);
    let mut comparison = Comparison { is_complete: is_left_complete && is_right_complete, ..Comparison::default() };
    let (mut left_done, mut right_done) = (0, 0);
    let pairs = common_subsequence(&left, &right);
    for (left_idx, right_idx) in pairs.into_iter().chain([(left.len(), right.len())]) {
        let (gap, other_gap) = (&left[left_done..left_idx], &right[right_done..right_idx]);
        let n_words = |tokens: &[Token]| tokens.iter().filter(|token| token.is_word).count();
        let (n, n_other) = (n_words(gap), n_words(other_gap));
        comparison.counts.substituted += n.min(n_other);
        comparison.counts.inserted += n.saturating_sub(n_other);
        comparison.counts.deleted += n_other.saturating_sub(n);
        let stretch = |tokens: &[Token]| Some(tokens.first()?.range.start..tokens.last()?.range.end);
        comparison.left_only.extend(stretch(gap));
        comparison.right_only.extend(stretch(other_gap));
        if let (Some(token), Some(other)) = (left.get(left_idx), right.get(right_idx)) {
            comparison.same.push((token.range.start, other.range.start));
        }
        (left_done, right_done) = (left_idx + 1, right_idx + 1);
    }
    comparison
}

/// Returns pairs of equal tokens, ascending in both, as many as possible.
fn common_subsequence(left: &[Token], right: &[Token]) -> Vec<(usize, usize)> {
    let is_same = |(a, b): (&Token, &Token)| a.key == b.key;
    let n_head = left.iter().zip(right).take_while(|&pair| is_same(pair)).count();
    let (left_rest, right_rest) = (&left[n_head..], &right[n_head..]);
    let n_tail = left_rest.iter().rev().zip(right_rest.iter().rev()).take_while(|&pair| is_same(pair)).count();
    let (rows, columns) = (left_rest.len() - n_tail, right_rest.len() - n_tail);

    // lengths[row][column]: most pairs among left_rest[row..rows] and right_rest[column..columns]; at most TOKENS_MAX, so u16 holds it.
    let width = columns + 1;
    let mut lengths = vec![0_u16; (rows + 1) * width];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let at = row * width + column;
            lengths[at] = if left_rest[row].key == right_rest[column].key {
                lengths[at + width + 1] + 1
            } else {
                lengths[at + width].max(lengths[at + 1])
            };
        }
    }
    let mut pairs: Vec<_> = (0..n_head).map(|idx| (idx, idx)).collect();
    let (mut row, mut column) = (0, 0);
    while lengths[row * width + column] > 0 {
        let best = lengths[row * width + column];
        // In repetitive texts there are many longest ones; the next pair is the nearest that loses nothing.
        let nearest = (0..).find_map(|distance: usize| {
            (0..=distance).map(|down| (row + down, column + distance - down)).find(|&(row, column)| {
                row < rows
                    && column < columns
                    && lengths[row * width + column] == best
                    && left_rest[row].key == right_rest[column].key
            })
        });
        // While pairs are left, one of them is the first of a longest rest.
        let Some((next_row, next_column)) = nearest else { break };
        pairs.push((n_head + next_row, n_head + next_column));
        (row, column) = (next_row + 1, next_column + 1);
    }
    pairs.extend((0..n_tail).rev().map(|from_end| (left.len() - 1 - from_end, right.len() - 1 - from_end)));
    pairs
}

/// Cuts a text into words and signs, and tells whether all of it was.
fn tokens(text: &str) -> (Vec<Token>, bool) {
    let mut out: Vec<Token> = Vec::new();
    for (start, character) in text.char_indices() {
        if character.is_whitespace() {
            continue;
        }
        let is_word = character.is_alphanumeric() || character == '_';
        let end = start + character.len_utf8();
        if let Some(last) = out.last_mut().filter(|last| last.range.end == start) {
            // Marks and hidden characters belong to what they follow; what is hidden does not count.
            let is_mark = unicode_width::UnicodeWidthChar::width(character) == Some(0) || is_hidden(character);
            if is_mark || (is_word && last.is_word && !stands_alone(character) && !last.key.ends_with(stands_alone)) {
                last.range.end = end;
                if !is_hidden(character) {
                    last.key.extend(character.to_lowercase());
                }
                continue;
            }
        }
        if out.len() == TOKENS_MAX {
            return (out, false);
        }
        let key = if is_hidden(character) { String::new() } else { unified(character).to_lowercase().collect() };
        out.push(Token { range: start..end, key, is_word });
    }
    (out, true)
}

/// Returns one shape for the many of quotes and dashes.
fn unified(character: char) -> char {
    match character {
        '\u{2018}'..='\u{201b}' | '`' | '\u{b4}' => '\'',
        '\u{201c}'..='\u{201f}' | '«' | '»' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => character,
    }
}

/// Tells whether a character is a word of its own, because its script has no spaces between words.
fn stands_alone(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(left: &str, right: &str, left_only: &[&str], right_only: &[&str], counts: (usize, usize, usize)) {
        let found = compare(left, right);
        let texts = |text: &str, ranges: &[Range<usize>]| -> Vec<String> {
            ranges.iter().map(|range| text[range.clone()].to_owned()).collect()
        };
        assert_eq!(texts(left, &found.left_only), left_only, "{left:?} / {right:?}");
        assert_eq!(texts(right, &found.right_only), right_only, "{left:?} / {right:?}");
        let Counts { substituted, inserted, deleted } = found.counts;
        assert_eq!((substituted, inserted, deleted), counts, "{left:?} / {right:?}");
        assert!(found.is_complete);
    }

    #[test]
    fn changed_words_are_found_and_counted() {
        check("the quick fox", "the quick fox", &[], &[], (0, 0, 0));
        check("the slow fox", "the quick fox", &["slow"], &["quick"], (1, 0, 0));
        check("the very quick fox", "the quick fox", &["very"], &[], (0, 1, 0));
        check("the fox", "the quick brown fox", &[], &["quick brown"], (0, 0, 2));
        check("a b c d", "x y", &["a b c d"], &["x y"], (2, 2, 0));
        check("", "gone", &[], &["gone"], (0, 0, 1));
        check("The QUICK\nfox", "the quick fox", &[], &[], (0, 0, 0));
        check("a ‘b’ – c", "a 'b' - c", &[], &[], (0, 0, 0));
        check("x = a + b", "x = a - b", &["+"], &["-"], (0, 0, 0));
        check("我喜欢猫", "我喜欢狗", &["猫"], &["狗"], (1, 0, 0));
        check("pass\u{200b}word", "password", &[], &[], (0, 0, 0));
        check("p\u{430}ssword", "password", &["p\u{430}ssword"], &["password"], (1, 0, 0));
    }

    #[test]
    fn repetitive_texts_are_paired_where_they_are_near() {
        let left = "a gloomy night, a book, and more. ".repeat(9);
        let right = "a dreary night, a volume, and more. ".repeat(3);
        let found = compare(&left, &right);
        assert_eq!(found.same[..3], [(0, 0), (9, 9), (14, 14)]);
        assert_eq!(found.left_only[..2], [2..8, 18..22]);
    }

    #[test]
    fn long_texts_are_compared_in_part() {
        let long = "word ".repeat(2 * TOKENS_MAX);
        let found = compare(&long, &long);
        assert!(!found.is_complete);
        assert_eq!(found.same.len(), TOKENS_MAX);
    }

    proptest! {
        #[test]
        fn what_is_the_same_and_what_is_not_cover_each_side(left in "[abc ]{0,24}", right in "[abc ]{0,24}") {
            let found = compare(&left, &right);
            let (left_tokens, right_tokens) = (tokens(&left).0, tokens(&right).0);
            for (tokens, ranges, same) in [
                (&left_tokens, &found.left_only, found.same.iter().map(|pair| pair.0).collect::<Vec<_>>()),
                (&right_tokens, &found.right_only, found.same.iter().map(|pair| pair.1).collect::<Vec<_>>()),
            ] {
                prop_assert!(same.is_sorted());
                for token in tokens {
                    let is_marked = ranges.iter().any(|range| range.contains(&token.range.start));
                    prop_assert_eq!(is_marked, !same.contains(&token.range.start));
                }
            }
            // The naive oracle: the longest subset of the left tokens that is a subsequence of the right ones.
            prop_assume!(left_tokens.len() <= 10);
            let best = (0_u32..1 << left_tokens.len())
                .filter(|subset| {
                    let mut rest = right_tokens.iter();
                    left_tokens.iter().enumerate().filter(|(idx, _)| subset >> idx & 1 == 1)
                        .all(|(_, token)| rest.any(|other| other.key == token.key))
                })
                .map(u32::count_ones)
                .max();
            prop_assert_eq!(best, u32::try_from(found.same.len()).ok());
        }
    }
}
