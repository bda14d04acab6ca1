//! `copytrace stage`: one stage of a dedup pass at a time.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueHint};

use super::dedup::PassArgs;
use super::shared::{ResourceArgs, SeedArgs};
use crate::dedup::work::Part;

#[derive(Debug, Args)]
#[command(
    about = "Do one stage of a dedup pass, or one part of it.",
    long_about = "Do one stage of a dedup pass, or one part of it, so that many machines can share the work: sign, band-merge, cluster, verify, \
                  passages (for --level passage or code), apply, in this order. All parts of a stage must be done before the next begins; cluster and passages have one \
                  part. The result is that of \
                  `copytrace dedup`. What is done already is not done again.",
    after_help = "Example:\n  copytrace stage sign corpus/ --work /shared/dedup --part 1/8",
    after_long_help = "Example, each line but those of cluster and passages on 8 machines with its own part:\n  \
                       copytrace stage sign corpus/ --work /shared/dedup --part 1/8\n  \
                       copytrace stage band-merge --work /shared/dedup --part 1/8\n  \
                       copytrace stage cluster --work /shared/dedup\n  \
                       copytrace stage verify --work /shared/dedup --part 1/8\n  \
                       copytrace stage passages --work /shared/dedup    (with --level passage)\n  \
                       copytrace stage apply --work /shared/dedup --part 1/8 --out /shared/clean",
    disable_help_subcommand = true
)]
pub(in crate::cli) struct StageArgs {
    #[command(subcommand)]
    pub(in crate::cli) stage: StageCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StageCommand {
    Sign(Box<SignArgs>),
    #[command(
        about = "Find rows that share a fingerprint.",
        long_about = None,
        after_help = "Example:\n  copytrace stage band-merge --work dedup --part 1/8"
    )]
    BandMerge(MiddleArgs),
    #[command(
        about = "Join rows that share fingerprints to groups.",
        long_about = None,
        after_help = "Example:\n  copytrace stage cluster --work dedup"
    )]
    Cluster(MiddleArgs),
    #[command(
        about = "Compare rows of a group exactly, and decide which stay.",
        long_about = None,
        after_help = "Example:\n  copytrace stage verify --work dedup --part 1/8"
    )]
    Verify(MiddleArgs),
    #[command(
        about = "Find functions and passages that occur too often, with --level code or passage.",
        long_about = None,
        after_help = "Example:\n  copytrace stage passages --work dedup"
    )]
    Passages(MiddleArgs),
    Apply(ApplyArgs),
}

#[derive(Debug, Args)]
#[command(
    about = "Read the input and write fingerprints.",
    long_about = "Read the input and write fingerprints. The first part that runs writes the recipe of the pass, which all others follow.",
    after_help = "Example:\n  copytrace stage sign corpus/ --work dedup --part 1/8"
)]
pub(in crate::cli) struct SignArgs {
    #[arg(
        value_name = "INPUT",
        required = true,
        value_hint = ValueHint::AnyPath,
        help = "Read this file or folder.",
        long_help = "Read this file or folder, as `copytrace dedup` does. Every part is given all of the input.\n\
                     Example: copytrace stage sign corpus/ --work dedup --part 1/8"
    )]
    pub(in crate::cli) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) share: ShareArgs,
    #[command(flatten)]
    pub(in crate::cli) pass: PassArgs,
}

/// What the stages between reading and writing take: all else stands in the work folder.
#[derive(Debug, Args)]
pub(in crate::cli) struct MiddleArgs {
    #[command(flatten)]
    pub(in crate::cli) share: ShareArgs,
    #[command(flatten)]
    pub(in crate::cli) resources: ResourceArgs,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
}

#[derive(Debug, Args)]
#[command(
    about = "Write the rows that stay.",
    after_help = "Example:\n  copytrace stage apply --work dedup --out clean --part 1/8"
)]
pub(in crate::cli) struct ApplyArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Write into this folder.",
        long_help = "Write into this folder, as `copytrace dedup` does. The part that is done last writes removed.jsonl and report.json.\n\
                     Example: --out clean"
    )]
    pub(in crate::cli) out: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) share: ShareArgs,
    #[command(flatten)]
    pub(in crate::cli) resources: ResourceArgs,
    #[command(flatten)]
    pub(in crate::cli) seed: SeedArgs,
}

/// The work folder, and which part of the work is done.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShareArgs {
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help = "Keep the files between stages in this folder.",
        long_help = "Keep the files between stages in this folder, which all parts share.\n\
                     Example: --work /shared/dedup"
    )]
    pub(in crate::cli) work: PathBuf,
    #[arg(
        long,
        value_name = "I/N",
        default_value = "1/1",
        hide_default_value = true,
        value_parser = parse_part,
        help = "Do part I of N (default 1/1).",
        long_help = "Do part I of N. Parts may run side by side, on one machine or many, and be run again.\n\
                     Default: 1/1, all of it.\n\
                     Example: --part 3/8"
    )]
    pub(in crate::cli) part: Part,
}

fn parse_part(text: &str) -> Result<Part, &'static str> {
    let parse = || {
        let (number, of) = text.split_once('/')?;
        let (number, of) = (usize::from_str(number).ok()?, usize::from_str(of).ok()?);
        (1..=of).contains(&number).then_some(Part { number, of })
    };
    parse().ok_or("expected I/N, two whole numbers, I from 1 to N")
}
