//! The connectors of this program. Each one is a feature and one line in this file.

use idp_bridge_core::Registry;

macro_rules! connectors {
    ($($feature:literal => $connector:path,)*) => {
        /// The names of all connectors in the workspace, built in or not. Each name is also a feature.
        pub(crate) const IN_TREE: &[&str] = &[$($feature),*];

        /// Returns the connectors that this program was built with.
        ///
        /// A program with an additional connector: `idp_bridge::run(idp_bridge::registry().with::<Mine>())`.
        pub fn registry() -> Registry {
            let registry = Registry::default();
            $(
                #[cfg(feature = $feature)]
                let registry = registry.with::<$connector>();
            )*
            registry
        }
    };
}

connectors! {
    "auth0" => idp_bridge_connector_auth0::Auth0,
    "cognito" => idp_bridge_connector_cognito::Cognito,
    "http" => idp_bridge_connector_http::Http,
    "keycloak" => idp_bridge_connector_keycloak::Keycloak,
    "ldap" => idp_bridge_connector_ldap::Ldap,
    "memory" => idp_bridge_connector_memory::Memory,
    "oidc" => idp_bridge_connector_oidc::Oidc,
    "sql" => idp_bridge_connector_sql::Sql,
}
