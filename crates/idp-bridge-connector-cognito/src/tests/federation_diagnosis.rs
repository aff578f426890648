//! What `doctor` says of federation that was broken in one way.

use idp_bridge_conformance::FederationHarness as _;
use idp_bridge_core::{
    Connector as _, ConnectorContext, FederationSettings, Finding, IdentityProvider, TenantId, Verdict,
};
use serde_json::{Value, json};

use super::federation::custom;
use super::{Stage, scope};
use crate::harness::federation::settings;
use crate::{Cognito, CognitoConfig};

async fn wrong(provider: &dyn IdentityProvider) -> Vec<Finding> {
    let mut findings = provider.federation().unwrap().diagnose(&scope()).await;
    findings.retain(|finding| finding.verdict != Verdict::Ok);
    findings
}

/// That exactly these findings are not ok, told by their verdict and a part of what mends them.
async fn only(provider: &dyn IdentityProvider, expected: &[(Verdict, &str)]) {
    let wrong = wrong(provider).await;
    assert_eq!(wrong.len(), expected.len(), "{wrong:#?}");
    for (finding, (verdict, fix)) in wrong.iter().zip(expected) {
        assert_eq!(finding.verdict, *verdict, "{finding:#?}");
        assert!(finding.fix.as_deref().unwrap().contains(fix), "{finding:#?}");
    }
}

fn provider(stage: &Stage, change: impl FnOnce(&mut CognitoConfig)) -> Cognito {
    let mut config = stage.harness.config();
    change(&mut config);
    let context = ConnectorContext::new(TenantId::new("initech").unwrap());
    Cognito::build(config, &ConnectorContext { federation: Some(settings()), ..context }).unwrap()
}

#[tokio::test]
async fn a_healthy_pool_is_all_ok_and_nobody_is_signed_in_or_out() {
    let stage = Stage::new().await;
    let findings = stage.oauth().diagnose(&scope()).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    // Keys, document and domain; six of each client; and the right to sign users out.
    assert_eq!(findings.len(), 3 + 2 * 6 + 1);
    let requests = stage.requests();
    let sign_outs: Vec<&String> = requests.iter().filter(|request| request.starts_with("Admin")).collect();
    assert!(sign_outs.iter().all(|request| request.starts_with("AdminUserGlobalSignOut nobody-")), "{requests:?}");
    assert_eq!(sign_outs.len(), 1);
}

#[tokio::test]
async fn each_broken_setting_of_a_client_is_found_alone_with_its_step() {
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
        only(&stage.provider, &[(Verdict::Failed, fix)]).await;
        stage.fake().with(|pool| drop(pool.app_clients[0].settings.remove(name)));
    }
}

#[tokio::test]
async fn a_way_back_that_no_client_allows_is_found() {
    let stage = Stage::new().await;
    let back_to = |uri: &str| FederationSettings { post_logout_redirect_uris: vec![uri.into()], ..settings() };
    let fix = "add every URL of `post_logout_redirect_uris`";
    only(&stage.provider_with(back_to("https://elsewhere.example/bye")), &[(Verdict::Failed, fix); 2]).await;
    let allowed = stage.fake().with(|pool| pool.app_clients[0].logout_urls[0].clone());
    only(&stage.provider_with(back_to(&allowed)), &[]).await;
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
    only(&stage.provider_with(claim()), &[(Verdict::Failed, fix)]).await;
}

#[tokio::test]
async fn a_custom_attribute_must_be_listed_to_be_read() {
    let stage = Stage::with(custom).await;
    let fix = "let it read `custom:customer_id`";
    only(&stage.provider, &[(Verdict::Failed, fix); 2]).await;
    let readable = Some(["custom:customer_id".to_owned()].into());
    stage.fake().with(|pool| pool.app_clients.iter_mut().for_each(|client| client.readable = readable.clone()));
    only(&stage.provider, &[]).await;
}

#[tokio::test]
async fn each_missing_right_is_found_or_hides_what_it_hides() {
    let stage = Stage::new().await;
    stage.allow("AdminUserGlobalSignOut", false);
    only(&stage.provider, &[(Verdict::Failed, "allow `cognito-idp:AdminUserGlobalSignOut`")]).await;
    stage.allow("AdminUserGlobalSignOut", true);
    stage.allow("DescribeUserPoolClient", false);
    only(&stage.provider, &[(Verdict::NotVisible, "allow `cognito-idp:DescribeUserPoolClient`"); 10]).await;
}

#[tokio::test]
async fn a_wrong_secret_is_found_by_the_domain_where_the_pool_may_not_be_asked() {
    let stage = Stage::new().await;
    stage.allow("DescribeUserPoolClient", false);
    let provider = stage.harness.provider_with_wrong_client_secret().await.unwrap();
    let failed: Vec<_> =
        wrong(&*provider).await.into_iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    let [failed] = failed.as_slice() else { panic!("{failed:#?}") };
    assert!(failed.fix.as_deref().unwrap().contains("copy the Client secret"), "{failed:?}");
}

#[tokio::test]
async fn a_wrong_domain_and_a_wrong_issuer_are_found() {
    let stage = Stage::new().await;
    let other = Stage::new().await;
    // The domain of another pool knows none of the clients; what is none at all does not even answer like one.
    other.fake().with(|pool| pool.app_clients.clear());
    let elsewhere = provider(&stage, |config| config.domain = Some(other.fake().url()));
    only(&elsewhere, &[(Verdict::Failed, "Client secret"), (Verdict::Failed, "Client secret")]).await;
    let nowhere = provider(&stage, |config| config.domain = Some(format!("{}/elsewhere", stage.fake().url())));
    let domain = (Verdict::Failed, "copy it to `domain`");
    only(&nowhere, &[domain, (Verdict::NotVisible, "sign in once"), (Verdict::NotVisible, "sign in once")]).await;
    let no_issuer = provider(&stage, |config| config.issuer_endpoint = Some("http://127.0.0.1:9".into()));
    let wrong = wrong(&no_issuer).await;
    assert_eq!(wrong.len(), 2, "{wrong:#?}");
    assert!(wrong[0].check.contains("keys") && wrong[1].check.contains("document"), "{wrong:#?}");
}
