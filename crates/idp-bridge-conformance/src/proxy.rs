//! The suite's proxy in front of a real or fake identity provider: it forwards and counts requests, and injects faults.
//!
//! It speaks clear text, and TLS to an upstream with `https`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service as _;

use crate::TestResult;
use crate::fault::{Cut, Fault, FaultyBody, When, fault_response};
use crate::relay::Recording;

/// A word in every body of a fault. No error may contain it.
pub(crate) const MARKER: &str = "conformance-marker-5f0c";

/// The target of [`Fault::Redirect`].
const REDIRECT_TARGET: &str = "/conformance-redirect-target";

/// Headers that are not forwarded.
const HOP_BY_HOP: [header::HeaderName; 5] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING, header::UPGRADE];

/// A running proxy. It stops when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    /// The base URLs of the upstreams. With several, the first segment of a path is the position of its upstream.
    upstreams: Vec<Uri>,
    connector: HttpsConnector<HttpConnector>,
    path: String,
    state: Mutex<State>,
    happened: Notify,
}

#[derive(Default)]
struct State {
    fault: Option<(Fault, When)>,
    /// The paths of the requests.
    paths: Vec<String>,
    /// The targets, headers and bodies of the requests.
    received: Vec<String>,
    /// The credentials in the `authorization` headers, without the scheme.
    authorizations: Vec<String>,
    faulted: usize,
    /// Whether the identity provider refused the request of [`Fault::After`].
    refused: bool,
    redirected: bool,
    keeps_connections: bool,
    recording: bool,
    recorded: VecDeque<UpstreamResponse>,
    exchanges: Option<Recording>,
}

/// A complete response of the identity provider.
pub(crate) type UpstreamResponse = Response<Bytes>;

impl Proxy {
    /// Starts a proxy in front of this base URL.
    pub(crate) async fn start(upstream: &str) -> TestResult<Self> {
        let upstream = parse(upstream)?;
        let path = upstream.path().trim_end_matches('/').to_owned();
        let tls = tls_config(std::slice::from_ref(&upstream))?;
        Self::start_with(vec![upstream], path, tls).await
    }

    /// Starts a proxy in front of the hosts of several base URLs, with the position of each as the first segment of paths.
    pub(crate) async fn start_all(upstreams: &[String]) -> TestResult<Self> {
        let upstreams = upstreams.iter().map(|upstream| parse(upstream)).collect::<TestResult<Vec<_>>>()?;
        let tls = tls_config(&upstreams)?;
        Self::start_with(upstreams, String::new(), tls).await
    }

    async fn start_with(upstreams: Vec<Uri>, path: String, tls: ClientConfig) -> TestResult<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let (state, happened) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { upstreams, connector, path, state, happened });
        let accepting = Mutex::new(Some(tokio::spawn(accept(listener, Arc::clone(&shared)))));
        Ok(Self { address, shared, accepting })
    }

    /// Returns the base URL of the proxy, with the path of the upstream's.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.path)
    }

    /// Injects a fault from now on, and resets the counts.
    pub(crate) fn fail(&self, fault: Fault, when: When) {
        self.reset_counts();
        let mut state = self.shared.state();
        state.fault = Some((fault, when));
        state.recording = false;
    }

    /// Stops injecting a fault. The counts continue.
    pub(crate) fn heal(&self) {
        self.shared.state().fault = None;
    }

    /// Resets the counts.
    pub(crate) fn reset_counts(&self) {
        let mut state = self.shared.state();
        state.paths.clear();
        (state.faulted, state.refused, state.redirected) = (0, false, false);
    }

    /// Records responses from now on, for [`Fault::Replay`], and clears earlier ones.
    pub(crate) fn record(&self) {
        let mut state = self.shared.state();
        state.recording = true;
        state.recorded.clear();
    }

    /// Adds each forwarded request and its response to a recording from now on.
    pub(crate) fn record_to(&self, recording: Recording) {
        self.shared.state().exchanges = Some(recording);
    }

    /// Keeps connections open for several requests from now on.
    pub(crate) fn keep_connections(&self) {
        self.shared.state().keeps_connections = true;
    }

    /// Returns the number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.shared.state().paths.len()
    }

    /// Returns the paths of the requests.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.shared.state().paths.clone()
    }

    /// Returns the targets, headers and bodies of the requests, raw and percent-decoded.
    pub(crate) fn received(&self) -> Vec<String> {
        self.shared.state().received.clone()
    }

    /// The credentials in the `authorization` headers, without the scheme.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.shared.state().authorizations.clone()
    }

    /// Returns the recorded response bodies.
    pub(crate) fn recorded(&self) -> Vec<Bytes> {
        self.shared.state().recorded.iter().map(|answer| answer.body().clone()).collect()
    }

    /// Returns the number of requests that the fault applied to.
    pub(crate) fn faulted(&self) -> usize {
        self.shared.state().faulted
    }

    /// Returns whether the identity provider refused the request of [`Fault::After`].
    pub(crate) fn was_refused(&self) -> bool {
        self.shared.state().refused
    }

    /// Waits until the fault applies to a request.
    pub(crate) async fn fault_happened(&self) {
        self.shared.happened.notified().await;
    }

    /// Returns whether the redirect was followed.
    pub(crate) fn was_followed(&self) -> bool {
        self.shared.state().redirected
    }

    /// Closes every connection and refuses new ones.
    pub(crate) async fn refuse(&self) {
        let accepting = self.accepting().take();
        if let Some(task) = accepting {
            task.abort();
            // The port is free only when the task has ended.
            let _ = task.await;
        }
    }

    /// Accepts connections again, on the previous port.
    pub(crate) async fn accept_again(&self) -> TestResult<()> {
        let listener = TcpListener::bind(self.address).await?;
        *self.accepting() = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        Ok(())
    }

    fn accepting(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = self.accepting().take() {
            task.abort();
        }
    }
}

