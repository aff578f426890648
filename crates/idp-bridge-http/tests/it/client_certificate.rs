//! Tests of client certificates.

use idp_bridge_core::{ClientCertificate, ErrorKind, Origin, OutboundPolicy, Outcome, Secret};
use idp_bridge_http::{Client, Request};
use idp_bridge_test_http::Authority;
use rcgen::KeyPair;

use crate::gated_server::GatedServer;
use crate::server::{everything, scope};
use crate::tls::{server_config, trusting};

fn with_certificate(policy: OutboundPolicy, chain_pem: &str, key_pem: &str) -> OutboundPolicy {
    let (chain_pem, key_pem) = (chain_pem.into(), Secret::new(key_pem));
    OutboundPolicy { client_certificate: Some(ClientCertificate { chain_pem, key_pem }), ..policy }
}

/// Returns a policy with a new certificate of this authority.
fn with_certificate_of(authority: &Authority, policy: OutboundPolicy) -> OutboundPolicy {
    let (certificate, key) = authority.issue(&["idp-bridge"]);
    with_certificate(policy, &certificate, &key)
}

#[tokio::test]
async fn server_gets_the_client_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    for protocols in [&["h2"][..], &["http/1.1"]] {
        let server = GatedServer::start(server_config(&authority, "localhost", Some(&clients)), protocols).await;
        server.open(1);
        let policy = with_certificate_of(&clients, trusting(&authority.pem));
        let response = Client::new(&policy).unwrap().send(&scope(), Request::get(server.url())).await.unwrap();
        assert_eq!(response.text(), Some("ok"));
    }
}

#[tokio::test]
async fn missing_or_unknown_client_certificate_is_misconfigured() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = GatedServer::start(server_config(&authority, "localhost", Some(&clients)), &["http/1.1"]).await;
    let without = trusting(&authority.pem);
    for policy in [without.clone(), with_certificate_of(&Authority::new(), without)] {
        let scope = scope();
        let error = Client::new(&policy).unwrap().send(&scope, Request::delete(server.url())).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.origin()),
            (ErrorKind::Misconfigured, Origin::Upstream),
            "{}",
            everything(&error)
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("`client_certificate_file`")), "{error:?}");
        assert_eq!((scope.recorder().attempts(), scope.recorder().outcome()), (1, Outcome::NotApplied));
    }
    assert_eq!(server.versions(), []);
}

#[test]
fn invalid_certificate_or_key_is_misconfigured() {
    let authority = Authority::new();
    let (chain, key) = authority.issue(&["idp-bridge"]);
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    for (chain, key, setting) in [
        ("", &key, "client_certificate_file"),
        ("hunter2", &key, "client_certificate_file"),
        (&key, &key, "client_certificate_file"),
        (&chain, &chain, "client_key"),
        (&chain, &"hunter2".to_owned(), "client_key"),
        (&chain, &other_key, "client_key"),
    ] {
        let policy = with_certificate(OutboundPolicy::default(), chain, key);
        let error = Client::new(&policy).unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Misconfigured, Origin::Ours));
        assert!(error.message().contains(setting) && error.hint().is_some(), "{error:?}");
        assert!(!everything(&error).contains("hunter2") && !everything(&error).contains(key.as_str()), "{error:?}");
    }
}
