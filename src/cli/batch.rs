//! Many texts, one JSON object a line: read, checked on all cores, answered in the order of the input.
//!
//! One thread reads, the pool checks, the caller's thread writes. A window bounds what is under way, by lines and by bytes, so that
//! memory does not grow with the input; an answer is written as soon as it and all before it are known.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, anyhow};
use copytrace_indexer::ErrorKind;
use copytrace_indexer::language::Language;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::check::answer::{Action, Answer, Verdict};
use crate::check::{Checker, Request, TEXT_BYTES_MAX};

/// Longest line, in bytes: a text and a prompt with every byte escaped as `\u00XX`, and 1 MiB for all other fields.
const LINE_BYTES_MAX: usize = 2 * 6 * TEXT_BYTES_MAX + (1 << 20);

/// Lines under way per core: enough that no core waits for the slowest of its neighbours.
const LINES_PER_CORE: usize = 32;

/// Bytes of lines under way, unless one line alone is longer: ten of the longest texts, and thousands of usual ones.
const WINDOW_BYTES_MAX: usize = 64 << 20;

/// What is accepted as a line, for messages.
const LINE_EXPECTED: &str =
    r#"expected {"id": "...", "text": "...", "language": "..." (optional), "prompt": "..." (optional)}"#;

/// What holds for lines that do not say otherwise.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    /// The language; `None` to find out.
    pub(super) language: Option<Language>,
    /// The prompt.
    pub(super) prompt: String,
    /// Whether rare words are looked up.
    pub(super) is_lexical: bool,
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Texts that may pass.
    pub(super) allowed: u64,
    /// Texts that were checked and may not simply pass.
    pub(super) not_allowed: u64,
    /// Lines that are no request.
    pub(super) unreadable: u64,
    /// Texts that could not be checked though nothing is wrong with them.
    pub(super) failed: u64,
    /// The line and the reason of the first of those.
    pub(super) first_failure: Option<(u64, String)>,
}

/// What became of a line.
struct Outcome {
    line: u64,
    bytes: usize,
    answer: Answer,
    /// Whose fault it is that the text was not checked; `None` if it was.
    fault: Option<ErrorKind>,
}

/// Answers every line of `input`; `write` gets the answers in order and returns whether anybody still reads them.
///
/// # Errors
/// Where the input cannot be read or an answer cannot be written. Lines and texts that are wrong are answered, not errors.
pub(super) fn run(
    input: &mut (dyn BufRead + Send),
    checker: &dyn Checker,
    defaults: &Defaults,
    write: impl FnMut(&Answer) -> anyhow::Result<bool>,
) -> anyhow::Result<Tally> {
    let n_lines_max = LINES_PER_CORE * rayon::current_num_threads();
    let window = Window::new(n_lines_max, WINDOW_BYTES_MAX);
    std::thread::scope(|scope| {
        let (queue, answers) = mpsc::channel();
        let window = &window;
        let reader = scope.spawn(move || read_all(input, checker, defaults, window, &queue));
        let tally = write_all(&answers, window, write);
        // Whatever made the writer stop, the reader must not wait for it.
        window.close();
        let read = reader.join().map_err(|_| anyhow!("a check failed"))?;
        tally.and_then(|tally| read.map(|()| tally))
    })
}

type Slot = Receiver<Outcome>;

fn read_all(
    input: &mut (dyn BufRead + Send),
    checker: &dyn Checker,
    defaults: &Defaults,
    window: &Window,
    queue: &mpsc::Sender<Slot>,
) -> anyhow::Result<()> {
    rayon::in_place_scope_fifo(|scope| {
        for number in 1.. {
            let Some(line) = read_line(input, LINE_BYTES_MAX).context("cannot read the batch")? else {
                break;
            };
            let bytes = line.as_ref().map_or(0, Vec::len);
            if !window.enter(bytes) {
                break;
            }
            let (outcome, slot) = mpsc::channel();
            if queue.send(slot).is_err() {
                break;
            }
            scope.spawn_fifo(move |_| {
                let (answer, fault) = answer_line(number, line, checker, defaults);
                // Nobody waits for it any more if the writer has stopped.
                let _ = outcome.send(Outcome { line: number, bytes, answer, fault });
            });
        }
        Ok(())
    })
}

