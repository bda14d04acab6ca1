//! The walk over a plain text: lexeme after lexeme.

use super::LexemeKind;
use super::canonical::{append_content, is_canonical_number, write_number};
use super::scan::{RAW_HASHES_MAX, Scanner};
use super::table::{Class, Table};
use crate::language::lexicon::{Content, Delimited, Prefix, Quote, Reach};
use crate::normalise::is_name_character;

/// Longest prefix of a string.
const PREFIX_BYTES_MAX: usize = 3;

/// Longest escape of a character, `\u{10FFFF}` with separators, and its closing quote.
const CHARACTER_BYTES_MAX: usize = 20;

/// Receives the lexemes of a text.
pub(super) trait LexemeSink {
    /// Adds a lexeme; it came from the bytes [start, end) of the plain text.
    fn push(&mut self, kind: LexemeKind, canonical: &str, start: usize, end: usize);
    /// Takes the last lexeme back.
    fn pop(&mut self);
}

/// What was read last, be it a lexeme or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// A name or number or keyword that a value may end with.
    Value,
    /// A keyword that no value ends with.
    Keyword,
    Text,
    /// An operator of one character.
    Mark(u8),
    /// An operator of more characters, or one that is no lexeme.
    Other,
}

/// A string that has been read and that another one may continue.
#[derive(Debug, Default)]
struct OpenText {
    is_open: bool,
    start: usize,
    end: usize,
    prefix: &'static str,
    quote: char,
    content: String,
}

pub(super) struct Walk<'text, S> {
    text: &'text str,
    bytes: &'text [u8],
    table: &'static Table,
    sink: S,
    pub(super) scanner: Scanner<'text>,
    at: usize,
    /// Brackets that are open.
    depth: u32,
    /// Lexemes of the statement so far, where lines end statements.
    n_in_statement: usize,
    is_line_start: bool,
    last: Last,
    last_end: usize,
    open_text: OpenText,
    spelling: String,
}

