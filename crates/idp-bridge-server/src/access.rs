//! The access to pages that show or change more than metrics.

use aws_lc_rs::constant_time;
use http::request::Parts;
use idp_bridge_protocol::Code;

use crate::digest::sha256;
use crate::error::Refusal;
use crate::peer::Peer;
use crate::request;

/// Admits peers on the loopback interface, and callers with the configured token.
#[derive(Debug, Default)]
pub(crate) struct OperatorAccess {
    /// The SHA-256 of the token.
    token: Option<[u8; 32]>,
}

impl OperatorAccess {
    /// Creates the access for a token, in addition to loopback.
    pub(crate) fn with_token(token: &str) -> Self {
        Self { token: Some(sha256(token.as_bytes())) }
    }

    /// Fails unless the peer is on the loopback interface or presents the token.
    pub(crate) fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let peer = Peer::from_extensions(&head.extensions);
        if peer.is_some_and(|peer| peer.address.ip().to_canonical().is_loopback()) {
            return Ok(());
        }
        let detail = "use this page from the host of the bridge, or with the token of `server.metrics_token`";
        let refusal = || Refusal::new(Code::Forbidden).with_detail(detail);
        let presented = request::bearer_token(&head.headers).ok().flatten();
        let (presented, expected) = presented.zip(self.token).ok_or_else(refusal)?;
        let is_equal = constant_time::verify_slices_are_equal(&sha256(presented.as_bytes()), &expected).is_ok();
        if is_equal { Ok(()) } else { Err(Refusal::bad_token()) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use super::*;
    use crate::peer::ClientCertificate;

    fn check(access: &OperatorAccess, peer: &str, token: Option<&str>) -> Result<(), Code> {
        let mut request = http::Request::builder();
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let address = SocketAddr::new(peer.parse().unwrap(), 1);
        head.extensions.insert(Arc::new(Peer { address, certificate: ClientCertificate::NotRequested }));
        access.check(&head).map_err(|refusal| refusal.code())
    }

    #[test]
    fn loopback_or_token_is_required() {
        let (open, closed) = (OperatorAccess::with_token("long-token"), OperatorAccess::default());
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(check(&closed, loopback, None), Ok(()), "{loopback}");
        }
        for remote in ["10.0.0.1", "2001:db8::1"] {
            assert_eq!(check(&open, remote, Some("long-token")), Ok(()));
            assert_eq!(check(&open, remote, Some("other")), Err(Code::InvalidToken));
            assert_eq!(check(&open, remote, None), Err(Code::Forbidden));
            assert_eq!(check(&closed, remote, Some("")), Err(Code::Forbidden));
        }
    }
}
