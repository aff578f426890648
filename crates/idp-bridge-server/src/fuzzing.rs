//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::{self, Phases, Serving};
use crate::proxy_protocol;
use crate::router::Router;
use crate::server::Server;

/// Reads a header of the PROXY protocol, version 2, and returns the client's address. An error is the reason.
pub async fn read_proxy_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, String> {
    proxy_protocol::read_header(stream).await.map_err(|error| error.to_string())
}

/// A server without a listener.
#[derive(Clone)]
pub struct Listenerless(Serving<Router>);

impl Listenerless {
    /// Creates the service of a server's connections.
    pub fn new(server: Server) -> Self {
        let state = Arc::new(server.into_state());
        let limits = Arc::new(state.limits.clone());
        Self(Serving { service: Router::new(state), limits, phases: Phases::default() })
    }

    /// Serves HTTP/2 until either side closes the stream.
    pub async fn serve_http2(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        connection::serve_http2(stream, self.0.clone()).await;
    }
}
