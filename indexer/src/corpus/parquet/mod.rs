//! Parquet: each row a document; only the wanted columns are read, a small batch of rows at a time.
//!
//! A file is untrusted. Its footer is walked before it is decoded ([`footer`]) and its pages before they are
//! decompressed and decoded ([`pages`]), as the parquet crate allocates and recurses by numbers it finds there. What
//! that crate still answers with a panic (it asserts and indexes where a page contradicts itself) is caught and becomes
//! an error of the file; nothing of the file is used after that.
//!
//! Memory: the footer, and per column one page and its dictionary, usually 1 MiB each and at most their share of the
//! build's memory.

mod footer;
mod pages;
mod rewrite;
mod schema;
#[cfg(test)]
pub(super) mod tests;
mod thrift;

use std::borrow::Cow;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::cells::{Cell, Fraction, RowContext, assemble, assemble_without_language};
use super::columns::{Fit, LISTED_NAMES_MAX, Plan, Role};
use super::input::InputFile;
use super::lines::{ParsedRow, value_of};
use super::options::ReadOptions;
use super::progress::FileProgress;
use super::{Row, SkipReason, Skipped};
use crate::error::{Error, Result};
use crate::memory::MemoryPlan;
use pages::{CheckedPages, TooLarge};
pub(super) use rewrite::copy_rows;
use schema::{Column, Kind};

/// Rows that are decoded at once. A batch keeps alive the pages it was taken from, and with few rows those are few.
const BATCH_ROWS: usize = 64;

/// Finds out which columns a file has, by its footer.
///
/// # Errors
/// [`Error::MissingColumn`] where a column that is needed is not in the schema, [`Error::Input`] where one that the
/// caller named has a type that cannot fill its role, or the file is damaged.
pub(super) fn resolve(file: &InputFile, plan: &Plan) -> Result<Plan> {
    let (_, _, columns) = open(&file.path)?;
    let fit = |role, slot: usize| {
        let Some(column) = schema::find(&columns, &plan.names()[slot]) else { return Fit::Absent };
        let (fits, expected) = match (role, &column.kind) {
            (Role::Text, kind) => (*kind == Kind::Text, "text"),
            (Role::License, Kind::Texts) => (true, ""),
            (_, kind) => (
                !matches!(kind, Kind::Texts | Kind::Float | Kind::Double | Kind::Other(_)),
                "text or integers of 32 or 64 bits",
            ),
        };
        if fits {
            return Fit::Fits;
        }
        let found = match &column.kind {
            Kind::Text => "text",
            Kind::Int32 { .. } | Kind::Int64 { .. } => "integers",
            Kind::Float => "FLOAT values",
            Kind::Double => "DOUBLE values",
            Kind::Texts => "lists of texts",
            Kind::Other(what) => what,
        };
        Fit::Unfit(format!("{} column `{}` has {found}: expected {expected}", role.name(), column.name))
    };
    plan.resolve(&file.path, fit, || columns.iter().map(|column| column.name.clone()).take(LISTED_NAMES_MAX).collect())
}

/// The rows of one file.
pub(super) struct ParquetRows {
    path: PathBuf,
    name: String,
    file: Arc<File>,
    metadata: ParquetMetaData,
    plan: Plan,
    /// The columns of the plan, by slot.
    columns: Vec<Column>,
    /// Slots of the further columns.
    further_slots: Vec<usize>,
    n_groups_opened: usize,
    group: Option<Group>,
    row: u64,
    memory: MemoryPlan,
    progress: FileProgress,
}

/// The row group that is being read.
struct Group {
    columns: Vec<ColumnValues>,
    /// Rows it has by the footer.
    n_rows: u64,
    /// Rows of it that were decoded.
    n_decoded: u64,
    /// Rows of the current batch that were not taken yet.
    n_ready: usize,
}

impl ParquetRows {
    /// Opens a file; `plan` is what [`resolve`] returned for it.
    pub(super) fn open(file: &InputFile, plan: Plan, memory: MemoryPlan, progress: FileProgress) -> Result<Self> {
        Self::open_with(file, plan, &[], memory, progress)
    }

