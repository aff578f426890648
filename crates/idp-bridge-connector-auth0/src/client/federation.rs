//! The requests of federation: userinfo, revocation, sessions and refresh tokens.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, OauthClient, Result, Secret, SessionId, UserId};
use idp_bridge_http::oidc::Claims;
use idp_bridge_http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::{Auth0Api, send_without_token};
use crate::error::Step;

/// The page size of the list of device credentials.
pub(crate) const CREDENTIALS: usize = 100;

/// The two kinds of refresh tokens, which Auth0 lists separately.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CredentialKind {
    /// A refresh token that stays valid when it is used.
    Lasting,
    /// A refresh token that is replaced with each use.
    Rotating,
}

/// The id of a refresh token, or of a family of rotating ones.
#[derive(Deserialize)]
pub(crate) struct Credential {
    pub(crate) id: String,
}

/// The settings of an application that `doctor` checks.
#[derive(Deserialize)]
pub(crate) struct ApplicationSettings {
    #[serde(default)]
    pub(crate) allowed_logout_urls: Vec<String>,
    #[serde(default)]
    jwt_configuration: JwtConfiguration,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JwtConfiguration {
    alg: Option<String>,
}

impl ApplicationSettings {
    /// Returns whether ID tokens are signed with an asymmetric key. The oldest applications have no `alg`, which means `HS256`.
    pub(crate) fn signs_with_a_key(&self) -> bool {
        self.jwt_configuration.alg.as_deref().is_some_and(|alg| !alg.starts_with("HS"))
    }
}

impl Auth0Api {
    /// Reads userinfo. The claims are empty for a token without the scope `openid`.
    pub(crate) async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Claims> {
        let request = Request::get(self.login_url(&["userinfo"])?).bearer(&Secret::new(token.expose()))?;
        Claims::from_response(&send_without_token(&self.http, scope, Step::ReadUserinfo, request).await?)
    }

    /// Revokes a refresh token as its application. Succeeds for unknown tokens too.
    pub(crate) async fn revoke(&self, scope: &CallScope, client: &OauthClient, token: &Secret) -> Result<()> {
        let mut form = vec![("client_id", client.id.as_str()), ("token", token.expose())];
        form.extend(client.secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        let request = Request::post(self.login_url(&["oauth", "revoke"])?).form(&form);
        check_confirmation(&send_without_token(&self.http, scope, Step::RevokeToken, request).await?)
    }

    /// Ends a session and its refresh tokens. Fails with `NotFound` if it ended earlier.
    pub(crate) async fn revoke_session(&self, scope: &CallScope, session: &SessionId) -> Result<()> {
        let request = Request::post(self.url(&["sessions", session.as_str(), "revoke"])?);
        check_confirmation(&self.send(scope, Step::RevokeSession, request).await?)
    }

    /// Ends all sessions and refresh tokens of a user, and returns the time of the response. Succeeds for a missing user too.
    pub(crate) async fn revoke_access(&self, scope: &CallScope, id: &UserId) -> Result<Option<Timestamp>> {
        #[derive(Serialize)]
        struct Everything {}
        let request = Request::post(self.url(&["users", id.as_str(), "revoke-access"])?).json(&Everything {})?;
        let answer = self.send(scope, Step::RevokeAccess, request).await?;
        check_confirmation(&answer)?;
        Ok(answer.date())
    }

    /// Returns the first page of a user's refresh tokens of this kind, and the time of the response.
    pub(crate) async fn credentials(
        &self,
        scope: &CallScope,
        id: &UserId,
        kind: CredentialKind,
    ) -> Result<(Vec<Credential>, Option<Timestamp>)> {
        let kind = match kind {
            CredentialKind::Lasting => "refresh_token",
            CredentialKind::Rotating => "rotating_refresh_token",
        };
        let (page, per_page) = ("0".to_owned(), CREDENTIALS.to_string());
        let query = [("user_id", id.as_str()), ("type", kind), ("page", &page), ("per_page", &per_page)];
        let request = Request::get(self.url(&["device-credentials"])?).query(&query);
        let answer = self.send(scope, Step::ReadCredentials, request).await?;
        Ok((answer.json()?, answer.date()))
    }

    /// Deletes a refresh token and its family. Fails with `NotFound` if it was deleted earlier.
    pub(crate) async fn delete_credential(&self, scope: &CallScope, credential: &Credential) -> Result<()> {
        let url = self.url(&["device-credentials", &credential.id]).map_err(|_| {
            Error::upstream(ErrorKind::InvalidResponse, "auth0 listed a device credential with an unusable id")
        })?;
        self.send(scope, Step::DeleteCredential, Request::delete(url)).await?.check_empty()
    }

    /// Reads the settings of an application.
    pub(crate) async fn application(&self, scope: &CallScope, client_id: &str) -> Result<ApplicationSettings> {
        let query =
            [("fields", "allowed_logout_urls,jwt_configuration".to_owned()), ("include_fields", "true".to_owned())];
        self.read(scope, Step::ReadClients, &["clients", client_id], &query).await
    }
}

fn check_confirmation(answer: &Response) -> Result<()> {
    if is_confirmation(&answer.body) {
        return Ok(());
    }
    Err(Error::upstream(ErrorKind::InvalidResponse, "auth0 did not confirm the request in its usual form"))
}

/// Returns whether a body only confirms a request. Revocation of a token returns `OK` (documented) or nothing (recorded), that of a
/// session `{}` (recorded).
fn is_confirmation(body: &[u8]) -> bool {
    matches!(body.trim_ascii(), b"" | b"OK" | b"{}")
}
