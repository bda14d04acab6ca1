//! Between the domain's types and the wire's: requests in, answers out. Every field of one side has its place on the other.

use crate::verify::kind::CopyKind;
use copytrace_indexer::language::Language;
use copytrace_indexer::limits::ATTRIBUTE_BYTES_MAX;

use super::limits::{BATCH_BYTES_MAX, BATCH_ITEMS_MAX};
use super::proto;
use crate::check::answer::{Action, Answer, DocumentRef, IndexVersion, LineSpan, Match, Rename, Verdict};
use crate::check::{Request, TEXT_BYTES_MAX};
use crate::error::{Error, Result};

/// Makes a request of what came in. `path` is what stands before the field names in errors: empty, or `items[3].`.
///
/// # Errors
/// [`Error::Field`] with the field's path and its limit; it never repeats what the field holds.
pub(super) fn request_of(wire: proto::CheckRequest, path: &str) -> Result<Request> {
    for (field, bytes, bytes_max) in [
        ("id", wire.id.len(), ATTRIBUTE_BYTES_MAX),
        ("text", wire.text.len(), TEXT_BYTES_MAX),
        ("prompt", wire.prompt.len(), TEXT_BYTES_MAX),
    ] {
        if bytes > bytes_max {
            return Err(Error::Field {
                field: format!("{path}{field}"),
                expected: format!("at most {bytes_max} bytes"),
                found: format!("{bytes} bytes"),
            });
        }
    }
    let language = language_of(&wire.language).map_err(|_| Error::Field {
        field: format!("{path}language"),
        expected: format!("one of `auto`, `{}`", Language::ALL.map(Language::name).join("`, `")),
        found: format!("an unknown name of {} bytes", wire.language.len()),
    })?;
    Ok(Request {
        id: wire.id,
        text: wire.text,
        language,
        prompt: wire.prompt,
        is_lexical: wire.lexical.unwrap_or(true),
        deadline: None,
    })
}

/// Returns the language of a name; `None` where it is to be found out.
///
/// # Errors
/// The indexer's, which repeats the name and so is not for callers.
fn language_of(name: &str) -> Result<Option<Language>, copytrace_indexer::Error> {
    match name {
        "" | "auto" => Ok(None),
        _ => name.parse().map(Some),
    }
}

/// Checks the size of a batch as a whole.
///
/// # Errors
/// [`Error::Field`] for `items`, with the limit.
pub(super) fn check_batch_size(items: &[proto::CheckRequest]) -> Result<()> {
    let refuse = |expected: String, found: String| Err(Error::Field { field: "items".to_owned(), expected, found });
    if items.len() > BATCH_ITEMS_MAX {
        return refuse(format!("at most {BATCH_ITEMS_MAX} items"), format!("{} items", items.len()));
    }
    let texts_bytes: usize = items.iter().map(|item| item.text.len() + item.prompt.len()).sum();
    if texts_bytes > BATCH_BYTES_MAX {
        return refuse(format!("at most {BATCH_BYTES_MAX} bytes of texts and prompts"), format!("{texts_bytes} bytes"));
    }
    Ok(())
}

impl From<Answer> for proto::CheckResponse {
    fn from(answer: Answer) -> Self {
        let Answer { id, verdict, matches, indexes, degraded, checked_bytes, error } = answer;
        Self {
            id,
            verdict: Some(verdict.into()),
            matches: matches.into_iter().map(Into::into).collect(),
            indexes: indexes.into_iter().map(Into::into).collect(),
            degraded,
            checked_bytes,
            error,
        }
    }
}

impl From<Verdict> for proto::Verdict {
    fn from(verdict: Verdict) -> Self {
        let Verdict { action, rule_id, reason, replacement } = verdict;
        Self { action: proto::Action::from(action).into(), rule_id, reason, replacement }
    }
}

impl From<Action> for proto::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Unspecified => Self::Unspecified,
            Action::Allow => Self::Allow,
            Action::Flag => Self::Flag,
            Action::Replace => Self::Replace,
            Action::Block => Self::Block,
        }
    }
}

impl From<Match> for proto::Match {
    fn from(found: Match) -> Self {
        let Match {
            kind,
            score,
            matched_tokens,
            evidence_bits,
            query_span,
            source_span,
            document,
            renames,
            document_count,
            document_count_capped,
            common,
            // For policies and people at this machine, not on the wire.
            longest_run: _,
            distinct_words: _,
            tokens_beyond_prompt: _,
            code: _,
            source_excerpt: _,
        } = found;
        Self {
            kind: proto::CopyKind::from(kind).into(),
            score,
            matched_tokens,
            evidence_bits,
            query_span: Some(query_span.into()),
            source_span: Some(source_span.into()),
            document: Some(document.into()),
            renames: renames.into_iter().map(Into::into).collect(),
            document_count,
            document_count_capped,
            common,
        }
    }
}

