//! The definition of Keycloak with the harness of its connector, on the fake and on a real Keycloak.

use idp_bridge_conformance::{Setup, TestResult};
use idp_bridge_connector_http::HttpConfig;
use idp_bridge_connector_http_testing::WithDefinition;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_core::ConnectorContext;

const DEFINITION: &str = include_str!("../../definitions/keycloak.toml");

/// Returns the harness with the providers of the definition.
pub(crate) fn with_definition(name: &str, inner: KeycloakHarness) -> TestResult<WithDefinition<KeycloakHarness>> {
    WithDefinition::new(name, DEFINITION, inner, settings)
}

fn settings(harness: &KeycloakHarness, setup: Setup<'_>) -> TestResult<(HttpConfig, ConnectorContext)> {
    let (config, context) = harness.settings(setup)?;
    let mut http = HttpConfig::default();
    let settings = [("url", config.url), ("realm", config.realm), ("client_id", config.client_id)];
    http.settings.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    let secret = config.client_secret.ok_or("the client has no secret")?;
    http.secrets.insert("client_secret".to_owned(), secret);
    Ok((http, context))
}
