//! The settings of a running lab, read from a file such as `.lab/keycloak.json`.

use std::path::{Path, PathBuf};

use idp_bridge_connector_keycloak_testing::harness::{Maildir, Server, SmtpServer};
use idp_bridge_connector_oidc_testing::harness::Server as OpenIdServer;
use idp_bridge_core::{OauthClient, Secret};
use serde_json::Value;

/// The settings of the lab.
#[derive(Debug, Clone)]
pub(crate) struct Lab(Value);

/// Returns the folder of the labs, and of what the tests install.
#[expect(clippy::disallowed_methods, reason = "`cargo xtask test` names the folder by a variable")]
pub(crate) fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.lab");
    std::env::var_os("IDP_BRIDGE_LAB").map_or(default, PathBuf::from)
}

impl Lab {
    /// Reads the settings of a lab. The error of a missing lab says how to start one.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let path = folder().join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let how = format!("start one with `cargo xtask lab {name} --detach`, or run `cargo xtask test`");
            format!("no lab runs ({}: {error}); {how}", path.display())
        })?;
        serde_json::from_str(&text).map(Self).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Returns a setting by its JSON pointer.
    pub(crate) fn get(&self, pointer: &str) -> Result<&Value, String> {
        self.0.pointer(pointer).ok_or_else(|| format!("the lab has no setting {pointer}"))
    }

    /// Returns a text setting.
    pub(crate) fn get_text(&self, pointer: &str) -> Result<String, String> {
        let text = self.get(pointer)?.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("the lab's setting {pointer} is not a text"))
    }

    /// Returns the Keycloak server, for a harness that creates realms.
    pub(crate) fn server(&self) -> Result<Server, String> {
        let port = self.get("/smtp/port")?.as_u64().and_then(|port| port.try_into().ok());
        let smtp = SmtpServer {
            host: self.get_text("/smtp/host")?,
            port: port.ok_or("the lab's SMTP port is not a port number")?,
        };
        let admin = (self.get_text("/keycloak/admin_username")?, self.get_text("/keycloak/admin_password")?);
        let mails = Maildir::new(self.get_text("/smtp/maildir")?);
        Ok(Server::real(self.get_text("/keycloak/url")?, (&admin.0, &admin.1), smtp, mails))
    }

    /// Returns the OpenID Provider, with its clients.
    pub(crate) fn openid_server(&self) -> Result<OpenIdServer, String> {
        let text = |name: &str| self.get_text(&format!("/provider/{name}"));
        let client = |name: &str| -> Result<OauthClient, String> {
            let secret = text(&format!("{name}/secret"))?;
            Ok(OauthClient { id: text(&format!("{name}/id"))?, secret: Some(Secret::new(secret)) })
        };
        Ok(OpenIdServer {
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
}
