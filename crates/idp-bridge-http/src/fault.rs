//! Failed attempts, and whether a retry can succeed.

use idp_bridge_core::{Error, ErrorKind};

use crate::address::Refused;
use crate::transport::{Peer, TransportCause, find};

/// An attempt without a usable response.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The caller's error.
    pub(crate) error: Error,
    /// Whether the identity provider may have received the request.
    pub(crate) sent: bool,
    /// Whether another attempt can succeed.
    pub(crate) is_transient: bool,
}

impl Fault {
    /// Converts an error of the HTTP client. Its URL is removed, because a query may contain an email address.
    pub(crate) fn from_reqwest(error: reqwest::Error) -> Self {
        let https = error.url().is_some_and(|url| url.scheme() == "https");
        let error = error.without_url();
        let is_unsent = error.is_connect() || error.is_builder();
        if let Some(refused) = find::<Refused>(&error) {
            let sent = !is_unsent;
            return Self { error: refused.into_error().unanswered(), sent, is_transient: false };
        }
        let cause = TransportCause::from_error(&error, https).unwrap_or(TransportCause::NotConnected);
        // With TLS 1.3, this refusal arrives after the request was sent. The server has read none of it.
        let sent = !is_unsent && cause != TransportCause::ClientCertificateRefused;
        let (kind, message) = (cause.kind(), cause.describe(Peer::IdentityProvider));
        let own = match cause {
            TransportCause::NotBuilt | TransportCause::NoStore => Error::ours(kind, message),
            _ => Error::upstream(kind, message),
        };
        let own = own.with_hint(cause.hint(Peer::IdentityProvider)).unanswered().with_source(error);
        Self { error: own, sent, is_transient: kind == ErrorKind::Unavailable }
    }

    /// Creates the fault of a request body that could not be built.
    pub(crate) fn unbuilt_body(error: Error) -> Self {
        Self { error, sent: false, is_transient: false }
    }

    /// Creates the fault of an attempt that an open circuit breaker refused.
    pub(crate) fn held_back(error: Error) -> Self {
        Self { error, sent: false, is_transient: false }
    }

    /// Creates the fault of a response larger than [`MAX_BODY`](crate::MAX_BODY).
    pub(crate) fn too_large() -> Self {
        let error = Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is larger than 1 MiB");
        Self { error, sent: true, is_transient: false }
    }
}
