//! How build and checks grow with the corpus, on a made-up corpus of any size.
//!
//! ```text
//! cargo bench --bench scale                                          25 MB and 100 MB: a minute
//! cargo bench --bench scale -- grow --sizes 100MB,400MB,1.6GB,4GB    needs 5 GB of disk
//! cargo bench --bench scale -- grow --sizes 100MB --instructions     counts them: `perf`, or `valgrind` (a minute)
//! cargo bench --bench scale -- build --size 4GB --dir DIR            an index that stays
//! cargo bench --bench scale -- misses --index DIR                    what that says of passages it does not find
//! cargo bench --bench scale -- write --size 140MB --dir DIR          corpus and queries as files
//! cargo bench --bench scale -- time --index DIR --queries FILE       times a check of each text of a file
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to a terminal")]

mod build;
mod corpus;
mod files;
mod growth;
mod host;
mod lexicon;
mod misses;
mod queries;
mod random;
mod report;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::build::Job;
use self::corpus::Corpus;
use self::growth::Plan;

#[derive(Parser)]
#[command(about = "How build and checks grow with the corpus")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What cargo says to every bench.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Measure build, lookups and checks at several sizes.
    Grow(Grow),
    /// Write a corpus and queries as files.
    Write {
        #[command(flatten)]
        made: Made,
        /// Texts to check, every second one with a passage of the corpus.
        #[arg(long, default_value_t = 1_000)]
        queries: u64,
    },
    /// Time a check of each text of a file; JSON lines to standard output.
    Time {
        /// Index folder.
        #[arg(long)]
        index: PathBuf,
        /// JSON lines with `id` and `text`.
        #[arg(long)]
        queries: PathBuf,
        /// Look up rare words too.
        #[arg(long)]
        lexical: bool,
    },
    /// Ask an index that `build` made for planted passages, and print what it says of those not found.
    Misses {
        /// Index folder.
        #[arg(long)]
        index: PathBuf,
        /// Seed of the corpus.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Texts of each kind.
        #[arg(long, default_value_t = 400)]
        queries: u64,
        /// Words of each passage [default: 60 to 300].
        #[arg(long)]
        words: Option<usize>,
        /// Look up rare words too.
        #[arg(long)]
        lexical: bool,
    },
    /// Build one index and print what it took; `grow` runs this.
    Build(Made),
    /// Make a corpus and throw it away; `grow --instructions` runs this.
    Make(Made),
}

#[derive(Args)]
struct Grow {
    /// Text of each corpus.
    #[arg(long, value_delimiter = ',', value_parser = parse_bytes, default_value = "25MB,100MB")]
    sizes: Vec<u64>,
    /// Folder for the indexes, which are removed again [default: the system's temporary folder].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Seed of the corpus.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Memory of a build.
    #[arg(long, value_parser = parse_bytes, default_value = "1GB")]
    memory: u64,
    /// Threads of a build; 0 for one a core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Texts of each kind that are checked warm.
    #[arg(long, default_value_t = 400)]
    warm: u64,
    /// Texts of each kind that are checked cold (Linux).
    #[arg(long, default_value_t = if cfg!(target_os = "linux") { 50 } else { 0 })]
    cold: u64,
    /// Count the instructions of each build.
    #[arg(long)]
    instructions: bool,
    /// Append the figures to this file as lines of JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Made {
    /// Folder to write to.
    #[arg(long)]
    dir: PathBuf,
    /// Text of the corpus.
    #[arg(long, value_parser = parse_bytes)]
    size: u64,
    /// Seed of the corpus.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Memory of a build.
    #[arg(long, value_parser = parse_bytes, default_value = "1GB")]
    memory: u64,
    /// Threads of a build; 0 for one a core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

impl Made {
    fn job(&self) -> anyhow::Result<Job> {
        job(self.seed, self.size, self.memory, self.threads)
    }
}

fn job(seed: u64, text_bytes: u64, memory_bytes: u64, threads: usize) -> anyhow::Result<Job> {
    Ok(Job { seed, text_bytes, memory_bytes: usize::try_from(memory_bytes)?, threads })
}

/// Reads `100MB`, `1.6GB` or a number of bytes; units are powers of ten.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a size that is no positive number becomes 0 or the largest"
)]
fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("KB", 1e3), ("MB", 1e6), ("GB", 1e9)];
    let unit = units.into_iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = unit.unwrap_or((text, 1.0));
    let number: f64 = number.parse().map_err(|_| "expected a number of bytes, as in `100MB` or `1.6GB`".to_owned())?;
    Ok((number * factor) as u64)
}

fn main() -> anyhow::Result<()> {
    let command = Arguments::parse().command;
    let grow = || Grow::augment_args(clap::Command::new("grow")).get_matches_from(["grow"]);
    let command = match command {
        Some(command) => command,
        None => Command::Grow(<Grow as clap::FromArgMatches>::from_arg_matches(&grow())?),
    };
    match command {
        Command::Grow(options) => run_grow(&options),
        Command::Write { made, queries } => files::write(&Corpus::new(made.seed), made.size, queries, &made.dir),
        Command::Time { index, queries, lexical } => {
            files::time_checks(&index, &queries, lexical, &mut std::io::stdout().lock())
        }
        Command::Misses { index, seed, queries, words, lexical } => {
            let words = words.map_or(queries::PASSAGE_WORDS, |words| words..=words);
            let asked = misses::Asked { n: queries, words, is_lexical: lexical };
            misses::print(&Corpus::new(seed), &index, &asked, &mut std::io::stdout().lock())
        }
        Command::Build(made) => {
            println!("{}", serde_json::to_string(&build::run(made.job()?, &made.dir)?)?);
            Ok(())
        }
        Command::Make(made) => {
            println!("{}", build::make_only(made.job()?));
            Ok(())
        }
    }
}

fn run_grow(options: &Grow) -> anyhow::Result<()> {
    let plan = Plan {
        job: job(options.seed, 0, options.memory, options.threads)?,
        sizes: options.sizes.clone(),
        dir: options.dir.clone().unwrap_or_else(std::env::temp_dir),
        n_warm: options.warm,
        n_cold: options.cold,
        counts_instructions: options.instructions,
    };
    std::fs::create_dir_all(&plan.dir)?;
    let mut sizes = Vec::new();
    for &text_bytes in &plan.sizes {
        eprintln!("measuring {} MB ...", text_bytes / 1_000_000);
        let measured = growth::measure(&plan, text_bytes)?;
        if let Some(path) = &options.json {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            serde_json::to_writer(&mut file, &measured)?;
            file.write_all(b"\n")?;
        }
        sizes.push(measured);
    }
    report::print(&sizes);
    Ok(())
}
