//! What a file of code is when names are taken away: equal for files that a consistent renaming makes equal.
//!
//! The lexemes of the file, layout and comments gone; each name that the file could have chosen is the number of its first occurrence. What carries
//! meaning stays as it is spelt: keywords, literals, names behind a dot or a double colon (members, library functions), and lines of imports. So two
//! tables of other numbers, or two wrappers of other functions, are two contents.
//!
//! ```text
//! def area(w, h): return w * h     def f(a, b):  # size
//!                                      return a * b            one content
//! ```
//!
//! Cost: that of the lexer, and one look-up a name.

use std::collections::HashMap;

use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::{LexemeKind, Lexemes};
use copytrace_indexer::limits::LEXED_BYTES_MAX;
use xxhash_rust::xxh3::xxh3_128_with_seed;
use zerocopy::IntoBytes as _;

/// Least lexemes: smaller files are alike by chance.
const LEXEMES_MIN: usize = 50;

/// Words that make the names behind them, up to the end of the line, those of other files.
const IMPORTS: [&str; 7] = ["import", "from", "use", "include", "require", "package", "extern"];

/// Marks behind which a name is a member of something.
const MEMBER_MARKS: [&str; 4] = [".", "::", "->", "?."];

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Buffers {
    lexemes: Lexemes,
    codes: Vec<u64>,
    numbers: HashMap<u64, u64>,
}

/// Returns the hash of a file's form; none where it is prose, too short, or too long for the lexer.
pub(super) fn form_of(
    fingerprinter: &Fingerprinter,
    text: &str,
    language: Language,
    seed: u64,
    buffers: &mut Buffers,
) -> Option<[u8; 16]> {
    if !language.is_code() || text.len() > LEXED_BYTES_MAX {
        return None;
    }
    let Buffers { lexemes, codes, numbers } = buffers;
    fingerprinter.lexemes(text, language, lexemes);
    if lexemes.len() < LEXEMES_MIN {
        return None;
    }
    codes.clear();
    numbers.clear();
    // The language: what is spelt alike in two languages is not the same.
    codes.push(language as u64);
    let spelling = |at: usize| text.get(lexemes.starts[at] as usize..lexemes.ends[at] as usize).unwrap_or("");
    let mut is_import = false;
    for at in 0..lexemes.len() {
        let gap = at.checked_sub(1).map(|before| lexemes.ends[before] as usize..lexemes.starts[at] as usize);
        let begins_line = gap.is_none_or(|gap| text.get(gap).is_some_and(|gap| gap.contains('\n')));
        if begins_line {
            // `#include` begins with a mark.
            is_import = IMPORTS.contains(&spelling(at))
                || (spelling(at) == "#" && at + 1 < lexemes.len() && IMPORTS.contains(&spelling(at + 1)));
        }
        let is_member = at > 0 && MEMBER_MARKS.contains(&spelling(at - 1));
        let hash = lexemes.hashes[at];
        let is_free = lexemes.kinds[at] == LexemeKind::Name && !is_import && !is_member;
        codes.push(if is_free {
            let next = numbers.len() as u64;
            *numbers.entry(hash).or_insert(next)
        } else {
            hash
        });
    }
    Some(xxh3_128_with_seed(codes.as_bytes(), seed).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Option<[u8; 16]> {
        form_of(&Fingerprinter::public(), text, Language::Python, 1, &mut Buffers::default())
    }

    /// A file with other names, another number and another member.
    fn file(name: &str, number: u32, member: &str) -> String {
        let line = |n: u32| format!("    {name}{n} = {name} * {number} + list_of.{member}({name}, {n})\n");
        format!(
            "import os\n\ndef {name}_of({name}, list_of):\n{}    return {name}1\n",
            (0..8).map(line).collect::<Vec<_>>().concat()
        )
    }

    #[test]
    fn names_that_a_file_chose_make_no_difference_and_all_else_does() {
        let original = form(&file("alpha", 3, "index"));
        assert!(original.is_some());
        assert_eq!(form(&file("beta", 3, "index")), original);
        assert_eq!(form(&file("beta", 3, "index").replace('\n', "   # a remark\n").replace(" * ", "*")), original);
        assert_ne!(form(&file("alpha", 4, "index")), original);
        assert_ne!(form(&file("alpha", 3, "count")), original);
        assert_ne!(form(&file("alpha", 3, "index").replace("import os", "import re")), original);
        // Two names that become one are no renaming.
        assert_ne!(form(&file("alpha", 3, "index").replace("alpha1", "alpha2")), original);
    }

    #[test]
    fn prose_and_small_files_have_none() {
        assert_eq!(form("x = 1\n"), None);
        let prose = "word ".repeat(100);
        assert_eq!(form_of(&Fingerprinter::public(), &prose, Language::Text, 1, &mut Buffers::default()), None);
    }
}
