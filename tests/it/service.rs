//! The gRPC service over loopback, in front of checkers that are told what to do.

mod wire;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use copytrace::Error;
use copytrace::check::answer::{Action, Answer, Verdict};
use copytrace::check::{Checker, Request, TEXT_BYTES_MAX};
use copytrace::error::Result;
use copytrace::service::proto::check_service_client::CheckServiceClient;
use copytrace::service::proto::{self, CheckBatchRequest, CheckRequest, CheckResponse};
use copytrace::service::{ServeConfig, Server};
use copytrace_indexer::language::Language;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

const SERVICE: &str = "copytrace.v1.CheckService";

/// Longest that anything in these tests may take; it passes only where a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A checker that does what a closure says.
struct Fake<F>(F);

impl<F: Fn(&Request) -> Result<Answer> + Send + Sync> Checker for Fake<F> {
    fn check(&self, request: &Request) -> Result<Answer> {
        (self.0)(request)
    }
}

/// An answer that allows.
fn allow(request: &Request) -> Answer {
    let verdict = Verdict { action: Action::Allow, ..Verdict::default() };
    let checked_bytes = u32::try_from(request.text.len()).expect("a short text");
    Answer { id: request.id.clone(), verdict, checked_bytes, ..Answer::default() }
}

/// A checker that allows everything.
fn allowing() -> impl Checker + 'static {
    Fake(|request: &Request| Ok(allow(request)))
}

/// A door at which checks wait until a test opens it.
struct Gate {
    arrived: mpsc::UnboundedSender<String>,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        (Arc::new(Self { arrived, is_open: Mutex::new(false), opened: Condvar::new() }), arrivals)
    }

    fn pass(&self, request: &Request) -> Answer {
        self.arrived.send(request.id.clone()).expect("the test listens");
        let is_open = self.is_open.lock().expect("no panic at the gate");
        let (_is_open, wait) =
            self.opened.wait_timeout_while(is_open, PATIENCE, |is_open| !*is_open).expect("no panic at the gate");
        assert!(!wait.timed_out(), "the gate was never opened");
        allow(request)
    }

    fn open(&self) {
        *self.is_open.lock().expect("no panic at the gate") = true;
        self.opened.notify_all();
    }
}

/// A checker behind a gate, the gate, and the ids that arrive at it.
fn gated() -> (impl Checker + 'static, Arc<Gate>, mpsc::UnboundedReceiver<String>) {
    let (gate, arrivals) = Gate::new();
    let at_gate = Arc::clone(&gate);
    (Fake(move |request: &Request| Ok(at_gate.pass(request))), gate, arrivals)
}

fn config() -> ServeConfig {
    let mut config = ServeConfig::new("127.0.0.1:0".parse().expect("an address"));
    config.n_workers = NonZeroUsize::new(2).expect("not zero");
    config
}

/// One worker, so that what a gate holds is all that runs, and room for `calls_max` calls.
fn narrow(calls_max: u32) -> ServeConfig {
    ServeConfig { n_workers: NonZeroUsize::MIN, calls_max: NonZeroU32::new(calls_max).expect("not zero"), ..config() }
}

/// A server that runs in the background of a test.
struct Running {
    address: SocketAddr,
    drain: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<()>>,
}

impl Running {
    async fn start(config: ServeConfig, checker: impl Checker + 'static) -> Self {
        let server = Server::bind(config, Arc::new(checker)).await.expect("a free port");
        let (drain, asked) = oneshot::channel();
        let address = server.local_addr();
        let serving = tokio::spawn(server.serve(async move {
            // A dropped sender asks as well.
            let _ = asked.await;
        }));
        Self { address, drain: Some(drain), serving }
    }

    async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address");
        endpoint.connect().await.expect("the server listens")
    }

    async fn client(&self) -> CheckServiceClient<Channel> {
        CheckServiceClient::new(self.channel().await)
    }

    fn drain(&mut self) {
        self.drain.take().expect("asked once").send(()).expect("the server runs");
    }

    async fn ended(self) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.serving).await.expect("the server ends").expect("no panic")
    }
}

fn text(id: &str, text: &str) -> CheckRequest {
    CheckRequest { id: id.to_owned(), text: text.to_owned(), ..CheckRequest::default() }
}

fn timed(request: CheckRequest, timeout: Duration) -> tonic::Request<CheckRequest> {
    let mut request = tonic::Request::new(request);
    request.set_timeout(timeout);
    request
}

