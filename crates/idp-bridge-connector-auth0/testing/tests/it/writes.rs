//! Requests of writes, and users with an address that cannot be verified.

use idp_bridge_conformance::Harness as _;
use idp_bridge_conformance::fixture::{email, scope};
use idp_bridge_core::{Deleted, ErrorKind, IdentityProvider as _, UserId, UserKey, UserRecord};
use serde_json::json;

use crate::bench::{Bench, PASSWORD, assert_not_applied, read_of};

#[tokio::test]
async fn mark_changes_one_field() {
    let bench = Bench::new().await;
    let id = bench.create("ada", &["c-1"]).await;
    let before = bench.get(UserKey::Id(&id)).await.unwrap();
    bench.requests();
    bench.provider.mark_email_verified(&scope(), &id, Some(&email("ada"))).await.unwrap();
    assert_eq!(bench.bodies("PATCH"), [json!({"email_verified": true})]);
    let after = bench.get(UserKey::Id(&id)).await.unwrap();
    assert_eq!(after, UserRecord { email_verified: Some(true), update_time: after.update_time, ..before });
}

#[tokio::test]
async fn mark_of_verified_user_is_one_read() {
    let bench = Bench::new().await;
    let id = bench.create("ada", &[]).await;
    bench.fake().change(id.as_str(), |user| user["email_verified"] = json!("true"));
    bench.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
    assert_eq!(bench.requests(), [read_of(&id)]);
}

#[tokio::test]
async fn enterprise_and_sms_users_cannot_be_marked() {
    let bench = Bench::new().await;
    for id in ["samlp|acme|ada", "sms|1"] {
        let (id, scope) = (bench.insert(id, "ada@acme.example", json!({})), scope());
        assert_not_applied(&scope, bench.provider.mark_email_verified(&scope, &id, None).await, ErrorKind::State);
    }
}

#[tokio::test]
async fn several_custom_domains_need_the_setting() {
    let mut bench = Bench::new().await;
    bench.fake().with(|tenant| tenant.has_rival_domains = true);
    let id = bench.insert("auth0|1", "ada@acme.example", json!({}));
    let error = bench.provider.mark_email_verified(&scope(), &id, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().is_some_and(|hint| hint.contains("`custom_domain`")), "{error:?}");
    bench.rebuild(|config, _| config.custom_domain = Some("login.acme.example".into()));
    bench.provider.send_verification_email(&scope(), &id).await.unwrap();
    assert_eq!(bench.fake().mails()[0].custom_domain.as_deref(), Some("login.acme.example"));
    bench.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
}

#[tokio::test]
async fn delete_is_one_request_with_unknown_result() {
    let bench = Bench::new().await;
    let (ada, grace) = (bench.create("ada", &["c-1"]).await, bench.create("grace", &["c-2"]).await);
    for _ in 0..2 {
        assert_eq!(bench.provider.delete(&scope(), &ada).await.unwrap(), Deleted::Unknown);
    }
    assert_eq!(bench.requests(), vec![read_of(&ada).replace("GET", "DELETE"); 2]);
    assert_eq!(bench.provider.delete(&scope(), &UserId::new("users").unwrap()).await.unwrap(), Deleted::Absent);
    assert!(bench.requests().is_empty(), "a malformed id costs no request");
    assert!(bench.get(UserKey::Id(&grace)).await.is_ok());
    assert!(!bench.harness.log_in(&email("ada"), PASSWORD).await.unwrap());
}
