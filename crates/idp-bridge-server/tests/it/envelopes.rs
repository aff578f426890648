//! The bodies of signed calls (section 1).

use serde_json::{Value, json};

use crate::bridge::{Bridge, envelope, next_id, signed, signed_bytes};

#[tokio::test]
async fn only_one_strict_json_object_is_taken() {
    let bridge = Bridge::with_samples().await;
    let nested = |levels: usize| {
        let deep = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"type":"ping","tenant":"acme","x":{deep}}}"#).into_bytes()
    };
    for (status, body) in [
        (200, br#" {"type":"ping","tenant":"acme","new":{"a":[1]}} "#.to_vec()),
        (200, nested(15)),
        (400, nested(16)),
        (400, b"".to_vec()),
        (400, b"{".to_vec()),
        (400, b"[]".to_vec()),
        (400, b"null".to_vec()),
        (400, br#"{"type":"ping","tenant":"acme"}{}"#.to_vec()),
        (400, br#"{"type":"ping","type":"ping","tenant":"acme"}"#.to_vec()),
        (400, br#"{"type":"ping","tenant":"acme","t\u0079pe":"ping"}"#.to_vec()),
        (400, b"{\"type\":\"ping\",\"tenant\":\"acme\",\"x\":\"\xff\"}".to_vec()),
        (400, b"\xef\xbb\xbf{\"type\":\"ping\",\"tenant\":\"acme\"}".to_vec()),
    ] {
        let answer = bridge.send(&signed_bytes(&next_id(), &body)).await;
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&body));
        if status == 400 {
            assert_eq!(answer.verdict().1, "invalid_request");
        }
    }
}

#[tokio::test]
async fn a_wrong_member_is_named_and_never_repeated() {
    let bridge = Bridge::with_samples().await;
    let secret = "ada@acme.example@twice";
    for (body, field) in [
        (json!({"tenant": "acme"}), "type"),
        (json!({"type": 7, "tenant": "acme"}), "type"),
        (json!({"type": "ping"}), "tenant"),
        (json!({"type": "ping", "tenant": "other"}), "tenant"),
        (json!({"type": "ping", "tenant": "ACME"}), "tenant"),
        (json!({"type": "users.delete", "tenant": "acme"}), "data"),
        (envelope("users.get_by_id", json!([])), "data"),
        (envelope("users.get_by_id", json!({"id": "u-1", "email": "a@b.c"})), "data"),
        (envelope("users.get_by_id", json!({})), "data.id"),
        (envelope("users.get_by_id", json!({"id": ""})), "data.id"),
        (envelope("users.get_by_id", json!({"id": ".."})), "data.id"),
        (envelope("users.get_by_id", json!({"id": "a\u{0}b"})), "data.id"),
        (envelope("users.get_by_id", json!({"id": "x".repeat(257)})), "data.id"),
        (envelope("users.get_by_id", json!({"id": 1})), "data.id"),
        (envelope("users.get_by_email", json!({"email": secret})), "data.email"),
        (envelope("users.get_by_email", json!({"email": format!("{}@b", "x".repeat(319))})), "data.email"),
        (envelope("users.get_by_customer", json!({"customer": "c\n"})), "data.customer"),
        (envelope("users.mark_email_verified", json!({"id": "u-1", "email": null})), "data.email"),
    ] {
        let answer = bridge.send(&signed(&body)).await;
        assert_eq!(answer.verdict(), (400, "invalid_request".into()), "{body}");
        assert_eq!(answer.json()["field"], field, "{body}");
        assert!(!answer.body.contains(secret));
    }
}

#[tokio::test]
async fn an_unknown_operation_has_its_own_code() {
    let bridge = Bridge::with_samples().await;
    for kind in ["users.create", "", "PING", "users.get_by_id "] {
        assert_eq!(bridge.call(kind, json!({})).await.verdict(), (400, "unknown_operation".into()), "{kind}");
    }
}

#[tokio::test]
async fn a_problem_has_exactly_the_documented_members() {
    let bridge = Bridge::with_samples().await;
    let answer = bridge.call("users.get_by_id", json!({"id": "unknown"})).await;
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        answer.json(),
        json!({
            "type": "about:blank", "title": "User not found", "status": 404, "code": "user_not_found",
            "retryable": false, "outcome": "not_applied", "request_id": id
        })
    );
}

#[tokio::test]
async fn request_ids_are_chosen_by_server() {
    let bridge = Bridge::with_samples().await;
    let request = || signed(&envelope("users.get_by_id", json!({"id": "unknown"}))).header("x-request-id", "mine");
    let (one, two) = (bridge.send(&request()).await, bridge.send(&request()).await);
    let ids = [one.header("x-request-id"), two.header("x-request-id")];
    assert!(ids.iter().all(|id| id.is_some_and(|id| id.len() == 32)) && ids[0] != ids[1], "{ids:?}");
    assert_eq!(one.json()["request_id"], Value::from(ids[0]));
}
