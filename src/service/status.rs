//! Errors to gRPC statuses: whose fault it is decides the code.
//!
//! A status tells the caller what the caller can mend: the field and the limit, or how long to wait. What only the operator can mend
//! (damaged files, panics) is logged here, and the caller is told no more than that: paths of this machine are not for the network.

use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::error::{Error, ErrorKind};

/// Shortest time that a refused caller is asked to wait: below it, trying again costs more than it can gain.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(10);

/// Longest time that a refused caller is asked to wait: load changes faster than estimates of it.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// Returns the status of a call that failed with `error`, and logs what the operator must see.
///
/// `retry_delay` is the expected time until there is room again; only an overload tells it.
pub(super) fn status_of(error: &Error, retry_delay: Duration) -> Status {
    if let Error::DeadlineExceeded { .. } = error {
        return Status::deadline_exceeded(error.to_string());
    }
    match error.kind() {
        ErrorKind::InvalidInput => match error {
            Error::Field { field, expected, found } => invalid_field(field, expected, found),
            _ => Status::invalid_argument(error.to_string()),
        },
        ErrorKind::Overloaded => overloaded(error.to_string(), retry_delay),
        ErrorKind::NotFound | ErrorKind::Incompatible | ErrorKind::Corrupt | ErrorKind::Internal => {
            operator_fault(error)
        }
    }
}

/// Returns what the answer of a batch item says in `error`, and logs what the operator must see.
pub(super) fn item_error(error: &Error) -> String {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::Overloaded => error.to_string(),
        ErrorKind::NotFound | ErrorKind::Incompatible | ErrorKind::Corrupt | ErrorKind::Internal => {
            operator_fault(error).message().to_owned()
        }
    }
}

