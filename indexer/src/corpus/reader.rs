//! All rows of all files, one after the other.

use super::columns::{ColumnOptions, Mapping, Plan};
use super::input::{Format, InputFile};
use super::jsonl::{self, JsonLines};
use super::options::ReadOptions;
use super::progress::ProgressHandle;
use super::tree::TreeReader;
use super::{Row, parquet};
use crate::error::Result;
use crate::memory::MemoryPlan;

/// A mapping and the first file that is read by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMapping {
    /// Name of the file.
    pub file_name: String,
    /// Which columns are read, and what for.
    pub mapping: Mapping,
}

/// Reads the rows of files one after the other: in (input name, row) order for files that [`super::input::discover`]
/// listed.
///
/// After an error the iterator goes on with the next file: rows of the damaged file that were readable have been
/// yielded. It ends after the last file. Everything is read by the calling thread, with a bounded amount of memory per
/// file.
pub struct Reader {
    files: std::vec::IntoIter<InputFile>,
    options: ReadOptions,
    plan: Plan,
    current: Option<OpenFile>,
    tree: TreeReader,
    mappings: Vec<FileMapping>,
    progress: ProgressHandle,
    /// Bytes of the files that are done.
    bytes_done: u64,
}

/// The file that is being read.
struct OpenFile {
    file: InputFile,
    rows: Rows,
}

enum Rows {
    JsonLines(Box<JsonLines>),
    Parquet(Box<parquet::ParquetRows>),
    /// A file that is one document, and was not read yet.
    Plain,
    End,
}

impl Reader {
    /// Makes a reader; no file is opened yet.
    pub fn new(files: Vec<InputFile>, options: ReadOptions) -> Self {
        let input_bytes = files.iter().map(|file| file.file_bytes).sum();
        Self {
            progress: ProgressHandle::new(files.len() as u64, input_bytes),
            plan: Plan::new(&options.columns),
            files: files.into_iter(),
            options,
            current: None,
            tree: TreeReader::default(),
            mappings: Vec::new(),
            bytes_done: 0,
        }
    }

    /// Returns a handle on the progress, which other threads can watch.
    pub fn progress(&self) -> ProgressHandle {
        self.progress.clone()
    }

    /// Returns the mappings that were used so far, each with the first file it was used for.
    pub fn mappings(&self) -> &[FileMapping] {
        &self.mappings
    }

    /// Opens a file and notes its mapping.
    fn open(&mut self, file: &InputFile) -> Result<Rows> {
        let Some(plan) = resolve(file, &self.plan, self.options.memory)? else { return Ok(Rows::Plain) };
        let mapping = plan.mapping();
        if !self.mappings.iter().any(|known| known.mapping == mapping) {
            self.mappings.push(FileMapping { file_name: file.name.clone(), mapping });
        }
        let progress = self.progress.start_file(self.bytes_done, file.file_bytes);
        match file.format {
            Format::JsonLines(compression) => JsonLines::open(file, compression, plan, self.options.memory, progress)
                .map(Box::new)
                .map(Rows::JsonLines),
            Format::Parquet => {
                parquet::ParquetRows::open(file, plan, self.options.memory, progress).map(Box::new).map(Rows::Parquet)
            }
            Format::Plain => Ok(Rows::Plain),
        }
    }

    fn next_row(&mut self, current: &mut OpenFile) -> Result<Option<Row>> {
        match &mut current.rows {
            Rows::JsonLines(rows) => rows.next_row(&self.options),
            Rows::Parquet(rows) => rows.next_row(&self.options),
            Rows::Plain => {
                current.rows = Rows::End;
                self.tree.read(&current.file, &self.options).map(Some)
            }
            Rows::End => Ok(None),
        }
    }

    fn finish(&mut self, file: &InputFile) {
        self.bytes_done += file.file_bytes;
        self.progress.finish_file(self.bytes_done);
    }
}

impl Iterator for Reader {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut current = if let Some(current) = self.current.take() {
                current
            } else {
                let file = self.files.next()?;
                match self.open(&file) {
                    Ok(rows) => OpenFile { file, rows },
                    Err(error) => {
                        self.finish(&file);
                        return Some(Err(error));
                    }
                }
            };
            match self.next_row(&mut current) {
                Ok(Some(row)) => {
                    self.current = Some(current);
                    return Some(Ok(row));
                }
                Ok(None) => self.finish(&current.file),
                Err(error) => {
                    self.finish(&current.file);
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Tells which columns of a file would be read, and what for; `None` for a file that is one document.
///
/// Cost: reads the first 100 rows of JSON lines, the footer of Parquet.
///
/// # Errors
/// As reading the file: [`crate::Error::MissingColumn`], [`crate::Error::Input`], [`crate::Error::Io`].
pub fn resolve_mapping(file: &InputFile, columns: &ColumnOptions) -> Result<Option<Mapping>> {
    Ok(resolve(file, &Plan::new(columns), MemoryPlan::default())?.map(|plan| plan.mapping()))
}

fn resolve(file: &InputFile, plan: &Plan, memory: MemoryPlan) -> Result<Option<Plan>> {
    match file.format {
        Format::JsonLines(compression) => jsonl::resolve(file, compression, plan, memory).map(Some),
        Format::Parquet => parquet::resolve(file, plan).map(Some),
        Format::Plain => Ok(None),
    }
}
