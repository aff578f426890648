//! A new realm of a new fake, and a provider for it.

use std::sync::Arc;

use idp_bridge_conformance::fixture::decode_jwt;
pub(crate) use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_conformance::{FederationHarness as _, Harness, NewUser};
use idp_bridge_connector_keycloak::KeycloakStore;
use idp_bridge_connector_keycloak_testing::fake::{Exchange, FakeKeycloak};
use idp_bridge_connector_keycloak_testing::harness::{KeycloakHarness, Server};
use idp_bridge_core::{AccessToken, Directory, UserId};
use serde_json::Value;

/// A new realm of a new fake, and a provider for it.
pub(crate) struct Stage {
    pub(crate) fake: Arc<FakeKeycloak>,
    pub(crate) harness: KeycloakHarness,
    pub(crate) provider: Directory<KeycloakStore>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let fake = Arc::new(FakeKeycloak::start().await.unwrap());
        let harness = KeycloakHarness::start(Server::fake(Arc::clone(&fake))).await.unwrap();
        let provider = harness.build(harness.config()).unwrap();
        Self { fake, harness, provider }
    }

    pub(crate) async fn create(&self, name: &str, customers: &[&str]) -> UserId {
        self.create_with(name, customers, |_| {}).await
    }

    pub(crate) async fn create_with(&self, name: &str, customers: &[&str], shape: impl FnOnce(&mut NewUser)) -> UserId {
        let mut user = NewUser::person(email(name));
        user.customers = customers.iter().map(|text| customer(text)).collect();
        shape(&mut user);
        self.harness.create(user).await.unwrap()
    }

    /// Takes the bridge's requests since the last call: method and target below the realm.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests_below(4)
    }

    /// Takes the bridge's requests to the realm's public endpoints, which have a shorter path.
    pub(crate) fn public_requests(&self) -> Vec<String> {
        self.requests_below(3)
    }

    fn requests_below(&self, segments: usize) -> Vec<String> {
        let line = |Exchange { request, .. }: &Exchange| {
            let below_realm = request.target.splitn(segments + 1, '/').nth(segments).unwrap_or(&request.target);
            format!("{} {below_realm}", request.method)
        };
        self.fake.take_exchanges().iter().map(line).collect()
    }

    /// Decodes a token's claims.
    pub(crate) fn claims(&self, token: &AccessToken) -> Value {
        decode_jwt(token.expose()).unwrap().1
    }

    /// Signs claims with the realm's key, under the header of another token.
    pub(crate) async fn sign(&self, template: &AccessToken, claims: &Value) -> AccessToken {
        let (header, _) = decode_jwt(template.expose()).unwrap();
        AccessToken::new(self.harness.sign(&header, claims).await.unwrap()).unwrap()
    }
}
