//! What was decided, in the formats of other tools, for pipelines that remove rows themselves.
//!
//! `datatrove`: for each input file, by its number, what `MinhashDedupCluster` writes: `NNNNNN.remove` (u32 per removed document),
//! `NNNNNN.clusters` and `NNNNNN.sizes` (two u32 per document of a cluster: document, and number or size of the cluster). Documents are counted as
//! its readers count them: rows with a text. All little-endian.
//!
//! `dolma`: attribute files beside the documents, `attributes/copytrace/FILE.jsonl.gz`, one line a document with a span over the whole text of those that
//! are removed. Spans count characters.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use copytrace_indexer::corpus::input::Compression;
use copytrace_indexer::corpus::rewrite::LineWriter;
use copytrace_indexer::index::storage::Storage;
use copytrace_indexer::{Error, Result};
use serde::Serialize;

use super::decisions::{Against, Decisions, is_removal};
use super::facts::SignFacts;
use super::file::io_error;
use super::recipe::Emit;
use super::record::{HAS_TEXT, RowNumber, Rows};
use super::work::{Receipt, Work};

/// Rows looked at at once.
const PIECE_ROWS: u64 = 4096;

/// A line of attributes.
#[derive(Serialize)]
struct AttributeLine<'a> {
    id: &'a str,
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
            let emitted = Emitted::collect(work, &rows, &decisions, &against, range)?;
            for emit in &work.pass.rules.emit {
                match emit {
                    Emit::Datatrove => emitted.write_datatrove(input_idx, out)?,
                    Emit::Dolma => write(&dolma_path(&work.pass.inputs[input_idx].id), &emitted.attributes, out)?,
                }
            }
        }
    }
    rows.ensure_whole()?;
    decisions.ensure_whole()
}

/// What is written of one input file.
#[derive(Default)]
struct Emitted {
    removed: Vec<u8>,
    clusters: Vec<u8>,
    sizes: Vec<u8>,
    attributes: Vec<u8>,
}

impl Emitted {
    fn collect(
        work: &Work,
        rows: &Rows,
        decisions: &Decisions,
        against: &Against,
        range: std::ops::Range<u64>,
    ) -> Result<Self> {
        let has_attributes = work.pass.rules.emit.contains(&Emit::Dolma);
        let mut attributes = LineWriter::new(Vec::new(), Compression::Gzip, 1).map_err(in_memory)?;
        let mut emitted = Self::default();
        let mut cursor = decisions.from(range.start, against)?;
        let mut document = 0_u32;
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE_ROWS);
            let mut decided = cursor.until(end)?.into_iter().peekable();
            for number in start..end {
                let row = RowNumber(u32::try_from(number).unwrap_or(u32::MAX));
                let decision = decided.next_if(|decision| decision.row.get() == row.0);
                let record = rows.record(row)?;
                if record.flags.get() & HAS_TEXT == 0 {
                    continue;
                }
                let goes = decision.as_ref().is_some_and(is_removal);
                if let Some(decision) = decision {
                    let pair = |second: u32| [document.to_le_bytes(), second.to_le_bytes()].concat();
                    emitted.clusters.extend(pair(decision.kept.get()));
                    emitted.sizes.extend(pair(decision.cluster_rows.get()));
                }
                if goes {
                    emitted.removed.extend(document.to_le_bytes());
                }
                if has_attributes {
                    let span = (0, record.text_chars.get(), 1.0);
                    let spans = Spans { duplicate: if goes { vec![span] } else { Vec::new() } };
                    let line = AttributeLine { id: rows.id(row)?, attributes: spans };
                    let line = serde_json::to_string(&line)
                        .map_err(|error| Error::Internal { component: "JSON", problem: error.to_string() })?;
                    attributes.write(line.as_bytes()).and_then(|()| attributes.write(b"\n")).map_err(in_memory)?;
                }
                document += 1;
            }
            start = end;
        }
        emitted.attributes = attributes.finish().map_err(in_memory)?;
        Ok(emitted)
    }

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

/// Returns where the attributes of a file go.
fn dolma_path(id: &str) -> PathBuf {
    let plain = [".zst", ".gz", ".parquet"].iter().fold(id, |id, ending| id.strip_suffix(ending).unwrap_or(id));
    let plain = [".jsonl", ".ndjson", ".json"].iter().fold(plain, |id, ending| id.strip_suffix(ending).unwrap_or(id));
    PathBuf::from(format!("attributes/copytrace/{plain}.jsonl.gz"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_the_name_of_their_documents() {
        for (id, expected) in [
            ("a.jsonl.zst", "attributes/copytrace/a.jsonl.gz"),
            ("x/b.json.gz", "attributes/copytrace/x/b.jsonl.gz"),
            ("c.parquet", "attributes/copytrace/c.jsonl.gz"),
        ] {
            assert_eq!(dolma_path(id), PathBuf::from(expected));
        }
    }
}
