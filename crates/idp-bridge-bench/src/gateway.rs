//! Gateways without idp-bridge's features: they verify the signature, read the user and convert it.

pub(crate) mod axum;
pub(crate) mod hyper;

use anyhow::{Context, Result};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::fixture;

/// The longest age of a signature, in seconds.
const TOLERANCE: i64 = 300;

/// Verifies signatures of the tenant's key.
#[derive(Clone)]
struct Verifier(hmac::Key);

impl Verifier {
    fn new() -> Result<Self> {
        let key = fixture::KEY.strip_prefix("whsec_").context("the key has no prefix")?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key)?)))
    }

    fn is_valid(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (id, time) = (text("webhook-id"), text("webhook-timestamp"));
        #[expect(clippy::disallowed_methods, reason = "as a gateway written by hand")]
        let now = jiff::Timestamp::now().as_second();
        let is_recent = time.parse::<i64>().is_ok_and(|time| (now - time).abs() <= TOLERANCE);
        let message = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
        let mut tokens = text("webhook-signature").split(' ').filter_map(|token| token.strip_prefix("v1,"));
        is_recent
            && tokens.any(|token| STANDARD.decode(token).is_ok_and(|tag| hmac::verify(&self.0, &message, &tag).is_ok()))
    }
}

/// The body of a call.
#[derive(Deserialize)]
struct Call {
    data: CallData,
}

#[derive(Deserialize)]
struct CallData {
    id: String,
}

/// A user of Keycloak.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeycloakUser {
    id: String,
    email: String,
    email_verified: bool,
    enabled: bool,
    created_timestamp: i64,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    customer_id: Vec<String>,
}

/// The answer to a call.
#[derive(Serialize)]
struct Answer {
    user: User,
}

#[derive(Serialize)]
struct User {
    tenant: &'static str,
    id: String,
    customer: String,
    email: String,
    create_time: Option<jiff::Timestamp>,
    email_verified: bool,
    blocked: bool,
}

impl From<KeycloakUser> for Answer {
    fn from(user: KeycloakUser) -> Self {
        let customer = user.attributes.customer_id.into_iter().next().unwrap_or_default();
        let create_time = jiff::Timestamp::from_millisecond(user.created_timestamp).ok();
        let (id, email, email_verified, blocked) = (user.id, user.email, user.email_verified, !user.enabled);
        Self { user: User { tenant: fixture::TENANT, id, customer, email, create_time, email_verified, blocked } }
    }
}
