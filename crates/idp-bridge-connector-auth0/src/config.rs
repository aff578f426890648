//! A tenant's settings of the Auth0 connector.

use idp_bridge_core::{Error, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one Auth0 tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Auth0")]
#[non_exhaustive]
pub struct Auth0Config {
    /// The Auth0 tenant's own domain, such as `acme.eu.auth0.com`: Applications → the application → Settings → Domain.
    /// Never a custom domain, since the Management API is known by the tenant's own name alone.
    pub domain: String,

    /// The machine-to-machine application that the bridge uses.
    pub client_id: String,

    /// That application's secret: Applications → the application → Settings. Either this or `private_key`.
    #[serde(default)]
    pub client_secret: Option<Secret>,

    /// The RSA key (PEM) whose public half is registered under Applications → the application → Credentials → Private Key JWT,
    /// with the algorithm RS256. Either this or `client_secret`.
    #[serde(default)]
    pub private_key: Option<Secret>,

    /// The key in the user's `app_metadata` that holds the customer id.
    #[serde(default = "default_customer_key")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_]+$"))]
    pub customer_key: String,

    /// Which user an address means where several have it: the one of the first of these connections that has exactly one.
    /// Without it, or without such a connection, the address is ambiguous.
    #[serde(default)]
    pub prefer_connections: Vec<String>,

    /// The database connection whose users may have mails that reset their password. Needs `email_client_id`; without it the
    /// call is not supported.
    #[serde(default)]
    pub connection: Option<String>,

    /// The application on whose behalf users get mails, which decides where the links lead: one that they log in to, and that
    /// has `connection` enabled.
    #[serde(default)]
    pub email_client_id: Option<String>,

    /// The custom domain that users log in at, such as `login.acme.example`: links in mails then lead there. Needed where the
    /// tenant has several custom domains and no default one.
    #[serde(default)]
    pub custom_domain: Option<String>,

    /// The APIs whose access tokens the bridge takes, by their identifiers: Applications → APIs → the API → Settings → Identifier.
    /// Without any it takes the access tokens that Auth0's own userinfo takes, which are those with the scope `openid`.
    #[serde(default)]
    pub audiences: Vec<String>,

    /// Whether opaque access tokens are taken, which applications get that ask for no API. They do not say which application they
    /// were issued to, so that those of every application of the Auth0 tenant are taken.
    #[serde(default)]
    pub accept_opaque: bool,

    /// Whether Auth0's plan lets sessions be ended through the Management API, which the Enterprise plans do. A logout then ends
    /// the session; without it, refresh tokens alone.
    #[serde(default)]
    pub enterprise_sessions: bool,

    /// Where all requests are sent instead of to `domain`, such as a gateway of your own. What they say stays the same.
    #[serde(default)]
    pub endpoint: Option<String>,

    /// Where the requests of a browser are sent instead of to `endpoint`, for tests of tenants with a custom domain.
    #[serde(skip)]
    pub(crate) login_endpoint: Option<String>,
}

fn default_customer_key() -> String {
    "customer_id".into()
}

impl Auth0Config {
    /// The settings that have no default, with a secret as the credential.
    pub fn new(domain: impl Into<String>, client_id: impl Into<String>, client_secret: Secret) -> Self {
        Self {
            domain: domain.into(),
            client_id: client_id.into(),
            client_secret: Some(client_secret),
            private_key: None,
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

    /// Where requests are sent.
    pub(crate) fn base(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("https://{}", self.domain))
    }

    /// Where the requests are sent that a browser would make. Links in the mails that they cause lead there.
    pub(crate) fn login_base(&self) -> String {
        let endpoint = self.login_endpoint.as_ref().or(self.endpoint.as_ref());
        endpoint.cloned().unwrap_or_else(|| self.login_origin())
    }

    /// Who issues tokens: the domain that users log in at, with a slash at its end, wherever requests are sent
    /// (<https://auth0.com/docs/customize/custom-domains>, November 2026).
    pub(crate) fn issuer(&self) -> String {
        format!("{}/", self.login_origin())
    }

    fn login_origin(&self) -> String {
        format!("https://{}", self.custom_domain.as_ref().unwrap_or(&self.domain))
    }

    /// The name of the Management API, with the slash at its end. It is the same whatever address it is called at
    /// (<https://auth0.com/docs/customize/custom-domains>, November 2026).
    pub(crate) fn audience(&self) -> String {
        format!("https://{}/api/v2/", self.domain)
    }

    /// The step in the Dashboard that gives the bridge's application a scope.
    pub(crate) fn tick(&self, scope: &str) -> String {
        let client = &self.client_id;
        format!(
            "Applications → APIs → Auth0 Management API → Machine to Machine Applications → `{client}`: tick `{scope}`, Update"
        )
    }

    /// Whether the settings can be right at all; whoever uses the URLs and the key checks them.
    pub(crate) fn check(&self) -> Result<()> {
        if !is_host(&self.domain) {
            return Err(
                Error::misconfigured("`domain` is no bare host name").with_hint("write it like `acme.eu.auth0.com`")
            );
        }
        if self.custom_domain.as_deref().is_some_and(|domain| !is_host(domain)) {
            return Err(Error::misconfigured("`custom_domain` is no bare host name")
                .with_hint("write it like `login.acme.example`"));
        }
        if self.client_id.is_empty() {
            return Err(
                Error::misconfigured("`client_id` is empty").with_hint("name the application that the bridge uses")
            );
        }
        if self.client_secret.is_some() == self.private_key.is_some() {
            return Err(Error::misconfigured("one of `client_secret` and `private_key` must be set, and not both"));
        }
        // The search for customers relies on it: every other character could mean something to Lucene.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.customer_key.is_empty() || !self.customer_key.chars().all(plain) {
            return Err(Error::misconfigured("`customer_key` may hold only letters, digits and `_`"));
        }
        if [&self.connection, &self.email_client_id].into_iter().flatten().any(String::is_empty) {
            return Err(Error::misconfigured("`connection` and `email_client_id` may be absent, but not empty"));
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(Error::misconfigured("one of `audiences` is empty")
                .with_hint("copy Identifier of Applications → APIs → the API → Settings"));
        }
        if self.connection.is_some() && self.email_client_id.is_none() {
            return Err(Error::misconfigured("`connection` needs `email_client_id`")
                .with_hint("name the application that its users log in to"));
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
    use idp_bridge_core::ErrorKind;
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
    fn a_misspelt_setting_is_refused() {
        assert!(read(json!({"custumer_key": "x"})).unwrap_err().to_string().contains("`custumer_key`"));
    }

    #[test]
    fn the_management_api_keeps_its_domain_and_people_log_in_at_the_custom_one() {
        let config = read(json!({"custom_domain": "login.acme.example"})).unwrap();
        assert_eq!(config.base(), "https://acme.eu.auth0.com");
        assert_eq!(config.login_base(), "https://login.acme.example");
        assert_eq!(config.issuer(), "https://login.acme.example/");
        assert_eq!(config.audience(), "https://acme.eu.auth0.com/api/v2/");
    }

    #[test]
    fn an_endpoint_changes_where_is_asked_and_not_what() {
        let config = read(json!({"endpoint": "http://127.0.0.1:9", "custom_domain": "login.acme.example"})).unwrap();
        assert_eq!((config.base(), config.login_base()), ("http://127.0.0.1:9".into(), "http://127.0.0.1:9".into()));
        assert_eq!(config.audience(), "https://acme.eu.auth0.com/api/v2/");
        assert_eq!(config.issuer(), "https://login.acme.example/");
    }

    #[test]
    fn settings_that_cannot_be_right_are_refused_without_a_request() {
        for extra in [
            json!({"domain": ""}),
            json!({"domain": "https://acme.eu.auth0.com"}),
            json!({"domain": "acme.eu.auth0.com/"}),
            json!({"domain": "acme.eu.auth0.com:443"}),
            json!({"domain": "me@acme.eu.auth0.com"}),
            json!({"domain": "acme..auth0.com"}),
            json!({"custom_domain": "https://login.acme.example"}),
            json!({"client_id": ""}),
            json!({"client_secret": null}),
            json!({"private_key": "-----BEGIN PRIVATE KEY-----"}),
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
