//! The names in a client certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// The DNS names and URIs of a verified certificate. The common name is ignored (RFC 9525, section 2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CertificateNames {
    dns: Vec<String>,
    uris: Vec<String>,
}

impl CertificateNames {
    /// Reads the names. A certificate that cannot be parsed has none.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Self {
        let mut names = Self::default();
        let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return names };
        let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return names };
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                _ => {}
            }
        }
        names
    }

    /// Returns whether the certificate has this DNS name, in any case, or exactly this URI.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.dns.iter().any(|dns| dns.eq_ignore_ascii_case(name)) || self.uris.iter().any(|uri| uri == name)
    }
}
