//! What was decided, in the formats of other tools, for pipelines that remove rows themselves.
//!
//! `datatrove`: for each input file, by its number, what `MinhashDedupCluster` writes: `NNNNNN.remove` (u32 per removed document),
//! `NNNNNN.clusters` and `NNNNNN.sizes` (two u32 per document of a cluster: document, and number or size of the cluster). Documents are counted as
//! its readers count them ([`Row::is_counted`]). All little-endian. Rows that go for a document of an index are in no cluster of the input.
//!
//! `dolma`: attribute files that lie to `attributes/copytrace/` as the documents to `documents/`, of the same name and compression: its mixer
//! finds them by that name alone and, where it finds none, keeps everything. One line a row, with the row's own `id`, whatever the row holds: the
//! mixer takes lines in pairs. Those that are removed have a span over the whole text. Spans count characters.
//!
//! Both need of rows without a document what the pass did not keep, so that the input is read once more.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use copytrace_indexer::corpus::SkipReason;
use copytrace_indexer::corpus::input::{Compression, Format, InputFile};
use copytrace_indexer::corpus::lines::{LineBlock, LineBlocks, LineParser, ParsedRow};
use copytrace_indexer::corpus::options::ReadOptions;
use copytrace_indexer::corpus::rewrite::LineWriter;
use copytrace_indexer::corpus::rows::{ParsedRows, hash_file};
use copytrace_indexer::index::storage::Storage;
use copytrace_indexer::memory::MemoryPlan;
use copytrace_indexer::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use super::decisions::{Against, Decisions, is_removal};
use super::facts::{SignFacts, SignedFile};
use super::file::io_error;
use super::recipe::Emit;
use super::record::{IS_OF_REPOSITORY, RowNumber, Rows};
use super::sets::changed;
use super::verify::Reason;
use super::work::{Receipt, Work};

/// A line of attributes.
#[derive(Serialize)]
struct AttributeLine<'a> {
    id: &'a Value,
    attributes: Spans,
}

#[derive(Serialize)]
struct Spans {
    #[serde(rename = "copytrace__duplicate")]
    duplicate: Vec<(u32, u32, f64)>,
}

/// Writes what the rules ask for.
pub(super) fn emit(work: &Work, signed: &[Receipt<SignFacts>], out: &dyn Storage) -> Result<()> {
    if work.pass.rules.emit.is_empty() {
        return Ok(());
    }
    let (rows, decisions) = (Rows::open(work, signed)?, Decisions::open(work)?);
    let mut next_row = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        let against = Against::open(work, unit, next_row)?;
        for (input_idx, file) in work.pass.units()[unit].clone().zip(&receipt.facts.files) {
            let range = next_row..next_row + file.n_rows;
            next_row = range.end;
            let input = work.pass.inputs[input_idx].file();
            let decided = Decided { work, rows: &rows, decisions: &decisions, against: &against };
            let emitted = decided.collect(&input, *file, range)?;
            for emit in &work.pass.rules.emit {
                match emit {
                    Emit::Datatrove => emitted.write_datatrove(input_idx, out)?,
                    Emit::Dolma => write(&dolma_path(&input), &emitted.attributes, out)?,
                }
            }
        }
    }
    rows.ensure_whole()?;
    decisions.ensure_whole()
}

/// What is known of a unit.
struct Decided<'a> {
    work: &'a Work,
    rows: &'a Rows,
    decisions: &'a Decisions,
    against: &'a Against,
}

/// What is written of one input file.
#[derive(Default)]
struct Emitted {
    removed: Vec<u8>,
    clusters: Vec<u8>,
    sizes: Vec<u8>,
    attributes: Vec<u8>,
}

impl Decided<'_> {
    fn collect(&self, input: &InputFile, file: SignedFile, range: std::ops::Range<u64>) -> Result<Emitted> {
        let rules = &self.work.pass.rules;
        let has_attributes = rules.emit.contains(&Emit::Dolma);
        let options = ReadOptions { columns: rules.columns.options()?, ..ReadOptions::default() };
        let mut reader = RowReader::open(input, options)?;
        let mut attributes = LineWriter::new(Vec::new(), attributes_compression(input), 1).map_err(in_memory)?;
        let mut emitted = Emitted::default();
        let mut cursor = self.decisions.from(range.start, self.against)?;
        let mut document = 0_u32;
        let mut next_row = range.start;
        while let Some(block) = reader.next_rows()? {
            let start = next_row;
            next_row += block.len() as u64;
            if next_row > range.end {
                return Err(changed(&input.path, "its rows"));
            }
            let mut decided = cursor.until(next_row)?.into_iter().peekable();
            for (number, seen) in (start..).zip(block) {
                let row = RowNumber(u32::try_from(number).unwrap_or(u32::MAX));
                let decision = decided.next_if(|decision| decision.row.get() == row.0);
                let record = self.rows.record(row)?;
                // What the pass only reports or weighs stays.
                let goes = decision.as_ref().is_some_and(is_removal)
                    && record.flags.get() & IS_OF_REPOSITORY == 0
                    && !rules.has_weights;
                if has_attributes {
                    let span = (0, record.text_chars.get(), 1.0);
                    let spans = Spans { duplicate: if goes { vec![span] } else { Vec::new() } };
                    let line = AttributeLine { id: &seen.id, attributes: spans };
                    let line = serde_json::to_string(&line)
                        .map_err(|error| Error::Internal { component: "JSON", problem: error.to_string() })?;
                    attributes.write(line.as_bytes()).and_then(|()| attributes.write(b"\n")).map_err(in_memory)?;
                }
                if !seen.is_counted {
                    continue;
                }
                if let Some(decision) = decision.filter(|decision| decision.reason.get() != Reason::Against as u32) {
                    let pair = |second: u32| [document.to_le_bytes(), second.to_le_bytes()].concat();
                    emitted.clusters.extend(pair(decision.kept.get()));
                    emitted.sizes.extend(pair(decision.cluster_rows.get()));
                }
                if goes {
                    emitted.removed.extend(document.to_le_bytes());
                }
                document += 1;
            }
        }
        if next_row != range.end || reader.checksum(input)? != file.checksum {
            return Err(changed(&input.path, "its bytes"));
        }
        emitted.attributes = attributes.finish().map_err(in_memory)?;
        Ok(emitted)
    }
}

