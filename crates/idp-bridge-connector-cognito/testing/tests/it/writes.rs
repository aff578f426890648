//! Writes: the name that they address, and Cognito's refusals.

use idp_bridge_conformance::fixture::scope;
use idp_bridge_connector_cognito_testing::fake::Status;
use idp_bridge_core::{Deleted, ErrorKind, IdentityProvider as _, Outcome, UserKey};

use crate::bench::Bench;

#[tokio::test]
async fn writes_use_the_last_read_name() {
    let bench = Bench::new().await;
    let id = bench.insert("ada", Status::Unconfirmed, "false");
    let read = [format!("AdminGetUser {}", id.as_str()), "AdminGetUser ada".into()];
    bench.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
    let marked = ["AdminUpdateUserAttributes ada".into(), "AdminGetUser ada".into()];
    assert_eq!(bench.requests(), [&read[..], &marked].concat());
    assert_eq!(bench.provider.delete(&scope(), &id).await.unwrap(), Deleted::Existed);
    assert_eq!(bench.requests(), [&read[..], &["AdminDeleteUser ada".into()]].concat());
}

#[tokio::test]
async fn federated_user_is_written_by_name() {
    let bench = Bench::new().await;
    let id = bench.insert("google_1", Status::ExternalProvider, "false");
    bench.provider.mark_email_verified(&scope(), &id, None).await.unwrap();
    assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap().email_verified, Some(true));
    for deleted in [Deleted::Existed, Deleted::Absent] {
        assert_eq!(bench.provider.delete(&scope(), &id).await.unwrap(), deleted);
    }
}

#[tokio::test]
async fn delete_ignores_names_equal_to_the_id() {
    for deletes_thief in [true, false] {
        let bench = Bench::new().await;
        let victim = bench.insert("ada", Status::Confirmed, "true");
        let thief = bench.insert(victim.as_str(), Status::Confirmed, "false");
        let (deleted, kept) = if deletes_thief { (thief, victim) } else { (victim, thief) };
        assert_eq!(bench.provider.delete(&scope(), &deleted).await.unwrap(), Deleted::Existed);
        assert!(bench.get(UserKey::Id(&kept)).await.is_ok());
    }
}

#[tokio::test]
async fn name_of_another_user_is_not_written() {
    let bench = Bench::new().await;
    bench.fake().with(|pool| pool.ids_before_names = true);
    let victim = bench.insert("ada", Status::Confirmed, "false");
    let thief = bench.insert(victim.as_str(), Status::Confirmed, "false");
    let kinds = [
        bench.provider.delete(&scope(), &thief).await.err().map(|error| error.kind()),
        bench.provider.mark_email_verified(&scope(), &thief, None).await.err().map(|error| error.kind()),
        bench.provider.send_verification_email(&scope(), &thief).await.err().map(|error| error.kind()),
    ];
    assert_eq!(kinds, [Some(ErrorKind::InvalidResponse); 3]);
    assert_eq!(bench.get(UserKey::Id(&victim)).await.unwrap().email_verified, Some(false));
}

#[tokio::test]
async fn taken_alias_is_a_conflict() {
    let bench = Bench::new().await;
    bench.fake().with(|pool| pool.aliases.insert("email".into()));
    bench.insert("ada", Status::Confirmed, "true");
    let twin = bench.insert_with("twin", Status::Confirmed, "false", |user| {
        user.attributes.insert("email".into(), "ada@acme.example".into());
    });
    let scope = scope();
    let error = bench.provider.mark_email_verified(&scope, &twin, None).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Conflict, Outcome::NotApplied));
}
