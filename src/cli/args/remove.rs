//! `copytrace remove`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

use super::Format;
use super::shared::SeedArgs;
use crate::remaining::COMPARED_MAX;

#[derive(Debug, Args)]
#[command(
    about = "Remove documents from an index.",
    long_about = "Remove documents from an index: no check that begins afterwards sees them, also in services that run; one \
                  that cannot wait until the new state is open says so in its answer.\n\n\
                  Prints which training shards they were in, that is, what must be retrained, and which documents that remain hold the \
                  same text. Their text stays on disk until `copytrace merge`.\n\n\
                  Exit code: 0 if all was there, 1 if an id, the shard or the origin was not (the rest is removed), 2 after an error.",
    group(ArgGroup::new("what").required(true).args(["id", "ids_from", "shard", "origin"])),
    after_help = "Example:\n  copytrace remove --index corpus-index --ids-from takedown.txt",
    after_long_help = "Examples:\n  \
                       copytrace remove --index corpus-index --id poe/raven --id poe/lenore\n  \
                       copytrace remove --index corpus-index --ids-from takedown.txt --dry-run\n  \
                       copytrace remove --index corpus-index --origin example.org && copytrace merge --index corpus-index"
)]
pub(in crate::cli) struct RemoveArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Remove from this index.",
        long_help = "Remove from the index in this folder.\n\
                     Example: --index corpus-index"
    )]
    pub(in crate::cli) index: PathBuf,
    #[arg(
        long,
        value_name = "ID",
        help = "Remove the document with this id; repeat it for more.",
        long_help = "Remove the document with this id, all versions of it. May be repeated.\n\
                     Default: none.\n\
                     Example: --id poe/raven --id poe/lenore"
    )]
    pub(in crate::cli) id: Vec<String>,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Remove the documents with the ids in this file, or in the standard input (-).",
        long_help = "Remove the documents with the ids in this file: one a line, in UTF-8; blank lines are passed over. `-` is the \
                     standard input.\n\
                     Default: none.\n\
                     Example: --ids-from takedown.txt"
    )]
    pub(in crate::cli) ids_from: Option<PathBuf>,
    #[arg(
        long,
        value_name = "NAME",
        help = "Remove all documents of this training shard.",
        long_help = "Remove all documents of this training shard.\n\
                     Default: none.\n\
                     Example: --shard 2024-06-part-17"
    )]
    pub(in crate::cli) shard: Option<String>,
    #[arg(
        long,
        value_name = "NAME",
        help = "Remove all documents of this origin.",
        long_help = "Remove all documents of this origin: a repository, package or site.\n\
                     Default: none.\n\
                     Example: --origin example.org"
    )]
    pub(in crate::cli) origin: Option<String>,
    #[arg(
        long,
        help = "Tell what would be removed, and change nothing.",
        long_help = "Tell what would be removed, and change nothing.\n\
                     Default: off.\n\
                     Example: copytrace remove --index corpus-index --shard 7 --dry-run"
    )]
    pub(in crate::cli) dry_run: bool,
    #[arg(
        long,
        value_name = "N",
        default_value_t = COMPARED_MAX,
        hide_default_value = true,
        help = "Look for the texts of at most this many removed documents in what remains (default 1000).",
        long_help = "Look for the texts of at most this many removed documents in what remains, and list the documents that hold them: a \
                     check each, a second at most. The output says how many were looked for. 0 looks for none.\n\
                     Default: 1000.\n\
                     Example: --compare 100000"
    )]
    pub(in crate::cli) compare: usize,
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Print the result as text or json (default text).",
        long_help = "Print the result as `text` for people or as one line of `json`, which lists everything.\n\
                     Default: text.\n\
                     Example: copytrace remove --index corpus-index --id poe/raven --format json | jq .shards"
    )]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
}
