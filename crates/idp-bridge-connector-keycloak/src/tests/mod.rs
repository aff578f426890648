//! Tests of Keycloak's particularities, which the conformance suite does not cover.
//!
//! They use the suite's harness with the fake, so that they hold for a real Keycloak as well.

mod diagnosis;
mod federation;
mod fields;
mod mails;
mod reads;
mod recorded;
mod writes;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_conformance::{FederationHarness as _, Harness, NewUser};
use idp_bridge_core::{AccessToken, Directory, UserId};
use serde_json::Value;

use crate::KeycloakStore;
use crate::fake::{Exchange, FakeKeycloak};
use crate::harness::{KeycloakHarness, Server};

/// A new realm of a new fake, and a provider for it.
struct Stage {
    fake: Arc<FakeKeycloak>,
    harness: KeycloakHarness,
    provider: Directory<KeycloakStore>,
}

impl Stage {
    async fn new() -> Self {
        let fake = Arc::new(FakeKeycloak::start().await.unwrap());
        let harness = KeycloakHarness::start(Server::fake(Arc::clone(&fake))).await.unwrap();
        let provider = harness.build(harness.config()).unwrap();
        Self { fake, harness, provider }
    }

    async fn create(&self, name: &str, customers: &[&str]) -> UserId {
        self.create_with(name, customers, |_| {}).await
    }

    async fn create_with(&self, name: &str, customers: &[&str], shape: impl FnOnce(&mut NewUser)) -> UserId {
        let mut user = NewUser::person(email(name));
        user.customers = customers.iter().map(|text| customer(text)).collect();
        shape(&mut user);
        self.harness.create(user).await.unwrap()
    }

    /// Takes the bridge's requests since the last call: method and target below the realm.
    fn requests(&self) -> Vec<String> {
        let line = |Exchange { request, .. }: &Exchange| {
            let below_realm = request.target.splitn(5, '/').nth(4).unwrap_or(&request.target);
            format!("{} {below_realm}", request.method)
        };
        self.fake.take_exchanges().iter().map(line).collect()
    }

    /// Takes the bridge's requests to the realm's public endpoints, which have a shorter path.
    fn public_requests(&self) -> Vec<String> {
        let line = |Exchange { request, .. }: &Exchange| {
            format!("{} {}", request.method, request.target.splitn(4, '/').nth(3).unwrap_or_default())
        };
        self.fake.take_exchanges().iter().map(line).collect()
    }

    /// Decodes a token's claims.
    fn claims(&self, token: &AccessToken) -> Value {
        let payload = token.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    /// Signs claims with the realm's key, under the header of another token.
    async fn sign(&self, template: &AccessToken, claims: &Value) -> AccessToken {
        let header = template.expose().split('.').next().unwrap();
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        AccessToken::new(self.harness.sign(&header, claims).await.unwrap()).unwrap()
    }
}
