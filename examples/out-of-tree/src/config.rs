//! A tenant's settings.

use idp_bridge_core::{Error, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one Rolodex.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rolodex")]
#[non_exhaustive]
pub struct RolodexConfig {
    /// The base URL of Rolodex, such as `https://rolodex.acme.example`.
    pub url: String,

    /// The API key of the bridge.
    pub api_key: Secret,

    /// The field of a person with the customer id. Users must not be able to write it.
    #[serde(default = "default_customer_field")]
    pub customer_field: String,
}

fn default_customer_field() -> String {
    "client".to_owned()
}

impl RolodexConfig {
    /// Creates settings with the defaults.
    pub fn new(url: impl Into<String>, api_key: Secret) -> Self {
        Self { url: url.into(), api_key, customer_field: default_customer_field() }
    }

    /// Checks the settings without a request. The client checks the URL.
    pub(crate) fn check(&self) -> Result<()> {
        if self.customer_field.is_empty() {
            return Err(
                Error::misconfigured("`customer_field` is empty").with_hint("name the field with the customer id")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn parse(settings: Value) -> Result<RolodexConfig, serde_json::Error> {
        serde_json::from_value(settings)
    }

    #[test]
    fn two_settings_are_required() {
        let config = parse(json!({"url": "https://rolodex.acme.example", "api_key": "s"})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(config.customer_field, "client");
        assert!(parse(json!({"url": "https://rolodex.acme.example"})).is_err());
    }

    #[test]
    fn unknown_setting_is_rejected() {
        let error = parse(json!({"url": "", "api_kee": "s"})).unwrap_err();
        assert!(error.to_string().contains("`api_kee`"), "{error}");
    }

    #[test]
    fn empty_field_is_rejected() {
        let config = parse(json!({"url": "", "api_key": "s", "customer_field": ""})).unwrap();
        assert_eq!(config.check().unwrap_err().kind(), ErrorKind::Misconfigured);
    }
}
