//! The letters in which two pieces of code are aligned: what is left of a lexeme when every name may be another.
//!
//! A keyword, an operator and a bracket are themselves, a literal is its class. A name is its role and how far back the same name stands, as far as
//! that is near (11 lexemes): strangers share `name ( name` everywhere, but seldom which of the names are the same. Names that are
//! the same only under the map of [`renaming`](super::renaming) are for that to judge.

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
                let near = at.saturating_sub(NEAR_LEXEMES)..at;
                let before = near
                    .rev()
                    .position(|other| lexemes.hashes[other] == hash && lexemes.kinds[other] == LexemeKind::Name);
                let distance = before.map_or(0, |before| before as u64 + 1);
                NAME ^ role_letter(roles.roles[at]) << 8 ^ distance
            }
        });
    }
}

fn role_letter(role: Role) -> u64 {
    match role {
        Role::None | Role::Plain => 0,
        Role::Called => 1,
        Role::Member => 2,
        Role::Argument => 3,
    }
}
