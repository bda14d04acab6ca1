//! `copytrace dedup`, and what it is told that `copytrace stage sign` is told too.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::index::{ColumnArgs, parse_document_bytes};
use super::shared::{ResourceArgs, SeedArgs, SummaryArgs};
use crate::dedup::preset::Preset;
use crate::dedup::recipe::{Emit, ExactForm, Level, PASSAGE_WORDS};

#[derive(Debug, Args)]
#[command(
    about = "Limit how often anything is repeated in a training corpus.",
    long_about = "Limit how often anything is repeated in a training corpus.\n\n\
                  Reads JSON lines or Parquet and writes the rows that stay to OUT/kept: same file names, format, compression, columns and order, JSON \
                  lines byte for byte. OUT/removed.jsonl names for every row that went a kept row and the similarity to it, which was computed \
                  exactly. OUT/report.json says what each source and licence lost.\n\n\
                  A row goes only for a kept row that is at least as similar as --threshold; chains of similar rows do not drag their \
                  ends along. Rows that hold no document stay and are counted. A run that is stopped goes on where it was.",
    after_help = "Example:\n  copytrace dedup corpus/ --out clean",
    after_long_help = "Examples:\n  \
                       copytrace dedup corpus/ --out clean\n  \
                       copytrace dedup corpus/*.jsonl.zst --out clean --level exact --keep 3 --keep-per source\n  \
                       copytrace dedup corpus/ --out clean --prefer \"quality desc, length desc\" --threshold 0.7"
)]
pub(in crate::cli) struct DedupArgs {
    #[arg(
        value_name = "INPUT",
        required = true,
        value_hint = ValueHint::AnyPath,
        help = "Read this file or folder.",
        long_help = "Read this file or folder; of a folder, every file of JSON lines or Parquet below it (.jsonl, .ndjson, .json.gz, .json.zst, plain or \
                     as .gz or .zst; .parquet).\n\
                     Example: copytrace dedup a.jsonl.gz more/ --out clean"
    )]
    pub(in crate::cli) inputs: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Write into this folder.",
        long_help = "Write into this folder: kept/, removed.jsonl, cuts.jsonl, clusters.jsonl, report.json and report.html. What is there of the same pass is not made again.\n\
                     Example: --out clean"
    )]
    pub(in crate::cli) out: PathBuf,
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Keep the files between stages in this folder.",
        long_help = "Keep the files between stages in this folder: about 700 bytes a row while the pass runs, and with --level passage up to 18 bytes a \
                     word. Large ones are removed at its end.\n\
                     Default: OUT/work.\n\
                     Example: --work /scratch/dedup"
    )]
    pub(in crate::cli) work: Option<PathBuf>,
    #[arg(
        long,
        help = "Say what the pass would take, from a sample, and do nothing.",
        long_help = "Say what the pass would take, from a sample of 32 MiB of text, and do nothing: rows, disk, memory and time, how much of the \
                     sample is repeated within it, and which pairs the bands find.\n\
                     Default: off.\n\
                     Example: copytrace dedup corpus/ --out clean --plan"
    )]
    pub(in crate::cli) plan: bool,
    #[command(flatten)]
    pub(in crate::cli) summary: SummaryArgs,
    #[command(flatten)]
    pub(in crate::cli) pass: PassArgs,
}

