//! Certificates, their names and their expiry.

use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

use super::*;

fn issue(names: Vec<SanType>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.not_after = date_time_ymd(2030, 2, 3);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn load(certificate: &str, key: &str, client_ca: Option<&str>) -> Result<Tls, TlsError> {
    let client_ca = client_ca.map(str::as_bytes);
    Tls::new(TlsFiles { certificate: certificate.as_bytes(), key: key.as_bytes(), client_ca })
}

#[test]
fn valid_pair_has_an_expiry() {
    let (certificate, key) = issue(Vec::new());
    let tls = load(&certificate, &key, Some(&certificate)).unwrap();
    assert_eq!(tls.expiry().to_string(), "2030-02-03T00:00:00Z");
    assert!(tls.has_client_ca() && !load(&certificate, &key, None).unwrap().has_client_ca());
}

#[test]
fn each_wrong_file_is_named() {
    let (certificate, key) = issue(Vec::new());
    let (_, other_key) = issue(Vec::new());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (files, file, message) in [
        ((certificate.as_str(), other_key.as_str(), None), TlsFile::Key, "does not belong"),
        ((&certificate, encrypted, None), TlsFile::Key, "is encrypted"),
        ((&certificate, &certificate, None), TlsFile::Key, "has no private key"),
        ((&certificate, "-----BEGIN PRIVATE KEY-----\n-", None), TlsFile::Key, "not PEM"),
        ((&key, &key, None), TlsFile::Certificate, "has no certificate"),
        (("", &key, None), TlsFile::Certificate, "has no certificate"),
        ((not_x509, &key, None), TlsFile::Certificate, "not X.509"),
        ((&certificate, &key, Some("")), TlsFile::ClientCa, "has no certificate"),
        ((&certificate, &key, Some(not_x509)), TlsFile::ClientCa, "not X.509"),
    ] {
        let error = load(files.0, files.1, files.2).unwrap_err();
        assert!(error.file == file && error.to_string().contains(message), "{error} ({message})");
    }
}

#[test]
fn names_are_those_of_the_extension() {
    let names = vec![
        SanType::DnsName("platform.example".try_into().unwrap()),
        SanType::URI("spiffe://a/b".try_into().unwrap()),
        SanType::Rfc822Name("mail.example".try_into().unwrap()),
    ];
    let (certificate, _) = issue(names);
    let names = CertificateNames::read(&CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap());
    assert!(names.contains("PLATFORM.example") && names.contains("spiffe://a/b"));
    // The common name of rcgen's certificates, a mail address, a changed case in a URI, and parts of names.
    for other in ["rcgen self signed cert", "mail.example", "spiffe://A/b", "example", ""] {
        assert!(!names.contains(other), "{other:?}");
    }
    let none = CertificateNames::read(&CertificateDer::from(vec![0]));
    assert_eq!(none, CertificateNames::default());
}
