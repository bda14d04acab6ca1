//! The shingles of a text, of whatever kind a pass counts in.

use copytrace_indexer::fingerprint::Fingerprinter;
use copytrace_indexer::normalise::{Words, normal_form};
use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerocopy::IntoBytes as _;

use super::preset::Shingle;

/// Makes shingles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shingler<'a> {
    pub(super) fingerprinter: &'a Fingerprinter,
    pub(super) shingle: Shingle,
    pub(super) seed: u64,
}

impl Shingler<'_> {
    /// Replaces `shingles` by the keys of all shingles of a text, equal ones kept; `words` are its words. None where it is shorter than a
    /// shingle.
    ///
    /// Cost: 5 cycles a word for those of the recipe, 10 ns a word or character for others.
    pub(super) fn shingles(&self, text: &str, words: &Words, shingles: &mut Vec<u64>) {
        let recipe_words = self.fingerprinter.recipe().shingle_words;
        match self.shingle {
            Shingle::Words(k) if k == recipe_words => self.fingerprinter.shingles(words, shingles),
            Shingle::Words(k) => {
                shingles.clear();
                let runs = words.hashes.windows(k.max(1) as usize);
                shingles.extend(runs.map(|run| xxh3_64_with_seed(run.as_bytes(), self.seed)));
            }
            Shingle::Characters(k) => {
                shingles.clear();
                let text = normal_form(text);
                let starts: Vec<usize> =
                    text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len())).collect();
                let runs = starts.windows(k as usize + 1).filter_map(|run| Some(*run.first()?..*run.last()?));
                shingles.extend(runs.map(|run| xxh3_64_with_seed(&text.as_bytes()[run], self.seed)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_words_and_characters_are_counted() {
        let fingerprinter = Fingerprinter::public();
        let count = |text: &str, shingle| {
            let shingler = Shingler { fingerprinter: &fingerprinter, shingle, seed: 1 };
            let (mut words, mut shingles) = (Words::default(), Vec::new());
            fingerprinter.words(text, &mut words);
            shingler.shingles(text, &words, &mut shingles);
            shingles.len()
        };
        for (text, shingle, expected) in [
            ("a b c d e f", Shingle::Words(5), 2),
            ("a b c d e f", Shingle::Words(3), 4),
            ("a b", Shingle::Words(3), 0),
            ("Ab,  cd", Shingle::Characters(3), 3),
            ("漢字仮名", Shingle::Characters(3), 5),
            ("ab", Shingle::Characters(3), 0),
            ("", Shingle::Characters(3), 0),
        ] {
            assert_eq!(count(text, shingle), expected, "{text} {shingle:?}");
        }
    }
}
