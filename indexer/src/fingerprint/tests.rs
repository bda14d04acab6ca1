//! Fingerprints against their definitions, guarantees and error bounds.

use proptest::prelude::*;

use super::*;

const K: usize = 8;
const L: usize = 25;
const WINDOW: usize = L - K + 1;

/// SplitMix64: fixed random numbers for the statistics.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

fn random_words(seed: u64, n: usize, n_different: u64) -> Vec<u64> {
    let mut random = Random(seed);
    (0..n).map(|_| mix(random.next() % n_different)).collect()
}

fn words_with(hashes: Vec<u64>) -> Words {
    Words { starts: vec![0; hashes.len()], ends: vec![0; hashes.len()], hashes }
}

fn anchors_of(hashes: &[u64]) -> Vec<u32> {
    let fingerprinter = Fingerprinter::public();
    let (mut grams, mut anchors) = (vec![1], vec![1]);
    let words = words_with(hashes.to_vec());
    fingerprinter.grams(&words, &mut grams);
    fingerprinter.anchors(&words, &grams, &mut anchors);
    anchors
}

fn keys_naively(hashes: &[u64], k: usize) -> Vec<u64> {
    let key =
        |gram: &[u64]| mix(gram.iter().rev().zip(0..).fold(0, |roll, (hash, turn)| roll ^ hash.rotate_left(turn)));
    hashes.windows(k).map(key).collect()
}

/// Selection by its definition: every window on its own.
fn select_naively<Order: Ord>(orders: &[Order]) -> Vec<u32> {
    let mut anchors: Vec<usize> = Vec::new();
    for end in WINDOW.min(orders.len())..=orders.len() {
        let window = end.saturating_sub(WINDOW)..end;
        let Some(smallest) = window.clone().map(|at| &orders[at]).min() else { break };
        match anchors.last() {
            Some(last) if window.contains(last) && orders[*last] == *smallest => {}
            _ => anchors.extend(window.rev().find(|&at| orders[at] == *smallest)),
        }
    }
    anchors.into_iter().map(|at| u32::try_from(at).unwrap()).collect()
}

fn order_naively(gram: &[u64], key: u64) -> (u8, u64) {
    let high = |hash: &u64| hash >> 32;
    let lowest = gram.iter().map(high).min().unwrap();
    let is_lowest = |at: usize| high(&gram[at]) == lowest;
    let class = match (is_lowest((K - 1) / 2), is_lowest(0) || is_lowest(K - 1)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    (class, key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 2)
}

fn check_anchors(hashes: &[u64]) {
    let anchors = anchors_of(hashes);
    let keys = keys_naively(hashes, K);
    let orders: Vec<(u8, u64)> = hashes.windows(K).zip(keys).map(|(gram, key)| order_naively(gram, key)).collect();
    assert_eq!(anchors, select_naively(&orders), "{} words", hashes.len());
    check_coverage(hashes.len(), &anchors);
}

/// Every run of L words, and every text of at least K, holds a whole sampled k-gram.
fn check_coverage(n_words: usize, anchors: &[u32]) {
    assert!(anchors.windows(2).all(|pair| pair[0] < pair[1]), "ascending: {anchors:?}");
    for first in 0..(n_words + 1).saturating_sub(L) {
        let is_inside = |&at: &u32| (first..first + WINDOW).contains(&(at as usize));
        assert!(anchors.iter().any(is_inside), "no anchor in words {first} to {}: {anchors:?}", first + L);
    }
    assert_eq!(n_words >= K, !anchors.is_empty(), "{n_words} words");
    assert!(anchors.iter().all(|&at| at as usize + K <= n_words), "{n_words} words: {anchors:?}");
}

#[test]
fn texts_of_every_length_around_k_w_and_a_chunk_are_covered() {
    for n in (0..=60).chain(250..=300).chain(515..=545) {
        check_anchors(&random_words(n as u64, n, u64::MAX));
    }
}

#[test]
fn repetitive_texts_are_covered_and_sparse() {
    for period in [1, 2, 3, 7, 8, 9, 17, 18, 19, 24, 25, 26, 100] {
        let hashes: Vec<u64> = random_words(3, period, u64::MAX).into_iter().cycle().take(2000).collect();
        check_anchors(&hashes);
        if period == 1 {
            assert_eq!(anchors_of(&hashes).len(), 1 + (2000 - K + 1 - WINDOW) / WINDOW, "one in {WINDOW}");
        }
    }
}

#[test]
fn prose_is_covered() {
    let prose = include_str!("../../../docs/algorithms.md");
    let mut words = Words::default();
    Fingerprinter::public().words(prose, &mut words);
    assert!(words.len() > 1000);
    check_anchors(&words.hashes);
    check_anchors(&words.hashes.repeat(2));
}

/// Orders that rise all the way make the window be read again at every step; falling ones never do.
#[test]
fn texts_made_to_hurt_are_covered() {
    // The inverse of the order's factor, by Newton's iteration, gives the keys of chosen orders.
    let factor = 0x9E37_79B9_7F4A_7C15_u64;
    let inverse = (0..6).fold(factor, |x, _| x.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(x))));
    assert_eq!(factor.wrapping_mul(inverse), 1);
    let rising: Vec<u64> = (0..2000).collect();
    let falling = rising.iter().rev().copied().collect();
    for orders in [rising, falling] {
        let keys: Vec<u64> = orders.iter().map(|order| inverse.wrapping_mul(order << 2)).collect();
        let hashes = vec![7; keys.len() + K - 1];
        let mut anchors = Vec::new();
        Sampler::new(K, L).select(&hashes, &keys, &mut anchors);
        assert_eq!(anchors, select_naively(&orders));
        check_coverage(hashes.len(), &anchors);
    }
}

