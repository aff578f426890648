//! One line for each request of a tenant: who asked for what, how it ended, and what it cost upstream.
//!
//! Never a body, an address, a customer, a token, a secret or a query string; a user is a hash that is keyed at random.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use idp_bridge_core::{CallScope, Error, Outcome, Recorder, TenantId};
use tracing::Level;
use tracing::field::display;

use crate::error::Refusal;

/// By which door a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// A signed call.
    Webhook,
    /// A call with a bearer token.
    Rest,
    /// An application that asks for the customer.
    Userinfo,
    /// The end of a login, by an application or through the browser.
    Logout,
    /// An identity provider that tells of the end of a login.
    BackchannelLogout,
    /// What an application needs to know.
    Federation,
}

impl Surface {
    fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Rest => "rest",
            Self::Userinfo => "userinfo",
            Self::Logout => "logout",
            Self::BackchannelLogout => "backchannel_logout",
            Self::Federation => "federation",
        }
    }
}

/// The line of a request, filled in as the request is understood and written when it ends.
///
/// If it is dropped before, the caller went away; that is a line, too.
#[derive(Debug)]
pub(crate) struct Line {
    request_id: Arc<str>,
    surface: Surface,
    tenant: TenantId,
    started: Instant,
    connector: Option<String>,
    caller: Option<String>,
    call: Option<&'static str>,
    user: Option<String>,
    note: Option<&'static str>,
    signature_checks: Option<usize>,
    recorder: Recorder,
    written: bool,
}

/// How a request ended, as the line says it.
#[derive(Debug, Default)]
struct Ending<'a> {
    code: &'static str,
    status: u16,
    outcome: Option<Outcome>,
    replayed: bool,
    /// A failure that the platform is not told of.
    concealed: bool,
    error: Option<&'a Error>,
}

impl Line {
    /// The line of a request that begins now. The tenant is the path's, known or not.
    pub(crate) fn new(request_id: Arc<str>, surface: Surface, tenant: TenantId) -> Self {
        Self {
            request_id,
            surface,
            tenant,
            started: Instant::now(),
            connector: None,
            caller: None,
            call: None,
            user: None,
            note: None,
            signature_checks: None,
            recorder: Recorder::default(),
            written: false,
        }
    }

    /// The id that the line and the answer name.
    pub(crate) fn request_id(&self) -> &Arc<str> {
        &self.request_id
    }

    /// When the request began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The scope of its call, which may take this long from when the request began.
    pub(crate) fn scope(&self, timeout: Duration) -> CallScope {
        CallScope::new(Arc::clone(&self.request_id), timeout.saturating_sub(self.started.elapsed()))
    }

    /// Adds the type of the tenant's connector.
    pub(crate) fn connector(&mut self, connector: &str) {
        self.connector = Some(connector.to_owned());
    }

    /// Adds the name of the REST token.
    pub(crate) fn caller(&mut self, name: &str) {
        self.caller = Some(name.to_owned());
    }

    /// Adds what is asked for.
    pub(crate) fn call(&mut self, call: &'static str) {
        self.call = Some(call);
    }

    /// Adds what stands for the user.
    pub(crate) fn user(&mut self, hash: String) {
        self.user = Some(hash);
    }

    /// Adds what the operator should know although the request succeeds.
    pub(crate) fn note(&mut self, note: Option<&'static str>) {
        self.note = note;
    }

    /// Sets how many signatures were checked.
    pub(crate) fn set_signature_checks(&mut self, checks: usize) {
        self.signature_checks = Some(checks);
    }

    /// Counts what this call does upstream.
    pub(crate) fn follow(&mut self, scope: &CallScope) {
        self.recorder = scope.recorder().clone();
    }

    /// Writes the line of a success; `concealed` is why it only looks like one.
    pub(crate) fn succeeded(self, concealed: Option<&Error>) {
        self.write(&Ending {
            code: concealed.map_or("ok", |error| crate::error::code(error).as_str()),
            status: 200,
            concealed: concealed.is_some(),
            error: concealed,
            ..Ending::default()
        });
    }

    /// Writes the line of an answer with this status.
    pub(crate) fn answered(self, status: StatusCode) {
        self.write(&Ending { code: "ok", status: status.as_u16(), ..Ending::default() });
    }

    /// Writes the line of an answer that was given before.
    pub(crate) fn replayed(self) {
        self.write(&Ending { code: "ok", status: 200, replayed: true, ..Ending::default() });
    }

    /// Writes the line of a refusal, with the error behind it if there is one.
    pub(crate) fn refused(self, refusal: &Refusal, error: Option<&Error>) {
        self.write(&Ending {
            code: refusal.code().as_str(),
            status: refusal.status().as_u16(),
            outcome: Some(refusal.outcome()),
            error,
            ..Ending::default()
        });
    }

    fn write(mut self, ending: &Ending<'_>) {
        self.written = true;
        self.emit(ending, "call answered");
    }

    fn emit(&self, ending: &Ending<'_>, message: &'static str) {
        let caller = self.caller.as_deref().map(|name| display(escape(name)));
        let error = ending.error.map(|error| display(chain(error)));
        macro_rules! emit {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    request.id = %self.request_id,
                    tenant.id = %self.tenant,
                    connector = self.connector.as_deref(),
                    surface = self.surface.as_str(),
                    caller,
                    call = self.call,
                    code = ending.code,
                    status = ending.status,
                    outcome = ending.outcome.map(outcome),
                    replayed = ending.replayed.then_some(true),
                    concealed = ending.concealed.then_some(true),
                    user.hash = self.user.as_deref(),
                    note = self.note,
                    signature.checks = self.signature_checks,
                    upstream.requests = self.recorder.requests(),
                    upstream.attempts = self.recorder.attempts(),
                    duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                    error,
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
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.written {
            let ending = Ending { code: "abandoned", outcome: Some(self.recorder.outcome()), ..Ending::default() };
            self.emit(&ending, "the caller went away before the answer");
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotApplied => "not_applied",
        Outcome::Unknown => "unknown",
    }
}

/// An error and what caused it, in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = StdError::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A caller's text in at most 128 bytes, without anything that could break a line.
fn escape(text: &str) -> String {
    text.chars().flat_map(char::escape_default).take(128).collect()
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;

    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = Error::upstream(ErrorKind::Unavailable, "cannot reach it")
            .with("step", "token")
            .with_source(std::io::Error::other("refused"));
        assert_eq!(chain(&error), "cannot reach it (step: token): refused");
    }

    #[test]
    fn a_callers_text_stays_in_its_line() {
        assert_eq!(escape("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(escape(&"x".repeat(200)).len(), 128);
    }
}
