//! How an attempt failed, and whether another one may fare better.

use idp_bridge_core::{Error, ErrorKind};

use crate::address::Refused;
use crate::transport::{Peer, TransportCause, find};

/// An attempt without a usable answer.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The error that the caller gets.
    pub(crate) error: Error,
    /// Whether a byte of the request may have reached the identity provider.
    pub(crate) sent: bool,
    /// Whether another attempt may fare better.
    pub(crate) passing: bool,
}

impl Fault {
    /// Sorts an error of the HTTP stack. Its URL is taken off, since a query may hold an address.
    pub(crate) fn from_reqwest(error: reqwest::Error) -> Self {
        let https = error.url().is_some_and(|url| url.scheme() == "https");
        let error = error.without_url();
        let sent = !(error.is_connect() || error.is_builder());
        if let Some(refused) = find::<Refused>(&error) {
            return Self { error: refused.into_error().unanswered(), sent, passing: false };
        }
        let cause = TransportCause::from_error(&error, https).unwrap_or(TransportCause::NotConnected);
        let (kind, message) = (cause.kind(), cause.describe(Peer::IdentityProvider));
        let own = match cause {
            TransportCause::NotBuilt | TransportCause::NoStore => Error::ours(kind, message),
            _ => Error::upstream(kind, message),
        };
        let own = own.with_hint(cause.hint(Peer::IdentityProvider)).unanswered().with_source(error);
        Self { error: own, sent, passing: kind == ErrorKind::Unavailable }
    }

    /// A request whose body could not be made.
    pub(crate) fn unmade(error: Error) -> Self {
        Self { error, sent: false, passing: false }
    }

    /// An answer that is larger than anything an identity provider has to say.
    pub(crate) fn too_large() -> Self {
        let error = Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is too large");
        Self { error, sent: true, passing: false }
    }
}
