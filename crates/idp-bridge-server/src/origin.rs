//! The origin of a request: its id, the peer and the trace.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

use crate::peer::Peer;
use crate::trace::TraceId;

/// The origin of a request, for its log line.
#[derive(Debug, Clone)]
pub(crate) struct RequestOrigin {
    /// The request id, which the response contains, too.
    pub(crate) id: Arc<str>,
    /// The address of the peer.
    pub(crate) peer: Option<IpAddr>,
    /// The trace id of a valid `traceparent`.
    pub(crate) trace: Option<TraceId>,
}

impl RequestOrigin {
    /// Creates the origin of a request with this id.
    pub(crate) fn new(id: Arc<str>, head: &Parts) -> Self {
        let peer = Peer::of(&head.extensions).map(|peer| peer.address.ip().to_canonical());
        Self { id, peer, trace: TraceId::from_headers(&head.headers) }
    }
}
