//! The cache of validated tokens, and the limit on others.

use std::time::Duration;

use idp_bridge_core::{Customer, ErrorKind};
use idp_bridge_server::FederationRules;

use super::idp::{Idp, at, customer};
use super::{bridge, logout, refused, rules, userinfo, verdict};
use crate::clock::BEGIN;

fn cached(seconds: u64) -> FederationRules {
    FederationRules { cache: Some(Duration::from_secs(seconds)), ..rules() }
}

#[tokio::test]
async fn cached_response_costs_no_request() {
    let idp = Idp::new();
    idp.user("ada", customer("c-1")).token("a.d.a", |user| user.customer = Customer::Absent);
    let bridge = bridge(&idp, cached(30)).await;
    let first = bridge.send(&userinfo("a.d.a")).await;
    assert_eq!((first.status, idp.calls().len()), (200, 2));
    bridge.clock.set(BEGIN + 29);
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.body, first.body);
    assert!(idp.calls().is_empty());
    bridge.clock.set(BEGIN + 30);
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    assert_eq!(idp.calls().len(), 2);
}

#[tokio::test]
async fn cache_time_is_configurable_and_bounded() {
    for (own, rule, kept) in
        [(30, None, 30), (30, Some(0), 0), (0, Some(10), 10), (0, None, 0), (500, None, 60), (0, Some(500), 60)]
    {
        let idp = Idp::with(|federation| federation.cache_seconds = own);
        idp.ada("a.d.a");
        let rules = rule.map_or_else(rules, cached);
        let bridge = bridge(&idp, rules).await;
        bridge.send(&userinfo("a.d.a")).await;
        bridge.clock.set(BEGIN + kept - 1);
        bridge.send(&userinfo("a.d.a")).await;
        assert_eq!(idp.calls().len(), if kept == 0 { 2 } else { 1 }, "{own} {rule:?}");
        bridge.clock.set(BEGIN + kept);
        bridge.send(&userinfo("a.d.a")).await;
        assert_eq!(idp.calls().len(), 1, "{own} {rule:?}");
    }
}

#[tokio::test]
async fn cached_response_expires_with_its_token() {
    let idp = Idp::new();
    idp.token("a.d.a", |user| user.identity.expires_at = Some(at(5)));
    let bridge = bridge(&idp, cached(60)).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    bridge.clock.set(BEGIN + 5);
    idp.end("a.d.a");
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
}

#[tokio::test]
async fn refusal_is_not_cached() {
    let idp = Idp::new();
    let bridge = bridge(&idp, cached(60)).await;
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
    idp.ada("a.d.a").fail("validate", Some(ErrorKind::Unavailable));
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 503);
    idp.fail("validate", None);
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
}

#[tokio::test]
async fn cached_response_is_checked_against_list() {
    let idp = Idp::new();
    idp.ada("a.d.a").ada("a.b.s").token("a.c.s", |user| user.identity.session = "t".parse().ok());
    let bridge = bridge(&idp, cached(60)).await;
    for token in ["a.d.a", "a.b.s", "a.c.s"] {
        assert_eq!(bridge.send(&userinfo(token)).await.status, 200);
    }
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    idp.calls();
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await), "by itself");
    assert!(refused(&bridge.send(&userinfo("a.b.s")).await), "by its session");
    assert_eq!(bridge.send(&userinfo("a.c.s")).await.status, 200, "of another session");
    assert!(idp.calls().is_empty());
}

#[tokio::test]
async fn unvalidated_tokens_are_limited() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    let bridge = bridge(&idp, FederationRules { anonymous_per_second: 3, ..rules() }).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    let mut statuses = Vec::new();
    for number in 0..40 {
        let (one, two) = (userinfo(&format!("unknown-{number}")), logout(&format!("unknown-{number}")));
        let answer = bridge.send(if number % 2 == 0 { &one } else { &two }).await;
        if answer.status == 429 {
            assert_eq!(verdict(&answer).1, "rate_limited");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        statuses.push(answer.status);
    }
    let reached = statuses.iter().filter(|status| **status == 401).count();
    assert!((1..20).contains(&reached), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 40 - reached);
    assert_eq!(idp.calls().len(), 1 + reached);
    // A recently validated token does not count against the limit.
    for _ in 0..20 {
        assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    }
    idp.end("a.d.a");
    let after = [bridge.send(&userinfo("a.d.a")).await.status, bridge.send(&userinfo("a.d.a")).await.status];
    assert_eq!(after[0], 401);
    assert_eq!(after[1], 401, "it must prove itself like any other now");
}

#[tokio::test]
async fn flood_does_not_block_signed_tokens() {
    let idp = Idp::new();
    idp.ada("a.d.a");
    idp.ada("a.b.s");
    let bridge = bridge(&idp, FederationRules { anonymous_per_second: 1, ..rules() }).await;
    for number in 0..20 {
        bridge.send(&userinfo(&format!("unknown-{number}"))).await;
    }
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    assert_eq!(bridge.send(&logout("a.b.s")).await.status, 204);
    assert_eq!(bridge.send(&userinfo("for.g.ed")).await.status, 401);
}
