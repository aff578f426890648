//! The federation of a definition with the harness of the connector `oidc`, on the fake OpenID Provider.

use idp_bridge_conformance::{Setup, TestResult};
use idp_bridge_connector_http::HttpConfig;
use idp_bridge_connector_http_testing::WithDefinition;
use idp_bridge_connector_oidc_testing::harness::OidcHarness;
use idp_bridge_core::ConnectorContext;

const DEFINITION: &str = include_str!("../../definitions/openid.toml");

/// Starts the harness with the providers of the definition.
pub(crate) async fn start() -> TestResult<WithDefinition<OidcHarness>> {
    WithDefinition::new("http:openid (fake)", DEFINITION, OidcHarness::start().await?, settings)
}

fn settings(harness: &OidcHarness, setup: Setup<'_>) -> TestResult<(HttpConfig, ConnectorContext)> {
    let (config, context) = harness.settings_for(setup)?;
    let mut http = HttpConfig::default();
    let id = config.client_id.ok_or("the settings lack a client")?;
    http.settings.extend([("issuer".to_owned(), config.issuer), ("client_id".to_owned(), id)]);
    let secret = config.client_secret.ok_or("the client has no secret")?;
    http.secrets.insert("client_secret".to_owned(), secret);
    Ok((http, context))
}
