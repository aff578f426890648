//! Idempotency (section 4).

use idp_bridge_core::{Deleted, ErrorKind};
use serde_json::json;

use crate::bridge::{Bridge, envelope, next_id, signed_as};
use crate::http::{Request, within};
use crate::scripted::{Returned, Scripted, record, upstream};

fn deleting(id: &str, user: &str) -> Request {
    signed_as(id, &envelope("users.delete", json!({"id": user})))
}

#[tokio::test]
async fn repeated_write_runs_once() {
    let provider = Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Existed)));
    let bridge = Bridge::with_provider(provider.clone()).await;
    let id = next_id();
    let first = bridge.send(&deleting(&id, "u")).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
    for _ in 0..2 {
        let again = bridge.send(&deleting(&id, "u")).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
        assert_eq!(again.body, first.body);
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(provider.calls(), 1);
    bridge.send(&deleting(&next_id(), "u")).await;
    assert_eq!(provider.calls(), 2);
}

#[tokio::test]
async fn fingerprint_ignores_formatting() {
    let provider = Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Existed)));
    let bridge = Bridge::with_provider(provider.clone()).await;
    let id = next_id();
    bridge.send(&deleting(&id, "u")).await;
    let rewritten = json!({"data": {"id": "u"}, "new": 1, "tenant": "acme", "type": "users.delete"});
    assert_eq!(bridge.send(&signed_as(&id, &rewritten)).await.header("idempotent-replayed"), Some("true"));
    let reused = bridge.send(&deleting(&id, "v")).await;
    assert_eq!(reused.verdict(), (422, "webhook_id_reused".into()));
    assert_eq!(reused.json()["outcome"], "not_applied");
    let other = envelope("users.send_verification_email", json!({"id": "u"}));
    assert_eq!(bridge.send(&signed_as(&id, &other)).await.status, 422);
    assert_eq!(provider.calls(), 1);
}

#[tokio::test]
async fn waiting_write_times_out_first() {
    let (provider, begun, gate) = Scripted::gated();
    let bridge = Bridge::with_provider(provider.clone()).await;
    let request = deleting(&next_id(), "u");
    let mut first = bridge.begin(&request).await;
    within(begun.acquire()).await.unwrap().forget();
    let twin = bridge.send(&request.clone().header("x-request-timeout-ms", "100")).await;
    assert_eq!(twin.verdict(), (409, "request_in_progress".into()));
    assert_eq!((&twin.json()["retryable"], &twin.json()["outcome"]), (&json!(true), &json!("unknown")));
    gate.add_permits(1);
    assert_eq!(first.answer().await.unwrap().status, 200);
    assert_eq!(bridge.send(&request).await.header("idempotent-replayed"), Some("true"));
    assert_eq!(provider.calls(), 1);
}

#[tokio::test]
async fn retry_after_disconnect_gets_the_result() {
    let (provider, begun, gate) = Scripted::gated();
    let bridge = Bridge::with_provider(provider.clone()).await;
    let request = deleting(&next_id(), "u");
    let caller = bridge.begin(&request).await;
    within(begun.acquire()).await.unwrap().forget();
    drop(caller);
    gate.add_permits(1);
    let again = bridge.send(&request).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(provider.calls(), 1);
}

#[tokio::test]
async fn failures_are_forgotten_so_that_a_retry_runs() {
    let provider = Scripted::at_once(|_| Err(upstream(ErrorKind::Misconfigured)));
    let bridge = Bridge::with_provider(provider.clone()).await;
    let id = next_id();
    for asked in 1..=3 {
        let answer = bridge.send(&deleting(&id, "u")).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (502, None));
        assert_eq!(provider.calls(), asked);
    }
    // The expired id may belong to another write now.
    assert_eq!(bridge.send(&deleting(&id, "v")).await.status, 502);
}

#[tokio::test]
async fn gets_always_run() {
    let provider = Scripted::at_once(|_| Ok(Returned::User(record("u", "c", "a@b"))));
    let bridge = Bridge::with_provider(provider.clone()).await;
    let id = next_id();
    for asked in 1..=2 {
        let answer = bridge.send(&signed_as(&id, &envelope("users.get_by_id", json!({"id": "u"})))).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, None));
        assert_eq!(provider.calls(), asked);
    }
}

#[tokio::test]
async fn unsigned_call_stores_nothing() {
    let provider = Scripted::at_once(|_| Ok(Returned::Deleted(Deleted::Existed)));
    let bridge = Bridge::with_provider(provider.clone()).await;
    let id = next_id();
    assert_eq!(bridge.send(&deleting(&id, "u").with("webhook-signature", "v1a,AAAA")).await.status, 401);
    let first = bridge.send(&deleting(&id, "v")).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
}
