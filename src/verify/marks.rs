//! What keywords, operators and brackets tell about the lexemes beside them: one number of bits for each, looked up by hash.
//!
//! Roles, functions and aliases are read off lexemes without a parse. They ask the same few questions about each, so that the answers are looked up once.

use copytrace_indexer::lexemes::{LexemeKind, Lexemes};

/// Bits of a lexeme.
pub mod mark {
    /// What follows is a member: `.`, `->`, `::`.
    pub const BEFORE_MEMBER: u32 = 1;
    /// An opening bracket.
    pub const OPENS: u32 = 1 << 1;
    /// A closing bracket.
    pub const CLOSES: u32 = 1 << 2;
    /// What follows may be the name of an argument or a field.
    pub const BEFORE_ARGUMENT: u32 = 1 << 3;
    /// What stands before is called: `(`, `!`.
    pub const BEHIND_CALLED: u32 = 1 << 4;
    /// A name is introduced behind it: `let`, `for`, `def`.
    pub const BEFORE_BINDING: u32 = 1 << 5;
    /// A name is introduced before it: `=`, `in`, `:`.
    pub const BEHIND_BINDING: u32 = 1 << 6;
    /// `=`.
    pub const ASSIGNS: u32 = 1 << 7;
    /// `:`.
    pub const COLON: u32 = 1 << 8;
    /// `def`.
    pub const DEF: u32 = 1 << 9;
    /// `(`.
    pub const ROUND_OPENS: u32 = 1 << 10;
    /// `)`.
    pub const ROUND_CLOSES: u32 = 1 << 11;
    /// `{`.
    pub const BRACE_OPENS: u32 = 1 << 12;
    /// `}`.
    pub const BRACE_CLOSES: u32 = 1 << 13;
    /// A word before a bracket behind which a block is no function: `if`, `while`.
    pub const CONTROL: u32 = 1 << 14;
    /// `=` or `.`: a line that has it is no header of a function.
    pub const NO_HEADER: u32 = 1 << 15;
    /// `>`: may stand before the parameters of a function.
    pub const ANGLE_CLOSES: u32 = 1 << 16;
}

/// Which spellings have which bits.
const MARKS: [(u32, &[&str]); 15] = [
    (mark::BEFORE_MEMBER, &[".", "->", "::", "?."]),
    (mark::OPENS, &["(", "[", "{"]),
    (mark::CLOSES, &[")", "]", "}"]),
    (mark::BEFORE_ARGUMENT, &["(", ",", "{"]),
    (mark::BEHIND_CALLED, &["(", "!"]),
    (mark::BEFORE_BINDING, &["|", "*", "**"]),
    (mark::BEHIND_BINDING, &["=", ":=", "=>", ":", ",", ")"]),
    (mark::ASSIGNS, &["="]),
    (mark::COLON, &[":"]),
    (mark::ROUND_OPENS, &["("]),
    (mark::ROUND_CLOSES, &[")"]),
    (mark::BRACE_OPENS, &["{"]),
    (mark::BRACE_CLOSES, &["}"]),
    (mark::NO_HEADER, &["=", "."]),
    (mark::ANGLE_CLOSES, &[">"]),
];

const KEYWORDS: [(u32, &[&str]); 4] = [
    (
        mark::BEFORE_BINDING,
        &[
            "let",
            "mut",
            "for",
            "as",
            "def",
            "class",
            "fn",
            "import",
            "lambda",
            "var",
            "const",
            "ref",
            "struct",
            "enum",
            "trait",
            "type",
            "static",
            "mod",
            "interface",
            "func",
            "function",
            "in",
        ],
    ),
    (mark::BEHIND_BINDING, &["in"]),
    (mark::DEF, &["def"]),
    (
        mark::CONTROL,
        &["if", "for", "while", "switch", "catch", "match", "loop", "with", "return", "else", "synchronized", "try"],
    ),
];

/// Slots of the table: four times what it holds.
const SLOTS: usize = 256;

/// Looks up the bits of lexemes by their hashes.
#[derive(Debug, Clone)]
pub struct MarkTable {
    /// Hash and bits; open addressing, 0 bits for an empty slot.
    slots: Vec<(u64, u32)>,
}

impl MarkTable {
    /// Makes the table for lexemes hashed by `hash_of`.
    pub fn new(hash_of: impl Fn(LexemeKind, &str) -> u64) -> Self {
        let mut table = Self { slots: vec![(0, 0); SLOTS] };
        for (kind, rows) in [(LexemeKind::Mark, &MARKS[..]), (LexemeKind::Keyword, &KEYWORDS[..])] {
            for (bits, spellings) in rows {
                for spelling in *spellings {
                    table.add(hash_of(kind, spelling), *bits);
                }
            }
        }
        table
    }

    fn add(&mut self, hash: u64, bits: u32) {
        let mut slot = first_slot(hash);
        while self.slots[slot].1 != 0 && self.slots[slot].0 != hash {
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot].0 = hash;
        self.slots[slot].1 |= bits;
    }

    fn get(&self, hash: u64) -> u32 {
        let mut slot = first_slot(hash);
        // Three quarters of the slots are empty.
        while self.slots[slot].1 != 0 {
            if self.slots[slot].0 == hash {
                return self.slots[slot].1;
            }
            slot = (slot + 1) % SLOTS;
        }
        0
    }

    /// Replaces `marks` by the bits of each lexeme; names and literals have none.
    ///
    /// Cost: 2 ns a lexeme.
    pub fn find(&self, lexemes: &Lexemes, marks: &mut Vec<u32>) {
        marks.clear();
        marks.extend(lexemes.kinds.iter().zip(&lexemes.hashes).map(|(kind, &hash)| match kind {
            LexemeKind::Mark | LexemeKind::Keyword => self.get(hash),
            LexemeKind::Name | LexemeKind::Number | LexemeKind::Text => 0,
        }));
    }
}

fn first_slot(hash: u64) -> usize {
    usize::from(hash.to_le_bytes()[0]) % SLOTS
}
