//! Tests of the definition language and of requests to a server of the test's own.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod requests;

/// Returns the context of the providers.
#[cfg(test)]
fn context() -> idp_bridge_core::ConnectorContext {
    idp_bridge_core::ConnectorContext::new(idp_bridge_core::TenantId::new("acme").unwrap())
}
