//! Tests of discovery documents.

use idp_bridge_core::{ClientCertificate, ErrorKind, OutboundPolicy, Secret};
use idp_bridge_http::oidc::Discovery;
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::keys::Key;
use crate::server::scope;

async fn discovered(issuer: &Issuer, name: &str, value: Value) -> idp_bridge_core::Result<Discovery> {
    issuer.change_document(|document| document[name] = value);
    let provider = issuer.provider_with(|_| {}).unwrap();
    provider.discovery(&scope()).await.map(|found| (*found).clone())
}

#[tokio::test]
async fn document_is_fetched_once() {
    let issuer = Issuer::start(Key::p256()).await;
    let base = issuer.server.base();
    for requests in [1, 0] {
        let call = scope();
        let found = issuer.provider.discovery(&call).await.unwrap();
        assert_eq!(call.recorder().requests(), requests);
        assert_eq!((&found.issuer, found.token_endpoint.as_str()), (&base, &*format!("{base}/token")));
        assert_eq!(found.end_session_endpoint.as_ref().unwrap().query(), Some("from=document"));
        assert_eq!((found.backchannel_logout_supported, found.scopes_supported.len()), (None, 2));
    }
}

#[tokio::test]
async fn client_certificate_uses_the_introspection_alias() {
    let issuer = Issuer::start(Key::p256()).await;
    let base = issuer.server.base();
    let aliases = json!({"introspection_endpoint": format!("{base}/mtls"), "token_endpoint": format!("{base}/mtls")});
    let found = discovered(&issuer, "mtls_endpoint_aliases", aliases).await.unwrap();
    assert_eq!(found.introspection_endpoint.unwrap().path(), "/introspect");
    let certificate = ClientCertificate { chain_pem: Vec::new(), key_pem: Secret::new("x") };
    let provider = issuer.provider_with(|settings| settings.policy.client_certificate = Some(certificate)).unwrap();
    let found = provider.discovery(&scope()).await.unwrap();
    assert_eq!(found.introspection_endpoint.as_ref().unwrap().path(), "/mtls");
    assert_eq!(found.token_endpoint.path(), "/token", "applications use it, too");
}

#[tokio::test]
async fn another_issuer_is_misconfigured() {
    let issuer = Issuer::start(Key::p256()).await;
    let base = issuer.server.base();
    for other in [format!("{base}/"), base.to_uppercase(), base.replace("localhost", "127.0.0.1"), String::new()] {
        let error = discovered(&issuer, "issuer", json!(other)).await.unwrap_err();
        assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Misconfigured, true), "{other}");
    }
    let error = discovered(&issuer, "issuer", json!(null)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn endpoints_must_be_at_trusted_hosts() {
    let issuer = Issuer::start(Key::p256()).await;
    for name in ["jwks_uri", "token_endpoint", "userinfo_endpoint", "revocation_endpoint", "end_session_endpoint"] {
        for bad in [
            "https://evil.example/x",
            "https://localhost.evil.example/x",
            "https://user@localhost/x",
            "http://169.254.169.254/latest",
            "http://evil.example/",
            "https://localhost/x#y",
            "file:///etc/passwd",
            "/jwks",
            "",
        ] {
            let error = discovered(&issuer, name, json!(bad)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{name} {bad}");
            assert_eq!(
                error.context("endpoint").or_else(|| {
                    let cause =
                        std::error::Error::source(&error)?.downcast_ref::<std::sync::Arc<idp_bridge_core::Error>>()?;
                    cause.context("endpoint")
                }),
                Some(name),
                "{error:?}"
            );
        }
        let good = format!("{}/x", issuer.server.base());
        assert!(discovered(&issuer, name, json!(good)).await.is_ok());
    }
    issuer.change_document(|document| document["jwks_uri"] = json!("https://keys.example/jwks"));
    let refused = issuer.provider_with(|_| {}).unwrap().discovery(&scope()).await.unwrap_err();
    assert!(refused.hint().unwrap().contains("`keys.example`"));
    let listed = issuer.provider_with(|settings| settings.hosts = vec!["Keys.example".into()]).unwrap();
    assert_eq!(listed.discovery(&scope()).await.unwrap().jwks_uri.host_str(), Some("keys.example"));
}

#[tokio::test]
async fn document_url_is_configurable() {
    let issuer = Issuer::start(Key::p256()).await;
    issuer.change_document(|document| document["issuer"] = json!("https://login.acme.example/"));
    let url = format!("{}/.well-known/openid-configuration", issuer.server.base()).parse().unwrap();
    let provider = issuer
        .provider_with(|settings| {
            settings.issuer = "https://login.acme.example/".into();
            settings.discovery = Some(url);
        })
        .unwrap();
    let found = provider.discovery(&scope()).await.unwrap();
    assert_eq!(found.issuer, "https://login.acme.example/");
}

#[tokio::test]
async fn forbidden_issuer_is_misconfigured() {
    let issuer = Issuer::start(Key::p256()).await;
    for bad in
        ["", "acme", "http://login.acme.example", "https://a.example?x", "https://169.254.169.254", "https://a/../b"]
    {
        let error = issuer.provider_with(|settings| settings.issuer = bad.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{bad}");
    }
    let plain = "http://login.acme.example/jwks".parse().unwrap();
    assert!(issuer.provider_with(|settings| settings.jwks = Some(plain)).is_err());
    let allowed = OutboundPolicy { allow_http: true, ..OutboundPolicy::default() };
    let change = |settings: &mut idp_bridge_http::oidc::OpenIdSettings| {
        settings.issuer = "http://login.acme.example".into();
        settings.policy = allowed;
    };
    assert!(issuer.provider_with(change).is_ok());
}
