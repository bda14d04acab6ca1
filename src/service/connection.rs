//! Connections: how many, and for how long.
//!
//! tonic bounds neither the number of connections nor the time to the first byte, and its `max_connection_age_grace` cuts a connection
//! without having asked it to end (0.14.9: the timer that would send GOAWAY is skipped where a grace is set). So it gets an age without a
//! grace, and the cut is made here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::limits::{CONNECTION_AGE_GRACE, CONNECTION_AGE_MAX, PREFACE_TIMEOUT};

/// Bytes with which every HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// Rest after a failed `accept`: where files or memory have run out, trying at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections that come in; those beyond the limit are closed at once. Dropping it closes the port.
pub(super) struct Accepts {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Accepts {
    /// Accepts at most `connections_max` connections at once from `listener`.
    pub(super) fn new(listener: TcpListener, connections_max: usize) -> Self {
        Self { listener, slots: Arc::new(Semaphore::new(connections_max)), pause: None }
    }
}

impl Stream for Accepts {
    type Item = io::Result<Connection<TcpStream>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(cx)) {
                Ok((stream, _)) => {
                    let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                        tracing::debug!("connection refused: too many are open");
                        continue;
                    };
                    // Answers are small: waiting to fill a packet would only delay them.
                    if stream.set_nodelay(true).is_ok() {
                        return Poll::Ready(Some(Ok(Connection::new(stream, slot))));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
                }
            }
        }
    }
}

/// A connection that holds one of the places, and is cut when it does not begin, or does not end, in time.
pub(super) struct Connection<S> {
    stream: S,
    preface_bytes_missing: usize,
    cut: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
}

impl<S> Connection<S> {
    fn new(stream: S, slot: OwnedSemaphorePermit) -> Self {
        Self { stream, preface_bytes_missing: PREFACE_BYTES, cut: Box::pin(sleep(PREFACE_TIMEOUT)), _slot: slot }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let filled_before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.preface_bytes_missing > 0 {
            let read_bytes = buf.filled().len() - filled_before;
            self.preface_bytes_missing = self.preface_bytes_missing.saturating_sub(read_bytes);
            if self.preface_bytes_missing == 0 {
                self.cut.as_mut().reset(Instant::now() + CONNECTION_AGE_MAX + CONNECTION_AGE_GRACE);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection<TcpStream> {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::advance;
    use tokio_stream::StreamExt as _;

    use super::*;

    fn pair() -> (DuplexStream, Connection<DuplexStream>) {
        let slots = Arc::new(Semaphore::new(1));
        let (peer, stream) = duplex(1 << 16);
        (peer, Connection::new(stream, slots.try_acquire_owned().expect("a free place")))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_sends_no_preface_is_cut() {
        for sent in [&b""[..], &[0; PREFACE_BYTES - 1]] {
            let (mut peer, mut connection) = pair();
            peer.write_all(sent).await.expect("room");
            let error = connection.read_exact(&mut [0; PREFACE_BYTES]).await.expect_err("nothing more comes");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{} bytes", sent.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_began_lives_to_its_age() {
        let (mut peer, mut connection) = pair();
        peer.write_all(&[0; PREFACE_BYTES]).await.expect("room");
        connection.read_exact(&mut [0; PREFACE_BYTES]).await.expect("the preface");
        advance(CONNECTION_AGE_MAX).await;
        peer.write_all(b"x").await.expect("room");
        assert_eq!(connection.read_u8().await.expect("still open"), b'x');
        advance(CONNECTION_AGE_GRACE).await;
        let error = connection.read_u8().await.expect_err("too old");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_are_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut accepts = Accepts::new(listener, 1);

        let _first_peer = TcpStream::connect(address).await.expect("listening");
        let first = accepts.next().await.expect("endless").expect("accepted");
        assert!(first.stream.nodelay().expect("a live socket"));

        let mut second_peer = TcpStream::connect(address).await.expect("the kernel accepts");
        let mut third_peer = TcpStream::connect(address).await.expect("the kernel accepts");
        let refused = async { (second_peer.read(&mut [0]).await, third_peer.read(&mut [0]).await) };
        tokio::select! {
            _ = accepts.next() => panic!("a second connection was accepted"),
            (second, third) = refused => assert!(matches!((second, third), (Ok(0) | Err(_), Ok(0) | Err(_)))),
        }

        drop(first);
        let _fourth_peer = TcpStream::connect(address).await.expect("listening");
        accepts.next().await.expect("endless").expect("the place is free again");
    }
}
