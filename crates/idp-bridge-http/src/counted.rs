//! Counts the attempts of requests.

use http::{HeaderName, HeaderValue};
use idp_bridge_core::{AttemptResult, CountedAttempt, Recorder, RunningAttempt, UpstreamCounters};

use crate::fault::Fault;
use crate::response::Response;

/// The header with the number of requests that an identity provider still accepts.
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// A running attempt. Dropping it counts an abandoned attempt.
pub(crate) struct HttpAttempt<'a> {
    counters: &'a UpstreamCounters,
    counted: CountedAttempt<'a>,
    step: RunningAttempt,
}

impl<'a> HttpAttempt<'a> {
    pub(crate) fn new(counters: &'a UpstreamCounters, step: RunningAttempt) -> Self {
        Self { counters, counted: counters.begin_attempt(), step }
    }

    /// Returns the `traceparent` to send, if the call has a trace.
    pub(crate) fn traceparent(&self) -> Option<HeaderValue> {
        self.step.traceparent()?.try_into().ok()
    }

    /// Counts the result.
    pub(crate) fn finish(self, result: &Result<Response, Fault>, recorder: &Recorder) {
        let status = result.as_ref().ok().map(|response| response.status.as_u16());
        let outcome = status.map_or(AttemptResult::NoResponse, AttemptResult::from_status);
        self.counted.finish(outcome);
        self.step.set_result(outcome, status);
        let Ok(response) = result else { return };
        recorder.set_status(response.status.as_u16());
        let remaining = response.headers.get(REMAINING).and_then(|value| value.to_str().ok());
        if let Some(remaining) = remaining.and_then(|text| text.trim().parse().ok()) {
            self.counters.set_quota(remaining);
        }
    }
}
