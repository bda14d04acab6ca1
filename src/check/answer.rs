//! The answer to a check. Serialised, it is exactly the proto3 JSON mapping of `copytrace.v1.CheckResponse`.

use copytrace_indexer::corpus::Attributes;
use serde::Serialize;

use crate::verify::kind::CopyKind;

/// What was found about one text.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The request's id.
    pub id: String,
    /// What the policy says.
    pub verdict: Verdict,
    /// What was copied, best first.
    pub matches: Vec<Match>,
    /// Which indexes were asked, and in which state.
    pub indexes: Vec<IndexVersion>,
    /// What was not looked at, and why; empty for a complete check.
    pub degraded: Vec<String>,
    /// How many bytes of the text were checked.
    pub checked_bytes: u32,
    /// Why the text could not be checked; empty if it was. Only in batches.
    pub error: String,
}

/// What to do with the text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The rule of the policy that decided; empty where none did.
    pub rule_id: String,
    /// One sentence for a person.
    pub reason: String,
    /// What to show instead of the text; only with [`Action::Replace`].
    pub replacement: String,
}

/// What to do with a text, from mild to severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub enum Action {
    /// Nothing was decided; never means that the text may pass.
    #[default]
    #[serde(rename = "ACTION_UNSPECIFIED")]
    Unspecified,
    /// No rule speaks against the text.
    #[serde(rename = "ACTION_ALLOW")]
    Allow,
    /// Show it, and tell a person.
    #[serde(rename = "ACTION_FLAG")]
    Flag,
    /// Show `replacement` instead.
    #[serde(rename = "ACTION_REPLACE")]
    Replace,
    /// Do not show it.
    #[serde(rename = "ACTION_BLOCK")]
    Block,
}

/// One copy: a stretch of the text and the stretch of a document it was taken from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// What kind of copy it is.
    pub kind: CopyKind,
    /// Share of the longer stretch's words that are the same, 0..=1; for near-duplicates the Jaccard similarity.
    pub score: f64,
    /// Words that are the same and in the same order.
    pub matched_tokens: u32,
    /// How improbable the match is by chance, in bits: sum of log2(documents / document frequency) over the matched fingerprints, or over the rare
    /// words matched if that is more.
    pub evidence_bits: f64,
    /// Where it stands in the text.
    pub query_span: LineSpan,
    /// Where it stands in the document.
    pub source_span: LineSpan,
    /// The document.
    pub document: DocumentRef,
    /// Names that were changed.
    pub renames: Vec<Rename>,
    /// How many documents hold this stretch; of one found by rare words, how many have three quarters of those.
    pub document_count: u32,
    /// Whether counting stopped at a cap, so that `document_count` is a lower bound.
    pub document_count_capped: bool,
    /// Whether the stretch is common property: found in many origins.
    pub common: bool,
    /// Longest run of equal words; a policy looks at it. Not part of the wire format.
    #[serde(skip)]
    pub longest_run: u32,
    /// How many different words the matched stretch has; a policy looks at it. Not part of the wire format.
    #[serde(skip)]
    pub distinct_words: u32,
    /// Matched words that the caller's prompt did not contain. Not part of the wire format.
    #[serde(skip)]
    pub tokens_beyond_prompt: u32,
    /// What is said about a copy of code beyond its lexemes. Not part of the wire format.
    #[serde(skip)]
    pub code: Option<CodeFacts>,
    /// The document's text in `source_span`, for people; cut off after [`EXCERPT_BYTES_MAX`] bytes. Not part of the wire format.
    #[serde(skip)]
    pub source_excerpt: String,
}

/// What is said about a copy of code beyond its lexemes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CodeFacts {
    /// Names that were changed, in the order of the text.
    pub renames: Vec<Rename>,
    /// How sure it is that it is a copy, and no idiom: natural logarithm of odds; above 0 it is one.
    pub support: f64,
    /// Whether an interface or the rows before it dictate nearly all of it: a getter, a delegation, a table.
    pub is_boilerplate: bool,
}

/// Longest excerpt kept of a source, in bytes: what fits on a screen.
pub const EXCERPT_BYTES_MAX: usize = 4096;

/// A range of bytes and the lines it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineSpan {
    /// First byte.
    pub start_byte: u32,
    /// One past the last byte.
    pub end_byte: u32,
    /// One-based line of the first byte.
    pub start_line: u32,
    /// One-based line of the last byte.
    pub end_line: u32,
}

/// The document something was copied from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRef {
    /// Its id.
    pub id: String,
    /// Where a person finds it; may be empty.
    pub uri: String,
    /// Its licence; empty if unknown.
    pub license: String,
    /// Repository, package or site; may be empty.
    pub origin: String,
    /// Training shard; may be empty.
    pub shard: String,
    /// Name of the index it is in.
    pub index: String,
}

impl DocumentRef {
    /// Makes the reference to a document of an index from what its catalogue says.
    pub fn new(id: String, attributes: Attributes, index: String) -> Self {
        let Attributes { uri, license, origin, shard, language: _ } = attributes;
        Self { id, uri, license, origin, shard, index }
    }
}

/// A name that was changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    /// The name in the text.
    pub query: String,
    /// The name in the document.
    pub source: String,
}

/// The state an index was in when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexVersion {
    /// Its name: the folder's name.
    pub name: String,
    /// Number of its last commit.
    pub generation: u32,
}
