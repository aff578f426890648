//! A tenant's connection pool.
//!
//! The task of a request also polls its HTTP/1.1 connection. A call therefore wakes no other task, and an idle connection
//! has no task. An HTTP/2 connection is shared by requests and has a task.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, sleep};

use crate::connector::{BoxError, Connector, Stream};
use crate::outgoing::Outgoing;
use crate::request_url::RequestUrl;
use crate::transport::find;

/// Shorter than the idle timeout of common servers and load balancers, so that a write rarely meets a closing connection.
const MAX_IDLE_TIME: Duration = Duration::from_secs(15);
/// The time after which an HTTP/2 connection with a request and without a frame from the server gets a ping.
const PING_AFTER: Duration = Duration::from_secs(1);
/// The time after which an HTTP/2 connection is closed if the server does not answer the ping. All requests share such a
/// connection, so that a dead one must be noticed within a typical deadline.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of times that a request is sent again after an HTTP/2 server refused it without processing it.
const MAX_REFUSALS: u32 = 2;

/// The connections to the servers of one tenant.
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    connector: Connector,
    /// The maximum number of idle HTTP/1.1 connections to one server.
    max_idle: usize,
    servers: Mutex<Servers>,
}

#[derive(Default)]
struct Servers {
    /// The connections by scheme, host and port.
    by_origin: BTreeMap<String, Server>,
    /// Whether a task closes the connections that have been idle for too long.
    has_reaper: bool,
}

/// The connections to one server.
#[derive(Default)]
struct Server {
    /// The idle HTTP/1.1 connections and the times since when they are idle. The last one is the most recent.
    idle: Vec<(Box<Http1>, Instant)>,
    /// The HTTP/2 connection and the time of its last request.
    shared: Option<(Http2, Instant)>,
}

/// The reason why a request has no response.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The request cannot be built.
    NotBuilt(BoxError),
    /// There is no connection to the server.
    NotConnected(BoxError),
    /// The connection was closed before the request was sent, or the server refused the request without processing it.
    Unsent(BoxError),
    /// The connection failed after the request was sent.
    Broken(BoxError),
}

impl Pool {
    pub(crate) fn new(connector: Connector, max_idle: usize) -> Self {
        Self(Arc::new(Inner { connector, max_idle, servers: Mutex::default() }))
    }

