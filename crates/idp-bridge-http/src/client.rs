//! A tenant's HTTP client: bounded in time, size, attempts and reach.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use idp_bridge_core::{CallScope, Error, ErrorKind, OutboundPolicy, PrivateNetworks, Recorder, Result};
use reqwest::redirect;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::fault::Fault;
use crate::request::{Effect, Request};
use crate::resolver::CheckedResolver;
use crate::response::Response;
use crate::retry::{self, Attempted};
use crate::{BaseUrl, base_url, tls};

/// The largest answer that is read: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;
/// Name resolution, TCP and TLS together; short enough for a second attempt within a usual deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the idle time of any usual server or balancer, so that a write seldom meets a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// One tenant's HTTP client; cheap to clone.
///
/// It has its own connection pool, so that one tenant's identity provider never slows another's, and shares the TLS
/// configuration with all clients whose policy has no certificate authority of its own.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    policy: OutboundPolicy,
}

impl Client {
    /// Makes a client that obeys this policy; `Misconfigured`, with a hint, for a bad certificate authority or proxy.
    pub fn new(policy: &OutboundPolicy) -> Result<Self> {
        // The operator chose the proxy, so that it may be a neighbour; the hosts behind it are the proxy's to police.
        let proxy = policy.proxy.as_deref().map(proxy).transpose()?;
        let networks = if proxy.is_some() { PrivateNetworks::Allow } else { policy.private_networks };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(policy.ca_pem.as_deref())?)
            .dns_resolver(CheckedResolver { networks })
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(concat!("idp-bridge/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = proxy {
            builder = builder.proxy(proxy);
        }
        let http = builder.build().map_err(|error| {
            Error::ours(ErrorKind::Misconfigured, "an HTTP client cannot be made").with_source(error.without_url())
        })?;
        Ok(Self(Arc::new(Inner { http, policy: policy.clone() })))
    }

    /// Loads what requests to this URL will need: the system's certificate authorities, unless it is `http` or the policy
    /// has its own. `Misconfigured`, with a hint, if there are none.
    ///
    /// Without it the first request loads them. Reading them takes milliseconds, once per program.
    pub fn prepare(&self, base: &BaseUrl) -> Result<()> {
        if base.as_url().scheme() == "https" && self.0.policy.ca_pem.is_none() {
            tls::load_system_store()
        } else {
            Ok(())
        }
    }

    /// Sends a request, again where that is safe and can end in time, and reads the answer whole.
    ///
    /// # Behavior
    ///
    /// - An answer of any status is Ok, a redirect (which is not followed) and a 429 included.
    /// - No answer before the scope's deadline is `Timeout`; no connection, or a broken one, is `Unavailable`.
    /// - An answer that is no HTTP or is larger than [`MAX_BODY`] is `InvalidResponse`.
    /// - A certificate that is not trusted, or an address that the policy refuses, is `Misconfigured`.
    /// - The recorder is told of one request and of each attempt; of a write before it leaves, and that it was refused if
    ///   there was no connection or the answer is a 4xx other than 408.
    pub async fn send(&self, scope: &CallScope, request: Request) -> Result<Response> {
        scope.recorder().request();
        self.deliver(scope, &request, &mut 0).await
    }

    /// Like [`send`](Self::send), for a request that has been counted and sent `sent` times.
    pub(crate) async fn deliver(&self, scope: &CallScope, request: &Request, sent: &mut u32) -> Result<Response> {
        base_url::check(&request.url, &self.0.policy)?;
        let deadline = Instant::from_std(scope.deadline());
        if Instant::now() >= deadline {
            return Err(late());
        }
        let attempts = async {
            loop {
                *sent += 1;
                let begun = Instant::now();
                let ending = self.attempt(scope.recorder(), request).await;
                let last = Attempted { number: *sent, took: begun.elapsed(), asked: asked(&ending) };
                let left = deadline.saturating_duration_since(Instant::now());
                match retry::pause(last, left, fastrand::f64()) {
                    Some(pause) if may_differ(&ending, request.effect) => sleep(pause).await,
                    _ => return ending.map_err(|fault| fault.error.with("attempts", sent.to_string())),
                }
            }
        };
        timeout_at(deadline, attempts).await.unwrap_or_else(|_| Err(late()))
    }

    async fn attempt(&self, recorder: &Recorder, request: &Request) -> Result<Response, Fault> {
        let is_write = request.effect == Effect::Write;
        recorder.attempt();
        if is_write {
            recorder.write_begins();
        }
        let mut sending =
            self.0.http.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        let answer = sending.send().await.map_err(Fault::from_reqwest);
        let refused = match &answer {
            Ok(answer) => answer.status().is_client_error() && answer.status() != StatusCode::REQUEST_TIMEOUT,
            Err(fault) => !fault.sent,
        };
        if is_write && refused {
            recorder.write_refused();
        }
        read(answer?).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Whether the next attempt is allowed and may end otherwise.
fn may_differ(ending: &Result<Response, Fault>, effect: Effect) -> bool {
    match ending {
        Ok(answer) => retry::is_passing(answer.status, effect),
        Err(fault) => fault.passing && (effect == Effect::Read || !fault.sent),
    }
}

/// How long the identity provider asked to wait.
fn asked(ending: &Result<Response, Fault>) -> Option<Duration> {
    ending.as_ref().ok().and_then(Response::retry_after)
}

/// Reads an answer, but not more of it than [`MAX_BODY`].
async fn read(mut answer: reqwest::Response) -> Result<Response, Fault> {
    let announced = answer.content_length().unwrap_or_default();
    if announced > MAX_BODY as u64 {
        return Err(Fault::too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(Fault::from_reqwest)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Fault::too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let headers = std::mem::take(answer.headers_mut());
    Ok(Response { status: answer.status(), headers, body: Bytes::from(body) })
}

fn late() -> Error {
    Error::upstream(ErrorKind::Timeout, "the identity provider did not answer before the deadline")
}

fn proxy(text: &str) -> Result<reqwest::Proxy> {
    let bad = || {
        Error::ours(ErrorKind::Misconfigured, "the proxy's URL cannot be used")
            .with("hint", "write it like `http://proxy.acme.example:3128`")
    };
    let url = Url::parse(text).map_err(|error| bad().with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad());
    }
    let reach = OutboundPolicy { allow_http: true, ..OutboundPolicy::default() };
    base_url::check(&url, &reach)?;
    reqwest::Proxy::all(url).map_err(|error| bad().with_source(error.without_url()))
}
