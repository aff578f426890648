//! A tenant's settings of the New IdP connector.

use idp_bridge_core::{Error, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of one New IdP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewIdp")]
#[non_exhaustive]
pub struct NewIdpConfig {
    /// The base URL of New IdP, such as `https://login.acme.example`.
    pub url: String,

    /// The API token of the bridge.
    pub api_token: Secret,

    /// The user attribute with the customer id. Users must not be able to write it.
    #[serde(default = "default_customer_attribute")]
    pub customer_attribute: String,
}

fn default_customer_attribute() -> String {
    "customer_id".into()
}

impl NewIdpConfig {
    /// Creates settings with the defaults.
    pub fn new(url: impl Into<String>, api_token: Secret) -> Self {
        Self { url: url.into(), api_token, customer_attribute: default_customer_attribute() }
    }

    /// Checks the settings without a request. The client checks the URL.
    pub(crate) fn check(&self) -> Result<()> {
        if self.customer_attribute.is_empty() {
            return Err(Error::misconfigured("`customer_attribute` is empty")
                .with_hint("name the attribute with the customer id"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(extra: Value) -> Result<NewIdpConfig, serde_json::Error> {
        let mut settings = json!({"url": "https://login.acme.example", "api_token": "s"});
        if let (Some(all), Some(more)) = (settings.as_object_mut(), extra.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(settings)
    }

    #[test]
    fn two_settings_are_required() {
        let config = read(json!({})).unwrap();
        assert!(config.check().is_ok());
        assert_eq!(config.customer_attribute, "customer_id");
    }

    #[test]
    fn an_unknown_setting_is_rejected() {
        assert!(read(json!({"api_tokn": "s"})).unwrap_err().to_string().contains("`api_tokn`"));
    }

    #[test]
    fn an_empty_attribute_is_rejected() {
        let error = read(json!({"customer_attribute": ""})).unwrap().check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}
