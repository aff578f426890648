//! The log on standard error: text on a terminal, JSON otherwise.
//!
//! A separate thread writes the lines, so that callers never wait for standard error. Lines that do not fit the queue are
//! dropped and counted.

mod control;
mod filter;
mod json;
mod sink;

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{Subscriber, format::FmtSpan};
use tracing_subscriber::layer::SubscriberExt as _;

pub(crate) use self::control::FilterControl;
pub(crate) use self::filter::{FilterError, parse as parse_filter};
use self::json::JsonLines;
pub(crate) use self::sink::Lost;
use self::sink::Sink;
use crate::config::{Log, LogFormat, Problem, log_filter};

/// Maximum number of queued lines, a few megabytes.
const QUEUED_LINES: usize = 4_096;
/// Maximum time for writing queued lines before the program exits.
const FLUSH: Duration = Duration::from_secs(2);

/// The running log. Dropping it writes the queued lines, for at most [`FLUSH`].
pub(crate) struct RunningLog {
    guard: Option<WorkerGuard>,
    /// Replaces the filter.
    pub(crate) filter: Arc<FilterControl>,
    /// The lines that were lost.
    pub(crate) lost: Lost,
}

/// Starts the log for the rest of the program.
pub(crate) fn start(settings: &Log) -> Result<RunningLog, Problem> {
    check_environment_filter()?;
    let directives = log_filter().unwrap_or_else(|| settings.filter.clone());
    let filter = parse_filter(&directives).map_err(|error| Problem::new(error.message))?;
    let terminal = io::stderr().is_terminal();
    let sink = Sink::new(io::stderr(), report_lost);
    let lost = sink.lost();
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(QUEUED_LINES).thread_name("log").finish(sink);
    lost.count_dropped(writer.error_counter());
    let log = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(AutoStream::choice(&io::stderr()) != ColorChoice::Never)
        .with_span_events(FmtSpan::NONE)
        .log_internal_errors(false);
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let (started, filter) = if json {
        let log = log.event_format(JsonLines).with_filter_reloading();
        let filter = FilterControl::new(directives, log.reload_handle());
        (tracing::subscriber::set_global_default(log.finish().with(filter_fn(is_safe))), filter)
    } else {
        let log = log.with_filter_reloading();
        let filter = FilterControl::new(directives, log.reload_handle());
        (tracing::subscriber::set_global_default(log.finish().with(filter_fn(is_safe))), filter)
    };
    started.map_err(|_| Problem::new("the log was started twice"))?;
    log_panics();
    Ok(RunningLog { guard: Some(guard), filter: Arc::new(filter), lost })
}

fn report_lost(lines: usize) {
    tracing::warn!(lines, "lines of the log were lost: standard error was full, slow or closed");
}

/// Checks the filter in the environment. The filter in the configuration is checked when the configuration is read.
pub(crate) fn check_environment_filter() -> Result<(), Problem> {
    let Some(directives) = log_filter() else { return Ok(()) };
    parse_filter(&directives).map(drop).map_err(|error| {
        let problem =
            Problem::new(format!("the log filter in the variable `IDP_BRIDGE_LOG` cannot be used: {}", error.message));
        problem.with_hint(error.hint.unwrap_or_else(|| "write it like `info` or `info,idp_bridge_server=debug`".into()))
    })
}

/// Logs panics. The default hook writes to standard error directly, and could block there.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        // The message is left out, since it may contain secrets or personal data.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a thread panicked");
    }));
}

impl Drop for RunningLog {
    fn drop(&mut self) {
        let guard = self.guard.take();
        // The guard prints to standard output if the queue stays full, which may fail or block as well.
        let (ended, end) = mpsc::channel();
        let flushing = std::thread::Builder::new().spawn(move || {
            drop(guard);
            ended.send(())
        });
        if flushing.is_ok() {
            // After a timeout or a panic the remaining lines are lost, and cannot be reported either.
            let _ = end.recv_timeout(FLUSH);
        }
    }
}

/// Returns whether events of this kind never contain credentials.
///
/// The AWS SDK logs access key ids at `debug` and signatures at `trace`.
fn is_safe(event: &Metadata<'_>) -> bool {
    *event.level() <= Level::INFO || !event.target().starts_with("aws_")
}
