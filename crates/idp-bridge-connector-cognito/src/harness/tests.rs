//! The look-up by customer in the other ways that the settings offer, put to the same suite.

use std::sync::Arc;

use idp_bridge_conformance::run_only;
use idp_bridge_core::jiff::SignedDuration;

use super::*;

/// Runs the cases of these groups that are about a customer.
async fn customers_are_found(groups: &[&str], settings: fn(&mut CognitoConfig)) {
    let harness = CognitoHarness::start_with_fake().await.unwrap().with("cognito (fake, other look-up)", settings);
    let is_wanted = |case: &str| case.contains("customer") && groups.iter().any(|group| case.starts_with(group));
    let report = run_only(Arc::new(harness), is_wanted).await.unwrap();
    let has_passed = |name: &str| report.passed.iter().any(|passed| passed.case.starts_with(name));
    assert!(has_passed("get::the_asked_user_is_answered_among_others/users.get_by_customer"), "{report}");
    assert!(report.failed.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_for_each_customer_answers_as_a_search_does() {
    customers_are_found(&[""], |config| config.customer_lookup = Some(CustomerLookup::Group)).await;
}

/// Without the cases that put faults between the call and the pool: the reading of the pool is nobody's call.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_read_for_every_call_answers_as_a_search_does() {
    customers_are_found(&["get::", "hostile::", "controls::"], |config| {
        config.customer_attribute = "custom:customer_id".into();
        config.customer_lookup = Some(CustomerLookup::Index);
        config.customer_index.max_age = SignedDuration::ZERO;
        config.customer_index.requests_per_second = 30;
    })
    .await;
}
