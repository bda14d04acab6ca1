//! Work on a stream by several threads, its results taken in the order of the stream.
//!
//! One thread reads, `threads` work, the caller takes. A fixed number of items is on the way, so that memory is bounded however uneven they are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use copytrace_indexer::Result;

/// Items on the way for each thread: one at work, one waiting, and some that wait for a slow one before them.
const ITEMS_PER_THREAD: usize = 4;

/// Reads items with `read` until it returns `None`, works on each, and gives the results to `take` in the order of the items.
///
/// # Errors
/// The first error of `take`, or of the first item that has one.
pub(super) fn for_each_in_order<I: Send, O: Send>(
    threads: usize,
    mut read: impl FnMut() -> Result<Option<I>> + Send,
    work: impl Fn(I) -> Result<O> + Sync,
    mut take: impl FnMut(O) -> Result<()>,
) -> Result<()> {
    let threads = threads.max(1);
    let (item_sender, items) = sync_channel::<(usize, Result<I>)>(threads * ITEMS_PER_THREAD);
    let items = Mutex::new(items);
    let (result_sender, results) = channel::<(usize, Result<O>)>();
    let (permit_sender, permits) = channel::<()>();
    for _ in 0..threads * ITEMS_PER_THREAD {
        // The receiver is there.
        let _ = permit_sender.send(());
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        scope.spawn(move || {
            for number in 0.. {
                if permits.recv().is_err() || is_over.load(Ordering::Relaxed) {
                    return;
                }
                let item = match read() {
                    Ok(Some(item)) => Ok(item),
                    Ok(None) => return,
                    Err(error) => Err(error),
                };
                let is_last = item.is_err();
                if item_sender.send((number, item)).is_err() || is_last {
                    return;
                }
            }
        });
        for _ in 0..threads {
            let (result_sender, items, work) = (result_sender.clone(), &items, &work);
            scope.spawn(move || {
                loop {
                    let next = items.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, item)) = next else { return };
                    let result = item.and_then(work);
                    if result_sender.send((number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(result_sender);
        let mut early = BTreeMap::new();
        let mut next = 0;
        let taken = (|| {
            for (number, result) in results {
                early.insert(number, result);
                while let Some(result) = early.remove(&next) {
                    take(result?)?;
                    next += 1;
                    // The reader is gone where there is nothing left to read.
                    let _ = permit_sender.send(());
                }
            }
            Ok(())
        })();
        // Wakes the reader: it may wait for a permit that nobody would give any more.
        is_over.store(true, Ordering::Relaxed);
        drop(permit_sender);
        taken
    })
}

#[cfg(test)]
mod tests {
    use copytrace_indexer::Error;

    use super::*;

    fn failure() -> Error {
        Error::Internal { component: "test", problem: "made so".to_owned() }
    }

    #[test]
    fn results_come_in_order() {
        for threads in [1, 2, 5] {
            let mut numbers = 0..1000_u64;
            let mut taken = Vec::new();
            let work = |n: u64| {
                // Uneven: every seventh takes long.
                let spins = if n.is_multiple_of(7) { 20_000 } else { 1 };
                Ok((0..spins).fold(n, |sum, _| std::hint::black_box(sum)) * 2)
            };
            for_each_in_order(
                threads,
                || Ok(numbers.next()),
                work,
                |n| {
                    taken.push(n);
                    Ok(())
                },
            )
            .expect("no error");
            assert_eq!(taken, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_it_wherever_it_is() {
        let run = |in_read: u64, in_work: u64, in_take: u64| {
            let mut n = 0;
            let mut taken = 0;
            let read = move || {
                n += 1;
                if n == in_read { Err(failure()) } else { Ok(Some(n)) }
            };
            let work = |n| if n == in_work { Err(failure()) } else { Ok(n) };
            let take = |n| {
                taken = n;
                if n == in_take { Err(failure()) } else { Ok(()) }
            };
            for_each_in_order(3, read, work, take).expect_err("made so");
            taken
        };
        assert_eq!((run(50, 0, 0), run(0, 60, 0), run(0, 0, 70)), (49, 59, 70));
    }
}
