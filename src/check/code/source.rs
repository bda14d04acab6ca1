//! Code made ready to be aligned: a part of the text, and the stretch of a document that hits point at.
//!
//! A stretch is lexed from a line near it that begins a definition. That line may stand inside of a string; then what is a string and what is code
//! is taken the wrong way round, and hits do not begin where lexemes do. Only then the stretch is lexed from a place that is safe: the last
//! definition at the margin, the start of the document, or else a line that looks like one; and if hits are amiss there, too, as behind a string that
//! never ends, from the start, as it was when it was indexed.
//!
//! Cost: 100 MB/s for lexemes and what is read off them, and the blocks of text.

use std::ops::Range;

use copytrace_indexer::index::documents::DocumentRecord;
use copytrace_indexer::index::segment::Segment;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::language::Language;
use copytrace_indexer::lexemes::Lexemes;
use copytrace_indexer::limits::LEXED_BYTES_MAX;

use crate::error::Result;
use crate::verify::TextView;
use crate::verify::code_view::CodeView;
use crate::verify::functions::find_functions;
use crate::verify::marks::MarkTable;
use crate::verify::notation::{ALIAS_LEXEMES, Aliases, drop_aliases};
use crate::verify::renaming::{Named, Roles};
use crate::verify::shape::compute_shapes;

/// Bytes before a stretch in which a line is looked for that begins a definition: a method of 25 lines.
const NEAR_SEARCH_BYTES: u32 = 1 << 10;
/// Bytes before a stretch in which a definition at the margin is looked for.
const HEADER_SEARCH_BYTES: u32 = 4 << 10;
/// Bytes of a document that are lexed from its start where there is no such line: nine files of ten, 0.2 ms.
const WHOLE_BYTES_MAX: u32 = 64 << 10;
/// Bytes of a document that are lexed in any case: what was lexed when it was indexed.
#[expect(clippy::cast_possible_truncation, reason = "256 KiB")]
const LEXED_BYTES: u32 = LEXED_BYTES_MAX as u32;
/// Words that begin a definition.
const DEFINITIONS: [&str; 25] = [
    "def ",
    "class ",
    "async def ",
    "@",
    "fn ",
    "pub ",
    "impl",
    "#[",
    "struct ",
    "enum ",
    "mod ",
    "func ",
    "function ",
    "export ",
    "static ",
    "public ",
    "private ",
    "protected ",
    "async fn ",
    "const ",
    "type ",
    "interface ",
    "trait ",
    "namespace ",
    "template",
];

/// A piece of code, ready to be aligned.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Its lexemes, without aliases.
    pub(super) lexemes: Lexemes,
    pub(super) marks: Vec<u32>,
    /// Lexemes that are left before each alias that was dropped, ascending.
    dropped: Vec<u32>,
    pub(super) aliases: Aliases,
    roles: Roles,
    shapes: Vec<u64>,
    functions: Vec<Range<u32>>,
}

impl Prepared {
    /// Reads off the lexemes, which are those of `text`, what alignment needs to know.
    pub(super) fn prepare(&mut self, text: &str, language: Language, table: &MarkTable) {
        table.find(&self.lexemes, &mut self.marks);
        (self.dropped, self.aliases) = drop_aliases(text, &mut self.lexemes, &mut self.marks);
        self.roles.find(&self.lexemes, &self.marks);
        compute_shapes(&self.lexemes, &self.roles, &mut self.shapes);
        self.functions = find_functions(text, language, &self.lexemes, &self.marks);
    }

    fn named(&self) -> Named<'_> {
        Named { lexemes: &self.lexemes, roles: &self.roles }
    }

    pub(super) fn code_view<'a>(&'a self, text: &'a str, language: Language) -> CodeView<'a> {
        CodeView { text, language, named: self.named(), functions: &self.functions }
    }

    pub(super) fn view<'a>(&'a self, text: &'a str) -> TextView<'a> {
        let Lexemes { hashes, starts, ends, .. } = &self.lexemes;
        TextView { text, hashes: &self.shapes, contents: hashes, starts, ends }
    }

    /// Returns the lexeme that begins at a byte.
    pub(super) fn at(&self, byte: u32) -> Option<u32> {
        self.lexemes.starts.binary_search(&byte).ok().and_then(|at| u32::try_from(at).ok())
    }

    /// Returns a range of lexemes as it is among all lexemes.
    pub(super) fn among_all(&self, range: &Range<u32>) -> Range<u32> {
        let all = |at: u32| {
            let n_before = self.dropped.partition_point(|&kept_before| kept_before <= at);
            at + ALIAS_LEXEMES * u32::try_from(n_before).unwrap_or(u32::MAX)
        };
        all(range.start)..all(range.end - 1) + 1
    }
}

/// The document that was read last.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) bytes: Vec<u8>,
    pub(super) prepared: Prepared,
    /// First byte in the document.
    pub(super) start: u32,
    pub(super) is_doc_end: bool,
    pub(super) language: Language,
}

