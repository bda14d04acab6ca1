//! A made-up corpus of any size: document n is a function of the seed and n alone, so that a small corpus is the beginning of a
//! large one and any document can be made again to check an answer.
//!
//! | trait | how it is made |
//! |---|---|
//! | lengths | log-normal, median 4.2 KB, mean 5.8 KB, 200 bytes to 200 KB |
//! | duplicates | every seventh document belongs to a cluster; sizes follow a power law; two in five are copies, the others have sentences replaced, dropped or changed, but for those that are too short to meet an edit: 57 % are equal |
//! | boilerplate | three in ten documents have one to three passages that others have too; the most frequent one stands in one of forty documents |
//! | origins, licences, shards | sites by a power law, nine licences, 64 shards |

use copytrace_indexer::corpus::{Attributes, Document};

use super::lexicon::{Lexicon, Subject};
use super::random::Random;

/// Purposes of random numbers.
const OF_DOCUMENT: u64 = 2;
const OF_CONTENT: u64 = 3;
const OF_CLUSTER: u64 = 4;
const OF_BOILERPLATE: u64 = 5;
const OF_STRANGER: u64 = 6;

/// Share of documents that belong to a cluster of duplicates, and of those the share that are exact copies.
const CLUSTERED_SHARE: f64 = 0.14;
const EXACT_SHARE: f64 = 0.4;
/// Cluster c is drawn with probability about 1 / (c + 200)^1.5.
const CLUSTER_SHIFT: f64 = 200.0;
const CLUSTER_EXPONENT: f64 = 1.5;
/// Share of documents with boilerplate; passage b is drawn with probability about 1 / (b + 8)^1.6.
const BOILERPLATE_SHARE: f64 = 0.3;
const BOILERPLATE_SHIFT: f64 = 8.0;
const BOILERPLATE_EXPONENT: f64 = 1.6;
/// Largest number of a cluster, a boilerplate passage or a site.
const NUMBER_MAX: u64 = 1 << 32;

const LENGTH_MEDIAN: f64 = 4_200.0;
const LENGTH_SIGMA: f64 = 0.8;
const LENGTH_MIN: f64 = 200.0;
const LENGTH_MAX: f64 = 200_000.0;

const LICENSES: [&str; 9] = [
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "MIT",
    "Apache-2.0",
    "GPL-3.0-only",
    "CC-BY-NC-4.0",
    "LicenseRef-proprietary",
    "",
];
const SHARDS: u64 = 64;

/// A corpus without end.
pub(crate) struct Corpus {
    seed: u64,
    lexicon: Lexicon,
}

/// What a document is, before its text is made.
struct Plan {
    random: Random,
    cluster: Option<Member>,
}

/// A document's place in a cluster of duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    cluster: u64,
    is_exact: bool,
}

impl Corpus {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, lexicon: Lexicon::new() }
    }

    pub(crate) fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// The generator of what is made for queries.
    pub(crate) fn random(&self, number: u64) -> Random {
        Random::of(self.seed, OF_STRANGER, number)
    }

    /// Makes document `number`.
    pub(crate) fn document(&self, number: u64) -> Document {
        let Plan { mut random, cluster } = self.plan(number);
        let text = match cluster {
            None => self.text(Random::of(self.seed, OF_CONTENT, number)),
            Some(Member { cluster, is_exact }) => {
                let text = self.text(Random::of(self.seed, OF_CLUSTER, cluster));
                if is_exact { text } else { self.edit(&text, &mut random) }
            }
        };
        let site = random.power_law(300.0, 1.9, NUMBER_MAX);
        let origin = format!("site-{site}.example");
        let attributes = Attributes {
            uri: format!("https://{origin}/{number}"),
            license: LICENSES[random.below(LICENSES.len())].to_owned(),
            origin,
            shard: format!("shard-{:02}", number % SHARDS),
            language: "text".to_owned(),
        };
        Document { id: format!("doc-{number}"), text, attributes }
    }

    /// The number in a document's id.
    pub(crate) fn number_of(id: &str) -> Option<u64> {
        id.strip_prefix("doc-")?.parse().ok()
    }

    /// The cluster of duplicates that a document belongs to.
    pub(crate) fn cluster_of(&self, number: u64) -> Option<u64> {
        self.plan(number).cluster.map(|member| member.cluster)
    }

    /// Makes a boilerplate passage as often as documents have it.
    pub(crate) fn push_boilerplate(&self, random: &mut Random, text: &mut String) {
        let number = random.power_law(BOILERPLATE_SHIFT, BOILERPLATE_EXPONENT, NUMBER_MAX);
        let mut random = Random::of(self.seed, OF_BOILERPLATE, number);
        let subject = self.lexicon.subject(&mut random);
        let bytes = 150 + random.below(900);
        self.lexicon.push_prose(&mut random, &subject, bytes, text);
    }

    fn plan(&self, number: u64) -> Plan {
        let mut random = Random::of(self.seed, OF_DOCUMENT, number);
        let is_member = random.happens(CLUSTERED_SHARE);
        let is_exact = random.happens(EXACT_SHARE);
        let cluster = random.power_law(CLUSTER_SHIFT, CLUSTER_EXPONENT, NUMBER_MAX);
        Plan { random, cluster: is_member.then_some(Member { cluster, is_exact }) }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn text(&self, mut random: Random) -> String {
        let bytes = random.log_normal(LENGTH_MEDIAN, LENGTH_SIGMA).clamp(LENGTH_MIN, LENGTH_MAX) as usize;
        let n_boilerplate = if random.happens(BOILERPLATE_SHARE) { 1 + random.below(3) } else { 0 };
        let subject = self.lexicon.subject(&mut random);
        let mut text = String::with_capacity(bytes + 3_000);
        let n_before = random.below(n_boilerplate + 1);
        for _ in 0..n_before {
            self.push_boilerplate(&mut random, &mut text);
        }
        self.lexicon.push_prose(&mut random, &subject, bytes, &mut text);
        for _ in n_before..n_boilerplate {
            self.push_boilerplate(&mut random, &mut text);
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// Makes another version of a text: of one sentence in 100 to one in 7, a third each is replaced, dropped or gets another word.
    fn edit(&self, text: &str, random: &mut Random) -> String {
        let share = 0.01 * (random.share() * 14_f64.ln()).exp();
        let subject = self.lexicon.subject(random);
        let mut edited = String::with_capacity(text.len() + 1_000);
        for sentence in text.split_inclusive(". ") {
            if !random.happens(share) {
                edited.push_str(sentence);
                continue;
            }
            match random.below(3) {
                0 => self.replace_sentence(random, &subject, &mut edited),
                1 => {}
                _ => {
                    let words = sentence.split(' ').count();
                    edited.push_str(&self.substitute(sentence, words, random.below(words), random));
                }
            }
        }
        edited
    }

    fn replace_sentence(&self, random: &mut Random, subject: &Subject, text: &mut String) {
        self.lexicon.push_sentence(random, subject, text);
        text.push(' ');
    }

    /// Replaces every `step`-th word, beginning with word `first`, by another one.
    pub(crate) fn substitute(&self, text: &str, step: usize, first: usize, random: &mut Random) -> String {
        let mut substituted = String::with_capacity(text.len() + text.len() / 8);
        for (n, word) in text.split(' ').enumerate() {
            if n > 0 {
                substituted.push(' ');
            }
            if n % step == first % step && !word.is_empty() {
                self.lexicon.push_word(random, &mut substituted);
            } else {
                substituted.push_str(word);
            }
        }
        substituted
    }
}
