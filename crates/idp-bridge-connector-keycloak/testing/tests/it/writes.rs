//! Writes, and conflicts with other writers.

use idp_bridge_conformance::{Harness as _, NewUser, UserKind};
use idp_bridge_core::{Deleted, ErrorKind, IdentityProvider as _, Outcome, UserKey};
use serde_json::json;

use crate::bench::{Stage, email, scope};

#[tokio::test]
async fn delete_first_checks_the_person() {
    let stage = Stage::new().await;
    let ada = stage.create("ada", &["c-1"]).await;
    stage.provider.get(&scope(), UserKey::Id(&ada)).await.unwrap();
    stage.requests();
    assert_eq!(stage.provider.delete(&scope(), &ada).await.unwrap(), Deleted::Existed);
    let path = format!("users/{}", ada.as_str());
    let [read, person, delete] = <[String; 3]>::try_from(stage.requests()).unwrap();
    assert_eq!((read, delete), (format!("GET {path}"), format!("DELETE {path}")));
    assert!(person.starts_with("GET users?search=%22made-"), "{person}");
}

#[tokio::test]
async fn person_named_like_service_account_is_deleted() {
    let stage = Stage::new().await;
    let id = stage.harness.create_named("service-account-ada", &NewUser::person(email("ada"))).await.unwrap();
    assert_eq!(stage.provider.delete(&scope(), &id).await.unwrap(), Deleted::Existed);
    assert!(!stage.harness.exists(&id).await.unwrap());
}

#[tokio::test]
async fn service_account_with_another_name_survives_delete() {
    let stage = Stage::new().await;
    let robot = stage.create_with("robot", &[], |user| user.kind = UserKind::ServiceAccount).await;
    // An import can give it any name.
    stage.fake.interfere(|user| "robot-of-import".clone_into(&mut user.username));
    stage.harness.change_user(&robot, json!({"firstName": "Robot"})).await.unwrap();
    assert_eq!(stage.provider.delete(&scope(), &robot).await.unwrap(), Deleted::Absent);
    assert!(stage.harness.exists(&robot).await.unwrap());
}

#[tokio::test]
async fn a_mark_keeps_all_other_fields() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    stage.harness.change_user(&id, json!({"firstName": "Ada", "lastName": "Lovelace"})).await.unwrap();
    let before = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    stage.fake.interfere(|user| {
        assert_eq!(user.names, [Some("Ada".to_owned()), Some("Lovelace".to_owned())]);
    });
    stage.provider.mark_email_verified(&scope(), &id, Some(&email("ada"))).await.unwrap();
    let after = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(after, idp_bridge_core::UserRecord { email_verified: Some(true), ..before });
}

#[tokio::test]
async fn marking_an_invalid_user_fails() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &[]).await;
    stage.harness.require_customer().await.unwrap();
    let scope = scope();
    let error = stage.provider.mark_email_verified(&scope, &id, None).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::NotApplied));
    assert!(error.message().contains("user profile"), "{error}");
}
