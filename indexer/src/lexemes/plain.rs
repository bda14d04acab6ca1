//! A text as the lexer reads it: without the gutter, spelt in plain characters; and the way back to the original.

use std::borrow::Cow;

use super::gutter::Gutter;
use crate::normalise::fold_spelling;

/// A text without what does not matter, and where that was.
#[derive(Debug)]
pub(super) struct Plain<'text> {
    pub(super) text: Cow<'text, str>,
    /// In the order of the text.
    patches: Vec<Patch>,
}

/// A stretch [start, end) of the plain text that stands for another stretch of the original.
#[derive(Debug, Clone, Copy)]
struct Patch {
    start: usize,
    end: usize,
    original_start: usize,
    original_end: usize,
}

impl<'text> Plain<'text> {
    /// Makes the plain text. Nothing is copied where it is the original.
    pub(super) fn of(text: &'text str, gutter: Gutter) -> Self {
        let mut maker = Maker { original: text, text: String::new(), patches: Vec::new(), n_taken: 0 };
        if gutter == Gutter::None {
            fold_spelling(text, |start, end, folded| maker.replace(start, end, folded));
        } else {
            let mut start = 0;
            for line in text.split_inclusive('\n') {
                let code = gutter.code_of(line);
                maker.replace(start, start + line.len() - code.len(), "");
                start += line.len();
                let base = start - code.len();
                fold_spelling(code, |start, end, folded| maker.replace(base + start, base + end, folded));
            }
        }
        maker.finish()
    }

    /// Returns the way back, from the beginning.
    pub(super) fn way_back(&self) -> WayBack<'_> {
        WayBack { patches: &self.patches, n_before_start: 0, n_before_last: 0 }
    }
}

struct Maker<'text> {
    original: &'text str,
    text: String,
    patches: Vec<Patch>,
    /// Bytes of the original that are in the plain text, as they were or replaced.
    n_taken: usize,
}

impl<'text> Maker<'text> {
    fn replace(&mut self, original_start: usize, original_end: usize, folded: &str) {
        self.text.push_str(&self.original[self.n_taken..original_start]);
        let start = self.text.len();
        self.text.push_str(folded);
        self.patches.push(Patch { start, end: self.text.len(), original_start, original_end });
        self.n_taken = original_end;
    }

    fn finish(mut self) -> Plain<'text> {
        if self.patches.is_empty() {
            return Plain { text: Cow::Borrowed(self.original), patches: Vec::new() };
        }
        self.text.push_str(&self.original[self.n_taken..]);
        Plain { text: Cow::Owned(self.text), patches: self.patches }
    }
}

/// The way back from spans of the plain text to spans of the original, for spans whose starts and ends do not fall.
#[derive(Debug)]
pub(super) struct WayBack<'plain> {
    patches: &'plain [Patch],
    n_before_start: usize,
    n_before_last: usize,
}

impl WayBack<'_> {
    /// Returns the bytes of the original that a span of the plain text, which is not empty, came from.
    #[inline]
    pub(super) fn span(&mut self, start: usize, end: usize) -> (usize, usize) {
        if self.patches.is_empty() {
            return (start, end);
        }
        let (original_start, _) = locate(self.patches, &mut self.n_before_start, start);
        let (_, original_end) = locate(self.patches, &mut self.n_before_last, end - 1);
        (original_start, original_end)
    }
}

/// Returns the bytes of the original that one byte of the plain text came from.
fn locate(patches: &[Patch], n_before: &mut usize, at: usize) -> (usize, usize) {
    while patches.get(*n_before).is_some_and(|patch| patch.end <= at) {
        *n_before += 1;
    }
    if let Some(patch) = patches.get(*n_before).filter(|patch| patch.start <= at) {
        return (patch.original_start, patch.original_end);
    }
    let original = match n_before.checked_sub(1).map(|last| patches[last]) {
        Some(patch) => patch.original_end + (at - patch.end),
        None => at,
    };
    (original, original + 1)
}
