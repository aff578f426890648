//! The conformance suite against the fake.

use std::process::ExitCode;

use idp_bridge_connector_auth0_testing::harness::Auth0Harness;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), Auth0Harness::start())
}
