//! Access tokens for signed assertions.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_connector_http::{Definition, Http};
use idp_bridge_core::{CallScope, ErrorKind, IdentityProvider, UserId, UserKey};
use idp_bridge_test_http::{Received, Server, answer};
use serde_json::Value;

/// The sample, with the credential of a service account.
fn definition() -> Definition {
    let auth = r#"type = "jwt_bearer"
origin = "url"
token_origin = "public"
token_path = ["oauth", "token"]
private_key = "key"
key_id = "field"
claims = { iss = "{title}", scope = "users.read" }
"#;
    let bearer = "type = \"header\"\norigin = \"url\"\nname = \"x-api-key\"\nprefix = \"SSWS \"\nkey = \"key\"\n";
    let text = include_str!("sample.toml");
    assert!(text.contains(bearer));
    Definition::parse(&text.replace(bearer, auth)).unwrap()
}

/// A P-256 key of the tests.
fn key() -> String {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem()
}

fn claims(request: &Received) -> (Value, Value) {
    let assertion = request.body.split("assertion=").nth(1).unwrap();
    let parts: Vec<Value> = assertion
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    (parts[0].clone(), parts[1].clone())
}

#[tokio::test]
async fn assertion_is_exchanged_for_a_token() {
    let api = Server::start(|_, request| {
        assert!(request.head.contains("authorization: Bearer token-1"), "{}", request.head);
        answer(200, &[], r#"{"id":"u-1"}"#)
    })
    .await;
    let tokens = Server::start(|_, _| answer(200, &[], r#"{"access_token":"token-1","expires_in":3600}"#)).await;
    let config = crate::config(&api.base(), &tokens.base(), &key());
    let provider = Http::with_definition(&Arc::new(definition()), &config, &crate::context()).unwrap();
    let id = UserId::new("u-1").unwrap();
    for _ in 0..2 {
        let scope = CallScope::new("r-1", Duration::from_secs(5));
        assert_eq!(provider.get(&scope, UserKey::Id(&id)).await.unwrap().id, id);
    }
    let sent = tokens.received();
    assert_eq!(sent.len(), 1, "the token is cached");
    assert!(sent[0].head.starts_with("POST /oauth/token "), "{}", sent[0].head);
    assert!(sent[0].body.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"));
    let (header, claims) = claims(&sent[0]);
    assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some("ES256"), Some("customer")));
    assert_eq!((claims["iss"].as_str(), claims["scope"].as_str()), (Some("title"), Some("users.read")));
    assert_eq!(claims["aud"].as_str(), Some(&*format!("{}/oauth/token", tokens.base())));
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=60).contains(&lifetime), "{lifetime}");
}

#[test]
fn unusable_key_is_refused() {
    let config = crate::config("https://api.example", "https://tokens.example", "no key");
    let error = Http::with_definition(&Arc::new(definition()), &config, &crate::context()).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}
