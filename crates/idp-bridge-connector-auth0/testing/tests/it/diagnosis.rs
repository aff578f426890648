//! `doctor`: one finding for each broken setting.

use std::collections::BTreeMap;

use idp_bridge_conformance::fixture::{assert_faults, assert_first_failure, scope};
use idp_bridge_conformance::{Control, Harness as _, Setup};
use idp_bridge_connector_auth0::Auth0Config;
use idp_bridge_connector_auth0_testing::fake::{Application, Tenant};
use idp_bridge_connector_auth0_testing::harness::DATABASE;
use idp_bridge_core::{CallKind, FederationSettings, Finding, IdentityProvider as _, LogoutFallback, Secret, Verdict};

use crate::bench::Bench;

use Verdict::{Failed, NotVisible};

/// Returns the findings about the calls.
async fn findings(bench: &Bench) -> Vec<Finding> {
    bench.provider.diagnose(&scope()).await
}

/// Returns the findings about federation except the one about the source of the claim, which is never visible.
async fn oauth_findings(bench: &Bench) -> Vec<Finding> {
    let mut findings = bench.oauth().diagnose(&scope()).await;
    let hidden = findings.extract_if(.., |finding| finding.hides_authority()).count();
    assert_eq!(hidden, 1, "{findings:#?}");
    findings
}

#[tokio::test]
async fn healthy_tenant_is_ok_and_only_read() {
    let bench = Bench::new().await;
    for (findings, count) in [(findings(&bench).await, 9), (oauth_findings(&bench).await, 11)] {
        assert_faults(&findings, &[]);
        assert_eq!(findings.len(), count);
    }
    let exchanges = bench.exchanges();
    assert!(exchanges.iter().all(|exchange| exchange.request.method == "GET"), "{exchanges:?}");
}

#[tokio::test]
async fn each_broken_setting_has_one_finding() {
    type Break = fn(&mut Tenant);
    let table: [(Break, Verdict, &str); 9] = [
        (|tenant| tenant.set_scope("bridge", "read:users", false), Failed, "tick `read:users`"),
        (|tenant| tenant.set_scope("bridge", "update:users", false), Failed, "tick `update:users`"),
        (|tenant| tenant.set_scope("bridge", "delete:users", false), Failed, "tick `delete:users`"),
        (|tenant| tenant.set_scope("bridge", "read:connections", false), NotVisible, "tick `read:connections`"),
        (|tenant| tenant.set_scope("bridge", "read:user_idp_tokens", true), Failed, "untick `read:user_idp_tokens`"),
        (|tenant| tenant.templates.extend([("verify_email".into(), false)]), Failed, "Branding → Email Templates"),
        (
            |tenant| tenant.templates.retain(|name, _| name != "verify_email"),
            NotVisible,
            "`Verification Email (using Link)`",
        ),
        (|tenant| tenant.connections.clear(), Failed, "Authentication → Database"),
        (
            |tenant| tenant.connections = BTreeMap::from([(DATABASE.into(), "google-oauth2".into())]),
            Failed,
            "Authentication → Database",
        ),
    ];
    for (break_it, verdict, fix) in table {
        let bench = Bench::new().await;
        bench.fake().with(break_it);
        assert_faults(&findings(&bench).await, &[(verdict, fix)]);
    }
}

#[tokio::test]
async fn missing_scope_hides_its_checks() {
    let bench = Bench::new().await;
    for (missing, count) in [("read:email_templates", 2), ("read:clients", 4)] {
        bench.fake().with(|tenant| tenant.set_scope("bridge", missing, false));
        let mut findings = [findings(&bench).await, oauth_findings(&bench).await].concat();
        findings.retain(|finding| finding.verdict != Verdict::Ok);
        assert_eq!(findings.len(), count);
        for finding in findings {
            assert_eq!(finding.verdict, NotVisible);
            assert!(finding.fix.as_deref().unwrap().contains(&format!("tick `{missing}`")), "{finding:?}");
        }
        bench.fake().with(|tenant| tenant.set_scope("bridge", missing, true));
    }
}

#[tokio::test]
async fn unnamed_scopes_are_not_visible() {
    let bench = Bench::new().await;
    bench.fake().with(|tenant| tenant.hides_scopes = true);
    let findings = findings(&bench).await;
    let hidden = |call| findings.iter().any(|finding| finding.calls.contains(&call) && finding.verdict == NotVisible);
    assert!(hidden(CallKind::Delete) && hidden(CallKind::MarkEmailVerified));
    assert!(!hidden(CallKind::GetById));
}

#[tokio::test]
async fn disabled_resets_are_not_checked() {
    let bench = Bench::with(|config| config.connection = None).await;
    assert_faults(&findings(&bench).await, &[]);
    let requests = bench.requests();
    assert!(!requests.iter().any(|request| request.contains("connections") || request.contains("reset_email")));
}

