//! Counts the attempts of requests.

use http::HeaderName;
use idp_bridge_core::{AttemptResult, Recorder, UpstreamCounters};

use crate::fault::Fault;
use crate::response::Response;

/// The header with the number of requests that an identity provider still accepts.
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

/// A running attempt. Dropping it counts an abandoned attempt.
pub(crate) struct CountedAttempt<'a> {
    counters: &'a UpstreamCounters,
    is_counted: bool,
}

impl<'a> CountedAttempt<'a> {
    pub(crate) fn new(counters: &'a UpstreamCounters) -> Self {
        Self { counters, is_counted: false }
    }

    /// Counts the result.
    pub(crate) fn finish(mut self, result: &Result<Response, Fault>, recorder: &Recorder) {
        self.is_counted = true;
        let Ok(response) = result else {
            self.counters.count_attempt(AttemptResult::NoResponse);
            return;
        };
        recorder.set_status(response.status.as_u16());
        self.counters.count_attempt(AttemptResult::from_status(response.status.as_u16()));
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
