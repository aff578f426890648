//! The bodies of signed calls (section 1). The tests of `protocol/src/envelope.rs` have all rules.

use serde_json::{Value, json};

use crate::bridge::{Bridge, envelope, signed};

#[tokio::test]
async fn wrong_member_is_named_without_its_value() {
    let bridge = Bridge::with_samples().await;
    let secret = "ada@acme.example@twice";
    for (body, field) in [
        (json!({"type": 7, "tenant": "acme"}), "type"),
        (json!({"type": "ping", "tenant": "other"}), "tenant"),
        (envelope("users.get_by_id", json!([])), "data"),
        (envelope("users.get_by_id", json!({"id": ".."})), "data.id"),
        (envelope("users.get_by_email", json!({"email": secret})), "data.email"),
    ] {
        let answer = bridge.send(&signed(&body)).await;
        assert_eq!(answer.verdict(), (400, "invalid_request".into()), "{body}");
        assert_eq!(answer.json()["field"], field, "{body}");
        assert!(!answer.body.contains(secret));
    }
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
