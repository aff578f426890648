//! The OAuth side of the contract: validating access tokens and ending logins.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AccessToken, Customer, Email, Finding, Result, Secret, SessionId, Support, UserId, UserRecord};
use crate::{CallScope, Error};

/// The OAuth side of an identity provider with one tenant's settings.
///
/// # Behavior of every method
///
/// - An invalid token is `InvalidToken`. An outage, a refused credential or a missing right is another error.
/// - The call ends before `scope.deadline()`, also with a slow identity provider. An exceeded deadline is `Timeout`.
/// - An upstream rate limit is `RateLimited`, a 5xx or a broken connection is `Unavailable`, and an unreadable response is
///   `InvalidResponse`.
/// - Errors contain no upstream body, address, id or token.
/// - Keys come only from the settings or the discovery document, never from a token.
#[async_trait]
pub trait Federation: Send + Sync {
    /// Identifies the user, client and session of a token: by its signature, or by introspection if it has none.
    ///
    /// # Behavior
    ///
    /// - Signature, issuer, client and times of a signed token are checked without a request, once the keys are cached.
    /// - A token that is forged, altered, unsigned, not yet valid or sender-constrained, belongs to another issuer or client or
    ///   to a service account, or is an ID or refresh token, is `InvalidToken`.
    /// - A token that expired at most a day ago is accepted, so that its login can be ended.
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity>;

    /// Validates the token with the identity provider and returns its user.
    ///
    /// # Behavior
    ///
    /// - A token from a login with one of the clients returns its user, with the id that a get by id accepts.
    /// - A token that [`identify`](Self::identify) rejects, and an expired token, is `InvalidToken`.
    /// - A token of a blocked or deleted user, or of an ended session, is `InvalidToken`. With [`Liveness::Signature`], the end
    ///   of a session is not detected.
    /// - The customer comes only from the configured claim, and is absent without it. Several values are [`Customer::Several`].
    /// - Needs one request, once the keys are cached.
    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser>;

    /// Ends the login of a token, with every step that the identity provider offers.
    ///
    /// # Behavior
    ///
    /// - Afterwards the session cannot be refreshed. If the identity provider revokes access tokens, those of the session are
    ///   inactive.
    /// - With [`LogoutReach::Session`], other sessions of the user stay active.
    /// - Otherwise, without a refresh token, the result is [`LoggedOut::User`], and the bridge rejects the user's other logins
    ///   too. It is `Unsupported` if the settings require it.
    /// - Succeeds for an expired token, a repeated logout, and a session or user that no longer exists.
    /// - `Ok` means that every step succeeded. An outage in any step is an error.
    /// - A refresh token of a client outside the tenant is `InvalidInput`.
    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut>;

    /// Returns the URL that ends the browser's session at the identity provider.
    ///
    /// # Behavior
    ///
    /// - The URL is at the identity provider, and contains the client, the return URL, the hint and the state, each encoded as
    ///   one parameter.
    async fn end_session_url(&self, scope: &CallScope, end: &EndSession<'_>) -> Result<String>;

    /// Checks a logout token of OpenID Connect Back-Channel Logout 1.0 and returns what ended.
    ///
    /// # Behavior
    ///
    /// - A token that is forged, altered, unsigned or too old, of another issuer, client or kind, with a `nonce`, without the
    ///   event, or without both `sid` and `sub`, is `InvalidToken`.
    /// - Without a back channel, every token is `Unsupported`.
    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        let _ = (scope, token);
        Err(Error::unsupported("this identity provider sends no logout tokens"))
    }

    /// Returns the public settings that an application needs to log users in.
    ///
    /// # Behavior
    ///
    /// - The issuer is the configured one. Every endpoint is an absolute URL.
    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata>;

    /// Checks the federation settings against the identity provider, without side effects and without a login.
    ///
    /// # Behavior
    ///
    /// - With a wrong client secret, at least one finding is `failed` and contains a fix.
    /// - A check that needs a missing right is `not_visible`, never `ok`.
    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding>;
}

/// A tenant's federation settings, as far as a connector uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FederationSettings {
    /// The applications. Tokens of other clients are rejected.
    pub clients: Vec<OauthClient>,
    /// The claim that contains the customer. The connector's default if absent.
    pub customer_claim: Option<String>,
    /// The behavior of a logout if the identity provider cannot end a single session.
    pub fallback: LogoutFallback,
    /// The addresses that browsers may return to after a logout. Used by diagnoses; the server enforces them.
    pub post_logout_redirect_uris: Vec<String>,
}

impl FederationSettings {
    /// Returns the application with this id.
    pub fn client(&self, id: &str) -> Option<&OauthClient> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// Compares the addresses that browsers may return to after a logout with those that the identity provider allows for
    /// this client. Returns no finding if the tenant lists none.
    ///
    /// Fails only if none of the listed addresses is allowed, because each may belong to another client of the tenant.
    pub fn check_post_logout_redirect_uris(
        &self,
        client: &str,
        allows: impl Fn(&str) -> bool,
        fix: &str,
    ) -> Option<Finding> {
        let check = format!("`{client}` may return from a logout to `post_logout_redirect_uris`");
        let listed = &self.post_logout_redirect_uris;
        let refused: Vec<String> = listed.iter().filter(|uri| !allows(uri)).map(|uri| format!("`{uri}`")).collect();
        let detail = format!("not allowed are: {}", refused.join(", "));
        match refused.len() {
            _ if listed.is_empty() => None,
            0 => Some(Finding::ok(check, &[])),
            all if all == listed.len() => Some(Finding::failed(check, &[], fix).with_detail(detail)),
            _ => {
                Some(Finding::ok(check, &[]).with_detail(format!("{detail}; correct if they belong to other clients")))
            }
        }
    }
}

