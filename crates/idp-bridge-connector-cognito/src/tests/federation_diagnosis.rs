//! The checks of `doctor` for federation with one fault.

use idp_bridge_conformance::FederationHarness as _;
use idp_bridge_core::{
    Connector as _, ConnectorContext, Directory, FederationSettings, Finding, IdentityProvider, TenantId, Verdict,
};
use serde_json::{Value, json};

use super::federation::custom;
use super::{Stage, scope};
use crate::harness::federation::settings;
use crate::{Cognito, CognitoConfig, CognitoStore};

/// Returns the findings that are not ok.
async fn faults(provider: &dyn IdentityProvider) -> Vec<Finding> {
    let mut findings = provider.federation().unwrap().diagnose(&scope()).await;
    findings.retain(|finding| finding.verdict != Verdict::Ok);
    findings
}

/// Checks that exactly these findings are not ok, by their verdict and a part of their fix.
async fn assert_faults(provider: &dyn IdentityProvider, expected: &[(Verdict, &str)]) {
    let faults = faults(provider).await;
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (finding, (verdict, fix)) in faults.iter().zip(expected) {
        assert_eq!(finding.verdict, *verdict, "{finding:#?}");
        assert!(finding.fix.as_deref().unwrap().contains(fix), "{finding:#?}");
    }
}

fn provider(stage: &Stage, change: impl FnOnce(&mut CognitoConfig)) -> Directory<CognitoStore> {
    let mut config = stage.harness.config();
    change(&mut config);
    let context = ConnectorContext::new(TenantId::new("initech").unwrap());
    Cognito::build(config, &ConnectorContext { federation: Some(settings()), ..context }).unwrap()
}

