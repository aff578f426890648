//! The log line of each request to a tenant: caller, call, result and upstream requests.
//!
//! It never contains a body, an email address, a customer, a token, a secret or a query string. A user is a keyed hash.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use idp_bridge_core::{CallScope, Error, Outcome, Recorder, TenantId, Timeline};
use jiff::SignedDuration;
use tracing::Level;
use tracing::field::display;

use crate::audit::{AuditedCall, AuditedResult};
use crate::call_record::CallRecord;
use crate::error::{Refusal, Rejection};
use crate::metrics::{Limit, TenantMetrics};
use crate::origin::RequestOrigin;
use crate::response::Response;
use crate::telemetry::{RequestSpan, Telemetry};

/// The interface that received a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// A signed call.
    Webhook,
    /// A call with a bearer token.
    Rest,
    /// The user and the customer of an access token.
    Userinfo,
    /// A logout by an application or through the browser.
    Logout,
    /// A logout notice from an identity provider.
    BackchannelLogout,
    /// The federation document for applications.
    Federation,
    /// The page that a link in a mail opens.
    VerifyEmail,
}

impl Surface {
    /// Returns the name in the log and in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Rest => "rest",
            Self::Userinfo => "userinfo",
            Self::Logout => "logout",
            Self::BackchannelLogout => "backchannel_logout",
            Self::Federation => "federation",
            Self::VerifyEmail => "verify_email",
        }
    }

    /// Returns whether only authenticated callers use it.
    fn is_authenticated(self) -> bool {
        matches!(self, Self::Webhook | Self::Rest)
    }
}

/// Collects the fields of a request's log line, which is written when the request ends.
///
/// Dropping it without a result logs a caller that disconnected. The fields are boxed, since each future of a call has its own
/// space for the log that it passes on.
pub(crate) struct RequestLog(Box<Fields>);

struct Fields {
    origin: RequestOrigin,
    surface: Surface,
    tenant: TenantId,
    telemetry: Arc<Telemetry>,
    /// The span of the request, if its trace is recorded.
    span: Option<RequestSpan>,
    /// The id of the caller's trace, or of that of the span.
    trace_id: Option<String>,
    /// `None` if the tenant does not exist.
    tenant_metrics: Option<TenantMetrics>,
    caller: Option<String>,
    webhook_id: Option<String>,
    key_id: Option<Arc<str>>,
    call: Option<&'static str>,
    user: Option<String>,
    note: Option<&'static str>,
    signature_checks: Option<usize>,
    recorder: Recorder,
    is_written: bool,
}

/// The result of a request in its log line.
#[derive(Debug, Default)]
struct Ending<'a> {
    code: &'static str,
    status: u16,
    outcome: Option<Outcome>,
    is_replay: bool,
    /// Whether the response conceals the error.
    is_concealed: bool,
    error: Option<&'a Error>,
}

impl RequestLog {
    /// Starts the log of a request. The tenant is that of the path, which may not exist.
    pub(crate) fn new(telemetry: &Arc<Telemetry>, origin: RequestOrigin, surface: Surface, tenant: TenantId) -> Self {
        let recorder = Recorder::default();
        let span = telemetry.begin_trace(recorder.timeline(), &origin, surface.is_authenticated());
        let trace = span.map(|span| span.request).or(origin.trace);
        Self(Box::new(Fields {
            origin,
            surface,
            tenant,
            telemetry: Arc::clone(telemetry),
            span,
            trace_id: trace.map(|trace| format!("{:032x}", trace.trace_id())),
            tenant_metrics: None,
            caller: None,
            webhook_id: None,
            key_id: None,
            call: None,
            user: None,
            note: None,
            signature_checks: None,
            recorder,
            is_written: false,
        }))
    }

    /// Returns the request id, which the response contains, too.
    pub(crate) fn request_id(&self) -> &Arc<str> {
        &self.0.origin.id
    }

    /// Returns the tenant of the path, which may not exist.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// Returns the time when the request began.
    pub(crate) fn started(&self) -> Instant {
        self.0.recorder.timeline().started()
    }

