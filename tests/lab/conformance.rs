//! Runs the conformance suite on the identity providers of the labs.

mod settings;

use std::process::ExitCode;

use idp_bridge_conformance::{Staged, Suites};
use idp_bridge_connector_cognito_testing::harness::{StandIn, StandInHarness};
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_connector_oidc_testing::harness::ServerHarness;
use settings::Lab;

fn main() -> ExitCode {
    Suites::new(env!("CARGO_TARGET_TMPDIR"))
        .add("cognito", cognito())
        .add("keycloak", keycloak())
        .add("oidc", oidc())
        .run()
}

async fn cognito() -> Staged<StandInHarness> {
    let lab = Lab::find("cognito")?;
    let text = |name: &str| lab.get_text(&format!("/ministack/{name}"));
    let key = (text("access_key_id")?, text("secret_access_key")?);
    let stand_in = StandIn::new("cognito (ministack)", &text("url")?, &text("region")?, (&key.0, &key.1));
    StandInHarness::start(stand_in).await
}

async fn keycloak() -> Staged<KeycloakHarness> {
    KeycloakHarness::start(Lab::find("keycloak")?.server()?).await
}

async fn oidc() -> Staged<ServerHarness> {
    ServerHarness::new(Lab::find("oidc")?.openid_server()?)
}
