//! Copies some of the rows of a Parquet file, and of some texts a part: same schema, same columns, same metadata, same compression of each column.
//!
//! Column by column, values with their levels, so that lists, maps and nulls come out as they went in, whatever they are of. A row group becomes a row
//! group, or none where no row of it stays. Pages are cut anew, statistics are computed anew.
//!
//! Memory: a batch of rows of one column, and the compressed pages of the row group that is being written.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::Type as PhysicalType;
use parquet::column::reader::ColumnReaderImpl;
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96Type,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use super::pages::CheckedPages;
use super::{Problem, catch, open};
use crate::corpus::input::InputFile;
use crate::corpus::rewrite::{GroupEdit, without};
use crate::error::{Error, Result};
use crate::memory::MemoryPlan;

/// Rows copied at once.
const BATCH_ROWS: usize = 1024;

/// Writes the rows of a file that stay. `edit` is given the number of rows of each row group in order, and returns what becomes of them.
///
/// # Errors
/// [`Error::Input`] where the file is damaged, [`Error::Argument`] for a page that is too long for the memory, [`Error::Io`] where it cannot be
/// written; what `edit` says.
pub(in crate::corpus) fn copy_rows<W: Write + Send>(
    file: &InputFile,
    memory: MemoryPlan,
    written: W,
    mut edit: impl FnMut(u64) -> Result<GroupEdit>,
) -> Result<W> {
    let (source, metadata, _) = open(&file.path)?;
    let source = Arc::new(source);
    let explain = |problem: Problem| match problem {
        Problem::Damaged(problem) => Error::Input { path: file.path.clone(), problem },
        Problem::TooLarge { what, n_bytes, bytes_max } => {
            memory.refuse(&format!("{what} of `{}`", file.path.display()), n_bytes, bytes_max)
        }
    };
    let start = || {
        let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
        let mut writer = SerializedFileWriter::new(Sink::new(written), schema, Arc::new(properties(&metadata)))?;
        for pair in metadata.file_metadata().key_value_metadata().into_iter().flatten() {
            writer.append_key_value_metadata(pair.clone());
        }
        Ok::<_, Problem>(writer)
    };
    let mut writer = catch(start).map_err(explain)?;
    for group in metadata.row_groups() {
        let edited = edit(u64::try_from(group.num_rows()).unwrap_or(0))?;
        if edited.stays.iter().any(|&stays| stays) {
            let copied = catch(|| Ok::<_, Problem>(copy_group(&source, group, memory, &edited, &mut writer)?));
            // What went wrong with the output is no fault of the input.
            writer.inner_mut().take_error(&file.path)?;
            copied.map_err(explain)?;
        }
    }
    let ended = catch(|| Ok::<_, Problem>(writer.into_inner()?));
    let mut sink = ended.map_err(explain)?;
    sink.take_error(&file.path)?;
    let flushed = sink.flush();
    flushed.map_err(|source| Error::Io { operation: "write the copy of", path: file.path.clone(), source })?;
    Ok(sink.file)
}

/// Returns how columns are compressed, as in the first row group.
fn properties(metadata: &ParquetMetaData) -> WriterProperties {
    let mut builder = WriterProperties::builder().set_created_by("copytrace".to_owned());
    for column in metadata.row_groups().first().map(RowGroupMetaData::columns).unwrap_or_default() {
        builder = builder.set_column_compression(column.column_path().clone(), column.compression());
    }
    builder.build()
}

fn copy_group<W: Write + Send>(
    source: &Arc<File>,
    group: &RowGroupMetaData,
    memory: MemoryPlan,
    edit: &GroupEdit,
    writer: &mut SerializedFileWriter<Sink<W>>,
) -> ParquetResult<()> {
    let mut group_writer = writer.next_row_group()?;
    let mut leaf_idx = 0;
    while let Some(mut column) = group_writer.next_column()? {
        let pages = CheckedPages::open(source, group, leaf_idx, memory.page_bytes_max())?;
        let physical = group.column(leaf_idx).column_type();
        let copy = match physical {
            PhysicalType::BOOLEAN => copy_unchanged::<BoolType>,
            PhysicalType::INT32 => copy_unchanged::<Int32Type>,
            PhysicalType::INT64 => copy_unchanged::<Int64Type>,
            PhysicalType::INT96 => copy_unchanged::<Int96Type>,
            PhysicalType::FLOAT => copy_unchanged::<FloatType>,
            PhysicalType::DOUBLE => copy_unchanged::<DoubleType>,
            PhysicalType::BYTE_ARRAY => copy_texts,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => copy_unchanged::<FixedLenByteArrayType>,
        };
        copy(group, leaf_idx, pages, edit, &mut column)?;
        column.close()?;
        leaf_idx += 1;
    }
    group_writer.close().map(drop)
}

/// Copies a column of values that are never changed.
fn copy_unchanged<T: DataType>(
    group: &RowGroupMetaData,
    leaf_idx: usize,
    pages: CheckedPages,
    edit: &GroupEdit,
    column: &mut SerializedColumnWriter<'_>,
) -> ParquetResult<()> {
    copy_column::<T>(group, leaf_idx, pages, &edit.stays, column, |_, value| value.clone())
}

