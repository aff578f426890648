//! What the conformance suite cannot know: the traps of Keycloak in particular.
//!
//! The tests speak to the fake through the harness of the suite, so that they hold for a real Keycloak as well.

mod diagnosis;
mod fields;
mod mails;
mod reads;
mod recorded;
mod writes;

use std::sync::Arc;

use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_conformance::{Harness, NewUser};
use idp_bridge_core::UserId;

use crate::Keycloak;
use crate::fake::{Exchange, FakeKeycloak};
use crate::harness::{KeycloakHarness, Server};

/// A fresh realm of a fresh fake, and a provider for it.
struct Stage {
    fake: Arc<FakeKeycloak>,
    harness: KeycloakHarness,
    provider: Keycloak,
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

    /// The targets of the bridge's own requests since the last time it was asked, without the realm's part.
    fn requests(&self) -> Vec<String> {
        let line = |Exchange { request, .. }: &Exchange| {
            let below_realm = request.target.splitn(5, '/').nth(4).unwrap_or(&request.target);
            format!("{} {below_realm}", request.method)
        };
        self.fake.take_exchanges().iter().map(line).collect()
    }
}
