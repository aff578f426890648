//! How a login ends at Auth0: the refresh token alone, the session, or all that the user has.

use std::time::Duration;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    CallScope, Error, ErrorKind, LoggedOut, Logout, LogoutFallback, OauthClient, Result, Secret, SessionId,
    TokenIdentity, UserId, if_found,
};
use idp_bridge_http::oidc::Rules;

use super::Auth0Federation;
use super::token::{session, subject};
use crate::client::{CREDENTIALS, CredentialKind};

/// How long ago the ID token may have expired that names the session: it is a name and no key, so that any age will do.
const LONG: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How many lists of refresh tokens are emptied: Auth0 shows a thousand at most.
const ROUNDS: usize = 1000 / CREDENTIALS + 1;

impl Auth0Federation {
    /// Ends as little as there is a way to: the refresh token that is shown, the session that the hint names, else everything.
    pub(super) async fn end_login(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        // What may be the caller's fault comes first, so that it changes nothing.
        let session = self.session_of(scope, logout).await?;
        if let Some(token) = logout.refresh_token {
            self.revoke(scope, logout.identity, token).await?;
        }
        if let Some(session) = session {
            if_found(self.api.revoke_session(scope, &session).await)?;
            return Ok(LoggedOut::Session);
        }
        match (logout.identity, logout.refresh_token, self.settings.fallback) {
            // Auth0 refuses the token already, or all that came of it has ended.
            (None, _, _) | (_, Some(_), _) => Ok(LoggedOut::RefreshToken),
            (Some(identity), None, LogoutFallback::User) => {
                let ended_at = self.end_all(scope, &identity.subject).await?;
                Ok(LoggedOut::User { ended_at: ended_at.unwrap_or_else(|| self.clock.now()) })
            }
            (Some(_), None, LogoutFallback::Refuse) => {
                Err(Error::unsupported("auth0 ends this login only together with all others of the user").with_hint(
                    "have applications send the `refresh_token`, or set `logout.fallback` to `user`; on an Enterprise plan an \
                     `id_token_hint` with `enterprise_sessions` will do",
                ))
            }
        }
    }

    /// The session that is to end, where Auth0 lets sessions be ended and the login names one.
    async fn session_of(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<Option<SessionId>> {
        let Some(identity) = logout.identity.filter(|_| self.config.enterprise_sessions) else { return Ok(None) };
        match (&identity.session, logout.id_token_hint) {
            (Some(session), _) => Ok(Some(session.clone())),
            (None, Some(hint)) => self.session_in(scope, hint, identity).await.map_err(|error| match error.kind() {
                ErrorKind::InvalidToken => {
                    Error::ours(ErrorKind::InvalidInput, "the `id_token_hint` is no ID token of this login")
                        .with_source(error)
                }
                _ => error,
            }),
            (None, None) => Ok(None),
        }
    }

    /// The session that an ID token names; it must be the same user's, and the same client's.
    async fn session_in(
        &self,
        scope: &CallScope,
        hint: &Secret,
        identity: &TokenIdentity,
    ) -> Result<Option<SessionId>> {
        let rules = Rules::of_type(&["JWT"]).expired_by(LONG);
        let claims = self.open_id.verify(scope, hint.expose(), &rules).await?;
        let is_client = |client: &&str| match &identity.client {
            Some(own) => own == client,
            None => self.settings.client(client).is_some(),
        };
        if !claims.audience().iter().any(is_client) {
            return Err(Error::invalid_token("the ID token is another client's"));
        }
        if subject(&claims)? != identity.subject {
            return Err(Error::invalid_token("the ID token is another user's"));
        }
        session(&claims)
    }

    /// Revokes a refresh token as the client that the access token names, or as each of them where it names none: Auth0 takes no
    /// notice of another client's.
    async fn revoke(&self, scope: &CallScope, identity: Option<&TokenIdentity>, token: &Secret) -> Result<()> {
        let named = identity.and_then(|identity| identity.client.as_deref());
        let is_asked = |client: &&OauthClient| named.is_none_or(|named| client.id == named);
        let mut ended = Err(Error::ours(ErrorKind::InvalidInput, "the refresh token belongs to none of the clients"));
        for client in self.settings.clients.iter().filter(is_asked) {
            match self.api.revoke(scope, client, token).await {
                Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
                one => ended = ended.or(one),
            }
        }
        ended
    }

    /// Ends all that the user has, and tells when that was.
    async fn end_all(&self, scope: &CallScope, id: &UserId) -> Result<Option<Timestamp>> {
        if self.config.enterprise_sessions {
            return self.api.revoke_access(scope, id).await;
        }
        let lasting = self.delete_all(scope, id, CredentialKind::Lasting).await?;
        let rotating = self.delete_all(scope, id, CredentialKind::Rotating).await?;
        Ok(lasting.max(rotating))
    }

    /// Deletes the user's refresh tokens of this kind, and tells when there were none left.
    async fn delete_all(&self, scope: &CallScope, id: &UserId, kind: CredentialKind) -> Result<Option<Timestamp>> {
        for _ in 0..ROUNDS {
            let (credentials, listed_at) = self.api.credentials(scope, id, kind).await?;
            if credentials.is_empty() {
                return Ok(listed_at);
            }
            for credential in &credentials {
                if_found(self.api.delete_credential(scope, credential).await)?;
            }
        }
        Err(Error::upstream(ErrorKind::Unavailable, "auth0 goes on listing refresh tokens that were deleted"))
    }
}
