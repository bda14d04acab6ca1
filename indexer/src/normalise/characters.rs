//! What each code point becomes in the normal form, and how it behaves beside its neighbours.
//!
//! Almost every character of almost every text stands alone: its normal form does not depend on what stands before or
//! after it. [`entry`] tells that, and the normal form, in one table look-up; the walk over a text asks the Unicode
//! library for the rest only. The table is filled by that same library, page by page of 256 code points on first use,
//! so that the two cannot differ; a page costs about 25 us and 1 KiB, once per process.

use std::sync::OnceLock;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::properties::{CanonicalCombiningClassMap, CanonicalCombiningClassMapBorrowed};
use icu_normalizer::{
    ComposingNormalizer, ComposingNormalizerBorrowed, DecomposingNormalizer, DecomposingNormalizerBorrowed,
};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed};

use super::confusables::fold_confusable;

const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizer::new_nfkd();
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();
const COMBINING_CLASS: CanonicalCombiningClassMapBorrowed<'static> = CanonicalCombiningClassMap::new();
const CASE: CaseMapperBorrowed<'static> = CaseMapper::new();
const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::<GeneralCategory>::new();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// Part that a character of the normal form plays in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// Ends a word.
    Separator,
    /// A letter or digit: begins a word or goes on with it.
    Letter,
    /// A letter of a script without spaces: a word of its own.
    Alone,
    /// A mark: belongs to the word before it; belongs to nothing where there is none.
    Mark,
}

/// Tells which part a character of the normal form plays.
pub(super) fn class_of(c: char) -> Class {
    use GeneralCategory as Category;
    match CATEGORY.get(c) {
        Category::NonspacingMark | Category::SpacingMark if !is_alone(c) || is_voicing_mark(c) => Class::Mark,
        Category::NonspacingMark | Category::SpacingMark => Class::Alone,
        Category::ModifierLetter if is_apostrophe(c) => Class::Separator,
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter
        | Category::DecimalNumber
        | Category::LetterNumber
        | Category::OtherNumber => {
            if is_alone(c) {
                Class::Alone
            } else {
                Class::Letter
            }
        }
        _ => Class::Separator,
    }
}

/// Letters of scripts that are written without spaces, line by line: Thai and Lao, Myanmar, Khmer, Han's iteration marks
/// and numerals, kana, Han.
#[rustfmt::skip]
fn is_alone(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}'
        | '\u{1000}'..='\u{109F}' | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}'
        | '\u{1780}'..='\u{17FF}'
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3031}'..='\u{3035}' | '\u{3038}'..='\u{303C}'
        | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{1AFF0}'..='\u{1B16F}'
        | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The two marks of kana, which belong to the kana before them.
fn is_voicing_mark(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309A}')
}

/// Letters by their category that are used, or abused, as apostrophes and quotes. All of them separate, as `'` does, so
/// that it does not matter which one a writer's keyboard had.
#[rustfmt::skip]
fn is_apostrophe(c: char) -> bool {
    matches!(c,
        '\u{02B9}'..='\u{02BF}' | '\u{02C8}' | '\u{02CA}' | '\u{02CB}' | '\u{02EE}'
        | '\u{07F4}' | '\u{07F5}' | '\u{A78B}' | '\u{A78C}')
}

/// Tells whether the normal form leaves a code point out: zero-width and bidi controls, soft hyphen, variation
/// selectors, tags (Unicode property Default_Ignorable_Code_Point), and enclosing marks, as NFKC leaves out the circle
/// of a circled letter.
fn is_dropped(c: char) -> bool {
    IGNORABLE.contains(c) || CATEGORY.get(c) == GeneralCategory::EnclosingMark
}

/// Sends the normal form of characters of which none is dropped to `emit`.
///
/// NFKD, then case and confusable letters and digits folded character by character, then NFC.
pub(super) fn normalise_cluster(characters: impl Iterator<Item = char>, mut emit: impl FnMut(char)) {
    let folded = NFKD.normalize_iter(characters).flat_map(|c| {
        let (first, second) = fold_character(c);
        std::iter::once(first).chain(second)
    });
    NFC.normalize_iter(folded).for_each(&mut emit);
}

/// Folds a character that NFKD leaves alone: case, then look-alikes of Latin letters, then digits of other scripts.
///
/// Sharp s is the one such character whose full case folding is two characters; a test holds that.
fn fold_character(c: char) -> (char, Option<char>) {
    if matches!(c, 'ß' | 'ẞ') {
        return ('s', Some('s'));
    }
    let folded = fold_confusable(CASE.simple_fold(c));
    (decimal_digit(folded).unwrap_or(folded), None)
}

