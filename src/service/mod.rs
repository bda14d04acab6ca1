//! The gRPC service: `copytrace.v1.CheckService`, health and reflection on one port.
//!
//! A call passes, in this order: `connection` (how many, how long), `shield` (how much at once), `codec` (bytes to messages),
//! `check` (the RPCs), `convert` (messages to requests and answers to messages), `workers` (threads for the checks). Async code
//! moves bytes; everything that computes runs on the workers.
//!
//! What callers rely on: a full service refuses at once with RESOURCE_EXHAUSTED and says when to come back; a deadline is kept; a panic
//! costs one call; no text of a request is logged, or repeated in a status. Every bound is in [`limits`].

mod check;
pub(crate) mod codec;
mod connection;
mod convert;
mod deadline;
pub mod limits;
pub mod proto;
mod shield;
mod status;
mod workers;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use self::check::CheckCalls;
use self::connection::Accepts;
use self::proto::check_service_server::CheckServiceServer;
use self::shield::{Shield, Shielded};
use self::workers::Workers;
use crate::check::Checker;
use crate::error::{Error, Result};

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where to listen; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Longest time for one text, from the start of its check; the caller's own deadline shortens it. Default 250 ms.
    pub budget: Duration,
    /// Threads that check. Default: as many as cores.
    pub n_workers: NonZeroUsize,
    /// Most calls admitted at once, checked or waiting for a worker; a batch is one call. Default 64: at 2 ms a check, two workers are
    /// through with them in 64 ms; more would only wait longer.
    pub calls_max: NonZeroU32,
    /// Most connections at once. Default [`limits::CONNECTIONS_MAX`].
    pub connections_max: NonZeroUsize,
    /// Time that calls under way have to finish once the service is asked to end. Default 10 s.
    pub drain_grace: Duration,
}

impl ServeConfig {
    /// Makes the default configuration for an address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            budget: Duration::from_millis(250),
            n_workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            calls_max: const { NonZeroU32::new(64).expect("not zero") },
            connections_max: const { NonZeroUsize::new(limits::CONNECTIONS_MAX).expect("not zero") },
            drain_grace: Duration::from_secs(10),
        }
    }
}

/// Serves until the process is asked to end (SIGTERM, SIGINT), then drains; a second signal ends it at once.
///
/// Blocks, on a runtime of its own. `on_ready` gets the address that was bound, once connections are accepted and signals are heard.
///
/// # Errors
/// As [`Server::bind`]; [`Error::Internal`] where the operating system gives no threads.
pub fn run(config: ServeConfig, checker: Arc<dyn Checker>, on_ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name(format!("{}-io", workers::THREAD_NAME))
        .enable_all()
        .build()
        .map_err(|error| Error::Internal(format!("cannot start threads: {error}")))?;
    let outcome = runtime.block_on(async {
        let (first_signal, second_signal) = listen_to_signals()?;
        let server = Server::bind(config, checker).await?;
        on_ready(server.local_addr());
        tokio::select! {
            outcome = server.serve(first_signal) => outcome,
            () = second_signal => {
                tracing::warn!("second signal: calls under way are cut");
                Ok(())
            }
        }
    });
    // A check that is still running must not keep the process alive.
    runtime.shutdown_background();
    outcome
}