/// Parses a base URL.
fn parse(upstream: &str) -> TestResult<Uri> {
    let url: Uri = upstream.parse()?;
    match url.scheme_str() {
        Some("http" | "https") => Ok(url),
        _ => Err(format!("`{upstream}` is neither `http` nor `https`").into()),
    }
}

/// Returns the settings of TLS, with the authorities of the system. They are read only if an upstream has TLS.
fn tls_config(upstreams: &[Uri]) -> TestResult<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match upstreams.iter().any(|upstream| upstream.scheme_str() == Some("https")) {
        true => builder.with_platform_verifier()?,
        false => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

/// Serves connections until the task is aborted.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let kept = shared.state().keeps_connections;
    let service = service_fn(move |request| Arc::clone(&shared).handle(request));
    // By default one request for each connection, so that no case depends on how fast a client notices a closed one.
    let mut builder = hyper::server::conn::http1::Builder::new();
    let _ = builder.keep_alive(kept).serve_connection(TokioIo::new(stream), service).await;
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and returns its fault.
    fn next_fault(&self, path: &str) -> Option<Fault> {
        let mut state = self.state();
        state.paths.push(path.to_owned());
        state.redirected |= path == REDIRECT_TARGET;
        let arrived = state.paths.len();
        let (fault, when) = state.fault.clone().filter(|(_, when)| when.is_now(arrived))?;
        state.faulted += 1;
        self.happened.notify_one();
        if when.is_once() {
            state.fault = None;
        }
        Some(fault)
    }

    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<FaultyBody>, Cut> {
        let fault = self.next_fault(request.uri().path());
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let request = Request::from_parts(head, body);
        self.record_request(&request);
        match fault {
            None => self.forward(request).await.map(whole),
            Some(Fault::Replay) => {
                let recorded = self.state().recorded.pop_front();
                match recorded {
                    Some(answer) => Ok(whole(answer)),
                    None => self.forward(request).await.map(whole),
                }
            }
            Some(Fault::CutBeforeAnswer) => Err(Cut),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::LostAnswer) => self.forward(request).await.and(Err(Cut)),
            Some(Fault::After(first)) => {
                first().await;
                let answer = self.forward(request).await?;
                self.state().refused = answer.status().is_client_error();
                Ok(whole(answer))
            }
            Some(fault) => fault_response(&fault).ok_or(Cut).map(|answer| self.with_location(answer)),
        }
    }

    /// Records a request, for the cases about credentials.
    fn record_request(&self, request: &Request<Bytes>) {
        let body = String::from_utf8_lossy(request.body());
        let text = format!("{} {:?} {body}", request.uri(), request.headers());
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = authorization.and_then(|value| value.split_whitespace().last()).map(str::to_owned);
        let mut state = self.state();
        state.received.extend([text, decoded]);
        state.authorizations.extend(credential);
    }

    fn with_location(&self, mut answer: Response<FaultyBody>) -> Response<FaultyBody> {
        if answer.status().is_redirection() {
            answer.headers_mut().insert(header::LOCATION, header::HeaderValue::from_static(REDIRECT_TARGET));
        }
        answer
    }

    async fn forward(&self, request: Request<Bytes>) -> Result<UpstreamResponse, Cut> {
        let answer = self.try_forward(request.clone()).await.map_err(|_| Cut)?;
        let mut state = self.state();
        if let Some(recording) = &state.exchanges {
            recording.add(&request, &answer);
        }
        if state.recording {
            state.recorded.push_back(answer.clone());
        }
        Ok(answer)
    }

    /// Returns the upstream of a target, and the target there.
    fn route<'a>(&'a self, target: &'a str) -> Option<(&'a Uri, &'a str)> {
        match self.upstreams.as_slice() {
            [only] => Some((only, target)),
            several => {
                let rest = target.strip_prefix('/')?;
                let (position, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                Some((several.get(position.parse::<usize>().ok()?)?, target))
            }
        }
    }

    async fn try_forward(&self, request: Request<Bytes>) -> TestResult<UpstreamResponse> {
        // The target may be absolute, as in requests to an HTTP proxy.
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let (upstream, target) = self.route(&target).ok_or("the path has no position of an upstream")?;
        let host = upstream.authority().ok_or("the upstream has no host")?.as_str();
        let stream = self.connector.clone().call(upstream.clone()).await?;
        let (mut upstream, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let (head, body) = request.into_parts();
        let mut forwarded = Request::builder().method(head.method).uri(target).header(header::HOST, host);
        for (name, value) in head.headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(name)) {
            forwarded = forwarded.header(name, value);
        }
        let answer = upstream.send_request(forwarded.body(Full::<Bytes>::new(body))?).await?;
        let (mut head, body) = answer.into_parts();
        for name in &HOP_BY_HOP {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

fn whole(response: UpstreamResponse) -> Response<FaultyBody> {
    response.map(FaultyBody::complete)
}

#[cfg(test)]
mod tests;
