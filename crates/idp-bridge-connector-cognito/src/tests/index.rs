//! The index of customers: it answers when it is whole, and says what it is worth.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{ErrorKind, Finding, IdentityProvider as _, UserKey, Verdict};

use super::{Stage, customer, scope};
use crate::fake::Status;
use crate::{CognitoConfig, CustomerLookup};

fn indexed(config: &mut CognitoConfig) {
    config.customer_attribute = "custom:customer_id".into();
    config.customer_lookup = Some(CustomerLookup::Index);
    config.customer_index.requests_per_second = 30;
}

async fn kind(stage: &Stage, text: &str) -> Option<ErrorKind> {
    let found = stage.provider.get(&scope(), UserKey::Customer(&customer(text))).await;
    found.err().map(|error| error.kind())
}

/// What the diagnosis says of the index.
async fn finding(stage: &Stage, about: &str) -> Finding {
    let findings = stage.provider.diagnose(&scope()).await;
    findings.into_iter().find(|finding| finding.check.contains(about)).unwrap()
}

#[tokio::test]
async fn the_pool_is_read_once_for_many_calls_and_each_hit_once_more() {
    let stage = Stage::with(indexed).await;
    for name in ["ada", "grace"] {
        stage.insert(name, Status::Confirmed, "true");
    }
    let (ada, grace) = tokio::join!(kind(&stage, "customer-of-ada"), kind(&stage, "customer-of-grace"));
    assert_eq!((ada, grace, kind(&stage, "customer-of-nobody").await), (None, None, Some(ErrorKind::NotFound)));
    let requests = stage.requests();
    let (lists, reads): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.starts_with("ListUsers"));
    assert_eq!((lists.len(), reads.len()), (1, 2), "{requests:?}");
}

#[tokio::test]
async fn a_user_who_left_the_customer_since_is_not_answered() {
    let stage = Stage::with(indexed).await;
    let id = stage.insert("ada", Status::Confirmed, "true");
    assert_eq!(kind(&stage, "customer-of-ada").await, None);
    stage.fake().change(id.as_str(), |user| user.set("custom:customer_id", "another"));
    assert_eq!(kind(&stage, "customer-of-ada").await, Some(ErrorKind::NotFound));
    stage.provider.delete(&scope(), &id).await.unwrap();
    assert_eq!(kind(&stage, "customer-of-ada").await, Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn two_users_of_one_customer_are_ambiguous_and_over_pages_too() {
    let stage = Stage::with(indexed).await;
    let of = |name: &str| {
        stage.insert_with(name, Status::Confirmed, "true", |user| user.set("custom:customer_id", "shared"));
    };
    of("first");
    for number in 0..60 {
        stage.insert(&format!("user-{number}"), Status::Confirmed, "true");
    }
    of("last");
    assert_eq!(kind(&stage, "shared").await, Some(ErrorKind::Ambiguous));
}

#[tokio::test]
async fn a_pool_that_is_too_large_is_told_and_not_read_on() {
    let stage = Stage::with(|config| {
        indexed(config);
        config.customer_index.max_users = 60;
    })
    .await;
    for number in 0..130 {
        stage.insert(&format!("user-{number}"), Status::Confirmed, "true");
    }
    assert_eq!(kind(&stage, "customer-of-user-1").await, Some(ErrorKind::Misconfigured));
    assert_eq!(stage.requests().len(), 2);
    // It rests before it tries again.
    assert_eq!(kind(&stage, "customer-of-user-1").await, Some(ErrorKind::Misconfigured));
    assert_eq!(stage.requests().len(), 0);
    for about in ["small enough", "is whole"] {
        assert_eq!(finding(&stage, about).await.verdict, Verdict::Failed, "{about}");
    }
}

#[tokio::test]
async fn the_diagnosis_tells_its_age_and_its_cost() {
    let stage = Stage::with(indexed).await;
    stage.insert("ada", Status::Confirmed, "true");
    assert_eq!(finding(&stage, "is whole").await.verdict, Verdict::NotVisible);
    kind(&stage, "customer-of-ada").await;
    let whole = finding(&stage, "is whole").await;
    assert_eq!(whole.verdict, Verdict::Ok);
    assert!(whole.detail.unwrap().starts_with("2 users, read 0 s ago"));
    let cost = finding(&stage, "small enough").await.detail.unwrap();
    assert!(cost.contains("take 1 requests"), "{cost}");
}

#[tokio::test]
async fn a_missing_right_is_no_missing_user() {
    let stage = Stage::with(|config| {
        indexed(config);
        config.customer_index.max_age = SignedDuration::ZERO;
    })
    .await;
    stage.allow("ListUsers", false);
    assert_eq!(kind(&stage, "customer-of-ada").await, Some(ErrorKind::PermissionDenied));
}
