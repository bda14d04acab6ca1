//! Hands the pages of a column to the parquet crate after checking what that crate takes on trust.
//!
//! The crate allocates by numbers that a page states: its length when decompressed, the entries of a dictionary, the
//! lengths of delta-encoded texts. A forged page of a hundred bytes can state terabytes, and a failed allocation ends
//! the process. So every header is walked before the crate decompresses the page, and every page is looked at before
//! the crate decodes it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::thrift::{I32, STRUCT, Stop, Walk};

/// Something that can be read, but not with this memory.
#[derive(Debug, thiserror::Error)]
#[error("{what} has {n_bytes} bytes: expected at most {bytes_max}")]
pub(super) struct TooLarge {
    /// What it is.
    pub(super) what: &'static str,
    /// What it takes, in bytes.
    pub(super) n_bytes: u64,
    /// What it could take, in bytes.
    pub(super) bytes_max: u64,
}

impl TooLarge {
    /// Makes an error of the crate that [`of`](Self::of) finds again.
    fn error(what: &'static str, n_bytes: u64, bytes_max: u64) -> ParquetError {
        ParquetError::External(Box::new(Self { what, n_bytes, bytes_max }))
    }

    /// Returns what an error of the crate says is too large for the memory, if that is what it is about.
    pub(super) fn of(error: &ParquetError) -> Option<&Self> {
        match error {
            ParquetError::External(source) => source.downcast_ref(),
            _ => None,
        }
    }
}

/// Longest page, in bytes when decompressed, however much memory there is. Writers look at a page's size every 1,024
/// values, so that pages of books get this long.
const PAGE_BYTES_MAX: u64 = 1 << 30;

/// What a value of a dictionary takes once decoded, in bytes.
const DICTIONARY_VALUE_BYTES: u64 = 32;

/// Longest page header, in bytes. Some writers put the smallest and the largest text of the page there.
const HEADER_BYTES_MAX: usize = 16 << 20;

/// First guess of a header's length, in bytes: enough where there are no long texts in it.
const HEADER_BYTES: usize = 256;

/// Most entries of a dictionary: 32 bytes each once decoded. Writers stop at a dictionary of 1 MiB or so.
const DICTIONARY_VALUES_MAX: u32 = 1 << 24;

/// Most values in a delta-encoded page: 4 to 8 bytes each are held beside the page.
const DELTA_VALUES_MAX: u32 = 1 << 24;

/// Longest page in which texts are stored as differences to the one before, in bytes. Every text can repeat all of the
/// one before it, so that a batch can take this times [`super::BATCH_ROWS`].
const DELTA_TEXT_PAGE_BYTES_MAX: usize = 16 << 20;

/// Most list items in one row group: a forged row can claim them all, at 36 bytes each.
const LIST_VALUES_MAX: u64 = 1 << 24;

/// The gzip codec decompresses whatever comes, up to 1,032 times the input. Longer pages are first inflated into
/// nothing.
const GZIP_BYTES_UNCHECKED: u64 = 1 << 20;

/// The old LZ4 codec does so too, up to 255 times the input.
const LZ4_BYTES_MAX: u64 = PAGE_BYTES_MAX / 255;

/// Least bytes of a dictionary's entry, but for fixed lengths below: a text has its length before it.
const ENTRY_BYTES_MIN: usize = 4;

/// The pages of one column of one row group.
pub(super) struct CheckedPages {
    /// Least bytes of an entry of a dictionary.
    entry_bytes_min: usize,
    pages: SerializedPageReader<File>,
    file: Arc<File>,
    compression: Compression,
    max_rep_level: i16,
    max_def_level: i16,
    /// Where the next page's header stands.
    offset: u64,
    /// Longest page, in bytes when decompressed: [`PAGE_BYTES_MAX`], or less where there is less memory.
    page_bytes_max: u64,
    /// Bytes of the column from there on.
    bytes_left: u64,
    n_list_values: u64,
}

