//! Sends the requests of a client: attempts, retries and second requests, within the deadline and the limits.

use std::pin::pin;
use std::time::Duration;

use http::{Method, StatusCode};
use idp_bridge_core::{
    BreakerDecision, CallScope, Error, ErrorKind, OutboundPolicy, Recorder, Result, UpstreamCounters,
};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use crate::address::Reach;
use crate::breaker::Breakers;
use crate::budget::RetryBudget;
use crate::busy::yield_if_busy;
use crate::connections::Connections;
use crate::counted::HttpAttempt;
use crate::fault::Fault;
use crate::outgoing::Outgoing;
use crate::pool::Pool;
use crate::request::{Body, Effect, Request};
use crate::resolver::CheckedResolver;
use crate::response::Response;
use crate::retry::{self, Attempt};
use crate::{Peer, TransportCause, base_url, status_error};

/// The maximum size of a response body: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// The connections of a client, and its limits.
pub(crate) struct Sender {
    connections: Connections,
    reach: Reach,
    pub(crate) needs_system_store: bool,
    pub(crate) fetch_timeout: Duration,
    breakers: Breakers,
    pub(crate) counters: UpstreamCounters,
    budget: RetryBudget,
}

impl Sender {
    pub(crate) fn new(policy: &OutboundPolicy, resolver: CheckedResolver) -> Result<Self> {
        Ok(Self {
            connections: Connections::new(policy, resolver)?,
            reach: policy.into(),
            needs_system_store: policy.ca_pem.is_none(),
            fetch_timeout: policy.fetch_timeout,
            breakers: Breakers::new(policy),
            counters: policy.counters.clone(),
            budget: RetryBudget::new(&policy.limits),
        })
    }

