//! A server with TLS and HTTP/2. The test controls its responses and connections.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use idp_bridge_http::{Bytes, Url};
use idp_bridge_test_http::until;
use tokio::io::AsyncReadExt as _;
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
        let connections = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = connections.local_addr().unwrap();
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
        until(|| self.versions().len() >= count).await;
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
