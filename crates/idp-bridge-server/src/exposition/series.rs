//! The metrics: their names, types, labels, meanings and values.

use std::fmt;
use std::sync::Arc;

use idp_bridge_core::{AttemptResult, SharedValue};
use prometheus_client::metrics::MetricType;

use super::samples::Samples;
use crate::audit::AuditCounts;
use crate::metrics::Limit;
use crate::state::ServerState;
use crate::store::Operation;
use crate::telemetry::SpanCounts;
use crate::tenant::Tenant;
use crate::tenants::ReloadResult;

/// A metric.
pub(super) struct Series {
    /// The name without its suffix for the type.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_in_seconds: bool,
    pub(super) labels: &'static [&'static str],
    /// The meaning, as a sentence without its full stop.
    pub(super) help: &'static str,
    pub(super) collect: fn(&ServerState, &mut Samples<'_>) -> fmt::Result,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// Returns the name of the type.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Series {
    const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &'static str,
        collect: fn(&ServerState, &mut Samples<'_>) -> fmt::Result,
    ) -> Self {
        Self { name, kind, is_in_seconds: false, labels, help, collect }
    }

    /// Returns the name as it is queried.
    pub(super) fn full_name(&self) -> String {
        let unit = if self.is_in_seconds { "_seconds" } else { "" };
        let suffix = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{suffix}", self.name)
    }

    pub(super) fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        }
    }
}

use Kind::{Counter, Gauge, Histogram};

/// The labels of a tenant.
const TENANT: &[&str] = &["tenant", "connector"];

/// All metrics.
pub(super) const SERIES: &[Series] = &[
    Series::new(
        "idp_bridge_calls",
        Counter,
        &["tenant", "connector", "call", "code"],
        "Requests to tenants by their result: `ok` or the code of the problem, `abandoned` if the caller disconnected; \
         `call` is the kind of request if no call was recognized, and `tenant` is empty if it does not exist",
        calls,
    ),
    Series {
        is_in_seconds: true,
        ..Series::new(
            "idp_bridge_call_duration",
            Histogram,
            &["connector", "call"],
            "Durations of requests to tenants, with trace ids as exemplars",
            // Encoded as a whole.
            |_, _| Ok(()),
        )
    },
    Series::new("idp_bridge_calls_shed", Counter, &["limit"], "Calls that a limit refused", |state, samples| {
        Limit::ALL.iter().try_for_each(|limit| samples.counter(&[limit.as_str()], state.telemetry.metrics.shed(*limit)))
    }),
    Series::new(
        "idp_bridge_calls_in_flight",
        Gauge,
        &[],
        "Calls that run or wait, of all tenants; `server.limits.calls` is the maximum",
        |state, samples| samples.size(state.limits.calls.saturating_sub(state.guard.available())),
    ),
    Series::new(
        "idp_bridge_calls_running",
        Gauge,
        &[],
        "Calls that use an identity provider now, of all tenants",
        |state, samples| samples.size(state.tenants.load().iter().filter_map(|tenant| tenant.running_calls()).sum()),
    ),
    Series::new(
        "idp_bridge_upstream_requests",
        Counter,
        TENANT,
        "Requests to the identity provider, without their retries",
        |state, samples| each_count(state, samples, |tenant| tenant.upstream.requests()),
    ),
    Series::new(
        "idp_bridge_upstream_attempts",
        Counter,
        &["tenant", "connector", "result"],
        "Attempts of requests to the identity provider by the class of their status (`429` apart from `4xx`), \
         `no_response`, or `abandoned` at the deadline",
        attempts,
    ),
    Series::new(
        "idp_bridge_upstream_held_back",
        Counter,
        TENANT,
        "Requests that were not sent, since the circuit breaker of their host was open",
        |state, samples| each_count(state, samples, |tenant| tenant.upstream.held_back()),
    ),
    Series::new(
        "idp_bridge_upstream_outages",
        Counter,
        TENANT,
        "Times that a circuit breaker opened",
        |state, samples| each_count(state, samples, |tenant| tenant.upstream.outages()),
    ),
    Series::new(
        "idp_bridge_upstream_hosts_down",
        Gauge,
        TENANT,
        "Hosts with an open circuit breaker; absent for tenants that never had one",
        |state, samples| {
            each_tenant(state, |tenant| match tenant.upstream.outages() {
                0 => Ok(()),
                _ => samples.gauge(&[tenant.id.as_str(), tenant.connector], tenant.upstream.hosts_down()),
            })
        },
    ),
    Series::new(
        "idp_bridge_upstream_fetches",
        Counter,
        &["tenant", "connector", "value", "result"],
        "Fetches of values that calls share: `admin_token`, `discovery` and `keys`; the result is `ok` or `error`",
        fetches,
    ),
    Series::new(
        "idp_bridge_upstream_quota_remaining",
        Gauge,
        TENANT,
        "Requests that the identity provider still accepts in its current period, from `x-ratelimit-remaining` of its last \
         response; absent if it sends none",
        |state, samples| {
            each_tenant(state, |tenant| match tenant.upstream.quota() {
                Some(quota) => {
                    let quota = i64::try_from(quota).unwrap_or(i64::MAX);
                    samples.gauge(&[tenant.id.as_str(), tenant.connector], quota)
                }
                None => Ok(()),
            })
        },
    ),
    Series::new("idp_bridge_tenants", Gauge, &[], "Tenants that are served", |state, samples| {
        samples.size(state.tenants.load().len())
    }),
    Series::new(
        "idp_bridge_tenants_broken",
        Gauge,
        &[],
        "Tenants with new settings that could not be loaded; they keep their earlier ones",
        |state, samples| samples.size(state.tenants.broken()),
    ),
    Series::new(
        "idp_bridge_doctor_checks_failed",
        Gauge,
        TENANT,
        "Checks that failed in the last diagnosis of the identity provider; absent until its first diagnosis, and without \
         `server.doctor_interval`",
        failed_checks,
    ),
    Series::new(
        "idp_bridge_reloads",
        Counter,
        &["result"],
        "Reloads of the configuration: `ok`, `partial` if a tenant is invalid, `failed` if nothing was changed",
        |state, samples| {
            ReloadResult::ALL
                .iter()
                .try_for_each(|result| samples.counter(&[result.as_str()], state.tenants.reloads(*result)))
        },
    ),
    Series::new(
        "idp_bridge_log_lines_lost",
        Counter,
        &[],
        "Lines of the log that were lost, since standard error was full, slow or closed",
        |state, samples| samples.total(state.lost_lines.as_ref().map_or(0, |lost| lost())),
    ),
    Series::new(
        "idp_bridge_store_operations",
        Counter,
        &["operation", "result"],
        "Operations of the store; the result is `ok` or `error`",
        |state, samples| {
            for operation in Operation::ALL {
                for (result, is_ok) in [("ok", true), ("error", false)] {
                    samples.counter(&[operation.as_str(), result], state.store.operations(operation, is_ok))?;
                }
            }
            Ok(())
        },
    ),
    Series::new(
        "idp_bridge_audit_lines",
        Counter,
        &["result"],
        "Lines of the audit: `written`, `failed` attempts, and `lost` ones; absent without an audit",
        |state, samples| {
            let Some(audit) = &state.audit else { return Ok(()) };
            let AuditCounts { written, failed, lost } = audit.counts();
            let mut counts = [("written", written), ("failed", failed), ("lost", lost)].into_iter();
            counts.try_for_each(|(result, count)| samples.counter(&[result], count))
        },
    ),
    Series::new(
        "idp_bridge_trace_spans",
        Counter,
        &["result"],
        "Spans of recorded traces: `exported`, `failed` if the collector did not accept them, and `dropped` if they did not fit \
         the queue; absent without traces",
        |state, samples| {
            let Some(exporter) = state.telemetry.exporter() else { return Ok(()) };
            let SpanCounts { exported, failed, dropped } = exporter.counts();
            let mut counts = [("exported", exported), ("failed", failed), ("dropped", dropped)].into_iter();
            counts.try_for_each(|(result, count)| samples.counter(&[result], count))
        },
    ),
    Series::new("idp_bridge_build", Gauge, &["version"], "Always 1, with the version of the program", |_, samples| {
        samples.gauge(&[env!("CARGO_PKG_VERSION")], 1)
    }),
];

