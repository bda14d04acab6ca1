//! `copytrace merge`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::shared::{ResourceArgs, SeedArgs, SummaryArgs};

#[derive(Debug, Args)]
#[command(
    about = "Compact an index, drop what was removed from disk, join other indexes.",
    long_about = "Compact an index: its segments become one (segments of 16 GiB of text and more, of which nothing was removed, stay as they \
                  are), and the text of removed and replaced documents leaves the disk, with every trace in the files. A receipt in the \
                  index folder (receipts/removed-NNNNNN.json) names them. With --from, documents of other indexes are joined.\n\n\
                  Checks and services use the index meanwhile. A merge that is stopped changes nothing. Until it is done, old and new \
                  files need room on the disk.",
    after_help = "Example:\n  copytrace merge --index corpus-index",
    after_long_help = "Examples:\n  \
                       copytrace merge --index corpus-index\n  \
                       copytrace merge --index corpus-index --from machine-1/index --from machine-2/index"
)]
pub(in crate::cli) struct MergeArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Merge the index in this folder.",
        long_help = "Merge the index in this folder. With --from it is created where there is none.\n\
                     Example: --index corpus-index"
    )]
    pub(in crate::cli) index: PathBuf,
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Join the documents of this index; repeat it for more.",
        long_help = "Join the documents of the index in this folder, which is not changed. Of documents with the same id the last one \
                     stays: those of --index come first, then those of --from as given. It must have the same recipe and seed.\n\
                     Default: none.\n\
                     Example: --from machine-1/index --from machine-2/index"
    )]
    pub(in crate::cli) from: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) resources: ResourceArgs,
    #[command(flatten)]
    pub(in crate::cli) summary: SummaryArgs,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
}
