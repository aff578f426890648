//! Runs the conformance suite on the lab's Keycloak.

#[expect(dead_code, reason = "the tests on the OpenID Provider use the rest of it")]
mod settings;

use std::process::ExitCode;

use idp_bridge_conformance::Staged;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use settings::Lab;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), harness())
}

async fn harness() -> Staged<KeycloakHarness> {
    KeycloakHarness::start(Lab::find("keycloak")?.server()?).await
}
