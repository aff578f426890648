//! What people see: lines like cargo's own, on standard error.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Duration;

use crate::environment;

const GREEN: &str = "\x1b[1;32m";
const YELLOW: &str = "\x1b[1;33m";
const RED: &str = "\x1b[1;31m";
const RESET: &str = "\x1b[0m";

/// A step that begins or ended: a verb, right-aligned as cargo does, and what it is about.
pub(crate) fn step(verb: &str, what: impl Display) {
    line(GREEN, &format!("{verb:>12}"), &format!(" {what}"));
}

/// Something that is not wrong but should be known.
pub(crate) fn note(what: impl Display) {
    line(YELLOW, "note", &format!(": {what}"));
}

/// An error with its causes, one a line.
pub(crate) fn error(error: &anyhow::Error) {
    line(RED, "error", &format!(": {error}"));
    for cause in error.chain().skip(1) {
        plain(format!("  caused by: {cause}"));
    }
}

/// Text as it is.
#[expect(clippy::print_stderr, reason = "the one place of these tasks that prints what people read")]
pub(crate) fn plain(text: impl Display) {
    eprintln!("{text}");
}

/// A line of a child's standard output, handed through.
#[expect(clippy::print_stdout, reason = "the output of `cargo test` stays where it was: on standard output")]
pub(crate) fn child_output(text: &str) {
    println!("{text}");
}

/// A time as people say it: `0.4s`, `12s`, `3m 07s`.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 {
        format!("{:.1}s", time.as_secs_f64())
    } else if seconds < 60 {
        format!("{seconds}s")
    } else {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    }
}

fn line(colour: &str, head: &str, rest: &str) {
    if std::io::stderr().is_terminal() && environment::variable("NO_COLOR").is_none() {
        plain(format!("{colour}{head}{RESET}{rest}"));
    } else {
        plain(format!("{head}{rest}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well_at_every_length() {
        assert_eq!(elapsed(Duration::from_millis(440)), "0.4s");
        assert_eq!(elapsed(Duration::from_secs(12)), "12s");
        assert_eq!(elapsed(Duration::from_secs(187)), "3m 07s");
    }
}
