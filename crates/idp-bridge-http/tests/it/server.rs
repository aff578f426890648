//! The scripted server, and values for the tests.

use std::time::Duration;

use idp_bridge_core::CallScope;

pub(crate) use idp_bridge_test_http::{Received, Reply, Server, answer};

/// Returns a scope with a deadline longer than any test.
pub(crate) fn scope() -> CallScope {
    CallScope::new("r-1", Duration::from_secs(60))
}

/// Formats an error with all its causes and their `Debug` forms.
pub(crate) fn everything(error: &idp_bridge_core::Error) -> String {
    let mut text = format!("{error:?}");
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = cause {
        text.push_str(&format!("\n{current} {current:?}"));
        cause = current.source();
    }
    text
}