/// A row as other tools see it.
struct Row {
    /// Its `id` as it stands there; null where it has none.
    id: Value,
    /// Whether the readers of datatrove make a document of it: where the row is JSON in their eyes, without a byte order mark, and its text is not
    /// empty. Not so for the pass, a text of white space, or one too long, is a document.
    is_counted: bool,
}

/// Reads the rows of a file once more.
enum RowReader {
    Lines(Box<LineBlocks>, Box<LineParser>),
    Rows(Box<ParsedRows>),
}

impl RowReader {
    fn open(input: &InputFile, options: ReadOptions) -> Result<Self> {
        // Every text is too long, so that a reason is given for all rows: they are told apart, and no text is copied.
        let options = ReadOptions { document_bytes_max: 0, ..options };
        if input.format == Format::Parquet {
            return Ok(Self::Rows(Box::new(ParsedRows::open(input, &options, &[])?)));
        }
        let blocks = LineBlocks::open(input, MemoryPlan::default())?;
        Ok(Self::Lines(Box::new(blocks), Box::new(LineParser::open(input, &options, &[])?)))
    }

    /// Returns the next rows; none at the end.
    fn next_rows(&mut self) -> Result<Option<Vec<Row>>> {
        match self {
            Self::Lines(blocks, parser) => Ok(blocks.next_block()?.map(|block| rows_of(parser, &block))),
            Self::Rows(rows) => {
                let block = rows.next_block()?;
                let row = |row| Row { id: Value::Null, is_counted: has_text(&row) };
                Ok((!block.is_empty()).then(|| block.into_iter().map(row).collect()))
            }
        }
    }

    fn checksum(&self, input: &InputFile) -> Result<u64> {
        match self {
            Self::Lines(blocks, _) => Ok(blocks.checksum()),
            Self::Rows(_) => hash_file(input),
        }
    }
}

fn rows_of(parser: &LineParser, block: &LineBlock) -> Vec<Row> {
    if block.is_overlong {
        // Too long to be parsed here; that it is sound is all that can be assumed.
        return (!block.goes_on).then_some(Row { id: Value::Null, is_counted: true }).into_iter().collect();
    }
    let row = |(line, _): (&[u8], bool)| {
        // A byte order mark is no JSON.
        let object = serde_json::from_slice::<Value>(line).ok().filter(Value::is_object);
        let is_counted = object.is_some() && has_text(&parser.parse(line, 1, false));
        Row { id: object.map_or(Value::Null, |mut object| object["id"].take()), is_counted }
    };
    block.lines().filter(|(_, is_row)| *is_row).map(row).collect()
}

/// Tells whether the text of a row is not empty. Texts of another type than text count: datatrove takes all but the likes of `0` and `[]`.
fn has_text(row: &Result<ParsedRow, SkipReason>) -> bool {
    !matches!(row, Err(SkipReason::NoText | SkipReason::EmptyText | SkipReason::InvalidUtf8(_)))
}

impl Emitted {
    fn write_datatrove(&self, input_idx: usize, out: &dyn Storage) -> Result<()> {
        let files = [("remove", &self.removed), ("clusters", &self.clusters), ("sizes", &self.sizes)];
        files.into_iter().try_for_each(|(ending, bytes)| {
            write(&PathBuf::from(format!("datatrove/{input_idx:06}.{ending}")), bytes, out)
        })
    }
}

fn in_memory(source: std::io::Error) -> Error {
    io_error("compress", Path::new("attributes"), source)
}

/// Returns where the attributes of a file go. Parquet, which dolma does not read, has attributes in JSON lines all the same.
fn dolma_path(input: &InputFile) -> PathBuf {
    let name = input.id.strip_suffix(".parquet").map_or_else(|| input.id.clone(), |stem| format!("{stem}.jsonl.gz"));
    PathBuf::from(format!("attributes/copytrace/{name}"))
}

fn attributes_compression(input: &InputFile) -> Compression {
    if let Format::JsonLines(compression) = input.format { compression } else { Compression::Gzip }
}

fn write(path: &Path, bytes: &[u8], out: &dyn Storage) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    out.create_dir(folder)?;
    let temporary = Work::temporary("emit");
    let mut file = out.create(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.flush()).and_then(|()| file.sync());
    written.map_err(|source| io_error("write", &out.display_path(path), source))?;
    drop(file);
    out.rename(&temporary, path)?;
    out.sync_dir(folder)
}
