//! Runs the conformance suite on the lab's OpenID Provider.

#[expect(dead_code, reason = "the tests on Keycloak use the rest of it")]
mod settings;

use std::process::ExitCode;

use idp_bridge_conformance::Staged;
use idp_bridge_connector_oidc_testing::harness::ServerHarness;
use settings::Lab;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), harness())
}

async fn harness() -> Staged<ServerHarness> {
    ServerHarness::new(Lab::find("oidc")?.openid_server()?)
}