    /// Creates the scope of a call, with the recorder of this log. Its timeout starts when the request began.
    pub(crate) fn call_scope(&self, timeout: Duration) -> CallScope {
        CallScope::until(self.started() + timeout, Arc::clone(&self.0.origin.id), self.0.recorder.clone())
    }

    /// Returns the steps of the request.
    pub(crate) fn timeline(&self) -> Timeline {
        self.0.recorder.timeline().clone()
    }

    /// Sets the metrics of the tenant, which exists.
    pub(crate) fn set_tenant(&mut self, metrics: TenantMetrics) {
        self.0.tenant_metrics = Some(metrics);
    }

    /// Sets the webhook id and the id of the key that signed.
    pub(crate) fn set_signature(&mut self, webhook_id: &str, key_id: Arc<str>) {
        self.0.webhook_id = Some(webhook_id.to_owned());
        self.0.key_id = Some(key_id);
    }

    /// Sets the name of the REST caller.
    pub(crate) fn set_caller(&mut self, name: &str) {
        self.0.caller = Some(name.to_owned());
    }

    /// Sets the name of the call.
    pub(crate) fn set_call(&mut self, call: &'static str) {
        self.0.call = Some(call);
    }

    /// Sets the hash of the user.
    pub(crate) fn set_user(&mut self, hash: String) {
        self.0.user = Some(hash);
    }

    /// Sets a warning for the operator about a successful request.
    pub(crate) fn set_note(&mut self, note: Option<&'static str>) {
        self.0.note = note;
    }

    /// Sets the number of checked signatures.
    pub(crate) fn set_signature_checks(&mut self, checks: usize) {
        self.0.signature_checks = Some(checks);
    }

    /// Writes the line of a success. `concealed` is an error that the response does not show.
    pub(crate) fn write_success(self, concealed: Option<&Error>) {
        self.write(&Ending {
            code: concealed.map_or("ok", |error| crate::error::code(error).as_str()),
            status: 200,
            is_concealed: concealed.is_some(),
            error: concealed,
            ..Ending::default()
        });
    }

    /// Writes the line of a response with this status.
    pub(crate) fn write_status(self, status: StatusCode) {
        self.write(&Ending { code: "ok", status: status.as_u16(), ..Ending::default() });
    }

    /// Writes the line of a replayed response.
    pub(crate) fn write_replay(self) {
        self.write(&Ending { code: "ok", status: 200, is_replay: true, ..Ending::default() });
    }

    /// Writes the line of a rejected request, and returns its refusal.
    pub(crate) fn refuse(self, rejection: impl Into<Rejection>) -> Refusal {
        let Rejection { refusal, cause } = rejection.into();
        self.write(&Ending {
            code: refusal.code().as_str(),
            status: refusal.status().as_u16(),
            outcome: Some(refusal.outcome()),
            error: cause.as_deref(),
            ..Ending::default()
        });
        refusal
    }

    /// Writes the line of a rejected request, and returns the response.
    pub(crate) fn reject(self, rejection: impl Into<Rejection>) -> Response {
        let id = Arc::clone(self.request_id());
        self.refuse(rejection).into_response(&id)
    }

    /// Writes the line of a request with this result, and returns the response.
    pub(crate) fn conclude(self, result: Result<Response, Rejection>) -> Response {
        match result {
            Ok(response) => {
                self.write_status(response.status());
                response
            }
            Err(rejection) => self.reject(rejection),
        }
    }

    /// Returns the call for the audit.
    pub(crate) fn to_audited_call(&self, result: AuditedResult) -> AuditedCall {
        let fields = &self.0;
        AuditedCall {
            request: fields.origin.id.to_string(),
            tenant: fields.tenant.to_string(),
            connector: fields.tenant_metrics.as_ref().map(|tenant| tenant.connector).unwrap_or_default(),
            surface: fields.surface.as_str(),
            key: fields.key_id.as_deref().map(Into::into),
            caller: fields.caller.as_deref().map(escape),
            webhook: fields.webhook_id.clone(),
            trace: fields.trace_id.clone(),
            peer: fields.origin.peer.map(|peer| peer.to_string()),
            call: fields.call.unwrap_or(fields.surface.as_str()),
            user: fields.user.clone(),
            result,
            upstream_status: fields.recorder.status(),
        }
    }

