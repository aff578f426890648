//! The findings for an OAuth side with one fault.

use idp_bridge_conformance::fixture::assert_faults;
use idp_bridge_core::{Connector as _, ConnectorContext, FederationSettings, Finding, TenantId, Verdict};

use super::*;
use idp_bridge_connector_keycloak::{Keycloak, KeycloakConfig};

async fn findings(config: KeycloakConfig, settings: FederationSettings) -> Vec<Finding> {
    let mut context = ConnectorContext::new(TenantId::new("t").unwrap());
    context.federation = Some(settings);
    let provider = Keycloak::build(config, &context).unwrap();
    provider.federation().unwrap().diagnose(&scope()).await
}

/// Returns settings with only these clients.
fn only(stage: &Stage, ids: &[&str]) -> FederationSettings {
    let clients = stage.harness.clients().into_iter().filter(|client| ids.contains(&client.id.as_str())).collect();
    FederationSettings { clients, ..FederationSettings::default() }
}

#[tokio::test]
async fn each_fault_is_found_alone() {
    let stage = Stage::new().await;
    let config = || stage.harness.config();
    let all = findings(config(), only(&stage, &["web", "spa", "light"])).await;
    assert_faults(&all, &[]);

    let mut elsewhere = config();
    elsewhere.issuer = Some("https://login.acme.example/realms/acme".into());
    let found = findings(elsewhere, only(&stage, &["web"])).await;
    assert_faults(&found, &[(Verdict::Failed, "set `issuer`")]);

    let mut wrong = only(&stage, &["web"]);
    wrong.clients[0].secret = Some(idp_bridge_core::Secret::new("wrong"));
    assert_faults(&findings(config(), wrong).await, &[(Verdict::Failed, "copy its Client Secret")]);

    let mut claim = only(&stage, &["web"]);
    claim.customer_claim = Some("unmapped_claim".into());
    assert_faults(&findings(config(), claim).await, &[(Verdict::Failed, "`unmapped_claim`")]);

    let mut redirects = only(&stage, &["web"]);
    redirects.post_logout_redirect_uris = vec!["https://elsewhere.example/bye".into()];
    assert_faults(&findings(config(), redirects).await, &[(Verdict::Failed, "Valid post logout redirect URIs")]);

    stage.harness.set_role("view-clients", false).await.unwrap();
    assert_faults(&findings(config(), only(&stage, &["web"])).await, &[(Verdict::NotVisible, "`view-clients`")]);
    stage.harness.set_role("view-clients", true).await.unwrap();

    stage.harness.remove_audience("light").await.unwrap();
    assert_faults(&findings(config(), only(&stage, &["light"])).await, &[(Verdict::Failed, "Audience")]);
}

#[tokio::test]
async fn claim_from_user_editable_attribute_fails() {
    let stage = Stage::new().await;
    stage.harness.map_customer("web", "oidc-usermodel-attribute-mapper", "firstName").await.unwrap();
    let found = findings(stage.harness.config(), only(&stage, &["web", "spa"])).await;
    assert_faults(&found, &[(Verdict::Failed, "`firstName`: `Who can edit?` only Admin")]);
    assert!(found.iter().any(|finding| finding.authority && finding.verdict == Verdict::Failed));
}

#[tokio::test]
async fn claim_from_unknown_source_hides_authority() {
    let stage = Stage::new().await;
    stage.harness.map_customer("web", "oidc-usersessionmodel-note-mapper", "note").await.unwrap();
    let found = findings(stage.harness.config(), only(&stage, &["web"])).await;
    assert_faults(&found, &[(Verdict::NotVisible, "check where its values come from")]);
    assert!(found.iter().any(Finding::hides_authority));
}

#[tokio::test]
async fn hidden_applications_hide_authority() {
    let stage = Stage::new().await;
    stage.harness.set_role("view-clients", false).await.unwrap();
    let found = findings(stage.harness.config(), only(&stage, &["web"])).await;
    assert!(found.iter().any(Finding::hides_authority), "{found:#?}");
}

#[tokio::test]
async fn missing_client_fails_twice() {
    let stage = Stage::new().await;
    let mut settings = only(&stage, &["spa"]);
    settings.clients[0].id = "unknown".into();
    let found = findings(stage.harness.config(), settings).await;
    let failed = found.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
    assert_eq!(failed, 2, "{found:#?}");
}
