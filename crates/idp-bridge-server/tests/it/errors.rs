//! Errors (section 3) over HTTP. The tests of `error.rs` have the whole table.

use idp_bridge_core::ErrorKind;
use serde_json::json;

use crate::bridge::{Bridge, memory, tenant};
use crate::http::Request;
use crate::scripted::{Scripted, upstream};

#[tokio::test]
async fn started_write_fails_with_unknown_outcome() {
    let provider = Scripted::new(|_, scope| async move {
        scope.recorder().begin_write();
        Err(upstream(ErrorKind::Unavailable))
    });
    let bridge = Bridge::with_provider(provider).await;
    assert_eq!(bridge.call("users.delete", json!({"id": "u"})).await.json()["outcome"], "unknown");
    // A get has no outcome, also if its provider recorded a write.
    assert_eq!(bridge.call("users.get_by_id", json!({"id": "u"})).await.json()["outcome"], "not_applied");
}

#[tokio::test]
async fn panic_fails_only_its_call() {
    let bridge = Bridge::start([
        tenant("acme", Scripted::new(|_, _| async { panic!("secret of the script") })),
        tenant("other", memory(Vec::new())),
    ])
    .await;
    for (call, data) in [("users.get_by_id", json!({"id": "u"})), ("users.delete", json!({"id": "u"}))] {
        let answer = bridge.call(call, data).await;
        assert_eq!(answer.verdict(), (500, "internal".into()));
        assert!(!answer.body.contains("secret"));
    }
    assert_eq!(bridge.send(&Request::new("GET", "/healthz")).await.status, 200);
}

#[tokio::test]
async fn wrong_method_returns_allowed_methods() {
    let bridge = Bridge::with_samples().await;
    for (method, path, allow) in [
        ("GET", "/v1/tenants/acme/webhook", "POST"),
        ("PUT", "/v1/tenants/unknown/webhook", "POST"),
        ("OPTIONS", "/v1/tenants/acme/users/u", "GET, DELETE"),
        ("HEAD", "/v1/tenants/acme/users/u", "GET, DELETE"),
        ("GET", "/v1/tenants/acme/users:lookup", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("TRACE", "/docs", "GET, HEAD"),
    ] {
        let mut connection = bridge.begin(&Request::new(method, path)).await;
        let answer = if method == "HEAD" { connection.answer_to_head().await } else { connection.answer().await };
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
    }
}

#[tokio::test]
async fn media_type_is_checked_before_signature() {
    let bridge = Bridge::with_samples().await;
    let post = || Request::new("POST", "/v1/tenants/acme/webhook");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let answer = bridge.send(&post().header("content-type", media_type)).await;
        assert_eq!(answer.verdict(), (415, "unsupported_media_type".into()), "{media_type}");
    }
    assert_eq!(bridge.send(&post()).await.status, 415);
    assert_eq!(bridge.send(&post().header("content-type", "application/json")).await.status, 401);
}
