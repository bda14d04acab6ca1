//! The normaliser against its definition: examples, a naive reference without any fast path, and frozen values.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use icu_casemap::CaseMapper;
use icu_normalizer::properties::{CanonicalCombiningClassMap, CanonicalDecomposition, Decomposed};
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use proptest::prelude::*;

use super::characters::{Class, class_of};
use super::confusables::fold_confusable;
use super::*;
use crate::recipe::PUBLIC_SEED;

fn words_of(text: &str) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for_each_word(text, |word, span| found.push((word.to_owned(), span)));
    found
}

/// A character of the normal form and the bytes of the cluster it came from.
type Traced = (char, Span);

/// The reference: the definition in the module's documentation, cluster by cluster, without tables or fast paths. Gives
/// for each word the clusters of its first and of its last character.
fn words_naively(text: &str) -> Vec<(String, Span, Span)> {
    let mut clusters: Vec<Vec<(usize, char)>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| !is_dropped_naively(*c)) {
        match clusters.last_mut() {
            Some(cluster) if !begins_cluster_naively(c) => cluster.push((at, c)),
            _ => clusters.push(vec![(at, c)]),
        }
    }
    let trace = |cluster: &Vec<(usize, char)>| -> Vec<Traced> {
        let (start, (last, last_character)) = (cluster[0].0, cluster[cluster.len() - 1]);
        let span = Span::new(offset(start), offset(last + last_character.len_utf8()));
        normalise_naively(cluster.iter().map(|(_, c)| *c)).chars().map(|c| (c, span)).collect()
    };
    cut_naively(clusters.iter().flat_map(trace))
}