/// Starts a call in the background.
fn call(client: &CheckServiceClient<Channel>, request: CheckRequest) -> JoinHandle<Result<CheckResponse, Status>> {
    let mut client = client.clone();
    tokio::spawn(async move { client.check(request).await.map(tonic::Response::into_inner) })
}

/// Returns path and description of the one field that a status complains about.
fn violation(status: &Status) -> (String, String) {
    let details = status.get_error_details();
    let violations = &details.bad_request().expect("google.rpc.BadRequest").field_violations;
    assert_eq!(violations.len(), 1);
    (violations[0].field.clone(), violations[0].description.clone())
}

#[tokio::test]
async fn a_request_reaches_the_checker_and_its_answer_comes_back() {
    let server = Running::start(
        config(),
        Fake(|request: &Request| {
            assert_eq!((request.text.as_str(), request.prompt.as_str()), ("let x = 1;", "declare x"));
            assert_eq!((request.language, request.is_lexical), (Some(Language::Rust), false));
            let verdict = Verdict {
                action: Action::Replace,
                rule_id: "r".to_owned(),
                reason: "why".to_owned(),
                replacement: "[removed]".to_owned(),
            };
            Ok(Answer { verdict, degraded: vec!["deadline".to_owned()], ..allow(request) })
        }),
    )
    .await;
    let request = CheckRequest {
        id: "q1".to_owned(),
        text: "let x = 1;".to_owned(),
        language: "rust".to_owned(),
        prompt: "declare x".to_owned(),
        lexical: Some(false),
    };
    let answer = server.client().await.check(request).await.expect("a good request").into_inner();
    let expected = CheckResponse {
        id: "q1".to_owned(),
        verdict: Some(proto::Verdict {
            action: proto::Action::Replace.into(),
            rule_id: "r".to_owned(),
            reason: "why".to_owned(),
            replacement: "[removed]".to_owned(),
        }),
        degraded: vec!["deadline".to_owned()],
        checked_bytes: 10,
        ..CheckResponse::default()
    };
    assert!(answer == expected, "{answer:?}");
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_a_bad_item_fails_alone() {
    let (gate, mut arrivals) = Gate::new();
    let at_gate = Arc::clone(&gate);
    let server = Running::start(
        config(),
        Fake(move |request: &Request| match request.id.as_str() {
            "held" => Ok(at_gate.pass(request)),
            "broken" => Err(Error::Internal("details".to_owned())),
            "panics" => panic!("at the checker"),
            _ => Ok(allow(request)),
        }),
    )
    .await;
    let items = vec![
        text("held", "first in, last out"),
        text("plain", "x"),
        CheckRequest { language: "klingon".to_owned(), ..text("language", "x") },
        text("long", &"x".repeat(TEXT_BYTES_MAX + 1)),
        text("broken", "x"),
        text("panics", "x"),
        text("plain", "xy"),
    ];
    let mut client = server.client().await;
    let batch = tokio::spawn(async move { client.check_batch(CheckBatchRequest { items }).await });
    assert_eq!(arrivals.recv().await.as_deref(), Some("held"));
    gate.open();
    let answers = batch.await.expect("no panic").expect("a batch").into_inner().answers;
    let told: Vec<(&str, u32, &str)> =
        answers.iter().map(|answer| (answer.id.as_str(), answer.checked_bytes, answer.error.as_str())).collect();
    let inside = "the check failed inside the service: its operator has been told";
    assert_eq!(
        told,
        [
            ("held", 18, ""),
            ("plain", 1, ""),
            (
                "language",
                0,
                "items[2].language is an unknown name of 7 bytes: expected one of `auto`, `text`, `python`, `rust`, `javascript`, `typescript`, `tsx`, `java`, `go`, `c`, `cpp`"
            ),
            ("long", 0, "items[3].text is 1048577 bytes: expected at most 1048576 bytes"),
            ("broken", 0, inside),
            ("panics", 0, inside),
            ("plain", 2, ""),
        ]
    );
    for answer in &answers {
        let action = answer.verdict.as_ref().map(proto::Verdict::action);
        let expected = if answer.error.is_empty() { proto::Action::Allow } else { proto::Action::Unspecified };
        assert_eq!(action, Some(expected), "{}", answer.id);
    }
}

#[tokio::test]
async fn an_empty_batch_has_no_answers() {
    let server = Running::start(config(), allowing()).await;
    let answers = server.client().await.check_batch(CheckBatchRequest::default()).await.expect("a batch").into_inner();
    assert!(answers.answers.is_empty());
}

#[tokio::test]
async fn fields_out_of_bounds_are_refused_by_name_and_limit() {
    let server = Running::start(config(), allowing()).await;
    let mut client = server.client().await;
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let too_long = "expected at most 1048576 bytes, found 1048577 bytes";
    for (request, field, description) in [
        (text("", &long), "text", too_long),
        (CheckRequest { prompt: long.clone(), ..text("", "x") }, "prompt", too_long),
        (text(&"i".repeat(4097), "x"), "id", "expected at most 4096 bytes, found 4097 bytes"),
        (
            CheckRequest { language: "klingon".to_owned(), ..text("", "x") },
            "language",
            "expected one of `auto`, `text`, `python`, `rust`, `javascript`, `typescript`, `tsx`, `java`, `go`, `c`, `cpp`, found an unknown name of 7 bytes",
        ),
    ] {
        let status = client.check(request).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert_eq!(violation(&status), (field.to_owned(), description.to_owned()));
    }
    let at_the_limit = client.check(text("", &long[1..])).await.expect("the longest text").into_inner();
    assert_eq!(at_the_limit.checked_bytes, 1_048_576);
}

#[tokio::test]
async fn oversize_batches_are_refused() {
    let server = Running::start(config(), allowing()).await;
    let mut client = server.client().await;
    let megabyte = "x".repeat(TEXT_BYTES_MAX);
    for (items, code, message) in [
        (vec![text("", "x"); 257], Code::InvalidArgument, "items is 257 items: expected at most 256 items"),
        (
            [vec![text("", &megabyte); 8], vec![text("", "x")]].concat(),
            Code::InvalidArgument,
            "items is 8388609 bytes: expected at most 8388608 bytes of texts and prompts",
        ),
        (
            vec![text("", &megabyte); 9],
            Code::OutOfRange,
            "Error, decoded message length too large: found 9437256 bytes, the limit is: 8454144 bytes",
        ),
    ] {
        let status = client.check_batch(CheckBatchRequest { items }).await.expect_err(message);
        assert_eq!((status.code(), status.message()), (code, message));
    }
    let answers = client.check_batch(CheckBatchRequest { items: vec![text("", "x"); 256] }).await;
    assert_eq!(answers.expect("the longest batch").into_inner().answers.len(), 256);
}

/// Waits until the request's deadline, as a checker that has more to do than time.
fn work_until_deadline(request: &Request) -> Instant {
    let deadline = request.deadline.expect("every check has a budget");
    let (never, at_deadline) = std::sync::mpsc::channel::<()>();
    let left = deadline.saturating_duration_since(Instant::now());
    at_deadline.recv_timeout(left).expect_err("nobody sends");
    drop(never);
    deadline
}

/// Whether a call's time is over. tonic's client keeps the deadline as well, is sometimes faster than the server, and says CANCELLED.
fn is_out_of_time(status: &Status) -> bool {
    matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled)
}

