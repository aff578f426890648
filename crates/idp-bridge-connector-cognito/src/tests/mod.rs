//! What the conformance suite cannot know: the traps of Cognito in particular.

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
use idp_bridge_core::UserId;
use serde_json::Value;

use crate::fake::{FakeCognito, Status, User};
use crate::harness::CognitoHarness;
use crate::{Cognito, CognitoConfig};

/// A fresh pool, and a provider for it.
struct Stage {
    harness: CognitoHarness,
    provider: Cognito,
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

    /// Makes a user of this name in this state, with an address of the same name and a customer.
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

    /// Gives or takes the bridge's right to this operation.
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

    /// The operations since the last time, each with the user whom it names or the filter that it has, and what was asked of the domain.
    fn requests(&self) -> Vec<String> {
        self.fake().take_exchanges().iter().map(|exchange| line(&exchange.request)).collect()
    }
}

fn line(request: &Incoming) -> String {
    let Some(target) = request.headers.get("x-amz-target") else { return request.path().to_owned() };
    let target = target.to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let about = ["Username", "Filter", "GroupName"].into_iter().find_map(|name| body[name].as_str());
    format!("{operation} {}", about.unwrap_or_default()).trim_end().to_owned()
}
