//! Signatures (section 1): what a caller learns from a refusal. The tests of `protocol/src/signature.rs` have all rules.

use serde_json::json;

use crate::bridge::{Bridge, signed};
use crate::http::{Answer, Request};
use crate::lines::Log;

fn ping() -> Request {
    signed(&json!({"type": "ping", "tenant": "acme"}))
}

fn refused(answer: &Answer) -> bool {
    answer.verdict() == (401, "invalid_signature".into())
}

/// Returns the signature of a request from [`signed`].
fn signature_of(request: &Request) -> String {
    request.headers.iter().find(|(name, _)| name == "webhook-signature").unwrap().1.clone()
}

#[tokio::test]
async fn ping_returns_protocol_and_capabilities() {
    let bridge = Bridge::with_samples().await;
    for data in [None, Some(json!({}))] {
        let mut body = json!({"type": "ping", "tenant": "acme"});
        body.as_object_mut().unwrap().extend(data.map(|data| ("data".to_owned(), data)));
        let answer = bridge.send(&signed(&body)).await;
        assert_eq!(answer.status, 200);
        let pong = answer.json();
        assert_eq!((&pong["protocol"], &pong["connector"]), (&json!(1), &json!("memory")));
        assert_eq!(pong["capabilities"]["calls"]["users.get_by_id"], json!({"support": "supported"}));
    }
}

#[tokio::test]
async fn unknown_tenant_looks_like_invalid_signature() {
    let bridge = Bridge::with_samples().await;
    let unknown = bridge.send(&Request { target: "/v1/tenants/unknown/webhook".into(), ..ping() }).await;
    let mut wrong = ping();
    wrong.body[0] = b' ';
    let wrong = bridge.send(&wrong).await;
    assert!(refused(&unknown) && refused(&wrong));
    let anonymous = |answer: &Answer| {
        let id = answer.header("x-request-id").unwrap().to_owned();
        let names: Vec<_> = answer.headers.keys().cloned().collect();
        (names, answer.body.replace(&id, "id"))
    };
    assert_eq!(anonymous(&unknown), anonymous(&wrong));
    assert!(!unknown.body.contains("unknown"));
}

#[tokio::test]
async fn unknown_tenant_costs_the_same_checks() {
    let log = Log::default();
    let _guard = log.begin();
    let bridge = Bridge::with_samples().await;
    let token = signature_of(&ping());
    let bogus = ping().with("webhook-signature", [token.as_str(); 8].join(" ")).with("webhook-id", "msg_other");
    for tenant in ["acme", "unknown"] {
        let request = Request { target: format!("/v1/tenants/{tenant}/webhook"), ..bogus.clone() };
        assert!(refused(&bridge.send(&request).await), "{tenant}");
    }
    let checks: Vec<_> = log.lines().iter().map(|line| line["signature.checks"].clone()).collect();
    assert_eq!(checks, [json!(4), json!(4)]);
}
