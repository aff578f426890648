//! The HTTP server of fake identity providers, on 127.0.0.1.
//!
//! A fake implements [`Fake`] on its state, with statuses, headers and bodies that were recorded from the product.
//! It may be stricter than the product where a careful client does not depend on it.

mod assertions;
pub mod openid;
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

pub use assertions::{AssertionRules, UsedAssertions};
pub use signing::{SigningKey, jwks};

/// The state of a fake identity provider, and its responses.
pub trait Fake: Send + 'static {
    /// Answers a request. Requests are answered one after the other.
    fn answer(&mut self, request: &Incoming) -> Answer;
}

/// A running fake on its own port. It stops when it is dropped.
pub struct FakeServer<F> {
    address: SocketAddr,
    shared: Arc<Mutex<Shared<F>>>,
    accepting: JoinHandle<()>,
}

struct Shared<F> {
    fake: F,
    exchanges: Vec<Exchange>,
}

/// A request and its response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The request.
    pub request: Incoming,
    /// The response.
    pub answer: Answer,
}

impl<F: Fake> FakeServer<F> {
    /// Starts the fake.
    pub async fn start(fake: F) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared { fake, exchanges: Vec::new() }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// Returns the base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reads or changes the state of the fake between two requests.
    pub fn with<T>(&self, act: impl FnOnce(&mut F) -> T) -> T {
        act(&mut lock(&self.shared).fake)
    }

    /// Returns all requests so far, with their responses.
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.shared).exchanges.clone()
    }

    /// Returns the requests since the last call of this method, with their responses.
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

/// Serves connections until the task is aborted.
async fn accept<F: Fake>(listener: TcpListener, shared: Arc<Mutex<Shared<F>>>) {
    let mut connections = JoinSet::new();
    // An error of `accept` ends the fake, and later requests fail.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve<F: Fake>(stream: TcpStream, shared: Arc<Mutex<Shared<F>>>) {
    let service = service_fn(move |request| handle(request, Arc::clone(&shared)));
    // A client may close the connection at any time.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn handle<F: Fake>(
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

/// A received request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// The method.
    pub method: Method,
    /// The path and the query, not decoded.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Incoming {
    /// Creates a request without headers and body.
    pub fn new(method: Method, target: &str) -> Self {
        Self { method, target: target.to_owned(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Returns the path without the query, not decoded.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the decoded segments of the path. `None` if one is empty, a dot segment (`.`, `%2e%2e`) or not UTF-8.
    pub fn segments(&self) -> Option<Vec<String>> {
        let segments = self.path().trim_start_matches('/').split('/').map(decoded).collect::<Option<Vec<_>>>()?;
        let is_dot_or_empty = |segment: &String| matches!(segment.as_str(), "" | "." | "..");
        (!segments.iter().any(is_dot_or_empty)).then_some(segments)
    }

    /// Returns the parameters of the query. `None` if one is repeated or not UTF-8.
    pub fn query(&self) -> Option<BTreeMap<String, String>> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// Returns the fields of a form body. `None` if the body is not a form, or if a field is repeated.
    pub fn form(&self) -> Option<BTreeMap<String, String>> {
        let is_form = self.header(&CONTENT_TYPE) == Some("application/x-www-form-urlencoded");
        is_form.then(|| pairs(std::str::from_utf8(&self.body).ok()?)).flatten()
    }

    /// Returns the JSON body. `None` if the body is not JSON.
    pub fn json(&self) -> Option<Value> {
        let is_json = self.header(&CONTENT_TYPE) == Some("application/json");
        is_json.then(|| serde_json::from_slice(&self.body).ok()).flatten()
    }

    /// Returns the bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.header(&AUTHORIZATION)?.strip_prefix("Bearer ")
    }

    /// Returns the value of a header, if it is visible ASCII.
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

/// A response of a fake, or a refusal that ends the handling of a request with `?`.
pub type Outcome = Result<Answer, Answer>;

/// A response of a fake.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, without `content-length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Creates a response without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Creates a response with a body of this content type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let answer = Self { body: body.into(), ..Self::empty(status) };
        answer.with(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// Creates a response with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Sets a header to a text. Does nothing if no header can have the text as its value.
    #[must_use]
    pub fn with_text(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with(name, value),
            Err(_) => self,
        }
    }

    /// Returns the value of a header, if it is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name)?.1.to_str().ok()
    }

    /// Sets a header, and replaces others of its name.
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
    fn dot_segments_are_rejected() {
        let segments = |target| incoming(target, "", "").segments();
        assert_eq!(segments("/users/a%2Fb%7C%2e?x=/"), Some(vec!["users".into(), "a/b|.".into()]));
        for bad in ["/users//x", "/users/", "/users/..", "/users/%2E%2e", "/users/.", "/%ff"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
    }

    #[test]
    fn repeated_parameters_are_rejected() {
        let query = |target| incoming(target, "", "").query();
        assert_eq!(query("/users"), Some(BTreeMap::new()));
        assert_eq!(query("/?a=b+c%2Bd&e"), Some([("a", "b c+d"), ("e", "")].map(|(n, v)| (n.into(), v.into())).into()));
        assert_eq!(query("/?a=1&a=2"), None);
    }

    #[test]
    fn a_body_needs_its_content_type() {
        assert_eq!(incoming("/", "application/json", "{}").json(), Some(serde_json::json!({})));
        assert_eq!(incoming("/", "text/plain", "{}").json(), None);
        assert_eq!(incoming("/", "application/json", "{").json(), None);
        assert!(incoming("/", "application/x-www-form-urlencoded", "a=b").form().is_some());
        assert_eq!(incoming("/", "application/json", "a=b").form(), None);
    }
}
