//! The other side of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Extensions;

/// The other side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Returns the peer of a request.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get::<Arc<Self>>().map(AsRef::as_ref)
    }
}
