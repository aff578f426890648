//! Requests to a realm's public endpoints.

use idp_bridge_core::{AccessToken, CallScope, Error, ErrorKind, OauthClient, Result, Secret};
use idp_bridge_http::oidc::Claims;
use idp_bridge_http::{BaseUrl, Client, Request, RequestUrl, Response, StatusCode, Url};

use crate::client::{AdminApi, BridgeClient};
use crate::error::{Step, check};

/// A client of a realm's public endpoints, at the address by which the bridge reaches Keycloak.
pub(super) struct Endpoints {
    http: Client,
    realm: BaseUrl,
    bridge: BridgeClient,
}

/// Userinfo's response about a token.
pub(super) enum Userinfo {
    /// The token is active and has this user.
    User(Claims),
    /// The token is active and lacks the scope `openid`.
    WithoutOpenid,
    /// The token is active and lightweight, which userinfo does not accept.
    Lightweight,
    /// The token's session has ended.
    SessionEnded,
    /// The token is refused for another reason, which hides the state of its session.
    Refused,
}

impl Userinfo {
    /// Returns whether the token's session has certainly ended.
    pub(super) fn is_session_ended(&self) -> bool {
        matches!(self, Self::SessionEnded)
    }

    /// Returns whether the token is active.
    pub(super) fn is_active(&self) -> bool {
        matches!(self, Self::User(_) | Self::WithoutOpenid | Self::Lightweight)
    }
}

impl Endpoints {
    pub(super) fn new(admin: &AdminApi) -> Self {
        Self { http: admin.http().clone(), realm: admin.public_realm().clone(), bridge: admin.bridge().clone() }
    }

    /// Returns the URL of the discovery document.
    pub(super) fn discovery(&self) -> Result<Url> {
        self.realm.join(&[".well-known", "openid-configuration"]).map(Url::from)
    }

    /// Returns the URL of the signing keys.
    pub(super) fn keys(&self) -> Result<Url> {
        self.openid(&["certs"]).map(Url::from)
    }

    /// Returns the URL of the token endpoint.
    pub(super) fn token(&self) -> Result<Url> {
        self.openid(&["token"]).map(Url::from)
    }

    fn openid(&self, path: &[&str]) -> Result<RequestUrl> {
        self.realm.join(&[&["protocol", "openid-connect"], path].concat())
    }

    /// Requests userinfo with a token.
    pub(super) async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Userinfo> {
        let request = Request::get(self.openid(&["userinfo"])?).bearer(&Secret::new(token.expose()))?;
        let response = self.http.send(scope, request).await?;
        if let Some(refusal) = parse_challenge(&response) {
            return Ok(refusal);
        }
        let response = check(Step::ReadUserinfo, response)?;
        if response.media_type().as_deref() == Some("application/jwt") {
            let message = "keycloak signs or encrypts userinfo for this client, which the bridge does not read";
            return Err(Error::upstream(ErrorKind::Misconfigured, message).with_hint(
                "Clients → the application → Advanced: `User info signed response algorithm` is `Unsigned`",
            ));
        }
        Claims::from_response(&response).map(Userinfo::User)
    }

    /// Introspects a token as the bridge's client. `None` if the token is inactive or the bridge is not in its audience.
    pub(super) async fn introspect(&self, scope: &CallScope, token: &AccessToken) -> Result<Option<Claims>> {
        let form = [("token", token.expose()), ("token_type_hint", "access_token")];
        let request = Request::post(self.openid(&["token", "introspect"])?).read_only();
        let request = self.bridge.authenticate(request, &form);
        let response = check(Step::Introspect, self.http.send(scope, request).await?)?;
        let claims = Claims::from_response(&response)?;
        match claims.get("active").and_then(serde_json::Value::as_bool) {
            Some(true) => Ok(Some(claims)),
            Some(false) => Ok(None),
            None => {
                Err(Error::upstream(ErrorKind::InvalidResponse, "the introspection response has no valid `active`"))
            }
        }
    }

    /// Ends the session of a refresh token, authenticated as this client. Succeeds if the session has ended before.
    pub(super) async fn log_out(&self, scope: &CallScope, client: &OauthClient, refresh: &Secret) -> Result<()> {
        let form = [("refresh_token", refresh.expose())];
        let request = Request::post(self.openid(&["logout"])?).form(&with_client(client, &form));
        check(Step::EndRefreshToken, self.http.send(scope, request).await?)?.check_empty()
    }
}

/// Adds the client's credentials to a form.
fn with_client<'a>(client: &'a OauthClient, form: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let secret = client.secret.as_ref().map(|secret| ("client_secret", secret.expose()));
    form.iter().copied().chain([("client_id", client.id.as_str())]).chain(secret).collect()
}

/// Parses userinfo's challenge. A 401 or 403 without one may come from a proxy.
///
/// The texts were seen on 26.7.3 in November 2026. An unknown text of another version is [`Userinfo::Refused`], which
/// proves nothing about the session.
fn parse_challenge(response: &Response) -> Option<Userinfo> {
    let challenge = response.bearer_challenge()?;
    match (response.status, challenge.error.as_deref()?) {
        (StatusCode::FORBIDDEN, "insufficient_scope") => Some(Userinfo::WithoutOpenid),
        (StatusCode::UNAUTHORIZED, "invalid_token") => Some(match challenge.error_description.as_deref() {
            Some("user_session_not_found") => Userinfo::SessionEnded,
            Some("Lightweight access token not allowed for userinfo endpoint") => Userinfo::Lightweight,
            _ => Userinfo::Refused,
        }),
        _ => None,
    }
}
