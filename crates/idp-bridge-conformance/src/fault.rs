//! The ways in which a request to an identity provider can go wrong.

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

/// What the proxy does instead of passing a request on.
#[derive(Clone)]
pub(crate) enum Fault {
    /// An answer with this status and a small JSON body.
    Status(u16),
    /// `429` with this `retry-after`.
    RateLimit(&'static str),
    /// A refusal by something in front of the identity provider.
    Gateway(Gateway),
    /// `200` with this body, called JSON.
    Body(Bytes),
    /// `302` to another path of the proxy.
    Redirect,
    /// `200` with a JSON document of 64 MiB; the number is told how many bytes of it were wanted.
    Oversized(Arc<AtomicUsize>),
    /// The connection ends before the answer begins; the identity provider never sees the request.
    CutBeforeAnswer,
    /// The connection ends in the middle of the answer's body.
    CutInAnswer,
    /// The identity provider gets the request and answers it, and the connection ends before the answer comes back.
    LostAnswer,
    /// The body trickles, a byte every tenth of a second, and never ends.
    Slow,
    /// Nothing comes back.
    Hang,
    /// The answers that were recorded before, one after the other: those to another question. After them, true ones.
    Replay,
    /// The request is passed on after this has run.
    After(Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>),
}

/// A refusal as gateways, firewalls and other servers send it, and no identity provider.
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
        let mut answer = Response::new(FaultyBody::whole(body));
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
    /// `200` with half of a JSON document.
    pub(crate) fn garbage() -> Self {
        Self::Body(format!(r#"[{{"id": "{MARKER}", "#).into())
    }
}

/// To which requests a fault happens.
#[derive(Clone)]
pub(crate) enum When {
    /// To all.
    Always,
    /// To the next one only.
    Once,
    /// To all after this many.
    After(usize),
    /// To those that arrive after this recorder was told of a write.
    Writes(Recorder),
    /// To the first of those only.
    FirstWrite(Recorder),
}

impl When {
    /// Whether a request that arrives now, as the `arrived`th, is meant.
    pub(crate) fn is_now(&self, arrived: usize) -> bool {
        match self {
            Self::Always | Self::Once => true,
            Self::After(passed) => arrived > *passed,
            Self::Writes(recorder) | Self::FirstWrite(recorder) => recorder.outcome() == Outcome::Unknown,
        }
    }

    /// Whether it is over after the first time.
    pub(crate) fn is_once(&self) -> bool {
        matches!(self, Self::Once | Self::FirstWrite(_))
    }
}

/// An answer that the proxy makes up.
pub(crate) fn made_up(fault: &Fault) -> Option<Response<FaultyBody>> {
    let json = || FaultyBody::whole(format!(r#"{{"error":"{MARKER}","users":[],"id":"{MARKER}"}}"#));
    let (status, body) = match fault {
        Fault::Status(status) => (StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json()),
        Fault::RateLimit(_) => (StatusCode::TOO_MANY_REQUESTS, json()),
        Fault::Gateway(gateway) => return Some(gateway.answer()),
        Fault::Body(bytes) => (StatusCode::OK, FaultyBody::whole(bytes.clone())),
        Fault::Redirect => (StatusCode::FOUND, FaultyBody::whole(String::new())),
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

/// A body that ends, or does not end, as a fault wants it to.
pub(crate) struct FaultyBody {
    chunk: Bytes,
    chunks: usize,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    cut: bool,
    sent: Option<Arc<AtomicUsize>>,
}

/// The body, or the connection, that was cut on purpose.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl FaultyBody {
    /// All of it at once.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let chunk = bytes.into();
        let chunks = usize::from(!chunk.is_empty());
        Self { chunk, chunks, pause: Duration::ZERO, timer: None, cut: false, sent: None }
    }

    fn endless(sent: Arc<AtomicUsize>) -> Self {
        Self { chunks: 64 * 16, sent: Some(sent), ..Self::whole(vec![b' '; 64 * 1024]) }
    }

    fn cut() -> Self {
        // The pause lets the first half leave before the connection is cut.
        Self { cut: true, pause: Duration::from_millis(20), ..Self::whole(format!(r#"{{"id":"{MARKER}","#)) }
    }

    fn slow() -> Self {
        Self { chunks: usize::MAX, pause: Duration::from_millis(100), ..Self::whole(" ") }
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
