//! The certificates of a bridge, and clients that trust their authority.

use std::net::SocketAddr;
use std::sync::Arc;

use idp_bridge_server::{Tls, TlsFiles};
use idp_bridge_test_http::Authority;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::within;

/// Issues a certificate for `localhost`. Client certificates are requested if `has_clients` is true.
pub(crate) fn issue_tls(authority: &Authority, has_clients: bool) -> Tls {
    let (certificate, key) = authority.issue(&["localhost"]);
    let client_ca = has_clients.then_some(authority.pem.as_bytes());
    Tls::new(TlsFiles { certificate: certificate.as_bytes(), key: key.as_bytes(), client_ca }).unwrap()
}

/// A client of TLS.
#[derive(Clone)]
pub(crate) struct Client {
    roots: RootCertStore,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocols: Vec<Vec<u8>>,
    certificate: Option<(String, String)>,
}

impl Client {
    /// Creates a client that trusts this authority only.
    pub(crate) fn trusting(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
        Self { roots, versions: rustls::ALL_VERSIONS.to_vec(), protocols: Vec::new(), certificate: None }
    }

    pub(crate) fn with_version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(crate) fn with_protocols(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Uses a new client certificate with these names.
    pub(crate) fn with_certificate(mut self, authority: &Authority, names: &[&str]) -> Self {
        self.certificate = Some(authority.issue(names));
        self
    }

    /// Connects, and completes the handshake.
    pub(crate) async fn connect(self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&self.versions).unwrap();
        let builder = builder.with_root_certificates(self.roots);
        let mut config = match self.certificate {
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols;
        let stream = within(TcpStream::connect(address)).await?;
        let name = ServerName::try_from("localhost").unwrap();
        within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }
}
