//! JWT access tokens of REST (section 6, RFC 9068). The tests of `idp-bridge-http` have the forged tokens and the rotation of keys.

use std::sync::Arc;

use idp_bridge_conformance::fake::{self, Fake, FakeServer, Incoming, SigningKey, jwks};
use idp_bridge_connector_memory::sample_users;
use idp_bridge_core::{Deleted, OutboundPolicy};
use idp_bridge_server::{AccessTokenSettings, AccessTokens, Algorithm, RestToken, Scope, Tenant};
use serde_json::{Value, json};

use crate::bridge::{Bridge, memory, next_id, rest_token, tenant};
use crate::clock::{BEGIN, TestClock};
use crate::http::{Answer, Request};
use crate::scripted::{Returned, Scripted};

const AUDIENCE: &str = "https://bridge.example";

/// A server for the keys of an issuer.
struct Issuer {
    keys: Vec<SigningKey>,
    is_down: bool,
}

impl Fake for Issuer {
    fn answer(&mut self, _: &Incoming) -> fake::Answer {
        if self.is_down {
            return fake::Answer::empty(503);
        }
        fake::Answer::new(200, "application/json", jwks(&self.keys).to_string())
    }
}

async fn issuer() -> FakeServer<Issuer> {
    let keys = vec![SigningKey::es256("k-1").unwrap()];
    FakeServer::start(Issuer { keys, is_down: false }).await.unwrap()
}

fn settings(issuer: &FakeServer<Issuer>) -> AccessTokenSettings {
    AccessTokenSettings {
        issuer: issuer.url(),
        audience: AUDIENCE.into(),
        jwks_url: format!("{}/jwks?p=1", issuer.url()),
        algorithms: Algorithm::ALL.to_vec(),
        outbound: OutboundPolicy::default(),
    }
}

/// Starts a bridge for `acme` with tokens of this issuer and one static token.
fn acme(issuer: &FakeServer<Issuer>, provider: impl idp_bridge_core::IdentityProvider) -> Tenant {
    let mut acme = tenant("acme", provider);
    acme.access_tokens = Some(AccessTokens::new(settings(issuer), Arc::new(TestClock::default())).unwrap());
    acme.tokens = vec![RestToken { name: "ops".into(), ..rest_token("static", [Scope::Read, Scope::Write]) }];
    acme
}

async fn bridge(issuer: &FakeServer<Issuer>) -> Bridge {
    Bridge::start([acme(issuer, memory(sample_users()))]).await
}

