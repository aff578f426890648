//! The settings of the connector for a Keycloak, and a fake with one user.

use idp_bridge_conformance::{Harness as _, NewUser};
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_core::{CustomerId, Email};

/// Returns the settings of a connector for this Keycloak at a URL, without the type.
pub(crate) fn settings(harness: &KeycloakHarness, url: &str) -> String {
    let config = harness.config();
    let secret = config.client_secret.as_ref().unwrap().expose();
    format!(
        "url = \"{url}\"\nrealm = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{secret}\"\ncustomer_attribute = \"{}\"\n",
        config.realm, config.client_id, config.customer_attribute
    )
}

/// Starts a fake with a user. Returns its URL and the id of the user, too.
pub(crate) async fn start(email: &str, customer: &str) -> (KeycloakHarness, String, String) {
    let harness = KeycloakHarness::start_with_fake().await.unwrap();
    let url = harness.upstream().await.unwrap();
    let mut user = NewUser::person(Email::new(email).unwrap());
    user.customers = vec![CustomerId::new(customer).unwrap()];
    let id = harness.create(user).await.unwrap().as_str().to_owned();
    (harness, url, id)
}