    /// Opens a file of which further columns are read too.
    pub(super) fn open_with(
        file: &InputFile,
        plan: Plan,
        further: &[String],
        memory: MemoryPlan,
        progress: FileProgress,
    ) -> Result<Self> {
        let (opened, metadata, known) = open(&file.path)?;
        let find = |name: &String| schema::find(&known, name).cloned();
        let mut names = plan.names().to_vec();
        let mut further_slots = Vec::new();
        for name in further {
            if find(name).is_none() {
                let available = known.iter().map(|column| column.name.clone()).take(LISTED_NAMES_MAX).collect();
                let (path, wanted) = (file.path.clone(), name.clone());
                return Err(Error::MissingColumn { path, role: "further", wanted, available });
            }
            // A column may be of a role too; it is read once all the same.
            further_slots.push(names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            }));
        }
        let columns: Option<Vec<Column>> = names.iter().map(find).collect();
        let columns = columns.ok_or_else(|| {
            input_error(&file.path)("the file changed while it was read: expected the columns it had before".to_owned())
        })?;
        Ok(Self {
            path: file.path.clone(),
            name: file.name.clone(),
            file: Arc::new(opened),
            metadata,
            plan,
            columns,
            further_slots,
            n_groups_opened: 0,
            group: None,
            row: 0,
            memory,
            progress,
        })
    }

    /// Returns the next row; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is damaged, [`Error::Argument`] for a page that is too long for the memory. There are no more rows
    /// then.
    pub(super) fn next_row(&mut self, options: &ReadOptions) -> Result<Option<Row>> {
        let assembled = self.next(options, |_, plan, cells, context| assemble(plan, cells, context))?;
        Ok(assembled.map(|row| match row {
            Ok(document) => Row::Document(document),
            Err(reason) => Row::Skipped(Skipped { path: self.path.clone(), row: self.row, reason }),
        }))
    }

    /// Returns the next row with the values of the further columns; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next_row`].
    pub(super) fn next_parsed(&mut self, options: &ReadOptions) -> Result<Option<Result<ParsedRow, SkipReason>>> {
        let parsed = self.next(options, |further_slots, plan, cells, context| {
            let values = further_slots.iter().map(|&slot| value_of(&cells[slot])).collect();
            let (document, text_column) = assemble_without_language(plan, cells, context)?;
            Ok(ParsedRow { document, values, text_column })
        })?;
        let in_file = |row: ParsedRow| ParsedRow { text_column: self.columns[row.text_column].leaf_idx, ..row };
        Ok(parsed.map(|row| row.map(in_file)))
    }

    fn next<T>(
        &mut self,
        options: &ReadOptions,
        make: impl FnOnce(&[usize], &Plan, &mut [Cell<'_>], RowContext<'_>) -> Result<T, SkipReason>,
    ) -> Result<Option<Result<T, SkipReason>>> {
        while self.group.as_ref().is_none_or(|group| group.n_ready == 0) {
            if !self.decode_batch()? && !self.open_group()? {
                return Ok(None);
            }
        }
        let Some(group) = &mut self.group else { return Ok(None) };
        group.n_ready -= 1;
        self.row += 1;
        let context = RowContext {
            file_name: &self.name,
            row: self.row,
            shard: options.shard.as_deref().unwrap_or_default(),
            document_bytes_max: options.document_bytes_max,
        };
        let mut cells: Vec<Cell<'_>> = group.columns.iter_mut().map(ColumnValues::next_cell).collect();
        Ok(Some(make(&self.further_slots, &self.plan, &mut cells, context)))
    }

    /// Opens the next row group; `false` after the last.
    fn open_group(&mut self) -> Result<bool> {
        let Some(metadata) = self.metadata.row_groups().get(self.n_groups_opened) else { return Ok(false) };
        let opened = catch(|| {
            let open_column = |column: &Column| {
                let pages = CheckedPages::open(&self.file, metadata, column.leaf_idx, self.memory.page_bytes_max())?;
                Ok(ColumnValues::new(column, metadata, pages))
            };
            let columns: parquet::errors::Result<_> = self.columns.iter().map(open_column).collect();
            let n_rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
            Ok(Group { columns: columns?, n_rows, n_decoded: 0, n_ready: 0 })
        });
        self.group = Some(opened.map_err(|problem| self.explain(problem))?);
        self.n_groups_opened += 1;
        Ok(true)
    }

    /// Decodes the next rows of the group; `false` at its end.
    fn decode_batch(&mut self) -> Result<bool> {
        let Some(group) = &mut self.group else { return Ok(false) };
        let decoded = catch(|| group.decode_batch());
        let n_rows = decoded.map_err(|problem| self.explain(problem))?;
        let n_rows_all = u128::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0).max(1);
        let done = u128::from(self.row) * u128::from(self.progress.file_bytes()) / n_rows_all;
        self.progress.set(u64::try_from(done).unwrap_or(u64::MAX));
        Ok(n_rows > 0)
    }

    fn explain(&self, problem: Problem) -> Error {
        let (path, row) = (self.path.display(), self.row);
        match problem {
            Problem::Damaged(problem) => input_error(&self.path)(format!("after row {row}: {problem}")),
            Problem::TooLarge { what, n_bytes, bytes_max } => {
                self.memory.refuse(&format!("{what} of `{path}` (after row {row})"), n_bytes, bytes_max)
            }
        }
    }
}

