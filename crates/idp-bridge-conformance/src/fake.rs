//! A stand-in for an identity provider, spoken to over HTTP on 127.0.0.1: the part that the fakes of connectors share.
//!
//! A fake keeps its users in one value, which is shown every request and answers as its original does: status, headers and body
//! as they were seen there. It is stricter than the original wherever a careful client does not notice.

mod signing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming as HyperBody;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub use signing::{SigningKey, jwks};

/// What a fake identity provider keeps, and how it answers.
pub trait Fake: Send + 'static {
    /// Answers a request; one after the other.
    fn answer(&mut self, request: &Incoming) -> Answer;
}

/// A fake that listens on a port of its own, alive until it is dropped.
pub struct FakeServer<F> {
    address: SocketAddr,
    shared: Arc<Mutex<Shared<F>>>,
    accepting: JoinHandle<()>,
}

struct Shared<F> {
    fake: F,
    exchanges: Vec<Exchange>,
}

/// A request and its answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// What was asked.
    pub request: Incoming,
    /// What was answered.
    pub answer: Answer,
}

impl<F: Fake> FakeServer<F> {
    /// Starts it.
    pub async fn start(fake: F) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared { fake, exchanges: Vec::new() }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at what the fake keeps, or changes it, between two requests.
    pub fn with<T>(&self, act: impl FnOnce(&mut F) -> T) -> T {
        act(&mut lock(&self.shared).fake)
    }

    /// All requests so far, with their answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.shared).exchanges.clone()
    }

    /// All requests since the last time they were taken, with their answers.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut lock(&self.shared).exchanges)
    }
}

impl<F> Drop for FakeServer<F> {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<F>(shared: &Mutex<Shared<F>>) -> MutexGuard<'_, Shared<F>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves connections until it is aborted, which ends them all.
async fn accept<F: Fake>(listener: TcpListener, shared: Arc<Mutex<Shared<F>>>) {
    let mut connections = JoinSet::new();
    // An error of accept ends the fake; the tests that go on without it say so.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve<F: Fake>(stream: TcpStream, shared: Arc<Mutex<Shared<F>>>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // A client that goes away is no fault of the fake.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer<F: Fake>(
    request: Request<HyperBody>,
    shared: Arc<Mutex<Shared<F>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = body.collect().await?.to_bytes();
    let request = Incoming { method: head.method, target, headers: head.headers, body };
    let mut shared = lock(&shared);
    let answer = shared.fake.answer(&request);
    let response = answer.to_response();
    shared.exchanges.push(Exchange { request, answer });
    Ok(response)
}

/// A request as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// The method.
    pub method: Method,
    /// Path and query, not decoded.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Incoming {
    /// A request without headers and body.
    pub fn new(method: Method, target: &str) -> Self {
        Self { method, target: target.to_owned(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// The path without its query, not decoded.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The segments of the path, decoded one by one; none if one of them is empty, folds (`.`, `%2e%2e`) or is no UTF-8.
    pub fn segments(&self) -> Option<Vec<String>> {
        let segments = self.path().trim_start_matches('/').split('/').map(decoded).collect::<Option<Vec<_>>>()?;
        let folds = |segment: &String| matches!(segment.as_str(), "" | "." | "..");
        (!segments.iter().any(folds)).then_some(segments)
    }

    /// The parameters of the query; none if one comes twice or is no UTF-8.
    pub fn query(&self) -> Option<BTreeMap<String, String>> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// The fields of the form in the body; none if it is none, or if one comes twice.
    pub fn form(&self) -> Option<BTreeMap<String, String>> {
        let is_form = self.header(&CONTENT_TYPE) == Some("application/x-www-form-urlencoded");
        is_form.then(|| pairs(std::str::from_utf8(&self.body).ok()?)).flatten()
    }

    /// The JSON in the body; none if it is none.
    pub fn json(&self) -> Option<Value> {
        let is_json = self.header(&CONTENT_TYPE) == Some("application/json");
        is_json.then(|| serde_json::from_slice(&self.body).ok()).flatten()
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.header(&AUTHORIZATION)?.strip_prefix("Bearer ")
    }

    /// A header's value, if it is there and is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?);
        if pairs.insert(name, value).is_some() {
            return None;
        }
    }
    Some(pairs)
}

/// An answer of a fake.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, but for the length of the body.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// An answer with a body of this content type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let answer = Self { body: body.into(), ..Self::empty(status) };
        answer.with(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// The same with this header, in the place of any other of its name.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(own, _)| *own != name);
        self.headers.push((name, value));
        self
    }

    fn to_response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().extend(self.headers.iter().cloned());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(target: &str, content_type: &'static str, body: &'static str) -> Incoming {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Incoming { method: Method::GET, target: target.into(), headers, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn segments_are_decoded_one_by_one_and_none_may_fold() {
        let segments = |target| incoming(target, "", "").segments();
        assert_eq!(segments("/users/a%2Fb%7C%2e?x=/"), Some(vec!["users".into(), "a/b|.".into()]));
        for bad in ["/users//x", "/users/", "/users/..", "/users/%2E%2e", "/users/.", "/%ff"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
    }

    #[test]
    fn pairs_are_form_decoded_and_none_may_come_twice() {
        let query = |target| incoming(target, "", "").query();
        assert_eq!(query("/users"), Some(BTreeMap::new()));
        assert_eq!(query("/?a=b+c%2Bd&e"), Some([("a", "b c+d"), ("e", "")].map(|(n, v)| (n.into(), v.into())).into()));
        assert_eq!(query("/?a=1&a=2"), None);
    }

    #[test]
    fn a_body_is_only_what_it_says_it_is() {
        assert_eq!(incoming("/", "application/json", "{}").json(), Some(serde_json::json!({})));
        assert_eq!(incoming("/", "text/plain", "{}").json(), None);
        assert_eq!(incoming("/", "application/json", "{").json(), None);
        assert!(incoming("/", "application/x-www-form-urlencoded", "a=b").form().is_some());
        assert_eq!(incoming("/", "application/json", "a=b").form(), None);
    }
}
