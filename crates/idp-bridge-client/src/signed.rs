//! A call that is signed and can be sent, by this client or by any other.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, header};
use idp_bridge_core::{Random, SystemRandom};
use idp_bridge_protocol::signature;
use url::Url;

/// The caller's id of a call: the same in each of its retries, another for every other call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookId(String);

impl WebhookId {
    /// A new id; an error if the system has no randomness to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes)?;
        Ok(Self(format!("msg_{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The id as it is sent.
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

/// A text that is no [`WebhookId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 128 letters, digits, `_` and `-`")]
pub struct InvalidWebhookId;

/// A call that is signed, as it goes over the wire. It is valid for five minutes from when it was signed.
#[derive(Clone)]
pub struct SignedCall {
    pub(crate) url: Url,
    pub(crate) id: WebhookId,
    pub(crate) timestamp: i64,
    pub(crate) signature: String,
    pub(crate) body: Vec<u8>,
}

impl SignedCall {
    /// Where to POST it.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The id that it was signed with.
    pub fn id(&self) -> &WebhookId {
        &self.id
    }

    /// The headers that it needs.
    pub fn headers(&self) -> [(HeaderName, String); 4] {
        [
            (header::CONTENT_TYPE, "application/json".into()),
            (signature::ID, self.id.0.clone()),
            (signature::TIMESTAMP, self.timestamp.to_string()),
            (signature::SIGNATURE, self.signature.clone()),
        ]
    }

    /// The signed bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Hides the body, which holds personal data, and the signature.
impl fmt::Debug for SignedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCall").field("url", &self.url.as_str()).field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_no_two_are_alike() {
        let (one, two) = (WebhookId::random().unwrap(), WebhookId::random().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.as_str().parse::<WebhookId>().unwrap(), one);
        for bad in ["", "a b", "a\r\nb", "ä", "a.b", &"x".repeat(129)] {
            assert!(bad.parse::<WebhookId>().is_err(), "{bad:?}");
        }
    }
}
