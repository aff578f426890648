//! What a connector's own tests need besides the suite: values and a scope, made of a test's own words.

use std::time::Duration;

use idp_bridge_core::{CallScope, CustomerId, Email};

/// The address of somebody with this name.
#[expect(clippy::expect_used, reason = "a test with a bad word of its own must fail")]
pub fn email(name: &str) -> Email {
    Email::new(format!("{name}@acme.example")).expect("the name must make an address")
}

/// A customer id.
#[expect(clippy::expect_used, reason = "a test with a bad word of its own must fail")]
pub fn customer(text: &str) -> CustomerId {
    CustomerId::new(text).expect("the text must be a customer id")
}

/// The scope of a call that has time enough.
pub fn scope() -> CallScope {
    CallScope::new("test", Duration::from_secs(10))
}
