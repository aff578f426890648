//! The connectors of a binary, type-erased.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::Schema;
use serde_json::Value;

use crate::{Capabilities, Connector, ConnectorContext, IdentityProvider, Result};

/// The connectors of a binary. Registration is a plain call:
///
/// ```text
/// Registry::default().with::<Keycloak>().with::<Mine>()
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registry(BTreeMap<&'static str, RegistryEntry>);

impl Registry {
    /// Adds a connector. Replaces a connector with the same type.
    #[must_use]
    pub fn with<C: Connector>(mut self) -> Self {
        self.0.insert(C::TYPE, RegistryEntry::new::<C>());
        self
    }

    /// Returns the connector with this `connector.type`.
    pub fn get(&self, kind: &str) -> Option<&RegistryEntry> {
        self.0.get(kind)
    }

    /// Returns all connectors, ordered by type.
    pub fn iter(&self) -> impl Iterator<Item = &RegistryEntry> {
        self.0.values()
    }
}

/// One registered connector.
#[derive(Clone, Copy)]
pub struct RegistryEntry {
    kind: &'static str,
    capabilities: fn() -> Capabilities,
    schema: fn() -> Schema,
    read: fn(&Value) -> Result<Build, ConfigError>,
}

/// Builds a provider from parsed settings.
type Build = Box<dyn FnOnce(&ConnectorContext) -> Result<Arc<dyn IdentityProvider>>>;

impl RegistryEntry {
    fn new<C: Connector>() -> Self {
        Self {
            kind: C::TYPE,
            capabilities: C::capabilities,
            schema: || schemars::schema_for!(C::Config),
            read: |settings| {
                let config: C::Config =
                    serde_path_to_error::deserialize(settings).map_err(|error| ConfigError::from_serde(&error))?;
                Ok(Box::new(|context| Ok(Arc::new(C::build(config, context)?))))
            },
        }
    }

    /// Returns the value of `connector.type`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the features that this connector supports with at least some settings.
    pub fn capabilities(&self) -> Capabilities {
        (self.capabilities)()
    }

    /// Returns the JSON schema of the connector's settings.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// Parses a tenant's settings. The result builds the provider.
    pub fn read(&self, settings: &Value) -> Result<Build, ConfigError> {
        (self.read)(settings)
    }
}

impl fmt::Debug for RegistryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegistryEntry").field(&self.kind).finish()
    }
}

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key's path within the settings, such as `federation.clients[0].id`; `.` for the settings as a whole.
    pub path: String,
    /// The fault of the value, or the expected value.
    pub message: String,
}

impl ConfigError {
    fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        Self { path: error.path().to_string(), message: error.inner().to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.message)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{CallScope, Finding};

    struct Nothing;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(rename = "pool")]
        _pool: String,
    }

    struct NoUsers(Capabilities);

    #[async_trait]
    impl IdentityProvider for NoUsers {
        fn capabilities(&self) -> &Capabilities {
            &self.0
        }

        async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
            Vec::new()
        }
    }

    impl Connector for Nothing {
        const TYPE: &'static str = "nothing";
        type Config = Settings;
        type Provider = NoUsers;

        fn capabilities() -> Capabilities {
            Capabilities::none("there is nothing")
        }

        fn build(_: Settings, _: &ConnectorContext) -> Result<NoUsers> {
            Ok(NoUsers(Self::capabilities()))
        }
    }

    #[test]
    fn an_invalid_setting_is_named_by_its_path() {
        let registry = Registry::default().with::<Nothing>();
        let entry = registry.get("nothing").unwrap();
        let error = |settings| entry.read(&settings).err().unwrap();
        assert_eq!(error(json!({"pool": 1})).path, "pool");
        assert!(error(json!({"pol": "x"})).message.contains("unknown field `pol`"));
        assert!(error(json!({})).message.contains("missing field `pool`"));
    }
}