/// Copies a column of texts or other bytes.
fn copy_texts(
    group: &RowGroupMetaData,
    leaf_idx: usize,
    pages: CheckedPages,
    edit: &GroupEdit,
    column: &mut SerializedColumnWriter<'_>,
) -> ParquetResult<()> {
    copy_column::<ByteArrayType>(group, leaf_idx, pages, &edit.stays, column, |row, value: &ByteArray| {
        match edit.cuts.get(&row) {
            Some((cut_leaf, cuts)) if *cut_leaf == leaf_idx => ByteArray::from(without(value.data(), cuts)),
            _ => value.clone(),
        }
    })
}

fn copy_column<T: DataType>(
    group: &RowGroupMetaData,
    leaf_idx: usize,
    pages: CheckedPages,
    mask: &[bool],
    column: &mut SerializedColumnWriter<'_>,
    edited: impl Fn(usize, &T::T) -> T::T,
) -> ParquetResult<()> {
    let leaf = group.column(leaf_idx).column_descr_ptr();
    let (max_def_level, max_rep_level) = (leaf.max_def_level(), leaf.max_rep_level());
    let mut reader = ColumnReaderImpl::<T>::new(leaf, Box::new(pages));
    let writer: &mut ColumnWriterImpl<'_, T> = column.typed::<T>();
    let (mut values, mut def_levels, mut rep_levels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kept_values, mut kept_defs, mut kept_reps) = (Vec::new(), Vec::new(), Vec::new());
    let mut next_row = 0;
    loop {
        values.clear();
        def_levels.clear();
        rep_levels.clear();
        let (n_rows, n_values, n_levels) =
            reader.read_records(BATCH_ROWS, Some(&mut def_levels), Some(&mut rep_levels), &mut values)?;
        if n_rows == 0 {
            break;
        }
        kept_values.clear();
        kept_defs.clear();
        kept_reps.clear();
        // A column that cannot be null nor repeat has no levels: one value a row.
        let n_levels = if max_def_level == 0 { n_values } else { n_levels };
        let mut value_idx = 0;
        let mut row = next_row;
        for level_idx in 0..n_levels {
            let rep_level = rep_levels.get(level_idx).copied().unwrap_or(0);
            if level_idx > 0 && rep_level == 0 {
                row += 1;
            }
            let def_level = def_levels.get(level_idx).copied().unwrap_or(0);
            let value = (def_level == max_def_level).then(|| values.get(value_idx)).flatten();
            value_idx += usize::from(def_level == max_def_level);
            if mask.get(row).copied().unwrap_or(false) {
                kept_values.extend(value.map(|value| edited(row, value)));
                kept_defs.push(def_level);
                kept_reps.push(rep_level);
            }
        }
        next_row += n_rows;
        let defs = (max_def_level > 0).then_some(&kept_defs[..]);
        let reps = (max_rep_level > 0).then_some(&kept_reps[..]);
        writer.write_batch(&kept_values, defs, reps)?;
    }
    if next_row == mask.len() {
        return Ok(());
    }
    let (found, expected) = (next_row, mask.len());
    Err(ParquetError::General(format!("a row group has {found} rows: expected {expected}, as the footer says")))
}

/// Where the copy goes; keeps the first error of writing, which the parquet crate would turn into a text.
struct Sink<W> {
    file: W,
    error: Option<std::io::Error>,
}

impl<W> Sink<W> {
    fn new(file: W) -> Self {
        Self { file, error: None }
    }

    fn take_error(&mut self, path: &std::path::Path) -> Result<()> {
        let fail = |source| Error::Io { operation: "write the copy of", path: path.to_path_buf(), source };
        self.error.take().map_or(Ok(()), |source| Err(fail(source)))
    }

