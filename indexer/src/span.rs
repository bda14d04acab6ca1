//! Byte ranges of original texts.

use std::ops::Range;

/// A range of bytes [start, end) of an *original* document or query, never of a normalised form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Makes a span.
    pub fn new(start: u32, end: u32) -> Self {
        debug_assert!(start <= end, "a span does not end before it starts");
        Self { start, end }
    }

    /// Returns the length in bytes.
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// Tells whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Returns the span as a range for slicing.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Returns how many bytes both spans share.
    pub fn overlap(self, other: Self) -> u32 {
        self.end.min(other.end).saturating_sub(self.start.max(other.start))
    }

    /// Returns the one-based numbers of the lines in which the span's first and last byte stand. A line ends after `\n`.
    ///
    /// Cost: one scan of `text` up to the span's end.
    #[expect(clippy::naive_bytecount, reason = "the compiler makes vector code of it; no crate for one line")]
    pub fn lines(self, text: &str) -> (u32, u32) {
        let bytes = text.as_bytes();
        let newlines_before = |end: usize| bytes[..end.min(bytes.len())].iter().filter(|&&byte| byte == b'\n').count();
        let first = newlines_before(self.start as usize);
        let last_byte = (self.end as usize).saturating_sub(1).max(self.start as usize);
        let last = newlines_before(last_byte);
        let one_based = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        (one_based(first), one_based(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_based_and_inclusive() {
        let text = "a\nbb\nccc\n";
        for (start, end, expected) in
            [(0, 1, (1, 1)), (0, 2, (1, 1)), (0, 3, (1, 2)), (2, 4, (2, 2)), (5, 9, (3, 3)), (9, 9, (4, 4))]
        {
            assert_eq!(Span::new(start, end).lines(text), expected, "{start}..{end}");
        }
    }

    #[test]
    fn overlap_counts_shared_bytes() {
        assert_eq!(Span::new(0, 10).overlap(Span::new(5, 20)), 5);
        assert_eq!(Span::new(0, 5).overlap(Span::new(5, 20)), 0);
        assert_eq!(Span::new(8, 9).overlap(Span::new(0, 100)), 1);
    }
}
