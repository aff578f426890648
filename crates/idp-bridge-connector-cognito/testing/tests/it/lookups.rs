//! The conformance cases with a customer, with the other values of `customer_lookup`.

use std::sync::Arc;

use idp_bridge_conformance::run_only;
use idp_bridge_connector_cognito::{CognitoConfig, CustomerLookup};
use idp_bridge_connector_cognito_testing::harness::CognitoHarness;
use idp_bridge_core::jiff::SignedDuration;

/// Runs the cases of these groups that look up a customer.
async fn run_customer_cases(groups: &[&str], settings: fn(&mut CognitoConfig)) {
    let harness = CognitoHarness::start_with_fake().await.unwrap().with("cognito (fake, other look-up)", settings);
    let is_selected = |case: &str| case.contains("customer") && groups.iter().any(|group| case.starts_with(group));
    let report = run_only(Arc::new(harness), is_selected).await.unwrap();
    let has_passed = |name: &str| report.passed.iter().any(|passed| passed.case.starts_with(name));
    assert!(has_passed("get::the_requested_user_is_returned_among_others/users.get_by_customer"), "{report}");
    assert!(report.failed.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn group_lookup_conforms() {
    run_customer_cases(&[""], |config| config.customer_lookup = Some(CustomerLookup::Group)).await;
}

/// Leaves out the cases with faults between the call and the pool: the index is read in the background.
#[tokio::test(flavor = "multi_thread")]
async fn index_lookup_conforms() {
    run_customer_cases(&["get::", "hostile::", "controls::"], |config| {
        config.customer_attribute = "custom:customer_id".into();
        config.customer_lookup = Some(CustomerLookup::Index);
        config.customer_index.max_age = SignedDuration::ZERO;
        config.customer_index.requests_per_second = 30;
    })
    .await;
}
