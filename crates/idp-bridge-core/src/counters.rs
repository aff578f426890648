//! Counters of a tenant's requests to its identity provider, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use serde::{Serialize, Serializer};

/// The result of an attempt of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// A response with a status of 1xx or 2xx.
    Success,
    /// A redirect.
    Redirect,
    /// A response with status 429.
    RateLimited,
    /// A response with another status of 4xx.
    Refused,
    /// A response with a status of 5xx.
    Failed,
    /// No response: the connection failed or broke, or its response was not HTTP.
    NoResponse,
    /// The deadline passed, or the other one of two concurrent attempts was answered first.
    Abandoned,
}

impl AttemptResult {
    /// All results.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Redirect,
        Self::RateLimited,
        Self::Refused,
        Self::Failed,
        Self::NoResponse,
        Self::Abandoned,
    ];

    /// Returns the result of a response with this status.
    pub fn from_status(status: u16) -> Self {
        match status {
            0..300 => Self::Success,
            300..400 => Self::Redirect,
            429 => Self::RateLimited,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }

    /// Returns the name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::RateLimited => "429",
            Self::Refused => "4xx",
            Self::Failed => "5xx",
            Self::NoResponse => "no_response",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Serialize for AttemptResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A value that the calls of a tenant share, and that is fetched from the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedValue {
    /// The bridge's own access token.
    AdminToken,
    /// The discovery document.
    Discovery,
    /// The keys that verify tokens.
    Keys,
}

impl SharedValue {
    /// All values.
    pub const ALL: [Self; 3] = [Self::AdminToken, Self::Discovery, Self::Keys];

    /// Returns the name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdminToken => "admin_token",
            Self::Discovery => "discovery",
            Self::Keys => "keys",
        }
    }
}

/// Counts the requests of a tenant to its identity provider. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct UpstreamCounters(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    attempts: [AtomicU64; AttemptResult::ALL.len()],
    held_back: AtomicU64,
    outages: AtomicU64,
    hosts_down: AtomicI64,
    fetches: [[AtomicU64; 2]; SharedValue::ALL.len()],
    /// The remaining requests plus one; 0 if the identity provider has not sent them.
    quota: AtomicU64,
}

impl UpstreamCounters {
    /// Counts a request. Its retries are attempts.
    pub fn count_request(&self) {
        self.0.requests.fetch_add(1, Relaxed);
    }

    /// Begins an attempt of a request.
    pub fn begin_attempt(&self) -> CountedAttempt<'_> {
        CountedAttempt { counters: self, result: AttemptResult::Abandoned }
    }

    fn count_attempt(&self, result: AttemptResult) {
        if let Some(count) = self.0.attempts.get(result as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Counts a request that was not sent, since its host is down.
    pub fn count_held_back(&self) {
        self.0.held_back.fetch_add(1, Relaxed);
    }

    /// Records that a host is down.
    pub fn host_down(&self) {
        self.0.outages.fetch_add(1, Relaxed);
        self.0.hosts_down.fetch_add(1, Relaxed);
    }

    /// Records that a host is no longer down, or no longer used.
    pub fn host_up(&self) {
        self.0.hosts_down.fetch_sub(1, Relaxed);
    }

    /// Counts a fetch of a shared value.
    pub fn count_fetch(&self, value: SharedValue, is_ok: bool) {
        if let Some(count) = self.0.fetches.get(value as usize).and_then(|counts| counts.get(usize::from(is_ok))) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Sets the number of requests that the identity provider still accepts in the current period.
    pub fn set_quota(&self, remaining: u64) {
        self.0.quota.store(remaining.saturating_add(1), Relaxed);
    }

    /// Returns the number of requests.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Relaxed)
    }

    /// Returns the number of attempts with this result.
    pub fn attempts(&self, result: AttemptResult) -> u64 {
        self.0.attempts.get(result as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// Returns the number of requests that were not sent.
    pub fn held_back(&self) -> u64 {
        self.0.held_back.load(Relaxed)
    }

    /// Returns the number of times that a host went down.
    pub fn outages(&self) -> u64 {
        self.0.outages.load(Relaxed)
    }

    /// Returns the number of hosts that are down.
    pub fn hosts_down(&self) -> i64 {
        self.0.hosts_down.load(Relaxed)
    }

    /// Returns the number of fetches of a value with this result.
    pub fn fetches(&self, value: SharedValue, is_ok: bool) -> u64 {
        let count = self.0.fetches.get(value as usize).and_then(|counts| counts.get(usize::from(is_ok)));
        count.map_or(0, |count| count.load(Relaxed))
    }

    /// Returns the remaining requests of the current period, if the identity provider sends them.
    pub fn quota(&self) -> Option<u64> {
        self.0.quota.load(Relaxed).checked_sub(1)
    }
}

/// A running attempt, which is counted when this is dropped: as an abandoned one, unless it has finished.
#[derive(Debug)]
pub struct CountedAttempt<'a> {
    counters: &'a UpstreamCounters,
    result: AttemptResult,
}

impl CountedAttempt<'_> {
    /// Counts the attempt with this result.
    pub fn finish(mut self, result: AttemptResult) {
        self.result = result;
    }
}

impl Drop for CountedAttempt<'_> {
    fn drop(&mut self) {
        self.counters.count_attempt(self.result);
    }
}

/// Counts are not part of a policy: policies with different counters are equal.
impl PartialEq for UpstreamCounters {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for UpstreamCounters {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_has_its_own_count() {
        let counters = UpstreamCounters::default();
        for (index, status) in [200, 302, 429, 404, 503].into_iter().enumerate() {
            (0..=index).for_each(|_| counters.clone().begin_attempt().finish(AttemptResult::from_status(status)));
        }
        drop(counters.begin_attempt());
        assert_eq!(AttemptResult::ALL.map(|result| counters.attempts(result)), [1, 2, 3, 4, 5, 0, 1]);
        counters.count_fetch(SharedValue::Keys, false);
        assert_eq!((counters.fetches(SharedValue::Keys, false), counters.fetches(SharedValue::Keys, true)), (1, 0));
    }

    #[test]
    fn quota_is_absent_until_it_is_set() {
        let counters = UpstreamCounters::default();
        assert_eq!(counters.quota(), None);
        counters.set_quota(0);
        assert_eq!(counters.quota(), Some(0));
    }
}