impl<'text, S: LexemeSink> Walk<'text, S> {
    pub(super) fn new(text: &'text str, table: &'static Table, sink: S) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            table,
            sink,
            scanner: Scanner::new(text),
            at: 0,
            depth: 0,
            n_in_statement: 0,
            is_line_start: true,
            last: Last::Nothing,
            last_end: 0,
            open_text: OpenText::default(),
            spelling: String::new(),
        }
    }

    /// Reads the text as if it stood in a bracket: line breaks in it end nothing.
    pub(super) fn in_bracket(mut self) -> Self {
        self.depth = 1;
        self
    }

    /// Sends the lexemes of the whole text to the sink.
    pub(super) fn run(&mut self) {
        if self.bytes.starts_with(b"#!") && !self.bytes.starts_with(b"#![") {
            self.at = self.scanner.line_end(0);
        }
        while let Some(&byte) = self.bytes.get(self.at) {
            let start = self.at;
            match self.table.class(byte) {
                Class::Blank => self.at += 1,
                Class::LineEnd => self.end_line(),
                Class::Letter => self.read_word(),
                Class::Digit => self.read_number(),
                Class::Quote => self.read_quote(byte),
                Class::Mark => self.read_mark(byte),
                Class::Other => self.read_other(),
            }
            self.scanner.count(self.at - start);
        }
        self.end_statement();
        self.close_text();
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn end_line(&mut self) {
        self.at += 1;
        self.is_line_start = true;
        if self.depth == 0 {
            self.end_statement();
        }
    }

    /// Ends a statement where lines do so, and drops it where it is a string alone: documentation.
    fn end_statement(&mut self) {
        if self.table.lexicon.statements.is_none() || self.depth > 0 {
            return;
        }
        self.close_text();
        if self.n_in_statement == 1 && self.last == Last::Text {
            self.sink.pop();
            self.last = Last::Nothing;
        }
        self.n_in_statement = 0;
    }

    #[inline]
    fn push(&mut self, kind: LexemeKind, start: usize, end: usize, last: Last) {
        self.close_text();
        self.sink.push(kind, &self.text[start..end], start, end);
        self.note(last, end);
    }

    #[inline]
    fn note(&mut self, last: Last, end: usize) {
        self.last = last;
        self.last_end = end;
        self.n_in_statement += 1;
        self.is_line_start = false;
    }

    /// Returns the place behind the name that goes on at `at`.
    #[inline]
    fn name_end(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(&byte) = self.bytes.get(at) {
            match self.table.class(byte) {
                Class::Letter | Class::Digit => at += 1,
                Class::Other => match self.text[at..].chars().next().filter(|&c| is_name_character(c)) {
                    Some(c) => at += c.len_utf8(),
                    None => break,
                },
                _ => break,
            }
        }
        at
    }

    fn read_word(&mut self) {
        let start = self.at;
        let end = self.name_end(start);
        if end - start <= PREFIX_BYTES_MAX
            && matches!(self.byte(end), b'"' | b'\'' | b'#')
            && self.read_prefixed(start, end)
        {
            return;
        }
        self.push_word(start, end);
    }

    fn push_word(&mut self, start: usize, end: usize) {
        self.at = end;
        let word = &self.text[start..end];
        if !self.table.is_keyword(word) {
            self.push(LexemeKind::Name, start, end, Last::Value);
            return;
        }
        let lexicon = self.table.lexicon;
        if self.is_line_start && lexicon.statements.is_some_and(|words| words.contains(&word)) {
            // A bracket that a cut left open does not reach over statements.
            self.depth = 0;
            self.end_statement();
        }
        let is_value = lexicon.value_keywords.contains(&word);
        self.push(LexemeKind::Keyword, start, end, if is_value { Last::Value } else { Last::Keyword });
    }

    /// Reads a string with the prefix [start, end), and tells whether there was one.
    fn read_prefixed(&mut self, start: usize, end: usize) -> bool {
        let letters = &self.text[start..end];
        let prefixes = self.table.lexicon.prefixes;
        let Some(prefix) = prefixes.iter().find(|prefix| prefix.letters.eq_ignore_ascii_case(letters)) else {
            return false;
        };
        match self.table.lexicon.delimited {
            Delimited::Hashes if prefix.is_raw => return self.read_hashed(start, end, *prefix),
            Delimited::Words if prefix.is_raw => return self.read_between_words(start, end, *prefix),
            _ => {}
        }
        self.byte(end) != b'#' && self.read_string(start, end, *prefix)
    }

    /// Reads `r"…"`, `r#"…"#` or `r#name`.
    fn read_hashed(&mut self, start: usize, end: usize, prefix: Prefix) -> bool {
        let n_hashes = self.bytes[end..].iter().take_while(|&&byte| byte == b'#').take(RAW_HASHES_MAX + 1).count();
        let open = end + n_hashes;
        if n_hashes == 1 && prefix.letters == "r" && self.table.class(self.byte(open)) == Class::Letter {
            self.at = self.name_end(open);
            self.close_text();
            self.sink.push(LexemeKind::Name, &self.text[open..self.at], start, self.at);
            self.note(Last::Value, self.at);
            return true;
        }
        if n_hashes > RAW_HASHES_MAX || self.byte(open) != b'"' {
            return false;
        }
        let Some(close) = self.scanner.raw_end(open + 1, n_hashes) else { return false };
        self.at = close + 1 + n_hashes;
        self.add_text((start, self.at), prefix, '"', (open + 1, close), Content::Plain);
        true
    }

    /// Reads `R"end(…)end"`.
    fn read_between_words(&mut self, start: usize, end: usize, prefix: Prefix) -> bool {
        if self.byte(end) != b'"' {
            return false;
        }
        let Some((content_start, content_end, behind)) = self.scanner.raw_words(end + 1) else { return false };
        self.at = behind;
        self.add_text((start, behind), prefix, '"', (content_start, content_end), Content::Plain);
        true
    }

    fn read_quote(&mut self, byte: u8) {
        let at = self.at;
        if byte == b'\'' && self.table.lexicon.has_lifetimes {
            return self.read_lifetime_or_character(at, at);
        }
        if !self.read_string(at, at, Prefix::plain("", "")) {
            let quotes = self.table.lexicon.quotes;
            let n = quotes
                .iter()
                .find(|quote| self.bytes[at..].starts_with(quote.mark.as_bytes()))
                .map_or(1, |quote| quote.mark.len());
            self.at = at + n;
            self.push(LexemeKind::Mark, at, at + n, Last::Other);
        }
    }

    /// Reads a string whose prefix is [start, open), and tells whether there was one.
    fn read_string(&mut self, start: usize, open: usize, prefix: Prefix) -> bool {
        let quotes = self.table.lexicon.quotes;
        let Some(quote) = quotes.iter().find(|quote| self.bytes[open..].starts_with(quote.mark.as_bytes())) else {
            return false;
        };
        if quote.mark == "'" && self.table.lexicon.has_lifetimes {
            self.read_lifetime_or_character(start, open);
            return true;
        }
        let content = open + quote.mark.len();
        let Some(close) = self.find_close(content, *quote, prefix) else { return false };
        let is_closed = self.bytes[close..].starts_with(quote.mark.as_bytes());
        self.at = if is_closed { close + quote.mark.len() } else { close };
        let prefix = Prefix { is_raw: prefix.is_raw || !quote.has_escapes, ..prefix };
        self.add_text((start, self.at), prefix, quote.canonical, (content, close), quote.content);
        true
    }

    /// Returns where the content of a string ends: at its closing quote, at the end of a line that it may not leave, or
    /// nowhere.
    fn find_close(&mut self, from: usize, quote: Quote, prefix: Prefix) -> Option<usize> {
        let mark = quote.mark.as_bytes()[0];
        if quote.mark.len() > 1 {
            return self.scanner.triple_quote(from, mark);
        }
        if quote.reach == Reach::Lines {
            if quote.content == Content::Template
                && let Some(close) = self.scanner.template_end(from)
            {
                return Some(close);
            }
            let close = self.scanner.quote(from, mark, quote.has_escapes);
            let is_cut = close.is_none() && mark == b'"';
            return if is_cut { Some(self.scanner.quote_on_line(from, mark, quote.has_escapes)) } else { close };
        }
        if prefix.interpolates
            && let Some(close) = self.scanner.quote_around_code(from, mark)
        {
            return Some(close);
        }
        Some(self.scanner.quote_on_line(from, mark, quote.has_escapes))
    }

    /// Reads `'a`, `'a'` or `b'a'`, whose quote stands at `open`.
    fn read_lifetime_or_character(&mut self, start: usize, open: usize) {
        let rest = &self.text[open + 1..];
        let Some(first) = rest.chars().next() else { return self.push_mark(start, open + 1) };
        let close = if first == '\\' {
            let head = &self.bytes[open + 1..self.bytes.len().min(open + 1 + CHARACTER_BYTES_MAX)];
            // The second byte is escaped, whatever it is.
            let close = head.iter().skip(2).position(|&byte| byte == b'\'' || byte == b'\n').map(|n| open + 3 + n);
            close.filter(|&close| self.byte(close) == b'\'')
        } else {
            let close = open + 1 + first.len_utf8();
            Some(close).filter(|&close| self.byte(close) == b'\'' && first != '\'')
        };
        if let Some(close) = close {
            self.at = close + 1;
            let prefix = if start < open { Prefix::plain("b", "b") } else { Prefix::plain("", "") };
            return self.add_text((start, self.at), prefix, '\'', (open + 1, close), Content::Plain);
        }
        if start < open {
            // No character: the letters before the quote are a name.
            return self.push_word(start, open);
        }
        if first == '_' || first.is_alphabetic() {
            return self.push_word(open, self.name_end(open + 1));
        }
        self.push_mark(open, open + 1);
    }

    fn push_mark(&mut self, start: usize, end: usize) {
        self.at = end;
        self.push(LexemeKind::Mark, start, end, Last::Other);
    }

    /// Adds a string with the span and content given, or continues the one before it.
    fn add_text(&mut self, span: (usize, usize), prefix: Prefix, quote: char, content: (usize, usize), kind: Content) {
        let joins = self.open_text.is_open && self.last == Last::Text && self.open_text.quote == quote;
        if !joins {
            self.close_text();
            self.open_text.is_open = true;
            self.open_text.start = span.0;
            self.open_text.prefix = prefix.canonical;
            self.open_text.quote = quote;
            self.open_text.content.clear();
            self.n_in_statement += 1;
        } else if self.open_text.prefix.is_empty() {
            self.open_text.prefix = prefix.canonical;
        }
        self.open_text.end = span.1;
        let content = &self.text[content.0..content.1];
        append_content(content, prefix.is_raw, kind, &mut self.open_text.content);
        self.last = Last::Text;
        self.last_end = span.1;
        self.is_line_start = false;
        if !self.table.lexicon.joins_strings {
            self.close_text();
        }
    }

    /// Sends the string that was read last, if none can continue it any more.
    #[inline]
    fn close_text(&mut self) {
        if self.open_text.is_open {
            self.send_text();
        }
    }

    fn send_text(&mut self) {
        let OpenText { start, end, prefix, quote, content, .. } = &self.open_text;
        self.spelling.clear();
        self.spelling.push_str(prefix);
        self.spelling.push(*quote);
        self.spelling.push_str(content);
        self.spelling.push(*quote);
        self.sink.push(LexemeKind::Text, &self.spelling, *start, *end);
        self.open_text.is_open = false;
    }

    fn read_number(&mut self) {
        let start = self.at;
        let end = self.number_end(start);
        self.at = end;
        if is_canonical_number(&self.bytes[start..end]) {
            self.push(LexemeKind::Number, start, end, Last::Value);
            return;
        }
        self.close_text();
        write_number(&self.text[start..end], self.table.lexicon, &mut self.spelling);
        self.sink.push(LexemeKind::Number, &self.spelling, start, end);
        self.note(Last::Value, end);
    }

    /// Returns the place behind a number that begins at `start` with a digit, or with a dot and a digit.
    fn number_end(&self, start: usize) -> usize {
        let lexicon = self.table.lexicon;
        let is_hexadecimal = matches!(self.byte(start + 1), b'x' | b'X') && self.byte(start) == b'0';
        // A field of a tuple of a tuple: `pair.0.1`.
        let mut has_dot = self.last == Last::Mark(b'.') && self.last_end == start && self.byte(start) != b'.';
        let mut at = start;
        while let Some(&byte) = self.bytes.get(at) {
            let next = self.byte(at + 1);
            let goes_on = match byte {
                b'.' if !has_dot => {
                    has_dot = true;
                    next.is_ascii_digit() || next != b'.' && self.is_end_of_number(at + 1, lexicon.letters_follow_dot)
                }
                b'+' | b'-' => {
                    let exponent = if is_hexadecimal { b'p' } else { b'e' };
                    at > start && self.bytes[at - 1].to_ascii_lowercase() == exponent && next.is_ascii_digit()
                }
                _ if byte == lexicon.digit_separator => next.is_ascii_alphanumeric() || byte == b'_',
                _ => byte.is_ascii_alphanumeric() || byte == b'_',
            };
            if !goes_on {
                break;
            }
            at += 1;
        }
        at
    }

    /// Tells whether what stands at `at`, behind a dot, does not make the dot one that names a member.
    fn is_end_of_number(&self, at: usize, letters_follow_dot: bool) -> bool {
        let byte = self.byte(at);
        if self.table.class(byte) != Class::Letter {
            return byte.is_ascii();
        }
        let next = self.byte(at + 1);
        letters_follow_dot
            && match byte.to_ascii_lowercase() {
                b'e' => next.is_ascii_digit() || matches!(next, b'+' | b'-'),
                b'f' | b'd' | b'j' | b'l' => self.table.class(next) != Class::Letter,
                _ => false,
            }
    }

    fn read_mark(&mut self, byte: u8) {
        let at = self.at;
        let lexicon = self.table.lexicon;
        let rest = &self.bytes[at..];
        if rest.starts_with(lexicon.line_comment.as_bytes()) {
            self.at = self.scanner.line_end(at);
            return;
        }
        if let Some(comment) = lexicon.block_comment.filter(|comment| rest.starts_with(comment.open.as_bytes())) {
            let behind = at + comment.open.len();
            // An opener that nothing closes is no lexeme; what is behind it is.
            self.at = self.scanner.comment_end(behind, comment).unwrap_or(behind);
            return;
        }
        match byte {
            b'\\' => return self.read_backslash(),
            b'.' if self.byte(at + 1).is_ascii_digit()
                && lexicon.dot_begins_number
                && !matches!(self.last, Last::Value if self.last_end == at) =>
            {
                return self.read_number();
            }
            b';' => {
                self.close_text();
                self.at += 1;
                self.last = Last::Other;
                return;
            }
            b'/' if lexicon.has_regexes && self.may_begin_regex() && self.read_regex() => return,
            b'(' | b'[' | b'{' => self.depth = self.depth.saturating_add(1),
            b')' | b']' | b'}' => {
                if self.last == Last::Mark(b',') {
                    self.sink.pop();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
        let length = self.table.mark_length(rest);
        self.at = at + length;
        self.push(LexemeKind::Mark, at, self.at, if length == 1 { Last::Mark(byte) } else { Last::Other });
    }

    /// Reads the backslash that continues a line, or any other one.
    fn read_backslash(&mut self) {
        match self.byte(self.at + 1) {
            b'\r' if self.byte(self.at + 2) == b'\n' => self.at += 3,
            b'\n' | b'\r' => self.at += 2,
            _ => self.push_mark(self.at, self.at + 1),
        }
    }

    fn may_begin_regex(&self) -> bool {
        match self.last {
            Last::Nothing | Last::Keyword | Last::Other => true,
            Last::Value | Last::Text => false,
            Last::Mark(byte) => !matches!(byte, b')' | b']' | b'}' | b'<'),
        }
    }

    fn read_regex(&mut self) -> bool {
        let start = self.at;
        let Some(close) = self.scanner.regex_end(start + 1) else { return false };
        self.at = self.name_end(close + 1);
        self.push(LexemeKind::Text, start, self.at, Last::Text);
        true
    }

    fn read_other(&mut self) {
        let at = self.at;
        let Some(c) = self.text[at..].chars().next() else { return };
        if is_name_character(c) {
            return self.push_word(at, self.name_end(at));
        }
        self.at += c.len_utf8();
        if !c.is_whitespace() && !c.is_control() {
            self.push(LexemeKind::Mark, at, self.at, Last::Other);
        }
    }
}