/// Why rows cannot be read.
enum Problem {
    /// The file is damaged.
    Damaged(String),
    /// The memory is too small.
    TooLarge { what: &'static str, n_bytes: usize, bytes_max: usize },
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Damaged(problem)
    }
}

impl From<ParquetError> for Problem {
    fn from(error: ParquetError) -> Self {
        let as_usize = |n_bytes: u64| usize::try_from(n_bytes).unwrap_or(usize::MAX);
        match TooLarge::of(&error) {
            Some(&TooLarge { what, n_bytes, bytes_max }) => {
                Self::TooLarge { what, n_bytes: as_usize(n_bytes), bytes_max: as_usize(bytes_max) }
            }
            None => Self::Damaged(error.to_string()),
        }
    }
}

impl Group {
    /// Decodes the next rows in place of those before, and returns how many they are.
    fn decode_batch(&mut self) -> Result<usize, Problem> {
        let mut n_rows = None;
        for column in &mut self.columns {
            let n = column.decode(BATCH_ROWS)?;
            if *n_rows.get_or_insert(n) != n {
                return Err("the columns of a row group have different numbers of rows".to_owned().into());
            }
        }
        self.n_ready = n_rows.unwrap_or(0);
        self.n_decoded += self.n_ready as u64;
        if self.n_decoded > self.n_rows || (self.n_ready == 0 && self.n_decoded < self.n_rows) {
            let (expected, found) = (self.n_rows, self.n_decoded);
            return Err(format!("a row group has {found} rows: expected {expected}, as the footer says").into());
        }
        Ok(self.n_ready)
    }
}

/// The values of one column of one row group.
struct ColumnValues {
    values: Values,
    max_def_level: i16,
    is_list: bool,
    /// One level per value or null of the batch: how deep it is defined.
    def_levels: Vec<i16>,
    /// One level per list item of the batch: 0 starts a row.
    rep_levels: Vec<i16>,
    level_idx: usize,
    value_idx: usize,
}

/// The values of a batch that are not null, and what reads the next ones.
enum Values {
    Text { reader: Box<ColumnReaderImpl<ByteArrayType>>, batch: Vec<ByteArray> },
    Int32 { reader: Box<ColumnReaderImpl<Int32Type>>, batch: Vec<i32>, is_signed: bool },
    Int64 { reader: Box<ColumnReaderImpl<Int64Type>>, batch: Vec<i64>, is_signed: bool },
    Float { reader: Box<ColumnReaderImpl<FloatType>>, batch: Vec<f32> },
    Double { reader: Box<ColumnReaderImpl<DoubleType>>, batch: Vec<f64> },
}

impl ColumnValues {
    fn new(column: &Column, group: &RowGroupMetaData, pages: CheckedPages) -> Self {
        let leaf = group.column(column.leaf_idx).column_descr_ptr();
        let max_def_level = leaf.max_def_level();
        let pages = Box::new(pages);
        let values = match column.kind {
            Kind::Int32 { is_signed } => {
                Values::Int32 { reader: Box::new(ColumnReaderImpl::new(leaf, pages)), batch: Vec::new(), is_signed }
            }
            Kind::Int64 { is_signed } => {
                Values::Int64 { reader: Box::new(ColumnReaderImpl::new(leaf, pages)), batch: Vec::new(), is_signed }
            }
            Kind::Float => Values::Float { reader: Box::new(ColumnReaderImpl::new(leaf, pages)), batch: Vec::new() },
            Kind::Double => Values::Double { reader: Box::new(ColumnReaderImpl::new(leaf, pages)), batch: Vec::new() },
            Kind::Text | Kind::Texts | Kind::Other(_) => {
                Values::Text { reader: Box::new(ColumnReaderImpl::new(leaf, pages)), batch: Vec::new() }
            }
        };
        Self {
            values,
            max_def_level,
            is_list: column.kind == Kind::Texts,
            def_levels: Vec::new(),
            rep_levels: Vec::new(),
            level_idx: 0,
            value_idx: 0,
        }
    }

