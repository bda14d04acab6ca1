//! The command line as the user writes it. The names and their meaning are fixed: scripts rely on them.

mod upkeep;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use copytrace_indexer::language::Language;
use copytrace_indexer::limits::BUILD_MEMORY_BYTES_MIN;

pub(super) use self::upkeep::{MergeArgs, RemoveArgs};
use super::backend::{OnDuplicate, Profile};
use super::units::parse_bytes;

/// Index that `serve` makes and reads where none is named.
pub(super) const INDEX_DEFAULT: &str = ".copytrace/index";

#[derive(Debug, Parser)]
#[command(
    name = "copytrace",
    version,
    about = "Tells whether a text or a piece of code is a copy of something in a training corpus.",
    long_about = "Tells whether a text or a piece of code is a copy of something in a training corpus: word for word, \
                  reformatted, lightly edited, or nearly the same as a whole. Names the source, the place and the licence.",
    after_help = "Start with:\n  copytrace index corpus.jsonl.gz --index corpus-index\n  copytrace check --index corpus-index answer.txt",
    after_long_help = "Start with:\n  \
                       copytrace index corpus.jsonl.gz --index corpus-index\n  \
                       copytrace check --index corpus-index answer.txt\n\n\
                       Exit codes:\n  \
                       0  done; with `check`, every text is allowed\n  \
                       1  `check`: some text is not allowed; `remove`: something to remove is not there\n  \
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
pub(super) struct IndexArgs {
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
    pub(super) inputs: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Write the index into this folder.",
        long_help = "Write the index into this folder. A new one is created; documents are added to an index that is there.\n\
                     Example: --index corpus-index"
    )]
    pub(super) index: PathBuf,
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Print the summary as text or json (default text).",
        long_help = "Print the summary as `text` for people or as one line of `json`. JSON is printed even with --quiet.\n\
                     Default: text.\n\
                     Example: copytrace index corpus.jsonl --index corpus-index --format json | jq .skipped"
    )]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) build: BuildArgs,
}

/// How documents are read and the index is built; shared by `index` and `serve`.
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    #[arg(
        long,
        value_name = "NAME",
        help = "Name the training shard of all documents.",
        long_help = "Name the training shard of all documents whose row does not name one with --shard-column. A match then tells which \
                     shard a model learnt it from, and a shard can be removed as a whole.\n\
                     Default: none.\n\
                     Example: --shard 2024-06-part-17"
    )]
    pub(super) shard: Option<String>,
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
    pub(super) on_duplicate: OnDuplicate,
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
    pub(super) profile: Profile,
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "2GiB",
        hide_default_value = true,
        value_parser = parse_memory,
        help = "Use at most this much memory to build (default 2GiB).",
        long_help = "Use at most this much memory to build, mapped files not counted. More memory means fewer temporary files and longer \
                     documents: a document of more than a sixteenth of it ends the build. The index is the same.\n\
                     Unit: bytes, or with a unit as in 512MiB, 2GiB, 1g. Accepted: 64MiB and more.\n\
                     Default: 2GiB.\n\
                     Example: --memory 8GiB"
    )]
    pub(super) memory: u64,
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_threads,
        help = "Work with this many threads.",
        long_help = "Work with this many threads. The index is the same for any number.\n\
                     Default: one per core. Accepted: 1 to 1024.\n\
                     Example: --threads 4"
    )]
    pub(super) threads: Option<usize>,
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
    pub(super) document_bytes_max: u32,
    #[arg(
        long,
        help = "Stop at the first row that cannot be used.",
        long_help = "Stop at the first row that cannot be used, and leave the index as it was. Without it such rows are skipped, counted, \
                     and listed in the summary.\n\
                     Default: off.\n\
                     Example: copytrace index corpus.jsonl --index corpus-index --strict"
    )]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) seed: SeedArgs,
    // Last, because its heading holds for all that follows.
    #[command(flatten)]
    pub(super) columns: ColumnArgs,
}

