//! `clusters.jsonl`: how often each kept document stood in the data, over all runs so far.
//!
//! ```text
//! run 1   {"keptId":"a","rows":3,"newRows":3}                                             a and two copies
//! run 2   --against an index with a, --clusters-before what run 1 wrote
//!         {"keptId":"a","rows":5,"newRows":2}                                             two more copies of a
//! ```
//!
//! Lines of the runs before come first, in their order; then documents of the index that were met for the first time, by id; then kept rows
//! of this run that stand for others, in the order of the input. A kept document without a copy has no line.
//!
//! Memory: the documents of the index that were met.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use copytrace_indexer::{Error, Result};
use serde::{Deserialize, Serialize};

use super::decisions::{Against, Decisions};
use super::facts::SignFacts;
use super::file::io_error;
use super::record::{RowNumber, Rows};
use super::verify::Reason;
use super::work::{Receipt, Work};

/// Rows looked at at once.
const PIECE_ROWS: u64 = 1 << 16;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    /// A row that is kept, or a document of the index.
    #[serde(borrow)]
    kept_id: Cow<'a, str>,
    /// How often it stood in the data of all runs, itself included.
    rows: u64,
    /// How often it stood in the data of this run.
    new_rows: u64,
}

/// Writes all lines.
///
/// # Errors
/// [`Error::Row`] where the file of the runs before holds anything else; [`Error::Io`] where it cannot be read.
pub(super) fn write_clusters(
    work: &Work,
    signed: &[Receipt<SignFacts>],
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (rows, decisions) = (Rows::open(work, signed)?, Decisions::open(work)?);
    let mut met = count_met(work, signed, &rows)?;
    let mut push = |kept_id: &str, rows: u64, new_rows: u64| {
        let line = Line { kept_id: kept_id.into(), rows, new_rows };
        let json = serde_json::to_string(&line)
            .map_err(|error| Error::Internal { component: "JSON", problem: error.to_string() })?;
        write(format!("{json}\n").as_bytes())
    };
    if let Some(path) = &work.pass.rules.clusters_before {
        for_each_line(path, |line| {
            let n_new = met.remove(line.kept_id.as_ref()).unwrap_or(0);
            push(&line.kept_id, line.rows + n_new, n_new)
        })?;
    }
    for (id, n_new) in met {
        push(&id, n_new + 1, n_new)?;
    }
    let mut start = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        let against = Against::open(work, unit, start)?;
        let mut cursor = decisions.from(start, &against)?;
        let end = start + receipt.facts.n_rows();
        while start < end {
            start = end.min(start + PIECE_ROWS);
            let decided = cursor.until(start)?;
            for kept in decided.iter().filter(|decision| decision.reason.get() == Reason::Kept as u32) {
                let n_rows = u64::from(kept.cluster_rows.get());
                push(rows.id(RowNumber(kept.row.get()))?, n_rows, n_rows)?;
            }
        }
    }
    rows.ensure_whole()?;
    decisions.ensure_whole()
}

/// Counts the rows that go for each document of the index.
fn count_met(work: &Work, signed: &[Receipt<SignFacts>], rows: &Rows) -> Result<BTreeMap<String, u64>> {
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    let mut first_row = 0;
    for (unit, receipt) in signed.iter().enumerate() {
        let against = Against::open(work, unit, first_row)?;
        for at in 0..against.len() {
            let id = rows.against_id(unit, against.entry(at)?)?;
            match met.get_mut(id) {
                Some(known) => *known += 1,
                None => drop(met.insert(id.to_owned(), 1)),
            }
        }
        first_row += receipt.facts.n_rows();
    }
    Ok(met)
}

fn for_each_line(path: &Path, mut each: impl FnMut(&Line<'_>) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(|source| io_error("open", path, source))?;
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|source| io_error("read", path, source))?;
        let parsed: Line<'_> = serde_json::from_str(&line).map_err(|error| Error::Row {
            path: path.to_path_buf(),
            row: number,
            problem: format!("{error}: expected a line of `clusters.jsonl`"),
        })?;
        each(&parsed)?;
    }
    Ok(())
}