/// Repeats a call that has 10 ms for its answer's way back until it gets one: a busy machine may need more.
async fn in_time<T>(mut call: impl AsyncFnMut() -> Result<tonic::Response<T>, Status>) -> T {
    for _ in 0..20 {
        match call().await {
            Ok(answer) => return answer.into_inner(),
            Err(status) => assert!(is_out_of_time(&status), "{status}"),
        }
    }
    panic!("no answer came in time");
}

#[tokio::test]
async fn a_check_that_runs_out_of_time_answers_in_time_with_what_it_knows() {
    let server = Running::start(
        ServeConfig { budget: Duration::from_hours(1), ..config() },
        Fake(|request: &Request| {
            work_until_deadline(request);
            Ok(Answer { degraded: vec!["deadline".to_owned()], ..allow(request) })
        }),
    )
    .await;
    let client = server.client().await;
    let answer = in_time(async || client.clone().check(timed(text("a", "x"), Duration::from_millis(200))).await).await;
    assert_eq!(answer.degraded, ["deadline"]);
    let answers = in_time(async || {
        let batch = CheckBatchRequest { items: vec![text("a", "x"), text("b", "x"), text("c", "x")] };
        let mut batch = tonic::Request::new(batch);
        batch.set_timeout(Duration::from_millis(200));
        client.clone().check_batch(batch).await
    });
    // Two workers: the third item never began.
    let answers = answers.await.answers;
    let errors: Vec<&str> = answers.iter().map(|answer| answer.error.as_str()).collect();
    assert_eq!(errors, ["", "", "deadline of 200 ms passed before the check was done"]);
}

