//! A tenant's settings of the connector for any OpenID Provider.

use idp_bridge_core::{ConnectorContext, Error, OauthClient, Result, Secret};
use idp_bridge_http::oidc::{AssertionAudience, ClientAuthentication, IntrospectionClient};
use idp_bridge_http::{AssertionAlgorithm, ClientProof, PrivateKey};
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
    pub client_id: Option<String>,

    /// The client's secret. Set this, `private_key` or the client certificate.
    pub client_secret: Option<Secret>,

    /// The client's private key (PEM, RSA or P-256), instead of a secret (`private_key_jwt`). Register its public half, which
    /// `idp-bridge keys public` prints, as the client's JWKS.
    pub private_key: Option<Secret>,

    /// The signature algorithm of the private key: `RS256`, `PS256` or `ES256`. Defaults to `RS256` for an RSA key.
    pub private_key_algorithm: Option<AssertionAlgorithm>,

    /// The id (`kid`) of the private key in the client's JWKS.
    pub private_key_id: Option<String>,

    /// The audience of the assertions that the private key signs. Some older providers accept only `token_endpoint`.
    #[serde(default)]
    pub private_key_audience: AssertionAudience,

    /// The place of the clients' secret in a request: this client, and those of `federation.clients`.
    #[serde(default)]
    pub client_secret_in: ClientSecretIn,

    /// The claim that identifies the login in access tokens or in their introspection, mostly `sid`. Without it a logout token
    /// ends all logins of its user at the bridge.
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
            private_key: None,
            private_key_algorithm: None,
            private_key_id: None,
            private_key_audience: AssertionAudience::default(),
            client_secret_in: ClientSecretIn::Header,
            session_claim: None,
            scopes: default_scopes(),
        }
    }

    /// Returns the client for introspection, if one is configured. `Misconfigured` without its id or its credentials.
    pub(crate) fn introspection_client(&self, context: &ConnectorContext) -> Result<Option<IntrospectionClient>> {
        let (algorithm, key_id) = (self.private_key_algorithm, self.private_key_id.as_deref());
        let key = PrivateKey::from_settings(self.private_key.as_ref(), algorithm, key_id)?;
        let id = self.client_id.as_deref().unwrap_or_default();
        let proof = ClientProof::from_settings(id, self.client_secret.as_ref(), key.as_ref(), context)?;
        match (&self.client_id, proof) {
            // A gateway may require a client certificate, too.
            (None, None | Some(ClientProof::Certificate)) => Ok(None),
            (Some(id), Some(proof)) if !id.is_empty() => {
                let secret = if let ClientProof::Secret(secret) = &proof { Some(secret.clone()) } else { None };
                let signer = if let ClientProof::PrivateKey(signer) = proof { Some(signer) } else { None };
                let client = OauthClient { id: id.clone(), secret };
                Ok(Some(IntrospectionClient { client, signer, audience: self.private_key_audience }))
            }
            (Some(_), _) => Err(Error::misconfigured("`client_id` is empty, or its client has no credentials").with_hint(
                "set `client_secret_file`, `private_key_file`, or `client_certificate_file` and `client_key_file` to use \
                 introspection, or remove `client_id` to use userinfo",
            )),
            (None, _) => Err(Error::misconfigured("`client_secret` or `private_key` is set without `client_id`")
                .with_hint("set `client_id` to use introspection, or remove the credentials to use userinfo")),
        }
    }

    /// Returns the authentication method of clients with a secret.
    pub(crate) fn authentication(&self) -> ClientAuthentication<'static> {
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
    use idp_bridge_core::{ErrorKind, TenantId};
    use serde_json::{Value, json};

    use super::*;

    fn parse(extra: Value) -> Result<OidcConfig, serde_json::Error> {
        let mut settings = json!({"issuer": "https://login.acme.example"});
        settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(settings)
    }

    fn context() -> ConnectorContext {
        ConnectorContext::new(TenantId::new("acme").unwrap())
    }

    #[test]
    fn only_the_issuer_is_required() {
        let config = parse(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert!(config.introspection_client(&context()).unwrap().is_none());
        assert!(matches!(config.authentication(), ClientAuthentication::Basic));
        assert_eq!(config.scopes, ["openid", "email"]);
    }

    #[test]
    fn introspection_needs_a_client_with_its_secret() {
        let config = parse(json!({"client_id": "bridge", "client_secret": "s", "client_secret_in": "form"})).unwrap();
        assert_eq!(config.introspection_client(&context()).unwrap().unwrap().client.id, "bridge");
        assert!(matches!(config.authentication(), ClientAuthentication::Post));
        for half in [
            json!({"client_id": "bridge"}),
            json!({"client_secret": "s"}),
            json!({"client_id": "", "client_secret": "s"}),
            json!({"client_id": "bridge", "client_secret": "s", "private_key": "k"}),
            json!({"client_id": "bridge", "client_secret": "s", "private_key_id": "k"}),
            json!({"client_id": "bridge", "private_key": "s"}),
        ] {
            let error = parse(half.clone()).unwrap().introspection_client(&context()).unwrap_err();
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