#[derive(Debug, Args)]
pub(super) struct SeedArgs {
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
    pub(super) seed_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Columns")]
#[expect(clippy::struct_field_names, reason = "the fields are named like the options")]
pub(super) struct ColumnArgs {
    #[arg(
        long,
        value_name = "C",
        aliases = ["column", "text-key", "text-field", "text_column", "text_key", "text_field"],
        help = "Take the text from this column.",
        long_help = "Take the text from this column. An input that has none of the names is an error.\n\
                     Default: the first present of text, content, code, raw_content.\n\
                     Example: --text-column body,content"
    )]
    pub(super) text_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["id-key", "id-field", "id_column", "id_key", "id_field"],
        help = "Take the document's id from this column.",
        long_help = "Take the document's id from this column. Ids are unique within an index; see --on-duplicate.\n\
                     Default: the first present of id, blob_id, content_id, hexsha, _curator_dedup_id, metadata.id; else FILE:ROW.\n\
                     Example: --id-column hexsha"
    )]
    pub(super) id_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["licence-column", "license-key", "license-field", "license_column"],
        help = "Take the licence from this column.",
        long_help = "Take the licence from this column: text, or a list of texts.\n\
                     Default: the first present of license, licenses, detected_licenses, max_stars_repo_licenses, and the same below metadata.\n\
                     Example: --license-column metadata.license"
    )]
    pub(super) license_column: Option<String>,
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
    pub(super) origin_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["url-column", "uri-key", "uri-field", "uri_column", "url_column"],
        help = "Take the address from this column.",
        long_help = "Take the address from this column: where a person finds the document.\n\
                     Default: the first present of uri, url, metadata.uri, metadata.url.\n\
                     Example: --uri-column metadata.url"
    )]
    pub(super) uri_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["path-key", "path-field", "path_column"],
        help = "Take the path from this column.",
        long_help = "Take the document's path from this column. Its ending tells the programming language where no column does.\n\
                     Default: the first present of path, file_path, max_stars_repo_path, and the same below metadata.\n\
                     Example: --path-column metadata.path"
    )]
    pub(super) path_column: Option<String>,
    #[arg(
        long,
        value_name = "C",
        aliases = ["shard-key", "shard-field", "shard_column"],
        help = "Take the training shard from this column.",
        long_help = "Take the training shard from this column; --shard names it where the row does not.\n\
                     Default: the first present of shard, metadata.shard.\n\
                     Example: --shard-column metadata.shard"
    )]
    pub(super) shard_column: Option<String>,
}

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
pub(super) struct CheckArgs {
    #[arg(
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Check this file, or the standard input (-).",
        long_help = "Check this file: UTF-8 text of at most 1 MiB, or JSON lines with --batch.\n\
                     Default: the standard input, which `-` means too.\n\
                     Example: copytrace check --index corpus-index answer.txt"
    )]
    pub(super) file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        required = true,
        value_hint = ValueHint::DirPath,
        help = "Look into this index; repeat it for more.",
        long_help = "Look into the index in this folder. Given more than once, all are asked and the best matches come first.\n\
                     Example: --index books-index --index code-index"
    )]
    pub(super) index: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        hide_default_value = true,
        value_parser = PossibleValuesParser::new(["auto"].into_iter().chain(Language::ALL.map(Language::name))),
        help = "Say what the text is written in (default auto).",
        long_help = "Say what the text is written in: `text` for prose, or a programming language. This release compares every text word by word. `auto` goes by the file's ending, else by \
                     the text. With --batch it holds for lines that name no language.\n\
                     Default: auto.\n\
                     Example: --language python"
    )]
    pub(super) language: String,
    #[arg(
        long,
        value_name = "FORMAT",
        hide_possible_values = true,
        help = "Print text or json.",
        long_help = "Print the answer as `text` for people or as one line of `json`, which has the fields of copytrace.v1.CheckResponse.\n\
                     Default: text; with --batch always json.\n\
                     Example: copytrace check --index corpus-index --format json answer.txt | jq .verdict"
    )]
    pub(super) format: Option<Format>,
    #[arg(
        long,
        help = "Check many texts, one JSON object a line.",
        long_help = "Check many texts, one JSON object a line: {\"id\": \"...\", \"text\": \"...\"}, optionally with \"language\" and \"prompt\"; \
                     other fields are passed over. Prints one answer a line, in the same order, as soon as it is known. A line that \
                     cannot be read gets an answer with `error`, and counts as not allowed.\n\
                     Default: off.\n\
                     Example: copytrace check --index corpus-index --batch answers.jsonl > verdicts.jsonl"
    )]
    pub(super) batch: bool,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Judge by the rules in this file.",
        long_help = "Judge by the rules in this TOML file.\n\
                     Default: built-in rules.\n\
                     Example: --policy policy.toml"
    )]
    pub(super) policy: Option<PathBuf>,
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
    pub(super) prompt: Option<PathBuf>,
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
    pub(super) lexical: Switch,
    #[command(flatten)]
    pub(super) seed: SeedArgs,
}