/// Returns RESOURCE_EXHAUSTED, with the time after which to try again both as RetryInfo and as the metadata that gRPC's own retries obey.
pub(super) fn overloaded(message: impl Into<String>, retry_delay: Duration) -> Status {
    let retry_delay = retry_delay.clamp(RETRY_DELAY_MIN, RETRY_DELAY_MAX);
    let details = ErrorDetails::with_retry_info(Some(retry_delay));
    let mut status = Status::with_error_details(Code::ResourceExhausted, message, details);
    let retry_delay_ms = u64::try_from(retry_delay.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert("grpc-retry-pushback-ms", MetadataValue::from(retry_delay_ms));
    status
}

/// Returns INVALID_ARGUMENT for bytes that are no message; prost names the field, never its content.
pub(super) fn undecodable(error: &prost::DecodeError) -> Status {
    let message = error.to_string();
    // Innermost first: "failed to decode Protobuf message: CheckRequest.text: CheckBatchRequest.items: invalid string value: …"
    let fields = message.rsplit(": ").filter(|part| !part.contains(' ')).filter_map(|part| part.split_once('.'));
    let field = fields.map(|(_, field)| field).collect::<Vec<_>>().join(".");
    let details = ErrorDetails::with_bad_request_violation(field, "expected UTF-8 text and valid protobuf");
    Status::with_error_details(Code::InvalidArgument, message, details)
}

fn invalid_field(field: &str, expected: &str, found: &str) -> Status {
    let details = ErrorDetails::with_bad_request_violation(field, format!("expected {expected}, found {found}"));
    Status::with_error_details(Code::InvalidArgument, format!("{field} is {found}: expected {expected}"), details)
}

fn operator_fault(error: &Error) -> Status {
    tracing::error!(kind = ?error.kind(), %error, "a check failed");
    match error.kind() {
        ErrorKind::NotFound => Status::not_found("an index of this service is missing: its operator has been told"),
        ErrorKind::Incompatible => {
            Status::failed_precondition("an index of this service is of another version: its operator has been told")
        }
        ErrorKind::Corrupt => Status::data_loss("an index of this service is damaged: its operator has been told"),
        ErrorKind::InvalidInput | ErrorKind::Overloaded | ErrorKind::Internal => {
            Status::internal("the check failed inside the service: its operator has been told")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use prost::Message as _;

    use super::*;
    use crate::service::proto::{CheckBatchRequest, CheckRequest};

    fn secret_path() -> PathBuf {
        PathBuf::from("/secret/place")
    }

    #[test]
    fn every_kind_of_error_has_its_code() {
        use copytrace_indexer::Error as IndexError;
        let field = Error::Field {
            field: "items[3].text".to_owned(),
            expected: "at most 5 bytes".to_owned(),
            found: "6 bytes".to_owned(),
        };
        let not_found = IndexError::NoIndex { path: secret_path() };
        let incompatible = IndexError::Incompatible {
            path: secret_path(),
            what: "recipe",
            expected: "1".to_owned(),
            found: "2".to_owned(),
        };
        let corrupt = IndexError::Corrupt {
            path: secret_path(),
            what: "magic",
            offset: 0,
            expected: "1".to_owned(),
            found: "2".to_owned(),
        };
        let argument =
            IndexError::Argument { name: "language", expected: "one of text".to_owned(), found: "x".to_owned() };
        for (error, code, message) in [
            (field, Code::InvalidArgument, "items[3].text is 6 bytes: expected at most 5 bytes"),
            (argument.into(), Code::InvalidArgument, "language is `x`: expected one of text"),
            (not_found.into(), Code::NotFound, "an index of this service is missing: its operator has been told"),
            (
                incompatible.into(),
                Code::FailedPrecondition,
                "an index of this service is of another version: its operator has been told",
            ),
            (corrupt.into(), Code::DataLoss, "an index of this service is damaged: its operator has been told"),
            (
                Error::Internal("secret".to_owned()),
                Code::Internal,
                "the check failed inside the service: its operator has been told",
            ),
            (
                Error::Overloaded { in_flight: 7, in_flight_max: 7 },
                Code::ResourceExhausted,
                "7 checks are under way: expected fewer than 7",
            ),
            (
                Error::DeadlineExceeded { deadline_ms: 20 },
                Code::DeadlineExceeded,
                "deadline of 20 ms passed before the check was done",
            ),
        ] {
            let status = status_of(&error, Duration::ZERO);
            assert_eq!((status.code(), status.message()), (code, message));
            assert_eq!(item_error(&error), message);
            assert!(!format!("{status:?}").contains("secret"), "{status:?}");
        }
    }

    #[test]
    fn a_bad_field_is_named_in_the_details() {
        let error = Error::Field {
            field: "text".to_owned(),
            expected: "at most 5 bytes".to_owned(),
            found: "6 bytes".to_owned(),
        };
        let details = status_of(&error, Duration::ZERO).get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, "text");
        assert_eq!(violations[0].description, "expected at most 5 bytes, found 6 bytes");
    }

    #[test]
    fn an_overload_says_when_to_come_back() {
        for (delay_ms, told_ms) in [(0, 10), (10, 10), (123, 123), (60_000, 5_000)] {
            let status = overloaded("full", Duration::from_millis(delay_ms));
            let info = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
            assert_eq!(info, Some(Duration::from_millis(told_ms)), "{delay_ms}");
            let pushback = status.metadata().get("grpc-retry-pushback-ms").and_then(|value| value.to_str().ok());
            assert_eq!(pushback, Some(told_ms.to_string().as_str()), "{delay_ms}");
        }
    }

    #[test]
    fn bytes_that_are_no_message_name_the_field() {
        let bad_text = [0x12, 2, 0xC3, 0x28];
        let bad_item = [&[0x0A, 4][..], &bad_text].concat();
        let check = |error: prost::DecodeError, field: &str, reason: &str| {
            let status = undecodable(&error);
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().ends_with(reason), "{}", status.message());
            let details = status.get_error_details();
            assert_eq!(details.bad_request().expect("a violation").field_violations[0].field, field);
        };
        let not_utf8 = "invalid string value: data is not UTF-8 encoded";
        check(CheckRequest::decode(&bad_text[..]).expect_err("not UTF-8"), "text", not_utf8);
        check(CheckBatchRequest::decode(&bad_item[..]).expect_err("not UTF-8"), "items.text", not_utf8);
        check(CheckRequest::decode(&[0x12, 9, b'a'][..]).expect_err("cut off"), "text", "buffer underflow");
        check(CheckRequest::decode(&[0x00][..]).expect_err("no field 0"), "", "invalid tag value: 0");
    }
}
