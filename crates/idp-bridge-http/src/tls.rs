//! TLS configurations: a shared one, and separate ones for tenants with their own certificates.

use std::sync::{Arc, LazyLock, OnceLock};

use idp_bridge_core::{ClientCertificate, Error, ErrorKind, OutboundPolicy, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

/// The protocols that a client offers by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocols {
    /// HTTP/2, and HTTP/1.1 for servers without it.
    Http2,
    /// HTTP/1.1.
    Http1,
    /// None, for protocols without a name.
    Unnamed,
}

/// Returns the configuration that tenants share, or an own one for a policy with certificates.
pub(crate) fn client_config(policy: &OutboundPolicy, protocols: Protocols) -> Result<Arc<ClientConfig>> {
    static SHARED: [OnceLock<Arc<ClientConfig>>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    if policy.ca_pem.is_some() || policy.client_certificate.is_some() {
        return build_config(policy, protocols).map(Arc::new);
    }
    let [http2, http1, unnamed] = &SHARED;
    let shared = match protocols {
        Protocols::Http2 => http2,
        Protocols::Http1 => http1,
        Protocols::Unnamed => unnamed,
    };
    if let Some(config) = shared.get() {
        return Ok(Arc::clone(config));
    }
    let config = Arc::new(build_config(policy, protocols)?);
    Ok(Arc::clone(shared.get_or_init(|| config)))
}

fn build_config(policy: &OutboundPolicy, protocols: Protocols) -> Result<ClientConfig> {
    let mut config = own_config(policy.ca_pem.as_deref(), policy.client_certificate.as_ref())?;
    config.alpn_protocols = match protocols {
        Protocols::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Protocols::Http1 => vec![b"http/1.1".to_vec()],
        Protocols::Unnamed => Vec::new(),
    };
    Ok(config)
}

fn own_config(ca_pem: Option<&[u8]>, certificate: Option<&ClientCertificate>) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::ours(ErrorKind::Unexpected, "TLS cannot be set up").with_source(error))?;
    let builder = match ca_pem {
        Some(pem) => builder.with_root_certificates(parse_authorities(pem)?),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(SystemVerifier)),
    };
    let Some(certificate) = certificate else { return Ok(builder.with_no_client_auth()) };
    let chain = CertificateDer::pem_slice_iter(&certificate.chain_pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(bad_client_certificate)?;
    // Without the source, which may quote the key.
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.expose().as_bytes()).map_err(|_| bad_client_key())?;
    builder.with_client_auth_cert(chain, key).map_err(|error| match error {
        rustls::Error::InvalidCertificate(_) => bad_client_certificate().with_source(error),
        _ => bad_client_key(),
    })
}

fn parse_authorities(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate.map_err(|error| bad_ca().with_source(error)).map(|der| roots.add(der))?;
        added.map_err(|error| bad_ca().with_source(error))?;
    }
    if roots.is_empty() { Err(bad_ca()) } else { Ok(roots) }
}

fn bad_client_certificate() -> Error {
    Error::misconfigured("the client certificate in `client_certificate_file` cannot be read")
        .with("setting", "client_certificate_file")
        .with_hint(
            "give the PEM block `-----BEGIN CERTIFICATE-----`, followed by those of its intermediate certificates",
        )
}

fn bad_client_key() -> Error {
    Error::misconfigured("`client_key` is not the private key of the client certificate")
        .with_hint("give the PEM block `-----BEGIN PRIVATE KEY-----` that belongs to `client_certificate_file`")
}

fn bad_ca() -> Error {
    Error::misconfigured("the certificate authority in `ca_file` cannot be read")
        .with_hint("give one or more PEM blocks `-----BEGIN CERTIFICATE-----`")
}

/// Loads the system's certificate authorities once. Fails with `Misconfigured` if there are none.
pub(crate) fn load_system_store() -> Result<()> {
    system_verifier().map(drop).map_err(|error| no_store().with_source(error))
}

/// Returns the error for a system without certificate authorities.
pub(crate) fn no_store() -> Error {
    Error::misconfigured("this system has no store of certificate authorities").with_hint(NO_STORE_HINT)
}

pub(crate) const NO_STORE_HINT: &str = "install one (Debian: `apt install ca-certificates`), or set `ca_file`";

/// The system has no certificate store. Passed through rustls to distinguish it from an invalid certificate.
#[derive(Debug)]
pub(crate) struct NoStore;

impl std::fmt::Display for NoStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no certificate authorities were found on this system")
    }
}

impl std::error::Error for NoStore {}

fn system_verifier() -> Result<&'static Verifier, rustls::Error> {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(verifier);
    }
    // A failure is not cached, so that a store installed later is found without a restart.
    let verifier = Verifier::new(PROVIDER.clone()).map_err(|_| rustls::Error::Other(OtherError(Arc::new(NoStore))))?;
    Ok(VERIFIER.get_or_init(|| verifier))
}

/// The platform's verifier, created at the first handshake.
///
/// Reading the store takes milliseconds and megabytes, which a program without `https` connections does not need.
#[derive(Debug)]
struct SystemVerifier;

impl ServerCertVerifier for SystemVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        system_verifier()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        system_verifier()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        system_verifier()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