#[tokio::test]
async fn without_a_deadline_the_budget_holds() {
    let budget = Duration::from_millis(30);
    let server = Running::start(
        ServeConfig { budget, ..config() },
        Fake(move |request: &Request| {
            let started_at = Instant::now();
            assert!(work_until_deadline(request) <= started_at + budget);
            Ok(allow(request))
        }),
    )
    .await;
    server.client().await.check(text("a", "x")).await.expect("within the budget");
}

#[tokio::test]
async fn a_checker_that_ignores_its_deadline_costs_one_call_and_no_place_for_ever() {
    let (checker, gate, mut arrivals) = gated();
    let server = Running::start(narrow(2), checker).await;
    let mut client = server.client().await;
    // The only worker is taken; the second call's time passes before its turn comes, so that it is never begun. The first has time to
    // arrive, on a busy machine too.
    for (id, arrives, time_ms) in [("first", Some("first"), 1_000), ("second", None, 50)] {
        let status = client.check(timed(text(id, "x"), Duration::from_millis(time_ms))).await.expect_err(id);
        assert!(is_out_of_time(&status), "{id}: {status}");
        assert_eq!(arrivals.try_recv().ok().as_deref(), arrives);
    }
    gate.open();
    client.check(text("third", "x")).await.expect("the worker is free again");
    assert_eq!(arrivals.recv().await.as_deref(), Some("third"));
}

#[tokio::test]
async fn deadlines_that_have_passed_or_make_no_sense_are_refused() {
    let n_checks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_checks);
    let server = Running::start(
        config(),
        Fake(move |request: &Request| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(allow(request))
        }),
    )
    .await;
    let mut client = server.client().await;
    for (timeout, code) in
        [("0m", Code::DeadlineExceeded), ("soon", Code::InvalidArgument), ("123456789m", Code::InvalidArgument)]
    {
        let mut request = tonic::Request::new(text("a", "x"));
        request.metadata_mut().insert("grpc-timeout", timeout.parse().expect("a header value"));
        let status = client.check(request).await.expect_err(timeout);
        assert!(status.code() == code || (timeout == "0m" && is_out_of_time(&status)), "{timeout}: {status:?}");
    }
    assert_eq!(n_checks.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_full_service_refuses_at_once_and_says_when_to_come_back() {
    let (checker, gate, mut arrivals) = gated();
    let server = Running::start(narrow(1), checker).await;
    let mut client = server.client().await;
    let first = call(&client, text("first", "x"));
    assert_eq!(arrivals.recv().await.as_deref(), Some("first"));
    let status = client.check(text("second", "x")).await.expect_err("no room");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "1 checks are under way: expected fewer than 1");
    let retry_delay = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
    assert!(retry_delay.is_some_and(|delay| delay >= Duration::from_millis(10)));
    assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    let batch = CheckBatchRequest { items: vec![text("third", "x")] };
    assert_eq!(client.check_batch(batch).await.expect_err("no room").code(), Code::ResourceExhausted);
    gate.open();
    first.await.expect("no panic").expect("admitted");
    client.check(text("fourth", "x")).await.expect("there is room again");
    assert_eq!(arrivals.recv().await.as_deref(), Some("fourth"));
}

#[tokio::test]
async fn a_call_that_is_cancelled_frees_its_place_and_is_never_begun() {
    let (checker, gate, mut arrivals) = gated();
    let server = Running::start(narrow(2), checker).await;
    let mut client = server.client().await;
    let first = call(&client, text("first", "x"));
    assert_eq!(arrivals.recv().await.as_deref(), Some("first"));
    let mut second_client = client.clone();
    let second = tokio::spawn(async move {
        // A probe may be in the queue for a moment.
        let refused = |status: Status| status.code() == Code::ResourceExhausted;
        while second_client.check(text("second", "x")).await.is_err_and(refused) {}
    });
    // A probe with little time finds the queue full once the second call is in it, and passes its time there once that call has left.
    let mut probe_until = async |is_expected: fn(&Status) -> bool| {
        let until = async {
            loop {
                let probe = client.check(timed(text("probe", "x"), Duration::from_millis(40))).await;
                if probe.is_err_and(|status| is_expected(&status)) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, until).await.expect("the queue changes");
    };
    probe_until(|status| status.code() == Code::ResourceExhausted).await;
    second.abort();
    probe_until(is_out_of_time).await;
    gate.open();
    first.await.expect("no panic").expect("admitted");
    client.check(text("last", "x")).await.expect("admitted");
    assert_eq!(arrivals.recv().await.as_deref(), Some("last"));
}

#[tokio::test]
async fn a_panic_costs_one_call() {
    let server = Running::start(
        config(),
        Fake(|request: &Request| {
            assert_ne!(request.text, "bomb", "boom");
            Ok(allow(request))
        }),
    )
    .await;
    let mut client = server.client().await;
    for _ in 0..5 {
        let status = client.check(text("a", "bomb")).await.expect_err("a panic");
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), "the check failed inside the service: its operator has been told");
    }
    client.check(text("a", "x")).await.expect("the service lives");
}

