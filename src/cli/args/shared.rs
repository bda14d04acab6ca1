//! Options that several commands have.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use copytrace_indexer::limits::BUILD_MEMORY_BYTES_MIN;

use super::Format;
use crate::cli::units::parse_bytes;

/// What a command that writes an index may use of the machine; shared by `index`, `serve`, `merge` and `dedup`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResourceArgs {
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "2GiB",
        hide_default_value = true,
        value_parser = parse_memory,
        help = "Use at most this much memory (default 2GiB).",
        long_help = "Use at most this much memory, mapped files not counted. More memory means fewer temporary files and longer \
                     documents: a document of more than a sixteenth of it ends the work. The result is the same for any.\n\
                     Unit: bytes, or with a unit as in 512MiB, 2GiB, 1g. Accepted: 64MiB and more.\n\
                     Default: 2GiB.\n\
                     Example: --memory 8GiB"
    )]
    pub(in crate::cli) memory: u64,
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_threads,
        help = "Work with this many threads.",
        long_help = "Work with this many threads. The result is the same for any number.\n\
                     Default: one per core. Accepted: 1 to 1024.\n\
                     Example: --threads 4"
    )]
    pub(in crate::cli) threads: Option<usize>,
}

/// How the summary of a command is printed; shared by `index` and `merge`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SummaryArgs {
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Print the summary as text or json (default text).",
        long_help = "Print the summary as `text` for people or as one line of `json`. JSON is printed even with --quiet.\n\
                     Default: text.\n\
                     Example: --format json | jq .generation"
    )]
    pub(in crate::cli) format: Format,
}

/// By what a command judges; shared by `check` and `serve`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PolicyArgs {
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Judge by the rules in this file.",
        long_help = "Judge by the rules in this TOML file.\n\
                     Default: built-in rules.\n\
                     Example: --policy policy.toml"
    )]
    pub(in crate::cli) policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SeedArgs {
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Read a private hash seed from this file.",
        long_help = "Read a private hash seed from this file: 16 hexadecimal digits. Who does not know it cannot craft texts that \
                     collide with documents. The same file is needed wherever the index is used; the index holds only a hash of it.\n\
                     Default: a public seed, the same everywhere.\n\
                     Example: openssl rand -hex 8 > seed; copytrace index corpus.jsonl --index corpus-index --seed-file seed"
    )]
    pub(in crate::cli) seed_file: Option<PathBuf>,
}

fn parse_threads(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|n| (1..=1024).contains(n)).ok_or("expected a whole number from 1 to 1024")
}

fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes < BUILD_MEMORY_BYTES_MIN as u64 { Err("expected 64MiB or more".to_owned()) } else { Ok(bytes) }
}
