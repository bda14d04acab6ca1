//! How sure it is that a piece of code was copied: one number made of all that speaks for it and against it.
//!
//! Code that has nothing to do with each other shares shapes: `if x is None: x = []`, a row of assignments, a loop over a list. No single figure
//! tells such idioms from copies: half of a long function may be a copy, and the whole of a short one an idiom. So eleven figures are put
//! together by a logistic model, in natural logarithms of odds, and the sum is shifted so that 0 is the threshold at which strangers are flagged
//! as seldom as docs/algorithms.md says, where the fit is described.
//!
//! Nothing in it depends on the size of the corpus beyond `grams`, which counts in k-grams that only one document has, so that it means
//! the same over ten documents and over ten million.

use super::body::BODY_MAX;

/// What is known about a copy of code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// Information of the k-grams shared, in k-grams that only one document has.
    pub(super) grams: f64,
    /// Distinct known origins of the k-gram shared that has fewest.
    pub(super) origins: u32,
    /// Lexemes of the longest run.
    pub(super) longest_run: u32,
    /// Share of the function that is matched, 0 to 1, in the text.
    pub(super) coverage: f64,
    /// The same in the source.
    pub(super) source_coverage: f64,
    /// Share of the k-grams matched that are different ones, 0 to 1.
    pub(super) novelty: f64,
    /// Lexemes that are neither of a header nor repeat others, up to [`BODY_MAX`].
    pub(super) body: u32,
    /// Different literals that are the same, and long enough to say something.
    pub(super) literals_same: u32,
    /// Different names that carry meaning and are the same: called, members, types.
    pub(super) meanings_same: u32,
    /// Different names that anybody may give: variables and parameters, where they are the same.
    pub(super) own_names_same: u32,
    /// Whether nothing that carries meaning was changed in what is matched: no literal, no name but those of variables.
    pub(super) is_faithful: bool,
}

/// Counts above these say no more.
const GRAMS_MAX: f64 = 4.0;
const ORIGINS_MAX: u32 = 99;
const LITERALS_MAX: u32 = 4;
const MEANINGS_MAX: u32 = 8;
const OWN_NAMES_MAX: u32 = 8;
/// The sum that the strangers of docs/algorithms.md exceed in 2 to 3 of 1,000 cases in Rust, and in fewer in Python.
const THRESHOLD: f64 = 30.9;

impl Evidence {
    /// Returns the support for a copy: above 0 it is one, for all practical purposes. Natural logarithm of odds.
    pub(super) fn support(self) -> f64 {
        let (coverage, source_coverage) = (self.coverage.min(1.0), self.source_coverage.min(1.0));
        let missing = f64::from(BODY_MAX.saturating_sub(self.body));
        let sum = 1.3 * self.grams.min(GRAMS_MAX) * coverage - 1.2 * f64::from(self.origins.clamp(1, ORIGINS_MAX)).ln()
            + 4.5 * f64::from(self.longest_run.max(1)).ln()
            + 9.9 * coverage
            + 2.5 * coverage.min(source_coverage)
            + 4.8 * self.novelty
            - 0.1 * missing
            - 0.6 * f64::from(self.meanings_same.min(MEANINGS_MAX)) * missing / f64::from(BODY_MAX)
            + 2.4 * f64::from(self.literals_same.min(LITERALS_MAX))
            + 0.35 * f64::from(self.own_names_same.min(OWN_NAMES_MAX))
            + if self.is_faithful { 5.8 } else { 0.0 };
        sum - THRESHOLD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: Evidence = Evidence {
        grams: 4.0,
        origins: 1,
        longest_run: 80,
        coverage: 1.0,
        source_coverage: 1.0,
        novelty: 1.0,
        body: BODY_MAX,
        literals_same: 0,
        meanings_same: 0,
        own_names_same: 0,
        is_faithful: false,
    };

    fn check(evidence: Evidence, is_copy: bool) {
        assert_eq!(evidence.support() > 0.0, is_copy, "{evidence:?} has {}", evidence.support());
    }

    #[test]
    fn shape_alone_is_enough_where_it_is_long_and_whole() {
        check(COPY, true);
        check(Evidence { longest_run: 40, grams: 3.0, ..COPY }, true);
        check(Evidence { longest_run: 24, grams: 1.0, body: 16, ..COPY }, false);
        check(Evidence { longest_run: 40, coverage: 0.2, ..COPY }, false);
        check(Evidence { longest_run: 80, novelty: 0.1, grams: 1.0, body: 6, ..COPY }, false);
    }

    #[test]
    fn names_and_literals_make_up_for_length() {
        let short = Evidence { longest_run: 16, grams: 1.0, body: 12, ..COPY };
        check(short, false);
        check(Evidence { literals_same: 2, ..short }, true);
        check(Evidence { is_faithful: true, own_names_same: 3, ..short }, true);
        let part = Evidence { longest_run: 60, coverage: 0.3, source_coverage: 0.3, grams: 3.0, ..COPY };
        check(part, false);
        check(Evidence { literals_same: 3, own_names_same: 6, is_faithful: true, ..part }, true);
    }

    #[test]
    fn what_an_interface_dictates_is_no_evidence() {
        let display = Evidence { longest_run: 46, grams: 0.3, body: 15, meanings_same: 8, own_names_same: 2, ..COPY };
        check(display, false);
        check(Evidence { body: 30, ..display }, true);
        check(Evidence { meanings_same: 0, ..display }, true);
    }

    #[test]
    fn every_figure_counts_in_its_direction() {
        let more = [
            Evidence { grams: 2.0, ..COPY },
            Evidence { longest_run: 79, ..COPY },
            Evidence { coverage: 0.9, ..COPY },
            Evidence { source_coverage: 0.9, ..COPY },
            Evidence { novelty: 0.9, ..COPY },
            Evidence { origins: 2, ..COPY },
            Evidence { body: BODY_MAX - 1, ..COPY },
        ];
        for less in more {
            assert!(less.support() < COPY.support(), "{less:?}");
        }
        let short = Evidence { body: BODY_MAX / 2, ..COPY };
        assert!(Evidence { meanings_same: 1, ..short }.support() < short.support());
        for more in [
            Evidence { literals_same: 1, ..COPY },
            Evidence { own_names_same: 1, ..COPY },
            Evidence { is_faithful: true, ..COPY },
        ] {
            assert!(more.support() > COPY.support(), "{more:?}");
        }
    }
}