/// What a page's header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    own_bytes: u64,
    stored_bytes: u64,
    page_bytes: u64,
    /// Bytes of levels before the compressed part.
    level_bytes: u64,
    is_index: bool,
}

impl CheckedPages {
    /// Opens a column of a row group.
    pub(super) fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        leaf_idx: usize,
        page_bytes_max: u64,
    ) -> Result<Self> {
        let column = group.columns().get(leaf_idx).ok_or_else(|| error("a row group lacks a column"))?;
        let (offset, bytes_left) = byte_range(column, file.metadata()?.len())?;
        let n_rows = usize::try_from(group.num_rows())?;
        Ok(Self {
            pages: SerializedPageReader::new(Arc::clone(file), column, n_rows, None)?,
            file: Arc::clone(file),
            compression: column.compression(),
            entry_bytes_min: match column.column_type() {
                Type::FIXED_LEN_BYTE_ARRAY => {
                    usize::try_from(column.column_descr().type_length()).unwrap_or(1).clamp(1, ENTRY_BYTES_MIN)
                }
                _ => ENTRY_BYTES_MIN,
            },
            max_rep_level: column.column_descr().max_rep_level(),
            max_def_level: column.column_descr().max_def_level(),
            offset,
            page_bytes_max: page_bytes_max.min(PAGE_BYTES_MAX),
            bytes_left,
            n_list_values: 0,
        })
    }

    /// Checks the headers up to and including that of the next page that holds values.
    fn check_next(&mut self) -> Result<()> {
        while self.bytes_left > 0 {
            let header = self.read_header()?;
            let length = header.own_bytes + header.stored_bytes;
            if length > self.bytes_left {
                return Err(error("a page is longer than its column"));
            }
            let n_bytes = header.page_bytes.max(header.stored_bytes);
            if n_bytes > PAGE_BYTES_MAX {
                return Err(ParquetError::General(format!(
                    "a page has {n_bytes} bytes: expected at most {PAGE_BYTES_MAX}"
                )));
            }
            if n_bytes > self.page_bytes_max {
                return Err(TooLarge::error("a page", n_bytes, self.page_bytes_max));
            }
            self.check_compressed(&header)?;
            self.offset += length;
            self.bytes_left -= length;
            if !header.is_index {
                break;
            }
        }
        Ok(())
    }

    fn read_header(&self) -> Result<Header> {
        let mut n = HEADER_BYTES;
        loop {
            let most = usize::try_from(self.bytes_left).unwrap_or(usize::MAX).min(HEADER_BYTES_MAX);
            n = n.min(most);
            match parse_header(&self.read_at(self.offset, n)?) {
                Ok(header) => return Ok(header),
                Err(Stop::Truncated) if n < most => n *= 8,
                Err(_) => return Err(error("a page header is damaged")),
            }
        }
    }

    /// Checks pages of codecs that do not keep to the length in the header.
    fn check_compressed(&self, header: &Header) -> Result<()> {
        match self.compression {
            Compression::GZIP(_) if header.stored_bytes > GZIP_BYTES_UNCHECKED => {
                let start = self.offset + header.own_bytes + header.level_bytes;
                let stored_bytes = header.stored_bytes.saturating_sub(header.level_bytes);
                let stored = self.read_at(start, usize::try_from(stored_bytes)?)?;
                let mut inflated = flate2::read::MultiGzDecoder::new(&stored[..]).take(header.page_bytes + 1);
                // A stream that is broken instead of too long is the crate's to report.
                if std::io::copy(&mut inflated, &mut std::io::sink()).is_ok_and(|n| n > header.page_bytes) {
                    return Err(error("a page is longer than its header says"));
                }
                Ok(())
            }
            Compression::LZ4 if header.stored_bytes > LZ4_BYTES_MAX => {
                Err(error("a page of the old LZ4 codec is too long: expected LZ4_RAW or another codec"))
            }
            _ => Ok(()),
        }
    }

    fn read_at(&self, offset: u64, n: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; n];
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Checks what a page states about its values.
    fn check_page(&mut self, page: &Page) -> Result<()> {
        let n_values = page.num_values();
        let (buffer, encoding) = (page.buffer(), page.encoding());
        if page.is_dictionary_page() {
            let fits = n_values <= DICTIONARY_VALUES_MAX && n_values as usize <= buffer.len() / self.entry_bytes_min;
            if !fits {
                return Err(error("a dictionary has more entries than bytes"));
            }
            let decoded_bytes = u64::from(n_values) * DICTIONARY_VALUE_BYTES;
            if decoded_bytes > self.page_bytes_max {
                return Err(TooLarge::error("a decoded dictionary", decoded_bytes, self.page_bytes_max));
            }
            return Ok(());
        }
        if self.max_rep_level > 0 {
            self.n_list_values += u64::from(n_values);
            if self.n_list_values > LIST_VALUES_MAX {
                let problem =
                    format!("a row group has more than {LIST_VALUES_MAX} list items: expected smaller row groups");
                return Err(ParquetError::General(problem));
            }
        }
        if !matches!(encoding, Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY) {
            return Ok(());
        }
        let values = self.skip_levels(page).ok_or_else(|| error("the levels of a page are damaged"))?;
        let fits = |lengths: &[u8]| delta_end(lengths, n_values.min(DELTA_VALUES_MAX));
        let end = fits(values).ok_or_else(|| error("the lengths of a page's texts are damaged, or too many"))?;
        if encoding == Encoding::DELTA_BYTE_ARRAY {
            let suffixes = values.get(end..).and_then(fits);
            if buffer.len() > DELTA_TEXT_PAGE_BYTES_MAX || suffixes.is_none() {
                return Err(error("a page of delta-encoded texts is damaged or too long"));
            }
        }
        Ok(())
    }

    /// Returns the values of a page, which stand behind its repetition and definition levels.
    fn skip_levels<'p>(&self, page: &'p Page) -> Option<&'p [u8]> {
        match page {
            Page::DataPage { buf, rep_level_encoding, def_level_encoding, .. } => {
                let mut rest: &[u8] = buf;
                let levels = [(self.max_rep_level, rep_level_encoding), (self.max_def_level, def_level_encoding)];
                for (_, encoding) in levels.into_iter().filter(|&(max_level, _)| max_level > 0) {
                    let (length, levels) = rest.split_first_chunk::<4>()?;
                    // The other encoding of levels is older than delta encoding: no writer combines them.
                    let is_rle = *encoding == Encoding::RLE;
                    rest = is_rle.then(|| levels.get(u32::from_le_bytes(*length) as usize..)).flatten()?;
                }
                Some(rest)
            }
            Page::DataPageV2 { buf, rep_levels_byte_len, def_levels_byte_len, .. } => {
                buf.get(rep_levels_byte_len.checked_add(*def_levels_byte_len)? as usize..)
            }
            Page::DictionaryPage { .. } => None,
        }
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.check_next()?;
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            self.check_page(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        // Reads the header alone, which allocates nothing.
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(drop)
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Returns where a column's pages stand, as offset and length in bytes.
fn byte_range(column: &ColumnChunkMetaData, file_bytes: u64) -> Result<(u64, u64)> {
    let offset = u64::try_from(column.dictionary_page_offset().unwrap_or(column.data_page_offset()))?;
    let length = u64::try_from(column.compressed_size())?;
    match offset.checked_add(length) {
        Some(end) if end <= file_bytes => Ok((offset, length)),
        _ => Err(error("a column lies beyond the end of the file")),
    }
}

/// Walks a page's header.
fn parse_header(bytes: &[u8]) -> Result<Header, Stop> {
    let mut walk = Walk::new(bytes);
    let mut header = Header::default();
    let mut last_id = 0;
    let bytes_of = |value: i64| u64::try_from(value).map_err(|_| Stop::Malformed);
    while let Some((id, value)) = walk.field(&mut last_id)? {
        match (id, value) {
            (1, I32) => header.is_index = walk.zigzag()? == 1,
            (2, I32) => header.page_bytes = bytes_of(walk.zigzag()?)?,
            (3, I32) => header.stored_bytes = bytes_of(walk.zigzag()?)?,
            (8, STRUCT) => {
                let mut last_id = 0;
                while let Some((id, value)) = walk.field(&mut last_id)? {
                    match (id, value) {
                        (5 | 6, I32) => header.level_bytes += bytes_of(walk.zigzag()?)?,
                        _ => walk.skip(value)?,
                    }
                }
            }
            _ => walk.skip(value)?,
        }
    }
    header.own_bytes = walk.position() as u64;
    Ok(header)
}

/// Returns where a block of delta-encoded integers ends, if it has at most `n_max` of them.
///
/// Source: Apache Parquet, `Encodings.md`, "Delta Encoding (DELTA_BINARY_PACKED = 5)".
fn delta_end(bytes: &[u8], n_max: u32) -> Option<usize> {
    let mut position = 0;
    let varint = |position: &mut usize| {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.get(*position)?;
            *position += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return usize::try_from(value).ok();
            }
        }
        None
    };
    let block_values = varint(&mut position)?;
    let n_mini_blocks = varint(&mut position)?;
    let n_values = varint(&mut position)?;
    varint(&mut position)?;
    let mini_values = block_values.checked_div(n_mini_blocks)?;
    if n_values > n_max as usize || mini_values == 0 || !mini_values.is_multiple_of(32) {
        return None;
    }
    // The first value stands in the header.
    let mut n_left = n_values.saturating_sub(1);
    while n_left > 0 {
        varint(&mut position)?;
        let widths = bytes.get(position..position.checked_add(n_mini_blocks)?)?;
        position += n_mini_blocks;
        for &width in widths {
            if n_left > 0 {
                position = position.checked_add(mini_values.checked_mul(usize::from(width))? / 8)?;
                n_left = n_left.saturating_sub(mini_values);
            }
        }
    }
    (position <= bytes.len()).then_some(position)
}

