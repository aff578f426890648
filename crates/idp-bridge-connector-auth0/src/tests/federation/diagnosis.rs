//! `doctor` for federation: one finding for each broken setting.

use idp_bridge_core::{Finding, LogoutFallback, Secret, Verdict};

use crate::fake::Tenant;
use crate::tests::{Stage, scope};

/// Returns all findings except the one about the source of the claim, which is never visible.
async fn findings(stage: &Stage) -> Vec<Finding> {
    let mut findings = stage.oauth().diagnose(&scope()).await;
    let hidden = findings.extract_if(.., |finding| finding.hides_authority()).count();
    assert_eq!(hidden, 1, "{findings:#?}");
    findings
}

/// Checks that one finding is not ok, with this verdict and a fix that contains this text.
async fn assert_one(stage: &Stage, verdict: Verdict, fix: &str) {
    let findings = findings(stage).await;
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
    let findings = findings(&stage).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    assert_eq!(findings.len(), 11);
    let writes = stage.exchanges();
    assert!(writes.iter().all(|exchange| exchange.request.method == "GET"), "{writes:?}");
}

#[tokio::test]
async fn customer_without_claim_is_visible() {
    let mut stage = Stage::new().await;
    stage.rebuild(|_, settings| settings.customer_claim = None);
    let findings = stage.oauth().diagnose(&scope()).await;
    let source = findings.iter().find(|finding| finding.authority).unwrap();
    assert_eq!(source.verdict, Verdict::Ok);
    assert!(source.detail.as_deref().unwrap().contains("`app_metadata.customer_id`"), "{source:?}");
}

#[tokio::test]
async fn each_broken_setting_has_one_finding() {
    let stage = Stage::new().await;
    let fake = stage.fake();
    for scope in ["read:device_credentials", "delete:device_credentials"] {
        fake.with(|tenant| set_scope(tenant, scope, false));
        assert_one(&stage, Verdict::Failed, &format!("tick `{scope}`")).await;
        fake.with(|tenant| set_scope(tenant, scope, true));
    }
    fake.with(|tenant| tenant.change_application("application", |own| own.logout_urls.clear()));
    assert_one(&stage, Verdict::Failed, "Allowed Logout URLs").await;
    fake.with(|tenant| tenant.change_application("application", |own| own.logout_urls.push("https://x".into())));
    fake.with(|tenant| tenant.change_application("application", |own| own.signs_with_secret = true));
    assert_one(&stage, Verdict::Failed, "`RS256`").await;
    fake.with(|tenant| tenant.change_application("application", |own| own.signs_with_secret = false));
}

#[tokio::test]
async fn redirect_uri_that_no_application_allows_is_found() {
    let mut stage = Stage::new().await;
    stage.rebuild(|_, settings| {
        settings.clients.truncate(1);
        settings.post_logout_redirect_uris = vec!["https://elsewhere.example/bye".into()];
    });
    assert_one(&stage, Verdict::Failed, "Allowed Logout URLs").await;
    let allow = |uri: &str| {
        stage.fake().with(|tenant| tenant.change_application("application", |own| own.logout_urls.push(uri.into())));
    };
    allow("https://elsewhere.example/bye");
    assert!(findings(&stage).await.iter().all(|finding| finding.verdict == Verdict::Ok));
}

#[tokio::test]
async fn hidden_logout_page_is_found() {
    let stage = Stage::new().await;
    stage.fake().with(|tenant| tenant.hides_logout = true);
    assert_one(&stage, Verdict::Failed, "RP-Initiated Logout End Session Endpoint Discovery").await;
}

#[tokio::test]
async fn wrong_and_missing_client_secrets_are_found() {
    let mut stage = Stage::new().await;
    for (number, secret) in [(0, Some(Secret::new("wrong"))), (0, None), (1, Some(Secret::new("not needed")))] {
        stage.rebuild(|_, settings| settings.clients[number].secret = secret);
        assert_one(&stage, Verdict::Failed, "Client ID and Client Secret").await;
    }
}

#[tokio::test]
async fn missing_scope_makes_applications_not_visible() {
    let stage = Stage::new().await;
    stage.fake().with(|tenant| set_scope(tenant, "read:clients", false));
    let findings = findings(&stage).await;
    let hidden: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    assert_eq!(hidden.len(), 4);
    for finding in hidden {
        assert_eq!(finding.verdict, Verdict::NotVisible);
        assert!(finding.fix.as_deref().unwrap().contains("tick `read:clients`"), "{finding:?}");
    }
}

#[tokio::test]
async fn settings_determine_the_scopes_of_logouts() {
    let mut stage = Stage::new().await;
    stage.rebuild(|_, settings| settings.fallback = LogoutFallback::Refuse);
    assert!(!findings(&stage).await.iter().any(|finding| finding.check.contains("device_credentials")));
    stage.rebuild(|config, _| config.enterprise_sessions = true);
    let findings = findings(&stage).await;
    let missing: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Failed)
        .map(|finding| finding.check.as_str())
        .collect();
    assert_eq!(missing.len(), 2);
    assert!(missing[0].contains("delete:sessions") && missing[1].contains("delete:refresh_tokens"), "{missing:?}");
}

#[tokio::test]
async fn accepted_opaque_tokens_are_reported() {
    let mut stage = Stage::new().await;
    stage.rebuild(|config, _| config.accept_opaque = true);
    assert_one(&stage, Verdict::NotVisible, "`accept_opaque`").await;
}

#[tokio::test]
async fn another_issuer_is_found() {
    let mut stage = Stage::new().await;
    stage.rebuild(|config, _| config.custom_domain = Some("login.acme.example".into()));
    assert_one(&stage, Verdict::Failed, "`custom_domain`").await;
}

#[tokio::test]
async fn metadata_names_the_endpoints() {
    let stage = Stage::new().await;
    let metadata = stage.oauth().metadata(&scope()).await.unwrap();
    assert_eq!(metadata.issuer, "https://fake.eu.auth0.com/");
    assert_eq!(metadata.authorization_endpoint, "https://fake.eu.auth0.com/authorize");
    assert_eq!(metadata.token_endpoint, "https://fake.eu.auth0.com/oauth/token");
    assert_eq!(metadata.jwks_uri, "https://fake.eu.auth0.com/.well-known/jwks.json");
    assert_eq!(metadata.customer_claim.as_deref(), Some("https://acme.example/customer_id"));
    assert!(metadata.scopes.contains(&"openid".to_owned()));
}
