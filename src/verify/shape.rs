//! The letters in which two pieces of code are compared: what is left of a lexeme when names may be others.
//!
//! Two alphabets, for two questions. For *alignment* every name may be another: a keyword, an operator and a bracket are themselves, a literal is its
//! class. A name is its role and how far back the same name stands, as far as that is near (11 lexemes): strangers share `name ( name`
//! everywhere, but seldom which of the names are the same. Names that are the same only under the map of [`renaming`](super::renaming) are
//! for that to judge. For *content*, [`compute_content_grams`], only what a renaming of variables leaves alone is the same.

use std::hash::{DefaultHasher, Hasher as _};

use copytrace_indexer::lexemes::{LexemeKind, Lexemes};

use super::renaming::{Role, Roles};

/// Distance in lexemes up to which a name knows its previous occurrence: that of the k-grams of the index.
const NEAR_LEXEMES: usize = 11;

/// Classes of letters that stand for no lexeme of their own; mixed with what distinguishes them.
const NUMBER: u64 = 0x9E37_79B9_7F4A_7C15;
const TEXT: u64 = 0xC2B2_AE3D_27D4_EB4F;
const NAME: u64 = 0x1656_67B1_9E37_79F9;

/// Replaces `shapes` by the letter of each lexeme.
///
/// Cost: 5 ns a lexeme.
pub fn compute_shapes(lexemes: &Lexemes, roles: &Roles, shapes: &mut Vec<u64>) {
    shapes.clear();
    for (at, (&kind, &hash)) in lexemes.kinds.iter().zip(&lexemes.hashes).enumerate() {
        shapes.push(match kind {
            LexemeKind::Keyword | LexemeKind::Mark => hash,
            LexemeKind::Number => NUMBER,
            LexemeKind::Text => TEXT,
            LexemeKind::Name => {
                let is_same = |other: usize| lexemes.hashes[other] == hash && lexemes.kinds[other] == LexemeKind::Name;
                NAME ^ role_letter(roles.roles[at]) << 8 ^ distance_back(at, NEAR_LEXEMES, is_same)
            }
        });
    }
}

/// Replaces `grams` by the key of every k-gram of lexemes in which literals, keywords, marks, called names and members are themselves, and
/// any other name is how far back it stands as such in the k-gram, or 0: `grams[i]` covers lexemes i to i + k - 1. Empty for fewer than k lexemes.
///
/// ```text
/// total += item.price * 3      and      acc += row.price * 3      are both      0 += 0.price * 3
/// ```
///
/// So two k-grams have the same key (but for one pair in 2^64) if one becomes the other by a renaming of variables, parameters and arguments, and
/// does not if they share their shape alone. Where a k-gram has no literal, called name or member, as in a list of names, there is nothing but
/// names to tell it from those of strangers: there they are themselves, too.
///
/// Why inside the k-gram: its key depends on no lexeme before it, so that a passage is known wherever it is cut.
///
/// Cost: 0.1 us a lexeme for k = 12, O(k) each.
pub fn compute_content_grams(lexemes: &Lexemes, roles: &Roles, k: usize, grams: &mut Vec<u64>) {
    debug_assert!(k > 0, "a k-gram has a lexeme");
    grams.clear();
    let is_plain = |at: usize| matches!(roles.roles[at], Role::Plain | Role::Argument);
    // In `item.price * price` the variable is another than the member, and renamed without it.
    let distance =
        |at: usize| distance_back(at, k - 1, |other| lexemes.hashes[other] == lexemes.hashes[at] && is_plain(other));
    let distances: Vec<u64> = (0..lexemes.len()).map(distance).collect();
    for first in 0..(lexemes.len() + 1).saturating_sub(k) {
        let places = first..first + k;
        let has_content = places.clone().any(|at| match lexemes.kinds[at] {
            LexemeKind::Keyword | LexemeKind::Mark => false,
            LexemeKind::Number | LexemeKind::Text => true,
            LexemeKind::Name => !is_plain(at),
        });
        let mut hasher = DefaultHasher::new();
        for at in places {
            let letter = if !is_plain(at) || !has_content {
                lexemes.hashes[at]
            } else if distances[at] > (at - first) as u64 {
                NAME
            } else {
                NAME ^ distances[at]
            };
            hasher.write_u64(letter);
        }
        grams.push(hasher.finish());
    }
}

/// Returns how many lexemes before one the last that is the same stands, at most `reach`; 0 where there is none.
fn distance_back(at: usize, reach: usize, is_same: impl Fn(usize) -> bool) -> u64 {
    (at.saturating_sub(reach)..at).rev().position(is_same).map_or(0, |before| before as u64 + 1)
}

fn role_letter(role: Role) -> u64 {
    match role {
        Role::None | Role::Plain => 0,
        Role::Called => 1,
        Role::Member => 2,
        Role::Argument => 3,
    }
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::language::Language;
    use copytrace_indexer::lexemes::Lexer;

    use super::super::marks::MarkTable;
    use super::*;

    fn grams_of(code: &str, k: usize) -> Vec<u64> {
        let lexer = Lexer::new(1);
        let (mut lexemes, mut marks, mut roles) = (Lexemes::default(), Vec::new(), Roles::default());
        let mut grams = vec![0];
        lexer.lexemes(code, Language::Rust, &mut lexemes);
        MarkTable::new(|kind, spelling| lexer.hash_of(kind, spelling)).find(&lexemes, &mut marks);
        roles.find(&lexemes, &marks);
        compute_content_grams(&lexemes, &roles, k, &mut grams);
        grams
    }

    #[test]
    fn content_stays_the_same_under_other_names_of_variables_alone() {
        let check = |one: &str, other: &str, is_same: bool| {
            let (ours, theirs) = (grams_of(one, 6), grams_of(other, 6));
            assert!(!ours.is_empty() && ours.len() == theirs.len(), "{one}, {other}");
            assert_eq!(ours == theirs, is_same, "{one}, {other}");
        };
        let code = "sum += item.price * price";
        for (other, is_same) in [
            ("acc += row.price * cost", true),
            ("acc += price.price * row", true),
            ("acc += row.price * row", false),
            ("sum += item.cost * price", false),
            ("sum -= item.price * price", false),
        ] {
            check(code, other, is_same);
        }
        check("f(a, b, \"x\")", "f(c, d, \"x\")", true);
        check("f(a, b, \"x\")", "f(a, a, \"x\")", false);
        check("f(a, b, \"x\")", "g(a, b, \"x\")", false);
        check("f(a, b, \"x\")", "f(a, b, \"y\")", false);
        // A list of names.
        check("{ a, b, c }", "{ d, e, f }", false);
        check("{ a, b, c, }", "{ a, b, c, }", true);
    }

    #[test]
    fn a_gram_of_content_does_not_depend_on_what_stands_before_it() {
        let (alone, behind) = (grams_of("b(a) + 1", 6), grams_of("a = b(a) + 1", 6));
        assert_eq!(alone[..], behind[2..]);
        assert!(grams_of("a + 1", 6).is_empty());
    }
}