    fn write(mut self, ending: &Ending<'_>) {
        self.0.is_written = true;
        self.0.emit(ending, "call answered");
    }
}

impl Fields {
    /// Writes the line of the request, and records it.
    fn emit(&mut self, ending: &Ending<'_>, message: &'static str) {
        let duration = self.recorder.timeline().started().elapsed();
        if let Some(limit) = ending.error.and_then(|error| error.context(Limit::CONTEXT)) {
            self.telemetry.metrics.count_shed(limit);
        }
        let caller = self.caller.as_deref().map(|name| display(escape(name)));
        let error = ending.error.map(format_chain);
        macro_rules! emit {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    request.id = %self.origin.id,
                    webhook.id = self.webhook_id.as_deref(),
                    trace.id = self.trace_id.as_deref(),
                    peer = self.origin.peer.map(display),
                    key.id = self.key_id.as_deref(),
                    tenant.id = %self.tenant,
                    connector = self.tenant_metrics.as_ref().map(|tenant| tenant.connector),
                    surface = self.surface.as_str(),
                    caller,
                    call = self.call,
                    code = ending.code,
                    status = ending.status,
                    outcome = ending.outcome.map(Outcome::as_str),
                    replayed = ending.is_replay.then_some(true),
                    concealed = ending.is_concealed.then_some(true),
                    user.hash = self.user.as_deref(),
                    note = self.note,
                    signature.checks = self.signature_checks,
                    upstream.requests = self.recorder.requests(),
                    upstream.attempts = self.recorder.attempts(),
                    upstream.status = self.recorder.status(),
                    duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                    error = error.as_ref().map(display),
                    hint = ending.error.and_then(Error::hint),
                    "{message}"
                )
            };
        }
        match ending.status {
            500 => emit!(Level::ERROR),
            501.. => emit!(Level::WARN),
            _ if self.note.is_some() => emit!(Level::WARN),
            _ => emit!(Level::INFO),
        }
        self.record(ending, error, duration);
    }

    /// Counts the request, and adds it to the last calls. Takes the texts that the log line has written.
    fn record(&mut self, ending: &Ending<'_>, error: Option<String>, duration: Duration) {
        let now = self.telemetry.clock.now();
        let steps = if self.telemetry.needs_steps(self.span) { self.recorder.timeline().steps() } else { Vec::new() };
        let record = CallRecord {
            request_id: self.origin.id.to_string(),
            time: SignedDuration::try_from(duration).ok().and_then(|past| now.checked_sub(past).ok()).unwrap_or(now),
            duration,
            tenant: self.tenant.to_string(),
            connector: self.tenant_metrics.as_ref().map(|tenant| tenant.connector),
            method: self.origin.method.clone(),
            route: self.origin.route,
            surface: self.surface.as_str(),
            call: self.call,
            code: ending.code,
            status: ending.status,
            outcome: ending.outcome.map(Outcome::as_str),
            replayed: ending.is_replay,
            user_hash: self.user.take(),
            webhook_id: self.webhook_id.take(),
            trace_id: self.trace_id.take(),
            error,
            hint: ending.error.and_then(Error::hint).map(str::to_owned),
            steps,
        };
        self.telemetry.metrics.count_call(self.tenant_metrics.as_ref(), &record, now);
        self.telemetry.record(record, self.span);
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        if !self.is_written {
            let ending = Ending { code: "abandoned", outcome: Some(self.recorder.outcome()), ..Ending::default() };
            self.emit(&ending, "the caller disconnected before the response");
        }
    }
}

/// Formats an error and its causes in one line.
fn format_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = StdError::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Escapes a caller's text to at most 128 bytes on one line.
fn escape(text: &str) -> String {
    text.chars().flat_map(char::escape_default).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_stays_on_one_line() {
        assert_eq!(escape("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(escape(&"x".repeat(200)).len(), 128);
    }
}
