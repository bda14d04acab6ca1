//! Stands in for the Parquet reader in builds without the feature `parquet`: every such file is refused.

use std::convert::Infallible;

use super::columns::Plan;
use super::input::InputFile;
use super::lines::ParsedRow;
use super::options::ReadOptions;
use super::progress::FileProgress;
use super::rewrite::GroupEdit;
use super::{Row, SkipReason};
use crate::error::{Error, Result};
use crate::memory::MemoryPlan;

/// There are none.
pub(super) struct ParquetRows(Infallible);

/// Refuses the file.
pub(super) fn resolve(file: &InputFile, _: &Plan) -> Result<Plan> {
    Err(refusal(file))
}

impl ParquetRows {
    pub(super) fn open(file: &InputFile, _: Plan, _: MemoryPlan, _: FileProgress) -> Result<Self> {
        Err(refusal(file))
    }

    pub(super) fn open_with(file: &InputFile, _: Plan, _: &[String], _: MemoryPlan, _: FileProgress) -> Result<Self> {
        Err(refusal(file))
    }

    pub(super) fn next_parsed(&mut self, _: &ReadOptions) -> Result<Option<Result<ParsedRow, SkipReason>>> {
        match self.0 {}
    }

    pub(super) fn next_row(&mut self, _: &ReadOptions) -> Result<Option<Row>> {
        match self.0 {}
    }
}

/// Refuses the file.
pub(super) fn copy_rows<W: std::io::Write + Send>(
    file: &InputFile,
    _: MemoryPlan,
    _: W,
    _: impl FnMut(u64) -> Result<GroupEdit>,
) -> Result<W> {
    Err(refusal(file))
}

fn refusal(file: &InputFile) -> Error {
    let problem =
        "this build has no Parquet support: expected JSON lines, or a build with the feature `parquet`".to_owned();
    Error::Input { path: file.path.clone(), problem }
}
