//! A tenant's HTTP client: bounded in time, size, attempts and reach.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, StatusCode};
use idp_bridge_core::{CallScope, Error, ErrorKind, OutboundPolicy, PrivateNetworks, Recorder, Result};
use reqwest::redirect;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use crate::address::Reach;
use crate::fault::Fault;
use crate::request::{Body, Effect, Request};
use crate::resolver::CheckedResolver;
use crate::response::Response;
use crate::retry::{self, Attempted};
use crate::{BaseUrl, Peer, TransportCause, base_url, tls};

/// The largest answer that is read: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;
/// Name resolution, TCP and TLS together; short enough for a second attempt within a usual deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than the idle time of any usual server or balancer, so that a write seldom meets a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// Where a proxy may be: the operator chose it, and the requests to `https` hosts are sealed on their way through it.
const PROXY_REACH: Reach = Reach { networks: PrivateNetworks::Allow, allow_http: true };

/// One tenant's HTTP client; cheap to clone.
///
/// It has its own connection pool, so that one tenant's identity provider never slows another's, and shares the TLS
/// configuration with all clients whose policy has no certificate authority of its own.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    reach: Reach,
    needs_system_store: bool,
    fetch_timeout: Duration,
}

impl Client {
    /// Makes a client that obeys this policy; `Misconfigured`, with a hint, for a bad certificate authority or proxy.
    ///
    /// With a proxy, the proxy resolves the names of the hosts, so that which of their addresses it dials is its to police.
    pub fn new(policy: &OutboundPolicy) -> Result<Self> {
        Self::with_resolver(policy, CheckedResolver::new(policy.private_networks))
    }

