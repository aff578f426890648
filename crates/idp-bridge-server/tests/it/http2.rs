//! HTTP/2 over TLS and in clear text, with well-behaved and hostile clients.

mod floods;
mod frames;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use idp_bridge_connector_memory::sample_users;
use idp_bridge_server::ServerLimits;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use self::frames::{
    ACK, DATA, Frame, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, Raw, SETTINGS,
};
use crate::bridge::{Bridge, envelope, limits, memory, signed, tenant};
use crate::http::{Request, within};
use crate::scripted::Scripted;
use crate::tls::Encrypted;

const KIB: usize = 1024;

/// Starts a bridge that accepts HTTP/2 in clear text.
async fn clear_text(limits: ServerLimits) -> Bridge {
    Bridge::with_server([tenant("acme", memory(sample_users()))], limits, |server| server.with_h2c()).await
}

/// A well-behaved client.
struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = within(builder.handshake(TokioIo::new(stream))).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    async fn open(bridge: &Bridge) -> Self {
        Self::over(TcpStream::connect(bridge.address).await.unwrap()).await
    }

    /// Sends a request. Returns the status and the body, or `None` without a response.
    async fn send(&mut self, request: &Request) -> Option<(u16, String)> {
        let builder = hyper::Request::builder().method(request.method.as_str());
        let mut built = builder.uri(format!("http://bridge{}", request.target)).body(Full::default()).unwrap();
        for (name, value) in &request.headers {
            let name: http::HeaderName = name.parse().unwrap();
            if name != http::header::HOST && name != http::header::CONTENT_LENGTH {
                built.headers_mut().append(name, value.parse().unwrap());
            }
        }
        *built.body_mut() = Full::from(request.body.clone());
        within(self.0.ready()).await.ok()?;
        let response = within(self.0.send_request(built)).await.ok()?;
        assert_eq!(response.headers().get("connection"), None);
        let status = response.status().as_u16();
        let body = within(response.into_body().collect()).await.ok()?.to_bytes();
        Some((status, String::from_utf8(body.into()).unwrap()))
    }

    async fn status(&mut self, request: &Request) -> Option<u16> {
        Some(self.send(request).await?.0)
    }
}

fn health() -> Request {
    Request::new("GET", "/healthz")
}

fn get() -> Request {
    signed(&envelope("users.get_by_id", json!({"id": "u-1"})))
}

#[tokio::test]
async fn signed_calls_work_over_tls() {
    let encrypted = Encrypted::start().await;
    let stream = encrypted.client().with_protocols(&["h2"]).connect(encrypted.address()).await.unwrap();
    let mut client = Client::over(stream).await;
    for _ in 0..3 {
        let (status, body) = client.send(&get()).await.unwrap();
        assert_eq!(status, 200);
        assert!(body.contains("\"id\":\"u-1\""), "{body}");
    }
    assert_eq!(client.status(&get().with("webhook-id", "other")).await, Some(401));
}

#[tokio::test]
async fn both_versions_work_in_clear_text() {
    let bridge = clear_text(limits()).await;
    assert_eq!(Client::open(&bridge).await.status(&get()).await, Some(200));
    assert_eq!(bridge.send(&get()).await.status, 200);
    // The first byte is that of the preface.
    let put = Request::new("PUT", "/healthz");
    assert_eq!(bridge.send(&put).await.status, 405);
}

#[tokio::test]
async fn clear_text_is_off_by_default() {
    let bridge = Bridge::with_samples().await;
    let mut raw = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
    assert_eq!(raw.closed().await, None);
}

#[tokio::test]
async fn sizes_are_limited_as_in_http1() {
    let bridge = clear_text(limits()).await;
    let mut client = Client::open(&bridge).await;
    let fields = |count: usize| (0..count).fold(health(), |request, field| request.header(&format!("x-{field}"), "x"));
    assert_eq!(client.status(&fields(64)).await, Some(200));
    assert_eq!(client.status(&fields(65)).await, Some(431));
    assert_eq!(client.status(&health().header("x-large", "x".repeat(15 * KIB))).await, Some(200));
    let path = |length: usize| Request::new("GET", format!("/healthz?{}", "x".repeat(length - "/healthz?".len())));
    assert_eq!(client.status(&path(2 * KIB)).await, Some(200));
    assert_eq!(client.status(&path(2 * KIB + 1)).await, Some(414));
    let mut large = get();
    large.body = vec![b'x'; 16 * KIB + 1];
    assert_eq!(client.status(&large).await, Some(413));
    large.body = vec![b'x'; 300 * KIB];
    assert_eq!(client.status(&large).await, Some(413));
    assert_eq!(client.status(&get()).await, Some(200), "the connection is still usable");
    // A client that reads the server's settings sends no such head.
    assert_ne!(client.status(&health().header("x-large", "x".repeat(17 * KIB))).await, Some(200));
}

