//! The requests of the OAuth side: a realm's public endpoints, each request one function.

use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, OauthClient, OutboundPolicy, Result, Secret};
use idp_bridge_http::oidc::Claims;
use idp_bridge_http::{BaseUrl, Client, Request, Response, StatusCode, Url, header};

use super::error::{Endpoint, check};
use crate::client::AdminApi;
use crate::config::KeycloakConfig;

/// A realm's public endpoints, at the address by which the bridge reaches Keycloak.
pub(super) struct Endpoints {
    http: Client,
    realm: BaseUrl,
    bridge: OauthClient,
}

/// What userinfo tells of a token.
pub(super) enum Told {
    /// Whose it is.
    User(Claims),
    /// Nothing, since the token lacks the scope; but it lives.
    WithoutOpenid,
    /// Nothing, since the token is a lightweight one; but it lives.
    Lightweight,
    /// That its session has ended.
    SessionEnded,
    /// That it is no good for another reason, which hides whether its session lives.
    Refused,
}

impl Told {
    /// Whether the token's session has surely ended.
    pub(super) fn proves_the_end(&self) -> bool {
        matches!(self, Self::SessionEnded)
    }

    /// Whether the token still lives.
    pub(super) fn is_of_the_living(&self) -> bool {
        matches!(self, Self::User(_) | Self::WithoutOpenid | Self::Lightweight)
    }
}

impl Endpoints {
    pub(super) fn new(admin: &AdminApi, config: &KeycloakConfig, policy: &OutboundPolicy) -> Result<Self> {
        let bridge = OauthClient { id: config.client_id.clone(), secret: Some(config.client_secret.clone()) };
        Ok(Self { http: admin.http().clone(), realm: admin.public_realm(policy)?, bridge })
    }

    /// The realm's own address, which is its issuer unless Keycloak has another one for browsers.
    pub(super) fn realm(&self) -> &BaseUrl {
        &self.realm
    }

    pub(super) fn discovery(&self) -> Result<Url> {
        self.realm.join(&[".well-known", "openid-configuration"])
    }

    pub(super) fn keys(&self) -> Result<Url> {
        self.openid(&["certs"])
    }

    pub(super) fn token(&self) -> Result<Url> {
        self.openid(&["token"])
    }

    fn openid(&self, path: &[&str]) -> Result<Url> {
        self.realm.join(&[&["protocol", "openid-connect"], path].concat())
    }

    /// What userinfo tells of a token.
    pub(super) async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Told> {
        let request = Request::get(self.openid(&["userinfo"])?).bearer(&Secret::new(token.expose()))?;
        let answer = self.http.send(scope, request).await?;
        if let Some(told) = read_challenge(&answer) {
            return Ok(told);
        }
        let answer = check(Endpoint::Userinfo, answer)?;
        let kind = answer.header(&header::CONTENT_TYPE).unwrap_or_default();
        if kind.starts_with("application/jwt") {
            let message = "keycloak signs or encrypts userinfo for this client, which the bridge does not read";
            return Err(Error::upstream(ErrorKind::Misconfigured, message).with_hint(
                "Clients → the application → Advanced: `User info signed response algorithm` is `Unsigned`",
            ));
        }
        Claims::of_answer(&answer).map(Told::User)
    }

    /// What introspection tells the bridge of a token; nothing if it is dead, or not meant for the bridge.
    pub(super) async fn introspect(&self, scope: &CallScope, token: &AccessToken) -> Result<Option<Claims>> {
        let form = [("token", token.expose()), ("token_type_hint", "access_token")];
        let request = Request::post(self.openid(&["token", "introspect"])?).reading();
        let request = request.form(&with_client(&self.bridge, &form));
        let answer = check(Endpoint::Introspection, self.http.send(scope, request).await?)?;
        let claims = Claims::of_answer(&answer)?;
        match claims.get("active").and_then(serde_json::Value::as_bool) {
            Some(true) => Ok(Some(claims)),
            Some(false) => Ok(None),
            None => {
                Err(Error::upstream(ErrorKind::InvalidResponse, "introspection does not say whether the token lives"))
            }
        }
    }

    /// Ends the session of a refresh token, as the client that it was issued to; one that has ended already is Ok.
    pub(super) async fn log_out(&self, scope: &CallScope, client: &OauthClient, refresh: &Secret) -> Result<()> {
        let form = [("refresh_token", refresh.expose())];
        let request = Request::post(self.openid(&["logout"])?).form(&with_client(client, &form));
        check(Endpoint::Logout, self.http.send(scope, request).await?)?.must_be_empty()
    }
}

/// A form with which the client proves itself.
fn with_client<'a>(client: &'a OauthClient, form: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let secret = client.secret.as_ref().map(|secret| ("client_secret", secret.expose()));
    form.iter().copied().chain([("client_id", client.id.as_str())]).chain(secret).collect()
}

/// What the challenge of userinfo tells of the token: without one, a proxy may have sent the 401 or 403.
///
/// The words were seen on 26.7.3 in November 2026. Unknown ones of another version are [`Told::Refused`], which promises least.
fn read_challenge(answer: &Response) -> Option<Told> {
    let challenge = answer.bearer_challenge()?;
    match (answer.status, challenge.error.as_deref()?) {
        (StatusCode::FORBIDDEN, "insufficient_scope") => Some(Told::WithoutOpenid),
        (StatusCode::UNAUTHORIZED, "invalid_token") => Some(match challenge.error_description.as_deref() {
            Some("user_session_not_found") => Told::SessionEnded,
            Some("Lightweight access token not allowed for userinfo endpoint") => Told::Lightweight,
            _ => Told::Refused,
        }),
        _ => None,
    }
}
