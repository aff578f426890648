//! How a command ends: what it prints, and with which exit code.

use std::error::Error;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use idp_bridge_http::TransportCause;

use crate::config::Problem;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: it did what was asked.
    Done,
    /// 1: it was asked rightly, and the answer is negative.
    Negative,
    /// 2: it was asked wrongly, or the configuration is wrong.
    Usage,
}

/// What a command's `run` answers.
pub(crate) type Ended = Result<Exit, Failure>;

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    /// A negative end, for this reason.
    pub(crate) fn negative(problem: Problem) -> Self {
        Self { exit: Exit::Negative, problems: vec![problem] }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self { exit: Exit::Usage, problems }
    }
}

/// Whoever reads our output may stop, as `head` does: that is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self { exit: Exit::Done, problems: Vec::new() };
        }
        Self::negative(Problem::new(format!("the output cannot be written: {error}")))
    }
}

/// Turns the end of a command into the exit code, and writes what was wrong: as text to standard error, as JSON to standard
/// output.
pub(crate) fn finish(ended: Ended, as_json: bool) -> ExitCode {
    let exit = ended.unwrap_or_else(|failure| {
        if as_json && !failure.problems.is_empty() {
            // Output that cannot be written leaves no way to report it.
            let _ = print_json(&serde_json::json!({"ok": false, "problems": failure.problems}));
            return failure.exit;
        }
        let texts: Vec<String> = failure.problems.iter().map(ToString::to_string).collect();
        if !texts.is_empty() {
            // Nobody is left to tell if even this cannot be written.
            let _ = writeln!(io::stderr(), "{}", texts.join("\n\n"));
        }
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// Writes a text and a newline to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.trim_end_matches('\n').as_bytes())?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}

/// Writes a value as JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::negative(Problem::new(format!("the output cannot be written: {error}"))))?;
    print(&text)
}

/// Writes a remark to standard error.
pub(crate) fn remark(text: &str) {
    // A remark that nobody can read is no reason to stop.
    let _ = writeln!(io::stderr(), "{text}");
}

/// An error followed by its causes, each once.
///
/// The errors of the HTTP stack are left out, since the message before them has the [cause](TransportCause) in plain words.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|cause| !TransportCause::is_http_error(*cause)) {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
