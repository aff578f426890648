//! Logout tokens, and the URLs of logouts in the browser.

use std::time::Duration;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    AccessToken, CallScope, EndSession, Ended, Error, FederationSettings, LogoutNotice, Result, SessionId, UserId,
};
use serde_json::Value;
use url::Url;

use super::claims::Claims;
use super::provider::OpenIdProvider;
use super::rules::Rules;
use super::token::to_signed;

/// The event of OpenID Connect Back-Channel Logout 1.0.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The `typ` of a logout token.
pub(super) const TYPES: &[&str] = &["logout+jwt"];
/// The maximum age of a logout token.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// A verified logout token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    ended: LogoutTarget,
    /// The time of issue, by the identity provider's clock.
    pub issued_at: Timestamp,
}

/// The session or user in a logout token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LogoutTarget {
    Session(SessionId, Option<UserId>),
    User(UserId),
}

impl LogoutToken {
    /// Converts to a notice about the session, or about the user if the token has no session.
    pub fn into_notice(self) -> LogoutNotice {
        let ended = match self.ended {
            LogoutTarget::Session(session, _) => Ended::Session(session),
            LogoutTarget::User(user) => Ended::User(user),
        };
        LogoutNotice { ended, issued_at: self.issued_at }
    }

    /// Converts to a notice about the user. Fails with `InvalidToken` if the token has none.
    ///
    /// For identity providers with access tokens that contain no session.
    pub fn into_user_notice(self) -> Result<LogoutNotice> {
        let (LogoutTarget::Session(_, Some(user)) | LogoutTarget::User(user)) = self.ended else {
            return Err(Error::invalid_token("the logout token names no user"));
        };
        Ok(LogoutNotice { ended: Ended::User(user), issued_at: self.issued_at })
    }
}

impl OpenIdProvider {
    /// Checks a logout token of OpenID Connect Back-Channel Logout 1.0 for one of these clients.
    ///
    /// # Behavior
    ///
    /// - Rejects all tokens that [`verify`](Self::verify) rejects.
    /// - Another `typ` than `logout+jwt`, an audience without one of the clients, an `iat` that is missing or more than five
    ///   minutes old, a `nonce`, a missing logout event, and a token with neither `sid` nor `sub` are `InvalidToken`.
    pub async fn check_logout_token(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        settings: &FederationSettings,
    ) -> Result<LogoutToken> {
        self.check_logout_token_with(scope, token, settings, &Rules::with_types(TYPES)).await
    }

    /// Like [`check_logout_token`](Self::check_logout_token), with other rules.
    ///
    /// For identity providers that do not set a distinct `typ`. Only the event then distinguishes a logout token.
    pub async fn check_logout_token_with(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        settings: &FederationSettings,
        rules: &Rules,
    ) -> Result<LogoutToken> {
        let claims = self.verify(scope, token.expose(), rules).await?;
        check(&claims, self.clock().now(), settings)
    }
}

pub(super) fn check(claims: &Claims, now: Timestamp, settings: &FederationSettings) -> Result<LogoutToken> {
    if !claims.audience().into_iter().any(|client| settings.client(client).is_some()) {
        return Err(Error::invalid_token("the logout token is for another client"));
    }
    let issued_at =
        claims.timestamp("iat").ok_or_else(|| Error::invalid_token("the logout token has no time of issue (`iat`)"))?;
    if now.duration_since(issued_at) > to_signed(MAX_AGE) {
        return Err(Error::invalid_token("the logout token is too old"));
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(Error::invalid_token("the logout token has no logout event"));
    }
    if claims.has("nonce") {
        return Err(Error::invalid_token("the logout token has a nonce, like an ID token"));
    }
    let text = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid_token("the logout token's session or user is not a string")),
    };
    let unusable = |_| Error::invalid_token("the logout token's session or user is not a valid id");
    let session = text("sid")?.map(SessionId::new).transpose().map_err(unusable)?;
    let user = text("sub")?.map(UserId::new).transpose().map_err(unusable)?;
    let ended = match (session, user) {
        (Some(session), user) => LogoutTarget::Session(session, user),
        (None, Some(user)) => LogoutTarget::User(user),
        (None, None) => return Err(Error::invalid_token("the logout token names neither a session nor a user")),
    };
    Ok(LogoutToken { ended, issued_at })
}

/// The names of the parameters of an end-session URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndSessionParameters {
    /// The client.
    pub client_id: &'static str,
    /// The URL to return to.
    pub post_logout_redirect_uri: &'static str,
    /// The ID token of the login. `None` if not supported.
    pub id_token_hint: Option<&'static str>,
    /// The application's state. `None` if not supported.
    pub state: Option<&'static str>,
}

impl EndSessionParameters {
    /// The names in OpenID Connect RP-Initiated Logout 1.0.
    pub const OPENID: Self = Self {
        client_id: "client_id",
        post_logout_redirect_uri: "post_logout_redirect_uri",
        id_token_hint: Some("id_token_hint"),
        state: Some("state"),
    };
}

/// Returns the URL of a logout in the browser. Parameters of the endpoint itself are kept.
pub fn end_session_url(endpoint: &Url, end: &EndSession<'_>, names: EndSessionParameters) -> String {
    let mut url = endpoint.clone();
    let hint = names.id_token_hint.zip(end.id_token_hint.map(|hint| hint.expose()));
    let state = names.state.zip(end.state);
    let required = [(names.client_id, end.client_id), (names.post_logout_redirect_uri, end.post_logout_redirect_uri)];
    url.query_pairs_mut().extend_pairs(required).extend_pairs([hint, state].into_iter().flatten());
    url.into()
}

#[cfg(test)]
mod tests;
