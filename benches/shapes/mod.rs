//! Corpora that try the memory of a build, and a look at how much it takes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// How large a corpus is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Text in all, in bytes.
    pub(crate) bytes: usize,
    /// Text of each document of those corpora whose documents are long, in bytes.
    pub(crate) document_bytes: usize,
}

/// Writes a corpus to a folder and returns the file.
pub(crate) type Shape = fn(&Path, Scale) -> PathBuf;

/// Threads of a build: the memory must not go with them.
const THREADS: &str = "8";

/// How often the memory of a running build is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(2);

/// All corpora with their names.
pub(crate) const SHAPES: [(&str, Shape); 15] = [
    ("rows of 20 bytes", tiny_rows),
    ("rows of 60 bytes, all of one id", one_id),
    ("rows of 20 bytes with 24 KB of attributes", long_attributes),
    ("prose, 4 KB a document", prose),
    ("prose, long documents", long_documents),
    ("one repeated word, 4 KB a document", one_word),
    ("one repeated letter, long documents", one_letter),
    ("every word another, long documents", other_words),
    ("Chinese without a space, long documents", chinese),
    ("code of many short functions, 4 KB a document", short_functions),
    ("code of one-letter tokens, 256 KiB a document", short_tokens),
    ("code of short functions, 192 KiB a document", long_code),
    ("zstd, all in one line", one_line_bomb),
    ("zstd, the same line again and again", lines_bomb),
    ("Parquet, one value for all rows", parquet_bomb),
];

fn tiny_rows(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let text = |n: usize| format!("{:x} {:x} a b c d e", n.wrapping_mul(0x9E37_79B9) & 0xfffff, n & 0xffff);
    jsonl(dir, (0..bytes / 20).map(|n| (n.to_string(), text(n))))
}

fn one_id(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let text = |n: usize| format!("version {n} of a document that comes again and again, always");
    jsonl(dir, (0..bytes / 60).map(|n| ("same".to_owned(), text(n))))
}

/// Five columns, as long as they may be, and an id; all different.
fn long_attributes(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let mut words = Words(5);
    let mut value = || words.text(4060, u64::MAX, " ");
    let mut row = |n: usize| {
        let text = format!("a short text of number {n:x}");
        serde_json::json!({
            "id": value(), "text": text, "license": value(), "origin": value(), "uri": value(), "shard": value(), "language": value(),
        })
    };
    write_rows(dir, (0..bytes / 24_000).map(&mut row))
}

fn prose(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let mut words = Words(1);
    jsonl(dir, (0..bytes / 4000).map(|n| (n.to_string(), words.text(4000, 1 << 16, " "))))
}

fn long_documents(dir: &Path, Scale { bytes, document_bytes }: Scale) -> PathBuf {
    let mut words = Words(2);
    jsonl(dir, (0..bytes / document_bytes).map(|n| (n.to_string(), words.text(document_bytes, 1 << 16, " \n"))))
}

fn one_word(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    jsonl(dir, (0..bytes / 4000).map(|n| (n.to_string(), "word ".repeat(800))))
}

fn one_letter(dir: &Path, Scale { bytes, document_bytes }: Scale) -> PathBuf {
    let text = || "a ".repeat(document_bytes / 2);
    jsonl(dir, (0..bytes / document_bytes).map(|n| (n.to_string(), text())))
}

fn other_words(dir: &Path, Scale { bytes, document_bytes }: Scale) -> PathBuf {
    let mut words = Words(3);
    jsonl(dir, (0..bytes / document_bytes).map(|n| (n.to_string(), words.text(document_bytes, u64::MAX, " "))))
}

fn chinese(dir: &Path, Scale { bytes, document_bytes }: Scale) -> PathBuf {
    let mut words = Words(4);
    let mut text = || (0..document_bytes / 3).map(|_| words.han()).collect();
    jsonl(dir, (0..bytes / document_bytes).map(|n| (n.to_string(), text())))
}

fn short_functions(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    code(dir, bytes, 4000)
}

/// As long as what is parsed, and hardly a token less.
fn long_code(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    code(dir, bytes, 192 << 10)
}

/// As long as what is cut into lexemes, each of them one byte.
fn short_tokens(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let text = |n: usize| {
        let mut words = Words(n as u64);
        (0..1 << 17).map(|_| ["a=", "b+", "c-", "d*", "e(", "f)", "1[", "2]"][words.below(8)]).collect::<String>()
    };
    python(dir, (0..bytes >> 18).map(text))
}

/// Functions of Python that are just long enough to be units, until a document is so long.
fn code(dir: &Path, bytes: usize, document_bytes: usize) -> PathBuf {
    let mut words = Words(6);
    let mut text = |_| {
        let mut text = String::new();
        while text.len() + 120 < document_bytes {
            let [a, b, c, d] = std::array::from_fn(|_| words.below(1000));
            let _ = write!(
                text,
                "def function{a}(a, b):\n    c = a + {b}\n    for d in b:\n        c = d.m{c}(c) * {d}\n    return c - b\n"
            );
        }
        text
    };
    python(dir, (0..bytes / document_bytes).map(&mut text))
}

