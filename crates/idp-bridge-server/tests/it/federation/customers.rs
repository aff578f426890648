//! The customer of a token: from the claim or the user.

use idp_bridge_core::{Customer, ErrorKind};
use idp_bridge_server::{CustomerFrom, CustomerMissing, FederationRules};
use serde_json::{Value, json};

use super::idp::{Idp, customer};
use super::{acme, bridge, refused, rules, userinfo, verdict};
use crate::bridge::Bridge;
use crate::http::Answer;
use crate::scripted::record;

fn by(customer: CustomerFrom) -> FederationRules {
    FederationRules { customer, ..rules() }
}

/// Requests userinfo with these customers in claim and user.
async fn ask(rule: CustomerFrom, claim: &Customer, user: &Customer) -> (Answer, Vec<&'static str>) {
    let idp = Idp::new();
    idp.user("ada", user.clone()).token("a.d.a", |token| token.customer = claim.clone());
    let answer = bridge(&idp, by(rule)).await.send(&userinfo("a.d.a")).await;
    (answer, idp.calls())
}

#[tokio::test]
async fn customer_rule_selects_the_source() {
    use CustomerFrom::*;
    let (one, two, none, several) = (customer("c-1"), customer("c-2"), Customer::Absent, Customer::Several);
    let c_1 = || Some(json!("c-1"));
    let c_2 = || Some(json!("c-2"));
    for (rule, claim, user, expected, requests) in [
        (Claim, &one, &two, c_1(), 1),
        (Claim, &none, &two, c_2(), 2),
        (Claim, &several, &two, None, 1),
        (Claim, &none, &several, None, 2),
        (ClaimCompared, &one, &two, c_1(), 2),
        (ClaimCompared, &one, &none, c_1(), 2),
        (ClaimCompared, &none, &two, c_2(), 2),
        (User, &one, &two, c_2(), 2),
        (User, &none, &two, c_2(), 2),
        (User, &one, &several, None, 2),
        (User, &several, &two, c_2(), 2),
    ] {
        let (answer, asked) = ask(rule, claim, user).await;
        let what = format!("{rule:?} {claim:?} {user:?}");
        assert_eq!((answer.status, answer.json().get("customer").cloned()), (200, expected), "{what}");
        assert_eq!(asked.len(), requests, "{what}: {asked:?}");
    }
}

#[tokio::test]
async fn a_user_without_a_usable_customer_is_incomplete() {
    use CustomerFrom::*;
    let (one, none, bad) = (customer("c-1"), Customer::Absent, Customer::Unusable);
    for (rule, claim, user) in [
        (Claim, &none, &none),
        (Claim, &bad, &one),
        (ClaimCompared, &bad, &one),
        (User, &one, &none),
        (User, &one, &bad),
    ] {
        let (answer, _) = ask(rule, claim, user).await;
        assert_eq!(verdict(&answer), (409, "user_incomplete".into()), "{rule:?} {claim:?} {user:?}");
        assert_eq!(answer.json()["field"], "customer");
    }
}

#[tokio::test]
async fn use_id_returns_the_user_id() {
    let idp = Idp::new();
    idp.user("ada", Customer::Absent).token("a.d.a", |token| token.customer = Customer::Absent);
    let mut tenant = acme(idp.clone(), rules());
    tenant.customer_missing = CustomerMissing::UseId;
    let bridge = Bridge::start([tenant]).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.json()["customer"], "ada");
    idp.changed("ada", |user| user.customer = Customer::Several);
    let several = bridge.send(&userinfo("a.d.a")).await;
    assert_eq!((several.status, several.json().get("customer")), (200, None));
    idp.changed("ada", |user| user.customer = Customer::Unusable);
    assert_eq!(verdict(&bridge.send(&userinfo("a.d.a")).await), (409, "user_incomplete".into()));
}

#[tokio::test]
async fn included_user_is_not_read_again() {
    let idp = Idp::new();
    idp.token("a.d.a", |token| {
        token.customer = Customer::Absent;
        token.email = None;
        token.email_verified = None;
        let mut own = record("ada", "c-7", "ada@own.example");
        own.email_verified = Some(false);
        token.record = Some(own);
    });
    let bridge = bridge(&idp, rules()).await;
    let answer = bridge.send(&userinfo("a.d.a")).await.json();
    let expected: Value = json!({
        "sub": "ada", "email": "ada@own.example", "email_verified": false, "customer": "c-7", "tenant": "acme"
    });
    assert_eq!((answer, idp.calls()), (expected, vec!["validate"]));
}

#[tokio::test]
async fn email_and_verification_share_a_source() {
    let idp = Idp::new();
    idp.user("ada", customer("c-1")).token("a.d.a", |token| {
        token.customer = Customer::Absent;
        token.email_verified = None;
    });
    let bridge = bridge(&idp, rules()).await;
    idp.changed("ada", |user| user.email_verified = Some(true));
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.json()["email_verified"], true);
    idp.changed("ada", |user| user.email = "eve@acme.example".parse().ok());
    let answer = bridge.send(&userinfo("a.d.a")).await.json();
    assert_eq!((&answer["email"], answer.get("email_verified")), (&json!("ada@acme.example"), None));
}

#[tokio::test]
async fn tokens_of_missing_users_are_invalid() {
    let idp = Idp::new();
    idp.token("a.d.a", |token| token.customer = Customer::Absent);
    let bridge = bridge(&idp, rules()).await;
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await), "gone");
    idp.user("ada", customer("c-1"));
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    idp.changed("ada", |user| user.blocked = Some(true));
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await), "blocked");
}

#[tokio::test]
async fn record_of_another_user_is_an_error() {
    let idp = Idp::new();
    idp.user("ada", customer("c-1")).token("a.d.a", |token| token.customer = Customer::Absent);
    idp.changed("ada", |user| user.id = "eve".parse().unwrap());
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(verdict(&bridge.send(&userinfo("a.d.a")).await), (502, "upstream_invalid_response".into()));
}

#[tokio::test]
async fn failed_user_read_is_an_outage() {
    let idp = Idp::new();
    idp.user("ada", customer("c-1")).token("a.d.a", |token| token.customer = Customer::Absent);
    idp.fail("get", Some(ErrorKind::Unavailable));
    let bridge = bridge(&idp, rules()).await;
    assert_eq!(verdict(&bridge.send(&userinfo("a.d.a")).await), (503, "upstream_unavailable".into()));
}

#[tokio::test]
async fn claim_is_used_without_get_by_id() {
    use CustomerFrom::*;
    for (rule, status) in [(Claim, 200), (ClaimCompared, 200), (User, 409)] {
        let idp = Idp::new().without_get();
        idp.ada("a.d.a").token("c.l.aimless", |token| token.customer = Customer::Absent);
        let bridge = bridge(&idp, by(rule)).await;
        assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, status, "{rule:?}");
        assert_eq!(verdict(&bridge.send(&userinfo("c.l.aimless")).await), (409, "user_incomplete".into()), "{rule:?}");
        assert_eq!(idp.calls(), ["validate", "validate"]);
    }
}
