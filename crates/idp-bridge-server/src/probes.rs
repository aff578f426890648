//! A listener of its own for liveness and readiness, which no load on the main listener reaches.
//!
//! It has its own thread and runtime, so that a probe waits neither for a place among the connections of callers nor for
//! their calls.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::accept::Connections;
use crate::limits::ServerLimits;
use crate::router::Router;
use crate::state::ServerState;

/// The maximum number of open connections of probes.
const MAX_CONNECTIONS: usize = 100;

/// The running listener. It closes when this is dropped.
pub(crate) struct Probes(#[expect(dead_code, reason = "closes the listener when it is dropped")] DropGuard);

impl Probes {
    /// Starts to serve in a new thread.
    pub(crate) fn start(listener: TcpListener, state: &Arc<ServerState>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let limits = ServerLimits {
            connections: MAX_CONNECTIONS,
            connections_per_peer: MAX_CONNECTIONS,
            ..state.limits.clone()
        };
        let mut connections = Connections::new(Router::for_probes(Arc::clone(state)), limits, Arc::default());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = connections.accept(&listener) => {}
                    () = stopped.cancelled() => {}
                }
            });
        };
        std::thread::Builder::new().name("probes".into()).spawn(serve)?;
        Ok(Self(stop.drop_guard()))
    }
}
