//! The identity provider of a tenant, behind a wire tap, with one user.

use idp_bridge_conformance::{Harness, NewUser, TestResult};
use idp_bridge_connector_auth0_testing::harness::Auth0Harness;
use idp_bridge_connector_cognito_testing::harness::CognitoHarness;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_core::{CustomerId, Email, OauthClient, Secret, UserId};
use idp_bridge_test_http::{Relay, Target};

use crate::support::keycloak;

/// The email address of the user, equal for all tenants.
pub(crate) const EMAIL: &str = "ada@acme.example";
/// The customer of the user, equal for all tenants.
pub(crate) const CUSTOMER: &str = "c-1";

/// A tenant and its identity provider.
pub(crate) struct Home {
    /// The id of the tenant, which is also the type of its connector.
    pub(crate) tenant: &'static str,
    /// The key that signs its calls.
    pub(crate) key: String,
    /// The id of its user.
    pub(crate) user: UserId,
    /// The wire tap before its identity provider.
    pub(crate) tap: Relay,
    /// The settings of its connector.
    pub(crate) settings: String,
    /// The clients of its federation.
    pub(crate) clients: Vec<OauthClient>,
    /// The running identity provider.
    pub(crate) harness: Box<dyn Harness>,
}

/// Starts a wire tap before the identity provider at this `http` URL.
pub(crate) fn tap(upstream: &str) -> Relay {
    let relay = Relay::start();
    relay.set_target(Target::At(upstream.strip_prefix("http://").unwrap().to_owned()));
    relay
}

impl Home {
    /// Starts one for each identity provider.
    pub(crate) async fn start_all() -> TestResult<Vec<Self>> {
        let keycloak = KeycloakHarness::start_with_fake().await?;
        let tap = self::tap(&keycloak.upstream().await?);
        // As a proxy, so that the issuer is that of the tokens.
        let settings = format!("proxy = \"{}\"\n{}", tap.url(), keycloak::settings(&keycloak, &keycloak.config().url));
        let clients = keycloak.clients();
        let keycloak = Self::new("keycloak", tap, (settings, clients), Box::new(keycloak)).await?;

        let auth0 = Auth0Harness::start().await?;
        let tap = self::tap(&auth0.upstream().await?);
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
        let clients = idp_bridge_connector_auth0_testing::harness::federation::settings().clients;
        let auth0 = Self::new("auth0", tap, (settings, clients), Box::new(auth0)).await?;

        let cognito = CognitoHarness::start_with_fake().await?;
        let tap = self::tap(&cognito.upstream().await?);
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
        let cognito = Self::new("cognito", tap, (settings, Vec::new()), Box::new(cognito)).await?;
        Ok(vec![keycloak, auth0, cognito])
    }

    /// Creates the user. The settings and the clients are those of the tenant's connector and federation.
    pub(crate) async fn new(
        tenant: &'static str,
        tap: Relay,
        (settings, clients): (String, Vec<OauthClient>),
        harness: Box<dyn Harness>,
    ) -> TestResult<Self> {
        let mut user = NewUser::person(Email::new(EMAIL)?);
        user.customers = vec![CustomerId::new(CUSTOMER)?];
        let user = harness.create(user).await?;
        let key = format!("whsec_{}", "A".repeat(32 - tenant.len()) + tenant);
        Ok(Self { tenant, key, user, tap, settings, clients, harness })
    }

    /// Returns the tenant's part of the configuration.
    pub(crate) fn table(&self) -> String {
        let Self { tenant, key, settings, .. } = self;
        format!(
            "[tenants.{tenant}]\nwebhook_keys = [\"{key}\"]\n[tenants.{tenant}.connector]\ntype = \"{tenant}\"\n{settings}"
        )
    }
}
