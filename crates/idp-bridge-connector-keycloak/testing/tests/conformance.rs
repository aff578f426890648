//! The conformance suite against the fake. The real Keycloak has the same harness, and is tested from the workspace's lab.

use std::process::ExitCode;

use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), KeycloakHarness::start_with_fake())
}
