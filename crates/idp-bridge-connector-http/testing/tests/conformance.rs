//! The conformance suite on the fake of Keycloak, with the definition of Keycloak instead of its connector.

mod keycloak;

use std::process::ExitCode;

use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), async {
        keycloak::with_definition("http:keycloak (fake)", KeycloakHarness::start_with_fake().await?)
    })
}