impl Source {
    /// Reads a document as far as `range` needs, and cuts it into lexemes; `hits` are bytes of it at which lexemes begin. Returns
    /// whether some do.
    pub(super) fn read(
        &mut self,
        index: &Index,
        segment: &Segment,
        record: &DocumentRecord,
        range: Range<u32>,
        hits: &(impl Iterator<Item = u32> + Clone),
    ) -> Result<bool> {
        let doc_bytes = u32::try_from(record.text.end - record.text.start).unwrap_or(u32::MAX);
        let (first, end) = (range.start.min(doc_bytes), range.end.min(doc_bytes));
        self.is_doc_end = end == doc_bytes;
        self.language = record.language;
        let at = |byte: u32| record.text.start + u64::from(byte);
        let near = first.saturating_sub(NEAR_SEARCH_BYTES);
        segment.read_text(at(near)..at(end), &mut self.bytes)?;
        let before = &self.bytes[..(first - near) as usize];
        if let Some(skip) = last_definition(before, true).or((near == 0).then_some(0)) {
            self.lex(index, segment, near, skip)?;
            if hits.clone().all(|byte| self.begins_at(byte)) {
                return Ok(true);
            }
        }
        let mut start = first.saturating_sub(HEADER_SEARCH_BYTES);
        segment.read_text(at(start)..at(end), &mut self.bytes)?;
        let before = &self.bytes[..(first - start) as usize];
        let mut skip = if start == 0 { Some(0) } else { last_definition(before, false) };
        if skip.is_none() && end <= WHOLE_BYTES_MAX {
            start = 0;
            segment.read_text(at(start)..at(end), &mut self.bytes)?;
            skip = Some(0);
        }
        let skip = skip.unwrap_or_else(|| first_margin_line(&self.bytes[..(first - start) as usize]));
        self.lex(index, segment, start, skip)?;
        if self.start > 0 && end <= LEXED_BYTES && !hits.clone().any(|byte| self.begins_at(byte)) {
            segment.read_text(at(0)..at(end), &mut self.bytes)?;
            self.lex(index, segment, 0, 0)?;
        }
        Ok(hits.clone().any(|byte| self.begins_at(byte)))
    }

    /// Tells whether a lexeme begins at a byte of the document.
    fn begins_at(&self, byte: u32) -> bool {
        byte.checked_sub(self.start).is_some_and(|byte| self.prepared.at(byte).is_some())
    }

    /// Returns which bytes of the document were read.
    pub(super) fn bytes_in_document(&self) -> Range<u32> {
        self.start..self.start.saturating_add(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX))
    }

    /// Cuts what was read from `start` on into lexemes, but for its first `skip` bytes.
    fn lex(&mut self, index: &Index, segment: &Segment, start: u32, skip: usize) -> Result<()> {
        let keep = if self.is_doc_end { self.bytes.len() } else { last_char_end(&self.bytes) };
        self.bytes.truncate(keep.max(skip));
        self.bytes.drain(..skip);
        self.start = start + u32::try_from(skip).unwrap_or(u32::MAX);
        index.fingerprinter().lexemes(segment.as_text(&self.bytes)?, self.language, &mut self.prepared.lexemes);
        Ok(())
    }
}

/// Finds the last line that begins with a word that begins a definition, at the margin or, if it may be indented, anywhere. At the margin it
/// is hardly ever inside of a string.
fn last_definition(bytes: &[u8], may_be_indented: bool) -> Option<usize> {
    let begins_definition = |&start: &usize| {
        let line = &bytes[start..];
        let line = if may_be_indented { line.trim_ascii_start() } else { line };
        DEFINITIONS.iter().any(|word| line.starts_with(word.as_bytes()))
    };
    line_starts(bytes).rev().find(begins_definition)
}

/// Returns where lines begin behind the first line end, ascending.
fn line_starts(bytes: &[u8]) -> impl DoubleEndedIterator<Item = usize> + '_ {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1)
}

/// Finds a line behind a blank one that begins at the margin with a letter: hardly ever inside of a string. Else the first character.
fn first_margin_line(bytes: &[u8]) -> usize {
    let line = bytes.windows(3).position(|three| three[..2] == *b"\n\n" && three[2].is_ascii_alphabetic());
    let char_start = || bytes.iter().position(|&byte| byte & 0xC0 != 0x80);
    line.map(|at| at + 2).or_else(char_start).unwrap_or(0)
}

/// Returns where the last whole character ends.
fn last_char_end(bytes: &[u8]) -> usize {
    let near = bytes.len().saturating_sub(4);
    match std::str::from_utf8(&bytes[near..]) {
        Ok(_) => bytes.len(),
        // A start that is cut is no matter: only the end is looked for.
        Err(_) => bytes.iter().rposition(|&byte| byte & 0xC0 != 0x80).unwrap_or(0),
    }
}
