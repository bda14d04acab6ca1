//! The threads on which checks run: as many as cores, none of tokio's.
//!
//! A check takes a place, runs to its end on its thread and frees the place then, whether or not anybody still waits for it. A panic costs
//! one check.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::deadline::Deadline;
use crate::error::{Error, Result};

/// Stack of a worker in bytes: parsers of the checker may recurse, tokio's 2 MiB have been too little for hostile code.
const STACK_BYTES: usize = 8 << 20;

/// What the names of this service's threads begin with.
pub(super) const THREAD_NAME: &str = "copytrace";

/// Weight of one run in the moving mean of run times: about the last eight runs count.
const MEAN_WEIGHT: u64 = 8;

/// A fixed number of threads.
pub(super) struct Workers {
    pool: rayon::ThreadPool,
    places: Arc<Semaphore>,
    n_threads: NonZeroUsize,
    n_waiting: AtomicUsize,
    mean_run_us: Arc<AtomicU64>,
}

impl Workers {
    /// Starts `n_threads` threads.
    ///
    /// # Errors
    /// [`Error::Internal`] where the operating system gives none.
    pub(super) fn start(n_threads: NonZeroUsize) -> Result<Self> {
        hide_panic_messages();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads.get())
            .stack_size(STACK_BYTES)
            .thread_name(|idx| format!("{THREAD_NAME}-check-{idx}"))
            .build()
            .map_err(|error| Error::Internal(format!("cannot start {n_threads} worker threads: {error}")))?;
        let places = Arc::new(Semaphore::new(n_threads.get().min(Semaphore::MAX_PERMITS)));
        Ok(Self { pool, places, n_threads, n_waiting: AtomicUsize::new(0), mean_run_us: Arc::default() })
    }

    /// Returns the number of threads.
    pub(super) fn n_threads(&self) -> usize {
        self.n_threads.get()
    }

    /// Returns how long a check takes: a moving mean.
    pub(super) fn mean_run(&self) -> Duration {
        Duration::from_micros(self.mean_run_us.load(Ordering::Relaxed))
    }

    /// Returns how long a check that came now would wait for a thread.
    pub(super) fn expected_wait(&self) -> Duration {
        if self.places.available_permits() > 0 {
            return Duration::ZERO;
        }
        let ahead = u32::try_from(self.n_waiting.load(Ordering::Relaxed)).unwrap_or(u32::MAX).saturating_add(1);
        let n_threads = u32::try_from(self.n_threads.get()).unwrap_or(u32::MAX);
        self.mean_run().saturating_mul(ahead) / n_threads
    }

    /// Runs `job` on one of the threads, first come, first served.
    ///
    /// Dropping the future before the job has started withdraws it; afterwards the job runs to its end, unseen.
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`] where the deadline passes before the job starts or before it is done, [`Error::Internal`] where it panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Option<Deadline>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let place = self.take_place(deadline).await?;
        let (sender, receiver) = oneshot::channel();
        let mean_run_us = Arc::clone(&self.mean_run_us);
        self.pool.spawn(move || {
            let started_at = std::time::Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(job));
            record_run(&mean_run_us, started_at.elapsed());
            drop(place);
            // Nobody may be waiting any more.
            let _ = sender.send(outcome);
        });
        let outcome = match deadline {
            Some(deadline) => timeout_at(deadline.give_up_at(), receiver).await.map_err(|_| deadline.exceeded())?,
            None => receiver.await,
        };
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(Error::Internal("the checker panicked".to_owned())),
        }
    }

    async fn take_place(&self, deadline: Option<Deadline>) -> Result<OwnedSemaphorePermit> {
        let _waiting = Waiting::count(&self.n_waiting);
        let place = Arc::clone(&self.places).acquire_owned();
        let place = match deadline {
            Some(deadline) => {
                deadline.check(Instant::now())?;
                let place = timeout_at(deadline.stop_work_at(), place).await.map_err(|_| deadline.exceeded())?;
                deadline.check(Instant::now())?;
                place
            }
            None => place.await,
        };
        Ok(place.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
impl Workers {
    /// Sets the mean as if checks had taken that long.
    pub(super) fn set_mean_run(&self, mean_us: u64) {
        self.mean_run_us.store(mean_us, Ordering::Relaxed);
    }
}

/// Counts one waiting check for as long as it lives.
struct Waiting<'a> {
    n_waiting: &'a AtomicUsize,
}

impl<'a> Waiting<'a> {
    fn count(n_waiting: &'a AtomicUsize) -> Self {
        n_waiting.fetch_add(1, Ordering::Relaxed);
        Self { n_waiting }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.n_waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Moves the mean by one run. Two threads at once may lose one of the runs: it is an estimate.
fn record_run(mean_run_us: &AtomicU64, run: Duration) {
    let run_us = u64::try_from(run.as_micros()).unwrap_or(u64::MAX);
    let mean_us = mean_run_us.load(Ordering::Relaxed);
    let moved_us = mean_us - mean_us / MEAN_WEIGHT + run_us / MEAN_WEIGHT;
    mean_run_us.store(if mean_us == 0 { run_us } else { moved_us }, Ordering::Relaxed);
}

/// Makes panics of this service's threads say where, not what: messages such as "byte index 3 is not a char boundary" quote the text.
fn hide_panic_messages() {
    static HIDDEN: Once = Once::new();
    HIDDEN.call_once(|| {
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name().is_some_and(|name| name.starts_with(THREAD_NAME)) {
                let location = panic.location().map(ToString::to_string).unwrap_or_default();
                tracing::error!(location, "a thread panicked; its message is withheld, as it may quote a text");
            } else {
                show(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn workers(n_threads: usize) -> Arc<Workers> {
        Arc::new(Workers::start(NonZeroUsize::new(n_threads).expect("not zero")).expect("threads"))
    }

    /// Occupies one worker until the sender is dropped.
    async fn occupy(workers: &Arc<Workers>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<()>>) {
        let (hold, held) = mpsc::channel::<()>();
        let (started, has_started) = oneshot::channel();
        let workers = Arc::clone(workers);
        let job = tokio::spawn(async move {
            let job = move || {
                started.send(()).expect("the test waits");
                assert!(held.recv().is_err(), "nobody sends");
            };
            workers.run(None, job).await
        });
        has_started.await.expect("the job starts");
        (hold, job)
    }

    #[tokio::test]
    async fn jobs_run_on_threads_of_their_own() {
        let name = workers(1).run(None, || std::thread::current().name().map(str::to_owned)).await.expect("no panic");
        assert_eq!(name.as_deref(), Some("copytrace-check-0"));
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_frees_the_place() {
        let workers = workers(1);
        for _ in 0..3 {
            let error = workers.run(None, || panic!("boom")).await.map(|(): ()| ()).expect_err("a panic");
            assert_eq!(error.to_string(), "the checker panicked");
        }
        assert_eq!(workers.run(None, || 7).await.expect("no panic"), 7);
    }

    #[tokio::test]
    async fn the_expected_wait_grows_with_the_queue() {
        let workers = workers(1);
        workers.set_mean_run(1000);
        assert_eq!(workers.expected_wait(), Duration::ZERO);
        let (hold, job) = occupy(&workers).await;
        assert_eq!(workers.expected_wait(), Duration::from_millis(1));
        let mut waiting = Box::pin(workers.run(None, || ()));
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx))).await.is_pending());
        assert_eq!(workers.expected_wait(), Duration::from_millis(2));
        // A caller that goes leaves the queue.
        drop(waiting);
        assert_eq!(workers.expected_wait(), Duration::from_millis(1));
        drop(hold);
        job.await.expect("no panic").expect("done");
        assert_eq!(workers.expected_wait(), Duration::ZERO);
    }

    #[test]
    fn the_mean_follows_the_runs() {
        let mean_us = AtomicU64::new(0);
        for (run_us, expected_us) in [(8000, 8000), (8000, 8000), (16_000, 9000), (0, 7875)] {
            record_run(&mean_us, Duration::from_micros(run_us));
            assert_eq!(mean_us.load(Ordering::Relaxed), expected_us, "{run_us}");
        }
    }
}
