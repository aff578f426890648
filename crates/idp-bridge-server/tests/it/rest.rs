//! REST (section 6).

use idp_bridge_connector_memory::sample_users;
use idp_bridge_core::{Deleted, UserId};
use idp_bridge_server::{Scope, Tenant};
use serde_json::json;

use crate::bridge::{Bridge, memory, next_id, rest_token, tenant};
use crate::http::{Answer, Request};
use crate::scripted::{Returned, Scripted};

/// Starts a bridge for `acme`, with the tokens of three callers, and for `quiet`, without REST.
fn tenants(provider: impl idp_bridge_core::IdentityProvider) -> [Tenant; 2] {
    let mut acme = tenant("acme", provider);
    acme.tokens = vec![
        rest_token("reader", [Scope::Read]),
        rest_token("writer", [Scope::Write]),
        rest_token("both", [Scope::Read, Scope::Write]),
    ];
    [acme, tenant("quiet", memory(sample_users()))]
}

fn request(method: &str, path: &str) -> Request {
    Request::new(method, format!("/v1/tenants/acme/{path}")).header("authorization", "Bearer both")
}

fn refused(answer: &Answer) -> bool {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    answer.verdict() == (401, "invalid_token".into())
        && ["Bearer", r#"Bearer error="invalid_token""#].contains(&challenge)
}

#[tokio::test]
async fn every_call_has_its_path() {
    let users = memory(sample_users());
    let bridge = Bridge::start(tenants(users.clone())).await;
    let by_id = bridge.send(&request("GET", "users/u-1")).await;
    assert_eq!((by_id.status, &by_id.json()["user"]["email"]), (200, &json!("ada@acme.example")));
    assert_eq!(bridge.send(&request("GET", "users/u%2D1")).await.body, by_id.body);
    let lookup = |body| request("POST", "users:lookup").json(&body);
    assert_eq!(bridge.send(&lookup(json!({"email": "Ada@acme.example"}))).await.body, by_id.body);
    assert_eq!(bridge.send(&lookup(json!({"customer": "cust-1"}))).await.body, by_id.body);
    for path in ["users/u-3/mark-email-verified", "users/u-1/send-verification-email"] {
        let answer = bridge.send(&request("POST", path)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"), "{path}");
    }
    let mark = request("POST", "users/u-3/mark-email-verified").json(&json!({"email": "other@acme.example"}));
    assert_eq!(bridge.send(&mark).await.verdict(), (409, "user_conflict".into()));
    let reset = request("POST", "users:send-password-reset-email");
    for email in ["ada@acme.example", "unknown@acme.example"] {
        assert_eq!(bridge.send(&reset.clone().json(&json!({"email": email}))).await.body, "{}");
    }
    assert_eq!(users.store().outbox().len(), 1);
    assert_eq!(bridge.send(&request("DELETE", "users/u-1")).await.json(), json!({"existed": true}));
    assert!(users.store().user(&UserId::new("u-1").unwrap()).is_none());
    assert_eq!(bridge.send(&request("GET", "users/u-1")).await.verdict(), (404, "user_not_found".into()));
}

#[tokio::test]
async fn unauthorized_requests_look_alike() {
    let bridge = Bridge::start(tenants(memory(sample_users()))).await;
    let mut answers = Vec::new();
    for (tenant, authorization) in [
        ("acme", Some("Bearer wrong")),
        ("acme", Some("Basic both")),
        ("acme", Some("Bearer  both")),
        ("acme", Some("both")),
        ("acme", Some("Bearer ")),
        ("acme", None),
        ("quiet", Some("Bearer both")),
        ("unknown", Some("Bearer both")),
    ] {
        let mut request = Request::new("GET", format!("/v1/tenants/{tenant}/users/u-1"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = bridge.send(&request).await;
        assert!(refused(&answer), "{tenant} {authorization:?} {answer:?}");
        let id = answer.header("x-request-id").unwrap();
        answers.push(answer.body.replace(id, "id"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let twice = request("GET", "users/u-1").header("authorization", "Bearer both");
    assert!(refused(&bridge.send(&twice).await));
    let in_query = Request::new("GET", "/v1/tenants/acme/users/u-1?access_token=both");
    assert!(refused(&bridge.send(&in_query).await));
    let lower_case = Request::new("GET", "/v1/tenants/acme/users/u-1").header("authorization", "bearer both");
    assert_eq!(bridge.send(&lower_case).await.status, 200);
}

#[tokio::test]
async fn token_is_limited_to_its_scopes() {
    let bridge = Bridge::start(tenants(memory(sample_users()))).await;
    for (caller, get, delete) in [("reader", 200, 403), ("writer", 403, 200)] {
        let with = |method| request(method, "users/u-2").with("authorization", format!("Bearer {caller}"));
        assert_eq!(bridge.send(&with("GET")).await.status, get, "{caller}");
        let answer = bridge.send(&with("DELETE")).await;
        assert_eq!(answer.status, delete, "{caller}");
        if delete == 403 {
            assert_eq!(answer.verdict().1, "forbidden");
        }
    }
    // A caller without the scope gets no details about the body.
    let reader = request("POST", "users/../mark-email-verified").with("authorization", "Bearer reader");
    assert_eq!(bridge.send(&reader).await.status, 403);
}

#[tokio::test]
async fn bodies_are_json_without_encoding() {
    let bridge = Bridge::start(tenants(memory(sample_users()))).await;
    assert_eq!(bridge.send(&request("POST", "users:lookup")).await.verdict(), (400, "invalid_request".into()));
    let other = request("POST", "users:lookup").json(&json!({"email": "ada@acme.example"}));
    assert_eq!(bridge.send(&other.clone().with("content-type", "text/plain")).await.status, 415);
    assert_eq!(bridge.send(&other.header("content-encoding", "gzip")).await.status, 415);
    let delete = request("DELETE", "users/u-2").json(&json!({"id": "u-1"}));
    assert_eq!(bridge.send(&delete).await.verdict(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn write_with_key_runs_once_per_caller() {
    let provider = Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Existed)));
    let bridge = Bridge::start(tenants(provider.clone())).await;
    let key = next_id();
    let delete = |caller: &str, user: &str| {
        let request = request("DELETE", &format!("users/{user}")).with("authorization", format!("Bearer {caller}"));
        request.header("idempotency-key", &key)
    };
    let replayed = |answer: &Answer| (answer.status, answer.header("idempotent-replayed").is_some());
    assert_eq!(replayed(&bridge.send(&delete("both", "u")).await), (200, false));
    assert_eq!(replayed(&bridge.send(&delete("both", "u")).await), (200, true));
    assert_eq!(replayed(&bridge.send(&delete("writer", "u")).await), (200, false));
    assert_eq!(bridge.send(&delete("both", "v")).await.verdict(), (422, "webhook_id_reused".into()));
    assert_eq!(provider.calls(), 2);
    for _ in 0..2 {
        bridge.send(&request("DELETE", "users/u")).await;
    }
    assert_eq!(provider.calls(), 4);
    let bad = request("DELETE", "users/u").header("idempotency-key", "a b");
    assert_eq!(bridge.send(&bad).await.json()["field"], "idempotency-key");
}