/// An application registered at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// The `client_id`.
    pub id: String,
    /// The client secret. `None` for a public client.
    pub secret: Option<Secret>,
}

/// The behavior of a logout if the identity provider cannot end a single session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutFallback {
    /// Ends all sessions of the user.
    #[default]
    User,
    /// Fails with `not_supported`.
    Refuse,
}

/// The user, client and session of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The user's id, as a get by id takes it.
    pub subject: UserId,
    /// The client that the token was issued to. `None` only if the identity provider does not return it for this kind of
    /// token.
    pub client: Option<String>,
    /// The session of the token, if the token names it.
    pub session: Option<SessionId>,
    /// The time of issue, by the identity provider's clock.
    pub issued_at: Option<Timestamp>,
    /// The time of expiry, by the identity provider's clock.
    pub expires_at: Option<Timestamp>,
}

/// The user of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUser {
    /// The user, client and session.
    pub identity: TokenIdentity,
    /// The address, if the answer contains it.
    pub email: Option<Email>,
    /// Whether the address is verified, if the answer contains it.
    pub email_verified: Option<bool>,
    /// The value of the configured claim.
    pub customer: Customer,
    /// The user's record, if the connector had to read it for the validation.
    pub record: Option<UserRecord>,
}

/// A login to end.
#[derive(Debug, Clone, Copy)]
pub struct Logout<'a> {
    /// The caller's access token.
    pub token: &'a AccessToken,
    /// The token's user and session. `None` for an opaque token that the identity provider rejects.
    pub identity: Option<&'a TokenIdentity>,
    /// The login's refresh token, if the caller sent it.
    pub refresh_token: Option<&'a Secret>,
    /// The login's ID token, if the caller sent it.
    pub id_token_hint: Option<&'a Secret>,
}

/// The result of a logout at the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedOut {
    /// The session of the login, with all its tokens.
    Session,
    /// All logins of the user. If the identity provider cannot end them all, the bridge rejects the tokens issued before.
    User {
        /// The time of the logout by the identity provider's clock.
        ended_at: Timestamp,
    },
    /// Only the refresh token, and the tokens issued with it.
    RefreshToken,
}

/// The parameters of a logout in the browser.
#[derive(Debug, Clone, Copy)]
pub struct EndSession<'a> {
    /// One of the configured clients.
    pub client_id: &'a str,
    /// One of the configured addresses to return to.
    pub post_logout_redirect_uri: &'a str,
    /// The login's ID token, passed on unread.
    pub id_token_hint: Option<&'a Secret>,
    /// The application's state, passed on unread.
    pub state: Option<&'a str>,
}

/// The content of a logout token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The session or user that was logged out.
    pub ended: Ended,
    /// When the logout happened, by the identity provider's clock. Tokens issued until then are rejected.
    pub issued_at: Timestamp,
}

/// One session, or all sessions of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// This session.
    Session(SessionId),
    /// Every session of this user.
    User(UserId),
}

/// The public settings that an application needs to log users in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FederationMetadata {
    /// The issuer of ID tokens.
    pub issuer: String,
    /// The URL that starts a login.
    pub authorization_endpoint: String,
    /// The URL that exchanges a code for tokens.
    pub token_endpoint: String,
    /// The URL of the signing keys.
    pub jwks_uri: String,
    /// The claim that contains the customer, if one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_claim: Option<String>,
    /// The scopes to request, so that the bridge's userinfo accepts the tokens.
    pub scopes: Vec<String>,
}

/// The features of the OAuth side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FederationCapabilities {
    /// The detection of revoked tokens.
    pub liveness: Liveness,
    /// The extent of a logout at the identity provider.
    pub logout: LogoutReach,
    /// Whether the identity provider sends notices of logouts that the bridge did not request.
    pub back_channel: Support,
    /// Whether access tokens may be opaque, so that only introspection identifies them.
    pub opaque_tokens: bool,
    /// The default lifetime of userinfo's cache in seconds; 0 switches it off.
    pub cache_seconds: u32,
}

/// The detection of revoked tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// By the identity provider, which includes ended sessions.
    IdentityProvider,
    /// By signature, time and the user's state. Only the bridge's revocation list contains ended sessions.
    Signature,
}

/// The extent of a logout at the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutReach {
    /// One session.
    Session,
    /// The refresh token and its access tokens if it is sent, otherwise all sessions of the user.
    RefreshTokenOrUser,
    /// The refresh token if it is sent, otherwise the access token, with all logins of the user at the bridge only.
    RefreshToken,
}

impl fmt::Display for LogoutReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "the session",
            Self::RefreshTokenOrUser => "the refresh token and its access tokens, or all sessions of the user",
            Self::RefreshToken => "the refresh token",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    #[test]
    fn a_client_needs_one_allowed_address() {
        let of = |listed: &[&str]| {
            let post_logout_redirect_uris = listed.iter().map(|uri| (*uri).to_owned()).collect();
            let settings = FederationSettings { post_logout_redirect_uris, ..FederationSettings::default() };
            settings.check_post_logout_redirect_uris("shop", |uri| uri == "https://shop.example/bye", "add it")
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["https://shop.example/bye"]).unwrap().detail, None);
        let some = of(&["https://shop.example/bye", "https://desk.example/bye"]).unwrap();
        assert_eq!(some.verdict, Verdict::Ok);
        assert!(some.detail.unwrap().contains("`https://desk.example/bye`"));
        let none = of(&["https://desk.example/bye"]).unwrap();
        assert_eq!((none.verdict, none.fix.as_deref()), (Verdict::Failed, Some("add it")));
    }
}
