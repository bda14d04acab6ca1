//! What stands before each line of code that was copied out of a console, a diff or a listing.

/// Lines that are looked at, blank ones aside: a gutter stands before the first ones too.
const SAMPLE_LINES_MAX: usize = 64;

/// Share of the lines with a gutter, in percent, from which the others are accidents.
const GUTTER_PERCENT_MIN: usize = 80;

/// Share of prompts, in percent: what the program printed stands between them.
const PROMPT_PERCENT_MIN: usize = 40;

/// Longest line number.
const NUMBER_DIGITS_MAX: usize = 7;

/// What stands before each line and is not code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gutter {
    /// Nothing.
    #[default]
    None,
    /// `>>> ` and `... ` of Python; lines without are what the program printed.
    PythonPrompt,
    /// `In [3]: ` and `   ...: ` of IPython; lines without are what the program printed.
    IpythonPrompt,
    /// `+`, `-` or a blank of a unified diff; its headers are no code.
    Diff,
    /// Line numbers and the mark behind them.
    LineNumbers,
}

impl Gutter {
    /// Returns what is code of a line, its line break included: its tail, or nothing.
    pub(super) fn code_of(self, line: &str) -> &str {
        match self {
            Self::None => line,
            Self::PythonPrompt => strip_python_prompt(line).unwrap_or(""),
            Self::IpythonPrompt => strip_ipython_prompt(line).unwrap_or(""),
            Self::Diff if is_diff_header(line) => "",
            Self::Diff => line.strip_prefix(['+', '-', ' ']).unwrap_or(line),
            Self::LineNumbers => Numbered::of(line).map_or(line, |numbered| numbered.code),
        }
    }
}

/// Tells what stands before each line of a text, where that is beyond doubt.
///
/// Plain code has no gutter: prompts begin no line of it; a diff has a hunk's header, or most of its lines begin with `+`
/// or `-` and all others with a blank; line numbers count up by one.
///
/// Cost: looks at the first lines only.
pub fn detect_gutter(text: &str) -> Gutter {
    let mut lines = text.lines().filter(|line| !line.trim_ascii().is_empty()).take(SAMPLE_LINES_MAX);
    let Some(first) = lines.next() else { return Gutter::None };
    let lines = std::iter::once(first).chain(lines);
    let is_most = |n: usize, n_lines: usize| 100 * n >= GUTTER_PERCENT_MIN * n_lines;
    match first.trim_ascii_start().as_bytes() {
        [b'>', b'>', b'>', ..] if strip_python_prompt(first).is_some() => {
            let (n, n_lines) = count(lines, |line| strip_python_prompt(line).is_some());
            if n >= 2 && 100 * n >= PROMPT_PERCENT_MIN * n_lines { Gutter::PythonPrompt } else { Gutter::None }
        }
        [b'I', b'n', b' ', b'[', ..] if strip_ipython_prompt(first).is_some() => {
            let (n, n_lines) = count(lines, |line| strip_ipython_prompt(line).is_some());
            if n >= 2 && 100 * n >= PROMPT_PERCENT_MIN * n_lines { Gutter::IpythonPrompt } else { Gutter::None }
        }
        [b'0'..=b'9', ..] if is_numbered(lines.clone()) => Gutter::LineNumbers,
        _ if is_diff_header(first) || matches!(first.as_bytes()[0], b'+' | b'-' | b' ') => {
            let is_hunk = |line: &str| line.starts_with("@@ -");
            let (n_headers, _) = count(lines.clone(), is_diff_header);
            let (n_hunks, _) = count(lines.clone(), is_hunk);
            let (n_changed, _) = count(lines.clone(), |line| !is_diff_header(line) && line.starts_with(['+', '-']));
            let (n, n_lines) = count(lines, |line| is_diff_header(line) || line.starts_with(['+', '-', ' ']));
            let n_code = n_lines - n_headers;
            let is_diff = n_changed > 0 && (n_hunks > 0 || n_code > 2 && 2 * n_changed > n_code && n == n_lines);
            if is_diff && is_most(n, n_lines) { Gutter::Diff } else { Gutter::None }
        }
        _ => Gutter::None,
    }
}

