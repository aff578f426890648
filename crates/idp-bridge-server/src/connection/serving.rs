//! The state that HTTP/1 and HTTP/2 connections share.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::watched::Watched;
use crate::limits::ServerLimits;
use crate::peer::Peer;
use crate::response::Response;

/// A connection with a known version of HTTP.
pub(super) struct Accepted<IO> {
    pub(super) io: Watched<IO>,
    pub(super) activity: Arc<Activity>,
    pub(super) peer: Arc<Peer>,
    pub(super) is_http2: bool,
}

/// The phases of a shutdown, as far as they concern open connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phases {
    /// Cancelled when clients of HTTP/2 should use another connection.
    pub(crate) retiring: CancellationToken,
    /// Cancelled when idle connections are closed, and the others after their running requests.
    pub(crate) draining: CancellationToken,
}

/// The service, limits and shutdown phases of connections.
#[derive(Clone)]
pub(crate) struct Serving<S> {
    pub(crate) service: S,
    pub(crate) limits: Arc<ServerLimits>,
    pub(crate) phases: Phases,
}

/// The service of a connection.
pub(crate) trait HttpService: Clone + Send + Sync + 'static {
    /// Handles a request.
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}