fn write_all(
    answers: &Receiver<Slot>,
    window: &Window,
    mut write: impl FnMut(&Answer) -> anyhow::Result<bool>,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for slot in answers {
        let outcome = slot.recv().context("a check ended without an answer")?;
        match outcome.fault {
            None if outcome.answer.verdict.action == Action::Allow => tally.allowed += 1,
            None => tally.not_allowed += 1,
            Some(ErrorKind::InvalidInput) => tally.unreadable += 1,
            Some(_) => {
                tally.failed += 1;
                tally.first_failure.get_or_insert_with(|| (outcome.line, outcome.answer.error.clone()));
            }
        }
        let is_read = write(&outcome.answer)?;
        window.leave(outcome.bytes);
        if !is_read {
            break;
        }
    }
    Ok(tally)
}

fn answer_line(
    number: u64,
    line: Result<Vec<u8>, TooLong>,
    checker: &dyn Checker,
    defaults: &Defaults,
) -> (Answer, Option<ErrorKind>) {
    let request = match line {
        Ok(line) => parse_line(&line, defaults),
        Err(TooLong) => Err(Unreadable {
            id: String::new(),
            problem: format!("longer than {LINE_BYTES_MAX} bytes: expected a text of at most {TEXT_BYTES_MAX} bytes"),
        }),
    };
    match request {
        Err(Unreadable { id, problem }) => {
            (unanswered(id, format!("line {number}: {problem}")), Some(ErrorKind::InvalidInput))
        }
        Ok(request) => match checker.check(&request) {
            Ok(answer) => (answer, None),
            Err(error) => {
                let kind = error.kind();
                (unanswered(request.id, format!("line {number}: {error}")), Some(kind))
            }
        },
    }
}

fn unanswered(id: String, error: String) -> Answer {
    let verdict = Verdict { reason: "The text was not checked.".to_owned(), ..Verdict::default() };
    Answer { id, verdict, error, ..Answer::default() }
}

/// A line that is no request.
struct Unreadable {
    /// The request's id as far as it could be read.
    id: String,
    /// What is wrong and what is accepted; never text of the line.
    problem: String,
}

/// The fields of a line, not looked into yet, so that a message can name the one that is wrong.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    language: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

fn parse_line(line: &[u8], defaults: &Defaults) -> Result<Request, Unreadable> {
    let fail = |id: &str, problem: String| Unreadable { id: id.to_owned(), problem };
    let line = std::str::from_utf8(line)
        .map_err(|error| fail("", format!("invalid UTF-8 at byte {}: {LINE_EXPECTED}", error.valid_up_to())))?;
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    if line.trim().is_empty() {
        return Err(fail("", format!("empty: {LINE_EXPECTED}")));
    }
    if !line.trim_start().starts_with('{') {
        return Err(fail("", format!("not a JSON object: {LINE_EXPECTED}")));
    }
    let fields: Fields<'_> = serde_json::from_str(line).map_err(|error| {
        let problem = if error.is_data() { "a field is given twice" } else { "not valid JSON" };
        fail("", format!("{problem} (column {}): {LINE_EXPECTED}", error.column()))
    })?;
    let id = match fields.id {
        // Data sets number their rows; a number is as good a name as its digits.
        Some(raw) if raw.get().parse::<i64>().is_ok() => raw.get().to_owned(),
        raw => string("id", raw).map_err(|problem| fail("", problem))?.unwrap_or_default(),
    };
    let field = |name, raw| string(name, raw).map_err(|problem| fail(&id, problem));
    let text = field("text", fields.text)?.ok_or_else(|| fail(&id, format!("`text` is missing: {LINE_EXPECTED}")))?;
    let language = match field("language", fields.language)?.as_deref() {
        None | Some("" | "auto") => defaults.language,
        Some(name) => Some(name.parse().map_err(|_| {
            fail(
                &id,
                format!("`language` is not known: expected auto, {}", Language::ALL.map(Language::name).join(", ")),
            )
        })?),
    };
    let prompt = field("prompt", fields.prompt)?.unwrap_or_else(|| defaults.prompt.clone());
    Ok(Request { language, prompt, is_lexical: defaults.is_lexical, ..Request::new(id, text) })
}

fn string(name: &str, raw: Option<&RawValue>) -> Result<Option<String>, String> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| {
        let kind = match raw.get().as_bytes().first() {
            Some(b'"') => "has an escape that is no character",
            Some(b'{') => "is an object",
            Some(b'[') => "is a list",
            Some(b't' | b'f') => "is true or false",
            _ => "is a number",
        };
        format!("`{name}` {kind}: expected a string")
    })
}

