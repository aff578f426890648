//! Deadlines (section 5).

use std::time::{Duration, Instant};

use idp_bridge_server::FederationRules;
use serde_json::{Value, json};

use crate::bridge::{Bridge, envelope, signed, tenant};
use crate::http::{Answer, Connection, Request};
use crate::scripted::{ProviderCall, Scripted};

/// A provider that never returns, after its writes have begun.
fn hanging() -> Scripted {
    Scripted::new(|asked, scope| async move {
        if matches!(asked, ProviderCall::Delete) {
            scope.recorder().begin_write();
        }
        std::future::pending().await
    })
}

async fn timed(bridge: &Bridge, kind: &str, data: Value, timeout: &str) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = bridge.send(&signed(&envelope(kind, data)).header("x-request-timeout-ms", timeout)).await;
    (answer, begun.elapsed())
}

#[tokio::test]
async fn hanging_provider_stops_at_callers_deadline() {
    let bridge = Bridge::with_provider(hanging()).await;
    for (kind, data, outcome) in [
        ("users.get_by_id", json!({"id": "u"}), "not_applied"),
        ("users.delete", json!({"id": "u"}), "unknown"),
        ("users.send_verification_email", json!({"id": "u"}), "not_applied"),
    ] {
        let (answer, took) = timed(&bridge, kind, data, "120").await;
        assert_eq!(answer.verdict(), (504, "deadline_exceeded".into()), "{kind}");
        assert_eq!(answer.json()["outcome"], outcome, "{kind}");
        assert!(took >= Duration::from_millis(120) && took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn callers_cannot_extend_the_deadline() {
    let mut acme = tenant("acme", hanging());
    acme.deadline = Duration::from_millis(150);
    let bridge = Bridge::start([acme]).await;
    let (answer, took) = timed(&bridge, "users.get_by_id", json!({"id": "u"}), "60000").await;
    assert_eq!(answer.status, 504);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn deadline_bounds_the_body_on_every_surface() {
    let mut hasty = tenant("acme", hanging());
    hasty.deadline = Duration::from_millis(300);
    hasty.federation = Some(FederationRules::default());
    let bridge = Bridge::start([hasty]).await;
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    for (path, media_type) in
        [("webhook", json), ("users:lookup", json), ("userinfo", form), ("logout", form), ("backchannel-logout", form)]
    {
        for (tenant, timeout, least) in [("acme", "60000", 300), ("acme", "100", 100), ("unknown", "60000", 300)] {
            let target = format!("/v1/tenants/{tenant}/{path}");
            let request = Request::new("POST", target).header("content-type", media_type);
            let head = request.header("x-request-timeout-ms", timeout).head();
            let mut connection = Connection::open(bridge.address).await;
            let begun = Instant::now();
            connection.write(format!("{head}content-length: 100\r\n\r\nx")).await;
            let answer = connection.answer().await.unwrap();
            assert_eq!(answer.verdict(), (408, "request_timeout".into()), "{path} {tenant} {timeout}");
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(least) && took < Duration::from_secs(2), "{path} {tenant} {took:?}");
        }
    }
}

#[tokio::test]
async fn invalid_timeout_is_refused_after_signature() {
    let bridge = Bridge::with_samples().await;
    for bad in ["", "0", "-1", "1.5", "4s"] {
        let request = signed(&envelope("users.get_by_id", json!({"id": "u-1"}))).header("x-request-timeout-ms", bad);
        let answer = bridge.send(&request).await;
        assert_eq!(answer.verdict(), (400, "invalid_request".into()), "{bad:?}");
        assert_eq!(answer.json()["field"], "x-request-timeout-ms");
        assert_eq!(bridge.send(&request.with("webhook-signature", "v1a,AAAA")).await.status, 401);
    }
}
