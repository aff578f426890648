//! Tests of the connection to an upstream with TLS.

use idp_bridge_test_http::{Certificates, Connection, Request, Server, answer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

fn parse_certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn acceptor(certificates: &Certificates) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificates.key.as_bytes()).unwrap();
    let chain = vec![parse_certificate(&certificates.certificate)];
    TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()))
}

/// Returns settings of TLS that trust an authority.
fn trust(certificates: &Certificates) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(parse_certificate(&certificates.authority)).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

#[tokio::test]
async fn requests_reach_a_trusted_upstream_over_tls() {
    let [own, other] = [Certificates::issue("localhost"), Certificates::issue("localhost")];
    let server = Server::start_with(Some(acceptor(&own)), |_, _| answer(200, &[], "over TLS")).await;
    let upstream: Uri = server.base().parse().unwrap();
    let request = Request::get("/users/u-1?a=b");
    for (config, expected) in [(trust(&own), Some("over TLS")), (trust(&other), None)] {
        let proxy = Proxy::start_with(vec![upstream.clone()], String::new(), config).await.unwrap();
        let mut connection = Connection::open(proxy.address).await;
        connection.write(request.to_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!(answer.map(|answer| answer.body).as_deref(), expected);
    }
    let received = server.received();
    assert_eq!(received.len(), 1, "the certificate of the other authority is refused");
    let is_same = received.iter().all(|request| request.head.starts_with("GET /users/u-1?a=b "));
    assert!(is_same, "{received:?}");
}