    /// Decodes the values of the next rows in place of those before, and returns for how many rows there are some.
    fn decode(&mut self, n_rows: usize) -> parquet::errors::Result<usize> {
        self.def_levels.clear();
        self.rep_levels.clear();
        (self.level_idx, self.value_idx) = (0, 0);
        let (def_levels, rep_levels) = (Some(&mut self.def_levels), Some(&mut self.rep_levels));
        let (n_rows, ..) = match &mut self.values {
            Values::Text { reader, batch } => {
                batch.clear();
                reader.read_records(n_rows, def_levels, rep_levels, batch)
            }
            Values::Int32 { reader, batch, .. } => {
                batch.clear();
                reader.read_records(n_rows, def_levels, rep_levels, batch)
            }
            Values::Int64 { reader, batch, .. } => {
                batch.clear();
                reader.read_records(n_rows, def_levels, rep_levels, batch)
            }
            Values::Float { reader, batch } => {
                batch.clear();
                reader.read_records(n_rows, def_levels, rep_levels, batch)
            }
            Values::Double { reader, batch } => {
                batch.clear();
                reader.read_records(n_rows, def_levels, rep_levels, batch)
            }
        }?;
        Ok(n_rows)
    }

    /// Takes the value of the next row.
    fn next_cell(&mut self) -> Cell<'_> {
        if self.is_list {
            return self.next_list();
        }
        if !self.next_is_defined() {
            return Cell::Null;
        }
        let idx = self.value_idx - 1;
        match &self.values {
            Values::Text { batch, .. } => batch.get(idx).map_or(Cell::Null, text_cell),
            Values::Float { batch, .. } => {
                batch.get(idx).map_or(Cell::Null, |&value| Cell::Fraction(Fraction::new(value.into())))
            }
            Values::Double { batch, .. } => {
                batch.get(idx).map_or(Cell::Null, |&value| Cell::Fraction(Fraction::new(value)))
            }
            Values::Int32 { batch, is_signed, .. } => batch.get(idx).map_or(Cell::Null, |&value| {
                Cell::Integer(if *is_signed { value.to_string() } else { value.cast_unsigned().to_string() })
            }),
            Values::Int64 { batch, is_signed, .. } => batch.get(idx).map_or(Cell::Null, |&value| {
                Cell::Integer(if *is_signed { value.to_string() } else { value.cast_unsigned().to_string() })
            }),
        }
    }

    fn next_list(&mut self) -> Cell<'_> {
        let start = self.value_idx;
        self.next_is_defined();
        while self.rep_levels.get(self.level_idx).is_some_and(|&level| level > 0) {
            self.next_is_defined();
        }
        let Values::Text { batch, .. } = &self.values else { return Cell::Null };
        let mut items: Vec<Cow<'_, str>> = Vec::new();
        for value in batch.get(start..self.value_idx).unwrap_or_default() {
            match text_cell(value) {
                Cell::Text(item) => items.push(item),
                other => return other,
            }
        }
        Cell::List(items)
    }

    /// Moves on by one level, and by one value if it is not null.
    fn next_is_defined(&mut self) -> bool {
        // A column that cannot be null has no levels.
        let is_defined = self.max_def_level == 0 || self.def_levels.get(self.level_idx) == Some(&self.max_def_level);
        self.level_idx += 1;
        self.value_idx += usize::from(is_defined);
        is_defined
    }
}

fn text_cell(value: &ByteArray) -> Cell<'_> {
    match simdutf8::compat::from_utf8(value.data()) {
        Ok(text) => Cell::Text(Cow::Borrowed(text)),
        Err(error) => Cell::InvalidUtf8(error.valid_up_to() as u64),
    }
}

/// Opens a file, reads its footer and lists its columns.
fn open(path: &Path) -> Result<(File, ParquetMetaData, Vec<Column>)> {
    let (file, _) = fs_err::File::open(path).map_err(Error::io("open", path))?.into_parts();
    let file_bytes = file.metadata().map_err(Error::io("open", path))?.len();
    let read = || {
        let metadata = footer::read(&file, file_bytes)?;
        let columns = schema::columns(metadata.file_metadata().schema_descr());
        Ok((metadata, columns))
    };
    let (metadata, columns) = catch(read).map_err(input_error(path))?;
    Ok((file, metadata, columns))
}

fn input_error(path: &Path) -> impl FnOnce(String) -> Error {
    let path = path.to_path_buf();
    move |problem| Error::Input { path, problem }
}

/// Runs what decodes bytes of a file, and makes an error of a panic.
fn catch<T, E: From<String>>(decode: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    // The parquet crate (60.1) asserts and slices by what pages say: `DictDecoder::get` without a dictionary, lengths
    // beyond the page in `DeltaLengthByteArrayDecoder::get`, level encodings it calls unreachable. Unwind safe: the
    // reader gives the file up after an error, so that nothing left half-done by the panic is seen again.
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("the file contradicts itself: expected one that its writer closed".to_owned().into()))
}
