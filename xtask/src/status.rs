//! Prints lines for people, like those of cargo, to standard error.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Time between two lines about a long step.
const REPORT_INTERVAL: Duration = Duration::from_secs(15);

/// Prints the start or end of a step: a verb, right-aligned as in cargo, and its object.
pub(crate) fn step(verb: &str, what: impl Display) {
    anstream::eprintln!("\x1b[1;32m{verb:>12}\x1b[0m {what}");
}

/// Prints a fact that is not an error.
pub(crate) fn note(what: impl Display) {
    anstream::eprintln!("\x1b[1;33mnote\x1b[0m: {what}");
}

/// Prints an error with its causes, one per line.
pub(crate) fn error(error: &anyhow::Error) {
    anstream::eprintln!("\x1b[1;31merror\x1b[0m: {error}");
    for cause in error.chain().skip(1) {
        plain(format!("  caused by: {cause}"));
    }
}

/// Prints text.
pub(crate) fn plain(text: impl Display) {
    anstream::eprintln!("{text}");
}

/// Prints a line that another program wrote to its standard output.
pub(crate) fn child_output(text: &str) {
    anstream::println!("{text}");
}

/// Formats a time: `0.4s`, `12s`, `3m 07s`.
pub(crate) fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds}s"),
        seconds => format!("{}m {:02}s", seconds / 60, seconds % 60),
    }
}

/// Prints a line every 15 seconds during a long step.
#[derive(Debug)]
pub(crate) struct Progress {
    verb: &'static str,
    started: Instant,
    printed: Instant,
}

impl Progress {
    pub(crate) fn new(verb: &'static str) -> Self {
        Self { verb, started: Instant::now(), printed: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Prints a line if the last one is old enough.
    pub(crate) fn show(&mut self) {
        if self.printed.elapsed() >= REPORT_INTERVAL {
            self.printed = Instant::now();
            step(self.verb, format!("still, after {}", elapsed(self.elapsed())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable() {
        assert_eq!(elapsed(Duration::from_millis(440)), "0.4s");
        assert_eq!(elapsed(Duration::from_secs(12)), "12s");
        assert_eq!(elapsed(Duration::from_secs(187)), "3m 07s");
    }
}
