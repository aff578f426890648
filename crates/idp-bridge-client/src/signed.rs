//! Signed calls, for this client or another HTTP client.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, header};
use idp_bridge_core::{Random, SystemRandom};
use idp_bridge_protocol::signature;
use url::Url;

/// The caller's id of a call. Retries of a call share its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookId(String);

impl WebhookId {
    /// Creates a random id. Fails if the system provides no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes)?;
        Ok(Self(format!("msg_{:032x}", u128::from_be_bytes(bytes))))
    }

    /// Returns the text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebhookId {
    type Err = InvalidWebhookId;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookId> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=128).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidWebhookId)
        }
    }
}

/// An error of parsing a [`WebhookId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 128 letters, digits, `_` and `-`")]
pub struct InvalidWebhookId;

/// A signed call. Valid for five minutes.
#[derive(Clone)]
pub struct SignedCall {
    pub(crate) url: Url,
    pub(crate) id: WebhookId,
    pub(crate) timestamp: i64,
    pub(crate) signature: String,
    pub(crate) body: Vec<u8>,
}

impl SignedCall {
    /// Returns the URL for the `POST` request.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Returns the id.
    pub fn id(&self) -> &WebhookId {
        &self.id
    }

    /// Returns the headers.
    pub fn headers(&self) -> [(HeaderName, String); 4] {
        [
            (header::CONTENT_TYPE, "application/json".into()),
            (signature::ID, self.id.0.clone()),
            (signature::TIMESTAMP, self.timestamp.to_string()),
            (signature::SIGNATURE, self.signature.clone()),
        ]
    }

    /// Returns the signed body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Hides the signature, and the body, which contains personal data.
impl fmt::Debug for SignedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCall").field("url", &self.url.as_str()).field("id", &self.id).finish_non_exhaustive()
    }
}
