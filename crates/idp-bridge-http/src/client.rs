//! A tenant's HTTP client, with limits on time, size, attempts and addresses.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use idp_bridge_core::{
    BreakerDecision, CallScope, Error, ErrorKind, OutboundPolicy, Recorder, Result, UpstreamCounters,
};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};
use url::{Position, Url};

use crate::address::Reach;
use crate::breaker::Breakers;
use crate::budget::RetryBudget;
use crate::busy::yield_if_busy;
use crate::connections::Connections;
use crate::counted::CountedAttempt;
use crate::fault::Fault;
use crate::outgoing::Outgoing;
use crate::pool::Pool;
use crate::request::{Body, Effect, Request};
use crate::resolver::CheckedResolver;
use crate::response::Response;
use crate::retry::{self, Attempt};
use crate::{BaseUrl, Peer, TransportCause, base_url, status_error, tls};

/// The maximum size of a response body: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// A tenant's HTTP client. Cheap to clone.
///
/// Each tenant has its own connection pool, so that a slow identity provider affects only its tenant. The TLS configuration is
/// shared, except with policies that have their own certificate authority or a client certificate. Connections use HTTP/2 if
/// the identity provider offers it (ALPN).
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    connections: Connections,
    reach: Reach,
    needs_system_store: bool,
    fetch_timeout: Duration,
    breakers: Breakers,
    counters: UpstreamCounters,
    budget: RetryBudget,
}

impl Client {
    /// Creates a client for a policy. Fails with `Misconfigured` and a hint if a certificate, its key or the proxy is invalid.
    ///
    /// A proxy resolves host names itself and must check their addresses.
    pub fn new(policy: &OutboundPolicy) -> Result<Self> {
        Self::with_resolver(policy, CheckedResolver::new(policy.private_networks))
    }

