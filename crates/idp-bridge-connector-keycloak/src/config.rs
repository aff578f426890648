//! A tenant's settings of the Keycloak connector.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{Error, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one realm.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Keycloak")]
#[non_exhaustive]
pub struct KeycloakConfig {
    /// Where Keycloak listens, such as `https://login.acme.example`; with its path if it has one (`/auth`).
    pub url: String,

    /// The name of the realm, as in the address of its console.
    pub realm: String,

    /// The confidential client whose service account the bridge uses.
    pub client_id: String,

    /// That client's secret: Clients → the client → Credentials.
    pub client_secret: Secret,

    /// The user attribute that holds the customer id. It must be declared in the realm's user profile, and only
    /// administrators may edit it.
    #[serde(default = "default_customer_attribute")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub customer_attribute: String,

    /// The realm's issuer, as its tokens name it: only if Keycloak's `hostname` is another than that of `url`. Used by
    /// federation.
    #[serde(default)]
    pub issuer: Option<String>,

    /// Whether to read `login_time` and `logins_count` from the realm's login events, as far back as the realm keeps
    /// them. Costs two more requests a read, needs the role `view-events` and that the realm saves its events.
    #[serde(default)]
    pub login_events: bool,

    /// Whether a user that brute force detection has locked for a while counts as blocked. Costs one more request a
    /// read.
    #[serde(default)]
    pub brute_force: bool,

    /// The client that the links in mails lead back to. Without it the user ends on a page of Keycloak.
    #[serde(default)]
    pub email_client_id: Option<String>,

    /// Where the links in mails lead back to: one of that client's valid redirect URIs.
    #[serde(default)]
    pub email_redirect_uri: Option<String>,

    /// How long the links in mails work, such as `2h`. The realm's own setting (12 hours, if it was never changed) if
    /// absent.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub email_link_lifespan: Option<SignedDuration>,
}

fn default_customer_attribute() -> String {
    "customer_id".into()
}

impl KeycloakConfig {
    /// The settings that have no default.
    pub fn new(
        url: impl Into<String>,
        realm: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: Secret,
    ) -> Self {
        Self {
            url: url.into(),
            realm: realm.into(),
            client_id: client_id.into(),
            client_secret,
            customer_attribute: default_customer_attribute(),
            issuer: None,
            login_events: false,
            brute_force: false,
            email_client_id: None,
            email_redirect_uri: None,
            email_link_lifespan: None,
        }
    }

    /// Whether the settings can be right at all; the URL is checked by whoever joins it.
    pub(crate) fn check(&self) -> Result<()> {
        if self.client_id.is_empty() {
            return Err(Error::misconfigured("`client_id` is empty").with_hint("name the client that the bridge uses"));
        }
        // Keycloak allows no other names (tried in November 2026), and the search for customers relies on it.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.customer_attribute.is_empty() || !self.customer_attribute.chars().all(plain) {
            return Err(Error::misconfigured(
                "`customer_attribute` may hold only letters, digits, `.`, `_` and `-`, as in Keycloak",
            ));
        }
        if self.email_redirect_uri.is_some() && self.email_client_id.is_none() {
            return Err(Error::misconfigured("`email_redirect_uri` needs `email_client_id`")
                .with_hint("name the client whose redirect URI it is"));
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
    fn a_misspelt_setting_is_refused() {
        assert!(read(json!({"brute_froce": true})).unwrap_err().to_string().contains("`brute_froce`"));
    }

    #[test]
    fn a_lifespan_is_written_as_people_write_it() {
        let lifespan = |text: &str| read(json!({"email_link_lifespan": text})).map(|config| config.email_link_lifespan);
        assert_eq!(lifespan("2h").unwrap(), Some(SignedDuration::from_hours(2)));
        assert_eq!(lifespan("90s").unwrap(), Some(SignedDuration::from_secs(90)));
        assert!(lifespan("soon").is_err());
    }

    #[test]
    fn settings_that_cannot_be_right_are_refused_without_a_request() {
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
