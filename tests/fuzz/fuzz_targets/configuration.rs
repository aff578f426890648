//! Loads a configuration with a secret. Problems have messages, and none contains the secret.
//!
//! The input is appended to the tables of a tenant.

#![cfg_attr(fuzzing, no_main)]

use std::sync::LazyLock;

use idp_bridge::fuzzing::load_configuration;
use idp_bridge_connector_auth0::Auth0;
use idp_bridge_connector_http::Http;
use idp_bridge_connector_keycloak::Keycloak;
use idp_bridge_connector_oidc::Oidc;
use idp_bridge_core::Registry;
use tempfile::TempDir;

const SECRET: &str = "hunter2-correct-horse-battery-staple";
const TENANT: &str = r#"
[tenants.acme]
webhook_keys = ["whsec_MSRjPPxLmJtpK9OVH8KDqggkVjFnu0Oevow4dEoKvE0="]
[tenants.acme.connector]
type = "keycloak"
url = "https://kc.example"
realm = "acme"
client_id = "bridge"
client_secret = "hunter2-correct-horse-battery-staple"
"#;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

pub(crate) fn run(data: &[u8]) {
    // Connectors without files, so that no input names one that is written.
    let registry = Registry::default().with::<Auth0>().with::<Http>().with::<Keycloak>().with::<Oidc>();
    let text = [TENANT.as_bytes(), data].concat();
    let path = FOLDER.path().join("idp-bridge.toml");
    std::fs::write(&path, &text).unwrap();
    match load_configuration(&path, &registry) {
        Ok(()) => assert!(std::str::from_utf8(&text).unwrap().parse::<toml::Table>().is_ok()),
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|problem| problem.len() > "error: ".len()));
            let is_own = data.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            assert!(is_own || !problems.iter().any(|problem| problem.contains(SECRET)), "{problems:?}");
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
