//! The requests of federation: what Auth0 knows of a token, and how a login ends.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, OauthClient, Result, Secret, SessionId, UserId};
use idp_bridge_http::oidc::Claims;
use idp_bridge_http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::{Auth0Api, RATE_LIMIT_RESET};
use crate::error::{Step, check};

/// How many credentials a list has at most.
pub(crate) const CREDENTIALS: usize = 100;

/// The two kinds of refresh tokens, which Auth0 lists apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CredentialKind {
    /// A refresh token that stays the same.
    Lasting,
    /// A refresh token that is exchanged with each use.
    Rotating,
}

/// A refresh token, or a family of them, by its name and not by itself.
#[derive(Deserialize)]
pub(crate) struct Credential {
    pub(crate) id: String,
}

/// The part of an application that is checked.
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
    /// Whether its ID tokens are signed with a key that can be published. Auth0 names no algorithm for the oldest applications,
    /// which means `HS256`.
    pub(crate) fn signs_with_a_key(&self) -> bool {
        self.jwt_configuration.alg.as_deref().is_some_and(|alg| !alg.starts_with("HS"))
    }
}

impl Auth0Api {
    /// What Auth0's userinfo says of a token. It says nothing, with success, of one that was asked for without `openid`.
    pub(crate) async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Claims> {
        let request = Request::get(self.login_url(&["userinfo"])?).bearer(&Secret::new(token.expose()))?;
        Claims::of_answer(&self.ask(scope, Step::ReadUserinfo, request).await?)
    }

    /// Revokes a refresh token as the application that it was issued to. Auth0 answers the same for one that it does not know.
    pub(crate) async fn revoke(&self, scope: &CallScope, client: &OauthClient, token: &Secret) -> Result<()> {
        let mut form = vec![("client_id", client.id.as_str()), ("token", token.expose())];
        form.extend(client.secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        let request = Request::post(self.login_url(&["oauth", "revoke"])?).form(&form);
        must_say_nothing(&self.ask(scope, Step::RevokeToken, request).await?)
    }

    /// Ends a session and its refresh tokens; `NotFound` if it has ended already.
    pub(crate) async fn revoke_session(&self, scope: &CallScope, session: &SessionId) -> Result<()> {
        let request = Request::post(self.url(&["sessions", session.as_str(), "revoke"])?);
        must_say_nothing(&self.send(scope, Step::RevokeSession, request).await?)
    }

    /// Ends all sessions and refresh tokens of a user, and tells when that was. The answer is the same for one who is not there.
    pub(crate) async fn revoke_access(&self, scope: &CallScope, id: &UserId) -> Result<Option<Timestamp>> {
        #[derive(Serialize)]
        struct Everything {}
        let request = Request::post(self.url(&["users", id.as_str(), "revoke-access"])?).json(&Everything {})?;
        let answer = self.send(scope, Step::RevokeAccess, request).await?;
        must_say_nothing(&answer)?;
        Ok(answer.date())
    }

    /// The first of a user's refresh tokens of this kind, and when these were all.
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

    /// Deletes a refresh token, and with it its whole family; `NotFound` if it is gone already.
    pub(crate) async fn delete_credential(&self, scope: &CallScope, credential: &Credential) -> Result<()> {
        let url = self.url(&["device-credentials", &credential.id]).map_err(|_| {
            Error::upstream(ErrorKind::InvalidResponse, "auth0 listed a device credential with an unusable id")
        })?;
        self.send(scope, Step::DeleteCredential, Request::delete(url)).await?.must_be_empty()
    }

    /// The settings of an application.
    pub(crate) async fn application(&self, scope: &CallScope, client_id: &str) -> Result<ApplicationSettings> {
        let query =
            [("fields", "allowed_logout_urls,jwt_configuration".to_owned()), ("include_fields", "true".to_owned())];
        self.read(scope, Step::ReadClients, &["clients", client_id], &query).await
    }

    /// Sends a request that needs no token of the bridge's application.
    async fn ask(&self, scope: &CallScope, step: Step, request: Request) -> Result<Response> {
        check(step, self.http.send(scope, request.rate_limit_reset(RATE_LIMIT_RESET)).await?)
    }
}

fn must_say_nothing(answer: &Response) -> Result<()> {
    if says_nothing(&answer.body) {
        return Ok(());
    }
    Err(Error::upstream(ErrorKind::InvalidResponse, "an order was not answered as auth0 answers it"))
}

/// Whether an answer says no more than that an order was taken: `OK` is documented and nothing recorded for the revocation of a
/// token, `{}` is recorded for that of a session.
pub(crate) fn says_nothing(body: &[u8]) -> bool {
    matches!(body.trim_ascii(), b"" | b"OK" | b"{}")
}