    /// Sends a request on an idle, shared or new connection, and returns the response when its head has arrived.
    ///
    /// The request is sent again if the server closed an idle connection before the request was sent, or refused to process it.
    pub(crate) async fn send<'a>(&'a self, outgoing: &Outgoing<'a>) -> Result<Incomplete<'a>, SendError> {
        let url = &outgoing.request.parts.url;
        let mut refusals = 0;
        loop {
            let (mut connection, is_reused) = match self.take(url) {
                Some(connection) => (connection, true),
                // Boxed, since the future of a handshake is large and rarely needed.
                None => (Box::pin(self.connect(url)).await?, false),
            };
            let result = match &mut connection {
                Connection::Http1(http1) => http1.send(outgoing, &self.0.connector).await,
                Connection::Http2(http2) => http2.send(outgoing).await,
            };
            match (result, connection) {
                (Ok(response), Connection::Http1(http1)) => {
                    return Ok(Incomplete::new(response, Some((self, url, http1))));
                }
                (Ok(response), Connection::Http2(_)) => return Ok(Incomplete::new(response, None)),
                (Err(SendError::Unsent(_)), Connection::Http1(_)) if is_reused => {}
                (Err(SendError::Unsent(_)), Connection::Http2(_)) if refusals < MAX_REFUSALS => {
                    refusals += 1;
                    self.remove_shared(url);
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    async fn connect(&self, url: &RequestUrl) -> Result<Connection, SendError> {
        let uri = url.to_uri().map_err(|error| SendError::NotBuilt(error.into()))?;
        let stream = self.0.connector.connect(uri).await.map_err(SendError::NotConnected)?;
        let failed = |error: hyper::Error| SendError::NotConnected(error.into());
        if stream.connected().is_negotiated_h2() {
            return Http2::handshake(stream).await.map(|own| Connection::Http2(self.share(url, own))).map_err(failed);
        }
        Http1::handshake(stream).await.map(|own| Connection::Http1(Box::new(own))).map_err(failed)
    }

    /// Takes a connection that is open as far as is known.
    fn take(&self, url: &RequestUrl) -> Option<Connection> {
        let mut servers = self.servers();
        let server = servers.by_origin.get_mut(url.origin())?;
        let now = Instant::now();
        if let Some((shared, last_used)) = server.shared.as_mut() {
            if is_fresh(*last_used, now) && !shared.0.is_closed() {
                *last_used = now;
                return Some(Connection::Http2(shared.clone()));
            }
            server.shared = None;
        }
        server.idle.pop().filter(|(_, since)| is_fresh(*since, now)).map(|(http1, _)| Connection::Http1(http1))
    }

    /// Shares a new HTTP/2 connection, or returns the shared one if it is open.
    fn share(&self, url: &RequestUrl, new: Http2) -> Http2 {
        let mut servers = self.servers();
        let server = servers.by_origin.entry(url.origin().to_owned()).or_default();
        match &server.shared {
            Some((shared, _)) if !shared.0.is_closed() => shared.clone(),
            _ => {
                server.shared = Some((new.clone(), Instant::now()));
                new
            }
        }
    }

    fn remove_shared(&self, url: &RequestUrl) {
        if let Some(server) = self.servers().by_origin.get_mut(url.origin()) {
            server.shared = None;
        }
    }

    /// Keeps an idle connection for later requests.
    fn put(&self, url: &RequestUrl, http1: Box<Http1>) {
        let mut servers = self.servers();
        let server = servers.by_origin.entry(url.origin().to_owned()).or_default();
        if server.idle.len() < self.0.max_idle {
            server.idle.push((http1, Instant::now()));
        }
        if !servers.has_reaper {
            servers.has_reaper = true;
            tokio::spawn(reap(Arc::downgrade(&self.0)));
        }
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(since: Instant, now: Instant) -> bool {
    now.duration_since(since) < MAX_IDLE_TIME
}

/// Closes the connections that have been idle for too long, until none are left.
async fn reap(pool: Weak<Inner>) {
    loop {
        sleep(MAX_IDLE_TIME).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut servers = pool.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        servers.by_origin.retain(|_, server| {
            server.idle.retain(|(_, since)| is_fresh(*since, now));
            server.shared.take_if(|(shared, last_used)| shared.0.is_closed() || !is_fresh(*last_used, now));
            !server.idle.is_empty() || server.shared.is_some()
        });
        if servers.by_origin.is_empty() {
            servers.has_reaper = false;
            return;
        }
    }
}

enum Connection {
    Http1(Box<Http1>),
    Http2(Http2),
}

/// An HTTP/1.1 connection. It makes progress only while it is polled here.
struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Is dropped when it ends, which returns the requests that were not sent.
    connection: Option<http1::Connection<Stream, Full<Bytes>>>,
}

impl Http1 {
    async fn handshake(stream: Stream) -> hyper::Result<Self> {
        // Requests are small: one buffer for head and body costs less than a vectored write.
        let (sender, connection) = http1::Builder::new().writev(false).handshake(stream).await?;
        Ok(Self { sender, connection: Some(connection) })
    }

    async fn send(&mut self, outgoing: &Outgoing<'_>, connector: &Connector) -> Result<Response<Incoming>, SendError> {
        let request = outgoing.to_http1(connector.proxy()).map_err(|error| SendError::NotBuilt(error.into()))?;
        let response = pin!(self.sender.try_send_request(request));
        self.advance(response).await.map_err(|error| match error.message() {
            Some(_) => SendError::Unsent(error.into_error().into()),
            None => SendError::Broken(error.into_error().into()),
        })
    }

    /// Waits for a part of a response while the connection is polled.
    async fn advance<T>(&mut self, mut part: impl Future<Output = T> + Unpin) -> T {
        poll_fn(|context| {
            self.poll(context);
            // Only the connection brings the part forward, so that it wakes this task for both.
            let waker = if self.connection.is_some() { Waker::noop() } else { context.waker() };
            Pin::new(&mut part).poll(&mut Context::from_waker(waker))
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        self.connection.take_if(|connection| Pin::new(connection).poll(context).is_ready());
    }

    /// Returns whether the connection can carry another request.
    fn is_idle(&mut self) -> bool {
        self.poll(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// An HTTP/2 connection. Its task ends when it is closed, and after the last clone was dropped.
#[derive(Clone)]
struct Http2(http2::SendRequest<Full<Bytes>>);

impl Http2 {
    async fn handshake(stream: Stream) -> hyper::Result<Self> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(PING_AFTER).keep_alive_timeout(PING_TIMEOUT);
        let (sender, connection) = builder.handshake(stream).await?;
        // Its error is that of the requests on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self(sender))
    }

    async fn send(&mut self, outgoing: &Outgoing<'_>) -> Result<Response<Incoming>, SendError> {
        let request = outgoing.to_http2().map_err(|error| SendError::NotBuilt(error.into()))?;
        self.0.try_send_request(request).await.map_err(|error| match error.message() {
            Some(_) => SendError::Unsent(error.into_error().into()),
            None if is_refusal(error.error()) => SendError::Unsent(error.into_error().into()),
            None => SendError::Broken(error.into_error().into()),
        })
    }
}

/// Returns whether an HTTP/2 server refused a request without processing it (RFC 9113, section 8.7).
fn is_refusal(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|error| {
        let reason = error.reason();
        let is_refused = error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM);
        let is_shutdown = error.is_go_away() && reason == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (is_refused || is_shutdown)
    })
}

/// A response with a body that has not been read yet.
pub(crate) struct Incomplete<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    /// The connection of the body, and the pool and the URL to keep it for.
    source: Option<(&'a Pool, &'a RequestUrl, Box<Http1>)>,
}

/// The reason why a body cannot be read.
pub(crate) enum ReadError {
    /// The body is larger than the limit.
    TooLarge,
    /// The connection failed.
    Broken(BoxError),
}

impl<'a> Incomplete<'a> {
    fn new(response: Response<Incoming>, source: Option<(&'a Pool, &'a RequestUrl, Box<Http1>)>) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body, source }
    }

    /// Reads a body of at most `limit` bytes, and keeps the connection for later requests.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Bytes, ReadError> {
        if self.body.size_hint().lower() > limit as u64 {
            return Err(ReadError::TooLarge);
        }
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while !self.body.is_end_stream() {
            let frame = match &mut self.source {
                Some((_, _, http1)) => http1.advance(self.body.frame()).await,
                None => self.body.frame().await,
            };
            let Some(frame) = frame else { break };
            let Ok(chunk) = frame.map_err(|error| ReadError::Broken(error.into()))?.into_data() else { continue };
            if first.len() + rest.len() + chunk.len() > limit {
                return Err(ReadError::TooLarge);
            }
            // Most bodies are one chunk, which needs no copy.
            if first.is_empty() { first = chunk } else { rest.extend_from_slice(&chunk) }
        }
        if let Some((pool, url, mut http1)) = self.source.take()
            && http1.is_idle()
        {
            pool.put(url, http1);
        }
        Ok(if rest.is_empty() { first } else { [first, rest.freeze()].concat().into() })
    }
}
