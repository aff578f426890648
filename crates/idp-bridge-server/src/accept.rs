//! The accept loop, with a limit on open connections and a graceful shutdown.
//!
//! Existing accept loops either wait without limit for a partial request head or do not limit the number of connections.

mod peers;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::peers::Peers;
use crate::connection;
use crate::limits::ServerLimits;
use crate::response::Response;

/// The open connections of a service. They are closed when this is dropped.
pub(crate) struct Connections<S> {
    service: S,
    limits: ServerLimits,
    tasks: JoinSet<()>,
    peers: Arc<Peers>,
    /// The time of the last log line about a peer with too many connections.
    last_warning: Option<Instant>,
    draining: CancellationToken,
}

/// The minimum time between two log lines about peers with too many connections.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

impl<S> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    /// Creates an empty set of connections.
    pub(crate) fn new(service: S, limits: ServerLimits) -> Self {
        let (peers, draining) = (Arc::default(), CancellationToken::new());
        Self { service, limits, tasks: JoinSet::new(), peers, last_warning: None, draining }
    }

    /// Returns the number of open connections.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Accepts connections until the returned future is dropped.
    pub(crate) async fn accept(&mut self, listener: &TcpListener) {
        let max = self.limits.connections.max(1);
        loop {
            let has_room = self.tasks.len() < max;
            tokio::select! {
                Some(_) = self.tasks.join_next() => {}
                accepted = listener.accept(), if has_room => match accepted {
                    Ok((stream, address)) => self.serve(stream, address),
                    Err(error) => pause_after(&error).await,
                },
            }
        }
    }

    /// Serves a connection, or closes it if its peer has too many.
    fn serve(&mut self, stream: TcpStream, address: SocketAddr) {
        let Some(place) = self.peers.enter(address.ip(), self.limits.connections_per_peer) else {
            if self.last_warning.is_none_or(|last| last.elapsed() >= WARNING_INTERVAL) {
                self.last_warning = Some(Instant::now());
                let limit = self.limits.connections_per_peer;
                tracing::warn!(peer = %address.ip(), limit, "a peer has too many connections: further ones are closed");
            }
            return;
        };
        let (service, limits, draining) = (self.service.clone(), self.limits.clone(), self.draining.clone());
        self.tasks.spawn(async move {
            connection::serve(stream, address, service, (limits, draining)).await;
            drop(place);
        });
    }

    /// Closes idle connections now, and the others after their current response.
    pub(crate) async fn drain(mut self) {
        self.draining.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Waits after an error of the process, such as a lack of file descriptors. A repeated attempt would fail at once.
///
/// An error of one connection, which its peer closed early, needs no pause.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::error!(%error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
