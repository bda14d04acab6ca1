//! `copytrace check`: one text or many, an answer for each.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use copytrace_indexer::language::Language;

use super::Exit;
use super::args::{CheckArgs, Format, Switch};
use super::backend::{Backend, CheckerOptions};
use super::batch::{self, Defaults, Tally};
use super::failure::Refusal;
use super::output::{Console, Label, Stderr};
use super::report;
use super::seed;
use super::units::counted;
use crate::check::answer::Action;
use crate::check::{Request, TEXT_BYTES_MAX};

/// Runs the command.
pub(super) fn run(args: CheckArgs, backend: &dyn Backend, console: &mut Console) -> anyhow::Result<Exit> {
    if args.batch && args.format == Some(Format::Text) {
        bail!(Refusal::new(
            "`--format text` with `--batch`: expected json",
            "a batch is always answered as JSON lines; leave `--format` away",
        ));
    }
    let source = Source::new(args.file, console)?;
    let language = match args.language.as_str() {
        "auto" if args.batch => None,
        "auto" => source.language(),
        name => Some(name.parse()?),
    };
    let prompt = match &args.prompt {
        Some(path) => read_text(&mut open(path)?, &format!("`{}`", path.display()))?,
        None => String::new(),
    };
    let is_lexical = args.lexical == Switch::On;
    let options = CheckerOptions { indexes: args.index, policy: args.judge.policy, seed: seed::read(args.seed)? };
    let checker = backend.open_checker(&options)?;

    if args.batch {
        let defaults = Defaults { language, prompt, is_lexical };
        let mut input = source.open(console)?;
        let tally = batch::run(&mut *input, &*checker, &defaults, |answer| {
            console.print_json(answer)?;
            Ok(!console.stdout_is_closed)
        })?;
        return finish_batch(&tally, &console.stderr);
    }
    let text = read_text(&mut *source.open(console)?, &source.name())?;
    let request = Request { language, prompt, is_lexical, ..Request::new(source.id(), text) };
    let answer = checker.check(&request)?;
    if args.format == Some(Format::Json) {
        console.print_json(&answer)?;
    } else {
        let text = report::answer(&answer, &request.text, console.layout_columns(), console.paint());
        console.print(&text)?;
    }
    Ok(if answer.verdict.action == Action::Allow { Exit::Clean } else { Exit::Found })
}

fn finish_batch(tally: &Tally, stderr: &Stderr) -> anyhow::Result<Exit> {
    let Tally { allowed, not_allowed, unreadable, failed, .. } = *tally;
    if !stderr.is_quiet {
        let mut note = counted(allowed + not_allowed + unreadable + failed, "text");
        for (n, what) in
            [(allowed, "allowed"), (not_allowed, "not allowed"), (unreadable, "not readable"), (failed, "not checked")]
        {
            if n > 0 {
                let separator = if note.contains(':') { "," } else { ":" };
                let _ = write!(note, "{separator} {} {what}", super::units::count(n));
            }
        }
        stderr.tell_labelled(Label::Note, &note);
    }
    match &tally.first_failure {
        Some((_, problem)) => Err(anyhow!("{} could not be checked, first at {problem}", counted(failed, "text"))),
        None if not_allowed + unreadable > 0 => Ok(Exit::Found),
        None => Ok(Exit::Clean),
    }
}

/// Where the text comes from.
enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    fn new(file: Option<PathBuf>, console: &Console) -> anyhow::Result<Self> {
        match file {
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdin),
            Some(path) => Ok(Self::File(path)),
            None if console.stdin_is_terminal => bail!(Refusal::new(
                "no text to check: no FILE is given and nothing is piped in",
                "name a file, as in `copytrace check --index DIR FILE`, or pipe a text in; `-` reads what you type up to Ctrl-D",
            )),
            None => Ok(Self::Stdin),
        }
    }

    /// Returns the id of the request.
    fn id(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }

    /// Returns the name for messages.
    fn name(&self) -> String {
        match self {
            Self::Stdin => "the standard input".to_owned(),
            Self::File(path) => format!("`{}`", path.display()),
        }
    }

    /// Tells the language by the file's ending, if it is that of a programming language.
    fn language(&self) -> Option<Language> {
        match self {
            Self::Stdin => None,
            Self::File(path) => {
                Some(Language::of_path(&path.to_string_lossy())).filter(|&found| found != Language::Text)
            }
        }
    }

    fn open(&self, console: &mut Console) -> anyhow::Result<Box<dyn BufRead + Send>> {
        match self {
            Self::Stdin => {
                let stdin = std::mem::replace(&mut console.stdin, Box::new(io::empty()));
                Ok(Box::new(BufReader::with_capacity(1 << 16, stdin)))
            }
            Self::File(path) => Ok(open(path)?),
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Box<BufReader<File>>> {
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!(Refusal::new(
            format!("`{}` is a folder: expected a file", path.display()),
            "check its files one by one, or put many texts into JSON lines and use `--batch`",
        ));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// Reads a whole text; never more than one byte above the longest that is accepted.
fn read_text(input: &mut dyn Read, name: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let bytes_max = u64::try_from(TEXT_BYTES_MAX)?;
    input.take(bytes_max + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    if bytes.len() > TEXT_BYTES_MAX {
        bail!(Refusal::new(
            format!("{name} is longer than {TEXT_BYTES_MAX} bytes: expected at most 1 MiB"),
            "cut the text into parts that overlap, and check them with `--batch`",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
        Refusal::new(
            format!("{name} is not UTF-8: byte {offset} is 0x{byte:02x}"),
            "convert it first, for example with `iconv -f latin1 -t utf-8 FILE`",
        )
        .into()
    })
}
