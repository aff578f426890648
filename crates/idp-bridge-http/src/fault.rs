//! Failed attempts, and whether a retry can succeed.

use idp_bridge_core::{Error, ErrorKind};

use crate::address::Refused;
use crate::connector::BoxError;
use crate::pool::{ReadError, SendError};
use crate::transport::{HttpError, Peer, TransportCause, find};

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
    /// Converts the error of a request without a response.
    pub(crate) fn from_send(error: SendError, is_https: bool) -> Self {
        match error {
            SendError::NotBuilt(source) => Self::new(TransportCause::NotBuilt, source, false),
            SendError::NotConnected(source) => {
                if let Some(refused) = find::<Refused>(&*source) {
                    let error = refused.into_error().unanswered();
                    return Self { error, sent: false, is_transient: false };
                }
                Self::new(TransportCause::from_parts(&*source, true, is_https), source, false)
            }
            SendError::Unsent(source) => {
                Self::new(TransportCause::from_parts(&*source, false, is_https), source, false)
            }
            SendError::Broken(source) => Self::broken(source, is_https),
        }
    }

    /// Converts the error of a response without a complete body.
    pub(crate) fn from_read(error: ReadError, is_https: bool) -> Self {
        match error {
            ReadError::TooLarge => Self::too_large(),
            ReadError::Broken(source) => Self::broken(source, is_https),
        }
    }

    fn broken(source: BoxError, is_https: bool) -> Self {
        let cause = TransportCause::from_parts(&*source, false, is_https);
        // With TLS 1.3, this refusal arrives after the request was sent. The server has read none of it.
        Self::new(cause, source, cause != TransportCause::ClientCertificateRefused)
    }

    fn new(cause: TransportCause, source: BoxError, sent: bool) -> Self {
        let (kind, message) = (cause.kind(), cause.describe(Peer::IdentityProvider));
        let error = match cause {
            TransportCause::NotBuilt | TransportCause::NoStore => Error::ours(kind, message),
            _ => Error::upstream(kind, message),
        };
        let error = error.with_hint(cause.hint(Peer::IdentityProvider)).unanswered().with_source(HttpError(source));
        Self { error, sent, is_transient: kind == ErrorKind::Unavailable }
    }

    /// Creates the fault of a request that was not sent.
    pub(crate) fn unsent(error: Error) -> Self {
        Self { error, sent: false, is_transient: false }
    }

    /// Creates the fault of a response larger than [`MAX_BODY`](crate::MAX_BODY).
    pub(crate) fn too_large() -> Self {
        let error = Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is larger than 1 MiB");
        Self { error, sent: true, is_transient: false }
    }
}