fn is_dropped_naively(c: char) -> bool {
    let is_enclosing = CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::EnclosingMark;
    is_enclosing || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn normalise_naively(characters: impl Iterator<Item = char>) -> String {
    static ZEROS: LazyLock<BTreeSet<u32>> = LazyLock::new(|| {
        let digits = CodePointMapData::<GeneralCategory>::new().iter_ranges_for_value(GeneralCategory::DecimalNumber);
        digits.flat_map(|range| range.step_by(10)).collect()
    });
    let mut folded = String::new();
    for c in DecomposingNormalizer::new_nfkd().normalize_iter(characters) {
        for c in CaseMapper::new().fold_string(c.encode_utf8(&mut [0; 4])).chars() {
            let c = fold_confusable(c);
            let value = ZEROS.range(..=u32::from(c)).next_back().map_or(u32::MAX, |zero| u32::from(c) - zero);
            folded.push(char::from_digit(value, 10).unwrap_or(c));
        }
    }
    ComposingNormalizer::new_nfc().normalize(&folded).into_owned()
}

fn begins_cluster_naively(c: char) -> bool {
    /// Second halves of all canonical compositions.
    static SECONDS: LazyLock<BTreeSet<char>> = LazyLock::new(|| {
        let second = |c| match CanonicalDecomposition::new().decompose(c) {
            Decomposed::Expansion(_, second) => Some(second),
            _ => None,
        };
        ('\0'..=char::MAX).filter_map(second).collect()
    });
    let first = DecomposingNormalizer::new_nfkd().normalize_iter(std::iter::once(c)).next().unwrap();
    CanonicalCombiningClassMap::new().get_u8(first) == 0 && !SECONDS.contains(&first)
}

fn cut_naively(characters: impl Iterator<Item = Traced>) -> Vec<(String, Span, Span)> {
    let mut words: Vec<(String, Span, Span)> = Vec::new();
    let mut open = None;
    for (c, cluster) in characters {
        let class = class_of(c);
        let goes_on = match class {
            Class::Mark => open.is_some(),
            Class::Letter => open == Some(Class::Letter),
            Class::Alone | Class::Separator => false,
        };
        match words.last_mut() {
            Some((word, _, last)) if goes_on => {
                word.push(c);
                *last = cluster;
            }
            _ if matches!(class, Class::Letter | Class::Alone) => {
                words.push((c.to_string(), cluster, cluster));
                open = Some(class);
            }
            _ => open = None,
        }
    }
    words
}

/// The word hash by its documentation.
fn hash_naively(word: &str, seed: u64) -> u64 {
    let fold = |x: u64, m: u64| {
        let product = u128::from(x) * u128::from(m);
        u64::try_from(product % (1 << 64)).unwrap() ^ u64::try_from(product / (1 << 64)).unwrap()
    };
    let key = |n: u64| mix(seed.wrapping_add((n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let state = word.as_bytes().chunks(8).fold(key(0), |state, bytes| {
        let mut chunk = [0; 8];
        chunk[..bytes.len()].copy_from_slice(bytes);
        fold(state ^ u64::from_le_bytes(chunk), 0x9E37_79B9_7F4A_7C15)
    });
    fold(state ^ key(1), 0xBB67_AE85_84CA_A73B)
}

/// Compares all ways to the words of a text.
fn check_against_reference(text: &str) {
    let expected = words_naively(text);
    let expected_words: Vec<&String> = expected.iter().map(|(word, ..)| word).collect();
    let found = words_of(text);
    assert_eq!(found.iter().map(|(word, _)| word).collect::<Vec<_>>(), expected_words, "{text:?}");

    let whole = normalise_naively(text.chars().filter(|c| !is_dropped_naively(*c)));
    let whole_words = cut_naively(whole.chars().map(|c| (c, Span::default())));
    let whole_words: Vec<&String> = whole_words.iter().map(|(word, ..)| word).collect();
    assert_eq!(whole_words, expected_words, "{text:?}: its clusters depend on each other");

    let normaliser = Normaliser::new(PUBLIC_SEED);
    let mut words = Words::default();
    normaliser.words(text, &mut words);
    assert_eq!(words.len(), expected.len(), "{text:?}");
    for (i, ((word, span), (_, first, last))) in found.iter().zip(&expected).enumerate() {
        assert_eq!(words.span(i, 1), *span, "{text:?}, word {i}");
        assert_eq!(words.hashes[i], hash_naively(word, PUBLIC_SEED), "{text:?}, word {i}");
        // Within its first and last cluster the span begins and ends with a character that was not dropped.
        assert!((first.start..first.end).contains(&span.start), "{text:?}, word {i}: {span:?} begins in {first:?}");
        assert!((last.start + 1..=last.end).contains(&span.end), "{text:?}, word {i}: {span:?} ends in {last:?}");
        let source = &text[span.range()];
        let is_kept = |c: Option<char>| c.is_some_and(|c| !is_dropped_naively(c));
        assert!(is_kept(source.chars().next()) && is_kept(source.chars().next_back()), "{text:?}, word {i}: {span:?}");
    }
}

/// Checks words and the stretches of the text they came from: `word` or `word<source`.
fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = words_of(text)
        .into_iter()
        .map(|(word, span)| match &text[span.range()] {
            source if source == word => word,
            source => format!("{word}<{source}"),
        })
        .collect();
    assert_eq!(found, expected, "{text:?}");
    check_against_reference(text);
}

#[test]
fn runs_of_letters_marks_and_digits_are_words() {
    check("", &[]);
    check(" .,_-\n", &[]);
    check("a", &["a"]);
    check("Hello, World_42!", &["hello<Hello", "world<World", "42"]);
    check("snake_case kebab-case", &["snake", "case", "kebab", "case"]);
    check("x86 2nd 3.14", &["x86", "2nd", "3", "14"]);
    check("naïve Ångström", &["naïve", "ångström<Ångström"]);
    check("א\u{5B8}ב", &["א\u{5B8}ב"]);
    check("کتاب‌ها", &["کتابها<کتاب‌ها"]);
    check("a😀b", &["a", "b"]);
    check("👩\u{200D}👩\u{200D}👧", &[]);
}

#[test]
fn no_apostrophe_or_quote_matters() {
    for mark in ["'", "’", "‘", "ʼ", "＇", "´", "`", "ʹ", "′", "‛", "ʻ", "\u{2BC}\u{301}"] {
        let text = format!("don{mark}t");
        assert_eq!(normal_form(&text), "don t", "{text:?}");
        check_against_reference(&text);
    }
    assert_eq!(normal_form("“Quoted” «text»"), normal_form("\"quoted\" 'text'"));
}

#[test]
fn invisible_characters_are_dropped_without_splitting() {
    for invisible in
        ["\u{200B}", "\u{200C}", "\u{200D}", "\u{AD}", "\u{FE0F}", "\u{E0061}", "\u{202E}", "\u{2060}", "\u{FEFF}"]
    {
        let text = format!("{invisible}in{invisible}visible{invisible} {invisible}");
        let source = format!("in{invisible}visible");
        check(&text, &[&format!("invisible<{source}")]);
    }
    check("e\u{200B}\u{301}", &["é<e\u{200B}\u{301}"]);
}

#[test]
fn compatibility_forms_are_plain() {
    check("ﬁne Ｆｕｌｌ 𝐁old ℕ", &["fine<ﬁne", "full<Ｆｕｌｌ", "bold<𝐁old", "n<ℕ"]);
    check("x² ½", &["x2<x²", "1<½", "2<½"]);
    check("Ⓐ1\u{FE0F}\u{20E3}", &["a1<Ⓐ1"]);
    check("ｶﾞ", &["ガ<ｶﾞ"]);
    check("㍿", &["株<㍿", "式<㍿", "会<㍿", "社<㍿"]);
}

#[test]
fn composed_and_decomposed_letters_are_one() {
    check("Cafe\u{301}", &["café<Cafe\u{301}"]);
    check("q\u{307}\u{323}", &["q\u{323}\u{307}<q\u{307}\u{323}"]);
    check("q\u{323}\u{307}", &["q\u{323}\u{307}"]);
    check("\u{1112}\u{1161}\u{11AB}", &["한<\u{1112}\u{1161}\u{11AB}"]);
    check("\u{301}a \u{301}", &["a"]);
    check("-\u{301}-", &[]);
}

#[test]
fn case_folds_fully() {
    check("Straße STRASSE ẞ", &["strasse<Straße", "strasse<STRASSE", "ss<ẞ"]);
    check("ΣΊΣΥΦΟΣ", &["σíσuφoσ<ΣΊΣΥΦΟΣ"]);
    check("ǰ J\u{30C}", &["ǰ", "ǰ<J\u{30C}"]);
}

#[test]
fn look_alikes_of_latin_letters_are_latin() {
    check("раyраl", &["paypal<раyраl"]);
    check("ёa ëa", &["ëa<ёa", "ëa"]);
    check("Αρρlе Ηοսѕе", &["apple<Αρρlе", "house<Ηοսѕе"]);
    // A letter that no Latin letter resembles stays.
    check("жюф", &["жюф"]);
    check("þorn", &["þorn"]);
}

#[test]
fn digits_of_all_scripts_are_ascii() {
    for digits in [
        "٠١٢٣٤٥٦٧٨٩",
        "०१२३४५६७८९",
        "๐๑๒๓๔๕๖๗๘๙",
        "０１２３４５６７８９",
        "𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡",
        "\u{11DA0}\u{11DA1}2345678\u{11DA9}",
    ] {
        assert_eq!(normal_form(digits), "0123456789", "{digits:?}");
        check_against_reference(digits);
    }
}

#[test]
fn in_scripts_without_spaces_a_code_point_is_a_word() {
    check("漢字かな", &["漢", "字", "か", "な"]);
    check("人々ー", &["人", "々", "ー"]);
    check("abc漢def", &["abc", "漢", "def"]);
    check("ジョン・スミス", &["ジ", "ョ", "ン", "ス", "ミ", "ス"]);
    check("กำ", &["ก", "\u{E4D}<\u{E33}", "า<\u{E33}"]);
    check("ที่", &["ท", "\u{E35}", "\u{E48}"]);
    check("か\u{3099}", &["が<か\u{3099}"]);
    check("ん\u{3099}", &["ん\u{3099}"]);
    check("漢\u{FE00}", &["漢"]);
}

#[test]
fn vowel_signs_stay_in_their_word() {
    check("हिन्दी में।", &["हिन्दी", "में"]);
    check("தமிழ்", &["தமிழ்"]);
    check("한국어 글", &["한국어", "글"]);
}

#[test]
fn only_equal_words_are_the_same() {
    for (a, b, expected) in [
        ("Word", "wORD", true),
        ("word", "words", false),
        ("word", "ward", false),
        ("café", "CAFE\u{301}", true),
        ("café", "cafe", false),
        ("раl", "pal", true),
        ("in\u{AD}dex", "index", true),
        ("a-b", "A b", true),
        ("a-b", "ab", false),
        ("½", "½", true),
        ("", "", true),
    ] {
        assert_eq!(is_same_word(a, b), expected, "{a:?} {b:?}");
        assert_eq!(is_same_word(b, a), expected, "{b:?} {a:?}");
    }
}

#[test]
fn a_span_reaches_from_first_to_last_word() {
    let mut words = Words::default();
    Normaliser::new(1).words("  one two, three. ", &mut words);
    assert_eq!(words.span(0, 1), Span::new(2, 5));
    assert_eq!(words.span(0, 3), Span::new(2, 16));
    assert_eq!(words.span(1, 0), Span::new(6, 6));
}

#[test]
fn every_code_point_alone_and_beside_others_is_as_in_the_reference() {
    for c in ('\0'..=char::MAX).filter(|c| !c.is_ascii() && is_worth_a_test(*c)) {
        check_against_reference(&format!("{c} a{c}b e{c}\u{301}{c}\u{316} \u{AC00}{c}\u{11A8}\u{3099}{c}\u{94D}"));
    }
}

/// Leaves out most of the large blocks in which all characters behave alike, and of what is not assigned.
fn is_worth_a_test(c: char) -> bool {
    let is_uniform = matches!(
        c,
        '\u{3400}'..='\u{9FFF}'
            | '\u{AC00}'..='\u{D7A3}'
            | '\u{E000}'..='\u{F8FF}'
            | '\u{12000}'..='\u{14FFF}'
            | '\u{16000}'..='\u{1CFFF}'
            | '\u{20000}'..='\u{2F7FF}'
            | '\u{2FA20}'..='\u{DFFFF}'
            | '\u{E0200}'..
    );
    !is_uniform || u32::from(c) % 97 == 0
}

#[test]
fn the_normal_form_of_every_code_point_is_frozen() {
    let mut digest = 0;
    for c in '\0'..=char::MAX {
        for (word, _) in words_of(c.encode_utf8(&mut [0; 4])) {
            digest = fold(digest ^ hash_naively(&word, u64::from(c)), 0x9E37_79B9_7F4A_7C15);
        }
    }
    // A change here is a new normaliser: raise `Recipe::normaliser`, because stored hashes no longer fit.
    assert_eq!(digest, 0xC283_84A8_AC34_6D66, "found {digest:#018x}");
}

/// The same values stand in `docs/algorithms.md`; any program can be checked against them.
#[test]
fn word_hashes_are_frozen() {
    for (word, expected) in [
        ("a", 0x7A4D_78B5_757C_DFE3),
        ("the", 0x9202_82C9_1AB4_67FC),
        ("copytrace", 0x37F5_89F9_BD4C_C21F),
        ("antidisestablishmentarianism", 0xBE3F_13B2_A591_C50B),
        ("Straße", 0x6B69_851A_A25F_DE6A),
        ("漢", 0x95CC_5E15_4A5D_7C34),
    ] {
        let mut words = Words::default();
        Normaliser::new(PUBLIC_SEED).words(word, &mut words);
        assert_eq!(words.hashes, [expected], "{word}");
    }
}

#[test]
fn word_hashes_are_spread_evenly_and_unique() {
    let letters = || 'a'..='z';
    let text: String = letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c} {b}{a}longer{c} "))))
        .collect();
    let mut words = Words::default();
    Normaliser::new(PUBLIC_SEED).words(&text, &mut words);
    for shift in [0, 8, 32, 56] {
        let mut counts = [0.0; 256];
        words.hashes.iter().for_each(|hash| counts[(hash >> shift & 0xFF) as usize] += 1.0);
        let mean = words.len() as f64 / 256.0;
        let chi_square: f64 = counts.iter().map(|n| (n - mean) * (n - mean) / mean).sum();
        // 255 degrees of freedom: mean 255, standard deviation 22.6.
        assert!((165.0..345.0).contains(&chi_square), "bits from {shift}: {chi_square}");
    }
    let n = words.len();
    words.hashes.sort_unstable();
    words.hashes.dedup();
    assert_eq!(words.len(), n);
}

/// Pieces that are known to interact: letters, marks that compose, reorder or do neither, jamo, invisible characters,
/// separators.
fn piece() -> impl Strategy<Value = String> {
    let characters = [
        r"a Z 9 _ - ' é ß İ ſ ǰ ΐ ﬁ Å K ½ ﷺ ｶ ﾞ ㍿ 漢 か ー 々 ก ำ ี ่ ล ໍ हि न ् द ़ क़ ক ো া ো ள ொ ာ ျ က 한 하 😀 = <",
        "а Ё й Ж ά ῼ α ב ּ ָ ا ّ َ ٓ ٣ ۳ \u{301} \u{316} \u{323} \u{327} \u{338} \u{345} \u{20E3} \u{3099} \u{309A}",
        "\u{1112} \u{1161} \u{11AB} \u{1160} \u{200B} \u{200D} \u{AD} \u{FE0F} \u{202E} \u{E0061}",
    ];
    let known =
        characters.iter().flat_map(|line| line.split(' ')).chain([" ", "\n"]).map(str::to_owned).collect::<Vec<_>>();
    prop_oneof![
        8 => prop::sample::select(known),
        2 => "[a-zA-Z]{1,20}",
        1 => any::<char>().prop_map(String::from),
        1 => "[\u{300}-\u{36F}\u{591}-\u{5C7}\u{610}-\u{65F}]{1,4}",
        1 => "[\u{900}-\u{DFF}]{1,4}",
        1 => "[\u{1100}-\u{11FF}\u{AC00}-\u{AC40}]{1,3}",
        1 => "[\u{80}-\u{24F}\u{370}-\u{52F}]{1,6}",
        1 => "[\u{1E00}-\u{20FF}\u{2C00}-\u{2DFF}\u{3000}-\u{33FF}\u{A640}-\u{A69F}\u{FB00}-\u{FFEF}]{1,4}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_as_in_the_reference(pieces in prop::collection::vec(piece(), 0..30)) {
        check_against_reference(&pieces.concat());
    }

    #[test]
    fn normalising_twice_changes_nothing(pieces in prop::collection::vec(piece(), 0..30)) {
        let once = normal_form(&pieces.concat());
        prop_assert_eq!(&normal_form(&once), &once);
    }

    #[test]
    fn ascii_of_any_length_and_place_is_as_in_the_reference(
        n_before in 0..70_usize,
        text in "[ -~]{0,200}",
        long in "[a-zA-Z0-9]{0,100}",
    ) {
        check_against_reference(&format!("{}{text}{long}", " ".repeat(n_before)));
    }

    #[test]
    fn a_word_s_source_is_the_same_word(pieces in prop::collection::vec(piece(), 0..10)) {
        let text = pieces.concat();
        let words = words_of(&text);
        for (i, (word, span)) in words.iter().enumerate() {
            let shares_source = |other: Option<&(String, Span)>| other.is_some_and(|(_, other)| other.overlap(*span) > 0);
            let is_only_word = !shares_source(words.get(i + 1)) && (i == 0 || !shares_source(words.get(i - 1)));
            prop_assert!(!is_only_word || is_same_word(word, &text[span.range()]), "{:?} {:?}", word, text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn words_of_pieces_are_the_words_of_the_text(
        text in prop_oneof!["\\PC{0,60}", "[ab½ﬁ漢字กำ\u{301}\u{200d}'’ .\u{3000}한글が\u{3099}]{0,60}"],
        piece_bytes in 1_usize..24,
    ) {
        let normaliser = Normaliser::new(1);
        let (mut whole, mut joined) = (Words::default(), Words::default());
        normaliser.words(&text, &mut whole);
        let (mut end, mut spelled) = (0, Vec::new());
        for (start, piece) in pieces(&text, piece_bytes) {
            prop_assert_eq!((start, piece), (end, &text[start..start + piece.len()]));
            prop_assert!(!piece.is_empty());
            end = start + piece.len();
            normaliser.append_words(piece, start, &mut joined);
            for_each_word(piece, |word, _| spelled.push(word.to_owned()));
        }
        prop_assert_eq!(end, text.len());
        prop_assert_eq!((joined.hashes, joined.starts, joined.ends), (whole.hashes, whole.starts, whole.ends));
        let mut expected = Vec::new();
        for_each_word(&text, |word, _| expected.push(word.to_owned()));
        prop_assert_eq!(spelled, expected);
    }
}

#[test]
fn pieces_are_as_long_as_they_may_be_unless_a_word_is_longer() {
    for (text, expected) in [
        ("", &[][..]),
        ("aa bb cc", &["aa", " bb", " cc"]),
        ("a b c d", &["a b", " c d"]),
        ("漢字漢", &["漢", "字", "漢"]),
        ("abcdefgh ij", &["abcdefgh", " ij"]),
        ("ab", &["ab"]),
    ] {
        assert_eq!(pieces(text, 4).map(|(_, piece)| piece).collect::<Vec<_>>(), expected, "{text}");
    }
}
