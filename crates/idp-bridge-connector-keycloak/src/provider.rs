//! Builds the provider of one tenant.

use idp_bridge_core::{Capabilities, Connector, ConnectorContext, Directory, Fidelity, Field, Result};

use crate::client::AdminApi;
use crate::config::KeycloakConfig;
use crate::federation::{self, RealmFederation};
use crate::store::KeycloakStore;

/// The Keycloak connector. Its providers are directories over one realm.
#[derive(Debug, Clone, Copy)]
pub struct Keycloak;

impl Connector for Keycloak {
    const TYPE: &'static str = "keycloak";
    type Config = KeycloakConfig;
    type Provider = Directory<KeycloakStore>;

    fn capabilities() -> Capabilities {
        Capabilities::all()
            .with_field(Field::UpdateTime, Fidelity::Absent)
            .with_field(Field::LoginTime, Fidelity::Derived)
            .with_field(Field::LoginsCount, Fidelity::Derived)
            .with_federation(Some(federation::capabilities()))
    }

    fn build(config: KeycloakConfig, context: &ConnectorContext) -> Result<Directory<KeycloakStore>> {
        config.check()?;
        let api = AdminApi::new(&config, context)?;
        let settings = context.federation.as_ref();
        let federation = settings.map(|settings| RealmFederation::new(api.clone(), &config, settings, context));
        let federation = federation.transpose()?.map(Box::new);
        let declared = federation.as_ref().map(|_| federation::capabilities());
        let mut capabilities = Self::capabilities().with_federation(declared);
        if !config.login_events {
            for field in [Field::LoginTime, Field::LoginsCount] {
                capabilities = capabilities.with_field(field, Fidelity::Absent);
            }
        }
        Ok(Directory::new(KeycloakStore { api, config, capabilities, federation }))
    }
}
