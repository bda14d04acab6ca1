//! Admission: how much is taken on at once. What is too much is refused at once, never queued.
//!
//! Two bounds, taken in this order. *Bytes*: what all requests hold, from their first byte to their answer; a caller that announces much
//! and sends slowly holds only what it has sent. *Calls*: requests that have arrived and are being checked or wait for a worker. A call is
//! also refused when its turn would come too late: after its deadline, or later than [`QUEUE_WAIT_MAX`] allows.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Extensions, HeaderMap, Request, Response};
use tonic::codegen::{BoxFuture, Bytes, Service};
use tonic::server::NamedService;

use super::deadline::Deadline;
use super::limits::{ARRIVAL_MAX, HELD_BYTES_MAX, MESSAGE_BYTES_MAX, QUEUE_WAIT_MAX};
use super::status;
use super::workers::Workers;
use crate::error::{Error, Result};

/// gRPC's frame around a message, in bytes: a flag and a length.
const FRAMING_BYTES: usize = 5;

/// The bounds, shared by all connections.
pub(super) struct Shield {
    calls: Arc<Semaphore>,
    calls_max: u32,
    call_ended: Arc<Notify>,
    held_bytes: Arc<AtomicUsize>,
    workers: Arc<Workers>,
}

/// What a call brings with it from the shield to its handler.
#[derive(Clone)]
pub(super) struct Ticket {
    /// When it must be answered.
    pub(super) deadline: Option<Deadline>,
    /// Its bytes: counted until the last clone is dropped.
    pub(super) held: Arc<Held>,
}

/// The bytes of one request.
pub(super) struct Held {
    total_bytes: Arc<AtomicUsize>,
    own_bytes: AtomicUsize,
}

/// The right to be checked; frees its place when dropped.
pub(super) struct Call {
    place: Option<OwnedSemaphorePermit>,
    ended: Arc<Notify>,
}

impl Drop for Call {
    fn drop(&mut self) {
        // Whoever is told must find the place free.
        drop(self.place.take());
        self.ended.notify_waiters();
    }
}

impl Shield {
    /// Admits at most `calls_max` calls at once.
    pub(super) fn new(calls_max: u32, workers: Arc<Workers>) -> Self {
        let calls = Arc::new(Semaphore::new(calls_max as usize));
        Self { calls, calls_max, call_ended: Arc::default(), held_bytes: Arc::default(), workers }
    }

    /// Looks at a call before any of its body is read.
    ///
    /// # Errors
    /// The status with which to refuse it: malformed or passed deadline, or no room.
    pub(super) fn greet(&self, headers: &HeaderMap) -> Result<Ticket, Status> {
        let deadline = Deadline::of_headers(headers, Instant::now())?;
        self.check_room(deadline).map_err(|error| self.status_of(&error))?;
        let held = Arc::new(Held { total_bytes: Arc::clone(&self.held_bytes), own_bytes: AtomicUsize::new(0) });
        Ok(Ticket { deadline, held })
    }

