//! A certificate authority, the certificates that it issues, and clients that trust it.

use std::net::SocketAddr;
use std::sync::Arc;

use idp_bridge_server::{Tls, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::within;

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Issues a certificate for DNS names, and for URIs that begin with `uri:`. Returns it and its key as PEM.
    pub(crate) fn issue(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Issues a certificate for `localhost`. Client certificates are requested if `has_clients` is true.
    pub(crate) fn issue_tls(&self, has_clients: bool) -> Tls {
        let (certificate, key) = self.issue(&["localhost"]);
        let client_ca = has_clients.then_some(self.certificate.as_bytes());
        Tls::new(TlsFiles { certificate: certificate.as_bytes(), key: key.as_bytes(), client_ca }).unwrap()
    }

    /// Returns a client that trusts this authority only.
    pub(crate) fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        Client { roots, versions: rustls::ALL_VERSIONS.to_vec(), protocols: Vec::new(), certificate: None }
    }
}

fn alternative_name(name: &str) -> SanType {
    match name.strip_prefix("uri:") {
        Some(uri) => SanType::URI(uri.try_into().unwrap()),
        None => SanType::DnsName(name.try_into().unwrap()),
    }
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
