//! The origin of a request: its id, the peer, the trace and the route.

use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use http::request::Parts;
use idp_bridge_core::TraceContext;

use crate::peer::Peer;
use crate::trace;

/// The origin of a request, for its log line and its trace.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestOrigin {
    /// The request id, which the response contains, too.
    pub(crate) id: Arc<str>,
    /// The address of the peer.
    pub(crate) peer: Option<IpAddr>,
    /// The trace of a valid `traceparent`.
    pub(crate) trace: Option<TraceContext>,
    /// The method of the request.
    pub(crate) method: Method,
    /// The path of the request with names instead of values.
    pub(crate) route: &'static str,
}

impl RequestOrigin {
    /// Creates the origin of a request with this id to this route.
    pub(crate) fn new(id: Arc<str>, head: &Parts, route: &'static str) -> Self {
        let peer = Peer::from_extensions(&head.extensions).map(|peer| peer.address.ip().to_canonical());
        Self { id, peer, trace: trace::from_headers(&head.headers), method: head.method.clone(), route }
    }
}
