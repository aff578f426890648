//! The checks of `doctor` for a pool with one fault.

use idp_bridge_conformance::{Control, Harness as _};
use idp_bridge_core::{CallKind, Finding, IdentityProvider, Verdict};
use serde_json::{Value, json};

use super::{Stage, scope};
use crate::CustomerLookup;

/// Returns the findings that are not ok.
async fn faults(stage: &Stage) -> Vec<Finding> {
    let mut findings = stage.provider.diagnose(&scope()).await;
    findings.retain(|finding| finding.verdict != Verdict::Ok);
    findings
}

/// Checks that exactly one finding is not ok, with this verdict and a fix that contains this text.
async fn assert_fault(stage: &Stage, verdict: Verdict, fix: &str) {
    let faults = faults(stage).await;
    let [fault] = faults.as_slice() else { panic!("{faults:#?}") };
    assert_eq!(fault.verdict, verdict, "{fault:?}");
    assert!(fault.fix.as_deref().unwrap().contains(fix), "{fault:?}");
}

fn set(stage: &Stage, name: &str, value: Value) {
    stage.fake().with(|pool| drop(pool.settings.insert(name.into(), value)));
}

fn set_client(stage: &Stage, name: &str, value: Value) {
    stage.fake().with(|pool| drop(pool.app_clients[0].settings.insert(name.into(), value)));
}

