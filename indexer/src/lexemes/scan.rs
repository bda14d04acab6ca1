//! Where strings and comments end.
//!
//! Each search that may fail remembers so: what is not closed behind one place is not closed behind a later one. So a
//! text of nothing but openers is still read once per way of closing, and the lexer is linear.

use crate::language::lexicon::BlockComment;

/// Most `#` around a raw string: more than the few that anybody needs, and few enough to remember each.
pub(super) const RAW_HASHES_MAX: usize = 16;

/// Longest word at the ends of a raw string: the limit of C++.
const RAW_WORD_BYTES_MAX: usize = 16;

/// Raw strings with words at their ends that may remain open before no more are looked for: each costs a pass.
const OPEN_RAW_WORDS_MAX: usize = 8;

/// Deepest nesting of templates in templates. Code has two or three.
const TEMPLATE_DEPTH_MAX: usize = 64;

/// First place behind which a search finds nothing; none yet.
type Fruitless = usize;
const NONE: Fruitless = usize::MAX;

/// The searches in one text.
#[derive(Debug)]
pub(super) struct Scanner<'text> {
    bytes: &'text [u8],
    triples: [Fruitless; 2],
    quotes: [Fruitless; 256],
    hashes: [Fruitless; RAW_HASHES_MAX + 1],
    n_open_words: usize,
    comment: Fruitless,
    nested_comment: Fruitless,
    template: Fruitless,
    /// Up to here, a line has no regular expression, or no string with code that holds strings.
    no_regex_until: usize,
    no_nesting_until: usize,
    /// Bytes looked at, for the proof that it is linear.
    #[cfg(test)]
    pub(super) n_steps: usize,
}

