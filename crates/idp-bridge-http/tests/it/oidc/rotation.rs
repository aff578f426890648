//! Tests of key rotation and outages.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallScope, ErrorKind, OutboundPolicy};
use idp_bridge_http::Client;
use idp_bridge_http::oidc::{Algorithm, OpenIdProvider, OpenIdSettings, Rules};
use serde_json::{Value, json};

use super::issuer::{FixedClock, Issuer};
use super::keys::{Key, b64};
use crate::server::{answer, scope};

fn signed_by(issuer: &Issuer, key: &Key, kid: Option<&str>) -> String {
    let mut header = issuer.header();
    match kid {
        Some(kid) => header["kid"] = json!(kid),
        None => drop(header.as_object_mut().unwrap().remove("kid")),
    }
    key.token(&header, &issuer.claims())
}

#[tokio::test]
async fn new_key_is_found_and_withdrawn_key_refused() {
    let issuer = Issuer::start(Key::p256()).await;
    let old = issuer.token();
    issuer.verify(&old).await.unwrap();
    let next = Key::p256();
    let new = signed_by(&issuer, &next, Some("k-2"));
    issuer.set_keys(json!([next.jwk("k-2")]));
    let call = scope();
    issuer.provider.verify(&call, &new, &Rules::access_token()).await.unwrap();
    assert_eq!((call.recorder().requests(), issuer.requests("/jwks")), (1, 2));
    // The keys were just refreshed, so the missing key may be newer.
    assert_eq!(issuer.verify(&old).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let other = issuer.provider_with(|_| {}).unwrap();
    let error = other.verify(&scope(), &old, &Rules::access_token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn forged_kids_never_make_new_keys_invalid() {
    let issuer = Issuer::start(Key::p256()).await;
    issuer.verify(&issuer.token()).await.unwrap();
    flood(&issuer, &issuer.provider).await;
    // The forced refresh may still be running. It must end before the keys change.
    issuer.verify(&signed_by(&issuer, &Key::p256(), Some("forged"))).await.unwrap_err();
    let next = Key::p256();
    issuer.set_keys(json!([issuer.key.jwk("k-1"), next.jwk("k-2")]));
    for _ in 0..80 {
        let error = issuer.verify(&signed_by(&issuer, &next, Some("k-2"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.retry_after().is_some_and(|after| after.as_secs() < 10), "{error:?}");
        issuer.verify(&issuer.token()).await.unwrap();
    }
    assert_eq!(issuer.requests("/jwks"), 2);
}

/// Verifies forged tokens with a deadline of one millisecond.
async fn flood(issuer: &Issuer, provider: &OpenIdProvider) {
    for number in 0..20 {
        let scope = CallScope::new("r-2", Duration::from_millis(1));
        let forged = signed_by(issuer, &Key::p256(), Some(&format!("forged-{number}")));
        provider.verify(&scope, &forged, &Rules::access_token()).await.unwrap_err();
    }
}

#[tokio::test]
async fn new_key_is_accepted_during_a_flood() {
    let issuer = Issuer::start(Key::p256()).await;
    // The clock is advanced by less than the time limit of a fetch, which uses the real clock.
    let policy = OutboundPolicy { fetch_timeout: Duration::from_secs(60), ..OutboundPolicy::default() };
    let settings = OpenIdSettings::new(issuer.server.base(), &policy);
    let provider = OpenIdProvider::new(Client::new(&policy).unwrap(), settings, Arc::new(FixedClock)).unwrap();
    let rules = Rules::access_token();
    provider.verify(&scope(), &issuer.token(), &rules).await.unwrap();
    flood(&issuer, &provider).await;
    provider.verify(&scope(), &signed_by(&issuer, &Key::p256(), Some("forged")), &rules).await.unwrap_err();
    let next = Key::p256();
    issuer.set_keys(json!([next.jwk("k-2")]));
    let token = signed_by(&issuer, &next, Some("k-2"));
    let error = provider.verify(&scope(), &token, &rules).await.unwrap_err();
    tokio::time::pause();
    tokio::time::advance(error.retry_after().unwrap()).await;
    tokio::time::resume();
    flood(&issuer, &provider).await;
    for _ in 0..80 {
        provider.verify(&scope(), &token, &rules).await.unwrap();
    }
    assert_eq!(issuer.requests("/jwks"), 3);
}

#[tokio::test]
async fn token_without_kid_needs_one_matching_key() {
    let issuer = Issuer::start(Key::p256()).await;
    let token = signed_by(&issuer, &issuer.key, None);
    issuer.verify(&token).await.unwrap();
    let others = [Key::rsa(), Key::p384(), Key::ed()];
    let mut keys: Vec<Value> = others.iter().map(|key| key.jwk("other")).collect();
    keys.push(issuer.key.jwk("k-1"));
    let set = |keys: &[Value]| {
        issuer.set_keys(json!(keys));
        issuer.provider_with(|_| {}).unwrap()
    };
    let several_kinds = set(&keys);
    assert!(several_kinds.verify(&scope(), &token, &Rules::access_token()).await.is_ok());
    keys.push(Key::p256().jwk("k-2"));
    let two_fit = set(&keys);
    let error = two_fit.verify(&scope(), &token, &Rules::access_token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn replaced_key_without_kid_is_fetched() {
    let issuer = Issuer::start(Key::p256()).await;
    let nameless = |key: &Key| {
        let mut jwk = key.jwk("");
        jwk.as_object_mut().unwrap().remove("kid");
        json!([jwk])
    };
    issuer.set_keys(nameless(&issuer.key));
    issuer.verify(&signed_by(&issuer, &issuer.key, None)).await.unwrap();
    let next = Key::p256();
    issuer.set_keys(nameless(&next));
    issuer.verify(&signed_by(&issuer, &next, None)).await.unwrap();
    let error = issuer.verify(&signed_by(&issuer, &issuer.key, None)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn outage_is_never_an_invalid_token() {
    let issuer = Issuer::start(Key::p256()).await;
    issuer.down(true);
    let short = || CallScope::new("r-1", Duration::from_millis(300));
    let verify = |token: String| {
        let provider = issuer.provider.clone();
        async move { provider.verify(&short(), &token, &Rules::access_token()).await }
    };
    let error = verify(issuer.token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    issuer.down(false);
    verify(issuer.token()).await.unwrap();
    issuer.down(true);
    // Cached keys remain valid. An unknown key cannot be checked.
    verify(issuer.token()).await.unwrap();
    for _ in 0..3 {
        let error = verify(signed_by(&issuer, &Key::p256(), Some("k-2"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    let forged = verify(signed_by(&issuer, &Key::p256(), Some("k-1"))).await.unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn unusable_keys_are_ignored() {
    let issuer = Issuer::start(Key::p256()).await;
    let rsa = Key::rsa();
    let changed = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let (good, modulus) = (issuer.key.jwk("k-1"), rsa.jwk("k-1"));
    let odd = [
        json!(null),
        json!("key"),
        json!({}),
        json!({"kty": "oct", "kid": "k-1", "k": b64("secret")}),
        json!({"kty": "RSA", "kid": "k-1"}),
        changed(&good, "use", json!("enc")),
        changed(&good, "key_ops", json!(["sign"])),
        changed(&good, "alg", json!("ES384")),
        changed(&good, "alg", json!("HS256")),
        changed(&good, "alg", json!(1)),
        changed(&good, "crv", json!("P-384")),
        changed(&good, "crv", json!("P-521")),
        changed(&good, "kty", json!("RSA")),
        changed(&good, "x", json!("AA")),
        changed(&good, "y", json!("!")),
        changed(&modulus, "n", json!(b64([0xff; 128]))),
        changed(&modulus, "n", json!(b64([0xff; 1025]))),
        changed(&modulus, "n", json!(b64([0; 256]))),
    ];
    for key in &odd {
        issuer.set_keys(json!([key]));
        let provider = issuer.provider_with(|_| {}).unwrap();
        let error = provider.verify(&scope(), &issuer.token(), &Rules::access_token()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{key}");
    }
    let mut among = odd.to_vec();
    among.push(changed(&changed(&good, "key_ops", json!(["verify"])), "alg", json!("ES256")));
    issuer.set_keys(json!(among));
    issuer.verify(&issuer.token()).await.unwrap();
    // A key with a weak exponent is accepted, but its signatures are not.
    issuer.set_keys(json!([changed(&modulus, "e", json!(b64([1])))]));
    let provider = issuer.provider_with(|_| {}).unwrap();
    let forged = rsa.token(&json!({"alg": "RS256", "kid": "k-1", "typ": "JWT"}), &issuer.claims());
    let error = provider.verify(&scope(), &forged, &Rules::access_token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn malformed_key_set_is_an_invalid_response() {
    let endless = json!({"keys": vec![Key::p256().jwk("k"); 101]}).to_string();
    for body in ["", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": []}"#, "<html>", endless.as_str()] {
        let body = body.to_owned();
        let own = move |received: &crate::server::Received| {
            received.head.starts_with("GET /jwks ").then(|| answer(200, &[], &body))
        };
        let issuer = Issuer::answering(Key::p256(), own).await;
        let error = issuer.verify(&issuer.token()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
    }
    for (status, kind) in
        [(404, ErrorKind::InvalidResponse), (302, ErrorKind::InvalidResponse), (429, ErrorKind::RateLimited)]
    {
        let own = move |received: &crate::server::Received| {
            received.head.starts_with("GET /jwks ").then(|| answer(status, &["retry-after: 1000"], ""))
        };
        let issuer = Issuer::answering(Key::p256(), own).await;
        assert_eq!(issuer.verify(&issuer.token()).await.unwrap_err().kind(), kind, "{status}");
    }
}

#[tokio::test]
async fn configured_keys_need_no_discovery() {
    let issuer = Issuer::start(Key::p256()).await;
    let url = format!("{}/jwks", issuer.server.base()).parse().unwrap();
    let provider = issuer.provider_with(|settings| settings.jwks = Some(url)).unwrap();
    let rules = Rules { algorithms: vec![Algorithm::Es256], ..Rules::access_token() };
    provider.verify(&scope(), &issuer.token(), &rules).await.unwrap();
    assert_eq!((issuer.requests("/jwks"), issuer.server.received().len()), (1, 1));
}