#[tokio::test]
async fn healthy_pool_passes_without_logins() {
    let stage = Stage::new().await;
    let findings = stage.oauth().diagnose(&scope()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    // Keys, document and domain; six for each client; and the right to sign users out.
    assert_eq!(findings.len(), 3 + 2 * 6 + 1);
    let requests = stage.requests();
    let sign_outs: Vec<&String> = requests.iter().filter(|request| request.starts_with("Admin")).collect();
    assert!(sign_outs.iter().all(|request| request.starts_with("AdminUserGlobalSignOut nobody-")), "{requests:?}");
    assert_eq!(sign_outs.len(), 1);
}

#[tokio::test]
async fn each_wrong_client_setting_is_reported() {
    let stage = Stage::new().await;
    let url = "sign-out URLs";
    for (name, value, fix) in [
        ("AllowedOAuthScopes", json!(["openid", "email"]), "the scopes `OpenID` and `Profile`"),
        ("AllowedOAuthScopes", Value::Null, "the scopes `OpenID` and `Profile`"),
        ("LogoutURLs", json!([]), url),
        ("LogoutURLs", Value::Null, url),
        ("EnableTokenRevocation", json!(false), "enable token revocation"),
        ("EnableTokenRevocation", Value::Null, "enable token revocation"),
        ("ReadAttributes", json!(["email"]), "let it read `preferred_username`"),
        ("WriteAttributes", json!(["preferred_username"]), "do not let it write `preferred_username`"),
        ("WriteAttributes", Value::Null, "do not let it write `preferred_username`"),
        ("ClientSecret", json!("another"), "copy the Client secret"),
        ("ClientSecret", Value::Null, "copy the Client secret"),
    ] {
        stage.fake().with(|pool| drop(pool.app_clients[0].settings.insert(name.into(), value.clone())));
        assert_faults(&stage.provider, &[(Verdict::Failed, fix)]).await;
        stage.fake().with(|pool| drop(pool.app_clients[0].settings.remove(name)));
    }
}

#[tokio::test]
async fn unlisted_sign_out_url_is_reported() {
    let stage = Stage::new().await;
    let redirect_to = |uri: &str| FederationSettings { post_logout_redirect_uris: vec![uri.into()], ..settings() };
    let fix = "add every URL of `post_logout_redirect_uris`";
    assert_faults(&stage.provider_with(redirect_to("https://elsewhere.example/bye")), &[(Verdict::Failed, fix); 2])
        .await;
    let allowed = stage.fake().with(|pool| pool.app_clients[0].logout_urls[0].clone());
    assert_faults(&stage.provider_with(redirect_to(&allowed)), &[]).await;
}

#[tokio::test]
async fn claim_writable_by_another_client_fails() {
    let stage = Stage::new().await;
    let claim = || FederationSettings { customer_claim: Some("custom:company".into()), ..settings() };
    let readable = Some(["custom:company".to_owned()].into());
    stage.fake().with(|pool| {
        pool.app_clients.iter_mut().for_each(|client| client.readable = readable.clone());
        let foreign = pool.app_clients.last_mut().unwrap();
        drop(foreign.settings.insert("WriteAttributes".into(), json!(["custom:company"])));
    });
    let fix = "`5fakeforeignclient` → Attribute permissions: do not let it write `custom:company`";
    assert_faults(&stage.provider_with(claim()), &[(Verdict::Failed, fix)]).await;
}

#[tokio::test]
async fn custom_attribute_must_be_readable() {
    let stage = Stage::with(custom).await;
    let fix = "let it read `custom:customer_id`";
    assert_faults(&stage.provider, &[(Verdict::Failed, fix); 2]).await;
    let readable = Some(["custom:customer_id".to_owned()].into());
    stage.fake().with(|pool| pool.app_clients.iter_mut().for_each(|client| client.readable = readable.clone()));
    assert_faults(&stage.provider, &[]).await;
}

#[tokio::test]
async fn missing_rights_are_reported() {
    let stage = Stage::new().await;
    stage.allow("AdminUserGlobalSignOut", false);
    assert_faults(&stage.provider, &[(Verdict::Failed, "allow `cognito-idp:AdminUserGlobalSignOut`")]).await;
    stage.allow("AdminUserGlobalSignOut", true);
    stage.allow("DescribeUserPoolClient", false);
    assert_faults(&stage.provider, &[(Verdict::NotVisible, "allow `cognito-idp:DescribeUserPoolClient`"); 10]).await;
}

#[tokio::test]
async fn domain_finds_a_wrong_secret() {
    let stage = Stage::new().await;
    stage.allow("DescribeUserPoolClient", false);
    let provider = stage.harness.provider_with_wrong_client_secret().await.unwrap();
    let failed: Vec<_> =
        faults(&*provider).await.into_iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    let [failed] = failed.as_slice() else { panic!("{failed:#?}") };
    assert!(failed.fix.as_deref().unwrap().contains("copy the Client secret"), "{failed:?}");
}

#[tokio::test]
async fn wrong_domain_and_issuer_are_reported() {
    let stage = Stage::new().await;
    let other = Stage::new().await;
    // The domain of another pool has none of the clients. Another server does not respond as a domain does.
    other.fake().with(|pool| pool.app_clients.clear());
    let elsewhere = provider(&stage, |config| config.domain = Some(other.fake().url()));
    assert_faults(&elsewhere, &[(Verdict::Failed, "Client secret"), (Verdict::Failed, "Client secret")]).await;
    let nowhere = provider(&stage, |config| config.domain = Some(format!("{}/elsewhere", stage.fake().url())));
    let domain = (Verdict::Failed, "copy it to `domain`");
    let foreign = (Verdict::Failed, "check the URLs in the settings");
    assert_faults(&nowhere, &[domain, foreign, foreign]).await;
    let no_issuer = provider(&stage, |config| config.issuer_endpoint = Some("http://127.0.0.1:9".into()));
    let faults = faults(&no_issuer).await;
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].check.contains("keys") && faults[1].check.contains("document"), "{faults:#?}");
}
