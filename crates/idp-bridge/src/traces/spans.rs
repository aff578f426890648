//! Makes the spans of a request. Names and attributes follow the semantic conventions of OpenTelemetry.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use idp_bridge_core::{Attempt, AttemptResult, Step};
use idp_bridge_server::{CallRecord, RequestSpan};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// Returns the spans of a request and of its steps.
pub(super) fn from_record(record: &CallRecord, span: RequestSpan) -> Vec<SpanData> {
    let since_1970 = Duration::from_micros(u64::try_from(record.time.as_microsecond()).unwrap_or_default());
    let builder = SpanBuilder { span, started: SystemTime::UNIX_EPOCH + since_1970, duration: record.duration };
    let mut spans = vec![builder.request_span(record)];
    spans.extend(record.steps.iter().enumerate().map(|(position, step)| builder.step_span(position, step)));
    spans
}

struct SpanBuilder {
    span: RequestSpan,
    started: SystemTime,
    duration: Duration,
}

impl SpanBuilder {
    fn request_span(&self, record: &CallRecord) -> SpanData {
        let mut attributes = vec![
            KeyValue::new("http.request.method", record.method.to_string()),
            KeyValue::new("http.route", record.route),
            KeyValue::new("idp_bridge.request.id", record.request_id.to_string()),
            KeyValue::new("idp_bridge.tenant", record.tenant.clone()),
            KeyValue::new("idp_bridge.code", record.code),
        ];
        let optional = [
            ("idp_bridge.connector", record.connector.map(Value::from)),
            ("idp_bridge.call", record.call.map(Value::from)),
            ("idp_bridge.outcome", record.outcome.map(Value::from)),
            ("idp_bridge.replayed", record.replayed.then_some(Value::from(true))),
            ("http.response.status_code", (record.status > 0).then(|| Value::from(i64::from(record.status)))),
            ("error.type", (record.code != "ok").then_some(Value::from(record.code))),
        ];
        attributes.extend(optional.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))));
        SpanData {
            span_kind: SpanKind::Server,
            parent_span_is_remote: self.span.parent.is_some(),
            // The status of a server's span is an error only if the server failed.
            status: status(record.status >= 500),
            ..self.span_data(
                (self.span.request.span_id(), self.span.parent),
                format!("{} {}", record.method, record.route).into(),
                (Duration::ZERO, self.duration),
                attributes,
            )
        }
    }

    fn step_span(&self, position: usize, step: &Step) -> SpanData {
        let id = |position| self.span.request.step(position).span_id();
        let parent = step.parent.map_or(self.span.request.span_id(), id);
        let start = Duration::from_micros(step.start_us);
        // A step that was still running ended with the request.
        let end = step.duration_us.map_or(self.duration.max(start), |taken| start + Duration::from_micros(taken));
        let attributes =
            step.attempt.as_ref().map(|attempt| attempt_attributes(step.name, attempt)).unwrap_or_default();
        let data = self.span_data((id(position), Some(parent)), step.name.into(), (start, end), attributes);
        match &step.attempt {
            Some(attempt) => SpanData { span_kind: SpanKind::Client, status: status(is_failed(attempt)), ..data },
            None => data,
        }
    }

    /// Returns a span that is internal, without a status. The times are relative to the request's begin.
    fn span_data(
        &self,
        (id, parent): (u64, Option<u64>),
        name: Cow<'static, str>,
        (start, end): (Duration, Duration),
        attributes: Vec<KeyValue>,
    ) -> SpanData {
        let trace_id = TraceId::from(self.span.request.trace_id());
        SpanData {
            span_context: SpanContext::new(
                trace_id,
                SpanId::from(id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name,
            start_time: self.started + start,
            end_time: self.started + end,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("idp-bridge")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

fn attempt_attributes(method: &'static str, attempt: &Attempt) -> Vec<KeyValue> {
    let (address, port) = match attempt.host.rsplit_once(':') {
        Some((address, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (address, port.parse::<i64>().ok()),
        _ => (attempt.host.as_str(), None),
    };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("server.address", address.to_owned()),
        KeyValue::new("idp_bridge.breaker", attempt.breaker.as_str()),
    ];
    let retries = i64::from(attempt.number) - 1;
    let error = is_failed(attempt).then(|| match (attempt.status, attempt.result) {
        (Some(status), _) => status.to_string(),
        (None, Some(result)) => result.as_str().to_owned(),
        (None, None) => attempt.breaker.as_str().to_owned(),
    });
    let optional = [
        ("server.port", port.map(Value::from)),
        ("http.request.resend_count", (retries > 0).then(|| Value::from(retries))),
        ("http.response.status_code", attempt.status.map(|status| Value::from(i64::from(status)))),
        ("error.type", error.map(Value::from)),
    ];
    attributes.extend(optional.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?))));
    attributes
}

/// Returns whether the status of a client's span is an error: a response of 4xx or 5xx, or none.
fn is_failed(attempt: &Attempt) -> bool {
    !matches!(attempt.result, Some(AttemptResult::Success | AttemptResult::Redirect))
}

fn status(is_error: bool) -> Status {
    if is_error { Status::error("") } else { Status::Unset }
}
