//! Rate limits for tokens, users and unvalidated tokens.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{Customer, ErrorKind};
use idp_bridge_server::FederationRules;
use idp_bridge_server::store::FileStore;

use super::idp::{Idp, customer};
use super::races::gated;
use super::{bridge, form, listing, logout, refused, rules, userinfo, verdict};
use crate::bridge::Bridge;
use crate::clock::TestClock;
use crate::http::{Connection, Request, within};

/// Sends a request several times, and returns the statuses.
async fn repeat(bridge: &Bridge, request: &Request, times: usize) -> Vec<u16> {
    let mut connection = Connection::open(bridge.address).await;
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(connection.send(request).await.status);
    }
    statuses
}

#[tokio::test]
async fn completed_logout_is_answered_from_the_list() {
    let idp = Idp::new();
    idp.ada("a.d.a").ada("opaque");
    let folder = tempfile::tempdir().unwrap();
    let open = || FileStore::open(folder.path(), Arc::new(TestClock::default())).unwrap();
    let mut before = listing(&idp, open()).await;
    for token in ["a.d.a", "opaque"] {
        assert_eq!(before.send(&logout(token)).await.status, 204);
        assert_eq!(idp.calls(), ["identify", "log_out"]);
        assert!(repeat(&before, &logout(token), 200).await.iter().all(|status| *status == 204));
        assert!(idp.calls().is_empty(), "a repetition costs no request");
    }
    before.stop();
    before.ended().await;
    let after = listing(&idp, open()).await;
    assert_eq!((after.send(&logout("a.d.a")).await.status, idp.calls().len()), (204, 0));
    let more = form(logout("a.d.a"), "refresh_token=r");
    assert_eq!((after.send(&more).await.status, idp.calls()), (204, vec!["identify", "log_out"]), "shows more");
    assert!(refused(&after.send(&userinfo("a.d.a")).await));
}

#[tokio::test]
async fn failing_logout_is_limited_per_token() {
    let idp = Idp::new();
    idp.ada("a.d.a").fail("log_out", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    let statuses = repeat(&bridge, &logout("a.d.a"), 50).await;
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 45);
    assert_eq!(idp.calls().len(), 10);
    let limited = bridge.send(&logout("a.d.a")).await;
    assert_eq!(verdict(&limited), (429, "rate_limited".into()));
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() > 1);
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await), "it stays listed");
}

#[tokio::test]
async fn good_token_is_limited() {
    let idp = Idp::new();
    idp.ada("a.d.a").token("e.v.e", |user| user.identity.subject = "eve".parse().unwrap());
    let bridge = bridge(&idp, rules()).await;
    let statuses = repeat(&bridge, &userinfo("a.d.a"), 200).await;
    let reached = statuses.iter().filter(|status| **status == 200).count();
    assert!((30..100).contains(&reached), "{reached}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 200 - reached);
    assert_eq!(idp.calls().len(), reached);
    assert_eq!(bridge.send(&userinfo("e.v.e")).await.status, 200, "another user");
}

#[tokio::test]
async fn many_tokens_of_one_user_are_limited() {
    let idp = Idp::new();
    let bridge = bridge(&idp, rules()).await;
    let mut reached = 0;
    for number in 0..20 {
        let token = format!("a.d.{number}");
        idp.ada(&token);
        reached += repeat(&bridge, &userinfo(&token), 25).await.iter().filter(|status| **status == 200).count();
    }
    assert!((60..250).contains(&reached), "{reached} of 500");
}

#[tokio::test]
async fn equal_tokens_share_a_validation() {
    let (idp, begun, gate) = gated("validate");
    idp.ada("a.d.a");
    // Later callers get the cached response.
    let cache = Some(Duration::from_secs(60));
    let bridge = bridge(&idp, FederationRules { cache, ..rules() }).await;
    let mut callers = Vec::new();
    for _ in 0..20 {
        callers.push(bridge.begin(&userinfo("a.d.a")).await);
    }
    within(begun.acquire()).await.unwrap().forget();
    gate.add_permits(1);
    for mut caller in callers {
        assert_eq!(caller.answer().await.unwrap().status, 200);
    }
    assert_eq!(idp.calls(), ["validate"]);
}

#[tokio::test]
async fn equal_logouts_run_once() {
    let (idp, begun, gate) = gated("log_out");
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let mut callers = Vec::new();
    for _ in 0..20 {
        callers.push(bridge.begin(&logout("a.d.a")).await);
    }
    within(begun.acquire()).await.unwrap().forget();
    gate.add_permits(1);
    for mut caller in callers {
        assert_eq!(caller.answer().await.unwrap().status, 204);
    }
    assert_eq!(idp.calls(), ["identify", "log_out"]);
}

#[tokio::test]
async fn shared_validation_does_not_outlive_a_logout() {
    // The logout arrives while the user of the validated token is being read.
    let (idp, begun, gate) = gated("get");
    idp.user("ada", customer("c-1")).token("a.d.a", |user| user.customer = Customer::Absent);
    let bridge = bridge(&idp, rules()).await;
    let (mut one, mut two) = (Connection::open(bridge.address).await, Connection::open(bridge.address).await);
    one.write(userinfo("a.d.a").to_bytes()).await;
    within(begun.acquire()).await.unwrap().forget();
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    two.write(userinfo("a.d.a").to_bytes()).await;
    gate.add_permits(2);
    assert!(refused(&one.answer().await.unwrap()) && refused(&two.answer().await.unwrap()));
}

#[tokio::test]
async fn short_deadline_of_one_caller_ends_no_other() {
    for call in ["validate", "log_out"] {
        let (idp, begun, gate) = gated(call);
        idp.ada("a.d.a");
        let bridge = bridge(&idp, rules()).await;
        let request = if call == "validate" { userinfo("a.d.a") } else { logout("a.d.a") };
        let mut hasty = bridge.begin(&request.clone().header("x-request-timeout-ms", "100")).await;
        within(begun.acquire()).await.unwrap().forget();
        let mut patient = bridge.begin(&request).await;
        assert_eq!(verdict(&hasty.answer().await.unwrap()), (504, "deadline_exceeded".into()), "{call}");
        gate.add_permits(1);
        let status = patient.answer().await.unwrap().status;
        assert_eq!(status, if call == "validate" { 200 } else { 204 });
        assert_eq!(idp.calls().iter().filter(|asked| **asked == call).count(), 1, "{call}");
    }
}

#[tokio::test]
async fn ended_token_is_limited_again() {
    let idp = Idp::new();
    idp.ada("opaque");
    let bridge = bridge(&idp, FederationRules { anonymous_per_second: 1, ..rules() }).await;
    until_capped(&bridge, &userinfo("opaque")).await;
    assert_eq!(bridge.send(&userinfo("opaque")).await.status, 200, "it was good a moment ago");
    idp.end("opaque");
    assert_eq!(bridge.send(&userinfo("opaque")).await.status, 401);
    let statuses = repeat(&bridge, &userinfo("opaque"), 10).await;
    assert!(statuses.iter().filter(|status| **status == 429).count() >= 8, "{statuses:?}");
}

/// Validates this token, and exhausts the limit.
async fn until_capped(bridge: &Bridge, good: &Request) {
    let good = async {
        while bridge.send(good).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    within(good).await;
    let capped = repeat(bridge, &userinfo("unknown"), 10).await;
    assert!(capped.contains(&429), "{capped:?}");
}
