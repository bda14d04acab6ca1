//! Writing rows the way they were read: same format, same compression, byte for byte where they did not change.
//!
//! A file that is zstd is written as one frame, because many readers stop after the first (python-zstandard unless told otherwise, and what is
//! built on it); several threads compress parts of that frame. Its bytes are the same for any number of threads. A file that is gzip becomes one member.
//!
//! Level 3 of zstd and 6 of gzip, the defaults of both tools: what level a file had is not written in it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use super::input::Compression;

/// Level of zstd.
const ZSTD_LEVEL: i32 = 3;
/// Level of gzip.
const GZIP_LEVEL: u32 = 6;

/// What becomes of the rows of a row group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupEdit {
    /// Of each row: whether it stays.
    pub stays: Vec<bool>,
    /// Of rows whose text is cut, by their number within the group: the column of the text, and the bytes that go, ascending.
    pub cuts: BTreeMap<usize, (usize, Vec<Range<usize>>)>,
}

/// Returns bytes without some ranges of them, which ascend and do not overlap; what lies behind the end is none.
pub fn without(bytes: &[u8], cuts: &[Range<usize>]) -> Vec<u8> {
    let mut left = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for cut in cuts {
        left.extend_from_slice(bytes.get(at..cut.start).unwrap_or_default());
        at = cut.end;
    }
    left.extend_from_slice(bytes.get(at..).unwrap_or_default());
    left
}

/// A file of JSON lines that is being written.
pub struct LineWriter<W: Write>(Encoder<W>);

enum Encoder<W: Write> {
    Plain(W),
    Gzip(Box<flate2::write::GzEncoder<W>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, W>>),
}

impl<W: Write> LineWriter<W> {
    /// Starts to write into an empty file; `threads` compress, at least one.
    pub fn new(file: W, compression: Compression, threads: usize) -> io::Result<Self> {
        Ok(Self(match compression {
            Compression::None => Encoder::Plain(file),
            // The header says neither when nor from what: the same rows give the same bytes.
            Compression::Gzip => {
                Encoder::Gzip(Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::new(GZIP_LEVEL))))
            }
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                // Never none: the frame of a single-threaded encoder differs.
                encoder.multithread(u32::try_from(threads.max(1)).unwrap_or(1))?;
                Encoder::Zstd(Box::new(encoder))
            }
        }))
    }

    /// Appends bytes of lines.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Encoder::Plain(file) => file.write_all(bytes),
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Ends the stream and returns the file, to be made durable.
    pub fn finish(self) -> io::Result<W> {
        let mut file = match self.0 {
            Encoder::Plain(file) => file,
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        file.flush()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn written(compression: Compression, threads: usize, bytes: &[u8]) -> Vec<u8> {
        let mut writer = LineWriter::new(Vec::new(), compression, threads).expect("starts");
        for piece in bytes.chunks(1 << 20) {
            writer.write(piece).expect("written");
        }
        writer.finish().expect("ends")
    }

    #[test]
    fn what_is_written_is_read_again_and_the_same_for_any_threads() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 40
        };
        let lines = (0..400_000).map(|n| format!("{{\"text\":\"row {n} {}\"}}\n", next())).collect::<Vec<_>>().concat();
        for bytes in [&b""[..], b"{}\n", lines.as_bytes()] {
            assert_eq!(written(Compression::None, 1, bytes), bytes);
            let mut back = Vec::new();
            let gzip = written(Compression::Gzip, 1, bytes);
            flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut back).expect("one member");
            assert_eq!(back, bytes);
            let zstd = written(Compression::Zstd, 1, bytes);
            let mut decoder = zstd::stream::read::Decoder::new(&zstd[..]).expect("starts").single_frame();
            back.clear();
            decoder.read_to_end(&mut back).expect("one frame");
            assert_eq!(back, bytes);
            for threads in [0, 2, 4] {
                assert!(written(Compression::Zstd, threads, bytes) == zstd, "{threads} threads");
            }
        }
    }
}