#[test]
fn density_is_that_of_the_open_closed_order() {
    let hashes = random_words(11, 400_000, u64::MAX);
    let density = anchors_of(&hashes).len() as f64 / hashes.len() as f64;
    println!("{density:.4} anchors a word");
    assert!((0.085..0.105).contains(&density), "{density}");
    // Random order would select 2 / (w + 1).
    assert!(density < 0.96 * 2.0 / (WINDOW + 1) as f64, "{density}");
}

#[test]
fn anchor_keys_are_spread_as_evenly_as_all_keys() {
    let hashes = random_words(13, 400_000, u64::MAX);
    let keys = keys_naively(&hashes, K);
    let mut counts = [0.0; 64];
    let anchors = anchors_of(&hashes);
    for &at in &anchors {
        counts[(keys[at as usize] >> 58) as usize] += 1.0;
    }
    let mean = anchors.len() as f64 / 64.0;
    let chi_square: f64 = counts.iter().map(|n| (n - mean) * (n - mean) / mean).sum();
    // 63 degrees of freedom: mean 63, standard deviation 11.2. Keys small in the order themselves would give thousands.
    assert!(chi_square < 110.0, "{chi_square}");
}

#[test]
fn a_shared_run_of_l_words_shares_an_anchor() {
    for trial in 0..2000 {
        let run = random_words(trial as u64, L, u64::MAX);
        let places = |seed: u64, n_before: usize| {
            let (before, after) = (random_words(seed, n_before, u64::MAX), random_words(!seed, 30, u64::MAX));
            let place = |at: u32| (at as usize).checked_sub(n_before).filter(|place| *place < WINDOW);
            let anchors = anchors_of(&[before, run.clone(), after].concat());
            anchors.into_iter().filter_map(place).collect::<Vec<_>>()
        };
        let (a, b) = (places(1 << 40 | trial as u64, 300 - trial % 50), places(1 << 41 | trial as u64, trial % 40));
        assert!(a.iter().any(|at| b.contains(at)), "trial {trial}: {a:?} {b:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_covered_as_defined(n in 0..900_usize, n_different in 1..40_u64, seed in any::<u64>()) {
        check_anchors(&random_words(seed, n, n_different));
    }

    #[test]
    fn keys_are_as_defined(n in 0..60_usize, seed in any::<u64>()) {
        let words = words_with(random_words(seed, n, u64::MAX));
        let fingerprinter = Fingerprinter::public();
        let (mut grams, mut shingles) = (vec![1], vec![1]);
        fingerprinter.grams(&words, &mut grams);
        fingerprinter.shingles(&words, &mut shingles);
        prop_assert_eq!(grams, keys_naively(&words.hashes, 8));
        prop_assert_eq!(shingles, keys_naively(&words.hashes, 5));
    }
}

/// Everything that is stored of one small text. A second implementation computed the same values from
/// `docs/algorithms.md`.
#[test]
fn fingerprints_are_frozen() {
    let fingerprinter = Fingerprinter::public();
    let (mut words, mut grams, mut shingles) = (Words::default(), Vec::new(), Vec::new());
    let (mut signature, mut band_keys, mut anchors) = (Signature::default(), Vec::new(), Vec::new());
    fingerprinter.words("It was the best of times, it was the worst of times.", &mut words);
    fingerprinter.grams(&words, &mut grams);
    fingerprinter.shingles(&words, &mut shingles);
    fingerprinter.anchors(&words, &grams, &mut anchors);
    fingerprinter.signature(&shingles, &mut signature);
    fingerprinter.band_keys(&signature, &mut band_keys);
    assert_eq!(grams[..3], [0x51F7_9271_5511_761B, 0x4476_207C_45EC_9A30, 0x1B75_2EED_DCFE_536D]);
    assert_eq!(shingles[..3], [0xC09F_F976_2A46_6E20, 0x4F99_2AD8_8965_A305, 0xB833_08BE_3E22_8831]);
    assert_eq!(anchors, [2]);
    assert_eq!(fingerprinter.normal_form_key(&words), 0x45CE_7E80_C6AD_8A27);
    assert_eq!(signature.slots()[..4], [0x0DF0_DD7B, 0x2582_D2A4, 0x1DF2_7837, 0x4F33_1F86]);
    assert_eq!(signature.slots()[255], 0x1E88_4A2F);
    assert_eq!((band_keys.len(), band_keys[0], band_keys[31]), (32, 0xF3AB_B292_E631_6CAC, 0x2C1C_45DD_AF1D_2CCF));
    assert_eq!(fingerprinter.id_key("doc-1"), 0x8991_C741_DE95_1472);
    let documented = include_str!("../../../docs/algorithms.md");
    let long = grams[..3].iter().chain(&shingles[..3]).chain([&band_keys[0], &band_keys[31]]).copied();
    for value in long.chain([fingerprinter.normal_form_key(&words), fingerprinter.id_key("doc-1")]) {
        assert!(documented.contains(&format!("{value:016x}")), "docs/algorithms.md lacks {value:016x}");
    }
}

#[test]
fn a_private_seed_changes_every_key() {
    let recipe = Recipe::with_seed(7);
    let private = Fingerprinter::from_recipe(&recipe, 7, Path::new("MANIFEST-1")).unwrap();
    let public = Fingerprinter::public();
    let keys = |fingerprinter: &Fingerprinter| {
        let (mut words, mut keys) = (Words::default(), Vec::new());
        fingerprinter.words("one two three four five six seven eight", &mut words);
        fingerprinter.grams(&words, &mut keys);
        [words.hashes[0], keys[0], fingerprinter.normal_form_key(&words), fingerprinter.id_key("id")]
    };
    assert!(keys(&private).iter().zip(keys(&public)).all(|(a, b)| *a != b));
    assert_eq!(*private.recipe(), recipe);
}

#[test]
fn an_unknown_recipe_is_refused() {
    let path = Path::new("MANIFEST-1");
    for (recipe, seed) in [
        (Recipe::default(), 7),
        (Recipe { anchor_words: 9, ..Recipe::default() }, PUBLIC_SEED),
        (Recipe { bands: 16, ..Recipe::default() }, PUBLIC_SEED),
        (Recipe { normaliser: 2, ..Recipe::default() }, PUBLIC_SEED),
    ] {
        let error = Fingerprinter::from_recipe(&recipe, seed, path).unwrap_err();
        assert!(matches!(error, crate::Error::Incompatible { .. }), "{error}");
    }
    assert!(Fingerprinter::from_recipe(&Recipe::default(), PUBLIC_SEED, path).is_ok());
}

#[test]
fn normal_form_keys_tell_sequences_of_words() {
    let fingerprinter = Fingerprinter::public();
    let key = |text: &str| {
        let mut words = Words::default();
        fingerprinter.words(text, &mut words);
        fingerprinter.normal_form_key(&words)
    };
    for (a, b, expected) in [
        ("One, two.", "ONE two", true),
        ("one two", "two one", false),
        ("one two", "one two two", false),
        ("one two", "onetwo", false),
        ("", "…", true),
        ("", "a", false),
    ] {
        assert_eq!(key(a) == key(b), expected, "{a:?} {b:?}");
    }
}

/// Shingles of two documents whose Jaccard index is `n_common / n_all`.
fn shingles_with_index(random: &mut Random, n_common: usize, n_all: usize) -> [Vec<u64>; 2] {
    let mut a: Vec<u64> = (0..n_common).map(|_| random.next()).collect();
    let mut b = a.clone();
    for i in 0..n_all - n_common {
        let own = if i % 2 == 0 { &mut a } else { &mut b };
        own.push(random.next());
    }
    [a, b]
}

#[test]
fn the_estimate_is_unbiased_with_the_variance_of_independent_permutations() {
    const N_TRIALS: usize = 400;
    let fingerprinter = Fingerprinter::public();
    for (n_common, n_all) in [(10, 20), (80, 100), (50, 250), (500, 1000), (800, 1000)] {
        let index = n_common as f64 / n_all as f64;
        let mut random = Random(n_all as u64);
        let errors: Vec<f64> = (0..N_TRIALS)
            .map(|_| {
                let [a, b] = shingles_with_index(&mut random, n_common, n_all).map(|shingles| {
                    let mut signature = Signature::default();
                    fingerprinter.signature(&shingles, &mut signature);
                    signature
                });
                a.estimate_jaccard(&b) - index
            })
            .collect();
        let variance = index * (1.0 - index) / 256.0;
        let bias = errors.iter().sum::<f64>() / N_TRIALS as f64;
        assert!(bias.abs() < 3.0 * (variance / N_TRIALS as f64).sqrt(), "J {index}, n {n_all}: bias {bias}");
        let error = errors.iter().map(|error| error * error).sum::<f64>() / N_TRIALS as f64 / variance;
        println!("J {index}, n {n_all}: bias {bias:+.4}, mean squared error {error:.2} of the ideal");
        assert!((0.8..1.25).contains(&error), "J {index}, n {n_all}: mean squared error {error} of the ideal");
    }
}

#[test]
fn bands_find_similar_documents_as_often_as_theory_says() {
    const N_TRIALS: usize = 1000;
    let fingerprinter = Fingerprinter::public();
    // 1 - (1 - J^8)^32 is 0.997, 0.850, 0.118; the bounds are three standard deviations and more around it.
    for (n_common, expected) in [(80, 0.99..=1.0), (70, 0.81..=0.89), (50, 0.08..=0.16)] {
        let mut random = Random(n_common as u64);
        let n_found = (0..N_TRIALS)
            .filter(|_| {
                let [a, b] = shingles_with_index(&mut random, n_common, 100).map(|shingles| {
                    let (mut signature, mut keys) = (Signature::default(), Vec::new());
                    fingerprinter.signature(&shingles, &mut signature);
                    fingerprinter.band_keys(&signature, &mut keys);
                    keys
                });
                a.iter().zip(&b).any(|(a, b)| a == b)
            })
            .count();
        let rate = n_found as f64 / N_TRIALS as f64;
        println!("J 0.{n_common}: {rate} found");
        assert!(expected.contains(&rate), "J 0.{n_common}: {rate}");
    }
}

#[test]
fn slots_are_minima_of_affine_permutations() {
    let shingles: Vec<u64> = random_words(5, 1100, u64::MAX);
    let mut signature = Signature::default();
    Fingerprinter::public().signature(&shingles, &mut signature);
    for (slot, found) in (0..).zip(signature.slots()) {
        let parameters = derive_key(PUBLIC_SEED, 0x1_0000 + slot);
        let (factor, term) = (parameters >> 32 | 1, parameters & 0xFFFF_FFFF);
        let expected = shingles.iter().map(|shingle| (factor * (shingle >> 32) % (1 << 32) + term) % (1 << 32)).min();
        assert_eq!(Some(u64::from(*found)), expected, "slot {slot}");
    }
}

#[test]
fn equal_rows_in_different_bands_have_different_keys() {
    let mut keys = Vec::new();
    Fingerprinter::public().band_keys(&Signature::default(), &mut keys);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 32);
}

