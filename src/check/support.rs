//! How sure it is that a piece of code was copied: one number made of all that speaks for it and against it.
//!
//! Code that has nothing to do with each other shares shapes: `if x is None: x = []`, a row of assignments, a loop over a list. No single figure
//! tells such idioms from copies: half of a long function may be a copy, and the whole of a short one an idiom. So eight figures are put
//! together by a logistic model, in natural logarithms of odds, and the sum is shifted so that 0 is the threshold at which strangers are flagged
//! as seldom as docs/algorithms.md says, where the fit is described.
//!
//! Nothing in it depends on the size of the corpus beyond `grams`, which counts in k-grams that only one document has, so that it means
//! the same over ten documents and over ten million.

/// What is known about a copy of code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// Information of the k-grams shared, in k-grams that only one document has.
    pub(super) grams: f64,
    /// Lexemes of the longest run.
    pub(super) longest_run: u32,
    /// Share of the function that is matched, 0 to 1, in the text.
    pub(super) coverage: f64,
    /// The same in the source.
    pub(super) source_coverage: f64,
    /// Share of the k-grams matched that are different ones, 0 to 1.
    pub(super) novelty: f64,
    /// Different literals that are the same, and long enough to say something.
    pub(super) literals_same: u32,
    /// Different literals that are others.
    pub(super) literals_changed: u32,
    /// Different names that anybody may give: variables and parameters, where they are the same.
    pub(super) own_names_same: u32,
    /// Whether nothing that carries meaning was changed: no statement, no literal, no name but those of variables.
    pub(super) is_faithful: bool,
}

/// Counts above these say no more.
const GRAMS_MAX: f64 = 4.0;
const LITERALS_MAX: u32 = 4;
const OWN_NAMES_MAX: u32 = 8;
/// The sum that the strangers of docs/algorithms.md exceed in 0.3 % of all cases.
const THRESHOLD: f64 = 25.3;

impl Evidence {
    /// Returns the support for a copy: above 0 it is one, for all practical purposes. Natural logarithm of odds.
    pub(super) fn support(self) -> f64 {
        let (coverage, source_coverage) = (self.coverage.min(1.0), self.source_coverage.min(1.0));
        let run = f64::from(self.longest_run.max(1)) * self.novelty.max(0.01).sqrt();
        let sum = 2.5 * self.grams.min(GRAMS_MAX) * coverage
            + 3.5 * run.ln()
            + 7.5 * coverage
            + 1.5 * coverage.min(source_coverage)
            + 2.5 * self.novelty
            + 3.0 * f64::from(self.literals_same.min(LITERALS_MAX))
            - 0.35 * f64::from(self.literals_changed.min(LITERALS_MAX))
            + 0.6 * f64::from(self.own_names_same.min(OWN_NAMES_MAX))
            + if self.is_faithful { 4.25 } else { 0.0 };
        sum - THRESHOLD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: Evidence = Evidence {
        grams: 4.0,
        longest_run: 80,
        coverage: 1.0,
        source_coverage: 1.0,
        novelty: 1.0,
        literals_same: 0,
        literals_changed: 0,
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
        check(Evidence { longest_run: 24, grams: 1.0, ..COPY }, false);
        check(Evidence { longest_run: 40, coverage: 0.2, ..COPY }, false);
        check(Evidence { longest_run: 80, novelty: 0.1, grams: 1.0, ..COPY }, false);
    }

    #[test]
    fn names_and_literals_make_up_for_length() {
        let short = Evidence { longest_run: 16, grams: 1.0, ..COPY };
        check(short, false);
        check(Evidence { literals_same: 2, ..short }, true);
        check(Evidence { is_faithful: true, own_names_same: 3, ..short }, true);
        let part = Evidence { longest_run: 60, coverage: 0.3, source_coverage: 0.3, grams: 3.0, ..COPY };
        check(part, false);
        check(Evidence { literals_same: 3, own_names_same: 6, is_faithful: true, ..part }, true);
    }

    #[test]
    fn every_figure_counts_in_its_direction() {
        let more = [
            Evidence { grams: 2.0, ..COPY },
            Evidence { longest_run: 79, ..COPY },
            Evidence { coverage: 0.9, ..COPY },
            Evidence { source_coverage: 0.9, ..COPY },
            Evidence { novelty: 0.9, ..COPY },
            Evidence { literals_changed: 1, ..COPY },
        ];
        for less in more {
            assert!(less.support() < COPY.support(), "{less:?}");
        }
        for more in [
            Evidence { literals_same: 1, ..COPY },
            Evidence { own_names_same: 1, ..COPY },
            Evidence { is_faithful: true, ..COPY },
        ] {
            assert!(more.support() > COPY.support(), "{more:?}");
        }
    }
}
