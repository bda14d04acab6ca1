//! Which of several similar rows stays: a total order over rows, given as `quality desc, length desc`.
//!
//! A term is a column, or `length` (of the text, in bytes), and a direction (`asc` where none is given). Numbers come before texts, and a row
//! without a value comes last whatever the direction. Each term becomes a key of 16 bytes that compares as the term does: numbers in full,
//! texts by their first 15 bytes (an ISO date fits). Smaller keys are better.

use copytrace_indexer::corpus::lines::Value;
use copytrace_indexer::{Error, Result};

/// Most terms.
const TERMS_MAX: usize = 8;
/// Bytes of a key that hold the beginning of a text.
const TEXT_BYTES: usize = 15;
/// Name of the term that is no column.
const LENGTH: &str = "length";

/// An order over rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Preference {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// `None` for the length.
    column: Option<String>,
    is_descending: bool,
}

impl Preference {
    /// Parses terms separated by commas; an empty text has none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let refuse = |found: &str| Error::Argument {
            name: "prefer",
            expected: format!("at most {TERMS_MAX} terms such as `quality desc, length desc`"),
            found: found.chars().take(80).collect(),
        };
        let mut terms = Vec::new();
        for term in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let mut words = term.split_whitespace();
            let column = words.next().ok_or_else(|| refuse(text))?;
            let is_descending = match words.next() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(refuse(term)),
            };
            if words.next().is_some() || terms.len() == TERMS_MAX {
                return Err(refuse(term));
            }
            terms.push(Term { column: (column != LENGTH).then(|| column.to_owned()), is_descending });
        }
        Ok(Self { terms })
    }

    /// Returns the columns it asks for, in the order of the terms.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| term.column.as_deref())
    }

    pub(super) fn n_terms(&self) -> usize {
        self.terms.len()
    }

    /// Appends the keys of a row: one a term. `values` are those of [`Self::columns`].
    pub(super) fn push_keys(&self, values: &[Value], text_bytes: usize, keys: &mut Vec<[u8; 16]>) {
        let mut values = values.iter();
        keys.extend(self.terms.iter().map(|term| {
            let length = Value::Number(text_bytes as f64);
            let value = if term.column.is_some() { values.next().unwrap_or(&Value::Missing) } else { &length };
            key_of(value, term.is_descending)
        }));
    }
}

fn key_of(value: &Value, is_descending: bool) -> [u8; 16] {
    let mut key = [0; 16];
    match value {
        Value::Number(number) if !number.is_nan() => {
            // The order of the bits of positive numbers is theirs; of negative ones it is turned round. Minus zero is zero.
            let bits = (number + 0.0).to_bits();
            let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            let bytes = ordered.to_le_bytes();
            for (to, from) in key[1..9].iter_mut().zip(bytes.iter().rev()) {
                *to = *from;
            }
        }
        Value::Text(text) => {
            key[0] = 1;
            let n = text.len().min(TEXT_BYTES);
            key[1..=n].copy_from_slice(&text.as_bytes()[..n]);
        }
        Value::Number(_) | Value::Missing => return [u8::MAX; 16],
    }
    if is_descending {
        for byte in &mut key[1..] {
            *byte = !*byte;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(prefer: &str, better: &[Value], worse: &[Value]) -> bool {
        let preference = Preference::parse(prefer).expect(prefer);
        let [better, worse] = [better, worse].map(|values| {
            let mut keys = Vec::new();
            preference.push_keys(values, 10, &mut keys);
            keys
        });
        better < worse
    }

    #[test]
    fn better_values_have_smaller_keys() {
        use Value::{Missing, Number};
        let text = |text: &str| Value::Text(text.to_owned());
        for (prefer, better, worse) in [
            ("q", Number(-2.0), Number(-1.0)),
            ("q", Number(-1.0), Number(0.5)),
            ("q asc", Number(1.0), Number(1.0e300)),
            ("q desc", Number(3.0), Number(-1.0)),
            ("q desc", Number(-1.0), Missing),
            ("q", Number(9.0), Missing),
            ("q desc", Number(f64::INFINITY), Number(f64::NAN)),
            ("q", text("2024-01-15"), text("2024-02-01")),
            ("q desc", text("2024-02-01"), text("2024-01-15")),
            ("q desc", text("abc"), text("ab")),
            ("q", Number(7.0), text("7")),
        ] {
            assert!(
                order(prefer, std::slice::from_ref(&better), std::slice::from_ref(&worse)),
                "{prefer} {better:?} {worse:?}"
            );
            assert!(!order(prefer, &[worse], &[better]));
        }
        assert!(!order("q", &[Number(-0.0)], &[Number(0.0)]) && !order("q", &[Number(0.0)], &[Number(-0.0)]));
        assert!(order("a desc, length desc, b", &[Number(1.0), Number(1.0)], &[Number(1.0), Number(2.0)]));
    }

    #[test]
    fn terms_are_parsed_or_refused() {
        assert_eq!(Preference::parse(" ").expect("none").n_terms(), 0);
        let columns = Preference::parse("meta.q desc,length,date asc").expect("three");
        assert_eq!((columns.n_terms(), columns.columns().collect::<Vec<_>>()), (3, vec!["meta.q", "date"]));
        for wrong in ["q down", "a,,b", "a desc desc", "a,b,c,d,e,f,g,h,i"] {
            assert!(Preference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