#[tokio::test]
async fn healthy_pool_passes_without_writes() {
    let stage = Stage::new().await;
    let findings = stage.provider.diagnose(&scope()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    assert_eq!(findings.len(), 11);
    let requests = stage.requests();
    let mut writes = requests
        .iter()
        .filter(|request| !["AdminGet", "List", "Describe"].iter().any(|verb| request.starts_with(verb)));
    assert!(writes.all(|request| request.contains(" nobody-")), "{requests:?}");
    assert!(stage.fake().mails().is_empty());
}

#[tokio::test]
async fn each_missing_right_is_reported() {
    let stage = Stage::with(|config| config.customer_lookup = Some(CustomerLookup::Group)).await;
    for (action, verdict) in [
        ("AdminGetUser", Verdict::Failed),
        ("ListUsers", Verdict::Failed),
        ("ListUsersInGroup", Verdict::Failed),
        ("AdminUpdateUserAttributes", Verdict::Failed),
        ("AdminDeleteUser", Verdict::Failed),
        ("ListUserPoolClients", Verdict::NotVisible),
    ] {
        stage.allow(action, false);
        assert_fault(&stage, verdict, &format!("allow `cognito-idp:{action}`")).await;
        stage.allow(action, true);
    }
}

#[tokio::test]
async fn missing_right_hides_its_checks() {
    let stage = Stage::new().await;
    for (action, hidden) in [("DescribeUserPool", 2), ("DescribeUserPoolClient", 2)] {
        stage.allow(action, false);
        let faults = faults(&stage).await;
        assert_eq!(faults.len(), hidden, "{faults:#?}");
        for finding in faults {
            assert_eq!(finding.verdict, Verdict::NotVisible);
            assert!(finding.fix.unwrap().contains(action));
        }
        stage.allow(action, true);
    }
}

#[tokio::test]
async fn each_wrong_setting_is_reported() {
    let stage = Stage::new().await;
    let recovery = |name: &str| json!({"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 2}, {"Name": name, "Priority": 1}]});
    for (name, value, fix) in [
        ("SchemaAttributes", json!([]), "Custom attributes"),
        ("AutoVerifiedAttributes", json!(["phone_number"]), "Attribute verification"),
        ("AccountRecoverySetting", recovery("verified_phone_number"), "User account recovery"),
        ("AccountRecoverySetting", recovery("admin_only"), "User account recovery"),
    ] {
        set(&stage, name, value);
        assert_fault(&stage, Verdict::Failed, fix).await;
        stage.fake().with(|pool| drop(pool.settings.remove(name)));
    }
    for (name, value, fix) in [
        ("WriteAttributes", json!(["email", "preferred_username"]), "do not let it write `preferred_username`"),
        ("WriteAttributes", Value::Null, "do not let it write `preferred_username`"),
        ("ClientSecret", json!("another"), "copy the Client secret"),
        ("ClientSecret", Value::Null, "remove `client_secret`"),
    ] {
        set_client(&stage, name, value);
        assert_fault(&stage, Verdict::Failed, fix).await;
        stage.fake().with(|pool| drop(pool.app_clients[0].settings.remove(name)));
    }
}

#[tokio::test]
async fn details_describe_the_pool() {
    let stage = Stage::new().await;
    set(&stage, "AliasAttributes", json!(["email"]));
    set(&stage, "UsernameConfiguration", json!({"CaseSensitive": false}));
    set(&stage, "EmailConfiguration", json!({"EmailSendingAccount": "COGNITO_DEFAULT"}));
    stage.fake().with(|pool| pool.app_clients[0].hides_users = false);
    let findings = stage.provider.diagnose(&scope()).await;
    let details: Vec<&str> = findings.iter().filter_map(|finding| finding.detail.as_deref()).collect();
    for part in ["aliases: email; the case of names does not matter", "use SES", "errors show which users exist"] {
        assert!(details.iter().any(|detail| detail.contains(part)), "{details:?}");
    }
}

#[tokio::test]
async fn right_to_invite_is_not_tried() {
    let stage = Stage::with(|config| config.resend_invitations = true).await;
    assert_fault(&stage, Verdict::NotVisible, "allow `cognito-idp:AdminCreateUser`").await;
}

/// Diagnoses a pool that does not exist, as the bridge's principal.
async fn diagnose_missing_pool(stage: &Stage) -> Vec<Finding> {
    let mut config = stage.harness.config();
    config.user_pool_id = "eu-west-1_NoSuchPool".into();
    stage.harness.build(config).unwrap().diagnose(&scope()).await
}

#[tokio::test]
async fn wrong_pool_with_scoped_policy_is_never_ok() {
    let stage = Stage::new().await;
    let findings = diagnose_missing_pool(&stage).await;
    let pool = findings.iter().find(|finding| finding.check == "the pool exists").unwrap();
    assert_eq!(pool.verdict, Verdict::NotVisible, "{pool:?}");
    assert!(pool.fix.as_deref().unwrap().contains("`eu-west-1_NoSuchPool`"), "{pool:?}");
    assert!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "{findings:#?}");
}

#[tokio::test]
async fn missing_pool_is_found_by_search() {
    let stage = Stage::new().await;
    stage.fake().with(|pool| pool.principals[0].pools = None);
    stage.allow("AdminGetUser", false);
    let findings = diagnose_missing_pool(&stage).await;
    let pool = findings.iter().find(|finding| finding.check == "the pool exists").unwrap();
    assert_eq!(pool.verdict, Verdict::Failed, "{pool:?}");
}

#[tokio::test]
async fn hidden_app_clients_hide_authority() {
    let stage = Stage::new().await;
    for action in ["ListUserPoolClients", "DescribeUserPoolClient"] {
        stage.allow(action, false);
        assert!(faults(&stage).await.iter().any(Finding::hides_authority), "{action}");
        stage.allow(action, true);
    }
}

#[tokio::test]
async fn wrong_credentials_and_pool_come_first() {
    let stage = Stage::new().await;
    for (control, number, fix) in
        [(Control::WrongSecret, 1, "Security credentials"), (Control::WrongRealm, 2, "`eu-west-1_NoSuchPool`")]
    {
        let provider = stage.harness.provider_broken(control).await.unwrap();
        let findings = provider.diagnose(&scope()).await;
        assert_eq!(findings.len(), 3);
        let failed = &findings[number];
        assert_eq!((failed.verdict, failed.calls.as_slice()), (Verdict::Failed, CallKind::ALL.as_slice()));
        assert!(failed.fix.as_deref().unwrap().contains(fix), "{failed:?}");
        assert!(findings[number + 1..].iter().all(|finding| finding.verdict == Verdict::NotVisible));
    }
}
