//! Userinfo.

use idp_bridge_core::{ErrorKind, SessionId};
use serde_json::json;

use super::idp::{Idp, at};
use super::{acme, bridge, refused, rules, userinfo, verdict};
use crate::bridge::Bridge;

#[tokio::test]
async fn token_yields_user_and_customer() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let answer = bridge.send(&userinfo("a.d.a")).await;
    assert_eq!(answer.status, 200);
    let expected = json!({
        "sub": "ada", "email": "ada@acme.example", "email_verified": true, "customer": "c-1", "tenant": "acme"
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(idp.calls(), ["validate"]);
    bridge.send(&userinfo("a.d.a")).await;
    assert_eq!(idp.calls(), ["validate"], "nothing is cached unless the connector or the tenant says so");
}

#[tokio::test]
async fn unknown_fields_are_absent() {
    let idp = Idp::new();
    idp.token("a.d.a", |user| {
        user.email = None;
        user.email_verified = None;
    });
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(
        bridge.send(&userinfo("a.d.a")).await.json(),
        json!({"sub": "ada", "customer": "c-1", "tenant": "acme"})
    );
}

#[tokio::test]
async fn upstream_failure_is_not_an_invalid_token() {
    use ErrorKind::*;
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    for (kind, status, code) in [
        (Unavailable, 503, "upstream_unavailable"),
        (RateLimited, 503, "upstream_rate_limited"),
        (Timeout, 504, "deadline_exceeded"),
        (InvalidResponse, 502, "upstream_invalid_response"),
        (Unauthenticated, 502, "upstream_unauthorized"),
        (PermissionDenied, 502, "upstream_unauthorized"),
        (Misconfigured, 502, "misconfigured"),
        (Unexpected, 500, "internal"),
    ] {
        idp.fail("validate", Some(kind));
        let answer = bridge.send(&userinfo("a.d.a")).await;
        assert_eq!(verdict(&answer), (status, code.into()), "{kind:?}");
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
    }
    idp.fail("validate", None);
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
}

#[tokio::test]
async fn long_lived_token_is_rejected() {
    let idp = Idp::new();
    let day = 24 * 60 * 60;
    idp.token("a.b.longest", |user| user.identity.expires_at = Some(at(day - 60)))
        .token("a.b.longer", |user| user.identity.expires_at = Some(at(day - 59)))
        .token("a.b.ageless", |user| {
            user.identity.issued_at = None;
            user.identity.expires_at = Some(at(day + 1));
        })
        .token("endless", |user| user.identity.expires_at = None);
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(bridge.send(&userinfo("a.b.longest")).await.status, 200);
    assert_eq!(bridge.send(&userinfo("endless")).await.status, 200);
    for token in ["a.b.longer", "a.b.ageless"] {
        assert!(refused(&bridge.send(&userinfo(token)).await), "{token}");
    }
}

#[tokio::test]
async fn hanging_or_panicking_provider_fails_its_request() {
    let hanging = Idp::new().run_before(|_| std::future::pending());
    let mut tenant = acme(hanging.clone(), rules());
    tenant.deadline = std::time::Duration::from_millis(150);
    let bridge = Bridge::start([tenant]).await;
    assert_eq!(verdict(&bridge.send(&userinfo("a")).await), (504, "deadline_exceeded".into()));
    let shorter = userinfo("a").header("x-request-timeout-ms", "20");
    assert_eq!(verdict(&bridge.send(&shorter).await), (504, "deadline_exceeded".into()));
    let none = userinfo("a").header("x-request-timeout-ms", "soon");
    assert_eq!(verdict(&bridge.send(&none).await), (400, "invalid_request".into()));

    let panicking = Idp::new().run_before(|_| async { panic!("as the test says") });
    let bridge = Bridge::start([acme(panicking, rules())]).await;
    assert_eq!(verdict(&bridge.send(&userinfo("a")).await), (500, "internal".into()));
}

#[tokio::test]
async fn tokens_are_cached_separately() {
    let (idp, other) = (Idp::new(), Idp::new());
    idp.ada("a.d.a");
    other.token("a.d.a", |user| user.identity.session = Some(SessionId::new("t").unwrap()));
    let mut two = acme(other.clone(), rules());
    two.id = idp_bridge_core::TenantId::new("two").unwrap();
    let bridge = Bridge::start([acme(idp.clone(), rules()), two]).await;
    let of = |name: &str| crate::http::Request { target: format!("/v1/tenants/{name}/userinfo"), ..userinfo("a.d.a") };
    assert_eq!(bridge.send(&super::logout("a.d.a")).await.status, 204);
    assert!(refused(&bridge.send(&of("acme")).await));
    assert_eq!(bridge.send(&of("two")).await.json()["tenant"], "two");
}