/// A port that is bound and a service that is ready, not yet serving.
pub struct Server {
    config: ServeConfig,
    listener: TcpListener,
    local_addr: SocketAddr,
    calls: CheckCalls,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.config)
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Binds the port and starts the workers. Needs a tokio runtime; connections wait in the kernel until [`serve`](Self::serve).
    ///
    /// # Errors
    /// [`Error::Field`] for an address that cannot be listened on: another program has it, it is not of this machine, the port is
    /// privileged. [`Error::Internal`] where the operating system gives no threads.
    pub async fn bind(config: ServeConfig, checker: Arc<dyn Checker>) -> Result<Self> {
        let refuse = |error: std::io::Error| Error::Field {
            field: "listen".to_owned(),
            expected: "an address of this machine on which no program listens".to_owned(),
            found: format!("`{}` ({error})", config.listen),
        };
        let listener = TcpListener::bind(config.listen).await.map_err(refuse)?;
        let local_addr = listener.local_addr().map_err(refuse)?;
        let workers = Arc::new(Workers::start(config.n_workers)?);
        let shield = Arc::new(Shield::new(config.calls_max.get(), Arc::clone(&workers)));
        let calls = CheckCalls { checker, workers, shield, budget: config.budget };
        Ok(Self { config, listener, local_addr, calls })
    }

    /// Returns the address that was bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `drain` completes; then health says NOT_SERVING, the port is closed, and calls under way have
    /// [`ServeConfig::drain_grace`] to finish.
    ///
    /// # Errors
    /// [`Error::Internal`] where the transport fails as a whole; a connection that fails is nobody else's.
    pub async fn serve(self, drain: impl Future<Output = ()>) -> Result<()> {
        let shield = Arc::clone(&self.calls.shield);
        let (health, health_service) = tonic_health::server::health_reporter();
        set_health(&health, ServingStatus::Serving).await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let unreadable = |error| Error::Internal(format!("cannot read the descriptors: {error}"));
        let router = transport()
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(unreadable)?)
            .add_service(reflection().build_v1alpha().map_err(unreadable)?)
            .add_service(Shielded::new(check_service(self.calls), Arc::clone(&shield)));

        let (draining_sender, draining) = oneshot::channel();
        let begin_drain = async {
            drain.await;
            tracing::info!(in_flight = shield.in_flight(), "draining");
            set_health(&health, ServingStatus::NotServing).await;
            // The receiver waits below for as long as this future can run.
            let _ = draining_sender.send(());
        };
        let incoming = Accepts::new(self.listener, self.config.connections_max.get());
        tracing::info!(address = %self.local_addr, "serving");
        let mut serving = pin!(router.serve_with_incoming_shutdown(incoming, begin_drain));
        let failed = |error: tonic::transport::Error| Error::Internal(format!("cannot serve: {error}"));
        tokio::select! {
            outcome = &mut serving => return outcome.map_err(failed),
            _ = draining => {}
        }
        let mut watched = health.clone();
        let end_watches = async {
            shield.wait_idle().await;
            // Streams of `Health.Watch` tell NOT_SERVING, then end; they would hold their connections to the end of the grace.
            for name in HEALTH_NAMES {
                watched.clear_service_status(name).await;
            }
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            outcome = &mut serving => outcome.map_err(failed),
            never = end_watches => match never {},
            () = sleep(self.config.drain_grace) => {
                tracing::warn!(in_flight = shield.in_flight(), "the grace is over: connections are cut");
                Ok(())
            }
        }
    }
}

/// The names whose health is told: the service's, and the empty one for all.
const HEALTH_NAMES: [&str; 2] = ["", <CheckServiceServer<CheckCalls> as NamedService>::NAME];

async fn set_health(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}

fn check_service(calls: CheckCalls) -> CheckServiceServer<CheckCalls> {
    CheckServiceServer::new(calls)
        .max_decoding_message_size(limits::MESSAGE_BYTES_MAX)
        .max_encoding_message_size(limits::ANSWER_BYTES_MAX)
}

/// Returns tonic's server with every bound stated: some of its defaults are "no limit".
fn transport() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .accept_http1(false)
        .max_concurrent_streams(limits::STREAMS_MAX)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .http2_adaptive_window(Some(false))
        .max_frame_size(limits::FRAME_BYTES_MAX)
        .http2_max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(limits::PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(limits::LOCAL_ERROR_RESETS_MAX))
        .http2_keepalive_interval(Some(limits::KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEP_ALIVE_TIMEOUT))
        .max_connection_age(limits::CONNECTION_AGE_MAX)
}

/// Returns two futures that complete at the first and at the second signal to end.
///
/// # Errors
/// [`Error::Internal`] where the operating system refuses.
fn listen_to_signals() -> Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    use tokio::signal::unix::{SignalKind, signal};

    let refused = |error| Error::Internal(format!("cannot listen to signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    let (first_sender, first) = oneshot::channel();
    let (second_sender, second) = oneshot::channel();
    tokio::spawn(async move {
        for sender in [first_sender, second_sender] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // Whoever no longer waits has ended already.
            let _ = sender.send(());
        }
    });
    // A sender that is dropped unsent is no signal: it happens only when the runtime ends.
    let wait = |signal: oneshot::Receiver<()>| async {
        if signal.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok((wait(first), wait(second)))
}
