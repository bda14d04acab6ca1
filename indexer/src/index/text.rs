//! The stored text of a segment: what every answer is verified on.
//!
//! ```text
//! zstd frame per 16 KiB of text ... | a record of 16 B for each frame, and for the end | footer 24 B
//! record: offset of the frame | line ends in all text before it
//! ```
//!
//! Documents follow each other without a gap; every frame but the last holds exactly [`FRAME_TEXT_BYTES`], so that a position finds its
//! frame by a shift. 16 KiB: a hit decompresses 10 us worth of text, and a frame compresses within 6 % of what 64 KiB would
//! (docs/algorithms.md).

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::block_file::{BlockFile, BlockFileWriter, Component, Seal};
use super::storage::Storage;
use crate::error::{Error, Result};

/// Bytes of text in one zstd frame.
pub const FRAME_TEXT_BYTES: usize = 16 << 10;

/// zstd level: 1 costs 3 ns a byte, as much as all fingerprints together; higher levels save 5 % and double that.
const ZSTD_LEVEL: i32 = 1;

/// Frames that are compressed in parallel: 2 MiB of text.
const BATCH_FRAMES: usize = 128;

/// Frames that one thread compresses one after the other, with one compressor and one buffer.
const GROUP_FRAMES: usize = 16;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Frame {
    offset: U64,
    newlines_before: U64,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Footer {
    text_bytes: U64,
    n_frames: U64,
    frames_offset: U64,
}

/// Writes texts, one after the other.
pub struct TextWriter {
    file: BlockFileWriter,
    pending: Vec<u8>,
    frames: Vec<Frame>,
    text_bytes: u64,
    newlines: u64,
}

impl TextWriter {
    /// Creates the file.
    pub fn create(storage: &dyn Storage, path: &Path) -> Result<Self> {
        let file = BlockFileWriter::create(storage, path, Component::Text)?;
        Ok(Self { file, pending: Vec::new(), frames: Vec::new(), text_bytes: 0, newlines: 0 })
    }

    /// Returns the position at which the next text will start.
    pub fn position(&self) -> u64 {
        self.text_bytes
    }

    /// Appends a text. Compression runs on the rayon pool of the caller.
    pub fn add(&mut self, text: &str) -> Result<()> {
        // A long text is not held a second time as a whole.
        for part in text.as_bytes().chunks(BATCH_FRAMES * FRAME_TEXT_BYTES) {
            self.pending.extend_from_slice(part);
            self.text_bytes += part.len() as u64;
            if self.pending.len() >= BATCH_FRAMES * FRAME_TEXT_BYTES {
                self.compress(self.pending.len() / FRAME_TEXT_BYTES * FRAME_TEXT_BYTES)?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<Seal> {
        self.compress(self.pending.len())?;
        let frames_offset = self.file.position();
        let n_frames = self.frames.len() as u64;
        self.frames.push(Frame { offset: U64::new(frames_offset), newlines_before: U64::new(self.newlines) });
        self.file.write(self.frames.as_bytes())?;
        let footer = Footer {
            text_bytes: U64::new(self.text_bytes),
            n_frames: U64::new(n_frames),
            frames_offset: U64::new(frames_offset),
        };
        self.file.write(footer.as_bytes())?;
        self.file.finish()
    }

    fn compress(&mut self, ready_bytes: usize) -> Result<()> {
        let groups: Vec<Result<Compressed>> =
            self.pending[..ready_bytes].par_chunks(GROUP_FRAMES * FRAME_TEXT_BYTES).map(compress_group).collect();
        for group in groups {
            let Compressed { bytes, frames } = group?;
            let start = self.file.position();
            for (offset, newlines) in frames {
                self.frames
                    .push(Frame { offset: U64::new(start + offset as u64), newlines_before: U64::new(self.newlines) });
                self.newlines += newlines;
            }
            self.file.write(&bytes)?;
        }
        self.pending.drain(..ready_bytes);
        Ok(())
    }
}

/// Frames behind each other, and for each its offset and the line ends in its text.
struct Compressed {
    bytes: Vec<u8>,
    frames: Vec<(usize, u64)>,
}

fn compress_group(text: &[u8]) -> Result<Compressed> {
    let fail = |error: std::io::Error| Error::Internal { component: "zstd", problem: error.to_string() };
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(fail)?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut frame = Vec::with_capacity(zstd::zstd_safe::compress_bound(FRAME_TEXT_BYTES));
    let mut frames = Vec::with_capacity(GROUP_FRAMES);
    for chunk in text.chunks(FRAME_TEXT_BYTES) {
        frames.push((bytes.len(), count_newlines(chunk)));
        frame.clear();
        compressor.compress_to_buffer(chunk, &mut frame).map_err(fail)?;
        bytes.extend_from_slice(&frame);
    }
    Ok(Compressed { bytes, frames })
}

/// The text that is read; cheap to clone.
#[derive(Debug, Clone)]
pub struct Text {
    file: BlockFile,
    /// Unique in this process.
    id: u64,
    n_bytes: u64,
    n_frames: usize,
    frames_offset: usize,
}

impl Text {
    /// Opens the text of a segment, `text_bytes` long.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file says otherwise.
    pub fn open(file: BlockFile, text_bytes: u64) -> Result<Self> {
        let Some(footer_offset) = file.payload_bytes().checked_sub(size_of::<Footer>()) else {
            return Err(file.corrupt("footer", 0, size_of::<Footer>(), file.payload_bytes()));
        };
        let footer: &Footer = file.record(footer_offset)?;
        let as_usize = |value: U64| usize::try_from(value.get()).unwrap_or(usize::MAX);
        let (n_frames, frames_offset) = (as_usize(footer.n_frames), as_usize(footer.frames_offset));
        if footer.text_bytes.get() != text_bytes {
            return Err(file.corrupt("text length in bytes", footer_offset, text_bytes, footer.text_bytes.get()));
        }
        let frames_end = n_frames.checked_add(1).and_then(|n| n.checked_mul(size_of::<Frame>()));
        let frames_end = frames_end.and_then(|bytes| bytes.checked_add(frames_offset));
        let frames_expected = text_bytes.div_ceil(FRAME_TEXT_BYTES as u64);
        if n_frames as u64 != frames_expected || frames_end != Some(footer_offset) {
            return Err(file.corrupt("number of frames", footer_offset, frames_expected, n_frames));
        }
        file.ensure_whole()?;
        let id = LAST_TEXT_ID.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self { file, id, n_bytes: text_bytes, n_frames, frames_offset })
    }

    /// Returns the file, to verify it or to show its size.
    pub fn file(&self) -> &BlockFile {
        &self.file
    }

    /// Replaces `bytes` by a range of the text.
    ///
    /// Cost: decompresses every frame that the range touches and this thread did not use lately, 10 us each.
    pub fn read(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        if range.start > range.end || range.end > self.n_bytes {
            let found = format!("{range:?}");
            return Err(self.file.corrupt("text range", 0, format!("within {}", self.n_bytes), found));
        }
        if range.is_empty() {
            return Ok(());
        }
        let frame_bytes = FRAME_TEXT_BYTES as u64;
        for frame in range.start / frame_bytes..=(range.end - 1) / frame_bytes {
            let frame_start = frame * frame_bytes;
            let within = |position: u64| {
                usize::try_from(position.clamp(frame_start, frame_start + frame_bytes) - frame_start)
                    .unwrap_or(FRAME_TEXT_BYTES)
            };
            let wanted = within(range.start)..within(range.end);
            // Every frame but the last is whole, and the range ends with the text at the latest.
            self.with_frame(usize::try_from(frame).unwrap_or(usize::MAX), |text| {
                bytes.extend_from_slice(&text[wanted]);
            })?;
        }
        Ok(())
    }

    /// Counts the line ends in all text before a position.
    ///
    /// Cost: as reading one byte, and 1 us.
    pub fn newlines_before(&self, position: u64) -> Result<u64> {
        let frame = position / FRAME_TEXT_BYTES as u64;
        let frame_start = frame * FRAME_TEXT_BYTES as u64;
        let offset = usize::try_from(frame).unwrap_or(usize::MAX).saturating_mul(size_of::<Frame>());
        let record: &Frame = self.file.record(self.frames_offset.saturating_add(offset))?;
        let newlines_before = record.newlines_before.get();
        self.file.ensure_whole()?;
        let within = usize::try_from(position - frame_start).unwrap_or(usize::MAX);
        if within == 0 {
            return Ok(newlines_before);
        }
        let frame = usize::try_from(frame).unwrap_or(usize::MAX);
        let in_frame = self.with_frame(frame, |text| text.get(..within).map(count_newlines))?;
        let Some(in_frame) = in_frame else {
            return Err(self.file.corrupt("text position", 0, format!("within {}", self.n_bytes), position));
        };
        Ok(newlines_before.saturating_add(in_frame))
    }

    /// Checks every block and decompresses every frame.
    pub fn verify(&self) -> Result<()> {
        self.file.verify()?;
        (0..self.n_frames).try_for_each(|frame| self.with_frame(frame, |_| ()))
    }

    fn frame_range(&self, frame: usize) -> Result<Range<usize>> {
        let offset = self.frames_offset + frame * size_of::<Frame>();
        let ends: &[Frame] = self.file.records(offset, 2)?;
        let end = |value: U64| usize::try_from(value.get()).unwrap_or(usize::MAX);
        let range = end(ends[0].offset)..end(ends[1].offset);
        if range.start > range.end || range.end > self.frames_offset {
            return Err(self.file.corrupt("offset of a frame", offset, self.frames_offset, format!("{range:?}")));
        }
        Ok(range)
    }

    /// Calls `with` with the text of one frame: a recent one that this thread still has, or one just decompressed.
    fn with_frame<T>(&self, frame: usize, with: impl FnOnce(&[u8]) -> T) -> Result<T> {
        WORKING.with_borrow_mut(|working| {
            let known = working.recent.iter().position(|recent| recent.text_id == self.id && recent.frame == frame);
            let slot = match known {
                Some(slot) => slot,
                None => self.decompress(frame, working)?,
            };
            Ok(with(&working.recent[slot].text))
        })
    }

    /// Decompresses a frame into the slot that was filled longest ago, and returns the slot.
    fn decompress(&self, frame: usize, working: &mut Working) -> Result<usize> {
        let range = self.frame_range(frame)?;
        let start = (frame as u64) * FRAME_TEXT_BYTES as u64;
        let expected = usize::try_from((self.n_bytes - start).min(FRAME_TEXT_BYTES as u64)).unwrap_or(FRAME_TEXT_BYTES);
        // A frame has several pages: one request for all of them, where they are not in memory.
        self.file.prefetch(range.clone());
        let compressed = self.file.slice(range.clone())?;
        if working.recent.len() < FRAMES_CACHED {
            working.next = working.recent.len();
            working.recent.push(Recent::default());
        }
        let slot = working.next;
        working.next = (slot + 1) % FRAMES_CACHED;
        let recent = &mut working.recent[slot];
        // Until the frame is whole the slot belongs to no text.
        recent.text_id = 0;
        recent.text.resize(expected, 0);
        let written = match &mut working.decompressor {
            Ok(decompressor) => decompressor.decompress_to_buffer(compressed, &mut recent.text[..]),
            Err(error) => Err(error.kind().into()),
        };
        self.file.ensure_whole()?;
        match written {
            Ok(written) if written == expected => {}
            Ok(written) => return Err(self.file.corrupt("text of a frame", range.start, expected, written)),
            Err(error) => return Err(self.file.corrupt("zstd frame", range.start, "a sound frame", error)),
        }
        (recent.text_id, recent.frame) = (self.id, frame);
        Ok(slot)
    }
}

/// Frames that each thread keeps: 256 KiB. A check reads the text around a hit, then its lines and an excerpt, often of several
/// documents in one frame.
const FRAMES_CACHED: usize = 16;

/// What decompression needs, one a thread: making a context costs more than decompressing a frame.
struct Working {
    decompressor: std::io::Result<zstd::bulk::Decompressor<'static>>,
    recent: Vec<Recent>,
    /// The slot that is filled next.
    next: usize,
}

/// A frame that was decompressed lately.
#[derive(Default)]
struct Recent {
    /// The text it belongs to; 0 for none.
    text_id: u64,
    frame: usize,
    text: Vec<u8>,
}

/// Number of the text opened last in this process. A number is never given twice, so that a frame is never taken for one of another file.
static LAST_TEXT_ID: AtomicU64 = AtomicU64::new(0);

#[expect(clippy::naive_bytecount, reason = "the compiler makes vector code of it; no crate for one line")]
fn count_newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

thread_local! {
    static WORKING: RefCell<Working> =
        RefCell::new(Working { decompressor: zstd::bulk::Decompressor::new(), recent: Vec::new(), next: 0 });
}

#[cfg(test)]
mod tests {
    use super::super::storage::MemoryStorage;
    use super::*;

    #[test]
    fn any_range_reads_back() {
        let mut whole = String::new();
        let storage = MemoryStorage::default();
        let mut writer = TextWriter::create(&storage, Path::new("t")).unwrap();
        for n in 0..900 {
            let text = format!("document {n}\n{}\n", "é".repeat(n));
            assert_eq!(writer.position(), whole.len() as u64);
            writer.add(&text).unwrap();
            whole.push_str(&text);
        }
        let seal = writer.finish().unwrap();
        let file = BlockFile::open(&storage, Path::new("t"), Component::Text, seal).unwrap();
        let end = whole.len() as u64;
        assert!(Text::open(file.clone(), end + 1).is_err(), "another length is refused");
        let text = Text::open(file, end).unwrap();
        text.verify().unwrap();
        let mut bytes = Vec::new();
        let frame = FRAME_TEXT_BYTES as u64;
        for range in [0..end, 0..0, 0..1, end - 1..end, frame - 1..frame + 1, frame..2 * frame, 5..frame, end..end] {
            text.read(range.clone(), &mut bytes).unwrap();
            let expected =
                &whole.as_bytes()[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert_eq!(bytes, expected, "{range:?}");
            let before = &whole.as_bytes()[..usize::try_from(range.start).unwrap()];
            assert_eq!(text.newlines_before(range.start).unwrap(), count_newlines(before), "{range:?}");
        }
        assert!(text.read(0..end + 1, &mut bytes).is_err());
    }

    #[test]
    fn a_segment_without_text_works() {
        let storage = MemoryStorage::default();
        let seal = TextWriter::create(&storage, Path::new("t")).unwrap().finish().unwrap();
        let text = Text::open(BlockFile::open(&storage, Path::new("t"), Component::Text, seal).unwrap(), 0).unwrap();
        text.read(0..0, &mut vec![1]).unwrap();
        text.verify().unwrap();
    }
}
