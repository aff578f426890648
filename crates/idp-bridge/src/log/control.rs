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

    fn apply(&self, text: &str) -> Result<(), String> {
        let parsed = filter::parse(text).map_err(|error| match error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message,
        })?;
        if (self.reload)(parsed) { Ok(()) } else { Err("the log has ended".to_owned()) }
    }
}
