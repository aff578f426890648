//! What travels with a call: its id, its deadline and a recorder of what it did upstream.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The scope of one call, handed down to the provider and to its HTTP client.
#[derive(Debug, Clone)]
pub struct CallScope {
    request_id: Arc<str>,
    deadline: Instant,
    recorder: Recorder,
}

impl CallScope {
    /// A scope that ends after `timeout`.
    pub fn new(request_id: impl Into<Arc<str>>, timeout: Duration) -> Self {
        Self { request_id: request_id.into(), deadline: Instant::now() + timeout, recorder: Recorder::default() }
    }

    /// Returns this scope with another deadline, for work that outlives the call: it counts in the same recorder.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { deadline: Instant::now() + timeout, ..self.clone() }
    }

    /// The id that the log and the answer name.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// When the call must be over. Nothing may be started that cannot end before.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How much time is left; zero when the deadline has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The recorder of this call.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

/// Whether a failed call may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed.
    NotApplied,
    /// A write may have reached the identity provider.
    Unknown,
}

/// Counts what a call does upstream.
///
/// It lives outside the call's future, so that what it knows survives when the deadline drops that future.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Counts>);

#[derive(Default)]
struct Counts {
    requests: AtomicU32,
    attempts: AtomicU32,
    writes: AtomicU32,
    has_written: AtomicBool,
    on_write: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Recorder {
    /// A logical request to the identity provider begins (its retries are attempts of it).
    pub fn request(&self) {
        self.0.requests.fetch_add(1, Relaxed);
    }

    /// An attempt of a request is sent.
    pub fn attempt(&self) {
        self.0.attempts.fetch_add(1, Relaxed);
    }

    /// A write is about to leave: from now on its outcome is unknown.
    pub fn write_begins(&self) {
        self.0.writes.fetch_add(1, Relaxed);
        self.0.has_written.store(true, Relaxed);
        if let Some(hook) = self.0.on_write.get() {
            hook();
        }
    }

    /// Sets the function that runs whenever a write begins. It is set once, before the call.
    pub fn on_write(&self, hook: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.on_write.set(Box::new(hook));
    }

    /// Whether a write has begun, including those that were refused later.
    pub fn has_written(&self) -> bool {
        self.0.has_written.load(Relaxed)
    }

    /// The write that began last surely changed nothing: it was never sent, or the answer refused it.
    pub fn write_refused(&self) {
        let _ = self.0.writes.fetch_update(Relaxed, Relaxed, |writes| writes.checked_sub(1));
    }

    /// Logical requests so far.
    pub fn requests(&self) -> u32 {
        self.0.requests.load(Relaxed)
    }

    /// Attempts so far.
    pub fn attempts(&self) -> u32 {
        self.0.attempts.load(Relaxed)
    }

    /// What a failed call must say of its writes.
    pub fn outcome(&self) -> Outcome {
        if self.0.writes.load(Relaxed) == 0 { Outcome::NotApplied } else { Outcome::Unknown }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("requests", &self.requests())
            .field("attempts", &self.attempts())
            .field("outcome", &self.outcome())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_unknown_until_it_is_surely_refused() {
        let scope = CallScope::new("r-1", Duration::from_secs(1));
        let seen_from_outside = scope.recorder().clone();
        assert_eq!(seen_from_outside.outcome(), Outcome::NotApplied);
        scope.recorder().write_begins();
        assert_eq!(seen_from_outside.outcome(), Outcome::Unknown);
        scope.recorder().write_refused();
        assert_eq!(seen_from_outside.outcome(), Outcome::NotApplied);
        scope.recorder().write_begins();
        scope.recorder().write_begins();
        scope.recorder().write_refused();
        assert_eq!(seen_from_outside.outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_refused_write_has_begun() {
        let recorder = Recorder::default();
        let writes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&writes);
        recorder.on_write(move || {
            counted.fetch_add(1, Relaxed);
        });
        assert!(!recorder.has_written());
        recorder.clone().write_begins();
        recorder.write_refused();
        assert!(recorder.has_written());
        assert_eq!((writes.load(Relaxed), recorder.outcome()), (1, Outcome::NotApplied));
    }
}
