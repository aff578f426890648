//! The records of each request beside its log line: counters, the list of the last calls, and its trace.

use std::sync::{Arc, OnceLock};

use idp_bridge_core::{Clock, Timeline, TraceContext};

use crate::call_record::CallRecord;
use crate::metrics::Metrics;
use crate::origin::RequestOrigin;
use crate::recent_calls::RecentCalls;

/// The span of a recorded request, and its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSpan {
    /// The request.
    pub request: TraceContext,
    /// The id of the caller's span.
    pub parent: Option<u64>,
}

/// Exports the traces of finished requests.
pub trait TraceExporter: Send + Sync + 'static {
    /// Exports the spans of a request and of its steps. Returns without waiting.
    fn export(&self, record: &CallRecord, span: RequestSpan);

    /// Returns the numbers of spans so far.
    fn counts(&self) -> SpanCounts;
}

/// The numbers of spans of an exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The spans that the collector accepted.
    pub exported: u64,
    /// The spans that could not be sent, or that the collector refused.
    pub failed: u64,
    /// The spans that did not fit the queue.
    pub dropped: u64,
}

/// The records of all requests.
pub(crate) struct Telemetry {
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recent: RecentCalls,
    traces: OnceLock<Traces>,
}

/// The export of traces.
struct Traces {
    exporter: Arc<dyn TraceExporter>,
    /// The traces without a decision of their caller are sampled if their number is below this.
    threshold: u64,
}

impl Telemetry {
    /// Creates records that keep at most `recent` calls of each kind, without traces.
    pub(crate) fn new(clock: Arc<dyn Clock>, recent: usize) -> Self {
        Self { metrics: Metrics::default(), clock, recent: RecentCalls::new(recent), traces: OnceLock::new() }
    }

    /// Exports this share of the traces, and those that an authenticated caller records. Without effect if an exporter is set.
    pub(crate) fn export_traces(&self, exporter: Arc<dyn TraceExporter>, ratio: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio gives a number below 2^63"
        )]
        let threshold = (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        let _ = self.traces.set(Traces { exporter, threshold });
    }

    /// Returns the exporter of traces.
    pub(crate) fn exporter(&self) -> Option<&dyn TraceExporter> {
        self.traces.get().map(|traces| &*traces.exporter)
    }

    /// Begins the trace of a request. Returns its span if it is recorded.
    ///
    /// The caller's decision counts if only authenticated callers use the surface, and else the trace's number.
    pub(crate) fn begin_trace(
        &self,
        timeline: &Timeline,
        origin: &RequestOrigin,
        is_authenticated: bool,
    ) -> Option<RequestSpan> {
        let span = self.traces.get().and_then(|traces| traces.sample(origin, is_authenticated));
        match (span, origin.trace) {
            (Some(span), _) => timeline.record_trace(span.request),
            (None, Some(caller)) => timeline.pass_trace_on(caller),
            (None, None) => {}
        }
        span
    }

    /// Returns whether the steps of a request are kept or exported.
    pub(crate) fn needs_steps(&self, span: Option<RequestSpan>) -> bool {
        self.recent.is_on() || span.is_some()
    }

    /// Adds a request to the last calls, and exports its trace if that is recorded.
    pub(crate) fn record(&self, record: CallRecord, span: Option<RequestSpan>) {
        if let Some((exporter, span)) = self.exporter().zip(span) {
            exporter.export(&record, span);
        }
        self.recent.push(Arc::new(record));
    }
}

impl Traces {
    fn sample(&self, origin: &RequestOrigin, is_authenticated: bool) -> Option<RequestSpan> {
        // The request id is random.
        let number = u128::from_str_radix(&origin.id, 16).ok()?;
        let span_id = low_bits(number >> 64).max(1);
        let caller = origin.trace;
        let trace_id = caller.map_or(number, TraceContext::trace_id);
        let decided = caller.filter(|_| is_authenticated).map(TraceContext::is_sampled);
        // As the sampler `TraceIdRatioBased` of OpenTelemetry.
        let is_below = || low_bits(trace_id) >> 1 < self.threshold;
        decided.unwrap_or_else(is_below).then(|| RequestSpan {
            request: TraceContext::new(trace_id, span_id, true),
            parent: caller.map(TraceContext::span_id),
        })
    }
}

/// Returns the lower half of a number.
fn low_bits(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::SystemClock;

    use super::*;

    struct NoExport;

    impl TraceExporter for NoExport {
        fn export(&self, _: &CallRecord, _: RequestSpan) {}

        fn counts(&self) -> SpanCounts {
            SpanCounts::default()
        }
    }

    fn telemetry(ratio: f64) -> Telemetry {
        let telemetry = Telemetry::new(Arc::new(SystemClock), 1);
        telemetry.export_traces(Arc::new(NoExport), ratio);
        telemetry
    }

    /// Returns the origin of a request with the given last half of its id.
    fn origin(low: u64, caller: Option<TraceContext>) -> RequestOrigin {
        let id = format!("{:016x}{low:016x}", 0xabc).into();
        RequestOrigin { id, trace: caller, ..RequestOrigin::default() }
    }

    fn is_sampled(ratio: f64, origin: &RequestOrigin, is_authenticated: bool) -> bool {
        telemetry(ratio).begin_trace(&Timeline::default(), origin, is_authenticated).is_some()
    }

    #[test]
    fn share_of_new_traces_is_sampled() {
        for (ratio, low, expected) in [
            (1.0, u64::MAX, true),
            (0.0, 0, false),
            (0.5, u64::MAX / 2, true),
            (0.5, u64::MAX / 2 + 3, false),
            (0.25, u64::MAX / 4, true),
        ] {
            assert_eq!(is_sampled(ratio, &origin(low, None), true), expected, "{ratio} {low:x}");
        }
    }

    #[test]
    fn caller_decides_if_it_is_authenticated() {
        let caller = |is_sampled| Some(TraceContext::new(u128::from(u64::MAX), 9, is_sampled));
        assert!(is_sampled(0.0, &origin(0, caller(true)), true));
        assert!(!is_sampled(1.0, &origin(0, caller(false)), true));
        assert!(!is_sampled(0.0, &origin(0, caller(true)), false), "an unauthenticated caller does not decide");
        assert!(is_sampled(1.0, &origin(0, caller(false)), false));
    }

    #[test]
    fn callers_span_is_the_parent() {
        let caller = TraceContext::new(7, 9, true);
        let timeline = Timeline::default();
        let span = telemetry(0.0).begin_trace(&timeline, &origin(1, Some(caller)), true).unwrap();
        assert_eq!((span.request, span.parent), (TraceContext::new(7, 0xabc, true), Some(9)));
        let sent = timeline.begin_attempt("GET", String::new(), 1).traceparent();
        assert_eq!(sent, Some(span.request.step(0).to_string()));
    }

    #[test]
    fn unrecorded_trace_is_passed_on() {
        let caller = TraceContext::new(7, 9, false);
        let timeline = Timeline::default();
        assert_eq!(telemetry(1.0).begin_trace(&timeline, &origin(1, Some(caller)), true), None);
        assert_eq!(timeline.begin_attempt("GET", String::new(), 1).traceparent(), Some(caller.to_string()));
    }
}