fn error(problem: &str) -> ParquetError {
    ParquetError::General(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_walked() {
        // type DATA_PAGE_V2, 1000 and 500 bytes, header of version 2 with levels of 3 and 4 bytes.
        let bytes = [
            0x15, 6, 0x15, 0xd0, 0x0f, 0x15, 0xe8, 0x07, 0x5c, 0x15, 2, 0x15, 0, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 8, 0,
            0,
        ];
        let expected = Header {
            own_bytes: bytes.len() as u64,
            stored_bytes: 500,
            page_bytes: 1000,
            level_bytes: 7,
            is_index: false,
        };
        assert_eq!(parse_header(&bytes), Ok(expected));
        for cut in 0..bytes.len() {
            assert_eq!(parse_header(&bytes[..cut]), Err(Stop::Truncated), "cut to {cut}");
        }
        assert_eq!(parse_header(&[0x25, 1, 0]), Err(Stop::Malformed), "a negative length");
    }

    #[test]
    fn delta_blocks_end_where_their_widths_say() {
        // 128 values a block, 4 mini blocks.
        for (bytes, n_max, expected) in [
            (&[0x80, 1, 4, 0, 0][..], 10, Some(5)),
            (&[0x80, 1, 4, 1, 0], 10, Some(5)),
            (&[0x80, 1, 4, 3, 0, 0, 0, 0, 0, 0], 10, Some(10)),
            (&[0x80, 1, 4, 3, 0, 0, 1, 9, 9, 9, 1, 2, 3, 4, 5], 10, Some(14)),
            (&[0x80, 1, 4, 3, 0, 0, 1, 9, 9, 9, 1, 2, 3], 10, None),
            (&[0x80, 1, 4, 11, 0], 10, None),
            (&[0x80, 1, 0, 1, 0], 10, None),
            (&[0, 4, 1, 0], 10, None),
            (&[0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], u32::MAX, None),
            (&[], 10, None),
        ] {
            assert_eq!(delta_end(bytes, n_max), expected, "{bytes:?}");
        }
    }
}
