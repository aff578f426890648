//! The filter of the log, which can be replaced for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::task::AbortHandle;

/// The log's filter.
pub trait LogFilter: Send + Sync + 'static {
    /// Returns the configured filter.
    fn configured(&self) -> String;

    /// Fails with a message for the operator if the text is not a filter.
    fn check(&self, filter: &str) -> Result<(), String>;

    /// Replaces the filter in use. Fails with a message for the operator if the text is not a filter.
    fn apply(&self, filter: &str) -> Result<(), String>;
}

/// The log's filter, and its replacement.
pub(crate) struct LogLevel {
    filter: Arc<dyn LogFilter>,
    replaced: Arc<Mutex<Option<Replaced>>>,
}

/// A filter that is used for a while instead of the configured one.
struct Replaced {
    filter: String,
    until: Timestamp,
    /// The task that applies the configured filter again.
    end: AbortHandle,
}

/// The filter in use and the configured one.
#[derive(Debug, Serialize)]
pub(crate) struct ShownFilter {
    /// The filter in use.
    filter: String,
    configured: String,
    /// The time at which the configured filter is applied again.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl LogLevel {
    /// Creates the level for a filter.
    pub(crate) fn new(filter: Arc<dyn LogFilter>) -> Self {
        Self { filter, replaced: Arc::default() }
    }

    /// Returns the filters.
    pub(crate) fn show(&self) -> ShownFilter {
        let configured = self.filter.configured();
        match &*lock(&self.replaced) {
            Some(replaced) => ShownFilter { filter: replaced.filter.clone(), configured, until: Some(replaced.until) },
            None => ShownFilter { filter: configured.clone(), configured, until: None },
        }
    }

    /// Fails with a message for the operator if the text is not a filter.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        self.filter.check(text)
    }

    /// Replaces the filter until `now` + `time`. Fails with a message for the operator if the text is not a filter.
    ///
    /// Must be called in a runtime, which applies the configured filter again.
    pub(crate) fn replace(&self, text: String, time: Duration, now: Timestamp) -> Result<(), String> {
        let mut replaced = lock(&self.replaced);
        self.filter.apply(&text)?;
        if let Some(earlier) = replaced.take() {
            earlier.end.abort();
        }
        let (filter, state) = (Arc::clone(&self.filter), Arc::clone(&self.replaced));
        let end = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            restore(&*filter, &state);
        });
        let until = now.saturating_add(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)).unwrap_or(now);
        *replaced = Some(Replaced { filter: text, until, end: end.abort_handle() });
        Ok(())
    }
}

/// Applies the configured filter again.
fn restore(filter: &dyn LogFilter, replaced: &Mutex<Option<Replaced>>) {
    let mut replaced = lock(replaced);
    let configured = filter.configured();
    // The configured filter is valid.
    if filter.apply(&configured).is_ok() {
        *replaced = None;
        tracing::info!(filter = configured, "the configured log filter is applied again");
    }
}

/// Locks the replacement. A poisoned lock is fine, since the value is consistent after every statement.
fn lock(replaced: &Mutex<Option<Replaced>>) -> MutexGuard<'_, Option<Replaced>> {
    replaced.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter that records the applied filters.
    #[derive(Default)]
    struct Recorded(Mutex<Vec<String>>);

    impl LogFilter for Recorded {
        fn configured(&self) -> String {
            "info".into()
        }

        fn check(&self, filter: &str) -> Result<(), String> {
            if filter == "warning" { Err("did you mean `warn`?".into()) } else { Ok(()) }
        }

        fn apply(&self, filter: &str) -> Result<(), String> {
            self.check(filter)?;
            self.0.lock().unwrap().push(filter.into());
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn last_replacement_ends_in_time() {
        let recorded = Arc::new(Recorded::default());
        let level = LogLevel::new(recorded.clone());
        let (now, minute) = (Timestamp::UNIX_EPOCH, Duration::from_secs(60));
        level.replace("debug".into(), minute, now).unwrap();
        tokio::time::sleep(minute / 2).await;
        level.replace("trace".into(), minute, now).unwrap();
        assert_eq!(level.replace("warning".into(), minute, now), Err("did you mean `warn`?".into()));
        tokio::time::sleep(minute * 3 / 4).await;
        assert_eq!((level.show().filter, level.show().until.is_some()), ("trace".into(), true));
        tokio::time::sleep(minute / 2).await;
        assert_eq!((level.show().filter, level.show().until), ("info".into(), None));
        assert_eq!(*recorded.0.lock().unwrap(), ["debug", "trace", "info"]);
    }
}
