//! How a login ends elsewhere: logout tokens that come in, and the address that the browser goes to.

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
use super::token::signed;

/// The one event of OpenID Connect Back-Channel Logout 1.0.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How old a logout token may be.
const OLDEST: Duration = Duration::from_secs(5 * 60);

/// A logout token that has been checked: whose sessions have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    ended: Whose,
    /// When it was issued, by the identity provider's clock.
    pub issued_at: Timestamp,
}

/// A logout token names a session, a user or both.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    Session(SessionId, Option<UserId>),
    User(UserId),
}

impl LogoutToken {
    /// The notice of the session if the token names one, else of the user.
    pub fn into_notice(self) -> LogoutNotice {
        let ended = match self.ended {
            Whose::Session(session, _) => Ended::Session(session),
            Whose::User(user) => Ended::User(user),
        };
        LogoutNotice { ended, issued_at: self.issued_at }
    }

    /// The notice of the user, for an identity provider whose access tokens name no session; `InvalidToken` without one.
    pub fn into_user_notice(self) -> Result<LogoutNotice> {
        let (Whose::Session(_, Some(user)) | Whose::User(user)) = self.ended else {
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
    /// - Beside what [`verify`](Self::verify) refuses, another `typ` than `logout+jwt`, an audience without one of the
    ///   clients, an `iat` that is missing or five minutes old, a `nonce`, no logout event, and neither `sid` nor `sub` are
    ///   `InvalidToken`.
    pub async fn check_logout_token(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        settings: &FederationSettings,
    ) -> Result<LogoutToken> {
        self.check_logout_token_with(scope, token, settings, &Rules::with_types(&["logout+jwt"])).await
    }

    /// The same by other rules, for an identity provider that gives its logout tokens no `typ` of their own: the event alone then
    /// tells them from its other tokens.
    pub async fn check_logout_token_with(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        settings: &FederationSettings,
        rules: &Rules,
    ) -> Result<LogoutToken> {
        let claims = self.verify(scope, token.expose(), rules).await?;
        read(&claims, self.clock().now(), settings)
    }
}

fn read(claims: &Claims, now: Timestamp, settings: &FederationSettings) -> Result<LogoutToken> {
    if !claims.audience().into_iter().any(|client| settings.client(client).is_some()) {
        return Err(Error::invalid_token("the logout token is for another client"));
    }
    let issued_at = claims
        .timestamp("iat")
        .ok_or_else(|| Error::invalid_token("the logout token does not say when it was issued"))?;
    if now.duration_since(issued_at) > signed(OLDEST) {
        return Err(Error::invalid_token("the logout token is too old"));
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(Error::invalid_token("the logout token has no logout event"));
    }
    if claims.has("nonce") {
        return Err(Error::invalid_token("the logout token has a nonce, as ID tokens have"));
    }
    let text = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid_token("the logout token's session or user is no text")),
    };
    let unusable = |_| Error::invalid_token("the logout token's session or user is no usable id");
    let session = text("sid")?.map(SessionId::new).transpose().map_err(unusable)?;
    let user = text("sub")?.map(UserId::new).transpose().map_err(unusable)?;
    let ended = match (session, user) {
        (Some(session), user) => Whose::Session(session, user),
        (None, Some(user)) => Whose::User(user),
        (None, None) => return Err(Error::invalid_token("the logout token names neither a session nor a user")),
    };
    Ok(LogoutToken { ended, issued_at })
}

/// What an identity provider calls the parameters of a logout in the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndSessionParameters {
    /// The client.
    pub client_id: &'static str,
    /// The way back.
    pub post_logout_redirect_uri: &'static str,
    /// The ID token of the login; none if the identity provider takes none.
    pub id_token_hint: Option<&'static str>,
    /// The application's state; none if the identity provider does not give it back.
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

/// The address that the browser goes to, with each value in one parameter whatever characters it has.
///
/// Parameters that the endpoint has already stay before them.
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
