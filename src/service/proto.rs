//! The messages, server trait and client of `proto/copytrace/v1`, as generated, and their `Debug` without any caller's text.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated from the .proto file, where every item is documented"
)]

use std::fmt;

tonic::include_proto!("copytrace.v1");

/// The compiled descriptors of `copytrace.v1`, as reflection serves them.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("copytrace");

impl fmt::Debug for CheckRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckRequest")
            .field("text_bytes", &self.text.len())
            .field("language_bytes", &self.language.len())
            .field("prompt_bytes", &self.prompt.len())
            .field("lexical", &self.lexical)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("action", &self.action())
            .field("rule_id", &self.rule_id)
            .field("reason", &self.reason)
            .field("replacement_bytes", &self.replacement.len())
            .finish()
    }
}

impl fmt::Debug for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rename").field("query_bytes", &self.query.len()).field("source", &self.source).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_caller_s_text_is_shown_by_debug() {
        let canary = || "canary".to_owned();
        let request =
            CheckRequest { id: canary(), text: canary(), language: canary(), prompt: canary(), lexical: Some(true) };
        let verdict = Verdict { action: 3, rule_id: "r".to_owned(), reason: "why".to_owned(), replacement: canary() };
        let found = Match { renames: vec![Rename { query: canary(), source: "acc".to_owned() }], ..Match::default() };
        let answer = CheckResponse { verdict: Some(verdict), matches: vec![found], ..CheckResponse::default() };
        let shown = [
            format!("{request:?}"),
            format!("{:#?}", CheckBatchRequest { items: vec![request] }),
            format!("{:#?}", CheckBatchResponse { answers: vec![answer] }),
        ];
        for shown in shown {
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
