//! The streams of a run, and what may be sent to them. Nothing else in this program writes to the standard output.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::visible::{is_hidden, visible_text};

/// Columns assumed where the output is no terminal.
const COLUMNS_DEFAULT: usize = 100;

/// Narrowest and widest layout in columns: below, words do not fit; above, the eye does not find the next line.
const COLUMNS: std::ops::RangeInclusive<usize> = 32..=160;

/// Where a run reads from and writes to. Tests put buffers here.
pub struct Console {
    /// The standard input.
    pub stdin: Box<dyn Read + Send>,
    /// Whether a person sits at the standard input.
    pub stdin_is_terminal: bool,
    /// The standard output: answers and nothing else.
    pub stdout: Box<dyn Write + Send>,
    /// Whether colours are wanted on the standard output.
    pub stdout_has_colour: bool,
    /// Whether the reader of the standard output has gone away.
    pub stdout_is_closed: bool,
    /// Width of the terminal, in columns.
    pub columns: usize,
    /// The standard error.
    pub stderr: Stderr,
}

/// The standard error: progress, notes, errors. Any thread may write to it.
pub struct Stderr {
    /// Where it goes.
    pub stream: Mutex<Box<dyn Write + Send>>,
    /// Whether colours are wanted.
    pub has_colour: bool,
    /// Whether a person looks at it, so that lines can be redrawn.
    pub is_terminal: bool,
    /// Whether progress, notes and summaries are left out.
    pub is_quiet: bool,
}

impl Console {
    /// Takes the streams of this process. Colours are on for terminals unless `NO_COLOR` or `TERM=dumb` say otherwise.
    pub fn of_process() -> Self {
        let has_colour = |choice| choice != anstream::ColorChoice::Never;
        Self {
            stdin: Box::new(io::stdin()),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout: Box::new(io::stdout()),
            stdout_has_colour: has_colour(anstream::AutoStream::choice(&io::stdout())),
            stdout_is_closed: false,
            columns: terminal_size::terminal_size_of(io::stdout())
                .map_or(COLUMNS_DEFAULT, |(width, _)| usize::from(width.0)),
            stderr: Stderr {
                stream: Mutex::new(Box::new(io::stderr())),
                has_colour: has_colour(anstream::AutoStream::choice(&io::stderr())),
                is_terminal: io::stderr().is_terminal(),
                is_quiet: false,
            },
        }
    }

    /// Returns the width to lay text out for, in columns.
    pub(super) fn layout_columns(&self) -> usize {
        self.columns.clamp(*COLUMNS.start(), *COLUMNS.end())
    }

    /// Returns how to colour text for the standard output.
    pub(super) fn paint(&self) -> Paint {
        Paint { has_colour: self.stdout_has_colour }
    }

    /// Writes text to the standard output. A reader that has gone away is no error: nobody is left to be told.
    ///
    /// # Errors
    /// Whatever else keeps the bytes from being written, such as a full disk.
    pub(super) fn print(&mut self, text: &str) -> anyhow::Result<()> {
        if self.stdout_is_closed {
            return Ok(());
        }
        match self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.stdout_is_closed = true,
            result => result.context("cannot write to the standard output")?,
        }
        Ok(())
    }

    /// Writes a value to the standard output as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub(super) fn print_json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let line = json_line(value)?;
        self.print(&line)
    }
}

impl Stderr {
    /// Returns how to colour text.
    pub(super) fn paint(&self) -> Paint {
        Paint { has_colour: self.has_colour }
    }

    /// Writes lines. Failures are passed over: there is no better place to tell them.
    pub(super) fn tell(&self, text: &str) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// Writes a line of its own, `label: text`; the text may be foreign.
    pub(super) fn tell_labelled(&self, label: Label, text: &str) {
        let (name, style) = match label {
            Label::Error => ("error", BAD),
            Label::Warning => ("warning", WARN),
            Label::Note => ("note", LOUD),
            Label::Hint => ("hint", HINT),
        };
        let name = self.paint().styled(style, format_args!("{name}:"));
        self.tell(&format!("{name} {}\n", visible_text(text)));
    }
}

/// What kind of message a line on the standard error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// The command failed.
    Error,
    /// Something may not be what the user wanted.
    Warning,
    /// What else is good to know.
    Note,
    /// What to do next.
    Hint,
}

/// Heading, or any text that must not be missed.
pub(super) const LOUD: Style = Style::new().bold();
/// What matters less than the rest.
pub(super) const DIM: Style = Style::new().dimmed();
/// All is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// A person should look.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Stopped.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Replaced by something else.
pub(super) const SWAPPED: Style = AnsiColor::Magenta.on_default().bold();
/// Advice.
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// A word that differs, on the side of the checked text.
pub(super) const OURS: Style = AnsiColor::Yellow.on_default().bold();
/// A word that differs, on the side of the source.
pub(super) const THEIRS: Style = AnsiColor::Cyan.on_default().bold();

/// Puts styles on text, or leaves them away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    /// Whether the stream takes colours.
    pub(super) has_colour: bool,
}

impl Paint {
    /// Returns the text in a style.
    pub(super) fn styled(self, style: Style, text: impl Display) -> String {
        if self.has_colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// Returns a line of a summary: a name, empty where the line goes on with the one before, and what there is to say about it.
    pub(super) fn fact(self, name: &str, value: &str) -> String {
        format!("  {}{value}\n", self.styled(DIM, format!("{name:<11}")))
    }
}

/// Writes a value as one line of JSON, with everything escaped that would steer or deceive a terminal; any parser reads the same value.
///
/// # Errors
/// Never for the types of this program: they have string keys only.
pub(super) fn json_line(value: &impl Serialize) -> anyhow::Result<String> {
    let mut line = Vec::with_capacity(512);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut line, PlainJson)).context("cannot write JSON")?;
    line.push(b'\n');
    String::from_utf8(line).context("cannot write JSON")
}

/// Compact JSON in which hidden characters are escaped.
struct PlainJson;

impl Formatter for PlainJson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut written = 0;
        for (offset, hidden) in fragment.match_indices(is_hidden) {
            writer.write_all(&fragment.as_bytes()[written..offset])?;
            let mut units = [0; 2];
            for unit in hidden.chars().flat_map(|character| character.encode_utf16(&mut units).to_vec()) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = offset + hidden.len();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let hostile = "a\u{1b}[2J\u{9b}b\u{202e}c\u{7f}\u{e0041}\n\"漢";
        let line = json_line(&hostile).expect("a string");
        assert!(!line.trim_end().chars().any(is_hidden), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).expect("valid JSON"), hostile);
    }
}
