//! Parses a definition, builds its requests and converts a user. Each URL is below the origin of the settings.
//!
//! The input has the definition and, after a zero byte, a user in JSON.

#![cfg_attr(fuzzing, no_main)]

use std::sync::{Arc, LazyLock};

use idp_bridge_connector_http::Definition;
use idp_bridge_connector_http::fuzzing::BoundDefinition;
use idp_bridge_core::{ConnectorContext, Email, SearchKey, TenantId, UserId};

const ORIGIN: &str = "https://idp.example/base";
/// Values of calls that could leave the path of the origin.
const HOSTILE: [&str; 4] = ["u-1", "../..", "//evil.example/@", "a?b#c%2f\\"];

static CONTEXT: LazyLock<ConnectorContext> = LazyLock::new(|| ConnectorContext::new(TenantId::new("acme").unwrap()));

pub(crate) fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Ok(text) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let definition = match Definition::parse(text) {
        Ok(definition) => Arc::new(definition),
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty()));
            return;
        }
    };
    // Settings of a tenant can still be wrong, such as one without a header's characters.
    let Ok(bound) = BoundDefinition::new(&definition, ORIGIN, &CONTEXT) else { return };
    let email = Email::new("ada@acme.example").unwrap();
    for value in HOSTILE {
        for url in bound.urls(&UserId::new(value).unwrap(), SearchKey::Email(&email), value) {
            assert!(url.as_str().starts_with(ORIGIN), "{url}");
            assert!(!url.path().split('/').any(|segment| matches!(segment, "." | "..")), "{url}");
            assert!(url.fragment().is_none() && url.username().is_empty(), "{url}");
        }
    }
    if let Ok(user) = serde_json::from_slice(parts.next().unwrap_or_default()) {
        let _ = bound.convert_user(&user);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
