//! The other side of a connection: its address and its client certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Extensions;
use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::tls::CertificateNames;

/// The other side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its address, or that of the PROXY protocol.
    pub(crate) address: SocketAddr,
    pub(crate) certificate: ClientCertificate,
}

/// The client certificate of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientCertificate {
    /// The server requests none.
    NotRequested,
    /// The client sent none.
    Missing,
    /// The client sent a valid certificate with these names.
    Valid(Arc<CertificateNames>),
}

impl Peer {
    /// Returns the peer of a request.
    pub(crate) fn from_extensions(extensions: &Extensions) -> Option<&Self> {
        extensions.get::<Arc<Self>>().map(AsRef::as_ref)
    }

    /// Fails if the server requests certificates and the client sent none.
    pub(crate) fn require_certificate(&self) -> Result<(), Refusal> {
        if self.certificate == ClientCertificate::Missing {
            return Err(Refusal::new(Code::Forbidden).with_detail("a client certificate is required"));
        }
        Ok(())
    }

    /// Returns whether the client certificate has one of these names.
    pub(crate) fn has_name(&self, names: &[String]) -> bool {
        let ClientCertificate::Valid(certificate) = &self.certificate else { return false };
        names.iter().any(|name| certificate.contains(name))
    }
}
