//! The conformance suite against the fake.

use std::process::ExitCode;

use idp_bridge_connector_oidc_testing::harness::OidcHarness;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), OidcHarness::start())
}
