//! The command line: arguments in, answers and exit codes out.
//!
//! Each command is a function from its arguments to calls of a [`Backend`]; what those return is shown by [`output`], the only place that
//! writes to the standard output. [`run`] takes arguments, backend and streams from its caller, so that tests run whole commands without
//! a process.

pub mod backend;
pub mod library;
pub mod output;

mod args;
mod batch;
mod check;
mod dedup;
mod excerpt;
mod failure;
mod index;
mod inspect;
mod merge;
mod progress;
mod remove;
mod report;
mod seed;
mod serve;
mod units;
mod upkeep;
mod visible;
mod watch;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use tracing_subscriber::EnvFilter;

use self::args::{Cli, ColorMode, Command, GlobalArgs, LogLevel};
use self::backend::Backend;
use self::output::{Console, Label, Stderr};

/// How a command ended; the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; where texts were checked, all are allowed.
    Clean = 0,
    /// Some text is not allowed, some file of an index is damaged, or something that was to be removed is not there.
    Found = 1,
    /// An error; it was told on the standard error.
    Failed = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs one command: `args` begin with the program's name.
///
/// Never panics on what the user gives, and never returns an error: it has been told on the standard error.
pub fn run(args: impl IntoIterator<Item = OsString>, backend: &dyn Backend, console: &mut Console) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match parse(&args, console) {
        Ok(cli) => cli,
        Err(error) => return tell_usage(&error, &args, console),
    };
    apply(&cli.global, console);
    let result = match cli.command {
        Command::Index(args) => index::run(args, backend, console),
        Command::Check(args) => check::run(args, backend, console),
        Command::Dedup(args) => dedup::run(*args, backend, console),
        Command::Stage(args) => dedup::run_stage(*args, backend, console),
        Command::Serve(args) => serve::run(args, backend, &console.stderr),
        Command::Remove(args) => remove::run(args, backend, console),
        Command::Merge(args) => merge::run(args, backend, console),
        Command::Inspect(args) => inspect::run(args, backend, console),
    };
    result.unwrap_or_else(|error| {
        failure::tell(&console.stderr, &error);
        Exit::Failed
    })
}

fn parse(args: &[OsString], console: &Console) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().term_width(console.columns.min(HELP_COLUMNS_MAX));
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Widest help text, in columns: longer lines are hard to read.
const HELP_COLUMNS_MAX: usize = 100;

fn apply(global: &GlobalArgs, console: &mut Console) {
    console.stderr.is_quiet = global.quiet;
    colour(global.color, console);
    let level = match global.log {
        LogLevel::Off => "off",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Libraries below are heard only where something is wrong.
    let rest = if matches!(global.log, LogLevel::Off | LogLevel::Error) { level } else { "warn" };
    let filter = EnvFilter::new(format!("{rest},copytrace={level},copytrace_indexer={level}"));
    // A second run in one process, as in tests, keeps the first one's logger.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(console.stderr.has_colour)
        .with_writer(std::io::stderr)
        .try_init();
}

fn colour(mode: ColorMode, console: &mut Console) {
    let has_colour = match mode {
        ColorMode::Auto => return,
        ColorMode::Always => true,
        ColorMode::Never => false,
    };
    (console.stdout_has_colour, console.stderr.has_colour) = (has_colour, has_colour);
}

/// Tells what the argument parser has to say: help to the standard output, errors to the standard error.
fn tell_usage(error: &clap::Error, args: &[OsString], console: &mut Console) -> Exit {
    // Arguments did not parse, so that `--color` is looked for by hand.
    let is_after_color = |idx: usize| idx > 0 && args[idx - 1] == "--color";
    for (idx, arg) in args.iter().enumerate() {
        match arg.to_str() {
            Some("--color=never") => colour(ColorMode::Never, console),
            Some("--color=always") => colour(ColorMode::Always, console),
            Some("never") if is_after_color(idx) => colour(ColorMode::Never, console),
            Some("always") if is_after_color(idx) => colour(ColorMode::Always, console),
            _ => {}
        }
    }
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = if console.stdout_has_colour { text.ansi().to_string() } else { text.to_string() };
            match console.print(&text) {
                Ok(()) => Exit::Clean,
                Err(error) => {
                    failure::tell(&console.stderr, &error);
                    Exit::Failed
                }
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            console.stderr.tell(&if console.stderr.has_colour { text.ansi().to_string() } else { text.to_string() });
            Exit::Failed
        }
        _ => {
            tell_wrong_call(&text.to_string(), &console.stderr);
            Exit::Failed
        }
    }
}

/// Tells a wrong call in the form of all other errors: the error, then what to do.
fn tell_wrong_call(text: &str, stderr: &Stderr) {
    let mut problem = String::new();
    let mut hints = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if let Some(error) = line.strip_prefix("error: ") {
            problem.push_str(error);
        } else if let Some(tip) = line.trim_start().strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            hints.push(format!("usage is `{usage}`; `--help` says more"));
        } else if line.starts_with("For more information") {
            if hints.is_empty() {
                hints.push("`--help` says more".to_owned());
            }
        } else {
            problem.push(' ');
            problem.push_str(line.trim_start());
        }
    }
    stderr.tell_labelled(Label::Error, &problem);
    for hint in hints {
        stderr.tell_labelled(Label::Hint, &hint);
    }
}
