//! Long work while a second thread shows how far it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backend::{ProgressSink, Snapshot};

/// How often the state of the work is shown.
const INTERVAL: Duration = Duration::from_millis(100);

/// Does `work` and meanwhile reports what `state` says.
pub(super) fn watched<T>(
    progress: &dyn ProgressSink,
    state: impl Fn() -> Snapshot + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let shown = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                progress.report(state());
                std::thread::park_timeout(INTERVAL);
            }
        });
        // The thread must end with the work however that ends, or the scope would wait for it for ever.
        let _end = EndOfWork { is_done: &is_done, thread: shown.thread() };
        work()
    })
}

/// Tells the thread that shows progress to end.
struct EndOfWork<'a> {
    is_done: &'a AtomicBool,
    thread: &'a std::thread::Thread,
}

impl Drop for EndOfWork<'_> {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}
