//! Bounds of the service: sizes, counts and times, each with its unit and its reason. What is not bounded here is bounded by `check`.

use std::time::Duration;

use crate::check::TEXT_BYTES_MAX;

/// Most texts in one batch: a page of a pipeline; more gain nothing, as 256 checks outweigh the cost of a call by far.
pub const BATCH_ITEMS_MAX: usize = 256;

/// Most bytes of texts and prompts in one batch (8 MiB): eight texts of the greatest length.
pub const BATCH_BYTES_MAX: usize = 8 * TEXT_BYTES_MAX;

/// Longest message that is read, in bytes: the longest batch and 64 KiB for ids, languages and framing.
pub const MESSAGE_BYTES_MAX: usize = BATCH_BYTES_MAX + (64 << 10);

/// Longest message that is sent, in bytes (64 MiB): 256 answers with replaced texts and many matches stay below; a bound all the same.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Most bytes of requests held at once, received or being received (128 MiB): 64 calls with a text and a prompt of the greatest length.
pub const HELD_BYTES_MAX: usize = 64 * 2 * TEXT_BYTES_MAX;

/// Longest time in which a request must have arrived after its headers: 1 MiB at 1 Mbit/s.
pub const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// Longest expected wait for a worker with which a call is still admitted, unless two checks take longer than that. Callers wait in the
/// middle of a generation: what would come later is better refused now and tried elsewhere.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_millis(100);

/// Time kept back from a caller's deadline for the way back, at most; a tenth of the deadline where that is less.
pub const RETURN_TIME_MAX: Duration = Duration::from_millis(10);

/// Most connections at once: with the windows below, at most 1 GiB of unread bytes, and far below the usual limit of open files.
pub const CONNECTIONS_MAX: usize = 1024;

/// Most calls at once on one connection; twice the calls that are admitted by default.
pub const STREAMS_MAX: u32 = 128;

/// Bytes a caller may send ahead on one call: a text of usual length arrives in one go.
pub const STREAM_WINDOW_BYTES: u32 = 256 << 10;

/// Bytes a caller may send ahead on one connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// Longest HTTP/2 frame in bytes: the least that the standard allows, and all that we need.
pub const FRAME_BYTES_MAX: u32 = 16 << 10;

/// Longest header list in bytes: gRPC's usual 8 KiB and as much again for tracing and authorisation.
pub const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;

/// Most calls that were reset before they were looked at; above it the connection is closed. h2's own default against rapid reset
/// (CVE-2023-44487), stated because `None` has meant "no limit" elsewhere.
pub const PENDING_RESETS_MAX: usize = 20;

/// Most frames that came for calls already forgotten, or otherwise made us reset a call, before the connection is closed (tonic: no
/// limit). Honest callers cause them only where a body is cut off before its end, which `shield` avoids.
pub const LOCAL_ERROR_RESETS_MAX: usize = 256;

/// Time after which a silent connection is pinged.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// Time in which the ping must be answered.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time in which a new connection must have sent the HTTP/2 preface.
pub const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// Age at which a connection is asked to end, so that long-lived channels spread again over all servers.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_mins(30);

/// Time that its calls then have before it is cut.
pub const CONNECTION_AGE_GRACE: Duration = Duration::from_mins(1);
