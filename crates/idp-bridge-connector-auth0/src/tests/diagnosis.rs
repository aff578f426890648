//! `doctor`: one finding for each broken setting.

use idp_bridge_conformance::{Control, Harness as _};
use idp_bridge_core::{CallKind, Finding, IdentityProvider, Verdict};

use super::{Stage, scope};
use crate::fake::{Connection, Tenant};

/// Checks that one finding is not ok, with this verdict and a fix that contains this text.
async fn assert_one(stage: &Stage, verdict: Verdict, fix: &str) {
    let findings = stage.provider.diagnose(&scope()).await;
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    let [wrong] = wrong.as_slice() else { panic!("{wrong:#?}") };
    assert_eq!(wrong.verdict, verdict, "{wrong:?}");
    assert!(wrong.fix.as_deref().unwrap().contains(fix), "{wrong:?}");
}

/// Grants a scope to the bridge's application, or revokes it.
fn set_scope(tenant: &mut Tenant, scope: &str, granted: bool) {
    let bridge = tenant.applications.iter_mut().find(|application| application.client_id == "bridge").unwrap();
    let scopes = bridge.scopes.as_mut().unwrap();
    if granted {
        scopes.insert(scope.into())
    } else {
        scopes.remove(scope)
    };
    tenant.expire_tokens();
}

#[tokio::test]
async fn healthy_tenant_is_ok_and_only_read() {
    let stage = Stage::new().await;
    let findings = stage.provider.diagnose(&scope()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    assert_eq!(findings.len(), 9);
    let exchanges = stage.exchanges();
    assert!(exchanges.iter().all(|exchange| exchange.request.method == "GET"), "{exchanges:?}");
}

#[tokio::test]
async fn each_broken_setting_has_one_finding() {
    let stage = Stage::new().await;
    let fake = stage.fake();
    for (missing, verdict) in [
        ("read:users", Verdict::Failed),
        ("update:users", Verdict::Failed),
        ("delete:users", Verdict::Failed),
        ("read:connections", Verdict::NotVisible),
    ] {
        fake.with(|tenant| set_scope(tenant, missing, false));
        assert_one(&stage, verdict, &format!("tick `{missing}`")).await;
        fake.with(|tenant| set_scope(tenant, missing, true));
    }

    fake.with(|tenant| set_scope(tenant, "read:user_idp_tokens", true));
    assert_one(&stage, Verdict::Failed, "untick `read:user_idp_tokens`").await;
    fake.with(|tenant| set_scope(tenant, "read:user_idp_tokens", false));

    fake.with(|tenant| tenant.templates.insert("verify_email".into(), false));
    assert_one(&stage, Verdict::Failed, "Branding → Email Templates").await;
    fake.with(|tenant| tenant.templates.remove("verify_email"));
    assert_one(&stage, Verdict::NotVisible, "`Verification Email (using Link)`").await;
    fake.with(|tenant| tenant.templates.insert("verify_email".into(), true));

    let connections = fake.with(|tenant| std::mem::take(&mut tenant.connections));
    assert_one(&stage, Verdict::Failed, "Authentication → Database").await;
    fake.with(|tenant| tenant.connections = vec![Connection::new(super::DATABASE, "google-oauth2")]);
    assert_one(&stage, Verdict::Failed, "Authentication → Database").await;
    fake.with(|tenant| tenant.connections = connections);
}

#[tokio::test]
async fn missing_scope_makes_templates_not_visible() {
    let stage = Stage::new().await;
    stage.fake().with(|tenant| set_scope(tenant, "read:email_templates", false));
    let findings = stage.provider.diagnose(&scope()).await;
    let hidden: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::NotVisible).collect();
    assert_eq!(hidden.len(), 2);
    assert!(hidden.iter().all(|finding| finding.fix.as_deref().unwrap().contains("tick `read:email_templates`")));
}

#[tokio::test]
async fn unnamed_scopes_are_not_visible() {
    let stage = Stage::new().await;
    stage.fake().with(|tenant| tenant.hides_scopes = true);
    let findings = stage.provider.diagnose(&scope()).await;
    let hidden =
        |call| findings.iter().any(|finding| finding.calls.contains(&call) && finding.verdict == Verdict::NotVisible);
    assert!(hidden(CallKind::Delete) && hidden(CallKind::MarkEmailVerified));
    assert!(!hidden(CallKind::GetById));
}

#[tokio::test]
async fn disabled_resets_are_not_checked() {
    let stage = Stage::with(|config| config.connection = None).await;
    let findings = stage.provider.diagnose(&scope()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    let requests = stage.requests();
    assert!(!requests.iter().any(|request| request.contains("connections") || request.contains("reset_email")));
}

#[tokio::test]
async fn failed_login_hides_the_other_checks() {
    let stage = Stage::new().await;
    for (control, number, fix) in
        [(Control::WrongSecret, 2, "`bridge` → Settings"), (Control::WrongRealm, 1, "never a custom domain")]
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
