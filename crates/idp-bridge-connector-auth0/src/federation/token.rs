//! What tells a user's access token from everything else that Auth0 signs.
//!
//! An Action cannot set the claims that are read here: they are on the list of restricted ones
//! (<https://auth0.com/docs/secure/tokens/json-web-tokens/create-custom-claims>, November 2026).

use idp_bridge_core::{Error, FederationSettings, Result, SessionId, TokenIdentity, UserId};
use idp_bridge_http::oidc::Claims;

use crate::config::Auth0Config;
use crate::map::is_user_id;

/// Which access tokens are taken.
pub(super) struct AccessRules {
    clients: Vec<String>,
    audiences: Vec<String>,
}

impl AccessRules {
    /// A token must be meant for one of the configured APIs; without any, for Auth0's own userinfo, which is at the domain that users
    /// log in at and at the tenant's own.
    pub(super) fn new(config: &Auth0Config, settings: &FederationSettings) -> Self {
        let audiences = match config.audiences.as_slice() {
            [] => vec![format!("{}userinfo", config.issuer()), format!("https://{}/userinfo", config.domain)],
            audiences => audiences.to_vec(),
        };
        Self { clients: settings.clients.iter().map(|client| client.id.clone()).collect(), audiences }
    }

    /// Whose access token it is, if it is one that a user got from one of the clients for one of the audiences.
    ///
    /// ID tokens are signed with the same key and have the same type (`JWT`); but they are meant for the client itself, and name no
    /// client apart from that.
    pub(super) fn identity(&self, claims: &Claims) -> Result<TokenIdentity> {
        let client = claims.issued_to(|client| self.clients.iter().any(|own| own == client))?;
        claims.refuse_id_token(client)?;
        let is_taken = |audience: &&str| self.audiences.iter().any(|own| own == audience);
        if !claims.audience().iter().any(is_taken) {
            return Err(Error::invalid_token("the token is for another API"));
        }
        if claims.strings("gty").contains(&"client-credentials") {
            return Err(Error::invalid_token("the token is an application's own"));
        }
        claims.refuse_bound()?;
        Ok(TokenIdentity {
            subject: subject(claims)?,
            client: Some(client.to_owned()),
            session: session(claims)?,
            issued_at: claims.timestamp("iat"),
            expires_at: claims.timestamp("exp"),
        })
    }
}

/// Whose opaque token it is, by Auth0's userinfo, which tells nothing else of it.
pub(super) fn opaque_identity(claims: &Claims) -> Result<TokenIdentity> {
    if !claims.has("sub") {
        return Err(Error::invalid_token("the token tells no user: it was asked for without the scope `openid`"));
    }
    Ok(TokenIdentity { subject: subject(claims)?, client: None, session: None, issued_at: None, expires_at: None })
}

/// The user. Applications have a subject too, which is none of a user: it has no `|`.
pub(super) fn subject(claims: &Claims) -> Result<UserId> {
    let subject =
        claims.text("sub").filter(|subject| is_user_id(subject)).and_then(|subject| UserId::new(subject).ok());
    subject.ok_or_else(|| Error::invalid_token("the token's subject is no user"))
}

/// The session. Auth0's access tokens do not name it (November 2026); ID tokens do.
pub(super) fn session(claims: &Claims) -> Result<Option<SessionId>> {
    if !claims.has("sid") {
        return Ok(None);
    }
    let session = claims.text("sid").and_then(|session| SessionId::new(session).ok());
    session.map(Some).ok_or_else(|| Error::invalid_token("the token's session is no usable id"))
}
