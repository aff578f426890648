//! A scripted server on 127.0.0.1, with or without TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

/// The behavior of the server for one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Sends these bytes and keeps the connection open.
    Answer(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Cut(Vec<u8>),
    /// Sends these bytes and waits until the client closes the connection.
    Hang(Vec<u8>),
    /// Sends these bytes, and then `x` until the client closes the connection.
    Endless(Vec<u8>),
}

/// Returns a complete response.
pub fn answer(status: u16, headers: &[&str], body: &str) -> Reply {
    let mut text = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    Reply::Answer(format!("{text}\r\n{body}").into_bytes())
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Returns an address on which no program listens.
pub fn unused_address() -> SocketAddr {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

type Script = dyn Fn(usize, &Received) -> Reply + Send + Sync;

/// A running server.
pub struct Server {
    address: SocketAddr,
    tls: bool,
    state: Arc<State>,
}

struct State {
    script: Box<Script>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    abandoned: tokio::sync::Notify,
}

impl Server {
    /// Starts a server. The script gets the number of the request, from 0, and the request.
    pub async fn start(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, script).await
    }

    /// Starts a server with TLS.
    pub async fn start_with(
        tls: Option<TlsAcceptor>,
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            abandoned: tokio::sync::Notify::new(),
        });
        let server = Self { address, tls: tls.is_some(), state: state.clone() };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                state.connections.fetch_add(1, SeqCst);
                let (state, tls) = (state.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => state.serve(stream).await,
                        Some(tls) => {
                            // A client that does not trust the certificate ends the handshake.
                            if let Ok(stream) = tls.accept(stream).await {
                                state.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// Returns the base URL, without a trailing slash.
    pub fn base(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// Returns the URL of a user.
    pub fn url(&self) -> Url {
        Url::parse(&format!("{}/users/u-1", self.base())).unwrap()
    }

    /// Returns the received requests.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// Returns the number of accepted connections.
    pub fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// Waits until a client has closed the connection during an unfinished response.
    pub async fn abandoned(&self) {
        self.state.abandoned.notified().await;
    }
}

impl State {
    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(request) = read(&mut stream).await {
            let number = {
                let mut received = self.received.lock().unwrap();
                received.push(request.clone());
                received.len() - 1
            };
            match (self.script)(number, &request) {
                Reply::Answer(bytes) => stream.write_all(&bytes).await.unwrap(),
                Reply::Cut(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    let _ = stream.shutdown().await;
                    return;
                }
                Reply::Hang(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    let _ = stream.read(&mut [0]).await;
                    self.abandoned.notify_one();
                    return;
                }
                Reply::Endless(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    while stream.write_all(&[b'x'; 16_384]).await.is_ok() {}
                    self.abandoned.notify_one();
                    return;
                }
            }
        }
    }
}

/// Reads a request. Returns `None` if the client has closed the connection, or after a response to bytes that are not HTTP.
async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                return Some(Received { head, body: String::from_utf8(bytes[end + 4..].to_vec()).unwrap() });
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
        if bytes.first().is_some_and(|first| !first.is_ascii_uppercase()) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            return None;
        }
    }
}
