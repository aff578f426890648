//! The accept loop, with a limit on open connections and a graceful shutdown.
//!
//! Existing accept loops either wait without limit for a partial request head or do not limit the number of connections.

mod peers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::peers::{PeerPlace, Peers};
use crate::connection::{self, HttpService, Listening, Phases, Serving};
use crate::limits::ServerLimits;
use crate::proxy_protocol;

/// The open connections of a service. They are closed when this is dropped.
pub(crate) struct Connections<S> {
    serving: Serving<S>,
    listening: Arc<Listening>,
    tasks: JoinSet<()>,
    peers: Arc<Peers>,
}

impl<S: HttpService> Connections<S> {
    /// Creates an empty set of connections.
    pub(crate) fn new(service: S, limits: ServerLimits, listening: Arc<Listening>) -> Self {
        let peers = Arc::new(Peers::new(limits.connections_per_peer));
        let serving = Serving { service, limits: Arc::new(limits), phases: Phases::default() };
        Self { serving, listening, tasks: JoinSet::new(), peers }
    }

    /// Returns the number of open connections.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Accepts connections until the returned future is dropped.
    pub(crate) async fn accept(&mut self, listener: &TcpListener) {
        let max = self.serving.limits.connections.max(1);
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
    fn serve(&mut self, mut stream: TcpStream, address: SocketAddr) {
        let (listening, serving) = (Arc::clone(&self.listening), self.serving.clone());
        let proxy = address.ip().to_canonical();
        if listening.proxies.iter().any(|network| network.contains(&proxy)) {
            let peers = Arc::clone(&self.peers);
            self.tasks.spawn(async move {
                if let Some((address, place)) = read_client(&mut stream, address, &peers, &serving).await {
                    connection::serve(stream, address, &listening, serving).await;
                    drop(place);
                }
            });
        } else if let Some(place) = self.peers.enter(address.ip()) {
            self.tasks.spawn(async move {
                connection::serve(stream, address, &listening, serving).await;
                drop(place);
            });
        }
    }

    /// Lets clients of HTTP/2 move to other connections, which are still accepted. Running requests are finished.
    ///
    /// Clients of HTTP/1.1 get `connection: close` in their next response.
    pub(crate) fn retire(&mut self) {
        self.serving.phases.retiring.cancel();
        self.serving.phases.retiring = CancellationToken::new();
    }

    /// Closes idle connections now, and the others after their current response.
    pub(crate) async fn drain(mut self) {
        self.serving.phases.draining.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Reads the address of a proxy's client from the header of its connection, and takes the client's place.
///
/// Returns `None` if the connection must be closed.
async fn read_client<S>(
    stream: &mut TcpStream,
    proxy: SocketAddr,
    peers: &Arc<Peers>,
    serving: &Serving<S>,
) -> Option<(SocketAddr, Option<PeerPlace>)> {
    let header = tokio::time::timeout(serving.limits.head, proxy_protocol::read_header(stream));
    let header = tokio::select! {
        header = header => header,
        () = serving.phases.draining.cancelled() => return None,
    };
    match header {
        Ok(Ok(Some(client))) => Some((client, Some(peers.enter(client.ip())?))),
        Ok(Ok(None)) => Some((proxy, None)),
        Ok(Err(error)) => {
            peers.warn(|| tracing::warn!(peer = %proxy.ip(), %error, "a proxy sent no valid PROXY protocol header: its connection is closed"));
            None
        }
        Err(_) => {
            peers.warn(|| tracing::warn!(peer = %proxy.ip(), "a proxy sent no PROXY protocol header in time: its connection is closed"));
            None
        }
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
