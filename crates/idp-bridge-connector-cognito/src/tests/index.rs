//! The index of customers.

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

/// Returns the finding of the check that contains this text.
async fn finding(stage: &Stage, check: &str) -> Finding {
    let findings = stage.provider.diagnose(&scope()).await;
    findings.into_iter().find(|finding| finding.check.contains(check)).unwrap()
}

#[tokio::test]
async fn calls_share_one_refresh() {
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
async fn outdated_entries_are_not_found() {
    let stage = Stage::with(indexed).await;
    let id = stage.insert("ada", Status::Confirmed, "true");
    assert_eq!(kind(&stage, "customer-of-ada").await, None);
    stage.fake().change(id.as_str(), |user| user.set("custom:customer_id", "another"));
    assert_eq!(kind(&stage, "customer-of-ada").await, Some(ErrorKind::NotFound));
    stage.provider.delete(&scope(), &id).await.unwrap();
    assert_eq!(kind(&stage, "customer-of-ada").await, Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn customer_is_ambiguous_across_pages() {
    let stage = Stage::with(indexed).await;
    let insert = |name: &str| {
        stage.insert_with(name, Status::Confirmed, "true", |user| user.set("custom:customer_id", "shared"));
    };
    insert("first");
    for number in 0..60 {
        stage.insert(&format!("user-{number}"), Status::Confirmed, "true");
    }
    insert("last");
    assert_eq!(kind(&stage, "shared").await, Some(ErrorKind::Ambiguous));
}

#[tokio::test]
async fn too_large_pool_is_misconfigured() {
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
    // The next refresh waits for the retry delay.
    assert_eq!(kind(&stage, "customer-of-user-1").await, Some(ErrorKind::Misconfigured));
    assert_eq!(stage.requests().len(), 0);
    for check in ["small enough", "is complete"] {
        assert_eq!(finding(&stage, check).await.verdict, Verdict::Failed, "{check}");
    }
}

#[tokio::test]
async fn diagnosis_reports_age_and_cost() {
    let stage = Stage::with(indexed).await;
    stage.insert("ada", Status::Confirmed, "true");
    assert_eq!(finding(&stage, "is complete").await.verdict, Verdict::NotVisible);
    kind(&stage, "customer-of-ada").await;
    let complete = finding(&stage, "is complete").await;
    assert_eq!(complete.verdict, Verdict::Ok);
    assert!(complete.detail.unwrap().starts_with("2 users, read 0 s ago"));
    let cost = finding(&stage, "small enough").await.detail.unwrap();
    assert!(cost.contains("take 1 requests"), "{cost}");
}
