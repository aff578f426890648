//! The faults that the proxy injects.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use idp_bridge_core::{Outcome, Recorder};
use tokio::time::{Instant, Sleep};

use crate::proxy::MARKER;

/// A fault that the proxy injects instead of forwarding a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Responds with this status and a small JSON body.
    Status(u16),
    /// Responds `429` with this `retry-after`.
    RateLimit(&'static str),
    /// Responds as a gateway in front of the identity provider.
    Gateway(Gateway),
    /// Responds `200` with this body as JSON.
    Body(Bytes),
    /// Responds `302` to another path of the proxy.
    Redirect,
    /// Responds `200` with a JSON document of 64 MiB, and counts the bytes that were read.
    Oversized(Arc<AtomicUsize>),
    /// Closes the connection without forwarding the request.
    CutBeforeAnswer,
    /// Closes the connection in the middle of the response body.
    CutInAnswer,
    /// Forwards the request, and closes the connection instead of returning the response.
    LostAnswer,
    /// Responds with an endless body, one byte every tenth of a second.
    Slow,
    /// Never responds.
    Hang,
    /// Responds with the recorded responses in order, then forwards requests again.
    Replay,
    /// Forwards the request after this function.
    After(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>),
}

/// An error response of a gateway, a firewall or another server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gateway {
    /// `401` without a challenge and without a body.
    Bare401,
    /// `401` with a `Basic` challenge and a page.
    Basic401,
    /// `403` with a page.
    Page403,
    /// `403` with a gateway's own JSON.
    Json403,
    /// `404` with a page.
    Page404,
    /// `404` with a gateway's own JSON.
    Json404,
}

impl Gateway {
    fn answer(self) -> Response<FaultyBody> {
        let (status, kind) = match self {
            Self::Bare401 => (StatusCode::UNAUTHORIZED, None),
            Self::Basic401 => (StatusCode::UNAUTHORIZED, Some("text/html")),
            Self::Page403 => (StatusCode::FORBIDDEN, Some("text/html")),
            Self::Json403 => (StatusCode::FORBIDDEN, Some("application/json")),
            Self::Page404 => (StatusCode::NOT_FOUND, Some("text/html")),
            Self::Json404 => (StatusCode::NOT_FOUND, Some("application/json")),
        };
        let body = match kind {
            None => String::new(),
            Some("text/html") => format!("<h1>{status} {MARKER}</h1>"),
            Some(_) => format!(r#"{{"message":"{MARKER}"}}"#),
        };
        let mut answer = Response::new(FaultyBody::complete(body));
        *answer.status_mut() = status;
        if let Some(kind) = kind {
            answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        }
        if matches!(self, Self::Basic401) {
            let challenge = header::HeaderValue::from_static(r#"Basic realm="gateway""#);
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

impl Fault {
    /// Returns a fault that responds `200` with half of a JSON document.
    pub(crate) fn garbage() -> Self {
        Self::Body(format!(r#"[{{"id": "{MARKER}", "#).into())
    }
}

/// The requests that a fault applies to.
#[derive(Clone)]
pub(crate) enum When {
    /// Every request.
    Always,
    /// Only the next request.
    Once,
    /// Every request after this many.
    After(usize),
    /// Every request after this recorder announced a write.
    Writes(Recorder),
    /// Only the first request after this recorder announced a write.
    FirstWrite(Recorder),
}

impl When {
    /// Returns whether the fault applies to the request with this number.
    pub(crate) fn is_now(&self, arrived: usize) -> bool {
        match self {
            Self::Always | Self::Once => true,
            Self::After(passed) => arrived > *passed,
            Self::Writes(recorder) | Self::FirstWrite(recorder) => recorder.outcome() == Outcome::Unknown,
        }
    }

    /// Returns whether the fault applies to one request only.
    pub(crate) fn is_once(&self) -> bool {
        matches!(self, Self::Once | Self::FirstWrite(_))
    }
}

/// Returns the response of a fault that needs no upstream.
pub(crate) fn fault_response(fault: &Fault) -> Option<Response<FaultyBody>> {
    let json = || FaultyBody::complete(format!(r#"{{"error":"{MARKER}","users":[],"id":"{MARKER}"}}"#));
    let (status, body) = match fault {
        Fault::Status(status) => (StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json()),
        Fault::RateLimit(_) => (StatusCode::TOO_MANY_REQUESTS, json()),
        Fault::Gateway(gateway) => return Some(gateway.answer()),
        Fault::Body(bytes) => (StatusCode::OK, FaultyBody::complete(bytes.clone())),
        Fault::Redirect => (StatusCode::FOUND, FaultyBody::complete(String::new())),
        Fault::Oversized(sent) => (StatusCode::OK, FaultyBody::endless(Arc::clone(sent))),
        Fault::CutInAnswer => (StatusCode::OK, FaultyBody::cut()),
        Fault::Slow => (StatusCode::OK, FaultyBody::slow()),
        Fault::CutBeforeAnswer | Fault::LostAnswer | Fault::Hang | Fault::Replay | Fault::After(_) => return None,
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    match fault {
        Fault::RateLimit(wait) => {
            answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(wait));
        }
        Fault::CutInAnswer => {
            answer.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("100000"));
        }
        _ => {}
    }
    Some(answer)
}

/// A response body with a fault.
pub(crate) struct FaultyBody {
    chunk: Bytes,
    chunks: usize,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    cut: bool,
    sent: Option<Arc<AtomicUsize>>,
}

/// The error of a body or a connection that was cut on purpose.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl FaultyBody {
    /// Returns a body without a fault.
    pub(crate) fn complete(bytes: impl Into<Bytes>) -> Self {
        let chunk = bytes.into();
        let chunks = usize::from(!chunk.is_empty());
        Self { chunk, chunks, pause: Duration::ZERO, timer: None, cut: false, sent: None }
    }

    fn endless(sent: Arc<AtomicUsize>) -> Self {
        Self { chunks: 64 * 16, sent: Some(sent), ..Self::complete(vec![b' '; 64 * 1024]) }
    }

    fn cut() -> Self {
        // The pause lets the first half be sent before the connection is cut.
        Self { cut: true, pause: Duration::from_millis(20), ..Self::complete(format!(r#"{{"id":"{MARKER}","#)) }
    }

    fn slow() -> Self {
        Self { chunks: usize::MAX, pause: Duration::from_millis(100), ..Self::complete(" ") }
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(timer) = &mut self.timer {
            if timer.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
        }
        if self.chunks == 0 {
            return Poll::Ready(self.cut.then_some(Err(Cut)));
        }
        self.chunks -= 1;
        if let Some(sent) = &self.sent {
            sent.fetch_add(self.chunk.len(), Relaxed);
        }
        if !self.pause.is_zero() {
            self.timer = Some(Box::pin(tokio::time::sleep_until(Instant::now() + self.pause)));
        }
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.cut || self.chunks > 1 { SizeHint::default() } else { SizeHint::with_exact(self.chunk.len() as u64) }
    }
}
