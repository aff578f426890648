//! TLS for the main listener: the certificate, its key, and the authorities of client certificates.
//!
//! The certificate can be replaced while the server runs. Open connections keep the earlier one.

mod names;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, RootCertStore, ServerConfig};
use x509_parser::parse_x509_certificate;

pub(crate) use self::names::CertificateNames;

/// The protocols that are offered with ALPN, in the order of preference.
const PROTOCOLS: [&[u8]; 2] = [HTTP_2, b"http/1.1"];
/// The ALPN name of HTTP/2.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// The cipher suites of aws-lc-rs. All of them have forward secrecy and authenticated encryption.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

/// A certificate with its key, and the authorities of client certificates.
///
/// Accepts TLS 1.2 and 1.3 with HTTP/1.1 and HTTP/2.
pub struct Tls {
    config: Arc<ServerConfig>,
    expiry: Timestamp,
    has_client_ca: bool,
}

/// The PEM files of a [`Tls`].
#[derive(Clone, Copy)]
pub struct TlsFiles<'a> {
    /// The certificate, followed by its intermediate certificates.
    pub certificate: &'a [u8],
    /// The private key of the certificate: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: &'a [u8],
    /// The authorities of client certificates. Without them no client certificate is requested.
    pub client_ca: Option<&'a [u8]>,
}

/// A file of [`TlsFiles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// The certificate.
    Certificate,
    /// The private key.
    Key,
    /// The authorities of client certificates.
    ClientCa,
}

/// The error for files that cannot be used for TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TlsError {
    /// The invalid file.
    pub file: TlsFile,
    /// The next step.
    pub hint: &'static str,
    message: String,
}

impl TlsError {
    fn new(file: TlsFile, hint: &'static str, message: impl Into<String>) -> Self {
        Self { file, hint, message: message.into() }
    }
}

impl Tls {
    /// Reads the files. Fails if one of them is not PEM, or if the key does not belong to the certificate.
    pub fn new(files: TlsFiles<'_>) -> Result<Self, TlsError> {
        let chain = read_certificates(files.certificate, TlsFile::Certificate)?;
        let expiry = chain.first().and_then(expiry_of);
        let expiry = expiry.ok_or_else(|| invalid(TlsFile::Certificate, "the first certificate is not X.509"))?;
        let key = read_key(files.key)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| invalid(TlsFile::Certificate, error.to_string()))?;
        let builder = match files.client_ca {
            Some(pem) => builder.with_client_cert_verifier(client_verifier(pem)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| pair_error(&error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self { config: Arc::new(config), expiry, has_client_ca: files.client_ca.is_some() })
    }

    /// Returns the time when the certificate expires.
    pub fn expiry(&self) -> Timestamp {
        self.expiry
    }

    /// Returns whether client certificates are requested.
    pub(crate) fn has_client_ca(&self) -> bool {
        self.has_client_ca
    }

    /// Returns the configuration of a handshake.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("expiry", &self.expiry).finish_non_exhaustive()
    }
}

/// The certificate of a running server, which a reload replaces.
#[derive(Debug)]
pub struct CurrentTls {
    tls: ArcSwap<Tls>,
    is_broken: AtomicBool,
}

impl CurrentTls {
    /// Creates the certificate of a server that starts.
    pub fn new(tls: Tls) -> Self {
        Self { tls: ArcSwap::from_pointee(tls), is_broken: AtomicBool::new(false) }
    }

    /// Replaces the certificate for later handshakes. Open connections keep the earlier one.
    pub fn replace(&self, tls: Tls) {
        self.tls.store(Arc::new(tls));
        self.set_broken(false);
    }

    /// Sets whether the files cannot be loaded and the earlier certificate is used, for `/readyz?verbose`.
    pub fn set_broken(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Relaxed);
    }

    /// Returns whether the files cannot be loaded and the earlier certificate is used.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Relaxed)
    }

    /// Returns the current certificate.
    pub(crate) fn load(&self) -> Arc<Tls> {
        self.tls.load_full()
    }
}

fn read_certificates(pem: &[u8], file: TlsFile) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| invalid(file, format!("the file is not PEM: {error}")))?;
    if certificates.is_empty() { Err(invalid(file, "the file has no certificate")) } else { Ok(certificates) }
}

fn invalid(file: TlsFile, message: impl Into<String>) -> TlsError {
    let hint = match file {
        TlsFile::Certificate => "give the certificate and its intermediates as blocks `-----BEGIN CERTIFICATE-----`",
        TlsFile::ClientCa => "give one or more blocks `-----BEGIN CERTIFICATE-----`",
        TlsFile::Key => "give one block `-----BEGIN PRIVATE KEY-----`",
    };
    TlsError::new(file, hint, message)
}

/// Reads the first private key. The error never contains a part of the file.
fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let is_encrypted = pem.windows(9).any(|part| part == b"ENCRYPTED");
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        _ if is_encrypted => {
            let hint = "decrypt it with `openssl pkey`, and let only the bridge's user read the file";
            TlsError::new(TlsFile::Key, hint, "the private key is encrypted")
        }
        pem::Error::NoItemsFound => invalid(TlsFile::Key, "the file has no private key"),
        _ => invalid(TlsFile::Key, "the file is not PEM"),
    })
}

/// Returns the error for a certificate and a key that rustls refuses.
fn pair_error(error: &Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => {
            let hint = "give the key for which the certificate was issued, and replace both files together";
            TlsError::new(TlsFile::Key, hint, "the private key does not belong to the certificate")
        }
        Error::InvalidCertificate(_) => invalid(TlsFile::Certificate, "the first certificate is not X.509"),
        _ => invalid(TlsFile::Key, "the private key cannot be used: RSA, ECDSA and Ed25519 keys are supported"),
    }
}

/// Returns a verifier that requests a certificate, and accepts connections without one.
fn client_verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(pem, TlsFile::ClientCa)? {
        roots.add(certificate).map_err(|_| invalid(TlsFile::ClientCa, "a certificate is not X.509"))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&PROVIDER));
    let verifier = verifier.allow_unauthenticated().build();
    verifier.map(|verifier| verifier as _).map_err(|error| invalid(TlsFile::ClientCa, error.to_string()))
}

fn expiry_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests;
