//! What the machine says: clocks, memory, bytes read, instructions; and an empty page cache.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::time::{ClockId, clock_gettime};

/// Between two looks at the memory of a process: short beside any phase of a build, and a thousandth of a core.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a billion"))
}

/// CPU time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of this process.
pub(crate) fn process_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

/// What an action took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    /// From start to end.
    pub(crate) wall: Duration,
    /// Of this thread.
    pub(crate) cpu: Duration,
}

/// Times an action on this thread.
pub(crate) fn time<T>(action: impl FnOnce() -> T) -> (T, Taken) {
    let (start, cpu) = (Instant::now(), thread_cpu());
    let result = action();
    (result, Taken { cpu: thread_cpu().saturating_sub(cpu), wall: start.elapsed() })
}

/// Number after a name in a file of `/proc/self`; `None` where there is no such file.
fn proc_number(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/proc/self").join(file)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Bytes that this process made the disk read; 0 where the system does not tell.
pub(crate) fn disk_read_bytes() -> u64 {
    proc_number("io", "read_bytes:").unwrap_or(0)
}

/// Runs an action and returns the peak of this process's anonymous memory (`RssAnon` of `/proc/self/status`, looked at every 20 ms), in
/// bytes; 0 where the system does not tell.
pub(crate) fn peak_anonymous_bytes<T: Send>(action: impl FnOnce() -> T + Send) -> (T, u64) {
    let (is_done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let look = || peak.fetch_max(proc_number("status", "RssAnon:").unwrap_or(0) * 1024, Ordering::Relaxed);
    let result = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                look();
                std::thread::park_timeout(LOOK_INTERVAL);
            }
        });
        let result = action();
        look();
        is_done.store(true, Ordering::Release);
        watcher.thread().unpark();
        result
    });
    (result, peak.into_inner())
}

/// Makes the system forget the pages of all files below a folder, which nobody may have mapped.
#[cfg(target_os = "linux")]
pub(crate) fn drop_page_cache(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            drop_page_cache(&entry.path())?;
        } else {
            let file = std::fs::File::open(entry.path())?;
            // Pages that were not written yet stay.
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Only Linux is known to keep this promise.
#[cfg(not(target_os = "linux"))]
pub(crate) fn drop_page_cache(_dir: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "the page cache can be emptied on Linux only"))
}

/// What counted the instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Counter {
    /// The processor, through `perf stat -e instructions:u`.
    Perf,
    /// A simulated processor without AVX-512: `valgrind --tool=cachegrind --cache-sim=no`, which counts the same as callgrind in 60 % of the
    /// time.
    Cachegrind,
}

/// Counts the instructions that this program takes with the given arguments, in the user's part of it.
///
/// # Errors
/// Where neither `perf` can count (most virtual machines have no counters) nor `valgrind` is there, or the program fails.
pub(crate) fn count_instructions(args: &[String]) -> anyhow::Result<(u64, Counter)> {
    let program = std::env::current_exe()?;
    let perf = |program: &Path, args: &[String]| {
        let mut perf = Command::new("perf");
        let output = perf.args(["stat", "-x", ",", "-e", "instructions:u"]).arg(program).args(args).output();
        instructions_of_perf(&String::from_utf8_lossy(&output.ok()?.stderr))
    };
    // A program that does nothing shows whether there are counters.
    if perf(Path::new("true"), &[]).is_some()
        && let Some(n) = perf(&program, args)
    {
        return Ok((n, Counter::Perf));
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(&program).args(args);
    let output = valgrind.output().context("`perf` has no counters here and `valgrind` cannot be run")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    // "==123== I   refs:      243,161,048"
    let counted = messages.lines().find(|line| line.contains("I ") && line.contains("refs:"));
    let digits = counted.and_then(|line| line.split_once("refs:")).map(|(_, n)| n.trim().replace(',', ""));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(n) if output.status.success() => Ok((n, Counter::Cachegrind)),
        _ => bail!("`valgrind` failed: {}", messages.lines().last().unwrap_or("no message")),
    }
}

fn instructions_of_perf(messages: &str) -> Option<u64> {
    let line = messages.lines().find(|line| line.contains(",instructions"))?;
    line.split(',').next()?.parse().ok()
}
