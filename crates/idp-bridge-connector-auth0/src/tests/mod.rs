//! Tests of behaviour that is specific to Auth0.

mod diagnosis;
mod federation;
mod mails;
mod reads;
mod tokens;
mod writes;

use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_conformance::{Harness as _, NewUser};
use idp_bridge_core::{Directory, UserId};
use serde_json::{Value, json};

use crate::fake::{Exchange, FakeAuth0};
use crate::harness::Auth0Harness;
use crate::{Auth0Config, Auth0Store};

/// The database of the harness's users.
const DATABASE: &str = "Username-Password-Authentication";

/// A fresh tenant with a provider.
struct Stage {
    harness: Auth0Harness,
    provider: Directory<Auth0Store>,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(settings: fn(&mut Auth0Config)) -> Self {
        let harness = Auth0Harness::start().await.unwrap().with(settings);
        let provider = harness.build(harness.config()).unwrap();
        Self { harness, provider }
    }

    fn fake(&self) -> &FakeAuth0 {
        self.harness.fake()
    }

    /// Creates a user in the database, and clears the recorded requests.
    async fn create(&self, name: &str, customers: &[&str]) -> UserId {
        let mut user = NewUser::person(email(name));
        user.customers = customers.iter().map(|text| customer(text)).collect();
        let id = self.harness.create(user).await.unwrap();
        self.fake().take_exchanges();
        id
    }

    /// Adds a user of another connection, as its first login does.
    fn insert(&self, id: &str, email: &str, more: Value) -> UserId {
        let (provider, rest) = id.split_once('|').unwrap();
        let mut user = json!({
            "user_id": id, "email": email, "email_verified": false, "created_at": "2026-01-02T03:04:05.678Z",
            "identities": [{"provider": provider, "user_id": rest, "connection": provider, "isSocial": true}],
        });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.fake().insert(user);
        UserId::new(id).unwrap()
    }

    /// Returns the requests since the last call, without those for tokens.
    fn exchanges(&self) -> Vec<Exchange> {
        let mut exchanges = self.fake().take_exchanges();
        exchanges.retain(|exchange| exchange.request.path() != "/oauth/token");
        exchanges
    }

    /// Returns methods and targets of these requests, without the common prefix.
    fn requests(&self) -> Vec<String> {
        let line = |exchange: &Exchange| {
            let target = exchange.request.target.trim_start_matches("/api/v2/");
            format!("{} {target}", exchange.request.method)
        };
        self.exchanges().iter().map(line).collect()
    }

    /// Returns the JSON bodies of these requests with one method.
    fn bodies(&self, method: &str) -> Vec<Value> {
        let exchanges = self.exchanges();
        let of_method = exchanges.iter().filter(|exchange| exchange.request.method == method);
        of_method.map(|exchange| exchange.request.json().unwrap()).collect()
    }
}