    fn with_resolver(policy: &OutboundPolicy, mut resolver: CheckedResolver) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(policy.ca_pem.as_deref())?)
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
        if let Some(text) = &policy.proxy {
            // The proxy is the only host that is dialled now.
            resolver.networks = PROXY_REACH.networks;
            builder = builder.proxy(proxy(text)?);
        }
        let http = builder
            .dns_resolver(resolver)
            .build()
            .map_err(|error| Error::misconfigured("an HTTP client cannot be made").with_source(error.without_url()))?;
        Ok(Self(Arc::new(Inner {
            http,
            reach: policy.into(),
            needs_system_store: policy.ca_pem.is_none(),
            fetch_timeout: policy.fetch_timeout,
        })))
    }

    /// Loads what requests to this URL will need: the system's certificate authorities, unless it is `http` or the policy
    /// has its own. `Misconfigured`, with a hint, if there are none.
    ///
    /// Without it the first request loads them. Reading them takes milliseconds, once per program.
    pub fn prepare(&self, base: &BaseUrl) -> Result<()> {
        if base.as_url().scheme() == "https" && self.0.needs_system_store { tls::load_system_store() } else { Ok(()) }
    }

    /// The policy's time limit of a fetch that calls share.
    pub(crate) fn fetch_timeout(&self) -> Duration {
        self.0.fetch_timeout
    }

    /// Sends a request, again where that is safe and can end in time, and reads the answer whole.
    ///
    /// # Behavior
    ///
    /// - An answer of any status is Ok, a redirect (which is not followed) and a 429 included.
    /// - A read without an answer after half of the time is sent once more, and the first answer counts.
    /// - No answer before the scope's deadline is `Timeout`; no connection, or a broken one, is `Unavailable`.
    /// - An answer that is no HTTP or is larger than [`MAX_BODY`] is `InvalidResponse`.
    /// - A certificate that is not trusted, or an address that the policy refuses, is `Misconfigured`.
    /// - The recorder is told of one request and of each attempt; of a write before it leaves, and that it was refused if
    ///   there was no connection or the answer is a 4xx other than 408, or amounts to one ([`Request::classify_with`]).
    pub async fn send(&self, scope: &CallScope, request: Request) -> Result<Response> {
        scope.recorder().request();
        self.deliver(scope, &request, &mut 0).await
    }

    /// Like [`send`](Self::send), for a request that has been counted and sent `sent` times.
    pub(crate) async fn deliver(&self, scope: &CallScope, request: &Request, sent: &mut u32) -> Result<Response> {
        let ended = self.attempts(scope, request, sent).await;
        ended.map_err(|error| {
            let host = request.url.host_str().unwrap_or_default().to_owned();
            error.with("host", host).with("attempts", sent.to_string())
        })
    }

    async fn attempts(&self, scope: &CallScope, request: &Request, sent: &mut u32) -> Result<Response> {
        base_url::check(&request.url, self.0.reach)?;
        let deadline = Instant::from_std(scope.deadline());
        if Instant::now() >= deadline {
            return Err(late());
        }
        let attempts = async {
            loop {
                let begun = Instant::now();
                let ending = self.attempt_until(deadline, scope.recorder(), request, sent).await;
                let last = Attempted { number: *sent, took: begun.elapsed(), asked: asked(&ending) };
                let left = deadline.saturating_duration_since(Instant::now());
                match retry::pause(last, left, fastrand::f64()) {
                    Some(pause) if may_differ(&ending, request) => sleep(pause).await,
                    _ => return ending.map_err(|fault| fault.error),
                }
            }
        };
        timeout_at(deadline, attempts).await.unwrap_or_else(|_| Err(late()))
    }

    /// One attempt; beside a read that is still unanswered after half of the time, a second one.
    ///
    /// A connection of the pool may have died without a word, so that what is sent on it is never answered.
    async fn attempt_until(
        &self,
        deadline: Instant,
        recorder: &Recorder,
        request: &Request,
        sent: &mut u32,
    ) -> Result<Response, Fault> {
        *sent += 1;
        let mut first = pin!(self.attempt(recorder, request));
        if request.effect == Effect::Write || *sent >= retry::MAX_ATTEMPTS {
            return first.await;
        }
        let half = deadline.saturating_duration_since(Instant::now()) / 2;
        if let Ok(ending) = timeout(half, &mut first).await {
            return ending;
        }
        *sent += 1;
        let mut second = pin!(self.attempt(recorder, request));
        let (ending, other) = tokio::select! {
            ending = &mut first => (ending, second),
            ending = &mut second => (ending, first),
        };
        if ending.is_ok() { ending } else { other.await }
    }

    async fn attempt(&self, recorder: &Recorder, request: &Request) -> Result<Response, Fault> {
        let is_write = request.effect == Effect::Write;
        let body = request.body.as_ref().map(Body::next).transpose().map_err(Fault::unmade)?;
        recorder.attempt();
        if is_write {
            recorder.write_begins();
        }
        let mut sending =
            self.0.http.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = body {
            sending = sending.body(body);
        }
        let told = |refused: bool| {
            if is_write && refused {
                recorder.write_refused();
            }
        };
        let answer = sending.send().await.map_err(Fault::from_reqwest).inspect_err(|fault| told(!fault.sent))?;
        if request.judge.is_none() {
            told(is_refusal(answer.status()));
        }
        let response = read(answer, request.reset.clone()).await?;
        if request.judge.is_some() {
            told(is_refusal(request.meaning(&response)));
        }
        Ok(response)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Whether the next attempt is allowed and may end otherwise.
fn may_differ(ending: &Result<Response, Fault>, request: &Request) -> bool {
    match ending {
        Ok(answer) => retry::is_passing(request.meaning(answer), request.effect),
        Err(fault) => fault.passing && (request.effect == Effect::Read || !fault.sent),
    }
}

/// Whether an answer of this status says that the request surely did not run.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

/// How long the identity provider asked to wait.
fn asked(ending: &Result<Response, Fault>) -> Option<Duration> {
    ending.as_ref().ok().and_then(Response::retry_after)
}

/// Reads an answer, but not more of it than [`MAX_BODY`].
async fn read(mut answer: reqwest::Response, reset: Option<HeaderName>) -> Result<Response, Fault> {
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
    Ok(Response { status: answer.status(), headers, body: Bytes::from(body), reset })
}

fn late() -> Error {
    Error::upstream(ErrorKind::Timeout, "the identity provider did not answer before the deadline")
        .with_hint(TransportCause::AnswerTimeout.hint(Peer::IdentityProvider))
        .unanswered()
}

fn proxy(text: &str) -> Result<reqwest::Proxy> {
    let bad = || {
        Error::misconfigured("the proxy's URL cannot be used")
            .with("setting", "proxy")
            .with_hint("write it like `http://proxy.acme.example:3128`")
    };
    let url = Url::parse(text).map_err(|error| bad().with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad());
    }
    base_url::check(&url, PROXY_REACH).map_err(|error| error.with("setting", "proxy"))?;
    reqwest::Proxy::all(url).map_err(|error| bad().with_source(error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_resolves_to_a_refused_address_is_misconfigured_and_asked_once() {
        // The URL alone passes; the resolver, which sees the address, does not let it.
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
            // The lookups are under way once the name server has a question.
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
    fn a_proxy_is_checked_like_a_host_next_door_and_its_password_not_shown() {
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
