//! Stands in for the Parquet reader in builds without the feature `parquet`: every such file is refused.

use std::convert::Infallible;

use super::Row;
use super::columns::Plan;
use super::input::InputFile;
use super::options::ReadOptions;
use super::progress::FileProgress;
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

    pub(super) fn next_row(&mut self, _: &ReadOptions) -> Result<Option<Row>> {
        match self.0 {}
    }
}

fn refusal(file: &InputFile) -> Error {
    let problem =
        "this build has no Parquet support: expected JSON lines, or a build with the feature `parquet`".to_owned();
    Error::Input { path: file.path.clone(), problem }
}
