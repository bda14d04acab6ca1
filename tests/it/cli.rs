//! The command line, run whole over a fake library: help, messages, answers, exit codes.
//!
//! What is shown to people is compared with the files in `tests/snapshots/cli`; `UPDATE_SNAPSHOTS=1 cargo test` writes them anew.

mod answers;
mod commands;
mod fake;
mod help;
mod reports;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use copytrace::cli::output::{Console, Stderr};
use copytrace::cli::{Exit, run};

use self::fake::Fake;

/// Bytes that tests look at after the run.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }
}

/// A standard output that fails, after some bytes.
struct Broken {
    n_bytes: usize,
    kind: io::ErrorKind,
}

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.n_bytes < bytes.len() {
            return Err(self.kind.into());
        }
        self.n_bytes -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A run of a command.
struct Run {
    args: Vec<OsString>,
    stdin: Vec<u8>,
    stdin_is_terminal: bool,
    has_colour: bool,
    columns: usize,
    broken_stdout: Option<Broken>,
}

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    exit: Exit,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Makes a run of a command line, cut at blanks.
    fn new(line: &str) -> Self {
        Self {
            args: line.split(' ').map(OsString::from).collect(),
            stdin: Vec::new(),
            stdin_is_terminal: false,
            has_colour: false,
            columns: 100,
            broken_stdout: None,
        }
    }

    fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn stdin(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { stdin: bytes.into(), ..self }
    }

    fn columns(self, columns: usize) -> Self {
        Self { columns, ..self }
    }

    fn colour(self) -> Self {
        Self { has_colour: true, ..self }
    }

    fn over(self, fake: &Fake) -> Outcome {
        let (stdout, stderr) = (Sink::default(), Sink::default());
        let mut console = Console {
            stdin: Box::new(io::Cursor::new(self.stdin)),
            stdin_is_terminal: self.stdin_is_terminal,
            stdout: match self.broken_stdout {
                Some(broken) => Box::new(broken),
                None => Box::new(stdout.clone()),
            },
            stdout_has_colour: self.has_colour,
            stdout_is_closed: false,
            columns: self.columns,
            stderr: Stderr {
                stream: Mutex::new(Box::new(stderr.clone())),
                has_colour: self.has_colour,
                is_terminal: false,
                is_quiet: false,
            },
        };
        let args = std::iter::once(OsString::from("copytrace")).chain(self.args);
        let exit = run(args, fake, &mut console);
        Outcome { exit, stdout: stdout.text(), stderr: stderr.text() }
    }
}

/// Compares what a person sees with a file.
fn assert_snapshot(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/cli").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder was joined")).expect("folder is made");
        std::fs::write(&path, text).expect("snapshot is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name} differs; `UPDATE_SNAPSHOTS=1 cargo test` writes it anew\n--- expected\n{expected}\n--- found\n{text}"
    );
}
