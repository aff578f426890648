//! A tenant's settings of the Auth0 connector.

use idp_bridge_core::{ConnectorContext, Error, Result, Secret};
use idp_bridge_http::{AssertionAlgorithm, ClientProof, PrivateKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one Auth0 tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Auth0")]
#[non_exhaustive]
pub struct Auth0Config {
    /// The Auth0 tenant's own domain, such as `acme.eu.auth0.com`: Applications → the application → Settings → Domain.
    /// Never a custom domain: the Management API's audience contains the tenant's own domain.
    pub domain: String,

    /// The client id of the bridge's machine-to-machine application.
    pub client_id: String,

    /// The application's secret: Applications → the application → Settings. Set this or `private_key`.
    pub client_secret: Option<Secret>,

    /// The RSA key (PEM) whose public half is registered under Applications → the application → Credentials → Private Key JWT.
    /// Set this or `client_secret`.
    pub private_key: Option<Secret>,

    /// The registered algorithm of the private key: `RS256` or `PS256`. Defaults to `RS256`.
    pub private_key_algorithm: Option<AssertionAlgorithm>,

    /// The id (`kid`) of the private key, which Auth0 shows under Credentials. Auth0 tries each registered key without it.
    pub private_key_id: Option<String>,

    /// The key of the customer id in the user's `app_metadata`.
    #[serde(default = "default_customer_key")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_]+$"))]
    pub customer_key: String,

    /// Connections in order of preference, for addresses of several users: the first connection with exactly one of them decides.
    /// Without such a connection the address is ambiguous.
    #[serde(default)]
    pub prefer_connections: Vec<String>,

    /// The database connection whose users can get password reset mails. Needs `email_client_id`. Without it the call is not
    /// supported.
    pub connection: Option<String>,

    /// The application that mails are sent for; it determines the target of their links. Choose one that users log in to and that
    /// has `connection` enabled.
    pub email_client_id: Option<String>,

    /// The custom domain where users log in, such as `login.acme.example`; links in mails use it. Required if the tenant has several
    /// custom domains and no default.
    pub custom_domain: Option<String>,

    /// The identifiers of the APIs whose access tokens are accepted: Applications → APIs → the API → Settings → Identifier.
    /// Without any, tokens for Auth0's userinfo are accepted: those with the scope `openid`.
    #[serde(default)]
    pub audiences: Vec<String>,

    /// Whether to accept opaque access tokens, which Auth0 issues if an application requests no API. They do not name their
    /// application, so those of every application of the Auth0 tenant are accepted.
    #[serde(default)]
    pub accept_opaque: bool,

    /// Whether Auth0's plan allows ending sessions through the Management API, as the Enterprise plans do. A logout then ends the
    /// session; otherwise only refresh tokens.
    #[serde(default)]
    pub enterprise_sessions: bool,

    /// The base URL of all requests instead of `domain`, such as a gateway. Audience and issuer do not change.
    pub endpoint: Option<String>,

    /// The base URL of the Authentication API instead of `endpoint`, for tests of tenants with a custom domain.
    #[doc(hidden)]
    #[serde(skip)]
    pub login_endpoint: Option<String>,
}

fn default_customer_key() -> String {
    "customer_id".into()
}

impl Auth0Config {
    /// Creates settings with a secret as the credential and defaults for the rest.
    pub fn new(domain: impl Into<String>, client_id: impl Into<String>, client_secret: Secret) -> Self {
        Self {
            domain: domain.into(),
            client_id: client_id.into(),
            client_secret: Some(client_secret),
            private_key: None,
            private_key_algorithm: None,
            private_key_id: None,
            customer_key: default_customer_key(),
            prefer_connections: Vec::new(),
            connection: None,
            email_client_id: None,
            custom_domain: None,
            audiences: Vec::new(),
            accept_opaque: false,
            enterprise_sessions: false,
            endpoint: None,
            login_endpoint: None,
        }
    }

    /// Returns the base URL of the Management API.
    pub(crate) fn base(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("https://{}", self.domain))
    }

    /// Returns the base URL of the Authentication API.
    pub(crate) fn login_base(&self) -> String {
        let endpoint = self.login_endpoint.as_ref().or(self.endpoint.as_ref());
        endpoint.cloned().unwrap_or_else(|| self.login_origin())
    }

    /// Returns the issuer of users' tokens: the domain where users log in, with a trailing slash
    /// (<https://auth0.com/docs/customize/custom-domains>, November 2026). It does not depend on `endpoint`.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/", self.login_origin())
    }

    fn login_origin(&self) -> String {
        format!("https://{}", self.custom_domain.as_ref().unwrap_or(&self.domain))
    }

    /// Returns the audience of the Management API, with a trailing slash. It never contains a custom domain
    /// (<https://auth0.com/docs/customize/custom-domains>, November 2026).
    pub(crate) fn audience(&self) -> String {
        format!("https://{}/api/v2/", self.domain)
    }

    /// Returns the issuer by the tenant's own domain, the audience of client assertions
    /// (<https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>, November 2026).
    pub(crate) fn own_issuer(&self) -> String {
        format!("https://{}/", self.domain)
    }

    /// Returns the proof of the application's identity.
    pub(crate) fn proof(&self, context: &ConnectorContext) -> Result<ClientProof> {
        // Auth0 lists RS256, RS384 and PS256 (in the same place).
        if self.private_key_algorithm == Some(AssertionAlgorithm::Es256) {
            return Err(Error::misconfigured("`private_key_algorithm` is `ES256`, which Auth0 does not accept")
                .with_hint("use an RSA key, and register it with RS256 or PS256"));
        }
        // An RSA key is also required by default, so that a P-256 key is refused here and not by Auth0.
        let algorithm =
            self.private_key.as_ref().map(|_| self.private_key_algorithm.unwrap_or(AssertionAlgorithm::Rs256));
        let algorithm = algorithm.or(self.private_key_algorithm);
        let key = PrivateKey::from_settings(self.private_key.as_ref(), algorithm, self.private_key_id.as_deref())?;
        match ClientProof::from_settings(&self.client_id, self.client_secret.as_ref(), key.as_ref(), context)? {
            Some(ClientProof::Certificate) | None => {
                Err(Error::misconfigured("the application has neither `client_secret` nor `private_key`")
                    .with_hint("set `client_secret_file` or `private_key_file`"))
            }
            Some(proof) => Ok(proof),
        }
    }

    /// Returns the step in the Dashboard that grants a scope to the bridge's application.
    pub(crate) fn grant_step(&self, scope: &str) -> String {
        let client = &self.client_id;
        format!(
            "Applications → APIs → Auth0 Management API → Machine to Machine Applications → `{client}`: tick `{scope}`, Update"
        )
    }

    /// Checks the settings without a request. URLs and keys are checked where they are parsed.
    pub(crate) fn check(&self) -> Result<()> {
        if !is_host(&self.domain) {
            return Err(
                Error::misconfigured("`domain` is not a host name").with_hint("write it like `acme.eu.auth0.com`")
            );
        }
        if self.custom_domain.as_deref().is_some_and(|domain| !is_host(domain)) {
            return Err(Error::misconfigured("`custom_domain` is not a host name")
                .with_hint("write it like `login.acme.example`"));
        }
        if self.client_id.is_empty() {
            return Err(Error::misconfigured("`client_id` is empty")
                .with_hint("set it to the Client ID of the bridge's application"));
        }
        // The key is part of a search query, where other characters could be operators of Lucene.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.customer_key.is_empty() || !self.customer_key.chars().all(plain) {
            return Err(Error::misconfigured("`customer_key` may contain only ASCII letters, digits and `_`"));
        }
        if [&self.connection, &self.email_client_id].into_iter().flatten().any(String::is_empty) {
            return Err(Error::misconfigured("`connection` or `email_client_id` is empty")
                .with_hint("set a value or remove the setting"));
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(Error::misconfigured("`audiences` contains an empty text")
                .with_hint("copy Identifier of Applications → APIs → the API → Settings"));
        }
        if self.connection.is_some() && self.email_client_id.is_none() {
            return Err(Error::misconfigured("`connection` needs `email_client_id`")
                .with_hint("set it to the Client ID of the application where its users log in"));
        }
        Ok(())
    }
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !label.starts_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::{ErrorKind, TenantId};
    use serde_json::{Value, json};

    use super::*;

    fn read(extra: Value) -> Result<Auth0Config, serde_json::Error> {
        let mut settings = json!({"domain": "acme.eu.auth0.com", "client_id": "bridge", "client_secret": "s"});
        if let (Some(all), Some(more)) = (settings.as_object_mut(), extra.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(settings)
    }

    #[test]
    fn three_settings_suffice() {
        let config = read(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(config.customer_key, "customer_id");
        assert_eq!(config.audience(), "https://acme.eu.auth0.com/api/v2/");
        assert_eq!((config.base(), config.login_base()), (config.base(), "https://acme.eu.auth0.com".into()));
        assert_eq!(config.issuer(), "https://acme.eu.auth0.com/");
        assert!(!config.accept_opaque && !config.enterprise_sessions && config.audiences.is_empty());
    }

    #[test]
    fn one_proof_is_required() {
        let context = ConnectorContext::new(TenantId::new("acme").unwrap());
        assert!(read(json!({})).unwrap().proof(&context).is_ok());
        for extra in [
            json!({"client_secret": null}),
            json!({"private_key": "-----BEGIN PRIVATE KEY-----"}),
            json!({"client_secret": null, "private_key": "-----BEGIN PRIVATE KEY-----"}),
            json!({"private_key_algorithm": "ES256"}),
        ] {
            let error = read(extra.clone()).unwrap().proof(&context).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{extra}");
        }
    }

    #[test]
    fn unknown_settings_are_rejected() {
        assert!(read(json!({"custumer_key": "x"})).unwrap_err().to_string().contains("`custumer_key`"));
    }

    #[test]
    fn custom_domain_is_for_logins_only() {
        let config = read(json!({"custom_domain": "login.acme.example"})).unwrap();
        assert_eq!(config.base(), "https://acme.eu.auth0.com");
        assert_eq!(config.login_base(), "https://login.acme.example");
        assert_eq!(config.issuer(), "https://login.acme.example/");
        assert_eq!(config.audience(), "https://acme.eu.auth0.com/api/v2/");
    }

    #[test]
    fn endpoint_changes_neither_audience_nor_issuer() {
        let config = read(json!({"endpoint": "http://127.0.0.1:9", "custom_domain": "login.acme.example"})).unwrap();
        assert_eq!((config.base(), config.login_base()), ("http://127.0.0.1:9".into(), "http://127.0.0.1:9".into()));
        assert_eq!(config.audience(), "https://acme.eu.auth0.com/api/v2/");
        assert_eq!(config.issuer(), "https://login.acme.example/");
    }

    #[test]
    fn invalid_settings_are_rejected() {
        for extra in [
            json!({"domain": ""}),
            json!({"domain": "https://acme.eu.auth0.com"}),
            json!({"domain": "acme.eu.auth0.com/"}),
            json!({"domain": "acme.eu.auth0.com:443"}),
            json!({"domain": "me@acme.eu.auth0.com"}),
            json!({"domain": "acme..auth0.com"}),
            json!({"custom_domain": "https://login.acme.example"}),
            json!({"client_id": ""}),
            json!({"customer_key": ""}),
            json!({"customer_key": "a.b"}),
            json!({"customer_key": "a:b"}),
            json!({"customer_key": "kunde_ä"}),
            json!({"connection": "Username-Password-Authentication"}),
            json!({"connection": "", "email_client_id": "app"}),
            json!({"email_client_id": ""}),
            json!({"audiences": ["https://api.acme.example", ""]}),
        ] {
            let error = read(extra.clone()).unwrap().check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{extra}");
        }
    }
}