/// Counts the lines that are so, and all.
fn count<'text>(lines: impl Iterator<Item = &'text str>, is_so: impl Fn(&str) -> bool) -> (usize, usize) {
    lines.fold((0, 0), |(n, n_lines), line| (n + usize::from(is_so(line)), n_lines + 1))
}

fn strip_python_prompt(line: &str) -> Option<&str> {
    let line = line.trim_start_matches([' ', '\t']);
    let code = line.strip_prefix(">>>").or_else(|| line.strip_prefix("..."))?;
    code.is_empty().then_some(code).or_else(|| code.starts_with([' ', '\n', '\r']).then_some(code))
}

fn strip_ipython_prompt(line: &str) -> Option<&str> {
    let line = line.trim_start_matches([' ', '\t']);
    if let Some(code) = line.strip_prefix("...:") {
        return Some(code);
    }
    let number = line.strip_prefix("In [")?;
    let code = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').strip_prefix("]:")?;
    Some(code)
}

fn is_diff_header(line: &str) -> bool {
    ["@@ ", "--- ", "+++ ", "diff --git ", "index ", "\\ No newline"].iter().any(|header| line.starts_with(header))
}

/// A line with its number.
#[derive(Debug, Clone, Copy)]
struct Numbered<'line> {
    number: u32,
    /// The mark between number and code: `:`, `|`, a blank.
    separator: char,
    code: &'line str,
}

impl<'line> Numbered<'line> {
    fn of(line: &'line str) -> Option<Self> {
        let line = line.trim_start_matches([' ', '\t']);
        let n_digits = line.bytes().take_while(u8::is_ascii_digit).count();
        if n_digits == 0 || n_digits > NUMBER_DIGITS_MAX {
            return None;
        }
        let number = line[..n_digits].parse().ok()?;
        let rest = &line[n_digits..];
        let behind_blanks = rest.trim_start_matches([' ', '\t']);
        if let Some(code) = behind_blanks.strip_prefix('|').filter(|code| !code.starts_with(['|', '='])) {
            return Some(Self { number, separator: '|', code });
        }
        if let Some(code) = rest.strip_prefix(':').filter(|code| !code.starts_with([':', '='])) {
            return Some(Self { number, separator: ':', code });
        }
        let is_blank = rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']);
        is_blank.then_some(Self { number, separator: ' ', code: behind_blanks })
    }
}

/// Tells whether the lines are numbered: most have a number, which counts up by one or, over lines without, by as many.
fn is_numbered<'text>(lines: impl Iterator<Item = &'text str>) -> bool {
    let (mut n_lines, mut n_numbered, mut n_like_code) = (0_u32, 0_u32, 0_u32);
    let mut separator = None;
    let mut previous: Option<(u32, u32)> = None;
    for line in lines {
        n_lines += 1;
        let Some(numbered) = Numbered::of(line) else { continue };
        // A number without anything behind it has no separator to tell.
        if !numbered.code.is_empty() && *separator.get_or_insert(numbered.separator) != numbered.separator {
            return false;
        }
        if let Some((number, place)) = previous
            && !(number + 1..=number + n_lines - place).contains(&numbered.number)
        {
            return false;
        }
        previous = Some((numbered.number, n_lines));
        n_numbered += 1;
        // Rows of a table, arms of a match, items of a dictionary begin with numbers too.
        let code = numbered.code.trim_ascii();
        let is_row = match numbered.separator {
            ' ' => code.starts_with(['=', ',', '.']) || code.bytes().next().is_some_and(|byte| byte.is_ascii_digit()),
            ':' => code.ends_with(','),
            _ => code.contains("=>"),
        };
        n_like_code += u32::from(is_row);
    }
    let n_min = if separator == Some(' ') { 3 } else { 2 };
    n_numbered >= n_min && 5 * n_numbered >= 4 * n_lines && 2 * n_like_code < n_numbered
}