    /// Admits a call that has arrived as a whole.
    ///
    /// # Errors
    /// [`Error::Overloaded`] or [`Error::DeadlineExceeded`].
    pub(super) fn admit(&self, deadline: Option<Deadline>) -> Result<Call> {
        self.check_room(deadline)?;
        match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(place) => Ok(Call { place: Some(place), ended: Arc::clone(&self.call_ended) }),
            Err(_) => Err(self.overloaded(self.calls_max as usize)),
        }
    }

    /// Fails where a call that came now would find no place, or its turn would come too late.
    fn check_room(&self, deadline: Option<Deadline>) -> Result<()> {
        let now = Instant::now();
        let mut wait_max = QUEUE_WAIT_MAX.max(self.workers.mean_run() * 2);
        if let Some(deadline) = deadline {
            deadline.check(now)?;
            wait_max = wait_max.min(deadline.stop_work_at() - now);
        }
        if self.calls.available_permits() == 0 {
            return Err(self.overloaded(self.calls_max as usize));
        }
        if self.workers.expected_wait() > wait_max {
            // As many as there are now are too many for this deadline.
            return Err(self.overloaded(self.in_flight()));
        }
        Ok(())
    }

    fn overloaded(&self, in_flight_max: usize) -> Error {
        Error::Overloaded { in_flight: self.in_flight(), in_flight_max }
    }

    /// Returns how many calls are admitted.
    pub(super) fn in_flight(&self) -> usize {
        (self.calls_max as usize).saturating_sub(self.calls.available_permits())
    }

    /// Waits until no call is admitted.
    pub(super) async fn wait_idle(&self) {
        loop {
            let ended = self.call_ended.notified();
            if self.in_flight() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Returns the status of a call that failed, with the time after which to try again.
    pub(super) fn status_of(&self, error: &Error) -> Status {
        status::status_of(error, self.workers.expected_wait())
    }
}

impl Ticket {
    /// Returns the ticket that [`Shielded`] has put into a request's extensions.
    pub(super) fn of(extensions: &Extensions) -> Result<Self> {
        extensions.get().cloned().ok_or_else(|| Error::Internal("a call came past the shield".to_owned()))
    }
}

impl Held {
    /// Counts bytes that have come in.
    ///
    /// # Errors
    /// OUT_OF_RANGE where the request is longer than any may be, RESOURCE_EXHAUSTED where all requests together are.
    fn take(&self, bytes: usize) -> Result<(), Status> {
        let own_bytes = self.own_bytes.load(Ordering::Relaxed);
        if bytes > MESSAGE_BYTES_MAX + FRAMING_BYTES - own_bytes {
            return Err(Status::out_of_range(format!(
                "the request is too long: expected at most {MESSAGE_BYTES_MAX} bytes"
            )));
        }
        let total_bytes = self.total_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.own_bytes.store(own_bytes + bytes, Ordering::Relaxed);
        if total_bytes > HELD_BYTES_MAX {
            let message = format!("requests under way hold too much: expected at most {HELD_BYTES_MAX} bytes");
            return Err(status::overloaded(message, QUEUE_WAIT_MAX));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total_bytes.fetch_sub(*self.own_bytes.get_mut(), Ordering::Relaxed);
    }
}

/// A service behind the shield.
#[derive(Clone)]
pub(super) struct Shielded<S> {
    inner: S,
    shield: Arc<Shield>,
}

impl<S> Shielded<S> {
    /// Puts `inner` behind `shield`.
    pub(super) fn new(inner: S, shield: Arc<Shield>) -> Self {
        Self { inner, shield }
    }
}

impl<S: NamedService> NamedService for Shielded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Shielded<S>
where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future = BoxFuture<Response<Body>, Infallible>,
        >,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.shield.greet(request.headers()) {
            Ok(ticket) => {
                let mut request = request.map(|body| Body::new(ArrivingBody::new(body, &ticket)));
                request.extensions_mut().insert(ticket);
                self.inner.call(request)
            }
            Err(status) => {
                discard(request.into_body());
                Box::pin(ready(Ok(status.into_http())))
            }
        }
    }
}

/// The body of a request while it arrives: its bytes are counted, and it must arrive in time.
struct ArrivingBody {
    inner: Body,
    ticket: Ticket,
    late: Pin<Box<Sleep>>,
}

impl ArrivingBody {
    fn new(inner: Body, ticket: &Ticket) -> Self {
        let latest = Instant::now() + ARRIVAL_MAX;
        let late_at = ticket.deadline.map_or(latest, |deadline| latest.min(deadline.give_up_at()));
        Self { inner, ticket: ticket.clone(), late: Box::pin(sleep_until(late_at)) }
    }