#[test]
fn a_signature_depends_on_the_set_of_shingles_alone() {
    let fingerprinter = Fingerprinter::public();
    let mut shingles = random_words(21, 700, u64::MAX);
    let mut signature = Signature::default();
    fingerprinter.signature(&shingles, &mut signature);
    shingles.reverse();
    shingles.extend_from_within(..300);
    let mut other = Signature::default();
    fingerprinter.signature(&shingles, &mut other);
    assert_eq!(signature, other);
    assert!((signature.estimate_jaccard(&other) - 1.0).abs() < f64::EPSILON);
}

/// What [`Fingerprinter::document`] promises, by the methods for whole texts.
fn prints_naively(fingerprinter: &Fingerprinter, text: &str) -> DocumentPrints {
    let (mut words, mut grams, mut anchors, mut shingles) = (Words::default(), Vec::new(), Vec::new(), Vec::new());
    let (mut signature, mut bands) = (Signature::default(), Vec::new());
    fingerprinter.words(text, &mut words);
    fingerprinter.grams(&words, &mut grams);
    fingerprinter.anchors(&words, &grams, &mut anchors);
    fingerprinter.shingles(&words, &mut shingles);
    if !shingles.is_empty() {
        fingerprinter.signature(&shingles, &mut signature);
        fingerprinter.band_keys(&signature, &mut bands);
    }
    let at = |&word: &u32| (grams[word as usize], words.starts[word as usize]);
    DocumentPrints {
        n_words: u32::try_from(words.len()).unwrap(),
        anchors: anchors.iter().map(at).collect(),
        bands,
        normal_form: (!words.is_empty()).then(|| fingerprinter.normal_form_key(&words)),
    }
}

