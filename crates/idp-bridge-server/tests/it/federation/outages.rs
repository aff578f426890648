//! Outages of the identity provider and of the revocation list.

use std::time::Duration;

use idp_bridge_core::ErrorKind;
use serde_json::{Value, json};

use super::idp::Idp;
use super::store::{Mood, Store};
use super::{acme, bridge, form, listing, logout, path, refused, rules, userinfo, verdict};
use crate::bridge::{Bridge, limits, store_with};
use crate::http::Request;
use crate::lines::Log;

#[tokio::test]
async fn failed_logout_keeps_token_revoked() {
    use ErrorKind::*;
    for (kind, status, code) in [
        (Unavailable, 503, "upstream_unavailable"),
        (RateLimited, 503, "upstream_rate_limited"),
        (Timeout, 504, "deadline_exceeded"),
        (PermissionDenied, 502, "upstream_unauthorized"),
        (Misconfigured, 502, "misconfigured"),
        (InvalidResponse, 502, "upstream_invalid_response"),
        (Unsupported, 501, "not_supported"),
        (InvalidInput, 400, "invalid_request"),
    ] {
        let idp = Idp::new();
        idp.ada("a.d.a").fail("log_out", Some(kind));
        let bridge = bridge(&idp, rules()).await;
        let answer = bridge.send(&logout("a.d.a")).await;
        assert_eq!(verdict(&answer), (status, code.into()), "{kind:?}");
        assert_eq!(answer.json()["outcome"], "unknown", "the token is listed, in each case");
        assert!(refused(&bridge.send(&userinfo("a.d.a")).await), "{kind:?}");
        idp.fail("log_out", None);
        assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204, "the caller comes again");
    }
}

#[tokio::test]
async fn outage_before_identification_changes_nothing() {
    let idp = Idp::new();
    idp.ada("opaque").fail("identify", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    for request in [logout("opaque"), form(logout("opaque"), "refresh_token=r")] {
        let answer = bridge.send(&request).await;
        assert_eq!(verdict(&answer), (503, "upstream_unavailable".into()));
        assert_eq!(answer.json()["outcome"], "not_applied");
    }
    assert_eq!(idp.calls(), ["identify", "identify"]);
    assert_eq!(bridge.send(&userinfo("opaque")).await.status, 200);
}

#[tokio::test]
async fn hanging_logout_keeps_token_revoked() {
    let hang = |asked| async move {
        if asked == "log_out" {
            std::future::pending::<()>().await;
        }
    };
    let idp = Idp::new().run_before(hang);
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let answer = bridge.send(&logout("a.d.a").header("x-request-timeout-ms", "100")).await;
    assert_eq!(verdict(&answer), (504, "deadline_exceeded".into()));
    assert_eq!(answer.json()["outcome"], "unknown");
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
}

#[tokio::test]
async fn list_outage_refuses_all_requests() {
    let (idp, store) = (Idp::new(), Store::new());
    idp.ada("a.d.a");
    idp.notice("l.o.t", idp_bridge_core::Ended::User("ada".parse().unwrap()), super::idp::at(0));
    let bridge = listing(&idp, store.clone()).await;
    store.becomes(Mood::Away);
    let notice = form(Request::new("POST", path("backchannel-logout")), "logout_token=l.o.t");
    for request in [userinfo("a.d.a"), logout("a.d.a"), notice] {
        let answer = bridge.send(&request).await;
        assert_eq!(verdict(&answer), (503, "overloaded".into()), "{request:?}");
        assert!(answer.header("retry-after").is_some());
    }
    assert!(!idp.calls().contains(&"log_out"));
    store.becomes(Mood::Fine);
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
}

#[tokio::test]
async fn read_only_list_fails_the_logout() {
    let (idp, store) = (Idp::new(), Store::new());
    idp.ada("a.d.a");
    let bridge = listing(&idp, store.clone()).await;
    store.becomes(Mood::ReadOnly);
    let answer = bridge.send(&logout("a.d.a")).await;
    assert_eq!(verdict(&answer), (503, "overloaded".into()));
    assert_eq!(answer.json()["outcome"], "unknown");
    assert_eq!(idp.calls(), ["identify"]);
}

#[tokio::test]
async fn operations_of_the_store_have_their_own_outages() {
    let log = Log::default();
    let _guard = log.begin();
    let (idp, store) = (Idp::new(), Store::new());
    idp.ada("a.d.a");
    let bridge = listing(&idp, store.clone()).await;
    store.becomes(Mood::ReadOnly);
    for _ in 0..2 {
        assert_eq!(bridge.send(&logout("a.d.a")).await.status, 503);
        assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    }
    store.becomes(Mood::Fine);
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("the store is"));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| (&line["message"], &line["operation"])).collect();
    let (begin, end) = (json!("the store is unavailable"), json!("the store is available again"));
    assert_eq!(events, [(&begin, &json!("revoke")), (&end, &json!("revoke"))]);
}

#[tokio::test]
async fn cache_is_unused_during_list_outage() {
    let (idp, store) = (Idp::with(|federation| federation.cache_seconds = 60), Store::new());
    idp.ada("a.d.a");
    let bridge = listing(&idp, store.clone()).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    store.becomes(Mood::Away);
    assert_eq!(verdict(&bridge.send(&userinfo("a.d.a")).await), (503, "overloaded".into()));
}

#[tokio::test]
async fn hanging_list_refuses_before_the_deadline() {
    let (idp, store) = (Idp::new(), Store::new());
    idp.ada("a.d.a");
    let mut tenant = acme(idp, rules());
    tenant.deadline = Duration::from_millis(150);
    let list = std::sync::Arc::new(store.clone());
    let bridge = Bridge::with_server([tenant], limits(), |server| server.with_store(store_with(list))).await;
    store.becomes(Mood::Hanging);
    for request in [userinfo("a.d.a"), logout("a.d.a")] {
        assert_eq!(verdict(&bridge.send(&request).await), (503, "overloaded".into()), "{request:?}");
    }
}