    fn late_status(&self) -> Status {
        match self.ticket.deadline {
            Some(deadline) if deadline.check(Instant::now()).is_err() => {
                Status::deadline_exceeded(deadline.exceeded().to_string())
            }
            _ => Status::deadline_exceeded(format!("the request did not arrive within {} s", ARRIVAL_MAX.as_secs())),
        }
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        discard(std::mem::take(&mut self.inner));
    }
}

/// Reads what is left of the body of a call that has its answer already, and forgets it.
///
/// If it were dropped instead, frames that are under way would find a stream that h2 has forgotten; h2 counts each as an error and closes
/// the connection after [`LOCAL_ERROR_RESETS_MAX`](super::limits::LOCAL_ERROR_RESETS_MAX): a burst of refusals would cut all other calls
/// of an honest caller. Bounded in bytes and time as any body.
fn discard(mut body: Body) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if body.is_end_stream() {
        return;
    }
    runtime.spawn(timeout(ARRIVAL_MAX, async move {
        let mut discarded_bytes = 0;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            discarded_bytes += frame.data_ref().map_or(0, Bytes::len);
            if discarded_bytes > MESSAGE_BYTES_MAX {
                return;
            }
        }
    }));
}

impl http_body::Body for ArrivingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let counted = self.ticket.held.take(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(counted.map(|()| frame)))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => self.late.as_mut().poll(cx).map(|()| Some(Err(self.late_status()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;

    fn shield(calls_max: u32) -> Shield {
        Shield::new(calls_max, Arc::new(Workers::start(NonZeroUsize::MIN).expect("a thread")))
    }

    fn held_bytes(shield: &Shield) -> usize {
        shield.held_bytes.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn as_many_calls_as_the_limit_are_admitted() {
        let shield = shield(2);
        let first = shield.admit(None).expect("room");
        let second = shield.admit(None).expect("room");
        for refused in [shield.admit(None).err(), shield.check_room(None).err()] {
            let message = refused.expect("no room").to_string();
            assert_eq!(message, "2 checks are under way: expected fewer than 2");
        }
        assert!(shield.greet(&HeaderMap::new()).is_err_and(|status| status.code() == Code::ResourceExhausted));
        drop(first);
        drop(shield.admit(None).expect("room again"));
        drop(second);
        shield.wait_idle().await;
        assert_eq!(shield.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_call_whose_turn_would_come_too_late_is_refused() {
        let shield = shield(64);
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let workers = Arc::clone(&shield.workers);
        let busy = tokio::spawn(async move { workers.run(None, move || held.recv().is_err()).await });
        let mut queue: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
        while shield.workers.expected_wait() == Duration::ZERO {
            shield.workers.set_mean_run(60_000);
            tokio::task::yield_now().await;
        }
        // One worker, 60 ms a check: without a deadline, twice that is the longest wait.
        for (n_waiting, deadline_ms, is_admitted) in [
            (0, None, true),
            (0, Some(1000), true),
            (0, Some(80), true),
            (0, Some(60), false),
            (1, None, true),
            (1, Some(1000), true),
            (1, Some(100), false),
            (2, None, false),
            (2, Some(1000), false),
        ] {
            while queue.len() < n_waiting {
                let mut waiting = Box::pin(shield.workers.run(None, || ()));
                assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await.is_pending());
                queue.push(Box::pin(async move { waiting.await.is_ok() }));
            }
            let timeout = deadline_ms.map(|ms: u64| format!("{ms}m").parse().expect("a value"));
            let headers =
                HeaderMap::from_iter(timeout.map(|timeout| ("grpc-timeout".parse().expect("a name"), timeout)));
            let refused = shield.greet(&headers).err().map(|status| status.code());
            let expected = (!is_admitted).then_some(Code::ResourceExhausted);
            assert_eq!(refused, expected, "{n_waiting} waiting, deadline {deadline_ms:?}");
        }
        drop((queue, hold));
        assert!(busy.await.expect("no panic").expect("done"));
    }

    #[tokio::test]
    async fn idleness_is_noticed_when_the_last_call_ends() {
        let shield = Arc::new(shield(2));
        let calls = [shield.admit(None).expect("room"), shield.admit(None).expect("room")];
        let watcher = Arc::clone(&shield);
        let idle = tokio::spawn(async move { watcher.wait_idle().await });
        for call in calls {
            assert!(!idle.is_finished());
            drop(call);
            tokio::task::yield_now().await;
        }
        idle.await.expect("no panic");
    }

    #[tokio::test]
    async fn bytes_count_from_arrival_to_the_last_ticket() {
        let shield = shield(1);
        let ticket = shield.greet(&HeaderMap::new()).expect("room");
        ticket.held.take(1000).expect("room");
        ticket.held.take(24).expect("room");
        let in_work = ticket.clone();
        drop(ticket);
        assert_eq!(held_bytes(&shield), 1024);
        drop(in_work);
        assert_eq!(held_bytes(&shield), 0);
    }

    #[tokio::test]
    async fn one_request_and_all_together_have_their_limits() {
        let shield = shield(1);
        let longest = MESSAGE_BYTES_MAX + FRAMING_BYTES;
        let long = shield.greet(&HeaderMap::new()).expect("room").held;
        long.take(longest).expect("the longest message");
        let status = long.take(1).expect_err("too long");
        assert_eq!((status.code(), held_bytes(&shield)), (Code::OutOfRange, longest));

        let many: Vec<Arc<Held>> = (1..HELD_BYTES_MAX / longest)
            .map(|_| {
                let held = shield.greet(&HeaderMap::new()).expect("room").held;
                held.take(longest).expect("room");
                held
            })
            .collect();
        let last = shield.greet(&HeaderMap::new()).expect("room").held;
        let status = last.take(longest).expect_err("too much");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_error_details().retry_info().is_some());
        drop((long, many, last));
        assert_eq!(held_bytes(&shield), 0);
    }

    /// A body whose frames come out of a pipe, as slowly as a test writes them.
    struct PipeBody {
        pipe: tokio::io::DuplexStream,
    }

    impl http_body::Body for PipeBody {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            let mut buf = [0; 64];
            let mut buf = tokio::io::ReadBuf::new(&mut buf);
            let read = tokio::io::AsyncRead::poll_read(Pin::new(&mut self.pipe), cx, &mut buf);
            read.map(|read| {
                read.expect("a pipe does not fail");
                let bytes = Bytes::copy_from_slice(buf.filled());
                (!bytes.is_empty()).then_some(Ok(Frame::data(bytes)))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_must_arrive_in_time() {
        for (timeout, late_after, message) in [
            (None, ARRIVAL_MAX, "the request did not arrive within 10 s"),
            (Some("2S"), Duration::from_millis(1995), "deadline of 2000 ms passed before the check was done"),
            (Some("1M"), ARRIVAL_MAX, "the request did not arrive within 10 s"),
        ] {
            let shield = shield(1);
            let timeout =
                timeout.map(|timeout| ("grpc-timeout".parse().expect("a name"), timeout.parse().expect("a value")));
            let ticket = shield.greet(&HeaderMap::from_iter(timeout)).expect("room");
            let (mut peer, pipe) = tokio::io::duplex(64);
            let mut body = ArrivingBody::new(Body::new(PipeBody { pipe }), &ticket);
            let mut next =
                async || poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await.expect("no end");
            peer.write_all(b"first").await.expect("room");
            let started_at = Instant::now();
            assert!(next().await.is_ok_and(|frame| frame.data_ref().is_some_and(|data| &data[..] == b"first")));
            assert_eq!(held_bytes(&shield), 5);
            let status = next().await.expect_err("nothing more comes");
            assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, message));
            assert_eq!(started_at.elapsed(), late_after, "{message}");
        }
    }
}
