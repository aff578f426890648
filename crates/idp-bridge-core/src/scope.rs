//! The scope of a call: its id, its deadline and a recorder of its upstream requests.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::Timeline;

/// The scope of one call, handed down to the provider and to its HTTP client.
#[derive(Debug, Clone)]
pub struct CallScope {
    request_id: Arc<str>,
    deadline: Instant,
    recorder: Recorder,
}

impl CallScope {
    /// Creates a scope that ends after `timeout`.
    pub fn new(request_id: impl Into<Arc<str>>, timeout: Duration) -> Self {
        Self { request_id: request_id.into(), deadline: Instant::now() + timeout, recorder: Recorder::default() }
    }

    /// Creates a scope that ends at `deadline`, with a recorder that has counted before the call began.
    pub fn until(deadline: Instant, request_id: impl Into<Arc<str>>, recorder: Recorder) -> Self {
        Self { request_id: request_id.into(), deadline, recorder }
    }

    /// Returns this scope with another deadline, for work that outlives the call: it counts in the same recorder.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { deadline: Instant::now() + timeout, ..self.clone() }
    }

    /// Returns the request id, which the log and the response contain.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Returns the deadline. A request that cannot end before must not start.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the remaining time; zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns the recorder.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

/// Whether a failed call may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No write took effect.
    NotApplied,
    /// A write may have reached the identity provider.
    Unknown,
}

impl Outcome {
    /// Returns the name in answers, in the log and in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        }
    }
}

/// Counts the upstream requests of a call, and records its steps.
///
/// Clones share the counts, so that they survive when the deadline drops the call's future.
#[derive(Clone, Default)]
pub struct Recorder {
    counts: Arc<Counts>,
    timeline: Timeline,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU32,
    attempts: AtomicU32,
    /// 0 before the first response.
    status: AtomicU16,
    writes: AtomicU32,
    has_written: AtomicBool,
    write_hook: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Recorder {
    /// Returns the steps of the call.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Records the start of a request to the identity provider. Its retries are attempts.
    pub fn count_request(&self) {
        self.counts.requests.fetch_add(1, Relaxed);
    }

    /// Records an attempt of a request.
    pub fn count_attempt(&self) {
        self.counts.attempts.fetch_add(1, Relaxed);
    }

    /// Records the status of a response of the identity provider.
    pub fn set_status(&self, status: u16) {
        self.counts.status.store(status, Relaxed);
    }

    /// Returns the status of the last response, if there was one.
    pub fn status(&self) -> Option<u16> {
        Some(self.counts.status.load(Relaxed)).filter(|status| *status > 0)
    }

    /// Records that a write is about to be sent: its outcome is unknown from now on.
    pub fn begin_write(&self) {
        self.counts.writes.fetch_add(1, Relaxed);
        self.counts.has_written.store(true, Relaxed);
        if let Some(hook) = self.counts.write_hook.get() {
            hook();
        }
    }

    /// Sets the function that runs whenever a write begins. It is set once, before the call.
    pub fn set_write_hook(&self, hook: impl Fn() + Send + Sync + 'static) {
        let _ = self.counts.write_hook.set(Box::new(hook));
    }

    /// Returns whether a write has begun, including those that were refused later.
    pub fn has_written(&self) -> bool {
        self.counts.has_written.load(Relaxed)
    }

    /// Records that the last write had no effect: it was not sent, or the identity provider rejected it.
    pub fn write_refused(&self) {
        let _ = self.counts.writes.fetch_update(Relaxed, Relaxed, |writes| writes.checked_sub(1));
    }

    /// Returns the number of requests.
    pub fn requests(&self) -> u32 {
        self.counts.requests.load(Relaxed)
    }

    /// Returns the number of attempts.
    pub fn attempts(&self) -> u32 {
        self.counts.attempts.load(Relaxed)
    }

    /// Returns the outcome to report if the call fails.
    pub fn outcome(&self) -> Outcome {
        if self.counts.writes.load(Relaxed) == 0 { Outcome::NotApplied } else { Outcome::Unknown }
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
    fn write_is_unknown_until_it_is_refused() {
        let scope = CallScope::new("r-1", Duration::from_secs(1));
        let seen_from_outside = scope.recorder().clone();
        assert_eq!(seen_from_outside.outcome(), Outcome::NotApplied);
        scope.recorder().begin_write();
        assert_eq!(seen_from_outside.outcome(), Outcome::Unknown);
        scope.recorder().write_refused();
        assert_eq!(seen_from_outside.outcome(), Outcome::NotApplied);
        scope.recorder().begin_write();
        scope.recorder().begin_write();
        scope.recorder().write_refused();
        assert_eq!(seen_from_outside.outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_refused_write_has_begun() {
        let recorder = Recorder::default();
        let writes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&writes);
        recorder.set_write_hook(move || {
            counted.fetch_add(1, Relaxed);
        });
        assert!(!recorder.has_written());
        recorder.clone().begin_write();
        recorder.write_refused();
        assert!(recorder.has_written());
        assert_eq!((writes.load(Relaxed), recorder.outcome()), (1, Outcome::NotApplied));
    }
}