fn each_tenant(state: &ServerState, mut visit: impl FnMut(&Arc<Tenant>) -> fmt::Result) -> fmt::Result {
    state.tenants.load().iter().try_for_each(&mut visit)
}

/// Writes a counter of each tenant for which it is not zero.
fn each_count(state: &ServerState, samples: &mut Samples<'_>, count: fn(&Tenant) -> u64) -> fmt::Result {
    each_tenant(state, |tenant| match count(tenant) {
        0 => Ok(()),
        count => samples.counter(&[tenant.id.as_str(), tenant.connector], count),
    })
}

fn calls(state: &ServerState, samples: &mut Samples<'_>) -> fmt::Result {
    for ((call, code), count) in state.telemetry.metrics.unknown.counts() {
        samples.counter(&["", "", call, code], count)?;
    }
    each_tenant(state, |tenant| {
        let counts = tenant.metrics().calls.counts();
        counts.into_iter().try_for_each(|((call, code), count)| {
            samples.counter(&[tenant.id.as_str(), tenant.connector, call, code], count)
        })
    })
}

fn attempts(state: &ServerState, samples: &mut Samples<'_>) -> fmt::Result {
    each_tenant(state, |tenant| {
        AttemptResult::ALL.iter().try_for_each(|result| match tenant.upstream.attempts(*result) {
            0 => Ok(()),
            count => samples.counter(&[tenant.id.as_str(), tenant.connector, result.as_str()], count),
        })
    })
}

fn failed_checks(state: &ServerState, samples: &mut Samples<'_>) -> fmt::Result {
    let Some(diagnoses) = &state.diagnoses else { return Ok(()) };
    let failed = diagnoses.failed();
    each_tenant(state, |tenant| match failed.get(&tenant.id) {
        Some(count) => {
            samples.gauge(&[tenant.id.as_str(), tenant.connector], i64::try_from(*count).unwrap_or(i64::MAX))
        }
        None => Ok(()),
    })
}

fn fetches(state: &ServerState, samples: &mut Samples<'_>) -> fmt::Result {
    each_tenant(state, |tenant| {
        for value in SharedValue::ALL {
            for (result, is_ok) in [("ok", true), ("error", false)] {
                let count = tenant.upstream.fetches(value, is_ok);
                if count > 0 {
                    samples.counter(&[tenant.id.as_str(), tenant.connector, value.as_str(), result], count)?;
                }
            }
        }
        Ok(())
    })
}