/// Returns the claims of a valid token with changes.
fn claims(issuer: &FakeServer<Issuer>, changes: &[(&str, Value)]) -> Value {
    let mut claims = json!({
        "iss": issuer.url(), "aud": AUDIENCE, "sub": "s-1", "client_id": "ops", "jti": "j-1",
        "iat": BEGIN - 10, "exp": BEGIN + 300, "scope": "openid users.read users.write",
    });
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// Returns a token of the issuer with changed claims.
fn token(issuer: &FakeServer<Issuer>, changes: &[(&str, Value)]) -> String {
    let claims = claims(issuer, changes);
    issuer.with(|issuer| issuer.keys[0].sign(&issuer.keys[0].header("at+jwt"), &claims).unwrap())
}

fn get(token: &str) -> Request {
    Request::new("GET", "/v1/tenants/acme/users/u-1").header("authorization", format!("Bearer {token}"))
}

fn refused(answer: &Answer) -> bool {
    answer.verdict() == (401, "invalid_token".into())
        && answer.header("www-authenticate") == Some(r#"Bearer error="invalid_token""#)
}

#[tokio::test]
async fn valid_tokens_share_one_key_fetch() {
    let issuer = issuer().await;
    let bridge = bridge(&issuer).await;
    for changes in [
        &[][..],
        &[("aud", json!(["other", AUDIENCE]))],
        &[("azp", json!("ops"))],
        &[("client_id", Value::Null), ("azp", json!("ops"))],
        &[("nbf", json!(BEGIN))],
    ] {
        let answer = bridge.send(&get(&token(&issuer, changes))).await;
        assert_eq!(answer.status, 200, "{changes:?} {answer:?}");
    }
    let claims = claims(&issuer, &[]);
    let long_type = issuer.with(|own| own.keys[0].sign(&own.keys[0].header("application/AT+JWT"), &claims).unwrap());
    assert_eq!(bridge.send(&get(&long_type)).await.status, 200);
    assert_eq!(issuer.exchanges().len(), 1);
}

#[tokio::test]
async fn token_with_wrong_claims_is_rejected() {
    let issuer = issuer().await;
    let bridge = bridge(&issuer).await;
    for changes in [
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(format!("{AUDIENCE}/"))),
        ("aud", Value::Null),
        ("iss", json!("https://other.example")),
        ("exp", json!(BEGIN - 1)),
        ("nbf", json!(BEGIN + 120)),
        ("iat", json!(BEGIN + 120)),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("client_id", Value::Null),
        ("azp", json!("another")),
        ("cnf", json!({"jkt": "x"})),
    ] {
        let answer = bridge.send(&get(&token(&issuer, std::slice::from_ref(&changes)))).await;
        assert!(refused(&answer), "{changes:?} {answer:?}");
    }
    assert_eq!(issuer.exchanges().len(), 1);
}

#[tokio::test]
async fn token_of_another_kind_is_rejected() {
    let issuer = issuer().await;
    let bridge = bridge(&issuer).await;
    let claims = claims(&issuer, &[]);
    let attacker = SigningKey::es256("k-1").unwrap();
    let of_type = |name: &str| issuer.with(|own| own.keys[0].sign(&own.keys[0].header(name), &claims).unwrap());
    let untyped = issuer.with(|own| own.keys[0].sign(&json!({"alg": "ES256", "kid": "k-1"}), &claims).unwrap());
    for bad in [
        attacker.sign(&attacker.header("at+jwt"), &claims).unwrap(),
        of_type("JWT"),
        of_type("logout+jwt"),
        untyped,
        "a.b.c".into(),
        "x".repeat(8_193),
    ] {
        assert!(refused(&bridge.send(&get(&bad)).await), "{bad}");
    }
    let requested: Vec<_> = issuer.exchanges().into_iter().map(|exchange| exchange.request.target).collect();
    assert_eq!(requested, ["/jwks?p=1"], "the configured address alone");
}

#[tokio::test]
async fn only_configured_algorithms_are_accepted() {
    let issuer = issuer().await;
    let mut acme = acme(&issuer, memory(sample_users()));
    let narrow = AccessTokenSettings { algorithms: vec![Algorithm::Rs256], ..settings(&issuer) };
    acme.access_tokens = Some(AccessTokens::new(narrow, Arc::new(TestClock::default())).unwrap());
    let bridge = Bridge::start([acme]).await;
    assert!(refused(&bridge.send(&get(&token(&issuer, &[]))).await));
    issuer.with(|issuer| issuer.keys = vec![SigningKey::rs256("k-2").unwrap()]);
    assert_eq!(bridge.send(&get(&token(&issuer, &[]))).await.status, 200);
}

#[tokio::test]
async fn issuer_outage_keeps_static_tokens() {
    let issuer = issuer().await;
    issuer.with(|issuer| issuer.is_down = true);
    let bridge = bridge(&issuer).await;
    let answer = bridge.send(&get(&token(&issuer, &[]))).await;
    assert_eq!(answer.verdict(), (503, "upstream_unavailable".into()));
    assert!(answer.header("retry-after").is_some() && answer.header("www-authenticate").is_none(), "{answer:?}");
    issuer.take_exchanges();
    assert_eq!(bridge.send(&get("static")).await.status, 200);
    assert!(refused(&bridge.send(&get("static-but-wrong")).await));
    assert_eq!(issuer.exchanges().len(), 0, "static tokens and opaque tokens cause no request");
}

#[tokio::test]
async fn token_is_limited_to_its_scope() {
    let issuer = issuer().await;
    let bridge = bridge(&issuer).await;
    for (scope, get_status, delete_status) in [
        (json!("users.read"), 200, 403),
        (json!("users.write"), 403, 200),
        (json!("openid  users.read"), 200, 403),
        (json!("Users.read users.reader users.read.all users"), 403, 403),
        (json!(["users.read"]), 403, 403),
        (json!(""), 403, 403),
        (Value::Null, 403, 403),
    ] {
        let token = token(&issuer, &[("scope", scope.clone())]);
        assert_eq!(bridge.send(&get(&token)).await.status, get_status, "{scope}");
        let delete =
            Request::new("DELETE", "/v1/tenants/acme/users/u-2").header("authorization", format!("Bearer {token}"));
        let answer = bridge.send(&delete).await;
        assert_eq!(answer.status, delete_status, "{scope}");
        if delete_status == 403 {
            assert_eq!(answer.verdict().1, "forbidden");
            assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer error="insufficient_scope""#));
        }
    }
}

#[tokio::test]
async fn idempotency_keys_belong_to_client_and_subject() {
    let issuer = issuer().await;
    let provider = Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Existed)));
    let bridge = Bridge::start([acme(&issuer, provider.clone())]).await;
    let key = next_id();
    let delete = |token: &str| {
        Request::new("DELETE", "/v1/tenants/acme/users/u")
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", &key)
    };
    // The static token has the name `ops`, too.
    let callers = [
        "static".to_owned(),
        token(&issuer, &[]),
        token(&issuer, &[("sub", json!("s-2"))]),
        token(&issuer, &[("client_id", json!("ops s-1")), ("sub", json!("1"))]),
        token(&issuer, &[("client_id", json!("ops")), ("sub", json!("s-1 1"))]),
    ];
    for caller in &callers {
        let answer = bridge.send(&delete(caller)).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, None), "{caller}");
    }
    assert_eq!(provider.calls(), callers.len());
    let again = bridge.send(&delete(&token(&issuer, &[("jti", json!("j-2"))]))).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
}

#[tokio::test]
async fn invalid_settings_are_named() {
    let issuer = issuer().await;
    let wrong = |change: fn(&mut AccessTokenSettings)| {
        let mut settings = settings(&issuer);
        change(&mut settings);
        AccessTokens::new(settings, Arc::new(TestClock::default())).unwrap_err()
    };
    for (error, named) in [
        (wrong(|settings| settings.issuer = "not a URL".into()), "`issuer`"),
        (wrong(|settings| settings.issuer = "http://issuer.example".into()), "`issuer`"),
        (wrong(|settings| settings.jwks_url = "keys".into()), "`jwks_url`"),
        (wrong(|settings| settings.jwks_url = "http://issuer.example/jwks".into()), "`jwks_url`"),
        (wrong(|settings| settings.jwks_url = "file:///etc/passwd".into()), "`jwks_url`"),
    ] {
        assert!(error.message().starts_with(named), "{error}");
    }
}
