//! The log: on standard error, as text on a terminal and as JSON elsewhere.

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{Subscriber, format::FmtSpan};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::config::{Log, LogFormat, Problem, log_filter};

/// Starts the log for the rest of the program.
pub(crate) fn start(settings: &Log) -> Result<(), Problem> {
    let directives = log_filter().unwrap_or_else(|| settings.filter.clone());
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        Problem::new(format!("the log filter cannot be read: {error}"))
            .hint("write IDP_BRIDGE_LOG like `info` or `info,idp_bridge_server=debug`")
    })?;
    let terminal = io::stderr().is_terminal();
    let log = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal)
        .with_span_events(FmtSpan::NONE);
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let started = if json {
        tracing::subscriber::set_global_default(log.json().flatten_event(true).finish().with(filter_fn(is_safe)))
    } else {
        tracing::subscriber::set_global_default(log.finish().with(filter_fn(is_safe)))
    };
    started.map_err(|_| Problem::new("the log was started twice"))
}

/// Whether lines of this kind hold no credentials, whatever the filter asks for. The AWS SDK writes access key ids at `debug`, and
/// signatures at `trace`.
fn is_safe(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::INFO || !line.target().starts_with("aws_")
}