    fn note<O>(&mut self, result: std::io::Result<O>) -> std::io::Result<O> {
        result.map_err(|error| {
            let told = std::io::Error::from(error.kind());
            self.error.get_or_insert(error);
            told
        })
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.file.flush();
        self.note(flushed)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{
        ArrayRef, BooleanArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
        StringArray, StructArray,
    };
    use arrow_schema::{DataType, Field};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::Compression;
    use parquet::file::metadata::{ColumnChunkMetaData, KeyValue};

    use super::*;
    use crate::corpus::input::discover;

    /// Rows of these numbers, with columns of every kind.
    fn batch(rows: &[usize]) -> RecordBatch {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for &row in rows {
            match row % 4 {
                0 => lists.append_null(),
                1 => lists.append(true),
                n => lists.append_value((0..n).map(|k| (k % 2 == 0).then(|| format!("item {row} {k}")))),
            }
        }
        let texts = || StringArray::from_iter_values(rows.iter().map(|row| format!("text of row {row}")));
        let sometimes = |every: usize| rows.iter().map(move |&row| (row % every > 0).then_some(row));
        let inner = Field::new("license", DataType::Utf8, true);
        let licenses: StringArray = sometimes(5).map(|row| row.map(|row| format!("licence {row}"))).collect();
        let nested = StructArray::from(vec![(Arc::new(inner), Arc::new(licenses) as ArrayRef)]);
        let bytes = FixedSizeBinaryArray::try_from_iter(rows.iter().map(|&row| [u8::try_from(row % 256).unwrap(); 3]));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("text", Arc::new(texts())),
            ("lists", Arc::new(lists.finish())),
            ("nested", Arc::new(nested)),
            ("flag", Arc::new(sometimes(3).map(|row| row.map(|row| row % 2 == 0)).collect::<BooleanArray>())),
            (
                "small",
                Arc::new(sometimes(7).map(|row| row.map(|row| i32::try_from(row).unwrap())).collect::<Int32Array>()),
            ),
            ("large", Arc::new(Int64Array::from_iter_values(rows.iter().map(|&row| i64::try_from(row).unwrap() - 50)))),
            (
                "single",
                Arc::new(Float32Array::from_iter_values(
                    rows.iter().map(|&row| f32::from(u16::try_from(row).unwrap())),
                )),
            ),
            ("double", Arc::new(sometimes(2).map(|row| row.map(|row| row as f64 / 3.0)).collect::<Float64Array>())),
            ("bytes", Arc::new(bytes.unwrap())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn written(rows: &[usize]) -> Vec<u8> {
        let batch = batch(rows);
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(70))
            .set_data_page_row_count_limit(20)
            .set_write_batch_size(10)
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![KeyValue::new("made".to_owned(), "by hand".to_owned())]));
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn read(bytes: Vec<u8>) -> (Vec<RecordBatch>, Vec<KeyValue>, Vec<Compression>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        fs_err::write(&path, bytes).unwrap();
        let opened = std::fs::File::open(path).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap().with_batch_size(10_000);
        let metadata = builder.metadata();
        let pairs = metadata.file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let groups = metadata.row_groups().iter();
        let codecs =
            groups.flat_map(|group| group.columns().iter().map(ColumnChunkMetaData::compression).collect::<Vec<_>>());
        let codecs = codecs.collect();
        (builder.build().unwrap().map(Result::unwrap).collect(), pairs, codecs)
    }

    fn copy(bytes: &[u8], stays: impl Fn(usize) -> bool, has_cuts: bool) -> Result<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        fs_err::write(&path, bytes).unwrap();
        let file = discover(&[path]).unwrap().files.remove(0);
        let mut start = 0;
        copy_rows(&file, MemoryPlan::default(), Vec::new(), |n_rows| {
            let n_rows = usize::try_from(n_rows).unwrap();
            start += n_rows;
            let stays: Vec<bool> = (start - n_rows..start).map(&stays).collect();
            // Of some texts that stay the fifth byte goes.
            let is_cut = |at: &usize| has_cuts && (start - n_rows + at).is_multiple_of(3);
            let cuts = (0..n_rows).filter(is_cut).map(|at| (at, (0, std::iter::once(4..5).collect()))).collect();
            Ok(GroupEdit { stays, cuts })
        })
    }

    #[test]
    fn rows_that_stay_come_out_as_they_went_in() {
        let all: Vec<usize> = (0..500).collect();
        let bytes = written(&all);
        for (name, stays) in [
            ("all", (|_| true) as fn(usize) -> bool),
            ("every third", |row| row % 3 == 0),
            ("one", |row| row == 137),
            ("none of the second group", |row| !(70..140).contains(&row)),
            ("the last", |row| row >= 490),
        ] {
            let kept: Vec<usize> = all.iter().copied().filter(|&row| stays(row)).collect();
            let (batches, pairs, codecs) = read(copy(&bytes, stays, false).unwrap());
            assert_eq!(batches, [batch(&kept)], "{name}");
            assert!(pairs.contains(&KeyValue::new("made".to_owned(), "by hand".to_owned())));
            assert!(codecs.iter().all(|codec| *codec == Compression::SNAPPY), "{codecs:?}");
        }
        assert_eq!(read(copy(&bytes, |_| false, false).unwrap()).0, Vec::<RecordBatch>::new());
    }

    #[test]
    fn texts_are_cut_and_nothing_else() {
        let all: Vec<usize> = (0..200).collect();
        let (batches, ..) = read(copy(&written(&all), |row| row % 2 == 0, true).unwrap());
        let kept: Vec<usize> = (0..200).step_by(2).collect();
        let expected = batch(&kept);
        assert_eq!(batches[0].columns()[1..], expected.columns()[1..]);
        let text = |row: &usize| format!("text{}of row {row}", if row.is_multiple_of(3) { "" } else { " " });
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(kept.iter().map(text)));
        assert_eq!(&batches[0].columns()[0], &texts);
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let bytes = written(&(0..200).collect::<Vec<_>>());
        for at in (10..bytes.len() - 700).step_by(501) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            // Whatever it says, it ends, and without a panic.
            let _ = copy(&damaged, |row| row % 2 == 0, true);
        }
    }
}
