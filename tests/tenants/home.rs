//! A tenant's own identity provider, behind a wire tap, with the one user that every tenant has.

use idp_bridge_conformance::{Harness, NewUser, Staged};
use idp_bridge_connector_auth0::harness::Auth0Harness;
use idp_bridge_connector_cognito::harness::CognitoHarness;
use idp_bridge_connector_keycloak::harness::KeycloakHarness;
use idp_bridge_core::{CustomerId, Email, Secret, UserId};

use crate::tap::Tap;

/// The same address and the same customer everywhere: only the tenant tells the users apart.
pub(crate) const EMAIL: &str = "ada@acme.example";
pub(crate) const CUSTOMER: &str = "c-1";

/// One tenant and its identity provider.
pub(crate) struct Home {
    /// The tenant's id, which is also its connector's type.
    pub(crate) tenant: &'static str,
    /// The key that its calls are signed with.
    pub(crate) key: String,
    /// Its user.
    pub(crate) user: UserId,
    /// What its identity provider was sent.
    pub(crate) tap: Tap,
    /// The keys of its connector.
    settings: String,
    /// Keeps the identity provider alive.
    _harness: Box<dyn Harness>,
}

impl Home {
    /// All of them, one for each identity provider.
    pub(crate) async fn all() -> Staged<Vec<Self>> {
        let keycloak = KeycloakHarness::start_with_fake().await?;
        let tap = Tap::before(&keycloak.upstream().await?);
        let config = keycloak.config();
        let settings = format!(
            "url = \"{}\"\nrealm = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\ncustomer_attribute = \"{}\"\n",
            tap.url(),
            config.realm,
            config.client_id,
            config.client_secret.expose(),
            config.customer_attribute
        );
        let keycloak = Self::of("keycloak", tap, settings, Box::new(keycloak)).await?;

        let auth0 = Auth0Harness::start().await?;
        let tap = Tap::before(&auth0.upstream().await?);
        let config = auth0.config();
        let settings = format!(
            "domain = \"{}\"\nendpoint = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\ncustomer_key = \"{}\"\n\
             connection = \"{}\"\nemail_client_id = \"{}\"\n",
            config.domain,
            tap.url(),
            config.client_id,
            config.client_secret.as_ref().map(Secret::expose).unwrap(),
            config.customer_key,
            config.connection.unwrap(),
            config.email_client_id.unwrap()
        );
        let auth0 = Self::of("auth0", tap, settings, Box::new(auth0)).await?;

        let cognito = CognitoHarness::start_with_fake().await?;
        let tap = Tap::before(&cognito.upstream().await?);
        let config = cognito.config();
        let settings = format!(
            "endpoint = \"{}\"\nuser_pool_id = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\nclient_id = \"{}\"\n\
             client_secret = \"{}\"\ncustomer_attribute = \"{}\"\ncustomer_lookup = \"attribute\"\n",
            tap.url(),
            config.user_pool_id,
            config.access_key_id.unwrap(),
            config.secret_access_key.as_ref().map(Secret::expose).unwrap(),
            config.client_id.unwrap(),
            config.client_secret.as_ref().map(Secret::expose).unwrap(),
            config.customer_attribute
        );
        let cognito = Self::of("cognito", tap, settings, Box::new(cognito)).await?;
        Ok(vec![keycloak, auth0, cognito])
    }

    async fn of(tenant: &'static str, tap: Tap, settings: String, harness: Box<dyn Harness>) -> Staged<Self> {
        let mut user = NewUser::person(Email::new(EMAIL)?);
        user.customers = vec![CustomerId::new(CUSTOMER)?];
        let user = harness.create(user).await?;
        let key = format!("whsec_{}", "A".repeat(32 - tenant.len()) + tenant);
        Ok(Self { tenant, key, user, tap, settings, _harness: harness })
    }

    /// The tenant's part of the configuration.
    pub(crate) fn table(&self) -> String {
        let Self { tenant, key, settings, .. } = self;
        format!(
            "[tenants.{tenant}]\nwebhook_keys = [\"{key}\"]\n[tenants.{tenant}.connector]\ntype = \"{tenant}\"\n{settings}"
        )
    }
}
