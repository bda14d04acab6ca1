//! `copytrace check`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use copytrace_indexer::language::Language;

use super::shared::{PolicyArgs, SeedArgs};
use super::{Format, Switch};

#[derive(Debug, Args)]
#[command(
    about = "Tell whether a text is a copy of something in an index.",
    long_about = "Tell whether a text is a copy of something in an index, and of what.\n\n\
                  Exit code: 0 if every text is allowed, 1 if some text is not, 2 after an error.",
    after_help = "Example:\n  copytrace check --index corpus-index answer.txt",
    after_long_help = "Examples:\n  \
                       copytrace check --index corpus-index answer.txt\n  \
                       git show HEAD:src/lib.rs | copytrace check --index code-index --language rust\n  \
                       copytrace check --index corpus-index --batch answers.jsonl > verdicts.jsonl"
)]
pub(in crate::cli) struct CheckArgs {
    #[arg(
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Check this file, or the standard input (-).",
        long_help = "Check this file: UTF-8 text of at most 1 MiB, or JSON lines with --batch.\n\
                     Default: the standard input, which `-` means too.\n\
                     Example: copytrace check --index corpus-index answer.txt"
    )]
    pub(in crate::cli) file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        required = true,
        value_hint = ValueHint::DirPath,
        help = "Look into this index; repeat it for more.",
        long_help = "Look into the index in this folder. Given more than once, all are asked and the best matches come first.\n\
                     Example: --index books-index --index code-index"
    )]
    pub(in crate::cli) index: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        hide_default_value = true,
        value_parser = PossibleValuesParser::new(["auto"].into_iter().chain(Language::ALL.map(Language::name))),
        help = "Say what the text is written in (default auto).",
        long_help = "Say what the text is written in: `text` for prose, which is compared by its words, or a programming language, which is \
                     compared by its lexemes and its syntax, so that other names and another layout do not hide a copy. `auto` goes by the \
                     file's ending, else by the text, and takes fenced code in prose by itself. With --batch it holds for lines that name no \
                     language.\n\
                     Default: auto.\n\
                     Example: --language python"
    )]
    pub(in crate::cli) language: String,
    #[arg(
        long,
        value_name = "FORMAT",
        hide_possible_values = true,
        help = "Print text or json.",
        long_help = "Print the answer as `text` for people or as one line of `json`, which has the fields of copytrace.v1.CheckResponse.\n\
                     Default: text; with --batch always json.\n\
                     Example: copytrace check --index corpus-index --format json answer.txt | jq .verdict"
    )]
    pub(in crate::cli) format: Option<Format>,
    #[arg(
        long,
        help = "Check many texts, one JSON object a line.",
        long_help = "Check many texts, one JSON object a line: {\"id\": \"...\", \"text\": \"...\"}, optionally with \"language\" and \"prompt\"; \
                     other fields are passed over. Prints one answer a line, in the same order, as soon as it is known. A line that \
                     cannot be read gets an answer with `error`, and counts as not allowed.\n\
                     Default: off.\n\
                     Example: copytrace check --index corpus-index --batch answers.jsonl > verdicts.jsonl"
    )]
    pub(in crate::cli) batch: bool,
    #[command(flatten)]
    pub(in crate::cli) judge: PolicyArgs,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Exempt what this prompt already contained.",
        long_help = "Exempt what this prompt already contained: a text that gives back what it was given is no copy of the corpus. UTF-8, at \
                     most 1 MiB. With --batch it holds for lines without a prompt.\n\
                     Default: no prompt.\n\
                     Example: --prompt prompt.txt"
    )]
    pub(in crate::cli) prompt: Option<PathBuf>,
    #[arg(
        long,
        value_name = "SWITCH",
        default_value = "on",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Look up by rare words what nothing else explains, on or off (default on).",
        long_help = "Look up stretches that no fingerprint explains by their rarest words: finds copies in which every few words were \
                     changed. Off saves 1 ms a text of 2 KB, and copies with every fifth word changed are then mostly missed.\n\
                     Default: on.\n\
                     Example: --lexical off"
    )]
    pub(in crate::cli) lexical: Switch,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
}
