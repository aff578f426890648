//! Certificates of an authority that only one test trusts.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate (PEM).
    pub pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Creates an authority.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate with the name of its issuer for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Issues a certificate for host names and addresses, and for URIs that begin with `uri:`. Returns it and its key (PEM).
    pub fn issue(&self, names: &[&str]) -> (String, String) {
        let names = names.iter().copied();
        let alternative = |name: &str| match name.strip_prefix("uri:") {
            Some(uri) => SanType::URI(uri.try_into().unwrap()),
            None => name.parse().map_or_else(|_| SanType::DnsName(name.try_into().unwrap()), SanType::IpAddress),
        };
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, names.clone().next().unwrap_or_default());
        params.subject_alt_names = names.map(alternative).collect();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A certificate, its key, and the authority that issued it (PEM).
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The certificate of the authority.
    pub authority: String,
    /// The certificate of the server.
    pub certificate: String,
    /// The key of the server.
    pub key: String,
}

impl Certificates {
    /// Issues a certificate for this host name or address, by a new authority.
    pub fn issue(name: &str) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.issue(&[name]);
        Self { authority: authority.pem, certificate, key }
    }
}
