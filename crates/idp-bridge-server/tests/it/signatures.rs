//! Signatures (section 1), which are checked before the body is parsed.

use idp_bridge_protocol::{KeyRing, SigningKey, signature};
use serde_json::json;

use crate::bridge::{
    Bridge, envelope, memory, next_id, platform_key, signed, signed_as, signed_bytes, tenant, verifying,
};
use crate::clock::BEGIN;
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
async fn each_webhook_header_is_there_exactly_once() {
    let bridge = Bridge::with_samples().await;
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let request = ping();
        let value = request.headers.iter().find(|(own, _)| own == name).unwrap().1.clone();
        assert!(refused(&bridge.send(&request.clone().without(name)).await), "no {name}");
        assert!(refused(&bridge.send(&request.header(name, value)).await), "{name} twice");
    }
}

#[tokio::test]
async fn ids_and_timestamps_have_one_form() {
    let mut acme = tenant("acme", memory(Vec::new()));
    acme.keys = KeyRing::new(vec![verifying(&SigningKey::from_shared([9; 32]))]).unwrap();
    let bridge = Bridge::start([acme]).await;
    let body = json!({"type": "ping", "tenant": "acme"}).to_string();
    let sign = |id: &str, timestamp: &str| {
        let message = [id, ".", timestamp, ".", &body].concat();
        // Signed here, since the signer accepts no malformed timestamps.
        let key = hmac(&message);
        signed_bytes(id, body.as_bytes()).with("webhook-timestamp", timestamp).with("webhook-signature", key)
    };
    let now = BEGIN.to_string();
    assert_eq!(bridge.send(&sign("msg_1-A", &now)).await.status, 200);
    for id in ["a.b", "a b", "ä", &"x".repeat(129)] {
        assert!(refused(&bridge.send(&sign(id, &now)).await), "{id}");
    }
    for timestamp in ["", "+1800000000", "01800000000", "1800000000.0", "-1", "9999999999999", "1e9", " "] {
        assert!(refused(&bridge.send(&sign("msg_1", timestamp)).await), "{timestamp:?}");
    }
}

/// Returns the signature of `message` with a shared key of 32 nines.
fn hmac(message: &str) -> String {
    use aws_lc_rs::hmac;
    use base64::Engine;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[9; 32]);
    let tag = hmac::sign(&key, message.as_bytes());
    format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(tag))
}

#[tokio::test]
async fn one_of_eight_signatures_must_match() {
    let bridge = Bridge::with_samples().await;
    let with = |make: &dyn Fn(&str) -> String| {
        let request = ping();
        let signature = make(&signature_of(&request));
        request.with("webhook-signature", signature)
    };
    for (good, make) in [
        (true, &(|own: &str| format!("{}{own}", "v9,AAAA ".repeat(7))) as &dyn Fn(&str) -> String),
        (false, &|own: &str| format!("{}{own}", "v9,AAAA ".repeat(8))),
        (false, &|own: &str| format!("{own}{}", " v9,AAAA".repeat(8))),
        (true, &|own: &str| format!("v1,bm90IG91cnM=, {own},")),
        (true, &|own: &str| format!("  {own}  ")),
        (false, &|own: &str| own.replace("v1a,", "v1,")),
        (false, &|own: &str| own.replace("v1a,", "v1a,AAAA")),
        (false, &|own: &str| own.replace("v1a,", "")),
        (false, &|_: &str| "v1a,".into()),
        (false, &|_: &str| "garbage".into()),
    ] {
        let request = with(make);
        let status = bridge.send(&request).await.status;
        assert_eq!(status, if good { 200 } else { 401 }, "{}", signature_of(&request));
    }
}

#[tokio::test]
async fn encoded_body_is_refused() {
    let bridge = Bridge::with_samples().await;
    for encoding in ["gzip", "identity"] {
        assert!(refused(&bridge.send(&ping().header("content-encoding", encoding)).await), "{encoding}");
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

#[tokio::test]
async fn timestamp_may_differ_by_300_seconds() {
    let bridge = Bridge::with_samples().await;
    for (now, status) in [(BEGIN - 301, 401), (BEGIN - 300, 200), (BEGIN + 300, 200), (BEGIN + 301, 401)] {
        bridge.clock.set(now);
        let answer = bridge.send(&ping()).await;
        assert_eq!(answer.status, status, "{now}");
        if status == 401 {
            assert_eq!(answer.verdict().1, "timestamp_out_of_range");
        }
    }
    // The signature is checked before the time.
    assert!(refused(&bridge.send(&ping().with("webhook-signature", "v1a,AAAA")).await));
}

#[tokio::test]
async fn extreme_timestamp_is_refused() {
    let bridge = Bridge::with_samples().await;
    let body = json!({"type": "ping", "tenant": "acme"}).to_string();
    for timestamp in [0, 999_999_999_999] {
        let id = next_id();
        let request = signed_bytes(&id, body.as_bytes())
            .with("webhook-timestamp", timestamp.to_string())
            .with("webhook-signature", signature::sign(&[platform_key()], &id, timestamp, body.as_bytes()));
        assert_eq!(bridge.send(&request).await.verdict(), (401, "timestamp_out_of_range".into()));
    }
}

#[tokio::test]
async fn each_of_up_to_four_keys_is_accepted() {
    let keys: Vec<_> = (1..=4).map(|seed| SigningKey::from_seed([seed; 32]).unwrap()).collect();
    let mut acme = tenant("acme", memory(Vec::new()));
    acme.keys = KeyRing::new(keys.iter().map(verifying).collect()).unwrap();
    let bridge = Bridge::start([acme]).await;
    let body = json!({"type": "ping", "tenant": "acme"});
    for key in &keys {
        let token = signature::sign(std::slice::from_ref(key), "msg_1", BEGIN, body.to_string().as_bytes());
        assert_eq!(bridge.send(&signed_as("msg_1", &body).with("webhook-signature", token)).await.status, 200);
    }
    assert!(refused(&bridge.send(&signed_as("msg_1", &body)).await), "the platform's key is not among them");
}

#[tokio::test]
async fn call_for_another_tenant_is_refused() {
    let bridge = Bridge::start([tenant("acme", memory(Vec::new())), tenant("other", memory(Vec::new()))]).await;
    let request = Request {
        target: "/v1/tenants/other/webhook".into(),
        ..signed(&envelope("users.get_by_id", json!({"id": "u-1"})))
    };
    let answer = bridge.send(&request).await;
    assert_eq!(answer.verdict(), (400, "invalid_request".into()));
    assert_eq!(answer.json()["field"], "tenant");
}