#[test]
fn a_panic_does_not_print_the_text_it_quotes() {
    // Panic messages go to the process's standard error: this one's is that of a child which runs the test above.
    let child = std::process::Command::new(std::env::current_exe().expect("a test program"))
        .args(["--exact", "service::a_panic_costs_one_call", "--nocapture"])
        .output()
        .expect("the test program starts");
    let stderr = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{stderr}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the test has been renamed");
    assert!(!stderr.contains("bomb"), "{stderr}");
}

#[tokio::test]
async fn health_and_reflection_tell_the_service() {
    use tonic_reflection::pb::{v1, v1alpha};

    let server = Running::start(config(), allowing()).await;
    let mut health = HealthClient::new(server.channel().await);
    for (service, expected) in
        [("", Ok(ServingStatus::Serving)), (SERVICE, Ok(ServingStatus::Serving)), ("other", Err(Code::NotFound))]
    {
        let status = health.check(HealthCheckRequest { service: service.to_owned() }).await;
        assert_eq!(status.map(|status| status.into_inner().status()).map_err(|status| status.code()), expected);
    }

    let mut v1 = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let list = v1::ServerReflectionRequest {
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let answer =
        v1.server_reflection_info(tokio_stream::once(list)).await.expect("reflection").into_inner().message().await;
    assert_both_services_in(&answer.expect("an answer"));

    let mut v1alpha = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let list = v1alpha::ServerReflectionRequest {
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let answer = v1alpha
        .server_reflection_info(tokio_stream::once(list))
        .await
        .expect("reflection")
        .into_inner()
        .message()
        .await;
    assert_both_services_in(&answer.expect("an answer"));
}

/// The two versions of reflection have types of their own; their `Debug` shows the same.
fn assert_both_services_in(list: &impl std::fmt::Debug) {
    let shown = format!("{list:?}");
    for service in [SERVICE, "grpc.health.v1.Health"] {
        assert!(shown.contains(&format!("ServiceResponse {{ name: {service:?} }}")), "{shown}");
    }
}

#[tokio::test]
async fn a_drain_finishes_calls_under_way_and_ends_watches() {
    let (checker, gate, mut arrivals) = gated();
    // A grace that no test waits for: the server must end because all is done.
    let mut server = Running::start(ServeConfig { drain_grace: Duration::from_hours(1), ..config() }, checker).await;
    let first = call(&server.client().await, text("first", "x"));
    assert_eq!(arrivals.recv().await.as_deref(), Some("first"));
    let mut health = HealthClient::new(server.channel().await);
    let watch = health.watch(HealthCheckRequest { service: SERVICE.to_owned() }).await.expect("a known service");
    let mut watch = watch.into_inner();
    assert_eq!(watch.message().await.expect("a status").expect("one").status(), ServingStatus::Serving);

    server.drain();
    let not_serving = tokio::time::timeout(PATIENCE, watch.message()).await.expect("told in time");
    assert_eq!(not_serving.expect("a status").expect("one").status(), ServingStatus::NotServing);
    // The port is closed as soon as the drain has begun; until then the kernel may still accept.
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("the port is closed");
    assert!(!first.is_finished());

    gate.open();
    let answer = first.await.expect("no panic").expect("a call under way is finished");
    assert_eq!(answer.id, "first");
    let end = tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch ends");
    assert!(end.is_none_or(|end| end.is_err()));
    server.ended().await.expect("a clean end");
}

#[tokio::test]
async fn a_drain_does_not_wait_longer_than_the_grace() {
    let (checker, gate, mut arrivals) = gated();
    let mut server = Running::start(ServeConfig { drain_grace: Duration::from_millis(50), ..config() }, checker).await;
    let _stuck = call(&server.client().await, text("stuck", "x"));
    assert_eq!(arrivals.recv().await.as_deref(), Some("stuck"));
    server.drain();
    server.ended().await.expect("an end all the same");
    gate.open();
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("bound");
    let error = Server::bind(ServeConfig::new(listen), Arc::new(allowing())).await.expect_err("taken");
    let message = error.to_string();
    assert!(message.starts_with(&format!("listen is `{listen}` (")), "{message}");
    assert!(message.ends_with("): expected an address of this machine on which no program listens"), "{message}");
}

#[test]
fn run_reports_its_address_and_ends_at_a_signal() {
    let (ready, address) = std::sync::mpsc::channel();
    let running = std::thread::spawn(move || {
        let checker = Arc::new(allowing());
        copytrace::service::run(config(), checker, |address| ready.send(address).expect("the test listens"))
    });
    let address = address.recv_timeout(PATIENCE).expect("the server starts");
    assert_ne!(address.port(), 0);
    std::net::TcpStream::connect(address).expect("the server listens");
    // The handler is in place since the server is ready.
    let kill = std::process::Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status();
    assert!(kill.expect("a POSIX system").success());
    running.join().expect("no panic").expect("a clean end");
}

/// Keeps all that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while logging").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_text_of_a_request_is_logged_or_told() {
    const CANARY: &str = "Zvq7canary";
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || written.clone())
        .finish();
    let told = tracing::subscriber::with_default(subscriber, || {
        // One thread, so that the subscriber hears tonic, hyper and h2 as well.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(statuses_of_failures_with(CANARY))
    });
    assert_eq!(told.len(), 11);
    for (case, status) in told {
        let shown = format!("{status} {status:?} {}", String::from_utf8_lossy(status.details()));
        assert!(!shown.contains(CANARY), "{case}: {shown}");
    }
    let logged = String::from_utf8_lossy(&log.0.lock().expect("no panic while logging")).into_owned();
    assert!(logged.contains("a check failed"), "the log is heard");
    let leak = logged.lines().find(|line| line.contains(CANARY));
    assert_eq!(leak, None);
}

