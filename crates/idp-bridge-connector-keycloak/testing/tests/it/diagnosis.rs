//! The findings for a realm with one fault.

use idp_bridge_conformance::fixture::{assert_faults, assert_first_failure};
use idp_bridge_conformance::{Control, Harness as _, Setup};
use idp_bridge_core::{Finding, IdentityProvider, Verdict};
use serde_json::json;

use crate::bench::{Stage, scope};
use idp_bridge_connector_keycloak::KeycloakConfig;

/// Returns all findings of a provider with all options.
async fn findings(stage: &Stage) -> Vec<Finding> {
    let mut config: KeycloakConfig = stage.harness.config();
    (config.login_events, config.brute_force) = (true, true);
    stage.harness.build(config).unwrap().diagnose(&scope()).await
}

/// Checks the verdict and the fix of the only finding that is not ok.
async fn only(stage: &Stage, verdict: Verdict, fix: &str) {
    assert_faults(&findings(stage).await, &[(verdict, fix)]);
}

#[tokio::test]
async fn healthy_realm_has_no_fault() {
    let stage = Stage::new().await;
    stage.harness.detect_brute_force(true).await.unwrap();
    stage.requests();
    let findings = findings(&stage).await;
    assert_faults(&findings, &[]);
    assert_eq!(findings.len(), 9);
    let requests = stage.requests();
    assert!(requests.iter().all(|request| request.starts_with("GET") || request.ends_with("token")), "{requests:?}");
}

#[tokio::test]
async fn each_fault_is_found_alone() {
    let stage = Stage::new().await;
    let harness = &stage.harness;
    harness.detect_brute_force(true).await.unwrap();

    harness.declare_customer(None).await.unwrap();
    only(&stage, Verdict::Failed, "Create attribute").await;
    harness.declare_customer(Some(json!({"view": ["admin"], "edit": ["admin", "user"]}))).await.unwrap();
    only(&stage, Verdict::Failed, "`Who can edit?` only Admin").await;
    harness.declare_customer(Some(json!({"view": ["user"], "edit": []}))).await.unwrap();
    only(&stage, Verdict::Failed, "`Who can view?` Admin").await;
    harness.declare_customer(Some(json!({"view": ["admin"], "edit": ["admin"]}))).await.unwrap();

    harness.change_realm(json!({"smtpServer": {}})).await.unwrap();
    only(&stage, Verdict::Failed, "Realm settings → Email").await;
    harness.change_realm(json!({"smtpServer": {"host": "127.0.0.1", "from": "a@b.example"}})).await.unwrap();

    harness.change_realm(json!({"eventsEnabled": false})).await.unwrap();
    only(&stage, Verdict::Failed, "Save events").await;
    harness.change_realm(json!({"eventsEnabled": true})).await.unwrap();

    harness.detect_brute_force(false).await.unwrap();
    only(&stage, Verdict::Failed, "Brute force detection").await;
    harness.detect_brute_force(true).await.unwrap();

    harness.set_role("view-realm", false).await.unwrap();
    only(&stage, Verdict::NotVisible, "`view-realm` of `realm-management`").await;
    harness.set_role("view-realm", true).await.unwrap();

    harness.set_role("view-events", false).await.unwrap();
    only(&stage, Verdict::Failed, "`view-events` of `realm-management`").await;
    harness.set_role("view-events", true).await.unwrap();

    harness.set_role("view-users", true).await.unwrap();
    harness.set_role("manage-users", false).await.unwrap();
    only(&stage, Verdict::Failed, "`manage-users` of `realm-management`").await;
}

#[tokio::test]
async fn failed_logins_are_found_first() {
    let stage = Stage::new().await;
    for (control, number, fix) in
        [(Control::WrongSecret, 2, "Client Secret"), (Control::WrongRealm, 1, "`no-such-realm`")]
    {
        let findings = stage.harness.provider(Setup::Broken(control)).await.unwrap().diagnose(&scope()).await;
        assert_eq!(findings.len(), 3);
        assert_first_failure(&findings, number, fix);
    }
    let mut config = stage.harness.config();
    config.url = "http://127.0.0.1:1".into();
    let findings = stage.harness.build(config).unwrap().diagnose(&scope()).await;
    assert_eq!(findings.len(), 3);
    assert_first_failure(&findings, 0, "check the port");
}