fn python(dir: &Path, texts: impl Iterator<Item = String>) -> PathBuf {
    let row = |(n, text)| serde_json::json!({ "id": format!("{n}"), "text": text, "language": "python" });
    write_rows(dir, (0_usize..).zip(texts).map(row))
}

/// A line that is skipped, after one that is not.
fn one_line_bomb(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let (path, mut file) = zstd_file(dir);
    file.write_all(b"{\"id\":\"a\",\"text\":\"a sound row\"}\n{\"id\":\"b\",\"text\":\"").expect("space");
    let chunk = vec![b'a'; 1 << 16];
    for _ in 0..bytes / chunk.len() {
        file.write_all(&chunk).expect("space");
    }
    file.finish().expect("space");
    path
}

fn lines_bomb(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    let (path, mut file) = zstd_file(dir);
    let line = format!("{{\"id\":\"a\",\"text\":\"{}\"}}\n", "bomb of lines ".repeat(70));
    for _ in 0..bytes / line.len() {
        file.write_all(line.as_bytes()).expect("space");
    }
    file.finish().expect("space");
    path
}

/// A dictionary of one long text, and rows that all refer to it: a few bytes for each gigabyte.
fn parquet_bomb(dir: &Path, Scale { bytes, .. }: Scale) -> PathBuf {
    const TEXT_BYTES: usize = 1 << 20;
    let path = dir.join("corpus.parquet");
    let schema = parse_message_type("message row { required binary text (UTF8); }").expect("a schema");
    let properties = WriterProperties::builder().set_dictionary_page_size_limit(8 << 20).build();
    let file = File::create(&path).expect("a temporary folder");
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).expect("a file");
    let mut group = writer.next_row_group().expect("a file");
    let mut column = group.next_column().expect("a file").expect("it has one");
    let text = ByteArray::from("bomb of rows ".repeat(TEXT_BYTES / 13).into_bytes());
    let rows = vec![text; bytes / TEXT_BYTES];
    column.typed::<ByteArrayType>().write_batch(&rows, None, None).expect("space");
    column.close().expect("space");
    group.close().expect("space");
    writer.close().expect("space");
    path
}

fn jsonl(dir: &Path, rows: impl Iterator<Item = (String, String)>) -> PathBuf {
    write_rows(dir, rows.map(|(id, text)| serde_json::json!({ "id": id, "text": text })))
}

fn write_rows(dir: &Path, rows: impl Iterator<Item = serde_json::Value>) -> PathBuf {
    let path = dir.join("corpus.jsonl");
    let mut file = BufWriter::new(File::create(&path).expect("a temporary folder"));
    for row in rows {
        writeln!(file, "{row}").expect("space");
    }
    file.flush().expect("space");
    path
}

fn zstd_file(dir: &Path) -> (PathBuf, zstd::Encoder<'static, BufWriter<File>>) {
    let path = dir.join("corpus.jsonl.zst");
    let file = BufWriter::new(File::create(&path).expect("a temporary folder"));
    (path, zstd::Encoder::new(file, 3).expect("memory"))
}

/// Made-up words (SplitMix64).
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^ (z >> 29)
    }

    fn below(&mut self, n: u64) -> usize {
        usize::try_from(self.next() % n).expect("a small number")
    }

    fn text(&mut self, bytes: usize, n_different: u64, gap: &str) -> String {
        let mut text = String::with_capacity(bytes + 20);
        while text.len() < bytes {
            // The smaller of two: some words are frequent, most are rare.
            let word = (self.next() % n_different).min(self.next() % n_different);
            let _ = write!(text, "{word:x}{gap}");
        }
        text
    }

    fn han(&mut self) -> char {
        let letter = 0x4E00 + u32::try_from(self.next() % 4000).expect("a remainder");
        char::from_u32(letter).expect("a letter of the block")
    }
}

/// What a build took.
#[derive(Debug)]
pub(crate) struct Peak {
    /// Highest anonymous memory, in bytes: `RssAnon` of `/proc/PID/status`, which counts neither mapped files nor the page cache.
    pub(crate) anonymous_bytes: usize,
    /// What the program printed.
    pub(crate) stderr: String,
    /// Whether it ended well.
    pub(crate) is_success: bool,
}

/// Indexes a corpus with the program itself and looks at its memory every 2 ms.
pub(crate) fn index(program: &str, corpus: &Path, index: &Path, memory: &str) -> Peak {
    let mut child = Command::new(program)
        .args(["index", "--threads", THREADS, "--memory", memory, "--index"])
        .arg(index)
        .arg(corpus)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut anonymous_bytes = 0;
    while child.try_wait().expect("it is ours").is_none() {
        anonymous_bytes = anonymous_bytes.max(anonymous_bytes_now(&status));
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    let output = child.wait_with_output().expect("it has ended");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Peak { anonymous_bytes, stderr, is_success: output.status.success() }
}

/// Returns 0 where the process has just ended.
fn anonymous_bytes_now(status: &str) -> usize {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map_or(0, |kib: usize| kib << 10)
}
