//! Tests of the definition language and of requests to a server of the test's own.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod answers;
mod constructs;
mod doctor;
mod federation;
mod grants;
mod hostile;
mod malformed;
mod requests;
mod stage;

/// Returns the context of the providers.
fn context() -> idp_bridge_core::ConnectorContext {
    idp_bridge_core::ConnectorContext::new(idp_bridge_core::TenantId::new("acme").unwrap())
}
