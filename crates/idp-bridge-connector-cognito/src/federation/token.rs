//! What an access token of a pool says, and which tokens of a pool are none of a person's.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Error, ErrorKind, FederationSettings, OauthClient, Result, SessionId, TokenIdentity, UserId};
use idp_bridge_http::oidc::Claims;

/// An access token that a user got by signing in with one of the clients.
#[derive(Debug)]
pub(super) struct PoolToken {
    pub(super) identity: TokenIdentity,
    /// The user's name in the pool, by which the user is signed out.
    pub(super) username: String,
    pub(super) expires_at: Timestamp,
    client: String,
    has_openid: bool,
}

impl PoolToken {
    /// Reads the claims of a token that the issuer signed.
    pub(super) fn read(claims: &Claims, is_known: impl Fn(&str) -> bool) -> Result<Self> {
        match claims.text("token_use") {
            Some("access") => {}
            Some("id") => return Err(Error::invalid_token("the token is an ID token")),
            _ => return Err(Error::invalid_token("the token is no access token (`token_use`)")),
        }
        claims.refuse_bound()?;
        let client = claims.issued_to(is_known)?;
        let subject = claims.text("sub").and_then(|sub| UserId::new(sub).ok());
        let subject = subject.ok_or_else(|| Error::invalid_token("the token names no subject"))?;
        let username = claims.text("username").filter(|name| !name.is_empty());
        let username = username.ok_or_else(|| Error::invalid_token("a program got the token for itself"))?;
        if subject.as_str() == client {
            return Err(Error::invalid_token("a program got the token for itself"));
        }
        // Clients whose tokens cannot be revoked name no login.
        let session = claims.get("origin_jti").map(|origin| {
            let session = origin.as_str().and_then(|origin| SessionId::new(origin).ok());
            session.ok_or_else(|| Error::invalid_token("the token's login is no text (`origin_jti`)"))
        });
        let expires_at = claims.timestamp("exp").ok_or_else(|| Error::invalid_token("the token never expires"))?;
        let identity = TokenIdentity {
            subject,
            client: Some(client.to_owned()),
            session: session.transpose()?,
            issued_at: claims.timestamp("iat"),
            expires_at: Some(expires_at),
        };
        let has_openid = claims.words("scope").contains(&"openid");
        Ok(Self { identity, username: username.to_owned(), expires_at, client: client.to_owned(), has_openid })
    }

    /// Whether userInfo answers for it while it lives.
    pub(super) fn is_for_user_info(&self) -> bool {
        self.has_openid
    }

    /// The client that it was issued to, as the settings have it.
    pub(super) fn client<'a>(&self, settings: &'a FederationSettings) -> Result<&'a OauthClient> {
        let client = settings.client(&self.client);
        client.ok_or_else(|| Error::ours(ErrorKind::Unexpected, "a client that was known is none"))
    }
}
