//! Writes: the name that they address, and Cognito's refusals.

use idp_bridge_core::{Deleted, ErrorKind, IdentityProvider as _, Outcome, UserKey};

use super::{Stage, scope};
use crate::fake::Status;

#[tokio::test]
async fn writes_use_the_last_read_name() {
    let stage = Stage::new().await;
    let id = stage.insert("ada", Status::Unconfirmed, "false");
    let read = [format!("AdminGetUser {}", id.as_str()), "AdminGetUser ada".into()];
    stage.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
    let marked = ["AdminUpdateUserAttributes ada".into(), "AdminGetUser ada".into()];
    assert_eq!(stage.requests(), [&read[..], &marked].concat());
    assert_eq!(stage.provider.delete(&scope(), &id).await.unwrap(), Deleted::Existed);
    assert_eq!(stage.requests(), [&read[..], &["AdminDeleteUser ada".into()]].concat());
}

#[tokio::test]
async fn federated_user_is_written_by_name() {
    let stage = Stage::new().await;
    let id = stage.insert("google_1", Status::ExternalProvider, "false");
    stage.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
    assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap().email_verified, Some(true));
    assert_eq!(stage.provider.delete(&scope(), &id).await.unwrap(), Deleted::Existed);
    assert_eq!(stage.provider.delete(&scope(), &id).await.unwrap(), Deleted::Absent);
}

#[tokio::test]
async fn delete_ignores_names_equal_to_the_id() {
    let stage = Stage::new().await;
    let victim = stage.insert("ada", Status::Confirmed, "true");
    let thief = stage.insert(victim.as_str(), Status::Confirmed, "false");
    assert_eq!(stage.provider.delete(&scope(), &thief).await.unwrap(), Deleted::Existed);
    assert!(stage.provider.get(&scope(), UserKey::Id(&victim)).await.is_ok());

    let thief = stage.insert(victim.as_str(), Status::Confirmed, "false");
    assert_eq!(stage.provider.delete(&scope(), &victim).await.unwrap(), Deleted::Existed);
    assert!(stage.provider.get(&scope(), UserKey::Id(&thief)).await.is_ok());
}

#[tokio::test]
async fn name_of_another_user_is_not_written() {
    let stage = Stage::new().await;
    stage.fake().with(|pool| pool.ids_before_names = true);
    let victim = stage.insert("ada", Status::Confirmed, "false");
    let thief = stage.insert(victim.as_str(), Status::Confirmed, "false");
    let kinds = [
        stage.provider.delete(&scope(), &thief).await.err().map(|error| error.kind()),
        stage.provider.mark_email_verified(&scope(), &thief, None).await.err().map(|error| error.kind()),
        stage.provider.send_verification_email(&scope(), &thief).await.err().map(|error| error.kind()),
    ];
    assert_eq!(kinds, [Some(ErrorKind::InvalidResponse); 3]);
    let user = stage.provider.get(&scope(), UserKey::Id(&victim)).await.unwrap();
    assert_eq!(user.email_verified, Some(false));
}

#[tokio::test]
async fn taken_alias_is_a_conflict() {
    let stage = Stage::new().await;
    stage.fake().with(|pool| pool.aliases.insert("email".into()));
    stage.insert("ada", Status::Confirmed, "true");
    let twin = stage.insert_with("twin", Status::Confirmed, "false", |user| {
        user.attributes.insert("email".into(), "ada@acme.example".into());
    });
    let scope = scope();
    let error = stage.provider.mark_email_verified(&scope, &twin, None).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Conflict, Outcome::NotApplied));
}
