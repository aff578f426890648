//! The claim checks that distinguish users' access tokens from other tokens of Auth0.
//!
//! Actions cannot set these claims: they are restricted
//! (<https://auth0.com/docs/secure/tokens/json-web-tokens/create-custom-claims>, November 2026).

use idp_bridge_core::{Error, FederationSettings, Result, SessionId, TokenIdentity, UserId};
use idp_bridge_http::oidc::Claims;

use crate::config::Auth0Config;
use crate::map::is_user_id;

/// The accepted clients and audiences of access tokens.
pub(super) struct AccessRules {
    clients: Vec<String>,
    audiences: Vec<String>,
}

impl AccessRules {
    /// Creates the rules. Without configured APIs the audience must be Auth0's userinfo, which has one at each of the tenant's
    /// domains.
    pub(super) fn new(config: &Auth0Config, settings: &FederationSettings) -> Self {
        let audiences = match config.audiences.as_slice() {
            [] => vec![format!("{}userinfo", config.issuer()), format!("https://{}/userinfo", config.domain)],
            audiences => audiences.to_vec(),
        };
        Self { clients: settings.clients.iter().map(|client| client.id.clone()).collect(), audiences }
    }

    /// Returns the identity of a user's access token that has an accepted client and audience.
    ///
    /// ID tokens share key and type (`JWT`) with access tokens. They are recognized by their audience, the client itself.
    pub(super) fn identity(&self, claims: &Claims) -> Result<TokenIdentity> {
        let client = claims.check_client(|client| self.clients.iter().any(|own| own == client))?;
        claims.check_not_id_token(client)?;
        let is_accepted = |audience: &&str| self.audiences.iter().any(|own| own == audience);
        if !claims.audience().iter().any(is_accepted) {
            return Err(Error::invalid_token("the token is for another API"));
        }
        if claims.strings("gty").contains(&"client-credentials") {
            return Err(Error::invalid_token("the token belongs to an application, not to a user"));
        }
        claims.check_unbound()?;
        Ok(TokenIdentity {
            subject: subject(claims)?,
            client: Some(client.to_owned()),
            session: session(claims)?,
            issued_at: claims.timestamp("iat"),
            expires_at: claims.timestamp("exp"),
        })
    }
}

/// Returns the identity of an opaque token from Auth0's userinfo, which names only the subject.
pub(super) fn opaque_identity(claims: &Claims) -> Result<TokenIdentity> {
    if !claims.has("sub") {
        return Err(Error::invalid_token("the token names no user: it lacks the scope `openid`"));
    }
    Ok(TokenIdentity { subject: subject(claims)?, client: None, session: None, issued_at: None, expires_at: None })
}

/// Returns the user. The subject of an application has no `|`.
pub(super) fn subject(claims: &Claims) -> Result<UserId> {
    let subject =
        claims.text("sub").filter(|subject| is_user_id(subject)).and_then(|subject| UserId::new(subject).ok());
    subject.ok_or_else(|| Error::invalid_token("the token's subject is not a user"))
}

/// Returns the session. Auth0's ID tokens name it, its access tokens do not (November 2026).
pub(super) fn session(claims: &Claims) -> Result<Option<SessionId>> {
    if !claims.has("sid") {
        return Ok(None);
    }
    let session = claims.text("sid").and_then(|session| SessionId::new(session).ok());
    session.map(Some).ok_or_else(|| Error::invalid_token("the token's session is not a valid id"))
}
