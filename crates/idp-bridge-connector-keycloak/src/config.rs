//! The settings of the connector.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{ConnectorContext, Error, Result, Secret};
use idp_bridge_http::{AssertionAlgorithm, ClientProof, PrivateKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one realm.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Keycloak")]
#[non_exhaustive]
pub struct KeycloakConfig {
    /// Keycloak's URL, such as `https://login.acme.example`. Includes the path if there is one (`/auth`).
    pub url: String,

    /// The name of the realm, as in the URL of its admin console.
    pub realm: String,

    /// The confidential client. The bridge uses its service account.
    pub client_id: String,

    /// That client's secret: Clients → the client → Credentials. Set this, `private_key` or the client certificate.
    pub client_secret: Option<Secret>,

    /// That client's private key (PEM, RSA or P-256), instead of a secret: Clients → the client → Credentials → Client Authenticator
    /// is `Signed JWT`, and Keys has the public half.
    pub private_key: Option<Secret>,

    /// The signature algorithm of the private key: `RS256`, `PS256` or `ES256`. Defaults to `RS256` for an RSA key.
    pub private_key_algorithm: Option<AssertionAlgorithm>,

    /// The id (`kid`) of the private key, if the client has several keys in a JWKS.
    pub private_key_id: Option<String>,

    /// The user attribute with the customer id. It must be declared in the realm's user profile, and only administrators may edit it.
    #[serde(default = "default_customer_attribute")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub customer_attribute: String,

    /// The issuer in the realm's tokens. Needed by federation and by `private_key` if Keycloak's `hostname` differs from the host of `url`.
    pub issuer: Option<String>,

    /// Whether to derive `login_time` and `logins_count` from the login events that the realm still has. Costs two more requests per
    /// read. Needs the role `view-events` and a realm that saves login events.
    #[serde(default)]
    pub login_events: bool,

    /// Whether a user counts as blocked while brute force detection locks it. Costs one more request per read.
    #[serde(default)]
    pub brute_force: bool,

    /// The client that the links in mails lead to. Without it the user ends on a page of Keycloak.
    pub email_client_id: Option<String>,

    /// The target of the links in mails: one of that client's valid redirect URIs.
    pub email_redirect_uri: Option<String>,

    /// The lifespan of the links in mails, such as `2h`. Defaults to the realm's setting, initially 12 hours.
    #[schemars(with = "Option<String>")]
    pub email_link_lifespan: Option<SignedDuration>,
}

fn default_customer_attribute() -> String {
    "customer_id".into()
}

impl KeycloakConfig {
    /// Returns the proof of the client's identity.
    pub(crate) fn proof(&self, context: &ConnectorContext) -> Result<ClientProof> {
        let (algorithm, id) = (self.private_key_algorithm, self.private_key_id.as_deref());
        let key = PrivateKey::from_settings(self.private_key.as_ref(), algorithm, id)?;
        let proof = ClientProof::from_settings(&self.client_id, self.client_secret.as_ref(), key.as_ref(), context)?;
        proof.ok_or_else(|| {
            Error::misconfigured("the client has neither `client_secret` nor `private_key` nor a client certificate")
                .with_hint(
                    "set `client_secret_file`, `private_key_file`, or `client_certificate_file` and `client_key_file`",
                )
        })
    }

    /// Checks the settings, except `url`, `realm` and the client's credentials.
    pub(crate) fn check(&self) -> Result<()> {
        if self.client_id.is_empty() {
            return Err(
                Error::misconfigured("`client_id` is empty").with_hint("set it to the id of the bridge's client")
            );
        }
        // Keycloak rejects other names (tried in November 2026). The search for customers relies on it.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.customer_attribute.is_empty() || !self.customer_attribute.chars().all(plain) {
            return Err(Error::misconfigured(
                "`customer_attribute` may contain only letters, digits, `.`, `_` and `-`",
            ));
        }
        if self.email_redirect_uri.is_some() && self.email_client_id.is_none() {
            return Err(Error::misconfigured("`email_redirect_uri` needs `email_client_id`")
                .with_hint("set it to the client with this redirect URI"));
        }
        if self.email_link_lifespan.is_some_and(|lifespan| lifespan.as_secs() < 1) {
            return Err(Error::misconfigured("`email_link_lifespan` is shorter than a second").with_hint("try `2h`"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(extra: Value) -> Result<KeycloakConfig, serde_json::Error> {
        let mut settings =
            json!({"url": "https://kc.example", "realm": "acme", "client_id": "bridge", "client_secret": "s"});
        if let (Some(all), Some(more)) = (settings.as_object_mut(), extra.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(settings)
    }

    #[test]
    fn four_settings_suffice() {
        let config = read(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(config.customer_attribute, "customer_id");
        assert_eq!((config.login_events, config.brute_force), (false, false));
    }

    #[test]
    fn misspelt_setting_is_rejected() {
        assert!(read(json!({"brute_froce": true})).unwrap_err().to_string().contains("`brute_froce`"));
    }

    #[test]
    fn lifespan_has_a_unit() {
        let lifespan = |text: &str| read(json!({"email_link_lifespan": text})).map(|config| config.email_link_lifespan);
        assert_eq!(lifespan("2h").unwrap(), Some(SignedDuration::from_hours(2)));
        assert_eq!(lifespan("90s").unwrap(), Some(SignedDuration::from_secs(90)));
        assert!(lifespan("soon").is_err());
    }

    #[test]
    fn invalid_settings_are_rejected() {
        for extra in [
            json!({"client_id": ""}),
            json!({"customer_attribute": ""}),
            json!({"customer_attribute": "a:b"}),
            json!({"customer_attribute": "a b"}),
            json!({"customer_attribute": "kunde_ä"}),
            json!({"email_redirect_uri": "https://acme.example/done"}),
            json!({"email_link_lifespan": "0s"}),
            json!({"email_link_lifespan": "-1h"}),
        ] {
            let error = read(extra.clone()).unwrap().check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{extra}");
        }
    }
}
