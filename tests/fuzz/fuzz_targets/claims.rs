//! Reads the claims of a token or of a userinfo response. Only the client that a token names is accepted.

#![cfg_attr(fuzzing, no_main)]

use idp_bridge_core::Customer;
use idp_bridge_http::oidc::Claims;

pub(crate) fn run(json: &[u8]) {
    let Some(claims) = Claims::parse(json) else { return };
    if let Ok(client) = claims.check_client(|client| client == "shop") {
        assert_eq!(client, "shop");
        assert!(["azp", "client_id"].iter().any(|name| claims.text(name) == Some("shop")));
    }
    if claims.check_not_id_token("shop").is_ok() {
        assert!(!claims.has("nonce") && !claims.audience().contains(&"shop"));
    }
    assert_eq!(claims.check_unbound().is_ok(), !claims.has("cnf"));
    for name in ["iat", "exp", "nbf"] {
        assert!(claims.timestamp(name).is_none() || claims.has(name));
    }
    for name in ["customer", "sub", "email_verified"] {
        if let Customer::One(customer) = claims.customer(name) {
            assert!(!customer.as_str().is_empty() && !customer.as_str().contains(char::is_control));
        }
        let _ = (claims.strings(name), claims.words(name), claims.bool_or_string(name));
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
