//! Requests of writes, and users with an address that cannot be verified.

use idp_bridge_conformance::Harness as _;
use idp_bridge_core::{Deleted, ErrorKind, IdentityProvider as _, Outcome, UserId, UserKey, UserRecord};
use serde_json::json;

use super::{Stage, email, scope};

#[tokio::test]
async fn mark_changes_one_field() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let before = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    stage.requests();
    stage.provider.mark_email_verified(&scope(), &id, Some(&email("ada"))).await.unwrap();
    assert_eq!(stage.bodies("PATCH"), [json!({"email_verified": true})]);
    let after = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(after, UserRecord { email_verified: Some(true), update_time: after.update_time, ..before });
}

#[tokio::test]
async fn mark_of_verified_user_is_one_read() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &[]).await;
    stage.fake().change(id.as_str(), |user| user["email_verified"] = json!("true"));
    stage.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
    assert_eq!(stage.requests(), [format!("GET users/{}", id.as_str().replace('|', "%7C"))]);
}

#[tokio::test]
async fn enterprise_and_sms_users_cannot_be_marked() {
    let stage = Stage::new().await;
    for id in ["samlp|acme|ada", "sms|1"] {
        let id = stage.insert(id, "ada@acme.example", json!({}));
        let scope = scope();
        let error = stage.provider.mark_email_verified(&scope, &id, None).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::NotApplied));
    }
}

#[tokio::test]
async fn several_custom_domains_need_the_setting() {
    let stage = Stage::new().await;
    stage.fake().with(|tenant| tenant.has_rival_domains = true);
    let id = stage.insert("auth0|1", "ada@acme.example", json!({}));
    let error = stage.provider.mark_email_verified(&scope(), &id, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().is_some_and(|hint| hint.contains("`custom_domain`")), "{error:?}");

    let mut config = stage.harness.config();
    config.custom_domain = Some("login.acme.example".into());
    let provider = stage.harness.build(config).unwrap();
    provider.send_verification_email(&scope(), &id).await.unwrap();
    assert_eq!(stage.fake().mails()[0].custom_domain.as_deref(), Some("login.acme.example"));
    provider.mark_email_verified(&scope(), &id, None).await.unwrap();
}

#[tokio::test]
async fn delete_is_one_request_with_unknown_result() {
    let stage = Stage::new().await;
    let (ada, grace) = (stage.create("ada", &["c-1"]).await, stage.create("grace", &["c-2"]).await);
    stage.provider.get(&scope(), UserKey::Id(&grace)).await.unwrap();
    stage.requests();
    for _ in 0..2 {
        assert_eq!(stage.provider.delete(&scope(), &ada).await.unwrap(), Deleted::Unknown);
    }
    assert_eq!(stage.requests(), vec![format!("DELETE users/{}", ada.as_str().replace('|', "%7C")); 2]);
    assert_eq!(stage.provider.delete(&scope(), &UserId::new("users").unwrap()).await.unwrap(), Deleted::Absent);
    assert!(stage.provider.get(&scope(), UserKey::Id(&grace)).await.is_ok());
    assert!(stage.harness.log_in(&email("ada"), "Passw0rd-of-no-one").await.is_ok_and(|logged_in| !logged_in));
}