/// A line that is longer than the limit. It was read to its end and dropped.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// Reads a line without its end; `None` at the end of the input. Never holds more than `bytes_max` bytes.
fn read_line(input: &mut (dyn BufRead + Send), bytes_max: usize) -> io::Result<Option<Result<Vec<u8>, TooLong>>> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    let mut is_started = false;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        is_started = true;
        let end = chunk.iter().position(|&byte| byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        is_too_long |= line.len() + part.len() > bytes_max;
        if is_too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let n_consumed = part.len() + usize::from(end.is_some());
        input.consume(n_consumed);
        if end.is_some() {
            break;
        }
    }
    Ok(match (is_started, is_too_long) {
        (false, _) => None,
        (true, true) => Some(Err(TooLong)),
        (true, false) => Some(Ok(line)),
    })
}

/// Bounds what is under way.
struct Window {
    state: Mutex<WindowState>,
    changed: Condvar,
    n_lines_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct WindowState {
    n_lines: usize,
    bytes: usize,
    is_closed: bool,
}

impl Window {
    fn new(n_lines_max: usize, bytes_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), n_lines_max, bytes_max }
    }

    fn state(&self) -> MutexGuard<'_, WindowState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for a line of this length; a line longer than the window has room when it is alone. Returns false if
    /// the window was closed.
    fn enter(&self, bytes: usize) -> bool {
        let is_full = |state: &mut WindowState| {
            !state.is_closed
                && state.n_lines > 0
                && (state.n_lines >= self.n_lines_max || state.bytes + bytes > self.bytes_max)
        };
        let mut state = self.changed.wait_while(self.state(), is_full).unwrap_or_else(PoisonError::into_inner);
        state.n_lines += 1;
        state.bytes += bytes;
        !state.is_closed
    }

    /// Makes room again.
    fn leave(&self, bytes: usize) {
        let mut state = self.state();
        state.n_lines -= 1;
        state.bytes -= bytes;
        self.changed.notify_all();
    }

    /// Lets nothing in any more.
    fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Result;

    /// Allows everything, and notes how many checks were under way at once.
    #[derive(Default)]
    struct Meter {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    impl Checker for Meter {
        fn check(&self, request: &Request) -> Result<Answer> {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            self.now.fetch_sub(1, Ordering::SeqCst);
            let verdict = Verdict { action: Action::Allow, ..Verdict::default() };
            Ok(Answer { id: request.id.clone(), verdict, ..Answer::default() })
        }
    }

    const DEFAULTS: Defaults = Defaults { language: None, prompt: String::new(), is_lexical: true };

    #[test]
    fn answers_keep_the_order_of_the_input() {
        let input: Vec<String> = (0..5000).map(|n| format!("{{\"id\": \"{n}\", \"text\": \"x\"}}\n")).collect();
        let input = input.concat();
        let mut ids = Vec::new();
        let meter = Meter::default();
        let tally = run(&mut input.as_bytes(), &meter, &DEFAULTS, |answer| {
            ids.push(answer.id.clone());
            Ok(true)
        });
        assert_eq!(tally.expect("sound input"), Tally { allowed: 5000, ..Tally::default() });
        assert_eq!(ids, (0..5000).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(meter.most.into_inner() <= rayon::current_num_threads());
    }

    #[test]
    fn nobody_waits_when_the_reader_of_the_answers_goes_away() {
        let input = "{\"text\": \"x\"}\n".repeat(5000);
        let mut n_written = 0;
        let tally = run(&mut input.as_bytes(), &Meter::default(), &DEFAULTS, |_| {
            n_written += 1;
            Ok(n_written < 3)
        });
        assert_eq!((n_written, tally.expect("no error").allowed), (3, 3));
        let failed = run(&mut input.as_bytes(), &Meter::default(), &DEFAULTS, |_| Err(anyhow!("disk full")));
        assert_eq!(failed.expect_err("the writer failed").to_string(), "disk full");
    }

    #[test]
    fn a_panic_in_a_check_is_an_error() {
        struct Broken;
        impl Checker for Broken {
            fn check(&self, _: &Request) -> Result<Answer> {
                std::panic::resume_unwind(Box::new("broken"))
            }
        }
        let tally = run(&mut "{\"text\": \"x\"}\n".repeat(9).as_bytes(), &Broken, &DEFAULTS, |_| Ok(true));
        tally.expect_err("no answer came");
    }

    #[test]
    fn the_window_bounds_bytes_but_lets_one_line_through() {
        let window = Window::new(3, 10);
        assert!(window.enter(100));
        window.leave(100);
        assert!(window.enter(6) && window.enter(4));
        window.close();
        assert!(!window.enter(1));
    }

    #[test]
    fn lines_are_read_whatever_the_buffer() {
        for capacity in [1, 2, 3, 7, 64] {
            let mut input = BufReader::with_capacity(capacity, &b"ab\n\nabcdef\nabcde\nxy"[..]);
            let mut next = || read_line(&mut input, 5).expect("memory does not fail");
            assert_eq!(next(), Some(Ok(b"ab".to_vec())));
            assert_eq!(next(), Some(Ok(Vec::new())));
            assert_eq!(next(), Some(Err(TooLong)));
            assert_eq!(next(), Some(Ok(b"abcde".to_vec())));
            assert_eq!(next(), Some(Ok(b"xy".to_vec())));
            assert_eq!(next(), None);
        }
    }

    fn check(line: &str, expected: std::result::Result<(&str, &str, Option<Language>, &str), &str>) {
        let found = parse_line(line.as_bytes(), &Defaults { prompt: "asked".to_owned(), ..DEFAULTS });
        match (&found, expected) {
            (Ok(request), Ok((id, text, language, prompt))) => {
                assert_eq!((request.id.as_str(), request.text.as_str()), (id, text), "{line}");
                assert_eq!((request.language, request.prompt.as_str()), (language, prompt), "{line}");
            }
            (Err(unreadable), Err(problem)) => {
                assert!(unreadable.problem.starts_with(problem), "{line}: {}", unreadable.problem);
            }
            (Ok(_), Err(problem)) => panic!("{line} was read: expected {problem}"),
            (Err(unreadable), Ok(_)) => panic!("{line}: {}", unreadable.problem),
        }
    }

    #[test]
    fn lines_are_read_or_refused_with_the_reason() {
        check(r#"{"id": "a", "text": "b"}"#, Ok(("a", "b", None, "asked")));
        check("\u{feff}{\"text\": \"b\"}\r", Ok(("", "b", None, "asked")));
        check(r#"{"id": 7, "text": "", "score": [1, {"text": 2}]}"#, Ok(("7", "", None, "asked")));
        check(r#"{"text": "b", "language": "rust", "prompt": "p"}"#, Ok(("", "b", Some(Language::Rust), "p")));
        check(r#"{"text": "b", "language": null, "prompt": null}"#, Ok(("", "b", None, "asked")));
        check(r#"{"text": "b", "language": "auto"}"#, Ok(("", "b", None, "asked")));
        check("", Err("empty: expected {\"id\""));
        check("[1]", Err("not a JSON object: expected"));
        check(r#"{"text": "b""#, Err("not valid JSON (column 12)"));
        check(r#"{"text": "b"} x"#, Err("not valid JSON"));
        check(r#"{"text": "b", "text": "c"}"#, Err("a field is given twice (column"));
        check(r#"{"id": "a"}"#, Err("`text` is missing: expected"));
        check(r#"{"text": 1}"#, Err("`text` is a number: expected a string"));
        check(r#"{"text": ["b"]}"#, Err("`text` is a list"));
        check(r#"{"text": {}}"#, Err("`text` is an object"));
        check(r#"{"text": true}"#, Err("`text` is true or false"));
        check(r#"{"text": "\ud800"}"#, Err("`text` has an escape that is no character"));
        check(r#"{"id": 1.5, "text": "b"}"#, Err("`id` is a number"));
        check(r#"{"text": "b", "language": "secret"}"#, Err("`language` is not known: expected auto, text, python"));
        // Fields that are passed over cost no stack, however deep they are.
        for (name, is_fine) in [("x", true), ("text", false)] {
            let deep = format!("{{\"{name}\": {}{}, \"text\": \"b\"}}", "[".repeat(100_000), "]".repeat(100_000));
            assert_eq!(parse_line(deep.as_bytes(), &DEFAULTS).is_ok(), is_fine);
        }
    }

    #[test]
    fn the_id_of_a_wrong_line_is_kept() {
        let found = parse_line(br#"{"id": "a", "text": 1}"#, &DEFAULTS).err().map(|unreadable| unreadable.id);
        assert_eq!(found.as_deref(), Some("a"));
        let bad_bytes = parse_line(b"{\"text\": \"\xff\"}", &DEFAULTS).err().map(|unreadable| unreadable.problem);
        assert!(bad_bytes.expect("not UTF-8").starts_with("invalid UTF-8 at byte 10: expected"));
    }
}
