//! The RPCs of `copytrace.v1.CheckService`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::{Request, Response, Status};

use super::convert::{check_batch_size, request_of};
use super::proto::check_service_server::CheckService;
use super::proto::{CheckBatchRequest, CheckBatchResponse, CheckRequest, CheckResponse};
use super::shield::{Shield, Ticket};
use super::status::item_error;
use super::workers::Workers;
use crate::check::Checker;
use crate::check::answer::Answer;
use crate::error::{Error, Result};

/// Answers calls with what a checker says, on the workers.
#[derive(Clone)]
pub(super) struct CheckCalls {
    pub(super) checker: Arc<dyn Checker>,
    pub(super) workers: Arc<Workers>,
    pub(super) shield: Arc<Shield>,
    /// Longest time for one text, from the start of its check.
    pub(super) budget: Duration,
}

/// Items of a batch that nobody has taken yet, with their places in it.
type Items = Arc<Mutex<std::iter::Enumerate<std::vec::IntoIter<CheckRequest>>>>;

#[tonic::async_trait]
impl CheckService for CheckCalls {
    async fn check(&self, call: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let (_, extensions, request) = call.into_parts();
        let answer = async {
            let ticket = Ticket::of(&extensions)?;
            let _place = self.shield.admit(ticket.deadline)?;
            self.answer(request, "", ticket).await
        };
        let answer = answer.await.map_err(|error| self.shield.status_of(&error))?;
        Ok(Response::new(answer.into()))
    }

    async fn check_batch(&self, call: Request<CheckBatchRequest>) -> Result<Response<CheckBatchResponse>, Status> {
        let (_, extensions, batch) = call.into_parts();
        let answers = async {
            let ticket = Ticket::of(&extensions)?;
            let _place = self.shield.admit(ticket.deadline)?;
            check_batch_size(&batch.items)?;
            self.answer_batch(batch.items, &ticket).await
        };
        let answers = answers.await.map_err(|error| self.shield.status_of(&error))?;
        Ok(Response::new(CheckBatchResponse { answers: answers.into_iter().map(Into::into).collect() }))
    }
}

impl CheckCalls {
    /// Checks one text on a worker. `path` is what stands before field names in errors.
    async fn answer(&self, request: CheckRequest, path: &str, ticket: Ticket) -> Result<Answer> {
        let mut request = request_of(request, path)?;
        let (checker, budget, deadline) = (Arc::clone(&self.checker), self.budget, ticket.deadline);
        let check = move || {
            let budget_end = Instant::now().checked_add(budget);
            let caller_end = deadline.map(|deadline| deadline.stop_work_at().into_std());
            request.deadline = budget_end.into_iter().chain(caller_end).min();
            let answer = checker.check(&request);
            // The request's bytes count until here, even if the caller has gone.
            drop(ticket);
            answer
        };
        self.workers.run(deadline, check).await?
    }

    /// Checks the items of a batch on as many workers as there are, in the order of the batch; each item waits for its turn among all
    /// calls, so that a batch does not keep others waiting. Dropping the future withdraws the items that have not begun.
    async fn answer_batch(&self, items: Vec<CheckRequest>, ticket: &Ticket) -> Result<Vec<Answer>> {
        let n_items = items.len();
        let items: Items = Arc::new(Mutex::new(items.into_iter().enumerate()));
        let mut lanes = JoinSet::new();
        for _ in 0..n_items.min(self.workers.n_threads()) {
            let (calls, items, ticket) = (self.clone(), Arc::clone(&items), ticket.clone());
            lanes.spawn(async move { calls.answer_items(&items, &ticket).await });
        }
        let mut answers = Vec::with_capacity(n_items);
        while let Some(lane) = lanes.join_next().await {
            answers.extend(lane.map_err(|error| Error::Internal(format!("a batch stopped: {error}")))?);
        }
        answers.sort_unstable_by_key(|(idx, _)| *idx);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Takes and answers items until none is left; an item that cannot be checked gets an answer that says so.
    async fn answer_items(&self, items: &Items, ticket: &Ticket) -> Vec<(usize, Answer)> {
        let mut answers = Vec::new();
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((idx, item)) = next else { return answers };
            let id = item.id.clone();
            let answer = self.answer(item, &format!("items[{idx}]."), ticket.clone()).await;
            let answer = answer.unwrap_or_else(|error| Answer { id, error: item_error(&error), ..Answer::default() });
            answers.push((idx, answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::mpsc;

    use tonic::Code;
    use tonic::codegen::http::{HeaderMap, HeaderValue};

    use super::*;

    /// Waits for the test, whatever the deadline.
    struct Stubborn(Mutex<mpsc::Receiver<()>>);

    impl Checker for Stubborn {
        fn check(&self, request: &crate::check::Request) -> Result<Answer> {
            let _ = self.0.lock().expect("one check at a time").recv();
            Ok(Answer { id: request.id.clone(), ..Answer::default() })
        }
    }

    fn stubborn() -> (mpsc::Sender<()>, CheckCalls) {
        let (release, released) = mpsc::channel();
        let workers = Arc::new(Workers::start(NonZeroUsize::MIN).expect("a thread"));
        let shield = Arc::new(Shield::new(2, Arc::clone(&workers)));
        let checker = Arc::new(Stubborn(Mutex::new(released)));
        (release, CheckCalls { checker, workers, shield, budget: Duration::from_secs(1) })
    }

    /// Makes a call as the shield hands it on.
    fn call(calls: &CheckCalls, id: &str, timeout: Option<&'static str>) -> Request<CheckRequest> {
        let timeout = timeout.map(HeaderValue::from_static);
        let headers = HeaderMap::from_iter(timeout.map(|timeout| ("grpc-timeout".parse().expect("a name"), timeout)));
        let mut call = Request::new(CheckRequest { id: id.to_owned(), ..CheckRequest::default() });
        call.extensions_mut().insert(calls.shield.greet(&headers).expect("room"));
        call
    }

    #[tokio::test]
    async fn a_call_is_answered_when_its_time_is_over_even_if_its_work_is_not() {
        let (release, calls) = stubborn();
        // The first runs too long, the second waits too long for the worker.
        for id in ["first", "second"] {
            let status = calls.check(call(&calls, id, Some("50m"))).await.expect_err(id);
            assert_eq!(status.code(), Code::DeadlineExceeded);
            assert_eq!(status.message(), "deadline of 50 ms passed before the check was done");
            assert_eq!(calls.shield.in_flight(), 0);
        }
        // One message for the first, which is over, one for the third; the second was never begun.
        for _ in 0..2 {
            release.send(()).expect("the checker waits");
        }
        let answer = calls.check(call(&calls, "third", None)).await.expect("the worker is free again").into_inner();
        assert_eq!(answer.id, "third");
    }

    #[tokio::test]
    async fn a_call_past_the_shield_is_our_own_fault() {
        let (_release, calls) = stubborn();
        let status = calls.check(Request::new(CheckRequest::default())).await.expect_err("no ticket");
        assert_eq!(status.code(), Code::Internal);
    }
}
