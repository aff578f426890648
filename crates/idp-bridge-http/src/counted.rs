//! Counts the attempts of requests.

use http::{HeaderName, HeaderValue};
use idp_bridge_core::{AttemptResult, Recorder, RunningAttempt, UpstreamCounters};

use crate::fault::Fault;
use crate::response::Response;

/// The header with the number of requests that an identity provider still accepts.
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// A running attempt. Dropping it counts an abandoned attempt.
pub(crate) struct CountedAttempt<'a> {
    counters: &'a UpstreamCounters,
    step: RunningAttempt,
    is_counted: bool,
}

impl<'a> CountedAttempt<'a> {
    pub(crate) fn new(counters: &'a UpstreamCounters, step: RunningAttempt) -> Self {
        Self { counters, step, is_counted: false }
    }

    /// Returns the `traceparent` to send, if the call has a trace.
    pub(crate) fn traceparent(&self) -> Option<HeaderValue> {
        self.step.traceparent()?.try_into().ok()
    }

    /// Counts the result.
    pub(crate) fn finish(mut self, result: &Result<Response, Fault>, recorder: &Recorder) {
        self.is_counted = true;
        let status = result.as_ref().ok().map(|response| response.status.as_u16());
        let outcome = status.map_or(AttemptResult::NoResponse, AttemptResult::from_status);
        self.counters.count_attempt(outcome);
        self.step.set_result(outcome, status);
        let Ok(response) = result else { return };
        recorder.set_status(response.status.as_u16());
        let remaining = response.headers.get(REMAINING).and_then(|value| value.to_str().ok());
        if let Some(remaining) = remaining.and_then(|text| text.trim().parse().ok()) {
            self.counters.set_quota(remaining);
        }
    }
}

impl Drop for CountedAttempt<'_> {
    fn drop(&mut self) {
        if !self.is_counted {
            self.counters.count_attempt(AttemptResult::Abandoned);
        }
    }
}
