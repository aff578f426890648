//! A tenant's settings of the connector for any OpenID Provider.

use idp_bridge_core::{Error, OauthClient, Result, Secret};
use idp_bridge_http::oidc::ClientAuthentication;
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one OpenID Provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Oidc")]
#[non_exhaustive]
pub struct OidcConfig {
    /// The issuer, exactly as tokens and the discovery document name it, with or without a slash at its end. The document is at
    /// `/.well-known/openid-configuration` below it.
    pub issuer: String,

    /// Hosts, beside the issuer's, that the endpoints of the discovery document may be at.
    #[serde(default)]
    pub hosts: Vec<String>,

    /// The client that the bridge asks the introspection endpoint as. Without it the bridge asks userinfo, and takes only
    /// access tokens that are signed.
    #[serde(default)]
    pub client_id: Option<String>,

    /// That client's secret.
    #[serde(default)]
    pub client_secret: Option<Secret>,

    /// Where clients put their secret: this one, and those of `federation.clients`.
    #[serde(default)]
    pub client_secret_in: ClientSecretIn,

    /// The claim of access tokens, or of their introspection, that names the login, mostly `sid`. Without it a logout token
    /// ends all that its user's tokens can do at the bridge.
    #[serde(default)]
    pub session_claim: Option<String>,

    /// The scopes that applications must ask for, so that their tokens are good for the bridge's userinfo.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
}

/// Where a client puts its secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientSecretIn {
    /// In the `authorization` header: `client_secret_basic`.
    #[default]
    Header,
    /// In the form: `client_secret_post`.
    Form,
}

fn default_scopes() -> Vec<String> {
    vec!["openid".into(), "email".into()]
}

impl OidcConfig {
    /// The settings that have no default.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            hosts: Vec::new(),
            client_id: None,
            client_secret: None,
            client_secret_in: ClientSecretIn::Header,
            session_claim: None,
            scopes: default_scopes(),
        }
    }

    /// The client that asks introspection, if there is one; `Misconfigured` if half of it is missing.
    pub(crate) fn client(&self) -> Result<Option<OauthClient>> {
        match (&self.client_id, &self.client_secret) {
            (None, None) => Ok(None),
            (Some(id), Some(secret)) if !id.is_empty() => {
                Ok(Some(OauthClient { id: id.clone(), secret: Some(secret.clone()) }))
            }
            _ => Err(Error::misconfigured("one of `client_id` and `client_secret` is missing")
                .with_hint("introspection needs both; userinfo needs neither")),
        }
    }

    pub(crate) fn authentication(&self) -> ClientAuthentication {
        match self.client_secret_in {
            ClientSecretIn::Header => ClientAuthentication::Basic,
            ClientSecretIn::Form => ClientAuthentication::Post,
        }
    }

    /// Whether the settings can be right at all; whoever uses the issuer checks it.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return Err(Error::misconfigured(
                "`scopes` lack `openid`, without which there is no login by OpenID Connect",
            ));
        }
        let is_scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        if !self.scopes.iter().all(is_scope) {
            return Err(Error::misconfigured("one of `scopes` is none").with_hint("write each as one text of its own"));
        }
        if self.session_claim.as_deref().is_some_and(str::is_empty) {
            return Err(Error::misconfigured("`session_claim` may be absent, but not empty"));
        }
        if self.hosts.iter().any(|host| host.is_empty() || host.contains(['/', ':'])) {
            return Err(Error::misconfigured("one of `hosts` is no bare host name")
                .with_hint("write it like `keys.acme.example`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(extra: Value) -> Result<OidcConfig, serde_json::Error> {
        let mut settings = json!({"issuer": "https://login.acme.example"});
        settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(settings)
    }

    #[test]
    fn the_issuer_suffices() {
        let config = read(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!((config.client().unwrap(), config.authentication()), (None, ClientAuthentication::Basic));
        assert_eq!(config.scopes, ["openid", "email"]);
    }

    #[test]
    fn introspection_needs_a_client_with_its_secret() {
        let config = read(json!({"client_id": "bridge", "client_secret": "s", "client_secret_in": "form"})).unwrap();
        assert_eq!(config.client().unwrap().unwrap().id, "bridge");
        assert_eq!(config.authentication(), ClientAuthentication::Post);
        for half in [
            json!({"client_id": "bridge"}),
            json!({"client_secret": "s"}),
            json!({"client_id": "", "client_secret": "s"}),
        ] {
            let error = read(half.clone()).unwrap().client().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{half}");
        }
    }

    #[test]
    fn settings_that_cannot_be_right_are_refused_without_a_request() {
        assert!(read(json!({"isuer": "x"})).unwrap_err().to_string().contains("`isuer`"));
        for extra in [
            json!({"scopes": []}),
            json!({"scopes": ["email"]}),
            json!({"scopes": ["openid email"]}),
            json!({"scopes": ["openid", ""]}),
            json!({"session_claim": ""}),
            json!({"hosts": ["https://keys.acme.example"]}),
            json!({"hosts": ["keys.acme.example:443"]}),
            json!({"hosts": [""]}),
        ] {
            let error = read(extra.clone()).unwrap().check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{extra}");
        }
    }
}