/// What changes the result of a pass, and what it may use.
#[derive(Debug, Args)]
pub(in crate::cli) struct PassArgs {
    #[arg(
        long,
        value_name = "LEVELS",
        default_value = "exact,near",
        hide_default_value = true,
        hide_possible_values = true,
        value_delimiter = ',',
        aliases = ["levels"],
        help = "Look for equal (exact), similar (near), renamed (code) rows and functions, repeated passages (passage) (default exact,near).",
        long_help = "Say what is looked for: `exact` finds rows of equal text, `near` rows whose sets of word 5-grams are similar, \
                     `code` files of code of at least 50 tokens that a consistent renaming of the names they bind makes equal, and functions and classes of \
                     as many within rows that stay; `passage` runs of --passage-words words within rows that stay. What repeats within rows is cut \
                     where --keep better places have it; with --weights rows alone are compared.\n\
                     Default: exact,near.\n\
                     Example: --level exact"
    )]
    pub(in crate::cli) level: Vec<LevelArg>,
    #[arg(
        long,
        value_name = "NAME",
        default_value = "ours",
        hide_default_value = true,
        hide_possible_values = true,
        value_parser = parse_preset,
        help = "Find candidates as ours, fineweb, slimpajama, stack, olmo3, curator or zyda do (default ours).",
        long_help = "Find candidates with published parameters: bands x rows of a MinHash signature, what is counted, and the threshold where \
                     --threshold gives none.\n  \
                     ours        32 x 8   5 words        0.8\n  \
                     fineweb     14 x 8   5 words        0.72\n  \
                     slimpajama   9 x 13  13 characters  0.8\n  \
                     stack       25 x 10  5 words        0.7\n  \
                     olmo3       26 x 11  5 words        0.74\n  \
                     curator     20 x 13  24 characters  0.8\n  \
                     zyda        32 x 4   13 words       0.4\n\
                     Words and characters are those of our normal form, and every removal is verified.\n\
                     Default: ours.\n\
                     Example: --preset fineweb"
    )]
    pub(in crate::cli) preset: Preset,
    #[arg(
        long,
        value_name = "J",
        help = "Call rows similar from this Jaccard index on (default: the preset's, 0.8).",
        long_help = "Call rows similar from this Jaccard index of their shingles (word 5-grams) on. It is computed exactly for every removed row. Candidates \
                     come from 32 bands of 8 rows, which find 99.7 % of the pairs at 0.8 and 85 % at 0.7, unless --preset names others.\n\
                     Accepted: above 0, at most 1.\n\
                     Default: that of --preset; 0.8 for ours.\n\
                     Example: --threshold 0.7"
    )]
    pub(in crate::cli) threshold: Option<f64>,
    #[arg(
        long,
        alias = "exact",
        conflicts_with = "against",
        help = "Find all similar rows, instead of nearly all.",
        long_help = "Find all similar rows, instead of the 99.7 % at 0.8 that share a band: rows are compared that share one of their first shingles, of which \
                     similar ones cannot but share one. Takes a multiple of the time, and for corpora with much boilerplate far more.\n\
                     Default: off.\n\
                     Example: copytrace dedup corpus/ --out clean --all-pairs"
    )]
    pub(in crate::cli) all_pairs: bool,
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        hide_default_value = true,
        help = "Keep so many rows of each cluster (default 1).",
        long_help = "Keep so many rows of each cluster: a row goes only if that many kept rows are similar to it.\n\
                     Default: 1.\n\
                     Example: --keep 3"
    )]
    pub(in crate::cli) keep: u32,
    #[arg(
        long,
        value_name = "COLUMN",
        help = "Keep so many rows for each value of this column.",
        long_help = "Keep --keep rows of each cluster for each value of this column, such as source, licence or language, instead of so many in all. \
                     Rows without a value are one more value.\n\
                     Default: in all.\n\
                     Example: --keep 1 --keep-per metadata.source"
    )]
    pub(in crate::cli) keep_per: Option<String>,
    #[arg(
        long,
        value_name = "TERMS",
        default_value = "length desc",
        hide_default_value = true,
        help = "Keep the rows that these terms put first (default length desc).",
        long_help = "Keep the rows that these terms put first: columns with `asc` or `desc`, separated by commas; `length` is that of the text. \
                     Numbers come before texts, rows without a value last. Ties go to the smaller hash of the text, so that the result \
                     depends neither on the order of the input nor on the machine.\n\
                     Default: length desc.\n\
                     Example: --prefer \"quality desc, date asc\""
    )]
    pub(in crate::cli) prefer: String,
    #[arg(
        long,
        value_name = "FORM",
        default_value = "raw",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Call texts equal by their bytes (raw) or words (normal) (default raw).",
        long_help = "Call texts equal when all their bytes are (`raw`), or when all their words are in normal form (`normal`), whatever case, \
                     punctuation and spaces they have. Texts of fewer than 5 words are compared in this way alone.\n\
                     Default: raw.\n\
                     Example: --exact-form normal"
    )]
    pub(in crate::cli) exact_form: ExactFormArg,
    #[arg(
        long,
        value_name = "L",
        default_value_t = PASSAGE_WORDS,
        hide_default_value = true,
        help = "Cut repeated runs of at least so many words (default 50).",
        long_help = "Cut runs of at least so many words that occur more than --keep times, with --level passage: the first places, in the order of \
                     --prefer, stay; all others are cut from their first word to the word behind, and cuts.jsonl names for \
                     each the place that stays. What a cut joins is looked at again. Rows stay, even where nothing is left of their text.\n\
                     Unit: words of the normal form. Accepted: 8 to 10000.\n\
                     Default: 50.\n\
                     Example: --level exact,near,passage --passage-words 100"
    )]
    pub(in crate::cli) passage_words: u32,
    #[arg(
        long,
        value_name = "COLUMN",
        help = "Report rows that have a value in this column instead of removing them.",
        long_help = "Report rows that have a value in this column instead of removing them: a repository without one of its files is of no use. They \
                     stay in kept/, and reported.jsonl says of each what removed.jsonl or cuts.jsonl would.\n\
                     Default: none.\n\
                     Example: --level exact,code --repository-column repo_name"
    )]
    pub(in crate::cli) repository_column: Option<String>,
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Remove rows that are like documents of this index too.",
        long_help = "Remove rows that are like documents of this index too, and name those documents. New data is deduplicated against what is \
                     there at the cost of the new data alone; then `copytrace index` adds what stayed.\n\
                     Default: none.\n\
                     Example: copytrace dedup june/ --out june-clean --against corpus-index"
    )]
    pub(in crate::cli) against: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        requires = "against",
        help = "Add the sizes of clusters to those of this file.",
        long_help = "Add the sizes of clusters to those of this file, the clusters.jsonl of the run before: it says how often each kept document stood in the \
                     data of all runs. Only with --against.\n\
                     Default: none.\n\
                     Example: copytrace dedup june/ --out june-clean --against corpus-index --clusters-before may-clean/clusters.jsonl"
    )]
    pub(in crate::cli) clusters_before: Option<PathBuf>,
    #[arg(
        long,
        value_name = "TOOLS",
        value_delimiter = ',',
        hide_possible_values = true,
        help = "Write what was decided for datatrove and dolma too.",
        long_help = "Write what was decided in the formats of other tools too: `datatrove` the .remove, .clusters and .sizes files of its MinHash \
                     stages, `dolma` files of attributes with a span over each removed text.\n\
                     Default: none.\n\
                     Example: --emit datatrove,dolma"
    )]
    pub(in crate::cli) emit: Vec<EmitArg>,
    #[arg(
        long,
        help = "Write a weight to every row instead of removing any.",
        long_help = "Remove nothing; write a column `repeat_weight` to every row: 1 divided by the rows of its cluster.\n\
                     Default: off.\n\
                     Example: copytrace dedup corpus/ --out weighted --weights"
    )]
    pub(in crate::cli) weights: bool,
    #[arg(
        long,
        help = "Stop at the first row that holds no document.",
        long_help = "Stop at the first row that holds no document. Without it such rows stay, are counted, and listed in the report.\n\
                     Default: off.\n\
                     Example: copytrace dedup corpus/ --out clean --strict"
    )]
    pub(in crate::cli) strict: bool,
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "32MiB",
        hide_default_value = true,
        value_parser = parse_document_bytes,
        help = "Leave documents with more text than this alone (default 32MiB).",
        long_help = "Leave documents with more text than this alone: they stay and are counted.\n\
                     Unit: bytes, or with a unit as in 512KiB, 32MiB. Accepted: less than 4GiB; JSON lines end at 32MiB.\n\
                     Default: 32MiB.\n\
                     Example: --document-bytes-max 1MiB"
    )]
    pub(in crate::cli) document_bytes_max: u32,
    #[command(flatten)]
    pub(in crate::cli) resources: ResourceArgs,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
    // Last, because its heading holds for all that follows.
    #[command(flatten)]
    pub(in crate::cli) columns: ColumnArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LevelArg {
    Exact,
    Near,
    Passage,
    Code,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Exact => Self::Exact,
            LevelArg::Near => Self::Near,
            LevelArg::Passage => Self::Passage,
            LevelArg::Code => Self::Code,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExactFormArg {
    Raw,
    Normal,
}

impl From<ExactFormArg> for ExactForm {
    fn from(form: ExactFormArg) -> Self {
        match form {
            ExactFormArg::Raw => Self::Raw,
            ExactFormArg::Normal => Self::Normal,
        }
    }
}

fn parse_preset(text: &str) -> Result<Preset, String> {
    Preset::of_name(text).ok_or_else(|| {
        let names: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EmitArg {
    Datatrove,
    Dolma,
}

impl From<EmitArg> for Emit {
    fn from(emit: EmitArg) -> Self {
        match emit {
            EmitArg::Datatrove => Self::Datatrove,
            EmitArg::Dolma => Self::Dolma,
        }
    }
}
