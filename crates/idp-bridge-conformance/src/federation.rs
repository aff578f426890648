//! What the federation cases need from whoever runs them: logins, tokens of every kind, and a look at the identity provider itself.

use std::sync::Arc;

use idp_bridge_core::{AccessToken, Email, IdentityProvider, Secret, UserId, async_trait};
use serde_json::Value;

use crate::Staged;

/// The OAuth side of an environment: applications that log users in, and what becomes of their tokens.
///
/// While [`Harness::federation`](crate::Harness::federation) answers one, every provider of the harness has federation on,
/// with what its [`facts`](Self::facts) say in their settings.
/// [`Harness::provider_at`](crate::Harness::provider_at) then makes the base URL the provider's HTTP proxy: the issuer and all
/// that its discovery names must stay what they are, and still be reached through it.
///
/// A method with a default body belongs to a [`Need`](crate::Need); implement it, or declare the need as not applicable.
#[async_trait]
pub trait FederationHarness: Send + Sync {
    /// What the settings of the providers say, and how tokens and addresses look here.
    fn facts(&self) -> FederationFacts;

    /// Logs a user in, as an application does it for a person: a login of its own each time, with a session of its own.
    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens>;

    /// Asks the identity provider itself, not through the connector, what still lives of a login.
    ///
    /// Asking changes nothing: where a refresh would rotate the token away, the harness asks with a fake's memory, or puts the
    /// new tokens into these.
    async fn alive(&self, tokens: &mut Tokens) -> Staged<Alive>;

    /// A token that the identity provider itself made, and that is not good for the bridge. See [`Need::Flawed`](crate::Need::Flawed).
    async fn flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        let _ = sign_in;
        Err(unstaged("flawed", &format!("Flawed({flaw:?})")))
    }

    /// Signs these two parts with the identity provider's key that the header's `kid` names, whatever they say.
    ///
    /// The identity provider takes the result for its own: its userinfo and introspection answer by the login that the claims
    /// name. See [`Need::Signing`](crate::Need::Signing).
    async fn sign(&self, header: &Value, claims: &Value) -> Staged<String> {
        let _ = (header, claims);
        Err(unstaged("sign", "Signing"))
    }

    /// Ends the login at the identity provider itself, as its own logout page does, and answers the logout token that it sends
    /// to the application by the back channel, if it has one. See [`Need::EndLogin`](crate::Need::EndLogin).
    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        let _ = tokens;
        Err(unstaged("end_login", "EndLogin"))
    }

    /// Blocks the user at the identity provider itself. See [`Need::BlockedLogin`](crate::Need::BlockedLogin).
    async fn block(&self, id: &UserId) -> Staged<()> {
        let _ = id;
        Err(unstaged("block", "BlockedLogin"))
    }

    /// Deletes the user at the identity provider itself. See [`Need::DeletedLogin`](crate::Need::DeletedLogin).
    async fn delete(&self, id: &UserId) -> Staged<()> {
        let _ = id;
        Err(unstaged("delete", "DeletedLogin"))
    }

    /// A provider whose settings have a wrong secret for the first client. See [`Need::WrongClientSecret`](crate::Need::WrongClientSecret).
    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Err(unstaged("provider_with_wrong_client_secret", "WrongClientSecret"))
    }

    /// A provider with right settings and federation switched off. See [`Need::FederationOff`](crate::Need::FederationOff).
    async fn provider_without(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Err(unstaged("provider_without", "FederationOff"))
    }
}

fn unstaged(method: &str, need: &str) -> Box<dyn std::error::Error + Send + Sync> {
    format!("the harness has no `{method}`, and does not declare `Need::{need}` as not applicable").into()
}

/// What the settings of the providers say, and how tokens and addresses look here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationFacts {
    /// The ids of the applications whose tokens are taken; [`FederationHarness::sign_in`] logs in with the first.
    pub clients: Vec<String>,
    /// The issuer of the tokens.
    pub issuer: String,
    /// The claims of an access token that say whose it is.
    pub claims: ClaimNames,
    /// Where browsers end their session.
    pub end_session: EndSessionForm,
}

/// How this identity provider names the claims of its access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The claim that becomes [`TokenIdentity::subject`](idp_bridge_core::TokenIdentity::subject), mostly `sub`.
    pub subject: &'static str,
    /// The claim that names the client, mostly `azp` or `client_id`.
    pub client: &'static str,
    /// The claim that names the login, if there is one.
    pub session: Option<&'static str>,
}

/// A login that is to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignIn {
    /// The user's address.
    pub email: Email,
    /// The user's password.
    pub password: String,
    /// Asks for a login that outlives the session (`offline_access`). See [`Need::OfflineLogin`](crate::Need::OfflineLogin).
    pub offline: bool,
    /// The access token has expired already, less than an hour ago; the session and its refresh token live.
    /// See [`Need::ExpiredLogin`](crate::Need::ExpiredLogin).
    pub expired: bool,
    /// By an application that is registered there and is none of the tenant's. See [`Need::ForeignClient`](crate::Need::ForeignClient).
    pub foreign_client: bool,
    /// What the customer claim says in this login, wherever the connector reads it, instead of what the user has.
    /// See [`Need::ClaimValue`](crate::Need::ClaimValue).
    pub customer_claim: Option<Value>,
}

impl SignIn {
    /// An ordinary login with the first of the tenant's clients.
    pub fn new(email: Email, password: impl Into<String>) -> Self {
        let password = password.into();
        Self { email, password, offline: false, expired: false, foreign_client: false, customer_claim: None }
    }
}

/// What a login gave.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access: AccessToken,
    /// The refresh token, if there is one.
    pub refresh: Option<Secret>,
    /// The ID token, if there is one.
    pub id: Option<Secret>,
}

/// What the identity provider itself takes; none where it has nothing to ask, or where the harness cannot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Alive {
    /// The access token, at its userinfo endpoint.
    pub userinfo: Option<bool>,
    /// The access token, at its introspection endpoint.
    pub introspection: Option<bool>,
    /// The refresh token, at its token endpoint.
    pub refresh: Option<bool>,
}

/// A way in which a token that the identity provider made is not good for the bridge.
///
/// The suite itself makes those that need no key of the identity provider: garbage, altered, unsigned and forged ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// Another realm, pool or tenant of the same identity provider issued it.
    AnotherIssuer,
    /// An application got it for itself, not for a person (`client_credentials`).
    ServiceAccount,
    /// It is bound to a key of its sender (`cnf`: DPoP or mutual TLS).
    SenderConstrained,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AnotherIssuer, Self::ServiceAccount, Self::SenderConstrained];
}

/// The names of the parameters that an end-session address has here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndSessionForm {
    /// The address without its query.
    pub url: String,
    /// The client, such as `client_id`.
    pub client: &'static str,
    /// The way back, such as `post_logout_redirect_uri`.
    pub way_back: &'static str,
    /// The hint, such as `id_token_hint`; none if there is no such parameter, so that it is left out.
    pub hint: Option<&'static str>,
    /// The application's own state, such as `state`; none if there is no such parameter, so that it is left out.
    pub state: Option<&'static str>,
}
