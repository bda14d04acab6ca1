//! The spelling of code: what stays of its characters beside ASCII.
//!
//! Names are told apart by case, so code cannot be folded as prose is. All else of the normal form applies: what is
//! dropped, compatibility forms, look-alikes of Latin letters, digits of other scripts. A name in full-width letters,
//! with a Cyrillic `а` or with a zero-width space in it is the plain name.

use super::characters::{Behaviour, Class, class_of, entry, normalise_spelling};

/// Characters that may open or end strings and comments. Nothing else becomes one of them: a typographic quote in a
/// string does not end it.
const DELIMITERS: [char; 8] = ['"', '\'', '`', '\\', '#', '/', '\n', '\r'];

/// Tells whether a character of folded text belongs to a name: a letter, digit or mark of any script.
pub(crate) fn is_name_character(c: char) -> bool {
    class_of(c) != Class::Separator
}

/// Calls `replace(start, end, folded)` for every stretch of a text, in order, whose folded spelling is another.
///
/// Cost: one pass; ASCII is looked at byte by byte.
pub(crate) fn fold_spelling(text: &str, mut replace: impl FnMut(usize, usize, &str)) {
    let bytes = text.as_bytes();
    let mut folded = String::new();
    let mut at = 0;
    let mut done = 0;
    while let Some(offset) = bytes[at..].iter().position(|byte| !byte.is_ascii()) {
        let first = at + offset;
        let mut characters = text[first..].char_indices().map(|(offset, c)| (first + offset, c, entry(c)));
        let Some((_, c, head)) = characters.next() else { return };
        let next = characters.find(|(_, _, entry)| entry.begins_cluster());
        let end = next.map_or(text.len(), |(at, _, _)| at);
        at = end;
        if end == first + c.len_utf8()
            && head.character() == c
            && matches!(head.behaviour(), Behaviour::Simple(_) | Behaviour::Inert(_))
        {
            continue;
        }
        let is_kept = |c: &char| entry(*c).behaviour() != Behaviour::Dropped;
        // A letter of ASCII takes part where an accent follows it.
        let has_base = !head.begins_cluster()
            && first > done
            && bytes[first - 1].is_ascii_alphanumeric()
            && text[first..end].chars().any(|c| is_kept(&c));
        let start = if has_base { first - 1 } else { first };
        folded.clear();
        normalise_spelling(text[start..end].chars().filter(is_kept), |c| folded.push(c));
        if folded == text[start..end] || folded.contains(DELIMITERS) {
            continue;
        }
        replace(start, end, &folded);
        done = end;
    }
}
