//! Replaces the filter of the running log.

use idp_bridge_server::LogFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use super::filter;

/// The filter of the running log.
pub(crate) struct FilterControl {
    configured: String,
    /// Returns whether the log still runs.
    reload: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

impl FilterControl {
    /// Creates the control of a log that was started with this filter.
    pub(super) fn new<S: 'static>(configured: String, handle: Handle<EnvFilter, S>) -> Self {
        Self { configured, reload: Box::new(move |filter| handle.reload(filter).is_ok()) }
    }
}

impl LogFilter for FilterControl {
    fn configured(&self) -> String {
        self.configured.clone()
    }

    fn check(&self, text: &str) -> Result<(), String> {
        parse(text).map(drop)
    }

    fn apply(&self, text: &str) -> Result<(), String> {
        if (self.reload)(parse(text)?) { Ok(()) } else { Err("the log has ended".to_owned()) }
    }
}

/// Parses a filter. The error is a message for the operator.
fn parse(text: &str) -> Result<EnvFilter, String> {
    filter::parse(text).map_err(|error| match error.hint {
        Some(hint) => format!("{}; {hint}", error.message),
        None => error.message,
    })
}