#[test]
fn a_document_in_pieces_has_the_fingerprints_of_its_whole_text() {
    let fingerprinter = Fingerprinter::public();
    let mut scratch = DocumentScratch::default();
    let mut random = Random(8);
    for n_words in [0, 1, 4, 5, 7, 8, 24, 25, 26, 120, 135, 136, 137, 400, 3000] {
        for n_different in [1, 3, 1000] {
            let words: Vec<String> = (0..n_words).map(|_| format!("w{}", random.next() % n_different)).collect();
            for text in [words.join(" "), words.join(" ") + "\n", words.join("漢"), words.join(&"x".repeat(300))] {
                let expected = prints_naively(&fingerprinter, &text);
                for piece_bytes in [1, 16, 700, 5000, usize::MAX] {
                    let found = fingerprinter.document_in_pieces(&text, piece_bytes, &mut scratch);
                    assert!(
                        found == expected,
                        "{n_words} words, {n_different} different, pieces of {piece_bytes} bytes"
                    );
                }
            }
        }
    }
}

#[test]
fn plans_of_bands_are_those_of_the_recipe_as_far_as_it_goes() {
    let fingerprinter = Fingerprinter::public();
    let shingles: Vec<u64> = (0..100_u64).map(|n| mix(n + 1)).collect();
    let (mut signature, mut expected) = (Signature::default(), Vec::new());
    fingerprinter.signature(&shingles, &mut signature);
    fingerprinter.band_keys(&signature, &mut expected);
    let (mut scratch, mut keys) = (BandScratch::default(), Vec::new());
    for (bands, rows, n_equal) in [(32, 8, 32), (14, 8, 14), (40, 8, 32), (26, 11, 0)] {
        let first = BandPlan::new(PUBLIC_SEED, bands, rows).keys(&shingles, &mut scratch, &mut keys);
        assert_eq!(first, &signature);
        assert_eq!(keys.len(), bands as usize);
        assert_eq!(keys.iter().zip(&expected).filter(|(a, b)| a == b).count(), n_equal, "{bands}x{rows}");
    }
}