    fn with_resolver(policy: &OutboundPolicy, resolver: CheckedResolver) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            connections: Connections::new(policy, resolver)?,
            reach: policy.into(),
            needs_system_store: policy.ca_pem.is_none(),
            fetch_timeout: policy.fetch_timeout,
            breakers: Breakers::new(policy),
            counters: policy.counters.clone(),
            budget: RetryBudget::new(&policy.limits),
        })))
    }

    /// Loads the system's certificate authorities if requests to this URL need them.
    ///
    /// Fails with `Misconfigured` and a hint if there are none. Otherwise the first request loads them, once per process.
    pub fn prepare(&self, base: &BaseUrl) -> Result<()> {
        if base.as_url().scheme() == "https" && self.0.needs_system_store { tls::load_system_store() } else { Ok(()) }
    }

    /// Returns the counters of the tenant's requests.
    pub(crate) fn counters(&self) -> &UpstreamCounters {
        &self.0.counters
    }

    /// Returns the policy's time limit for shared fetches.
    pub(crate) fn fetch_timeout(&self) -> Duration {
        self.0.fetch_timeout
    }

    /// Sends a request and reads the response. Retries if this is safe and the deadline allows it.
    ///
    /// # Behavior
    ///
    /// - A response of any status is `Ok`, including a redirect (which is not followed) and a 429.
    /// - A read without a response after half of the remaining time is sent a second time. The first response is returned.
    /// - A request beyond the limit of connections waits for another one to end. A second request is then not sent.
    /// - Retries and second requests are limited to a share of the requests (see [`UpstreamLimits`](idp_bridge_core::UpstreamLimits)).
    /// - A host that is down gets single requests. All others fail with its last error and a retry hint, and are not sent.
    /// - No response before the scope's deadline is `Timeout`. A failed or broken connection is `Unavailable`.
    /// - A response that is not HTTP or larger than [`MAX_BODY`] is `InvalidResponse`.
    /// - An untrusted certificate, or an address that the policy refuses, is `Misconfigured`.
    /// - Each attempt sends its own `traceparent` if the scope's call has a trace.
    /// - The recorder counts one request and each attempt. A write is recorded before it is sent, and as refused if there was no
    ///   connection or the status is a 4xx other than 408 (see [`Request::classify_with`]).
    pub async fn send(&self, scope: &CallScope, request: Request) -> Result<Response> {
        scope.recorder().request();
        self.send_counted(scope, &request, &mut 0).await
    }

    /// Sends a request that the recorder has counted already. `sent` is the number of attempts so far.
    ///
    /// The future is boxed, so that its code is compiled in this crate alone, and not in each connector.
    pub(crate) fn send_counted<'a>(
        &'a self,
        scope: &'a CallScope,
        request: &'a Request,
        sent: &'a mut u32,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>> {
        Box::pin(async move {
            let result = self.send_with_retries(scope, request, sent).await;
            result.map_err(|error| {
                let host = request.parts.url.host_str().unwrap_or_default().to_owned();
                error.with("host", host).with("attempts", sent.to_string())
            })
        })
    }

    async fn send_with_retries(&self, scope: &CallScope, request: &Request, sent: &mut u32) -> Result<Response> {
        base_url::check(&request.parts.url, self.0.reach)?;
        self.0.budget.deposit();
        self.0.counters.count_request();
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
                    Some(pause) if self.0.budget.withdraw() => sleep(pause).await,
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
        let place = self.0.connections.try_take_place();
        if place.is_none() || !self.0.budget.withdraw() {
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
        let connections = &self.0.connections;
        let (pool, _place) = match second {
            Some(place) => (connections.spare_for(&request.parts.url), Some(place)),
            None => {
                let _wait = recorder.timeline().begin_wait("wait_for_connection");
                (connections.pool(), connections.wait_for_place().await)
            }
        };
        let body = request.parts.body.as_ref().map(Body::build).transpose().map_err(Fault::unbuilt_body)?;
        let step =
            recorder.timeline().begin_attempt(method_name(&request.parts.method), host(&request.parts.url), number);
        let attempt = self.0.breakers.admit(&request.parts.url).map_err(|error| {
            step.set_breaker(BreakerDecision::HeldBack);
            Fault::held_back(error)
        })?;
        if attempt.is_probe() {
            step.set_breaker(BreakerDecision::Probe);
        }
        let counted = CountedAttempt::new(&self.0.counters, step);
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

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Returns the name of a method, or `_OTHER` as OpenTelemetry does.
fn method_name(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    NAMES.into_iter().find(|name| method == name).unwrap_or("_OTHER")
}

/// Returns the host and the port of a URL.
fn host(url: &Url) -> String {
    url[Position::BeforeHost..Position::AfterPort].to_owned()
}

/// Sends a request and reads the response.
async fn exchange(pool: &Pool, recorder: &Recorder, outgoing: &Outgoing<'_>) -> Result<Response, Fault> {
    let request = outgoing.request;
    let is_write = request.parts.effect == Effect::Write;
    yield_if_busy().await;
    recorder.attempt();
    if is_write {
        recorder.write_begins();
    }
    let record_write = |refused: bool| {
        if is_write && refused {
            recorder.write_refused();
        }
    };
    let is_https = request.parts.url.scheme() == "https";
    let mut incomplete = pool
        .send(outgoing)
        .await
        .map_err(|error| Fault::from_send(error, is_https))
        .inspect_err(|fault| record_write(!fault.sent))?;
    if request.parts.classify.is_none() {
        record_write(is_refusal(incomplete.status));
    }
    let body = incomplete.read(MAX_BODY).await.map_err(|error| Fault::from_read(error, is_https))?;
    let (status, headers) = (incomplete.status, incomplete.headers);
    let response = Response { status, headers, body, reset: request.parts.reset.clone() };
    if request.parts.classify.is_some() {
        record_write(is_refusal(request.effective_status(&response)));
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

#[cfg(test)]
mod tests {
    use idp_bridge_core::PrivateNetworks;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn name_of_refused_address_is_misconfigured() {
        // The URL is allowed. The resolver refuses the address.
        let resolver = CheckedResolver::new(PrivateNetworks::Deny);
        let client = Client::with_resolver(&OutboundPolicy::default(), resolver).unwrap();
        let scope = CallScope::new("r-1", Duration::from_secs(30));
        let url = Url::parse("http://localhost:9/users?email=ada").unwrap();
        let error = client.send(&scope, Request::delete(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("private_networks")));
        assert_eq!(scope.recorder().attempts(), 1);
        assert_eq!(scope.recorder().outcome(), idp_bridge_core::Outcome::NotApplied);
        assert!(!format!("{error:?}").contains("ada"), "{error:?}");
    }

    #[test]
    fn future_of_a_request_is_small() {
        // Each call copies it into its box.
        let client = Client::new(&OutboundPolicy::default()).unwrap();
        let scope = CallScope::new("r-1", Duration::from_secs(30));
        let (request, mut sent) = (Request::get(Url::parse("http://localhost:9/").unwrap()), 0);
        let size = size_of_val(&*client.send_counted(&scope, &request, &mut sent));
        assert!(size < 2304, "{size} bytes");
    }

    #[test]
    fn dead_name_server_holds_up_no_other_tenant() {
        // More lookups than the runtime has blocking threads.
        const LOOKUPS: usize = 600;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let policy = OutboundPolicy { allow_http: true, ..OutboundPolicy::default() };
        let resolver = CheckedResolver::with_name_server(PrivateNetworks::Allow, silent.local_addr().unwrap());
        let dead = Client::with_resolver(&policy, resolver).unwrap();
        let healthy = Client::new(&policy).unwrap();
        runtime.block_on(async {
            for _ in 0..LOOKUPS {
                let client = dead.clone();
                tokio::spawn(async move {
                    let url = Url::parse("http://login.acme.example/userinfo").unwrap();
                    client.send(&CallScope::new("r-1", Duration::from_secs(30)), Request::get(url)).await
                });
            }
            // The lookups are running once the name server has received a query.
            let silent = silent.try_clone().unwrap();
            tokio::task::spawn_blocking(move || silent.recv(&mut [0; 512])).await.unwrap().unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = Url::parse(&format!("http://localhost:{}/", listener.local_addr().unwrap().port())).unwrap();
            let scope = CallScope::new("r-2", Duration::from_secs(2));
            let (answer, ()) = tokio::join!(healthy.send(&scope, Request::get(url)), async {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let (mut stream, _) = listener.accept().await.unwrap();
                // A socket that is closed with unread bytes resets its connection.
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            });
            assert_eq!(answer.unwrap().status, StatusCode::NO_CONTENT);
            timeout(Duration::from_secs(1), tokio::task::spawn_blocking(|| ())).await.unwrap().unwrap();
        });
        let begun = std::time::Instant::now();
        drop(runtime);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn proxies_are_checked_and_passwords_hidden() {
        let client =
            |proxy: &str| Client::new(&OutboundPolicy { proxy: Some(proxy.to_owned()), ..OutboundPolicy::default() });
        for good in ["http://proxy.example:3128", "https://10.0.0.1:3128", "http://me:hunter2@127.0.0.1:3128"] {
            assert!(client(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "proxy.example:3128",
            "socks5://proxy.example",
            "http://",
            "http://me:hunter2@169.254.169.254",
            "http://[::]:1",
        ] {
            let error = client(bad).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{bad}");
            assert!(!format!("{error:?}").contains("hunter2"), "{bad}");
        }
    }
}