/// Makes a call fail in every way there is, with `canary` in every field.
async fn statuses_of_failures_with(canary: &str) -> Vec<(&'static str, Status)> {
    let server = Running::start(
        ServeConfig { budget: Duration::from_millis(5), ..config() },
        Fake(|request: &Request| match request.language {
            Some(Language::Rust) => Err(Error::Internal("broken".to_owned())),
            // The message quotes the text.
            Some(Language::Python) => {
                Err(Error::Internal(request.text[..request.text.len() - 1].chars().count().to_string()))
            }
            Some(_) => {
                work_until_deadline(request);
                Err(Error::DeadlineExceeded { deadline_ms: 5 })
            }
            None => Ok(allow(request)),
        }),
    )
    .await;
    let mut client = server.client().await;
    let request = |language: &str| CheckRequest {
        id: canary.to_owned(),
        text: format!("{canary} é"),
        language: language.to_owned(),
        prompt: canary.to_owned(),
        lexical: None,
    };
    let long = canary.repeat(TEXT_BYTES_MAX / canary.len() + 1);
    let mut told = Vec::new();
    for (case, request) in [
        ("broken", request("rust")),
        ("panic", request("python")),
        ("deadline", request("text")),
        ("language", request(canary)),
        ("text", CheckRequest { text: long.clone(), ..request("") }),
        ("prompt", CheckRequest { prompt: long.clone(), ..request("") }),
        ("id", CheckRequest { id: long.clone(), ..request("") }),
    ] {
        told.push((case, client.check(request).await.expect_err(case)));
    }
    let batch = CheckBatchRequest { items: vec![request("rust"), request("python"), request("text"), request(canary)] };
    let answers = client.check_batch(batch).await.expect("a batch").into_inner().answers;
    told.push(("items", Status::internal(answers.iter().map(|answer| answer.error.as_str()).collect::<String>())));
    let items = vec![CheckRequest { text: long[..TEXT_BYTES_MAX].to_owned(), ..request("") }; 8];
    told.push(("batch", client.check_batch(CheckBatchRequest { items: items.clone() }).await.expect_err("too much")));
    let message = [&[0x12, 12][..], canary.as_bytes(), &[0xC3, 0x28]].concat();
    told.push(("not UTF-8", wire::call_raw(server.channel().await, "Check", message).await));
    let items = [items, vec![request(""); 1000]].concat();
    told.push(("message", client.check_batch(CheckBatchRequest { items }).await.expect_err("too long")));
    told
}
