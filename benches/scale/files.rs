//! The made-up corpus as files, for other programs: `corpus.jsonl.zst` and texts to check, `queries.jsonl`.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use copytrace::check::answer::Match;
use copytrace::check::engine::Engine;
use copytrace::check::policy::Policy;
use copytrace::check::{Checker, Request};
use copytrace_indexer::recipe::PUBLIC_SEED;
use serde::Deserialize;
use serde_json::json;

use super::build::rows;
use super::corpus::Corpus;
use super::host;
use super::queries::{self, Kind, PASSAGE_WORDS, Shape};

/// zstd's fastest common level: the corpus is written once and read a few times.
const ZSTD_LEVEL: i32 = 1;
/// Text of one query, in bytes: 200 to 1,000 tokens.
const QUERY_BYTES: std::ops::Range<usize> = 800..4_000;

/// Writes a corpus of about `text_bytes` bytes of text and `n_queries` texts to check, every second one with a verbatim passage of it.
pub(crate) fn write(corpus: &Corpus, text_bytes: u64, n_queries: u64, dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("corpus.jsonl.zst");
    let file = std::fs::File::create(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
    let mut out = zstd::Encoder::new(file, ZSTD_LEVEL)?;
    let mut n_docs = 0;
    for document in rows(corpus, text_bytes) {
        let attributes = document.attributes;
        let row = json!({
            "id": document.id, "text": document.text, "url": attributes.uri, "license": attributes.license,
            "origin": attributes.origin, "shard": attributes.shard,
        });
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
        n_docs += 1;
    }
    out.finish()?;
    let path = dir.join("queries.jsonl");
    let mut out = BufWriter::new(std::fs::File::create(&path)?);
    let shape = Shape { n_docs, bytes: QUERY_BYTES, words: PASSAGE_WORDS };
    let planted = queries::make(corpus, Kind::Verbatim, n_queries.div_ceil(2), &shape);
    let strangers = queries::make(corpus, Kind::Stranger, n_queries / 2, &shape);
    for query in planted.iter().zip(&strangers).flat_map(|(planted, stranger)| [planted, stranger]) {
        let source = query.planted.as_ref().map(|planted| format!("doc-{}", planted.document));
        let row = json!({ "id": query.request.id, "text": query.request.text, "source": source });
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// A line of a file of texts to check; other fields are ignored.
#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
}

/// Checks every text of a file against an index, twice, and prints one line of JSON a text about the second time.
pub(crate) fn time_checks(index: &Path, texts: &Path, is_lexical: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let file = std::fs::File::open(texts).with_context(|| format!("cannot open `{}`", texts.display()))?;
    let mut requests = Vec::new();
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let line: Line = serde_json::from_str(&line?)
            .map_err(|error| anyhow!("`{}`, line {}: {error}; expected `id` and `text`", texts.display(), n + 1))?;
        requests.push(Request { is_lexical, ..Request::new(line.id, line.text) });
    }
    let engine = Engine::open(&[index], PUBLIC_SEED, Policy::default_policy())?;
    for request in &requests {
        engine.check(request)?;
    }
    for request in &requests {
        let (answer, taken) = host::time(|| engine.check(request));
        let answer = answer?;
        let describe = |found: &Match| {
            let span = found.query_span;
            json!({ "document": found.document.id, "start": span.start_byte, "end": span.end_byte })
        };
        let row = json!({
            "id": answer.id, "wall_us": taken.wall.as_secs_f64() * 1e6, "cpu_us": taken.cpu.as_secs_f64() * 1e6,
            "matches": answer.matches.iter().map(describe).collect::<Vec<_>>(),
        });
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
