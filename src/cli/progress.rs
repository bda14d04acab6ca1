//! How far a long piece of work is: a bar for people, a line now and then for log files.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::backend::{ProgressSink, Snapshot, Step};
use super::output::Stderr;
use super::units::{bytes, bytes_per_second, counted, duration, percent};

/// Time between two lines where nobody watches.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Starts to show progress, in the way that fits the standard error; dropping it takes a bar away.
pub(super) fn start<'a>(stderr: &'a Stderr, verb: &'static str) -> Box<dyn ProgressSink + Send + 'a> {
    if stderr.is_quiet {
        Box::new(Silence)
    } else if stderr.is_terminal {
        Box::new(Bar::new(Instant::now()))
    } else {
        Box::new(Lines::new(stderr, verb, Instant::now()))
    }
}

/// Shows nothing.
struct Silence;

impl ProgressSink for Silence {
    fn report(&self, _: Snapshot) {}
}

/// A bar that is redrawn in place.
struct Bar {
    bar: ProgressBar,
    started: Instant,
}

/// Before the size of the input is known, and after.
const SPINNER: &str = "{spinner} {msg}";
const BAR: &str = "{bar:28} {msg}";

impl Bar {
    fn new(now: Instant) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style(SPINNER));
        Self { bar, started: now }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that does not parse would show a bar without text; a test parses both.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─")
}

impl ProgressSink for Bar {
    fn report(&self, snapshot: Snapshot) {
        if snapshot.input_bytes > 0 && self.bar.length() != Some(snapshot.input_bytes) {
            self.bar.set_length(snapshot.input_bytes);
            self.bar.set_style(style(BAR));
        }
        self.bar.set_message(state(snapshot, self.started.elapsed()));
        self.bar.set_position(snapshot.input_bytes_done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line at most every [`LINE_INTERVAL`].
struct Lines<'a> {
    stderr: &'a Stderr,
    verb: &'static str,
    started: Instant,
    last: Mutex<Instant>,
}

impl<'a> Lines<'a> {
    fn new(stderr: &'a Stderr, verb: &'static str, now: Instant) -> Self {
        Self { stderr, verb, started: now, last: Mutex::new(now) }
    }

    fn report_at(&self, snapshot: Snapshot, now: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(*last) < LINE_INTERVAL {
            return;
        }
        *last = now;
        let state = state(snapshot, now.saturating_duration_since(self.started));
        self.stderr.tell(&format!("{}: {state}\n", self.verb));
    }
}

impl ProgressSink for Lines<'_> {
    fn report(&self, snapshot: Snapshot) {
        self.report_at(snapshot, Instant::now());
    }
}

/// Says how far the work is: share, documents, speed, time left as far as they are known.
fn state(snapshot: Snapshot, elapsed: Duration) -> String {
    let Snapshot { input_bytes_done: done, input_bytes: total, documents, step } = snapshot;
    let mut parts = Vec::new();
    if total > 0 {
        parts.push(format!("{} of {}", percent(done as f64 / total as f64), bytes(total)));
    } else {
        parts.push(bytes(done));
    }
    if documents > 0 {
        parts.push(counted(documents, "document"));
    }
    match step {
        Step::Reading => {
            parts.push(bytes_per_second(done, elapsed));
            // A rest that is not finite or too far off for a duration is not worth telling.
            let rest_seconds = elapsed.as_secs_f64() * (total.saturating_sub(done) as f64 / done as f64);
            if let Ok(rest) = Duration::try_from_secs_f64(rest_seconds)
                && total > 0
            {
                parts.push(format!("{} left", duration(rest)));
            }
        }
        Step::Committing => parts.push("writing".to_owned()),
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const HALF: Snapshot =
        Snapshot { input_bytes_done: 500_000_000, input_bytes: 1_000_000_000, documents: 1234, step: Step::Reading };

    #[test]
    fn lines_come_at_most_every_five_seconds() {
        let sink = Sink::default();
        let stream = Mutex::new(Box::new(sink.clone()) as Box<dyn std::io::Write + Send>);
        let stderr = Stderr { stream, has_colour: false, is_terminal: false, is_quiet: false };
        let start = Instant::now();
        let lines = Lines::new(&stderr, "indexing", start);
        for ms in (0..=11_000).step_by(100) {
            lines.report_at(HALF, start + Duration::from_millis(ms));
        }
        let text = String::from_utf8(sink.0.lock().expect("no panic").clone()).expect("UTF-8");
        assert_eq!(
            text,
            "indexing: 50 % of 1.0 GB, 1,234 documents, 100 MB/s, 5.0 s left\n\
             indexing: 50 % of 1.0 GB, 1,234 documents, 50 MB/s, 10 s left\n"
        );
    }

    #[test]
    fn lines_tell_what_is_known() {
        let elapsed = Duration::from_secs(10);
        for (snapshot, expected) in [
            (Snapshot::default(), "0 bytes, 0 bytes/s"),
            (Snapshot { input_bytes: 0, ..HALF }, "500 MB, 1,234 documents, 50 MB/s"),
            (Snapshot { documents: 0, input_bytes_done: 0, ..HALF }, "0 % of 1.0 GB, 0 bytes/s"),
            (
                Snapshot { step: Step::Committing, input_bytes_done: HALF.input_bytes, ..HALF },
                "100 % of 1.0 GB, 1,234 documents, writing",
            ),
        ] {
            assert_eq!(state(snapshot, elapsed), expected);
        }
    }

    #[test]
    fn templates_parse() {
        for template in [SPINNER, BAR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
