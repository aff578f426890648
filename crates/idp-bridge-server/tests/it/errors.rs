//! Errors (section 3) over HTTP. The whole table is tested in `error.rs`.

use std::time::Duration;

use idp_bridge_core::{Error, ErrorKind};
use serde_json::json;

use crate::bridge::{Bridge, memory, tenant};
use crate::http::Request;
use crate::scripted::{Scripted, upstream};

#[tokio::test]
async fn error_kinds_have_status_and_code() {
    use ErrorKind::*;
    for (kind, status, code) in [
        (NotFound, 404, "user_not_found"),
        (Ambiguous, 409, "ambiguous_user"),
        (Conflict, 409, "user_conflict"),
        (InvalidInput, 400, "invalid_request"),
        (Unsupported, 501, "not_supported"),
        (Incomplete, 409, "user_incomplete"),
        (State, 409, "user_state"),
        (Unauthenticated, 502, "upstream_unauthorized"),
        (PermissionDenied, 502, "upstream_unauthorized"),
        (RateLimited, 503, "upstream_rate_limited"),
        (Unavailable, 503, "upstream_unavailable"),
        (Timeout, 504, "deadline_exceeded"),
        (InvalidResponse, 502, "upstream_invalid_response"),
        (Misconfigured, 502, "misconfigured"),
        (Unexpected, 500, "internal"),
    ] {
        let bridge = Bridge::with_provider(Scripted::failing(kind)).await;
        for (call, data) in [("users.get_by_id", json!({"id": "u"})), ("users.delete", json!({"id": "u"}))] {
            let answer = bridge.call(call, data).await;
            assert_eq!(answer.verdict(), (status, code.into()), "{kind:?}");
            assert_eq!(answer.header("retry-after").is_some(), status == 503, "{kind:?}");
            let problem = answer.json();
            assert_eq!(problem["outcome"], "not_applied", "{kind:?}");
            assert_eq!(problem["retryable"], [500, 503, 504].contains(&status), "{kind:?}");
            assert!(!answer.body.contains("as the script says") || kind == Unsupported, "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn upstream_retry_after_is_bounded() {
    for (requested, expected) in [(0, "1"), (17, "17"), (100_000, "300")] {
        let limited = move || upstream(ErrorKind::RateLimited).with_retry_after(Some(Duration::from_secs(requested)));
        let bridge = Bridge::with_provider(Scripted::at_once(move |_| Err(limited()))).await;
        let answer = bridge.call("users.get_by_id", json!({"id": "u"})).await;
        assert_eq!(answer.header("retry-after"), Some(expected));
    }
}

#[tokio::test]
async fn own_limits_have_separate_codes() {
    for (kind, verdict) in
        [(ErrorKind::RateLimited, (429, "rate_limited")), (ErrorKind::Unavailable, (503, "overloaded"))]
    {
        let bridge = Bridge::with_provider(Scripted::at_once(move |_| Err(Error::ours(kind, "full")))).await;
        let answer = bridge.call("users.get_by_id", json!({"id": "u"})).await;
        assert_eq!(answer.verdict(), (verdict.0, verdict.1.into()));
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn started_write_fails_with_unknown_outcome() {
    let provider = Scripted::new(|_, scope| async move {
        scope.recorder().write_begins();
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
async fn unknown_paths_and_methods_are_problems() {
    let bridge = Bridge::with_samples().await;
    for path in ["/", "/v1/tenants/acme", "/v1/tenants//webhook", "/v1/tenants/..%2facme/webhook", "/metrics"] {
        let answer = bridge.send(&Request::new("GET", path)).await;
        assert_eq!(answer.verdict(), (404, "route_not_found".into()), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/tenants/acme/webhook", "POST"),
        ("PUT", "/v1/tenants/unknown/webhook", "POST"),
        ("OPTIONS", "/v1/tenants/acme/users/u", "GET, DELETE"),
        ("HEAD", "/v1/tenants/acme/users/u", "GET, DELETE"),
        ("GET", "/v1/tenants/acme/users:lookup", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("TRACE", "/docs", "GET, HEAD"),
    ] {
        let mut connection = crate::http::Connection::open(bridge.address).await;
        connection.write(Request::new(method, path).to_bytes()).await;
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
