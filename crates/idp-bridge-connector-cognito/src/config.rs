//! A tenant's settings of the Cognito connector.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{Error, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The standard attributes that `ListUsers` can search and that can hold a customer.
const SEARCHABLE: [&str; 4] = ["preferred_username", "name", "given_name", "family_name"];

/// The settings of one user pool.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cognito")]
#[non_exhaustive]
pub struct CognitoConfig {
    /// The pool's id, such as `eu-west-1_AbCdEfGhI`: User pools → the pool → Overview.
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]+_[0-9a-zA-Z]+$"))]
    pub user_pool_id: String,

    /// The pool's region. The part of `user_pool_id` before the `_` if absent.
    pub region: Option<String>,

    /// The app client that requests mails: App clients → the client. Without it the two mail calls are unsupported.
    pub client_id: Option<String>,

    /// The secret of the app client, if it has one.
    pub client_secret: Option<Secret>,

    /// The access key of the bridge's IAM user. Without it the host's credentials are used, if the program allows it.
    pub access_key_id: Option<String>,

    /// The secret of the access key.
    pub secret_access_key: Option<Secret>,

    /// The session token of a temporary access key.
    pub session_token: Option<Secret>,

    /// The role that the bridge assumes with the credentials, such as `arn:aws:iam::123456789012:role/idp-bridge`.
    pub role_arn: Option<String>,

    /// The external id that the role's trust policy requires.
    pub external_id: Option<String>,

    /// The pool's domain, where users sign in, such as `https://auth.acme.example` or
    /// `https://acme.auth.eu-west-1.amazoncognito.com`: User pools → the pool → Domain. Federation needs it.
    pub domain: Option<String>,

    /// The URL of Cognito, if not the region's: a VPC endpoint, or a stand-in.
    pub endpoint: Option<String>,

    /// The URL of the issuer's document and keys, if not the region's: a stand-in. The issuer in tokens remains the region's.
    pub issuer_endpoint: Option<String>,

    /// The URL of the token service (STS) that issues the role's credentials, if not the region's.
    pub sts_endpoint: Option<String>,

    /// The user attribute that holds the customer id. No app client may let users write it.
    #[serde(default = "default_customer_attribute")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_:.-]+$"))]
    pub customer_attribute: String,

    /// The method to find the user of a customer. Without it the call is unsupported, since Cognito cannot search custom attributes.
    pub customer_lookup: Option<CustomerLookup>,

    /// With `customer_lookup = "group"`: the prefix of a group's name before the customer id.
    #[serde(default)]
    pub customer_group_prefix: String,

    /// With `customer_lookup = "index"`: the limits of the index.
    #[serde(default)]
    pub customer_index: CustomerIndexConfig,

    /// Whether a verification mail for an invited user who has never signed in is another invitation.
    /// The invitation sets a new temporary password: the previous one stops working.
    #[serde(default)]
    pub resend_invitations: bool,
}

/// A method to find the user of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CustomerLookup {
    /// By a search for `customer_attribute`, which must be a standard attribute that Cognito can search:
    /// `preferred_username`, `name`, `given_name` or `family_name`. Costs one request of the quota of 30 a second.
    Attribute,
    /// Among the members of the customer's group, by their `customer_attribute`. Costs one request. The tenant maintains a
    /// group for each customer; a pool has at most 10,000 groups.
    Group,
    /// By an index in memory, refreshed by reading the whole pool. For small pools only.
    Index,
}

/// The limits of the index of customers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CustomerIndexConfig {
    /// The maximum age of the index. After half of it the index is refreshed in the background.
    #[schemars(with = "String")]
    pub max_age: SignedDuration,
    /// The maximum number of users in the pool. With more users the call fails.
    pub max_users: usize,
    /// The requests of a refresh per second, each for 60 users. All pools of an account and region share a quota of 30.
    #[schemars(range(min = 1, max = 30))]
    pub requests_per_second: u32,
}

impl Default for CustomerIndexConfig {
    fn default() -> Self {
        Self { max_age: SignedDuration::from_mins(10), max_users: 10_000, requests_per_second: 5 }
    }
}

fn default_customer_attribute() -> String {
    "custom:customer_id".into()
}

impl CognitoConfig {
    /// Creates settings with the defaults.
    pub fn new(user_pool_id: impl Into<String>) -> Self {
        Self {
            user_pool_id: user_pool_id.into(),
            region: None,
            client_id: None,
            client_secret: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            role_arn: None,
            external_id: None,
            domain: None,
            endpoint: None,
            issuer_endpoint: None,
            sts_endpoint: None,
            customer_attribute: default_customer_attribute(),
            customer_lookup: None,
            customer_group_prefix: String::new(),
            customer_index: CustomerIndexConfig::default(),
            resend_invitations: false,
        }
    }

    /// Returns the pool's region.
    pub(crate) fn region(&self) -> &str {
        let from_pool = || self.user_pool_id.split('_').next().unwrap_or_default();
        self.region.as_deref().unwrap_or_else(from_pool)
    }

    /// Returns the URL of Cognito in the region, which is also the start of issuers.
    pub(crate) fn region_endpoint(&self) -> String {
        let region = self.region();
        // Regions in China have another suffix.
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://cognito-idp.{region}.amazonaws.com{suffix}")
    }