#[tokio::test]
async fn slow_body_is_a_timeout() {
    let mut short = limits();
    short.body = Duration::from_millis(100);
    let bridge = clear_text(short).await;
    let mut raw = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
    raw.send(&[Frame::post(1)]).await;
    raw.wait_for(HEADERS).await;
    let body = String::from_utf8(raw.wait_for(DATA).await.payload).unwrap();
    assert!(body.contains("request_timeout"), "{body}");
}

#[tokio::test]
async fn settings_announce_the_limits() {
    let bridge = clear_text(limits()).await;
    let mut raw = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
    let settings = raw.wait_for(SETTINGS).await;
    assert_eq!(settings.value_of(MAX_CONCURRENT_STREAMS), Some(100));
    assert_eq!(settings.value_of(MAX_HEADER_LIST_SIZE), Some(16 * 1024));
    assert_eq!(settings.value_of(INITIAL_WINDOW_SIZE), Some(32 * 1024));
}

#[tokio::test]
async fn idle_connection_closes_after_idle_timeout() {
    let mut short = limits();
    short.idle = Duration::from_millis(300);
    let bridge = clear_text(short).await;
    let mut raw = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
    raw.send(&[Frame::get(1, "/healthz")]).await;
    raw.wait_for(HEADERS).await;
    let begun = Instant::now();
    raw.wait_for(GOAWAY).await;
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn incomplete_head_closes_the_connection() {
    let mut short = limits();
    (short.head, short.write) = (Duration::from_millis(100), Duration::from_millis(100));
    let bridge = clear_text(short).await;
    let half = Frame { flags: 0, ..Frame::get(1, "/healthz") };
    for frames in [&[][..], &[half]] {
        let mut raw = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
        raw.send(frames).await;
        raw.closed().await;
    }
}

#[tokio::test]
async fn client_without_a_window_is_closed() {
    let mut short = limits();
    (short.idle, short.write) = (Duration::from_millis(100), Duration::from_millis(100));
    let bridge = clear_text(short).await;
    let mut raw = Raw::open(bridge.address, Frame::setting(INITIAL_WINDOW_SIZE, 0)).await;
    raw.wait_for(SETTINGS).await;
    raw.send(&[Frame::new(SETTINGS, ACK, 0, []), Frame::get(1, "/healthz")]).await;
    assert_eq!(raw.wait_for(HEADERS).await.stream, 1);
    raw.closed().await;
}

#[tokio::test]
async fn drain_finishes_running_calls() {
    let (provider, begun, gate) = Scripted::gated();
    let tenants = [tenant("acme", provider)];
    let mut bridge = Bridge::with_server(tenants, limits(), |server| server.with_h2c()).await;
    let mut idle = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
    idle.send(&[Frame::get(1, "/healthz")]).await;
    idle.wait_for(HEADERS).await;
    let mut client = Client::open(&bridge).await;
    let call = tokio::spawn(async move {
        let delete = signed(&envelope("users.delete", json!({"id": "u"})));
        client.status(&delete).await
    });
    within(begun.acquire()).await.unwrap().forget();
    bridge.stop();
    idle.wait_for(GOAWAY).await;
    assert_eq!(Client::open(&bridge).await.status(&get()).await, Some(503));
    gate.add_permits(1);
    assert_eq!(within(call).await.unwrap(), Some(200));
    drop(idle);
    bridge.ended().await;
}

#[tokio::test]
async fn stopping_server_moves_clients_to_new_connections() {
    let mut delayed = limits();
    delayed.shutdown_delay = Duration::from_millis(500);
    let mut bridge = clear_text(delayed).await;
    let mut raw = Raw::open(bridge.address, Frame::new(SETTINGS, 0, 0, [])).await;
    raw.send(&[Frame::get(1, "/healthz")]).await;
    raw.wait_for(HEADERS).await;
    let stopped = Instant::now();
    bridge.stop();
    raw.wait_for(GOAWAY).await;
    let mut client = Client::open(&bridge).await;
    assert_eq!(client.status(&get()).await, Some(200));
    assert_eq!(client.status(&get()).await, Some(200));
    assert!(stopped.elapsed() < Duration::from_millis(500), "the machine is too slow for this test");
    bridge.ended().await;
}
