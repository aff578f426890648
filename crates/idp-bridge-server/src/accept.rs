//! The accept loop, with a limit on open connections and a graceful shutdown.
//!
//! Existing accept loops either wait without limit for a partial request head or do not limit the number of connections.

use std::convert::Infallible;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection;
use crate::limits::ServerLimits;
use crate::response::Response;

/// The open connections of a service. They are closed when this is dropped.
pub(crate) struct Connections<S> {
    service: S,
    limits: ServerLimits,
    tasks: JoinSet<()>,
    draining: CancellationToken,
}

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
        Self { service, limits, tasks: JoinSet::new(), draining: CancellationToken::new() }
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
                    Ok((stream, _)) => {
                        let (service, limits) = (self.service.clone(), self.limits.clone());
                        self.tasks.spawn(connection::serve(stream, service, limits, self.draining.clone()));
                    }
                    Err(error) => pause_after(&error).await,
                },
            }
        }
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
