//! What `doctor` says of federation in a tenant that was broken in one way.

use idp_bridge_core::{Finding, LogoutFallback, Secret, Verdict};

use crate::fake::Tenant;
use crate::tests::{Stage, scope};

/// All findings but the one about the source of the claim, which is never visible.
async fn findings(stage: &Stage) -> Vec<Finding> {
    let mut findings = stage.oauth().diagnose(&scope()).await;
    let hidden = findings.extract_if(.., |finding| finding.hides_authority()).count();
    assert_eq!(hidden, 1, "{findings:#?}");
    findings
}

/// The one finding that is not ok, and part of what it should say.
async fn only(stage: &Stage, verdict: Verdict, fix: &str) {
    let findings = findings(stage).await;
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    let [wrong] = wrong.as_slice() else { panic!("{wrong:#?}") };
    assert_eq!(wrong.verdict, verdict, "{wrong:?}");
    assert!(wrong.fix.as_deref().unwrap().contains(fix), "{wrong:?}");
}

/// Takes a scope of the bridge's application, or gives it back.
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
async fn a_healthy_tenant_is_all_ok_and_nothing_is_changed() {
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
async fn each_broken_thing_is_found_alone_with_its_step() {
    let stage = Stage::new().await;
    let fake = stage.fake();
    for scope in ["read:device_credentials", "delete:device_credentials"] {
        fake.with(|tenant| set_scope(tenant, scope, false));
        only(&stage, Verdict::Failed, &format!("tick `{scope}`")).await;
        fake.with(|tenant| set_scope(tenant, scope, true));
    }
    fake.with(|tenant| tenant.change_application("application", |own| own.logout_urls.clear()));
    only(&stage, Verdict::Failed, "Allowed Logout URLs").await;
    fake.with(|tenant| tenant.change_application("application", |own| own.logout_urls.push("https://x".into())));
    fake.with(|tenant| tenant.change_application("application", |own| own.signs_with_secret = true));
    only(&stage, Verdict::Failed, "`RS256`").await;
    fake.with(|tenant| tenant.change_application("application", |own| own.signs_with_secret = false));
}

#[tokio::test]
async fn a_way_back_that_no_application_allows_is_found() {
    let mut stage = Stage::new().await;
    stage.rebuild(|_, settings| {
        settings.clients.truncate(1);
        settings.post_logout_redirect_uris = vec!["https://elsewhere.example/bye".into()];
    });
    only(&stage, Verdict::Failed, "Allowed Logout URLs").await;
    let allow = |uri: &str| {
        stage.fake().with(|tenant| tenant.change_application("application", |own| own.logout_urls.push(uri.into())));
    };
    allow("https://elsewhere.example/bye");
    assert!(findings(&stage).await.iter().all(|finding| finding.verdict == Verdict::Ok));
}

#[tokio::test]
async fn the_switch_of_the_logout_page_is_found() {
    let stage = Stage::new().await;
    stage.fake().with(|tenant| tenant.hides_logout = true);
    only(&stage, Verdict::Failed, "RP-Initiated Logout End Session Endpoint Discovery").await;
}

#[tokio::test]
async fn a_wrong_secret_is_found_without_a_login_and_a_needed_one_too() {
    let mut stage = Stage::new().await;
    for (number, secret) in [(0, Some(Secret::new("wrong"))), (0, None), (1, Some(Secret::new("not needed")))] {
        stage.rebuild(|_, settings| settings.clients[number].secret = secret);
        only(&stage, Verdict::Failed, "Client ID and Client Secret").await;
    }
}

#[tokio::test]
async fn what_a_missing_scope_hides_is_not_visible() {
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
async fn the_settings_say_which_scopes_a_logout_needs() {
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
async fn opaque_tokens_are_never_all_right() {
    let mut stage = Stage::new().await;
    stage.rebuild(|config, _| config.accept_opaque = true);
    only(&stage, Verdict::NotVisible, "`accept_opaque`").await;
}

#[tokio::test]
async fn a_domain_that_is_not_the_issuer_is_found() {
    let mut stage = Stage::new().await;
    stage.rebuild(|config, _| config.custom_domain = Some("login.acme.example".into()));
    only(&stage, Verdict::Failed, "`custom_domain`").await;
}

#[tokio::test]
async fn an_application_may_know_in_public_where_to_log_in() {
    let stage = Stage::new().await;
    let metadata = stage.oauth().metadata(&scope()).await.unwrap();
    assert_eq!(metadata.issuer, "https://fake.eu.auth0.com/");
    assert_eq!(metadata.authorization_endpoint, "https://fake.eu.auth0.com/authorize");
    assert_eq!(metadata.token_endpoint, "https://fake.eu.auth0.com/oauth/token");
    assert_eq!(metadata.jwks_uri, "https://fake.eu.auth0.com/.well-known/jwks.json");
    assert_eq!(metadata.customer_claim.as_deref(), Some("https://acme.example/customer_id"));
    assert!(metadata.scopes.contains(&"openid".to_owned()));
}
