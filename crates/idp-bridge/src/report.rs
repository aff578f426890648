//! Output and exit codes of the commands.

use std::error::Error;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use idp_bridge_http::TransportCause;

use crate::config::Problem;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: success.
    Done,
    /// 1: the answer is negative.
    Negative,
    /// 2: wrong usage or configuration.
    Usage,
}

/// The result of a command.
pub(crate) type CommandResult = Result<Exit, Failure>;

/// The problems that stopped a command, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    /// Creates a failure with [`Exit::Negative`].
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

/// Creates the failure of a write to standard output. A closed output, as after `| head`, counts as success.
fn output_failure(error: io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure { exit: Exit::Done, problems: Vec::new() };
    }
    Failure::negative(Problem::new(format!("the output cannot be written: {error}")))
}

/// Prints the problems of a failed command and returns the exit code.
///
/// The problems are written as text to standard error, or as JSON to standard output.
pub(crate) fn finish(result: CommandResult, as_json: bool) -> ExitCode {
    let exit = result.unwrap_or_else(|failure| {
        if as_json && !failure.problems.is_empty() {
            // A failed write cannot be reported.
            let _ = print_json(&serde_json::json!({"ok": false, "problems": failure.problems}));
            return failure.exit;
        }
        let texts: Vec<String> = failure.problems.iter().map(ToString::to_string).collect();
        if !texts.is_empty() {
            // A failed write cannot be reported.
            let _ = writeln!(io::stderr(), "{}", texts.join("\n\n"));
        }
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// Writes a text and a newline to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let mut write = |text: &str| stdout.write_all(text.as_bytes());
    write(text.trim_end_matches('\n')).and_then(|()| write("\n")).and_then(|()| stdout.flush()).map_err(output_failure)
}

/// Writes a value as JSON to standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::negative(Problem::new(format!("the output cannot be written: {error}"))))?;
    print(&text)
}

/// Writes a note to standard error.
pub(crate) fn print_note(text: &str) {
    // A failed write of a note must not stop the command.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Returns the cause of a call without a response, or `None` if the request could not be built.
pub(crate) fn transport_cause(error: &reqwest::Error, is_https: bool) -> Option<TransportCause> {
    match (error.is_builder(), error.is_timeout(), error.is_connect()) {
        (true, ..) => None,
        (_, true, true) => Some(TransportCause::ConnectTimeout),
        (_, true, false) => Some(TransportCause::AnswerTimeout),
        (.., is_connecting) => Some(TransportCause::from_parts(error, is_connecting, is_https)),
    }
}

/// Returns the message of an error followed by those of its causes, each once.
///
/// Errors of the HTTP stack are left out, since the message before them names the [cause](TransportCause).
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) =
        cause.filter(|cause| !TransportCause::is_http_error(*cause) && !cause.is::<reqwest::Error>())
    {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
