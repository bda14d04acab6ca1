//! The made-up corpus of the scale bench (`benches/scale`) is what it says: the same for the same seed, with copies where they are told.

use std::collections::BTreeMap;

use crate::scale::corpus::Corpus;
use crate::scale::queries::{Kind, PASSAGE_WORDS, Planted, Query, Shape, make};

#[path = "../../benches/scale/corpus.rs"]
mod corpus;
#[path = "../../benches/scale/lexicon.rs"]
mod lexicon;
#[path = "../../benches/scale/queries.rs"]
#[expect(dead_code, reason = "the bench scores answers, too")]
mod queries;
#[path = "../../benches/scale/random.rs"]
mod random;

/// FNV-1a over ids and texts.
fn hash(corpus: &Corpus, numbers: impl Iterator<Item = u64>) -> u64 {
    let documents = numbers.map(|number| corpus.document(number));
    let bytes =
        documents.flat_map(|document| [document.id, document.text, document.attributes.origin].join("\n").into_bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[test]
fn a_seed_and_a_number_make_the_same_document_on_every_day() {
    let hashes = [1, 2].map(|seed| hash(&Corpus::new(seed), 0..50));
    assert_eq!(
        hashes,
        [6_729_539_784_486_840_334, 10_182_948_984_623_495_321],
        "the figures of docs/benchmarks.md are of another corpus"
    );
    let corpus = Corpus::new(1);
    let alone = corpus.document(49);
    assert_eq!(Corpus::new(1).document(49), alone, "whatever was made before");
}

fn shape() -> Shape {
    Shape { n_docs: 2_000, bytes: 2_000..2_100, words: PASSAGE_WORDS }
}

fn planted(query: &Query) -> &Planted {
    query.planted.as_ref().unwrap()
}

#[test]
fn a_planted_passage_stands_in_its_document_and_in_the_text() {
    let corpus = Corpus::new(1);
    for query in make(&corpus, Kind::Verbatim, 40, &shape()) {
        let planted = planted(&query);
        assert_eq!(&query.request.text[planted.span.clone()], planted.passage, "{}", query.request.id);
        assert!(corpus.document(planted.document).text.contains(&planted.passage), "{}", query.request.id);
        assert!(planted.is_in(&corpus, planted.document));
        let others = (0..20).filter(|&other| corpus.cluster_of(other).is_none() && other != planted.document);
        assert!(others.filter(|&other| planted.is_in(&corpus, other)).count() <= 2, "{}", query.request.id);
    }
}

#[test]
fn every_so_manyth_word_of_an_edited_passage_is_another() {
    let corpus = Corpus::new(1);
    for (kind, step) in [(Kind::Every20th, 20), (Kind::Every10th, 10), (Kind::Every5th, 5)] {
        for query in make(&corpus, kind, 20, &shape()) {
            let planted = planted(&query);
            let copy = &query.request.text[planted.span.clone()];
            for (n, (original, copied)) in planted.passage.split(' ').zip(copy.split(' ')).enumerate() {
                let is_kept = n % step != step - 1;
                assert!(!is_kept || original == copied, "{}: word {n}", query.request.id);
            }
            let pairs = planted.passage.split(' ').zip(copy.split(' '));
            let (n, n_changed) = (pairs.clone().count(), pairs.filter(|(original, copied)| original != copied).count());
            assert!(n_changed * step * 2 >= n - step, "{}: {n_changed} of {n} words", query.request.id);
        }
    }
}

#[test]
fn duplicates_are_as_frequent_and_as_skewed_as_the_corpus_says() {
    let corpus = Corpus::new(1);
    let mut clusters: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for number in 0..200_000 {
        if let Some(cluster) = corpus.cluster_of(number) {
            clusters.entry(cluster).or_default().push(number);
        }
    }
    let n_members: usize = clusters.values().map(Vec::len).sum();
    assert!((27_400..28_600).contains(&n_members), "{n_members} of 200,000, expected 14 %");
    // Cluster 0 has 1 - (1 + 1 / 200)^-0.5 of all members: 70; most clusters have one here, and more in a larger corpus.
    let mut sizes: Vec<usize> = clusters.values().map(Vec::len).collect();
    sizes.sort_unstable();
    let (median, largest) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(median == 1 && (60..120).contains(&largest), "median {median}, largest {largest}");
    let (mut n, mut n_exact) = (0, 0);
    for members in clusters.values().take(6) {
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        for &number in members {
            *texts.entry(corpus.document(number).text).or_default() += 1;
        }
        n += members.len();
        n_exact += texts.values().max().unwrap();
    }
    // Two in five are made as copies, and of the others those are copies, too, that are too short for an edit.
    assert!((0.5..0.65).contains(&(n_exact as f64 / n as f64)), "{n_exact} of {n} are exact, expected 57 %");
}
