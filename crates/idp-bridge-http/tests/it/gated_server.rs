//! A server with TLS and HTTP/2. The test controls its responses and connections.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use idp_bridge_http::{Bytes, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A running server.
pub(crate) struct GatedServer {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// A permit for each response.
    gate: Semaphore,
    versions: Mutex<Vec<Version>>,
    connections: AtomicUsize,
    tls: TlsAcceptor,
}

impl GatedServer {
    /// Starts a server that waits with its responses until it is opened.
    pub(crate) async fn start(mut tls: ServerConfig, protocols: &[&str]) -> Self {
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let (address, connections) = listen().await;
        let (gate, tls) = (Semaphore::new(0), TlsAcceptor::from(Arc::new(tls)));
        let state = Arc::new(State { gate, versions: Mutex::default(), connections: AtomicUsize::new(0), tls });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = connections.accept().await.unwrap();
                shared.connections.fetch_add(1, SeqCst);
                tokio::spawn(Arc::clone(&shared).serve(stream));
            }
        });
        Self { address, state }
    }

    /// Allows this number of responses.
    pub(crate) fn open(&self, responses: usize) {
        self.state.gate.add_permits(responses);
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("https://localhost:{}/", self.address.port())).unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the versions of the received requests.
    pub(crate) fn versions(&self) -> Vec<Version> {
        self.state.versions.lock().unwrap().clone()
    }

    /// Returns the number of accepted connections.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// Waits until this number of requests has arrived.
    pub(crate) async fn wait_for_requests(&self, count: usize) {
        wait_until(|| self.versions().len() >= count).await;
    }
}

impl State {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let stream = match self.tls.accept(stream).into_fallible().await {
            Ok(stream) => stream,
            // The client reads the alert before the connection ends.
            Err((_, mut stream)) => return while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {},
        };
        let respond = |request: Request<_>| {
            self.versions.lock().unwrap().push(request.version());
            let state = Arc::clone(&self);
            async move {
                let _: Request<hyper::body::Incoming> = request;
                state.gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
            }
        };
        let _ =
            auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(respond)).await;
    }
}

/// Forwards connections, and drops the bytes of frozen ones without closing them.
pub(crate) struct FreezingRelay {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Arc<Relayed>>>>,
}

#[derive(Default)]
struct Relayed {
    is_frozen: AtomicBool,
    is_closed: AtomicBool,
}

impl FreezingRelay {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let (address, listener) = listen().await;
        let relay = Self { address, connections: Arc::default() };
        let connections = Arc::clone(&relay.connections);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let state = Arc::<Relayed>::default();
                connections.lock().unwrap().push(Arc::clone(&state));
                tokio::spawn(relay_connection(client, target, state));
            }
        });
        relay
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("https://localhost:{}/", self.address.port())).unwrap()
    }

    /// Freezes all present connections.
    pub(crate) fn freeze(&self) {
        self.connections.lock().unwrap().iter().for_each(|connection| connection.is_frozen.store(true, SeqCst));
    }

    /// Returns the number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Waits until the client has closed the first connection.
    pub(crate) async fn wait_for_first_to_close(&self) {
        let first = Arc::clone(&self.connections.lock().unwrap()[0]);
        wait_until(|| first.is_closed.load(SeqCst)).await;
    }
}

async fn relay_connection(client: TcpStream, target: SocketAddr, state: Arc<Relayed>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(target).await.unwrap().into_split();
    let frozen = Arc::clone(&state);
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if !frozen.is_frozen.load(SeqCst) && to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
        // A frozen connection stays open.
        while frozen.is_frozen.load(SeqCst) && !frozen.is_closed.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        if !state.is_frozen.load(SeqCst) && to_server.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    state.is_closed.store(true, SeqCst);
}

async fn listen() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

async fn wait_until(is_true: impl Fn() -> bool) {
    let wait = async {
        while !is_true() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}
