//! What `doctor` says of a pool that was broken in one way.

use idp_bridge_conformance::{Control, Harness as _};
use idp_bridge_core::{CallKind, Finding, IdentityProvider, Verdict};
use serde_json::{Value, json};

use super::{Stage, scope};
use crate::CustomerLookup;

/// The findings that are not ok.
async fn wrong(stage: &Stage) -> Vec<Finding> {
    let mut findings = stage.provider.diagnose(&scope()).await;
    findings.retain(|finding| finding.verdict != Verdict::Ok);
    findings
}

/// The one finding that is not ok, and part of what it should say.
async fn only(stage: &Stage, verdict: Verdict, fix: &str) {
    let wrong = wrong(stage).await;
    let [wrong] = wrong.as_slice() else { panic!("{wrong:#?}") };
    assert_eq!(wrong.verdict, verdict, "{wrong:?}");
    assert!(wrong.fix.as_deref().unwrap().contains(fix), "{wrong:?}");
}

fn set(stage: &Stage, name: &str, value: Value) {
    stage.fake().with(|pool| drop(pool.settings.insert(name.into(), value)));
}

fn set_client(stage: &Stage, name: &str, value: Value) {
    stage.fake().with(|pool| drop(pool.app_clients[0].settings.insert(name.into(), value)));
}

#[tokio::test]
async fn a_healthy_pool_is_all_ok_and_writes_are_tried_on_nobody() {
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
async fn each_missing_right_is_found_alone_with_its_action() {
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
        only(&stage, verdict, &format!("allow `cognito-idp:{action}`")).await;
        stage.allow(action, true);
    }
}

#[tokio::test]
async fn what_a_missing_right_hides_is_not_visible() {
    let stage = Stage::new().await;
    for (action, hidden) in [("DescribeUserPool", 2), ("DescribeUserPoolClient", 2)] {
        stage.allow(action, false);
        let wrong = wrong(&stage).await;
        assert_eq!(wrong.len(), hidden, "{wrong:#?}");
        for finding in wrong {
            assert_eq!(finding.verdict, Verdict::NotVisible);
            assert!(finding.fix.unwrap().contains(action));
        }
        stage.allow(action, true);
    }
}

#[tokio::test]
async fn each_broken_setting_is_found_alone_with_its_step() {
    let stage = Stage::new().await;
    let recovery = |name: &str| json!({"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 2}, {"Name": name, "Priority": 1}]});
    for (name, value, fix) in [
        ("SchemaAttributes", json!([]), "Custom attributes"),
        ("AutoVerifiedAttributes", json!(["phone_number"]), "Attribute verification"),
        ("AccountRecoverySetting", recovery("verified_phone_number"), "User account recovery"),
        ("AccountRecoverySetting", recovery("admin_only"), "User account recovery"),
    ] {
        set(&stage, name, value);
        only(&stage, Verdict::Failed, fix).await;
        stage.fake().with(|pool| drop(pool.settings.remove(name)));
    }
    for (name, value, fix) in [
        ("WriteAttributes", json!(["email", "preferred_username"]), "do not let it write `preferred_username`"),
        ("WriteAttributes", Value::Null, "do not let it write `preferred_username`"),
        ("ClientSecret", json!("another"), "copy the Client secret"),
        ("ClientSecret", Value::Null, "remove `client_secret`"),
    ] {
        set_client(&stage, name, value);
        only(&stage, Verdict::Failed, fix).await;
        stage.fake().with(|pool| drop(pool.app_clients[0].settings.remove(name)));
    }
}

#[tokio::test]
async fn what_is_worth_knowing_of_the_pool_is_told() {
    let stage = Stage::new().await;
    set(&stage, "AliasAttributes", json!(["email"]));
    set(&stage, "UsernameConfiguration", json!({"CaseSensitive": false}));
    set(&stage, "EmailConfiguration", json!({"EmailSendingAccount": "COGNITO_DEFAULT"}));
    stage.fake().with(|pool| pool.app_clients[0].hides_users = false);
    let findings = stage.provider.diagnose(&scope()).await;
    let told: Vec<&str> = findings.iter().filter_map(|finding| finding.detail.as_deref()).collect();
    for part in ["aliases: email; the case of names does not matter", "use SES", "tells strangers who is a user"] {
        assert!(told.iter().any(|detail| detail.contains(part)), "{told:?}");
    }
}

#[tokio::test]
async fn the_right_to_invite_is_not_tried_since_that_could_make_a_user() {
    let stage = Stage::with(|config| config.resend_invitations = true).await;
    only(&stage, Verdict::NotVisible, "allow `cognito-idp:AdminCreateUser`").await;
}

/// The findings of the bridge's own principal in a pool that does not exist.
async fn of_missing_pool(stage: &Stage) -> Vec<Finding> {
    let mut config = stage.harness.config();
    config.user_pool_id = "eu-west-1_NoSuchPool".into();
    stage.harness.build(config).unwrap().diagnose(&scope()).await
}

#[tokio::test]
async fn wrong_pool_with_scoped_policy_is_never_ok() {
    let stage = Stage::new().await;
    let findings = of_missing_pool(&stage).await;
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
    let findings = of_missing_pool(&stage).await;
    let pool = findings.iter().find(|finding| finding.check == "the pool exists").unwrap();
    assert_eq!(pool.verdict, Verdict::Failed, "{pool:?}");
}

#[tokio::test]
async fn hidden_app_clients_hide_authority() {
    let stage = Stage::new().await;
    for action in ["ListUserPoolClients", "DescribeUserPoolClient"] {
        stage.allow(action, false);
        assert!(wrong(&stage).await.iter().any(Finding::hides_authority), "{action}");
        stage.allow(action, true);
    }
}

#[tokio::test]
async fn what_keeps_the_bridge_out_is_found_first_and_named() {
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