#[derive(Debug, Args)]
#[command(
    about = "Answer checks over gRPC.",
    long_about = "Answer checks over gRPC until the process is stopped.\n\n\
                  With INPUT, reads that corpus into the index first.",
    after_help = "Column names may be dotted (metadata.license); of a comma list the first present is taken.\n\n\
                  Example:\n  copytrace serve --index corpus-index",
    after_long_help = "Column names may be dotted (metadata.license); of a comma list the first present is taken.\n\n\
                       Examples:\n  \
                       copytrace serve --index corpus-index\n  \
                       copytrace serve corpus.jsonl.gz\n  \
                       copytrace serve --index books-index --index code-index --listen 0.0.0.0:50051 --policy policy.toml"
)]
pub(super) struct ServeArgs {
    #[arg(
        value_name = "INPUT",
        value_hint = ValueHint::AnyPath,
        help = "Read this file or folder into the index first.",
        long_help = "Read this file or folder into the index first, as `copytrace index` does. Documents that are there already stay as \
                     they are.\n\
                     Default: none, the index is served as it is.\n\
                     Example: copytrace serve corpus.jsonl.gz"
    )]
    pub(super) inputs: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        default_value = INDEX_DEFAULT,
        hide_default_value = true,
        value_hint = ValueHint::DirPath,
        help = "Answer from this index; repeat it for more (default .copytrace/index).",
        long_help = "Answer from the index in this folder. Given more than once, all are asked; INPUT can then not be given.\n\
                     Default: .copytrace/index.\n\
                     Example: --index corpus-index"
    )]
    pub(super) index: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:50051",
        hide_default_value = true,
        value_parser = parse_address,
        help = "Listen on this address and port (default 127.0.0.1:50051).",
        long_help = "Listen on this address and port. The service has no passwords: an address other than this machine's own opens it to \
                     whoever reaches it. Port 0 lets the system choose.\n\
                     Default: 127.0.0.1:50051.\n\
                     Example: --listen 0.0.0.0:50051"
    )]
    pub(super) listen: SocketAddr,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "Judge by the rules in this file.",
        long_help = "Judge by the rules in this TOML file.\n\
                     Default: built-in rules.\n\
                     Example: --policy policy.toml"
    )]
    pub(super) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(super) build: BuildArgs,
}

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
pub(super) struct InspectArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Look at this index.",
        long_help = "Look at the index in this folder.\n\
                     Example: --index corpus-index"
    )]
    pub(super) index: PathBuf,
    #[arg(
        long,
        help = "Read every file and compare its checksums.",
        long_help = "Read every file and compare its checksums. Prints one line a file, and under it the blocks that are damaged; the exit \
                     code is 1 if there are any, and 2 if nothing can be said.\n\
                     Default: off.\n\
                     Example: copytrace inspect --index corpus-index --verify"
    )]
    pub(super) verify: bool,
    #[arg(
        long,
        value_name = "WORDS",
        num_args = 1..,
        help = "List the documents that have any of these words.",
        long_help = "List the documents that have any of these words, best first, at most 20.\n\
                     Default: no search.\n\
                     Example: copytrace inspect --index corpus-index --search midnight dreary"
    )]
    pub(super) search: Vec<String>,
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
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) seed: SeedArgs,
}

fn parse_threads(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|n| (1..=1024).contains(n)).ok_or("expected a whole number from 1 to 1024")
}

pub(super) fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes < BUILD_MEMORY_BYTES_MIN as u64 { Err("expected 64MiB or more".to_owned()) } else { Ok(bytes) }
}

fn parse_document_bytes(text: &str) -> Result<u32, String> {
    u32::try_from(parse_bytes(text)?)
        .map_err(|_| "expected less than 4GiB: positions in a document have 32 bits".to_owned())
}

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:50051, [::1]:50051 or localhost:50051")
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