    /// Checks the settings, except URLs, which are checked when parsed.
    pub(crate) fn check(&self) -> Result<()> {
        let is_pool =
            self.user_pool_id.split_once('_').is_some_and(|(region, id)| !region.is_empty() && is_alphanumeric(id));
        if !is_pool {
            return Err(Error::misconfigured("`user_pool_id` is not the id of a pool")
                .with_hint("it looks like `eu-west-1_AbCdEfGhI`"));
        }
        // The region becomes part of a host name.
        if !is_alphanumeric(&self.region().replace('-', "")) {
            return Err(Error::misconfigured("`region` is not a region of AWS").with_hint("it looks like `eu-west-1`"));
        }
        if self.client_id.as_deref() == Some("") || (self.client_secret.is_some() && self.client_id.is_none()) {
            return Err(Error::misconfigured("`client_secret` needs `client_id`")
                .with_hint("set `client_id` to the app client with this secret"));
        }
        self.check_credentials()?;
        self.check_customer()
    }

    fn check_credentials(&self) -> Result<()> {
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            return Err(Error::misconfigured("`access_key_id` and `secret_access_key` belong together")
                .with_hint("set both or neither"));
        }
        if self.session_token.is_some() && self.access_key_id.is_none() {
            return Err(Error::misconfigured("`session_token` needs the `access_key_id` of its temporary key"));
        }
        if self.role_arn.as_deref().is_some_and(|arn| !arn.starts_with("arn:")) {
            return Err(Error::misconfigured("`role_arn` is not an ARN")
                .with_hint("it looks like `arn:aws:iam::123456789012:role/idp-bridge`"));
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            return Err(Error::misconfigured("`external_id` needs `role_arn`")
                .with_hint("set `role_arn` to the role that requires the external id"));
        }
        Ok(())
    }

    fn check_customer(&self) -> Result<()> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-');
        if self.customer_attribute.is_empty() || !self.customer_attribute.chars().all(is_allowed) {
            return Err(Error::misconfigured("`customer_attribute` is not the name of an attribute")
                .with_hint("it looks like `custom:customer_id`"));
        }
        let is_searchable = SEARCHABLE.contains(&self.customer_attribute.as_str());
        if self.customer_lookup == Some(CustomerLookup::Attribute) && !is_searchable {
            return Err(Error::misconfigured(
                "`customer_lookup = \"attribute\"` needs a `customer_attribute` that Cognito can search: `preferred_username`, `name`, `given_name` or `family_name`",
            ));
        }
        let CustomerIndexConfig { max_age, max_users, requests_per_second } = self.customer_index;
        if max_age.is_negative() || max_users == 0 || !(1..=30).contains(&requests_per_second) {
            return Err(Error::misconfigured("`customer_index` has an invalid limit").with_hint(
                "set limits such as `max_age = \"10m\"`, `max_users = 10000`, `requests_per_second = 5` (30 at most)",
            ));
        }
        Ok(())
    }
}

fn is_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(extra: Value) -> Result<CognitoConfig, serde_json::Error> {
        let mut settings = json!({"user_pool_id": "eu-west-1_AbCdEfGhI"});
        if let (Some(all), Some(more)) = (settings.as_object_mut(), extra.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(settings)
    }

    #[test]
    fn region_defaults_to_the_pools() {
        let config = read(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!((config.region(), config.customer_attribute.as_str()), ("eu-west-1", "custom:customer_id"));
        assert_eq!((config.customer_lookup, config.resend_invitations), (None, false));
        assert_eq!(read(json!({"region": "us-gov-west-1"})).unwrap().region(), "us-gov-west-1");
    }

    #[test]
    fn unknown_settings_are_rejected() {
        assert!(read(json!({"customer_lokup": "group"})).unwrap_err().to_string().contains("`customer_lokup`"));
        assert!(read(json!({"customer_index": {"max_user": 1}})).unwrap_err().to_string().contains("`max_user`"));
        assert!(read(json!({"customer_lookup": "scan"})).unwrap_err().to_string().contains("`scan`"));
    }

    #[test]
    fn index_age_is_a_duration_text() {
        let index = read(json!({"customer_index": {"max_age": "90s"}})).unwrap().customer_index;
        assert_eq!((index.max_age, index.max_users), (SignedDuration::from_secs(90), 10_000));
    }

    #[test]
    fn valid_settings_pass() {
        for extra in [
            json!({"client_id": "abc", "client_secret": "s"}),
            json!({"access_key_id": "AKIA", "secret_access_key": "s", "session_token": "t"}),
            json!({"role_arn": "arn:aws:iam::123456789012:role/x", "external_id": "e"}),
            json!({"customer_lookup": "attribute", "customer_attribute": "preferred_username"}),
            json!({"customer_lookup": "group", "customer_group_prefix": "customer-"}),
            json!({"customer_lookup": "index", "customer_index": {"max_age": "0s"}}),
        ] {
            assert!(read(extra.clone()).unwrap().check().is_ok(), "{extra}");
        }
    }

    #[test]
    fn invalid_settings_are_misconfigured() {
        for extra in [
            json!({"user_pool_id": "eu-west-1"}),
            json!({"user_pool_id": "eu-west-1_"}),
            json!({"user_pool_id": "_abc"}),
            json!({"user_pool_id": "eu-west-1_a/b"}),
            json!({"user_pool_id": "evil.example/_abc"}),
            json!({"region": ""}),
            json!({"region": "evil.example"}),
            json!({"client_id": ""}),
            json!({"client_secret": "s"}),
            json!({"access_key_id": "AKIA"}),
            json!({"secret_access_key": "s"}),
            json!({"session_token": "t"}),
            json!({"role_arn": "idp-bridge"}),
            json!({"external_id": "e"}),
            json!({"customer_attribute": ""}),
            json!({"customer_attribute": "a b"}),
            json!({"customer_lookup": "attribute"}),
            json!({"customer_lookup": "attribute", "customer_attribute": "nickname"}),
            json!({"customer_index": {"max_age": "-1s"}}),
            json!({"customer_index": {"max_users": 0}}),
            json!({"customer_index": {"requests_per_second": 31}}),
        ] {
            let error = read(extra.clone()).unwrap().check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{extra}");
        }
    }
}
