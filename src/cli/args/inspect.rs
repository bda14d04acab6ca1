//! `copytrace inspect`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Format;
use super::shared::SeedArgs;

#[derive(Debug, Args)]
#[command(
    about = "Show what an index is made of, search it, or verify its files.",
    long_about = "Show what an index is made of: generation, recipe, segments, sizes, licences and origins. Or search its documents, or \
                  verify every byte of its files.",
    after_help = "Example:\n  copytrace inspect --index corpus-index",
    after_long_help = "Examples:\n  \
                       copytrace inspect --index corpus-index\n  \
                       copytrace inspect --index corpus-index --search midnight dreary\n  \
                       copytrace inspect --index corpus-index --verify && echo sound"
)]
pub(in crate::cli) struct InspectArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Look at this index.",
        long_help = "Look at the index in this folder.\n\
                     Example: --index corpus-index"
    )]
    pub(in crate::cli) index: PathBuf,
    #[arg(
        long,
        help = "Read every file and compare its checksums.",
        long_help = "Read every file and compare its checksums. Prints one line a file, and under it the blocks that are damaged; the exit \
                     code is 1 if there are any, and 2 if nothing can be said.\n\
                     Default: off.\n\
                     Example: copytrace inspect --index corpus-index --verify"
    )]
    pub(in crate::cli) verify: bool,
    #[arg(
        long,
        value_name = "WORDS",
        num_args = 1..,
        help = "List the documents that have any of these words.",
        long_help = "List the documents that have any of these words, best first, at most 20.\n\
                     Default: no search.\n\
                     Example: copytrace inspect --index corpus-index --search midnight dreary"
    )]
    pub(in crate::cli) search: Vec<String>,
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Print text or json (default text).",
        long_help = "Print `text` for people or one line of `json` with the keys `index`, `files`, `leftovers` and `found` as far as they were asked for.\n\
                     Default: text.\n\
                     Example: copytrace inspect --index corpus-index --format json | jq .index.licenses"
    )]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
}
