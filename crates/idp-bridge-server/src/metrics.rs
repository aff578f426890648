//! Counts calls, by tenant, and measures them, by connector.
//!
//! A label's values are configured tenants and connectors, or names that the code has. A tenant has counters only, since a
//! histogram is a dozen series.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;

use crate::call_record::CallRecord;
use crate::history::History;

/// The upper bounds of the buckets of a call's duration, in seconds.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The durations of calls, by connector and call.
pub(crate) type Durations =
    Family<DurationLabels, HistogramWithExemplars<TraceLabels>, fn() -> HistogramWithExemplars<TraceLabels>>;

/// The counters of all requests to tenants.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// The requests to paths of tenants that do not exist.
    pub(crate) unknown: CallCounters,
    pub(crate) durations: Durations,
    /// The calls of all tenants.
    pub(crate) history: History,
    shed: [AtomicU64; Limit::ALL.len()],
}

/// The labels of a duration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DurationLabels {
    connector: &'static str,
    call: &'static str,
}

/// The label of an exemplar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TraceLabels {
    trace_id: String,
}

/// The calls of a tenant, by name and code.
#[derive(Debug, Default)]
pub(crate) struct CallCounters(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

/// A tenant's part of the metrics.
#[derive(Debug, Clone)]
pub(crate) struct TenantMetrics {
    pub(crate) connector: &'static str,
    pub(crate) calls: Arc<CallCounters>,
    pub(crate) history: Arc<History>,
}

/// A limit that refuses calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `calls_per_second` of the tenant.
    TenantRate,
    /// `queue` of the tenant.
    TenantQueue,
    /// `queue_time` of the tenant.
    TenantQueueTime,
    /// `server.limits.calls`.
    ProcessCalls,
}

impl Limit {
    /// The key of the limit in the context of an error.
    pub(crate) const CONTEXT: &'static str = "limit";
    /// All limits.
    pub(crate) const ALL: [Self; 4] = [Self::TenantRate, Self::TenantQueue, Self::TenantQueueTime, Self::ProcessCalls];

    /// Returns the name in errors and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TenantRate => "calls_per_second",
            Self::TenantQueue => "queue",
            Self::TenantQueueTime => "queue_time",
            Self::ProcessCalls => "server_calls",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> HistogramWithExemplars<TraceLabels> =
            || HistogramWithExemplars::new(BUCKETS.into_iter());
        Self {
            unknown: CallCounters::default(),
            history: History::default(),
            durations: Family::new_with_constructor(histogram),
            shed: Default::default(),
        }
    }
}

impl Metrics {
    /// Counts a request, and measures it if its tenant exists.
    pub(crate) fn count_call(&self, tenant: Option<&TenantMetrics>, record: &CallRecord, now: Timestamp) {
        let call = record.call.unwrap_or(record.surface);
        let Some(tenant) = tenant else {
            self.unknown.count(call, record.code);
            return;
        };
        tenant.calls.count(call, record.code);
        for history in [&self.history, &*tenant.history] {
            history.count(now, record.status >= 500, record.duration);
        }
        let labels = DurationLabels { connector: tenant.connector, call };
        let exemplar = record.trace_id.clone().map(|trace_id| TraceLabels { trace_id });
        self.durations.get_or_create(&labels).observe(record.duration.as_secs_f64(), exemplar, None);
    }

    /// Counts a call that a limit of this name refused.
    pub(crate) fn count_shed(&self, limit: &str) {
        let position = Limit::ALL.iter().position(|known| known.as_str() == limit);
        if let Some(count) = position.and_then(|position| self.shed.get(position)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Returns the number of calls that a limit refused.
    pub(crate) fn shed(&self, limit: Limit) -> u64 {
        self.shed.get(limit as usize).map_or(0, |count| count.load(Relaxed))
    }
}

impl CallCounters {
    fn count(&self, call: &'static str, code: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((call, code)).or_default() += 1;
    }

    /// Returns the counts by call and code, sorted.
    pub(crate) fn counts(&self) -> Vec<((&'static str, &'static str), u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(names, count)| (*names, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_by_name() {
        let metrics = Metrics::default();
        metrics.count_shed(Limit::TenantQueueTime.as_str());
        metrics.count_shed("another");
        assert_eq!(Limit::ALL.map(|limit| metrics.shed(limit)), [0, 0, 1, 0]);
    }
}