#[tokio::test]
async fn failed_login_hides_the_other_checks() {
    let bench = Bench::new().await;
    for (control, number, fix) in
        [(Control::WrongSecret, 2, "`bridge` → Settings"), (Control::WrongRealm, 1, "never a custom domain")]
    {
        let findings = bench.harness.provider(Setup::Broken(control)).await.unwrap().diagnose(&scope()).await;
        assert_eq!(findings.len(), 3);
        assert_first_failure(&findings, number, fix);
    }
}

#[tokio::test]
async fn customer_without_claim_is_visible() {
    let mut bench = Bench::new().await;
    bench.rebuild(|_, settings| settings.customer_claim = None);
    let findings = bench.oauth().diagnose(&scope()).await;
    let source = findings.iter().find(|finding| finding.authority).unwrap();
    assert_eq!(source.verdict, Verdict::Ok);
    assert!(source.detail.as_deref().unwrap().contains("`app_metadata.customer_id`"), "{source:?}");
}

/// Changes the application of the first client.
fn change(tenant: &mut Tenant, change: fn(&mut Application)) {
    tenant.change_application("application", change);
}

#[tokio::test]
async fn each_broken_federation_setting_has_one_finding() {
    type Break = fn(&mut Tenant);
    let table: [(Break, &str); 5] = [
        (|tenant| tenant.set_scope("bridge", "read:device_credentials", false), "tick `read:device_credentials`"),
        (|tenant| tenant.set_scope("bridge", "delete:device_credentials", false), "tick `delete:device_credentials`"),
        (|tenant| change(tenant, |own| own.logout_urls.clear()), "Allowed Logout URLs"),
        (|tenant| change(tenant, |own| own.signs_with_secret = true), "`RS256`"),
        (|tenant| tenant.hides_logout = true, "RP-Initiated Logout End Session Endpoint Discovery"),
    ];
    for (break_it, fix) in table {
        let bench = Bench::new().await;
        bench.fake().with(break_it);
        assert_faults(&oauth_findings(&bench).await, &[(Failed, fix)]);
    }
}

#[tokio::test]
async fn each_wrong_setting_of_ours_has_one_finding() {
    type Change = fn(&mut Auth0Config, &mut FederationSettings);
    let secret = "Client ID and Client Secret";
    let table: [(Change, Verdict, &str); 5] = [
        (|_, settings| settings.clients[0].secret = Some(Secret::new("wrong")), Failed, secret),
        (|_, settings| settings.clients[0].secret = None, Failed, secret),
        (|_, settings| settings.clients[1].secret = Some(Secret::new("not needed")), Failed, secret),
        (|config, _| config.accept_opaque = true, NotVisible, "`accept_opaque`"),
        (|config, _| config.custom_domain = Some("login.acme.example".into()), Failed, "`custom_domain`"),
    ];
    let mut bench = Bench::new().await;
    for (change, verdict, fix) in table {
        bench.rebuild(change);
        assert_faults(&oauth_findings(&bench).await, &[(verdict, fix)]);
    }
}

#[tokio::test]
async fn unlisted_redirect_uri_is_reported() {
    let mut bench = Bench::new().await;
    bench.rebuild(|_, settings| {
        settings.clients.truncate(1);
        settings.post_logout_redirect_uris = vec!["https://elsewhere.example/bye".into()];
    });
    assert_faults(&oauth_findings(&bench).await, &[(Failed, "Allowed Logout URLs")]);
    bench.fake().with(|tenant| change(tenant, |own| own.logout_urls.push("https://elsewhere.example/bye".into())));
    assert_faults(&oauth_findings(&bench).await, &[]);
}

#[tokio::test]
async fn settings_determine_the_scopes_of_logouts() {
    let mut bench = Bench::new().await;
    bench.rebuild(|_, settings| settings.fallback = LogoutFallback::Refuse);
    assert!(!oauth_findings(&bench).await.iter().any(|finding| finding.check.contains("device_credentials")));
    bench.rebuild(|config, _| config.enterprise_sessions = true);
    let mut findings = oauth_findings(&bench).await;
    findings.retain(|finding| finding.verdict == Failed);
    let [sessions, tokens] = findings.as_slice() else { panic!("{findings:#?}") };
    assert!(sessions.check.contains("delete:sessions") && tokens.check.contains("delete:refresh_tokens"));
}

#[tokio::test]
async fn metadata_names_the_endpoints() {
    let bench = Bench::new().await;
    let metadata = bench.oauth().metadata(&scope()).await.unwrap();
    assert_eq!(metadata.issuer, "https://fake.eu.auth0.com/");
    assert_eq!(metadata.authorization_endpoint, "https://fake.eu.auth0.com/authorize");
    assert_eq!(metadata.token_endpoint, "https://fake.eu.auth0.com/oauth/token");
    assert_eq!(metadata.jwks_uri, "https://fake.eu.auth0.com/.well-known/jwks.json");
    assert_eq!(metadata.customer_claim.as_deref(), Some("https://acme.example/customer_id"));
    assert!(metadata.scopes.contains(&"openid".to_owned()));
}
