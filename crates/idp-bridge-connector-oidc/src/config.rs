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
    /// The issuer, exactly as in tokens and in the discovery document, with or without a trailing slash. The document is at
    /// `/.well-known/openid-configuration` below it.
    pub issuer: String,

    /// Additional hosts that the endpoints in the discovery document may have. The issuer's host is always allowed.
    #[serde(default)]
    pub hosts: Vec<String>,

    /// The client that the bridge uses for introspection. Without it the bridge uses userinfo, and accepts only signed access
    /// tokens.
    #[serde(default)]
    pub client_id: Option<String>,

    /// The client's secret.
    #[serde(default)]
    pub client_secret: Option<Secret>,

    /// Where the clients send their secret: this client, and those of `federation.clients`.
    #[serde(default)]
    pub client_secret_in: ClientSecretIn,

    /// The claim that identifies the login in access tokens or in their introspection, mostly `sid`. Without it a logout token
    /// ends all logins of its user at the bridge.
    #[serde(default)]
    pub session_claim: Option<String>,

    /// The scopes that applications must request, so that their tokens are accepted by the bridge's userinfo.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
}

/// The place of a client's secret in a request.
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
    /// Creates settings with the default values.
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

    /// Returns the client for introspection, if one is configured. `Misconfigured` if only its id or its secret is set.
    pub(crate) fn introspection_client(&self) -> Result<Option<OauthClient>> {
        match (&self.client_id, &self.client_secret) {
            (None, None) => Ok(None),
            (Some(id), Some(secret)) if !id.is_empty() => {
                Ok(Some(OauthClient { id: id.clone(), secret: Some(secret.clone()) }))
            }
            _ => Err(Error::misconfigured("only one of `client_id` and `client_secret` is set")
                .with_hint("set both to use introspection, or remove both to use userinfo")),
        }
    }

    pub(crate) fn authentication(&self) -> ClientAuthentication {
        match self.client_secret_in {
            ClientSecretIn::Header => ClientAuthentication::Basic,
            ClientSecretIn::Form => ClientAuthentication::Post,
        }
    }

    /// Checks all settings except the issuer, which is checked where it is parsed.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return Err(Error::misconfigured("`scopes` lacks `openid`")
                .with_hint("add `openid`, which every login with OpenID Connect requests"));
        }
        let is_scope = |scope: &String| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        if !self.scopes.iter().all(is_scope) {
            return Err(Error::misconfigured("`scopes` has an invalid entry")
                .with_hint("write each scope as a separate string without spaces or quotes"));
        }
        if self.session_claim.as_deref().is_some_and(str::is_empty) {
            return Err(
                Error::misconfigured("`session_claim` is empty").with_hint("name a claim, or remove the setting")
            );
        }
        if self.hosts.iter().any(|host| host.is_empty() || host.contains(['/', ':'])) {
            return Err(Error::misconfigured("`hosts` has an entry that is not a host name")
                .with_hint("write only the name, such as `keys.acme.example`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn parse(extra: Value) -> Result<OidcConfig, serde_json::Error> {
        let mut settings = json!({"issuer": "https://login.acme.example"});
        settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(settings)
    }

    #[test]
    fn only_the_issuer_is_required() {
        let config = parse(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(
            (config.introspection_client().unwrap(), config.authentication()),
            (None, ClientAuthentication::Basic)
        );
        assert_eq!(config.scopes, ["openid", "email"]);
    }

    #[test]
    fn introspection_needs_a_client_with_its_secret() {
        let config = parse(json!({"client_id": "bridge", "client_secret": "s", "client_secret_in": "form"})).unwrap();
        assert_eq!(config.introspection_client().unwrap().unwrap().id, "bridge");
        assert_eq!(config.authentication(), ClientAuthentication::Post);
        for half in [
            json!({"client_id": "bridge"}),
            json!({"client_secret": "s"}),
            json!({"client_id": "", "client_secret": "s"}),
        ] {
            let error = parse(half.clone()).unwrap().introspection_client().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{half}");
        }
    }

    #[test]
    fn invalid_settings_are_rejected() {
        assert!(parse(json!({"isuer": "x"})).unwrap_err().to_string().contains("`isuer`"));
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
            let error = parse(extra.clone()).unwrap().check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{extra}");
        }
    }
}
