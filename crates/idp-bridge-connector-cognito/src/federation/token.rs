//! Access tokens of a pool. Rejects the pool's other tokens.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Error, ErrorKind, FederationSettings, OauthClient, Result, SessionId, TokenIdentity, UserId};
use idp_bridge_http::oidc::Claims;

/// The claims of an access token that a user received by signing in with one of the clients.
#[derive(Debug)]
pub(super) struct PoolToken {
    pub(super) identity: TokenIdentity,
    /// The user's name in the pool, which a sign-out needs.
    pub(super) username: String,
    pub(super) expires_at: Timestamp,
    client: String,
    has_openid: bool,
}

impl PoolToken {
    /// Parses the claims of a token with a verified signature.
    pub(super) fn from_claims(claims: &Claims, is_known: impl Fn(&str) -> bool) -> Result<Self> {
        match claims.text("token_use") {
            Some("access") => {}
            Some("id") => return Err(Error::invalid_token("the token is an ID token")),
            _ => return Err(Error::invalid_token("the token is not an access token (`token_use`)")),
        }
        claims.check_unbound()?;
        let client = claims.check_client(is_known)?;
        let subject = claims.text("sub").and_then(|sub| UserId::new(sub).ok());
        let subject = subject.ok_or_else(|| Error::invalid_token("the token has no valid subject (`sub`)"))?;
        let username = claims.text("username").filter(|name| !name.is_empty());
        let username =
            username.ok_or_else(|| Error::invalid_token("the token belongs to a program (no `username`)"))?;
        if subject.as_str() == client {
            return Err(Error::invalid_token("the token belongs to a program (`sub` is the client)"));
        }
        // Tokens of clients without token revocation have no login.
        let session = claims.get("origin_jti").map(|origin| {
            let session = origin.as_str().and_then(|origin| SessionId::new(origin).ok());
            session.ok_or_else(|| Error::invalid_token("the token's login (`origin_jti`) is not a text"))
        });
        let expires_at = claims.timestamp("exp").ok_or_else(|| Error::invalid_token("the token has no `exp`"))?;
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

    /// Returns whether userInfo accepts the token while its login is active: whether it has the scope `openid`.
    pub(super) fn is_for_user_info(&self) -> bool {
        self.has_openid
    }

    /// Returns the settings of the client that the token was issued to.
    pub(super) fn client<'a>(&self, settings: &'a FederationSettings) -> Result<&'a OauthClient> {
        let client = settings.client(&self.client);
        client.ok_or_else(|| Error::ours(ErrorKind::Unexpected, "the token's client is not in the settings"))
    }
}
