//! The OAuth half of the contract: whose a token is, whether it is alive, and how a login ends.

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
    /// Says whose token it is, by what it proves itself, or by asking the identity provider where it proves nothing.
    ///
    /// # Behavior
    ///
    /// - Signature, issuer, client and times of a signed token are checked without a request, once the keys are cached.
    /// - A token that is forged, altered, unsigned, not yet valid or sender-constrained, belongs to another issuer or client or
    ///   to a service account, or is an ID or refresh token, is `InvalidToken`.
    /// - A token that expired at most a day ago is accepted, so that its login can be ended.
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity>;

    /// Says whose token it is, if the identity provider lets it live.
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

    /// Ends the login that a token belongs to: every step that this identity provider has for it.
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

    /// The address that the browser goes to, so that the identity provider's own login page comes back.
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

    /// What an application needs to know to log users in.
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

/// A tenant's settings of federation that its connector obeys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FederationSettings {
    /// The applications whose tokens are taken.
    pub clients: Vec<OauthClient>,
    /// The claim that names the customer; the connector's own default if absent.
    pub customer_claim: Option<String>,
    /// What a logout does where no single session can be ended.
    pub fallback: LogoutFallback,
    /// Where browsers may return to after a logout: for a diagnosis, since the server lets no other address through.
    pub post_logout_redirect_uris: Vec<String>,
}

impl FederationSettings {
    /// The application with this id.
    pub fn client(&self, id: &str) -> Option<&OauthClient> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// Whether the identity provider lets browsers return after a logout of this client, by what it allows; none if the
    /// tenant lists no address.
    ///
    /// An address that another client of the tenant is meant to return to need not be this one's.
    pub fn check_way_back(&self, client: &str, allows: impl Fn(&str) -> bool, fix: &str) -> Option<Finding> {
        let check = format!("`{client}` may return from a logout to `post_logout_redirect_uris`");
        let listed = &self.post_logout_redirect_uris;
        let refused: Vec<String> = listed.iter().filter(|uri| !allows(uri)).map(|uri| format!("`{uri}`")).collect();
        let detail = format!("not allowed are: {}", refused.join(", "));
        match refused.len() {
            _ if listed.is_empty() => None,
            0 => Some(Finding::ok(check, &[])),
            all if all == listed.len() => Some(Finding::failed(check, &[], fix).with_detail(detail)),
            _ => Some(
                Finding::ok(check, &[]).with_detail(format!("{detail}, which is right if they are another client's")),
            ),
        }
    }
}

/// An application that is registered at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// Its `client_id`.
    pub id: String,
    /// Its secret; none if it is public.
    pub secret: Option<Secret>,
}

/// What a logout does where the identity provider cannot end one session alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutFallback {
    /// All sessions of the user end.
    #[default]
    User,
    /// The logout is refused: `not_supported`.
    Refuse,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The user, by the id that a get by id takes.
    pub subject: UserId,
    /// The client that it was issued to; none only if the identity provider does not tell of this kind of token.
    pub client: Option<String>,
    /// The login that it belongs to, if the token names it.
    pub session: Option<SessionId>,
    /// When it was issued, by the identity provider's clock.
    pub issued_at: Option<Timestamp>,
    /// When it ends, by the identity provider's clock.
    pub expires_at: Option<Timestamp>,
}

/// A living token's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUser {
    /// Whose token it is.
    pub identity: TokenIdentity,
    /// The address, if the answer names it.
    pub email: Option<Email>,
    /// Whether the address is proven, if the answer tells.
    pub email_verified: Option<bool>,
    /// What the configured claim says.
    pub customer: Customer,
    /// The user as a get by id answers, where the connector had to read it anyway.
    pub record: Option<UserRecord>,
}

/// A login that is to be ended.
#[derive(Debug, Clone, Copy)]
pub struct Logout<'a> {
    /// The access token that the caller holds.
    pub token: &'a AccessToken,
    /// Whose it is; none if the identity provider refuses a token that proves nothing by itself.
    pub identity: Option<&'a TokenIdentity>,
    /// The refresh token of the same login, if the caller has one.
    pub refresh_token: Option<&'a Secret>,
    /// The ID token of the same login, if the caller has one.
    pub id_token_hint: Option<&'a Secret>,
}

/// What a logout ended at the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedOut {
    /// The one session, with all that it issued.
    Session,
    /// All logins of the user; where the identity provider cannot end them all, the bridge refuses what was issued until then.
    User {
        /// When that was, by the identity provider's clock.
        ended_at: Timestamp,
    },
    /// Only the refresh token, and what was issued with it.
    RefreshToken,
}

/// What the browser takes to the identity provider.
#[derive(Debug, Clone, Copy)]
pub struct EndSession<'a> {
    /// One of the configured clients.
    pub client_id: &'a str,
    /// Where the identity provider sends the browser afterwards; one of the configured ones.
    pub post_logout_redirect_uri: &'a str,
    /// The ID token of the login, handed through unread.
    pub id_token_hint: Option<&'a Secret>,
    /// The application's own state, handed through unread.
    pub state: Option<&'a str>,
}

/// What a logout token says has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// Whose tokens are refused from now on.
    pub ended: Ended,
    /// Up to when they were issued, by the identity provider's clock.
    pub issued_at: Timestamp,
}

/// One session, or all of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// This session.
    Session(SessionId),
    /// Every session of this user.
    User(UserId),
}

/// What an application needs to know to log users in: public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FederationMetadata {
    /// The issuer of ID tokens.
    pub issuer: String,
    /// Where a login begins.
    pub authorization_endpoint: String,
    /// Where a code is exchanged for tokens.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// The claim that names the customer, if one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_claim: Option<String>,
    /// The scopes to ask for, so that the tokens are good for the bridge's userinfo.
    pub scopes: Vec<String>,
}

/// What the OAuth side can promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FederationCapabilities {
    /// How a living token is told from a dead one.
    pub liveness: Liveness,
    /// What a logout ends at the identity provider.
    pub logout: LogoutReach,
    /// Whether the identity provider tells of logouts that happen elsewhere.
    pub back_channel: Support,
    /// Whether access tokens may be opaque, so that only the identity provider can tell whose they are.
    pub opaque_tokens: bool,
    /// For how many seconds userinfo may answer from its cache unless the tenant says otherwise; 0 for not at all.
    pub cache_seconds: u32,
}

/// How a living token is told from a dead one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// The identity provider is asked, and knows of the end of sessions.
    IdentityProvider,
    /// By signature, time, and the state of the user; the end of a session shows only in the bridge's revocation list.
    Signature,
}

/// What a logout ends at the identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutReach {
    /// The one session.
    Session,
    /// What came of the refresh token if one is shown, else all sessions of the user.
    RefreshTokenOrUser,
    /// The refresh token if one is shown; else the access token, and all logins of the user at the bridge alone.
    RefreshToken,
}

impl fmt::Display for LogoutReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "the session",
            Self::RefreshTokenOrUser => "what came of the refresh token, or all sessions of the user",
            Self::RefreshToken => "the refresh token",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    #[test]
    fn a_way_back_is_wrong_only_if_a_client_has_none_of_those_listed() {
        let of = |listed: &[&str]| {
            let post_logout_redirect_uris = listed.iter().map(|uri| (*uri).to_owned()).collect();
            let settings = FederationSettings { post_logout_redirect_uris, ..FederationSettings::default() };
            settings.check_way_back("shop", |uri| uri == "https://shop.example/bye", "add it")
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
