//! Letters that look like a letter of the Latin alphabet.
//!
//! Source: Unicode Technical Standard #39 "Unicode Security Mechanisms", data file `confusables.txt`, version 18.0: letters
//! whose prototype is one Latin letter. Taken are the alphabets that people mix into Latin text to hide a copy: Greek, Coptic,
//! Cyrillic, Armenian, Cherokee, Lisu, Canadian syllabics, and Latin's own phonetic letters.
//!
//! Left out are scripts whose letters resemble Latin ones by accident and stand in texts of their own (Hebrew, Arabic, Indic
//! scripts, Han); Latin letters that an orthography tells from their look-alikes (thorn, wynn, African gamma and hooked f
//! and v); and sigma, the Cyrillic soft sign, Armenian tiwn and yiwn, which nobody takes for the Latin letter.
//!
//! The table applies after case folding. A letter of which only the capital looks Latin (Greek beta, Cyrillic ve) stands
//! here under its small form; where capital and small letter resemble two different Latin letters (Greek nu: N, v) the small
//! one decides, and a vertical stroke counts as i where its small letter is an i.

use std::sync::LazyLock;

/// Pairs of (folded letters, the Latin letter all of them look like).
const LOOK_ALIKES: [(&str, char); 26] = [
    ("ɑαаᎪᗅꓮꭤ", 'a'),
    ("βвᏏᏴᑲᖯᗷⲃꓐ", 'b'),
    ("сᏟᴄⲥꓚ", 'c'),
    ("ԁᎠᏧᑯᗞᗪꓒꓓ", 'd'),
    ("εеҽᎬꓰꬲ", 'e'),
    ("ϝքᖴꓝꬵ", 'f'),
    ("ɡցԍᏀᏳꓖᶃ", 'g'),
    ("ηнһհᎻᏂᕼⲏꓧ", 'h'),
    ("ıɩɪιіꙇᎥⲓ", 'i'),
    ("ȷϳјյᎫᒍꓙ", 'j'),
    ("κкᏦⲕꓗ", 'k'),
    ("ӏᏞᒪⳑꓡꓲꞁꟾ", 'l'),
    ("μмϻᎷᗰⲙꓟ", 'm'),
    ("ոռⲛꓠ𑪾", 'n'),
    ("οоօᴏϭⲟꓳᴑꬽ", 'o'),
    ("ρрϸᏢᑭⲣⳏꓑ", 'p'),
    ("ԛգզ", 'q'),
    ("гᎡᎱᏒᖇᴦⲅꓣꭇꭈ", 'r'),
    ("ѕᏕᏚꜱꓢ", 's'),
    ("τтᎢⲧꓔ", 't'),
    ("υսᴜᑌꓴꭎꭒ", 'u'),
    ("νѵᏙᴠᐯꓦ", 'v'),
    ("шѡԝաᎳᏔᴡⲽꓪ", 'w'),
    ("χхᕁᕽⲭꓫ", 'x'),
    ("ʏγуүᎩᎽⲩꓬᶌꭚ", 'y'),
    ("ζᏃᴢⲍꓜ𑪼", 'z'),
];

/// Returns the Latin letter that a letter looks like, or the letter itself.
///
/// Cost: a binary search among 180 letters.
pub(super) fn fold_confusable(c: char) -> char {
    static SORTED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
        let pairs = LOOK_ALIKES.iter().flat_map(|&(letters, latin)| letters.chars().map(move |letter| (letter, latin)));
        let mut sorted: Vec<_> = pairs.collect();
        sorted.sort_unstable();
        sorted
    });
    if c.is_ascii() {
        return c;
    }
    SORTED.binary_search_by_key(&c, |&(letter, _)| letter).map_or(c, |found| SORTED[found].1)
}

#[cfg(test)]
mod tests {
    use super::super::normal_form;
    use super::*;

    #[test]
    fn every_look_alike_is_a_folded_letter_of_one_row() {
        let letters: Vec<char> = LOOK_ALIKES.iter().flat_map(|(letters, _)| letters.chars()).collect();
        let unique: std::collections::BTreeSet<char> = letters.iter().copied().collect();
        assert_eq!(letters.len(), unique.len());
        for (letters, latin) in LOOK_ALIKES {
            for c in letters.chars() {
                assert_eq!(fold_confusable(c), latin);
                assert_eq!(normal_form(c.encode_utf8(&mut [0; 4])), latin.to_string(), "{c} never reaches the table");
            }
        }
    }
}
