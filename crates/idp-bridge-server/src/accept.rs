//! The accept loop: so many connections at once, and an orderly end.
//!
//! It is our own because a ready-made one waits for a half-sent head for ever and takes any number of connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connection;
use crate::server::Bridge;

/// Connections that are open. They are cut off when this is dropped.
pub(crate) struct Connections {
    bridge: Arc<Bridge>,
    tasks: JoinSet<()>,
    draining: CancellationToken,
}

impl Connections {
    /// None yet.
    pub(crate) fn new(bridge: Arc<Bridge>) -> Self {
        Self { bridge, tasks: JoinSet::new(), draining: CancellationToken::new() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Takes connections for ever, or until it is dropped.
    pub(crate) async fn accept(&mut self, listener: &TcpListener) {
        let most = self.bridge.limits.connections.max(1);
        loop {
            let has_room = self.tasks.len() < most;
            tokio::select! {
                Some(_) = self.tasks.join_next() => {}
                accepted = listener.accept(), if has_room => match accepted {
                    Ok((stream, _)) => {
                        let (bridge, draining) = (Arc::clone(&self.bridge), self.draining.clone());
                        self.tasks.spawn(connection::serve(stream, bridge, draining));
                    }
                    Err(error) => wait_after(&error).await,
                },
            }
        }
    }

    /// Closes idle connections, and the others after the answer that they wait for.
    pub(crate) async fn drain(mut self) {
        self.draining.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A caller that is gone before it is accepted costs nothing. Otherwise the process is out of something, such as file
/// descriptors, and asking again at once would only burn the processor.
async fn wait_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        tracing::error!(%error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
