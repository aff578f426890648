//! Runs the conformance suite on the identity providers of the labs.

#[path = "../../crates/idp-bridge-connector-http/testing/tests/keycloak/mod.rs"]
mod keycloak_definition;
mod settings;

use std::collections::BTreeMap;
use std::process::ExitCode;

use idp_bridge_conformance::{Suites, TestResult};
use idp_bridge_connector_cognito_testing::harness::{StandIn, StandInHarness};
use idp_bridge_connector_http::{HttpConfig, catalog};
use idp_bridge_connector_http_testing::DefinitionHarness;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_connector_oidc_testing::harness::ServerHarness;
use idp_bridge_core::Secret;
use settings::Lab;

fn main() -> ExitCode {
    Suites::new(env!("CARGO_TARGET_TMPDIR"))
        .add("cognito", cognito())
        .add("keycloak", keycloak())
        .add("keycloak-definition", async {
            keycloak_definition::with_definition("http:keycloak (real)", keycloak().await?)
        })
        .add("oidc", oidc())
        .add("pocketbase", definition("pocketbase"))
        .add("scim2", definition("scim2"))
        .add("keycloak-scim", async { Ok(definition("keycloak").await?.named("http:scim2 (Keycloak)")) })
        .add("better-auth", definition("better-auth"))
        .add("kratos", definition("kratos"))
        .add("parse-server", definition("parse-server"))
        .add("firebase", async { Ok(definition("firebase").await?.named("http:firebase (emulator)")) })
        .run()
}

async fn cognito() -> TestResult<StandInHarness> {
    let lab = Lab::find("cognito")?;
    let text = |name: &str| lab.get_text(&format!("/ministack/{name}"));
    let key = (text("access_key_id")?, text("secret_access_key")?);
    let stand_in = StandIn::new("cognito (ministack)", &text("url")?, &text("region")?, (&key.0, &key.1));
    StandInHarness::start(stand_in).await
}

async fn keycloak() -> TestResult<KeycloakHarness> {
    KeycloakHarness::start(Lab::find("keycloak")?.server()?).await
}

/// The harness of a server that a definition of the catalog describes.
async fn definition(lab: &str) -> TestResult<DefinitionHarness> {
    let lab = Lab::find(lab)?;
    let name = lab.get_text("/definition/name")?;
    let texts = |pointer: &str| -> TestResult<BTreeMap<String, String>> {
        Ok(serde_json::from_value(lab.get(pointer)?.clone())?)
    };
    let mut config = HttpConfig::new(&name);
    config.settings = texts("/definition/settings")?;
    config.secrets = texts("/definition/secrets")?.into_iter().map(|(name, text)| (name, Secret::new(text))).collect();
    // A product that the stage cannot configure sends its mails to this port.
    let smtp_port = lab.get("/smtp_port").ok().and_then(serde_json::Value::as_u64).unwrap_or_default();
    DefinitionHarness::start(name.clone(), catalog::find(&name)?.to_owned(), config, smtp_port.try_into()?).await
}

async fn oidc() -> TestResult<ServerHarness> {
    ServerHarness::new(Lab::find("oidc")?.openid_server()?)
}
