//! Logout: ends a refresh token, a session, or all sessions and refresh tokens of a user.

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

/// The longest time since the expiry of an ID token that names a session. The token grants no access, so it may be old.
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The maximum number of deleted pages of refresh tokens. Auth0 lists a thousand tokens at most.
const ROUNDS: usize = 1000 / CREDENTIALS + 1;

impl Auth0Federation {
    /// Ends as little as possible: the given refresh token, the session that the hint names, otherwise everything of the user.
    pub(super) async fn end_login(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        // The caller's faults are detected first, before anything changes.
        let session = self.session_to_end(scope, logout).await?;
        if let Some(token) = logout.refresh_token {
            self.revoke(scope, logout.identity, token).await?;
        }
        if let Some(session) = session {
            if_found(self.api.revoke_session(scope, &session).await)?;
            return Ok(LoggedOut::Session);
        }
        match (logout.identity, logout.refresh_token, self.settings.fallback) {
            // Either Auth0 rejects the access token, or the login has ended with its refresh token.
            (None, _, _) | (_, Some(_), _) => Ok(LoggedOut::RefreshToken),
            (Some(identity), None, LogoutFallback::User) => {
                let ended_at = self.end_all(scope, &identity.subject).await?;
                Ok(LoggedOut::User { ended_at: ended_at.unwrap_or_else(|| self.clock.now()) })
            }
            (Some(_), None, LogoutFallback::Refuse) => {
                Err(Error::unsupported("auth0 can end this login only together with all others of the user").with_hint(
                    "make applications send the `refresh_token`, or set `logout.fallback` to `user`; on an Enterprise plan an \
                     `id_token_hint` with `enterprise_sessions` is enough",
                ))
            }
        }
    }

    /// Returns the session to end, if the plan allows it and the login names one.
    async fn session_to_end(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<Option<SessionId>> {
        let Some(identity) = logout.identity.filter(|_| self.config.enterprise_sessions) else { return Ok(None) };
        match (&identity.session, logout.id_token_hint) {
            (Some(session), _) => Ok(Some(session.clone())),
            (None, Some(hint)) => self.session_in(scope, hint, identity).await.map_err(|error| match error.kind() {
                ErrorKind::InvalidToken => {
                    Error::ours(ErrorKind::InvalidInput, "the `id_token_hint` is not an ID token of this login")
                        .with_source(error)
                }
                _ => error,
            }),
            (None, None) => Ok(None),
        }
    }

    /// Returns the session that an ID token names. The token's user and client must be those of the access token.
    async fn session_in(
        &self,
        scope: &CallScope,
        hint: &Secret,
        identity: &TokenIdentity,
    ) -> Result<Option<SessionId>> {
        let rules = Rules::with_types(&["JWT"]).with_expiry_tolerance(YEAR);
        let claims = self.open_id.verify(scope, hint.expose(), &rules).await?;
        let is_client = |client: &&str| match &identity.client {
            Some(own) => own == client,
            None => self.settings.client(client).is_some(),
        };
        if !claims.audience().iter().any(is_client) {
            return Err(Error::invalid_token("the ID token belongs to another client"));
        }
        if subject(&claims)? != identity.subject {
            return Err(Error::invalid_token("the ID token belongs to another user"));
        }
        session(&claims)
    }

    /// Revokes a refresh token as the access token's client, or as each client if it is not known. Auth0 ignores tokens of other
    /// clients.
    async fn revoke(&self, scope: &CallScope, identity: Option<&TokenIdentity>, token: &Secret) -> Result<()> {
        let named = identity.and_then(|identity| identity.client.as_deref());
        let is_candidate = |client: &&OauthClient| named.is_none_or(|named| client.id == named);
        let mut ended =
            Err(Error::ours(ErrorKind::InvalidInput, "the refresh token belongs to no client of the tenant"));
        for client in self.settings.clients.iter().filter(is_candidate) {
            match self.api.revoke(scope, client, token).await {
                Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
                one => ended = ended.or(one),
            }
        }
        ended
    }

    /// Ends all sessions and refresh tokens that the plan allows, and returns the time of Auth0's response.
    async fn end_all(&self, scope: &CallScope, id: &UserId) -> Result<Option<Timestamp>> {
        if self.config.enterprise_sessions {
            return self.api.revoke_access(scope, id).await;
        }
        let lasting = self.delete_all(scope, id, CredentialKind::Lasting).await?;
        let rotating = self.delete_all(scope, id, CredentialKind::Rotating).await?;
        Ok(lasting.max(rotating))
    }

    /// Deletes the user's refresh tokens of this kind, and returns the time of the first empty list.
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
        Err(Error::upstream(ErrorKind::Unavailable, "auth0 still lists refresh tokens after their deletion"))
    }
}