/// Sends characters of which none is dropped to `emit` as the spelling of code has them: the normal form, except that
/// letters keep their case.
pub(super) fn normalise_spelling(characters: impl Iterator<Item = char>, mut emit: impl FnMut(char)) {
    NFC.normalize_iter(NFKD.normalize_iter(characters).map(fold_keeping_case)).for_each(&mut emit);
}

/// Folds a character that NFKD leaves alone, except its case: look-alikes of Latin letters, digits of other scripts.
fn fold_keeping_case(c: char) -> char {
    // Capitals that look like another letter than the capital of what their small form looks like.
    match c {
        _ if c.is_ascii() => return c,
        'Ν' => return 'N',
        'Υ' => return 'Y',
        _ => {}
    }
    let small = CASE.simple_fold(c);
    let latin = fold_confusable(small);
    match latin {
        _ if !latin.is_ascii() => decimal_digit(c).unwrap_or(c),
        _ if small == c => latin,
        _ => latin.to_ascii_uppercase(),
    }
}

/// Returns the ASCII digit of the same value as a decimal digit of any script.
///
/// Unicode encodes decimal digits in runs of ten from zero to nine (Unicode Standard, section 4.6), and runs that touch
/// keep step.
fn decimal_digit(c: char) -> Option<char> {
    let is_digit = |code: u32| CATEGORY.get32(code) == GeneralCategory::DecimalNumber;
    let code = u32::from(c);
    if !is_digit(code) {
        return None;
    }
    let first = (0..code).rev().find(|&before| !is_digit(before)).map_or(0, |before| before + 1);
    char::from_digit((code - first) % 10, 10)
}

/// How a code point's normal form depends on its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Becomes one character, whatever stands around it, unless something that [joins](Behaviour::Joins) follows.
    Simple(Class),
    /// A mark that composes with nothing: stays itself behind its letter as long as combining classes do not fall.
    Inert(Class),
    /// Joins what stands before it: the Unicode library decides.
    Joins,
    /// Becomes several characters: the Unicode library tells which.
    Expands,
    /// Dropped.
    Dropped,
}

/// What is known of one code point, packed: bits 0-20 the character it becomes, 21-23 class or behaviour, 24-31
/// combining class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    const DROPPED: u32 = 4;
    const JOINS: u32 = 5;
    const EXPANDS: u32 = 6;

    fn new(becomes: char, code: u32, combining_class: u8) -> Self {
        Self(u32::from(becomes) | code << 21 | u32::from(combining_class) << 24)
    }

    /// Asks the Unicode library.
    fn compute(c: char) -> Self {
        if is_dropped(c) {
            return Self::new(c, Self::DROPPED, 0);
        }
        let first = NFKD.normalize_iter(std::iter::once(c)).next().unwrap_or(c);
        let combining_class = COMBINING_CLASS.get_u8(first);
        if composes_backwards(first) {
            return Self::new(c, Self::JOINS, 0);
        }
        let (mut becomes, mut n) = (c, 0);
        normalise_cluster(std::iter::once(c), |c| (becomes, n) = (c, n + 1));
        match (n, combining_class) {
            (1, 0) => Self::new(becomes, class_of(becomes) as u32, 0),
            (_, 0) => Self::new(c, Self::EXPANDS, 0),
            _ if n == 1 && becomes == c => Self::new(c, class_of(c) as u32, combining_class),
            _ => Self::new(c, Self::JOINS, 0),
        }
    }

    /// Returns the character that a simple or inert code point becomes.
    #[inline]
    pub(super) fn character(self) -> char {
        char::from_u32(self.0 & 0x1F_FFFF).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// Returns the canonical combining class; 0 for all but inert marks.
    #[inline]
    pub(super) fn combining_class(self) -> u32 {
        self.0 >> 24
    }

    /// Returns how it depends on its neighbours.
    #[inline]
    pub(super) fn behaviour(self) -> Behaviour {
        let class = match self.0 >> 21 & 7 {
            0 => Class::Separator,
            1 => Class::Letter,
            2 => Class::Alone,
            3 => Class::Mark,
            Self::DROPPED => return Behaviour::Dropped,
            Self::JOINS => return Behaviour::Joins,
            _ => return Behaviour::Expands,
        };
        if self.combining_class() == 0 { Behaviour::Simple(class) } else { Behaviour::Inert(class) }
    }

    /// Tells whether nothing before this code point changes with it: a text may be normalised in pieces that begin
    /// here.
    #[inline]
    pub(super) fn begins_cluster(self) -> bool {
        matches!(self.behaviour(), Behaviour::Simple(_) | Behaviour::Expands)
    }
}

