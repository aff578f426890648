//! Values for the tests of connectors.

use std::time::Duration;

use idp_bridge_core::{CallScope, CustomerId, Email, FederationSettings, Secret};

/// Returns the address of a user with this name.
#[expect(clippy::expect_used, reason = "a test with an invalid value must fail")]
pub fn email(name: &str) -> Email {
    Email::new(format!("{name}@acme.example")).expect("the name must make an address")
}

/// Returns a customer id.
#[expect(clippy::expect_used, reason = "a test with an invalid value must fail")]
pub fn customer(text: &str) -> CustomerId {
    CustomerId::new(text).expect("the text must be a customer id")
}

/// Returns a scope with ample time.
pub fn scope() -> CallScope {
    CallScope::new("test", Duration::from_secs(10))
}

/// Returns the settings with a wrong secret of the first client, for [`Setup::WrongClientSecret`](crate::Setup).
pub fn with_wrong_secret(mut settings: FederationSettings) -> FederationSettings {
    settings.clients.iter_mut().take(1).for_each(|client| client.secret = Some(Secret::new("wrong")));
    settings
}
