//! Tests of certificates.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallScope, ErrorKind, Origin, OutboundPolicy, Outcome};
use idp_bridge_http::{BaseUrl, Client, Request, Url};
use idp_bridge_test_http::Authority;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::server::{Server, answer, everything, scope};

/// Returns the settings of a server with a certificate for `name`, which accepts client certificates of these authorities.
pub(crate) fn server_config(authority: &Authority, name: &str, clients: Option<&Authority>) -> ServerConfig {
    let (certificate, key) = authority.issue(&[name]);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let parse = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let builder = match clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(parse(&clients.pem)).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    builder.with_single_cert(vec![parse(&certificate)], key).unwrap()
}

/// Starts a server with a certificate for `name`. Returns the certificate of its own certificate authority too.
pub(crate) async fn server_of_own_ca(name: &str) -> (Server, String) {
    let authority = Authority::new();
    let tls = TlsAcceptor::from(Arc::new(server_config(&authority, name, None)));
    (Server::start_with(Some(tls), |_, _| answer(200, &[], "ok")).await, authority.pem)
}

pub(crate) fn trusting(pem: &str) -> OutboundPolicy {
    OutboundPolicy { ca_pem: Some(pem.into()), ..OutboundPolicy::default() }
}

#[tokio::test]
async fn own_certificate_authority_needs_no_store() {
    let (server, pem) = server_of_own_ca("localhost").await;
    let client = Client::new(&trusting(&pem)).unwrap();
    client.prepare(&BaseUrl::parse(&server.base(), &trusting(&pem)).unwrap()).unwrap();
    let response = client.send(&scope(), Request::get(server.url())).await.unwrap();
    assert_eq!(response.text(), Some("ok"));
}

#[tokio::test]
async fn private_certificate_authority_is_misconfigured() {
    // The hint is the expected one with and without a system store.
    let (server, _) = server_of_own_ca("localhost").await;
    let client = Client::new(&OutboundPolicy::default()).unwrap();
    let error = client.send(&scope(), Request::get(server.url())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{}", everything(&error));
    assert!(error.hint().is_some_and(|hint| hint.contains("`ca_file`")));
    let prepared = client.prepare(&BaseUrl::parse(&server.base(), &OutboundPolicy::default()).unwrap());
    println!("sent: {error}; prepared: {prepared:?}");
}

/// Runs another test of this file in a process without a certificate store, and returns its output.
///
/// The environment names the store, and a process cannot safely change its own environment.
fn run_without_store(test: &str) -> String {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("tls::{test}"), "--nocapture"])
        .envs([("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")])
        .output()
        .unwrap();
    let shown = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success() && shown.contains("1 passed"), "{shown}");
    shown
}

#[test]
fn missing_store_is_misconfigured() {
    let shown = run_without_store("private_certificate_authority_is_misconfigured");
    assert_eq!(shown.matches("this system has no store of certificate authorities").count(), 2, "{shown}");
}

#[tokio::test(start_paused = true)]
async fn hanging_handshake_is_unavailable() {
    // The system completes the TCP connection, but no program accepts it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    let (_, pem) = server_of_own_ca("localhost").await;
    let client = Client::new(&trusting(&pem)).unwrap();
    for (seconds, attempts) in [(60, 3), (3, 1)] {
        let scope = CallScope::new("r-1", Duration::from_secs(seconds) + clock_lead());
        let error = client.send(&scope, Request::delete(url.clone())).await.unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Unavailable, Origin::Upstream));
        assert_eq!((scope.recorder().attempts(), scope.recorder().outcome()), (attempts, Outcome::NotApplied));
    }
}

/// Returns how far the paused clock is ahead of the real clock, which scopes use.
fn clock_lead() -> Duration {
    tokio::time::Instant::now().into_std().saturating_duration_since(std::time::Instant::now())
}

#[test]
fn invalid_certificate_is_misconfigured() {
    let broken = "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for pem in ["", "hunter2", broken, no_certificate, &key] {
        let error = Client::new(&trusting(pem)).unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Misconfigured, Origin::Ours));
        assert!(error.hint().is_some());
        assert!(!everything(&error).contains("hunter2"));
    }
}

#[tokio::test]
async fn plain_http_is_supported() {
    let server = Server::start(|_, _| answer(200, &[], "ok")).await;
    let policy = OutboundPolicy::default();
    let client = Client::new(&policy).unwrap();
    client.prepare(&BaseUrl::parse(&server.base(), &policy).unwrap()).unwrap();
    client.send(&scope(), Request::get(server.url())).await.unwrap();
}

#[test]
fn plain_http_needs_no_store() {
    run_without_store("plain_http_is_supported");
}
