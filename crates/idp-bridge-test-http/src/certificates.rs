//! Certificates of an authority that only one test knows.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

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
    /// Issues a certificate for this host name, by a new authority.
    pub fn issue(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate with the name of its issuer for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, format!("authority of {name}"));
        let authority_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let mut named = CertificateParams::new(vec![name.to_owned()]).unwrap();
        named.distinguished_name.push(DnType::CommonName, name);
        let certificate = named.signed_by(&key, &Issuer::new(params, authority_key)).unwrap().pem();
        Self { authority, certificate, key: key.serialize_pem() }
    }
}
