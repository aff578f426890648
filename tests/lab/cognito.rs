//! Runs the conformance suite on the lab's stand-in for Amazon Cognito.

#[expect(dead_code, reason = "the tests on Keycloak use the rest of it")]
mod settings;

use std::process::ExitCode;

use idp_bridge_conformance::Staged;
use idp_bridge_connector_cognito_testing::harness::{StandIn, StandInHarness};
use settings::Lab;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), harness())
}

async fn harness() -> Staged<StandInHarness> {
    let lab = Lab::find("cognito")?;
    let text = |name: &str| lab.get_text(&format!("/ministack/{name}"));
    let key = (text("access_key_id")?, text("secret_access_key")?);
    let stand_in = StandIn::new("cognito (ministack)", &text("url")?, &text("region")?, (&key.0, &key.1));
    StandInHarness::start(stand_in).await
}