/// Code points that a starter before them can swallow: the second halves of canonical compositions (Unicode Character
/// Database, field Decomposition_Mapping). A test derives them from the library.
#[rustfmt::skip]
fn composes_backwards(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{0304}' | '\u{0306}'..='\u{030C}' | '\u{030F}' | '\u{0311}' | '\u{0313}'..='\u{0314}'
        | '\u{031B}' | '\u{0323}'..='\u{0328}' | '\u{032D}'..='\u{032E}' | '\u{0330}'..='\u{0331}' | '\u{0338}'
        | '\u{0342}' | '\u{0345}' | '\u{05B4}' | '\u{05B7}'..='\u{05B9}' | '\u{05BC}' | '\u{05BF}'
        | '\u{05C1}'..='\u{05C2}' | '\u{0653}'..='\u{0655}' | '\u{093C}' | '\u{09BC}' | '\u{09BE}' | '\u{09D7}'
        | '\u{0A3C}' | '\u{0B3C}' | '\u{0B3E}' | '\u{0B56}'..='\u{0B57}' | '\u{0BBE}' | '\u{0BD7}' | '\u{0C56}'
        | '\u{0CC2}' | '\u{0CD5}'..='\u{0CD6}' | '\u{0D3E}' | '\u{0D57}' | '\u{0DCA}' | '\u{0DCF}' | '\u{0DDF}'
        | '\u{0F72}' | '\u{0F74}' | '\u{0F80}' | '\u{0FB5}' | '\u{0FB7}' | '\u{102E}' | '\u{1161}'..='\u{1175}'
        | '\u{11A8}'..='\u{11C2}' | '\u{1B35}' | '\u{3099}'..='\u{309A}' | '\u{110BA}' | '\u{11127}' | '\u{1133E}'
        | '\u{11357}' | '\u{113B8}' | '\u{113BB}' | '\u{113C2}' | '\u{113C9}' | '\u{114B0}' | '\u{114BA}'
        | '\u{114BD}' | '\u{115AF}' | '\u{11930}' | '\u{1611E}'..='\u{16120}' | '\u{16129}' | '\u{16D67}'
        | '\u{1D165}' | '\u{1D16E}'..='\u{1D172}')
}

const PAGE_LENGTH: usize = 256;
const N_PAGES: usize = 0x11_0000 / PAGE_LENGTH;

/// Looks a code point up.
///
/// Cost: two loads, and 25 us once per page and process.
#[inline]
pub(super) fn entry(c: char) -> Entry {
    static PAGES: [OnceLock<Box<[Entry; PAGE_LENGTH]>>; N_PAGES] = [const { OnceLock::new() }; N_PAGES];
    let code = c as usize;
    let page = PAGES[code / PAGE_LENGTH].get_or_init(|| compute_page(c));
    page[code % PAGE_LENGTH]
}

#[cold]
fn compute_page(c: char) -> Box<[Entry; PAGE_LENGTH]> {
    let first = u32::from(c) & !0xFF;
    let mut code = first..;
    // Surrogates are no characters: their entries are never looked up.
    let mut next = || code.next().and_then(char::from_u32).map_or(Entry(0), Entry::compute);
    Box::new(std::array::from_fn(|_| next()))
}

#[cfg(test)]
mod tests {
    use icu_normalizer::properties::{CanonicalDecomposition, Decomposed};

    use super::*;

    fn all_characters() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    #[test]
    fn the_second_halves_of_compositions_are_known() {
        let decomposition = CanonicalDecomposition::new();
        let mut seconds = std::collections::BTreeSet::new();
        for c in all_characters() {
            if let Decomposed::Expansion(_, second) = decomposition.decompose(c) {
                seconds.insert(second);
            }
        }
        for c in all_characters() {
            assert_eq!(composes_backwards(c), seconds.contains(&c), "{c:?}");
        }
    }

    #[test]
    fn sharp_s_is_the_only_decomposed_character_that_folds_to_several() {
        for c in all_characters() {
            let text = c.to_string();
            if NFKD.is_normalized(&text) && !matches!(c, 'ß' | 'ẞ') {
                assert_eq!(CASE.fold_string(&text), CASE.simple_fold(c).to_string(), "{c:?}");
            }
        }
        assert_eq!(CASE.fold_string("ßẞ"), "ssss");
    }

    #[test]
    fn decimal_digits_stand_in_whole_tens() {
        for range in CATEGORY.iter_ranges_for_value(GeneralCategory::DecimalNumber) {
            assert_eq!((range.end() - range.start() + 1) % 10, 0, "{range:?}");
        }
        for (digit, expected) in
            [('0', '0'), ('٣', '3'), ('९', '9'), ('๔', '4'), ('\u{1D7D9}', '1'), ('\u{1D7FF}', '9')]
        {
            assert_eq!(decimal_digit(digit), Some(expected), "{digit:?}");
        }
        for c in ['a', '²', '½', '一', 'Ⅷ'] {
            assert_eq!(decimal_digit(c), None, "{c:?}");
        }
    }
}
