//! The conformance suite on fakes: that of Keycloak, with a definition instead of the connector, and those of products of the catalog.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod fakes;
mod keycloak;
mod openid;

use std::process::ExitCode;

use idp_bridge_conformance::Suites;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;

fn main() -> ExitCode {
    let suites = Suites::new(env!("CARGO_TARGET_TMPDIR"))
        .add("keycloak", async {
            keycloak::with_definition("http:keycloak (fake)", KeycloakHarness::start_with_fake().await?)
        })
        .add("openid", openid::start());
    fakes::add_to(suites).run()
}
