//! The conformance suite against the fake.

use std::process::ExitCode;

use idp_bridge_connector_cognito_testing::harness::CognitoHarness;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), CognitoHarness::start_with_fake())
}
