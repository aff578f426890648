//! The connectors of this program: each is a feature and one line here.

use idp_bridge_core::Registry;

macro_rules! connectors {
    ($($feature:literal => $connector:path,)*) => {
        /// The names of all connectors of the workspace, built in or not: each is also the name of its feature.
        pub(crate) const IN_TREE: &[&str] = &[$($feature),*];

        /// The connectors that this program was built with.
        ///
        /// A program with one of its own: `idp_bridge::run(idp_bridge::registry().with::<Mine>())`.
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
    "keycloak" => idp_bridge_connector_keycloak::Keycloak,
    "memory" => idp_bridge_connector_memory::Memory,
    "oidc" => idp_bridge_connector_oidc::Oidc,
}
