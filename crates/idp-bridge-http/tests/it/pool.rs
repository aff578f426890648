//! Tests of connections that are used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use h2::Reason;
use http::Response;
use idp_bridge_core::{ErrorKind, OutboundPolicy, Outcome};
use idp_bridge_http::{Client, Request, Url};
use idp_bridge_test_http::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, answer, scope};
use crate::tls::{server_config, trusting};

/// A server of HTTP/1.1 that closes a connection when the test says so.
struct ClosingServer {
    url: Url,
    close: UnboundedSender<()>,
    /// An item for each connection that was closed.
    closed: UnboundedReceiver<()>,
    connections: Arc<AtomicUsize>,
}

impl ClosingServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (close, mut orders) = unbounded_channel();
        let (report, closed) = unbounded_channel();
        let connections = Arc::<AtomicUsize>::default();
        let accepted = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, SeqCst);
                let serve = async { while answer_one(&mut stream).await {} };
                tokio::select! { () = serve => {}, Some(()) = orders.recv() => {} }
                drop(stream);
                report.send(()).unwrap();
            }
        });
        Self { url, close, closed, connections }
    }

    async fn close(&mut self) {
        self.close.send(()).unwrap();
        self.closed.recv().await.unwrap();
    }
}

/// Answers one request. Returns false if the client has closed the connection.
async fn answer_one(stream: &mut TcpStream) -> bool {
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return false };
        received.push(byte);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_ok()
}

#[tokio::test]
async fn closed_idle_connection_gets_no_request() {
    let mut server = ClosingServer::start().await;
    let other = Server::start(|_, _| answer(200, &[], "")).await;
    let client = Client::new(&OutboundPolicy::default()).unwrap();
    client.send(&scope(), Request::delete(server.url.clone())).await.unwrap();
    server.close().await;
    // The runtime handles the closed connection while it waits for this response.
    client.send(&scope(), Request::get(other.url())).await.unwrap();
    let write = scope();
    client.send(&write, Request::delete(server.url.clone())).await.unwrap();
    assert_eq!((write.recorder().attempts(), server.connections.load(SeqCst)), (1, 2));
}

#[tokio::test]
async fn unsolicited_response_is_discarded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(answer_one(&mut first).await);
        first.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        while answer_one(&mut second).await {}
    });
    let other = Server::start(|_, _| answer(200, &[], "")).await;
    let client = Client::new(&OutboundPolicy::default()).unwrap();
    for _ in 0..3 {
        let response = client.send(&scope(), Request::get(url.clone())).await.unwrap();
        assert_eq!(response.text(), Some("ok"));
        // The runtime reads what the server sends while it waits for this response.
        client.send(&scope(), Request::get(other.url())).await.unwrap();
    }
}

#[tokio::test]
async fn connection_is_closed_when_idle_for_long() {
    let mut server = ClosingServer::start().await;
    let client = Client::new(&OutboundPolicy::default()).unwrap();
    client.send(&scope(), Request::get(server.url.clone())).await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    server.closed.recv().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(31), "{:?}", begun.elapsed());
}

/// Starts an HTTP/2 server that resets its first streams, and returns its URL and a policy that trusts it.
async fn start_refusing(refusals: usize, reason: Reason) -> (Url, OutboundPolicy) {
    let authority = Authority::new();
    let mut config = server_config(&authority, "localhost", None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        let mut left = refusals;
        loop {
            let stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if left > 0 {
                    left -= 1;
                    respond.send_reset(reason);
                } else {
                    respond.send_response(Response::new(()), true).unwrap();
                }
            }
        }
    });
    (url, trusting(&authority.pem))
}

#[tokio::test]
async fn refused_http2_request_is_sent_again() {
    let (url, policy) = start_refusing(2, Reason::REFUSED_STREAM).await;
    let write = scope();
    let response = Client::new(&policy).unwrap().send(&write, Request::delete(url)).await.unwrap();
    assert_eq!((response.status.as_u16(), write.recorder().attempts()), (200, 1));
}

#[tokio::test]
async fn write_refused_by_http2_server_is_not_applied() {
    let (url, policy) = start_refusing(usize::MAX, Reason::REFUSED_STREAM).await;
    let write = scope();
    let error = Client::new(&policy).unwrap().send(&write, Request::delete(url)).await.unwrap_err();
    assert_eq!((error.kind(), write.recorder().outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
}

#[tokio::test]
async fn write_reset_by_http2_server_is_sent_once() {
    let (url, policy) = start_refusing(1, Reason::INTERNAL_ERROR).await;
    let write = scope();
    let error = Client::new(&policy).unwrap().send(&write, Request::delete(url)).await.unwrap_err();
    assert_eq!((error.kind(), write.recorder().outcome()), (ErrorKind::Unavailable, Outcome::Unknown));
    assert_eq!(write.recorder().attempts(), 1);
}
