//! The harness of the federation cases: logins, tokens and the state of the identity provider.

use idp_bridge_core::{AccessToken, Email, Secret, UserId, async_trait};
use serde_json::Value;

use crate::TestResult;
use crate::harness::not_implemented;

/// The federation of a harness: logins of applications, and the validity of their tokens.
///
/// If [`Harness::federation`](crate::Harness::federation) returns one, every provider of the harness has federation enabled, with
/// settings that match [`facts`](Self::facts).
/// [`Setup::At`](crate::Setup::At) then uses the base URL as the provider's HTTP proxy, because the issuer and
/// the endpoints in its discovery document must not change.
///
/// A method with a default body belongs to a [`Need`](crate::Need). Implement the method, or declare the need as not applicable.
#[async_trait]
pub trait FederationHarness: Send + Sync {
    /// Returns the settings of the providers, and the form of tokens and URLs.
    fn facts(&self) -> FederationFacts;

    /// Logs a user in through an application, with a new session each time.
    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens>;

    /// Checks at the identity provider, not through the connector, which tokens of a login are valid.
    ///
    /// The check must not invalidate a token. If a refresh rotates the token, read the state of the fake, or replace `tokens` by
    /// the new ones.
    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus>;

    /// Returns a token of the identity provider that the bridge must reject. See [`Need::Flawed`](crate::Need::Flawed).
    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        let _ = sign_in;
        Err(not_implemented("issue_flawed", &format!("Flawed({flaw:?})")))
    }

    /// Signs any header and claims with the identity provider's key in the header's `kid`.
    ///
    /// The identity provider accepts the token: its userinfo and introspection use the login in the claims.
    /// See [`Need::Signing`](crate::Need::Signing).
    async fn sign(&self, header: &Value, claims: &Value) -> TestResult<String> {
        let _ = (header, claims);
        Err(not_implemented("sign", "Signing"))
    }

    /// Ends the login at the identity provider, as its logout page does, and returns the logout token that it sends through the
    /// back channel, if there is one. See [`Need::EndLogin`](crate::Need::EndLogin).
    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let _ = tokens;
        Err(not_implemented("end_login", "EndLogin"))
    }

    /// Blocks the user at the identity provider. See [`Need::BlockedLogin`](crate::Need::BlockedLogin).
    async fn block(&self, id: &UserId) -> TestResult<()> {
        let _ = id;
        Err(not_implemented("block", "BlockedLogin"))
    }

    /// Deletes the user at the identity provider. See [`Need::DeletedLogin`](crate::Need::DeletedLogin).
    async fn delete(&self, id: &UserId) -> TestResult<()> {
        let _ = id;
        Err(not_implemented("delete", "DeletedLogin"))
    }
}

/// The settings of the providers, and the form of tokens and URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationFacts {
    /// The ids of the accepted applications. [`FederationHarness::sign_in`] uses the first.
    pub clients: Vec<String>,
    /// The issuer of the tokens.
    pub issuer: String,
    /// The claims of an access token that identify its login.
    pub claims: ClaimNames,
    /// The URL where browsers end their session.
    pub end_session: EndSessionForm,
}

/// The names of claims in access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The claim for [`TokenIdentity::subject`](idp_bridge_core::TokenIdentity::subject), mostly `sub`.
    pub subject: &'static str,
    /// The claim that names the client, mostly `azp` or `client_id`.
    pub client: &'static str,
    /// The claim that names the login, if there is one.
    pub session: Option<&'static str>,
}

/// A login to create.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignIn {
    /// The user's address.
    pub email: Email,
    /// The user's password.
    pub password: String,
    /// Requests a login that outlives the session (`offline_access`). See [`Need::OfflineLogin`](crate::Need::OfflineLogin).
    pub offline: bool,
    /// The access token expired less than an hour ago; the session and its refresh token are valid.
    /// See [`Need::ExpiredLogin`](crate::Need::ExpiredLogin).
    pub expired: bool,
    /// Uses an application that is not one of the tenant's. See [`Need::ForeignClient`](crate::Need::ForeignClient).
    pub foreign_client: bool,
    /// The value of the customer claim in this login, instead of the user's customer.
    /// See [`Need::ClaimValue`](crate::Need::ClaimValue).
    pub customer_claim: Option<Value>,
}

impl SignIn {
    /// Creates a login with the first of the tenant's clients.
    pub fn new(email: Email, password: impl Into<String>) -> Self {
        let password = password.into();
        Self { email, password, offline: false, expired: false, foreign_client: false, customer_claim: None }
    }
}

/// The tokens of a login.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access: AccessToken,
    /// The refresh token, if there is one.
    pub refresh: Option<Secret>,
    /// The ID token, if there is one.
    pub id: Option<Secret>,
}

/// The tokens of a login that the identity provider accepts. `None` if there is no such token or endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenStatus {
    /// Whether userinfo accepts the access token.
    pub userinfo: Option<bool>,
    /// Whether introspection reports the access token as active.
    pub introspection: Option<bool>,
    /// Whether the token endpoint accepts the refresh token.
    pub refresh: Option<bool>,
}

/// The reason why the bridge must reject a token of the identity provider.
///
/// The suite creates garbage, altered, unsigned and forged tokens itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// Another realm, pool or tenant of the identity provider issued the token.
    AnotherIssuer,
    /// The token belongs to an application, not to a person (`client_credentials`).
    ServiceAccount,
    /// The token is bound to a key of its sender (`cnf`: DPoP or mutual TLS).
    SenderConstrained,
}

impl Flaw {
    /// All flaws.
    pub const ALL: [Self; 3] = [Self::AnotherIssuer, Self::ServiceAccount, Self::SenderConstrained];
}

/// The form of the end-session URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndSessionForm {
    /// The URL without its query.
    pub url: String,
    /// The parameter of the client, such as `client_id`.
    pub client: &'static str,
    /// The parameter of the redirect URI, such as `post_logout_redirect_uri`.
    pub redirect_uri: &'static str,
    /// The parameter of the hint, such as `id_token_hint`. `None` if there is no such parameter.
    pub hint: Option<&'static str>,
    /// The parameter of the application's state, such as `state`. `None` if there is no such parameter.
    pub state: Option<&'static str>,
}
