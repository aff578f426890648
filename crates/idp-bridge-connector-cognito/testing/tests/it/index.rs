//! The index of customers.

use idp_bridge_conformance::fixture::{customer, scope};
use idp_bridge_connector_cognito::{CognitoConfig, CustomerLookup};
use idp_bridge_connector_cognito_testing::fake::Status;
use idp_bridge_core::{ErrorKind, Finding, IdentityProvider as _, UserKey, Verdict};

use crate::bench::Bench;

fn indexed(config: &mut CognitoConfig) {
    config.customer_attribute = "custom:customer_id".into();
    config.customer_lookup = Some(CustomerLookup::Index);
    config.customer_index.requests_per_second = 30;
}

async fn kind(bench: &Bench, text: &str) -> Option<ErrorKind> {
    bench.get(UserKey::Customer(&customer(text))).await.err()
}

/// Returns the finding of the check that contains this text.
async fn finding(bench: &Bench, check: &str) -> Finding {
    let findings = bench.provider.diagnose(&scope()).await;
    findings.into_iter().find(|finding| finding.check.contains(check)).unwrap()
}

#[tokio::test]
async fn calls_share_one_refresh() {
    let bench = Bench::with(indexed).await;
    for name in ["ada", "grace"] {
        bench.insert(name, Status::Confirmed, "true");
    }
    let (ada, grace) = tokio::join!(kind(&bench, "customer-of-ada"), kind(&bench, "customer-of-grace"));
    assert_eq!((ada, grace, kind(&bench, "customer-of-nobody").await), (None, None, Some(ErrorKind::NotFound)));
    let requests = bench.requests();
    let (lists, reads): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.starts_with("ListUsers"));
    assert_eq!((lists.len(), reads.len()), (1, 2), "{requests:?}");
}

#[tokio::test]
async fn outdated_entries_are_not_found() {
    let bench = Bench::with(indexed).await;
    let id = bench.insert("ada", Status::Confirmed, "true");
    assert_eq!(kind(&bench, "customer-of-ada").await, None);
    bench.fake().change(id.as_str(), |user| user.set("custom:customer_id", "another"));
    assert_eq!(kind(&bench, "customer-of-ada").await, Some(ErrorKind::NotFound));
    bench.provider.delete(&scope(), &id).await.unwrap();
    assert_eq!(kind(&bench, "customer-of-ada").await, Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn customer_is_ambiguous_across_pages() {
    let bench = Bench::with(indexed).await;
    for number in 0..62 {
        bench.insert_with(&format!("user-{number}"), Status::Confirmed, "true", |user| {
            if [0, 61].contains(&number) {
                user.set("custom:customer_id", "shared");
            }
        });
    }
    assert_eq!(kind(&bench, "shared").await, Some(ErrorKind::Ambiguous));
}

#[tokio::test]
async fn too_large_pool_is_misconfigured() {
    let bench = Bench::with(|config| {
        indexed(config);
        config.customer_index.max_users = 60;
    })
    .await;
    for number in 0..130 {
        bench.insert(&format!("user-{number}"), Status::Confirmed, "true");
    }
    // The second call fails at once: the next refresh waits for the retry delay.
    for requests in [2, 0] {
        assert_eq!(kind(&bench, "customer-of-user-1").await, Some(ErrorKind::Misconfigured));
        assert_eq!(bench.requests().len(), requests);
    }
    for check in ["small enough", "is complete"] {
        assert_eq!(finding(&bench, check).await.verdict, Verdict::Failed, "{check}");
    }
}

#[tokio::test]
async fn diagnosis_reports_age_and_cost() {
    let bench = Bench::with(indexed).await;
    bench.insert("ada", Status::Confirmed, "true");
    assert_eq!(finding(&bench, "is complete").await.verdict, Verdict::NotVisible);
    kind(&bench, "customer-of-ada").await;
    let complete = finding(&bench, "is complete").await;
    assert_eq!(complete.verdict, Verdict::Ok);
    assert!(complete.detail.unwrap().starts_with("2 users, read 0 s ago"));
    let cost = finding(&bench, "small enough").await.detail.unwrap();
    assert!(cost.contains("take 1 requests"), "{cost}");
}
