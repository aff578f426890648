//! Checks a logout token. An accepted one has each required claim, and names the session or user exactly.
//!
//! The input has the header and the claims in JSON, one a line.

#![cfg_attr(fuzzing, no_main)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Ended, FederationSettings, LogoutFallback, OauthClient};
use idp_bridge_http::oidc::fuzzing::check_logout_token;
use serde_json::Value;

const ISSUER: &str = "https://idp.example";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

static NOW: LazyLock<Timestamp> = LazyLock::new(|| "2026-11-29T12:00:00Z".parse().unwrap());
static SETTINGS: LazyLock<FederationSettings> = LazyLock::new(|| FederationSettings {
    clients: vec![OauthClient { id: "shop".to_owned(), secret: None }],
    customer_claim: None,
    fallback: LogoutFallback::default(),
    post_logout_redirect_uris: Vec::new(),
});

pub(crate) fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let [header, claims] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
    let [encoded_header, encoded_claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let token = format!("{encoded_header}.{encoded_claims}.c2ln");
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(!text.contains('.') || check_logout_token(text, ISSUER, *NOW, &SETTINGS).is_err());
    }
    let Ok(notice) = check_logout_token(&token, ISSUER, *NOW, &SETTINGS) else { return };
    let [header, claims]: [Value; 2] = [header, claims].map(|part| serde_json::from_slice(part).unwrap());
    assert!(!matches!(header["alg"].as_str(), None | Some("none" | "HS256" | "HS384" | "HS512")), "{header}");
    let typ = header["typ"].as_str().unwrap().to_ascii_lowercase();
    assert_eq!(typ.strip_prefix("application/").unwrap_or(&typ), "logout+jwt");
    assert_eq!(claims["iss"], ISSUER);
    let audience = claims["aud"].as_array().map_or_else(|| vec![&claims["aud"]], |all| all.iter().collect());
    assert!(audience.into_iter().any(|client| client == "shop"), "{claims}");
    assert!(claims["events"][EVENT].is_object() && claims.get("nonce").is_none(), "{claims}");
    assert!(NOW.duration_since(notice.issued_at) <= SignedDuration::from_mins(5));
    match notice.ended {
        Ended::Session(session) => assert_eq!(claims["sid"], session.as_str()),
        Ended::User(user) => assert!(claims["sub"] == user.as_str() && claims.get("sid").is_none()),
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