impl From<CopyKind> for proto::CopyKind {
    fn from(kind: CopyKind) -> Self {
        match kind {
            CopyKind::Verbatim => Self::Verbatim,
            CopyKind::Reformatted => Self::Reformatted,
            CopyKind::Renamed => Self::Renamed,
            CopyKind::Edited => Self::Edited,
            CopyKind::NearDuplicate => Self::NearDuplicate,
        }
    }
}

impl From<LineSpan> for proto::LineSpan {
    fn from(span: LineSpan) -> Self {
        let LineSpan { start_byte, end_byte, start_line, end_line } = span;
        Self { start_byte, end_byte, start_line, end_line }
    }
}

impl From<DocumentRef> for proto::DocumentRef {
    fn from(document: DocumentRef) -> Self {
        let DocumentRef { id, uri, license, origin, shard, index } = document;
        Self { id, uri, license, origin, shard, index }
    }
}

impl From<Rename> for proto::Rename {
    fn from(rename: Rename) -> Self {
        let Rename { query, source } = rename;
        Self { query, source }
    }
}

impl From<IndexVersion> for proto::IndexVersion {
    fn from(version: IndexVersion) -> Self {
        let IndexVersion { name, generation } = version;
        Self { name, generation }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

    use super::*;

    static RESPONSE: LazyLock<MessageDescriptor> = LazyLock::new(|| {
        let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).expect("our own descriptors");
        pool.get_message_by_name("copytrace.v1.CheckResponse").expect("our own message")
    });

    /// The proto3 JSON mapping of an answer that went over the wire, default values printed.
    fn json_over_the_wire(answer: Answer) -> serde_json::Value {
        let bytes = proto::CheckResponse::from(answer).encode_to_vec();
        let message = DynamicMessage::decode(RESPONSE.clone(), &bytes[..]).expect("our own bytes");
        let options = SerializeOptions::new().skip_default_fields(false);
        message.serialize_with_options(serde_json::value::Serializer, &options).expect("a JSON value")
    }

    fn any_match() -> impl Strategy<Value = Match> {
        use CopyKind::{Edited, NearDuplicate, Reformatted, Renamed, Verbatim};
        let kind = prop::sample::select(vec![Verbatim, Reformatted, Renamed, Edited, NearDuplicate]);
        let span = || {
            any::<[u32; 4]>().prop_map(|[start_byte, end_byte, start_line, end_line]| LineSpan {
                start_byte,
                end_byte,
                start_line,
                end_line,
            })
        };
        let document = any::<[String; 6]>().prop_map(|[id, uri, license, origin, shard, index]| DocumentRef {
            id,
            uri,
            license,
            origin,
            shard,
            index,
        });
        let renames = prop::collection::vec(any::<(String, String)>(), 0..3);
        let renames = renames.prop_map(|renames| {
            renames.into_iter().map(|(query, source)| Rename { query, source }).collect::<Vec<Rename>>()
        });
        let numbers = (0.0..=1.0f64, 0.0..1e9f64, any::<[u32; 2]>(), any::<[bool; 2]>());
        (kind, span(), span(), document, renames, numbers).prop_map(
            |(kind, query_span, source_span, document, renames, (score, evidence_bits, counts, flags))| Match {
                kind,
                score,
                matched_tokens: counts[0],
                evidence_bits,
                query_span,
                source_span,
                document,
                renames,
                document_count: counts[1],
                document_count_capped: flags[0],
                common: flags[1],
                longest_run: 1,
                distinct_words: 2,
                tokens_beyond_prompt: 3,
                code: None,
                source_excerpt: "not on the wire".to_owned(),
            },
        )
    }

    fn any_answer() -> impl Strategy<Value = Answer> {
        use Action::{Allow, Block, Flag, Replace, Unspecified};
        let action = prop::sample::select(vec![Unspecified, Allow, Flag, Replace, Block]);
        let verdict = (action, any::<[String; 3]>()).prop_map(|(action, [rule_id, reason, replacement])| Verdict {
            action,
            rule_id,
            reason,
            replacement,
        });
        let indexes = prop::collection::vec(any::<(String, u32)>(), 0..3).prop_map(|indexes| {
            indexes.into_iter().map(|(name, generation)| IndexVersion { name, generation }).collect()
        });
        let texts = (any::<[String; 2]>(), prop::collection::vec(any::<String>(), 0..3));
        (verdict, prop::collection::vec(any_match(), 0..3), indexes, texts, any::<u32>()).prop_map(
            |(verdict, matches, indexes, ([id, error], degraded), checked_bytes)| Answer {
                id,
                verdict,
                matches,
                indexes,
                degraded,
                checked_bytes,
                error,
            },
        )
    }