impl<'text> Scanner<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        Self {
            bytes: text.as_bytes(),
            triples: [NONE; 2],
            quotes: [NONE; 256],
            hashes: [NONE; RAW_HASHES_MAX + 1],
            n_open_words: 0,
            comment: NONE,
            nested_comment: NONE,
            template: NONE,
            no_regex_until: 0,
            no_nesting_until: 0,
            #[cfg(test)]
            n_steps: 0,
        }
    }

    /// Counts bytes that were looked at, in tests.
    #[inline]
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests count"))]
    pub(super) fn count(&mut self, n: usize) {
        #[cfg(test)]
        {
            self.n_steps += n;
        }
        #[cfg(not(test))]
        let _ = n;
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Returns the end of the line, before its line break.
    #[inline]
    pub(super) fn line_end(&mut self, from: usize) -> usize {
        let n = self.bytes[from..].iter().position(|&byte| is_line_end(byte)).unwrap_or(self.bytes.len() - from);
        self.count(n);
        from + n
    }

    /// Returns the place behind a backslash and what it escapes; a line break counts as one.
    #[inline]
    fn behind_escape(&self, at: usize) -> usize {
        at + if self.byte(at + 1) == b'\r' && self.byte(at + 2) == b'\n' { 3 } else { 2 }
    }

    /// Returns the place of the closing quote of one character on this line, or the end of the line.
    #[inline]
    pub(super) fn quote_on_line(&mut self, from: usize, quote: u8, has_escapes: bool) -> usize {
        let mut at = from;
        while at < self.bytes.len() {
            let byte = self.bytes[at];
            if byte == quote || is_line_end(byte) {
                break;
            }
            at = if byte == b'\\' && has_escapes { self.behind_escape(at) } else { at + 1 };
        }
        let at = at.min(self.bytes.len());
        self.count(at - from);
        at
    }

    /// Returns the place of the closing quote of one character, on whatever line.
    pub(super) fn quote(&mut self, from: usize, quote: u8, has_escapes: bool) -> Option<usize> {
        if from >= self.quotes[usize::from(quote)] {
            return None;
        }
        let mut at = from;
        while at < self.bytes.len() && self.bytes[at] != quote {
            at = if self.bytes[at] == b'\\' && has_escapes { self.behind_escape(at) } else { at + 1 };
        }
        self.count(at - from);
        if at < self.bytes.len() {
            return Some(at);
        }
        self.quotes[usize::from(quote)] = from;
        None
    }

    /// Returns the place of the three closing quotes.
    pub(super) fn triple_quote(&mut self, from: usize, quote: u8) -> Option<usize> {
        let fruitless = usize::from(quote == b'"');
        if from >= self.triples[fruitless] {
            return None;
        }
        let mut at = from;
        while at + 2 < self.bytes.len() {
            let byte = self.bytes[at];
            if byte == quote && self.bytes[at + 1] == quote && self.bytes[at + 2] == quote {
                self.count(at - from);
                return Some(at);
            }
            at = if byte == b'\\' { self.behind_escape(at) } else { at + 1 };
        }
        self.count(at - from);
        self.triples[fruitless] = from;
        None
    }

    /// Returns the place of the quote with `n_hashes` behind it that closes a raw string.
    pub(super) fn raw_end(&mut self, from: usize, n_hashes: usize) -> Option<usize> {
        if from >= self.hashes[n_hashes] {
            return None;
        }
        let is_end = |at: usize| {
            self.bytes[at] == b'"'
                && self.bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').take(n_hashes).count() == n_hashes
        };
        let end = (from..self.bytes.len()).find(|&at| is_end(at));
        self.count(end.unwrap_or(self.bytes.len()) - from);
        if end.is_none() {
            self.hashes[n_hashes] = from;
        }
        end
    }

    /// Reads a raw string `end(…)end"` behind its first quote: returns the places where its content begins and ends, and
    /// the place behind it.
    pub(super) fn raw_words(&mut self, from: usize) -> Option<(usize, usize, usize)> {
        let head = &self.bytes[from..self.bytes.len().min(from + RAW_WORD_BYTES_MAX + 1)];
        let n_word = head.iter().position(|&byte| byte == b'(')?;
        let word = &head[..n_word];
        if self.n_open_words >= OPEN_RAW_WORDS_MAX
            || !word.iter().all(|byte| byte.is_ascii_graphic() && !b"\\)\"".contains(byte))
        {
            return None;
        }
        let start = from + n_word + 1;
        let is_end = |at: usize| {
            let rest = &self.bytes[at + 1..];
            self.bytes[at] == b')' && rest.starts_with(word) && rest.get(n_word) == Some(&b'"')
        };
        let end = (start..self.bytes.len()).find(|&at| is_end(at));
        self.count(end.unwrap_or(self.bytes.len()) - from);
        if end.is_none() {
            self.n_open_words += 1;
        }
        end.map(|end| (start, end, end + n_word + 2))
    }

    /// Returns the place behind a comment whose opener ends at `from`.
    pub(super) fn comment_end(&mut self, from: usize, comment: BlockComment) -> Option<usize> {
        if comment.nests && from < self.nested_comment {
            if let Some(end) = self.nested_comment_end(from, comment) {
                return Some(end);
            }
            self.nested_comment = from;
        }
        if from >= self.comment {
            return None;
        }
        let close = comment.close.as_bytes();
        let end = (from..self.bytes.len()).find(|&at| self.bytes[at..].starts_with(close));
        self.count(end.unwrap_or(self.bytes.len()) - from);
        if end.is_none() {
            self.comment = from;
        }
        end.map(|end| end + close.len())
    }

    fn nested_comment_end(&mut self, from: usize, comment: BlockComment) -> Option<usize> {
        let (open, close) = (comment.open.as_bytes(), comment.close.as_bytes());
        let (mut at, mut depth) = (from, 1_usize);
        while at < self.bytes.len() && depth > 0 {
            let rest = &self.bytes[at..];
            if rest.starts_with(close) {
                (at, depth) = (at + close.len(), depth - 1);
            } else if rest.starts_with(open) {
                (at, depth) = (at + open.len(), depth + 1);
            } else {
                at += 1;
            }
        }
        self.count(at - from);
        (depth == 0).then_some(at)
    }

    /// Returns the place of the closing quote of a string on this line that holds code in braces, in which the same quote
    /// may stand (Python since 3.12).
    pub(super) fn quote_around_code(&mut self, from: usize, quote: u8) -> Option<usize> {
        if from < self.no_nesting_until {
            return None;
        }
        let (mut at, mut depth) = (from, 0_usize);
        while at < self.bytes.len() {
            match self.bytes[at] {
                byte if is_line_end(byte) => break,
                b'{' if depth == 0 && self.byte(at + 1) == b'{' => at += 1,
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                b'\\' if depth == 0 => at = self.behind_escape(at) - 1,
                byte if depth == 0 && byte == quote => {
                    self.count(at - from);
                    return Some(at);
                }
                inner @ (b'"' | b'\'') if depth > 0 => at = self.quote_on_line(at + 1, inner, true),
                _ => {}
            }
            at += 1;
        }
        self.count(at - from);
        self.no_nesting_until = at;
        None
    }

    /// Returns the place of the closing quote of a template; code stands in it between `${` and `}`.
    pub(super) fn template_end(&mut self, from: usize) -> Option<usize> {
        if from >= self.template {
            return None;
        }
        // Braces that are open in each stretch of code that is open.
        let mut open_braces: Vec<usize> = Vec::new();
        let mut is_code = false;
        let mut at = from;
        while at < self.bytes.len() {
            match (self.bytes[at], open_braces.last_mut()) {
                (b'\\', _) => at += 1,
                (b'`', None) => {
                    self.count(at - from);
                    return Some(at);
                }
                (b'`', Some(_)) => is_code = !is_code,
                (b'$', _) if !is_code && self.byte(at + 1) == b'{' => {
                    if open_braces.len() == TEMPLATE_DEPTH_MAX {
                        break;
                    }
                    open_braces.push(1);
                    is_code = true;
                    at += 1;
                }
                (b'{', Some(depth)) if is_code => *depth += 1,
                (b'}', Some(depth)) if is_code => {
                    *depth -= 1;
                    if *depth == 0 {
                        open_braces.pop();
                        is_code = false;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.count(at.min(self.bytes.len()) - from);
        self.template = from;
        None
    }

    /// Returns the place of the slash that closes a regular expression on this line.
    pub(super) fn regex_end(&mut self, from: usize) -> Option<usize> {
        if from < self.no_regex_until {
            return None;
        }
        let mut is_in_class = false;
        let mut at = from;
        while at < self.bytes.len() {
            match self.bytes[at] {
                byte if is_line_end(byte) => break,
                b'\\' if !is_line_end(self.byte(at + 1)) => at += 1,
                b'[' => is_in_class = true,
                b']' => is_in_class = false,
                b'/' if !is_in_class => {
                    self.count(at - from);
                    return Some(at);
                }
                _ => {}
            }
            at += 1;
        }
        let at = at.min(self.bytes.len());
        self.count(at - from);
        self.no_regex_until = at;
        None
    }
}

#[inline]
pub(super) fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}