    /// Sends a request, and again after failures, and reads the response. `sent` is the number of attempts so far.
    pub(crate) async fn send(&self, scope: &CallScope, request: &Request, sent: &mut u32) -> Result<Response> {
        base_url::check(request.parts.url.base(), self.reach)?;
        self.budget.deposit();
        self.counters.count_request();
        let deadline = Instant::from_std(scope.deadline());
        let mut begun = Instant::now();
        if begun >= deadline {
            return Err(timed_out());
        }
        // Pinned here, since a future that is passed on is copied.
        let attempts = pin!(async {
            loop {
                let half = begun + (deadline - begun) / 2;
                let result = self.send_hedged(half, scope.recorder(), request, sent).await;
                if !can_retry(&result, request) {
                    return result.map_err(|fault| fault.error);
                }
                let retry_after = result.as_ref().ok().and_then(Response::retry_after);
                let ended = Instant::now();
                let last = Attempt { number: *sent, took: ended - begun, retry_after };
                match retry::pause(last, deadline.saturating_duration_since(ended), fastrand::f64()) {
                    Some(pause) if self.budget.withdraw() => sleep(pause).await,
                    _ => return result.map_err(|fault| fault.error),
                }
                begun = Instant::now();
            }
        });
        timeout_at(deadline, attempts).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Makes one attempt, and a concurrent second one for a read without a response at `half` of the remaining time.
    ///
    /// A pooled connection may be dead without a reset, so that a request on it is never answered. A dead HTTP/2 connection
    /// would carry the second request, too, which therefore has a connection of its own.
    async fn send_hedged(
        &self,
        half: Instant,
        recorder: &Recorder,
        request: &Request,
        sent: &mut u32,
    ) -> Result<Response, Fault> {
        *sent += 1;
        let mut first = pin!(self.attempt(recorder, request, *sent, None));
        if request.parts.effect == Effect::Write || *sent >= retry::MAX_ATTEMPTS {
            return first.await;
        }
        if let Ok(result) = timeout_at(half, &mut first).await {
            return result;
        }
        let place = self.connections.try_take_place();
        if place.is_none() || !self.budget.withdraw() {
            return first.await;
        }
        *sent += 1;
        // Boxed, since it is rare.
        let mut second = Box::pin(self.attempt(recorder, request, *sent, place));
        tokio::select! {
            result = &mut first => if result.is_ok() { result } else { second.await },
            result = &mut second => if result.is_ok() { result } else { first.await },
        }
    }

    /// Makes one attempt when there is a place among the connections. A second request has one, and its own connection.
    async fn attempt(
        &self,
        recorder: &Recorder,
        request: &Request,
        number: u32,
        second: Option<SemaphorePermit<'_>>,
    ) -> Result<Response, Fault> {
        let connections = &self.connections;
        let (pool, _place) = match second {
            Some(place) => (connections.spare_for(request.parts.url.base()), Some(place)),
            None => {
                let place = pin!(connections.wait_for_place());
                (connections.pool(), recorder.timeline().wait("wait_for_connection", place).await)
            }
        };
        let body = request.parts.body.as_ref().map(Body::build).transpose().map_err(Fault::unsent)?;
        let host = request.parts.url.authority();
        let step = recorder.timeline().begin_attempt(method_name(&request.parts.method), host.to_owned(), number);
        let attempt = self.breakers.admit(host).map_err(|error| {
            step.set_breaker(BreakerDecision::HeldBack);
            Fault::unsent(error)
        })?;
        if attempt.is_probe() {
            step.set_breaker(BreakerDecision::Probe);
        }
        let counted = HttpAttempt::new(&self.counters, step);
        let outgoing = Outgoing { request, body: body.unwrap_or_default(), traceparent: counted.traceparent() };
        let result = exchange(pool, recorder, &outgoing).await;
        counted.finish(&result, recorder);
        match &result {
            Ok(response) if retry::is_outage(request.effective_status(response)) => {
                attempt.fail(status_error(request.effective_status(response).as_u16()));
            }
            Ok(_) => attempt.succeed(),
            Err(fault) if fault.is_transient => {
                attempt.fail(fault.error.with_message(fault.error.message().to_owned()))
            }
            Err(_) => attempt.ignore(),
        }
        result
    }
}

impl AsRef<Self> for Sender {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Returns the name of a method, or `_OTHER` as OpenTelemetry does.
fn method_name(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    NAMES.into_iter().find(|name| method == name).unwrap_or("_OTHER")
}

/// Sends a request and reads the response.
async fn exchange(pool: &Pool, recorder: &Recorder, outgoing: &Outgoing<'_>) -> Result<Response, Fault> {
    let request = outgoing.request;
    let is_write = request.parts.effect == Effect::Write;
    yield_if_busy().await;
    recorder.count_attempt();
    if is_write {
        recorder.begin_write();
    }
    let record_refusal = |refused: bool| {
        if is_write && refused {
            recorder.write_refused();
        }
    };
    let is_https = request.parts.url.base().scheme() == "https";
    let mut incomplete = pool
        .send(outgoing)
        .await
        .map_err(|error| Fault::from_send(error, is_https))
        .inspect_err(|fault| record_refusal(!fault.sent))?;
    if request.parts.classify.is_none() {
        record_refusal(is_refusal(incomplete.status));
    }
    let body = incomplete.read(MAX_BODY).await.map_err(|error| Fault::from_read(error, is_https))?;
    let (status, headers) = (incomplete.status, incomplete.headers);
    let response = Response { status, headers, body, reset: request.parts.reset.clone() };
    if request.parts.classify.is_some() {
        record_refusal(is_refusal(request.effective_status(&response)));
    }
    Ok(response)
}

/// Returns whether another attempt is safe and can succeed.
fn can_retry(result: &Result<Response, Fault>, request: &Request) -> bool {
    match result {
        Ok(response) => retry::is_transient(request.effective_status(response), request.parts.effect),
        Err(fault) => fault.is_transient && (request.parts.effect == Effect::Read || !fault.sent),
    }
}

/// Returns whether this status means that the request was not executed.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

fn timed_out() -> Error {
    Error::upstream(ErrorKind::Timeout, "the identity provider did not answer before the deadline")
        .with_hint(TransportCause::AnswerTimeout.hint(Peer::IdentityProvider))
        .unanswered()
}
