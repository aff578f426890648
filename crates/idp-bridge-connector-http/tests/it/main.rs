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

use idp_bridge_connector_http::HttpConfig;
use idp_bridge_core::{ConnectorContext, Secret, TenantId};
use serde_json::json;

/// Returns the context of the providers.
fn context() -> ConnectorContext {
    ConnectorContext::new(TenantId::new("acme").unwrap())
}

/// Returns the settings for the definition in `sample.toml`.
fn config(url: &str, public: &str, key: &str) -> HttpConfig {
    let mut config = HttpConfig::default();
    config.settings.extend([("url".into(), url.to_owned()), ("public".into(), public.to_owned())]);
    config.secrets.insert("key".into(), Secret::new(key));
    config
}

/// Returns the discovery document of an OpenID Provider.
fn discovery(issuer: &str) -> String {
    let url = |path: &str| format!("{issuer}/{path}");
    let document = json!({
        "issuer": issuer, "authorization_endpoint": url("authorize"), "token_endpoint": url("token"),
        "jwks_uri": url("jwks"), "introspection_endpoint": url("introspect"), "userinfo_endpoint": url("userinfo"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    document.to_string()
}
