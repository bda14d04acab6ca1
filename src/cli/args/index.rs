//! `copytrace index`, and how documents are read.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::shared::{ResourceArgs, SeedArgs, SummaryArgs};
use crate::cli::backend::{OnDuplicate, Profile};
use crate::cli::units::parse_bytes;

#[derive(Debug, Args)]
#[command(
    about = "Create an index from a corpus, or add documents to one.",
    long_about = "Create an index from a corpus, or add documents to one.\n\n\
                  Reads JSON lines (.jsonl, .json, plain or compressed as .gz or .zst), Parquet, and trees of source and text \
                  files (which honour .gitignore). A build that is stopped leaves the index as it was.",
    after_help = "Column names may be dotted (metadata.license); of a comma list the first present is taken.\n\n\
                  Example:\n  copytrace index corpus/*.jsonl.gz --index corpus-index",
    after_long_help = "Column names may be dotted (metadata.license); of a comma list the first present is taken.\n\n\
                       Examples:\n  \
                       copytrace index corpus/*.jsonl.gz --index corpus-index\n  \
                       copytrace index stack.parquet --index code-index --text-column content --license-column detected_licenses\n  \
                       copytrace index ~/src/project --index code-index --shard 2024-06"
)]
pub(in crate::cli) struct IndexArgs {
    #[arg(
        value_name = "INPUT",
        required = true,
        value_hint = ValueHint::AnyPath,
        help = "Read this file or folder.",
        long_help = "Read this file or folder; of a folder, every file below it.\n\
                     Effect: .jsonl, .json (also .gz, .zst) and .parquet hold one document a row; any other text file is one document \
                     whose id is its path.\n\
                     Example: copytrace index a.jsonl.gz b.parquet src/ --index corpus-index"
    )]
    pub(in crate::cli) inputs: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Write the index into this folder.",
        long_help = "Write the index into this folder. A new one is created; documents are added to an index that is there.\n\
                     Example: --index corpus-index"
    )]
    pub(in crate::cli) index: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) summary: SummaryArgs,
    #[command(flatten)]
    pub(in crate::cli) build: BuildArgs,
}

/// How documents are read and the index is built; shared by `index` and `serve`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BuildArgs {
    #[arg(
        long,
        value_name = "NAME",
        help = "Name the training shard of all documents.",
        long_help = "Name the training shard of all documents whose row does not name one with --shard-column. A match then tells which \
                     shard a model learnt it from, and a shard can be removed as a whole.\n\
                     Default: none.\n\
                     Example: --shard 2024-06-part-17"
    )]
    pub(in crate::cli) shard: Option<String>,
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "replace",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Replace, skip or refuse (error) a document whose id is in the index already (default replace).",
        long_help = "Say what happens to a document whose id is in the index already: `replace` puts the new one in its place, `skip` \
                     keeps the old one, `error` stops and leaves the index as it was. An equal document never changes anything.\n\
                     Default: replace.\n\
                     Example: --on-duplicate skip"
    )]
    pub(in crate::cli) on_duplicate: OnDuplicate,
    #[arg(
        long,
        value_name = "NAME",
        default_value = "full",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Build for checks (full) or for deduplication alone (dedup) (default full).",
        long_help = "Build what is needed: `full` for checks and deduplication, `dedup` for deduplication alone, which is smaller and \
                     faster to build but finds no passages.\n\
                     Default: full.\n\
                     Example: --profile dedup"
    )]
    pub(in crate::cli) profile: Profile,
    #[command(flatten)]
    pub(in crate::cli) resources: ResourceArgs,
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "32MiB",
        hide_default_value = true,
        value_parser = parse_document_bytes,
        help = "Skip documents with more text than this (default 32MiB).",
        long_help = "Skip documents with more text than this; the summary counts and lists them.\n\
                     Unit: bytes, or with a unit as in 512KiB, 32MiB, 1g. Accepted: less than 4GiB; JSON lines end at 32MiB.\n\
                     Default: 32MiB.\n\
                     Example: --document-bytes-max 1MiB"
    )]
    pub(in crate::cli) document_bytes_max: u32,
    #[arg(
        long,
        help = "Stop at the first row that cannot be used.",
        long_help = "Stop at the first row that cannot be used, and leave the index as it was. Without it such rows are skipped, counted, \
                     and listed in the summary.\n\
                     Default: off.\n\
                     Example: copytrace index corpus.jsonl --index corpus-index --strict"
    )]
    pub(in crate::cli) strict: bool,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
    // Last, because its heading holds for all that follows.
    #[command(flatten)]
    pub(in crate::cli) columns: ColumnArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Columns")]
#[expect(clippy::struct_field_names, reason = "the fields are named like the options")]
pub(in crate::cli) struct ColumnArgs {
    #[arg(
        long,
        value_name = "C",
        aliases = ["column", "text-key", "text-field", "text_column", "text_key", "text_field"],
        help = "Take the text from this column.",
        long_help = "Take the text from this column. An input that has none of the names is an error.\n\
                     Default: the first present of text, content, code, raw_content.\n\
                     Example: --text-column body,content"
    )]
    pub(in crate::cli) text_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["id-key", "id-field", "id_column", "id_key", "id_field"],
        help = "Take the document's id from this column.",
        long_help = "Take the document's id from this column. Ids are unique within an index; see --on-duplicate.\n\
                     Default: the first present of id, blob_id, content_id, hexsha, _curator_dedup_id, metadata.id; else FILE:ROW.\n\
                     Example: --id-column hexsha"
    )]
    pub(in crate::cli) id_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["licence-column", "license-key", "license-field", "license_column"],
        help = "Take the licence from this column.",
        long_help = "Take the licence from this column: text, or a list of texts.\n\
                     Default: the first present of license, licenses, detected_licenses, max_stars_repo_licenses, and the same below metadata.\n\
                     Example: --license-column metadata.license"
    )]
    pub(in crate::cli) license_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["origin-key", "origin-field", "origin_column"],
        help = "Take the repository, package or site from this column.",
        long_help = "Take the repository, package or site from this column. Documents of one origin count once where it is judged \
                     whether a passage is common.\n\
                     Default: the first present of origin, repo_name, max_stars_repo_name, the same below metadata, metadata.package, metadata.source, source.\n\
                     Example: --origin-column repo_name"
    )]
    pub(in crate::cli) origin_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["url-column", "uri-key", "uri-field", "uri_column", "url_column"],
        help = "Take the address from this column.",
        long_help = "Take the address from this column: where a person finds the document.\n\
                     Default: the first present of uri, url, metadata.uri, metadata.url.\n\
                     Example: --uri-column metadata.url"
    )]
    pub(in crate::cli) uri_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["path-key", "path-field", "path_column"],
        help = "Take the path from this column.",
        long_help = "Take the document's path from this column. Its ending tells the programming language where no column does.\n\
                     Default: the first present of path, file_path, max_stars_repo_path, and the same below metadata.\n\
                     Example: --path-column metadata.path"
    )]
    pub(in crate::cli) path_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["shard-key", "shard-field", "shard_column"],
        help = "Take the training shard from this column.",
        long_help = "Take the training shard from this column; --shard names it where the row does not.\n\
                     Default: the first present of shard, metadata.shard.\n\
                     Example: --shard-column metadata.shard"
    )]
    pub(in crate::cli) shard_column: Option<String>,
}

pub(super) fn parse_document_bytes(text: &str) -> Result<u32, String> {
    u32::try_from(parse_bytes(text)?)
        .map_err(|_| "expected less than 4GiB: positions in a document have 32 bits".to_owned())
}
