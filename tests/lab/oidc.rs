//! The conformance suite on the real OpenID Provider that the lab runs.

#[expect(dead_code, reason = "the tests on Keycloak use the rest of it")]
mod settings;

use std::process::ExitCode;

use idp_bridge_conformance::Staged;
use idp_bridge_connector_oidc::harness::{Server, ServerHarness};
use idp_bridge_core::{OauthClient, Secret};
use settings::Lab;

fn main() -> ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), harness())
}

async fn harness() -> Staged<ServerHarness> {
    let lab = Lab::find("oidc")?;
    let text = |name: &str| lab.get_text(&format!("/provider/{name}"));
    let client = |name: &str| -> Result<OauthClient, String> {
        let secret = text(&format!("{name}/secret"))?;
        Ok(OauthClient { id: text(&format!("{name}/id"))?, secret: Some(Secret::new(secret)) })
    };
    ServerHarness::new(Server {
        name: "oidc (node-oidc-provider)".to_owned(),
        issuer: text("issuer")?,
        control_key: Secret::new(text("control_key")?),
        app: client("app")?,
        public_app: OauthClient { id: text("public_app_id")?, secret: None },
        stranger: client("stranger")?,
        bridge: client("bridge")?,
        redirect_uri: text("redirect_uri")?,
        post_logout_redirect_uri: text("post_logout_redirect_uri")?,
    })
}
