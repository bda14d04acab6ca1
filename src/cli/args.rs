//! The command line as the user writes it. The names and their meaning are fixed: scripts rely on them.

mod check;
mod dedup;
mod index;
mod inspect;
mod merge;
mod remove;
mod serve;
mod shared;
mod stage;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use self::check::CheckArgs;
pub(super) use self::dedup::{DedupArgs, PassArgs};
pub(super) use self::index::{BuildArgs, IndexArgs};
pub(super) use self::inspect::InspectArgs;
pub(super) use self::merge::MergeArgs;
pub(super) use self::remove::RemoveArgs;
pub(super) use self::serve::ServeArgs;
pub(super) use self::shared::{ResourceArgs, SeedArgs};
pub(super) use self::stage::{StageArgs, StageCommand};

/// Index that `serve` makes and reads where none is named.
pub(super) const INDEX_DEFAULT: &str = ".copytrace/index";

#[derive(Debug, Parser)]
#[command(
    name = "copytrace",
    version,
    about = "Tells whether a text or a piece of code is a copy of something in a training corpus, renamed or not.",
    long_about = "Tells whether a text or a piece of code is a copy of something in a training corpus: word for word, \
                  reformatted, with renamed variables, lightly edited, or nearly the same as a whole. Names the source, the \
                  place, the licence and the renaming.",
    after_help = "Start with:\n  copytrace index corpus.jsonl.gz --index corpus-index\n  copytrace check --index corpus-index answer.txt",
    after_long_help = "Start with:\n  \
                       copytrace index corpus.jsonl.gz --index corpus-index\n  \
                       copytrace check --index corpus-index answer.txt\n\n\
                       Exit codes:\n  \
                       0  done; with `check`, every text is allowed\n  \
                       1  `check`: some text is not allowed; `remove`: something to remove is not there;\n     \
                       `inspect --verify`: some file is damaged\n  \
                       2  error; the message is on the standard error",
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: GlobalArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Index(IndexArgs),
    Check(CheckArgs),
    Dedup(Box<DedupArgs>),
    Stage(Box<StageArgs>),
    Serve(ServeArgs),
    Remove(RemoveArgs),
    Merge(MergeArgs),
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArgs {
    #[arg(
        short,
        long,
        global = true,
        display_order = 100,
        help = "Print no progress, notes or summaries.",
        long_help = "Print no progress, notes or summaries: answers still go to the standard output, errors and warnings to the \
                     standard error.\n\
                     Default: off.\n\
                     Example: copytrace --quiet index corpus.jsonl --index corpus-index"
    )]
    pub(super) quiet: bool,
    #[arg(
        long,
        global = true,
        display_order = 101,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Colour the output: auto, always or never (default auto).",
        long_help = "Colour the output: `always`, `never`, or `auto` for terminals only. `auto` honours NO_COLOR, CLICOLOR and \
                     TERM=dumb. Where there is no colour, brackets mark the words that differ.\n\
                     Default: auto.\n\
                     Example: copytrace check --index corpus-index --color always answer.txt | less -R"
    )]
    pub(super) color: ColorMode,
    #[arg(
        long,
        global = true,
        display_order = 102,
        value_name = "LEVEL",
        default_value = "warn",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Log to the standard error from this level on: off, error, warn, info, debug or trace (default warn).",
        long_help = "Log to the standard error from this level on: `off`, `error`, `warn`, `info`, `debug` or `trace`. Never logs \
                     text of documents or of checks.\n\
                     Default: warn.\n\
                     Example: copytrace --log info serve --index corpus-index"
    )]
    pub(super) log: LogLevel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorMode {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_short_and_a_long_help() {
        let mut command = Cli::command();
        command.build();
        for subcommand in command.get_subcommands() {
            for option in subcommand.get_arguments().filter(|option| !option.is_hide_set()) {
                let name = format!("{} {}", subcommand.get_name(), option.get_id());
                if ["help", "version"].contains(&option.get_id().as_str()) {
                    continue;
                }
                let short = option.get_help().map(ToString::to_string).unwrap_or_default();
                let long = option.get_long_help().map(ToString::to_string).unwrap_or_default();
                assert!(short.starts_with(|c: char| c.is_uppercase()) && short.ends_with('.'), "{name}: {short}");
                assert!(long.contains("Example: "), "{name}: {long}");
                let default = option.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
                if let Some(default) = default.filter(|default| default != "false") {
                    assert!(short.ends_with(&format!("(default {default}).")), "{name}: {short}");
                    assert!(long.contains(&format!("Default: {default}.")), "{name}: {long}");
                } else {
                    assert!(long.contains("Default: ") || option.is_required_set(), "{name}: {long}");
                }
            }
        }
    }
}
