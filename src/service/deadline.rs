//! The time a caller gives: the `grpc-timeout` header, and what it means for the work.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::limits::RETURN_TIME_MAX;
use crate::error::Error;

const HEADER: &str = "grpc-timeout";

/// Most digits of the header's number, by gRPC's own definition.
const DIGITS_MAX: usize = 8;

/// When a call must be answered.
///
/// Three moments, in this order: work stops, the call gives up on work that has not stopped, the caller stops waiting. The last two
/// leave time for the answer's way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    given: Duration,
    at: Instant,
}

impl Deadline {
    /// Reads the deadline of a call that arrived at `now`; `None` where the caller gives none, or one beyond the clock's range.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a header that is not 1 to 8 digits and one of the units `H`, `M`, `S`, `m`, `u`, `n`.
    pub(super) fn of_headers(headers: &HeaderMap, now: Instant) -> Result<Option<Self>, Status> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let given = value.to_str().ok().and_then(parse_timeout).ok_or_else(|| {
            Status::invalid_argument(
                "`grpc-timeout` is malformed: expected 1 to 8 digits and one of `H`, `M`, `S`, `m`, `u`, `n`",
            )
        })?;
        Ok(now.checked_add(given).map(|at| Self { given, at }))
    }

    /// Returns when work must stop.
    pub(super) fn stop_work_at(self) -> Instant {
        self.at.checked_sub(self.return_time()).unwrap_or(self.at)
    }

    /// Returns when the call is answered at the latest, with or without the work's outcome.
    pub(super) fn give_up_at(self) -> Instant {
        self.at.checked_sub(self.return_time() / 2).unwrap_or(self.at)
    }

    /// Fails where no work can be done any more.
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`].
    pub(super) fn check(self, now: Instant) -> Result<(), Error> {
        if now < self.stop_work_at() { Ok(()) } else { Err(self.exceeded()) }
    }

    /// Returns the error of a call that ran out of time.
    pub(super) fn exceeded(self) -> Error {
        Error::DeadlineExceeded { deadline_ms: u64::try_from(self.given.as_millis()).unwrap_or(u64::MAX) }
    }

    fn return_time(self) -> Duration {
        RETURN_TIME_MAX.min(self.given / 10)
    }
}

fn parse_timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic::codegen::http::HeaderValue;

    use super::*;

    fn headers(value: &[u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).expect("a header value");
        HeaderMap::from_iter([(HEADER.parse().expect("a header name"), value)])
    }

    #[test]
    fn timeouts_have_digits_and_a_unit() {
        let (s, ms) = (Duration::from_secs, Duration::from_millis);
        for (value, expected) in [
            ("1H", Some(s(3600))),
            ("2M", Some(s(120))),
            ("3S", Some(s(3))),
            ("250m", Some(ms(250))),
            ("250u", Some(Duration::from_micros(250))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0m", Some(Duration::ZERO)),
            ("99999999H", Some(s(99_999_999 * 3600))),
            ("100000000n", None),
            ("", None),
            ("m", None),
            ("5", None),
            ("5s", None),
            ("-5m", None),
            ("+5m", None),
            ("5 m", None),
            ("1.5S", None),
            ("5µ", None),
        ] {
            assert_eq!(parse_timeout(value), expected, "{value}");
        }
    }

    #[test]
    fn a_malformed_header_is_the_caller_s_fault() {
        let now = Instant::now();
        for value in [&b"soon"[..], b"", b"\xff\xffm"] {
            let status = Deadline::of_headers(&headers(value), now).expect_err("malformed");
            assert_eq!(status.code(), Code::InvalidArgument);
        }
        assert_eq!(Deadline::of_headers(&HeaderMap::new(), now).expect("no header"), None);
    }

    #[test]
    fn work_stops_before_the_caller_stops_waiting() {
        let now = Instant::now();
        for (value, stop_us, give_up_us) in [
            ("1S", 990_000, 995_000),
            ("100m", 90_000, 95_000),
            ("20m", 18_000, 19_000),
            ("1m", 900, 950),
            ("0m", 0, 0),
        ] {
            let deadline = Deadline::of_headers(&headers(value.as_bytes()), now).expect("good").expect("given");
            assert_eq!(deadline.stop_work_at() - now, Duration::from_micros(stop_us), "{value}");
            assert_eq!(deadline.give_up_at() - now, Duration::from_micros(give_up_us), "{value}");
            assert_eq!(deadline.check(now).is_ok(), stop_us > 0, "{value}");
            assert!(deadline.check(deadline.stop_work_at()).is_err(), "{value}");
        }
    }

    #[test]
    fn an_endless_timeout_overflows_nothing() {
        let far = Deadline::of_headers(&headers(b"99999999H"), Instant::now()).expect("good");
        assert!(far.is_none_or(|deadline| deadline.check(Instant::now()).is_ok()));
    }
}
