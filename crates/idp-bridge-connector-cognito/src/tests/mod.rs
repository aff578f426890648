//! Tests of Cognito's particulars, beside the conformance suite.

mod credentials;
mod diagnosis;
mod federation;
mod federation_diagnosis;
mod index;
mod mails;
mod reads;
mod throttling;
mod writes;

use idp_bridge_conformance::fake::Incoming;
use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_core::{Directory, UserId};
use serde_json::Value;

use crate::fake::{FakeCognito, Status, User};
use crate::harness::CognitoHarness;
use crate::{CognitoConfig, CognitoStore};

/// A new pool, and a provider for it.
struct Stage {
    harness: CognitoHarness,
    provider: Directory<CognitoStore>,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(settings: fn(&mut CognitoConfig)) -> Self {
        let harness = CognitoHarness::start_with_fake().await.unwrap().with("cognito (fake)", settings);
        harness.fake().with(|pool| pool.begins_with_an_empty_page = false);
        let provider = harness.build(harness.config()).unwrap();
        Self { harness, provider }
    }

    fn fake(&self) -> &FakeCognito {
        self.harness.fake()
    }

    /// Creates a user with this name and state, with an address and a customer that contain the name.
    fn insert(&self, name: &str, status: Status, verified: &str) -> UserId {
        self.insert_with(name, status, verified, |_| {})
    }

    fn insert_with(&self, name: &str, status: Status, verified: &str, change: impl FnOnce(&mut User)) -> UserId {
        let (address, customer) = (email(name), format!("customer-of-{name}"));
        let attributes = [
            ("email", address.as_str()),
            ("email_verified", verified),
            ("preferred_username", &customer),
            ("custom:customer_id", &customer),
        ];
        let mut user = User::new(name, status, &attributes);
        change(&mut user);
        UserId::new(self.fake().insert(user)).unwrap()
    }

    /// Grants or revokes the bridge's right to this operation.
    fn allow(&self, action: &str, allowed: bool) {
        self.fake().with(|pool| {
            let actions = &mut pool.principals[0].actions;
            if allowed {
                actions.insert(action.into())
            } else {
                actions.remove(action)
            };
        });
    }

    /// Takes the recorded requests: operations with their user, filter or group, and paths of the domain.
    fn requests(&self) -> Vec<String> {
        self.fake().take_exchanges().iter().map(|exchange| summary(&exchange.request)).collect()
    }
}

fn summary(request: &Incoming) -> String {
    let Some(target) = request.headers.get("x-amz-target") else { return request.path().to_owned() };
    let target = target.to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let about = ["Username", "Filter", "GroupName"].into_iter().find_map(|name| body[name].as_str());
    format!("{operation} {}", about.unwrap_or_default()).trim_end().to_owned()
}