    proptest! {
        #[test]
        fn the_json_of_an_answer_is_the_json_of_its_message(answer in any_answer()) {
            let own = serde_json::to_value(&answer).expect("an answer is JSON");
            prop_assert_eq!(json_over_the_wire(answer), own);
        }
    }

    #[test]
    fn default_values_are_printed() {
        let expected = serde_json::json!({
            "id": "",
            "verdict": {"action": "ACTION_UNSPECIFIED", "ruleId": "", "reason": "", "replacement": ""},
            "matches": [], "indexes": [], "degraded": [], "checkedBytes": 0, "error": ""
        });
        assert_eq!(json_over_the_wire(Answer::default()), expected);
        assert_eq!(serde_json::to_value(Answer::default()).expect("an answer is JSON"), expected);
    }

    #[test]
    fn requests_keep_every_field() {
        let wire = proto::CheckRequest {
            id: "q1".to_owned(),
            text: "let x = 1;".to_owned(),
            language: "rust".to_owned(),
            prompt: "declare x".to_owned(),
            lexical: Some(false),
        };
        let request = request_of(wire, "").expect("a good request");
        assert_eq!((request.id.as_str(), request.text.as_str()), ("q1", "let x = 1;"));
        assert_eq!((request.language, request.prompt.as_str()), (Some(Language::Rust), "declare x"));
        assert_eq!((request.is_lexical, request.deadline), (false, None));
        let empty = request_of(proto::CheckRequest::default(), "").expect("an empty request is one");
        assert_eq!((empty.language, empty.is_lexical), (None, true));
    }

    #[test]
    fn languages_have_names() {
        for (name, expected) in [
            ("", Some(None)),
            ("auto", Some(None)),
            ("text", Some(Some(Language::Text))),
            ("python", Some(Some(Language::Python))),
            ("rust", Some(Some(Language::Rust))),
            ("Python", None),
            ("klingon", None),
        ] {
            assert_eq!(language_of(name).ok(), expected, "{name}");
        }
    }

    #[test]
    fn fields_out_of_bounds_are_named_with_their_limit_and_not_shown() {
        let long = |bytes: usize| "x".repeat(bytes);
        let text = |bytes| proto::CheckRequest { text: long(bytes), ..Default::default() };
        let prompt = |bytes| proto::CheckRequest { prompt: long(bytes), ..Default::default() };
        let id = |bytes| proto::CheckRequest { id: long(bytes), ..Default::default() };
        let language = proto::CheckRequest { language: "xxxxxxx".to_owned(), ..Default::default() };
        for (wire, problem) in [
            (text(TEXT_BYTES_MAX), None),
            (text(TEXT_BYTES_MAX + 1), Some("items[2].text is 1048577 bytes: expected at most 1048576 bytes")),
            (prompt(TEXT_BYTES_MAX), None),
            (prompt(TEXT_BYTES_MAX + 1), Some("items[2].prompt is 1048577 bytes: expected at most 1048576 bytes")),
            (id(4096), None),
            (id(4097), Some("items[2].id is 4097 bytes: expected at most 4096 bytes")),
            (
                language,
                Some(
                    "items[2].language is an unknown name of 7 bytes: expected one of `auto`, \
                     `text`, `python`, `rust`, `javascript`, `typescript`, `tsx`, `java`, `go`, `c`, `cpp`",
                ),
            ),
        ] {
            let found = request_of(wire, "items[2].").err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), problem);
        }
    }

    #[test]
    fn batches_have_a_size() {
        let items = |n: usize, bytes: usize| {
            let item = proto::CheckRequest { text: "x".repeat(bytes), prompt: "y".repeat(bytes), ..Default::default() };
            vec![item; n]
        };
        for (items, problem) in [
            (items(0, 0), None),
            (items(256, 0), None),
            (items(257, 0), Some("items is 257 items: expected at most 256 items")),
            (items(4, TEXT_BYTES_MAX), None),
            (
                items(5, TEXT_BYTES_MAX),
                Some("items is 10485760 bytes: expected at most 8388608 bytes of texts and prompts"),
            ),
        ] {
            let found = check_batch_size(&items).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), problem);
        }
    }
}
