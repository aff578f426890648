//! Access tokens and the keys under which they are cached and revoked.

use idp_bridge_core::{AccessToken, TenantId};

use crate::digest::sha256;
use crate::revocation::RevokedKey;

/// Identifies a token of a tenant.
///
/// Two spellings of a signed token can differ in their signatures: for an ECDSA signature (r, s) the twin (r, n − s) is
/// valid, too, and easy to compute. Cached results therefore belong to the whole text, and revocations to the signed part.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey {
    tenant: TenantId,
    /// The SHA-256 of the whole text.
    text: [u8; 32],
    /// The SHA-256 of a JWT's encoded header and payload, or of an opaque token's text.
    content: [u8; 32],
}

impl TokenKey {
    /// Creates the key of a token.
    pub(crate) fn new(tenant: &TenantId, token: &AccessToken) -> Self {
        let text = token.expose();
        let content = if token.is_jwt() { text.rsplit_once('.').map_or(text, |(content, _)| content) } else { text };
        Self { tenant: tenant.clone(), text: sha256(text.as_bytes()), content: sha256(content.as_bytes()) }
    }

    /// Returns the key of the token in the revocation list, which does not depend on its signature.
    pub(crate) fn revoked_key(&self) -> RevokedKey {
        RevokedKey::Token(self.content)
    }
}

/// An access token of a request, with its key.
#[derive(Clone)]
pub(crate) struct PresentedToken {
    pub(crate) token: AccessToken,
    pub(crate) key: TokenKey,
}

impl PresentedToken {
    /// Adds the key to a token.
    pub(crate) fn new(tenant: &TenantId, token: AccessToken) -> Self {
        Self { key: TokenKey::new(tenant, &token), token }
    }
}
